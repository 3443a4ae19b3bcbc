"""Score files by hand: four bona fide samples, four attacks of two species, one sample without a score."""

import math
from pathlib import Path

import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.evaluation import file_metrics
from fas_core.runs.scorefile import ScoreFile


@pytest.fixture
def file() -> ScoreFile:
    rows = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(9)],
            "label": ["bona_fide"] * 4 + ["attack"] * 4 + ["bona_fide"],
            "pai_species": [""] * 4 + ["mask", "mask", "paper", "paper", ""],
            "subset": "all",
            "score": [0.0, 1.0, 2.0, 5.0, 3.0, 4.0, 1.5, 6.0, math.nan],
            "lamp": ["on", "off"] * 4 + ["on"],
        }
    )
    return ScoreFile(rows, Path("s.csv"))


def test_rates_at_a_threshold_are_counted_by_hand(file: ScoreFile) -> None:
    content = file_metrics.summary(file, "s.csv", thresholds=[2.0])
    assert content.n_non_response == {"bona_fide": 1, "attack": 0}
    (at,) = content.at_threshold
    assert at.bpcer == 2 / 4  # 2 and 5 of 0, 1, 2, 5
    assert at.apcer_per_species == {"mask": 0.0, "paper": 1 / 2}  # 1.5 passes
    assert [at_target.target for at_target in content.apcer_at_bpcer] == [0.01, 0.05, 0.1]  # the usual ones


def test_who_does_not_answer_is_rejected_where_it_fails_closed(file: ScoreFile) -> None:
    closed = file_metrics.fail_closed(file)
    content = file_metrics.summary(closed, "s.csv", thresholds=[2.0], priors=[0.5])
    assert content.at_threshold[0].bpcer == 3 / 5
    assert content.n_non_response == {"bona_fide": 0, "attack": 0}
    assert list(content.prior_adjusted_average_precision) == ["0.5"]
    assert file.rows["score"].isna().sum() == 1  # the file itself is as it was


def test_one_class_is_refused_by_name(file: ScoreFile) -> None:
    live = ScoreFile(file.rows[file.rows["label"] == "bona_fide"], file.source)
    with pytest.raises(BadInputError, match=r"Subset 'dev' of s\.csv holds only bona fide samples \(4\)"):
        file_metrics.summary(live, "Subset 'dev' of s.csv")


def test_notes_name_the_first_row_without_a_score_and_idle_thresholds(file: ScoreFile) -> None:
    missing, idle = file_metrics.notes(file, [2.0, 99.0])
    assert missing.startswith("s.csv: 1 samples have no score (first: row 9)")
    assert idle == "Note: The threshold 99.0 is above every score (0.0 to 6.0): nothing is called an attack."
    reversed_scores = ScoreFile(file.rows.assign(score=-file.rows["score"]), file.source)
    assert any("the AUC is 0.2" in note for note in file_metrics.notes(reversed_scores))
    assert file_metrics.notes(file_metrics.fail_closed(file)) == []


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["threshold 5.000000000000001, where BPCER ≤ 5.0 % on these same samples"]),
        ({"thresholds": [2.0]}, ["threshold 2.0"]),
        ({"max_apcer": [0.5]}, ["threshold 4.0, where APCER ≤ 50.0 % on these same samples"]),
        (
            {"thresholds": [2.0], "max_bpcer": [0.25]},
            ["threshold 2.0", "threshold 2.0000000000000004, where BPCER ≤ 25.0 % on these same samples"],
        ),
        ({"max_bpcer": [1.0]}, ["threshold -inf, where BPCER ≤ 100.0 % on these same samples"]),
    ],
)
def test_groups_are_made_at_what_was_asked_for(
    file: ScoreFile, asked: dict[str, list[float]], expected: list[str]
) -> None:
    content = file_metrics.summary(file, "s.csv", **asked)
    groups = file_metrics.groups(file, content, ["lamp"], **asked)
    assert [words for words, _ in groups] == expected
    assert {breakdown.column for _, breakdown in groups} == {"lamp"}
    by_name = {group.name: group for group in groups[0][1].groups}
    assert (by_name["on"].n_bona_fide, by_name["off"].n_bona_fide) == (2, 2)
