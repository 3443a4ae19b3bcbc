"""Numbers of a chapter's Runs: every experiment with every seed by every score on the same test images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.names import ATTACK, dev_subsets, fresh_subsets, groups_of, in_group_order, outside_training
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations
from fas_core.evaluation.presentations import Presentations
from fas_core.latent import projection, training_rows
from fas_core.metrics import UndefinedMetricError, resampling, uncertainty
from fas_core.metrics.operating_point import DEFAULT
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import Units
from fas_core.reproduce import chapter
from fas_core.reproduce.claims import Cell, Claim, Estimate, Measured, estimated, with_seeds
from fas_core.runs.store import Run

Floats = NDArray[np.float64]
FOUND_AT = 0.05  # BPCER
QUANTILES = 1024
AUC = Statistic("roc_auc")
ALL = ""  # attacks of every group
ALIASES = {"paper": ("paper", "print", "photo")}
WITHOUT = ("", "0", "no", "none", "false", "nan")  # of the column glasses; so is what begins with "none"


class Row(NamedTuple):
    """One line of the table: rates at a threshold that live images of `chosen_on` have chosen."""

    experiment: str
    score: str
    species: str  # "all attacks", or a group
    seeds: int
    n_attack: int
    n_live: int
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    apcer: float | None
    apcer_low: float | None
    apcer_high: float | None
    bpcer: float | None
    bpcer_low: float | None
    bpcer_high: float | None


@dataclass(frozen=True, eq=False)
class Tested:
    """The test images that all Runs are judged on, in the row order of each: alike, as all are of one manifest."""

    run: Run  # any of them
    chosen_on: tuple[str, ...]  # subsets whose live images choose thresholds
    subsets: tuple[str, ...]
    notes: tuple[str, ...]

    @cached_property
    def frames(self) -> presentations.Grouping:
        return presentations.grouping(self.run)

    @cached_property
    def rows(self) -> NDArray[np.bool_]:
        """(n,) of the Run's samples."""
        return self.frames.within(self.subsets)

    @cached_property
    def samples(self) -> pd.DataFrame:
        columns = ["subset", "label", "pai_species"]
        more = [chapter.GLASSES] if chapter.GLASSES in self.run.column_names() else []
        return self.run.samples([*columns, *more])[self.rows].reset_index(drop=True)

    @cached_property
    def attack(self) -> NDArray[np.bool_]:
        return (self.samples["label"] == ATTACK).to_numpy(bool)

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """(m,) of attacks: seen_paper, ..., or their species where subsets are others."""
        return groups_of(self.samples)

    @cached_property
    def names(self) -> list[str]:
        return in_group_order(sorted(set(self.groups[self.attack].tolist())))

    @cached_property
    def units(self) -> Units:
        return self.frames.units(self.rows)

    @cached_property
    def with_glasses(self) -> NDArray[np.bool_] | None:
        """Of the live faces; None where the data do not say it, or say it of all or none."""
        if chapter.GLASSES not in self.samples:
            return None
        texts = self.samples.loc[~self.attack, chapter.GLASSES].astype("str").str.strip().str.casefold()
        wears = (~(texts.isin(WITHOUT) | texts.str.startswith("none"))).to_numpy(bool)
        return wears if wears.any() and not wears.all() else None

    def named(self, group: str) -> str | None:
        """What a group of the chapter is called here; None where there is none."""
        if group in ("", chapter.GLASSES):
            return group if not group or self.with_glasses is not None else None
        side, _, species = group.partition("_")
        alike = ALIASES.get(species, (species,))
        candidates = [f"{side}_{name}" for name in alike] + list(alike)
        return next((name for name in candidates if name in self.names), None)


def tested(run: Run) -> Tested:
    """What is outside training and outside what chooses thresholds, which a dev set does, else live people.

    Raises BadInputError where there are no attacks, or no live faces, to be judged.
    """
    chosen_on, notes = dev_subsets(run.subsets), []
    subsets = fresh_subsets(run.subsets, chosen_on)
    labels = run.samples(["subset", "label"])

    def has(names: Sequence[str], *, attacks: bool) -> bool:
        of = labels["subset"].isin(list(names)) & ((labels["label"] == ATTACK) == attacks)
        return bool(of.any())

    if not has(outside_training(run.subsets), attacks=True):
        raise BadInputError(
            f"{run.info.manifest}: no attack outside training, so there is nothing to detect. Simulate some: "
            "fas data attacks M.csv --out attacked/, then fas data subsets attacked/manifest.csv --out M2.csv"
        )
    if not has(subsets, attacks=False):
        subsets = outside_training(run.subsets)
        notes.append(
            f"No live face is left beside those of {', '.join(chosen_on)}, which choose the thresholds: BPCER is "
            "judged on the same ones, and optimistic."
        )
    if not has(subsets, attacks=False):
        raise BadInputError(f"{run.info.manifest}: no live face outside training, so nothing can be judged.")
    if chosen_on == ["train"]:
        notes.append("There is no dev set and no subset 'live': thresholds are chosen on training images.")
    return Tested(run, tuple(chosen_on), tuple(subsets), tuple(notes))


