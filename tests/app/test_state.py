"""What all pages share, beyond what their own tests touch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import page

# Blocks of half a megabyte between small ones that stay: the C library keeps their place until it is asked.
FREED = """
import numpy as np
from pathlib import Path
from app.session import page as state

def held():
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) / 1024

rows = [(np.ones(500_000, np.uint8), np.ones(40_000, np.uint8)) for _ in range(300)]
full = held()
rows = [small for _, small in rows]
freed = held()
state.give_back_memory()
print(full - freed, full - held())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc tells what a process holds")
@pytest.mark.process
def test_memory_goes_back_to_the_system() -> None:
    frugal = {"MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_ARENA_MAX": "2"}  # as the app is started
    ran = subprocess.run(
        [sys.executable, "-c", FREED], env=os.environ | frugal, capture_output=True, text=True, check=True
    )
    before, after = map(float, ran.stdout.split())
    assert before < 50
    assert after > 100


def test_every_page_gives_memory_back(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr("app.session.page.give_back_memory", lambda: called.append(True))
    page("latent", cache=tiny_cache, run="a")
    assert called
