"""Where a person is named: in Runs and manifests. Ids like "1" are people of many data sets, so it is asked which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data import manifest, modalities, trail
from fas_core.data.manifest import CUT_FROM, Manifest
from fas_core.data.merging import IDS, SOURCE
from fas_core.data.names import TRAINING_USE
from fas_core.data.retention import RETAIN
from fas_core.data.trail import Trail
from fas_core.errors import BadInputError
from fas_core.runs import store
from fas_core.runs.store import Run

PEOPLE = ("subject_id", "presenter_id")  # columns that name who is seen
COLUMNS = ("subset", "path", CUT_FROM, SOURCE, TRAINING_USE, RETAIN, *IDS)
COMPARED = 4  # images by which two Runs are found to be of the same data


Wanted = Callable[[pd.DataFrame], NDArray[np.bool_]]  # which rows of a table are meant


@dataclass(frozen=True, eq=False)
class Place:
    """A Run or a manifest with rows that are meant, and those of them that are of one data set."""

    where: Run | Path
    data: str  # the data set: its column `source`, or the name of the manifest
    file: Path | None  # the manifest, also that of a Run
    rows: pd.DataFrame  # those of `COLUMNS` that there are

    @property
    def samples(self) -> set[str]:
        """Their ids as they were before manifests were merged."""
        return {sample.removeprefix(f"{self.data}/") for sample in self.rows["sample_id"]}


@dataclass(frozen=True, eq=False)
class Person:
    """Places that are of one person, for all that is known."""

    name: str  # of their data sets, as it is to be said which is meant
    places: tuple[Place, ...]

    @property
    def words(self) -> str:
        """cmu.csv (40 images; Runs a, b; manifests cmu.csv)"""
        runs = [place.where.info.name for place in self.places if isinstance(place.where, Run)]
        files = [str(place.where) for place in self.places if isinstance(place.where, Path)]
        parts = [f"{len(set().union(*(place.samples for place in self.places))):,} images"]
        parts += [f"Run {', '.join(dict.fromkeys(runs))}"] if runs else []
        parts += [f"manifest {', '.join(dict.fromkeys(files))}"] if files else []
        return f"{self.name} ({'; '.join(parts)})"


def places(cache: Path, wanted: Wanted, manifests: Sequence[Path]) -> tuple[list[Place], list[_Kin]]:
    """Everything that has wanted rows, and which manifests were made of each other.

    Raises BadInputError where a Run or manifest cannot be read: nobody knows whether it has any.
    """
    runs = [*_readable_runs(cache)]
    listed = [place for run in runs for place in _in_run(run, wanted)]
    files = [Path(run.info.manifest_path) for run in runs if run.info.manifest_path]
    kin = _kin([*manifests, *files])
    given = {path.resolve() for path in manifests}
    for path in dict.fromkeys(path for line in kin for path in sorted(line.files)):
        listed += _in_manifest(path, wanted, is_asked_for=path in given)
    return listed, kin


def tables(cache: Path, manifests: Sequence[Path]) -> Iterator[tuple[Run | Path, pd.DataFrame]]:
    """All rows of every Run and manifest in which `places` looks, numbered as those of a `Place`."""
    runs = [*_readable_runs(cache)]
    yield from ((run, rows_of(run)) for run in runs if run.shards)
    kin = _kin([*manifests, *(Path(run.info.manifest_path) for run in runs if run.info.manifest_path)])
    for path in dict.fromkeys(path for line in kin for path in sorted(line.files)):
        if path.exists():
            yield path, manifest.read(path).rows


def people(cache: Path, subject: str, manifests: Sequence[Path]) -> list[Person]:
    """Everybody of this id, each with all places that are shown to be of the same data. Raises as `places` does."""
    places_of_id, kin = places(cache, partial(rows_about, subject=subject), manifests)
    group = list(range(len(places_of_id)))
    for i, a in enumerate(places_of_id):
        for j in range(i):
            if group[i] != group[j] and _are_of_same_data(a, places_of_id[j], kin):
                group = [group[j] if g == group[i] else g for g in group]
    numbered = list(zip(places_of_id, group, strict=True))
    together = [tuple(place for place, g in numbered if g == number) for number in dict.fromkeys(group)]
    return _named(together)


def chosen(subject: str, persons: Sequence[Person], sets: Sequence[str]) -> list[Place]:
    """The places of who is meant. `sets`: names of data sets, needed where several people have the id.

    Raises BadInputError, naming all of them, where it is not clear who is meant.
    """
    if not persons:
        raise BadInputError(f"Nobody is called '{subject}' here. Give the id as it stands in the column subject_id.")
    names = [person.name for person in persons]
    if unknown := [name for name in sets if name not in names]:
        raise BadInputError(f"'{subject}' is nobody of a data set '{unknown[0]}'. Choose of: {', '.join(names)}.")
    if len(persons) > 1 and not sets:
        listed, every = "; ".join(person.words for person in persons), " ".join(f"--set {name}" for name in names)
        raise BadInputError(
            f"'{subject}' is somebody in {len(persons)} data sets, and nothing shows that they are one person: "
            f"{listed}. Say who is meant: --set {names[0]}, or all of them: {every}"
        )
    return [place for person in persons if not sets or person.name in sets for place in person.places]


def _named(together: Sequence[tuple[Place, ...]]) -> list[Person]:
    """People with names that tell them apart: of data sets called alike, by the folder or the Run too."""
    short = [places[0].data for places in together]

    def longer(place: Place) -> str:
        return str(place.file) if place.file is not None else f"{place.data} of {_id_of(place)}"

    return [
        Person(name if short.count(name) == 1 else longer(places[0]), places)
        for name, places in zip(short, together, strict=True)
    ]


def _id_of(place: Place) -> str:
    return place.where.id if isinstance(place.where, Run) else str(place.where)


# ------------------------------------------------------------------------------------------------------------ reading


def rows_about(table: pd.DataFrame, subject: str) -> NDArray[np.bool_]:
    """(n,) whether a row names them, also by the id that merging has given them."""
    is_about = np.zeros(len(table), np.bool_)
    merged = (manifest.text_column(table[SOURCE]) + "/" + subject).to_numpy(str) if SOURCE in table else None
    for column in (name for name in PEOPLE if name in table):
        ids = manifest.text_column(table[column]).to_numpy(str)
        is_about |= ids == subject
        if merged is not None:
            is_about |= ids == merged
    return is_about


def rows_of(run: Run) -> pd.DataFrame:
    """`COLUMNS` of every sample of a Run, those without outputs too."""
    names = run.column_names()
    samples = run.samples([name for name in COLUMNS if name in names])
    failures = run.failures()
    rows = pd.concat([samples, failures[[name for name in COLUMNS if name in failures]]], ignore_index=True)
    texts = {name: rows[name].astype("str").fillna("") for name in rows}
    return pd.DataFrame(texts)


def _readable_runs(cache: Path) -> Iterator[Run]:
    for folder in store.run_folders(cache):
        run = store.opened(folder)
        if run.broken:
            raise BadInputError(
                f"Run {run.info.name} ({run.id}) has damaged shards, and nobody knows who is in them. Make them anew, "
                f"fas verify {run.id} --repair, or remove the Run: fas prune {run.id}"
            )
        yield run


def _in_run(run: Run, wanted: Wanted) -> Iterator[Place]:
    """Of one that is not complete also where they are yet to come: without rows then."""
    info = run.info
    file = Path(info.manifest_path) if info.manifest_path else None
    data = info.manifest or info.source or info.name
    rows = rows_of(run) if run.shards else pd.DataFrame(columns=["subset", "sample_id"], dtype="str")
    theirs = rows[wanted(rows)]
    listed = manifest_of(run) if theirs.empty and not run.is_complete else None
    if listed is not None and wanted(listed.rows).any():
        yield Place(run, data, file and file.resolve(), theirs)
    yield from _by_data(run, data, file, theirs)


def _in_manifest(path: Path, wanted: Wanted, *, is_asked_for: bool) -> Iterator[Place]:
    """Of manifests that nobody has named, those that cannot be read any more are none."""
    try:
        data = manifest.read(path)
    except BadInputError:
        if is_asked_for or path.exists():
            raise
        return
    yield from _by_data(path, path.name, path, data.rows[wanted(data.rows)])


def _by_data(where: Run | Path, name: str, file: Path | None, rows: pd.DataFrame) -> Iterator[Place]:
    rows = rows[[column for column in COLUMNS if column in rows]]
    sources = manifest.text_column(rows[SOURCE]) if SOURCE in rows else pd.Series("", rows.index)
    for source in dict.fromkeys(sources):
        yield Place(where, source or name, file and file.resolve(), rows[sources == source])


@dataclass(frozen=True)
class _Kin:
    """Manifests that were made of each other. `merged_into`: those that hold these rows under a source's name."""

    files: frozenset[Path]
    source: str = ""
    merged_into: frozenset[Path] = frozenset()


