import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fas_core.data import filters, images, manifest
from fas_core.data.manifest import Manifest, normalised
from fas_core.errors import BadInputError
from fas_core.models.draws import Draws
from fas_core.models.input import Input
from fas_core.runs import traininglog
from fas_core.training import augment, checkpoint, experiments, train
from fas_core.training.experiments.base import Experiment
from tests.conftest import TINY_MODEL

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def experiment() -> Experiment:
    return experiments.preset("small_dcvae").with_settings(TINY_MODEL)


@pytest.fixture
def data(tiny_faces: Path) -> Manifest:
    return manifest.read(tiny_faces)


def test_the_log_and_the_choice_of_the_checkpoint(tiny_checkpoint: Path) -> None:
    log = pd.read_csv(traininglog.metrics_log(tiny_checkpoint))
    assert (log["split"] == "train").sum() == 12
    dev = log[log["split"] == "dev"]
    assert dev["epoch"].tolist() == [0, 1, 2]
    header = checkpoint.header_of(tiny_checkpoint)
    best = dev.loc[dev["elbo"].idxmin()]
    assert header["steps"] == best["step"] + 1
    assert header["dev"]["elbo"] == pytest.approx(best["elbo"])
    assert header["chosen_by"] == "lowest dev loss (elbo)"
    assert not traininglog.resume_file(tiny_checkpoint).exists()
    steps = log[log["split"] == "train"]
    assert steps["elbo"].iloc[-3:].mean() < steps["elbo"].iloc[:3].mean()


