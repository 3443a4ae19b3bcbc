"""What may mislead about the data of a Run."""

from __future__ import annotations

from pathlib import Path

from fas_core.runs import health
from tests.conftest import learned_samples, tiny_samples, write_image_run


def test_learned_images_are_counted_where_numbers_stand_on_them(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", learned_samples())
    [caution] = health.cautions(run)
    assert (caution.kind, caution.counts["subsets"]) == ("training_overlap", {"seen_paper": 3})
    assert (caution.counts["n_images"], caution.counts["n_learned"], caution.counts["n_dev"]) == (16, 2, 1)
    assert health.cautions(run, ["live", "unseen_mask"]) == []
    assert health.cautions(run, ["train"]) == []  # nobody is surprised by those
    assert health.findings(run, run.samples())[0] == caution.message  # it leads


def test_samples_in_two_subsets_and_without_a_subject_are_cautions(tmp_path: Path) -> None:
    samples = tiny_samples().assign(subject_id="")
    twice = samples[samples["subset"] == "live"].assign(subset="seen_paper")
    run = write_image_run(tmp_path, "a", samples.merge(twice, how="outer", sort=False))
    kinds = {caution.kind: caution.counts["n_samples"] for caution in health.cautions(run)}
    assert kinds == {"subset_overlap": 4, "no_subjects": 20}
