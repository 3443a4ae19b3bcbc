"""A forest plot says what it draws."""

from __future__ import annotations

import re

from fas_core.reports.forest import Row, forest
from fas_core.reports.palette import RUN_COLOURS

ROWS = [
    Row("live rejected", "9 %", "41 %", 32.0, 22.0, 43.0, "+32 [+22 to +43]", is_clear=True),
    Row("<mask> missed", "30 %", "25 %", -5.0, -12.0, 2.0, "−5 [−12 to +2]", is_clear=False),
]


def test_differences_stand_on_one_axis_to_the_right_where_it_got_worse() -> None:
    drawn = forest({"C": ROWS})
    x = [float(place) for place in re.findall(r"<circle cx='([\d.]+)'", drawn)]
    ends = [tuple(map(float, pair)) for pair in re.findall(r"<path d='M([\d.]+) [\d.]+H([\d.]+)'", drawn)]
    [zero] = [float(place) for place in re.findall(r"<path d='M([\d.]+) [^>]*stroke-width='2'/>", drawn)]
    assert x[1] < zero < x[0]
    per_point = (x[0] - zero) / 32
    assert abs(zero - x[1] - 5 * per_point) < 0.2
    for (low, high), row in zip(ends, ROWS, strict=True):
        assert abs(low - zero - (row.low or 0) * per_point) < 0.2
        assert abs(high - zero - (row.high or 0) * per_point) < 0.2


def test_an_interval_of_few_people_is_cut_so_that_the_others_are_seen() -> None:
    usual = [Row(f"{i} missed", "9 %", "14 %", 5.0, 2.0, 8.0, "+5 [+2 to +8]", is_clear=True) for i in range(3)]
    few = Row("makeup missed", "94 %", "94 %", 0.0, -63.0, 63.0, "0 [−63 to +63]", is_clear=False)
    drawn = forest({"B": [*usual, few]})
    assert ">+10</text>" in drawn
    assert ">+80</text>" not in drawn
    planes = [float(place) for place in re.findall(r"<path d='M([\d.]+) [\d.]+V", drawn)]
    tips = [float(x) for x in re.findall(r"L([\d.]+) [\d.]+L", drawn)]
    assert tips == [min(planes), max(planes)]  # arrows on both ends of the one that is cut
    assert "makeup missed: A 94 %, B 94 %, 0 [−63 to +63]" in drawn
    assert "L" not in "".join(re.findall(r"<path d='([^']*)'", forest({"B": usual})))


def test_no_text_touches_the_plane_however_long_it_is() -> None:
    words, label = "+0.070 [+0.049 to +0.196]", "partial funny eyes missed"
    drawn = forest({"B": [*ROWS, Row(label, "0.726", "0.796", -7.0, -9.6, -4.9, words, is_clear=True)]})
    upright = [float(place) for place in re.findall(r"<path d='M([\d.]+) [\d.]+V", drawn)]
    ends = {text: float(x) for x, text in re.findall(r"<text x='([\d.]+)' [^>]*text-anchor='end'[^>]*>([^<]*)<", drawn)}
    assert ends[words] - 8 * len(words) > max(upright)
    assert ends["0.726"] - 7.5 * len("0.726") > 7 * len(label)


def test_letters_have_their_runs_colours_and_texts_are_escaped() -> None:
    drawn = forest({"C": ROWS})
    assert f"fill='{RUN_COLOURS[0]}'>A</text>" in drawn
    assert f"fill='{RUN_COLOURS[2]}'>C</text>" in drawn
    assert RUN_COLOURS[1] not in drawn
    assert "&lt;mask&gt; missed" in drawn
    assert "aria-label='live rejected: A 9 %, C 41 %, +32 [+22 to +43]; &lt;mask&gt; missed" in drawn
    assert drawn.count("font-weight='bold'>+32") == 1
    assert "font-weight='bold'>−5" not in drawn


def test_every_run_has_a_line_of_its_own_in_each_metric() -> None:
    other = Row("live rejected", "9 %", "12 %", 3.0, -1.0, 7.0, "+3 [−1 to +7]", is_clear=False)
    drawn = forest({"B": ROWS, "D": [other]})
    circles = re.findall(r"<circle cx='([\d.]+)' cy='([\d.]+)' r='5' fill='([^']+)'", drawn)
    assert len(circles) == 3
    assert float(circles[0][1]) < float(circles[1][1]) < float(circles[2][1])
    assert drawn.count(f"fill='{RUN_COLOURS[1]}' font-weight='bold'>B</tspan>") == 2
    assert drawn.count(f"fill='{RUN_COLOURS[3]}' font-weight='bold'>D</tspan>") == 1
    assert drawn.count(">9 %</text>") == 1  # of A, once
    [of_a] = [float(x) for x in re.findall(r"<text x='([\d.]+)'[^>]*>9 %<", drawn)]
    [head] = [float(x) for x in re.findall(r"<text x='([\d.]+)'[^>]*>A<", drawn)]
    of_b = float(re.findall(r"<text x='([\d.]+)'[^>]*><tspan", drawn)[0])
    assert of_a == head
    assert of_b - 8.2 * len("B 41 %") > of_a  # a letter and its value stand clear of A's
    assert "aria-label='live rejected: A 9 %, B 41 %, +32 [+22 to +43], D 12 %, +3 [−1 to +7]; " in drawn
