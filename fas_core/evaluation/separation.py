"""What the codes of a Run encode, in numbers: attacks, and just as well pose, glasses, brightness, ...

    found = of_run(run)
    found.comparisons, found.sentence()

A comparison has sides: live images and the attacks of one species in one subset, or live images with different values
of a column (a nuisance: codes need not show it to find attacks). Its measures are those of `sides`, all of the same
images, and `mahalanobis` and `likelihood`, the AUCs of two scores that are told nothing: whether the second side looks
less like live training images than the first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo, metrics, scores
from fas_core.data.measures import luma
from fas_core.data.names import ALL, ATTACK, BONA_FIDE, in_protocol_order, is_training
from fas_core.documents import read_as
from fas_core.evaluation import breakdown
from fas_core.evaluation.sides import Measure, measures
from fas_core.latent.projection import sampled_rows
from fas_core.metrics.uncertainty import Units, codes_of, unit_of
from fas_core.runs.store import Run

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

ONE_CLASS = {"mahalanobis": "mahalanobis", "likelihood": "gmm_nll"}  # measure -> the score it is the AUC of
MEASURES = ("probe", *ONE_CLASS, "purity", "silhouette", "frechet")
LIMIT = 2000  # images of a comparison; of more, a sample with the same share of every side
MIN_SAMPLES, MIN_UNITS = 5, 2  # of a side
MAX_VALUES = 10  # of a column; one with more different numbers is cut at its median
BRIGHTNESS = "brightness"  # mean of an image, 0 to 1; always compared
NO_NUISANCE = ("subset", "split", "is_constant")  # what the protocol and the reading of files say of an image
_IMAGES_AT_ONCE = 1024
_FORMAT = 1  # of the stored result; raise it whenever a measure changes


@dataclass(frozen=True)
class Comparison:
    """The measures of two or more sides. A measure that is not defined is None."""

    kind: str  # "attack" or "nuisance"
    column: str  # of a nuisance; of an attack its species
    subset: str  # of an attack; "" for a nuisance
    sides: tuple[str, ...]  # for an attack: live images and the species
    counts: tuple[int, ...]  # images of each side
    n_units: int
    unit: str  # "subject", "video", "session" or "sample": what is left out of a probe and resampled
    is_of_unit: bool  # whether no unit has images on two sides, as with a nuisance that is a trait of a person
    measures: Mapping[str, Measure | None]

    @property
    def name(self) -> str:
        words = self.column.replace("_", " ")
        if self.subset in ("", ALL):
            return words
        of_subset = self.subset.replace("_", " ")
        return of_subset if self.column in self.subset.split("_") else f"{words} of {of_subset}"


@dataclass(frozen=True)
class Separation:
    """Attacks in the protocol's order, then nuisances by name. `left_out`: columns that are not compared, and why."""

    comparisons: tuple[Comparison, ...]
    left_out: Mapping[str, str]

    def within(self, subsets: Sequence[str]) -> Separation:
        """Without the attacks of other subsets."""
        chosen = tuple(
            comparison for comparison in self.comparisons if comparison.kind != "attack" or comparison.subset in subsets
        )
        return Separation(chosen, self.left_out)

    def clearest_first(self, kind: str) -> list[Comparison]:
        """Attacks or nuisances by their probe; those without one are left out."""
        of_kind = [comparison for comparison in self.comparisons if comparison.kind == kind]
        return [comparison for _, comparison in sorted(_aucs(of_kind, "probe"), key=lambda pair: -pair[0].value)]

    def sentence(self) -> str:
        """What the codes show best, attacks or nuisances, and what a distance from live codes makes of both."""
        attacks, nuisances = self.clearest_first("attack"), self.clearest_first("nuisance")
        told = sorted(_aucs(attacks, "mahalanobis"), key=lambda pair: pair[0].value)
        parts = [_probes_in_words(attacks, nuisances)]
        if told:
            ends = [
                f"{_bracketed(auc)} for {comparison.name}"
                for auc, comparison in (told if len(told) == 1 else told[:: len(told) - 1])
            ]
            reached = f"an AUC of {ends[0]}" if len(ends) == 1 else f"AUCs from {ends[0]} to {ends[1]}"
            parts.append(
                f"The distance from live training codes, which is not told what attacks are, reaches {reached}."
            )
        odd = [pair for pair in _aucs(nuisances, "mahalanobis") if _is_off_chance(pair[0])]
        if odd:
            auc, trait = max(odd, key=lambda pair: abs(pair[0].value - 0.5))
            side, auc = (trait.sides[1], auc) if auc.value > 0.5 else (trait.sides[0], _mirrored(auc))
            parts.append(
                f"Of live faces, those where {trait.name} is {side} look most like attacks to it, "
                f"AUC {_bracketed(auc)}."
            )
        return " ".join(parts)


