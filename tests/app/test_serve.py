"""What is done before anybody comes."""

from __future__ import annotations

import gc
import inspect
import os

import pytest
from streamlit import env_util

from app import serve


def test_no_page_looks_through_the_sources_of_all_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    real_path = os.path.realpath

    def noted(path: str) -> str:
        looked_at.append(path)
        return real_path(path)

    monkeypatch.setattr(inspect, "modulesbyfile", {})
    monkeypatch.setattr(inspect, "_filesbymodname", {})
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(os.path, "realpath", noted)
    serve.load_pages()
    assert len(looked_at) > 1000
    looked_at.clear()
    env_util.is_repl()  # as Streamlit asks before the first element
    assert len(looked_at) < 10
