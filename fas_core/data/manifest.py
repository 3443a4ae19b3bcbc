"""One row per image: reading, checking, hashing and writing manifests.

A manifest is a CSV or Parquet table. Its columns are `COLUMNS`; any other column is kept as it is and offered
as a colour and filter in the app. Rows are numbered from 1 (the first image) in every message.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import storage
from fas_core.data import hashes, retention, twins
from fas_core.data.names import (
    ALL,
    ATTACK,
    BONA_FIDE,
    SUBSET_NAME,
    alike_people,
    in_protocol_order,
    one_spelling_of_subsets,
    recurring_ids,
)
from fas_core.data.retention import RETAIN
from fas_core.delivery import DELIVERY, delivery_problem, named_by_delivery, one_spelling_of_species, spelled
from fas_core.errors import BadInputError
from fas_core.files import CONTENT_BYTES, csv_parts, joined, table_bytes, table_of, write_table
from fas_core.texts import are_different, exact_numbers, of_each, plain, plain_column, read_numbers, unread_numbers

TEXT_COLUMNS = ("path", "sample_id", "label", "pai_species", "subject_id", "session_id", "subset", "video_id")
NUMBER_COLUMNS = ("frame", "pose_x", "pose_y", "pose_z")
COLUMNS = TEXT_COLUMNS + NUMBER_COLUMNS
BOXES = "boxes"  # a free column: the file, relative to the manifest as `path` is, of the set's own boxes and eyes
CUT_FROM = "source_path"  # the picture that the image at `path` was cut out of; no column that a manifest needs

# A bare 0 or 1 is not here: its polarity differs between data sets, so somebody must say which one is the attack.
LABEL_WORDS = {
    **dict.fromkeys(("bona_fide", "bonafide", "live", "real", "genuine"), BONA_FIDE),
    **dict.fromkeys(("attack", "spoof", "fake"), ATTACK),
}
_NO_VALUE = {"", "none", "nan", "null", "n/a", "unknown", "unspecified"}


@dataclass(frozen=True)
class LabelValues:
    """What the values of a label column mean, where they are no words: `--attack-label 1,2 --bona-fide-label 0`.

    `species`: value -> the species of attack that it is. What is not named here has to be a word that is understood;
    where no value is named for bona fide, the one other value is bona fide, if there is but one.
    """

    attack: tuple[str, ...] = ()
    bona_fide: tuple[str, ...] = ()
    species: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(attack: str | None = None, bona_fide: str | None = None, species: str | None = None) -> LabelValues | None:
        """Of what the options say, values separated by commas; None where they say nothing."""
        if attack is None and bona_fide is None and species is None:
            return None
        pairs = tuple(
            (plain(value), spelled(plain(name))) for value, _, name in (t.partition("=") for t in _listed(species))
        )
        if any(not (value and name) for value, name in pairs):
            raise BadInputError(
                f"--species-label {species}: write VALUE=SPECIES, e.g. --species-label 1=print,2=replay."
            )
        labels = LabelValues(_listed(attack), _listed(bona_fide), pairs)
        if not labels.of_attacks:
            raise BadInputError("--bona-fide-label needs --attack-label: say as well which values are attacks.")
        values = [*dict.fromkeys(labels.of_attacks), *dict.fromkeys(labels.bona_fide)]
        folded = [_folded(value) for value in values]
        for value in values:
            if folded.count(_folded(value)) > 1:
                raise BadInputError(f"The label value '{value}' is named twice: as an attack and as bona fide, or so.")
        if len(dict(pairs)) < len(pairs):
            raise BadInputError(f"--species-label {species}: a value is named twice.")
        return labels

    @property
    def of_attacks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.attack, *(value for value, _ in self.species))))

    def is_used_in(self, texts: Iterable[str]) -> bool:
        """Whether any of its values is among the texts."""
        return any(_present(value, set(texts)) is not None for value in (*self.of_attacks, *self.bona_fide))

    def meanings(self, texts: Iterable[str]) -> dict[str, tuple[str, str]]:
        """(label, species) of each different text of a column; raises BadInputError where one is left without."""
        listed = sorted(set(texts) - {""})
        meaning = {text: (LABEL_WORDS[_folded(text)], "") for text in listed if _folded(text) in LABEL_WORDS}
        species = dict(self.species)
        missing = []
        for values, label in ((self.of_attacks, ATTACK), (self.bona_fide, BONA_FIDE)):
            for value in values:
                text = _present(value, set(listed))
                if text is None:
                    missing.append((value, label))
                else:
                    meaning[text] = (label, species.get(value, ""))
        if missing and (not self.bona_fide or len(missing) == len(self.of_attacks + self.bona_fide)):
            value, label = missing[0]
            option = "--bona-fide-label" if label == BONA_FIDE else _option_of(value, self)
            raise BadInputError(f"No label is '{value}' ({option}). Labels here: {', '.join(listed[:8])}.")
        rest = [text for text in listed if text not in meaning]
        has_bona_fide = bool(self.bona_fide) or any(label == BONA_FIDE for label, _ in meaning.values())
        if len(rest) == 1 and not has_bona_fide:
            return meaning | {rest[0]: (BONA_FIDE, "")}
        if rest:
            named = ", ".join(f"'{value}'" for value in (*self.of_attacks, *self.bona_fide))
            if self.bona_fide:
                raise BadInputError(
                    f"the labels {', '.join(rest[:8])} are named neither as attacks (--attack-label, --species-label) "
                    "nor as bona fide (--bona-fide-label): add each to one of them."
                )
            raise BadInputError(
                f"besides {named} (--attack-label) there are the labels {', '.join(rest[:8])}. Only one value can be "
                f"left to mean bona fide: name every attack, --attack-label {','.join([*self.of_attacks, 'VALUE'])}, "
                "and what is bona fide, --bona-fide-label VALUE."
            )
        return meaning


def label_word(text: str) -> str:
    """`bona_fide` or `attack` for a word that means it, else ""."""
    return LABEL_WORDS.get(_folded(text), "")


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part for part in (plain(part) for part in (text or "").split(",")) if part)


def _folded(text: str) -> str:
    return text.casefold().replace("-", "_").replace(" ", "_")


def _present(value: str, texts: set[str]) -> str | None:
    """The text of a column that a value stands for: itself, in another case, or the same number (1 for 1.0)."""
    if value in texts:
        return value
    alike = [text for text in sorted(texts) if text.casefold() == value.casefold()]
    if not alike and _NUMERAL.fullmatch(value):
        alike = [text for text in sorted(texts) if _NUMERAL.fullmatch(text) and float(text) == float(value)]
    return alike[0] if len(alike) == 1 else None


_NUMERAL = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


def _option_of(value: str, values: LabelValues) -> str:
    return "--attack-label" if value in values.attack else "--species-label"


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row; `row` counts from 1, 0 speaks of the whole table."""

    row: int
    path: str
    problem: str