def _aucs(comparisons: Sequence[Comparison], name: str) -> list[tuple[Measure, Comparison]]:
    return [(auc, comparison) for comparison in comparisons if (auc := comparison.measures[name]) is not None]


def _is_off_chance(auc: Measure) -> bool:
    return auc.low is not None and auc.high is not None and not auc.low <= 0.5 <= auc.high


def _mirrored(auc: Measure) -> Measure:
    """Of the other side."""
    ends = (None, None) if auc.low is None or auc.high is None else (1 - auc.high, 1 - auc.low)
    return Measure(1 - auc.value, *ends)


def _probes_in_words(attacks: Sequence[Comparison], nuisances: Sequence[Comparison]) -> str:
    """One sentence on comparisons that have a probe, the clearest first."""
    of_attacks, of_nuisances = (
        [(auc.value, f"{comparison.name} (AUC {_in_words(auc)})") for auc, comparison in _aucs(kind, "probe")]
        for kind in (attacks, nuisances)
    )
    if not of_attacks and not of_nuisances:
        return "There is nothing to compare: no side has enough images of enough subjects."
    if not of_attacks:
        return f"There is no attack to compare; of nuisances, codes show {of_nuisances[0][1]} most clearly."
    (most, clearest), (least, hardest) = of_attacks[0], of_attacks[-1]
    if not of_nuisances:
        rest = f", and least {hardest}" if len(of_attacks) > 1 else ""
        return f"Codes show {clearest} most clearly{rest}; there is no nuisance to compare."
    value, nuisance = of_nuisances[0]
    if len(of_attacks) == 1:
        than = "more clearly than anything that is no attack" if least > value else "no more clearly than"
        return f"Codes show {hardest} {than}{', even' if least > value else ''} {nuisance}."
    if least > value:
        return f"Codes show every attack, even {hardest}, more clearly than any nuisance, even {nuisance}."
    if most > value:
        return f"Codes show {clearest} more clearly than any nuisance, but {nuisance} more clearly than {hardest}."
    return f"Codes show {nuisance}, which is no attack, at least as clearly as any attack: {clearest} to {hardest}."


def _in_words(measure: Measure) -> str:
    """0.93, 0.87 to 0.98"""
    if measure.low is None or measure.high is None:
        return f"{measure.value:.2f}"
    return f"{measure.value:.2f}, {measure.low:.2f} to {measure.high:.2f}"


def _bracketed(measure: Measure) -> str:
    """0.93 (0.87 to 0.98)"""
    value, _, ends = _in_words(measure).partition(", ")
    return f"{value} ({ends})" if ends else value


# --------------------------------------------------------------------------------------------------------------- a Run


def known(run: Run) -> Separation | None:
    """The stored result, or None while nobody has computed it. Never computes: pages may call it."""
    arrays = memo.found(run.cache, "separation", _parameters(run))
    return None if arrays is None else _read(arrays)


def is_known(run: Run) -> bool:
    """Whether it is stored; it is not read."""
    return memo.is_kept(run.cache, "separation", _parameters(run))


def of_run(run: Run) -> Separation:
    """The comparisons of a Run; computed once, in seconds, then read from the memo. The same on every call."""

    def computed() -> dict[str, NDArray[np.str_]]:
        return {"json": np.array(json.dumps(metrics.json_safe(asdict(_computed(run)))))}

    return _read(memo.arrays(run.cache, "separation", _parameters(run), computed))


def _read(arrays: Mapping[str, NDArray[Any]]) -> Separation:
    return read_as(Separation, json.loads(str(arrays["json"])), "the stored separation")


def _parameters(run: Run) -> dict[str, object]:
    return {"run": run.shards_digest, "format": _FORMAT, "limit": LIMIT}


def _computed(run: Run) -> Separation:
    has = run.column_names()
    identity = [c for c in ("subject_id", "video_id", "session_id") if c in has]
    samples = run.samples(["subset", "label", "pai_species", *identity])
    offered = scores.offered(run)

    def compared(rows: NDArray[np.int64], sides: Ints, names: Sequence[str], **about: str) -> Comparison:
        """`sides` of `rows`, both (n,)."""
        order = np.argsort(rows)
        order = order[sampled_rows(sides[order].astype(str), LIMIT, 0)]
        rows, sides = rows[order], sides[order]
        outputs = scores.OfRows(run, rows)
        of_codes = {}
        for measure, score in ONE_CLASS.items():
            if score in offered:
                of_codes[measure] = scores.of_outputs(outputs, score, run)
        units = unit_of(samples.iloc[rows])
        codes, n_units = codes_of(units.groups)
        per_unit = np.unique(np.stack([codes, sides]), axis=1).shape[1]
        return Comparison(
            **about,
            sides=tuple(names),
            counts=tuple(np.bincount(sides, minlength=len(names)).tolist()),
            n_units=n_units,
            unit=units.name,
            is_of_unit=units.name != "sample" and per_unit == n_units,
            measures=dict.fromkeys(MEASURES) | measures(outputs.codes, sides, units, of_codes),
        )

    attacks = _attacks(samples, compared)
    nuisances, left_out = _nuisances(run, samples, compared)
    return Separation((*attacks, *nuisances), left_out)