def _kin(manifests: Sequence[Path]) -> list[_Kin]:
    """Each manifest with those that it was made from, by its trail; what was merged in stays apart."""
    kin: list[_Kin] = []
    for path in dict.fromkeys(path.resolve() for path in manifests):
        known = trail.read(path) if path.is_file() else None
        kin += _kin_of(path, known)
    return kin


def _kin_of(path: Path, known: Trail | None) -> list[_Kin]:
    line = [path]
    while known is not None and len(known.made_from) == 1:
        known = known.made_from[0]
        line.append((line[-1].parent / known.manifest).resolve())
    own = frozenset(line)
    kin = [_Kin(own)]
    for branch in known.made_from if known is not None else ():
        file = (line[-1].parent / branch.manifest).resolve()
        first, *others = _kin_of(file, branch)
        kin += [_Kin(first.files, file.stem, own), *others]
    return kin


# ---------------------------------------------------------------------------------------------------------- who is who


def _are_of_same_data(a: Place, b: Place, kin: Sequence[_Kin]) -> bool:
    """Whether something shows that the two speak of one data set: the same source of one manifest or its makings, the
    same manifest elsewhere, or the same images under the same ids."""
    if _names_source(a) and _names_source(b) and a.data != b.data:
        return False
    if any(_are_kin(a, b, line) or _are_kin(b, a, line) for line in kin):
        return True
    if isinstance(a.where, Run) and isinstance(b.where, Run):
        sha256 = a.where.info.manifest_sha256
        return (bool(sha256) and sha256 == b.where.info.manifest_sha256) or _look_alike(a, b)
    return False


