"""Measuring data on a few files, here and not in processes; whether targets are met is the machine's affair."""

from pathlib import Path

import pytest

from fas_core.bench import data
from fas_core.data import hashes


def test_data_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
    monkeypatch.setattr(hashes, "LEAST", 1)
    seconds: list[float] = []

    def done(step: str, folder: Path) -> tuple[float, float]:
        told = data._done(step, folder)
        seconds.append(told[0])
        return told

    monkeypatch.setattr(data, "_in_own_process", done)
    figures = data.figures(rows=200)
    del seconds[: len(data.STEPS)]  # of a tenth of the rows, whose memory counts alone
    assert set(data.TARGETS) < set(figures)
    assert seconds == [figures[f"{step}_{name}_seconds"] for name in ("first", "again") for step in data.STEPS]
    assert figures["first_seconds"] == pytest.approx(sum(figures[f"{step}_first_seconds"] for step in data.STEPS))
    assert figures["million_megabytes"] >= 0
    assert min(figures[f"{step}_again_seconds"] for step in data.STEPS) > 0
