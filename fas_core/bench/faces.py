"""Faces found, their places and poses held against what is known of them, and the time it takes, on one thread.

Without `--data` on rendered heads, whose pose is known. With it on a manifest's pictures: boxes and eyes that it gives
(`box_x`, ..., `right_eye_x`, ...) are what is to be found, `pose_x`, `pose_y`, `pose_z` the pose; of a column `pose` of
words (straight, left, ...) the share of each that is found, and that stays within 10 degrees.

The targets are absolute: a video must not take much longer than to decode it, whatever it is compared with. Times are
those of the thread, so that others on the machine do not count.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from fas_core.data import boxes, images, manifest
from fas_core.data.boxes import BOX, EYES
from fas_core.data.faces import blazeface, cutting, hog, pose
from fas_core.data.faces.face import Face, overlap
from fas_core.data.manifest import Manifest
from fas_core.data.names import POSE
from fas_core.errors import BadInputError
from fas_core.texts import read_numbers

HEADS, FRAMES = 12, 6  # rendered
WITHIN = 10.0  # degrees, as the filter has it
TARGETS = {"found": ("at_least", 0.9), "blazeface_milliseconds": ("at_most", 5.0)}
QUICK: dict[str, int] = {}  # as it is


def figures(data: Path | None = None) -> dict[str, float]:
    """Shares, medians of differences and milliseconds. Raises BadInputError where BlazeFace is not installed."""
    if not blazeface.is_installed():
        raise BadInputError(f"BlazeFace is not installed: {cutting.INSTALL}")
    if data is not None:
        return _figures(manifest.read(data))
    with tempfile.TemporaryDirectory() as folder:
        return _figures(_rendered(Path(folder)))


def _rendered(folder: Path) -> Manifest:
    """Live heads with their poses, of which the renderer calls the yaw x and the pitch y."""
    from fas_core.data.synthetic.data_set import session_images
    from fas_core.data.synthetic.people import sessions_of_subject, traits_of_subject

    rows = []
    for subject in range(HEADS):
        session = sessions_of_subject(0, subject, 1.0)[0]
        for number, (pixels, columns) in zip(
            range(FRAMES), session_images(0, subject, traits_of_subject(0, subject), session), strict=False
        ):
            path = f"{subject}-{number}.png"
            Image.fromarray(pixels).save(folder / path)
            angles = {"pose_x": columns["pose_y"], "pose_y": columns["pose_x"], "pose_z": columns["pose_z"]}
            rows.append({"path": path, "label": "live", "subject_id": f"s{subject}"} | angles)
    pd.DataFrame(rows).to_csv(folder / "heads.csv", index=False)
    return manifest.read(folder / "heads.csv")


def _figures(data: Manifest) -> dict[str, float]:
    seconds: dict[str, list[float]] = {blazeface.NAME: [], "points": [], hog.NAME: []}
    seen = pd.DataFrame([_seen(path, seconds) for path in data.image_paths()])
    is_found = seen["face"].notna()
    measured = {
        "pictures": float(len(seen)),
        "found": float(is_found.mean()),
        **{f"{name}_alone": float(seen[name].mean()) for name in (blazeface.NAME, hog.NAME) if name in seen},
        **{f"{name}_milliseconds": 1e3 * float(np.median(values)) for name, values in seconds.items() if values},
    }
    if not is_found.any():
        return measured
    rows, _ = boxes.filled(data)
    known = {name: read_numbers(rows[name].astype("str").fillna("")) for name in (*BOX, *EYES) if name in rows}
    if set(BOX) <= set(known):
        given = np.stack([known[name] for name in BOX], axis=1)
        agreement = [
            overlap(f.box, g) for f, g in zip(seen["face"][is_found], given[is_found], strict=True) if g[2] > 0
        ]
        measured["box_overlap"] = float(np.median(agreement)) if agreement else np.nan
        measured["boxes_over_half"] = float(np.mean([each > 0.5 for each in agreement])) if agreement else np.nan
    if set(EYES) <= set(known):
        given = np.stack([known[name] for name in EYES], axis=1).reshape(-1, 2, 2)
        measured["eyes_off"] = _eyes_off(seen["face"][is_found], given[is_found])
    return measured | _poses(data, seen)


def _seen(path: Path, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The face of a picture, the raw pose, and which detector finds any by itself."""
    try:
        picture = images.eight_bits(images.picture(path)).convert("RGB")
    except images.UnreadableImageError:
        return {"face": None, **dict.fromkeys(POSE, np.nan)}
    found_by = {}
    for module in cutting.detectors():
        start = time.thread_time()
        found_by[module.NAME] = bool(module.faces(picture))
        seconds[module.NAME].append(time.thread_time() - start)
    try:
        face: Face | None = cutting.chosen(picture)[0]
    except cutting.NoFace:
        face = None
    angles = (np.nan,) * 3
    if face is not None:
        start = time.thread_time()
        points = blazeface.points(picture, face)
        seconds["points"].append(time.thread_time() - start)
        angles = angles if points is None else pose.of_points(points)
    return {"face": face} | found_by | dict(zip(POSE, angles, strict=True))


def _eyes_off(faces: pd.Series, given: np.ndarray) -> float:
    """The median distance of an eye from where it is given, in distances between the eyes."""
    off = [
        np.linalg.norm(face.eyes - eyes, axis=1).mean() / np.linalg.norm(eyes[1] - eyes[0])
        for face, eyes in zip(faces, given, strict=True)
        if face.eyes is not None and not np.isnan(eyes).any()
    ]
    return float(np.median(off)) if off else np.nan


def _poses(data: Manifest, seen: pd.DataFrame) -> dict[str, float]:
    own = seen[list(POSE)].astype(np.float64)
    tilt, _ = pose.camera_tilt(own.join(data.rows[["subject_id", "session_id"]]))
    own["pose_x"] -= tilt
    measured = {"poses": float(own.notna().all(axis=1).mean())}
    for name in POSE:
        off = (own[name] - data.rows[name]).dropna()
        if len(off):
            # What is a straight pitch differs by person and camera, and so does what a set takes for it.
            centred = off - off.groupby(data.rows["subject_id"]).transform("median") if name == "pose_x" else off
            measured[f"{name}_degrees_off"] = float(centred.abs().median())
    if "pose" in data.rows:
        stays = (own.abs() <= WITHIN).all(axis=1)
        for word, rows in data.rows.groupby(data.rows["pose"].astype("str")).indices.items():
            measured[f"found_{word}"] = float(seen["face"].notna().to_numpy()[rows].mean())
            measured[f"within_{word}"] = float(stays.to_numpy()[rows].mean())
    return measured
