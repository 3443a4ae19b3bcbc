"""The demo's steps, on a tenth of its faces and with a model that learns for a second."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fas_core import demo, derive
from fas_core.data.synthetic import data_set
from fas_core.demo import Places
from fas_core.runs import store
from fas_core.training import experiments, train


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest = data_set.render_data_set(tmp_path_factory.mktemp("rendered"), subjects=6, share=0.05, processes=1)
    return manifest.parent


@pytest.fixture
def where(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    preset = experiments.preset
    tiny = ["batches_per_epoch=2", "epochs=2", "batch_size=4", "image_size=32", "latent_dim=16", "width=0.125"]
    monkeypatch.setattr(experiments, "preset", lambda name: preset(name).with_settings(tiny))
    monkeypatch.setattr(data_set, "render_data_set", lambda to, *_, **__: shutil.copytree(rendered, to))
    quick = derive.compute_quick

    def compute_quick(run: store.Run, job_file: Path) -> None:
        note = tmp_path / f"quick {run.info.name}"
        if run.info.name == "small_ganomaly" and not note.exists():  # one of them in earnest
            quick(run, job_file=job_file)
        note.touch()

    monkeypatch.setattr(derive, "compute_quick", compute_quick)
    # UMAP has its own test; its first compile takes a minute.
    monkeypatch.setattr(derive, "compute_slow", lambda run: (tmp_path / f"slow {run.info.name}").touch())
    return demo.places(tmp_path, tmp_path / "unused")


def test_everything_is_made_once_and_reused(where: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    demo.make(where, said.append)
    runs = list(store.all_runs(where.cache))
    assert {run.info.name for run in runs} == set(demo.EXPERIMENTS)
    assert all(run.is_complete and run.n_failures == 0 for run in runs)
    assert len(said) == 3
    derived = {path.name for pace in ("quick", "slow") for path in tmp_path.glob(f"{pace} *")}
    assert derived == {f"{pace} {name}" for pace in ("quick", "slow") for name in demo.EXPERIMENTS}
    assert not list((where.cache / "jobs").glob("*.json"))

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("made again")

    for module, name in ((data_set, "render_data_set"), (train, "train"), (store, "write_shard")):
        monkeypatch.setattr(module, name, refused)
    demo.make(where, said.append)
    assert len(said) == 3


def test_interrupted_training_goes_on(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "compute_quick", lambda run, job_file: None)
    step = train._step
    seen: list[int] = []

    def killed(*arguments: object) -> dict[str, float]:
        seen.append(int(arguments[4]))  # type: ignore[call-overload]
        if len(seen) == 4:
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        demo.make(where, lambda _: None)
    demo.make(where, lambda _: None)
    assert seen[:6] == [0, 1, 2, 3, 2, 3]  # the first epoch was kept, the second began anew


def test_places() -> None:
    own = demo.places(None, Path("/c"))
    assert (own.cache, own.manifest) == (Path("/c"), Path("/c/demo/data/manifest.csv"))
    given = demo.places(Path("/d"), Path("/c"))
    assert (given.cache, given.checkpoint("x")) == (Path("/d/cache"), Path("/d/checkpoints/x.safetensors"))
