"""Cards on new scores: by the right column, the right way round, per row or per video, and nothing without a score."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.deciding import applied, card
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import presentations
from fas_core.metrics import operating_point as op
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples


def card_of(tmp_path: Path, level: str = "frame", source: str = "v.csv") -> Card:
    """A card with the threshold 12 of the score `vendor`."""
    table = tiny_samples()[["sample_id", "label", "pai_species", "subset", "subject_id", "session_id"]]
    table = table.assign(vendor=np.arange(24.0))
    run = scores_only_run(tmp_path / source.split(" ")[-1], "v", table, ["vendor"], source)
    return card.card(run, "vendor", op.rule("threshold=12"), [], ["seen_paper"], level=level)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "new.csv"
    path.write_text(text)
    return path


def test_every_row_gets_a_verdict_and_what_has_no_score_is_an_attack(tmp_path: Path) -> None:
    frozen = card_of(tmp_path)
    path = written(tmp_path, "sample_id,vendor,label\na,12,live\nb,11.9,live\nc,,live\nd,-inf,?\ne,inf,?\n")
    judged = applied.of_scores(frozen, applied.read(path, frozen))
    assert [(one.sample_ids, one.called) for one in judged.of] == [
        (("a",), "attack"),  # at the threshold
        (("b",), "bona_fide"),
        (("c",), "attack"),
        (("d",), "bona_fide"),
        (("e",), "attack"),
    ]
    assert judged.counts == {"n": 5, "attack": 3, "bona_fide": 2, "no_score": 1}
    document = judged.as_json()
    assert document["verdicts"][2] == {
        "sample_id": "c",
        "score": None,
        "threshold": 12.0,
        "verdict": "attack",
        "reason": "the file has no score of it",
    }
    assert document["verdicts"][4]["score"] == "inf"
    assert judged.in_words == "5 samples: 3 attack, 1 of them without a score; 2 bona fide"


def test_videos_and_sessions_are_decided_on_as_a_whole(tmp_path: Path) -> None:
    frozen = card_of(tmp_path, "session mean")
    path = written(
        tmp_path, "sample_id,vendor,session_id,subject_id\na,10,s,p\nb,13,t,p\nc,16,s,p\nd,,t,p\ne,1,s,q\nf,,u,q\n"
    )
    judged = applied.of_scores(frozen, applied.read(path, frozen))
    assert [(one.sample_ids, one.score, one.is_attack) for one in judged.of] == [
        (("a", "c"), 13, True),
        (("b", "d"), 13, True),
        (("e",), 1, False),  # a session of the same name, of somebody else
        (("f",), None, True),
    ]
    assert judged.as_json()["verdicts"][0]["sample_ids"] == ["a", "c"]
    assert judged.in_words.startswith("4 sessions: 3 attack")
    without = written(tmp_path, "sample_id,vendor\na,10\n")
    with pytest.raises(BadInputError, match=r"new.csv cannot be judged per session: column 'session_id' is missing"):
        applied.of_scores(frozen, applied.read(without, frozen), str(without))


def test_another_score_or_direction_is_refused(tmp_path: Path) -> None:
    frozen = card_of(tmp_path)
    path = written(tmp_path, "sample_id,score,rec\na,12,1\n")
    with pytest.raises(
        BadInputError, match=r"no column 'vendor', the score that the card is of; .* --column vendor=NAME"
    ):
        applied.read(path, frozen)
    assert applied.read(path, frozen, {"vendor": ["score"]})["score"].tolist() == [12]
    turned = card_of(tmp_path, source="v.csv --higher-is bona_fide")
    path = written(tmp_path, "sample_id,vendor\na,-12\nb,0\n")
    with pytest.raises(BadInputError, match=r"were negated. Say what they are in .*new.csv: --higher-is bona_fide"):
        applied.read(path, turned)
    assert applied.read(path, turned, higher_is="bona_fide")["score"].tolist() == [12, 0]
    assert applied.read(path, turned, higher_is="attack")["score"].tolist() == [-12, 0]
    other = card_of(tmp_path, source="v.csv --higher-is other=bona_fide")
    assert applied.read(path, other)["score"].tolist() == [-12, 0]
    with pytest.raises(BadInputError, match="write bona_fide or attack"):
        applied.read(path, frozen, higher_is="live")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vendor\n1\n", "no column 'sample_id'"),
        ("sample_id,vendor\n", "has no rows"),
        ("sample_id,vendor\na,1\na,2\n", "row 2: sample_id 'a' is used before"),
        ("sample_id,vendor\n,1\n", "row 1: the sample_id is empty"),
        ("sample_id,vendor\na,high\n", "row 1: score 'high' is not a number"),
    ],
)
def test_what_is_no_table_of_scores_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=message):
        applied.read(written(tmp_path, text), card_of(tmp_path))


def test_nothing_is_decided_by_a_card_that_was_changed(tmp_path: Path) -> None:
    from dataclasses import replace

    frozen = card_of(tmp_path)
    rows = applied.read(written(tmp_path, "sample_id,vendor\na,1\n"), frozen)
    with pytest.raises(BadInputError, match="was changed after it was written"):
        applied.of_scores(replace(frozen, threshold=0.0), rows)


def test_scores_of_another_system_or_scale_are_told_from_those_of_any_mix_of_kinds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(800)],
            "label": ["bona_fide"] * 400 + ["attack"] * 400,
            "pai_species": [""] * 400 + ["print"] * 400,
            "subset": ["dev", "test"] * 400,
            "vendor": np.concatenate([rng.normal(0.3, 0.05, 400), rng.normal(0.7, 0.05, 400)]),
        }
    )
    run = scores_only_run(tmp_path, "v", table, ["vendor"], "")
    frozen = card.card(run, "vendor", op.DEFAULT, ["dev"], ["test"])
    of_card = presentations(run, scores.values(run, "vendor"))
    for n_live in (0, 100, 200):  # whatever share of them are attacks
        of_system = np.concatenate([rng.normal(0.3, 0.05, n_live), rng.normal(0.7, 0.05, 200 - n_live)])
        assert applied.unlike(frozen, of_card, of_system) == ""
    others = rng.normal(0.15, 0.05, 200)  # half of what they would be, and within the range
    assert "cannot be those of vendor on which the card rests" in applied.unlike(frozen, of_card, others)
    assert "Another system" in applied.unlike(frozen, of_card, np.array([30.0, 60.0]))  # few, all outside
    assert applied.unlike(frozen, of_card, np.array([0.3, 0.31, np.nan])) == ""
