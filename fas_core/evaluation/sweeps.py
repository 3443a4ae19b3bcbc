"""A sweep in words and numbers: its settings ranked by how well they reconstruct live dev images.

Nothing here knows a label: all is read from the logs of trainings, whose dev images are live images of `train` that
were not learned from. The loss that a training minimises does not compare where its own weights differ (0.1 times a KL
divergence is smaller than once), so the rank goes by the error of the reconstructed pixels, which means the same for
every setting: the root of the mean squared error, of the pixel range 0 to 1, in the epoch that each training kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from fas_core.documents import Json
from fas_core.runs import traininglog
from fas_core.runs.sweeps import Member, Sweep

MEASURE = "pixel_l2"
LIMITS = (
    "Ranked by live dev images alone, no attack is looked at: root mean squared error of their reconstructed pixels, "
    "of the range 0 to 1, in the epoch that each training kept. What reconstructs live faces best need not find "
    "attacks best: a model with more room, or a lighter KL term, also copies attacks."
)


@dataclass(frozen=True, eq=False)
class Setting:
    """One place of the grid with the trainings of its seeds; numbers are of those that have finished."""

    settings: Json
    members: tuple[Member, ...]
    logs: tuple[pd.DataFrame, ...]  # of `members`
    chosen_by: str
    varied: frozenset[str]  # which of the settings tell it from the others

    @property
    def words(self) -> str:
        told = [f"{name}={_text(value)}" for name, value in self.settings.items() if name in self.varied]
        return ", ".join(told) or "the only setting"

    @cached_property
    def errors(self) -> dict[int, float]:
        """Seed -> the measure in the kept epoch, of the finished trainings that have it."""
        return self._at_kept_epoch(MEASURE)

    @property
    def error(self) -> float | None:
        return float(np.mean([*self.errors.values()])) if self.errors else None

    @property
    def deviation(self) -> float | None:
        """Between seeds (n - 1); None of fewer than two."""
        return float(np.std([*self.errors.values()], ddof=1)) if len(self.errors) > 1 else None

    @property
    def ssim(self) -> float | None:
        values = [*self._at_kept_epoch("ssim").values()]
        return float(np.mean(values)) if values else None

    @property
    def is_finished(self) -> bool:
        return len(self.errors) == len(self.members)

    @property
    def curve(self) -> NDArray[np.float64]:
        """(n, 2) epochs from 1 on, and the measure on dev images, mean over the seeds that have come so far."""
        rows = pd.concat([_dev(log) for log in self.logs])
        if MEASURE not in rows or rows[MEASURE].isna().all():
            return np.empty((0, 2))
        means = rows.groupby("epoch")[MEASURE].mean().dropna()
        return np.column_stack([means.index.to_numpy(float) + 1, means.to_numpy(float)])

    def _at_kept_epoch(self, term: str) -> dict[int, float]:
        values = {}
        for member, log in zip(self.members, self.logs, strict=True):
            dev = _dev(log)
            if member.is_finished and term in dev:
                of_epoch = dev.set_index("epoch")[term].dropna()
                kept = traininglog.kept_epoch(dev, self.chosen_by)
                if kept in of_epoch:
                    values[member.seed] = float(of_epoch[kept])
        return values

    def as_json(self) -> Json:
        return {
            "settings": self.settings,
            MEASURE: self.error,
            "deviation": self.deviation,
            "ssim": self.ssim,
            "seeds": {str(seed): error for seed, error in self.errors.items()},
            "checkpoints": [str(member.checkpoint) for member in self.members],
            "finished": self.is_finished,
        }


def _dev(log: pd.DataFrame) -> pd.DataFrame:
    return log[log["split"] == "dev"].drop_duplicates("epoch", keep="last")


def _text(value: object) -> str:
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def ranked(sweep: Sweep) -> list[Setting]:
    """Finished settings first, the smallest error first; then those that are not, in the order of the grid."""
    grid: dict[str, list[Member]] = {}
    for member in sweep.members:
        grid.setdefault(repr(member.settings), []).append(member)
    values: dict[str, set[str]] = {}
    for member in sweep.members:
        for name, value in member.settings.items():
            values.setdefault(name, set()).add(repr(value))
    varied = frozenset(name for name, taken in values.items() if len(taken) > 1)
    settings = [
        Setting(
            members[0].settings,
            tuple(members),
            tuple(traininglog.read_log(member.checkpoint) for member in members),
            sweep.chosen_by,
            varied,
        )
        for members in grid.values()
    ]
    return sorted(settings, key=lambda each: each.error if each.is_finished and each.error is not None else math.inf)


def answer(settings: Sequence[Setting]) -> str:
    """Which setting is first, by how much, and whether seeds alone would make that difference."""
    finished = [setting for setting in settings if setting.is_finished]
    left = len(settings) - len(finished)
    rest = f" {left} of {len(settings)} settings {'is' if left == 1 else 'are'} not finished." if left else ""
    if not finished:
        return f"No setting has finished with all its seeds yet.{rest}"
    first = finished[0]
    n = len(first.members)
    spread = f" ± {first.deviation:.4f} over {n} seeds" if first.deviation is not None else ""
    words = f"{first.words} reconstructs live dev images best: {first.error:.4f} of the pixel range{spread}"
    if len(finished) == 1:
        return f"{words}.{rest}"
    second = finished[1]
    words = f"{words}; {second.words} comes next with {second.error:.4f}. {_how_sure(first, second)}"
    return f"{words}{rest}"


def _how_sure(first: Setting, second: Setting) -> str:
    """By seed, whose dev images both share: Student's 95 % interval of the mean difference."""
    differences = np.array([second.errors[seed] - error for seed, error in first.errors.items()])
    n = len(differences)
    if n < 2:
        return "With one seed it is not known whether another seed would turn them round."
    half = float(stdtrit(n - 1, 0.975) * differences.std(ddof=1) / math.sqrt(n))
    low, high = differences.mean() - half, differences.mean() + half
    between = f"{low:+.4f} to {high:+.4f}".replace("-", "−")
    if low > 0:
        return f"The difference is more than seeds make ({between}, 95 %)."
    return f"Seeds alone may make that difference ({between}, 95 %): the two cannot be told apart."
