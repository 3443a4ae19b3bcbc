"""Texts of few kinds, kept as positions in their names."""

import numpy as np
import pandas as pd

from fas_core.data.names import Named, group_codes, groups_of


def test_groups_kept_as_positions_are_the_texts() -> None:
    samples = pd.DataFrame(
        {
            "subset": ["train", "unseen_mask", "unseen_mask", "seen_paper", "train"],
            "label": ["bona_fide", "attack", "bona_fide", "attack", "bona_fide"],
            "pai_species": ["", "mask", "", "paper", ""],
        }
    )
    texts, groups = groups_of(samples), Named(*group_codes(samples))
    assert groups[:].tolist() == texts.tolist()
    assert groups[[3, 0]].tolist() == ["seen_paper", "train"]
    assert str(groups[1]) == "unseen_mask"
    np.testing.assert_array_equal(groups.are("train", "no group"), texts == "train")
    assert groups.counts(np.array([0, 1, 4])) == {"train": 2, "unseen_mask": 1}
    assert sum(groups.counts().values()) == len(groups) == 5
