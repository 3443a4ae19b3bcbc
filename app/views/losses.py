"""Losses: which score tells attacks from live, and on which subsets?"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts import curves as run_charts
from app.charts import plots, ridges
from app.charts.echarts import Option
from app.session import sidebar
from app.session.readers import samples, score_values
from app.words import escaped
from fas_core import metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE, groups_of, in_group_order, readable
from fas_core.metrics import ScoreSet, uncertainty
from fas_core.reports.palette import ALL_ATTACKS
from fas_core.runs import store
from fas_core.runs.store import Run

KINDS = ["subset", "label", "pai_species"]
ALL = ""  # subsets together, or species together
LITTLE = 0.6  # an AUC that is little better than chance
MEASURES = {"AUC": "auc", "Average precision": "average_precision"}
LIVE_ELSEWHERE = "live faces outside training"


@dataclass(frozen=True)
class Measured:
    """One score on some subsets: all of them pooled, and each by itself."""

    auc: float
    margin: float  # half the 95 % interval of an AUC below LITTLE, as if samples were independent
    average_precision: float
    n_live: int
    n_attack: int
    n_missing: int
    curves: run_charts.RunCurves
    rows: pd.DataFrame  # subset and species (ALL: together), n_live, n_attack, auc, average_precision

    @property
    def n(self) -> int:
        """Samples of the rarer class."""
        return min(self.n_live, self.n_attack)


@dataclass(frozen=True)
class Cells:
    """The few combinations of subset, label and species that occur, and which of them each sample is, (n,)."""

    table: pd.DataFrame  # subset, label, species, group (as in charts)
    of: NDArray[np.int64]

    def rows_of(self, subsets: Sequence[str]) -> NDArray[np.bool_]:
        """(n,): whether the sample is in one of the subsets."""
        return self.table["subset"].isin(subsets).to_numpy()[self.of]


@st.cache_resource(max_entries=16, show_spinner=False)
def _cells_of(digest: str, _samples: pd.DataFrame) -> Cells:
    table = _samples.drop_duplicates(KINDS).reset_index(drop=True)
    species = table["pai_species"].where(table["pai_species"].str.strip() != "", metrics.UNSPECIFIED)
    of = _samples.groupby(KINDS, sort=False).ngroup().to_numpy()
    return Cells(table.assign(species=species, group=groups_of(table)), of)


def score_set(values: NDArray[np.float64], subsets: Sequence[str], cells: Cells) -> ScoreSet:
    """Some subsets as one sorted set."""
    attack, species = cells.table["label"] == ATTACK, cells.table["species"]
    names = sorted(set(species[attack]))
    codes = np.array(
        [1 + names.index(name) if is_attack else 0 for name, is_attack in zip(species, attack, strict=True)]
    )
    rows = cells.rows_of(subsets)
    return metrics.score_set_from_codes(values[rows], codes[cells.of[rows]], names)


@st.cache_resource(max_entries=256, show_spinner="Measuring every score …")
def _measured(digest: str, score: str, subsets: tuple[str, ...], _run: Run, _cells: Cells) -> Measured | None:
    """None where the subsets hold one class only."""
    values = score_values(_run, score)
    pooled = score_set(values, subsets, _cells)
    if not (pooled.n_bona_fide and pooled.n_attack):
        return None
    rows = _rows(ALL, pooled) if len(subsets) > 1 else []
    for subset in subsets:
        one = score_set(values, [subset], _cells)
        if one.n_bona_fide and one.n_attack:
            rows += _rows(subset, one)
    auc, margin = metrics.roc_auc(pooled), 0.0
    if auc < LITTLE and min(pooled.n_bona_fide, pooled.n_attack) > 1:
        is_attack = np.repeat([False, True], [pooled.n_bona_fide, pooled.n_attack])
        _, covariance = uncertainty.delong([np.concatenate([pooled.bona_fide, pooled.pooled])], is_attack)
        margin = 1.96 * float(np.sqrt(covariance[0, 0]))
    together = ScoreSet(pooled.bona_fide, {ALL_ATTACKS: pooled.pooled}, pooled.pooled, pooled.n_non_response)
    return Measured(
        auc=auc,
        margin=margin,
        average_precision=metrics.average_precision(pooled),
        n_live=pooled.n_bona_fide,
        n_attack=pooled.n_attack,
        n_missing=sum(pooled.n_non_response.values()),
        curves=run_charts.run_curves(metrics.curves(together)),
        rows=pd.DataFrame(rows),
    )


def _rows(subset: str, one: ScoreSet) -> list[dict[str, object]]:
    """All attacks of a subset, then each species where there are several."""
    present = [name for name, values in one.attacks.items() if values.size]
    sets = {present[0] if len(present) == 1 else ALL: one}
    if len(present) > 1:
        sets |= {name: metrics.of_species(one, name) for name in present}
    return [
        {
            "subset": subset,
            "species": name,
            "n_live": of_name.n_bona_fide,
            "n_attack": of_name.n_attack,
            "auc": metrics.roc_auc(of_name),
            "average_precision": metrics.average_precision(of_name),
        }
        for name, of_name in sets.items()
    ]


@st.cache_resource(max_entries=256, show_spinner="Drawing the distributions …")
def _distribution(
    digest: str, score: str, subsets: tuple[str, ...], _run: Run, _cells: Cells
) -> tuple[Option, pd.DataFrame]:
    """A score's histograms, and mean and standard deviation of its finite values, per group."""
    rows, table = _cells.rows_of(subsets), _cells.table
    cell, values = _cells.of[rows], score_values(_run, score)[rows]
    codes, names = pd.factorize(table["group"])
    by_group = {str(names[code]): values[codes[cell] == code] for code in np.unique(codes[np.unique(cell)])}
    is_live = ((table["label"] == BONA_FIDE) & (table["subset"] != "train")).to_numpy()
    drawn = ridges.distributions_of_score(
        by_group, x_title=axis_title(score, _run), behind=values[is_live[cell]], behind_name=LIVE_ELSEWHERE
    )
    moments = {
        name: pd.Series(by_group[name][np.isfinite(by_group[name])]).agg(["count", "mean", "std"])
        for name in in_group_order(list(by_group))
    }
    return drawn, pd.DataFrame(moments).T


