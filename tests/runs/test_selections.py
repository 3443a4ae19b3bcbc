"""Named selections: what is saved is what is read, and nobody overwrites anybody."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fas_core.errors import BadInputError
from fas_core.runs import selections, store


@pytest.fixture
def run(tiny_cache: Path) -> store.Run:
    return store.open_run(tiny_cache, "a")


def test_what_is_saved_is_read_in_its_order(run: store.Run) -> None:
    assert selections.names(run) == []
    selections.save(run, "odd masks", ["unseen_mask_4", "train_0", "live_0", "seen_paper_1"])
    selections.save(run, "Bright", ["train_1"])
    assert selections.names(run) == ["Bright", "odd masks"]
    assert selections.sample_ids(run, "odd masks").tolist() == ["unseen_mask_4", "train_0", "live_0", "seen_paper_1"]


def test_selections_lie_beside_the_run_and_are_its_own(run: store.Run, tiny_cache: Path) -> None:
    before = sorted(run.folder.rglob("*"))
    path = selections.save(run, "s", ["train_0"])
    assert sorted(run.folder.rglob("*")) == before
    assert path == tiny_cache / "selections" / run.id / "s.parquet"
    assert [p.name for p in path.parent.iterdir()] == ["s.parquet"]  # no temporary file is left
    assert selections.names(store.open_run(tiny_cache, "b")) == []


def test_a_name_is_taken_once_also_by_many_at_once(run: store.Run) -> None:
    def attempt(i: int) -> bool:
        try:
            selections.save(run, "s", [f"live_{i % 4}", f"train_{i // 4}"])
        except BadInputError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert sum(outcomes) == 1
    assert selections.sample_ids(run, "s").tolist() == [
        f"live_{outcomes.index(True) % 4}",
        f"train_{outcomes.index(True) // 4}",
    ]
    with pytest.raises(BadInputError, match="has a selection 's' already"):
        selections.save(run, "s", ["train_1"])
    selections.delete(run, "s")
    selections.delete(run, "s")
    selections.save(run, "s", ["train_1"])
    assert selections.sample_ids(run, "s").tolist() == ["train_1"]


ELSEWHERE = ["", ".hidden", "../up", "a/b", "a\\b", "x" * 65, "a\n", "ends.", " a", "a\x00", "con:"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_that_lead_elsewhere_are_refused(run: store.Run, name: str) -> None:
    actions: list[Callable[[], object]] = [
        lambda: selections.save(run, name, ["train_0"]),
        lambda: selections.sample_ids(run, name),
        lambda: selections.delete(run, name),
    ]
    for act in actions:
        with pytest.raises(BadInputError, match="cannot be the name"):
            act()


def test_nothing_selected_is_not_saved(run: store.Run) -> None:
    with pytest.raises(BadInputError, match="would hold no sample"):
        selections.save(run, "none", [])
    assert selections.names(run) == []


def test_one_that_is_gone_or_damaged_says_what_to_do(run: store.Run) -> None:
    path = selections.save(run, "s", ["train_0"])
    with pytest.raises(BadInputError, match="has no selection 't'. It has: s"):
        selections.sample_ids(run, "t")
    path.write_bytes(b"half")
    with pytest.raises(BadInputError, match="delete it and select again"):
        selections.sample_ids(run, "s")
