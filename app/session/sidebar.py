"""What all pages share: the chosen Run, subsets and score (kept in the URL), and cached readers of the store.

Caches are keyed by a Run's digest, a text that stands for all its bytes, never by arrays or frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from app.components.link import copy_link
from app.session.address import keep_valid, link_params, put_in_address
from app.session.cache import cached, keyed
from app.session.jobs import under_way, watch_jobs
from app.session.readers import cache_folder, decided, grouping, levels, pooled_score_set, runs
from app.words import escaped, label_of
from fas_core import metrics, progress, scores
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import FRAME
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.operating_point import (
    APCER,
    BPCER,
    BY_HAND,
    COST,
    DEFAULT,
    KINDS,
    OperatingPoint,
    Rule,
    dev_subsets,
)
from fas_core.runs.store import Run

# ------------------------------------------------------------------------------------------------- the shared sidebar


def sidebar() -> None:
    """Run, subsets, score and operating point; all of them live in the URL."""
    found, _ = runs()
    if not found:
        st.caption("No Run yet.")
        return
    by_label = {label_of(run): run for run in found}
    asked = st.query_params.get("run")
    # A link was followed, or a page has sent people on to another one, where the choice is forgotten.
    if asked is not None and (asked != st.session_state.get("_run_in_address") or "run" not in st.session_state):
        st.session_state["_gone"] = None if asked in by_label else asked
        st.session_state["run"] = asked
    if st.session_state.get("run") not in by_label:
        st.session_state["run"] = next(iter(by_label))
    if gone := st.session_state.get("_gone"):
        st.warning(f"There is no Run {escaped(gone)} here; another one is shown.", icon=":material/link_off:")
    label = st.selectbox(
        "Run",
        list(by_label),
        key="run",
        on_change=lambda: st.session_state.pop("_gone", None),
        help="One checkpoint on one data set.",
    )
    # Not bound: the default, the newest Run, would not stand in the address, and be another one tomorrow.
    st.session_state["_run_in_address"] = label
    put_in_address("run", label)
    run = by_label[label]
    keep_valid("subsets", run.subsets, run.subsets)
    st.pills(
        "Subsets",
        run.subsets,
        selection_mode="multi",
        default=run.subsets,
        key="subsets",
        bind="query-params",
        help="Every page shows these subsets only.",
    )
    offered = scores.offered(run)
    if offered:
        first = first_score(offered)
        keep_valid("score", offered, first)
        chosen = st.selectbox(
            "Score",
            offered,
            index=offered.index(first),
            key="score",
            bind="query-params",
            help="Higher = more attack-like.",
        )
        st.caption(escaped(scores.description(chosen)) if run.has_images else "Column of the imported score file.")
        _level_control(run)
        _operating_point_controls(run, str(chosen), chosen_level(run))
    copy_link()
    under_way()


def first_score(offered: Sequence[str]) -> str:
    """What the thesis judges a model by: a VAE by its reconstruction loss, GANomaly by the l2 error (section 3.5.2)."""
    preferred = ("rec" if "kl" in offered else "pixel_l2", "score", "rec")
    return next((s for s in preferred if s in offered), offered[0])


def chosen_level(run: Run) -> str:
    """The decision level chosen in the sidebar, if this Run has it."""
    chosen = str(st.session_state.get("level", FRAME))
    return chosen if chosen in levels(run) else FRAME


def _level_control(run: Run) -> None:
    offered = levels(run)
    if len(offered) == 1:
        return
    keep_valid("level", offered, FRAME)
    st.selectbox(
        "Decision level",
        offered,
        key="level",
        bind="query-params",
        help="Frame: every image is a decision. Video or session: one decision by the mean, median or maximum of the "
        "scores of its frames, as tests usually report.",
    )


RULE_NAMES = {
    BPCER: "BPCER at most",
    APCER: "APCER at most",
    op.EER: "Equal errors (EER)",
    COST: "Lowest expected cost",
    BY_HAND: "By hand",
}
WORST = "worst"


def _operating_point_controls(run: Run, score: str, level: str) -> None:
    """The rule that every page's verdicts follow, and where it is applied."""
    keep_valid("rule", KINDS, DEFAULT.kind)
    kind = st.selectbox(
        "Operating point",
        KINDS,
        format_func=RULE_NAMES.__getitem__,
        key="rule",
        bind="query-params",
        help="BPCER at most x: the lowest threshold that rejects at most this share of live samples; needs no attacks. "
        "APCER at most x: the highest threshold that lets at most this share of attacks pass. EER: as many attacks "
        "pass as live samples are rejected. Cost: the threshold with the lowest expected cost a month.",
    )
    default = dev_subsets(run.subsets) or run.subsets[:1]
    keep_valid("chosen_on", run.subsets, default)
    if kind == BY_HAND:
        low, high = score_range(run, score, level)
        key = f"t_{score}"
        try:
            asked = float(st.query_params.get(key, "nan"))
        except ValueError:
            asked = np.nan
        start = asked if np.isfinite(asked) else (low + high) / 2
        st.session_state[key] = min(max(float(st.session_state.get(key, start)), low), high)
        st.number_input("Threshold", low, high, key=key, step=(high - low) / 1000, format="%.6g")
        # Not bound: what the slider of the Threshold page sets would not reach the address.
        put_in_address(key, repr(float(st.session_state[key])))
        return
    if kind in (BPCER, APCER):
        st.number_input(
            "At most, in %", 0.0, 99.9, 100 * DEFAULT.value, 1.0, "%.4g", key="at_most", bind="query-params"
        )
    if kind == APCER:
        names = [WORST, *_species(run)]
        keep_valid("species", names, WORST)
        st.selectbox(
            "Of species",
            names,
            format_func=lambda name: "the worst one" if name == WORST else name,
            key="species",
            bind="query-params",
        )
    if kind == COST:
        cost_inputs(run)
    st.multiselect(
        "Chosen on",
        run.subsets,
        default=default,
        key="chosen_on",
        bind="query-params",
        help="The subsets the rule looks at; the others are reported.",
    )


