"""Who is rendered: traits of subjects, what they wear in a session, which subsets they are in."""

from __future__ import annotations

from dataclasses import dataclass

from fas_core.data.synthetic.noise import Rng, Traits, rng_of

CAP, BEANIE = 1, 2

# What makes a subject that subject: (centre, half-width) of a uniform distribution.
TRAITS: dict[str, tuple[float, float]] = {
    "width": (0.77, 0.06), "depth": (0.92, 0.04), "jaw": (0.31, 0.14), "chin": (0.06, 0.05), "square": (2.3, 0.3),
    "skin": (0.72, 0.12), "mottle": (0.03, 0.02), "shine": (0.15, 0.08), "age": (0.45, 0.45), "long": (0.0, 0.07),
    "eye_x": (0.315, 0.03), "eye_y": (-0.05, 0.035), "eye_w": (0.15, 0.018), "eye_h": (0.078, 0.014),
    "eye_tilt": (0.05, 0.12), "socket": (1.0, 0.5), "iris": (0.36, 0.14), "bags": (0.5, 0.5), "lid_rest": (0.9, 0.12),
    "brow_y": (-0.2, 0.03), "brow_thick": (0.034, 0.016), "brow_arch": (0.045, 0.04), "brow_dark": (0.6, 0.3),
    "brow_ridge": (0.9, 0.7), "nose_w": (0.11, 0.025), "nose_len": (0.36, 0.05), "nose_high": (0.85, 0.25),
    "nose_bridge": (0.06, 0.035), "mouth_y": (0.585, 0.03), "mouth_w": (0.25, 0.045), "lip": (0.055, 0.02),
    "lip_dark": (0.76, 0.1), "cheek": (0.05, 0.04), "ear": (0.1, 0.05), "neck": (0.54, 0.07),
    "hair": (0.24, 0.17), "hair_line": (-0.66, 0.12), "hair_volume": (0.11, 0.07), "hair_peak": (0.07, 0.07),
    "parting": (0.0, 1.0), "sideburn": (0.1, 0.25), "glasses_shape": (3.5, 1.5), "hat_tone": (0.36, 0.24),
}  # fmt: skip


# --- who is there, and in which subset -------------------------------------------------------------------------------

PRINTS = ("flat print", "bent print", "bordered print", "cut-out print", "torn print", "tilted print")
MASKS = ("latex mask", "plastic mask", "latex mask", "mannequin")  # the last only where no training subject wears it
TRAIN = ("train", 34)
# role -> live sessions (subset, frames), then attacks (subset, species, sessions, frames of each)
ROLES: dict[str, tuple[list[tuple[str, int]], list[tuple[str, str, int, int]]]] = {
    "both": (
        [TRAIN, TRAIN, ("seen_paper", 13), ("seen_mask", 15)],
        [("seen_paper", "paper", 3, 4), ("seen_mask", "mask", 3, 5)],
    ),
    "paper": ([TRAIN, TRAIN, ("seen_paper", 13)], [("seen_paper", "paper", 3, 4)]),
    "mask": ([TRAIN, TRAIN, ("seen_mask", 15)], [("seen_mask", "mask", 3, 5)]),
    "live": ([("live", 17)] * 3, []),
    "unseen_paper": ([("unseen_paper", 13)] * 3, [("unseen_paper", "paper", 6, 6)]),
    "unseen_mask": ([("unseen_mask", 13)] * 3, [("unseen_mask", "mask", 5, 8)]),
}
# Dealt to the subjects in turn; the first six already fill all six subsets.
ROLE_CYCLE = (
    *("both", "live", "unseen_paper", "unseen_mask", "paper", "mask", "both", "live"),
    *("paper", "unseen_paper", "mask", "unseen_mask", "both", "live", "paper"),
)


@dataclass(frozen=True)
class Session:
    """One recording: a subject before the camera, as itself (`species` and `detail` empty) or with one attack."""

    name: str
    number: int  # part of the random key
    subset: str
    species: str
    detail: str
    frames: int


def sessions_of_subject(seed: int, subject: int, share: float) -> list[Session]:
    """All recordings of one subject; `share` scales the frames of each (never below 1)."""
    live, attacks = ROLES[ROLE_CYCLE[subject % len(ROLE_CYCLE)]]
    sessions = [("abcd"[i], subset, "", "", frames) for i, (subset, frames) in enumerate(live)]
    for subset, species, count, frames in attacks:
        kinds = PRINTS if species == "paper" else MASKS if subset == "unseen_mask" else MASKS[:3]
        first = int(rng_of(seed, subject, 999).integers(len(kinds)))
        for i in range(count):
            sessions.append((f"{species[0]}{i + 1}", subset, species, kinds[(first + i) % len(kinds)], frames))
    return [
        Session(name, number, subset, species, detail, max(1, round(frames * share)))
        for number, (name, subset, species, detail, frames) in enumerate(sessions)
    ]


