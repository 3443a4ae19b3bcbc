"""The same picture in several files, told by images alone: a perceptual hash proposes, pixels decide.

Images are compared as models see them (centred square, gray, brightness and contrast scaled away), shrunk to 32x32. On
640 photographs of 20 people the limit takes in a picture that was saved anew as a JPEG of quality 10, at half its size,
or 30 % brighter (differences up to 0.028), and none of another person (0.078 and more); a cropped, shifted or mirrored
one is another picture. The hash is the phash of Zauner (2010), which the packages for it compute with SciPy's cosine
transform too, one image at a time and through a decoder that is not this project's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import dctn

from fas_core.data import images, thumbnails
from fas_core.data.manifest import Manifest
from fas_core.data.names import in_protocol_order, is_training
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.progress import task

MAX_DIFFERENCE = 0.03  # root mean square of pixels in 0..1, at a standard deviation of 0.25
MAX_BITS = 8  # of 64, by which the hashes of two pictures that may be the same differ; those of the limit: 6
AHEAD = 1024  # images handed to the threads at once
BLOCK, WIDTH = 64, 2**17  # hashes against hashes at once: 64 MB

LEFT_COLUMNS = ("sample_id", "subset", "label", "pai_species", "stays", "stays_in", "difference", "reason")


@dataclass(frozen=True)
class Deduplicated:
    """`rows` that stay, in the manifest's order; `left`: one row per removed one, of `LEFT_COLUMNS`.

    `conflicts`: pairs of pictures that look the same and are not of one label and species (`sample_id`, `label`,
    `pai_species`, `subset` of both, `_of_other` at the second's); `notes`: sentences on what could not be judged.
    """

    rows: pd.DataFrame
    left: pd.DataFrame
    conflicts: pd.DataFrame
    max_difference: float
    notes: list[str]

    def as_json(self) -> Json:
        """The document of `fas data dedupe --json`."""
        names = in_protocol_order(pd.unique(pd.concat([self.rows["subset"], self.left["subset"]])))
        left, stays = self.left["subset"].value_counts(), self.rows["subset"].value_counts()
        return {
            "max_difference": self.max_difference,
            "n_before": len(self.rows) + len(self.left),
            "n_after": len(self.rows),
            "subsets": {name: {"left": int(left.get(name, 0)), "stay": int(stays.get(name, 0))} for name in names},
            "removed": self.left.to_dict("records"),
            "conflicts": self.conflicts.to_dict("records"),
            "notes": self.notes,
        }


def deduplicated(
    data: Manifest, max_difference: float = MAX_DIFFERENCE, *, across_labels: bool = False
) -> Deduplicated:
    """The rows of `data` without pictures that are there already.

    Whoever is outside `train` stays before whoever is in it, as a test loses nothing by a smaller training set; else
    the first of the manifest does. A picture leaves only where it is nearly that of a row that stays, so a row of
    frames that change slowly is thinned and not lost. Pictures of different labels or species are conflicts and stay;
    with `across_labels` both leave, as nothing says which label is right. Images that cannot be read stay. Raises
    BadInputError for a limit outside 0..0.2.
    """
    if not 0 <= max_difference <= 0.2:
        raise BadInputError(
            f"--max-difference {max_difference:g}: give a number from 0 (equal pictures) to 0.2, e.g. {MAX_DIFFERENCE}."
        )
    rows = data.rows
    small, is_readable = thumbnails_of(data.image_paths())
    order = np.argsort(is_training(rows), kind="stable")
    order = order[is_readable[order]]
    kinds = rows.groupby(["label", "pai_species"], sort=False).ngroup().to_numpy()
    search = _Search(small, phashes(small), kinds, max_difference)
    for first in range(0, len(order), BLOCK):
        search.add(order[first : first + BLOCK])
    leaving, pairs = dict(search.leaving), np.array(search.conflicts, np.int64).reshape(-1, 2)
    in_conflict = np.unique(pairs) if across_labels else np.empty(0, np.int64)
    left = _left(rows, small, leaving, pairs if across_labels else pairs[:0])
    stays = ~np.isin(np.arange(len(rows)), [*leaving, *in_conflict])
    if not stays.any():
        raise BadInputError(f"{data.source}: no image would be left. Leave out --across-labels.")
    return Deduplicated(
        rows[stays].reset_index(drop=True),
        left,
        _conflicts(rows, small, pairs),
        max_difference,
        _notes(rows, leaving, int((~is_readable).sum()), data.source),
    )


def phashes(small: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(n,) of (n, 1024) thumbnails: which of the 64 lowest frequencies are above their median."""
    n, side = len(small), thumbnails.SIDE
    hashes = np.empty(n, np.uint64)
    for first in range(0, n, AHEAD):
        waves = dctn(small[first : first + AHEAD].reshape(-1, side, side).astype(np.float32), axes=(1, 2), norm="ortho")
        low = waves[:, :8, :8].reshape(-1, 64)
        bits = low > np.median(low[:, 1:], axis=1, keepdims=True)  # the first is the mean of the image
        hashes[first : first + AHEAD] = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    return hashes


def thumbnails_of(paths: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(n, 1024) thumbnails, and (n,) whether the image could be read."""
    small = np.zeros((len(paths), thumbnails.SIDE**2), np.uint8)
    is_readable = np.zeros(len(paths), np.bool_)

    def thumbnail(path: Path) -> NDArray[np.uint8] | None:
        try:
            return thumbnails.shrunk(images.pixels(images.standard_scaled(images.load(path))))[0]
        except images.UnreadableImageError:
            return None

    with task("Reading images", len(paths)) as shown, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for first in range(0, len(paths), AHEAD):
            for row, read in enumerate(pool.map(thumbnail, paths[first : first + AHEAD]), start=first):
                if read is not None:
                    small[row], is_readable[row] = read, True
                shown.advance()
    return small, is_readable


class _Search:
    """Rows come block by block, who stays before who leaves; each is compared with those that stay alone."""

    def __init__(
        self, small: NDArray[np.uint8], hashes: NDArray[np.uint64], kinds: NDArray[np.int64], limit: float
    ) -> None:
        self.small, self.hashes, self.kinds, self.limit = small, hashes, kinds, limit
        self.stay: NDArray[np.int64] = np.empty(0, np.int64)
        self.leaving: dict[int, int] = {}  # row -> the row that stays for it
        self.conflicts: list[tuple[int, int]] = []

    def add(self, block: NDArray[np.int64]) -> None:
        near: dict[int, list[tuple[float, int]]] = {int(row): [] for row in block}
        for row, other, difference in (*self._alike(block, self.stay), *self._alike(block, block)):
            near[row].append((difference, other))
        place = {int(row): i for i, row in enumerate(block)}
        for row in place:
            others = sorted(
                pair for pair in near[row] if place.get(pair[1], -1) < place[row] and pair[1] not in self.leaving
            )
            same = [other for _, other in others if self.kinds[other] == self.kinds[row]]
            if same:
                self.leaving[row] = same[0]
            else:
                self.conflicts += [(other, row) for _, other in others]
        staying = np.array([row for row in place if row not in self.leaving], np.int64)
        self.stay = np.concatenate([self.stay, staying])

    def _alike(self, rows: NDArray[np.int64], among: NDArray[np.int64]) -> Iterator[tuple[int, int, float]]:
        """Pairs of two different rows that are nearly the same picture, and their difference."""
        for first in range(0, len(among), WIDTH):
            others = among[first : first + WIDTH]
            bits = np.bitwise_count(self.hashes[rows, np.newaxis] ^ self.hashes[others])
            a, b = np.nonzero(bits <= MAX_BITS)
            a, b = rows[a], others[b]
            differences = thumbnails.differences_of(self.small, a, b)
            for k in np.flatnonzero((differences <= self.limit) & (a != b)):
                yield int(a[k]), int(b[k]), float(differences[k])


def _left(
    rows: pd.DataFrame, small: NDArray[np.uint8], leaving: dict[int, int], conflicts: NDArray[np.int64]
) -> pd.DataFrame:
    """What leaves: for a row that stays, or, in a conflict, without one."""
    ids, subset = rows["sample_id"].to_numpy(object), rows["subset"].to_numpy(object)
    reasons: dict[int, tuple[int, str]] = {
        row: (stays, f"nearly the same picture as '{ids[stays]}' in {subset[stays]}") for row, stays in leaving.items()
    }
    for pair in conflicts.tolist():
        for row, other in (pair, pair[::-1]):
            kind = rows["pai_species"].iloc[other] or rows["label"].iloc[other]
            reasons[row] = (other, f"nearly the same picture as '{ids[other]}', which is {kind}: one label is wrong")
    order = np.array(sorted(reasons), np.int64)
    others = np.array([reasons[row][0] for row in order], np.int64)
    is_duplicate = np.isin(order, [*leaving])
    listed = rows.iloc[order][["sample_id", "subset", "label", "pai_species"]].reset_index(drop=True)
    return listed.assign(
        stays=np.where(is_duplicate, ids[others], "") if len(order) else "",
        stays_in=np.where(is_duplicate, subset[others], "") if len(order) else "",
        difference=thumbnails.differences_of(small, order, others).round(4),
        reason=[reasons[row][1] for row in order.tolist()],
    )


def _conflicts(rows: pd.DataFrame, small: NDArray[np.uint8], pairs: NDArray[np.int64]) -> pd.DataFrame:
    columns = ["sample_id", "subset", "label", "pai_species"]
    a, b = (rows.iloc[pairs[:, side]][columns].reset_index(drop=True) for side in (0, 1))
    both = pd.concat([a, b.add_suffix("_of_other")], axis=1)
    return both.assign(difference=thumbnails.differences_of(small, pairs[:, 0], pairs[:, 1]).round(4))


def _notes(rows: pd.DataFrame, leaving: dict[int, int], n_unreadable: int, source: Path) -> list[str]:
    notes = []
    subjects = rows["subject_id"].to_numpy(object)
    renamed = sum(bool(subjects[a] and subjects[b]) and subjects[a] != subjects[b] for a, b in leaving.items())
    if renamed:
        notes.append(
            f"{renamed} of the images that left name another subject than the one that stays: a face with two names."
        )
    if n_unreadable:
        notes.append(f"{n_unreadable} images cannot be read and stay; which and why: fas data check {source}")
    return notes
