"""How AUCs are measured, ranked and read, worked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fas_core.evaluation import ranking
from fas_core.evaluation.ranking import Hardest, Row
from fas_core.metrics import uncertainty
from fas_core.metrics.uncertainty import Floats


def people(n: int) -> pd.DataFrame:
    """20 frames of each of n subjects: half of them live and attacked, the others one of both."""
    subject = np.repeat(np.arange(n), 20)
    is_attack = np.where(subject % 4 == 0, True, np.where(subject % 4 == 1, False, np.arange(20 * n) % 2 == 1))
    return pd.DataFrame(
        {
            "subset": "test",
            "label": np.where(is_attack, "attack", "bona_fide"),
            "pai_species": np.where(is_attack, "mask", ""),
            "subject_id": subject.astype(str),
        }
    )


def readings(rows: pd.DataFrame, times: int, spread: float, gain: float = 0) -> list[str]:
    """How the AUC of the hardest species is read, in `times` draws of an offset per subject and a noise per frame."""
    cells, units = ranking.cells(rows), uncertainty.unit_of(rows)
    subject, is_attack = rows["subject_id"].astype(int).to_numpy(), (rows["label"] == "attack").to_numpy()
    said = []
    for seed in range(times):
        rng = np.random.default_rng([seed, len(rows)])
        values = rng.normal(0, spread, len(rows))[subject] + rng.normal(0, 1, len(rows)) + gain * is_attack
        ranked = ranking.ranking(cells, values, ["test"], units)
        assert ranked is not None
        said.append(ranking.reading(ranked.hardest.auc, ranked.hardest.margin))
    return said


def signals(said: list[str]) -> int:
    return sum(text not in ("no better than chance", "chance may give that too") for text in said)


def of(rows: pd.DataFrame, values: Floats) -> ranking.Ranking:
    subsets = rows["subset"].unique().tolist()
    ranked = ranking.ranking(ranking.cells(rows), values, subsets, uncertainty.unit_of(rows))
    assert ranked is not None
    return ranked


def test_cells_are_what_occurs_and_both_classes_are_those_with_a_score() -> None:
    rows = pd.DataFrame(
        {
            "subset": ["live", "seen_mask", "seen_mask", "unseen_mask", "injected"],
            "label": ["bona_fide", "attack", "bona_fide", "attack", "attack"],
            "pai_species": ["", "mask", "", " ", "injection: mask"],
        }
    )
    for samples in (rows, rows.astype("category")):
        cells = ranking.cells(samples)
        in_order = cells.table.iloc[cells.of].reset_index(drop=True)
        pd.testing.assert_frame_equal(in_order[ranking.KINDS], rows, check_dtype=False)
        assert in_order["species"].tolist() == ["unspecified", "mask", "unspecified", "unspecified", "injection: mask"]
        values = np.array([0, 1, np.nan, 2, 3.0])
        assert cells.has_both_classes(values, ["live", "seen_mask"])
        assert not cells.has_both_classes(values, ["seen_mask"]), "its live face has no score"
        assert not cells.has_both_classes(values, ["live", "injected"]), "an injection is no presentation"
        assert not cells.has_both_classes(values, ["unseen_mask"])


@pytest.mark.parametrize(("n", "spread"), [(8, 0.5), (8, 3), (14, 3), (30, 1)])
def test_without_a_signal_subjects_are_seldom_taken_for_one(n: int, spread: float) -> None:
    assert signals(readings(people(n), 200, spread)) <= 0.08 * 200


def test_few_attackers_are_not_taken_for_a_signal() -> None:
    rows = people(12)
    is_attack = rows["subject_id"].isin(["0", "1", "2"])
    rows = rows.assign(label=np.where(is_attack, "attack", "bona_fide"), pai_species=np.where(is_attack, "mask", ""))
    assert signals(readings(rows, 200, 3)) <= 0.08 * 200


def test_the_worst_of_two_species_is_not_taken_for_a_signal() -> None:
    rows = people(16)
    species = np.where(rows["subject_id"].astype(int) % 8 < 4, "a", "b")
    rows["pai_species"] = np.where(rows["label"] == "attack", species, "")
    assert signals(readings(rows, 200, 2)) <= 0.08 * 200


@pytest.mark.parametrize(("n", "gain", "said"), [(40, 3, ""), (40, -3, "worse than chance"), (24, -4, "worse")])
def test_a_signal_is_found_among_subjects(n: int, gain: float, said: str) -> None:
    read = readings(people(n), 40, 1, gain)
    assert sum(text.startswith(said) and bool(text) == bool(said) for text in read) >= 36


def test_the_hardest_species_is_judged_against_all_live_faces() -> None:
    rows = pd.DataFrame(
        {
            "subset": ["x"] * 6 + ["y"] * 6,
            "label": ["bona_fide", "bona_fide", "attack", "attack", "attack", "attack"] * 2,
            "pai_species": ["", "", "mask", "mask", "paper", "paper"] * 2,
            "sample_id": [str(i) for i in range(12)],
        }
    )
    values = np.array([0, 2, 1, 3, 5, 6, 0, 4, 1, 5, 7, np.nan])
    hardest = of(rows, values).hardest
    # mask 1, 3, 1, 5 against live 0, 2, 0, 4: 2 + 3 + 2 + 4 of 16 pairs.
    assert (hardest.species, hardest.is_one_of_several, hardest.n_attack, hardest.auc) == ("mask", True, 4, 11 / 16)
    is_compared = rows["pai_species"].isin(["", "mask"]).to_numpy()
    margin = uncertainty.auc_margin(
        values[is_compared],
        (rows["pai_species"] == "mask").to_numpy()[is_compared],
        uncertainty.unit_of(rows[is_compared]),
        level=0.975,
    )
    assert hardest.margin == margin


@pytest.mark.parametrize(
    ("auc", "margin", "said"),
    [
        (0.30, 0.10, "worse than chance"),
        (0.45, 0.10, "no better than chance"),
        (0.55, 0.10, "no better than chance"),
        (0.55, 0.02, "little better than chance"),
        (0.60, 0.00, ""),
        (0.80, 0.30, "chance may give that too"),
        (0.40, 0.10, "no better than chance"),  # its interval ends at 0.5
    ],
)
def test_how_an_auc_near_chance_is_read(auc: float, margin: float, said: str) -> None:
    read = ranking.reading(auc, margin)
    assert read.startswith(said)
    assert bool(read) == bool(said)


def ranked(auc: float, margin: float = 0.0) -> ranking.Ranking:
    rows = [
        Row("", "mask", 40, 20, auc, 0.5),
        Row("x", "mask", 20, 10, auc - 0.1, 0.5),
        Row("y", "", 20, 10, auc + 0.05, 0.5),
        Row("y", "mask", 20, 5, auc + 0.1, 0.5),
        Row("y", "paper", 20, 5, auc, 0.5),
    ]
    return ranking.Ranking(auc + 0.1, Hardest("mask", True, 10, auc, margin), 0.5, 40, 20, 0, tuple(rows))


def test_the_answer_names_the_best_the_second_and_the_worst() -> None:
    said = ranking.answer({"a": ranked(0.8), "b": ranked(0.7), "c": ranked(0.4, 0.05)})
    assert said == (
        "Of 3 scores, **a** does best on its hardest attacks, mask (n = 10): AUC **0.80**, optimistic, for it is "
        "chosen on the samples it is judged on; then b (0.70), **c** does least: mask, AUC **0.40** (worse than "
        "chance, for live faces score higher than attacks). With a all 20 attacks against 40 live faces: 0.90."
    )
    assert ranking.answer({"a": ranked(0.8)}) == (
        "**a** tells the hardest attacks, mask (n = 10), from live faces with AUC **0.80**; "
        "all 20 attacks against 40 live faces: 0.90."
    )
    alike = ranking.answer({"a": ranked(0.8), "b": ranked(0.7999)}, str.upper)
    assert alike.startswith("All 2 scores do alike on their hardest attacks, MASK (n = 10): AUC **0.80**; all 20")


def test_the_easiest_and_the_hardest_place_are_subsets_or_species_of_one() -> None:
    easiest, hardest = ranking.extremes({"a": ranked(0.8), "b": ranked(0.7)}).to_dict("records")
    assert (easiest["subset"], easiest["species"], easiest["score"]) == ("y", "mask", "a")  # not all of y: it has two
    assert (hardest["subset"], hardest["species"], hardest["score"]) == ("x", "mask", "a")  # by the best score there
    assert (easiest["is_one_of_several"], hardest["is_one_of_several"]) == (True, False)
    one_place = ranked(0.8)
    alone = ranking.Ranking(0.8, one_place.hardest, 0.5, 40, 20, 0, one_place.rows[:2])
    assert ranking.extremes({"a": alone}).empty


def test_places_stand_by_level_and_then_by_what_is_reached_there() -> None:
    rows, values = ranking.by_place({"b": ranked(0.7), "a": ranked(0.8)}, "auc")
    assert rows.index.tolist() == [("", "mask"), ("y", "mask"), ("y", ""), ("y", "paper"), ("x", "mask")]
    assert list(values) == ["a", "b"]  # best first
    assert values["a"].tolist() == pytest.approx([0.8, 0.9, 0.85, 0.8, 0.7])
    assert rows["n_attack"].tolist() == [20, 5, 10, 5, 10]


def test_a_score_of_fewer_samples_is_told_beside_the_ranking() -> None:
    """All attacks of "part" are in few samples: what it is ranked by is not what the others are."""
    rows = people(8)
    values = np.random.default_rng(0).normal(size=len(rows)) + 2.0 * (rows["label"] == "attack")
    part = values.where(np.arange(len(rows)) % 4 < 3).to_numpy()
    rankings = {"part": of(rows, part), "whole": of(rows, values.to_numpy())}
    assert ranking.answer(rankings).endswith(" On fewer samples, which may decide its place: part (120 of 160).")
    places, _ = ranking.by_place(rankings, "auc")
    assert places[["n_live", "n_attack"]].sum(axis=1).tolist() == [160]
    assert "fewer" not in ranking.answer({"a": rankings["whole"], "b": of(rows, -values.to_numpy())})


@pytest.mark.parametrize(
    ("auc", "said"), [(1.0, "100 %"), (0.997, ">99 %"), (0.834, "83 %"), (0.001, "<1 %"), (0, "0 %")]
)
def test_a_share_of_pairs_is_never_rounded_to_all_or_none(auc: float, said: str) -> None:
    assert ranking.share_of_pairs(auc).replace("\u00a0", " ") == said


def test_an_area_has_the_digits_that_its_samples_allow() -> None:
    assert [ranking.area(*case) for case in ((0.8346, 999), (0.8346, 1000), (0.9999, 10), (1.0, 10))] == [
        "0.83", "0.835", ">0.99", "1.00",
    ]  # fmt: skip
