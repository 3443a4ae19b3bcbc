"""Runs told apart: by what differs among those of one name, never two alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from fas_core.runs import naming, store
from fas_core.runs.naming import Facts, ToShow

NOON = pd.Timestamp("2026-11-30 12:00", tz="UTC")


def texts(*runs: Facts) -> list[str]:
    told = naming.told_apart(runs)
    assert len(set(told.values())) == len(runs)
    return [told[run.id] for run in runs]


def test_names_that_differ_say_enough() -> None:
    assert texts(Facts("a1", "dcvae", "cmu"), Facts("b2", "resvae", "cmu")) == ["dcvae", "resvae"]


def test_of_several_data_sets_each_says_its_own_once() -> None:
    runs = Facts("a1", "dcvae", "cmu"), Facts("b2", "resvae", "orl"), Facts("c3", "orl", "orl")
    assert texts(*runs) == ["dcvae · cmu", "resvae · orl", "orl"]


def test_of_one_name_what_differs_is_said_and_nothing_else() -> None:
    alike = {"data": "cmu", "latent_dim": 64, "checkpoint_sha256": "f" * 64}
    assert texts(Facts("a1", "m", epoch=4, **alike), Facts("b2", "m", epoch=1, **alike)) == [
        "m · 4 epochs",
        "m · 1 epoch",
    ]
    narrow, wide = Facts("a1", "m", latent_dim=32), Facts("b2", "m", latent_dim=64)
    assert texts(narrow, wide) == ["m · 32 dimensions", "m · 64 dimensions"]
    seeds = [Facts(f"a{i}", "m", "cmu", settings={"seed": i, "width": 0.5}) for i in (0, 1)]
    assert texts(*seeds) == ["m · seed 0", "m · seed 1"]
    both = [Facts("a1", "m", "cmu", epoch=4), Facts("b2", "m", "cmu", epoch=1), Facts("c3", "m", "orl", epoch=1)]
    assert texts(*both) == ["m · cmu · 4 epochs", "m · cmu · 1 epoch", "m · orl · 1 epoch"]


def test_the_content_then_the_date_then_the_id_tell_the_rest_apart() -> None:
    assert texts(Facts("a1", "m", "d", "1" * 64), Facts("b2", "m", "d", "2" * 64)) == [
        "m · data 111111",
        "m · data 222222",
    ]
    assert texts(Facts("a1", "m", checkpoint_sha256="1" * 64), Facts("b2", "m", checkpoint_sha256="2" * 64)) == [
        "m · checkpoint 111111",
        "m · checkpoint 222222",
    ]
    later = NOON + pd.Timedelta(minutes=1)
    assert texts(Facts("a1", "m", made_at=NOON), Facts("b2", "m", made_at=later)) == [
        "m · 2026-11-30 12:00",
        "m · 2026-11-30 12:01",
    ]
    assert texts(Facts("a1b2c3d4", "m"), Facts("b2c3d4e5", "m")) == ["m · a1b2c3", "m · b2c3d4"]


def test_a_text_means_those_of_a_name_or_the_one_told_apart_by_it() -> None:
    runs = [Facts("a1", "m", "cmu", epoch=4), Facts("b2", "m", "cmu", epoch=1), Facts("c3", "n", "cmu")]
    assert naming.meant("m", runs) == ["a1", "b2"]
    assert naming.meant("m · 1 epoch", runs) == ["b2"]
    assert naming.meant("c", runs) == naming.meant("n", runs) == ["c3"]
    assert naming.meant("", runs) == naming.meant("zzz", runs) == []


def test_a_name_that_another_run_is_told_by_is_not_taken_for_it() -> None:
    runs = Facts("a1", "m", "x", epoch=2), Facts("b2", "m", "x", epoch=3), Facts("c3", "m · 2 epochs", "x")
    assert texts(*runs) == ["m · 2 epochs · a1", "m · 3 epochs", "m · 2 epochs · c3"]


def test_facts_are_read_from_the_run(tmp_path: Path, image_run: Callable[..., store.Run]) -> None:
    samples = pd.DataFrame(
        {"sample_id": list("abc"), "label": ["bona_fide", "attack", "attack"], "pai_species": "", "subset": "test"}
    )
    header = {"epoch": 3, "config": {"latent_dim": 16}, "experiment": {"seed": 1, "epochs": 5, "latent_dim": 16}}
    facts = naming.facts_of(image_run(tmp_path / "cache", "m", samples, header=header))
    assert (facts.name, facts.epoch, facts.latent_dim, facts.settings) == ("m", 3, 16, {"seed": 1})
    assert facts.words[-3:] == ["3 epochs", "16 dimensions", f"{facts.made_at:%Y-%m-%d}"]
    assert naming.n_with_both_classes(samples) == 1
    assert naming.n_with_both_classes(samples.iloc[1:]) == 0


def test_a_data_set_is_called_by_its_manifest_or_by_its_folder() -> None:
    assert [
        naming._data_name(file) for file in ("/x/cmu.csv", "/x/demo/manifest.csv", "manifest.csv", "C:\\x\\orl.csv")
    ] == [
        "cmu",
        "demo",
        "manifest",
        "orl",
    ]


def test_images_come_before_classes_before_results_before_samples() -> None:
    ascending = [
        ToShow(False, 9, 0, 9_000_000),
        ToShow(True, 0, 9, 9),
        ToShow(True, 1, 0, 1),
        ToShow(True, 1, 1, 1),
        ToShow(True, 1, 1, 2),
    ]
    assert [max(ascending[: i + 1]) for i in range(5)] == ascending
