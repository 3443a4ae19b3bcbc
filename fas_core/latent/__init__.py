"""What can be computed from the codes of a Run: projections to the plane, mixtures and their likelihoods."""

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.names import BONA_FIDE, LEARNED, TRAIN, TRAINING_USE, dev_subsets, is_training
from fas_core.errors import BadInputError
from fas_core.runs.store import Run


def training_rows(run: Run) -> NDArray[np.int64]:
    """Rows of the bona fide images that the model learned from: what every fit is fitted on.

    Those whose content its checkpoint knows, whatever the manifest calls them; where the checkpoint does not say what
    it learned from, the bona fide images of subset `train`. Raises BadInputError if there are none.
    """
    rows = np.flatnonzero(_is_fitted_on(run.samples(_judged_by(run))))
    if not len(rows):
        raise BadInputError(
            f"Run {run.info.name} has no training images, so nothing can be fitted on them. "
            "Cache the data that the model learned from too: fas cache CHECKPOINT --data MANIFEST"
        )
    return rows


def sampled_training_rows(run: Run, limit: int) -> NDArray[np.int64]:
    """`training_rows`, ascending; of more than `limit`, so many of them, always the same."""
    rows = training_rows(run)
    return rows if len(rows) <= limit else np.sort(np.random.default_rng(0).choice(rows, limit, replace=False))


_known: WeakKeyDictionary[Run, dict[int, bool]] = WeakKeyDictionary()  # which scores a Run has is asked all the time


def has_training_rows(run: Run, n: int) -> bool:
    """Whether there are n `training_rows` at least; reads no more shards than it takes to tell, and those once."""
    answers = _known.setdefault(run, {})
    if n not in answers:
        answers[n] = _has_training_rows(run, n)
    return answers[n]


def _has_training_rows(run: Run, n: int) -> bool:
    columns, missing = _judged_by(run), n
    for shard in run.shards if missing > 0 else ():
        missing -= int(_is_fitted_on(shard.table("samples", columns).to_pandas()).sum())
        if missing <= 0:
            break
    return missing <= 0


def calibrating_rows(run: Run) -> NDArray[np.int64]:
    """Rows, ascending, of the bona fide images on which thresholds are chosen and that the model did not learn from.

    None where there is no subset to choose on but that of training.
    """
    columns, chosen, rows = _judged_by(run), set(dev_subsets(run.subsets)) - {TRAIN}, []
    for shard in run.shards:
        if shard.subset in chosen:
            samples = shard.table("samples", columns).to_pandas()
            is_live = (samples["label"] == BONA_FIDE).to_numpy(bool)
            rows.append(shard.start + np.flatnonzero(is_live & ~_is_fitted_on(samples)))
    return np.concatenate([np.empty(0, np.int64), *rows])


def _judged_by(run: Run) -> list[str]:
    return [TRAINING_USE if TRAINING_USE in run.column_names() else "subset", "label"]


def _is_fitted_on(samples: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) of the columns `_judged_by`."""
    has_use = TRAINING_USE in samples
    is_learned = (samples[TRAINING_USE] == LEARNED).to_numpy(bool) if has_use else is_training(samples)
    return is_learned & (samples["label"] == BONA_FIDE).to_numpy(bool)
