"""The whole chapter at a scale of two steps: what is made, what is told, going on after a kill, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.data import manifest
from fas_core.data.names import ATTACK
from fas_core.latent import projection
from fas_core.reproduce import chapter, measuring
from fas_core.runs import store
from fas_core.training import checkpoint, train
from tests.conftest import Result, message


@pytest.fixture(autouse=True)
def _of_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapter, "TINY", {"batches_per_epoch": 1, "epochs": 2, "batch_size": 4})
    monkeypatch.setattr(chapter, "TINY_MODEL", {"width": 0.125, "latent_dim": 16, "image_size": 32})
    points = lambda run: projection.Embedding(np.arange(len(run)), np.zeros((len(run), 2), np.float32))  # noqa: E731
    monkeypatch.setattr(projection, "umap_of", points)  # its first compile takes a minute, and it has its own test


@pytest.fixture(scope="module")
def faces(tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With poses, two of which are turned away, and glasses; masks beside the prints."""
    folder = tmp_path_factory.mktemp("chapter")
    data = manifest.read(tiny_faces)
    rows = manifest.relocated(data, folder / "faces.csv")
    rows["glasses"] = np.where(np.arange(len(rows)) % 3 == 0, "yes", "no")
    rows[["pose_x", "pose_y", "pose_z"]] = 1.0
    train_rows = rows.index[(rows["subset"] == "train") & (rows["label"] != ATTACK)]
    rows.loc[train_rows[:2], "pose_y"] = 30.0
    is_mask = (rows["label"] == ATTACK) & (rows.groupby(["label", "subset"]).cumcount() % 4 > 1)
    rows.loc[is_mask, "pai_species"] = "mask"
    rows.loc[is_mask, "subset"] = rows.loc[is_mask, "subset"].str.replace("paper", "mask")
    return manifest.write(rows, folder / "faces.csv")


def test_the_whole_chapter_killed_midway_and_gone_on_with(
    faces: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    command = (
        "reproduce",
        "chapter4",
        "--data",
        faces,
        "--scale",
        "tiny",
        "--seeds",
        2,
        "--out",
        out,
        "--cache",
        cache,
    )
    said = fas(*command, "--dry-run")
    assert "5 experiments at tiny scale, 2 seeds each: 10 trainings, 20 steps, 80 images" in said.err
    assert not out.exists()

    step, seen = train._step, []

    def killed(*arguments: object) -> dict[str, float]:
        seen.append(arguments[4])
        if len(seen) == 6:  # the second epoch of the third training
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "pace", lambda *_, **__: train.Pace(0.1, 1000))
    monkeypatch.setattr(train, "_step", killed)
    assert fas(*command).code != 0
    assert not (out / "chapter4.html").exists()
    first = {run.id for run in store.all_runs(cache)}
    (out / "figures").mkdir()
    (out / "figures" / "figure-4.1-rec.csv").touch()  # of a call with other formats
    result = fas(*command, "--json")
    assert result.code == 0, result.err
    assert len(seen) == 21  # 10 trainings of two steps, and the one that was interrupted
    assert "2 trainings have ended already" in result.err
    document = json.loads(result.out)

    runs = {run.info.name: run for run in store.all_runs(cache)}
    assert sorted(runs) == sorted(f"chapter4-{name}-s{s}-tiny" for name in chapter.EXPERIMENTS for s in (0, 1))
    assert first <= {run.id for run in runs.values()}
    assert len({run.info.manifest_sha256 for run in runs.values()}) == 1  # the same test images for all
    learned = {
        name: checkpoint.header_of(out / "checkpoints" / f"chapter4-{name}-s0-tiny.safetensors")["images"]["learned"]
        for name in chapter.EXPERIMENTS
    }
    assert learned["dcvae_filtered"] < learned["dcvae_baseline"] == learned["ganomaly"]

    assert [figure["figure"] for figure in document["figures"]] == [f"4.{n}" for n in range(1, 19)]
    assert {path.name.split("-")[1] for path in (out / "figures").glob("*.svg")} == {f"4.{n}" for n in range(1, 19)}
    assert not list((out / "figures").glob("*.csv"))
    page = (out / "chapter4.html").read_text()
    assert all(figure["sentence"].split(":")[0] in page for figure in document["figures"])
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert page.count("<svg") >= 18
    _check_a_row(document, runs)
    assert not list(out.rglob("*.tmp*"))
    table = pd.read_csv(out / "table.csv")
    assert len(table) == len(document["table"])

    assert "nothing is left to train. 10 trainings have ended already" in fas(*command, "--dry-run").err
    other = [*command[:5], "small", *command[6:]]
    assert "other data or of another scale" in message(fas(*other, "--dry-run"))


