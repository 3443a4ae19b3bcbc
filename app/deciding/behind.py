"""The samples behind a number: the gallery on them, or a list where a Run has no images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.components.link import follow
from app.components.threshold import Counted
from app.parts.filters import ALL
from app.session import readers
from app.session.address import link_params
from app.session.readers import decisions
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import MISSED, REJECTED, RIGHT
from fas_core import metrics
from fas_core.data.names import ATTACK, readable
from fas_core.evaluation import verdicts
from fas_core.evaluation.verdicts import verdicts_at
from fas_core.metrics.operating_point import OperatingPoint

LISTED = 1000  # samples, where there is no gallery
GALLERY_VERDICTS = {verdicts.MISSED: MISSED, verdicts.REJECTED: REJECTED, verdicts.RIGHT: RIGHT, None: ALL}


def open_samples(shown: Shown, point: OperatingPoint, counted: Counted) -> None:
    """Leads to the reported samples that a number counts: in the gallery, or in a list where there are no images."""
    if shown.run.is_of_scores:
        list_samples(shown, point, counted)
        return
    wanted = {"label": [counted.label], "subset": _subsets(point, counted)}
    if counted.species is not None:
        wanted["pai_species"] = [counted.species]
    # As the controls there have them in the address, which is in the words that they show.
    filters = {"verdict": [GALLERY_VERDICTS[counted.verdict]], "where": [readable(column) for column in wanted]}
    columns = {f"where_{column}": values for column, values in wanted.items()}
    follow("views/gallery.py", "Open these samples in the gallery", link_params() | filters | columns)


def _subsets(point: OperatingPoint, counted: Counted) -> list[str]:
    return list(point.reported_on) if counted.subset is None else [counted.subset]


@st.dialog("The samples behind this number", width="large")
def list_samples(shown: Shown, point: OperatingPoint, counted: Counted) -> None:
    rows = counted_rows(shown, point, counted)
    st.write(f"**{len(rows):,} {decisions(shown.run, shown.level)}**, those nearest the threshold first.")
    show_rows(rows.head(LISTED).rename(columns=readable), "counted")
    if len(rows) > LISTED:
        st.caption(f"The first {LISTED:,} are listed.")


def counted_rows(shown: Shown, point: OperatingPoint, counted: Counted) -> pd.DataFrame:
    """What is decided on, of which a number counts that many: ids or what stands for them, and the score it has."""
    decided = readers.decided(shown.run, shown.score, shown.level)
    fits = decided.within(_subsets(point, counted)) & (decided.rows["label"] == counted.label).to_numpy(bool)
    if counted.species is not None:
        names = metrics.species_names(decided.rows["label"].to_numpy() == ATTACK, decided.rows["pai_species"])
        fits &= names == counted.species
    of_each = verdicts_at(decided.rows["label"], decided.values, point.threshold)
    # A table's number of samples is of those that have a score.
    fits &= of_each != verdicts.NO_RESPONSE if counted.verdict is None else of_each == counted.verdict
    rows = decided.rows[fits].assign(**{shown.score: decided.values[fits]})
    return rows.iloc[np.argsort(np.abs(decided.values[fits] - point.threshold), kind="stable")]
