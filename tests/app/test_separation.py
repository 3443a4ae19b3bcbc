"""The page Separation, driven without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fas_core.derive import Work
from fas_core.evaluation import separation
from fas_core.runs import store
from tests.conftest import write_image_run

from .conftest import page, texts

pytestmark = pytest.mark.usefixtures("fresh_caches")


def samples() -> pd.DataFrame:
    """6 subjects, each with training and live images, and paper, seen and unseen, beside live ones."""
    rows = [
        (f"s{subject}", subset, label, species)
        for subset, counts in (
            ("train", (3, 0)),
            ("live", (6, 0)),
            ("seen_paper", (3, 3)),
            ("unseen_paper", (3, 3)),
        )
        for subject in range(6)
        for label, species, n in (("bona_fide", "", counts[0]), ("attack", "paper", counts[1]))
        for _ in range(n)
    ]
    table = pd.DataFrame(rows, columns=["subject_id", "subset", "label", "pai_species"])
    number = table.index.to_numpy()
    turned = np.array(["left", "<b>right</b>", "up"])[number % 3]
    return table.assign(sample_id=number.astype(str), pose=turned, hat=np.where(number % 2, "yes", "no"), beard="no")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """With its result; only read."""
    written = write_image_run(tmp_path_factory.mktemp("separation"), "a", samples(), shard_size=256)
    separation.of_run(written)
    return written


@pytest.fixture
def at(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(run.cache))
    return page("separation", cache=run.cache, run="a")


def figure(at: AppTest) -> Any:
    assert not at.exception, at.exception
    (chart,) = at.get("echarts_chart")
    return json.loads(chart.proto.spec)


def test_the_answer_comes_first(at: AppTest, run: store.Run) -> None:
    assert at.title[0].value == "Separation"
    said = separation.of_run(run).sentence()
    assert said.startswith("Codes show every attack, even ")
    assert at.markdown[0].value.replace("\\", "") == said


def test_attacks_and_nuisances_stand_on_one_axis(at: AppTest) -> None:
    chart = figure(at)
    rows = rows_of(chart)
    assert [name for name, is_heading in rows.items() if is_heading] == ["attacks", "live faces by"]
    rows = list(rows)
    assert (rows[0], rows[3]) == ("attacks", "live faces by")
    assert set(rows[1:3]) == {"seen paper", "unseen paper"}
    assert set(rows[4:]) == {"pose", "hat", "brightness"}
    dots = chart["series"][0]
    assert dots["tooltip"]["formatter"] == "{a} {@[3]}<br>{@[2]}"  # what is put in there is text, never markup
    assert any("<b>right" in dot["value"][2] for dot in dots["data"])


def test_seen_is_filled_and_unseen_hollow(at: AppTest) -> None:
    chart = figure(at)
    rows = list(rows_of(chart))
    fill = {rows[-dot["value"][1]]: dot["itemStyle"]["color"] for dot in chart["series"][0]["data"]}
    assert fill["unseen paper"] == "transparent"
    assert "transparent" not in (fill["seen paper"], fill["hat"])


def rows_of(chart: Any) -> dict[str, bool]:
    """Texts at the rows, from the top, and whether each is a heading."""
    (marks,) = [
        series["markLine"]["data"]
        for series in chart["series"]
        if "yAxis" in series.get("markLine", {"data": [{}]})["data"][0]
    ]
    return {mark["label"]["formatter"]: mark["label"]["fontWeight"] == "bold" for mark in marks}


def test_the_table_holds_every_measure_and_leaves_undefined_ones_empty(at: AppTest) -> None:
    table = at.dataframe[0].value.set_index("What")
    assert list(table) == [
        "Probe", "Distance", "Likelihood", "Neighbours", "Silhouette", "Fréchet", "Sides (images)", "Units",
    ]  # fmt: skip
    assert pd.isna(table.loc["pose", "Distance"])  # of three values there is no second side
    assert table.loc["hat", "Distance"].startswith("0.")
    assert table.loc["seen paper", "Sides (images)"] == "live (18) / paper (18)"
    assert table.loc["seen paper", "Units"] == "6 subjects"


def test_what_is_not_compared_is_said(at: AppTest) -> None:
    assert "95 % intervals by subject" in texts(at)
    assert "beard" not in texts(at)  # constant: no column to compare by
    assert "2,000 images a row" in texts(at)


def test_the_subsets_of_the_sidebar_decide_which_attacks_are_shown(at: AppTest) -> None:
    at.sidebar.button_group[0].set_value(["train", "live", "seen_paper"]).run()
    assert set(at.dataframe[0].value["What"]) == {"seen paper", "pose", "hat", "brightness"}
    assert "unseen" not in at.markdown[0].value


def test_it_is_computed_by_a_worker_on_demand(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "_computed", lambda _: pytest.fail("computed in the page"))
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    at = page("separation", cache=tiny_cache, run="a")
    assert "24 images separate is not computed yet" in at.info[0].value
    assert not at.get("echarts_chart")
    at.button(key="compute_separation").click().run()
    assert started == ["separation"]


def test_a_result_that_appears_is_shown(tiny_cache: Path) -> None:
    assert page("separation", cache=tiny_cache, run="a").info
    separation.of_run(store.open_run(tiny_cache, "a"))
    at = page("separation", cache=tiny_cache, run="a")
    assert not at.info
    assert at.markdown[0].value.startswith("There is nothing to compare")  # three attacks of a kind are too few
    assert not at.dataframe
    assert "Not compared: brightness (fewer than two values with 5 live images" in texts(at)


def test_a_scores_only_run_says_why_there_is_nothing(tiny_cache: Path) -> None:
    at = page("separation", cache=tiny_cache, run="vendor")
    assert "needs images and latent codes" in at.info[0].value
