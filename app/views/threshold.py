"""Threshold: which threshold to use, what it costs live users, and which attacks it lets through."""

from typing import Any

import pandas as pd
import streamlit as st

from app import charts, state
from fas_core import metrics
from fas_core.metrics import ScoreSet
from fas_core.operating_point import BY_HAND

CURVE_POINTS = 800

run = state.chosen_run()
subsets = state.chosen_subsets(run)
score = state.chosen_score(run)


def rate(value: float, interval: list[float], n: int) -> str:
    """A rate of n samples with its interval, with the digits that n allows."""
    digits = 0 if n < 200 else 1
    low, high = (f"{100 * bound:.{digits}f}" for bound in interval)
    return f"{100 * value:.{digits}f} % ({low}–{high})"


def answer(at: dict[str, Any], reported: ScoreSet) -> str:
    """The page's answer in one sentence."""
    parts = []
    bpcer, bounds = at["bpcer"], at["bpcer_ci95"]
    if bpcer is not None:
        parts.append(
            f"**{rate(bpcer, bounds['clopper_pearson'], reported.n_bona_fide)}** of {reported.n_bona_fide:,} "
            "live samples are rejected"
        )
    worst = at["apcer_worst"]
    if worst is not None:
        entry = at["apcer_ci95_per_species"][worst]
        name, passes = state.escaped(charts.words(worst)), rate(at["apcer_max"], entry["clopper_pearson"], entry["n"])
        parts.append(f"the worst attack, {name}, passes **{passes}** of the time (n = {entry['n']:,})")
    return "At this threshold " + "; ".join(parts) + "."


def species_table(at: dict[str, Any], reported: ScoreSet) -> pd.DataFrame:
    """APCER per species, worst first, with intervals and AUC."""
    rows = []
    for name, apcer in at["apcer_per_species"].items():
        if apcer is None:
            continue
        entry = at["apcer_ci95_per_species"][name]
        rows.append(
            {
                "Species": charts.words(name),
                "APCER": 100 * apcer,
                "95 % interval": f"{100 * entry['clopper_pearson'][0]:.1f}–{100 * entry['clopper_pearson'][1]:.1f} %",
                "Let through": entry["k"],
                "Attacks": entry["n"],
                "AUC": metrics.roc_auc(reported, name) if reported.n_bona_fide else None,
            }
        )
    return pd.DataFrame(rows).sort_values("APCER", ascending=False) if rows else pd.DataFrame(rows)


def subsets_table(threshold: float) -> pd.DataFrame:
    """Every chosen subset at the same threshold."""
    rows = []
    for name, one in state.score_sets(run, score).items():
        if name in subsets and one.n_bona_fide + one.n_attack:
            at = metrics.rates_at(one, threshold)
            rows.append(
                {
                    "Subset": name,
                    "BPCER": None if at["bpcer"] is None else 100 * at["bpcer"],
                    "Worst APCER": None if at["apcer_max"] is None else 100 * at["apcer_max"],
                    "Worst species": charts.words(at["apcer_worst"]) if at["apcer_worst"] else None,
                    "Bona fide": one.n_bona_fide,
                    "Attacks": one.n_attack,
                }
            )
    return pd.DataFrame(rows)


def slider(threshold: float) -> None:
    """Shows where the threshold lies; moved, it takes over from the rule. Its top is just above the highest score."""
    low, high = state.score_range(run, score)
    key = f"slider_{score}"
    shown = min(max(threshold, low), high)
    if st.session_state.get(key) != shown:  # written back unchanged, it would undo keys pressed in the meantime
        st.session_state[key] = shown
    st.slider(
        f"Threshold of {state.escaped(score)} (a sample at or above it is called an attack)",
        low,
        high,
        key=key,
        step=(high - low) / 1000,
        format="%.5g",
        on_change=take_over,
        args=(key,),
    )


def take_over(key: str) -> None:
    st.session_state["rule"] = BY_HAND
    st.session_state[f"t_{score}"] = st.session_state[key]


