"""Six million scores: sorting them and every curve the app draws, against scikit-learn's two curves."""

from __future__ import annotations

import numpy as np

from fas_core import metrics
from fas_core.bench import medians

TARGETS = {"curves": ("at_most", 0.5)}
QUICK = {"n": 1_000_000}
QUICK_TARGETS = {"curves": ("at_most", 0.7)}


def figures(n: int = 6_000_000, rounds: int = 2) -> dict[str, float]:
    """Seconds of both, and their ratio. A quarter of the scores are attacks of four species."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    rng = np.random.default_rng(0)
    is_attack = rng.random(n) < 0.25
    values = rng.normal(is_attack.astype(float), 1)
    codes = np.where(is_attack, rng.integers(1, 5, n), 0)

    def ours() -> None:
        metrics.curves(metrics.score_set_from_codes(values, codes, ["paper", "replay", "mask", "makeup"]))

    def theirs() -> None:
        roc_curve(is_attack, values)
        precision_recall_curve(is_attack, values)

    seconds = medians({"ours": ours, "scikit_learn": theirs}, rounds)
    in_seconds = {f"{name}_seconds": value for name, value in seconds.items()}
    return in_seconds | {"curves": seconds["ours"] / seconds["scikit_learn"]}
