"""The page Traversal without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.session.cache import clear
from fas_core import derive, models, scores
from fas_core.data import manifest
from fas_core.evaluation import paths, traversal
from fas_core.inference import infer, predict
from fas_core.runs import selections, store
from fas_core.training import checkpoint
from tests.app.conftest import page, texts

SIZE = {"width": 0.125, "latent_dim": 16, "image_size": 32}


@pytest.fixture(scope="module")
def cache(tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a VAE and of a GANomaly, untrained."""
    folder = tmp_path_factory.mktemp("traversal")
    for name in ("dcvae", "ganomaly"):
        torch.manual_seed(0)
        checkpoint.save(folder / f"{name}.safetensors", models.built(name, SIZE), name, {})
    files = sorted(folder.glob("*.safetensors"))
    infer.write_runs(files, manifest.read(tiny_faces), folder, device="cpu", precision="fp32")
    return folder


@pytest.fixture(autouse=True)
def _on_that_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(cache))


def opened(cache: Path, run: str = "dcvae", **query: str) -> AppTest:
    at = page("traversal", cache=cache, run=run, **query)
    assert not at.exception
    assert not at.error
    return at


def answer(at: AppTest) -> str:
    return str(at.markdown[0].value).replace("\\", "")


def drawn(at: AppTest, key: str) -> dict[str, Any]:
    """What the component that has a key of its data is given."""
    contents = [json.loads(text) for component in at.get("bidi_component") if (text := component.proto.mixed.json)]
    return next(dict(content) for content in contents if key in content)


def strip(at: AppTest) -> dict[str, Any]:
    return drawn(at, "captions")


def number(text: str) -> float:
    return float(text.replace(",", ""))


def codes(run: store.Run, *ids: str) -> np.ndarray:
    rows = {name: row for row, name in enumerate(run.samples(["sample_id"])["sample_id"])}
    return np.asarray(run.latents()[[rows[name] for name in ids]])


def ids_of(run: store.Run, subset: str) -> list[str]:
    samples = run.samples(["sample_id", "subset"])
    return samples[samples["subset"] == subset]["sample_id"].tolist()


def test_it_begins_with_a_live_face_on_the_way_to_attacks(cache: Path) -> None:
    at = opened(cache)
    run = store.open_run(cache, "dcvae")
    [shown] = drawn(at, "cards")["cards"]
    about = run.samples(["sample_id", "label", "subset"]).set_index("sample_id").loc[shown["id"]]
    assert about["label"] == "bona_fide"
    assert about["subset"] != "train"
    place = traversal.landscape(run)
    path = traversal.towards(place, "paper").codes(codes(run, shown["id"])[0], traversal.offsets(1.0))
    expected = traversal.unlikeness(run, "mahalanobis", path)
    sent = strip(at)
    np.testing.assert_allclose(sent["line"]["values"], expected)
    assert sent["line"]["places"][::2] == ["−100\u00a0%", "−50\u00a0%", "0", "+50\u00a0%", "+100\u00a0%"]
    assert [lines[0] for lines in sent["captions"]] == sent["line"]["places"]
    assert sent["columns"] == len(sent["captions"]) == traversal.STEPS
    values = scores.values(run, "mahalanobis")
    samples = run.samples(["label", "subset"])
    live = values[((samples["label"] == "bona_fide") & (samples["subset"] != "train")).to_numpy()]
    assert sent["line"]["levels"][0]["value"] == pytest.approx(np.median(live))
    share = int(100 * ((live < expected[4]).mean() + (live <= expected[4]).mean()) / 2)
    assert answer(at).startswith(f"The code of **{shown['id']}** (")
    assert f"lies farther from live training than {share}\u00a0% of live faces. Moved towards paper attacks" in answer(
        at
    )
    assert "+100" in texts(at).split("Along it the means of attacks lie from the live mean at: paper ")[1]


def test_steps_are_judged_by_the_rule_of_the_sidebar(cache: Path) -> None:
    at = opened(cache, at_most="30")
    run = store.open_run(cache, "dcvae")
    samples = run.samples(["subset"])
    on = np.sort(scores.values(run, "mahalanobis")[(samples["subset"] == "live").to_numpy()])
    level = next(line for line in strip(at)["line"]["levels"] if line["threshold"])
    assert (on >= level["value"]).mean() <= 0.3 < (on >= on[on < level["value"]].max()).mean()
    values = np.array(strip(at)["line"]["values"])
    called = [lines[2] == "attack" for lines in strip(at)["captions"]]
    assert called == (values >= level["value"]).tolist()
    at = opened(cache, rule="By hand")  # the threshold of another score says nothing here
    assert [line["name"] for line in strip(at)["line"]["levels"]] == ["median of live faces"]
    assert "farther from live training than 95% of live faces" in answer(at)
    at = opened(cache, score="gmm_nll")
    assert "gmm_nll" in strip(at)["line"]["title"]