def show_charts(reported: ScoreSet, threshold: float) -> None:
    samples = state.samples(run, ("subset", "label", "pai_species"))
    values = state.score_values(run, score)
    shown = samples["subset"].isin(subsets).to_numpy()
    kinds = charts.groups(samples)[shown]
    left, right = st.columns(2)
    with left:
        st.markdown("**How the scores are distributed**")
        made = charts.histogram({name: values[shown][kinds == name] for name in set(kinds)}, x_title=score)
        st.plotly_chart(charts.add_threshold(made, threshold), key="histogram", alt="Histogram of scores per group")
    if not (reported.n_bona_fide and reported.n_attack):
        right.info("The reported subsets hold one class only, so there is no curve of both errors.")
        return
    by_species = {charts.ALL_ATTACKS: metrics.thinned(metrics.curves(reported), CURVE_POINTS)}
    sets = {charts.ALL_ATTACKS: reported}
    for name in reported.attacks:
        if len(reported.attacks[name]) and len(reported.attacks) > 1:
            sets[name] = metrics.of_species(reported, name)
            by_species[name] = metrics.thinned(metrics.curves(sets[name]), CURVE_POINTS)
    with right:
        st.markdown("**What a higher or lower threshold would do**")
        st.plotly_chart(
            charts.error_rates(
                by_species[charts.ALL_ATTACKS], threshold, x_title=score, x_range=made.layout.xaxis.range
            ),
            key="errors",
            alt="BPCER and APCER per species against the threshold",
        )
    at = {name: metrics.rates_at(one, threshold) for name, one in sets.items()}
    left, right = st.columns(2)
    with left:
        st.markdown("**ROC**")
        points = {name: (a["bpcer"], a["recall"]) for name, a in at.items()}
        st.plotly_chart(charts.roc(by_species, points), key="roc", alt="ROC per attack species")
    with right:
        st.markdown("**Precision and recall**")
        marks = {n: None if a["precision"] is None else (a["recall"], a["precision"]) for n, a in at.items()}
        st.plotly_chart(charts.precision_recall(by_species, marks), key="pr", alt="Precision-recall per attack species")


def show_counts(at: dict[str, Any]) -> None:
    counts = at["counts"]
    st.markdown("**Decisions**")
    table = pd.DataFrame(
        {
            "": ["bona fide", "attacks"],
            "called bona fide": [counts["tn"], counts["fn"]],
            "called attack": [counts["fp"], counts["tp"]],
        }
    )
    st.dataframe(table, hide_index=True)
    precision, recall, f1 = at["precision"], at["recall"], at["f1"]
    shown = ", ".join(
        f"{name} {'–' if value is None else f'{100 * value:.1f} %'}"
        for name, value in (("precision", precision), ("recall", recall), ("F1", f1), ("ACER", at["acer"]))
    )
    st.caption(f"{shown}. Precision and F1 depend on the share of attacks, {share_of_attacks(counts):.0%} here.")


def share_of_attacks(counts: dict[str, int]) -> float:
    attacks = counts["tp"] + counts["fn"]
    return attacks / (attacks + counts["tn"] + counts["fp"])


def show(threshold: float, reported: ScoreSet) -> None:
    """Everything about one threshold on the reported samples."""
    at = metrics.rates_at(reported, threshold)
    show_charts(reported, threshold)
    left, right = st.columns([3, 2])
    percent = st.column_config.NumberColumn(format="%.1f %%")
    with left:
        st.markdown("**Attacks by species, worst first**")
        st.dataframe(
            species_table(at, reported),
            hide_index=True,
            placeholder="–",
            column_config={
                "APCER": st.column_config.NumberColumn(
                    format="%.1f %%", help="Share of attacks of this species let through."
                ),
                "AUC": st.column_config.NumberColumn(format="%.3f"),
            },
        )
    with right:
        show_counts(at)
    st.markdown("**Every subset at this threshold**")
    st.dataframe(
        subsets_table(threshold),
        hide_index=True,
        placeholder="–",
        column_config={"BPCER": percent, "Worst APCER": percent},
    )


st.title("Threshold")
point, problem = state.operating_point(run, score, subsets)
if point is None:
    st.warning(problem, icon=":material/rule:")
else:
    reported = state.pooled_score_set(run, score, point.reported_on)
    if reported.n_bona_fide + reported.n_attack:
        st.write(answer(metrics.rates_at(reported, point.threshold), reported))
        st.caption(
            f"{state.about(point)} In brackets: 95 % Clopper-Pearson intervals, which take every sample as "
            "independent; frames of one video or person are not, so the true intervals are wider."
        )
        slider(point.threshold)
        show(point.threshold, reported)
    else:
        st.info("The chosen subsets have no scores.", icon=":material/info:")
