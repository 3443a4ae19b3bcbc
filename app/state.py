"""What all pages share: the chosen Run, subsets and score (kept in the URL), and cached readers of the store.

Caches are keyed by a Run's digest, a text that stands for all its bytes, never by arrays or frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fas_core import derive, evaluation, metrics, progress, scores, store
from fas_core import operating_point as op
from fas_core.errors import BadInputError
from fas_core.operating_point import BY_HAND, DEFAULT_RULE, RULES, OperatingPoint, dev_subsets
from fas_core.store import Run

P = ParamSpec("P")


def cache_folder() -> Path:
    """The cache folder that the app was started on."""
    return Path(os.environ.get("FAS_CACHE") or Path(__file__).resolve().parents[1] / "cache")


@contextmanager
def errors_shown() -> Iterator[None]:
    """Bad input and damaged files become one readable box instead of a stack trace."""
    try:
        yield
    except BadInputError as error:
        st.error(escaped(str(error)), icon=":material/error:")


def fragment(part: Callable[P, None]) -> Callable[P, None]:
    """`st.fragment` whose bad input is shown as `errors_shown` does: a fragment's errors never reach the page's own."""

    @wraps(part)
    def guarded(*arguments: P.args, **named: P.kwargs) -> None:
        with errors_shown():
            part(*arguments, **named)

    return cast("Callable[P, None]", st.fragment(guarded))


def escaped(text: str) -> str:
    """Text from files, for places that read Markdown: shown as it is, never interpreted nor made a link."""
    unlinked = text.replace("://", ":\u200b//").replace("www.", "www\u200b.").replace("@", "@\u200b")
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|$~:" else c for c in unlinked)


# --------------------------------------------------------------------------------------------------- Runs and samples


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes whenever a shard appears or goes: shards are renamed into their subset's folder."""
    return tuple(p.stat().st_mtime_ns for p in sorted((folder, *(d for d in folder.iterdir() if d.is_dir()))))


@st.cache_resource(max_entries=64, show_spinner=False)
def _opened(folder: str, stamp: tuple[int, ...]) -> Run:
    return store.opened(Path(folder))


def runs() -> tuple[list[Run], list[str]]:
    """Runs of the cache folder that hold at least one shard, newest first, and what is wrong with the others."""
    found, problems = [], []
    for folder in store.run_folders(cache_folder()):
        try:
            run = _opened(str(folder), _stamp(folder))
        except (BadInputError, OSError) as error:
            problems.append(str(error))
            continue
        if run.shards:
            found.append(run)
    return found, problems


def label_of(run: Run) -> str:
    """A Run's name, with the start of its id so that two of one name differ."""
    return f"{run.info.name} ({run.id[:6]})"


@st.cache_resource(max_entries=64, show_spinner=False)
def _samples(digest: str, columns: tuple[str, ...], _run: Run) -> pd.DataFrame:
    return _run.samples(columns)


