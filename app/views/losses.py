"""Losses: which score tells attacks from live, and on which subsets?"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts import curves as run_charts
from app.charts import ridges
from app.charts.curves import RunCurves
from app.charts.echarts import Option
from app.deciding.judged import LIVE_ELSEWHERE, WHAT_AUC_IS, caveats, cells, one_class_only, tested
from app.parts.head import head
from app.session import sidebar
from app.session.address import switch
from app.session.cache import cached
from app.session.readers import frame_units, score_values
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped
from fas_core import metrics, scores
from fas_core.data.names import in_group_order, readable
from fas_core.evaluation import kept, ranking
from fas_core.evaluation.ranking import Ranking, area
from fas_core.metrics import ScoreSet, bins
from fas_core.reports.palette import ALL_ATTACKS, MOST_SCORES, score_styles
from fas_core.runs.store import Run

MEASURES = {"AUC": "auc", "Average precision": "average_precision"}


@cached(entries=256, spinner="Measuring every score …")
def measured(run: Run, score: str, subsets: tuple[str, ...]) -> tuple[Ranking, RunCurves] | None:
    """None where the subsets hold one class only."""
    values = partial(score_values, run, score)

    def ranked_here() -> Ranking | None:
        return ranking.ranking(cells(run), values(), subsets, frame_units(run, subsets))

    def curves() -> dict[str, object]:
        pooled = cells(run).score_set(values(), subsets)
        together = ScoreSet(pooled.bona_fide, {ALL_ATTACKS: pooled.pooled}, pooled.pooled, pooled.n_non_response)
        return vars(run_charts.run_curves(metrics.curves(together)))

    of_score = kept.OfScore(run, score, values, subsets)
    ranked = of_score.ranking(ranked_here)
    if ranked is None:
        return None
    known = of_score.arrays("score_curves", curves)
    drawn = {name: array if array.ndim else array.item() for name, array in known.items()}  # two are counts
    return ranked, RunCurves(**drawn)


@cached(entries=256, spinner="Drawing the distributions …")
def distribution(run: Run, score: str, subsets: tuple[str, ...]) -> tuple[Option, pd.DataFrame]:
    """A score's histograms, and mean and standard deviation of its finite values, per group."""
    values = partial(score_values, run, score)

    def binned() -> dict[str, NDArray[Any]]:
        of_run = cells(run)
        rows = of_run.rows_of(subsets)
        cell, shown = of_run.of[rows], values()[rows]
        codes, names = pd.factorize(of_run.table["group"])
        by_group = {str(names[code]): shown[codes[cell] == code] for code in np.unique(codes[np.unique(cell)])}
        in_order = in_group_order(list(by_group))
        moments = np.array([bins.moments(by_group[name]) for name in in_order], np.float64).reshape(-1, 3)
        of_groups = ridges.binned(by_group, shown[of_run.is_new_live()[rows]])
        return of_groups.as_arrays() | {"groups": np.array(in_order, str), "moments": moments}

    known = dict(kept.OfScore(run, score, values, subsets).arrays("distribution", binned))
    groups, moments = known.pop("groups").tolist(), known.pop("moments")
    of_groups = ridges.Binned.of(known)
    drawn = ridges.distributions_drawn(of_groups, x_title=axis_title(score, run), behind_name=LIVE_ELSEWHERE)
    return drawn, pd.DataFrame(moments, index=groups, columns=["count", "mean", "std"])


def about(score: str, run: Run) -> str:
    return scores.description(run, score)


def axis_title(score: str, run: Run) -> str:
    """What a score is, with its unit but without its sources, in lines that fit below a small chart."""
    if run.is_of_scores:
        return score
    words = re.sub(r" \([^)]*\)\.?$|\.$", "", about(score, run))
    return "\n".join(textwrap.wrap(words, 54)[:3])


# ------------------------------------------------------------------------------------------------------------ on screen


