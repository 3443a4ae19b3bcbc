"""The layout of the cache folder: writing shards, and reading Runs without PyTorch.

    cache/runs/<run>/run.json                             what the Run is and which shards it will have
    cache/runs/<run>/.lock                                while somebody writes the Run: who
    cache/runs/<run>/<subset>/shard-00000/latents.npy     (n, d) float32
                                          reconstructions.npy, inputs.npy   (n, H, W) uint8
                                          samples.parquet    ids, metadata, one column per loss term
                                          failures.parquet   rows whose image gave no output, with the reason
                                          meta.json          sizes and checksums, written last

A shard is complete or absent: it is filled in a folder of another name, brought to the disk and renamed. Names that
begin with a dot are no content. Samples are joined by `sample_id`; a row number means nothing outside one opened Run.
A scores-only Run has samples.parquet alone.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
from fas_core.manifest import ATTACK, BONA_FIDE, SUBSET_NAME, Manifest, atomic_file, in_protocol_order, make_folder
from fas_core.manifest import read as read_manifest

FORMAT_VERSION = 2
SHARD_SIZE = 1024  # images, about 33 MB of pixels: what a kill can cost. Another size is another FORMAT_VERSION
ARRAYS = ("latents", "reconstructions", "inputs")
FAILURE_COLUMNS = ("sample_id", "label", "subset", "reason")
LOCK = ".lock"
STRAY = "is no part of the Run"


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
    checkpoint_path: str = ""  # where both were when the Run was begun, absolute; no part of the id
    manifest_path: str = ""
    shard_size: int = field(default_factory=lambda: SHARD_SIZE)
    format: int = FORMAT_VERSION

    def shard_names(self, subset: str) -> list[str]:
        count = max(1, -(-self.subsets[subset] // self.shard_size))
        return [f"shard-{i:05d}" for i in range(count)]


def run_id(*parts: str) -> str:
    """Twelve hexadecimal digits that stand for the contents they were made from."""
    return hashlib.sha256("\n".join((str(FORMAT_VERSION), *parts)).encode()).hexdigest()[:12]


def runs_folder(cache: Path) -> Path:
    return cache / "runs"


@contextmanager
def claimed(folders: Sequence[Path]) -> Iterator[None]:
    """Holds the folders of some Runs for writing while the block runs; what killed writers left in them is removed.

    Raises BadInputError naming the Run and its writer when another process, or another claim of this one, holds it.
    The lock is the kernel's (flock): it ends with the process that took it and those forked from it, however they end.
    It holds between the processes of one machine, and on NFSv4 between machines.
    """
    with ExitStack() as held:
        for folder in sorted(set(folders)):  # in one order, so that of two processes one gets all it asks for
            held.enter_context(_claim(folder))
        yield


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    handle = _locked(folder)
    try:
        _delete_remains(folder)
        yield
    finally:
        with suppress(OSError):
            _delete_remains(folder)  # of writers on other machines that were killed under this claim
        with suppress(OSError):
            if _is_lock_of(folder, handle):
                (folder / LOCK).unlink()
            folder.rmdir()  # which succeeds only where nothing was written
        os.close(handle)


def _delete_remains(folder: Path) -> None:
    for remains in (*folder.glob("*/.shard-*"), *folder.glob(".run.json.*")):
        _delete(remains)


def _locked(folder: Path) -> int:
    """The open lock file of a Run's folder (made if need be), locked; see `claimed` for errors."""
    import fcntl  # POSIX has it; Runs can be read without

    while True:
        make_folder(folder)
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue  # its last writer has just removed the empty folder
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            writer = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise BadInputError(
                f"{_name_of(folder)} is being written by {writer}. Wait until it is done (the app shows how far it "
                "is), then run the command again: what is complete is kept."
            ) from error
        except OSError as error:
            os.close(handle)
            raise BadInputError(
                f"{folder} cannot be locked ({error.strerror}), so two processes could write it. "
                "Choose a cache folder on another file system."
            ) from error
        if _is_lock_of(folder, handle):
            with suppress(OSError):  # a full disk: who holds it is for messages only
                os.truncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            return handle
        os.close(handle)  # its holder removed the file as we opened it


