"""What the latent pages say and choose, without a page."""

from __future__ import annotations

import numpy as np
import pytest

from app.latent.movement import moved
from app.latent.projecting import umap_note
from app.latent.unusual import lowest
from fas_core.latent.projection import Umap


def test_the_lowest_values_that_fit_come_in_order_and_ties_by_position() -> None:
    values = np.array([5.0, 1, 3, 1, 0, 2])
    fits = np.array([True, True, True, True, False, True])
    assert lowest(values, fits, 10).tolist() == [1, 3, 5, 2, 0]
    assert lowest(values, fits, 3).tolist() == [1, 3, 5]
    assert lowest(values, ~fits & (values > 9), 3).tolist() == []


def test_the_species_that_moved_most_is_named_first() -> None:
    before = {"paper": 1.0, "mask": 4.0, "replay": 2.0, "unsaid": None}
    after = {"paper": 1.5, "mask": 1.0, "replay": 2.04, "unsaid": 3.0}
    assert moved("epoch 1", "epoch 4", before, after) == (
        "From epoch 1 to epoch 4, mask attacks moved **3.0 live spreads towards** live faces (4.0 → 1.0); "
        "paper attacks moved **0.5 live spreads away from** live faces (1.0 → 1.5); "
        "replay attacks moved **hardly at all** (2.0 → 2.0)."
    )
    assert moved("A", "B", {"paper": None}, {"paper": 1.0}).endswith("nothing can be said: live codes do not vary.")


@pytest.mark.parametrize(
    ("how", "counts", "note"),
    [
        (Umap(), (24, 24, 24), "UMAP fitted on all 24 images; no labels; seed 0"),
        (
            Umap(seed=3),
            (10_000, 50_000, 50_000),
            "UMAP fitted on 10,000 of 50,000 images (at most 10,000), the others placed between their nearest; "
            "no labels; seed 3",
        ),
        (
            Umap(5, 0.25, 7, "training"),
            (8, 8, 24),
            "UMAP fitted on all 8 live training images, the others placed between their nearest; 5 neighbours, least "
            "distance 0.25; no labels; seed 7",
        ),
    ],
)
def test_what_a_umap_was_fitted_on_is_said(how: Umap, counts: tuple[int, int, int], note: str) -> None:
    assert umap_note(how, *counts, d=8) == note
