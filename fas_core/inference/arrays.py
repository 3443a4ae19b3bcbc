"""Arrays that another framework wrote, read from a folder; nothing in them is ever run.

    DIR/latents.{npy,npz,safetensors,h5,parquet}      (n, d) numbers, a code a row
        reconstructions.{npy,npz,safetensors,h5}      (n, H, W) gray; (n, H, W, 3) or (n, 3, H, W) in colour
        reconstructions/<sample_id>.png               or image files, named by sample
        inputs.*, inputs/                             the same of what the model was given
        features.{npy,npz,safetensors,h5}             (n, h, w, c): c numbers of each of h x w places of an image
        scores.{parquet,csv}                          sample_id, and columns of numbers
        ids.{txt,csv,parquet,npy}                     the samples of arrays that do not name them themselves
        outputs.{npz,safetensors,h5}                  or several of these arrays in one file, by their names

A file names its samples itself by `sample_id`: a column of Parquet, an array of .npz, a data set of HDF5, or a JSON
list in the metadata of safetensors.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from fas_core import documents
from fas_core.data import images
from fas_core.data.manifest import COLUMNS
from fas_core.errors import BadInputError
from fas_core.files import read_table, read_text
from fas_core.texts import plain, plain_column

LATENTS, RECONSTRUCTIONS, INPUTS, FEATURES, SCORES, IDS, OUTPUTS = (
    "latents", "reconstructions", "inputs", "features", "scores", "ids", "outputs",
)  # fmt: skip
SAMPLE_ID = "sample_id"
_GRAY_MODES = ("1", "L", "LA", "La", "I", "F")
_NUMBERS = "fiu"  # kinds of `np.dtype`

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Numbers:
    """n items of numbers in a file, of which some are read when they are asked for."""

    path: Path
    shape: tuple[int, ...]  # (n, ...)
    dtype: np.dtype[Any]
    of: Callable[[Rows], NDArray[Any]]  # rows, ascending -> (m, ...)
    are_images: bool = False  # read from image files: (n, H, W) or (n, H, W, 3) in [0, 1]

    def __len__(self) -> int:
        return self.shape[0]


@dataclass(frozen=True)
class Named:
    """Numbers, and the sample that each item is of; None: the file does not say."""

    numbers: Numbers
    ids: tuple[str, ...] | None


@dataclass(frozen=True)
class Folder:
    """What `read` has found."""

    arrays: Mapping[str, Named]  # by content: latents, reconstructions, inputs, features
    scores: tuple[Path, pd.DataFrame] | None
    files: tuple[Path, ...]  # all that was read, by name
    unread: tuple[str, ...]  # names of what else lies there


def read(folder: Path, known: Sequence[str]) -> Folder:
    """The arrays of a folder. `known`: the sample ids that image files may be named by, with or without an ending.

    Raises BadInputError naming the file for one that cannot be read, holds anything but numbers, leads to other files,
    or is there twice.
    """
    if not folder.is_dir():
        raise BadInputError(f"{folder} is no folder. Give the one with latents.npy, reconstructions.npy or the like.")
    entries = {path.name: path for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    if special := [path for path in entries.values() if path.exists() and not (path.is_file() or path.is_dir())]:
        raise BadInputError(f"{special[0]} is no regular file. Take it away.")
    used: list[Path] = []
    ids = _ids(entries, used)
    shared = _only(entries, OUTPUTS, tuple(_CONTAINERS))
    of_shared = _CONTAINERS[shared.suffix](shared) if shared else _Held({}, None)
    arrays = {}
    for content in (LATENTS, RECONSTRUCTIONS, INPUTS, FEATURES):
        suffixes = (".npy", *_CONTAINERS, *([".parquet"] if content == LATENTS else []))
        path = _only(entries, content, suffixes, or_folder=content in (RECONSTRUCTIONS, INPUTS))
        if path is None and content in of_shared.arrays:
            named = Named(of_shared.arrays[content], of_shared.ids or ids)
        elif path is None:
            continue
        elif content in of_shared.arrays:
            raise BadInputError(f"{path} and {shared} both hold {content}. Leave one of them out.")
        elif path.is_dir():
            named = _images(path, known)
        else:
            held = _opened(path, content)
            named = Named(_meant(path, content, held), held.ids or ids)
        require_alike(named)
        arrays[content] = named
        used.append(shared if path is None and shared else path or folder)
    table = _only(entries, SCORES, (".parquet", ".csv"))
    scores = None if table is None else (table, read_table(table))
    used += [table] if table else []
    if not arrays:
        raise BadInputError(
            f"{folder} holds neither {LATENTS} nor {RECONSTRUCTIONS} (names here: {', '.join(list(entries)[:8])}). "
            f"Name the arrays {LATENTS}.npy, {RECONSTRUCTIONS}.npy or the like; scores alone: fas scores import."
        )
    unread = tuple(name for name, path in entries.items() if path not in used)
    return Folder(arrays, scores, tuple(dict.fromkeys(used)), unread)


def files_of(path: Path) -> list[Path]:
    """The files that a path of `Folder.files` stands for: itself, or those below it, by name."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _only(entries: Mapping[str, Path], name: str, suffixes: Sequence[str], *, or_folder: bool = False) -> Path | None:
    """The one file of this name with one of these endings."""
    paths = [entries[name + suffix] for suffix in suffixes if name + suffix in entries]
    paths += [entries[name]] if or_folder and name in entries and entries[name].is_dir() else []
    if len(paths) > 1:
        raise BadInputError(f"{paths[0]} and {paths[1]} are both there. Leave one of them out.")
    return paths[0] if paths else None


