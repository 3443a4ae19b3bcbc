"""Measuring how a Run is read, on one that takes no time; whether targets are met is the machine's affair."""

from pathlib import Path

from fas_core.bench import reading
from fas_core.runs import store
from fas_core.runs.upkeep import damage


def test_reading_figures() -> None:
    figures = reading.figures(n=100, shard_size=16, size=8, latent=4, rounds=1)
    assert set(reading.TARGETS) < set(figures)
    assert figures["open_seconds"] > 0
    assert 0 <= figures["open_megabytes"] <= figures["all_megabytes"]


def test_the_run_that_is_read_is_a_run(tmp_path: Path) -> None:
    reading._write_run(tmp_path, n=100, shard_size=16, size=8, latent=4)
    run = store.open_run(tmp_path, "reading")
    assert (len(run), len(run.shards), run.is_complete) == (100, 7, True)
    assert damage(run) == []
    assert run.images("reconstructions", [99, 0]).shape == (2, 8, 8)
    assert run.latents().shape == (100, 4)
