"""What sums up all thresholds: ROC AUC, average precision, equal error rate."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core.metrics.decision import n_below
from fas_core.metrics.rates import as_priors
from fas_core.metrics.scoreset import Floats, ScoreSet, UndefinedMetricError, ratio, require

# ---------------------------------------------------------------------------------------------------------------------
# Metrics over all thresholds


def roc_auc(scores: ScoreSet, species: str | None = None) -> float:
    """P(attack > bona fide) + P(equal)/2 over all pairs (Mann-Whitney), from exact integer counts.

    All attacks, or those of one species, against all bona fide samples. Equals the area under the linear ROC.
    """
    attacks = scores.pooled if species is None else scores.attacks[species]
    require(scores, "roc_auc", bona_fide=True, attack=True)
    if not attacks.size:
        raise UndefinedMetricError(f"roc_auc is undefined: no attack of species {species!r} with a score")
    return _n_half_pairs(scores.bona_fide, attacks) / (2 * attacks.size * scores.n_bona_fide)


def roc_aucs(scores: ScoreSet) -> tuple[float | None, dict[str, float | None]]:
    """`roc_auc` of all attacks and of those of each species, None where it is undefined; each pair is counted once."""
    n_of = {name: _n_half_pairs(scores.bona_fide, attacks) for name, attacks in scores.attacks.items()}
    per_species = {name: ratio(n, 2 * scores.attacks[name].size * scores.n_bona_fide) for name, n in n_of.items()}
    return ratio(sum(n_of.values()), 2 * scores.n_attack * scores.n_bona_fide), per_species


def _n_half_pairs(bona_fide: Floats, attacks: Floats) -> int:
    """Two for each pair in which the attack is higher, one for each in which both are equal. Both ascend."""
    below = np.searchsorted(bona_fide, attacks, side="left")
    is_tied = np.append(bona_fide, np.nan)[below] == attacks
    not_above = np.searchsorted(bona_fide, attacks[is_tied], side="right")
    n: int = (2 * below.sum(dtype=np.int64) + (not_above - below[is_tied]).sum(dtype=np.int64)).item()
    return n


def average_precision(scores: ScoreSet, prior: float | None = None) -> float:
    """sum (R_n - R_{n-1}) P_n over the distinct thresholds, ties grouped, no interpolation (as scikit-learn has it).

    `prior`: the precision is computed as if that share of all samples were attacks; None takes the share as it is.
    Recall moves only at attack scores, so this is the mean, over attacks, of the precision at the attack's own score.
    """
    require(scores, "average_precision", bona_fide=True, attack=True)
    return average_precisions(scores, [None if prior is None else as_priors([prior])[0]])[0]


def average_precisions(scores: ScoreSet, priors: Sequence[float | None]) -> list[float]:
    """`average_precision` for several priors: the counts are the same for all of them."""
    attacks, n_attack, n_bona_fide = scores.pooled, scores.n_attack, scores.n_bona_fide
    first_of_ties = np.maximum.accumulate(np.where(starts(attacks), np.arange(n_attack), 0))
    tp = n_attack - first_of_ties
    fp = n_bona_fide - np.searchsorted(scores.bona_fide, attacks, side="left")
    averages = []
    for prior in priors:
        # With the prior equal to the sampled share the weight is 1.
        weight = 1.0 if prior is None else (1 - prior) / prior * n_attack / n_bona_fide
        averages.append(float(np.mean(tp / (tp + weight * fp))))
    return averages


def starts(ordered: Floats) -> NDArray[np.bool_]:
    """(n,): whether the value differs from the one before it. The first one does."""
    starts = np.ones(ordered.size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    return starts


@dataclass(frozen=True)
class EqualErrorRate:
    """Of bona fide samples against all attacks pooled.

    `value`: where the linearly interpolated ROC crosses BPCER = APCER. `low`, `high`: what the steps around the
    crossing allow. `threshold`: the attainable threshold with the smallest |BPCER - APCER| (its rates need not lie
    within low and high); among equals the smaller sum, then the lower (more secure) threshold.
    """

    value: float
    low: float
    high: float
    threshold: float


def equal_error_rate(scores: ScoreSet) -> EqualErrorRate:
    """BPCER - APCER falls from 1 to -1 as the threshold rises over the distinct scores; its sign change is searched."""
    require(scores, "eer", bona_fide=True, attack=True)
    n_bona_fide, n_attack = scores.n_bona_fide, scores.n_attack

    def errors(threshold: float) -> tuple[int, int]:
        """BPCER and APCER in units of 1/(n_bona_fide n_attack): integers, so that ties are exact."""
        fp = n_bona_fide - n_below(scores.bona_fide, threshold)
        return fp * n_attack, n_below(scores.pooled, threshold) * n_bona_fide

    def is_past(threshold: float) -> bool:
        bpcer, apcer = errors(threshold)
        return bpcer < apcer

    before, after = _neighbours((scores.bona_fide, scores.pooled), is_past)
    pairs = n_bona_fide * n_attack
    bpcer_0, apcer_0 = errors(before)
    bpcer_1, apcer_1 = errors(after) if after is not None else (0, pairs)  # past every score nothing is an attack
    step = (bpcer_0 - apcer_0) / (bpcer_0 - apcer_0 + apcer_1 - bpcer_1)
    candidates = [(abs(bpcer_0 - apcer_0), bpcer_0 + apcer_0, before)]
    if after is not None:
        candidates.append((abs(bpcer_1 - apcer_1), bpcer_1 + apcer_1, after))
    return EqualErrorRate(
        value=(bpcer_0 + step * (bpcer_1 - bpcer_0)) / pairs,
        low=max(apcer_0, bpcer_1) / pairs,
        high=min(apcer_1, bpcer_0) / pairs,
        threshold=min(candidates)[2],
    )


def _neighbours(arrays: Iterable[Floats], is_past: Callable[[float], bool]) -> tuple[float, float | None]:
    """The last value for which `is_past` (False, then True, as values rise) fails, and the first for which it holds."""
    last: list[float] = []
    first: list[float] = []
    for ordered in arrays:
        index = bisect_left(ordered, True, key=is_past)
        last.extend(ordered[:index][-1:].tolist())
        first.extend(ordered[index:][:1].tolist())
    return max(last), min(first, default=None)
