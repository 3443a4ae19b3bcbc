"""Tables of many rows are read and written by a shorter way: what it gives is what the long one gives."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import files
from fas_core.errors import BadInputError
from fas_core.texts import plain, plain_column

_TEXTS = ["a", "b, c", 'd "e"', "f\ng", None, "ä", "", " x", "\r", "é"]
_FLOATS = [1.0, np.nan, 1e-7, np.inf, 0.1, 12345678901234567.0, -0.0, 0.0, 1e16, 5e-324]


@pytest.mark.parametrize("columns", [["t", "x"], ["x", "i"], ["i", "n, o", "x"], ["b", "i"], ["x"], ["s", "x", "i"]])
@pytest.mark.parametrize("n", [0, 1, 2, 6, 10])
def test_what_is_written_is_what_pandas_writes(columns: list[str], n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"t": _TEXTS, "x": _FLOATS, "i": range(-5, 5), "b": [True, False] * 5, "n, o": _TEXTS[::-1]})
    table = table.assign(s="plain", i=table["i"].astype("int64"))[columns].iloc[:n]
    monkeypatch.setattr(files, "_ROWS", 4)
    assert b"".join(files.csv_parts(table)) == table.to_csv(index=False, lineterminator="\n").encode()


@pytest.mark.parametrize(
    ("header", "row", "is_simple"),
    [
        ("path;label;note", "a.png; live ;", True),
        ("# path,label,note", "ä.png,live,1.0", True),
        ("sep=|\npath|label|note", "a.png|live|", True),
        ("# a remark\npath\tlabel\tnote", "a,b.png\tlive\t\t", False),
        ("path,label,note", "a.png,live", False),
        ("path,label,note", '"a.png",live,', False),
        ("path,label,note", "a.png,live,\r", False),
        ("path,label,", "a.png,live,", False),
        ("path,label,note", "  ", False),
    ],
)
def test_what_is_read_is_what_the_long_way_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, row: str, is_simple: bool
) -> None:
    monkeypatch.setattr(files, "_LONG", 0)
    path = tmp_path / "t.csv"
    lines = [header, *([row.replace("\r", "").replace('"', "")] if is_simple else []), row, ""]
    path.write_bytes("\n".join(lines).encode())
    assert (files._simply_separated(path.read_bytes()) is not None) == is_simple

    def read() -> pd.DataFrame | str:
        try:
            return files.read_table(path)
        except BadInputError as error:
            return str(error)

    quick = read()
    monkeypatch.setattr(files, "_LONG", 2**20)
    slow = read()
    if isinstance(slow, pd.DataFrame):
        pd.testing.assert_frame_equal(quick, slow)
    else:
        assert quick == slow


@pytest.mark.parametrize("last", ["\x0bd \x1f", "e\x85", "\u200b ä"])
def test_texts_are_trimmed_alike_whether_or_not_all_are_ascii(last: str) -> None:
    texts = pd.Series([" a", "b\x1c", "\tc\n", "", None, last], index=range(3, 9))
    told = plain_column(texts)
    assert told.tolist() == ["a", "b", "c", "", "", plain(last)]
    assert told.dtype == "str"
    assert told.index.equals(texts.index)
