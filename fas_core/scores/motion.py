"""How unusually much or little the code moves from frame to frame, in nats: both a still picture and a shaken one.

The distance of a frame's code from that of the frame before it in its video, per second where the samples have the
column `time`, else per number in `frame`; a video's first frame has that of the second. What counts is how improbable
its logarithm is among live training videos, by a normal distribution: -log p. A code that does not move at all counts
as a hundredth of their median. A Run has it where every sample is one of several frames of a video and their order is
known, so that none lacks a value; an image by itself, as an upload is, has no motion.
"""

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fas_core import memo
from fas_core.errors import BadInputError
from fas_core.latent import training_rows
from fas_core.runs import columns
from fas_core.runs.store import Run
from fas_core.scores import Outputs, _kept

NEEDS = ("latents",)
TRAINING_IMAGES = 8
OF_VIDEOS = True
ORDER = ("time", "frame")  # the first that every sample has
STILL = 0.01  # of the live training videos' median
_OF_VIDEO = (
    "subset",
    "label",
    "pai_species",
    "subject_id",
    "session_id",
    "video_id",
)  # as presentations
_AT_ONCE = 4096  # frames
_FORMAT = 1

_answers: WeakKeyDictionary[Run, str] = WeakKeyDictionary()  # which scores a Run has is asked all the time


def lacks(run: Run) -> str:
    """What it lacks to be moved in, in words after its name; "" where nothing."""
    if run not in _answers and len(run.shards) <= columns.FEW:
        _answers[run] = _lacks(run)
    elif run not in _answers:
        asked = {"run": run.shards_digest, "format": _FORMAT}
        _answers[run] = memo.document(run.cache, "motion_lacks", asked, str, lambda: _lacks(run))
    return _answers[run]


def kept_as(run: Run) -> dict[str, object]:
    """What a Run's own values are kept by."""
    return _kept.about("motion", _FORMAT, run, run)


def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:
    """-log p of the logarithm of the motion, (n,), fitted on bona fide frames of `train` in `reference`.

    Raises BadInputError for images that are no frames of a Run's videos, and where the reference has none.
    """
    if not isinstance(outputs, Run):
        raise BadInputError("An image by itself has no motion, which is from frame to frame. Choose another score.")
    for run in (outputs, reference):
        if lacks(run):
            raise BadInputError(f"Run {run.info.name} {lacks(run)}, so that it has no motion.")

    def computed() -> NDArray[np.float64]:
        about = {"run": reference.shards_digest, "format": _FORMAT}
        fit = memo.arrays(reference.cache, "motion", about, lambda: _fitted(reference))
        logarithm = np.log(np.maximum(_motion(outputs), fit["still"]))
        apart = (logarithm - fit["mean"]) / fit["deviation"]
        return np.asarray(0.5 * apart**2 + np.log(fit["deviation"]) + 0.5 * np.log(2 * np.pi))

    return _kept.values("motion", _FORMAT, outputs, reference, computed)


def _steps(run: Run, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(m - 1,) distances from the code of each of m rows to that of the next."""
    order = np.argsort(rows)
    codes = np.concatenate(list(run.latent_blocks(rows[order])))[np.argsort(order)]
    return np.linalg.norm(codes[1:].astype(np.float64) - codes[:-1], axis=1)


def _fitted(reference: Run) -> memo.Arrays:
    motion = _motion(reference)[training_rows(reference)]
    still = max(STILL * float(np.median(motion)), float(np.finfo(np.float32).tiny))
    logarithm = np.log(np.maximum(motion, still))
    deviation = max(float(logarithm.std()), float(np.finfo(np.float32).eps))
    return {"still": np.array(still), "mean": logarithm.mean(), "deviation": np.array(deviation)}


def _lacks(run: Run) -> str:
    names = run.column_names()
    if "video_id" not in names or _has_empty(run, "video_id"):
        return "has samples that are of no video, as column video_id says"
    if not any(name in names for name in ORDER):
        return f"does not say when frames were taken: it has no column {' or '.join(ORDER)}"
    frames = _frames(run)
    if not np.isfinite(frames["at"]).all():
        return f"does not say of every sample when it was taken, in column {' or '.join(ORDER)}"
    if (np.bincount(frames["video"]) < 2).any():
        return "has videos of a single frame"
    in_order = frames.iloc[np.lexsort((frames["at"], frames["video"]))]
    return "has two frames of one video at one time" if (in_order.diff() == 0).all(axis=1).any() else ""


def _has_empty(run: Run, name: str) -> bool:
    ((_, said),) = run.coded([name])
    return pc.index(pc.cast(said, pa.large_string()), "").as_py() >= 0


def _frames(run: Run) -> pd.DataFrame:
    """(n,) of each sample, the number of its video and when it was taken."""
    names = run.column_names()
    order, texts = [name for name in ORDER if name in names], [name for name in _OF_VIDEO if name in names]
    rows = run.samples(order)
    at = [pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float64) for name in order]
    whole = next((values for values in at if np.isfinite(values).all()), at[0])
    video = np.zeros(len(run), np.int64)
    for codes, said in run.coded(texts):
        video, _ = pd.factorize(video * (len(said) + 1) + codes)
    return pd.DataFrame({"video": video, "at": whole})


def _motion(run: Run) -> NDArray[np.float64]:
    """(n,) distance from the frame before, or of the first frame to the one behind it, per unit of time."""
    frames = _frames(run)
    order = np.lexsort((frames["at"], frames["video"]))
    video, at = frames["video"].to_numpy()[order], frames["at"].to_numpy()[order]
    apart = np.concatenate(
        [np.empty(0), *(_steps(run, order[i : i + _AT_ONCE + 1]) for i in range(0, len(order) - 1, _AT_ONCE))]
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # between videos, where it is not used
        rates = apart / np.diff(at)
    is_first = np.append(True, video[1:] != video[:-1])
    motion = np.empty(len(order))
    motion[order] = np.where(is_first, np.append(rates, np.nan), np.insert(rates, 0, np.nan))
    return motion