def _live_rows(samples: pd.DataFrame) -> NDArray[np.int64]:
    """Bona fide images outside training; those of training where there are no others."""
    live = (samples["label"] == BONA_FIDE).to_numpy()
    outside = live & ~is_training(samples)
    return np.flatnonzero(outside if outside.any() else live)


def _attacks(samples: pd.DataFrame, compared: Callable[..., Comparison]) -> list[Comparison]:
    """Each species of each subset against the live images of the same subset, or, where those are too few, all."""
    is_attack = (samples["label"] == ATTACK).to_numpy()
    subset = samples["subset"].to_numpy(str)
    species = metrics.species_names(is_attack, samples["pai_species"])
    all_live = _live_rows(samples)
    comparisons = []
    for name in in_protocol_order(sorted(set(subset[is_attack]))):
        of_subset = np.flatnonzero(~is_attack & (subset == name))
        live = of_subset if len(of_subset) >= MIN_SAMPLES else all_live
        for kind in sorted(set(species[is_attack & (subset == name)])):
            attacks = np.flatnonzero((species == kind) & (subset == name))
            if min(len(live), len(attacks)) < MIN_SAMPLES:
                continue
            sides = np.repeat([0, 1], [len(live), len(attacks)])
            against = "live" if live is of_subset else "live of all subsets"
            rows = np.concatenate([live, attacks])
            comparisons.append(compared(rows, sides, (against, kind), kind="attack", column=kind, subset=name))
    return comparisons


def _nuisances(
    run: Run, samples: pd.DataFrame, compared: Callable[..., Comparison]
) -> tuple[list[Comparison], dict[str, str]]:
    """Columns of the live images outside training, and their brightness; and why others are left out."""
    live = _live_rows(samples)
    names = [c for c in breakdown.columns_for(run) if c not in NO_NUISANCE]
    names += [c for c in ("session_id",) if c in samples]
    values = run.samples(["label", *names]).iloc[live][names]  # as many rows as there are, also of no column
    if BRIGHTNESS not in names and run.has("inputs"):
        if len(live) > LIMIT:  # the brightness of no more images than are compared: each is read for it
            some = sampled_rows(samples["subset"].to_numpy(str)[live], LIMIT, 0)
            bright = np.full(len(live), np.nan)
            bright[some] = brightness(run, live[some])
        else:
            bright = brightness(run, live)
        values = values.assign(**{BRIGHTNESS: bright})
    units = unit_of(samples.iloc[live])
    comparisons, left_out = [], {}
    for column in sorted(values.columns):
        sides, of_sides, problem = sides_of(values[column], units)
        if problem:
            left_out[column] = problem
            continue
        stated = sides >= 0
        comparisons.append(compared(live[stated], sides[stated], of_sides, kind="nuisance", column=column, subset=""))
    return comparisons, left_out


def brightness(run: Run, rows: NDArray[np.int64]) -> Floats:
    """Mean of the images in `rows`, 0 (black) to 1: (n,)."""
    blocks = [luma(run.images("inputs", rows[i : i + _IMAGES_AT_ONCE])) for i in range(0, len(rows), _IMAGES_AT_ONCE)]
    return np.concatenate([block.mean((1, 2)) for block in blocks] or [np.empty(0)]) / 255


def sides_of(values: pd.Series, units: Units) -> tuple[Ints, list[str], str]:
    """Codes (n,) of the sides that a column makes, -1 = of none; their names; why there are no sides, or "".

    Values with too few images or units are of none. More than `MAX_VALUES` different numbers make two sides: up to
    their median, and above.
    """
    codes, texts = breakdown.stated(values)
    names = texts.tolist()
    if len(names) > MAX_VALUES:
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
        if np.isnan(numbers).any():
            return np.full(len(values), -1), [], f"more than {MAX_VALUES} different texts"
        of_rows = np.where(codes < 0, np.nan, numbers[codes])
        middle = float(np.nanmedian(of_rows))
        codes = np.where(codes < 0, -1, of_rows > middle)
        names = [f"up to {middle:.3g}", f"above {middle:.3g}"]
    enough = [
        side
        for side in range(len(names))
        if (codes == side).sum() >= MIN_SAMPLES and len(np.unique(units.groups[codes == side])) >= MIN_UNITS
    ]
    if len(enough) < 2:
        people = "" if units.name == "sample" else f" of {MIN_UNITS} {units.name}s"
        return np.full(len(values), -1), [], f"fewer than two values with {MIN_SAMPLES} live images{people}"
    renumbered = np.full(len(names) + 1, -1)  # the last is what code -1 finds
    renumbered[enough] = np.arange(len(enough))
    return renumbered[codes], [names[side] for side in enough], ""
