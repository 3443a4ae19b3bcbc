"""`fas data check`: a manifest and every image it names, with all problems at once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

from fas_core.data import hashes, images, manifest, modalities, subsets
from fas_core.data.manifest import Problem
from fas_core.data.names import ATTACK, BONA_FIDE, in_protocol_order
from fas_core.data.videos import is_video
from fas_core.files import read_table
from fas_core.progress import task


@dataclass(frozen=True)
class Checked:
    """The document of `fas data check --json`."""

    n_images: int
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
    parsed = manifest.checked(read_table(path))
    rows, problems = parsed.rows, parsed.problems
    if rows.empty and not problems:
        problems.append(Problem(0, "", "the manifest has no rows"))
    problems += _image_problems(rows, path)
    duplicates = _duplicates(rows, path)
    problems += _contradictions(rows, duplicates)
    names = in_protocol_order(rows["subset"].unique()) if len(rows) else []
    return Checked(
        n_images=len(rows),
        n_bona_fide=int((rows["label"] == BONA_FIDE).sum()),
        n_attack=int((rows["label"] == ATTACK).sum()),
        n_subjects=len(set(rows["subject_id"]) - {""}),
        subsets=subsets.counts(rows, names),
        problems=sorted(problems, key=lambda p: (p.row, p.problem)),
        duplicates=duplicates,
        shared_subjects=shared_subjects(rows, names),
        notes=[*parsed.notes, *modalities.lacking(rows), *_videos(rows, path)],
    )


def _videos(rows: pd.DataFrame, source: Path) -> list[str]:
    n = sum(is_video(Path(path)) for path in rows["path"])
    return [f"{n} rows are videos, which are not looked into: fas data frames {source} --out DIR"] if n else []


def _image_problems(rows: pd.DataFrame, source: Path) -> list[Problem]:
    def reason(path: str) -> str | None:
        if is_video(Path(path)):
            return None if (source.parent / path).is_file() else "no such file"
        try:
            images.load(source.parent / path)
        except images.UnreadableImageError as error:
            return str(error)
        return None

    problems = []
    with task("Checking images", len(rows)) as shown, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for row, (path, problem) in enumerate(zip(rows["path"], pool.map(reason, rows["path"]), strict=True), start=1):
            if problem is not None and path:
                problems.append(Problem(row, path, problem))
            shown.advance()
    return problems


def _duplicates(rows: pd.DataFrame, source: Path) -> list[list[str]]:
    """Groups of sample ids whose files hold the same bytes."""
    groups: dict[str, list[str]] = defaultdict(list)
    contents = hashes.content_hashes([source.parent / path for path in rows["path"]], source.parent)
    for sample, content in zip(rows["sample_id"], contents, strict=True):
        if content != "missing":
            groups[content].append(sample)
    return [group for group in groups.values() if len(group) > 1]


def _contradictions(rows: pd.DataFrame, duplicates: list[list[str]]) -> list[Problem]:
    """A problem for every attack whose very image is bona fide in another row."""
    label_of = dict(zip(rows["sample_id"], rows["label"], strict=True))
    live_of: dict[str, str] = {}
    for group in duplicates:
        live = [sample for sample in group if label_of[sample] == BONA_FIDE]
        live_of |= {sample: live[0] for sample in group if live and label_of[sample] == ATTACK}
    return [
        Problem(row, path, f"an attack with the same image as '{live_of[sample]}', which is bona fide")
        for row, (sample, path) in enumerate(zip(rows["sample_id"], rows["path"], strict=True), start=1)
        if sample in live_of
    ]


def shared_subjects(rows: pd.DataFrame, names: list[str]) -> dict[str, list[str]]:
    """Subjects that two subsets have in common, by the pair of their names: {"train, seen_paper": ["s01", ...]}."""
    subjects = {name: set(rows.loc[rows["subset"] == name, "subject_id"]) - {""} for name in names}
    return {f"{a}, {b}": sorted(both) for a, b in combinations(names, 2) if (both := subjects[a] & subjects[b])}
