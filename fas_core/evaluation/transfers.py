"""What models that learned some data sets make of others: a row per model, a column per data set that is tested on.

A sample is of the `source` that it names (`fas data merge`), else of its Run's manifest. A model's Runs, on whatever
manifests, are one row. Its threshold is chosen once, where it learned: on the subset for choosing thresholds (`dev`, or
else `live`, or else `train`) of the data sets that it was trained on. Cells leave out training images, injection
attacks and, where a data set has others, the samples of the subset for choosing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo, metrics, scores
from fas_core.data import simulation
from fas_core.data.merging import SOURCE
from fas_core.data.names import LEARNED, TRAINING_USE, dev_subsets, fresh_subsets, outside_training
from fas_core.documents import Json
from fas_core.evaluation import kept
from fas_core.evaluation.join import System
from fas_core.evaluation.presentations import FRAME, Presentations, is_named, presentations
from fas_core.evaluation.run_metrics import auc_interval, rates_at
from fas_core.metrics import UndefinedMetricError
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.metrics.uncertainty import RateInterval, UnitInterval
from fas_core.runs import naming
from fas_core.runs.store import Run

_FORMAT = 1  # of a row that is kept


@dataclass(frozen=True)
class Cell:
    """A model on one data set; numbers are None where it has presentations of one class only, or no threshold."""

    run: str  # the id of the Run that it is of
    roc_auc: float | None
    eer: float | None
    n_bona_fide: int
    n_attack: int
    n_people: int | None  # None where nobody is named
    is_trained_on: bool | None  # None where nobody knows
    apcer: float | None  # of the worst species, at the model's threshold
    apcer_worst: str | None  # which that is
    bpcer: float | None
    is_optimistic: bool  # whether the threshold was chosen on these very samples
    roc_auc_ci95: UnitInterval | None = None  # where they are asked for
    apcer_ci95: RateInterval | None = None
    bpcer_ci95: RateInterval | None = None


@dataclass(frozen=True)
class Row:
    """A model by a score, on every data set that it was tested on."""

    run: str  # the id of its first Run
    called: str
    score: str
    trained_on: tuple[str, ...]  # data sets; empty where nobody knows
    threshold: float | None  # None where the rule gives none
    chosen_on: tuple[str, ...]  # subset and data set
    cells: Mapping[str, Cell]

    def changes(self, measure: str) -> dict[str, float]:
        """Data set that it did not learn -> how much higher a measure (`roc_auc`, `apcer`, `bpcer`) is there than on
        those that it learned, the median of these."""
        known = {name: value for name, cell in self.cells.items() if (value := getattr(cell, measure)) is not None}
        home = [value for name, value in known.items() if self.cells[name].is_trained_on]
        if not home:
            return {}
        return {name: v - median(home) for name, v in known.items() if self.cells[name].is_trained_on is False}


@dataclass(frozen=True)
class Matrix:
    """Rows in the order of their first Runs; columns by name. Sentences on what was left out."""

    level: str
    rule: Rule
    tested_on: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """The document of `fas matrix --json`."""
        return metrics.json_safe(asdict(self) | {"rule": self.rule})


def matrix(
    systems: Sequence[System], level: str = FRAME, rule: Rule = DEFAULT, *, with_intervals: bool = False
) -> Matrix:
    """Of Runs by their scores; those of one checkpoint by one score are a row. `with_intervals`: 95 %, by subject.

    Raises BadInputError for a score or level that a Run has not.
    """
    runs = [system.run for system in systems]
    called = naming.told_apart([naming.facts_of(run) for run in runs])
    data_names = _data_names(runs)
    models: dict[tuple[str, str], list[System]] = {}
    for system in systems:
        models.setdefault((system.run.info.checkpoint_sha256 or system.run.id, system.score), []).append(system)
    times = Counter(group[0].run.info.name for group in models.values())
    rows, notes = [], _simulated(runs)
    for group in models.values():
        first = group[0].run
        name = first.info.name if times[first.info.name] == 1 else called[first.id]
        of_model = _model(group, _Asked(level, rule, with_intervals, {s.run.id: data_names[s.run.id] for s in group}))
        rows.append(replace(of_model.row, called=name))
        notes += [
            f"{name} was tested on {data_set} in {n} Runs: the one with the most samples is shown."
            for data_set, n in of_model.n_runs.items()
            if n > 1
        ]
    return Matrix(level, rule, tuple(sorted({name for row in rows for name in row.cells})), tuple(rows), tuple(notes))


def _simulated(runs: Sequence[Run]) -> list[str]:
    """What is to be said of simulated attacks outside training."""
    species = set()
    for run in runs:
        named = [name for name in ("subset", "pai_species", *simulation.COLUMNS) if name in run.column_names()]
        if not set(simulation.COLUMNS) & set(named):
            continue
        rows = run.samples(named)
        if "pai_species" in rows:
            species |= {*simulation.simulated_species(rows[rows["subset"].isin(outside_training(run.subsets))])}
    return [simulation.caveat(sorted(species))] if species else []


@dataclass(frozen=True)
class _Asked:
    """How models are judged; what the data sets of their Runs are called, by the id of the Run."""

    level: str
    rule: Rule
    with_intervals: bool
    data_names: Mapping[str, str]


@dataclass(frozen=True)
class _Model:
    """A model's row, called nothing yet, and in how many of its Runs each data set was tested."""

    row: Row
    n_runs: Mapping[str, int]