def _check_a_row(document: dict[str, object], runs: dict[str, store.Run]) -> None:
    """One number of the table by another way: pairs of each seed's scores, and counts at each seed's threshold."""
    [row] = [
        row
        for row in document["table"]  # type: ignore[attr-defined]
        if (row["experiment"], row["score"]) == ("dcvae_baseline", "rec") and row["species"] == "all attacks"
    ]
    areas, misses = [], []
    for seed in (0, 1):
        run = runs[f"chapter4-dcvae_baseline-s{seed}-tiny"]
        rows, values = run.samples(["subset", "label"]), scores.values(run, "rec")
        outside = ~rows["subset"].isin(["train", "live"]).to_numpy()
        attack = (rows["label"] == ATTACK).to_numpy()
        a, live = values[outside & attack], values[outside & ~attack]
        areas.append(np.mean((a[:, None] > live) + 0.5 * (a[:, None] == live)))
        dev = np.sort(values[(rows["subset"] == "live").to_numpy()])
        threshold = np.nextafter(dev[-1 - int(0.05 * len(dev))], np.inf)
        misses.append(np.mean(a < threshold))
    assert row["auc"] == pytest.approx(np.mean(areas))
    assert row["apcer"] == pytest.approx(np.mean(misses))
    assert row["auc_low"] < row["auc"] <= row["auc_high"]
    assert row["n_attack"] == len(a)


def test_what_cannot_be_filtered_is_left_out_and_said(
    tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    rows = manifest.relocated(manifest.read(tiny_faces), tmp_path / "m.csv").assign(session_id="")
    out = ("--scale", "tiny", "--out", tmp_path / "out", "--cache", tmp_path / "cache", "--dry-run")

    def said(changed: pd.DataFrame) -> Result:
        return fas("reproduce", "chapter4", "--data", manifest.write(changed, tmp_path / "m.csv"), *out)

    result = said(rows)
    assert result.code == 0
    assert "Left out: dcvae_filtered, as its training images cannot be filtered" in result.err
    assert "dcvae_augmented: Trained on all images" in result.err
    assert "4 experiments at tiny scale" in result.err
    assert "no attack outside 'train'" in message(said(rows[rows["label"] != ATTACK]))
    assert "no subset 'train'" in message(said(rows[rows["subset"] != "train"]))
    live_alone_in_training = rows[(rows["subset"] == "train") | (rows["label"] == ATTACK)]
    assert "no live face outside 'train'" in message(said(live_alone_in_training))
    wrong = ("reproduce", "chapter4", "--data", tmp_path / "m.csv", "--out", tmp_path / "o")
    manifest.write(rows, tmp_path / "m.csv")
    assert "choose tiny, small, full" in message(fas(*wrong, "--scale", "huge"))
    assert "none of svg, pdf, csv" in message(fas(*wrong, "--format", "png"))
    assert "Choose chapter4" in message(fas("reproduce", "chapter5", *wrong[2:]))


def test_groups_of_the_thesis_have_other_names_elsewhere() -> None:
    of = measuring.Tested.__new__(measuring.Tested)
    vars(of).update(names=["print", "seen_mask", "replay"], with_glasses=None)
    named = {
        group: of.named(group) for group in ("", "seen_paper", "unseen_paper", "seen_mask", "unseen_mask", "glasses")
    }
    assert named == {
        "": "",
        "seen_paper": "print",
        "unseen_paper": "print",
        "seen_mask": "seen_mask",
        "unseen_mask": None,
        "glasses": None,
    }
