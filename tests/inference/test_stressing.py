"""`fas stress`: degraded images judged by the checkpoint, against the same in a few lines; kept step by step."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fas_core.data import images
from fas_core.data.degradations import kinds
from fas_core.deciding import card
from fas_core.errors import BadInputError
from fas_core.evaluation import stressed
from fas_core.inference import predict, stressing
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from tests.conftest import Result, message, write_image_run
from tests.video_runs import write_video_run


@pytest.fixture
def run(trained_run: tuple[store.Run, Path], tmp_path: Path) -> store.Run:
    """A Run in a cache folder of its own."""
    shutil.copytree(trained_run[0].folder, tmp_path / "cache" / "runs" / trained_run[0].id)
    return store.open_run(tmp_path / "cache", trained_run[0].id)


def test_a_step_is_what_a_few_lines_say_of_the_same_images(
    run: store.Run, trained_run: tuple[store.Run, Path], fas: Callable[..., Result], tmp_path: Path
) -> None:
    frozen = card.card(run, "pixel_l2", op.rule("bpcer<=0.2"), ["live"], ["seen_paper"])
    card.write(frozen, tmp_path / "op.json")
    asked = ("stress", run.id, "--cache", run.cache, "--threshold", tmp_path / "op.json", "--kinds", "jpeg")
    told = json.loads(fas(*asked, "--json", "--device", "cpu").out)
    assert told["n"] == told["n_of"] == told["n_files"] == len(run.rows_of("seen_paper"))
    rows = run.samples(["path", "label"]).iloc[run.rows_of("seen_paper")]
    model = predict.ready(run, "cpu").model
    errors = []
    for path, label in rows.to_numpy():
        raw = images.load(trained_run[1] / path, model.input.size)
        buffer = io.BytesIO()
        Image.fromarray(np.rint(255 * raw[0]).astype(np.uint8)).save(buffer, "JPEG", quality=10)
        pixels = np.asarray(Image.open(buffer), np.float32) / 255
        x = np.clip((pixels - pixels.mean()) / pixels.std() * 0.25 + 0.5, 0, 1)
        with torch.inference_mode():
            again = model.outputs(torch.from_numpy(x)[None, None]).reconstructions[0, 0].numpy()
        called_attack = np.sqrt(np.square(x - again).mean()) >= frozen.threshold
        errors.append((label, called_attack != (label == "attack")))
    step = told["kinds"][0]["steps"][-1]
    assert step["amount"] == 10
    for rate, label in ((step["bpcer"], "bona_fide"), (step["apcer_max"], "attack")):
        assert rate == pytest.approx(np.mean([wrong for of, wrong in errors if of == label]))
    assert told["n_unlike"] == 0
    for name in ("bpcer", "apcer_max"):
        assert step["changes"][name]["difference"] == pytest.approx(step[name] - told["unstressed"][name])
    printed = fas(*asked)
    assert printed.out.rstrip().splitlines()[-1].startswith("Synthetic degradations of the same test faces (all ")
    assert "24 of 24 presentations: seen_paper 12 bona_fide, 12 paper." in printed.err
    assert "card is of Run" in message(fas(*asked[:1], run.id, *asked[2:5], str(_other(run, tmp_path)), *asked[6:]))


def _other(run: store.Run, tmp_path: Path) -> Path:
    """A card of another Run."""
    other = write_image_run(run.cache, "other", run.samples()[["path", "sample_id", "label", "pai_species", "subset"]])
    frozen = card.card(other, "rec", op.rule("bpcer<=0.2"), ["live"], ["seen_paper"])
    return card.write(frozen, tmp_path / "other.json")


def test_complete_steps_are_kept_and_images_are_those_that_the_run_saw(
    run: store.Run, trained_run: tuple[store.Run, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    judged = []
    ask = predict.outputs_of
    monkeypatch.setattr(
        predict, "outputs_of", lambda *asked, **more: judged.append(len(asked[1])) or ask(*asked, **more)
    )

    def stress(names: list[str]) -> stressed.Kept:
        judged.clear()
        return stressing.stress(run, "pixel_l2", "frame", ["seen_paper"], kinds(names), n=4, device="cpu")

    kept = stress(["occlusion"])
    assert len(judged) == 7
    assert set(judged) == {4}
    before = kept.scores(kinds(["occlusion"])[0], 0.1)
    (kept.folder / "occlusion-0.1.npy").unlink()
    monkeypatch.setattr(stressing, "BLOCK", 1)  # in other batches: the same
    assert stress(["occlusion"]).folder == kept.folder
    assert len(judged) == 4
    np.testing.assert_allclose(kept.scores(kinds(["occlusion"])[0], 0.1), before, rtol=1e-5)
    stored = run.samples(["pixel_l2"])["pixel_l2"].to_numpy()
    rows = stressed.sample(run, "frame", ["seen_paper"], 4).rows
    np.testing.assert_allclose(kept.scores(), stored[rows], rtol=1e-4)
    assert (kept.about.n_images, kept.about.n_files) == (4, 4)

    moved = tmp_path / "moved"
    shutil.copytree(trained_run[1], moved)
    changed = moved / run.samples(["path"])["path"].iloc[rows[0]]
    Image.fromarray(255 - np.asarray(Image.open(changed).convert("L"))).save(changed)
    vars(run.info)["manifest_path"] = str(moved / Path(run.info.manifest_path).name)
    other = stress(["occlusion"])
    assert other.folder != kept.folder
    assert (other.about.n_images, other.about.n_files) == (4, 3)
    np.testing.assert_allclose(other.scores(), stored[rows], rtol=0.2)  # of the picture that the Run holds


def test_what_has_no_model_or_image_is_refused_in_one_message(
    run: store.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fas: Callable[..., Result]
) -> None:
    with pytest.raises(BadInputError, match="imported from a score file: there are no images to degrade"):
        stressed.require_possible(write_video_run(tmp_path / "scores"), "score")
    for nothing in ("", " , "):
        refused = message(fas("stress", run.id, "--threshold", "op.json", "--kinds", nothing, "--cache", run.cache))
        assert "No kind of stress is named. Kinds: jpeg, blur, " in refused
    with pytest.raises(BadInputError, match="has no score 'nothing'"):
        stressed.require_possible(run, "nothing")
    with monkeypatch.context() as patched:
        patched.setattr(stressing.scores, "of_outputs", lambda outputs, *_: np.full(len(outputs.codes), np.nan))
        with pytest.raises(BadInputError, match="gives no 'pixel_l2' of images by themselves"):
            stressing.stress(run, "pixel_l2", "frame", ["seen_paper"], kinds(), device="cpu")
    vars(run.info)["checkpoint_path"] = str(tmp_path / "gone.safetensors")
    with pytest.raises(BadInputError, match="is not at .*gone.safetensors any more"):
        stressing.stress(run, "pixel_l2", "frame", ["seen_paper"], kinds())
    vars(run.info)["checkpoint"] = ""
    with pytest.raises(BadInputError, match="imported as arrays: there is no model to ask"):
        stressed.require_possible(run, "pixel_l2")
