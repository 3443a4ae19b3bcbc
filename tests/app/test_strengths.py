"""The lines of APCER against strength."""

import numpy as np

from app.deciding.strengths import lines_of
from fas_core.evaluation.strengths import AtStrength, Curve, Strengths
from fas_core.metrics.operating_point import DEFAULT
from fas_core.reports.palette import style_of


def test_lines_look_different_and_are_absent_where_a_species_has_no_such_attack() -> None:
    points = tuple(AtStrength(strength, 1, 4, 0, None) for strength in (0.25, 1.0))
    curves = (Curve("impersonation", points), Curve("obfuscation", points[1:]), Curve("half_mask", points))
    assert len({style_of(curve.species).colour for curve in curves}) == 2  # else there is nothing to tell apart
    lines = lines_of(Strengths("frame", DEFAULT, ("dev",), ("test",), False, 0.5, curves, "subject"))
    assert len({(line.colour, line.dash) for line in lines}) == len(curves)
    assert [line.name for line in lines] == ["impersonation", "obfuscation", "half mask"]
    np.testing.assert_array_equal([line.rates for line in lines], [[0.25, 0.25], [np.nan, 0.25], [0.25, 0.25]])
