"""Shares of a score's variance: by hand where they can be, and of scores that are made of known causes."""

import numpy as np
import pytest

from fas_core.evaluation.causes.shares import COLUMN, IMAGE, Factor, explained, strips
from fas_core.metrics.uncertainty import Units

PEOPLE, EACH = 40, 15
U = np.repeat(np.arange(PEOPLE), EACH)
SUBJECTS = Units("subject", U)
RNG = np.random.default_rng(0)
N = len(U)
BRIGHT = RNG.normal(size=N)
GLASSES = RNG.integers(0, 2, N)
OWN = RNG.normal(size=PEOPLE)[U]


def number(name: str, values: np.ndarray) -> Factor:
    return Factor(name, IMAGE, np.asarray(values, np.float64))


def category(name: str, codes: np.ndarray) -> Factor:
    codes = np.asarray(codes, np.intp)
    return Factor(name, COLUMN, codes=codes, names=tuple(f"v{code}" for code in range(codes.max() + 1)))


def test_a_column_that_a_look_absorbs_stands_behind_it() -> None:
    """The camera makes sharpness, sharpness the score: beyond it the camera adds nothing."""
    rng = np.random.default_rng(3)
    camera = rng.integers(0, 3, N)
    sharp = 2.0 * camera + rng.normal(size=N)
    glasses = category("glasses", GLASSES)
    answer = explained(
        sharp + 0.2 * rng.normal(size=N), [number("sharpness", sharp), category("camera", camera), glasses], SUBJECTS
    )
    assert answer.causes[0].name == "sharpness"
    assert answer.behind is not None
    assert answer.behind.name == "camera"
    # Of a variance of 4 * 2/3 + 1, the camera makes 8/3.
    assert answer.behind.share.value == pytest.approx((8 / 3) / (8 / 3 + 1), abs=0.05)
    assert explained(sharp, [number("sharpness", sharp), glasses], SUBJECTS).behind is None
    of_itself = explained(BRIGHT, [number("brightness", BRIGHT), category("camera", camera)], SUBJECTS)
    assert of_itself.behind is None


def test_known_causes_get_their_shares() -> None:
    """Independent parts with variances of 4, 1 and 1: two thirds, a sixth, a sixth."""
    values = -2 * BRIGHT + 2 * (GLASSES - 0.5) + OWN
    answer = explained(values, [category("glasses", GLASSES), number("brightness", BRIGHT)], SUBJECTS)
    bright, glasses = answer.causes
    assert (bright.name, glasses.name) == ("brightness", "glasses")
    assert bright.alone.value == pytest.approx(4 / 6, abs=0.06)
    assert glasses.alone.value == pytest.approx(1 / 6, abs=0.04)
    assert bright.beyond is not None
    assert bright.beyond.value == pytest.approx(4 / 6, abs=0.06)
    assert glasses.beside_first is not None
    assert glasses.beside_first.value == pytest.approx(1 / 6, abs=0.04)
    assert bright.rho is not None
    assert bright.rho.value == pytest.approx(-0.81, abs=0.05)
    assert glasses.rho is None
    assert (glasses.lowest, glasses.highest) == ("v0", "v1")
    (person,) = answer.whose
    assert person.name == "subject"
    assert person.alone.value == pytest.approx(1 / 6, abs=0.06)
    assert person.beyond is not None
    assert person.beyond.value == pytest.approx(1 / 6, abs=0.05)
    for share in (bright.alone, glasses.alone, person.alone, bright.rho):
        assert share.low is not None
        assert share.high is not None
        assert share.low < share.value < share.high
    assert answer.together is not None
    assert answer.together.value == pytest.approx(5 / 6, abs=0.06)


def test_what_goes_up_and_down_is_explained_without_a_correlation() -> None:
    (cause,) = explained(np.square(BRIGHT), [number("brightness", BRIGHT)], SUBJECTS).causes
    assert cause.alone.value > 0.85
    assert cause.rho is not None
    assert abs(cause.rho.value) < 0.15


@pytest.mark.parametrize(
    "irrelevant",
    [
        category("of every image", RNG.integers(0, 200, N)),
        category("of every person", RNG.integers(0, 12, PEOPLE)[U]),
        number("noise", RNG.normal(size=N)),
        number("age", RNG.normal(size=PEOPLE)[U]),
    ],
    ids=lambda factor: factor.name,
)
def test_many_values_and_traits_of_people_explain_nothing_by_chance(irrelevant: Factor) -> None:
    """Twelve months of birth among forty people would explain a quarter of what the person does."""
    values = 3 * OWN + BRIGHT
    bright, other = explained(values, [irrelevant, number("brightness", BRIGHT)], SUBJECTS).causes
    assert bright.name == "brightness"
    assert other.alone.value < 0.03
    assert other.beyond is not None
    assert other.beyond.value < 0.03


