"""A selection against the rest, of a real Run: what is asked about, and what stands in the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.components.scatter import selection_of
from app.latent.explained import Chosen, compared, table_of
from app.parts.selection import Points
from fas_core.evaluation.selected import Compared, Difference
from fas_core.runs import store
from fas_core.runs.store import Run


@pytest.fixture
def run(tiny_cache: Path) -> Run:
    return store.open_run(tiny_cache, "a")


@pytest.mark.usefixtures("fresh_caches")
def test_species_subsets_columns_looks_and_the_score_of_drawn_points_are_asked_about(run: Run) -> None:
    attacks = np.flatnonzero(run.samples(["label"])["label"].to_numpy() == "attack")
    points = Points("latent", run.digest, run, None, tuple(run.subsets))
    found = compared(Chosen(points, selection_of(attacks, len(run), run.digest), "rec"))
    assert (found.n_selected, found.n_rest, found.unit) == (6, 18, "subject")
    by_name = {(one.factor, one.value): one for one in found.differences}
    assert ("rec", "") in by_name
    assert {"brightness", "glasses"} & {one.factor for one in found.differences}
    # The chosen subsets alone are the rest.
    few = Points("latent", run.digest, run, None, ("live", "seen_paper"))
    found = compared(Chosen(few, selection_of(attacks, len(run), run.digest), "rec"))
    assert (found.n_selected, found.n_rest) == (3, 7)


def test_a_row_of_the_table_says_what_how_often_and_with_which_p() -> None:
    clear = Difference("pai_species", "video_replay", 0.9, 0.125, 27, 120, 2.0, 0.0005, (("attack_type", "screen"),))
    dark = Difference("brightness", "", -0.25, 0.5, 30, 960, -1.0, 0.032)
    chance = Difference("glasses", "yes", 0.6, 0.5, 18, 480, 0.2, 0.4)
    person = Difference("subject", "anna", 0.5, 0.02, 15, 20, 3.0, None)
    table = table_of(Compared(30, 960, "subject", 40, 12, (clear, dark, chance), (person,)))
    assert table.to_numpy().tolist() == [
        ["species: video replay", "90\u00a0% (27)", "12\u00a0% (120)", "< 0.001", "attack type screen"],
        ["lower brightness", "−0.25", "0.5", "0.032", ""],
        ["glasses: yes", "60\u00a0% (18)", "50\u00a0% (480)", "0.4", ""],  # not clear, and told all the same
        ["subject: anna", "50\u00a0% (15)", "2\u00a0% (20)", "–", ""],
    ]
