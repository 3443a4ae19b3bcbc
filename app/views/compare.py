"""Compare: what other Runs do better or worse on the same samples."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts import curves as run_charts
from app.charts import ridges
from app.charts.echarts import LINE_WORDS
from app.charts.trainings import TrainingCurve, training_curves
from app.components import gallery as component
from app.components import scatter as plot
from app.components.scatter import Answer, Colours, Plane, Selection
from app.components.zoom import zoomed
from app.session import readers, sidebar
from app.session.page import fragment
from app.session.readers import cache_folder, metadata, runs, score_values
from app.words import escaped, label_of, number
from fas_core import metrics, scores
from fas_core.data.names import BONA_FIDE, groups_of, in_group_order, readable
from fas_core.evaluation import breakdown, differences
from fas_core.evaluation import card as cards
from fas_core.evaluation.differences import Difference, Flips
from fas_core.evaluation.join import Joined, System, joined
from fas_core.evaluation.verdicts import percentiles
from fas_core.evaluation.words import in_words, metric_words, p_text, signed
from fas_core.metrics.operating_point import APCER, BPCER, DEFAULT, Rule
from fas_core.metrics.resampling import Resampled, Statistic
from fas_core.reports import report
from fas_core.reports.palette import NEUTRAL, style_of
from fas_core.runs import traininglog
from fas_core.runs.store import Run

LETTERS = "ABCDEF"
CHANGED, FIXED, BROKEN, BOTH_WRONG, ALL = "Changed", "Fixed by B", "Broken by B", "Wrong in both", "All"
CHANGE, SCORE_A, SCORE_B = "Largest change", "Score of A, high to low", "Score of B, high to low"
ALL_ATTACKS = "All attacks"
CURVE_HEIGHT = 400
PER_PAGE = 24
SUBSET = "subset"
NO_CARD, NO_IMAGES, PIXELATED, AS_THEY_ARE = "none", "none", "pixelated", "as they are"
IMAGES = (NO_IMAGES, PIXELATED, AS_THEY_ARE)
IN_WIDTHS = "the chosen scores, in widths of live"
SELECTED, SHOWN = "_compare_selected", "_compare_shown"  # in the session: rows of the scatter, and its view
# Enough for two digits, and a third of a second for two Runs of 50,000 samples; `fas compare` takes more of both.
RESAMPLES, QUANTILES = 1000, 1024
BPCERS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, *np.linspace(0.1, 1, 16).round(4).tolist())  # where bands stand
RECALLS = tuple(np.linspace(0.05, 1, 20).round(4).tolist())
MAKE_ANOTHER = (
    "fas cache CHECKPOINT --data MANIFEST              # another checkpoint on the same images\n"
    "fas scores import SCORES.csv --name NAME          # another system's scores for the same samples"
)


# ------------------------------------------------------------------------------------------------ what is compared


def other_systems(a: Run, score_a: str) -> list[System]:
    """The Runs to compare A with and their scores, chosen on the page. Where there are none, the page ends."""
    found, _ = runs()
    # The same Run is offered last, for comparing two of its scores.
    others = [r for r in found if r.id != a.id] + [r for r in found if r.id == a.id]
    others.sort(key=lambda r: (r.id == a.id, r.info.manifest_sha256 != a.info.manifest_sha256))
    by_label = {label_of(r): r for r in others}
    chosen = st.session_state.get("compare", [])
    if gone := sorted({*st.query_params.get_all("compare"), *chosen} - {"", *by_label}):  # of a link, or removed since
        st.session_state["_compare_gone"] = gone
    if not all(name in by_label for name in chosen):
        st.session_state["compare"] = [name for name in chosen if name in by_label]
    if said := st.session_state.get("_compare_gone"):
        st.warning(f"There is no Run {escaped(', '.join(said))} here any more.", icon=":material/link_off:")
    with st.container(horizontal=True):
        labels = st.multiselect(
            "Compare with",
            list(by_label),
            default=list(by_label)[:1],
            max_selections=len(LETTERS) - 1,
            key="compare",
            bind="query-params",
            on_change=lambda: st.session_state.pop("_compare_gone", None),
            width=420,
            help="A is the Run chosen in the sidebar; these are B, C, ... Samples are matched by their id.",
        )
        systems = [
            System(by_label[name], score)
            for letter, name in zip(LETTERS[1:], labels, strict=False)
            if (score := score_of(letter, by_label[name], score_a)) is not None
        ]
    if not systems:
        st.info("Choose at least one Run to compare with, that has a score.", icon=":material/info:")
        st.stop()
    if any(one.run.id == a.id and one.score == score_a for one in systems):
        letter = LETTERS[1 + next(i for i, s in enumerate(systems) if s.run.id == a.id and s.score == score_a)]
        st.info(
            f"A and {letter} are the same Run with the same score. Choose another Run or score for {letter}"
            + ("." if len(found) > 1 else ", or make a second Run in a terminal:"),
            icon=":material/compare:",
        )
        if len(found) == 1:
            st.code(MAKE_ANOTHER, language="bash")
        st.stop()
    return systems


def score_of(letter: str, run: Run, score_a: str) -> str | None:
    offered = scores.offered(run)
    if len(offered) == 1:  # nothing to choose; the line below the answer names it
        return offered[0]
    key = f"score_{letter.lower()}"
    if key in st.session_state and st.session_state[key] not in offered:
        del st.session_state[key]
    return st.selectbox(
        f"Score of {letter}",
        offered,
        index=offered.index(score_a) if score_a in offered else 0,
        key=key,
        bind="query-params",
        width=160,
        help=f"{run.info.name} has no score named {score_a}."
        if score_a not in offered
        else "Higher = more attack-like.",
    )


def matched_rule() -> Rule:
    """The sidebar's rule where it matches thresholds, else the usual one."""
    chosen = sidebar.rule(run, score, sidebar.chosen_level(run))
    return chosen if chosen.kind in (BPCER, APCER) and not chosen.species else DEFAULT


