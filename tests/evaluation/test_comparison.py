"""The comparison as a value and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fas_core import scores
from fas_core.deciding import card
from fas_core.errors import BadInputError
from fas_core.evaluation import differences, sheet
from fas_core.evaluation.comparison import compared, document_name
from fas_core.evaluation.fusion import fused
from fas_core.evaluation.join import System, joined
from fas_core.evaluation.matching import matching
from fas_core.metrics import operating_point as op
from fas_core.metrics import uncertainty
from fas_core.metrics.resampling import Statistic
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import learned_samples, tiny_samples, write_image_run

from .conftest import ATTACKS_A, ATTACKS_B, LIVE, correlated, document_of, pair_of, run_of


def test_document_has_every_metric_with_its_difference(both: tuple[store.Run, store.Run]) -> None:
    document = document_of(*both)
    assert (document["a"], document["b"], document["score"], document["n_common"]) == (
        both[0].id,
        both[1].id,
        "score",
        26,
    )
    flips = document["flips"]
    assert (flips["at"], flips["fixed"], flips["broken"], flips["mcnemar_p"]) == ("bpcer<=0.05", 2, 1, 1.0)
    assert flips["per_kind"]["paper"] == {"fixed": 2, "broken": 0, "mcnemar_p": 0.5}
    mask = document["metrics"]["apcer_mask_at_bpcer_0.05"]
    assert (mask["a"], mask["b"], mask["difference"], mask["method"]) == (0.5, 1.0, 0.5, "bootstrap")
    assert set(document["metrics"]) >= {"average_precision", "eer", "bpcer_at_apcer_0.05", "apcer_max_at_bpcer_0.05"}
    for entry in document["metrics"].values():
        assert set(entry) == {"a", "b", "difference", "ci95", "p", "method", "p_is_bound"}
        assert entry["difference"] == entry["b"] - entry["a"]
        low, high = entry["ci95"]
        assert -1 <= low <= entry["difference"] <= high <= 1
        assert 0 < entry["p"] <= 1
    assert (document["unit"], document["n_units"], document["samples_are_independent"]) == ("sample", 26, True)


def test_p_is_by_delong_only_where_samples_are_independent(tmp_path: Path) -> None:
    run, _ = correlated(tmp_path / "1", 400, None, 0.3)
    document = compared(System(run, "a"), System(run, "b"), resamples=400).as_json()
    auc = document["metrics"]["roc_auc"]
    attack = (run.samples(["label"])["label"] == "attack").to_numpy()
    areas, v = uncertainty.delong([scores.values(run, "a"), scores.values(run, "b")], attack)
    z = (areas[1] - areas[0]) / np.sqrt(v[0, 0] + v[1, 1] - 2 * v[0, 1])
    assert auc["method"] == "delong"
    assert auc["p"] == pytest.approx(2 * norm.sf(abs(z)))
    species = document["metrics"]["roc_auc_mask"]
    assert species["method"] == "delong"
    assert species["p"] != auc["p"]
    assert document["metrics"]["eer"]["method"] == "bootstrap"
    # The same scores, but 20 people: no formula for independent samples any more.
    run, _ = correlated(tmp_path / "2", 400, 20, 0.3)
    document = compared(System(run, "a"), System(run, "b"), resamples=400).as_json()
    assert (document["unit"], document["n_units"], document["samples_are_independent"]) == ("subject", 20, False)
    assert document["metrics"]["roc_auc"]["method"] == "bootstrap"
    assert document["in_words"][2].endswith(" right ones wrong.")  # McNemar's p knows nothing of people


def test_training_images_are_not_judged(tiny_cache: Path) -> None:
    a, b = (store.open_run(tiny_cache, name) for name in ("a", "b"))
    assert document_of(a, b, "rec")["n_common"] == 16  # 24 samples, 8 of them training
    assert compared(System(a, "rec"), System(a, "kl"), resamples=20).as_json()["n_only_a"] == 0


def test_of_too_few_samples_nothing_is_claimed_by_any_sentence(both: tuple[store.Run, store.Run]) -> None:
    systems, rule = [System(run, "score") for run in both], op.rule("bpcer<=0.1")
    comparison = compared(*systems, rule, resamples=20)
    assert comparison.worse is not None
    assert comparison.worse.n_compared == 0
    of_sheet = sheet.Sheet(sheet.comparison(systems, rule, is_matched=True))
    assert comparison.headline == "".join(of_sheet.headline(1, with_intervals=False))
    assert comparison.headline.startswith("B (b) cannot be judged, as every species and group has too few samples: ")
    of_species, over_all, _, what_got_worse = comparison.in_words
    assert "the 20 live samples, too few attacks to judge: mask " in of_species
    assert "misses" not in of_species
    assert over_all.startswith("Over all thresholds, of too few to judge: AUC ")
    assert what_got_worse == "What got worse cannot be said: every species and group has too few samples to judge."
    assert comparison.worse.clear_words == "cannot be said"


def test_runs_with_nothing_in_common_are_refused(tmp_path: Path) -> None:
    a, b = run_of(tmp_path, "a", LIVE), run_of(tmp_path, "b", ATTACKS_A)
    systems = [System(a, "score"), System(b, "score")]
    said = "A and B have no sample in common. a holds 20 samples, b 6: other data, or other ids. Choose other Runs."
    for refuses in (lambda: compared(*systems), lambda: fused(systems, chosen_on=["live"])):
        with pytest.raises(BadInputError) as error:
            refuses()
        assert str(error.value) == said
    silent = run_of(tmp_path, "silent", dict.fromkeys(LIVE, float("nan")))
    with pytest.raises(BadInputError, match=r"has a score in each \(20 lack one\)\. Choose another score"):
        compared(systems[0], System(silent, "score"))


def test_thresholds_can_be_matched_by_apcer(both: tuple[store.Run, store.Run]) -> None:
    pair = pair_of(*both)
    assert differences.thresholds(pair, op.rule("apcer<=0.5")) == [
        30,
        50,
    ]  # two papers of four may pass, one mask of two
    for rule in ("cost", "bpcer<=0.1@95", "apcer[mask]<=0.1"):
        with pytest.raises(BadInputError, match="cannot be compared at"):
            document_of(*both, rule=op.rule(rule))


def test_the_value_keys_metrics_by_what_they_are(both: tuple[store.Run, store.Run]) -> None:
    rule = op.rule("bpcer<=0.1")
    comparison = compared(System(both[0], "score"), System(both[1], "score"), rule, resamples=50)
    mask = comparison.metrics[differences.apcer_of("mask", rule)]
    document = comparison.as_json()
    assert document["metrics"]["apcer_mask_at_bpcer_0.1"] == mask.as_json()
    assert [*document["metrics"]] == [document_name(statistic) for statistic in comparison.metrics]
    assert comparison.verdicts is not None
    assert document["flips"] == comparison.verdicts.as_json()
    assert document["flips"]["per_kind"]["mask"] == comparison.verdicts.per_kind["mask"]._asdict()
    assert [*document][-3:] == ["flips", "in_words", "warnings"]
    assert json.loads(json.dumps(document)) == document


def test_document_names() -> None:
    names = {
        Statistic("roc_auc"): "roc_auc",
        Statistic("roc_auc", "mask"): "roc_auc_mask",
        Statistic("eer"): "eer",
        Statistic("average_precision"): "average_precision",
        Statistic("bpcer_at_apcer", 0.1): "bpcer_at_apcer_0.1",
        Statistic("apcer_max_at_bpcer", 0.0): "apcer_max_at_bpcer_0",
        Statistic("apcer_at_bpcer", (0.05, None)): "apcer_pooled_at_bpcer_0.05",
        Statistic("apcer_at_bpcer", (0.05, "3d_mask")): "apcer_3d_mask_at_bpcer_0.05",
    }
    assert {statistic: document_name(statistic) for statistic in names} == names


def test_a_comparison_without_verdicts_says_why(tmp_path: Path) -> None:
    a, b = run_of(tmp_path, "a", ATTACKS_A), run_of(tmp_path, "b", ATTACKS_B)
    comparison = compared(System(a, "score"), System(b, "score"), resamples=20)
    assert comparison.verdicts is None
    assert comparison.no_verdicts_because
    document = comparison.as_json()
    assert [*document][-4:] == ["flips", "flips_undefined_because", "in_words", "warnings"]
    assert document["flips_undefined_because"] == comparison.no_verdicts_because


def test_what_flatters_one_of_the_runs_is_said_with_its_name(tmp_path: Path) -> None:
    a = write_image_run(tmp_path, "a", learned_samples())
    b = write_image_run(tmp_path, "b", tiny_samples().assign(subject_id=""), seed=1)
    document = document_of(a, b, "rec")
    assert document["thresholds"]["optimistic"]
    warnings = document["warnings"]
    assert [warning["run"] for warning in warnings if warning["kind"] == "optimistic"] == [a.id, b.id]
    warnings = [warning for warning in warnings if warning["kind"] != "optimistic"]
    assert [(warning["run"], warning["kind"]) for warning in warnings] == [
        (a.id, "training_overlap"),
        (b.id, "no_subjects"),
    ]
    assert (warnings[0]["n_learned"], warnings[0]["n_dev"], warnings[0]["n_images"]) == (2, 1, 16)
    assert warnings[1]["n_samples"] == 16  # without those of training, which are not compared
    of_itself = compared(System(a, "rec"), System(a, "kl"), resamples=20).as_json()["warnings"]
    assert [warning["kind"] for warning in of_itself] == ["training_overlap", "optimistic"]  # once
    c = write_image_run(tmp_path, "c", tiny_samples(), seed=2)
    elsewhere = compared(System(c, "rec"), System(c, "kl"), chosen_on=["live"], resamples=20).as_json()["warnings"]
    assert [warning["kind"] for warning in elsewhere] == ["subject_overlap"]  # some of live people are judged too


def test_what_choosing_and_judging_share_is_said(tmp_path: Path) -> None:
    """Cards say it of a threshold; a comparison says it of every Run."""
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "sample_id": [f"{subset}{i}" for i in range(40)],
                    "label": ["bona_fide", "attack"] * 20,
                    "pai_species": ["", "print"] * 20,
                    "subset": subset,
                    "subject_id": [f"{'p' if i < 10 else subset}{i}" for i in range(40)],
                }
            )
            for subset in ("dev", "test")
        ],
        ignore_index=True,
    )
    table.loc[40, "sample_id"] = "dev0"  # one image in both
    table = table.assign(a=np.arange(80) / 80, b=np.arange(80)[::-1] / 80)
    run = scores_only_run(tmp_path, "r", table, ["a", "b"], "")
    systems = System(run, "a"), System(run, "b")
    apart = compared(*systems, chosen_on=["dev"], resamples=20)
    assert [caution.kind for _, caution in apart.cautions] == ["subset_overlap", "subject_overlap"]
    assert [caution for _, caution in apart.cautions] == card.cautions(run, op.DEFAULT, ["dev"], ["test"])
    assert apart.cautions[1][1].message.startswith("10 of 40 subjects are also in dev, where thresholds are chosen")
    by_sheet = sheet.Sheet(sheet.comparison(systems, chosen_on=["dev"]))
    assert by_sheet.cautions == list(apart.cautions)
    assert [*by_sheet.cautions_said.values()] == ["A", "A"]
    assert not apart.as_json()["thresholds"]["optimistic"]
    anew = compared(*systems, resamples=20)
    assert [caution.kind for _, caution in anew.cautions] == ["subset_overlap", "optimistic"]
    of_anew = sheet.Sheet(sheet.comparison(systems, is_matched=True))
    assert of_anew.rule_words == "BPCER ≤ 5 % matched anew on dev, test, optimistic"
    assert "Optimistic: the thresholds were chosen on these samples." in of_anew.limits_words
    assert "Optimistic" not in by_sheet.limits_words


def test_runs_that_share_scores_have_no_equal_errors(tmp_path: Path) -> None:
    n = 200
    label = np.array(["bona_fide", "attack"]).repeat(n)
    rng = np.random.default_rng(0)
    fine = np.r_[rng.normal(0, 1, n), rng.normal(2, 1, n)]
    table = pd.DataFrame({"label": label, "pai_species": np.where(label == "attack", "print", ""), "fine": fine})
    table = table.assign(coarse=np.where(fine > 2, 1.0, 0.0), subset="test", sample_id=[str(i) for i in range(2 * n)])
    run = scores_only_run(tmp_path, "r", table, ["fine", "coarse"], "")
    both = joined([System(run, "fine"), System(run, "coarse")])
    assert matching(both, op.Rule("eer")).problem.startswith("EER cannot be matched: B at best rejects ")
    smooth = scores_only_run(tmp_path, "s", table.assign(coarse=-fine[::-1]), ["fine", "coarse"], "")
    assert matching(joined([System(smooth, "fine"), System(smooth, "coarse")]), op.Rule("eer")).problem == ""


def test_attacks_that_the_runs_call_by_different_species_are_counted(tmp_path: Path) -> None:
    samples = tiny_samples()
    a = write_image_run(tmp_path, "a", samples, seed=1)
    other = samples.assign(pai_species=samples["pai_species"].replace("mask", "silicone"))
    b = write_image_run(tmp_path, "b", other, seed=2)
    warnings = compared(System(a, "rec"), System(b, "rec"), resamples=10).as_json()["warnings"]
    (caution,) = [warning for warning in warnings if warning["kind"] == "species_differ"]
    assert (caution["run"], caution["n_samples"]) == (b.id, 3)
    assert "silicone instead of mask" in caution["message"]
    same = compared(System(a, "rec"), System(a, "kl"), resamples=10).as_json()["warnings"]
    assert not [warning for warning in same if warning["kind"] == "species_differ"]