@dataclass(frozen=True)
class Manifest:
    """Checked rows (every column of `COLUMNS`, texts "" and numbers NaN where unknown) and the file they came from."""

    rows: pd.DataFrame
    source: Path
    notes: tuple[str, ...] = ()  # what was made of its texts, in words
    key: str = ""  # of its file's bytes, where the rows are all that was read of them (`twins`)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def root(self) -> Path:
        """The folder that `path` is relative to."""
        return self.source.parent

    def image_paths(self) -> list[Path]:
        """Of all rows, in their order; n paths."""
        return [self.root / path for path in self.rows["path"]]

    def subset_names(self) -> list[str]:
        """Names in the thesis' order, others after them by name."""
        return in_protocol_order(self.rows["subset"].unique())

    def says(self, name: str) -> bool:
        """Whether it has a column: one of `COLUMNS` that nobody filled is none, whether the file names it or not."""
        return name in self.rows and (name not in COLUMNS or _is_filled(self.rows[name]))

    def only(self, subsets: Sequence[str]) -> Manifest:
        """The rows of some subsets; raises BadInputError for a name that no row has."""
        known = self.subset_names()
        for name in subsets:
            if name not in known:
                raise BadInputError(f"{self.source}: no image is in subset '{name}'. Subsets here: {', '.join(known)}.")
        return Manifest(self.rows[self.rows["subset"].isin(subsets)].reset_index(drop=True), self.source, self.notes)

    @property
    def sha256(self) -> str:
        """Hash of every row but `path`, and of the bytes of every image: a copied folder is the same data set."""
        return self._hashed[0]

    @property
    def contents(self) -> NDArray[np.uint8]:
        """(n, CONTENT_BYTES) the first bytes of the SHA-256 of every image file; zeros where it cannot be read."""
        return self._hashed[1]

    @cached_property
    def _hashed(self) -> tuple[str, NDArray[np.uint8]]:
        """`sha256` and `contents`: every file is read once, and not again while it is unchanged (`hashes`)."""
        contents = hashes.contents(self.rows["path"], self.root)
        key = self.key and twins.key_of_text(self.key, contents.sha256.tobytes(), contents.is_missing.tobytes())
        sha256 = twins.text(key)
        if sha256 is None:
            digest = hashlib.sha256()
            columns = ["sample_id", *sorted(set(self.rows.columns) - {"path", "sample_id"})]
            for part in csv_parts(self.rows[columns]):
                digest.update(part)
            contents.add_to(digest)
            sha256 = digest.hexdigest()
            twins.keep_text(key, sha256)
        return sha256, contents.sha256[:, :CONTENT_BYTES].copy()


