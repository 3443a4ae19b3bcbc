"""One sample in every Run of the same data: its reconstructions, scores and verdicts beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components import gallery as component
from app.looking.subject import Subject
from app.session import faces, operating, readers
from app.session.cache import cached
from app.session.sidebar import Shown
from app.words import escaped, label_of, number
from fas_core import scores
from fas_core.data.names import ATTACK
from fas_core.evaluation.join import KEY, matched
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.verdicts import RIGHT, called, verdicts_at
from fas_core.metrics.operating_point import BY_HAND
from fas_core.runs.store import Run


@dataclass(frozen=True, eq=False)
class InRun:
    """A sample as one Run has it; `threshold` is None where that Run has none of its own."""

    run: Run
    row: int
    score: str
    value: float
    threshold: float | None


@cached(entries=32)
def _rows(run: Run, other: Run) -> NDArray[np.int64]:
    """(n,) the row in another Run of each sample of a Run, -1 where it does not have it."""
    return matched([readers.samples(run, KEY), readers.samples(other, KEY)])[1]


def everywhere(shown: Shown, subject: Subject) -> list[InRun]:
    """The sample in the Run shown, and in every other one that holds it with the very same pixels."""
    if subject.row is None or "inputs" not in subject.pixels:
        return []
    held = [_in_run(shown, shown.run, subject.row)]
    for other in readers.runs()[0]:
        if other.digest == shown.run.digest or not other.has("inputs") or not len(other):
            continue
        row = int(_rows(shown.run, other)[subject.row])
        if row >= 0 and np.array_equal(faces.to_compute(other, "inputs", [row]), subject.pixels["inputs"]):
            held.append(_in_run(shown, other, row))
    return held


def _in_run(shown: Shown, run: Run, row: int) -> InRun:
    """By the score and the rule that the sidebar states, applied to this Run."""
    offered = scores.offered(run)
    score = shown.score if shown.score in offered else scores.usual(offered)
    level = FRAME if readers.why_not_at(run, shown.level) else shown.level
    value = float(readers.decided_values(run, score, level)[row])
    subsets = [name for name in shown.subsets if name in run.subsets] or run.subsets
    is_own = run.digest == shown.run.digest or operating.rule(run, score, level).kind != BY_HAND
    point, _ = operating.operating_point(run, score, level, subsets) if is_own else (None, "")
    return InRun(run, row, score, value, None if point is None else point.threshold)


def answer(held: list[InRun], label: str) -> str:
    """What the Runs call it, of those that decide, and whether that is right."""
    verdicts = [called(in_run.value, in_run.threshold) for in_run in held if in_run.threshold is not None]
    n = sum(verdict.startswith("attack") for verdict in verdicts)
    if not verdicts:
        return f"{len(held)} Runs hold this image; none of them has a threshold."
    right = "right" if label == ATTACK else "wrong"
    if n in (0, len(verdicts)):
        call = "attack" if n else "bona fide"
        all_are = right if n else {"right": "wrong", "wrong": "right"}[right]
        return f"all {n or len(verdicts)} Runs call it {call}, which is {all_are}."
    return f"{n} of {len(verdicts)} Runs {'calls' if n == 1 else 'call'} it attack, which is {right}."


def show(shown: Shown, held: list[InRun], display: component.Display) -> tuple[Run, str] | None:
    """A triplet per Run; the Run and sample of one that is chosen. Nothing where only one Run has the sample."""
    if len(held) < 2:
        return None
    label = str(readers.samples(shown.run, ("label",))["label"].iloc[held[0].row])
    st.markdown(f"**In every Run of this data** · {escaped(answer(held, label))}")
    cards = [_card(in_run, label, is_first=in_run is held[0]) for in_run in held]
    shared = [kind for kind in ("inputs", "reconstructions") if all(kind in faces.kinds(r.run) for r in held)]
    images = {kind: np.concatenate([faces.images(r.run, kind, [r.row]) for r in held]) for kind in shared}
    chosen = component.gallery(cards, display.of_images(images), key="in_runs", size=80) if images else None
    has_none = any(in_run.threshold is None for in_run in held)
    without = " None where it cannot be: set by hand, or chosen on subsets that a Run has not." if has_none else ""
    st.caption(
        f"Thresholds by the sidebar's rule, for each Run.{without} Runs that hold this very image, pixel by pixel."
    )
    picked = next((in_run for in_run in held if in_run.run.id == chosen), None)
    return None if picked is None else (picked.run, str(readers.ids(picked.run)[picked.row]))


def _card(in_run: InRun, label: str, *, is_first: bool) -> component.Card:
    value = f"{in_run.score} {number(in_run.value)}"
    verdict = RIGHT
    words = "no threshold"
    if in_run.threshold is not None:
        verdict = str(verdicts_at([label], [in_run.value], in_run.threshold)[0])
        words = f"{called(in_run.value, in_run.threshold)} (from {number(in_run.threshold)})"
    name = label_of(in_run.run) + (", shown" if is_first else "")
    return component.Card(in_run.run.id, (name, value, words), verdict=verdict)  # type: ignore[arg-type]
