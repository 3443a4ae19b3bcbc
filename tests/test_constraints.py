"""What CI installs is what pyproject.toml asks for, by version and by hash."""

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
HASHED = {name: PROJECT / ".ci" / f"lock-{name}.txt" for name in ("app", "test", "torch")}
BY_MINOR = ("torch", "streamlit")  # pyproject.toml says why
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


@pytest.mark.parametrize("requirement", asked_for(), ids=lambda requirement: requirement.name)
def test_an_upper_bound_is_the_next_release_that_may_break_what_is_tested(requirement: Requirement) -> None:
    tested = PINNED[canonicalize_name(requirement.name)]
    by_major = tested.major > 0 and requirement.name not in BY_MINOR
    bound = f"{tested.major + 1}" if by_major else f"{tested.major}.{tested.minor + 1}"
    upper = [specifier.version for specifier in requirement.specifier if specifier.operator == "<"]
    assert upper == [bound]


def locked(name: str) -> dict[str, tuple[Version, set[str]]]:
    """By package the version and the SHA-256 of the files that may be installed for it."""
    entry = r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$"
    return {
        canonicalize_name(package): (Version(version), set(re.findall(r"[0-9a-f]{64}", hashes)))
        for package, version, hashes in re.findall(entry, HASHED[name].read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("name", HASHED)
def test_a_lock_file_has_a_hash_for_every_line_and_the_versions_that_are_tested(name: str) -> None:
    """Otherwise `.ci/lock` writes it anew."""
    packages = locked(name)
    assert len(packages) == HASHED[name].read_text().count("==")
    assert {package: version for package, (version, _) in packages.items()}.items() <= PINNED.items()


def test_the_lock_files_hold_what_the_app_and_what_the_tests_need() -> None:
    app, test = locked("app"), {**locked("test"), **locked("torch")}
    assert list(locked("torch")) == ["torch"]
    extras = DECLARED["optional-dependencies"]
    needed = {canonicalize_name(Requirement(text).name) for text in DECLARED["dependencies"]}
    only_extra = {canonicalize_name(requirement.name) for requirement in asked_for()} - needed
    assert needed <= set(app)
    assert not only_extra & set(app)
    assert app.items() <= test.items()
    tested = {Requirement(text) for text in [*extras["test"], *extras["audit"]]}
    (of_own,) = {requirement for requirement in tested if requirement.name == DECLARED["name"]}
    tested |= {Requirement(text) for extra in of_own.extras for text in extras[extra]}
    assert {canonicalize_name(requirement.name) for requirement in tested} - {DECLARED["name"]} <= set(test)


def test_what_ci_installs_is_hashed_and_its_licences_are_looked_at() -> None:
    run = (PROJECT / ".ci" / "run").read_text()
    for file in ("test.txt", "torch.txt"):
        assert re.search(rf"--require-hashes --no-deps .*-r \.ci/lock-{file}\n", run)
    assert "-c .ci/constraints.txt" in run
    assert "pip-licenses >" in run
    assert "cyclonedx-py environment" in run
