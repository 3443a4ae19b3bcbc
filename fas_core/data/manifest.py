"""One row per image: reading, checking, hashing and writing manifests.

A manifest is a CSV or Parquet table. Its columns are `COLUMNS`; any other column is kept as it is and offered
as a colour and filter in the app. Rows are numbered from 1 (the first image) in every message.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.data.names import ALL, ATTACK, BONA_FIDE, SUBSET_NAME, in_protocol_order
from fas_core.errors import BadInputError
from fas_core.files import content_hashes, read_table, write_table

TEXT_COLUMNS = ("path", "sample_id", "label", "pai_species", "subject_id", "session_id", "subset", "video_id")
NUMBER_COLUMNS = ("frame", "pose_x", "pose_y", "pose_z")
COLUMNS = TEXT_COLUMNS + NUMBER_COLUMNS

# A bare 0 or 1 is not here: its polarity differs between data sets, so somebody must say which one is the attack.
_LABELS = {
    "bona_fide": BONA_FIDE,
    "bonafide": BONA_FIDE,
    "live": BONA_FIDE,
    "real": BONA_FIDE,
    "genuine": BONA_FIDE,
    "attack": ATTACK,
    "spoof": ATTACK,
    "fake": ATTACK,
}
_NO_VALUE = {"", "none", "nan", "null", "n/a", "unknown"}


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

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def root(self) -> Path:
        """The folder that `path` is relative to."""
        return self.source.parent

    def image_paths(self) -> list[Path]:
        return [self.root / path for path in self.rows["path"]]

    def subset_names(self) -> list[str]:
        """Names in the thesis' order, others after them by name."""
        return in_protocol_order(self.rows["subset"].unique())

    def only(self, subsets: Sequence[str]) -> Manifest:
        """The rows of some subsets; raises BadInputError for a name that no row has."""
        known = self.subset_names()
        for name in subsets:
            if name not in known:
                raise BadInputError(f"{self.source}: no image is in subset '{name}'. Subsets here: {', '.join(known)}.")
        return Manifest(self.rows[self.rows["subset"].isin(subsets)].reset_index(drop=True), self.source)

    @cached_property
    def sha256(self) -> str:
        """Hash of every row but `path`, and of the bytes of every image: a copied folder is the same data set."""
        digest = hashlib.sha256()
        columns = ["sample_id", *sorted(set(self.rows.columns) - {"path", "sample_id"})]
        digest.update(self.rows[columns].to_csv(index=False, lineterminator="\n").encode())
        for content in content_hashes(self.image_paths()):
            digest.update(content.encode())
        return digest.hexdigest()


def text_column(values: pd.Series) -> pd.Series:
    """Values as stripped text, "" where unknown (missing, none, unknown, n/a)."""
    text = values.astype("str").fillna("").str.strip()
    return text.where(~text.str.lower().isin(_NO_VALUE), "")


def parsed_labels(values: pd.Series, attack_label: str | None = None) -> pd.Series:
    """`bona_fide`, `attack`, or "" where the text says neither. `attack_label`: the text that means attack."""
    text = values.astype("str").fillna("").str.strip()
    if attack_label is not None:
        if attack_label not in set(text):
            seen = ", ".join(sorted(set(text))[:8])
            raise BadInputError(f"No label is '{attack_label}' (--attack-label). Labels here: {seen}.")
        return pd.Series(np.where(text == attack_label, ATTACK, np.where(text == "", "", BONA_FIDE)), values.index)
    return text.str.lower().str.replace("-", "_").str.replace(" ", "_").map(_LABELS).fillna("")


def label_problem(text: str) -> str:
    """Why a label was not understood, and what would be right."""
    if text in {"0", "1", "0.0", "1.0"}:
        return f"label '{text}' does not say which is the attack (data sets differ): write bona_fide or attack"
    return f"unknown label '{text}': write bona_fide or attack (live, real, genuine, spoof, fake are understood)"


