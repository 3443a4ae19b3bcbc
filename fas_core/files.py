"""Files whole or not at all, folders, tables (CSV and Parquet) read and written.

What is written is for its owner alone (files 0600, folders 0700), or for the group that `FAS_GROUP` names as well.
What is read is a regular file: a pipe may never say anything, and a device never end.
"""

from __future__ import annotations

import codecs
import ctypes
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from csv import Error as CsvError
from csv import reader
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv_of_arrow
import pyarrow.parquet as pq

from fas_core.errors import BadInputError
from fas_core.texts import plain

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_OTHER_FILES = {  # how they begin
    b"PK\x03\x04": ("an Excel workbook or another zip archive", "Save the sheet as CSV (UTF-8)"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the sheet as CSV (UTF-8)"),
    b"\x1f\x8b": ("compressed by gzip", "Unpack it first (gunzip)"),
    **dict.fromkeys(
        (b'{"', b"{\n", b"[{", b"[\n"), ("JSON", "Write a line per row as CSV, the first line naming the columns")
    ),
}
_SEPARATOR_LINE = re.compile(r"[\"']?sep=(.)[\"']?", re.IGNORECASE)

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
    safe = table.copy(deep=False)
    for name in table.select_dtypes(exclude=["number", "bool"]):
        safe[name] = table[name].map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    return safe.rename(columns=lambda name: harmless(str(name))).to_csv(index=False, lineterminator="\n").encode()


def opened_file(path: Path, below: Path | None = None) -> io.BufferedReader:
    """A regular file, open for reading; whoever opens a path that a file or a person has given opens it with this.

    `below`: a folder that the path is in; under it no symbolic link is followed. Raises OSError for all that cannot be
    opened or is no regular file (a pipe, a device, a folder), and never waits: but for object storage, where a path
    that stands for a file there is read (`storage`).
    """
    if below is not None:
        require_unlinked(path, below)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if below is None else os.O_NOFOLLOW)
    if (span := span_in_pack(path)) is not None and not span[0].is_dir():
        return _opened_span(*span, flags)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        from fas_core import storage  # which writes files by this module

        if storage.is_elsewhere(path):
            return storage.opened(path)
        raise
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, "Is a folder", str(path))
    raise OSError(errno.EINVAL, "Is no regular file", str(path))


PACK = ".pack"  # how a file ends that holds many (`data.packs`): a place in it reads as one, <first byte>+<length>.jpg
_SPAN = re.compile(r"([0-9]{1,18})\+([0-9]{1,18})(?:\.[^.]*)?")


def span_in_pack(path: Path | str) -> tuple[Path, int, int] | None:
    """The pack that a path lies in, the first byte and the length there; None where it names none."""
    parent, _, name = str(path).rpartition("/")
    matched = _SPAN.fullmatch(name) if parent.endswith(PACK) else None
    return (Path(parent), int(matched[1]), int(matched[2])) if matched else None


def file_of(path: Path) -> Path:
    """The file that holds what a path names: the path itself, or its pack."""
    span = span_in_pack(path)
    return path if span is None or span[0].is_dir() else span[0]


def _opened_span(pack: Path, first: int, length: int, flags: int) -> io.BufferedReader:
    handle = os.open(pack, flags)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "Is no regular file", str(pack))
        if first + length > about.st_size:
            reason = (
                f"{pack.name} has {about.st_size} bytes and ends before it: cut off, or another file of that name. "
                "Copy it again, or make it again (fas data pack)"
            )
            raise OSError(errno.EINVAL, reason, f"{pack}/{first}+{length}")
        data = os.pread(handle, length, first)
    finally:
        os.close(handle)
    return io.BufferedReader(io.BytesIO(data))


def require_unlinked(path: Path, below: Path) -> None:
    """Raises OSError where a part of the path under the folder is a symbolic link."""
    part, end = str(path), str(below)  # as texts: files of thousands of shards are opened one after another
    while part != end:
        if os.path.islink(part):  # noqa: PTH114
            raise OSError(errno.ELOOP, "Is a symbolic link, which is not followed here", part)
        part, inner = os.path.dirname(part) or ".", part  # noqa: PTH120
        if part == inner:
            raise ValueError(f"{path} is not below {below}")


