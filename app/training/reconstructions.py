"""What the reconstructions of a training look like after each of its epochs."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from app.session import faces, identity
from app.session.address import keep_valid
from app.session.cache import cached, keyed
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.runs import traininglog
from fas_core.runs.traininglog import Samples, Training

STRIP = 6  # epochs beneath each other
SIDE = 128  # pixels of the screen per image
GAP = 4


@keyed
@dataclass(frozen=True)
class Written:
    """The reconstructions that a training has written so far."""

    training: Training
    stamp: tuple[int, int]  # of their file

    @property
    def digest(self) -> str:
        return repr((str(self.training.checkpoint), self.stamp))


@keyed
@dataclass(frozen=True, eq=False)
class Row:
    """Images (n, H, W) beside each other, u8."""

    of: Written
    epoch: int | None  # None: the originals
    images: NDArray[np.uint8]  # as they may be seen
    is_clear: bool

    @property
    def digest(self) -> str:
        return repr((self.of.digest, self.epoch, self.is_clear))


def written(training: Training) -> Written:
    try:
        file = traininglog.samples_file(training.checkpoint).stat()
    except OSError:
        return Written(training, (0, 0))
    return Written(training, (file.st_mtime_ns, file.st_size))


@cached(entries=8)
def samples_of(of: Written) -> Samples | None:
    return of.training.samples()


def show_reconstructions(chosen: dict[str, Training], logs: dict[str, pd.DataFrame]) -> None:
    """Of one of the trainings, by label: the samples that it follows, after a chosen epoch and over all of them."""
    if not identity.may(Right.PICTURES, None):
        st.caption(f":material/lock: The reconstructions of trainings {faces.FOR_WHOM}")
        return
    st.header("What do its reconstructions look like?" if len(chosen) == 1 else "What do reconstructions look like?")
    label = next(iter(chosen))
    if len(chosen) > 1:
        keep_valid("samples_of", list(chosen), label)
        label = st.segmented_control(
            "Training", list(chosen), default=label, format_func=escaped, required=True, key="samples_of",
            bind="query-params",
        )  # fmt: skip
    label = label if label in chosen else next(iter(chosen))
    training = chosen[label]
    of = written(training)
    samples = samples_of(of)
    if samples is None or not samples.epochs or not len(samples.inputs):
        when = "after its first epoch" if training.state == "running" else "by a training that ends an epoch"
        st.info(f"There are no reconstructions of {escaped(training.name)}: they are written {when}.")
        return
    kept = traininglog.kept_epoch(logs[label], training.chosen_by)
    with st.container():  # of its own: what stands below keeps its place when the slider appears
        epoch = chosen_epoch(training, samples, kept)
    st.write(about_images(samples, epoch))
    sight = faces.sight(None)
    names = [f"{training.name}, {name}" for name in samples.ids]

    def row(number: int | None) -> Row:
        pixels = samples.inputs if number is None else samples.epochs[number]
        return Row(of, number, sight.seen(pixels, lambda: names), sight.is_clear)

    row_of_images("Original", samples, row(None))
    mark = "  \nkept" if epoch == kept else ""
    row_of_images(f"**Epoch {epoch + 1:,}**{mark}", samples, row(epoch))
    numbers = list(samples.epochs)
    strip = [numbers[i] for i in dict.fromkeys(np.linspace(0, len(numbers) - 1, STRIP).round().astype(int).tolist())]
    if len(strip) > 1:
        st.markdown("**From the first to the last**")
        for number in strip:
            row_of_images(f"Epoch {number + 1:,}", samples, row(number))


def chosen_epoch(training: Training, samples: Samples, kept: int | None) -> int:
    """By the slider: the epoch that was kept, or the newest one while it is running, until somebody moves it."""
    shown = [number + 1 for number in samples.epochs]
    default = kept + 1 if training.state == "finished" and kept is not None and kept + 1 in shown else shown[-1]
    if len(shown) == 1:
        return shown[0] - 1
    keep_valid("epoch", shown, default)
    return int(st.select_slider("Epoch", shown, value=default, key="epoch", bind="query-params")) - 1


def about_images(samples: Samples, epoch: int) -> str:
    n, first = len(samples.inputs), next(iter(samples.epochs))
    what = f"{n:,} live image{'s' if n != 1 else ''}"
    words = f"After epoch {epoch + 1:,}, the pixels of these {what} are off by **{samples.pixel_l1(epoch):.3f}** of "
    words += "their range on average"
    return f"{words}; after epoch {first + 1:,}, by {samples.pixel_l1(first):.3f}." if epoch != first else f"{words}."


def row_of_images(title: str, samples: Samples, row: Row) -> None:
    left, right = st.columns([1, 9], vertical_alignment="center")
    left.markdown(title)
    png, width = _beside_each_other(row)
    right.image(png, width=width, output_format="PNG", alt=", ".join(samples.ids))


@cached(entries=64)
def _beside_each_other(row: Row) -> tuple[bytes, int]:
    """One PNG with transparent gaps, enlarged by whole factors up to `SIDE`, and its width."""
    factor = max(1, SIDE // row.images.shape[2])
    large = row.images.repeat(factor, 1).repeat(factor, 2)
    n, height, width, *colours = large.shape
    channels = 1 + (colours or [1])[0]  # gray or colour, and opacity
    sheet = np.zeros((height, n, width + GAP, channels), np.uint8)
    sheet[:, :, :width, :-1] = np.moveaxis(large.reshape(n, height, width, -1), 0, 1)
    sheet[:, :, :width, -1] = 255
    sheet = sheet.reshape(height, n * (width + GAP), channels)[:, :-GAP]
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG", compress_level=1)
    return file.getvalue(), sheet.shape[1]
