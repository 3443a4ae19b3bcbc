"""Who may import whom, read from the code itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
MODULES = sorted([*(PROJECT / "fas_core").rglob("*.py"), *(PROJECT / "app").rglob("*.py")])
TORCH = {"torch", "lightning_fabric", "kornia", "safetensors"}
MAKING = ("models", "losses", "augment", "draws", "devices", "train", "bench", "checkpoint")
MAKING += ("infer", "cluster", "predict")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, *, lazily_too: bool = True) -> Iterator[str]:
    """Full names of what a module imports; with `lazily_too` also inside functions."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if lazily_too else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> set[str]:
    """First part under fas_core of everything a module imports from it."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("fas_core.")}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_layers(path: Path) -> None:
    name = name_of(path)
    tops = {full.split(".")[0] for full in imported(path)}
    part = name.split(".")[1] if "." in name else ""
    assert not tops & {"pickle", "joblib", "dill", "cloudpickle"}
    if name.startswith("fas_core"):
        assert "streamlit" not in tops
        assert "app" not in tops
        if part not in (*MAKING, "cli"):
            assert not tops & TORCH
    else:
        assert not tops & TORCH
        at_import = {full.split(".")[1] for full in imported(path, lazily_too=False) if full.startswith("fas_core.")}
        assert not at_import & set(MAKING)
    if name == "app.charts":
        assert "streamlit" not in tops


def test_the_bottom_rests_on_nothing_of_ours() -> None:
    core = PROJECT / "fas_core"
    assert ours(core / "uncertainty.py") == set()
    assert ours(core / "resampling.py") == {"uncertainty"}
    assert ours(core / "metrics.py") <= {"uncertainty", "errors"}
    assert ours(core / "store.py") <= {"manifest", "errors"}
    looking = {"store", "metrics", "memo", "analysis", "errors", "manifest", "scores", "progress"}
    looking |= {"uncertainty", "resampling", "presentations", "breakdown", "operating_point"}
    for path in MODULES:
        if name_of(path).startswith(("fas_core.scores", "fas_core.analysis", "fas_core.compare")):
            assert ours(path) <= looking, path


def test_reading_never_loads_torch() -> None:
    script = (
        "import sys; from app import charts, network, state, uploaded; "
        "from fas_core import cli, compare, evaluation, memo, scores, store, traversal; "
        "from fas_core.analysis import mixture, projection; "
        "print([m for m in ('torch', 'umap', 'numba', 'kornia') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert result.stdout.strip() == "[]"
