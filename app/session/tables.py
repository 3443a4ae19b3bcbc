"""Tables of a page, each with a button that saves it: what `st.dataframe` exports itself is switched off.

Streamlit would hand a spreadsheet texts of the data as formulas; `client.disableDataExport` keeps it from that.
"""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import streamlit as st
from streamlit.typing import DataframeState

from app.components.saving import CSV, TABLE
from app.session import identity, saved
from fas_core import files


def show_rows(rows: pd.DataFrame, name: str, **how: Any) -> DataframeState:
    """`st.dataframe` of rows without their numbers. `name`: of its file; it differs for every table of a page.

    What is missing is "–"; whole numbers have their thousands apart, unless the column is configured.

    The file has the columns that are shown under the headings that are shown, every digit of a number, and no cell that
    a spreadsheet takes for a formula.
    """
    columns = how.get("column_config", {})
    whole = [column for column in rows.columns if pd.api.types.is_integer_dtype(rows[column]) and column not in columns]
    how["column_config"] = columns | {column: st.column_config.NumberColumn(format="localized") for column in whole}
    with st.container(key=f"{TABLE}{name}", gap=None):
        state = st.dataframe(rows, hide_index=True, placeholder="–", **how)
        st.download_button(
            f"Save {name} as CSV",
            identity.exported(lambda: files.csv(as_shown(rows, columns)), f"table {name}", None),
            saved.file_name(name, "csv"),
            "text/csv",
            key=f"{CSV}{name}",
            on_click="ignore",
        )
    return cast("DataframeState", state)


def as_shown(rows: pd.DataFrame, columns: dict[Any, Any]) -> pd.DataFrame:
    """Without the columns that `st.column_config` hides, with the headings that it gives."""
    labels = {name: column["label"] for name, column in columns.items() if isinstance(column, dict) and column["label"]}
    return rows.drop(columns=[name for name in rows if columns.get(name, "") is None]).rename(columns=labels)
