"""Images of samples on a page: PNGs inside the file, pixelated where faces must not travel."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image

from fas_core.files import shortened
from fas_core.reports.html import Triplet
from fas_core.runs.store import Run

NAMES = {"inputs": "original", "reconstructions": "reconstruction"}  # of `Run.pictures`
BLOCKS = 8  # by 8: what pixelating leaves of an image
ERROR_LIMIT = 0.5  # what the end of the error scale stands for, as in the app
# The error scale of the app: inferno.
_ERROR_COLOURS = (
    "000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4",
)  # fmt: skip
HIDDEN = f"Pixelated to {BLOCKS} × {BLOCKS} blocks: who is shown is not to be seen."
SCALE = f"Errors are absolute, from 0 (dark) to {ERROR_LIMIT:g} of the pixel range or more (bright)."


def pixelated(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, H, W) or (n, H, W, 3), at least `BLOCKS` pixels each way -> the mean of each of `BLOCKS` x `BLOCKS` blocks,
    in its place."""
    blocks = [np.arange(size) * BLOCKS // size for size in images.shape[1:3]]
    counts = [np.bincount(of_pixel, minlength=BLOCKS) for of_pixel in blocks]
    starts = [np.cumsum(of_axis) - of_axis for of_axis in counts]
    sums = np.add.reduceat(np.add.reduceat(images.astype(np.float64), starts[0], axis=1), starts[1], axis=2)
    of_block = np.multiply.outer(*counts).reshape(BLOCKS, BLOCKS, *[1] * (images.ndim - 3))
    means = np.rint(sums / of_block).astype(np.uint8)
    return means[:, blocks[0][:, None], blocks[1][None]]


def error_map(original: NDArray[np.uint8], reconstruction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) twice -> (H, W, 3) in the colours of the error scale; of colours, their mean error."""
    anchors = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in _ERROR_COLOURS], float)
    share = np.abs(original.astype(float) - reconstruction) / 255 / ERROR_LIMIT
    share = share.mean(-1) if share.ndim == 3 else share
    place = share.clip(0, 1) * (len(anchors) - 1)
    channels = [np.interp(place, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


_SHOWN: ContextVar[list[tuple[Run, NDArray[np.int64]]] | None] = ContextVar("shown", default=None)


@contextmanager
def shown_clear() -> Iterator[list[tuple[Run, NDArray[np.int64]]]]:
    """The rows of Runs whose images pages have shown as they are, once the block is done: who looks is told of."""
    shown: list[tuple[Run, NDArray[np.int64]]] = []
    token = _SHOWN.set(shown)
    try:
        yield shown
    finally:
        _SHOWN.reset(token)


def pictures_of(run: Run, rows: NDArray[np.int64], *, hides_faces: bool) -> list[dict[str, NDArray[np.uint8]]]:
    """Of each row what the Run holds of original, reconstruction and, where it holds both, the error."""
    images = {name: run.images(name, rows) for name in run.pictures}
    if hides_faces:
        images = {name: pixelated(of_name) for name, of_name in images.items()}
    elif (shown := _SHOWN.get()) is not None:
        shown.append((run, rows))
    listed = []
    for place in range(len(rows)):
        pictures = {NAMES[name]: of_name[place] for name, of_name in images.items()}
        if len(pictures) == len(NAMES):
            pictures["error"] = error_map(*pictures.values())
        listed.append(pictures)
    return listed


def pictures_words(run: Run) -> str:
    """What `pictures_of` has of each image of this Run: original, reconstruction and error."""
    held = [NAMES[name] for name in run.pictures]
    return f"{' , '.join(held)} and error".replace(" ,", ",") if len(held) == len(NAMES) else f"{held[0]} alone"


class PictureSheet:
    """Triplets in two columns, what is said of each below it, as SVG."""

    _SIDE, _GAP, _LINE, _ACROSS = 96, 3, 15, 2  # pixels; triplets beside each other

    def __init__(self, triplets: Sequence[Triplet], label: str) -> None:
        self.triplets, self.label = triplets, label

    def drawn(self) -> Markup:
        """The SVG; its pictures are within."""
        side = self._SIDE + self._GAP
        across = max([len(triplet.pictures) for triplet in self.triplets], default=3) * side + 4 * self._GAP
        down = side + 2 * self._LINE + 2 * self._GAP
        parts = []
        for i, triplet in enumerate(self.triplets):
            images = "".join(
                f"<image x='{side * k}' y='0' width='{self._SIDE}' height='{self._SIDE}' href='{address}'>"
                f"<title>{escape(what)}</title></image>"
                for k, (what, address) in enumerate(triplet.pictures)
            )
            at = f"translate({across * (i % self._ACROSS)} {down * (i // self._ACROSS)})"
            lines = [triplet.words, shortened(triplet.sample_id[::-1], 44)[::-1]]
            texts = "".join(
                f"<text x='0' y='{self._SIDE + self._LINE * (k + 1)}'>{escape(line)}</text>"
                for k, line in enumerate(lines)
            )
            parts.append(f"<g transform='{at}'>{images}{texts}</g>")
        width, height = across * self._ACROSS, down * -(-len(self.triplets) // self._ACROSS)
        return Markup(
            f"<svg viewBox='0 0 {width} {height}' width='{width}' height='{height}' role='img' font-size='12' "
            f"font-family='system-ui, sans-serif' fill='#1a1a1a' aria-label='{escape(self.label)}'>"
            f"{''.join(parts)}</svg>"
        )

    def data(self) -> pd.DataFrame:
        """A row per triplet: its sample and what is said of it."""
        return pd.DataFrame([(each.sample_id, each.words) for each in self.triplets], columns=["sample_id", "words"])


def png(pixels: NDArray[np.uint8]) -> str:
    """(H, W) or (H, W, 3) as a data URI."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
