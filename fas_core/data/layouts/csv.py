"""A table beside the images: <root>/manifest.csv (or the CSV or Parquet file itself) with one row per image.

path        also: file, filename, filepath, image; relative to the table
label       live, real, genuine, bona_fide, spoof, fake, attack; other values: --attack-label 1,2 --bona-fide-label 0
            (left out, the one other value is bona fide), and --species-label 1=print,2=replay where they are species
pai_species also: attack_type, species         "none" and "unknown" count as empty, everywhere
subject_id  also: subject, client_id, person   session_id also: session;  subset also: split
...         every other column is kept
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fas_core.data.layouts import Asked
from fas_core.data.manifest import checked, problems_message
from fas_core.data.names import columns_of_subsets
from fas_core.data.scanning import Scanned
from fas_core.errors import BadInputError
from fas_core.files import read_table
from fas_core.texts import plain_column

_SYNONYMS = {
    "path": ("file", "filename", "filepath", "image"),
    "pai_species": ("attack_type", "species"),
    "subject_id": ("subject", "client_id", "person"),
    "session_id": ("session",),
    "subset": ("split",),
}


def scanned(root: Path, asked: Asked) -> Scanned:
    """One row per row of the table, standard columns under their standard names."""
    source = root
    if root.is_dir():
        manifests = [p for p in (root / "manifest.csv", root / "manifest.parquet") if p.is_file()]
        tables = manifests or sorted(p for ending in ("csv", "tsv", "parquet") for p in root.glob(f"*.{ending}"))
        if len(tables) != 1 and not manifests:
            listed = ", ".join(p.name for p in tables[:5]) or "none"
            raise BadInputError(f"{root}: expected one CSV or Parquet table, found {listed}. Name the file itself.")
        source = tables[0]
    table = read_table(source)
    renamed: dict[str, str] = {}
    for name, synonyms in _SYNONYMS.items():
        here = [synonym for synonym in synonyms if synonym in table]
        if len(here) > 1 and name not in table:
            raise BadInputError(f"{source}: '{here[0]}' and '{here[1]}' may both be '{name}'. Rename the one that is.")
        renamed |= dict.fromkeys(here, name) if name not in table else {}
    table = table.rename(columns=renamed)
    try:
        parsed = checked(table, asked.labels)
    except BadInputError as error:
        raise BadInputError(f"{source}: {error}") from error
    if parsed.problems:
        raise BadInputError(problems_message(source, parsed.problems))
    rows = parsed.rows
    rows["path"] = [str((source.parent / path).absolute()) for path in rows["path"]]
    unread = columns_of_subsets(table) if "subset" not in table else []
    notes = [
        f"column '{name}' seems to name subsets, but is not read so: call it 'subset' or 'split'." for name in unread
    ]
    return Scanned(rows, tuple(_reading(table, rows, renamed)), (*parsed.notes, *notes))


def _reading(table: pd.DataFrame, rows: pd.DataFrame, renamed: dict[str, str]) -> list[str]:
    """Which columns were taken for what, and what each label says."""
    lines = [f"column {theirs} -> {ours}" for theirs, ours in renamed.items()]
    read = pd.DataFrame({"text": plain_column(table["label"]), "label": rows["label"]})
    for (text, label), n in read.value_counts(sort=False).items():
        lines.append(f"label '{text}' -> {label}: {n} {'image' if n == 1 else 'images'}")
    return lines
