"""The layout of the cache folder: writing shards, and reading Runs without PyTorch.

    cache/runs/<run>/run.json                             what the Run is and which shards it will have
    cache/runs/<run>/.lock                                while somebody writes the Run: who
    cache/runs/<run>/<subset>/shard-00000/latents.npy     (n, d) float32
                                          reconstructions.npy, inputs.npy   (n, H, W) or (n, H, W, 3) uint8
                                          features.npy       (n, h, w, c) float16 of places in images, where asked for
                                          samples.parquet    ids, metadata, one column per loss term
                                          failures.parquet   rows whose image gave no output, with the reason
                                          meta.json          sizes and checksums, written last
    cache/runs/<run>/joined.json, joined-*.parquet        scores that were joined to its samples later, and checksums
    cache/runs/<run>/.encrypted                           arrays are written encrypted, as .npy.aes: see `encrypted`
    cache/runs/<run>/signature.json                       of who has made it, over all checksums

A shard is complete or absent: it is filled in a folder of another name, brought to the disk and renamed. Names that
begin with a dot are no content. Samples are joined by `sample_id`; a row number means nothing outside one opened Run.
A scores-only Run has samples.parquet alone; any of the arrays may be missing, of all shards then (`Run.has`).

In object storage (`storage`) the same lies under the same names, but that files of shards are called by their content:
of two writers of a shard the one whose meta.json is there first has made it, of its own files alone. Here there are
run.json and every meta.json then, brought by `look_anew`; arrays and tables are read by ranges.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import mmap
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fas_core import documents, memo, storage
from fas_core.access import secret
from fas_core.access.secret import TamperedError
from fas_core.data import modalities
from fas_core.data.names import ATTACK, BONA_FIDE, SUBSET_NAME, in_protocol_order
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, exchange, file_sha256, make_folder, make_private, opened_file, require_unlinked
from fas_core.runs import columns as kept_columns
from fas_core.runs import encrypted, measured
from fas_core.runs.encrypted import EncryptedMeta

FORMAT_VERSION = 2
SHARD_SIZE = 1024  # images, about 33 MB of pixels: what a kill can cost. Another size is another FORMAT_VERSION
ARRAYS = ("latents", "reconstructions", "inputs")
DTYPES = ("float16", "float32", "float64", "uint8")
CONTENTS = {  # what a Run may hold; each may be missing
    "latents": "latent codes",
    "reconstructions": "reconstructions",
    "inputs": "original images",
    "features": "encoder features by place",
    "losses": "losses",
}
JOINED = "joined.json"  # the scores of other systems that were joined to a Run
SIGNATURE = "signature.json"  # by whoever has made the Run
RUN_ID = re.compile("[0-9a-f]{12}")
META = "meta.json"  # of a shard, which is absent without
IN_A_PART = 512  # metas that are kept together: while a document is parsed, no other thread of the process runs
_OTHER_DOCUMENTS = (SIGNATURE, encrypted.MARKER)  # of a Run, beside those without which it or a shard is absent
SEEN_FOR = 60.0  # seconds in which a cache folder in object storage is not looked at again for what is new
MOST_SHARDS, MOST_SAMPLES = 10**6, 10**9  # of a subset; what says more is damaged
_OF_MACHINE = (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.EAGAIN, errno.ESTALE)
KINDS = ("images", "scores")
FEW = 8  # of this many rows, one that is wanted is read by itself: through a map, all pages between would come along
FAILURE_COLUMNS = ("sample_id", "label", "subset", "reason")


class UnreadableNowError(BadInputError):
    """The machine cannot read a file now (memory, open files, rights): that says nothing about what is in it."""


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
    checkpoint_header: Json = field(default_factory=dict)
    manifest: str = ""
    manifest_sha256: str = ""
    preprocessing: str = ""
    precision: str = ""
    source: str = ""
    origin: Json = field(default_factory=dict)  # of the model's code: distribution, version, entry point, digest
    input: Json = field(default_factory=dict)  # what the model is given: size, channels, scaling
    declared: dict[str, str] = field(default_factory=dict)  # columns that are scores: the class higher values are of
    checkpoint_path: str = ""  # where both were when the Run was begun, absolute; no part of the id
    manifest_path: str = ""
    patches: Json = field(default_factory=dict)  # grid, dimensions and seed of `features`; {} where there are none
    modality: str = ""  # of all images: rgb, nir, depth, ...; "" where the manifest does not say it
    shard_size: int = field(default_factory=lambda: SHARD_SIZE)
    format: int = FORMAT_VERSION

    @property
    def model_identity(self) -> dict[str, object]:
        """Stands for the model whose outputs these are: what is kept of its answers is kept by this."""
        told = {"input": self.input, "origin": self.origin} if self.origin else {}
        return {"checkpoint": self.checkpoint_sha256, "precision": self.precision, **told}

    def shard_names(self, subset: str) -> list[str]:
        """Of a subset, in order; one where it has no samples."""
        count = max(1, -(-self.subsets[subset] // self.shard_size))
        return [f"shard-{i:05d}" for i in range(count)]


def run_id(*parts: str) -> str:
    """Twelve hexadecimal digits that stand for the contents they were made from."""
    return hashlib.sha256("\n".join((str(FORMAT_VERSION), *parts)).encode()).hexdigest()[:12]


def runs_folder(cache: Path) -> Path:
    """Where Runs are kept."""
    return cache / "runs"


def look_anew(cache: Path, within: float = 0) -> None:
    """Brings what is new of a cache folder in object storage; `within`: where that is not just as many seconds ago."""
    storage.mirror(runs_folder(cache), ("run.json", META), _OTHER_DOCUMENTS, within)


def require_local(folder: Path, what: str) -> None:
    """Raises BadInputError where a Run is in object storage; `what`: that cannot be done there."""
    if storage.is_remote(folder):
        raise BadInputError(
            f"{storage.shown(folder)} is in object storage, where a Run cannot be {what}. Make it anew as it should "
            f"be, then remove this one: fas prune {folder.name}"
        )


def delete(path: Path) -> None:
    """Removes a file or folder; a shard in object storage there too, where it is absent at once."""
    if storage.is_remote(path) and is_shard(path):
        storage.remove(path, META)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def create(cache: Path, info: RunInfo) -> Path:
    """The Run's folder with its run.json; one that is there is kept with all its shards, a damaged one written anew."""
    folder = runs_folder(cache) / info.run
    make_folder(folder)
    if storage.is_remote(folder) and not (folder / "run.json").is_file():
        if storage.put_new(folder / "run.json", sealed(asdict(info)).encode()):
            rewrite_info(folder, info)
        else:  # somebody else has begun it just now
            look_anew(cache)
    try:
        read_json(folder / "run.json", folder.parent)
    except UnreadableNowError:
        raise
    except BadInputError:
        rewrite_info(folder, info)
        _synced(folder.parent)
    return folder


