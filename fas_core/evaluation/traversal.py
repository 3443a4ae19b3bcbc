"""Paths through the latent space: along a direction, between samples, from the prior; and sheets of what is decoded.

NumPy alone. `predict.decoded` turns the codes into images.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fas_core import memo, metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.latent import projection
from fas_core.metrics.uncertainty import one_thread
from fas_core.runs.store import Run

STEPS = 9  # of a strip; odd, so that the middle one is the sample itself
SIDE = 5  # of a grid
SCORES = ("mahalanobis", "gmm_nll")  # those that ask of a code alone how unlike the live training codes it is
MOST_OF_SPECIES = 20_000  # attacks whose mean is taken, evenly spaced among all of their species


@dataclass(frozen=True, eq=False)
class Landscape:
    """Where the codes of a Run lie: what directions are measured by.

    mean (d,) and covariance (d, d) are those of `n` codes, `whose` says which: of the bona fide training images, of all
    bona fide ones where none is for training, of all images where none is bona fide. species (s,) names the attacks,
    means (s, d) says where they lie.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    n: int
    whose: str
    species: NDArray[np.str_]
    means: NDArray[np.float64]

    @property
    def deviations(self) -> NDArray[np.float64]:
        """(d,) standard deviation of each latent dimension."""
        return np.sqrt(np.diag(self.covariance))

    def mean_of(self, species: str) -> NDArray[np.float64]:
        """(d,) the mean code of an attack species; raises BadInputError naming the choices."""
        if species not in self.species:
            raise BadInputError(f"No attack is of species '{species}'. Species: {', '.join(self.species) or 'none'}.")
        return np.asarray(self.means[self.species.tolist().index(species)])

    def drawn(self, n: int, seed: int) -> NDArray[np.float64]:
        """(n, d) codes from one Gaussian with this mean and covariance; the first ones do not depend on n."""
        variances, axes = np.linalg.eigh(self.covariance)
        return self.mean + from_prior(n, len(self.mean), seed) * np.sqrt(variances.clip(min=0)) @ axes.T


def landscape(run: Run) -> Landscape:
    """Of a Run with images; computed once, then read from the memo. Codes are read a shard at a time.

    Raises BadInputError where the Run has fewer than two codes.
    """
    arrays = memo.arrays(run.cache, "live landscape", {"run": run.shards_digest}, lambda: _measured(run))
    about = {"n": int(arrays.pop("n")), "whose": str(arrays.pop("whose"))}
    return Landscape(**arrays, **about)  # type: ignore[arg-type]


def _measured(run: Run) -> memo.Arrays:
    """The fields of `Landscape`."""
    about = run.samples([name for name in ("label", "pai_species") if name in run.column_names()])
    rows, is_training = projection.pca_rows(run)
    whose = "live training codes"
    if not is_training:
        live = np.flatnonzero(about["label"] == BONA_FIDE)
        rows, whose = (live, "live codes") if len(live) > 1 else (rows, "codes")
    if len(rows) < 2:
        raise BadInputError(
            f"Run {run.info.name} has {len(rows)} code: directions need at least two to be measured by."
        )
    n, total, scatter, origin = 0, np.zeros(1), np.zeros((1, 1)), np.zeros(1)
    with one_thread():
        for block in run.latent_blocks(rows):
            codes = block.astype(np.float64)
            if not n:
                origin = codes.mean(0)  # sums around it lose no digits to a common offset
            codes -= origin
            n, total, scatter = n + len(codes), total + codes.sum(0), scatter + codes.T @ codes
    covariance = (scatter - np.outer(total, total) / n) / (n - 1)
    np.fill_diagonal(covariance, np.diag(covariance).clip(min=0))
    means = _species_means(run, about)
    return {
        "mean": origin + total / n,
        "covariance": covariance,
        "n": np.array(n),
        "whose": np.array(whose),
        "species": np.array(list(means), np.str_),
        "means": np.array(list(means.values())).reshape(len(means), run.latent_dim),
    }


