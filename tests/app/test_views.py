"""Contracts that every page keeps: it opens on every kind of Run, says its answer first, and never shows a trace."""

import shutil
from pathlib import Path

import pytest

from app.session.cache import clear
from fas_core.runs import store
from tests.app.conftest import commands

from .conftest import MAIN, page, texts

VIEWS = sorted(path.stem for path in (MAIN.parent / "views").glob("*.py"))
RUN_VIEWS = [view for view in VIEWS if view not in ("data", "training")]  # those read manifests and logs, and no Run


@pytest.mark.parametrize("run", ["a", "vendor"])
@pytest.mark.parametrize("view", VIEWS)
def test_it_opens_on_every_kind_of_run(view: str, run: str, tiny_cache: Path) -> None:
    at = page(view, cache=tiny_cache, run=run)
    assert not at.exception
    assert not at.error
    assert at.title
    assert len(texts(at)) > 60


@pytest.mark.parametrize("view", VIEWS)
def test_it_says_how_to_make_a_first_run(view: str) -> None:
    at = page(view)
    assert not at.exception
    assert "fas demo" in "\n".join(commands(at))


@pytest.mark.parametrize("view", RUN_VIEWS)
def test_no_subset_chosen_is_said(view: str, tiny_cache: Path) -> None:
    at = page("overview", cache=tiny_cache, run="a")
    at.session_state["subsets"] = []
    at.switch_page(f"views/{view}.py").run()
    assert not at.exception
    assert "No subset is chosen" in texts(at)


@pytest.mark.parametrize("view", RUN_VIEWS)
def test_a_damaged_shard_is_one_message(view: str, tiny_cache: Path) -> None:
    for run in store.all_runs(tiny_cache):
        for shard in run.shards:
            for file in ("samples.parquet", "latents.npy", "inputs.npy"):
                if (shard.folder / file).is_file():
                    (shard.folder / file).write_bytes(b"damaged")
    clear()  # what an earlier test has read is still right, and would be shown
    at = page(view, cache=tiny_cache, run="a")
    assert not at.exception
    assert "is damaged" in texts(at)
    assert "verify" in texts(at)  # the command that makes the shard anew


@pytest.mark.parametrize("view", RUN_VIEWS)
def test_missing_and_unreadable_shards_are_said_and_the_rest_is_shown(view: str, tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    (run.folder / "train" / "shard-00000" / "meta.json").write_text("damaged")
    shutil.rmtree(run.folder / "train" / "shard-00001")
    at = page(view, cache=tiny_cache, run="a")
    assert not at.exception
    assert "1 shard of this Run is damaged" in texts(at)
    assert "1 shard of this Run is missing" in texts(at)


@pytest.mark.parametrize("view", VIEWS)
def test_nonsense_in_the_address_is_ignored(view: str, tiny_cache: Path) -> None:
    at = page(view, run=None, subsets="nowhere", score="<b>", rule="x", page="-1", compare="gone", k="7", colour="x")
    assert not at.exception
    assert at.title
