"""Folders of cards and decisions, and their files, that are symbolic links are neither read nor written through."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fas_core.deciding import card, card_states, decisions
from fas_core.errors import BadInputError
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from tests.deciding.test_decisions import drafted


def keep_card(cache: Path) -> object:
    run = store.open_run(cache, "a")
    return card_states.keep(card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper"]), cache)


def keep_decision(cache: Path) -> object:
    return decisions.keep(drafted(cache), cache)


@pytest.mark.parametrize(
    ("folder", "keep", "kept"),
    [(card.folder, keep_card, card_states.kept), (decisions.folder, keep_decision, decisions.kept)],
    ids=["cards", "decisions"],
)
def test_a_folder_that_is_a_link_leads_nowhere(
    tiny_cache: Path,
    tmp_path: Path,
    folder: Callable[[Path], Path],
    keep: Callable[[Path], object],
    kept: Callable[[Path], tuple[list[object], list[str]]],
) -> None:
    keep(tiny_cache)
    elsewhere = tmp_path / "elsewhere"
    folder(tiny_cache).rename(elsewhere)
    folder(tiny_cache).symlink_to(elsewhere)
    before = sorted(path.name for path in elsewhere.iterdir())
    listed, problems = kept(tiny_cache)
    assert listed == []
    assert all("symbolic link" in problem for problem in problems)
    assert problems
    with pytest.raises(BadInputError, match="symbolic link"):
        keep(tiny_cache)
    assert sorted(path.name for path in elsewhere.iterdir()) == before


def test_no_event_is_written_through_a_link(tiny_cache: Path, tmp_path: Path) -> None:
    keep_card(tiny_cache)
    [path] = card.folder(tiny_cache).glob("*.json")
    target = tmp_path / "target"
    target.write_text("")
    card_states.file_of(path).symlink_to(target)
    with pytest.raises(BadInputError, match="symbolic link"):
        card_states.add(path, card_states.WITHDRAWN, by="Ada", why="a leak")
    assert target.read_text() == ""
