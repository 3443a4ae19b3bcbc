"""What sets the selected points apart from the others that are drawn: a sentence, and a table of what is behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components.scatter import Selection
from app.parts import columns
from app.parts.selection import Points
from app.session.cache import cached, keyed
from app.words import escaped
from fas_core.data.names import readable
from fas_core.evaluation import selected
from fas_core.evaluation.causes import of_run
from fas_core.evaluation.causes.shares import COLUMN, Factor
from fas_core.evaluation.causes.words import named
from fas_core.evaluation.selected import Compared, Difference
from fas_core.runs import measured

MOST = 10_000  # of the selected samples and of the others, evenly spaced
QUICK = 5_000  # images whose looks are computed while somebody waits
ROWS = 8  # of the table
LIVE = "live"  # among species


@keyed
@dataclass(frozen=True, eq=False)
class Chosen:
    """The selected points of those that are drawn."""

    points: Points
    selection: Selection
    score: str

    @property
    def digest(self) -> str:
        return repr((self.points.digest, self.selection.name, self.score))


@cached(entries=8, spinner="Comparing the selection with the rest …")
def compared(chosen: Chosen) -> Compared:
    """Columns, looks of images, marks, the score and subjects of the selected samples against the others."""
    points, run = chosen.points, chosen.points.run
    is_shown = points.is_shown
    is_other = np.ones(len(points), np.bool_) if is_shown is None else is_shown.copy()
    inside = points.within(chosen.selection)
    is_other[inside] = False
    rows = np.sort(np.concatenate([_some(inside), _some(np.flatnonzero(is_other))]))
    sampled = of_run.sampled(run, rows, has_looks=len(run) <= QUICK or measured.is_known(run))
    factors = [factor for factor in sampled.factors if factor.name != "pai_species"]
    own = [_species(points, rows), _category(points, "subset", rows)]
    own.append(Factor(chosen.score, COLUMN, columns.scores_of(run, chosen.score, rows)))
    return selected.against_the_rest(np.isin(rows, inside), [*own, *factors], sampled.units)


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[:: max(1, -(-len(rows) // MOST))]


def _category(points: Points, name: str, rows: NDArray[np.int64]) -> Factor:
    factor = columns.factor(points.run, name)
    return Factor(name, COLUMN, codes=factor.codes[rows].astype(np.intp), names=tuple(factor.names))


def _species(points: Points, rows: NDArray[np.int64]) -> Factor:
    """Of attacks; live faces are asked about as one more."""
    species = columns.factor(points.run, "pai_species")
    names = [name or "unspecified" for name in species.names]
    codes = np.where(columns.attacks(points.run)[rows], species.codes[rows].astype(np.intp), len(names))
    return Factor("pai_species", COLUMN, codes=codes, names=(*names, LIVE))


# ------------------------------------------------------------------------------------------------------- on the page


def show_sentence(differences: Compared) -> None:
    st.markdown(selected.sentence(differences, escaped))


def show_table(differences: Compared) -> None:
    """What the sentence stands on, and what else there is."""
    st.markdown(f"**What sets the {differences.n_selected:,} selected apart from the other {differences.n_rest:,}**")
    table = table_of(differences)
    if len(table):
        st.table(table.set_index(table.columns[0]))
    else:
        st.write("Nothing that is known of them differs.")
    units = f"{escaped(differences.unit)}s"
    st.caption(
        "Shares of the samples; medians of numbers. p: how often chance alone makes any of "
        f"{differences.n_asked:,} values differ as clearly, by {differences.n_units:,} {units}; from 0.05 on, it may "
        f"be chance. It takes six {units} to be below that. One of them alone says nothing about others: –."
    )


def table_of(comparison: Compared) -> pd.DataFrame:
    """The largest differences, clear or not, groups first, and whose samples they are, a row each."""
    differences = (*comparison.largest(ROWS - len(comparison.whose)), *comparison.whose)
    return pd.DataFrame(
        [
            {
                "": _what(difference),
                "selected": _amount(difference, difference.selected, difference.n_selected),
                "rest": _amount(difference, difference.rest, difference.n_rest),
                "p": "–"
                if difference.p is None
                else selected.p_words(difference.p).removeprefix("p ").removeprefix("= "),
                "the same samples": _same(difference),
            }
            for difference in differences
        ]
    )


def _same(difference: Difference) -> str:
    return ", ".join(f"{readable(name)} {readable(value)}".strip() for name, value in difference.same_as[:3])


def _what(difference: Difference) -> str:
    name = named(difference.factor)
    if difference.value == "":
        return f"{'higher' if difference.effect > 0 else 'lower'} {name}"
    return f"{name}: {readable(difference.value)}"


def _amount(difference: Difference, value: float, n: int) -> str:
    if difference.value == "":
        return f"{value:.3g}".replace("-", "−")
    return f"{selected.percent(value)} ({n:,})"
