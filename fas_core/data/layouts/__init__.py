"""Known data-set layouts, one module each: root folder -> rows of a manifest.

A layout is a module with a docstring (its first line is the summary that users read) and either `SET`, the description
of a released data set (`released.DataSet`), or `scanned(root: Path, asked: Asked) -> Scanned` with absolute image paths
in `path`. The layout's name is the module's: 3dmad for `_3dmad`, oulu-npu for `oulu_npu`.
"""

from __future__ import annotations

import importlib
import itertools
import os
import pkgutil
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import cast

from fas_core.data import released
from fas_core.data.manifest import LabelValues
from fas_core.data.released import DataSet
from fas_core.data.scanning import IMAGE_SUFFIXES, Scanned, ending_of, n_before
from fas_core.data.videos import SUFFIXES as VIDEO_SUFFIXES
from fas_core.documents import Json
from fas_core.errors import BadInputError

_LOOKED_AT = 5_000  # files, at most, from which a layout is recognised


@dataclass(frozen=True)
class Asked:
    """What a scan is asked beyond the folder; what its layout cannot answer is refused."""

    labels: LabelValues | None = None  # csv: what the values of the column label mean
    label: str = ""  # folder: what all images are
    protocol: str = ""  # released sets: whose subsets
    modality: str = ""  # released sets: the one kept


def names() -> list[str]:
    """All layouts as the command line writes them, in alphabetical order."""
    return sorted(module.name.strip("_").replace("_", "-") for module in pkgutil.iter_modules(__path__))


def _module(name: str) -> ModuleType:
    module = name.replace("-", "_")
    return importlib.import_module(f"{__name__}.{f'_{module}' if module[0].isdigit() else module}")


def described(name: str) -> DataSet | None:
    """The released data set that a layout reads; None for `folder` and `csv`."""
    return cast(DataSet | None, getattr(_module(name), "SET", None))


def description(name: str) -> str:
    """The layout's docstring: one line of summary, then the folders it reads."""
    return (_module(name).__doc__ or "").strip()


def document(name: str) -> Json:
    """A layout in `fas data layouts --json`."""
    summary, _, reads = description(name).partition("\n")
    told: Json = {"name": name, "summary": summary, "reads": reads.strip("\n")}
    dataset = described(name)
    if dataset is None:
        return told | {"title": None, "unit": "images", "published": {}, "protocols": {}}
    return told | {
        "title": dataset.title,
        "unit": dataset.unit,
        "published": {subset or "all": list(counts) for subset, counts in dataset.published.items()},
        "protocols": {
            number: {
                "says": protocol.says,
                "lists": sorted({pattern for patterns in protocol.lists.values() for pattern in patterns}),
                "lists_are_needed": protocol.rule is None,
            }
            for number, protocol in dataset.protocols.items()
        },
    }


def scanned(
    root: Path,
    layout: str = "",
    labels: LabelValues | None = None,
    *,
    label: str = "",
    protocol: str = "",
    modality: str = "",
) -> Scanned:
    """The data set under `root`; without a layout by the one that fits it, which the first line of `reading` names.

    The rest is what the layout is asked (`Asked`). Raises BadInputError for an unknown layout, a folder that is not
    there, or one in which the layout finds nothing.
    """
    asked = Asked(labels, label, protocol, modality)
    if layout and layout not in names():
        raise BadInputError(f"Unknown layout '{layout}'. Layouts: {', '.join(names())} (see 'fas data layouts').")
    if not root.exists():
        raise BadInputError(f"{root} does not exist. Give the data set's root folder.")
    likely = recognised(root)
    chosen = layout or likely or ("csv" if root.is_file() or (root / "manifest.csv").is_file() else "folder")
    hint = f" This looks like {_title(likely)}: --layout {likely}." if likely and likely != chosen else ""
    try:
        scan = _scanned(root, chosen, asked)
    except BadInputError as error:
        raise BadInputError(f"{error}{hint or _folder_above(root, likely)}") from error
    if scan.rows.empty:
        why = "".join(f" {note}" for note in scan.notes)
        what = "image" if described(chosen) is None else described(chosen).unit  # type: ignore[union-attr]
        raise BadInputError(
            f"{root}: no {what} found with layout '{chosen}'.{why}{_first_left(scan)} See 'fas data layouts' for its "
            f"folders.{hint or _folder_above(root, likely)}"
        )
    by = () if layout else (f"read as {_title(chosen)}: --layout {chosen}",)
    return replace(scan, reading=(*by, *scan.reading), notes=(*scan.notes, *([hint.strip()] if hint else [])))


def _scanned(root: Path, name: str, asked: Asked) -> Scanned:
    dataset = described(name)
    given = [option for option, value in asdict(asked).items() if value]
    takes = ["protocol", "modality"] if dataset else {"csv": ["labels"], "folder": ["label"]}[name]
    options = {"labels": "--attack-label and its like", "label": "--label"}
    for option in given:
        if option not in takes:
            raise BadInputError(
                f"Layout '{name}' takes no {options.get(option, f'--{option}')}: leave it out"
                f"{' (its labels come from folder names)' if (name, option) == ('folder', 'labels') else ''}."
            )
    if dataset:
        return released.scanned(dataset, root, asked.protocol, asked.modality)
    return cast(Callable[[Path, Asked], Scanned], _module(name).scanned)(root, asked)


def _title(name: str) -> str:
    dataset = described(name)
    return dataset.title if dataset else f"layout '{name}'"


def _first_left(scan: Scanned) -> str:
    if not scan.left:
        return ""
    return f" {len(scan.left)} files fit nothing, e.g. {scan.left[0].path}: {scan.left[0].reason}."


def recognised(root: Path) -> str:
    """The layout of the released set that most images and videos under a folder fit; "" where half of them fit none."""
    return _fitting(_looked_at(root))


def _looked_at(root: Path) -> list[str]:
    media_suffixes, top = IMAGE_SUFFIXES | VIDEO_SUFFIXES, n_before(root)
    files = (
        f"{folder}/{name}"[top:]
        for folder, _, file_names in os.walk(root)
        for name in file_names
        if ending_of(name) in media_suffixes and not name.startswith(".")
    )
    return list(itertools.islice(files, _LOOKED_AT))


def _fitting(files: list[str]) -> str:
    sets = {name: dataset for name in names() if (dataset := described(name)) is not None}
    fits = {
        name: sum(released.clip_of(dataset.pattern, file) is not None for file in files)
        for name, dataset in sets.items()
        if any(re.fullmatch(dataset.telltale or ".*", file, re.IGNORECASE) for file in files)
    }
    best = max(fits, key=lambda name: fits[name], default="")
    return best if best and fits[best] > len(files) / 2 else ""


def _folder_above(root: Path, likely: str) -> str:
    """A sentence where a folder is a part of a released set, which is read from above it."""
    files = [] if likely else _looked_at(root)
    above = root.resolve()
    for folder in list(above.parents)[:2]:
        part = _fitting([(above.relative_to(folder) / file).as_posix() for file in files])
        if part:
            return f" This looks like a part of {_title(part)}: scan {folder}."
    return ""
