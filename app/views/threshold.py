"""Threshold: which threshold to use, what it costs live users, and which attacks it lets through."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import plots
from app.components.threshold import Cell, Prepared, prepared, threshold_panel
from app.session import readers, sidebar
from app.session.address import put_in_address
from app.session.readers import decisions, pooled_score_set, score_values
from app.words import about, escaped, number
from fas_core import metrics
from fas_core.data.names import ATTACK, groups_of, readable
from fas_core.errors import BadInputError
from fas_core.evaluation import breakdown, presentations
from fas_core.evaluation.words import rate_text
from fas_core.metrics import cost, uncertainty
from fas_core.metrics.operating_point import BPCER, BY_HAND, COST, EER, OperatingPoint, Rule, threshold_by
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run

DEFAULT_PREVALENCE = 0.01  # one attack among a hundred presentations

run = sidebar.chosen_run()
subsets = sidebar.chosen_subsets(run)
score = sidebar.chosen_score(run)


def cells(run: Run, score: str, subsets: tuple[str, ...]) -> list[Cell]:
    """The scores of every subset, bona fide ones and every species apart."""
    decided = readers.decided(run, score, sidebar.chosen_level(run))
    rows, kinds = decided.rows, groups_of(decided.rows)
    units = rows[[name for name in rows if name in uncertainty.UNITS]]
    species = metrics.species_names(rows["label"].to_numpy() == ATTACK, rows["pai_species"])
    found = []
    for subset in subsets:
        within = decided.within([subset])
        for name in np.unique(species[within]).tolist():
            here = np.flatnonzero(within & (species == name))
            style = style_of(str(kinds[here[0]]))
            found.append(Cell(subset, name, decided.values[here], units.iloc[here], style))
    return found


@st.cache_resource(max_entries=16, show_spinner="Preparing curves and intervals …")
def of_run(
    digest: str, score: str, level: str, subsets: tuple[str, ...], reported: tuple[str, ...], _run: Run
) -> Prepared:
    return prepared(
        cells(_run, score, subsets), reported=reported, decisions=decisions(_run, sidebar.chosen_level(_run))
    )


def roles(point: OperatingPoint) -> dict[str, str]:
    """What each subset is used for."""
    found = {}
    for name in subsets:
        words = [name == "train" and "training", name in point.chosen_on and "threshold chosen here"]
        words.append(name in point.reported_on and "reported")
        found[name] = ", ".join(word for word in words if word)
    return found


def take_over(threshold: float) -> None:
    """A threshold that was released on this page holds on all pages."""
    st.session_state["rule"] = BY_HAND
    st.session_state[f"t_{score}"] = threshold


def prevalence() -> float:
    """The share of attacks for which precision is stated; it stands in the address."""
    if "prevalence" not in st.session_state:
        try:
            asked = float(st.query_params.get("prevalence", DEFAULT_PREVALENCE))
        except ValueError:
            asked = DEFAULT_PREVALENCE
        st.session_state["prevalence"] = asked if 0 < asked < 1 else DEFAULT_PREVALENCE
    share = float(st.session_state["prevalence"])
    put_in_address("prevalence", "" if share == DEFAULT_PREVALENCE else repr(share))
    return share


def set_prevalence(share: float) -> None:
    if 0 < share < 1:
        st.session_state["prevalence"] = share


def transfer_table(point: OperatingPoint) -> pd.DataFrame:
    """Every subset but training: its rates at the threshold, and those where the rule is applied to itself."""
    rule = Rule(EER) if point.rule.kind == BY_HAND else point.rule
    costs = sidebar.costs(run) if rule.kind == COST else None
    rows = []
    for name in (s for s in subsets if s != "train"):
        one = pooled_score_set(run, score, sidebar.chosen_level(run), [name])
        here = metrics.rates_at(one, point.threshold)
        try:
            own_threshold: float | None = threshold_by(rule, one, costs)
        except metrics.UndefinedMetricError:
            own_threshold = None
        own = {} if own_threshold is None else metrics.rates_at(one, own_threshold)
        rows.append(
            {
                "Subset": readable(name) + (" (chosen here)" if name in point.chosen_on else ""),
                "BPCER": percent(here["bpcer"]),
                "its own": percent(own.get("bpcer")),
                "Worst APCER": percent(here["apcer_max"]),
                "its own ": percent(own.get("apcer_max")),
                "Own threshold": own_threshold,
            }
        )
    return pd.DataFrame(rows)


def percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def show_transfer(point: OperatingPoint) -> None:
    """Whether a threshold that was chosen in one place holds in another."""
    table = transfer_table(point)
    rule = "the equal error rate" if point.rule.kind == BY_HAND else escaped(point.rule.words)
    column = "BPCER" if point.rule.kind in (BPCER, COST) else "Worst APCER"
    own = "its own" if column == "BPCER" else "its own "
    gaps = (table[column] - table[own]).where(~table["Subset"].str.contains("chosen here"))
    if gaps.notna().any():
        worst = table.loc[gaps.abs().idxmax()]
        st.write(
            f"The threshold moves {column} most in **{escaped(worst['Subset'])}**: {worst[column]:.1f} % at this "
            f"threshold, {worst[own]:.1f} % where {rule} is applied to that subset itself."
        )
    rate = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",
        column_config=dict.fromkeys(("BPCER", "its own", "Worst APCER", "its own "), rate)
        | {"Own threshold": st.column_config.NumberColumn(format="%.5g")},
    )
    st.caption(
        f"“Its own”: {rule} applied to the subset itself, which is optimistic there: nobody can choose a threshold on "
        "the faces it will meet. The difference is what the choice elsewhere costs."
    )


def show_costs(point: OperatingPoint) -> None:
    """What thresholds cost a month, on the reported samples."""
    reported = pooled_score_set(run, score, sidebar.chosen_level(run), point.reported_on)
    if point.rule.kind == COST:
        st.caption("The costs stand in the sidebar, where the rule is.")
    else:
        sidebar.cost_inputs(run)
    try:
        costs = sidebar.costs(run)
        curve = cost.curve(reported, costs)
        [here] = cost.expected(reported, costs, np.array([point.threshold])).likely
    except (metrics.UndefinedMetricError, BadInputError) as error:
        st.info(escaped(str(error)), icon=":material/payments:")
        return
    best, (low, high) = curve.best, curve.flat
    if best == len(curve.thresholds) - 1:
        st.write("With these costs it is cheapest to let everything pass: no threshold pays.")
    else:
        st.write(
            f"At this threshold **{here:,.0f} a month**; the cheapest, {number(curve.thresholds[best])}, "
            f"costs {curve.likely[best]:,.0f} ({curve.low[best]:,.0f}–{curve.high[best]:,.0f}). Between "
            f"{number(low)} and {number(high)} the cost is within {100 * cost.FLAT:g} % of that."
        )
    made = plots.cost_curve(
        curve, point.threshold, x_title=score, x_range=sidebar.score_range(run, score, sidebar.chosen_level(run))
    )
    st.plotly_chart(made, key="costs", alt="Expected cost a month against the threshold")
    st.caption(
        "On the reported samples. The band: the shares of attacks divided and multiplied by the stated factor. "
        "Grey: where the cost is flat."
    )


def show_groups(point: OperatingPoint) -> None:
    """The same threshold for groups of people or circumstances."""
    offered = breakdown.columns_for(run)
    if not offered:
        st.info(
            "The data hold no column with groups (device, lighting, sex, ...). Further columns of a manifest or score "
            "file are offered here.",
            icon=":material/group:",
        )
        return
    column = st.selectbox("Break down by", offered, key="by", bind="query-params", width=260)
    found = of_groups(
        run.digest, score, sidebar.chosen_level(run), point.reported_on, point.threshold, str(column), run
    )
    st.write(escaped(found.sentence()))
    rows = []
    for group in found.groups:
        row: dict[str, object] = {
            escaped(found.column): group.name,
            "Bona fide": group.n_bona_fide,
            "Attacks": group.n_attack,
            "No response": sum(group.n_non_response.values()),
            "BPCER": said(group.bpcer),
        }
        row |= {f"APCER {name}": said(group.apcer.get(name)) for name in reported_species(found)}
        rows.append(row)
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    unit = "sample" if found.unit == "sample" else f"whole {found.unit}"
    st.caption(
        f"In brackets: 95 % intervals by {unit}. * too few to judge: {found.too_small}. Every group is judged at the "
        "same threshold."
    )


def reported_species(found: breakdown.Breakdown) -> list[str]:
    return sorted({name for group in found.groups for name in group.apcer})


def said(rate: breakdown.Rate | None) -> str:
    if rate is None:
        return "–"
    interval = None if rate.interval is None else asdict(rate.interval)
    return rate_text(rate.value, interval) + (" *" if rate.is_small else "")


@st.cache_resource(max_entries=16, show_spinner="Breaking down …")
def of_groups(
    digest: str, score: str, level: str, reported: tuple[str, ...], threshold: float, column: str, _run: Run
) -> breakdown.Breakdown:
    decided = presentations.presentations(_run, score_values(_run, score), level, columns=[column])
    chosen = decided.within(reported)
    return breakdown.by_column(decided.rows[chosen], decided.values[chosen], threshold, column)


def show_more(point: OperatingPoint) -> None:
    """What follows from the threshold: in tabs, of which only the open one is computed."""
    transfer, costs, groups = st.tabs(
        ["Does it carry over?", "What does it cost?", "For whom does it fail?"], key="more", bind="query-params"
    )
    for tab, show in ((transfer, show_transfer), (costs, show_costs), (groups, show_groups)):
        if tab.open:
            with tab:
                show(point)


st.title("Threshold")
point, problem = sidebar.operating_point(run, score, sidebar.chosen_level(run), subsets)
if point is None:
    st.warning(problem, icon=":material/rule:")
else:
    reported = pooled_score_set(run, score, sidebar.chosen_level(run), point.reported_on)
    if reported.n_bona_fide + reported.n_attack:
        st.caption(about(point))
        with st.empty():  # a place of its own for the note that this takes time
            made = of_run(run.digest, score, sidebar.chosen_level(run), tuple(subsets), point.reported_on, run)
        threshold_panel(
            made,
            score=score,
            threshold=point.threshold,
            limits=sidebar.score_range(run, score, sidebar.chosen_level(run)),
            roles=roles(point),
            prevalence=prevalence(),
            on_threshold=take_over,
            on_prevalence=set_prevalence,
            key="threshold_panel",
        )
        show_more(point)
    else:
        st.info("The chosen subsets have no scores.", icon=":material/info:")
