"""Score files of any system: `sample_id, label, score`, optionally species, subset, subject, video, anything else.

Columns of other names are mapped (`--column score=anomaly`), scores of the opposite sign are negated on request, and
several systems' files on the same samples become one table with a score column each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.manifest import (
    COLUMNS,
    LABEL_WORDS,
    LabelValues,
    label_problem,
    label_remedy,
    parsed_labels,
    species_problem,
    text_column,
    unknown_notes,
)
from fas_core.data.modalities import of_all
from fas_core.data.names import (
    ALL,
    ATTACK,
    BONA_FIDE,
    SUBSET_NAME,
    alike_people,
    column_of_people,
    columns_of_subsets,
    in_protocol_order,
    one_spelling_of_subsets,
    recurring_ids,
)
from fas_core.delivery import DELIVERY, delivery_problem, named_by_delivery, one_spelling_of_species
from fas_core.errors import BadInputError
from fas_core.files import read_table
from fas_core.runs import scorelists, signatures
from fas_core.runs.lock import claimed
from fas_core.runs.scorecolumns import directions
from fas_core.runs.store import Run, RunInfo, create, opened, run_id, runs_folder, write_shard
from fas_core.texts import one_spelling, plain, plain_column, read_numbers, unread_numbers

SCORE = "score"
REQUIRED = ("sample_id", "label", SCORE)
LOOKS_REVERSED = 0.4  # an AUC below this is said; with 100 samples of each class, chance goes there once in 140 times
IDENTITY = ("label", "pai_species", "subset", "subject_id", "session_id", "video_id")  # on which files must agree
_LIVE_WORDS = {*(word for word, label in LABEL_WORDS.items() if label == BONA_FIDE), "bona fide", "bona-fide"}
_ROW = "\0row"  # no heading of a file can be this


@dataclass(frozen=True)
class ScoreFile:
    """Checked rows: sample_id, label, subset ("all" where unknown), pai_species, score (NaN: no response), the rest."""

    rows: pd.DataFrame
    source: Path
    notes: tuple[str, ...] = ()  # what was made of its texts, in words

    def only(self, subset: str) -> ScoreFile:
        """The rows of one subset. Raises BadInputError where there are none."""
        names = sorted(self.rows["subset"].unique())
        if subset not in names:
            raise BadInputError(f"{self.source}: no row is in subset '{subset}'. Subsets here: {', '.join(names)}.")
        return ScoreFile(self.rows[self.rows["subset"] == subset].reset_index(drop=True), self.source, self.notes)


@dataclass(frozen=True)
class Joined:
    """The rows of a `ScoreFile`, a column per system instead of `score`, and what a person should know of them."""

    rows: pd.DataFrame
    scores: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A file with scores of a system, of one subset if it says so."""

    path: Path
    subset: str = ""

    def named(self, system: str) -> str:
        """As `systems` reads it, without the folder."""
        if not self.subset:
            return self.path.name if system == SCORE else f"{system}={self.path.name}"
        return f"{'' if system == SCORE else system}@{self.subset}={self.path.name}"


# ----------------------------------------------------------------------------------------- what the command line says


def column_names(texts: Sequence[str]) -> dict[str, list[str]]:
    """ours -> theirs, of `ours=theirs` texts; several texts of one `ours` are names that different files may use."""
    theirs_of: dict[str, list[str]] = {}
    for text in texts:
        ours, _, theirs = text.partition("=")
        if not (ours.strip() and theirs.strip()):
            raise BadInputError(
                f"--column {text}: write OUR_NAME=NAME_IN_THE_FILE, e.g. --column score=anomaly. "
                f"Every file needs {', '.join(REQUIRED)}."
            )
        theirs_of.setdefault(plain(ours), []).append(plain(theirs))
    return theirs_of


