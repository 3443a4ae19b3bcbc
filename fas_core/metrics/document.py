"""All metrics of a set of scores, as one value and as a JSON document."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.metrics.areas import EqualErrorRate, average_precisions, equal_error_rate, roc_aucs
from fas_core.metrics.rates import (
    PRIORS,
    TARGETS,
    Rates,
    RatesAtTarget,
    apcer_at_bpcer,
    as_priors,
    bpcer_at_apcer,
    rates_at,
)
from fas_core.metrics.scoreset import ScoreSet, UndefinedMetricError, ratio

# ---------------------------------------------------------------------------------------------------------------------
# The summary


@dataclass(frozen=True)
class Summary:
    """All metrics of one set of scores; None where undefined.

    Counts are of samples with a score; the non-responses stand beside them, with their shares bpnrr and apnrr of all
    samples of their kind.
    """

    n_bona_fide: int
    n_attack: int
    n_per_species: Mapping[str, int]
    n_non_response: Mapping[str, int]  # by label
    bpnrr: float | None
    apnrr: float | None
    roc_auc: float | None
    roc_auc_per_species: Mapping[str, float | None]
    average_precision: float | None
    prior_adjusted_average_precision: Mapping[str, float | None]  # by the prior, as text
    eer: EqualErrorRate | None
    at_threshold: tuple[Rates, ...]  # per threshold that was given
    bpcer_at_apcer: tuple[RatesAtTarget, ...]  # per `max_apcer`
    apcer_at_bpcer: tuple[RatesAtTarget, ...]  # per `max_bpcer`
    injections: Summary | None  # of the injection attacks alone; None where there are none

    def as_json(self) -> Json:
        """Infinite numbers as "inf" and "-inf", never NaN; `injections` only where there are some."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.injections is None:
            del document["injections"]
        return json_safe(document)


def summary(
    scores: ScoreSet,
    *,
    thresholds: Iterable[float] = (),
    max_bpcer: Iterable[float] = TARGETS,
    max_apcer: Iterable[float] = TARGETS,
    priors: Iterable[float] = PRIORS,
) -> Summary:
    """All metrics of one set. A set without any score raises."""
    n_bona_fide, n_attack, missing = scores.n_bona_fide, scores.n_attack, scores.n_non_response
    if n_bona_fide + n_attack == 0:
        n_missing = sum(missing.values())
        raise BadInputError(f"there is no score to evaluate: {n_missing} samples, all of them without a score (NaN)")
    shares = as_priors(priors)
    thresholds, max_bpcer, max_apcer = list(thresholds), list(max_bpcer), list(max_apcer)
    injections = None
    if scores.injected is not None and scores.injected.n_bona_fide + scores.injected.n_attack:
        injections = summary(
            scores.injected, thresholds=thresholds, max_bpcer=max_bpcer, max_apcer=max_apcer, priors=shares
        )
    auc, auc_per_species = roc_aucs(scores)
    averages: list[float] | list[None] = [None] * (1 + len(shares))
    if n_bona_fide and n_attack:
        averages = average_precisions(scores, [None, *shares])
    return Summary(
        n_bona_fide=n_bona_fide,
        n_attack=n_attack,
        n_per_species={name: ordered.size for name, ordered in scores.attacks.items()},
        n_non_response=dict(missing),
        bpnrr=ratio(missing["bona_fide"], missing["bona_fide"] + n_bona_fide),
        apnrr=ratio(missing["attack"], missing["attack"] + n_attack),
        roc_auc=auc,
        roc_auc_per_species=auc_per_species,
        average_precision=averages[0],
        prior_adjusted_average_precision=dict(zip(map(str, shares), averages[1:], strict=True)),
        eer=_or_none(equal_error_rate, scores),
        at_threshold=tuple(rates_at(scores, threshold, shares) for threshold in thresholds),
        bpcer_at_apcer=tuple(
            _or_none(bpcer_at_apcer, scores, target) or _undefined_at(scores, target) for target in max_apcer
        ),
        apcer_at_bpcer=tuple(
            _or_none(apcer_at_bpcer, scores, target) or _undefined_at(scores, target) for target in max_bpcer
        ),
        injections=injections,
    )


def _or_none(metric: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return metric(*arguments)
    except UndefinedMetricError:
        return None


def _undefined_at(scores: ScoreSet, target: float) -> RatesAtTarget:
    return RatesAtTarget(target, None, None, None, None, dict.fromkeys(scores.attacks))


def json_safe(value: Any) -> Any:
    """The same value from what JSON knows: "inf" and "-inf", None for NaN, lists for arrays, objects for
    dataclasses and what has `as_json`."""
    if hasattr(value, "as_json"):
        value = value.as_json()
    elif is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): json_safe(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [json_safe(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
