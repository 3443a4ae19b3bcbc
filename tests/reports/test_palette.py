"""One look per thing, on the screen and on paper: dashes, contrast, and what is told apart, by everybody."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from app.charts import echarts
from fas_core.data.names import in_group_order
from fas_core.reports import palette, svg
from fas_core.reports.palette import DASHES, GROUNDS, OPACITY, Style, category_styles, contrast, mixed, styles_of

Lab = tuple[float, float, float]

# Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color vision deficiency, IEEE TVCG
# 15(6), 2009: matrices of linear RGB at severity 1.0.
VISIONS = {
    "all": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1, 1.08883])


def lab(colour: str, vision: str) -> Lab:
    """CIELAB (D65) of an sRGB colour, as it looks to people of a vision."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    xyz: NDArray[np.float64] = FROM_RGB @ (VISIONS[vision] @ linear).clip(0, 1) / WHITE
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116).tolist()
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def ciede2000(one: Lab, other: Lab) -> float:
    """Sharma, Wu and Dalal, The CIEDE2000 color-difference formula, Color Research and Application 30(1), 2005."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 1.5 - 0.5 * math.sqrt(c7 / (c7 + 25**7))
    c1, c2 = math.hypot(g * a1, b1), math.hypot(g * a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, g * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    between = h2 - h1 if c1 * c2 else 0.0
    between -= math.copysign(360, between) if abs(between) > 180 else 0
    hue = h1 + between / 2 if c1 * c2 else h1 + h2
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    cos = [math.cos(math.radians(k * hue + at)) for k, at in ((1, -30), (2, 0), (3, 6), (4, -63))]
    t = 1 + float(np.dot([-0.17, 0.24, 0.32, -0.20], cos))
    far = (lightness - 50) ** 2
    light = (l2 - l1) / (1 + 0.015 * far / math.sqrt(20 + far))
    colourful = (c2 - c1) / (1 + 0.045 * chroma)
    turned = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(between / 2)) / (1 + 0.015 * chroma * t)
    bent = math.sin(math.radians(60 * math.exp(-((((hue % 360) - 275) / 25) ** 2))))
    rotation = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * bent
    return math.sqrt(light**2 + colourful**2 + turned**2 + rotation * colourful * turned)


def test_differences_of_colours_are_the_published_ones() -> None:
    pairs: list[tuple[Lab, Lab, float]] = [  # Sharma, Wu and Dalal, table 1: pairs 1, 4, 7, 10, 14, 17, 20, 25, 33, 34
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0010), 7.1792),
        ((50, -0.001, 2.49), (50, 0.0010, -2.49), 4.8045),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ]
    for one, other, published in pairs:
        assert ciede2000(one, other) == pytest.approx(published, abs=6e-5)
        assert ciede2000(other, one) == pytest.approx(published, abs=6e-5)


def apart(one: Style, other: Style) -> float:
    """How far the colours of two points differ at least: to any eye, on either ground."""
    shown = list(zip(one.edges, other.edges, strict=True))
    if not one.is_hollow:
        shown.append((one.colour, other.colour))
    return min(ciede2000(lab(a, vision), lab(b, vision)) for a, b in shown for vision in VISIONS)


def look_alike(styles: dict[str, Style]) -> list[tuple[str, str]]:
    """Pairs of one shape, both filled or both hollow, whose colours are not 20 apart."""
    return [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(styles.items(), 2)
        if (one.shape, one.is_hollow) == (other.shape, other.is_hollow) and apart(one, other) < 20
    ]


FACES = ["train", "live", "bona fide", "bona fide, seen", "bona fide, unseen"]
KNOWN = list(palette.SPECIES_COLOURS)


def sides(species: list[str]) -> list[str]:
    return [f"{side}_{name}" for name in species for side in ("seen", "unseen")]


def test_no_two_groups_look_the_same_to_anybody() -> None:
    rng = np.random.default_rng(0)
    for n in (0, 1, 5, 14, 15, 60, 70):
        for _ in range(3):
            further = [f"species {i}" for i in rng.choice(10**6, n, replace=False)]
            groups = [*FACES, *sides(KNOWN), *sides(further)]
            styles = styles_of(groups)
            assert list(styles) == groups
            assert look_alike(styles) == []
            for name in groups:
                assert styles[name].is_hollow == ("unseen" in name)
            shapes = {name: styles[f"seen_{name}"].shape for name in (*KNOWN, *further)}
            if n <= 14:  # to each its own
                assert len({*shapes.values(), *(styles[name].shape for name in FACES)}) == len(shapes) + 4
                assert all(styles[f"seen_{name}"].colour == palette.style_of(name).colour for name in shapes)
    # Within the protocol's subsets and outside of them, a species is two groups.
    assert look_alike(styles_of(["paper", "seen_paper", "unseen_paper", "fake", "seen_fake", "unseen_fake"])) == []


def test_the_colours_of_the_house_stay_and_filtering_changes_no_look() -> None:
    styles = styles_of(in_group_order(["live", "train", *sides(KNOWN), "seen_glass", "seen_silk"]))
    assert styles["live"].colour == "#0072B2"
    assert {name: styles[f"seen_{name}"].colour for name in KNOWN} == palette.SPECIES_COLOURS
    assert {styles[name] for name in ("live", "seen_glass")} == {palette.style_of(name) for name in ("live", "glass")}


def test_points_stand_out_from_the_ground_of_both_themes() -> None:
    names = [*FACES, *sides(KNOWN), *sides([f"s{i}" for i in range(60)])]
    for styles in (styles_of(names), styles_of(names[:30]), category_styles({f"c{i}": 1 for i in range(20)} | {"": 1})):
        for style in styles.values():
            for edge, ground in zip(style.edges, GROUNDS, strict=True):
                assert contrast(mixed(ground, edge, OPACITY), ground) >= 3
    assert Style("#0072B2").edges == ("#0072B2", "#0072B2")  # what stands out is left as it is


def test_categories_differ_in_shape() -> None:
    counts = {**{f"c{i}": 1 for i in range(11)}, "seen_silk": 2, "": 1, "rare": 0}
    styles = category_styles(counts)
    assert look_alike(styles) == []
    assert len({(style.shape, style.is_hollow) for style in styles.values()}) == len(styles) == 14
    assert look_alike(category_styles(dict.fromkeys([*sides(KNOWN)[:7], *FACES[:3]], 1))) == []


def test_shapes_are_of_one_size() -> None:
    for name, outline in palette.SHAPES.items():
        x, y = np.array(outline).T
        area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
        assert 2.2 < area < 4, name
        assert np.hypot(x, y).max() <= palette.OUTER - 0.04, name


def test_screen_and_paper_draw_the_same_dashes() -> None:
    for name, dash in DASHES.items():
        plot = svg.Plot(svg.linear_axis("x", 0, 1), svg.linear_axis("y", 0, 1), "")
        plot.line([0, 1], [0, 1], "#000000", name)
        on_paper = f"stroke-dasharray='{' '.join(map(str, dash.lengths))}'"
        assert (on_paper in plot.drawn()) == bool(dash.lengths)
        assert echarts.line_type(name) == (list(dash.lengths) if dash.lengths else "solid")
    assert len({dash.lengths for dash in DASHES.values()}) == len(DASHES)


def test_runs_share_no_colour_with_what_they_are_compared_on_and_read_on_light_and_dark() -> None:
    of_classes = {*palette.SPECIES_COLOURS.values(), *palette.MORE_COLOURS, *palette.SCORE_COLOURS}
    of_classes |= {palette.BONA_FIDE_COLOUR, palette.TRAINING_COLOUR, palette.MISSED, palette.REJECTED}
    assert len(set(palette.RUN_COLOURS)) == len(DASHES)
    assert not of_classes & set(palette.RUN_COLOURS)
    for colour in palette.RUN_COLOURS:
        for ground in GROUNDS:
            assert contrast(colour, ground) >= 3
    assert [palette.colour_of_run(letter) for letter in "AC"] == [palette.RUN_COLOURS[0], palette.RUN_COLOURS[2]]
