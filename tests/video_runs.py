"""Runs made from videos: frames with `video_id`, `frame` and `time`, not in their order, some videos short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import write_image_run


def video_samples(n_subjects: int = 8, *, frames: int = 6, seed: int = 0) -> pd.DataFrame:
    """Frames of two live videos and a print and a replay of each subject, half of them in dev and half in test.

    Frames are 0.25 s apart, give or take; every fifth video has two frames only. In no order of any kind. `score`:
    higher for attacks, whose frames begin like live ones; some are missing.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(n_subjects):
        for video, species in enumerate(("", "", "print", "replay")):
            n = 2 if (4 * subject + video) % 5 == 4 else frames
            times = 0.5 + 0.25 * np.arange(n) + rng.uniform(0, 0.1, n)
            for number, time in enumerate(times):
                rows.append(
                    {
                        "subject_id": f"s{subject}",
                        "session_id": f"s{subject}",
                        "video_id": f"v{video}",
                        "label": "attack" if species else "bona_fide",
                        "pai_species": species,
                        "subset": "dev" if subject % 2 else "test",
                        "frame": float(30 * number),
                        "time": round(float(time), 6),
                        "score": rng.normal(0, 1) + (0.6 * number if species else 0),
                    }
                )
    table = pd.DataFrame(rows).assign(sample_id=[f"f{i}" for i in range(len(rows))])
    table.loc[rng.choice(len(table), 5, replace=False), "score"] = np.nan
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def write_video_run(cache: Path, samples: pd.DataFrame | None = None, name: str = "videos") -> store.Run:
    """A Run of scores alone, by `score`."""
    return scores_only_run(cache, name, video_samples() if samples is None else samples, ["score"], "videos.csv")


def write_video_image_run(cache: Path, name: str = "clips") -> store.Run:
    """A Run of images, by the losses that `write_image_run` gives."""
    samples = video_samples(4).drop(columns="score")
    poses = dict.fromkeys(("pose_x", "pose_y", "pose_z"), 0.0)
    return write_image_run(cache, name, samples.assign(path=samples["sample_id"] + ".png", **poses), shard_size=50)
