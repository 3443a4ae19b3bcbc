"""Scores that read pictures: of every Run that has them, of an upload, of large Runs when they are asked for."""

from pathlib import Path

import numpy as np
import pytest

from app.parts import columns
from fas_core import scores
from fas_core.access import secret
from fas_core.data import pairs, regions
from fas_core.data.boxes import BOX, EYES
from fas_core.data.names import TRAIN
from fas_core.errors import BadInputError
from fas_core.inference import predict
from fas_core.runs import encrypting, measured, store
from tests.conftest import tiny_samples, write_image_run
from tests.scores.test_scores import FITTED, samples_of_all

PLACES = dict(zip(EYES, (9.0, 12.5, 22.0, 13.0), strict=True)) | {"width": 32, "height": 32}
OF_PICTURES = [name for name in scores.names() if hasattr(scores._module(name), "MEASURE")]


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return write_image_run(tmp_path / "cache", "m", tiny_samples().assign(**PLACES), shard_size=5)


def outputs_of(run: store.Run, rows: np.ndarray) -> predict.Outputs:
    """What the model would say of images of the Run that somebody uploads."""
    pictures = [run.images(name, rows) for name in ("inputs", "reconstructions")]
    maps = np.concatenate([*run.feature_blocks(rows)]) if run.has("features") else None
    return predict.Outputs(run.samples(list(run.info.scores)).iloc[rows], run.latents()[rows], *pictures, maps)


@pytest.mark.parametrize("name", scores.names())
def test_every_score_says_what_it_needs_and_is_of_runs_and_uploads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = scores._module(name)
    known = {"latents", "features", "inputs", "reconstructions", scores.EYES, scores.FACE}
    assert all(need in known or need.isidentifier() for need in module.NEEDS)
    assert module.__doc__.strip().splitlines()[0].endswith(".")
    model = "dcvae" if set(module.NEEDS) <= {*known, "rec", "kl", "elbo", "excess_bce", "ssim"} else "ganomaly"
    run = write_image_run(tmp_path, "m", samples_of_all(), shard_size=5, model=model, patches=True)
    monkeypatch.setattr(regions, "seen", lambda x: measured._places(run, run.shards[0])[: len(x)])
    values = scores.values(run, name)
    some = np.flatnonzero(run.samples(["subset"])["subset"] != TRAIN)[[0, 7, -1]]  # `knn` leaves out what it learned
    assert np.isfinite(values).all()
    if scores.is_of_videos(run, name):
        with pytest.raises(BadInputError, match="An image by itself has no"):
            scores.of_outputs(outputs_of(run, some), name, run)
        return
    np.testing.assert_allclose(scores.of_outputs(outputs_of(run, some), name, run), values[some], rtol=1e-6)


