"""What Overview shows of a Run: which samples, and which rows of AUCs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.overview import pictures
from app.overview.pictures import MISSED, REJECTED, TYPICAL, examples, missing
from app.session.readers import Kept
from fas_core import metrics
from fas_core.evaluation.join import System
from fas_core.evaluation.summary import Summary
from fas_core.runs import store
from tests.app.conftest import page, texts

IS_ATTACK = np.array([False, False, False, False, True, True, True])
VALUES = np.array([0.1, 0.3, 0.2, 0.9, 0.4, 0.15, 0.8])


def test_the_typical_live_face_is_the_median_and_the_worst_are_deepest_on_the_wrong_side() -> None:
    assert examples(IS_ATTACK, VALUES, 0.5) == {TYPICAL: 2, MISSED: 5, REJECTED: 3}
    assert examples(IS_ATTACK, VALUES, 0.9)[REJECTED] == 3  # a score at the threshold is an attack


def test_what_there_is_not_is_left_out_and_said() -> None:
    assert examples(IS_ATTACK, VALUES, 0.12) == {TYPICAL: 2, REJECTED: 3}
    assert missing([TYPICAL, REJECTED], "images", has_threshold=True) == "At this threshold no attack passes."
    assert missing([TYPICAL, REJECTED, MISSED], "images", has_threshold=True) == ""
    assert examples(IS_ATTACK, VALUES, None) == {TYPICAL: 2}
    assert "threshold" in missing([TYPICAL], "images", has_threshold=False)
    assert examples(IS_ATTACK[4:], VALUES[4:], 0.5) == {MISSED: 1}
    assert examples(~IS_ATTACK[:0], VALUES[:0], 0.5) == {}


def test_a_missing_score_is_no_example() -> None:
    values = np.where(VALUES == 0.2, np.nan, VALUES)
    assert examples(IS_ATTACK, values, 0.5) == {TYPICAL: 1, MISSED: 5, REJECTED: 3}


def of(run: store.Run, score: str) -> Summary:
    from fas_core.evaluation.presentations import FRAME

    return Summary(System(run, score), FRAME, tuple(run.subsets), None, "", Kept(run, score, FRAME))


def test_the_forest_has_a_row_per_subset_and_species(tiny_cache: Path) -> None:
    of_images = of(store.open_run(tiny_cache, "a"), "rec")
    rows = {row.name: row for row in pictures.forest(of_images)}
    assert list(rows) == ["seen_paper", "unseen_mask"]  # train and live hold one class only
    assert rows["unseen_mask"].auc == pytest.approx(metrics.roc_auc(of_images.readers.score_set(["unseen_mask"])))
    assert rows["unseen_mask"].style.is_hollow
    of_file = of(store.open_run(tiny_cache, "vendor"), "score")
    named = {row.name: row for row in pictures.forest(of_file)}
    assert list(named) == ["dev, mask", "dev, paper", "test, mask", "test, paper"]
    test = of_file.readers.score_set(["test"])
    assert named["test, paper"].auc == pytest.approx(metrics.roc_auc(test, "paper"))
    interval = of_file.readers.auc_interval(["test"], "paper")
    assert named["test, paper"].ends == (None if interval is None else (interval.low, interval.high))


def test_of_many_rows_the_hardest_are_shown_in_their_order(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_file = of(store.open_run(tiny_cache, "vendor"), "score")
    every = {row.name: row.auc for row in pictures.forest(of_file)}
    monkeypatch.setattr(pictures, "MOST_ROWS", 2)
    hardest = sorted(every, key=every.__getitem__)[:2]
    assert [row.name for row in pictures.forest(of_file)] == [name for name in every if name in hardest]


def test_overview_leads_from_an_example_to_its_image(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = page(cache=tiny_cache, run="a")
    (shown,) = [component for component in drawn.get("bidi_component") if component.key == "examples"]
    cards = json.loads(shown.proto.mixed.json)["cards"]
    assert cards[0]["group"] == "Typical live"
    assert {card["verdict"] for card in cards[1:]} <= {"missed", "rejected"}
    monkeypatch.setattr(pictures.component, "gallery", lambda shown, *_, **__: shown[0].sample_id)
    to_image = [link.proto for link in page(cache=tiny_cache, run="a").get("page_link") if link.proto.page == "image"]
    assert f"image={cards[0]['id']}" in to_image[0].query_string


def test_a_score_file_has_charts_and_a_word_on_images(tiny_cache: Path) -> None:
    at = page(cache=tiny_cache, run="vendor")
    assert "imported from a score file, which has none" in texts(at)
    assert {"forest", "scores"} <= {element.key for element in at.get("echarts_chart")}
    assert not any(component.key == "examples" for component in at.get("bidi_component"))
