"""Walking through a data set's folder: which files it has, what was passed over, and what a scan comes to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
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

    `left`: media that are no rows, each with its reason. `notes`: sentences on the rest. `looked_into`: as of `Found`;
    None where more may have been read.
    """

    rows: pd.DataFrame
    reading: tuple[str, ...]
    notes: tuple[str, ...]
    left: tuple[Left, ...] = field(default=())
    looked_into: tuple[str, ...] | None = None

    def left_table(self) -> pd.DataFrame:
        """(n, 2) `path` and `reason` of what is no row."""
        return pd.DataFrame([asdict(file) for file in self.left], columns=["path", "reason"])


@dataclass(frozen=True)
class Found:
    """Files in the order of paths, compared name by name; sentences on what was passed over.

    `looked_into`: every folder, and every file of which more than the name was read; None where there are links, or
    folders that were passed over, in which there may be anything.
    """

    files: list[str]
    notes: list[str]
    looked_into: tuple[str, ...] | None


def media_files(root: Path) -> Found:
    """Every image under `root`, by its ending or else by its content; where there is no image, every video instead.

    Links are followed, but not to a folder that they lie in. Raises BadInputError for a folder that cannot be read.
    """
    read: list[str] = []

    def is_taken(path: str, skip: Skip) -> bool:
        if (ending := ending_of(path)) in IMAGE_SUFFIXES:
            return True
        read.append(path)
        try:
            if is_image(Path(path)):
                return True
            skip(ending or "without ending", path)
        except OSError:
            skip("unreadable", path)
        return False

    images = files(root, is_taken)
    chosen = images if images.files else files(root, _is_video)
    return replace(chosen, looked_into=chosen.looked_into and (*chosen.looked_into, *read))


def files(root: Path, is_taken: Callable[[str, Skip], bool]) -> Found:
    """The same of the files that `is_taken` takes, by their names; it calls its second argument for the others that are
    to be told."""
    taken: list[str] = []
    folders: list[str] = []
    unseen: list[str] = []  # links and folders that are passed over
    skipped: Counter[str] = Counter()
    examples: dict[str, str] = {}

    def skip(kind: str, path: str) -> None:
        skipped[kind] += 1
        examples.setdefault(kind, os.path.relpath(path, root))

    def walk(folder: str, above: tuple[str, ...]) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise BadInputError(
                f"{folder} cannot be read: {error.strerror}. Its images would be missing: change its permissions, or "
                "move it out of the data set."
            ) from error
        here = (*above, folder)
        folders.append(folder)
        for entry in entries:
            is_hidden, is_folder = entry.name.startswith("."), entry.is_dir()
            if entry.is_symlink() or (is_folder and (is_hidden or entry.name in _ARCHIVERS)):
                unseen.append(entry.path)
            if is_hidden:
                skip("hidden", entry.path)
            elif is_folder:
                if entry.name in _ARCHIVERS:
                    skip("folders of an archiver", entry.path)
                elif entry.is_symlink() and os.path.realpath(entry.path) in map(os.path.realpath, here):
                    skip("links to a folder that they lie in", entry.path)
                else:
                    walk(entry.path, here)
            elif not entry.is_file():
                skip("links that lead nowhere" if entry.is_symlink() else "no regular files", entry.path)
            elif is_taken(entry.path, skip):
                taken.append(entry.path)

    walk(str(root), ())
    _require_utf8(taken)
    kinds = ", ".join(f"{n} {kind} (e.g. {examples[kind]})" for kind, n in sorted(skipped.items()))
    n = skipped.total()
    notes = [f"{n} {'file' if n == 1 else 'files'} skipped: {kinds}."] if n else []
    return Found(taken, notes, None if unseen else tuple(folders))


def _require_utf8(paths: list[str]) -> None:
    for path in paths:
        if not path.isascii() and os.fsencode(path).decode("utf-8", "replace") != path:
            raise BadInputError(f"{path!r}: the name is not valid UTF-8, so no table can hold it. Rename the file.")


def n_before(root: Path) -> int:
    """How many characters of a path that `files` gives come before its name relative to `root`."""
    return len(str(root).removesuffix("/")) + 1


def ending_of(path: str) -> str:
    """As `Path.suffix`, in small letters, of a file whose name does not begin with a point."""
    stem, _, ending = path.rpartition(".")
    return f".{ending.lower()}" if stem and ending and "/" not in ending and stem[-1] != "/" else ""


def _is_video(path: str, skip: Skip) -> bool:
    if is_video(Path(path)):
        return True
    skip(ending_of(path) or "without ending", path)
    return False
