"""Scripts of the components: modules on disk, one text for the browser."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from app.components import bundle

FOLDER = Path(bundle.__file__).parent
ENTRIES = sorted(path for path in FOLDER.glob("*.js") if "export default" in path.read_text())
NAME = re.compile(r"^(?:const|let|class|function) (\w+)", re.MULTILINE)


def test_a_file_comes_once_and_after_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "deep.js").write_text("export const DEEP = 1;\n")
    (tmp_path / "left.js").write_text('import { DEEP } from "./deep.js";\n\nexport class Left {}\n')
    (tmp_path / "right.js").write_text('import { DEEP } from "./deep.js";\n\nexport const right = () => DEEP;\n')
    (tmp_path / "entry.js").write_text(
        'import { Left } from "./left.js";\nimport {\n  right,\n} from "./right.js";\n\nexport default function () {}\n'
    )
    lines = [line for line in bundle.bundled(tmp_path / "entry.js").splitlines() if line]
    assert lines == ["const DEEP = 1;", "class Left {}", "const right = () => DEEP;", "export default function () {}"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "entry.js").write_text('import { x } from "./missing.js";\n')
    with pytest.raises(FileNotFoundError, match="missing.js"):
        bundle.bundled(tmp_path / "entry.js")


def test_there_are_eleven_components() -> None:
    names = "before_after command drawing gallery link reviewer saving scatter strip threshold zoom"
    assert [path.stem for path in ENTRIES] == names.split()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.stem)
def test_files_of_a_component_share_a_scope_without_clashes(entry: Path) -> None:
    text = bundle.bundled(entry)
    twice = [name for name, count in Counter(NAME.findall(text)).items() if count > 1]
    assert not twice
    assert not re.search(r"^import\b|^\} from", text, re.MULTILINE), "an import in a form that is not understood"
    assert re.findall(r"^export\b.*", text, re.MULTILINE) == ["export default function (component) {"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.stem)
def test_texts_are_never_read_as_markup(path: Path) -> None:
    source = path.read_text()
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert dangerous not in source
