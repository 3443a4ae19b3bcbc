"""What the measurement of `fas cache` reports, on models and images that take no time."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fas_core.bench import cache
from fas_core.data.manifest import Manifest
from fas_core.training.devices import ONNX


def test_cache_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks and ONNX apart, which processes and an export of their own take seconds for."""
    for name in ("FULL", "QUARTER", "SMALL"):
        monkeypatch.setattr(cache, name, {"width": 0.05, "latent_dim": 4, "image_size": 32})
    monkeypatch.setattr(cache, "_peak", lambda data, _: {24: 100.0, 200: 103.0}[len(data)])
    monkeypatch.setattr(cache, "_by_onnx", lambda *_: {"onnx_over_torch": 0.5, "onnx_largest_difference": 1e-7})
    monkeypatch.setattr(cache, "_by_runtimes", lambda path: {"over_fastest_runtime": 1.0})
    monkeypatch.setattr(cache, "_reading", lambda *_: {})
    figures = cache.figures(n=24, many=200, measured=24)
    assert set(cache.TARGETS) - {"gpu_efficiency"} <= set(figures)
    assert figures["full_efficiency"] == pytest.approx(figures["full_rate"] / figures["full_bare_rate"])
    assert figures["small_against_loop"] == pytest.approx(figures["small_rate"] / figures["small_loop_rate"])
    assert figures["memory_growth"] == 1.03
    assert figures["bf16_largest_change"] < 0.05


def test_the_peak_is_of_a_process_that_has_cached(tmp_path: Path) -> None:
    data = cache._data(tmp_path, 16)
    path = cache._checkpoint(tmp_path / "m.safetensors", {"width": 0.05, "latent_dim": 4, "image_size": 32})
    kilobytes = cache._peak_of_caching(path, data.rows, data.source, tmp_path / "cache")
    assert 50e3 < kilobytes < 50e6
    assert len(list((tmp_path / "cache").rglob("samples.parquet"))) == 1


def test_onnx_is_measured_by_turns_and_the_faster_turn_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 4, 0, 3, 0, 2, 0, 1])
    monkeypatch.setattr(cache, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    asked: list[str] = []

    def written(paths: list[Path], data: Manifest, folder: Path, *, device: str, precision: str) -> list[object]:
        assert (device, (folder / "runs").exists()) == ("cpu", False)  # no Run of before is found
        (folder / "runs").mkdir(parents=True)
        asked.append(precision)
        table = pd.DataFrame({"rec": [0.1, 200.0], "kl": [5.0, 7.0]}) + (precision == ONNX) * np.array([1e-3, 0])
        return [SimpleNamespace(info=SimpleNamespace(scores=["rec", "kl"]), samples=lambda names: table[names])]

    monkeypatch.setattr(cache.infer, "write_runs", written)
    monkeypatch.setattr(cache.infer, "loaded", lambda path: path)
    monkeypatch.setattr(cache.onnx_engine, "by_it", lambda *_: None)
    figures = cache._by_onnx(Manifest(pd.DataFrame(), tmp_path / "m.csv"), tmp_path)
    assert asked == ["fp32", ONNX, "fp32", ONNX]
    assert figures["onnx_over_torch"] == 1 / 2
    assert figures["onnx_largest_difference"] == pytest.approx(1e-3)  # of numbers below one it is absolute


@pytest.mark.parametrize(
    ("seconds", "expected"), [((4, 3, 2), 1.5), ((3, 3, 2), 1.5), ((2, 3, 4), 2 / 3), ((2, 3), None)]
)
def test_what_is_taken_is_set_against_the_faster_of_two_runtimes(
    seconds: tuple[int, ...], expected: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch, ONNX Runtime, OpenVINO; ONNX Runtime is taken where it needs nine tenths of PyTorch's time."""
    path = cache._checkpoint(tmp_path / "m.safetensors", {"width": 0.05, "latent_dim": 4, "image_size": 32})
    now = [0]

    def takes(whose: int) -> None:
        now[0] += seconds[whose]

    loaded = cache.infer.loaded(path)
    monkeypatch.setattr(loaded.model, "outputs", lambda _: takes(0))
    monkeypatch.setattr(cache.infer, "loaded", lambda _: loaded)
    monkeypatch.setattr(cache, "time", SimpleNamespace(process_time=lambda: now[0]))
    monkeypatch.setattr(cache, "onnx_export", SimpleNamespace(graph_of=lambda _: b""))
    monkeypatch.setattr(cache, "onnx_graph", SimpleNamespace(read=lambda *_: None))
    monkeypatch.setattr(cache, "OnnxModel", lambda *_: SimpleNamespace(outputs=lambda _: takes(1)))
    monkeypatch.setattr(cache, "find_spec", lambda name: len(seconds) == 3)
    monkeypatch.setattr(cache, "_openvino", lambda *_: lambda: takes(2))
    figures = cache._by_runtimes(path)
    assert figures.get("over_fastest_runtime") == (expected and pytest.approx(expected))
    assert figures["onnx_milliseconds"] == 1e3 * seconds[1] / cache.infer.BATCH_CPU
