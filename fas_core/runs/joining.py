"""Scores of other systems joined to a Run: they are judged, compared and drawn as if its own model had given them.

They live in files of their own beside the shards, which stay as they are (`store.JoinedScore`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fas_core.data.manifest import parsed_labels, text_column
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.metrics import roc_auc, score_set
from fas_core.runs import scorecolumns, scorefile, scorelists, signatures, store
from fas_core.runs.lock import claimed
from fas_core.runs.store import JOINED, JoinedScore, Run
from fas_core.texts import plain_column

KEY = ("subset", "sample_id")
_FILES = "joined-*.parquet"


@dataclass(frozen=True)
class Matched:
    """Where in a table each sample of a Run stands, (n,), -1 where it does not, and what is to be said of that."""

    place: NDArray[np.int64]
    notes: tuple[str, ...]


def matched(run: Run, path: Path, table: pd.DataFrame) -> Matched:
    """The samples of a Run in a table by `sample_id`; by subset too where ids repeat and the table names subsets.

    Raises BadInputError for a table without ids or with one twice, of which no sample is the Run's, or whose labels
    contradict it.
    """
    samples = run.samples([*KEY, "label"])
    rows = _keys(path, table)
    by = ["sample_id"]
    if "subset" in rows and (rows["sample_id"].duplicated().any() or samples["sample_id"].duplicated().any()):
        by = [*KEY]
    repeated = rows[by].duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise BadInputError(f"{path}, row {row + 1}: sample_id '{rows['sample_id'].iloc[row]}' is used before.")
    place = _index(rows, by).get_indexer(_index(samples, by))
    has = place >= 0
    if not has.any():
        raise BadInputError(
            f"{path}: none of its {len(rows):,} samples is one of Run {run.info.name} (there "
            f"'{rows['sample_id'].iloc[0]}', here '{samples['sample_id'].iloc[0]}'). Give the samples the same "
            "sample_id, or name the column that holds it: --column sample_id=NAME"
        )
    _require_same_labels(run, path, table, samples, place)
    notes = []
    unknown = np.setdiff1d(np.arange(len(rows)), place)
    if len(unknown):
        notes.append(
            f"{path}: {len(unknown):,} of its {len(rows):,} samples are not in Run {run.info.name} and are left out, "
            f"first '{rows['sample_id'].iloc[unknown[0]]}'."
        )
    if not has.all():
        first = samples["sample_id"].iloc[int(has.argmin())]
        notes.append(
            f"{path}: {int((~has).sum()):,} of the {len(samples):,} samples of Run {run.info.name} are not in it, "
            f"first '{first}': they count as non-responses of these scores."
        )
    return Matched(place, tuple(notes))


def _keys(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Ids, and subsets where every row names one."""
    if "sample_id" not in table:
        listed = ", ".join(map(str, table.columns[:12]))
        raise BadInputError(f"{path} has no column 'sample_id'; it has {listed}. Name it: --column sample_id=NAME")
    if table.empty:
        raise BadInputError(f"{path} has no rows.")
    rows = pd.DataFrame({"sample_id": plain_column(table["sample_id"])})
    is_empty = (rows["sample_id"] == "").to_numpy()
    if is_empty.any():
        raise BadInputError(f"{path}, row {int(is_empty.argmax()) + 1}: the sample_id is empty.")
    named = next((name for name in ("subset", "split") if name in table), "")
    if named and (subsets := text_column(table[named])).ne("").all():
        rows["subset"] = subsets
    return rows


def _index(table: pd.DataFrame, by: Sequence[str]) -> pd.Index:
    return pd.MultiIndex.from_frame(table[list(by)]) if len(by) > 1 else pd.Index(table[by[0]].to_numpy(object))