def joined(folder: Path | str, name: str) -> str:
    """`folder / name` as text, as it is: of a million names that is ten times as fast."""
    return name if name.startswith("/") else f"{folder}/{name}"


MISSING = "missing"  # in place of the hash of a file that cannot be read


CONTENT_BYTES = 8  # of a hash that stands for an image


def file_sha256(path: Path) -> str:
    """Of all bytes of a regular file, 64 hexadecimal digits. Raises OSError."""
    with opened_file(path) as file:
        first = file.read(_SMALL)
        if len(first) < _SMALL:
            return hashlib.sha256(first).hexdigest()
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


_SMALL = 2**18  # bytes: `hashlib.file_digest` takes and clears as many for a file of any size


def read_table(path: Path) -> pd.DataFrame:
    """A CSV (every cell as text) or Parquet table, headings `plain`; columns without heading and content are left out.

    Of a CSV the separator (comma, semicolon, tab) is that of its first line; `sep=` and `#` lines before that are
    skipped. Of a Parquet file an index that says something is a column. Raises BadInputError when there is no table,
    naming the row where cells are missing or too many, or a quote is not closed, and a column of bytes or lists.
    """
    return table_of(path, table_bytes(path))


def table_of(path: Path, content: bytes) -> pd.DataFrame:
    """As `read_table`, of the `table_bytes` of a file."""
    try:
        is_parquet = path.suffix.lower() == ".parquet" or content.startswith(b"PAR1")
        if is_parquet:
            table = _parquet(path, content)
        else:
            quick = _simply_separated(content)
            table = _separated(path, _decoded(path, content)) if quick is None else quick
    except BadInputError:
        raise
    except (ValueError, OSError) as error:  # pandas and pyarrow raise subclasses of these for broken files
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInputError(f"{path} is not a readable CSV or Parquet table ({first_line}).") from error
    repeated = [name for name, times in Counter(table.columns).items() if times > 1]
    if repeated:
        raise BadInputError(f"{path}: column '{repeated[0]}' appears twice. Rename or remove one of them.")
    return table


def read_text(path: Path) -> str:
    """The text of a file, UTF-8 or marked UTF-16; raises BadInputError as `read_table` does where it is none."""
    return _decoded(path, table_bytes(path))


def table_bytes(path: Path) -> bytes:
    """All bytes of a table's file. Raises BadInputError where there is none, or it cannot be read."""
    from fas_core import storage  # which writes files by this module

    if path.is_dir() or not (path.exists() or storage.is_there(path)):
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise BadInputError(f"{storage.shown(path)} {what}. Give the path of a CSV or Parquet file.")
    try:
        if _is_of_shell(path):
            return path.read_bytes()
        with opened_file(path) as file:
            return file.read()
    except OSError as error:
        remedy = "Give the path of a CSV or Parquet file" if error.errno == errno.EINVAL else "Check its permissions"
        raise BadInputError(f"{path} cannot be read: {error.strerror}. {remedy}.") from error


def _is_of_shell(path: Path) -> bool:
    """Whether it is what the shell hands over, as in <(zcat scores.csv.gz): somebody writes there, and ends."""
    return path == Path("/dev/stdin") or path.parent in (Path("/dev/fd"), Path("/proc/self/fd"))


def _decoded(path: Path, content: bytes) -> str:
    for begins, (what, remedy) in _OTHER_FILES.items():
        if content.startswith(begins):
            raise BadInputError(f"{path} is {what}, not a CSV or Parquet table. {remedy}.")
    try:
        is_utf16 = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        text = content.decode("utf-16" if is_utf16 else "utf-8").lstrip("\ufeff")
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise BadInputError(
                f"{path} is not a readable CSV table: line {line} has a NUL character, as in UTF-16 or UTF-32 without "
                "their mark, or in files that are no text. Save it as UTF-8."
            )
        return text
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInputError(
            f"{path} is not a readable CSV table: line {line} is not UTF-8. Save it as UTF-8."
        ) from error


