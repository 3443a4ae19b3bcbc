"""Measuring reports, on Runs that take no time; whether the target is met is the machine's affair."""

from fas_core.bench import report


def test_figures() -> None:
    figures = report.figures(n=600, rounds=1)
    assert set(report.TARGETS) == set(figures)
    assert min(figures.values()) > 0