def about(score: str, run: Run) -> str:
    return scores.description(score) if run.has_images else "Column of the imported score file."


def axis_title(score: str, run: Run) -> str:
    """What a score is, with its unit but without its sources, in lines that fit below a small chart."""
    if not run.has_images:
        return score
    words = re.sub(r" \([^)]*\)\.?$|\.$", "", about(score, run))
    return "\n".join(textwrap.wrap(words, 54)[:3])


# ------------------------------------------------------------------------------------------------------------ in words


def area(value: float, n: int) -> str:
    """An AUC or average precision with the digits that n samples of the rarer class allow; never rounded to perfect."""
    digits = 2 if n < 1000 else 3
    text = f"{value:.{digits}f}"
    return f">{1 - 10**-digits:.{digits}f}" if value < 1 == float(text) else text


def auc_in_words(one: Measured) -> str:
    """An AUC, and how it is to be read where it is near or below chance."""
    reading = ""
    if one.auc + one.margin < 0.5:
        reading = ": worse than chance, for live faces score higher than attacks"
    elif one.auc - one.margin <= 0.5:
        reading = ": no better than chance"
    elif one.auc < LITTLE:
        reading = ": little better than chance"
    return f"AUC **{area(one.auc, one.n)}**{reading}"


def answer(found: Mapping[str, Measured]) -> str:
    """The page's answer; `found` is sorted, best first."""
    names, ones = [escaped(name) for name in found], list(found.values())
    best, worst = ones[0], ones[-1]
    n = f"{best.n_attack:,} attacks and {best.n_live:,} live faces"
    if len(found) == 1:
        return f"**{names[0]}** tells {n} apart ({auc_in_words(best)})."
    if area(best.auc, best.n) == area(worst.auc, worst.n):
        return f"All {len(found)} scores tell {n} apart alike ({auc_in_words(best)})."
    second = f", then {names[1]} ({area(ones[1].auc, ones[1].n)})" if len(found) > 2 else ""
    return (
        f"Of {len(found)} scores, **{names[0]}** tells {n} apart best ({auc_in_words(best)}){second}, "
        f"**{names[-1]}** least ({auc_in_words(worst)})."
    )


def where(found: Mapping[str, Measured]) -> str:
    """On which subset, or which species of it, the best score there does best and worst."""
    rows = pd.concat([one.rows.assign(score=name) for name, one in found.items()])
    rows["is_one_of_several"] = rows.groupby("subset")["species"].transform("nunique") > 1
    parts = rows[(rows["subset"] != ALL) & ~(rows["is_one_of_several"] & (rows["species"] == ALL))]
    best = parts.sort_values("auc", ascending=False, kind="stable").drop_duplicates(["subset", "species"])
    if len(best) < 2:
        return ""
    said = []
    for word, row in (("Easiest", best.iloc[0]), ("Hardest", best.iloc[-1])):
        species, subset = (escaped(readable(row[key])) for key in ("species", "subset"))
        place = f"{species} in {subset}" if row["is_one_of_several"] else subset
        auc = area(row["auc"], min(row["n_live"], row["n_attack"]))
        by = f" by {escaped(row['score'])}" if len(found) > 1 else ""
        said.append(f"{word}: **{place}** (n = {row['n_attack']:,}), AUC **{auc}**{by}.")
    return " ".join(said)