def _simply_separated(content: bytes) -> pd.DataFrame | None:
    """What `_separated` says of a long table that has nothing to be told of; None of all others.

    That is: no quotes, lines that end in a newline, the same number of cells in each, and a name for every column.
    """
    head = content[: content.rfind(b"\n", 0, _HEAD) + 1]
    if len(content) < _LONG or b"\0" in head or any(mark in content for mark in (b'"', b"\r", b"\0")):
        return None
    try:
        text, separator, _ = _without_first_lines(head.decode())
        names = [plain(name) for name in text.partition("\n")[0].split(separator)]
        if len(names) < 2 or not all(names) or not separator.isascii() or text.startswith("\ufeff"):
            return None
        first = len(head) - len(text.encode()) + len(text.partition("\n")[0].encode()) + 1
        columns = [str(number) for number in range(len(names))]
        table = csv_of_arrow.read_csv(
            pa.BufferReader(pa.py_buffer(memoryview(content)[first:])),
            csv_of_arrow.ReadOptions(column_names=columns),
            csv_of_arrow.ParseOptions(delimiter=separator, quote_char=False, double_quote=False),
            csv_of_arrow.ConvertOptions(column_types=dict.fromkeys(columns, pa.large_string()), null_values=[]),
        )
    except ValueError:  # not UTF-8, or another number of cells: said by whoever looks closer
        return None
    read = {}
    for number in columns:  # each made one, and its parts given back before the next
        read[number] = table[number].combine_chunks().to_pandas()
        table = table.drop_columns(number)
    pa.default_memory_pool().release_unused()  # half as much again, which nothing else would take
    return pd.DataFrame(read).set_axis(names, axis=1)


_HEAD, _LONG = 2**16, 2**20  # bytes: in which the header is looked for; of a table that is worth it


def _separated(path: Path, text: str) -> pd.DataFrame:
    text, separator, n_skipped = _without_first_lines(text)
    encoded = text.encode()  # `io.StringIO` would take four bytes a character
    rows = reader(io.TextIOWrapper(io.BytesIO(encoded), "utf-8", newline=""), delimiter=separator, strict=True)
    begins = 0
    try:
        header = [plain(name) for name in next(rows, [])]
        if not any(header):
            raise BadInputError(f"{path} is empty. The first line of a table names its columns.")
        if len(header) == 1 and "|" in header[0]:
            raise BadInputError(
                f"{path}: the header is one cell, '{shortened(header[0])}'. Separate cells by commas or tabs, "
                "or write the line sep=| above the header."
            )
        for line in _whole_rows(path, rows, header, separator, n_skipped):
            begins = line
    except CsvError as error:
        raise BadInputError(
            f"{path}: a quote is not closed in the row that begins in line {begins + 1 + n_skipped} ({error} in line "
            f"{rows.line_num + n_skipped}). A cell that begins with a quote ends with one, and has those within twice: "
            '"24"" screen".'
        ) from error
    width = len(header)
    table = pd.read_csv(
        io.BytesIO(encoded),
        sep=separator,
        dtype=str,
        keep_default_na=False,
        header=0,
        names=range(width),
        index_col=False,
        skip_blank_lines=True,
    )
    empty = [column for column in range(width) if not header[column] and (table[column].str.strip() == "").all()]
    table = table.drop(columns=empty)
    return table.set_axis([header[column] or f"Unnamed: {column}" for column in table.columns], axis=1)


def _without_first_lines(text: str) -> tuple[str, str, int]:
    """The text from its header on, its separator, and how many lines stood before it.

    A `#` line with as many cells as the line below it is the header, behind a mark.
    """
    n_skipped, separator = 0, ""
    while text:
        line, _, rest = text.partition("\n")
        following = rest.partition("\n")[0]
        said = _SEPARATOR_LINE.fullmatch(line.strip())
        split_by = separator or _separator(line)
        n_marks = line.count(split_by)
        if said:
            separator = said[1]
        elif line.startswith("#") and n_marks and n_marks == following.count(split_by):
            return text[1:], split_by, n_skipped
        elif line.strip() and not line.startswith("#"):
            return text, split_by, n_skipped
        text, n_skipped = rest, n_skipped + 1
    return text, ",", n_skipped


def _separator(header: str) -> str:
    """The one that the line has most of; the comma among equals."""
    return max(SEPARATORS, key=header.count)