def _is_lock_of(folder: Path, handle: int) -> bool:
    """Whether the folder's lock file is the one that is open; its last holder may have removed or renamed it."""
    try:
        return os.path.samestat((folder / LOCK).stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _name_of(folder: Path) -> str:
    try:
        return f"Run {_read_json(folder / 'run.json')['name']} ({folder.name})"
    except (BadInputError, KeyError):
        return f"Run {folder.name}"


def create(cache: Path, info: RunInfo) -> Path:
    """The Run's folder with its run.json; one that is there is kept with all its shards, a damaged one written anew."""
    folder = runs_folder(cache) / info.run
    make_folder(folder)
    try:
        _read_json(folder / "run.json")
    except BadInputError:
        with atomic_file(folder / "run.json") as temporary:
            temporary.write_text(_sealed(asdict(info)))
            _synced(temporary)
        _synced(folder)
        _synced(folder.parent)
    return folder


def is_shard(folder: Path) -> bool:
    """Whether a complete shard is in `folder`, as its meta.json tells; its other files are not read."""
    try:
        return bool(_read_meta(folder))
    except BadInputError:
        return False


def write_shard(
    shard: Path, samples: pd.DataFrame, failures: pd.DataFrame | None = None, **arrays: NDArray[Any]
) -> None:
    """Writes one shard so that it appears complete or not at all, also when killed or without power.

    One that is there already is left alone. Its bytes depend on the arguments alone (and on the versions of libraries).
    """
    if is_shard(shard):
        return
    make_folder(shard.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{shard.name}.", dir=shard.parent))
    try:
        for name, array in arrays.items():
            _write_array(array, temporary / f"{name}.npy")
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
        (temporary / "meta.json").write_text(_sealed(meta))
        temporary.chmod(0o755)
        for path in (*temporary.iterdir(), temporary):
            _synced(path)
        if not is_shard(shard):
            _delete(shard)  # what is left of one that somebody has deleted in part
        try:
            temporary.rename(shard)
        except OSError:
            if not is_shard(shard):  # somebody else finished the same shard: theirs is as good
                raise
        _synced(shard.parent)
        _synced(shard.parent.parent)
    except OSError as error:
        error.filename = error.filename or str(shard)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_array(array: NDArray[Any], path: Path) -> None:
    """The bytes of np.save; where that fails on a full disk, its error does not say so."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.reshape(-1).view(np.uint8).data)


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), file, compression="zstd")


def _synced(path: Path) -> None:
    """Returns when the disk holds a file's bytes, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what some network file systems answer for folders
            raise
    finally:
        os.close(handle)


def _files(folder: Path) -> list[Path]:
    """Everything in a folder but meta.json and what begins with a dot, by name."""
    return sorted(p for p in folder.iterdir() if p.name != "meta.json" and not p.name.startswith("."))


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

    def items(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows of an array, (m, ...); a few of many are read many times faster than through a memory map."""
        path, about = self.folder / f"{name}.npy", self.meta["arrays"][name]
        found = np.empty((len(rows), *about["shape"][1:]), about["dtype"])
        stride = found.itemsize * int(np.prod(found.shape[1:]))
        size = self.meta["files"][path.name]["bytes"]
        try:
            with path.open("rb", buffering=0) as file:
                if os.fstat(file.fileno()).st_size != size:
                    raise BadInputError(_damaged(self.folder, path.name))
                for row, item in zip(rows, found, strict=True):
                    file.seek(size - (self.n - int(row)) * stride)  # the array is the end of its file
                    file.readinto(item.data)
        except OSError as error:
            raise BadInputError(_damaged(self.folder, path.name)) from error
        return found

    def table(self, name: str, columns: Sequence[str] | None, repeated: Sequence[str] = ()) -> pa.Table:
        """Some columns of `samples` or `failures` in the order asked (None: all); only those are read.

        `repeated`: columns of texts to be read as dictionaries.
        """
        try:
            with pq.ParquetFile(self.folder / f"{name}.parquet", read_dictionary=list(repeated)) as file:
                table = file.read(columns)
        except (OSError, pa.ArrowException) as error:
            raise BadInputError(_damaged(self.folder, f"{name}.parquet")) from error
        return table if columns is None else table.select(columns)


def _damaged(shard: Path, file: str) -> str:
    return (
        f"Shard {shard.parent.name}/{shard.name} of Run {shard.parent.parent.name} is damaged ({file}). "
        f"Make it anew: fas verify {shard.parent.parent.name} --repair"
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
    def missing(self) -> list[dict[str, str]]:
        """The shards that are not there at all: [{subset, shard}]."""
        planned = [(subset, name) for subset in self.info.subsets for name in self.info.shard_names(subset)]
        return [{"subset": s, "shard": name} for s, name in planned if not (self.folder / s / name).exists()]

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

    def samples(self, columns: Sequence[str] | None = None, *, repeated: Sequence[str] = ()) -> pd.DataFrame:
        """One row per sample that has outputs; only the columns asked for are read from disk.

        `repeated`: those of them whose texts repeat. They come as categories, in order of name: of millions of rows,
        a byte or two each instead of some twenty.
        """
        rows = self._table("samples", self.shards, columns, repeated)
        return rows.assign(**{name: rows[name].astype("category").pipe(_in_order) for name in repeated})

    def failures(self) -> pd.DataFrame:
        """One row per image that gave no output, with `reason`."""
        failed = [shard for shard in self.shards if shard.meta["n_failures"]]
        return self._table("failures", failed) if failed else pd.DataFrame(columns=list(FAILURE_COLUMNS))

    def _table(
        self, name: str, shards: Sequence[Shard], columns: Sequence[str] | None = None, repeated: Sequence[str] = ()
    ) -> pd.DataFrame:
        if not shards:
            return pd.DataFrame(columns=list(columns or []))
        tables = [shard.table(name, None if columns is None else list(columns), repeated) for shard in shards]
        return pa.concat_tables(tables, promote_options="permissive").to_pandas()

    def rows_of(self, subset: str) -> NDArray[np.int64]:
        """Row numbers of one subset, in order."""
        spans = [np.arange(s.start, s.start + s.n) for s in self.shards if s.subset == subset]
        return np.concatenate(spans) if spans else np.empty(0, np.int64)

    def latents(self) -> NDArray[np.float32]:
        """(n, d): mapped from disk when the Run is one shard, gathered otherwise."""
        self._require_images()
        arrays = [shard.array("latents") for shard in self.shards]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    def latent_blocks(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """The codes of some rows, which ascend, a shard at a time: (m, d) each, m > 0; never all in memory."""
        self._require_images()
        for shard in self.shards:
            here = rows[np.searchsorted(rows, shard.start) : np.searchsorted(rows, shard.start + shard.n)]
            if len(here):
                yield shard.array("latents")[here - shard.start]

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
            found[here] = shard.items(name, wanted[here] - shard.start)
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


def _in_order(column: pd.Series) -> pd.Series:
    """A column of categories with these in order of name."""
    return column.cat.set_categories(sorted(column.cat.categories))


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
                    shards.append(Shard(meta_file.parent, subset, start, _read_meta(meta_file.parent)))
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


def _read_meta(shard: Path) -> dict[str, Any]:
    """The meta.json of a shard; raises BadInputError where there is none, or it is damaged or not of this format."""
    meta = _read_json(shard / "meta.json")
    if meta.get("format") != FORMAT_VERSION:
        raise BadInputError(_unreadable(shard / "meta.json"))
    return meta


def _unreadable(path: Path) -> str:
    return f"{path} is missing or damaged. The command that made this Run writes it anew and keeps what is complete."


def run_folders(cache: Path) -> list[Path]:
    """Folders of every Run in a cache, newest first."""
    found = []
    for path in runs_folder(cache).glob("*/run.json"):
        with suppress(FileNotFoundError):  # pruned meanwhile
            found.append((path.stat().st_mtime, path.parent))
    return [folder for _, folder in sorted(found, reverse=True)]


def all_runs(cache: Path) -> Iterator[Run]:
    """Every Run that opens, newest first; see `problems` for those that do not."""
    for folder in run_folders(cache):
        try:
            yield opened(folder)
        except BadInputError:
            continue


def open_run(cache: Path, reference: str) -> Run:
    """The Run of an id, a unique prefix of one, or a name; raises BadInputError listing the choices."""
    return opened(folder_of(cache, reference))


def folder_of(cache: Path, reference: str) -> Path:
    """The folder of the Run that `open_run` would open, whatever state it is in."""
    runs = {folder.name: folder for folder in run_folders(cache)}
    if reference in runs:
        return runs[reference]
    names = {run.id: run.info.name for run in all_runs(cache)}
    matching = [run for run, name in names.items() if name == reference] or (
        [run for run in runs if run.startswith(reference)] if reference else []
    )
    if len(matching) == 1:
        return runs[matching[0]]
    if not runs:
        raise BadInputError(f"No Runs in {cache}. Make one: fas demo, or fas cache CHECKPOINT --data MANIFEST")
    listed = ", ".join(f"{run} ({names.get(run, 'unreadable')})" for run in (matching or list(runs)))
    problem = f"'{reference}' means several Runs" if matching else f"No Run is called '{reference}'"
    raise BadInputError(f"{problem} in {cache}. Choose one of: {listed}.")


def folders_to_verify(cache: Path) -> list[Path]:
    """Every folder of a cache in which there is, or was, a Run: also those that have lost their run.json."""
    folders = run_folders(cache)
    rest = _files(runs_folder(cache)) if runs_folder(cache).is_dir() else []
    return folders + [f for f in rest if f not in folders and f.is_dir() and _files(f)]


def shard_folders(folder: Path) -> list[Path]:
    """Every shard in a Run's folder, damaged or not."""
    return [shard for subset in _files(folder) if subset.is_dir() for shard in _files(subset)]


def shard_damage(shard: Path) -> list[str]:
    """What is wrong with the files of one shard, read to the last byte; empty when nothing is."""
    try:
        expected = _read_meta(shard)["files"]
    except BadInputError:
        is_there = (shard / "meta.json").is_file()
        return ["meta.json does not match its checksum" if is_there else "meta.json is missing"]
    names = sorted({*expected, *(path.name for path in _files(shard))})
    problems = {name: _file_problem(shard / name, expected.get(name)) for name in names}
    return [f"{name} {problem}" for name, problem in problems.items() if problem]


def _file_problem(path: Path, expected: dict[str, Any] | None) -> str:
    if expected is None:
        return "is no part of the shard"
    try:
        if path.stat().st_size != expected["bytes"]:
            return f"has {path.stat().st_size} bytes instead of {expected['bytes']}"
        return "" if _file_sha256(path) == expected["sha256"] else "does not match its checksum"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def damage(run: Run) -> list[dict[str, str]]:
    """Every file that is not as it was written, and what is no part of the Run: [{subset, shard, problem}].

    Shards that are not there at all are `run.missing`, which is no damage.
    """
    return _damage(run.folder, run.info)


def _damage(folder: Path, info: RunInfo | None, advance: Callable[[], object] = lambda: None) -> list[dict[str, str]]:
    """As `damage`. `info` None: the run.json is damaged, so that every shard may be part of the Run."""
    parts = [path for path in _files(folder) if path.name != "run.json"]
    subsets = [path for path in parts if path.is_dir() and (info is None or path.name in info.subsets)]
    found = [{"subset": p.name, "shard": "", "problem": STRAY} for p in parts if p not in subsets]
    for shard in (shard for path in subsets for shard in _files(path)):
        subset = shard.parent.name
        is_planned = info is None or shard.name in info.shard_names(subset)
        problems = shard_damage(shard) if is_planned else [STRAY]
        found += [{"subset": subset, "shard": shard.name, "problem": problem} for problem in problems]
        advance()
    return found


def verified(folder: Path, advance: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """The entry of `fas verify --json`: {run, name, damage, missing, repaired}, see `damage` and `Run.missing`.

    A Run whose run.json is damaged has no name, and nobody knows what it misses. `advance` is called after each shard.
    """
    try:
        run = opened(folder)
    except BadInputError as error:
        whole = {"subset": "", "shard": "", "problem": str(error)}
        found: dict[str, Any] = {"run": folder.name, "name": None}
        found |= {"damage": [whole, *_damage(folder, None, advance)], "missing": []}
    else:
        found = {"run": run.id, "name": run.info.name}
        found |= {"damage": _damage(folder, run.info, advance), "missing": run.missing}
    return found | {"repaired": []}


def sources(run: Run) -> tuple[Path, Manifest]:
    """The checkpoint and the manifest that a Run was made from, if both are where they were and as they were.

    Raises BadInputError saying which one is gone or has changed, and what to do then.
    """
    info = run.info
    if not run.has_images:
        raise BadInputError(
            f"Run {info.name} holds scores only, so nothing of it can be computed again. Remove it and import the "
            f"scores again: fas prune {run.id}, then fas scores import {info.source} --name {info.name}"
        )
    by_hand = (
        "By hand: delete the folders of the damaged shards, then run 'fas cache CHECKPOINT --data MANIFEST' with both "
        "as they were: it makes what is missing."
    )
    if not (info.checkpoint_path and info.manifest_path):
        raise BadInputError(f"Run {info.name} does not say where its checkpoint and manifest are. {by_hand}")
    checkpoint, source = Path(info.checkpoint_path), Path(info.manifest_path)
    for path, what in ((checkpoint, "checkpoint"), (source, "manifest")):
        if not path.is_file():
            raise BadInputError(f"The {what} of Run {info.name} is gone: {path}. {by_hand}")
    if _file_sha256(checkpoint) != info.checkpoint_sha256:
        raise BadInputError(f"The checkpoint of Run {info.name} has changed: {checkpoint}. {by_hand}")
    manifest = read_manifest(source)
    if manifest.sha256 != info.manifest_sha256:
        raise BadInputError(f"The manifest of Run {info.name}, or one of its images, has changed: {source}. {by_hand}")
    return checkpoint, manifest


def discard(run: Run, found: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Deletes the shards that some damage is in, so that they count as missing; returns that damage.

    What is no part of the Run stays: nobody could bring it back. See `claimed` for errors.
    """
    planned = {(subset, name) for subset in run.info.subsets for name in run.info.shard_names(subset)}
    inside = [dict(one) for one in found if (one["subset"], one["shard"]) in planned]
    with claimed([run.folder]):
        for one in inside:
            _delete(run.folder / one["subset"] / one["shard"])
    return inside


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
    with claimed([runs_folder(cache) / info.run]):
        folder = create(cache, info)
        for subset in ordered:
            write_shard(folder / subset / "shard-00000", table[table["subset"] == subset].reset_index(drop=True))
    return opened(folder)


def remove(run: Run) -> None:
    """Deletes a Run, which vanishes as a whole; raises BadInputError while somebody writes it.

    Results derived from it are its own: no other Run finds them, and the memo drops them when their room is needed.
    """
    with claimed([run.folder]):
        aside = Path(tempfile.mkdtemp(prefix=".removed-", dir=run.folder.parent))
        run.folder.rename(aside / run.folder.name)
    shutil.rmtree(aside)
    for remains in run.folder.parent.glob(".removed-*"):  # of removals that were killed
        shutil.rmtree(remains, ignore_errors=True)