def rewrite_info(folder: Path, info: RunInfo) -> None:
    """Puts another run.json in the place of the one that is there."""
    with atomic_file(folder / "run.json", folder.parent) as temporary:
        temporary.write_text(sealed(asdict(info)), encoding="utf-8")
        _synced(temporary)
    _synced(folder)
    storage.put(folder / "run.json")


def is_shard(folder: Path) -> bool:
    """Whether a complete shard is in `folder`, as its meta.json tells; its other files are not read.

    Raises UnreadableNowError where that cannot be told.
    """
    try:
        read_meta(folder)
    except UnreadableNowError:
        raise
    except BadInputError:
        return False
    return True


def write_shard(
    shard: Path, samples: pd.DataFrame, failures: pd.DataFrame | None = None, **arrays: NDArray[Any]
) -> None:
    """Writes one shard so that it appears complete or not at all, also when killed or without power.

    One that is there already is left alone. Its bytes depend on the arguments alone (and on the versions of libraries).
    """
    if is_shard(shard):
        return
    with _filled(shard, samples, failures, arrays) as temporary:
        if storage.is_remote(shard):
            _hand_over(temporary, shard)
        elif not is_shard(shard):
            delete(shard)  # what is left of one that somebody has deleted in part
        try:
            temporary.rename(shard)
        except OSError:
            if not is_shard(shard):  # somebody else finished the same shard: theirs is as good
                raise


def _hand_over(temporary: Path, shard: Path) -> None:
    """Puts a shard that was filled here into object storage; in the folder its meta.json, or that of who was faster,
    stays alone."""
    written = read_json(temporary / META, shard.parents[2])
    meta = ShardMeta.of(written, str(temporary / META))
    names = {file: storage.content_name(file, about.bytes, about.sha256) for file, about in meta.on_disk.items()}
    if not storage.put_folder(temporary, shard, names, META):
        (temporary / META).unlink()
        with storage.opened(shard / META) as theirs:
            (temporary / META).write_bytes(theirs.read())
    for file in names:
        (temporary / file).unlink()


def replace_shard(
    shard: Path, samples: pd.DataFrame, failures: pd.DataFrame | None = None, **arrays: NDArray[Any]
) -> None:
    """As `write_shard`, in the place of the complete shard that is there: a kill leaves the one or the other."""
    require_local(shard.parents[1], "changed")
    with _filled(shard, samples, failures, arrays) as temporary:
        exchange(temporary, shard)