def _whole_rows(path: Path, rows: Any, header: list[str], separator: str, skipped: int) -> Iterator[int]:
    """The number of each row's last line, from a `csv.reader` that has given the header.

    Raises BadInputError for a row with fewer or more cells than the header, or with other rows in a cell.
    """
    width, number = len(header), 0
    yield rows.line_num
    for cells in rows:
        if not cells or (len(cells) == 1 and not cells[0].strip()):  # pandas skips blank lines, too
            continue
        number += 1
        line = rows.line_num + skipped
        if len(cells) != width:
            few = len(cells) < width
            title = f" Is '{header[0]}' a title above the header? Remove it." if width == 1 and not few else ""
            named = f" ({shortened(cells[0])})" if cells[0] else ""
            raise BadInputError(
                f"{path}, row {number}, line {line}{named}: {len(cells)} cells, but the header has {width}, separated "
                f"by {SEPARATORS[separator] if separator in SEPARATORS else repr(separator)}.{title} "
                + (f"Write all {width}, also empty ones." if few else "Put a cell that holds the separator in quotes.")
            )
        for cell in cells:
            # A cell that has swallowed rows has their separators: as many as a whole row, for every line.
            if "\n" in cell and width > 1 and cell.count(separator) >= cell.count("\n") * (width - 1):
                raise BadInputError(
                    f"{path}, row {number}: the cell that begins with '{shortened(cell)}' goes on to line {line} and "
                    "holds whole rows: its quote is not closed. Close it, or write a quote within a cell twice and "
                    'the cell in quotes ("24"" screen").'
                )
        yield rows.line_num


def shortened(text: str, length: int = 30) -> str:
    """The first line of a text, at most so many characters, for a message."""
    first = text.strip().partition("\n")[0].rstrip("\r")
    return first if len(first) <= length else f"{first[: length - 3]}..."


def _parquet(path: Path, content: bytes) -> pd.DataFrame:
    stored = pq.read_table(io.BytesIO(content))
    table: pd.DataFrame = stored.to_pandas()
    for name, column in zip(stored.column_names, stored.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
            raise BadInputError(
                f"{path}: column '{name}' holds bytes, not text. Write the table without it, or as text."
            )
        if pa.types.is_nested(kind):
            raise BadInputError(
                f"{path}: column '{name}' holds {kind} in a cell. Write the table without it, or as text."
            )
        if pa.types.is_integer(kind) and column.null_count and name in table and not _fits_float(column):
            table[name] = pd.array(column.to_pylist(), dtype="Int64")  # floats would lose digits
    has_index = not isinstance(table.index, pd.RangeIndex) and (
        any(name is not None for name in table.index.names) or not pd.api.types.is_integer_dtype(table.index.dtype)
    )
    if has_index:  # row numbers that a filter has left say nothing; a name, or texts, do
        index = table.index.to_frame(index=False)
        index.columns = [name if name is not None else "index" for name in table.index.names]
        table = pd.concat([index, table.reset_index(drop=True)], axis=1)
    table = table.reset_index(drop=True)
    return table.set_axis([plain(str(name)) for name in table.columns], axis=1)


def _fits_float(column: pa.ChunkedArray) -> bool:
    return all(abs(number) <= 2**53 for number in column.to_pylist() if number is not None)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """CSV, or Parquet by the file's ending; complete or not there at all."""
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            with temporary.open("wb") as file:
                file.writelines(csv_parts(table))


def csv_parts(table: pd.DataFrame) -> Iterator[bytes]:
    """What `DataFrame.to_csv` writes of a table, without row numbers, in parts: sooner, and without room for it all."""
    yield table.iloc[:0].to_csv(index=False, lineterminator="\n").encode()
    for start in range(0, len(table), _ROWS):
        part = table.iloc[start : start + _ROWS]
        lines = _simple_lines(part)
        yield part.to_csv(index=False, header=False, lineterminator="\n").encode() if lines is None else lines


_ROWS = 65_536


def _simple_lines(table: pd.DataFrame) -> bytes | None:
    """The lines of texts that need no quotes, whole numbers and floats; None of all others."""
    columns = [_simple_texts(table.iloc[:, position]) for position in range(table.shape[1])]
    texts = [column for column in columns if column is not None]
    if len(texts) < max(2, len(columns)):
        return None
    comma, end, nothing = (pa.scalar(text, pa.large_string()) for text in (",", "\n", ""))
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*texts, comma), end, nothing)
    _, ends, data = lines.buffers()
    return data[: int.from_bytes(ends[8 * len(lines) : 8 * len(lines) + 8], sys.byteorder)].to_pybytes()


