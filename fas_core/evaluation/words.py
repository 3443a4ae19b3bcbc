"""Differences, rates and their evidence in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fas_core.data.names import BONA_FIDE
from fas_core.evaluation.differences import BPCER_FIXED, ROC_AUC, Difference, Flips, apcer_of, bpcer_by
from fas_core.evaluation.join import Joined
from fas_core.evaluation.matching import Matching
from fas_core.metrics.limits import share_text
from fas_core.metrics.operating_point import APCER, BY_HAND, Rule
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import UnitInterval, zero_error_upper_bound

if TYPE_CHECKING:
    from fas_core.evaluation.regressions import Regressions

MOST_TOLD = 3  # species in a part of a sentence: the table has all of them


def clear(differences: Mapping[Statistic, Difference], of: Sequence[Statistic]) -> set[Statistic]:
    """Which of some metrics differ beyond chance: p < 0.05 after Holm's correction for their number."""
    known = [(p, statistic) for statistic in of if (p := differences[statistic].p) is not None]
    beyond: set[Statistic] = set()
    for place, (p, statistic) in enumerate(sorted(known, key=lambda pair: pair[0])):
        if p * (len(known) - place) >= 0.05:
            break
        beyond.add(statistic)
    return beyond


def in_words(
    both: Joined,
    rule: Rule,
    differences: Mapping[Statistic, Difference],
    at: Flips | None,
    letter: str = "B",
    matching: Matching | None = None,
    worse: Regressions | None = None,
) -> list[str]:
    """The comparison in sentences of plain text: species by species, over all thresholds, and verdicts that turned.

    `at`: the verdicts of A and the other Run, None where there are none. `letter`: of the other Run. `matching`: what
    the thresholds are by, where they are not matched on these samples, or cannot be. `worse`: what got worse, which
    says of live faces and of each species whether the difference is clear, or cannot be judged; the p told here are of
    each by itself.
    """
    if differences[ROC_AUC].difference is None:
        return ["The common samples hold one class only: there is nothing to trade off."]
    if matching is not None and matching.problem:
        words = [f"{matching.problem.rstrip('.')}, so nothing is compared at a threshold."]
    else:
        words = [_species_words(rule, differences, both.kind_counts, letter, matching, worse, f"live {both.unit}s")]
    auc = differences[ROC_AUC]
    digits = 2 if min(both.is_attack.sum(), (~both.is_attack).sum()) < 1000 else 3
    is_sure = (auc.p is None or auc.p < 0.05) and auc.difference != 0
    how = "better" if (auc.difference or 0) > 0 else "worse"
    over_all = f" {letter} separates {how}" if is_sure else " the two cannot be told apart"
    if worse is not None and not worse.n_compared:
        over_all = ", of too few to judge"
    words.append(
        f"Over all thresholds{over_all}: AUC {auc.b:.{digits}f} instead of {auc.a:.{digits}f}"
        f"{_evidence(auc, 1, digits)}."
    )
    if at is None or (matching is not None and matching.problem):
        return words
    turned = at.counts()
    # McNemar's p takes samples for independent: of people it would be another p than that by people, beside it.
    p = f" (McNemar {p_text(turned.mcnemar_p)})" if both.units[1] else ""
    words.append(f"{letter} puts {turned.fixed:,} wrong verdicts right and {turned.broken:,} right ones wrong{p}.")
    return words


