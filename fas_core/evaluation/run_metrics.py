"""Metrics of Runs: joins scores, labels and species of a Run's samples and hands them to `metrics`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE, TRAIN, dev_subsets, outside_training
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import FRAME, Presentations, presentations
from fas_core.metrics import UndefinedMetricError, limits, resampling, uncertainty
from fas_core.metrics.limits import Target
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.metrics.uncertainty import RateInterval, UnitInterval
from fas_core.runs import health
from fas_core.runs.health import Caution
from fas_core.runs.store import Run

AUC, EER = resampling.Statistic("roc_auc"), resampling.Statistic("eer")
AUC_QUANTILES = 1024  # move an AUC by 1e-6, typically, where 4096 take four times as long
WORST = 10  # subjects named as having the most wrong decisions
MEASURED = 2_000  # images at most, evenly spaced, whose pixels are read to judge reconstructions


@dataclass(frozen=True)
class ReportedRates(metrics.Rates):
    """With 95 % intervals by the unit that does not repeat, None where there is nothing to resample, and counts."""

    bpcer_interval: RateInterval | None
    apcer_interval_per_species: Mapping[str, RateInterval | None]
    n_bona_fide: int  # presentations
    n_per_species: Mapping[str, int]
    n_non_response: Mapping[str, int]
    n_subjects_bona_fide: int | None  # people; None where nobody is named
    n_subjects_per_species: Mapping[str, int | None]

    @property
    def worst_interval(self) -> RateInterval | None:
        """Of `apcer_max`."""
        return None if self.apcer_worst is None else self.apcer_interval_per_species[self.apcer_worst]

    def target(self, by: Rule) -> Target | None:
        """Whether the limit of a rule holds here; None where it has none."""
        return limits.target(by, self)


@dataclass(frozen=True)
class DevRates:
    """At the threshold of a rule; optimistic where it was chosen on the samples it is judged on."""

    rule: Rule
    chosen_on: tuple[str, ...]
    optimistic: bool
    rates: ReportedRates

    @property
    def target(self) -> Target | None:
        """Whether the limit of the rule holds here."""
        return self.rates.target(self.rule)

    def as_json(self) -> dict[str, object]:
        about = {"rule": self.rule, "chosen_on": self.chosen_on, "optimistic": self.optimistic, "target": self.target}
        return about | self.rates.as_json()


@dataclass(frozen=True)
class SubsetMetrics(metrics.Summary):
    """With 95 % intervals by resampling whole subjects, or the nearest to that which all samples name."""

    roc_auc_ci95: UnitInterval | None
    roc_auc_per_species_ci95: Mapping[str, UnitInterval | None]
    eer_ci95: UnitInterval | None
    at_dev_threshold: DevRates | None


@dataclass(frozen=True)
class ReconstructionErrors:
    """Of `n` live images: mean squared pixel errors in the [0, 1] range; see `reconstruction_errors`."""

    n: int
    mse: float
    mean_image_mse: float | None
    below_mean_image: float | None


@dataclass(frozen=True)
class RunMetrics:
    """Of a Run, per score and subset."""

    run: str  # the id
    level: str
    scores: Mapping[str, Mapping[str, SubsetMetrics]]
    warnings: tuple[Caution, ...]
    reconstruction: Mapping[str, ReconstructionErrors] | None  # by subset; None of a Run without images

    @property
    def targets(self) -> dict[str, dict[str, Target | None]]:
        """Score and subset -> whether the limit of the rule of `at_dev_threshold` holds there.

        Subsets where it cannot be applied are left out.
        """
        return {
            score: {
                subset: cell.at_dev_threshold.target
                for subset, cell in cells.items()
                if cell.at_dev_threshold is not None
            }
            for score, cells in self.scores.items()
        }

    def as_json(self) -> Json:
        """The document of `fas evaluate --json`."""
        reconstruction = {} if self.reconstruction is None else {"reconstruction": self.reconstruction}
        return metrics.json_safe(
            {
                "run": self.run,
                "level": self.level,
                "scores": self.scores,
                "targets": self.targets,
                "warnings": self.warnings,
                **reconstruction,
            }
        )


def evaluated(
    run: Run,
    score: str | None = None,
    subset: str | None = None,
    level: str = FRAME,
    *,
    fail_closed: bool = False,
    thresholds: Sequence[float] = (),
) -> RunMetrics:
    """Metrics per score and subset, None where undefined.

    Every frame is judged by itself, or every video or session as a whole (see `levels`). To the metrics of a
    score file come 95 % intervals of the AUCs and the EER, by resampling whole subjects or the nearest to that which
    all samples of a cell name: `roc_auc_ci95`, `roc_auc_per_species_ci95` and `eer_ci95`.
    `at_threshold` has the rates at each of `thresholds`. Raises BadInputError for an unknown score, subset or level,
    and, where no threshold is given, for a subset asked for by name that holds one class only.
    """
    chosen = [score] if score else scores.offered(run)
    if subset is not None and subset not in run.subsets:
        raise BadInputError(f"Run {run.info.name} has no subset '{subset}'. Subsets: {', '.join(run.subsets)}.")
    decided = {name: presentations(run, scores.values(run, name), level, fail_closed=fail_closed) for name in chosen}
    of_scores: dict[str, dict[str, SubsetMetrics]] = {name: {} for name in chosen}
    subsets = run.subsets if subset is None else [subset]
    for judged in subsets if decided else []:
        sets = {name: by_score.score_set([judged]) for name, by_score in decided.items()}
        if subset is not None and not thresholds:
            for score_set in sets.values():
                require_both_classes(score_set, f"Subset '{subset}' of Run {run.info.name}")
        some = decided[chosen[0]]  # the presentations are the same for every score
        here = some.within([judged])
        aucs, eers = _intervals(some.rows[here], {name: by_score.values[here] for name, by_score in decided.items()})
        for name, score_set in sets.items():
            if score_set.n_bona_fide + score_set.n_attack:
                of_scores[name][judged] = SubsetMetrics(
                    **vars(metrics.summary(score_set, thresholds=thresholds)),
                    roc_auc_ci95=aucs[None][name],
                    roc_auc_per_species_ci95={
                        species: aucs.get(species, {}).get(name) for species in score_set.attacks
                    },
                    eer_ci95=eers[name],
                    at_dev_threshold=at_dev_threshold(run, decided[name], judged),
                )
    errors = reconstruction_errors(run) if run.has("inputs", "reconstructions") else None
    warnings = health.cautions(run, subsets)
    for caution in (c for by_score in decided.values() for c in by_score.short_cautions(outside_training(subsets))):
        if caution not in warnings:  # of k of n: a score may lack where another does not
            warnings.append(caution)
    return RunMetrics(run.id, level, of_scores, tuple(warnings), errors)


def at_dev_threshold(run: Run, decided: Presentations, subset: str, rule: Rule = DEFAULT) -> DevRates | None:
    """The rates of a subset at the threshold that a rule chooses on the Run's dev subsets.

    On the subset itself where a Run has no dev subset on which the rule can be applied; None where it cannot be applied
    to either.
    """
    for chosen_on in (dev_subsets(run.subsets), [subset]):
        try:
            threshold = decided.threshold_by(rule, chosen_on)
        except UndefinedMetricError:
            continue
        return DevRates(rule, tuple(chosen_on), subset in chosen_on, rates_at(decided, [subset], threshold))
    return None


def rates_at(decided: Presentations, subsets: Sequence[str], threshold: float) -> ReportedRates:
    """The rates of some subsets together."""
    scores_of_set = decided.score_set(subsets)
    chosen = decided.within(subsets)
    values, units = decided.values[chosen], decided.of.units(chosen)
    of_kind, names = decided.of.kinds
    kinds = of_kind[chosen]
    code_of = {name: code for code, name in enumerate(["", *names])}
    answered = ~np.isnan(values)

    def interval(kind: str) -> RateInterval | None:
        trials = answered & (kinds == code_of[kind])
        called = metrics.is_attack(values[trials], threshold)
        return uncertainty.rate_interval(called if kind == "" else ~called, units.of(trials))

    def people(kind: str) -> int | None:
        return len(np.unique(units.groups[kinds == code_of[kind]])) if units.name == "subject" else None

    return ReportedRates(
        **vars(metrics.rates_at(scores_of_set, threshold)),
        bpcer_interval=interval(""),
        apcer_interval_per_species={name: interval(name) for name in scores_of_set.attacks},
        n_bona_fide=scores_of_set.n_bona_fide,
        n_per_species={name: ordered.size for name, ordered in scores_of_set.attacks.items()},
        n_non_response=dict(scores_of_set.n_non_response),
        n_subjects_bona_fide=people(""),
        n_subjects_per_species={name: people(name) for name in scores_of_set.attacks},
    )


def auc_interval(decided: Presentations, subsets: Sequence[str], species: str = "") -> UnitInterval | None:
    """95 % interval of the AUC of some subsets, by resampling whole subjects or the nearest to that.

    Of all attacks, or those of a species.
    """
    chosen = decided.within(subsets)
    codes, names = decided.of.kinds
    if species:
        chosen = chosen & ((codes == 0) | (codes == 1 + names.index(species)))
    attack = codes[chosen] > 0
    resamples = resampling.resampled(
        [decided.values[chosen]], attack, decided.of.units(chosen), [AUC], quantiles=AUC_QUANTILES
    )
    return resamples.interval(AUC)


@dataclass(frozen=True)
class SubjectErrors:
    """Of a subject's presentations that have a score: `rejected` of `n_bona_fide`, `missed` of `n_attack`."""

    subject_id: str
    rejected: int
    n_bona_fide: int
    missed: int
    n_attack: int


