"""The gallery page and its component, without a browser."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.components import gallery as component
from app.parts import marking
from fas_core import metrics
from fas_core.evaluation.verdicts import verdicts_at
from fas_core.evaluation.words import threshold_text
from fas_core.runs import marks, selections, store

MAIN = str(Path(__file__).resolve().parents[2] / "app" / "main.py")


def page_of(cache: Path, monkeypatch: pytest.MonkeyPatch, run: str = "a", **params: str) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    at = AppTest.from_file(MAIN, default_timeout=30)
    opened = store.open_run(cache, run)
    at.query_params["run"] = f"{opened.info.name} ({opened.id[:6]})"
    for name, value in params.items():
        at.query_params[name] = value
    at.switch_page("views/gallery.py").run()
    assert not at.exception
    return at


def drawn(at: AppTest) -> dict[str, Any]:
    (shown,) = [component for component in at.get("bidi_component") if component.proto.component_name == "fas_gallery"]
    return dict(json.loads(shown.proto.mixed.json))


def choose(monkeypatch: pytest.MonkeyPatch, sample_id: str) -> None:
    """As if somebody opened a card of the gallery at each run of the page."""
    drawn_by = component.gallery

    def chosen(cards: Any, panels: Any, *, key: str, **options: Any) -> str | None:
        drawn_by(cards, panels, key=key, **options)
        return sample_id if key == "images" else None

    monkeypatch.setattr(component, "gallery", chosen)


def card_ids(at: AppTest) -> list[str]:
    return [card["id"] for card in drawn(at)["cards"]]


def expected(cache: Path, score: str = "rec") -> pd.DataFrame:
    """Sample, score and verdict at BPCER <= 5 % on the subset live, worked out without the page."""
    samples = store.open_run(cache, "a").samples()
    live = samples[samples["subset"] == "live"][score].to_numpy(np.float64)
    threshold = np.nextafter(live.max(), np.inf)  # of 4 images none may be rejected
    samples_at = samples[["sample_id", "label", "subset", score]].copy()
    samples_at["verdict"] = verdicts_at(samples_at["label"], samples_at[score].astype(np.float64), threshold)
    return samples_at


def test_cards_follow_the_score(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch)
    ordered = expected(tiny_cache).sort_values("rec", ascending=False)["sample_id"].to_list()
    assert card_ids(at) == ordered
    at.selectbox(key="order").set_value("Score, low to high").run()
    assert card_ids(at) == ordered[::-1]


def test_random_order_repeats_with_its_seed(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = card_ids(page_of(tiny_cache, monkeypatch, order="Random", seed="3"))
    assert first == card_ids(page_of(tiny_cache, monkeypatch, order="Random", seed="3"))
    assert first != card_ids(page_of(tiny_cache, monkeypatch, order="Random", seed="4"))
    assert sorted(first) == sorted(expected(tiny_cache)["sample_id"])


def test_sentence_and_filters_agree_on_the_wrong_verdicts(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, score="kl")  # which tells nothing apart, so both verdicts go wrong
    wrong = expected(tiny_cache, "kl")
    missed = set(wrong[wrong["verdict"] == "missed"]["sample_id"])
    rejected = set(wrong[wrong["verdict"] == "rejected"]["sample_id"])
    assert missed, "the fixture has nothing to miss: the test says nothing"
    assert rejected, "the fixture has nothing to reject: the test says nothing"
    sentence = at.markdown[0].value
    assert f"{len(missed)} of 6 attacks are missed" in sentence
    reported = wrong[wrong["subset"].isin(["seen_paper", "unseen_mask"])]  # neither trained on nor chosen on
    n_rejected = int((reported["verdict"] == "rejected").sum())
    assert f"{n_rejected} of 6 live images are rejected" in sentence
    assert any("chosen on live; reported on seen\\_paper, unseen\\_mask" in c.value for c in at.caption)
    for choice, ids, verdict in (("Missed attacks", missed, "missed"), ("Rejected live", rejected, "rejected")):
        at.get_by_key("verdict").set_value(choice).run()
        assert set(card_ids(at)) == ids
        assert {card["verdict"] for card in drawn(at)["cards"]} == {verdict}


def test_classes_search_and_pages(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, per_page="12")
    assert len(card_ids(at)) == 12
    first = card_ids(at)
    at.get_by_key("page").set_value(2).run()
    assert not set(first) & set(card_ids(at))
    assert len(card_ids(at)) == 12
    at.multiselect(key="classes").set_value(["unseen_mask"]).run()  # and back to page 1
    assert {i.rsplit("_", 1)[0] for i in card_ids(at)} == {"unseen_mask"}
    assert len(card_ids(at)) == 3
    at.text_input(key="find").set_value("MASK_4").run()
    assert card_ids(at) == ["unseen_mask_4"]
    at.text_input(key="find").set_value("[").run()
    assert "No sample of this Run has" in at.info[0].value


def test_a_chosen_card_shows_its_scores_and_metadata(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, "seen_paper_3")
    at = page_of(tiny_cache, monkeypatch)
    tables = [frame.value for frame in at.dataframe]
    scores = next(t for t in tables if "Above" in t).set_index("Score")
    run = store.open_run(tiny_cache, "a")
    samples = run.samples(["sample_id", "subset", "kl"])
    value = samples.loc[samples["sample_id"] == "seen_paper_3", "kl"].iloc[0]
    training = samples.loc[samples["subset"] == "train", "kl"]
    assert scores.loc["kl", "Above"] == np.floor(100 * (training < value).mean())
    metadata = next(t for t in tables if "Field" in t).set_index("Field")["Value"]
    assert (metadata["glasses"], metadata["pai species"]) == ("yes", "paper")
    assert "path" not in metadata
    assert any("seen\\_paper\\_3" in m.value for m in at.markdown)


def test_images_without_output_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    shard = run.shards[-1]
    failed = run.samples().iloc[[0]][["sample_id", "label", "pai_species"]]
    failed = failed.assign(sample_id="<b>broken</b>", subset=shard.subset, reason="not an image")
    failed.to_parquet(shard.folder / "failures.parquet")
    meta = json.loads((shard.folder / "meta.json").read_text()) | {"n_failures": 1}
    meta.pop("sha256")
    (shard.folder / "meta.json").write_text(store.sealed(meta))
    at = page_of(tiny_cache, monkeypatch)
    assert at.expander[-1].label == "1 image gave no output"
    assert at.dataframe[-1].value["reason"].to_list() == ["not an image"]


def test_a_scores_only_run_says_why_there_are_no_images(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "vendor")
    assert "needs images" in at.info[0].value


def test_a_threshold_chosen_on_what_is_shown_is_optimistic(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch)
    at.multiselect(key="chosen_on").set_value(["live", "seen_paper", "unseen_mask"]).run()
    assert not at.exception
    assert any("Optimistic" in c.value for c in at.caption)


def test_error_panel_has_one_scale_for_all_images() -> None:
    original = np.array([[[0, 100, 255, 51]]], np.uint8)
    rebuilt = np.array([[[0, 151, 0, 0]]], np.uint8)
    absolute = component.error_panel(original, rebuilt)
    assert (absolute.low, absolute.high, absolute.palette) == (0.0, 0.5, "error")
    # 51/255 = 0.2 of 0.5; errors above 0.5 stay at the top
    assert np.asarray(absolute.images).tolist() == [[[0, 102, 255, 102]]]
    signed = component.error_panel(original, rebuilt, limit=1.0, signed=True)
    assert (signed.low, signed.high) == (-1.0, 1.0)
    # the middle is no error; darker rebuilt is above it
    assert np.asarray(signed.images).tolist() == [[[128, 102, 255, 153]]]


def test_component_never_reads_texts_as_markup() -> None:
    source = Path(component.__file__).with_suffix(".js").read_text()
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert dangerous not in source


def test_panels_need_one_image_per_card() -> None:
    panel = component.Panel("original", np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="1 cards but 2 images"):
        component.gallery([component.Card("x")], [panel], key="k")


def test_threshold_is_the_core_s(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch)
    live = expected(tiny_cache).query("subset == 'live'")["rec"].to_numpy(np.float64)
    threshold = metrics.threshold_at_bpcer(metrics.score_set(live, np.zeros(len(live))), 0.05)
    assert any(f"Threshold {threshold_text(threshold)}" in c.value for c in at.caption)


def rank(values: pd.Series) -> pd.Series:
    """Share of lower scores, equal ones half."""
    return (values.rank() - 0.5) / len(values)


def test_any_score_can_give_the_order(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, by="kl")
    samples = store.open_run(tiny_cache, "a").samples(["sample_id", "rec", "kl"])
    assert card_ids(at) == samples.sort_values("kl", ascending=False)["sample_id"].to_list()
    lines = drawn(at)["cards"][0]["lines"]
    assert [line.split(" ")[0] for line in lines[:2]] == ["rec", "kl"]


def test_order_by_disagreement_of_two_scores(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, order="Disagreement of two scores", against="kl")
    samples = store.open_run(tiny_cache, "a").samples(["sample_id", "rec", "kl"])
    apart = (rank(samples["rec"].astype(float)) - rank(samples["kl"].astype(float))).abs()
    assert card_ids(at) == samples["sample_id"].iloc[np.argsort(-apart, kind="stable")].to_list()
    first = drawn(at)["cards"][0]
    row = samples.index[samples["sample_id"] == first["id"]][0]
    places = [f"{100 * rank(samples[name].astype(float))[row]:.0f} %" for name in ("rec", "kl")]
    assert first["lines"][0] == f"rank among all images {places[0]} and {places[1]}"


def test_the_order_stands_above_its_controls_after_one_run(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_again: list[str] = []
    again = st.rerun

    def rerun() -> None:
        drawn_again.append("")
        again()

    def order_of(at: AppTest) -> str:
        return next(block.proto.popover.label for block in at.get("popover") if "sort" in block.proto.popover.icon)

    monkeypatch.setattr(st, "rerun", rerun)
    at = page_of(tiny_cache, monkeypatch, order="Score, low to high", by="glasses")
    assert order_of(at) == "glasses ↑"
    at.selectbox(key="by").set_value("chosen score").run()
    at.selectbox(key="score").set_value("kl").run()
    assert order_of(at) == "kl ↑"
    assert not drawn_again
    at.selectbox(key="by").set_value("glasses").run()
    at.selectbox(key="order").set_value("Disagreement of two scores").run()  # which columns have none of
    assert order_of(at) == "kl against elbo"
    assert len(drawn_again) == 1
    at = page_of(tiny_cache, monkeypatch, order="Nonsense", by="nonsense")
    assert order_of(at) == "rec ↓"
    assert len(drawn_again) == 2


def test_nearest_the_threshold_first_or_alone(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, order="Nearest the threshold")
    judged = expected(tiny_cache)
    threshold = np.nextafter(judged[judged["subset"] == "live"]["rec"].to_numpy(np.float64).max(), np.inf)
    nearest = judged["sample_id"].iloc[np.argsort((judged["rec"].astype(float) - threshold).abs(), kind="stable")]
    assert card_ids(at) == nearest.to_list()
    at.slider(key="near").set_value(25).run()
    assert card_ids(at) == nearest.to_list()[:6]


def test_filters_by_any_column(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch)
    samples = store.open_run(tiny_cache, "a").samples()
    at.multiselect(key="where").set_value(["subject_id", "rec", "frame"]).run()
    at.multiselect(key="where_subject_id").set_value(["s0", "u1"]).run()
    of_subjects = samples["subject_id"].isin(["s0", "u1"])
    assert set(card_ids(at)) == set(samples[of_subjects]["sample_id"])
    middle = float(samples["rec"].astype(float).median())
    at.slider(key="where_rec").set_value((middle, float(samples["rec"].max()))).run()
    high = of_subjects & (samples["rec"].astype(float) >= middle)
    assert set(card_ids(at)) == set(samples[high]["sample_id"])
    at.multiselect(key="where_frame").set_value(["1", "4"]).run()
    wanted = high & samples["frame"].isin([1, 4])
    assert set(card_ids(at)) == set(samples[wanted]["sample_id"])
    assert not at.exception


def test_another_run_drops_what_it_does_not_offer(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, where="glasses", by="kl", selection="gone")
    at.session_state["where"] = ["glasses", "no such column"]
    at.session_state["where_glasses"] = ["no", "perhaps"]
    at.run()
    assert not at.exception
    samples = store.open_run(tiny_cache, "a").samples()
    assert set(card_ids(at)) == set(samples[samples["glasses"] == "no"]["sample_id"])


def test_a_saved_selection_is_a_filter(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selections.save(store.open_run(tiny_cache, "a"), "odd ones", ["live_1", "seen_paper_3"])
    at = page_of(tiny_cache, monkeypatch, selection="odd ones")
    assert set(card_ids(at)) == {"live_1", "seen_paper_3"}


def test_marks_are_shown_filtered_and_exported(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    at = page_of(tiny_cache, monkeypatch)
    at.text_input(key="person").set_value("anna").run()
    marks.make(run, "live_1", by="anna", is_marked=True)
    marks.make(run, "live_2", by="bo", is_marked=True, note="<b>blurred</b>")
    shown = {"Marked by me": {"live_1"}, "Marked by anybody": {"live_1", "live_2"}, "With a note": {"live_2"}}
    for choice, ids in shown.items():
        at.selectbox(key="marks").set_value(choice).run()
        assert set(card_ids(at)) == ids, choice
    at.selectbox(key="marks").set_value("Without marks").run()
    assert len(card_ids(at)) == 22
    at.selectbox(key="marks").set_value("All").run()
    cards = {card["id"]: card for card in drawn(at)["cards"]}
    assert [i for i, card in cards.items() if card["marked"]] == ["live_1"]  # the star is one's own
    assert cards["live_2"]["note"] == "bo: <b>blurred</b>"
    marks.make(run, "live_2", by="bo", is_marked=True, note="<b>blurred</b>", own_label="4")
    at.segmented_control(key="view").set_value("Review").run()  # where labels are given without those of others
    blind = {card["id"]: card["note"] for card in drawn(at)["cards"]}
    assert blind["live_2"] == ""
    at.segmented_control(key="view").set_value("Sheet").run()
    assert {card["id"]: card["note"] for card in drawn(at)["cards"]}["live_2"] == "bo: 4, <b>blurred</b>"
    marks.make(run, "live_2", by="bo", is_marked=True, note="<b>blurred</b>")
    marks.make(run, "live_3", by="anna", is_marked=False, own_label="2")
    marks.make(run, "live_0", by="anna", is_marked=False)  # only looked at
    at.run()
    for choice, n in (("Labelled 2", 1), ("Not looked at by me", 21), ("Without marks", 21)):
        at.selectbox(key="marks").set_value(choice).run()
        assert len(card_ids(at)) == n, choice
    exported = pd.read_csv(io.BytesIO(marking.csv(run)))
    assert exported["sample_id"].to_list() == ["live_1", "live_2", "live_3"]


def test_the_panel_shows_what_people_say_and_where_the_image_stands(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, "seen_paper_3")
    run = store.open_run(tiny_cache, "a")
    marks.make(run, "seen_paper_3", by="bo", is_marked=False, note="hand visible", own_label="2")
    marks.make(run, "seen_paper_3", by="anna", is_marked=True, note="a print")
    at = page_of(tiny_cache, monkeypatch, classes="seen paper")
    at.text_input(key="person").set_value("anna").run()
    assert not any("hand visible" in c.value for c in at.caption)  # anna, who has not labelled it, is not told how
    assert any("bo has labelled this image" in c.value for c in at.caption)
    marks.make(run, "seen_paper_3", by="anna", is_marked=True, note="a print", own_label="1")
    at.run()
    assert any("2, hand visible" in c.value for c in at.caption)
    texts = [component.proto.json for component in at.get("bidi_component")]
    bar = next(content for text in texts if text and "words" in (content := json.loads(text)))
    assert bar["card"] == {"id": "seen_paper_3", "marked": True, "label": "1", "own": "a print"}
    ordered = expected(tiny_cache).query("subset == 'seen_paper' and label == 'attack'")
    ids = ordered.sort_values("rec", ascending=False)["sample_id"].to_list()
    assert (bar["place"]["first"], bar["place"]["total"]) == (ids.index("seen_paper_3"), len(ids))
    assert bar["words"] == "seen paper"


def test_filters_stand_as_chips_and_go_with_a_click(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, score="kl", verdict="Rejected live", where="subject id")
    at.session_state["where_subject_id"] = ["u1"]
    at.text_input(key="find").set_value("live").run()
    of_kl = expected(tiny_cache, "kl").assign(subject_id=store.open_run(tiny_cache, "a").samples()["subject_id"])
    n_rejected = int((of_kl["verdict"] == "rejected").sum())
    assert [at.get_by_key(f"chip_{i}").label for i in range(3)] == [
        f"Rejected live · {n_rejected}",
        f"id contains live · {int(of_kl['sample_id'].str.contains('live').sum())}",
        rf"subject id\: u1 · {int((of_kl['subject_id'] == 'u1').sum())}",
    ]
    at.get_by_key("chip_1").click().run()  # the id
    assert at.text_input(key="find").value == ""
    at.get_by_key("chip_1").click().run()  # now the subject
    assert set(card_ids(at)) == set(of_kl[of_kl["verdict"] == "rejected"]["sample_id"])
    assert f"**{n_rejected} of 24 images are shown**" in at.markdown[0].value
    assert "; all rejected live." in at.markdown[0].value
    at.pills(key="subsets").set_value(["live"]).run()
    assert at.get_by_key("chip_1").label.startswith("subsets live · ")
    at.get_by_key("chips_clear").click().run()
    assert len(card_ids(at)) == 24
    assert not any(button.key and button.key.startswith("chip") for button in at.button)
    assert "attacks are missed" in at.markdown[0].value


def test_any_column_orders_and_groups_under_headings(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = store.open_run(tiny_cache, "a").samples().set_index("sample_id")
    at = page_of(tiny_cache, monkeypatch, group="glasses", order="Score, low to high")
    headings = {card["id"]: card["heading"] for card in drawn(at)["cards"]}
    counts = samples["glasses"].fillna("").value_counts()
    wanted = [
        f"glasses: {name or '(empty)'} · {counts[name]}" for name in sorted(counts.index, key=lambda n: (n == "", n))
    ]
    assert [text for text in headings.values() if text] == wanted
    first_of = [sample_id for sample_id, text in headings.items() if text]
    for name, sample_id in zip(sorted(counts.index, key=lambda n: (n == "", n)), first_of, strict=True):
        assert samples[samples["glasses"].fillna("") == name]["rec"].idxmin() == sample_id
    at.selectbox(key="group").set_value("none").run()
    at.selectbox(key="by").set_value("subject_id").run()
    subjects = samples.loc[card_ids(at), "subject_id"].to_list()
    assert subjects == sorted(subjects)
    assert at.get("popover")[0].proto.popover.label == "subject id ↑"
    assert drawn(at)["cards"][0]["lines"][0] == f"subject id {subjects[0]}"
    at.selectbox(key="by").set_value("brightness").run()  # of the image, in no column
    run = store.open_run(tiny_cache, "a")
    brightness = pd.Series(run.images("inputs", np.arange(24)).mean((1, 2)), run.samples(["sample_id"])["sample_id"])
    assert card_ids(at) == brightness.sort_values().index.to_list()


def test_the_browser_makes_the_same_error_map_from_fewer_bytes() -> None:
    rng = np.random.default_rng(0)
    original, rebuilt = rng.integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
    for limit, signed in ((0.35, False), (0.7, True)):
        error = component.error_panel(original, rebuilt, limit=limit, signed=signed)
        panels = [component.Panel("original", original), component.Panel("reconstruction", rebuilt), error]
        sent = component.drawable(panels)
        assert sent["pixels"].column_names == ["p0", "p1"]
        about = sent["panels"][2]
        first, second = (np.frombuffer(sent["pixels"][f"p{i}"][1].as_py(), np.uint8) for i in about["sources"])
        image = np.array(about["scale"], np.uint8)[first.astype(int) - second + 255]
        assert (image.reshape(16, 16) == np.asarray(error.images)[1]).all()
        alone = component.drawable([error])
        assert (alone["pixels"].column_names, alone["panels"][0]["sources"]) == (["p0"], [])


def test_colour_travels_as_three_bytes_and_its_error_is_the_mean_of_the_channels() -> None:
    original, rebuilt = np.random.default_rng(0).integers(0, 256, (2, 2, 16, 12, 3), dtype=np.uint8)
    display = component.Display(80, limit=1.0, signed=False, ssim=True)
    panels = display.of_images({"inputs": original, "reconstructions": rebuilt})
    sent = component.drawable(panels)
    assert [(panel["palette"], panel["height"], panel["width"]) for panel in sent["panels"]] == [
        ("colour", 16, 12), ("colour", 16, 12), ("error", 16, 12), ("error", 16, 12),
    ]  # fmt: skip
    assert [len(sent["pixels"][f"p{i}"][1].as_py()) for i in range(4)] == [576, 576, 192, 192]
    expected = np.abs(original[1].astype(float) - rebuilt[1]).mean(-1)
    assert np.abs(np.asarray(panels[2].images)[1] - expected).max() <= 0.51
    assert [panel.name for panel in display.of_images({"inputs": original})] == ["original"]


def test_the_ssim_map_is_one_more_image(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, ssim_map="true")
    assert [panel["name"] for panel in drawn(at)["panels"]][3:] == ["1 − SSIM"]
    assert drawn(at)["panels"][3]["high"] == component.SSIM_LIMIT
    same = np.random.default_rng(0).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    assert np.asarray(component.ssim_panel(same, same).images).max() == 0
    assert np.asarray(component.ssim_panel(same, 255 - same).images).mean() > 250
