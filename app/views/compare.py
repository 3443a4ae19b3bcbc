"""Compare: what other Runs do better or worse on the same samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.comparing.answer import answer, caveats, companions, judged, warnings
from app.comparing.comparison import LETTERS, Comparison, drawn, drawn_already, joined
from app.comparing.curves import show_curves
from app.comparing.deciding import DECIDING_PART, show_deciding
from app.comparing.distributions import show_distributions
from app.comparing.report import show_report
from app.comparing.samples import show_samples
from app.comparing.tables import show_groups, show_metrics
from app.comparing.trainings import show_trainings
from app.comparing.worse import SAMPLES_PART, show_decision
from app.components.command import show_command
from app.parts.head import head
from app.session import operating, sidebar
from app.session.address import switch
from app.session.others import others_control
from app.session.page import fragment
from app.session.readers import runs
from app.session.sidebar import Shown
from app.words import escaped, label_of
from fas_core import scores
from fas_core.data.names import outside_training
from fas_core.errors import BadInputError
from fas_core.evaluation.join import System, nothing_common_words, require_others
from fas_core.evaluation.matching import judged_subsets
from fas_core.metrics.cost import Costs
from fas_core.metrics.operating_point import COST, DEFAULT, Rule
from fas_core.runs.store import Run

FIXED, MATCHED = "fixed", "matched anew"  # thresholds: chosen elsewhere and taken as given; by the rule where judged
ON_WHAT_IS_COMPARED = (
    "A is the Run of the sidebar; those beside the title are B, C, … Samples are matched by their id, those of several "
    "modalities by presentation and frame; of every score higher is more attack-like. With fixed thresholds the "
    "sidebar's rule chooses each Run's where the sidebar says, and intervals take it as given; matched anew, it holds "
    "for each Run on what is judged, anew in every resample. Differences, flips and images are of A and one other."
)
MAKE_ANOTHER = (
    "# another checkpoint on the same images\nfas cache CHECKPOINT --data MANIFEST\n"
    "# another system's scores for the same samples\nfas scores import SCORES.csv --name NAME"
)


# ------------------------------------------------------------------------------------------------ what is compared


def other_systems(a: System) -> tuple[System, ...]:
    """The Runs to compare A with and their scores, chosen on the page. Where there are none, the page ends."""
    by_label = {label_of(run): run for run in others_first(a.run, runs()[0])}
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        labels = others_control(
            "Compare with",
            "compare",
            by_label,
            most=len(LETTERS) - 1,
            gone="here any more.",
            width=420,
            help_text=None,
        )
        systems = tuple(
            System(by_label[name], score)
            for letter, name in zip(LETTERS[1:], labels, strict=False)
            if (score := score_of(letter, by_label[name], a.score)) is not None
        )
    if not systems:
        st.info("Choose at least one Run to compare with, that has a score.", icon=":material/info:")
        st.stop()
    end_if_alike((a, *systems), n_runs=len(by_label))
    return systems


def named(control: str) -> DeltaGenerator:
    """A place for a control whose name stands beside it: above, it would cost a line of the first screen."""
    place = st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content")
    place.markdown(f":gray[{control}]", width="content")
    return place


def others_first(a: Run, candidates: Sequence[Run]) -> list[Run]:
    """Runs of the same data before others; A itself last, for comparing two of its scores."""
    return sorted(candidates, key=lambda run: (run.id == a.id, run.info.manifest_sha256 != a.info.manifest_sha256))


def score_of(letter: str, run: Run, score_a: str) -> str | None:
    """The score that a Run is judged by, chosen where there are several; None where it has none."""
    offered = scores.listed(run, score_a)
    if len(offered) == 1:  # nothing to choose; the line below the answer names it
        return offered[0]
    key = f"score_{letter.lower()}"
    if key in st.session_state and st.session_state[key] not in offered:
        del st.session_state[key]
    return named(f"{letter} by").selectbox(
        f"Score of {letter}",
        offered,
        index=offered.index(score_a if score_a in offered else scores.usual(offered)),
        key=key,
        bind="query-params",
        width=160,
        label_visibility="collapsed",
    )


def end_if_alike(systems: Sequence[System], *, n_runs: int) -> None:
    """Ends the page where one of the others is A by the same score."""
    try:
        require_others(systems)
    except BadInputError as error:
        more = "" if n_runs > 1 else " Or make a second Run in a terminal:"
        st.info(escaped(str(error)) + more, icon=":material/compare:")
        if n_runs == 1:
            show_command(MAKE_ANOTHER)
        st.stop()


def end_if_nothing_common(comparison: Comparison) -> None:
    """Ends the page where no sample is in all Runs, saying how large they are."""
    if len(joined(comparison)):
        return
    said = escaped(nothing_common_words(comparison.systems, " in the chosen subsets"))
    st.info(f"{said} Choose other Runs, or make one:", icon=":material/link_off:")
    show_command(MAKE_ANOTHER)
    st.stop()


def matched_rule(chosen: Rule, costs: Costs | None = None) -> Rule:
    """The sidebar's rule where it gives every Run a threshold, else the usual one. `costs`: those that are set."""
    if chosen.species or (chosen.kind == COST and costs is None):
        return DEFAULT
    return replace(chosen, at_95=False)


