"""Columns of a Run's samples, for any number of rows: their texts are never all in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.session import faces
from app.session.cache import cached
from app.session.readers import score_values
from fas_core import scores
from fas_core.data.names import ATTACK, group_codes, groups_of
from fas_core.runs import columns as kept_columns
from fas_core.runs.store import Run

NOT_COLOURS = ("path", "sample_id", "video_id")


@dataclass(frozen=True, eq=False)
class Factor:
    """A column of texts: for every row its position in the names; "" is missing."""

    codes: NDArray[np.unsignedinteger[Any]]  # of as few bytes as they need
    names: list[str]


@cached(entries=24)
def factor(run: Run, name: str) -> Factor:
    """In order of their first rows. The texts of millions of rows are never in memory."""
    if len(run.shards) > kept_columns.FEW and _is_text(run, name):
        return _in_order_of_rows(run.samples([name], repeated=[name])[name])
    places: dict[str, int] = {}
    parts = []
    for shard in run.shards:
        texts = shard.table("samples", [name]).column(0).combine_chunks()
        encoded = pc.dictionary_encode(pc.fill_null(pc.cast(texts, pa.string()), ""))
        here = [places.setdefault(text, len(places)) for text in encoded.dictionary.to_pylist()]
        kind = np.min_scalar_type(len(places))
        parts.append(np.array(here, kind)[encoded.indices.to_numpy()])
    pa.default_memory_pool().release_unused()
    return Factor(np.concatenate([*parts, np.empty(0, np.uint8)]), list(places))


def _in_order_of_rows(column: pd.Series) -> Factor:
    """Of categories."""
    names = ["", *column.cat.categories.astype(str)]
    codes = column.cat.codes.to_numpy() + np.min_scalar_type(len(names)).type(1)
    if "" in names[1:]:
        codes[codes == names.index("", 1)] = 0  # an empty text is a missing one
    first = np.full(len(names), len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    in_order = np.argsort(first)[: np.count_nonzero(first < len(codes))]
    place = np.zeros(len(names), np.min_scalar_type(len(in_order)))
    place[in_order] = np.arange(len(in_order))
    return Factor(place[codes], [names[i] for i in in_order])


def _is_text(run: Run, name: str) -> bool:
    kind = run.shards[0].table("samples", [name]).schema.field(0).type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_number(run: Run, name: str) -> bool:
    kind = run.shards[0].table("samples", [name]).schema.field(0).type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def numbers_of(run: Run, name: str) -> NDArray[np.float64]:
    """(n,) with NaN where there is none."""
    return pd.to_numeric(run.samples([name])[name]).to_numpy(np.float64, na_value=np.nan)


@cached(entries=8)
def colour_columns(run: Run) -> list[str]:
    """Columns that tell samples apart without naming each one."""

    def varies(name: str) -> bool:
        first = run.shards[0].table("samples", [name]).column(0)
        return len(pc.unique(first)) > 1 or len(run.samples([name], repeated=[name])[name].unique()) > 1

    return [name for name in run.column_names() if name not in NOT_COLOURS and varies(name)]


@cached(entries=8)
def kinds_of(run: Run) -> tuple[NDArray[np.unsignedinteger[Any]], list[str]]:
    """The group of every row, as positions in names."""
    named = set(run.column_names())
    columns = {}
    for name in ("subset", "label", "pai_species"):
        kinds = factor(run, name) if name in named else Factor(np.zeros(len(run), np.uint8), [""])
        columns[name] = pd.Categorical.from_codes(kinds.codes, kinds.names)
    codes, names = group_codes(pd.DataFrame(columns))
    return codes.astype(np.min_scalar_type(len(names))), names.tolist()


@cached(entries=8)
def attacks(run: Run) -> NDArray[np.bool_]:
    label = factor(run, "label")
    return np.array([name == ATTACK for name in label.names], np.bool_)[label.codes]


@cached(entries=8)
def shown_rows(run: Run, chosen: tuple[str, ...]) -> NDArray[np.bool_] | None:
    """(n,) whether a row is of the chosen subsets; None: all are."""
    if set(chosen) >= set(run.subsets):
        return None
    subset = factor(run, "subset")
    return np.array([name in chosen for name in subset.names], np.bool_)[subset.codes]


def rows_of(run: Run, subsets: Sequence[str]) -> NDArray[np.int64]:
    """The rows of some subsets, which ascend."""
    spans = [np.arange(shard.start, shard.start + shard.n) for shard in run.shards if shard.subset in subsets]
    return np.concatenate([*spans, np.empty(0, np.int64)])


def scores_of(run: Run, score: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """A score of some rows, which ascend; of millions, the others are not read where nothing is fitted."""
    if not scores.is_of_each(score):
        return score_values(run, score)[rows]
    return scores.of_outputs(scores.OfRows(run, rows), score, run)


def images_of(run: Run, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The originals of some rows; where there are none to be seen, images without a pixel."""
    is_shown = "inputs" in faces.kinds(run)
    return faces.images(run, "inputs", rows) if is_shown else np.empty((len(rows), 0, 0), np.uint8)


def ids_of(run: Run, rows: NDArray[np.int64]) -> list[str]:
    """Sample ids of some rows, in their order."""
    return _of_rows(run, rows, ["sample_id"])["sample_id"].tolist()


def about(run: Run, rows: NDArray[np.int64]) -> pd.DataFrame:
    """(m,) texts of some rows, in their order: sample_id, subset, label and group; no others are read."""
    named = [name for name in ("sample_id", "subset", "label", "pai_species") if name in run.column_names()]
    texts = _of_rows(run, rows, named).reindex(columns=[*dict.fromkeys([*named, "pai_species"])], fill_value="")
    return texts.assign(group=groups_of(texts))


def _of_rows(run: Run, rows: NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """(m,) columns of texts of some rows, in their order; only the shards that hold them are read."""
    ascending, back = np.unique(rows, return_inverse=True)
    return run.samples_of(ascending, names).astype("str").fillna("").iloc[back].reset_index(drop=True)
