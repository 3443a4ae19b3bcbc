"""Numbers as they stand in ECharts options."""

import numpy as np

from app.charts import echarts


def test_a_line_keeps_its_ends_its_corners_and_what_is_no_number_is_left_out() -> None:
    x = np.linspace(0, 1, 101)
    bent = np.column_stack([x, np.abs(x - 0.3)])
    bent[50] = np.nan
    line = echarts.simplified(bent, (1000, 500))
    assert line.tolist() == [[0, 0.3], [0.3, 0], [1, 0.7]]
    for few in (np.empty((0, 2)), np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])):
        assert echarts.simplified(few, (1000, 500)).tolist() == few[[0, -1][: len(few)]].tolist()


def test_pairs_have_six_digits_and_no_gaps() -> None:
    points = np.array([[1 / 3, 123456789.0], [np.nan, 1], [0, -1e-9]])
    assert echarts.pairs(points) == [[0.333333, 123457000.0], [0.0, -1e-9]]
