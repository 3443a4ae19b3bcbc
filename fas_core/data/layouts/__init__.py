"""Known data-set layouts, one module each: root folder -> rows of a manifest.

A layout is a module with a docstring (its first line is the summary that users read) and
`rows(root: Path) -> pandas.DataFrame` with absolute image paths in `path`. The module's name is the layout's name.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pandas as pd

from fas_core.errors import BadInputError

# What images.py decodes; anything else in a data set's folder is not an image.
_ENDINGS = "jpg jpeg jpe jfif png apng webp bmp pbm pgm ppm pnm tif tiff gif mpo avif"
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def description(name: str) -> str:
    """The layout's docstring: one line of summary, then the folders it reads."""
    return (importlib.import_module(f"{__name__}.{name}").__doc__ or "").strip()


def scanned(root: Path, layout: str, attack_label: str | None = None) -> pd.DataFrame:
    """Rows of a manifest for the data set under `root`, in a stable order, `path` absolute.

    Raises BadInputError for an unknown layout, a folder that is not there, or one in which the layout finds nothing.
    """
    if layout not in names():
        raise BadInputError(f"Unknown layout '{layout}'. Layouts: {', '.join(names())} (see 'fas data layouts').")
    if not root.exists():
        raise BadInputError(f"{root} does not exist. Give the data set's root folder.")
    rows_of = cast(Callable[[Path, str | None], pd.DataFrame], importlib.import_module(f"{__name__}.{layout}").rows)
    rows = rows_of(root, attack_label)
    if rows.empty:
        raise BadInputError(f"{root}: no image found with layout '{layout}'. See 'fas data layouts' for its folders.")
    return rows


def image_files(root: Path) -> list[Path]:
    """Every image under `root` by its ending, sorted; links are followed, hidden files and folders left out."""
    found: list[Path] = []
    visited: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in visited else [name for name in folders if not name.startswith(".")]
        if real in visited:  # a link that leads back
            continue
        visited.add(real)
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    images = sorted(path for path in found if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    for path in images:
        if not os.fsencode(path).decode("utf-8", "replace") == str(path):
            raise BadInputError(
                f"{str(path)!r}: the name is not valid UTF-8, so no table can hold it. Rename the file."
            )
    return images
