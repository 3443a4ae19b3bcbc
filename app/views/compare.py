"""Compare: what a second Run does better or worse on the same samples."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import charts, state
from app.components import gallery as component
from fas_core import compare, metrics, scores
from fas_core.compare import Flips, Paired
from fas_core.manifest import BONA_FIDE
from fas_core.store import Run

FIXED, BROKEN, BOTH_WRONG, ALL = "Fixed by B", "Broken by B", "Wrong in both", "All"
CHANGE, SCORE_A, SCORE_B = "Largest change", "Score of A, high to low", "Score of B, high to low"
ALL_ATTACKS = "All attacks"
CURVE_POINTS = 800
PER_PAGE = 24
MAKE_ANOTHER = (
    "fas cache CHECKPOINT --data MANIFEST              # another checkpoint on the same images\n"
    "fas scores import SCORES.csv --name NAME          # another system's scores for the same samples"
)


def second_run(a: Run, score_a: str) -> tuple[Run, str]:
    """B and its score, chosen on the page. Where there is nothing to compare with, the page says so and ends."""
    found, _ = state.runs()
    # The same Run is offered last, for comparing two of its scores.
    others = [r for r in found if r.id != a.id] + [r for r in found if r.id == a.id]
    others.sort(key=lambda r: (r.id == a.id, r.info.manifest_sha256 != a.info.manifest_sha256))
    by_label = {state.label_of(r): r for r in others}
    with st.container(horizontal=True):
        label = st.selectbox(
            "Compare with Run B",
            list(by_label),
            key="compare",
            bind="query-params",
            width=300,
            help="A is the Run chosen in the sidebar. Samples are matched by their id.",
        )
        b = by_label[label]
        offered = scores.offered(b)
        score_b = st.selectbox(
            "Score of B",
            offered,
            index=offered.index(score_a) if score_a in offered else 0,
            key="score_b",
            bind="query-params",
            width=200,
            help=f"{b.info.name} has no score named {score_a}."
            if score_a not in offered
            else "Higher = more attack-like.",
        )
    if score_b is None:
        st.info("Run B has no score.", icon=":material/info:")
        st.stop()
    if b.id == a.id and score_b == score_a:
        st.info(
            "A and B are the same Run with the same score. Choose another Run or score for B"
            + ("." if len(found) > 1 else ", or make a second Run in a terminal:"),
            icon=":material/compare:",
        )
        if len(found) == 1:
            st.code(MAKE_ANOTHER, language="bash")
        st.stop()
    return b, str(score_b)


@st.cache_resource(max_entries=16, show_spinner="Matching samples …")
def _paired(digest_a: str, score_a: str, digest_b: str, score_b: str, _a: Run, _b: Run) -> Paired:
    return compare.paired(_a, score_a, _b, score_b)


@st.cache_resource(max_entries=16, show_spinner="Comparing …")
def _compared(key: tuple[str, ...], _pair: Paired) -> tuple[Flips | None, str, pd.DataFrame]:
    """Verdicts at both thresholds, or None and why there are none; the table of rates."""
    try:
        both, problem = compare.flips(_pair), ""
    except metrics.UndefinedMetricError as error:
        both, problem = None, str(error)
    return both, problem, compare.table(_pair, both)


def names_of_runs() -> str:
    """A: small_dcvae (rec) · B: ..."""
    parts = [
        f"**{letter}** {state.escaped(one.info.name)}, {state.escaped(name)}"
        for letter, one, name in (("A", run, score), ("B", other, other_score))
    ]
    return " · ".join(parts)


def answer(pair: Paired, rates: pd.DataFrame, both: Flips | None) -> str:
    """The page's answer: the species whose APCER differs most, then all verdicts, then AUC."""
    overall = rates[rates["subset"] == ""]
    attacks = overall[overall["kind"] != BONA_FIDE]
    if both is None or attacks.empty:
        return "The common samples hold one class only: there is nothing to trade off."
    n_live = int(overall.loc[overall["kind"] == BONA_FIDE, "n"].iloc[0])
    at = f"when each rejects at most 5 % of the {n_live:,} common live samples"
    most = attacks.loc[attacks["difference"].abs().idxmax()]
    n_fixed, n_broken = int(both.fixed.sum()), int(both.broken.sum())
    turned = (
        f"B puts **{n_fixed:,} wrong verdicts right and {n_broken:,} right ones wrong**; {over_all_thresholds(pair)}."
    )
    species, n = state.escaped(charts.words(most["kind"])), int(most["n"])
    first, second = state.percent(most["wrong_a"], n), state.percent(most["wrong_b"], n)
    if first == second:
        return f"A and B miss the same share of every attack species {at}. {turned}"
    verb = "fewer" if most["difference"] < 0 else "more"
    return f"**B misses {verb} {species} attacks: {second} instead of {first}** (n = {n:,}) {at}. {turned}"