@dataclass(frozen=True, eq=False)
class Numbers:
    """All that is measured: cells for claims, and the table."""

    tested: Tested
    cells: Mapping[Cell, Measured]
    rows: tuple[Row, ...]

    def missing(self, claims: Sequence[Claim]) -> dict[str, str]:
        """Group of a claim -> why it is not here."""
        why = {}
        for group in {cell.group for claim in claims for _, cell in claim.of}:
            if self.tested.named(group) is None:
                listed = ", ".join(self.tested.names)
                column = "the data do not say who wears glasses (column glasses)"
                why[group] = column if group == chapter.GLASSES else f"there is no {group} here, of {listed}"
        return why

    def as_json(self) -> list[Json]:
        return [row._asdict() for row in self.rows]


def measured(runs: Mapping[str, Sequence[Run]]) -> Numbers:
    """By experiment the Runs of its seeds. Raises BadInputError as `tested`."""
    of = tested(next(iter(runs.values()))[0])
    _require_alike([run for of_seeds in runs.values() for run in of_seeds])
    cells: dict[Cell, Measured] = {}
    rows: list[Row] = []
    for experiment, of_seeds in runs.items():
        for score in [name for name in chapter.SCORES if all(name in scores.offered(run) for run in of_seeds)]:
            values = [scores.values(run, score) for run in of_seeds]
            own = _areas(of, [v[of.rows] for v in values])
            cells |= {Cell(experiment, score, group): area for group, area in own.items()}
            rows += _rows(of, experiment, score, values, own)
        if any(claimed.score == chapter.PLANE and claimed.experiment == experiment for claimed in _claimed()):
            plane = [in_plane(run)[of.rows] for run in of_seeds]
            cells |= {Cell(experiment, chapter.PLANE, group): area for group, area in _areas(of, plane).items()}
        for cell in _claimed():
            if cell.experiment == experiment and cell.statistic == "found" and of.named(cell.group):
                values = [scores.values(run, cell.score)[of.rows] for run in of_seeds]
                cells[cell] = _found(of, values, cell.group)
        cells |= _of_glasses(of, experiment, of_seeds)
    return Numbers(of, cells, tuple(rows))


def _require_alike(runs: Sequence[Run]) -> None:
    """Raises BadInputError where one lacks samples that another has: they would be judged on other images."""
    first = runs[0].samples(["sample_id"])["sample_id"].to_numpy(str)
    for run in runs[1:]:
        if not np.array_equal(run.samples(["sample_id"])["sample_id"].to_numpy(str), first):
            raise BadInputError(
                f"Runs {runs[0].info.name} and {run.info.name} hold outputs of other images, as some could not be read "
                f"at the time. Remove the one with fewer (fas prune {run.id}), then run the command again."
            )


def _claimed() -> set[Cell]:
    return {cell for finding in chapter.FINDINGS for claim in finding.claims for _, cell in claim.of}


def in_plane(run: Run) -> Floats:
    """(n,) squared Mahalanobis distance from the live training codes in their first two principal components."""
    xy = projection.coordinates(run, projection.pca_of(run, 2))[:, :2].astype(np.float64)
    live = xy[training_rows(run)]
    apart = xy - live.mean(0)
    covariance = np.cov(live.T) + 1e-12 * np.eye(2)
    distances: Floats = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart)
    return distances


def _areas(of: Tested, values: Sequence[Floats]) -> dict[str, Measured]:
    """By group of the chapter or of the data, "" for all attacks: AUC of each seed, and on the common resamples."""
    statistics = {ALL: AUC} | {name: Statistic("roc_auc", name) for name in of.names}
    resamples = resampling.resampled(
        values, of.attack, of.units, list(statistics.values()), species=of.groups, quantiles=QUANTILES
    )
    sets = [metrics.score_set(v, of.attack, list(of.groups)) for v in values]
    areas = {
        name: Measured(
            np.array([metrics.roc_auc(each, name or None) for each in sets]),
            resamples.values[statistic],
            resamples.sizes[statistic][0].of_a_class,
        )
        for name, statistic in statistics.items()
    }
    chapters = {cell.group for cell in _claimed()} - {ALL, chapter.GLASSES}
    return areas | {group: areas[name] for group in chapters if (name := of.named(group)) is not None}


