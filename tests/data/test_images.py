"""Decoding: every odd file ends as the right picture or as one readable reason; then scaling and display."""

import csv
import io
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin

from fas_core.data import images
from fas_core.data.images import UnreadableImageError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
ODD, CMU = SHARED / "odd_images", SHARED / "cmu_faces"
needs_odd = pytest.mark.skipif(not ODD.is_dir(), reason="the shared odd_images folder is not beside this project")
needs_cmu = pytest.mark.skipif(not CMU.is_dir(), reason="the shared cmu_faces folder is not beside this project")

RAMP = np.tile(np.linspace(0, 1, 128), (128, 1))  # (128, 128), dark left, bright right


def odd(name: str) -> NDArray[np.float32]:
    return images.load(ODD / "images" / name)[0]


def mean_difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).mean())


def portrait() -> Image.Image:
    """A smooth asymmetric 96 x 80 colour picture, so that a turn, a flip or a crop shows."""
    y, x = np.mgrid[0:80, 0:96]
    bands = [128 + 100 * np.sin(x / 9 + y / 31), 60 + 1.5 * y, 40 + 2.0 * x]
    return Image.fromarray(np.clip(np.stack(bands, axis=-1), 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values: NDArray[np.generic], photometric: int = 1, sample_format: int = 1) -> bytes:
    """A little-endian gray TIFF of one strip, written by hand: Pillow does not write every kind that it reads."""
    bits = 8 * values.itemsize
    shape = {256: values.shape[1], 257: values.shape[0], 277: 1, 278: values.shape[0], 279: values.nbytes}
    tags = {**shape, 258: bits, 259: 1, 262: photometric, 273: 8 + 2 + 12 * 10 + 4, 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + values.tobytes()


@pytest.fixture
def load(tmp_path: Path) -> Callable[[bytes], NDArray[np.float32]]:
    """(h, w) of an image given as bytes."""

    def load_bytes(data: bytes) -> NDArray[np.float32]:
        path = tmp_path / "image"
        path.write_bytes(data)
        return images.load(path)[0]

    return load_bytes


# --- the odd files -----------------------------------------------------------------------------------------------


@needs_odd
def test_refuses_exactly_the_odd_images_that_pillow_refuses() -> None:
    with (ODD / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    refused = {}
    for row in rows:
        try:
            x = images.load(ODD / row["path"])
        except UnreadableImageError as error:
            refused[row["path"]] = str(error)
            continue
        assert x.shape == (1, 128, 128)
        assert x.dtype == np.float32
        assert x.min() >= 0
        assert x.max() <= 1
    assert set(refused) == {row["path"] for row in rows if row["pillow_load"] != "ok"}
    assert len(refused) == 12
    for reason in refused.values():
        assert reason
        assert "\n" not in reason
        assert str(ODD) not in reason


@needs_odd
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("hopper.bmp", 1e-6),
        ("hopper_idat_after_image_end.png", 1e-6),
        ("hopper.ppm", 0.002),  # luma unrounded
        ("hopper.jpg", 0.002),
        ("hopper_gray.jpg", 0.002),
        ("hopper_8bit.pgm", 0.005),
        ("hopper_16bit.pgm", 0.005),
        ("hopper.Lab.tif", 0.005),
        ("hopper.webp", 0.02),
        ("avif_hopper.avif", 0.02),
        ("hopper.gif", 0.02),
        ("hopper_rle8.bmp", 0.02),
        *((f"hopper_orientation_{turn}.jpg", 0.02) for turn in range(3, 9)),
        ("hopper_orientation_6.webp", 0.02),
    ],
)
def test_every_variant_of_the_portrait_looks_like_the_plain_one(name: str, tolerance: float) -> None:
    assert mean_difference(odd(name), odd("hopper.png")) < tolerance


@needs_odd
def test_ranges_are_those_the_files_declare() -> None:
    assert mean_difference(odd("hopper_16bit.pgm"), odd("hopper_8bit.pgm")) < 1e-4
    assert mean_difference(odd("16bit.cropped.tif"), odd("16bit.MM.cropped.tif")) < 1e-7
    assert odd("16bit.cropped.tif").max() == pytest.approx(694 / 65535, rel=0.05)
    assert odd("12bit.cropped.tif").max() == pytest.approx(30 / 4095, rel=0.2)  # 1/16 of it if taken for 16 bits
    with Image.open(ODD / "images" / "i_trns.png") as image:  # 16 bits, one value transparent
        values = np.asarray(image)
        values = np.where(values == image.info["transparency"], 0, values)
    assert odd("i_trns.png").mean() == pytest.approx(values.mean() / 65535, rel=0.02)


@needs_odd
def test_cmyk_reads_the_same_in_jpeg_and_tiff() -> None:
    assert mean_difference(odd("pil_sample_cmyk.jpg"), odd("tiff_strip_cmyk_jpeg.tif")) < 0.002
    with Image.open(ODD / "images" / "pil_sample_cmyk.jpg") as image:
        expected = np.asarray(image.convert("RGB").convert("L")).mean() / 255
    assert odd("pil_sample_cmyk.jpg").mean() == pytest.approx(expected, abs=0.003)


@needs_cmu
def test_plain_pgm_is_scaled_by_its_maxval() -> None:
    paths = sorted((CMU / "images").glob("*/*.pgm"))[::40]
    assert paths
    for path in paths:
        kind, width, height, maxval, *samples = path.read_bytes().split()
        assert (kind, int(maxval) < 160) == (b"P2", True)
        picture = np.array(samples, dtype=int).reshape(int(height), int(width)) / int(maxval)
        square = picture[:, 4:124]  # 128 x 120
        loaded = images.load(path, size=120)[0]
        np.testing.assert_allclose(loaded, square, atol=1e-6)


# --- what is refused ----------------------------------------------------------------------------------------------


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path, Path("/dev/zero"), Path("nul\0"), tmp_path / ("long" * 2000)):
        with pytest.raises(UnreadableImageError):
            images.load(path)
    with pytest.raises(UnreadableImageError, match="no such file"):
        images.load(tmp_path / "absent.png")


