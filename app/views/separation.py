"""Separation: what do the codes show, attacks, or just as well pose, glasses and brightness?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.charts import categories
from app.session import readers, sidebar
from app.session.jobs import worker
from app.words import escaped
from fas_core import metrics
from fas_core.data.names import groups_of, readable
from fas_core.evaluation import separation, sides
from fas_core.evaluation.separation import Comparison, Separation
from fas_core.evaluation.sides import Measure
from fas_core.reports import palette
from fas_core.reports.palette import NEUTRAL, Style

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

run = sidebar.chosen_run()
st.title("Separation")
sidebar.needs_images(run, "What codes separate")
subsets = sidebar.chosen_subsets(run)
samples = readers.samples(run, ("subset", "label", "pai_species"))


class NotComputedError(Exception):
    """Raised so that the absence of a result is not cached."""


@st.cache_resource(max_entries=32, show_spinner=False)
def _stored(digest: str) -> Separation:
    found = separation.known(run)
    if found is None:
        raise NotComputedError
    return found


def style_of(one: Comparison) -> Style:
    """The colour of an attack's group, as everywhere; neutral for what is no attack."""
    if one.kind != "attack":
        return NUISANCE
    species = "" if one.column == metrics.UNSPECIFIED else one.column
    row = pd.DataFrame({"subset": [one.subset], "label": ["attack"], "pai_species": [species]})
    return palette.style_of(str(groups_of(row)[0]))


def sides_of(one: Comparison) -> str:
    """The sides with their numbers of images."""
    return " / ".join(f"{side} ({n:,})" for side, n in zip(one.sides, one.counts, strict=True))


def units_of(one: Comparison) -> str:
    return f"{one.n_units:,} {one.unit}s" + (", a side each" if one.is_of_unit else "")


def auc_row(one: Comparison) -> categories.AucRow:
    probe, distance = one.measures["probe"], one.measures["mahalanobis"]
    assert probe is not None
    ends = None if probe.low is None or probe.high is None else (probe.low, probe.high)
    return categories.AucRow(
        one.name,
        style_of(one),
        probe.value,
        ends,
        distance.value if distance else None,
        f"{sides_of(one)}, {units_of(one)}",
    )


def show_chart(found: Separation) -> None:
    rows = {HEADINGS[kind]: [auc_row(one) for one in found.clearest_first(kind)] for kind in HEADINGS}
    rows = {heading: of_kind for heading, of_kind in rows.items() if of_kind}
    made = categories.auc_rows(
        rows,
        x_title="AUC",
        auc_name="linear probe, told the sides",
        beside_name="distance from live training codes, told nothing",
    )
    alt = "AUC of each attack and of each nuisance, with intervals"
    st.echarts_chart(made, key="separation", height=categories.auc_rows_height(rows), alt=alt)
    units = sorted({one.unit for one in found.comparisons})
    by = "image by image, for the data name no subjects" if units == ["image"] else f"by {' or '.join(units)}"
    hollow = " Hollow: unseen subsets." if any(style_of(one).is_hollow for one in found.comparisons) else ""
    st.caption(
        f"Lines: 95 % intervals {by}. Attacks are compared with live images of the same subset; values of a column with"
        f" each other, on the live images outside training of all subsets.{hollow}"
    )


def cell(measure: Measure | None) -> str | None:
    """0.93 (0.87–0.98)"""
    if measure is None:
        return None
    ends = "" if measure.low is None else f" ({measure.low:.2f}–{measure.high:.2f})"
    return f"{measure.value:.2f}{ends}".replace("-0.00", "0.00")


def show_table(found: Separation) -> None:
    st.subheader("In numbers")
    shown = pd.DataFrame(
        {"What": [one.name for one in found.comparisons]}
        | {heading: [cell(one.measures[name]) for one in found.comparisons] for name, (heading, _) in MEASURES.items()}
        | {
            "Sides (images)": [sides_of(one) for one in found.comparisons],
            "Units": [units_of(one) for one in found.comparisons],
        }
    )
    text = st.column_config.TextColumn
    st.dataframe(
        shown,
        hide_index=True,
        height="content",
        placeholder="–",
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
        "With 95 % intervals. Of a column with more than two values: the mean over its values, each against the others."
        f" At most {separation.LIMIT:,} images a row, a sample where there are more. Empty: not defined."
        " Brightness is that of the image as the model sees it, after scaling."
    )


def show_left_out(found: Separation) -> None:
    if found.left_out:
        reasons = "; ".join(f"{escaped(readable(c))} ({why})" for c, why in found.left_out.items())
        st.caption(f"Not compared: {reasons}.")


try:
    found = _stored(run.digest).within(subsets)
except NotComputedError:
    worker(
        run,
        "separation",
        missing=f"What the codes of these {len(samples):,} images separate is not computed yet; it takes some seconds.",
        button="Compute it",
        key="compute_separation",
    )
else:
    st.write(escaped(found.sentence()))
    if found.clearest_first("attack") or found.clearest_first("nuisance"):
        show_chart(found)
    if found.comparisons:
        show_table(found)
    show_left_out(found)
