"""What was removed from Runs because somebody is not to be in them any more: how many people and images, when, and
from which places. Never who: no name, and no hash of one, which whoever has a list of names could find by trying.

    cache/forgotten/<run>.json

It lies beside the Run and outlives it. The Run keeps its id, which stands for all that it was made from; with this it
says what of that is gone. A place is the number of a sample among those planned for its subset: it tells who computes a
shard anew, from the manifest as it was or as it is now, whom to leave out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fas_core import documents
from fas_core.data import manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.files import atomic_file

UNFINISHED = "forgetting.json"  # in the cache folder, while somebody is being forgotten


@dataclass(frozen=True)
class Removal:
    """What was removed from a Run at once."""

    id: str  # random: one that is finished after a kill counts once
    when: str  # ISO date
    people: int
    images: int  # those without outputs too
    places: Mapping[str, tuple[int, ...]]  # by subset
    unplaced: tuple[str, ...] = ()  # subsets of which not every place is known: no shard of theirs is computed anew

    @property
    def words(self) -> str:
        """1 person, 40 images removed on 2026-11-30"""
        people = "1 person" if self.people == 1 else f"{self.people:,} people"
        images = "1 image" if self.images == 1 else f"{self.images:,} images"
        return f"{people}, {images} removed on {self.when}"


@dataclass(frozen=True)
class Tombstone:
    """All that was removed from a Run."""

    run: str
    manifest_sha256: str  # of the manifest that the Run was made from; "" of a Run without one
    manifest_now: str  # of the same manifest without those who were removed; "" where nobody has seen that it is so
    removals: tuple[Removal, ...]

    @property
    def words(self) -> str:
        return "; ".join(removal.words for removal in self.removals)

    def places(self, subset: str) -> NDArray[np.int64]:
        """Of everybody who was removed from a subset, ascending."""
        return np.unique([place for r in self.removals for place in r.places.get(subset, ())]).astype(np.int64)

    @property
    def unplaced(self) -> set[str]:
        return {subset for removal in self.removals for subset in removal.unplaced}


def folder(cache: Path) -> Path:
    """Where it is kept what was forgotten."""
    return cache / "forgotten"


def of(cache: Path, run: str) -> Tombstone | None:
    """That of a Run; None where nobody was removed from it. Raises BadInputError where it cannot be read."""
    path = folder(cache) / f"{run}.json"
    try:
        return documents.read_as(Tombstone, documents.read(path, cache), str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{path} cannot be read ({error}): it says what was removed from Run {run}. Bring the file back."
        ) from error


def words_of(cache: Path, run: str) -> str:
    """What was removed from a Run, in words; "" where nothing was."""
    try:
        stone = of(cache, run)
    except BadInputError as error:
        return str(error)
    return "" if stone is None else stone.words


def of_manifest(cache: Path, sha256: str) -> list[Tombstone]:
    """Those of every Run that was made from a manifest. Raises BadInputError while somebody is being forgotten."""
    if (cache / UNFINISHED).exists():  # what is computed now would bring them back
        raise BadInputError(f"{cache}: somebody was to be forgotten, and that was interrupted. Finish it: fas forget")
    stones = (of(cache, path.stem) for path in sorted(folder(cache).glob("*.json")))
    return [stone for stone in stones if stone is not None and sha256 and stone.manifest_sha256 == sha256]


def add(cache: Path, run: str, removal: Removal, *, manifest_sha256: str = "", manifest_now: str = "") -> None:
    """Adds a removal to a Run's tombstone; one that is there already is not added again."""
    stone = of(cache, run) or Tombstone(run, manifest_sha256, "", ())
    others = tuple(other for other in stone.removals if other.id != removal.id)
    write(cache, replace(stone, manifest_now=manifest_now, removals=(*others, removal)))


def write(cache: Path, stone: Tombstone) -> None:
    """Writes one down in the place of what its Run had; complete or not there."""
    path = folder(cache) / f"{stone.run}.json"
    with atomic_file(path, cache) as temporary:
        temporary.write_text(json.dumps(asdict(stone), indent=1), encoding="utf-8")


def inherit(cache: Path, stones: Sequence[Tombstone], runs: Sequence[str]) -> None:
    """Runs of a manifest say what was left out of them, as the Runs of it do from which somebody was removed."""
    for run in runs if stones else ():
        if of(cache, run) is None:
            write(cache, replace(stones[0], run=run))


def as_planned(data: Manifest, stone: Tombstone, planned: Mapping[str, int]) -> Manifest:
    """A manifest without those who were removed, as the one that the Run was made from: it has that one's hash, and a
    row that says nothing at each place of theirs. `planned`: samples by subset.

    Raises BadInputError where it is another manifest.
    """
    order = []
    for subset, n in planned.items():
        kept = np.setdiff1d(np.arange(n), stone.places(subset))
        rows = np.flatnonzero(data.rows["subset"] == subset)
        if len(rows) != len(kept):
            raise BadInputError(f"{data.source} does not hold what is left of subset {subset} of Run {stone.run}.")
        places = np.full(n, -1)
        places[kept] = rows
        order.append((subset, places))
    return manifest.with_gaps(data, order, stone.manifest_sha256)


def left(stones: Sequence[Tombstone], subset: str, begin: int, n: int) -> NDArray[np.bool_]:
    """(n,) whether the samples planned from a place of a subset on are still to be there.

    Raises BadInputError where that is not known of them.
    """
    keep = np.ones(n, np.bool_)
    for stone in stones:
        if subset in stone.unplaced:
            raise BadInputError(
                f"Somebody was removed from subset {subset} of Run {stone.run}, and nobody knows any more from which "
                "rows of this manifest, so nothing of it can be computed anew. Take them out of the manifest, then "
                "make a new Run of it."
            )
        places = stone.places(subset)
        keep[places[(places >= begin) & (places < begin + n)] - begin] = False
    return keep
