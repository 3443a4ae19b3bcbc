"""The Compare page, without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from fas_core import compare, store

MAIN = str(Path(__file__).resolve().parents[2] / "app" / "main.py")


def label(cache: Path, name: str) -> str:
    run = store.open_run(cache, name)
    return f"{run.info.name} ({run.id[:6]})"


def page_of(cache: Path, monkeypatch: pytest.MonkeyPatch, a: str, b: str | None = None, **params: str) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    at = AppTest.from_file(MAIN, default_timeout=30)
    at.query_params["run"] = label(cache, a)
    at.run()
    for name, value in params.items():
        at.query_params[name] = value
    if b is not None:
        at.query_params["compare"] = label(cache, b)
    at.switch_page("views/compare.py").run()
    assert not at.exception
    assert not at.error
    return at


def test_answer_and_table_are_those_of_the_core(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b")
    a, b = (store.open_run(tiny_cache, name) for name in ("a", "b"))
    found = compare.document(a, "rec", b, "rec")
    flips = found["flips"]
    text = at.markdown[0].value
    assert f"{flips['fixed']} wrong verdicts right and {flips['broken']} right ones wrong" in text
    assert any("16 samples compared" in c.value for c in at.caption)
    table = at.dataframe[0].value.set_index(["Subset", "Class"])
    mask = found["metrics"]["apcer_mask_at_bpcer_0.05"]
    assert table.loc[("all", "mask"), "Wrong in A"] == pytest.approx(100 * mask["a"])
    assert table.loc[("all", "mask"), "B − A"] == pytest.approx(100 * mask["difference"])


def test_flips_are_shown_by_sample_id(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (store.open_run(tiny_cache, name) for name in ("a", "b"))
    pair = compare.paired(a, "rec", b, "rec")
    pair = pair.in_subsets(["live", "seen_paper", "unseen_mask"])
    both = compare.flips(pair)
    at = page_of(tiny_cache, monkeypatch, "a", "b", show="All")
    data = json.loads(at.get("bidi_component")[0].proto.mixed.json)
    assert [panel["name"] for panel in data["panels"]] == ["original", "A", "B", "error A", "error B"]
    assert sorted(card["id"] for card in data["cards"]) == sorted(pair.samples["sample_id"])
    for choice, flipped in (
        ("Fixed by B", both.fixed),
        ("Broken by B", both.broken),
        ("Wrong in both", both.both_wrong),
    ):
        at.get_by_key("show").set_value(choice).run()
        wanted = sorted(pair.samples["sample_id"][flipped])
        cards = at.get("bidi_component")
        shown = sorted(c["id"] for c in json.loads(cards[0].proto.mixed.json)["cards"]) if cards else []
        assert shown == wanted


def test_images_of_b_belong_to_the_sample_wherever_it_stands_in_b(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, image_run: Callable[..., store.Run]
) -> None:
    samples = store.open_run(tiny_cache, "a").samples()
    fewer = samples[~samples["sample_id"].isin(["live_0", "seen_paper_1"])].iloc[::-1].reset_index(drop=True)
    other = image_run(tiny_cache, "c", fewer[samples.columns[:13]], seed=9)
    at = page_of(tiny_cache, monkeypatch, "a", "c", show="All")
    mixed = at.get("bidi_component")[0].proto.mixed
    [blob] = mixed.arrow_blobs.values()
    second = pa.ipc.open_stream(blob.data).read_all().column("p2").to_pylist()
    ids = other.samples(["sample_id"])["sample_id"].to_list()
    cards = json.loads(mixed.json)["cards"]
    assert len(cards) == 14
    for card, pixels in zip(cards, second, strict=True):
        assert pixels == other.images("reconstructions", [ids.index(card["id"])])[0].tobytes()


def test_one_species_in_the_curves(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b", attacks="mask")
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    lines = [trace for trace in figure["data"] if trace.get("name") in ("A", "B")]
    assert {trace["line"]["color"] for trace in lines} == {"#CC79A7"}
    assert [trace["line"]["dash"] for trace in lines] == ["solid", "dash"]


def test_scores_only_runs_are_compared_without_images(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "vendor")
    assert at.get_by_key("score_b").value == "score"  # vendor has no "rec"
    assert any("without images" in info.value and "vendor" in info.value for info in at.info)
    assert not at.get("bidi_component")
    assert len(at.get("plotly_chart")) == 2


def test_same_run_and_score_says_so(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "a")
    assert "the same Run with the same score" in at.info[0].value
    at.get_by_key("score_b").set_value("kl").run()
    assert not at.exception
    assert any("samples compared" in caption.value for caption in at.caption)


def test_a_single_run_says_how_to_make_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_cache: Path
) -> None:
    for name in ("b", "vendor"):
        store.remove(store.open_run(tiny_cache, name))
    at = page_of(tiny_cache, monkeypatch, "a")
    assert "make a second Run" in at.info[0].value
    assert "fas cache CHECKPOINT --data MANIFEST" in at.code[0].value


def test_runs_without_a_common_sample(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = store.open_run(tiny_cache, "vendor").samples()
    table = table.assign(sample_id="other/" + table["sample_id"])
    store.scores_only_run(tiny_cache, "elsewhere", table, ["score"], "other.csv")
    at = page_of(tiny_cache, monkeypatch, "a", "elsewhere")
    assert "no sample in common" in at.info[0].value
    assert "elsewhere" in at.info[0].value
