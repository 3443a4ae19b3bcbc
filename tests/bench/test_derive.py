"""What is measured of deriving: made small, and what its figures come to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fas_core.bench import derive
from fas_core.latent import em


def test_a_umap_of_millions_follows_from_what_a_further_code_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    for name, n in (("few", 100), ("many", 400)):
        derive._run_of(tmp_path, name, np.zeros((n, 2), np.float32))
    monkeypatch.setattr(derive.projection, "umap_of", lambda run: asked.append(len(run)))
    monkeypatch.setattr(derive, "_seconds", lambda work: (work(), 10 + 0.01 * asked[-1])[1])
    figures = derive._of_umap(tmp_path, 100, 400)
    assert asked == [100, 100, 400]  # the first one compiles
    assert figures["umap_seconds"] == 11
    assert figures["umap_minutes_of_5_million"] == pytest.approx((10 + 0.01 * 5_000_000) / 60)


@pytest.mark.process
def test_derive_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(em, "MOST_EXACT", 1_500)
    monkeypatch.setattr(derive, "_of_umap", lambda *_: {})  # which takes seconds to compile
    figures = derive.figures(n=1_024, dimensions=16, fitted=1_000, exact=800, batches=2_000)
    assert set(derive.TARGETS) < set(figures)
    minutes = (16 * figures["fit_seconds"] + 50 * figures["pass_seconds_per_100000"]) / 60
    assert figures["minutes_of_5_million"] == pytest.approx(minutes)
    assert figures["peak_mb"] > 50
    more = max(0, figures["bytes_a_code"]) * (5_000_000 - 4_096) / 2**30
    assert figures["gigabytes_of_5_million"] == pytest.approx(figures["peak_mb"] / 1024 + more)
    assert figures["stepwise"] > 0