def _require_same_labels(
    run: Run, path: Path, table: pd.DataFrame, samples: pd.DataFrame, place: NDArray[np.int64]
) -> None:
    """Labels that words say; those of other values are not looked at."""
    if "label" not in table:
        return
    has = np.flatnonzero(place >= 0)
    there, here = parsed_labels(table["label"])["label"].to_numpy(str)[place[has]], samples["label"].to_numpy(str)[has]
    differs = (there != "") & (there != here)
    if differs.any():
        at = int(differs.argmax())
        raise BadInputError(
            f"{path}, row {place[has[at]] + 1}: sample '{samples['sample_id'].iloc[has[at]]}' is {there[at]} there, "
            f"but {here[at]} in Run {run.info.name} ({int(differs.sum()):,} samples like it): not the same data."
        )


def join(run: Run, values: Mapping[str, NDArray[np.float64]], higher: Mapping[str, str], source: str) -> Run:
    """The Run with scores (n,) in its row order, all of them or none; one of the same name is put in their place.

    `higher`: the class that higher values of each are of. See `claimed` for errors.
    """
    samples = run.samples(list(KEY))
    entries = dict(run.joined)
    tables: dict[str, bytes] = {}
    for name, of_name in values.items():
        path, content, sha256 = packed(name, samples.assign(value=of_name))
        tables[path] = content
        missing = int(np.isnan(of_name).sum())
        entries[name] = JoinedScore(higher[name], source, path, len(content), sha256, run.shards_digest, missing)
    is_known = signatures.standing(run).is_known
    with claimed([run.folder]):
        for path, content in tables.items():
            with atomic_file(run.folder / path) as temporary:
                temporary.write_bytes(content)
        keep(run.folder, entries)
        grown = store.opened(run.folder)
        if is_known:
            signatures.sign(grown)
    return grown


def packed(name: str, table: pd.DataFrame) -> tuple[str, bytes, str]:
    """The file's name, its bytes and their SHA-256 for the values (`KEY`, `value`) of a score that is to be joined."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), file)
    content = file.getvalue()
    digest = hashlib.sha256(name.encode() + b"\n" + content).hexdigest()
    return f"joined-{digest[:12]}.parquet", content, hashlib.sha256(content).hexdigest()


def keep(folder: Path, entries: Mapping[str, JoinedScore]) -> None:
    """joined.json says what is there; then what it does not name is removed."""
    document = {"format": store.FORMAT_VERSION, "scores": {name: asdict(entry) for name, entry in entries.items()}}
    with atomic_file(folder / JOINED) as temporary:
        temporary.write_text(store.sealed(document), encoding="utf-8")
    named = {entry.file for entry in entries.values()}
    for path in folder.glob(_FILES):
        if path.name not in named:
            path.unlink()


# ------------------------------------------------------------------------------------------------- what is to be joined


@dataclass(frozen=True)
class Said:
    """Scores (n,) of a Run's samples by name, the class that higher values of each are of, where they are from."""

    values: Mapping[str, NDArray[np.float64]]
    higher: Mapping[str, str]
    source: str
    notes: tuple[str, ...]


def read(
    run: Run,
    path: Path | None,
    wanted: Sequence[str],
    higher_is: Sequence[str],
    columns: Sequence[str],
    *,
    computed: Sequence[str],
    kind: str = scorelists.CSV,
    replaces: bool = False,
) -> Said:
    """Scores of a file, or of the Run's own columns (`path` None), to be joined to a Run.

    `wanted`: NAME or NAME=COLUMN texts; none: every column of numbers. `higher_is`: as of `scorecolumns.directions`,
    for every score. `columns`: as of `scorefile.column_names`. `computed`: names that no other score can have. Raises
    BadInputError where a direction is not stated, a name is taken, and as `matched` and `scorelists.read` do.
    """
    if path is None:
        names = [name.partition("=")[0] for name in wanted]
        source = f"column{'s' if len(names) > 1 else ''} {', '.join(names)} of the Run itself"
        numbers, notes = _own(run, names), list[str]()
    else:
        if kind == scorelists.SNIFF:
            kind = scorelists.sniffed(path)
        lists = scorelists.read(path, kind)
        table = scorefile.mapped(path, lists.table, columns)
        found_there = matched(run, path, table)
        of_file, source = scorecolumns.columns_of(path, table), path.name
        notes = [*lists.notes, *found_there.notes]
        numbers = {}
        for name, column in _wanted(path, wanted, of_file).items():
            place = found_there.place
            numbers[name] = np.append(of_file.numbers[column].to_numpy(np.float64), np.nan)[place]
            if np.isnan(numbers[name]).all():
                raise BadInputError(f"{path}: column '{column}' has no number for any sample of Run {run.info.name}.")
            if silent := int(np.isnan(numbers[name][place >= 0]).sum()):
                notes.append(f"{name}: {silent:,} samples have no number: they count as non-responses.")
    names = list(numbers)
    require_free(run, names, path, computed, replaces=replaces)
    stated = scorecolumns.directions(scorelists.orientation(kind, higher_is), names)
    if missing := [name for name in names if name not in stated]:
        raise BadInputError(
            f"Nobody says which class higher values of {', '.join(missing)} speak for: --higher-is attack, or "
            f"--higher-is bona_fide (then negated); of one alone --higher-is {missing[0]}=attack."
        )
    for name in names:
        if stated[name] == BONA_FIDE:
            notes.append(f"{name}: higher is bona fide, so the score is its negative: higher is more attack-like.")
    return Said(numbers, stated, source, tuple(notes))


