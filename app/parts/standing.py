"""How the score of an image stands among those of others: of training live images, of each attack species."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.session.cache import cached
from app.session.readers import samples, score_values
from app.session.tables import show_rows
from app.words import number
from fas_core import metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE, is_training, readable
from fas_core.evaluation.verdicts import ascending, share_below, shares_below
from fas_core.runs.store import Run

LIVE_TRAINING = "live training images"


@cached(entries=8)
def classes(run: Run) -> dict[str, NDArray[np.intp]]:
    """Rows of the training live images, of the other live ones, and of every attack species; empty ones left out."""
    about = samples(run, ("subset", "label", "pai_species"))
    is_attack = (about["label"] == ATTACK).to_numpy()
    is_learned = is_training(about) & (about["label"] == BONA_FIDE).to_numpy()
    species, names = metrics.species_codes(is_attack, about["pai_species"])
    masks = {LIVE_TRAINING: is_learned, "other live": ~is_attack & ~is_learned}
    masks |= {name: species == code for name, code in sorted(zip(names, range(1, len(names) + 1), strict=True))}
    return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


@cached(entries=256)
def _ascending(run: Run, score: str, of: str) -> NDArray[np.float64]:
    return ascending(score_values(run, score)[classes(run)[of]])


def place(run: Run, score: str, value: float, of: str = LIVE_TRAINING) -> float:
    """The share of a class with a lower score, 0..1; NaN where there is no such class, or the image has no score."""
    if of not in classes(run):
        return math.nan
    return share_below(value, score_values(run, score)[classes(run)[of]])


def places(run: Run, score: str, values: NDArray[np.float64], of: str = LIVE_TRAINING) -> NDArray[np.float64]:
    """`place` of (n,) values."""
    return shares_below(values, _ascending(run, score, of) if of in classes(run) else np.empty(0))


def whole_percent(share: float) -> int | None:
    """A share as whole percent, never rounded up to all; None where it is NaN."""
    return None if math.isnan(share) else math.floor(100 * share)


# ------------------------------------------------------------------------------------------------------------ in words


def score_lines(run: Run, score: str, rows: NDArray[np.intp]) -> list[str]:
    """A score of each of some samples, and what share of the training live images it is above."""
    values = score_values(run, score)[rows]
    lines = []
    for value, exact in zip(values.tolist(), places(run, score, values).tolist(), strict=True):
        share = whole_percent(exact)
        above = "" if share is None else f" · above {'all' if exact == 1 else f'{share} % of'} training live"
        lines.append(f"{score} {number(value)}{above}")
    return lines


def show_scores(run: Run, row: int, chosen: str) -> None:
    """Every score of a sample, and what share of the training live images has a lower one."""
    values = {name: score_values(run, name)[row] for name in scores.listed(run, chosen)}
    rows = [
        {"Score": name, "Value": number(value), "Above": whole_percent(place(run, name, value))}
        for name, value in values.items()
    ]
    above = st.column_config.ProgressColumn(
        format="%.0f %%",
        min_value=0,
        max_value=100,
        help="Share of the live images it is compared with that score lower.",
    )
    st.markdown("**Scores**")
    show_rows(pd.DataFrame(rows), "scores", column_config={"Above": above})
    n = len(classes(run).get(LIVE_TRAINING, ()))
    compared = f"Compared with the {n:,} training live images. " if n else ""
    st.caption(f"{compared}Higher scores look more attack-like.")


def show_by_class(run: Run, values: Mapping[str, float]) -> None:
    """Every score of an image, by name, and what share of each class has a lower one."""
    rows = []
    for name, value in values.items():
        row: dict[str, str | int | None] = {"Score": name, "Value": number(value)}
        rows.append(row | {readable(of): whole_percent(place(run, name, value, of)) for of in classes(run)})
    columns: dict[str, Any] = {
        readable(of): st.column_config.NumberColumn(
            format="%d %%", help=f"Share of the {len(members):,} {readable(of)} with a lower score."
        )
        for of, members in classes(run).items()
    }
    st.markdown("**Scores** · in % of each class that scores lower")
    show_rows(pd.DataFrame(rows), "scores_by_class", column_config=columns)
    st.caption("Higher scores look more attack-like.")
