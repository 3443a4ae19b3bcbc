"""What CI installs is what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).resolve().parents[1]
LINES = (PROJECT / ".ci" / "constraints.txt").read_text().splitlines()
PINNED = {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in LINES)}
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def asked_for() -> list[Requirement]:
    extras = DECLARED["optional-dependencies"].values()
    wanted = [Requirement(text) for text in [*DECLARED["dependencies"], *(text for extra in extras for text in extra)]]
    return [requirement for requirement in wanted if requirement.name != DECLARED["name"]]


def test_every_line_is_a_name_and_an_exact_version() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert len(PINNED) == len(LINES)


@pytest.mark.parametrize("requirement", asked_for(), ids=lambda requirement: requirement.name)
def test_a_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    assert name in PINNED
    assert requirement.specifier.contains(PINNED[name])


def test_ci_installs_from_them() -> None:
    assert "-c .ci/constraints.txt" in (PROJECT / ".ci" / "run").read_text()
