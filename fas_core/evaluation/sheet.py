"""What a comparison of Runs says, on the screen and on paper alike: each number is computed once, when it is asked for.

    sheet = Sheet(comparison([System(a, "rec"), System(b, "rec")]))
    sheet.headline(1), sheet.worse(1), sheet.differences(1)[ROC_AUC], sheet.rule_words

`b` in what follows is the number of another Run among those compared, from 1; A is number 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import dev_subsets, outside_training, readable
from fas_core.errors import BadInputError
from fas_core.evaluation import comparison as paired
from fas_core.evaluation import differences as core
from fas_core.evaluation import fusion, join, regressions
from fas_core.evaluation.differences import Difference, Flips
from fas_core.evaluation.headline import Headline, headline, named
from fas_core.evaluation.join import Joined, System
from fas_core.evaluation.matching import Matching, judged_subsets, limits_words, matching, targets
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.regressions import SUBSET, AreaFall, Grouping, Regressions
from fas_core.evaluation.words import in_words, number
from fas_core.metrics.cost import Costs
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.metrics.resampling import Resampled, Statistic
from fas_core.runs.health import Caution
from fas_core.runs.store import Run

LETTERS = "ABCDEF"
SAID_ELSEWHERE = ("no_subjects", "optimistic")  # where intervals are told of, and by the rule
OVER_ALL = ("roc_auc", "average_precision", "eer")  # metrics that need no threshold
# Enough for two digits, and a third of a second for two Runs of 50,000 samples; `fas compare` takes more of both.
RESAMPLES, QUANTILES = 1000, 1024
AREA_FALL = 0.05  # of the AUC of a group, that is told of
BPCERS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, *np.linspace(0.1, 1, 16).round(4).tolist())  # where bands stand
RECALLS = tuple(np.linspace(0.05, 1, 20).round(4).tolist())

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Comparison:
    """Runs with a score each, on some subsets of A, the first, at thresholds that one rule matches."""

    systems: tuple[System, ...]
    level: str  # what decisions are made on: see `evaluation.levels`
    subsets: tuple[str, ...]  # judged
    rule: Rule
    chosen_on: tuple[str, ...] = ()  # subsets that fix the thresholds; none: they are matched anew on what is judged
    costs: Costs | None = None  # of the rule cost

    @property
    def samples_digest(self) -> str:
        """Stands for which samples are compared by which scores, whatever the rule."""
        return repr(([(run.digest, score) for run, score in self.systems], self.level, self.subsets))

    @property
    def digest(self) -> str:
        return f"{self.samples_digest} {self.rule!r} {self.chosen_on!r} {self.costs!r}"

    @property
    def a(self) -> System:
        return self.systems[0]

    @property
    def letters(self) -> str:
        """One of each Run: A, B, ..."""
        return LETTERS[: len(self.systems)]


def comparison(
    systems: Sequence[System],
    rule: Rule = DEFAULT,
    level: str = FRAME,
    *,
    subsets: Sequence[str] = (),
    chosen_on: Sequence[str] = (),
    is_matched: bool = False,
) -> Comparison:
    """Of some subsets of A, all by default, those outside training that thresholds are not chosen on are judged.

    `is_matched`: thresholds are matched anew there, and none is taken from elsewhere.

    Raises BadInputError for too many Runs, for subsets that A does not have, and as `join.require_others`.
    """
    run = systems[0].run
    if len(systems) > len(LETTERS):
        raise BadInputError(f"At most {len(LETTERS)} Runs are compared, got {len(systems)}.")
    join.require_others(systems)
    if unknown := [name for name in (*subsets, *chosen_on) if name not in run.subsets]:
        raise BadInputError(
            f"Run {run.info.name} has no subset {', '.join(unknown)}. Its subsets: {', '.join(run.subsets)}."
        )
    among = [name for name in run.subsets if name in (subsets or run.subsets)]
    fixing = [name for name in run.subsets if name in chosen_on]
    judged, fixed_by = judged_subsets(outside_training(among) or among, fixing)
    return Comparison(tuple(systems), level, judged, rule, () if is_matched else fixed_by)


class Samples:
    """The samples of some subsets of A that all Runs have, whatever the rule."""

    def __init__(
        self,
        systems: tuple[System, ...],
        level: str,
        subsets: tuple[str, ...],
        joined: Callable[[tuple[System, ...], str], Joined] = join.joined,
    ) -> None:
        """`joined`: where to get the samples of all subsets from, for who keeps them. Raises BadInputError as that."""
        self.systems = systems
        self.joined: Joined = joined(systems, level).in_subsets(subsets)

    @cached_property
    def groupings(self) -> dict[str, Grouping]:
        """The columns that the samples fall into groups by."""
        return regressions.groupings([run for run, _ in self.systems], self.joined)


def _once(method: Callable[Concatenate[Sheet, P], R], /) -> Callable[Concatenate[Sheet, P], R]:
    """Keeps what a method of a sheet returns for its arguments."""

    @wraps(method)
    def kept(sheet: Sheet, /, *arguments: P.args, **named: P.kwargs) -> R:
        key = (method.__name__, *arguments, *sorted(named.items()))
        if key not in sheet.kept:
            sheet.kept[key] = method(sheet, *arguments, **named)
        result: R = sheet.kept[key]
        return result

    return kept


def _are_numbers(grouping: Grouping) -> bool:
    """Whether groups are ranges of numbers, which describe people and circumstances less than names do."""
    return all(
        name.startswith(("up to ", "above ")) or name.lstrip("-")[:1].isdigit() for name in grouping.names if name
    )


class Sheet:
    """What follows from a comparison. Shared by all who ask: do not change it."""

    def __init__(self, comparison: Comparison, samples: Callable[..., Samples] = Samples) -> None:
        """`samples`: where to get `Samples` from, for who keeps them."""
        self.comparison, self._samples = comparison, samples
        self.kept: dict[Any, Any] = {}

    # ------------------------------------------------------------------------------------------ samples and thresholds

    @property
    def samples(self) -> Samples:
        return self._samples_of(self.comparison.subsets)

    @_once
    def _samples_of(self, subsets: tuple[str, ...]) -> Samples:
        return self._samples(self.comparison.systems, self.comparison.level, subsets)

    @property
    def joined(self) -> Joined:
        """The samples that all Runs have; another rule compares the same ones."""
        return self.samples.joined

    @property
    def groupings(self) -> dict[str, Grouping]:
        return self.samples.groupings

    @cached_property
    def matching(self) -> Matching:
        """The thresholds of all Runs, and whether they are compared at them."""
        by = self.comparison
        chosen_by = self._samples_of(by.chosen_on).joined if by.chosen_on else self.joined
        return matching(chosen_by, by.rule, by.chosen_on, by.letters, by.costs)

    @cached_property
    def cautions(self) -> list[tuple[Run, Caution]]:
        """What to know of each Run before the numbers are believed."""
        return paired.cautions(self.joined, self.comparison.systems, self.matching)

    @cached_property
    def cautions_said(self) -> dict[str, str]:
        """`cautions` in sentences that are not said elsewhere, and the letters of the Runs that each is about."""
        letters: dict[str, list[str]] = {}
        systems = list(zip(LETTERS, self.comparison.systems, strict=False))
        of_run = {run.id: letter for letter, (run, _) in reversed(systems)}
        for run, caution in self.cautions:
            if caution.kind not in SAID_ELSEWHERE:
                letters.setdefault(caution.message, []).append(of_run[run.id])
        return {
            message: " and ".join(filter(None, [", ".join(of_runs[:-1]), of_runs[-1]]))
            for message, of_runs in letters.items()
        }

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Of every Run; none where the rule cannot be applied, or matches none with A: `matching.problem` says why."""
        others = range(1, len(self.comparison.systems))
        return () if all(self.matching.of(b).problem for b in others) else self.matching.thresholds

    @property
    def _fixed(self) -> tuple[float, ...] | None:
        """The thresholds that resamples take as given."""
        return self.thresholds or None if self.matching.is_fixed else None

    @property
    def _rule(self) -> Rule:
        """What metrics that are not at given thresholds are at; without thresholds none of these is shown."""
        return self.comparison.rule if self.comparison.rule.has_limit else DEFAULT

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Whether the rule's limit holds for each Run where it is judged."""
        return targets(self.joined, self.matching) if self.thresholds else ()

    @_once
    def flips(self, b: int) -> Flips | None:
        """The verdicts of A and Run `b`; None where there are no thresholds."""
        return None if self.matching.of(b).problem else core.flips(self.joined, self.thresholds, b)

    # ------------------------------------------------------------------------------------------ numbers

    @cached_property
    def drawn(self) -> Resampled:
        """Every metric of every Run on resamples. Needs both classes."""
        return core.resampled(
            self.joined,
            self._rule,
            at=self._fixed,
            bpcers=BPCERS,
            recalls=RECALLS,
            resamples=RESAMPLES,
            quantiles=QUANTILES,
        )

    @_once
    def differences(self, b: int, *, with_intervals: bool = True) -> dict[Statistic, Difference]:
        """Every metric of A and of Run `b`; without thresholds those over all of them."""
        drawn = self.drawn if with_intervals else None
        of_each = core.differences(self.joined, self._rule, drawn, b, at=self._fixed)
        if not self.matching.of(b).problem:
            return of_each
        return {statistic: metric for statistic, metric in of_each.items() if statistic.name in OVER_ALL}

    @property
    def areas(self) -> list[tuple[float, float]]:
        """The AUC and the average precision of each Run. Needs both classes."""
        of_each_run = core.values_of_each(self.joined, self._rule, self._fixed)
        return [
            (cast("float", of_run[core.ROC_AUC]), cast("float", of_run[core.AVERAGE_PRECISION]))
            for of_run in of_each_run
        ]

    @_once
    def worse(self, b: int, *, with_intervals: bool = True) -> Regressions | None:
        """What Run `b` does worse than A; None without thresholds."""
        return regressions.what_got_worse(
            self.joined,
            self.matching.of(b),
            self.groupings,
            self.drawn if with_intervals else None,
            b=b,
            resamples=RESAMPLES if with_intervals else 0,
        )

    @_once
    def area_falls(self, b: int) -> list[AreaFall]:
        """In which groups attacks and live faces are separated less, the largest fall of the AUC first."""
        return regressions.area_falls(self.joined, self.groupings, b) if self.joined.has_both_classes else []

    @_once
    def groups_by(self, b: int) -> str:
        """The column whose groups are told of first: that of the worst group, else the first that describes samples."""
        worse = self.worse(b, with_intervals=False)
        rows = [cell for cells in worse.listed() for cell in cells if cell.is_clear] if worse else []
        columns = [cell.column for cell in rows if cell.column in self.groupings and cell.column != SUBSET]
        described = sorted(
            (name for name in self.groupings if name != SUBSET), key=lambda name: _are_numbers(self.groupings[name])
        )
        return next(iter([*columns, *described]), SUBSET)

    def groups(self, column: str) -> NDArray[np.str_]:
        """(n,) the group of each common sample by one of `groupings`, or by subset."""
        grouping = self.groupings.get(column)
        if grouping is None:  # all are of one subset
            return self.joined.samples[SUBSET].to_numpy(str)
        return np.asarray(grouping.names, str)[grouping.codes]

    @_once
    def group_rates(self, b: int, column: str, *, with_intervals: bool = True) -> pd.DataFrame:
        """`differences.table` of A and Run `b`, by the groups of a column, with the intervals of what got worse."""
        table = core.table(self.joined, self.flips(b), self.groups(column), b=b).assign(low=np.nan, high=np.nan)
        if self.matching.of(b).problem or not with_intervals:
            return table
        columns = {name: of_rows for name, of_rows in self.groupings.items() if name == column}
        cells = regressions.cells(self.joined, self.matching, columns, self.drawn, b=b, resamples=RESAMPLES)
        ends = {(cell.group, cell.kind): (cell.low, cell.high) for cell in cells}
        rows = list(zip(table["group"], table["kind"], strict=True))
        if not columns:  # one group is all
            rows = [("", kind) for _, kind in rows]
        table[["low", "high"]] = pd.DataFrame([ends[row] for row in rows], columns=["low", "high"], dtype=float)
        return table

    # ------------------------------------------------------------------------------------------ sentences of plain text

    def headline(self, b: int, *, with_intervals: bool = True, feared: Sequence[str] = ()) -> Headline:
        """Whether Run `b` is better or worse, and in what; where thresholds are not matched, the comparison over all.

        `feared`: species that are named first.
        """
        worse = self.worse(b, with_intervals=with_intervals)
        if worse is None:
            return Headline(" ".join(self.details(b, with_intervals=with_intervals)[:2]), "")
        return headline(worse, self.name(b), feared)

    def headlines(self, *, with_intervals: bool = True, feared: Sequence[str] = ()) -> list[Headline]:
        """`headline` of every other Run."""
        tell = partial(self.headline, with_intervals=with_intervals, feared=feared)
        first = tell(1)  # computes what all of them share
        return [first, *join.of_each(tell, range(2, len(self.comparison.systems)))]

    def name(self, b: int) -> str:
        """B (gate_v2); the letter alone where several of the Runs are called so."""
        names = [run.info.name for run, _ in self.comparison.systems]
        return named(LETTERS[b], names[b], names)

    def area_words(self, b: int, most: int = 2) -> str:
        """The largest falls of the AUC by group; "" where none is as large as `AREA_FALL`."""
        falls = [fall for fall in self.area_falls(b) if fall.a - fall.b >= AREA_FALL][:most]
        if not falls:
            return ""
        columns = " or ".join(dict.fromkeys(readable(fall.column) for fall in falls))
        return (
            f"AUC by group, not tested, fell most for {'; '.join(fall.words for fall in falls)}: see Group by group, "
            f"by {columns}."
        )

    def details(self, b: int, *, with_intervals: bool = True) -> list[str]:
        """Species by species, over all thresholds, verdicts that turned."""
        of_each = self.differences(b, with_intervals=with_intervals)
        worse = self.worse(b, with_intervals=with_intervals)
        at, by = self.flips(b), self.matching.of(b)
        return in_words(self.joined, self.comparison.rule, of_each, at, LETTERS[b], by, worse)

    @property
    def rule_words(self) -> str:
        """BPCER ≤ 5 % chosen on dev, judged on test; optimistic where it is judged on what it was chosen by."""
        by = self.matching
        chosen = "chosen and judged" if by.is_fixed else "matched anew"
        if by.chosen_on:
            chosen = f"chosen on {', '.join(map(readable, by.chosen_on))}, judged"
        optimistic = ", optimistic" if by.is_optimistic else ""
        return f"{by.rule_words} {chosen} on {', '.join(map(readable, self.comparison.subsets))}{optimistic}"

    @property
    def limits_words(self) -> str:
        """Whether the limit holds for each Run; "" where there is nothing to check."""
        return limits_words(self.matching, self.targets, self.comparison.subsets, self.comparison.letters)

    @property
    def samples_words(self) -> str:
        """How many samples are compared, and how many are not."""
        return self.joined.counts_words

    @_once
    def companions_words(self) -> str:
        """How Runs of several modalities are joined, and what they separate together; "" of one modality."""
        both, systems = self.joined, self.comparison.systems
        if not both.pairing_words:
            return ""
        areas = [metrics.roc_auc(of_run) for of_run in both.score_sets] if both.has_both_classes else []
        every = self._samples(systems, FRAME, tuple(systems[0].run.subsets)).joined
        calibrating = dev_subsets(systems[0].run.subsets)
        by = self.comparison
        fused = fusion.words_on(every, systems[0].run, by.subsets, calibrating, by.level, areas)
        return f"{both.pairing_words} {fused}".strip()

    @property
    def thresholds_words(self) -> str:
        if not self.thresholds:
            return f"No verdicts: {self.matching.problem.rstrip('.')}."
        letters = self.comparison.letters
        each = ", ".join(f"{number(t)} ({letter})" for letter, t in zip(letters, self.thresholds, strict=True))
        costs = "" if self.comparison.costs is None else f" Costs: {self.comparison.costs.in_words}."
        problem = f" {self.matching.problem}" if self.matching.problem else ""
        signs = f" {self.signs_words}" if self.signs_words else ""
        return f"Thresholds {each}: {self.matching.words}.{problem}{costs}{signs}"

    @property
    def signs_words(self) -> str:
        """Whose values have the other sign than where they are from; "" where none has."""
        turned = [scores.sign_words(*system) for system in self.comparison.systems]
        return " ".join(f"{letter}: {said}" for letter, said in zip(LETTERS, turned, strict=False) if said)

    @property
    def units_words(self) -> str:
        """What is resampled as a whole: 62 subjects."""
        units, _ = self.joined.units
        n_units = self.joined.unit_codes[1]
        return f"{n_units:,} {units.name}{'s' if n_units != 1 else ''}"

    @property
    def intervals_words(self) -> str:
        """What the brackets are."""
        how = "taken as given" if self.matching.is_fixed else "matched anew each time"
        _, independent = self.joined.units
        p = (
            "; p of the AUC by DeLong."
            if independent
            else f"; the {self.joined.unit}s are not independent, so no p is by DeLong."
        )
        return f"In brackets: 95 % of the difference, by resampling {self.units_words}, thresholds {how}{p}"