@pytest.mark.parametrize("head", [b"\0\0\0\x20ftypqt  ", b"RIFF\0\0\0\0AVI LIST", b"\x1aE\xdf\xa3\x01"])
def test_a_video_is_told_where_its_frames_come_from(load: Callable[[bytes], NDArray[np.float32]], head: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="^a video, whose frames 'fas data frames' takes: not a readable"):
        load(head + bytes(100))
    with pytest.raises(UnreadableImageError, match="^not a readable"):
        load(b"\0\0\0\x20ftypheic" + bytes(100))


def test_refuses_empty_and_foreign_files(load: Callable[[bytes], NDArray[np.float32]]) -> None:
    with pytest.raises(UnreadableImageError, match="empty"):
        load(b"")
    for data in (b"P", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", encoded(portrait(), "TGA")):
        with pytest.raises(UnreadableImageError, match="not a readable JPEG"):
            load(data)


def test_refuses_by_declared_size_without_decoding(
    load: Callable[[bytes], NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", fail)
    header = struct.pack(">II5B", 8001, 8000, 8, 0, 0, 0, 0)
    png = encoded(Image.new("L", (1, 1)), "PNG")
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(UnreadableImageError, match="8001 x 8000 pixels, more than 64 megapixels"):
        load(png[:16] + header + crc + png[33:])
    with pytest.raises(UnreadableImageError, match="more than 64 megapixels"):
        load(b"P5 99999 99999 255 \0")


def test_refuses_jpeg2000_and_scans_that_cost_too_much(
    load: Callable[[bytes], NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_JPEG2000_PIXELS", 96 * 80 - 1)
    with pytest.raises(UnreadableImageError, match="96 x 80"):
        load(encoded(portrait(), "JPEG2000"))
    monkeypatch.setattr(images, "MAX_JPEG_SCANS", 3)
    with pytest.raises(UnreadableImageError, match="scans"):
        load(encoded(portrait(), "JPEG", progressive=True))
    load(encoded(portrait(), "JPEG"))


def test_refuses_a_file_that_is_too_large(
    load: Callable[[bytes], NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 2**20)
    with pytest.raises(UnreadableImageError, match="larger than 1 MiB"):
        load(bytes(2**20 + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"P2 2 1 255 1",
        b"P2 1 1 255 \n\n",
        b"P2 2 1 9 1 10",
        b"P2 2 1 9 1 99999999999999999999999",
        b"P2 2 1 9 1 -1",
        b"P2 2 1 9 1 x",
        b"P2 0 1 9 1",
        b"P5 1 1 0 a",
        b"P5 1 1 65536 aa",
        b"P5 2 1 255 a",
        b"P5 1 1 1000 \xff\xff",
        b"P6 1 1 255 ab",
        b"P1 2 1 12",
        b"P4 9 1 a",
        b"P5",
        b"P5 #" + 100 * b"\n#",
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\na",
    ],
)
def test_refuses_wrong_pnm(load: Callable[[bytes], NDArray[np.float32]], data: bytes) -> None:
    with pytest.raises(UnreadableImageError):
        load(data)


def damage_seeds() -> dict[str, bytes]:
    color = portrait()
    gray, palette = color.convert("L"), color.quantize(32)
    wide = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[274] = 6
    return {
        "jpeg": encoded(color, "JPEG", exif=exif),
        "progressive jpeg": encoded(color, "JPEG", progressive=True),
        "mpo": encoded(color, "MPO", save_all=True, append_images=[color]),
        "png": encoded(color, "PNG", exif=exif),
        "16-bit png": encoded(wide, "PNG"),
        "apng": encoded(color, "PNG", save_all=True, append_images=[color.rotate(90)]),
        "webp": encoded(color, "WEBP"),
        "avif": encoded(color, "AVIF"),
        "jpeg 2000": encoded(color, "JPEG2000"),
        "tiff": encoded(color, "TIFF"),
        "lzw tiff": encoded(wide, "TIFF", compression="tiff_lzw"),
        "bmp": encoded(palette, "BMP"),
        "gif": encoded(palette, "GIF", save_all=True, append_images=[palette.rotate(90)]),
        "pgm": encoded(gray, "PPM"),
        "plain pgm": b"P2 96 80 255 " + b" ".join(b"%d" % v for v in np.asarray(gray).ravel()) + b"\n",
    }


@pytest.mark.parametrize("kind", sorted(damage_seeds()))
def test_damage_ends_as_a_picture_or_as_a_reason(kind: str, load: Callable[[bytes], NDArray[np.float32]]) -> None:
    """Warnings are errors in these tests, so a leaked one would fail this as a foreign exception."""
    seed = damage_seeds()[kind]
    rng = np.random.default_rng(len(seed))
    n_refused = 0
    for _ in range(60):
        data = bytearray(seed)
        reach = len(data) if rng.random() < 0.5 else min(len(data), 200)  # half of them in the headers
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(reach)] = rng.integers(256)
        if rng.random() < 0.2:
            del data[rng.integers(len(data)) :]
        try:
            x = load(bytes(data))
        except UnreadableImageError:
            n_refused += 1
        else:
            assert np.isfinite(x).all()
            assert x.min() >= 0
            assert x.max() <= 1
    assert n_refused > 0
    assert load(seed).std() > 0.1  # the undamaged one is read


@pytest.mark.parametrize("kind", sorted(set(damage_seeds()) - {"mpo", "apng", "gif"}))
def test_truncated_files_are_refused_not_padded(kind: str, load: Callable[[bytes], NDArray[np.float32]]) -> None:
    seed = damage_seeds()[kind]
    for share in (0.3, 0.6, 0.9, 0.97):
        with pytest.raises(UnreadableImageError):
            load(seed[: int(len(seed) * share)])


def test_what_is_cut_off_is_refused_where_another_library_lets_pillow_pad_it(
    load: Callable[[bytes], NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = damage_seeds()["jpeg"]
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as WeasyPrint does
    with pytest.raises(UnreadableImageError):
        load(seed[: int(len(seed) * 0.6)])


def test_warnings_of_pillow_are_silent_in_loading_threads_and_only_there(tmp_path: Path) -> None:
    """A PNG with an animation chunk of 0 frames makes Pillow warn; here all warnings are errors."""
    png = encoded(portrait(), "PNG")
    chunk = b"acTL" + bytes(8)
    crc = struct.pack(">I", zlib.crc32(chunk))
    path = tmp_path / "image.png"
    path.write_bytes(png[:33] + struct.pack(">I", 8) + chunk + crc + png[33:])
    failures: list[BaseException] = []

    def load_often() -> None:
        try:
            for _ in range(20):
                images.load(path)
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to
            failures.append(error)

    threads = [threading.Thread(target=load_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        with pytest.raises(UserWarning, match="Invalid APNG"):
            Image.open(path)
    for thread in threads:
        thread.join()
    assert not failures
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


# --- gray, range, square ------------------------------------------------------------------------------------------


def test_colour_becomes_luma_and_transparency_black(load: Callable[[bytes], NDArray[np.float32]]) -> None:
    for color, luma in (((255, 0, 0), 0.299), ((0, 255, 0), 0.587), ((0, 0, 255), 0.114)):
        for kind in ("PNG", "PPM", "TIFF", "BMP"):
            assert load(encoded(Image.new("RGB", (8, 8), color), kind)).mean() == pytest.approx(luma, abs=0.003)
    for kind in ("PNG", "WEBP", "TIFF"):
        half = encoded(
            Image.new("RGBA", (8, 8), (255, 255, 255, 128)), kind, **({"lossless": True} if kind == "WEBP" else {})
        )
        assert load(half).mean() == pytest.approx(128 / 255, abs=0.003)
    assert load(encoded(Image.new("LA", (8, 8), (255, 0)), "PNG")).max() == 0
    assert load(encoded(Image.new("L", (8, 8), 200), "PNG", transparency=200)).max() == 0
    assert load(encoded(Image.new("1", (8, 8), 1), "PNG")).min() == 1
    assert load(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "TIFF")).min() == 1


@pytest.mark.parametrize(
    ("data", "inverted"),
    [
        (tiff((RAMP * 65535).astype("<u2")), False),
        (tiff((RAMP * 65535).astype("<u2"), photometric=0), True),
        (tiff((RAMP * 255).round().astype("u1"), photometric=0), True),
        (tiff((RAMP * (2**32 - 1)).astype("<u4")), False),
        (tiff((RAMP * 4e9 - 2e9).astype("<i4"), sample_format=2), False),
        (tiff((RAMP * 6e4 - 3e4).astype("<i2"), sample_format=2), False),
        (tiff(RAMP.astype("<f4"), sample_format=3), False),
        (tiff(RAMP.astype("<f4"), sample_format=3, photometric=0), True),
        (tiff((RAMP * 255).astype("<f4"), sample_format=3), False),
        (tiff((RAMP * 6.8e38 - 3.4e38).astype("<f4"), sample_format=3), False),
        (encoded(Image.fromarray((RAMP * 65535).astype(np.uint16)), "PNG"), False),
        (b"P5 128 128 65535 " + (RAMP * 65535).astype(">u2").tobytes(), False),
        (b"P5 128 128 1000 " + (RAMP * 1000).round().astype(">u2").tobytes(), False),
        (b"P5 #c\n128\n#d\n128 100 " + (RAMP * 100).round().astype("u1").tobytes(), False),
        (b"P6 128 128 65535 " + np.repeat((RAMP * 65535).astype(">u2"), 3).tobytes(), False),
        (b"P3 128 128 99 " + b" ".join(b"%d" % v for v in np.repeat((RAMP * 99).round().astype(int), 3)), False),
    ],
)
def test_deep_images_keep_their_range(
    load: Callable[[bytes], NDArray[np.float32]], data: bytes, inverted: bool
) -> None:
    np.testing.assert_allclose(load(data), 1 - RAMP if inverted else RAMP, atol=0.006)


def test_floats_within_0_and_1_are_kept_and_no_others_than_finite_ones(
    load: Callable[[bytes], NDArray[np.float32]],
) -> None:
    np.testing.assert_allclose(load(tiff((RAMP / 2).astype("<f4"), sample_format=3)), RAMP / 2, atol=1e-6)
    broken = RAMP.astype("<f4")
    broken[3, 4] = np.nan
    with pytest.raises(UnreadableImageError, match="finite"):
        load(tiff(broken, sample_format=3))


def test_bitmaps_say_1_for_black(load: Callable[[bytes], NDArray[np.float32]]) -> None:
    for data in (b"P1 2 2 1001", b"P1\n2 2\n1 0\n0 1\n", b"P4 2 2 \x80\x40"):
        x = load(data)
        assert x[:32, :32].mean() < 0.1
        assert x[:32, -32:].mean() > 0.9
        assert x[-32:, :32].mean() > 0.9


def test_a_picture_that_is_not_square_is_cropped_to_its_centre_not_distorted(
    load: Callable[[bytes], NDArray[np.float32]],
) -> None:
    wide = np.zeros((64, 200), dtype=np.uint8)
    wide[:, 68:132] = (RAMP[::2, ::2] * 255).astype(np.uint8)
    x = load(encoded(Image.fromarray(wide), "PNG"))
    assert np.abs(x - RAMP)[:, 8:-8].max() < 0.02
    tall = load(encoded(Image.fromarray(wide.T.copy()), "PNG"))
    np.testing.assert_allclose(tall, x.T, atol=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_gives_what_a_viewer_shows(
    load: Callable[[bytes], NDArray[np.float32]], kind: str, orientation: int
) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # stored a quarter turn to the left, to be turned right
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = portrait().transpose(undo[orientation]) if orientation > 1 else portrait()
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    upright = load(encoded(portrait(), "PNG"))
    assert mean_difference(load(encoded(stored, kind, exif=exif, **options)), upright) < 0.02


def test_damaged_metadata_does_not_cost_the_picture(load: Callable[[bytes], NDArray[np.float32]]) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n9\nno hexadecimal digits")
    upright = load(encoded(portrait(), "PNG"))
    np.testing.assert_array_equal(load(encoded(portrait(), "PNG", pnginfo=text)), upright)
    for exif in (
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\x08\0\0\0\x05\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0",
    ):
        assert mean_difference(load(encoded(portrait(), "JPEG", exif=exif, quality=95)), upright) < 0.02


def test_large_jpegs_decoded_at_reduced_scale_stay_accurate(load: Callable[[bytes], NDArray[np.float32]]) -> None:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (40, 60), dtype=np.uint8))
    large = small.resize((3000, 2000), Image.Resampling.BICUBIC)
    assert mean_difference(load(encoded(large, "JPEG", quality=95)), load(encoded(large, "PNG"))) < 0.005


def test_other_sizes(tmp_path: Path) -> None:
    portrait().save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png", size=1).shape == (1, 1, 1)
    assert images.load(tmp_path / "a.png", size=200).shape == (1, 200, 200)


# --- scaling and display ------------------------------------------------------------------------------------------


def test_standard_scaling_is_the_equation_per_image() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.random((1, 32, 32)), 0.2 + 0.01 * rng.random((1, 32, 32))]).astype(np.float32)
    scaled = images.standard_scaled(x)
    assert scaled.shape == x.shape
    assert scaled.dtype == np.float32
    for image, result in zip(x, scaled, strict=True):
        image = image.astype(float)
        expected = np.clip((image - image.mean()) / image.std() * 0.25 + 0.5, 0, 1)
        np.testing.assert_allclose(result, expected, atol=1e-5)
        assert result.mean() == pytest.approx(0.5, abs=1e-3)
        assert result.std() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(images.standard_scaled(x[1]), scaled[1])  # one image, or one of many
    np.testing.assert_allclose(images.standard_scaled(x * 0.5 + 0.1), scaled, atol=1e-4)  # brightness, contrast cancel


def test_standard_scaling_clips() -> None:
    x = np.zeros((1, 16, 16), dtype=np.float32)
    x[0, 0, 0] = 1
    scaled = images.standard_scaled(x)
    assert scaled[0, 0, 0] == 1
    assert scaled.min() > 0.4


def test_constant_images_become_half_and_are_flagged() -> None:
    varied = np.full((1, 16, 16), 0.3, dtype=np.float32)
    varied[0, :8] += 0.001
    x = np.stack([np.full((1, 16, 16), value, dtype=np.float32) for value in (0.0, 0.3, 1.0)] + [varied])
    np.testing.assert_array_equal(images.is_constant(x), [True, True, True, False])
    np.testing.assert_array_equal(images.is_constant(x[1]), [True])
    assert (images.standard_scaled(x)[:3] == 0.5).all()
    x[0, 0, :8] = 0.0001  # far below one 8-bit step
    np.testing.assert_array_equal(images.is_constant(x), [True, True, True, False])
    assert (images.standard_scaled(x)[:3] == 0.5).all()
    assert images.standard_scaled(x)[3].std() == pytest.approx(0.25, abs=0.01)


def test_pixels_round_and_clip() -> None:
    x = np.array([[0.0, 0.5 / 255 + 1e-4, 0.2, 1.0, -0.1, 1.2]], dtype=np.float32)
    assert images.pixels(x).tolist() == [[0, 1, 51, 255, 0, 255]]
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(images.pixels(every.astype(np.float32) / 255), every)


def test_preprocessing_names_the_rules_in_force() -> None:
    assert f"{images.CONSTANT_STD:.0e}" == "1e-04"
    assert images.PREPROCESSING.endswith("(x-mean)/std*0.25+0.5, 1e-4")


def test_content_is_that_of_the_picture_not_of_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    gray = Image.fromarray(rng.integers(0, 256, (9, 7), np.uint8)).resize((180, 230), Image.Resampling.BICUBIC)
    colour = Image.merge("RGB", [gray, gray.rotate(180), gray.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    gray.save(tmp_path / "gray.jpg", quality=85)
    Image.open(tmp_path / "gray.jpg").save(tmp_path / "decoded.png")
    colour.save(tmp_path / "colour.png")
    colour.save(tmp_path / "colour.webp", lossless=True)
    colour.save(tmp_path / "colour.jpg", quality=85)  # with loss: another picture
    colour.crop((0, 0, 180, 229)).save(tmp_path / "crop.png")
    content = {path.name: bytes(images.content(images.load(path))) for path in tmp_path.iterdir()}
    assert content["gray.jpg"] == content["decoded.png"]
    assert content["colour.png"] == content["colour.webp"]
    assert len(set(content.values())) == 4
    assert {len(value) for value in content.values()} == {8}


# --- colour --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "plain PPM"])
def test_colour_planes_are_those_of_the_file_and_their_luma_is_the_gray(kind: str) -> None:
    picture = portrait().resize((256, 256))
    if kind == "plain PPM":
        values = " ".join(map(str, np.asarray(picture).ravel()))
        data = f"P3 256 256 255 {values}".encode()
    else:
        lossless = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
        data = encoded(picture, kind, **lossless)
    planes, gray = images.of_bytes(data, 64, 3), images.of_bytes(data, 64)
    assert planes.shape == (3, 64, 64)
    assert planes.dtype == np.float32
    expected = np.asarray(picture.resize((64, 64), Image.Resampling.LANCZOS), np.float32) / 255
    assert mean_difference(np.moveaxis(planes, 0, -1), expected) < 0.01
    luma = np.tensordot(np.array([0.299, 0.587, 0.114]), planes, 1)
    assert mean_difference(luma, gray[0]) < 0.005


def test_what_has_no_colour_has_its_gray_in_all_three_and_transparency_is_black_in_each() -> None:
    ramp = Image.fromarray((255 * RAMP).astype(np.uint8))
    deep = Image.fromarray((65535 * RAMP).astype(np.uint16))
    for picture in (ramp, deep, ramp.convert("P")):
        planes = images.of_bytes(encoded(picture, "PNG"), 128, 3)
        assert np.array_equal(planes[0], planes[1])
        assert np.array_equal(planes[1], planes[2])
        assert mean_difference(planes[0], RAMP.astype(np.float32)) < 0.01
    red = np.zeros((32, 32, 4), np.uint8)
    red[..., 0], red[:16, :, 3] = 255, 255
    planes = images.of_bytes(encoded(Image.fromarray(red), "PNG"), 32, 3)
    assert planes[:, 4, 4].tolist() == [1, 0, 0]
    assert planes[:, 28, 4].tolist() == [0, 0, 0]


def test_colour_is_turned_upright_plane_by_plane() -> None:
    picture = portrait().resize((64, 64))
    exif = Image.Exif()
    exif[274] = 6  # shown turned by a quarter
    turned = images.of_bytes(encoded(picture, "PNG", exif=exif), 64, 3)
    upright = images.of_bytes(encoded(picture.transpose(Image.Transpose.ROTATE_270), "PNG"), 64, 3)
    assert mean_difference(turned, upright) < 1e-6


def test_an_image_of_one_colour_is_constant_and_one_with_any_change_is_not() -> None:
    x = np.zeros((2, 3, 8, 8), np.float32)
    x[:, 0] = 1.0  # red
    x[1, 2, 0, 0] = 0.5
    assert images.is_constant(x).tolist() == [True, False]
    faint = np.full((3, 1, 64, 64), 0.2, np.float32)
    faint[:, 0, 5, 5] += np.float32(64 * images.CONSTANT_STD) * np.float32([0.98, 1.02, 3])
    assert images.is_constant(faint).tolist() == [True, False, False]


def test_a_whole_picture_keeps_its_size_and_colours_and_is_upright(tmp_path: Path) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    (tmp_path / "colour.ppm").write_bytes(b"P6 9 5 255\n" + colours.tobytes())
    turned = Image.Exif()
    turned[274] = 6  # to be turned a quarter to the right
    Image.fromarray(colours).save(tmp_path / "turned.png", exif=turned)
    fine = np.arange(45, dtype=np.uint16).reshape(5, 9) * 1456
    Image.fromarray(fine).save(tmp_path / "fine.png")
    assert np.array_equal(np.asarray(images.picture(tmp_path / "colour.ppm")), colours)
    assert np.array_equal(np.asarray(images.picture(tmp_path / "turned.png")), np.rot90(colours, -1))
    gray = images.picture(tmp_path / "fine.png")
    assert gray.mode == "F"
    assert np.allclose(np.asarray(gray), fine / 65535)
    assert images.eight_bits(gray).mode == "L"


@pytest.mark.parametrize("size", [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 2**19, 2**19 + 1, 2**19 + 9])
def test_a_file_is_read_whole_or_a_byte_too_far(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 2**19)
    content = np.random.default_rng(size).bytes(size)
    (tmp_path / "a").write_bytes(content)
    assert images.file_bytes(tmp_path / "a") == content[: 2**19 + 1]