def set_costs(run: Run) -> Costs | None:
    """The sidebar's costs; None while some figure is an example, nobody's, or where they cannot be."""
    try:
        stated = operating.costs(run)
    except BadInputError:
        return None
    return None if stated.examples else stated


def in_detail(comparison: Comparison) -> int:
    """The Run that differences, flips and images are about, chosen where there are several."""
    letters = comparison.letters[1:]
    if len(letters) == 1:
        return 1
    chosen = switch("In detail", letters, "detail", place=named("in detail"))
    return LETTERS.index(chosen) if chosen in letters else 1


# ------------------------------------------------------------------------------------------------ the page


@fragment
def show_parts(comparison: Comparison, b: int, *, with_intervals: bool) -> None:
    """In tabs, of which only the open one is computed."""
    is_two_sided = joined(comparison).has_both_classes
    parts: dict[str, Callable[[], None]] = {}
    if is_two_sided:
        parts["Curves"] = partial(show_curves, comparison, b, with_intervals=with_intervals)
    parts["Distributions"] = partial(show_distributions, comparison)
    if is_two_sided:
        parts["Every metric"] = partial(show_metrics, comparison, b, with_intervals=with_intervals)
    parts["Group by group"] = partial(show_groups, comparison, b, with_intervals=with_intervals)
    parts[SAMPLES_PART] = partial(show_samples, comparison, b)
    if any(system.run.info.checkpoint for system in comparison.systems):
        parts["Trainings"] = partial(show_trainings, comparison)
    parts["Report"] = partial(show_report, comparison, b)
    parts[DECIDING_PART] = partial(show_deciding, comparison, b, with_intervals=with_intervals)
    for tab, show in zip(st.tabs(list(parts), key="part", bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab:
                show()


def policy(judged: Sequence[str], chosen_on: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The subsets to judge on, and those that fix the thresholds: none where these are matched anew.

    As for a single Run, a threshold is chosen in one place and judged in another; a switch says otherwise, for all that
    the page shows.
    """
    subsets, chosen = judged_subsets(judged, chosen_on)
    if not chosen:
        return subsets, ()
    asked = switch("Thresholds", [FIXED, MATCHED], "thresholds", place=named("thresholds"))
    return subsets, () if asked == MATCHED else chosen


def show_compare(shown: Shown) -> None:
    """The answer without intervals at first; they are drawn when everything else stands there."""
    a = System(shown.run, shown.score)
    outside = tuple(outside_training(shown.subsets)) or shown.subsets
    asked = operating.rule(shown.run, shown.score, shown.level)
    place = head("Compare")
    with place.answer.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        systems = (a, *other_systems(a))
        subsets, chosen_on = policy(outside, operating.chosen_on(shown.run))
        costs = set_costs(shown.run) if asked.kind == COST else None
        comparison = Comparison(systems, shown.level, subsets, matched_rule(asked, costs), chosen_on, costs)
        b = in_detail(comparison)
    end_if_nothing_common(comparison)
    feared = operating.pinned(shown.run)
    is_two_sided = joined(comparison).has_both_classes
    with_intervals = is_two_sided and comparison.digest in drawn_already()
    place.below.write(answer(comparison, feared, with_intervals=with_intervals))
    show_decision(comparison, b, feared, with_intervals=with_intervals)
    with st.container(gap=None):
        st.caption(judged(comparison, asked), help=ON_WHAT_IS_COMPARED)
        for said in filter(None, (companions(comparison), warnings(comparison))):
            st.caption(said)
    show_parts(comparison, b, with_intervals=with_intervals)
    st.caption(caveats(comparison, with_intervals=with_intervals, leaves_training_out=outside != shown.subsets))
    if is_two_sided and not with_intervals:
        drawn(comparison)
        drawn_already().add(comparison.digest)
        st.rerun()


if __name__ == "__main__":
    show_compare(sidebar.shown())
