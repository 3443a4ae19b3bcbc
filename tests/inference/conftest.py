"""No test depends on what the processor of this machine can do."""

import pytest

from fas_core.training import devices


@pytest.fixture(autouse=True)
def has_bf16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the processor multiplies bf16: it does not, unless a test's (indirect) parameter says that it does."""
    is_there = bool(getattr(request, "param", False))
    monkeypatch.setattr(devices, "has_bf16", lambda _: is_there)
    return is_there
