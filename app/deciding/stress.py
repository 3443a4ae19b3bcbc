"""What breaks an operating point: both errors while images get worse, as `fas stress` has computed it."""

from __future__ import annotations

import html
import shlex

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.charts import stress as charts
from app.charts.plots import ErrorLine
from app.components.command import show_command
from app.session import faces, identity, operating, readers
from app.session.cache import cached
from app.session.sidebar import Shown, locked_words
from app.words import escaped, threshold_text
from fas_core.data import degradations
from fas_core.data.degradations import BY_NAME
from fas_core.data.images import pictures, pixels
from fas_core.data.names import BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.evaluation import stress, stressed
from fas_core.evaluation.levels import FRAME
from fas_core.evaluation.stress import AtStep, OfKind, Stress
from fas_core.evaluation.words import rate_text
from fas_core.metrics.operating_point import BPCER, BY_HAND, COST, OperatingPoint, Rule
from fas_core.metrics.uncertainty import RateInterval
from fas_core.reports.palette import BONA_FIDE_COLOUR, style_of
from fas_core.runs.store import Run

WIDTH = 112  # pixels of a face
STYLE = """<style>
.st-key-stress_panels { gap: 0.5rem; }
.st-key-stress_panels > :first-child { flex: 1 1 100%; }
.st-key-stress_panels > :not(:first-child) { flex: 1 1 30%; min-width: 20rem; }
</style>"""


@cached(entries=16, spinner="Judging every step …")
def _told(
    shown: Shown,
    reported_on: tuple[str, ...],
    threshold: float,
    limit: Rule | None,
    state: tuple[str, int],  # noqa: ARG001 - which kept scores: part of the key
) -> Stress | None:
    kept = stressed.newest(shown.run, shown.score, shown.level, reported_on)
    return None if kept is None else stress.errors(kept, shown.run, reported_on, threshold, limit)


def show_stress(shown: Shown, point: OperatingPoint) -> None:
    """At the sidebar's threshold, which no stressed image has a part in."""
    try:
        if shown.run.locked:
            raise BadInputError(locked_words(shown.run))
        stressed.require_possible(shown.run, shown.score)
        kept = stressed.newest(shown.run, shown.score, shown.level, point.reported_on)
        state = ("", 0) if kept is None else (kept.about.key, kept.folder.stat().st_mtime_ns)
        told = _told(shown, point.reported_on, point.threshold, operating.limit(), state)
    except BadInputError as error:
        st.info(escaped(str(error)), icon=":material/hide_image:")
        return
    if told is None or not told.of_kinds:
        st.write(
            "How far images may get worse before this threshold breaks has not been computed yet for this Run, score, "
            "level and these subsets. The model judges the test faces again under compression, blur, noise, other "
            "light, lower resolution and covers. That takes minutes; this tab shows each step that is complete:"
        )
        show_command(commands(shown, point))
        return
    st.write(told.sentence(escaped, lambda text: f"**{escaped(text)}**"))
    show_panels(told)
    limit = _limited(told.limit)
    shaded = "Shaded: broken, an error clearly above that of the images as they are"
    shaded += "" if limit is None else f" and, of {escaped(limit[0])}, above its limit of {100 * limit[1]:g} % (dotted)"
    st.caption(f"{shaded}. Band: 95 % interval. {escaped(told.caveat)}")
    show_face(shown.run, told)


def show_panels(told: Stress) -> None:
    """A panel per degradation, three beside each other where there is room."""
    panels = [panel_of(told, of) for of in told.of_kinds]
    key = (f'<span style="color:{line.colour}">●</span> {html.escape(line.name)}' for line in panels[0].lines)
    limit = _limited(told.limit)
    with st.container(horizontal=True, key="stress_panels"):
        st.html(f"{STYLE}<div>{' &ensp; '.join(key)}</div>")
        for of, panel in zip(told.of_kinds, panels, strict=True):
            chart = charts.errors_under_stress(panel, charts.highest(panels), None if limit is None else limit[1])
            with st.container(key=f"stress_panel_{of.kind.name}"):
                st.plotly_chart(chart, key=f"stress_{of.kind.name}", alt=f"{panel.title}. {told.sentence()}")


def commands(shown: Shown, point: OperatingPoint) -> str:
    """What computes it, for this operating point."""
    by_hand = point.rule.kind in (BY_HAND, COST)  # costs are many options, and the threshold is what counts
    rule = f"threshold={threshold_text(point.threshold)}" if by_hand else str(point.rule)
    words = ["fas", "threshold", shown.run.id, "--score", shown.score, "--rule", rule]
    words += [] if shown.level == FRAME else ["--level", shown.level]
    words += [] if by_hand else [word for name in point.chosen_on for word in ("--choose-on", name)]
    words += [word for name in point.reported_on for word in ("--report-on", name)]
    cache = ["--cache", str(readers.cache_folder())] if identity.is_laptop() else []  # else nobody's business
    freeze = shlex.join([*words, *cache, "--out", "op.json"])
    return f"{freeze}\n{shlex.join(['fas', 'stress', shown.run.id, '--threshold', 'op.json', '--n', '100', *cache])}"


