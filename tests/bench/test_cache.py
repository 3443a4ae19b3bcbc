"""What the measurement of `fas cache` reports, on models and images that take no time."""

from importlib.util import find_spec
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
    figures = cache.figures(n=24, many=200, measured=24)
    elsewhere = {"gpu_efficiency", "full_over_fastest_runtime", "small_over_fastest_runtime"}
    assert set(cache.TARGETS) - elsewhere <= set(figures)
    assert ("small_over_fastest_runtime" in figures) == bool(find_spec("openvino"))
    assert min(figures["small_onnx_milliseconds"], figures["processes_reading_rate"]) > 0
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
