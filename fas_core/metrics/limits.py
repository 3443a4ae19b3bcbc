"""A limit is a promise that is checked: whether it holds where it is reported, and thresholds that can prove it.

    target = limits.target(rule, rates)      # rate, limit, met, upper95, met_at_95
    limits.held_words(target)                # within 2 %, not proven: upper bound 2.4 %

The upper bound is the one of `uncertainty`: by subject where the data name subjects. That of the worst of several
species is the largest of theirs, which holds with 95 % too: it is no lower than that of the truly worst species.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fas_core.documents import Json
from fas_core.metrics.scoreset import Floats, UndefinedMetricError
from fas_core.metrics.uncertainty import RateInterval, Units, codes_of, upper_bounds, zero_error_upper_bound

BPCER, APCER = "bpcer", "apcer"
CONFIDENCE = 0.95
BOUNDS_WORDS = "Upper 95 % is one-sided; intervals leave 2.5 % out on either side."
_AT_ONCE = 32  # candidates of which a search computes the bounds together, from the same resamples
_MOST_DIGITS = 12


# ---------------------------------------------------------------------------------------------------------------------
# Whether a limit holds


@dataclass(frozen=True)
class Target:
    """A limit and the rate that is held against it; None where undefined."""

    rate: float | None
    limit: float
    met: bool | None  # by the rate
    upper95: float | None  # one-sided upper bound of the rate; None where all samples are of one unit
    met_at_95: bool | None  # by the upper bound
    # What the bound takes for different people where the data name nobody: "samples", "videos", "sessions".
    taken: str = field(default="", compare=False)

    @property
    def is_proven(self) -> bool:
        """By the upper bound, and not on the assumption that nobody is there twice."""
        return bool(self.met_at_95) and not self.taken

    def as_json(self) -> Json:
        document = asdict(self)
        del document["taken"]  # which the intervals of the rates say
        return document


class Limit(Protocol):
    """A rule that limits a rate, as `operating_point.Rule`."""

    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def species(self) -> str: ...


class Judged(Protocol):
    """Rates with their intervals and numbers of trials, as `run_metrics.ReportedRates`."""

    @property
    def bpcer(self) -> float | None: ...
    @property
    def apcer_per_species(self) -> Mapping[str, float | None]: ...
    @property
    def bpcer_interval(self) -> RateInterval | None: ...
    @property
    def apcer_interval_per_species(self) -> Mapping[str, RateInterval | None]: ...


def target(by: Limit, rates: Judged) -> Target | None:
    """What a rule promises of some samples, checked at their rates; None where the rule limits no rate.

    An APCER without a species is the worst one's, of those that have attacks with a score.
    """
    judged = _judged(by, rates)
    if judged is None:
        return None
    if not judged:
        return Target(None, by.value, None, None, None)
    rate = max(rate for rate, _ in judged)
    bounds = [interval.upper for _, interval in judged if interval is not None and interval.upper is not None]
    upper = max(bounds) if len(bounds) == len(judged) else None
    is_within = None if upper is None else upper <= by.value
    return Target(rate, by.value, rate <= by.value, upper, is_within, _taken(judged))


def told(checked: Target, by: Limit, rates: Judged) -> Target:
    """A target of a document, with what the rates' intervals take for different people."""
    return replace(checked, taken=_taken(_judged(by, rates) or []))


def _judged(by: Limit, rates: Judged) -> list[tuple[float, RateInterval | None]] | None:
    """The rates that a rule limits, those that are defined; None where it limits none."""
    if by.kind == BPCER:
        return [] if rates.bpcer is None else [(rates.bpcer, rates.bpcer_interval)]
    if by.kind != APCER:
        return None
    names = [by.species] if by.species else list(rates.apcer_per_species)
    of_species = ((rates.apcer_per_species.get(name), name) for name in names)
    return [(rate, rates.apcer_interval_per_species[name]) for rate, name in of_species if rate is not None]


def _taken(judged: Sequence[tuple[float, RateInterval | None]]) -> str:
    units = {interval.unit for _, interval in judged if interval is not None} - {"subject"}
    return " and ".join(f"{unit}s" for unit in sorted(units))