def with_gaps(data: Manifest, order: Sequence[tuple[str, NDArray[np.int64]]], sha256: str) -> Manifest:
    """Rows of a manifest subset by subset in another order, -1 standing for a gap, where the row means nothing.

    `sha256`: that of the manifest whose place this takes; its own would be another.
    """
    places = np.concatenate([of_subset for _, of_subset in order])
    rows = data.rows.iloc[places.clip(0)].reset_index(drop=True)  # a gap keeps the columns' types
    rows["subset"] = np.repeat([subset for subset, _ in order], [len(of_subset) for _, of_subset in order])
    contents = np.where(places[:, None] < 0, 0, data.contents[places]).astype(np.uint8)
    whole = Manifest(rows, data.source, data.notes)
    vars(whole)["_hashed"] = (sha256, contents)
    return whole


def text_column(values: pd.Series) -> pd.Series:
    """Values as `plain` text, "" where unknown (missing, none, unknown, n/a)."""
    text = plain_column(values)
    return _replaced(text, text.str.lower().isin(_NO_VALUE - {""}), "")


def _replaced(texts: pd.Series, where: pd.Series, by: pd.Series | str) -> pd.Series:
    """The very texts where none is replaced: they are not copied."""
    return texts.mask(where, by) if where.any() else texts


def unknown_notes(values: pd.Series) -> list[str]:
    """A sentence per word of a column that counts as nothing: `unknown`, `null`, ..., and in how many rows."""
    text = plain_column(values)
    words = text[text.str.lower().isin(_NO_VALUE - {""})].value_counts().sort_index()
    return [f"{values.name}: '{word}' counts as not stated ({n} rows)." for word, n in words.items()]


def parsed_labels(values: pd.Series, labels: LabelValues | None = None) -> pd.DataFrame:
    """(n, 2) `label`: `bona_fide`, `attack`, or "" where the text says neither; `species`: that `labels` give, or "".

    Raises BadInputError where `labels` do not fit the values.
    """
    text = plain_column(values)
    different = pd.unique(text)
    if labels is None:
        meaning = {value: (LABEL_WORDS.get(_folded(value), ""), "") for value in different}
    else:
        meaning = {"": ("", "")} | labels.meanings(different)
    return pd.DataFrame(
        {
            name: of_each(text, {value: said[k] for value, said in meaning.items()}.__getitem__)
            for k, name in enumerate(("label", "species"))
        }
    )


def label_remedy(texts: pd.Series) -> str:
    """The options that say what the labels of a column mean, with a value of theirs as an example."""
    unknown = [text for text in pd.unique(texts) if text and _folded(text) not in LABEL_WORDS]
    example = next((text for text in unknown if text in {"1", "1.0"}), unknown[-1] if unknown else "1")
    return (
        f"--attack-label {example} (the values that mean attack; the one other is bona fide), --bona-fide-label VALUE "
        "where there are more, --species-label VALUE=SPECIES where they are species of attacks"
    )


