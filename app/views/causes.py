"""What the score follows: attacks, or just as well brightness, glasses, the camera, or who the person is?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import causes as charts
from app.looking.cause_tables import show_scores, show_table
from app.parts import causes as parts
from app.parts import marking
from app.parts.head import head
from app.session import operating, sidebar
from app.session.address import put_in_address
from app.session.jobs import worker
from app.session.readers import score_values
from app.session.sidebar import Shown
from app.words import escaped, number
from fas_core import metrics
from fas_core.evaluation.causes import words
from fas_core.evaluation.causes.of_run import ATTACKS, LIVE, SIDES, Follows
from fas_core.evaluation.causes.shares import WHOSE, Cause, Share, Strip
from fas_core.evaluation.presentations import FRAME
from fas_core.reports.palette import BONA_FIDE_COLOUR, TEXT_COLOUR, Style

MOST_BARS = 12  # causes in a chart; the table has all of them
STYLES = {LIVE: Style(BONA_FIDE_COLOUR), ATTACKS: Style(TEXT_COLOUR)}


@dataclass(frozen=True)
class Side:
    """One half of the page."""

    shown: Shown
    follows: Follows
    n_marks: int

    @property
    def name(self) -> str:
        return self.follows.side

    @property
    def drawn(self) -> list[Cause]:
        """The causes in the chart, the most first, then whose samples they are and what people said of them."""
        about = self.follows.explained
        return [*about.causes[:MOST_BARS], *about.whose, *about.marks]


def side_of(shown: Shown, side: str) -> Side:
    n_marks = len(marking.of_run(shown.run))
    return Side(shown, parts.follows(shown.run, shown.score, side, shown.subsets, n_marks), n_marks)


# ----------------------------------------------------------------------------------------------------------- the bars


def bar(share: Share, name: str, what: str) -> charts.Bar:
    ends = None if share.low is None or share.high is None else (share.low, share.high)
    return charts.Bar(share.value, ends, f"{name}, {what}: {words.share_text(share)}")


def row_of(cause: Cause, unit: str) -> charts.Row:
    name = words.named(cause.name)
    label = words.who(unit) if cause.kind == WHOSE and cause.name == unit else name
    said = f"{name} (or {', '.join(map(words.named, cause.same_as))})" if cause.same_as else name
    beyond = None if cause.beyond is None else bar(cause.beyond, said, charts.BEYOND)
    return charts.Row(label, bar(cause.alone, said, charts.ALONE), beyond, cause.kind == WHOSE)


def show_bars(side: Side, chosen: str) -> None:
    """A bar that is clicked chooses the cause of the strips below."""
    causes, unit = side.drawn, side.follows.explained.unit
    st.markdown(f"**{words.side_words(side.name).capitalize()}**")
    if not causes:
        return
    rows = [row_of(cause, unit) for cause in causes]
    heavy = next((row.name for row, cause in zip(rows, causes, strict=True) if cause.name == chosen), "")
    key = chart_key(f"bars_{side.name}")
    st.echarts_chart(
        charts.cause_bars(rows, STYLES[side.name], heavy),
        key=key,
        height=charts.bars_height(len(rows)),
        on_select=partial(choose, key, [cause.name for cause in causes]),
        alt=f"What {side.shown.score} follows among {words.side_words(side.name)}: shares of its variance by cause",
    )


def selected(key: str) -> int | None:
    """The place of the bar that was clicked last."""
    groups = st.session_state[key]["selection"]["selected"]
    return next((int(group["data_indices"][-1]) for group in groups if group["data_indices"]), None)


def forget_clicks() -> None:
    """A chart that comes back, as when somebody returns to the page, tells its selection again: under a new key it has
    none."""
    st.session_state["_causes_charts"] = st.session_state.get("_causes_charts", 0) + 1


def chart_key(name: str) -> str:
    return f"{name}_{st.session_state.get('_causes_charts', 0)}"


def choose(key: str, names: list[str]) -> None:
    place = selected(key)
    if place is not None and place < len(names):
        st.session_state["_cause"] = names[place]


def chosen_cause(names: list[str]) -> str:
    """The cause whose values are shown: the first, until one is chosen. It stands in the address of every page, so that
    it is still there when somebody comes back from its samples."""
    asked = str(st.session_state.get("_cause", st.query_params.get("cause", "")))
    cause = asked if asked in names else names[0]
    put_in_address("cause", "" if cause == names[0] else cause)
    return cause


def cause_control(names: list[str], cause: str) -> None:
    def keep() -> None:
        st.session_state["_cause"] = st.session_state["cause_shown"]
        forget_clicks()

    st.session_state["cause_shown"] = cause
    st.selectbox("Value by value", names, format_func=words.named, key="cause_shown", width=240, on_change=keep)


# --------------------------------------------------------------------------------------------------------- the strips


def show_strips(side: Side, cause: str, threshold: float | None) -> None:
    """A box that is clicked opens its samples."""
    shown, heading = side.shown, words.side_words(side.name).capitalize()
    known = side.follows.cause(cause)
    if known is None:
        why = side.follows.explained.skipped.get(cause, "not known")
        st.caption(f"{heading}: {escaped(words.named(cause))} is not judged ({escaped(why)}).")
        return
    about = parts.sampled(shown.run, side.name, shown.subsets, side.n_marks)
    values = score_values(shown.run, shown.score)[about.rows]
    listed, n_more = parts.strips(shown.run, shown.score, side.name, shown.subsets, known.name, side.n_marks)
    missing = f" · {known.n_missing:,} without one" if known.n_missing else ""
    st.markdown(f"**{heading}** by {escaped(words.named(known.name))}{missing}")
    key = chart_key(f"strips_{side.name}_{known.name}")
    st.echarts_chart(
        charts.value_strips(
            [strip_of(side, strip, values[strip.rows], threshold) for strip in listed],
            STYLES[side.name],
            x_title=shown.score,
            threshold=threshold,
        ),
        key=key,
        height=charts.strips_height(len(listed)),
        on_select=partial(remember, key),
        alt=f"{shown.score} of {words.side_words(side.name)} for each value of {words.named(known.name)}",
    )
    if n_more:
        which = "with lower scores" if known.kind == WHOSE else "that are rarer"
        st.caption(f"{n_more:,} more, {which}, are not shown.")
    place = asked_for(key, [strip.name for strip in listed])
    if place is not None and place < len(listed):
        forget_clicks()
        name = f"{words.named(known.name)} {listed[place].name}, {words.side_words(side.name)}"
        parts.open_samples(shown, about.rows[listed[place].rows], name)


def strip_of(side: Side, strip: Strip, values: NDArray[np.float64], threshold: float | None) -> charts.Strip:
    """With the share that is decided wrongly, where images are decided on."""
    ends = None if strip.median.low is None or strip.median.high is None else (strip.median.low, strip.median.high)
    note = f"n = {len(values):,}"
    if threshold is not None:
        called = metrics.is_attack(values, threshold)
        share = called.mean() if side.name == LIVE else 1 - called.mean()
        note += f" · {100 * share:.0f} % {'rejected' if side.name == LIVE else 'missed'}"
    unit = "" if side.follows.explained.unit == "sample" else f", {strip.n_units:,} {side.follows.explained.unit}s"
    between = "" if ends is None else f" ({number(ends[0])} to {number(ends[1])})"
    text = f"{strip.name}{unit}<br>{note}<br>median {number(strip.median.value)}{between}"
    return charts.Strip(strip.name, strip.quantiles, ends, note, text)


def remember(key: str) -> None:
    place = selected(key)
    if place is not None:  # the second click of a double one takes the choice back
        st.session_state["_strip"] = (key, place)


def asked_for(key: str, names: list[str]) -> int | None:
    """The place of the value whose samples are asked for, by a click in the chart or by name; once."""
    with st.popover("Open samples", icon=":material/grid_view:"):
        name = st.selectbox("Value", names, key=f"{key}_value")
        is_asked = st.button("Open them", key=f"{key}_open", type="primary")
    clicked, place = st.session_state.pop("_strip", ("", None))
    if is_asked:
        return names.index(str(name))
    return place if clicked == key else None


# --------------------------------------------------------------------------------------------------------- the page


def caveats(sides: list[Side]) -> str:
    """What the bars are, in one line."""
    unit = sides[0].follows.explained.unit
    by = "sample" if unit == "sample" else f"whole {unit}"
    judged = [side.follows for side in sides if side.follows.explained.n < side.follows.n_all]
    some = "".join(
        f" {about.explained.n:,} of {about.n_all:,} {words.side_words(about.side)} are judged." for about in judged
    )
    return (
        f"Outside training. Lines: 95 % intervals by {by}. Click a bar for its values, a box for its samples.{some} "
        + words.CAVEAT
    )


def show_causes() -> None:
    """The page."""
    shown = sidebar.shown()
    top = head("What the score follows")
    if not parts.is_measured(shown.run):
        worker(
            shown.run,
            "looks",
            missing=f"What these {len(shown.run):,} images look like is not measured yet; that reads all of them once.",
            button="Measure them",
            key="measure_looks",
        )
        return
    sides = [side_of(shown, name) for name in SIDES]
    names = list(dict.fromkeys(cause.name for side in sides for cause in side.drawn))
    if not names:
        for side in sides:
            top.answer.write(words.answer(side.follows, escaped))
        show_table([side.follows for side in sides])
        return
    cause = chosen_cause(names)
    top.answer.write(words.headline([side.follows for side in sides], escaped))
    for column, side in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            show_bars(side, cause)
    for column, side in zip(st.columns(2, gap="medium"), sides, strict=True):
        column.markdown(words.answer(side.follows, escaped))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cause_control(names, cause)
        st.caption(caveats(sides), width="stretch")
    point, _ = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    threshold = point.threshold if point is not None and shown.level == FRAME else None
    for column, side in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column:
            show_strips(side, cause, threshold)
    show_scores(shown, cause, sides[0].n_marks)
    show_table([side.follows for side in sides])


if __name__ == "__main__":
    show_causes()