# ------------------------------------------------------------------------------------------------ what is computed


Key = tuple[object, ...]  # stands for the bytes of all Runs and for every choice


@st.cache_resource(max_entries=16, show_spinner="Matching samples …")
def _joined(key: Key, _systems: Sequence[System], _level: str, _subsets: Sequence[str]) -> Joined:
    return joined(_systems, _level).in_subsets(_subsets)


@st.cache_resource(max_entries=16, show_spinner=False)
def _thresholds(key: Key, _both: Joined, _rule: Rule) -> tuple[list[float] | None, str]:
    """Of every Run, or None and why there are none."""
    try:
        return differences.thresholds(_both, _rule), ""
    except metrics.UndefinedMetricError as error:
        return None, str(error)


@st.cache_resource(max_entries=32, show_spinner=False)
def _flips(key: Key, b: int, _both: Joined, _thresholds: list[float]) -> Flips:
    return differences.flips(_both, _thresholds, b)


def flips_of(b: int) -> Flips | None:
    return None if thresholds is None else _flips(key, b, both, thresholds)


@st.cache_resource(max_entries=16, show_spinner=False)
def _differences(key: Key, with_intervals: bool, b: int, _both: Joined, _rule: Rule) -> dict[str, Difference]:
    drawn = _drawn(key, _both, _rule) if with_intervals else None
    return differences.differences(_both, _rule, drawn, b)


@st.cache_resource(max_entries=16, show_spinner=False)
def _drawn(key: Key, _both: Joined, _rule: Rule) -> Resampled:
    return differences.resampled(_both, _rule, bpcers=BPCERS, recalls=RECALLS, resamples=RESAMPLES, quantiles=QUANTILES)


@st.cache_resource(max_entries=32, show_spinner=False)
def _table(key: Key, column: str, with_intervals: bool, b: int, _both: Joined, _at: Flips | None) -> pd.DataFrame:
    groups = _both.samples[SUBSET].to_numpy(str) if column == SUBSET else _groups_by(run, column, _both)
    return differences.table(_both, _at, groups, b=b, resamples=RESAMPLES if with_intervals else 0)


def _groups_by(a: Run, column: str, both: Joined) -> NDArray[np.str_]:
    """(n,) the group of each common sample by a column of A."""
    codes, names, _ = breakdown.groups_of(readers.samples(a, [column])[column].iloc[both.rows[0]])
    return np.asarray(names, str)[codes]


@st.cache_resource(show_spinner=False)
def _resampled_already() -> set[Key]:
    """Comparisons whose intervals are there: others are shown without first, so that nobody waits for them."""
    return set()


@st.cache_resource(max_entries=32, show_spinner=False)
def _curves(key: Key, species: str, _both: Joined) -> list[run_charts.RunCurves]:
    return [run_charts.run_curves(metrics.curves(one)) for one in _sets(species, _both)]


def _sets(species: str, both: Joined) -> list[metrics.ScoreSet]:
    sets = both.score_sets
    return [metrics.of_species(one, species) for one in sets] if species else sets


# ------------------------------------------------------------------------------------------------ the answer


def names_of_runs() -> str:
    """A: small_dcvae (rec) · B: ..."""
    return " · ".join(
        f"**{letter}** {escaped(one.run.info.name)}, {escaped(one.score)}"
        for letter, one in zip(LETTERS, systems, strict=False)
    )


def show_answer() -> None:
    """The answer of each other Run, the first sentence emphasised."""
    paragraphs = []
    for i, letter in enumerate(LETTERS[1 : len(systems)], start=1):
        words = in_words(both, rule, _differences(key, has_intervals, i, both, rule), flips_of(i), letter)
        first, *rest = (escaped(one.replace(" %", "\u00a0%").replace(" = ", "\u00a0=\u00a0")) for one in words)
        paragraphs.append(f"**{first}** {' '.join(rest)}")
    st.write("\n\n".join(paragraphs))


