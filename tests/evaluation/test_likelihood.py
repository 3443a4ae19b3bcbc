"""Which number of Gaussians the criteria speak for, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fas_core.evaluation import likelihood
from fas_core.latent.mixture import Split

SPLIT = Split(np.arange(8), np.arange(2), "subjects", 1)


def test_the_best_number_is_named_beside_the_chosen_one() -> None:
    held_out = pd.Series({1: -50.0, 2: -37.5, 4: -1234.56, 8: np.nan})
    said = likelihood.best_words(held_out, 4, SPLIT).replace("\u00a0", " ")
    assert said == (
        "Best by held-out likelihood: **2 Gaussians** (−37.5 nats per image of 1 training subject left out of the fit, "
        "−1,234.6 with 4)."
    )
    usual = likelihood.best_words(pd.Series({2: -37.5, 8: -40.0}), 8, SPLIT).replace("\u00a0", " ")
    assert usual.startswith(
        "8 Gaussians are the thesis' number (figure 4.4), chosen before any result, and the score gmm_nll's. Best by "
        "held-out likelihood: **2 Gaussians** (−37.5 nats"
    )
    assert likelihood.best_words(pd.Series({2: -37.5, 8: -30.0}), 8, SPLIT).startswith("This number is the best")
    assert "with 8" not in likelihood.best_words(held_out, 8, SPLIT)  # nobody knows what it is there
    assert likelihood.best_words(held_out, 2, SPLIT).startswith("This number is the best by held-out likelihood: −37.5")
    assert likelihood.best_words(held_out.iloc[2:], 4, SPLIT) == ""  # one number is no comparison


def test_what_is_improbable_is_counted_outside_training() -> None:
    samples = pd.DataFrame(
        {
            "subset": ["train"] * 4 + ["dev"] * 3 + ["test"] * 2,
            "label": ["bona_fide"] * 6 + ["attack"] * 3,
            "pai_species": [""] * 6 + ["paper", "", "unspecified"],
        }
    )
    values = np.array([0.0, 1, 2, 3, 1, -1, 0, 5, -9])
    told = likelihood.improbability(samples, values, values[:4])
    assert told.auc == {"paper": 0.5, "unspecified": 0.5}
    assert told.n_attack == {"paper": 1, "unspecified": 2}  # one has no name
    assert told.n_live == 2
    assert told.limit == pytest.approx(0.15)  # the 5th percentile of 0, 1, 2, 3
    assert told.table["n"].tolist() == [4, 2, 1, 1, 1]
    alone = likelihood.improbability(samples[:6], values[:6], values[:4])
    assert (alone.auc, alone.n_attack, alone.n_live) == ({}, {}, 2)


def test_the_axis_ends_ten_gains_below_the_best() -> None:
    assert likelihood.held_out_floor(pd.Series([-50.0, -40.0, -9000.0])) == -40 - 10 * 10
    assert likelihood.held_out_floor(pd.Series([-40.0, -40.5])) == -40 - 10  # a gain of at least one nat
