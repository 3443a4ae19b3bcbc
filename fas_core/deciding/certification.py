"""What presentations would prove under a test plan: counts, upper bounds, what is missing. No laboratory's verdict.

decided = presentations(run, scores.values(run, "rec"), "video mean")
sheet(plans.plan("ibeta-level-1"), decided, ["test"], threshold).sentence()
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import dev_subsets, fresh_subsets, in_protocol_order
from fas_core.deciding.card import Card
from fas_core.deciding.plans import Asked, Plan
from fas_core.delivery import is_injected
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import FRAME, Presentations
from fas_core.metrics import UndefinedMetricError, json_safe, uncertainty
from fas_core.metrics.operating_point import BY_HAND, Rule
from fas_core.metrics.uncertainty import RateInterval

BONA_FIDE, NOT_ASKED, INJECTION = "bona fide", "not asked for", "injection"  # kinds beside a plan's classes
VIDEO_MEAN = "video mean"
WITHIN, ABOVE, TOO_FEW, MISSING = "within", "above", "too few", "missing"


@dataclass(frozen=True)
class Line:
    """The presentations of one kind, judged at the threshold, against what a plan asks of them."""

    kind: str  # the class of attacks of the plan, "bona fide", "not asked for" or "injection"
    species: str  # "" for bona fide
    n: int  # presentations with a score
    n_non_response: int  # without one: counted beside, part of no rate
    n_subjects: int | None  # of those with a score; None where not all are named
    errors: int  # attacks that pass, bona fide presentations that are rejected
    interval: RateInterval | None  # at the plan's confidence, by whole subjects or the nearest; None: says nothing
    asked: Asked | None  # None: nothing
    confidence: float  # of the bounds
    n_species: int = 1  # that are missing, where it has no name

    @property
    def name(self) -> str:
        """What it is about: the species, "bona fide", or how many species are missing."""
        if self.species or self.kind == BONA_FIDE:
            return self.species or self.kind
        return f"{self.n_species} more" if self.n_species > 1 else "one more"

    @property
    def rate(self) -> float | None:
        return self.errors / self.n if self.n else None

    @property
    def proved(self) -> float | None:
        """One-sided upper bound of the rate: what, at most, these presentations prove; None where they prove none."""
        return None if self.interval is None else self.interval.upper

    @property
    def if_independent(self) -> float | None:
        """The bound that laboratories count by: every presentation taken for one of another person."""
        if self.interval is None:
            return None
        return uncertainty.clopper_pearson(self.errors, self.n, 2 * self.confidence - 1).high

    @property
    def proved_words(self) -> str:
        """What is proved, never rounded below itself."""
        return rounded_up(self.proved)

    @property
    def is_proved(self) -> bool | None:
        """Whether the larger bound keeps the limit too; None where there is no limit."""
        if self.asked is None or self.asked.limit is None:
            return None
        return self.proved is not None and self.proved <= self.asked.limit

    @property
    def needs(self) -> tuple[int, int | None]:
        """How many presentations and subjects more the plan asks for; None where subjects are not named."""
        if self.asked is None:
            return 0, 0
        subjects = 0
        if self.asked.subjects:
            if self.n_subjects is None:
                return max(0, self.asked.presentations - self.n), None
            subjects = max(0, self.asked.subjects - self.n_subjects)
        return max(0, self.asked.presentations - self.n), subjects

    @property
    def verdict(self) -> str | None:
        """One of the four; None where nothing is asked.

        "above" is final: more errors than the limit allows of these presentations, and of as many as the plan asks for.
        """
        if self.asked is None:
            return None
        if not self.n:
            return MISSING
        if self.asked.limit is not None:
            allowed = math.floor(self.asked.limit * max(self.n, self.asked.presentations) + 1e-9)
            if self.errors > allowed:
                return ABOVE
        return WITHIN if self.needs == (0, 0) else TOO_FEW

    @property
    def verdict_words(self) -> str:
        """The verdict, with what is needed: "too few: needs 30 more"; "" where there is none."""
        if self.verdict != TOO_FEW:
            return self.verdict or ""
        presentations, subjects = self.needs
        parts = [f"{presentations:,} more"] if presentations else []
        if subjects is None:
            parts.append("named subjects")
        elif subjects:
            parts.append(f"{subjects:,} more subject{'s' if subjects > 1 else ''}")
        return f"{TOO_FEW}: needs {' and '.join(parts)}"

    def as_json(self) -> Json:
        asked = self.asked
        needs = self.needs
        return {
            "kind": self.kind,
            "species": self.species or None,
            "n_species": self.n_species,
            "n": self.n,
            "n_non_response": self.n_non_response,
            "n_subjects": self.n_subjects,
            "errors": self.errors,
            "rate": self.rate,
            "upper_bound": self.proved,
            "upper_bound_by_presentation": self.if_independent,
            "upper_bound_by": None if self.interval is None else self.interval.unit,
            "n_units": None if self.interval is None else self.interval.n_units,
            "asked": asked,
            "verdict": self.verdict,
            "is_proved": self.is_proved,
            "needs": None if asked is None else {"presentations": needs[0], "subjects": needs[1]},
        }


@dataclass(frozen=True)
class Sheet:
    """A plan beside what the presentations of some subsets give at a threshold."""

    plan: Plan
    threshold: float
    level: str
    subsets: tuple[str, ...]
    bona_fide: Line
    attacks: tuple[Line, ...]  # of the plan's classes, in its order; a species that is missing has a line without name
    not_asked: tuple[Line, ...]  # species that the plan does not ask for
    injections: tuple[Line, ...]  # no presentations: no plan of presentations asks for them

    @property
    def is_met(self) -> bool:
        """Whether every count is there and every limit kept; further species may be too few, and none may be above."""
        if self.bona_fide.verdict not in (WITHIN, None) or any(line.verdict == ABOVE for line in self.attacks):
            return False
        return all(
            sum(line.verdict == WITHIN for line in self.attacks if line.kind == wanted.name) >= wanted.species
            for wanted in self.plan.attacks
        )

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the plan judges: bona fide first where it asks for them."""
        return (self.bona_fide, *self.attacks) if self.bona_fide.asked else self.attacks

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """Everything that was counted, and what is missing."""
        return (self.bona_fide, *self.attacks, *self.not_asked, *self.injections)

    def sentence(self) -> str:
        """Whether the plan would be met, and what stands against it."""
        n_species = sum(wanted.species for wanted in self.plan.attacks)
        if self.is_met:
            return (
                f"Would meet the counts and limits of {self.plan.title}, {n_species} species, as the plan states them."
            )
        missing = sum(line.n_species for line in self.attacks if not line.species)
        against = [f"{missing} of {n_species} species missing"] if missing else []
        above = [_counted(line) for line in self.lines if line.verdict == ABOVE]
        against += [f"above the limit: {', '.join(above)}"] if above else []
        few = [line for line in self.lines if line.verdict == TOO_FEW]
        told = [f"{line.name} ({line.verdict_words.removeprefix('too few: ')})" for line in few]
        against += [f"too few: {', '.join(told)}"] if few else []
        is_nobody = self.bona_fide.verdict == MISSING and not self.bona_fide.n_non_response
        against += ["no bona fide presentations"] if is_nobody else []
        gone = [line.name for line in self.lines if line.verdict == MISSING and line.n_non_response]
        against += [f"without a score: {', '.join(gone)}"] if gone else []
        return f"Would not meet {self.plan.title}: {'; '.join(against)}."

    def proof(self) -> str:
        """What is proved, whatever the plan asks for: the upper bounds, rounded up."""
        passing = [f"{line.proved_words} of {line.species}" for line in self.attacks if line.proved is not None]
        parts = [f"at most {', '.join(passing)} attacks pass"] if passing else []
        if self.bona_fide.proved is not None:
            parts.append(f"at most {self.bona_fide.proved_words} of bona fide presentations are rejected")
        if not parts:
            return "These presentations prove no upper bound."
        words = f"With {100 * self.plan.confidence:g} % confidence these presentations prove: {'; '.join(parts)}."
        if any(wanted.asked.limit == 0 for wanted in self.plan.attacks):
            words += " That no attack at all passes no number of presentations proves."
        return words

    def notes(self) -> list[str]:
        """Sentences on what is counted, and what is not."""
        notes = []
        if self.level == FRAME:
            notes.append(
                "Every image counts as a presentation. Where videos or sessions are named, choose their level."
            )
        if n := sum(line.n_non_response for line in (self.bona_fide, *self.attacks)):
            notes.append(f"Without a score, counted beside the rates and for none that is asked for: {n:,}.")
        if self.not_asked:
            told = ", ".join(_counted(line) for line in self.not_asked)
            notes.append(f"Species that the plan does not ask for, by its words: {told}.")
        if self.injections:
            told = ", ".join(_counted(line) for line in self.injections)
            notes.append(f"Injection attacks are no presentations and count for nothing here: {told}.")
        return notes

    def as_json(self) -> Json:
        """The document of a sheet."""
        plan = self.plan
        document: Json = json_safe(
            {
                "plan": plan.name,
                "title": plan.title,
                "source": plan.source,
                "version": plan.version,
                "url": plan.url,
                "text": plan.text,
                "confidence": plan.confidence,
                "threshold": self.threshold,
                "level": self.level,
                "subsets": list(self.subsets),
                "is_met": self.is_met,
                "sentence": self.sentence(),
                "proof": self.proof(),
                "notes": self.notes(),
                "bona_fide": self.bona_fide.as_json(),
                "attacks": [line.as_json() for line in self.attacks],
                "not_asked": [line.as_json() for line in self.not_asked],
                "injections": [line.as_json() for line in self.injections],
            }
        )
        return document


