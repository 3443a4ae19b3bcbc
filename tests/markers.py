"""Which tests start processes or open a browser, read from their code: from what they, their helpers and fixtures name.

What the packages start where a test calls them is seen only where `STARTERS` names it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.house import parsed

STARTERS = {
    *(f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")),
    *(f"os.{name}" for name in ("fork", "system", "posix_spawn")),
    *(f"multiprocessing.{name}" for name in ("Process", "Pool", "get_context")),
    *(
        "ProcessPoolExecutor",
        "get_context",
        "ray.init",
        "drag.served_app",
        "bench.own_process",
        "processes.done",
        "apart.called",
    ),
}
BROWSERS = {"sync_playwright"}

Place = tuple[Path, str]  # a file, and what it defines


class Tests:
    """The functions and classes of all Python files below a folder of tests, and where each name comes from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trees = parsed(sorted(folder.rglob("*.py")))
        self.places: dict[Place, Place] = {}  # a name as a file knows it -> where that is defined
        self.definitions: dict[Place, ast.AST] = {}
        for path, tree in self.trees.items():
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    self.definitions[path, node.name] = node
                    self.places[path, node.name] = path, node.name
                elif isinstance(node, ast.ImportFrom):
                    source = self._file(path, node)
                    self.places |= {(path, one.asname or one.name): (source, one.name) for one in node.names}

    def _file(self, path: Path, node: ast.ImportFrom) -> Path:
        above = path.parents[node.level - 1] if node.level else self.folder.parent
        return above.joinpath(*(node.module or "").split(".")).with_suffix(".py")

    def of(self) -> Iterator[tuple[str, Place]]:
        """ "folder/test_file.py::test_name" and its place."""
        for path, name in self.definitions:
            if path.name.startswith("test_") and name.startswith("test_"):
                yield f"{path.relative_to(self.folder).as_posix()}::{name}", (path, name)

    def named(self, place: Place, seen: set[Place] | None = None) -> set[str]:
        """All names that something reads, and those that its helpers and fixtures read."""
        seen = set() if seen is None else seen
        place = self.places[place]
        if place in seen or place not in self.definitions:
            return set()
        seen.add(place)
        names = set(_names(self.definitions[place]))
        nearer = [(file, name) for file in self._files_of(place[0]) for name in names if (file, name) in self.places]
        return names.union(*(self.named(place, seen) for place in nearer))

    def _files_of(self, path: Path) -> list[Path]:
        """Where its names and fixtures come from: itself, and the conftest.py of each folder above."""
        return [path, *(folder / "conftest.py" for folder in path.parents if folder.is_relative_to(self.folder))]

    def markers(self, place: Place) -> str:
        """What is written to mark a test, and the whole of its file."""
        path, name = place
        of_file = [node for node in self.trees[path].body if isinstance(node, ast.Assign)]
        written = [ast.unparse(node.value) for node in of_file if ast.unparse(node.targets[0]) == "pytestmark"]
        return " ".join([*written, *map(ast.unparse, self.definitions[path, name].decorator_list)])


def _names(node: ast.AST) -> Iterator[str]:
    """`a`, `a.b`, and arguments; not what annotations name."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield f"{node.value.id}.{node.attr}"
    elif isinstance(node, ast.arg):
        yield node.arg
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _names(child)


def unmarked(folder: Path, of_folders: Mapping[str, str]) -> list[str]:
    """ "test_file.py::test_name: marker" for every test that lacks the marker for what it does.

    `of_folders`: below `folder` -> the marker of all that is in it. Who is marked `browser` may start processes.
    """
    tests, lacking = Tests(folder), []
    for name, place in tests.of():
        names = tests.named(place)
        markers = f"{tests.markers(place)} mark.{of_folders.get(name.split('/')[0], '')} "
        if names & BROWSERS and "mark.browser" not in markers:
            lacking.append(f"{name}: browser")
        elif names & STARTERS and not ("mark.process" in markers or "mark.browser" in markers):
            lacking.append(f"{name}: process")
    return lacking