def caveats(found: Mapping[str, Measured]) -> str:
    """What the numbers are, what they stand on, and what they leave out."""
    words = (
        "AUC: the share of pairs of an attack and a live face in which the attack has the higher score; 0.5 is chance. "
        f"On {escaped(', '.join(map(readable, tested)))}{' together' if len(tested) > 1 else ''}."
    )
    if len(tested) < len(subsets):
        words += " Training images are left out."
    if n_failed := sum(sum(store.non_responses(run, subset).values()) for subset in tested):
        words += f" {n_failed:,} images gave no output and are left out."
    missing = {name: one.n_missing for name, one in found.items() if one.n_missing}
    if missing:
        each = ", ".join(f"{n:,} without {escaped(name)}" for name, n in missing.items())
        words += f" Samples left out because they have no score: {each}."
    if without := [name for name in scores.offered(run) if name not in found]:
        words += f" Not defined, for one class has no score at all: {escaped(', '.join(without))}."
    return words


def one_class_only() -> str:
    """Why no score can be judged, and what can still be seen."""
    missing = LIVE_ELSEWHERE if score_set(score_values(run, chosen), tested, cells).n_attack else "attacks"
    return (
        f"The chosen subsets hold no {missing} with a score, so it cannot be said which score tells attacks from live "
        "faces: AUC and curves need both. What can be seen is how each score is distributed."
    )


# ------------------------------------------------------------------------------------------------------------ on screen


def drawn_scores(names: Sequence[str]) -> list[str]:
    """Scores in the charts: those that are chosen, in the order given; without a choice all, or the first dozen."""
    if len(names) == 1:
        return list(names)
    wanted = st.multiselect(
        "Scores in the charts",
        names,
        key="drawn",
        bind="query-params",
        width=470,
        placeholder="All" if len(names) <= plots.MOST_SCORES else f"The first {plots.MOST_SCORES}",
        help="\n".join(f"- **{escaped(name)}**: {escaped(about(name, run))}" for name in names),
    )
    return [name for name in names if name in wanted] or list(names[: plots.MOST_SCORES])


def show_curves(found: Mapping[str, Measured], drawn: Sequence[str], chosen: str) -> None:
    styles = plots.score_styles(scores.offered(run))
    height = run_charts.scores_height(len(drawn))
    left, right = st.columns(2)
    with left:
        one = found[drawn[0]].curves
        share = one.n_attack / (one.n_attack + one.n_bona_fide)
        st.markdown(
            f"**Precision and recall** · dotted: chance, {100 * share:.0f}\u00a0% are attacks",
            help="Precision depends on the share of attacks. AP: its average.",
        )
        by_ap = sorted(drawn, key=lambda name: -found[name].average_precision)
        notes = {name: f"AP {area(found[name].average_precision, found[name].n)}" for name in by_ap}
        made = run_charts.precision_recall_of_scores({n: found[n].curves for n in by_ap}, notes, styles, chosen)
        st.echarts_chart(made, key="pr_scores", height=height, alt=f"Precision and recall: {listed(notes)}")
    with right:
        st.markdown("**ROC** · dotted: chance", help="AUC: the area under the line.")
        notes = {name: f"AUC {area(found[name].auc, found[name].n)}" for name in drawn}
        made = run_charts.roc_of_scores({name: found[name].curves for name in drawn}, notes, styles, chosen)
        st.echarts_chart(made, key="roc_scores", height=height, alt=f"ROC: {listed(notes)}")
    if chosen in drawn and len(drawn) > 1:
        st.caption(f"Heavy line: {escaped(chosen)}, the score chosen in the sidebar.")


