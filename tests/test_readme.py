"""The README keeps its promises: two lines, a tree that is the tree, a command list that is complete."""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

from fas_core import scores
from fas_core.cli.main import parser
from fas_core.training import experiments
from tests.conftest import Result, tiny_samples, write_image_run

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text()


def test_the_first_block_is_two_lines_that_set_up_the_demo_and_the_tests() -> None:
    block = re.search(r"```\w*\n(.*?)```", README, re.DOTALL)
    assert block
    first, second = block[1].strip().splitlines()
    assert first.startswith("python3 -m venv .venv")
    assert "-e '.[train]'" in first  # the demo trains
    assert first.endswith("fas demo")
    assert second.startswith("python3 -m venv .venv")
    assert "[test]" in second
    assert second.endswith("pytest")
    assert "sed -n 2p" in (PROJECT / ".ci" / "run").read_text()


def test_every_chapter_is_linked_from_the_first_screens() -> None:
    chapters = re.findall(r"^## (.+)$", README, re.MULTILINE)
    before = " ".join(README[: README.index("\n## ")].split())
    links = re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", before)
    assert sorted(name for name, _ in links) == sorted(chapters)
    assert all(place == re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name, place in links)


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


BLOCKS = "".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))
COMMANDS = re.findall(r"^(?:\S*bin/)?fas (.+)$", BLOCKS.replace(" && ", "\n"), re.MULTILINE)
QUOTED = [" ".join(words.split()) for words in re.findall(r"`fas ([a-z][^`]+)`", README)]


def called(words: list[str]) -> tuple[Any, list[str], list[str]]:
    """The command that some words call, their beginning that names it, and what it is given."""
    command, n = parser, 0
    while n < len(words) and words[n] in getattr(command, "commands", {}):
        command, n = command.commands[words[n]], n + 1
    return command, words[:n], words[n:]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_a_block_can_be_given(line: str) -> None:
    command, named, given = called(shlex.split(line, comments=True))
    assert named
    assert command.make_context(" ".join(named), given).params


@pytest.mark.parametrize("line", QUOTED)
def test_every_option_that_is_quoted_exists(line: str) -> None:
    command, named, given = called(line.split())
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.split("=")[0] for word in re.findall(r"--[a-z0-9=-]+", " ".join(given))}
    assert named
    assert asked <= options | {"--help"}


def every_command(group: Any, *named: str) -> Iterator[tuple[str, Any]]:
    """Also a group that does something by itself."""
    yield " ".join(named), group
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, *named, name)


def test_it_says_which_commands_answer_in_json() -> None:
    [said] = re.findall(r"those that answer with data \((.*?)\) print one JSON", " ".join(README.split()))
    answering = {name for name, each in every_command(parser) if any("--json" in of.opts for of in each.params)}
    listing = {name for name in answering if name.removesuffix(" list") in answering - {name}}  # as without the word
    assert set(re.findall(r"`([^`]+)`", said)) == answering - listing


@pytest.mark.parametrize("without", [[], ["live"], ["live", "seen_paper"]], ids=str)
def test_the_threshold_is_chosen_on_whatever_subsets_there_are(
    without: list[str], tmp_path: Path, fas: Callable[..., Result]
) -> None:
    samples = tiny_samples()
    write_image_run(tmp_path / "cache", "m", samples[~samples["subset"].isin(without)].reset_index(drop=True))
    stated = re.search(r"^fas (threshold m .*)$", README, re.MULTILINE)
    assert stated
    words = [word.replace("op.json", str(tmp_path / "op.json")) for word in shlex.split(stated[1], comments=True)]
    assert fas(*words, "--cache", tmp_path / "cache").code == 0
    assert fas("threshold", "--check", tmp_path / "op.json", "--cache", tmp_path / "cache").code == 0


def test_tables_hand_no_formula_to_a_spreadsheet() -> None:
    """By the button or the clipboard of Streamlit's own tables, whose cells are texts of the data as they are."""
    settings = tomllib.loads((PROJECT / "app" / ".streamlit" / "config.toml").read_text())
    assert settings["client"]["disableDataExport"] is True
    assert settings["client"]["showErrorDetails"] == "none"
    assert "client.disableDataExport" in config.get_config_options()  # what Streamlit does not know, it passes over