def systems(arguments: Sequence[str]) -> dict[str, tuple[Part, ...]]:
    """Name of the score -> its files, of `FILE`, `NAME=FILE` and, one per subset, `NAME@SUBSET=FILE` arguments.

    A single file without a name gives `score`, as `@SUBSET=FILE` does; of several, each gives a score named after the
    file without its ending.
    """
    files: dict[str, tuple[Part, ...]] = {}
    for argument in arguments:
        said, _, file = argument.partition("=")
        name, at, subset = said.partition("@")
        if not file or Path(argument).exists():
            name, at, subset, file = Path(argument).stem if len(arguments) > 1 else SCORE, "", "", argument
        name = SCORE if at and not name else name
        alike = f"{name}{at}{subset}"
        if any(part.subset == subset or not (part.subset and subset) for part in files.get(name, ())):
            before = files[name][0].path
            raise BadInputError(
                f"{before} and {file} would both give the score '{alike}': write NAME={file}, or a file per subset, "
                f"NAME@SUBSET={file}."
            )
        if name in (*COLUMNS, "split") or not SUBSET_NAME.fullmatch(name):
            raise BadInputError(f"'{name}' cannot name a score (letters, digits, _ - . only): write NAME={file}.")
        if at and not SUBSET_NAME.fullmatch(subset):
            raise BadInputError(f"'{subset}' cannot name a subset (letters, digits, _ - . only): {argument}.")
        files[name] = (*files.get(name, ()), Part(Path(file), subset))
    return files


def negated(texts: Sequence[str], names: Sequence[str]) -> set[str]:
    """The systems whose higher scores are bona fide, of texts as of `scorecolumns.directions`."""
    return {name for name, kind in directions(texts, names).items() if kind == BONA_FIDE}


# ------------------------------------------------------------------------------------------------------------ one file


def read(
    path: Path,
    labels: LabelValues | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    is_negated: bool = False,
) -> ScoreFile:
    """The score file at `path`. A `split` column counts as `subset`; an empty score is a non-response.

    `columns`: ours -> the names that the file may have instead. `is_negated`: higher is bona fide there, so every score
    becomes its negative. `labels`: what label values mean that are no words.

    Raises BadInputError naming the first offending row (counted from 1) for a missing column, a label that is neither
    bona fide nor attack, text in the score column, a sample_id repeated within a subset, or a file without any score.
    The same sample_id in two subsets is kept (published protocols do it) and is a caution of `runs.health`.
    """
    path = Path(path)
    table = read_table(path)
    _require_mapped({path: table}, columns or {})
    return _checked(path, table, labels, columns or {}, is_negated)


def read_unlabelled(
    path: Path, score: str, columns: Mapping[str, Sequence[str]] | None = None, is_negated: bool = False
) -> pd.DataFrame:
    """Rows that are yet to be decided on: sample_id, `score` as "score", and subject, session, video, frame and time
    where named.

    Labels, species and subsets are not looked at. An empty score is a non-response. Raises BadInputError naming the
    first offending row for a column that is missing, an empty or repeated sample_id, and a score that is no number.
    """
    table = read_table(path)
    _require_mapped({path: table}, columns or {})
    table = _mapped(path, table, columns or {})
    for name, what in (("sample_id", "the samples' ids"), (score, "the score that the card is of")):
        if name not in table:
            raise BadInputError(
                f"{path} has no column '{name}', {what}; it has {_listed(table)}. If it has another name there: "
                f"--column {name}=NAME"
            )
    if table.empty:
        raise BadInputError(f"{path} has no rows. A score file has one row per sample.")
    rows = pd.DataFrame({"sample_id": plain_column(table["sample_id"]), SCORE: _scores(path, table[score])})
    _refuse_first(path, rows["sample_id"] == "", rows["sample_id"], "the sample_id is empty")
    _refuse_first(path, rows["sample_id"].duplicated(), rows["sample_id"], "sample_id '{}' is used before")
    for name in ("subject_id", "session_id", "video_id", "frame", "time"):
        if name in table:
            rows[name] = text_column(table[name])
    if is_negated:
        rows[SCORE] = 0.0 - rows[SCORE]  # 0 stays 0, not -0
    return rows


def _require_mapped(tables: Mapping[Path, pd.DataFrame], columns: Mapping[str, Sequence[str]]) -> None:
    """Every name that --column gives must be in some file: one that is nowhere is a slip of the pen."""
    for ours, theirs in columns.items():
        for name in theirs:
            if not any(name in table for table in tables.values()):
                path, table = next(iter(tables.items()))
                others = f" (nor in {len(tables) - 1} other files)" if len(tables) > 1 else ""
                raise BadInputError(
                    f"--column {ours}={name}: {path}{others} has no column '{name}'. It has {_listed(table)}."
                )


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns[:12])) + (", ..." if len(table.columns) > 12 else "")


