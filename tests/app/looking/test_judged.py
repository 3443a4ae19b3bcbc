"""What is said of all samples of a Run, without sorting all of them."""

import numpy as np
import pytest

from app.looking.judged import highest, wrong_ones


@pytest.mark.parametrize("n", [1, 3, 50, 400, 500, 600])
def test_the_highest_are_those_of_all_sorted(n: int) -> None:
    values = np.random.default_rng(0).integers(0, 40, 500).astype(np.float64)
    values[::7] = np.nan
    assert highest(values, n).tolist() == np.argsort(-values, kind="stable")[:n].tolist()
    assert highest(values[:0], n).tolist() == []


def test_wrong_verdicts_are_counted() -> None:
    assert wrong_ones({"right": 2, "missed": 1_200}) == "1,200 missed attacks"
    assert wrong_ones({"missed": 3}) == "all missed attacks"
    assert wrong_ones({"right": 1, "no response": 1}) == "no verdict is wrong"