def over_all_thresholds(pair: Paired) -> str:
    set_a, set_b = pair.score_sets()
    digits = digits_of(set_a)
    first, second = (f"{metrics.roc_auc(one):.{digits}f}" for one in (set_a, set_b))
    if first == second:
        return f"over all thresholds both separate alike (AUC {first})"
    better = "better" if float(second) > float(first) else "worse"
    return f"over all thresholds it separates {better}: AUC {second} instead of {first}"


def caveats(pair: Paired, both: Flips | None, problem: str) -> str:
    words = [f"{len(pair):,} samples compared"]
    for letter, only in (("A", pair.n_only_a), ("B", pair.n_only_b)):
        if only:
            words.append(f"{only:,} only in {letter}")
    if pair.n_no_response:
        words.append(f"{pair.n_no_response:,} left out because one of the two gave no score")
    text = ", ".join(words) + ". "
    if tested != subsets:
        text += "Training images are left out. "
    if both is None:
        return text + f"No verdicts: {state.escaped(problem)}."
    text += f"Thresholds {state.number(both.threshold_a)} (A) and {state.number(both.threshold_b)} (B). "
    for letter, values, threshold in (("A", pair.scores_a, both.threshold_a), ("B", pair.scores_b, both.threshold_b)):
        if values.max() < threshold:
            text += (
                f"{letter} calls nothing an attack there: more than 5 % of the live samples share its highest score. "
            )
    return text + "No intervals yet: differences of a few samples can be chance."


def show_curves(pair: Paired, both: Flips | None) -> None:
    set_a, set_b = pair.score_sets()
    if not (set_a.n_bona_fide and set_a.n_attack):
        return
    species = list(set_a.attacks)
    chosen = st.segmented_control(
        "Attacks in the curves",
        [ALL_ATTACKS, *species],
        default=ALL_ATTACKS,
        format_func=charts.words,
        key="attacks",
        bind="query-params",
        required=True,
        help="The species of the presentation attack; each is compared with all common live samples.",
    )
    sets = {"A": set_a, "B": set_b}
    colour = charts.NEUTRAL
    if chosen in species:
        sets = {letter: metrics.of_species(one, str(chosen)) for letter, one in sets.items()}
        colour = charts.style_of(str(chosen)).colour
    curves = {letter: metrics.thinned(metrics.curves(one), CURVE_POINTS) for letter, one in sets.items()}
    roc_at: dict[str, tuple[float, float] | None] = {"A": None, "B": None}
    pr_at: dict[str, tuple[float, float] | None] = {"A": None, "B": None}
    if both is not None:
        for letter, threshold in (("A", both.threshold_a), ("B", both.threshold_b)):
            at = metrics.rates_at(sets[letter], threshold)
            roc_at[letter] = (at["bpcer"], at["recall"])
            pr_at[letter] = None if at["precision"] is None else (at["recall"], at["precision"])
    auc = ", ".join(f"{letter} {metrics.roc_auc(one):.{digits_of(one)}f}" for letter, one in sets.items())
    precision = ", ".join(
        f"{letter} {metrics.average_precision(one):.{digits_of(one)}f}" for letter, one in sets.items()
    )
    left, right = st.columns(2)
    with left:
        st.markdown(f"**ROC** · area under the curve: {auc}", help="1 = perfect, 0.5 = chance.")
        made = charts.roc_of_runs(curves, roc_at, colour)
        st.plotly_chart(made, key="roc_runs", alt=f"ROC of both Runs; area under the curve {auc}")
    with right:
        st.markdown(
            f"**Precision and recall** · average precision: {precision}", help="Depends on the share of attacks."
        )
        made = charts.precision_recall_of_runs(curves, pr_at, colour)
        st.plotly_chart(made, key="pr_runs", alt=f"Precision and recall of both Runs; average precision {precision}")


def digits_of(one: metrics.ScoreSet) -> int:
    return 2 if min(one.n_bona_fide, one.n_attack) < 1000 else 3


