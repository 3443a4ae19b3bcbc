"""Measurements beside those of before."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fas_core import bench
from fas_core.bench import history, metrics
from fas_core.cli import main
from fas_core.errors import BadInputError


def measured(machine: str = "m", **figures: float) -> bench.Measured:
    targets = {"seconds": bench.Target("at_most", 9.0, True), "rate": bench.Target("at_least", 1.0, True)}
    return bench.Measured("some", machine, figures, targets)


def test_the_last_one_is_of_the_same_machine_and_data(tmp_path: Path) -> None:
    file = tmp_path / "bench.jsonl"
    assert history.read(file) == []
    history.add(file, measured(seconds=1.0, rate=9.0))
    history.add(file, measured(seconds=2.0, rate=8.0, gain=-0.1))
    history.add(file, measured("other", seconds=100.0))
    history.add(file, measured(seconds=50.0), Path("faces.csv"))
    compared = history.Compared.of(measured(seconds=3.0, rate=4.0, gain=0.1, new=1.0), history.read(file))
    assert compared.last is not None
    assert compared.last.figures == {"seconds": 2.0, "rate": 8.0, "gain": -0.1}
    assert compared.ratios == {"seconds": 1.5, "rate": 0.5}  # what is below zero, or was not measured, has none
    assert compared.worse == ["seconds", "rate"]
    better = history.Compared.of(measured(seconds=1.0, rate=16.0), history.read(file))
    assert better.worse == []
    assert history.Compared.of(measured("third", seconds=1.0), history.read(file)).ratios == {}


def test_half_a_line_is_passed_over_and_another_file_refused(tmp_path: Path) -> None:
    file = tmp_path / "bench.jsonl"
    history.add(file, measured(seconds=1.0))
    with file.open("a") as end:
        end.write('{"date": "2026-11-30T1')  # a writer was killed
    history.add(file, measured(seconds=2.0))
    assert [entry.figures["seconds"] for entry in history.read(file)] == [1.0, 2.0]
    for content in ("path,label\na,live\n", '{"name": "some"}\n', "[]\n"):
        (tmp_path / "m.csv").write_text(content)
        with pytest.raises(BadInputError, match=r"m\.csv, line 1"):
            history.read(tmp_path / "m.csv")


def test_the_command_compares_warns_and_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bench.jsonl"
    monkeypatch.setattr(metrics, "TARGETS", {"curves": ("at_most", 0.5)})
    asked = ["bench", "metrics", "--history", str(file)]
    monkeypatch.setattr(metrics, "figures", lambda: {"curves": 0.4, "seconds": 2.0})
    first = CliRunner().invoke(main.app, asked)
    assert first.exit_code == 0
    assert "not measured here" in " ".join(first.stdout.split())
    monkeypatch.setattr(metrics, "figures", lambda: {"curves": 0.6, "seconds": 1.0})
    second = CliRunner().invoke(main.app, asked)
    assert second.exit_code == 0  # it only warns
    assert "1.50" in second.stdout
    assert "metrics, curves: 0.6, where the target is ≤ 0.5" in second.stderr
    assert "metrics, curves: 1.50 times what it was on" in second.stderr
    third = json.loads(CliRunner().invoke(main.app, [*asked, "--json"]).stdout)
    assert third["ratios"] == {"curves": 1.0, "seconds": 1.0}
    assert third["last"]["figures"] == {"curves": 0.6, "seconds": 1.0}
    assert len(history.read(file)) == 3


def test_all_targets_are_in_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def result(name: str, data: Path | None, *, quick: bool, samples: int) -> bench.Measured:
        if name == "drag":
            raise BadInputError("There is no browser.")
        return measured(seconds=1.0, rate=2.0)

    file = tmp_path / "bench.jsonl"
    history.add(file, measured(seconds=2.0))
    history.add(file, bench.Measured("drag", bench.machine(), {"event_milliseconds": 7.0}, {}))
    monkeypatch.setattr(bench, "names", lambda: ["drag", "some"])
    monkeypatch.setattr(bench, "result", result)
    ran = CliRunner().invoke(main.app, ["bench", "--history", str(file)])
    table = ran.stdout[ran.stdout.index("3 targets: 2 met, 0 MISSED, 1 not measured") :]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│")]
    assert rows == [
        ["drag", "event_milliseconds", "–", "≤ 16", "not measured", "7", ""],
        ["some", "seconds", "1", "≤ 9", "met", "2", "0.50"],
        ["some", "rate", "2", "≥ 1", "met", "", ""],
    ]
    assert [entry.name for entry in history.read(file)] == ["some", "drag", "some"]  # what was not measured leaves none
    printed = json.loads(CliRunner().invoke(main.app, ["bench", "--json"]).stdout)
    assert [document["name"] for document in printed] == ["some"]