def test_epsilon_squared_by_hand() -> None:
    """Ranks 1..40 in five people of eight ranks in a row: within 5 * 42, in all 40 (40^2 - 1) / 12 = 5330.

    1 - (210 / 35) / (5330 / 39) = 0.956.
    """
    units = Units("subject", np.repeat(np.arange(5), 8))
    (person,) = explained(np.arange(40.0), [], units).whose
    assert person.alone.value == pytest.approx(1 - (210 / 35) / (5330 / 39))
    shuffled = np.random.default_rng(1).permutation(40)
    (same,) = explained(np.arange(40.0)[shuffled], [], Units("subject", units.groups[shuffled])).whose
    assert (same.alone.value, same.alone.low) == pytest.approx((person.alone.value, person.alone.low))


def test_held_out_share_by_hand() -> None:
    """Five people alike, score and two-valued cause the same: everything is explained, up to the ridge."""
    codes = np.tile([0, 1], 20)
    units = Units("subject", np.repeat(np.arange(5), 8))
    (cause,) = explained(codes.astype(float), [category("hat", codes)], units).causes
    assert cause.alone.value == pytest.approx(1, abs=1e-4)


def test_causes_that_cannot_be_told_apart_are_one_and_take_nothing_from_each_other() -> None:
    values = BRIGHT + 0.3 * RNG.normal(size=N)
    twin = number("contrast", np.exp(BRIGHT))  # the same ranks
    answer = explained(values, [number("brightness", BRIGHT), twin, number("noise", RNG.normal(size=N))], SUBJECTS)
    bright = answer.causes[0]
    assert bright.same_as == ("contrast",)
    assert bright.beyond is not None
    assert bright.beyond.value > 0.8
    renamed = category("eyewear", 1 - GLASSES)
    (glasses,) = explained(GLASSES + values / 9, [category("glasses", GLASSES), renamed], SUBJECTS).causes
    assert glasses.same_as == ("eyewear",)


def test_missing_values_are_counted_and_left_out() -> None:
    values = BRIGHT.copy()
    values[:9] = np.nan
    known = BRIGHT.copy()
    known[5:30] = np.nan
    answer = explained(values, [number("brightness", known)], SUBJECTS)
    assert (answer.n, answer.n_missing) == (N - 9, 9)
    (cause,) = answer.causes
    assert (cause.n, cause.n_missing) == (N - 30, 21)
    assert cause.alone.value > 0.95


def test_what_cannot_be_judged_says_why() -> None:
    one_each = category("name", U)
    rare = number("rare", np.where(U < 2, BRIGHT, np.nan))
    constant, empty = category("mode", np.zeros(N)), number("pose", np.full(N, np.nan))
    answer = explained(BRIGHT, [one_each, rare, constant, empty], SUBJECTS)
    assert answer.causes == ()
    assert answer.skipped == {
        "name": "no two subjects share a value",
        "rare": "stated for 30 samples of 2 subjects only",
        "mode": "the same everywhere: v0",
        "pose": "empty",
    }
    assert explained(BRIGHT[:10], [one_each], SUBJECTS.of(np.arange(10))).skipped == {
        "name": "fewer than 20 samples have a score"
    }
    assert explained(np.ones(N), [one_each], SUBJECTS).skipped == {"name": "the score is the same everywhere"}


def test_sessions_are_what_they_add_to_their_people() -> None:
    sessions = np.array([f"s{i}" for i in np.arange(N) // 5])
    values = OWN + RNG.normal(size=N // 5)[np.arange(N) // 5] + 0.5 * RNG.normal(size=N)
    person, session = explained(values, [], SUBJECTS, {"session": sessions}).whose
    assert person.alone.value == pytest.approx(1 / 2.25, abs=0.15)
    assert session.name == "session"
    assert session.n_values == N // 5
    assert session.alone.value == pytest.approx(2 / 2.25, abs=0.08)
    assert session.beyond is not None
    assert session.beyond.value == pytest.approx(1 / 2.25, abs=0.12)
    assert len(explained(values, [], SUBJECTS, {"session": U.astype(str)}).whose) == 1  # divides nobody


def test_samples_without_people_are_units_of_their_own() -> None:
    answer = explained(BRIGHT, [category("hat", GLASSES)], Units("sample", np.arange(N)))
    assert answer.whose == ()
    assert answer.causes[0].alone.value < 0.02


def test_strips_are_fifths_of_numbers_and_values_of_categories() -> None:
    numbers, values = np.arange(100.0), np.arange(100.0)[::-1].copy()
    values[0] = np.nan  # of number 0
    units = Units("subject", np.arange(100) % 10)
    listed, n_more = strips(values, number("brightness", numbers), units)
    assert n_more == 0
    assert [len(strip.rows) for strip in listed] == [20, 20, 20, 20, 19]
    assert listed[0].rows.tolist() == list(range(1, 21))
    assert [strip.median.value for strip in listed] == [88, 68, 48, 28, 9]
    assert listed[0].name == "1 to 20"
    assert listed[0].median.low is not None
    assert listed[0].median.low <= 88
    by_name, _ = strips(values, category("hat", np.arange(100) % 3), units)
    assert [(strip.name, len(strip.rows)) for strip in by_name] == [("v0", 33), ("v1", 33), ("v2", 33)]
    crowded, n_more = strips(values, category("id", np.arange(100) // 2), units)
    assert len(crowded) + n_more == 50
