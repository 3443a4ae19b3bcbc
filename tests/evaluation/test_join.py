"""Which sample of one Run is which of another."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.evaluation import differences
from fas_core.evaluation.join import System, common_rows, joined, matched, require_others
from fas_core.runs import store
from fas_core.runs.health import cautions
from fas_core.runs.scorefile import scores_only_run

from .conftest import ATTACKS_A, LIVE, pair_of, run_of


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
    metrics = differences.differences(three, b=2)
    assert {metric.difference for metric in metrics.values()} == {0.0}
    assert differences.differences(three, b=1)[differences.ROC_AUC].difference != 0


def test_a_run_is_not_compared_with_itself_by_the_same_score(both: tuple[store.Run, store.Run]) -> None:
    a, b = (System(run, "score") for run in both)
    again = System(store.opened(a.run.folder), "score")
    with pytest.raises(
        BadInputError, match=r"^A and B are the same Run with the same score \(a, score\)\. Choose anothe"
    ):
        joined([a, again])
    with pytest.raises(BadInputError, match=r"^A and C are .* for C\.$"):
        joined([a, b, again])
    require_others([a, System(a.run, "another"), b, b])


def test_two_labels_for_one_sample_are_refused(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    table = a.samples().assign(label="attack", pai_species="paper")
    b = scores_only_run(tmp_path, "b", table, ["score"], "by hand")
    with pytest.raises(BadInputError, match="is bona_fide in Run a but attack in Run b"):
        pair_of(a, b)


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


# ------------------------------------------------------------------------------------------------ which is which


def table(*names: str) -> pd.DataFrame:
    """ "live/a": sample a of subset live."""
    split = [name.split("/") for name in names]
    return pd.DataFrame(
        {"subset": [parts[0] for parts in split], "sample_id": [parts[1] for parts in split]}, dtype=object
    )


REPEATS = {
    "none, other subsets and orders": ((["live/x", "live/y", "train/z"], ["dev/z", "dev/w", "dev/x"]), ["x", "z"]),
    "none, an id missing": ((["live/x", "live/y"], ["live/y"]), ["y"]),
    # A subset that B alone has repeats what both have: nothing is lost, whichever comes first.
    "in a subset of one": ((["live/x", "live/y", "live/z"], ["more/x", "more/y", "live/y", "live/x", "live/z"]), "xyz"),
    "of an id that the other lacks": ((["live/x", "live/y"], ["dev/x", "dev/y", "dev/q", "test/q"]), "xy"),
    # Of two samples with one id none is taken for one of a third subset; ids beside it are matched all the same.
    "without a common subset": ((["live/x", "live/y"], ["dev/x", "test/x", "dev/y"]), "y"),
    "in both": ((["live/x", "paper/x", "live/y"], ["paper/x", "dev/y", "live/x"]), "xxy"),
    "in both, one subset in common": ((["live/x", "paper/x"], ["dev/x", "live/x"]), "x"),
    "in a third": ((["live/x", "live/y"], ["dev/x", "dev/y"], ["live/x", "dev/x", "live/y"]), "y"),
}


@pytest.mark.parametrize(("names", "common"), REPEATS.values(), ids=REPEATS)
def test_repeated_ids_lose_and_invent_no_match(names: tuple[list[str], ...], common: str) -> None:
    tables = [table(*of_table) for of_table in names]
    for order in itertools.permutations(range(len(tables))):  # whoever comes first
        rows = common_rows([tables[i] for i in order])
        matches = zip(*(np.array(names[i])[here] for i, here in zip(order, rows, strict=True)), strict=True)
        shared = [sorted({name.split("/")[1] for name in match}) for match in matches]
        assert sorted(shared) == [[name] for name in common]
        assert (np.diff(rows[0]) > 0).all()  # in the first one's order
        for i, here in zip(order, rows, strict=True):
            assert len(set(here)) == len(here), "one sample is matched twice"
            repeated = {name for name in "xyz" if max(sum(n.endswith(name) for n in of) for of in names) > 1}
            own = np.array(names[i])[here]
            first = np.array(names[order[0]])[rows[0]]
            assert [n for n in own if n[-1] in repeated] == [n for n in first if n[-1] in repeated]


def test_whether_a_run_has_an_id_twice_is_known_after_joining(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    first = a.samples().assign(score=1.0)
    same = scores_only_run(tmp_path, "same", first, ["score"], "by hand")
    turned = scores_only_run(tmp_path, "turned", first.iloc[::-1].reset_index(drop=True), ["score"], "by hand")
    twice = pd.concat([first.iloc[::-1], first.iloc[:2].assign(subset="extra")], ignore_index=True)
    twice = scores_only_run(tmp_path, "twice", twice, ["score"], "by hand")
    assert pair_of(a, same).ids_differ == pair_of(a, turned).ids_differ == (True, True)
    assert pair_of(a, twice).ids_differ == (True, False)
    assert pair_of(twice, a).ids_differ == (False, True)
    assert "subset_overlap" in {caution.kind for caution in cautions(twice)}


def test_each_run_is_matched_with_the_first_whatever_the_others_hold() -> None:
    rng = np.random.default_rng(0)
    ids = [rng.choice(30, 20, replace=False) for _ in range(5)]  # each has some that none or few of the others have
    position = matched([table(*(f"live/{name}" for name in of_table)) for of_table in ids])
    for of_table, rows in zip(ids, position, strict=True):
        place = {name: row for row, name in enumerate(of_table)}
        assert rows.tolist() == [place.get(name, -1) for name in ids[0]]


def test_runs_are_alike_where_they_rank_all_samples_alike(tmp_path: Path) -> None:
    both = pair_of(run_of(tmp_path, "a", LIVE | ATTACKS_A), run_of(tmp_path, "b", LIVE | ATTACKS_A))
    rng = np.random.default_rng(0)
    ours = rng.integers(0, 4, len(both)).astype(float)
    ours[:2], ours[2:4] = 0, 3
    tied, torn, swapped = ours**3, ours + 0.1 * np.eye(len(both))[0], -ours
    for theirs, expected in ((tied, True), (torn, False), (swapped, False), (np.zeros(len(both)), False)):
        assert replace(both, scores=(ours, theirs)).are_alike(1) == expected


def test_runs_that_differ_in_their_last_sample_alone_are_not_alike(tmp_path: Path) -> None:
    both = pair_of(run_of(tmp_path, "a", LIVE | ATTACKS_A), run_of(tmp_path, "b", LIVE | ATTACKS_A))
    ours = np.arange(5000.0)
    theirs = ours.copy()
    theirs[-1] = -1.0
    assert [replace(both, scores=(ours, of_b)).are_alike(1) for of_b in (ours**3, theirs)] == [True, False]


def test_missing_ids_are_never_the_same_sample() -> None:
    a, b = table("live/x", "live/y", "live/z"), table("live/q", "live/y")
    a.loc[0, "sample_id"] = b.loc[0, "sample_id"] = None
    assert [rows.tolist() for rows in common_rows([a, b])] == [[1], [1]]
    assert [len(rows) for rows in common_rows([a, table()])] == [0, 0]
    assert [len(rows) for rows in common_rows([table(), a])] == [0, 0]


def test_runs_and_latent_frames_are_matched_alike(tmp_path: Path) -> None:
    content = LIVE | ATTACKS_A
    a = run_of(tmp_path, "a", content)
    first = a.samples()
    repeats = first.iloc[:3].assign(subset="extra", score=99.0)
    other = pd.concat([repeats, first.iloc[::-1].assign(score=-first["score"][::-1])], ignore_index=True)
    b = scores_only_run(tmp_path, "b", other, ["score"], "by hand")
    for pair, runs in ((pair_of(a, b), (a, b)), (pair_of(b, a), (b, a))):
        rows = common_rows([run.samples(["sample_id", "subset"]) for run in runs])
        assert len(pair) == len(first)
        assert [of_run.tolist() for of_run in pair.rows] == [of_run.tolist() for of_run in rows]
        assert pair.scores[0].tolist() == (-pair.scores[1]).tolist()  # none of the repeats
        assert pair.n_only == tuple(len(run) - len(first) for run in runs)


def test_labels_that_differ_are_refused_only_where_samples_are_the_same(tmp_path: Path) -> None:
    a = run_of(tmp_path, "a", LIVE | ATTACKS_A)
    first = a.samples()
    as_attacks = first.iloc[:3].assign(subset="extra", label="attack", pai_species="paper")
    b = scores_only_run(tmp_path, "b", pd.concat([as_attacks, first], ignore_index=True), ["score"], "by hand")
    assert len(pair_of(a, b)) == len(first)
    only_those = scores_only_run(tmp_path, "c", as_attacks, ["score"], "by hand")
    with pytest.raises(BadInputError, match="3 samples like it"):
        pair_of(a, only_those)


def test_the_time_to_match_does_not_grow_with_the_square_of_the_samples() -> None:
    n = 200_000
    ids = np.char.add("sample_", np.arange(n).astype(str)).astype(object)
    a = pd.DataFrame({"sample_id": ids, "subset": "live"})
    order = np.random.default_rng(0).permutation(n)
    b = pd.DataFrame({"sample_id": ids[order], "subset": "live"})
    repeats = pd.concat([b.iloc[: n // 10].assign(subset="extra"), b], ignore_index=True)
    start = time.perf_counter()
    for other, offset in ((b, 0), (repeats, n // 10)):
        rows_a, rows_b = common_rows([a, other])
        assert (rows_a == np.arange(n)).all()
        assert (order[rows_b - offset] == rows_a).all()
    assert time.perf_counter() - start < 20  # each against all others: 10^10 comparisons
