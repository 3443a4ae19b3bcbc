"""The page Causes and the warning on other pages, driven without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.charts import causes as charts
from app.parts.causes import selection_name
from fas_core.evaluation.causes import shares
from fas_core.reports.palette import Style
from fas_core.runs import selections, store
from tests.evaluation.causes.test_of_run import run_that_follows_brightness

from .conftest import page, texts

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    return run_that_follows_brightness(tmp_path_factory.mktemp("causes"))


@pytest.fixture(autouse=True)
def _on_it(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(run.cache))


def options(at: AppTest) -> list[Any]:
    assert not at.exception, at.exception
    return [json.loads(chart.proto.spec) for chart in at.get("echarts_chart")]


def test_the_page_says_first_what_the_score_follows(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page("causes", cache=run.cache, run="m", score="rec")
    said = texts(at)
    assert "rec falls with brightness" in said
    live, attacks, *strips = options(at)
    assert len(live["series"][0]["data"]) == 5  # three causes, people, sessions
    assert live["series"][0]["data"][0]["value"][2].startswith("brightness, alone: ")
    assert len(attacks["series"][0]["data"]) >= 3
    assert [len(strip["series"][0]["data"]) for strip in strips] == [5, 5]  # fifths of brightness
    (table,) = [frame.value for frame in at.dataframe if "Follows it" in frame.value]
    assert table["Score"].iloc[-1] in ("rec", "elbo")
    assert table["Hardest species"].str.fullmatch(r"[01]\.\d\d · paper").all()
    at.selectbox(key="cause_shown").select("glasses").run()
    assert [len(strip["series"][0]["data"]) for strip in options(at)[2:]] == [2, 2]
    assert at.query_params["cause"] == "glasses"
    monkeypatch.setattr(shares, "strips", lambda *_: pytest.fail("computed again"))
    at.selectbox(key="cause_shown").select("brightness").run()
    assert [len(strip["series"][0]["data"]) for strip in options(at)[2:]] == [5, 5]


def test_a_value_opens_its_samples_as_a_selection(run: store.Run) -> None:
    at = page("causes", cache=run.cache, run="m", score="rec", cause="glasses")
    (key,) = [box.key for box in at.selectbox if box.key and box.key.startswith("strips_bona_fide")]
    at.selectbox(key=key).select("yes")
    at.button(key=key.removesuffix("_value") + "_open").click().run()
    assert not at.exception, at.exception
    name = "glasses yes live samples"
    live = run.samples(["sample_id", "label", "subset", "glasses"])
    wanted = live[(live["label"] == "bona_fide") & (live["subset"] == "live") & (live["glasses"] == "yes")]
    assert selections.sample_ids(run, name).tolist() == wanted["sample_id"].tolist()


def test_pages_that_judge_by_the_score_warn(run: store.Run) -> None:
    for view in ("overview", "threshold"):
        assert "**rec mostly measures brightness**: " in texts(page(view, cache=run.cache, run="m", score="rec"))
        assert "mostly measures" not in texts(page(view, cache=run.cache, run="m", score="kl"))


def test_a_score_without_brightness_is_offered_and_judged_by(run: store.Run) -> None:
    at = page("overview", cache=run.cache, run="m", score="rec~brightness")
    score = at.selectbox(key="score")
    assert score.value == "rec~brightness"
    assert score.options[-3:] == ["rec~brightness", "rec~contrast", "rec~sharpness"]
    assert "judged by rec\\~brightness" in texts(at)
    for view in ("threshold", "gallery", "image", "losses", "causes"):
        at = page(view, cache=run.cache, run="m", score="rec~brightness")
        assert not at.exception, (view, at.exception)
        assert at.selectbox(key="score").value == "rec~brightness"
    assert "rec\\~brightness falls with brightness" not in texts(at)
    for score in ("rec", "rec~brightness"):
        said = texts(page("causes", cache=run.cache, run="m", score=score, cause="brightness"))
        assert "chosen on live, rec\\~brightness: live rejected " in said
        assert "Of live samples, **rec\\~brightness differs by glasses**" in said
    assert "the two cannot be compared" in texts(
        page("causes", cache=run.cache, run="m", score="rec", cause="brightness", rule="By hand")
    )


def test_scores_alone_have_the_page_too(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tiny_cache))
    at = page("causes", cache=tiny_cache, run="vendor")
    assert not at.exception, at.exception
    assert "cannot be said of" in texts(at)


def test_bars_below_nothing_are_nothing_and_long_names_are_cut() -> None:
    bar = charts.Bar(-0.2, (-0.5, 0.1), "x")
    option: Any = charts.cause_bars([charts.Row("n" * 40, bar, None, is_whose=False)], Style("#000000"), "")
    assert option["series"][0]["data"][0]["value"][0] == 0
    whisker = next(s for s in option["series"] if s["type"] == "line" and s["data"])
    assert whisker["data"] == [[0.0, 0], [pytest.approx(10), 0]]
    assert charts.shortened("n" * 40) == "n" * 23 + "…"


def test_a_strip_keeps_the_threshold_in_view_where_it_is_near() -> None:
    strip = charts.Strip("dark", (0.0, 1, 2, 3, 4), (1.5, 2.5), "n = 9", "dark")
    near: Any = charts.value_strips([strip], Style("#000000"), x_title="rec", threshold=6.0)
    assert near["xAxis"]["max"] > 6
    far: Any = charts.value_strips([strip], Style("#000000"), x_title="rec", threshold=600.0)
    assert far["xAxis"]["max"] < 6


def test_names_of_selections_are_what_selections_take() -> None:
    for text in ("a/b: <c>, live samples", "…", "x" * 90, " .y. "):
        assert selections.NAME.fullmatch(selection_name(text)), selection_name(text)
    assert selection_name("0.1 to 0.2, live") == "0.1 to 0.2 live"
    assert np.unique([selection_name("a=1"), selection_name("a=2")]).size == 2
