"""FiftyOne: a folder that it imports as a FiftyOneDataset, from FiftyOne 1.0 on.

    data/<subset>/0000012.png   inputs as the model saw them, by row; none where samples name their own files
    metadata.json               the fields of a sample and their types
    samples.json                {"samples": [...]}, a line per sample, in MongoDB's extended JSON

Vectors are arrays in NumPy's npy format, packed by zlib, as FiftyOne keeps them; nothing is pickled.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.exports.content import NONE, PATHS, Content, Part, free_name
from fas_core.runs.store import Run

VERSION = "1.0.0"  # of FiftyOne, whose fields these are; a later one brings them up to date when it imports them
LABEL = "ground_truth"  # the label as a Classification
# What every sample has; the first of a pair is its name in the database.
_OWN = (
    *(
        ("_id", "id", "ObjectId"),
        ("filepath", "filepath", "String"),
        ("tags", "tags", "List"),
        ("_rand",) * 2 + ("Float",),
    ),
    *((name, name, "DateTime") for name in ("created_at", "last_modified_at")),
    *(("_media_type",) * 2 + ("String",), ("_dataset_id",) * 2 + ("ObjectId",)),
)
_INSIDE = {
    "fiftyone.core.metadata.ImageMetadata": {
        "size_bytes": "Int",
        "mime_type": "String",
        "width": "Int",
        "height": "Int",
        "num_channels": "Int",
    },
    "fiftyone.core.labels.Classification": {
        "id": "ObjectId",
        "tags": "List",
        "label": "String",
        "confidence": "Float",
        "logits": "Vector",
    },
}


def require(run: Run, images: str) -> None:
    """Raises BadInputError where samples would have no file: FiftyOne shows files."""
    if images == NONE or (images != PATHS and not run.has("inputs")):
        why = "--images none" if images == NONE else f"Run {run.info.name} holds no images"
        raise BadInputError(f"{why}: a sample of FiftyOne is an image file. Export a table instead: --to parquet")


def write(content: Content, folder: Path, advance: Callable[[], object]) -> None:
    """The whole folder, a shard at a time."""
    names = _field_names(content)
    metadata = json.dumps(_metadata(content, names), ensure_ascii=False, indent=1)
    (folder / "metadata.json").write_text(metadata, encoding="utf-8")
    (folder / "data").mkdir()
    with (folder / "samples.json").open("w", encoding="utf-8") as file:
        file.write('{"samples": [\n')
        separator = ""
        for part in content.parts():
            for sample in _samples(content, part, names, folder):
                file.write(separator + json.dumps(sample, ensure_ascii=False, allow_nan=False))
                separator = ",\n"
            advance()
        file.write("\n]}\n")


def how_to_open(content: Content, out: Path) -> str:
    """A sentence for whoever has exported."""
    name = content.run.info.name
    return f"Open it in Python: fo.Dataset.from_dir({str(out)!r}, dataset_type=fo.types.FiftyOneDataset, name={name!r})"


def _field_names(content: Content) -> dict[str, str]:
    """The field of every column of the samples: names that FiftyOne has itself or cannot have are others there."""
    taken = {name for _, name, _ in _OWN} | {"metadata", "frames", LABEL, "neighbors", "latent", "pca", "umap"}
    taken |= {f"score_{name}" for name in content.values} | {f"verdict_{name}" for name in content.thresholds}
    names: dict[str, str] = {}
    for column in content.schema().names:
        plain = re.sub(r"[.$\0]", "_", column).lstrip("_") or "column"
        names[column] = free_name(plain, taken)
        taken.add(names[column])
    return names


def _metadata(content: Content, names: dict[str, str]) -> Json:
    """The document of the dataset. Its ids and dates are the importer's."""
    fields = [_field(name, kind, in_database=stored) for stored, name, kind in _OWN]
    fields.append(_field("metadata", document="fiftyone.core.metadata.ImageMetadata"))
    fields.append(_field(LABEL, document="fiftyone.core.labels.Classification", words="label of the sample"))
    fields += [_field(names[f.name], _kind(f.type), words=f"column '{f.name}'") for f in content.schema()]
    fields += [_field(f"score_{name}", "Float", words=content.score_words(name)) for name in content.values]
    fields += [_field(f"verdict_{name}", "String", words=content.verdict_words(name)) for name in content.thresholds]
    vectors = {"latent": content.run.has("latents"), "pca": content.pca is not None, "umap": content.umap is not None}
    fields += [_field(name, "Vector") for name, is_there in vectors.items() if is_there]
    if content.neighbours is not None:
        fields.append(_field("neighbors", "List", words="ids of the samples nearest by codes, the nearest first"))
    run = content.run
    thresholds = {name: threshold.as_json() for name, threshold in content.thresholds.items()}
    return {
        "name": run.info.name,
        "version": VERSION,
        "media_type": "image",
        "persistent": False,
        "tags": [],
        "info": {"fas_explorer": {"run": run.id, "digest": run.digest, "thresholds": thresholds}},
        "app_config": {},
        "classes": {},
        "default_classes": [],
        "mask_targets": {},
        "default_mask_targets": {},
        "skeletons": {},
        "sample_fields": fields,
        "frame_fields": [],
        "saved_views": [],
        "workspaces": [],
        "annotation_runs": {},
        "brain_methods": {},
        "evaluations": {},
        "runs": {},
    }


