"""Threshold: which threshold to use, what it costs live users, and which attacks it lets through."""

import math
from typing import Any

import pandas as pd
import streamlit as st

from app import charts, state
from fas_core import metrics
from fas_core.metrics import ScoreSet

BY_HAND = "By hand"
RULES = {"BPCER ≤ 1 %": 0.01, "BPCER ≤ 5 %": 0.05, "BPCER ≤ 10 %": 0.10}
EER = "EER"
DEFAULT_RULE = "BPCER ≤ 5 %"
CURVE_POINTS = 800

run = state.chosen_run()
subsets = state.chosen_subsets(run)
score = state.chosen_score(run)


def threshold_by(rule: str, chosen_on: ScoreSet) -> float:
    """The threshold of a rule; raises UndefinedMetricError where the samples do not allow it."""
    return (
        metrics.equal_error_rate(chosen_on).threshold
        if rule == EER
        else metrics.threshold_at_bpcer(chosen_on, RULES[rule])
    )


def rate(value: float, interval: list[float]) -> str:
    low, high = (100 * bound for bound in interval)
    return f"{100 * value:.1f} % ({low:.1f}–{high:.1f})"


def answer(at: dict[str, Any], reported: ScoreSet) -> str:
    """The page's answer in one sentence."""
    parts = []
    bpcer, bounds = at["bpcer"], at["bpcer_ci95"]
    if bpcer is not None:
        parts.append(
            f"**{rate(bpcer, bounds['clopper_pearson'])}** of {reported.n_bona_fide:,} live samples are rejected"
        )
    worst = at["apcer_worst"]
    if worst is not None:
        entry = at["apcer_ci95_per_species"][worst]
        name, passes = state.escaped(charts.words(worst)), rate(at["apcer_max"], entry["clopper_pearson"])
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


def chosen_threshold(low: float, high: float) -> tuple[float, str]:
    """The threshold, and words on where it comes from. A rule is exact; the slider shows it and takes over by hand."""
    slider = f"t_{score}"
    rules = [*RULES, EER, BY_HAND]
    left, right = st.columns([3, 2])
    with left:
        rule = st.segmented_control(
            "Choose by",
            rules,
            default=DEFAULT_RULE,
            key="rule",
            bind="query-params",
            required=True,
            help="BPCER ≤ x: the lowest threshold that rejects at most this share of live samples; needs no attacks. "
            "EER: as many attacks pass as live samples are rejected.",
        )
    with right:
        on = st.multiselect(
            "Chosen on",
            run.subsets,
            default=state.dev_subsets(run) or run.subsets[:1],
            key="chosen_on",
            bind="query-params",
            help="The subsets a rule looks at. What they say at their own threshold is optimistic.",
            disabled=rule == BY_HAND,
        )
    if rule != BY_HAND:
        try:
            threshold = threshold_by(str(rule), state.pooled_score_set(run, score, on))
        except metrics.UndefinedMetricError as error:
            st.warning(f"{rule} cannot be applied to {', '.join(on) or 'no subset'}: {state.escaped(str(error))}.")
            threshold = (low + high) / 2
        st.session_state[slider] = min(max(threshold, low), high)
    else:
        threshold = min(max(float(st.session_state.get(slider, (low + high) / 2)), low), high)
        st.session_state[slider] = threshold
    digits = max(2, 4 - math.floor(math.log10(max(high - low, 1e-12))))
    moved = st.slider(
        f"Threshold of {score} (a sample at or above it is called an attack)",
        low,
        high,
        key=slider,
        step=(high - low) / 1000,
        format=f"%.{min(digits, 8)}f",
        bind="query-params",
        on_change=by_hand,
    )
    source = f"{rule}, chosen on {', '.join(on)}" if rule != BY_HAND else "set by hand"
    return (threshold if rule != BY_HAND else float(moved)), source


def by_hand() -> None:
    st.session_state["rule"] = BY_HAND


def show_charts(reported: ScoreSet, threshold: float, low: float, high: float) -> None:
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
                by_species[charts.ALL_ATTACKS], threshold, x_title=score, x_range=made.layout.xaxis.range or (low, high)
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


@state.fragment
def page() -> None:
    st.title("Threshold")
    place = st.container()
    everything = state.pooled_score_set(run, score, run.subsets)
    finite = [v for part in (everything.bona_fide, everything.pooled) for v in (part[:1], part[-1:]) if v.size]
    low = min(float(v[0]) for v in finite if math.isfinite(v[0]))
    high = max(float(v[0]) for v in finite if math.isfinite(v[0]))
    if low == high:
        low, high = low - 0.5, high + 0.5
    threshold, source = chosen_threshold(low, high)
    on = set(st.session_state.get("chosen_on") or [])
    rule = st.session_state.get("rule")
    left_over = [s for s in subsets if s != "train" and (rule == BY_HAND or s not in on)]
    is_optimistic = not left_over
    reported_on = left_over or subsets
    reported = state.pooled_score_set(run, score, reported_on)
    if not reported.n_bona_fide + reported.n_attack:
        place.info("The chosen subsets have no scores.")
        return
    at = metrics.rates_at(reported, threshold)
    with place:
        st.write(answer(at, reported))
        mark = " **Optimistic: chosen and reported on the same samples.**" if is_optimistic and rule != BY_HAND else ""
        st.caption(
            f"Threshold {threshold:.5g}: {state.escaped(source)}; reported on {state.escaped(', '.join(reported_on))}."
            f"{mark} In brackets: 95 % Clopper-Pearson intervals, which take every sample as independent; "
            "frames of one video or person are not, so the true intervals are wider."
        )
    show_charts(reported, threshold, low, high)
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


page()
