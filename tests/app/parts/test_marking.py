"""What keys make of what is said of a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.components.pressed import Press
from app.parts import marking
from fas_core.runs import marks, store


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kept: dict[str, Any] = {"person": "anna"}
    monkeypatch.setattr(marking.st, "session_state", kept)
    return kept


def test_marks_labels_and_notes_are_kept_apart_and_undone_one_by_one(tiny_cache: Path, session: dict[str, Any]) -> None:
    run = store.open_run(tiny_cache, "a")
    marks.name_labels(tiny_cache, ["blurred", "glare", "", "", ""])

    def said() -> list[tuple[str, bool, str, str]]:
        current = marks.current(marks.history(run))
        return sorted((m.sample_id, m.is_marked, m.own_label, m.note) for m in current if m.by == "anna")

    marking.hear(run, Press("mark", "live_1", True))
    marking.hear(run, Press("label", "live_1", "glare"))
    marking.hear(run, Press("note", "live_1", "lamp"))
    marking.hear(run, Press("label", "live_2", 0))  # the first of the five, of a sample that was not on the screen
    marking.hear(run, Press("mark", "nobody", True))
    assert said() == [("live_1", True, "glare", "lamp"), ("live_2", False, "blurred", "")]
    marking.hear(run, Press("label", "live_1", ""))
    session["person"] = "bo"  # another person at the same screen undoes what was done on it
    assert marking.hear(run, Press("undo", "")) == "live_1"
    session["person"] = "anna"
    assert said() == [("live_1", True, "glare", "lamp"), ("live_2", False, "blurred", "")]
    assert [marking.hear(run, Press("undo", "")) for _ in range(5)] == ["live_2", "live_1", "live_1", "live_1", None]
    assert said() == []


def test_what_was_looked_at_is_said_once_and_overwrites_nothing(tiny_cache: Path, session: dict[str, Any]) -> None:
    run = store.open_run(tiny_cache, "a")
    marking.hear(run, Press("mark", "live_1", None))
    for _ in range(2):
        for sample_id in ("live_1", "live_2"):
            marking.hear(run, Press("seen", sample_id))
    assert [(mark.sample_id, mark.is_marked) for mark in marks.history(run)] == [("live_1", True), ("live_2", False)]
    assert list(marking.own(run)) == ["live_1", "live_2"]
    assert marking.hear(run, Press("undo", "")) == "live_1"  # looking is not undone
    assert session["_marks_before"] == []
