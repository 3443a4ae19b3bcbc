"""One colour per thing, on the screen and on paper: groups of samples, their names and order, and how each is drawn.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fas_core.data.names import BONA_FIDE, TRAIN

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
class Dash:
    """How a line is interrupted."""

    words: str
    lengths: tuple[int, ...]  # in pixels, drawn and left out in turn; () where nothing is left out


# Of all lines that mean no class: of Runs A to F, of scores, of species on a page without colours.
DASHES = {
    "solid": Dash("solid", ()),
    "dash": Dash("dashed", (8, 4)),
    "dot": Dash("dotted", (2, 3)),
    "dashdot": Dash("dash-dot", (9, 3, 2, 3)),
    "longdash": Dash("long dashes", (16, 5)),
    "longdashdot": Dash("long dash-dot", (16, 4, 3, 4)),
}


# Of Runs A to F where they are compared: none that a class has, readable on light and dark; letters and dashes too.
RUN_COLOURS = ("#6F6ACB", "#C2417C", "#8A7500", "#1F8A8C", "#A0572B", "#5F8F2E")


def colour_of_run(letter: str) -> str:
    """Of the Run that is called by a letter from A on."""
    return RUN_COLOURS[(ord(letter) - ord("A")) % len(RUN_COLOURS)]


@dataclass(frozen=True)
class Style:
    """How one group is drawn."""

    colour: str
    dash: str = "solid"  # a name of `DASHES`
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
    if name == TRAIN:
        return Style(TRAINING_COLOUR)
    if name in SPECIES_COLOURS:
        return Style(SPECIES_COLOURS[name])
    return Style(MORE_COLOURS[zlib.crc32(name.encode()) % len(MORE_COLOURS)])


def lighter(colour: str, by: float = 0.4) -> str:
    """A hexadecimal colour mixed with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p + (255 - p) * by):02X}" for p in parts)


# ---------------------------------------------------------------------------------------------- columns and scores

MOST_CATEGORIES = 12
OTHER, NOT_GIVEN = "other", "not given"
_SILENT = "#B4B4B4"  # of both


def category_styles(count_of: Mapping[str, int]) -> dict[str, Style]:
    """A style per category of a column: the most frequent ones, then "other"; "" is "not given".

    Give the counts of the whole Run, not only of what is drawn: then filtering changes no colour.
    """
    named = sorted((-count, name) for name, count in count_of.items() if name)
    chosen = sorted(name for _, name in named[:MOST_CATEGORIES])
    known = {name for name in chosen if style_of(name).colour not in MORE_COLOURS}  # the project's own words
    free = iter((*MORE_COLOURS, "#CC3311", "#6655CC"))
    styles = {name: style_of(name) if name in known else Style(next(free)) for name in chosen}
    if len(named) > len(chosen):
        styles[OTHER] = Style(_SILENT)
    if "" in count_of:
        styles[NOT_GIVEN] = Style(_SILENT, is_hollow=True)
    return styles


# Colours belong to classes: scores differ by line style, and by tones of gray that no class has.
SCORE_COLOURS = ("#7A7A7A", "#5F7596", "#94754F")
_SCORE_DASHES = tuple(DASHES)[:5]  # whose number has no factor in common with that of the colours
MOST_SCORES = len(SCORE_COLOURS) * len(_SCORE_DASHES)  # that look different


def score_styles(names: Sequence[str]) -> dict[str, Style]:
    """A style per score by its place in `names`: give all scores of the Run, so that leaving one out changes none."""
    return {
        name: Style(SCORE_COLOURS[i % len(SCORE_COLOURS)], _SCORE_DASHES[i % len(_SCORE_DASHES)])
        for i, name in enumerate(names)
    }
