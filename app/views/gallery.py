"""Gallery: which images the model reconstructs badly, and which verdicts are wrong."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import words as words_module
from app.components import gallery as component
from app.components.zoom import zoomed
from app.parts import marking
from app.session import readers, sidebar
from app.session.address import link_params
from app.session.page import fragment
from app.session.readers import decided_values, decisions, metadata, pooled_score_set, score_values
from app.words import escaped, number, percent
from fas_core import metrics, scores
from fas_core.data import names as names_module
from fas_core.data.names import BONA_FIDE, in_group_order, readable
from fas_core.evaluation import verdicts as verdicts_module
from fas_core.evaluation.verdicts import NO_RESPONSE, RIGHT, percentiles, verdicts_at
from fas_core.metrics.operating_point import OperatingPoint
from fas_core.reports.palette import style_of
from fas_core.runs import selections
from fas_core.runs.store import Run

HIGH, LOW, RANDOM = "Score, high to low", "Score, low to high", "Random"
NEAR, DISAGREEMENT = "Nearest the threshold", "Disagreement of two scores"
CHOSEN = "chosen score"
FEW_VALUES = 12  # of a number: chosen one by one; more are chosen as a range
MANY_VALUES = 1000  # of a text: found by a part of it, instead of in a list
ALL, MISSED, REJECTED = "All", "Missed attacks", "Rejected live"
VERDICTS = {MISSED: verdicts_module.MISSED, REJECTED: verdicts_module.REJECTED}
PER_PAGE = (12, 24, 60)

run = sidebar.chosen_run()
subsets = sidebar.chosen_subsets(run)
score = sidebar.chosen_score(run)


@st.cache_resource(max_entries=16, show_spinner=False)
def groups_of(digest: str, _run: Run) -> NDArray[np.str_]:
    """(n,) the class of each sample, for chips and the filter."""
    return names_module.groups_of(readers.samples(_run, ("subset", "label", "pai_species")))


def answer(point: OperatingPoint | None, values: NDArray[np.float64], kinds: NDArray[np.str_]) -> str:
    """The page's answer in one or two sentences; `values` and `kinds` are those of the chosen subsets."""
    parts = []
    reported = pooled_score_set(run, score, sidebar.chosen_level(run), point.reported_on if point else subsets)
    if point is not None and reported.n_bona_fide + reported.n_attack:
        at = metrics.rates_at(reported, point.threshold)
        counts = at["counts"]
        if reported.n_attack:
            worst, n_worst = at["apcer_worst"], len(reported.attacks[at["apcer_worst"]])
            parts.append(
                f"**{counts['fn']:,} of {reported.n_attack:,} attacks are missed** "
                f"({percent(at['apcer_pooled'], reported.n_attack)}), worst {escaped(readable(worst))} "
                f"({percent(at['apcer_max'], n_worst)} of {n_worst:,})"
            )
        if reported.n_bona_fide:
            what = decisions(run, sidebar.chosen_level(run))
            parts.append(
                f"**{counts['fp']:,} of {reported.n_bona_fide:,} live {what} are rejected** "
                f"({percent(at['bpcer'], reported.n_bona_fide)})"
            )
    top = kinds[np.argsort(-values, kind="stable")[:60]]
    names, numbers = np.unique(top, return_counts=True)
    if not names.size:
        return "The chosen subsets hold no image."
    most = f"{numbers.max()} of the {len(top)} images with the highest {escaped(score)} are "
    most += f"{escaped(readable(str(names[numbers.argmax()])))}."
    return f"{'; '.join(parts)}. {most}" if parts else most


def to_first_page() -> None:
    st.session_state["page"] = 1


@dataclass(frozen=True)
class Choice:
    """What the controls say. `by` and `against` are scores."""

    order: str
    by: str
    against: str
    seed: int
    more_scores: list[str]
    per_page: int
    display: component.Display


