"""Named selections: samples of a Run that somebody chose in the app and wants back.

    cache/selections/<run>/<name>.parquet     one column, `sample_id`, in the Run's order

They lie beside the Run, never in it: a Run says what a checkpoint says. A selection is never changed: several people
who save at once lose nothing, since the second one under a name is told that it is taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fas_core.errors import BadInputError
from fas_core.files import make_folder, make_private, opened_file, require_unlinked
from fas_core.runs.store import Run, require_held

NAME = re.compile(r"\w(?:[\w .+=-]{0,62}[\w+=-])?")


def folder(run: Run) -> Path:
    """Where a Run's selections are kept."""
    return run.cache / "selections" / run.id


def names(run: Run) -> list[str]:
    """Names of a Run's selections, in order."""
    stems = (path.stem for path in folder(run).glob("*.parquet"))
    return sorted((name for name in stems if NAME.fullmatch(name)), key=lambda name: (name.casefold(), name))


def save(run: Run, name: str, sample_ids: Sequence[str] | pd.Series) -> Path:
    """Writes a selection, whole or not at all.

    Raises BadInputError for a name that is taken or cannot be one, where nothing is selected, and where the Run
    does not hold all of it (any more).
    """
    path = _path(run, name)
    ids = pa.array(sample_ids, pa.string())
    if not len(ids):
        raise BadInputError(f"The selection '{name}' of Run {run.info.name} would hold no sample: select some first.")
    require_held(run, ids.to_pylist())
    make_folder(path.parent)
    temporary = path.with_name(f".{os.getpid()}-{os.urandom(6).hex()}.tmp")
    try:
        require_unlinked(path.parent, run.cache)
        pq.write_table(pa.table({"sample_id": ids}), temporary, compression="zstd")
        make_private(temporary)
        os.link(temporary, path)  # unlike a rename, fails where somebody has been faster
    except FileExistsError as error:
        raise BadInputError(
            f"Run {run.info.name} has a selection '{name}' already. Choose another name, or delete that one first."
        ) from error
    except OSError as error:
        raise BadInputError(
            f"The selection '{name}' cannot be written in {path.parent}: {error.strerror or error}."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    try:
        require_held(run, ids.to_pylist())  # who forgets may have looked for selections just before
    except BadInputError:
        path.unlink(missing_ok=True)
        raise
    return path


def sample_ids(run: Run, name: str) -> pd.Series:
    """The sample ids of a selection; raises BadInputError where it is not there or cannot be read."""
    path = _path(run, name)
    try:
        with opened_file(path, run.cache) as raw, pq.ParquetFile(raw) as file:
            return file.read(["sample_id"]).to_pandas()["sample_id"].astype("str")
    except FileNotFoundError as error:
        raise BadInputError(
            f"Run {run.info.name} has no selection '{name}'. It has: {', '.join(names(run)) or 'none'}."
        ) from error
    except (OSError, KeyError, pa.ArrowException) as error:
        raise BadInputError(f"The selection {path} cannot be read: delete it and select again.") from error


def delete(run: Run, name: str) -> None:
    """Forgets a selection; one that is gone already is no error."""
    _path(run, name).unlink(missing_ok=True)


def _path(run: Run, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise BadInputError(
            f"{name!r} cannot be the name of a selection: 1 to 64 letters, digits, spaces, '.', '_', '+', '=' and '-', "
            "beginning with a letter or digit and not ending in a space or '.'."
        )
    return folder(run) / f"{name}.parquet"
