"""States of cards: what may follow on what, that nothing is lost, and that changes are found."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fas_core.deciding import approvals, card
from fas_core.deciding.approvals import APPROVED, DRAFT, SUPERSEDED, WITHDRAWN
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from tests.conftest import tiny_samples, write_image_run


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return write_image_run(tmp_path / "cache", "a", tiny_samples(), seed=1)


def frozen(run: store.Run, rule: str = "bpcer<=0.05", **said: str) -> Card:
    return card.card(run, "rec", op.rule(rule), ["live"], ["seen_paper"], **said)


def test_every_decision_is_kept_with_who_why_and_when(run: store.Run, tmp_path: Path) -> None:
    old, new = frozen(run), frozen(run, "bpcer<=0.3")
    path = card.write(old, tmp_path / "op.json")
    before = path.read_bytes()
    assert approvals.history(path, old).state == DRAFT
    approvals.add(path, APPROVED, by=" Ada ", why="pilot")
    approvals.add(path, SUPERSEDED, why="retrained", successor=new)
    approvals.add(path, WITHDRAWN, by="Eve", why="a leak")
    history = approvals.history(path, old)
    assert [event.state for event in history.events] == [APPROVED, SUPERSEDED, WITHDRAWN]
    assert [event.why for event in history.events] == ["pilot", "retrained", "a leak"]
    assert (history.events[0].by, history.events[1].successor) == ("Ada", new.sha256)
    assert history.state == WITHDRAWN
    assert history.in_words == f"withdrawn by Eve on {history.events[2].when[:10]}: a leak"
    assert history.as_json()["events"][0]["by"] == "Ada"
    assert path.read_bytes() == before
    assert card.differences(card.read(path), run) == []


def test_only_what_may_follow_follows(run: store.Run, tmp_path: Path) -> None:
    old, new = frozen(run), frozen(run, "bpcer<=0.3")
    path = card.write(old, tmp_path / "op.json")
    for state, why, successor, message in (
        (APPROVED, "  ", None, "needs a reason"),
        (SUPERSEDED, "x", None, "has another in its place"),
        (APPROVED, "x", new, "has another in its place"),
        (SUPERSEDED, "x", old, "cannot take its own place"),
        (DRAFT, "x", None, "is draft: nobody has approved it yet. It can become approved or superseded or withdrawn"),
    ):
        with pytest.raises(BadInputError, match=message):
            approvals.add(path, state, why=why, successor=successor)
    approvals.add(path, APPROVED, by="Ada", why="x")
    with pytest.raises(
        BadInputError, match=r"op.json is approved by Ada on .*: x. It can become superseded or withdrawn"
    ):
        approvals.add(path, APPROVED, why="again")
    approvals.add(path, WITHDRAWN, why="x")
    with pytest.raises(BadInputError, match="nothing any more: make a new card"):
        approvals.add(path, APPROVED, why="x")
    assert len(approvals.history(path, old).events) == 2
    card.write(replace(old, note="changed"), path)
    with pytest.raises(BadInputError, match="was changed after it was written"):
        approvals.add(path, APPROVED, why="x")


def test_a_history_that_was_changed_is_found(run: store.Run, tmp_path: Path) -> None:
    old, new = frozen(run), frozen(run, "bpcer<=0.3")
    path = card.write(old, tmp_path / "op.json")
    approvals.add(path, APPROVED, by="Ada", why="x")
    approvals.add(path, SUPERSEDED, by="Ada", why="y", successor=new)
    lines = approvals.file_of(path).read_text().splitlines()
    other = [json.dumps(json.loads(lines[0]) | {"by": "Eve"}), lines[1]]
    for text in ("\n".join(other), lines[1], "\n".join([*lines, lines[1]]), "[1]", '{"state": "approved"}'):
        approvals.file_of(path).write_text(text)
        with pytest.raises(BadInputError, match=r"changed after it was written|no decision about a card"):
            approvals.history(path, old)
    approvals.file_of(path).write_text("\n".join(lines) + "\n")
    with pytest.raises(BadInputError, match="is of another card"):
        approvals.history(path, new)
    # A writer that was killed leaves half a line, which is passed over and swallows nothing.
    approvals.file_of(path).write_text("\n".join(lines) + '\n{"state": "with')
    assert approvals.history(path, old).state == SUPERSEDED
    approvals.add(path, WITHDRAWN, why="z")
    assert approvals.history(path, old).state == WITHDRAWN


def test_of_several_who_decide_at_once_one_does(run: store.Run, tmp_path: Path) -> None:
    path = card.write(frozen(run), tmp_path / "op.json")
    refused: list[str] = []

    def approve(by: str) -> None:
        try:
            approvals.add(path, APPROVED, by=by, why="x")
        except BadInputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=approve, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), len(approvals.history(path, card.read(path)).events)) == (5, 1)


def test_the_same_operating_point_is_kept_once_while_it_is_in_force(run: store.Run) -> None:
    path = approvals.keep(frozen(run, by="Ada", note="pilot"), run.cache)
    with pytest.raises(BadInputError, match=f"kept already, as the card {path.stem}, draft: nobody has approved"):
        approvals.keep(frozen(run, by="Eve", note="another"), run.cache)
    approvals.keep(frozen(run, "bpcer<=0.3"), run.cache)
    approvals.keep(frozen(run, "bpcer<=0.05").sealed(), run.cache.parent / "other")
    approvals.add(path, WITHDRAWN, why="x")
    again = replace(frozen(run), created="2031-01-01T00:00:00+00:00").sealed()
    assert approvals.keep(again, run.cache) != path
    kept, problems = approvals.kept(run.cache)
    assert ([entry.history.state for entry in kept].count(WITHDRAWN), len(kept), problems) == (1, 3, [])
    [document] = [entry.as_json() for entry in kept if entry.path == path]
    assert (document["state"], document["events"][0]["why"], document["card"]) == (WITHDRAWN, "x", path.stem)
    assert document["targets"]["seen_paper"]["limit"] == 0.05
    approvals.file_of(path).write_text("[]")
    assert "no decision about a card" in approvals.kept(run.cache)[1][0]


def test_a_card_is_named_by_its_file_or_the_beginning_of_its_name(run: store.Run) -> None:
    path = approvals.keep(frozen(run), run.cache)
    other = approvals.keep(replace(frozen(run, "bpcer<=0.3"), created="2031-01-01T00:00:00+00:00").sealed(), run.cache)
    for name in (str(path), path.stem, path.stem[:-2]):
        assert approvals.file_named(name, run.cache) == path
    assert approvals.file_named("2031", run.cache) == other
    with pytest.raises(BadInputError, match="'20' fits several cards"):
        approvals.file_named("20", run.cache)
    with pytest.raises(BadInputError, match="'x' is no card of .*, and no file. Cards: 20"):
        approvals.file_named("x", run.cache)
