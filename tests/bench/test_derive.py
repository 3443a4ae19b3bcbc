"""What is measured of deriving: made small, and what its figures come to."""

from __future__ import annotations

import pytest

from fas_core.bench import derive
from fas_core.latent import em


@pytest.mark.process
def test_derive_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(em, "MOST_EXACT", 1_500)
    figures = derive.figures(n=1_024, dimensions=16, fitted=1_000, exact=800, batches=2_000)
    assert set(derive.TARGETS) < set(figures)
    minutes = (16 * figures["fit_seconds"] + 50 * figures["pass_seconds_per_100000"]) / 60
    assert figures["minutes_of_5_million"] == pytest.approx(minutes)
    assert figures["peak_mb"] > 50
    more = max(0, figures["bytes_a_code"]) * (5_000_000 - 4_096) / 2**30
    assert figures["gigabytes_of_5_million"] == pytest.approx(figures["peak_mb"] / 1024 + more)
    assert figures["stepwise"] > 0
