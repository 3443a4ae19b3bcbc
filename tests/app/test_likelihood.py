"""The likelihood page, driven without a browser."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fas_core.derive import Work, parsed
from fas_core.evaluation.ranking import share_of_pairs
from fas_core.latent import mixture, projection, training_rows
from fas_core.runs import store
from tests import conftest
from tests.app.charts.test_ridges import labels
from tests.app.conftest import commands
from tests.app.conftest import page as app_page

NUMBER, HOLDS = "How many Gaussians", "Which holds whom"  # parts of the page

pytestmark = pytest.mark.usefixtures("fresh_caches")


def opened(cache: Path, name: str, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    return app_page("likelihood", cache=cache, run=name, **query)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The memo of Run "a" with its diagonal mixtures of all dimensions; the tiny Runs of all tests are the same."""
    cache = tmp_path_factory.mktemp("fitted")
    conftest.write_image_run(cache, "a", conftest.tiny_samples(), seed=1)
    fitted(cache)
    return cache / "memo"


def fitted(cache: Path, name: str = "a", covariance: str = "diag", dimensions: int = 0) -> None:
    """All mixtures of one kind, as the worker stores them."""
    Work(store.open_run(cache, name), parsed(f"mixtures-{covariance}-{dimensions}")).compute()


@pytest.fixture
def page(tiny_cache: Path, stored: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """The page on Run "a", whose diagonal mixtures of all dimensions are stored."""
    shutil.copytree(stored, tiny_cache / "memo")
    return lambda name="a", part="How probable", **query: opened(tiny_cache, name, monkeypatch, gaussians=part, **query)


def charts(at: AppTest) -> list[dict[str, Any]]:
    """Of the part that is shown: distributions; AUC over numbers of Gaussians, BIC, AIC, held out; or the map."""
    assert not at.exception, at.exception
    return [json.loads(chart.proto.spec) for chart in at.get("echarts_chart")]


def ellipses(at: AppTest) -> dict[str, Any]:
    assert not at.exception, at.exception
    (chart,) = at.get("plotly_chart")
    return dict(json.loads(chart.proto.spec, object_hook=_decoded))


def _decoded(packed: dict[str, object]) -> object:
    """Arrays as lists: Plotly sends their bytes."""
    if "bdata" in packed:
        return np.frombuffer(base64.b64decode(str(packed["bdata"])), str(packed["dtype"])).tolist()
    return packed


def words_of(dimensions: int) -> str:
    return f"{dimensions} PC" if dimensions else "all"


def text(at: AppTest) -> str:
    elements = (*at.markdown, *at.caption, *at.info, *at.warning)
    return "\n".join(f"{element.value}\n{getattr(element.proto, 'help', '')}" for element in elements)


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
        assert f"**{share_of_pairs(auc[species])}** of pairs for {species} (n = 3)".replace("\u00a0", " ") in first
    assert "against 10 live faces outside training" in text(at)
    assert "8 live training images alone, with diagonal covariances" in text(at)


def test_every_group_has_its_row_and_every_attack_its_auc(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(k="1")
    ridges = charts(at)[0]
    rows = ["train", "live", "bona fide, seen", "bona fide, unseen", "unseen mask", "seen paper"]
    assert [label.split("\n")[0] for label in labels(ridges)] == rows
    marked = [mark["label"].get("formatter", "") for series in ridges["series"] for mark in marks(series)]
    assert sum(note.startswith("AUC ") for note in marked) == 2
    (limit,) = [mark["xAxis"] for series in ridges["series"] for mark in marks(series) if "xAxis" in mark]
    run = store.open_run(tiny_cache, "a")
    values = mixture.of_training(run, 1).log_likelihood(run.latents()[training_rows(run)])
    assert limit == pytest.approx(np.quantile(values, mixture.LOW_SHARE))


def marks(series: dict[str, Any]) -> list[dict[str, Any]]:
    of_label = series.get("markLine", {}).get("label", {})
    return [{"label": of_label} | mark for mark in series.get("markLine", {}).get("data", [])]


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


def test_every_number_of_gaussians_has_its_auc(page: Callable[..., AppTest]) -> None:
    at = page(k="1", part=NUMBER)
    chart = charts(at)[0]
    lines = [series for series in chart["series"] if series.get("name")]
    assert [[point["value"][0] for point in line["data"]] for line in lines] == [["1", "2", "4", "8"]] * 2
    assert [line["name"] for line in lines] == ["mask", "paper"]
    assert [point["symbolSize"] for point in lines[0]["data"]] == [13, 7, 7, 7]
    assert "From 1 to 8 Gaussians (diagonal covariances), the AUC is between" in text(at)


def test_full_covariances_of_too_few_images_are_warned_about(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    fitted(tiny_cache, covariance="full")
    at = page(k="1", covariance="full")  # 8 images in 8 dimensions
    assert "8 training images are 8 per Gaussian, but a full covariance of 8 dimensions" in text(at)
    assert "Under 1 Gaussian of" in at.markdown[0].value
    at = page(k="1", covariance="full", part=NUMBER)
    assert "Fewer than two of these mixtures are fitted, or can be" in text(at)


def test_fewer_images_than_numbers_to_estimate_are_warned_about(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(k="1")
    assert "This mixture estimates 16 numbers from 8 training images" in text(at)
    fitted(tiny_cache, dimensions=2)
    assert "This mixture estimates" not in text(page(k="1", dimensions="2 PC"))


@pytest.mark.parametrize(("covariance", "dimensions"), [("full", 0), ("diag", 2)])
def test_nothing_is_fitted_in_the_page(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, covariance: str, dimensions: int
) -> None:
    monkeypatch.setattr(mixture, "fitted", lambda *_: pytest.fail("fitted in the page"))
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    at = page(k="4", covariance="full" if covariance == "full" else "diagonal", dimensions=words_of(dimensions))
    assert "This mixture is not fitted yet" in text(at)
    assert not at.get("plotly_chart")
    assert not at.get("echarts_chart")
    at.button(key="fit_mixture").click().run()
    assert started == [f"mixtures-{covariance}-{dimensions}"]


def test_principal_components_say_what_they_hold(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    fitted(tiny_cache, dimensions=2)
    at = page(k="2", dimensions="2 PC")
    run = store.open_run(tiny_cache, "a")
    share = projection.pca_of(run, 2).explained.sum()
    assert f"in 2 principal components, which hold {100 * share:.0f} %" in text(at).replace("\u00a0", " ")
    (options,) = [group.options for group in at.button_group if group.key == "dimensions"]
    assert options == ["all", "2 PC"]


def test_the_best_number_is_that_of_the_held_out_images(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    held_out = {k: float(mixture.likelihoods(run, k).held_out) for k in (1, 2, 4)}
    best = max(held_out, key=held_out.__getitem__)
    other = min(held_out, key=held_out.__getitem__)
    said = text(page(k=str(other))).replace("\u00a0", " ").replace("−", "-")
    gaussians = f"{best} Gaussian{'s' if best > 1 else ''}"
    assert f"Best by held-out likelihood: **{gaussians}** ({held_out[best]:.1f} nats per image of 1 training" in said
    assert f"{held_out[other]:.1f} with {other}" in said
    assert "This number is the best by held-out likelihood" in text(page(k=str(best)))


def test_criteria_over_the_number_of_gaussians(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(k="2", part=NUMBER)
    run = store.open_run(tiny_cache, "a")
    training = training_rows(run)
    (bic, _), (aic, ring), (held_out, _) = (chart["series"] for chart in charts(at)[1:4])
    for k, point in zip((1, 2, 4, 8), bic["data"], strict=True):
        fit = mixture.of_training(run, k)
        assert point["value"][:2] == [str(k), pytest.approx(fit.bic(fit.log_likelihood(run.latents()[training])))]
    assert [point["symbolSize"] for point in bic["data"]] == [8, 15, 8, 8]
    lowest = min((point["value"] for point in aic["data"]), key=lambda value: value[1])
    assert ring["data"] == [lowest[:2]]
    assert [point["value"][0] for point in held_out["data"]] == ["1", "2", "4"]  # eight of eight cannot be held out
    assert "judged by a fit to the other" in text(at)


def test_the_map_shares_out_every_group(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(k="4", part=HOLDS)
    cells = charts(at)[0]["series"][0]["data"]
    likelihoods = mixture.likelihoods(store.open_run(tiny_cache, "a"), 4)
    assert [cell[:2] for cell in cells] == [[j, row] for row in range(6) for j in range(4)]
    shares = np.array([cell[2] for cell in cells]).reshape(6, 4)
    np.testing.assert_allclose(shares.sum(1), 100, atol=1e-3)
    np.testing.assert_allclose(shares[0], 100 * np.bincount(likelihoods.component[:8], minlength=4) / 8, atol=1e-3)


def test_a_click_on_the_map_lists_the_images_of_its_gaussian(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    likelihoods = mixture.likelihoods(run, 4)
    at = page(k="4", part=HOLDS)
    j = int(np.bincount(likelihoods.component[:8]).argmin())
    at.session_state["component_map"] = {"selection": {"selected": [{"series_index": 0, "data_indices": [j]}]}}
    at.run()
    assert at.selectbox(key="gaussian").value == j + 1
    assert at.selectbox(key="gaussian_group").value == "train"
    n = int((likelihoods.component[:8] == j).sum())
    assert f"**{n:,}** image" in text(at)
    at.selectbox(key="gaussian_group").set_value("all groups").run()
    assert f"**{(likelihoods.component == j).sum():,}** image" in text(at)
    assert framed(at) == j


def framed(at: AppTest) -> int:
    """The Gaussian that the map has a frame around."""
    frame = charts(at)[0]["series"][1]["data"]
    assert max(x for x, _ in frame) == min(x for x, _ in frame) + 1
    return int(min(x for x, _ in frame))


def test_a_gaussian_that_a_smaller_mixture_has_not_is_forgotten(page: Callable[..., AppTest]) -> None:
    at = page(k="8", gaussian="7", part=HOLDS)
    assert at.selectbox(key="gaussian").value == 7
    assert framed(at) == 6
    (ks,) = [group for group in at.button_group if group.key == "k"]
    ks.set_value(2).run()
    assert not at.exception
    assert at.selectbox(key="gaussian").value == 1


@pytest.mark.parametrize("dimensions", [0, 2])
def test_ellipses_lie_around_the_codes(page: Callable[..., AppTest], tiny_cache: Path, dimensions: int) -> None:
    fitted(tiny_cache, dimensions=dimensions)
    figure = ellipses(page(k="1", dimensions=words_of(dimensions), part=HOLDS))
    [outline] = [trace for trace in figure["data"] if trace["name"] == "Gaussian 1"]
    run = store.open_run(tiny_cache, "a")
    codes = mixture.codes(run, training_rows(run), 2)
    variances = np.cov(codes.T, bias=True)
    radius = np.sqrt(-2 * np.log(0.1))
    assert max(outline["y"]) == pytest.approx(radius * np.sqrt(variances[1, 1]), rel=0.6 if dimensions == 0 else 0.01)
    assert np.mean(outline["x"][:-1]) == pytest.approx(0, abs=1e-3)


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
    at = app_page("likelihood")
    assert not at.exception
    assert "fas demo" in commands(at)[0]
