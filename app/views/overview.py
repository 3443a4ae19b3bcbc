"""Overview: which Runs there are, how good the chosen one is, what is wrong with its data, where to go next."""

import pandas as pd
import streamlit as st

from app.overview import near_duplicates
from app.overview.data import about_data
from app.overview.pictures import show_pictures
from app.parts import causes
from app.parts.decided import show_decided
from app.parts.head import head
from app.parts.report_buttons import report_buttons
from app.session import faces, operating, sidebar
from app.session.address import link_params
from app.session.readers import Kept, cache_folder, called, pooled_score_set, runs
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import about, escaped, label_of
from fas_core import memo, metrics, scores
from fas_core.data.names import fresh_subsets
from fas_core.evaluation import summary as core
from fas_core.evaluation.join import System
from fas_core.evaluation.summary import Summary
from fas_core.metrics.operating_point import OperatingPoint
from fas_core.reports import report
from fas_core.runs import health, naming, tombstones
from fas_core.runs.store import Run


def summary(shown: Shown, point: OperatingPoint | None, problem: str) -> Summary:
    """What the page says, and its report."""
    readers = Kept(shown.run, shown.score, shown.level)
    return Summary(System(shown.run, shown.score), shown.level, shown.subsets, point, problem, readers)


def headline(of: Summary) -> str:
    """The answer in a few sentences: the limit, what the operating point lets through, how well the score separates."""
    separates, lets_through = core.headline(of, escaped, lambda text: f"**{text}**")
    limit = core.limit_words(of, escaped, lambda text: f"**{text}**")
    return " ".join(filter(None, (limit, lets_through, separates)))


def what_changed(shown: Shown, judged_on: tuple[str, ...]) -> str:
    """The Run before this one on the same data, in a sentence; empty where there is none."""
    before = run_before(shown.run)
    if before is None:
        return ""
    offered = scores.offered(before)
    its_score = shown.score if scores.has(before, shown.score) else scores.usual(offered)
    tested = [name for name in judged_on if name in before.subsets]
    now = pooled_score_set(shown.run, shown.score, shown.level, tested)
    then = pooled_score_set(before, its_score, sidebar.chosen_level(before), tested)
    if not all(pooled.n_bona_fide and pooled.n_attack for pooled in (now, then)):
        return ""
    first, second = metrics.roc_auc(then), metrics.roc_auc(now)
    word = "as well as" if f"{first:.2f}" == f"{second:.2f}" else "better than" if second > first else "worse than"
    judged = "" if its_score == shown.score else f" by {escaped(its_score)}"
    return (
        f"It separates {word} the Run before it on the same data, {escaped(called()[label_of(before)])}{judged}: "
        f"AUC {second:.2f} instead of {first:.2f}. The page Compare says whether chance explains that."
    )


def run_before(run: Run) -> Run | None:
    """The newest Run of the same manifest that is older than this one."""
    newest_first, _ = runs()
    older = newest_first[[other.id for other in newest_first].index(run.id) + 1 :]
    manifest = run.info.manifest_sha256
    return next((other for other in older if manifest and other.info.manifest_sha256 == manifest), None)


def show_metrics(shown: Shown, point: OperatingPoint | None) -> None:
    st.header("How well does it separate?")
    show_rows(
        core.metrics_table(summary(shown, point, "")),
        "metrics",
        column_config={
            "AUC": st.column_config.TextColumn(
                help="Chance that a random attack scores higher than a random bona fide sample, with its 95 % interval."
            ),
            "EER": st.column_config.TextColumn(
                help="Equal error rate: where as many attacks pass as live faces are rejected."
            ),
            "No response": st.column_config.NumberColumn(help="Images that could not be read or gave no score."),
            "BPCER": st.column_config.TextColumn(help="Share of live faces rejected at the operating point."),
            "Worst APCER": st.column_config.TextColumn(
                help="Share of attacks of the worst species let through at the operating point."
            ),
        },
    )
    st.caption(
        "In brackets: 95 % intervals, by whole subjects where the data name them; ≤ or ≥: what so many that are "
        "all alike still allow. –: not defined, because the subset holds one class only."
    )


