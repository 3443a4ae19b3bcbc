"""Differences of Runs on numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.evaluation import differences
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System
from fas_core.evaluation.verdicts import MISSED, REJECTED
from fas_core.metrics import UndefinedMetricError, uncertainty
from fas_core.runs import store

from .conftest import ATTACKS_A, ATTACKS_B, correlated, document_of, pair_of, run_of


def test_flips_are_judged_at_each_run_s_own_threshold(both: tuple[store.Run, store.Run]) -> None:
    pair = pair_of(*both)
    flips = differences.flips(pair, differences.thresholds(pair))
    assert flips.threshold_a == np.nextafter(19.0, np.inf)
    assert flips.threshold_b == np.nextafter(190.0, np.inf)
    ids = pair.samples["sample_id"].to_numpy()
    assert sorted(ids[flips.fixed]) == ["paper0", "paper2"]
    assert sorted(ids[flips.broken]) == ["mask0"]
    assert sorted(ids[flips.both_wrong]) == ["live19", "mask1"]
    assert flips.verdicts_a[ids == "live19"] == [REJECTED]
    assert flips.verdicts_a[ids == "mask1"] == [MISSED]
    assert flips.counts() == (2, 1, uncertainty.mcnemar(2, 1))


def test_table_has_rates_and_areas_per_group_and_kind(both: tuple[store.Run, store.Run]) -> None:
    pair = pair_of(*both)
    flips = differences.flips(pair, differences.thresholds(pair))
    table = differences.table(pair, flips, pair.samples["subset"]).set_index(["group", "kind"])
    paper = table.loc[("", "paper")]
    assert (paper["n"], paper["wrong_a"], paper["wrong_b"], paper["difference"]) == (4, 0.5, 0.0, -0.5)
    assert (paper["fixed"], paper["broken"]) == (2, 0)
    # A: paper0 = 5 beats 4 live samples and ties one, paper2 = 18 beats 17 and ties one, the others beat all 20.
    assert paper["auc_a"] == (4.5 + 17.5 + 20 + 20) / 80
    assert paper["auc_b"] == 1.0
    assert table.loc[("live", "bona_fide"), "wrong_a"] == 0.05
    assert pd.isna(table.loc[("seen_mask", "mask"), "auc_a"])  # no bona fide sample in that subset


def test_the_interval_is_paired_and_holds_what_delong_holds(tmp_path: Path) -> None:
    run, _ = correlated(tmp_path, 600, None, 0.2)
    auc = compared(System(run, "a"), System(run, "b"), resamples=1000).as_json()["metrics"]["roc_auc"]
    attack = (run.samples(["label"])["label"] == "attack").to_numpy()
    _, v = uncertainty.delong([scores.values(run, "a"), scores.values(run, "b")], attack)
    half = 1.96 * np.sqrt(v[0, 0] + v[1, 1] - 2 * v[0, 1])
    assert auc["ci95"] == pytest.approx([auc["difference"] - half, auc["difference"] + half], abs=0.15 * half)
    assert half < 0.5 * 1.96 * np.sqrt(v[0, 0] + v[1, 1])  # unpaired it would be more than twice as wide


def test_many_independent_samples_are_drawn_in_groups_with_the_same_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = correlated(tmp_path, 1200, None, 0.2)
    systems = System(run, "a"), System(run, "b")
    single = compared(*systems, resamples=600).as_json()["metrics"]
    monkeypatch.setattr(differences, "GROUPS", 150)
    drawn: list[int] = []
    ours = uncertainty.draws
    monkeypatch.setattr("fas_core.metrics.resampling.draws", lambda *given: ours(*(drawn.append(given[1]), *given)[1:]))
    grouped = compared(*systems, resamples=600).as_json()["metrics"]
    assert drawn == [150]
    for name in ("roc_auc", "apcer_max_at_bpcer_0.05"):
        widths = [metrics[name]["ci95"][1] - metrics[name]["ci95"][0] for metrics in (single, grouped)]
        assert widths[1] == pytest.approx(widths[0], rel=0.3)


def test_few_units_cannot_prove_much(tmp_path: Path) -> None:
    run, _ = correlated(tmp_path, 400, 3, 3.0)
    metrics = compared(System(run, "a"), System(run, "b"), resamples=400).as_json()["metrics"]
    assert metrics["roc_auc"]["p"] == 0.25  # three tosses of a coin, all alike: 2 / 2^3


def test_without_live_samples_there_are_no_flips(tmp_path: Path) -> None:
    a, b = run_of(tmp_path, "a", ATTACKS_A), run_of(tmp_path, "b", ATTACKS_B)
    pair = pair_of(a, b)
    with pytest.raises(UndefinedMetricError):
        differences.thresholds(pair)
    assert differences.table(pair, None, pair.samples["subset"])["wrong_a"].isna().all()
    document = document_of(a, b)
    assert document["flips"] is None
    assert document["metrics"]["roc_auc"] == dict.fromkeys(("a", "b", "difference", "ci95", "p", "method")) | {
        "p_is_bound": False
    }
    assert "one class only" in document["in_words"][0]