def require_alike(named: Named) -> None:
    """Raises BadInputError where ids and items do not go together."""
    numbers, ids = named.numbers, named.ids
    if numbers.dtype.kind not in _NUMBERS:
        raise BadInputError(f"{numbers.path} holds {numbers.dtype}, not numbers. Write floats or integers.")
    if ids is None:
        return
    if len(ids) != len(numbers):
        raise BadInputError(f"{numbers.path} has {len(numbers):,} rows, but {len(ids):,} sample ids belong to them.")
    texts = pd.Series(ids)
    for wrong, problem in ((texts == "", "is empty"), (texts.duplicated(), "'{}' is there twice")):
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise BadInputError(f"{numbers.path}: the sample_id of row {row + 1} {problem.format(ids[row])}.")


def _texts(values: Any) -> tuple[str, ...]:
    """Ids as a manifest has them."""
    return tuple(plain_column(pd.Series(values)).tolist())


# ----------------------------------------------------------------------------------------------------- single formats


@dataclass(frozen=True)
class _Held:
    """What one file holds: arrays by name, and the samples that it names."""

    arrays: Mapping[str, Numbers]
    ids: tuple[str, ...] | None


def _opened(path: Path, content: str) -> _Held:
    if path.suffix == ".npy":
        return _Held({content: in_memory(path, _npy(path))}, None)
    return _parquet(path) if path.suffix == ".parquet" else _CONTAINERS[path.suffix](path)


def _meant(path: Path, content: str, held: _Held) -> Numbers:
    """The array of this name, or the only one."""
    if content not in held.arrays and len(held.arrays) != 1:
        listed = ", ".join(list(held.arrays)[:8]) or "none"
        raise BadInputError(f"{path} has no array '{content}'. Arrays there: {listed}. Name the one that is meant so.")
    return held.arrays[content] if content in held.arrays else next(iter(held.arrays.values()))


def in_memory(path: Path, values: NDArray[Any]) -> Numbers:
    """An array (n, ...) as one of a file. Raises BadInputError where it is a single value."""
    if values.ndim == 0:
        raise BadInputError(f"{path} holds a single value, not one per sample.")
    return Numbers(path, values.shape, values.dtype, lambda rows: np.asarray(values[rows]))


def _npy(path: Path) -> NDArray[Any]:
    """Mapped from disk. `open_memmap` knows no pickles."""
    with path.open("rb") as file:
        begins = file.read(6)
    if begins[:1] == b"\x80":
        raise BadInputError(_pickled(path))
    if begins != b"\x93NUMPY":
        raise BadInputError(f"{path} is no .npy file. Write it with np.save.")
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, EOFError) as error:
        if "object" in str(error).lower():
            raise BadInputError(_pickled(path)) from error
        raise BadInputError(f"{path} cannot be read: {_first_line(error)}. Write it anew with np.save.") from error


def _pickled(path: Path) -> str:
    return (
        f"{path} holds Python objects (a pickle), which are never loaded: that would run what is in them. "
        "Write numbers, e.g. np.save(path, np.stack(rows).astype(np.float32))."
    )


def _npz(path: Path) -> _Held:
    arrays: dict[str, Numbers] = {}
    ids = None
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                try:
                    values = file[name]
                except ValueError as error:
                    raise BadInputError(_pickled(path) if "pickle" in str(error) else f"{path}: {error}") from error
                if name == SAMPLE_ID:
                    ids = _ids_of(path, values)
                else:
                    arrays[name] = in_memory(path, values)
    except BadInputError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BadInputError(
            f"{path} is no readable .npz file: {_first_line(error)}. Write it with np.savez."
        ) from error
    return _Held(arrays, ids)


