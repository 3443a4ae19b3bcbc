"""Duplicates among images: whatever they are saved as, who stays, and what is never merged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from fas_core.cli.data import data_dedupe
from fas_core.data import dedupe, manifest
from fas_core.errors import BadInputError
from tests.conftest import Result


def picture(seed: int) -> Image.Image:
    """A face of nobody: blobs of light, as different from one seed to the next as people are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:96] / 96
    light = sum(
        rng.uniform(40, 90) * np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / rng.uniform(0.01, 0.08))
        for _ in range(12)
    )
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def data_set(folder: Path, rows: list[tuple[str, int, str, str, str]]) -> manifest.Manifest:
    """Rows of file name, seed of its picture, subset, label, species; what a name ends in is how it is saved."""
    for name, seed, *_ in rows:
        image = picture(seed)
        if "half" in name:
            image = image.resize((48, 48))
        if "bright" in name:
            image = ImageEnhance.Brightness(image).enhance(1.2)
        image.save(folder / name, quality=60)
    table = pd.DataFrame(
        [(name, subset, label, species) for name, _, subset, label, species in rows],
        columns=["path", "subset", "label", "pai_species"],
    )
    manifest.write(table, folder / "m.csv")
    return manifest.read(folder / "m.csv")


def live(*names: str) -> list[tuple[str, int, str, str, str]]:
    """Bona fide rows "subset/seed name"."""
    split = [(text.split()[1], *text.split()[0].split("/")) for text in names]
    return [(name, int(seed), subset, "bona_fide", "") for name, subset, seed in split]


def test_saved_anew_it_is_the_same_and_training_loses_it_first(tmp_path: Path) -> None:
    data = data_set(
        tmp_path,
        live(
            *("train/1 a.png", "train/2 b.png", "live/1 a_half.jpg", "unseen_mask/1 a_bright.png"),
            *("train/3 c.png", "train/3 c_half_bright.jpg", "live/4 d.png"),
        ),
    )
    unique = dedupe.deduplicated(data)
    assert unique.rows["sample_id"].tolist() == ["b.png", "a_half.jpg", "c.png", "d.png"]
    left = unique.left.set_index("sample_id")
    assert left["stays"].to_dict() == {
        "a.png": "a_half.jpg",
        "a_bright.png": "a_half.jpg",
        "c_half_bright.jpg": "c.png",
    }
    assert left.loc["a.png", ["subset", "stays_in"]].tolist() == ["train", "live"]
    assert (left["difference"] <= dedupe.MAX_DIFFERENCE).all()
    assert "in live" in left.loc["a.png", "reason"]
    assert unique.conflicts.empty
    document = unique.as_json()
    assert document["subsets"]["train"] == {"left": 2, "stay": 2}
    assert (document["n_before"], document["n_after"]) == (7, 4)


def test_a_live_face_and_an_attack_that_look_the_same_are_told_and_stay(tmp_path: Path) -> None:
    paper, mask = ("attack", "paper"), ("attack", "mask")
    rows = [
        *live("train/1 a.png", "live/2 b.png", "live/3 c.png"),
        ("a_half.png", 1, "live", *paper),
        ("b_half.png", 2, "live", *paper),
        ("b_bright.png", 2, "live", *mask),
        ("b_half_bright.png", 2, "live", *mask),
    ]
    data = data_set(tmp_path, rows)
    unique = dedupe.deduplicated(data)
    assert unique.left["sample_id"].tolist() == ["b_half_bright.png"]  # of one species
    pairs = set(map(frozenset, unique.conflicts[["sample_id", "sample_id_of_other"]].to_numpy().tolist()))
    of_b = [("b.png", "b_half.png"), ("b.png", "b_bright.png"), ("b_half.png", "b_bright.png")]
    assert pairs == set(map(frozenset, [("a.png", "a_half.png"), *of_b]))
    apart = dedupe.deduplicated(data, across_labels=True)
    assert apart.rows["sample_id"].tolist() == ["c.png"]
    reason = apart.left.set_index("sample_id")["reason"]
    assert reason["a.png"].endswith("'a_half.png', which is paper: one label is wrong")
    assert apart.left.set_index("sample_id")["stays"]["a.png"] == ""


