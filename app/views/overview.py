"""Overview: which Runs there are, how good the chosen one is, what is wrong with its data, where to go next."""

import pandas as pd
import streamlit as st

from app import state
from fas_core import datahealth, memo, metrics
from fas_core.store import Run

DATA_COLUMNS = (
    "sample_id", "subset", "label", "pai_species", "subject_id", "session_id", "is_constant", "held_out_by",
)  # fmt: skip

run = state.chosen_run()
subsets = state.chosen_subsets(run)
score = state.chosen_score(run)


def percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def headline() -> str:
    """The answer in a sentence or two: how well this score separates, and what the operating point lets through."""
    pooled = state.pooled_score_set(run, score, [s for s in subsets if s != "train"])
    name = state.escaped(run.info.name)
    if not (pooled.n_bona_fide and pooled.n_attack):
        return f"**{name}**: the chosen subsets hold one class only, so nothing can be separated yet."
    auc = {species: metrics.roc_auc(pooled, species) for species in pooled.attacks if len(pooled.attacks[species])}
    hardest = min(auc, key=lambda s: auc[s])
    separates = (
        f"**{name}**, judged by {state.escaped(score)}, separates {pooled.n_attack:,} attacks from "
        f"{pooled.n_bona_fide:,} bona fide samples with an AUC of **{metrics.roc_auc(pooled):.2f}**; hardest is "
        f"{state.escaped(hardest)} ({auc[hardest]:.2f})."
    )
    point, problem = state.operating_point(run, score, subsets)
    if point is None:
        return f"{separates} {problem}"
    reported = state.pooled_score_set(run, score, point.reported_on)
    at = metrics.rates_at(reported, point.threshold)
    passes = []
    if at["bpcer"] is not None:
        passes.append(f"{state.percent(at['bpcer'], reported.n_bona_fide)} of live samples are rejected")
    if at["apcer_worst"] is not None:
        n = len(reported.attacks[at["apcer_worst"]])
        share = state.percent(at["apcer_max"], n)
        passes.append(f"**{share}** of {n:,} {state.escaped(at['apcer_worst'])} attacks, the worst species, pass")
    return f"{separates} At the operating point {' and '.join(passes)}."


def metrics_table(run: Run, score: str, subsets: list[str]) -> pd.DataFrame:
    """One row per subset; empty where a metric is undefined."""
    rows = []
    for subset, scores_of_set in state.score_sets(run, score).items():
        if subset not in subsets or not (scores_of_set.n_bona_fide + scores_of_set.n_attack):
            continue
        cell = metrics.document(scores_of_set)
        at = next(entry for entry in cell["apcer_at_bpcer"] if entry["target"] == 0.05)
        rows.append(
            {
                "Subset": subset,
                "Bona fide": cell["n_bona_fide"],
                "Attacks": cell["n_attack"],
                "No response": sum(cell["n_non_response"].values()),
                "AUC": cell["roc_auc"],
                "AP": cell["average_precision"],
                "EER": percent(cell["eer"]["value"]) if cell["eer"] else None,
                "APCER at BPCER 5 %": percent(at["apcer_max"]),
            }
        )
    table = pd.DataFrame(rows)
    return table if not len(table) or table["No response"].any() else table.drop(columns="No response")


def show_metrics() -> None:
    st.subheader("How well does it separate?")
    table = metrics_table(run, score, subsets)
    # A rate of 300 trials has no third digit.
    rate = "%.1f %%" if len(table) and table["Attacks"].max() >= 1000 else "%.0f %%"
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config={
            "AUC": st.column_config.NumberColumn(
                format="%.3f", help="Chance that a random attack scores higher than a random bona fide sample."
            ),
            "AP": st.column_config.NumberColumn(
                format="%.3f", help="Average precision; depends on the share of attacks."
            ),
            "EER": st.column_config.NumberColumn(
                format=rate, help="Equal error rate: where as many attacks pass as live faces are rejected."
            ),
            "No response": st.column_config.NumberColumn(help="Images that could not be read or gave no score."),
            "APCER at BPCER 5 %": st.column_config.NumberColumn(
                format=rate,
                help="Attacks of the worst species let through where at most 5 % of live faces are rejected.",
            ),
        },
    )
    st.caption(
        "Each subset on its own bona fide samples; the last column's threshold is chosen on the same subset, so it is "
        "optimistic. APCER: share of attacks let through, of the worst species. BPCER: share of live faces rejected. "
        "–: not defined, because the subset holds one class only."
    )


def show_data() -> None:
    st.subheader("What is in the data?")
    samples = state.samples(run, DATA_COLUMNS)
    counts = datahealth.counts(samples)
    st.dataframe(
        counts[counts["subset"].isin(subsets)].rename(columns=lambda c: c.replace("_", " ").capitalize()),
        hide_index=True,
    )
    findings = datahealth.findings(run, samples)
    if not findings:
        st.success("Nothing conspicuous: every image was read, no subject is in both training and unseen subsets.")
    for finding in findings:
        st.warning(state.escaped(finding), icon=":material/warning:")
    failures = run.failures()
    if len(failures):
        with st.expander(f"{len(failures)} images without output"):
            st.dataframe(failures[["sample_id", "subset", "reason"]], hide_index=True)


def show_runs() -> None:
    st.subheader("Which Runs are there?")
    found, _ = state.runs()
    rows = []
    for one in found:
        about = one.summary()
        rows.append(
            {
                "Run": state.label_of(one),
                "Model": about["model"] or "scores only",
                "Samples": sum(about["subsets"].values()),
                "Complete": about["complete"],
                "Size (MB)": about["bytes"] / 1e6,
                "Made": pd.Timestamp(about["created"]),
            }
        )
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Size (MB)": st.column_config.NumberColumn(format="%.1f"),
            "Made": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    used, limit = memo.usage(state.cache_folder())
    st.caption(
        f"Projections and mixtures kept beside the Runs: {used / 1e6:.1f} MB of at most {limit / 1e9:.1f} GB; "
        "beyond that the oldest are dropped and computed again when needed."
    )


def show_next() -> None:
    st.subheader("Where next?")
    places = [
        ("views/threshold.py", "Choose a threshold", ":material/tune:", True),
        ("views/gallery.py", "See the reconstructions", ":material/grid_view:", run.has_images),
        ("views/latent.py", "Look at the latent space", ":material/scatter_plot:", run.has_images),
        ("views/compare.py", "Compare with another Run", ":material/compare:", True),
    ]
    with st.container(horizontal=True):
        for page, label, icon, is_useful in places:
            st.page_link(page, label=label, icon=icon, disabled=not is_useful, query_params=state.link_params())


st.title("Overview")
if not run.is_complete:
    st.warning(
        "This Run is not complete: some shards are missing. The same 'fas cache' command goes on from here.",
        icon=":material/pending:",
    )
st.write(headline())
operating, _ = state.operating_point(run, score, subsets)
if operating is not None:
    st.caption(state.about(operating))
show_next()
show_metrics()
show_data()
show_runs()
