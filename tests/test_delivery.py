"""Injection attacks are named where files are read, and in no rate of presentations. Counted by hand."""

from pathlib import Path

import pandas as pd
import pytest

from fas_core import metrics, scores
from fas_core.data import manifest
from fas_core.data.names import groups_of
from fas_core.errors import BadInputError
from fas_core.evaluation import file_metrics, presentations, run_metrics
from fas_core.evaluation.join import System, joined
from fas_core.runs import census, health, scorefile, store
from fas_core.runs.scorefile import scores_only_run

# live 0, 1, 2, 3; paper 2.5 and 9, presented; deepfake 0.5 and 8, injected: at 2.5 one live of four is rejected, no
# paper passes, and one of two deepfakes.
ROWS = pd.DataFrame(
    {
        "sample_id": [f"s{i}" for i in range(8)],
        "label": ["bona_fide"] * 4 + ["attack"] * 4,
        "pai_species": [""] * 4 + ["paper", "paper", "deepfake", "deepfake"],
        "delivery": ["", "presentation", "", "", "Presentation", "", "injection", "INJECTION"],
        "subset": "test",
        "subject_id": [f"p{i}" for i in range(8)],
        "device": ["x", "y"] * 4,
        "score": [0.0, 1.0, 2.0, 3.0, 2.5, 9.0, 0.5, 8.0],
    }
)
INJECTED = "injection: deepfake"


@pytest.fixture
def file(tmp_path: Path) -> scorefile.ScoreFile:
    ROWS.to_csv(tmp_path / "s.csv", index=False)
    return scorefile.read(tmp_path / "s.csv")


@pytest.fixture
def run(tmp_path: Path, file: scorefile.ScoreFile) -> store.Run:
    return scores_only_run(tmp_path, "r", file.rows, ["score"], "s.csv")


def assert_apart(cell: dict, at: dict) -> None:
    assert (cell["n_bona_fide"], cell["n_attack"], cell["n_per_species"]) == (4, 2, {"paper": 2})
    assert cell["roc_auc"] == 7 / 8  # 2.5 beats three of four, 9 all
    assert (at["bpcer"], at["apcer_max"], at["apcer_pooled"]) == (1 / 4, 0, 0)
    apart = cell["injections"]
    assert apart["n_per_species"] == {INJECTED: 2}
    assert apart["roc_auc"] == 5 / 8  # 0.5 beats one of four, 8 all
    assert apart["at_threshold"][0]["apcer_per_species"] == {INJECTED: 1 / 2}


def test_a_score_file_keeps_them_apart(file: scorefile.ScoreFile) -> None:
    summary = file_metrics.summary(file, "s.csv", thresholds=[2.5])
    cell = summary.as_json()
    assert_apart(cell, cell["at_threshold"][0])
    ((_, by_device),) = file_metrics.groups(file, summary, ["device"], thresholds=[2.5])
    assert [group.n_attack for group in by_device.groups] == [1, 1]


def test_a_run_keeps_them_apart(run: store.Run) -> None:
    cell = run_metrics.evaluated(run, thresholds=[2.5]).as_json()["scores"]["score"]["test"]
    assert_apart(cell, cell["at_threshold"][0])
    assert cell["roc_auc_per_species_ci95"].keys() == {"paper"}
    decided = presentations.presentations(run, scores.values(run, "score"))
    assert decided.within(["test"]).tolist() == [True] * 6 + [False] * 2
    rates = run_metrics.rates_at(decided, ["test"], 2.5)
    assert dict(rates.n_per_species) == {"paper": 2}
    missed = run_metrics.worst_subjects(decided, ["test"], 2.5)
    assert [subject.subject_id for subject in missed] == ["p3"]  # not p6, whose deepfake passes


def test_how_many_are_left_out_is_said(run: store.Run) -> None:
    [caution] = run_metrics.evaluated(run).as_json()["warnings"]
    assert caution == {
        "kind": "injections",
        "message": "Injection attacks are no presentations and in no rate of them: 2 injection: deepfake.",
        "n_per_species": {INJECTED: 2},
    }
    assert caution["message"] in health.findings(run, census.of_run(run))


def test_intervals_are_of_presentations_alone(tmp_path: Path, run: store.Run) -> None:
    presented = scores_only_run(tmp_path, "p", ROWS.iloc[:6].drop(columns="delivery"), ["score"], "p.csv")
    ours, theirs = (run_metrics.evaluated(one).as_json()["scores"]["score"]["test"] for one in (run, presented))
    assert {name: ours[name] for name in theirs} == theirs


