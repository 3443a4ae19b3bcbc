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


MODULES = sorted(path for package in ("fas_core", "app") for path in (PROJECT / package).glob("[!_]*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_every_module_has_a_line_in_the_tree(path: Path) -> None:
    assert re.search(rf"^\s+{re.escape(path.name)}\s+\S", README, re.MULTILINE)


@pytest.mark.parametrize("name", [*experiments.names(), *scores.names()])
def test_every_experiment_and_score_is_mentioned(name: str) -> None:
    assert re.search(rf"\b{name}\b", README)
