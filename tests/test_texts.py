"""Which texts are the same, and which are numbers."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fas_core.cli import printing
from fas_core.texts import (
    are_different,
    counted,
    distinct_numbers,
    exact_numbers,
    of_each,
    one_spelling,
    plain,
    plain_column,
    read_numbers,
    unread_numbers,
)


def test_texts_that_are_as_they_should_be_are_not_copied() -> None:
    texts = pd.Series(["a", "ab", ""], dtype="str", index=[3, 1, 2], name="of")
    same = plain_column(texts)
    assert same.equals(texts)
    a, b = (np.frombuffer(pa.array(each).buffers()[2], np.uint8) for each in (same, texts))
    assert np.shares_memory(a, b)
    assert plain_column(pd.Series(["a", None, " b"], dtype="str")).tolist() == ["a", "", "b"]


def test_of_many_texts_it_is_told_whether_two_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fas_core.texts._PART", 2)
    for texts, expected in (("", True), ("a", True), ("abcde", True), ("abcda", False), ("aabcd", False)):
        assert are_different(pd.Series([*texts], dtype="str")) is expected, texts


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Ame\u0301lie", "Am\u00e9lie"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("p\u200b01\ufeff", "p01"),
        ("\u202ap01\u202c \u00ad", "p01"),
        ("print\u00a0A4\u3000", "print A4"),
        ("\tp01\r\n", "p01"),
    ],
)
def test_what_looks_the_same_is_the_same(text: str, same: str) -> None:
    assert plain(text) == plain(same) == same


@pytest.mark.parametrize(("text", "other"), [("m²", "m2"), ("①", "1"), ("ﬁ", "fi"), ("Ａ1", "A1"), ("é", "e")])
def test_what_looks_different_is_different(text: str, other: str) -> None:
    assert plain(text) != plain(other)


def test_whole_floats_are_whole_numbers_in_text() -> None:
    assert plain_column(pd.Series([1.0, np.nan, 12.0])).tolist() == ["1", "", "12"]
    assert plain_column(pd.Series([1.0, 2.5])).tolist() == ["1.0", "2.5"]


def test_one_spelling_is_the_commonest_and_said() -> None:
    spelt, (note,) = one_spelling(pd.Series(["Mask", "mask", "", "mask", "MASK", "STRASSE"]))
    assert spelt.tolist() == ["mask", "mask", "", "mask", "mask", "STRASSE"]
    assert note == "'MASK', 'Mask' (2 rows) differ from 'mask' (2) in case only and are one with it"


@pytest.mark.parametrize("text", ["1.10", "007", "1e5", "+46", "1_000", " 1", "", "nan", "inf", "-0", "9" * 20, "१"])
def test_a_text_that_its_number_does_not_give_again_is_none(text: str) -> None:
    assert exact_numbers([text]) is None
    assert exact_numbers(["2.5", text]) is None or not text  # nothing beside numbers is a gap
    assert distinct_numbers(["3", text]) is None


def test_texts_that_numbers_give_again_are_numbers() -> None:
    np.testing.assert_array_equal(exact_numbers(["3", "-4", str(2**63 - 1)]), np.array([3, -4, 2**63 - 1], np.int64))
    np.testing.assert_array_equal(exact_numbers(["0.5", "", "-1.0"]), [0.5, np.nan, -1.0])
    assert exact_numbers(["3", ""]) is None  # would be written 3.0
    assert exact_numbers(["1", "1.5"]) is None
    np.testing.assert_array_equal(distinct_numbers(["1", "1.5"]), [1, 1.5])
    assert distinct_numbers(["1", "1.0"]) is None
    assert distinct_numbers([str(2**60), str(2**60 + 1)]) is None


def test_decimal_commas_are_read_where_they_can_be_nothing_else() -> None:
    assert read_numbers(pd.Series(["0,125", "-3,5e-1", "2"])).tolist() == [0.125, -0.35, 2]
    for ambiguous in (["1,234", "2,500"], ["1,5", "2.5"], ["1,234,567"]):
        assert read_numbers(pd.Series(ambiguous)).isna().any()


EMPTY = "where there is no value, leave the cell empty"
MIXED = (
    "decimals have a comma in some rows (first in row 4, '3,5') and a point in others (first in row 2, '0.25'), so "
    "write a point everywhere"
)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (
            ["7", "0.25", "", "3,5", "4,25", "9.5"],
            dict.fromkeys(("3,5", "4,25"), MIXED),
        ),
        (["12,500", "3,000"], {
            "12,500": "write it without a thousands separator, 12500, or 12.500 if the comma marks decimals",
            "3,000": "write it without a thousands separator, 3000, or 3.000 if the comma marks decimals",
        }),
        (["1,234,567.5", "2"], {"1,234,567.5": "write it without a thousands separator, 1234567.5"}),
        (["-1.234,5", "2"], {"-1.234,5": "write it without a thousands separator, -1234.5"}),
        (["1 234", "9"], {"1 234": "write it without a thousands separator, 1234"}),
        (["12 %", "0.3"], {"12 %": "leave out the percent sign in every row, 12"}),
        (["−0.5", "0.3"], {"−0.5": "its minus is another character, write -0.5"}),
        (["-", "0.3", "n.a.", "#N/A"], dict.fromkeys(("-", "n.a.", "#N/A"), EMPTY)),
        (["high", "0.3"], {"high": ""}),
        (["0.1", "2", ""], {}),
    ],
)  # fmt: skip
def test_what_to_write_instead_of_a_number_that_is_not_read(texts: list[str], why: dict[str, str]) -> None:
    column = pd.Series(texts, dtype="str")
    assert unread_numbers(column, read_numbers(column).isna() & (column != "")) == why


def test_one_of_them_is_no_plural_and_small_files_are_told_in_kilobytes() -> None:
    assert [counted(n, "videos") for n in (0, 1, 2_000)] == ["0 videos", "1 video", "2,000 videos"]
    sizes = [printing.file_size(n) for n in (3, 46_496, 999_499, 999_500, 2_345_678_901)]
    assert sizes == ["1 kB", "46 kB", "999 kB", "1.0 MB", "2,345.7 MB"]


def test_a_text_that_stands_in_many_rows_is_looked_at_once() -> None:
    asked: list[str] = []

    def shouted(text: str) -> str:
        asked.append(text)
        return text.upper()

    values = pd.Series(["a", "b", None, "a", ""], index=[9, 8, 7, 6, 5], name="column", dtype="str")
    texts = of_each(values, shouted)
    assert (texts.tolist(), texts.index.tolist(), texts.name) == (["A", "B", "", "A", ""], [9, 8, 7, 6, 5], "column")
    assert (texts.dtype, sorted(asked)) == (values.dtype, ["", "a", "b"])
