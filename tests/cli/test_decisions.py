"""`fas decisions`: kept with their numbers, listed with what took their place, refused with one message."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Result, message


def test_decisions_are_added_and_listed(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    said = ("--score", "rec", "--by", "Ada", "--cache", tiny_cache)
    why = ("--reason", "a leak", "--condition", "until May")
    assert "No decisions" in fas("decisions", "--cache", tiny_cache).out
    approved = ("decisions", "add", "b", "--verdict", "approved", "--reason", "better", "--against", "a", *said)
    assert "approve it all the same: --although-missed." in fas(*approved).err
    added = fas(*approved, "--although-missed")
    assert added.out.startswith("b: approved by Ada on ")
    assert " against a: although its limit is missed (on seen paper, " in added.out
    assert added.out.endswith(", above 5 %): better.\n")
    alone = fas("decisions", "add", "b", "--verdict", "refused", *why, *said)
    kept, before = alone.out.splitlines()
    assert kept.endswith(": a leak. Condition: until May.")
    assert before.startswith("In the place of: approved by Ada on ")
    later, earlier = json.loads(fas("decisions", "list", "--cache", tiny_cache, "--json").out)
    assert (later["verdict"], later["superseded"], later["supersedes"]) == ("refused", False, earlier["sha256"])
    assert (earlier["verdict"], earlier["superseded"], earlier["against"]["name"]) == ("approved", True, "a")
    assert later["against"] is None
    [sentence] = later["evidence"]["numbers"]
    assert f"Judged per frame, at the threshold {later['about']['threshold']}, the worst attack" in sentence
    listed = fas("decisions", "--cache", tiny_cache).out
    assert "(superseded)" in listed
    assert "until May" in listed


def test_what_cannot_be_kept_is_refused_with_one_message(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    def add(*words: str) -> str:
        return message(fas("decisions", "add", "b", "--score", "rec", *words, "--cache", tiny_cache))

    assert "needs a reason" in add("--verdict", "approved", "--by", "Ada", "--reason", " ")
    assert "needs the name" in add("--verdict", "approved", "--by", "", "--reason", "better")
    assert "'yes' is no verdict" in add("--verdict", "yes", "--by", "Ada", "--reason", "better")
    assert "Missing option '--reason'" in add("--verdict", "approved", "--by", "Ada")
