"""What is known of the data of a Run is the same of its samples and of their kinds, counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data.names import TRAINING_USE
from fas_core.runs import census, columns, health, store
from fas_core.runs.store import Run
from tests.conftest import learned_samples, write_image_run


def every_finding() -> pd.DataFrame:
    """Samples of which there is something of every kind to be said, and texts that are missing."""
    rows = pd.concat([learned_samples()] * 4, ignore_index=True)
    rows["sample_id"] = [f"s{i}" for i in range(len(rows))]
    rows.loc[rows.index[-1], "sample_id"] = "s40"
    is_attack = rows["label"] == "attack"
    rows["subject_id"] = np.where(np.arange(len(rows)) % 7 == 0, "", [f"p{i % 5}" for i in range(len(rows))])
    rows["session_id"] = [f"c{i % 3}" for i in range(len(rows))]
    rows.loc[is_attack & (rows.index % 3 == 0), "pai_species"] = "injection: replay"
    rows["simulated"] = np.where(is_attack & (rows.index % 3 == 1), "yes", "")
    rows["held_out_by"] = ["image", None] * (len(rows) // 2)
    return rows.assign(is_constant=rows.index % 8 == 0)


def said(run: Run) -> tuple[list[str], list[list[health.Caution]], object, object]:
    kinds = census.of_run(run)
    cautions = [health.cautions(run, subsets) for subsets in (None, ["live"], ["seen_paper", "unseen_mask"])]
    shared = health.subject_overlap(run, ["live"], ["seen_paper"])
    return health.findings(run, kinds), cautions, shared, health.counts(kinds).to_dict()


def test_what_is_counted_once_says_what_the_samples_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_image_run(tmp_path, "a", every_finding(), shard_size=7)
    of_samples, n = said(run), len(census.of_run(run))
    of_each = {caution.kind for caution in of_samples[1][0]}
    assert of_each == {"training_overlap", "subset_overlap", "no_subjects", "injections", "simulated"}
    assert len(of_samples[0]) == 9
    monkeypatch.setattr(columns, "FEW", 0)
    assert len(census.of_run(run)) < n == len(run)
    assert said(run) == of_samples
    again = store.opened(run.folder)
    monkeypatch.setattr(census, "_counted", lambda _: pytest.fail("counted again"))
    assert said(again) == of_samples
    assert TRAINING_USE in census.of_run(again)
