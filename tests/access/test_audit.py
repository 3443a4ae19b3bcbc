"""The audit log: whole lines, a chain that tells of every change, several writers, kills."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fas_core.access import audit
from fas_core.access.audit import Log
from fas_core.cli.main import app
from fas_core.errors import BadInputError


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Twelve entries in four files or so."""
    log = Log(tmp_path / "log", largest=700)
    log.add("login", "ada", {"groups": ["lab"]})
    for i in range(10):
        log.add("faces", "ada", {"run": "0a1b2c3d4e5f", "samples": [f"live_{i}"], "reason": "a missed mask"})
    log.add("logout", "bea", {})
    return log


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_the_chain_goes_on_through_all_files(log: Log) -> None:
    assert len(log.files) > 2
    lines = [line for path in log.files for line in lines_of(path)]
    entries = [json.loads(line) for line in lines]
    assert [entry["n"] for entry in entries] == list(range(1, 13))
    before = [audit.FIRST, *(hashlib.sha256(line[:-1]).hexdigest() for line in lines)]
    assert [entry["before"] for entry in entries] == before[:-1]
    assert log.verified() == audit.Verified(12, before[-1], ())
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*log.files, log.folder / "last.json")} == {0o600}
    assert stat.S_IMODE(log.folder.stat().st_mode) == 0o700


def rewritten(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(lines_of(path))))


def taken_away(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


CHANGES: dict[str, Callable[[Log], None]] = {
    "a letter": lambda log: rewritten(log.files[1], lambda of: [of[0].replace(b"live_", b"LIVE_"), *of[1:]]),
    "a line removed": lambda log: rewritten(log.files[1], lambda of: [*of[:-2], of[-1]]),
    "a line twice": lambda log: rewritten(log.files[1], lambda of: [*of, of[-1]]),
    "lines swapped": lambda log: rewritten(log.files[1], lambda of: [of[1], of[0], *of[2:]]),
    "a line of one's own": lambda log: rewritten(log.files[1], lambda of: [*of, b"all is well\n"]),
    "the last line removed": lambda log: rewritten(log.files[-1], lambda of: of[:-1]),
    "the last file removed": lambda log: log.files[-1].unlink(),
    "the first file removed": lambda log: log.files[0].unlink(),
    "a file between removed": lambda log: log.files[1].unlink(),
    "all files removed": lambda log: taken_away(log.files),
}


@pytest.mark.parametrize("how", CHANGES)
def test_every_change_is_told_then_and_later(log: Log, how: str) -> None:
    CHANGES[how](log)
    whole = sum(line.startswith(b"{") for path in log.files for line in lines_of(path))
    assert log.verified().problems
    assert log.verified().n == whole
    log.add("login", "cy", {})
    assert log.verified().problems


def test_that_the_count_is_gone_is_told(log: Log) -> None:
    (log.folder / "last.json").unlink()
    assert log.verified().problems
    log.add("login", "cy", {})  # which nobody could have added but after the lines that are there
    assert log.verified().n == 13


@pytest.mark.parametrize("left", [1, 40, -1])
def test_what_a_killed_writer_left_is_told_and_the_chain_goes_on(log: Log, left: int) -> None:
    last = log.files[-1]
    whole = lines_of(last)
    line = json.dumps({**json.loads(whole[-1]), "n": 13, "before": log.verified().sha256}).encode() + b"\n"
    last.write_bytes(b"".join(whole) + line[:left])
    before = log.verified()
    assert not before.problems
    assert bool(before.notes) == (left != -1)  # without its end alone, the line is whole
    log.add("login", "cy", {})
    after = log.verified()
    assert not after.problems
    assert bool(after.notes) == (left != -1)
    assert [entry.kind for entry in log.entries()][-2:] == (["torn", "login"] if left != -1 else ["logout", "login"])


@pytest.mark.process
def test_several_processes_write_in_turn_and_a_killed_one_breaks_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fas_core.access.audit import Log\n"
        "log = Log(Path(sys.argv[1]), 4000); print('on', flush=True)\n"
        "for i in range(int(sys.argv[3])): log.add('export', sys.argv[2], {'what': 'x' * i})"
    )

    def writer(who: str, n: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), who, str(n)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    writers = [writer("a", 15), writer("b", 15), writer("c", 10_000)]
    assert writers[2].stdout is not None
    writers[2].stdout.readline()
    assert [process.wait(60) for process in writers[:2]] == [0, 0]
    writers[2].kill()
    for process in writers:
        process.communicate()
    log = Log(tmp_path, 4000)
    log.add("logout", "d", {})
    assert not log.verified().problems
    by = [entry.who for entry in log.entries()]
    assert (by.count("a"), by.count("b"), by[-1]) == (15, 15, "d")


