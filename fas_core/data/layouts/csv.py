"""A table beside the images: <root>/manifest.csv (or the CSV or Parquet file itself) with one row per image.

path        also: file, filename, image        relative to the table
label       live, real, genuine, bona_fide, spoof, fake, attack; for 0 and 1 say which one: --attack-label 1
pai_species also: attack_type, species         "none" and "unknown" count as empty, everywhere
subject_id  also: subject, client_id, person   session_id also: session;  subset also: split
...         every other column is kept
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fas_core.data.manifest import normalised, problems_message
from fas_core.errors import BadInputError
from fas_core.files import read_table

_SYNONYMS = {
    "path": ("file", "filename", "image"),
    "pai_species": ("attack_type", "species"),
    "subject_id": ("subject", "client_id", "person"),
    "session_id": ("session",),
    "subset": ("split",),
}


def rows(root: Path, attack_label: str | None = None) -> pd.DataFrame:
    """One row per row of the table, standard columns under their standard names, `path` absolute."""
    source = root
    if root.is_dir():
        found = [p for p in (root / "manifest.csv", root / "manifest.parquet") if p.is_file()]
        tables = found or sorted([*root.glob("*.csv"), *root.glob("*.parquet")])
        if len(tables) != 1 and not found:
            listed = ", ".join(p.name for p in tables[:5]) or "none"
            raise BadInputError(f"{root}: expected one CSV or Parquet table, found {listed}. Name the file itself.")
        source = tables[0]
    table = read_table(source)
    renamed = {
        next(s for s in synonyms if s in table): name
        for name, synonyms in _SYNONYMS.items()
        if name not in table and any(s in table for s in synonyms)
    }
    named, problems = normalised(table.rename(columns=renamed), attack_label)
    if problems:
        raise BadInputError(problems_message(source, problems))
    named["path"] = [str((source.parent / path).absolute()) for path in named["path"]]
    return named
