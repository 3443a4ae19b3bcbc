"""What the samples of a Run say of themselves, counted: of millions, a row for each kind of sample that there is.

    kinds = census.of_run(run)
    kinds.loc[kinds["subset"] == "live", "n"].sum()

What there is to be known of the data, of any subsets, follows from these few rows as from the samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data import simulation
from fas_core.data.names import TRAINING_USE
from fas_core.runs import columns
from fas_core.runs.store import Run

TEXTS = ("subset", "label", "pai_species", "subject_id", "session_id", "held_out_by", TRAINING_USE)
CONSTANT = "is_constant"
SIMULATED = "is_simulated"
N = "n"


def of_run(run: Run) -> pd.DataFrame:
    """Those of `TEXTS` and `CONSTANT` that its samples have, `SIMULATED`, and `N`: how many samples say the same.

    A row for each sample of few shards, where counting takes longer; of many they are counted once, and kept.
    """
    if len(run.shards) <= columns.FEW:
        return _said(run).assign(**{N: 1})
    about = {"run": run.shards_digest, "columns": [*TEXTS, CONSTANT, SIMULATED], "format": 1}
    return _read(memo.arrays(run.cache, "census", about, lambda: _written(_counted(_said(run))))["table"])


def _said(run: Run) -> pd.DataFrame:
    """(n,) rows."""
    has = run.column_names()
    names = [name for name in (*TEXTS, CONSTANT) if name in has]
    of_attacks = [name for name in (simulation.SIMULATED, simulation.SOURCE) if name in has]
    samples = run.samples([*names, *of_attacks], repeated=[name for name in names if name in TEXTS])
    return samples[names].assign(**{SIMULATED: simulation.are_simulated(samples)})


def _counted(samples: pd.DataFrame) -> pd.DataFrame:
    of_each = samples.groupby(list(samples), observed=True, dropna=False, sort=False)
    return of_each.size().reset_index(name=N)


def _written(rows: pd.DataFrame) -> dict[str, NDArray[Any]]:
    table, sink = pa.Table.from_pandas(rows, preserve_index=False), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return {"table": np.frombuffer(sink.getvalue(), np.uint8)}


def _read(content: NDArray[np.uint8]) -> pd.DataFrame:
    return pa.ipc.open_stream(pa.py_buffer(content)).read_all().to_pandas()