def _are_kin(a: Place, b: Place, line: _Kin) -> bool:
    if a.file not in line.files:
        return False
    return b.file in line.files or (b.file in line.merged_into and b.data in (a.data, line.source))


def _names_source(place: Place) -> bool:
    return SOURCE in place.rows and bool((place.rows[SOURCE] != "").any())


def _look_alike(a: Place, b: Place) -> bool:
    """Whether two Runs hold the same pictures of them under the same ids."""
    runs = [place.where for place in (a, b) if isinstance(place.where, Run)]
    shared = sorted(a.samples & b.samples)[:COMPARED]
    if not shared or not all(run.has("inputs") for run in runs):
        return False
    pictures = []
    for run, place in zip(runs, (a, b), strict=True):
        ids = run.samples(["sample_id"])["sample_id"].astype("str").str.removeprefix(f"{place.data}/")
        row_of = dict(zip(ids, range(len(ids)), strict=True))
        if not all(sample in row_of for sample in shared):
            return False
        pictures.append(run.images("inputs", [row_of[sample] for sample in shared]))
    return pictures[0].shape == pictures[1].shape and bool((pictures[0] == pictures[1]).all())


def manifest_of(run: Run) -> Manifest | None:
    """The manifest that a Run was made from, as it is now; None where it is not there or cannot be read."""
    try:
        source = Path(run.info.manifest_path) if run.info.manifest_path else None
        return None if source is None else modalities.of_one(manifest.read(source), run.info.modality)
    except BadInputError:
        return None
