"""A face in front of a background, with what covers it, as a sensor takes it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from fas_core.data.synthetic.heads import Head, View, drawn, lit, paint_eye, paint_mouth, view_of
from fas_core.data.synthetic.noise import (
    CANVAS,
    CENTRE_Y,
    PAD,
    SIZE,
    UNIT,
    Array,
    Pose,
    Rng,
    Traits,
    bell,
    mix,
    smooth_noise,
    soft_step,
)
from fas_core.data.synthetic.people import CAP

# --- what is around the head -----------------------------------------------------------------------------------------


def scene_grid(scale: float) -> tuple[Array, Array]:
    """Head coordinates (x, y) of the padded canvas' pixels, for a head that looks straight ahead."""
    axis = (np.arange(-PAD, CANVAS + PAD, dtype=np.float32) - CANVAS / 2) / (UNIT * scale)
    return axis[None, :] + 0 * axis[:, None], axis[:, None] + CENTRE_Y + 0 * axis[None, :]


def box(x: Array, y: Array, wide: float, high: float, power: float = 4.0) -> Array:
    """1 inside a rounded box about 0, 0 outside."""
    return soft_step(1.05, 0.98, (np.abs(x / wide) ** power + np.abs(y / high) ** power) ** (1 / power))


def out_of_focus(tone: Array) -> Array:
    """A background worked out on every fourth pixel, blurred, at full size."""
    return ndimage.zoom(ndimage.gaussian_filter(tone, 0.8), 4, order=1, grid_mode=True, mode="nearest")


def cabin(rng: Rng, looks: Traits, x: Array, y: Array) -> Array:
    """A car at night: headrest, seat, a window with its pillar; out of focus."""
    x, y = x[::4, ::4], y[::4, ::4]
    slant = looks["fill_x"] * x + float(rng.uniform(-0.1, 0.3)) * y
    glow = float(rng.uniform(0.04, 0.35)) * (0.7 + 0.3 * smooth_noise(rng, x.shape, 6.0))
    window = np.maximum(glow, 0) * soft_step(0.55, 0.62, slant) * soft_step(0.55, 0.45, y)
    pillar = soft_step(0.05, 0.04, np.abs(slant - float(rng.uniform(0.85, 1.15))))
    seat_x = x - float(rng.normal(0.0, 0.15))
    tone = 0.03 + window * (1 - 0.9 * pillar)
    tone = mix(tone, looks["seat"] * (1.1 - 0.3 * y), box(seat_x, y + 0.35, 0.95, 0.62))
    return out_of_focus(mix(tone, looks["seat"] * 0.8, box(seat_x, y - 1.6, 1.5, 1.0)))


def office(rng: Rng, x: Array, y: Array) -> Array:
    """A light wall with the edge of a door, a shelf or a notice board; out of focus."""
    x, y = x[::4, ::4], y[::4, ::4]
    tilt = rng.uniform(-0.12, 0.12, 2).astype(np.float32)
    tone = float(rng.uniform(0.55, 0.85)) * (1 + tilt[0] * x + tilt[1] * y)
    for _ in range(int(rng.integers(1, 4))):
        at_x, at_y, wide, high = (float(v) for v in rng.uniform([-1.2, -1, 0.1, 0.2], [1.2, 1, 0.6, 1.2]))
        tone = mix(tone, tone * float(rng.uniform(0.45, 1.15)), box(x - at_x, y - at_y, wide, high, 12.0))
    return out_of_focus(tone)


def scene(rng: Rng, head: Head, looks: Traits) -> Array:
    """(CANVAS + 2 PAD) squared: cabin, shoulders, neck and long hair, in front of which the head is drawn."""
    t = head.traits
    x, y = scene_grid(looks["scale"])
    tone, ax = cabin(rng, looks, x, y), np.abs(x)
    if t["long_hair"]:
        outline = t["width"] + t["hair_volume"] + 0.06 + 0.05 * np.sin(2.2 * y + looks["phase"])
        strands = 1 + 0.2 * smooth_noise(rng, x.shape, 20.0, 2.0)
        tone = mix(tone, t["hair"] * 0.75 * strands, soft_step(0.04, -0.04, ax - outline) * soft_step(-0.6, -0.4, y))
    half_neck = t["neck"] + 0.35 * np.maximum(y - 1.0, 0)
    neck = t["skin"] * looks["key"] * (1 - 0.75 * np.square(x / half_neck)) * (0.3 + 0.6 * soft_step(0.8, 1.3, y))
    throat = soft_step(-0.02, 0.03, half_neck - ax) * soft_step(0.3, 0.4, y)
    if head.cover == "mannequin":
        return mix(tone, neck, throat)
    cloth = looks["cloth"] * (0.85 + 0.1 * smooth_noise(rng, x.shape, 8.0))
    tone = mix(tone, cloth, soft_step(-0.02, 0.02, y - 1.05 - 0.28 * np.maximum(ax - 0.4, 0)))
    return mix(tone, neck, throat * soft_step(0.02, -0.02, y - 1.22 + 0.6 * x * x))