def _found(of: Tested, values: Sequence[Floats], group: str) -> Measured:
    """Share of a group's attacks found at the lowest threshold that rejects at most 5 % of live faces."""
    name = of.named(group)
    assert name is not None
    statistic = Statistic("apcer_at_bpcer", (FOUND_AT, name))
    resamples = resampling.resampled(values, of.attack, of.units, [statistic], species=of.groups, quantiles=QUANTILES)
    sets = [metrics.score_set(v, of.attack, list(of.groups)) for v in values]
    missed = [metrics.apcer_at_bpcer(each, FOUND_AT).apcer_per_species[name] for each in sets]
    fewest = resamples.sizes[statistic][0].of_a_class
    return Measured(1 - np.array(missed, np.float64), 1 - resamples.values[statistic], fewest)


def _of_glasses(of: Tested, experiment: str, runs: Sequence[Run]) -> dict[Cell, Measured]:
    cells = {}
    for cell in _claimed():
        if cell.experiment != experiment or cell.group != chapter.GLASSES or of.with_glasses is None:
            continue
        values = [scores.values(run, cell.score)[of.rows][~of.attack] for run in runs]
        wears, units = of.with_glasses, of.units.of(~of.attack)
        resamples = resampling.resampled(values, wears, units, [AUC], quantiles=QUANTILES)
        areas = [metrics.roc_auc(metrics.score_set(v, wears)) for v in values]
        fewest = resamples.sizes[AUC][0].of_a_class
        cells[cell] = Measured(np.array(areas), resamples.values[AUC], fewest)
    return cells


def _rows(
    of: Tested, experiment: str, score: str, values: Sequence[Floats], areas: Mapping[str, Measured]
) -> list[Row]:
    """All attacks, then each group. `values`: (n,) of each seed, of all samples of the Run."""
    decided = [of.frames.judged(v) for v in values]
    thresholds = [_threshold(each, of.chosen_on) for each in decided]
    at_test = [v[of.rows] for v in values]
    bpcer = _rate(of, at_test, thresholds, ~of.attack, of_attacks=False)
    rows = []
    for group in (ALL, *of.names):
        chosen = of.attack & (of.groups == group) if group else of.attack
        area = _ends(estimated(areas[group]))
        apcer = _rate(of, at_test, thresholds, chosen, of_attacks=True)
        n_live = int((~of.attack).sum())
        name = group or "all attacks"
        rows.append(
            Row(experiment, score, name, len(values), int(chosen.sum()), n_live, *area, *_ends(apcer), *_ends(bpcer))
        )
    return rows


def _threshold(decided: Presentations, chosen_on: Sequence[str]) -> float:
    try:
        return decided.threshold_by(DEFAULT, list(chosen_on))
    except UndefinedMetricError:
        return math.nan


def _rate(
    of: Tested, values: Sequence[Floats], thresholds: Sequence[float], chosen: NDArray[np.bool_], *, of_attacks: bool
) -> Estimate:
    """Errors of some samples at each seed's own threshold: the mean over seeds, by people and by trainings.

    People are drawn with what every training says of them.
    """
    n_seeds = len(values)
    if any(math.isnan(threshold) for threshold in thresholds):
        return Estimate(math.nan, math.nan, math.nan, n_seeds)
    errors, groups, units = [], [], of.units.of(chosen)
    for of_seed, threshold in zip(values, thresholds, strict=True):
        answered = ~np.isnan(of_seed[chosen])
        called = metrics.is_attack(of_seed[chosen][answered], threshold)
        errors.append(~called if of_attacks else called)
        groups.append(units.groups[answered])
    interval = uncertainty.rate_interval(np.concatenate(errors), Units(units.name, np.concatenate(groups)))
    rates = np.array([each.mean() if len(each) else math.nan for each in errors])
    mean = float(rates.mean())
    if interval is None:
        return Estimate(mean, math.nan, math.nan, n_seeds)
    return with_seeds(mean, interval.low, interval.high, rates, (0.0, 1.0))


def _ends(of: Estimate) -> tuple[float | None, float | None, float | None]:
    mean, low, high = (None if math.isnan(value) else value for value in of[:3])
    return mean, low, high
