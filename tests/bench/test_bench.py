"""What the measurements report, on sizes that take no time; whether targets are met is the machine's affair."""

import importlib
import inspect
import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from fas_core import bench, models
from fas_core.bench import drag, metrics, pages, train
from fas_core.cli import main
from fas_core.errors import BadInputError


def test_work_is_done_in_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    clock = iter([0, 0, 0, 1, 0, 5, 0, 2, 0, 6, 0, 3, 0, 7])
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    medians = bench.medians({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 3)
    assert done == ["a", "b"] * 4
    assert medians == {"a": 2, "b": 6}


def test_training_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 50e3 < train._loaded(100, steps=2) < 50e6  # kilobytes, of this process
    monkeypatch.setattr(train, "_peak_while_loading", lambda images: {train.FEW: 100.0, 200: 105.0}[images])
    figures = train.figures(width=0.125, batch=2, rounds=1, size=32, many=200)
    for name in models.built_in():
        assert figures[f"{name}_step"] == pytest.approx(
            figures[f"{name}_bf16_channels_last_seconds"] / figures[f"{name}_plain_seconds"]
        )
    assert set(train.TARGETS) <= set(figures)
    assert figures["loader_memory"] == 1.05  # of many images over that of few


def test_metric_figures() -> None:
    figures = metrics.figures(n=2_000, rounds=1)
    assert figures["curves"] == pytest.approx(figures["ours_seconds"] / figures["scikit_learn_seconds"])


def test_a_result_says_which_targets_it_meets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "figures", lambda: {"curves": 0.6, "other": 2.0})
    monkeypatch.setattr(metrics, "TARGETS", {"curves": ("at_most", 0.5), "other": ("at_least", 1.0)})
    result = bench.result("metrics").as_json()
    assert result["name"] == "metrics"
    assert result["targets"] == {"curves": {"at_most": 0.5, "met": False}, "other": {"at_least": 1.0, "met": True}}
    ran = CliRunner().invoke(main.app, ["bench", "metrics", "--json"])
    assert json.loads(ran.stdout) == result
    ran = CliRunner().invoke(main.app, ["bench", "metrics"])
    assert "≤ 0.5" in ran.stdout
    assert "MISSED" in ran.stdout
    with pytest.raises(BadInputError, match="Measurements: .*metrics.*train"):
        bench.result("speed")


@pytest.mark.parametrize("name", bench.names())
def test_every_measurement_explains_itself(name: str) -> None:
    assert len(bench.description(name)) > 40


def test_a_target_is_said_with_its_bound() -> None:
    assert bench.Target.of("at_most", 0.25, 0.25).words == ("≤ 0.25", "met")
    assert bench.Target.of("at_least", 30, 29.9).words == ("≥ 30", "MISSED")
    assert bench.Target.of("at_least", 30, math.nan).words == ("≥ 30", "MISSED")
    assert bench.Target.of("at_least", 30, None).words == ("≥ 30", "not measured")


def test_quick_ones_are_small_and_have_targets_of_ratios_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []

    def figures(n: int = 9) -> dict[str, float]:
        given.append(n)
        return {"curves": 0.8, "first_seconds": 9.0}

    monkeypatch.setattr(metrics, "figures", figures)
    monkeypatch.setattr(metrics, "QUICK", {"n": 2})
    targets = {"curves": ("at_most", 0.5), "first_seconds": ("at_most", 1.0), "of_a_gpu": ("at_least", 0.85)}
    monkeypatch.setattr(metrics, "TARGETS", targets)
    result = bench.result("metrics", quick=True)
    assert given == [2]
    assert result.name == "metrics (quick)"  # no history of small ones beside large ones
    assert {figure: target.met for figure, target in result.targets.items()} == {"curves": False, "of_a_gpu": None}
    assert {name for name, target in bench.result("metrics").targets.items() if target.met is False} == {
        "curves",
        "first_seconds",
    }
    monkeypatch.setattr(bench, "names", lambda: ["metrics", "train"])
    ran = CliRunner().invoke(main.app, ["bench", "--quick"])
    assert ran.exit_code == 0
    assert "Warning: metrics (quick), curves: 0.8, where the target is ≤ 0.7" in ran.stderr
    assert "2 targets: 0 met, 1 MISSED, 1 not measured" in ran.stdout
    assert "train" not in ran.stdout + ran.stderr
    refused = CliRunner().invoke(main.app, ["bench", "train", "--quick"])
    assert "'train' is no quick measurement. Quick: metrics." in str(refused.exception)


def test_ratios_of_the_quick_ones_are_there() -> None:
    assert len(bench.quick_names()) >= 5
    for name in bench.quick_names():
        module = importlib.import_module(f"fas_core.bench.{name}")
        assert set(module.QUICK) <= set(inspect.signature(module.figures).parameters), name
        assert set(getattr(module, "QUICK_TARGETS", {})) <= set(module.TARGETS), name
        assert bench.unmeasured(name, quick=True).targets, name


@pytest.mark.parametrize("status", [0, 2])
def test_in_ci_nothing_fails(tmp_path: Path, status: int) -> None:
    fas = tmp_path / ".venv" / "bin" / "fas"
    fas.parent.mkdir(parents=True)
    fas.write_text(f'#!/bin/sh\necho "$@"\nexit {status}\n')
    fas.chmod(0o755)
    (tmp_path / ".ci").mkdir()
    script = shutil.copy(Path(__file__).parents[2] / ".ci" / "bench", tmp_path / ".ci")
    for history, said in (("", "bench --quick\n"), ("kept.jsonl", "bench --quick --history kept.jsonl\n")):
        environment = os.environ | {"FAS_BENCH_HISTORY": history}
        ran = subprocess.run(["bash", script], capture_output=True, text=True, env=environment, check=True)
        assert ran.stdout == said
        assert ("Warning" in ran.stderr) == bool(status)


def test_pages_of_a_synthetic_run_go_by_a_name_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drag, "BROWSERS", ())
    with pytest.raises(BadInputError, match="needs"):  # before a Run is made
        pages.figures(["losses"], samples=10**12)
    monkeypatch.setattr(pages, "figures", lambda samples: {"overview_server_first_seconds": 3.0})
    for samples, met in ((1_200, False), (1_000_000, False), (5_000_000, True)):
        result = bench.result("pages", samples=samples)
        assert result.name == f"pages ({samples:,} samples)"
        assert result.targets["overview_server_first_seconds"].met is met
        assert result.targets["overview_first_seconds"].met is None
    assert [samples for name, samples in bench.everything() if name == "pages"] == [0, 1_000_000, 5_000_000]
    with pytest.raises(BadInputError, match="takes no --samples"):
        bench.result("metrics", samples=5)