@dataclass(frozen=True)
class Judged:
    """Presentations with the threshold that they are judged at, and where it comes from."""

    decided: Presentations
    threshold: float
    rule: str
    chosen_on: tuple[str, ...]
    reported_on: tuple[str, ...]

    @property
    def is_optimistic(self) -> bool:
        """Whether it was set by hand, or chosen on what is reported."""
        return not self.chosen_on or bool(set(self.chosen_on) & set(self.reported_on))

    def sheet(self, plan: Plan) -> Sheet:
        """A plan beside what is reported."""
        return sheet(plan, self.decided, self.reported_on, self.threshold)

    def as_json(self) -> Json:
        """All but the presentations."""
        names = ("threshold", "rule", "chosen_on", "reported_on", "is_optimistic")
        document: Json = json_safe({name: getattr(self, name) for name in names})
        return document | {"level": self.decided.level}


def at_card(point: Card, decided: Presentations, reported_on: Sequence[str] = ()) -> Judged:
    """Presentations at a card's threshold, by default those of its subsets.

    Raises BadInputError for a subset that there is not.
    """
    reported = tuple(reported_on) or point.reported_on
    _require_subsets(_subsets(decided), reported)
    return Judged(decided, point.threshold, str(point.rule), point.chosen_on, reported)


def plans_folder(cache: Path) -> Path:
    """Where a cache folder has plans of one's own, which the app offers beside those of the package."""
    return cache / "plans"


