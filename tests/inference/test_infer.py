import json
import resource
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, PngImagePlugin

from fas_core import bench, models
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import infer
from fas_core.latent import training_rows
from fas_core.runs import store
from fas_core.runs.upkeep import damage
from fas_core.training import checkpoint, train
from fas_core.training.known import Known
from tests.conftest import Result


@pytest.fixture
def data(tiny_faces: Path) -> Manifest:
    return manifest.read(tiny_faces)


@pytest.fixture
def second_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """Another model than the first."""
    model, header = checkpoint.loaded(tiny_checkpoint)
    with torch.no_grad():
        next(model.parameters()).mul_(1.1)
    path = tmp_path / "second.safetensors"
    checkpoint.save(path, model, "dcvae", {"experiment": header["experiment"]})
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_holds_what_the_model_says(tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path, device="cpu")
    assert run.is_complete
    assert damage(run) == []
    samples = run.samples()
    assert set(samples["sample_id"]) == set(data.rows["sample_id"])
    model, _ = checkpoint.loaded(tiny_checkpoint)
    paths = dict(zip(data.rows["sample_id"], data.image_paths(), strict=True))
    for row in (0, len(run) // 2, len(run) - 1):
        x = images.standard_scaled(images.load(paths[samples["sample_id"][row]], 32)[None])
        with torch.inference_mode():
            out = model.outputs(torch.from_numpy(x))
        np.testing.assert_allclose(run.latents()[row], out.latents[0].numpy(), rtol=1e-4, atol=1e-5)
        for name in ("rec", "kl", "elbo", "pixel_l2"):
            assert samples[name][row] == pytest.approx(float(out.losses[name][0]), rel=1e-4)
        assert np.array_equal(run.images("inputs", [row])[0], images.pixels(x)[0, 0])
        shown = run.images("reconstructions", [row])[0].astype(int)
        assert np.abs(shown - images.pixels(out.reconstructions.numpy())[0, 0]).max() <= 1


@pytest.mark.process
def test_a_shard_takes_little_more_memory_than_its_pictures(tmp_path: Path) -> None:
    """Batches that stayed one by one, between what each has freed, would make the process twice as large."""
    torch.manual_seed(0)
    tiny = models.built("dcvae", {"width": 0.03, "latent_dim": 64})
    checkpoint.save(tmp_path / "m.safetensors", tiny, "dcvae", {})
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    n = store.SHARD_SIZE
    rows = pd.DataFrame({"path": "noise.png", "sample_id": map(str, range(n)), "label": "live", "subset": "live"})
    with bench.own_process() as process:
        grown = process.submit(_megabytes_grown, tmp_path, manifest.normalised(rows)[0]).result()
    assert grown < 130  # its pictures are 34


def _megabytes_grown(folder: Path, rows: pd.DataFrame) -> float:
    infer.write_runs([folder / "m.safetensors"], Manifest(rows[:16], folder / "m.csv"), folder / "warm", device="cpu")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    infer.write_runs([folder / "m.safetensors"], Manifest(rows, folder / "m.csv"), folder / "cache", device="cpu")
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def test_interrupted_and_started_again_is_byte_identical(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infer.write_runs([tiny_checkpoint], data, tmp_path / "whole", device="cpu")
    written: list[str] = []
    write = store.write_shard

    def fails_at_the_third(shard: Path, *arguments: object, **arrays: object) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(shard.parent.name)
        write(shard, *arguments, **arrays)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "write_shard", fails_at_the_third)
    with pytest.raises(OSError, match="No space"):
        infer.write_runs([tiny_checkpoint], data, tmp_path / "killed", device="cpu")
    monkeypatch.undo()
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "killed").rglob("meta.json")}
    infer.write_runs([tiny_checkpoint], data, tmp_path / "killed", device="cpu")
    assert files(tmp_path / "whole") == files(tmp_path / "killed")
    assert len(stamps) == 2
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())  # none was computed twice


