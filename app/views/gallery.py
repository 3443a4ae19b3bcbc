"""Gallery: which images the model reconstructs badly, and which verdicts are wrong."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import charts, state
from app.components import gallery as component
from fas_core import compare, metrics, scores
from fas_core.manifest import BONA_FIDE
from fas_core.operating_point import OperatingPoint
from fas_core.store import Run

MAX_BPCER = 0.05
HIGH, LOW, RANDOM = "Score, high to low", "Score, low to high", "Random"
ALL, MISSED, REJECTED = "All", "Missed attacks", "Rejected live"
VERDICTS = {MISSED: compare.MISSED, REJECTED: compare.REJECTED}
PER_PAGE = (12, 24, 60)

run = state.chosen_run()
subsets = state.chosen_subsets(run)
score = state.chosen_score(run)


@st.cache_resource(max_entries=16, show_spinner=False)
def groups_of(digest: str, _run: Run) -> NDArray[np.str_]:
    """(n,) the class of each sample, for chips and the filter."""
    return charts.groups(state.samples(_run, ("subset", "label", "pai_species")))


@st.cache_resource(max_entries=16, show_spinner=False)
def ids_of(digest: str, _run: Run) -> pd.Index:
    """(n,) sample ids; get_loc finds a row."""
    return pd.Index(state.samples(_run, ("sample_id",))["sample_id"].astype(str))


def answer(point: OperatingPoint | None, values: NDArray[np.float64], kinds: NDArray[np.str_]) -> str:
    """The page's answer in one or two sentences; `values` and `kinds` are those of the chosen subsets."""
    parts = []
    reported = state.pooled_score_set(run, score, point.reported_on if point else subsets)
    if point is not None and reported.n_bona_fide + reported.n_attack:
        at = metrics.rates_at(reported, point.threshold)
        counts = at["counts"]
        if reported.n_attack:
            worst, n_worst = at["apcer_worst"], len(reported.attacks[at["apcer_worst"]])
            parts.append(
                f"**{counts['fn']:,} of {reported.n_attack:,} attacks are missed** "
                f"({state.percent(at['apcer_pooled'], reported.n_attack)}), worst {state.escaped(charts.words(worst))} "
                f"({state.percent(at['apcer_max'], n_worst)} of {n_worst:,})"
            )
        if reported.n_bona_fide:
            parts.append(
                f"**{counts['fp']:,} of {reported.n_bona_fide:,} live images are rejected** "
                f"({state.percent(at['bpcer'], reported.n_bona_fide)})"
            )
    top = kinds[np.argsort(-values, kind="stable")[:60]]
    names, numbers = np.unique(top, return_counts=True)
    if not names.size:
        return "The chosen subsets hold no image."
    most = f"{numbers.max()} of the {len(top)} images with the highest {state.escaped(score)} are "
    most += f"{state.escaped(charts.words(str(names[numbers.argmax()])))}."
    return f"{'; '.join(parts)}. {most}" if parts else most


def to_first_page() -> None:
    st.session_state["page"] = 1


@dataclass(frozen=True)
class Choice:
    """What the controls say."""

    order: str
    seed: int
    classes: list[str]
    verdict: str
    part_of_id: str
    per_page: int
    display: component.Display


