"""Files whole or not at all, folders, tables (CSV and Parquet) read and written."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from fas_core.errors import BadInputError

# How a formula begins (OWASP, CSV injection), also in full width, and the mark itself so that it can be told.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠']")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(text: str) -> str:
    """The text of a cell or heading, with an apostrophe before it where it begins as a formula does.

    Numbers stay as they are, and so do ids that begin with a letter or digit. A reader that wants the text as it was
    takes one apostrophe away from those that begin with one.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def csv(table: pd.DataFrame) -> bytes:
    """UTF-8 with a header, one line per row, without row numbers; texts are `harmless`."""
    made = table.copy(deep=False)
    for name in table.select_dtypes(exclude=["number", "bool"]):
        made[name] = table[name].map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    return made.rename(columns=lambda name: harmless(str(name))).to_csv(index=False, lineterminator="\n").encode()


def content_hashes(paths: Sequence[Path]) -> Iterator[str]:
    """SHA-256 per file, in order; "missing" for a file that cannot be read."""

    def content_hash(path: Path) -> str:
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError):  # a NUL in a path is a ValueError
            return "missing"

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(content_hash, paths, chunksize=64)


def read_table(path: Path) -> pd.DataFrame:
    """A CSV (every cell as text) or Parquet table; raises BadInputError when there is none or it is not one."""
    if not path.exists() or path.is_dir():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise BadInputError(f"{path} {what}. Give the path of a CSV or Parquet file.")
    try:
        content = path.read_bytes()  # once: it may be a pipe
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(io.BytesIO(content))
            header = list(table.columns)
        else:
            table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig")
            # pandas numbers repeated columns: path, path.1
            first = pd.read_csv(io.BytesIO(content), header=None, nrows=1, dtype=str, encoding="utf-8-sig")
            header = first.iloc[0].tolist()
    except PermissionError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    except (ValueError, OSError) as error:  # pandas and pyarrow raise subclasses of these for broken files
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInputError(f"{path} is not a readable CSV or Parquet table ({first_line}).") from error
    if not isinstance(table.index, pd.RangeIndex) and path.suffix.lower() != ".parquet":
        raise BadInputError(f"{path}: its rows have more cells than its header. Remove the commas at their ends.")
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        raise BadInputError(f"{path}: column '{repeated[0]}' appears twice. Rename or remove one of them.")
    return table.rename(columns=str)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """CSV, or Parquet by the file's ending; complete or not there at all."""
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            table.to_csv(temporary, index=False, lineterminator="\n")


class atomic_file:
    """A temporary file beside `path` that takes its name when the block ends well, and vanishes otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        make_folder(self.path.parent)
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent)
        except OSError as error:
            raise BadInputError(_cannot_write(self.path.parent, error)) from error
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.temporary.chmod(0o644)
                self.temporary.replace(self.path)
        except OSError as error:
            raise BadInputError(_cannot_write(self.path, error)) from error
        finally:
            self.temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """`folder` and its parents; raises BadInputError naming what stands in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(_cannot_write(folder, error)) from error


def require_writable(folder: Path) -> None:
    """Raises BadInputError when no file can be made in `folder`: better before hours of work than after."""
    make_folder(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".tmp"):
            pass
    except OSError as error:
        raise BadInputError(_cannot_write(folder, error)) from error


def _cannot_write(folder: Path, error: OSError) -> str:
    return f"Cannot write to {folder}: {error.strerror or error}. Choose another folder or change its permissions."