@pytest.mark.parametrize(("direction", "words"), [("principal axis", "axis 1"), ("latent dimension", "dimension")])
def test_axes_and_dimensions(cache: Path, direction: str, words: str) -> None:
    at = opened(cache, direction=direction)
    assert words in answer(at)
    assert strip(at)["line"]["places"][0] == "−3\u00a0sd"
    key = "pc" if "axis" in direction else "dimension"
    slider = at.select_slider(key=key)
    if key == "dimension":
        deviations = traversal.landscape(store.open_run(cache, "dcvae")).deviations
        assert list(map(int, slider.options)) == np.argsort(-deviations).tolist()
    before = strip(at)["line"]["values"]
    slider.set_value(slider.options[2]).run()
    assert not at.exception
    assert strip(at)["line"]["values"] != before
    at.slider(key="reach").set_value(1.5).run()
    assert strip(at)["line"]["places"][-1] == "+1.5\u00a0sd"


def test_between_two_and_among_four(cache: Path) -> None:
    run = store.open_run(cache, "dcvae")
    a, b, c, d = [*ids_of(run, "live")[:2], *ids_of(run, "seen_paper")[-2:]]
    at = opened(cache, decode="Between two", sample=a, sample_2=d)
    expected = traversal.unlikeness(run, "mahalanobis", codes(run, a, d))
    sent = strip(at)
    np.testing.assert_allclose(np.array(sent["line"]["values"])[[0, -1]], expected)
    assert [lines[0] for lines in sent["captions"]][::4] == ["A", "50\u00a0%", "B"]
    at = opened(cache, decode="Between four", sample=a, sample_2=b, sample_3=c, sample_4=d)
    sent = strip(at)
    assert (sent["columns"], len(sent["captions"]), sent["line"]) == (5, 25, None)
    corners = [sent["captions"][i] for i in (0, 4, 20, 24)]
    assert [lines[0] for lines in corners] == list("ABCD")
    values = scores.values(run, "mahalanobis")
    rows = [run.samples(["sample_id"])["sample_id"].tolist().index(name) for name in (a, b, c, d)]
    np.testing.assert_allclose([number(lines[1]) for lines in corners], values[rows], rtol=1e-3)
    assert "of 25** codes between these four" in answer(at)


def test_the_prior_and_what_stands_in_for_it(cache: Path) -> None:
    at = opened(cache, decode="From the prior", prior_n="12", prior_seed="4")
    assert "codes drawn from the prior" in answer(at)
    assert "N(0, I)" in texts(at)
    run = store.open_run(cache, "dcvae")
    expected = traversal.unlikeness(run, "mahalanobis", traversal.from_prior(12, 16, 4))
    np.testing.assert_allclose([number(lines[1]) for lines in strip(at)["captions"]], expected, rtol=1e-3)
    at = opened(cache, "ganomaly", decode="From the prior")
    assert "a Gaussian that stands in for a prior" in answer(at)
    assert "This model has no prior" in texts(at)
    assert len(strip(at)["captions"]) == traversal.STEPS
    assert strip(at)["line"]["ordered"] is False


def test_a_step_is_shown_large(cache: Path) -> None:
    at = opened(cache, step="3")
    assert strip(at)["chosen"] == 2
    assert [panel["name"] for panel in drawn(at, "id")["panels"]] == ["sample", "decoded, −50\u00a0%", "change"]
    at.slider(key="step").set_value(5).run()
    assert drawn(at, "id")["id"] == "0"
    at.segmented_control(key="shown_as").set_value("change").run()
    assert strip(at)["panels"][0]["palette"] == "signed"
    assert strip(at)["panels"][0]["unit"] == "sample − decoded"
    at.segmented_control(key="decode").set_value("Between four").run()
    at.slider(key="step").set_value(25).run()
    at.segmented_control(key="decode").set_value("Between two").run()  # has fewer
    assert not at.exception
    assert strip(at)["chosen"] < traversal.STEPS