def listed(notes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {note}" for name, note in notes.items())


def show_table(found: Mapping[str, Measured]) -> None:
    st.subheader("Which score on which subset?")
    measure = st.segmented_control(
        "Measure",
        list(MEASURES),
        default="AUC",
        required=True,
        key="measure",
        bind="query-params",
        label_visibility="collapsed",
    )
    column, keys = MEASURES[str(measure)], ["subset", "species"]
    long = pd.concat([one.rows.assign(score=name) for name, one in found.items()])
    rows = long.drop_duplicates(keys).set_index(keys)
    ranked = sorted(found, key=lambda name: -getattr(found[name], column))
    values = pd.DataFrame({name: found[name].rows.set_index(keys)[column] for name in ranked}).reindex(rows.index)
    of_subset, of_species = (rows.index.get_level_values(key) != ALL for key in keys)
    order = pd.DataFrame({"level": np.where(of_subset, 2, of_species), "best": -values.max(axis=1)})
    rows, values = (frame.loc[order.sort_values(["level", "best"]).index] for frame in (rows, values))
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
    dropped = [name for name, is_idle in (("Chance", column == "auc"), ("Best", len(found) == 1)) if is_idle]
    table = table.drop(columns=dropped)
    number = st.column_config.NumberColumn
    st.dataframe(
        pd.concat([table, values.add_prefix("score ")], axis=1),
        hide_index=True,
        placeholder="–",
        height=min(460, 38 + 35 * len(table)),
        column_config={
            "Attacks": st.column_config.TextColumn(help="Species of the attacks in this row."),
            "n attacks": number(format="localized", help="Attacks in this row."),
            "n live": number(format="localized", help="Live faces of the same subset, which they are compared with."),
            "Chance": number(format="%.2f", help="The average precision of guessing: the share of attacks."),
            "Best": st.column_config.TextColumn(help="The score with the highest number in this row."),
        }
        | {
            f"score {name}": number(name, format="%.3f", help=escaped(f"{measure} of {name}: {about(name, run)}"))
            for name in values
        },
    )
    without = [s for s in tested if s not in set(long["subset"])]
    if len(tested) > 1:
        names = escaped(", ".join(map(readable, without)))
        alone = f" {names}: one class only, so counted under “all” alone." if without else ""
        st.caption(f"Attacks of a subset against the live faces of the same subset.{alone}")


def show_distributions(names: Sequence[str], found: Mapping[str, Measured]) -> None:
    st.subheader("How are the scores distributed?")
    outline = f" Thin blue outline in the attacks’ rows: {LIVE_ELSEWHERE}." if found else ""
    st.caption(
        "Further right is more attack-like. The bars of each group sum to 1, whatever its size; the bars at both ends "
        f"also count what lies beyond.{outline}"
    )
    tables = {}
    grid = st.grid(min(2, len(names)), min_column_width=470, gap="medium")
    for name in names:
        made, tables[name] = _distribution(run.digest, name, tuple(subsets), run, cells)
        with grid.cell():
            separates = f" · AUC {area(found[name].auc, found[name].n)}" if name in found else ""
            st.markdown(f"**{escaped(name)}**{separates}")
            height = ridges.score_height(len(tables[name]), 1 + axis_title(name, run).count("\n"))
            alt = f"Histograms of {name}, one row per group"
            st.echarts_chart(made, key=f"distribution_{name}", height=height, alt=alt)
    with st.expander("Mean and standard deviation of every group"):
        show_moments(tables)


def show_moments(tables: Mapping[str, pd.DataFrame]) -> None:
    long = pd.concat(tables, names=["score", "group"]).reset_index()
    st.dataframe(
        pd.DataFrame(
            {
                "Score": long["score"],
                "Group": long["group"].map(readable),
                "n": long["count"].astype(int),
                "Mean": long["mean"],
                "Standard deviation": long["std"],
            }
        ),
        hide_index=True,
        placeholder="–",
        column_config={
            "n": st.column_config.NumberColumn(format="localized", help="Samples with a finite score."),
            "Mean": st.column_config.NumberColumn(format="%.4g", help="In the unit of the score; see its chart."),
            "Standard deviation": st.column_config.NumberColumn(format="%.4g", help="In the same unit."),
        },
    )


run = sidebar.chosen_run()
subsets = sidebar.chosen_subsets(run)
chosen = sidebar.chosen_score(run)
tested = [s for s in subsets if s != "train"] or subsets
st.title("Losses")
offered = scores.offered(run)
cells = _cells_of(run.digest, samples(run, KINDS))
measured = {name: _measured(run.digest, name, tuple(tested), run, cells) for name in offered}
found = {name: one for name, one in measured.items() if one is not None}
found = dict(sorted(found.items(), key=lambda item: -item[1].auc))
if found:
    st.write(f"{answer(found)} {where(found)}")
    st.caption(caveats(found))
else:
    st.write(one_class_only())
names = drawn_scores([*found, *(name for name in offered if name not in found)])
if shown := [name for name in found if name in names]:
    show_curves(found, shown, chosen)
if found:
    show_table(found)
show_distributions(names, found)
