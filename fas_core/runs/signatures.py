"""Runs are signed by the key of who makes them, in `signature.json` of their folder: over run.json and every checksum.

A Run that has grown, or got joined scores, is signed anew by the command that has done it. What was there unsigned is
not: whoever vouches for it says so (`fas keys sign RUN`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from fas_core import documents, storage
from fas_core.access import keys
from fas_core.access.keys import Signature, Standing
from fas_core.files import atomic_file
from fas_core.runs.store import SIGNATURE, Run, not_now

KIND = "run"


def seal(run: Run) -> str:
    """Stands for all that a Run says: its run.json, its shards with what meta.json says of them, its joined scores.

    Encrypted or not is the same.
    """
    told = {
        "info": asdict(run.info),
        "shards": [[s.subset, s.folder.name, replace(s.meta, encrypted={}).as_json()] for s in run.shards],
        "joined": {name: asdict(score) for name, score in run.joined.items()},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def sign(run: Run) -> Signature | None:
    """Signs a Run as it is now by the user's key; None, and nothing is written, where there is no key."""
    by_own = keys.signed(KIND, seal(run))
    if by_own is not None:
        with atomic_file(run.folder / SIGNATURE) as temporary:
            temporary.write_text(json.dumps(asdict(by_own), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if not run.joined:  # scores that are joined here are of this machine alone
            storage.put(run.folder / SIGNATURE)
    return by_own


def standing(run: Run) -> Standing:
    """Whether a Run is signed, by whom, and whether it fits what its checksums say; see `upkeep` for its bytes.

    Raises BadInputError where its signature cannot be read now.
    """
    path = run.folder / SIGNATURE
    try:
        by = documents.read_as(Signature, documents.read(path, below=run.folder.parent), str(path))
    except FileNotFoundError:
        by = None
    except (OSError, ValueError) as error:  # damaged: it fits nothing
        if isinstance(error, OSError) and (now := not_now(path, error)):
            raise now from error
        by = Signature("", "", "", "")
    return keys.standing(KIND, seal(run), by)