def label_problem(text: str, texts: pd.Series, remedy: str) -> str:
    """Why a label of a column with these texts was not understood, and what would be right; `remedy`: in options."""
    if not text:
        return f"the label is empty: write {BONA_FIDE} or {ATTACK}"
    is_number = re.fullmatch(r"-?\d+(\.0*)?", text)
    why = f"label '{text}' does not say which is the attack" if is_number else f"unknown label '{text}'"
    counts = texts[texts != ""].value_counts()
    listed = ", ".join(f"'{value}' ({n} {'row' if n == 1 else 'rows'})" for value, n in counts.iloc[:8].items())
    more = f" and {len(counts) - 8} more values" if len(counts) > 8 else ""
    words = f"Write {BONA_FIDE} or {ATTACK} (live, real, genuine, spoof, fake are understood), or"
    return f"{why}. Labels here: {listed}{more}. {words}: {remedy}"


def species_problem(label: str, species: str) -> str | None:
    """Why a row of this label cannot be of this species; None where it can."""
    if label == BONA_FIDE and species:
        return f"a bona fide image with pai_species '{species}': leave it empty"
    if label == ATTACK and LABEL_WORDS.get(_folded(species)) == BONA_FIDE:
        return f"an attack with pai_species '{species}': that is what bona fide samples are called"
    return None


@dataclass(frozen=True)
class Checked:
    """Rows with every column of `COLUMNS` first and right types; what is wrong with them, and what was made of them."""

    rows: pd.DataFrame
    problems: list[Problem]
    notes: list[str]
    key: str = ""  # of the file that was read (`twins`)


def _no_days(table: pd.DataFrame) -> tuple[pd.Series, Callable[[str], str], pd.Series]:
    """(n,) whether a row's last day is no date, what to say of it, and (n,) the days as they are written."""
    until = plain_column(table[RETAIN]) if RETAIN in table else pd.Series("", table.index)
    wrong = [text for text, day in retention.last_days(until).items() if day is None]
    return until.isin(wrong), NO_DAY.format, until


NO_DAY = RETAIN + " '{}' is no date: write it as 2027-05-31, the last day on which the image may be kept"


def normalised(table: pd.DataFrame, labels: LabelValues | None = None) -> tuple[pd.DataFrame, list[Problem]]:
    """The rows and problems of `checked`."""
    parsed = checked(table, labels)
    return parsed.rows, parsed.problems