def few(names: Sequence[str], chosen: str) -> list[str]:
    """As many of some scores, best first, as a chart shows clearly: all, or the chosen one, the thesis' and the best of
    the others, in the order given."""
    wanted = sorted(names, key=lambda name: (name != chosen, name not in scores.OF_THESIS))[:MOST_SCORES]
    return [name for name in names if name in wanted]


def of_scores(shown: Shown, names: Sequence[str]) -> dict[str, tuple[Ranking, RunCurves]]:
    """Of those that can be judged, on the subsets outside training."""
    return {name: measures for name in names if (measures := measured(shown.run, name, tested(shown))) is not None}


def best_first(of_score: Mapping[str, tuple[Ranking, RunCurves]], names: Sequence[str]) -> list[str]:
    """All of these, those that cannot be judged last."""
    judged = sorted(of_score, key=lambda name: -of_score[name][0].hardest.auc)
    return [*judged, *(name for name in names if name not in of_score)]


def drawn_scores(run: Run, names: Sequence[str], chosen: str) -> list[str]:
    """Scores in the charts: those that are chosen, in the order given; without a choice a `few`."""
    if len(names) == 1:
        return list(names)
    with st.popover("Scores"):
        wanted = st.multiselect(
            "Scores in the charts",
            names,
            key="drawn",
            bind="query-params",
            width=470,
            placeholder="All" if len(names) <= MOST_SCORES else f"The thesis' and the best others, {MOST_SCORES}",
            help="\n".join(f"- **{escaped(name)}**: {escaped(about(name, run))}" for name in names),
        )
    return [name for name in names if name in wanted] or few(names, chosen)


def show_curves(shown: Shown, rankings: Mapping[str, Ranking], curves: Mapping[str, RunCurves]) -> None:
    """`curves`: of the scores that are drawn, best first."""
    styles = score_styles(scores.listed(shown.run, shown.score))
    height = run_charts.scores_height(len(curves))
    left, right = st.columns(2)
    with left:
        first = next(iter(curves.values()))
        share = first.n_attack / (first.n_attack + first.n_bona_fide)
        st.markdown(
            f"**Precision and recall** · dotted: chance, {100 * share:.0f}\u00a0% are attacks",
            help="Precision depends on the share of attacks. AP: its average.",
        )
        by_ap = sorted(curves, key=lambda name: -rankings[name].average_precision)
        notes = {name: f"AP {area(rankings[name].average_precision, rankings[name].n)}" for name in by_ap}
        chart = run_charts.precision_recall_of_scores({n: curves[n] for n in by_ap}, notes, styles, shown.score)
        st.echarts_chart(chart, key="pr_scores", height=height, alt=f"Precision and recall: {listed(notes)}")
    with right:
        st.markdown("**ROC** · dotted: chance", help="AUC: the area under the line.")
        by_auc = sorted(curves, key=lambda name: -rankings[name].auc)
        notes = {name: f"AUC {area(rankings[name].auc, rankings[name].n)}" for name in by_auc}
        chart = run_charts.roc_of_scores({n: curves[n] for n in by_auc}, notes, styles, shown.score)
        st.echarts_chart(chart, key="roc_scores", height=height, alt=f"ROC: {listed(notes)}")
    if shown.score in curves and len(curves) > 1:
        st.caption(f"Heavy line: {escaped(shown.score)}, the score chosen in the sidebar.")


