"""Tables of pages: what is saved of them is what they show, and no formula."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import app
from app.session import saved, tables

APP = Path(app.__file__).parent
WRITERS = {"dataframe", "data_editor"}


def test_no_page_shows_a_table_without_a_safe_way_to_save_it() -> None:
    """Streamlit's own export writes cells as they are; it is off, and `show_rows` has another."""
    unsafe = [
        f"{path.relative_to(APP)}:{node.lineno}"
        for path in APP.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in WRITERS and path.name != "tables.py"
    ]
    assert unsafe == []


def test_a_saved_table_has_the_columns_and_headings_that_are_shown() -> None:
    rows = pd.DataFrame({"=cmd": ["-1+2", "x"], "hidden": [1, 2], "auc": [0.5, 0.25]})
    config = {"hidden": None, "auc": st.column_config.NumberColumn("AUC", format="%.1f")}
    shown = tables.as_shown(rows, config)
    assert list(shown) == ["=cmd", "AUC"]
    assert shown["AUC"].tolist() == [0.5, 0.25], "every digit"


def test_whole_numbers_have_their_thousands_apart_and_what_is_missing_is_no_word() -> None:
    def page() -> None:
        import pandas as pd
        import streamlit as st

        from app.session import tables

        rows = pd.DataFrame({"n": [12_345], "epoch": [None], "rate": [0.5], "k": [3]})
        tables.show_rows(rows, "counts", column_config={"k": st.column_config.NumberColumn("K", format="%d")})

    shown = AppTest.from_function(page).run().dataframe[0].proto
    columns = json.loads(shown.columns)
    assert columns["n"]["type_config"]["format"] == "localized"
    assert columns["k"]["type_config"]["format"] == "%d"
    assert "rate" not in columns
    assert shown.placeholder == "–"


def test_the_button_makes_a_file_without_formulas_named_after_run_and_subsets() -> None:
    def page() -> None:
        import pandas as pd
        import streamlit as st

        from app.session import saved, tables

        st.session_state.update(run="m (abc123)", subsets=["live"], _default_subsets=["train", "live"])
        saved.shown_beside(["=other (def456)"])
        tables.show_rows(pd.DataFrame({"id": ["=1+1", "a,b"], "score": [-0.5, 2.0]}), "scores")

    at = AppTest.from_function(page).run()
    assert not at.exception
    [button] = at.get("download_button")
    assert at.dataframe[0].value["id"].tolist() == ["=1+1", "a,b"]
    assert button.key == "csv_scores"
    from fas_core import files

    assert files.csv(tables.as_shown(at.dataframe[0].value, {})) == b'id,score\n\'=1+1,-0.5\n"a,b",2.0\n'


@pytest.mark.parametrize(
    ("subsets", "named"),
    [
        (["train", "live", "a", "b", "c"], "m-abc123-all-subsets"),
        (["live", "a"], "m-abc123-live+a"),
        (["train", "live", "a", "b"], "m-abc123-4-subsets"),
    ],
)
def test_a_name_says_run_and_subsets(subsets: list[str], named: str) -> None:
    known = ["train", "live", "a", "b", "c"]
    assert saved.stem(["m (abc123)"], subsets, known) == named
    assert saved.stem(["m (abc123)", "n (def456)"], subsets, known) == named.replace("abc123", "abc123+n-def456")
