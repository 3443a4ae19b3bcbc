"""Any image file -> (1, size, size) gray, or (3, size, size) in colour, in [0, 1]; standard scaling; back to pixels.
And the whole picture, upright, for what has to see more of it.

The rules, in the order they apply (``PREPROCESSING`` names them; change both together):

1. **Which files.** JPEG (MPO too), PNG, WebP, AVIF, JPEG 2000, TIFF, BMP, GIF and the PNM family, told apart by
   content. No other decoder is ever tried (some start programs). At most 128 MiB of file and 64 megapixels (JPEG 2000:
   16), judged by the size the header declares, before a pixel is decoded. A truncated file is refused, and so is damage
   that the format lets a decoder notice; nothing is padded.
2. **Which picture.** The first frame or page.
3. **Gray.** ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B, of the stored values (embedded profiles and gamma are
   ignored). Transparency is laid over black: no light comes from there, and a white ground would look like the margin
   of a printed photo, which is a cue for an attack. In **colour** the stored red, green and blue are kept, and an image
   without colour has its gray in all three.
4. **Range.** By the range the format declares: 16 bits by 65535, 12 bits by 4095, PNM by its maxval. Floats within
   [0, 1] are kept. Signed and 32-bit integers and other floats declare no white: they are stretched from their own
   minimum to their own maximum (an affine map, which standard scaling cancels).
5. **Square.** The centred square of the shorter side, so that no face is distorted, resized with an antialiasing
   Lanczos filter, clipped to [0, 1], turned upright as EXIF says. Large JPEGs are decoded at a reduced scale that keeps
   at least twice the wanted resolution.
"""

import hashlib
import io
import math
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from fas_core import storage
from fas_core.files import CONTENT_BYTES, file_of, opened_file
from fas_core.storage import StorageError

STANDARD_SCALING = "(x-mean)/std*0.25+0.5, 1e-4"
_LOADING = "1: first frame; {}; full range; centre square, lanczos"
LOADING = {1: _LOADING.format("luma 601 over black"), 3: _LOADING.format("red, green, blue over black")}
PREPROCESSING = f"{LOADING[1]}; {STANDARD_SCALING}"
"""Names the rules of this module. It is hashed into run ids: any change of what `load` or `standard_scaled` returns
needs a new text here, so that old runs count as missing, not as equal."""

MAX_PIXELS = 64_000_000
MAX_JPEG2000_PIXELS = 16_000_000  # its decoder takes some 32 bytes for each
MAX_FILE_BYTES = 128 * 2**20
_SMALL = 2**18  # bytes: room is made for as many as are asked for, whatever a file has
MAX_JPEG_SCANS = 200  # each scan visits the whole image: thousands of empty ones are a way to make a decoder hang
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "JPEG2000", "TIFF", "BMP", "GIF")

CONSTANT_STD = 1e-4
"""An image whose standard deviation is below this ([0, 1] units; 1/40 of an 8-bit step) counts as constant."""