def usual_level(offered: Sequence[str]) -> str:
    """What a presentation is, of the levels that there are: a video by the mean of its frames, else an image."""
    return VIDEO_MEAN if VIDEO_MEAN in offered else FRAME


def _subsets(decided: Presentations) -> list[str]:
    return in_protocol_order(decided.rows["subset"].astype(str).unique())


def _require_subsets(known: Sequence[str], named: Sequence[str]) -> None:
    for name in named:
        if name not in known:
            raise BadInputError(f"There is no subset '{name}' here. Subsets: {', '.join(known)}.")


def judged(
    decided: Presentations, rule: Rule, chosen_on: Sequence[str] = (), reported_on: Sequence[str] = ()
) -> Judged:
    """By a rule that looks at some subsets, by default dev.

    Reported, unless subsets are named, on those that neither the rule nor training has seen. Raises BadInputError for a
    subset that there is not, and where the rule gives no threshold.
    """
    subsets = _subsets(decided)
    _require_subsets(subsets, [*chosen_on, *reported_on])
    is_by_hand = rule.kind == BY_HAND
    dev = [] if is_by_hand else list(chosen_on) or dev_subsets(subsets)
    if not (dev or is_by_hand):
        raise BadInputError(
            f"Rule {rule} needs a subset to choose a threshold on: name one with --choose-on ({', '.join(subsets)}), "
            "or give --threshold T."
        )
    try:
        threshold = decided.threshold_by(rule, dev)
    except UndefinedMetricError as error:
        where = ", ".join(dev)
        raise BadInputError(f"Rule {rule} cannot be applied to {where}: {error}. Give --threshold T.") from error
    reported = list(reported_on) or fresh_subsets(subsets, dev) or subsets
    return Judged(decided, threshold, str(rule), tuple(dev), tuple(reported))


