"""How clearly codes differ between sides: against brute force, known answers, and what leaks would look like."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from sklearn.metrics import silhouette_samples

from fas_core.evaluation import sides as s
from fas_core.metrics.uncertainty import Units


def planted(
    shift: float, n_subjects: int = 20, each: int = 12, d: int = 6
) -> tuple[NDArray[np.float32], NDArray[np.intp], Units]:
    """Codes with an offset per subject, and `shift` along the last axis on side 1; every subject is on both sides."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(n_subjects), each)
    side = np.tile(np.arange(each) % 2, n_subjects)
    z = rng.normal(size=(len(subject), d)) + np.pad(2 * rng.normal(size=(n_subjects, d - 1)), ((0, 0), (0, 1)))[subject]
    z[:, -1] += shift * side
    return z.astype(np.float32), side.astype(np.intp), Units("subject", subject)


def value(of: s.Measure | None) -> float:
    assert of is not None
    return of.value


def test_a_probe_finds_what_is_there_and_nothing_else() -> None:
    z, side, units = planted(2.0)
    measured = s.measures(z, side, units, {"last": z[:, -1].astype(np.float64)})
    assert value(measured["probe"]) == pytest.approx(0.921, abs=0.03)  # Phi(2 / sqrt 2), the best there is
    assert value(measured["last"]) == pytest.approx(0.921, abs=0.03)
    probe = measured["probe"]
    assert probe is not None
    assert probe.low is not None
    assert probe.high is not None
    assert probe.low < 0.921 < probe.high
    nothing = s.measures(*planted(0.0), {})
    for name, chance in (("probe", 0.5), ("purity", 0.5), ("silhouette", 0), ("frechet", 0)):
        assert value(nothing[name]) == pytest.approx(chance, abs=0.07)
    for name in ("probe", "purity", "silhouette"):
        assert value(measured[name]) > value(nothing[name]) + 0.05


