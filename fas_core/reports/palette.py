"""One colour per thing, on the screen and on paper: groups of samples, their names and order, and how each is drawn.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from fas_core.data.names import BONA_FIDE

BONA_FIDE_COLOUR = "#0072B2"
TRAINING_COLOUR = "#8C8C8C"
TEXT_COLOUR = "#6B6B6B"  # a line that means no class, on light and dark
NEUTRAL = "#7A7A7A"  # the threshold line and other marks that mean no class; readable on light and dark
ALL_ATTACKS = "all attacks"
MISSED, REJECTED = "#D62728", "#E0A100"  # outlines: an attack let through, a live face turned away
SPECIES_COLOURS = {
    "paper": "#E69F00",
    "print": "#E69F00",
    "replay": "#D55E00",
    "mask": "#CC79A7",
    "makeup": "#009E73",
    "partial": "#56B4E9",
}
# Further species, subsets and categories, stable by name.
# No blue: that is bona fide alone.
MORE_COLOURS = (
    "#117733", "#882255", "#999933", "#AA4499", "#DDAA33", "#AA3377", "#997700", "#44AA77", "#CC3311", "#6B4C9A",
    "#8C6D31", "#D6616B", "#637939", "#B15928", "#C994C7", "#525252", "#E7969C", "#BD9E39", "#7B4173", "#A1D99B",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How one group is drawn."""

    colour: str
    dash: str = "solid"
    is_hollow: bool = False


def style_of(name: str) -> Style:
    """The style of a group, subset, species or any other category, by its name alone."""
    matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
    if matched:
        colour = style_of(matched[2]).colour
        return Style(lighter(colour), "dash", True) if matched[1] == "unseen" else Style(colour)
    if name == "bona fide, unseen":
        return Style(lighter(BONA_FIDE_COLOUR), "dash", True)
    if name == "live":
        return Style(BONA_FIDE_COLOUR, "dot")  # apart from the live images of the seen sets, which share the colour
    if name in (BONA_FIDE, "bona fide", "bona fide, seen"):
        return Style(BONA_FIDE_COLOUR)
    if name == "train":
        return Style(TRAINING_COLOUR)
    if name in SPECIES_COLOURS:
        return Style(SPECIES_COLOURS[name])
    return Style(MORE_COLOURS[zlib.crc32(name.encode()) % len(MORE_COLOURS)])


def lighter(colour: str, by: float = 0.4) -> str:
    """A hexadecimal colour mixed with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (255 - p) * by):02X}" for p in parts)
