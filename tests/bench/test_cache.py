import pytest

from fas_core.bench import cache


def test_cache_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FULL", "QUARTER", "SMALL"):
        monkeypatch.setattr(cache, name, {"width": 0.05, "latent_dim": 4, "image_size": 32})
    figures = cache.figures(n=96, many=200, measured=32)
    assert set(cache.TARGETS) <= set(figures)
    assert figures["full_efficiency"] == pytest.approx(figures["full_rate"] / figures["full_bare_rate"])
    assert figures["small_against_loop"] == pytest.approx(figures["small_rate"] / figures["small_loop_rate"])
    assert figures["memory_growth"] == pytest.approx(1, abs=0.1)
    assert figures["bf16_largest_change"] < 0.05
    assert figures["onnx_over_torch"] > 0
    assert figures["onnx_largest_difference"] < 1e-5
