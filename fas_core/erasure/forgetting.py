"""A person is removed from a cache folder and from manifests, for good.

    forget(plan, cache)     everything that `plan.planned` lists; a call after a kill goes on
    unfinished(cache)       the plan of a call that was killed

Each file becomes another at one moment, or stays as it was, and each step may be done twice: after a kill some files
are old and some new, none is half, and the plan, which is on the disk from before the first step until after the last,
says what is left to do. Weights of models stay: what was learned cannot be taken out of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fas_core import documents, memo
from fas_core.access import keys
from fas_core.data import hashes, manifest, trail, twins
from fas_core.erasure import judged
from fas_core.erasure import plan as planning
from fas_core.erasure.plan import OfManifest, OfRun, Plan
from fas_core.erasure.words import Names
from fas_core.errors import BadInputError
from fas_core.evaluation import stressed
from fas_core.files import atomic_file, end_of, file_sha256, opened_file, read_table, settle, write_table
from fas_core.progress import jobs_folder
from fas_core.runs import encrypted, joining, marks, selections, signatures, store, tombstones, traininglog
from fas_core.runs.lock import claimed
from fas_core.runs.store import Run, Shard
from fas_core.runs.traininglog import Samples
from fas_core.runs.upkeep import remove

LARGEST_TEXT = 64 * 2**20  # bytes of a file that is searched for names


@dataclass(frozen=True)
class Forgotten:
    """What has happened, without a name."""

    when: str
    runs: Mapping[str, int]  # id -> images that were removed
    manifests: Mapping[str, int]  # file -> rows that were removed
    images: int  # files that were deleted
    kept_images: tuple[str, ...]  # files that show others too, or that somebody else is said to be on
    learned: Mapping[str, str]  # checkpoint -> what it had of them
    unknown: Mapping[str, int]  # as in the plan: checkpoints of which nobody knows
    still_named: tuple[str, ...]  # files of the cache folder in which a name of theirs still stands


def forget(plan: Plan, cache: Path, advance: Callable[[], object] = lambda: None) -> Forgotten:
    """Does all that is planned. `advance` is called after each Run.

    Raises BadInputError while somebody writes one of the Runs, and where a file cannot be written; then, and after a
    kill, a call with `unfinished(cache)` goes on.
    """
    folders = [store.runs_folder(cache) / about.run for about in plan.runs]
    folders = [folder for folder in folders if folder.is_dir()]  # pruned meanwhile
    _require_writable(plan)
    _require_keys(folders)
    with claimed(folders):
        if planning.unfinished(cache) is None:
            plan = planning.with_hashes(plan)
            planning.write_down(plan, cache)
        for about in plan.runs:
            now = plan.manifest_now.get(about.manifest_sha256, "")
            tombstones.add(
                cache, about.run, plan.removal_of(about), manifest_sha256=about.manifest_sha256, manifest_now=now
            )
        for about in plan.runs:
            if (store.runs_folder(cache) / about.run).is_dir():
                _forget_in_run(store.runs_folder(cache) / about.run, about, plan.called)
            advance()
        for path in (*store.runs_folder(cache).glob(".removed-*"), *store.runs_folder(cache).glob("*/.away-*")):
            shutil.rmtree(path, ignore_errors=True)
        memo.remove(cache)
        for about in plan.runs:
            stressed.remove(cache, about.run)

    runs = {about.run for about in plan.runs}
    for run in [run for run in store.all_runs(cache) if run.id in runs and _is_empty(run)]:
        remove(run)

    def keep(seals: judged.Seals) -> None:
        planning.write_down(replace(plan, seals=seals), cache)

    of_manifests = {about.manifest_sha256 for about in plan.runs} - {""}
    judged.forget(cache, plan.called, runs, of_manifests, plan.seals, keep)
    _forget_in_jobs(cache, plan.called)
    for checkpoint in _checkpoints(cache, plan):
        _forget_in_training(checkpoint, plan.called)
    for about_file in plan.manifests:
        _forget_in_manifest(about_file, plan.called)
    twins.drop()
    for image in map(Path, plan.images):
        image.unlink(missing_ok=True)
        with suppress(OSError):  # a folder of theirs that holds nothing any more may be called after them
            image.parent.rmdir()
    still_named = tuple(_naming(cache, plan.called))
    (cache / tombstones.UNFINISHED).unlink(missing_ok=True)
    return Forgotten(
        plan.when,
        {about.run: about.n for about in plan.runs},
        {about_file.path: len(about_file.samples) for about_file in plan.manifests},
        len(plan.images),
        plan.kept_images,
        plan.learned,
        plan.unknown,
        still_named,
    )


def _is_empty(run: Run) -> bool:
    return run.is_complete and not len(run) and not run.n_failures


def _require_writable(plan: Plan) -> None:
    """Before anything changes, as far as that can be told."""
    for path in (Path(about.path) for about in plan.manifests):
        if path.exists() and not (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)):
            raise BadInputError(f"{path} names them and cannot be written. Change its permissions, then try again.")


def _require_keys(folders: Sequence[Path]) -> None:
    """Of Runs whose pixels and codes are encrypted: shards without somebody are written anew."""
    for run in map(store.opened, folders):
        if run.locked:
            raise BadInputError(f"Run {run.info.name} is encrypted, and {run.locked}. Then run the command again.")


# ---------------------------------------------------------------------------------------------------------------- Runs


def _forget_in_run(folder: Path, about: OfRun, names: Names) -> None:
    for away in folder.glob("*/.away-shard-*"):
        settle(away.with_name(away.name.removeprefix(".away-")))
    for shard in store.opened(folder).shards:
        _forget_in_shard(shard, about.samples.get(shard.subset, ()))
    run = store.opened(folder)
    _forget_in_joined(run, about)
    header = names.within(run.info.checkpoint_header)
    if header != run.info.checkpoint_header:
        store.rewrite_info(folder, replace(run.info, checkpoint_header=header))
    samples = frozenset(sample for ids in about.samples.values() for sample in ids)
    _forget_in_marks(run, samples, names)
    _forget_in_selections(run, samples, names)
    if about.signed not in (keys.UNSIGNED, keys.CHANGED):  # the latter is not made good
        is_known = about.signed in (keys.TRUSTED, keys.OWN)
        if not (is_known and signatures.sign(store.opened(folder))):
            (folder / store.SIGNATURE).unlink(missing_ok=True)


def _forget_in_shard(shard: Shard, samples: tuple[str, ...]) -> None:
    rows = shard.table("samples", None).to_pandas()
    keep = ~rows["sample_id"].astype("str").isin(samples).to_numpy()
    failures, all_stay = None, True
    if "failures.parquet" in shard.meta.files:
        failures = shard.table("failures", None).to_pandas()
        stays = ~failures["sample_id"].astype("str").isin(samples)
        failures, all_stay = failures[stays].reset_index(drop=True), bool(stays.all())
    if keep.all() and all_stay:
        return
    arrays = {
        name: shard.array(name)[keep] if shard.n else shard.items(name, np.empty(0, np.int64))
        for name in shard.meta.arrays
    }
    store.replace_shard(shard.folder, rows[keep].reset_index(drop=True), failures, **arrays)


def _forget_in_joined(run: Run, about: OfRun) -> None:
    """Scores that were joined; of the Run as it is now, where they were of the Run as it was."""
    entries, tables = dict(run.joined), {}
    gone = pd.MultiIndex.from_tuples([(s, i) for s, ids in about.samples.items() for i in ids], names=joining.KEY)
    for name, entry in run.joined.items():
        table = pq.read_table(run.folder / entry.file).to_pandas()
        keep = ~pd.MultiIndex.from_frame(table[list(joining.KEY)]).isin(gone)
        if keep.all() and entry.of == run.shards_digest:
            continue
        rows = table[keep].reset_index(drop=True)
        file, content, digest = joining.packed(name, rows)
        are_its_rows = rows[list(joining.KEY)].equals(run.samples(list(joining.KEY)))
        entries[name] = replace(
            entry,
            file=file,
            bytes=len(content),
            sha256=digest,
            of=run.shards_digest if are_its_rows else entry.of,
            n_missing=int(rows["value"].isna().sum()),
        )
        tables[file] = content
    for file, content in tables.items():
        with atomic_file(run.folder / file) as temporary:
            temporary.write_bytes(content)
    if tables:
        joining.keep(run.folder, entries)


def _forget_in_marks(run: Run, samples: frozenset[str], names: Names) -> None:
    path = marks.file_of(run)
    if not path.exists():
        return
    with end_of(path, run.cache) as end:
        lines = end.text().splitlines()
        kept = []
        for line in lines:
            try:
                content = documents.parsed(line)
            except ValueError:
                continue
            if isinstance(content, dict) and content.get("sample_id") not in samples:
                plain = names.within(content)
                kept.append(line if plain == content else json.dumps(plain))
        if kept != lines:
            with atomic_file(path, run.cache) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _forget_in_selections(run: Run, samples: frozenset[str], names: Names) -> None:
    for path in selections.folder(run).glob("*.parquet"):
        with opened_file(path, run.cache) as raw, pq.ParquetFile(raw) as file:
            ids = file.read(["sample_id"])["sample_id"].to_pylist()
        kept = [sample for sample in ids if sample not in samples]
        if names.without(path.stem) != path.stem:  # named after them
            target = path.with_name(f"selection {len(kept)}-{path.stat().st_mtime_ns % 10**6:06d}.parquet")
        else:
            target = path
        if len(kept) < len(ids) and kept:
            with atomic_file(path, run.cache) as temporary:
                pq.write_table(pa.table({"sample_id": pa.array(kept, pa.string())}), temporary, compression="zstd")
        if not kept:
            path.unlink()
        elif target != path:
            path.rename(target)


# ---------------------------------------------------------------------------------------------------- jobs, trainings


def _forget_in_jobs(cache: Path, names: Names) -> None:
    """What processes have said of themselves: their last words may name a file."""
    for path in jobs_folder(cache).glob("*"):
        if path.is_file() and not path.is_symlink() and names.stand_in(path.read_bytes()):
            path.unlink(missing_ok=True)


def _checkpoints(cache: Path, plan: Plan) -> list[Path]:
    """Those of which a log may hold some of their images."""
    known = [training.checkpoint for training in traininglog.trainings(cache)]
    for about in plan.runs:
        folder = store.runs_folder(cache) / about.run
        if folder.is_dir() and (path := store.opened(folder).info.checkpoint_path):
            known.append(traininglog.of_training(Path(path)))
    return list(dict.fromkeys(known))


def _forget_in_training(checkpoint: Path, names: Names) -> None:
    kept = traininglog.read_samples(checkpoint)
    if kept is None:
        return
    stays = [i for i, sample in enumerate(kept.ids) if sample not in names.all]
    if len(stays) == len(kept.ids):
        return
    if not stays:
        traininglog.samples_file(checkpoint).unlink(missing_ok=True)
        return
    rest = Samples(
        kept.inputs[stays],
        {epoch: images[stays] for epoch, images in kept.epochs.items()},
        [kept.ids[i] for i in stays],
    )
    traininglog.write_samples(checkpoint, rest.inputs, rest.epochs, rest.ids)


# ----------------------------------------------------------------------------------------------------------- manifests


def _forget_in_manifest(about: OfManifest, names: Names) -> None:
    path = Path(about.path)
    if not path.exists():
        return
    samples = set(about.samples)
    table, rows = read_table(path), manifest.read(path).rows
    keep = ~rows["sample_id"].isin(samples).to_numpy()
    before = file_sha256(path)
    hashes.drop(path.parent)
    if not keep.all():
        write_table(table[keep], path)
    way = trail.read(path)
    now = file_sha256(path)
    if way is not None and not (way.step.name == planning.FORGET and way.sha256 == now):
        trail.add_step(path, about.step, replace(way, was_changed=way.sha256 != before))
    if (text := trail.path_of(path)).is_file():
        content = documents.read(text)
        plain = _trail_without(content, names)
        if plain != content:
            with atomic_file(text) as temporary:
                temporary.write_text(json.dumps(plain, ensure_ascii=False, indent=1), encoding="utf-8")
    _forget_in_list(trail.left_file(path), samples, names)


def _trail_without(content: object, names: Names) -> object:
    """A trail whose sentences name nobody; names of files stay, by which it is followed."""
    if isinstance(content, Mapping):
        return {
            names.without(key): value if key in ("manifest", "root") else _trail_without(value, names)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [_trail_without(value, names) for value in content]
    return names.without(content) if isinstance(content, str) else content


def _forget_in_list(path: Path, samples: set[str], names: Names) -> None:
    """The list of what left on the way to a manifest."""
    if not path.is_file():
        return
    table = read_table(path)
    is_theirs = np.zeros(len(table), np.bool_)
    for column in (name for name in ("sample_id", "path", "subject_id") if name in table):
        is_theirs |= table[column].astype("str").isin([*samples, *names.all]).to_numpy()
    plain = table[~is_theirs].copy()
    if "reason" in plain:
        plain["reason"] = [names.without(str(text)) for text in plain["reason"]]
    if is_theirs.any() or ("reason" in plain and not plain["reason"].equals(table["reason"])):
        write_table(plain, path)


# ---------------------------------------------------------------------------------------------------------- afterwards


def _naming(cache: Path, names: Names) -> Iterator[str]:
    """Files in which a name of theirs still stands: of data sets that were not meant, or of nobody known here."""
    arrays = {".npy", ".npz", encrypted.SUFFIX}
    for path in sorted(cache.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix in arrays or path.name == tombstones.UNFINISHED:
            continue
        if path.stat().st_size <= LARGEST_TEXT and names.stand_in(_plain_bytes(path)):
            yield str(path)


def _plain_bytes(path: Path) -> bytes:
    if path.suffix != ".parquet":
        return path.read_bytes()
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return path.read_bytes()
    texts = [c for c in table.columns if pa.types.is_string(c.type) or pa.types.is_large_string(c.type)]
    distinct = (text for column in texts for text in column.unique().to_pylist() if text)
    return "\n".join(distinct).encode()
