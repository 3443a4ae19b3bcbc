"""What may mislead about the data of a Run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from fas_core.data import manifest, trail
from fas_core.runs import census, health, store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import learned_samples, tiny_samples, write_image_run


def test_learned_images_are_counted_where_numbers_stand_on_them(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", learned_samples())
    [caution] = health.cautions(run)
    assert (caution.kind, caution.counts["subsets"]) == ("training_overlap", {"seen_paper": 3})
    assert (caution.counts["n_images"], caution.counts["n_learned"], caution.counts["n_dev"]) == (16, 2, 1)
    assert health.cautions(run, ["live", "unseen_mask"]) == []
    assert health.cautions(run, ["train"]) == []  # nobody is surprised by those
    assert health.findings(run, census.of_run(run))[0] == caution.message  # it leads


def test_videos_that_left_before_the_run_are_told_by_subset(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "sample_id": [f"{video}#{n}" for video in "abcdefgh" for n in range(2)],
            "video_id": [video for video in "abcdefgh" for _ in range(2)],
            "label": ["bona_fide"] * 10 + ["attack"] * 6,
            "pai_species": [""] * 10 + ["paper"] * 4 + ["injection: replay"] * 2,
            "subject_id": ["p"] * 16,
            "subset": ["test"] * 8 + ["dev"] * 2 + ["test"] * 6,
            "score": 0.5,
        }
    )
    gone = table["video_id"].isin(["a", "b", "e", "h"])
    everything, here = tmp_path / "frames.csv", tmp_path / "faces.csv"
    for path, rows in ((everything, table), (here, table[~gone])):
        rows.drop(columns="score").assign(path="x.png").to_csv(path, index=False)
    source, kept = manifest.read(everything), manifest.read(here)
    run = scores_only_run(tmp_path / "cache", "a", table[~gone], ["score"], "")
    store.rewrite_info(run.folder, replace(run.info, manifest_path=str(here)))
    run = store.opened(run.folder)
    assert health.left_before(run, ["test"]) is None  # no trail
    left = pd.DataFrame({"sample_id": source.rows["sample_id"][gone], "reason": "no face: the detectors find none"})
    trail.write(trail.kept_step("faces", [source], kept.rows, left), here, [everything])
    [said] = [caution for caution in health.cautions(run, ["test"]) if caution.kind == "left_before"]
    assert said.message == (
        "Left before the Run: 2 of 4 bona fide and 0 of 2 attack videos of test (faces: no face 2). "
        "They are no non-responses here."
    )
    assert said.counts["subsets"] == {
        "test": {"left": {"bona_fide": 2, "attack": 0}, "of": {"bona_fide": 4, "attack": 2}}
    }
    assert health.findings(run, census.of_run(run))[-1] == said.message
    trail.path_of(here).write_text("{")
    assert health.left_before(run, ["test"]) is None


def test_samples_in_two_subsets_and_without_a_subject_are_cautions(tmp_path: Path) -> None:
    samples = tiny_samples().assign(subject_id="")
    twice = samples[samples["subset"] == "live"].assign(subset="seen_paper")
    run = write_image_run(tmp_path, "a", samples.merge(twice, how="outer", sort=False))
    kinds = {caution.kind: caution.counts["n_samples"] for caution in health.cautions(run)}
    assert kinds == {"subset_overlap": 4, "no_subjects": 20}


def test_people_on_both_sides_of_a_threshold_are_said_and_what_was_not_looked_at_is_not(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(8)],
            "subset": ["dev"] * 4 + ["test"] * 4,
            "label": ["bona_fide", "attack"] * 4,
            "pai_species": ["", "print"] * 4,
            "subject_id": ["p0", "p1", "p2", "p3", "p3", "p4", "p5", "p6"],
            "score": [0.1, 0.9] * 4,
        }
    )
    both = scores_only_run(tmp_path, "both", rows, ["score"], "")
    [said] = health.findings(both, census.of_run(both))
    assert said.startswith("1 of 4 subjects is also in dev, where thresholds are chosen")
    assert health.findings(both, census.of_run(both), ["dev"], ["dev"]) == []  # one subset: there is nothing beside it
    apart = scores_only_run(tmp_path, "apart", rows.assign(subject_id=rows["sample_id"]), ["score"], "")
    assert health.findings(apart, census.of_run(apart)) == []
    assert health.all_well(apart) == "Nothing conspicuous: no subject of test is also in dev."
    named = rows.rename(columns={"subject_id": "person"})
    nobody = scores_only_run(tmp_path, "nobody", named, ["score"], "")
    remedy = "If its column 'person' names people: import again with --column subject_id=person."
    assert health.cautions(nobody)[0].message.endswith(remedy)
    assert health.all_well(nobody) == "Nothing conspicuous."
