"""Several Runs against the first, and trainings that differ by their seed alone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fas_core import files
from fas_core.errors import BadInputError
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.differences import ROC_AUC
from fas_core.evaluation.join import System
from fas_core.evaluation.several import Several, several
from fas_core.reports import papers
from fas_core.runs import store

from .conftest import ATTACKS_A, ATTACKS_B, LIVE, run_of


def trained(run: store.Run, **experiment: Any) -> store.Run:
    """As a checkpoint of this experiment would have left it."""
    header = {"experiment": {"name": "small", **experiment}, "data_sha256": "d", "precision": "fp32"}
    return store.Run(run.folder, replace(run.info, checkpoint_header=header), run.shards)


@pytest.fixture
def of_four(tmp_path: Path) -> Several:
    """A baseline, and three seeds of one experiment of one name, of which one lacks a sample."""
    rng = np.random.default_rng(0)
    runs = [run_of(tmp_path, "=base", LIVE | ATTACKS_A)]
    for seed in (0, 1, 2):
        noisy = {name: value + float(rng.normal(0, 3)) for name, value in (LIVE | ATTACKS_B).items()}
        if seed == 2:
            del noisy["mask1"]
        runs.append(trained(run_of(tmp_path, "small", noisy), seed=seed, epochs=3))
    return several([System(run, "score") for run in runs], resamples=100)


def test_all_are_judged_on_what_all_have_each_against_the_first(of_four: Several) -> None:
    assert [pair.n_common for pair in of_four.pairs] == [25, 25, 25]
    a, b, _, d = of_four.systems
    assert {pair.metrics[ROC_AUC].a for pair in of_four.pairs} == {of_four.values(0)[ROC_AUC]}
    # Without the others, one sample more would count.
    assert compared(a, b, resamples=100).n_common == 26
    assert of_four.pairs[2].metrics[ROC_AUC].b == compared(a, d, resamples=100).metrics[ROC_AUC].b
    assert len(set(of_four.names)) == 4, "three of one name are told apart"
    with pytest.raises(BadInputError, match="named twice"):
        several([a, b, b], resamples=100)


def test_seeds_are_taken_together_and_not_mixed_with_intervals_by_people(of_four: Several) -> None:
    [group] = of_four.seeds
    assert (group.name, group.seeds) == ("small", (0, 1, 2))
    areas = [of_four.values(number)[ROC_AUC] for number in (1, 2, 3)]
    spread = group.metrics[ROC_AUC]
    assert spread.mean == pytest.approx(np.mean(areas))
    assert spread.deviation == pytest.approx(np.std(areas, ddof=1))
    assert (spread.low, spread.high) == (min(areas), max(areas))
    assert group.above[ROC_AUC] == pytest.approx(np.mean(areas) - of_four.values(0)[ROC_AUC])
    table = pd.read_csv(io.BytesIO(files.csv(papers.differences(of_four))))
    assert set(table["run"]) == {"'=base", "small", *of_four.names[1:]}, "no name is a formula"
    of_seeds, single = table[table["seeds"].notna()], table[table["seeds"].isna()]
    assert of_seeds["low95"].isna().all()
    assert single["deviation"].isna().all()
    assert of_seeds.set_index("metric")["value"]["roc_auc"] == pytest.approx(spread.mean)
    latex = papers.latex_of_several(of_four)
    assert f"{spread.mean:.3f} $\\pm$ {spread.deviation:.3f}" in latex
    assert "standard deviation of single trainings" in latex
    assert "by sample" in latex
    assert (latex.count("\\\\\n"), latex.count(r"\midrule")) == (1 + 4 + 1, 2)
    document = of_four.as_json()
    assert [run["score"] for run in document["runs"]] == ["score"] * 4
    assert document["seeds"][0]["metrics"]["roc_auc"]["deviation"] == pytest.approx(spread.deviation)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({"seed": 0}, {"seed": 0}), ({"seed": 0, "epochs": 3}, {"seed": 1, "epochs": 4}), ({}, {"seed": 1})],
)
def test_what_differs_in_more_than_the_seed_is_no_second_training(
    tmp_path: Path, ours: dict[str, int], theirs: dict[str, int]
) -> None:
    runs = [run_of(tmp_path, name, LIVE | scores) for name, scores in (("a", ATTACKS_A), ("b", ATTACKS_B))]
    pair = [System(trained(run, **of), "score") for run, of in zip(runs, (ours, theirs), strict=True)]
    assert several(pair, resamples=100).seeds == ()
    alike = [System(trained(run, seed=seed), "score") for seed, run in enumerate(runs)]
    [group] = several(alike, resamples=100).seeds
    assert group.above == {}, "the first is one of them: nothing to compare its mean with"
