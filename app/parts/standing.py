"""How the score of an image stands among those of others: of training live images, of each attack species."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from app.session.cache import cached
from app.session.readers import score_values
from app.session.tables import show_rows
from app.words import number
from fas_core import scores
from fas_core.data.names import ATTACK, is_training, readable
from fas_core.evaluation import kept, ranking
from fas_core.evaluation.verdicts import percent_borders
from fas_core.runs.store import Run

LIVE_TRAINING, OTHER_LIVE = "live training images", "other live"


@cached(entries=8)
def classes(run: Run) -> dict[str, NDArray[np.intp]]:
    """Rows of the training live images, of the other live ones, and of every attack species; empty ones left out."""
    of_run = ranking.cells(run.samples(ranking.KINDS, repeated=ranking.KINDS))
    is_attack, learned = of_run.table["label"] == ATTACK, is_training(of_run.table)
    names = of_run.table["species"].where(is_attack, np.where(learned, LIVE_TRAINING, OTHER_LIVE)).to_numpy(str)
    in_order = dict.fromkeys([LIVE_TRAINING, OTHER_LIVE, *sorted(set(names[is_attack]))])
    return {name: np.flatnonzero((names == name)[of_run.of]) for name in in_order if name in names}


@cached(entries=256)
def _borders(run: Run, score: str) -> tuple[dict[str, NDArray[np.float64]], dict[str, int]]:
    """For each class, `verdicts.percent_borders` of its scores, and how many samples it has; of a large Run kept
    beside it."""

    def computed() -> dict[str, object]:
        values, rows_of = score_values(run, score), classes(run)
        of_classes = [percent_borders(values[rows]) for rows in rows_of.values()]
        return {"names": np.array(list(rows_of), str), "borders": of_classes, "sizes": list(map(len, rows_of.values()))}

    known = kept.OfScore(run, score, partial(score_values, run, score), run.subsets).arrays("standing", computed)
    names = known["names"].tolist()
    return dict(zip(names, known["borders"], strict=True)), dict(zip(names, known["sizes"].tolist(), strict=True))


def borders(run: Run, score: str) -> dict[str, NDArray[np.float64]]:
    """For each class, `verdicts.percent_borders` of its scores, (101,)."""
    return _borders(run, score)[0]


def sizes(run: Run, score: str) -> dict[str, int]:
    """How many samples each class has, with this score or without."""
    return _borders(run, score)[1]


def percents(run: Run, score: str, values: ArrayLike, of: str = LIVE_TRAINING) -> list[int | None]:
    """How many percent of a class have a lower score than each of (n,) values, never rounded up to all; None where
    there is no such class, or no score."""
    known = borders(run, score).get(of, np.full(1, np.nan))
    whole = np.searchsorted(known, np.asarray(values, np.float64), side="right") - 1
    is_none = np.isnan(known[0]) | np.isnan(values)
    return [None if nothing else share for share, nothing in zip(whole.tolist(), is_none.tolist(), strict=True)]


def percent(run: Run, score: str, value: float, of: str = LIVE_TRAINING) -> int | None:
    """`percents` of one value."""
    return percents(run, score, [value], of)[0]


# ------------------------------------------------------------------------------------------------------------ in words


def score_lines(run: Run, score: str, rows: NDArray[np.intp]) -> list[str]:
    """A score of each of some samples, and what share of the training live images it is above."""
    values = score_values(run, score)[rows]
    lines = []
    for value, share in zip(values.tolist(), percents(run, score, values), strict=True):
        above = "" if share is None else f" · above {'all' if share == 100 else f'{share} % of'} training live"
        lines.append(f"{score} {number(value)}{above}")
    return lines


def show_scores(run: Run, row: int, chosen: str) -> None:
    """Every score of a sample, and what share of the training live images has a lower one."""
    values = {name: score_values(run, name)[row] for name in scores.listed(run, chosen)}
    rows = [
        {"Score": name, "Value": number(value), "Above": percent(run, name, value)} for name, value in values.items()
    ]
    above = st.column_config.ProgressColumn(
        format="%.0f %%",
        min_value=0,
        max_value=100,
        help="Share of the live images it is compared with that score lower.",
    )
    st.markdown("**Scores**")
    show_rows(pd.DataFrame(rows), "scores", column_config={"Above": above})
    n = sizes(run, chosen).get(LIVE_TRAINING, 0)
    compared = f"Compared with the {n:,} training live images. " if n else ""
    st.caption(f"{compared}Higher scores look more attack-like.")


def show_by_class(run: Run, values: Mapping[str, float]) -> None:
    """Every score of an image, by name, and what share of each class has a lower one."""
    rows = []
    columns: dict[str, Any] = {}
    for name, value in values.items():
        row: dict[str, str | int | None] = {"Score": name, "Value": number(value)}
        rows.append(row | {readable(of): percent(run, name, value, of) for of in borders(run, name)})
        columns |= {
            readable(of): st.column_config.NumberColumn(
                format="%d %%", help=f"Share of the {n:,} {readable(of)} with a lower score."
            )
            for of, n in sizes(run, name).items()
        }
    st.markdown("**Scores** · in % of each class that scores lower")
    show_rows(pd.DataFrame(rows), "scores_by_class", column_config=columns)
    st.caption("Higher scores look more attack-like.")
