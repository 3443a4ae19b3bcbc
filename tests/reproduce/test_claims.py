"""Whether a finding holds: a pure function of seeds and resamples."""

import math

import numpy as np
import pytest
from scipy.stats import t

from fas_core.reproduce import chapter, claims
from fas_core.reproduce.claims import FAILS, HOLDS, UNCLEAR, Cell, Claim, Measured, mean_of

A, B = Cell("a", "rec"), Cell("b", "rec")


def measured(values: list[float], spread: float = 0.01) -> Measured:
    """Seeds with these values, each with resamples that lie evenly within `spread` of it."""
    steps = np.linspace(-spread, spread, 2001)
    return Measured(np.array(values), np.array(values)[:, None] + steps, 50)


def test_an_interval_is_of_people_and_of_trainings() -> None:
    by_people = claims.estimated(measured([0.7]))
    assert (by_people.mean, by_people.seeds) == (0.7, 1)
    assert (by_people.low, by_people.high) == pytest.approx((0.7 - 0.0095, 0.7 + 0.0095), abs=1e-6)
    values = [0.68, 0.70, 0.75]
    both = claims.estimated(measured(values))
    half = t.ppf(0.975, 2) * np.std(values, ddof=1) / math.sqrt(3)
    assert both.mean == pytest.approx(0.71)
    assert both.high - both.mean == pytest.approx(math.hypot(0.0095, half), abs=1e-6)
    assert both.mean - both.low == pytest.approx(math.hypot(0.0095, half), abs=1e-6)
    for nobody in (
        Measured(np.array([0.7]), np.full((1, 9), np.nan), 9),
        Measured(np.array([0.7]), np.ones((1, 9)), 1),
    ):
        assert math.isnan(claims.estimated(nobody).low)
    certain = claims.estimated(Measured(np.array([1.0]), np.ones((1, 9)), 10))
    assert certain[:3] == pytest.approx((1.0, 1 - (1 - 0.05 ** (1 / 10)), 1.0))  # ten people do not prove 1


def test_a_difference_is_paired_by_seed_and_by_resample() -> None:
    """What moves both experiments alike, a hard seed or hard people, is not in their difference."""
    cells = {A: measured([0.60, 0.80], 0.3), B: measured([0.55, 0.75], 0.29)}
    judged = claims.judged(Claim("a less b", mean_of([A], [B]), above=0), cells, {})
    assert judged.estimate is not None
    assert judged.estimate[:3] == pytest.approx((0.05, 0.0405, 0.0595))
    assert judged.verdict == HOLDS


@pytest.mark.parametrize(
    ("value", "limits", "verdict"),
    [
        (0.55, {"above": 0.5}, HOLDS),
        (0.45, {"above": 0.5}, FAILS),
        (0.505, {"above": 0.5}, UNCLEAR),
        (0.65, {"below": 0.7}, HOLDS),
        (0.75, {"below": 0.7}, FAILS),
        (0.705, {"below": 0.7}, UNCLEAR),
    ],
)
def test_a_claim_holds_where_its_interval_is_on_its_side(value: float, limits: dict[str, float], verdict: str) -> None:
    judged = claims.judged(Claim("a", mean_of([A]), **limits), {A: measured([value])}, {})
    assert judged.verdict == verdict


def test_a_finding_in_a_sentence() -> None:
    cells = {A: measured([0.55]), B: measured([0.505])}
    holds, unclear = (
        claims.judged(Claim(f"AUC of {c.experiment}", mean_of([c]), above=0.5), cells, {}) for c in (A, B)
    )
    fails = claims.judged(Claim("AUC of a", mean_of([A]), below=0.5), cells, {})
    assert claims.sentence([holds]) == "Holds here: AUC of a: 0.55 (0.54 to 0.56; above 0.5 is claimed)."
    assert claims.sentence([holds, unclear]).startswith("Cannot be told here, intervals overlap: AUC of a: 0.55 (")
    assert claims.sentence([holds, unclear, fails]).startswith("Does not hold here: ")
    missing = claims.judged(Claim("AUC of c", mean_of([Cell("c", "rec", "mask")]), above=0), {}, {"mask": "no masks"})
    assert claims.sentence([holds, missing]).endswith("; AUC of c: no masks.")
    assert claims.sentence([holds, missing]).startswith("Cannot be told here: ")


def test_every_figure_of_the_chapter_makes_a_claim() -> None:
    assert [finding.number for finding in chapter.FINDINGS] == [f"4.{n}" for n in range(1, 19)]
    assert all(finding.claims for finding in chapter.FINDINGS)
    assert {finding.experiment for finding in chapter.FINDINGS} == set(chapter.EXPERIMENTS)
    for claim in (claim for finding in chapter.FINDINGS for claim in finding.claims):
        assert (claim.above is None) != (claim.below is None)
        weights = sum(weight for weight, _ in claim.of)
        assert weights == pytest.approx(1 if claim.of[-1][0] > 0 else 0)
