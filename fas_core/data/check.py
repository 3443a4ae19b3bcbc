"""`fas data check`: a manifest and every image it names, with all problems at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
from numpy.typing import NDArray

from fas_core.data import hashes, images, manifest, modalities, processes, subsets
from fas_core.data.hashes import Contents, Seen, sha256_of
from fas_core.data.manifest import Manifest, Problem
from fas_core.data.names import ATTACK, BONA_FIDE, in_protocol_order
from fas_core.data.unchanged import STEP
from fas_core.data.videos import are_videos, is_video
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.progress import task

RULES = f"1: decoded; {images.LOADING[1]}; Pillow {PIL.__version__}"  # what is sound by them is not decoded again
FEW, BATCH = 2_000, 64  # files for which no process is worth its start; files that go to one at a time
CRASHED = "cannot be decoded: it makes the decoder crash"


class Groups(Sequence[list[str]]):
    """Groups of sample ids, in the order of the first of each: made as they are asked for, as `hashes.Paths` are."""

    def __init__(self, samples: pd.Series, rows: NDArray[np.intp], bounds: NDArray[np.intp]) -> None:
        self.samples, self.rows, self.bounds = samples, rows, bounds  # where each begins in the rows, and the last ends

    @classmethod
    def of(cls, samples: pd.Series, rows: NDArray[np.intp], codes: NDArray[np.intp]) -> Groups:
        """Rows of one code, where they are several; codes are counted as they first come."""
        is_several = np.bincount(codes, minlength=1)[codes] > 1
        rows, codes = rows[is_several], codes[is_several]
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        return cls(samples, rows[order], np.flatnonzero(np.diff(codes, prepend=-1, append=-2)))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(len(self))[at]]
        start, end = self.bounds[range(len(self))[at] :][:2]
        return self.samples.iloc[self.rows[start:end]].tolist()

    def __iter__(self) -> Iterator[list[str]]:
        for first in range(0, len(self), STEP):
            bounds = self.bounds[first : first + STEP + 1]
            names = self.samples.iloc[self.rows[bounds[0] : bounds[-1]]].tolist()
            yield from (names[start:end] for start, end in pairwise((bounds - bounds[0]).tolist()))


@dataclass(frozen=True)
class Checked:
    """What is to be said of a manifest with its images."""

    n_images: int
    n_files: int  # that are there; rows may name the same one
    n_bona_fide: int
    n_attack: int
    n_subjects: int
    subsets: Mapping[str, Mapping[str, int]]  # see `subsets.counts`
    problems: Sequence[Problem]  # in the order of the rows
    duplicates: Groups  # whose files hold the same bytes
    shared_subjects: Mapping[str, Sequence[str]]
    notes: Sequence[str]
    bad_files: Mapping[int, str]  # rows, counted from 0, whose file is missing or no image, and why; in their order

    def as_json(self) -> Json:
        """The document of `fas data check --json`."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "bad_files"}
        return told | {"problems": [asdict(each) for each in self.problems], "duplicates": [*self.duplicates]}


def checked(path: Path) -> Checked:
    """A manifest with its images. Raises BadInputError only when there is no table to check."""
    parsed = manifest.checked_file(path)
    rows, problems = parsed.rows, parsed.problems
    if rows.empty and not problems:
        problems.append(Problem(0, "", "the manifest has no rows"))
    contents = hashes.contents(rows["path"], path.parent, partial(_look, n_rows=len(rows)), RULES)
    bad_files = {row: why for row, why in contents.problems.items() if rows["path"][row]}
    problems += [Problem(row + 1, rows["path"][row], why) for row, why in bad_files.items()]
    duplicates = _duplicates(rows["sample_id"], contents)
    problems += _contradictions(rows, contents, duplicates)
    names = in_protocol_order(rows["subset"].unique()) if len(rows) else []
    return Checked(
        n_images=len(rows),
        n_files=contents.n_files,
        n_bona_fide=int((rows["label"] == BONA_FIDE).sum()),
        n_attack=int((rows["label"] == ATTACK).sum()),
        n_subjects=len(set(rows["subject_id"].unique()) - {""}),
        subsets=subsets.counts(rows, names),
        problems=sorted(problems, key=lambda p: (p.row, p.problem)),
        duplicates=duplicates,
        shared_subjects=shared_subjects(rows, names),
        notes=[*parsed.notes, *modalities.lacking(rows), *_videos(rows, path)],
        bad_files=bad_files,
    )


