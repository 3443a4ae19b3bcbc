"""A report with pixelated faces names no person and no sample, and names each by one other name."""

import re
from pathlib import Path

import numpy as np
import pytest

from fas_core.deciding import card, decisions
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System
from fas_core.evaluation.sheet import Sheet, comparison
from fas_core.evaluation.summary import summary
from fas_core.metrics import operating_point as op
from fas_core.reports import report
from fas_core.reports.pseudonyms import Pseudonyms
from fas_core.runs import store
from tests.conftest import tiny_samples, write_image_run

COLUMNS = ("sample_id", "subject_id", "session_id", "video_id", "path")


@pytest.fixture
def runs(tmp_path: Path) -> list[store.Run]:
    """Of people whose ids are names, and numbers."""
    samples = tiny_samples()
    samples["subject_id"] = samples["subject_id"].map(
        {"s0": "o_hara & sons", "s1": "17", "s2": "mira", "u0": "u_zed", "u1": "23", "u2": "wu_3"}
    )
    samples["sample_id"] = "img." + samples["sample_id"]
    samples["session_id"] = "day/" + samples["session_id"]
    samples["video_id"] = "clip " + samples["session_id"]
    cache = tmp_path / "cache"
    return [write_image_run(cache, name, samples, seed=seed) for name, seed in (("a", 1), ("b", 2))]


def ids(run: store.Run) -> set[str]:
    table = run.samples(list(COLUMNS))
    names = {str(name) for column in COLUMNS for name in table[column].unique()}
    return {form for name in names for form in (name, name.replace("_", " "), name.replace("&", "&amp;"))}


def decide(runs: list[store.Run]) -> None:
    a, b = (System(run, "rec") for run in runs)
    judged, in_use, evidence = decisions.by_comparison(
        compared(a, b, op.Rule("bpcer", 0.2), chosen_on=["live"], resamples=50)
    )
    said = "of subject id 17, mira and img.live_2 (see day/live_1)"
    draft = decisions.draft(judged, in_use, evidence, verdict="refused", by="Ada", reason=f"Attacks {said}.")
    decisions.keep(draft, runs[0].cache)


def words_of(page: str) -> str:
    return re.sub(r"<style.*?</style>|data:image/png;base64,[\w+/=]*", "", page, flags=re.DOTALL)


def without_numbers(names: set[str]) -> set[str]:
    return {name for name in names if not name.isdecimal()}


def test_a_comparison_names_nobody(runs: list[store.Run]) -> None:
    decide(runs)
    frozen = card.card(runs[0], "rec", op.rule("threshold=1e9"), [], ["seen_paper", "unseen_mask"], note="mira again")
    sheet = Sheet(comparison([System(run, "rec") for run in runs], chosen_on=["live"]))
    given = {"with_appendix": True, "card": frozen}
    clear = words_of(report.page(sheet, report.Options(**given)))
    assert {"mira", "17", "img.live_2"} <= {name for name in ids(runs[0]) if name in clear}
    pages = [words_of(report.page(sheet, report.Options(images=report.PIXELATED, **given))) for _ in range(2)]
    for page in pages:
        assert {name for name in without_numbers(ids(runs[0])) if name in page} == set()
        assert not re.search(r">\s*(17|23)\s*<|subject.id (17|23)", page)
    known = [set(re.findall(r"\b(?:subject|sample|session) [0-9a-f]{8}\b", page)) for page in pages]
    assert known[0]
    assert len(known[0]) == len(known[1])
    assert not known[0] & known[1]  # nobody is followed from one document to the next
    assert re.search(r"Attacks of subject id subject \w{8}, subject \w{8} and sample \w{8}", pages[0])


def test_a_report_of_one_run_names_nobody(runs: list[store.Run]) -> None:
    about = summary(System(runs[0], "rec"), op.rule("bpcer<=0.3"), chosen_on=["live"])
    page = words_of(report.page(about, report.Options(images=report.PIXELATED, with_appendix=True)))
    assert {name for name in without_numbers(ids(runs[0])) if name in page} == set()
    assert "sample " in page


def test_a_name_is_the_same_in_a_document_and_says_nothing_of_the_id() -> None:
    names, others = Pseudonyms(), Pseudonyms()
    assert names.of("subject_id", "mira") == names.of("presenter_id", "mira") != others.of("subject_id", "mira")
    assert names.of("subject_id", "mira") != names.of("sample_id", "mira")
    assert names.of("subset", "mira") == "mira"
    assert names.of("subject_id", "") == ""
    many = {names.of("subject_id", str(i)) for i in np.arange(1000)}
    assert len(many) == 1000
