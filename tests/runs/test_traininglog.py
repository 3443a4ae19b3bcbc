import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.runs import traininglog
from fas_core.runs.traininglog import Log, metrics_log, read_log, resume_file, samples_file
from fas_core.training import experiments

TERMS = ["rec", "kl", "elbo"]
EXPERIMENT = experiments.preset("small_dcvae").with_settings(["batches_per_epoch=4", "epochs=3"]).as_json()


def rows(epochs: int = 3, per_epoch: int = 4) -> list[dict[str, Any]]:
    """What a training logs: floats that have no short decimal form, and a dev row per epoch."""
    rng = np.random.default_rng(0)
    log: list[dict[str, Any]] = []
    for step in range(epochs * per_epoch):
        at = {"epoch": step // per_epoch, "step": step}
        rec, kl = rng.normal(9000, 1), np.float32(rng.normal(60, 1))
        log.append(at | {"split": "train", "rec": rec, "kl": kl, "elbo": rec + kl, "learning_rate": 7e-4 / 3})
        if (step + 1) % per_epoch == 0:
            log.append(at | {"split": "dev", "rec": rec + 1, "kl": kl, "elbo": [9, 7, 8][at["epoch"]], "ssim": 0.5})
    return log


def write_log(out: Path, some: list[dict[str, Any]], before_step: int = 0) -> None:
    with Log(out, [*TERMS, "ssim"], before_step) as log:
        for row in some:
            log.add(row)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_is_read_is_what_was_added(out: Path) -> None:
    write_log(out, rows())
    read = read_log(out)
    expected = pd.DataFrame(rows())[["epoch", "step", "split", "learning_rate", *TERMS, "ssim"]]
    pd.testing.assert_frame_equal(read, expected.astype({"kl": float, "elbo": float}), check_exact=True)
    first, second = metrics_log(out).read_text().splitlines()[:2]
    assert first == "epoch,step,split,learning_rate,rec,kl,elbo,ssim"
    assert second.startswith("0,0,train,0.0002333333333333333")
    assert second.endswith(",")  # what a row does not have is empty


def test_a_name_that_is_no_column_is_refused(out: Path) -> None:
    log = Log(out, TERMS)
    with pytest.raises(ValueError, match=r"no column 'adv'. Columns: epoch, step, split, learning_rate, rec, kl, elbo"):
        log.add({"epoch": 0, "step": 0, "split": "train", "adv": 1.0})


def test_resumed_is_byte_for_byte_what_uninterrupted_is(out: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    write_log(whole, rows())
    write_log(out, rows()[:8])  # killed in the second epoch, while a line was being written
    with metrics_log(out).open("a") as file:
        file.write("0,3,dev,0.1,1,2,3,0.2")
    write_log(out, [row for row in rows() if row["step"] >= 4], before_step=4)
    assert metrics_log(out).read_bytes() == metrics_log(whole).read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_a_new_training_begins_a_new_log(out: Path) -> None:
    write_log(out, rows())
    write_log(out, rows()[:1])
    assert len(read_log(out)) == 1


def test_a_resume_without_a_log_begins_one_and_an_older_log_gets_the_new_columns(out: Path) -> None:
    write_log(out, rows()[5:6], before_step=4)
    assert read_log(out)["step"].tolist() == [4]
    pd.DataFrame(rows()[:4])[["epoch", "step", "split", "rec", "learning_rate"]].to_csv(metrics_log(out), index=False)
    write_log(out, rows()[5:6], before_step=4)
    read = read_log(out)
    assert read["step"].tolist() == [0, 1, 2, 3, 4]
    assert read["rec"].notna().all()
    assert read["kl"].isna().tolist() == [True] * 4 + [False]
    metrics_log(out).write_bytes(b"\xff\x00 no table\n1,2\n")
    write_log(out, rows()[5:6], before_step=4)
    assert read_log(out)["step"].tolist() == [4]


def test_rows_reach_the_file_every_second_and_are_only_appended(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    log = Log(out, [*TERMS, "ssim"])
    inode = metrics_log(out).stat().st_ino
    log.add(rows()[0])
    assert read_log(out).empty
    clock[0] += 1.1
    log.add(rows()[1])
    assert len(read_log(out)) == 2
    log.add(rows()[2])
    assert len(read_log(out)) == 2
    log.flush()
    log.flush()
    assert len(read_log(out)) == 3
    assert metrics_log(out).stat().st_ino == inode


def test_the_last_rows_are_kept_when_training_fails(out: Path) -> None:
    def fails() -> None:
        with Log(out, [*TERMS, "ssim"]) as log:
            log.add(rows()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert len(read_log(out)) == 1


def test_long_logs_stay_cheap(out: Path) -> None:
    begun = time.perf_counter()
    with Log(out, TERMS) as log:
        for step in range(20_000):
            log.add({"epoch": 0, "step": step, "split": "train", "learning_rate": 1e-4, "rec": 1 / (1 + step)})
    assert time.perf_counter() - begun < 5  # 0.1 s; a hundred thousand times that if the file were written anew
    assert len(read_log(out)) == 20_000


@pytest.mark.parametrize("content", ["", "epoch,st", "epoch,step,split\n", "\n\n", "no,log\n1,2\n"])
def test_a_log_without_rows_is_a_table_without_rows(out: Path, content: str) -> None:
    metrics_log(out).write_text(content)
    read = read_log(out)
    assert len(read) == 0
    assert list(read.columns[:4]) == ["epoch", "step", "split", "learning_rate"]
    assert read["epoch"].dtype == np.int64
    assert traininglog.kept_epoch(read, "elbo") is None


def test_lines_that_are_damaged_or_half_written_are_left_out(out: Path) -> None:
    write_log(out, rows()[:2])
    with metrics_log(out).open("a") as file:
        file.write("0,x,train,,,,,\n0,2,train,1,2,3,4,5,6,7\n0,2,train,0.1,what,2.5,3.5,\n0,3,tra")
    read = read_log(out)
    assert read["step"].tolist() == [0, 1, 2]
    assert read["kl"].iloc[-1] == 2.5
    assert np.isnan(read["rec"].iloc[-1])


def test_the_epoch_that_is_kept_is_the_first_lowest_or_the_last(out: Path) -> None:
    write_log(out, rows())
    read = read_log(out)
    assert traininglog.kept_epoch(read, "elbo") == 1
    read.loc[read["split"] == "dev", "elbo"] = 7.0
    assert traininglog.kept_epoch(read, "elbo") == 0
    read.loc[read["split"] == "dev", "elbo"] = np.nan  # no dev images
    assert traininglog.kept_epoch(read, "elbo") == 2
    assert traininglog.kept_epoch(read, "unheard of") == 2
    assert traininglog.kept_epoch(read[read["split"] == "train"], "elbo") is None


def test_reconstructions_come_back_by_epoch(out: Path) -> None:
    assert traininglog.read_samples(out) is None
    rng = np.random.default_rng(0)
    inputs, early, late = rng.integers(0, 256, (3, 2, 8, 6), dtype=np.uint8)
    traininglog.write_samples(out, inputs, {5: late, 0: early}, ["a", "ü/b"])
    read = traininglog.read_samples(out)
    assert read is not None
    assert list(read.epochs) == [0, 5]
    assert np.array_equal(read.inputs, inputs)
    assert np.array_equal(read.epochs[5], late)
    assert read.ids == ["a", "ü/b"]
    traininglog.write_samples(out, inputs, {}, ["a", "b"])
    read = traininglog.read_samples(out)
    assert read is not None
    assert read.epochs == {}


def test_images_of_other_shapes_or_types_are_refused(out: Path) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    for wrong in ({0: images[:1]}, {0: images.astype(float)}):
        with pytest.raises(ValueError, match="one shape"):
            traininglog.write_samples(out, images, wrong, ["a", "b"])
    with pytest.raises(ValueError, match="2 images but 1 ids"):
        traininglog.write_samples(out, images, {}, ["a"])
    assert not samples_file(out).exists()


def test_damaged_reconstructions_are_one_message_and_nothing_is_unpickled(out: Path) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    traininglog.write_samples(out, images, {0: images}, ["a", "b"])
    whole = samples_file(out).read_bytes()
    planted = out.with_name("planted.npz")
    with planted.open("wb") as file:
        np.savez(file, inputs=images, epochs=[0], reconstructions=images[None], ids=np.array([{}, {}], object))
    single = out.with_name("single.npy")
    np.save(single, images)
    for content in (whole[:-100], b"nothing", b"", planted.read_bytes(), single.read_bytes()):
        samples_file(out).write_bytes(content)
        with pytest.raises(BadInputError, match="is damaged"):
            traininglog.read_samples(out)


def test_a_training_is_found_through_the_cache_folder(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    assert traininglog.trainings(cache) == []
    monkeypatch.chdir(tmp_path)
    write_log(out, rows()[:7])
    with metrics_log(out).open("a") as file:
        file.write("1,6,tr")
    traininglog.announced(cache, Path("m.safetensors"), EXPERIMENT, 12, chosen_by="elbo")
    assert [training.first_step for training in traininglog.trainings(cache)] == [0]
    training = traininglog.announced(cache, out, EXPERIMENT, 12, chosen_by="elbo", first_step=4)
    assert traininglog.trainings(cache) == [training]  # the same checkpoint: one entry, the later one
    assert (training.name, training.checkpoint, training.steps, training.chosen_by) == ("m", out, 12, "elbo")
    assert training.experiment == EXPERIMENT
    assert (training.first_step, training.done, training.epochs, training.steps_per_epoch) == (4, 6, 3, 4)
    assert len(training.log()) == 7
    assert training.samples() is None
    [entry] = traininglog.trainings_folder(cache).iterdir()
    assert entry.name == f"m-{training.id}.json"


def test_newest_first_without_what_cannot_be_read_or_has_lost_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    for number, name in enumerate(("old", "new", "gone")):
        monkeypatch.setattr(time, "time", lambda number=number: 1e9 + number)
        out = tmp_path / f"{name}.safetensors"
        write_log(out, rows())
        traininglog.announced(cache, out, EXPERIMENT, 12)
    metrics_log(tmp_path / "gone.safetensors").unlink()
    folder = traininglog.trainings_folder(cache)
    good = json.loads(next(folder.glob("new-*.json")).read_text())
    wrong = {"steps": 0}, {"steps": "x"}, {"checkpoint": "here.safetensors"}, {"experiment": 3}, {"started": None}
    for number, change in enumerate(wrong):
        (folder / f"wrong{number}.json").write_text(json.dumps(good | change))
    for number, text in enumerate(("{", "[]", "null", "{}")):
        (folder / f"broken{number}.json").write_text(text)
    assert [training.name for training in traininglog.trainings(cache)] == ["new", "old"]


def test_the_state_of_a_training(tmp_path: Path, out: Path) -> None:
    training = traininglog.announced(tmp_path / "cache", out, EXPERIMENT, 12)
    write_log(out, rows()[:3])
    assert training.state == "running"
    aged(metrics_log(out), 61)
    assert training.state == "interrupted"
    out.touch()
    resume_file(out).touch()
    assert training.state == "interrupted"
    write_log(out, rows()[:7])
    assert training.state == "running"
    resume_file(out).unlink()  # the first checkpoint is there before the first resume file
    assert training.state == "running"
    write_log(out, rows())
    assert training.state == "finished"
    aged(metrics_log(out), 1000)
    assert training.state == "finished"


def test_the_time_left_counts_from_where_it_went_on(tmp_path: Path, out: Path) -> None:
    training = traininglog.announced(tmp_path / "cache", out, EXPERIMENT, 12, first_step=4)
    assert training.seconds_left() is None
    write_log(out, [row for row in rows() if row["step"] < 4])
    assert training.seconds_left() is None
    write_log(out, [row for row in rows() if row["step"] < 8])
    os.utime(metrics_log(out), (training.started + 6, training.started + 6))
    assert training.seconds_left() == pytest.approx(6.0, abs=1e-3)


def test_the_running_mean_is_centred_and_leaves_out_what_is_missing() -> None:
    values = np.array([1.0, 2.0, np.nan, 6.0, 100.0])
    assert traininglog.smoothed(values, 3).tolist() == [1.5, 1.5, 4.0, 53.0, 53.0]
    assert traininglog.smoothed(values[:2], 1).tolist() == [1.0, 2.0]
    assert traininglog.smoothed(np.empty(0), 9).tolist() == []


def test_the_dev_curve_of_a_checkpoint_and_of_an_epoch(tmp_path: Path, out: Path) -> None:
    cache = tmp_path / "cache"
    some = rows()
    for row, loss in zip((row for row in some if row["split"] == "dev"), (3.0, 1.0, 2.0), strict=True):
        row["elbo"] = loss
    write_log(out, some)
    traininglog.announced(cache, out, EXPERIMENT, 12, chosen_by="elbo")
    names = ("m.safetensors", "m.epoch-0003.safetensors", "m.epoch-0004.safetensors", "other.safetensors")
    kept, third, *nothing = traininglog.dev_curves(cache, names)
    assert kept is not None
    assert third is not None
    assert kept.epochs.tolist() == third.epochs.tolist() == [[1, 3], [2, 1], [3, 2]]
    assert (kept.at, third.at) == (1, 2)
    assert nothing == [None, None]  # an epoch that the log lacks, and a training without one
