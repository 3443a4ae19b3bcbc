"""A data set with simulated attacks on its live images: `fas data attacks`."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from fas_core.data import boxes, images, regions
from fas_core.data.attacks import BY_FACE, require_species, require_strength, simulated
from fas_core.data.images import UnreadableImageError
from fas_core.data.manifest import BOXES, CUT_FROM, Manifest, relocated, write
from fas_core.data.names import ATTACK, BONA_FIDE, CROP
from fas_core.data.simulation import SIMULATED, SOURCE, STRENGTH, YES
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, file_sha256
from fas_core.progress import task
from fas_core.texts import read_numbers

_log = logging.getLogger(__name__)

LIVE_ONLY_SHARE = 0.2  # of the subjects: they get no attacks
SIDES = (128, 256)  # pixels of an attack's side: that of its live picture, within these
VERSION = "1"  # part of what a file is called by: another where a species comes out otherwise
_COLOURED = 1 / 255  # mean distance between channels from which a picture has colour


def write_attacked_data_set(
    source: Manifest, out: Path, species: Sequence[str], seed: int = 0, strengths: Sequence[float] = (1.0,)
) -> Path:
    """Writes simulated attacks on the bona fide images of `source` and a manifest of both; returns the manifest's path.

    A fifth of the subjects stay without attacks, because the protocol's subset `live` consists of such subjects. Of
    every other subject, a random half of the images is attacked with each species, at each strength, with the same
    draws at all of them. An attack belongs to the subject it shows, has a session of its own per strength, and says
    from which image it was made and how (`simulation.COLUMNS`). An image that is there already, made of the same, is
    kept. Raises BadInputError for an unknown species or strength, or when no bona fide image can be read.
    """
    for name in species:
        require_species(name)
    for strength in strengths:
        require_strength(strength)
    strengths = sorted(set(strengths))
    live = source.rows[source.rows["label"] == BONA_FIDE]
    if live.empty or not species or not strengths:
        missing = "no species was named" if not species else "no strength was named" if not strengths else ""
        what = missing or "no bona fide image to attack"
        raise BadInputError(f"{source.source}: {what}.")
    target = out / "manifest.csv"
    if target.resolve() == source.source.resolve():
        raise BadInputError(f"{target} is the manifest that is read. Choose another --out folder.")
    chosen = _chosen(source, live, species, seed)
    rows_here = relocated(source, target)
    making = _Making(source, rows_here, _places(source), _eyes_of_crops(source), strengths, out, seed)
    rows = []
    with task("Simulating attacks", len(chosen)) as shown:
        for number, kind in chosen:
            rows += making.write(number, kind)
            shown.advance()
    by_face = {number for number, kind in chosen if kind in BY_FACE}
    if n_assumed := sum(not making.knows_eyes(number) for number in by_face):
        _log.warning(
            "no eyes are known of %d of %d images: a face in the middle was assumed. fas data faces cuts faces out, "
            "with their eyes",
            n_assumed,
            len(by_face),
        )
    n_left = len(chosen) - len(rows) // len(strengths)
    if n_left:
        _log.warning("%d attacks were left out: their live images could not be read", n_left)
    if not rows:
        raise BadInputError(
            f"{source.source}: none of the images to attack could be read, e.g. {live['path'].iloc[0]}."
        )
    both = pd.concat([rows_here, pd.DataFrame(rows)], ignore_index=True)
    texts = [name for name in both.columns if not pd.api.types.is_numeric_dtype(both[name])]
    both[texts] = both[texts].fillna("")
    return write(both, target)


def _chosen(source: Manifest, live: pd.DataFrame, species: Sequence[str], seed: int) -> list[tuple[int, str]]:
    """Which row is attacked with what."""
    rng = np.random.default_rng([seed, 0])
    subjects = sorted(set(live["subject_id"]) - {""})
    unattacked = sorted(set(subjects) - set(source.rows.loc[source.rows["label"] == ATTACK, "subject_id"]))
    spared = set(rng.permutation(unattacked)[: round(LIVE_ONLY_SHARE * len(subjects))])
    return [
        (int(number), kind)
        for _, group in live[~live["subject_id"].isin(spared)].groupby("subject_id")
        for kind in sorted(set(species))
        for number in sorted(rng.permutation(group.index)[: -(-len(group) // 2)])
    ]


def _places(source: Manifest) -> NDArray[np.float64]:
    """(n, 8) `boxes.PLACES` in pixels of each row's picture, the eye further left first; NaN where unknown, and of
    faces that were cut out: theirs are in pixels of the picture that they were cut out of."""
    rows, _ = boxes.filled(source)
    places = np.full((len(rows), len(boxes.PLACES)), np.nan)
    for column, name in enumerate(boxes.PLACES):
        if name in rows:
            places[:, column] = read_numbers(rows[name].astype("str").fillna(""))
    places[_are_cut(rows)] = np.nan
    places[:, 4:] = boxes.in_order(places[:, 4:])
    return places


def _eyes_of_crops(source: Manifest) -> NDArray[np.float64]:
    """(n, 4) both eyes in shares of the crop, by what `fas data faces` says of it; NaN of any other row."""
    eyes = regions.placed(source.rows).eyes.reshape(-1, 4)
    return np.where(_are_cut(source.rows)[:, np.newaxis], eyes, np.nan)


def _are_cut(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) which rows are faces that were cut out."""
    told = [rows[name].astype("str").fillna("") != "" for name in (CUT_FROM, *CROP) if name in rows]
    return np.any([of_column.to_numpy(bool) for of_column in told], axis=0) if told else np.zeros(len(rows), np.bool_)


