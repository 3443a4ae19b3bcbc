"""One script of several files: Streamlit's components take text, in which nothing can be imported.

The files are modules, so that an editor, the linter and the type checker follow them.
"""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default\b)", re.MULTILINE)


def bundled(entry: Path) -> str:
    """The text of a module and of all that it imports from its folder, each once and after what it needs itself.

    Imports are lines of the form `import { a, b } from "./file.js";`, without other names. All files share one scope:
    their names at the top must differ.
    """
    texts: dict[Path, str] = {}

    def include(path: Path) -> None:
        if path in texts:
            return
        source = path.read_text()
        for name in _IMPORT.findall(source):
            include(path.with_name(name))
        texts[path] = _EXPORT.sub("", _IMPORT.sub("", source))

    include(entry)
    return "\n".join(texts.values())


def mounted(file: Path, html: str) -> ComponentRenderer:
    """The component of a Python file, whose styles and script stand beside it under its name."""
    script, styles = bundled(file.with_suffix(".js")), file.with_suffix(".css").read_text()
    return st.components.v2.component(f"fas_{file.stem}", html=html, css=styles, js=script)
