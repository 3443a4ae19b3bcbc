"""Measuring data on a few files, here and not in processes; whether targets are met is the machine's affair."""

import pytest

from fas_core.bench import data
from fas_core.data import hashes


def test_data_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
    monkeypatch.setattr(hashes, "LEAST", 1)
    monkeypatch.setattr(data, "_in_own_process", data._done)
    figures = data.figures(rows=200)
    assert set(data.TARGETS) < set(figures)
    assert figures["first_seconds"] == pytest.approx(sum(figures[f"{step}_first_seconds"] for step in data.STEPS))
    assert figures["million_megabytes"] >= 0
    assert min(figures[f"{step}_again_seconds"] for step in data.STEPS) > 0
