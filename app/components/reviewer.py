"""What is said of one sample of a list, and the way to the next one, by the keys of the gallery: see `reviewer`."""

from __future__ import annotations

from pathlib import Path

from app.components.bundle import mounted
from app.components.gallery import Card
from app.components.pressed import Marking, Place, hear_place, hear_presses, marking_data, place_data

_mount = mounted(
    Path(__file__),
    """
<div class="reviewer" role="group" aria-label="Review" tabindex="-1">
  <span class="steps">
    <button type="button" class="back" title="Key p">← Previous</button>
    <span class="progress" aria-live="polite"></span>
    <button type="button" class="on" title="Key n">Next →</button>
  </span>
  <button type="button" class="star" title="Key m"></button>
  <span class="labels" role="group" aria-label="Labels"></span>
  <span class="person"></span>
  <input class="note" maxlength="2000" aria-label="Note" placeholder="Note (key /); Enter keeps it">
  <button type="button" class="undo" title="Key u">Undo</button>
</div>
""",
)


def reviewer(card: Card, words: str, *, key: str, place: Place, marking: Marking | None) -> None:
    """Draws what the person says of the sample `card`, which stands at `place.first` in its list of `words` ("rejected
    live"). Keys work wherever the focus is, but for fields: n and p, and with `marking` m, 1 to 5, / and u."""
    _mount(
        key=key,
        data={
            "card": {
                "id": card.sample_id,
                "marked": card.is_marked,
                "label": card.own_label,
                "own": card.own_note,
            },
            "words": words,
            "place": place_data(key, place),
            "marking": marking_data(key, marking),
        },
        on_place_change=lambda: hear_place(key, place),
        on_presses_change=lambda: hear_presses(key, marking, place),
    )
