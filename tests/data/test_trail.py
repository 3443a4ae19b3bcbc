"""What each step took in, kept and left, and that nothing leaves without a count."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from fas_core.cli.main import app
from fas_core.data import manifest, trail
from fas_core.data.manifest import Manifest
from fas_core.data.trail import Lost
from fas_core.errors import BadInputError
from fas_core.files import write_table

VIDEOS = ["a", "b", "c", "d"]


def data_of(path: Path, ids: list[str], **columns: list[object]) -> Manifest:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = pd.DataFrame({"path": [f"{name}.png" for name in ids], "sample_id": ids, "label": "live"} | columns)
    write_table(rows, path)
    return manifest.read(path)


def chain(folder: Path) -> Path:
    """Four videos, of which one gives nothing and one half; of nine frames two show no face; one row left by hand."""
    videos = data_of(
        folder / "m.csv", VIDEOS, label=["live", "live", "attack", "attack"], pai_species=["", "", "p", "p"]
    )
    trail.write(trail.scan_step(folder / "set", videos.source, "videos", 4, ["no place: x"]), videos.source)
    ids = [f"{video}#{n}" for video in "abc" for n in range(3)]
    frames = data_of(folder / "frames" / "manifest.csv", ids, time=[0.0, 1.0, 2.0] * 3)
    gone = pd.DataFrame(
        {"sample_id": ["c", "d"], "frames": [3, 0], "reason": ["damaged: after 3 frames", "no frames: empty"]}
    )
    trail.write(trail.frames_step(videos, frames.rows, gone, ["said"]), frames.source, [videos.source])
    faces = data_of(folder / "faces.csv", ids[:7])
    left = pd.DataFrame({"sample_id": ids[7:], "reason": ["no face: none", "cut off: 40 %"]})
    write_table(left, trail.left_file(faces.source))
    trail.write(trail.kept_step("faces", [frames], faces.rows, left), faces.source, [frames.source])
    return faces.source


def test_the_whole_way_is_known_although_its_files_are_elsewhere(tmp_path: Path) -> None:
    faces = chain(tmp_path / "there")
    here = tmp_path / "here"
    here.mkdir()
    for file in (faces, trail.path_of(faces), trail.left_file(faces)):
        shutil.copy(file, here)
    way = trail.funnel(here / "faces.csv", 7)
    scan, frames, cut = (stage.step for stage in way.stages)
    assert way.is_whole
    assert way.gaps == []
    assert way.n_unexplained == 0
    assert (scan.n_in, scan.n_kept, scan.left) == (5, 4, {"no place": 1})
    assert (frames.n_in, frames.n_kept, frames.n_out) == (4, 3, 9)
    assert (frames.left, frames.partly, frames.notes) == ({"no frames": 1}, {"damaged": 1}, ("said",))
    assert frames.groups == {"bona fide": (2, 0), "p": (2, 1)}
    assert (cut.n_in, cut.n_kept, cut.left) == (9, 7, {"no face": 1, "cut off": 1})
    assert [of.unit for of in cut.lost] == ["images", "images"]  # its rows name no video
    assert frames.lost == (Lost("all", "p", True, "videos", "", "no frames", 1),)
    assert way.most_left is not None
    assert way.most_left[1:] == ("no frames", 1)
    assert trail.left_rows(way.stages[2])["file"].tolist() == ["", ""]  # they are known by name alone


def test_a_presentation_is_lost_where_none_of_its_rows_stays(tmp_path: Path) -> None:
    """A video of three frames loses two, another all; a picture beside them; the subsets are made last."""
    ids = ["v#0", "v#1", "v#2", "w#0", "w#1", "w#2", "still", "other"]
    videos = [*["1"] * 3, *["1"] * 3, "", ""]  # one id in two sessions
    sessions = [*["a"] * 3, *["b"] * 3, "", ""]
    about = {"video_id": videos, "session_id": sessions, "modality": "Colour", "label": [*["live"] * 7, "attack"]}
    data = data_of(tmp_path / "m.csv", ids, subset="test", **about)  # type: ignore[arg-type]
    reasons = ["no face: x", "no face: x", "no face: y", "cut off: 9 %", "no face: z", "no face: a"]
    left = pd.DataFrame({"sample_id": ids[1:7], "reason": reasons})
    faces = data_of(tmp_path / "faces.csv", ["v#0", "other"], subset=["dev", "test"])
    trail.write(trail.kept_step("faces", [data], faces.rows, left), faces.source, [data.source])
    expected = [("images", "no face"), ("videos", "no face")]
    known = trail.lost(faces.source)
    assert known == [("faces", Lost("test", "", False, unit, "rgb", kind, 1)) for unit, kind in expected]
    split = data_of(tmp_path / "split.csv", ["v#0"])
    trail.write(trail.kept_step("subsets", [faces], split.rows), split.source, [faces.source])
    assert [of.subset for _, of in trail.lost(split.source)] == ["all", "all"]  # those it had are others now
    assert trail.lost(data.source) == []


def test_what_is_changed_by_hand_is_a_gap(tmp_path: Path) -> None:
    faces = chain(tmp_path)
    rows = pd.read_csv(faces)
    write_table(rows.iloc[:5], faces)
    way = trail.funnel(faces, 5)
    assert way.gap == trail.Gap("faces.csv", 2)
    assert way.n_unexplained == 2
    write_table(rows.assign(label="attack"), faces)
    assert trail.funnel(faces, 7).gap == trail.Gap("faces.csv", 0)
    # ... and between two steps
    write_table(rows.iloc[:5], faces)
    source = manifest.read(faces)
    fewer = data_of(tmp_path / "filtered.csv", source.rows["sample_id"].tolist()[:4])
    left = pd.DataFrame({"sample_id": source.rows["sample_id"][4:], "reason": "pose_x 20° beyond ±10°"})
    trail.write(trail.kept_step("filter", [source], fewer.rows, left), fewer.source, [faces])
    way = trail.funnel(fewer.source, 4)
    assert way.stages[-1].gaps == (trail.Gap("faces.csv", 2),)
    assert way.gap is None
    assert way.n_unexplained == 2
    assert way.stages[-1].step.left == {"head turned away": 1}


def test_a_row_without_a_reason_is_counted(tmp_path: Path) -> None:
    source = data_of(tmp_path / "m.csv", VIDEOS)
    step = trail.kept_step(
        "dedupe", [source], source.rows.iloc[:2], pd.DataFrame({"sample_id": ["c"], "reason": ["x"]})
    )
    assert step.n_unexplained == 1
    assert trail.kept_step("subsets", [source], source.rows.iloc[:3]).left == {trail.NO_SUBSET: 1}


def test_without_a_trail_the_list_of_what_left_is_all_that_is_known(tmp_path: Path) -> None:
    faces = chain(tmp_path)
    trail.path_of(faces).unlink()
    way = trail.funnel(faces, 7)
    assert [stage.step.name for stage in way.stages] == [trail.UNKNOWN_STEP]
    assert not way.is_whole
    assert (way.stages[0].step.n_in, way.stages[0].step.n_left) == (9, 2)
    trail.left_file(faces).unlink()
    assert trail.funnel(faces, 7).stages == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version": 2}', '{"version": 1, "step": {}}', "[" * 100_000])
def test_a_damaged_trail_is_refused(tmp_path: Path, text: str) -> None:
    faces = chain(tmp_path)
    trail.path_of(faces).write_text(text)
    with pytest.raises(BadInputError, match="Delete it"):
        trail.funnel(faces, 7)


def test_what_left_is_found_where_it_came_from_with_its_face(tmp_path: Path) -> None:
    faces = chain(tmp_path)
    source = tmp_path / "frames" / "manifest.csv"
    write_table(pd.read_csv(source).assign(box_x=5, box_y=6, box_width=7, box_height=8), source)
    left = trail.left_rows(trail.funnel(faces, 7).stages[2])
    assert left["kind"].tolist() == ["no face", "cut off"]
    assert left["file"].tolist() == [str(tmp_path / "frames" / f"c#{n}.png") for n in (1, 2)]
    assert left[["box_x", "box_height"]].to_numpy().tolist() == [[5, 8], [5, 8]]


def test_commands_leave_trails(tmp_path: Path) -> None:
    for person in ("ann", "bob", "cyd"):
        for n in range(3):
            (tmp_path / "set" / person).mkdir(parents=True, exist_ok=True)
            Image.new("L", (16, 16), 40 * n).save(tmp_path / "set" / person / f"{n}.png")
    m, attacked, out = tmp_path / "m.csv", tmp_path / "attacked", tmp_path / "s.csv"
    for command in (
        ["scan", tmp_path / "set", "--layout", "folder", "--label", "bona_fide", "--out", m],
        ["attacks", m, "--species", "paper", "--out", attacked],
        ["subsets", attacked / "manifest.csv", "--out", out],
        ["dedupe", out, "--out", tmp_path / "u.csv"],
    ):
        result = CliRunner().invoke(app, ["data", *map(str, command)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    rows = manifest.read(tmp_path / "u.csv").rows
    way = trail.funnel(tmp_path / "u.csv", len(rows))
    assert [stage.step.name for stage in way.stages] == ["scan", "attacks", "subsets", "dedupe"]
    assert way.is_whole
    assert way.n_unexplained == 0
    assert way.stages[1].step.n_out > way.stages[1].step.n_in == 9
    document = json.loads(trail.path_of(tmp_path / "u.csv").read_text())
    assert str(tmp_path) not in json.dumps(document)  # a folder that is moved stays whole