def _species_words(
    rule: Rule,
    differences: Mapping[Statistic, Difference],
    counts: Mapping[str, int],
    letter: str,
    matching: Matching | None = None,
    worse: Regressions | None = None,
    live_ones: str = "live samples",
) -> str:
    n_live = counts.get(BONA_FIDE, 0)
    is_clear = {} if worse is None else {cell.kind: cell.is_clear for cell in worse.overall if cell.p is not None}
    too_few = set() if worse is None else {cell.kind for cell in worse.overall if cell.p is None}
    is_small = BONA_FIDE in too_few
    is_fixed = matching is not None and matching.is_fixed
    if rule.kind == APCER and not is_fixed:
        rejected = differences[bpcer_by(rule)]
        lead = f"Where each lets at most {100 * rule.value:g} % of every species pass, {letter} rejects "
        return f"{lead}{_change(rejected, n_live, f'of the {live_ones}', is_clear.get(BONA_FIDE), is_small=is_small)}."
    by_rule = None if is_fixed else rule
    by_name = {name: differences[apcer_of(name, by_rule)] for name in counts if name != BONA_FIDE}
    lead = f"Where each rejects at most {100 * rule.value:g} % of the {n_live:,} {live_ones}, "
    if matching is not None and is_fixed:
        of = f"of the {n_live:,} {live_ones}"
        live = _change(differences[BPCER_FIXED], n_live, of, is_clear.get(BONA_FIDE), is_small=is_small)
        where = ", ".join(matching.chosen_on) or "what is judged"
        lead = f"At thresholds for {rule.words} chosen on {where}, {letter} rejects {live}; "
        if rule.kind == BY_HAND:
            lead = f"At {matching.rule_words} chosen on {where}, {letter} rejects {live}; "
    if all(metric.difference == 0 for metric in by_name.values()):
        return f"{lead}{letter} misses the same share of every attack species as A."
    beyond = clear(differences, [apcer_of(name, by_rule) for name in by_name])
    is_told = {
        name: is_clear.get(name, apcer_of(name, by_rule) in beyond or (metric.p is None and metric.difference != 0))
        for name, metric in by_name.items()
        if name not in too_few
    }
    by_size = sorted(by_name, key=lambda name: (-abs(by_name[name].difference or 0), name))

    def listed(names: Sequence[str]) -> str:
        told = [f"{name.replace('_', ' ')} {_rates(by_name[name], int(counts[name]))}" for name in names[:MOST_TOLD]]
        more = len(names) - len(told)
        return "; ".join([*told, f"{more} more species"] if more else told)

    fewer = [name for name in by_size if is_told.get(name) and (by_name[name].difference or 0) < 0]
    more = [name for name in by_size if is_told.get(name) and (by_name[name].difference or 0) > 0]
    rest = [name for name in by_size if not is_told.get(name, True)]
    small = [name for name in by_size if name in too_few]
    parts = [f"{letter} misses fewer attacks of {listed(fewer)}"] if fewer else []
    parts += [f"{'but more' if fewer else letter + ' misses more attacks'} of {listed(more)}"] if more else []
    none_told = "there is no clear difference" if not parts else "no clear difference for"
    parts += [f"{none_told}{'' if parts else ':'} {listed(rest)}"] if rest else []
    alone = {name: p < 0.05 for name in is_told if (p := by_name[name].p) is not None}
    if any(is_told[name] != is_alone for name, is_alone in alone.items()):
        among = f"{len(by_name)} species" if worse is None else worse.wholes_words
        parts[-1] += f" (each p is of one species; what is clear is so after Holm's correction for {among})"
    parts += [f"too few attacks to judge: {listed(small)}"] if small else []
    return f"{lead}{'; '.join(parts)}."


def _change(metric: Difference, n: int, of: str, is_clear: bool | None = None, *, is_small: bool = False) -> str:
    """`is_clear`: beyond chance; None where that is for p to say. `is_small`: too few to say so."""
    if metric.difference == 0:
        return f"the same share {of}, {_percent(metric.a, n)}"
    more = "fewer" if (metric.difference or 0) < 0 else "more"
    is_sure = is_clear if is_clear is not None else metric.p is None or metric.p < 0.05
    doubt = "; too few to judge" if is_small else "" if is_sure else "; chance may explain it"
    return f"{more} {of}: {_rates(metric, n)}{doubt}"


