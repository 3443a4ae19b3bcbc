"""Videos -> frames: `fas data frames`.

A frame is taken as a player shows it: turned and mirrored by the display matrix, its pixels made square where the file
says that they are not. Where the data set says that a clip is stored upside down (column `should_flip`), and the file
itself does not, it is flipped as the sets' own readers do, so that their boxes fit. Times are those of the frames
(`pts`), in seconds from the first one, so that variable rates are right; where a file has none, they follow from its
frame rate. A video is kept up to its first fault, where the decoder refuses a packet or marks it or its frame as
damaged: what comes after may be made up by the decoder.

HDF5 files hold streams of several modalities: `streams` says how they are read.

Frames are JPEGs of quality 95, numbered from 0 in the order in which they are shown. The folder of a video is there as
a whole or not at all, and holds what it was made from, so that a command that was killed goes on where it was, and a
video or a rule that has changed is done anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fas_core import documents
from fas_core.data import boxes, manifest, processes, streams
from fas_core.data.decoding import DAMAGED, Display, Reading, require_av
from fas_core.data.manifest import BOXES, Manifest
from fas_core.data.modalities import MODALITY, PRESENTATION
from fas_core.data.streams import Stream, Streams
from fas_core.documents import Json, read_as
from fas_core.errors import BadInputError
from fas_core.files import end_of, make_folder, require_writable, write_table
from fas_core.progress import task

_ENDINGS = (
    "avi mov mp4 m4v mkv webm wmv asf mpg mpeg m2v mts m2ts ts vob flv f4v 3gp 3g2 ogv ogg mxf mjpeg mjpg h264 hevc"
)
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split()) | streams.SUFFIXES

RULES = "2: as shown (display matrix, square pixels); JPEG 95"  # hashed into what a folder was made from
QUALITY = 95
FRAMES, ABOUT = "frames", "frames.json"
FLIPPED = "should_flip"  # a column of layouts: "yes" where the set says that a clip is stored upside down
ALL_STREAMS = Streams()
LEFT_COLUMNS = ("sample_id", "path", "subset", "label", "pai_species", "subject_id", "frames", "reason")


def is_video(path: Path) -> bool:
    """By the ending of its name, whatever its case."""
    return path.suffix.lower() in SUFFIXES


def are_videos(names: pd.Series) -> pd.Series:
    """(n,) the same of many."""
    pattern = rf"[^/](?:{'|'.join(map(re.escape, sorted(SUFFIXES)))})\z"
    matched = pc.match_substring_regex(pa.array(names, pa.large_string()), pattern, ignore_case=True)
    return pd.Series(matched.to_numpy(zero_copy_only=False), names.index)


@dataclass(frozen=True)
class Sampling:
    """Which frames are taken: one per `every` seconds, or `n`, in the middles of n equal parts of the frames."""

    every: float | None = None
    n: int | None = None

    @staticmethod
    def of(every: str | None, n: int | None) -> Sampling:
        """By the options `--every 1s` (500ms, 0.5) and `--n 10`; one per second where neither is given."""
        if every is not None and n is not None:
            raise BadInputError("--every and --n say the same differently. Give one of them.")
        if n is not None:
            if n < 1:
                raise BadInputError(f"--n {n}: give the number of frames per video, from 1 upwards.")
            return Sampling(n=n)
        matched = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(s|ms)?\s*", every or "1s")
        seconds = float(matched[1]) / (1000 if matched[2] == "ms" else 1) if matched else 0.0
        if not seconds > 0:
            raise BadInputError(f"--every {every}: write a time above 0, e.g. 1s, 500ms or 0.2s.")
        return Sampling(every=seconds)

    @property
    def words(self) -> str:
        return f"{self.n} per video" if self.every is None else f"one per {self.every:g} s"


@dataclass(frozen=True)
class Taken:
    """Of one video: numbers and times (seconds) of the frames that were taken, and what is to be said of it."""

    numbers: tuple[int, ...] = ()
    times: tuple[float, ...] = ()
    problem: str = ""  # why frames are missing: all of them, or those from a fault on
    notes: tuple[str, ...] = ()  # kinds of remarks, counted over the videos
    display: Display | None = None  # by its file alone; what the set says is upside down, its boxes know as such
    streams: tuple[Stream, ...] = ()  # of an HDF5 file, whose frames are not in `numbers`

    @property
    def n(self) -> int:
        return len(self.numbers) + sum(len(stream.numbers) for stream in self.streams)


@dataclass(frozen=True)
class Frames:
    """Rows of a manifest, a frame or an image of the source each; `left`: rows of `LEFT_COLUMNS`; sentences."""

    rows: pd.DataFrame
    left: pd.DataFrame
    notes: list[str]
    n_videos: int
    n_images: int

    @property
    def n_frames(self) -> int:
        return len(self.rows) - self.n_images

    @property
    def n_with_frames(self) -> int:
        """Videos that gave a frame at least."""
        return self.n_videos - int((self.left["frames"].astype(np.int64) == 0).sum())

    @property
    def kinds(self) -> pd.DataFrame:
        """What is wrong with videos (the index: `damaged`, `audio only`, ...), how many `videos`, their `frames`."""
        kinds = [reason.partition(":")[0] for reason in self.left["reason"]]
        by_kind = self.left["frames"].astype(np.int64).groupby(kinds)
        return by_kind.agg(videos="count", frames="sum")

    def as_json(self) -> Json:
        """The document of `fas data frames --json`."""
        return {
            "n_videos": self.n_videos,
            "n_videos_with_frames": self.n_with_frames,
            "n_images": self.n_images,
            "n_frames": self.n_frames,
            "left": self.kinds.to_dict("index"),
            "videos": self.left[["sample_id", "path", "frames", "reason"]].to_dict("records"),
            "notes": self.notes,
        }


def write_frames(
    data: Manifest,
    out: Path,
    sampling: Sampling,
    n_processes: int | None = None,
    boxes_are: str = "",
    of_hdf5: Streams = ALL_STREAMS,
) -> Frames:
    """Takes the frames of the manifest's videos into `out`/frames, and says of each what is known of its video.

    Rows that are images stay as they are. What a set says of each frame (`boxes`) is filled in; `boxes_are` as in
    `boxes.as_shown`. `path` of the result is relative to `out`, where manifest.csv and manifest.left.csv are written.
    `n_processes` as in `processes.done`; `of_hdf5`: what is taken of HDF5 files. Raises BadInputError where PyAV or
    h5py is missing, no row is a video, or none has frames.
    """
    boxes.require_known(boxes_are)
    paths = data.image_paths()
    is_of_video = np.array([is_video(path) for path in paths])
    if not is_of_video.any():
        raise BadInputError(
            f"{data.source}: none of its {len(data)} rows is a video (e.g. {data.rows['path'].iloc[0]}). Videos end in "
            f"{', '.join(sorted(SUFFIXES)[:8])} ..."
        )
    _require_readers(paths)
    require_writable(out)
    places = [_place(out, sample) for sample in data.rows["sample_id"]]
    work = partial(_worked, sampling=sampling, of_hdf5=of_hdf5)
    told = data.rows.reindex(columns=[FLIPPED, MODALITY]).astype("str").fillna("")
    items = [
        _Clip(paths[row], places[row], told[FLIPPED].iloc[row] == "yes", told[MODALITY].iloc[row])
        for row in np.flatnonzero(is_of_video)
    ]
    taken: dict[Path, Taken] = {}
    with end_of(out / ".lock"), task("Reading videos", len(items)) as shown:  # a second command waits for the first
        for clip, result in processes.done(work, items, n_processes):
            taken[clip.folder] = result or Taken(problem="its decoder crashed")
            shown.advance()
    rows, left = _rows(data, out, places, taken)
    notes = _notes(data, taken, sampling)
    if rows.empty:
        reasons = "; ".join(f"{reason} ({n})" for reason, n in left["reason"].value_counts().items())
        raise BadInputError(f"{data.source}: none of its {len(items)} videos has a frame that can be read: {reasons}.")
    checked = manifest.checked(rows)
    if checked.problems:
        raise BadInputError(manifest.problems_message(data.source, checked.problems))
    placed, more = boxes.filled(Manifest(checked.rows, out / "manifest.csv"), _displays(data, out, taken), boxes_are)
    manifest.write(placed, out / "manifest.csv")
    write_table(left, out / "manifest.left.csv")
    return Frames(placed, left, [*notes, *more], len(items), int((~is_of_video).sum()))


def _displays(data: Manifest, out: Path, taken: dict[Path, Taken]) -> dict[str, Display]:
    """How the video of each file of boxes is shown."""
    there = manifest.relocated(data, out / "manifest.csv")
    if BOXES not in there:
        return {}
    of_rows = [taken.get(_place(out, sample), Taken()).display for sample in there["sample_id"]]
    return {name: display for name, display in zip(there[BOXES], of_rows, strict=True) if name and display is not None}


def _place(out: Path, sample: str) -> Path:
    """The folder of a video's frames."""
    return out / FRAMES / _folder_name(sample)


