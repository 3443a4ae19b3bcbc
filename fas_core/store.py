"""The layout of the cache folder: writing shards, and reading Runs without PyTorch.

    cache/runs/<run>/run.json                             what the Run is and which shards it will have
    cache/runs/<run>/<subset>/shard-00000/latents.npy     (n, d) float32
                                          reconstructions.npy, inputs.npy   (n, H, W) uint8
                                          samples.parquet    ids, metadata, one column per loss term
                                          failures.parquet   rows whose image gave no output, with the reason
                                          meta.json          sizes and checksums, written last

A shard is complete or absent: it is filled in a folder of another name and renamed. Samples are joined by
`sample_id`; a row number means nothing outside one opened Run. A scores-only Run has samples.parquet alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, BONA_FIDE, SUBSET_NAME, atomic_file, in_protocol_order, make_folder

FORMAT_VERSION = 1
SHARD_SIZE = 4096  # images; about 130 MB of pixels, a minute or so of work
ARRAYS = ("latents", "reconstructions", "inputs")


@dataclass(frozen=True)
class RunInfo:
    """run.json: everything about a Run that does not depend on how far its shards have come."""

    run: str
    name: str
    kind: str  # "images" or "scores"
    subsets: dict[str, int]  # samples planned per subset, failures included
    scores: list[str]  # loss terms of the model, or the columns of the score file
    model: str = ""
    checkpoint: str = ""
    checkpoint_sha256: str = ""
    checkpoint_header: dict[str, Any] = field(default_factory=dict)
    manifest: str = ""
    manifest_sha256: str = ""
    preprocessing: str = ""
    precision: str = ""
    source: str = ""
    shard_size: int = SHARD_SIZE
    format: int = FORMAT_VERSION

    def shard_names(self, subset: str) -> list[str]:
        count = max(1, -(-self.subsets[subset] // self.shard_size))
        return [f"shard-{i:05d}" for i in range(count)]


def run_id(*parts: str) -> str:
    """Twelve hexadecimal digits that stand for the contents they were made from."""
    return hashlib.sha256("\n".join((str(FORMAT_VERSION), *parts)).encode()).hexdigest()[:12]


def runs_folder(cache: Path) -> Path:
    return cache / "runs"


def create(cache: Path, info: RunInfo) -> Path:
    """The Run's folder with its run.json; a folder that is there already is kept with all its shards."""
    folder = runs_folder(cache) / info.run
    make_folder(folder)
    if not (folder / "run.json").is_file():
        with atomic_file(folder / "run.json") as temporary:
            temporary.write_text(_sealed(asdict(info)))
    return folder


