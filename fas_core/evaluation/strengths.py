"""How strong a simulated attack has to be before it is noticed: APCER against the strength, species by species.

    by_strength(run, scores.values(run, "rec"), DEFAULT, ["dev"], ["test"])

All strengths are judged at one threshold, which the rule chooses on the choosing samples, as anywhere: what is asked is
where the attacks of one instrument come to be told from live faces. It is no evidence about real attacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import ATTACK
from fas_core.data.simulation import COLUMNS as OF_SIMULATION
from fas_core.data.simulation import STRENGTH, are_simulated, caveat
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.levels import FRAME
from fas_core.evaluation.presentations import Presentations, presentations
from fas_core.evaluation.words import rate_text
from fas_core.metrics import UndefinedMetricError, uncertainty
from fas_core.metrics.cost import Costs
from fas_core.metrics.operating_point import BY_HAND, Rule
from fas_core.metrics.uncertainty import RateInterval
from fas_core.runs.store import Run
from fas_core.texts import read_numbers

NOTICED = 0.5  # an APCER up to here: at least half of the attacks are found


@dataclass(frozen=True)
class AtStrength:
    """Of the attacks of one species and strength that have a score: `missed` of `n`."""

    strength: float
    missed: int
    n: int
    n_non_response: int
    interval: RateInterval | None

    @property
    def apcer(self) -> float | None:
        return self.missed / self.n if self.n else None

    def as_json(self) -> Json:
        return asdict(self) | {"apcer": self.apcer}


@dataclass(frozen=True)
class Curve:
    """One species at strengths that ascend."""

    species: str
    points: tuple[AtStrength, ...]

    @property
    def noticed_from(self) -> float | None:
        """The lowest strength from which on, up to the highest, at least half of the attacks are found."""
        lowest = None
        for point in reversed(self.points):
            if point.apcer is None or point.apcer > NOTICED:
                break
            lowest = point.strength
        return lowest

    @property
    def missed_words(self) -> str:
        """Where most of its attacks are missed: "at every strength", "below strength 0.5", or "at none"."""
        start = self.noticed_from
        if start is None:
            return "at every strength"
        return "at none" if start == self.points[0].strength else f"below strength {start:g}"


@dataclass(frozen=True)
class Strengths:
    """The curves of all species that have a strength, by name, at one threshold."""

    level: str
    rule: Rule
    chosen_on: tuple[str, ...]
    reported_on: tuple[str, ...]
    optimistic: bool
    threshold: float
    curves: tuple[Curve, ...]
    unit: str  # what intervals take for independent

    @property
    def caveat(self) -> str:
        """What it is worth, and how it was decided."""
        chosen = "set by hand" if self.rule.kind == BY_HAND else f"{self.rule.words} on {', '.join(self.chosen_on)}"
        simulated = caveat(curve.species for curve in self.curves)
        return (
            f"{simulated} Mostly missed: with an APCER above {100 * NOTICED:.0f} %. One threshold for all strengths, "
            f"{chosen}; intervals 95 % by {self.unit}. Strengths of two species do not compare: each scales what its "
            "own simulation shows."
        )

    def sentence(self, said: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> str:
        """ "Mostly missed at every strength: mask, replay; below strength 0.5: paper; at none: cutout." `said`,
        `strong`: of names."""
        hardest = sorted(self.curves, key=lambda curve: -(np.inf if curve.noticed_from is None else curve.noticed_from))
        groups: dict[str, list[str]] = {}
        for curve in hardest:
            groups.setdefault(curve.missed_words, []).append(strong(said(curve.species.replace("_", " "))))
        if "at none" in groups:
            groups["at none"] = groups.pop("at none")
        listed = [f"{where}: {', '.join(names)}" for where, names in groups.items()]
        return f"Mostly missed {'; '.join(listed)}."

    @property
    def strengths(self) -> list[float]:
        """All that any species has, ascending."""
        return sorted({point.strength for curve in self.curves for point in curve.points})

    def table(self) -> pd.DataFrame:
        """A row per species, a column per strength: APCER with its interval, and from where on half are found."""
        rows = []
        for curve in self.curves:
            by_strength = {point.strength: point for point in curve.points}
            row = {"Species": curve.species}
            for strength in self.strengths:
                point = by_strength.get(strength)
                row[f"{strength:g}"] = "" if point is None else rate_text(point.apcer, point.interval)
            rows.append(row | {"Half found from": "never" if curve.noticed_from is None else f"{curve.noticed_from:g}"})
        return pd.DataFrame(rows)

    def as_json(self) -> Json:
        """The document of `fas strengths --json`, without the Run and the score."""
        curves = {
            curve.species: {
                "noticed_from": curve.noticed_from,
                "at_strength": [point.as_json() for point in curve.points],
            }
            for curve in self.curves
        }
        document = vars(self) | {"rule": str(self.rule), "curves": curves, "in_words": [self.sentence(), self.caveat]}
        return metrics.json_safe(document)


def has_strengths(run: Run) -> bool:
    """Whether any of its samples may state a strength."""
    return STRENGTH in run.column_names()


def by_strength(
    run: Run,
    values: NDArray[np.float64],
    rule: Rule,
    chosen_on: Sequence[str],
    reported_on: Sequence[str],
    level: str = FRAME,
    *,
    costs: Costs | None = None,
) -> Strengths:
    """APCER of every species and strength of the simulated attacks that are reported.

    `values`: (n,) a score per sample. Raises BadInputError where no reported attack states a strength, and where the
    rule gives no threshold.
    """
    decided = presentations(run, values, level, columns=[name for name in OF_SIMULATION if name in run.column_names()])
    try:
        threshold = decided.threshold_by(rule, chosen_on, costs)
    except UndefinedMetricError as error:
        raise BadInputError(
            f"{rule.words} cannot be applied to {', '.join(chosen_on) or 'no subset'}: {error}."
        ) from error
    chosen = decided.within(reported_on)
    curves = _curves(decided, chosen, threshold)
    if not curves:
        raise BadInputError(
            f"No attack of {', '.join(reported_on)} states a strength. Simulated ones do: fas data attacks M --out "
            "FOLDER --strength 0.25,0.5,1"
        )
    return Strengths(
        level,
        rule,
        tuple(chosen_on),
        tuple(reported_on),
        rule.kind == BY_HAND or bool(set(chosen_on) & set(reported_on)),
        float(threshold),
        curves,
        decided.of.units(chosen).name,
    )


def _curves(decided: Presentations, chosen: NDArray[np.bool_], threshold: float) -> tuple[Curve, ...]:
    if STRENGTH not in decided.rows:
        return ()
    strengths = read_numbers(decided.rows[STRENGTH].astype("str").fillna(""))
    attacks = chosen & are_simulated(decided.rows) & (decided.rows["label"] == ATTACK).to_numpy(bool)
    attacks &= ~np.isnan(strengths)
    kinds, names = decided.of.kinds
    answered = ~np.isnan(decided.values)
    curves = []
    for code, name in enumerate(names, start=1):
        of_species = attacks & (kinds == code)
        points = []
        for strength in np.unique(strengths[of_species]).tolist():
            here = of_species & (strengths == strength)
            scored = here & answered
            missed = ~metrics.is_attack(decided.values[scored], threshold)
            interval = uncertainty.rate_interval(missed, decided.of.units(scored))
            n_lost = int((here & ~answered).sum())
            points.append(AtStrength(strength, int(missed.sum()), int(scored.sum()), n_lost, interval))
        if points:
            curves.append(Curve(name, tuple(points)))
    return tuple(sorted(curves, key=lambda curve: curve.species))