def test_samples_are_found_drawn_and_taken_from_a_selection(cache: Path) -> None:
    run = store.open_run(cache, "dcvae")
    live = ids_of(run, "train")  # of which none is drawn at random
    selections.save(run, "mine", live[:3])
    try:
        at = opened(cache, decode="Between two", sample="<i>nobody</i>")
        assert "<i>" not in at.info[0].value
        assert not any(component.proto.mixed.json for component in at.get("bidi_component"))  # nothing is drawn
        at.text_input(key="sample").set_value(live[0][:-1]).run()
        assert drawn(at, "cards")["cards"][0]["id"].startswith(live[0][:-1])
        next(button for button in at.button if "Random" in button.label).click().run()
        samples = run.samples(["sample_id", "label", "subset"]).set_index("sample_id")
        two = [at.session_state[key] for key in ("sample", "sample_2")]
        assert len(set(two)) == 2
        assert set(samples.loc[two, "label"]) == {"bona_fide"}
        assert "train" not in set(samples.loc[two, "subset"])
        take = next(button for button in at.button if "Take" in button.label)
        take.click().run()
        assert [at.session_state[key] for key in ("sample", "sample_2")] == live[:2]
        next(button for button in at.button if "Take" in button.label).click().run()
        assert [at.session_state[key] for key in ("sample", "sample_2")] == [live[2], live[0]]
    finally:
        selections.delete(run, "mine")


def test_the_model_is_asked_once_for_the_same_codes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clear()
    loads: list[str] = []
    asked: list[int] = []
    ready, decoded = predict.ready, predict.decoded
    monkeypatch.setattr(predict, "ready", lambda run: loads.append(run.id) or ready(run, "cpu"))
    monkeypatch.setattr(predict, "decoded", lambda codes, model: asked.append(len(codes)) or decoded(codes, model))
    at = opened(cache)
    assert (len(loads), asked) == (1, [9])
    at.segmented_control(key="shown_as").set_value("change").run()
    opened(cache)  # another session
    assert (len(loads), asked) == (1, [9])
    at.slider(key="way").set_value(50).run()
    assert (len(loads), asked) == (1, [9, 9])


@pytest.mark.parametrize("state", ["gone", "changed"])
def test_a_checkpoint_that_is_gone_or_has_changed_is_one_message(
    cache: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear()
    asked, ready = [], predict.ready
    monkeypatch.setattr(predict, "ready", lambda run: asked.append(run.id) or ready(run))
    file = cache / "dcvae.safetensors"
    content = file.read_bytes()
    try:
        file.unlink() if state == "gone" else file.write_bytes(content + b" ")
        at = opened(cache)
        assert len(at.warning) == 1
        assert "Nothing can be decoded" in at.warning[0].value
        assert ("any more" if state == "gone" else "another checkpoint") in at.warning[0].value
        assert "back" in at.warning[0].value  # the remedy
        assert answer(at).startswith("The code of")
        (chart,) = (json.loads(chart.proto.spec) for chart in at.get("echarts_chart"))  # by the codes alone
        line, levels = chart["series"]
        expected = paths.opening(store.open_run(cache, "dcvae"), "rec")
        score = chart["yAxis"]["name"]
        values = traversal.unlikeness(store.open_run(cache, "dcvae"), score, expected.codes)
        np.testing.assert_allclose([value for _, value in line["data"]], values)
        assert [place for place, _ in line["data"]] == expected.places
        assert levels["markLine"]["data"][0]["label"]["formatter"] == "median of live faces"
    finally:
        file.write_bytes(content)
    assert bool(asked) == (state == "changed")  # PyTorch is not loaded for nothing
    clear()
    assert strip(opened(cache))


def test_it_opens_with_what_was_decoded_when_the_run_was_made(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(cache, "dcvae")
    derive.compute_quick(run)
    clear()
    monkeypatch.setattr(predict, "decoded", lambda *_: pytest.fail("decoded in the page"))
    images = traversal.known_images(run, paths.opening(run, "rec").codes)
    assert images is not None
    assert images.shape == (traversal.STEPS, 32, 32)
    assert len(strip(opened(cache))["captions"]) == traversal.STEPS
    monkeypatch.undo()
    np.testing.assert_array_equal(
        images, predict.decoded(paths.opening(run, "rec").codes.astype(np.float32), predict.ready(run, "cpu"))
    )