def mapped(path: Path, table: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """The table under our names, of texts as of `column_names`; see `_mapped`."""
    columns = column_names(texts)
    _require_mapped({path: table}, columns)
    return _mapped(path, table, columns)


def _mapped(path: Path, table: pd.DataFrame, columns: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The table under our names; a column that has one of them by chance is kept as `NAME_in_file`."""
    source: dict[str, str] = {}
    for ours, theirs in columns.items():
        here = [name for name in theirs if name in table]
        if len(here) > 1:
            raise BadInputError(f"{path}: '{here[0]}' and '{here[1]}' are both to be '{ours}' (--column). Name one.")
        if here:
            source[ours] = here[0]
        elif ours in REQUIRED:
            raise BadInputError(
                f"{path}: none of its columns is '{' or '.join(theirs)}', which --column says is '{ours}'. "
                f"It has {_listed(table)}."
            )
    rest = [str(name) for name in table.columns if name not in source.values()]
    renamed: dict[str, str] = {}
    for name in rest:
        new = f"{name}_in_file" if name in source else name
        while new != name and (new in rest or new in source or new in renamed.values()):
            new += "_in_file"
        renamed[name] = new
    kept = {new: table[name] for name, new in renamed.items()}
    return pd.DataFrame({ours: table[theirs] for ours, theirs in source.items()} | kept)


def _checked(
    path: Path,
    table: pd.DataFrame,
    labels: LabelValues | None,
    columns: Mapping[str, Sequence[str]],
    is_negated: bool,
) -> ScoreFile:
    table = _mapped(path, table, columns)
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        named = " and ".join(f"'{name}'" for name in missing)
        options = " ".join(f"--column {name}=NAME" for name in missing)
        raise BadInputError(
            f"{path}: column{'s' if len(missing) > 1 else ''} {named} {'are' if len(missing) > 1 else 'is'} missing. A "
            f"score file needs {', '.join(REQUIRED)}; this one has {_listed(table)}. If it has another name there: "
            f"{options}"
        )
    if table.empty:
        raise BadInputError(f"{path} has no rows. A score file has one row per sample.")
    if "subset" not in table and "split" in table:
        table = table.rename(columns={"split": "subset"})
    rows, notes = _identities(table)
    if people := column_of_people(table.columns):
        notes.append(
            f"column '{people}' is not taken for people, so every sample counts as independent. If it names the "
            f"subjects: --column subject_id={people}"
        )
    if "subset" not in table:
        notes += [
            f"column '{name}' seems to name subsets, but is not read so: --column subset={name}"
            for name in columns_of_subsets(table)
        ]
    named = rows["subset"].map({s: bool(SUBSET_NAME.fullmatch(s)) for s in rows["subset"].unique()}).astype(bool)
    _refuse_first(path, ~named, rows["subset"], "subset name '{}': use letters, digits, _ - . only")
    notes += _set_labels(path, rows, table["label"], labels)
    _refuse_first(path, rows["sample_id"] == "", rows["sample_id"], "the sample_id is empty")
    repeated = rows[["subset", "sample_id"]].duplicated()
    _refuse_first(path, repeated, rows["sample_id"], "sample_id '{}' is used before in the same subset")
    rows[SCORE] = _scores(path, table[SCORE])
    if rows[SCORE].isna().all():
        raise BadInputError(f"{path}: every one of the {len(rows)} scores is empty or NaN. Write the system's scores.")
    if is_negated:
        rows[SCORE] = 0.0 - rows[SCORE]  # 0 stays 0, not -0
    return ScoreFile(rows, path, tuple(f"{path}: {note}" for note in notes))


def _identities(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with its ids, species and subsets as plain text, and what was made of them; the rest as it is."""
    rows, notes = table.copy(), []
    for name in ("pai_species", "subset", "subject_id", "session_id", "video_id"):
        if name in table:
            rows[name] = text_column(table[name])
            notes += unknown_notes(table[name]) if name != "pai_species" else []
        elif name in ("pai_species", "subset"):
            rows[name] = pd.Series("", rows.index, dtype="str")
    rows["sample_id"] = plain_column(table["sample_id"])
    for name in ("pai_species", "subset"):
        respelt = one_spelling_of_species if name == "pai_species" else one_spelling_of_subsets
        rows[name], differing = respelt(rows[name])
        notes += [f"{name}: {text}." for text in differing]
    is_nowhere = rows["subset"] == ""
    if is_nowhere.any() and not is_nowhere.all():
        notes.append(f"{int(is_nowhere.sum())} of {len(rows)} rows name no subset: they are in subset '{ALL}'.")
    rows["subset"] = rows["subset"].where(~is_nowhere, ALL)
    return rows, notes


def _set_labels(path: Path, rows: pd.DataFrame, values: pd.Series, labels: LabelValues | None) -> list[str]:
    """Fills `label`, and `pai_species` where the labels say it; raises BadInputError where they are not understood."""
    try:
        said = parsed_labels(values, labels)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error
    texts = plain_column(values)
    is_unread = said["label"] == ""
    if is_unread.any():
        _refuse_first(path, is_unread, texts, label_problem(texts[is_unread].iloc[0], texts, label_remedy(texts)))
    rows["label"] = said["label"]
    is_attack = rows["label"] == ATTACK
    species = rows["pai_species"]
    notes: list[str] = []
    contradicts = is_attack & (species != "") & (said["species"] != "")
    contradicts &= species.str.casefold() != said["species"].str.casefold()
    _refuse_first(path, contradicts, species, "pai_species '{}' is not what --species-label says of its label")
    for name in species[is_attack].unique():
        if problem := species_problem(ATTACK, name):
            _refuse_first(path, is_attack & (species == name), species, problem)
    on_live = species[~is_attack & (species != "") & ~species.str.lower().isin(_LIVE_WORDS)]
    if len(on_live):
        notes.append(
            f"{len(on_live)} bona fide samples name a pai_species (e.g. '{on_live.iloc[0]}', row "
            f"{on_live.index[0] + 1}): it is left out. Are they bona fide?"
        )
    named = species.where(species != "", said["species"]).where(is_attack, "")
    if DELIVERY in rows:
        delivered = text_column(rows[DELIVERY])
        kinds = pd.DataFrame({"text": delivered, "species": named, "attack": is_attack})
        for text, name, is_of_attacks in kinds.drop_duplicates().itertuples(index=False):
            if problem := delivery_problem(text, name, is_attack=is_of_attacks):
                is_such = (delivered == text) & (named == name) & (is_attack == is_of_attacks)
                _refuse_first(path, is_such, delivered, problem)
        named = named_by_delivery(named, delivered)
    rows["pai_species"] = named
    return notes


def _scores(path: Path, values: pd.Series) -> pd.Series:
    if not pd.api.types.is_string_dtype(values) and values.dtype != object:  # objects: exact decimals of Parquet
        if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            raise BadInputError(f"{path}: the column score holds {values.dtype}, not numbers.")
        return values.astype("float64")
    text = plain_column(values)
    is_empty = text.str.lower().isin(["", "nan", "na", "n/a", "none", "null"])
    numbers = read_numbers(text.mask(is_empty, ""))
    is_unread = numbers.isna() & ~is_empty
    why = next(iter(unread_numbers(text, is_unread).values()), "")
    _refuse_first(path, is_unread, text, f"score '{{}}' is not a number{f': {why}' if why else ''}")
    is_too_large = np.isinf(numbers) & ~text.str.lower().str.contains("inf")
    _refuse_first(path, is_too_large, text, "score '{}' is too large for a 64-bit number")
    return numbers


def _refuse_first(path: Path, wrong: pd.Series, values: pd.Series, problem: str) -> None:
    """Raises BadInputError naming the first wrong row; "{}" in the problem stands for its value."""
    rows = np.flatnonzero(wrong.to_numpy())
    if not len(rows):
        return
    text = problem.replace("{}", values.iloc[rows[0]])
    more = f" ({len(rows) - 1} more rows like it)" if len(rows) > 1 else ""
    raise BadInputError(f"{path}, row {rows[0] + 1}: {text}{more}.")


# ------------------------------------------------------------------------------------------------------- several files


def read_joined(
    files: Mapping[str, Sequence[Part]],
    labels: LabelValues | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    higher_is_bona_fide: set[str] | frozenset[str] = frozenset(),
    *,
    kind: str = scorelists.CSV,
    fields: Sequence[str] = scorelists.FIELDS,
) -> Joined:
    """The scores of several systems on the same samples: system -> its files, see `systems`.

    `columns` and `labels` are for all files; a file that has none of the label values may use words instead. `kind`,
    `fields`: as of `scorelists.read`. Raises BadInputError as `read` does, and as `joined`.
    """
    paths = dict.fromkeys(part.path for parts in files.values() for part in parts)
    lists = {path: scorelists.read(path, kind, fields) for path in paths}
    tables = {path: read.table for path, read in lists.items()}
    mapping = columns or {}
    _require_mapped(tables, mapping)
    has_label = {path: labels is None or labels.is_used_in(_label_texts(tables[path], mapping)) for path in tables}
    read_files: dict[str, ScoreFile] = {}
    for name, parts in files.items():
        checked = []
        for part in parts:
            says_words = not has_label[part.path] and any(has_label.values())
            meant = None if says_words else labels
            table = _in_subset(part, tables[part.path])
            checked.append(_checked(part.path, table, meant, mapping, name in higher_is_bona_fide))
        read_files[name] = _as_one(checked)
    together = joined(read_files)
    notes = [note for read in lists.values() for note in read.notes]
    notes += [*(note for file in read_files.values() for note in file.notes), *together.notes]
    for name in files:
        if name in higher_is_bona_fide:
            notes.append(f"{name}: every score is negated, so that higher is more attack-like; so are its thresholds.")
        notes += oddities(together.rows, name, is_negated=name in higher_is_bona_fide)
    return Joined(together.rows, together.scores, tuple(dict.fromkeys(notes)))


def _in_subset(part: Part, table: pd.DataFrame) -> pd.DataFrame:
    """The table with all rows in the part's subset; raises BadInputError where it names others itself."""
    if not part.subset:
        return table
    for name in ("subset", "split"):
        if name in table and (others := sorted(set(text_column(table[name])) - {"", part.subset})):
            raise BadInputError(
                f"{part.path}: its column {name} says '{others[0]}', not '{part.subset}'. Leave @{part.subset} out, or "
                "the column."
            )
    return table.drop(columns=[name for name in ("subset", "split") if name in table]).assign(subset=part.subset)


def _as_one(parts: Sequence[ScoreFile]) -> ScoreFile:
    """The rows of a system's files, each of a subset of its own, one after the other."""
    if len(parts) == 1:
        return parts[0]
    tables = {str(part.source): part.rows.copy() for part in parts}
    spelt = _spelt_alike(tables)
    rows = pd.concat(tables.values(), ignore_index=True)
    texts = rows.select_dtypes(exclude=["number", "bool"]).columns
    source = Path(", ".join(str(part.source) for part in parts))
    notes = tuple(dict.fromkeys([*(note for part in parts for note in part.notes), *spelt]))
    return ScoreFile(rows.assign(**{name: rows[name].fillna("") for name in texts}), source, notes)


def _label_texts(table: pd.DataFrame, columns: Mapping[str, Sequence[str]]) -> set[str]:
    names = [name for name in columns.get("label", ["label"]) if name in table]
    return {text for name in names for text in plain_column(table[name]).unique()}


def joined(files: Mapping[str, ScoreFile]) -> Joined:
    """One row per sample that any file has, in the order of the first that has it, and a score column per file.

    A system whose file lacks a sample has no score for it: NaN, a non-response. Samples are joined by `sample_id`, or
    by subset and `sample_id` where a file repeats ids over its subsets; a file without subsets then says the same in
    all of them. What one file leaves empty another may fill in.

    Raises BadInputError naming sample, row and both values where two files contradict each other in `IDENTITY`, for
    files without a common sample, and where a score has the name of another column. Other columns that differ are kept
    as the first file has them, and noted.
    """
    if len(files) == 1:
        ((name, file),) = files.items()
        _require_free(name, [file])
        return Joined(file.rows.rename(columns={SCORE: name}), (name,), ())
    for name in files:
        _require_free(name, files.values())
    tables = {name: file.rows.assign(**{_ROW: np.arange(1, len(file.rows) + 1)}) for name, file in files.items()}
    notes = _spelt_alike(tables)
    key = ["sample_id"]
    if any(table["sample_id"].duplicated().any() for table in tables.values()):
        key = ["subset", "sample_id"]
        tables = {name: _in_subsets_of(table, tables) for name, table in tables.items()}
    for first, second in combinations(tables, 2):
        notes += _disagreements(files[first].source, tables[first], files[second].source, tables[second], key)
    keys = pd.concat([table[key] for table in tables.values()]).drop_duplicates(ignore_index=True)
    index = _index(keys, key)
    places = {name: index.get_indexer(_index(table, key)) for name, table in tables.items()}
    for name, place in places.items():
        is_absent = np.ones(len(keys), np.bool_)
        is_absent[place] = False
        if is_absent.any():
            example = keys["sample_id"].iloc[int(is_absent.argmax())]
            notes.append(
                f"{files[name].source}: {is_absent.sum()} of {len(keys)} samples are in other files only (e.g. "
                f"'{example}'): non-responses of {name}."
            )
    columns = dict.fromkeys(c for table in tables.values() for c in table.columns if c not in (SCORE, _ROW))
    parts = {c: [(places[name], table[c]) for name, table in tables.items() if c in table] for c in columns}
    stated = {c: _first_stated(parts[c], len(keys), ALL if c == "subset" else "") for c in columns}
    scores = {name: _first_stated([(places[name], table[SCORE])], len(keys), "") for name, table in tables.items()}
    return Joined(pd.DataFrame(stated | scores), tuple(files), tuple(notes))


def _spelt_alike(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Gives species and subsets that differ in case only over the tables one spelling; says so."""
    notes = []
    for column in ("pai_species", "subset"):
        spelt, differing = one_spelling(pd.concat([table[column] for table in tables.values()], ignore_index=True))
        notes += [f"{column}: {text}." for text in differing]
        start = 0
        for table in tables.values():
            table[column] = spelt.iloc[start : start + len(table)].to_numpy()
            start += len(table)
    return notes


def _require_free(name: str, files: Iterable[ScoreFile]) -> None:
    for file in files:
        if name != SCORE and name in file.rows:
            raise BadInputError(f"{file.source} has a column '{name}' already: name the score, NAME={file.source}.")


def _in_subsets_of(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """A table that names no subset, with its rows once per subset in which the other tables have the sample."""
    if (table["subset"] != ALL).any():
        return table
    pairs = pd.concat([other.loc[other["subset"] != ALL, ["sample_id", "subset"]] for other in tables.values()])
    spread = table.drop(columns="subset").merge(pairs.drop_duplicates(), on="sample_id", how="left")
    return spread.assign(subset=spread["subset"].fillna(ALL))


def _disagreements(source_a: Path, a: pd.DataFrame, source_b: Path, b: pd.DataFrame, key: Sequence[str]) -> list[str]:
    """Notes on columns in which common samples differ; raises BadInputError where they must not, or none is common."""
    position = _index(a, key).get_indexer(_index(b, key))
    of_b = np.flatnonzero(position >= 0)
    if not of_b.size:
        raise BadInputError(
            f"{source_a} and {source_b} have no sample in common (ids are e.g. '{a['sample_id'].iloc[0]}' and "
            f"'{b['sample_id'].iloc[0]}'). Give the samples the same sample_id in all files; rows of one system that "
            "are in two files belong in one."
        )
    notes = []
    for name in [c for c in a.columns if c in b and c not in (*key, SCORE, _ROW)]:
        unknown = ALL if name == "subset" else ""
        left, right = _texts(a[name].iloc[position[of_b]]), _texts(b[name].iloc[of_b])
        differs = (left != right) & (left != unknown) & (right != unknown)
        if not differs.any():
            continue
        at = int(differs.argmax())
        row_a, row_b = a[_ROW].iloc[position[of_b[at]]], b[_ROW].iloc[of_b[at]]
        what = (
            f"sample '{b['sample_id'].iloc[of_b[at]]}' has {name} '{left[at]}' in {source_a}, row {row_a}, "
            f"but '{right[at]}' in {source_b}, row {row_b}"
        )
        if name in IDENTITY:
            raise BadInputError(f"{what} ({differs.sum()} samples like it): they do not describe the same data.")
        notes.append(f"{what} ({differs.sum()} samples like it): kept as in {source_a}.")
    return notes


def _index(table: pd.DataFrame, key: Sequence[str]) -> pd.Index:
    return pd.MultiIndex.from_frame(table[list(key)]) if len(key) > 1 else pd.Index(table[key[0]].to_numpy(object))


def _texts(values: pd.Series) -> NDArray[np.object_]:
    return values.astype("str").fillna("").str.strip().to_numpy(object)


def _first_stated(parts: Sequence[tuple[NDArray[np.intp], pd.Series]], n: int, unknown: str) -> pd.Series:
    """(n,): values of some tables at their places, the first table's where several state one; text unless numbers."""
    if len(parts) and all(pd.api.types.is_integer_dtype(v) and not v.hasnans for _, v in parts):
        whole, is_stated = np.zeros(n, np.int64), np.zeros(n, np.bool_)
        for place, values in reversed(parts):
            whole[place], is_stated[place] = values.to_numpy(np.int64), True
        if is_stated.all():
            return pd.Series(whole)  # gaps would make them floats, which lose digits
    if all(pd.api.types.is_float_dtype(v) for _, v in parts):
        numbers = np.full(n, np.nan)
        for place, values in reversed(parts):
            stated = values.to_numpy(np.float64, na_value=np.nan)
            numbers[place] = np.where(np.isnan(stated), numbers[place], stated)
        return pd.Series(numbers)
    texts = np.full(n, unknown, object)
    for place, values in reversed(parts):
        stated = _texts(values)
        texts[place] = np.where((stated == "") | (stated == unknown), texts[place], stated)
    return pd.Series(texts, dtype="str")


# ---------------------------------------------------------------------------------------------------- what looks wrong


def outside(scores: pd.Series, threshold: float) -> str | None:
    """A sentence where a threshold separates nothing, because every score is on the same side of it."""
    low, high = scores.min(), scores.max()
    if low < threshold <= high:
        return None
    side, called = ("above", "nothing") if threshold > high else ("not above", "everything")
    return f"The threshold {threshold} is {side} every score ({low} to {high}): {called} is called an attack."


def oddities(rows: pd.DataFrame, score: str = SCORE, *, is_negated: bool = False) -> list[str]:
    """Sentences on labels and scores that are legal and may yet mislead; nothing is changed."""
    attack = (rows["label"] == ATTACK).to_numpy()
    notes = []
    if attack.all() or not attack.any():
        present, absent = ("attacks", "bona fide samples") if attack.all() else ("bona fide samples", "attacks")
        rate = "BPCER" if attack.all() else "APCER"
        notes.append(f"There are only {present} ({len(rows)}) and no {absent}: {rate}, ROC and EER are undefined.")
    nameless = int((rows.loc[attack, "pai_species"] == "").sum())
    if nameless:
        notes.append(
            f"{nameless} of {int(attack.sum())} attacks name no pai_species: they count as one species "
            f"'{metrics.UNSPECIFIED}', in which a weak spot can hide. APCER is per species."
        )
    notes += [*recurring_ids(rows), *alike_people(rows)]
    score_set = metrics.score_set(rows[score].to_numpy(np.float64), attack, list(rows["pai_species"]))
    if score_set.n_bona_fide and score_set.n_attack and (auc := metrics.roc_auc(score_set)) < LOOKS_REVERSED:
        remedy = "leave out --higher-is" if is_negated else "--higher-is bona_fide"
        notes.append(
            f"{score}: the AUC is {auc:.3f}, so bona fide samples score higher than attacks. Nothing was turned round. "
            f"If higher means bona fide: {remedy}; if the labels are the wrong way round: --attack-label."
        )
    return notes


def scores_only_run(cache: Path, name: str, table: pd.DataFrame, scores: Sequence[str], source: str) -> Run:
    """Writes a score table (columns `sample_id`, `label`, `subset`, ..., and the scores) as a Run and opens it."""
    digest = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
    subsets: Mapping[str, int] = table["subset"].value_counts().to_dict()
    ordered = {s: int(subsets[s]) for s in in_protocol_order(list(subsets))}
    info = RunInfo(
        run=run_id("scores", name, digest),
        name=name,
        kind="scores",
        subsets=ordered,
        scores=list(scores),
        source=source,
        modality=of_all(table),
        shard_size=max(ordered.values()),
    )
    with claimed([runs_folder(cache) / info.run]):
        is_new = not (runs_folder(cache) / info.run / "run.json").exists()
        folder = create(cache, info)
        for subset in ordered:
            write_shard(folder / subset / "shard-00000", table[table["subset"] == subset].reset_index(drop=True))
        run = opened(folder)
        if is_new:
            signatures.sign(run)
    return run