def test_subjects_that_are_told_apart_are_no_trait() -> None:
    """A side per subject, at random, and codes that name the subject: only what leaves subjects out sees no trait."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(24), 10)
    z = (5 * rng.normal(size=(24, 30))[subject] + rng.normal(size=(240, 30))).astype(np.float32)
    trait = (np.arange(24) % 2)[rng.permutation(24)][subject]
    measured = s.measures(z, trait, Units("subject", subject), {})
    leaking = s.measures(z, trait, Units("image", np.arange(240)), {})
    assert value(leaking["probe"]) > 0.95
    assert value(leaking["purity"]) > 0.9
    assert value(measured["probe"]) < 0.75
    assert value(measured["purity"]) < 0.6
    probe = measured["probe"]
    assert probe is not None
    assert probe.low is not None
    assert probe.low < 0.5


def test_folds_share_no_unit_and_have_a_share_of_every_side() -> None:
    rng = np.random.default_rng(2)
    subject = rng.integers(40, size=600)
    side = rng.choice(3, 600, p=[0.7, 0.2, 0.1]).astype(np.intp)
    folds = s.folds_of(side, Units("subject", subject))
    assert folds is not None
    assert len(np.unique(np.stack([subject, folds]), axis=1).T) == len(np.unique(subject))
    shares = np.array([[(folds[side == k] == fold).mean() for k in range(3)] for fold in range(s.FOLDS)])
    assert abs(shares - 1 / s.FOLDS).max() < 0.1


def test_folds_are_as_many_as_the_rarest_side_has_units() -> None:
    side = np.array([0, 0, 0, 1, 1, 0, 0])
    folds = s.folds_of(side, Units("subject", np.array(list("abcdefg"))))
    assert folds is not None
    assert folds.max() == 1
    assert folds[3] != folds[4]
    assert s.folds_of(side, Units("subject", np.array(list("abcddfg")))) is None


def test_a_side_of_one_subject_has_no_probe_and_no_intervals() -> None:
    z, side, units = planted(2.0, 6)
    side = np.where(units.groups == 0, side, 0)
    measured = s.measures(z, side, units, {"last": z[:, -1].astype(np.float64)})
    assert measured["probe"] is None
    for name in ("last", "purity", "silhouette", "frechet"):
        of = measured[name]
        assert of is not None
        assert of.low is None
        assert of.high is None


def test_silhouette_is_that_of_rousseeuw() -> None:
    z, side, units = planted(1.5)
    expected = silhouette_samples(z.astype(np.float64), side)
    both = (expected[side == 0].mean() + expected[side == 1].mean()) / 2
    assert value(s.measures(z, side, units, {})["silhouette"]) == pytest.approx(both, abs=1e-4)


def test_purity_is_that_of_a_slow_search() -> None:
    z, side, units = planted(1.5, 12)
    side = np.where(np.arange(len(side)) % 3, 0, side)  # sides of different size
    subject, own = units.groups, []
    for i in range(len(z)):
        distances = np.where(subject == subject[i], np.inf, np.linalg.norm(z - z[i], axis=1))
        share = side[np.argsort(distances)[: s.NEIGHBOURS]].mean()
        votes = np.array([(1 - share) / (side == 0).mean(), share / (side == 1).mean()])
        own.append(votes[side[i]] / votes.sum())
    expected = np.mean([np.array(own)[side == k].mean() for k in (0, 1)])
    assert value(s.measures(z, side, units, {})["purity"]) == pytest.approx(expected, abs=1e-6)


def test_frechet_is_the_closed_form_over_the_variance() -> None:
    rng = np.random.default_rng(3)
    second = np.arange(400) % 2 == 1
    z = rng.normal(size=(400, 4)) * np.where(second, 2.0, 1.0)[:, None] + np.where(second, 3.0, 0.0)[:, None]
    means = [z[side].mean(0) for side in (~second, second)]
    covariances = [np.cov(z[side].T) for side in (~second, second)]
    traces = np.trace(covariances[0] + covariances[1] - 2 * sqrtm(covariances[0] @ covariances[1]).real)
    raw = (((means[0] - means[1]) ** 2).sum() + traces) / z.var(0).sum()
    distance = s.frechet(z, second, Units("image", np.arange(400)))
    assert distance is not None
    assert distance.value == pytest.approx(raw, rel=0.02)  # the jackknife takes a little off
    assert distance.low is not None
    assert distance.high is not None
    assert distance.low < 40 / z.var(0).sum() < distance.high  # 4 * 3^2 + 4 * (2 - 1)^2
    one_unit = s.frechet(z, second, Units("subject", np.zeros(400)))
    assert value(one_unit) == pytest.approx(raw)


def test_frechet_of_the_same_distribution_is_not_what_few_codes_make_it() -> None:
    rng = np.random.default_rng(4)
    z, second = rng.normal(size=(120, 16)), np.arange(120) % 2 == 1
    raw = s.frechet(z, second, Units("subject", np.zeros(120)))
    distance = s.frechet(z, second, Units("image", np.arange(120)))
    assert raw is not None
    assert distance is not None
    assert raw.value > 0.1
    assert distance.value < raw.value / 3


def test_of_three_sides_each_is_compared_with_the_others() -> None:
    z, _, units = planted(0.0)
    side = np.arange(len(z)) % 3
    z[:, -1] += side
    measured = s.measures(z, side, units, {"last": z[:, -1].astype(np.float64)})
    each = [s.measures(z, (side == k).astype(np.intp), units, {}) for k in range(3)]
    for name in ("purity", "silhouette", "frechet"):
        assert value(measured[name]) == pytest.approx(np.mean([value(of_side[name]) for of_side in each]), abs=1e-5)
    assert measured["last"] is None
    assert value(measured["probe"]) > 0.6


def test_the_order_of_samples_has_no_influence() -> None:
    z, side, units = planted(1.0)
    order = np.random.default_rng(5).permutation(len(z))
    measured, shuffled = s.measures(z, side, units, {}), s.measures(z[order], side[order], units.of(order), {})
    for name, of in measured.items():
        other = shuffled[name]
        assert of is not None
        assert other is not None
        assert (of.value, of.low, of.high) == pytest.approx((other.value, other.low, other.high), abs=1e-6)


def test_equal_codes_separate_nothing() -> None:
    _, side, units = planted(0.0, 4)
    measured = s.measures(np.ones((len(side), 3), np.float32), side, units, {})
    assert measured["probe"] is None
    assert measured["frechet"] is None
    assert value(measured["silhouette"]) == 0
