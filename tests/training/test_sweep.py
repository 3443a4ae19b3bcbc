"""Sweeps: grid, ranking by live dev images, resuming; and that no attack is ever looked at."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core.data import images, manifest
from fas_core.data.names import BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.evaluation import sweeps as told
from fas_core.runs import sweeps, traininglog
from fas_core.runs.sweeps import Member, Sweep
from fas_core.training import checkpoint, experiments, sweep, train
from tests.conftest import TINY_MODEL, Result, message


def test_the_grid_is_every_combination_the_last_fastest() -> None:
    assert sweep.grid(["w_kl=0.1,1", "schedule=constant,constant_then_linear"]) == [
        {"w_kl": kl, "schedule": schedule} for kl in ("0.1", "1") for schedule in ("constant", "constant_then_linear")
    ]
    assert sweep.grid(['augmentations=["standard_scaling"],["standard_scaling", "right_left_flip"]']) == [
        {"augmentations": '["standard_scaling"]'},
        {"augmentations": '["standard_scaling", "right_left_flip"]'},
    ]
    for bad, why in (
        ([], "nothing to vary"),
        (["w_kl"], "write key=value"),
        (["w_kl=1,"], "write key=value"),
        (["w_kl=1,1"], "a value is there twice"),
        (["w_kl=1", "w_kl=2"], "is there twice"),
        (["seed=0,1"], "--seeds N"),
        (["image_size=32,64"], "does not vary image_size"),
    ):
        with pytest.raises(BadInputError, match=why):
            sweep.grid(bad)


def write_log(out: Path, errors: list[float], losses: list[float], *, is_finished: bool = True) -> None:
    """A training whose dev images had these errors and losses after each epoch."""
    with traininglog.Log(out, ["elbo", "pixel_l2", "ssim"]) as log:
        for epoch, (error, loss) in enumerate(zip(errors, losses, strict=True)):
            log.add({"epoch": epoch, "step": epoch, "split": "train", "elbo": 1.0})
            row = {"epoch": epoch, "step": epoch, "split": "dev", "elbo": loss, "pixel_l2": error, "ssim": 1 - error}
            log.add(row)
    if is_finished:
        out.touch()


def sweep_of(folder: Path, errors: dict[float, list[float]]) -> Sweep:
    """w_kl -> the error of each seed in its kept epoch, the second of three; lower ones stand in others."""
    members = []
    for w_kl, of_seeds in errors.items():
        for seed, error in enumerate(of_seeds):
            members.append(Member({"w_kl": w_kl, "epochs": 3}, seed, folder / f"{w_kl}-{seed}.safetensors"))
            write_log(members[-1].checkpoint, [error / 2, error, error / 4], [9.0, 7.0 * w_kl, 8.0 * w_kl])
    return Sweep("0" * 8, "small_dcvae", "elbo", tuple(members), 0.0)


def test_settings_are_ranked_by_the_error_in_the_kept_epoch(tmp_path: Path) -> None:
    of = sweep_of(tmp_path, {0.1: [0.12, 0.14], 1.0: [0.10, 0.11]})
    extra = Member({"w_kl": 4.0, "epochs": 3}, 0, tmp_path / "4.safetensors")
    write_log(extra.checkpoint, [0.01], [1.0], is_finished=False)  # still in training: no place, however good
    ranked = told.ranked(Sweep(of.id, of.experiment, of.chosen_by, (*of.members, extra), 0.0))
    assert [setting.settings["w_kl"] for setting in ranked] == [1.0, 0.1, 4.0]
    first = ranked[0]
    assert first.error == pytest.approx(0.105)
    assert first.deviation == pytest.approx(np.std([0.10, 0.11], ddof=1))
    assert first.curve[:, 1].tolist() == pytest.approx([0.0525, 0.105, 0.02625])
    words = told.answer(ranked)
    assert words.startswith("w_kl=1.0 reconstructs live dev images best: 0.1050 of the pixel range ± 0.0071 over 2")
    assert "cannot be told apart" in words  # 0.02 and 0.03 by two seeds: Student's t with one degree of freedom
    assert "1 of 3 settings is not finished" in words
    clear = told.answer(told.ranked(sweep_of(tmp_path, {0.1: [0.20, 0.21, 0.22], 1.0: [0.10, 0.11, 0.121]})))
    assert "more than seeds make" in clear
    assert "another seed" in told.answer(told.ranked(sweep_of(tmp_path, {0.1: [0.2], 1.0: [0.1]})))


def planted(faces: Path, folder: Path) -> Path:
    """The same live images, and other attacks: other species, other pixels, some that cannot be read."""
    rows = manifest.read(faces).rows
    attacks = rows[rows["label"] != BONA_FIDE].assign(pai_species="planted")
    for place, path in enumerate(attacks["path"]):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if place % 2:
            (folder / path).write_bytes(b"no image")
        else:
            Image.fromarray(np.full((40, 40), place % 256, np.uint8)).save(folder / path)
    live = rows[rows["label"] == BONA_FIDE]
    for path in live["path"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(faces.parent / path, folder / path)
    return manifest.write(pd.concat([live, attacks]), folder / "planted.csv")


def test_no_attack_is_read_and_planted_ones_change_nothing(
    tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = planted(tiny_faces, tmp_path / "planted")
    rows = manifest.read(tiny_faces).rows
    assert (rows["label"] != BONA_FIDE).any()
    attacks = set(rows.loc[rows["label"] != BONA_FIDE, "path"])
    load, read = images.load, []

    def watched(path: Path, *how: object) -> object:
        read.append(str(path))
        return load(path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "load", watched)
    varied = [part for setting in [*TINY_MODEL, "w_kl=0.5,1"] for part in ("--set", setting)]
    documents, cache = [], tmp_path / "cache"
    for name, data in (("a", tiny_faces), ("b", other)):
        result = fas(
            "sweep", "small_dcvae", "--data", data, "--out", tmp_path / name, "--cache", cache, "--json", *varied
        )
        assert result.code == 0, result.err
        documents.append(json.loads(result.out))
    assert not [path for path in read if any(path.endswith(attack) for attack in attacks)]
    assert [s["pixel_l2"] for s in documents[0]["settings"]] == [s["pixel_l2"] for s in documents[1]["settings"]]
    for a, b in zip(
        sorted((tmp_path / "a").glob("*s0.safetensors")), sorted((tmp_path / "b").glob("*s0.safetensors")), strict=True
    ):
        assert checkpoint.sha256(a) == checkpoint.sha256(b)
    known = sweeps.sweeps(cache)
    assert len(known) == 2
    assert told.answer(told.ranked(known[0])) == documents[0]["in_words"]

    monkeypatch.setattr(train, "train", lambda *_, **__: pytest.fail("trained again"))
    again = fas("sweep", "small_dcvae", "--data", tiny_faces, "--out", tmp_path / "a", "--cache", cache, *varied)
    assert again.code == 0
    assert "nothing is left to train" in again.err
    changed = [part.replace("w_kl=0.5,1", "w_kl=0.7,1") for part in varied]
    assert "other settings" in message(
        fas("sweep", "small_dcvae", "--data", tiny_faces, "--out", tmp_path / "a", "--cache", cache, *changed)
    )


def test_a_sweep_goes_on_in_the_training_that_was_killed(
    tiny_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiments.preset("small_dcvae").with_settings(TINY_MODEL)
    plan = sweep.planned(experiment, ["w_kl=0.5,1"], 1, tmp_path / "s")
    live = sweep.live_alone(manifest.read(tiny_faces))
    step, seen = train._step, []

    def killed(*arguments: object) -> dict[str, float]:
        seen.append(arguments[4])
        if len(seen) == experiment.steps + experiment.batches_per_epoch + 1:  # in the second epoch of the second one
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(plan, live, tmp_path / "cache", device="cpu")
    before = len(seen)
    sweep.run(plan, live, tmp_path / "cache", device="cpu")
    assert seen[before:] == list(range(experiment.batches_per_epoch, experiment.steps))
    few = manifest.Manifest(live.rows.head(9), live.source)
    with pytest.raises(BadInputError, match="leave none to rank"):
        sweep.live_alone(few)