def normalised(table: pd.DataFrame, attack_label: str | None = None) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows with every column of `COLUMNS` first and right types, and every problem found (never raises for content)."""
    listed = ", ".join(map(str, table.columns[:12]))
    problems = [
        Problem(0, "", f"column '{name}' is missing (columns here: {listed})")
        for name in ("path", "label")
        if name not in table
    ]
    if problems:
        return pd.DataFrame(columns=list(COLUMNS)), problems
    rows = pd.DataFrame(index=table.index)
    for name in TEXT_COLUMNS:
        rows[name] = text_column(table[name]) if name in table else ""
    rows["path"] = table["path"].astype("str").fillna("")
    rows["sample_id"] = rows["sample_id"].where(rows["sample_id"] != "", rows["path"])
    rows["label"] = parsed_labels(table["label"], attack_label)
    rows["subset"] = rows["subset"].where(rows["subset"] != "", ALL)
    paths = rows["path"].tolist()

    def note(where: pd.Series, texts: Sequence[str] | str) -> None:
        for position in np.flatnonzero(where.to_numpy()):
            text = texts if isinstance(texts, str) else texts[int(position)]
            problems.append(Problem(int(position) + 1, paths[position], text))

    note(rows["path"] == "", "the path is empty")
    label_texts = table["label"].astype("str").fillna("").str.strip()
    note(rows["label"] == "", [label_problem(text) for text in label_texts])
    for name in NUMBER_COLUMNS:
        if name in table:
            number = pd.to_numeric(text_column(table[name]).replace("", np.nan), errors="coerce")
            unread = number.isna() & (text_column(table[name]) != "")
            note(unread, [f"{name} '{text}' is not a number" for text in table[name].astype("str")])
            rows[name] = number.astype("float64")
        else:
            rows[name] = np.nan
    repeated = rows["sample_id"].duplicated()
    first_row = {sample: row for row, sample in reversed(list(enumerate(rows["sample_id"], start=1)))}
    note(repeated, [f"sample_id '{s}' is used before, in row {first_row[s]}" for s in rows["sample_id"]])
    named = rows["subset"].map({name: bool(SUBSET_NAME.fullmatch(name)) for name in rows["subset"].unique()})
    note(~named.astype(bool), [f"subset name '{s}': use letters, digits, _ - . only" for s in rows["subset"]])
    species_on_live = (rows["label"] == BONA_FIDE) & (rows["pai_species"] != "")
    note(species_on_live, [f"a bona fide image with pai_species '{s}': leave it empty" for s in rows["pai_species"]])
    for name in table.columns:
        if name not in COLUMNS:
            rows[name] = _free_column(table[name])
    return rows.reset_index(drop=True), sorted(problems, key=lambda p: p.row)


def _free_column(values: pd.Series) -> pd.Series:
    """Numbers where every given value is one (and none has a leading zero that a number would lose), text otherwise."""
    if not pd.api.types.is_string_dtype(values):
        return values
    text = values.fillna("").str.strip()
    number = pd.to_numeric(text.replace("", np.nan), errors="coerce")
    is_code = text.str.fullmatch(r"0\d+").any()
    return text if is_code or number.isna().sum() > (text == "").sum() or number.isna().all() else number


def read(path: Path, attack_label: str | None = None) -> Manifest:
    """The manifest at `path`; raises BadInputError naming the first problem, its row, and how many more there are."""
    path = Path(path)
    table = read_table(path)
    rows, problems = normalised(table, attack_label)
    if problems:
        raise BadInputError(problems_message(path, problems))
    if rows.empty:
        raise BadInputError(f"{path} has no rows. A manifest has one row per image.")
    return Manifest(rows, path)


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
    """The rows with `path` relative to the folder of another manifest file."""
    rows = manifest.rows.copy()
    folder = target.parent.resolve()
    rows["path"] = [Path(os.path.relpath(p.resolve(), folder)).as_posix() for p in manifest.image_paths()]
    return rows
