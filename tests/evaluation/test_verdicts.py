"""Samples against a threshold or a reference, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fas_core.evaluation.verdicts import called, in_widths, percent_borders, percentiles, verdicts_at


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "attack"), (np.nextafter(0.5, 0), "bona fide"), (np.inf, "attack"), (np.nan, "attack (no score)")],
)
def test_what_an_image_is_called(value: float, words: str) -> None:
    assert called(value, 0.5) == words


def test_verdicts() -> None:
    labels = ["attack", "attack", "bona_fide", "bona_fide", "attack"]
    verdicts = verdicts_at(labels, [1.0, 2.0, 2.0, 1.9, np.nan], 2.0)
    assert verdicts.tolist() == ["missed", "right", "rejected", "right", "no response"]


def test_percentiles_count_ties_half() -> None:
    shares = percentiles([0.0, 2.0, 5.0, np.nan], [2.0, 1.0, 3.0, 2.0, np.nan])
    assert shares[:3].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(shares[3])
    assert np.isnan(percentiles([1.0], [])).all()


@pytest.mark.parametrize("n", [1, 3, 29, 200, 1001])
def test_a_hundred_borders_tell_whole_percents_never_rounded_up(n: int) -> None:
    rng = np.random.default_rng(n)
    for reference in (rng.normal(size=n), rng.integers(0, 9, n), np.append(rng.integers(0, 9, n), [np.inf, np.nan])):
        known = reference[~np.isnan(reference)].astype(float)
        values = np.concatenate([known, np.nextafter(known, np.inf), np.nextafter(known, -np.inf), [-np.inf, np.inf]])
        whole = np.searchsorted(percent_borders(reference), values, side="right") - 1
        assert whole.tolist() == np.floor(100 * percentiles(values, reference)).tolist()
    assert np.isnan(percent_borders([np.nan])).all()


def test_widths_are_interquartile_ranges_from_the_median_of_the_reference() -> None:
    # Quartiles of 1..5 are 2, 3 and 4; what is infinite, and NaN, is no reference.
    widths = in_widths([3.0, 5.0, -1.0, np.inf, np.nan], [1, 2, 3, 4, 5, np.inf, np.nan])
    assert widths[:4].tolist() == [0.0, 1.0, -2.0, np.inf]
    assert np.isnan(widths[4])
    shifted = in_widths(10 * np.array([3.0, 5.0, -1.0]) + 7, 10 * np.arange(1, 6) + 7)
    assert shifted == pytest.approx([0.0, 1.0, -2.0])  # units do not matter


def test_widths_without_a_reference_or_without_a_width() -> None:
    assert in_widths([1.0, 2.0, 3.0, 4.0, 5.0], []).tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert in_widths([6.0, 9.0], [7.0, 7.0, 7.0]).tolist() == [-1.0, 2.0]  # all alike: in the score's own unit
    assert np.isnan(in_widths([np.inf, np.nan], [])).all()
