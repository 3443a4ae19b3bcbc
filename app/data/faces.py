"""How faces are turned, how large, sharp and bright they are, per subset or species; a bar shows its images."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from app.charts import data_sets as charts
from app.data import known, picks
from app.data.known import DataSet
from fas_core.data.acceptance import BINS, MEASURES, Histogram
from fas_core.data.names import readable
from fas_core.reports.palette import TEXT_COLOUR, style_of

MOST_GROUPS = 8
SHORT = {"face_size": "size, pixels", "pose_y": "yaw, °", "pose_x": "pitch, °", "pose_z": "roll, °"}


def show(data: DataSet, by: str, chart_key: str) -> None:
    histograms = known.histograms(data, by)
    if not histograms:
        st.caption(
            "Nothing is known of its faces: fas data faces M --out M2.csv cuts them out, and says how they are "
            "turned, how large, sharp and bright they are."
        )
        return
    measures = list(dict.fromkeys(of.measure for of in histograms))
    groups = list(dict.fromkeys(of.group for of in histograms))
    listed = groups[:MOST_GROUPS]
    shown = histograms[: len(listed) * len(measures)]
    titles = [SHORT.get(name, MEASURES[name]) for name in measures]
    st.echarts_chart(
        charts.measured(shown, [readable(name) for name in listed], [_colour(name, by) for name in listed], titles),
        key=chart_key,
        height=charts.measured_height(len(listed)),
        on_select=partial(_choose, chart_key, by),
        alt=f"Distributions of {', '.join(titles)} for {', '.join(listed)}",
    )
    if len(groups) > len(listed):
        st.caption(f"{len(groups) - len(listed)} more groups are not drawn.")
    if missing := _missing(data, measures):
        st.caption(f"Without a value: {missing}.")


def _colour(group: str, by: str) -> str:
    """Colours are of species alone."""
    return TEXT_COLOUR if by == "subset" else style_of("live" if group == "bona fide" else group).colour


def _missing(data: DataSet, measures: list[str]) -> str:
    rows = known.contents(data)
    n_of = {name: int(np.isnan(rows[name].to_numpy(np.float32)).sum()) for name in measures}
    return ", ".join(f"{MEASURES[name].partition(',')[0]} {n:,}" for name, n in n_of.items() if n)


def _choose(chart_key: str, by: str) -> None:
    for group in st.session_state[chart_key]["selection"]["selected"]:
        if group["data_indices"]:
            picks.choose(f"bar~{by}~{int(group['series_index']) // 2}~{int(group['data_indices'][-1])}")


def bar_controls(data: DataSet, by: str) -> None:
    """The way to a bar without a pointer."""
    histograms = known.histograms(data, by)
    if not histograms:
        return
    with st.popover("Choose a bar", icon=":material/bar_chart:"):
        groups = list(dict.fromkeys(of.group for of in histograms))
        measures = list(dict.fromkeys(of.measure for of in histograms))
        group = st.selectbox("Group", groups, format_func=readable, key="bar_group")
        measure = st.selectbox("Measure", measures, format_func=MEASURES.__getitem__, key="bar_measure")
        place = groups.index(group) * len(measures) + measures.index(measure)
        of = histograms[place]
        bin_ = st.selectbox("Bar", range(BINS), format_func=partial(_bin_words, of), key="bar_bin")
        st.button("Show its images", on_click=picks.choose, args=(f"bar~{by}~{place}~{bin_}",), type="primary")


def _bin_words(of: Histogram, at: int) -> str:
    return f"{of.edges[at]:.3g} to {of.edges[at + 1]:.3g}: {of.counts[at]:,} images".replace("-", "−")