def standing_words(checked: Target) -> str:
    """Whether a limit holds, without numbers of these samples: above 2 %; within 2 %, not proven; within 2 %, proven;
    within 2 % if all samples are of different people. Its words are those of the screen, paper and terminal alike."""
    if checked.met is None:
        return "not checked"
    limit = f"{100 * checked.limit:g} %"
    if not checked.met:
        return f"above {limit}"
    if checked.met_at_95 and checked.taken:
        return f"within {limit} if all {checked.taken} are of different people"
    return f"within {limit}, {'proven' if checked.met_at_95 else 'not proven'}"


def held_words(checked: Target) -> str:
    """`standing_words` with the one-sided bound that it rests on: within 2 %, not proven: upper bound 2.4 %."""
    said = standing_words(checked)
    if not checked.met:
        return said
    if checked.upper95 is None:
        return f"{said}: all are of one subject"
    return f"{said}: upper bound {share_text(checked.upper95, checked.limit)}"


def target_words(by: Limit, checked: Target) -> str:
    """A target in a sentence without its full stop, no number of which is rounded across the limit."""
    whom = "live" if by.kind == BPCER else f"{by.species} attacks" if by.species else "attacks of the worst species"
    if checked.rate is None:
        nobody = "live sample" if by.kind == BPCER else "attack"
        return f"no {nobody} was judged: the limit of {100 * checked.limit:g} % is not checked"
    return f"{whom} {'rejected' if by.kind == BPCER else 'passed'} {short_words(checked)}"


def short_words(checked: Target) -> str:
    """The rate and how it stands to its limit: 1.6 %, within 2 %, not proven: upper bound 2.4 %."""
    if checked.rate is None:
        return standing_words(checked)
    return f"{share_text(checked.rate, checked.limit)}, {held_words(checked)}"


def summary_words(limit: str, targets: Mapping[str, Target]) -> str:
    """How a limit stands where, in a sentence: The limit BPCER ≤ 2 %: within 2 %, proven, on dev; above 2 % on test
    (2.5 %).

    `limit`: a rule in words. `targets`: by subset. "" where nothing is limited.
    """
    if not targets:
        return ""
    alike: dict[str, dict[str, Target]] = {}
    for name, checked in targets.items():
        alike.setdefault(standing_words(checked), {})[name] = checked
    parts = [f"{said}{',' if ',' in said else ''} on {_where(of)}" for said, of in alike.items()]
    return f"The limit {limit}: {'; '.join(parts)}."


def _where(alike: Mapping[str, Target]) -> str:
    """Subsets of which the same is said, with the largest bound, or where that is above the limit the largest rate."""
    numbers = [number for of in alike.values() if (number := of.upper95 if of.met else of.rate) is not None]
    names, limit = ", ".join(alike), next(iter(alike.values())).limit
    if not numbers:
        return names
    bound = "upper bound " if next(iter(alike.values())).met else ""
    return f"{names} ({bound}{'at most ' if len(alike) > 1 else ''}{share_text(max(numbers), limit)})"


def overall_words(targets: Sequence[Target]) -> str:
    """The gravest of some subsets' `standing_words`, without "not checked" where any is."""
    if any(target.met is False for target in targets):
        return standing_words(next(target for target in targets if target.met is False))
    if any(target.met is None for target in targets):
        return "not checked everywhere"
    return standing_words(min(targets, key=lambda target: (bool(target.met_at_95), target.is_proven)))


def share_text(share: float, limit: float, digits: int = 1) -> str:
    """A share in percent that stands on the side of a limit where it is: 2.04 % at 2 %, which is not 2.0 %."""
    for more in range(digits, _MOST_DIGITS):
        text = f"{100 * share:.{more}f}"
        shown = float(text)
        if (shown > 100 * limit) == (share > limit) or math.isclose(share, limit, rel_tol=1e-12):
            return f"{text} %"
    return f"{100 * share!r} %"


# ---------------------------------------------------------------------------------------------------------------------
# A threshold that proves a limit