def test_killed_and_resumed_is_the_same_training(
    tmp_path: Path, experiment: Experiment, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole.safetensors", tmp_path / "m.safetensors"
    experiment = experiment.with_settings(["kl_warmup=0.9"])  # which still rises where it is killed
    train.train(experiment, data, whole, device="cpu")
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
        train.train(experiment, data, out, device="cpu")
    monkeypatch.undo()
    train.train(experiment, data, out, device="cpu", resume=True)
    at_once, resumed = load_file(whole), load_file(out)
    assert at_once.keys() == resumed.keys()
    for name in at_once:
        torch.testing.assert_close(at_once[name], resumed[name], rtol=0, atol=0)
    pd.testing.assert_frame_equal(
        pd.read_csv(traininglog.metrics_log(whole)), pd.read_csv(traininglog.metrics_log(out)), rtol=1e-12
    )


@pytest.mark.process
def test_killed_for_good_at_any_moment_and_resumed_is_the_same_training(tmp_path: Path, tiny_faces: Path) -> None:
    """SIGKILL, which no handler sees: before the first epoch has ended, in the midst of later ones, at their ends."""
    whole, out = tmp_path / "whole.safetensors", tmp_path / "m.safetensors"
    # Torch is imported once; every training is in a fork of that process, which has computed nothing.
    script = (
        "import json, os, signal, sys\nfrom pathlib import Path\n"
        "from fas_core.data import manifest\nfrom fas_core.training import checkpoint, experiments, train\n"
        "trainings, data, *settings = sys.argv[1:]\n"
        "for out, kill, what in json.loads(trainings):\n"
        "    if child := os.fork():\n"
        "        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)\n"
        "        continue\n"
        "    module = checkpoint if what == 'write_tensors' else train\n"
        "    real, calls = getattr(module, what), iter(range(1000))\n"
        "    def fatal(*a, **k):\n"
        "        if next(calls) == kill: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return real(*a, **k)\n"
        "    setattr(module, what, fatal)\n"
        "    e = experiments.preset('small_dcvae').with_settings(settings)\n"
        "    train.train(e, manifest.read(Path(data)), Path(out), device='cpu', keep_epochs=[1, 3], resume="
        "Path(out).with_suffix('.resume.safetensors').exists())\n"
        "    break\n"
    )
    # Never; at step 1; at a later one; between the checkpoint and the resume file of an epoch; never.
    trainings = [
        (str(whole), -1, "_step"),
        (str(out), 1, "_step"),
        (str(out), 5, "_step"),
        (str(out), 1, "write_tensors"),
        (str(out), -1, "_step"),
    ]
    command = [sys.executable, "-c", script, json.dumps(trainings), str(tiny_faces), *TINY_MODEL]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    assert [int(line) for line in ran.stdout.split()] == [0, *3 * [-signal.SIGKILL], 0], ran.stderr
    at_once, resumed = load_file(whole), load_file(out)
    for name in at_once:
        torch.testing.assert_close(at_once[name], resumed[name], rtol=0, atol=0)
    log = traininglog.metrics_log
    assert log(out).read_bytes() == log(whole).read_bytes()
    assert not traininglog.resume_file(out).exists()
    for epoch in (1, 3):
        kept = [traininglog.epoch_file(path, epoch).read_bytes() for path in (out, whole)]
        assert kept[0] == kept[1]


def test_what_the_thesis_leaves_open_stands_in_the_header(tmp_path: Path, data: Manifest) -> None:
    tiny = ["width=0.03", "latent_dim=4", "image_size=32", "batches_per_epoch=1", "epochs=1", "batch_size=4"]
    for name, initialisation, batch_norm in (
        ("small_dcvae", "PyTorch's defaults", None),
        ("small_ganomaly", "weights N(0, 0.02)", {"eps": 1e-5, "momentum": 0.1}),
    ):
        out = tmp_path / f"{name}.safetensors"
        experiment = experiments.preset(name).with_settings([*tiny, "beta1=0.4"])
        train.train(experiment, data, out, device="cpu")
        said = checkpoint.header_of(out)["options"]
        assert said["initialisation"].startswith(initialisation)
        assert said["batch_norm"] == batch_norm
        assert said["adam"] == {"betas": [0.4, experiment.beta2], "eps": 1e-8, "weight_decay": 0}
        tensors, header = checkpoint.read_tensors(out)  # a checkpoint from before has no such entry, and is one still
        del header["options"]
        checkpoint.write_tensors(out, tensors, header)
        assert checkpoint.loaded(out)[1] == header


def test_a_model_that_normalises_by_shares_of_batches_is_not_shared_by_processes(
    tmp_path: Path, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for name in ("small_dcvae", "small_resvae", "small_ganomaly"):
        train._require_shareable(experiments.preset(name))
    monkeypatch.setattr(train.models, "trainable", lambda *_: torch.nn.Sequential(torch.nn.BatchNorm2d(3)))
    with pytest.raises(BadInputError, match="small_ganomaly cannot be trained by 2 processes: .* without torchrun"):
        train.train(experiments.preset("small_ganomaly"), data, tmp_path / "m.safetensors", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_epochs_that_are_kept_are_checkpoints_that_name_their_training(
    tmp_path: Path, experiment: Experiment, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.safetensors"
    after: list[dict[str, torch.Tensor]] = []
    done = train._State.epoch_done

    def noted(self: train._State, step: int, epoch: int, model: torch.nn.Module, *rest: object) -> None:
        after.append({name: value.clone() for name, value in model.state_dict().items()})
        done(self, step, epoch, model, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(train._State, "epoch_done", noted)
    train.train(experiment, data, out, device="cpu", keep_epochs=[3, 1, 3])
    assert sorted(path.name for path in tmp_path.glob("m.epoch-*")) == [
        "m.epoch-0001.safetensors",
        "m.epoch-0003.safetensors",
    ]
    for epoch in (1, 3):
        model, header = checkpoint.loaded(traininglog.epoch_file(out, epoch))
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, after[epoch - 1][name], rtol=0, atol=0)
        assert (header["epoch"], header["steps"], header["chosen_by"]) == (epoch, 4 * epoch, f"epoch {epoch}")
        assert header["training"] == checkpoint.header_of(out)["training"]
    other = tmp_path / "other.safetensors"
    train.train(experiment.with_settings(["seed=1"]), data, other, device="cpu")
    assert checkpoint.header_of(other)["training"] != checkpoint.header_of(out)["training"]


def test_epochs_that_cannot_be_kept_are_refused(
    tmp_path: Path, experiment: Experiment, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.safetensors"
    for epochs in ([0, 1], [4]):
        with pytest.raises(BadInputError, match=f"no epoch {epochs[0]} to keep: small_dcvae has epochs 1 to 3"):
            train.train(experiment, data, out, device="cpu", keep_epochs=epochs)
    traininglog.epoch_file(out, 2).touch()
    with pytest.raises(BadInputError, match="m.epoch-0002.safetensors is there already"):
        train.train(experiment, data, out, device="cpu", keep_epochs=[2])
    traininglog.epoch_file(out, 2).unlink()
    monkeypatch.setattr(train, "_step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train.train(experiment, data, out, device="cpu", keep_epochs=[2])
    with pytest.raises(BadInputError, match="begun with --keep-epochs 2. Resume it without naming epochs"):
        train.train(experiment, data, out, device="cpu", keep_epochs=[1, 2], resume=True)


def test_resuming_something_else_is_refused(
    tmp_path: Path, experiment: Experiment, data: Manifest, tiny_checkpoint: Path
) -> None:
    with pytest.raises(BadInputError, match="already trained to its end"):
        train.train(experiment, data, tiny_checkpoint, device="cpu", resume=True)
    out = tmp_path / "m.safetensors"
    header = {"experiment": experiment.as_json(), "data_sha256": "other", "step": 4, "best": 1.0, "precision": "fp32"}
    checkpoint.write_tensors(traininglog.resume_file(out), {"x": torch.zeros(1)}, header)
    with pytest.raises(BadInputError, match="belongs to other data"):
        train.train(experiment, data, out, device="cpu", resume=True)
    checkpoint.write_tensors(traininglog.resume_file(out), {"x": torch.zeros(1)}, header | {"experiment": {}})
    with pytest.raises(BadInputError, match="belongs to other experiment settings"):
        train.train(experiment, data, out, device="cpu", resume=True)


def test_a_training_that_looks_with_another_models_features(
    tmp_path: Path, experiment: Experiment, data: Manifest, tiny_checkpoint: Path
) -> None:
    """They are frozen in its own weights; what they are of is part of what it is called; their images are learned."""
    out, again = tmp_path / "m.safetensors", tmp_path / "again.safetensors"
    tiny = [*TINY_MODEL, "epochs=1", "batches_per_epoch=1"]
    wanted = experiments.preset("small_perceptual").with_settings(tiny)
    with pytest.raises(BadInputError, match="what a trained dcvae sees of them: .*--features CHECKPOINT"):
        train.train(wanted, data, out, device="cpu")
    with pytest.raises(BadInputError, match="model dcvae looks with no other model's. Leave it out"):
        train.train(experiment, data, out, device="cpu", features=tiny_checkpoint)
    with pytest.raises(BadInputError, match=r"csv: it is no checkpoint \(.safetensors\); .* fas train small_dcvae"):
        train.train(wanted, data, out, device="cpu", features=data.source)
    few = Manifest(data.rows.iloc[::2].reset_index(drop=True), data.source)
    train.train(wanted, few, out, device="cpu", features=tiny_checkpoint)
    trained, kept = load_file(tiny_checkpoint), load_file(out)
    names = [name for name in kept if name.startswith("frozen.")]
    assert len(names) == 8
    for name in names:
        assert torch.equal(kept[name], trained[name.replace("frozen.", "encoder.")])
    known = checkpoint.known_of(out)
    learned = checkpoint.known_of(tiny_checkpoint).learned
    assert set(known.use_of(learned)) == {"learned"}
    header = checkpoint.header_of(out)
    assert header["features_sha256"] == checkpoint.sha256(tiny_checkpoint)
    with pytest.raises(BadInputError, match="is a perceptual; expected a trained dcvae"):
        train.train(wanted, few, again, device="cpu", features=out)
    colour = wanted.with_settings(["image_channels=3"])
    with pytest.raises(BadInputError, match="features are of images with 1 channels, and this training has 3"):
        train.train(colour, few, again, device="cpu", features=tiny_checkpoint)


def test_divergence_names_the_step(tmp_path: Path, data: Manifest, experiment: Experiment) -> None:
    with pytest.raises(BadInputError, match=r"diverged at step \d+: \w+ is (nan|inf)"):
        train.train(experiment.with_settings(["learning_rate=1e20"]), data, tmp_path / "m.safetensors", device="cpu")


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
    rows = data.rows.set_index("sample_id")
    learned, dev = rows.loc[split.learned["sample_id"]], rows.loc[split.dev["sample_id"]]
    assert len(dev)
    assert not set(dev["session_id"]) & set(learned["session_id"])
    wanted = data.rows[(data.rows["subset"] == "train") & (data.rows["label"] == "bona_fide")]
    assert sorted([*learned.index, *dev.index]) == sorted(wanted["sample_id"])


def many_frames(sizes: list[int], subjects: int, tmp_path: Path) -> Manifest:
    """Live training rows of sessions with these many frames, session after session; no image is there."""
    rows = [
        {
            "path": f"{s}/{i}.png",
            "label": "live",
            "subject_id": f"p{s % subjects}",
            "session_id": f"s{s}",
            "subset": "train",
        }
        for s, n in enumerate(sizes)
        for i in range(n)
    ]
    return Manifest(normalised(pd.DataFrame(rows))[0], tmp_path / "m.csv")


def test_what_is_learned_is_told_and_what_makes_the_choice_of_a_checkpoint_doubtful(tmp_path: Path) -> None:
    data = many_frames([4] * 30, 30, tmp_path)
    contents = np.arange(1, 121, dtype=np.uint64).view(np.uint8).reshape(120, 8)

    def split_of(rows: pd.DataFrame, contents: object) -> train.Split:
        of_rows = Manifest(rows, data.source)
        vars(of_rows)["_hashed"] = "", contents  # no image is there
        return train.train_dev_split(of_rows, 0)

    split = split_of(data.rows, contents)
    assert split.notes == ["108 live images of subset 'train' are learned; 12 others choose the checkpoint."]
    copied = contents.copy()
    copied[data.rows["sample_id"].isin(split.dev["sample_id"][:2])] = contents[
        data.rows["sample_id"].isin(split.learned["sample_id"])
    ][0]
    whole, no_subsets, copies = split_of(data.rows.assign(subset="all"), copied).notes
    assert whole.startswith("108 live images of subset 'all' are learned")
    assert no_subsets.endswith("none is left to judge it on. Subsets apart by people: fas data subsets")
    assert copies.startswith("2 of the images that choose it are copies of learned ones")


def test_dev_images_of_a_large_set_are_of_many_sessions_and_the_others_are_learned(tmp_path: Path) -> None:
    data = many_frames([100] * 400, 20, tmp_path)  # a tenth: 40 sessions, 4,000 images
    split = train.train_dev_split(data, 0)
    rows = data.rows.set_index("sample_id")
    dev, learned = rows.loc[split.dev["sample_id"]], rows.loc[split.learned["sample_id"]]
    assert not set(dev["session_id"]) & set(learned["session_id"])
    assert len(dev) + len(learned) + split.n_left_out == len(data)
    assert len(dev) == train.DEV_LIMIT
    assert dev["session_id"].nunique() == train.DEV_GROUPS
    assert dev["subject_id"].nunique() >= 12  # 40 sessions drawn of 20 people: each person's first before any second
    assert dev["session_id"].value_counts().max() - dev["session_id"].value_counts().min() <= 1
    assert len(learned) == (400 - train.DEV_GROUPS) * 100
    first = dev[dev["session_id"] == dev["session_id"].iloc[0]]
    frames = first["path"].str.extract(r"/(\d+)\.")[0].astype(int)
    assert frames.min() == 0
    assert frames.max() == 99


def test_dev_sessions_beyond_what_is_needed_go_back_whole(tmp_path: Path) -> None:
    data = many_frames([40] * 1000, 1000, tmp_path)  # a tenth: 100 sessions, 4,000 images; 26 hold 1,024
    split = train.train_dev_split(data, 0)
    assert len(split.dev) == train.DEV_LIMIT
    assert len(split.learned) == (1000 - 26) * 40
    assert split.n_left_out == 26 * 40 - 1024


def test_small_sessions_give_all_and_large_ones_the_rest(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.permutation([3] * 100 + [400] * 60).tolist()
    split = train.train_dev_split(many_frames(sizes, 160, tmp_path), 0)
    assert len(split.dev) == train.DEV_LIMIT
    counts = split.dev["path"].str.split("/").str[0].astype(int).value_counts()
    assert all(counts[s] == 3 for s in counts.index if sizes[s] == 3)
    assert len({counts[s] // 2 for s in counts.index if sizes[s] == 400}) <= 2


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
    rows.loc[rows["sample_id"] == learned["sample_id"].iloc[0], "path"] = str(bad)
    short = experiment.with_settings(["epochs=1", "batches_per_epoch=20"])
    out = train.train(short, Manifest(rows, tmp_path / "m.csv"), tmp_path / "m.safetensors", device="cpu")
    assert out.is_file()
    assert "1 training images could not be read" in caplog.text
    assert str(bad) in caplog.text
    with pytest.raises(BadInputError, match="is there already"):
        train.train(short, data, out, device="cpu")


@pytest.mark.process
def test_two_processes_make_the_same_training_as_one(
    tmp_path: Path, tiny_faces: Path, tiny_checkpoint: Path, experiment: Experiment
) -> None:
    """Started as a cluster would start it: each process works on half of every batch."""
    out = tmp_path / "m.safetensors"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "fas_core.cli", "train", "small_dcvae", f"--data={tiny_faces}", f"--out={out}", "--device=cpu"]
    command += [f"--cache={tmp_path / 'cache'}", *(f"--set={setting}" for setting in TINY_MODEL)]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=200, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert ran.returncode == 0, ran.stderr
    by_one, by_two = load_file(tiny_checkpoint), load_file(out)
    for name in by_one:
        torch.testing.assert_close(by_one[name], by_two[name], rtol=1e-3, atol=1e-4)
    alone, shared = (pd.read_csv(traininglog.metrics_log(path)) for path in (tiny_checkpoint, out))
    assert shared["step"].tolist() == alone["step"].tolist()  # one process writes, for both
    np.testing.assert_allclose(shared["elbo"], alone["elbo"], rtol=1e-5)
    assert len(traininglog.trainings(tmp_path / "cache")) == 1


def test_a_batch_that_cannot_be_shared_evenly_is_refused(
    tmp_path: Path, experiment: Experiment, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train.devices, "all_processes", lambda *_: SimpleNamespace(world_size=3, is_global_zero=True))
    with pytest.raises(BadInputError, match=r"batch_size 8 cannot be shared evenly by 3 .* --set batch_size=9"):
        train.train(experiment, data, tmp_path / "m.safetensors")


def test_filtered_experiments_want_filtered_images(tmp_path: Path, experiment: Experiment, data: Manifest) -> None:
    wanted = experiment.with_settings(["filtered=true", "epochs=1"])
    with pytest.raises(BadInputError, match=r"is not filtered. Filter it: fas data filter .*--set filtered=false"):
        train.train(wanted, data, tmp_path / "m.safetensors", device="cpu")
    kept = filters.filtered(data, 10, 1)
    filtered = manifest.read(manifest.write(kept.rows, data.source.with_name("filtered.csv")))
    assert train.train(wanted, filtered, tmp_path / "m.safetensors", device="cpu").is_file()


def test_augmentations_reach_the_model_and_unknown_ones_are_named(
    tmp_path: Path, experiment: Experiment, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="no augmentation 'blur'. Augmentations: standard_scaling"):
        train.train(experiment.with_settings(["augmentations=standard_scaling,blur"]), data, tmp_path / "m.safetensors")
    seen: dict[tuple[str, ...], torch.Tensor] = {}
    augmented = augment.augmented

    def watched(x: torch.Tensor, names: tuple[str, ...], draws: Draws) -> torch.Tensor:
        return seen.setdefault(names, augmented(x, names, draws))

    monkeypatch.setattr(augment, "augmented", watched)
    for names in ("standard_scaling", "standard_scaling,random_brightness"):
        short = experiment.with_settings([f"augmentations={names}", "epochs=1", "batches_per_epoch=1"])
        train.train(short, data, tmp_path / f"{len(names)}.safetensors", device="cpu")
    plain, brighter = seen.values()
    assert plain.shape == brighter.shape
    assert (plain != brighter).flatten(1).any(1).all()


def test_reconstructions_after_each_epoch_are_kept(tiny_checkpoint: Path, data: Manifest) -> None:
    samples = traininglog.read_samples(tiny_checkpoint)
    assert samples is not None
    assert list(samples.epochs) == [0, 1, 2]
    dev = train.train_dev_split(data, 0).dev["sample_id"].tolist()
    assert (samples.ids[0], samples.ids[-1]) == (dev[0], dev[-1])  # from all over the set, which is sorted by person
    assert len(samples.ids) == len(set(samples.ids)) == min(train.SHOWN, len(dev))
    model, header = checkpoint.loaded(tiny_checkpoint)
    _, x, _ = train._batch(data.root, data.rows.set_index("sample_id", drop=False).loc[samples.ids], Input(32))
    last = images.pixels(model.outputs(x).reconstructions.detach().numpy())[:, 0]
    epoch = header["steps"] // 4 - 1
    np.testing.assert_allclose(samples.epochs[epoch].astype(int), last.astype(int), atol=1)
    np.testing.assert_array_equal(samples.inputs, images.pixels(x.numpy())[:, 0])


def test_half_precision_is_an_option_that_a_resumed_training_keeps(
    tmp_path: Path, experiment: Experiment, data: Manifest
) -> None:
    out = tmp_path / "m.safetensors"
    train.train(experiment.with_settings(["epochs=1"]), data, out, device="cpu", precision="bf16")
    assert checkpoint.header_of(out)["precision"] == "bf16"
    header = {"experiment": experiment.as_json(), "data_sha256": data.sha256, "precision": "fp32"}
    other = tmp_path / "o.safetensors"
    checkpoint.write_tensors(traininglog.resume_file(other), {"x": torch.zeros(1)}, header)
    with pytest.raises(BadInputError, match="belongs to other precision"):
        train.train(experiment, data, other, device="cpu", precision="bf16", resume=True)


@pytest.mark.parametrize("name", ["small_resvae", "small_ganomaly"])
def test_the_other_models_train_and_resume_too(
    tmp_path: Path, name: str, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiments.preset(name).with_settings([*TINY_MODEL, "epochs=2"])
    whole = train.train(experiment, data, tmp_path / "whole.safetensors", device="cpu")
    step, calls = train._step, iter(range(100))

    def killed(*arguments: object) -> dict[str, float]:
        if next(calls) == 6:
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "_step", killed)
    out = tmp_path / "m.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train.train(experiment, data, out, device="cpu")
    monkeypatch.undo()
    train.train(experiment, data, out, device="cpu", resume=True)
    at_once, resumed = load_file(whole), load_file(out)
    for key in at_once:
        torch.testing.assert_close(at_once[key], resumed[key], rtol=0, atol=0)
    log = traininglog.metrics_log
    assert log(whole).read_bytes() == log(out).read_bytes()


def test_the_loader_holds_two_batches_whatever_the_size_of_the_data(
    experiment: Experiment, data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images decoded ahead of the step that the model is at."""
    decoded = 0
    load = images.load

    def counted(*arguments: object) -> np.ndarray:
        nonlocal decoded
        decoded += 1
        return load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "load", counted)
    split = train.train_dev_split(data, 0)
    learned = pd.concat([split.learned] * 500, ignore_index=True)
    files = np.tile(split.learned_files, (500, 1))
    long = train.Split(split.root, learned, split.dev, files, split.dev_files)
    alone = SimpleNamespace(global_rank=0, world_size=1, device=torch.device("cpu"))
    with train._Batches(long, experiment, alone, np.zeros_like(files)) as feed:  # type: ignore[arg-type]
        for step, _, x in feed.from_step(0, Input(32)):
            time.sleep(0.01)
            assert len(x) == experiment.batch_size
            assert decoded <= (step + 2) * experiment.batch_size
            if step == 5:
                break


def test_no_image_of_an_attack_is_learned_under_another_name(tmp_path: Path) -> None:
    for name, shade in (("a", 1), ("b", 2), ("again", 2), ("c", 3)):
        Image.new("L", (4, 4), shade).save(tmp_path / f"{name}.png")

    def split(rows: str) -> train.Split:
        (tmp_path / "m.csv").write_text(f"path,label,subset\n{rows}")
        return train.train_dev_split(manifest.read(tmp_path / "m.csv"), 0)

    with pytest.raises(BadInputError, match=r"1 bona fide images to train on are .*first: 'b.png' and 'again.png'"):
        split("a.png,live,train\nb.png,live,train\nagain.png,fake,dev\ngone.png,live,train\nlost.png,fake,dev\n")
    assert len(split("a.png,live,train\nb.png,live,dev\nagain.png,fake,dev\n").learned) == 1  # not learned from
    assert len(split("b.png,live,train\nagain.png,live,dev\nc.png,fake,dev\n").learned) == 1
