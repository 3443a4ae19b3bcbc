"""Upkeep of Runs: every byte against its checksum, what is damaged, what a Run was made from, removal."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fas_core import storage
from fas_core.data import modalities
from fas_core.data.manifest import Manifest
from fas_core.data.manifest import read as read_manifest
from fas_core.errors import BadInputError
from fas_core.files import file_sha256
from fas_core.runs import signatures, tombstones
from fas_core.runs.lock import claimed
from fas_core.runs.store import (
    JOINED,
    SIGNATURE,
    FileMeta,
    Place,
    Run,
    RunInfo,
    Shard,
    UnreadableNowError,
    delete,
    files_in,
    not_now,
    opened,
    read_meta,
    run_folders,
    runs_folder,
)

STRAY = "is no part of the Run"
Reader = Callable[[Sequence[Path]], Iterable[list[str]]]  # shards -> what is wrong with each, in turn


@dataclass(frozen=True)
class Damage:
    """What is wrong at a place of a Run's folder; `shard` is "" where it is about all of a subset, both of the Run."""

    subset: str
    shard: str
    problem: str


@dataclass(frozen=True)
class Verified:
    """The entry of `fas verify --json`. A Run whose run.json is damaged has no name; nobody knows what it misses."""

    run: str
    name: str | None
    damage: Sequence[Damage]
    missing: Sequence[Place]  # see `Run.missing`
    repaired: Sequence[Damage] = ()
    signature: str = ""  # how its signature stands, in words; "" of a Run whose run.json is damaged
    refusal: str = ""  # why it is not accepted here; "" where it is
    keys: Sequence[str] = ()  # ids of those by which it is encrypted; none of a Run in the clear
    removed: str = ""  # who was removed from it, in words: see `tombstones`


def folders_to_verify(cache: Path) -> list[Path]:
    """Every folder of a cache in which there is, or was, a Run: also those that have lost their run.json."""
    folders = run_folders(cache)
    rest = files_in(runs_folder(cache)) if runs_folder(cache).is_dir() else []
    return folders + [f for f in rest if f not in folders and f.is_dir() and files_in(f)]


def shard_folders(folder: Path) -> list[Path]:
    """Every shard in a Run's folder, damaged or not."""
    return [shard for subset in files_in(folder) if subset.is_dir() for shard in files_in(subset)]


def shard_damage(shard: Path) -> list[str]:
    """What is wrong with the files of one shard, read to the last byte; empty when nothing is."""
    try:
        meta = read_meta(shard)
    except UnreadableNowError:
        raise
    except BadInputError:
        is_there = (shard / "meta.json").is_file()
        return ["meta.json does not match its checksum" if is_there else "meta.json is missing"]
    expected = meta.on_disk
    names = sorted({*expected, *(path.name for path in files_in(shard))})
    files = Shard(shard, shard.parent.name, 0, meta)
    problems = {name: _file_problem(files.path(name), expected.get(name)) for name in names}
    return [f"{name} {problem}" for name, problem in problems.items() if problem]


def _file_problem(path: Path, expected: FileMeta | None) -> str:
    if expected is None:
        return "is no part of the shard"
    try:
        if storage.is_elsewhere(path) and not path.exists():
            size, sha256 = storage.size_and_sha256(path)
        else:
            size = path.stat().st_size
            sha256 = file_sha256(path) if size == expected.bytes else ""
        if size != expected.bytes:
            return f"has {size} bytes instead of {expected.bytes}"
        return "" if sha256 == expected.sha256 else "does not match its checksum"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        if now := not_now(path, error):
            raise now from error
        return f"cannot be read ({error.strerror})"


def each_damage(shards: Sequence[Path]) -> Iterable[list[str]]:
    """`shard_damage` of some shards, in turn."""
    return map(shard_damage, shards)


def damage(run: Run) -> list[Damage]:
    """Every file that is not as it was written, and what is no part of the Run.

    Shards that are not there at all are `run.missing`, which is no damage.
    """
    return _damage(run.folder, run.info)


def _damage(
    folder: Path, info: RunInfo | None, advance: Callable[[], object] = lambda: None, read: Reader = each_damage
) -> list[Damage]:
    """As `damage`. `info` None: the run.json is damaged, so that every shard may be part of the Run."""
    joined = {path.name: "" for path in folder.glob("joined*")} if info is None else _joined_files(folder)
    parts = [path for path in files_in(folder) if path.name not in ("run.json", SIGNATURE, *joined)]
    subsets = [path for path in parts if path.is_dir() and (info is None or path.name in info.subsets)]
    entries = [Damage(p.name, "", STRAY) for p in parts if p not in subsets]
    shards = [shard for path in subsets for shard in files_in(path)]
    planned = [s for s in shards if info is None or s.name in info.shard_names(s.parent.name)]
    problems_of = {shard: [STRAY] for shard in shards}
    for shard, problems in zip(planned, read(planned), strict=True):
        problems_of[shard] = problems
        advance()
    entries += [Damage(s.parent.name, s.name, problem) for s in shards for problem in problems_of[s]]
    return entries + [Damage("", "", problem) for problem in joined.values() if problem]


