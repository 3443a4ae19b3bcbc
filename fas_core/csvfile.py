"""Tables as CSV for other people's programs: what a spreadsheet would run as a formula is text there too."""

from __future__ import annotations

import re

import pandas as pd

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
