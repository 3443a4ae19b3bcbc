"""Numbers, names and texts from files in the words of the screen."""

from __future__ import annotations

import re

from fas_core.evaluation.words import number as number
from fas_core.evaluation.words import threshold_text as threshold_text
from fas_core.metrics.operating_point import (
    BY_HAND,
    OperatingPoint,
)
from fas_core.runs.store import Run


def escaped(text: str) -> str:
    """Text from files, for places that read Markdown: shown as it is, never interpreted nor made a link."""
    shown = text.encode(errors="replace").decode()  # names of files may hold bytes that are no text
    unlinked = shown.replace("://", ":\u200b//").replace("www.", "www\u200b.").replace("@", "@\u200b")
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|$~:" else c for c in unlinked)


_MARKDOWN = re.compile(r"[\\`*_\[\]<>!|$~:@]|www\.|^\W|^\d+[.)]")


def option(text: str) -> str:
    """A text from files as one of `st.pills` or `st.segmented_control`, which read Markdown: `escaped` where that would
    make something of it. Other texts stay, since an address has them as they are shown.
    """
    return escaped(text) if _MARKDOWN.search(text) else text


def label_of(run: Run) -> str:
    """A Run's name, with the start of its id so that two of one name differ."""
    return f"{run.info.name} ({run.id[:6]})"


MISSED, REJECTED, RIGHT = "Missed attacks", "Rejected live", "Right"  # verdicts, as filters name them


def about(point: OperatingPoint) -> str:
    """Where a threshold comes from and where it is reported, in words."""
    source = escaped(point.rule.words)
    if point.rule.kind != BY_HAND:
        source += f", chosen on {escaped(', '.join(point.chosen_on))}"
    words = (
        f"Threshold {threshold_text(point.threshold)}: {source}; reported on {escaped(', '.join(point.reported_on))}."
    )
    if not point.is_optimistic:
        return words
    why = "while looking at these numbers" if point.rule.kind == BY_HAND else "and reported on the same samples"
    return f"{words} **Optimistic: chosen {why}.**"


# --------------------------------------------------------------------------------------------------- numbers in words


def percent(share: float, n: int) -> str:
    """A share of n samples with the digits that n allows: 31 %, from a thousand samples on 31.4 %."""
    return f"{100 * share:.{0 if n < 1000 or share in (0, 1) else 1}f} %"
