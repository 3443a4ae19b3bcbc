"""Runs in a notebook: what `fas_core` hands on by name, so that importing it costs nothing until something is asked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fas_core import default_cache, scores
from fas_core.evaluation import run_metrics
from fas_core.reports import papers
from fas_core.runs import store
from fas_core.runs.store import Run


def open_run(reference: str, cache: Path | str | None = None) -> Run:
    """The Run of an id, a unique prefix of one, or a name, in a cache folder: by default in that of the commands.

    Raises BadInputError, listing the choices, where no Run or several are meant.
    """
    return store.open_run(default_cache() if cache is None else Path(cache), reference)


def table(run: Run) -> pd.DataFrame:
    """A row per sample in the Run's order: its columns, and one per score, higher = more attack-like.

    Where a column of the samples has the name of a score that did not come with them, it is the score.
    """
    return run.samples().assign(**{name: scores.values(run, name) for name in scores.offered(run)})


def results(run: Run, score: str | None = None) -> pd.DataFrame:
    """A row per metric, subset and species, with 95 % intervals, of a score or of all; shares as fractions.

    What is undefined is empty. Raises BadInputError for a score that the Run does not have.
    """
    return papers.numbers(run_metrics.evaluated(run, score))
