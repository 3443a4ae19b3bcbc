"""Score files of any system: `sample_id, label, score`, optionally species, subset, subject, video, anything else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, SUBSET_NAME, label_problem, parsed_labels, read_table, text_column

SCORE = "score"
REQUIRED = ("sample_id", "label", SCORE)


@dataclass(frozen=True)
class ScoreFile:
    """Checked rows: sample_id, label, subset ("all" where unknown), pai_species, score (NaN: no response), the rest."""

    rows: pd.DataFrame
    source: Path

    def only(self, subset: str) -> ScoreFile:
        names = sorted(self.rows["subset"].unique())
        if subset not in names:
            raise BadInputError(f"{self.source}: no row is in subset '{subset}'. Subsets here: {', '.join(names)}.")
        return ScoreFile(self.rows[self.rows["subset"] == subset].reset_index(drop=True), self.source)


def read(path: Path, attack_label: str | None = None) -> ScoreFile:
    """The score file at `path`. A `split` column counts as `subset`; an empty score is a non-response.

    Raises BadInputError naming the first offending row (counted from 1) for a missing column, a label that is neither
    bona fide nor attack, text in the score column, a sample_id repeated within a subset, or a file without any score.
    The same sample_id in two subsets is kept (published protocols do it) and is a finding of `datahealth`.
    """
    path = Path(path)
    table = read_table(path)
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise BadInputError(
            f"{path}: column '{missing[0]}' is missing. A score file needs {', '.join(REQUIRED)}; "
            f"this one has {', '.join(map(str, table.columns))}."
        )
    if table.empty:
        raise BadInputError(f"{path} has no rows. A score file has one row per sample.")
    if "subset" not in table and "split" in table:
        table = table.rename(columns={"split": "subset"})
    rows = table.copy()
    for name in ("sample_id", "pai_species", "subset", "subject_id", "session_id", "video_id"):
        if name in table or name in ("pai_species", "subset"):
            rows[name] = text_column(table[name]) if name in table else ""
    rows["sample_id"] = table["sample_id"].astype("str").fillna("").str.strip()
    rows["subset"] = rows["subset"].where(rows["subset"] != "", "all")
    named = rows["subset"].map({s: bool(SUBSET_NAME.fullmatch(s)) for s in rows["subset"].unique()}).astype(bool)
    _refuse_first(path, ~named, [f"subset name '{s}': use letters, digits, _ - . only" for s in rows["subset"]])
    rows["label"] = parsed_labels(table["label"], attack_label)
    _refuse_first(
        path, rows["label"] == "", [label_problem(str(text).strip()) for text in table["label"]], attack_label
    )
    rows["pai_species"] = rows["pai_species"].where(rows["label"] == ATTACK, "")
    _refuse_first(path, rows["sample_id"] == "", "the sample_id is empty")
    repeated = rows[["subset", "sample_id"]].duplicated()
    _refuse_first(path, repeated, [f"sample_id '{s}' is used before in the same subset" for s in rows["sample_id"]])
    rows[SCORE] = _scores(path, table[SCORE])
    if rows[SCORE].isna().all():
        raise BadInputError(f"{path}: every one of the {len(rows)} scores is empty or NaN. Write the system's scores.")
    return ScoreFile(rows, path)


def _scores(path: Path, values: pd.Series) -> pd.Series:
    if not pd.api.types.is_string_dtype(values):
        if not pd.api.types.is_numeric_dtype(values):
            raise BadInputError(f"{path}: the column score holds {values.dtype}, not numbers.")
        return values.astype("float64")
    text = values.fillna("").str.strip()
    is_empty = text.str.lower().isin(["", "nan", "na", "n/a", "none", "null"])
    numbers = pd.to_numeric(text.mask(is_empty, ""), errors="coerce").astype("float64")
    _refuse_first(path, numbers.isna() & ~is_empty, [f"score '{t}' is not a number" for t in text])
    return numbers


def _refuse_first(path: Path, wrong: pd.Series, texts: list[str] | str, attack_label: str | None = None) -> None:
    rows = np.flatnonzero(wrong.to_numpy())
    if not len(rows):
        return
    text = texts if isinstance(texts, str) else texts[rows[0]]
    remedy = " Or say which value is the attack: --attack-label 1" if "does not say which" in text else ""
    more = f" ({len(rows) - 1} more rows like it)" if len(rows) > 1 else ""
    raise BadInputError(f"{path}, row {rows[0] + 1}: {text}{more}.{remedy}")
