"""The shape of the code, read from the code: short functions and pages, and imports that point down."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

from tests import house
from tests.conftest import FOLDERS
from tests.markers import unmarked


def test_the_house_keeps_its_rules() -> None:
    modules = house.modules()
    assert {rule: names for rule, names in house.broken(modules).items() if names} == {}
    assert house.silent_names(modules) == []  # names say what they hold


def module(name: str, source: str, folder: Path) -> house.Module:
    path = folder / f"{name.split('.')[-1]}.py"
    path.write_text(source)
    return house.Module(name, path, ast.parse(source))


def test_what_breaks_a_rule_is_named(tmp_path: Path) -> None:
    long = "def long():\n" + "    pass\n" * 60
    sources = {
        "app.views.page": long + "\nchosen = 1\n\ndef reads():\n    return chosen\n" + "\n" * 235,
        "app.views.short": "CHOSEN = 1\n\ndef reads():\n    return CHOSEN\n",
        "fas_core.runs.big": "import app.main\n\nclass Big:\n    '''Big.'''\n" + "    x = 1\n" * 400,
        "fas_core.runs.silent": "class Said:\n    'x'\n    def x(self): ...\ndef _own(): ...\ndef silent(): ...\n",
        "app.parts.shown": "st.code('fas')\n\ncommand('fas')\nst.container().code(words)\nprint(error.code)\n",
        "fas_core.derive": "run = [python, '-m', 'app.main', x]\nagain = [python, '-m', 'fas_core.derive']\n",
        "fas_core.cli.server": "run = [python, '-P', '-m', 'app.serve']\n",
    }
    broken = house.broken([module(name, source, tmp_path) for name, source in sources.items()])
    assert {rule: names for rule, names in broken.items() if names} == {
        "functions over 60 lines": ["app.views.page.long"],
        "classes over 400 lines": ["fas_core.runs.big.Big"],
        "pages over 299 lines": ["app.views.page"],
        "functions of pages that read its globals": ["app.views.page.reads"],
        "imports upward": ["fas_core.runs.big -> app.main"],
        "starts upward": ["fas_core.derive -> app.main"],
        "code that Streamlit shows": ["app.parts.shown:1", "app.parts.shown:4"],
        "public names of the core without a docstring": ["fas_core.runs.silent.silent"],
    }


def test_a_name_that_says_nothing_is_found_wherever_it_is_given(tmp_path: Path) -> None:
    source = "one = 1\n\ndef made(found):\n    for made, rows in found:\n        print([one for one in rows])\n"
    given = house.silent_names([module("app.views.page", source, tmp_path)])
    assert sorted(given) == [f"app.views.page:{where}" for where in ("1 one", "3 found", "4 made", "5 one")]


def test_both_packages_tell_type_checkers_that_they_are_typed() -> None:
    for package in ("fas_core", "app"):
        assert (house.PROJECT / package / "py.typed").is_file()


def test_who_starts_a_process_or_a_browser_is_marked_so() -> None:
    assert unmarked(house.PROJECT / "tests", FOLDERS) == []


PLANTED = {
    "conftest.py": """
        @pytest.fixture
        def chromium(): sync_playwright()
        @pytest.fixture
        def tab(chromium): pass
        """,
    "helpers.py": """
        class Driver:
            def __init__(self): self.driver = subprocess.Popen([])
        """,
    "test_own.py": """
        from tests.helpers import Driver as Engine
        @pytest.fixture
        def held(): subprocess.run([])
        def helper(): held_too()
        def held_too(): return ProcessPoolExecutor(4)
        def test_calls(): subprocess.run([])
        def test_through_helpers(): helper()
        def test_through_a_fixture(held): pass
        def test_through_another_file(): Engine()
        @pytest.mark.process
        def test_marked(): subprocess.run([])
        def test_in_a_browser(tab): pass
        @pytest.mark.process
        def test_marked_as_another(tab): pass
        @pytest.mark.browser
        def test_in_a_marked_browser(tab): subprocess.run([])
        def test_says_the_word(): setattr(subprocess, "Popen", print)
        def test_is_told(process: subprocess.Popen[str]) -> subprocess.Popen[str]: pass
        """,
    "test_whole.py": """
        pytestmark = pytest.mark.process
        def test_calls(): os.fork()
        """,
    "apart/test_folder.py": """
        from .helpers import started
        def test_calls(): started()
        """,
    "apart/helpers.py": """
        def started(): os.fork()
        """,
}


def test_who_is_not_marked_is_named(tmp_path: Path) -> None:
    (tmp_path / "tests" / "apart").mkdir(parents=True)
    for name, source in PLANTED.items():
        (tmp_path / "tests" / name).write_text(dedent(source))
    own = [
        "test_own.py::test_calls: process",
        "test_own.py::test_through_helpers: process",
        "test_own.py::test_through_a_fixture: process",
        "test_own.py::test_through_another_file: process",
        "test_own.py::test_in_a_browser: browser",
        "test_own.py::test_marked_as_another: browser",
    ]
    assert unmarked(tmp_path / "tests", {"apart": "process"}) == own
    assert unmarked(tmp_path / "tests", {}) == ["apart/test_folder.py::test_calls: process", *own]
