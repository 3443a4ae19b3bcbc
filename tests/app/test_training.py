import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.charts.trainings import TrainingCurve, training_curves
from fas_core import models
from fas_core.evaluation.trainings import words_of
from fas_core.runs import sweeps, traininglog
from fas_core.runs.traininglog import Log, Training, metrics_log, resume_file, samples_file
from fas_core.training import experiments
from tests.app.conftest import commands
from tests.conftest import tiny_samples, write_image_run

from .conftest import page, texts

PER_EPOCH = 8
VAE = experiments.preset("small_dcvae").with_settings([f"batches_per_epoch={PER_EPOCH}", "epochs=5"]).as_json()
GANOMALY = VAE | {"model": "ganomaly", "name": "small_ganomaly"}
DEV = (9000.0, 8900.0, 8850.0, 8812.25, 8830.0)  # the fourth epoch is kept


def vae_row(value: float) -> dict[str, float]:
    return {"rec": value - 60, "kl": 60.0, "elbo": value}


def vae_dev_row(value: float) -> dict[str, float]:
    return vae_row(value) | {"excess_bce": value - 8000, "pixel_l1": value / 1e5, "pixel_l2": value / 1e5, "ssim": 0.8}


def gan_row(value: float) -> dict[str, float]:
    return {"rec": value / 1e5, "enc": 0.1, "adv": 0.2, "total": value / 1e3, "disc": 0.7}


def train(
    cache: Path,
    name: str,
    experiment: Mapping[str, Any] = VAE,
    *,
    dev: tuple[float, ...] | None = DEV,
    steps: int | None = None,
    age: float = 1000.0,
) -> Path:
    """A training as `fas train` leaves it after `steps` (of 40), `age` seconds ago; returns the checkpoint's path."""
    out = cache / "models" / f"{name}.safetensors"
    is_vae = experiment["model"] == "dcvae"
    row, dev_row = (vae_row, vae_dev_row) if is_vae else (gan_row, gan_row)
    done = 5 * PER_EPOCH if steps is None else steps
    images = np.arange(3 * 16 * 16, dtype=np.uint8).reshape(3, 16, 16)
    columns = ["rec", "kl", "elbo", "excess_bce", "pixel_l1", "pixel_l2", "ssim"]
    reconstructions = {}
    with Log(out, columns if is_vae else ["rec", "enc", "adv", "total", "disc", "disc_reset"]) as log:
        for step in range(done):
            at: dict[str, Any] = {"epoch": step // PER_EPOCH, "step": step}
            more = {} if is_vae else {"disc_reset": float(step in (9, 20))}
            log.add(at | {"split": "train", "learning_rate": 7e-4} | row(9500.0 - step) | more)
            if (step + 1) % PER_EPOCH == 0:
                log.add(at | {"split": "dev"} | (dev_row(dev[at["epoch"]]) if dev else {}))
                reconstructions[at["epoch"]] = np.full_like(images, 40 * at["epoch"])
    training = traininglog.announced(cache, out, dict(experiment), 5 * PER_EPOCH, chosen_by="elbo" if is_vae else "rec")
    then = time.time() - age
    os.utime(metrics_log(out), (then, then))
    entry = traininglog.trainings_folder(cache) / f"{name}-{training.id}.json"
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"started": then - 20}))
    if reconstructions:
        traininglog.write_samples(out, images, reconstructions, ["a/1.png", "b", "c"])
        out.touch()
        resume_file(out).touch()
    if done == 5 * PER_EPOCH:
        resume_file(out).unlink()
    return out


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def training(**query: Any) -> AppTest:
    at = page("training", **query)
    assert not at.exception
    assert not at.error
    return at


def label(cache: Path, name: str) -> str:
    [training] = [entry for entry in traininglog.trainings(cache) if entry.name == name]
    return f"{name} ({training.id[:6]})"


def answers(at: AppTest) -> list[str]:
    return [m.value for m in at.markdown if m.value.startswith("**") and " epoch" in m.value]


def headings(at: AppTest) -> list[str]:
    """Titles of the panels."""
    return [m.value for m in at.markdown if m.value.startswith("**") and m.proto.help]


def panels(at: AppTest) -> dict[str, dict[str, Any]]:
    """ECharts options by the panel's heading."""
    specs = [json.loads(chart.proto.spec) for chart in at.get("echarts_chart")]
    return dict(zip(headings(at), specs, strict=True))


def series(option: dict[str, Any], name: str) -> dict[str, Any]:
    return next(drawn for drawn in option["series"] if drawn.get("name") == name)