def checked(table: pd.DataFrame, labels: LabelValues | None = None) -> Checked:
    """A table as rows of a manifest, with every problem found.

    Raises BadInputError only where `labels` do not fit the column label.
    """
    problems = [
        Problem(0, "", f"column '{name}' is missing (columns here: {', '.join(map(str, table.columns[:12]))})")
        for name in ("path", "label")
        if name not in table
    ]
    if problems:
        return Checked(pd.DataFrame(columns=list(COLUMNS)), problems, [])
    (rows, notes), said = _identities(table), parsed_labels(table["label"], labels)
    rows["label"] = said["label"]

    def note(where: pd.Series, says: Callable[[str], str], texts: pd.Series) -> None:
        positions = np.flatnonzero(where.to_numpy())
        told = zip(positions.tolist(), rows["path"].iloc[positions], texts.iloc[positions], strict=True)
        problems.extend(Problem(position + 1, path, says(text)) for position, path, text in told)

    note(rows["path"] == "", lambda _: "the path is empty", rows["path"])
    texts = plain_column(table["label"])
    is_unread = rows["label"] == ""
    remedy = f"'fas data scan TABLE --layout csv --out M.csv' makes a manifest with {label_remedy(texts)}"
    problem_of = {text: label_problem(text, texts, remedy) for text in pd.unique(texts[is_unread])}
    note(is_unread, problem_of.__getitem__, texts)
    if "pai_species" in table:
        notes += unknown_notes(table.loc[rows["label"] == ATTACK, "pai_species"])
    contradicts = (rows["pai_species"] != "") & (said["species"] != "")
    named, told = (texts[contradicts].str.casefold() for texts in (rows["pai_species"], said["species"]))
    contradicts[contradicts] = named != told
    note(contradicts, "pai_species '{}' is not what --species-label says of its label".format, rows["pai_species"])
    rows["pai_species"] = _replaced(rows["pai_species"], rows["pai_species"] == "", said["species"])
    if DELIVERY in table:
        rows["pai_species"], why = _delivered(rows, text_column(table[DELIVERY]))
        note(why != "", str, why)
    for name in NUMBER_COLUMNS:
        if name not in table:
            rows[name] = np.nan
            continue
        text = text_column(table[name])
        rows[name] = read_numbers(text)
        is_unread = rows[name].isna() & (text != "")
        why = unread_numbers(text, is_unread)
        problem_of = {t: f"{name} '{t}' is not a number{f': {why[t]}' if why[t] else ''}" for t in why}
        note(is_unread, problem_of.__getitem__, text)
    note(*_no_days(table))
    if not are_different(rows["sample_id"]):
        repeated = rows["sample_id"].duplicated()
        first_row = {sample: row for row, sample in reversed(list(enumerate(rows["sample_id"], start=1)))}
        note(repeated, lambda s: f"sample_id '{s}' is used before, in row {first_row[s]}", rows["sample_id"])
    misnamed = [name for name in rows["subset"].unique() if not SUBSET_NAME.fullmatch(name)]
    note(rows["subset"].isin(misnamed), "subset name '{}': use letters, digits, _ - . only".format, rows["subset"])
    wrong = {pair: species_problem(*pair) or "" for pair in rows[["label", "pai_species"]].value_counts().index}
    if any(wrong.values()):
        said_of = pd.Series(map(wrong.get, zip(rows["label"], rows["pai_species"], strict=True)), dtype="str")
        note(said_of != "", str, said_of)
    rows = rows.assign(**{name: _free_column(table[name]) for name in table.columns if name not in COLUMNS})
    notes += [*recurring_ids(rows), *alike_people(rows)]
    return Checked(rows.reset_index(drop=True), sorted(problems, key=lambda p: p.row), notes)


def _delivered(rows: pd.DataFrame, delivery: pd.Series) -> tuple[pd.Series, pd.Series]:
    """(n,) species by how attacks were delivered, and (n,) what is wrong with that, "" where nothing is."""
    is_attack = rows["label"] == ATTACK
    kinds = pd.Series(zip(delivery, rows["pai_species"], is_attack, strict=True), rows.index)
    why = kinds.map({kind: delivery_problem(kind[0], kind[1], is_attack=kind[2]) or "" for kind in kinds.unique()})
    return named_by_delivery(rows["pai_species"], delivery.where(is_attack, "")), why


