from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fas_core import checkpoint, experiments, manifest, train
from fas_core.errors import BadInputError
from fas_core.experiments.base import Experiment
from fas_core.manifest import Manifest
from tests.conftest import TINY_MODEL

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def experiment() -> Experiment:
    return experiments.preset("small_dcvae").with_settings(TINY_MODEL)


@pytest.fixture
def data(tiny_faces: Path) -> Manifest:
    return manifest.read(tiny_faces)


def test_the_log_and_the_choice_of_the_checkpoint(tiny_checkpoint: Path) -> None:
    log = pd.read_csv(train.metrics_log(tiny_checkpoint))
    assert (log["split"] == "train").sum() == 12
    dev = log[log["split"] == "dev"]
    assert dev["epoch"].tolist() == [0, 1, 2]
    header = checkpoint.header_of(tiny_checkpoint)
    best = dev.loc[dev["elbo"].idxmin()]
    assert header["steps"] == best["step"] + 1
    assert header["dev"]["elbo"] == pytest.approx(best["elbo"])
    assert header["chosen_by"] == "lowest dev loss"
    assert not train.resume_file(tiny_checkpoint).exists()
    steps = log[log["split"] == "train"]
    assert steps["elbo"].iloc[-3:].mean() < steps["elbo"].iloc[:3].mean()


def test_killed_and_resumed_is_the_same_training(
    tmp_path: Path, experiment: Experiment, data: Manifest, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.safetensors"
    calls = 0
    step = train._step

    def killed(*arguments: object) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls == 7:  # in the middle of the second epoch
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train.trained(experiment, data, out, device="cpu")
    monkeypatch.undo()
    train.trained(experiment, data, out, device="cpu", resume=True)
    one, other = load_file(tiny_checkpoint), load_file(out)
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0)
    pd.testing.assert_frame_equal(
        pd.read_csv(train.metrics_log(tiny_checkpoint)), pd.read_csv(train.metrics_log(out)), rtol=1e-12
    )


def test_resuming_something_else_is_refused(
    tmp_path: Path, experiment: Experiment, data: Manifest, tiny_checkpoint: Path
) -> None:
    with pytest.raises(BadInputError, match="already trained to its end"):
        train.trained(experiment, data, tiny_checkpoint, device="cpu", resume=True)
    out = tmp_path / "m.safetensors"
    header = {"experiment": experiment.as_json(), "data_sha256": "other", "step": 4, "best": 1.0}
    checkpoint.write_tensors(train.resume_file(out), {"x": torch.zeros(1)}, header)
    with pytest.raises(BadInputError, match="belongs to other data"):
        train.trained(experiment, data, out, device="cpu", resume=True)
    checkpoint.write_tensors(train.resume_file(out), {"x": torch.zeros(1)}, header | {"experiment": {}})
    with pytest.raises(BadInputError, match="belongs to other experiment settings"):
        train.trained(experiment, data, out, device="cpu", resume=True)


def test_divergence_names_the_step(tmp_path: Path, data: Manifest, experiment: Experiment) -> None:
    with pytest.raises(BadInputError, match=r"diverged at step \d+: \w+ is (nan|inf)"):
        train.trained(experiment.with_settings(["learning_rate=1e20"]), data, tmp_path / "m.safetensors", device="cpu")


def test_order_visits_every_image_once_a_round_and_depends_on_step_alone() -> None:
    batches = [train.order_at(step, 4, 10, seed=1) for step in range(10)]
    chain = np.concatenate(batches)
    for start in range(0, 40, 10):
        assert sorted(chain[start : start + 10]) == list(range(10))
    assert not np.array_equal(chain[:10], chain[10:20])
    assert np.array_equal(train.order_at(7, 4, 10, seed=1), batches[7])
    assert not np.array_equal(train.order_at(7, 4, 10, seed=2), batches[7])


def test_dev_shares_no_session_with_what_is_learned_and_holds_no_attack(data: Manifest) -> None:
    split = train.train_dev_split(data, seed=0)
    session = dict(zip(data.image_paths(), data.rows["session_id"], strict=True))
    assert split.dev
    assert not {session[p] for p in split.dev} & {session[p] for p in split.learned}
    wanted = data.rows[(data.rows["subset"] == "train") & (data.rows["label"] == "bona_fide")]
    assert len(split.dev) + len(split.learned) == len(wanted)
    assert not any("print" in path.name for path in split.learned + split.dev)


def test_nothing_to_train_on_is_said(data: Manifest) -> None:
    with pytest.raises(BadInputError, match="no bona fide image"):
        train.train_dev_split(Manifest(data.rows.assign(label="attack"), data.source), 0)
    with pytest.raises(BadInputError, match="no subset 'train'"):
        train.train_dev_split(Manifest(data.rows.assign(subset="live"), data.source), 0)


def test_an_unreadable_image_is_left_out_and_said(
    tmp_path: Path, experiment: Experiment, data: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    rows = data.rows.copy()
    rows["path"] = [str(path) for path in data.image_paths()]
    learned = train.train_dev_split(data, experiment.seed).learned
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not an image")
    rows.loc[rows["path"] == str(learned[0]), "path"] = str(bad)
    short = experiment.with_settings(["epochs=1", "batches_per_epoch=20"])
    out = train.trained(short, Manifest(rows, tmp_path / "m.csv"), tmp_path / "m.safetensors", device="cpu")
    assert out.is_file()
    assert "1 training images could not be read" in caplog.text
    assert str(bad) in caplog.text
    with pytest.raises(BadInputError, match="is there already"):
        train.trained(short, data, out, device="cpu")
