"""One slider that moves everything: rates, counts, curves and histograms follow a threshold while it is dragged.

    made = prepared(cells, reported=["test"])  # once per set of scores: keep it
    threshold_panel(made, threshold=0.5, limits=(0.0, 1.0), roles={"test": "reported"}, ...)

The browser has every score, sorted per cell, and counts by binary search in double precision; it decides as
`metrics.is_attack` does (score >= threshold is an attack), ties included. The server hears the release alone. What
cannot be had by counting, that is intervals and curves, is made here and looked up there.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from json import dumps, loads
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from app.components.bundle import mounted
from fas_core import metrics
from fas_core.data.names import ATTACK, BONA_FIDE, readable
from fas_core.documents import Json
from fas_core.evaluation.verdicts import MISSED, REJECTED, RIGHT
from fas_core.metrics import ScoreSet, bins, uncertainty
from fas_core.reports.palette import ALL_ATTACKS, NEUTRAL, Style, style_of

Floats = NDArray[np.float64]
GridOf = Callable[[Floats], Floats]  # of scores in order

FORMAT = 2  # of `arrays_of`
PLANES = ("roc", "pr", "det")
CURVE_POINTS = 1500  # per species: every rate is within about 1 % of the full curve, a pixel or two
EXACT_ENDS, QUANTILES = 32, 192  # of a grid for intervals: that many scores at both ends, and between them
VIEW = (0.5, 99.5)  # percentiles of the shown scores between which the axis is at full scale

_ALIGNED = 8  # bytes at which arrays begin

_mount = mounted(Path(__file__), '<div class="threshold"></div>\n')


@dataclass(frozen=True)
class Cell:
    """The bona fide samples of one subset, or its attacks of one species."""

    subset: str
    species: str  # "" for bona fide
    scores: Floats  # (n,), NaN where there is none
    rows: pd.DataFrame  # (n,) those of the columns of `uncertainty.UNITS` that are known
    style: Style


@dataclass(frozen=True)
class Prepared:
    """What does not depend on the threshold, ready for the browser. `key` stands for all of it."""

    key: str
    json: Json
    numbers: pa.Table  # one row, one column: the bytes that `json` points into, see `_Numbers`


@dataclass(frozen=True)
class Limit:
    """At most this share of live samples rejected, or of attacks let through."""

    rate: str  # "bpcer" or "apcer"
    at_most: float
    species: str = ""  # "" for the worst one
    at_95: bool = False  # whether the upper bound is to keep to it too


@dataclass(frozen=True)
class Counted:
    """The samples that a number counts."""

    verdict: str | None  # of `evaluation.verdicts`; None: whatever it is
    label: str
    species: str | None  # None: of every species
    subset: str | None = None  # None: those that are reported


@dataclass(frozen=True)
class Heard:
    """Who hears what people do."""

    threshold: Callable[[float], None]
    prevalence: Callable[[float], None]
    pinned: Callable[[list[str]], None]
    plane: Callable[[str], None]
    freeze: Callable[[float], None] | None  # None: who is at the page may not, and there is no button
    open: Callable[[Counted], None]


@dataclass
class _Numbers:
    """Arrays put one behind the other; each is known by its [start, length, bytes of a number], the start in float64.

    Those that float32 holds exactly, as the scores of models, take half as much and are the same in the browser.
    """

    arrays: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, values: NDArray[Any]) -> list[int]:
        numbers = np.ascontiguousarray(values, np.float64)
        with np.errstate(over="ignore"):  # to infinity, which is another number
            short = numbers.astype(np.float32)
        sent = short if np.array_equal(short, numbers, equal_nan=True) else numbers
        at = [self.size, len(sent), sent.itemsize]
        self.arrays.append(sent.tobytes() + bytes(-sent.nbytes % _ALIGNED))
        self.size += len(self.arrays[-1]) // _ALIGNED
        return at

    def bytes(self) -> bytes:
        return b"".join(self.arrays)


def prepared(
    cells: Sequence[Cell], *, reported: Sequence[str], decisions: str = "samples", exact_at: float | None = None
) -> Prepared:
    """Sorted scores of every cell, and of the `reported` subsets together curves, areas and intervals.

    `decisions`: what the scores are of, in a word: samples, images, videos. `exact_at`: a threshold at which intervals
    are those of the card and the tables to the last digit; elsewhere, of many scores, they are looked up between
    neighbours. Takes seconds for 300,000 scores.
    """
    numbers = _Numbers()
    grid = partial(_grid, exact_at=exact_at)
    attacked = {cell.subset for cell in cells if cell.species}
    of_cells = [_of_cell(cell, _label(cell, attacked), numbers, grid) for cell in cells]
    subsets = list(dict.fromkeys(cell.subset for cell in cells))
    json = {
        "cells": of_cells,
        "groups": _groups(cells, set(reported), numbers, grid),
        "subsets": [{"name": name, "words": readable(name)} for name in subsets],
        "reported": [name for name in subsets if name in reported],
        "view": _view([cell.scores for cell in cells]),
        "neutral": NEUTRAL,
        "decisions": decisions,
    }
    content = numbers.bytes()
    key = hashlib.sha256(content + dumps(json).encode()).hexdigest()
    return Prepared(key, json, _table(np.frombuffer(content, np.uint8)))


def arrays_of(panel: Prepared) -> dict[str, NDArray[Any]]:
    """All of it, to be kept: in `FORMAT`."""
    _, _, content = panel.numbers.column(0).chunk(0).buffers()
    json = np.frombuffer(dumps(panel.json).encode(), np.uint8)
    return {"key": np.array(panel.key), "json": json, "numbers": np.frombuffer(content, np.uint8)}


def of_arrays(arrays: Mapping[str, NDArray[Any]]) -> Prepared:
    """What `arrays_of` was given."""
    return Prepared(str(arrays["key"]), loads(arrays["json"].tobytes()), _table(arrays["numbers"]))


def _table(content: NDArray[np.uint8]) -> pa.Table:
    places = np.array([0, content.nbytes], np.int64)
    binary = pa.Array.from_buffers(pa.large_binary(), 1, [None, pa.py_buffer(places), pa.py_buffer(content)])
    return pa.table({"numbers": binary})


def threshold_panel(
    panel: Prepared,
    *,
    score: str,
    threshold: float,
    limits: tuple[float, float],
    roles: Mapping[str, str],
    prevalence: float,
    limit: Limit | None,
    pinned: Sequence[str],
    plane: str,
    heard: Heard,
    key: str,
) -> None:
    """Draws the page's live part.

    `limits`: lowest and highest threshold that can be set. `roles`: what each subset is used for, in words.
    `prevalence`: the share of attacks for which precision is stated. `limit`: what the rule asks for, None where it
    asks for nothing. `pinned`: species that lead the sentences. `plane`: one of `PLANES`, drawn where there is room for
    one. `heard`: is told of what was released, typed or clicked, before the page runs again.
    """
    _mount(
        key=key,
        data={
            "key": panel.key,
            "made": panel.json,
            "numbers": panel.numbers,
            "score": score,
            "threshold": threshold if math.isfinite(threshold) else str(threshold),
            "limits": list(limits),
            "roles": dict(roles),
            "prevalence": prevalence,
            "limit": None if limit is None else asdict(limit),
            "pinned": list(pinned),
            "plane": plane,
            "freezes": heard.freeze is not None,
        },
        on_threshold_change=lambda: _if_finite(_said(key, "threshold"), heard.threshold),
        on_prevalence_change=lambda: _if_finite(_said(key, "prevalence"), heard.prevalence),
        on_pinned_change=lambda: _if_names(_said(key, "pinned"), heard.pinned),
        on_plane_change=lambda: _if_plane(_said(key, "plane"), heard.plane),
        on_freeze_change=lambda: _if_finite(_said(key, "freeze"), heard.freeze or _nobody),
        on_open_change=lambda: _if_counted(_said(key, "open"), heard.open),
    )


def _said(key: str, name: str) -> object:
    return st.session_state[key].get(name)


def _nobody(_: float) -> None:
    """Hears of what nobody may do."""


def _if_finite(value: object, tell: Callable[[float], None]) -> None:
    if isinstance(value, int | float) and math.isfinite(value):
        tell(float(value))


def _if_names(value: object, tell: Callable[[list[str]], None]) -> None:
    if isinstance(value, list):
        tell([name for name in value if isinstance(name, str)])


def _if_plane(value: object, tell: Callable[[str], None]) -> None:
    if value in PLANES:
        tell(str(value))


def _if_counted(value: object, tell: Callable[[Counted], None]) -> None:
    if not isinstance(value, dict):
        return
    verdict, species, subset = (
        None if value.get(k) is None else str(value[k]) for k in ("verdict", "species", "subset")
    )
    counted = Counted(verdict, str(value.get("label")), species, subset)
    if counted.verdict in (None, MISSED, REJECTED, RIGHT) and counted.label in (ATTACK, BONA_FIDE):
        tell(counted)


def _answered(cell: Cell) -> Floats:
    return cell.scores[~np.isnan(cell.scores)]


def _of_cell(cell: Cell, label: str, numbers: _Numbers, grid_of: GridOf) -> Json:
    return {
        "subset": cell.subset,
        "species": cell.species,
        "species_words": readable(cell.species),
        "words": label,
        "scores": numbers.add(np.sort(_answered(cell))),
        "missing": int(np.isnan(cell.scores).sum()),
        **_drawn(cell.style),
        **_intervals([cell], numbers, grid_of),
    }


def _label(cell: Cell, attacked: set[str]) -> str:
    """The subset, and the kind where that does not go without saying."""
    subset = readable(cell.subset)
    if not cell.species:
        return f"{subset} · live" if cell.subset in attacked else subset
    is_named = cell.subset in (f"seen_{cell.species}", f"unseen_{cell.species}")
    return f"{subset} · {'attacks' if is_named else readable(cell.species)}"


def _drawn(style: Style) -> Json:
    return {"colour": style.colour, "dash": style.dash, "hollow": style.is_hollow}


def _groups(cells: Sequence[Cell], reported: set[str], numbers: _Numbers, grid_of: GridOf) -> list[Json]:
    """The reported samples: bona fide, every species in order of name, and all attacks together."""
    here = [i for i, cell in enumerate(cells) if cell.subset in reported]
    species = sorted({cells[i].species for i in here} - {""})
    codes = {name: code for code, name in enumerate(["", *species])}
    pooled = metrics.score_set_from_codes(
        np.concatenate([*(cells[i].scores for i in here), np.empty(0)]),
        np.repeat([codes[cells[i].species] for i in here], [cells[i].scores.size for i in here]).astype(np.int32),
        species,
    )
    # One species, as it were: thinned curves are as fine as there are few species in them.
    as_one = ScoreSet(pooled.bona_fide, {ALL_ATTACKS: pooled.pooled}, pooled.pooled, pooled.n_non_response)
    live = [i for i in here if not cells[i].species]
    attacks = [i for i in here if cells[i].species]
    kinds = [("bona_fide", "", "bona fide", style_of("bona fide"), live)]
    for name in species:
        members = [i for i in attacks if cells[i].species == name]
        kinds.append(("species", name, readable(name), style_of(name), members))
    kinds.append(("attacks", "", ALL_ATTACKS, Style(NEUTRAL), attacks))
    groups = []
    for kind, name, words, style, members in kinds:
        of_group = metrics.of_species(pooled, name) if kind == "species" else as_one
        drawn = kind != "bona_fide" and of_group.n_bona_fide > 0 and of_group.n_attack > 0
        groups.append(
            {"kind": kind, "name": name, "words": words, "cells": members, **_drawn(style)}
            | {
                "curve": _curve(of_group, numbers) if drawn else None,
                "auc": metrics.roc_auc(of_group) if drawn else None,
            }
            | _intervals([cells[i] for i in members], numbers, grid_of, with_upper=True, is_attack=kind != "bona_fide")
        )
    return groups


def _curve(scores: ScoreSet, numbers: _Numbers) -> Json:
    """Polylines of ROC, precision-recall, DET and both error rates against the threshold."""
    full = metrics.thinned(metrics.curves(scores), CURVE_POINTS)
    return {
        "thresholds": numbers.add(full.thresholds),
        "bpcer": numbers.add(full.bpcer),
        "found": numbers.add(full.tpr),
        "precision": numbers.add(full.precision),
    }


def _intervals(
    cells: Sequence[Cell], numbers: _Numbers, grid_of: GridOf, *, with_upper: bool = False, is_attack: bool = False
) -> Json:
    """95 % intervals of the share of scores at or above a threshold, on a grid of thresholds; `with_upper`: and the
    one-sided upper bound of the share of errors, which a limit is held against.

    The grid has every score, or of many the outermost and quantiles between. `counts` (descending) are the scores at or
    above each: the browser, which knows its own count exactly, looks between the two nearest.
    """
    scores = np.concatenate([*(_answered(cell) for cell in cells), np.empty(0)])
    if not scores.size:
        return {"n": 0, "unit": "sample", "n_units": 0, "band": None}
    rows = pd.concat([cell.rows[~np.isnan(cell.scores)] for cell in cells], ignore_index=True)
    units = uncertainty.unit_of(rows)
    ordered = np.sort(scores)
    grid = grid_of(ordered)
    counts = ordered.size - np.searchsorted(ordered, grid, side="left")
    n_units = int(uncertainty.codes_of(units.groups)[1])
    about = {"n": scores.size, "unit": units.name, "n_units": n_units, "band": None}
    band = uncertainty.rate_bands(scores, units, grid)
    if band is None:  # all of one unit, which says nothing about others
        return about
    arrays = {"grid": grid, "counts": counts, "low": band[0], "high": band[1]}
    if with_upper:
        arrays["upper"] = _upper(scores, units, grid, is_attack=is_attack)
    return about | {"band": {name: numbers.add(values) for name, values in arrays.items()}}


def _upper(scores: Floats, units: uncertainty.Units, grid: Floats, *, is_attack: bool) -> Floats:
    """(m,) the upper 95 % bound of the share of live scores at or above each threshold, or of attacks below it."""
    # Attacks below t are those whose negative is above -t.
    with np.errstate(over="ignore"):  # above the largest number is infinity
        asked = np.nextafter(-grid[::-1], np.inf) if is_attack else grid
    bounds = uncertainty.upper_bounds(-scores if is_attack else scores, units, asked)
    if bounds is None:  # not where there are intervals
        return np.full(grid.size, np.nan)
    return bounds[::-1] if is_attack else bounds


def _grid(ordered: Floats, *, exact_at: float | None) -> Floats:
    """Ascending thresholds; the last is above every score but +inf. `exact_at` is among them."""
    distinct = np.unique(ordered)
    if distinct.size > 2 * EXACT_ENDS + QUANTILES:
        inner = np.linspace(EXACT_ENDS, ordered.size - 1 - EXACT_ENDS, QUANTILES).astype(np.int64)
        distinct = np.unique(np.concatenate([distinct[:EXACT_ENDS], ordered[inner], distinct[-EXACT_ENDS:]]))
    finite = ordered[np.isfinite(ordered)]
    above = math.nextafter(finite[-1], math.inf) if finite.size else 0.0
    return np.unique([*distinct, above, *([] if exact_at is None else [min(exact_at, above)])])


def _view(scores: Sequence[Floats]) -> list[float]:
    """The part of the axis that is drawn at full scale; outliers beyond it stay at its ends."""
    values = np.concatenate([*scores, np.empty(0)])
    finite = values[np.isfinite(values)]
    low, high = bins.edges(*bins.percentiles(finite, VIEW), 1).tolist() if finite.size else (0.0, 1.0)
    return [low, high]
