"""Filters of samples: what they leave of a Run's rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.parts import filters
from fas_core.runs import store


def chosen(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> None:
    """Controls answer as somebody has chosen; the others as they do at first."""

    def of_options(label: str, options: Any, default: Any = None, key: str = "", **_: Any) -> Any:
        return answers.get(key, default if default is not None else [])

    monkeypatch.setattr(filters.st, "multiselect", of_options)
    monkeypatch.setattr(filters.st, "segmented_control", of_options)
    monkeypatch.setattr(filters.st, "text_input", lambda label, key, **_: answers.get(key, ""))
    monkeypatch.setattr(
        filters.st, "slider", lambda label, low, high, value, *rest, key=None, **_: answers.get(key or rest[2], value)
    )
    monkeypatch.setattr(filters.st, "session_state", {})


def unheard() -> None: ...


def test_the_nearest_are_a_share_of_those_among_them_only() -> None:
    distances = np.array([0.1, 0.3, np.nan, 0.2, 0.2, 0.0])
    among = np.array([True, True, True, True, True, False])
    assert np.flatnonzero(filters.nearest(distances, among, 0.4)).tolist() == [0, 3]  # of equal ones the first
    assert np.flatnonzero(filters.nearest(distances, among, 0.41)).tolist() == [0, 3, 4]  # rounded up
    assert np.flatnonzero(filters.nearest(distances, among, 0.8)).tolist() == [0, 1, 3, 4]  # NaN last
    assert (filters.nearest(distances, among, 1.0) == among).all()
    assert not filters.nearest(distances, np.zeros(6, np.bool_), 0.5).any()


def test_a_verdict_is_one_of_the_masks_that_a_page_names(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = {"Fixed": np.array([True, False]), "Broken": np.array([False, True])}
    chosen(monkeypatch, show="Broken")
    assert (
        filters.by_verdict(masks, default="Fixed", key="show", help="", on_change=unheard).tolist()
        == masks["Broken"].tolist()
    )
    chosen(monkeypatch)
    assert filters.by_verdict(masks, default="Fixed", key="show", help="", on_change=unheard)[0]


def test_no_class_chosen_is_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = np.array(["live", "seen_paper", "live", "unseen_mask"])
    chosen(monkeypatch)
    assert filters.by_class(kinds, kinds, on_change=unheard).all()
    chosen(monkeypatch, classes=["live"], other=["unseen_mask"])
    assert filters.by_class(kinds, kinds, on_change=unheard).tolist() == [True, False, True, False]
    assert filters.by_class(kinds, kinds, key="other", on_change=unheard).tolist() == [False, False, False, True]


def test_a_range_leaves_out_what_has_no_number_unless_it_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([0.0, 1.0, np.nan, 2.0])
    chosen(monkeypatch)
    assert filters._in_range(values, 0.0, 2.0, "x", unheard) == []
    chosen(monkeypatch, where_x=(1.0, 2.0))
    [active] = filters._in_range(values, 0.0, 2.0, "x", unheard)
    assert active.fits.tolist() == [False, True, False, True]
    assert active.words == "x 1 to 2"


def test_a_range_that_another_run_left_behind_is_cut_to_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen(monkeypatch)
    filters.st.session_state["where_x"] = (-5.0, 1.5)  # type: ignore[index]
    filters._in_range(np.array([0.0, 2.0]), 0.0, 2.0, "x", unheard)
    assert filters.st.session_state["where_x"] == (0.0, 1.5)


def test_columns_are_numbers_with_nan_or_texts_without(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    samples = run.samples()
    rec, glasses = filters.column(run, "rec"), filters.column(run, "glasses")
    np.testing.assert_array_equal(rec, samples["rec"].to_numpy(np.float64))
    assert glasses.dtype.kind == "U"
    assert set(glasses.tolist()) == {
        *samples["glasses"].dropna().astype(str),
        *([""] if samples["glasses"].isna().any() else []),
    }


def test_a_part_of_an_id_is_text_and_no_pattern(tiny_cache: Path) -> None:
    def app() -> None:
        import streamlit as st

        from app.parts import filters
        from app.session import readers

        [run] = [run for run in readers.runs()[0] if run.info.name == "a"]
        active = filters.by_id(readers.ids(run), on_change=lambda: None)
        st.session_state["kept"] = [readers.ids(run)[each.fits].tolist() for each in active]

    at = AppTest.from_function(app).run()
    assert at.session_state["kept"] == []
    at.text_input(key="find").set_value("MASK_4").run()
    assert at.session_state["kept"] == [["unseen_mask_4"]]
    at.text_input(key="find").set_value("mask.4").run()
    assert at.session_state["kept"] == [[]]