def worst_subjects(decided: Presentations, subsets: Sequence[str], threshold: float) -> list[SubjectErrors]:
    """The subjects with the most wrong decisions, at most `WORST`; none where nobody is named or nothing is wrong."""
    chosen = decided.within(subsets) & ~np.isnan(decided.values)
    rows = decided.rows[chosen]
    if uncertainty.unit_of(rows).name != "subject":
        return []
    attack, called = rows["label"].to_numpy() == ATTACK, metrics.is_attack(decided.values[chosen], threshold)
    counts = pd.DataFrame(
        {
            "subject_id": rows["subject_id"].to_numpy(str),
            "rejected": called & ~attack,
            "n_bona_fide": ~attack,
            "missed": ~called & attack,
            "n_attack": attack,
        }
    )
    of_subject = counts.groupby("subject_id").sum().astype(int)
    wrong = (of_subject["rejected"] + of_subject["missed"]).sort_values(ascending=False, kind="stable")
    listed = of_subject.loc[wrong[wrong > 0].index[:WORST]]
    return [
        SubjectErrors(str(name), *map(int, counts))
        for name, counts in zip(listed.index, listed.to_numpy(), strict=True)
    ]


def reconstruction_errors(run: Run) -> dict[str, ReconstructionErrors]:
    """How well live images are reconstructed, per subset that has some: mean squared pixel errors in the [0, 1] range.

    `mean_image_mse` is the error of guessing the mean live training image every time, and `below_mean_image` the share
    of it that the model saves, the same images for both; None without training images. A model that has learned
    nothing but the average face saves 0.
    """
    labels = run.samples(["label"])["label"].to_numpy()

    def live(subset: str) -> NDArray[np.int64]:
        rows = run.rows_of(subset)
        rows = rows[labels[rows] == BONA_FIDE]
        return rows[:: max(1, -(-len(rows) // MEASURED))]

    def pixels(name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(run.images(name, rows), np.float32) / np.float32(255)

    training = live(TRAIN) if TRAIN in run.subsets else np.empty(0, np.int64)
    average = pixels("inputs", training).mean(0) if len(training) else None
    errors = {}
    for subset in run.subsets:
        rows = live(subset)
        if not len(rows):
            continue
        inputs = pixels("inputs", rows)
        mse = float(np.square(inputs - pixels("reconstructions", rows)).mean())
        guess = None if average is None else float(np.square(inputs - average).mean())
        saved = 1 - mse / guess if guess else None
        errors[subset] = ReconstructionErrors(len(rows), mse, guess, saved)
    return errors


def _intervals(
    samples: pd.DataFrame, values: Mapping[str, NDArray[np.float64]]
) -> tuple[dict[str | None, dict[str, UnitInterval | None]], dict[str, UnitInterval | None]]:
    """Species (None: all attacks) -> score -> interval of its AUC; score -> interval of its EER; None where undefined.

    Each species has draws of its own, so that its attacks are in all of them; the scores share them.
    """
    attack = samples["label"].to_numpy() == ATTACK
    species = metrics.species_names(attack, samples["pai_species"])

    def drawn(
        wanted: NDArray[np.bool_], statistics: Sequence[resampling.Statistic]
    ) -> list[dict[str, UnitInterval | None]]:
        units = uncertainty.unit_of(samples[wanted])
        resamples = resampling.resampled([v[wanted] for v in values.values()], attack[wanted], units, statistics)
        return [{score: resamples.interval(name, model) for model, score in enumerate(values)} for name in statistics]

    pooled, eers = drawn(np.ones(len(samples), np.bool_), [AUC, EER])
    aucs: dict[str | None, dict[str, UnitInterval | None]] = {None: pooled}
    names = list(np.unique(species[attack]))
    for name in names:
        aucs[name] = pooled if len(names) == 1 else drawn(~attack | (species == name), [AUC])[0]
    return aucs, eers


def require_both_classes(scores_of_set: metrics.ScoreSet, where: str) -> None:
    """Raises BadInputError when bona fide images or attacks with a score are missing."""
    if scores_of_set.n_bona_fide and scores_of_set.n_attack:
        return
    kind = "attacks" if scores_of_set.n_attack else "bona fide samples"
    other = "bona fide samples" if scores_of_set.n_attack else "attacks"
    count = scores_of_set.n_attack or scores_of_set.n_bona_fide
    apart = " Injection attacks are no presentations and are left out." if scores_of_set.injected else ""
    raise BadInputError(
        f"{where} holds only {kind} ({count}): ROC, EER and APCER/BPCER trade-offs need {other} as well.{apart}"
    )