def listed(notes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {note}" for name, note in notes.items())


def show_table(shown: Shown, rankings: Mapping[str, Ranking]) -> None:
    st.header("Which score on which subset?")
    measure = switch("Measure", list(MEASURES), "measure")
    column = MEASURES[measure]
    rows, values = ranking.by_place(rankings, column)
    table = pd.DataFrame(
        {
            "Subset": [readable(subset) or "all" for subset in rows.index.get_level_values("subset")],
            "Attacks": [readable(species) or "all" for species in rows.index.get_level_values("species")],
            "n attacks": rows["n_attack"],
            "n live": rows["n_live"],
            "Chance": rows["n_attack"] / (rows["n_attack"] + rows["n_live"]),
            "Best": values.idxmax(axis=1),
        }
    )
    dropped = [name for name, is_idle in (("Chance", column == "auc"), ("Best", len(rankings) == 1)) if is_idle]
    table = table.drop(columns=dropped)
    number = st.column_config.NumberColumn
    show_rows(
        pd.concat([table, values.add_prefix("score ")], axis=1),
        "scores_by_subset",
        height=min(460, 38 + 35 * len(table)),
        column_config={
            "Attacks": st.column_config.TextColumn(help="Species of the attacks in this row."),
            "n attacks": number(format="localized", help="Attacks in this row."),
            "n live": number(format="localized", help="Live faces of the same subset, which they are compared with."),
            "Chance": number(format="%.2f", help="The average precision of guessing: the share of attacks."),
            "Best": st.column_config.TextColumn(help="The score with the highest number in this row."),
        }
        | {
            f"score {name}": number(name, format="%.3f", help=escaped(f"{measure} of {name}: {about(name, shown.run)}"))
            for name in values
        },
    )
    without = [s for s in tested(shown) if s not in set(rows.index.get_level_values("subset"))]
    if len(tested(shown)) > 1:
        names = escaped(", ".join(map(readable, without)))
        alone = f" {names}: one class only, so counted under “all” alone." if without else ""
        st.caption(f"Attacks of a subset against the live faces of the same subset.{alone}")


def show_distributions(shown: Shown, names: Sequence[str], rankings: Mapping[str, Ranking]) -> None:
    outline = f" Thin blue outline in the attacks’ rows: {LIVE_ELSEWHERE}." if rankings else ""
    st.header(
        "How are the scores distributed?",
        help="Further right is more attack-like. The bars of each group sum to 1, whatever its size; the bars at both "
        f"ends also count what lies beyond.{outline}",
    )
    tables = {}
    grid = st.grid(min(2, len(names)), min_column_width=470, gap="medium")
    for name in names:
        chart, tables[name] = distribution(shown.run, name, shown.subsets)
        with grid.cell():
            separates = f" · AUC {area(rankings[name].auc, rankings[name].n)}" if name in rankings else ""
            st.markdown(f"**{escaped(name)}**{separates}")
            height = ridges.score_height(len(tables[name]), 1 + axis_title(name, shown.run).count("\n"))
            alt = f"Histograms of {name}, one row per group"
            st.echarts_chart(chart, key=f"distribution_{name}", height=height, alt=alt)
    with st.expander("Mean and standard deviation of every group"):
        show_moments(tables)


def show_moments(tables: Mapping[str, pd.DataFrame]) -> None:
    long = pd.concat(tables, names=["score", "group"]).reset_index()
    moments = {
        "Score": long["score"],
        "Group": long["group"].map(readable),
        "n": long["count"].astype(int),
        "Mean": long["mean"],
        "Standard deviation": long["std"],
    }
    show_rows(
        pd.DataFrame(moments),
        "moments",
        column_config={
            "n": st.column_config.NumberColumn(format="localized", help="Samples with a finite score."),
            "Mean": st.column_config.NumberColumn(format="%.4g", help="In the unit of the score; see its chart."),
            "Standard deviation": st.column_config.NumberColumn(format="%.4g", help="In the same unit."),
        },
    )


def page() -> None:
    shown = sidebar.shown()
    top = head("Losses")
    offered = scores.listed(shown.run, shown.score)
    of_score = of_scores(shown, offered)
    of_all = best_first(of_score, offered)
    rankings = {name: of_score[name][0] for name in of_all if name in of_score}
    top.answer.write(ranking.answer(rankings, escaped) if rankings else one_class_only(shown))
    with top.beside:
        names = drawn_scores(shown.run, of_all, shown.score)
    if curves := {name: of_score[name][1] for name in rankings if name in names}:
        show_curves(shown, rankings, curves)
    if rankings:
        st.caption(caveats(shown, rankings), help=WHAT_AUC_IS)
        show_table(shown, rankings)
    show_distributions(shown, names, rankings)


if __name__ == "__main__":
    page()
