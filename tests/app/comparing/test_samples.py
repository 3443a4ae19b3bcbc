"""Which samples are listed, in which order, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.comparing import scatter
from app.comparing.comparison import Comparison, joined, sheet
from app.comparing.samples import cards_of, panels_of
from app.components import gallery as component
from fas_core.evaluation.changes import (
    ALL,
    BOTH_WRONG,
    BROKEN,
    CHANGE,
    CHANGED,
    FIXED,
    SCORE_A,
    SCORE_B,
    Pair,
    narrowed,
    ordered,
    pair_of,
    samples_table,
    verdict_masks,
)
from fas_core.evaluation.join import System
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.sheet import Sheet
from fas_core.metrics.operating_point import DEFAULT, Rule
from tests.conftest import tiny_samples, write_image_run


@pytest.fixture
def pair(comparison: Comparison) -> Pair:
    return pair_of(sheet(comparison), 1)


def ids(pair: Pair, show: str, order: str = SCORE_A) -> list[str]:
    listed = ordered(pair, np.flatnonzero(verdict_masks(pair)[show]), order)
    return pair.both.samples["sample_id"].to_numpy(str)[listed].tolist()


def test_verdicts_choose(pair: Pair) -> None:
    assert ids(pair, FIXED) == ["paper0"]
    assert ids(pair, BROKEN) == ["mask0"]
    assert ids(pair, CHANGED) == ["mask0", "paper0"]
    assert ids(pair, BOTH_WRONG) == ["live3", "mask1"]
    assert len(ids(pair, ALL)) == 8


def test_the_order_is_by_either_score_or_by_the_change_of_place_among_live(pair: Pair) -> None:
    assert ids(pair, ALL)[:3] == ["mask0", "paper1", "live3"]
    assert ids(pair, ALL, SCORE_B)[:3] == ["paper1", "paper0", "live3"]
    # paper0 from above 1 of 4 to above all; mask0 from above all to above 2; mask1 from 2 to 1; the others stay.
    assert ids(pair, ALL, CHANGE)[:3] == ["paper0", "mask0", "mask1"]
    assert ids(pair, ALL, CHANGE)[3:] == ["live0", "live1", "live2", "live3", "paper1"]  # equal ones as A has them


def test_without_live_samples_the_change_is_of_the_scores(pair: Pair) -> None:
    nowhere = np.full(8, np.nan)
    assert ids(replace(pair, place_a=nowhere, place_b=nowhere), ALL, CHANGE)[:2] == ["paper1", "paper0"]


def test_of_a_selection_what_passes_the_filters_is_listed() -> None:
    fits = np.array([True, False, True, True])
    assert narrowed(fits, np.array([1, 3])).tolist() == [3]
    assert narrowed(fits, np.array([1])).tolist() == []
    assert narrowed(fits, np.array([], np.int64)).tolist() == [0, 2, 3]  # nothing is selected


def test_without_verdicts_all_are_listed(pair: Pair) -> None:
    without = replace(pair, flips=None)
    assert [*verdict_masks(without)] == [ALL]
    assert len(ids(without, ALL)) == 8
    assert [*samples_table(without, np.arange(2))] == ["Sample", "Class", "Subset", "Score of A", "Score of B"]
    [card, *_] = cards_of(without, np.array([6]))
    assert card.verdict == "right"
    assert list(card.lines) == ["A · 1.5 · above 25 % of live", "B · 70 · above 100 % of live", "paper0"]


def test_a_card_says_both_verdicts_and_is_outlined_by_the_other_run_s(of_three: Comparison) -> None:
    pair = pair_of(sheet(of_three), 2)
    at = pair.both.samples["sample_id"].tolist().index("live0")
    [card] = cards_of(pair, np.array([at]))
    assert card.verdict == "rejected"
    assert list(card.lines) == [
        "A · right · 1 · above 12 % of live",
        "C · rejected · 0.4 · above 87 % of live",
        "live0",
    ]
    table = samples_table(pair, np.array([at]))
    assert table[["Sample", "Verdict of A", "Verdict of C", "Score of C"]].iloc[0].tolist() == [
        "live0",
        "right",
        "rejected",
        0.4,
    ]


def test_the_scatter_answers_with_both_scores(of_three: Comparison) -> None:
    [answer] = scatter.told_of(of_three, 2, np.array([5]))
    assert answer.lines == ["mask1", "mask", "A 2.5", "C 0.9"]
    assert answer.image.size == 0  # no Run of images


def test_its_lines_are_the_thresholds_and_its_points_are_the_same_whatever_the_rule(comparison: Comparison) -> None:
    assert scatter.lines(comparison, 1) == (np.nextafter(3, np.inf), np.nextafter(30, np.inf))
    nobody = replace(comparison, subsets=())
    assert np.isnan(scatter.lines(nobody, 1)).all()
    points = scatter.points_of(comparison)
    assert scatter.points_of(replace(comparison, rule=Rule("apcer", 0.1))).name == points.name
    assert scatter.points_of(nobody).name != points.name
    assert points.paging == "compare_page"  # in addresses that were handed on


def test_its_points_are_the_common_samples_coloured_as_everywhere(of_three: Comparison) -> None:
    points = scatter.points_of(of_three)
    assert len(points) == len(joined(of_three)) == 7  # C gave one no score
    colours = scatter.colours(of_three, 2)
    drawn = {category.name: category.n for category in colours.categories}
    assert drawn == {"bona fide": 4, "mask": 2, "paper": 1}
    assert len(colours.codes) == len(scatter.plane(of_three, 2).points) == 7


def test_each_of_two_modalities_has_its_own_original(tmp_path: Path) -> None:
    samples = tiny_samples()
    of_kind = [
        samples.assign(modality=kind, presentation_id=samples["sample_id"], sample_id=kind + "/" + samples["sample_id"])
        for kind in ("nir", "depth")
    ]
    runs = [write_image_run(tmp_path, rows["modality"][0], rows, seed=i) for i, rows in enumerate(of_kind)]
    systems = tuple(System(run, "pixel_l2") for run in runs)
    chosen = Comparison(systems, FRAME, ("live", "seen_paper"), DEFAULT)
    pair = pair_of(Sheet(chosen), 1)
    rows = np.arange(3)
    panels = panels_of(chosen, pair, rows, component.Display(size=80, limit=0.5, signed=False))
    assert [panel.name for panel in panels] == ["original A", "A", "original B", "B", "error A", "error B"]
    for panel, run, of_run in zip((panels[0], panels[2]), runs, pair.both.rows, strict=True):
        np.testing.assert_array_equal(panel.images, run.images("inputs", of_run[rows]))
