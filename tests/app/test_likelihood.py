"""The likelihood page, driven without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import charts
from fas_core import store
from fas_core.analysis import mixture
from fas_core.derive import Work

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


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
    return at.switch_page("views/likelihood.py").run()


@pytest.fixture
def page(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    return lambda name="a", **query: opened(tiny_cache, name, monkeypatch, **query)


def figures(at: AppTest) -> list[dict[str, object]]:
    assert not at.exception, at.exception
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def text(at: AppTest) -> str:
    return "\n".join(element.value for element in (*at.markdown, *at.caption, *at.info, *at.warning))


def notes(figure: dict[str, object]) -> list[str]:
    return [a["text"] for a in figure["layout"]["annotations"]]


def test_the_answer_comes_first_with_numbers(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(k="2")
    run = store.open_run(tiny_cache, "a")
    samples = run.samples(["subset", "label", "pai_species"])
    outside = samples[samples["subset"] != "train"]
    value = mixture.of_training(run, 2).log_likelihood(run.latents())
    auc = mixture.auc_per_species(outside, value[outside.index])
    first = at.markdown[0].value.replace("\u00a0", " ")
    assert first.startswith("Under 2 Gaussians of live training codes, an attack is less probable than a live face in")
    for species in ("paper", "mask"):
        assert f"**{charts.pairs(auc[species])}** of pairs for {species} (n = 3)".replace("\u00a0", " ") in first
    assert "against 10 live faces outside training" in text(at)
    assert "8 live training images alone, with diagonal covariances" in text(at)


@pytest.mark.parametrize(
    ("auc", "said"), [(1.0, "100 %"), (0.997, ">99 %"), (0.834, "83 %"), (0.001, "<1 %"), (0, "0 %")]
)
def test_a_share_of_pairs_is_never_rounded_to_all_or_none(auc: float, said: str) -> None:
    assert charts.pairs(auc).replace("\u00a0", " ") == said


def test_every_group_has_its_row_and_every_attack_its_auc(page: Callable[..., AppTest]) -> None:
    at = page(k="1")
    ridges = figures(at)[0]
    rows = ["train", "live", "bona fide, seen", "bona fide, unseen", "unseen mask", "seen paper"]
    assert [label.split("<br>")[0] for label in ridges["layout"]["yaxis"]["ticktext"]][::-1] == rows
    assert sum(note.startswith("AUC ") for note in notes(ridges)) == 2


def test_the_table_compares_within_a_subset_and_leaves_undefined_ones_empty(page: Callable[..., AppTest]) -> None:
    table = page(k="1").dataframe[0].value
    assert table["Subset"].tolist() == ["train", "live", "seen paper", "seen paper", "unseen mask", "unseen mask"]
    assert table["n"].tolist() == [8, 4, 3, 3, 3, 3]
    assert table["AUC"].notna().tolist() == [False, False, False, True, False, True]
    assert table["What"].tolist()[2:] == ["bona fide", "paper", "bona fide", "mask"]


def test_the_subsets_of_the_sidebar_decide_what_is_compared(page: Callable[..., AppTest]) -> None:
    at = page(k="1")
    at.sidebar.button_group[0].set_value(["train", "live", "seen_paper"]).run()
    assert "mask" not in at.markdown[0].value
    assert "against 7 live faces outside training" in text(at)
    at.sidebar.button_group[0].set_value(["train", "live"]).run()
    assert "hold no attacks" in at.markdown[0].value
    at.sidebar.button_group[0].set_value(["train"]).run()
    assert not at.exception


def test_training_is_the_yardstick_even_where_it_is_not_shown(page: Callable[..., AppTest]) -> None:
    at = page(k="1")
    before = at.dataframe[0].value.set_index(["Subset", "What"])["Below 5 %"]
    at.sidebar.button_group[0].set_value(["seen_paper"]).run()
    after = at.dataframe[0].value.set_index(["Subset", "What"])["Below 5 %"]
    assert after[("seen paper", "paper")] == before[("seen paper", "paper")]


def test_more_gaussians_than_training_images_are_not_offered(page: Callable[..., AppTest]) -> None:
    at = page()
    (ks,) = [group for group in at.button_group if group.key == "k"]
    assert ks.options == ["1", "2", "4", "8"]


def test_only_stored_mixtures_are_compared_over_their_number(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    mixture.of_training(run, 4)
    at = page(k="1")
    lines = figures(at)[1]["data"]
    assert [trace["x"] for trace in lines] == [["1", "4"], ["1", "4"]]
    assert lines[0]["marker"]["size"] == [13, 7]
    assert "From 1 to 4 Gaussians (diagonal), the AUC is between" in text(at)
    assert "Not fitted yet: 2, 8," in text(at)
    assert mixture.known(run, 2) is None


def test_full_covariances_of_too_few_images_are_warned_about(page: Callable[..., AppTest]) -> None:
    at = page(k="1", covariance="full")  # 8 images in 8 dimensions
    assert "8 training images are 8 per Gaussian, but a full covariance of 8 dimensions" in at.warning[0].value
    assert "Under 1 Gaussian of" in at.markdown[0].value


def test_a_long_fit_is_not_made_in_the_page(page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "_QUICK_WORK", 0)
    monkeypatch.setattr(mixture, "fitted", lambda *_: pytest.fail("fitted in the page"))
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    at = page(k="4", covariance="full")
    assert "This mixture is not fitted yet" in text(at)
    assert not at.get("plotly_chart")
    at.button(key="fit_mixture").click().run()
    assert started == ["mixture-full-4"]


def test_a_scores_only_run_says_why_there_is_nothing(page: Callable[..., AppTest]) -> None:
    at = page("vendor")
    assert not at.exception
    assert "needs images and latent codes" in at.info[0].value


def test_without_training_images_the_page_says_what_to_do(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = pd.DataFrame(
        {
            "sample_id": list("abcd"),
            "label": ["bona_fide", "attack"] * 2,
            "pai_species": ["", "paper"] * 2,
            "subset": "test",
        }
    )
    image_run(tmp_path / "cache", "untrained", samples)
    at = opened(tmp_path / "cache", "untrained", monkeypatch)
    assert not at.exception
    assert "has no training images" in at.error[0].value
    assert "fas cache" in at.error[0].value


def test_one_training_image_is_too_few(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = pd.DataFrame(
        {
            "sample_id": list("abc"),
            "label": ["bona_fide", "bona_fide", "attack"],
            "pai_species": ["", "", "paper"],
            "subset": ["train", "test", "test"],
        }
    )
    image_run(tmp_path / "cache", "lonely", samples)
    at = opened(tmp_path / "cache", "lonely", monkeypatch)
    assert not at.exception
    assert "at least 2 training images" in at.error[0].value


def test_an_empty_cache_says_how_to_make_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    at = AppTest.from_file(str(MAIN), default_timeout=60).run()
    at.switch_page("views/likelihood.py").run()
    assert not at.exception
    assert "fas demo" in at.code[0].value