def show_data(shown: Shown, point: OperatingPoint | None) -> None:
    st.header("What is in the data?")
    chosen = tuple(operating.chosen_on(shown.run)) if point is None else point.chosen_on
    reported = tuple(fresh_subsets(shown.subsets, chosen)) if point is None else point.reported_on
    counts, findings = about_data(shown.run, chosen, reported)
    if not findings:
        st.success(escaped(health.all_well(shown.run, chosen, reported)))
    for finding in findings:  # the gravest first
        st.warning(escaped(finding), icon=":material/warning:")
    show_rows(
        counts[counts["subset"].isin(shown.subsets)].rename(columns=lambda c: c.replace("_", " ").capitalize()),
        "counts",
    )
    if removed := tombstones.words_of(shown.run.cache, shown.run.id):
        st.caption(f"Of this Run: {escaped(removed)}. Its numbers are of those who are left.")
    if late := health.overdue(shown.run):
        st.warning(escaped(late), icon=":material/event_busy:")
    if numbers := scores.undeclared(shown.run):
        st.caption(
            f"Columns of numbers that are no scores: {escaped(', '.join(numbers))}. Declare one by saying which class "
            f"its higher values speak for: `fas scores join {shown.run.id} --score {numbers[0]} --higher-is attack`"
        )
    failures = shown.run.failures()
    if len(failures):
        with st.expander(f"{len(failures)} images without output"):
            show_rows(failures[["sample_id", "subset", "reason"]], "failures")


def show_runs() -> None:
    st.header("Which Runs are there?")
    rows, texts = [], called()
    for run in runs()[0]:
        summary = run.summary()
        facts = naming.facts_of(run)
        rows.append(
            {
                "Run": texts[label_of(run)],
                "Model": summary.model or ("scores only" if run.is_of_scores else "imported arrays"),
                "Data": f"{facts.data}, {facts.modality}" if facts.modality else facts.data,
                "Epochs": facts.epoch,
                "Dimensions": facts.latent_dim,
                "Samples": sum(summary.subsets.values()),
                "Complete": summary.complete,
                "Size (MB)": summary.bytes / 1e6,
                "Made": pd.Timestamp(summary.created),
            }
        )
    show_rows(
        pd.DataFrame(rows),
        "runs",
        column_config={
            "Size (MB)": st.column_config.NumberColumn(format="%.1f"),
            "Made": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    used, limit = memo.usage(cache_folder())
    st.caption(
        f"Projections and mixtures kept beside the Runs: {used / 1e6:.1f} MB of at most {limit / 1e9:.1f} GB; "
        "beyond that the oldest are dropped and computed again when needed."
    )


def show_next(about: Summary) -> None:
    run = about.system.run
    st.header("Where next?")
    places = [
        ("views/threshold.py", "Choose a threshold", ":material/tune:", True),
        ("views/gallery.py", "See the reconstructions", ":material/grid_view:", bool(faces.kinds(run))),
        ("views/latent.py", "Look at the latent space", ":material/scatter_plot:", run.has("latents")),
        ("views/compare.py", "Compare with another Run", ":material/compare:", True),
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        for page, label, icon, is_useful in places:
            st.page_link(page, label=label, icon=icon, disabled=not is_useful, query_params=link_params())
        report_buttons(lambda: report.page(about, report.Options(images=report.PIXELATED)), run)


def overview() -> None:
    shown = sidebar.shown()
    place = head("Overview")
    point, problem = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    about_run = summary(shown, point, problem)
    place.answer.write(headline(about_run))
    causes.warn(shown)
    show_pictures(shown, about_run)
    if point is not None:
        st.caption(about(point))
    if changed := what_changed(shown, core.judged_on(about_run)):
        st.write(changed)
    show_next(about_run)
    show_decided()
    show_metrics(shown, point)
    show_data(shown, point)
    near_duplicates.show(shown)
    show_runs()


if __name__ == "__main__":
    overview()
