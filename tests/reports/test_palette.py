"""One table of dashes for the screen and for paper."""

from __future__ import annotations

from app.charts import echarts
from fas_core.reports import svg
from fas_core.reports.palette import DASHES


def test_screen_and_paper_draw_the_same_dashes() -> None:
    for name, dash in DASHES.items():
        plot = svg.Plot(svg.linear_axis("x", 0, 1), svg.linear_axis("y", 0, 1), "")
        plot.line([0, 1], [0, 1], "#000000", name)
        on_paper = f"stroke-dasharray='{' '.join(map(str, dash.lengths))}'"
        assert (on_paper in plot.drawn()) == bool(dash.lengths)
        assert echarts.line_type(name) == (list(dash.lengths) if dash.lengths else "solid")
    assert len({dash.lengths for dash in DASHES.values()}) == len(DASHES)
