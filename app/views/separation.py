"""Separation: what do the codes show, attacks, or just as well pose, glasses and brightness?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts import categories
from app.parts.head import head
from app.session import sidebar
from app.session.cache import NotComputedError, cached
from app.session.jobs import worker
from app.session.tables import show_rows
from app.words import escaped
from fas_core import metrics
from fas_core.data.names import groups_of, readable
from fas_core.evaluation import separation, sides
from fas_core.evaluation.separation import Comparison, Separation
from fas_core.evaluation.sides import Measure
from fas_core.reports import palette
from fas_core.reports.palette import NEUTRAL, Style
from fas_core.runs.store import Run

NUISANCE = Style(NEUTRAL)  # of no class
HEADINGS = {"attack": "attacks", "nuisance": "live faces by"}
MEASURES = {  # heading and explanation of each measure
    "probe": (
        "Probe",
        "AUC of a linear probe that is told the sides and judged on subjects it has not seen: what the codes contain. "
        "By chance 0.5.",
    ),
    "mahalanobis": (
        "Distance",
        "AUC of the Mahalanobis distance from live training codes, which is told nothing: whether the second side lies "
        "farther away. 0.5: neither; below: the first side does.",
    ),
    "likelihood": ("Likelihood", "AUC of the negative log-likelihood under 8 Gaussians of live training codes."),
    "purity": (
        "Neighbours",
        f"Share of a code's {sides.NEIGHBOURS} nearest codes of other subjects that are on its own side, as if "
        "both sides were as large. By chance 0.5.",
    ),
    "silhouette": (
        "Silhouette",
        "How much closer a code is to its own side than to the other, from −1 to 1. By chance 0.",
    ),
    "frechet": (
        "Fréchet",
        "Fréchet distance between the sides taken for Gaussians, as a multiple of the codes' variance, without what it "
        "would be by chance. 0: the same.",
    ),
}


@cached(entries=32)
def computed(run: Run) -> Separation:
    """What is stored of a Run; raises NotComputedError while nobody has computed it."""
    stored = separation.known(run)
    if stored is None:
        raise NotComputedError
    return stored


def style_of(comparison: Comparison) -> Style:
    """The colour of an attack's group, as everywhere; neutral for what is no attack."""
    if comparison.kind != "attack":
        return NUISANCE
    species = "" if comparison.column == metrics.UNSPECIFIED else comparison.column
    row = pd.DataFrame({"subset": [comparison.subset], "label": ["attack"], "pai_species": [species]})
    return palette.style_of(str(groups_of(row)[0]))


def sides_of(comparison: Comparison) -> str:
    """The sides with their numbers of images."""
    return " / ".join(f"{side} ({n:,})" for side, n in zip(comparison.sides, comparison.counts, strict=True))


def units_of(comparison: Comparison) -> str:
    return f"{comparison.n_units:,} {comparison.unit}s" + (", a side each" if comparison.is_of_unit else "")


def auc_row(comparison: Comparison) -> categories.AucRow:
    probe, distance = comparison.measures["probe"], comparison.measures["mahalanobis"]
    assert probe is not None
    ends = None if probe.low is None or probe.high is None else (probe.low, probe.high)
    return categories.AucRow(
        comparison.name,
        style_of(comparison),
        probe.value,
        ends,
        distance.value if distance else None,
        f"{sides_of(comparison)}, {units_of(comparison)}",
    )


def show_chart(shown: Separation) -> None:
    rows = {HEADINGS[kind]: [auc_row(comparison) for comparison in shown.clearest_first(kind)] for kind in HEADINGS}
    rows = {heading: of_kind for heading, of_kind in rows.items() if of_kind}
    chart = categories.auc_rows(
        rows,
        x_title="AUC",
        auc_name="linear probe, told the sides",
        beside_name="distance from live training codes, told nothing",
    )
    alt = "AUC of each attack and of each nuisance, with intervals"
    st.echarts_chart(chart, key="separation", height=categories.auc_rows_height(rows), alt=alt)
    units = sorted({comparison.unit for comparison in shown.comparisons})
    by = "image by image, for the data name no subjects" if units == ["image"] else f"by {' or '.join(units)}"
    hollow = (
        " Hollow: unseen subsets." if any(style_of(comparison).is_hollow for comparison in shown.comparisons) else ""
    )
    st.caption(
        f"Lines: 95 % intervals {by}.{hollow}",
        help="Attacks are compared with live images of the same subset; values of a column with each other, on the "
        "live images outside training of all subsets.",
    )


def cell(measure: Measure | None) -> str | None:
    """0.93 (0.87–0.98)"""
    if measure is None:
        return None
    ends = "" if measure.low is None else f" ({measure.low:.2f}–{measure.high:.2f})"
    return f"{measure.value:.2f}{ends}".replace("-0.00", "0.00")


def show_table(shown: Separation) -> None:
    st.header("In numbers")
    table = pd.DataFrame(
        {"What": [comparison.name for comparison in shown.comparisons]}
        | {
            heading: [cell(comparison.measures[name]) for comparison in shown.comparisons]
            for name, (heading, _) in MEASURES.items()
        }
        | {
            "Sides (images)": [sides_of(comparison) for comparison in shown.comparisons],
            "Units": [units_of(comparison) for comparison in shown.comparisons],
        }
    )
    text = st.column_config.TextColumn
    show_rows(
        table,
        "separations",
        height="content",
        column_config={
            "What": text(pinned=True),
            "Units": text(
                help="Whole units are left out of a probe in turn, and resampled for the intervals. A side each: the "
                "column is a trait of the unit, so that few units are few cases."
            ),
        }
        | {heading: text(help=words) for heading, words in MEASURES.values()},
    )
    st.caption(
        "With 95 % intervals. Empty: not defined.",
        help="Of a column with more than two values: the mean over its values, each against the others. "
        f"At most {separation.LIMIT:,} images a row, a sample where there are more. Brightness is that of the image as "
        "the model sees it, after scaling.",
    )


def show_left_out(shown: Separation) -> None:
    if shown.left_out:
        reasons = "; ".join(f"{escaped(readable(c))} ({why})" for c, why in shown.left_out.items())
        st.caption(f"Not compared: {reasons}.")


def show_separation() -> None:
    """The page."""
    run = sidebar.chosen_run()
    top = head("Separation")
    sidebar.needs(run, "What codes separate", "latents")
    subsets = sidebar.chosen_subsets(run)
    try:
        shown = computed(run).within(subsets)
    except NotComputedError:
        worker(
            run,
            "separation",
            missing=f"What the codes of these {len(run):,} images separate is not computed yet; it takes some seconds.",
            button="Compute it",
            key="compute_separation",
        )
        return
    top.answer.write(escaped(shown.sentence()))
    if shown.clearest_first("attack") or shown.clearest_first("nuisance"):
        show_chart(shown)
    if shown.comparisons:
        show_table(shown)
    show_left_out(shown)


if __name__ == "__main__":
    show_separation()
