"""What every page shows: the Run, subsets, score and decision level chosen in the sidebar, which live in the URL."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from app.components.command import show_command
from app.components.link import copy_link
from app.session import faces, identity, operating
from app.session.address import keep_valid, link_params, put_in_address
from app.session.cache import keyed
from app.session.jobs import under_way, watch_jobs, worker
from app.session.readers import (
    adjusted_scores,
    cache_folder,
    called,
    decided,
    labels_meant,
    levels,
    look_through,
    runs,
    why_not_at,
    with_most_to_show,
)
from app.words import escaped, label_of
from fas_core import derive, progress, scores
from fas_core.access.roles import Right
from fas_core.data.names import TRAIN, outside_training
from fas_core.evaluation.levels import FRAME
from fas_core.evaluation.levels import level as rule_of
from fas_core.runs import naming
from fas_core.runs.store import CONTENTS, Run

_log = logging.getLogger(__name__)

# ------------------------------------------------------------------------------------------------------- its controls


def sidebar() -> Run | None:
    """Run, subsets, score and operating point; all of them live in the URL. The Run, None where there is none yet."""
    choices, _ = runs()
    if not choices:
        st.caption("No Run yet.")
        faces.control(None)
        return None
    run = _run_control(choices)
    look_through(run)
    faces.control(run)
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
    if offered := scores.to_choose(run):
        score = _score_control(run, offered)
        _level_control(run, score)
        operating.controls(run, score, chosen_level(run))
    if waiting := scores.waiting(run):
        takes = derive.wait_words(derive.ScoresOfCodes().seconds(run))
        missing = f"Not computed of these {len(run):,} codes: {', '.join(waiting)}."
        what = str(derive.ScoresOfCodes())
        worker(run, what, missing=missing, button=f"Compute them ({takes})", key="compute_scores_of_codes")
    copy_link()
    under_way()
    return run


def _run_control(choices: Sequence[Run]) -> Run:
    by_label = {label_of(run): run for run in choices}
    asked = st.query_params.get("run")
    # A link was followed, or a page has sent people on to another one, where the choice is forgotten.
    if asked is not None and (asked != st.session_state.get("_run_in_address") or "run" not in st.session_state):
        meant = [label for label in labels_meant(asked) if label in by_label]
        st.session_state["_gone"] = asked if not meant else None
        st.session_state["_several"] = asked if len(meant) > 1 else None
        st.session_state["run"] = meant[0] if meant else asked
    if st.session_state.get("run") not in by_label:
        st.session_state["run"] = label_of(with_most_to_show(choices))
    if gone := st.session_state.get("_gone"):
        st.warning(f"There is no Run {escaped(gone)} here; another one is shown.", icon=":material/link_off:")
    if several := st.session_state.get("_several"):
        st.warning(f"Several Runs are called {escaped(several)}; the newest is shown.", icon=":material/link_off:")

    def forget() -> None:
        for said in ("_gone", "_several"):
            st.session_state.pop(said, None)

    label = st.selectbox(
        "Run",
        list(by_label),
        format_func=called().__getitem__,
        key="run",
        on_change=forget,
        help="One checkpoint on one data set.",
    )
    st.caption(escaped(" · ".join(naming.facts_of(by_label[label]).words)))
    # Not bound: the default, the Run with most to show, would not stand in the address, and be another one tomorrow.
    st.session_state["_run_in_address"] = label
    put_in_address("run", label)
    return by_label[label]


def _score_control(run: Run, offered: Sequence[str]) -> str:
    first = scores.usual(offered)
    # Behind all scores those without what the chosen one follows of an image's look: thirty would hide the others.
    chosen = str(st.session_state.get("score", st.query_params.get("score", first)))
    offered = [*offered, *adjusted_scores(run, scores.base_of(chosen))]
    keep_valid("score", offered, first)
    score = str(
        st.selectbox(
            "Score",
            offered,
            index=offered.index(first),
            key="score",
            bind="query-params",
            help="Higher = more attack-like. Behind ~ stands what is taken off: rec~brightness is rec without what "
            "follows the image's brightness, fitted on live training images alone.",
        )
    )
    st.caption(escaped(scores.description(run, score)))
    return score


def chosen_level(run: Run) -> str:
    """The decision level chosen in the sidebar, if this Run has it."""
    chosen = str(st.session_state.get("level", FRAME))
    return FRAME if why_not_at(run, chosen) else chosen


def _level_control(run: Run, score: str) -> None:
    offered = levels(run)
    if len(offered) == 1:
        return
    chosen = str(st.session_state.get("level", st.query_params.get("level", FRAME)))
    is_of_address = "level" not in st.session_state
    if problem := why_not_at(run, chosen):
        st.session_state.update({"level": FRAME, "_level_refused": problem})
        chosen = FRAME
    offered = offered if chosen in offered else [*offered, chosen]
    keep_valid("level", offered, FRAME)
    st.selectbox(
        "Decision level",
        offered,
        key="level",
        bind="query-params",
        accept_new_options=not (problem and is_of_address),  # without it, what the address has is dropped
        on_change=lambda: st.session_state.pop("_level_refused", None),
        help="Frame: every image is a decision. Video or session: one decision by the scores of its frames, as tests "
        "usually report. Others can be typed: **video 3 of 10** (of 1s, of all), **video ema 0.5s** (ema 5: frames), "
        "**video mean first 1s** (median, max; first 10: frames).",
    )
    if problem and is_of_address:
        st.rerun()  # from now on others can be typed
    if refused := st.session_state.get("_level_refused"):
        st.warning(escaped(refused), icon=":material/rule:")
    of = rule_of(chosen)
    if of.is_ordered or of.k:
        said = [f"{of.words[0].upper()}{of.words[1:]}."]
        short = decided(run, score, chosen).short_cautions(outside_training(chosen_subsets(run)))
        st.caption(escaped(" ".join([*said, *(caution.message for caution in short)])))


# ------------------------------------------------------------------------------------------------- what is shown


@keyed
@dataclass(frozen=True)
class Shown:
    """What every page shows: what the sidebar has chosen. Its digest stands for all of it, the Run's bytes included."""

    run: Run
    subsets: tuple[str, ...]  # in the protocol's order
    score: str
    level: str  # what decisions are made on: see `evaluation.levels`

    @property
    def digest(self) -> str:
        return repr((self.run.digest, self.subsets, self.score, self.level))


