"""What can be computed from the codes of a Run: projections to the plane, mixtures and their likelihoods."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, LEARNED, TRAIN, TRAINING_USE, dev_subsets, is_training
from fas_core.errors import BadInputError
from fas_core.runs import columns as kept_columns
from fas_core.runs.store import Run

MOST_FITTED, SEED = 200_000, 0  # training images that anything is fitted on; of more, so many are drawn with this seed


def training_rows(run: Run) -> NDArray[np.int64]:
    """Rows of the bona fide images that the model learned from: what every fit is fitted on.

    Those whose content its checkpoint knows, whatever the manifest calls them; where the checkpoint does not say what
    it learned from, the bona fide images of subset `train`. Raises BadInputError if there are none.
    """
    rows = np.flatnonzero(_are_training(run))
    if not len(rows):
        raise BadInputError(
            f"Run {run.info.name} has no training images, so nothing can be fitted on them. "
            "Cache the data that the model learned from too: fas cache CHECKPOINT --data MANIFEST"
        )
    return rows


def _are_training(run: Run) -> NDArray[np.bool_]:
    """(n,) which rows are `training_rows`."""
    if run not in _training:
        columns = _judged_by(run)
        is_one = _is_fitted_on(run.samples(columns, repeated=columns)) if run.shards else np.empty(0, np.bool_)
        _training[run] = np.packbits(is_one)
    return np.unpackbits(_training[run], count=len(run)).astype(np.bool_)


def sampled_training_rows(run: Run, limit: int) -> NDArray[np.int64]:
    """`training_rows`, ascending; of more than `limit`, so many of them, always the same."""
    return _drawn(training_rows(run), limit)


def _drawn(rows: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    return rows if len(rows) <= limit else np.sort(np.random.default_rng(SEED).choice(rows, limit, replace=False))


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows (m,), ascending, that something is fitted on, of the n that it could be."""

    rows: NDArray[np.int64]
    n: int

    def __len__(self) -> int:
        return len(self.rows)

    def drawn(self, limit: int) -> NDArray[np.int64]:
        """Its rows, or so many of them, always the same."""
        return _drawn(self.rows, limit)

    @property
    def words(self) -> str:
        """What stands before "live training images": "50,000 of 3,200,000 live training images, drawn with seed 0"."""
        return sample_words(len(self), self.n, "live training images")


def sample_words(m: int, n: int, what: str) -> str:
    """ "12 images", or where they are not all: "50,000 of 3,200,000 images, drawn with seed 0"."""
    return f"{n:,} {what}" if m == n else f"{m:,} of {n:,} {what}, drawn with seed {SEED}"


def fitting_sample(run: Run) -> Sample:
    """The training rows that mixtures, principal components and scores of codes are fitted on: all of them up to
    `MOST_FITTED`. Raises BadInputError as `training_rows`."""
    if run not in _samples:
        rows = training_rows(run)
        _samples[run] = Sample(_drawn(rows, MOST_FITTED), len(rows))
    return _samples[run]


def fitting_words(run: Run) -> str:
    """ "Fitted on 12 live training images."; or that there are none, where nothing is fitted."""
    try:
        return f"Fitted on {fitting_sample(run).words}."
    except BadInputError as error:
        return str(error)


def drawn_rows(n: int) -> NDArray[np.int64]:
    """Of the first n rows, ascending, those that something is fitted on which is fitted on all images."""
    return _drawn(np.arange(n), MOST_FITTED)


def sample_key(run: Run, *, of_all: bool = False) -> dict[str, object]:
    """What the key of a stored fit says of the sample that it is of; nothing where it is of all there are."""
    is_sampled = len(run) > MOST_FITTED and (of_all or has_training_rows(run, MOST_FITTED + 1))
    return {"sample": MOST_FITTED, "sample_seed": SEED} if is_sampled else {}


_training: WeakKeyDictionary[Run, NDArray[np.uint8]] = WeakKeyDictionary()  # whether each row is one, a bit each
_samples: WeakKeyDictionary[Run, Sample] = WeakKeyDictionary()

_known: WeakKeyDictionary[Run, dict[int, bool]] = WeakKeyDictionary()  # which scores a Run has is asked all the time


def has_training_rows(run: Run, n: int) -> bool:
    """Whether there are n `training_rows` at least; reads no more shards than it takes to tell, of many all at once."""
    answers = _known.setdefault(run, {})
    if n not in answers:
        answers[n] = _has_training_rows(run, n)
    return answers[n]


def _has_training_rows(run: Run, n: int) -> bool:
    if n > MOST_FITTED or run in _training:
        return int(_are_training(run).sum()) >= n
    columns, missing = _judged_by(run), n
    for shard in run.shards[: kept_columns.FEW] if missing > 0 else ():
        missing -= int(_is_fitted_on(shard.table("samples", columns).to_pandas()).sum())
        if missing <= 0:
            break
    return missing <= 0 or (len(run.shards) > kept_columns.FEW and int(_are_training(run).sum()) >= n)


def calibrating_rows(run: Run) -> NDArray[np.int64]:
    """Rows, ascending, of the bona fide images on which thresholds are chosen and that the model did not learn from.

    None where there is no subset to choose on but that of training.
    """
    columns, chosen = _judged_by(run), set(dev_subsets(run.subsets)) - {TRAIN}
    if not chosen:
        return np.empty(0, np.int64)
    samples, can_be = run.samples(columns, repeated=columns), np.zeros(len(run), np.bool_)
    for shard in run.shards:
        can_be[shard.start : shard.start + shard.n] = shard.subset in chosen
    return np.flatnonzero(can_be & (samples["label"] == BONA_FIDE).to_numpy(bool) & ~_is_fitted_on(samples))


def _judged_by(run: Run) -> list[str]:
    return [TRAINING_USE if TRAINING_USE in run.column_names() else "subset", "label"]


def _is_fitted_on(samples: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) of the columns `_judged_by`."""
    has_use = TRAINING_USE in samples
    is_learned = (samples[TRAINING_USE] == LEARNED).to_numpy(bool) if has_use else is_training(samples)
    return is_learned & (samples["label"] == BONA_FIDE).to_numpy(bool)
