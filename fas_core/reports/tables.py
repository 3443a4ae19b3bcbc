"""The tables of a comparison, as the page and its report show them: made here once, so that both say the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from fas_core.data.names import BONA_FIDE, readable
from fas_core.evaluation.regressions import CHANCE, CLEAR, TOO_FEW, UNCERTAIN, Cell
from fas_core.evaluation.sheet import LETTERS, Sheet
from fas_core.evaluation.words import interval_text, metric_words, p_text
from fas_core.reports import html
from fas_core.reports.forest import Row, rows_of


def forest_rows(sheet: Sheet, *, with_intervals: bool = True, feared: Sequence[str] = ()) -> dict[str, list[Row]]:
    """Of every other Run, by its letter, against A; none where there is nothing to draw. `feared`: species first."""
    by_letter = {}
    for b, letter in enumerate(sheet.comparison.letters[1:], start=1):
        worse = sheet.worse(b, with_intervals=with_intervals)
        of_each = sheet.differences(b, with_intervals=with_intervals)
        by_letter[letter] = rows_of(worse, of_each, with_species=not sheet.thresholds, feared=feared)
    return {letter: rows for letter, rows in by_letter.items() if rows}


def worse_table(cells: Sequence[Cell], letter: str, unit: str) -> pd.DataFrame:
    """Groups that are too small to judge have no p. `unit`: what is resampled as a whole."""
    units = {} if unit == "sample" else {f"{unit.capitalize()}s": [cell.units_words for cell in cells]}
    sure = {CLEAR: "yes", UNCERTAIN: "unsure", CHANCE: "no", TOO_FEW: "too few"}
    return pd.DataFrame(
        {
            "Group": [_whose(cell) for cell in cells],
            "n": [cell.n for cell in cells],
            f"A → {letter}": [cell.shares for cell in cells],
            "95 %": [interval_text(*cell.points, digits=0) for cell in cells],
            "Sure?": [sure[cell.verdict] for cell in cells],
            **units,
            "p": [None if cell.p is None else p_number(cell.p) for cell in cells],
        }
    )


def _whose(cell: Cell) -> str:
    """A group of live faces, whose table has no other, or of a species."""
    kind = "" if cell.kind == BONA_FIDE else readable(cell.kind)
    if not cell.column:
        return f"{kind or 'live'}, all"
    return " · ".join(filter(None, [kind, f"{readable(cell.column)}: {readable(cell.group)}"]))


# What stands below `metrics_table`, whose p and those of what got worse answer other questions.
EACH_ALONE = (
    "p of each metric by itself: of so many, some are small by chance. What is called clear, above, is so after "
    "correction for all that is compared."
)


def metrics_table(sheet: Sheet, b: int, *, with_intervals: bool) -> pd.DataFrame:
    """A row per metric: its value for each Run, and the difference of Run `b` with its interval and p."""
    of_each = [sheet.differences(i, with_intervals=with_intervals) for i in range(1, len(sheet.comparison.systems))]
    detail = of_each[b - 1].values()
    columns: dict[str, list[object]] = {"Metric": [metric_words(statistic) for statistic in of_each[b - 1]]}
    columns["A"] = [metric.a for metric in detail]
    for letter, differences_of in zip(sheet.comparison.letters[1:], of_each, strict=True):
        columns[letter] = [metric.b for metric in differences_of.values()]
    columns[f"{LETTERS[b]} − A"] = [metric.difference for metric in detail]
    columns["95 %"] = [interval_text(metric.low, metric.high, 3) for metric in detail]
    columns["p"] = [None if metric.p is None else p_number(metric.p, is_bound=metric.is_bound) for metric in detail]
    return pd.DataFrame(columns)


def groups_table(rates: pd.DataFrame, column: str, letter: str, *, has_units: bool) -> pd.DataFrame:
    """`differences.table` of the groups by a column as it is shown: shares in percent, intervals in words.

    `has_units`: samples are of subjects or videos, which McNemar's test knows nothing of: its p is left out.
    """
    mcnemar = {} if has_units else {"McNemar p": [None if pd.isna(p) else p_number(p) for p in rates["mcnemar_p"]]}
    low, high = (100 * rates[name].astype(float) for name in ("low", "high"))
    return pd.DataFrame(
        {
            readable(column).capitalize(): [readable(s) if s else "all" for s in rates["group"]],
            "Class": [readable(k) for k in rates["kind"]],
            "n": rates["n"],
            "Wrong in A": 100 * rates["wrong_a"].astype(float),
            f"Wrong in {letter}": 100 * rates["wrong_b"].astype(float),
            f"{letter} − A": 100 * rates["difference"].astype(float),
            "95 %": [interval_text(*ends, 1) for ends in zip(low, high, strict=True)],
            "Fixed": rates["fixed"],
            "Broken": rates["broken"],
            **mcnemar,
            "AUC A": rates["auc_a"].astype(float),
            f"AUC {letter}": rates["auc_b"].astype(float),
        }
    )


def p_number(p: float, *, is_bound: bool = False) -> str:
    """Without the letter: 0.012, < 0.001; ≤ 0.002 where resampling says no more."""
    return p_text(p, is_bound=is_bound).removeprefix("p ").removeprefix("= ")


def frame(values: pd.DataFrame, note: str = "", digits: dict[str, str] | None = None) -> Markup:
    """A data frame as a table. `digits`: formats of columns of numbers."""
    formats = digits or {}

    def text(name: str, value: object) -> str:
        if value is None or pd.isna(value):
            return "–"
        if name in formats:
            return format(value, formats[name]).replace("-", "−")
        return f"{value:,}" if isinstance(value, int | np.integer) else str(value)

    columns = [[text(name, value) for value in values[name]] for name in values]
    return html.table(list(map(str, values)), list(zip(*columns, strict=True)), note)
