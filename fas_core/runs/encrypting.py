"""A Run that lies in the clear is encrypted, array by array; what is killed goes on where it was.

Of each shard the encrypted files come first and are read back, then its meta.json names them, then those in the clear
go: at any moment a shard can be read, by one or the other. Ids, digests, cards and signatures stay as they are. Files
are deleted, not wiped: what a disk keeps of deleted files, backups and snapshots it keeps in the clear.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fas_core import memo
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, file_sha256
from fas_core.runs import encrypted, store
from fas_core.runs.lock import claimed
from fas_core.runs.store import Run, Shard


def encrypt(run: Run, advance: Callable[[], object] = lambda: None) -> Run:
    """The Run with every array encrypted; `advance` is called after each shard. Results derived from it are dropped.

    Raises BadInputError without a key, for a damaged shard, and as `claimed`.
    """
    with claimed([run.folder]):
        return encrypt_claimed(run, advance)


def encrypt_claimed(run: Run, advance: Callable[[], object] = lambda: None) -> Run:
    """As `encrypt`, by who holds the Run already."""
    encrypted.mark(run.folder)
    own, changed = encrypted.require_key(run.folder), False
    for shard in run.shards:
        changed |= _encrypt_shard(shard, own)
        advance()
    if changed:
        memo.remove(run.cache)
    return store.opened(run.folder)


def _encrypt_shard(shard: Shard, own: bytes) -> bool:
    """Whether something of it was in the clear."""
    meta = store.read_meta(shard.folder)
    for remains in shard.folder.glob(".*.tmp"):
        remains.unlink()
    in_place = dict(meta.encrypted)
    for name in meta.arrays:
        file = f"{name}.npy"
        if file in in_place:
            continue
        store.require_local(shard.folder.parents[1], "encrypted")
        if file_sha256(shard.folder / file) != meta.files[file].sha256:
            raise BadInputError(
                f"{shard.folder / file} is damaged, so it stays as it is. Compute it anew: fas verify "
                f"{shard.folder.parents[1].name} --repair"
            )
        array = replace(shard, meta=meta).array(name)
        with atomic_file(shard.folder / f"{file}{encrypted.SUFFIX}") as temporary:
            _, in_place[file] = store.encrypted_array(array, temporary, shard.folder, name, own)
        again = replace(shard, meta=replace(meta, encrypted={file: in_place[file]})).array(name)
        if not np.array_equal(again, array):
            raise BadInputError(f"{shard.folder / file} cannot be read back, so it stays as it is. Is the disk sound?")
    if in_place != dict(meta.encrypted):
        store.rewrite_meta(shard.folder, replace(meta, encrypted=in_place))
    in_the_clear = [shard.folder / file for file in in_place if (shard.folder / file).exists()]
    for path in in_the_clear:
        path.unlink()
    os.utime(shard.folder.parent)  # whoever has opened the Run opens it anew
    return bool(in_the_clear)
