"""Head pose from 468 points of a face, and what of it is the camera's.

Right-handed axes of the picture: x to the right, y down, z away from the camera. The head's own axes are x from its
right side to its left one, the mean of pairs of points that mirror each other, and y from the top of the forehead to
the chin, made perpendicular to x. The rotation from the picture's axes to the head's is Rz(roll) Ry(yaw) Rx(pitch), the
signs of yaw and pitch turned.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.faces.face import Floats

# Of the person's right and left: eyes' outer and inner corners, mouth, oval, jaw, nose, cheeks, brows.
RIGHT = [33, 133, 61, 234, 127, 132, 172, 93, 98, 50, 70, 107, 58]
LEFT = [263, 362, 291, 454, 356, 361, 397, 323, 327, 280, 300, 336, 288]
FOREHEAD, CHIN = 10, 152
EYE_CORNERS = ([33, 133], [263, 362])
NOSE_TIP, MOUTH_CORNERS = 4, [61, 291]

LEAST_GROUP = 5  # faces of a session from which its median pitch says how the camera is tilted
FACING, NEAR = 20.0, 15.0  # degrees of yaw, and of pitch from that of all, within which faces count for that


def of_points(points: Floats) -> tuple[float, float, float]:
    """(pitch, yaw, roll) in degrees of points (468, 3): > 0 looks up, to the picture's right, and falls to its right.

    A straight face has a pitch of its own, by its profile: `camera_tilt` takes it together with the camera's.
    """
    x = (points[LEFT] - points[RIGHT]).sum(0)
    x /= np.linalg.norm(x)
    y = points[CHIN] - points[FOREHEAD]
    y -= x * (x @ y)
    y /= np.linalg.norm(y)
    z = np.cross(x, y)
    yaw = -np.arcsin(np.clip(-x[2], -1, 1))
    pitch, roll = -np.arctan2(y[2], z[2]), np.arctan2(x[1], x[0])
    return float(np.degrees(pitch)), float(np.degrees(yaw)), float(np.degrees(roll))


def eyes_of(points: Floats) -> Floats:
    """(2, 2) the middles between the corners of the person's right eye and of the left one."""
    return np.stack([points[corners, :2].mean(0) for corners in EYE_CORNERS])


def nose_and_mouth(points: Floats) -> Floats:
    """(2, 2) the tip of the nose, and the middle between the corners of the mouth."""
    return np.stack([points[NOSE_TIP, :2], points[MOUTH_CORNERS, :2].mean(0)])


def camera_tilt(rows: pd.DataFrame) -> tuple[NDArray[np.float64], str]:
    """(n,) pitch in degrees that is the camera's, per session of a subject; NaN where no pose is known; and a sentence.

    People face the camera most of the time: of all faces that are not turned aside it is the middle of the half whose
    pitches are nearest to each other, so that those who look up or down do not move it. For a session it is the median
    of those near that, or where few are, the camera being another, the middle of its own half. Where sessions are
    unknown a subject's faces are one; `LEAST_GROUP` of them are needed, else it is that of all.
    `rows`: `subject_id`, `session_id`, `pose_x`, `pose_y`.
    """
    pitch = rows["pose_x"].to_numpy(np.float64)
    is_facing = rows["pose_y"].abs().to_numpy() <= FACING  # no for NaN
    overall = _middle(pitch[is_facing]) if is_facing.any() else 0.0
    tilt = np.where(np.isnan(pitch), np.nan, overall)
    groups = rows.groupby(["subject_id", "session_id"], sort=False).indices.values()
    n_small = 0
    for group in groups:
        facing = group[is_facing[group]]
        if len(facing) >= LEAST_GROUP:
            near = facing[np.abs(pitch[facing] - overall) <= NEAR]
            own = np.median(pitch[near]) if len(near) >= len(facing) / 3 else _middle(pitch[facing])
            tilt[group] = np.where(np.isnan(pitch[group]), np.nan, own)
        else:
            n_small += 1
    note = ""
    if n_small and is_facing.any():
        note = (
            f"{n_small} of {len(groups)} sessions have fewer than {LEAST_GROUP} faces towards the camera: its tilt "
            f"there is taken to be that of all, {overall:.1f}°."
        )
    return tilt, note


def _middle(pitch: Floats) -> float:
    """The median of the shortest half (the "shorth" of Andrews et al., 1972)."""
    ordered = np.sort(pitch)
    length = len(ordered) // 2 + 1
    spans = ordered[length - 1 :] - ordered[: len(ordered) - length + 1]
    first = int(spans.argmin())
    return float(np.median(ordered[first : first + length]))
