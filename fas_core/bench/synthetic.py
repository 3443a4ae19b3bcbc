"""Runs of as many samples as a measurement asks for, written as shards at once: no model, no manifest, no pictures.

    python -m fas_core.bench.synthetic CACHE [--samples 1000000] [--pixels 16] [--dimensions 32]

The protocol's six subsets: two fifths are bona fide training images, a tenth live ones of other people, the rest halves
of bona fide images and attacks by paper or mask, seen or unseen. People are in training or outside of it. A code is
where its person, its subset and its species lie, with noise; scores follow the species and the person and are
consistent (`elbo` is `rec` plus `kl`); four frames in turn are a video. Everything follows from the seed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.runs import store

SHARES = {"train": 0.4, "live": 0.1, **dict.fromkeys(("seen_paper", "seen_mask", "unseen_paper", "unseen_mask"), 0.125)}
TERMS = ["rec", "kl", "elbo", "excess_bce", "pixel_l1", "pixel_l2", "ssim"]
NAME = "synthetic"
LARGE_SHARD = 16_384  # samples: a disk that is asked to hold each shard takes long for many
FRAMES = 4  # of a video
MOST_PEOPLE = 10_000  # as CelebA-Spoof has
_MADE_OF = {"paper": 1.0, "mask": 2.0}  # how far a species lies from bona fide, in standard deviations


def write_run(
    cache: Path,
    n: int,
    *,
    pixels: int = 16,
    dimensions: int = 32,
    shard_size: int = store.SHARD_SIZE,
    name: str = NAME,
    seed: int = 0,
) -> store.Run:
    """An images Run of n samples, n >= 60. `pixels`: of a side of its images; 0: it holds none."""
    sizes = {subset: int(n * share) for subset, share in SHARES.items()}
    sizes["train"] += n - sum(sizes.values())
    info = store.RunInfo(
        run=store.run_id("synthetic", name, *map(str, (n, pixels, dimensions, shard_size, seed))),
        name=name,
        kind="images",
        subsets=sizes,
        scores=TERMS,
        model="dcvae",
        checkpoint=f"{name}.safetensors",
        shard_size=shard_size,
    )
    folder = store.create(cache, info)
    people = _People.of(n, dimensions, seed)
    for number, (subset, size) in enumerate(sizes.items()):
        for place, shard in enumerate(info.shard_names(subset)):
            rng = np.random.default_rng([seed, number, place])
            first = place * shard_size
            rows, codes = _samples(rng, people, subset, number, np.arange(first, min(first + shard_size, size)))
            images = {
                kind: rng.integers(0, 256, (len(rows), pixels, pixels), dtype=np.uint8)
                for kind in ("inputs", "reconstructions")
                if pixels
            }
            store.write_shard(folder / subset / shard, rows, latents=codes, **images)
    return store.opened(folder)


class _People:
    """Where people lie among the codes, (m, d), and how much harder than others they are, (m,)."""

    def __init__(self, codes: NDArray[np.float32], hardness: NDArray[np.float64]) -> None:
        self.codes, self.hardness = codes, hardness

    @classmethod
    def of(cls, n: int, dimensions: int, seed: int) -> _People:
        rng = np.random.default_rng(seed)
        count = int(np.clip(n // 60, 10, MOST_PEOPLE))
        spread = np.linspace(3, 0.5, dimensions)
        return cls((rng.normal(size=(count, dimensions)) * spread).astype(np.float32), rng.normal(0, 0.3, count))

    def rows(self, subset: str, videos: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the people in some videos of a subset: two fifths are in training, the others in all other subsets."""
        trained = 2 * len(self.codes) // 5
        return videos % trained if subset == "train" else trained + videos % (len(self.codes) - trained)


def _samples(
    rng: np.random.Generator, people: _People, subset: str, number: int, index: NDArray[np.int64]
) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """The samples of a shard and their codes; `index` is of the samples in their subset, `number` of the subset."""
    m, video = len(index), index // FRAMES
    species = subset.partition("_")[2]
    person = people.rows(subset, video)
    is_attack = (video // len(people.codes) + video) % 2 * bool(species) > 0
    apart = is_attack * (_MADE_OF.get(species, 0.0) + 0.5 * subset.startswith("unseen"))
    codes = people.codes[person] + rng.standard_normal((m, people.codes.shape[1]), np.float32)
    codes[:, 0] += 6 * apart
    codes[:, 1] += 2 * number
    rec = 100 + 10 * (apart + people.hardness[person] + rng.normal(0, 1, m))
    kl = 40 + 5 * (0.5 * apart + rng.normal(0, 1, m))
    scores = {"rec": rec, "kl": kl, "elbo": rec + kl, "excess_bce": rec - 80, "pixel_l1": rec / 1500}
    scores |= {"pixel_l2": rec / 1000 + rng.normal(0, 0.003, m), "ssim": 1 - np.exp(-rec / 200)}
    names = [f"{subset}_{i:08d}" for i in index]
    sessions = [f"p{who:05d}_{number}" for who in person]
    rows = pd.DataFrame(
        {
            "path": [f"{subset}/{name}.png" for name in names],
            "sample_id": names,
            "label": pd.Categorical.from_codes(is_attack.astype(np.int8), ["bona_fide", "attack"]),
            "pai_species": pd.Categorical.from_codes(is_attack.astype(np.int8), ["", species or "none"]),
            "subject_id": [f"p{who:05d}" for who in person],
            "session_id": sessions,
            "subset": subset,
            "video_id": [f"{subset}_v{i:07d}" for i in video],
            "frame": (index % FRAMES).astype(np.float64),
            "glasses": pd.Categorical.from_codes((person % 3 == 0).astype(np.int8), ["no", "yes"]),
            "is_constant": False,
            **{name: scores[name].astype(np.float32) for name in TERMS},
        }
    )
    texts = rows.select_dtypes("category").columns
    return rows.astype(dict.fromkeys(texts, "str")), codes


def at_hand(n: int) -> store.Run | None:
    """A Run of n samples that is there already, in the folder that FAS_CACHE names."""
    folder = os.environ.get("FAS_CACHE")
    runs = store.all_runs(Path(folder)) if folder else ()
    return next((run for run in runs if run.info.name == NAME and len(run) == n), None)


def derive(run: store.Run, amount: str = "quick") -> None:
    """As `fas cache` does, with what pages keep for themselves."""
    command = [sys.executable, "-P", "-m", "fas_core.cli", "derive", run.id, amount, "--cache", str(run.cache)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def main() -> None:
    """Writes what the command line asks for, and tells where."""
    parser = argparse.ArgumentParser(prog="python -m fas_core.bench.synthetic", description="Writes a synthetic Run.")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--pixels", type=int, default=16, help="of a side of its images; 0: none")
    parser.add_argument("--dimensions", type=int, default=32)
    parser.add_argument("--shard-size", type=int, default=store.SHARD_SIZE)
    parser.add_argument("--name", default=NAME)
    parser.add_argument("--derive", default="none", choices=["none", "quick", "all"])
    given = parser.parse_args()
    run = write_run(
        given.cache,
        given.samples,
        pixels=given.pixels,
        dimensions=given.dimensions,
        shard_size=given.shard_size,
        name=given.name,
    )
    derive(run, given.derive)


if __name__ == "__main__":
    main()
