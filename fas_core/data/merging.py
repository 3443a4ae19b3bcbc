"""`fas data merge`: manifests as one, each row with its `source`; nobody of one is somebody of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fas_core.data import manifest
from fas_core.data.manifest import Manifest
from fas_core.data.names import SUBSET_NAME
from fas_core.errors import BadInputError

SOURCE = "source"  # the column: which manifest, of those that were merged, a row comes from
LINK = "presentation_id"  # what companions of several modalities are told by
IDS = ("sample_id", "subject_id", "session_id", "video_id", "presentation_id", "presenter_id")


@dataclass(frozen=True)
class Merged:
    """Rows of a manifest with `source`, paths relative to its folder; and sentences on what differed or clashed."""

    rows: pd.DataFrame
    notes: tuple[str, ...]


def named(texts: Sequence[str]) -> dict[str, list[Path]]:
    """Source -> its manifests, of `NAME=FILE` or `FILE`, whose name it is then; parts of one set are given one name.

    Raises BadInputError for fewer than two, a name that two files have without being given it, or one that no table
    could hold.
    """
    sources: dict[str, list[Path]] = {}
    is_given: dict[str, bool] = {}
    for text in texts:
        name, separator, file = text.partition("=")
        path = Path(file if separator else text)
        name = name if separator else path.stem
        if not SUBSET_NAME.fullmatch(name):
            raise BadInputError(f"The source '{name}' is no name: letters, digits, _ - . only. Write NAME={path}.")
        if name in sources and not (separator and is_given[name]):
            raise BadInputError(
                f"Two sources are called '{name}': {sources[name][0]}, {path}. Write NAME=FILE for one, or for both of "
                "one data set the same name."
            )
        sources.setdefault(name, []).append(path)
        is_given[name] = bool(separator)
    if sum(map(len, sources.values())) < 2:
        raise BadInputError("Merging needs two manifests at least: fas data merge A.csv B.csv --out M.csv")
    return sources


def of_one_set(parts: Sequence[Manifest]) -> Manifest:
    """The rows of several manifests of one data set, such as one per modality: one id is one thing in all of them.

    Raises BadInputError where one was merged before.
    """
    first, *others = parts
    if not others:
        return first
    for part in parts:
        if SOURCE in part.rows and (part.rows[SOURCE].astype("str").fillna("") != "").any():
            raise BadInputError(f"{part.source} was merged before (column {SOURCE}): give it a name of its own.")
    rows = [manifest.relocated(part, first.source).astype("str").fillna("") for part in parts]
    notes = tuple(note for part in parts for note in part.notes)
    return Manifest(pd.concat(rows, ignore_index=True).fillna(""), first.source, notes)


def merged(sources: Mapping[str, Manifest], out: Path) -> Merged:
    """All rows of the sources, in their order. A manifest that was merged before keeps the sources it names.

    Every id of `IDS` is "<source>/<id>", so that nobody of one source is somebody of another. Columns are united; what
    a source does not say is empty. Raises BadInputError where two manifests both name a source.
    """
    tables = [_of_source(name, data, out) for name, data in sources.items()]
    of_manifest: dict[str, str] = {}
    for name, (table, _) in zip(sources, tables, strict=True):
        for source in table[SOURCE].unique():
            if (other := of_manifest.setdefault(source, name)) != name:
                raise BadInputError(
                    f"Both {sources[other].source} and {sources[name].source} hold rows of the source '{source}'. "
                    "Merge what it was made of, or take its rows out of one."
                )
    notes = [*_clashes([ids for _, ids in tables]), *_same_files([table for table, _ in tables])]
    notes += _differing_columns({name: table for name, (table, _) in zip(sources, tables, strict=True)})
    # As texts: one source may have numbers where another has words. What are numbers is read anew.
    rows = pd.concat([table.astype("str") for table, _ in tables], ignore_index=True).fillna("")
    checked = manifest.checked(rows)
    if checked.problems:
        raise BadInputError(manifest.problems_message(out, checked.problems))
    return Merged(checked.rows, (*notes, *checked.notes))


def _of_source(name: str, data: Manifest, out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A manifest's rows with their source and its ids; and the ids as they were, of rows not merged before."""
    rows = manifest.relocated(data, out)
    was_merged = SOURCE in rows and bool((rows[SOURCE].astype("str").fillna("") != "").any())
    rows[SOURCE] = rows[SOURCE].astype("str").where(rows[SOURCE].fillna("") != "", name) if was_merged else name
    ids = rows[[column for column in IDS if column in rows]].astype("str").fillna("")
    if was_merged:
        return rows, ids.iloc[:0]
    for column in ids:
        rows[column] = (name + "/" + ids[column]).where(ids[column] != "", "")
    return rows, ids


def _clashes(ids: Sequence[pd.DataFrame]) -> list[str]:
    notes = []
    for column in IDS:
        several = [set(table[column]) - {""} for table in ids if column in table]
        shared = {text for i, one_set in enumerate(several) for other in several[:i] for text in one_set & other}
        if shared and column != "sample_id":
            notes.append(
                f"{column}: {len(shared)} ids are in several sources (e.g. {min(shared)}). They count as different: "
                "each has its source's name before it."
                + (" Are these modalities of one set? NAME=A.csv NAME=B.csv keeps them linked." * (column == LINK))
            )
    return notes


def _same_files(tables: Sequence[pd.DataFrame]) -> list[str]:
    counts = pd.concat([table["path"] for table in tables]).value_counts()
    twice = counts[counts > 1]
    return [f"{len(twice)} files are in more than one row, e.g. {twice.index[0]}."] if len(twice) else []


def _differing_columns(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    said_by = {
        name: {str(column) for column in table if (table[column].astype("str").fillna("") != "").any()}
        for name, table in tables.items()
    }
    lacking: dict[str, list[str]] = {}
    for column in sorted(set().union(*said_by.values()) - {SOURCE, "path", "sample_id", "label"}):
        if without := [name for name, said in said_by.items() if column not in said]:
            lacking.setdefault(", ".join(without), []).append(column)
    return [
        f"Nothing in {names} of the {'column' if len(columns) == 1 else 'columns'} {', '.join(columns)}."
        for names, columns in lacking.items()
    ]
