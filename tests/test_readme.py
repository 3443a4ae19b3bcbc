"""The README keeps its promises: two lines, a tree that is the tree, a command list that is complete."""

import re
from pathlib import Path

import pytest

from fas_core import scores
from fas_core.training import experiments

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text()


def test_the_first_block_is_two_lines_that_set_up_the_demo_and_the_tests() -> None:
    block = re.search(r"```\w*\n(.*?)```", README, re.DOTALL)
    assert block
    first, second = block[1].strip().splitlines()
    assert first.startswith("python3 -m venv .venv")
    assert first.endswith("fas demo")
    assert second.startswith("python3 -m venv .venv")
    assert "[test]" in second
    assert second.endswith("pytest")
    assert "sed -n 2p" in (PROJECT / ".ci" / "run").read_text()


ROOMS = sorted(
    path for package in ("fas_core", "app") for path in (PROJECT / package).glob("[!_.]*") if path.suffix in ("", ".py")
)


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.name)
def test_every_room_has_a_line_in_the_tree(path: Path) -> None:
    name = path.name if path.suffix else f"{path.name}/"
    assert re.search(rf"^\s+{re.escape(name)}\s+\S", README, re.MULTILINE)


@pytest.mark.parametrize(
    "room", ["data", "metrics", "runs", "latent", "training", "evaluation", "inference", "reports"]
)
def test_every_module_of_a_room_is_named_in_the_tree(room: str) -> None:
    tree = README[README.index("## What is where") :]
    told = tree[tree.index(f"  {room}/") :]
    told = told[: re.search(r"\n  \w", told).start()]
    for path in (PROJECT / "fas_core" / room).glob("[!_]*.py"):
        assert path.name in told or path.stem in told, path


@pytest.mark.parametrize("name", [*experiments.names(), *scores.names()])
def test_every_experiment_and_score_is_mentioned(name: str) -> None:
    assert re.search(rf"\b{name}\b", README)
