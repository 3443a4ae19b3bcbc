"""Approve or refuse on the page Compare, and what Overview says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fas_core.deciding import decisions
from fas_core.evaluation.join import System
from fas_core.reports.report import NO_IMAGES
from fas_core.runs import store
from tests.reports.test_report import of_run, of_runs

from .conftest import page, said_of_all, texts
from .test_compare import JUDGED, fixed, page_of

DECIDING = "Approve or refuse"


def form(
    at: AppTest, verdict: str | None, by: str, reason: str, conditions: str = "", *, although_missed: bool = True
) -> AppTest:
    at.segmented_control(key="verdict").set_value(verdict)
    at.text_input(key="decided_by").set_value(by)
    at.text_area(key="decided_reason").set_value(reason)
    at.text_area(key="decided_conditions").set_value(conditions)
    at.get_by_key("decided_although").set_value(although_missed)
    return next(button for button in at.button if button.label == "Keep this decision").click().run()


def test_a_verdict_is_kept_with_what_the_page_says(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b", part=DECIDING)
    assert "Choose a verdict" in form(at, None, "Ada", "better").error[0].value
    assert "needs the name" in form(at, "approved", " ", "better").error[0].value
    assert "needs a reason" in form(at, "approved", "Ada", "").error[0].value
    refused = form(at, "approved", "Ada", "better", although_missed=False).error[0].value.replace("\\", "")
    assert refused.startswith("The limit is missed on seen paper, unseen mask: live rejected 50")
    assert decisions.kept(tiny_cache) == ([], [])
    done = form(at, "approved", "Ada", "fewer *masks*", "until May\n\nat gate 3")
    assert not done.error
    [kept], _ = decisions.kept(tiny_cache)
    decision = kept.decision
    assert (decision.about.name, decision.against and decision.against.name) == ("b", "a")
    assert (decision.against and decision.against.threshold, decision.about.threshold) == fixed(tiny_cache, "a", "b")
    assert (decision.evidence.chosen_on, decision.evidence.judged_on) == (("live",), JUDGED)
    assert decision.conditions == ("until May", "at gate 3")
    shown = said_of_all(at).replace("\\", "").replace("*", "").replace("\u00a0", " ")
    assert decision.evidence.numbers[:2] == ("A is a by rec, B is b by rec.", shown)
    assert decision.evidence.numbers[2].startswith("The limit BPCER ≤ 5 % on seen paper, unseen mask: A ")
    assert decision.reason.startswith("although its limit is missed (on seen paper")
    # The form is empty again, but for the name: who presses twice has decided once.
    assert (done.text_area(key="decided_reason").value, done.text_input(key="decided_by").value) == ("", "Ada")
    again = next(button for button in done.button if button.label == "Keep this decision").click().run()
    assert not again.error
    assert "kept already" in form(at, "approved", "Ada", "fewer *masks*", "until May\nat gate 3").error[0].value


def test_overview_and_report_say_what_was_decided_last(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "What was decided?" not in texts(page(cache=tiny_cache, run="a"))
    at = page_of(tiny_cache, monkeypatch, "a", "b", part=DECIDING)
    form(at, "approved", "Ada", "fewer masks")
    form(at, "refused", "Eve <b>", "a [leak](http://x)")
    overview = page(cache=tiny_cache, run="a")
    [line] = [m.value for m in overview.markdown if "refused" in m.value]
    assert line.startswith(":material/block: **b**: refused by Eve \\<b\\> on ")
    assert "against a\\: a \\[leak\\]\\(http" in line
    assert "In the place of\\: approved by Ada on " in line
    assert [e.label for e in overview.expander] == ["1 more decision"]
    a, b = (System(store.open_run(tiny_cache, name), "rec") for name in "ab")
    paper = of_runs(a, b, images=NO_IMAGES)
    assert "refused by Eve &lt;b&gt; on " in paper
    assert "above 5 %): fewer masks. Superseded by a later decision." in paper
    assert paper.count("Numbers as shown") == 1
    assert "What was decided" not in of_run(a.run, images=NO_IMAGES)


def test_a_changed_file_is_named(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form(page_of(tiny_cache, monkeypatch, "a", "b", part=DECIDING), "refused", "Ada", "a leak")
    [kept], _ = decisions.kept(tiny_cache)
    kept.path.write_text(json.dumps(json.loads(kept.path.read_text()) | {"verdict": "approved"}))
    said = texts(page(cache=tiny_cache, run="a"))
    assert "was changed after it was written" in said.replace("\\", "")
    assert "approved by" not in said
