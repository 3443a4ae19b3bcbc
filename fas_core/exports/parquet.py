"""One Parquet table of a Run: a row per sample, a row group per shard, in the Run's order.

Its schema's metadata has, under `fas_explorer`, a JSON document: the Run, its thresholds, and what each column is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fas_core import storage
from fas_core.exports.content import BYTES, NONE, PATHS, Content, Part, free_name
from fas_core.runs.store import Run

TABLE = "samples.parquet"
METADATA = b"fas_explorer"
FORMAT = 1
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NEIGHBORS = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))])


def require(run: Run, images: str) -> None:
    """Every Run has a table, with any images."""


def write(content: Content, folder: Path, advance: Callable[[], object]) -> None:
    """The table, with every vector."""
    write_table(content, folder / TABLE, advance, with_vectors=True)


def how_to_open(content: Content, out: Path) -> str:  # noqa: ARG001 - as of every format
    """A sentence for whoever has exported."""
    return f"Read {out / TABLE} with pandas, Polars, DuckDB or PyArrow; its schema's metadata explains the columns."


def write_table(content: Content, path: Path, advance: Callable[[], object], *, with_vectors: bool) -> None:
    """`with_vectors`: also codes and principal components, as lists of one length."""
    own = content.schema()
    columns = _columns(content, with_vectors=with_vectors)
    renamed = {name: free_name(name, columns) for name in own.names}
    about = {renamed[name]: _of_samples(content, name) for name in own.names} | {
        n: words for n, (_, words) in columns.items()
    }
    schema = pa.schema(
        [pa.field(renamed[field.name], field.type) for field in own]
        + [pa.field(name, kind) for name, (kind, _) in columns.items()],
        metadata={METADATA: json.dumps(_document(content, about), ensure_ascii=False)},
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in content.parts():
            arrays = [*part.samples.columns, *(_array(content, part, name) for name in columns)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            advance()


def _columns(content: Content, *, with_vectors: bool) -> dict[str, tuple[pa.DataType, str]]:
    """By name, in order: the type of a column that is not the samples' own, and what it is in words."""
    columns: dict[str, tuple[pa.DataType, str]] = {}
    for name in content.values:
        columns[f"score_{name}"] = pa.float64(), content.score_words(name)
    for name in content.thresholds:
        columns[f"verdict_{name}"] = pa.string(), content.verdict_words(name)
    if content.plane_words:
        columns |= {axis: (pa.float32(), content.plane_words) for axis in ("x", "y")}
    if content.neighbours is not None:
        words = "The nearest other samples by codes: ids are row numbers of this table from 0, distances are Euclidean."
        columns["neighbors"] = NEIGHBORS, words
    if with_vectors and content.pca is not None:
        shares = ", ".join(f"{100 * share:.1f} %" for share in content.pca.explained)
        words = f"Principal components of the codes, fitted on live training images; of their variance: {shares}"
        columns["pca"] = pa.list_(pa.float32(), len(content.pca.components)), words
    if with_vectors and content.run.has("latents"):
        columns["latent"] = pa.list_(pa.float32(), content.run.latent_dim), "The code: the encoder's mean."
    if content.images != NONE:
        kept = "PNG as the model saw it" + (", pixelated" if content.hides_faces else "")
        columns["image"] = IMAGE, kept if content.images == BYTES else "where the image was read from"
    return columns


def _array(content: Content, part: Part, name: str) -> pa.Array:
    """A column of `_columns` for a part."""
    if name in ("x", "y") and part.plane is not None:
        return pa.array(part.plane[:, "xy".index(name)])
    if name == "neighbors" and part.neighbours is not None:
        distances, rows = part.neighbours
        lists = [_lists(rows), _lists(distances.astype(np.float32))]
        return pa.StructArray.from_arrays(lists, fields=list(NEIGHBORS))
    if name in ("pca", "latent"):
        vectors = part.pca if name == "pca" else part.codes
        assert vectors is not None
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    if name == "image":
        return _images(content, part)
    kind, _, score = name.partition("_")
    return pa.array(part.scores[score] if kind == "score" else part.verdicts[score].tolist())


def _lists(table: np.ndarray) -> pa.ListArray:
    """The rows of (m, k) as lists."""
    offsets = np.arange(len(table) + 1, dtype=np.int32) * table.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(table.reshape(-1)))


def _images(content: Content, part: Part) -> pa.Array:
    n = part.samples.num_rows
    content_of_files = pa.nulls(n, pa.binary()) if part.pictures is None else pa.array(part.pictures, pa.binary())
    paths = pa.nulls(n, pa.string())
    if content.images == PATHS:
        paths = pa.array([storage.shown(content.root / path) for path in part.samples["path"].to_pylist()], pa.string())
    return pa.StructArray.from_arrays([content_of_files, paths], fields=list(IMAGE))


def _of_samples(content: Content, name: str) -> str:
    instead = ", under other names by a key that is kept nowhere" if content.is_renamed(name) else ""
    return f"column '{name}' of the Run's samples{instead}"


def _document(content: Content, columns: dict[str, str]) -> dict[str, object]:
    run = content.run
    return {
        "format": FORMAT,
        "run": run.id,
        "name": run.info.name,
        "digest": run.digest,
        "model": run.info.model,
        "checkpoint_sha256": run.info.checkpoint_sha256,
        "manifest_sha256": run.info.manifest_sha256,
        "samples": len(run),
        "failures": run.n_failures,
        "thresholds": {name: threshold.as_json() for name, threshold in content.thresholds.items()},
        "columns": columns,
    }
