"""What the measurement of intervals reports, on a size that takes no time."""

import pytest

from fas_core.bench import intervals


def test_figures() -> None:
    figures = intervals.figures(n=600, n_subjects=12, n_species=2, resamples=20, sorted_again=1)
    assert figures["all"] == pytest.approx(figures["all_seconds"] / figures["sorting_seconds"])
    assert set(intervals.TARGETS) <= set(figures)
    assert min(figures.values()) > 0
