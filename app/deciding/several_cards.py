"""Several cards beside each other: one sentence, and a column of each."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase as LETTERS

import pandas as pd

from app.words import escaped, threshold_text
from fas_core.deciding.card_states import Kept
from fas_core.evaluation.words import rate_text
from fas_core.metrics.limits import short_words
from fas_core.reports import card


def verdicts(chosen: Sequence[Kept]) -> str:
    """Each card's limit against what came out, in a few words."""
    each = [
        f"{letter}, {escaped(entry.card.run_name)}: **{escaped(card.verdict(entry.card).lower())}**"
        for letter, entry in zip(LETTERS, chosen, strict=False)
    ]
    return f"{'; '.join(each)}."


def side_by_side(chosen: Sequence[Kept]) -> pd.DataFrame:
    """One column per card: its state, its level, its limit subset by subset, BPCER, ACER, APCER of every species."""
    together = [entry.card.reported_together for entry in chosen]
    names = list(dict.fromkeys(name for cell in together for name in cell.apcer_per_species))
    subsets = list(dict.fromkeys(name for entry in chosen for name in entry.card.targets or {}))
    limits = [f"Limit on {name}" for name in subsets]
    about = ["State", "Level", "Threshold", "Rule", "Reported on", *limits, "BPCER"]
    table: dict[str, list[str]] = {"": [*about, *(f"APCER {name}" for name in names), "ACER", "Note"]}
    for letter, entry, cell in zip(LETTERS, chosen, together, strict=False):
        frozen = entry.card
        targets = frozen.held
        table[f"{letter}: {frozen.run_name}"] = [
            entry.history.state,
            frozen.level,
            threshold_text(frozen.threshold),
            str(frozen.rule),
            ", ".join(frozen.reported_on),
            *(short_words(targets[name]) if name in targets else "–" for name in subsets),
            rate_text(cell.bpcer, cell.bpcer_interval),
            *(rate_text(cell.apcer_per_species.get(name), cell.apcer_interval_per_species.get(name)) for name in names),
            "–" if cell.acer is None else f"{100 * cell.acer:.1f} %",
            frozen.note,
        ]
    return pd.DataFrame(table)