def caveats() -> str:
    words = [f"{len(both):,} samples compared"]
    words += [f"{only:,} only in {letter}" for letter, only in zip(LETTERS, both.n_only, strict=False) if only]
    if len(systems) > 2 and any(both.n_only):
        words = [word.replace("only in", "not common to all in") for word in words]
    if both.n_no_response:
        words.append(f"{both.n_no_response:,} left out because one of the Runs gave no score")
    text = ", ".join(words) + ". "
    if tested != subsets:
        text += "Training images are left out. "
    if thresholds is None:
        text += f"No verdicts: {escaped(problem)}. "
    else:
        each = ", ".join(f"{number(t)} ({letter})" for letter, t in zip(LETTERS, thresholds, strict=False))
        text += f"Thresholds {each}: {escaped(rule.words)} for each on these samples. "
    if str(sidebar.rule(run, score, sidebar.chosen_level(run))) != str(rule):
        text += f"The sidebar's rule cannot match thresholds, so {escaped(rule.words)} is taken. "
    units, independent = both.units
    n_units = len(np.unique(units.groups))
    by = f"{n_units:,} {units.name}{'s' if n_units != 1 else ''}"
    if not has_intervals:
        return text + f"Intervals by {by} are being computed …" if is_two_sided else text
    text += f"In brackets: 95 % of the difference, by resampling {by}, thresholds matched anew each time"
    return text + (
        "; p of the AUC by DeLong." if independent else "; the samples are not independent, so no p is by DeLong."
    )


# ------------------------------------------------------------------------------------------------ curves


def show_curves() -> None:
    sets = both.score_sets
    species = [name for name, values in sets[0].attacks.items() if values.size]
    chosen = st.segmented_control(
        "Attacks in the curves",
        [ALL_ATTACKS, *species],
        default=ALL_ATTACKS,
        format_func=readable,
        key="attacks",
        bind="query-params",
        required=True,
        help="The species of the presentation attack; each is compared with all common live samples.",
    )
    of = str(chosen) if chosen in species else ""
    colour = style_of(of).colour if of else NEUTRAL
    sets = _sets(of, both)
    letters = LETTERS[: len(systems)]
    curves = dict(zip(letters, _curves(key, of, both), strict=True))
    roc_at: dict[str, tuple[float, float] | None] = dict.fromkeys(letters)
    pr_at, det_at = dict(roc_at), dict(roc_at)
    for letter, one, threshold in zip(letters, sets, thresholds or [], strict=False):
        at = metrics.rates_at(one, threshold)
        roc_at[letter] = (at["bpcer"], at["recall"])
        det_at[letter] = (at["apcer_pooled"], at["bpcer"])
        pr_at[letter] = None if at["precision"] is None else (at["recall"], at["precision"])
    found, pr_bands = bands(of)
    auc = of_each(sets, [metrics.roc_auc(one) for one in sets])
    precision = of_each(sets, [metrics.average_precision(one) for one in sets])
    left, right = st.columns(2)
    with left:
        st.markdown(f"**ROC** · area under the curve: {auc}", help="1 = perfect, 0.5 = chance.")
        roc = {name: (x, 1 - high, 1 - low) for name, (x, low, high) in found.items()}
        made = run_charts.roc_of_runs(curves, roc_at, colour, roc)
        st.echarts_chart(made, key="roc_runs", height=CURVE_HEIGHT, alt=f"ROC of the Runs; area under the curve {auc}")
    with right:
        st.markdown(
            f"**Precision and recall** · average precision: {precision}", help="Depends on the share of attacks."
        )
        made = run_charts.precision_recall_of_runs(curves, pr_at, colour, pr_bands)
        st.echarts_chart(
            made,
            key="pr_runs",
            height=CURVE_HEIGHT,
            alt=f"Precision and recall of the Runs; average precision {precision}",
        )
    left, right = st.columns(2)
    with left:
        st.markdown("**DET** · errors of both kinds on probit axes", help="Nearer to the lower left corner is better.")
        det = {name: (x, 1 - high, 1 - low) for name, (x, low, high) in found.items()}
        made = run_charts.det_of_runs(curves, det_at, colour, det)
        st.echarts_chart(made, key="det_runs", height=CURVE_HEIGHT, alt="DET of the Runs: BPCER over APCER")
    with right:
        if found:
            shown = " and ".join(found)
            st.caption(f"Bands: 95 % of {shown}, each by itself; where they overlap the difference may still be clear.")


def of_each(sets: Sequence[metrics.ScoreSet], values: Sequence[float]) -> str:
    return ", ".join(
        f"{letter} {value:.{digits_of(one)}f}" for letter, one, value in zip(LETTERS, sets, values, strict=False)
    )