def shown() -> Shown:
    """The choices of the sidebar. Where one is missing, the page says what is and ends here."""
    run = chosen_run()
    return Shown(run, tuple(chosen_subsets(run)), chosen_score(run), chosen_level(run))


def chosen_run() -> Run:
    """The Run chosen in the sidebar. Where there is none, the page says how to make one and ends here."""
    choices, problems = runs()
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    if not choices:
        nothing_yet()
    by_label = {label_of(run): run for run in choices}
    run = by_label.get(str(st.session_state.get("run"))) or with_most_to_show(choices)
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
        kept = [words for part, words in CONTENTS.items() if run.has(part)]
        st.info(
            f"This Run has no score: it holds {' and '.join(kept) or 'nothing'} alone. Losses come with the model, "
            "pixel errors with originals and reconstructions, what is fitted on latent codes with eight live images of "
            f"subset {TRAIN}. Others can be joined: fas scores join {run.id} SCORES.csv --higher-is attack",
            icon=":material/info:",
        )
        st.stop()
    chosen = st.session_state.get("score")
    return str(chosen) if scores.has(run, str(chosen)) else scores.usual(offered)


def needs(run: Run, what: str, *content: str) -> None:
    """Ends the page of a Run that lacks some of these `CONTENTS`, or whose images all failed, saying why and where to
    go."""
    name = f"**{escaped(run.info.name)}**"
    if not run.is_of_scores and not len(run):
        st.info(
            f"{what} needs images, and none of {name} gave an output. The Overview says why.",
            icon=":material/broken_image:",
        )
        st.page_link("views/overview.py", label="Open the Overview", icon=":material/list:")
        st.stop()
    if not run.is_of_scores and run.has(*content):
        return
    if run.is_of_scores:
        why = f"{what} needs images and latent codes. {name} was imported from a score file, which has neither."
    elif run.locked:
        why = f"{locked_words(run)} {what} needs them."
    else:
        kept = [words for part, words in CONTENTS.items() if part != "losses" and run.has(part)]
        wanted = " and ".join(CONTENTS[part] for part in content)
        only = f", only {' and '.join(kept)}" if kept else ""
        why = f"{what} needs {wanted}. {name} {run.without(*content)}{only}."
    st.info(
        f"{why} Choose another Run in the sidebar, or open the Threshold page, which needs scores only.",
        icon=":material/hide_image:",
    )
    st.page_link(
        "views/threshold.py", label="Open the Threshold page", icon=":material/tune:", query_params=link_params()
    )
    st.stop()


def say_missing(run: Run, *content: str) -> None:
    """Which of these `CONTENTS` the page could have shown and the Run does not hold."""
    if missing := run.without(*content):
        words = locked_words(run) if run.locked else f"{escaped(run.info.name)} {missing}."
        st.caption(f":material/hide_image: {words}")


def locked_words(run: Run) -> str:
    """That a Run's key is not here, for people at a browser; where keys are to be is for the server's log."""
    _log_locked(run.id, run.locked)
    return "This Run's images and codes are encrypted, and this server has no key for them."


@lru_cache(maxsize=256)  # once each, not with every page
def _log_locked(run: str, why: str) -> None:
    _log.warning("Run %s is encrypted, and %s.", run, why)


def nothing_yet() -> None:
    """The page of an empty cache folder: what is under way, or the command that makes the first Run."""
    if not identity.may(Right.NUMBERS, None):
        st.title("FAS Explorer")
        st.write(f"There is no Run here that you may see. {identity.WHO_GRANTS}")
        st.stop()
    jobs = progress.jobs(cache_folder())
    st.title("FAS Explorer")
    if jobs:
        st.header("The first Run is being made")
        st.write("This page shows it as soon as it is there.")
    else:
        st.header("There is no Run yet")
        here = f" --cache {shlex.quote(str(cache_folder()))}"
        st.write("A Run is what one checkpoint says about every image of a data set. Make the first one in a terminal:")
        show_command(
            "# rendered faces, small models, their Runs\n"
            "fas demo\n"
            "# your images\n"
            f"fas cache CHECKPOINT --data MANIFEST{here}\n"
            "# another system's scores; the column that names people as subject_id\n"
            f"fas scores import SCORES.csv --name NAME --column subject_id=PERSON{here}",
        )
    watch_jobs()  # also where nothing is under way yet: work may start in the next second
    st.stop()
