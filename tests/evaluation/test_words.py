"""Differences in sentences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.evaluation import differences
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.headline import headline
from fas_core.evaluation.join import System
from fas_core.evaluation.regressions import Cell, Regressions
from fas_core.evaluation.words import _species_words, clear, metric_words, threshold_text
from fas_core.metrics import operating_point as op
from fas_core.metrics.resampling import Statistic
from fas_core.runs.scorefile import scores_only_run

from .conftest import ATTACKS_A, LIVE, document_of, run_of


def test_a_difference_that_many_species_explain_says_so() -> None:
    sets = {"mask": (0.2, 0.001), "print": (0.1, 0.03), "replay": (0.05, 0.6)}
    by_metric = {
        differences.apcer_of(name, differences.DEFAULT): differences.Difference(
            0.4, 0.4 + by, 0.01, 0.3, p, "bootstrap"
        )
        for name, (by, p) in sets.items()
    }
    counts = dict.fromkeys(["bona_fide", *sets], 50)
    words = _species_words(differences.DEFAULT, by_metric, counts, "B")
    assert "misses more attacks of mask 60 %" in words
    assert "no clear difference for print 50 %" in words
    assert words.endswith("(each p is of one species; what is clear is so after Holm's correction for 3 species).")
    by_metric.pop(differences.apcer_of("print", differences.DEFAULT))
    counts.pop("print")
    assert "Holm" not in _species_words(differences.DEFAULT, by_metric, counts, "B")


def test_what_the_headline_calls_clear_the_details_do() -> None:
    cells = [
        Cell("", "", kind, 50, 50, 0.4, 0.5, 0.01, 0.2, 0.02, p)
        for kind, p in {"bona_fide": 0.9, "mask": 0.04, "print": 0.06}.items()
    ]
    worse = Regressions((), tuple(cells), (), 3, "sample")
    by_metric = {
        differences.apcer_of(kind, differences.DEFAULT): differences.Difference(0.4, 0.5, 0.01, 0.2, 0.02, "swap")
        for kind in ("mask", "print")
    }
    counts = {"bona_fide": 50, "mask": 50, "print": 50}
    words = _species_words(differences.DEFAULT, by_metric, counts, "B", worse=worse)
    assert "B misses more attacks of mask 50 %" in words
    assert "no clear difference for print 50 %" in words
    assert words.endswith("what is clear is so after Holm's correction for live and 2 species).")
    assert headline(worse).answer.startswith("B is worse: it misses more mask attacks (")


def test_the_words_name_what_is_better_and_what_chance_explains(tmp_path: Path) -> None:
    n = 400
    rng = np.random.default_rng(3)
    kind = np.array(["", "mask", "print", "replay"])[np.arange(n) % 4]
    base = rng.normal(0, 1, n) + 2 * (kind != "")
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "label": np.where(kind == "", "bona_fide", "attack"),
            "pai_species": kind,
            "subset": "test",
            "a": base,
            "same": base,
            "b": base + np.select([kind == "print", kind == "mask"], [2.5, -1.5], rng.normal(0, 0.05, n)),
        }
    )
    run = scores_only_run(tmp_path, "r", table, ["a", "b", "same"], "")
    document = compared(System(run, "a"), System(run, "b"), resamples=500).as_json()
    words = document["in_words"]
    first = words[0]
    assert first.startswith("Where each rejects at most 5 % of the 100 live samples, B misses fewer attacks of print ")
    assert "; but more of mask " in first
    assert "; no clear difference for replay " in first
    of_mask = document["metrics"]["apcer_mask_at_bpcer_0.05"]
    assert f"{100 * of_mask['b']:.0f} % instead of {100 * of_mask['a']:.0f} %" in first
    assert re.search(r"\+\d+ points \[\+\d+ to \+\d+\], p ≤ 0\.004", first)
    assert words[1].startswith("Over all thresholds B separates worse: AUC")
    assert words[2].startswith(f"B puts {document['flips']['fixed']} wrong verdicts right")
    same = compared(System(run, "a"), System(run, "same"), resamples=50).as_json()
    assert same["in_words"][0].endswith("B misses the same share of every attack species as A.")
    assert "cannot be told apart" in same["in_words"][1]
    by_apcer = compared(System(run, "a"), System(run, "b"), op.rule("apcer<=0.1"), resamples=50).as_json()
    assert by_apcer["in_words"][0].startswith("Where each lets at most 10 % of every species pass, B rejects more of")


def test_where_ties_leave_no_threshold_nothing_is_compared_at_one(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    b = run_of(tmp_path, "b", {name: min(score, 4.0) for name, score in (LIVE | ATTACKS_A).items()})
    words = document_of(a, b)["in_words"]
    assert words[0] == (
        "BPCER ≤ 5 % cannot be matched: B has no point between 0.0 % and 85.0 %, where live samples share a score, so "
        "nothing is compared at a threshold."
    )
    assert words[1].startswith("Over all thresholds the two cannot be told apart")
    assert len(words) == 2


def test_chance_is_judged_over_all_species_together() -> None:
    a, b, c = (Statistic("roc_auc", name) for name in "abc")
    by_metric = {
        statistic: differences.Difference(0, 0.1, 0, 0.2, p, "bootstrap")
        for statistic, p in zip((a, b, c), (0.02, 0.03, 0.6), strict=True)
    }
    assert clear(by_metric, [a, b, c]) == set()  # 0.02 * 3 is above 0.05
    assert clear(by_metric, [c, a]) == {a}
    by_metric[b] = differences.Difference(0, 0.1)  # without a p it is no comparison
    assert clear(by_metric, [a, b, c]) == {a}


def test_a_metric_is_named_by_what_it_is_of_and_at() -> None:
    rule = op.rule("bpcer<=0.025")
    names = {
        Statistic("roc_auc"): "AUC",
        Statistic("roc_auc", "3d_mask"): "AUC of 3d mask",
        Statistic("eer"): "EER",
        Statistic("average_precision"): "Average precision",
        Statistic("bpcer_at_apcer", 0.025): "BPCER at APCER ≤ 2.5 %",
        Statistic("apcer_max_at_bpcer", 0.025): "APCER of the worst species at BPCER ≤ 2.5 %",
        Statistic("apcer_at_bpcer", (0.025, None)): "APCER of all attacks at BPCER ≤ 2.5 %",
        differences.apcer_of("max", rule): "APCER of max at BPCER ≤ 2.5 %",
        differences.apcer_of("3d_mask", rule): "APCER of 3d mask at BPCER ≤ 2.5 %",
    }
    assert {statistic: metric_words(statistic) for statistic in names} == names


def test_who_types_a_shown_threshold_decides_alike() -> None:
    shown = {1.0: "1", 412.0: "412", 0.1: "0.1", np.nextafter(1.0, 2): "1.0000000000000002", -1e-09: "-1e-09"}
    assert {value: threshold_text(value) for value in shown} == shown
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(100, 30, 300), rng.lognormal(0, 40, 300), np.float32(rng.normal(0, 1, 300))])
    for value in np.nextafter(values, np.inf):
        assert float(threshold_text(value)) == value
        assert op.rule(f"threshold={threshold_text(value)}").value == value
