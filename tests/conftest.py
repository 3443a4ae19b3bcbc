"""What many tests need: the shared data folder if it is there, and a cache with three tiny Runs."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from pathlib import Path

# Tests run beside each other, one process per core: threads of PyTorch and BLAS would only wait for each other there.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")  # numba, once it is used, gives PyTorch as many as it has itself
# What one process has compiled is there for the others, and for the next run. Where Python is told to keep nothing, as
# in containers, every process, server and command that is started from here would compile all modules and tests anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "numba"))

# Nobody's own keys sign what tests make, nor are they asked about it; see `_own_cache` for each test.
os.environ["XDG_CONFIG_HOME"] = str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "config")

from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"

_MAIN = sys.modules["__main__"]  # of the tests, before any script of a page has taken its place
FOLDERS = {"e2e": "browser", "bench": "process"}  # below tests/ -> the marker of all that is in it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of two folders are marked by where they are. Those of a file stay in one process, with what they share."""
    for item in items:
        place = item.path.relative_to(PROJECT / "tests")
        marker = FOLDERS.get(place.parts[0])
        if marker:
            item.add_marker(marker)
        if any(item.get_closest_marker(name) for name in FOLDERS.values()):
            item.add_marker(pytest.mark.flaky(reruns=1))  # a busy machine fails these; what is broken fails twice


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """No garbage is looked for while all is loaded, nor in what was loaded thereafter: it stays, and to go through it
    takes most of a second each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: real data and golden vectors are not at hand")
    return SHARED


@pytest.fixture(autouse=True)
def _own_main() -> None:
    """What a test starts by `spawn` runs the main module anew: not the script that a test of a page has left there."""
    sys.modules["__main__"] = _MAIN


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the developer's own Runs, keys, log or name."""
    monkeypatch.setenv("FAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny Run is written four times faster so, and no test survives a power cut; see tests/test_store.py."""
    monkeypatch.setattr(store, "_synced", lambda path: None)


def tiny_samples() -> pd.DataFrame:
    """24 samples: 8 train, 4 live, 6 seen_paper (3 attacks), 6 unseen_mask (3 attacks)."""
    plan = [("train", 8, 0, ""), ("live", 4, 0, ""), ("seen_paper", 3, 3, "paper"), ("unseen_mask", 3, 3, "mask")]
    rows = []
    for subset, n_live, n_attack, species in plan:
        for i in range(n_live + n_attack):
            is_attack = i >= n_live
            rows.append(
                {
                    "path": f"images/{subset}_{i}.png",
                    "sample_id": f"{subset}_{i}",
                    "label": "attack" if is_attack else "bona_fide",
                    "pai_species": species if is_attack else "",
                    "subject_id": f"{'u' if subset.startswith('unseen') or subset == 'live' else 's'}{i % 3}",
                    "session_id": f"{subset}_{i % 2}",
                    "subset": subset,
                    "video_id": "",
                    "frame": float(i),
                    "pose_x": float(5 * i - 10),
                    "pose_y": 0.0,
                    "pose_z": 0.0,
                    "glasses": "yes" if i % 2 else "no",
                }
            )
    return pd.DataFrame(rows)


def learned_samples() -> pd.DataFrame:
    """`tiny_samples`, of which training has learned 2 of 6 seen_paper and chosen its epoch by 1, and made all train."""
    samples = tiny_samples()
    use = ["learned" if subset == "train" else "none" for subset in samples["subset"]]
    first = int((samples["subset"] == "seen_paper").to_numpy().argmax())
    use[first : first + 3] = ["learned", "learned", "dev"]
    return samples.assign(training_use=use)


# What each family of models writes per image; see its `loss_names`.
TERMS = {
    "dcvae": ["rec", "kl", "elbo", "excess_bce", "pixel_l1", "pixel_l2", "ssim"],
    "ganomaly": ["rec", "enc", "adv", "disc", "discriminator", "total", "pixel_l1", "pixel_l2", "ssim"],
}


def write_image_run(
    cache: Path,
    name: str,
    samples: pd.DataFrame,
    *,
    seed: int = 0,
    shard_size: int = 4,
    model: str = "dcvae",
    dimensions: int = 8,
    header: dict[str, object] | None = None,
    patches: bool = False,
) -> store.Run:
    """A Run as inference would write it, from random codes and pixels; attacks have larger losses. No torch.

    `model`: a key of `TERMS`, whose columns the Run gets. `header`: that of the checkpoint. `patches`: with features of
    2 x 2 places.
    """
    rng = np.random.default_rng(seed)
    n, size = len(samples), 32
    attack = (samples["label"] == "attack").to_numpy()
    inputs = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
    rec = 100 + 20 * attack + rng.normal(0, 10, n)
    kl = 10 + rng.normal(0, 1, n)
    pixel_l2 = 0.1 + 0.05 * attack + rng.normal(0, 0.02, n)
    info = store.RunInfo(
        run=store.run_id(name, str(seed)),
        name=name,
        kind="images",
        subsets={s: int(c) for s, c in samples["subset"].value_counts(sort=False).items()},
        scores=TERMS[model],
        model=model,
        checkpoint=f"{name}.safetensors",
        checkpoint_sha256="0" * 64,
        checkpoint_header=header or {},
        manifest="manifest.csv",
        manifest_sha256="1" * 64,
        precision="fp32",
        shard_size=shard_size,
    )
    folder = store.create(cache, info)
    latents = (rng.normal(0, 1, (n, dimensions)) + 2 * attack[:, None]).astype(np.float32)
    reconstructions = np.clip(inputs.astype(int) + rng.integers(-20, 21, inputs.shape), 0, 255).astype(np.uint8)
    enc, adv, disc, pixel_l1, ssim = 0.05 + rng.random((5, n)) / 2 + 0.3 * attack
    terms = {
        "rec": rec,
        "kl": kl,
        "elbo": rec + kl,
        "excess_bce": 0.3 * rec + rng.random(n),
        "enc": enc,
        "adv": adv,
        "disc": disc,
        "discriminator": 2 * disc,
        "total": 50 * rec + enc + adv,
        "pixel_l1": pixel_l1,
        "pixel_l2": pixel_l2,
        "ssim": 1 - ssim,
    }
    columns = {term: terms[term].astype(np.float32) for term in TERMS[model]}
    table = samples.assign(is_constant=False, **columns)
    arrays = {"latents": latents, "reconstructions": reconstructions, "inputs": inputs}
    if patches:
        features = np.random.default_rng(seed).normal(0, 1, (n, 2, 2, 4)) + 2 * attack[:, None, None, None]
        arrays["features"] = features.astype(np.float16)
    for subset in info.subsets:
        rows = np.flatnonzero(samples["subset"] == subset)
        for number, shard in enumerate(info.shard_names(subset)):
            here = rows[number * shard_size : (number + 1) * shard_size]
            store.write_shard(
                folder / subset / shard,
                table.iloc[here].reset_index(drop=True),
                samples.iloc[:0].assign(reason=pd.Series([], dtype="str")),
                **{array: values[here] for array, values in arrays.items()},
            )
    return store.opened(folder)


@pytest.fixture
def image_run() -> Callable[..., store.Run]:
    return write_image_run


@pytest.fixture(scope="session")
def _tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is copied for each test."""
    cache = tmp_path_factory.mktemp("tiny") / "cache"
    samples = tiny_samples()
    write_image_run(cache, "a", samples, seed=1)
    write_image_run(cache, "b", samples, seed=2)
    rng = np.random.default_rng(3)
    vendor = samples[["sample_id", "label", "pai_species", "subject_id"]].assign(
        subset=np.where(np.arange(len(samples)) % 2, "test", "dev"),
        score=rng.normal(0, 1, len(samples)) + 2 * (samples["label"] == "attack"),
    )
    scores_only_run(cache, "vendor", vendor, ["score"], "vendor.csv")
    return cache


@pytest.fixture
def tiny_cache(_tiny_cache: Path, tmp_path: Path) -> Path:
    """A cache holding image Runs "a" and "b" on the same 24 samples, and the scores-only Run "vendor"."""
    return Path(shutil.copytree(_tiny_cache, tmp_path / "cache"))


TINY_MODEL = ["width=0.125", "latent_dim=16", "image_size=32", "batches_per_epoch=4", "epochs=3", "batch_size=8"]


@pytest.fixture(scope="session")
def tiny_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 72 gray gradients with noise: 10 subjects, sessions, prints as their negatives; with subsets."""
    from PIL import Image

    from fas_core.data import manifest, subsets

    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(10):
        for session in range(3):
            for frame in range(2):
                base = np.add.outer(np.linspace(40, 160, 40), np.linspace(0, 40 + 5 * subject, 40))
                pixels = np.clip(base + rng.normal(0, 8, base.shape), 0, 255).astype(np.uint8)
                path = root / "images" / f"s{subject}_{session}_{frame}.png"
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(pixels).save(path)
                identity = {"subject_id": f"s{subject}", "session_id": f"s{subject}_{session}"}
                rows.append({"path": f"images/{path.name}", "label": "live", "pai_species": "", **identity})
                if subject >= 2 and session == 0:
                    Image.fromarray(255 - pixels).save(path.with_name(f"print_{path.name}"))
                    attack = {"path": f"images/print_{path.name}", "label": "spoof", "pai_species": "paper"}
                    rows.append(attack | identity | {"session_id": f"s{subject}_print"})
    checked, problems = manifest.normalised(pd.DataFrame(rows))
    assert not problems
    protocol = subsets.protocol(manifest.Manifest(checked, root / "faces.csv"))
    return manifest.write(protocol.rows, root / "faces.csv")


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DCVAE trained for twelve steps on `tiny_faces`."""
    from fas_core.data import manifest
    from fas_core.training import experiments, train

    out = tmp_path_factory.mktemp("checkpoints") / "tiny.safetensors"
    experiment = experiments.preset("small_dcvae").with_settings(TINY_MODEL)
    return train.train(experiment, manifest.read(tiny_faces), out, device="cpu")


@pytest.fixture(scope="module")
def trained_run(
    tiny_checkpoint: Path, tiny_faces: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[store.Run, Path]:
    """A Run of `tiny_checkpoint`, and the folder its images' paths are relative to."""
    from fas_core.data import manifest
    from fas_core.inference import infer

    data, cache = manifest.read(tiny_faces), tmp_path_factory.mktemp("cache")
    (run,) = infer.write_runs([tiny_checkpoint], data, cache, device="cpu", precision="fp32")
    return run, data.root


# Scripts run briefly in tests and are not worth optimising; all tabs of a context share what it has compiled.
BROWSER_FLAGS = ("--process-per-site", "--js-flags=--no-opt --no-maglev")


class Result(NamedTuple):
    code: int
    out: str
    err: str


def message(result: Result) -> str:
    """The one message of a refused command: a single line, no traceback, nothing on standard output."""
    assert result.code == 2, result
    assert "Traceback" not in result.err
    lines = [line for line in result.err.splitlines() if line.startswith("fas: ")]
    assert len(lines) == 1, result.err
    return lines[0]


@pytest.fixture
def fas(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs `fas ...` in this process."""
    from fas_core.cli import main

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["fas", *map(str, arguments)])
        capfd.readouterr()
        code: object = 0
        try:
            main.main()
        except SystemExit as stopped:
            code = stopped.code or 0
        return Result(int(str(code)), *capfd.readouterr())

    return run