def _simple_texts(values: pd.Series) -> pa.Array | None:
    """(n,) texts of one column as they stand in a CSV; None where one needs quotes, or what it writes is not known."""
    if isinstance(values.dtype, pd.StringDtype):
        arrow = pa.array(values, from_pandas=True)
        whole = arrow.combine_chunks() if isinstance(arrow, pa.ChunkedArray) else arrow
        texts = pc.cast(whole, pa.large_string())
        needs_quotes = pc.any(pc.match_substring_regex(texts, '[",\\r\\n]')).as_py()
        return None if needs_quotes else texts.fill_null("")
    if values.dtype == "int64":
        return pc.cast(pa.array(values.to_numpy()), pa.large_string())
    if values.dtype == "float64":
        numbers = values.to_numpy()
        codes, different = pd.factorize(numbers)
        if np.signbit(numbers[numbers == 0]).any():  # -0.0, which is the same number as 0.0
            return None
        texts = pa.array([*map(repr, different.tolist()), ""], pa.large_string())  # the last is of what is no number
        return texts.take(pa.array(np.where(codes < 0, len(different), codes)))
    return None


class end_of:
    """The end of a file that only grows, held while the block runs: nobody else writes there meanwhile.

    `below`: see `opened_file`. Raises OSError where the file cannot be written.
    """

    def __init__(self, path: Path, below: Path | None = None) -> None:
        self.path, self.below = path, below

    def __enter__(self) -> end_of:
        import fcntl  # POSIX has it; what was written can be read without

        make_folder(self.path.parent)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
        if self.below is not None:
            require_unlinked(self.path, self.below)
            flags |= os.O_NOFOLLOW
        while True:
            is_new = not self.path.exists()
            self.handle = os.open(self.path, flags, 0o600)
            if not stat.S_ISREG(os.fstat(self.handle).st_mode):
                os.close(self.handle)
                raise OSError(errno.EINVAL, "Is no regular file", str(self.path))
            if is_new:
                make_private(self.path)
            fcntl.flock(self.handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(self.path.stat(), os.fstat(self.handle)):
                    return self
            os.close(self.handle)  # another file has taken its place while this one was waited for

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)  # which unlocks

    def text(self) -> str:
        """All of the file as it is now."""
        return self.path.read_text(encoding="utf-8", errors="replace")

    def write_line(self, line: str) -> None:
        """Adds a line and returns when the disk has it."""
        size = os.fstat(self.handle).st_size
        # A writer that was killed in the middle leaves half a line, which must not swallow this one.
        starts = "" if size == 0 or os.pread(self.handle, 1, size - 1) == b"\n" else "\n"
        data = f"{starts}{line}\n".encode()
        while data:
            data = data[os.write(self.handle, data) :]
        os.fsync(self.handle)


class atomic_file:
    """A temporary file beside `path` that takes its name when the block ends well, and vanishes otherwise.

    `below`: see `opened_file`. Raises BadInputError where nothing can be written.
    """

    def __init__(self, path: Path, below: Path | None = None) -> None:
        self.path, self.below = path, below

    def __enter__(self) -> Path:
        make_folder(self.path.parent)
        try:
            if self.below is not None:
                require_unlinked(self.path.parent, self.below)
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent)
        except OSError as error:
            raise BadInputError(cannot_write(self.path.parent, error)) from error
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, _: object) -> None:
        try:
            if kind is None:
                make_private(self.temporary)
                self.temporary.replace(self.path)
            elif is_about_space(raised):
                raise BadInputError(cannot_write(self.path, raised)) from raised
        except OSError as error:
            raise BadInputError(cannot_write(self.path, error)) from error
        finally:
            self.temporary.unlink(missing_ok=True)


def write_secret(content: bytes, path: Path, where_there_is_one: str) -> None:
    """A file for its owner alone, whole or not at all, which never takes the place of another.

    `where_there_is_one`: what to do then, in words. Raises BadInputError, and where nothing can be written.
    """
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)  # 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.link(name, path)
        finally:
            Path(name).unlink()
    except FileExistsError:
        raise BadInputError(f"{path} is there already. {where_there_is_one}") from None
    except OSError as error:
        raise BadInputError(cannot_write(path, error)) from error


