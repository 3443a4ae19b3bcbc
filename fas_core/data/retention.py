"""Until when a row may be kept: the column `retain_until`, an ISO date, its last day. A Run's samples carry it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.texts import plain_column

RETAIN = "retain_until"


def today() -> date:
    """In UTC."""
    return datetime.now(UTC).date()


def last_days(values: pd.Series) -> Mapping[str, date | None]:
    """Text -> the date that it is, None where it is none; "" is left out, which says that nothing is said."""
    return {text: _date(text) for text in pd.unique(plain_column(values)) if text not in ("", "NaT")}


def _date(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def overdue(rows: pd.DataFrame, on: date) -> NDArray[np.bool_]:
    """(n,) whether a row was to be kept until a day before this one; not where it does not say."""
    if RETAIN not in rows:
        return np.zeros(len(rows), np.bool_)
    days = last_days(rows[RETAIN])
    late = [text for text, day in days.items() if day is not None and day < on]
    return plain_column(rows[RETAIN]).isin(late).to_numpy(bool)


def latest(rows: pd.DataFrame) -> str:
    """The last of the days that some rows name; "" where none does."""
    return max((str(day) for day in last_days(rows[RETAIN]).values() if day is not None), default="")
