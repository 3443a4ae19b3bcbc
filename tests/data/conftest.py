from pathlib import Path

import pytest

from fas_core.data import hashes


@pytest.fixture
def few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of a few files are enough to be kept, and a change is an old one at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setattr(hashes, "LEAST", 2)
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
