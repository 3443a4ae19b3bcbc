"""What a text in a table is: the same as another that looks like it, one of several spellings, or a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

# Nothing is seen of these: soft hyphen, joiners, marks of direction, zero-width blanks, variation selectors, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f]"
)
_BLANK = re.compile(r"[^\S\t\n\r]")  # no-break, thin, ideographic, ...: all are seen as a blank
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", re.ASCII)
_SEPARATED = re.compile(
    r"(?P<whole>[+-]?[1-9]\d{0,2}(?P<mark>[,. '’])\d{3}((?P=mark)\d{3})*)([.,](?P<rest>\d+))?", re.A
)
_PERCENT = re.compile(r"([+-]?[\d.,]+) ?%", re.ASCII)
_OTHER_MINUS = re.compile(r"[−–‒]\d*\.?\d+", re.ASCII)
_NO_VALUE = re.compile(r"[-–—−?.]+|#?n\.?/?a\.?!?|#div/0!|#value!|nil|missing|unknown|none|null|nan", re.IGNORECASE)


_PART = 65_536  # texts that are objects of Python at a time
_ASCII_BLANKS = "".join(map(chr, (*range(9, 14), *range(28, 33))))  # what `str.strip` takes away


def plain(text: str) -> str:
    """The text that stands for all that look like it: composed (NFC), without invisible characters, trimmed.

    Not NFKC: that would make one of what differs to the eye, such as `m²` and `m2`, or `①` and `1`.
    """
    if not text.isascii():
        text = _BLANK.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
    return text.strip()


def counted(n: int, nouns: str) -> str:
    """As 1 image, 2,000 images: of a plural that ends in s."""
    return f"{n:,} {nouns.removesuffix('s') if n == 1 else nouns}"


def plain_column(values: pd.Series) -> pd.Series:
    """(n,) `plain` of every value as text, "" where there is none; whole numbers stored as floats are 1, not 1.0."""
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna()
        if len(whole) and np.isfinite(whole).all() and (whole == whole.round()).all() and whole.abs().max() < 2**53:
            values = values.astype("Int64")
    as_text = values.astype("str")
    arrow = pa.array(as_text, from_pandas=True)
    if pa.types.is_large_string(arrow.type) and pc.all(pc.string_is_ascii(arrow), min_count=0).as_py():
        trimmed = pc.utf8_trim(arrow, _ASCII_BLANKS).fill_null("")
        if trimmed.equals(arrow):  # one copy of a million texts is enough
            return as_text
        return pd.Series(pd.array(trimmed, dtype="str"), values.index, name=values.name)
    return of_each(as_text, plain)


def are_different(texts: pd.Series) -> bool:
    """Whether it is certain that no two are the same, by hashes of 64 bits: it takes 8 bytes of each."""
    parts = (texts.iloc[start : start + _PART].to_numpy(object) for start in range(0, len(texts), _PART))
    hashes = np.concatenate([np.empty(0, np.uint64), *(pd.util.hash_array(part, categorize=False) for part in parts)])
    hashes.sort()
    return not bool((hashes[1:] == hashes[:-1]).any())


def of_each(values: pd.Series, text: Callable[[str], str]) -> pd.Series:
    """(n,) the text made of each text, once where several are the same; "" where there is none."""
    codes, different = pd.factorize(values)
    texts = pd.array([*map(text, different), ""], dtype="str")  # the last is what code -1 takes
    return pd.Series(texts.take(codes), values.index, name=values.name)


def one_spelling(values: pd.Series) -> tuple[pd.Series, list[str]]:
    """(n,) texts of which no two differ in case only, each in its commonest spelling; and what was made one, in words.

    Among equally common spellings the first in the order of the texts stands.
    """
    counts = values[values != ""].value_counts().to_dict()
    spellings: dict[str, list[str]] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        spellings.setdefault(text.casefold(), []).append(text)
    several = {kept: others for kept, *others in spellings.values() if others}
    kept_of = {other: kept for kept, others in several.items() for other in others}
    notes = [
        f"{', '.join(repr(other) for other in others)} ({sum(counts[o] for o in others)} rows) differ from "
        f"'{kept}' ({counts[kept]}) in case only and are one with it"
        for kept, others in several.items()
    ]
    return (values.map(lambda text: kept_of.get(text, text)).astype("str") if kept_of else values), notes


# ------------------------------------------------------------------------------------------------------------- numbers


def exact_numbers(texts: Sequence[str] | pd.Series) -> NDArray[np.int64] | NDArray[np.float64] | None:
    """(n,) the numbers that texts are, NaN for ""; None where writing the numbers would give another text than one.

    All whole (and none "") or all with a point: 1 beside 1.5 is text, so are 1.10, 007, 1e5, +46 and twenty digits.
    """
    codes, different = pd.factorize(pd.Series(texts, dtype="str"))
    listed = different.to_numpy(object)  # each text once: a column of a million rows is read in a second
    given = [text for text in listed if text]
    if not given:
        return None
    if len(given) == len(listed) and all(map(_is_whole, given)):
        return np.array([int(text) for text in listed], np.int64)[codes]
    if all(map(_is_pointed, given)):
        return np.array([float(text) if text else np.nan for text in listed], np.float64)[codes]
    return None


def distinct_numbers(texts: Iterable[str]) -> NDArray[np.float64] | None:
    """(n,) a number for each of n different texts, no two the same; None where one is no number or does not give it."""
    listed = list(texts)
    if not all(_is_pointed(text) or (_is_whole(text) and int(float(text)) == int(text)) for text in listed):
        return None
    numbers = np.array([float(text) for text in listed], np.float64)
    return numbers if len(np.unique(numbers)) == len(listed) else None


def _is_whole(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text)) and str(int(text)) == text and -(2**63) <= int(text) < 2**63


def _is_pointed(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return bool(np.isfinite(number)) and repr(number) == text


def read_numbers(texts: pd.Series) -> pd.Series:
    """(n,) float64 of texts, NaN where one is empty or no number; decimal commas where they can be nothing else.

    That is: no number of the column has a point, and one of them at least is no group of thousands (0,5 or 1,25).
    """
    has_comma = texts.str.contains(",", regex=False)
    if has_comma.any():
        with_comma = texts[has_comma]
        is_decimal = with_comma.str.fullmatch(_DECIMAL_COMMA).all() and not texts.str.contains(".", regex=False).any()
        if is_decimal and not with_comma.str.fullmatch(_GROUPED).all():
            texts = texts.str.replace(",", ".", regex=False)
    return pd.to_numeric(texts.mask(texts == "", np.nan), errors="coerce").astype("float64")


def unread_numbers(texts: pd.Series, is_unread: pd.Series) -> dict[str, str]:
    """Each different text of the rows that `read_numbers` could not read -> what is the matter, and what to write.

    "" where it is no number in any notation. Rows are counted from 1.
    """
    different = pd.unique(texts[is_unread])
    if not len(different):
        return {}
    is_comma = texts.str.fullmatch(_DECIMAL_COMMA) & ~texts.str.fullmatch(_GROUPED)
    is_point = texts.str.fullmatch(_DECIMAL_POINT)
    mixed = ""
    if is_comma.any() and is_point.any():
        comma, point = (int(mark.to_numpy().argmax()) for mark in (is_comma, is_point))
        mixed = (
            f"decimals have a comma in some rows (first in row {comma + 1}, '{texts.iloc[comma]}') and a point in "
            f"others (first in row {point + 1}, '{texts.iloc[point]}'), so write a point everywhere"
        )
    return {text: mixed if mixed and _DECIMAL_COMMA.fullmatch(text) else _unread_number(text) for text in different}


def _unread_number(text: str) -> str:
    if grouped := _SEPARATED.fullmatch(text):
        number = re.sub(r"[^\d+-]", "", grouped["whole"]) + (f".{grouped['rest']}" if grouped["rest"] else "")
        has_one_comma = re.sub(r"[\d+-]", "", text) == ","
        decimal = f", or {text.replace(',', '.')} if the comma marks decimals" if has_one_comma else ""
        return f"write it without a thousands separator, {number}{decimal}"
    if percent := _PERCENT.fullmatch(text):
        return f"leave out the percent sign in every row, {percent[1]}"
    if _OTHER_MINUS.fullmatch(text):
        return f"its minus is another character, write -{text[1:]}"
    if _NO_VALUE.fullmatch(text):
        return "where there is no value, leave the cell empty"
    return ""
