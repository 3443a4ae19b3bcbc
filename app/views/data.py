"""Data: what came in, what left and why, and whether a model can learn from it and be judged by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from app.components.command import show_command
from app.data import doubts, faces, known, picks, sheet, steps
from app.data.known import DataSet
from app.data.picks import Pick
from app.parts.head import Head, head
from app.session import identity
from app.session.address import put_in_address, switch
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.data import acceptance

# The sheet stays in sight while the charts beside it scroll; on a small screen it is above them.
STYLES = """<style>
[data-testid=stColumn]:has(.st-key-data_right) { position: sticky; top: 0; align-self: flex-start;
  max-height: calc(100vh - var(--navigation)); overflow-y: auto; }
.st-key-data_left, .st-key-data_right { gap: 0.5rem; }
@media (max-width: 1000px) {
  [data-testid=stColumn]:has(.st-key-data_right) { order: -1; max-height: none; z-index: 3; background: Canvas; }
  .st-key-data_sheet { max-height: 34vh; overflow-y: auto; }
}
</style>"""
CAUTION = "By the manifest and its trail; how good a model will be, only a Run says."


def nothing_known() -> None:
    head("Data").answer.write(
        "No manifest is known here: start the app with one, or make a Run, which names the one it was made of."
    )
    show_command(
        "# your manifest\nfas app --data M.csv\n# rendered faces, small models, their Runs\nfas demo",
    )


def chosen_manifest(place: Head, named: Mapping[str, Path]) -> str:
    """By the address, the first one otherwise; a control where there are several."""
    asked = str(st.session_state.get("manifest", st.query_params.get("manifest", "")))
    name = asked if asked in named else next(iter(named))
    if len(named) > 1:
        st.session_state["manifest"] = name
        name = str(
            place.controls.selectbox(
                "Manifest", list(named), key="manifest", width=200, label_visibility="collapsed", help="Which manifest."
            )
        )
    put_in_address("manifest", "" if name == next(iter(named)) else name)
    return name


def pick_control(data: DataSet, pick: Pick) -> None:
    """What the sheet shows, and the way to it without a pointer."""
    offered = {each.key: each for each in (*picks.offered(data), pick)}

    def keep() -> None:
        picks.choose(str(st.session_state["pick_shown"]))
        forget_clicks()

    st.session_state["pick_shown"] = pick.key
    st.selectbox(
        "Shown",
        list(offered),
        format_func=lambda key: f"{offered[key].words} ({offered[key].n:,})",
        key="pick_shown",
        on_change=keep,
        label_visibility="collapsed",
        width=320,
    )


def forget_clicks() -> None:
    """A chart under a new key has no selection: what was chosen elsewhere is not chosen there."""
    st.session_state["_data_charts"] = st.session_state.get("_data_charts", 0) + 1


def show_data() -> None:
    """The page."""
    identity.needs(Right.NUMBERS, None, "The page Data, which is of no single Run,")
    named = known.known()
    if not named:
        nothing_known()
        return
    st.html(STYLES)
    place = head("Data")
    name = chosen_manifest(place, named)
    data = DataSet.at(named[name])
    near = doubts.compared(data)
    judged = known.verdict(data, None if near is None else len(near.beside_training(near.subsets)))
    place.answer.write(escaped(acceptance.answer(known.way(data), judged, known.of_videos(data))))
    place.beside.badge(judged.words, color="red" if judged.against else "green")
    pick = picks.chosen(data)
    with place.controls:
        pick_control(data, pick)
    place.controls.caption(CAUTION, width="stretch")
    number = st.session_state.get("_data_charts", 0)
    left, right = st.columns([11, 9], gap="medium")
    with right, st.container(key="data_right"):
        sheet.show(data, pick)
    with left, st.container(key="data_left"):
        steps.show(data, f"steps_{number}")
        with st.container(gap="xxsmall"):
            doubts.show_verdict(judged)
        with st.container(horizontal=True, vertical_alignment="center"):
            by = switch("Faces by", ["subset", "species"], "faces_by", words=lambda text: f"Faces per {text}")
            faces.bar_controls(data, by)
        faces.show(data, by, f"faces_{by}_{number}")
        doubts.show_counts(data)
        doubts.show_leaks(data)
        doubts.show_duplicates(data)


if __name__ == "__main__":
    show_data()
