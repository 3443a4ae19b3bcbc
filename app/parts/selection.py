"""The points of a page's plots: which samples they stand for, what of them is selected, and selections with names."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.components import scatter as plot
from app.components.gallery import Card
from app.components.scatter import Answer, Selection
from app.parts import columns
from app.session import faces, identity
from app.session.cache import keyed
from app.words import escaped
from fas_core import files
from fas_core.access.roles import Right
from fas_core.data.names import in_group_order, readable
from fas_core.errors import BadInputError
from fas_core.reports.palette import style_of
from fas_core.runs import selections
from fas_core.runs.store import Run


@keyed
@dataclass(frozen=True, eq=False)
class Points:
    """n points, each of which stands for a sample of a Run. Those of the chosen subsets are drawn.

    What the session keeps of them, and the keys of what shows them, begin with `page`.
    """

    page: str
    name: str  # stands for the rows: what is selected in others is not selected here
    run: Run  # says what the samples are
    rows: NDArray[np.int64] | None  # (n,) of the Run; None: all of them
    subsets: tuple[str, ...]

    @property
    def digest(self) -> str:
        return repr((self.page, self.name, self.run.digest, self.subsets))

    def __len__(self) -> int:
        return len(self.run) if self.rows is None else len(self.rows)

    # ------------------------------------------------------------------------------------------------- what they are

    def of_each(self, values: NDArray[Any]) -> NDArray[Any]:
        """(rows of the Run, ...) -> (n, ...)"""
        return values if self.rows is None else values[self.rows]

    def rows_of(self, points: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the Run of some points, in their order."""
        return points if self.rows is None else self.rows[points]

    @property
    def is_shown(self) -> NDArray[np.bool_] | None:
        """(n,) whether a point is of the chosen subsets; None: all are."""
        is_shown = columns.shown_rows(self.run, self.subsets)
        return None if is_shown is None else self.of_each(is_shown)

    @property
    def groups(self) -> tuple[NDArray[np.unsignedinteger[Any]], list[str]]:
        """(n,) the group of every point, as positions in names."""
        codes, names = columns.kinds_of(self.run)
        return self.of_each(codes), names

    def counted(self, points: NDArray[np.int64]) -> str:
        """ "30 seen paper, 12 live" """
        codes, names = columns.kinds_of(self.run)
        counts = np.bincount(codes[self.rows_of(points)], minlength=len(names)).tolist()
        count_of = {name: n for name, n in zip(names, counts, strict=True) if n}
        return ", ".join(f"{count_of[name]:,} {readable(name)}" for name in in_group_order(list(count_of)))

    def cards(self, points: NDArray[np.int64], lines: Sequence[Sequence[str]] | None = None) -> list[Card]:
        """What is written around the images of some points; `lines`: of each, below its id."""
        rows = self.rows_of(points)
        codes, names = columns.kinds_of(self.run)
        cards = []
        for sample_id, code, more in zip(
            columns.ids_of(self.run, rows), codes[rows], lines or [()] * len(rows), strict=True
        ):
            style = style_of(names[code])
            cards.append(Card(sample_id, [sample_id, *more], readable(names[code]), style.colour, style.is_hollow))
        return cards

    # ----------------------------------------------------------------------------------- what people choose among them

    @property
    def selected(self) -> Selection | None:
        """What is selected in this session."""
        kept = st.session_state.get(f"_{self.page}_selected")
        return kept if isinstance(kept, Selection) and kept.run == self.name else None

    def within(self, selection: Selection | None) -> NDArray[np.int64]:
        """The points of a selection that are drawn, ascending."""
        points, is_shown = selection.rows(len(self)) if selection else np.empty(0, np.int64), self.is_shown
        return points if is_shown is None else points[is_shown[points]]

    def keep(self, selection: Selection) -> None:
        """What has just been selected is so until something else is; its images are shown from the first page on."""
        st.session_state[f"_{self.page}_selected"] = selection
        self.to_first_page()

    @property
    def paging(self) -> str:
        """Key of what turns the pages of their images."""
        return f"{self.page}_page"

    def to_first_page(self) -> None:
        """Of their images."""
        st.session_state[self.paging] = 1

    def page_of(self, points: NDArray[np.int64], per_page: int) -> NDArray[np.int64]:
        """Those of some points that stand on the page that is turned to; where there are several, draws what turns."""
        n_pages = -(-len(points) // per_page)
        page = st.pagination(n_pages, key=self.paging) if n_pages > 1 else 1
        return points[(page - 1) * per_page : page * per_page]

    def view(self) -> tuple[Sequence[float] | None, Sequence[str]]:
        """What of the plots is in view, and what is switched off in the legend: see `scatter.shown_before`."""
        return plot.shown_before(f"_{self.page}_shown")

    def hover(self, answers: Callable[[NDArray[np.int64]], Sequence[Answer]]) -> None:
        """See `scatter.hover`: in a fragment of its own."""
        on_shown = partial(plot.keep_shown, f"_{self.page}_shown")
        images = self._images if "inputs" in faces.kinds(self.run) else None
        plot.hover(answers, images=images, run=self.name, n=len(self), on_shown=on_shown, key=f"{self.page}_hover")

    def _images(self, points: NDArray[np.int64]) -> NDArray[np.uint8]:
        return faces.images(self.run, "inputs", self.rows_of(points))


# --------------------------------------------------------------------------------------------- selections with names


def keep_unnamed(points: Points, selection: Selection) -> None:
    """As `Points.keep`: what is selected is no longer the saved selection that was open."""
    points.keep(selection)
    _close(points)


def keep_named(points: Points, name: str) -> None:
    """Saves what is selected, in place of what had the name, unless it is a saved selection that is open."""
    if st.session_state.get("selection") is not None:
        return
    if name in selections.names(points.run):
        selections.delete(points.run, name)
    _save_as(points, name)


def saved_selections(points: Points) -> None:
    """Opening, naming and deleting, for the points that are all rows of a Run.

    Before anything that shows what is selected.
    """
    names = selections.names(points.run)
    if st.session_state.get("selection") not in names:
        st.session_state["selection"] = None
    if not identity.may(Right.MARK, points.run):
        return
    with st.popover("Saved selections", icon=":material/bookmark:", width="stretch"):
        opened = st.selectbox(
            "Open",
            names,
            index=None,
            key="selection",
            bind="query-params",
            placeholder="Open one" if names else "None yet",
            disabled=not names,
        )
        with st.form(f"{points.page}_saving", border=False, enter_to_submit=True):
            st.text_input("Name", key=f"{points.page}_name", placeholder="odd masks", max_chars=64)
            st.form_submit_button(
                "Save the selection",
                on_click=_save,
                args=(points,),
                type="primary",
                key=f"{points.page}_save",
                disabled=not len(points.within(points.selected)),
            )
        st.button(
            "Delete",
            on_click=_delete,
            args=(points, opened),
            icon=":material/delete:",
            disabled=opened is None,
            key=f"{points.page}_delete",
            help="Forgets the saved selection that is open; its points stay selected.",
        )
    problem = st.session_state.pop(f"_{points.page}_problem", None)
    if problem is not None:
        st.error(escaped(problem), icon=":material/error:")
    if opened is not None and st.session_state.get(f"_{points.page}_opened") != (points.run.id, opened):
        _open(points, opened)


def _open(points: Points, name: str) -> None:
    """Once: what is selected afterwards stays."""
    wanted = set(selections.sample_ids(points.run, name))
    rows = [
        shard.start + np.flatnonzero(shard.table("samples", ["sample_id"]).column(0).to_pandas().isin(wanted))
        for shard in points.run.shards
    ]
    points.keep(plot.selection_of(np.concatenate(rows), len(points), points.name))
    st.session_state[f"_{points.page}_opened"] = (points.run.id, name)


def _close(points: Points) -> None:
    st.session_state["selection"] = None
    st.session_state[f"_{points.page}_opened"] = None


def _save(points: Points) -> None:
    name = str(st.session_state.get(f"{points.page}_name", "")).strip()
    try:
        _save_as(points, name)
    except BadInputError as error:
        st.session_state[f"_{points.page}_problem"] = str(error)
        return
    st.session_state[f"{points.page}_name"] = ""


def _save_as(points: Points, name: str) -> None:
    identity.require(Right.MARK, points.run)
    selections.save(points.run, name, columns.ids_of(points.run, points.within(points.selected)))
    st.session_state["selection"] = name
    st.session_state[f"_{points.page}_opened"] = (points.run.id, name)


def _delete(points: Points, name: str) -> None:
    """What is selected stays selected."""
    identity.require(Right.MARK, points.run)
    identity.tell("deletion", {"what": "selection", "name": name, "run": points.run.id})
    selections.delete(points.run, name)
    _close(points)


# ------------------------------------------------------------------------------------------------------------- files


def download_ids(points: Points, n: int, table: Callable[[], pd.DataFrame]) -> None:
    """Buttons that save the ids of n samples; their table is made when somebody asks for it."""
    with st.container(horizontal=True):
        for kind, content, mime in (
            ("CSV", files.csv, "text/csv"),
            ("Parquet", _parquet, "application/vnd.apache.parquet"),
        ):
            st.download_button(
                f"Download the {n:,} ids ({kind})",
                identity.exported(partial(_content, content, table), "sample ids", points.run),
                file_name=f"{points.run.info.name}-ids.{kind.lower()}",
                mime=mime,
                on_click="ignore",
                disabled=not n,
                icon=":material/download:",
                key=f"{points.page}_ids_{kind.lower()}",
            )


def _content(content: Callable[[pd.DataFrame], bytes], table: Callable[[], pd.DataFrame]) -> bytes:
    return content(table())


def _parquet(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file, index=False)
    return file.getvalue()
