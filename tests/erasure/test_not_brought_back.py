"""Who was forgotten does not come back when shards are computed: from the manifest as it is, nor as it was."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fas_core.data import manifest
from fas_core.erasure import forgetting, plan
from fas_core.errors import BadInputError
from fas_core.inference import infer
from fas_core.inference.repair import repair
from fas_core.runs import store, tombstones
from fas_core.runs.upkeep import verified

WHO = "s3"


def people_in(run: store.Run) -> set[str]:
    return set(run.samples()["subject_id"]) | set(run.failures().get("subject_id", ()))


def test_no_shard_brings_them_back(
    tiny_checkpoint: Path, tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SHARD_SIZE", 8)
    root, cache = tmp_path / "data", tmp_path / "cache"
    shutil.copytree(tiny_faces.parent, root)
    before = manifest.read(root / "faces.csv")
    broken, _ = (path for path in before.image_paths() if f"{WHO}_0" in path.name and "print" not in path.name)
    broken.write_bytes(b"no picture")
    before = manifest.read(root / "faces.csv")
    (run,) = infer.write_runs([tiny_checkpoint], before, cache, device="cpu", precision="fp32")
    (unfinished,) = infer.write_runs(
        [tiny_checkpoint], before, tmp_path / "begun", subsets=["live"], device="cpu", precision="fp32"
    )
    assert run.n_failures == 1
    shutil.copytree(root, tmp_path / "copy")
    forgetting.forget(plan.planned(cache, WHO), cache)
    rest = store.opened(run.folder)
    assert WHO not in people_in(rest)
    assert rest.n_failures == 0
    n_theirs = int((before.rows["subject_id"] == WHO).sum())
    assert tombstones.words_of(cache, run.id).startswith(f"1 person, {n_theirs} images removed on ")

    # Repair, from the manifest as it is now.
    for shard in rest.shards[::2]:
        (shard.folder / "latents.npy").write_bytes(b"")
    repaired = repair(run.folder, verified(run.folder).damage)
    assert repaired.damage == []
    again = store.opened(run.folder)
    assert again.digest == rest.digest
    np.testing.assert_array_equal(again.latents(), rest.latents())

    # The manifest as it was, which somebody has kept: the same Run, also where shards are missing, and another one.
    shutil.rmtree(again.shards[0].folder)
    old = manifest.read(tmp_path / "copy" / "faces.csv")
    (same,) = infer.write_runs([tiny_checkpoint], old, cache, device="cpu", precision="fp32")
    assert (same.id, same.digest) == (run.id, rest.digest)
    (other,) = infer.write_runs([tiny_checkpoint], old, cache, device="cpu", precision="bf16")
    assert other.id != run.id
    assert WHO not in people_in(other)
    assert tombstones.words_of(cache, other.id) == tombstones.words_of(cache, run.id)

    # What was not made yet.
    shutil.copy(tmp_path / "copy" / "faces.csv", root / "faces.csv")
    forgetting.forget(plan.planned(tmp_path / "begun", WHO), tmp_path / "begun")
    (whole,) = infer.write_runs([tiny_checkpoint], old, tmp_path / "begun", device="cpu", precision="fp32")
    assert (whole.id, whole.is_complete, WHO in people_in(whole)) == (unfinished.id, True, False)
    assert len(whole) == len(rest)


def test_where_nobody_knows_their_rows_nothing_is_computed(
    tiny_checkpoint: Path, tiny_faces: Path, tmp_path: Path
) -> None:
    data = manifest.read(tiny_faces)
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path, subsets=["live"], device="cpu", precision="fp32")
    store.rewrite_info(run.folder, replace(run.info, manifest_path=str(tmp_path / "gone.csv")))
    forgetting.forget(plan.planned(tmp_path, str(run.samples()["subject_id"][0])), tmp_path)
    with pytest.raises(BadInputError, match="nobody knows any more from which rows"):
        infer.write_runs([tiny_checkpoint], data, tmp_path, device="cpu", precision="fp32")


def test_while_it_is_unfinished_nothing_is_computed(tiny_checkpoint: Path, tiny_faces: Path, tmp_path: Path) -> None:
    (tmp_path / tombstones.UNFINISHED).write_text("{}")
    with pytest.raises(BadInputError, match="Finish it: fas forget"):
        infer.write_runs([tiny_checkpoint], manifest.read(tiny_faces), tmp_path, device="cpu", precision="fp32")
