"""Runs that a page or a command seldom sees: what the core accepts, nothing may crash on.

Each name stands for a table of samples (columns as `tests.conftest.tiny_samples` has them) and, for Runs of images,
what is odd about their codes and losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples, write_image_run


def _subsets(*names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows[rows["subset"].isin(names)]


def _of_class(label: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows[rows["label"] == label]


def _one_of(label: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows[(rows["label"] != label) | ~rows["label"].eq(label).duplicated()]


def _species(n: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """`n` species, two attacks each, all in one test subset."""

    def changed(rows: pd.DataFrame) -> pd.DataFrame:
        attack = rows[rows["label"] == "attack"].iloc[[0]]
        many = pd.concat([attack] * (2 * n), ignore_index=True)
        many["sample_id"] = [f"attack_{i}" for i in range(2 * n)]
        many["pai_species"] = [f"species {i // 2:03d}" for i in range(2 * n)]
        return pd.concat([rows[rows["label"] != "attack"], many], ignore_index=True)

    return changed


def _one_training_image(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["subset"] != "train") | ~rows["subset"].duplicated()]


ODD: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "no_species": lambda rows: rows.assign(pai_species=""),
    "some_species": lambda rows: rows.assign(pai_species=rows["pai_species"].where(rows["subset"] != "seen_paper", "")),
    "train_only": _subsets("train"),
    "live_only": lambda rows: rows[(rows["label"] == "bona_fide") & (rows["subset"] != "train")],
    "attack_only": _of_class("attack"),
    "one_attack": _one_of("attack"),
    "one_live": _one_of("bona_fide"),
    "one_sample": lambda rows: rows.iloc[[-1]],
    "one_training_image": _one_training_image,
    "no_image_read": lambda rows: rows,
    "huge_scores": lambda rows: rows,
    "equal_scores": lambda rows: rows,
    "species_1": _species(1),
    "species_2": _species(2),
    "species_60": _species(60),
    "species_300": _species(300),
}
LARGEST = float(np.finfo(np.float64).max)


def odd_samples(kind: str) -> pd.DataFrame:
    return ODD[kind](tiny_samples()).reset_index(drop=True)


def odd_scores(kind: str, n: int) -> np.ndarray:
    """(n,) of a score file; of a Run of images the losses stay what they are."""
    values = np.random.default_rng(n).normal(0, 1, n)
    if kind == "huge_scores":
        values = np.where(np.arange(n) % 3, values, np.where(np.arange(n) % 2, LARGEST, -LARGEST))
        values[:2] = [np.inf, 5e-324][: len(values[:2])]
    return np.full(n, 0.5) if kind == "equal_scores" else values


def write_odd_run(cache: Path, kind: str, *, has_images: bool) -> store.Run:
    """The odd Run in `cache`, beside nothing else, named after its kind."""
    samples = odd_samples(kind)
    if not has_images:
        table = samples[["sample_id", "label", "pai_species", "subset", "subject_id"]]
        table = table.assign(score=odd_scores(kind, len(table)))
        if kind == "no_image_read":
            table = table.assign(score=np.nan)
        return scores_only_run(cache, kind, table, ["score"], f"{kind}.csv")
    if kind != "no_image_read":
        # Shards of four would be hundreds of files where there are hundreds of species.
        return write_image_run(cache, kind, samples, seed=1, shard_size=max(4, len(samples) // 8))
    return _unread(cache, kind, samples)


def _unread(cache: Path, kind: str, samples: pd.DataFrame) -> store.Run:
    """As inference writes it where no image of a subset can be read."""
    like = write_image_run(cache / "like", kind, samples, seed=1)
    folder = store.create(cache, like.info)
    for shard in like.shards:
        rows = shard.table("samples", None).to_pandas()
        failures = samples[samples["sample_id"].isin(rows["sample_id"])].assign(reason="it is no image")
        arrays = {name: shard.array(name)[:0] for name in store.ARRAYS}
        store.write_shard(folder / shard.subset / shard.folder.name, rows.iloc[:0], failures, **arrays)
    return store.opened(folder)


# What a Run holds that is not all of a model's outputs, or not in gray; and whether its losses are there.
PARTIAL = {
    "latents_alone": ("latents",),
    "reconstructions_alone": ("reconstructions", "losses"),
    "without_reconstructions": ("latents", "inputs", "losses"),
    "without_latents": ("reconstructions", "inputs", "losses"),
    "colour": ("latents", "reconstructions", "inputs", "losses"),
}


def write_partial_run(cache: Path, kind: str) -> store.Run:
    """The Run in `cache`, named after its kind; the samples are those of `write_image_run`, in one shard per subset."""
    like = write_image_run(cache / "like", kind, tiny_samples(), seed=1, shard_size=100)
    kept = PARTIAL[kind]
    scores = like.info.scores if "losses" in kept else []
    info = replace(like.info, scores=scores)
    folder = store.create(cache, info)
    rng = np.random.default_rng(0)
    for shard in like.shards:
        arrays = {name: np.array(shard.array(name)) for name in kept if name != "losses"}
        if kind == "colour":
            tint = rng.integers(0, 80, (shard.n, 1, 1, 3), np.uint8)
            arrays |= {name: arrays[name][..., None] // 2 + tint for name in ("inputs", "reconstructions")}
        samples = shard.table("samples", None).to_pandas()
        samples = samples.drop(columns=[name for name in like.info.scores if name not in scores])
        store.write_shard(folder / shard.subset / shard.folder.name, samples, **arrays)
    return store.opened(folder)
