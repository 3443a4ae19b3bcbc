"""One colour per thing, on the screen and on paper: groups of samples, their names and order, and how each is drawn.

Seen = full tone, solid line, filled marker; unseen = lighter tone, dashed line, hollow marker.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.manifest import ATTACK, BONA_FIDE

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


def groups(samples: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) what each sample is, for colours: its subset; the live images of spoof subsets as bona fide, seen or unseen.

    Where subsets are not the protocol's (dev, test, ...), the species of an attack, and bona fide. Needs the columns
    subset, label, pai_species.
    """
    codes, names = group_codes(samples)
    return names[codes]


def group_codes(samples: pd.DataFrame) -> tuple[NDArray[np.uint16], NDArray[np.str_]]:
    """`groups` as positions (n,) in their names: of millions of samples, the texts themselves take gigabytes.

    Fastest where the columns are categories.
    """
    kinds, combination = {}, np.zeros(len(samples), np.int32)
    for column in ("subset", "label", "pai_species"):
        codes, kinds[column] = pd.factorize(samples[column])
        combination *= len(kinds[column]) + 1
        combination += codes.astype(np.int32) + 1  # 0: missing
    present = np.flatnonzero(np.bincount(combination))
    rest, table = present, {}
    for column in reversed(kinds):
        rest, one = np.divmod(rest, len(kinds[column]) + 1)
        table[column] = np.append("", np.asarray(kinds[column], str))[one]
    all_names = _group_names(table["subset"], table["label"], table["pai_species"])
    names, positions = np.unique(all_names, return_inverse=True)
    code_of = np.zeros(present.max(initial=0) + 1, np.uint16)
    code_of[present] = positions
    return code_of[combination], names


def _group_names(subset: NDArray[np.str_], label: NDArray[np.str_], species: NDArray[np.str_]) -> NDArray[np.str_]:
    is_attack = label == ATTACK
    side = pd.Series(subset).str.extract(r"^(seen|unseen)_")[0].to_numpy()
    in_protocol = np.isin(subset, ["train", "live"]) | pd.notna(side)
    live_name = np.where(pd.isna(side), subset, "bona fide, " + pd.Series(side).fillna("").to_numpy(str))
    species = np.where(species == "", "unspecified", species)
    elsewhere = np.where(is_attack, species, "bona fide")
    return np.where(in_protocol, np.where(is_attack, np.where(pd.isna(side), species, subset), live_name), elsewhere)


GROUP_ORDER = ("train", "live", "bona fide", "bona fide, seen", "bona fide, unseen")


def in_group_order(names: Sequence[str]) -> list[str]:
    """Training first, then bona fide, then attacks by species, seen before unseen."""

    def rank(name: str) -> tuple[int, int, str, str]:
        if name in GROUP_ORDER:
            return (0, GROUP_ORDER.index(name), "", "")
        matched = re.fullmatch(r"(seen|unseen)_(.+)", name)
        return (1, 0, matched[2], matched[1]) if matched else (1, 0, name, "")

    return sorted(map(str, names), key=rank)


def words(name: str) -> str:
    """A name as people read it: seen_paper -> seen paper."""
    return name.replace("_", " ")
