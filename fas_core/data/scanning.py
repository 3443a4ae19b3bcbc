"""Walking through a data set's folder: which files it has, what was passed over, and what a scan comes to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from fas_core.data.images import is_image
from fas_core.data.videos import is_video
from fas_core.errors import BadInputError

# A damaged file of these is a row all the same: a non-response. What has another ending is told by its content.
_ENDINGS = "jpg jpeg jpe jfif png apng webp bmp pbm pgm ppm pnm tif tiff gif mpo avif jp2 j2k jpf jpx jpc"
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())
_ARCHIVERS = ("__MACOSX",)  # folders that unpacking leaves, full of files that are no images by their content

Skip = Callable[[str, str], None]  # notes a file that is passed over: what it is, its path


@dataclass(frozen=True)
class Left:
    """A file, or a line of a list, that is no row, and why: in words that are the same for all of its kind."""

    path: str  # relative to the data set's folder
    reason: str


@dataclass(frozen=True)
class Scanned:
    """Rows of a manifest in a stable order, `path` absolute; how they were read, a line per pattern; what was not.

    `left`: media that are no rows, each with its reason. `notes`: sentences on the rest. `is_by_names`: whether nothing
    but the name of any image, by its ending, was read.
    """

    rows: pd.DataFrame
    reading: tuple[str, ...]
    notes: tuple[str, ...]
    left: tuple[Left, ...] = field(default=())
    is_by_names: bool = False

    def left_table(self) -> pd.DataFrame:
        """(n, 2) `path` and `reason` of what is no row."""
        return pd.DataFrame([asdict(file) for file in self.left], columns=["path", "reason"])


def media_files(root: Path) -> tuple[list[str], list[str]]:
    """Every image under `root`, by its ending or else by its content, sorted; and sentences on what was passed over.

    Where there is no image, every video instead.

    Links are followed, but not to a folder that they lie in. Raises BadInputError for a folder that cannot be read.
    """
    images, notes = files(root, _is_taken)
    return (images, notes) if images else files(root, _is_video)


def files(root: Path, is_taken: Callable[[str, Skip], bool]) -> tuple[list[str], list[str]]:
    """The same of the files that `is_taken` takes; it calls its second argument for the others that are to be told.

    A folder's files and folders come by name, so that the whole is in the order of paths, compared name by name.
    """
    taken: list[str] = []
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
                if entry.name in _ARCHIVERS:
                    skip("folders of an archiver", entry.path)
                elif entry.is_symlink() and os.path.realpath(entry.path) in here:
                    skip("links to a folder that they lie in", entry.path)
                else:
                    walk(entry.path, here)
            elif not entry.is_file():
                skip("links that lead nowhere" if entry.is_symlink() else "no regular files", entry.path)
            elif is_taken(entry.path, skip):
                taken.append(entry.path)

    walk(str(root), frozenset())
    _require_utf8(taken)
    kinds = ", ".join(f"{n} {kind} (e.g. {examples[kind]})" for kind, n in sorted(skipped.items()))
    n = skipped.total()
    return taken, [f"{n} {'file' if n == 1 else 'files'} skipped: {kinds}."] if n else []


def _require_utf8(paths: list[str]) -> None:
    for path in paths:
        if not path.isascii() and os.fsencode(path).decode("utf-8", "replace") != path:
            raise BadInputError(f"{path!r}: the name is not valid UTF-8, so no table can hold it. Rename the file.")


def n_before(root: Path) -> int:
    """How many characters of a path that `files` gives come before its name relative to `root`."""
    return len(str(root).removesuffix("/")) + 1


def ending_of(path: str) -> str:
    """As `Path.suffix`, in small letters, of a file whose name does not begin with a point."""
    ending = path.rpartition("/")[2].rpartition(".")
    return f".{ending[2].lower()}" if ending[0] and ending[2] else ""


def _is_taken(path: str, skip: Skip) -> bool:
    if (ending := ending_of(path)) in IMAGE_SUFFIXES:
        return True
    try:
        if is_image(Path(path)):
            return True
        skip(ending or "without ending", path)
    except OSError:
        skip("unreadable", path)
    return False


def _is_video(path: str, skip: Skip) -> bool:
    if is_video(Path(path)):
        return True
    skip(ending_of(path) or "without ending", path)
    return False