_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT = 258, 262, 274, 339  # TIFF tags
_UPRIGHT = {  # what turns a picture of an EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_PNM_SPACE = b" \t\r\n\v\f"
_PNM_NUMBER = rb"(?:[" + _PNM_SPACE + rb"]|#[^\r\n]*[\r\n])++([0-9]{1,10}+)"  # possessive: no search through gaps
_PNM_BEGINNING = re.compile(rb"P[1-6][" + _PNM_SPACE + rb"]+(#|[0-9]+[" + _PNM_SPACE + rb"])")
_PHOTOS = (b"avif", b"avis", b"heic", b"heix", b"heif", b"mif1", b"msf1")  # in the container of MP4
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_PNM_BITMAP_HEADER = re.compile(rb"P[14]" + _PNM_NUMBER * 2 + rb"[" + _PNM_SPACE + rb"]")
_PNM_HEADER = re.compile(rb"P[2356]" + _PNM_NUMBER * 3 + rb"[" + _PNM_SPACE + rb"]")


class UnreadableImageError(ValueError):
    """The file cannot be used as an image; the message is the reason, in one line."""


class _ThreadwiseWarnings:
    """Stands in for the `warnings` module inside Pillow: silent in threads that are in `load`, unchanged in others.

    Pillow warns of what `load` judges itself (the declared size) and of what does not touch the pixels (metadata).
    `warnings.catch_warnings` swaps the filters of the whole process, so it is no use where images load in threads, and
    under "error" filters the outcome of a load would depend on who is calling.
    """

    def __init__(self) -> None:
        self.thread = threading.local()

    def warn(self, *args: Any, **kwargs: Any) -> None:
        if not getattr(self.thread, "is_loading", False):
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            warnings.warn(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def __enter__(self) -> None:
        self.thread.is_loading = True

    def __exit__(self, *exception: object) -> None:
        self.thread.is_loading = False


_pillow_warnings = _ThreadwiseWarnings()
for _module in (Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin):
    vars(_module)["warnings"] = _pillow_warnings


def load(path: Path, size: int = 128, channels: int = 1) -> NDArray[np.float32]:
    """The image at `path` as (channels, size, size) in [0, 1], by the rules at the top of this file: gray or colour.

    Raises `UnreadableImageError`, and nothing else, when the file cannot be read or decoded. Safe to call from threads.
    """
    return of_bytes(file_bytes(path), size, channels)


def of_bytes(data: bytes, size: int = 128, channels: int = 1) -> NDArray[np.float32]:
    """The same of an image file that is in memory."""
    with _decoding(data):
        if _is_pnm(data):
            planes, orientation = _pnm_planes(data, channels), 1
        else:
            planes, orientation = _decoded(data, size, channels)
    squares = [_upright(_square(plane, size), orientation) for plane in planes]
    return np.stack(squares * (channels // len(squares)))


def require_decodable(data: bytes) -> None:
    """Raises as `of_bytes` does where that would, sooner."""
    with _decoding(data):
        _pnm_planes(data, 1) if _is_pnm(data) else _decoded(data, 128, 1)


def picture(path: Path) -> Image.Image:
    """The whole picture at `path`, upright, by the same rules but for the square: RGB, or gray of 8 bits (mode L) or,
    where the file has more, of floats in [0, 1] (F). Raises as `load` does."""
    data = file_bytes(path)
    with _decoding(data):
        planes, orientation = (_pnm_planes(data, 3), 1) if _is_pnm(data) else _decoded(data, 0, 3)
    if len(planes) > 1:
        planes = [Image.merge("RGB", [eight_bits(plane) for plane in planes])]
    turned = _UPRIGHT.get(orientation)
    return planes[0] if turned is None else planes[0].transpose(turned)


def eight_bits(gray_or_colour: Image.Image) -> Image.Image:
    """A picture in 8 bits: mode L or RGB."""
    return Image.fromarray(pixels(np.asarray(gray_or_colour))) if gray_or_colour.mode == "F" else gray_or_colour


@contextmanager
def _decoding(data: bytes) -> Iterator[None]:
    """Whatever a decoder meets in the bytes of a file becomes `UnreadableImageError`, and warnings are nobody's."""
    _check_length(data)
    try:
        with _pillow_warnings:
            yield
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        raise UnreadableImageError(f"{_foreign(data)}not a readable {', '.join(FORMATS)} or PNM image") from None
    except Exception as error:  # decoders meet damage with any exception: struct.error, SyntaxError, OverflowError, ...
        reason = " ".join(str(error).split())[:200]
        raise UnreadableImageError(f"cannot be decoded: {reason or type(error).__name__}") from error


def is_image(path: Path) -> bool:
    """Whether the file begins as one of the formats that `load` reads; it may yet be damaged. Raises OSError."""
    with opened_file(path) as file:
        head = file.read(64)
    if _PNM_BEGINNING.match(head):
        return True
    Image.init()
    with _pillow_warnings:
        formats = {name for name in FORMATS if (accepts := Image.OPEN[name][1]) and accepts(head) is True}
    if formats == {"BMP"}:  # two letters begin a text as well: the length of its second header tells
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return bool(formats)


def standard_scaled(x: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Each image of `x` (..., H, W) as (x - mean) / std * 0.25 + 0.5, clipped to [0, 1]; same shape.

    Mean and standard deviation are the image's own, over H and W. Constant images (`is_constant`) become all 0.5.
    """
    mean = x.mean(axis=(-2, -1), dtype=np.float64, keepdims=True)
    std = x.std(axis=(-2, -1), dtype=np.float64, keepdims=True, mean=mean)
    gain = np.where(std < CONSTANT_STD, 0.0, 0.25 / np.maximum(std, CONSTANT_STD))
    scaled = (x - mean.astype(np.float32)) * gain.astype(np.float32)  # the sums need 64 bits, the pixels do not
    scaled += np.float32(0.5)
    return np.clip(scaled, 0.0, 1.0, out=scaled).astype(np.float32, copy=False)


def is_constant(x: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """(n,) whether each image of `x` (n, c, H, W) or (c, H, W), in [0, 1], leaves standard scaling nothing to scale."""
    planes = x.reshape(-1, *x.shape[-3:])
    # Two pixels that are so far apart leave no standard deviation below the bound: of most images that is all it takes.
    spread = planes.max(axis=(-2, -1)) - planes.min(axis=(-2, -1))
    constant = ~(spread > 2 * CONSTANT_STD * math.sqrt(math.prod(x.shape[-2:]))).any(-1)
    constant[constant] = (planes[constant].std(axis=(-2, -1), dtype=np.float64) < CONSTANT_STD).all(-1)
    return np.asarray(constant)


def pixels(x: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """`x` in [0, 1], any shape, as 8-bit values for display: round(255 x), clipped."""
    return np.rint(np.clip(x, 0.0, 1.0) * 255.0).astype(np.uint8)


def pictures(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, c, H, W) -> (n, H, W), or (n, H, W, 3) in colour: as images are kept to be looked at."""
    return np.moveaxis(planes, 1, -1) if planes.shape[1] > 1 else planes[:, 0]


def content(x: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """(CONTENT_BYTES,) of the SHA-256 of one image in [0, 1] as 8-bit values: the same for every file of this picture.

    Whatever the file's name, metadata, format and compression, if it is decoded to the same gray values. A JPEG that
    another program has decoded to pixels is not where it was in colour (its gray is taken from the file, and rounded
    elsewhere) or large (it is read at a fraction of its size).
    """
    return np.frombuffer(hashlib.sha256(pixels(x).data).digest()[:CONTENT_BYTES], np.uint8)


def file_bytes(path: Path) -> bytes:
    """The whole file, but of one that is too large only one byte more than `MAX_FILE_BYTES`. Raises as `load` does.

    Reading it at once leaves no open handle behind and bounds what a decoder can seek in.
    """
    try:
        if not path.is_file() and not file_of(path).is_file() and not storage.is_remote(path):
            raise UnreadableImageError("no such file" if not path.exists() else "not a regular file")
        with opened_file(path) as file:
            data = file.read(_SMALL)
            if len(data) == _SMALL:
                data += file.read(MAX_FILE_BYTES + 1 - _SMALL)
    except (UnreadableImageError, StorageError):  # the second says nothing about the image
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        raise UnreadableImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return data


def _foreign(data: bytes) -> str:
    """What a file that is no image is, where it can be put right."""
    is_video = data.startswith(b"\x1aE\xdf\xa3") or (data[:4] == b"RIFF" and data[8:11] == b"AVI")
    is_video |= data[4:8] == b"ftyp" and data[8:12] not in _PHOTOS
    return "a video, whose frames 'fas data frames' takes: " if is_video else ""


def _check_length(data: bytes) -> None:
    if not data:
        raise UnreadableImageError("the file is empty")
    if len(data) > MAX_FILE_BYTES:
        raise UnreadableImageError(f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB")


def _check_size(width: int, height: int, limit: int = MAX_PIXELS) -> None:
    """Refuses by the declared size alone, before memory is spent on it."""
    if width < 1 or height < 1:
        raise UnreadableImageError(f"declares {width} x {height} pixels")
    if width * height > limit:
        raise UnreadableImageError(f"declares {width} x {height} pixels, more than {limit // 10**6} megapixels")


def _decoded(data: bytes, size: int, channels: int) -> tuple[list[Image.Image], int]:
    """The planes of the first frame (mode L, or F in [0, 1]; one where it is gray), not yet upright, and its EXIF
    orientation 1..8. `size`: pixels that are wanted of a side; 0: all."""
    # Other libraries (the one that makes PDFs) let Pillow pad what is cut off, in the whole process.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(*image.size, limit=MAX_JPEG2000_PIXELS if image.format == "JPEG2000" else MAX_PIXELS)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            if data.count(b"\xff\xda") > MAX_JPEG_SCANS:
                raise UnreadableImageError(f"a JPEG of more than {MAX_JPEG_SCANS} scans")
            # Luma alone where that is wanted, and 1/2, 1/4 or 1/8 scale while that is still ample.
            if size:
                image.draft("L" if channels == 1 else "RGB", (2 * size, 2 * size))
        image.load()
        return _coloured(image) if channels > 1 else [_gray(image)], _orientation(image)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation after loading; 1 (upright) where the metadata is absent or damaged, which the pixels survive.

    The TIFF reader has turned the image itself by now, and dropped the tag.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged metadata raises anything, too
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _gray(image: Image.Image) -> Image.Image:
    """Luma of a loaded image: mode L (0..255), or F in [0, 1] where the file has more than 8 bits."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(_sixteen_bit_gray(image))
    if image.mode in ("I", "F"):
        return Image.fromarray(_unbounded_gray(image))
    if image.mode == "La":  # colour already multiplied by alpha, which is the image over black
        return image.getchannel(0)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return ImageChops.multiply(image.convert("L"), image.getchannel("A"))
    if image.mode == "LAB":
        image = image.convert("RGB")
    return image.convert("L")


def _coloured(image: Image.Image) -> list[Image.Image]:
    """Red, green and blue of a loaded image, mode L each; its gray alone where it has no colour."""
    if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16"):
        return [_gray(image)]
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        return [ImageChops.multiply(image.getchannel(band), alpha) for band in "RGB"]
    return list(image.convert("RGB").split())


def _sixteen_bit_gray(image: Image.Image) -> NDArray[np.float32]:
    """(h, w) in [0, 1] of an unsigned 16-bit or 12-bit gray image, its one transparent value (PNG) as black."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    white = 4095 if tags.get(_BITS_PER_SAMPLE) == (12,) else 65535
    gray = values.astype(np.float32) / np.float32(white)
    if tags.get(_PHOTOMETRIC) == 0:  # "white is zero", which Pillow leaves to the caller beyond 8 bits
        gray = 1 - gray
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[values == transparent] = 0
    return gray


def _unbounded_gray(image: Image.Image) -> NDArray[np.float32]:
    """(h, w) in [0, 1] of signed, 32-bit or float values: floats in [0, 1] as they are, others by their own range."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (1,)) == (1,):
        values = values.view(np.uint32)  # Pillow keeps the bits but calls them signed
    if not np.isfinite(values).all():
        raise UnreadableImageError("has pixels that are not finite numbers")
    low, high = float(values.min()), float(values.max())
    if image.mode == "F" and low >= 0 and high <= 1:
        gray = values.astype(np.float32)
    else:  # in float64: a float32 file may span more than float32 can subtract, and uint32 has more digits
        stretched = np.subtract(values, low, dtype=np.float64)
        stretched /= high - low if high > low else 1.0
        gray = stretched.astype(np.float32)
    return 1 - gray if tags.get(_PHOTOMETRIC) == 0 else gray


def _is_pnm(data: bytes) -> bool:
    return data[:1] == b"P" and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6")


def _pnm_planes(data: bytes, channels: int) -> list[Image.Image]:
    """In [0, 1], mode F, of a PBM, PGM or PPM file, plain (P1-P3) or raw (P4-P6), scaled by its maxval: gray, or three
    planes where it is in colour and that is asked for.

    Read here and not by Pillow: face sets come as plain PGM, which Pillow reads one number at a time in Python
    (slow, and without bound where the body is full of comments), rounding maxval to 8 bits on the way.
    """
    kind = data[1] - ord("0")
    is_bitmap = kind in (1, 4)
    header = (_PNM_BITMAP_HEADER if is_bitmap else _PNM_HEADER).match(data)
    if header is None:
        raise UnreadableImageError("a PNM image without a valid header")
    width, height, maxval = (*map(int, header.groups()), 1)[:3]
    _check_size(width, height)
    if not 1 <= maxval <= 65535:
        raise UnreadableImageError(f"a PNM image with maxval {maxval}; it may be 1 to 65535")
    bands = 3 if kind in (3, 6) else 1
    body = memoryview(data)[header.end() :]
    if kind <= 3:
        samples = _plain_samples(body, width * height * bands, is_bitmap)
    elif is_bitmap:
        rows = _raw_samples(body, (width + 7) // 8 * height, np.dtype(np.uint8)).reshape(height, -1)
        samples = np.unpackbits(rows, axis=1, count=width)
    else:
        samples = _raw_samples(body, width * height * bands, np.dtype(np.uint8 if maxval < 256 else ">u2"))
    if int(samples.max()) > maxval:
        raise UnreadableImageError(f"a PNM image with a sample above its maxval {maxval}")
    scaled = samples.reshape(height, width, bands).astype(np.float32)
    scaled /= np.float32(maxval)
    if bands == 3 and channels == 3:
        return [Image.fromarray(np.ascontiguousarray(scaled[..., band])) for band in range(3)]
    gray = scaled @ _LUMA if bands == 3 else scaled[..., 0]
    return [Image.fromarray(1 - gray if is_bitmap else gray)]  # in bitmaps 1 is black


def _raw_samples(body: memoryview, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    if len(body) < count * dtype.itemsize:
        raise UnreadableImageError(f"truncated: {len(body)} of {count * dtype.itemsize} bytes of pixels")
    return np.frombuffer(body, dtype=dtype, count=count)


def _plain_samples(body: memoryview, count: int, is_bitmap: bool) -> NDArray[Any]:
    """The first `count` decimal numbers of `body`, or its first `count` digits 0 and 1, which need no gaps."""
    text = bytes(body).strip(_PNM_SPACE)
    if text.translate(None, b"0123456789" + _PNM_SPACE):  # comments, too, belong in the header
        raise UnreadableImageError("a plain PNM image with something other than numbers in its body")
    if is_bitmap:
        samples: NDArray[Any] = np.frombuffer(text.translate(None, _PNM_SPACE), dtype=np.uint8) - np.uint8(ord("0"))
    else:
        samples = np.fromstring(text, dtype=np.int64, sep=" ")  # stripped, because blanks alone count as a number to it
    if len(samples) < count:
        raise UnreadableImageError(f"truncated: {len(samples)} of {count} samples")
    return samples[:count]


def _square(plane: Image.Image, size: int) -> NDArray[np.float32]:
    """(size, size) in [0, 1]: the centred square of the shorter side of `plane` (mode L, or F in [0, 1]), resized."""
    white = 255.0 if plane.mode == "L" else 1.0
    width, height = plane.size
    side = min(width, height)
    box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    # In floats, because standard scaling may amplify what rounding to 8 bits would leave.
    square = plane.convert("F").resize((size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return np.clip(np.asarray(square) / np.float32(white), 0.0, 1.0)


def _upright(square: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """`square` (size, size) as a viewer shows it, by EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        square = square.T
    if orientation in (2, 3, 6, 7):
        square = square[:, ::-1]
    if orientation in (3, 4, 7, 8):
        square = square[::-1]
    return np.ascontiguousarray(square)