def split(data: Manifest, bad_files: Mapping[int, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a manifest whose files are fine, and `sample_id` and `reason` of the others.

    Raises BadInputError when no row would be left.
    """
    is_bad = np.zeros(len(data.rows), np.bool_)
    is_bad[list(bad_files)] = True
    if is_bad.all():
        raise BadInputError(f"{data.source}: no row would be left. Is the folder of its images at {data.root}?")
    left = data.rows.loc[is_bad, ["sample_id"]].assign(reason=[*bad_files.values()])
    return data.rows[~is_bad].reset_index(drop=True), left.reset_index(drop=True)


def _videos(rows: pd.DataFrame, source: Path) -> list[str]:
    n = int(are_videos(rows["path"]).sum())
    return [f"{n} rows are videos, which are not looked into: fas data frames {source} --out DIR"] if n else []


def _look(paths: Sequence[str], n_rows: int) -> Iterator[tuple[int, Seen]]:
    """At every image: by threads where they are few, else by processes, as small ones keep the interpreter busy."""
    batches = _Batches(paths)
    if not len(batches):
        return
    label = "Checking images" + (f" ({len(paths):,} files of {n_rows:,} rows)" if len(paths) < n_rows else "")
    with task(label, len(paths)) as shown, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        by_threads = zip(batches, pool.map(_look_at_batch, batches), strict=True) if len(paths) < FEW else None
        for (start, batch), seen in by_threads or processes.done(_look_at_batch, batches):
            if seen is None:  # its process has died at one of them
                seen = [alone or Seen(b"", CRASHED) for _, alone in processes.done(_look_at, batch, 1)]
            shown.advance(len(seen))
            yield from enumerate(seen, start)


class _Batches(Sequence[tuple[int, Sequence[str]]]):
    """The paths in parts, each with the position of its first."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return -(-len(self.paths) // BATCH)

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return at * BATCH, self.paths[at * BATCH : (at + 1) * BATCH]


def _look_at_batch(batch: tuple[int, Sequence[str]]) -> list[Seen]:
    return [_look_at(path) for path in batch[1]]


def _look_at(path: str) -> Seen:
    """The hash of a file, and why it is no image, or "": read once for both."""
    place = Path(path)
    if is_video(place):
        return Seen(sha256_of(path), "" if place.is_file() else "no such file")
    try:
        data = images.file_bytes(place)
    except images.UnreadableImageError as error:
        return Seen(b"", str(error))
    sha256 = hashlib.sha256(data).digest() if len(data) <= images.MAX_FILE_BYTES else sha256_of(path)
    try:
        images.require_decodable(data)
    except images.UnreadableImageError as error:
        return Seen(sha256, str(error))
    return Seen(sha256)


def _duplicates(samples: pd.Series, contents: Contents) -> Groups:
    """Samples whose files hold the same bytes."""
    rows, words = np.flatnonzero(~contents.is_missing), contents.sha256.view(np.uint64)
    groups = Groups.of(samples, rows, pd.factorize(words[rows, 0])[0])
    a, b = groups.rows[:-1], groups.rows[1:]
    is_inside = np.ones(len(a), np.bool_)
    is_inside[groups.bounds[1:-1] - 1] = False
    if any(((words[a, k] != words[b, k]) & is_inside).any() for k in range(1, words.shape[1])):
        _, whole = np.unique(contents.sha256[rows], axis=0, return_inverse=True)  # the first 64 bits do not tell
        return Groups.of(samples, rows, pd.factorize(whole)[0])
    return groups


def _contradictions(rows: pd.DataFrame, contents: Contents, duplicates: Groups) -> list[Problem]:
    """A problem for every attack whose very image is bona fide in another row."""
    begins = contents.sha256.view(np.uint64)[:, 0]
    of_each = (begins[~contents.is_missing & (rows["label"] == label).to_numpy(bool)] for label in (BONA_FIDE, ATTACK))
    if not len(np.intersect1d(*of_each)):
        return []
    label_of = dict(zip(rows["sample_id"], rows["label"], strict=True))
    live_of: dict[str, str] = {}
    for group in duplicates:
        live = next((sample for sample in group if label_of[sample] == BONA_FIDE), None)
        if live is not None:
            live_of.update((sample, live) for sample in group if label_of[sample] == ATTACK)
    if not live_of:
        return []
    return [
        Problem(row, path, f"an attack with the same image as '{live_of[sample]}', which is bona fide")
        for row, (sample, path) in enumerate(zip(rows["sample_id"], rows["path"], strict=True), start=1)
        if sample in live_of
    ]


def shared_subjects(rows: pd.DataFrame, names: list[str]) -> dict[str, list[str]]:
    """Subjects that two subsets have in common, by the pair of their names: {"train, seen_paper": ["s01", ...]}."""
    subjects = {name: set(rows.loc[rows["subset"] == name, "subject_id"].unique()) - {""} for name in names}
    return {f"{a}, {b}": sorted(both) for a, b in combinations(names, 2) if (both := subjects[a] & subjects[b])}
