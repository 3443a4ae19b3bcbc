"""The latent space page, driven without a browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from app.components import scatter
from fas_core import scores
from fas_core.data.names import groups_of
from fas_core.derive import Work, parsed
from fas_core.latent import projection
from fas_core.reports.palette import BONA_FIDE_COLOUR, SPECIES_COLOURS, TRAINING_COLOUR, category_styles
from fas_core.runs import selections, store
from tests.app.conftest import commands
from tests.app.conftest import page as app_page

pytestmark = pytest.mark.usefixtures("fresh_caches")


def opened(cache: Path, name: str, monkeypatch: pytest.MonkeyPatch, **query: str | list[str]) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    return app_page("latent", cache=cache, run=name, **query)


@pytest.fixture
def page(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    return lambda name="a", **query: opened(tiny_cache, name, monkeypatch, **query)


def sent(at: AppTest) -> dict[str, Any]:
    """What the scatter was given."""
    assert not at.exception, at.exception
    (plot,) = [component for component in at.get("bidi_component") if component.proto.component_name == "fas_scatter"]
    return json.loads(plot.proto.json)


def carried(at: AppTest, kind: str) -> bytes:
    """The bytes that the browser gets beside it: points, colours or selection."""
    for component in at.get("bidi_component"):
        if component.proto.component_name == "fas_scatter_bytes" and component.proto.bytes.startswith(kind.encode()):
            name, content = component.proto.bytes[:64].decode().strip(), component.proto.bytes[64:]
            assert name == sent(at)[kind]
            return bytes(content)
    raise AssertionError(f"no {kind}")


def legend(at: AppTest) -> list[str]:
    return [f"{category['words']} ({category['n']})" for category in sent(at)["categories"]]


def cards(at: AppTest) -> str:
    (shown,) = [component for component in at.get("bidi_component") if component.proto.component_name == "fas_gallery"]
    return str(shown.proto)


def text(at: AppTest) -> str:
    helps = [element.proto.help for element in at.markdown]
    return "\n".join([*(element.value for element in (*at.markdown, *at.caption, *at.info, *at.warning)), *helps])


def select(at: AppTest, rows: list[int]) -> AppTest:
    """As a gesture in the browser does."""
    at.session_state["_latent_selected"] = scatter.selection_of(np.array(rows), 24, sent(at)["run"])
    return at.run()


def test_the_answer_comes_first_with_numbers(page: Callable[..., AppTest]) -> None:
    at = page()
    assert at.title[0].value == "Latent space"
    first = at.markdown[0].value
    assert "attacks are told from live faces in **" in first
    assert "for paper" in first
    assert "for mask" in first
    assert "3 paper" in text(at)
    assert "3 mask" in text(at)
    assert "8 live training images" in text(at)
    assert "against 10 live faces outside training" in text(at)


def test_groups_keep_their_colours_and_what_was_fitted_is_said(page: Callable[..., AppTest]) -> None:
    at = page()
    assert legend(at) == [
        "train (8)",
        "live (4)",
        "bona fide, seen (3)",
        "bona fide, unseen (3)",
        "unseen mask (3)",
        "seen paper (3)",
    ]
    by_name = {category["name"]: category for category in sent(at)["categories"]}
    assert by_name["live"]["colour"] == BONA_FIDE_COLOUR
    assert by_name["unseen_mask"]["hollow"]
    assert not by_name["seen_paper"]["hollow"]
    assert sent(at)["note"] == "PCA fitted on the 8 live training images"
    assert sent(at)["titles"][0].startswith("PC 1 (")
    assert sent(at)["words"].startswith("24 latent codes, coloured by group. PCA fitted on")


def test_every_row_travels_in_five_bytes(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(pcx="PC 2", pcy="PC 4")
    run = store.open_run(tiny_cache, "a")
    places = projection.coordinates(run, projection.pca_of(run))[:, [1, 3]]
    points = np.frombuffer(carried(at, "points"), np.uint16).reshape(24, 2)
    low, high = np.array(sent(at)["low"]), np.array(sent(at)["high"])
    step = (high - low) / 65535
    np.testing.assert_allclose(low + points * step, places, atol=step.max() / 2 + 1e-6)
    assert (points.min(0) == 0).all()
    assert (points.max(0) == 65535).all()
    code_of = {category["name"]: category["code"] for category in sent(at)["categories"]}
    kinds = groups_of(run.samples(["subset", "label", "pai_species"]))
    assert list(carried(at, "colours")) == [code_of[kind] for kind in kinds]


def test_recolouring_and_filtering_send_no_position_again(page: Callable[..., AppTest]) -> None:
    at = page()
    before = sent(at)
    at.sidebar.button_group[0].set_value(["live", "seen_paper"]).run()
    assert legend(at) == ["live (4)", "bona fide, seen (3)", "seen paper (3)"]
    assert carried(at, "colours").count(255) == 14  # not drawn
    at.selectbox(key="colour").set_value("glasses").run()
    assert sent(at)["points"] == before["points"]
    assert sent(at)["colours"] != before["colours"]


def test_a_column_of_texts_colours_by_category(page: Callable[..., AppTest]) -> None:
    assert legend(page(colour="glasses")) == ["no (12)", "yes (12)"]
    assert legend(page(colour="pai species")) == ["mask (3)", "paper (3)", "not given (18)"]


def test_a_category_keeps_its_colour_when_others_are_filtered_away(page: Callable[..., AppTest]) -> None:
    at = page(colour="subject id")
    before = {category["name"]: category["colour"] for category in sent(at)["categories"]}
    at.sidebar.button_group[0].set_value(["live"]).run()
    after = {category["name"]: category["colour"] for category in sent(at)["categories"]}
    assert list(after) == ["u0", "u1", "u2"]
    assert after.items() <= before.items()
    assert len(set(before.values())) == len(before) == 6


def test_rare_categories_are_drawn_as_other() -> None:
    counts = {f"c{i:02}": 20 - i for i in range(20)} | {"": 1}
    styles = category_styles(counts)
    assert list(styles) == [*(f"c{i:02}" for i in range(12)), "other", "not given"]
    names = [name or "not given" for name in counts]
    colours = scatter.by_category(np.array([0, 19, 20, 12]), names, styles, None)
    named = {category.code: (category.name, category.n) for category in colours.categories}
    assert [named[code] for code in colours.codes] == [("c00", 1), ("other", 2), ("not given", 1), ("other", 2)]


def test_known_names_keep_their_one_colour_as_categories() -> None:
    styles = category_styles(dict.fromkeys(["bona_fide", "mask", "train", "anna", "bert"], 1))
    assert styles["bona_fide"].colour == BONA_FIDE_COLOUR
    assert styles["mask"].colour == SPECIES_COLOURS["mask"]
    assert styles["train"].colour == TRAINING_COLOUR
    assert len({style.colour for style in styles.values()}) == 5


def test_a_column_of_numbers_and_the_score_have_one_scale(page: Callable[..., AppTest]) -> None:
    at = page(colour="pose x")
    assert legend(at) == []
    scale = sent(at)["scale"]
    assert scale["title"] == "pose x"
    ends = [float(scale[end].split(" ")[1].replace("−", "-")) for end in ("low", "high")]
    assert ends == pytest.approx((-10, 25), abs=1.5)
    at.sidebar.button_group[0].set_value(["live"]).run()
    assert sent(at)["scale"] == scale  # fixed: it does not follow what is shown
    assert sent(page(colour="chosen score"))["scale"]["title"] == "rec"


def test_numbers_become_levels_and_missing_ones_are_grey() -> None:
    colours = scatter.by_number(np.array([0.0, 1.0, np.nan, 0.5, np.inf]), title="x", words=str, is_shown=None)
    assert colours.codes.tolist() == [0, 252, 253, 126, 252]
    assert [(category.name, category.n) for category in colours.categories] == [("not given", 1)]
    hidden = scatter.by_number(np.array([np.nan, 1.0]), title="x", words=str, is_shown=np.array([False, True]))
    assert hidden.codes.tolist()[0] == 255
    assert hidden.categories == ()


def test_verdicts_are_those_of_the_operating_point(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at, threshold = page(colour="verdict", rule="By hand", t_rec="100"), 100.0
    run = store.open_run(tiny_cache, "a")
    values, is_attack = scores.values(run, "rec"), run.samples(["label"])["label"].to_numpy() == "attack"
    assert "Threshold 100" in text(at)
    expected = {
        "live accepted": (~is_attack & (values < threshold)).sum(),
        "attack found": (is_attack & (values >= threshold)).sum(),
        "live rejected": (~is_attack & (values >= threshold)).sum(),
        "attack missed": (is_attack & (values < threshold)).sum(),
    }
    assert {category["name"]: category["n"] for category in sent(at)["categories"]} == {
        k: n for k, n in expected.items() if n
    }


def test_a_column_that_says_nothing_is_not_offered(page: Callable[..., AppTest]) -> None:
    offered = page().selectbox(key="colour").options
    assert "glasses" in offered
    assert not {"is constant", "pose y", "sample id", "path"} & set(offered)


def test_other_components_can_be_chosen(page: Callable[..., AppTest]) -> None:
    across, up = sent(page(pcx="PC 3", pcy="PC 4"))["titles"]
    assert across.startswith("PC 3 (")
    assert up.startswith("PC 4 (")


def test_loadings_are_the_largest_entries_of_the_shown_components(
    page: Callable[..., AppTest], tiny_cache: Path
) -> None:
    assert not page().dataframe  # its code is heavy: nobody has asked
    table = page(pcx="PC 2", loadings="true").dataframe[0].value
    components = projection.pca_of(store.open_run(tiny_cache, "a")).components
    assert list(table) == ["PC 2: dimension", "PC 2: loading"]  # both axes show the same one
    loadings = components[1][table["PC 2: dimension"] - 1]
    np.testing.assert_allclose(table["PC 2: loading"], loadings, atol=5e-4)
    assert (np.diff(np.abs(loadings)) <= 0).all()
    assert table["PC 2: dimension"].is_unique


def test_a_selection_shows_its_own_images_and_ids(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page()
    ids = store.open_run(tiny_cache, "a").samples(["sample_id"])["sample_id"].tolist()
    before = sent(at)
    select(at, [0, 9, 15, 16])
    assert "**4 selected:** 1 train, 1 live, 2 seen paper." in text(at)
    for row in (0, 9, 15, 16):
        assert ids[row] in cards(at)
    assert ids[1] not in cards(at)
    labels = [button.proto.label for button in at.get("download_button")]
    assert labels == ["Download the 4 ids (CSV)", "Download the 4 ids (Parquet)"]
    assert sent(at) == before | {"selection": sent(at)["selection"]}  # nothing but the selection is new
    bits = np.unpackbits(np.frombuffer(carried(at, "selection"), np.uint8), count=24)
    assert np.flatnonzero(bits).tolist() == [0, 9, 15, 16]


def test_a_selection_outlives_filters_colours_and_pages(page: Callable[..., AppTest]) -> None:
    at = select(page(), [0, 9, 15])
    at.sidebar.button_group[0].set_value(["live"]).run()
    assert "**1 selected:** 1 live." in text(at)
    at.selectbox(key="colour").set_value("glasses").run()
    at.switch_page("views/overview.py").run()
    at.switch_page("views/latent.py").run()
    at.sidebar.button_group[0].set_value(["train", "live", "seen_paper"]).run()
    assert "**3 selected:**" in text(at)
    run_b = next(option for option in at.sidebar.selectbox[0].options if option.split()[0] == "b")
    at.sidebar.selectbox[0].set_value(run_b).run()
    assert sent(at)["selection"] == ""  # rows of another Run mean nothing here


def packed(flags: list[int]) -> str:
    return base64.b64encode(np.packbits(flags).tobytes()).decode()


def test_what_the_browser_sends_is_unpacked_or_ignored() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 8, 24, 1001):
        flags = rng.integers(0, 2, n)
        message = {"id": "b-1", "run": "r", "n": n, "bits": packed(flags.tolist())}
        heard = scatter.selected_by(message, "r", n)
        assert heard is not None
        assert heard.rows(n).tolist() == np.flatnonzero(flags).tolist()
        for forged in (
            None,
            [],
            message | {"run": "other"},
            message | {"n": n + 1},
            message | {"bits": "%%%"},
            message | {"bits": packed([1] * 64)},
            message | {"bits": packed([1] * (n + 8))},
            message | {"bits": 3},
            message | {"id": 7},
        ):
            assert scatter.selected_by(forged, "r", n) is None


def test_only_rows_of_the_run_are_told_of() -> None:
    asked = {"run": "r", "serial": 3, "rows": [5, 2, 2, 24, -1, True, 1.5, "0", None]}
    rows, serial = scatter.rows_asked(asked, "r", 24)
    assert (rows.tolist(), serial) == ([2, 5], 3)
    for forged in (None, {}, asked | {"run": "x"}, asked | {"rows": 5}, asked | {"serial": "3"}):
        assert len(scatter.rows_asked(forged, "r", 24)[0]) == 0
    assert len(scatter.rows_asked(asked | {"rows": list(range(1000))}, "r", 1000)[0]) == scatter.MOST_ASKED


def test_a_point_without_a_place_is_not_drawn() -> None:
    coordinates = np.array([[0, 0], [np.nan, 1], [2, np.inf], [4, 8]])
    (where,) = scatter.planes([coordinates])
    assert where.is_placed is not None
    assert where.is_placed.tolist() == [True, False, False, True]
    assert (where.low, where.high) == ((0, 0), (4, 8))
    assert scatter.planes([np.zeros((3, 2))])[0].is_placed is None


def test_hovering_tells_the_image_and_its_row(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(colour="glasses")
    at.session_state["latent_hover"] = {"asked": {"run": sent(at)["run"], "serial": 1, "rows": [15, 9]}}
    at.run()
    (hover,) = [
        component for component in at.get("bidi_component") if component.proto.component_name == "fas_scatter_hover"
    ]
    answers = json.loads(hover.proto.mixed.json)["answers"]
    run = store.open_run(tiny_cache, "a")
    assert [answer["row"] for answer in answers] == [9, 15]
    sample = run.samples().iloc[15]
    lines = answers[1]["lines"]
    assert lines[:2] == [sample["sample_id"], "seen paper"]
    assert lines[2].startswith("rec ")
    assert f"glasses: {sample['glasses']}" in lines
    (blob,) = hover.proto.mixed.arrow_blobs.values()
    pixels = pa.ipc.open_stream(blob.data).read_all().column(0)
    assert pixels[1].as_py() == run.images("inputs", [15])[0].tobytes()


def test_a_selection_is_saved_opened_and_deleted(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    ids = run.samples(["sample_id"])["sample_id"].tolist()
    at = select(page(), [0, 9])
    at.text_input(key="latent_name").set_value("../odd")
    at.button(key="latent_save").click().run()
    assert "cannot be the name of a selection" in at.error[0].value
    at.text_input(key="latent_name").set_value("odd")
    at.button(key="latent_save").click().run()
    assert not [error.value for error in at.error]
    assert selections.sample_ids(run, "odd").tolist() == [ids[0], ids[9]]
    assert at.selectbox(key="selection").value == "odd"
    again = page(selection="odd")  # somebody else, with the address
    assert "**2 selected:**" in text(again)
    select(again, [3])
    assert "**1 selected:**" in text(again)  # what is selected afterwards stays
    again.button(key="latent_delete").click().run()
    assert selections.names(run) == []
    assert "**1 selected:**" in text(again)


def test_view_and_legend_in_the_address_reach_the_plot(page: Callable[..., AppTest]) -> None:
    at = page(view="0.25,0.5,4", off=["live", "train"])
    assert sent(at)["view"] == [0.25, 0.5, 4]
    assert sent(at)["off"] == ["live", "train"]
    for nonsense in ("1,2", "a,b,c", "nan,0,1", "0,0,-1", "0,0,0"):
        assert sent(page(view=nonsense))["view"] is None


def test_without_a_selection_the_most_telling_images_stand_there(
    page: Callable[..., AppTest], tiny_cache: Path
) -> None:
    at = page()
    assert "Draw around points to see their images. Until then: the **6 attacks most like live**" in text(at)
    at = page(beside="live faces least like training")
    assert "The **10 live faces least like training** by gmm_nll." in text(at)
    assert "train_0" not in cards(at)
    run = store.open_run(tiny_cache, "a")
    far = scores.values(run, "gmm_nll")
    rows = run.samples(["sample_id", "label", "subset"])
    here = rows[(rows["label"] == "bona_fide") & (rows["subset"] != "train")]
    first = here["sample_id"].iloc[int(np.argmax(far[here.index]))]
    assert min((cards(at).find(name), name) for name in here["sample_id"])[1] == first


def test_missing_umap_shows_the_pca_and_offers_to_compute_it(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "umap_of", lambda *_: pytest.fail("UMAP computed in the page"))
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    at = page(projection="UMAP")
    assert "UMAP is not computed yet" in text(at)
    assert sent(at)["note"].startswith("PCA fitted on")
    at.button(key="compute_umap").click().run()
    assert started == ["umap"]


def test_the_pca_can_be_fitted_on_all_images(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    at = page(pca_on="all images", loadings="true")
    run = store.open_run(tiny_cache, "a")
    assert sent(at)["note"] == "PCA fitted on all 24 images, attacks among them; no labels"
    places = projection.coordinates(run, projection.pca_of(run, on="all"))[:, :2]
    low, high = np.array(sent(at)["low"]), np.array(sent(at)["high"])
    points = np.frombuffer(carried(at, "points"), np.uint16).reshape(24, 2)
    np.testing.assert_allclose(low + points * (high - low) / 65535, places, atol=1e-3)
    table = at.dataframe[0].value
    components = projection.pca_of(run, on="all").components
    np.testing.assert_allclose(table["PC 1: loading"], components[0][table["PC 1: dimension"] - 1], atol=5e-4)
    assert at.selectbox(key="pca_on").options == ["live training images", "all images"]


def test_a_pca_that_takes_long_is_left_to_a_worker(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "is_pca_at_hand", lambda run, on: on == "training")
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    at = page(pca_on="all images")
    assert "principal components of all codes are not computed yet" in text(at)
    assert sent(at)["note"] == "PCA fitted on the 8 live training images"
    at.button(key="compute_pca").click().run()
    assert started == ["pca-all"]


def test_umap_settings_in_the_address_are_those_that_are_computed(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(Work, "start", lambda self: started.append(self.what))
    query = {"neighbours": "5", "min_dist": "0.25", "seed": "7", "umap_on": "live training images"}
    at = page(projection="UMAP", **query)
    assert "UMAP is not computed yet with these settings" in text(at)
    at.button(key="compute_umap").click().run()
    assert started == ["umap-training-5-0.25-7"]
    points = np.arange(48, dtype=np.float32).reshape(24, 2)
    asked: list[projection.Umap] = []

    def known(run: store.Run, how: projection.Umap) -> projection.Embedding:
        asked.append(how)
        return projection.Embedding(np.arange(8), points)

    monkeypatch.setattr(projection, "known_umap", known)
    at.run()
    assert asked == [projection.Umap(5, 0.25, 7, "training")]
    assert sent(at)["note"] == (
        "UMAP fitted on all 8 live training images, the others placed between their nearest; "
        "5 neighbours, least distance 0.25; no labels; seed 7"
    )


def test_umap_settings_out_of_bounds_are_not_taken(page: Callable[..., AppTest]) -> None:
    at = page(projection="UMAP", neighbours="1", min_dist="7", seed="-1")
    assert not at.exception
    assert [at.number_input(key=key).value for key in ("neighbours", "min_dist", "seed")] == [15, 0.1, 0]


def test_more_neighbours_than_training_images_show_the_pca(page: Callable[..., AppTest]) -> None:
    at = page(projection="UMAP", umap_on="live training images")
    assert "UMAP needs more than 15 live training images" in text(at)
    assert sent(at)["note"].startswith("PCA fitted on")


def test_umap_under_way_is_said_and_cannot_be_started_twice(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    assert Work(store.open_run(tiny_cache, "a"), parsed("umap"))._claim()
    at = page(projection="UMAP")
    assert "It is being computed" in text(at)
    assert "compute_umap" not in [button.key for button in at.button]


def test_a_failed_attempt_says_its_last_words(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    work = Work(store.open_run(tiny_cache, "a"), parsed("umap"))
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
    assert sent(at)["note"] == "UMAP fitted on all 24 images; no labels; seed 0"
    assert sent(at)["titles"][0].startswith("UMAP 1")
    assert sent(at)["ticks"] is None  # numbers on its axes would mean nothing


def test_umap_fitted_on_a_sample_says_so_and_shows_each_row_at_its_own_place(
    page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, tiny_cache: Path
) -> None:
    points = np.stack([np.arange(24), 10 * np.arange(24)], 1).astype(np.float32)
    monkeypatch.setattr(projection, "known_umap", lambda *_: projection.Embedding(np.array([1, 8, 20]), points))
    at = page(projection="UMAP")
    said = "UMAP fitted on 3 of 24 images (at most 10,000), the others placed between their nearest; no labels; seed 0"
    assert sent(at)["note"] == said
    assert sent(at)["words"].endswith(f"{said}.")
    placed = np.frombuffer(carried(at, "points"), np.uint16).reshape(24, 2)
    np.testing.assert_allclose(placed, np.arange(24)[:, None].repeat(2, 1) / 23 * 65535, atol=0.5)


def test_a_scores_only_run_says_why_there_is_nothing_and_where_to_go(page: Callable[..., AppTest]) -> None:
    at = page("vendor")
    assert not at.exception
    assert "needs images and latent codes" in at.info[0].value
    assert not [
        component for component in at.get("bidi_component") if component.proto.component_name.startswith("fas_scatter")
    ]


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
    assert sent(at)["note"] == "PCA fitted on the 8 images (there are not two training images)"
    assert legend(at) == ["bona fide (4)", "paper (4)"]


def test_an_empty_cache_says_how_to_make_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    at = app_page("latent")
    assert not at.exception
    assert "fas demo" in commands(at)[0]


def test_a_plane_of_two_units_is_filled_by_both_and_keeps_what_lies_far_out() -> None:
    rng = np.random.default_rng(0)
    xy = np.column_stack([rng.normal(0, 1, 3000), rng.normal(0, 1000, 3000)])
    xy[0], xy[1], xy[2] = (1e9, 0), (0, -np.inf), (np.nan, 0)
    where = scatter.filled_plane(xy, (7.0, np.nan))
    (left, right), (bottom, top) = where.ticks
    assert right == 7.0  # is in view, though few are there
    assert -5 < left < -2.5
    assert -5000 < bottom < -2500
    assert top - bottom < 8000
    assert (where.low, where.high) == ((0, 0), (scatter.ACROSS, 1))
    assert where.points[0, 0] == scatter.TOP
    assert where.points[1, 1] == 0
    assert where.is_placed is not None
    assert (~where.is_placed).nonzero()[0].tolist() == [2]
    inside = where.points[3:, 0] / scatter.TOP * (right - left) + left
    np.testing.assert_allclose(inside, xy[3:, 0].clip(left, right), atol=(right - left) / scatter.TOP)
    empty = scatter.filled_plane(np.empty((0, 2)), (np.nan, np.nan))
    assert empty.ticks == ((0.0, 1.0), (0.0, 1.0))


def test_images_of_points_in_view_come_as_one_sheet_of_small_ones(
    page: Callable[..., AppTest], tiny_cache: Path
) -> None:
    at = page()
    at.session_state["latent_hover"] = {"asked": {"run": sent(at)["run"], "serial": 1, "sheet": [15, 9, 15, 99]}}
    at.run()
    (hover,) = [one for one in at.get("bidi_component") if one.proto.component_name == "fas_scatter_hover"]
    sheet = json.loads(hover.proto.mixed.json)["sheet"]
    images = scatter.smaller(store.open_run(tiny_cache, "a").images("inputs", [9, 15]))
    assert sheet == {"rows": [9, 15], "height": images.shape[1], "width": images.shape[2]}
    (blob,) = hover.proto.mixed.arrow_blobs.values()
    assert pa.ipc.open_stream(blob.data).read_all().column(0)[0].as_py() == images.tobytes()


def test_small_images_are_means_of_squares() -> None:
    image = np.zeros((1, 131, 128), np.uint8)
    image[0, 2:4, :2] = [[10, 20], [30, 41]]
    small = scatter.smaller(image)
    assert small.shape == (1, 65, 64)
    assert small[0, 1, 0] == 25
    assert small.sum() == 25
    assert scatter.smaller(np.ones((2, 16, 16), np.uint8)).shape == (2, 16, 16)


def test_the_gallery_is_opened_on_a_selection_with_a_name(page: Callable[..., AppTest], tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    ids = run.samples(["sample_id"])["sample_id"].tolist()
    at = page()
    assert at.button(key="latent_gallery").disabled
    for rows in ([0, 9], [3]):
        select(at, rows)
        at.session_state["selection"] = None
        at.button(key="latent_gallery").click().run()
        assert not at.exception
        assert selections.names(run) == ["last opened from Latent space"]
        assert selections.sample_ids(run, "last opened from Latent space").tolist() == [ids[row] for row in rows]