def test_many_samples_are_several_entries_and_nothing_is_long(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add_samples("faces", "ada", {"run": "x" * 9999}, [f"live_{i}" for i in range(250)])
    entries = list(log.entries())
    assert [len(entry.about["samples"]) for entry in entries] == [100, 100, 50]  # type: ignore[arg-type]
    assert {len(str(entry.about["run"])) for entry in entries} == {audit.LONGEST_TEXT}
    with pytest.raises(TypeError):
        log.add("upload", "ada", {"content": b"\x89PNG"})  # type: ignore[dict-item]


def test_what_cannot_be_told_of_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInputError, match="Cannot write to"):
        Log(tmp_path / "file" / "log").add("login", "ada", {})
    (tmp_path / "log").mkdir()
    (tmp_path / "elsewhere").touch()
    (tmp_path / "log" / "audit-000001.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInputError, match="audit log"):
        Log(tmp_path / "log").add("login", "ada", {})
    assert not (tmp_path / "elsewhere").read_bytes()


@pytest.mark.parametrize("table", [{"megabytes": 0}, {"folder": 3}, {"file": "x"}])
def test_settings_are_checked(table: dict[str, object]) -> None:
    with pytest.raises(BadInputError, match=r"^fas\.toml"):
        audit.Settings.of(table, "fas.toml")


def test_the_command_lists_finds_and_verifies(log: Log) -> None:
    def said(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["audit", "--folder", str(log.folder), *options])
        return result.exit_code, result.stdout

    assert [entry["n"] for entry in json.loads(said("--json")[1])] == list(range(1, 13))
    assert [entry["kind"] for entry in json.loads(said("--json", "--person", "BEA")[1])] == ["logout"]
    assert json.loads(said("--json", "--since", "2999-01-01")[1]) == []
    assert "live_9" in said()[1]
    code, words = said("--verify")
    assert code == 0
    assert f"is whole: 12 entries, the last with SHA-256 {log.verified().sha256}" in words
    CHANGES["a letter"](log)
    code, words = said("--verify", "--json")
    assert code == 1
    assert "does not hold the SHA-256" in json.loads(words)["problems"][0]


def test_commands_tell_the_log_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.conftest import tiny_samples, write_image_run

    cache = tmp_path / "cache"
    run = write_image_run(cache, "a", tiny_samples())
    config = tmp_path / "fas.toml"
    config.write_text(f'[audit]\nfolder = "{tmp_path / "log"}"\n')
    monkeypatch.setenv("FAS_CONFIG", str(config))
    assert CliRunner().invoke(app, ["prune", "a", "--yes", "--cache", str(cache)]).exit_code == 0
    (entry,) = Log(tmp_path / "log").entries()
    assert (entry.kind, entry.about["run"], entry.about["name"]) == ("deletion", run.id, "a")
    assert entry.who.endswith(" at this machine")
    assert json.loads(CliRunner().invoke(app, ["audit", "--json"]).stdout)[0]["kind"] == "deletion"


def test_who_asks_for_no_log_in_particular_is_told_how_that_of_a_server_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("FAS_CONFIG", raising=False)
    config = tmp_path / "fas.toml"
    config.write_text(f'[audit]\nfolder = "{tmp_path / "log"}"\n')
    hint = "fas audit --config fas.toml, or FAS_CONFIG"
    for more in ([], ["--verify"], ["--json"]):
        own = CliRunner().invoke(app, ["audit", *more])
        of_server = CliRunner().invoke(app, ["audit", *more, "--config", str(config)])
        assert own.exit_code == of_server.exit_code == 0
        assert hint in own.stderr.replace("\n", " ")
        assert "Nothing is in" in of_server.stderr
        assert hint not in of_server.stderr.replace("\n", " ")
