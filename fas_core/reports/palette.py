"""One colour per thing, on the screen and on paper: groups of samples, their names and order, and how each is drawn.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker. Points differ by
shape as well: see `styles_of`.
"""

from __future__ import annotations

import itertools
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

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


# ------------------------------------------------------------------------------------------------- shapes of points

Outline = tuple[tuple[float, float], ...]  # corners in units of a point's radius, y down


def _regular(corners: int, radius: float, turn: float = 0.0, inner: float | None = None) -> Outline:
    """The first corner is above the middle, turned clockwise; `inner`: radius of further corners between them."""
    radii = [radius] if inner is None else [radius, inner]
    n = corners * len(radii)
    angles = [math.radians(turn) + 2 * math.pi * i / n for i in range(n)]
    around = zip(angles, itertools.cycle(radii))
    return tuple((round(r * math.sin(a), 4), round(-r * math.cos(a), 4)) for a, r in around)


def _turned(outline: Outline, quarters: int) -> Outline:
    """Clockwise."""
    for _ in range(quarters):
        outline = tuple((-y, x) for x, y in outline)
    return outline


_PLUS: Outline = (
    *((-0.4, -1.25), (0.4, -1.25), (0.4, -0.4), (1.25, -0.4), (1.25, 0.4), (0.4, 0.4)),
    *((0.4, 1.25), (-0.4, 1.25), (-0.4, 0.4), (-1.25, 0.4), (-1.25, -0.4), (-0.4, -0.4)),
)
_HOURGLASS: Outline = ((-1.15, -1.25), (1.15, -1.25), (0.25, 0), (1.15, 1.25), (-1.15, 1.25), (-0.25, 0))
_CHEVRON: Outline = ((-1.3, 0.1), (0, -1.2), (1.3, 0.1), (1.3, 1.2), (0, -0.1), (-1.3, 1.2))
_CORNER: Outline = ((-1.4, -1.0), (1.0, -1.0), (1.0, 1.4))
# Faces that are real are round, square or a plus; attacks are none of these.
FACES: dict[str, Outline] = {
    "circle": _regular(24, 1),
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "plus": _PLUS,
    "bar": ((-1.4, -0.6), (1.4, -0.6), (1.4, 0.6), (-1.4, 0.6)),
}
_OF_SPECIES: dict[str, Outline] = {
    "triangle-up": _regular(3, 1.4),
    "triangle-right": _regular(3, 1.4, 90),
    "diamond": _regular(4, 1.3),
    "star": _regular(5, 1.5, inner=0.65),
    "x": tuple((round((x - y) * 0.7071, 4), round((x + y) * 0.7071, 4)) for x, y in _PLUS),
    "triangle-down": _regular(3, 1.4, 180),
}
_FURTHER: dict[str, Outline] = {
    "triangle-left": _regular(3, 1.4, 270),
    "hourglass": _HOURGLASS,
    "bowtie": _turned(_HOURGLASS, 1),
    "diamond-tall": ((0, -1.6), (0.75, 0), (0, 1.6), (-0.75, 0)),
    "diamond-wide": ((0, -0.75), (1.6, 0), (0, 0.75), (-1.6, 0)),
    "triangle-ne": _CORNER,
    "triangle-se": _turned(_CORNER, 1),
    "triangle-sw": _turned(_CORNER, 2),
    "triangle-nw": _turned(_CORNER, 3),
    "arrow-up": _CHEVRON,
    "arrow-right": _turned(_CHEVRON, 1),
    "arrow-down": _turned(_CHEVRON, 2),
    "arrow-left": _turned(_CHEVRON, 3),
    "pentagon": ((0, -1.3), (1.05, -0.3), (1.05, 1.05), (-1.05, 1.05), (-1.05, -0.3)),
}
SHAPES = FACES | _OF_SPECIES | _FURTHER  # those that Plotly has bear its names
OUTER = 1.85  # radius that holds every shape
SPECIES_SHAPES = dict(zip(SPECIES_COLOURS, _OF_SPECIES, strict=True))
# Of more species than there are shapes. Any two are 20 apart (CIEDE2000), also to those who see colours differently.
CROWD_COLOURS = ("#4B4B02", "#05C705", "#024B4B", "#E71FF9", "#D0D0D0")

_SIDE = re.compile(r"(seen|unseen)_(?=.)")

GROUNDS = ("#FFFFFF", "#171614")  # of the light theme, of the dark one
LEAST_CONTRAST = 3.0  # of a point against the ground (WCAG 2.2, 1.4.11)
OPACITY = 0.9  # of a single point


@dataclass(frozen=True)
class Style:
    """How one group is drawn."""

    colour: str
    dash: str = "solid"  # a name of `DASHES`
    is_hollow: bool = False
    shape: str = "circle"  # a name of `SHAPES`
    full: str = ""  # the full tone, where `colour` is a lighter one

    @property
    def edges(self) -> tuple[str, str]:
        """The outline of a point on either of `GROUNDS`, all that there is of a hollow one: where the full tone is too
        much like the ground, darker or lighter than it."""
        light, dark = (_edge(self.full or self.colour, ground) for ground in GROUNDS)
        return light, dark


@cache
def _edge(colour: str, ground: str) -> str:
    away = "#000000" if luminance(ground) > 0.18 else "#FFFFFF"
    steps = (mixed(colour, away, step / 100) for step in range(101))
    return next(edge for edge in steps if contrast(mixed(ground, edge, OPACITY), ground) >= LEAST_CONTRAST)