def require_frames(data: Manifest) -> None:
    """Raises BadInputError where rows of a manifest are videos, of which a model can make nothing."""
    videos = [path for path in data.rows["path"] if is_video(Path(path))]
    if videos:
        raise BadInputError(
            f"{data.source}: {len(videos)} of {len(data)} rows are videos (e.g. {videos[0]}). Take their frames first: "
            f"fas data frames {data.source} --out DIR"
        )


def _require_readers(paths: Iterable[Path]) -> None:
    """Raises BadInputError where a package is missing that some of the files are read by."""
    suffixes = {path.suffix.lower() for path in paths}
    if suffixes & (SUFFIXES - streams.SUFFIXES):
        require_av()
    if suffixes & streams.SUFFIXES:
        streams.require_h5py()


def _folder_name(sample: str) -> str:
    """Readable and unique: what of the id every file system can hold, and the beginning of its hash."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", sample).strip("._")[-80:]
    return f"{readable or 'video'}-{hashlib.sha256(sample.encode()).hexdigest()[:10]}"


def _rows(data: Manifest, out: Path, places: list[Path], taken: dict[Path, Taken]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The manifest's rows, each video's one repeated for its frames, in order; and what left."""
    there = manifest.relocated(data, out / "manifest.csv")
    there["video_id"] = [
        video or (sample if place in taken else "")
        for video, sample, place in zip(there["video_id"], there["sample_id"], places, strict=True)
    ]
    parts, left = [], []
    for row, place in enumerate(places):
        result = taken.get(place)
        if result is None:
            parts.append(there.iloc[[row]])
            continue
        folder = place.relative_to(out).as_posix()
        repeated = there.iloc[np.full(len(result.numbers), row)]
        sample = there["sample_id"].iloc[row]
        parts.append(
            repeated.assign(
                path=[f"{folder}/{number:06d}.jpg" for number in result.numbers],
                sample_id=[f"{sample}#{number}" for number in result.numbers],
                frame=np.array(result.numbers, np.float64),
                time=[round(time, 6) for time in result.times],
            )
        )
        parts += [_of_stream(there.iloc[[row]], folder, stream) for stream in result.streams]
        if result.problem:
            known = {name: data.rows[name].iloc[row] for name in LEFT_COLUMNS if name in data.rows}
            left.append(known | {"frames": result.n, "reason": result.problem})
    return pd.concat(parts, ignore_index=True), pd.DataFrame(left, columns=list(LEFT_COLUMNS))


