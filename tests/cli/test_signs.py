"""Scores that were turned round at import or joining: every value and threshold says so, in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.runs import naming, sources, store
from tests.conftest import Result

SAID = "was bona fide where it is from, so it is negated here, its thresholds too"


def written(folder: Path, subset: str, seed: int) -> Path:
    """Forty samples; live faces have the higher score."""
    rng = np.random.default_rng(seed)
    attack = np.arange(40) % 2 == 1
    table = pd.DataFrame(
        {
            "sample_id": [f"{subset}{i}" for i in range(40)],
            "label": np.where(attack, "attack", "bona_fide"),
            "pai_species": np.where(attack, "print", ""),
            "score": rng.normal(0, 1, 40) - 3 * attack,
        }
    )
    table.to_csv(folder / f"{subset}.csv", index=False)
    return folder / f"{subset}.csv"


def test_a_negated_score_says_so_wherever_it_is_printed(tmp_path: Path, fas: Callable[..., Result]) -> None:
    files = [f"@{subset}={written(tmp_path, subset, seed)}" for seed, subset in enumerate(("dev", "eval"))]
    cache = ("--cache", tmp_path / "cache")
    assert fas("scores", "import", *files, "--name", "v", "--higher-is", "bona_fide", *cache).code == 0
    run = store.open_run(tmp_path / "cache", "v")
    assert naming.facts_of(run).words[0] == "dev.csv (dev), eval.csv (eval) · higher was bona fide, negated"
    assert "so it is negated" in scores.description(run, "score")
    card, plots, report = tmp_path / "op.json", tmp_path / "plots", tmp_path / "r.html"
    threshold = fas("threshold", "v", "--rule", "bpcer<=0.05", "--out", card, *cache)
    said = [
        fas("evaluate", "v", *cache),
        threshold,
        fas("threshold", "--check", card, *cache),
        fas("certify", "v", "--plan", "ibeta-level-1", *cache),
        fas("predict", "--operating-point", card, "--scores", tmp_path / "dev.csv", "--higher-is", "bona_fide", *cache),
    ]
    assert [result.err.count(SAID) for result in said] == [1] * len(said)
    assert json.loads(fas("evaluate", "v", "--json", *cache).out)["negated"] == ["score"]
    applied = ("predict", "--operating-point", card, "--scores", tmp_path / "dev.csv", "--higher-is", "bona_fide")
    assert json.loads(fas(*applied, "--json", "--cache", tmp_path / "elsewhere").out)["card"]["negated"] is True
    assert fas("report", "v", "--score", "score", "--out", report, "--operating-point", card, *cache).code == 0
    assert report.read_text().count(SAID) == 3  # beside the threshold, below the curves, on the card
    assert fas("figures", "v", "--out", plots, *cache).code == 0
    captions = [path.read_text() for path in plots.glob("*.txt")]
    assert captions
    assert all(SAID in caption for caption in captions if "recall of each loss" not in caption)


def test_joined_scores_say_it_too_and_others_do_not(
    tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    samples = store.open_run(tiny_cache, "a").samples(["sample_id"])
    for name in ("up", "down"):
        samples[name] = np.linspace(0, 1, len(samples))
    samples.to_csv(tmp_path / "s.csv", index=False)
    higher = [part for text in ("up=bona_fide", "down=attack") for part in ("--higher-is", text)]
    assert fas("scores", "join", "a", tmp_path / "s.csv", *higher, "--cache", tiny_cache).code == 0
    run = store.open_run(tiny_cache, "a")
    assert scores.sign_words(run, "up").startswith(f"Higher up {SAID}")
    assert (scores.sign_words(run, "down"), scores.sign_words(run, "rec")) == ("", "")
    compared = fas("compare", "a:rec", "b:rec", "--cache", tiny_cache)
    assert SAID not in compared.err
    compared = fas("compare", "b:rec", "a:up", "--cache", tiny_cache)
    assert compared.err.count(SAID) == 1


@pytest.mark.parametrize(
    ("source", "words", "is_negated"),
    [
        ("v.csv", "v.csv", False),
        ("'my scores.csv' --higher-is bona_fide", "my scores.csv · higher was bona fide, negated", True),
        ("a.csv b=o.csv --higher-is b=bona_fide", "a.csv, o.csv (b) · higher b was bona fide, negated", False),
        ("@x=1 @y=2 @z=3 @w=4 --format bob5 --attack-label 0", "1 (x), 2 (y), 3 (z) and 1 more · bob5", False),
        ("v.csv --higher-is bona_fide --higher-is a=attack", "v.csv · higher was bona fide, negated", False),
        ("it's.csv", "it's.csv", False),
        ("", "", False),
    ],
)
def test_a_source_is_told_in_words(source: str, words: str, is_negated: bool) -> None:
    assert sources.in_words(source) == words
    assert sources.is_negated(source, "a") is is_negated
