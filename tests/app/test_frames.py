"""Latent side by side, driven without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.components import scatter
from fas_core.derive import Work
from fas_core.latent import alignment, frames, projection
from fas_core.runs import store
from tests.app.conftest import commands, texts
from tests.app.conftest import page as opened
from tests.conftest import tiny_samples, write_image_run

EPOCHS = (1, 2, 4)


pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture
def page(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    monkeypatch.setenv("FAS_CACHE", str(tiny_cache))
    return lambda run="a", **query: opened("frames", cache=tiny_cache, run=run, **query)


@pytest.fixture
def epochs(tiny_cache: Path) -> list[store.Run]:
    """Three epochs of one training; each has its own codes."""
    headers = [{"training": "t", "epoch": epoch} for epoch in EPOCHS]
    return [
        write_image_run(tiny_cache, f"m.epoch-{epoch:04d}", tiny_samples(), seed=10 + epoch, header=header)
        for epoch, header in zip(EPOCHS, headers, strict=True)
    ]


def label(run: store.Run) -> str:
    return f"{run.info.name} ({run.id[:6]})"


def plots(at: AppTest) -> list[dict[str, Any]]:
    assert not at.exception, at.exception
    components = [
        component for component in at.get("bidi_component") if component.proto.component_name == "fas_scatter"
    ]
    return [json.loads(component.proto.json) for component in components]


def places(at: AppTest, i: int) -> np.ndarray:
    """(n, 2) what plot i was given."""
    about = plots(at)[i]
    for component in at.get("bidi_component"):
        is_bytes = component.proto.component_name == "fas_scatter_bytes"
        if is_bytes and component.proto.bytes[:64].decode().strip() == about["points"]:
            low, high = np.array(about["low"]), np.array(about["high"])
            return low + np.frombuffer(component.proto.bytes[64:], np.uint16).reshape(-1, 2) / 65535 * (high - low)
    raise AssertionError("no points")


def test_two_runs_stand_beside_each_other_with_an_answer_first(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page()
    first = at.markdown[0].value
    assert first.startswith("From A to B, ")
    a, b = (store.open_run(tiny_cache, name) for name in "ab")
    attack = a.samples(["pai_species"])["pai_species"].to_numpy()
    live = np.flatnonzero((attack == "") & (a.samples(["subset"])["subset"] != "train").to_numpy())
    for species in ("paper", "mask"):
        far = [
            frames.live_spreads(run.latent_blocks, live, {"x": np.flatnonzero(attack == species)})["x"]
            for run in (a, b)
        ]
        assert f"({far[0]:.1f} → {far[1]:.1f})" in first
    assert "(3 paper, 3 mask) and that of 10 live faces outside training" in texts(at)
    assert [plot["note"].split(";")[0] for plot in plots(at)] == ["A: a", "B: b"]
    of_a, of_b = plots(at)
    assert (of_a["run"], of_a["n"], of_a["low"], of_a["high"]) == (of_b["run"], of_b["n"], of_b["low"], of_b["high"])
    assert of_a["legend"]
    assert not of_b["legend"]


def test_runs_of_two_trainings_are_aligned_and_it_is_said_how_well(
    page: Callable[..., AppTest], tiny_cache: Path
) -> None:
    at = page()
    a, b = (store.open_run(tiny_cache, name) for name in "ab")
    own = [projection.coordinates(run, projection.pca_of(run)) for run in (a, b)]
    train = projection.pca_rows(a)[0]
    x, y = (codes[train][:, :4].astype(np.float64) for codes in own)  # half as many axes as there are training images
    expected = alignment.aligned(y, x).applied(own[1][:, :4])[:, :2]
    step = (np.array(plots(at)[0]["high"]) - plots(at)[0]["low"]).max() / 65535
    np.testing.assert_allclose(places(at, 0), own[0][:, :2], atol=step)
    np.testing.assert_allclose(places(at, 1), expected, atol=step)
    table = a.samples(["subset", "label", "subject_id"])
    is_training, is_attack = np.isin(np.arange(24), train), (table["label"] == "attack").to_numpy()
    groups = {"training live": is_training, "other live": ~is_attack & ~is_training, "attacks": is_attack}
    places_of = {
        "codes": own[1][:, :4],
        "pixels": alignment.pixel_places(a.images("inputs", range(24)), is_training, 4),
    }
    left = alignment.left_over(places_of, own[0][:, :4], [0, 1], groups, table["subject_id"].to_numpy(str))
    assert alignment.agreement_words(left) in [caption.value for caption in at.caption]
    (more,) = [caption.proto.help for caption in at.caption if "plain pixels leave" in caption.value]
    assert "The 8 live training images that all share are laid onto those of A" in more


def test_one_pca_of_different_trainings_is_warned_about(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(frame="one PCA")
    assert "of different trainings" in at.warning[0].value
    a, b = (store.open_run(tiny_cache, name) for name in "ab")
    step = (np.array(plots(at)[1]["high"]) - plots(at)[1]["low"]).max() / 65535
    expected = projection.coordinates(b, projection.pca_of(a))[:, :2]
    np.testing.assert_allclose(places(at, 1), expected, atol=step)
    assert "One PCA, fitted on the 8 live training images of A and applied to all" in texts(at)


def test_codes_of_another_size_are_refused_one_pca_in_words_and_aligned(
    page: Callable[..., AppTest], tiny_cache: Path
) -> None:
    small = write_image_run(tiny_cache, "small", tiny_samples(), seed=5, dimensions=3)
    at = page(frame="one PCA", panels=[label(small)])
    assert "different sizes (3, 8 dimensions)" in at.info[0].value
    assert "Each checkpoint has its own PCA" in texts(at)
    assert at.selectbox(key="pcx").options == ["PC 1", "PC 2", "PC 3"]
    assert [plot["note"][:8] for plot in plots(at)] == ["A: a", "B: small"]


def test_samples_are_joined_by_id_and_those_left_out_are_counted(
    page: Callable[..., AppTest], tiny_cache: Path
) -> None:
    fewer = tiny_samples().sample(frac=1, random_state=0).reset_index(drop=True).iloc[:-3]
    few = write_image_run(tiny_cache, "few", fewer, seed=6)
    at = page(panels=[label(few)], frame="one PCA")
    assert "21 samples that all share, 3 of A left out." in texts(at)
    a = store.open_run(tiny_cache, "a")
    expected = {
        sample_id: place
        for run in (few,)
        for sample_id, place in zip(
            run.samples(["sample_id"])["sample_id"],
            projection.coordinates(run, projection.pca_of(a))[:, :2],
            strict=True,
        )
    }
    common = [sample_id for sample_id in a.samples(["sample_id"])["sample_id"] if sample_id in expected]
    step = (np.array(plots(at)[1]["high"]) - plots(at)[1]["low"]).max() / 65535
    np.testing.assert_allclose(places(at, 1), [expected[sample_id] for sample_id in common], atol=step)


def test_the_epochs_of_a_training_follow_each_other_in_one_pca(
    page: Callable[..., AppTest], epochs: list[store.Run]
) -> None:
    at = page("m.epoch-0004")
    assert at.markdown[0].value.startswith("From epoch 1 to epoch 4, ")
    (plot,) = plots(at)
    assert plot["note"] == "Epoch 4: m.epoch-0004"
    assert plot["trails"]["steps"] == ["1", "2", "4"]
    assert plot["trails"]["current"] == 2
    pca = projection.pca_of(epochs[2])
    every = [projection.coordinates(run, pca)[:, :2] for run in epochs]
    mask = (epochs[0].samples(["subset"])["subset"] == "unseen_mask").to_numpy()
    attack = (epochs[0].samples(["label"])["label"] == "attack").to_numpy()
    (trail,) = [group for group in plot["trails"]["groups"] if group["name"] == "unseen_mask"]
    np.testing.assert_allclose(trail["places"], [xy[mask & attack].mean(0) for xy in every], atol=1e-5)
    assert "train" not in [group["name"] for group in plot["trails"]["groups"]]
    (lines,) = [json.loads(chart.proto.spec)["series"] for chart in at.get("echarts_chart")]
    table = epochs[0].samples(["subset", "label", "pai_species"])
    live = np.flatnonzero((table["label"] == "bona_fide") & (table["subset"] != "train"))
    for line in lines:
        attacks = {"it": np.flatnonzero(table["pai_species"] == line["name"])}
        distances = [frames.live_spreads(run.latent_blocks, live, attacks)["it"] for run in epochs]
        assert [(dot["value"][0], dot["symbolSize"]) for dot in line["data"]] == [("1", 7), ("2", 7), ("4", 13)]
        np.testing.assert_allclose([dot["value"][1] for dot in line["data"]], distances)
    assert len(lines) == table["pai_species"][table["label"] == "attack"].nunique()
    bounds = (plot["low"], plot["high"])
    at.button(key="frames_previous").click().run()
    (other,) = plots(at)
    assert other["note"] == "Epoch 2: m.epoch-0002"
    assert (other["low"], other["high"]) == bounds
    assert other["points"] != plot["points"]
    assert at.query_params["epoch"] == "2"
    at.select_slider(key="frames_epoch").set_value("1").run()
    assert plots(at)[0]["trails"]["current"] == 0
    assert at.button(key="frames_previous").disabled


def test_the_same_checkpoints_have_letters_beside_each_other_and_stay_selected(
    page: Callable[..., AppTest], epochs: list[store.Run]
) -> None:
    at = page("m.epoch-0001", epoch="1")
    (plot,) = plots(at)
    assert plot["titles"][0].startswith("PC 1 of epoch 1 (")
    at.session_state["_frames_selected"] = scatter.selection_of(np.array([0, 15]), 24, plot["run"])
    at.session_state["panels"] = [label(run) for run in epochs[1:]]
    at.session_state["show"] = "side by side"
    at.run()
    assert [plot["note"] for plot in plots(at)] == ["A: m.epoch-0001", "B: m.epoch-0002", "C: m.epoch-0004"]
    assert plots(at)[0]["titles"][0].startswith("PC 1 of A (")
    assert "live training images of A and applied to all" in texts(at)
    assert "**2 selected:** 1 train, 1 seen paper." in texts(at)


def test_other_trainings_and_other_data_are_no_epochs(
    page: Callable[..., AppTest], tiny_cache: Path, epochs: list[store.Run]
) -> None:
    write_image_run(tiny_cache, "x.epoch-0003", tiny_samples(), seed=30, header={"training": "u", "epoch": 3})
    assert plots(page("m.epoch-0001"))[0]["trails"]["steps"] == ["1", "2", "4"]
    at = page("x.epoch-0003")  # the only one of its training
    assert len(plots(at)) == 2
    assert "Show" not in [group.label for group in at.button_group]


def test_runs_of_a_link_that_are_gone_are_said(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(panels=["gone (123456)", label(store.open_run(tiny_cache, "b"))])
    assert "There is no Run gone \\(123456\\) here to put beside A" in at.warning[0].value
    assert [plot["note"][0] for plot in plots(at)] == ["A", "B"]
    assert at.query_params["panels"] == label(store.open_run(tiny_cache, "b"))


def test_what_is_selected_is_shown_in_every_checkpoint(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page()
    at.session_state["_frames_selected"] = scatter.selection_of(np.array([0, 15]), 24, plots(at)[0]["run"])
    at.run()
    assert "**2 selected:** 1 train, 1 seen paper." in texts(at)
    (shown,) = [component for component in at.get("bidi_component") if component.proto.component_name == "fas_gallery"]
    about = json.loads(shown.proto.mixed.json)
    assert [panel["name"] for panel in about["panels"]] == ["original", "A", "B"]
    ids = store.open_run(tiny_cache, "a").samples(["sample_id"])["sample_id"].tolist()
    assert [card["id"] for card in about["cards"]] == [ids[0], ids[15]]
    assert len({plot["selection"] for plot in plots(at)}) == 1
    at.sidebar.button_group[0].set_value(["train", "live"]).run()
    assert "**1 selected:** 1 train." in texts(at)


def test_a_missing_umap_is_offered_and_the_pca_shown(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(f"{self.what} of {self.run.info.name}"))
    at = page(frame="aligned UMAP")
    assert "UMAP of A (a) is not computed yet" in texts(at)
    assert "Each checkpoint has its own PCA" in texts(at)
    at.button(key="frames_umap").click().run()
    assert started == ["umap of a"]


def test_known_umaps_are_aligned(page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).normal(size=(24, 2)).astype(np.float32)

    def known(run: store.Run, *_: object) -> projection.Embedding:
        turned = points if run.info.name == "a" else 3 * points[:, ::-1] + 5
        return projection.Embedding(np.arange(24), turned)

    monkeypatch.setattr(projection, "known_umap", known)
    at = page(frame="aligned UMAP")
    of_a, of_b = plots(at)
    np.testing.assert_allclose(places(at, 0), places(at, 1), atol=1e-3)
    assert "Alignment leaves 0 % of " in texts(at)
    assert of_a["titles"] == ["UMAP 1 of A (no unit)", "UMAP 2 of A (no unit)"]
    assert not of_b["ticks"]


def test_one_run_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image_run(tmp_path, "only", tiny_samples())
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    at = opened("frames", cache=tmp_path, run="only")
    assert not at.exception
    assert "two to four side by side" in at.info[0].value
    assert "--keep-epochs 1,2,4,8" in commands(at)[0]


def test_scores_only_runs_are_not_offered_nor_shown(page: Callable[..., AppTest]) -> None:
    at = page()
    assert [option.split(" ")[0] for option in at.multiselect(key="panels").options] == ["b"]
    at = page("vendor")
    assert not at.exception
    assert "needs images and latent codes" in at.info[0].value


def test_runs_without_a_common_sample_or_training_say_so(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    others = tiny_samples().assign(sample_id=[f"z{i}" for i in range(24)])
    at = page(panels=[label(write_image_run(tiny_cache, "others", others, seed=7))])
    assert not at.exception
    assert "share no sample" in at.info[0].value
    untrained = tiny_samples()
    untrained = untrained[untrained["subset"] != "train"].reset_index(drop=True)
    at = page(panels=[label(write_image_run(tiny_cache, "untrained", untrained, seed=8))])
    assert not at.exception
    assert "share 0 live training images, too few to align" in at.info[0].value


def test_colours_are_those_of_a_in_every_panel(page: Callable[..., AppTest]) -> None:
    at = page(colour="glasses")
    assert [[category["words"] for category in plot["categories"]] for plot in plots(at)] == [
        ["no", "yes"],
        ["no", "yes"],
    ]
    assert len({plot["colours"] for plot in plots(at)}) == 1
    assert plots(page(colour="pose x"))[0]["scale"]["title"] == "pose x"


def test_hovering_tells_the_sample_of_a_row_of_all(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    fewer = pd.concat([tiny_samples().iloc[2:]], ignore_index=True)
    at = page(panels=[label(write_image_run(tiny_cache, "few", fewer, seed=6))])
    at.session_state["frames_hover"] = {"asked": {"run": plots(at)[0]["run"], "serial": 1, "rows": [0]}}
    at.run()
    (hover,) = [
        component for component in at.get("bidi_component") if component.proto.component_name == "fas_scatter_hover"
    ]
    (answer,) = json.loads(hover.proto.mixed.json)["answers"]
    assert answer["lines"] == [tiny_samples()["sample_id"].iloc[2], "train"]
