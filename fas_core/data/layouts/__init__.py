"""Known data-set layouts, one module each: root folder -> rows of a manifest.

A layout is a module with a docstring (its first line is the summary that users read) and
`scanned(root: Path, labels: LabelValues | None) -> Scanned` with absolute image paths in `path`. The module's name is
the layout's name.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pandas as pd

from fas_core.data.images import is_image
from fas_core.data.manifest import LabelValues
from fas_core.errors import BadInputError

# A damaged file of these is a row all the same: a non-response. What has another ending is told by its content.
_ENDINGS = "jpg jpeg jpe jfif png apng webp bmp pbm pgm ppm pnm tif tiff gif mpo avif jp2 j2k jpf jpx jpc"
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())


@dataclass(frozen=True)
class Scanned:
    """Rows of a manifest in a stable order, `path` absolute; how they were read, a line per pattern; what was not."""

    rows: pd.DataFrame
    reading: tuple[str, ...]
    notes: tuple[str, ...]


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def description(name: str) -> str:
    """The layout's docstring: one line of summary, then the folders it reads."""
    return (importlib.import_module(f"{__name__}.{name}").__doc__ or "").strip()


def scanned(root: Path, layout: str, labels: LabelValues | None = None) -> Scanned:
    """The data set under `root`.

    Raises BadInputError for an unknown layout, a folder that is not there, or one in which the layout finds nothing.
    """
    if layout not in names():
        raise BadInputError(f"Unknown layout '{layout}'. Layouts: {', '.join(names())} (see 'fas data layouts').")
    if not root.exists():
        raise BadInputError(f"{root} does not exist. Give the data set's root folder.")
    module = importlib.import_module(f"{__name__}.{layout}")
    scan = cast(Callable[[Path, LabelValues | None], Scanned], module.scanned)(root, labels)
    if scan.rows.empty:
        why = "".join(f" {note}" for note in scan.notes)
        raise BadInputError(
            f"{root}: no image found with layout '{layout}'.{why} See 'fas data layouts' for its folders."
        )
    return scan


def image_files(root: Path) -> tuple[list[Path], list[str]]:
    """Every image under `root`, by its ending or else by its content, sorted; and sentences on what was passed over.

    Links are followed, but not to a folder that they lie in. Raises BadInputError for a folder that cannot be read.
    """
    images: list[Path] = []
    skipped: Counter[str] = Counter()
    examples: dict[str, str] = {}

    def skip(kind: str, path: str) -> None:
        skipped[kind] += 1
        examples.setdefault(kind, os.path.relpath(path, root))

    def walk(folder: str, above: frozenset[str]) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise BadInputError(
                f"{folder} cannot be read: {error.strerror}. Its images would be missing: change its permissions, or "
                "move it out of the data set."
            ) from error
        here = above | {os.path.realpath(folder)}
        for entry in entries:
            if entry.name.startswith("."):
                skip("hidden", entry.path)
            elif entry.is_dir():
                if entry.is_symlink() and os.path.realpath(entry.path) in here:
                    skip("links to a folder that they lie in", entry.path)
                else:
                    walk(entry.path, here)
            elif not entry.is_file():
                skip("links that lead nowhere" if entry.is_symlink() else "no regular files", entry.path)
            elif _is_taken(Path(entry.path), skip):
                images.append(Path(entry.path))

    walk(str(root), frozenset())
    _require_utf8(images)
    kinds = ", ".join(f"{n} {kind} (e.g. {examples[kind]})" for kind, n in sorted(skipped.items()))
    n = skipped.total()
    return sorted(images), [f"{n} {'file' if n == 1 else 'files'} skipped: {kinds}."] if n else []


def _require_utf8(images: list[Path]) -> None:
    for path in images:
        if not os.fsencode(path).decode("utf-8", "replace") == str(path):
            raise BadInputError(
                f"{str(path)!r}: the name is not valid UTF-8, so no table can hold it. Rename the file."
            )


def _is_taken(path: Path, skip: Callable[[str, str], None]) -> bool:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        if is_image(path):
            return True
        skip(path.suffix.lower() or "without ending", str(path))
    except OSError:
        skip("unreadable", str(path))
    return False