def controls(kinds: NDArray[np.str_], has_verdicts: bool) -> Choice:
    """Order, filters and display. A change of what is shown leads to page 1."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox(
            "Order",
            [HIGH, LOW, RANDOM],
            key="order",
            bind="query-params",
            on_change=to_first_page,
            width=170,
            help="Higher scores look more like an attack to the model.",
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
            charts.in_group_order(sorted(set(kinds.tolist()))),
            format_func=charts.words,
            key="classes",
            bind="query-params",
            placeholder="All",
            on_change=to_first_page,
            width=190,
            help="Attack species of the data, and bona fide (live) images.",
        )
        part = st.text_input(
            "Find",
            key="find",
            bind="query-params",
            placeholder="Part of a sample id",
            on_change=to_first_page,
            width=150,
        )
        with st.popover("Display", icon=":material/tune:"):
            per_page, seed = paging_controls(order == RANDOM)
            display = component.display_controls()
    return Choice(str(order), seed, wanted, str(verdict), part, per_page, display)


def paging_controls(is_random: bool) -> tuple[int, int]:
    """Images per page and the seed of the random order."""
    per_page = st.segmented_control(
        "Images per page",
        PER_PAGE,
        default=60,
        key="per_page",
        bind="query-params",
        required=True,
        on_change=to_first_page,
    )
    seed = st.number_input(
        "Seed of the random order",
        min_value=0,
        max_value=10**9,
        value=0,
        key="seed",
        bind="query-params",
        disabled=not is_random,
        on_change=to_first_page,
    )
    return int(per_page or 60), int(seed)


def in_order(values: NDArray[np.float64], rows: NDArray[np.int64], order: str, seed: int) -> NDArray[np.int64]:
    if order == RANDOM:
        # Drawn for all samples: the order of two of them does not depend on the filters.
        return rows[np.argsort(np.random.default_rng(seed).random(len(values))[rows])]
    return rows[np.argsort(-values[rows] if order == HIGH else values[rows], kind="stable")]


def above_words(place: float) -> str:
    """A percentile among training live images, never rounded up to all of them."""
    return "above all training live" if place == 1 else f"above {math.floor(100 * place)} % of training live"


def cards_of(rows: NDArray[np.int64]) -> list[component.Card]:
    places = compare.percentiles(values[rows], values[is_training])
    made = []
    for row, place in zip(rows, places, strict=True):
        style = charts.style_of(kinds[row])
        above = f" · {above_words(place)}" if is_training.any() else ""
        made.append(
            component.Card(
                sample_id=ids[row],
                lines=(f"{score} {state.number(values[row])}{above}", ids[row]),
                group=charts.words(kinds[row]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict=cast(component.Verdict, str(verdicts[row])),
            )
        )
    return made


@st.dialog("One image", width=880, position="right")
def details(shown: list[str], display: component.Display) -> None:
    """Everything about one sample; steps through the images of the page."""
    row = int(ids.get_loc(component.stepper(shown)))
    [card] = cards_of(np.array([row]))
    panels = component.triplet(run, np.array([row]), limit=display.limit, signed=display.signed)
    component.gallery([card], panels, key="detail_images", size=256)
    left, right = st.columns(2)
    with left:
        st.markdown("**Scores**")
        st.dataframe(scores_table(row), hide_index=True, column_config=SCORE_COLUMNS)
        compared = f"Compared with the {is_training.sum():,} training live images. " if is_training.any() else ""
        st.caption(f"{compared}Higher scores look more attack-like.")
    with right:
        st.markdown("**Metadata**")
        st.dataframe(state.metadata(run, row), hide_index=True, height="content")


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
        all_values = state.score_values(run, name)
        [place] = compare.percentiles(all_values[[row]], all_values[is_training])
        rows.append(
            {
                "Score": name,
                "Value": state.number(all_values[row]),
                "Above": None if math.isnan(place) else math.floor(100 * place),
            }
        )
    return pd.DataFrame(rows)


@state.fragment
def show_page(rows: NDArray[np.int64], per_page: int, display: component.Display) -> None:
    """The images of one page and the bar to turn it. A fragment: turning runs nothing but this again."""
    place = st.container()
    st.html(component.BAR_STAYS_IN_VIEW)
    with st.container(key=component.BAR, horizontal=True, vertical_alignment="center"):
        page = st.pagination(math.ceil(len(rows) / per_page), key="page", bind="query-params")
        first = (page - 1) * per_page
        shown = rows[first : first + per_page]
        st.caption(f"{first + 1:,}–{first + len(shown):,} of {len(rows):,} images")
    with place:
        panels = component.triplet(run, shown, limit=display.limit, signed=display.signed)
        chosen = component.gallery(cards_of(shown), panels, key="images", size=display.size)
    if chosen is not None:
        component.start_at(chosen)
        details([ids[row] for row in shown], display)


def show_failures() -> None:
    failures = run.failures()
    failures = failures[failures["subset"].isin(subsets)]
    if not len(failures):
        return
    with st.expander(f"{len(failures):,} {'image' if len(failures) == 1 else 'images'} gave no output"):
        st.caption("They have no reconstruction and no score; error rates count them as non-responses.")
        columns = [c for c in ("sample_id", "subset", "label", "reason") if c in failures]
        st.dataframe(failures[columns].rename(columns=charts.words), hide_index=True)


st.title("Gallery")
state.needs_images(run, "The gallery")
samples = state.samples(run, ("sample_id", "subset", "label", "pai_species"))
ids = ids_of(run.digest, run)
values = state.score_values(run, score)
kinds = groups_of(run.digest, run)
is_chosen = samples["subset"].isin(subsets).to_numpy()
is_live = (samples["label"] == BONA_FIDE).to_numpy()
is_training = is_live & (samples["subset"] == "train").to_numpy()

point, problem = state.operating_point(run, score, subsets)
verdicts = (
    np.full(len(ids), compare.RIGHT) if point is None else compare.verdicts(samples["label"], values, point.threshold)
)
st.write(answer(point, values[is_chosen], kinds[is_chosen]))
st.caption(problem if point is None else state.about(point))

choice = controls(kinds[is_chosen], point is not None)
fits = is_chosen & (np.isin(kinds, choice.classes) if choice.classes else True)
if choice.verdict in VERDICTS and point is not None:
    fits &= verdicts == VERDICTS[choice.verdict]
if choice.part_of_id:
    fits &= samples["sample_id"].str.contains(choice.part_of_id, case=False, regex=False).to_numpy()
rows = in_order(values, np.flatnonzero(fits), choice.order, choice.seed)

if not len(rows):
    st.info("No image fits. Choose another verdict or class, or clear the search.", icon=":material/filter_alt_off:")
else:
    show_page(rows, choice.per_page, choice.display)
show_failures()
