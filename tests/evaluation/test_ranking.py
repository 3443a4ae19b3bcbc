"""How AUCs are measured, ranked and read, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fas_core import metrics
from fas_core.evaluation import ranking
from fas_core.metrics import ScoreSet


def scored(live: list[float], attacks: list[float]) -> ScoreSet:
    is_attack = np.r_[np.zeros(len(live), bool), np.ones(len(attacks), bool)]
    return metrics.score_set(
        np.r_[live, attacks].astype(float), is_attack, [None] * len(live) + ["mask"] * len(attacks)
    )


def test_the_margin_of_an_auc_is_that_of_delong() -> None:
    # Attacks 1 and 3 against live 0, 2 and 4. Pairs won by an attack: 1 > 0; 3 > 0 and 3 > 2: AUC 3/6.
    # Shares won per attack: 1/3, 2/3, variance 1/18; per live face: 1, 1/2, 0, variance 1/4.
    one = scored([0, 2, 4], [1, 3])
    assert metrics.roc_auc(one) == 0.5
    assert ranking.auc_margin(one) == pytest.approx(1.96 * np.sqrt((1 / 18) / 2 + (1 / 4) / 3))
    assert ranking.auc_margin(scored([0, 1], [2, 3])) == 0  # an AUC of 1 is read by itself
    assert ranking.auc_margin(scored([0, 2], [1])) == 0  # of one attack there is no variance


@pytest.mark.parametrize(
    ("auc", "margin", "said"),
    [
        (0.30, 0.10, "worse than chance"),
        (0.45, 0.10, "no better than chance"),
        (0.55, 0.10, "no better than chance"),
        (0.55, 0.02, "little better than chance"),
        (0.60, 0.00, ""),
        (0.40, 0.10, "no better than chance"),  # its interval ends at 0.5
    ],
)
def test_how_an_auc_near_chance_is_read(auc: float, margin: float, said: str) -> None:
    read = ranking.reading(auc, margin)
    assert read.startswith(said)
    assert bool(read) == bool(said)


def ranked(auc: float, margin: float = 0.0) -> ranking.Ranking:
    rows = [
        {"subset": "", "species": "mask", "n_live": 40, "n_attack": 20, "auc": auc, "average_precision": 0.5},
        {"subset": "x", "species": "mask", "n_live": 20, "n_attack": 10, "auc": auc - 0.1, "average_precision": 0.5},
        {"subset": "y", "species": "", "n_live": 20, "n_attack": 10, "auc": auc + 0.05, "average_precision": 0.5},
        {"subset": "y", "species": "mask", "n_live": 20, "n_attack": 5, "auc": auc + 0.1, "average_precision": 0.5},
        {"subset": "y", "species": "paper", "n_live": 20, "n_attack": 5, "auc": auc, "average_precision": 0.5},
    ]
    return ranking.Ranking(auc, margin, 0.5, 40, 20, 0, pd.DataFrame(rows))


def test_the_answer_names_the_best_the_second_and_the_worst() -> None:
    said = ranking.answer({"a": ranked(0.8), "b": ranked(0.7), "c": ranked(0.4, 0.05)})
    assert said == (
        "Of 3 scores, **a** tells 20 attacks and 40 live faces apart best (AUC **0.80**), then b (0.70), **c** least "
        "(AUC **0.40**: worse than chance, for live faces score higher than attacks)."
    )
    assert ranking.answer({"a": ranked(0.8)}) == "**a** tells 20 attacks and 40 live faces apart (AUC **0.80**)."
    alike = ranking.answer({"a": ranked(0.8), "b": ranked(0.7999)})
    assert alike == "All 2 scores tell 20 attacks and 40 live faces apart alike (AUC **0.80**)."


def test_the_easiest_and_the_hardest_place_are_subsets_or_species_of_one() -> None:
    easiest, hardest = ranking.extremes({"a": ranked(0.8), "b": ranked(0.7)}).to_dict("records")
    assert (easiest["subset"], easiest["species"], easiest["score"]) == ("y", "mask", "a")  # not all of y: it has two
    assert (hardest["subset"], hardest["species"], hardest["score"]) == ("x", "mask", "a")  # by the best score there
    assert (easiest["is_one_of_several"], hardest["is_one_of_several"]) == (True, False)
    one_place = ranked(0.8)
    alone = ranking.Ranking(0.8, 0.0, 0.5, 40, 20, 0, one_place.rows.iloc[:2])
    assert ranking.extremes({"a": alone}).empty


def test_places_stand_by_level_and_then_by_what_is_reached_there() -> None:
    rows, values = ranking.by_place({"b": ranked(0.7), "a": ranked(0.8)}, "auc")
    assert rows.index.tolist() == [("", "mask"), ("y", "mask"), ("y", ""), ("y", "paper"), ("x", "mask")]
    assert list(values) == ["a", "b"]  # best first
    assert values["a"].tolist() == pytest.approx([0.8, 0.9, 0.85, 0.8, 0.7])
    assert rows["n_attack"].tolist() == [20, 5, 10, 5, 10]


@pytest.mark.parametrize(
    ("auc", "said"), [(1.0, "100 %"), (0.997, ">99 %"), (0.834, "83 %"), (0.001, "<1 %"), (0, "0 %")]
)
def test_a_share_of_pairs_is_never_rounded_to_all_or_none(auc: float, said: str) -> None:
    assert ranking.share_of_pairs(auc).replace("\u00a0", " ") == said


def test_an_area_has_the_digits_that_its_samples_allow() -> None:
    assert [ranking.area(*one) for one in ((0.8346, 999), (0.8346, 1000), (0.9999, 10), (1.0, 10))] == [
        "0.83", "0.835", ">0.99", "1.00",
    ]  # fmt: skip
