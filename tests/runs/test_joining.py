"""Scores of other systems in a Run: joined by id, turned by what is stated, kept with checksums."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.runs import joining, store
from fas_core.runs.upkeep import damage
from tests.conftest import Result, message, tiny_samples


@pytest.fixture
def vendor(tiny_cache: Path, tmp_path: Path) -> tuple[Path, pd.Series]:
    """A file of all samples of Run a but the first, in another order; and the values by sample."""
    samples = store.open_run(tiny_cache, "a").samples(["sample_id", "label"])
    is_live = (samples["label"] == "bona_fide").to_numpy()
    values = pd.Series(is_live + np.arange(len(samples)) / 100, samples["sample_id"])
    table = pd.DataFrame(
        {"sample_id": values.index, "liveness": values.to_numpy(), "label": samples["label"].to_numpy()}
    )
    path = tmp_path / "vendor.csv"
    table.iloc[1:].sample(frac=1, random_state=0).to_csv(path, index=False)
    return path, values


def test_a_score_of_another_system_is_one_like_any_other(
    tiny_cache: Path, vendor: tuple[Path, pd.Series], fas: Callable[..., Result]
) -> None:
    before = store.open_run(tiny_cache, "a")
    path, values = vendor
    at = ("--cache", tiny_cache)
    join = ("scores", "join", "a", path, "--score", "vendor=liveness")
    assert "--higher-is attack" in message(fas(*join, *at))
    result = fas(*join, "--higher-is", "bona_fide", *at)
    assert (result.code, result.out.strip()) == (0, before.id)
    assert f"1 of the {len(values)} samples of Run a are not in it, first '{values.index[0]}'" in result.err
    assert "higher is bona fide, so the score is its negative" in result.err
    run = store.open_run(tiny_cache, "a")
    expected = values.where(values.index != values.index[0]).loc[run.samples(["sample_id"])["sample_id"]]
    np.testing.assert_allclose(scores.values(run, "vendor"), -expected)
    assert [*scores.offered(before), "vendor"] == scores.offered(run)
    assert damage(run) == []
    assert fas("evaluate", "a", "--score", "vendor", *at).code == 0
    assert fas("compare", "a", "a", "--score", "vendor", "--score-b", "rec", *at).code == 0
    card = tiny_cache / "card.json"
    assert fas("threshold", "a", "--score", "vendor", "--rule", "threshold=-0.5", "--out", card, *at).code == 0
    assert "joined from vendor.csv" in message(fas("predict", "--operating-point", card, path, *at))
    assert "--higher-is bona_fide" in message(fas("predict", "--operating-point", card, "--scores", path, *at))

    assert "a score 'vendor' already, joined from vendor.csv" in message(fas(*join, "--higher-is", "attack", *at))
    turned = fas(*join, "--higher-is", "attack", "--replace", *at)
    assert "the AUC is 0.000, so bona fide samples score higher" in turned.err
    np.testing.assert_allclose(scores.values(store.open_run(tiny_cache, "a"), "vendor"), expected)
    assert len(list(run.folder.glob("joined-*"))) == 1
    checked = fas("threshold", "--check", card, *at)
    assert (checked.code, checked.out.startswith("run_digest")) == (1, True)


def test_only_what_it_is_made_of_changes_with_it(tiny_cache: Path, vendor: tuple[Path, pd.Series]) -> None:
    run = store.open_run(tiny_cache, "a")
    joined = joining.join(run, {"own": np.arange(len(run), dtype=float)}, {"own": "attack"}, "x.csv")
    again = joining.join(joined, {"own": np.zeros(len(run))}, {"own": "attack"}, "x.csv")
    assert joined.shards_digest == again.shards_digest == run.digest  # codes and their fits are as before
    assert joined.digest_of("rec") == again.digest_of("rec") == run.digest_of("rec")
    assert len({run.digest, joined.digest, again.digest}) == 3
    assert joined.digest_of("own") != again.digest_of("own")
    two = joining.join(again, {"b": np.ones(len(run))}, {"b": "bona_fide"}, "y.csv")
    assert two.digest_of("own") == again.digest_of("own")
    assert scores.values(two, "b").tolist() == [-1.0] * len(run)


def test_a_run_that_has_lost_a_shard_finds_its_values_by_id(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    joined = joining.join(run, {"own": np.arange(len(run), dtype=float)}, {"own": "attack"}, "x.csv")
    lost = joined.shards[0]
    shutil.rmtree(lost.folder)
    rest = store.open_run(tiny_cache, "a")
    assert scores.values(rest, "own").tolist() == list(map(float, range(lost.n, len(run))))


def test_a_column_of_the_run_itself_can_be_declared(
    tmp_path: Path, fas: Callable[..., Result], image_run: Callable[..., store.Run]
) -> None:
    run = image_run(tmp_path, "g", tiny_samples(), model="ganomaly")
    assert {"adv", "disc"} < set(scores.undeclared(run))
    assert "adv" in fas("runs", "--cache", tmp_path).err
    declared = ("scores", "join", "g", "--score", "adv", "--higher-is", "bona_fide", "--cache", tmp_path)
    assert fas(*declared).code == 0
    opened = store.open_run(tmp_path, "g")
    np.testing.assert_allclose(scores.values(opened, "adv"), -run.samples(["adv"])["adv"])
    assert "adv" not in scores.undeclared(opened)
    assert "no column of numbers 'label'" in message(
        fas("scores", "join", "g", "--score", "label", "--higher-is", "attack", "--cache", tmp_path)
    )


@pytest.mark.parametrize(
    ("change", "options", "problem"),
    [
        (lambda t: t.assign(sample_id="q" + t["sample_id"]), (), "none of its 23 samples is one of Run a"),
        (lambda t: pd.concat([t, t.iloc[:1]]), (), "is used before"),
        (lambda t: t.rename(columns={"sample_id": "id"}), (), "--column sample_id=NAME"),
        (lambda t: t.assign(label=t["label"].map({"attack": "live", "bona_fide": "spoof"})), (), "not the same data"),
        (lambda t: t.assign(liveness=np.nan), (), "has no number"),
        (lambda t: t.drop(columns="liveness"), (), "no column of numbers"),
        (lambda t: t, ("--score", "rec=liveness"), "'rec' is a score that is computed"),
        (lambda t: t, ("--score", "pai_species=liveness"), "'pai_species' is a column"),
        (lambda t: t, ("--score", "a b=liveness"), "cannot name a score"),
        (lambda t: t, ("--score", "nothing"), "no column of numbers 'nothing'"),
        (lambda t: t, ("--higher-is", "up"), "--higher-is up"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_one_message(
    change: Callable[[pd.DataFrame], pd.DataFrame],
    options: tuple[str, ...],
    problem: str,
    tiny_cache: Path,
    vendor: tuple[Path, pd.Series],
    fas: Callable[..., Result],
) -> None:
    path, _ = vendor
    change(pd.read_csv(path)).to_csv(path, index=False)
    said = message(fas("scores", "join", "a", path, "--higher-is", "bona_fide", *options, "--cache", tiny_cache))
    assert problem in said
    assert not store.open_run(tiny_cache, "a").joined


def test_damage_is_found(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    joined = joining.join(run, {"own": np.zeros(len(run))}, {"own": "attack"}, "x.csv")
    path = run.folder / joined.joined["own"].file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert [entry.problem for entry in damage(joined)] == [f"{path.name} does not match its checksum"]
    (run.folder / store.JOINED).write_text("{}")
    with pytest.raises(Exception, match="join the scores again"):
        store.open_run(tiny_cache, run.id)
