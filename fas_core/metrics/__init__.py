"""Error rates of presentation attack detection as ISO/IEC 30107-3 defines them, and the curves through them.

    one = metrics.score_set(scores, attack, species)      # sorts once
    metrics.rates_at(one, threshold).apcer_max            # then a binary search per species

The conventions, stated once:

- A score is an anomaly score: higher = more attack-like. **A sample is called an attack iff score >= threshold**
  (equality is an attack; `decision.py`). +inf and -inf are legal extreme scores. Everything is computed in float64.
- NaN is a non-response: counted, part of no rate, never compared with a threshold. For the fail-closed policy
  (no score = no access) hand in +inf in its place.
- APCER of a species = share of its attacks with score < threshold; the headline `apcer_max` is the worst species.
  `apcer_pooled` takes all attacks together and is a different, smaller number. BPCER = share of bona fide samples
  with score >= threshold. The positive class of ROC, precision and recall is the attack.
- "At most x" allows floor(x N + 1e-9) errors and never interpolates.
- Rates are fractions in [0, 1]. What is undefined raises `UndefinedMetricError`; in rates and documents it is None.
"""

from fas_core.metrics.areas import EqualErrorRate, average_precision, equal_error_rate, roc_auc
from fas_core.metrics.curves import Curves, curves, probit, thinned
from fas_core.metrics.decision import is_attack
from fas_core.metrics.document import Summary, json_safe, summary
from fas_core.metrics.rates import (
    PRIORS,
    TARGETS,
    Rates,
    apcer_at_bpcer,
    bpcer_at_apcer,
    prior_adjusted_precision,
    rates_at,
    threshold_at_apcer,
    threshold_at_bpcer,
)
from fas_core.metrics.scoreset import (
    UNSPECIFIED,
    ScoreSet,
    UndefinedMetricError,
    of_species,
    score_set,
    score_set_from_codes,
    species_codes,
    species_names,
)

__all__ = [
    "PRIORS",
    "TARGETS",
    "UNSPECIFIED",
    "Curves",
    "EqualErrorRate",
    "Rates",
    "ScoreSet",
    "Summary",
    "UndefinedMetricError",
    "apcer_at_bpcer",
    "average_precision",
    "bpcer_at_apcer",
    "curves",
    "equal_error_rate",
    "is_attack",
    "json_safe",
    "of_species",
    "prior_adjusted_precision",
    "probit",
    "rates_at",
    "roc_auc",
    "score_set",
    "score_set_from_codes",
    "species_codes",
    "species_names",
    "summary",
    "thinned",
    "threshold_at_apcer",
    "threshold_at_bpcer",
]