def luminance(colour: str) -> float:
    """Relative, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """Of two colours, 1 to 21, as WCAG 2 defines it."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def style_of(name: str) -> Style:
    """The style of a group, subset, species or any other category, by its name alone."""
    matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
    if matched:
        style = style_of(matched[2])
        return _unseen(style) if matched[1] == "unseen" else style
    faces = {
        "live": Style(BONA_FIDE_COLOUR, "dot"),  # apart from the live images of the seen sets, which share the colour
        "bona fide, seen": Style(BONA_FIDE_COLOUR, shape="square"),
        "bona fide, unseen": _unseen(Style(BONA_FIDE_COLOUR, shape="square")),
        "bona fide": Style(BONA_FIDE_COLOUR, shape="bar"),
        BONA_FIDE: Style(BONA_FIDE_COLOUR, shape="bar"),
        TRAIN: Style(TRAINING_COLOUR, shape="plus"),
    }
    if name in faces:
        return faces[name]
    if name in SPECIES_COLOURS:
        return Style(SPECIES_COLOURS[name], shape=SPECIES_SHAPES[name])
    number = zlib.crc32(name.encode())
    shapes = tuple(_FURTHER)
    return Style(MORE_COLOURS[number % len(MORE_COLOURS)], shape=shapes[number // len(MORE_COLOURS) % len(shapes)])


def _unseen(style: Style) -> Style:
    return replace(style, colour=lighter(style.colour), dash="dash", is_hollow=True, full=style.colour)


def styles_of(groups: Sequence[str]) -> dict[str, Style]:
    """Of groups that are drawn as points together, in their order: no two look the same.

    Every species has a shape of its own, while there are shapes. Where there are more, further species share shapes, in
    colours that are `CROWD_COLOURS`: 70 are told apart. Give all groups of the Run: then filtering changes none.
    """
    species_of = {name: _SIDE.sub("", name) for name in groups}
    # A species that is also there outside the protocol's subsets is another group in them.
    species_of = {
        name: f"seen_{species}" if name != species in species_of else species for name, species in species_of.items()
    }
    known = {name for name in species_of.values() if not (_SIDE.match(name) or style_of(name).shape in _FURTHER)}
    further = sorted({*species_of.values()} - known)
    taken = {style_of(name).shape for name in known}
    free = [shape for shape in (*_FURTHER, *_OF_SPECIES) if shape not in taken]
    looks = {name: style_of(name) for name in known}
    if len(further) <= len(free):
        for name in further:
            style = style_of(name)
            shape = style.shape if style.shape in free else free[0]
            free.remove(shape)
            looks[name] = replace(style, shape=shape)
    else:
        crowd = itertools.cycle(itertools.product(CROWD_COLOURS, _FURTHER))
        looks |= {name: Style(colour, shape=shape) for name, (colour, shape) in zip(further, crowd, strict=False)}
    return {
        name: _unseen(looks[species]) if name.startswith("unseen_") else looks[species]
        for name, species in species_of.items()
    }


def lighter(colour: str, by: float = 0.4) -> str:
    """A hexadecimal colour mixed with white."""
    return mixed(colour, "#FFFFFF", by)


def mixed(colour: str, other: str, by: float) -> str:
    """Two hexadecimal colours, `by` (0..1) of the other one."""
    pairs = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (to - part) * by):02X}" for part, to in pairs)


# ---------------------------------------------------------------------------------------------- columns and scores

MOST_CATEGORIES = 12
OTHER, NOT_GIVEN = "other", "not given"
_SILENT = "#B4B4B4"  # of both


def category_styles(count_of: Mapping[str, int]) -> dict[str, Style]:
    """A style per category of a column: the most frequent ones, then "other"; "" is "not given".

    Give the counts of the whole Run, not only of what is drawn: then filtering changes no colour and no shape.
    """
    named = sorted((-count, name) for name, count in count_of.items() if name)
    chosen = sorted(name for _, name in named[:MOST_CATEGORIES])
    # The project's own words have the looks that they have as groups.
    known = styles_of([name for name in chosen if _SIDE.match(name) or style_of(name).shape not in _FURTHER])
    taken = {style.shape for style in known.values()}
    free = zip(MORE_COLOURS, (shape for shape in _FURTHER if shape not in taken), strict=False)
    further = {
        name: Style(colour, shape=shape)
        for name, (colour, shape) in zip((name for name in chosen if name not in known), free, strict=False)
    }
    styles = {name: (known | further)[name] for name in chosen}
    if len(named) > len(chosen):
        styles[OTHER] = Style(_SILENT, shape="square")
    if "" in count_of:
        styles[NOT_GIVEN] = Style(_SILENT, is_hollow=True)
    return styles


# Colours belong to classes: scores have muted ones that no class has, one for each that a model with codes and images
# gives, and differ by line style too.
SCORE_COLOURS = (
    "#7A7A7A", "#94754F", "#6C66D0", "#3B8C7E", "#C0605A", "#7F8C2E", "#9A5FA8", "#5F7596", "#4C8A3F",
)  # fmt: skip
_SCORE_DASHES = tuple(DASHES)[:5]  # whose number has no factor in common with that of the colours
MOST_SCORES = 9  # in a chart where nobody chooses: one for each colour; more can be told apart, but not followed


def score_styles(names: Sequence[str]) -> dict[str, Style]:
    """A style per score by its place in `names`: give all scores of the Run, so that leaving one out changes none."""
    return {
        name: Style(SCORE_COLOURS[i % len(SCORE_COLOURS)], _SCORE_DASHES[i % len(_SCORE_DASHES)])
        for i, name in enumerate(names)
    }
