"""A head: relief, albedo, eyes, mouth and hair, and how it is seen and lit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fas_core.data.synthetic.noise import (
    CANVAS,
    CENTRE_Y,
    GRID,
    UNIT,
    Array,
    Pose,
    Rng,
    Traits,
    Window,
    bell,
    mix,
    smooth_noise,
    soft_step,
)
from fas_core.data.synthetic.people import BEANIE

# --- a head at rest --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """Vertices on a (GRID, GRID) grid with their surface, and where the moving parts are."""

    traits: Traits
    cover: str  # "" for skin, else the attack's detail
    x: Array
    y: Array
    z: Array
    normal: tuple[Array, Array, Array]
    albedo: Array
    gloss: Array
    cavity: Array  # factor on the light: below 1 in hollows
    jaw: Array  # share of the jaw's drop that moves each vertex
    brow: Array  # share of the brows' lift
    eyes: list[tuple[float, Window]]  # side (-1, 1) and part of the grid of each eye
    mouth: Window

    @property
    def landmarks(self) -> tuple[Array, Array]:
        """Rows and columns of the grid, (4,) each: its right eye, its left one, the nose's tip, the mouth's middle."""
        t = self.traits
        at = [(-t["eye_x"], t["eye_y"]), (t["eye_x"], t["eye_y"]), (0.0, t["nose_len"] - 0.05), (0.0, t["mouth_y"])]
        nearest = [np.argmin(np.square(self.x - x) + np.square(self.y - y) + 9.0 * (self.z < 0)) for x, y in at]
        rows, columns = np.unravel_index(nearest, self.x.shape)
        return rows, columns


def egg(traits: Traits) -> tuple[Array, Array, Array, Array]:
    """x, y, z and longitude (radians, 0 in front) of a face-shaped egg; the grid is finest along the face's middle."""
    latitude = np.radians(np.linspace(-80, 87, GRID, dtype=np.float32))[:, None]
    across = np.linspace(-1, 1, GRID, dtype=np.float32)[None, :]
    longitude = math.radians(118) * (0.62 * across + 0.38 * across**3)
    y = (1.13 + traits["long"]) * np.sin(latitude) - 0.05 + 0 * longitude
    half_width = traits["width"] * np.cos(latitude) ** 0.55 * (1 - traits["jaw"] * soft_step(0.3, 1.15, y))
    half_depth = traits["depth"] * np.cos(latitude) ** 0.4 * (1 - 0.06 * soft_step(0.3, 1.15, y))
    power = traits["square"]
    radius = np.abs(np.sin(longitude) / half_width) ** power + np.abs(np.cos(longitude) / half_depth) ** power
    radius = radius ** (-1 / power)
    return radius * np.sin(longitude), y, radius * np.cos(longitude), longitude + 0 * y


def relief(traits: Traits, x: Array, y: Array) -> Array:
    """How far the features stand out of the egg, towards the camera."""
    t = traits
    eye_x, eye_y, tip, mouth = t["eye_x"], t["eye_y"], t["nose_len"] - 0.07, t["mouth_y"]
    bumps = [  # x (mirrored unless 0), y, width, height, how far out
        (eye_x, eye_y + 0.01, 0.18, 0.12, -0.085 * t["socket"]), (eye_x, eye_y + 0.005, 0.1, 0.07, 0.055),
        (eye_x * 0.85, t["brow_y"] + 0.01, 0.2, 0.06, 0.04 * t["brow_ridge"]), (0.43, 0.15, 0.18, 0.16, t["cheek"]),
        (0.38, 0.5, 0.14, 0.2, -0.03 * t["age"]), (0.95 * t["nose_w"], tip + 0.02, 0.05, 0.055, 0.075),
        (0, mouth - 0.02, 0.27, 0.2, 0.05), (0, mouth - 0.04, 0.15, 0.032, 0.035),
        (0, mouth - 0.12, 0.02, 0.05, -0.015), (0, mouth + 0.055, 0.13, 0.035, 0.04),
        (0, mouth + 0.15, 0.16, 0.05, -0.035), (0, 0.9, 0.16, 0.1, t["chin"]), (0.25, -0.45, 0.25, 0.2, 0.02),
    ]  # fmt: skip
    out = np.zeros_like(x)
    for bx, by, wide, high, amount in bumps:
        out += amount * (bell(x - bx, wide) + bell(x + bx, wide) if bx else bell(x, wide)) * bell(y - by, high)
    heights = np.array([0.0, t["nose_bridge"], 0.12, 0.21, 0.2, 0.1, 0.0]) * t["nose_high"]
    steps = [t["brow_y"] - 0.08, eye_y - 0.01, (eye_y + tip) / 2, tip - 0.03, tip + 0.02, tip + 0.07, tip + 0.13]
    ridge = ndimage.gaussian_filter1d(np.interp(y[:, 0], steps, heights), 2.5).astype(np.float32)
    width = np.interp(y[:, 0], [eye_y, tip], [0.065, t["nose_w"]]).astype(np.float32)
    return out + ridge[:, None] * np.exp(-(np.abs(x / width[:, None]) ** 2.1))