@dataclass(frozen=True, eq=False)
class _Making:
    """What attacks are made of, and where they are written."""

    source: Manifest
    rows_here: pd.DataFrame  # those of `source`, as a manifest in `out` has them
    places: NDArray[np.float64]  # (n, 8) of `boxes.PLACES`
    eyes_of_crops: NDArray[np.float64]  # (n, 4)
    strengths: Sequence[float]
    out: Path
    seed: int

    def knows_eyes(self, number: int) -> bool:
        """Whether a row's picture or crop states them."""
        return bool(np.isfinite([self.places[number, 4:], self.eyes_of_crops[number]]).all(1).any())

    def write(self, number: int, kind: str) -> list[dict[str, Any]]:
        """The manifest rows of one attack at every strength after writing its images; none where the live image cannot
        be read.

        What the manifest says of the live image (pose, glasses, ...) is true of the picture of it.
        """
        row, places = self.rows_here.loc[number], self.places[number]
        try:
            square = _Square(self.source.root / self.source.rows["path"].iloc[number])
            names = [self._name(number, kind, strength, square.sha256) for strength in self.strengths]
            files = [f"images/{kind}/{name}" for name in names]
            missing = [pair for pair in zip(self.strengths, files, strict=True) if not (self.out / pair[1]).is_file()]
            image = square.image if missing else None
            own = square.placed(places) if not np.isnan(places).all() else places
        except (OSError, UnreadableImageError):
            return []
        # Keyed by the sample, so that an attack does not depend on which others are made, nor a draw on the strength.
        key = int.from_bytes(hashlib.sha256(f"{self.seed}/{kind}/{row['sample_id']}".encode()).digest()[:8], "big")
        for strength, file in missing:
            assert image is not None
            eyes = square.eyes(own, self.eyes_of_crops[number])
            attack = simulated(image, kind, np.random.default_rng(key), strength, eyes)
            with atomic_file(self.out / file) as temporary:
                Image.fromarray(images.pixels(attack)).save(temporary, format="PNG")
        own_places = {}
        if not np.isnan(own).all():
            own_places = {name: round(float(at), 3) for name, at in zip(boxes.PLACES, own, strict=True) if name in row}
            own_places |= {name: square.size for name in regions.SIZE if name in row}
        subject, source_id = row["subject_id"], row["sample_id"]
        suffix = {strength: "" if strength == 1 else f"@{strength}" for strength in self.strengths}
        return [
            dict(row)
            | own_places
            | {name: "" for name in (BOXES,) if name in row}
            | {
                "path": file,
                "sample_id": f"{kind}{suffix[strength]}/{source_id}",
                "label": ATTACK,
                "pai_species": kind,
                "subject_id": subject,
                "session_id": f"{subject}/simulated {kind}{suffix[strength]}" if subject else "",
                "subset": "",
                SOURCE: source_id,
                STRENGTH: strength,
                SIMULATED: YES,
            }
            for strength, file in zip(self.strengths, files, strict=True)
        ]

    def _name(self, number: int, kind: str, strength: float, content: str) -> str:
        """What an image is called: by all that it is made of."""
        sample = self.source.rows["sample_id"].iloc[number]
        places = np.append(self.places[number], self.eyes_of_crops[number])
        parts = (VERSION, self.seed, kind, f"{strength}", sample, content, places.round(4).tolist())
        return f"{number:06d}_{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}.png"


class _Square:
    """What models are given of a live picture, of its size within `SIDES`, so that no resolution tells an attack."""

    def __init__(self, path: Path) -> None:
        self.path, self.sha256 = path, file_sha256(path)

    @cached_property
    def _picture(self) -> Image.Image:
        return images.picture(self.path)

    @property
    def _side(self) -> int:
        return min(self._picture.size)

    @property
    def size(self) -> int:
        return min(max(self._side, SIDES[0]), SIDES[1])

    @property
    def image(self) -> NDArray[np.float32]:
        """(H, W), or (H, W, 3) where it has colour."""
        if self._picture.mode == "RGB":
            coloured = images.load(self.path, self.size, 3)
            if np.ptp(coloured, axis=0).mean() > _COLOURED:
                return np.ascontiguousarray(np.moveaxis(coloured, 0, -1))
        return images.load(self.path, self.size)[0]

    def placed(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """(8,) places on the picture as places on the square."""
        left, top = (np.array(self._picture.size) - self._side) / 2
        moved = places - np.array([left, top, 0, 0, left, top, left, top])
        return moved * (self.size / self._side)

    def eyes(self, places: NDArray[np.float64], of_crop: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """(2, 2) both eyes, if they are known, by (8,) places on it or (4,) shares of it, and on it, and apart."""
        eyes = np.where(np.isnan(of_crop), places[4:], of_crop * self.size).reshape(2, 2)
        is_seen = bool(((eyes > 0) & (eyes < self.size)).all()) and math.dist(*eyes) > self.size / 50
        return eyes if is_seen else None
