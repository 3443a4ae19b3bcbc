from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fas_core import metrics, scores
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations, run_metrics
from fas_core.metrics import resampling, uncertainty
from fas_core.runs import census, health, store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples, write_image_run


def test_every_cell_matches_its_own_samples(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    document = run_metrics.evaluated(run).as_json()
    assert document["run"] == run.id
    assert list(document["scores"]) == scores.offered(run)
    samples = run.samples(["subset", "label", "rec"])
    eer = document["scores"]["rec"]["unseen_mask"]["eer_ci95"]
    assert (eer["unit"], eer["low"] <= document["scores"]["rec"]["unseen_mask"]["eer"]["value"] <= eer["high"]) == (
        "subject",
        True,
    )
    for subset, cell in document["scores"]["rec"].items():
        part = samples[samples["subset"] == subset]
        attack = part["label"] == "attack"
        assert (cell["n_bona_fide"], cell["n_attack"]) == ((~attack).sum(), attack.sum())
        if attack.any():
            assert cell["roc_auc"] == pytest.approx(roc_auc_score(attack, part["rec"]), abs=1e-12)
        else:
            assert cell["roc_auc"] is None
            assert cell["eer"] is None
            assert cell["roc_auc_ci95"] is None
            assert cell["eer_ci95"] is None
            assert cell["roc_auc_per_species_ci95"] == {}


def test_intervals_resample_subjects_and_each_species_by_itself(tmp_path: Path) -> None:
    samples = tiny_samples()
    samples["subset"] = samples["subset"].replace({"seen_paper": "test", "unseen_mask": "test"})
    run = write_image_run(tmp_path, "a", samples, seed=1)
    cells = {name: cell["test"] for name, cell in run_metrics.evaluated(run).as_json()["scores"].items()}
    here = run.samples()[lambda t: t["subset"] == "test"]
    for species, n_subjects in ((None, 6), ("mask", 6), ("paper", 6)):
        part = here[(here["label"] == "bona_fide") | (species is None) | (here["pai_species"] == species)]
        units = uncertainty.Units("subject", part["subject_id"].to_numpy())
        auc = resampling.Statistic("roc_auc")
        expected = resampling.resampled([part["kl"]], part["label"] == "attack", units, [auc]).interval(auc)
        cell = cells["kl"]
        interval = cell["roc_auc_ci95"] if species is None else cell["roc_auc_per_species_ci95"][species]
        assert expected is not None
        assert interval == {
            "low": pytest.approx(expected.low, abs=1e-12),
            "high": pytest.approx(expected.high, abs=1e-12),
            "unit": "subject",
            "n_units": n_subjects,
            "method": "bootstrap",
            "resamples": 2000,
        }
    assert all(cell["roc_auc_per_species_ci95"].keys() == {"mask", "paper"} for cell in cells.values())
    assert len({str(cell["roc_auc_ci95"]) for cell in cells.values()}) > 3


def test_only_a_run_s_document_has_intervals_and_the_rest_is_that_of_a_score_file(tmp_path: Path) -> None:
    table = tiny_samples()[["sample_id", "label", "pai_species", "session_id"]].assign(subset="test")
    table["score"] = np.random.default_rng(0).normal(0, 1, len(table))
    table.loc[5, "score"] = np.nan
    run = scores_only_run(tmp_path, "vendor", table, ["score"], "vendor.csv")
    for subset, cell in run_metrics.evaluated(run).as_json()["scores"]["score"].items():
        part = run.samples()[lambda t, s=subset: t["subset"] == s]
        plain = metrics.summary(
            metrics.score_set(part["score"], part["label"] == "attack", list(part["pai_species"]))
        ).as_json()
        assert {name: cell[name] for name in plain} == plain
        assert set(cell) - set(plain) == {
            "roc_auc_ci95",
            "roc_auc_per_species_ci95",
            "eer_ci95",
            "at_dev_threshold",
        }
        assert (cell["roc_auc_ci95"]["unit"], cell["roc_auc_ci95"]["n_units"]) == ("session", 8)


def test_one_subject_only_has_no_interval(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples().assign(subject_id="somebody"))
    cell = run_metrics.evaluated(run, "rec").as_json()["scores"]["rec"]["seen_paper"]
    assert cell["roc_auc"] is not None
    assert cell["roc_auc_ci95"] is None
    assert cell["roc_auc_per_species_ci95"] == {"paper": None}


def test_one_class_asked_for_by_name_is_refused(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    with pytest.raises(BadInputError, match=r"Subset 'live' of Run a holds only bona fide samples \(4\)"):
        run_metrics.evaluated(run, "rec", "live").as_json()
    with pytest.raises(BadInputError, match="no subset 'nowhere'. Subsets: train, live"):
        run_metrics.evaluated(run, "rec", "nowhere").as_json()
    with pytest.raises(BadInputError, match="no score 'latent_l2': its model gives no enc. Scores: "):
        run_metrics.evaluated(run, "latent_l2").as_json()


def test_images_without_output_are_counted_never_scored(tmp_path: Path) -> None:
    samples = tiny_samples()
    run = write_image_run(tmp_path, "a", samples, shard_size=100)
    lost = samples[samples["subset"] == "seen_paper"].iloc[[0, 5]].assign(reason="truncated")
    rest = run.samples()[lambda t: (t["subset"] == "seen_paper") & ~t["sample_id"].isin(lost["sample_id"])]
    shard = run.folder / "seen_paper" / "shard-00000"
    (shard / "meta.json").unlink()
    for file in shard.iterdir():
        file.unlink()
    shard.rmdir()
    empty = np.zeros((len(rest), 32, 32), np.uint8)
    latents = np.zeros((len(rest), 8), np.float32)
    store.write_shard(shard, rest, lost, latents=latents, inputs=empty, reconstructions=empty)
    run = store.opened(run.folder)
    cell = run_metrics.evaluated(run, "rec").as_json()["scores"]["rec"]["seen_paper"]
    assert cell["n_non_response"] == {"bona_fide": 1, "attack": 1}
    assert (cell["n_bona_fide"], cell["n_attack"]) == (2, 2)
    assert any("2 images gave no output" in finding for finding in health.findings(run, census.of_run(run)))


def test_pooling_is_the_union(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    both = presentations.presentations(run, scores.values(run, "rec")).score_set(["seen_paper", "unseen_mask"])
    assert list(both.attacks) == ["mask", "paper"]
    assert (both.n_bona_fide, both.n_attack) == (6, 6)


def test_leaks_are_found(tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    kinds = census.of_run(run)
    assert health.findings(run, kinds, ["train"], ["live"]) == []
    leaked = kinds.assign(subject_id="s0")
    assert any("1 subjects of training also occur in the unseen" in f for f in health.findings(run, leaked))
    rows = tiny_samples()
    rows = pd.concat([rows, rows[rows["subset"] == "live"].assign(subset="seen_paper")], ignore_index=True)
    twice = write_image_run(tmp_path / "twice", "twice", rows)
    monkeypatch.setattr(health.columns, "FEW", 0)
    for _ in range(2):
        told = health.findings(twice, census.of_run(twice))
        assert any("4 samples are in live and seen_paper at once" in finding for finding in told)
        monkeypatch.setattr(health, "_samples_in_two_subsets", lambda _: pytest.fail("looked for again"))


def test_reconstructions_are_judged_against_the_mean_training_image(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    errors = run_metrics.reconstruction_errors(run)
    samples = run.samples(["sample_id", "subset", "label"])
    inputs = run.images("inputs", np.arange(len(run))) / 255
    outputs = run.images("reconstructions", np.arange(len(run))) / 255
    mean = inputs[(samples["subset"] == "train").to_numpy()].mean(0)
    assert list(errors) == run.subsets
    for subset, cell in errors.items():
        live = ((samples["subset"] == subset) & (samples["label"] == "bona_fide")).to_numpy()
        assert cell.n == live.sum()
        assert cell.mse == pytest.approx(((inputs - outputs)[live] ** 2).mean(), rel=1e-4)
        assert cell.mean_image_mse == pytest.approx(((inputs[live] - mean) ** 2).mean(), rel=1e-4)
        assert cell.below_mean_image == pytest.approx(1 - cell.mse / (cell.mean_image_mse or 0))
    assert run_metrics.evaluated(run, "rec").reconstruction == errors
    assert "reconstruction" not in run_metrics.evaluated(store.open_run(tiny_cache, "vendor")).as_json()


def test_without_training_images_there_is_no_mean_image(tmp_path: Path) -> None:
    samples = tiny_samples()
    run = write_image_run(tmp_path, "c", samples[samples["subset"] != "train"].reset_index(drop=True))
    cell = run_metrics.reconstruction_errors(run)["live"]
    assert (cell.mean_image_mse, cell.below_mean_image) == (None, None)
    assert cell.mse > 0


def test_rates_carry_intervals_by_subject_and_count_people(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    decided = presentations.presentations(run, scores.values(run, "rec"))
    cell = run_metrics.rates_at(decided, ["seen_paper", "unseen_mask"], 1000)  # nothing is called an attack
    assert (cell.bpcer, cell.apcer_per_species) == (0, {"mask": 1, "paper": 1})
    interval = cell.bpcer_interval
    assert (interval.unit, interval.n_units) == ("subject", 6)
    assert (interval.low, interval.high) == (0, uncertainty.zero_error_upper_bound(6))
    assert (cell.n_subjects_bona_fide, cell.n_subjects_per_species) == (6, {"mask": 3, "paper": 3})
    nobody = replace(decided, of=replace(decided.of, rows=decided.rows.drop(columns="subject_id")))
    assert run_metrics.rates_at(nobody, ["seen_paper"], 1000).n_subjects_bona_fide is None
    wrong = run_metrics.worst_subjects(decided, ["seen_paper", "unseen_mask"], 1000)
    assert len(wrong) == 6
    assert wrong[0] == run_metrics.SubjectErrors("s0", rejected=0, n_bona_fide=1, missed=1, n_attack=1)
    assert run_metrics.worst_subjects(nobody, ["seen_paper"], 1000) == []


def test_the_rates_of_a_subset_are_at_a_threshold_chosen_elsewhere(tiny_cache: Path) -> None:
    """By hand: BPCER <= 5 % of four live samples allows no error, so the threshold lies just above the highest one."""
    run = store.open_run(tiny_cache, "a")
    rec = run.samples(["subset", "label", "rec"])
    highest = float(rec.loc[rec["subset"] == "live", "rec"].max())
    cell = run_metrics.evaluated(run, "rec").as_json()["scores"]["rec"]["unseen_mask"]["at_dev_threshold"]
    assert (cell["rule"], cell["chosen_on"], cell["optimistic"]) == ("bpcer<=0.05", ["live"], False)
    assert cell["threshold"] > highest
    masks = rec.loc[(rec["subset"] == "unseen_mask") & (rec["label"] == "attack"), "rec"]
    assert cell["apcer_per_species"] == {"mask": pytest.approx((masks < cell["threshold"]).mean())}
    assert cell["apcer_interval_per_species"]["mask"]["unit"] == "subject"
    itself = run_metrics.evaluated(run, "rec").as_json()["scores"]["rec"]["live"]["at_dev_threshold"]
    assert itself["optimistic"] is True


def test_without_a_dev_subset_it_is_chosen_on_itself_and_called_optimistic(tmp_path: Path) -> None:
    samples = tiny_samples()
    samples = samples[~samples["subset"].isin(["train", "live"])].reset_index(drop=True)
    run = write_image_run(tmp_path, "x", samples, seed=1)
    cell = run_metrics.evaluated(run, "rec").as_json()["scores"]["rec"]["unseen_mask"]["at_dev_threshold"]
    assert (cell["chosen_on"], cell["optimistic"]) == (["unseen_mask"], True)
