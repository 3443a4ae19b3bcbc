"""Any number of Runs against a first one, on the samples that all of them share; and trainings that differ in nothing
but their seed, taken together.

    several([System(run, "rec") for run in runs]).pairs[0].metrics[ROC_AUC].difference

Two kinds of uncertainty, never mixed: an interval is by resampling people, of one Run's difference to the first; a
spread is between trainings of one experiment, on the same people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fas_core import metrics
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.comparison import PairedComparison, compared, document_name
from fas_core.evaluation.differences import ROC_AUC
from fas_core.evaluation.join import System
from fas_core.evaluation.presentations import FRAME
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import RESAMPLES
from fas_core.runs import naming

# What a spread is of, in words for captions.
SPREAD = (
    "± is the standard deviation of single trainings, which differ in first weights, order and held-out people: it "
    "says nothing about other people than these"
)


class Spread(NamedTuple):
    """A metric over n >= 2 trainings of one experiment: mean, standard deviation of single trainings (n - 1), ends."""

    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Seeds:
    """Runs of one experiment on the same data by the same score, one of each seed."""

    name: str
    runs: tuple[str, ...]  # ids
    seeds: tuple[int, ...]  # ascending, in the order of `runs`
    metrics: Mapping[Statistic, Spread]  # those that are defined in every one of them
    above: Mapping[Statistic, float]  # the mean less that of the first Run, or of its own seeds

    @property
    def words(self) -> str:
        return f"{self.name}, {len(self.seeds)} seeds ({', '.join(map(str, self.seeds))})"

    def as_json(self) -> Json:
        of_each = {
            document_name(statistic): {**spread._asdict(), "above_first": self.above.get(statistic)}
            for statistic, spread in self.metrics.items()
        }
        return {"experiment": self.name, "runs": self.runs, "seeds": self.seeds, "metrics": of_each}


@dataclass(frozen=True)
class Several:
    """The first Run and every other one against it."""

    systems: tuple[System, ...]
    names: tuple[str, ...]  # one per system, no two alike
    pairs: tuple[PairedComparison, ...]  # of every other one with the first
    seeds: tuple[Seeds, ...]

    def values(self, number: int) -> dict[Statistic, float | None]:
        """Every metric of one of the systems, from 0."""
        first = self.pairs[0].metrics
        if not number:
            return {statistic: metric.a for statistic, metric in first.items()}
        return {statistic: metric.b for statistic, metric in self.pairs[number - 1].metrics.items()}

    @property
    def sentences(self) -> list[str]:
        """Of the AUC, that of each experiment with several seeds."""
        return [
            f"{of.words}: AUC {spread.mean:.3f} ± {spread.deviation:.3f} ({spread.low:.3f} to {spread.high:.3f})."
            for of in self.seeds
            if (spread := of.metrics.get(ROC_AUC)) is not None
        ]

    def as_json(self) -> Json:
        """What `fas compare --json` prints of more than two Runs; each comparison is the document of two."""
        return metrics.json_safe(
            {
                "first": self.systems[0].run.id,
                "runs": [
                    {"run": run.id, "name": run.info.name, "called": name, "score": score}
                    for (run, score), name in zip(self.systems, self.names, strict=True)
                ],
                "comparisons": [pair.as_json() for pair in self.pairs],
                "seeds": [of.as_json() for of in self.seeds],
                "in_words": self.sentences,
            }
        )


def several(
    systems: Sequence[System],
    rule: Rule = DEFAULT,
    level: str = FRAME,
    *,
    chosen_on: Sequence[str] = (),
    resamples: int = RESAMPLES,
) -> Several:
    """Two or more Runs; arguments as those of `compared`.

    Raises BadInputError as that does, and where one of them is named twice.
    """
    keys = [(run.digest, score) for run, score in systems]
    for number, key in enumerate(keys):
        if number and key in keys[1:number]:
            run, score = systems[number]
            raise BadInputError(f"Run {run.info.name} ({run.id[:6]}) by {score} is named twice. Name it once.")
    first, *others = systems
    pairs = tuple(
        compared(first, b, rule, level, chosen_on=chosen_on, resamples=resamples, among=[*others[:i], *others[i + 1 :]])
        for i, b in enumerate(others)
    )
    together = Several(tuple(systems), _names(systems), pairs, ())
    return Several(together.systems, together.names, pairs, _seeds(together))


def _names(systems: Sequence[System]) -> tuple[str, ...]:
    """By name, and what differs where two Runs have one; with the score where it is not the same for all."""
    runs = {run.id: run for run, _ in systems}
    texts = {of: run.info.name for of, run in runs.items()}
    if len({*texts.values()}) < len(runs):
        texts = naming.told_apart([naming.facts_of(run) for run in runs.values()])
    has_scores = len({score for _, score in systems}) > 1
    return tuple(f"{texts[run.id]}, {score}" if has_scores else texts[run.id] for run, score in systems)


def _seeds(of: Several) -> tuple[Seeds, ...]:
    """Groups of two systems and more that differ in nothing but the seed of their training.

    Two checkpoints of one seed, as of two epochs, are no two trainings: nothing is made of such a group.
    """
    groups: dict[str, list[tuple[int, int]]] = {}  # what they share -> seed, number of the system
    for number, (run, score) in enumerate(of.systems):
        header = run.info.checkpoint_header
        experiment = header.get("experiment")
        if not isinstance(experiment, Mapping) or not isinstance(seed := experiment.get("seed"), int):
            continue
        settings = sorted((name, repr(value)) for name, value in experiment.items() if name != "seed")
        of_training = [header.get(part) for part in ("data_sha256", "precision", "teacher")]
        shared = settings, repr(of_training), run.info.manifest_sha256, score
        groups.setdefault(repr(shared), []).append((seed, number))
    listed = [sorted(members) for members in groups.values() if len({seed for seed, _ in members}) == len(members) > 1]
    of_first = next((members for members in listed if any(number == 0 for _, number in members)), [(0, 0)])
    base = {name: spread.mean for name, spread in _spreads(of, [number for _, number in of_first]).items()}
    groups_of_seeds = []
    for members in listed:
        numbers = [number for _, number in members]
        spreads = _spreads(of, numbers)
        run = of.systems[numbers[0]].run
        experiment = run.info.checkpoint_header["experiment"]
        above = {name: spread.mean - base[name] for name, spread in spreads.items() if name in base}
        groups_of_seeds.append(
            Seeds(
                str(experiment.get("name") or run.info.name),
                tuple(of.systems[number].run.id for number in numbers),
                tuple(seed for seed, _ in members),
                spreads,
                {} if 0 in numbers else above,
            )
        )
    return tuple(groups_of_seeds)


def _spreads(of: Several, numbers: Sequence[int]) -> dict[Statistic, Spread]:
    """Of metrics that all of some systems have; the deviation of a single one is nan."""
    of_each = [of.values(number) for number in numbers]
    spreads = {}
    for statistic in of_each[0]:
        values = [value for values in of_each if (value := values.get(statistic)) is not None]
        if len(values) == len(numbers):
            deviation = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
            spreads[statistic] = Spread(float(np.mean(values)), deviation, min(values), max(values))
    return spreads
