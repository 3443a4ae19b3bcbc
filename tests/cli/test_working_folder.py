"""Python files that lie in the working folder are nobody's modules."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fas_core import progress
from fas_core.derive import Work, parsed
from fas_core.latent import mixture
from fas_core.runs import store
from tests.conftest import PROJECT

PLANTED = ("app", "json", "torch", "streamlit", "pickle", "numpy")


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Path]:
    """A folder of modules each of which leaves a trace when it is imported."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / f'{name}.imported')!r}, 'w')\nraise SystemExit(9)\n")
    yield folder
    assert list(tmp_path.glob("*.imported")) == []


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "fas_core.cli", *map(str, arguments)]


ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"} | {"PYTHONPATH": str(PROJECT)}


@pytest.mark.process
def test_a_command_runs_where_modules_of_others_lie(planted: Path) -> None:
    done = subprocess.run(command("models", "--json"), cwd=planted, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "dcvae" in done.stdout


def is_served(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.process
def test_the_app_serves_where_modules_of_others_lie_and_ends_with_who_started_it(planted: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = command("app", "--cache", tmp_path / "cache", "--port", str(port))
    server = subprocess.Popen(arguments, cwd=planted, env=ENVIRONMENT)
    try:
        for _ in range(600):
            assert server.poll() is None, "it has ended"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("it does not answer")
        server.kill()  # which it cannot notice, as where memory is short
        end = time.monotonic() + 20
        while is_served(port):
            assert time.monotonic() < end, "the server goes on"
            time.sleep(0.1)
    finally:
        server.kill()
        server.wait(timeout=20)


def test_a_worker_of_the_app_runs_where_modules_of_others_lie(
    planted: Path, tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.open_run(tiny_cache, "a")
    monkeypatch.chdir(planted)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    Work(run, parsed("mixture-full-1")).start()
    end = time.monotonic() + 60
    while progress.jobs(run.cache):
        assert time.monotonic() < end, "the worker does not end"
        time.sleep(0.05)
    assert mixture.known(run, 1, "full") is not None