@dataclass(frozen=True, eq=False)
class Trials:
    """n scores with what hangs together among them, which an upper bound needs and a sorted `ScoreSet` has lost."""

    scores: Floats  # (n,), NaN where there is none
    kinds: NDArray[np.integer]  # (n,) 0 = bona fide, k = an attack of species names[k - 1]
    names: Sequence[str]
    units: Units  # of all n

    def of(self, kind: int) -> tuple[Floats, Units]:
        """The scores of a kind, those that there are, and their units."""
        rows = (self.kinds == kind) & ~np.isnan(self.scores)
        return self.scores[rows], self.units.of(rows)


def threshold_proven_at_bpcer(trials: Trials, limit: float) -> float:
    """The lowest threshold at which the upper 95 % bound of BPCER is within a limit.

    Raises UndefinedMetricError where none is, with what would be needed.
    """
    values, units = trials.of(0)
    return math.nextafter(_highest_within(values, units, limit, "bona fide sample"), math.inf)


def threshold_proven_at_apcer(trials: Trials, limit: float, species: str = "") -> float:
    """The highest threshold at which the upper 95 % bound of APCER is within a limit, for a species or for each.

    Raises UndefinedMetricError where none is, with what would be needed.
    """
    present = [(kind, name) for kind, name in enumerate(trials.names, start=1) if (trials.kinds == kind).any()]
    asked = [(kind, name) for kind, name in present if not species or name == species]
    if not asked:
        raise UndefinedMetricError("there is no attack with a score")
    thresholds = []
    for kind, name in asked:
        values, units = trials.of(kind)
        # An attack passes where its score is below t: where its negative is above -t.
        thresholds.append(-_highest_within(-values, units, limit, f"{name} attack"))
    return min(thresholds) + 0.0  # no -0.0


def _highest_within(values: Floats, units: Units, limit: float, of: str) -> float:
    """The lowest of the values v for which the upper bound of the share of values > v is within the limit.

    The bound never rises with v, so that the first is found by cutting the candidates into parts, a few passes that
    resample once each. Candidates are the values that leave no larger share above them than the limit.
    """
    if not values.size:
        raise UndefinedMetricError(f"there is no {of} with a score")
    _require_enough(units, limit, of)
    ordered = np.sort(values)
    allowed = math.floor(limit * values.size + 1e-9)
    candidates = np.unique(ordered[-1 - allowed :])
    first, last = 0, len(candidates) - 1  # the last one, above which there is nothing, is within the limit
    while first < last:
        at = np.unique(np.linspace(first, last - 1, _AT_ONCE).astype(np.int64))
        with np.errstate(over="ignore"):  # above the largest number is infinity
            above = np.nextafter(candidates[at], np.inf)
        bounds = upper_bounds(values, units, above, level=CONFIDENCE)
        within = np.zeros(at.size, np.bool_) if bounds is None else bounds <= limit
        reached = int(within.argmax()) if within.any() else at.size
        first = int(at[reached - 1]) + 1 if reached else first
        last = int(at[reached]) if reached < at.size else last
    return float(candidates[first])


def _require_enough(units: Units, limit: float, of: str) -> None:
    """Raises UndefinedMetricError where even no error at all would not prove the limit."""
    n_units = codes_of(units.groups)[1]
    if n_units > 1 and zero_error_upper_bound(n_units, CONFIDENCE) <= limit:
        return
    needed = units_needed(limit)
    who = f"{needed:,} {units.name}s" if units.name != "sample" else f"{needed:,} samples"
    smallest = math.ceil(1e4 * zero_error_upper_bound(n_units, CONFIDENCE)) / 1e4
    there = f"{n_units:,} {units.name}{'' if n_units == 1 else 's'}"
    raise UndefinedMetricError(
        f"that its upper 95 % bound is within {100 * limit:g} % takes at least {who} with a {of}, none of them wrong; "
        f"here are {there}, which can prove {100 * smallest:g} % at best"
    )


def units_needed(limit: float) -> int:
    """How many units without an error prove a limit in (0, 1) with 95 %: the fewest with (1 - limit)^n <= 5 %."""
    fewest = max(2, math.ceil(math.log1p(-CONFIDENCE) / math.log1p(-limit) - 1e-9))
    return fewest if zero_error_upper_bound(fewest, CONFIDENCE) <= limit else fewest + 1
