"""A sample found by its id."""

import pandas as pd
import pytest

from app.parts import sample

IDS = pd.Index(["paper_1", "paper_10", "Mask.1", "paper_11"])


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ("paper_1", [0]),  # the whole of an id is that one, though others contain it
        ("PAPER_1", [0, 1, 3]),
        ("mask.1", [2]),
        ("r.1", []),  # no pattern
        ("", []),
        ("gone", []),
    ],
)
def test_an_id_or_a_part_of_one(asked: str, rows: list[int]) -> None:
    assert sample.matching(IDS, asked).tolist() == rows
