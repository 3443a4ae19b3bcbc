import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from fas_core.reports import svg
from fas_core.reports.palette import SHAPES, Style


def elements(drawn: str, tag: str) -> list[ET.Element]:
    return [element for element in ET.fromstring(drawn).iter() if element.tag == tag]


def test_what_is_drawn_lies_where_the_axes_say() -> None:
    plot = svg.Plot(svg.linear_axis("x", 0, 10), svg.linear_axis("y", 0, 1), "a plot", width=100, height=50)
    plot.line([0, 5, np.nan, 10], [0, 0.5, 0.7, 1], "#123456", "dash", name="one")
    [line] = elements(plot.drawn(), "polyline")
    left, top = 58, 10
    assert line.get("points") == f"{left:.1f},{top + 50:.1f} {left + 50:.1f},{top + 25:.1f} {left + 100:.1f},{top:.1f}"
    assert (line.get("stroke"), line.get("stroke-dasharray")) == ("#123456", "8 4")
    plot.dots([10], [0], Style("#000000", is_hollow=True), name="two")
    circles = elements(plot.drawn(), "circle")
    assert (circles[0].get("cx"), circles[0].get("cy")) == ("158.0", "60.0")
    plot.dots([0], [1], Style("#E69F00", shape="square"), radius=2)
    [square] = elements(plot.drawn(), "polygon")
    corners = [tuple(map(float, corner.split(","))) for corner in str(square.get("points")).split()]
    assert corners == [(left + 2 * x, top + 2 * y) for x, y in SHAPES["square"]]
    plot.drawings.pop()
    plot.area([0, 10, 10], [0, 0, 1], "#00ff00")
    assert len(elements(plot.drawn(), "polygon")) == 1
    texts = [element.text for element in elements(plot.drawn(), "text")]
    assert {"x", "y", "one", "two"} <= set(texts)


def test_texts_are_escaped() -> None:
    evil = "<script>'\"&"
    plot = svg.Plot(svg.linear_axis(evil, 0, 1), svg.linear_axis(evil, 0, 1), evil)
    plot.line([0, 1], [0, 1], "#000000", name=evil)
    drawn = plot.drawn()
    assert "<script" not in drawn
    assert [element.text for element in elements(drawn, "text")].count(evil) == 3
    assert ET.fromstring(drawn).get("aria-label") == evil


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (-3, 4, ["-2", "0", "2", "4"]),
        (9_400, 11_000, ["9500", "10000", "10500", "11000"]),
        (2, 2, ["2", "2.2", "2.4", "2.6", "2.8", "3"]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, ticks: list[str]) -> None:
    assert [text for _, text in svg.linear_axis("", low, high).ticks] == ticks


def test_shares_are_written_as_percentages() -> None:
    assert [text for _, text in svg.linear_axis("", 0, 0.2, percent=True).ticks] == ["0", "5", "10", "15", "20"]


def test_plots_of_one_page_do_not_cut_each_other() -> None:
    first, second = (svg.det_plane("DET") for _ in range(2))
    first.line([0, 1], [0, 1], "#000000")
    second.line([0, 1], [1, 0], "#000000")
    names = [re.findall(r"clipPath id='(\w+)'", plot.drawn())[0] for plot in (first, second)]
    assert names[0] != names[1]
    assert first.drawn() == first.drawn()


def test_a_det_plane_has_equal_steps_of_probit() -> None:
    plane = svg.det_plane("DET")
    assert svg.on_det([0.5])[0] == pytest.approx(0, abs=1e-12)
    assert plane.x.low == pytest.approx(-plane.x.high)
    assert svg.on_det([0]) == svg.on_det([1e-9])  # a rate of 0 lies at the edge
