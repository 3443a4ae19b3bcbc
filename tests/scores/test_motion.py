"""Motion of codes from frame to frame, told anew in loops; Runs and images that have none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.errors import BadInputError
from tests.conftest import tiny_samples, write_image_run
from tests.scores.test_knn import Codes


def clips() -> pd.DataFrame:
    """40 frames in no order: of five live training videos and three others, unevenly in time; ids recur in subjects."""
    rng = np.random.default_rng(0)
    base = tiny_samples().iloc[[0] * 40].reset_index(drop=True)
    video = np.arange(40) // 5
    rows = base.assign(
        sample_id=[f"f{i}" for i in range(40)],
        subject_id=[f"s{v}" for v in video],
        video_id="clip",
        time=np.cumsum(rng.uniform(0.1, 0.4, 40)).round(3),
        subset=np.where(video < 5, "train", "test"),
        label=np.where(video == 7, "attack", "bona_fide"),
    )
    return rows.sample(frac=1, random_state=1).reset_index(drop=True)


def by_hand(samples: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Distance per second from the frame before; the first frame's from the one behind it."""
    motion = np.empty(len(samples))
    for _, of_video in samples.groupby("subject_id"):
        rows = list(of_video.sort_values("time").index)
        for i, row in enumerate(rows):
            before, after = (rows[i - 1], row) if i else (row, rows[1])
            seconds = samples["time"][after] - samples["time"][before]
            motion[row] = np.linalg.norm(codes[after].astype(float) - codes[before]) / seconds
    return motion


def test_it_is_the_surprise_at_the_logarithm_of_the_motion(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", clips(), shard_size=7)
    samples, codes = run.samples(), run.latents()
    logarithm = np.log(by_hand(samples, codes))
    training = logarithm[samples["subset"] == "train"]
    density = np.exp(-((logarithm - training.mean()) ** 2) / (2 * training.var())) / np.sqrt(2 * np.pi * training.var())
    np.testing.assert_allclose(scores.values(run, "motion"), -np.log(density), rtol=1e-6)
    frames = write_image_run(tmp_path, "b", clips().drop(columns="time").assign(frame=clips()["time"]), shard_size=9)
    np.testing.assert_allclose(scores.values(frames, "motion"), -np.log(density), rtol=1e-6)


def test_still_and_shaken_are_both_unusual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_image_run(tmp_path, "a", clips())
    samples, codes = run.samples(), np.array(run.latents())
    values = []
    for factor in (0.0, 1.0, 100.0):
        moved = np.where((samples["subject_id"] == "s7").to_numpy()[:, None], factor * codes, codes)
        monkeypatch.setattr(run, "latent_blocks", lambda rows, moved=moved: iter([moved[rows]]))
        values.append(scores._module("motion").score(run, run)[(samples["subject_id"] == "s7").to_numpy()])
        monkeypatch.setattr("fas_core.scores._kept.values", lambda *arguments: arguments[-1]())
    still, usual, shaken = values
    assert np.isfinite(still).all()
    assert (usual < np.minimum(still, shaken)).all()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda rows: rows.assign(video_id=""), "has samples that are of no video"),
        (lambda rows: rows.drop(columns=["time", "frame"]), "does not say when frames were taken"),
        (lambda rows: rows.assign(time=np.nan, frame=np.nan), "does not say of every sample when"),
        (lambda rows: rows.assign(video_id=rows["sample_id"]), "has videos of a single frame"),
        (lambda rows: rows.assign(time=1.0), "has two frames of one video at one time"),
    ],
)
def test_what_is_no_video_has_no_motion(changed: object, why: str, tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", changed(clips()))  # type: ignore[operator]
    assert "motion" not in scores.offered(run)
    with pytest.raises(BadInputError, match=f"no score 'motion': it {why}"):
        scores.values(run, "motion")


def test_an_image_by_itself_has_no_motion(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", clips())
    with pytest.raises(BadInputError, match="An image by itself has no motion"):
        scores.of_outputs(Codes(run.latents()[:2]), "motion", run)
    assert scores.is_of_videos(run, "motion~brightness")
    assert not scores.is_of_videos(run, "knn")


def test_samples_that_name_no_video_are_frames_of_one_more(tmp_path: Path) -> None:
    is_of_none = clips()["subject_id"] == "s6"
    rows = clips().assign(subject_id=lambda rows: rows["subject_id"].mask(is_of_none, "s5"))  # who has a video too
    other, none = (
        scores.values(write_image_run(tmp_path, name, rows.assign(video_id=video)), "motion")
        for name, video in (("other", np.where(is_of_none, "x", "clip")), ("none", np.where(is_of_none, None, "clip")))
    )
    np.testing.assert_array_equal(none, other)