def test_every_one_that_left_is_near_one_that_stays_also_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    seeds = rng.integers(0, 12, 60)
    endings = ("", "_half", "_bright", "_half_bright")
    names = [f"{('train', 'live')[i % 2]}/{seed} {i}{endings[i % 4]}.png" for i, seed in enumerate(seeds)]
    data = data_set(tmp_path, live(*names))
    whole = dedupe.deduplicated(data)
    monkeypatch.setattr(dedupe, "BLOCK", 7)
    monkeypatch.setattr(dedupe, "WIDTH", 5)
    assert dedupe.deduplicated(data).left.equals(whole.left)
    seed_of = dict(zip(data.rows["sample_id"], seeds.tolist(), strict=True))
    assert sorted(map(seed_of.get, whole.rows["sample_id"])) == sorted(set(seeds.tolist()))
    for _, row in whole.left.iterrows():
        assert seed_of[row["sample_id"]] == seed_of[row["stays"]]
        assert row["stays_in"] == "live" or row["subset"] == "train"
    in_live = {seed for seed, name in zip(seeds.tolist(), names, strict=True) if name.startswith("live")}
    assert {seed_of[row.sample_id] for row in whole.rows.itertuples() if row.subset == "live"} == in_live


def test_a_slow_change_is_thinned_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedupe, "BLOCK", 4)
    steps = np.arange(20)[:, np.newaxis]
    small = np.clip(100 + 3 * steps + np.zeros((20, 1024)), 0, 255).astype(np.uint8)  # each 0.012 from the one before
    search = dedupe._Search(small, np.zeros(20, np.uint64), np.zeros(20, np.int64), 0.03)
    for first in range(0, 20, 4):
        search.add(np.arange(first, first + 4))
    assert search.stay.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert all(abs(a - b) < 3 for a, b in search.leaving.items())


def test_what_cannot_be_judged_stays_and_is_said(tmp_path: Path) -> None:
    data = data_set(tmp_path, live("train/1 a.png", "train/2 b.png", "live/2 b_half.png"))
    (tmp_path / "a.png").write_bytes(b"no image")
    rows = data.rows.assign(subject_id=["x", "y", "z"])
    unique = dedupe.deduplicated(manifest.Manifest(rows, data.source))
    assert unique.rows["sample_id"].tolist() == ["a.png", "b_half.png"]
    assert [note.split(" ")[0] for note in unique.notes] == ["1", "1"]
    assert "two names" in unique.notes[0]
    assert "cannot be read" in unique.notes[1]
    with pytest.raises(BadInputError, match="--max-difference -1: give a number from 0"):
        dedupe.deduplicated(data, -1)


def test_the_command_writes_what_stays_and_what_left(tmp_path: Path, fas: Callable[..., Result]) -> None:
    data = data_set(
        tmp_path, [*live("train/1 a.png", "live/1 a_half.png", "live/2 b.png"), ("p.png", 2, "live", "attack", "paper")]
    )
    out = tmp_path / "deeper" / "m2.csv"
    out.parent.mkdir()
    document = json.loads(fas("data", "dedupe", data.source, "--out", out, "--json").out)
    assert [entry["sample_id"] for entry in document["removed"]] == ["a.png"]
    assert [entry["sample_id_of_other"] for entry in document["conflicts"]] == ["p.png"]
    written = manifest.read(out)
    assert written.rows["sample_id"].tolist() == ["a_half.png", "b.png", "p.png"]
    assert all(path.is_file() for path in written.image_paths())  # relative to where the new manifest lies
    assert pd.read_csv(out.with_name("m2.left.csv"))["stays"].tolist() == ["a_half.png"]
    said = fas("data", "dedupe", data.source, "--out", out)
    assert "Alike, but not of one label: 1" in said.out
    assert data_dedupe.__kwdefaults__ is None
    assert dedupe.MAX_DIFFERENCE in (data_dedupe.__defaults__ or ())  # the command's own default
