"""All metrics of a set of scores as one JSON document."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from fas_core.errors import BadInputError
from fas_core.metrics.areas import average_precisions, equal_error_rate, roc_auc
from fas_core.metrics.rates import (
    PRIORS,
    TARGETS,
    RatesAtTarget,
    apcer_at_bpcer,
    as_priors,
    bpcer_at_apcer,
    rates_at,
)
from fas_core.metrics.scoreset import ScoreSet, UndefinedMetricError, ratio

# ---------------------------------------------------------------------------------------------------------------------
# The document


def document(
    scores: ScoreSet,
    *,
    thresholds: Iterable[float] = (),
    max_bpcer: Iterable[float] = TARGETS,
    max_apcer: Iterable[float] = TARGETS,
    priors: Iterable[float] = PRIORS,
) -> dict[str, Any]:
    """All metrics of one set, ready for JSON: infinite numbers as "inf" and "-inf", None where undefined, never NaN.

    `at_threshold` has one entry per given threshold, `apcer_at_bpcer` one per `max_bpcer`, `bpcer_at_apcer` one per
    `max_apcer`. Counts are of samples with a score; the non-responses stand beside them, with their shares bpnrr and
    apnrr of all samples of their kind. Where there are injection attacks, `injections` is the same document of them
    alone. A set without any score raises.
    """
    n_bona_fide, n_attack, missing = scores.n_bona_fide, scores.n_attack, scores.n_non_response
    if n_bona_fide + n_attack == 0:
        n_missing = sum(missing.values())
        raise BadInputError(f"there is no score to evaluate: {n_missing} samples, all of them without a score (NaN)")
    shares = as_priors(priors)
    thresholds, max_bpcer, max_apcer = list(thresholds), list(max_bpcer), list(max_apcer)
    apart = {}
    if scores.injected is not None:
        options: dict[str, Any] = {"thresholds": thresholds, "max_bpcer": max_bpcer, "max_apcer": max_apcer}
        if scores.injected.n_bona_fide + scores.injected.n_attack:
            apart = {"injections": document(scores.injected, **options, priors=shares)}
    averages: list[float] | list[None] = [None] * (1 + len(shares))
    if n_bona_fide and n_attack:
        averages = average_precisions(scores, [None, *shares])
    return json_safe(
        {
            "n_bona_fide": n_bona_fide,
            "n_attack": n_attack,
            "n_per_species": {name: ordered.size for name, ordered in scores.attacks.items()},
            "n_non_response": dict(missing),
            "bpnrr": ratio(missing["bona_fide"], missing["bona_fide"] + n_bona_fide),
            "apnrr": ratio(missing["attack"], missing["attack"] + n_attack),
            "roc_auc": _or_none(roc_auc, scores),
            "roc_auc_per_species": {name: _or_none(roc_auc, scores, name) for name in scores.attacks},
            "average_precision": averages[0],
            "prior_adjusted_average_precision": dict(zip(map(str, shares), averages[1:], strict=True)),
            "eer": _or_none(equal_error_rate, scores),
            "at_threshold": [rates_at(scores, threshold, shares).as_json() for threshold in thresholds],
            "bpcer_at_apcer": [
                _or_none(bpcer_at_apcer, scores, target) or _undefined_at(scores, target) for target in max_apcer
            ],
            "apcer_at_bpcer": [
                _or_none(apcer_at_bpcer, scores, target) or _undefined_at(scores, target) for target in max_bpcer
            ],
            **apart,
        }
    )


def _or_none(metric: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return metric(*arguments)
    except UndefinedMetricError:
        return None


def _undefined_at(scores: ScoreSet, target: float) -> RatesAtTarget:
    return RatesAtTarget(target, None, None, None, None, dict.fromkeys(scores.attacks))


def json_safe(value: Any) -> Any:
    """The same value from what JSON knows: "inf" and "-inf", None for NaN, lists for arrays, dicts for dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): json_safe(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [json_safe(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