@cached(entries=64)
def _species(run: Run) -> list[str]:
    """The attack species of a Run, in order of name."""
    codes, names = grouping(run, FRAME).kinds
    present = np.bincount(codes, minlength=len(names) + 1)[1:]
    return sorted(name for name, n in zip(names, present, strict=True) if n)


SESSIONS, LOSS, REJECTION, SHARE, FACTOR = 100_000.0, 500.0, 1.0, 0.1, 3.0  # a month, money, money, %, times


def cost_inputs(run: Run) -> None:
    """What the expected cost is made of. On one place of a page only: the sidebar, where the rule is the cost."""

    def number_of(label: str, value: float, key: str, most: float | None = None, help: str | None = None) -> None:
        st.number_input(
            label,
            0.0,
            most,
            value,
            format="%.6g",
            key=key,
            help=help,
            width=200,
            bind="query-params",
            persist_state="session",
        )

    with st.container(horizontal=True, vertical_alignment="bottom"):
        number_of("Sessions a month", SESSIONS, "sessions")
        number_of("Loss per accepted attack", LOSS, "loss")
        number_of("Cost per rejected live one", REJECTION, "rejection")
        for name in _species(run):
            number_of(f"{escaped(name)} attacks, % of sessions", SHARE, f"share_{name}", 100.0)
        number_of(
            "Shares wrong by a factor of",
            FACTOR,
            "factor",
            help="Between the shares divided and multiplied by this factor, the expected cost is drawn as a band.",
        )


def costs(run: Run) -> Costs:
    """The costs that `cost_inputs` states; raises BadInputError where they cannot be, as with shares above 100 %."""
    given = st.session_state
    factor = max(1.0, float(given.get("factor", FACTOR)))
    names = _species(run)
    likely = {name: float(given.get(f"share_{name}", SHARE)) / 100 for name in names}
    shares = {name: Share(share, share / factor, min(1.0, share * factor)) for name, share in likely.items()}
    return Costs(
        float(given.get("sessions", SESSIONS)),
        shares,
        float(given.get("loss", LOSS)),
        float(given.get("rejection", REJECTION)),
    )


def score_range(run: Run, score: str, level: str) -> tuple[float, float]:
    """From the lowest finite score to just above the highest: every decision a threshold can make lies between."""
    values = decided(run, score, level).values
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(np.nextafter(finite.max(), np.inf))
    return (low, high) if high - low > 1e-9 * max(abs(high), 1) else (low - 0.5, high + 0.5)


def rule(run: Run, score: str, level: str) -> Rule:
    """The rule that the sidebar states."""
    kind = str(st.session_state.get("rule") or DEFAULT.kind)
    if kind == BY_HAND:
        low, high = score_range(run, score, level)
        return Rule(kind, float(st.session_state.get(f"t_{score}", (low + high) / 2)))
    if kind not in (BPCER, APCER):
        return Rule(kind)
    species = str(st.session_state.get("species", WORST)) if kind == APCER else WORST
    at_most = float(st.session_state.get("at_most", 100 * DEFAULT.value)) / 100
    return Rule(kind, at_most, "" if species == WORST else species)