def bands(species: str) -> tuple[run_charts.Bands, run_charts.Bands]:
    """Of A and the Run in detail: BPCER and the interval of APCER; recall and that of precision. For all attacks."""
    if not has_intervals or species:
        return {}, {}
    drawn = _drawn(key, both, rule)
    at_bpcer = [Statistic("apcer_at_bpcer", (x, None)) for x in BPCERS]
    at_recall = [Statistic("precision_at_recall", x) for x in RECALLS]
    found, of_precision = {}, {}
    for i in (0, in_detail):
        low, high = differences.band(drawn, at_bpcer, i).T
        found[LETTERS[i]] = (np.array(BPCERS), low, high)
        low, high = differences.band(drawn, at_recall, i).T
        of_precision[LETTERS[i]] = (np.array(RECALLS), low, high)
    return found, of_precision


def digits_of(one: metrics.ScoreSet) -> int:
    return 2 if min(one.n_bona_fide, one.n_attack) < 1000 else 3


@fragment
def show_distributions() -> None:
    """One loss of all Runs over each other; scores of other units in widths of their live samples."""
    common = [name for name in scores.offered(run) if all(name in scores.offered(one.run) for one in systems)]
    options = [IN_WIDTHS, *common] if all(one.run.has_images for one in systems) and level == "frame" else [IN_WIDTHS]
    loss = st.selectbox(
        "Loss",
        options,
        format_func=readable,
        key="loss",
        bind="query-params",
        width=300,
        help="Widths of live: distance from the median of the live samples in their interquartile ranges, which brings "
        "scores of other units together.",
    )
    kinds = groups_of(both.samples)
    if loss in common:
        values = [score_values(one.run, str(loss))[rows] for one, rows in zip(systems, both.rows, strict=True)]
    else:
        values = [in_widths(one, ~both.is_attack) for one in both.scores]
    rows_of = {str(name): np.flatnonzero(kinds == name) for name in np.unique(kinds)}
    by_run = {
        letter: {name: of_run[rows] for name, rows in rows_of.items()}
        for letter, of_run in zip(LETTERS, values, strict=False)
    }
    title = readable(str(loss)) if loss in common else "distance from the live median, in interquartile ranges"
    made = ridges.distributions_of_runs(by_run, x_title=title)
    height = ridges.rows_height(len(by_run["A"]))
    st.echarts_chart(made, key="distributions", height=height, alt=f"Distributions of {title} of the Runs, per group")
    lines = ", ".join(f"{letter} {one}" for letter, one in zip(by_run, LINE_WORDS, strict=False))
    st.caption(f"Line styles: {lines}; A is filled.")


