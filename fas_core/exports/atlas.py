"""Embedding Atlas: the Parquet table of a Run with the columns that its command takes.

    embedding-atlas samples.parquet --x x --y y --neighbors neighbors --image image

Codes stay out: the plane and the neighbours are there, and a browser loads the whole table.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from fas_core.errors import BadInputError
from fas_core.exports.content import NONE, PATHS, Content
from fas_core.exports.parquet import TABLE, write_table
from fas_core.runs.store import Run


def require(run: Run, images: str) -> None:  # noqa: ARG001 - as of every format
    """Raises BadInputError for images that a browser cannot open."""
    if images == PATHS:
        raise BadInputError("--images paths: a browser opens no files by path. Take --images bytes or none.")


def write(content: Content, folder: Path, advance: Callable[[], object]) -> None:
    """The table, without vectors."""
    write_table(content, folder / TABLE, advance, with_vectors=False)


def how_to_open(content: Content, out: Path) -> str:
    """The command, with the columns that there are."""
    options = ["--x", "x", "--y", "y"] if content.plane_words else ["--disable-projection"]
    options += ["--neighbors", "neighbors"] if content.neighbours is not None else []
    options += ["--image", "image"] if content.images != NONE else []
    return f"Open it: {shlex.join(['embedding-atlas', str(out / TABLE), *options])}"
