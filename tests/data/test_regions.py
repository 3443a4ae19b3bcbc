"""Where the face is in the square that a model sees: from columns of a manifest, to the pixel."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core.data import images, manifest, regions
from fas_core.data.boxes import EYES
from fas_core.data.faces import blazeface, cutting
from fas_core.data.names import CROP

SEEN = 96  # pixels that a model sees


def dotted(size: tuple[int, int], *points: tuple[float, float], transpose: int | None = None) -> Image.Image:
    """A dark picture with a soft bright dot about each point; `transpose`: as its file has it."""
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1])[:, None] + 0.5
    spots = sum(np.exp(-(((x - px) / 5) ** 2) - ((y - py) / 5) ** 2) for px, py in points)
    picture = Image.fromarray(np.uint8(np.clip(255 * spots, 0, 255)))
    return picture if transpose is None else picture.transpose(transpose)


def centre_near(square: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The centre of the light within 12 pixels of a point, both in shares of the square."""
    axis = (np.arange(len(square)) + 0.5) / len(square)
    x, y = axis[None] - point[0], axis[:, None] - point[1]
    light = square * (np.hypot(x, y) < 12 / len(square))
    return point + np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(203, 151), (151, 203)])
def test_a_dot_is_where_the_model_sees_it(size, orientation, tmp_path):
    """Eyes of a whole picture, wider or higher, also one whose file has it lying on its side."""
    eyes = np.array([[60.0, 80.0], [110.0, 70.5]])
    exif = Image.Exif()
    exif[274] = orientation
    lying = Image.Transpose.ROTATE_90 if orientation == 6 else None  # shown turned back
    dotted(size, *map(tuple, eyes), transpose=lying).save(tmp_path / "a.png", exif=exif)
    rows = pd.DataFrame([dict(zip(EYES, eyes[::-1].ravel(), strict=True), width=size[0], height=size[1])])
    places = regions.placed(rows)  # named the other way round: the one further left is the first
    square = images.load(tmp_path / "a.png", SEEN)[0]
    for place in places.eyes[0]:
        np.testing.assert_allclose(centre_near(square, place), place, atol=0.1 / SEEN)
    assert places.eyes[0, 0, 0] < places.eyes[0, 1, 0]


@pytest.mark.parametrize("align", [None, "eyes"])
def test_a_dot_is_where_its_crop_shows_it(align, tmp_path, monkeypatch):
    """Crops of `fas data faces`, level and turned, larger and smaller than what is kept of them."""
    monkeypatch.setattr(blazeface, "is_installed", lambda: False)
    monkeypatch.setattr(cutting, "detectors", lambda: [])
    pairs = {"a.png": [[230.0, 120.0], [350.0, 160.0]], "b.png": [[90.3, 99.0], [122.9, 91.2]]}
    for name, eyes in pairs.items():
        dotted((500, 400), *map(tuple, eyes)).save(tmp_path / name)
    columns = {name: [np.ravel(eyes)[k] for eyes in pairs.values()] for k, name in enumerate(EYES)}
    table = pd.DataFrame({"path": [*pairs], "label": "live", "width": 500, "height": 400} | columns)
    table.to_csv(tmp_path / "m.csv", index=False)
    faces = cutting.write_faces(manifest.read(tmp_path / "m.csv"), tmp_path / "f.csv", cutting.How.of(0.3, align), 0)
    assert (faces.rows["crop_angle"].abs() > 5).all() == (align == "eyes")
    places = regions.placed(pd.read_csv(tmp_path / "f.csv"))
    for path, eyes in zip(faces.rows["path"], places.eyes, strict=True):
        square = images.load(tmp_path / path, SEEN)[0]
        for place in eyes:
            np.testing.assert_allclose(centre_near(square, place), place, atol=0.25 / SEEN)
    # Of an older manifest, without where its crops lie: nothing is guessed, least of all from the picture's size.
    assert not regions.placed(faces.rows.drop(columns=list(CROP))).has_face.any()


def test_parts_of_a_face_by_hand():
    """Against each pixel's distance along and across the line of the eyes; odd sizes, one head turned."""
    size, eyes = 33, np.array([[[0.3, 0.4], [0.6, 0.45]], [[0.35, 0.4], [0.65, 0.4]]])
    nothing = np.full((2, 2), np.nan)
    mouth = np.array([[np.nan, np.nan], [0.52, 0.7]])
    places = regions.Places(eyes, nothing, mouth, np.full((2, 4), np.nan), np.zeros(2))
    for region, (wide, high, drop) in (*regions.RECTANGLES.items(), ("face", regions.ELLIPSE)):
        expected = np.zeros((2, size, size), bool)
        for k in range(2):
            a, b = eyes[k]
            d = np.hypot(*(b - a))
            u, v = (b - a) / d, np.array([-(b - a)[1], (b - a)[0]]) / d
            middle = mouth[k] if region == "mouth" and k else (a + b) / 2 + drop * d * v
            for i in range(size):
                for j in range(size):
                    p = (np.array([j, i]) + 0.5) / size - middle
                    x, y = p @ u / (wide * d / 2), p @ v / (high * d / 2)
                    expected[k, i, j] = (x * x + y * y <= 1) if region == "face" else max(abs(x), abs(y)) <= 1
        np.testing.assert_array_equal(regions.inside(places, region, size), expected)
        assert expected.any((1, 2)).all()


def test_a_box_alone_has_a_face_and_no_parts_and_a_profile_does_not_shrink():
    box = {"box_x": 20.0, "box_y": 10.0, "box_width": 40.0, "box_height": 60.0, "width": 100, "height": 100}
    near = dict(zip(EYES, (38.0, 30.0, 44.0, 30.0), strict=True))  # 6 pixels apart in a face of 60
    rows = pd.DataFrame([box, box | near, near | {"width": 100, "height": 100}, {"width": 100, "height": 100}])
    places = regions.placed(rows)
    assert places.has_eyes.tolist() == [False, True, True, False]
    assert places.has_face.tolist() == [True, True, True, False]
    area = regions.inside(places, "face", 200).sum((1, 2)) / 4  # in pixels of the picture
    unit = 60 / regions.LARGEST_BY_EYES
    expected = [np.pi * 20 * 30, np.pi * 1.05 * 1.45 * unit**2, np.pi * 1.05 * 1.45 * 36, 0]
    np.testing.assert_allclose(area, expected, rtol=0.02)
    assert (regions.inside(places, "mouth", 200).any((1, 2)) == places.has_eyes).all()


def test_where_nothing_is_seen_nothing_is_known():
    seen = regions.seen(np.zeros((1, 64, 64, 3), np.uint8))
    assert not seen.has_face.any()
    assert len(seen) == 1
    assert not len(regions.seen(np.zeros((0, 64, 64), np.uint8)))
