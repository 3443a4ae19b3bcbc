"""One table of dashes for the screen and for paper."""

from __future__ import annotations

from app.charts import echarts
from fas_core.reports import palette, svg
from fas_core.reports.palette import DASHES


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
        for background in ("#FFFFFF", "#0E1117"):
            light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 3
    assert [palette.colour_of_run(letter) for letter in "AC"] == [palette.RUN_COLOURS[0], palette.RUN_COLOURS[2]]


def luminance(colour: str) -> float:
    """Relative, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