def in_widths(values: NDArray[np.float64], live: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) distance from the median of the live values in their interquartile ranges."""
    reference = values[live & np.isfinite(values)]
    low, middle, high = np.percentile(reference if reference.size else values, [25, 50, 75])
    return (values - middle) / ((high - low) or 1.0)


# ------------------------------------------------------------------------------------------------ tables


def show_metrics() -> None:
    """Every metric of every Run, and the difference of the one in detail."""
    letter = LETTERS[in_detail]
    of_each_run = {i: _differences(key, has_intervals, i, both, rule) for i in range(1, len(systems))}
    detail = of_each_run[in_detail]
    numbers: dict[str, list[object]] = {"Metric": [metric_words(name, rule) for name in detail]}
    numbers["A"] = [one.a for one in detail.values()]
    for i, found in of_each_run.items():
        numbers[LETTERS[i]] = [one.b for one in found.values()]
    numbers[f"{letter} − A"] = [one.difference for one in detail.values()]
    numbers["95 %"] = [
        None if one.low is None or one.high is None else f"{signed(one.low, 3)} to {signed(one.high, 3)}"
        for one in detail.values()
    ]
    numbers["p"] = [None if one.p is None else p_number(one.p) for one in detail.values()]
    table = pd.DataFrame(numbers)
    value = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        height=min(600, 38 + 35 * len(table)),
        column_config={
            "Metric": st.column_config.TextColumn(width=290),
            **{LETTERS[i]: value for i in range(len(systems))},
            f"{letter} − A": st.column_config.NumberColumn(
                format="%+.3f", help="AUC and average precision: above 0 is better. Error rates: below 0 is better."
            ),
            "95 %": st.column_config.TextColumn(
                width=130, help="Interval of the difference, paired on the same resamples."
            ),
            "p": st.column_config.TextColumn(help="Of no difference. Of many rows some are small by chance."),
        },
    )


def p_number(p: float) -> str:
    """Without the letter: 0.012, < 0.001."""
    return p_text(p).removeprefix("p ").removeprefix("= ")


@fragment
def show_groups() -> None:
    """Rates of wrong verdicts per subset, or per group of any column, of A and the Run in detail."""
    letter = LETTERS[in_detail]
    column = st.selectbox(
        "Groups by",
        [SUBSET, *(name for name in breakdown.columns_for(run) if name != SUBSET)],
        format_func=readable,
        key="groups_by",
        bind="query-params",
        width=240,
    )
    at = flips_of(in_detail)
    rates = _table(key, str(column), has_intervals, in_detail, both, at)
    digits = 0 if rates["n"].median() < 1000 else 1
    wrong = "Share of wrong verdicts at the threshold: APCER for an attack species, BPCER for bona fide samples."
    share = st.column_config.NumberColumn(format=f"%.{digits}f %%", help=wrong)
    area = st.column_config.NumberColumn(
        format="%.2f", help="Chance that an attack of this species scores above a bona fide sample of the same rows."
    )
    table = groups_table(rates, str(column), letter)
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        height=min(460, 38 + 35 * len(table)),
        column_config={
            "n": st.column_config.NumberColumn(format="localized", help="Samples in this row."),
            "Wrong in A": share,
            f"Wrong in {letter}": share,
            f"{letter} − A": st.column_config.NumberColumn(
                format="%+.1f", help=f"Percentage points. Below 0: {letter} makes fewer mistakes."
            ),
            "95 %": st.column_config.TextColumn(width=110, help="Percentage points, both thresholds taken as given."),
            "Fixed": st.column_config.NumberColumn(help=f"Wrong in A, right in {letter}."),
            "Broken": st.column_config.NumberColumn(help=f"Right in A, wrong in {letter}."),
            "McNemar p": st.column_config.TextColumn(
                help="Of equally many fixed and broken verdicts, if samples were independent."
            ),
            "AUC A": area,
            f"AUC {letter}": area,
        },
    )


def groups_table(rates: pd.DataFrame, column: str, letter: str) -> pd.DataFrame:
    """`compare.table` of the groups by a column as it is shown: shares in percent, intervals in words."""
    interval = [
        None if pd.isna(low) else f"{signed(100 * low, 1)} to {signed(100 * high, 1)}"
        for low, high in zip(rates["low"], rates["high"], strict=True)
    ]
    return pd.DataFrame(
        {
            readable(column).capitalize(): [readable(s) if s else "all" for s in rates["group"]],
            "Class": [readable(k) for k in rates["kind"]],
            "n": rates["n"],
            "Wrong in A": 100 * rates["wrong_a"].astype(float),
            f"Wrong in {letter}": 100 * rates["wrong_b"].astype(float),
            f"{letter} − A": 100 * rates["difference"].astype(float),
            "95 %": interval,
            "Fixed": rates["fixed"],
            "Broken": rates["broken"],
            "McNemar p": [None if pd.isna(p) else p_number(p) for p in rates["mcnemar_p"]],
            "AUC A": rates["auc_a"].astype(float),
            f"AUC {letter}": rates["auc_b"].astype(float),
        }
    )


# ------------------------------------------------------------------------------------------------ samples


def to_first_page() -> None:
    st.session_state["compare_page"] = 1


def sample_controls(kinds: NDArray[np.str_], at: Flips | None) -> tuple[str, str, list[str], component.Display | None]:
    letter, has_images = LETTERS[in_detail], systems[0].run.has_images and systems[in_detail].run.has_images
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show = st.segmented_control(
            "Verdicts",
            [CHANGED, FIXED, BROKEN, BOTH_WRONG, ALL] if at is not None else [ALL],
            default=CHANGED if at is not None and (at.fixed | at.broken).any() else ALL,
            format_func=lambda name: name.replace(" B", f" {letter}"),
            key="show",
            bind="query-params",
            required=True,
            on_change=to_first_page,
            help=f"Fixed: A is wrong, {letter} is right. Broken: A is right, {letter} is wrong. Changed: either.",
        )
        order = st.selectbox(
            "Order",
            [CHANGE, SCORE_A, SCORE_B],
            format_func=lambda name: name.replace(" B,", f" {letter},"),
            key="compare_order",
            bind="query-params",
            on_change=to_first_page,
            width=200,
            help="Change: the place of the score among the common live samples, which does not depend on its unit.",
        )
        wanted = st.multiselect(
            "Classes",
            in_group_order(sorted(set(kinds.tolist()))),
            format_func=readable,
            key="compare_classes",
            bind="query-params",
            placeholder="All",
            on_change=to_first_page,
            width=190,
        )
        display = None
        if has_images:
            with st.popover("Display", icon=":material/tune:"):
                display = component.display_controls()
    return str(show), str(order), wanted, display


@fragment
def show_samples() -> None:
    """Score against score, and the samples whose verdict changes. A fragment: filters run nothing but this again."""
    letter = LETTERS[in_detail]
    kinds = groups_of(both.samples)
    at = flips_of(in_detail)
    rows_selected = show_scatter()
    show, order, wanted, display = sample_controls(kinds, at)
    live = (both.samples["label"] == BONA_FIDE).to_numpy()
    values_a, values_b = both.scores[0], both.scores[in_detail]
    place_a, place_b = (percentiles(values, values[live]) for values in (values_a, values_b))
    fits = np.isin(kinds, wanted) if wanted else np.ones(len(both), np.bool_)
    if at is not None and show != ALL:
        fits &= {CHANGED: at.fixed | at.broken, FIXED: at.fixed, BROKEN: at.broken, BOTH_WRONG: at.both_wrong}[show]
    if len(rows_selected):
        fits &= np.isin(np.arange(len(both)), rows_selected)
    change = -np.abs(place_b - place_a) if live.any() else -np.abs(values_b - values_a)
    sorting = {CHANGE: change, SCORE_A: -values_a, SCORE_B: -values_b}[order]
    rows = np.flatnonzero(fits)
    rows = rows[np.argsort(sorting[rows], kind="stable")]
    if not len(rows):
        st.info("No sample fits. Choose other verdicts or classes.", icon=":material/filter_alt_off:")
        return
    without = [one.run.info.name for one in (systems[0], systems[in_detail]) if not one.run.has_images]
    if display is None:
        st.caption(
            f"{escaped(' and '.join(dict.fromkeys(without)))}: imported from a score file, without images. "
            "Images appear here when both Runs were made from images."
        )
        show_list(rows, kinds, at, letter)
        return
    with st.container():
        show_page(at, rows, kinds, (place_a, place_b), display)


@st.cache_resource(max_entries=16, show_spinner=False)
def _scatter(key: Key, b: int, at: tuple[float, float], _both: Joined) -> tuple[Plane, Colours]:
    """Score of the b-th Run against that of A, coloured by class."""
    kinds = groups_of(_both.samples)
    names, codes = np.unique(kinds, return_inverse=True)
    styles = {name: style_of(name) for name in in_group_order(names.tolist())[: plot.MOST_CATEGORIES]}
    where = plot.filled_plane(np.column_stack([_both.scores[0], _both.scores[b]]), at)
    return where, plot.by_category(codes, names.tolist(), styles, None)


def scattered() -> tuple[Plane, Colours]:
    return _scatter(key, in_detail, lines(), both)


def lines() -> tuple[float, float]:
    """The thresholds of A and of the Run in detail; NaN where there are none."""
    return (math.nan, math.nan) if thresholds is None else (thresholds[0], thresholds[in_detail])


def rows_name() -> str:
    """Stands for the samples compared: what is selected in others is not selected here. Another rule changes none."""
    return hashlib.sha256(repr((*of_runs, level, *tested)).encode()).hexdigest()


def keep(selection: Selection) -> None:
    st.session_state[SELECTED] = selection
    to_first_page()


def selected() -> Selection | None:
    kept = st.session_state.get(SELECTED)
    return kept if isinstance(kept, Selection) and kept.run == rows_name() else None


def show_scatter() -> NDArray[np.int64]:
    """Score against score; the rows that are selected in it."""
    letter, chosen = LETTERS[in_detail], selected()
    where, colours = scattered()
    view, off = plot.shown_before(SHOWN)
    words = f"{letter}: {systems[in_detail].score}", f"A: {systems[0].score}"
    plot.scatter(
        where,
        colours,
        chosen,
        run=rows_name(),
        colour="class",
        titles=(words[1], words[0]),
        note="",
        words=f"{len(both):,} samples by two scores, {' and '.join(words)}.",
        has_units=True,
        view=view,
        off=off,
        marked=None,
        on_selected=keep,
        key="compare_scatter",
        lines=lines(),
    )
    plot.carried_selection(chosen)
    rows = chosen.rows(len(both)) if chosen else np.empty(0, np.int64)
    st.caption(
        "Lines are the thresholds: right of and above them is called an attack. "
        + (
            f"{len(rows):,} selected, listed below; links leave this out."
            if len(rows)
            else "Draw around points to list them below; scores far out lie on the edge."
        )
    )
    return rows


def told_of(rows: NDArray[np.int64]) -> list[Answer]:
    """The image of some rows, if A has images, and both scores."""
    samples = both.samples.iloc[rows]
    kinds = groups_of(samples)
    images = run.images("inputs", both.rows[0][rows]) if run.has_images else np.empty((len(rows), 0, 0), np.uint8)
    return [
        Answer(
            [
                str(sample_id),
                readable(kind),
                *(f"{LETTERS[i]} {number(both.scores[i][row])}" for i in (0, in_detail)),
            ],
            image,
        )
        for sample_id, kind, row, image in zip(samples["sample_id"], kinds, rows, images, strict=True)
    ]


@fragment
def hovering() -> None:
    plot.hover(told_of, run=rows_name(), n=len(both), on_shown=partial(plot.keep_shown, SHOWN), key="compare_hover")


def show_list(rows: NDArray[np.int64], kinds: NDArray[np.str_], at: Flips | None, letter: str) -> None:
    """The samples without images."""
    content: dict[str, object] = {
        "Sample": both.samples["sample_id"].to_numpy(str)[rows],
        "Class": [readable(name) for name in kinds[rows]],
        "Subset": both.samples["subset"].to_numpy(str)[rows],
    }
    if at is not None:
        content |= {"Verdict of A": at.verdicts_a[rows], f"Verdict of {letter}": at.verdicts_b[rows]}
    content |= {"Score of A": both.scores[0][rows], f"Score of {letter}": both.scores[in_detail][rows]}
    st.dataframe(
        pd.DataFrame(content),
        hide_index=True,
        key="flip_list",
        height=380,
        column_config={"Sample": st.column_config.TextColumn(width=220)},
    )
    st.caption(f"{len(rows):,} samples; the table's menu saves them as CSV.")


def show_page(
    at: Flips | None,
    rows: NDArray[np.int64],
    kinds: NDArray[np.str_],
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    display: component.Display,
) -> None:
    place = st.container()
    shown, _, _ = component.page_bar(rows, PER_PAGE, key="compare_page")
    with place:
        cards = cards_of(at, shown, kinds, *places)
        panels = panels_of(shown, display)
        chosen = component.gallery(cards, panels, key="compare_images", size=display.size)
    if chosen is not None:
        component.start_at(chosen)
        details([card.sample_id for card in cards], cards, panels, shown)


@st.dialog("One image", width=880, position="right")
def details(
    sample_ids: list[str], cards: list[component.Card], panels: list[component.Panel], shown: NDArray[np.int64]
) -> None:
    """One sample in both Runs, large, zoomed together; steps through the images of the page."""
    at = sample_ids.index(component.stepper(sample_ids))
    zoomed(sample_ids[at], [replace(panel, images=panel.images[at : at + 1]) for panel in panels], key="large_runs")
    st.write("  \n".join(escaped(line) for line in cards[at].lines))
    st.markdown("**Metadata**")
    st.dataframe(metadata(run, int(both.rows[0][shown[at]])), hide_index=True, height="content")


def cards_of(
    at: Flips | None,
    shown: NDArray[np.int64],
    kinds: NDArray[np.str_],
    place_a: NDArray[np.float64],
    place_b: NDArray[np.float64],
) -> list[component.Card]:
    """The outline is the other Run's verdict; the lines say both."""
    made = []
    for i in shown:
        style = style_of(kinds[i])
        lines = []
        for letter, values, places, called in (
            ("A", both.scores[0], place_a, None if at is None else at.verdicts_a),
            (LETTERS[in_detail], both.scores[in_detail], place_b, None if at is None else at.verdicts_b),
        ):
            verdict = "" if called is None else f" · {called[i]}"
            above = "" if math.isnan(places[i]) else f" · above {math.floor(100 * places[i])} % of live"
            lines.append(f"{letter}{verdict} · {number(values[i])}{above}")
        sample_id = str(both.samples["sample_id"].iloc[i])
        made.append(
            component.Card(
                sample_id=sample_id,
                lines=(*lines, sample_id),
                group=readable(kinds[i]),
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict="right" if at is None else at.verdicts_b[i],
            )
        )
    return made