def test_pictures_are_measured_once_whatever_the_shards(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (run.images(name, np.arange(24)) for name in ("inputs", "reconstructions"))
    places = regions.placed(run.samples())
    expected = {measure: pairs.of(measure, x, y, places) for measure in pairs.MEASURES}
    for measure, about in pairs.MEASURES.items():
        for name in about.columns:
            np.testing.assert_allclose(run.pairs(measure)[name], expected[measure][name], rtol=1e-12)
    monkeypatch.setattr(pairs, "of", lambda *_: pytest.fail("measured again"))
    again = store.opened(run.folder)
    np.testing.assert_array_equal(1 - again.pairs("ms_ssim")["ms_ssim"], scores.values(again, "ms_ssim"))


def test_a_large_run_is_measured_when_it_is_asked_for(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name; until then the rows that are looked at are measured alone."""
    whole = {name: scores.values(run, name) for name in OF_PICTURES}
    monkeypatch.setattr(measured, "MOST_PAIRS", 20)
    for measure, about in pairs.MEASURES.items():
        monkeypatch.setitem(pairs.MEASURES, measure, pairs.Measure(about.columns, about.needs, about.of, 99))
    assert not set(scores.offered(run)) & set(OF_PICTURES)
    assert scores.on_demand(run) == OF_PICTURES
    assert "rec" in scores.offered(run)
    for name in OF_PICTURES:
        assert scores.has(run, name)
        assert scores.listed(run, name)[-1] == name
        assert name not in scores.to_choose(run)
    rows = np.array([3, 4, 11, 23])
    for name in ("eyes_l2", "ms_ssim"):
        with monkeypatch.context() as patched:
            patched.setattr(store.Shard, "array", lambda *_: pytest.fail("read whole"))
            np.testing.assert_allclose(columns.scores_of(run, name, rows), whole[name][rows], rtol=1e-12)
        assert name not in scores.to_choose(run)
    np.testing.assert_allclose(scores.values(run, "ms_ssim"), whole["ms_ssim"], rtol=1e-12)
    assert scores.to_choose(run) == [*scores.offered(run), "ms_ssim"]


@pytest.mark.parametrize(
    ("changed", "lacking"),
    [
        ({"width": ""}, ["eyes", "face"]),  # of what picture?
        (dict.fromkeys(EYES, np.nan) | dict.fromkeys(BOX, 9.0), ["eyes"]),
        ({"face_by": "given"}, ["eyes", "face"]),  # cut out before there were columns for where
        ({"face_by": "given", "crop_x": 16, "crop_y": 16, "crop_side": 32, "crop_angle": 0}, []),
    ],
)
def test_where_the_face_is_not_known_it_is_said_how_it_becomes_so(
    changed: dict[str, object], lacking: list[str], tmp_path: Path
) -> None:
    run = write_image_run(tmp_path, "m", tiny_samples().assign(**(PLACES | changed)))
    needs = {"eyes": ["eyes_l2", "nose_l2", "mouth_l2"], "face": ["face_l2"]}
    for place, names in needs.items():
        for name in names:
            assert (name in scores.offered(run)) == (place not in lacking)
            if place in lacking:
                told = f"no score '{name}': its samples do not tell the place of the {place}. Cut the faces out .*faces"
                with pytest.raises(BadInputError, match=told):
                    scores.values(run, name)


def test_one_sample_without_eyes_has_no_score_and_the_others_do(tmp_path: Path) -> None:
    samples = tiny_samples().assign(**PLACES)
    samples.loc[5, list(EYES)] = np.nan
    values = scores.values(write_image_run(tmp_path, "m", samples), "nose_l2")
    assert np.flatnonzero(np.isnan(values)).tolist() == [5]


def test_a_locked_run_counts_them_as_left_out(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.new()
    run = encrypting.encrypt(run)
    unlocked = {name: scores.values(run, name) for name in OF_PICTURES}
    assert all(np.isfinite(values).all() for values in unlocked.values())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(run.folder / "nobody"))
    locked = store.opened(run.folder)
    assert not set(scores.offered(locked)) & set(OF_PICTURES)
    assert ", ".join(n for n in scores.names() if n in (*OF_PICTURES, *FITTED)) in scores.left_out(locked)
    with pytest.raises(BadInputError, match="no score 'eyes_l2': it is encrypted, and"):
        scores.values(locked, "eyes_l2")


def test_originals_alone_have_a_spectrum_alone(tmp_path: Path) -> None:
    """Of a model that does not decode; codes alone have no picture at all."""
    whole = write_image_run(tmp_path / "whole", "m", tiny_samples().assign(**PLACES), shard_size=99)
    runs = {}
    for content in ("inputs", "latents"):
        cache = tmp_path / content
        store.create(cache, whole.info)
        for shard in whole.shards:
            arrays = {content: np.asarray(shard.array(content))}
            folder = store.runs_folder(cache) / whole.id / shard.subset / shard.folder.name
            store.write_shard(folder, shard.table("samples", None).to_pandas(), **arrays)
        runs[content] = store.opened(store.runs_folder(cache) / whole.id)
    assert set(OF_PICTURES) & set(scores.offered(runs["inputs"])) == {"frequency"}
    assert not set(OF_PICTURES) & set(scores.offered(runs["latents"]))
    with pytest.raises(BadInputError, match="no score 'ms_ssim': it holds no reconstructions"):
        scores.values(runs["inputs"], "ms_ssim")


def test_why_an_upload_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "seen in it" in scores.why_missing("mouth_l2~brightness")
    monkeypatch.setattr(scores.cutting, "detectors", list)
    assert "no face detector is installed: pip install" in scores.why_missing("face_l2")
    assert scores.why_missing("ms_ssim") == "the model's output is not a number"