def _rates(metric: Difference, n: int) -> str:
    return f"{_percent(metric.b, n)} instead of {_percent(metric.a, n)}{_evidence(metric, 100, 0 if n < 1000 else 1)}"


def _percent(share: float | None, n: int) -> str:
    return "–" if share is None else f"{100 * share:.{0 if n < 1000 else 1}f} %"


def _evidence(metric: Difference, scale: float, digits: int) -> str:
    """The difference with its interval and p, in brackets; nothing where there is no interval."""
    if metric.low is None or metric.high is None or metric.difference is None:
        return ""
    low, high, middle = (signed(scale * value, digits) for value in (metric.low, metric.high, metric.difference))
    unit = " points" if scale == 100 else ""
    said = "" if metric.p is None else f", {p_text(metric.p, is_bound=metric.is_bound)}"
    return f" ({middle}{unit} [{low} to {high}]{said})"


_PLAIN = {"average_precision": "Average precision", "eer": "EER"}
_AT_THRESHOLD = {
    "bpcer": "BPCER",
    "apcer_max": "APCER of the worst species",
    "apcer_pooled": "APCER of all attacks",
    "apcer": "APCER of …",
}


def metric_words(statistic: Statistic) -> str:
    """A metric that is compared, for people: APCER of the worst species at BPCER ≤ 5 %."""
    of = (statistic.species or "").replace("_", " ")
    if statistic.name == "roc_auc":
        return f"AUC of {of}" if of else "AUC"
    if statistic.name in _PLAIN:
        return _PLAIN[statistic.name]
    if statistic.name in _AT_THRESHOLD:
        return f"{_AT_THRESHOLD[statistic.name].replace('…', of)} at the threshold"
    share = f"{100 * statistic.target:g} %"
    if statistic.name == "bpcer_at_apcer":
        return f"BPCER at APCER ≤ {share}"
    whom = "the worst species" if statistic.name == "apcer_max_at_bpcer" else of or "all attacks"
    return f"APCER of {whom} at BPCER ≤ {share}"


def signed(value: float, digits: int) -> str:
    """+1.5, −1.5, or 0 without a sign."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if not float(f"{value:.{digits}f}") else text


def interval_text(low: float | None, high: float | None, digits: int) -> str | None:
    """None where there is no interval."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return None
    return f"{signed(low, digits)} to {signed(high, digits)}"


def p_text(p: float, *, is_bound: bool = False) -> str:
    """`is_bound`: resampling says no more than that p is at most this."""
    sign = "≤" if is_bound else "="
    return "p < 0.001" if p < 0.001 else f"p {sign} {p:.3f}" if p < 0.1 else f"p {sign} {p:.2f}"


def rate_text(value: float | None, interval: UnitInterval | None, limit: float | None = None) -> str:
    """A rate with its interval, or with the bound that no error, or nothing else, in n trials leaves: 0 % (≤ 1.9 %).

    A tenth of a percent is shown from a hundred trials (subjects, videos or samples) on; of the rate as much as leaves
    it on its side of a `limit`.
    """
    if value is None:
        return "–"
    n = interval.n_units if interval else 0
    digits = 1 if n >= 100 else 0
    text = f"{100 * value:.{digits}f} %" if limit is None else share_text(value, limit, digits)
    if interval is None:
        return text
    if value == 0:
        return f"{text} (≤ {100 * zero_error_upper_bound(n):.{digits}f} %)"
    if value == 1:
        return f"{text} (≥ {100 - 100 * zero_error_upper_bound(n):.{digits}f} %)"
    return f"{text} ({100 * interval.low:.{digits}f}–{100 * interval.high:.{digits}f})"


def threshold_text(threshold: float) -> str:
    """With the fewest digits that are this threshold and no other: who types it decides alike. 412, 0.3, 1e-09."""
    return repr(float(threshold)).removesuffix(".0")


def number(value: float) -> str:
    """A score with four digits, or all of those before the point; thresholds are `threshold_text`."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"
