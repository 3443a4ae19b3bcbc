import pytest

from fas_core.bench import cache


def test_cache_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FULL", "QUARTER", "SMALL"):
        monkeypatch.setattr(cache, name, {"width": 0.05, "latent_dim": 4, "image_size": 32})
    found = cache.figures(n=96, many=200, measured=32)
    assert set(cache.TARGETS) <= set(found)
    assert found["full_efficiency"] == pytest.approx(found["full_rate"] / found["full_bare_rate"])
    assert found["small_against_loop"] == pytest.approx(found["small_rate"] / found["small_loop_rate"])
    assert found["memory_growth"] == pytest.approx(1, abs=0.1)
    assert found["bf16_largest_change"] < 0.05