def _own(run: Run, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    if not names:
        raise BadInputError("Name the scores' file, or with --score a column of the Run that is to be a score.")
    has = run.column_names()
    for name in names:
        if name not in has or (values := scorecolumns.numbers(run.samples([name])[name])) is None:
            raise BadInputError(f"Run {run.info.name} has no column of numbers '{name}'.")
        if values.isna().all():
            raise BadInputError(f"Run {run.info.name}: column '{name}' has no number in any row.")
    return {name: run.samples([name])[name].to_numpy(np.float64, na_value=np.nan) for name in names}


def _wanted(path: Path, wanted: Sequence[str], of_file: scorecolumns.Columns) -> dict[str, str]:
    """Name of each score -> its column."""
    listed = list(of_file.numbers)
    if not listed:
        raise BadInputError(
            f"{path} has no column of numbers but those of a manifest. Columns: {', '.join(of_file.others)}."
        )
    pairs = {name: column or name for name, _, column in (text.partition("=") for text in wanted)}
    for column in pairs.values():
        if column not in listed:
            raise BadInputError(f"{path} has no column of numbers '{column}'. There are: {', '.join(listed[:12])}.")
    return pairs or dict(zip(listed, listed, strict=True))


def require_free(
    run: Run, names: Sequence[str], where: Path | str | None, computed: Sequence[str], *, replaces: bool
) -> None:
    """Raises BadInputError where scores cannot have these names in a Run. `where`: what names them; None: its own
    columns."""
    own = run.column_names() if where is not None else run.info.declared
    taken = dict.fromkeys(own, f"a column of Run {run.info.name}") | dict.fromkeys(computed, "a score that is computed")
    scorecolumns.require_names(names, str(where or run.info.name), taken)
    for name in names:
        if name in run.joined and not replaces:
            raise BadInputError(
                f"Run {run.info.name} has a score '{name}' already, joined from {run.joined[name].source}. Take "
                f"another name, e.g. {free_name(run, name)}, or put this one in its place: --replace"
            )


def free_name(run: Run, name: str) -> str:
    """A name like this one that a joined score can have in a Run: itself, or with the first number that is free."""
    taken = {*run.joined, *run.column_names(), *run.info.scores}
    return next(of for of in (name, *(f"{name}_{n}" for n in range(2, len(taken) + 3))) if of not in taken)


def reversed_note(name: str, values: NDArray[np.float64], samples: pd.DataFrame) -> str:
    """A sentence where bona fide samples have the higher score by far; "" where they do not."""
    of_scores = score_set(values, (samples["label"] == ATTACK).to_numpy(), list(samples["pai_species"]))
    if not (of_scores.n_bona_fide and of_scores.n_attack) or (auc := roc_auc(of_scores)) >= scorefile.LOOKS_REVERSED:
        return ""
    return (
        f"{name}: the AUC is {auc:.3f}, so bona fide samples score higher than attacks. If that is the wrong "
        "way round, join it again with the other --higher-is and --replace."
    )