def controls(kinds: NDArray[np.str_], has_verdicts: bool) -> tuple[Choice, NDArray[np.bool_]]:
    """Order, filters and display, and (n,) which images pass the filters. A change of what is shown leads to page 1."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order, fits = search_controls(kinds, has_verdicts)
        with st.popover("Order by", icon=":material/sort:"):
            by, against, seed = order_controls(order)
        with st.popover("Filters", icon=":material/filter_alt:"):
            fits &= selection_filter()
            fits &= column_filters()
            fits &= near_filter(has_verdicts)
        with st.popover("Marks", icon=":material/star:"):
            fits &= marks_controls()
        with st.popover("Display", icon=":material/tune:"):
            more = st.multiselect(
                "More scores on the cards",
                [name for name in scores.offered(run) if name != score],
                key="more_scores",
                bind="query-params",
            )
            per_page = paging_control()
            display = component.display_controls(ssim=True)
    return Choice(order, by, against, seed, more, per_page, display), fits


def search_controls(kinds: NDArray[np.str_], has_verdicts: bool) -> tuple[str, NDArray[np.bool_]]:
    """What is always in sight: the order, and (n,) which images of the chosen subsets pass the filters there."""
    order = st.selectbox(
        "Order",
        [HIGH, LOW, *([NEAR] if has_verdicts else []), DISAGREEMENT, RANDOM],
        key="order",
        bind="query-params",
        on_change=to_first_page,
        width=230,
        help="Higher scores look more like an attack to the model. Two scores disagree about an image by the "
        "difference of its ranks among all images of the Run.",
    )
    verdict = st.segmented_control(
        "Verdict",
        [ALL, *VERDICTS],
        default=ALL,
        key="verdict",
        bind="query-params",
        required=True,
        disabled=not has_verdicts,
        on_change=to_first_page,
        help="Missed attack: its score is below the threshold. Rejected live: its score is at or above it.",
    )
    wanted = st.multiselect(
        "Classes",
        in_group_order(sorted(set(kinds.tolist()))),
        format_func=readable,
        key="classes",
        bind="query-params",
        placeholder="All",
        on_change=to_first_page,
        width=190,
        help="Attack species of the data, and bona fide (live) images.",
    )
    part = st.text_input(
        "Find", key="find", bind="query-params", placeholder="Part of a sample id", on_change=to_first_page, width=150
    )
    fits = is_chosen.copy()
    if wanted:
        fits &= np.isin(all_kinds, wanted)
    if verdict in VERDICTS and point is not None:
        fits &= verdicts == VERDICTS[str(verdict)]
    if part:
        fits &= samples["sample_id"].str.contains(part, case=False, regex=False).to_numpy()
    return str(order), fits


@st.cache_resource(max_entries=64, show_spinner=False)
def column(digest: str, name: str, _run: Run) -> NDArray[Any]:
    """One column of the samples: numbers as float64 with NaN, everything else as text with ""."""
    found = readers.samples(_run, (name,))[name]
    if pd.api.types.is_numeric_dtype(found) and not pd.api.types.is_bool_dtype(found):
        return found.to_numpy(np.float64)
    return found.astype("str").fillna("").to_numpy(str)


def selection_filter() -> NDArray[np.bool_]:
    """(n,) which images are in the saved selection that is chosen."""
    names = selections.names(run)
    if st.session_state.get("selection", ALL) not in names:
        st.session_state["selection"] = ALL
    name = st.selectbox(
        "Saved selection",
        [ALL, *names],
        key="selection",
        bind="query-params",
        on_change=to_first_page,
        disabled=not names,
        help="Selections are saved on the page Latent space.",
    )
    if name == ALL:
        return np.ones(len(ids), np.bool_)
    return np.asarray(ids.isin(selections.sample_ids(run, str(name))), np.bool_)


def column_filters() -> NDArray[np.bool_]:
    """Any columns of the data, each with a choice of its own; (n,) which images pass all of them."""
    fits = np.ones(len(ids), np.bool_)
    columns = [name for name in run.column_names() if name not in ("sample_id", "path")]
    st.session_state["where"] = [name for name in st.session_state.get("where", []) if name in columns]
    chosen = st.multiselect(
        "Columns of the data",
        columns,
        key="where",
        bind="query-params",
        format_func=readable,
        on_change=to_first_page,
        placeholder="Subject, session, any other",
    )
    for name in chosen:
        fits &= column_filter(name)
    return fits


def column_filter(name: str) -> NDArray[np.bool_]:
    """The choice for one column: a range of numbers, some of a few values, a part of a text."""
    found = column(run.digest, name, run)
    title, key = escaped(readable(name)), f"where_{name}"
    is_number = np.issubdtype(found.dtype, np.floating)
    distinct = np.unique(found[~np.isnan(found)] if is_number else found)
    if is_number and len(distinct) > FEW_VALUES:
        low, high = float(distinct[0]), float(distinct[-1])
        if key in st.session_state:  # of another Run, perhaps
            kept = st.session_state[key]
            st.session_state[key] = (min(max(kept[0], low), high), max(min(kept[1], high), low))
        first, last = st.slider(
            title, low, high, (low, high), (high - low) / 200, "%.4g", key, bind="query-params", on_change=to_first_page
        )
        # The whole range leaves out nothing, not even what has no number.
        return (found >= first) & (found <= last) if (first, last) != (low, high) else np.ones(len(found), np.bool_)
    if len(distinct) > MANY_VALUES:
        part = st.text_input(title, key=f"{key}_part", bind="query-params", on_change=to_first_page)
        return pd.Series(found).str.contains(part, case=False, regex=False).to_numpy(np.bool_)
    names = np.array([f"{value:g}" for value in found]) if is_number else found
    options = [f"{value:g}" for value in distinct] if is_number else [str(value) for value in distinct]
    st.session_state[key] = [value for value in st.session_state.get(key, []) if value in options]
    wanted = st.multiselect(
        title,
        options,
        key=key,
        bind="query-params",
        format_func=lambda value: value or "(empty)",
        placeholder="All",
        on_change=to_first_page,
    )
    return np.isin(names, wanted) if wanted else np.ones(len(found), np.bool_)


def near_filter(has_verdicts: bool) -> NDArray[np.bool_]:
    """(n,) whether an image is among the given share of the chosen subsets that lies nearest the threshold."""
    share = st.slider(
        "Only the images nearest the threshold, in %",
        1,
        100,
        100,
        key="near",
        bind="query-params",
        disabled=not has_verdicts,
        on_change=to_first_page,
        help="Of the chosen subsets, by the distance of their scores from the threshold, on both sides of it.",
    )
    if point is None or share == 100:
        return np.ones(len(ids), np.bool_)
    here = np.flatnonzero(is_chosen)
    nearest = here[np.argsort(distance_from_threshold()[here], kind="stable")][: math.ceil(share / 100 * len(here))]
    return np.isin(np.arange(len(ids)), nearest)


def distance_from_threshold() -> NDArray[np.float64]:
    """(n,) of the scores that are decided on; NaN where there is none."""
    return np.abs(decided - (np.nan if point is None else point.threshold))


def marks_controls() -> NDArray[np.bool_]:
    """Whose marks, which of them to show, and all of them as a table; (n,) which images pass."""
    marking.person_control()
    wanted = st.selectbox("Show", marking.FILTERS, key="marks", bind="query-params", on_change=to_first_page)
    n = len(marking.of_run(run))
    st.download_button(
        f"Download {n:,} {'mark' if n == 1 else 'marks and notes'} (CSV)",
        lambda: marking.csv(run),
        file_name=f"{run.info.name}-marks.csv",
        mime="text/csv",
        on_click="ignore",
        disabled=not n,
        icon=":material/download:",
        key="marks_csv",
    )
    return marking.fits(run, ids, str(wanted))


def order_controls(order: str) -> tuple[str, str, int]:
    """The score that the order follows, the one it is set against, and the seed of the random order."""
    offered = scores.offered(run)
    for key in ("by", "against"):
        if st.session_state.get(key, CHOSEN) not in (CHOSEN, *offered):
            st.session_state[key] = CHOSEN
    by = st.selectbox(
        "Score",
        [CHOSEN, *offered],
        key="by",
        bind="query-params",
        disabled=order in (NEAR, RANDOM),
        on_change=to_first_page,
    )
    of_order = score if by == CHOSEN else str(by)
    others = [name for name in offered if name != of_order]
    against = st.selectbox(
        "Disagreement with",
        [CHOSEN, *offered],
        index=1 + offered.index(others[0]) if others else 0,
        key="against",
        bind="query-params",
        disabled=order != DISAGREEMENT,
        on_change=to_first_page,
    )
    seed = st.number_input(
        "Seed of the random order",
        min_value=0,
        max_value=10**9,
        value=0,
        key="seed",
        bind="query-params",
        disabled=order != RANDOM,
        on_change=to_first_page,
    )
    return of_order, score if against == CHOSEN else str(against), int(seed)


def paging_control() -> int:
    per_page = st.segmented_control(
        "Images per page",
        PER_PAGE,
        default=60,
        key="per_page",
        bind="query-params",
        required=True,
        on_change=to_first_page,
    )
    return int(per_page or 60)


@st.cache_resource(max_entries=32, show_spinner=False)
def ranks(digest: str, name: str, _run: Run) -> NDArray[np.float64]:
    """(n,) share of all images of the Run with a lower score, 0..1."""
    values = score_values(_run, name)
    return percentiles(values, values)


def in_order(rows: NDArray[np.int64], choice: Choice) -> NDArray[np.int64]:
    """Rows as the chosen order has them; those without a score come last."""
    if choice.order == RANDOM:
        # Drawn for all samples: the order of two of them does not depend on the filters.
        return rows[np.argsort(np.random.default_rng(choice.seed).random(len(ids))[rows])]
    if choice.order == NEAR:
        key = distance_from_threshold()
    elif choice.order == DISAGREEMENT:
        key = -np.abs(ranks(run.digest, choice.by, run) - ranks(run.digest, choice.against, run))
    else:
        by = score_values(run, choice.by)
        key = by if choice.order == LOW else -by
    return rows[np.argsort(key[rows], kind="stable")]


def above_words(place: float) -> str:
    """A percentile among training live images, never rounded up to all of them."""
    return "above all training live" if place == 1 else f"above {math.floor(100 * place)} % of training live"


def score_line(name: str, row: int) -> str:
    """A score of one image, and how it stands among training live images."""
    found = score_values(run, name)
    [place] = percentiles(found[[row]], training_scores(run.digest, name, run))
    above = "" if math.isnan(place) else f" · {above_words(place)}"
    return f"{name} {number(found[row])}{above}"


@st.cache_resource(max_entries=64, show_spinner=False)
def training_scores(digest: str, name: str, _run: Run) -> NDArray[np.float64]:
    """Scores of the training live images, ascending."""
    about = readers.samples(_run, ("subset", "label"))
    is_training = (about["subset"] == "train").to_numpy() & (about["label"] == BONA_FIDE).to_numpy()
    return np.sort(score_values(_run, name)[is_training])


def cards_of(rows: NDArray[np.int64], choice: Choice) -> list[component.Card]:
    shown = list(dict.fromkeys([score, choice.by, *choice.more_scores]))
    if choice.order == DISAGREEMENT:
        shown = list(dict.fromkeys([choice.by, choice.against, *shown]))
    mine = {mark.sample_id for mark in marking.of_run(run) if mark.is_marked and mark.by == marking.person()}
    notes = marking.notes_by_sample(run)
    made = []
    for row in rows.tolist():
        style = style_of(all_kinds[row])
        sample_id = ids[row]
        lines = [*(score_line(name, row) for name in shown), sample_id]
        if choice.order == DISAGREEMENT:
            places = (f"{100 * ranks(run.digest, name, run)[row]:.0f} %" for name in shown[:2])
            lines.insert(0, f"rank among all images {' and '.join(places)}")
        made.append(
            component.Card(
                sample_id=sample_id,
                lines=lines,
                group=readable(all_kinds[row]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict=cast(component.Verdict, str(verdicts[row])),
                is_marked=sample_id in mine,
                note=notes.get(sample_id, ""),
            )
        )
    return made


@st.dialog("One image", width=980, position="right")
def details(shown: list[str], choice: Choice) -> None:
    """Everything about one sample; steps through the images of the page."""
    row = int(ids.get_loc(component.stepper(shown)))
    group, verdict = readable(all_kinds[row]), str(verdicts[row])
    words = {
        verdicts_module.MISSED: "missed attack",
        verdicts_module.REJECTED: "rejected live",
        NO_RESPONSE: "no response",
    }
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{escaped(group)}, {words.get(verdict, 'right') if point is not None else 'no threshold'}")
        st.page_link(
            "views/image.py",
            label="Open as a page",
            icon=":material/open_in_full:",
            query_params=link_params() | {"image": ids[row]},
        )
    zoomed(ids[row], choice.display.panels(run, np.array([row])), key="detail_images")
    marking.form(run, ids[row], with_name=False)
    left, right = st.columns(2)
    with left:
        st.markdown("**Scores**")
        st.dataframe(scores_table(row), hide_index=True, column_config=SCORE_COLUMNS)
        n = len(training_scores(run.digest, score, run))
        compared = f"Compared with the {n:,} training live images. " if n else ""
        st.caption(f"{compared}Higher scores look more attack-like.")
    with right:
        st.markdown("**Metadata**")
        st.dataframe(metadata(run, row), hide_index=True, height="content")


SCORE_COLUMNS = {
    "Above": st.column_config.ProgressColumn(
        format="%.0f %%",
        min_value=0,
        max_value=100,
        help="Share of the live images it is compared with that score lower.",
    )
}


def scores_table(row: int) -> pd.DataFrame:
    rows = []
    for name in scores.offered(run):
        all_values = score_values(run, name)
        [place] = percentiles(all_values[[row]], training_scores(run.digest, name, run))
        rows.append(
            {
                "Score": name,
                "Value": number(all_values[row]),
                "Above": None if math.isnan(place) else math.floor(100 * place),
            }
        )
    return pd.DataFrame(rows)


@fragment
def show_page(rows: NDArray[np.int64], choice: Choice) -> None:
    """The images of one page and the bar to turn it. A fragment: turning or marking runs nothing but this again."""
    place = st.container()
    shown, page, pages = component.page_bar(
        rows,
        choice.per_page,
        key="page",
        help="Keys, once a card has the focus: arrows, or n and p, go on and back, Page Down and Up turn the page, "
        "m marks, Enter opens.",
    )
    on_page = [ids[row] for row in shown]

    def turned(by: int) -> None:
        st.session_state["page"] = min(max(page + by, 1), pages)

    def marked(sample_id: str, is_marked: bool) -> None:
        if sample_id in ids:
            marking.keep(run, sample_id, is_marked)

    with place:
        marking.show_problem()
        chosen = component.gallery(
            cards_of(shown, choice),
            choice.display.panels(run, shown),
            key="images",
            size=choice.display.size,
            place=component.Place(page, pages, turned),
            on_mark=marked,
        )
    if chosen is not None:
        component.start_at(chosen)
        details(on_page, choice)


def show_failures() -> None:
    failures = run.failures()
    failures = failures[failures["subset"].isin(subsets)]
    if not len(failures):
        return
    with st.expander(f"{len(failures):,} {'image' if len(failures) == 1 else 'images'} gave no output"):
        st.caption("They have no reconstruction and no score; error rates count them as non-responses.")
        columns = [c for c in ("sample_id", "subset", "label", "reason") if c in failures]
        st.dataframe(failures[columns].rename(columns=readable), hide_index=True)


st.title("Gallery")
sidebar.needs_images(run, "The gallery")
samples = readers.samples(run, ("sample_id", "subset", "label", "pai_species"))
ids = readers.ids(run)
all_kinds = groups_of(run.digest, run)
is_chosen = samples["subset"].isin(subsets).to_numpy()

point, problem = sidebar.operating_point(run, score, sidebar.chosen_level(run), subsets)
decided = decided_values(run, score, sidebar.chosen_level(run))
verdicts = np.full(len(ids), RIGHT) if point is None else verdicts_at(samples["label"], decided, point.threshold)
st.write(answer(point, score_values(run, score)[is_chosen], all_kinds[is_chosen]))
st.caption(problem if point is None else words_module.about(point))

choice, fits = controls(all_kinds[is_chosen], point is not None)
rows = in_order(np.flatnonzero(fits), choice)

if not len(rows):
    st.info("No image fits. Choose another verdict or class, or clear the filters.", icon=":material/filter_alt_off:")
else:
    show_page(rows, choice)
show_failures()
