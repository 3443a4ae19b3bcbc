"""Presentations beside a plan, by hand: 12 of paper, 10 of print, 3 of mask, 20 live; at or above 10 is an attack."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.deciding import card as cards
from fas_core.deciding import certification, plans
from fas_core.deciding.certification import Line, Sheet, at_card, judged
from fas_core.deciding.plans import Asked, Attacks, Plan
from fas_core.errors import BadInputError
from fas_core.evaluation.presentations import of_file, presentations
from fas_core.metrics.operating_point import rule
from fas_core.runs import scorefile, store
from fas_core.runs.scorefile import scores_only_run


def table(**changes: object) -> pd.DataFrame:
    counts = {"": 20, "paper": 12, "print": 10, "mask": 3, "injection: deepfake": 4}
    kinds = [kind for kind, n in counts.items() for _ in range(n)]
    n = len(kinds)
    value = np.where(np.array(kinds) == "", 0.0, 20.0)
    value[0] = 11.0  # one live is rejected
    value[20] = 1.0  # one paper passes
    value[32] = np.nan  # one print does not answer
    value[-1] = 1.0  # one deepfake passes
    rows = {
        "sample_id": [f"s{i}" for i in range(n)],
        "label": ["attack" if kind else "bona_fide" for kind in kinds],
        "pai_species": kinds,
        "subset": "test",
        "subject_id": [f"p{i}" for i in range(n)],
        "score": value,
    }
    return pd.DataFrame(rows | changes)


LIVE = Asked(20, 0, 0.05)


def plan_of(bona_fide: Asked | None = LIVE, **asked: object) -> Plan:
    of_each = Asked(**{"presentations": 10, "subjects": 0, "limit": 0.1} | asked)  # type: ignore[arg-type]
    return Plan("p", "Plan P", "s", "1", "", "", 0.95, bona_fide, (Attacks("prints", 2, ("paper", "print"), of_each),))


def sheet_of(tmp_path: Path, plan: Plan, rows: pd.DataFrame | None = None) -> Sheet:
    run = scores_only_run(tmp_path, "r", table() if rows is None else rows, ["score"], "")
    return certification.sheet(plan, presentations(run, scores.values(run, "score")), ["test"], 10.0)


def by_name(sheet: Sheet) -> dict[str, Line]:
    return {line.name: line for line in sheet.all_lines}


def test_counts_bounds_and_verdicts(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, plan_of())
    lines = by_name(sheet)
    assert list(lines) == ["bona fide", "paper", "print", "mask", "injection: deepfake"]
    counted = {name: (line.n, line.n_non_response, line.n_subjects, line.errors) for name, line in lines.items()}
    assert counted == {
        "bona fide": (20, 0, 20, 1),
        "paper": (12, 0, 12, 1),
        "print": (9, 1, 9, 0),
        "mask": (3, 0, 3, 0),
        "injection: deepfake": (4, 0, 4, 1),
    }
    print_bound = 1 - 0.05 ** (1 / 9)  # no error in nine: one-sided
    assert lines["print"].proved == pytest.approx(print_bound)
    assert lines["print"].proved_words == "28.4 %"  # 28.31 %, rounded up
    assert lines["bona fide"].proved == pytest.approx(0.2161, abs=1e-4)  # 1 of 20, one-sided
    assert {name: line.verdict_words for name, line in lines.items()} == {
        "bona fide": "within",  # 1 of 20 is 5 %
        "paper": "within",  # 1 of 12 is 8 %, and 10 % is allowed
        "print": "too few: needs 1 more",  # the one without a score is none
        "mask": "",
        "injection: deepfake": "",
    }
    assert not sheet.is_met
    assert sheet.sentence() == "Would not meet Plan P: too few: print (needs 1 more)."
    assert "Injection attacks are no presentations and count for nothing here: injection: deepfake (1 of 4 pass)." in (
        sheet.notes()
    )
    assert any("does not ask for, by its words: mask (0 of 3 pass)" in note for note in sheet.notes())
    assert any(
        note == "Without a score, counted beside the rates and for none that is asked for: 1." for note in sheet.notes()
    )


def test_above_is_final(tmp_path: Path) -> None:
    none_may = by_name(sheet_of(tmp_path, plan_of(limit=0.0)))
    assert none_may["paper"].verdict == "above"
    # 1 of 12 is above 5 %, but may still be 1 of 20.
    assert by_name(sheet_of(tmp_path, plan_of(limit=0.05, presentations=20)))["paper"].verdict_words == (
        "too few: needs 8 more"
    )
    assert by_name(sheet_of(tmp_path, plan_of(limit=0.05, presentations=19)))["paper"].verdict == "above"
    sheet = sheet_of(tmp_path, plan_of(Asked(20, 0, 0.04), limit=0.0))
    assert sheet.sentence() == (
        "Would not meet Plan P: above the limit: bona fide (1 of 20 are rejected), paper (1 of 12 pass); "
        "too few: print (needs 1 more)."
    )


def test_met_with_a_species_to_spare(tmp_path: Path) -> None:
    rows = table(pai_species=table()["pai_species"].replace("mask", "print 2"))
    rows["score"] = rows["score"].fillna(30.0)
    sheet = sheet_of(tmp_path, plan_of(), rows)
    assert by_name(sheet)["print 2"].verdict == "too few"  # a third one, and two are asked for
    assert sheet.is_met
    assert sheet.sentence() == "Would meet the counts and limits of Plan P, 2 species, as the plan states them."


def test_missing_species_and_subjects(tmp_path: Path) -> None:
    rows = table()[lambda t: ~t["pai_species"].isin(["print"])]
    of_two = rows.assign(subject_id=np.where(rows["pai_species"] == "paper", "p1", rows["subject_id"]))
    sheet = sheet_of(tmp_path, plan_of(None, subjects=3), of_two)
    assert by_name(sheet)["one more"].verdict == "missing"
    assert by_name(sheet)["paper"].verdict_words == "too few: needs 2 more subjects"
    assert by_name(sheet)["paper"].proved is None  # one subject says nothing about others
    assert sheet.sentence() == "Would not meet Plan P: 1 of 2 species missing; too few: paper (needs 2 more subjects)."
    nameless = sheet_of(tmp_path / "n", plan_of(None, subjects=3), rows.drop(columns="subject_id"))
    assert by_name(nameless)["paper"].verdict_words == "too few: needs named subjects"
    assert by_name(nameless)["paper"].n_subjects is None


def test_no_bona_fide_and_nothing_scored(tmp_path: Path) -> None:
    rows = table()[lambda t: t["pai_species"].isin(["paper", "print"])].copy()
    rows.loc[rows["pai_species"] == "print", "score"] = np.nan
    sheet = sheet_of(tmp_path, plan_of(), rows)
    assert sheet.sentence() == "Would not meet Plan P: no bona fide presentations; without a score: print."
    assert sheet_of(tmp_path / "b", plan_of(None), rows).sentence() == "Would not meet Plan P: without a score: print."


def test_the_bound_is_by_subject(tmp_path: Path) -> None:
    rows = table()
    of_print = rows["pai_species"] == "print"
    rows.loc[of_print, "subject_id"] = [f"q{i % 3}" for i in range(10)]
    line = by_name(sheet_of(tmp_path, plan_of(), rows))["print"]
    assert line.n_subjects == 3
    assert line.as_json()["upper_bound_by"] == "subject"
    assert line.as_json()["upper_bound_by_presentation"] == pytest.approx(1 - 0.05 ** (1 / 9))
    assert line.proved == pytest.approx(1 - 0.05 ** (1 / 3))  # three people without an error
    assert line.is_proved is False


def test_videos_are_presentations_in_a_score_file(tmp_path: Path) -> None:
    rows = table(video_id=[f"v{i // 2}" for i in range(len(table()))], subject_id="p0")
    rows["score"] = rows["score"].fillna(20.0)
    rows.drop(columns="subject_id").to_csv(tmp_path / "s.csv", index=False)
    file = scorefile.read(tmp_path / "s.csv")
    decided = of_file(file, certification.usual_level(["frame", "video mean"]))
    sheet = certification.sheet(plan_of(), decided, ["test"], 10.0)
    lines = by_name(sheet)
    assert (lines["bona fide"].n, lines["paper"].n, lines["print"].n) == (10, 6, 5)
    assert lines["bona fide"].errors == 0  # 11 and 0 make 5.5
    assert lines["paper"].errors == 0  # 1 and 20 make 10.5
    assert not any("Every image" in note for note in sheet.notes())
    assert certification.usual_level(["frame", "session mean"]) == "frame"


def test_where_the_threshold_is_from(tmp_path: Path) -> None:
    rows = pd.concat([table(subset="dev"), table()]).assign(sample_id=lambda t: [f"s{i}" for i in range(len(t))])
    run = scores_only_run(tmp_path, "r", rows, ["score"], "")
    decided = presentations(run, scores.values(run, "score"))
    chosen = judged(decided, rule("bpcer<=0.05"))
    assert (chosen.chosen_on, chosen.reported_on, chosen.is_optimistic) == (("dev",), ("test",), False)
    assert 0 < chosen.threshold <= 11
    with pytest.raises(
        BadInputError, match="cannot be applied to dev: .* 20 subjects, which can prove 13.92 % at best"
    ):
        judged(decided, rule("bpcer<=0.05@95"))
    by_hand = judged(decided, rule("threshold=10"), reported_on=["dev"])
    assert (by_hand.threshold, by_hand.reported_on, by_hand.is_optimistic) == (10.0, ("dev",), True)
    with pytest.raises(BadInputError, match="no subset 'x' here. Subsets: dev, test"):
        judged(decided, rule("threshold=10"), reported_on=["x"])
    only_test = of_file(scorefile.ScoreFile(table(), Path("s.csv")))
    with pytest.raises(BadInputError, match="needs a subset to choose a threshold on"):
        judged(only_test, rule("bpcer<=0.05"))


def test_a_card_says_how_it_is_judged(tmp_path: Path) -> None:
    rows = pd.concat([table(subset="dev"), table()]).assign(sample_id=lambda t: [f"s{i}" for i in range(len(t))])
    run: store.Run = scores_only_run(tmp_path, "r", rows, ["score"], "")
    path = cards.write(cards.card(run, "score", rule("threshold=10"), ["dev"], ["test"], by="x"), tmp_path / "op.json")
    point = cards.read_accepted(path)
    assert (point.run, point.score, point.level, point.threshold) == (run.id, "score", "frame", 10.0)
    at = at_card(point, presentations(run, scores.values(run, "score")))
    assert (at.threshold, at.reported_on, at.chosen_on) == (10.0, ("test",), ("dev",))
    assert at.sheet(plans.plan("ibeta-level-1")).bona_fide.n == 20
    path.write_text(path.read_text().replace('"threshold": 10.0', '"threshold": 11.0'))
    with pytest.raises(BadInputError, match="was changed after it was written"):
        cards.read_accepted(path)


def test_nothing_is_said_to_be_certified(tmp_path: Path) -> None:
    document = str(sheet_of(tmp_path, plan_of()).as_json())
    assert "certif" not in document.casefold()