def write_shard(
    shard: Path, samples: pd.DataFrame, failures: pd.DataFrame | None = None, **arrays: NDArray[Any]
) -> None:
    """Writes one shard so that it appears complete or not at all. One that is there already is left alone."""
    if (shard / "meta.json").is_file():
        return
    make_folder(shard.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{shard.name}.", dir=shard.parent))
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
        _write_parquet(samples, temporary / "samples.parquet")
        if failures is not None:
            _write_parquet(failures, temporary / "failures.parquet")
        files = {path.name: {"bytes": path.stat().st_size, "sha256": _file_sha256(path)} for path in _files(temporary)}
        meta = {
            "format": FORMAT_VERSION,
            "n": len(samples),
            "n_failures": 0 if failures is None else len(failures),
            "arrays": {name: {"shape": list(a.shape), "dtype": str(a.dtype)} for name, a in arrays.items()},
            "files": files,
        }
        with (temporary / "meta.json").open("w") as file:
            file.write(_sealed(meta))
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o755)
        if shard.is_dir() and not (shard / "meta.json").is_file():
            shutil.rmtree(shard)  # what is left of a shard that somebody has deleted in part
        try:
            temporary.rename(shard)
        except OSError:
            if not (shard / "meta.json").is_file():  # somebody else finished the same shard: theirs is as good
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, compression="zstd")


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name != "meta.json")


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Shard:
    """One complete shard; `start` is the row of its first sample in the opened Run."""

    folder: Path
    subset: str
    start: int
    meta: dict[str, Any]

    @property
    def n(self) -> int:
        return int(self.meta["n"])

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.meta["files"], sort_keys=True).encode()).hexdigest()

    def array(self, name: str) -> NDArray[Any]:
        """A read-only memory map; raises BadInputError when the file is not what meta.json promises."""
        try:
            mapped = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BadInputError(_damaged(self.folder, f"{name}.npy")) from error
        if list(mapped.shape) != self.meta["arrays"][name]["shape"]:
            raise BadInputError(_damaged(self.folder, f"{name}.npy"))
        return mapped

    def table(self, name: str, columns: Sequence[str] | None) -> pd.DataFrame:
        try:
            return pd.read_parquet(self.folder / f"{name}.parquet", columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise BadInputError(_damaged(self.folder, f"{name}.parquet")) from error


def _damaged(shard: Path, file: str) -> str:
    return (
        f"Shard {shard.parent.name}/{shard.name} of Run {shard.parent.parent.name} is damaged ({file}). "
        f"Delete the folder {shard} and run the same 'fas cache' command again: it makes only what is missing."
    )


class Run:
    """A Run opened for reading. Rows: subsets in the protocol's order, shards in turn, the manifest's order inside."""

    def __init__(self, folder: Path, info: RunInfo, shards: tuple[Shard, ...], broken: tuple[Path, ...] = ()) -> None:
        self.folder = folder
        self.info = info
        self.shards = shards
        self.broken = broken  # folders of shards whose meta.json cannot be trusted; their rows are not there

    def __len__(self) -> int:
        return sum(shard.n for shard in self.shards)

    @property
    def id(self) -> str:
        return self.info.run

    @property
    def cache(self) -> Path:
        return self.folder.parent.parent

    @property
    def has_images(self) -> bool:
        return self.info.kind == "images"

    @property
    def is_complete(self) -> bool:
        return len(self.shards) == sum(len(self.info.shard_names(subset)) for subset in self.info.subsets)

    @property
    def subsets(self) -> list[str]:
        """Subsets with at least one complete shard."""
        return list(dict.fromkeys(shard.subset for shard in self.shards))

    @property
    def n_failures(self) -> int:
        return sum(int(shard.meta["n_failures"]) for shard in self.shards)

    @cached_property
    def digest(self) -> str:
        """Stands for every byte of the shards that are there: a Run that has grown has another."""
        return hashlib.sha256("\n".join([self.id, *(s.digest for s in self.shards)]).encode()).hexdigest()

    def column_names(self) -> list[str]:
        """Names of the samples' columns, in the file's order."""
        if not self.shards:
            return []
        try:
            names = pq.read_schema(self.shards[0].folder / "samples.parquet").names
        except (OSError, pa.ArrowException) as error:
            raise BadInputError(_damaged(self.shards[0].folder, "samples.parquet")) from error
        return [str(name) for name in names]

    def samples(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per sample that has outputs; only the columns asked for are read from disk."""
        tables = [shard.table("samples", None if columns is None else list(columns)) for shard in self.shards]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(columns or []))

    def failures(self) -> pd.DataFrame:
        """One row per image that gave no output, with `reason`."""
        tables = [shard.table("failures", None) for shard in self.shards if shard.meta["n_failures"]]
        empty = pd.DataFrame(columns=["sample_id", "label", "subset", "reason"])
        return pd.concat(tables, ignore_index=True) if tables else empty

    def rows_of(self, subset: str) -> NDArray[np.int64]:
        """Row numbers of one subset, in order."""
        spans = [np.arange(s.start, s.start + s.n) for s in self.shards if s.subset == subset]
        return np.concatenate(spans) if spans else np.empty(0, np.int64)

    def latents(self) -> NDArray[np.float32]:
        """(n, d): mapped from disk when the Run is one shard, gathered otherwise."""
        self._require_images()
        arrays = [shard.array("latents") for shard in self.shards]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    def images(self, name: str, rows: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """`inputs` or `reconstructions` of some rows, (m, H, W) uint8 in the order asked; reads only those images."""
        self._require_images()
        wanted = np.asarray(rows, np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"row outside 0..{len(self) - 1}")
        starts = np.array([shard.start for shard in self.shards])
        owner = np.searchsorted(starts, wanted, side="right") - 1
        height, width = self.shards[0].meta["arrays"][name]["shape"][1:]
        found = np.empty((len(wanted), height, width), np.uint8)
        for index in np.unique(owner):
            shard = self.shards[index]
            here = np.flatnonzero(owner == index)
            found[here] = shard.array(name)[wanted[here] - shard.start]
        return found

    def _require_images(self) -> None:
        if not self.has_images:
            raise BadInputError(f"Run {self.info.name} holds scores only: it has no images and no latents.")
        if not self.shards:
            raise BadInputError(f"Run {self.info.name} has no complete shard yet. Run 'fas cache' again to go on.")

    def summary(self) -> dict[str, Any]:
        """The entry of `fas runs --json`."""
        counts: dict[str, int] = {}
        for shard in self.shards:
            counts[shard.subset] = counts.get(shard.subset, 0) + shard.n
        size = sum(f["bytes"] for shard in self.shards for f in shard.meta["files"].values())
        created = pd.Timestamp((self.folder / "run.json").stat().st_mtime, unit="s", tz="UTC")
        return {
            "run": self.id,
            "name": self.info.name,
            "model": self.info.model or None,
            "checkpoint": self.info.checkpoint or None,
            "subsets": counts,
            "n_failures": self.n_failures,
            "scores": self.info.scores,
            "complete": self.is_complete,
            "bytes": size,
            "created": created.isoformat(timespec="seconds"),
        }


def opened(folder: Path) -> Run:
    """The Run in `folder`; raises BadInputError when it is none, or was written in another format."""
    info = _read_json(folder / "run.json")
    if info.get("format") != FORMAT_VERSION:
        written = info.get("format")
        raise BadInputError(f"{folder} was written in format {written}, this version reads {FORMAT_VERSION}.")
    try:
        run_info = RunInfo(**info)
        names = [name for name in run_info.subsets if not SUBSET_NAME.fullmatch(name)]
    except (TypeError, AttributeError) as error:
        raise BadInputError(_unreadable(folder / "run.json")) from error
    if names:
        raise BadInputError(
            f"{folder / 'run.json'} names a subset '{names[0]}', which is no folder name. Delete {folder}."
        )
    shards: list[Shard] = []
    broken: list[Path] = []
    start = 0
    for subset in in_protocol_order(list(run_info.subsets)):
        for name in run_info.shard_names(subset):
            meta_file = folder / subset / name / "meta.json"
            if meta_file.is_file():
                try:
                    shards.append(Shard(meta_file.parent, subset, start, _read_json(meta_file)))
                except BadInputError:
                    broken.append(meta_file.parent)
                    continue
                start += shards[-1].n
    return Run(folder, run_info, tuple(shards), tuple(broken))


def _sealed(content: dict[str, Any]) -> str:
    """JSON text that carries the checksum of its own content."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps(content | {"sha256": digest}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _read_json(path: Path) -> dict[str, Any]:
    """What `_sealed` wrote; raises BadInputError when a single character of it has changed."""
    try:
        content = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BadInputError(_unreadable(path)) from error
    if isinstance(content.get("format"), int) and content["format"] != FORMAT_VERSION:
        return content  # of another version, whose rules are not ours; the caller says so
    digest = content.pop("sha256", None)
    if digest != hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest():
        raise BadInputError(_unreadable(path))
    return content


def _unreadable(path: Path) -> str:
    return f"{path} is missing or damaged. Delete {path.parent} and make it again."


def run_folders(cache: Path) -> list[Path]:
    """Folders of every Run in a cache, newest first."""
    folders = [path.parent for path in runs_folder(cache).glob("*/run.json")]
    return sorted(folders, key=lambda f: ((f / "run.json").stat().st_mtime, f.name), reverse=True)


def all_runs(cache: Path) -> Iterator[Run]:
    """Every Run that opens, newest first; see `problems` for those that do not."""
    for folder in run_folders(cache):
        try:
            yield opened(folder)
        except BadInputError:
            continue


def open_run(cache: Path, reference: str) -> Run:
    """The Run of an id, a unique prefix of one, or a name; raises BadInputError listing the choices."""
    runs = {folder.name: folder for folder in run_folders(cache)}
    if reference in runs:
        return opened(runs[reference])
    names = {run.id: run.info.name for run in all_runs(cache)}
    matching = [run for run, name in names.items() if name == reference] or (
        [run for run in runs if run.startswith(reference)] if reference else []
    )
    if len(matching) == 1:
        return opened(runs[matching[0]])
    if not runs:
        raise BadInputError(f"No Runs in {cache}. Make one: fas demo, or fas cache CHECKPOINT --data MANIFEST")
    listed = ", ".join(f"{run} ({names.get(run, 'unreadable')})" for run in (matching or list(runs)))
    problem = f"'{reference}' means several Runs" if matching else f"No Run is called '{reference}'"
    raise BadInputError(f"{problem} in {cache}. Choose one of: {listed}.")


def damage(run: Run) -> list[dict[str, str]]:
    """Every file whose bytes differ from its checksum, and every shard that is missing: [{subset, shard, problem}].

    A subset of which no shard is there has not been cached, which is no damage.
    """
    found = [
        {"subset": folder.parent.name, "shard": folder.name, "problem": "meta.json does not match its checksum"}
        for folder in run.broken
    ]
    there = {shard.folder for shard in run.shards} | set(run.broken)
    for subset in sorted({folder.parent.name for folder in there}):
        for name in run.info.shard_names(subset):
            if run.folder / subset / name not in there:
                found.append({"subset": subset, "shard": name, "problem": "missing"})
    for shard in run.shards:
        for name, expected in shard.meta["files"].items():
            path = shard.folder / name
            if not path.is_file():
                problem = f"{name} is missing"
            elif path.stat().st_size != expected["bytes"]:
                problem = f"{name} has {path.stat().st_size} bytes instead of {expected['bytes']}"
            elif _file_sha256(path) != expected["sha256"]:
                problem = f"{name} does not match its checksum"
            else:
                continue
            found.append({"subset": shard.subset, "shard": shard.folder.name, "problem": problem})
    return found


def verified(folder: Path) -> dict[str, Any]:
    """The entry of `fas verify --json`: {run, name, damage}; a Run that does not open is damaged as a whole."""
    try:
        run = opened(folder)
    except BadInputError as error:
        return {"run": folder.name, "name": None, "damage": [{"subset": "", "shard": "", "problem": str(error)}]}
    return {"run": run.id, "name": run.info.name, "damage": damage(run)}


def non_responses(run: Run, subset: str | None = None) -> dict[str, int]:
    """Images without outputs per label, of one subset or of all: {"bona_fide": n, "attack": n}."""
    failures = run.failures()
    if subset is not None and len(failures):
        failures = failures[failures["subset"] == subset]
    return {label: int((failures["label"] == label).sum()) for label in (BONA_FIDE, ATTACK)}


def scores_only_run(cache: Path, name: str, table: pd.DataFrame, scores: Sequence[str], source: str) -> Run:
    """Writes a score table (columns `sample_id`, `label`, `subset`, ..., and the scores) as a Run and opens it."""
    digest = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
    subsets: Mapping[str, int] = table["subset"].value_counts().to_dict()
    ordered = {s: int(subsets[s]) for s in in_protocol_order(list(subsets))}
    info = RunInfo(
        run=run_id("scores", name, digest),
        name=name,
        kind="scores",
        subsets=ordered,
        scores=list(scores),
        source=source,
        shard_size=max(ordered.values()),
    )
    folder = create(cache, info)
    for subset in ordered:
        write_shard(folder / subset / "shard-00000", table[table["subset"] == subset].reset_index(drop=True))
    return opened(folder)


def remove(run: Run) -> None:
    """Deletes a Run's folder. Results derived from it are dropped by the memo when their room is needed."""
    shutil.rmtree(run.folder)
