"""What the measurement of intervals reports, on a size that takes no time."""

import pytest

from fas_core.bench import intervals


def test_figures() -> None:
    found = intervals.figures(n=600, n_subjects=12, n_species=2, resamples=20, sorted_again=1)
    assert found["all"] == pytest.approx(found["all_seconds"] / found["sorting_seconds"])
    assert set(intervals.TARGETS) <= set(found)
    assert min(found.values()) > 0
