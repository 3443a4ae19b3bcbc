"""The house in figures: `python -m tests.house [ROOT]` for this checkout or another one.

Read from the code itself: how many files a folder holds, the longest function, class and page, functions of pages that
read what the page has computed, imports from a lower floor to a higher one.
"""

from __future__ import annotations

import ast
import gc
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import UnionType

PROJECT = Path(__file__).resolve().parents[1]

# From the ground up. A room may import from its own floor's rooms only where it is the same room, and from those below.
FLOORS: tuple[tuple[str, ...], ...] = (
    (
        "fas_core.errors",
        "fas_core.texts",
        "fas_core.delivery",
        "fas_core.files",
        "fas_core.documents",
        "fas_core.progress",
        "fas_core.memo",
        "fas_core.storage",
        "fas_core.access",
    ),
    ("fas_core.data", "fas_core.metrics", "fas_core.models"),
    ("fas_core.runs",),
    ("fas_core.latent", "fas_core.training"),
    ("fas_core.scores",),
    ("fas_core.evaluation",),
    ("fas_core.deciding",),
    ("fas_core.reports", "fas_core.inference", "fas_core.erasure"),
    ("fas_core.derive", "fas_core.exports"),
    ("fas_core.demo", "fas_core.reproduce"),
    ("fas_core.bench", "app.words"),
    ("fas_core.cli", "app.charts"),
    ("app.components", "app.gate"),
    ("app.session",),
    ("app.parts",),
    ("app.comparing", "app.data", "app.deciding", "app.latent", "app.looking", "app.training"),
    ("app.overview",),
    ("app.views",),
    ("app.main", "app.ready", "app.serve", "app.visitors"),
)
GROUND = FLOORS[0]
FUNCTION, CLASS, PAGE = 60, 400, 299  # lines at most
OPEN_FILES = 10  # of fas_core itself, in no room
SILENT = ("found", "one", "made")  # names of locals and arguments that do not say what they hold
TORCH = ("fas_core.models", "fas_core.training", "fas_core.inference", "fas_core.bench")  # rooms that may import it


@dataclass(frozen=True)
class Module:
    """One file of the two packages."""

    name: str  # dotted
    path: Path
    tree: ast.Module = field(repr=False)

    @property
    def room(self) -> str:
        """The folder or file of a floor that it is part of; "" for the packages themselves."""
        rooms = (room for floor in FLOORS for room in floor)
        return next((room for room in rooms if self.name == room or self.name.startswith(f"{room}.")), "")

    def imported(self, *, lazily_too: bool = True) -> Iterator[str]:
        """Full names of what it imports; with `lazily_too` also inside functions."""
        for node in ast.walk(self.tree) if lazily_too else self.tree.body:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def started(self) -> Iterator[str]:
        """Full names of what it starts in a process of its own: what stands after "-m" in a command."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.List | ast.Tuple):
                words = [each.value if isinstance(each, ast.Constant) else None for each in node.elts]
                yield from (str(name) for flag, name in pairwise(words) if flag == "-m")


def modules(root: Path = PROJECT, *folders: str) -> list[Module]:
    """Every Python file of both packages, or of some folders, by name. To be dropped after use: a million objects."""
    paths = sorted(path for folder in folders or ("fas_core", "app") for path in (root / folder).rglob("*.py"))
    return [Module(_dotted(path.relative_to(root)), path, tree) for path, tree in parsed(paths).items()]


def parsed(paths: Iterable[Path]) -> dict[Path, ast.Module]:
    """The syntax trees of files. Garbage is not looked for meanwhile: among a million nodes, all of them in use, that
    takes four times as long as to read them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return {path: ast.parse(path.read_text()) for path in paths}
    finally:
        if was_enabled:
            gc.enable()


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def floor_of(name: str) -> tuple[int, str] | None:
    """The number of the floor that a dotted name is on, and its room; None outside the house."""
    for number, floor in enumerate(FLOORS):
        for room in floor:
            if name == room or name.startswith(f"{room}."):
                return number, room
    return None


def imports_upward(all_modules: list[Module]) -> list[str]:
    """ "module -> name" for every import of a higher floor, or of another room on the same floor (the ground apart)."""
    wrong = []
    for module in all_modules:
        here = floor_of(module.name)
        for name in module.imported():
            there = floor_of(name)
            if here is None or there is None or here[1] == there[1] or (here[0] == 0 and there[0] == 0):
                continue
            if there[0] >= here[0]:
                wrong.append(f"{module.name} -> {name}")
    return wrong