def test_a_finished_training_says_what_was_kept_first(cache: Path) -> None:
    train(cache, "m")
    at = training()
    [answer] = answers(at)
    assert at.markdown[0].value == answer
    assert "**m** has finished its 5 epochs." in answer
    assert (
        "lowest in epoch **4** (8,812\u00a0nats), that checkpoint was kept; the epoch after it brought nothing"
        in answer
    )
    drawn = panels(at)
    assert list(drawn) == [
        "**Negative ELBO**, nats", "**Reconstruction**, nats", "**KL divergence**, nats",
        "**Excess reconstruction**, nats", "**Mean error per pixel**", "**RMS error per pixel**",
        "**Structural similarity**", "**Learning rate**",
    ]  # fmt: skip
    option = drawn["**Negative ELBO**, nats"]
    assert series(option, "dev")["data"] == [[i + 1, value] for i, value in enumerate(DEV)]
    assert [4.0, 8812.25] in [line["data"][0] for line in option["series"] if line.get("symbolSize") == 12]
    assert option["xAxis"]["max"] == 5
    assert all(chart.proto.alt for chart in at.get("echarts_chart"))


def test_one_that_was_still_falling_says_so(cache: Path) -> None:
    train(cache, "falls", dev=(9000.0, 8900.0, 8850.0, 8830.0, 8812.0))
    assert "was still falling, so more epochs may help: the last epoch brought 18\u00a0nats" in answers(training())[0]
    train(cache, "level", dev=(9000.0, 8900.0, 8850.0, 8830.0, 8829.5))
    at = training(trainings=label(cache, "level"))
    assert "It is nearly level: the last epoch brought 0.5\u00a0nats" in answers(at)[0]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Seconds between two looks that the page has asked for, run by run."""
    asked: list[float | None] = []
    real = st.fragment

    def fragment(*arguments: Any, run_every: float | None = None, **named: Any) -> Any:
        if run_every != 1.0:  # the sidebar's own
            asked.append(run_every)
        return real(*arguments, run_every=run_every, **named)

    monkeypatch.setattr(st, "fragment", fragment)
    return asked


def test_a_running_training_tells_how_far_it_is_and_looks_again(cache: Path, pauses: list[float | None]) -> None:
    out = train(cache, "m", steps=20, age=0)
    at = training()
    assert pauses[-1] == 2.0
    assert "**m** is in epoch **3 of 5**, about 20\u00a0s left." in answers(at)[0]
    assert "lowest in epoch **2** (8,900\u00a0nats), that checkpoint is kept. It is still falling" in answers(at)[0]
    # Rows that come meanwhile are on the page the next time; a line that is being written does not disturb.
    with metrics_log(out).open("a") as file:
        file.write("2,20,train,0.0007,9000.5,60.0,9060.5,,,,\n2,21,train,0.00")
    at.run()
    assert not at.exception
    assert panels(at)["**Negative ELBO**, nats"]["series"][1]["data"][-1][0] == pytest.approx(21 / 8, rel=1e-5)
    train(cache, "m")
    at.run()
    assert not at.exception
    assert "has finished" in answers(at)[0]
    assert pauses[-1] is None


def test_what_begins_or_ends_between_two_looks_changes_their_pace(
    cache: Path, pauses: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, looks = traininglog.trainings, iter(range(100))
    monkeypatch.setattr(traininglog, "trainings", lambda folder: real(folder) if next(looks) else [])
    train(cache, "m", steps=20, age=0)
    at = training()
    assert "is in epoch" in answers(at)[0]
    assert pauses == [10.0, 2.0]


def test_before_the_first_epoch_has_ended(cache: Path) -> None:
    train(cache, "m", steps=3, age=0)
    at = training()
    assert "Its first epoch has not ended" in answers(at)[0]
    assert "There are no reconstructions of m: they are written after its first epoch" in texts(at)
    assert next(iter(panels(at))) == "**Negative ELBO**, nats"
    Log(cache / "models" / "m.safetensors", ["elbo"])  # not even a step
    at = training()
    assert "is in epoch **1 of 5**." in answers(at)[0]


def test_an_interrupted_training_says_how_to_go_on(cache: Path) -> None:
    train(cache, "m", steps=20, age=600)
    at = training()
    assert (
        "was interrupted in epoch **3 of 5**, 10\u00a0min ago; the same command with `--resume` goes on."
        in answers(at)[0]
    )
    assert at.dataframe[-1].value["State"].tolist() == ["interrupted"]


def test_without_dev_images_the_last_epoch_counts(cache: Path) -> None:
    train(cache, "m", dev=None)
    at = training()
    assert (
        "No images were kept out of training, so the last epoch counts: the checkpoint is that of 5." in answers(at)[0]
    )
    assert "**Negative ELBO**, nats" in panels(at)


def test_two_trainings_over_each_other_differ_by_letter_and_line(cache: Path) -> None:
    train(cache, "first")
    train(cache, "second", VAE | {"learning_rate": 1e-3, "batch_size": 12})
    both = [label(cache, "first"), label(cache, "second")]
    at = page("training", trainings=both, over="Images seen")  # type: ignore[arg-type]
    assert not at.exception
    assert [a[:13] for a in answers(at)] == ["**A: first** ", "**B: second**"]
    option = panels(at)["**Negative ELBO**, nats"]
    first, second = series(option, "A, dev"), series(option, "B, dev")
    assert first["lineStyle"]["type"] != second["lineStyle"]["type"]
    assert first["lineStyle"]["color"] != second["lineStyle"]["color"]  # a Run has a colour of its own
    assert (first["endLabel"]["formatter"], second["endLabel"]["formatter"]) == ("A", "B")
    assert (first["data"][0][0], second["data"][0][0]) == (6 * PER_EPOCH, 12 * PER_EPOCH)
    assert option["xAxis"]["max"] == 12 * 5 * PER_EPOCH
    settings = at.dataframe[0].value
    assert set(settings["Setting"].tolist()[:2]) == {"learning rate", "batch size"}  # those that differ come first
    at.multiselect(key="trainings").set_value([]).run()
    assert not at.exception
    assert "No training is chosen" in texts(at)


def test_another_family_of_models_has_panels_of_its_own(cache: Path) -> None:
    train(cache, "vae")
    train(cache, "gan", GANOMALY)
    at = training(trainings=label(cache, "gan"))
    assert "lowest in epoch **4** (0.08812), that" in answers(at)[0]
    assert answers(at)[0].endswith("The discriminator was re-initialised 2 times.")
    drawn = panels(at)
    assert next(iter(drawn)) == "**Reconstruction \\(L1\\)**"
    marks = [line for line in drawn["**Discriminator**, nats"]["series"] if line.get("symbol") == "triangle"]
    assert [x for x, _ in marks[0]["data"]] == [10 / PER_EPOCH, 21 / PER_EPOCH]
    assert not any("reset" in heading for heading in drawn)
    both = page("training", trainings=[label(cache, "vae"), label(cache, "gan")])  # type: ignore[arg-type]
    assert not both.exception
    drawn = panels(both)
    assert len([line for line in drawn["**Reconstruction \\(L1\\)**"]["series"] if line.get("name") == "A, dev"]) == 0
    assert series(drawn["**Reconstruction \\(L1\\)**"], "B, dev")["data"][3][1] == pytest.approx(0.0881225, rel=1e-5)
    assert series(drawn["**Reconstruction**, nats"], "A, dev")["data"][3][1] == pytest.approx(8752.25)


def test_the_slider_shows_the_reconstructions_of_an_epoch(cache: Path) -> None:
    out = train(cache, "m")
    at = training()
    slider = at.select_slider(key="epoch")
    assert slider.value == 4  # the epoch that was kept
    assert "After epoch 4, the pixels of these 3 live images are off by" in texts(at)
    slider.set_value(2).run()
    assert not at.exception
    samples = traininglog.read_samples(out)
    assert samples is not None
    assert f"After epoch 2, the pixels of these 3 live images are off by **{samples.pixel_l1(1):.3f}**" in texts(at)
    shown = at.get("image")
    assert len(shown) == 2 + 5  # the originals, the chosen epoch, all five in the strip
    assert shown[0].proto.imgs[0].alt == "a/1.png, b, c"


def test_the_slider_follows_a_training_until_it_is_moved(cache: Path) -> None:
    train(cache, "m", steps=20, age=0)
    at = training()
    assert at.select_slider(key="epoch").value == 2
    train(cache, "m", steps=25, age=0)
    at.run()
    assert at.select_slider(key="epoch").value == 3
    at.select_slider(key="epoch").set_value(1).run()
    train(cache, "m", steps=33, age=0)
    at.run()
    assert not at.exception
    assert at.select_slider(key="epoch").value == 1


def test_a_newer_training_is_shown_to_who_has_not_chosen(cache: Path) -> None:
    train(cache, "old", age=2000)
    at = training()
    train(cache, "new", steps=10, age=0)
    at.run()
    assert not at.exception
    assert [a[:7] for a in answers(at)] == ["**new**"]
    at.multiselect(key="trainings").set_value([label(cache, "old")]).run()
    train(cache, "newest", steps=10, age=0)
    at.run()
    assert [a[:7] for a in answers(at)] == ["**old**"]
    assert at.dataframe[-1].value["Training"].tolist() == [label(cache, name) for name in ("newest", "new", "old")]


def test_damaged_reconstructions_leave_the_curves(cache: Path) -> None:
    samples_file(train(cache, "m")).write_bytes(b"no")
    at = training()
    assert any("is damaged" in w.value for w in at.warning)
    assert panels(at)
    assert at.dataframe[-1].value["Kept"].tolist() == [4]


def test_markup_in_names_is_text(cache: Path) -> None:
    name = "**b** <img src=x onerror=alert(1)> [l](x)"
    train(cache, name)
    train(cache, "other")
    at = page("training", trainings=[label(cache, name), label(cache, "other")])  # type: ignore[arg-type]
    assert not at.exception
    shown = next(a for a in answers(at) if "img" in a)
    assert "\\*\\*b\\*\\* \\<img" in shown
    assert not any("<img" in json.dumps(option) for option in panels(at).values())


def test_an_experiment_that_says_little_is_shown_all_the_same(cache: Path) -> None:
    out = train(cache, "m")
    entry = next(traininglog.trainings_folder(cache).iterdir())
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"experiment": {"x": None}, "chosen_by": "gone"}))
    at = training()
    assert "has finished its 1 epoch." in answers(at)[0]
    assert out.is_file()


def test_without_trainings_it_says_how_to_start_one(cache: Path) -> None:
    at = training()
    assert "There is no training yet" in texts(at)
    assert "fas train small_dcvae --data m.csv --out m.safetensors" in commands(at)[0]
    write_image_run(cache, "a", tiny_samples())  # Runs alone change nothing
    assert "There is no training yet" in texts(training())


def test_the_scale_is_that_of_the_settled_part() -> None:
    """The first half epoch of a VAE falls by thousands of nats; what follows, by tens."""
    x = np.linspace(0, 4, 81)
    steps = np.column_stack([x, 8800 + 3000 * np.exp(-8 * x)])
    curve = TrainingCurve(
        "", np.array([[1.0, 8803.0], [2.0, 8801.0]]), np.empty((0, 2)), steps, steps, settled_from=1.0
    )
    option: Any = training_curves([curve], x_title="epoch", x_max=4)
    low, high = option["yAxis"]["min"], option["yAxis"]["max"]
    assert 8790 <= low < 8800
    assert 8803 < high <= 8810
    assert (high - low) / option["yAxis"]["interval"] == pytest.approx(
        round((high - low) / option["yAxis"]["interval"])
    )
    json.dumps(option, allow_nan=False)


def test_a_constant_and_no_value_at_all_have_an_axis() -> None:
    steps = np.column_stack([np.arange(3.0), np.full(3, 7e-4)])
    for drawn, top in ((steps, 8e-4), (np.empty((0, 2)), 1.0)):
        curve = TrainingCurve("", np.empty((0, 2)), np.empty((0, 2)), drawn, np.empty((0, 2)))
        option: Any = training_curves([curve], x_title="epoch", x_max=3)
        assert option["yAxis"]["min"] == 0
        assert top <= option["yAxis"]["max"] <= 1.5 * top


def test_a_sweep_says_which_setting_is_first_and_draws_all(cache: Path) -> None:
    members = []
    for w_kl, dev in ((0.5, DEV), (2.0, tuple(1.1 * value for value in DEV))):
        out = train(cache, f"sweep-{w_kl}", VAE | {"w_kl": w_kl}, dev=dev)
        members.append(sweeps.Member({"w_kl": w_kl}, 0, out))
    members.append(sweeps.Member({"w_kl": 9.0}, 0, cache / "models" / "not begun.safetensors"))
    sweeps.entered(cache, cache / "models", "small_dcvae", "elbo", members)
    at = training()
    [answer] = [m.value.replace("\\", "") for m in at.markdown if "reconstructs live dev images best" in m.value]
    assert answer.startswith("w_kl=0.5 reconstructs live dev images best: 0.0881 of the pixel range")
    assert "1 of 3 settings is not finished" in answer
    [spec] = [json.loads(chart.proto.spec) for chart in at.get("echarts_chart")][-1:]
    assert [line["name"] for line in spec["series"]] == ["1 · w_kl=0.5", "2 · w_kl=2.0"]
    assert spec["series"][0]["data"][-1] == [5.0, DEV[-1] / 1e5]
    [table] = [frame.value for frame in at.dataframe if "Dev error" in frame.value]
    assert table["Setting"].tolist() == ["w_kl=0.5", "w_kl=2.0", "w_kl=9.0"]
    assert table["Seeds"].tolist() == ["1 of 1", "1 of 1", "0 of 1"]


@pytest.mark.parametrize("name", models.built_in())
def test_every_term_that_a_model_logs_is_explained(name: str) -> None:
    training = cast(Training, SimpleNamespace(experiment={"model": name}))
    names = (*models.kind(name).made_by.loss_names, "distance", "code", "picture")  # type: ignore[union-attr]
    assert [term for term in names if not words_of(term, training)[2]] == []
    assert ("Cross-entropy" in words_of("rec", training)[2]) == (name not in ("ganomaly", "memae"))
