"""Exported tables: nothing in them is a formula to a spreadsheet, and ids and numbers stay what they are."""

import io

import pandas as pd
import pytest

from fas_core import files


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1", "-", "'=1"])
def test_what_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert files.harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "s03_p1_f002", "a=b", "1-2", "-4", "+3.5e-2", "-.5", " =1", "ä"])
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert files.harmless(text) == text


def test_a_table_keeps_its_numbers_and_gaps_and_its_texts_can_be_had_back() -> None:
    texts = ["=HYPERLINK(1)", "plain", "'quoted", 'a "b", c', None]
    table = pd.DataFrame({"sample_id": texts, "score": [-1.5, 2.0, float("nan"), 0.0, -0.0], "=head": texts})
    before = table.copy()
    found = files.csv(table)
    assert b"\n=" not in found
    assert b",=" not in found
    back = pd.read_csv(io.BytesIO(found), keep_default_na=False)
    assert list(back) == ["sample_id", "score", "'=head"]
    assert [text[1:] if text.startswith("'") else text for text in back["sample_id"]] == [*texts[:4], ""]
    assert back["score"].astype(str).tolist() == ["-1.5", "2.0", "", "0.0", "-0.0"]
    pd.testing.assert_frame_equal(table, before)
