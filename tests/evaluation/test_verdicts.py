"""Single samples against a threshold or a reference."""

import math

import numpy as np
import pytest

from fas_core.evaluation.verdicts import called, percentiles, verdicts_at


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "attack"), (np.nextafter(0.5, 0), "bona fide"), (math.inf, "attack"), (math.nan, "attack (no score)")],
)
def test_what_an_image_is_called(value: float, words: str) -> None:
    assert called(value, 0.5) == words


def test_a_verdict_says_which_error_it_is() -> None:
    labels = ["bona_fide", "bona_fide", "attack", "attack", "attack"]
    found = verdicts_at(labels, [0.4, 0.5, 0.5, 0.4, math.nan], 0.5)
    assert found.tolist() == ["right", "rejected", "right", "missed", "no response"]


def test_equal_scores_of_the_reference_count_half() -> None:
    reference = [3.0, 1.0, math.nan, 2.0, 2.0]
    assert percentiles([0.0, 2.0, 2.5, 9.0], reference).tolist() == [0.0, 0.5, 0.75, 1.0]
    assert np.isnan(percentiles([math.nan], reference)).all()
    assert np.isnan(percentiles([1.0], [math.nan])).all()
