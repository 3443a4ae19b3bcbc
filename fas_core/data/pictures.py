"""Any image file -> the whole picture, upright, for what has to see more of it than `images.load` gives.

The rules are those of `images`, but for the square: a picture keeps its size, and its colours if it has any.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, JpegImagePlugin, UnidentifiedImageError

from fas_core.data import images
from fas_core.data.images import UnreadableImageError

_GRAY_MODES = ("1", "L", "La", "LA", "I", "F")
_UPRIGHT = {  # what turns a picture of an EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(path: Path) -> Image.Image:
    """The picture at `path`: RGB, or gray of 8 bits (mode L) or, where the file has more, of floats in [0, 1] (F).

    Raises `UnreadableImageError`, and nothing else, when the file cannot be read or decoded.
    """
    data = images._file_bytes(path)
    images._check_length(data)
    try:
        with images._pillow_warnings:
            if images._is_pnm(data):
                return images._pnm_planes(data, 1)[0]
            return _decoded(data)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        known = f"not a readable {', '.join(images.FORMATS)} or PNM image"
        raise UnreadableImageError(f"{images._foreign(data)}{known}") from None
    except Exception as error:  # decoders meet damage with any exception
        reason = " ".join(str(error).split())[:200]
        raise UnreadableImageError(f"cannot be decoded: {reason or type(error).__name__}") from error


def _decoded(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=images.FORMATS) as image:
        is_jpeg2000 = image.format == "JPEG2000"
        images._check_size(*image.size, limit=images.MAX_JPEG2000_PIXELS if is_jpeg2000 else images.MAX_PIXELS)
        if isinstance(image, JpegImagePlugin.JpegImageFile) and data.count(b"\xff\xda") > images.MAX_JPEG_SCANS:
            raise UnreadableImageError(f"a JPEG of more than {images.MAX_JPEG_SCANS} scans")
        image.load()
        if image.mode in _GRAY_MODES or image.mode.startswith("I;16"):
            shown = images._gray(image)
        elif image.has_transparency_data:
            layers = image.convert("RGBA")
            alpha = layers.getchannel("A")
            shown = Image.merge("RGB", [ImageChops.multiply(layers.getchannel(band), alpha) for band in "RGB"])
        else:
            shown = image.convert("RGB")
        turned = _UPRIGHT.get(images._orientation(image))
    return shown if turned is None else shown.transpose(turned)


def eight_bits(picture: Image.Image) -> Image.Image:
    """The picture in 8 bits: mode L or RGB."""
    return Image.fromarray(images.pixels(np.asarray(picture))) if picture.mode == "F" else picture
