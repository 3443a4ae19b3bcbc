"""How a Run does, in pictures: AUC per subset and species, how scores are distributed, and samples that show most."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import categories, ridges
from app.charts.categories import AucRow
from app.charts.echarts import Option
from app.components import gallery as component
from app.components.gallery import Card
from app.components.link import follow
from app.parts import columns
from app.session import faces, readers, sidebar
from app.session.address import link_params
from app.session.cache import cached
from app.session.readers import decisions, score_values
from app.session.sidebar import Shown
from app.words import number
from fas_core import metrics
from fas_core.data.names import readable
from fas_core.evaluation import kept, verdicts
from fas_core.evaluation.summary import Summary, judged_on
from fas_core.reports.palette import style_of

MOST_ROWS = 10  # of the forest: more are in the table
SIDE = 104  # pixels of an image, of which nine fit beside each other
HEIGHT = 300  # of both charts
TYPICAL, MISSED, REJECTED = "Typical live", "Worst missed attack", "Worst rejected live"


# ------------------------------------------------------------------------------------------------------- the forest


def forest(of: Summary) -> list[AucRow]:
    """A row per subset and species, by the Run's order of subsets; of more than `MOST_ROWS`, the hardest."""
    rows = []
    for subset in (name for name in of.system.run.subsets if name in of.subsets):
        scored = of.readers.score_set([subset])
        species = [name for name in scored.attacks if scored.n_bona_fide and len(scored.attacks[name])]
        for name in species:
            interval = of.readers.auc_interval([subset], name if len(species) > 1 else "")
            is_named = subset.endswith(name) or name == metrics.UNSPECIFIED
            rows.append(
                AucRow(
                    subset if is_named else f"{subset}, {name}",
                    style_of(subset if subset.endswith(f"_{name}") else name),
                    metrics.roc_auc(scored, name),
                    None if interval is None else (interval.low, interval.high),
                    None,
                    f"{len(scored.attacks[name]):,} attacks, {scored.n_bona_fide:,} bona fide",
                )
            )
    hardest = sorted(sorted(range(len(rows)), key=lambda i: rows[i].auc)[:MOST_ROWS])
    return [rows[i] for i in hardest]


def show_forest(of: Summary) -> None:
    rows = forest(of)
    if not rows:
        st.caption("No chosen subset holds both live faces and attacks: there is no AUC.")
        return
    chart = categories.auc_rows({"": rows}, x_title="AUC, with 95 % intervals", auc_name="AUC")
    alt = "AUC of each subset and species, with intervals: " + "; ".join(f"{row.name} {row.auc:.2f}" for row in rows)
    st.echarts_chart(chart, key="forest", height=HEIGHT, alt=alt)


# ---------------------------------------------------------------------------------------------------- distributions


@cached(entries=32)
def distributions(shown: Shown, subsets: tuple[str, ...], threshold: float | None) -> tuple[Option, int]:
    """Histograms of a score per group of some subsets with a line at the threshold, and how many groups there are."""

    def binned() -> dict[str, NDArray[Any]]:
        rows = columns.rows_of(shown.run, subsets)
        values, groups = readers.decided_values(shown.run, shown.score, shown.level)[rows], readers.groups(shown.run)
        codes = groups.codes[rows]
        by_group = {str(groups.names[code]): values[codes == code] for code in np.unique(codes)}
        return ridges.binned(by_group, np.empty(0)).as_arrays() | {"n_groups": np.array(len(by_group))}

    decided = readers.decided(shown.run, shown.score, shown.level)
    known = dict(kept.arrays(shown.run, decided, "distributions", {"subsets": subsets}, binned))
    n_groups = int(known.pop("n_groups"))
    limit = None if threshold is None else (threshold, f"threshold {number(threshold)}")
    of_groups = ridges.Binned.of(known)
    return ridges.distributions_drawn(of_groups, x_title=shown.score, behind_name="", limit=limit), n_groups


def show_distributions(shown: Shown, of: Summary) -> None:
    threshold = None if of.point is None else of.point.threshold
    drawn, n_groups = distributions(shown, judged_on(of), threshold)
    alt = f"Distribution of {shown.score} in {n_groups} groups"
    st.echarts_chart(drawn, key="scores", height=max(HEIGHT, 90 + 32 * n_groups), alt=alt)


