"""`fas data check`: a manifest and every image it names, with all problems at once."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL

from fas_core.data import hashes, images, manifest, modalities, processes, subsets
from fas_core.data.hashes import Contents, Seen, sha256_of
from fas_core.data.manifest import Problem
from fas_core.data.names import ATTACK, BONA_FIDE, in_protocol_order
from fas_core.data.videos import SUFFIXES as VIDEO_SUFFIXES
from fas_core.data.videos import is_video
from fas_core.progress import task

RULES = f"1: decoded; {images.LOADING[1]}; Pillow {PIL.__version__}"  # what is sound by them is not decoded again
FEW, BATCH = 2_000, 64  # files for which no process is worth its start; files that go to one at a time
CRASHED = "cannot be decoded: it makes the decoder crash"


@dataclass(frozen=True)
class Checked:
    """The document of `fas data check --json`."""

    n_images: int
    n_files: int  # that are there; rows may name the same one
    n_bona_fide: int
    n_attack: int
    n_subjects: int
    subsets: Mapping[str, Mapping[str, int]]  # see `subsets.counts`
    problems: Sequence[Problem]  # in the order of the rows
    duplicates: Sequence[Sequence[str]]  # groups of sample ids whose files hold the same bytes
    shared_subjects: Mapping[str, Sequence[str]]
    notes: Sequence[str]


def checked(path: Path) -> Checked:
    """A manifest with its images. Raises BadInputError only when there is no table to check."""
    parsed = manifest.checked_file(path)
    rows, problems = parsed.rows, parsed.problems
    if rows.empty and not problems:
        problems.append(Problem(0, "", "the manifest has no rows"))
    contents = hashes.contents(rows["path"], path.parent, partial(_look, n_rows=len(rows)), RULES)
    problems += [Problem(row + 1, name, why) for row, why in contents.problems.items() if (name := rows["path"][row])]
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
    )


def _videos(rows: pd.DataFrame, source: Path) -> list[str]:
    is_likely = rows["path"].str.lower().str.endswith(tuple(VIDEO_SUFFIXES)) if len(rows) else []
    n = sum(is_video(Path(path)) for path in rows["path"][is_likely])
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


def _duplicates(samples: pd.Series, contents: Contents) -> list[list[str]]:
    """Groups of sample ids whose files hold the same bytes, in the order of the first of each."""
    rows = np.flatnonzero(~contents.is_missing)
    whole = contents.sha256[rows]
    begins, _ = pd.factorize(whole[:, :8].copy().view(np.uint64).reshape(-1))
    of_two = np.bincount(begins, minlength=1)[begins] > 1
    rows, whole, begins = rows[of_two], whole[of_two], begins[of_two]
    order = np.argsort(begins, kind="stable")
    names, hashed, begins = samples.iloc[rows[order]].tolist(), whole[order], begins[order]
    bounds = np.flatnonzero(np.diff(begins, prepend=-1, append=-1)).tolist()
    is_other = (hashed[1:] != hashed[:-1]).any(1) & (begins[1:] == begins[:-1])
    mixed = set(begins[1:][is_other].tolist())  # files of which only the first 64 bits are the same
    groups = []
    for start, end in pairwise(bounds):
        if not mixed or int(begins[start]) not in mixed:
            groups.append(names[start:end])
        else:
            alike: dict[bytes, list[str]] = defaultdict(list)
            for name, content in zip(names[start:end], hashed[start:end], strict=True):
                alike[content.tobytes()].append(name)
            groups += [group for group in alike.values() if len(group) > 1]
    return groups


def _contradictions(rows: pd.DataFrame, contents: Contents, duplicates: list[list[str]]) -> list[Problem]:
    """A problem for every attack whose very image is bona fide in another row."""
    begins = contents.sha256[:, :8].copy().view(np.uint64).reshape(-1)
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
