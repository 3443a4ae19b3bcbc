"""dlib's detector of frontal faces: boxes alone. For pictures without any by BlazeFace, or where that is not installed.

D. E. King, Max-Margin Object Detection, 2015; histograms of oriented gradients. Its weights are in dlib itself.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image

from fas_core.data.faces.face import Face

NAME = "hog"
LARGEST = 480  # pixels, of a picture's longer side: its time grows with them
ENLARGED = 2  # times, at most: it finds faces from 80 pixels on, and small pictures may hold smaller ones
LEAST_SCORE = 0.0


def is_installed() -> bool:
    """Whether the library dlib is here."""
    return find_spec("dlib") is not None


@cache
def _detector() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()


def faces(picture: Image.Image) -> list[Face]:
    """Those in a picture, the surest first."""
    scale = max(max(picture.size) / LARGEST, 1 / ENLARGED)
    size = (max(1, round(picture.width / scale)), max(1, round(picture.height / scale)))
    gray = np.ascontiguousarray(picture.convert("L").resize(size, Image.Resampling.BILINEAR))
    rectangles, scores, _ = _detector().run(gray, 0, LEAST_SCORE)
    return [
        Face(np.array([r.left(), r.top(), r.width(), r.height()], np.float64) * scale, float(np.tanh(score)), NAME)
        for r, score in zip(rectangles, scores, strict=True)
    ]
