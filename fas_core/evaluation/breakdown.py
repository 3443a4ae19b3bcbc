"""The error rates of groups of samples at one threshold: by device, lighting, skin tone, sex, age, or any other column.

    breakdown = by_column(rows, values, threshold, "skin_tone")
    breakdown.groups, breakdown.largest, breakdown.sentence()

A threshold that suits all samples together may suit some people badly. Every group is judged at the same threshold, and
the largest difference between two of them is named, with whether chance can explain it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from fas_core import metrics
from fas_core.data.boxes import PLACES
from fas_core.data.manifest import BOXES, CUT_FROM, text_column
from fas_core.data.names import ATTACK, BONA_FIDE, CROP, POINTS
from fas_core.delivery import are_injected
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.metrics.uncertainty import Interval, UnitInterval, Units, codes_of, rate_interval, unit_of
from fas_core.runs.store import Run
from fas_core.texts import distinct_numbers

NOT_STATED = "not stated"  # shown as a group, compared with none: who is in it is unknown
_NOTHING = ("no_info", "no info", NOT_STATED)  # what data sets write there beside what `text_column` knows
MIN_SAMPLES, MIN_UNITS = 30, 5  # of a kind, with a score: a rate of fewer is shown, and compared with none
MAX_GROUPS = 30
MAX_NUMBERS = 8  # a column of numbers with more different ones is cut at its quartiles
LEVEL = 0.95
# What names samples or presentations, or says what they are: no group of people or circumstances.
NO_GROUPS = (
    "path", "sample_id", "label", "pai_species", "subject_id", "session_id", "video_id", "frame", "score", "reason",
    *PLACES, *POINTS, *CROP, BOXES, CUT_FROM,
)  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """`errors` of `n` samples with a score. `interval`: 95 % by unit, None where one unit says nothing about others."""

    errors: int
    n: int
    value: float
    interval: UnitInterval | None
    is_small: bool  # fewer than MIN_SAMPLES samples or MIN_UNITS units: too small to judge


@dataclass(frozen=True)
class Group:
    """The samples with one value of the column, or with a number within one quarter of it."""

    name: str
    n_bona_fide: int  # with a score
    n_attack: int
    n_non_response: Mapping[str, int]  # without: {"bona_fide", "attack"}
    bpcer: Rate | None
    apcer: Mapping[str, Rate]  # per species that has a sample with a score

    @property
    def worst(self) -> str | None:
        """The species with the largest APCER, the first by name among equals."""
        return max(self.apcer, key=lambda name: self.apcer[name].value, default=None)

    @property
    def is_small(self) -> bool:
        """Whether none of its rates can be judged."""
        return all(rate.is_small for rate in (self.bpcer, *self.apcer.values()) if rate is not None)

    def as_json(self) -> dict[str, object]:
        return {
            "group": self.name,
            "n_bona_fide": self.n_bona_fide,
            "n_attack": self.n_attack,
            "n_non_response": self.n_non_response,
            "is_small": self.is_small,
            "bpcer": self.bpcer,
            "apcer_worst": self.worst,
            "apcer_per_species": self.apcer,
        }


@dataclass(frozen=True)
class Gap:
    """The same rate in two groups: `higher` - `lower`, and its interval, widened for the number of comparisons made."""

    species: str | None  # of the APCER; None: BPCER
    group: str
    other_group: str
    higher: float
    lower: float
    interval: Interval

    @property
    def difference(self) -> float:
        return self.higher - self.lower

    @property
    def is_beyond_chance(self) -> bool:
        return self.interval.low > 0

    def as_json(self) -> dict[str, object]:
        derived = {"difference": self.difference, "is_beyond_chance": self.is_beyond_chance}
        return asdict(self) | derived | {"interval": self.interval._asdict()}


@dataclass(frozen=True)
class Breakdown:
    """Groups in order of name or number, what is not stated last; gaps of all pairs compared, the largest first."""

    column: str
    threshold: float
    unit: str  # what intervals take for independent: "subject", "video", "session" or "sample"
    edges: tuple[float, ...] | None  # of numbers cut at quartiles: smallest, three quartiles, largest
    groups: tuple[Group, ...]
    gaps: tuple[Gap, ...]

    @property
    def largest(self) -> Gap | None:
        return self.gaps[0] if self.gaps else None

    def named(self) -> list[Gap]:
        """What is worth saying: the largest gap of BPCER and the largest of APCER, the larger one first, and behind
        each that chance explains the largest of its kind that chance does not."""
        by_kind = []
        for is_bpcer in (True, False):
            of_kind = [gap for gap in self.gaps if (gap.species is None) == is_bpcer and gap.difference > 0]
            if of_kind:
                beyond = next((gap for gap in of_kind if gap.is_beyond_chance), of_kind[0])
                by_kind.append(list(dict.fromkeys((of_kind[0], beyond))))
        return [gap for pair in sorted(by_kind, key=lambda pair: -pair[0].difference) for gap in pair]

    def sentence(self) -> str:
        """The gaps of `named` in words, or why there is none."""
        what = self.column.replace("_", " ")
        if self.largest is None:
            return f"No two stated groups of {what} are large enough to be compared: {self.too_small}."
        if not self.named():
            return f"All stated groups of {what} that are large enough have the same error rates."
        return f"The largest gaps by {what}: " + " ".join(self.words(gap) for gap in self.named())

    @property
    def too_small(self) -> str:
        """From where on a rate is judged, in words."""
        units = "" if self.unit == "sample" else f", of {MIN_UNITS} {self.unit}s"
        return f"that takes {MIN_SAMPLES} bona fide samples, or attacks of one species{units}"

    def words(self, gap: Gap) -> str:
        """A gap in a sentence, with whether chance can explain it."""
        rate = "BPCER" if gap.species is None else f"APCER of {gap.species}"
        low, high = (_beside_zero(end) for end in gap.interval)
        verdict = "more than chance explains" if gap.is_beyond_chance else "chance may explain it"
        over = f" over all {len(self.gaps)} comparisons" if len(self.gaps) > 1 else ""
        return (
            f"{rate} is {100 * gap.higher:.1f} % for {gap.group} and {100 * gap.lower:.1f} % for {gap.other_group}, "
            f"{100 * gap.difference:.1f} points apart ({low} to {high}, 95 % by {self.unit}{over}): {verdict}."
        )

    def as_json(self) -> Json:
        """For JSON: every group with its counts and rates, the gaps named, None where undefined."""

        return metrics.json_safe(
            {
                "column": self.column,
                "threshold": self.threshold,
                "unit": self.unit,
                "edges": self.edges,
                "min_samples": MIN_SAMPLES,
                "min_units": MIN_UNITS,
                "groups": self.groups,
                "n_comparisons": len(self.gaps),
                "largest_gap": self.largest,
                "gaps_named": self.named(),
                "in_words": self.sentence(),
            }
        )


# -------------------------------------------------------------------------------------------------------------- groups


def _beside_zero(points: float) -> str:
    """A share in points, with digits that leave it on its side of 0: an interval without 0 does not begin at 0.0."""
    digits = next((n for n in range(1, 7) if float(f"{100 * points:.{n}f}") or not points), 6)
    return f"{100 * points:.{digits}f}"


def columns_for(run: Run, besides: Collection[str] = ()) -> list[str]:
    """The columns of a Run that its samples can be broken down by, see `offered`; some are not asked for."""
    not_asked = {*NO_GROUPS, *run.info.scores, *run.declared, *besides}
    names = [name for name in run.column_names() if name not in not_asked]
    return offered(run.samples(names)) if names else []


def offered(rows: pd.DataFrame) -> list[str]:
    """Columns with numbers or at most 30 texts, two different ones at least; no ids, paths, labels or species."""
    return [name for name in rows.columns if name not in NO_GROUPS and 2 <= _n_groups(rows[name]) <= MAX_GROUPS]


def _n_groups(values: pd.Series) -> int:
    """How many groups the stated values make; a number of groups above MAX_GROUPS is that of different texts."""
    _, texts = stated(values)
    return 4 if len(texts) > MAX_NUMBERS and _numbers(texts) is not None else len(texts)


def stated(values: pd.Series) -> tuple[NDArray[np.intp], pd.Series]:
    """Codes (n,) and the different stripped texts they stand for, in order; -1 where nothing is stated.

    Where all are numbers, and give the same texts when they are written, their order is that of numbers.
    """
    text = text_column(values)
    codes, different = pd.factorize(text.mask(text.str.lower().isin(("", *_NOTHING))), sort=True)
    texts = pd.Series(different, dtype="str")
    if len(texts) and (numbers := _numbers(texts)) is not None:
        ascending, place = np.unique(numbers, return_inverse=True)
        codes = np.append(place, -1)[codes]  # the last is what code -1 finds
        texts = pd.Series([_shortest(number) for number in ascending.tolist()], dtype="str")
    return codes, texts


def _shortest(number: float) -> str:
    text = f"{number:.10g}"
    return text if float(text) == number else repr(number)


def _numbers(texts: pd.Series) -> NDArray[np.float64] | None:
    """Different texts as numbers; None where writing the numbers would not give every one of them: 1.10 is not 1.1."""
    return distinct_numbers(texts)


def groups_of(values: pd.Series) -> tuple[NDArray[np.intp], list[str], tuple[float, ...] | None]:
    """Codes (n,) of the groups, their names in order, and the edges where numbers were cut at their quartiles.

    A number on an edge belongs to the group below it. Equal quartiles leave fewer than four groups.
    """
    codes, texts = stated(values)
    is_stated = codes >= 0
    numbers = _numbers(texts)
    edges = None
    if numbers is None or len(numbers) <= MAX_NUMBERS:
        names = texts.tolist()
    else:
        # Quartiles that are values themselves, so that no interpolation stands between a number and its group.
        of_rows = numbers[codes[is_stated]]
        edges = tuple(np.quantile(of_rows, [0, 0.25, 0.5, 0.75, 1], method="inverted_cdf").tolist())
        cuts = np.unique([edge for edge in edges[1:4] if edge < edges[4]] or numbers[-2:-1])
        codes[is_stated] = np.searchsorted(cuts, of_rows, side="left")
        shown = [f"{cut:.6g}" for cut in cuts]
        if len(set(shown)) < len(shown):
            shown = [repr(float(cut)) for cut in cuts]
        between = [f"above {low} to {high}" for low, high in pairwise(shown)]
        names = [f"up to {shown[0]}", *between, f"above {shown[-1]}"]
    if not is_stated.all():
        codes[~is_stated] = len(names)
        names.append(NOT_STATED)
    return codes, names, edges


# --------------------------------------------------------------------------------------------------------------- rates


def by_column(rows: pd.DataFrame, values: ArrayLike, threshold: float, column: str) -> Breakdown:
    """The rates of every group of n samples (or videos) at the same threshold; injection attacks are left out.

    `rows`: n of them, with label, pai_species, `column`, and what they have of subject_id, video_id, session_id.
    `values`: (n,) scores, NaN = non-response: counted beside the rates. A number column with more than 8 different
    numbers is cut at its quartiles; empty cells are a group of their own.

    Only equal things are compared: BPCER, and APCER species by species, since a group may have met harder species than
    another. Raises BadInputError for a column that is not there, names samples, or has more than 30 different texts.
    """
    if column not in rows or column in NO_GROUPS:
        why = "names or describes single samples" if column in rows else "is not there"
        choices = ", ".join(offered(rows)) or "none here"
        raise BadInputError(f"No breakdown by '{column}': this column {why}. Columns to choose from: {choices}.")
    presented = ~are_injected(rows["pai_species"])
    rows, numbers = rows[presented], np.asarray(values, np.float64)[presented]
    n_values = _n_groups(rows[column])
    if not 1 <= n_values <= MAX_GROUPS:
        what = f"has {n_values} different values, more than {MAX_GROUPS}" if n_values else "is empty in every row"
        raise BadInputError(f"No breakdown by '{column}': this column {what}.")
    codes, names, edges = groups_of(rows[column])
    attack = (rows["label"] == ATTACK).to_numpy()
    species = rows["pai_species"].astype("str").fillna("").str.strip().replace("", metrics.UNSPECIFIED).to_numpy(str)
    species_names = np.unique(species[attack]).tolist()
    kinds = np.where(attack, 1 + np.searchsorted(species_names, species) if species_names else 0, 0)
    answered = np.flatnonzero(~np.isnan(numbers))
    is_error = np.zeros(len(numbers), np.bool_)
    is_error[answered] = metrics.is_attack(numbers[answered], threshold) != attack[answered]
    named = unit_of(rows)
    units = Units(named.name, codes_of(named.groups)[0])

    n_kinds = 1 + len(species_names)
    cell_of = codes[answered] * n_kinds + kinds[answered]
    ordered = answered[np.argsort(cell_of, kind="stable")]
    ends = np.cumsum(np.bincount(cell_of, minlength=len(names) * n_kinds))
    cells = [_cell(is_error, units, part) for part in np.split(ordered, ends[:-1])]
    missing = np.isnan(numbers)
    groups = []
    for g, name in enumerate(names):
        here = cells[g * n_kinds : (g + 1) * n_kinds]
        lost = missing & (codes == g)
        groups.append(
            Group(
                name=name,
                n_bona_fide=here[0].rate.n if here[0] else 0,
                n_attack=sum(cell.rate.n for cell in here[1:] if cell),
                n_non_response={BONA_FIDE: int((lost & ~attack).sum()), ATTACK: int((lost & attack).sum())},
                bpcer=here[0].rate if here[0] else None,
                apcer={s: cell.rate for s, cell in zip(species_names, here[1:], strict=True) if cell},
            )
        )
    gaps = _gaps(names, [None, *species_names], cells)
    return Breakdown(column, float(threshold), units.name, edges, tuple(groups), gaps)


@dataclass(frozen=True, eq=False)
class _Cell:
    """One kind of sample in one group: its rate, and how far each of its units is from it."""

    rate: Rate
    units: NDArray[np.intp]  # (u,) ascending codes
    deviations: NDArray[np.float64]  # (u,) errors of the unit beyond rate * its samples, over all samples; sum 0


def _cell(is_error: NDArray[np.bool_], units: Units, rows: NDArray[np.intp]) -> _Cell | None:
    if not rows.size:
        return None
    here, errors = units.of(rows), is_error[rows]
    present, of_row = np.unique(here.groups, return_inverse=True)
    value = float(errors.mean())
    is_small = rows.size < MIN_SAMPLES or present.size < MIN_UNITS
    rate = Rate(int(errors.sum()), rows.size, value, rate_interval(errors, here, level=LEVEL), is_small)
    return _Cell(rate, present, np.bincount(of_row, errors - value) / rows.size)


# ---------------------------------------------------------------------------------------------------------------- gaps


def _gaps(names: list[str], kinds: list[str | None], cells: list[_Cell | None]) -> tuple[Gap, ...]:
    """Every two groups that are stated and large enough, kind by kind, the largest difference first.

    Each interval has the level 1 - 0.05/m for m comparisons (Bonferroni): all of one column hold together at 95 %.
    """
    pairs: list[tuple[str | None, tuple[str, _Cell], tuple[str, _Cell]]] = []
    for k, kind in enumerate(kinds):
        of_kind = zip(names, cells[k :: len(kinds)], strict=True)
        large = [(name, cell) for name, cell in of_kind if cell and not cell.rate.is_small and name != NOT_STATED]
        large.sort(key=lambda group: -group[1].rate.value)
        pairs += [(kind, first, second) for first, second in combinations(large, 2)]
    level = 1 - (1 - LEVEL) / max(1, len(pairs))
    gaps = []
    for kind, (name, cell), (other, less) in pairs:
        interval = _difference_interval(cell, less, level)
        gaps.append(Gap(kind, name, other, cell.rate.value, less.rate.value, interval))
    return tuple(sorted(gaps, key=lambda gap: -gap.difference))


def _difference_interval(a: _Cell, b: _Cell, level: float) -> Interval:
    """Of the rate of a minus that of b: Newcombe's method 10 (Statistics in Medicine 1998), for whole units.

    The ends of both rates' intervals are combined as if their distances from the rates were standard errors, less what
    units in both groups share (rho; Zou, International Journal of Epidemiology 2007). Where every sample is a unit of
    its own this is Newcombe's interval. A bootstrap would need some 20 m/0.05 resamples for the tails of m comparisons.
    """
    low_a, high_a = _rate_ends(a, level)
    low_b, high_b = _rate_ends(b, level)
    rate_a, rate_b = a.rate.value, b.rate.value
    down_a, up_a, down_b, up_b = rate_a - low_a, high_a - rate_a, rate_b - low_b, high_b - rate_b
    rho = _correlation(a, b)
    difference = rate_a - rate_b
    low = difference - math.sqrt(max(0.0, down_a**2 + up_b**2 - 2 * rho * down_a * up_b))
    high = difference + math.sqrt(max(0.0, up_a**2 + down_b**2 - 2 * rho * up_a * down_b))
    return Interval(max(-1.0, low), min(1.0, high))


def _rate_ends(cell: _Cell, level: float) -> Interval:
    """Wilson's interval of as many independent trials as the samples are worth (Rao and Scott, Biometrics 1992).

    That is rate (1 - rate) over the variance of the rate between units, at most the samples, and as many as there are
    units where all samples agree. The quantile is Student's with one degree of freedom less than units.
    """
    rate, n, u = cell.rate.value, float(cell.rate.n), cell.units.size
    z = float(ndtri((1 + level) / 2))
    if u < cell.rate.n:
        variance = u / (u - 1) * float(np.square(cell.deviations).sum())
        n = min(n, rate * (1 - rate) / variance) if variance > 0 else float(u)
        z = float(stdtrit(u - 1, (1 + level) / 2))
    scale = 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def _correlation(a: _Cell, b: _Cell) -> float:
    """Of both rates' errors of estimation, over the units they share; 0 where they share none or a rate has none."""
    _, in_a, in_b = np.intersect1d(a.units, b.units, assume_unique=True, return_indices=True)
    size = math.sqrt(float(np.square(a.deviations).sum() * np.square(b.deviations).sum()))
    return float(a.deviations[in_a] @ b.deviations[in_b]) / size if in_a.size and size else 0.0
