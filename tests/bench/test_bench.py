"""What the measurements report, on sizes that take no time; whether targets are met is the machine's affair."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from fas_core import bench, models
from fas_core.bench import metrics, train
from fas_core.cli import main
from fas_core.errors import BadInputError


def test_work_is_done_in_turns_and_the_first_round_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    clock = iter([0, 0, 0, 1, 0, 5, 0, 2, 0, 6, 0, 3, 0, 7])
    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    medians = bench.medians({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 3)
    assert done == ["a", "b"] * 4
    assert medians == {"a": 2, "b": 6}


def test_training_figures() -> None:
    figures = train.figures(width=0.125, batch=2, rounds=1, size=32, many=3_000)
    for name in models.built_in():
        assert figures[f"{name}_step"] == pytest.approx(
            figures[f"{name}_bf16_channels_last_seconds"] / figures[f"{name}_plain_seconds"]
        )
    assert set(train.TARGETS) <= set(figures)
    assert figures["loader_memory"] == pytest.approx(1, abs=0.05)


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
    assert "missed" in ran.stdout
    with pytest.raises(BadInputError, match="Measurements: .*metrics.*train"):
        bench.result("speed")


@pytest.mark.parametrize("name", bench.names())
def test_every_measurement_explains_itself(name: str) -> None:
    assert len(bench.description(name)) > 40


def test_a_target_is_said_with_its_bound() -> None:
    assert bench.Target("at_most", 0.25, True).words == ("≤ 0.25", "met")
    assert bench.Target("at_least", 30, False).words == ("≥ 30", "missed")