def samples(run: Run, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a Run's samples in row order. Shared between sessions: do not change it."""
    has = set(run.column_names())
    return _samples(run.digest, tuple(c for c in columns if c in has), run)


@st.cache_resource(max_entries=64, show_spinner="Computing the score …")
def _score_values(digest: str, score: str, _run: Run) -> NDArray[np.float64]:
    values = scores.values(_run, score)
    values.setflags(write=False)
    return values


def score_values(run: Run, score: str) -> NDArray[np.float64]:
    """(n,) in row order, read-only."""
    return _score_values(run.digest, score, run)


@st.cache_resource(max_entries=64, show_spinner=False)
def _pooled(digest: str, score: str, subsets: tuple[str, ...], _run: Run) -> metrics.ScoreSet:
    return evaluation.pooled_score_set(_run, score_values(_run, score), subsets)


def pooled_score_set(run: Run, score: str, subsets: Sequence[str]) -> metrics.ScoreSet:
    """Several subsets as one sorted set of scores."""
    return _pooled(run.digest, score, tuple(subsets), run)


def score_sets(run: Run, score: str) -> dict[str, metrics.ScoreSet]:
    """One sorted set of scores per subset."""
    return {subset: pooled_score_set(run, score, [subset]) for subset in run.subsets}


# ------------------------------------------------------------------------------------------------- the shared sidebar


def sidebar() -> None:
    """Run, subsets, score and operating point; all of them live in the URL."""
    found, _ = runs()
    if not found:
        st.caption("No Run yet.")
        return
    by_label = {label_of(run): run for run in found}
    asked = st.query_params.get("run")
    if asked is not None and asked not in by_label:
        st.warning(f"There is no Run {escaped(asked)} here; another one is shown.", icon=":material/link_off:")
    _keep_valid("run", list(by_label), next(iter(by_label)))
    label = st.selectbox("Run", list(by_label), key="run", bind="query-params", help="One checkpoint on one data set.")
    run = by_label[label]
    _keep_valid("subsets", run.subsets, run.subsets)
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
        first = _first_score(offered)
        _keep_valid("score", offered, first)
        chosen = st.selectbox(
            "Score",
            offered,
            index=offered.index(first),
            key="score",
            bind="query-params",
            help="Higher = more attack-like.",
        )
        st.caption(escaped(scores.description(chosen)) if run.has_images else "Column of the imported score file.")
        _operating_point_controls(run, str(chosen))
    under_way()


def _first_score(offered: Sequence[str]) -> str:
    """What the thesis judges a model by: a VAE by its reconstruction loss, GANomaly by the l2 error (section 3.5.2)."""
    preferred = ("rec" if "kl" in offered else "pixel_l2", "score")
    return next((s for s in preferred if s in offered), offered[0])


def _keep_valid(key: str, options: Sequence[str], default: str | Sequence[str]) -> None:
    """Forgets a choice that another Run has left behind and this one does not offer.

    Who has kept to the default goes on keeping to it when it changes, as it does while a Run grows subset by subset.
    """
    before = st.session_state.get(f"_default_{key}")
    st.session_state[f"_default_{key}"] = default
    if key not in st.session_state:
        return
    value = st.session_state[key]
    if value == before and value != default:
        st.session_state[key] = value = default
    if isinstance(value, str) or value is None:
        if value not in options:
            st.session_state[key] = default
    elif value and not all(v in options for v in value):
        st.session_state[key] = [v for v in value if v in options] or list(default)


def _operating_point_controls(run: Run, score: str) -> None:
    """The rule that every page's verdicts follow, and where it is applied."""
    rule = st.selectbox(
        "Operating point",
        RULES,
        index=RULES.index(DEFAULT_RULE),
        key="rule",
        bind="query-params",
        help="BPCER ≤ x: the lowest threshold that rejects at most this share of live samples; needs no attacks. "
        "EER: as many attacks pass as live samples are rejected.",
    )
    default = dev_subsets(run.subsets) or run.subsets[:1]
    _keep_valid("chosen_on", run.subsets, default)
    if rule == BY_HAND:
        low, high = score_range(run, score)
        key = f"t_{score}"
        try:
            asked = float(st.query_params.get(key, "nan"))
        except ValueError:
            asked = np.nan
        start = asked if np.isfinite(asked) else (low + high) / 2
        st.session_state[key] = min(max(float(st.session_state.get(key, start)), low), high)
        st.number_input("Threshold", low, high, key=key, step=(high - low) / 1000, format="%.6g")
        # Not bound: what the slider of the Threshold page sets would not reach the address.
        st.query_params[key] = repr(float(st.session_state[key]))
    else:
        st.multiselect(
            "Chosen on",
            run.subsets,
            default=default,
            key="chosen_on",
            bind="query-params",
            help="The subsets the rule looks at; the others are reported.",
        )


def score_range(run: Run, score: str) -> tuple[float, float]:
    """From the lowest finite score to just above the highest: every decision a threshold can make lies between."""
    values = score_values(run, score)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(np.nextafter(finite.max(), np.inf))
    return (low, high) if high - low > 1e-9 * max(abs(high), 1) else (low - 0.5, high + 0.5)


def operating_point(run: Run, score: str, subsets: Sequence[str]) -> tuple[OperatingPoint | None, str]:
    """The sidebar's operating point, reported on `subsets`; None and the reason where its rule cannot be applied."""
    rule = str(st.session_state.get("rule") or DEFAULT_RULE)
    if rule == BY_HAND:
        low, high = score_range(run, score)
        threshold = float(st.session_state.get(f"t_{score}", (low + high) / 2))
        return op.operating_point(rule, threshold, (), subsets), ""
    chosen_on = [s for s in run.subsets if s in st.session_state.get("chosen_on", dev_subsets(run.subsets))]
    try:
        threshold = op.threshold_by(rule, pooled_score_set(run, score, chosen_on))
    except metrics.UndefinedMetricError as error:
        where = escaped(", ".join(chosen_on)) or "no subset"
        return None, f"{rule} cannot be applied to {where}: {escaped(str(error))}. Choose other subsets in the sidebar."
    return op.operating_point(rule, threshold, chosen_on, subsets), ""


def about(point: OperatingPoint) -> str:
    """Where a threshold comes from and where it is reported, in words."""
    source = (
        "set by hand" if point.rule == BY_HAND else f"{point.rule}, chosen on {escaped(', '.join(point.chosen_on))}"
    )
    words = f"Threshold {number(point.threshold)}: {source}; reported on {escaped(', '.join(point.reported_on))}."
    if not point.is_optimistic:
        return words
    why = "while looking at these numbers" if point.rule == BY_HAND else "and reported on the same samples"
    return f"{words} **Optimistic: chosen {why}.**"


def chosen_run() -> Run:
    """The Run chosen in the sidebar. Where there is none, the page says how to make one and ends here."""
    found, problems = runs()
    for problem in problems:
        st.warning(escaped(problem), icon=":material/warning:")
    if not found:
        nothing_yet()
    by_label = {label_of(run): run for run in found}
    return by_label.get(str(st.session_state.get("run")), found[0])


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
    return str(chosen) if chosen in offered else _first_score(offered)


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


def link_params() -> dict[str, str]:
    """Query parameters that keep the shared choices on the way to another page."""
    kept = {k: v for k in ("run", "score") if isinstance(v := st.session_state.get(k), str)}
    return kept


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


# --------------------------------------------------------------------------------------------------- numbers in words


def percent(share: float, n: int) -> str:
    """A share of n samples with the digits that n allows: 31 %, from a thousand samples on 31.4 %."""
    return f"{100 * share:.{0 if n < 1000 or share in (0, 1) else 1}f} %"


def number(value: float) -> str:
    """A score or threshold with four digits, or all of those before the point."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


NOT_METADATA = {"path", "is_constant"}  # a name stands for the path; the other is of use to scores only


def metadata(run: Run, row: int) -> pd.DataFrame:
    """What the manifest says about one sample: Field and Value, empty ones left out."""
    left_out = NOT_METADATA | set(run.info.scores) | set(scores.names())
    record = samples(run, [name for name in run.column_names() if name not in left_out]).iloc[row]
    filled = {str(name): str(value) for name, value in record.items() if not (pd.isna(value) or value == "")}
    return pd.DataFrame({"Field": [name.replace("_", " ") for name in filled], "Value": list(filled.values())})


# ------------------------------------------------------------------------------------------------------ work under way


def under_way() -> None:
    """Progress of long work in the sidebar, while there is any."""
    if progress.jobs(cache_folder()):
        st.divider()
        watch_jobs()


@st.fragment(run_every=1.0)
def watch_jobs() -> None:
    """Bars that follow the progress files; the whole page runs again when a Run appears or work ends."""
    current = progress.jobs(cache_folder())
    seen = (tuple(sorted(job.stage for job in current)), len(store.run_folders(cache_folder())))
    before = st.session_state.setdefault("_jobs_seen", seen)
    for job in current:
        share = min(1.0, job.done / job.total) if job.total else 0.0
        left = f", about {job.left:.0f} s left" if job.left is not None else ""
        st.progress(share, text=f"{escaped(job.label)}{left}")
    if seen != before:
        st.session_state["_jobs_seen"] = seen
        st.rerun()


def worker(run: Run, what: str, *, missing: str, button: str, key: str) -> None:
    """In place of a slow result that is not stored: why, and a button that has another process make it.

    `what`: see derive.Work. Nothing slow happens in the page. The bars are in the sidebar.
    """
    work = derive.Work(run, what)
    if work.is_under_way:
        st.info(f"{missing} It is being computed: the bar in the sidebar follows it.", icon=":material/hourglass:")
        return
    problem = f" The last attempt ended without a result: {escaped(work.last_words)}" if work.last_words else ""
    st.info(missing + problem, icon=":material/error:" if problem else ":material/hourglass_disabled:")
    if st.button(button, key=key, icon=":material/play_arrow:"):
        work.start()
        st.rerun()