def cap_brim(image: Array, view: View, looks: Traits, traits: Traits) -> Array:
    """A cap's brim, a curved sheet over the forehead."""
    angle = np.linspace(-1.15, 1.15, 24)
    near = np.stack([0.78 * np.sin(angle), -0.52 - 0.02 * np.cos(angle), 0.86 * np.cos(angle)], axis=1)
    far_y = -0.56 + 0.045 * (1 - np.cos(2 * angle))
    far = np.stack([0.74 * np.sin(angle), far_y, 0.5 + 0.85 * np.cos(angle)], axis=1)
    cover = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(cover).polygon(view.points(np.concatenate([near, far[::-1]])), fill=255)
    weight = ndimage.gaussian_filter(np.asarray(cover, dtype=np.float32) / 255, 1.0)
    shade = np.linspace(1.1, 0.6, CANVAS, dtype=np.float32)[:, None]
    return mix(image, traits["hat_tone"] * shade * looks["key"], weight)


def spectacles(image: Array, view: View, looks: Traits, traits: Traits, glare: float) -> Array:
    """Glasses: two rims, a bridge, temples, slightly dim lenses and the illuminator's reflections on them."""
    eye_y, width = traits["eye_y"], int(looks["frame_width"])
    pen, lens, shine = (Image.new("L", (CANVAS, CANVAS)) for _ in range(3))
    angle = np.linspace(0, 2 * np.pi, 40)
    ring_x, ring_y = (np.sign(v) * np.abs(v) ** (2 / traits["glasses_shape"]) for v in (np.cos(angle), np.sin(angle)))
    bridge = np.array([[-0.11, eye_y - 0.02, 1.0], [0.0, eye_y - 0.05, 1.03], [0.11, eye_y - 0.02, 1.0]])
    ImageDraw.Draw(pen).line(view.points(bridge), fill=255, width=width)
    for side in (-1.0, 1.0):
        x = side * traits["eye_x"] * 1.03 + 0.215 * ring_x
        rim = view.points(np.stack([x, eye_y + 0.035 + 0.15 * ring_y, 1.0 - 0.28 * x * x], axis=1))
        temple = np.array([[side * 0.54, eye_y - 0.03, 0.9], [side * (traits["width"] + 0.01), eye_y - 0.03, 0.1]])
        ImageDraw.Draw(pen).line(rim, fill=255, width=width)
        if side * view.turn[0, 2] < 0.1:  # the far temple hides behind the face
            ImageDraw.Draw(pen).line(view.points(temple), fill=255, width=width)
        ImageDraw.Draw(lens).polygon(rim, fill=255)
        column, row = np.mean(rim, axis=0)
        column, row = column + 9 * looks["light_x"] - 60 * view.turn[2, 0], row + 6 - 36 * view.turn[2, 1]
        size = 2.5 + 6 * glare
        ImageDraw.Draw(shine).ellipse((column - size, row - 0.7 * size, column + size, row + 0.7 * size), fill=255)
    pens, lenses, shines = (
        ndimage.gaussian_filter(np.asarray(v, np.float32) / 255, 0.8, truncate=2.0) for v in (pen, lens, shine)
    )
    image = mix(image * (1 - 0.1 * lenses) + 0.02 * lenses, 1.15, shines * lenses * (0.5 + 0.5 * glare))
    return mix(image, looks["frame_tone"], pens)


def finger(image: Array, tip: Array, root: Array, radius: float, tone: float, nail: bool = False) -> Array:
    """A finger from tip to root (column, row), tapering towards the tip, round and lit from the front."""
    low = np.clip(np.minimum(tip, root) - radius - 2, 0, CANVAS).astype(int)
    high = np.clip(np.maximum(tip, root) + radius + 3, 0, CANVAS).astype(int)
    if (high <= low).any():
        return image
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    dx, dy = float(root[0] - tip[0]), float(root[1] - tip[1])
    length = math.hypot(dx, dy)
    x, y = columns - float(tip[0]), rows - float(tip[1])
    along = np.clip((x * dx + y * dy) / length**2, 0, 1)
    distance = np.hypot(x - along * dx, y - along * dy) / (radius * (0.8 + 0.2 * soft_step(0.0, 0.5, along)))
    bulge = np.sqrt(np.clip(1 - distance * distance, 0, 1))
    value = tone * (0.4 + 0.6 * bulge) * (1 - 0.06 * bell(along * length - 2.8 * radius, 0.4 * radius))
    if nail:
        value = value * (1 + 0.15 * soft_step(0.62, 0.5, np.hypot(x, y) / radius))
    out = image.copy()
    part = out[low[1] : high[1], low[0] : high[0]]
    part *= 1 - 0.35 * soft_step(1.35, 1.0, distance)  # the shadow it throws beside itself
    part[...] = mix(part, value, soft_step(1.0, 0.88, distance))
    return out


