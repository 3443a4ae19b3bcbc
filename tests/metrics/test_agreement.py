"""Cohen's kappa, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from fas_core.metrics.agreement import cohen_kappa
from fas_core.metrics.uncertainty import Units, clopper_pearson


def said(*cells: tuple[str, str, int]) -> tuple[list[str], list[str]]:
    """What two people say, from a table of counts."""
    pairs = [(a, b) for a, b, count in cells for _ in range(count)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_a_table_of_two_by_two_worked_out_by_hand() -> None:
    # 20 + 15 of 50 agree: 0.7. By chance: 25/50 * 30/50 + 25/50 * 20/50 = 0.5. Kappa = 0.2 / 0.5 = 0.4.
    a, b = said(("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15))
    kappa = cohen_kappa(a, b)
    assert (kappa.n, kappa.observed, kappa.unit, kappa.n_units) == (50, 0.7, "sample", 50)
    assert kappa.by_chance == pytest.approx(0.5)
    assert kappa.value == pytest.approx(0.4)
    # Equation 13 with p = .4 .1 / .2 .3, rows .5 .5, columns .6 .4:
    # .4 (.5 - 1.1 * .3)^2 + .3 (.5 - .9 * .3)^2 = .4 * .0289 + .3 * .0529 = .02743
    # .3^2 (.1 (.6 + .5)^2 + .2 (.4 + .5)^2): of the cells beside the diagonal (column's share of the row's category and
    # the row's share of the column's): yes/no: .6 + .5 = 1.1; no/yes: .4 + .5 = .9: .09 (.121 + .162) = .02547
    # (.35 - 1 + .7)^2 = .0025; variance = (.02743 + .02547 - .0025) / (50 * .5^4) = .0504 / 3.125 = .016128
    assert kappa.standard_error == pytest.approx(math.sqrt(0.016128))
    margin = math.sqrt(0.016128) * stats.t.ppf(0.975, 49)
    least, most = ((share - 0.5) / 0.5 for share in clopper_pearson(35, 50))
    assert kappa.low == pytest.approx(min(0.4 - margin, least))
    assert kappa.high == pytest.approx(max(0.4 + margin, most))


def test_three_categories_are_those_of_another_implementation() -> None:
    rng = np.random.default_rng(0)
    a = rng.choice(["blur", "glare", ""], 200)
    b = np.where(rng.random(200) < 0.6, a, rng.choice(["blur", "glare", ""], 200))
    assert cohen_kappa(a, b).value == pytest.approx(cohen_kappa_score(a, b))
    assert cohen_kappa(b, a).standard_error == pytest.approx(cohen_kappa(a, b).standard_error)


def test_full_agreement_on_few_samples_proves_little() -> None:
    a, b = said(("yes", "yes", 5), ("no", "no", 5))
    kappa = cohen_kappa(a, b)
    assert (kappa.value, kappa.standard_error, kappa.high) == (1.0, 0.0, 1.0)
    # Of 10 without a disagreement at least 0.025 ** (1 / 10) agree: (0.6915 - 0.5) / 0.5
    assert kappa.low == pytest.approx(2 * 0.025**0.1 - 1)


def test_samples_of_one_subject_are_one_opinion() -> None:
    a, b = said(("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15))
    fourfold = np.repeat(np.arange(50), 4)
    by_subject = cohen_kappa(np.repeat(a, 4), np.repeat(b, 4), Units("subject", fourfold))
    alone = cohen_kappa(a, b)
    assert by_subject.value == pytest.approx(alone.value)
    assert by_subject.standard_error == pytest.approx(alone.standard_error)  # four times the images, no more people
    assert (by_subject.unit, by_subject.n_units) == ("subject", 50)
    assert cohen_kappa(np.repeat(a, 4), np.repeat(b, 4)).standard_error == pytest.approx(alone.standard_error / 2)


def test_where_chance_agrees_always_there_is_no_kappa() -> None:
    kappa = cohen_kappa(["no", "no"], ["no", "no"])
    assert (kappa.observed, kappa.by_chance, kappa.value, kappa.low) == (1.0, 1.0, None, None)
    assert cohen_kappa(["no", "yes"], ["yes", "no"]).value == pytest.approx(-1)
    for a, b in (([], []), (["no"], ["no", "yes"])):
        with pytest.raises(ValueError, match="same length"):
            cohen_kappa(a, b)
