"""What sets a selection apart: counted by hand, by whole units, and seldom where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fas_core.evaluation import selected
from fas_core.evaluation.causes.shares import COLUMN, Factor
from fas_core.evaluation.selected import Compared, against_the_rest, p_words, percent, sentence
from fas_core.metrics.uncertainty import Units


def category(name: str, values: list[str]) -> Factor:
    names, codes = np.unique(values, return_inverse=True)
    return Factor(name, COLUMN, codes=np.where(np.array(values) == "", -1, codes), names=tuple(map(str, names)))


def people(n: int, each: int) -> Units:
    return Units("subject", np.repeat([f"s{i}" for i in range(n)], each))


def test_shares_medians_and_p_by_hand() -> None:
    """Of each of 20 people two of four samples wear hats; what is selected of each is one with a hat."""
    units = people(20, 4)
    hat = category("hat", ["yes", "yes", "no", "no"] * 20)
    light = Factor("light", COLUMN, np.tile([3.0, 1.0, 1.0, np.nan], 20))
    is_selected = np.tile([True, False, False, False], 20)
    compared = against_the_rest(is_selected, [hat, light], units)
    assert (compared.n_selected, compared.n_rest, compared.n_units, compared.n_asked) == (20, 60, 20, 3)
    by_name = {(found.factor, found.value): found for found in compared.differences}
    assert ("hat", "no") not in by_name  # less frequent: its opposite is told
    yes = by_name["hat", "yes"]
    assert (yes.selected, yes.rest, yes.n_selected, yes.n_rest) == (1, pytest.approx(1 / 3), 20, 20)
    assert yes.effect == pytest.approx((1 - 1 / 3) / 0.5)
    bright = by_name["light", ""]
    assert (bright.selected, bright.rest, bright.n_selected, bright.n_rest) == (3, 1, 20, 40)
    # All 20 people agree: their signs do so in one of 2^19 drawings.
    assert yes.p == bright.p == 1 / (1 + selected.SIGNS)
    assert sentence(compared) == (
        "Unlike the rest: **higher light** (median 3 against 1; p < 0.001) and **hat yes** "
        "(100\u00a0% against 33\u00a0%; p < 0.001). By 20 subjects."
    )


def test_a_p_is_the_share_of_signs_that_are_as_far_out() -> None:
    """Five of six people have a selected hat, half of one more than expected; one has none, half of one less."""
    units = people(6, 2)
    hat = category("hat", ["yes", "no"] * 6)
    is_selected = np.array([True, False] * 5 + [False, True])
    (found,) = against_the_rest(is_selected, [hat], units).differences
    # A sum of +-2 or more in halves: all signs agree, or all but one, in 2 + 12 of 64.
    assert found.p == pytest.approx(14 / 64, abs=0.03)


def test_one_person_proves_nothing_however_many_samples() -> None:
    units = people(30, 10)
    is_selected = np.zeros(300, np.bool_)
    is_selected[:10] = True  # all of one person, who alone wears a hat
    compared = against_the_rest(is_selected, [category("hat", ["yes"] * 10 + ["no"] * 290)], units)
    assert [found.p for found in compared.differences] == [1]
    (person,) = compared.whose
    assert (person.value, person.selected, person.rest, person.p) == ("s0", 1, 0, None)
    assert sentence(compared).startswith(
        "No difference from the rest is beyond chance, by 30 subjects. The largest: **hat yes** (100\u00a0% against "
        "0\u00a0%; p = 1). s0 has 100\u00a0% of it."
    )


def test_what_the_same_samples_have_is_told_once() -> None:
    units = people(20, 4)
    values = ["replay", "", "paper", "paper"] * 20
    same = category("attack_type", ["screen", "", "print", "print"] * 20)
    is_selected = np.tile([True, False, False, False], 20)
    compared = against_the_rest(is_selected, [category("pai_species", values), same], units)
    (found,) = compared.differences
    assert (found.factor, found.value) == ("pai_species", "replay")
    assert ("attack_type", "screen") in found.same_as


def test_the_largest_are_told_groups_first_whether_clear_or_not() -> None:
    """Each of 20 people has a selected sample of four: all wear hats, five are of the third subset."""
    subset = category("subset", ["c", "a", "b", "b"] * 5 + ["a", "b", "b", "a"] * 15)
    hat = category("hat", ["yes", "no", "no", "no"] * 20)
    light = Factor("light", COLUMN, np.tile([2.0, 1.0, 2.0, 3.0], 20))
    is_selected = np.tile([True, False, False, False], 20)
    compared = against_the_rest(is_selected, [light, hat, subset], people(20, 4))
    largest = compared.largest(9)
    assert [(of.factor, of.value) for of in largest[:3]] == [("subset", "a"), ("subset", "c"), ("hat", "yes")]
    assert largest[0].size == pytest.approx(15 / 20 - 20 / 60)
    assert largest[1].p is not None
    assert largest[1].p > selected.ALPHA  # by five people
    assert len(set(largest)) == len(largest)
    assert compared.largest(1) == largest[:1]


def test_what_cannot_be_compared_says_so() -> None:
    hat = category("hat", ["yes", "no"] * 10)
    for is_selected in (np.zeros(20, np.bool_), np.ones(20, np.bool_)):
        compared = against_the_rest(is_selected, [hat], people(10, 2))
        assert compared.differences == ()
    assert sentence(compared) == "Nothing is left to compare the selection with."
    few = against_the_rest(np.arange(20) < 5, [hat], people(2, 10))
    assert sentence(few) == "2 subjects are too few to say what sets the selection apart."
    nothing = against_the_rest(np.arange(20) < 5, [category("hat", ["yes"] * 20)], people(10, 2))
    assert (nothing.n_asked, nothing.differences) == (0, ())


def of_chance(rng: np.random.Generator, design: str) -> Compared:
    """A selection that has to do with people, as have the columns, and with none of the columns."""
    n_units, each = {"many": (60, 12), "few": (25, 20), "traits": (25, 20), "rare": (40, 10)}[design]
    who = np.repeat(np.arange(n_units), each)
    n = len(who)

    def clustered(share: float) -> NDArray[np.bool_]:
        trait = rng.normal(size=n_units)[who] + (0 if design in ("traits", "rare") else rng.normal(size=n))
        return np.asarray(trait > np.quantile(trait, 1 - share))

    factors = [category(f"c{i}", clustered(share).astype(str).tolist()) for i, share in enumerate((0.5, 0.2, 0.1, 0.4))]
    factors.append(category("many", rng.integers(0, 6, n).astype(str).tolist()))
    factors += [Factor(f"n{i}", COLUMN, rng.normal(size=n_units)[who] + rng.normal(size=n)) for i in range(4)]
    return against_the_rest(clustered(0.15 if design == "rare" else 0.25), factors, Units("subject", who))


@pytest.mark.parametrize("design", ["many", "few", "traits", "rare"])
def test_false_alarms_are_as_rare_as_said(design: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 0.05, over all that is asked together: 200 selections, three standard errors of room."""
    monkeypatch.setattr(selected, "SIGNS", 299)
    rng = np.random.default_rng(1)
    alarms = sum(bool(of_chance(rng, design).clear) for _ in range(200))
    assert alarms <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5
    monkeypatch.setattr(selected, "_p_values", lambda chosen, values, codes: np.full(len(values), 0.01))
    assert of_chance(rng, design).clear  # the count would see alarms


def test_numbers_are_written_with_what_they_can_say() -> None:
    assert [percent(share) for share in (0, 0.001, 0.5, 0.999, 1)] == [
        "0\u00a0%", "<1\u00a0%", "50\u00a0%", ">99\u00a0%", "100\u00a0%",
    ]  # fmt: skip
    assert [p_words(p) for p in (0.0005, 0.0123, 0.5, None)] == ["p < 0.001", "p = 0.012", "p = 0.5", "no p"]