def operating_point(run: Run, score: str, level: str, subsets: Sequence[str]) -> tuple[OperatingPoint | None, str]:
    """The sidebar's operating point, reported on `subsets`; None and the reason where its rule cannot be applied."""
    by = rule(run, score, level)
    chosen_on = [s for s in run.subsets if s in st.session_state.get("chosen_on", dev_subsets(run.subsets))]
    if by.kind == BY_HAND:
        # Reported where a rule would be, so that numbers do not jump when the slider takes over from it.
        return replace(op.operating_point(by, by.value, chosen_on, subsets), chosen_on=(), is_optimistic=True), ""
    try:
        threshold = op.threshold_by(
            by, pooled_score_set(run, score, level, chosen_on), costs(run) if by.kind == COST else None
        )
    except (metrics.UndefinedMetricError, BadInputError) as error:
        where = escaped(", ".join(chosen_on)) or "no subset"
        return (
            None,
            f"{escaped(by.words)} cannot be applied to {where}: {escaped(str(error))}. Change it in the sidebar.",
        )
    return op.operating_point(by, threshold, chosen_on, subsets), ""


@keyed
@dataclass(frozen=True)
class Shown:
    """What every page shows: what the sidebar has chosen. Its digest stands for all of it, the Run's bytes included."""

    run: Run
    subsets: tuple[str, ...]  # in the protocol's order
    score: str
    level: str  # what decisions are made on: see `presentations.LEVELS`

    @property
    def digest(self) -> str:
        return repr((self.run.digest, self.subsets, self.score, self.level))


def shown() -> Shown:
    """The choices of the sidebar. Where one is missing, the page says what is and ends here."""
    run = chosen_run()
    return Shown(run, tuple(chosen_subsets(run)), chosen_score(run), chosen_level(run))


def chosen_run() -> Run:
    """The Run chosen in the sidebar. Where there is none, the page says how to make one and ends here."""
    found, problems = runs()
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    if not found:
        nothing_yet()
    by_label = {label_of(run): run for run in found}
    run = by_label.get(str(st.session_state.get("run")), found[0])
    _gaps(run)
    return run


def _gaps(run: Run) -> None:
    """Says what of a Run is not shown, because it is not there or cannot be trusted."""
    for n, what, remedy in (
        (len(run.broken), "damaged", f"fas verify {run.id} --repair"),
        (len(run.missing), "missing", "the same 'fas cache' command as before, which goes on from here"),
    ):
        if n:
            shards = "1 shard of this Run is" if n == 1 else f"{n:,} shards of this Run are"
            st.warning(
                f"{shards} {what}, and the images in {'it' if n == 1 else 'them'} are not shown. What makes them: "
                f"{escaped(remedy)}",
                icon=":material/broken_image:",
            )


def chosen_subsets(run: Run) -> list[str]:
    """Subsets chosen in the sidebar, in the protocol's order; the page ends with a hint when none is."""
    wanted = st.session_state.get("subsets", run.subsets)
    chosen = [s for s in run.subsets if s in wanted]
    if not chosen:
        st.info("No subset is chosen. Choose at least one in the sidebar.", icon=":material/filter_alt:")
        st.stop()
    return chosen


def chosen_score(run: Run) -> str:
    """The score chosen in the sidebar; the page ends with an explanation when the Run has none."""
    offered = scores.offered(run)
    if not offered:
        st.info("This Run has no score.", icon=":material/info:")
        st.stop()
    chosen = st.session_state.get("score")
    return str(chosen) if chosen in offered else first_score(offered)


def needs_images(run: Run, what: str) -> None:
    """Ends the page of a scores-only Run, saying why it is empty and where to go."""
    if run.has_images:
        return
    st.info(
        f"{what} needs images and latent codes. **{escaped(run.info.name)}** was imported from a score file, which has "
        "neither. Choose another Run in the sidebar, or open the Threshold page, which needs scores only.",
        icon=":material/hide_image:",
    )
    st.page_link(
        "views/threshold.py", label="Open the Threshold page", icon=":material/tune:", query_params=link_params()
    )
    st.stop()


def nothing_yet() -> None:
    """The page of an empty cache folder: what is under way, or the command that makes the first Run."""
    jobs = progress.jobs(cache_folder())
    st.title("FAS Explorer")
    if jobs:
        st.subheader("The first Run is being made")
        st.write("This page shows it as soon as it is there.")
    else:
        st.subheader("There is no Run yet")
        st.write("A Run is what one checkpoint says about every image of a data set. Make the first one in a terminal:")
        st.code(
            "fas demo                                  # rendered faces, small models, their Runs\n"
            "fas cache CHECKPOINT --data MANIFEST      # your images\n"
            "fas scores import SCORES.csv --name NAME  # another system's scores",
            language="bash",
        )
    watch_jobs()  # also where nothing is under way yet: work may start in the next second
    st.stop()
