"""The latent space page, driven without a browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import charts
from fas_core import store
from fas_core.analysis import projection
from fas_core.derive import Work

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
SCATTER = "latent_scatter"


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    """Caches are keyed by content, and the tiny Runs of all tests have the same."""
    st.cache_resource.clear()


def opened(cache: Path, name: str, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    run = store.open_run(cache, name)
    at.query_params["run"] = f"{run.info.name} ({run.id[:6]})"
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    return at.switch_page("views/latent.py").run()


@pytest.fixture
def page(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    return lambda name="a", **query: opened(tiny_cache, name, monkeypatch, **query)


def figure(at: AppTest) -> dict[str, object]:
    assert not at.exception, at.exception
    (chart,) = at.get("plotly_chart")
    return json.loads(chart.proto.spec)


def traces(at: AppTest) -> list[str]:
    return [trace["name"] for trace in figure(at)["data"] if trace.get("showlegend") is not False]


def numbers(encoded: dict[str, str]) -> list[float]:
    """Plotly sends arrays as base64."""
    return np.frombuffer(base64.b64decode(encoded["bdata"]), encoded["dtype"]).tolist()


def notes(at: AppTest) -> str:
    return " ".join(a["text"] for a in figure(at)["layout"]["annotations"])


def text(at: AppTest) -> str:
    return "\n".join(element.value for element in (*at.markdown, *at.caption, *at.info, *at.warning))


def select(at: AppTest, rows: list[object]) -> AppTest:
    """What the browser sends: points counted per trace, each with its own row number."""
    points = [{"curve_number": 0, "point_index": 0, "customdata": row} for row in rows]
    at.session_state[SCATTER] = {
        "selection": {"points": points, "point_indices": [0] * len(rows), "box": [], "lasso": []}
    }
    return at.run()


def test_the_answer_comes_first_with_numbers(page: Callable[..., AppTest]) -> None:
    at = page()
    assert at.title[0].value == "Latent space"
    first = at.markdown[0].value
    assert "one can tell an attack from a live face in **" in first
    assert "of pairs for paper" in first
    assert "of pairs for mask" in first
    assert "3 paper" in text(at)
    assert "3 mask" in text(at)
    assert "8 live training images" in text(at)
    assert "against 10 live faces outside training" in text(at)


def test_groups_keep_their_colours_and_what_was_fitted_is_said(page: Callable[..., AppTest]) -> None:
    at = page()
    assert traces(at) == [
        "train (8)",
        "live (4)",
        "bona fide, seen (3)",
        "bona fide, unseen (3)",
        "unseen mask (3)",
        "seen paper (3)",
    ]
    by_name = {trace["name"]: trace["marker"] for trace in figure(at)["data"]}
    assert by_name["live (4)"]["color"] == charts.BONA_FIDE_COLOUR
    assert by_name["unseen mask (3)"]["symbol"] == "circle-open"
    assert notes(at) == "PCA fitted on the 8 live training images"
    assert figure(at)["layout"]["xaxis"]["title"]["text"].startswith("PC 1 (")


def test_the_sidebars_subsets_filter_the_points(page: Callable[..., AppTest]) -> None:
    at = page()
    at.sidebar.button_group[0].set_value(["live", "seen_paper"]).run()
    assert traces(at) == ["live (4)", "bona fide, seen (3)", "seen paper (3)"]


def test_a_column_of_texts_colours_by_category(page: Callable[..., AppTest]) -> None:
    assert traces(page(colour="glasses")) == ["no (12)", "yes (12)"]
    assert traces(page(colour="pai species")) == ["not given (18)", "mask (3)", "paper (3)"]


def test_a_category_keeps_its_colour_when_others_are_filtered_away(page: Callable[..., AppTest]) -> None:
    at = page(colour="subject id")
    before = {trace["name"].split()[0]: trace["marker"]["color"] for trace in figure(at)["data"]}
    at.sidebar.button_group[0].set_value(["live"]).run()
    after = {trace["name"].split()[0]: trace["marker"]["color"] for trace in figure(at)["data"]}
    assert list(after) == ["u0", "u1", "u2"]
    assert after.items() <= before.items()
    assert len(set(before.values())) == len(before) == 6


def test_rare_categories_are_drawn_as_other() -> None:
    values = np.array([f"c{i:02}" for i in range(20) for _ in range(20 - i)] + [""])
    styles = charts.category_styles(values)
    assert list(styles) == [*(f"c{i:02}" for i in range(12)), "other", "not given"]
    assert charts.as_categories(np.array(["c00", "c19", ""]), styles).tolist() == ["c00", "other", "not given"]


def test_known_names_keep_their_one_colour_as_categories() -> None:
    styles = charts.category_styles(np.array(["bona_fide", "mask", "train", "anna", "bert"]))
    assert styles["bona_fide"].colour == charts.BONA_FIDE_COLOUR
    assert styles["mask"].colour == charts.SPECIES_COLOURS["mask"]
    assert styles["train"].colour == charts.TRAINING_COLOUR
    assert len({style.colour for style in styles.values()}) == 5


def test_too_many_points_are_thinned_and_that_is_said(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "sampled_rows", lambda groups, limit, seed: np.arange(0, len(groups), 2))
    at = page()
    assert sum(len(trace["text"]) for trace in figure(at)["data"]) == 12
    assert "12 of 24 images are drawn, the same share of every subset." in text(at)


def test_a_column_of_numbers_and_the_score_have_one_scale(page: Callable[..., AppTest]) -> None:
    at = page(colour="pose x")
    assert traces(at) == ["bona fide (18)", "attacks (6)"]
    axis = figure(at)["layout"]["coloraxis"]
    assert axis["colorbar"]["title"]["text"] == "pose x"
    assert (axis["cmin"], axis["cmax"]) == pytest.approx((-10, 25), abs=1.5)
    assert figure(page(colour="chosen score"))["layout"]["coloraxis"]["colorbar"]["title"]["text"] == "rec"


def test_a_column_that_says_nothing_is_not_offered(page: Callable[..., AppTest]) -> None:
    offered = page().selectbox(key="colour").options
    assert "glasses" in offered
    assert not {"is constant", "pose y", "sample id", "path"} & set(offered)


def test_other_components_can_be_chosen(page: Callable[..., AppTest]) -> None:
    layout = figure(page(pcx="PC 3", pcy="PC 4"))["layout"]
    assert layout["xaxis"]["title"]["text"].startswith("PC 3 (")
    assert layout["yaxis"]["title"]["text"].startswith("PC 4 (")


def test_a_selection_shows_its_own_images_and_ids(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page()
    ids = store.open_run(tiny_cache, "a").samples(["sample_id"])["sample_id"].tolist()
    before = figure(at)
    select(at, [0, 9, 15, 16])
    assert "**4 selected:** 1 train, 1 live, 2 seen paper." in text(at)
    (cards,) = at.get("bidi_component")
    for row in (0, 9, 15, 16):
        assert ids[row] in str(cards.proto)
    assert ids[1] not in str(cards.proto)
    assert at.get("download_button")[0].proto.label == "Download the 4 ids (CSV)"
    assert figure(at) == before  # a chart that changed with its own selection would lose it


def test_forged_and_filtered_points_are_ignored(page: Callable[..., AppTest]) -> None:
    at = select(page(), [0, 999, -1, "0", None, 2.5, {"0": 3}])
    assert "**1 selected:** 1 train." in text(at)


def test_without_a_selection_the_most_telling_images_stand_there(page: Callable[..., AppTest]) -> None:
    at = page()
    assert "Draw around points to see their images. Until then: the **6 attacks most like live**" in text(at)
    at = page(beside="live faces least like training")
    assert "The **10 live faces least like training** by gmm_nll." in text(at)
    assert "train_0" not in str(at.get("bidi_component")[0].proto)


def test_missing_umap_shows_the_pca_and_offers_to_compute_it(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "umap_of", lambda *_: pytest.fail("UMAP computed in the page"))
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    at = page(projection="UMAP")
    assert "UMAP is not computed yet" in text(at)
    assert notes(at).startswith("PCA fitted on")
    at.button(key="compute_umap").click().run()
    assert started == ["umap"]


def test_umap_under_way_is_said_and_cannot_be_started_twice(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    assert Work(store.open_run(tiny_cache, "a"), "umap")._claimed()
    at = page(projection="UMAP")
    assert "It is being computed" in text(at)
    assert "compute_umap" not in [button.key for button in at.button]


def test_a_failed_attempt_says_its_last_words(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    work = Work(store.open_run(tiny_cache, "a"), "umap")
    work.job_file.parent.mkdir(parents=True)
    work.job_file.with_suffix(".log").write_text("Traceback\nMemoryError: no room\n")
    at = page(projection="UMAP")
    assert "The last attempt ended without a result: MemoryError" in text(at)
    assert at.button(key="compute_umap")


def test_a_stored_umap_is_shown(page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.arange(48, dtype=np.float32).reshape(24, 2)
    embedding = projection.Embedding(np.arange(24), points)
    monkeypatch.setattr(projection, "known_umap", lambda *_: embedding)
    at = page(projection="UMAP")
    assert notes(at) == "UMAP fitted on all 24 images; no labels; seed 0"
    assert figure(at)["layout"]["xaxis"]["title"]["text"].startswith("UMAP 1")


def test_umap_fitted_on_a_sample_says_so_and_shows_each_row_at_its_own_place(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, tiny_cache: Path
) -> None:
    points = np.stack([np.arange(24), 10 * np.arange(24)], 1).astype(np.float32)
    monkeypatch.setattr(projection, "known_umap", lambda *_: projection.Embedding(np.array([1, 8, 20]), points))
    at = page(projection="UMAP")
    assert notes(at) == "UMAP fitted on 3 of 24 images,<br>the others placed between their nearest; no labels; seed 0"
    said = "UMAP fitted on 3 of 24 images, the others placed between their nearest; no labels; seed 0."
    assert at.get("plotly_chart")[0].proto.alt.endswith(said)
    assert sum(len(trace["text"]) for trace in figure(at)["data"]) == 24
    at.sidebar.button_group[0].set_value(["live", "unseen_mask"]).run()
    live = store.open_run(tiny_cache, "a").rows_of("live")
    assert numbers(figure(at)["data"][0]["x"]) == live.tolist()
    assert numbers(figure(at)["data"][0]["y"]) == (10 * live).tolist()
    assert "**1 selected:** 1 live." in text(select(at, [8, 1]))


def test_a_scores_only_run_says_why_there_is_nothing_and_where_to_go(page: Callable[..., AppTest]) -> None:
    at = page("vendor")
    assert not at.exception
    assert "needs images and latent codes" in at.info[0].value
    assert not at.get("plotly_chart")


def test_without_training_images_the_page_says_so(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = pd.DataFrame(
        {
            "sample_id": [f"i{i}" for i in range(8)],
            "label": ["bona_fide", "attack"] * 4,
            "pai_species": ["", "paper"] * 4,
            "subset": "test",
        }
    )
    image_run(tmp_path / "cache", "untrained", samples)
    at = opened(tmp_path / "cache", "untrained", monkeypatch)
    assert "too few live training images" in at.markdown[0].value
    assert notes(at) == "PCA fitted on the 8 images (there are no training images)"
    assert traces(at) == ["bona fide (4)", "paper (4)"]


def test_an_empty_cache_says_how_to_make_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    at = AppTest.from_file(str(MAIN), default_timeout=60).run()
    at.switch_page("views/latent.py").run()
    assert not at.exception
    assert "fas demo" in at.code[0].value
