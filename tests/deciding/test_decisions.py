"""Decisions about Runs: by whom and why, on which numbers, sealed, and none ever lost."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fas_core.deciding import decisions
from fas_core.deciding.decisions import Decision
from fas_core.errors import BadInputError
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System
from fas_core.evaluation.regressions import Cell, Regressions
from fas_core.metrics.operating_point import Rule
from fas_core.runs import store

RULE = Rule("bpcer", 0.2)


def drafted(
    cache: Path,
    reason: str = "fewer masks pass",
    by: str = "Ada",
    verdict: str = "approved",
    conditions: Sequence[str] = (),
) -> Decision:
    """About Run b, against a."""
    a, b = (System(store.open_run(cache, name), "rec") for name in "ab")
    judged, in_use, evidence = decisions.by_comparison(compared(a, b, RULE, chosen_on=["live"], resamples=50))
    return decisions.draft(
        judged,
        in_use,
        replace(evidence, missed=""),
        verdict=verdict,
        by=by,
        reason=reason,
        conditions=conditions,
    )


def test_it_holds_what_was_decided_on_and_reads_as_it_was_written(tiny_cache: Path) -> None:
    conditions = ["dev again in May\x1b[2J", " "]
    sealed = decisions.keep(drafted(tiny_cache, "  fewer\nmasks  pass ", conditions=conditions), tiny_cache)
    [kept], problems = decisions.kept(tiny_cache)
    assert problems == []
    assert kept.decision == sealed
    a, b = (store.open_run(tiny_cache, name) for name in "ab")
    assert (sealed.about.digest, sealed.against and sealed.against.digest) == (b.digest, a.digest)
    assert (sealed.evidence.rule, sealed.evidence.judged_on) == (RULE, ("seen_paper", "unseen_mask"))
    shown = compared(System(a, "rec"), System(b, "rec"), RULE, chosen_on=["live"], resamples=50)
    said, headline, limit, *rest = sealed.evidence.numbers
    assert headline == shown.headline
    assert (said, tuple(rest)) == ("A is a by rec, B is b by rec.", shown.in_words)
    assert limit.startswith("The limit BPCER ≤ 20 % on seen paper, unseen mask: A ")
    assert shown.verdicts is not None
    assert sealed.about.threshold == shown.verdicts.threshold_b
    day = sealed.when[:10]
    words = f"b: approved by Ada on {day} against a: fewer masks pass. Condition: dev again in May[2J."
    assert sealed.in_words == words


def test_a_later_one_takes_its_place_and_both_stay(tiny_cache: Path) -> None:
    first = decisions.keep(drafted(tiny_cache, conditions=["dev again"]), tiny_cache)
    second = decisions.keep(drafted(tiny_cache, "a leak", verdict="refused"), tiny_cache)
    listed, problems = decisions.kept(tiny_cache)
    assert [entry.before for entry in listed] == [first, None]
    assert listed[0].before_words == (
        f"In the place of: approved by Ada on {first.when[:10]} against a. Its condition: dev again."
    )
    assert listed[1].before_words == ""
    assert [(entry.decision, entry.is_latest) for entry in listed] == [(second, True), (first, False)]
    assert (second.supersedes, problems) == (first.sha256, [])
    listed[1].path.unlink()
    _, [problem] = decisions.kept(tiny_cache)
    assert "is gone, or was changed" in problem


def test_without_a_name_a_reason_or_a_verdict_nothing_is_kept(tiny_cache: Path) -> None:
    for said, message in (
        ({"by": " \u200b"}, "name of who"),
        ({"reason": "\n"}, "needs a reason"),
        ({"verdict": "maybe"}, "approved or refused"),
        ({"reason": "x" * 2001}, "Too long"),
        ({"conditions": ["x"] * 21}, "Too long"),
    ):
        with pytest.raises(BadInputError, match=message):
            drafted(tiny_cache, **said)  # type: ignore[arg-type]
    assert decisions.kept(tiny_cache) == ([], [])


def test_what_misses_its_limit_is_approved_on_purpose_alone(tiny_cache: Path) -> None:
    a, b = (System(store.open_run(tiny_cache, name), "rec") for name in "ab")
    shown = compared(a, b, Rule("bpcer", 0.01), chosen_on=["live"], resamples=50)
    assert not shown.targets[1].met
    judged, in_use, evidence = decisions.by_comparison(shown)
    assert evidence.missed.startswith("on seen paper, unseen mask: live rejected ")
    assert evidence.missed.endswith(", above 1 %")

    def draft(verdict: str, **options: bool) -> Decision:
        return decisions.draft(judged, in_use, evidence, verdict=verdict, by="Ada", reason="needed", **options)

    with pytest.raises(BadInputError, match="The limit is missed: on seen paper.*approve it all the same"):
        draft("approved")
    assert draft("refused").reason == "needed"
    sealed = decisions.keep(draft("approved", although_missed=True), tiny_cache)
    assert sealed.reason == f"although its limit is missed ({evidence.missed}): needed"
    [kept], problems = decisions.kept(tiny_cache)
    assert (kept.decision.evidence.missed, problems) == (evidence.missed, [])
    assert replace(evidence, missed="").as_json().keys() == evidence.as_json().keys() - {"missed"}  # as before


def test_the_same_is_kept_once_however_many_ask_at_once(tiny_cache: Path) -> None:
    draft = drafted(tiny_cache)
    refused = []

    def keep() -> None:
        try:
            decisions.keep(draft, tiny_cache)
        except BadInputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=keep) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decisions.kept(tiny_cache)[0]) == 1
    assert len(refused) == 5
    assert all("kept already: approved by Ada" in message for message in refused)
    decisions.keep(drafted(tiny_cache, by="Eve"), tiny_cache)  # another person's is another


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "refused"}, "was changed"),
        ({"version": 2}, "decision version 2"),
        ({"by": 3}, "'by' should be a text"),
        ({"note": ""}, "'note', which this version does not know"),
    ],
)
def test_a_changed_file_is_named_and_not_believed(change: dict[str, object], message: str, tiny_cache: Path) -> None:
    decisions.keep(drafted(tiny_cache), tiny_cache)
    path = decisions.kept(tiny_cache)[0][0].path
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    listed, [problem] = decisions.kept(tiny_cache)
    assert listed == []
    assert message in problem
    assert str(path) in problem


def test_what_became_of_the_run_is_said(tiny_cache: Path) -> None:
    about = drafted(tiny_cache).about
    a, b = (store.open_run(tiny_cache, name) for name in "ab")
    assert (about.state(b), about.state(None)) == ("", "its Run is gone")
    assert about.state(a) == "its Run has changed since"


def test_the_rows_of_what_got_worse_are_kept_and_decisions_from_before_still_open(tiny_cache: Path) -> None:
    draft = drafted(tiny_cache)
    dark = Cell("skin tone", "dark brown", "bona_fide", 129, 129, 0.09, 0.16, 0.03, 0.12, 0.004, 0.26)
    few = Cell("", "", "mask", 20, 20, 0.1, 0.5)
    listed = Regressions((dark,) * 8, (), (few,), 8, "subject")
    evidence = replace(draft.evidence, worse=decisions.worsened(listed))
    assert evidence.worse is not None
    assert len(evidence.worse) == decisions.MOST_WORSE
    sealed = decisions.keep(replace(draft, evidence=evidence), tiny_cache)
    [kept], problems = decisions.kept(tiny_cache)
    assert (kept.decision, problems) == (sealed, [])
    [row, *_] = kept.as_json()["evidence"]["worse"]
    assert (row["group"], row["a"], row["b"], row["low"], row["high"]) == ("dark brown", 0.09, 0.16, 0.03, 0.12)
    assert (row["difference"], row["verdict"]) == (pytest.approx(0.07), "not certain")
    assert sealed.evidence.worse_words(1) == (
        "live faces with skin tone dark brown 9 → 16 % (+3 to +12 points, n = 129), not certain; 7 more"
    )
    assert decisions.Worsened.of(few).in_words == "mask attacks 10 → 50 % (n = 20), too few to judge"
    kept.path.unlink()
    before = decisions.keep(replace(draft, evidence=replace(evidence, worse=None)), tiny_cache)
    document = json.loads(decisions.kept(tiny_cache)[0][0].path.read_text())
    assert "worse" not in document["evidence"]  # as it was written then, and sealed
    assert Decision.from_json(document, "the file") == before
    assert before.evidence.worse_words() == ""