# --------------------------------------------------------------------------------------------------------- triplets


def examples(is_attack: NDArray[np.bool_], values: NDArray[np.float64], threshold: float | None) -> dict[str, int]:
    """Which of some samples (n,) show most: the live one nearest the median of live scores, the attack that lies
    deepest among what passes, and the live one highest among what is rejected. What there is not is left out.
    """
    chosen = {}
    live = np.flatnonzero(~is_attack & ~np.isnan(values))
    if len(live):
        middle = np.quantile(values[live], 0.5, method="lower")
        chosen[TYPICAL] = int(live[np.flatnonzero(values[live] == middle)[0]])
    if threshold is None:
        return chosen
    of_each = verdicts.codes_of(is_attack, values, threshold)
    missed, rejected = (
        np.flatnonzero(of_each == verdicts.VERDICTS.index(kind)) for kind in (verdicts.MISSED, verdicts.REJECTED)
    )
    if len(missed):
        chosen[MISSED] = int(missed[np.argmin(values[missed])])
    if len(rejected):
        chosen[REJECTED] = int(rejected[np.argmax(values[rejected])])
    return chosen


@cached(entries=32)
def examples_of(shown: Shown, subsets: tuple[str, ...], threshold: float | None) -> dict[str, int]:
    """Rows of the Run: `examples` of some subsets."""

    def found() -> dict[str, int]:
        rows = columns.rows_of(shown.run, subsets)
        values = readers.decided_values(shown.run, shown.score, shown.level)[rows]
        chosen = examples(columns.attacks(shown.run)[rows], values, threshold)
        return {title: int(rows[i]) for title, i in chosen.items()}

    decided = readers.decided(shown.run, shown.score, shown.level)
    asked = {"subsets": subsets, "threshold": repr(threshold)}
    return kept.document(shown.run, decided, "examples", asked, dict[str, int], found)


def cards(shown: Shown, chosen: dict[str, int]) -> list[Card]:
    about = columns.about(shown.run, np.array(list(chosen.values())))
    worst = {MISSED: verdicts.MISSED, REJECTED: verdicts.REJECTED}
    values = score_values(shown.run, shown.score)
    drawn = []
    for (title, row), sample_id, kind in zip(chosen.items(), about["sample_id"], about["group"], strict=True):
        style = style_of(kind)
        drawn.append(
            Card(
                sample_id=sample_id,
                lines=[f"{readable(kind)} · {shown.score} {number(values[row])}", sample_id],
                group="Worst" if title in worst else title,  # the card adds its verdict
                colour=style.colour,
                is_hollow=style.is_hollow,
                verdict=cast(component.Verdict, worst.get(title, verdicts.RIGHT)),
            )
        )
    return drawn


def missing(chosen: Container[str], decided: str, *, has_threshold: bool) -> str:
    """What there is no example of, in words; empty where all are there. `decided`: what decisions are made on."""
    if not has_threshold:
        return "Without a threshold nothing is missed or rejected."
    words = {MISSED: "no attack passes", REJECTED: f"none of the live {decided} is rejected"}
    absent = " and ".join(said for title, said in words.items() if title not in chosen)
    return f"At this threshold {absent}." if absent else ""


def show_triplets(shown: Shown, of: Summary) -> None:
    """Three samples with their reconstructions, each a way to its own page; a word where a Run has no images."""
    if shown.run.is_of_scores:
        st.caption("No images are shown: this Run was imported from a score file, which has none.")
        return
    chosen = examples_of(shown, judged_on(of), None if of.point is None else of.point.threshold)
    if chosen and faces.kinds(shown.run):
        rows = np.array(list(chosen.values()))
        panels = faces.panels(component.Display(SIDE, component.ERROR_LIMIT, signed=False), shown.run, rows)
        opened = component.gallery(cards(shown, chosen), panels, key="examples", size=SIDE)
        if opened is not None:
            follow("views/image.py", "Open this image", link_params() | {"image": opened})
    sidebar.say_missing(shown.run, "inputs", "reconstructions")
    if words := missing(chosen, decisions(shown.run, shown.level), has_threshold=of.point is not None):
        st.caption(words)


def show_pictures(shown: Shown, of: Summary) -> None:
    show_triplets(shown, of)
    left, right = st.columns(2)
    with left:
        show_forest(of)
    with right:
        show_distributions(shown, of)
