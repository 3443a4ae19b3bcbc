"""Columns of a Run's samples, gathered from its shards once and kept: of thousands of files, opening each takes longer
than reading all that is in it.

Texts that repeat are kept as numbers and their names in order, a byte or two a sample. What is kept stands for the
shards as their digest names them, so that it is never of others; a Run of few shards is read as it lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fas_core import memo

if TYPE_CHECKING:
    from fas_core.runs.store import Run

FEW = 32  # shards, whose files are as quick
_OF_EACH = ("sample_id", "path")  # texts that differ from sample to sample
_FORMAT = 1


def gathered(run: Run, names: Sequence[str], read: Callable[[list[str], list[str]], pa.Table]) -> pa.Table | None:
    """Some columns of all samples, (n,) each, in row order: repeated texts as dictionaries. None where one is neither
    of texts nor of plain numbers.

    `read` gathers columns from the shards, those of its second argument as dictionaries.
    """
    wanted = list(dict.fromkeys(names))
    parts_of = memo.found_of_each(run.cache, "column", [_parameters(run, name) for name in wanted])
    known = {name: None if parts is None else _column(parts) for name, parts in zip(wanted, parts_of, strict=True)}
    if missing := [name for name, column in known.items() if column is None]:
        # Once a file is open the others cost little; texts of each sample alone, which are large, wait to be asked for.
        others = [name for name in run.column_names() if name not in known and name not in _OF_EACH]
        table = read([*missing, *others], [name for name in (*missing, *others) if name not in _OF_EACH])
        for name in table.column_names:
            parts = _parts(table.column(name))
            if parts is not None:
                memo.arrays(run.cache, "column", _parameters(run, name), partial(dict, parts))
            if name in known:
                known[name] = None if parts is None else _column(parts)
        if any(column is None for column in known.values()):
            return None
    return pa.table({name: known[name] for name in names})


def are_kept(run: Run, names: Sequence[str]) -> bool:
    """Whether some columns need not be gathered."""
    return memo.is_kept(run.cache, "column", *(_parameters(run, name) for name in names))


def _parameters(run: Run, name: str) -> dict[str, object]:
    return {"run": run.shards_digest, "column": name, "format": _FORMAT}


def _parts(column: pa.ChunkedArray) -> memo.Arrays | None:
    """A column as arrays; None of a type that is not kept."""
    if pa.types.is_dictionary(column.type):
        if not _is_text(column.type.value_type):
            return None
        whole = column.unify_dictionaries().combine_chunks()
        whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        in_order = pc.array_sort_indices(whole.dictionary).to_numpy()
        least = next(kind for kind in (np.int8, np.int16, np.int32) if len(in_order) <= np.iinfo(kind).max)
        place = np.full(len(in_order) + 1, -1, least)  # the last one is that of a missing text, whose number is -1
        place[in_order] = np.arange(len(in_order))
        codes = pc.fill_null(whole.indices, -1).to_numpy()
        return {"codes": place[codes], **_texts(whole.dictionary.take(pa.array(in_order)))}
    if _is_text(column.type):
        return _texts(column)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        return None
    has = ~column.is_null().to_numpy().astype(np.bool_)
    if pa.types.is_integer(column.type) and not has.all():  # what they become is for the files to say
        return None
    values = (pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0)).to_numpy()
    return {"values": values} | ({} if has.all() else {"has": has})


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(column: pa.Array | pa.ChunkedArray) -> dict[str, NDArray[Any]]:
    """Their bytes, one behind the other, and where each begins, (n + 1,)."""
    has = ~np.asarray(column.is_null()).astype(np.bool_)
    whole = pc.fill_null(column, "").cast(pa.large_string())
    whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    offsets = np.frombuffer(whole.buffers()[1], np.int64)[whole.offset : whole.offset + len(whole) + 1]
    content = np.frombuffer(whole.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]] if len(whole) else b""
    return {
        "offsets": offsets - offsets[0] if len(whole) else np.zeros(1, np.int64),
        "content": np.frombuffer(content, np.uint8),
    } | ({} if has.all() else {"has": has})


def _column(parts: memo.Arrays) -> pa.Array:
    has = parts.get("has")
    if "values" in parts:
        return pa.array(parts["values"], mask=None if has is None else ~has)
    buffers = [None, pa.py_buffer(parts["offsets"]), pa.py_buffer(parts["content"])]
    texts = pa.Array.from_buffers(pa.large_string(), len(parts["offsets"]) - 1, buffers)
    if has is not None:
        texts = pc.if_else(pa.array(has), texts, None)
    if "codes" not in parts:
        return texts
    codes = parts["codes"]
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), texts)
