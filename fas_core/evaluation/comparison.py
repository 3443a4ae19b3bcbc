"""The paired comparison of two Runs as one JSON document."""

from __future__ import annotations

from typing import Any

from fas_core import metrics
from fas_core.evaluation.differences import differences, flips, matched_rule, resampled, thresholds
from fas_core.evaluation.join import System, joined, outside_training
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.words import in_words
from fas_core.metrics import UndefinedMetricError
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.metrics.uncertainty import RESAMPLES, codes_of


def document(
    a: System, b: System, rule: Rule = DEFAULT, level: str = FRAME, *, resamples: int = RESAMPLES, letter: str = "B"
) -> dict[str, Any]:
    """The paired comparison as JSON: every metric on the common samples outside `train`; None where undefined.

    `letter`: what its sentences call the Run that is not A.
    Raises BadInputError as `joined` and `matched_rule` do.
    """
    matched_rule(rule)
    both = outside_training(joined([a, b], level))
    has_both_classes = bool(both.is_attack.any() and (~both.is_attack).any())
    drawn = resampled(both, rule, resamples=resamples) if has_both_classes else None
    found = differences(both, rule, drawn) if len(both) else {}
    units, independent = both.units
    content: dict[str, Any] = {
        "a": a.run.id,
        "b": b.run.id,
        "score": a.score,
        "score_b": b.score,
        "level": level,
        "n_common": len(both),
        "n_only_a": both.n_only[0],
        "n_only_b": both.n_only[1],
        "n_no_response": both.n_no_response,
        "unit": units.name,
        "n_units": codes_of(units.groups)[1],
        "samples_are_independent": independent,
        "resamples": resamples,
        "metrics": {name: one.as_json() for name, one in found.items()},
        "flips": None,
    }
    at = None
    try:
        at = flips(both, thresholds(both, rule))
    except UndefinedMetricError as error:
        content["flips_undefined_because"] = str(error)
    else:
        kinds = both.kinds
        content["flips"] = {
            "at": str(rule),
            "threshold_a": at.threshold_a,
            "threshold_b": at.threshold_b,
            **at.counts(),
            "both_wrong": int(at.both_wrong.sum()),
            "per_kind": {kind: at.counts(kinds == kind) for kind in sorted(set(kinds.tolist()))},
        }
    content["in_words"] = in_words(both, rule, found, at, letter)
    safe: dict[str, Any] = metrics.json_safe(content)
    return safe
