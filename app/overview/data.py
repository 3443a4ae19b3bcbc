"""What is in the data of a Run, and what is wrong with them."""

from __future__ import annotations

import pandas as pd

from app.session.cache import cached
from fas_core.runs import census, health
from fas_core.runs.store import Run


@cached(entries=64, spinner="Looking through the data …", is_apart=lambda run, *_: not health.is_looked_through(run))
def about_data(run: Run, chosen_on: tuple[str, ...], reported_on: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    """Counts and findings, of a threshold chosen and reported there. Small, unlike what they are made from."""
    kinds = census.of_run(run)
    return health.counts(kinds), health.findings(run, kinds, chosen_on, reported_on)
