"""Sentences, tables and series of the parts, without a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.comparing import answer, curves, distributions, tables
from app.comparing import comparison as c
from app.comparing.comparison import Comparison
from fas_core.evaluation.join import System
from fas_core.evaluation.verdicts import in_widths
from fas_core.metrics.operating_point import Rule
from fas_core.runs import joining
from fas_core.runs.scorefile import scores_only_run
from fas_core.runs.store import Run

from .conftest import SCORES_A, SCORES_B


def caveats(comparison: Comparison, *, intervals: bool = False, training: bool = False) -> str:
    said = answer.caveats(comparison, with_intervals=intervals, leaves_training_out=training)
    return said.replace("\\", "")


def judged(comparison: Comparison, asked: Rule | None = None) -> str:
    return answer.judged(comparison, asked).replace("\\", "")


def test_caveats_say_what_is_compared_and_what_is_left_out(comparison: Comparison, of_three: Comparison) -> None:
    assert caveats(comparison) == (
        "Thresholds 3 (A), 30 (B): BPCER ≤ 25 % matched anew on what is judged; optimistic. Intervals by 8 samples are "
        "being computed …"
    )
    assert judged(of_three).endswith(
        "matched anew on test, optimistic · 7 samples compared, 1 left out because one of the Runs gave no score"
    )
    with_all = caveats(comparison, intervals=True, training=True)
    assert with_all.startswith("Training images are left out. Thresholds")
    assert "on what is judged; optimistic. In brackets: 95 %" in with_all
    assert judged(comparison, comparison.rule) == judged(comparison)
    assert judged(comparison, Rule("cost")).endswith("costs are not all set: BPCER ≤ 25 % is taken**")
    of_species = judged(comparison, Rule("apcer", 0.1, "mask"))
    assert of_species.endswith("is for a single Run: BPCER ≤ 25 % is taken, without its species**")
    assert with_all.endswith("resampling 8 samples, thresholds matched anew each time; p of the AUC by DeLong.")


def test_caveats_count_what_one_run_has_alone(comparison: Comparison, of_three: Comparison, tmp_path: Path) -> None:
    fewer = comparison.a.run.samples().iloc[:5]
    small = System(scores_only_run(tmp_path, "small", fewer, ["score"], "by hand"), "score")
    two = replace(comparison, systems=(comparison.a, small))
    assert judged(two).endswith(" · 5 samples compared, 3 only in A")
    other = replace(two, subsets=("dev",))
    assert judged(other).endswith(" · 0 samples compared")  # those of other subsets are not counted
    three = replace(of_three, systems=(*of_three.systems[:2], small))
    assert judged(three).endswith(" · 5 samples compared, 3 not common to all in A, 3 not common to all in B")


def test_the_command_for_a_fused_score_takes_a_free_name(comparison: Comparison, tmp_path: Path) -> None:
    table = comparison.a.run.samples().assign(score=SCORES_A, device=[f"d{i}" for i in range(8)])
    table["presentation_id"] = table["sample_id"]
    kinds = {kind: table.assign(modality=kind) for kind in ("nir", "depth")}
    nir, depth = (scores_only_run(tmp_path, kind, of, ["score"], "by hand") for kind, of in kinds.items())

    def told(run: Run) -> str:
        return answer.companions(replace(comparison, systems=(System(run, "score"), System(depth, "score"))))

    command = f"As a score of A: `fas scores fuse {nir.id}:score {depth.id}:score --name fused"
    assert told(nir).endswith(f"{command}`")
    assert told(joining.join(nir, {"fused": np.arange(8.0)}, {"fused": "attack"}, "before")).endswith(f"{command}_2`")


def test_caveats_without_verdicts_say_why(comparison: Comparison) -> None:
    nobody = replace(comparison, subsets=())
    said = caveats(nobody)
    assert said.startswith("No verdicts: ")
    assert "Intervals" not in said


def test_the_answer_has_a_paragraph_for_each_other_run(of_three: Comparison) -> None:
    paragraphs = answer.answer(of_three, with_intervals=False).replace("\\", "").split("\n\n")
    assert len(paragraphs) == 2
    assert [text.split(" ", 1)[0] for text in paragraphs] == ["B", "C"]
    of_b, of_c = (" ".join(answer.details(of_three, b, with_intervals=False)) for b in (1, 2))
    assert of_b.startswith("Where each rejects at most 25 %")
    assert "B puts 1 wrong verdicts right and 1 right ones wrong" in of_b
    assert "C puts 3 wrong verdicts right and 1 right ones wrong" in of_c
    assert answer.names_of_runs(of_three) == "**A** first, score · **B** second, score · **C** third, score"


def test_the_table_of_metrics_has_all_runs_and_one_difference(of_three: Comparison) -> None:
    table = tables.metrics_table(c.sheet(of_three), 2, with_intervals=False).set_index("Metric")
    assert [*table] == ["A", "B", "C", "C − A", "95 %", "p"]
    mask = table.loc["APCER of mask at BPCER ≤ 25 %"]
    assert mask[["A", "B", "C", "C − A"]].tolist() == [0.5, 1.0, 0.0, -0.5]
    assert table[["95 %", "p"]].isna().all(axis=None)
    drawn = tables.metrics_table(c.sheet(of_three), 1, with_intervals=True).set_index("Metric")
    assert [*drawn][3] == "B − A"
    assert " to " in drawn.loc["AUC", "95 %"]


def test_thresholds_are_marked_on_every_curve(of_three: Comparison) -> None:
    sets = c.score_sets(of_three, "")
    roc, precision_recall, det = curves.marks_at(sets, c.thresholds(of_three)[0])
    assert roc["A"] == (0.25, pytest.approx(1 / 3))  # one of four live samples rejected, one of three attacks found
    assert det["A"] == (pytest.approx(2 / 3), 0.25)
    assert precision_recall["C"] == (1.0, 0.75)
    assert [curves.marks_at(sets, ())[i] for i in range(3)] == [dict.fromkeys("ABC")] * 3
    assert curves.of_each(sets, [0.5, 0.25, 1]) == "A 0.50, B 0.25, C 1.00"


def test_bands_are_of_a_and_the_run_in_detail(of_three: Comparison) -> None:
    of_apcer, of_precision = curves.bands(of_three, 2)
    assert [*of_apcer] == [*of_precision] == ["A", "C"]
    at, low, high = of_apcer["A"]
    assert len(at) == len(low) == len(high) == len(c.BPCERS)
    assert (low <= high).all()
    assert low[-1] == high[-1] == 0.0  # where all live samples may be rejected, nothing is missed


def test_distributions_are_in_widths_of_live_or_a_loss_that_all_have(comparison: Comparison) -> None:
    assert distributions.offered(comparison) == [distributions.IN_WIDTHS]  # no Runs of images
    by_run = distributions.values_by_group(comparison, distributions.IN_WIDTHS)
    assert by_run["B"]["mask"].tolist() == in_widths(SCORES_B, SCORES_B[:4])[4:6].tolist()
    [live] = {*by_run["A"]} - {"mask", "paper"}
    assert by_run["A"][live].tolist() == by_run["B"][live].tolist()  # in widths, of scores ten times as large
    assert np.median(by_run["A"][live]) == 0
    of_score = distributions.values_by_group(comparison, "score")
    assert of_score["A"]["paper"].tolist() == SCORES_A[6:]


def test_another_rule_reads_other_metrics(comparison: Comparison) -> None:
    by_apcer = replace(comparison, rule=Rule("apcer", 0.5))
    assert (
        "BPCER at APCER ≤ 50 %" in tables.metrics_table(c.sheet(by_apcer), 1, with_intervals=False)["Metric"].tolist()
    )
    assert "lets at most 50" in answer.details(by_apcer, 1, with_intervals=False)[0]