def test_a_comparison_leaves_them_out(tmp_path: Path, run: store.Run) -> None:
    other = scores_only_run(tmp_path, "other", run.samples().assign(score=range(8)), ["score"], "o.csv")
    both = joined([System(run, "score"), System(other, "score")])
    assert (len(both), both.n_injected, both.n_no_response) == (6, 2, 0)
    assert both.kind_counts == {"bona_fide": 4, "paper": 2}


def test_their_missing_scores_are_no_non_responses_of_presentations() -> None:
    nothing = metrics.score_set([1.0, float("nan")], [0, 1], ["", INJECTED])
    assert dict(nothing.n_non_response) == {"bona_fide": 0, "attack": 0}
    assert nothing.injected is not None
    assert dict(nothing.injected.n_non_response) == {"bona_fide": 0, "attack": 1}


def test_a_manifest_names_them_once(tmp_path: Path) -> None:
    table = ROWS.drop(columns="score").assign(path="a.png").astype(str)
    table.loc[7, "pai_species"] = ""
    rows, problems = manifest.normalised(table)
    assert not problems
    assert rows["pai_species"].tolist()[4:] == ["paper", "paper", INJECTED, "injection: unspecified"]
    again, _ = manifest.normalised(rows)
    assert again["pai_species"].tolist() == rows["pai_species"].tolist()
    assert groups_of(rows.assign(subset="unseen_paper")).tolist()[5:7] == ["unseen_paper", INJECTED]


@pytest.mark.parametrize(
    ("row", "text", "problem"),
    [(5, "screen", "'screen' is not understood: write presentation or injection"), (0, "injection", "only attacks")],
)
def test_what_cannot_be_delivered_so_is_refused_by_row(tmp_path: Path, row: int, text: str, problem: str) -> None:
    table = ROWS.copy()
    table.loc[row, "delivery"] = text
    table.to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(BadInputError, match=rf"row {row + 1}: .*{problem}"):
        scorefile.read(tmp_path / "s.csv")
    _, problems = manifest.normalised(table.assign(path="a.png"))
    assert [(one.row, problem in one.problem) for one in problems] == [(row + 1, True)]


@pytest.mark.parametrize("name", ["injection:Swap", "Injection : swap", "INJECTION: swap", "injection:\u00a0swap"])
def test_a_species_called_so_is_injected_however_it_is_written(tmp_path: Path, name: str) -> None:
    species = ["", "", "", "", "swap", "injection", name, "injection: swap"]
    ROWS.drop(columns="delivery").assign(pai_species=species).to_csv(tmp_path / "s.csv", index=False)
    read = scorefile.read(tmp_path / "s.csv")
    counts = file_metrics.summary(read, "s.csv").as_json()
    assert (counts["n_attack"], counts["n_per_species"]) == (1, {"swap": 1})
    assert counts["injections"]["n_per_species"] == {"injection: swap": 2, "injection: unspecified": 1}
    table = ROWS.drop(columns=["delivery", "score"]).assign(pai_species=species, path=ROWS["sample_id"])
    assert manifest.normalised(table)[0]["pai_species"].tolist() == read.rows["pai_species"].tolist()


def test_a_species_and_a_delivery_that_contradict_are_refused(tmp_path: Path) -> None:
    table = ROWS.assign(pai_species=["", "", "", "", "paper", "Injection:swap", "swap", "swap"])
    table.loc[5, "delivery"] = "presentation"
    table.to_csv(tmp_path / "s.csv", index=False)
    says = "pai_species 'injection: swap' with delivery 'presentation': write injection, or the species alone"
    with pytest.raises(BadInputError, match=f"row 6: {says}"):
        scorefile.read(tmp_path / "s.csv")
    _, problems = manifest.normalised(table.assign(path=table["sample_id"]))
    assert [(problem.row, problem.problem) for problem in problems] == [(6, says)]


def test_one_name_in_several_cases_is_one_species_by_delivery(tmp_path: Path) -> None:
    table = ROWS.assign(pai_species=["", "", "", "", "Swap", "SWAP", "injection: swap", "swap"])
    table.to_csv(tmp_path / "s.csv", index=False)
    read = scorefile.read(tmp_path / "s.csv")
    assert read.rows["pai_species"].nunique() == 3  # "", one presented, one injected
    assert any("in case only" in note for note in read.notes)
