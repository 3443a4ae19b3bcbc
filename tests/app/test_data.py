"""The page Data without a browser: a funnel with a list of what left, one pick away from its pictures."""

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app.data import known, picks
from app.data.known import DataSet
from app.data.sheet import BOX_COLOUR, Picture, drawn
from fas_core.data import manifest, trail
from fas_core.files import write_table

from .conftest import page, texts

PLACES = {"box_x": 8.0, "box_y": 8.0, "box_width": 16.0, "box_height": 16.0}


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_caches: None) -> Path:
    """Twelve pictures, of which two left for a reason; the app knows the manifest of the other ten, and no Run."""
    ids = [f"p{i}" for i in range(12)]
    for name in ids:
        Image.new("RGB", (32, 64), "gray").save(tmp_path / f"{name}.png")
    rows = pd.DataFrame(
        {
            "path": [f"{name}.png" for name in ids],
            "sample_id": ids,
            "label": ["live"] * 8 + ["attack"] * 4,
            "pai_species": [""] * 8 + ["mask"] * 4,
            "subject_id": list("abcdefgh") + list("aefg"),
            "subset": ["train"] * 4 + ["test"] * 8,
            "pose_y": np.arange(12.0),
        }
    ).assign(**PLACES)
    write_table(rows, tmp_path / "all.csv")
    write_table(rows.iloc[:10], tmp_path / "faces.csv")
    write_table(pd.DataFrame({"sample_id": ids[10:], "reason": "no face: none"}), tmp_path / "faces.left.csv")
    source, kept = manifest.read(tmp_path / "all.csv"), manifest.read(tmp_path / "faces.csv")
    done = trail.kept_step("faces", [source], kept.rows, pd.read_csv(tmp_path / "faces.left.csv"))
    trail.write(done, kept.source, [source.source])
    monkeypatch.setenv("FAS_DATA", str(kept.source))
    monkeypatch.setenv("FAS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return kept.source


def test_the_page_says_what_left_and_what_speaks_against_it_without_any_run(faces: Path) -> None:
    at = page("data")
    assert not at.exception
    said = texts(at).replace("\\", "")
    assert "10 faces" in said or "10 of 12" in said
    assert "most left because: no face (2 of 12 pictures at faces)" in said
    assert "1 person is in train and test: not fit for judging" in said
    [shown] = [box for box in at.selectbox if box.label == "Shown"]
    assert shown.options == ["what is here (10)", "left at faces: no face (2)"]
    shown.set_value(shown.options[1]).run()
    assert at.query_params["show"] == "left~0~no face"


def test_an_address_leads_to_what_is_known_and_to_no_other_file(faces: Path) -> None:
    at = page("data", manifest=str(faces.parent / "all.csv"), show="left~7~no face")
    assert not at.exception
    assert "manifest" not in at.query_params  # the one that is known is shown
    assert "show" not in at.query_params
    at = page("data", show="bar~subset~0~0")
    [shown] = [box for box in at.selectbox if box.label == "Shown"]
    assert shown.value == "bar~subset~0~0"


def test_without_a_manifest_the_page_says_how_to_give_one(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAS_DATA")
    at = page("data")
    assert not at.exception
    assert "No manifest is known here" in texts(at)


def test_the_rows_of_a_pick_are_those_of_its_count(faces: Path) -> None:
    data = DataSet.at(faces)
    table, rows = picks.rows_of(data, picks.offered(data)[1])
    assert sorted(table["name"].iloc[rows]) == ["p10", "p11"]
    assert table["file"].iloc[0] == str(faces.parent / "p10.png")
    for place, of in enumerate(known.histograms(data, "species")):
        for bin_ in np.flatnonzero(of.counts).tolist():
            pick = picks.of_bar(data, "species", place, bin_)
            assert len(picks.rows_of(data, pick)[1]) == pick.n


def test_boxes_are_drawn_where_they_are_and_what_cannot_be_read_is_told(faces: Path) -> None:
    places = (*PLACES.values(), *[float("nan")] * 4)
    video, of_set = faces.with_suffix(".mp4"), faces.with_suffix(".face")
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 32, 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 32, 3), 128, np.uint8), "rgb24")))
        container.mux(stream.encode())
    of_set.write_text("0 8 8 16 16\n")
    unread = [Picture(str(faces)), Picture(str(faces.with_suffix(".mov")))]
    wanted = (Picture(str(faces.parent / "p0.png"), places), Picture(str(video), (np.nan,) * 8, str(of_set)), *unread)
    images, why = drawn(DataSet.at(faces), wanted)
    assert why[:2] == ("", "")
    assert why[2]
    assert why[3] == "cannot be read: No such file or directory"
    assert (images[1, 20, 60:100] == BOX_COLOUR).all()  # of a video its first frame, with the set's own box
    # 64 pixels high become 160, 32 wide become 80 in the middle: the box begins at (40 + 20, 20)
    assert (images[0, 20, 60:100] == BOX_COLOUR).all()
    assert (images[0, 19, 60:100] == 128).all()


def test_a_manifest_of_videos_alone_is_shown(faces: Path) -> None:
    rows = pd.read_csv(faces)
    write_table(rows.assign(path=[f"{name}.mov" for name in rows["sample_id"]]), faces)
    at = page("data")
    assert not at.exception
    said = texts(at).replace("\\", "")
    assert "Videos are compared by their frames" in said
    assert "10 of these 10 cannot be shown as a picture: cannot be read: No such file or directory." in said


def test_a_manifest_that_has_changed_is_read_anew(faces: Path) -> None:
    before = DataSet.at(faces)
    assert len(known.contents(before)) == 10
    write_table(pd.read_csv(faces).iloc[:6], faces)
    after = DataSet.at(faces)
    assert after.digest != before.digest
    assert len(known.contents(after)) == 6
    assert known.way(after).n_unexplained == 4