def _species_means(run: Run, about: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    is_attack = (about["label"] == ATTACK).to_numpy()
    named = about["pai_species"] if "pai_species" in about else [""] * len(about)
    species = metrics.species_names(is_attack, named)
    means = {}
    for name in sorted(set(species[is_attack].tolist())):
        rows = np.flatnonzero(is_attack & (species == name))
        rows = rows[:: -(-len(rows) // MOST_OF_SPECIES)]
        sums = [block.sum(0, dtype=np.float64) for block in run.latent_blocks(rows)]
        means[str(name)] = np.sum(sums, axis=0) / len(rows)
    return means


@dataclass(frozen=True, eq=False)
class Direction:
    """step (d,): by how much a code moves per unit; `unit`: "sd" of the live training codes, or "way" between means."""

    name: str
    step: NDArray[np.float64]
    unit: str

    def codes(self, start: NDArray[np.floating], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, d): `start` (d,) moved by each of the offsets (m,), in units."""
        return np.asarray(start, np.float64) + np.outer(offsets, self.step)

    def position(self, code: NDArray[np.floating], origin: NDArray[np.floating]) -> float:
        """How many units `code` lies from `origin`, along the direction alone; NaN where a unit is no movement."""
        squared = float(self.step @ self.step)
        return float(np.dot(code - origin, self.step)) / squared if squared > 0 else float("nan")

    def words(self, offset: float) -> str:
        """An offset as people read it: "+1.5 sd", "−50 %" of the way, "0"."""
        if offset == 0:
            return "0"
        sign = "+" if offset > 0 else "−"
        value = 100 * abs(offset) if self.unit == "way" else abs(offset)
        return f"{sign}{float(f'{value:.4g}'):g}\u00a0{'%' if self.unit == 'way' else 'sd'}"


def along_dimension(place: Landscape, number: int) -> Direction:
    """One latent dimension, 0..d-1; raises BadInputError for another one."""
    d = len(place.mean)
    if not 0 <= number < d:
        raise BadInputError(f"There is no latent dimension {number}: they are 0 to {d - 1}.")
    step = np.zeros(d)
    step[number] = place.deviations[number]
    return Direction(f"along latent dimension {number}", step, "sd")


def along_axis(place: Landscape, pca: projection.PrincipalComponents, number: int) -> Direction:
    """Principal axis, 1 for the first; raises BadInputError for another one."""
    if not 1 <= number <= len(pca.components):
        raise BadInputError(f"There is no principal axis {number}: they are 1 to {len(pca.components)}.")
    axis = pca.components[number - 1]
    return Direction(f"along principal axis {number}", axis * np.sqrt(max(0.0, axis @ place.covariance @ axis)), "sd")


def towards(place: Landscape, species: str) -> Direction:
    """The difference of means: from that of the live training codes to that of a species. One unit is all the way.

    Not in standard deviations: attacks may lie where no two live training codes differ. Raises BadInputError for a
    species that is not there.
    """
    return Direction(f"towards {species.replace('_', ' ')} attacks", place.mean_of(species) - place.mean, "way")


def offsets(reach: float, steps: int = STEPS) -> NDArray[np.float64]:
    """(steps,) evenly from -reach to reach; the middle one is exactly 0."""
    half = steps // 2
    return reach * np.arange(-half, half + 1) / half


def between(first: NDArray[np.floating], second: NDArray[np.floating], steps: int = STEPS) -> NDArray[np.float64]:
    """(steps, d): evenly on the straight line from one code (d,) to another; both ends are exactly those."""
    share = np.linspace(0, 1, steps)[:, None]
    return (1 - share) * np.asarray(first, np.float64) + share * np.asarray(second, np.float64)


def grid(corners: NDArray[np.floating], side: int = SIDE) -> NDArray[np.float64]:
    """(side * side, d), row by row: bilinear between corners (4, d), upper left and right, lower left and right."""
    upper, lower = between(corners[0], corners[1], side), between(corners[2], corners[3], side)
    return np.stack([between(a, b, side) for a, b in zip(upper, lower, strict=True)], axis=1).reshape(side * side, -1)


def has_prior(run: Run) -> bool:
    """Whether the model was trained towards a distribution of codes: VAEs, whose KL term pulls them to N(0, I)."""
    return "kl" in run.info.scores


def from_prior(n: int, d: int, seed: int) -> NDArray[np.float64]:
    """(n, d) from N(0, I); the first ones do not depend on n."""
    return np.random.default_rng(seed).standard_normal((n, d))


@dataclass(frozen=True, eq=False)
class _CodesAlone:
    """`scores.Outputs` of codes that no image was encoded to."""

    codes: NDArray[np.float32]

    def samples(self, columns: Sequence[str]) -> pd.DataFrame:
        raise BadInputError(f"A code alone has no {', '.join(columns)}: choose one of the scores {', '.join(SCORES)}.")

    def looks(self, name: str) -> NDArray[np.float64]:
        raise BadInputError(f"A code alone has no {name}: choose one of the scores {', '.join(SCORES)}.")

    def pairs(self, measure: str) -> dict[str, NDArray[np.float64]]:
        raise BadInputError(f"A code alone has no {measure}: choose one of the scores {', '.join(SCORES)}.")


def unlikeness(run: Run, score: str, codes: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) one of `SCORES` of codes (n, d), fitted as for the Run; raises BadInputError for another score."""
    if score not in SCORES:
        raise BadInputError(f"'{score}' needs an image: of a code alone, {' and '.join(SCORES)} can be asked.")
    return scores.of_outputs(_CodesAlone(codes.astype(np.float32)), score, run)


def known_images(run: Run, codes: NDArray[np.floating]) -> NDArray[np.uint8] | None:
    """(n, H, W) what the decoder of a Run's checkpoint paints of codes (n, d), where that has been kept."""
    kept = memo.found(run.cache, "decoded", _decoded_from(run, codes))
    return None if kept is None else kept["images"]


def keep_images(run: Run, codes: NDArray[np.floating], images: NDArray[np.uint8]) -> None:
    """So that who looks at them first need not wait for PyTorch."""
    memo.arrays(run.cache, "decoded", _decoded_from(run, codes), lambda: {"images": images})


def _decoded_from(run: Run, codes: NDArray[np.floating]) -> dict[str, object]:
    exact = hashlib.sha256(np.ascontiguousarray(codes, np.float32).tobytes()).hexdigest()
    return {**run.info.model_identity, "codes": exact}


# ------------------------------------------------------------------------------------------------------------- sheets

_GAP, _MARGIN, _LINE = 6, 16, 16  # pixels
_INK, _PAPER = 20, 255  # gray
_LETTERS = 12.0


@dataclass(frozen=True, eq=False)
class Tile:
    """An image (H, W) uint8, and what is written below it."""

    image: NDArray[np.uint8]
    lines: Sequence[str]


def sheet(title: str, rows: Sequence[Sequence[Tile]]) -> bytes:
    """A PNG of rows of images, pixel for pixel, with their lines below them; the same bytes for the same arguments.

    The letters are those that come with Pillow: Latin ones without accents; others are drawn as empty boxes.
    """
    font = ImageFont.load_default(_LETTERS)
    heights = [_tallest(row) + _LINE * max(len(tile.lines) for tile in row) + _GAP for row in rows]
    width = max(sum(tile.image.shape[1] + _GAP for tile in row) for row in rows) - _GAP
    words = _folded(title, font, width)
    page = Image.new("RGB", (width + 2 * _MARGIN, sum(heights) + _LINE * (len(words) + 1) + 2 * _MARGIN), (_PAPER,) * 3)
    draw = ImageDraw.Draw(page)
    y = _MARGIN
    for line in words:
        draw.text((_MARGIN, y), line, (_INK,) * 3, font)
        y += _LINE
    y += _LINE // 2
    for row, height in zip(rows, heights, strict=True):
        x = _MARGIN
        for tile in row:
            page.paste(Image.fromarray(tile.image).convert("RGB"), (x, y))
            for number, line in enumerate(tile.lines):
                text = _cut(line, font, tile.image.shape[1])
                draw.text((x, y + _tallest(row) + 2 + number * _LINE), text, (_INK,) * 3, font)
            x += tile.image.shape[1] + _GAP
        y += height
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _tallest(row: Sequence[Tile]) -> int:
    return max(tile.image.shape[0] for tile in row)


def _drawable(text: str) -> str:
    """With signs that the letters have."""
    return text.replace("−", "-").replace("\u00a0", " ")


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    text = _drawable(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _folded(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines = [""]
    for word in _drawable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(line, font, width) for line in lines]


def file_name(*parts: str) -> str:
    """A name for a sheet that every file system takes: "small_dcvae_live-3_principal-axis-2.png"."""
    safe = (re.sub(r"[^\w.+-]+", "-", part.replace("−", "-")).strip("-.")[:60] for part in parts)
    return "_".join(part for part in safe if part) + ".png"