def panels_of(shown: NDArray[np.int64], display: component.Display) -> list[component.Panel]:
    """Original, both reconstructions, both errors; the other Run's error is against its own input."""
    letter, other = LETTERS[in_detail], systems[in_detail].run
    original, first, error_a = component.triplet(run, both.rows[0][shown], limit=display.limit, signed=display.signed)
    _, second, error_b = component.triplet(
        other, both.rows[in_detail][shown], limit=display.limit, signed=display.signed
    )
    named = (("original", original), ("A", first), (letter, second), ("error A", error_a), (f"error {letter}", error_b))
    return [replace(panel, name=name) for name, panel in named]


# ------------------------------------------------------------------------------------------------ trainings


def show_trainings() -> None:
    """The dev loss by epoch of every Run whose training is known, each against its own lowest one."""
    found = traininglog.dev_curves(cache_folder(), [one.run.info.checkpoint for one in systems])
    curves, words, without = [], [], []
    for letter, curve in zip(LETTERS[: len(systems)], found, strict=True):
        if curve is None:
            without.append(letter)
            continue
        epochs, loss = curve.epochs.T
        points, nothing = np.column_stack([epochs, traininglog.between_first_and_best(loss)]), np.empty((0, 2))
        curves.append(TrainingCurve(letter, points, points[[curve.at]], nothing, nothing))
        words.append(
            f"{letter}: {number(loss[0])} after epoch {epochs[0]:.0f}, "
            f"{number(loss[curve.at])} after epoch {epochs[curve.at]:.0f}"
        )
    if not curves:
        st.info("None of these trainings has left a log.", icon=":material/info:")
        return
    x_max = max(float(curve.epochs[:, 0].max()) for curve in curves)
    st.echarts_chart(
        training_curves(curves, x_title="epoch", x_max=x_max),
        key="trainings_of_runs",
        height=260,
        alt="Dev loss of each training over epochs, from 1 at its first epoch to 0 at its lowest",
    )
    st.caption(
        "Dev loss, as 1 after the first epoch and 0 where it is lowest: units differ between models. Large dots are "
        f"the epochs that the Runs are from. {'; '.join(words)}. "
        + (f"No log is left of {' and '.join(without)}. " if without else "")
        + "The page Training shows every term."
    )


