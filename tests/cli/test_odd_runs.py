"""No command ends in a traceback on a Run that the core accepts, however odd: it answers, or says what is missing."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fas_core.data import manifest
from tests.conftest import Result, message, tiny_samples, write_image_run
from tests.odd_runs import ODD, write_odd_run

RULES = ("bpcer<=0.05", "apcer<=0.1", "eer", "threshold=0.5")


def document(text: str) -> object:
    """JSON as the standard has it, without NaN and Infinity."""

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize("has_images", [True, False], ids=["images", "scores"])
@pytest.mark.parametrize("kind", ODD)
def test_every_command_answers_or_says_what_is_missing(
    kind: str, has_images: bool, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    cache, html, card = tmp_path / "cache", tmp_path / "report.html", tmp_path / "card.json"
    write_odd_run(cache, kind, has_images=has_images)
    write_image_run(cache, "usual", tiny_samples())
    own = "rec" if has_images else "score"
    by, against = ("--score", own), ("--score", own, "--score-b", "rec")
    for command in (
        ("evaluate", kind, *by, "--threshold", "0.5"),
        ("evaluate", kind, *by, "--json"),
        *(("threshold", kind, *by, "--rule", rule) for rule in RULES),
        ("threshold", kind, *by, "--rule", "threshold=0.5", "--out", card, "--json"),
        ("compare", kind, "usual", *against, "--json"),
        ("compare", kind, "usual", *against),
        ("report", kind, *by, "--operating-point", card, "--compare", "usual:rec", "--out", html),
        *([] if has_images else [("predict", "--operating-point", card, html)]),  # nobody trained these models
    ):
        result = fas(*command, "--cache", cache)
        assert command[0] in ("threshold", "predict", "compare") or result.code == 0, (command, result)
        if result.code:
            said = message(result)
            if command[0] == "threshold":  # each remedy is whole: with it, the next command works
                remedies = re.findall(r"(?:--(?:rule|choose-on|report-on) (?:\"[^\"]+\"|[\w-]+) ?)+", said)
                assert remedies, said
                for remedy in remedies:
                    assert fas(*command, *shlex.split(remedy), "--cache", cache).code == 0, (command, said)
            if command[0] == "compare":  # where nothing can be held against the other
                assert re.search("in common.* Choose (other Runs|another score)", said), said
                continue
            assert "--" in said or "threshold=T" in said or command[0] == "predict", said  # what to do instead
        elif "--json" in command:
            document(result.out)
    assert "</html>" in html.read_text()


def test_a_rule_that_nothing_allows_is_not_its_own_remedy(tmp_path: Path, fas: Callable[..., Result]) -> None:
    write_odd_run(tmp_path / "cache", "no_image_read", has_images=False)
    at = ("threshold", "no_image_read", "--cache", tmp_path / "cache")
    said = message(fas(*at, "--rule", "bpcer<=0.05"))
    assert said.endswith(
        'No subset of this Run allows bpcer<=0.05: take a threshold: --rule "threshold=0.5", or another number.'
    )
    assert fas(*at, "--rule", "threshold=0.5").code == 0


@pytest.mark.parametrize("others", [0, 4])
def test_one_training_image_is_a_run_and_a_note(
    others: int,
    tiny_faces: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    fas: Callable[..., Result],
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = manifest.read(tiny_faces)
    is_training = whole.rows["subset"] == "train"
    rows = whole.rows[is_training].iloc[:1], whole.rows[~is_training].iloc[:others]
    data = tiny_faces.parent / f"one_and_{others}.csv"
    manifest.write(pd.concat(rows), data)
    cache, card = tmp_path / "cache", tmp_path / "card.json"
    cached = fas("cache", tiny_checkpoint, "--data", data, "--cache", cache)
    assert cached.code == 0
    notes = [] if others else ["tiny: Principal components need at least two codes; there are 1."]
    assert [record.getMessage() for record in caplog.records if record.name == "fas_core.derive"] == notes
    run = cached.out.strip()
    rule = ("--score", "rec", "--rule", "threshold=0.5", "--report-on", "train")
    assert fas("threshold", run, *rule, "--out", card, "--cache", cache).code == 0
    image = tiny_faces.parent / str(rows[0]["path"].iloc[0])
    verdicts = document(fas("predict", "--operating-point", card, image, "--json", "--cache", cache).out)
    assert [entry["verdict"] for entry in verdicts] == ["attack"]


def test_a_run_of_failures_alone_is_kept_and_no_success(
    tiny_faces: Path, tiny_checkpoint: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    rows = manifest.read(tiny_faces).rows.iloc[:2]
    for name in rows["path"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    manifest.write(rows, tmp_path / "m.csv")
    result = fas("cache", tiny_checkpoint, "--data", tmp_path / "m.csv", "--cache", tmp_path / "cache")
    assert (result.code, result.err.count("fas: No image gave an output")) == (2, 1)
    assert "2 images gave no output" in result.err
    assert '"n_failures": 2' in fas("runs", "--json", "--cache", tmp_path / "cache").out
