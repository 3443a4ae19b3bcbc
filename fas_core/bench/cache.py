"""`fas cache` against the bare model, against the loop one would write oneself, and its memory.

The bare model takes batches that are in memory already, at the same precision; the loop is fp32 in the default layout,
batch by batch, and saves one PNG per reconstruction. Start-up does not count. By a GPU where there is one: what only
such a machine, or one with OpenVINO, can tell is not measured elsewhere.
"""

from __future__ import annotations

import math
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from fas_core import models
from fas_core.bench import own_process
from fas_core.data import images, manifest, processes, readers
from fas_core.data.manifest import Manifest
from fas_core.data.readers import Readers, Wanted
from fas_core.documents import Json
from fas_core.inference import infer, onnx_engine, onnx_export, preparing
from fas_core.models import onnx_graph
from fas_core.models.input import Input
from fas_core.models.onnx_model import OnnxModel, Told
from fas_core.training import checkpoint, devices, experiments, train
from fas_core.training.devices import ONNX

FULL: Json = {}
QUARTER: Json = {"width": 0.25, "latent_dim": 128}
SMALL: Json = {"width": 0.125, "latent_dim": 64}
TURNS = 5
TARGETS = {
    "full_efficiency": ("at_least", 0.9),
    "quarter_efficiency": ("at_least", 0.9),
    "full_against_loop": ("at_least", 3.0),
    "small_against_loop": ("at_least", 3.0),
    "three_models_against_three_commands": ("at_most", 0.9),
    "memory_growth": ("at_most", 1.05),
    "bf16_largest_change": ("at_most", 0.01),
    "bf16_spearman": ("at_least", 0.999),
    "onnx_largest_difference": ("at_most", 1e-5),
    "gpu_efficiency": ("at_least", 0.85),
    "full_over_fastest_runtime": ("at_most", 1.05),  # of ONNX Runtime and OpenVINO
    "small_over_fastest_runtime": ("at_most", 1.05),
}