def sheet(plan: Plan, decided: Presentations, subsets: Sequence[str], threshold: float) -> Sheet:
    """The presentations of some subsets, judged at a threshold, beside what a plan asks for."""
    count = _Counter(decided, subsets, threshold, plan.confidence)
    attacks, not_asked, injections = [], [], []
    for species in count.species():
        kind = plan.class_of(species)
        if is_injected(species):
            injections.append(count.line(INJECTION, species, None))
        elif kind is None:
            not_asked.append(count.line(NOT_ASKED, species, None))
        else:
            attacks.append(count.line(kind.name, species, kind.asked))
    in_order: list[Line] = []
    for wanted in plan.attacks:
        of_class = [line for line in attacks if line.kind == wanted.name]
        in_order += of_class
        if (n := wanted.species - len(of_class)) > 0:
            in_order.append(Line(wanted.name, "", 0, 0, None, 0, None, wanted.asked, plan.confidence, n))
    return Sheet(
        plan=plan,
        threshold=threshold,
        level=decided.level,
        subsets=tuple(subsets),
        bona_fide=count.line(BONA_FIDE, "", plan.bona_fide),
        attacks=tuple(in_order),
        not_asked=tuple(not_asked),
        injections=tuple(injections),
    )


@dataclass(frozen=True)
class _Counter:
    """The presentations of some subsets, kind by kind."""

    decided: Presentations
    subsets: Sequence[str]
    threshold: float
    confidence: float

    @cached_property
    def _here(self) -> NDArray[np.bool_]:
        return self.decided.of.of_subsets(self.subsets)

    def species(self) -> list[str]:
        """Of the attacks in these subsets, in order of name."""
        codes, names = self.decided.of.kinds
        return sorted(names[code - 1] for code in np.unique(codes[self._here]) if code)

    def line(self, kind: str, species: str, asked: Asked | None) -> Line:
        """What was presented of live faces (`species` "") or of a species, and what is asked of it; None: nothing."""
        codes, names = self.decided.of.kinds
        code = 1 + names.index(species) if species else 0
        chosen = self._here & (codes == code)
        values = self.decided.values[chosen]
        answered = ~np.isnan(values)
        called = metrics.is_attack(values[answered], self.threshold)
        wrong = ~called if species else called
        units = self.decided.of.units(chosen).of(answered)
        return Line(
            kind=kind,
            species=species,
            n=int(answered.sum()),
            n_non_response=int((~answered).sum()),
            n_subjects=len(np.unique(units.groups)) if units.name == "subject" else None,
            errors=int(wrong.sum()),
            interval=uncertainty.rate_interval(wrong, units, level=self.confidence),
            asked=asked,
            confidence=self.confidence,
        )


def rounded_up(share: float | None) -> str:
    """A bound in percent, never rounded below itself; – where there is none."""
    return "–" if share is None else f"{math.ceil(1000 * share - 1e-9) / 10:.1f} %"


def _counted(line: Line) -> str:
    """replay (3 of 150 pass)"""
    return f"{line.name} ({line.errors:,} of {line.n:,} {'pass' if line.species else 'are rejected'})"
