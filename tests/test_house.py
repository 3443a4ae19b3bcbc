"""The shape of the code, read from the code: short functions and pages, and imports that point down."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import house

BROKEN = house.broken(house.modules())
SILENT_NAMES = 63  # at most


@pytest.mark.parametrize("rule", BROKEN)
def test_the_house_keeps_its_rule(rule: str) -> None:
    assert not BROKEN[rule]


def test_names_say_what_they_hold() -> None:
    silent = house.silent_names(house.modules())
    assert len(silent) <= SILENT_NAMES, silent


def module(name: str, source: str, folder: Path) -> house.Module:
    path = folder / f"{name.split('.')[-1]}.py"
    path.write_text(source)
    return house.Module(name, path, ast.parse(source))


def test_what_breaks_a_rule_is_named(tmp_path: Path) -> None:
    long = "def long():\n" + "    pass\n" * 60
    sources = {
        "app.views.page": long + "\nchosen = 1\n\ndef reads():\n    return chosen\n" + "\n" * 235,
        "app.views.short": "CHOSEN = 1\n\ndef reads():\n    return CHOSEN\n",
        "fas_core.runs.big": "import app.main\n\nclass Big:\n" + "    x = 1\n" * 400,
    }
    broken = house.broken([module(name, source, tmp_path) for name, source in sources.items()])
    assert {rule: names for rule, names in broken.items() if names} == {
        "functions over 60 lines": ["app.views.page.long"],
        "classes over 400 lines": ["fas_core.runs.big.Big"],
        "pages over 299 lines": ["app.views.page"],
        "functions of pages that read its globals": ["app.views.page.reads"],
        "imports upward": ["fas_core.runs.big -> app.main"],
    }


def test_a_name_that_says_nothing_is_found_wherever_it_is_given(tmp_path: Path) -> None:
    source = "one = 1\n\ndef made(found):\n    for made, rows in found:\n        print([one for one in rows])\n"
    given = house.silent_names([module("app.views.page", source, tmp_path)])
    assert sorted(given) == [f"app.views.page:{where}" for where in ("1 one", "3 found", "4 made", "5 one")]


def test_both_packages_tell_type_checkers_that_they_are_typed() -> None:
    for package in ("fas_core", "app"):
        assert (house.PROJECT / package / "py.typed").is_file()
