"""Comparing Runs on numbers worked out by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fas_core import scores
from fas_core.errors import BadInputError
from fas_core.evaluation import differences
from fas_core.evaluation.comparison import document
from fas_core.evaluation.join import Joined, System, joined
from fas_core.evaluation.verdicts import MISSED, REJECTED, percentiles, verdicts_at
from fas_core.evaluation.words import _species_words, clear
from fas_core.metrics import UndefinedMetricError, uncertainty
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

# 20 live samples score 1..20: with BPCER <= 5 % one of them (20) may be rejected, so the threshold is just above 19.
LIVE = {f"live{i:02d}": float(i + 1) for i in range(20)}


def run_of(cache: Path, name: str, scores: dict[str, float], *, shuffled: int | None = None) -> store.Run:
    """A scores-only Run; ids tell label and species: live..., paper..., mask..."""
    ids = list(scores)
    if shuffled is not None:
        ids = [ids[i] for i in np.random.default_rng(shuffled).permutation(len(ids))]
    kinds = ["".join(c for c in i if c.isalpha()) for i in ids]
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "label": ["bona_fide" if k == "live" else "attack" for k in kinds],
            "pai_species": ["" if k == "live" else k for k in kinds],
            "subset": ["live" if k == "live" else f"seen_{k}" for k in kinds],
            "score": [scores[i] for i in ids],
        }
    )
    return scores_only_run(cache, name, table, ["score"], "by hand")


ATTACKS_A = {"paper0": 5.0, "paper1": 30.0, "paper2": 18.0, "paper3": 40.0, "mask0": 50.0, "mask1": 2.0}
# B: other units (times ten), paper0 and paper2 now found, mask0 now missed.
ATTACKS_B = {"paper0": 300.0, "paper1": 300.0, "paper2": 500.0, "paper3": 400.0, "mask0": 50.0, "mask1": 20.0}


def pair_of(a: store.Run, b: store.Run, score: str = "score") -> Joined:
    return joined([System(a, score), System(b, score)])


def document_of(a: store.Run, b: store.Run, score: str = "score", **options: Any) -> dict[str, Any]:
    return document(System(a, score), System(b, score), **{"resamples": 200} | options)


@pytest.fixture
def both(tmp_path: Path) -> tuple[store.Run, store.Run]:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    b = run_of(tmp_path, "b", {k: 10 * v for k, v in LIVE.items()} | ATTACKS_B, shuffled=5)
    return a, b


def test_samples_are_joined_by_id_whatever_their_order(both: tuple[store.Run, store.Run]) -> None:
    a, b = both
    pair = pair_of(a, b)
    assert len(pair) == 26
    assert dict(zip(pair.samples["sample_id"], pair.scores[0], strict=True)) == LIVE | ATTACKS_A
    assert pair.scores[1][pair.samples["sample_id"] == "paper2"] == [500.0]
    ids_b = b.samples(["sample_id"])["sample_id"].to_numpy()
    assert ids_b[pair.rows[1]].tolist() == pair.samples["sample_id"].to_list()
    assert ids_b.tolist() != pair.samples["sample_id"].to_list()  # joined by row this test would say nothing


def test_samples_without_a_counterpart_are_counted_and_left_out(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    fewer = {k: v for k, v in (LIVE | ATTACKS_A).items() if k not in ("live00", "mask0", "paper1")}
    b = run_of(tmp_path, "b", fewer | {"replay7": 3.0, "paper9": np.nan, "paper2": np.nan}, shuffled=1)
    pair = pair_of(a, b)
    assert (len(pair), pair.n_only, pair.n_no_response) == (22, (3, 2), 1)
    assert not set(pair.samples["sample_id"]) & {"live00", "mask0", "paper1", "replay7", "paper9", "paper2"}


def test_three_runs_are_compared_on_what_all_of_them_have(both: tuple[store.Run, store.Run], tmp_path: Path) -> None:
    c = run_of(tmp_path, "c", {k: v for k, v in (LIVE | ATTACKS_A).items() if k != "live03"}, shuffled=2)
    three = joined([System(both[0], "score"), System(both[1], "score"), System(c, "score")])
    assert (len(three), three.n_only) == (25, (1, 1, 0))
    assert three.scores[2].tolist() == three.scores[0].tolist()
    found = differences.differences(three, b=2)
    assert {one.difference for one in found.values()} == {0.0}
    assert differences.differences(three, b=1)["roc_auc"].difference != 0


def test_two_labels_for_one_sample_are_refused(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    table = a.samples().assign(label="attack", pai_species="paper")
    b = scores_only_run(tmp_path, "b", table, ["score"], "by hand")
    with pytest.raises(BadInputError, match="is bona_fide in Run a but attack in Run b"):
        pair_of(a, b)


def test_flips_are_judged_at_each_run_s_own_threshold(both: tuple[store.Run, store.Run]) -> None:
    pair = pair_of(*both)
    found = differences.flips(pair, differences.thresholds(pair))
    assert found.threshold_a == np.nextafter(19.0, np.inf)
    assert found.threshold_b == np.nextafter(190.0, np.inf)
    ids = pair.samples["sample_id"].to_numpy()
    assert sorted(ids[found.fixed]) == ["paper0", "paper2"]
    assert sorted(ids[found.broken]) == ["mask0"]
    assert sorted(ids[found.both_wrong]) == ["live19", "mask1"]
    assert found.verdicts_a[ids == "live19"] == [REJECTED]
    assert found.verdicts_a[ids == "mask1"] == [MISSED]
    assert found.counts() == {"fixed": 2, "broken": 1, "mcnemar_p": uncertainty.mcnemar(2, 1)}


def test_thresholds_can_be_matched_by_apcer(both: tuple[store.Run, store.Run]) -> None:
    pair = pair_of(*both)
    assert differences.thresholds(pair, op.rule("apcer<=0.5")) == [
        30,
        50,
    ]  # two papers of four may pass, one mask of two
    for rule in ("eer", "threshold=3", "apcer[mask]<=0.1"):
        with pytest.raises(BadInputError, match="matched by"):
            document_of(*both, rule=op.rule(rule))


def test_table_has_rates_and_areas_per_group_and_kind(both: tuple[store.Run, store.Run]) -> None:
    pair = pair_of(*both)
    found = differences.flips(pair, differences.thresholds(pair))
    table = differences.table(pair, found, pair.samples["subset"], resamples=500).set_index(["group", "kind"])
    paper = table.loc[("", "paper")]
    assert (paper["n"], paper["wrong_a"], paper["wrong_b"], paper["difference"]) == (4, 0.5, 0.0, -0.5)
    assert (paper["fixed"], paper["broken"]) == (2, 0)
    assert -1 <= paper["low"] < -0.5 < paper["high"] <= 0
    # A: paper0 = 5 beats 4 live samples and ties one, paper2 = 18 beats 17 and ties one, the others beat all 20.
    assert paper["auc_a"] == (4.5 + 17.5 + 20 + 20) / 80
    assert paper["auc_b"] == 1.0
    assert table.loc[("live", "bona_fide"), "wrong_a"] == 0.05
    assert pd.isna(table.loc[("seen_mask", "mask"), "auc_a"])  # no bona fide sample in that subset


def test_document_has_every_metric_with_its_difference(both: tuple[store.Run, store.Run]) -> None:
    found = document_of(*both)
    assert (found["a"], found["b"], found["score"], found["n_common"]) == (both[0].id, both[1].id, "score", 26)
    flips = found["flips"]
    assert (flips["at"], flips["fixed"], flips["broken"], flips["mcnemar_p"]) == ("bpcer<=0.05", 2, 1, 1.0)
    assert flips["per_kind"]["paper"] == {"fixed": 2, "broken": 0, "mcnemar_p": 0.5}
    mask = found["metrics"]["apcer_mask_at_bpcer_0.05"]
    assert (mask["a"], mask["b"], mask["difference"], mask["method"]) == (0.5, 1.0, 0.5, "bootstrap")
    assert set(found["metrics"]) >= {"average_precision", "eer", "bpcer_at_apcer_0.05", "apcer_max_at_bpcer_0.05"}
    for entry in found["metrics"].values():
        assert set(entry) == {"a", "b", "difference", "ci95", "p", "method"}
        assert entry["difference"] == entry["b"] - entry["a"]
        low, high = entry["ci95"]
        assert -1 <= low <= entry["difference"] <= high <= 1
        assert 0 < entry["p"] <= 1
    assert (found["unit"], found["n_units"], found["samples_are_independent"]) == ("sample", 26, True)


def correlated(tmp_path: Path, n: int, n_subjects: int | None, gain: float) -> tuple[store.Run, store.Run]:
    """Two Runs whose scores share most of their noise; B separates better by `gain`."""
    rng = np.random.default_rng(1)
    attack = np.arange(n) % 2 == 1
    subject = np.arange(n) % n_subjects if n_subjects else np.arange(n)
    common = attack + rng.normal(0, 1, n)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "label": np.where(attack, "attack", "bona_fide"),
            "pai_species": np.where(attack, np.where(np.arange(n) % 4 == 1, "print", "mask"), ""),
            "subset": "test",
            "a": common + rng.normal(0, 0.3, n),
            "b": common + gain * attack + rng.normal(0, 0.3, n),
        }
    )
    if n_subjects:
        table["subject_id"] = [f"p{i}" for i in subject]
    run = scores_only_run(tmp_path, f"r{n}", table, ["a", "b"], "")
    return run, run


def test_p_is_by_delong_only_where_samples_are_independent(tmp_path: Path) -> None:
    run, _ = correlated(tmp_path / "1", 400, None, 0.3)
    found = document(System(run, "a"), System(run, "b"), resamples=400)
    auc = found["metrics"]["roc_auc"]
    attack = (run.samples(["label"])["label"] == "attack").to_numpy()
    areas, v = uncertainty.delong([scores.values(run, "a"), scores.values(run, "b")], attack)
    z = (areas[1] - areas[0]) / np.sqrt(v[0, 0] + v[1, 1] - 2 * v[0, 1])
    assert auc["method"] == "delong"
    assert auc["p"] == pytest.approx(2 * norm.sf(abs(z)))
    species = found["metrics"]["roc_auc_mask"]
    assert species["method"] == "delong"
    assert species["p"] != auc["p"]
    assert found["metrics"]["eer"]["method"] == "bootstrap"
    # The same scores, but 20 people: no formula for independent samples any more.
    run, _ = correlated(tmp_path / "2", 400, 20, 0.3)
    found = document(System(run, "a"), System(run, "b"), resamples=400)
    assert (found["unit"], found["n_units"], found["samples_are_independent"]) == ("subject", 20, False)
    assert found["metrics"]["roc_auc"]["method"] == "bootstrap"
    assert "which takes all samples for independent" in found["in_words"][-1]


def test_the_interval_is_paired_and_holds_what_delong_holds(tmp_path: Path) -> None:
    run, _ = correlated(tmp_path, 600, None, 0.2)
    auc = document(System(run, "a"), System(run, "b"), resamples=1000)["metrics"]["roc_auc"]
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
    single = document(*systems, resamples=600)["metrics"]
    monkeypatch.setattr(differences, "GROUPS", 150)
    drawn: list[int] = []
    ours = uncertainty.draws
    monkeypatch.setattr("fas_core.metrics.resampling.draws", lambda *given: ours(*(drawn.append(given[1]), *given)[1:]))
    grouped = document(*systems, resamples=600)["metrics"]
    assert drawn == [150]
    for name in ("roc_auc", "apcer_max_at_bpcer_0.05"):
        widths = [one[name]["ci95"][1] - one[name]["ci95"][0] for one in (single, grouped)]
        assert widths[1] == pytest.approx(widths[0], rel=0.3)


def test_few_units_cannot_prove_much(tmp_path: Path) -> None:
    run, _ = correlated(tmp_path, 400, 3, 3.0)
    found = document(System(run, "a"), System(run, "b"), resamples=400)["metrics"]
    assert found["roc_auc"]["p"] == 0.25  # three tosses of a coin, all alike: 2 / 2^3


def test_a_difference_that_many_species_explain_says_so() -> None:
    sets = {"mask": (0.2, 0.001), "print": (0.1, 0.03), "replay": (0.05, 0.6)}
    found = {
        differences.apcer_name(name, differences.DEFAULT): differences.Difference(
            0.4, 0.4 + by, 0.01, 0.3, p, "bootstrap"
        )
        for name, (by, p) in sets.items()
    }
    counts = dict.fromkeys(["bona_fide", *sets], 50)
    words = _species_words(differences.DEFAULT, found, counts, "B")
    assert "misses more attacks of mask 60 %" in words
    assert "no clear difference for print 50 %" in words
    assert words.endswith("(p is held against 0.05 after Holm's correction for 3 species).")
    found.pop(differences.apcer_name("print", differences.DEFAULT))
    counts.pop("print")
    assert "Holm" not in _species_words(differences.DEFAULT, found, counts, "B")


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
            "b": base + np.select([kind == "print", kind == "mask"], [2.5, -1.5], rng.normal(0, 0.05, n)),
        }
    )
    run = scores_only_run(tmp_path, "r", table, ["a", "b"], "")
    found = document(System(run, "a"), System(run, "b"), resamples=500)
    words = found["in_words"]
    first = words[0]
    assert first.startswith("Where each rejects at most 5 % of the 100 live samples, B misses fewer attacks of print ")
    assert "; but more of mask " in first
    assert "; no clear difference for replay " in first
    of_mask = found["metrics"]["apcer_mask_at_bpcer_0.05"]
    assert f"{100 * of_mask['b']:.0f} % instead of {100 * of_mask['a']:.0f} %" in first
    assert re.search(r"\+\d+ points \[\+\d+ to \+\d+\], p = 0\.00\d", first)
    assert words[1].startswith("Over all thresholds B separates worse: AUC")
    assert words[2].startswith(f"B puts {found['flips']['fixed']} wrong verdicts right")
    same = document(System(run, "a"), System(run, "a"), resamples=50)
    assert same["in_words"][0].endswith("B misses the same share of every attack species as A.")
    assert "cannot be told apart" in same["in_words"][1]
    by_apcer = document(System(run, "a"), System(run, "b"), op.rule("apcer<=0.1"), resamples=50)
    assert by_apcer["in_words"][0].startswith("Where each lets at most 10 % of every species pass, B rejects more of")


def test_a_run_that_calls_nothing_an_attack_is_named(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    b = run_of(tmp_path, "b", {name: min(score, 4.0) for name, score in (LIVE | ATTACKS_A).items()})
    words = document_of(a, b)["in_words"]
    assert sum("calls nothing an attack" in one for one in words) == 1
    assert "B calls nothing an attack at its threshold 4: more than 5 % of the live samples" in words[2]


def test_chance_is_judged_over_all_species_together() -> None:
    found = {
        name: differences.Difference(0, 0.1, 0, 0.2, p, "bootstrap")
        for name, p in zip("abc", (0.02, 0.03, 0.6), strict=True)
    }
    assert clear(found, list("abc")) == set()  # 0.02 * 3 is above 0.05
    assert clear(found, list("ac")) == {"a"}


def test_training_images_are_not_judged(tiny_cache: Path) -> None:
    a, b = (store.open_run(tiny_cache, name) for name in ("a", "b"))
    assert document_of(a, b, "rec")["n_common"] == 16  # 24 samples, 8 of them training
    assert document(System(a, "rec"), System(a, "kl"), resamples=20)["n_only_a"] == 0


def test_without_live_samples_there_are_no_flips(tmp_path: Path) -> None:
    a, b = run_of(tmp_path, "a", ATTACKS_A), run_of(tmp_path, "b", ATTACKS_B)
    pair = pair_of(a, b)
    with pytest.raises(UndefinedMetricError):
        differences.thresholds(pair)
    assert differences.table(pair, None, pair.samples["subset"])["wrong_a"].isna().all()
    found = document_of(a, b)
    assert found["flips"] is None
    assert found["metrics"]["roc_auc"] == dict.fromkeys(("a", "b", "difference", "ci95", "p", "method"))
    assert "one class only" in found["in_words"][0]


def test_nothing_in_common(tmp_path: Path) -> None:
    found = document_of(run_of(tmp_path, "a", ATTACKS_A), run_of(tmp_path, "b", LIVE))
    assert (found["n_common"], found["n_only_a"], found["n_only_b"], found["metrics"]) == (0, 6, 20, {})


def test_verdicts() -> None:
    labels = ["attack", "attack", "bona_fide", "bona_fide", "attack"]
    found = verdicts_at(labels, [1.0, 2.0, 2.0, 1.9, np.nan], 2.0)
    assert found.tolist() == ["missed", "right", "rejected", "right", "no response"]


def test_percentiles_count_ties_half() -> None:
    found = percentiles([0.0, 2.0, 5.0, np.nan], [2.0, 1.0, 3.0, 2.0, np.nan])
    assert found[:3].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(found[3])
    assert np.isnan(percentiles([1.0], [])).all()


def test_an_id_in_two_subsets_is_matched_within_its_subset(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "sample_id": ["x", "y", "x", "z"],
            "label": ["bona_fide", "attack", "bona_fide", "attack"],
            "pai_species": ["", "print", "", "print"],
            "subset": ["dev", "dev", "test", "test"],
            "score": [1.0, 2.0, 3.0, 4.0],
        }
    )
    first = scores_only_run(tmp_path, "first", table, ["score"], "first.csv")
    second = scores_only_run(tmp_path, "second", table.iloc[::-1].assign(score=table["score"] * 10), ["score"], "")
    pair = pair_of(first, second)
    assert len(pair) == 4
    assert pair.scores[1].tolist() == (10 * pair.scores[0]).tolist()
