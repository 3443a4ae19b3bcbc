"""Numbers of large Runs that take seconds, kept beside them: rates and AUCs with their intervals.

What is kept is found by the scores and labels themselves, or by what they follow from, so that it is never of others.
Of a small Run nothing is kept: computing it takes no longer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fas_core import memo, scores
from fas_core.evaluation import run_metrics
from fas_core.evaluation.presentations import Presentations
from fas_core.evaluation.ranking import Ranking
from fas_core.evaluation.run_metrics import ReportedRates
from fas_core.metrics import ScoreSet
from fas_core.metrics.uncertainty import UnitInterval
from fas_core.runs.store import Run

LARGE = 200_000  # samples
_FORMAT = 1
T = TypeVar("T")


@dataclass(frozen=True)
class _Interval:
    """Of an AUC; None where it has none."""

    interval: UnitInterval | None


@dataclass(frozen=True, eq=False)
class Kept:
    """`summary.Readers` of a Run's presentations."""

    run: Run
    decided: Presentations

    def score_set(self, subsets: Sequence[str]) -> ScoreSet:
        """Of some subsets."""
        return self.decided.score_set(subsets)

    def rates(self, subsets: Sequence[str], threshold: float) -> ReportedRates:
        """As `run_metrics.rates_at`."""
        asked = {"subsets": list(subsets), "threshold": repr(threshold)}
        compute = lambda: run_metrics.rates_at(self.decided, subsets, threshold)  # noqa: E731
        return document(self.run, self.decided, "rates", asked, ReportedRates, compute)

    def auc_interval(self, subsets: Sequence[str], species: str = "") -> UnitInterval | None:
        """As `run_metrics.auc_interval`."""
        asked = self._of_interval(subsets, species)
        compute = lambda: _Interval(run_metrics.auc_interval(self.decided, subsets, species))  # noqa: E731
        return document(self.run, self.decided, "auc_interval", asked, _Interval, compute).interval

    def knows_auc_interval(self, subsets: Sequence[str], species: str = "") -> bool:
        """Whether `auc_interval` takes no time to speak of."""
        return memo.is_kept(
            self.run.cache, "auc_interval", key(self.run, self.decided, self._of_interval(subsets, species))
        )

    def _of_interval(self, subsets: Sequence[str], species: str) -> dict[str, object]:
        return {"subsets": list(subsets), "species": species}


def document(
    run: Run, decided: Presentations, kind: str, asked: Mapping[str, object], of: type[T], compute: Callable[[], T]
) -> T:
    """`memo.document` of what follows from a Run's presentations and what is asked of them."""
    if len(run) < LARGE:
        return compute()
    return memo.document(run.cache, kind, key(run, decided, asked), of, compute)


def arrays(
    run: Run,
    decided: Presentations,
    kind: str,
    asked: Mapping[str, object],
    compute: Callable[[], Mapping[str, NDArray[Any]]],
) -> Mapping[str, NDArray[Any]]:
    """As `document`, of arrays by name."""
    return compute() if len(run) < LARGE else memo.arrays(run.cache, kind, key(run, decided, asked), compute)


def key(run: Run, decided: Presentations, asked: Mapping[str, object]) -> dict[str, object]:
    """Stands for a Run's presentations and what is asked of them."""
    about = {"run": run.shards_digest, "level": decided.level, "scores": decided.digest, "format": _FORMAT}
    return about | dict(asked)


@dataclass(frozen=True)
class _Answer:
    """None where the subsets hold one class only."""

    ranked: Ranking | None


@dataclass(frozen=True, eq=False)
class OfScore:
    """What is kept of a score in some subsets of a Run, whatever the level; `values`: gives its values (n,), which are
    not asked for where something stands for them (`scores.stands_for`)."""

    run: Run
    score: str
    values: Callable[[], NDArray[np.float64]]
    subsets: Sequence[str]

    def ranking(self, compute: Callable[[], Ranking | None]) -> Ranking | None:
        """As `ranking.ranking`, by which it is computed."""
        if len(self.run) < LARGE:
            return compute()
        return memo.document(self.run.cache, "ranking", self.key(), _Answer, lambda: _Answer(compute())).ranked

    def arrays(self, kind: str, compute: Callable[[], Mapping[str, object]]) -> Mapping[str, Any]:
        """Arrays of a kind that follow from the values alone."""
        if len(self.run) < LARGE:
            return {name: np.asarray(value) for name, value in compute().items()}
        return memo.arrays(self.run.cache, kind, self.key(), compute)

    def key(self) -> dict[str, object]:
        """Stands for the values in the subsets."""
        values = scores.stands_for(self.run, self.score)
        if values is None:
            values = {"sha256": hashlib.sha256(np.ascontiguousarray(self.values()).data).hexdigest()}
        return {"run": self.run.shards_digest, "values": values, "subsets": list(self.subsets), "format": _FORMAT}