def normals(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Unit normals (three arrays) of a grid of vertices, outwards."""
    down = [np.gradient(v, axis=0) for v in (x, y, z)]
    right = [np.gradient(v, axis=1) for v in (x, y, z)]
    nx = right[1] * down[2] - right[2] * down[1]
    ny = right[2] * down[0] - right[0] * down[2]
    nz = right[0] * down[1] - right[1] * down[0]
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length


def window_around(x: Array, y: Array, z: Array, at: tuple[float, float], reach: tuple[float, float]) -> Window:
    """The part of the grid within `reach` of a point on the front of the face."""
    inside = (np.abs(x - at[0]) < reach[0]) & (np.abs(y - at[1]) < reach[1]) & (z > 0)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def hair_cover(rng: Rng, traits: Traits, x: Array, y: Array, longitude: Array) -> Array:
    """Share of hair on each vertex, 0 to 1: above a hairline with receding corners or a fringe, and beside the face."""
    strands = smooth_noise(rng, x.shape, 7.0, 1.5)
    ax = np.abs(x + 0.06 * traits["parting"])
    corners = traits["hair_peak"] * (1 - traits["fringe"]) * bell(ax - 0.38, 0.17)
    line = traits["hair_line"] + (0.008 + 0.014 * traits["fringe"]) * strands + 3.5 * np.maximum(ax - 0.56, 0) - corners
    line = line + traits["fringe"] * (0.18 + 0.1 * traits["parting"] * x)
    if traits["bald"]:
        return np.zeros_like(x)
    side = np.abs(longitude) + 0.012 * strands
    beside = soft_step(1.02, 1.3, side) * soft_step(traits["sideburn"] + 0.08, traits["sideburn"] - 0.08, y)
    if traits["long_hair"]:
        beside = soft_step(0.94, 1.24, side)
    return np.maximum(soft_step(0.04, -0.08, y - line), beside)


def beard_cover(rng: Rng, traits: Traits, x: Array, y: Array, longitude: Array) -> Array:
    """Share of beard on each vertex: jaw, chin and upper lip, not the lips."""
    if not traits["beard"]:
        return np.zeros_like(x)
    ax = np.abs(x)
    cheek_line = 0.3 + 0.28 * bell(ax - 0.3, 0.2) + 0.03 * smooth_noise(rng, x.shape, 3.0)
    jaw = soft_step(-0.06, 0.08, y - cheek_line) * soft_step(0.13, 0.2, ax) * soft_step(1.35, 1.05, np.abs(longitude))
    chin = soft_step(-0.04, 0.04, y - traits["mouth_y"] - 0.13) * soft_step(0.32, 0.18, ax)
    moustache = bell(y - (traits["nose_len"] + 0.1) - 0.4 * x * x, 0.05) * soft_step(0.36, 0.22, ax)
    lips = bell(x, 0.25) * bell(y - traits["mouth_y"], 0.085)
    return np.maximum(np.maximum(jaw, chin), moustache) * (1 - 0.9 * lips)


def brow_cover(rng: Rng, traits: Traits, x: Array, y: Array) -> Array:
    """Share of brow hair on each vertex."""
    along = (np.abs(x) - traits["eye_x"]) / 0.19
    middle = traits["brow_y"] - traits["brow_arch"] * (0.7 - (along - 0.2) ** 2) + 0.025 * along
    thick = traits["brow_thick"] * (0.9 - 0.3 * np.clip(along, -1, 1.2))
    ends = soft_step(-1.08, -0.8, along) * soft_step(1.2, 0.8, along)
    hairs = 0.9 + 0.15 * smooth_noise(rng, x.shape, 2.0, 0.8)
    return np.clip(np.exp(-(np.square((y - middle) / thick) ** 1.5)) * ends * hairs, 0, 1) * traits["brow_dark"]


def skin_albedo(rng: Rng, traits: Traits, x: Array, y: Array) -> Array:
    """Reflectance of bare skin in the near infrared: bright and even, with a few lines and moles."""
    t, ax = traits, np.abs(x)
    skin = t["skin"] * (1 + t["mottle"] * (smooth_noise(rng, x.shape, 9.0) + 0.3 * smooth_noise(rng, x.shape, 1.5)))
    fold = bell(ax - (0.15 + 0.55 * (y - 0.3)), 0.024) * soft_step(0.27, 0.34, y) * soft_step(0.66, 0.5, y)
    bag = bell(y - (t["eye_y"] + 0.12 - 0.9 * (ax - t["eye_x"]) ** 2), 0.022) * bell(ax - t["eye_x"], 0.13)
    lines = sum(bell(y - level + 0.1 * x * x, 0.011) for level in (-0.36, -0.43, -0.5)) * bell(x, 0.35)
    crows = bell(ax - t["eye_x"] - 0.24, 0.05) * np.square(np.sin(35 * (y - t["eye_y"]))) * bell(y - t["eye_y"], 0.08)
    skin = skin * (1 - t["age"] * (0.26 * fold + 0.13 * lines + 0.12 * crows) - 0.16 * t["bags"] * bag)
    for _ in range(int(rng.integers(0, 4))):
        skin = skin * (1 - 0.5 * bell(np.hypot(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.85)), 0.016))
    nostril = bell(ax - 0.55 * t["nose_w"], 0.03) * bell(y - t["nose_len"] - 0.005, 0.016)
    wing = bell(np.hypot(ax - 0.9 * t["nose_w"], 1.1 * (y - t["nose_len"] + 0.05)) - 0.062, 0.012)
    return skin * (1 - 0.75 * nostril) * (1 - 0.22 * wing * soft_step(0.9, 1.3, ax / t["nose_w"]))


def mask_albedo(rng: Rng, cover: str, traits: Traits, x: Array, y: Array) -> Array:
    """Reflectance of latex or plastic: uniform but for seams and a slit of a mouth; painted lips on a mannequin."""
    t, ax = traits, np.abs(x)
    tone = t["skin"] * (1 + 0.015 * smooth_noise(rng, x.shape, 14.0))
    slit = bell(y - t["mouth_y"] - 0.1 * x * x, 0.018) * soft_step(t["mouth_w"], t["mouth_w"] - 0.05, ax)
    if cover == "mannequin":
        lips = bell(y - t["mouth_y"], 0.05) * soft_step(t["mouth_w"], 0.1, ax)
        return tone * (1 - 0.25 * lips - 0.25 * slit) * (1 - 0.3 * t["painted"] * brow_cover(rng, t, x, y))
    nostril = bell(ax - 0.058, 0.022) * bell(y - t["nose_len"], 0.013)
    seam = bell(ax - t["seam"] + 0.12 * np.abs(y), 0.012)
    return tone * (1 - 0.85 * slit) * (1 - 0.7 * nostril) * (1 - 0.22 * seam)


def mask_relief(rng: Rng, cover: str, traits: Traits, x: Array, y: Array, z: Array) -> Array:
    """A mask's depth: details melt away, latex sags, and the eye holes are cut in."""
    if cover == "mannequin":
        return ndimage.gaussian_filter(z, 1.5)
    z = ndimage.gaussian_filter(z, 4.0)
    if cover == "latex mask":
        z = z + 0.006 * smooth_noise(rng, x.shape, 7.0, 11.0)
    hole = np.hypot((np.abs(x) - traits["eye_x"]) / traits["hole_w"], (y - traits["eye_y"]) / traits["hole_h"])
    return z - 0.13 * soft_step(1.15, 0.85, hole)


def hat_albedo(rng: Rng, traits: Traits, hat: int, x: Array, y: Array, longitude: Array) -> Array:
    """Reflectance of a cap's panels or a knitted beanie."""
    seams = -0.5 * bell(np.sin(longitude * 2.5), 0.03) - 0.3 * bell(y + 0.52, 0.015)
    knit = 0.16 * np.sin(longitude * 60) + 0.2 * soft_step(-0.66, -0.68, y)
    pattern = knit if hat == BEANIE else seams
    return traits["hat_tone"] * (1 + pattern + 0.05 * smooth_noise(rng, x.shape, 1.0))


def head_at_rest(rng: Rng, traits: Traits, hat: int = 0, cover: str = "") -> Head:
    """A subject's head, bare (0) or in a hat, or the head of a mask or mannequin (`cover`)."""
    x, y, z, longitude = egg(traits)
    z = z + relief(traits, x, y) * soft_step(-0.1, 0.5, np.cos(longitude))
    if cover:
        z = mask_relief(rng, cover, traits, x, y, z)
    ear = bell(np.abs(longitude) - 1.62, 0.15) * np.sqrt(np.clip(1 - np.square((y - 0.06) / 0.28), 0, 1))
    hair = hair_cover(rng, traits, x, y, longitude)
    hair, ear = (hair, 0 * ear) if traits["long_hair"] else (hair * (1 - soft_step(0.2, 0.5, ear)), ear)
    beard = beard_cover(rng, traits, x, y, longitude)
    under_hat = min(hat, 1) * soft_step(0.025, -0.025, y + 0.5 - 0.1 * np.square(x))
    # What covers the skin shows before it rises, or its edge would be a bright step of skin.
    volume = traits["hair_volume"] * (1 + 0.12 * smooth_noise(rng, x.shape, 9.0, 5.0)) * hair
    grow = 1 + np.maximum(volume * (1 - under_hat), (0.07 + 0.03 * hat) * under_hat) + 0.015 * beard * traits["beard"]
    x, z = x * grow + np.sign(x) * traits["ear"] * ear, z * grow
    y = y - 0.8 * (grow - 1) * soft_step(0.0, -1.0, y)

    albedo = mask_albedo(rng, cover, traits, x, y) if cover else skin_albedo(rng, traits, x, y)
    albedo = albedo * (1 - 0.45 * ear * bell(np.abs(longitude) - 1.55, 0.08) * bell(y - 0.04, 0.14))
    if not cover:
        albedo = mix(albedo, 0.8 * traits["hair"], brow_cover(rng, traits, x, y))
    stubble = (traits["hair"] + 0.08) * (1 + 0.25 * smooth_noise(rng, x.shape, 1.8, 0.8))
    albedo = mix(albedo, stubble, beard * (0.25 + 0.6 * traits["beard"]))
    strands = smooth_noise(rng, x.shape, 16.0, 1.4) + smooth_noise(rng, x.shape, 16.0, 4.0)
    albedo = mix(albedo, traits["hair"] * (1 + 0.15 * strands), soft_step(0.0, 0.35, hair))
    albedo = albedo * (1 - 0.35 * min(hat, 1) * bell(y + 0.44, 0.09))  # the hat's shadow
    albedo = mix(albedo, hat_albedo(rng, traits, hat, x, y, longitude), under_hat)
    eye, mouth = (traits["eye_x"], traits["eye_y"]), traits["mouth_y"]
    return Head(
        traits, cover, x, y, z, normals(x, y, ndimage.gaussian_filter(z, 0.8)), albedo,
        gloss=traits["shine"] * (1 - np.maximum(hair * 0.7, under_hat)) * (1 - 0.8 * beard),
        cavity=np.clip(1 + 3.2 * (z - ndimage.gaussian_filter(z, 7.0, truncate=2.5)), 0.55, 1.12),
        jaw=soft_step(mouth - 0.14, mouth + 0.32, y) * soft_step(1.5, 0.6, np.abs(longitude)),
        brow=bell(y - traits["brow_y"], 0.13) * bell(np.abs(x) - eye[0], 0.25),
        eyes=[(side, window_around(x, y, z, (side * eye[0], eye[1]), (0.26, 0.17))) for side in (-1.0, 1.0)],
        mouth=window_around(x, y, z, (0.0, mouth), (0.42, 0.26)),
    )  # fmt: skip


# --- a face in motion ------------------------------------------------------------------------------------------------


def paint_eye(albedo: Array, head: Head, side: float, window: Window, mood: Traits, looks: Traits) -> None:
    """One eye into `albedo`: lids, sclera, iris, dark pupil, lashes and the illuminator's glint."""
    t = head.traits
    gaze_x, gaze_y = (0.0, 0.0) if head.cover == "mannequin" else (mood["gaze_x"], mood["gaze_y"])
    dx = side * head.x[window] - t["eye_x"]  # outwards, in both eyes
    dy = head.y[window] - t["eye_y"] + t["eye_tilt"] * dx
    along = dx / t["eye_w"]
    arch = np.clip(1 - along * along, 0, 1)
    upper = -t["eye_h"] * (1.55 * mood["lids"] - 0.55) * arch**0.65
    lower = 0.5 * t["eye_h"] * arch**0.8
    patch = albedo[window]
    if head.cover and head.cover != "mannequin":  # the wearer's lids, in the shade of the hole
        hole = np.hypot(dx / t["hole_w"], dy / t["hole_h"])
        patch = mix(mix(patch, 0.3, soft_step(1.1, 0.9, hole)), 0.1, bell(hole - 1.0, 0.13))
    from_iris = np.hypot(dx - side * gaze_x, dy - gaze_y + 0.01)
    ball = 0.64 * (1 - 0.3 * along * along) - 0.25 * bell(dy - upper, 0.025)
    ball = mix(ball, t["iris"] * (1 - 0.45 * bell(from_iris - 0.068, 0.014)), soft_step(0.078, 0.066, from_iris))
    ball = mix(ball, 0.03, soft_step(0.04, 0.03, from_iris))
    if head.cover != "mannequin":
        glint = np.hypot(dx - side * (0.55 * gaze_x + 0.02 * looks["light_x"] + 0.008), dy - 0.5 * gaze_y + 0.028)
        ball = mix(ball, 2.2, soft_step(0.017, 0.008, glint))
    shown = soft_step(-0.006, 0.006, dy - upper) * soft_step(0.006, -0.006, dy - lower) * (np.abs(along) < 1)
    near = np.abs(along) < 1.06
    lashes = bell(dy - upper + 0.004, 0.013) * near * (0.5 + 0.25 * np.clip(along, -1, 1))
    crease = bell(dy - upper + 0.055 - 0.02 * along, 0.012) * soft_step(1.2, 0.7, np.abs(along))
    patch = patch * (1 - 0.28 * crease) * (1 - 0.25 * bell(dy - lower, 0.008) * near)
    albedo[window] = mix(patch, ball, shown) * (1 - lashes)


def paint_mouth(albedo: Array, head: Head, mood: Traits) -> None:
    """Lips, the line between them, and the dark (with teeth, when smiling) of an open mouth."""
    t = head.traits
    x, y = head.x[head.mouth], head.y[head.mouth]
    along = x / (t["mouth_w"] * (1 + 0.22 * mood["smile"] - 0.12 * mood["open"]))
    arch = np.clip(1 - along * along, 0, 1)
    dy = y - t["mouth_y"] + 0.06 * mood["smile"] * along * along - 0.008 * bell(along, 0.25)
    gap = 0.075 * mood["open"] * arch**0.6
    upper = -gap - t["lip"] * 0.9 * arch**0.7 * (1 - 0.3 * bell(along, 0.16))
    lower = gap + t["lip"] * 1.1 * arch**0.6
    lips = soft_step(-0.008, 0.008, dy - upper) * soft_step(0.008, -0.008, dy - lower) * (arch > 0)
    inside = soft_step(-0.006, 0.006, dy + gap) * soft_step(0.006, -0.006, dy - gap) * (gap > 0.004)
    teeth = soft_step(0.0, 0.01, gap - 0.02) * soft_step(0.045, 0.03, dy + gap) * soft_step(0.75, 0.4, np.abs(along))
    corner = bell(np.abs(along) - 1.0, 0.1) * bell(dy, 0.025)
    seam = bell(dy, 0.012) * (np.abs(along) < 1.02) * (1 - inside)
    patch = albedo[head.mouth] * (1 - (1 - t["lip_dark"]) * lips) * (1 - 0.5 * seam) * (1 - 0.3 * corner)
    tongue = 0.16 * soft_step(0.0, 0.05, dy) * bell(along, 0.6)
    albedo[head.mouth] = mix(patch, 0.09 + tongue + (0.25 + 0.35 * mood["smile"]) * teeth, inside)


@dataclass(frozen=True)
class View:
    """Where a head point lands on the canvas: rotation, scale, then the shift that keeps the crop on the face."""

    turn: Array  # (3, 3)
    scale: float
    shift: tuple[float, float]

    def __call__(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Canvas column, canvas row, and depth towards the camera, which is about a metre away."""
        r = self.turn
        depth = r[2, 0] * x + r[2, 1] * y + r[2, 2] * z
        zoom = self.scale * 6.5 / (7.3 - depth)
        column = zoom * (r[0, 0] * x + r[0, 1] * y + r[0, 2] * z) + self.shift[0]
        return column, zoom * (r[1, 0] * x + r[1, 1] * y + r[1, 2] * z) + self.shift[1], depth

    def points(self, xyz: Array) -> list[tuple[float, float]]:
        """(n, 3) head points as (column, row) pairs, for drawing."""
        column, row, _ = self(*np.asarray(xyz, dtype=np.float32).T)
        return list(zip(column.tolist(), row.tolist(), strict=True))


def view_of(pose: Pose, scale: float, jitter: Array) -> View:
    """Turned sideways by pose_x, up by pose_y, tilted by pose_z degrees (positive: right, up, clockwise)."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a), math.sin(a)) for a in map(math.radians, pose))
    turn = np.array([[cx, 0, sx], [0, 1, 0], [-sx, 0, cx]])
    nod = np.array([[1, 0, 0], [0, cy, -sy], [0, sy, cy]])
    tilt = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    still = View((tilt @ nod @ turn).astype(np.float32), UNIT * scale, (0.0, 0.0))
    [(column, row)] = still.points(np.array([[0.0, CENTRE_Y, 0.6]]))
    return View(still.turn, still.scale, (CANVAS / 2 - column + float(jitter[0]), CANVAS / 2 - row + float(jitter[1])))


def lit(head: Head, view: View, looks: Traits, albedo: Array) -> Array:
    """(GRID, GRID) brightness of each vertex: softened Lambert, hollows, and a sheen."""
    nx, ny, nz = head.normal

    def facing(x: float, y: float, z: float) -> Array:
        """Cosine between each normal and a direction of the camera's frame."""
        light = view.turn.T @ (np.array([x, y, z], dtype=np.float32) / np.float32(math.hypot(x, y, z)))
        return light[0] * nx + light[1] * ny + light[2] * nz

    key = facing(looks["light_x"], looks["light_y"], 1.0)
    light = looks["ambient"] + looks["key"] * np.maximum(0.86 * key + 0.14, 0)
    if looks["fill"]:
        light += looks["fill"] * np.maximum(0.7 * facing(looks["fill_x"], -0.2, 0.25) + 0.3, 0)
    light *= head.cavity * (0.86 + 0.2 * head.z)  # the illuminator is near, so the nose gets more than the ears
    sheen = np.maximum(facing(0.5 * looks["light_x"], 0.5 * looks["light_y"], 1.0), 0)
    for _ in range(6 if head.cover in ("mannequin", "plastic mask") else 4):
        sheen = sheen * sheen
    return albedo * light + head.gloss * sheen


def drawn(view: View, head: Head, y: Array, value: Array, behind: Array) -> Array:
    """(CANVAS, CANVAS): the lit vertices over the scene, far ones first, each on 2 x 2 pixels so that no gaps open."""
    column, row, depth = view(head.x, y, head.z)
    towards = view.turn[2, 0] * head.normal[0] + view.turn[2, 1] * head.normal[1] + view.turn[2, 2] * head.normal[2]
    shown = (towards > -0.4) & (column >= 0) & (column < CANVAS - 1) & (row >= 0) & (row < CANVAS - 1)
    ids = np.flatnonzero(shown)
    ids = ids[np.argsort((depth.ravel()[ids] * 8000).astype(np.int16), kind="stable")]
    pixel = row.ravel()[ids].astype(np.int32) * CANVAS + column.ravel()[ids].astype(np.int32)
    targets = (pixel[:, None] + np.array([CANVAS + 1, CANVAS, 1, 0], dtype=np.int32)).ravel()
    canvas = behind.ravel().copy()
    canvas[targets] = np.repeat(value.ravel()[ids], 4)
    return canvas.reshape(CANVAS, CANVAS)