def hand_on_face(image: Array, rng: Rng, tone: float) -> Array:
    """A hand that supports the chin, rubs an eye or scratches a cheek."""
    side = float(rng.choice([-1.0, 1.0]))
    centre = np.array([CANVAS / 2 + side * rng.uniform(15, 70), rng.uniform(0.42, 0.75) * CANVAS])
    lean = float(rng.uniform(-0.1, 0.7)) * side
    out, across = np.array([math.sin(lean), math.cos(lean)]), side * np.array([math.cos(lean), -math.sin(lean)])
    radius, spread = float(rng.uniform(11.5, 13.5)), float(rng.uniform(1.6, 2.3))
    palm = centre + out * 105
    image = finger(image, palm + out * 8, palm + out * 160, 3.2 * radius, tone * 0.95)
    image = finger(image, centre + out * 62 - across * 58, palm + out * 45 - across * 22, radius * 1.15, tone)
    for i, short in enumerate((20, 4, 0, 14)):
        tip = centre - across * (1.5 - i) * spread * radius + out * short
        root = palm - across * (1.5 - i) * 1.5 * radius + out * 30
        image = finger(image, tip, root, radius * (0.88 if i == 3 else 1), tone)
    return image


# --- frames ----------------------------------------------------------------------------------------------------------


def pose_of_frame(rng: Rng, looks: Traits, frame: int) -> Pose:
    """(pose_x, pose_y, pose_z) in degrees: a slow sway about the session's posture, now and then a glance aside."""
    beat, sway = looks["phase"] + looks["pace"] * frame, looks["sway"]
    glance = rng.choice([0.0, rng.normal(0, 20.0)], p=[0.88, 0.12])
    yaw = looks["yaw"] + sway * math.sin(beat) + glance + rng.normal(0, 1.5)
    pitch = looks["pitch"] + 0.4 * sway * math.sin(0.7 * beat + 1.0) + rng.normal(0, 1.5)
    tilt = looks["tilt"] + 0.3 * sway * math.sin(0.5 * beat + 2.0) + rng.normal(0, 1.0)
    return float(np.clip(yaw, -38, 38)), float(np.clip(pitch, -18, 18)), float(np.clip(tilt, -14, 14))


def mood_of_frame(rng: Rng, traits: Traits, looks: Traits) -> Traits:
    """Mouth, smile, brows, lids and gaze of one frame."""
    blinks, talks = rng.random() < 0.06, rng.random() < looks["talk"]
    return {
        "open": float(rng.beta(1, 2)) * talks,
        "smile": float(np.clip(looks["smile"] + rng.normal(0, 0.12), 0, 1)),
        "lift": float(rng.normal(0.0, 0.025)),
        "lids": 0.1 if blinks else float(np.clip(traits["lid_rest"] + rng.normal(0, 0.07), 0.6, 1.1)),
        "gaze_x": float(rng.normal(0, 0.025)),
        "gaze_y": float(rng.normal(0.0, 0.009)),
    }


def face_image(head: Head, behind: Array, looks: Traits, pose: Pose, mood: Traits, rng: Rng) -> tuple[Array, Array]:
    """(CANVAS, CANVAS) gray: the head in a pose and mood before its scene, with its hat and glasses.

    And (4, 2) where eyes, nose and mouth are in it, as `Head.landmarks`: column, row from the canvas' corner.
    """
    albedo = head.albedo.copy()
    for side, window in head.eyes:
        if head.cover != "mannequin" or head.traits["painted"]:
            paint_eye(albedo, head, side, window, mood, looks)
    y = head.y
    if not head.cover:
        paint_mouth(albedo, head, mood)
        y = y + 0.13 * mood["open"] * head.jaw - mood["lift"] * head.brow
    view = view_of(pose, looks["scale"] * float(rng.normal(1.0, 0.01)), rng.normal(0, 2.5, 2))
    [pivot] = view.points(np.array([[0.0, CENTRE_Y, -0.1]]))  # neck and seat stay behind when the face turns
    left, top = (int(np.clip(PAD + CANVAS / 2 - at, 0, 2 * PAD)) for at in pivot)
    image = drawn(view, head, y, lit(head, view, looks, albedo), behind[top : top + CANVAS, left : left + CANVAS])
    if looks["hat"] == CAP:
        image = cap_brim(image, view, looks, head.traits)
    if looks["glasses"]:
        image = spectacles(image, view, looks, head.traits, float(rng.beta(1, 3)))
    of = head.landmarks
    column, row, _ = view(head.x[of], y[of], head.z[of])
    return image, np.stack([column, row], axis=1) + 0.5  # the middle of the two pixels that a vertex is drawn on


def sensor_image(image: Array, rng: Rng, looks: Traits) -> npt.NDArray[np.uint8]:
    """(SIZE, SIZE) bytes: the lens' blur, the sensor's noise, its curve."""
    image = ndimage.gaussian_filter(image, looks["blur"] * 1.2, truncate=3.0)
    small = np.maximum(image.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3)), 0) ** looks["gamma"]
    small = small + looks["noise"] * (0.5 + np.sqrt(small)) * rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    small = np.where(small > 0.75, 0.75 + 0.25 * np.tanh((small - 0.75) / 0.25), small)  # highlights roll off
    return np.clip(np.rint(small * 255), 0, 255).astype(np.uint8)