def _joined_files(folder: Path) -> dict[str, str]:
    """The files of the scores that were joined to a Run, and what is wrong with each; "" where nothing is."""
    if not (folder / JOINED).exists():
        return {}
    entries = opened(folder).joined.values()
    problems = {
        entry.file: _file_problem(folder / entry.file, FileMeta(entry.bytes, entry.sha256)) for entry in entries
    }
    return {JOINED: ""} | {name: f"{name} {problem}" if problem else "" for name, problem in problems.items()}


def verified(folder: Path, advance: Callable[[], object] = lambda: None, read: Reader = each_damage) -> Verified:
    """A Run read to the last byte. `advance` is called after each shard; `read`: who reads shards, in turn."""
    try:
        run = opened(folder)
    except BadInputError as error:
        return Verified(folder.name, None, [Damage("", "", str(error)), *_damage(folder, None, advance, read)], [])
    signed = signatures.standing(run)
    return Verified(
        run.id,
        run.info.name,
        _damage(folder, run.info, advance, read),
        run.missing,
        signature=signed.words,
        refusal=signed.refusal(f"Run {run.info.name}", f"fas keys sign {run.id}"),
        keys=run.key_ids,
        removed=tombstones.words_of(run.cache, run.id),
    )


def sources(run: Run) -> tuple[Path, Manifest]:
    """The checkpoint and the manifest that a Run was made from, if both are where they were and as they were.

    Raises BadInputError saying which one is gone or has changed, and what to do then.
    """
    info = run.info
    if run.is_of_scores:
        raise BadInputError(
            f"Run {info.name} holds scores only, so nothing of it can be computed again. Remove it and import the "
            f"scores again: fas prune {run.id}, then fas scores import {info.source} --name {info.name}"
        )
    if not info.checkpoint:
        raise BadInputError(
            f"Run {info.name} was imported from arrays, so nothing of it can be computed again. Remove it and import "
            f"them again: fas prune {run.id}, then fas runs import {info.source} --data {info.manifest_path} --name "
            f"{info.name}"
        )
    by_hand = (
        "By hand: delete the folders of the damaged shards, then run 'fas cache CHECKPOINT --data MANIFEST' with both "
        "as they were: it makes what is missing."
    )
    if not (info.checkpoint_path and info.manifest_path):
        raise BadInputError(f"Run {info.name} does not say where its checkpoint and manifest are. {by_hand}")
    checkpoint, source = Path(info.checkpoint_path), storage.place(info.manifest_path)
    for path, what in ((checkpoint, "checkpoint"), (source, "manifest")):
        if not storage.is_there(path):
            raise BadInputError(f"The {what} of Run {info.name} is gone: {storage.shown(path)}. {by_hand}")
    if file_sha256(checkpoint) != info.checkpoint_sha256:
        raise BadInputError(f"The checkpoint of Run {info.name} has changed: {checkpoint}. {by_hand}")
    manifest = modalities.of_one(read_manifest(source), info.modality)
    stone = tombstones.of(run.cache, run.id)
    if stone is not None and stone.manifest_now and manifest.sha256 == stone.manifest_now:
        return checkpoint, tombstones.as_planned(manifest, stone, info.subsets)
    if manifest.sha256 != info.manifest_sha256:
        raise BadInputError(f"The manifest of Run {info.name}, or one of its images, has changed: {source}. {by_hand}")
    return checkpoint, manifest


def checkpoint_file(run: Run) -> Path:
    """Where the checkpoint of a Run lies; raises BadInputError where there is none, or it is gone."""
    if not run.info.checkpoint:
        raise BadInputError(f"Run {run.info.name} was imported: there is no model to ask.")
    path = Path(run.info.checkpoint_path or run.info.checkpoint)
    if not path.is_file():
        raise BadInputError(f"The checkpoint of Run {run.info.name} is not at {path} any more. Bring it back.")
    return path


def discard(run: Run, damage: Sequence[Damage]) -> list[Damage]:
    """Deletes the shards that some damage is in, so that they count as missing; returns that damage.

    What is no part of the Run stays: nobody could bring it back. See `claimed` for errors.
    """
    planned = {(subset, name) for subset in run.info.subsets for name in run.info.shard_names(subset)}
    inside = [entry for entry in damage if (entry.subset, entry.shard) in planned]
    with claimed([run.folder]):
        for entry in inside:
            delete(run.folder / entry.subset / entry.shard)
    return inside


def remove(run: Run) -> None:
    """Deletes a Run, which vanishes as a whole; raises BadInputError while somebody writes it.

    Results derived from it are its own: no other Run finds them, and the memo drops them when their room is needed.
    """
    with claimed([run.folder]):
        if storage.is_remote(run.folder):
            storage.remove(run.folder, "run.json")
        aside = Path(tempfile.mkdtemp(prefix=".removed-", dir=run.folder.parent))
        run.folder.rename(aside / run.folder.name)
    shutil.rmtree(aside)
    for remains in run.folder.parent.glob(".removed-*"):  # of removals that were killed
        shutil.rmtree(remains, ignore_errors=True)