def _model(group: Sequence[System], asked: _Asked) -> _Model:
    """Of the Runs of a model by a score; of large ones kept beside them."""
    first = group[0].run
    compute = partial(_judged, group, asked)
    if max(len(system.run) for system in group) < kept.LARGE:
        return compute()
    about = {
        "systems": [_key(system) | {"data": asked.data_names[system.run.id]} for system in group],
        "level": asked.level,
        "rule": repr(asked.rule),
        "with_intervals": asked.with_intervals,
        "format": _FORMAT,
    }
    return memo.document(first.cache, "matrix", about, _Model, compute)


def _key(system: System) -> dict[str, object]:
    """Stands for what is read of a Run and its score."""
    run, score = system
    of_score = kept.OfScore(run, score, partial(scores.values, run, score), run.subsets)
    return of_score.key() | {"id": run.id, "learned": [sorted(_sources_learned(run)), _has_learned_manifest(run)]}


@dataclass(frozen=True)
class _Tested:
    """A Run by a score, and the data set of each of its m presentations: its position in `data_sets`, -1 of none."""

    system: System
    decided: Presentations
    of: NDArray[np.intp]  # (m,)
    data_sets: Sequence[str]

    @property
    def names(self) -> list[str]:
        return self.among(self.decided.within(outside_training(self.system.run.subsets)))

    def among(self, chosen: NDArray[np.bool_]) -> list[str]:
        """By name, the data sets that some presentations, (m,) booleans, are of."""
        n_of_each = np.bincount(self.of[chosen] + 1, minlength=len(self.data_sets) + 1)[1:]
        return sorted(name for name, n in zip(self.data_sets, n_of_each, strict=True) if n)

    def are_of(self, name: str) -> NDArray[np.bool_]:
        """(m,) which presentations are of a data set."""
        return self.of == (self.data_sets.index(name) if name in self.data_sets else len(self.data_sets))

    def for_choosing(self, wanted: Sequence[str]) -> list[tuple[tuple[str, str], NDArray[np.bool_]]]:
        """Subset and data set, and (m,) which presentations these are, on which a threshold can be chosen; of the data
        sets that are `wanted`, if any."""
        return [
            ((subset, name), chosen)
            for subset in dev_subsets(self.system.run.subsets)
            for name in wanted or sorted(self.data_sets)
            if (chosen := self.decided.within([subset]) & self.are_of(name)).any()
        ]

    def judged(self, name: str) -> tuple[Presentations, bool]:
        """The presentations of a data set, and whether those of the subset for choosing are among them."""
        subsets = self.system.run.subsets
        for wanted in (fresh_subsets(subsets, dev_subsets(subsets)), outside_training(subsets)):
            chosen = self.decided.within(wanted) & self.are_of(name)
            is_attack = self.decided.of.kinds[0][chosen] > 0
            if is_attack.any() and not is_attack.all():
                break
        return self.decided.part(chosen), bool(set(wanted) & set(dev_subsets(subsets)))