def show_table(rates: pd.DataFrame) -> None:
    st.subheader("Every subset and species")
    table = pd.DataFrame(
        {
            "Subset": [charts.words(s) if s else "all" for s in rates["subset"]],
            "Class": [charts.words(k) for k in rates["kind"]],
            "n": rates["n"],
            "Wrong in A": 100 * rates["wrong_a"].astype(float),
            "Wrong in B": 100 * rates["wrong_b"].astype(float),
            "B − A": 100 * rates["difference"].astype(float),
            "AUC A": rates["auc_a"].astype(float),
            "AUC B": rates["auc_b"].astype(float),
            "AUC B − A": rates["auc_difference"].astype(float),
        }
    )
    digits = 0 if rates["n"].median() < 1000 else 1
    wrong = "Share of wrong verdicts at the threshold: APCER for an attack species, BPCER for bona fide samples."
    share = st.column_config.NumberColumn(format=f"%.{digits}f %%", help=wrong)
    area = st.column_config.NumberColumn(
        format="%.2f", help="Chance that an attack of this species scores above a bona fide sample of the same rows."
    )
    signed = st.column_config.NumberColumn(
        format=f"%+.{digits}f", help="Percentage points. Below 0: B makes fewer mistakes."
    )
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        height=min(460, 38 + 35 * len(table)),
        column_config={
            "n": st.column_config.NumberColumn(format="localized", help="Samples in this row."),
            "Wrong in A": share,
            "Wrong in B": share,
            "B − A": signed,
            "AUC A": area,
            "AUC B": area,
            "AUC B − A": st.column_config.NumberColumn(format="%+.2f", help="Above 0: B separates better."),
        },
    )


def to_first_page() -> None:
    st.session_state["compare_page"] = 1


def image_controls(kinds: NDArray[np.str_], both: Flips | None) -> tuple[str, str, list[str], component.Display]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show = st.segmented_control(
            "Verdicts",
            [FIXED, BROKEN, BOTH_WRONG, ALL] if both is not None else [ALL],
            default=FIXED if both is not None and both.fixed.any() else ALL,
            key="show",
            bind="query-params",
            required=True,
            on_change=to_first_page,
            help="Fixed: A is wrong, B is right. Broken: A is right, B is wrong.",
        )
        order = st.selectbox(
            "Order",
            [CHANGE, SCORE_A, SCORE_B],
            key="compare_order",
            bind="query-params",
            on_change=to_first_page,
            width=200,
            help="Change: the place of the score among the common live samples, which does not depend on its unit.",
        )
        wanted = st.multiselect(
            "Classes",
            charts.in_group_order(sorted(set(kinds.tolist()))),
            format_func=charts.words,
            key="compare_classes",
            bind="query-params",
            placeholder="All",
            on_change=to_first_page,
            width=190,
        )
        with st.popover("Display", icon=":material/tune:"):
            display = component.display_controls()
    return str(show), str(order), wanted, display


@state.fragment
def show_images(pair: Paired, both: Flips | None) -> None:
    """Images with their reconstructions by A and B. A fragment: filters and pages run nothing but this again."""
    st.subheader("The same images side by side")
    without = [one.info.name for one in (run, other) if not one.has_images]
    if without:
        st.info(
            f"{state.escaped(' and '.join(without))}: imported from a score file, without images. "
            "Images appear when both Runs were made from images.",
            icon=":material/hide_image:",
        )
        return
    kinds = charts.groups(pair.samples)
    show, order, wanted, display = image_controls(kinds, both)
    live = (pair.samples["label"] == BONA_FIDE).to_numpy()
    place_a = compare.percentiles(pair.scores_a, pair.scores_a[live])
    place_b = compare.percentiles(pair.scores_b, pair.scores_b[live])
    fits = np.isin(kinds, wanted) if wanted else np.ones(len(pair), np.bool_)
    if both is not None and show != ALL:
        fits &= {FIXED: both.fixed, BROKEN: both.broken, BOTH_WRONG: both.both_wrong}[show]
    sorting = {CHANGE: -np.abs(place_b - place_a), SCORE_A: -pair.scores_a, SCORE_B: -pair.scores_b}[order]
    rows = np.flatnonzero(fits)
    rows = rows[np.argsort(sorting[rows], kind="stable")]
    if not len(rows):
        st.info("No image fits. Choose other verdicts or classes.", icon=":material/filter_alt_off:")
        return
    with st.container():
        show_page(pair, both, rows, kinds, (place_a, place_b), display)


