"""What the server makes of the presses and places that a browser sends, again and again."""

from __future__ import annotations

from typing import Any

import pytest

from app.components import pressed
from app.components.pressed import Marking, Place, Press


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(pressed.st, "session_state", kept)
    return kept


def test_every_press_is_heard_once(session: dict[str, Any]) -> None:
    heard: list[Press] = []
    marking = Marking(heard.append, ["blurred"])
    place = Place(0, 3, 1, lambda to: None, lambda at: "xyz"[at])
    presses: list[Any] = [
        {"n": 1, "what": "mark", "id": "x", "at": 0, "value": True},
        {"n": 2, "what": "label", "id": None, "at": 1, "value": 0},  # the browser has not seen yet what stands there
    ]
    session["images"] = {"presses": presses}
    pressed.hear_presses("images", marking, place)
    presses.append({"n": 3, "what": "mark", "id": "x", "at": 0, "value": False})  # nor heard that two are kept
    presses.extend(
        [{"n": "4"}, "5", {"n": 6, "what": "erase", "id": "x"}, {"n": 7, "what": "note", "id": "x", "value": []}]
    )
    pressed.hear_presses("images", marking, place)
    assert heard == [Press("mark", "x", True), Press("label", "y", 0), Press("mark", "x", False)]
    assert pressed.marking_data("images", marking) == {"kept": 7, "labels": ["blurred"], "person": None}


def test_a_place_is_turned_to_once_and_none_that_is_not_there(session: dict[str, Any]) -> None:
    turned: list[int] = []
    place = Place(0, 100, 12, turned.append, str)
    for n, to in ((5, 12), (5, 12), (4, 36), (6, 100), (7, 99)):  # again, an older one, beyond the end, the last
        session["images"] = {"place": {"n": n, "to": to}}
        pressed.hear_place("images", place)
    assert turned == [12, 99]
    pressed.lead("images", 3)
    pressed.lead("images", 4)
    data = pressed.place_data("images", place)
    assert data is not None
    assert (data["asked"], data["go"]) == (7, {"n": 2, "to": 4})