# ------------------------------------------------------------------------------------------------ the report


@fragment
def show_report() -> None:
    """One HTML file of the Runs compared, made when it is asked for."""
    kept, _ = cards.cards(cache_folder())
    of_a = {f"{one['rule']} on {one['score']}, {one['created']}": one for _, one in kept if one["run"] == run.id}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        named = st.selectbox(
            "With the operating point", [NO_CARD, *of_a], key="report_card", bind="query-params", width=320,
            help="Cards of Run A, made on the page Threshold.",
        )  # fmt: skip
        choice = NO_IMAGES
        if run.has_images:
            choice = str(
                st.segmented_control(
                    "Images", IMAGES, default=PIXELATED, key="report_images", bind="query-params", required=True
                )
            )
        card = of_a.get(str(named))
        st.download_button(
            "Report (HTML)",
            lambda: report.page(
                systems[0],
                card=card,
                others=systems[1:],
                with_images=choice != NO_IMAGES,
                pixelated=choice == PIXELATED,
            ),
            f"report-{run.id}.html",
            "text/html",
            icon=":material/print:",
            key="report",
            on_click="ignore",
            help="Takes some seconds. The file loads nothing from anywhere, and a browser prints it as PDF.",
        )
    st.caption("The thesis' figures of A, its operating point, this comparison, versions and hashes in one file.")