def figures(n: int = 4_096, many: int = 32_768, measured: int = 256) -> dict[str, float]:
    """Rates in images per second, and their ratios; `measured` images for what is slow and steady: the loops."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = _data(root, n)
        by_name: dict[str, float] = {}
        for name, config in (("full", FULL), ("quarter", QUARTER), ("small", SMALL)):
            path = _checkpoint(root / f"{name}.safetensors", config)
            bare = [_bare_rate(path, measured)]
            by_name[f"{name}_rate"] = n / _seconds_of_caching([path], data, root / f"cache_{name}")
            bare.append(_bare_rate(path, measured))  # before and after: the machine may have changed its pace
            by_name[f"{name}_bare_rate"] = sum(bare) / 2
            by_name[f"{name}_efficiency"] = by_name[f"{name}_rate"] / by_name[f"{name}_bare_rate"]
            with own_process() as process:  # in this one `devices.keep_buffers` has come to be, which the loop lacks
                by_name[f"{name}_loop_rate"] = process.submit(_loop_rate, path, data, measured, root / "pngs").result()
            by_name[f"{name}_against_loop"] = by_name[f"{name}_rate"] / by_name[f"{name}_loop_rate"]
        by_name |= _several(root, data)
        few = _peak(data, root)
        by_name["memory_growth"] = _peak(_repeated(data, many), root) / few
        by_name |= _half_precision(data, root, measured) | _by_onnx(data, root)
        if torch.cuda.is_available():
            by_name["gpu_efficiency"] = by_name["full_efficiency"]
        for name in ("full", "small"):
            by_name |= {f"{name}_{key}": value for key, value in _by_runtimes(root / f"{name}.safetensors").items()}
        by_name |= _reading(data, measured)
    return by_name


def _data(root: Path, n: int) -> Manifest:
    """n images of 64 files: noise from smooth to fine, so that scores differ, as large as a face."""
    rng = np.random.default_rng(0)
    for number in range(64):
        coarse = Image.fromarray(rng.integers(0, 256, (4 + number, 4 + number), dtype=np.uint8))
        coarse.resize((128, 128), Image.Resampling.BICUBIC).save(root / f"{number}.png")
    rows = pd.DataFrame({"path": [f"{i % 64}.png" for i in range(n)], "sample_id": [str(i) for i in range(n)]})
    checked, _ = manifest.normalised(rows.assign(label="live", subset="live"))
    return Manifest(checked, root / "m.csv")


def _repeated(data: Manifest, n: int) -> Manifest:
    rows = pd.concat([data.rows] * -(-n // len(data)), ignore_index=True)[:n]
    return Manifest(rows.assign(sample_id=[str(i) for i in range(n)]), data.source)


def _checkpoint(path: Path, config: Json) -> Path:
    torch.manual_seed(0)
    checkpoint.save(path, models.built("dcvae", config), "dcvae", {})
    return path


def _seconds_of_caching(paths: list[Path], data: Manifest, cache: Path, precision: str = "auto") -> float:
    """From the first image to the last shard."""
    infer.write_runs(paths, Manifest(data.rows[:64], data.source), cache / "warm", precision=precision)
    start = time.perf_counter()
    infer.write_runs(paths, data, cache, precision=precision, workers=None)
    return time.perf_counter() - start


def _bare_rate(path: Path, n: int) -> float:
    """Images per second of the model alone, on a CPU the faster of two ways: cores together, or each by itself."""
    loaded = infer.loaded(path)
    place = devices.one_device("auto", infer.settled_precision([loaded], "auto"))
    network = infer.ready(loaded, place)
    given = loaded.model.input
    x = torch.rand(infer.batch_size(place), given.channels, given.size, given.size)
    devices.keep_buffers()
    batches = max(4, n // len(x))

    def one_batch(_: int) -> None:
        infer.device_outputs(network, x)

    def rate(cores: int) -> float:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(threads // cores,)) as pool:
            list(pool.map(one_batch, range(cores)))  # warms up
            start = time.perf_counter()
            list(pool.map(one_batch, range(batches)))
            if place.device.type == "cuda":
                torch.cuda.synchronize()
            return batches * len(x) / (time.perf_counter() - start)

    threads = torch.get_num_threads()
    try:
        return max(map(rate, {1, threads} if place.device.type == "cpu" else {1}))
    finally:
        torch.set_num_threads(threads)


def _loop_rate(path: Path, data: Manifest, n: int, out: Path, batch: int = 64) -> float:
    """Open, scale, reconstruct, save: as in many a notebook, with the same losses computed."""
    model, _ = checkpoint.loaded(path)
    device = devices.one_device("auto", "fp32").device
    model.to(device)
    out.mkdir(exist_ok=True)
    paths = data.image_paths()[:n]
    start = time.perf_counter()
    with torch.no_grad():
        for first in range(0, len(paths), batch):
            part = [images.load(p, model.config.image_size) for p in paths[first : first + batch]]
            x = torch.from_numpy(images.standard_scaled(np.stack(part))).to(device)
            result = model.outputs(x)
            assert result.reconstructions is not None
            for number, shown in enumerate(images.pixels(result.reconstructions.cpu().numpy())[:, 0]):
                Image.fromarray(shown).save(out / f"{first + number}.png")
    return len(paths) / (time.perf_counter() - start)


def _several(root: Path, data: Manifest) -> dict[str, float]:
    """Three small models in one command over one command for each."""
    paths = [root / f"small{i}.safetensors" for i in range(3)]
    for number, path in enumerate(paths):
        model = models.built("dcvae", SMALL)
        checkpoint.save(path, model, "dcvae", {"number": number})
    together = _seconds_of_caching(paths, data, root / "together")
    apart = sum(_seconds_of_caching([path], data, root / "apart") for path in paths)
    return {"three_models_against_three_commands": together / apart}


def _peak(data: Manifest, root: Path) -> float:
    """Most bytes resident in a process of its own that caches this data with a tiny model."""
    path = _checkpoint(root / "tiny.safetensors", {"width": 0.03, "latent_dim": 64})
    with own_process() as process:
        return process.submit(_peak_of_caching, path, data.rows, data.source, root / f"peak{len(data)}").result()


def _peak_of_caching(path: Path, rows: pd.DataFrame, source: Path, cache: Path) -> float:
    infer.write_runs([path], Manifest(rows, source), cache)
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _half_precision(data: Manifest, root: Path, n: int) -> dict[str, float]:
    """Largest relative change of a per-image score in bf16, and the lowest rank correlation with fp32.

    By a model that has been trained for a moment: what an untrained one says hardly depends on the image.
    """
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    brief = experiments.preset("small_dcvae").with_settings(
        [*settings, "epochs=2", "batches_per_epoch=40", "batch_size=8"]
    )
    some = Manifest(data.rows[:n].reset_index(drop=True), data.source)
    as_training = Manifest(some.rows.assign(subset="train"), data.source)
    path = train.train(brief, as_training, root / "trained.safetensors")
    full, half = (infer.write_runs([path], some, root / f"half_{p}", precision=p)[0] for p in ("fp32", "bf16"))
    names = ["rec", "kl", "elbo", "pixel_l2"]
    in_fp32, in_bf16 = (run.samples(names)[names].to_numpy(float) for run in (full, half))
    correlations = [spearmanr(a, b).statistic for a, b in zip(in_fp32.T, in_bf16.T, strict=True)]
    return {
        "bf16_largest_change": float(np.abs(in_bf16 / in_fp32 - 1).max()),
        "bf16_spearman": float(min(correlations)),
    }


def _by_onnx(data: Manifest, root: Path) -> dict[str, float]:
    """Seconds of the small model on the CPU by ONNX Runtime over those by PyTorch, both in fp32, by turns; and how far
    their scores are apart, of numbers above one relatively. Both wait for the same images; exporting does not count.
    """
    path = root / "small.safetensors"
    seconds: dict[str, float] = {}
    runs: dict[str, NDArray[np.float64]] = {}
    onnx_engine.by_it(infer.loaded(path), root / "onnx")
    for precision in ("fp32", ONNX, "fp32", ONNX):
        cache = root / "onnx"
        shutil.rmtree(cache / "runs", ignore_errors=True)
        start = time.perf_counter()
        (run,) = infer.write_runs([path], data, cache, device="cpu", precision=precision)
        seconds[precision] = min(time.perf_counter() - start, seconds.get(precision, math.inf))
        runs[precision] = run.samples(run.info.scores)[run.info.scores].to_numpy(float)
    apart = np.abs(runs[ONNX] - runs["fp32"]) / np.abs(runs["fp32"]).clip(min=1)
    return {"onnx_over_torch": seconds[ONNX] / seconds["fp32"], "onnx_largest_difference": float(apart.max())}


def _by_runtimes(path: Path) -> dict[str, float]:
    """Milliseconds of one core per image by each runtime, in fp32, the least of some turns; and those of what `fas
    cache` takes over those of the faster of ONNX Runtime and OpenVINO, where that is installed."""
    loaded = infer.loaded(path)
    given = loaded.model.input
    x = torch.rand(infer.BATCH_CPU, given.channels, given.size, given.size)
    content = onnx_export.graph_of(loaded)
    by_onnx = OnnxModel(onnx_graph.read(content, str(path)), Told())
    model = infer.ready(loaded, devices.one_device("cpu", "fp32")).model
    laid_out = x.contiguous(memory_format=model.memory_format)
    works: dict[str, Callable[[], object]] = {
        "torch": lambda: model.outputs(laid_out),
        "onnx": lambda: by_onnx.outputs(x),
    }
    if find_spec("openvino"):
        works["openvino"] = _openvino(content, x)
    taken = dict.fromkeys(works, math.inf)
    devices.keep_buffers()  # as `fas cache` does; the others then have theirs kept too
    with devices.one_core(), torch.inference_mode():
        for _, (name, work) in product(range(TURNS), works.items()):
            start = time.process_time()  # of all threads: OpenVINO has its own
            work()
            taken[name] = min(taken[name], 1e3 * (time.process_time() - start) / len(x))
    ratios = {}
    if "openvino" in taken:
        is_by_onnx = taken["onnx"] < onnx_engine.FASTER * taken["torch"]
        chosen = taken["onnx" if is_by_onnx else "torch"]
        ratios["over_fastest_runtime"] = chosen / min(taken["onnx"], taken["openvino"])
    return {f"{name}_milliseconds": value for name, value in taken.items()} | ratios


def _openvino(content: bytes, x: torch.Tensor) -> Callable[[], object]:
    """What computes all outputs of some images by OpenVINO, on one core in fp32."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(openvino.Core().read_model(content), "CPU", settings)
    request, images_given = compiled.create_infer_request(), x.numpy()
    return lambda: request.infer({0: images_given}, share_inputs=True, share_outputs=True)


def _reading(data: Manifest, n: int) -> dict[str, float]:
    """Images per second that are read by threads, as for a GPU, and by a process per core."""
    given = Input()
    wanted = Wanted(data.root, given.size, given.channels, partial(preparing.prepared, given=given))
    paths = data.rows["path"][:n].tolist()
    rates = {}
    for name, workers in (("threads", 0), ("processes", processes.cores())):
        with Readers(wanted, workers, readers.THREADS) as reading:
            reading.wait_until_up()
            reading.begun(paths)()
            start = time.perf_counter()
            reading.begun(paths)()
            rates[f"{name}_reading_rate"] = len(paths) / (time.perf_counter() - start)
    return rates | {"processes_over_threads_reading": rates["processes_reading_rate"] / rates["threads_reading_rate"]}
