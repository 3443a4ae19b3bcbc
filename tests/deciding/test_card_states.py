"""States of cards: what may follow on what, that nothing is lost, and that changes are found."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fas_core.deciding import card, card_states
from fas_core.deciding.card import Card
from fas_core.deciding.card_states import APPROVED, DRAFT, SUPERSEDED, WITHDRAWN
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
    assert card_states.history(path, old).state == DRAFT
    card_states.add(path, APPROVED, by=" Ada ", why="pilot")
    card_states.add(path, SUPERSEDED, why="retrained", successor=new)
    card_states.add(path, WITHDRAWN, by="Eve", why="a leak")
    history = card_states.history(path, old)
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
            card_states.add(path, state, why=why, successor=successor)
    card_states.add(path, APPROVED, by="Ada", why="x")
    with pytest.raises(
        BadInputError, match=r"op.json is approved by Ada on .*: x. It can become superseded or withdrawn"
    ):
        card_states.add(path, APPROVED, why="again")
    card_states.add(path, WITHDRAWN, why="x")
    with pytest.raises(BadInputError, match="nothing any more: make a new card"):
        card_states.add(path, APPROVED, why="x")
    assert len(card_states.history(path, old).events) == 2
    card.write(replace(old, note="changed"), path)
    with pytest.raises(BadInputError, match="was changed after it was written"):
        card_states.add(path, APPROVED, why="x")


def test_a_history_that_was_changed_is_found(run: store.Run, tmp_path: Path) -> None:
    old, new = frozen(run), frozen(run, "bpcer<=0.3")
    path = card.write(old, tmp_path / "op.json")
    card_states.add(path, APPROVED, by="Ada", why="x")
    card_states.add(path, SUPERSEDED, by="Ada", why="y", successor=new)
    lines = card_states.file_of(path).read_text().splitlines()
    other = [json.dumps(json.loads(lines[0]) | {"by": "Eve"}), lines[1]]
    for text in ("\n".join(other), lines[1], "\n".join([*lines, lines[1]]), "[1]", '{"state": "approved"}'):
        card_states.file_of(path).write_text(text)
        with pytest.raises(BadInputError, match=r"changed after it was written|no decision about a card"):
            card_states.history(path, old)
    card_states.file_of(path).write_text("\n".join(lines) + "\n")
    with pytest.raises(BadInputError, match="is of another card"):
        card_states.history(path, new)
    # A writer that was killed leaves half a line, which is passed over and swallows nothing.
    card_states.file_of(path).write_text("\n".join(lines) + '\n{"state": "with')
    assert card_states.history(path, old).state == SUPERSEDED
    card_states.add(path, WITHDRAWN, why="z")
    assert card_states.history(path, old).state == WITHDRAWN


def test_of_several_who_decide_at_once_one_does(run: store.Run, tmp_path: Path) -> None:
    path = card.write(frozen(run), tmp_path / "op.json")
    refused: list[str] = []

    def approve(by: str) -> None:
        try:
            card_states.add(path, APPROVED, by=by, why="x")
        except BadInputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=approve, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), len(card_states.history(path, card.read(path)).events)) == (5, 1)


def test_the_same_operating_point_is_kept_once_while_it_is_in_force(run: store.Run) -> None:
    path = card_states.keep(frozen(run, by="Ada", note="pilot"), run.cache)
    with pytest.raises(BadInputError, match=f"kept already, as the card {path.stem}, draft: nobody has approved"):
        card_states.keep(frozen(run, by="Eve", note="another"), run.cache)
    card_states.keep(frozen(run, "bpcer<=0.3"), run.cache)
    card_states.keep(frozen(run, "bpcer<=0.05").sealed(), run.cache.parent / "other")
    card_states.add(path, WITHDRAWN, why="x")
    again = replace(frozen(run), created="2031-01-01T00:00:00+00:00").sealed()
    assert card_states.keep(again, run.cache) != path
    kept, problems = card_states.kept(run.cache)
    assert ([entry.history.state for entry in kept].count(WITHDRAWN), len(kept), problems) == (1, 3, [])
    [document] = [entry.as_json() for entry in kept if entry.path == path]
    assert (document["state"], document["events"][0]["why"], document["card"]) == (WITHDRAWN, "x", path.stem)
    assert document["targets"]["seen_paper"]["limit"] == 0.05
    card_states.file_of(path).write_text("[]")
    assert "no decision about a card" in card_states.kept(run.cache)[1][0]


def test_two_cards_of_a_run_and_score_are_approved_only_where_somebody_says_so(run: store.Run) -> None:
    by_hand = [frozen(run, f"threshold={value}", by="Ada") for value in (90, 100, 110)]
    first, second, third = (card_states.keep(content, run.cache) for content in by_hand)
    of_other_score = card.card(run, "kl", op.rule("threshold=1"), [], ["seen_paper"])
    card_states.approve(card_states.keep(of_other_score, run.cache), run.cache, by="Ada", why="of another score")
    card_states.approve(first, run.cache, by="Ada", why="pilot")
    with pytest.raises(BadInputError, match=f"{first.stem}, of the same Run and score, is approved by Ada .*--beside"):
        card_states.approve(second, run.cache, by="Ada", why="x")
    assert card_states.history(second, by_hand[1]).state == DRAFT
    with pytest.raises(BadInputError, match="needs a reason"):
        card_states.approve(second, run.cache, by="Ada", why=" ", beside="keep")
    kept = card_states.approve(second, run.cache, by="Ada", why="night shift", beside="keep")
    assert kept.why == f"beside the approved card {first.stem}: night shift"
    card_states.approve(third, run.cache, by="Eve", why="retrained", beside="supersede")
    assert card_states.history(third, by_hand[2]).events[0].why == "retrained"
    for path, content in ((first, by_hand[0]), (second, by_hand[1])):
        last = card_states.history(path, content).events[-1]
        assert (last.state, last.by, last.successor) == (SUPERSEDED, "Eve", by_hand[2].sha256)


def test_a_missed_limit_is_approved_only_where_somebody_says_so_and_stays_in_the_history(run: store.Run) -> None:
    keeps = card.card(run, "rec", op.rule("threshold=1e9"), [], ["seen_paper"], asked=op.rule("bpcer<=0.4"))
    misses = card.card(run, "rec", op.rule("threshold=-1e9"), [], ["seen_paper"], asked=op.rule("bpcer<=0.4"))
    unproven = card.card(run, "rec", op.rule("threshold=1e9"), [], ["seen_paper"], asked=op.rule("bpcer<=0.4@95"))
    assert keeps.missed == ""
    assert misses.missed.startswith("on seen_paper live rejected 100.0 %, above 40")
    assert "within 40 %, not proven: upper bound" in unproven.missed  # which was asked for
    path = card_states.keep(misses, run.cache)
    with pytest.raises(BadInputError, match=r"is missed: on seen_paper live rejected 100.* --although-missed"):
        card_states.approve(path, run.cache, by="Ada", why="x")
    card_states.approve(path, run.cache, by="Ada", why="a trial without customers", although_missed=True)
    [event] = card_states.history(path, misses).events
    assert event.why == f"although its limit is missed ({misses.missed}): a trial without customers"


def test_a_card_is_named_by_its_file_or_the_beginning_of_its_name(run: store.Run) -> None:
    path = card_states.keep(frozen(run), run.cache)
    other = card_states.keep(
        replace(frozen(run, "bpcer<=0.3"), created="2031-01-01T00:00:00+00:00").sealed(), run.cache
    )
    for name in (str(path), path.stem, path.stem[:-2]):
        assert card_states.file_named(name, run.cache) == path
    assert card_states.file_named("2031", run.cache) == other
    with pytest.raises(BadInputError, match="'20' fits several cards"):
        card_states.file_named("20", run.cache)
    with pytest.raises(BadInputError, match="'x' is no card of .*, and no file. Cards: 20"):
        card_states.file_named("x", run.cache)


def test_a_decision_about_a_file_is_written_where_it_is_read(run: store.Run, tmp_path: Path) -> None:
    content = frozen(run)
    path = card.write(content, tmp_path / "op.json")
    assert card_states.decided_at(path, run.cache) == path
    kept = card_states.keep(content, run.cache)
    assert card_states.decided_at(path, run.cache) == card_states.decided_at(kept, run.cache) == kept
    card_states.add(kept, APPROVED, by="Ada", why="x")
    assert card_states.in_force(path, content, run.cache).state == APPROVED
    card_states.add(path, WITHDRAWN, by="Ada", why="before it was kept")  # then the file has a history of its own
    assert card_states.decided_at(path, run.cache) == path
    assert card_states.in_force(path, content, run.cache).state == WITHDRAWN
