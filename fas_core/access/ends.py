"""How far files that only grow had come, noted outside of them: who takes lines from their end is noticed.

Each line of such a file holds the seal of the one before, so that nothing but the last lines is changed or taken out
unnoticed. The user who adds a line notes it in `~/.config/fas/ends.jsonl`, which whoever may write the file need not be
able to write. Somebody else's notes are not known here, and a file that was moved has none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from fas_core import documents
from fas_core.access.keys import folder
from fas_core.errors import BadInputError
from fas_core.files import end_of, opened_file

MOST_BYTES = 2**26


def _notes_file() -> Path:
    return folder() / "ends.jsonl"


def note(path: Path, of: str, last: str) -> None:
    """Notes the seal of the last line of a file that belongs to the document with the seal `of`."""
    line = json.dumps({"file": str(path.resolve()), "of": of, "last": last})
    try:
        with end_of(_notes_file()) as end:
            end.write_line(line)
    except (OSError, BadInputError) as error:
        logging.getLogger(__name__).warning("the end of %s is not noted in %s: %s", path, _notes_file(), error)


def require(path: Path, of: str, seals: Sequence[str]) -> None:
    """Raises BadInputError where the seal that was noted last is not among those of the file's lines."""
    last = _noted(path, of)
    if last is not None and last not in seals:
        raise BadInputError(
            f"{path} has lost lines at its end, or all of them: more was decided here. Bring the file back as it "
            f"was; if it is meant to be so, take the lines with {of[:12]} out of {_notes_file()}."
        )


def _noted(path: Path, of: str) -> str | None:
    try:
        with opened_file(_notes_file()) as file:
            lines = file.read(MOST_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return None
    whose = str(path.resolve())
    for line in reversed(lines):
        if of not in line:
            continue
        try:
            content = documents.parsed(line)
        except ValueError:  # half a line of a writer that was killed
            continue
        if isinstance(content, dict) and (content.get("file"), content.get("of")) == (whose, of):
            return str(content.get("last"))
    return None
