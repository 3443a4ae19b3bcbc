"""What another Run does worse than A: every species, subset and group of people or circumstances, the worst first.

    columns = groupings([a, b], both)
    got_worse = what_got_worse(both, matching(both, rule), columns, drawn)
    got_worse.live, got_worse.attacks, got_worse.sentence(), got_worse.rows[0].difference

A headline is an average: a regression for few people is in no metric of all. So every rate of wrong verdicts is
compared in every group that is large enough; groups that are too small are named.

Live faces and attacks are ranked apart: attacks err in tens of points, so that by size alone the live faces that a
limit of the BPCER is promised to would stand behind all of them.

Two questions, two families. Live faces and each species as a whole: few, better or worse, and one false claim is one
too many, so Holm's correction of two-sided p: with no true difference anywhere, 5 % of comparisons claim any. Groups:
over a hundred, of which a decision asks for each that is harmed, and Holm's would hide what it cannot prove among so
many. So the false discovery rate of one-sided p is held at 5 %: of the groups said to be clearly worse one in twenty
is not, on average, and with no true difference 5 % of comparisons name any. Groups overlap, and their statistics
correlate positively, for which Benjamini and Hochberg's procedure holds. One-sided, as otherwise every group that got
better would make it easier to call another one worse: what got better is a family of its own. What is not certain is
named all the same, as not certain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import BONA_FIDE, readable
from fas_core.documents import Json
from fas_core.evaluation import breakdown
from fas_core.evaluation.breakdown import MIN_SAMPLES, MIN_UNITS
from fas_core.evaluation.differences import Flips, alike, changes_by_unit, drawn_units, flips, threshold_by_rule
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
    n_largest: int = 0  # samples of the unit that has most of them

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
    def is_of_one(self) -> bool:
        """Whether one unit among several holds most samples, so that they say little of others."""
        return self.n_units > 1 and 2 * self.n_largest > self.n

    @property
    def units_words(self) -> str:
        """How many units, and where one holds most samples how many: 7, one has 145."""
        return f"{self.n_units:,}, one has {self.n_largest:,}" if self.is_of_one else f"{self.n_units:,}"

    @property
    def interval(self) -> str:
        """+3 to +12 points; "" where there is none."""
        ends = interval_text(*self.points, digits=0)
        return f"{ends} points" if ends else ""

    @property
    def digits(self) -> int:
        """After the point of a share in percent: one where there are enough samples for it, and it says something."""
        return 1 if self.n >= 1000 or (self.n >= 100 and max(self.a, self.b) < 0.1) else 0

    @property
    def shares(self) -> str:
        """2.3 → 8.6 %"""
        return f"{100 * self.a:.{self.digits}f} → {100 * self.b:.{self.digits}f} %"

    @property
    def instead(self) -> str:
        """8.6 % instead of 2.3 %"""
        return f"{100 * self.b:.{self.digits}f} % instead of {100 * self.a:.{self.digits}f} %"

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
        return f"{letter} {'rejects' if self.kind == BONA_FIDE else 'misses'} {self.instead} of {self.words}"

    def as_json(self) -> Json:
        return {
            "column": self.column or None,
            "group": self.group or None,
            "kind": self.kind,
            "n": self.n,
            "n_units": self.n_units,
            "n_largest_unit": self.n_largest,
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
    `better`: in which it is better, ranked as `rows`; p of their groups is that they got better.
    """

    rows: tuple[Cell, ...]
    overall: tuple[Cell, ...]
    too_few: tuple[Cell, ...]
    n_compared: int  # kinds as a whole, and groups: p is corrected among the ones, and among the others
    unit: str
    better: tuple[Cell, ...] = ()
    decided: str = "sample"  # what n counts, as `Joined.unit`

    @property
    def clear(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.rows if cell.is_clear)

    def listed(self, feared: Sequence[str] = ()) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """Live faces, and attacks: what got worse, the worst first, what is too small to judge behind the rest.

        `feared`: species whose rows lead those of other attacks that are as sure.
        """
        every = (*self.rows, *(cell for cell in self.too_few if cell.difference > 0))
        attacks = (cell for cell in every if cell.kind != BONA_FIDE)
        return (
            tuple(cell for cell in every if cell.kind == BONA_FIDE),
            tuple(sorted(attacks, key=lambda cell: (VERDICTS.index(cell.verdict), cell.kind not in feared))),
        )

    def first(self, most: int) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """The first `most` rows of both lists together: half of each, more of one where the other has fewer."""
        live, attacks = self.listed()
        n_live = min(len(live), max(most // 2, most - len(attacks)))
        return live[:n_live], attacks[: most - n_live]

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

    @property
    def clear_words(self) -> str:
        """How many got worse, for a title: 3 of 126 compared, beyond chance."""
        if not self.n_compared:
            return "cannot be said"
        return f"{len(self.clear):,} of {self.n_compared:,} compared, beyond chance"

    @property
    def counts_words(self) -> str:
        """How many are compared, and what became of them: every row of both lists is counted once."""
        if not self.n_compared:
            return self.too_few_words
        by_verdict = [sum(cell.verdict == verdict for cell in self.rows) for verdict in VERDICTS]
        names = ("beyond chance", "not certain", "within chance")
        worse = ", ".join(f"{n:,} {name}" for n, name in zip(by_verdict, names, strict=False) if n)
        of = f"{self.wholes_words} as a whole and {self.n_groups:,} groups" if self.n_wholes else "groups"
        not_worse = self.n_compared - len(self.rows)
        n_better = sum(cell.is_clear for cell in self.better)
        better = f", {n_better:,} of them better beyond chance" if n_better else ""
        parts = [f"{len(self.rows):,} worse{f' ({worse})' if worse else ''}", f"{not_worse:,} not worse{better}"]
        return f"{self.n_compared:,} compared, {of}: {', '.join(parts)}. {self.too_few_words}".rstrip()

    @property
    def too_few_words(self) -> str:
        """Why the others are not judged: 18 of fewer than 5 subjects, 7 of fewer than 30 samples."""
        if not self.too_few:
            return ""
        n_units = sum(cell.n_units < MIN_UNITS for cell in self.too_few)
        n_samples = len(self.too_few) - n_units
        why = [f"{n_units:,} of fewer than {MIN_UNITS} {self.unit}s"] if n_units else []
        why += [f"{n_samples:,} of fewer than {MIN_SAMPLES} {self.decided}s"] if n_samples else []
        small = f"{len(self.too_few):,}{' more' if self.n_compared else ''} are too small to judge, {' and '.join(why)}"
        is_listed = any(cell.difference > 0 for cell in self.too_few)
        return f"{small}{': the last rows, where they got worse' if is_listed else ''}."

    @property
    def has_units(self) -> bool:
        """Whether what is resampled as a whole is more than what is decided on."""
        return self.unit not in ("sample", self.decided)

    @property
    def few_of(self) -> str:
        """What there are too few of: samples or subjects."""
        return f"{self.decided}s or {self.unit}s" if self.has_units else f"{self.decided}s"

    def of_one_words(self, most: int = 2) -> str:
        """Groups beyond chance of which one unit holds most samples; "" where there are none."""
        if not self.has_units:
            return ""
        told = [f"{cell.words} ({cell.n_largest:,} of {cell.n:,})" for cell in self.clear if cell.is_of_one]
        more = f"; {len(told) - most:,} more groups" if len(told) > most else ""
        return f"Mostly of one {self.unit}: {'; '.join(told[:most])}{more}." if told else ""

    def better_words(self, most: int = 3) -> str:
        """What got better beyond chance, live faces first; where nothing did, what is nearest to it of either."""
        if not self.better:
            return "Nothing got better." if self.n_compared else ""
        clear = sorted((cell for cell in self.better if cell.is_clear), key=lambda cell: cell.kind != BONA_FIDE)
        if clear:
            told = "; ".join(f"{cell.words} {cell.shares}" for cell in clear[:most])
            more = f"; {len(clear) - most:,} more" if len(clear) > most else ""
            return f"Got better beyond chance: {told}{more}."
        firsts = [
            next((cell for cell in self.better if (cell.kind == BONA_FIDE) == live), None) for live in (True, False)
        ]
        told = "; ".join(f"{cell.words} {cell.shares}, {cell.verdict}" for cell in firsts if cell is not None)
        return f"Nothing got better beyond chance. Nearest to it: {told}."

    def sentence(self, letter: str = "B") -> str:
        """The worst regressions with their evidence; where none is clear, the largest one, and that it is not so."""
        if not self.n_compared:
            return f"What got worse cannot be said: every species and group has too few {self.few_of} to judge."
        if not self.rows:
            return f"Nothing got worse: of {self.n_compared:,} groups, species and subsets compared, none did."
        worst = [next((cell for cell in cells if cell.is_clear), None) for cells in self.listed()]
        told = [self._evidence(cell, letter) for cell in worst if cell is not None]
        if told:
            n_more = len(self.clear) - len(told)
            return f"What got worse: {'; '.join(told)}.{f' {n_more} more got clearly worse.' if n_more else ''}"
        cell = self.rows[0]
        return (
            f"Nothing got clearly worse: of {self.n_compared:,} groups, species and subsets compared, none is. The "
            f"largest worsening is {cell.verdict}: {self._evidence(cell, letter)}."
        )

    def _evidence(self, cell: Cell, letter: str) -> str:
        p = "p < 0.001" if (cell.p or 0) < 0.001 else f"p = {cell.p:.3f}"
        interval = "" if cell.low is None else f" [{100 * cell.low:+.0f} to {100 * (cell.high or 0):+.0f}]"
        units = "" if not self.has_units or not cell.is_of_one else f" of {cell.n_units} {self.unit}s, of which one "
        units += f"has {cell.n_largest:,}" if units else ""
        return (
            f"{cell.change(letter)} ({100 * cell.difference:+.0f} points{interval}, {p} corrected for "
            f"{self.among(cell)}, n = {cell.n:,}{units})"
        ).replace("-", "−")

    def as_json(self) -> Json:
        """The key "worse" of the document."""
        document: Json = metrics.json_safe(
            {
                "n_compared": self.n_compared,
                "n_groups": self.n_groups,
                "unit": self.unit,
                "rows": [cell.as_json() for cell in self.rows],
                "too_few": [cell.as_json() for cell in self.too_few],
                "better": [cell.as_json() for cell in self.better],
                "min_samples": MIN_SAMPLES,
                "min_units": MIN_UNITS,
            }
        )
        return document


def groupings(runs: Sequence[Run], both: Joined) -> dict[str, Grouping]:
    """What the common samples fall into groups by: subsets, the columns of A, and those that only other Runs have."""
    grouped = {SUBSET: Grouping(*breakdown.groups_of(both.samples[SUBSET])[:2])}
    for run, rows in zip(runs, both.rows, strict=True):
        if names := breakdown.columns_for(run, besides=grouped):
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
    if resamples and pairs and not alike(both, b):
        of_resamples = _resampled(both, matched, [rows for _, rows in pairs], drawn, b, resamples)
        pairs = [(_with_interval(cell, values), rows) for (cell, rows), values in zip(pairs, of_resamples, strict=True)]
    return pairs


def _by_code(codes: NDArray[np.intp], n: int) -> list[NDArray[np.intp]]:
    """The rows that have each of n codes, in their order."""
    ends = np.cumsum(np.bincount(codes, minlength=n))
    few = codes.astype(np.min_scalar_type(n))  # of few different ones much faster
    return np.split(np.argsort(few, kind="stable"), ends[:-1])


def _cell(both: Joined, turned: Flips, column: str, group: str, kind: str, rows: NDArray[np.intp]) -> Cell:
    changes = changes_by_unit(both, turned, rows)
    a, b = float(turned.wrong_a[rows].mean()), float(turned.wrong_b[rows].mean())
    largest = int(np.bincount(both.unit_codes[0][rows]).max())
    cell = Cell(column, group, kind, rows.size, changes.size, a, b, n_largest=largest)
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
    each = [cell for cell in once.values() if cell.p_alone is not None]
    tested = _corrected(each)

    def ranked(cells: Iterable[Cell]) -> tuple[Cell, ...]:
        return tuple(
            sorted(
                cells,
                key=lambda cell: (
                    VERDICTS.index(cell.verdict), -abs(cell.difference), cell.column, cell.group, cell.kind,
                ),
            )
        )  # fmt: skip

    small = sorted(
        (cell for cell in once.values() if cell.p_alone is None), key=lambda cell: (-cell.n, cell.column, cell.group)
    )
    overall = tuple(cell for cell in (*tested, *small) if not cell.column)
    return Regressions(
        rows=ranked(cell for cell in tested if cell.difference > 0),
        overall=overall,
        too_few=tuple(small),
        n_compared=len(tested),
        unit=both.units[0].name,
        better=ranked(cell for cell in _corrected(each, better=True) if cell.difference < 0),
        decided=both.unit,
    )


def _corrected(tested: Sequence[Cell], *, better: bool = False) -> list[Cell]:
    """Kinds as a whole, then groups, each with its p among those like it. `better`: p of groups that B errs less."""
    wholes = [cell for cell in tested if not cell.column]
    groups = [cell for cell in tested if cell.column]
    of_wholes = holm([cell.p_alone or 0.0 for cell in wholes])
    # The distribution of swaps is symmetric: half of p is in the direction of the difference.
    sign = -1 if better else 1
    of_groups = benjamini_hochberg(
        [(cell.p_alone or 0.0) / 2 if sign * cell.difference > 0 else 1.0 for cell in groups]
    )
    pairs = zip([*wholes, *groups], [*of_wholes, *of_groups], strict=True)
    return [replace(cell, p=float(p)) for cell, p in pairs]


class AreaFall(NamedTuple):
    """The AUC of a species in a group, against the live faces of the same group, of A and of another Run."""

    column: str
    group: str
    species: str
    a: float
    b: float

    @property
    def words(self) -> str:
        """mask with lighting adverse 0.69 → 0.25"""
        where = f"in {self.group}" if self.column == SUBSET else f"with {readable(self.column)} {self.group}"
        return f"{readable(self.species)} {readable(where)} {self.a:.2f} → {self.b:.2f}"


def area_falls(both: Joined, columns: Mapping[str, Grouping], b: int = 1) -> list[AreaFall]:
    """Where the AUC is smaller in Run `b` than in A, the largest fall first; of `MIN_SAMPLES` of either class at least.

    What one threshold hides shows here. Nothing is tested.
    """
    falls = []
    for column, grouping in columns.items():
        for g, name in enumerate(grouping.names):
            sets = both.score_sets_of(grouping.codes == g)
            if sets[0].n_bona_fide < MIN_SAMPLES:
                continue
            for species, values in sets[0].attacks.items():
                if values.size >= MIN_SAMPLES:
                    of_a, of_b = (metrics.roc_auc(sets[i], species) for i in (0, b))
                    falls.append(AreaFall(column, str(name), species, of_a, of_b))
    return sorted((fall for fall in falls if fall.b < fall.a), key=lambda fall: (fall.b - fall.a, fall[:3]))