class new_folder:
    """A folder beside `path` that takes its name when the block ends well, and vanishes otherwise.

    Raises BadInputError where there is something at `path`, an empty folder apart.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        try:
            is_free = not self.path.exists() or (self.path.is_dir() and next(self.path.iterdir(), None) is None)
        except OSError as error:
            raise BadInputError(cannot_write(self.path, error)) from error
        if not is_free:
            what = "is not empty" if self.path.is_dir() else "is a file"
            raise BadInputError(f"{self.path} {what}. Choose a folder that is not there yet.")
        whole = self.path.resolve()
        make_folder(whole.parent)
        try:
            self.temporary = Path(tempfile.mkdtemp(prefix=f".{whole.name}.", suffix=".tmp", dir=whole.parent))
        except OSError as error:
            raise BadInputError(cannot_write(whole.parent, error)) from error
        return self.temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                make_private(self.temporary)
                self.temporary.replace(self.path.resolve())
        except OSError as error:
            raise BadInputError(cannot_write(self.path, error)) from error
        finally:
            shutil.rmtree(self.temporary, ignore_errors=True)


def exchange(new: Path, old: Path) -> None:
    """Each of two folders beside each other takes the other's name, at one moment.

    Where the system or its disk cannot do that, `old` is away for a moment, and after a kill within it stays under the
    name of `_away`: see `settle`.
    """
    name, swap, at = _EXCHANGE.get(sys.platform, ("", 0, 0))
    if function := getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None:
        if function(at, os.fsencode(new), at, os.fsencode(old), swap) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(number, os.strerror(number), str(old))
    old.rename(_away(old))
    new.rename(old)
    _away(old).rename(new)


def settle(old: Path) -> None:
    """Brings back what an `exchange` that was killed has left away."""
    if _away(old).exists() and not old.exists():
        _away(old).rename(old)


def _away(path: Path) -> Path:
    return path.with_name(f".away-{path.name}")


_EXCHANGE = {  # platform -> function, its flag, and the folder that paths are relative to
    "linux": ("renameat2", 2, -100),
    "darwin": ("renameatx_np", 2, -2),
}


def make_folder(folder: Path) -> None:
    """`folder` and its parents; raises BadInputError naming what stands in the way."""
    try:
        for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
            with suppress(FileExistsError):  # somebody else made it meanwhile, or something stands in the way
                missing.mkdir()
                make_private(missing)
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise BadInputError(cannot_write(folder, error)) from error


GROUP = "FAS_GROUP"  # names the group that may read and write, too


def be_private() -> None:
    """From here on this process, and those that it starts, write files for their owner (and `FAS_GROUP`) alone."""
    os.umask(0o077 if _group() is None else 0o007)


def make_private(path: Path) -> None:
    """Leaves a file or folder that this process has made to its owner, and to `FAS_GROUP` where it is set."""
    group, is_folder = _group(), path.is_dir()
    if group is not None:
        os.chown(path, -1, group)
    path.chmod((0o700 if is_folder else 0o600) if group is None else (0o2770 if is_folder else 0o660))


def _group() -> int | None:
    name = os.environ.get(GROUP)
    return _group_id(name) if name else None


@lru_cache
def _group_id(name: str) -> int:
    import grp  # POSIX has it

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise BadInputError(f"{GROUP} names no group of this machine, '{name}'. Name one that you are in.") from None


def is_about_space(error: BaseException | None) -> bool:
    """Whether writing has failed for want of room, whatever library has said so."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NO_ROOM
    return error is not None and any(os.strerror(number) in str(error) for number in _NO_ROOM)


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def require_writable(folder: Path) -> None:
    """Raises BadInputError when no file can be made in `folder`: better before hours of work than after."""
    make_folder(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".tmp"):
            pass
    except OSError as error:
        raise BadInputError(cannot_write(folder, error)) from error


def cannot_write(folder: Path, error: BaseException | None) -> str:
    """Where writing has failed, why, and what helps."""
    said = getattr(error, "strerror", None) or error
    remedy = "Free space" if is_about_space(error) else "Change its permissions"
    return f"Cannot write to {folder}: {said}. {remedy} or choose another folder."