def _tested(system: System, level: str, data_name: str) -> _Tested:
    run, score = system
    decided = presentations(run, scores.values(run, score), level, columns=[SOURCE, TRAINING_USE])
    if SOURCE not in decided.rows:
        return _Tested(system, decided, np.zeros(len(decided.rows), np.intp), [data_name])
    sources = decided.rows[SOURCE].astype("str")
    of, data_sets = pd.factorize(sources.where(sources != ""))
    return _Tested(system, decided, of, data_sets.tolist())


def _data_names(runs: Sequence[Run]) -> dict[str, str]:
    """By id, what the data set of a Run is called: its manifest's name; where that is of several, with the modality,
    and where this tells too few of them apart, with the hash."""
    facts = {run.id: naming.facts_of(run) for run in runs}
    modalities, hashes = defaultdict[str, set[str]](set), defaultdict[tuple[str, str], set[str]](set)
    for of_run in facts.values():
        modalities[of_run.data].add(of_run.modality)
        hashes[of_run.data, of_run.modality].add(of_run.data_sha256)

    def name(of_run: naming.Facts) -> str:
        if not of_run.data:
            return of_run.name
        modality = of_run.modality if len(modalities[of_run.data]) > 1 else ""
        sha256 = of_run.data_sha256[:6] if len(hashes[of_run.data, of_run.modality]) > 1 else ""
        return " ".join(filter(None, [of_run.data, modality, sha256]))

    return {run: name(of_run) for run, of_run in facts.items()}