def _safetensors(path: Path) -> _Held:
    from safetensors import SafetensorError, safe_open

    arrays = {}
    try:
        with safe_open(path, framework="numpy") as file:
            said = (file.metadata() or {}).get(SAMPLE_ID)
            for name in file.keys():  # noqa: SIM118 - no mapping
                try:
                    arrays[name] = in_memory(path, file.get_tensor(name))
                except (TypeError, KeyError, AttributeError) as error:  # what NumPy has no type for
                    raise BadInputError(
                        f"{path}: '{name}' is of a type that NumPy does not have. Write it as float32."
                    ) from error
    except (SafetensorError, OSError) as error:
        raise BadInputError(f"{path} is no readable safetensors file: {_first_line(error)}.") from error
    if said is None:
        return _Held(arrays, None)
    try:
        listed = documents.parsed(said)
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(each, str | int) for each in listed):
        raise BadInputError(f"{path}: {SAMPLE_ID} in its metadata is no JSON list of texts: json.dumps(ids).")
    return _Held(arrays, _texts([str(each) for each in listed]))


def _parquet(path: Path) -> _Held:
    """One column of lists, or every column of numbers that no manifest has, in the file's order."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInputError(f"{path} is no readable Parquet table: {_first_line(error)}.") from error
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    named = SAMPLE_ID if SAMPLE_ID in table.column_names else index[0] if index else ""
    ids = _ids_of(path, table.column(named).to_numpy()) if named else None
    rest = [name for name in table.column_names if name not in (*COLUMNS, *index)]
    lists = [n for n in rest if pa.types.is_list(t := table.schema.field(n).type) or pa.types.is_large_list(t)
             or pa.types.is_fixed_size_list(t)]  # fmt: skip
    if len(lists) > 1:
        raise BadInputError(f"{path}: the columns {', '.join(lists[:4])} all hold lists. Keep the one of the codes.")
    if lists:
        column = table.column(lists[0]).combine_chunks()
        lengths = set(column.value_lengths().to_pylist())
        if len(lengths) != 1 or None in lengths:
            raise BadInputError(
                f"{path}: the lists of column '{lists[0]}' differ in length. A code has d numbers each."
            )
        flat = column.flatten().to_numpy(zero_copy_only=False)
        return _Held({LATENTS: in_memory(path, flat.reshape(len(column), -1))}, ids)
    numbers = [n for n in rest if pa.types.is_floating(t := table.schema.field(n).type) or pa.types.is_integer(t)]
    if not numbers:
        raise BadInputError(f"{path} has no column of numbers. Write the d numbers of a code in as many columns.")
    values = np.column_stack([table.column(name).to_numpy() for name in numbers])
    return _Held({LATENTS: in_memory(path, values)}, ids)


def _h5(path: Path) -> _Held:
    """Data sets of the file itself: one that leads to another file is refused before anything is read."""
    try:
        import h5py
    except ImportError as error:
        raise BadInputError(f"{path}: HDF5 needs h5py: pip install 'fas-explorer[h5]'.") from error
    try:
        file = h5py.File(path, "r")
        held = [name for name in _kept_inside(path, file, h5py) if isinstance(file[name], h5py.Dataset)]
    except (OSError, RuntimeError) as error:
        raise BadInputError(f"{path} is no readable HDF5 file: {_first_line(error)}.") from error
    ids = _ids_of(path, _read(path, file[SAMPLE_ID], ...)) if SAMPLE_ID in held else None
    return _Held({name: _of_h5(path, file[name]) for name in held if name != SAMPLE_ID}, ids)


def _kept_inside(path: Path, file: Any, h5py: Any) -> list[str]:
    """Names of all that lies in the file's root; raises BadInputError for anything that leads to another file."""
    groups, seen = [file], set()
    while groups:
        group = groups.pop()
        if group.id.__hash__() in seen:
            continue
        seen.add(group.id.__hash__())
        for name in group:
            try:
                link = group.get(name, getlink=True)
            except TypeError:  # a kind that somebody's library defines
                link = None
            if not isinstance(link, h5py.HardLink):
                kind = "a link to another file" if isinstance(link, h5py.ExternalLink) else "a link"
                raise BadInputError(f"{path}: '{name}' is {kind}, which is not followed. Write the data itself there.")
            item = group[name]
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                raise BadInputError(f"{path}: the numbers of '{name}' lie in another file. Write them into this one.")
    return list(file)


