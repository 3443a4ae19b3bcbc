"""Who may import whom, read from the code itself: `tests/house.py` states the floors."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fas_core.runs import store

from .house import FLOORS, GROUND, PROJECT, TORCH, Module, floor_of, imports_upward, modules

MAKING = {"torch", "lightning_fabric", "kornia", "safetensors"}


@pytest.fixture(scope="module")
def all_modules() -> list[Module]:
    return modules()


def _starts(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def test_no_room_imports_from_a_higher_floor_nor_from_a_neighbour(all_modules: list[Module]) -> None:
    assert imports_upward(all_modules) == []


def test_an_import_from_a_higher_floor_is_found() -> None:
    low = Module("fas_core.metrics.rates", Path("rates.py"), ast.parse("from fas_core.runs import store"))
    assert imports_upward([low]) == ["fas_core.metrics.rates -> fas_core.runs.store"]
    beside = Module("fas_core.latent.em", Path("em.py"), ast.parse("def f():\n    from fas_core.training import train"))
    assert imports_upward([beside]) == ["fas_core.latent.em -> fas_core.training.train"]


def _wrong(module: Module) -> Iterator[str]:
    """What a module may not be or import where it is."""
    tops = {name.split(".")[0] for name in module.imported()}
    at_import = {name for name in module.imported(lazily_too=False) if name.startswith("fas_core.")}
    if not (module.room or module.name in ("app", "fas_core")):
        yield "is in no room of FLOORS"
    unwanted = {"pickle", "joblib", "dill", "cloudpickle"}
    if module.name.startswith("fas_core"):
        unwanted |= {"streamlit", "app"}
        if not _starts(module.name, (*TORCH, "fas_core.cli")):  # `fas models` counts parameters
            unwanted |= MAKING
    else:
        unwanted |= MAKING
        yield from (f"imports {name} at once" for name in at_import if _starts(name, TORCH))
    if module.name.startswith("app.charts"):
        unwanted |= {"streamlit"}
    yield from (f"imports {name}" for name in tops & unwanted)


def test_every_module_is_in_a_room_and_imports_what_its_room_may(all_modules: list[Module]) -> None:
    wrong = {module.name: [*_wrong(module)] for module in all_modules}
    assert len(wrong) > 500
    assert {name: what for name, what in wrong.items() if what} == {}


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("elsewhere.words", "import json", ["is in no room of FLOORS"]),
        ("fas_core.runs.store", "def f():\n    import streamlit.web", ["imports streamlit"]),
        ("fas_core.metrics.rates", "from torch import nn", ["imports torch"]),
        ("fas_core.training.train", "import torch, pickle", ["imports pickle"]),
        ("app.parts.words", "from fas_core.training import train", ["imports fas_core.training.train at once"]),
        ("app.parts.words", "def f():\n    from fas_core.training import train", []),
        ("app.parts.words", "import kornia, streamlit", ["imports kornia"]),
        ("app.charts.words", "import streamlit", ["imports streamlit"]),
    ],
)
def test_what_a_module_may_not_import_is_named(name: str, source: str, wrong: list[str]) -> None:
    assert [*_wrong(Module(name, Path("words.py"), ast.parse(source)))] == wrong


def test_whoever_looks_loads_no_compiler(all_modules: list[Module]) -> None:
    """Lightning Fabric brings PyTorch's along, and with it half the time and a fifth of the memory of a start."""
    trains = [module.name for module in all_modules if "lightning_fabric.Fabric" in module.imported(lazily_too=False)]
    assert trains == ["fas_core.bench.train", "fas_core.training.train"]
    slow = {"lightning_fabric.Fabric", *trains}
    at_start = [module.name for module in all_modules if slow & set(module.imported(lazily_too=False))]
    assert [name for name in at_start if not _starts(name, ("fas_core.training", "fas_core.bench"))] == []


def test_each_room_is_on_one_floor_and_there() -> None:
    rooms = [room for floor in FLOORS for room in floor]
    assert len(set(rooms)) == len(rooms)
    for room in rooms:
        place = PROJECT / room.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), room
    assert floor_of("fas_core.errors") == (0, "fas_core.errors")
    assert set(TORCH) <= set(rooms)
    assert set(GROUND) <= set(rooms)


@pytest.mark.process
def test_all_but_making_works_where_no_extra_is_installed(tiny_cache: Path) -> None:
    """Nor is what is slow to import loaded before it is asked for."""
    run = store.open_run(tiny_cache, "a")
    checkpoint = tiny_cache / "there.safetensors"
    checkpoint.touch()  # a page says sooner that it is gone than that it cannot be used
    store.rewrite_info(run.folder, replace(run.info, checkpoint_path=str(checkpoint)))
    script = [sys.executable, "-m", "tests.without_extras", str(tiny_cache), "a"]
    ended = subprocess.run(script, capture_output=True, text=True, cwd=PROJECT)
    assert ended.returncode == 0, ended.stderr
    shown = json.loads(ended.stdout.splitlines()[-1])
    assert shown["imported"] == []
    assert shown["evaluate"].startswith("0")
    remedy = "needs PyTorch, which is not installed: pip install 'fas-explorer[train]'"
    for command in ("train", "models"):
        assert shown[command].startswith("2 fas: This")
        assert remedy in shown[command]
        assert "Traceback" not in shown[command]
    for page in ("traversal", "upload"):
        assert remedy in shown["pages"].pop(page)
    views = {path.stem for path in (PROJECT / "app" / "views").glob("*.py")}
    assert set(shown["pages"]) == views - {"traversal"}
    assert not [page for page, said in shown["pages"].items() if said]
