"""Files of one class: a certification list holds attacks only, and its APCER at a given threshold is defined."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result, message

ATTACKS = "sample_id,label,pai_species,score\na,spoof,print,0.4\nb,spoof,mask,0.9\n"
BONA_FIDE = "sample_id,label,pai_species,score\na,live,,0.4\nb,live,,0.9\n"


@pytest.fixture(params=["attack", "bona_fide"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(kind: str, tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(ATTACKS if kind == "attack" else BONA_FIDE)
    return path


def assert_is_of(kind: str, at: dict[str, object]) -> None:
    if kind == "attack":
        assert (at["apcer_max"], at["apcer_worst"], at["bpcer"]) == (1, "print", None)
        assert at["apcer_per_species"] == {"mask": 0, "print": 1}
    else:
        assert (at["apcer_max"], at["apcer_worst"], at["bpcer"]) == (None, None, 0.5)


def test_metrics_at_a_threshold(file: Path, kind: str, fas: Callable[..., Result]) -> None:
    document = json.loads(fas("metrics", file, "--threshold", "0.5", "--json").out)
    assert_is_of(kind, document["at_threshold"][0])
    assert (document["roc_auc"], document["eer"]) == (None, None)
    shown = fas("metrics", file, "--threshold", "0.5")
    assert shown.code == 0
    assert "At 0.5: BPCER " in shown.out
    assert "holds only" in message(fas("metrics", file))


def test_a_run_at_a_threshold(file: Path, kind: str, tmp_path: Path, fas: Callable[..., Result]) -> None:
    at = ("--cache", tmp_path / "cache")
    assert fas("scores", "import", file, "--name", "list", *at).code == 0
    evaluated = fas("evaluate", "list", "--subset", "all", "--threshold", "0.5", "--json", *at)
    assert_is_of(kind, json.loads(evaluated.out)["scores"]["score"]["all"]["at_threshold"][0])
    assert "all: At 0.5: BPCER " in fas("evaluate", "list", "--threshold", "0.5", *at).out
    assert "holds only" in message(fas("evaluate", "list", "--subset", "all", *at))
    out = tmp_path / "card.json"
    card = json.loads(fas("threshold", "list", "--rule", "threshold=0.5", "--json", "--out", out, *at).out)
    assert_is_of(kind, card["reported"]["all"])
    assert fas("threshold", "--check", out, *at).code == 0
    assert fas("threshold", "list", "--rule", "threshold=0.5", *at).code == 0
    assert fas("report", "list", "--operating-point", out, "--out", tmp_path / "r.html", *at).code == 0