@contextmanager
def _filled(
    shard: Path, samples: pd.DataFrame, failures: pd.DataFrame | None, arrays: Mapping[str, NDArray[Any]]
) -> Iterator[Path]:
    """A folder beside a shard that holds its content, brought to the disk; the block moves it. See `write_shard`."""
    require_unlinked(shard.parent, shard.parents[2])
    make_folder(shard.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{shard.name}.", dir=shard.parent))
    try:
        plain, in_place = _write_arrays(arrays, shard, temporary)
        _write_parquet(samples, temporary / "samples.parquet")
        if failures is not None:
            _write_parquet(failures, temporary / "failures.parquet")
        meta = ShardMeta(
            len(samples),
            0 if failures is None else len(failures),
            {name: ArrayMeta(array.shape, str(array.dtype)) for name, array in arrays.items()},
            plain | {path.name: _file_meta(path) for path in files_in(temporary) if path.suffix != encrypted.SUFFIX},
            encrypted=in_place,
        )
        (temporary / "meta.json").write_text(sealed(meta.as_json()), encoding="utf-8")
        for path in (*temporary.iterdir(), temporary):
            make_private(path)
            _synced(path)
        yield temporary
        _synced(shard.parent)
        _synced(shard.parent.parent)
    except OSError as error:
        error.filename = error.filename or str(shard)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_arrays(
    arrays: Mapping[str, NDArray[Any]], shard: Path, folder: Path
) -> tuple[dict[str, FileMeta], dict[str, EncryptedMeta]]:
    """Writes the arrays of a shard into a folder, in the clear or encrypted as its Run is.

    Returns what is said of the files in the clear that encrypted ones stand for, and of these; both by plain names.
    """
    own = encrypted.require_key(shard.parents[1]) if encrypted.marked(shard.parents[1]) else None
    plain: dict[str, FileMeta] = {}
    in_place: dict[str, EncryptedMeta] = {}
    for name, array in arrays.items():
        file = f"{name}.npy"
        if own is None:
            _write_array(array, folder / file)
        else:
            plain[file], in_place[file] = encrypted_array(array, folder / f"{file}{encrypted.SUFFIX}", shard, name, own)
    return plain, in_place


def encrypted_array(
    array: NDArray[Any], path: Path, shard: Path, name: str, own: bytes
) -> tuple[FileMeta, EncryptedMeta]:
    """Writes an array of a shard encrypted; returns what is said of its file in the clear, and of this one."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    plain = hashlib.sha256(header.getvalue())
    plain.update(array.reshape(-1).view(np.uint8).data)
    rows, salt = encrypted.write(array, path, shard, name, own)
    _synced(path)
    written = _file_meta(path)
    return (
        FileMeta(len(header.getvalue()) + array.nbytes, plain.hexdigest()),
        EncryptedMeta(written.bytes, written.sha256, rows, salt, secret.key_id(own)),
    )


def rewrite_meta(shard: Path, meta: ShardMeta) -> None:
    """Puts another meta.json in the place of a shard's, and returns when the disk has it."""
    require_local(shard.parents[1], "changed")
    with atomic_file(shard / "meta.json") as temporary:
        temporary.write_text(sealed(meta.as_json()), encoding="utf-8")
        _synced(temporary)
    _synced(shard)


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


def files_in(folder: Path) -> list[Path]:
    """Everything in a folder but meta.json and what begins with a dot, by name."""
    return sorted(p for p in folder.iterdir() if p.name != "meta.json" and not p.name.startswith("."))


@dataclass(frozen=True)
class FileMeta:
    """A file of a shard."""

    bytes: int
    sha256: str


def _file_meta(path: Path) -> FileMeta:
    return FileMeta(path.stat().st_size, file_sha256(path))


@dataclass(frozen=True)
class ArrayMeta:
    """An array of a shard, as `np.dtype` names its type."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class ShardMeta:
    """meta.json of a shard."""

    n: int
    n_failures: int
    arrays: Mapping[str, ArrayMeta]
    files: Mapping[str, FileMeta]  # in the clear, whether they are or not: what a Run's digest is of
    format: int = FORMAT_VERSION
    encrypted: Mapping[str, EncryptedMeta] = field(default_factory=dict)  # name in the clear -> what is there instead

    @classmethod
    def of(cls, content: Json, where: str) -> ShardMeta:
        """What `as_json` gave. Raises BadInputError, beginning with `where`, for anything else."""
        meta = documents.read_as(cls, content, where)
        if meta.n < 0 or meta.n_failures < 0 or any("/" in name or name.startswith(".") for name in meta.files):
            raise BadInputError(f"{where} says what no shard is.")
        for name, array in meta.arrays.items():
            file = meta.files.get(f"{name}.npy")
            size = math.prod(array.shape) * np.dtype(array.dtype).itemsize if array.dtype in DTYPES else -1
            if file is None or array.shape[:1] != (meta.n,) or min(array.shape) < 0 or not 0 <= size <= file.bytes:
                raise BadInputError(f"{where} says what no array '{name}' is.")
        for file_name, about in meta.encrypted.items():
            array = meta.arrays.get(file_name.removesuffix(".npy"), ArrayMeta((), ""))
            if not array.shape or not about.fits(array.shape, array.dtype):
                raise BadInputError(f"{where} says what no encrypted array '{file_name}' is.")
        return meta

    def as_json(self) -> Json:
        """Without `encrypted` where nothing is."""
        return {name: value for name, value in asdict(self).items() if value or name != "encrypted"}

    @property
    def on_disk(self) -> dict[str, FileMeta]:
        """The files of the shard as they lie there."""
        instead = {
            f"{name}{encrypted.SUFFIX}": FileMeta(about.bytes, about.sha256) for name, about in self.encrypted.items()
        }
        return {name: about for name, about in self.files.items() if name not in self.encrypted} | instead


@dataclass(frozen=True)
class Shard:
    """One complete shard; `start` is the row of its first sample in the opened Run."""

    folder: Path
    subset: str
    start: int
    meta: ShardMeta

    @property
    def n(self) -> int:
        return self.meta.n

    @property
    def runs(self) -> Path:
        """The folder of all Runs, below which no link is followed."""
        return self.folder.parents[2]

    @cached_property
    def digest(self) -> str:
        files = {name: vars(about) for name, about in self.meta.files.items()}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

    @cached_property
    def is_remote(self) -> bool:
        """Whether its files are in object storage."""
        return storage.is_remote(self.folder)

    def path(self, file: str) -> Path:
        """Of one of its files; in object storage it is called by its content."""
        if not self.is_remote or file not in (on_disk := self.meta.on_disk):
            return self.folder / file
        return self.folder / storage.content_name(file, on_disk[file].bytes, on_disk[file].sha256)

    def array(self, name: str) -> NDArray[Any]:
        """A read-only memory map, or all of an array that is encrypted or in object storage.

        Raises BadInputError when the file is not what meta.json promises, and NoKeyError where its key is not here.
        """
        if f"{name}.npy" in self.meta.encrypted:
            return self._decrypted(name, None)
        path, about = self.path(f"{name}.npy"), self.meta.arrays[name]
        if self.is_remote:
            return self.items(name, None)
        try:
            with opened_file(path, self.runs) as file:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError, MemoryError) as error:
            raise _unread(path, error) from error
        if len(memory) != self.meta.files[f"{name}.npy"].bytes:
            raise BadInputError(_damaged(self.folder, f"{name}.npy"))
        size = math.prod(about.shape) * np.dtype(about.dtype).itemsize  # the array is the end of its file
        return np.ndarray(about.shape, about.dtype, memory, len(memory) - size)

    def items(self, name: str, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        """Some rows of an array, (m, ...), or all; a few of many are read many times faster than through a memory
        map."""
        if f"{name}.npy" in self.meta.encrypted:
            return self._decrypted(name, rows)
        path, about = self.path(f"{name}.npy"), self.meta.arrays[name]
        items: NDArray[Any] = np.empty((self.n if rows is None else len(rows), *about.shape[1:]), about.dtype)
        stride = items.itemsize * int(np.prod(items.shape[1:]))
        size = self.meta.files[f"{name}.npy"].bytes
        try:
            with opened_file(path, self.runs) as buffered:
                file = cast("io.FileIO", buffered.raw)  # images are longer than its buffer
                if file.seek(0, os.SEEK_END) != size:
                    raise BadInputError(_damaged(self.folder, path.name))
                if rows is None:
                    file.seek(size - items.nbytes)
                    file.readinto(items.reshape(-1).view(np.uint8).data)
                    return items
                for row, item in zip(rows, items, strict=True):
                    file.seek(size - (self.n - int(row)) * stride)  # the array is the end of its file
                    file.readinto(item.data)
        except OSError as error:
            raise _unread(path, error) from error
        return items

    def _decrypted(self, name: str, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        """Some rows of an encrypted array, or all of them; nothing else is decrypted."""
        array, about = self.meta.arrays[name], self.meta.encrypted[f"{name}.npy"]
        path = self.path(f"{name}.npy{encrypted.SUFFIX}")
        items: NDArray[Any] = np.empty((array.shape[0] if rows is None else len(rows), *array.shape[1:]), array.dtype)
        try:
            with opened_file(path, self.runs) as buffered:
                file = cast("io.FileIO", buffered.raw)
                if file.seek(0, os.SEEK_END) != about.bytes:
                    raise BadInputError(_damaged(self.folder, path.name))
                reader = encrypted.Reader(file, self.folder, name, array.shape, array.dtype, about)
                reader.all(items) if rows is None else reader.some(rows, items)
        except TamperedError as error:
            raise BadInputError(_damaged(self.folder, path.name)) from error
        except (OSError, MemoryError) as error:
            raise _unread(path, error) from error
        return items

    def table(self, name: str, columns: Sequence[str] | None, repeated: Sequence[str] = ()) -> pa.Table:
        """Some columns of `samples` or `failures` in the order asked (None: all); only those are read.

        `repeated`: columns of texts to be read as dictionaries.
        """
        with self._parquet(f"{name}.parquet", repeated) as file:
            table = file.read(columns)
        return table if columns is None else table.select(columns)

    def schema(self) -> pa.Schema:
        """Of its samples."""
        with self._parquet("samples.parquet") as file:
            return file.schema_arrow

    @contextmanager
    def _parquet(self, name: str, repeated: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
        """One of its tables while the block reads it."""
        path = self.path(name)
        try:
            with opened_file(path, self.runs) as checked:
                source = checked if self.is_remote else path  # which is read faster by its path
                with pq.ParquetFile(source, read_dictionary=list(repeated)) as file:
                    yield file
        except (OSError, MemoryError, pa.ArrowException) as error:
            raise _unread(path, error) from error


class Codes:
    """The codes of some shards as one array (n, d) that is sliced: what is not asked for is not read.

    Whoever goes over all of them slice by slice holds one slice in memory, whatever the size of the Run.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = shards
        self._starts = np.array([shard.start for shard in shards])
        about = shards[0].meta.arrays["latents"]
        self.shape = (sum(shard.n for shard in shards), *about.shape[1:])
        self.dtype = np.dtype(about.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        start, stop, step = rows.indices(len(self))
        if step != 1 or stop <= start:
            return np.empty((0, *self.shape[1:]), self.dtype)
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        last = int(np.searchsorted(self._starts, stop, side="left"))
        parts = [
            shard.array("latents")[max(start - shard.start, 0) : stop - shard.start]
            for shard in self._shards[first:last]
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _joined_damaged(path: Path) -> str:
    return (
        f"{path} is missing or damaged: it holds scores that were joined to Run {path.parent.name}. Delete it and "
        f"{path.parent / JOINED}, then join the scores again: fas scores join"
    )


def _unread(path: Path, error: Exception) -> BadInputError:
    """Of a file of a shard that could not be read."""
    return not_now(path, error) or BadInputError(_damaged(path.parent, path.name))


def not_now(path: Path, error: Exception) -> UnreadableNowError | None:
    """What to say where the machine, not the file, is the reason that it could not be read; None where it is not."""
    if isinstance(error, MemoryError):
        reason = os.strerror(errno.ENOMEM)
    elif isinstance(error, OSError) and error.errno in _OF_MACHINE:
        reason = os.strerror(error.errno)
    else:
        return None
    return UnreadableNowError(
        f"{path} cannot be read now: {reason}. It may be whole: free memory or change its permissions, then try again."
    )


def _damaged(shard: Path, file: str) -> str:
    return (
        f"Shard {shard.parent.name}/{shard.name} of Run {shard.parent.parent.name} is damaged ({file}). "
        f"Make it anew: fas verify {shard.parent.parent.name} --repair"
    )


@dataclass(frozen=True)
class JoinedScore:
    """A score of another system that was joined to a Run: an entry of its joined.json, and a table beside it."""

    higher: str  # the class that higher values are of
    source: str  # where the values are from, in words
    file: str  # in the Run's folder: columns subset, sample_id, value
    bytes: int
    sha256: str
    of: str  # the digest of the shards that it was joined to: then the rows are those of the Run
    n_missing: int  # samples without a value


@dataclass(frozen=True)
class Place:
    """Of a shard in a Run."""

    subset: str
    shard: str


@dataclass(frozen=True)
class RunSummary:
    """The entry of `fas runs --json`."""

    run: str
    name: str
    kind: str  # as in `RunInfo`
    model: str | None  # both None of a Run that was imported
    checkpoint: str | None
    subsets: Mapping[str, int]  # samples that are there
    n_failures: int
    scores: tuple[str, ...]
    complete: bool
    bytes: int
    created: str  # ISO date


class Run:
    """A Run opened for reading. Rows: subsets in the protocol's order, shards in turn, the manifest's order inside."""

    def __init__(
        self,
        folder: Path,
        info: RunInfo,
        shards: tuple[Shard, ...],
        broken: tuple[Path, ...] = (),
        joined: Mapping[str, JoinedScore] | None = None,
        stamp: tuple[int, ...] = (),
    ) -> None:
        self.folder = folder
        self.stamp = stamp  # as `stamp_of` was before it was read; () says nothing
        self.joined: Mapping[str, JoinedScore] = joined or {}
        self.info = info
        self.shards = shards
        self.broken = broken  # folders of shards whose meta.json cannot be trusted; their rows are not there

    def __len__(self) -> int:
        return int(self._bounds[-1])

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """The first row of each shard, and how many rows there are."""
        return np.cumsum([0, *(shard.n for shard in self.shards)])

    def holding(self, rows: NDArray[np.int64]) -> Iterator[tuple[Shard, NDArray[np.int64]]]:
        """The shards that hold some rows, which ascend, each with those of its own, counted from its first."""
        at = np.searchsorted(rows, self._bounds)
        for i in np.flatnonzero(np.diff(at)).tolist():
            yield self.shards[i], rows[at[i] : at[i + 1]] - self._bounds[i]

    @property
    def id(self) -> str:
        return self.info.run

    @property
    def cache(self) -> Path:
        return self.folder.parent.parent

    @cached_property
    def modality(self) -> str:
        """What all samples are of: rgb, nir, depth, ...; "" where nothing says it, or they are of several."""
        if self.info.modality or modalities.MODALITY not in self.column_names():
            return self.info.modality
        return modalities.of_all(self.samples([modalities.MODALITY]))

    @property
    def is_of_scores(self) -> bool:
        """Whether it was imported from score files: no model's outputs are in it."""
        return self.info.kind == "scores"

    def has(self, *content: str) -> bool:
        """Whether it holds all of these `CONTENTS`. A Run without a shard holds no array yet."""
        arrays = self.shards[0].meta.arrays if self.shards else {}
        return all(
            bool(self.info.scores) if name == "losses" else name in arrays and not self.locked for name in content
        )

    @property
    def key_ids(self) -> list[str]:
        """Of the keys by which its arrays are encrypted; none where they are in the clear."""
        return sorted({about.key for shard in self.shards for about in shard.meta.encrypted.values()})

    @cached_property
    def locked(self) -> str:
        """Why its arrays cannot be read, in words, where they are encrypted; "" where they can, or are not."""
        return next(filter(None, map(secret.problem, self.key_ids)), "")

    @property
    def pictures(self) -> tuple[str, ...]:
        """Those of `inputs` and `reconstructions` that it holds: what can be looked at."""
        return tuple(name for name in ("inputs", "reconstructions") if self.has(name))

    def without(self, *content: str) -> str:
        """Which of these `CONTENTS` it does not hold, in words after its name; "" where it holds all of them."""
        missing = [CONTENTS[name] for name in content if not self.has(name)]
        if missing and self.is_of_scores:
            return "imported from a score file, without images"
        if missing and self.locked:
            return "is encrypted, and cannot be opened here"  # why, and where keys are, is for commands: see `locked`
        return f"holds no {' and no '.join(missing)}" if missing else ""

    def require(self, *content: str) -> None:
        """Raises BadInputError saying which of these `CONTENTS` are missing."""
        if self.is_of_scores:
            raise BadInputError(f"Run {self.info.name} holds scores only: it has no images and no latents.")
        if not self.shards:
            raise BadInputError(f"Run {self.info.name} has no complete shard yet. Run 'fas cache' again to go on.")
        if missing := self.without(*content):
            raise BadInputError(
                f"Run {self.info.name} {f'is encrypted, and {self.locked}' if self.locked else missing}."
            )

    @property
    def is_complete(self) -> bool:
        return len(self.shards) == sum(len(self.info.shard_names(subset)) for subset in self.info.subsets)

    @property
    def missing(self) -> list[Place]:
        """The shards that are not there at all."""
        here = {(shard.subset, shard.folder.name) for shard in self.shards}
        planned = [Place(subset, name) for subset in self.info.subsets for name in self.info.shard_names(subset)]
        absent = [place for place in planned if (place.subset, place.shard) not in here]
        return [place for place in absent if not (self.folder / place.subset / place.shard).exists()]

    @property
    def subsets(self) -> list[str]:
        """Subsets with at least one complete shard."""
        return list(dict.fromkeys(shard.subset for shard in self.shards))

    @property
    def latent_dim(self) -> int:
        """Numbers in a code. Of a Run with latents and at least one shard."""
        self.require("latents")
        return self.shards[0].meta.arrays["latents"].shape[1]

    @property
    def n_failures(self) -> int:
        return sum(shard.meta.n_failures for shard in self.shards)

    @property
    def made_at(self) -> pd.Timestamp:
        """When it was begun, in UTC."""
        return pd.Timestamp((self.folder / "run.json").stat().st_mtime, unit="s", tz="UTC")

    @property
    def declared(self) -> dict[str, str]:
        """Columns that are scores as somebody has declared: name -> the class that higher values are of."""
        own = dict.fromkeys(self.info.scores, ATTACK) if self.is_of_scores else dict(self.info.declared)
        return own | {name: joined.higher for name, joined in self.joined.items()}

    @cached_property
    def shards_digest(self) -> str:
        """Stands for every byte of the shards that are there: a Run that has grown has another."""
        return hashlib.sha256("\n".join([self.id, *(s.digest for s in self.shards)]).encode()).hexdigest()

    @cached_property
    def digest(self) -> str:
        """Stands for every byte of the shards and of the scores that were joined to them."""
        if not self.joined:
            return self.shards_digest
        entries = json.dumps({name: asdict(joined) for name, joined in self.joined.items()}, sort_keys=True)
        return hashlib.sha256(f"{self.shards_digest}\n{entries}".encode()).hexdigest()

    def digest_of(self, score: str) -> str:
        """Stands for what a score is made of: joining another one changes nothing about it."""
        joined = self.joined.get(score.partition("~")[0])
        if joined is None:
            return self.shards_digest
        entry = json.dumps(asdict(joined), sort_keys=True)
        return hashlib.sha256(f"{self.shards_digest}\n{entry}".encode()).hexdigest()

    def column_names(self) -> list[str]:
        """Names of the samples' own columns, in the file's order; without the scores joined to them."""
        return list(self._column_names)

    @cached_property
    def _column_names(self) -> tuple[str, ...]:
        if not self.shards:
            return ()
        return tuple(str(name) for name in self.shards[0].schema().names)

    def samples(self, columns: Sequence[str] | None = None, *, repeated: Sequence[str] = ()) -> pd.DataFrame:
        """One row per sample that has outputs; only the columns asked for are read from disk. None: all of its own;
        scores that were joined are asked for by name.

        `repeated`: those of them whose texts repeat. They come as categories, in order of name: of millions of rows,
        a byte or two each instead of some twenty.
        """
        joined = [name for name in columns or () if name in self.joined]
        if joined:
            rows = self.samples([name for name in columns or () if name not in joined] or ["sample_id"])
            values = {name: self._joined_values(self.joined[name]) for name in joined}
            return rows.assign(**values)[list(columns or ())]
        if not self.shards:
            rows = pd.DataFrame(columns=list(columns or []))
        else:
            table = self._table("samples", self.shards) if columns is None else self._kept(columns, repeated)
            rows = table.to_pandas()
        return rows.assign(**{name: rows[name].astype("category").pipe(_in_order) for name in repeated})

    def are_at_hand(self, columns: Sequence[str]) -> bool:
        """Whether `samples` of those of some own columns that it has takes no time to speak of."""
        names = [name for name in columns if name in self.column_names()]
        return len(self.shards) <= kept_columns.FEW or kept_columns.are_kept(self, names)

    def samples_of(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pd.DataFrame:
        """Some of its own columns of some rows, which ascend; only the shards that hold them are read."""
        parts = [shard.table("samples", columns).take(pa.array(here)) for shard, here in self.holding(rows)]
        if not len(rows):
            return pd.DataFrame(columns=list(columns))
        return pa.concat_tables(parts, promote_options="permissive").to_pandas()

    def alike(self, row: int, columns: Sequence[str]) -> NDArray[np.int64]:
        """Rows, ascending, of the samples that say what that of a row does in some of its own columns, whose texts
        repeat; two that say nothing are alike."""
        is_alike = np.ones(len(self), np.bool_)
        for codes, _ in self.coded(columns):
            is_alike &= codes == codes[row]
        return np.flatnonzero(is_alike)

    def coded(self, columns: Sequence[str]) -> Iterator[tuple[NDArray[np.signedinteger[Any]], pa.Array]]:
        """Of each of some own columns that repeat, (n,) places in what they say, and what; -1 where they say nothing.

        Quicker than categories where millions of texts differ, and other threads run meanwhile.
        """
        for column in self._kept(columns, columns).columns:
            encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            whole = encoded.unify_dictionaries().combine_chunks()
            yield pc.fill_null(whole.indices, -1).to_numpy(), whole.dictionary

    def _kept(self, columns: Sequence[str], repeated: Sequence[str]) -> pa.Table:
        """As `_table` of the samples; of many shards by columns that are gathered once."""
        if len(self.shards) <= kept_columns.FEW:
            return self._table("samples", self.shards, columns, repeated)

        def read(names: list[str], texts: list[str]) -> pa.Table:
            tables = [shard.table("samples", names, texts) for shard in self.shards]
            return pa.concat_tables(tables, promote_options="permissive").replace_schema_metadata(None)

        table = kept_columns.gathered(self, columns, read)
        if table is None:
            return self._table("samples", self.shards, columns, repeated)
        for place, (name, column) in enumerate(zip(columns, table.columns, strict=True)):
            if pa.types.is_dictionary(column.type) and name not in repeated:
                table = table.set_column(place, name, column.cast(column.type.value_type))
        return table

    def _joined_values(self, joined: JoinedScore) -> NDArray[np.float64]:
        """(n,) in row order; NaN for a sample that was not there when they were joined, or has none."""
        path = self.folder / joined.file
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise BadInputError(_joined_damaged(path)) from error
        values = table.column("value").to_numpy()
        if joined.of == self.shards_digest and len(values) == len(self):
            return np.asarray(values, np.float64)
        key = ["subset", "sample_id"]
        place = pd.MultiIndex.from_frame(table.select(key).to_pandas()).get_indexer(
            pd.MultiIndex.from_frame(self._table("samples", self.shards, key).to_pandas())
        )
        return np.where(place >= 0, np.append(values, np.nan)[place], np.nan)

    def failures(self) -> pd.DataFrame:
        """One row per image that gave no output, with `reason`."""
        failed = [shard for shard in self.shards if shard.meta.n_failures]
        return self._table("failures", failed).to_pandas() if failed else pd.DataFrame(columns=list(FAILURE_COLUMNS))

    def _table(
        self, name: str, shards: Sequence[Shard], columns: Sequence[str] | None = None, repeated: Sequence[str] = ()
    ) -> pa.Table:
        wanted = None if columns is None else list(columns)
        tables = _of_each(shards, lambda shard: shard.table(name, wanted, repeated))
        return pa.concat_tables(tables, promote_options="permissive")

    @cached_property
    def sample_ids(self) -> pa.ChunkedArray:
        """(n,) texts in row order, read once."""
        columns = _of_each(self.shards, lambda shard: shard.table("samples", ["sample_id"]).column(0).cast(pa.string()))
        return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())

    def subsets_of(self, rows: NDArray[np.int64]) -> list[str]:
        """The subsets that some rows are of, in order."""
        is_held = np.zeros(len(self.shards), np.bool_)
        is_held[np.searchsorted(self._bounds, rows, side="right") - 1] = True
        return list(dict.fromkeys(shard.subset for shard, held in zip(self.shards, is_held, strict=True) if held))

    def rows_of(self, subset: str) -> NDArray[np.int64]:
        """Row numbers of one subset, in order."""
        spans = [np.arange(s.start, s.start + s.n) for s in self.shards if s.subset == subset]
        return np.concatenate(spans) if spans else np.empty(0, np.int64)

    def latents(self) -> NDArray[np.float32]:
        """(n, d): mapped from disk when the Run is one shard, gathered otherwise. `codes` needs no memory for it."""
        self.require("latents")
        arrays = _of_each(self.shards, lambda shard: shard.array("latents"))
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    @cached_property
    def codes(self) -> Codes:
        """(n, d), of which no more is read than is asked for: see `Codes`."""
        self.require("latents")
        return Codes(self.shards)

    def latent_blocks(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """The codes of some rows, which ascend, a shard at a time: (m, d) each, m > 0; never all in memory."""
        return self._blocks("latents", rows)

    def feature_blocks(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float16]]:
        """As `latent_blocks`: (m, h, w, c), of h x w places."""
        return self._blocks("features", rows)

    def _blocks(self, name: str, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        self.require(name)
        for shard, here in self.holding(rows):
            yield shard.array(name)[here] if len(here) * FEW >= shard.n else shard.items(name, here)

    def looks(self, name: str) -> NDArray[np.float64]:
        """(n,) one of `data.measures` of every image; measured once a Run."""
        self.require("inputs")
        return measured.of_run(self)[name]

    def pairs(self, measure: str, rows: NDArray[np.int64] | None = None) -> dict[str, NDArray[np.float64]]:
        """(n,) of each column of one of `data.pairs.MEASURES`; measured once a Run. `rows`: of some, which ascend."""
        return measured.of_pairs(self, measure, rows)

    @cached_property
    def places_known(self) -> frozenset[str]:
        """Which of `measured.EYES` and `measured.FACE` its samples tell."""
        return measured.places_known(self)

    def images(self, name: str, rows: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """`inputs` or `reconstructions` of some rows, uint8 in the order asked; reads only those images.

        (m, H, W) gray, or (m, H, W, 3) in colour; both of a Run have one shape.
        """
        self.require(name)
        wanted = np.asarray(rows, np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"row outside 0..{len(self) - 1}")
        starts = np.array([shard.start for shard in self.shards])
        owner = np.searchsorted(starts, wanted, side="right") - 1
        images = np.empty((len(wanted), *self.shards[0].meta.arrays[name].shape[1:]), np.uint8)

        def fill(shard: Shard) -> None:
            here = np.flatnonzero(starts[owner] == shard.start)
            images[here] = shard.items(name, wanted[here] - shard.start)

        _of_each([self.shards[index] for index in np.unique(owner)], fill)
        return images

    def summary(self) -> RunSummary:
        """What a list of Runs shows of it."""
        counts: dict[str, int] = {}
        for shard in self.shards:
            counts[shard.subset] = counts.get(shard.subset, 0) + shard.n
        size = sum(file.bytes for shard in self.shards for file in shard.meta.files.values())
        return RunSummary(
            self.id,
            self.info.name,
            self.info.kind,
            self.info.model or None,
            self.info.checkpoint or None,
            counts,
            self.n_failures,
            (*self.info.scores, *(name for name in self.joined if name not in self.info.scores)),
            self.is_complete,
            size,
            self.made_at.isoformat(timespec="seconds"),
        )


T = TypeVar("T")


def _of_each(shards: Sequence[Shard], function: Callable[[Shard], T]) -> list[T]:
    """What a function says of each shard; of many at once where they are far, as then most time is spent waiting."""
    if len(shards) < 2 or not shards[0].is_remote:
        return [function(shard) for shard in shards]
    with ThreadPoolExecutor(storage.AT_ONCE) as pool:
        return list(pool.map(function, shards))


def _in_order(column: pd.Series) -> pd.Series:
    """A column of categories with these in order of name."""
    names = column.cat.categories
    return column if names.is_monotonic_increasing else column.cat.set_categories(sorted(names))


def stamp_of(folder: Path) -> tuple[int, ...]:
    """Changes whenever a shard of a Run appears, goes or is replaced: shards are renamed into their subset's folder."""
    return tuple(p.stat().st_mtime_ns for p in sorted((folder, *(d for d in folder.iterdir() if d.is_dir()))))


def require_held(run: Run, sample_ids: Iterable[str]) -> None:
    """Raises BadInputError where a Run, as it is on the disk by now, does not hold every one of these samples: what was
    opened before somebody was removed must not bring their ids back.
    """
    try:
        now = run if run.stamp == stamp_of(run.folder) else opened(run.folder)
    except FileNotFoundError as error:
        raise BadInputError(f"Run {run.info.name} is not there any more, so nothing is kept of it.") from error
    wanted = pa.array(list(set(sample_ids)), pa.string())
    held = now.sample_ids.filter(pc.is_in(now.sample_ids, value_set=wanted))
    if n_gone := len(wanted) - len(held.unique()):
        raise BadInputError(
            f"{n_gone:,} of the samples {'is' if n_gone == 1 else 'are'} not in Run {run.info.name} (any more), so "
            "nothing is kept. Load the page anew to see what the Run holds."
        )


def opened(folder: Path) -> Run:
    """The Run in `folder`; raises BadInputError when it is none, or was written in another format."""
    where = folder / "run.json"
    info = read_json(where, folder.parent)
    stamp: tuple[int, ...] = ()
    with suppress(OSError):  # then it is opened anew where that matters
        stamp = stamp_of(folder)
    if info.get("format") != FORMAT_VERSION:
        written = info.get("format")
        raise BadInputError(f"{folder} was written in format {written}, this version reads {FORMAT_VERSION}.")
    run_info = documents.read_as(RunInfo, info, str(where))
    if run_info.run != folder.name or not RUN_ID.fullmatch(run_info.run):
        raise BadInputError(f"{where} says another Run than its folder, or none. Delete {folder}.")
    if run_info.kind not in KINDS or not _are_counts(run_info):
        raise BadInputError(f"{where} says what no Run is. Delete {folder}.")
    if names := [name for name in run_info.subsets if not SUBSET_NAME.fullmatch(name)]:
        raise BadInputError(
            f"{folder / 'run.json'} names a subset '{names[0]}', which is no folder name. Delete {folder}."
        )
    places = [Place(s, name) for s in in_protocol_order(list(run_info.subsets)) for name in run_info.shard_names(s)]
    of_all = _kept_metas(folder, places)
    shards: list[Shard] = []
    broken: list[Path] = []
    start = 0
    for number, place in enumerate(places):
        shard = folder / place.subset / place.shard
        try:
            if of_all is None and not (shard / META).is_file():
                continue
            meta = read_meta(shard) if of_all is None else of_all[number]
        except UnreadableNowError:
            raise
        except BadInputError:
            broken.append(shard)
            continue
        shards.append(Shard(shard, place.subset, start, meta))
        start += meta.n
    return Run(folder, run_info, tuple(shards), tuple(broken), _joined(folder), stamp)


def _kept_metas(folder: Path, places: Sequence[Place]) -> Sequence[ShardMeta] | None:
    """meta.json of all of many shards in a few documents, which stand for these files as they lie there: reading each
    of thousands takes seconds. None where they are few, and where one is missing or damaged.
    """
    if len(places) <= kept_columns.FEW:
        return None
    try:
        for subset in {place.subset for place in places}:
            require_unlinked(folder / subset, folder.parent)
        parts = [_kept_part(folder, places[i : i + IN_A_PART]) for i in range(0, len(places), IN_A_PART)]
        return [meta for part in parts for meta in part]
    except UnreadableNowError:
        raise
    except (BadInputError, OSError):
        return None


def _kept_part(folder: Path, places: Sequence[Place]) -> Sequence[ShardMeta]:
    """Raises BadInputError or OSError where one is missing or damaged."""
    shards = [f"{folder}/{place.subset}/{place.shard}" for place in places]
    files = [(stat.S_ISDIR(os.lstat(shard).st_mode), *_stamp_of_file(f"{shard}/{META}")) for shard in shards]
    key = hashlib.sha256(repr((places, files)).encode()).hexdigest()
    about: Json = {"run": folder.name, "files": key, "format": FORMAT_VERSION}
    read = lambda: [read_meta(Path(shard)) for shard in shards]  # noqa: E731
    return memo.document(folder.parents[1], "shards", about, list[ShardMeta], read)


def _stamp_of_file(path: str) -> tuple[int, ...]:
    """Changes whenever a file does."""
    about = os.lstat(path)
    return about.st_mode, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _joined(folder: Path) -> dict[str, JoinedScore]:
    """What joined.json says; nothing where there is none."""
    if not (folder / JOINED).exists():
        return {}
    try:
        scores = read_json(folder / JOINED, folder.parent)["scores"]
        return {str(name): documents.read_as(JoinedScore, entry, JOINED) for name, entry in scores.items()}
    except UnreadableNowError:
        raise
    except (BadInputError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(_joined_damaged(folder / JOINED)) from error


def _are_counts(info: RunInfo) -> bool:
    """Whether the shards that are planned can be counted at all."""
    most = min(MOST_SAMPLES, MOST_SHARDS * info.shard_size)
    return info.shard_size >= 1 and all(0 <= n <= most for n in info.subsets.values())


def sealed(content: Json) -> str:
    """JSON text that carries the checksum of its own content."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps(content | {"sha256": digest}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_json(path: Path, runs: Path) -> Json:
    """What `sealed` wrote, in the folder of all Runs; raises BadInputError when a single character of it has changed,
    and UnreadableNowError where that cannot be told."""
    try:
        content = documents.read_as(dict[str, Any], documents.read(path, below=runs), str(path))
    except (OSError, ValueError, MemoryError) as error:
        raise not_now(path, error) or BadInputError(_unreadable(path)) from error
    if isinstance(content.get("format"), int) and content["format"] != FORMAT_VERSION:
        return content  # of another version, whose rules are not ours; the caller says so
    digest = content.pop("sha256", None)
    if digest != hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest():
        raise BadInputError(_unreadable(path))
    return content


def read_meta(shard: Path) -> ShardMeta:
    """The meta.json of a shard; raises BadInputError where there is none, or it is damaged or not of this format."""
    content = read_json(shard / "meta.json", shard.parents[2])
    if content.get("format") != FORMAT_VERSION:
        raise BadInputError(_unreadable(shard / "meta.json"))
    return ShardMeta.of(content, str(shard / "meta.json"))


def _unreadable(path: Path) -> str:
    return f"{path} is missing or damaged. The command that made this Run writes it anew and keeps what is complete."


def run_folders(cache: Path) -> list[Path]:
    """Folders of every Run in a cache, newest first."""
    look_anew(cache, within=SEEN_FOR)
    dated = []
    for path in runs_folder(cache).glob("*/run.json"):
        with suppress(FileNotFoundError):  # pruned meanwhile
            dated.append((path.stat().st_mtime, path.parent))
    return [folder for _, folder in sorted(dated, reverse=True)]


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
    from fas_core.runs import naming  # which reads Runs

    facts = [naming.facts_of(run) for run in all_runs(cache)]
    names = naming.told_apart(facts)
    matching = naming.meant(reference, facts) or (
        [run for run in runs if run.startswith(reference)] if reference else []
    )
    if len(matching) == 1:
        return runs[matching[0]]
    if not runs:
        raise BadInputError(
            f"No Runs in {storage.shown(cache)}. Make one: fas demo, or fas cache CHECKPOINT --data MANIFEST"
        )
    listed = ", ".join(f"{run} ({names.get(run, 'unreadable')})" for run in (matching or list(runs)))
    problem = f"'{reference}' means several Runs" if matching else f"No Run is called '{reference}'"
    raise BadInputError(f"{problem} in {storage.shown(cache)}. Choose one of: {listed}.")


def non_responses(run: Run, subset: str | None = None) -> dict[str, int]:
    """Images without outputs per label, of one subset or of all: {"bona_fide": n, "attack": n}."""
    failures = run.failures()
    if subset is not None and len(failures):
        failures = failures[failures["subset"] == subset]
    return {label: int((failures["label"] == label).sum()) for label in (BONA_FIDE, ATTACK)}
