"""The map of Gaussians by groups: its cells, and which one is clicked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from app.charts import mixtures

SHARES = {"unseen_mask": np.array([0.25, 0.75]), "train": np.array([0.9, 0.1])}


def test_every_cell_says_its_gaussian_its_share_and_its_group() -> None:
    chart: dict[str, Any] = mixtures.component_map(SHARES, {"train": 1000, "unseen_mask": 4}, 1)
    cells, frame = chart["series"]
    assert cells["data"][0] == [0, 0, 90.0, "Gaussian 1", "90.0% of train (n = 1,000)"]  # training on top
    assert cells["data"][3] == [1, 1, 75.0, "Gaussian 2", "75.0% of unseen mask (n = 4)"]
    assert chart["visualMap"]["max"] == 90
    assert {x for x, _ in frame["data"]} == {1, 2}
    json.dumps(chart, allow_nan=False)


@pytest.mark.parametrize(
    ("indices", "cell"),
    [([0], (0, "train")), ([2], (0, "unseen_mask")), ([3], (1, "unseen_mask")), ([], None), ([9], None)],
)
def test_a_click_is_a_gaussian_and_a_group(indices: list[int], cell: tuple[int, str] | None) -> None:
    assert mixtures.selected_cell([{"data_indices": indices}], SHARES) == cell
    assert mixtures.selected_cell([], SHARES) is None
