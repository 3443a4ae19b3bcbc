"""The paired comparison of two Runs as one value, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import dev_subsets, in_protocol_order
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation import fusion
from fas_core.evaluation.differences import (
    Difference,
    Flips,
    Turned,
    differences,
    flips,
    resampled,
)
from fas_core.evaluation.headline import headline, named
from fas_core.evaluation.join import Joined, System, joined, of_each, outside_training, require_common
from fas_core.evaluation.matching import Matching, judged_subsets, matching, targets
from fas_core.evaluation.presentations import FRAME, short_cautions
from fas_core.evaluation.regressions import Regressions, groupings, what_got_worse
from fas_core.evaluation.words import in_words
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import BY_HAND, DEFAULT, Rule
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import RESAMPLES, codes_of
from fas_core.runs import census, health
from fas_core.runs.health import Caution
from fas_core.runs.store import Run


@dataclass(frozen=True)
class Verdicts:
    """How the verdicts of A and B differ, each at its own threshold by the same rule."""

    rule: Rule
    threshold_a: float
    threshold_b: float
    turned: Turned
    both_wrong: int
    per_kind: Mapping[str, Turned]  # of bona fide samples and of each species

    def as_json(self) -> Json:
        return {
            "at": str(self.rule),
            "threshold_a": self.threshold_a,
            "threshold_b": self.threshold_b,
            **self.turned._asdict(),
            "both_wrong": self.both_wrong,
            "per_kind": {kind: turned._asdict() for kind, turned in self.per_kind.items()},
        }


@dataclass(frozen=True)
class Companions:
    """How the samples of A and B were told to be the same."""

    by: str  # sample_id, or presentation_id of Runs of two modalities
    modalities: tuple[str, ...]  # of A and B, "" where one does not say
    in_words: tuple[str, ...]  # of two modalities: how they are joined, what they separate together


@dataclass(frozen=True)
class PairedComparison:
    """A and B on the samples outside `train` that both have."""

    a: System
    b: System
    level: str
    n_common: int
    n_only_a: int
    n_only_b: int
    n_no_response: int
    n_injected: int  # injection attacks, which are left out
    unit: str  # what is resampled as a whole
    n_units: int
    samples_are_independent: bool
    resamples: int
    decided: str  # what verdicts are on, as `Joined.unit`
    counts_words: str  # as `Joined.counts_words`
    metrics: Mapping[Statistic, Difference]
    verdicts: Verdicts | None
    no_verdicts_because: str  # "" where there are some
    matching: Matching  # what the thresholds are by
    judged_on: tuple[str, ...]  # subsets of A
    targets: tuple[Target, ...]  # of A and B: whether the rule's limit holds where they are judged
    worse: Regressions | None  # None where nothing is compared at thresholds
    cautions: tuple[tuple[Run, Caution], ...]
    headline: str  # whether B is better or worse, as the screen says it; "" where `worse` is None
    in_words: tuple[str, ...]  # sentences of plain text
    companions: Companions

    def as_json(self) -> Json:
        """The document that `fas compare --json` prints; None where something is undefined."""
        because = {"flips_undefined_because": self.no_verdicts_because} if self.verdicts is None else {}
        return metrics.json_safe(
            {
                "a": self.a.run.id,
                "b": self.b.run.id,
                "score": self.a.score,
                "score_b": self.b.score,
                "level": self.level,
                "n_common": self.n_common,
                "n_only_a": self.n_only_a,
                "n_only_b": self.n_only_b,
                "n_no_response": self.n_no_response,
                "n_injected": self.n_injected,
                "joined_by": self.companions.by,
                "modalities": self.companions.modalities,
                "unit": self.unit,
                "n_units": self.n_units,
                "samples_are_independent": self.samples_are_independent,
                "resamples": self.resamples,
                "thresholds": {
                    "chosen_on": self.matching.chosen_on,
                    "judged_on": self.judged_on,
                    "optimistic": self.matching.is_optimistic,
                    "reached": self.matching.reached,
                    "not_matched_because": self.matching.problem or None,
                    "targets": {name: target.as_json() for name, target in zip("ab", self.targets, strict=False)},
                },
                "headline": self.headline or None,
                "worse": None if self.worse is None else self.worse.as_json(),
                "metrics": {
                    document_name(statistic): difference.as_json() for statistic, difference in self.metrics.items()
                },
                "flips": None if self.verdicts is None else self.verdicts.as_json(),
                **because,
                "in_words": (*self.companions.in_words, *self.in_words),
                "warnings": [{"run": run.id, **caution.as_json()} for run, caution in self.cautions],
            }
        )


def document_name(statistic: Statistic) -> str:
    """What a metric is called in the document: apcer_mask_at_bpcer_0.05, apcer_max_at_bpcer_0.05, roc_auc_mask."""
    if statistic.name == "apcer_at_bpcer":
        species = statistic.species or "pooled"
        if statistic.species in ("max", "pooled"):  # a species may be called as what is made of all of them
            species = f"[{species}]"
        return f"apcer_{species}_at_bpcer_{statistic.target:g}"
    if statistic.name == "apcer":  # at a fixed threshold
        return (
            f"apcer_[{statistic.species}]" if statistic.species in ("max", "pooled") else f"apcer_{statistic.species}"
        )
    if statistic.name == "roc_auc":
        return f"roc_auc_{statistic.species}" if statistic.species else "roc_auc"
    return statistic.name if statistic.of is None else f"{statistic.name}_{statistic.target:g}"


def compared(
    a: System,
    b: System,
    rule: Rule = DEFAULT,
    level: str = FRAME,
    *,
    chosen_on: Sequence[str] = (),
    resamples: int = RESAMPLES,
    letter: str = "B",
    among: Sequence[System] = (),
) -> PairedComparison:
    """Every metric and every verdict on the common samples outside `train`.

    `chosen_on`: subsets whose common samples fix each Run's threshold, judged on the others; without them thresholds
    are matched anew on what is judged. `letter`: what the sentences call the Run that is not A. `among`: only samples
    that these have too. Raises BadInputError as `joined`, `require_common`, `matching` do, and for a subset that A does
    not have.
    """
    everything = _common([a, b, *among], level, chosen_on)
    both = outside_training(everything)
    subsets, chosen_on = judged_subsets(in_protocol_order(both.samples["subset"].unique()), chosen_on)
    both = both.in_subsets(subsets) if chosen_on else both
    matched = matching(everything.in_subsets(chosen_on) if chosen_on else both, rule, chosen_on, f"A{letter}")
    by = rule if rule.has_limit else DEFAULT  # of metrics that are not at given thresholds
    drawn = resampled(both, by, at=matched.at or None, resamples=resamples) if both.has_both_classes else None
    of_each = differences(both, by, drawn, at=matched.at or None)
    units, independent = both.units
    at = flips(both, matched.thresholds) if matched.thresholds else None
    columns = groupings([a.run, b.run], both)
    worse = None if at is None else what_got_worse(both, matched, columns, drawn, resamples=resamples if drawn else 0)
    words = in_words(both, rule, of_each, at, letter, matched, worse)
    called = named(letter, b.run.info.name, [of.run.info.name for of in (a, b, *among)])
    return PairedComparison(
        a=a,
        b=b,
        level=level,
        n_common=len(both),
        n_only_a=both.n_only[0],
        n_only_b=both.n_only[1],
        n_no_response=both.n_no_response,
        n_injected=both.n_injected,
        unit=units.name,
        n_units=codes_of(units.groups)[1],
        samples_are_independent=independent,
        resamples=resamples,
        decided=both.unit,
        counts_words=both.counts_words,
        metrics=of_each,
        verdicts=None if at is None else _verdicts(both, at, rule),
        no_verdicts_because=matched.problem if at is None else "",
        matching=matched,
        judged_on=subsets,
        targets=targets(both, matched),
        worse=worse,
        cautions=tuple(cautions(both, [a, b], matched)),
        headline="" if worse is None else "".join(headline(worse, called)),
        in_words=(*words, *([worse.sentence(letter)] if worse is not None else [])),
        companions=_companions([a, b], both, subsets, level),
    )


def _common(systems: Sequence[System], level: str, chosen_on: Sequence[str]) -> Joined:
    """The first two Runs on the samples that all have; some, and with the subsets to choose on, or it raises."""
    run = systems[0].run
    if unknown := [name for name in chosen_on if name not in run.subsets]:
        raise BadInputError(
            f"Run {run.info.name} has no subset {', '.join(unknown)} to choose on; it has {', '.join(run.subsets)}."
        )
    of_all = joined(systems, level)
    require_common(of_all, systems)
    return of_all.of_first(2)


def _companions(systems: Sequence[System], both: Joined, subsets: Sequence[str], level: str) -> Companions:
    """Of the samples that are compared; what Runs of two modalities separate together is told where it can be."""
    if not both.pairing_words:
        return Companions(both.by, both.modalities, ())
    areas = [metrics.roc_auc(of_run) for of_run in both.score_sets] if both.has_both_classes else []
    run = systems[0].run
    fused = fusion.words_on(joined(systems), run, subsets, dev_subsets(run.subsets), level, areas)
    return Companions(both.by, both.modalities, tuple(filter(None, (both.pairing_words, fused))))


def cautions(both: Joined, systems: Sequence[System], by: Matching) -> list[tuple[Run, Caution]]:
    """What to know of the subsets of each Run that the common samples are in, and of those that thresholds were chosen
    on, in the order of the Runs, each once: what cards say of them too."""
    ours = both.samples["pai_species"].astype("category")

    def of_run(i: int) -> tuple[list[Caution], list[Caution]]:
        run, ids_differ = systems[i].run, both.ids_differ[i : i + 1] == (True,)
        species = _other_species(both, ours, run, both.rows[i]) if i else []
        if run.id in [system.run.id for system in systems[:i]]:
            return [], species
        subsets = run.subsets_of(both.rows[i])
        chosen_on = [name for name in by.chosen_on if name in run.subsets] if by.chosen_on else subsets
        is_by_hand = by.rule.kind == BY_HAND
        kinds = census.of_run(run)
        told = health.threshold_cautions(
            run, chosen_on, subsets, is_by_hand=is_by_hand, kinds=kinds, ids_differ=ids_differ
        )
        return [*told, *filter(None, [health.subject_overlap(run, chosen_on, subsets, kinds)])], species

    told_of_each = of_each(of_run, range(len(systems)))
    listed = [(run, caution) for (run, _), (told, _) in zip(systems, told_of_each, strict=True) for caution in told]
    listed += [(run, caution) for (run, _), (_, told) in zip(systems, told_of_each, strict=True) for caution in told]
    if both.level is not None and both.is_short is not None:
        listed += [(systems[0].run, caution) for caution in short_cautions(both.level, both.is_short)]
    return listed


def _other_species(both: Joined, of_a: pd.Series, run: Run, rows: NDArray[np.int64]) -> list[Caution]:
    """Attacks that A and another Run call by different species: they count as what A says.

    `of_a`: (n,) species as A says; `rows`: of the other Run, those that are compared.
    """
    if "pai_species" not in run.column_names():
        return []
    numbers: dict[str, int] = {}
    ours = _numbered(of_a, numbers)
    theirs = _numbered(run.samples(["pai_species"], repeated=["pai_species"])["pai_species"], numbers)[rows]
    differ = np.flatnonzero(both.is_attack & (ours != theirs))
    if not len(differ):
        return []
    names = list(numbers)
    first = differ[0]
    message = (
        f"{len(differ):,} attacks are of another species in {run.info.name} than in A, e.g. "
        f"{names[theirs[first]] or 'none'} instead of {names[ours[first]] or 'none'}: they count as what A says."
    )
    return [Caution("species_differ", message, {"n_samples": len(differ)})]


def _numbered(texts: pd.Series, numbers: dict[str, int]) -> NDArray[np.intp]:
    """(n,) the number of each text, "" where it is missing; new ones are added to `numbers`."""
    told = texts.astype("category").cat
    of_each = [numbers.setdefault(str(name), len(numbers)) for name in (*told.categories, "")]
    return np.array(of_each)[told.codes]


def _verdicts(both: Joined, at: Flips, rule: Rule) -> Verdicts:
    kinds = both.kinds
    return Verdicts(
        rule,
        at.threshold_a,
        at.threshold_b,
        at.counts(),
        int(at.both_wrong.sum()),
        {kind: at.counts(kinds == kind) for kind in sorted(set(kinds.tolist()))},
    )
