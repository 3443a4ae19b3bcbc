"""The filters of section 3.2: which training images leave, why, and that nothing else changes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core.data import filters, manifest, subsets
from fas_core.data.filters import filtered, is_filtered
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from tests.conftest import Result, message

FRONTAL = (0.0, 0.0, 0.0)
UNKNOWN = (np.nan, np.nan, np.nan)


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Manifest]:
    """A manifest of training images of one shade of gray (0-255) each: (session, shade, pose) -> one row."""

    def manifest_of(*images: tuple[str, int | None, Sequence[float]]) -> Manifest:
        rows = []
        for number, (session, shade, pose) in enumerate(images):
            path = tmp_path / f"{number}.png"
            path.write_bytes(b"no image")
            if shade is not None:
                Image.new("L", (4, 4), shade).save(path)
            subject = session.split("_")[0] or "nobody"
            row = {"path": path.name, "sample_id": f"i{number}", "label": "live", "subset": "train"}
            row |= {"subject_id": subject, "session_id": session}
            rows.append(row | dict(zip(("pose_x", "pose_y", "pose_z"), pose, strict=True)))
        checked, problems = manifest.normalised(pd.DataFrame(rows))
        assert not problems
        return Manifest(checked, tmp_path / "m.csv")

    return manifest_of


def session(name: str, *shades: int, pose: Sequence[float] = FRONTAL) -> list[tuple[str, int | None, Sequence[float]]]:
    return [(name, shade, pose) for shade in shades]


def test_heads_turned_beyond_the_angle_leave(data: Callable[..., Manifest]) -> None:
    poses = [(10, -10, 10), (10.01, 0, 0), (0, -12.5, 0), (3, 11, -40), (0, 0, 10), (np.nan, 0, 0), (np.nan, 90, 0)]
    outcome = filtered(data(*(("s", 100, pose) for pose in poses)), 10, 1)
    assert outcome.rows["sample_id"].tolist() == ["i0", "i4"]
    assert dict(outcome.left.to_numpy()) == {
        "i1": "pose_x 10.01° beyond ±10°",
        "i2": "pose_y -12.5° beyond ±10°",
        "i3": "pose_y 11°, pose_z -40° beyond ±10°",
        "i5": "head pose unknown",
        "i6": "pose_y 90° beyond ±10°",
    }
    assert outcome.counts == {"head_pose": 4, "head_pose_unknown": 1, "session_outlier": 0}
    assert outcome.notes[0].startswith("1 training images were removed because their head pose is unknown")


def test_without_any_pose_nobody_leaves_for_it(data: Callable[..., Manifest]) -> None:
    outcome = filtered(data(*session("s", 100, 101, 102, 103, pose=UNKNOWN)), 0, 1)
    assert len(outcome.rows) == 4
    assert "the head-pose filter was skipped" in outcome.notes[0]
    assert set(outcome.rows["filtered_by"]) == {"iqr<=1"}


def test_an_axis_that_no_image_has_is_not_asked_for(data: Callable[..., Manifest]) -> None:
    outcome = filtered(data(("s", 100, (5, np.nan, np.nan)), ("s", 100, (-11, np.nan, np.nan))), 10, 1)
    assert outcome.rows["sample_id"].tolist() == ["i0"]
    assert "No training image has pose_y or pose_z: head poses were judged by pose_x alone." in outcome.notes


def test_outliers_are_beyond_the_fences_of_their_own_session(data: Callable[..., Manifest]) -> None:
    # Fences of a: 87.5 to 162.5, so 158 stays, although it is beyond median +- 1 IQR. Fences of b: 187.5 to 262.5.
    shades = {"a_1": [100, 110, 120, 130, 140, 158], "b_1": [200, 210, 220, 230, 240, 160]}
    source = data(*(image for name, values in shades.items() for image in session(name, *values)))
    outcome = filtered(source, 10, 1)
    (sample, reason) = outcome.left.iloc[0]
    q1, q3 = np.percentile(np.array(shades["b_1"]) / 255, [25, 75])
    low, high = q1 - (q3 - q1), q3 + (q3 - q1)
    assert (len(outcome.left), sample) == (1, "i11")
    assert reason == f"mean pixel {160 / 255:.4f} outside {low:.4f}–{high:.4f} of session b_1"
    assert outcome.counts["session_outlier"] == 1
    assert set(filtered(source, 10, 0).left["sample_id"]) == {"i0", "i1", "i4", "i5", "i6", "i9", "i10", "i11"}
    assert filtered(source, 10, 3).left.empty


def test_quartiles_are_of_what_the_pose_filter_left(data: Callable[..., Manifest]) -> None:
    steady, turned = session("s", 100, 101, 102, 103, 130), session("s", *range(20, 250, 10), pose=(0, 0, 45))
    assert dict(filtered(data(*steady, *turned), 10, 1).counts) == {
        "head_pose": 23, "head_pose_unknown": 0, "session_outlier": 1,
    }  # fmt: skip
    assert filtered(data(*steady, *turned), 45, 1).left.empty


def test_a_constant_session_keeps_its_median(data: Callable[..., Manifest]) -> None:
    outcome = filtered(data(*session("s", 90, 90, 90, 90, 90, 90, 91)), 10, 1)
    assert outcome.left["sample_id"].tolist() == ["i6"]


def test_what_cannot_be_judged_stays_and_is_said(data: Callable[..., Manifest]) -> None:
    small, nameless = session("s_1", 10, 10, 250), session("", 10, 10, 10, 10, 250)
    with_unreadable = [*session("s_2", 10, 11, 12), ("s_2", None, FRONTAL)]  # three that count
    outcome = filtered(data(*small, *nameless, *with_unreadable, *session("s_3", 10, 11, 12, 13)), 10, 1)
    assert outcome.left.empty
    assert len(outcome.notes) == 3
    said = " ".join(outcome.notes)
    assert "5 training images have no session_id" in said
    assert "6 training images stay because their sessions have fewer than 4 images" in said
    assert "1 training images cannot be read" in said


def test_sessions_numbered_within_a_subject_are_not_mixed(data: Callable[..., Manifest]) -> None:
    source = data(*session("a_1", 20, 21, 22, 23), *session("b_1", 200, 201, 202, 203, 230))
    source.rows["session_id"] = "1"
    assert filtered(source, 10, 1).left["sample_id"].tolist() == ["i8"]


def test_only_live_training_images_are_judged(data: Callable[..., Manifest]) -> None:
    source = data(*session("s", 100, 101, 102, 103), *session("s", 5, 250, 5, pose=(80, 0, 0)))
    source.rows.loc[4, ["label", "pai_species", "subset"]] = ["attack", "mask", "seen_mask"]
    source.rows.loc[5, ["label", "pai_species"]] = ["attack", "mask"]
    source.rows.loc[6, "subset"] = "live"
    before = source.rows.copy()
    outcome = filtered(source, 10, 1)
    assert outcome.left.empty
    assert outcome.train_before == 4
    pd.testing.assert_frame_equal(outcome.rows.drop(columns="filtered_by"), before)
    pd.testing.assert_frame_equal(source.rows, before)
    assert outcome.rows["filtered_by"].tolist() == ["pose<=10 iqr<=1"] * 4 + [""] * 3


def test_means_keep_their_order_in_any_number_of_portions(
    data: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "AHEAD", 3)
    shades = [0, 200, 17, 255, 90, 91, 3]
    paths = data(*session("s", *shades)).image_paths()
    paths.insert(4, paths[0].with_name("gone.png"))
    expected = np.insert(np.array(shades) / 255, 4, np.nan)
    np.testing.assert_allclose(filters.mean_pixels(paths), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "angle", "iqr", "expected"),
    [
        ({"subset": "all"}, 10, 1, "m.csv has no subset 'train'. Make the subsets: fas data subsets "),
        ({"label": "attack"}, 10, 1, "no bona fide image is in 'train'"),
        ({}, -1, 1, "--max-angle -1: give a number from 0 upwards"),
        ({}, float("nan"), 1, "--max-angle nan"),
        ({}, 10, float("nan"), "--iqr nan"),
        ({}, 10, float("inf"), "--iqr inf"),
        ({"pose_y": [20.0, -15.0, 30.0, np.nan]}, 10, 1, "none of its 4 training images is left: 3 are turned beyond "
         "±10°, 1 have no head pose. The most frontal one is turned by 15°. Use a larger --max-angle."),
        ({"pose_x": np.nan, "pose_y": np.nan, "pose_z": np.nan, "session_id": ""}, 10, 1, "neither a head pose nor"),
        ({"path": "gone.png"}, 10, 1, "none of its 4 training images can be read, e.g. "),
    ],
)  # fmt: skip
def test_what_cannot_be_filtered_is_one_message(
    data: Callable[..., Manifest], change: dict[str, object], angle: float, iqr: float, expected: str
) -> None:
    source = data(*session("s", 100, 101, 102, 103))
    with pytest.raises(BadInputError) as error:
        filtered(Manifest(source.rows.assign(**change), source.source), angle, iqr)
    assert expected in str(error.value)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_filtered_manifest_says_so_as_long_as_it_is_true(data: Callable[..., Manifest], ending: str) -> None:
    source = data(*session("s_1", 100, 101, 102, 103), *session("s_2", 100))
    source.rows.loc[4, "subset"] = "live"
    assert not is_filtered(source)
    out = manifest.write(filtered(source, 10, 1).rows, source.source.with_name(f"filtered{ending}"))
    again = manifest.read(out)
    assert is_filtered(again)
    with pytest.raises(BadInputError, match=r"filtered already \(pose<=10 iqr<=1\)"):
        filtered(again, 10, 1)
    assert not is_filtered(Manifest(again.rows.assign(subset="train"), out))  # one that was never judged came in
    assert not is_filtered(Manifest(again.rows.assign(subset="live"), out))
    assert not is_filtered(Manifest(again.rows.assign(filtered_by="yes"), out))


def test_the_command_writes_both_files_and_counts(tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    source = manifest.read(tiny_faces)
    train = source.rows["subset"] == "train"
    source.rows.loc[train, ["pose_x", "pose_y", "pose_z"]] = 0.0
    turned = source.rows.index[train][:3]
    source.rows.loc[turned, "pose_z"] = [-25.0, 12.0, 8.0]
    posed, out = tmp_path / "posed.csv", tmp_path / "elsewhere" / "filtered.csv"
    manifest.write(manifest.relocated(source, posed), posed)

    result = fas("data", "filter", posed, "--out", out)
    assert result.code == 0
    assert "head pose" in result.out
    assert "filtered.left.csv: 2 images that left, and why" in result.err
    assert "fewer than 4 images" in result.err
    left = pd.read_csv(tmp_path / "elsewhere" / "filtered.left.csv")
    assert left["sample_id"].tolist() == source.rows.loc[turned[:2], "sample_id"].tolist()
    assert left["reason"].tolist() == ["pose_z -25° beyond ±10°", "pose_z 12° beyond ±10°"]
    written = manifest.read(out)
    assert is_filtered(written)
    assert all(path.is_file() for path in written.image_paths())
    assert written.rows["sample_id"].tolist() == source.rows["sample_id"].drop(turned[:2]).tolist()

    result = fas("data", "filter", posed, "--out", out, "--max-angle", "7.5", "--json")
    document = json.loads(result.out)
    assert (document["n_before"], document["n_after"]) == (len(source), len(source) - 3)
    assert (document["train_before"], document["train_after"]) == (train.sum(), train.sum() - 3)
    assert document["left"] == {"head_pose": 3, "head_pose_unknown": 0, "session_outlier": 0}
    assert document["removed"][2] == {
        "sample_id": source.rows.loc[turned[2], "sample_id"], "reason": "pose_z 8° beyond ±7.5°",
    }  # fmt: skip
    assert len(document["notes"]) == 1
    assert set(document) == {"n_before", "n_after", "train_before", "train_after", "left", "removed", "notes"}


def test_the_command_refuses_with_one_message_and_writes_nothing(
    tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    out = tmp_path / "out.csv"
    assert "--iqr -1" in message(fas("data", "filter", tiny_faces, "--out", out, "--iqr", "-1"))
    assert fas("data", "filter", tiny_faces, "--out", out).code == 0
    assert "filtered already" in message(fas("data", "filter", out, "--out", tmp_path / "twice.csv"))
    assert not (tmp_path / "twice.csv").exists()


def test_new_subsets_of_a_filtered_manifest_are_not_filtered(tiny_faces: Path) -> None:
    source = manifest.read(tiny_faces)
    once = Manifest(filtered(source, 10, 1).rows, source.source)
    assert is_filtered(once)
    assert not is_filtered(Manifest(subsets.protocol(once, seed=5).rows, source.source))