def starts_upward(all_modules: list[Module]) -> list[str]:
    """ "module -> name" for everything of a higher floor that is started by what is below measurements and commands,
    which start what they measure and serve."""
    lower = [m for m in all_modules if (here := floor_of(m.name)) and here[0] < floor_of("fas_core.bench")[0]]
    return [
        f"{module.name} -> {name}"
        for module in lower
        for name in module.started()
        if (there := floor_of(name)) and there[0] > floor_of(module.name)[0]
    ]


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def page_globals(tree: ast.Module) -> set[str]:
    """Names that the body of a page computes, constants (in capitals) and types left out."""
    computed: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                computed.add(node.id)
    return {name for name in computed if name.upper() != name and not name[0].isupper()}


def global_readers(tree: ast.Module) -> list[str]:
    """Functions of a page that read what its body computes."""
    computed = page_globals(tree)
    readers = []
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        own = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        own |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if any(node.id in computed - own for node in names if isinstance(node.ctx, ast.Load)):
            readers.append(function.name)
    return readers


def silent_names(all_modules: list[Module]) -> list[str]:
    """ "module:line name" wherever a name of `SILENT` is given to a value or an argument; functions may have it."""
    given = []
    for module in all_modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in SILENT:
                given.append(f"{module.name}:{node.lineno} {node.id}")
            elif isinstance(node, ast.arg) and node.arg in SILENT:
                given.append(f"{module.name}:{node.lineno} {node.arg}")
    return given


def undocumented(all_modules: list[Module]) -> list[str]:
    """Public functions and classes of the core without a docstring. Methods are free: of many the class says it all."""
    return [
        f"{module.name}.{node.name}"
        for module in all_modules
        for node in module.tree.body
        if module.name.startswith("fas_core.")
        and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not (node.name.startswith("_") or ast.get_docstring(node))
    ]


def highlighted(all_modules: list[Module]) -> list[str]:
    """ "module:line" wherever the app calls `code`, of Streamlit or of a container: the browser fetches 1.6 MB for it
    that know the colours of three hundred languages, and nothing for `app.components.command`."""
    return [
        f"{module.name}:{node.lineno}"
        for module in all_modules
        for node in ast.walk(module.tree)
        if module.name.startswith("app.")
        and isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "code"
    ]


def broken(all_modules: list[Module]) -> dict[str, list[str]]:
    """Rule -> dotted names of what breaks it."""
    pages = [module for module in all_modules if module.name.startswith("app.views.")]
    open_files = [module.name for module in all_modules if module.path.parent.name == "fas_core"]

    def longer(kinds: type | UnionType, most: int) -> list[str]:
        return [
            f"{module.name}.{node.name}"
            for module in all_modules
            for node in ast.walk(module.tree)
            if isinstance(node, kinds) and _length(node) > most
        ]

    return {
        f"functions over {FUNCTION} lines": longer(ast.FunctionDef | ast.AsyncFunctionDef, FUNCTION),
        f"classes over {CLASS} lines": longer(ast.ClassDef, CLASS),
        f"pages over {PAGE} lines": [m.name for m in pages if len(m.path.read_text().splitlines()) > PAGE],
        f"files of fas_core beyond {OPEN_FILES}": open_files if len(open_files) > OPEN_FILES else [],
        "functions of pages that read its globals": [f"{m.name}.{f}" for m in pages for f in global_readers(m.tree)],
        "imports upward": imports_upward(all_modules),
        "starts upward": starts_upward(all_modules),
        "code that Streamlit shows": highlighted(all_modules),
        "public names of the core without a docstring": undocumented(all_modules),
    }


def figures(root: Path = PROJECT) -> dict[str, str]:
    """What the command prints, by name."""
    all_modules = modules(root)
    functions = [(_length(node), f"{m.name}.{node.name}") for m in all_modules for node in _functions(m.tree)]
    classes = [
        (_length(node), f"{m.name}.{node.name}")
        for m in all_modules
        for node in ast.walk(m.tree)
        if isinstance(node, ast.ClassDef)
    ]
    pages = [m for m in all_modules if m.name.startswith("app.views.")]
    lines = [(len(m.path.read_text().splitlines()), m.name) for m in pages]
    readers = [f"{m.name}.{name}" for m in pages for name in global_readers(m.tree)]
    folders = Counter(str(m.path.parent.relative_to(root)) for m in all_modules)
    upward = imports_upward(all_modules)
    return {
        "modules": str(len(all_modules)),
        "files per folder": ", ".join(f"{folder} {n}" for folder, n in folders.most_common()),
        "longest function": "{} lines, {}".format(*max(functions)),
        "functions over 60 lines": str(sum(n > 60 for n, _ in functions)),
        "longest class": "{} lines, {}".format(*max(classes)),
        "longest page": "{} lines, {}".format(*max(lines)),
        "functions of pages that read its globals": str(len(readers)) + (f": {', '.join(readers)}" if readers else ""),
        "imports upward": str(len(upward)) + (f": {', '.join(upward)}" if upward else ""),
        f"values named {', '.join(SILENT)}": str(len(silent_names(all_modules))),
    }


if __name__ == "__main__":
    for name, value in figures(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PROJECT).items():
        print(f"{name}: {value}")
