"""Signed cards and decisions: who decides by which, what was edited, resealed, moved or taken out is not believed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fas_core.access import ends, keys
from fas_core.deciding import applied, card, card_states, decisions
from fas_core.errors import BadInputError
from fas_core.metrics import operating_point as op
from fas_core.reports import card as cardpage
from fas_core.runs import store
from tests.conftest import Result, message, tiny_samples, write_image_run
from tests.deciding.test_decisions import drafted


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return write_image_run(tmp_path / "cache", "a", tiny_samples(), seed=1)


@pytest.fixture
def ada() -> keys.PublicKey:
    """The user's key, which is trusted."""
    public = keys.new("Ada")
    keys.trust(keys.key_file().with_name("key.pub"))
    return public


def frozen(run: store.Run, rule: str = "bpcer<=0.05") -> card.Card:
    return card.signed(card.card(run, "rec", op.rule(rule), ["live"], ["seen_paper"]))


def by_eve(run: store.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> card.Card:
    if not (tmp_path / "eve").exists():
        keys.new("Ada", tmp_path / "eve")  # as she calls herself
    monkeypatch.setenv(keys.KEY, str(tmp_path / "eve"))
    signed = frozen(run)
    monkeypatch.delenv(keys.KEY)
    return signed


def test_a_card_that_a_trusted_key_has_signed_is_read_back_and_others_are_refused(
    run: store.Run, ada: keys.PublicKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, path = frozen(run), tmp_path / "op.json"
    assert card.read_accepted(card.write(good, path)) == good
    assert card.differences(good, run) == []
    assert good.standing.words == f"signed by Ada (key {ada.id})"
    laxer = replace(good, threshold=1e9)
    cases = {
        "was changed after it was written": laxer,
        "was changed after it was signed": replace(laxer, sha256=laxer.seal),  # resealed
        "op.json was changed after it was signed": replace(frozen(run, "bpcer<=0.4"), signature=good.signature),
        "is unsigned, but only what one of the keys": good.sealed(),
        "is signed by an unknown key": by_eve(run, monkeypatch, tmp_path),
        "has 'signature.more', which this version does not know": None,
    }
    for said, edited in cases.items():
        document = good.as_json() if edited is None else edited.as_json()
        if edited is None:
            document["signature"] |= {"more": 1}
        path.write_text(json.dumps(document))
        with pytest.raises(BadInputError, match=said):
            card.read_accepted(path)
    for edited in (good.sealed(), replace(good, threshold=1e9)):
        with pytest.raises(BadInputError, match="The card"):
            applied.of_scores(edited, run.samples(["sample_id"]).assign(score=1.0))


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", '"inf"', '"-inf"', "1e999"])
def test_a_threshold_that_is_no_finite_number_is_refused_whatever_its_seal(
    number: str, run: store.Run, tmp_path: Path
) -> None:
    resealed = replace(frozen(run), threshold=float(number.strip('"').lower().replace("infinity", "inf"))).sealed()
    text = json.dumps(resealed.as_json() | {"threshold": 0.123456})
    path = tmp_path / "op.json"
    path.write_text(text.replace("0.123456", number))
    with pytest.raises(BadInputError, match="is no finite number: nothing can be decided by it"):
        card.read(path)
    with pytest.raises(BadInputError, match="is no finite number"):
        applied.of_scores(resealed, run.samples(["sample_id"]).assign(score=1.0))


def test_decisions_about_a_card_count_when_they_are_signed(
    run: store.Run, ada: keys.PublicKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = frozen(run)
    path = card.write(kept, tmp_path / "op.json")
    card_states.add(path, "approved", by="Ada", why="pilot")
    [event] = card_states.history(path, kept).events
    assert event.standing.words == f"signed by Ada (key {ada.id})"
    lines = card_states.file_of(path).read_text()
    said = json.loads(lines)
    unsigned = {name: value for name, value in said.items() if name != "signature"}
    resealed = replace(event, by="Eve", signature=None)
    renamed = said | {"by": "Eve", "sha256": resealed.seal}
    for change, words in ((unsigned, "is unsigned, but only"), (renamed, "was changed after it was signed")):
        card_states.file_of(path).write_text(json.dumps(change) + "\n")
        ends.note(card_states.file_of(path), kept.sha256, str(change["sha256"]))
        with pytest.raises(BadInputError, match=words):
            card_states.history(path, kept)
        with pytest.raises(BadInputError, match=words):
            card_states.add(path, "withdrawn", why="a leak")
    with pytest.raises(BadInputError, match="was changed after it was signed"):
        card_states.sign(path)
    card_states.file_of(path).write_text(lines)
    ends.note(card_states.file_of(path), kept.sha256, event.sha256)
    keys.new("Eve", tmp_path / "eve")
    monkeypatch.setenv(keys.KEY, str(tmp_path / "eve"))
    with pytest.raises(BadInputError, match="This decision is signed by your own key, but only"):
        card_states.add(path, "withdrawn", why="a leak")
    assert card_states.file_of(path).read_text() == lines


def test_what_was_there_before_the_keys_is_signed_later(run: store.Run, tmp_path: Path) -> None:
    path = card.write(frozen(run), tmp_path / "op.json")
    card_states.add(path, "approved", by="Ada", why="pilot")
    keys.new("Ada")
    keys.trust(keys.key_file().with_name("key.pub"))
    with pytest.raises(BadInputError, match="op.json is unsigned, .* signs it: fas keys sign CARD"):
        card.read_accepted(path)
    assert [text.split(" on ")[0] for text in card_states.sign(path)] == ["card op", "approved by Ada"]
    assert card_states.sign(path) == []
    assert card_states.history(path, card.read_accepted(path)).state == "approved"
    card_states.add(path, "withdrawn", why="a leak")
    assert card_states.history(path, card.read_accepted(path)).state == "withdrawn"


def test_lines_that_are_taken_from_the_end_are_missed(run: store.Run, tmp_path: Path) -> None:
    kept = frozen(run)
    path = card.write(kept, tmp_path / "op.json")
    card_states.add(path, "approved", why="pilot")
    card_states.add(path, "withdrawn", why="a leak")
    file = card_states.file_of(path)
    first, second = file.read_text().splitlines(keepends=True)
    for text in (first, "", None):
        file.unlink() if text is None else file.write_text(text)
        with pytest.raises(BadInputError, match="has lost lines at its end, or all of them"):
            card_states.history(path, kept)
        with pytest.raises(BadInputError, match="has lost lines"):
            card_states.add(path, "superseded", why="x", successor=frozen(run, "bpcer<=0.4"))
    file.write_text(first + second)
    assert card_states.history(path, kept).state == "withdrawn"
    copy = card.write(kept, tmp_path / "elsewhere" / "op.json")  # decided on apart
    assert card_states.history(copy, kept).state == "draft"


def test_decisions_about_runs_count_when_they_are_signed(tiny_cache: Path, ada: keys.PublicKey) -> None:
    decided = decisions.keep(drafted(tiny_cache), tiny_cache)
    assert decided.standing.words == f"signed by Ada (key {ada.id})"
    [entry] = decisions.kept(tiny_cache)[0]
    entry.path.write_text(json.dumps(replace(decided, signature=None).as_json()))
    assert decisions.kept(tiny_cache)[0] == []
    assert "is unsigned, but only what one of the keys" in decisions.kept(tiny_cache)[1][0]
    edited = replace(decided, by="Eve")
    entry.path.write_text(json.dumps(replace(edited, sha256=edited.seal).as_json()))
    assert "was changed after it was signed" in decisions.kept(tiny_cache)[1][0]


def test_commands_say_who_has_signed_and_refuse_the_rest(
    tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, new = tmp_path / "op.json", tmp_path / "new.csv"
    new.write_text("sample_id,rec\na,100\n")
    freeze = ("threshold", "a", "--score", "rec", "--choose-on", "live", "--report-on", "seen_paper", "--out", out)
    by_card = ("predict", "--operating-point", out, "--scores", new, "--json")
    assert "The card is unsigned." in fas(*freeze).out
    applied_now = fas(*by_card)
    assert "; unsigned." in applied_now.err
    assert json.loads(applied_now.out)["card"]["signature"] == "unsigned"
    check = ("threshold", "--check", out)
    assert "everything is as it was" in fas(*check).out
    assert fas("keys", "new", "--name", "Ada").code == 0
    (tmp_path / "ada.pub").write_text(fas("keys", "show").out)
    assert fas("keys", "trust", tmp_path / "ada.pub").code == 0
    [listed] = json.loads(fas("keys", "list", "--json").out)
    assert (listed["name"], listed["trusted"], listed["own"]) == ("Ada", True, True)
    for command in (by_card, check, ("report", "a", "--operating-point", out, "--out", tmp_path / "r.html")):
        assert "op.json is unsigned, but only what one of the keys in" in message(fas(*command))
    assert fas("keys", "sign", out).out == "Signed: card op\n"
    whose = f"signed by Ada (key {listed['key'][:16]})"
    assert json.loads(fas(*by_card).out)["card"]["signature"] == whose
    assert whose in fas(*check).out
    name = fas("cards", "keep", out).out.strip()
    assert "level" in fas("cards").out
    assert json.loads(fas("cards", "--json").out)[0]["signature"] == whose
    assert fas("keys", "untrust", "Ada").code == 0
    assert "signed by your own key, but only" in message(fas(*by_card))
    monkeypatch.setenv(keys.KEY, str(tmp_path / "none"))
    assert "signed by an unknown key" in message(fas(*by_card))
    assert "signed by an unknown key" in cardpage.page(card.read(out), None)
    assert "signed by an unknown key" in message(fas("cards", "approve", name, "--why", "x", "--although-missed"))


def test_a_kept_card_whose_decisions_do_not_count_here_is_listed_as_that(
    run: store.Run, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    cache = ("--cache", run.cache)
    keys.new("Eve")
    path = card.write(frozen(run), tmp_path / "op.json")
    name = fas("cards", "keep", path, *cache).out.strip()
    approved = fas("cards", "approve", path, "--why", "pilot", "--although-missed", *cache)
    assert approved.out.startswith(f"{name}: approved by ")
    assert f"op.json is kept as {name}: the decision is about that one" in approved.err
    assert not card_states.file_of(path).exists()
    keys.new("Ada", tmp_path / "ada")
    keys.trust(tmp_path / "ada.pub")
    keys.key_file().unlink()
    keys.key_file().with_name("key.pub").unlink()
    [entry] = json.loads(fas("cards", "--json", *cache).out)
    assert (entry["card"], entry["state"]) == (name, "not accepted")
    assert entry["signature"].startswith("signed by an unknown key")
    listed = fas("cards", *cache)
    assert "No cards" not in listed.out
    assert "is signed by an unknown key" in listed.err
    assert card_states.kept(run.cache)[0] == []  # it is no reason for anything
