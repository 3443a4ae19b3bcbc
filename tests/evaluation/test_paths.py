"""Paths of codes: their places, where they begin, and what is said of them, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fas_core.evaluation import paths
from fas_core.evaluation.paths import Path, Unlike
from fas_core.evaluation.traversal import Direction


def unlike(values: list[float], threshold: float | None = None) -> Unlike:
    return Unlike("mahalanobis", np.array(values, float), np.arange(100.0), threshold)


def line(n: int) -> Path:
    return Path("line", np.zeros((n, 2)), [f"s{i}" for i in range(n)], "straight line")


def test_each_kind_of_path_knows_how_it_is_shown() -> None:
    direction = Direction("along latent dimension 0", np.array([2.0, 0.0]), "sd")
    moved = paths.along(direction, np.array([1.0, 5.0]), 4.0)
    np.testing.assert_allclose(moved.codes[:, 0], np.arange(-7, 10, 2))
    assert (moved.places[0], moved.places[4], moved.places[-1]) == ("−4\u00a0sd", "0", "+4\u00a0sd")
    assert (moved.columns, moved.is_ordered, moved.compared_with, moved.first) == (9, True, 4, "sample")
    between = paths.between(np.array([[0.0, 0.0], [8.0, 8.0]]))
    assert between.places[::2] == ["A", "25\u00a0%", "50\u00a0%", "75\u00a0%", "B"]
    assert (between.compared_with, between.first) == (0, "A")
    four = paths.among(np.array([[0.0], [4.0], [8.0], [12.0]]))
    assert (four.columns, four.is_ordered) == (5, False)
    assert [four.places[i] for i in (0, 4, 12, 20, 24)] == ["A", "B", "row 3, column 3", "C", "D"]
    assert four.codes[12] == 6
    drawn = Path("prior", np.zeros((20, 2)), [], "")
    assert (drawn.columns, drawn.is_ordered, drawn.compared_with) == (9, False, None)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2, 3, 4], "No step would be"),
        ([9, 9, 9, 9], "Every step would be"),
        ([9, 1, 1, 1], "Step s0 would be"),
        ([9, 9, 1, 9], "Steps s0 to s1 and s3 would be"),
        ([1, 5, 1, 1], "Step s1 would be"),  # at the threshold is an attack
    ],
)
def test_neighbouring_steps_beyond_the_limit_are_told_as_one(values: list[float], said: str) -> None:
    told = paths.crossing(line(4), unlike(values, threshold=5))
    assert told == f"{said} called an attack by mahalanobis (threshold 5, by the rule in the sidebar)."


def test_without_a_threshold_live_faces_are_the_limit() -> None:
    assert unlike([0]).limit == pytest.approx(np.quantile(np.arange(100.0), 0.95))
    assert "farther from live training than 95% of live faces" in paths.crossing(line(2), unlike([94, 95]))


def test_the_answer_says_where_a_moved_code_is_nearest_and_farthest() -> None:
    path = Path("direction", np.zeros((3, 2)), ["−1", "0", "+1"], "along x")
    said = paths.answer(path, unlike([10, 50, 200], threshold=60), ["**a**"], "along *x*").replace("\u00a0", " ")
    assert said.startswith(
        "The code of **a** lies farther from live training than 50 % of live faces. Moved along *x*, it comes nearest "
        "at **−1** (farther than 10 % of live faces) and is farthest at **+1** (all live faces). Step +1 would be"
    )
    drawn = Path("gaussian", np.zeros((3, 2)), ["1", "2", "3"], "")
    said = paths.answer(drawn, unlike([10, 50, 200], threshold=60), [], "")
    assert said.startswith(
        "**1 of 3** codes drawn from a Gaussian that stands in for a prior would be called an attack"
    )
    assert paths.answer(line(2), None, ["a", "b"], "") == "What the decoder makes of codes between two samples."


def test_a_path_begins_at_a_middling_live_face_and_the_worst_attack() -> None:
    samples = pd.DataFrame(
        {
            "label": ["bona_fide"] * 6 + ["attack"] * 4,
            "pai_species": [""] * 6 + ["mask", "mask", "paper", "paper"],
            "subset": ["train", "test", "test", "test", "test", "test", "test", "test", "test", "other"],
        }
    )
    values = np.array([9.0, 3.0, 1.0, 2.0, 5.0, 4.0, np.nan, 7.0, 8.0, 99.0])
    assert paths.live_rows(samples, ["train", "test"]).tolist() == [1, 2, 3, 4, 5]
    assert paths.live_rows(samples, ["train"]).tolist() == [0]
    # Live by score: rows 2, 3, 1, 5, 4. Worst mask: 7, as 6 has no score; worst paper of the chosen subset: 8.
    assert paths.first_choice(samples, values, ["test"]) == [1, 7, 2, 8]
    assert paths.first_choice(samples, values, ["train"]) == [0, 0, 0, 0]