def _of_h5(path: Path, dataset: Any) -> Numbers:
    if dataset.shape is None or not dataset.shape:
        raise BadInputError(f"{path}: '{dataset.name.strip('/')}' holds a single value, not one per sample.")

    def of(rows: Rows) -> NDArray[Any]:
        if not len(rows):
            return np.empty((0, *dataset.shape[1:]), dataset.dtype)
        first, last = int(rows[0]), int(rows[-1])
        if last - first < 4 * len(rows):  # HDF5 reads a span many times faster than its rows one by one
            return np.asarray(_read(path, dataset, slice(first, last + 1)))[rows - first]
        return np.asarray(_read(path, dataset, rows))

    return Numbers(path, tuple(dataset.shape), dataset.dtype, of)


def _read(path: Path, dataset: Any, where: Any) -> Any:
    try:
        return dataset[where]
    except (OSError, RuntimeError, TypeError) as error:
        raise BadInputError(f"{path}: '{dataset.name.strip('/')}' cannot be read: {_first_line(error)}.") from error


_CONTAINERS: dict[str, Callable[[Path], _Held]] = {
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".h5": _h5,
    ".hdf5": _h5,
}


def _ids_of(path: Path, values: Any) -> tuple[str, ...]:
    """Of an array of texts, bytes (UTF-8) or whole numbers."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise BadInputError(f"{path}: {SAMPLE_ID} has {array.ndim} dimensions. Write one id per sample.")
    if array.dtype.kind in "SO":
        try:
            return _texts([each.decode() if isinstance(each, bytes) else str(each) for each in array.tolist()])
        except UnicodeDecodeError as error:
            raise BadInputError(f"{path}: {SAMPLE_ID} is not UTF-8.") from error
    if array.dtype.kind not in "Uiu":
        raise BadInputError(f"{path}: {SAMPLE_ID} holds {array.dtype}. Write texts or whole numbers.")
    return _texts(array.astype(str))


def _ids(entries: Mapping[str, Path], used: list[Path]) -> tuple[str, ...] | None:
    """Of the folder's file of ids."""
    path = _only(entries, IDS, (".txt", ".csv", ".parquet", ".npy"))
    if path is None:
        return None
    used.append(path)
    if path.suffix == ".npy":
        return _ids_of(path, _npy(path))
    if path.suffix == ".txt":
        return _texts(read_text(path).splitlines())
    table = read_table(path)
    if SAMPLE_ID not in table and len(table.columns) != 1:
        raise BadInputError(f"{path} has no column '{SAMPLE_ID}'; it has {', '.join(map(str, table.columns[:8]))}.")
    return _texts(table[SAMPLE_ID] if SAMPLE_ID in table else table.iloc[:, 0])


# -------------------------------------------------------------------------------------------------------- image files


def _images(folder: Path, known: Sequence[str]) -> Named:
    """Image files of one size, in colour where any of them is."""
    files = [path for path in files_of(folder) if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
    if not files:
        raise BadInputError(f"{folder} has no files. Write an image per sample there, named by its sample_id.")
    side, has_colour = 0, False
    for path in files:
        try:
            with Image.open(path, formats=images.FORMATS) as image:
                has_colour |= image.mode not in _GRAY_MODES and not image.mode.startswith("I;16")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadInputError(f"{path} is no readable image. Leave it out, or write it anew.") from error
        side = side or image.width
        if image.size != (side, side):
            raise BadInputError(
                f"{path} has {image.width} x {image.height} pixels, not {side} x {side}. Image files are square and of "
                "one size; write others as an array."
            )
    channels = 3 if has_colour else 1

    def of(rows: Rows) -> NDArray[np.float32]:
        loaded = [_pixels(files[row], side, channels) for row in rows.tolist()]
        return np.stack(loaded) if loaded else np.empty((0, *shape[1:]), np.float32)

    shape = (len(files), side, side, *([3] if has_colour else []))
    numbers = Numbers(folder, shape, np.dtype(np.float32), of, are_images=True)
    ids, by_stem = set(known), {_without_ending(sample): sample for sample in known}
    named = [plain(path.relative_to(folder).as_posix()) for path in files]
    stems = [_without_ending(name) for name in named]
    samples = [
        name if name in ids else stem if stem in ids else by_stem.get(stem, name)
        for name, stem in zip(named, stems, strict=True)
    ]
    return Named(numbers, tuple(samples))


def _without_ending(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _pixels(path: Path, side: int, channels: int) -> NDArray[np.float32]:
    """(side, side) or (side, side, 3) in [0, 1]."""
    try:
        planes = images.load(path, side, channels)
    except images.UnreadableImageError as error:
        raise BadInputError(f"{path}: {error}.") from error
    return planes[0] if channels == 1 else np.moveaxis(planes, 0, -1)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
