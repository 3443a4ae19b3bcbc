"""Measuring how pages open, on a small Run; how fast they are is the machine's affair."""

import shutil
from pathlib import Path

import pytest

from fas_core.bench import drag, pages
from fas_core.errors import BadInputError

from .conftest import apart


def test_every_page_has_its_targets() -> None:
    assert {"overview", "likelihood", "traversal", "training"} < set(pages.names())
    assert {f"{page}_{figure}" for page in pages.names() for figure in ("first_seconds", "again_seconds")} < set(
        pages.TARGETS
    )


def test_without_the_demo_it_is_said_how_to_make_it(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tiny_cache))
    with pytest.raises(BadInputError, match="lacks small_dcvae, small_ganomaly, small_resvae of it. Make it: fas demo"):
        pages.demo_cache()


def test_a_page_is_opened_and_opened_again(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "KINDS", ())  # whether the browser has other pages' scripts, nobody looks at here
    if not any(map(shutil.which, drag.BROWSERS)):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    figures = apart(pages.figures, pages=["cards"], cache=tiny_cache)
    assert set(figures) == {"cards_first_seconds", "cards_again_seconds", "cards_words"}
    assert 0 < figures["cards_again_seconds"] < 60
    assert 0 < figures["cards_first_seconds"] < 60
    assert 5 < figures["cards_words"] < 100
