"""How a score stands among others'."""

import math
from pathlib import Path

import numpy as np
import pytest

from app.parts import standing
from fas_core.runs import store


def test_every_sample_is_of_one_class(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    samples, classes = run.samples(), standing.classes(run)
    assert sorted(np.concatenate(list(classes.values())).tolist()) == list(range(len(run)))
    training = samples.iloc[classes[standing.LIVE_TRAINING]]
    assert set(training["subset"]) == {"train"}
    assert set(training["label"]) == {"bona_fide"}
    assert set(samples.iloc[classes["paper"]]["pai_species"]) == {"paper"}
    assert standing.sizes(run, "kl") == {name: len(rows) for name, rows in classes.items()}


def test_a_place_among_training_live_images_and_among_a_species(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    samples = run.samples()
    values = samples["kl"].astype(float)
    training, paper = values[samples["subset"] == "train"], values[samples["pai_species"] == "paper"]
    middle = float(values.median()) + 1e-9
    assert standing.percent(run, "kl", middle) == math.floor(100 * (training < middle).mean())
    assert standing.percent(run, "kl", middle, "paper") == math.floor(100 * (paper < middle).mean())
    assert standing.percent(run, "kl", middle, "no such species") is None
    assert standing.percents(run, "kl", [math.nan, math.inf]) == [None, 100]


def test_the_line_below_an_image(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    value = standing.number(float(run.samples()["rec"].iloc[0]))
    for share, words in (
        (100, " · above all training live"),
        (25, " · above 25 % of training live"),
        (None, ""),
    ):
        monkeypatch.setattr(standing, "percents", lambda *_, share=share: [share])
        assert standing.score_lines(run, "rec", np.array([0])) == [f"rec {value}{words}"]
