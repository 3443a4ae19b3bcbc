"""Synthetic Runs: as many samples as asked for, of the protocol's subsets, whose scores and people are consistent."""

from pathlib import Path

import numpy as np

from fas_core.bench import synthetic


def test_a_synthetic_run_is_whole_consistent_and_the_same_again(tmp_path: Path) -> None:
    run, other = (
        synthetic.write_run(tmp_path / name, 1_203, pixels=4, dimensions=3, shard_size=200) for name in ("a", "b")
    )
    assert run.is_complete
    assert len(run) == 1_203
    assert run.digest == other.digest
    rows = run.samples()
    assert rows["sample_id"].is_unique
    np.testing.assert_allclose(rows["elbo"], rows["rec"] + rows["kl"], rtol=1e-6)
    people = {is_training: set(of["subject_id"]) for is_training, of in rows.groupby(rows["subset"] == "train")}
    assert not people[True] & people[False]
    attacks = rows[rows["label"] == "attack"]
    assert (attacks["subset"].str.endswith(attacks["pai_species"].iloc[0]) | (attacks["pai_species"] == "mask")).all()
    assert attacks["rec"].mean() > rows.loc[rows["label"] == "bona_fide", "rec"].mean()
    assert rows.groupby("video_id")[["subject_id", "label", "subset"]].nunique().max().max() == 1
    bare = synthetic.write_run(tmp_path / "bare", 60, pixels=0)
    assert bare.has("latents")
    assert not bare.pictures
