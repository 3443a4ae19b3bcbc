"""What one Run's sheet says, on the screen and on paper alike: how well it separates, and what its threshold lets pass.

summary = Summary(System(run, "rec"), FRAME, run.subsets, *operating_point(...))
headline(summary), metrics_table(summary)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import pandas as pd

from fas_core import metrics, scores
from fas_core.data.names import fresh_subsets, outside_training
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations, run_metrics
from fas_core.evaluation.join import System
from fas_core.evaluation.presentations import FRAME, Presentations
from fas_core.evaluation.run_metrics import ReportedRates
from fas_core.evaluation.words import rate_text
from fas_core.metrics import ScoreSet, limits
from fas_core.metrics import operating_point as op
from fas_core.metrics.operating_point import OperatingPoint, Rule
from fas_core.metrics.uncertainty import UnitInterval

GUESSING = 0.5  # the AUC of a score that says nothing


class Readers(Protocol):
    """Where the numbers of some subsets come from: computed, or kept from before."""

    def score_set(self, subsets: Sequence[str]) -> ScoreSet: ...
    def auc_interval(self, subsets: Sequence[str], species: str = "") -> UnitInterval | None: ...
    def rates(self, subsets: Sequence[str], threshold: float) -> ReportedRates: ...


@dataclass(frozen=True)
class _Computed:
    """From the presentations themselves."""

    decided: Presentations

    def score_set(self, subsets: Sequence[str]) -> ScoreSet:
        return self.decided.score_set(subsets)

    def auc_interval(self, subsets: Sequence[str], species: str = "") -> UnitInterval | None:
        return run_metrics.auc_interval(self.decided, subsets, species)

    def rates(self, subsets: Sequence[str], threshold: float) -> ReportedRates:
        return run_metrics.rates_at(self.decided, subsets, threshold)


@dataclass(frozen=True, eq=False)
class Summary:
    """A Run by a score, on some subsets, at an operating point; None, and why, where its rule cannot be applied."""

    system: System
    level: str  # what decisions are made on: see `evaluation.levels`
    subsets: tuple[str, ...]
    point: OperatingPoint | None
    problem: str
    readers: Readers

    @cached_property
    def decisions(self) -> str:
        """What decisions are made on, in a word."""
        return presentations.decided_on(self.system.run, self.level)

    @cached_property
    def reported(self) -> ReportedRates | None:
        """The rates where the operating point is reported."""
        return None if self.point is None else self.readers.rates(self.point.reported_on, self.point.threshold)


def summary(
    system: System,
    rule: Rule,
    level: str = FRAME,
    *,
    subsets: Sequence[str] = (),
    chosen_on: Sequence[str] = (),
) -> Summary:
    """Of some subsets, all by default, at the threshold that a rule chooses on others, reported on what is fresh.

    Raises BadInputError for subsets that the Run does not have, and as `presentations`.
    """
    run, score = system
    if unknown := [name for name in (*subsets, *chosen_on) if name not in run.subsets]:
        raise BadInputError(
            f"Run {run.info.name} has no subset {', '.join(unknown)}. Its subsets: {', '.join(run.subsets)}."
        )
    shown = tuple(name for name in run.subsets if name in (subsets or run.subsets))
    chosen_on = [name for name in run.subsets if name in chosen_on]
    decided = presentations.presentations(run, scores.values(run, score), level)
    point, problem = None, ""
    try:
        threshold = rule.value if rule.kind == op.BY_HAND else decided.threshold_by(rule, chosen_on)
        point = op.operating_point(rule, threshold, chosen_on, fresh_subsets(shown, chosen_on) or shown)
        if rule.kind == op.BY_HAND:
            point = replace(point, chosen_on=())
    except metrics.UndefinedMetricError as error:
        problem = f"{rule.words} cannot be applied to {', '.join(chosen_on) or 'no subset'}: {error}."
    return Summary(system, level, shown, point, problem, _Computed(decided))


def judged_on(about: Summary) -> tuple[str, ...]:
    """The subsets of which AUCs are told: those where the rates beside them are reported, if both classes are there;
    or else all that the model has not learned from."""
    reported = () if about.point is None else about.point.reported_on
    there = about.readers.score_set(reported)
    return reported if there.n_bona_fide and there.n_attack else tuple(outside_training(about.subsets))


def headline(about: Summary, said: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> tuple[str, str]:
    """How well the score separates, and what the operating point lets through; the latter "" where there is none.

    `said`: what makes a text from a file fit for where it is shown; `strong`: what makes a text heavy there.
    """
    run, score = about.system
    tested = judged_on(about)
    pooled = about.readers.score_set(tested)
    name = strong(said(run.info.name))
    if not (pooled.n_bona_fide and pooled.n_attack):
        return f"{name}: the chosen subsets hold one class only, so nothing can be separated yet.", ""
    auc = {species: metrics.roc_auc(pooled, species) for species in pooled.attacks if len(pooled.attacks[species])}
    hardest = min(auc, key=lambda s: auc[s])
    which = f"hardest attacks, {said(hardest)}" if len(auc) > 1 else f"attacks, {said(hardest)}"
    where = "" if about.point is None or tested == about.point.reported_on else f" on {said(', '.join(tested))}"
    n = f"{len(pooled.attacks[hardest]):,}{_people(about, hardest)}"
    interval = about.readers.auc_interval(tested, hardest)
    verb, beside_guessing = _separation_words(auc[hardest], interval)
    separates = (
        f"{name}, judged by {said(score)}{where}, {verb} the {which} (n = {n}), from "
        f"{pooled.n_bona_fide:,} bona fide {about.decisions} with an AUC of "
        f"{strong(auc_words(auc[hardest], interval))}{beside_guessing}"
    )
    if len(auc) > 1:
        together = auc_words(metrics.roc_auc(pooled), about.readers.auc_interval(tested))
        separates += f"; all {pooled.n_attack:,} attacks with {together}"
    return f"{separates}.", _let_through(about, said, strong)


def _separation_words(auc: float, interval: UnitInterval | None) -> tuple[str, str]:
    """Whether a score separates, and how that stands beside guessing where it is not clearly better."""
    low, high = (auc, auc) if interval is None else (interval.low, interval.high)
    verb = "separates" if auc > GUESSING else "does not separate"
    if high < GUESSING:
        return verb, f", worse than guessing ({GUESSING:.2f}): they score lower than live faces"
    return verb, f", where guessing has {GUESSING:.2f}" if low <= GUESSING else ""


def _people(about: Summary, species: str) -> str:
    """Of how many people the attacks of a species are, where the data name them and that is what is reported."""
    at = about.reported
    if at is None or about.point is None or judged_on(about) != about.point.reported_on:
        return ""
    n = at.n_subjects_per_species.get(species)
    return "" if n is None else f" of {n:,} {'person' if n == 1 else 'people'}"


def _let_through(about: Summary, said: Callable[[str], str], strong: Callable[[str], str]) -> str:
    at = about.reported
    if at is None:
        return about.problem
    passes, worst = [], at.apcer_worst
    if at.bpcer is not None:
        rule = None if about.point is None else about.point.rule
        limit = rule.value if rule is not None and rule.kind == op.BPCER else None
        passes.append(f"{strong(rate_text(at.bpcer, at.bpcer_interval, limit))} of live {about.decisions} are rejected")
    asked = "" if about.point is None else about.point.rule.species
    if asked in at.apcer_per_species and asked != worst:  # whom the rule is about comes before who is worst
        share = strong(rate_text(at.apcer_per_species[asked], at.apcer_interval_per_species.get(asked)))
        passes.append(f"{said(asked)} passes {share} of the time")
    if worst is not None:
        share = strong(rate_text(at.apcer_max, at.worst_interval))
        passes.append(f"the worst attack, {said(worst)}, passes {share} of the time")
    return f"At the operating point {' and '.join(passes)}."


def limit_words(about: Summary, said: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> str:
    """Whether the limit of the rule holds where it is reported, in a sentence; "" where it has none."""
    at, point = about.reported, about.point
    checked = None if at is None or point is None else at.target(point.rule)
    if point is None or checked is None:
        return ""
    return f"Asked for was {said(point.rule.words)}: {strong(limits.held_words(checked))}."


def auc_words(value: float, interval: UnitInterval | None) -> str:
    """0.93 (0.87–0.98)"""
    return f"{value:.2f}" if interval is None else f"{value:.2f} ({interval.low:.2f}–{interval.high:.2f})"


def metrics_table(about: Summary) -> pd.DataFrame:
    """One row per subset, at the operating point; empty where a metric is undefined."""
    rows = []
    for subset in (name for name in about.system.run.subsets if name in about.subsets):
        of_subset = about.readers.score_set([subset])
        if not (of_subset.n_bona_fide + of_subset.n_attack):
            continue
        both = bool(of_subset.n_bona_fide and of_subset.n_attack)
        interval = about.readers.auc_interval([subset]) if both else None
        row: dict[str, object] = {
            "Subset": subset,
            "Bona fide": of_subset.n_bona_fide,
            "Attacks": of_subset.n_attack,
            "No response": sum(of_subset.n_non_response.values()),
            "AUC": auc_words(metrics.roc_auc(of_subset), interval) if both else None,
            "EER": rate_text(metrics.equal_error_rate(of_subset).value, None) if both else None,
        }
        if about.point is not None:
            at = about.readers.rates([subset], about.point.threshold)
            worst = at.apcer_worst
            row["BPCER"] = None if at.bpcer is None else rate_text(at.bpcer, at.bpcer_interval)
            row["Worst APCER"] = None if worst is None else f"{rate_text(at.apcer_max, at.worst_interval)}, {worst}"
        rows.append(row)
    table = pd.DataFrame(rows)
    return table if not len(table) or table["No response"].any() else table.drop(columns="No response")


def species_table(about: Summary) -> pd.DataFrame:
    """Attacks by species where the operating point is reported, worst first; no row without one."""
    at = about.reported
    known = {} if at is None else {name: rate for name, rate in at.apcer_per_species.items() if rate is not None}
    names = sorted(known, key=lambda name: (-known[name], name))
    if at is None:
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "Species": names,
            "Attacks": [at.n_per_species[name] for name in names],
            "APCER": [rate_text(known[name], at.apcer_interval_per_species[name]) for name in names],
        }
    )