def _drawn_traits(rng: Rng) -> Traits:
    return {name: float(rng.uniform(mid - half, mid + half)) for name, (mid, half) in TRAITS.items()}


def traits_of_subject(seed: int, subject: int) -> Traits:
    """The lasting looks of a subject: the numbers of TRAITS, its hair and beard, and what it tends to wear."""
    rng = rng_of(seed, subject)
    t = _drawn_traits(rng)
    woman = float(rng.random() < 0.45)
    t["beard"] = (1 - woman) * float(rng.choice([0.0, 0.35, 0.7, 1.0], p=[0.4, 0.2, 0.15, 0.25]))
    t["long_hair"] = woman * float(rng.random() < 0.7)
    t["fringe"] = float(rng.random() < 0.15 + 0.2 * woman)
    t["bald"] = (1 - woman) * float(rng.random() < 0.2)
    t["glasses_habit"] = float(rng.choice([0.0, 0.5, 1.0], p=[0.5, 0.3, 0.2]))
    t["hat_habit"] = float(rng.choice([0.0, 0.5], p=[0.6, 0.4]))
    if woman:
        t |= {"brow_thick": t["brow_thick"] * 0.65, "lip": t["lip"] * 1.25, "jaw": t["jaw"] + 0.05}
        t |= {"brow_ridge": t["brow_ridge"] * 0.4, "width": t["width"] - 0.02, "neck": t["neck"] - 0.07}
    return t


def mask_traits(rng: Rng, detail: str) -> Traits:
    """The face of a mask: drawn anew, so that it resembles nobody."""
    t = _drawn_traits(rng)
    t |= {"beard": 0.0, "long_hair": 0.0, "fringe": 0.0, "bald": 1.0, "width": t["width"] + 0.04, "ear": 0.07}
    t |= {"skin": float(rng.choice([0.42, 0.6, 0.8])), "age": 0.0, "cheek": 0.09, "seam": float(rng.uniform(0.5, 0.75))}
    t |= {"hole_w": float(rng.uniform(0.13, 0.175)), "hole_h": float(rng.uniform(0.065, 0.11)), "shine": 0.35}
    if detail == "plastic mask":
        t["shine"] = 0.5
    if detail == "mannequin":
        t |= {"skin": float(rng.uniform(0.55, 0.8)), "width": 0.73, "bald": float(rng.random() < 0.6), "shine": 0.6}
        t["painted"] = float(rng.random() < 0.5)
    return t


def looks_of_session(rng: Rng, traits: Traits, worn: Traits, species: str) -> Traits:
    """What one recording keeps: light, distance, posture, mood, clothes and accessories."""
    side = rng.choice([-1.0, 1.0])
    exposure = (0.7 / worn["skin"]) ** 0.7  # the camera's automatic exposure evens faces out
    own_face = species != "mask"
    looks = {
        "light_x": rng.normal(0.0, 0.28), "light_y": rng.uniform(-0.45, 0.2), "key": exposure * rng.uniform(0.78, 1.0),
        "fill_x": side, "fill": rng.choice([0.0, rng.uniform(0.1, 0.4)]), "ambient": rng.uniform(0.08, 0.18),
        "scale": rng.uniform(0.93, 1.07), "yaw": rng.normal(0.0, 4.0), "pitch": rng.normal(0.0, 4.0),
        "tilt": rng.normal(0.0, 2.5), "sway": rng.uniform(3.0, 13.0), "pace": rng.uniform(0.15, 0.5),
        "phase": rng.uniform(0.0, 6.28), "smile": rng.choice([0.0, 0.1, 0.6]), "talk": rng.choice([0.05, 0.2, 0.5]),
        "blur": rng.uniform(0.75, 1.1), "noise": rng.uniform(0.005, 0.016), "gamma": rng.uniform(0.8, 1.0),
        "cloth": rng.uniform(0.1, 0.65), "seat": rng.uniform(0.06, 0.2),
        "glasses": own_face and rng.random() < traits["glasses_habit"],
        "hat": (own_face and rng.random() < traits["hat_habit"]) * rng.choice([CAP, BEANIE]),
        "frame_tone": rng.uniform(0.03, 0.35), "frame_width": rng.integers(2, 5),
    }  # fmt: skip
    return {name: float(value) for name, value in looks.items()}
