"""What another Run does worse than A: every species, subset and group of people or circumstances, the worst first.

    columns = groupings([a, b], both)
    got_worse = what_got_worse(both, matching(both, rule), columns, drawn)
    got_worse.worst, got_worse.sentence(), got_worse.rows[0].difference

A headline is an average: a regression for few people is in no metric of all. So every rate of wrong verdicts is
compared in every group that is large enough; groups that are too small are named.

Two questions, two families. Live faces and each species as a whole: few, better or worse, and one false claim is one
too many, so Holm's correction of two-sided p: with no true difference anywhere, 5 % of comparisons claim any. Groups:
over a hundred, of which a decision asks for each that is harmed, and Holm's would hide what it cannot prove among so
many. So the false discovery rate of one-sided p is held at 5 %: of the groups said to be clearly worse one in twenty
is not, on average, and with no true difference 5 % of comparisons name any. Groups overlap, and their statistics
correlate positively, for which Benjamini and Hochberg's procedure holds. One-sided, as otherwise every group that got
better would make it easier to call another one worse. What is not certain is named all the same, as not certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import BONA_FIDE, readable
from fas_core.documents import Json
from fas_core.evaluation import breakdown
from fas_core.evaluation.breakdown import MIN_SAMPLES, MIN_UNITS
from fas_core.evaluation.differences import Flips, changes_by_unit, drawn_units, flips, threshold_by_rule
from fas_core.evaluation.join import Joined
from fas_core.evaluation.matching import Matching
from fas_core.evaluation.words import interval_text
from fas_core.metrics import resampling
from fas_core.metrics.resampling import Resampled
from fas_core.metrics.uncertainty import (
    RESAMPLES,
    benjamini_hochberg,
    codes_of,
    draws,
    holm,
    percentiles,
    sparse_counts,
    swap_p,
)
from fas_core.runs.store import Run

SUBSET = "subset"
SURE = 0.05  # of the corrected p
CLEAR, UNCERTAIN, CHANCE, TOO_FEW = VERDICTS = ("beyond chance", "not certain", "within chance", "too few to judge")


class Grouping(NamedTuple):
    """A column of n samples: the number of each one's group, and the names of these."""

    codes: NDArray[np.intp]
    names: Sequence[str]


