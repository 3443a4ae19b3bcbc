"""`python -m tests.without_extras CACHE RUN`: imports, pages and commands where no extra is installed, as JSON.

No test: `test_imports.py` starts it, because what a process has imported it keeps.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.app.conftest import page, started_once
from tests.house import PROJECT, TORCH, modules

NOT_INSTALLED = {
    *("torch", "lightning_fabric", "kornia", "ray", "tensorboardX", "mlflow", "sqlalchemy", "alembic", "h5py"),
    *("onnx", "onnxruntime", "onnxscript", "av", "ai_edge_litert", "dlib", "authlib", "cryptography"),
    *("s3fs", "botocore"),
}
RUN_LATER = (*TORCH, "app.main", "app.views", "fas_core.cli.__main__")  # by who trains, by Streamlit, by the shell


class NothingThere:
    """Finds no module of an extra."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name.split(".")[0] in NOT_INSTALLED:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return None


def imported() -> list[str]:
    """What comes along with everything that reads Runs and must not."""
    for module in modules():
        if not any(module.name == room or module.name.startswith(f"{room}.") for room in RUN_LATER):
            importlib.import_module(module.name)
    return [name for name in (*NOT_INSTALLED, "umap", "numba", "scipy.stats") if name in sys.modules]


def pages(cache: str, run: str) -> dict[str, str]:
    """By view what it shows that is wrong: exceptions, errors, and why nothing is decoded."""
    os.environ["FAS_CACHE"] = cache
    shown = {}
    with started_once():
        at = page(cache=Path(cache), run=run)
        for view in sorted((PROJECT / "app" / "views").glob("*.py")):
            at.switch_page(f"views/{view.name}").run()
            assert at.title, view.stem
            shown[view.stem] = _boxes(at)
        at.query_params["image_source"] = "Upload"
        at.switch_page("views/image.py").run()
        at.file_uploader[0].upload("me.png", (PROJECT / ".github" / "threshold.png").read_bytes(), "image/png").run()
        return shown | {"upload": _boxes(at)}


def _boxes(at: AppTest) -> str:
    undecoded = [box for box in at.warning if "Nothing can be decoded" in box.value]
    return " ".join(box.value.replace("\\", "") for box in (*at.exception, *at.error, *undecoded))


def command(*arguments: str) -> str:
    """What `fas ...` says on standard error, behind its exit status."""
    from fas_core.cli.main import main

    said, code = io.StringIO(), 0
    sys.argv = ["fas", *arguments]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            main()
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return f"{code} {said.getvalue().strip()}"


if __name__ == "__main__":
    sys.meta_path.insert(0, NothingThere())  # type: ignore[arg-type]  # the abstract class asks for no more
    cache, run = sys.argv[1:]
    result = {
        "imported": imported(),
        "evaluate": command("evaluate", "a", "--cache", cache),
        "train": command("train", "small_dcvae", "--data", "m.csv", "--out", f"{cache}/m.safetensors"),
        "models": command("models"),
        "pages": pages(cache, run),
    }
    print(json.dumps(result))
