"""Comparing Runs on numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import compare, store
from fas_core.errors import BadInputError
from fas_core.metrics import UndefinedMetricError

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
    return store.scores_only_run(cache, name, table, ["score"], "by hand")


ATTACKS_A = {"paper0": 5.0, "paper1": 30.0, "paper2": 18.0, "paper3": 40.0, "mask0": 50.0, "mask1": 2.0}
# B: other units (times ten), paper0 and paper2 now found, mask0 now missed.
ATTACKS_B = {"paper0": 300.0, "paper1": 300.0, "paper2": 500.0, "paper3": 400.0, "mask0": 50.0, "mask1": 20.0}


@pytest.fixture
def both(tmp_path: Path) -> tuple[store.Run, store.Run]:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    b = run_of(tmp_path, "b", {k: 10 * v for k, v in LIVE.items()} | ATTACKS_B, shuffled=5)
    return a, b


def test_samples_are_joined_by_id_whatever_their_order(both: tuple[store.Run, store.Run]) -> None:
    a, b = both
    pair = compare.paired(a, "score", b, "score")
    assert len(pair) == 26
    assert dict(zip(pair.samples["sample_id"], pair.scores_a, strict=True)) == LIVE | ATTACKS_A
    assert pair.scores_b[pair.samples["sample_id"] == "paper2"] == [500.0]
    ids_b = b.samples(["sample_id"])["sample_id"].to_numpy()
    assert ids_b[pair.rows_b].tolist() == pair.samples["sample_id"].to_list()
    assert ids_b.tolist() != pair.samples["sample_id"].to_list()  # joined by row this test would say nothing


def test_samples_without_a_counterpart_are_counted_and_left_out(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    fewer = {k: v for k, v in (LIVE | ATTACKS_A).items() if k not in ("live00", "mask0", "paper1")}
    b = run_of(tmp_path, "b", fewer | {"replay7": 3.0, "paper9": np.nan, "paper2": np.nan}, shuffled=1)
    pair = compare.paired(a, "score", b, "score")
    assert (len(pair), pair.n_only_a, pair.n_only_b, pair.n_no_response) == (22, 3, 2, 1)
    assert not set(pair.samples["sample_id"]) & {"live00", "mask0", "paper1", "replay7", "paper9", "paper2"}


def test_two_labels_for_one_sample_are_refused(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    table = a.samples().assign(label="attack", pai_species="paper")
    b = store.scores_only_run(tmp_path, "b", table, ["score"], "by hand")
    with pytest.raises(BadInputError, match="is bona_fide in Run a but attack in Run b"):
        compare.paired(a, "score", b, "score")


def test_flips_are_judged_at_each_run_s_own_threshold(both: tuple[store.Run, store.Run]) -> None:
    pair = compare.paired(both[0], "score", both[1], "score")
    found = compare.flips(pair)
    assert found.threshold_a == np.nextafter(19.0, np.inf)
    assert found.threshold_b == np.nextafter(190.0, np.inf)
    ids = pair.samples["sample_id"].to_numpy()
    assert sorted(ids[found.fixed]) == ["paper0", "paper2"]
    assert sorted(ids[found.broken]) == ["mask0"]
    assert sorted(ids[found.both_wrong]) == ["live19", "mask1"]
    assert found.verdicts_a[ids == "live19"] == [compare.REJECTED]
    assert found.verdicts_a[ids == "mask1"] == [compare.MISSED]


def test_table_has_rates_and_areas_per_subset_and_kind(both: tuple[store.Run, store.Run]) -> None:
    pair = compare.paired(both[0], "score", both[1], "score")
    table = compare.table(pair, compare.flips(pair)).set_index(["subset", "kind"])
    paper = table.loc[("", "paper")]
    assert (paper["n"], paper["wrong_a"], paper["wrong_b"], paper["difference"]) == (4, 0.5, 0.0, -0.5)
    # A: paper0 = 5 beats 4 live samples and ties one, paper2 = 18 beats 17 and ties one, the others beat all 20.
    assert paper["auc_a"] == (4.5 + 17.5 + 20 + 20) / 80
    assert paper["auc_b"] == 1.0
    assert table.loc[("live", "bona_fide"), "wrong_a"] == 0.05
    assert pd.isna(table.loc[("seen_mask", "mask"), "auc_a"])  # no bona fide sample in that subset


def test_document_has_every_metric_with_its_difference(both: tuple[store.Run, store.Run]) -> None:
    found = compare.document(both[0], "score", both[1], "score")
    assert (found["a"], found["b"], found["score"], found["n_common"]) == (both[0].id, both[1].id, "score", 26)
    assert found["flips"] == {"at": "bpcer<=0.05", "fixed": 2, "broken": 1}
    mask = found["metrics"]["apcer_mask_at_bpcer_0.05"]
    assert mask == {"a": 0.5, "b": 1.0, "difference": 0.5}
    for entry in found["metrics"].values():
        assert entry["difference"] == entry["b"] - entry["a"]


def test_training_images_are_not_judged(tiny_cache: Path) -> None:
    a, b = (store.open_run(tiny_cache, name) for name in ("a", "b"))
    assert compare.document(a, "rec", b, "rec")["n_common"] == 16  # 24 samples, 8 of them training
    assert compare.document(a, "rec", a, "kl")["n_only_a"] == 0


def test_without_live_samples_there_are_no_flips(tmp_path: Path) -> None:
    a, b = run_of(tmp_path, "a", ATTACKS_A), run_of(tmp_path, "b", ATTACKS_B)
    pair = compare.paired(a, "score", b, "score")
    with pytest.raises(UndefinedMetricError):
        compare.flips(pair)
    assert compare.table(pair, None)["wrong_a"].isna().all()
    assert "flips" not in compare.document(a, "score", b, "score")


def test_nothing_in_common(tmp_path: Path) -> None:
    found = compare.document(run_of(tmp_path, "a", ATTACKS_A), "score", run_of(tmp_path, "b", LIVE), "score")
    assert (found["n_common"], found["n_only_a"], found["n_only_b"], found["metrics"]) == (0, 6, 20, {})


def test_verdicts() -> None:
    labels = ["attack", "attack", "bona_fide", "bona_fide", "attack"]
    found = compare.verdicts(labels, [1.0, 2.0, 2.0, 1.9, np.nan], 2.0)
    assert found.tolist() == ["missed", "right", "rejected", "right", "no response"]


def test_percentiles_count_ties_half() -> None:
    found = compare.percentiles([0.0, 2.0, 5.0, np.nan], [2.0, 1.0, 3.0, 2.0, np.nan])
    assert found[:3].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(found[3])
    assert np.isnan(compare.percentiles([1.0], [])).all()


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
    first = store.scores_only_run(tmp_path, "first", table, ["score"], "first.csv")
    second = store.scores_only_run(
        tmp_path, "second", table.iloc[::-1].assign(score=table["score"] * 10), ["score"], ""
    )
    pair = compare.paired(first, "score", second, "score")
    assert len(pair) == 4
    assert pair.scores_b.tolist() == (10 * pair.scores_a).tolist()