def test_bad_images_become_failures(tiny_checkpoint: Path, tiny_faces: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(tiny_faces.parent, root)
    source = manifest.read(root / "faces.csv")
    first, second = source.image_paths()[:2]
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    (run,) = infer.write_runs([tiny_checkpoint], manifest.read(root / "faces.csv"), tmp_path / "cache", device="cpu")
    failures = run.failures().set_index("path")
    assert run.n_failures == len(failures) == 2
    assert len(run) == len(source) - 2
    for path in (first, second):
        assert len(failures.loc[path.relative_to(root).as_posix(), "reason"]) > 5
    missing = store.non_responses(run)
    assert missing["bona_fide"] + missing["attack"] == 2


def test_every_input_changes_the_id(tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "c", subsets=["live"], device="cpu")
    assert run.subsets == ["live"]
    assert not run.is_complete
    other = Manifest(data.rows.assign(lamp="new"), data.source)
    (changed,) = infer.write_runs([tiny_checkpoint], other, tmp_path / "c", subsets=["live"], device="cpu")
    assert changed.id != run.id
    with pytest.raises(BadInputError, match="'nowhere'"):
        infer.write_runs([tiny_checkpoint], data, tmp_path / "c", subsets=["nowhere"], device="cpu")


def test_two_checkpoints_decode_each_image_once(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second.safetensors"
    model, header = checkpoint.loaded(tiny_checkpoint)
    about = {"note": "same weights, another file", "experiment": header["experiment"]}
    checkpoint.save(second, model, "dcvae", about, checkpoint.known_of(tiny_checkpoint))
    decoded: list[Path] = []
    load = images.load

    def counted(path: Path, *form: int) -> np.ndarray:
        decoded.append(path)
        return load(path, *form)

    monkeypatch.setattr(images, "load", counted)
    a, b = infer.write_runs([tiny_checkpoint, second], data, tmp_path / "c", device="cpu")
    assert len(decoded) == len(data)
    assert a.id != b.id
    pd.testing.assert_frame_equal(a.samples(), b.samples())


def test_a_checkpoint_that_joins_later_gets_its_own_outputs(
    tiny_checkpoint: Path, second_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    infer.write_runs([tiny_checkpoint], data, tmp_path / "c", subsets=["live"], device="cpu", precision="fp32")
    together = infer.write_runs(
        [tiny_checkpoint, second_checkpoint], data, tmp_path / "c", device="cpu", precision="fp32"
    )
    for path, run in zip([tiny_checkpoint, second_checkpoint], together, strict=True):
        (alone,) = infer.write_runs([path], data, tmp_path / path.stem, device="cpu", precision="fp32")
        assert alone.id == run.id
        pd.testing.assert_frame_equal(alone.samples(), run.samples())
        assert np.array_equal(alone.latents(), run.latents())
    assert not np.allclose(together[0].latents(), together[1].latents())


def test_nothing_there_and_clashing_columns_are_one_message(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=r"none of its \d+ images is there"):
        infer.write_runs([tiny_checkpoint], Manifest(data.rows, tmp_path / "moved.csv"), tmp_path / "c", device="cpu")
    with pytest.raises(BadInputError, match="column 'rec' has the name of a score"):
        infer.write_runs(
            [tiny_checkpoint], Manifest(data.rows.assign(rec=1), data.source), tmp_path / "c", device="cpu"
        )


def test_a_diverged_checkpoint_is_refused(tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    tensors, header = checkpoint.read_tensors(tiny_checkpoint)
    broken = {
        name: torch.full_like(value, float("nan")) for name, value in tensors.items() if value.is_floating_point()
    }
    checkpoint.write_tensors(tmp_path / "nan.safetensors", broken, header)
    with pytest.raises(BadInputError, match="gives NaN for every image"):
        infer.write_runs([tmp_path / "nan.safetensors"], data, tmp_path / "c", device="cpu")


def test_run_json_says_where_it_comes_from(tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path, subsets=["live"], device="cpu")
    info = json.loads((run.folder / "run.json").read_text())
    assert info["checkpoint_sha256"] == checkpoint.sha256(tiny_checkpoint)
    assert info["manifest_sha256"] == data.sha256
    assert info["preprocessing"] == images.PREPROCESSING
    assert info["precision"] == "fp32"
    assert info["model"] == "dcvae"


def test_odd_files_load_or_become_failures(shared: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "odd_images" / "images"
    listed = pd.read_csv(shared / "data" / "odd_images" / "manifest.csv")
    paths = sorted(p for p in folder.iterdir() if p.is_file())
    assert len(paths) == len(listed) == 61
    rows, _ = manifest.normalised(pd.DataFrame({"path": [str(p) for p in paths], "label": "live"}))
    (run,) = infer.write_runs([tiny_checkpoint], Manifest(rows, tmp_path / "odd.csv"), tmp_path / "c", device="cpu")
    refused = set(run.failures()["path"].map(lambda p: Path(p).name))
    assert refused == {Path(p).name for p in listed.loc[listed["pillow_load"] != "ok", "path"]}
    assert len(run) == 61 - len(refused)
    assert run.failures()["reason"].str.len().min() > 5


@pytest.mark.parametrize("name", ["dcvae", "resvae", "ganomaly"])
def test_no_image_feels_which_others_it_is_cached_with(
    name: str, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch statistics at inference would make scores depend on order and batch size."""
    torch.manual_seed(0)
    model = models.built(name, {"width": 0.125, "latent_dim": 16, "image_size": 32})
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # far from the statistics of any batch
            module.running_mean.fill_(0.1)
            module.running_var.fill_(2.0)
    checkpoint.save(tmp_path / "m.safetensors", model, name, {})
    (run,) = infer.write_runs([tmp_path / "m.safetensors"], data, tmp_path / "a", device="cpu")
    monkeypatch.setattr(infer, "BATCH_CPU", 5)
    reversed_rows = Manifest(data.rows.iloc[::-1].reset_index(drop=True), data.source)
    (other,) = infer.write_runs([tmp_path / "m.safetensors"], reversed_rows, tmp_path / "b", device="cpu")
    columns = ["sample_id", *model.loss_names]
    alone, among = (r.samples(columns).set_index("sample_id").sort_index() for r in (run, other))
    pd.testing.assert_frame_equal(alone, among, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("has_bf16", [True], indirect=True)
@pytest.mark.parametrize(("seconds", "expected"), [((1.0, 0.5), "bf16"), ((1.0, 0.9), "fp32")])
def test_precision_is_bf16_where_that_is_clearly_faster(
    seconds: tuple[float, float], expected: str, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = infer.loaded(tiny_checkpoint)
    clock, now, cores = iter(np.repeat(seconds, 3)), [0.0], torch.get_num_threads()
    used: set[int] = set()

    def fetched(_: object) -> None:
        used.add(torch.get_num_threads())
        now[0] += next(clock)

    monkeypatch.setattr(infer, "_fetched", fetched)
    monkeypatch.setattr(infer.time, "thread_time", lambda: now[0])
    torch.set_num_threads(2)
    try:
        assert infer.settled_precision([loaded], "cpu") == expected
        assert (used, torch.get_num_threads()) == ({1}, 2)  # as a Run is computed: each core by itself
    finally:
        torch.set_num_threads(cores)


def test_without_bf16_in_the_processor_it_is_not_even_tried(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = infer.loaded(tiny_checkpoint)
    with monkeypatch.context() as patched:
        patched.setattr(infer, "device_outputs", lambda *_: pytest.fail("a batch was measured"))
        assert infer.settled_precision([loaded], "cpu") == "fp32"
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "c", subsets=["live"], device="cpu")
    assert run.info.precision == "fp32"


@pytest.mark.parametrize("measured", [("fp32", "bf16"), ("bf16", "fp32")])
def test_a_run_goes_on_in_the_precision_it_began_with(
    measured: tuple[str, str], tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a choice that is measured would leave half a Run behind and begin another."""
    outcomes = iter(measured)
    monkeypatch.setattr(infer, "settled_precision", lambda *_: next(outcomes))
    infer.write_runs([tiny_checkpoint], data, tmp_path / "c", subsets=["live"], device="cpu")
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu")
    assert run.info.precision == measured[0]
    assert len(store.run_folders(tmp_path / "c")) == 1
    assert run.is_complete


@pytest.mark.parametrize("has_bf16", [False, True], indirect=True)
def test_the_same_command_again_makes_nothing(
    has_bf16: bool, tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu")
    assert run.info.precision in (("fp32", "bf16") if has_bf16 else ("fp32",))
    before = files(tmp_path / "c")
    (again,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu")
    assert again.id == run.id
    assert files(tmp_path / "c") == before


def test_each_of_several_runs_goes_on_in_its_own_precision(
    tiny_checkpoint: Path, second_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = {tiny_checkpoint: "fp32", second_checkpoint: "bf16"}
    alone = {}
    for path, precision in begun.items():
        infer.write_runs([path], data, tmp_path / "c", subsets=["live"], device="cpu", precision=precision)
        (alone[path],) = infer.write_runs([path], data, tmp_path / path.stem, device="cpu", precision=precision)
    monkeypatch.setattr(infer, "settled_precision", lambda *_: pytest.fail("it was measured again"))
    runs = infer.write_runs([*begun], data, tmp_path / "c", device="cpu")
    assert [run.info.precision for run in runs] == ["fp32", "bf16"]
    assert len(store.run_folders(tmp_path / "c")) == 2
    for path, run in zip(begun, runs, strict=True):
        assert run.is_complete
        pd.testing.assert_frame_equal(run.samples(), alone[path].samples())


def test_a_new_checkpoint_takes_the_precision_of_those_beside_it(
    tiny_checkpoint: Path, second_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models are compared, which half precision should not disturb, and a measurement is saved."""
    infer.write_runs([tiny_checkpoint], data, tmp_path / "c", subsets=["live"], device="cpu", precision="bf16")
    monkeypatch.setattr(infer, "settled_precision", lambda *_: "fp32")
    runs = infer.write_runs([second_checkpoint, tiny_checkpoint], data, tmp_path / "c", device="cpu")
    assert [run.info.precision for run in runs] == ["bf16", "bf16"]
    assert len(store.run_folders(tmp_path / "c")) == 2


def test_scores_in_half_precision_stay_close(tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    full, half = (
        infer.write_runs([tiny_checkpoint], data, tmp_path / p, device="cpu", precision=p)[0] for p in ("fp32", "bf16")
    )
    names = ["rec", "elbo", "pixel_l1", "pixel_l2"]
    in_fp32, in_bf16 = full.samples(names), half.samples(names)
    for name in names:
        assert (in_bf16[name] / in_fp32[name] - 1).abs().max() < 0.01


def test_a_disk_that_fills_up_stops_the_work_and_leaves_whole_shards(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards are written behind the models' back, where an error is easily lost."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_shard", full)
    with pytest.raises(OSError, match="No space left"):
        infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu")
    monkeypatch.undo()
    assert infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu")[0].is_complete


def test_the_way_of_a_gpu_gives_the_same_run(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "cpu", device="cpu")
    monkeypatch.setattr(infer, "_parts_by_core", infer._parts_in_turn)
    monkeypatch.setattr(infer, "BATCH_CPU", 7)
    (second,) = infer.write_runs([tiny_checkpoint], data, tmp_path / "gpu", device="cpu")
    pd.testing.assert_frame_equal(first.samples(), second.samples(), rtol=1e-4, atol=1e-5)
    every = np.arange(len(first))
    assert np.array_equal(first.images("inputs", every), second.images("inputs", every))
    shown = [run.images("reconstructions", every).astype(int) for run in (first, second)]
    assert np.abs(shown[0] - shown[1]).max() <= 1


def test_the_bytes_of_a_run_do_not_depend_on_the_number_of_threads(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            infer.write_runs([tiny_checkpoint], data, tmp_path / str(n), device="cpu")
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(before)
    of_one, of_three = files(tmp_path / "1" / "runs"), files(tmp_path / "3" / "runs")
    assert of_one == of_three


def test_outputs_of_a_gpu_are_copied_beside_its_work_on_the_next_batch(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device that is none: what is asked of it, and in which order."""
    monkeypatch.setattr(infer, "_parts_by_core", infer._parts_in_turn)
    infer.write_runs([tiny_checkpoint], data, tmp_path / "plain", device="cpu")
    asked: list[str] = []
    counts = {"computed": 0, "copied": 0}

    def numbered(name: str) -> str:
        counts[name] += 1
        asked.append(f"{name} {counts[name] - 1}")
        return asked[-1].split()[1]

    class Stream:
        device = "cuda:0"

        def __init__(self, device: object) -> None:
            pass

        def wait_stream(self, other: object) -> None:
            assert other == "computing"

        def record_event(self) -> SimpleNamespace:
            number = numbered("copied")
            return SimpleNamespace(synchronize=lambda: asked.append(f"awaited {number}"))

    empty, outputs, fetching = torch.empty, infer.device_outputs, infer._Fetching
    monkeypatch.setattr(torch, "empty", lambda *shape, pin_memory=False, **form: empty(*shape, **form))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "computing")
    monkeypatch.setattr(infer, "device_outputs", lambda *batch: (numbered("computed"), outputs(*batch))[1])
    monkeypatch.setattr(infer, "_Fetching", lambda _: fetching(torch.device("cuda")))
    infer.write_runs([tiny_checkpoint], data, tmp_path / "gpu", device="cpu")
    assert files(tmp_path / "plain" / "runs") == files(tmp_path / "gpu" / "runs")
    assert asked[:7] == ["computed 0", "copied 0", "computed 1", "copied 1", "awaited 0", "computed 2", "copied 2"]
    assert asked[-1] == f"awaited {counts['computed'] - 1}"


@pytest.mark.process
def test_the_bytes_of_a_run_do_not_depend_on_who_reads_the_images(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads or processes, each core by itself or in turn; an image that cannot be read is the same failure."""
    for way in ("_parts_by_core", "_parts_in_turn"):
        monkeypatch.setattr(infer, "_parts_by_core", getattr(infer, way))
        for workers in (0, 1):
            infer.write_runs([tiny_checkpoint], data, tmp_path / f"{way}{workers}", device="cpu", workers=workers)
        assert files(tmp_path / f"{way}0" / "runs") == files(tmp_path / f"{way}1" / "runs")


def test_no_more_than_a_few_batches_are_read_ahead(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, computed, most = [0], [0], [0]
    load, device_outputs = images.load, infer.device_outputs

    def counted(*arguments: object) -> np.ndarray:
        read[0] += 1
        return load(*arguments)  # type: ignore[arg-type]

    def slow(*arguments: object) -> dict[str, torch.Tensor]:
        most[0] = max(most[0], read[0] - computed[0])
        time.sleep(0.02)
        computed[0] += len(arguments[1])  # type: ignore[arg-type]
        return device_outputs(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "load", counted)
    monkeypatch.setattr(infer, "device_outputs", slow)
    monkeypatch.setattr(infer, "BATCH_CPU", 4)
    infer.write_runs([tiny_checkpoint], data, tmp_path / "c", device="cpu")
    assert 4 <= most[0] <= 4 * torch.get_num_threads()  # every core has one batch


def test_training_images_are_known_under_other_names(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    split = train.train_dev_split(data, 0)  # of the seed that the checkpoint was trained with
    fresh = data.rows[data.rows["subset"].str.startswith("unseen")]
    rows = []
    for i, (folder, path, use) in enumerate(
        [
            *((data.root, path, "learned") for path in split.learned["path"][:7]),
            *((data.root, path, "dev") for path in split.dev["path"][:2]),
            *((data.root, path, "none") for path in fresh["path"][:5]),
        ]
    ):
        copy = tmp_path / "other" / f"{i}.bin.png"
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / path, copy)
        rows.append(
            {"path": f"other/{copy.name}", "label": "live", "subset": "test", "subject_id": f"x{i % 3}", "is": use}
        )
    source = tmp_path / "other.csv"
    pd.DataFrame(rows).to_csv(source, index=False)
    answer = fas("cache", tiny_checkpoint, "--data", source, "--cache", tmp_path / "c", "--json", "--precision", "fp32")
    document = json.loads(answer.out)
    run = store.open_run(tmp_path / "c", document["runs"][0])
    assert run.samples(["training_use"])["training_use"].tolist() == [row["is"] for row in rows]
    (warning,) = document["warnings"]
    assert warning["kind"] == "training_overlap"
    assert {k: warning[k] for k in ("n_images", "n_learned", "n_dev", "n_subjects", "n_sessions", "subsets")} == {
        "n_images": 14, "n_learned": 7, "n_dev": 2, "n_subjects": 3, "n_sessions": 0, "subsets": {"test": 9},
    }  # fmt: skip
    assert warning["message"] in answer.err
    assert warning["message"].startswith("9 of 14 test images, of 3 subjects, are known to the model")
    assert training_rows(run).tolist() == list(range(7))  # what is fitted, is fitted on what was learned


def test_training_images_are_known_in_other_files(tiny_checkpoint: Path, data: Manifest, tmp_path: Path) -> None:
    """Saved anew without loss, under other names; crops and neighbours are other pictures."""
    split = train.train_dev_split(data, 0)
    read_first = train.order_at(0, 8, len(split.learned), 0)  # surely before any checkpoint was written
    fresh = data.rows[data.rows["subset"].str.startswith("unseen")]
    sources = [(path, "learned") for path in split.learned["path"].iloc[read_first[:5]]]
    sources += [(split.dev["path"].iloc[0], "dev"), (fresh["path"].iloc[0], "none")]
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "from elsewhere")
    ways = [
        ("packed.png", {"optimize": True, "pnginfo": text}),
        ("a.bmp", {}),
        ("b.tiff", {"compression": "tiff_lzw"}),
        ("c.webp", {"lossless": True, "exact": True}),
        ("loose.png", {"compress_level": 0}),
    ]
    rows = []
    for number, (source, use) in enumerate(sources):
        picture = Image.open(data.root / source)
        name, options = ways[number % len(ways)]
        picture.save(tmp_path / f"{number}_{name}", **options)
        assert (tmp_path / f"{number}_{name}").read_bytes() != (data.root / source).read_bytes()
        picture.crop((1, 0, 40, 39)).save(tmp_path / f"{number}_crop.png")
        rows += [
            {"path": f"{number}_{name}", "label": "live", "subset": "test", "is": use},
            {"path": f"{number}_crop.png", "label": "live", "subset": "test", "is": "none"},
        ]
    (tmp_path / "broken.png").write_bytes(b"no image")
    rows.insert(3, {"path": "broken.png", "label": "live", "subset": "test", "is": "none"})  # shifts what follows
    pd.DataFrame(rows).to_csv(tmp_path / "m.csv", index=False)
    read = manifest.read(tmp_path / "m.csv")
    (run,) = infer.write_runs([tiny_checkpoint], read, tmp_path / "c", device="cpu", precision="fp32")
    samples = run.samples(["path", "training_use", "is"])
    assert samples["training_use"].tolist() == samples["is"].tolist()
    assert samples["is"].value_counts().to_dict() == {"none": 8, "learned": 5, "dev": 1}


def test_a_checkpoint_that_knows_files_alone_still_knows_them(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    split = train.train_dev_split(data, 0)
    old = tmp_path / "old.safetensors"
    model, header = checkpoint.loaded(tiny_checkpoint)
    about = {key: value for key, value in header.items() if key not in ("model", "config")}
    checkpoint.save(old, model, "dcvae", about, Known.of([split.learned_files], [split.dev_files]))
    source = data.root / split.learned["path"].iloc[0]
    shutil.copyfile(source, tmp_path / "copy.png")
    Image.open(source).save(tmp_path / "anew.bmp")
    pd.DataFrame({"path": ["copy.png", "anew.bmp"], "label": "live"}).to_csv(tmp_path / "m.csv", index=False)
    read = manifest.read(tmp_path / "m.csv")
    (run,) = infer.write_runs([old], read, tmp_path / "c", device="cpu", precision="fp32")
    assert run.samples(["training_use"])["training_use"].tolist() == ["learned", "none"]