def _of_stream(row: pd.DataFrame, folder: str, stream: Stream) -> pd.DataFrame:
    """A recording's row, repeated for the frames of one of its streams: companions share presentation and frame."""
    sample, named = row["sample_id"].iloc[0], row.get(PRESENTATION, row["video_id"])
    repeated = row.iloc[np.zeros(len(stream.numbers), np.int64)].assign(
        path=[f"{folder}/{stream.folder}/{number:06d}.{stream.ending}" for number in stream.numbers],
        sample_id=[f"{sample}#{stream.modality}-{number}" for number in stream.numbers],
        frame=np.array(stream.numbers, np.float64),
        time=[round(time, 6) for time in stream.times] or np.nan,
        **{MODALITY: stream.modality, PRESENTATION: named.iloc[0] or row["video_id"].iloc[0]},
    )
    if stream.eyes:
        repeated[list(boxes.EYES)] = [eyes or (np.nan,) * len(boxes.EYES) for eyes in stream.eyes]
    return repeated


def _notes(data: Manifest, taken: dict[Path, Taken], sampling: Sampling) -> list[str]:
    counted = Counter(note for result in taken.values() for note in result.notes)
    notes = [f"{n} {'video' if n == 1 else 'videos'}: {note}." for note, n in sorted(counted.items())]
    each = [len(numbers) for of in taken.values() for numbers in (of.numbers, *(s.numbers for s in of.streams))]
    few = sum(0 < n < (sampling.n or 0) for n in each)
    if few:
        notes.append(
            f"{few} {'video has' if few == 1 else 'videos have'} fewer than {sampling.n} frames: all are taken."
        )
    if "frame" in data.rows and data.rows["frame"].notna().any():
        notes.append(f"{data.source}: its column frame is replaced for videos by the number of each frame.")
    return notes