@dataclass(frozen=True)
class Cell:
    """The share of wrong verdicts of A and of another Run in samples of one kind: the BPCER or an APCER of a group."""

    column: str  # of the group; "": all samples of the kind
    group: str
    kind: str  # bona fide or a species
    n: int
    n_units: int
    a: float
    b: float
    low: float | None = None  # 95 % of b - a, by unit; None where it is not computed, or of one unit
    high: float | None = None
    p_alone: float | None = None  # of "A and B err alike", two-sided (`swap_p`); None: too few
    p: float | None = None  # corrected: of all samples of a kind by Holm; of a group one-sided, "B errs more", by B-H

    @property
    def difference(self) -> float:
        return self.b - self.a

    @property
    def points(self) -> tuple[float | None, float | None]:
        """The interval in percentage points."""
        return None if self.low is None else 100 * self.low, None if self.high is None else 100 * self.high

    @property
    def is_small(self) -> bool:
        """Too few samples or units to judge."""
        return self.n < MIN_SAMPLES or self.n_units < MIN_UNITS

    @property
    def is_clear_alone(self) -> bool:
        """Beyond chance if nothing else were compared: p below 0.05, and an interval, if any, that leaves 0 out."""
        beyond = self.low is None or self.high is None or self.low > 0 or self.high < 0
        return self.p_alone is not None and self.p_alone < SURE and beyond

    @property
    def is_clear(self) -> bool:
        """Beyond chance among all that is compared."""
        return self.p is not None and self.p < SURE and self.is_clear_alone

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`. Not certain: beyond chance alone, but not among so many."""
        if self.p is None:
            return TOO_FEW
        return CLEAR if self.is_clear else UNCERTAIN if self.is_clear_alone else CHANCE

    @property
    def interval(self) -> str:
        """+3 to +12 points; "" where there is none."""
        ends = interval_text(*self.points, digits=0)
        return f"{ends} points" if ends else ""

    @property
    def words(self) -> str:
        """Whose verdicts: live faces with skin tone dark brown, mask attacks in unseen mask."""
        whose = "live faces" if self.kind == BONA_FIDE else f"{readable(self.kind)} attacks"
        if not self.column:
            return whose
        if self.column == SUBSET:
            return f"{whose} in {readable(self.group)}"
        return f"{whose} with {readable(self.column)} {self.group}"

    def change(self, letter: str = "B") -> str:
        """B rejects 41 % instead of 9 % of live faces with skin tone dark brown."""
        return f"{letter} {'rejects' if self.kind == BONA_FIDE else 'misses'} {_instead(self)} of {self.words}"

    def as_json(self) -> Json:
        return {
            "column": self.column or None,
            "group": self.group or None,
            "kind": self.kind,
            "n": self.n,
            "n_units": self.n_units,
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "ci95": None if self.low is None else [self.low, self.high],
            "p": self.p_alone,
            "p_corrected": self.p,
            "correction": "benjamini_hochberg" if self.column else "holm",
            "is_clear": self.is_clear,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Regressions:
    """`rows`: in which the other Run is worse, those beyond chance first, then those that are so alone; by size.

    `overall`: every kind as a whole, better or worse. `too_few`: what is too small to judge, the largest first.
    """

    rows: tuple[Cell, ...]
    overall: tuple[Cell, ...]
    too_few: tuple[Cell, ...]
    n_compared: int  # kinds as a whole, and groups: p is corrected among the ones, and among the others
    unit: str

    @property
    def clear(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.rows if cell.is_clear)

    @property
    def listed(self) -> tuple[Cell, ...]:
        """What got worse, and behind it what is too small to judge."""
        return (*self.rows, *(cell for cell in self.too_few if cell.difference > 0))

    @property
    def worst(self) -> Cell | None:
        """The largest that chance does not explain."""
        return next(iter(self.clear), None)

    @property
    def n_wholes(self) -> int:
        """How many kinds are compared as a whole."""
        return sum(cell.p is not None for cell in self.overall)

    @property
    def n_groups(self) -> int:
        """How many groups are compared."""
        return self.n_compared - self.n_wholes

    @property
    def wholes_words(self) -> str:
        """live and 5 species"""
        n_species = sum(cell.p is not None and cell.kind != BONA_FIDE for cell in self.overall)
        live = "live" if n_species < self.n_wholes else ""
        return " and ".join(filter(None, [live, f"{n_species} species" if n_species else ""]))

    def among(self, cell: Cell) -> str:
        """What the p of a cell is corrected for."""
        return f"{self.n_groups:,} groups" if cell.column else self.wholes_words

    @property
    def correction_words(self) -> str:
        """How p is corrected, for who asks."""
        return (
            f"p of {self.wholes_words or 'kinds'} as a whole: Holm's correction. p of {self.n_groups:,} groups, that "
            "they got worse: Benjamini and Hochberg's, by which one in twenty of those called beyond chance is not, on "
            "average."
        )

    def sentence(self, letter: str = "B") -> str:
        """The worst regression with its evidence; where none is clear, the largest one and that it is not certain."""
        if not self.n_compared:
            return "What got worse cannot be said: every species and group has too few samples to judge."
        if not self.rows:
            return f"Nothing got worse: of {self.n_compared:,} groups, species and subsets compared, none did."
        cell, n_more = self.rows[0], len(self.clear) - 1
        p = "p < 0.001" if (cell.p or 0) < 0.001 else f"p = {cell.p:.3f}"
        interval = "" if cell.low is None else f" [{100 * cell.low:+.0f} to {100 * (cell.high or 0):+.0f}]"
        evidence = (
            f"{cell.change(letter)} ({100 * cell.difference:+.0f} points{interval}, {p} corrected for "
            f"{self.among(cell)}, n = {cell.n:,})"
        ).replace("-", "−")
        if cell.is_clear:
            return f"What got worse: {evidence}.{f' {n_more} more got clearly worse.' if n_more else ''}"
        return (
            f"Nothing got clearly worse: of {self.n_compared:,} groups, species and subsets compared, none is. The "
            f"largest worsening is {cell.verdict}: {evidence}."
        )

    def as_json(self) -> Json:
        """The key "worse" of the document."""
        document: Json = metrics.json_safe(
            {
                "n_compared": self.n_compared,
                "n_groups": self.n_groups,
                "unit": self.unit,
                "rows": [cell.as_json() for cell in self.rows],
                "too_few": [cell.as_json() for cell in self.too_few],
                "min_samples": MIN_SAMPLES,
                "min_units": MIN_UNITS,
            }
        )
        return document


class Headline(NamedTuple):
    """What a decision needs first: one sentence in two parts."""

    answer: str  # attacks and live faces as a whole
    but: str  # the worst regression of a group, from a comma on; "" where chance explains every one


def headline(worse: Regressions, letter: str = "B") -> Headline:
    """Of all species and live faces, then the group in which the other Run is worst, and how sure that is."""
    attacks = [cell for cell in worse.overall if cell.kind != BONA_FIDE]
    fewer, more = ([cell for cell in attacks if cell.is_clear and sign * cell.difference > 0] for sign in (-1, 1))
    parts = [_misses("fewer", fewer, attacks)] if fewer else []
    parts += [_misses("more", more, attacks)] if more else []
    alike = bool(attacks) and not parts
    if alike:
        worst = max(attacks, key=lambda cell: abs(cell.difference))
        parts = [f"shows no clear difference in attacks missed (most apart: {readable(worst.kind)}, {_instead(worst)})"]
    live = next((cell for cell in worse.overall if cell.kind == BONA_FIDE), None)
    if live is not None:
        if live.is_clear:
            parts.append(f"rejects {'fewer' if live.difference < 0 else 'more'} live faces ({_instead(live)})")
        else:
            parts.append(f"shows no clear difference in live faces rejected ({_instead(live)})")
    said = " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[:-1] else parts)
    answer = f"{letter} {said.replace(' and shows no clear difference in', ' nor in') if alike else said}"
    if worse.n_wholes > 1:
        answer += f", by Holm's correction for {worse.wholes_words}"
    group = next((cell for cell in worse.rows if cell.column), None)
    if group is None:
        none = f"of {worse.n_groups:,} groups none got worse" if worse.n_groups else "no group is large enough"
        return Headline(f"{answer}; {none}.", "")
    interval = f"{group.interval}, " if group.interval else ""
    if group.is_clear:
        n_more = sum(bool(cell.column) for cell in worse.clear) - 1
        among = f", the worst of {n_more + 1} groups" if n_more else ""
        p = "p < 0.001" if (group.p or 0) < 0.001 else f"p = {group.p:.3f}"
        does = group.change("").strip()
        turns = "and" if more and not fewer else "but"
        return Headline(answer, f", {turns} {does} ({interval}{p} corrected for {worse.n_groups:,} groups{among}).")
    lead = f"; of {worse.n_groups:,} groups none got clearly worse, the largest worsening"
    if group.is_clear_alone:
        does = f"{group.words}, {_instead(group)}{f' ({group.interval})' if group.interval else ''}"
        return Headline(answer, f"{lead} is not certain among so many: {does}.")
    return Headline(f"{answer}{lead} is within chance: {group.words}, {interval}{_instead(group)}.", "")


def _misses(how: str, cells: Sequence[Cell], of: Sequence[Cell]) -> str:
    most = max(cells, key=lambda cell: (abs(cell.difference), cell.kind))
    if len(cells) == 1:
        return f"misses {how} {readable(most.kind)} attacks ({_instead(most)})"
    which = "every species" if len(cells) == len(of) else f"{len(cells)} of {len(of)} species"
    return f"misses {how} attacks of {which} (most: {readable(most.kind)}, {_instead(most)})"


def _instead(cell: Cell) -> str:
    digits = 0 if cell.n < 1000 else 1
    return f"{100 * cell.b:.{digits}f} % instead of {100 * cell.a:.{digits}f} %"


def groupings(runs: Sequence[Run], both: Joined) -> dict[str, Grouping]:
    """What the common samples fall into groups by: subsets, the columns of A, and those that only other Runs have."""
    grouped = {SUBSET: Grouping(*breakdown.groups_of(both.samples[SUBSET])[:2])}
    for run, rows in zip(runs, both.rows, strict=True):
        if names := [name for name in breakdown.columns_for(run) if name not in grouped]:
            samples = run.samples(names)
            grouped |= {name: Grouping(*breakdown.groups_of(samples[name].iloc[rows])[:2]) for name in names}
    return {name: grouping for name, grouping in grouped.items() if len(np.unique(grouping.codes)) > 1}


def members_of(both: Joined, columns: Mapping[str, Grouping], cell: Cell) -> NDArray[np.int64]:
    """The rows of the common samples that a cell is made of."""
    here = both.kinds == cell.kind
    if cell.column:
        grouping = columns[cell.column]
        here = here & (grouping.codes == list(grouping.names).index(cell.group))
    return np.flatnonzero(here)


def cells(
    both: Joined,
    matched: Matching,
    columns: Mapping[str, Grouping],
    drawn: Resampled | None = None,
    *,
    b: int = 1,
    resamples: int = 0,
) -> list[Cell]:
    """Every kind as a whole, then in every group of each column; p as yet uncorrected, and p alone.

    Intervals where `resamples` is not 0: thresholds that are matched anew are so in each resample, as `drawn` has them
    (`differences.resampled` of as many).
    """
    return [cell for cell, _ in _cells(both, matched, columns, drawn, b=b, resamples=resamples)]


def _cells(
    both: Joined,
    matched: Matching,
    columns: Mapping[str, Grouping],
    drawn: Resampled | None,
    *,
    b: int,
    resamples: int,
) -> list[tuple[Cell, NDArray[np.intp]]]:
    """`cells`, each with the rows that it is made of."""
    turned = flips(both, matched.thresholds, b)
    kind_codes, kinds = both.coded_kinds
    by_name = sorted(range(len(kinds)), key=lambda k: (k > 0, kinds[k]))  # bona fide first
    of_all = Grouping(np.zeros(len(both), np.intp), [""])
    pairs = []
    for column, grouping in {"": of_all, **columns}.items():
        n_cells = len(grouping.names) * len(kinds)
        of_code = _by_code(grouping.codes * len(kinds) + kind_codes, n_cells)
        for g, name in enumerate(grouping.names):
            for k in by_name:
                rows = of_code[g * len(kinds) + k]
                if rows.size:
                    pairs.append((_cell(both, turned, column, str(name), kinds[k], rows), rows))
    if resamples and pairs:
        of_resamples = _resampled(both, matched, [rows for _, rows in pairs], drawn, b, resamples)
        pairs = [(_with_interval(cell, values), rows) for (cell, rows), values in zip(pairs, of_resamples, strict=True)]
    return pairs


def _by_code(codes: NDArray[np.intp], n: int) -> list[NDArray[np.intp]]:
    """The rows that have each of n codes, in their order."""
    ends = np.cumsum(np.bincount(codes, minlength=n))
    return np.split(np.argsort(codes, kind="stable"), ends[:-1])


def _cell(both: Joined, turned: Flips, column: str, group: str, kind: str, rows: NDArray[np.intp]) -> Cell:
    changes = changes_by_unit(both, turned, rows)
    a, b = float(turned.wrong_a[rows].mean()), float(turned.wrong_b[rows].mean())
    cell = Cell(column, group, kind, rows.size, changes.size, a, b)
    return cell if cell.is_small else replace(cell, p_alone=swap_p(changes))


def _with_interval(cell: Cell, of_resamples: NDArray[np.float64]) -> Cell:
    defined = of_resamples[~np.isnan(of_resamples)]
    if cell.n_units < 2 or not defined.size:
        return cell
    low, high, _ = percentiles(defined[None], cell.n_units, 0.95, -1.0)
    return replace(cell, low=float(low[0]), high=float(high[0]))


def _resampled(
    both: Joined,
    matched: Matching,
    rows_of: Sequence[NDArray[np.intp]],
    drawn: Resampled | None,
    b: int,
    resamples: int,
) -> NDArray[np.float64]:
    """(c, resamples) of c cells the difference of wrong verdicts, on the resamples that `resampled` draws."""
    units = drawn_units(both)
    codes, n_units = codes_of(units.groups)
    n, shape = len(both), (len(rows_of), len(both))
    rows, members = np.repeat(np.arange(len(rows_of)), [len(rows) for rows in rows_of]), np.concatenate(rows_of)
    is_member = sparse_counts(rows, members, shape)
    trials = sparse_counts(rows, codes[members], (len(rows_of), n_units))
    thresholds = np.empty((2, resamples))
    for place, i in enumerate((0, b)):
        anew = None if matched.is_fixed or drawn is None else drawn.values[threshold_by_rule(matched.rule)][i]
        thresholds[place] = matched.thresholds[i] if anew is None else anew
    # Most verdicts are the same at all thresholds drawn; the others are looked up in each resample.
    settled = np.zeros(n)
    loose: list[tuple[int, NDArray[np.intp], NDArray[np.float64]]] = []
    for sign, i, drawn_at in ((-1, 0, thresholds[0]), (1, b, thresholds[1])):
        values = both.scores[i]
        always, never = values >= drawn_at.max(), values < drawn_at.min()
        settled += sign * np.where(both.is_attack, never, always)
        between = np.flatnonzero(~(always | never))
        loose.append((sign, between, values[between]))
    errors = is_member @ _by_unit(settled, codes, n_units)
    of_resamples, start = np.empty((len(rows_of), resamples)), 0
    width = max(len(rows_of), *(between.size for _, between, _ in loose), 1)
    for weights in draws(resampling.strata_of(both.is_attack, codes, n_units), n_units, resamples, 0, width):
        here = slice(start, start + weights.shape[1])
        sums = errors @ weights
        for place, (sign, between, values) in enumerate(loose):
            if between.size:
                wrong = (values[:, None] >= thresholds[place, here]) != both.is_attack[between, None]
                sums = sums + sign * (is_member[:, between] @ (weights[codes[between]] * wrong))
        with np.errstate(invalid="ignore"):
            of_resamples[:, here] = sums / (trials @ weights)
        start = here.stop
    return of_resamples


def _by_unit(values: NDArray[np.float64], codes: NDArray[np.intp], n_units: int) -> Any:
    """(n, units) a value of each sample in the column of its unit, as a sparse array."""
    from scipy.sparse import csr_array

    rows = np.flatnonzero(values)
    return csr_array((values[rows], (rows, codes[rows])), shape=(values.size, n_units))


def what_got_worse(
    both: Joined,
    matched: Matching,
    columns: Mapping[str, Grouping],
    drawn: Resampled | None = None,
    *,
    b: int = 1,
    resamples: int = RESAMPLES,
) -> Regressions | None:
    """Where Run number `b` is worse than A; None where they are not compared at thresholds.

    Groups that hold the same samples of a kind as one before them are left out. `drawn`, `resamples`: as `cells`.
    """
    if matched.problem or not len(both):
        return None
    once: dict[bytes, Cell] = {}
    for cell, rows in _cells(both, matched, columns, drawn, b=b, resamples=resamples):
        once.setdefault(rows.tobytes(), cell)
    tested = _corrected([cell for cell in once.values() if cell.p_alone is not None])
    worse = sorted(
        (cell for cell in tested if cell.difference > 0),
        key=lambda cell: (VERDICTS.index(cell.verdict), -cell.difference, cell.column, cell.group, cell.kind),
    )
    small = sorted(
        (cell for cell in once.values() if cell.p_alone is None), key=lambda cell: (-cell.n, cell.column, cell.group)
    )
    overall = tuple(cell for cell in (*tested, *small) if not cell.column)
    return Regressions(tuple(worse), overall, tuple(small), len(tested), both.units[0].name)


def _corrected(tested: Sequence[Cell]) -> list[Cell]:
    """Kinds as a whole, then groups, each with its p among those like it."""
    wholes = [cell for cell in tested if not cell.column]
    groups = [cell for cell in tested if cell.column]
    of_wholes = holm([cell.p_alone or 0.0 for cell in wholes])
    # The distribution of swaps is symmetric: half of p is in the direction of the difference.
    of_groups = benjamini_hochberg([(cell.p_alone or 0.0) / 2 if cell.difference > 0 else 1.0 for cell in groups])
    pairs = zip([*wholes, *groups], [*of_wholes, *of_groups], strict=True)
    return [replace(cell, p=float(p)) for cell, p in pairs]
