"""Metrics of a Run as tables for papers: a row per number as CSV, a row per subset as LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from fas_core.evaluation.comparison import document_name
from fas_core.evaluation.differences import ROC_AUC, Difference
from fas_core.evaluation.run_metrics import RunMetrics, SubsetMetrics
from fas_core.evaluation.several import SPREAD, Several, Spread
from fas_core.evaluation.words import metric_words
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import UnitInterval


class Number(NamedTuple):
    """A metric of a score on a subset, of one species or all; its 95 % interval, and what to know of it."""

    run: str
    level: str
    score: str
    subset: str
    species: str  # "" for all
    metric: str
    value: float | None
    low95: float | None
    high95: float | None
    n: int | None  # presentations that it is of
    threshold: float | None
    note: str


def numbers(of_run: RunMetrics) -> pd.DataFrame:
    """A row per number, with the columns of `Number`; shares as fractions, None where undefined."""
    rows = [
        Number(of_run.run, of_run.level, score, subset, *of_cell)
        for score, cells in of_run.scores.items()
        for subset, cell in cells.items()
        for of_cell in _of_cell(cell)
    ]
    return pd.DataFrame(rows, columns=list(Number._fields))


Cells = Iterator[tuple[str, str, float | None, float | None, float | None, int | None, float | None, str]]


def _of_cell(cell: SubsetMetrics) -> Cells:
    n, no = cell.n_bona_fide + cell.n_attack, None
    yield "", "roc_auc", cell.roc_auc, *_ends(cell.roc_auc_ci95), n, no, ""
    for species, area in cell.roc_auc_per_species.items():
        of_both = cell.n_bona_fide + cell.n_per_species[species]
        yield species, "roc_auc", area, *_ends(cell.roc_auc_per_species_ci95[species]), of_both, no, ""
    yield "", "average_precision", cell.average_precision, no, no, n, no, ""
    eer, at_eer = (None, None) if cell.eer is None else (cell.eer.value, cell.eer.threshold)
    yield "", "eer", eer, *_ends(cell.eer_ci95), n, at_eer, "" if eer is None else "optimistic"
    for rates in cell.at_threshold:
        yield "", "bpcer", rates.bpcer, no, no, cell.n_bona_fide, rates.threshold, "threshold given"
        for species, apcer in rates.apcer_per_species.items():
            yield species, "apcer", apcer, no, no, cell.n_per_species[species], rates.threshold, "threshold given"
    at = cell.at_dev_threshold
    if at is not None:
        reported = at.rates
        note = f"{at.rule}, chosen on {', '.join(at.chosen_on)}" + (", optimistic" if at.optimistic else "")
        where = reported.threshold, note
        yield "", "bpcer", reported.bpcer, *_ends(reported.bpcer_interval), reported.n_bona_fide, *where
        for species, apcer in reported.apcer_per_species.items():
            ends = _ends(reported.apcer_interval_per_species[species])
            yield species, "apcer", apcer, *ends, reported.n_per_species[species], *where


def _ends(interval: UnitInterval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)


class Compared(NamedTuple):
    """A metric of a Run, or the mean over trainings of an experiment, and its difference to the first Run.

    `low95` to `high95`: of the difference, by people; `deviation`: between trainings. They are of different things.
    """

    run: str
    seeds: str  # "" of a single Run
    metric: str
    value: float | None
    difference: float | None
    low95: float | None
    high95: float | None
    p: float | None
    deviation: float | None
    lowest: float | None
    highest: float | None
    note: str


def differences(of: Several) -> pd.DataFrame:
    """A row per Run and metric, then per experiment of several seeds and metric; with the columns of `Compared`."""
    no = None
    rows = [
        Compared(of.names[0], "", document_name(name), value, no, no, no, no, no, no, no, "first")
        for name, value in of.values(0).items()
    ]
    for run, pair in zip(of.names[1:], of.pairs, strict=True):
        on = pair.matching.chosen_on
        note = f"{pair.matching.rule}, " + (f"chosen on {', '.join(on)}" if on else "matched where it is judged")
        for statistic, metric in pair.metrics.items():
            ends = metric.low, metric.high, metric.p, no, no, no
            rows.append(Compared(run, "", document_name(statistic), metric.b, metric.difference, *ends, note))
    for group in of.seeds:
        seeds = " ".join(map(str, group.seeds))
        for statistic, spread in group.metrics.items():
            mean = document_name(statistic), spread.mean, group.above.get(statistic)
            between = no, no, no, spread.deviation, spread.low, spread.high
            rows.append(Compared(group.name, seeds, *mean, *between, "mean over seeds"))
    return pd.DataFrame(rows, columns=list(Compared._fields))


def latex_of_several(of: Several) -> str:
    """One table (booktabs): a row per Run with its difference to the first, one per experiment of several seeds."""
    shown, first, pair = _shown(of), of.values(0), of.pairs[0]
    rows = [[_escaped(of.names[0]), *(_scaled(first.get(statistic), statistic) for statistic in shown)]]
    for run, other in zip(of.names[1:], of.pairs, strict=True):
        rows.append([_escaped(run), *(_against_first(other.metrics[statistic], statistic) for statistic in shown)])
    of_seeds = [
        [_escaped(group.words), *(_plus_minus(group.metrics.get(statistic), statistic) for statistic in shown)]
        for group in of.seeds
    ]
    caption = (
        f"Differences to {of.names[0]} with 95 % intervals by {pair.unit} (n = {pair.n_units}) in brackets, on the "
        f"{pair.n_common} samples that all have; areas as they are, rates in percent"
    )
    if of_seeds:
        caption += f". Below the line: means over seeds; {SPREAD}"
    lines = [[" & ".join(row) + r" \\" for row in part] for part in (rows, of_seeds)]
    heads = ["", *(_escaped(metric_words(statistic)) for statistic in shown)]
    return _tabular(caption, "l" * len(heads), heads, [*lines[0], *([r"\midrule"] if of_seeds else []), *lines[1]])


def _shown(of: Several) -> list[Statistic]:
    """AUC, EER and the two rates at the threshold: what a table has room for."""
    every = list(of.values(0))
    rates = [name for name in every if name.name in ("bpcer", "apcer_max", "apcer_max_at_bpcer", "bpcer_at_apcer")]
    return [name for name in every if name in (ROC_AUC, Statistic("eer"))] + rates


def _is_area(statistic: Statistic) -> bool:
    return statistic.name == "roc_auc"


def _scaled(value: float | None, statistic: Statistic) -> str:
    if value is None:
        return "--"
    return f"{value:.3f}" if _is_area(statistic) else f"{100 * value:.1f}"


def _against_first(metric: Difference, statistic: Statistic) -> str:
    if metric.difference is None:
        return _scaled(metric.b, statistic)
    scale, digits = (1, 3) if _is_area(statistic) else (100, 1)
    ends = ""
    if metric.low is not None and metric.high is not None:
        ends = f" [{scale * metric.low:+.{digits}f}, {scale * metric.high:+.{digits}f}]"
    return f"{_scaled(metric.b, statistic)} ({scale * metric.difference:+.{digits}f}{ends})"


def _plus_minus(spread: Spread | None, statistic: Statistic) -> str:
    if spread is None:
        return "--"
    return rf"{_scaled(spread.mean, statistic)} $\pm$ {_scaled(spread.deviation, statistic)}"


def _tabular(caption: str, columns: str, heads: Sequence[str], body: Sequence[str]) -> str:
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(caption)}.}}",
            r"\centering",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def latex(of_run: RunMetrics, name: str) -> str:
    """A table per score (booktabs), a row per subset: AUC, EER, and BPCER and worst APCER at dev's threshold."""
    return "\n".join(_table(of_run, score, name) for score in of_run.scores)