def _limited(limit: Rule | None) -> tuple[str, float] | None:
    """What a limit is one of, and its rate."""
    if limit is None:
        return None
    return (
        "BPCER" if limit.kind == BPCER else f"APCER {limit.species}" if limit.species else "worst APCER"
    ), limit.value


def panel_of(told: Stress, of: OfKind) -> charts.Panel:
    """BPCER and the APCER of every species, from the images as they are to the harshest step; light has them amid."""
    n_before = sum(at.amount < 0 for at in of.steps)
    as_they_are = AtStep(0.0, told.unstressed, {}, ())
    steps = [*of.steps[:n_before], as_they_are, *of.steps[n_before:]]
    places = [of.kind.text(at.amount) if at is not as_they_are else "0" if n_before else "as is" for at in steps]
    place_of = {at.amount: i for i, at in enumerate(steps)}
    broken = {(place_of[each.amount], 0 if each.amount < 0 else len(steps) - 1) for each in of.breaks}
    return charts.Panel(
        of.kind.title,
        places,
        [_line(steps, places, "")] + [_line(steps, places, name) for name in told.unstressed.apcer_per_species],
        _widest([(min(pair), max(pair)) for pair in broken]),
    )


def _widest(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without those that lie within another."""
    return [a for a in spans if not any(b != a and b[0] <= a[0] and a[1] <= b[1] for b in spans)]


def _line(steps: list[AtStep], places: list[str], species: str) -> ErrorLine:
    """The APCER of a species or, without one, the BPCER with its band."""
    name = f"APCER {species}" if species else "BPCER"
    rates = [at.rates.apcer_per_species.get(species) if species else at.rates.bpcer for at in steps]
    intervals = [
        at.rates.apcer_interval_per_species.get(species) if species else at.rates.bpcer_interval for at in steps
    ]
    notes = [
        f"{place}: {name} {rate_text(rate, interval)}{_change_words(at, f'apcer[{species}]' if species else 'bpcer')}"
        for at, place, rate, interval in zip(steps, places, rates, intervals, strict=True)
    ]
    colour = style_of(species).colour if species else BONA_FIDE_COLOUR
    band = [None if species else interval for interval in intervals]
    return ErrorLine(name, colour, "solid", _array(rates), _ends(band, "low"), _ends(band, "high"), notes)


def _change_words(at: AtStep, error: str) -> str:
    words = stress.points(at.changes.get(error))
    return "" if words == "–" else f", {words} points"


def _array(rates: list[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if rate is None else rate for rate in rates])


def _ends(intervals: list[RateInterval | None], end: str) -> NDArray[np.float64]:
    return np.array([np.nan if interval is None else getattr(interval, end) for interval in intervals])


# ----------------------------------------------------------------------------------------------------------- one face


@cached(entries=32)
def _steps_of_face(run: Run, row: int, name: str, kind: str, seed: int) -> NDArray[np.uint8]:
    """(1 + steps, H, W) or with colour: an image as it is and at every step, as it is before the model's scaling."""
    raw = faces.original_to_compute(run, row)
    of = BY_NAME[kind]
    steps = [
        degradations.degraded(raw, of, amount, degradations.rng_of(seed, kind, name))
        for amount in of.steps(raw.shape[-1])
    ]
    return pictures(pixels(np.stack([raw, *steps])))


def show_face(run: Run, told: Stress) -> None:
    """One live face of the sample at every step of a kind."""
    sight = faces.sight(run)
    if not sight.sees:
        st.caption(f":material/lock: Images {faces.FOR_WHOM}")
        return
    rows = told.sample.rows
    table = run.samples(["subset", "sample_id", "label"]).iloc[rows]
    first = int(np.argmax((table["label"] == BONA_FIDE).to_numpy()))
    kinds = {of.kind.name: of.kind.title for of in told.of_kinds}
    chosen = st.pills(
        "One face at each step",
        list(kinds),
        format_func=kinds.__getitem__,
        default=next(iter(kinds)),
        key="stress_kind",
    )
    if chosen is None:
        return
    sample = str(table["sample_id"].iloc[first])
    name = f"{table['subset'].iloc[first]}/{sample}"
    steps = _steps_of_face(run, int(rows[first]), name, chosen, told.kept.about.seed)
    of = BY_NAME[chosen]
    captions = ["as it is", *(of.text(amount) for amount in of.steps(steps.shape[1]))]
    with st.container(horizontal=True, gap="small"):
        for picture, caption in zip(sight.seen(steps, lambda: [sample]), captions, strict=True):
            st.image(picture, caption=caption, width=WIDTH)