def _identities(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The columns of `TEXT_COLUMNS`, labels still to be read, paths as they are, and what was made of the texts."""
    rows, notes = pd.DataFrame(index=table.index), []
    for name in TEXT_COLUMNS:
        rows[name] = text_column(table[name]) if name in table else ""
        if name in table and name not in ("path", "label", "pai_species"):
            notes += unknown_notes(table[name])
    rows["path"] = table["path"].astype("str").fillna("")
    rows["sample_id"] = _replaced(rows["sample_id"], rows["sample_id"] == "", plain_column(rows["path"]))
    for name in ("pai_species", "subset"):
        respelt = one_spelling_of_species if name == "pai_species" else one_spelling_of_subsets
        rows[name], differing = respelt(rows[name])
        notes += [f"{name}: {text}." for text in differing]
    rows["subset"] = _replaced(rows["subset"], rows["subset"] == "", ALL)
    return rows, notes


def _free_column(values: pd.Series) -> pd.Series:
    """Trimmed text as it was given; numbers where writing them gives every text again (`texts.exact_numbers`)."""
    if not pd.api.types.is_string_dtype(values):
        return values
    text = values.fillna("").str.strip()
    numbers = exact_numbers(text)
    return text if numbers is None else pd.Series(numbers, values.index)


def checked_file(path: Path, labels: LabelValues | None = None) -> Checked:
    """`checked` of the table at `path`; a long one without problems is read once (`twins`).

    Raises BadInputError where there is no table.
    """
    content = table_bytes(path)
    key = twins.key_of(content, path.suffix.lower()) if labels is None else ""
    known = twins.table(key)
    if known is not None:
        return Checked(known[0], [], known[1], key)
    table = table_of(path, content)
    del content  # the table has all that it says
    parsed = checked(table, labels)
    if not parsed.problems:
        twins.keep(key, parsed.rows, parsed.notes)
    return replace(parsed, key=key)


def read(path: Path, labels: LabelValues | None = None) -> Manifest:
    """The manifest at `path`; raises BadInputError naming the first problem, its row, and how many more there are."""
    path = Path(path)
    parsed = checked_file(path, labels)
    if parsed.problems:
        raise BadInputError(problems_message(path, parsed.problems))
    if parsed.rows.empty:
        raise BadInputError(f"{path} has no rows. A manifest has one row per image.")
    return Manifest(parsed.rows, path, tuple(parsed.notes), parsed.key)


def problems_message(path: Path, problems: Sequence[Problem]) -> str:
    """One line: the first problem with its place, and how to see the rest."""
    first = problems[0]
    place = f"{path}, row {first.row} ({first.path})" if first.row else f"{path}"
    more = f" {len(problems) - 1} more: fas data check {path}" if len(problems) > 1 else ""
    if first.row == 0:
        more = " A manifest needs the columns path and label; see 'fas data layouts' for folders that have none."
    return f"{place}: {first.problem}.{more}"


def write(rows: pd.DataFrame, path: Path) -> Path:
    """Writes rows as a manifest: standard columns first, without those that nobody filled. Returns `path`."""
    used = [name for name in COLUMNS if name in rows and (name in ("path", "label") or _is_filled(rows[name]))]
    write_table(rows[[*used, *(c for c in rows.columns if c not in COLUMNS)]], path)
    return path


def _is_filled(values: pd.Series) -> bool:
    return bool((values.astype("str").fillna("") != "").any()) if values.dtype != float else bool(values.notna().any())


def relocated(manifest: Manifest, target: Path) -> pd.DataFrame:
    """The rows with their paths relative to the folder of another manifest file."""
    rows = manifest.rows.copy()
    folder = target.parent.resolve()
    for name in ("path", BOXES, CUT_FROM):
        if name in rows:
            names = rows[name].fillna("")
            rows[name] = relative_names([path and joined(manifest.root, path) for path in names], folder)
    return rows


def relative_names(paths: Iterable[str], folder: Path) -> list[str]:
    """`relative_to` of many files, "" staying "": of each folder it is looked up once which of its files are links."""
    beginnings: dict[str, tuple[str, Set[str]] | None] = {}
    names = []
    for path in paths:
        parent, slash, name = path.rpartition("/")
        if parent not in beginnings:
            beginnings[parent] = _beginning(parent, folder) if parent or not slash else None
        known = beginnings[parent]
        is_plain = known is not None and name not in known[1]
        names.append(path and (f"{known[0]}{name}" if is_plain and known else relative_to(Path(path), folder)))
    return names


def _beginning(parent: str, folder: Path) -> tuple[str, Set[str]] | None:
    """How the names of the files in `parent` begin, as a manifest in `folder` names them, and of which that is not
    true, as they are links or folders; None where that cannot be told."""
    if storage.is_remote(Path(parent)):
        return None
    try:
        with os.scandir(parent or ".") as entries:
            others = {entry.name for entry in entries if entry.is_symlink() or entry.is_dir(follow_symlinks=False)}
    except (OSError, ValueError):
        return None
    above = relative_to(Path(parent), folder)
    return "" if above == "." else f"{above}/", others | {"", ".", ".."}


def relative_to(path: Path, folder: Path) -> str:
    """A file as a manifest in `folder` (resolved) names it."""
    return storage.url_of(path) or Path(os.path.relpath(path.resolve(), folder)).as_posix()