def _field(
    name: str, kind: str = "EmbeddedDocument", *, document: str = "", in_database: str = "", words: str = ""
) -> Json:
    return {
        "name": name,
        "ftype": f"fiftyone.core.fields.{kind}Field",
        "embedded_doc_type": document or None,
        "subfield": "fiftyone.core.fields.StringField" if kind == "List" else None,
        "fields": [
            _field(inside, of_kind, in_database="_id" if inside == "id" else "")
            for inside, of_kind in _INSIDE.get(document, {}).items()
        ],
        "db_field": in_database or name,
        "description": words or None,
        "info": None,
        "read_only": kind == "DateTime",
    }


def _kind(of: pa.DataType) -> str:
    """The kind of field of a column; what is no number and no truth value is text."""
    if pa.types.is_boolean(of):
        return "Boolean"
    if pa.types.is_integer(of):
        return "Int"
    return "Float" if pa.types.is_floating(of) else "String"


def _samples(content: Content, part: Part, names: dict[str, str], folder: Path) -> Iterator[Json]:
    """The documents of a part; their pictures are written to `folder`."""
    columns = {names[field.name]: _values(part.samples[field.name], _kind(field.type)) for field in part.samples.schema}
    columns |= {f"score_{name}": _numbers(values.tolist()) for name, values in part.scores.items()}
    columns |= {f"verdict_{name}": values.tolist() for name, values in part.verdicts.items()}
    vectors = {"latent": part.codes, "pca": part.pca, "umap": part.umap}
    subsets, labels = part.samples["subset"].to_pylist(), part.samples["label"].to_pylist()
    for i in range(part.samples.num_rows):
        row = part.start + i
        stored = {"filepath": "", "metadata": None} | _file(
            content, part, i, f"data/{subsets[i]}/{row:07d}.png", folder
        )
        sample: dict[str, Any] = {
            "_id": {"$oid": _id(content.run, "sample", row)},
            **stored,
            "tags": [subsets[i]],
            "_media_type": "image",
            "_rand": int(_id(content.run, "rand", row)[:12], 16) / 16**12,
            LABEL: {
                "_id": {"$oid": _id(content.run, "label", row)},
                "_cls": "Classification",
                "tags": [],
                "label": labels[i],
            },
        }
        sample |= {name: values[i] for name, values in columns.items()}
        sample |= {name: _vector(of_all[i]) for name, of_all in vectors.items() if of_all is not None}
        if part.neighbours is not None:
            sample["neighbors"] = [_id(content.run, "sample", near) for near in part.neighbours[1][i].tolist()]
        yield sample


def _file(content: Content, part: Part, i: int, name: str, folder: Path) -> Json:
    """Where the image of a sample lies, and what it is; that of its own is written."""
    if part.pictures is None:
        return {"filepath": str((content.root / part.samples["path"][i].as_py()).resolve())}
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(part.pictures[i])
    height, width, *channels = content.run.shards[0].meta.arrays["inputs"].shape[1:]
    about = {"size_bytes": len(part.pictures[i]), "mime_type": "image/png", "width": width, "height": height}
    return {"filepath": name, "metadata": {"_cls": "ImageMetadata", **about, "num_channels": 3 if channels else 1}}


def _id(run: Run, what: str, row: int) -> str:
    """24 hexadecimal digits, the same for the same sample of the same Run."""
    return hashlib.sha256(f"{run.id} {what} {row}".encode()).hexdigest()[:24]


def _vector(values: NDArray[np.float32]) -> Json:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return {"$binary": {"base64": base64.b64encode(zlib.compress(file.getvalue())).decode(), "subType": "00"}}


def _values(column: pa.ChunkedArray, kind: str) -> list[Any]:
    values = column.to_pylist()
    if kind == "Float":
        return _numbers(values)
    return values if kind != "String" else [None if value is None else str(value) for value in values]


def _numbers(values: list[float | None]) -> list[float | None]:
    """With None for what is no finite number: JSON has no others."""
    return [None if value is None or not math.isfinite(value) else value for value in values]