# ----------------------------------------------------------------------------------------------------------- one video


class _Clip(NamedTuple):
    path: Path
    folder: Path  # of its frames
    is_flipped: bool = False  # stored upside down, as the data set says
    modality: str = ""  # as the data set says

    @property
    def is_hdf5(self) -> bool:
        return self.path.suffix.lower() in streams.SUFFIXES


@dataclass(frozen=True)
class _Kept:
    """What lies beside the frames of a video."""

    made_from: Mapping[str, Any]
    taken: Taken


def _worked(clip: _Clip, sampling: Sampling, of_hdf5: Streams) -> Taken:
    """The frames of a video in its folder, now or from before."""
    path, folder, is_flipped, modality = clip
    try:
        stat = path.stat()
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return Taken(
            problem="no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        )
    if not S_ISREG(stat.st_mode):  # a pipe or device would block or never end
        shutil.rmtree(folder, ignore_errors=True)
        return Taken(problem="not a regular file")
    made_from = {"bytes": stat.st_size, "changed": stat.st_mtime_ns, "sampling": sampling.words, "rules": RULES}
    made_from |= {"flipped": True} if is_flipped else {}
    made_from |= {"rules": streams.RULES, "streams": repr(of_hdf5), "modality": modality} if clip.is_hdf5 else {}
    with suppress(OSError, ValueError):  # none yet, or not whole
        kept = read_as(_Kept, documents.read(folder / ABOUT), "it")
        if kept.made_from == made_from and len(kept.taken.numbers) == len(kept.taken.times):
            return kept.taken
    temporary = folder.with_name(f".{folder.name}.tmp")
    for stale in (temporary, folder):
        shutil.rmtree(stale, ignore_errors=True)
    make_folder(temporary)
    try:
        if clip.is_hdf5:
            several, problem, notes = streams.write_streams(
                path, temporary, modality, of_hdf5, sampling.every, sampling.n
            )
            taken = Taken(problem=problem, notes=notes, streams=several)
        else:
            taken = _taken(path, temporary, sampling, is_flipped=is_flipped)
        if taken.n:
            (temporary / ABOUT).write_text(json.dumps(asdict(_Kept(made_from, taken))))
            temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return taken


def _taken(path: Path, folder: Path, sampling: Sampling, *, is_flipped: bool = False) -> Taken:
    """Writes the wanted frames into `folder`."""
    numbers: list[int] = []
    times: list[float] = []
    wanted = None
    if sampling.n is not None:
        counted = Reading(path)
        total = sum(1 for _ in counted.frames())
        wanted = {math.floor((part + 0.5) * total / sampling.n) for part in range(sampling.n)} if total else set()
    reading = Reading(path)
    due, last = 0.0, 0.0
    shown = by_file = None
    for number, seconds, frame in reading.frames():
        last = seconds
        if wanted is not None:
            is_wanted = number in wanted
        else:
            if math.isnan(seconds):
                return Taken(
                    problem="no times: neither its frames nor its header say when they are shown; take them by --n"
                )
            is_wanted = seconds >= due - 1e-6
        if not is_wanted:
            continue
        if sampling.every is not None:
            due = (math.floor(seconds / sampling.every + 1e-6) + 1) * sampling.every
        if shown is None:
            shown = by_file = Display.of(frame, reading.pixel_ratio)
            if is_flipped and not by_file.is_turned:
                shown = replace(by_file, is_upside_down=True)
                reading.notes.add("flipped, stored upside down as the data set says")
            elif by_file.is_turned:
                reading.notes.add("turned or mirrored as its display matrix says")
        shown.picture(frame).save(folder / f"{number:06d}.jpg", quality=QUALITY)
        numbers.append(number)
        times.append(seconds)
    problem = reading.problem
    if problem == DAMAGED:
        kept = f"after {reading.n} frames, {last:.2f} s; kept up to there"
        problem = f"damaged: {kept if reading.n else 'from its first frame on'}"
    elif problem.startswith("cut off: its header"):
        problem += f", its frames end at {last:.1f} s"
    return Taken(tuple(numbers), tuple(times), problem, tuple(sorted(reading.notes)), by_file)
