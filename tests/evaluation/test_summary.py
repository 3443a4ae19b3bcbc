"""What one Run's sheet says first."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fas_core import metrics
from fas_core.evaluation import summary
from fas_core.evaluation.join import System
from fas_core.metrics.operating_point import DEFAULT
from fas_core.metrics.uncertainty import UnitInterval
from fas_core.runs import store

LIVE = np.linspace(0.4, 0.6, 21)


@pytest.mark.parametrize(
    ("masks", "low", "high", "expected"),
    [
        (LIVE + 0.15, 0.9, 1.0, "a, judged by rec, separates the attacks, mask (n = 21), from 21 "),
        (LIVE + 0.01, 0.4, 0.7, "(0.40–0.70), where guessing has 0.50."),
        (LIVE - 0.01, 0.3, 0.6, "does not separate the attacks, mask (n = 21), from 21 "),
        (LIVE - 0.3, 0.0, 0.1, "(0.00–0.10), worse than guessing (0.50): they score lower than live faces."),
    ],
)
def test_what_is_not_better_than_guessing_is_not_said_to_separate(
    tiny_cache: Path, masks: Any, low: float, high: float, expected: str
) -> None:
    about = summary.summary(System(store.open_run(tiny_cache, "a"), "rec"), DEFAULT, chosen_on=["live"])
    judged = metrics.score_set(np.r_[LIVE, masks], np.repeat([0, 1], 21), [""] * 21 + ["mask"] * 21)
    interval = UnitInterval(low, high, "subject", 21, "bootstrap", 100)

    class Known:
        def score_set(self, subsets: object) -> metrics.ScoreSet:
            return judged

        def auc_interval(self, subsets: object, species: str = "") -> UnitInterval:
            return interval

    answer, _ = summary.headline(replace(about, point=None, readers=Known()))
    assert expected in answer
    assert ("does not separate" in answer) == (metrics.roc_auc(judged) <= 0.5)
