"""Marks and notes: appended beside the Run, by several at once, damaged lines left out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fas_core.errors import BadInputError
from fas_core.runs import marks, store
from tests.conftest import Result, message

WRITER = """
import sys
from pathlib import Path
from fas_core.runs import marks, store
run = store.open_run(Path(sys.argv[1]), "a")
for i in range(20):
    marks.make(run, f"live_{i % 4}", by=sys.argv[2], is_marked=i % 2 == 0, note=f"{i} " + "x" * 500)
"""


def say_of_gone(run: store.Run, by: str) -> None:
    """A mark of a sample that the Run does not hold any more: it was made anew with fewer."""
    path = marks.file_of(run)
    line = json.loads(path.read_text().splitlines()[0]) | {"sample_id": "gone", "by": by, "is_marked": True, "note": ""}
    path.write_text(f"{path.read_text()}{json.dumps(line)}\n")


def files_of(run: store.Run) -> dict[Path, float]:
    return {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}


def test_the_latest_of_each_person_counts_and_nothing_is_overwritten(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    before = files_of(run)
    assert marks.history(run) == []
    marks.make(run, "live_0", by="anna", is_marked=True)
    marks.make(run, "live_0", by="bo", is_marked=False, note="blurred")
    marks.make(run, "live_1", by="anna", is_marked=True, note=" glare\n")
    marks.make(run, "live_0", by="anna", is_marked=False)
    assert len(marks.history(run)) == 4
    current = marks.current(marks.history(run))
    assert [(m.sample_id, m.by, m.is_marked, m.note) for m in current] == [
        ("live_0", "bo", False, "blurred"),
        ("live_1", "anna", True, "glare"),
    ]
    assert files_of(run) == before  # beside the Run, never in it
    assert marks.history(store.open_run(tiny_cache, "b")) == []


@pytest.mark.process
def test_several_at_once_lose_nothing(tiny_cache: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tiny_cache), who]) for who in ("anna", "bo")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    history = marks.history(store.open_run(tiny_cache, "a"))
    for who in ("anna", "bo"):
        notes = [mark.note.split()[0] for mark in history if mark.by == who]
        assert notes == [str(i) for i in range(20)]


def test_half_a_line_swallows_no_mark(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    marks.make(run, "live_0", by="", is_marked=True)
    with marks.file_of(run).open("ab") as file:
        file.write(b'{"sample_id": "live_1", "by"')  # a writer was killed here
    marks.make(run, "live_2", by="", is_marked=True)
    with marks.file_of(run).open("ab") as file:
        file.write(b'\xff\n[1]\n{"sample_id": 3, "by": "", "is_marked": true, "note": "", "when": ""}\n')
    assert [mark.sample_id for mark in marks.history(run)] == ["live_0", "live_2"]


def test_export_says_what_the_run_says_of_a_sample(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    marks.make(run, "seen_paper_4", by="=anna", is_marked=True, note='a "quote", and\nmore')
    say_of_gone(run, "=anna")
    table = marks.table(run, marks.current(marks.history(run)))
    assert list(table.columns) == [*marks.COLUMNS, "subset", "label", "pai_species"]
    assert table["sample_id"].to_list() == ["seen_paper_4", "gone"]
    assert table.iloc[0][["subset", "label", "pai_species"]].to_list() == ["seen_paper", "attack", "paper"]
    assert table.iloc[1][["subset", "label"]].isna().all()
    assert marks.table(run, []).empty


def test_labels_have_names_of_ones_own(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    assert marks.labels(tiny_cache) == ("1", "2", "3", "4", "5")
    marks.make(run, "live_0", by="anna", is_marked=False, own_label="1")
    marks.name_labels(tiny_cache, ["blurred", " glare ", "", "", ""])
    assert marks.labels(tiny_cache) == ("blurred", "glare", "3", "4", "5")
    assert [mark.own_label for mark in marks.current(marks.history(run))] == ["1"]  # as it was called then
    with pytest.raises(BadInputError, match="Two labels would be called '3'"):
        marks.name_labels(tiny_cache, ["3", "", "", "", ""])
    (tiny_cache / "marks" / "labels.json").write_text('["x"]')
    assert marks.labels(tiny_cache) == marks.LABELS


def test_two_people_agree_about_what_both_have_looked_at(fas: Callable[..., Result], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    for i, (anna, bo) in enumerate(((1, 1), (1, 0), (0, 0), (0, 0))):
        marks.make(run, f"live_{i}", by="anna", is_marked=bool(anna))
        marks.make(run, f"live_{i}", by="bo", is_marked=bool(bo), note="x" * i)
    marks.make(run, "seen_paper_4", by="anna", is_marked=True)  # bo has not looked at it
    for name in ("anna", "bo"):
        say_of_gone(run, name)
    marks.make(run, "live_3", by="cy", is_marked=False)  # who says nothing
    [of_two] = marks.agreements(run, marks.history(run))  # with cy there is nothing to agree about
    assert (of_two.people, of_two.about, of_two.kappa.n, of_two.kappa.observed) == (("anna", "bo"), "marks", 4, 0.75)
    assert of_two.kappa.value == pytest.approx(0.5)  # by chance: 2/4 * 1/4 + 2/4 * 3/4 = 1/2
    # Labels are compared where both have given one; cy, who has labelled nothing, is not told of.
    for name, given in (("anna", ("glare", "mask", "")), ("bo", ("glare", "glare", "glare"))):
        for i, own_label in enumerate(given):
            marks.make(run, f"live_{i}", by=name, is_marked=i == 0, own_label=own_label)
    of_marks, of_labels = marks.agreements(run, marks.history(run))
    assert (of_marks.about, of_marks.kappa.n) == ("marks", 4)
    assert (of_labels.about, of_labels.kappa.n, of_labels.kappa.observed) == ("labels", 2, 0.5)
    answer = fas("marks", "a", "--cache", tiny_cache, "--agreement")
    assert "anna and bo say the same (marks) of 100 % of the 4 samples that both have looked at" in answer.out
    assert "(labels) of 50 % of the 2 samples that both have labelled" in answer.out
    assert "cy" not in answer.out
    [first, _] = json.loads(fas("marks", "a", "--cache", tiny_cache, "--agreement", "--json").out)
    assert first["kappa"]["value"] == pytest.approx(1)


def test_a_place_that_cannot_be_written_is_said(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    marks.file_of(run).mkdir(parents=True)
    with pytest.raises(BadInputError, match="mark cannot be kept"):
        marks.make(run, "live_0", by="", is_marked=True)


def test_long_texts_are_cut(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    mark = marks.make(run, "live_0", by="b" * 999, is_marked=False, note="n" * 9999)
    assert (len(mark.by), len(mark.note)) == (marks.LONGEST_NAME, marks.LONGEST_NOTE)
    assert json.loads(marks.file_of(run).read_text())["note"] == mark.note


def test_the_command_exports_everybodys_marks(fas: Callable[..., Result], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    marks.make(run, "live_0", by="anna", is_marked=True, note="=HYPERLINK(1)")
    marks.make(run, "live_1", by="bo", is_marked=True)
    marks.make(run, "live_1", by="bo", is_marked=False)
    say_of_gone(run, "bo")
    answer = fas("marks", "a", "--cache", tiny_cache)
    first, of_anna, other = answer.out.splitlines()
    assert (answer.code, first.split(",")[:4]) == (0, ["sample_id", "by", "is_marked", "note"])
    assert of_anna.startswith("live_0,anna,True,'=HYPERLINK(1),")
    assert of_anna.endswith(",live,bona_fide,")
    assert other.startswith("gone,bo,True,,")
    listed = json.loads(fas("marks", "a", "--cache", tiny_cache, "--json").out)
    assert [(m["sample_id"], m["note"], m["subset"]) for m in listed] == [
        ("live_0", "=HYPERLINK(1)", "live"),
        ("gone", "", None),
    ]
    assert "No Run is called 'zzz'" in message(fas("marks", "zzz", "--cache", tiny_cache))


def test_no_link_is_followed(tiny_cache: Path, tmp_path: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    for number, link in enumerate((marks.file_of(run), tiny_cache / "marks")):
        elsewhere = tmp_path / f"elsewhere {number}"
        elsewhere.mkdir()
        target = elsewhere if number else elsewhere / "secret"
        (elsewhere / "labels.json").write_text(json.dumps(list("abcde")))
        shutil.rmtree(tiny_cache / "marks", ignore_errors=True)
        if not number:
            link.parent.mkdir()
            target.write_text("before")
        link.symlink_to(target)
        before = sorted((path.name, path.read_text()) for path in elsewhere.iterdir())
        for change in (lambda: marks.make(run, "live_0", by="", is_marked=True), lambda: marks.history(run)):
            with pytest.raises(BadInputError, match="symbolic link, which is not followed"):
                change()
        assert marks.labels(tiny_cache) == marks.LABELS
        if number:
            with pytest.raises(BadInputError, match="symbolic link"):
                marks.name_labels(tiny_cache, "vwxyz")
        assert sorted((path.name, path.read_text()) for path in elsewhere.iterdir()) == before
        link.unlink()
