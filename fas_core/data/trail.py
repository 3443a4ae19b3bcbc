"""Where a manifest comes from: what every step of `fas data` took in, kept and left out, in a small file beside it.

`M.trail.json` holds the step that wrote `M.csv` and, inside it, the trails of what that was made from: the whole way is
there although a step was run elsewhere and its files are gone. It has counts, names of files and sentences; no image.
A manifest that was changed by hand, since or between two steps, shows as a `Gap`: nothing leaves without a count.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fas_core import documents
from fas_core.data.manifest import Manifest
from fas_core.data.modalities import MODALITY, spelled
from fas_core.data.names import ALL, ATTACK
from fas_core.documents import read_as
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, file_sha256, read_table

VERSION = 1
_ALIKE = ["subset", "label", "pai_species", "subject_id", "session_id"]  # in which rows of one presentation agree
_GROUPED = ["sample_id", "video_id", *_ALIKE]
_LOSES_NOTHING = ("merge", "subsets", "forget")  # other ids; another protocol's people; told where it was done
NO_SUBSET = "in no subset of the protocol"
UNKNOWN_STEP = "before"  # of a manifest without a trail that has a list of what left

# Reasons that name numbers or samples; all others are of a kind by what stands before their first colon.
_KINDS = (
    (re.compile(r"^pose_.* beyond ±"), "head turned away"),
    (re.compile(r"^mean pixel .* of session "), "brightness unlike its session's"),
    (re.compile(r"^nearly the same picture as .*one label is wrong"), "same picture, another label"),
    (re.compile(r"^nearly the same picture as "), "near-duplicate"),
)


def kind_of(reason: str) -> str:
    """What a reason has in common with others of its kind, in words."""
    named = next((words for pattern, words in _KINDS if pattern.search(reason)), None)
    return named or reason.partition(":")[0].strip()


@dataclass(frozen=True)
class Lost:
    """So many whole presentations (videos, or images of none) that left at a step for a kind of reason."""

    subset: str
    pai_species: str  # "" of bona fide
    is_attack: bool
    unit: str  # videos or images
    modality: str  # "" where it is not said
    kind: str
    n: int


@dataclass(frozen=True)
class Step:
    """What one command did. Counts are of what came in (`unit_in`), but for `n_out`, the rows that were written."""

    name: str  # scan, frames, faces, merge, subsets, filter, dedupe, attacks
    unit_in: str  # files, videos, images
    unit_out: str
    n_in: int
    n_kept: int
    n_out: int
    left: Mapping[str, int]  # kind of reason -> how many gave nothing
    partly: Mapping[str, int]  # kind of reason -> how many were kept up to a fault
    groups: Mapping[str, tuple[int, int]]  # bona fide, or a species -> (came in, left)
    notes: tuple[str, ...] = ()
    root: str = ""  # the folder that what left lies in, relative to the manifest, where these are no samples
    lost: tuple[Lost, ...] = ()

    @property
    def n_left(self) -> int:
        return sum(self.left.values())

    @property
    def n_unexplained(self) -> int:
        """How many neither went on nor have a reason; negative where more went on than came in."""
        return self.n_in - self.n_kept - self.n_left


@dataclass(frozen=True)
class Trail:
    """The step that wrote a manifest, and those before it."""

    step: Step
    manifest: str  # file, relative to the folder of the manifest that was made from it
    sha256: str  # of the file as it was written
    made_from: tuple[Trail, ...]
    was_changed: bool = False  # between being written and being made something from


# ------------------------------------------------------------------------------------------------------ what a step did


UNITS = {"faces": ("pictures", "faces"), "subsets": ("images", "images in subsets")}


def kept_step(
    name: str,
    sources: Sequence[Manifest],
    kept: pd.DataFrame,
    left: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
) -> Step:
    """Of rows that stayed rows, told by their `sample_id`; `left`: `sample_id` and `reason` of the others.

    Subsets that take in not everybody leave the rest for that reason.
    """
    came_in = pd.concat([_grouped(source) for source in sources], ignore_index=True)
    stays = came_in["sample_id"].isin(kept["sample_id"])
    if name == "subsets":
        rest = came_in.loc[~stays, ["sample_id"]].assign(reason=NO_SUBSET)
        left = rest if left is None else pd.concat([left, rest[~rest["sample_id"].isin(left["sample_id"])]])
    n_kept = len(kept) if name == "merge" else int(stays.sum())  # there, every row has a new id
    lost = () if name in _LOSES_NOTHING else _lost(came_in, stays, left)
    return _step(name, UNITS.get(name, ("images", "images")), came_in, left, n_kept, len(kept), notes, lost)


def frames_step(source: Manifest, frames: pd.DataFrame, left: pd.DataFrame, notes: Sequence[str]) -> Step:
    """Of videos whose frames are rows now, and images that stayed rows.

    `left`: `sample_id`, `reason`, and `frames`, how many of a video there are nevertheless.
    """
    ids = frames["sample_id"]
    of_video = ids.where(ids.isin(source.rows["sample_id"]), ids.str.rpartition("#")[0])
    came_in = _grouped(source)
    is_video = ~came_in["sample_id"].isin(ids)
    came_in["video_id"] = came_in["video_id"].where(~is_video | (came_in["video_id"] != ""), came_in["sample_id"])
    gave_none = left["sample_id"][left["frames"].astype(np.float64) == 0]
    lost = _lost(came_in, ~came_in["sample_id"].isin(gave_none), left)
    return _step("frames", ("videos", "frames"), came_in, left, of_video.nunique(), len(frames), notes, lost)


def _grouped(source: Manifest) -> pd.DataFrame:
    told = source.rows[MODALITY].astype("str").fillna("") if MODALITY in source.rows else pd.Series([], dtype="str")
    one_of = {text: spelled(text) for text in told.unique()}
    return source.rows[_GROUPED].assign(**{MODALITY: told.map(one_of) if len(told) else ""})


def _lost(came_in: pd.DataFrame, stays: pd.Series, left: pd.DataFrame | None) -> tuple[Lost, ...]:
    """Presentations of which no row stays, by the reason that most of their rows left for."""
    if stays.all():
        return ()
    is_of_video = came_in["video_id"] != ""
    own = came_in["video_id"].where(is_of_video, came_in["sample_id"])
    rows = came_in.assign(own=own, unit=np.where(is_of_video, "videos", "images"), stays=stays)
    key = [*_ALIKE, MODALITY, "unit", "own"]
    gone = rows[~rows.groupby(key)["stays"].transform("any")]
    if not len(gone):
        return ()
    reasons = {} if left is None else dict(zip(left["sample_id"], map(kind_of, map(str, left["reason"])), strict=True))
    gone = gone.assign(kind=[reasons.get(sample, "no reason given") for sample in gone["sample_id"]])
    of_each = gone.groupby(key, sort=False)["kind"].agg(lambda kinds: kinds.mode().iloc[0]).reset_index()
    counted = of_each.value_counts(["subset", "label", "pai_species", "unit", MODALITY, "kind"])
    return tuple(
        Lost(subset, species, label == ATTACK, unit, modality, kind, int(n))
        for (subset, label, species, unit, modality, kind), n in counted.sort_index().items()
    )


def _step(
    name: str,
    units: tuple[str, str],
    came_in: pd.DataFrame,
    left: pd.DataFrame | None,
    n_kept: int,
    n_out: int,
    notes: Sequence[str],
    lost: tuple[Lost, ...],
) -> Step:
    left = pd.DataFrame({"sample_id": [], "reason": []}) if left is None else left
    is_part = left["frames"].to_numpy(np.float64) > 0 if "frames" in left else np.zeros(len(left), np.bool_)
    kinds = [kind_of(str(reason)) for reason in left["reason"]]
    kind = pd.Series(_groups(came_in), came_in.index)
    gone_of = kind[came_in["sample_id"].isin(left["sample_id"][~is_part])].value_counts()
    return Step(
        name,
        *units,
        len(came_in),
        n_kept,
        n_out,
        _counted(k for k, part in zip(kinds, is_part, strict=True) if not part),
        _counted(k for k, part in zip(kinds, is_part, strict=True) if part),
        {str(group): (int(n), int(gone_of.get(group, 0))) for group, n in kind.value_counts().sort_index().items()},
        tuple(notes),
        lost=lost,
    )


def scan_step(root: Path, out: Path, unit: str, n_rows: int, reasons: Sequence[str], notes: Sequence[str] = ()) -> Step:
    """Of a folder, of whose files n became rows of the manifest `out`; the reasons of those that did not."""
    left = _counted(map(kind_of, reasons))
    name = Path(os.path.relpath(root.resolve(), out.parent.resolve())).as_posix()
    return Step("scan", "files", unit, n_rows + len(reasons), n_rows, n_rows, left, {}, {}, tuple(notes), name)


def _counted(kinds: Iterator[str] | map[str]) -> dict[str, int]:
    return dict(Counter(kinds).most_common())


def _groups(rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    species = rows["pai_species"].where(rows["pai_species"] != "", "attack")
    return np.where(rows["label"] == ATTACK, species, "bona fide")


# ---------------------------------------------------------------------------------------------------- beside a manifest


def path_of(manifest: Path) -> Path:
    """Where the trail of a manifest lies."""
    return manifest.with_suffix(".trail.json")


def left_file(manifest: Path) -> Path:
    """Where the list of what left on the way to a manifest lies."""
    return manifest.with_suffix(".left.csv")


def write(done: Step, manifest: Path, sources: Sequence[Path] = ()) -> None:
    """Writes the trail of a manifest that lies there, made from other ones."""
    _write(Trail(done, manifest.name, file_sha256(manifest), tuple(_source(s, manifest) for s in sources)), manifest)


def add_step(manifest: Path, done: Step, before: Trail) -> None:
    """Writes the trail of a manifest that was changed where it lies: what it was before, and what was done."""
    _write(Trail(done, manifest.name, file_sha256(manifest), (before,)), manifest)


def _write(trail: Trail, manifest: Path) -> None:
    document = {"version": VERSION} | asdict(trail)
    with atomic_file(path_of(manifest)) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


def _source(source: Path, manifest: Path) -> Trail:
    name = Path(os.path.relpath(source.resolve(), manifest.parent.resolve())).as_posix()
    try:
        known = read(source)
    except BadInputError:  # what it says of itself is damaged, and what is made of it is none the worse
        known = None
    if known is None:
        unknown = Step("", "", "", 0, 0, len(read_table(source)), {}, {}, {})
        return Trail(unknown, name, file_sha256(source), ())
    return Trail(known.step, name, known.sha256, known.made_from, file_sha256(source) != known.sha256)


def read(manifest: Path) -> Trail | None:
    """The trail of a manifest; None where there is none. Raises BadInputError where it is damaged."""
    path = path_of(manifest)
    try:
        document = read_as(dict[str, Any], documents.read(path), "it")
        version = document.pop("version", None)
        if version != VERSION:
            raise BadInputError(f"version {version} is not known here")
        return read_as(Trail, document, "it")
    except FileNotFoundError:
        return None
    except (BadInputError, OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(
            f"{path} is not readable as a trail ({error}). Delete it: the manifest stays, without its history."
        ) from error


def lost(manifest: Path) -> list[tuple[str, Lost]]:
    """The presentations that left on the way to a manifest, each entry with the name of its step.

    What left before there were the manifest's subsets is of the subset `ALL`. Empty where there is no trail; raises
    BadInputError where it is damaged.
    """
    trail = read(manifest)
    return [] if trail is None else list(_all_lost(trail))


def _all_lost(trail: Trail) -> Iterator[tuple[str, Lost]]:
    for source in trail.made_from:
        for step, entry in _all_lost(source):
            yield step, replace(entry, subset=ALL) if trail.step.name == "subsets" else entry
    for entry in trail.step.lost:
        yield trail.step.name, entry


# ----------------------------------------------------------------------------------------------------------- the funnel


@dataclass(frozen=True)
class Gap:
    """What happened to a manifest outside of `fas data`: so many rows less (or more, negative), or other contents."""

    manifest: str
    n_missing: int


@dataclass(frozen=True)
class Stage:
    """A step on the way, where its files are, and what happened to what it was made from."""

    step: Step
    manifest: Path  # what it wrote
    sources: tuple[Path, ...]
    gaps: tuple[Gap, ...]

    @property
    def left_file(self) -> Path:
        return left_file(self.manifest)


@dataclass(frozen=True)
class Funnel:
    """The steps that led to a manifest, the first one first, those of merged sources one source after the other."""

    stages: tuple[Stage, ...]
    gap: Gap | None  # between the last step and the manifest as it is
    n_rows: int  # that it has now
    is_whole: bool  # whether it begins with folders, and not with manifests of which nothing is known

    @property
    def gaps(self) -> list[Gap]:
        return [*(gap for stage in self.stages for gap in stage.gaps), *([self.gap] if self.gap else [])]

    @property
    def n_unexplained(self) -> int:
        """Rows that left without a reason, in steps and between them."""
        return sum(abs(s.step.n_unexplained) for s in self.stages) + sum(abs(gap.n_missing) for gap in self.gaps)

    @property
    def most_left(self) -> tuple[Stage, str, int] | None:
        """The reason that most left for, with its step; None where nothing left."""
        each = [(stage, kind, n) for stage in self.stages for kind, n in stage.step.left.items()]
        return max(each, key=lambda of: of[2] / max(1, of[0].step.n_in), default=None)


def funnel(manifest: Path, n_rows: int) -> Funnel:
    """The way to a manifest that has `n_rows` now. Raises BadInputError where its trail is damaged."""
    trail = read(manifest)
    if trail is None:
        return Funnel(_unrecorded(manifest, n_rows), None, n_rows, False)
    stages = tuple(_stages(trail, manifest))
    missing = trail.step.n_out - n_rows
    gap = Gap(manifest.name, missing) if missing or file_sha256(manifest) != trail.sha256 else None
    return Funnel(stages, gap, n_rows, _begins_with_folders(trail))


def _stages(trail: Trail, manifest: Path) -> Iterator[Stage]:
    sources = tuple(Path(os.path.normpath(manifest.parent / source.manifest)) for source in trail.made_from)
    for source, path in zip(trail.made_from, sources, strict=True):
        if source.step.name:
            yield from _stages(source, path)
    n_before = sum(source.step.n_out for source in trail.made_from)
    gap = Gap(", ".join(path.name for path in sources), n_before - trail.step.n_in)
    has_gap = bool(sources) and (gap.n_missing or any(source.was_changed for source in trail.made_from))
    yield Stage(trail.step, manifest, sources, (gap,) if has_gap else ())


def _begins_with_folders(trail: Trail) -> bool:
    if not trail.made_from:
        return trail.step.name == "scan"
    return all(map(_begins_with_folders, trail.made_from))


def _unrecorded(manifest: Path, n_rows: int) -> tuple[Stage, ...]:
    """The one step that is known by its list of what left, if there is one."""
    try:
        left = read_table(left_file(manifest))
    except BadInputError:
        return ()
    if "reason" not in left:
        return ()
    is_part = (left["frames"].astype("str").fillna("0") != "0") if "frames" in left else pd.Series(False, left.index)
    kinds = _counted(kind_of(str(reason)) for reason in left["reason"][~is_part])
    n_left = int((~is_part).sum())
    before = Step(UNKNOWN_STEP, "rows", "rows", n_rows + n_left, n_rows, n_rows, kinds, {}, {})
    return (Stage(before, manifest, (), ()),)


# ------------------------------------------------------------------------------------------------------------ what left


def left_rows(stage: Stage) -> pd.DataFrame:
    """`name`, `reason`, `kind`, `file` (absolute, "" where it is not known) of what left at a step, by its list.

    Empty where the list is elsewhere. Places of the face in the picture (`box_x`, ...) are columns where the manifest
    that the rows left gives them.
    """
    columns = ["name", "reason", "kind", "file"]
    try:
        listed = read_table(stage.left_file)
    except BadInputError:
        return pd.DataFrame(columns=columns)
    if "reason" not in listed:
        return pd.DataFrame(columns=columns)
    reason = listed["reason"].astype("str").fillna("")
    rows = pd.DataFrame({"reason": reason, "kind": [kind_of(text) for text in reason]})
    if "sample_id" not in listed:
        rows["name"] = listed["path"].astype("str")
        folder = stage.manifest.parent / stage.step.root
        rows["file"] = [str(folder / path) if stage.step.root else "" for path in rows["name"]]
        return rows[columns]
    rows["name"] = listed["sample_id"].astype("str")
    known = [_places(source, rows["name"]) for source in stage.sources]
    known = [table for table in known if table is not None]
    if not known:
        return rows.assign(file="")[columns]
    table = pd.concat(known).drop_duplicates("name").set_index("name")
    found_of = table.reindex(rows["name"]).reset_index(drop=True)
    return rows.join(found_of.assign(file=found_of["file"].fillna("")))


def _places(manifest: Path, wanted: pd.Series) -> pd.DataFrame | None:
    """`name`, `file` and numbers (places of the face) of some rows of a manifest; None where it is not there."""
    try:
        table = read_table(manifest)
    except BadInputError:
        return None
    if "path" not in table:
        return None
    paths = table["path"].astype("str").fillna("")
    names = table["sample_id"].astype("str").fillna("") if "sample_id" in table else paths
    names = names.where(names != "", paths)
    is_wanted = names.isin(wanted)
    table, paths = table[is_wanted], paths[is_wanted]
    known = pd.DataFrame({"name": names[is_wanted], "file": [str(manifest.parent / p) for p in paths]})
    for column in (name for name in table if re.fullmatch(r"box_\w+|(left|right)_eye_[xy]", str(name))):
        known[column] = pd.to_numeric(table[column], errors="coerce")
    return known