# ------------------------------------------------------------------------------------------------ the page


def show_samples_and_hover() -> None:
    plot.carried(*scattered())
    show_samples()
    hovering()


@fragment
def show_parts() -> None:
    """In tabs, of which only the open one is computed."""
    parts = {"Curves": show_curves} if is_two_sided else {}
    parts["Distributions"] = show_distributions
    if is_two_sided:
        parts["Every metric"] = show_metrics
    parts |= {"Group by group": show_groups, "Which samples change?": show_samples_and_hover}
    if any(one.run.info.checkpoint for one in systems):
        parts["Trainings"] = show_trainings
    parts["Report"] = show_report
    for tab, show in zip(st.tabs(list(parts), key="part", bind="query-params"), parts.values(), strict=True):
        if tab.open:
            with tab:
                show()


run = sidebar.chosen_run()
subsets = sidebar.chosen_subsets(run)
score = sidebar.chosen_score(run)
st.title("Compare")
head = st.container()
systems = [System(run, score), *other_systems(run, score)]
level = sidebar.chosen_level(run)
rule = matched_rule()
tested = [s for s in subsets if s != "train"] or subsets
of_runs = tuple(part for one in systems for part in (one.run.digest, one.score))
both = _joined((*of_runs, level, *tested), systems, level, tested)
if not len(both):
    sizes = ", ".join(f"{escaped(one.run.info.name)} {len(one.run):,}" for one in systems[1:])
    others = " and ".join(LETTERS[1 : len(systems)])
    st.info(
        f"A and {others} have no sample in common in the chosen subsets. {escaped(run.info.name)} holds "
        f"{len(run):,} samples, {sizes}: other data, or other ids. Choose other Runs, or make one:",
        icon=":material/link_off:",
    )
    st.code(MAKE_ANOTHER, language="bash")
    st.stop()
key = (*of_runs, level, *tested, str(rule))
is_two_sided = bool(both.is_attack.any() and (~both.is_attack).any())
has_intervals = is_two_sided and key in _resampled_already()
thresholds, problem = _thresholds(key, both, rule)
in_detail = 1
if len(systems) > 2:
    letters = LETTERS[1 : len(systems)]
    chosen_letter = st.segmented_control(
        "In detail", list(letters), default="B", key="detail", bind="query-params", required=True,
        help="The Run that differences, flips and images are about, against A.",
    )  # fmt: skip
    in_detail = LETTERS.index(str(chosen_letter)) if chosen_letter in letters else 1
with head:
    show_answer()
    st.caption(f"{names_of_runs()}. {caveats()}")
show_parts()
if is_two_sided and not has_intervals:
    _drawn(key, both, rule)
    _resampled_already().add(key)
    st.rerun()