def _table(of_run: RunMetrics, score: str, name: str) -> str:
    cells = of_run.scores[score]
    heads = ["subset", "live", "attacks", "AUC", r"EER in \%", r"BPCER in \%", r"worst APCER in \%"]
    at_dev = {subset: at for subset, cell in cells.items() if (at := cell.at_dev_threshold) is not None}
    is_optimistic = {subset for subset, at in at_dev.items() if at.optimistic}
    lines = [
        " & ".join([_escaped(subset) + ("$^*$" if subset in is_optimistic else ""), *_cells_of(cell)]) + r" \\"
        for subset, cell in cells.items()
    ]
    caption = f"{name}, score {score}, decided per {of_run.level}; 95 % intervals in brackets"
    for rule in sorted({f"{at.rule} chosen on {', '.join(at.chosen_on)}" for at in at_dev.values()}):
        caption += f"; BPCER and APCER at {rule}"
    caption += "; * optimistic: judged where the threshold was chosen" if is_optimistic else ""
    return _tabular(caption, "lrrllll", heads, lines)


def _cells_of(cell: SubsetMetrics) -> list[str]:
    at = None if cell.at_dev_threshold is None else cell.at_dev_threshold.rates
    digits = 1 if cell.n_bona_fide < 1000 else 2
    worst = "--"
    if at is not None and at.apcer_max is not None:
        worst = f"{_escaped(at.apcer_worst or '')} {_with_ends(at.apcer_max, at.worst_interval, digits, 100)}".strip()
    return [
        str(cell.n_bona_fide),
        str(cell.n_attack),
        _with_ends(cell.roc_auc, cell.roc_auc_ci95, 3),
        _with_ends(None if cell.eer is None else cell.eer.value, cell.eer_ci95, digits, 100),
        "--" if at is None else _with_ends(at.bpcer, at.bpcer_interval, digits, 100),
        worst,
    ]


def _with_ends(value: float | None, interval: UnitInterval | None, digits: int, scale: float = 1) -> str:
    if value is None:
        return "--"
    ends = "" if interval is None else f" [{scale * interval.low:.{digits}f}, {scale * interval.high:.{digits}f}]"
    return f"{scale * value:.{digits}f}{ends}"


_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}", "±": r"\ensuremath{\pm}", "−": r"\ensuremath{-}", "≤": r"\ensuremath{\leq}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in text)