def show_page(
    pair: Paired,
    both: Flips | None,
    rows: NDArray[np.int64],
    kinds: NDArray[np.str_],
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    display: component.Display,
) -> None:
    place = st.container()
    st.html(component.BAR_STAYS_IN_VIEW)
    with st.container(key=component.BAR, horizontal=True, vertical_alignment="center"):
        page = st.pagination(math.ceil(len(rows) / PER_PAGE), key="compare_page", bind="query-params")
        first = (page - 1) * PER_PAGE
        shown = rows[first : first + PER_PAGE]
        st.caption(f"{first + 1:,}–{first + len(shown):,} of {len(rows):,} images")
    with place:
        cards = cards_of(pair, both, shown, kinds, *places)
        panels = panels_of(pair, shown, display)
        chosen = component.gallery(cards, panels, key="compare_images", size=display.size)
    if chosen is not None:
        component.start_at(chosen)
        details(pair, [card.sample_id for card in cards], cards, panels, shown)


@st.dialog("One image", width=880, position="right")
def details(
    pair: Paired,
    sample_ids: list[str],
    cards: list[component.Card],
    panels: list[component.Panel],
    shown: NDArray[np.int64],
) -> None:
    """One sample in both Runs, large; steps through the images of the page."""
    at = sample_ids.index(component.stepper(sample_ids))
    large = [replace(panel, images=panel.images[at : at + 1]) for panel in panels]
    component.gallery([cards[at]], large[:3], key="detail_runs", size=256)
    component.gallery([component.Card(sample_ids[at])], large[3:], key="detail_errors", size=256)
    st.markdown("**Metadata**")
    st.dataframe(state.metadata(run, int(pair.rows_a[shown[at]])), hide_index=True, height="content")


def cards_of(
    pair: Paired,
    both: Flips | None,
    shown: NDArray[np.int64],
    kinds: NDArray[np.str_],
    place_a: NDArray[np.float64],
    place_b: NDArray[np.float64],
) -> list[component.Card]:
    """The outline is B's verdict; the lines say both."""
    made = []
    for i in shown:
        style = charts.style_of(kinds[i])
        lines = []
        for letter, values, places, verdicts in (
            ("A", pair.scores_a, place_a, None if both is None else both.verdicts_a),
            ("B", pair.scores_b, place_b, None if both is None else both.verdicts_b),
        ):
            verdict = "" if verdicts is None else f" · {verdicts[i]}"
            above = "" if math.isnan(places[i]) else f" · above {math.floor(100 * places[i])} % of live"
            lines.append(f"{letter}{verdict} · {state.number(values[i])}{above}")
        sample_id = str(pair.samples["sample_id"].iloc[i])
        made.append(
            component.Card(
                sample_id=sample_id,
                lines=(*lines, sample_id),
                group=charts.words(kinds[i]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict="right" if both is None else both.verdicts_b[i],
            )
        )
    return made


def panels_of(pair: Paired, shown: NDArray[np.int64], display: component.Display) -> list[component.Panel]:
    """Original, both reconstructions, both errors; B's error is against B's own input."""
    original, first, error_a = component.triplet(run, pair.rows_a[shown], limit=display.limit, signed=display.signed)
    _, second, error_b = component.triplet(other, pair.rows_b[shown], limit=display.limit, signed=display.signed)
    named = (("original", original), ("A", first), ("B", second), ("error A", error_a), ("error B", error_b))
    return [component.Panel(name, p.images, p.palette, p.low, p.high) for name, p in named]


run = state.chosen_run()
subsets = state.chosen_subsets(run)
score = state.chosen_score(run)
st.title("Compare")
head = st.container()
other, other_score = second_run(run, score)
pair = _paired(run.digest, score, other.digest, other_score, run, other)
tested = [s for s in subsets if s != "train"] or subsets
pair = pair.in_subsets(tested)
if not len(pair):
    st.info(
        f"A and B have no sample in common in the chosen subsets. {state.escaped(run.info.name)} holds {len(run):,} "
        f"samples, {state.escaped(other.info.name)} {len(other):,}: other data, or other ids. "
        "Choose another Run for B, or make one from the same images:",
        icon=":material/link_off:",
    )
    st.code(MAKE_ANOTHER, language="bash")
    st.stop()
both, problem, rates = _compared((run.digest, score, other.digest, other_score, *tested), pair)
with head:
    st.write(answer(pair, rates, both))
    st.caption(f"{names_of_runs()}. {caveats(pair, both, problem)}")
show_curves(pair, both)
show_table(rates)
show_images(pair, both)