def _trained_on(group: Sequence[_Tested], data_names: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
    """The data sets that a model has learned, and whether it is known that it has learned no other one that is tested.

    By the sources that its checkpoint names, by the contents of its training images, by the manifest it was trained on.
    """
    learned = _sources_learned(group[0].system.run)
    is_known = bool(learned)
    for tested in group:
        rows, run = tested.decided.rows, tested.system.run
        if TRAINING_USE in rows:
            learned |= set(tested.among((rows[TRAINING_USE] == LEARNED).to_numpy(bool)))
            is_known = True
        if SOURCE not in rows and _has_learned_manifest(run):
            learned.add(data_names[run.id])
            is_known = True
    return tuple(sorted(learned - {""})), is_known


def _sources_learned(run: Run) -> set[str]:
    """Those that a Run's checkpoint names."""
    images = run.info.checkpoint_header.get("images", {})
    sources = images.get("sources", {}) if isinstance(images, Mapping) else {}
    return set(map(str, sources)) if isinstance(sources, Mapping) else set()


def _has_learned_manifest(run: Run) -> bool:
    """Whether a Run's checkpoint was trained on its manifest."""
    sha256 = run.info.manifest_sha256
    return bool(sha256) and run.info.checkpoint_header.get("data_sha256") == sha256


def _judged(systems: Sequence[System], asked: _Asked) -> _Model:
    group = [_tested(system, asked.level, asked.data_names[system.run.id]) for system in systems]
    trained_on, is_known = _trained_on(group, asked.data_names)
    threshold, chosen_on = _threshold(group, trained_on, asked.rule)
    cells: dict[str, Cell] = {}
    n_runs: Counter[str] = Counter()
    for tested in group:
        for name in tested.names:
            is_trained_on = name in trained_on if is_known else None
            cell = _cell(tested, name, is_trained_on, threshold, chosen_on, with_intervals=asked.with_intervals)
            before = cells.get(name)
            n_runs[name] += 1
            if before is None or cell.n_bona_fide + cell.n_attack > before.n_bona_fide + before.n_attack:
                cells[name] = cell
    first = group[0].system
    row = Row(first.run.id, "", first.score, trained_on, threshold, tuple(map(" of ".join, chosen_on)), cells)
    return _Model(row, n_runs)


def _threshold(
    group: Sequence[_Tested], trained_on: Sequence[str], rule: Rule
) -> tuple[float | None, list[tuple[str, str]]]:
    """A model's threshold, and the subsets and data sets that chose it: where it learned, else where it is tested; of
    the first Run that has some, all of them together."""
    for wanted in (trained_on, ()) if trained_on else ((),):
        for tested in group:
            places = tested.for_choosing(wanted)
            if not places:
                continue
            chosen = np.logical_or.reduce([mask for _, mask in places])
            part = tested.decided.part(chosen)
            with suppress(UndefinedMetricError):
                return part.threshold_by(rule, tested.system.run.subsets), [place for place, _ in places]
    return None, []


def _cell(
    tested: _Tested,
    name: str,
    is_trained_on: bool | None,
    threshold: float | None,
    chosen_on: Sequence[tuple[str, str]],
    *,
    with_intervals: bool,
) -> Cell:
    part, holds_choosing = tested.judged(name)
    subsets = tested.system.run.subsets
    scored, is_attack = part.score_set(subsets), part.of.kinds[0] > 0
    auc = eer = interval = None
    with suppress(UndefinedMetricError):
        auc, eer = metrics.roc_auc(scored), metrics.equal_error_rate(scored).value
        interval = auc_interval(part, subsets) if with_intervals else None
    rates = None if threshold is None else metrics.rates_at(scored, threshold)
    reported = rates_at(part, subsets, threshold) if threshold is not None and with_intervals else None
    people = part.rows["subject_id"].drop_duplicates() if "subject_id" in part.rows else pd.Series([], dtype="str")
    return Cell(
        tested.system.run.id,
        auc,
        eer,
        int((~is_attack).sum()),
        int(is_attack.sum()),
        int(is_named(people).sum()) or None,
        is_trained_on,
        None if rates is None else rates.apcer_max,
        None if rates is None else rates.apcer_worst,
        None if rates is None else rates.bpcer,
        holds_choosing and any(of == name for _, of in chosen_on),
        interval,
        None if reported is None else reported.worst_interval,
        None if reported is None else reported.bpcer_interval,
    )


# ------------------------------------------------------------------------------------------------------- in words

_SAME = 0.005  # a smaller change of AUC is none in two decimals


def answer(of: Matrix) -> str:
    """By how much AUC changes from what models have learned to what they have not, in a sentence."""
    changes = _changes(of, "roc_auc")
    if not changes:
        return _without_changes(of)
    typical = median(change for change, _, _ in changes)
    direction = "" if abs(typical) < _SAME else "falls" if typical < 0 else "rises"
    said = f"{direction} by {abs(typical):.2f}" if direction else "stays as it is"
    if len(changes) == 1:
        _, called, name = changes[0]
        return f"Judged on other data than it learned, {called} on {name}, AUC {said}."
    said += f" at the median of {len(changes)} pairs"
    furthest = {"rises": max(changes), "falls": min(changes)}
    for verb, (change, called, name) in sorted(furthest.items(), key=lambda way: way[0] != direction):
        if (change if verb == "rises" else -change) >= _SAME:
            most = "most" if verb == direction else f"it {verb} most"
            said += f"; {most} for {called} on {name}, {_signed(change)}"
    return f"Judged on other data than they learned, AUC {said}."


def answer_of_rates(of: Matrix) -> str:
    """The same of both errors at the models' thresholds; "" where no model has both sides."""
    apcer, bpcer = ([change for change, _, _ in _changes(of, measure)] for measure in ("apcer", "bpcer"))
    if not apcer or not bpcer:
        return ""
    n = max(len(apcer), len(bpcer))
    at = f" at the median of {n} pairs" if n > 1 else ""
    return (
        f"With the threshold of the data they learned, on other data the worst APCER {_points(median(apcer))} and "
        f"BPCER {_points(median(bpcer))}{at}."
    )


def _changes(of: Matrix, measure: str) -> list[tuple[float, str, str]]:
    """Change, model and data set of each pair of a model and a data set that it did not learn."""
    return [(change, row.called, name) for row in of.rows for name, change in row.changes(measure).items()]


def _points(change: float) -> str:
    n = round(100 * abs(change))
    return f"{'rises' if change > 0 else 'falls'} by {n} point{'s' if n != 1 else ''}" if n else "stays as it is"


def _without_changes(of: Matrix) -> str:
    cells = [cell for row in of.rows for cell in row.cells.values() if cell.roc_auc is not None]
    if not cells:
        return "No data set here has live faces and attacks outside training: there is no AUC."
    if all(cell.is_trained_on is None for cell in cells):
        return "What these models have learned is not known, so that nobody can say which data are new to them."
    if all(cell.is_trained_on for cell in cells):
        return "Every model is judged only on the data set it learned from: cache it on another one, too."
    return "No model is judged both on a data set that it has learned and on one that it has not."


def _signed(change: float) -> str:
    return f"{change:+.2f}".replace("-", "−")


CAUTION = "Data may be harder as well as foreign: down a column, all models are judged on the same."
