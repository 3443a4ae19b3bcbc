"""Terminals and standard outputs that cannot show every character."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

pytestmark = pytest.mark.process

ROWS = "sample_id,label,pai_species,score\na,live,,0.1\nb,live,,0.4\nc,spoof,Maske ä,0.4\nd,spoof,面具,0.9\n"


def printed(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`fas ...` in a process of its own: what is under test are its streams."""
    command = [sys.executable, "-m", "fas_core.cli", *map(str, arguments)]
    inherited = os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, env=inherited | environment, capture_output=True, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


ASCII = {"PYTHONIOENCODING": "ascii"}
LATIN = {"PYTHONIOENCODING": "latin-1"}
C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"}


@pytest.mark.parametrize("environment", [ASCII, LATIN, C], ids=["ascii", "latin-1", "C"])
def test_numbers_are_shown_with_the_characters_there_are(file: Path, environment: dict[str, str]) -> None:
    done = printed("metrics", file, "--threshold", "0.4", **environment)
    assert done.returncode == 0, done.stderr
    assert rb"BPCER \u2264 5.0 %" in done.stdout
    assert rb"\u9762\u5177" in done.stdout
    help_text = printed("metrics", "--help", **environment)
    assert help_text.returncode == 0, help_text.stderr
    assert b"fas metrics" in help_text.stdout


@pytest.mark.parametrize("environment", [ASCII, LATIN, C], ids=["ascii", "latin-1", "C"])
def test_json_is_json_in_any_encoding(file: Path, environment: dict[str, str]) -> None:
    done = printed("metrics", file, "--json", **environment)
    assert done.returncode == 0, done.stderr
    encoding = "latin-1" if environment is LATIN else "ascii"
    assert set(json.loads(done.stdout.decode(encoding))["n_per_species"]) == {"Maske ä", "面具"}


def test_a_card_is_the_same_file_whatever_the_terminal(file: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    run = printed("scores", "import", file, "--name", "Größe ≤", "--cache", cache).stdout.decode().strip()
    for name, environment in (("usual", {}), ("narrow", C)):
        done = printed(
            *("threshold", run, "--rule", "threshold=0.4", "--cache", cache, "--by", "bo"),
            *("--out", tmp_path / f"{name}.json"),
            **environment,
        )
        assert done.returncode == 0, done.stderr
    usual, narrow = (
        {
            k: v
            for k, v in json.loads((tmp_path / f"{name}.json").read_bytes()).items()
            if k not in ("created", "sha256")
        }
        for name in ("usual", "narrow")
    )
    assert narrow == usual
    assert narrow["run_name"] == "Größe ≤"
    assert "面具" in narrow["reported"]["all"]["apcer_per_species"]
    assert printed("threshold", "--check", tmp_path / "narrow.json", "--cache", cache, **C).returncode == 0


def test_a_refusal_is_one_line_in_any_encoding(tmp_path: Path) -> None:
    done = printed("metrics", tmp_path / "missing ≤.csv", **ASCII)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_marks_are_utf8_whatever_the_terminal(tiny_cache: Path) -> None:
    from fas_core.runs import marks, store

    run = store.open_run(tiny_cache, "a")
    marks.make(run, "live_0", by="Bö", is_marked=True, note="Größe ≤")
    done = printed("marks", "a", "--cache", tiny_cache, **ASCII)
    assert done.returncode == 0, done.stderr
    assert "Größe ≤" in done.stdout.decode("utf-8")
