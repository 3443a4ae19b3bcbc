"""What is to be removed of a person, as a value, so that it can be listed first, and gone on with after a kill."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cache as cached
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import documents
from fas_core.data import manifest, modalities, retention, trail
from fas_core.data.manifest import CUT_FROM, Manifest
from fas_core.data.merging import IDS, SOURCE
from fas_core.data.names import DEV, LEARNED, TRAINING_USE, is_training
from fas_core.data.trail import Step
from fas_core.erasure import person
from fas_core.erasure.person import PEOPLE, Place, Wanted
from fas_core.erasure.words import Names
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, file_of
from fas_core.runs import signatures, tombstones, traininglog
from fas_core.runs.store import Run, Shard
from fas_core.runs.tombstones import UNFINISHED, Removal

FORGET = "forget"  # the step of a trail
WHY = "removed as a person asked for it, or their time was over"
USES = {LEARNED: "learned from {} of them", DEV: "was chosen by {} of them"}
UNKNOWN = "unknown"  # whether a checkpoint learned from them


@dataclass(frozen=True)
class OfRun:
    """What is removed from a Run: ids by subset, and their places (see `tombstones`)."""

    run: str
    name: str
    manifest_sha256: str
    modality: str  # of the manifest's rows; "" all
    samples: Mapping[str, tuple[str, ...]]
    places: Mapping[str, tuple[int, ...]]
    unplaced: tuple[str, ...]
    signed: str  # how its signature stood, a kind of `keys.Standing`

    @property
    def n(self) -> int:
        return sum(map(len, self.samples.values()))


@dataclass(frozen=True)
class OfManifest:
    """What is removed from a manifest, and the step of its trail that says so."""

    path: str
    samples: tuple[str, ...]
    step: Step


@dataclass(frozen=True)
class Holder:
    """A Run or manifest of which rows stay that name files of those that go."""

    name: str  # Run a (0123456789ab), or Manifest FILE
    files: tuple[str, ...]
    n_without_day: int  # of these files: those of which no row of it says a last day

    def words(self, *, is_for_time: bool) -> str:
        """A sentence on what it names; `is_for_time`: of rows whose time is over."""
        n, of_them = len(self.files), ""
        if is_for_time and self.n_without_day:
            of_them = f", {self.n_without_day:,} without a last day (column {retention.RETAIN})"
        return f"{self.name} names {n:,} of the same files in rows that stay{of_them}"


@dataclass(frozen=True)
class Plan:
    """Everything about one person. It names them: it is gone when it is done."""

    id: str
    when: str  # ISO date
    subject: str  # "" of everybody whose time is over
    people: int
    names: tuple[str, ...]  # what their rows are called, see `Names`
    runs: tuple[OfRun, ...]
    manifests: tuple[OfManifest, ...]
    images: tuple[str, ...]  # files to be deleted
    kept_images: tuple[str, ...]  # files that other rows name too
    learned: Mapping[str, str]  # checkpoint -> what it had of them, in words
    manifest_now: Mapping[str, str]  # hash of a manifest -> that of the same one without them
    seals: Mapping[str, str]  # of documents that were sealed anew -> the new seal
    unknown: Mapping[str, int] = field(default_factory=dict)  # checkpoint without a record -> theirs in subset train
    holders: tuple[Holder, ...] = ()  # whose rows name the same files and stay

    @property
    def instead(self) -> str:
        """What stands in the place of their names."""
        return f"(person removed {self.when})"

    @property
    def called(self) -> Names:
        return Names(self.names, self.instead)

    def removal_of(self, about: OfRun) -> Removal:
        """What the plan removes of one Run."""
        return Removal(self.id, self.when, self.people, about.n, about.places, about.unplaced)

    @property
    def lines(self) -> list[str]:
        """What goes, a line each, for who is to say yes."""
        lines = [f"Run {about.name} ({about.run}): {about.n:,} images" for about in self.runs]
        lines += [f"Manifest {about.path}: {len(about.samples):,} rows" for about in self.manifests]
        return [*lines, *(f"File {path}" for path in self.images)]

    @property
    def kept_by(self) -> dict[str, list[str]]:
        """File that is kept -> who names it."""
        return {file: [holder.name for holder in self.holders if file in holder.files] for file in self.kept_images}

    @property
    def lines_of_holders(self) -> list[str]:
        return [holder.words(is_for_time=not self.subject) for holder in self.holders]


def planned(
    cache: Path,
    subject: str,
    *,
    sets: Sequence[str] = (),
    manifests: Sequence[Path] = (),
    with_images: bool = False,
) -> Plan:
    """What is to be removed of a person. `sets`: see `person.chosen`; it and `person.people` raise BadInputError."""
    subject = manifest.text_column(pd.Series([subject])).iloc[0]
    places = person.chosen(subject, person.people(cache, subject, manifests), sets)
    wanted = partial(person.rows_about, subject=subject)
    return _plan(cache, wanted, places, manifests, subject, with_images=with_images)


def expired(cache: Path, *, manifests: Sequence[Path] = (), with_images: bool = False, on: date | None = None) -> Plan:
    """What is to be removed since the day until which it may be kept is over. Raises BadInputError as `planned`."""
    wanted = partial(retention.overdue, on=on or retention.today())
    places, _ = person.places(cache, wanted, manifests)
    return _plan(cache, wanted, places, manifests, "", with_images=with_images)


def _plan(
    cache: Path, wanted: Wanted, places: Sequence[Place], manifests: Sequence[Path], subject: str, *, with_images: bool
) -> Plan:
    of_files = [place for place in places if isinstance(place.where, Path)]
    files = _files(of_files)
    holders = tuple(_holders(cache, manifests, places, files)) if files else ()
    held = {file for holder in holders for file in holder.files}
    images = files if with_images else []
    learned, unknown = _learned(cache, places)
    return Plan(
        secrets.token_hex(8),
        retention.today().isoformat(),
        subject,
        1 if subject else _n_people(places),
        tuple(sorted(_names(subject, places))),
        tuple(_of_runs(cache, wanted, places)),
        tuple(_of_manifests(of_files)),
        tuple(file for file in images if file not in held),
        tuple(file for file in images if file in held),
        learned,
        {},
        {},
        unknown,
        holders,
    )


def _n_people(places: Sequence[Place]) -> int:
    named = (set(place.rows["subject_id"]) for place in places if "subject_id" in place.rows)
    return len(set().union(*named) - {""})


def _names(subject: str, places: Sequence[Place]) -> set[str]:
    """All ids and files of their rows that no other row has."""
    names, columns = {subject} - {""}, ("path", CUT_FROM, *IDS)
    for place in places:
        others = person.rows_of(place.where) if isinstance(place.where, Run) else manifest.read(place.where).rows
        others = others[~others["sample_id"].isin(place.rows["sample_id"])]
        names |= {f"{place.data}/{subject}"} if SOURCE in place.rows and subject else set()
        for column in (name for name in columns if name in place.rows and not (subject and name in PEOPLE)):
            rest = set(others[column]) if column in others else set()
            names |= set(place.rows[column].astype("str")) - rest - {""}
    return names


def _of_runs(cache: Path, wanted: Wanted, places: Sequence[Place]) -> Iterator[OfRun]:
    runs: dict[str, tuple[Run, list[Place]]] = {}
    for place in places:
        if isinstance(place.where, Run):
            runs.setdefault(place.where.id, (place.where, []))[1].append(place)
    for run, of_run in runs.values():
        if run.locked:
            raise BadInputError(
                f"Run {run.info.name} ({run.id}) is encrypted, and {run.locked}. Then run the command again."
            )
        rows = pd.concat([place.rows for place in of_run])
        samples = {str(subset): tuple(ids) for subset, ids in rows.groupby("subset", sort=False)["sample_id"]}
        at, unplaced = _places(cache, run, _planned_too(person.manifest_of(run), wanted, of_run), samples)
        signed = signatures.standing(run).kind
        yield OfRun(run.id, run.info.name, run.info.manifest_sha256, run.info.modality, samples, at, unplaced, signed)


def _places(
    cache: Path, run: Run, planned_too: Mapping[str, Sequence[str]], samples: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """Places of some samples among those planned, by subset, and the subsets of which not all are known.

    Where the manifest is there, it says them, also those of shards that are not made yet; else the shards do, unless an
    image without outputs, whose place they do not keep, comes between.
    """
    data, stone = person.manifest_of(run), tombstones.of(cache, run.id)
    at: dict[str, tuple[int, ...]] = {}
    unplaced = []
    for subset, n in run.info.subsets.items():
        theirs = {*samples.get(subset, ()), *planned_too.get(subset, ())}
        gone = np.empty(0, np.int64) if stone is None else stone.places(subset)
        listed = _listed(data, subset, n, gone)
        if listed is None or not _agree(run, subset, listed):
            listed = _by_shards(run, subset, n, gone)
        place_of = {sample: place for place, sample in enumerate(listed) if sample}
        at[subset] = tuple(sorted(place_of[sample] for sample in theirs if sample in place_of))
        is_whole = all(listed[place] for place in np.setdiff1d(np.arange(n), gone))
        if not is_whole:
            unplaced.append(subset)
    return {subset: these for subset, these in at.items() if these}, tuple(unplaced)


def _planned_too(data: Manifest | None, wanted: Wanted, of_run: Sequence[Place]) -> dict[str, list[str]]:
    """Their samples by subset as the manifest has them: also those whose shards are not made yet."""
    if data is None:
        return {}
    rows = data.rows[wanted(data.rows)]
    if SOURCE in rows and any((place.rows[SOURCE] != "").any() for place in of_run if SOURCE in place.rows):
        rows = rows[rows[SOURCE].isin([place.data for place in of_run])]
    return {str(subset): ids.tolist() for subset, ids in rows.groupby("subset")["sample_id"]}


def _listed(data: Manifest | None, subset: str, n: int, gone: NDArray[np.int64]) -> list[str] | None:
    """(n,) ids of the samples planned by a manifest as it was, or as it is without those who are gone ("")."""
    if data is None:
        return None
    ids = data.rows.loc[data.rows["subset"] == subset, "sample_id"].tolist()
    if len(ids) == n:
        return ids
    kept = np.setdiff1d(np.arange(n), gone)
    if len(ids) != len(kept):
        return None
    listed = [""] * n
    for place, sample in zip(kept, ids, strict=True):
        listed[place] = sample
    return listed


def _agree(run: Run, subset: str, listed: Sequence[str]) -> bool:
    """Whether every shard holds samples that the list has there."""
    for shard, begin, end in _shards(run, subset):
        ids = set(_ids(shard, "samples")) | set(_ids(shard, "failures"))
        if not ids <= set(listed[begin:end]):
            return False
    return True


def _by_shards(run: Run, subset: str, n: int, gone: NDArray[np.int64]) -> list[str]:
    listed = [""] * n
    for shard, begin, end in _shards(run, subset):
        kept = np.setdiff1d(np.arange(begin, min(end, n)), gone)
        ids = _ids(shard, "samples")
        if len(ids) == len(kept):
            for place, sample in zip(kept, ids, strict=True):
                listed[place] = sample
    return listed


def _shards(run: Run, subset: str) -> Iterator[tuple[Shard, int, int]]:
    size = run.info.shard_size
    for shard in (shard for shard in run.shards if shard.subset == subset):
        number = int(shard.folder.name.removeprefix("shard-"))
        yield shard, number * size, (number + 1) * size


def _ids(shard: Shard, table: str) -> list[str]:
    if f"{table}.parquet" not in shard.meta.files:
        return []
    return [str(sample) for sample in shard.table(table, ["sample_id"])["sample_id"].to_pylist()]


# ---------------------------------------------------------------------------------------------------- manifests, images


def _of_manifests(places: Sequence[Place]) -> Iterator[OfManifest]:
    for path in dict.fromkeys(place.where for place in places if isinstance(place.where, Path)):
        samples = pd.concat([place.rows["sample_id"] for place in places if place.where == path])
        data = manifest.read(path)
        kept = data.rows[~data.rows["sample_id"].isin(samples)]
        left = pd.DataFrame({"sample_id": samples, "reason": WHY})
        yield OfManifest(str(path), tuple(samples), trail.kept_step(FORGET, [data], kept, left))


def _files(places: Sequence[Place]) -> list[str]:
    """Regular files that rows of manifests name."""
    files: dict[str, None] = {}
    for place in places:
        assert isinstance(place.where, Path)
        for name in _named_by(place.rows):
            file = file_of(place.where.parent / name)
            if file.is_file() and not file.is_symlink():
                files.setdefault(str(file.resolve()))
    return list(files)


def _named_by(rows: pd.DataFrame) -> list[str]:
    columns = [rows[name].astype("str").fillna("") for name in ("path", CUT_FROM) if name in rows]
    return [name for column in columns for name in dict.fromkeys(column) if name]


def _holders(cache: Path, manifests: Sequence[Path], places: Sequence[Place], files: Sequence[str]) -> Iterator[Holder]:
    """Every Run and known manifest of which other rows name some of these files."""
    wanted, resolved = set(files), cached(lambda file: str(file_of(Path(file)).resolve()))
    for where, rows in person.tables(cache, manifests):
        folder = where.parent if isinstance(where, Path) else Path(where.info.manifest_path).parent
        if isinstance(where, Run) and not where.info.manifest_path:
            continue
        going = [place.rows.index for place in places if _is_same(place.where, where)]
        stay = rows.drop(index=list(dict.fromkeys(row for these in going for row in these)), errors="ignore")
        held = set(map(resolved, (str(folder / name) for name in _named_by(stay)))) & wanted
        if not held:
            continue
        days = stay[retention.RETAIN].astype("str").fillna("") if retention.RETAIN in stay else None
        dated = stay.iloc[:0] if days is None else stay[days != ""]
        with_day = set(map(resolved, (str(folder / name) for name in _named_by(dated))))
        name = f"Manifest {where}" if isinstance(where, Path) else f"Run {where.info.name} ({where.id})"
        yield Holder(name, tuple(file for file in files if file in held), len(held - with_day))


def _is_same(a: Run | Path, b: Run | Path) -> bool:
    return a == b if isinstance(a, Path) or isinstance(b, Path) else a.id == b.id


# ---------------------------------------------------------------------------------------------------------- checkpoints


def _learned(cache: Path, places: Sequence[Place]) -> tuple[dict[str, str], dict[str, int]]:
    """Checkpoint -> what it had of them, as its Runs tell, or the record in the file: weights cannot forget. And
    those of which neither tells anything, with how many of them a Run has in the subset train.
    """
    said: dict[str, str] = {}
    n_train: dict[str, int] = {}
    for place in (place for place in places if isinstance(place.where, Run)):
        info, words = cast(Run, place.where).info, _said_by_run(place)
        checkpoint = info.checkpoint_path or info.checkpoint
        if checkpoint and said.get(checkpoint, "") in ("", UNKNOWN):
            said[checkpoint] = words or said.get(checkpoint, "")
            n_train[checkpoint] = max(n_train.get(checkpoint, 0), int(is_training(place.rows).sum()))
    contents = [_contents(place) for place in places if isinstance(place.where, Path)]
    for file in _checkpoints(cache):
        by_runs = said.get(str(file), UNKNOWN)
        if by_runs in ("", UNKNOWN):  # their Runs may be of other images than it learned from
            by_file = _used_by(file, contents)
            said[str(file)] = by_runs if by_file == UNKNOWN else by_file
    learned = {checkpoint: words for checkpoint, words in said.items() if words not in ("", UNKNOWN)}
    return learned, {checkpoint: n_train.get(checkpoint, 0) for checkpoint, w in said.items() if w == UNKNOWN}


def _said_by_run(place: Place) -> str:
    """By what each row says of its use; where none does, by whether the training was of the Run's manifest. "" where
    it learned from none of them, UNKNOWN where nothing tells it.
    """
    if TRAINING_USE in place.rows:
        counts = place.rows[TRAINING_USE].value_counts()
        return " and ".join(text.format(f"{counts[use]:,}") for use, text in USES.items() if counts.get(use))
    info, n = cast(Run, place.where).info, int(is_training(place.rows).sum())
    if not info.manifest_sha256 or info.checkpoint_header.get("data_sha256") != info.manifest_sha256:
        return UNKNOWN
    return f"was trained on data that hold {n:,} of them for training" if n else ""


def _contents(place: Place) -> NDArray[np.uint8]:
    """Of their files, as `Manifest.contents`."""
    assert isinstance(place.where, Path)
    return Manifest(place.rows, place.where).contents


def _checkpoints(cache: Path) -> list[Path]:
    """Those of trainings that the cache folder knows of, of each epoch too."""
    files: dict[Path, None] = {}
    for training in traininglog.trainings(cache):
        out = training.checkpoint
        pattern = f"{out.stem}.*{out.suffix}"
        for path in (out, *sorted(out.parent.glob(pattern))):
            if path.is_file():
                files.setdefault(path)
    return list(files)


def _used_by(file: Path, contents: Sequence[NDArray[np.uint8]]) -> str:
    try:
        from fas_core.training import checkpoint  # PyTorch: only where there are trainings

        known = checkpoint.known_of(file)
    except ImportError:
        return "may have learned from them: without PyTorch (the extra train) its record cannot be read"
    except (BadInputError, OSError):
        return UNKNOWN
    if known is None:
        return UNKNOWN
    use = np.concatenate([known.use_of(these) for these in contents]) if contents else np.empty(0, np.str_)
    counts = {name: int((use == name).sum()) for name in USES}
    return " and ".join(USES[name].format(f"{n:,}") for name, n in counts.items() if n)


# -------------------------------------------------------------------------------------------------------- written down


def with_hashes(plan: Plan) -> Plan:
    """With what the manifests of its Runs will be: reads every image that they name, where they are as they were."""
    now: dict[str, str] = {}
    for about in plan.manifests:
        whole = manifest.read(Path(about.path))
        there = ("", *modalities.modalities(whole.rows))
        for modality in (m for m in sorted({of_run.modality for of_run in plan.runs}) if m in there):
            data = modalities.of_one(whole, modality)
            kept = data.rows[~data.rows["sample_id"].isin(about.samples)].reset_index(drop=True)
            if data.sha256 in {of_run.manifest_sha256 for of_run in plan.runs}:
                now[data.sha256] = Manifest(kept, data.source).sha256
    return replace(plan, manifest_now=now)


def unfinished(cache: Path) -> Plan | None:
    """The plan that was interrupted in a cache folder; None where there is none."""
    path = cache / UNFINISHED
    try:
        return documents.read_as(Plan, documents.read(path, cache, largest=2**31), str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInputError(
            f"{path} cannot be read ({error}). Delete it, then forget the same person again."
        ) from error


def write_down(plan: Plan, cache: Path) -> None:
    """Keeps a plan in the cache folder until it is carried out, so that it can be resumed."""
    with atomic_file(cache / UNFINISHED, cache) as temporary:
        temporary.write_text(json.dumps(asdict(plan)), encoding="utf-8")
