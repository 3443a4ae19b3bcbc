"""The demo's data set: rendered near-infrared driver faces with paper and mask attacks. Nobody's face.

A head is a grid of vertices, an egg with a nose, brow ridge, eye sockets, lips, chin, ears and hair pushed out of it.
It is turned in three dimensions, lit by an illuminator beside the camera, and drawn far to near into a dark cabin.
Attacks are made as one makes them: a print is a picture of a rendered frame on a sheet that is bent, cut and held
before the camera; a mask is another head with holes, through which the wearer's eyes look.

Head coordinates: x to the image's right, y down, z towards the camera; a head is about 1.5 wide and 2.2 high.
Gray values are linear floats, 0 black and about 1 white, until `sensor_image` makes bytes of them.
Every random number comes from (seed, subject, session, frame), so no image depends on the order of the work.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from fas_core.data.boxes import EYES
from fas_core.data.names import CROP, POINTS
from fas_core.data.synthetic.heads import Head, head_at_rest
from fas_core.data.synthetic.noise import CANVAS, PAD, SIZE, Traits, rng_of
from fas_core.data.synthetic.people import (
    Session,
    looks_of_session,
    mask_traits,
    sessions_of_subject,
    traits_of_subject,
)
from fas_core.data.synthetic.prints import print_image, printed
from fas_core.data.synthetic.scenes import (
    cabin,
    face_image,
    hand_on_face,
    mood_of_frame,
    office,
    pose_of_frame,
    scene,
    scene_grid,
    sensor_image,
)
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, write_table

COLUMNS = 2  # raise it whenever a row has others
DONE = ".done"  # folder with the rows of finished subjects, while the others are being rendered


# --- the data set ----------------------------------------------------------------------------------------------------

Frame = tuple[npt.NDArray[np.uint8], dict[str, object]]


@lru_cache(maxsize=3)
def own_head(seed: int, subject: int, hat: int) -> Head:
    """A subject's head; its moles and hairs are the same in every session."""
    return head_at_rest(rng_of(seed, subject, 998), traits_of_subject(seed, subject), hat)


def session_images(seed: int, subject: int, traits: Traits, session: Session) -> Iterator[Frame]:
    """Each frame of a session: (SIZE, SIZE) bytes, with the manifest's pose, places of eyes, nose and mouth, and free
    columns."""
    rng = rng_of(seed, subject, session.number)
    mask = session.species == "mask"
    worn = mask_traits(rng, session.detail) if mask else traits
    looks = looks_of_session(rng, traits, worn, session.species)
    head = head_at_rest(rng, worn, cover=session.detail) if mask else own_head(seed, subject, int(looks["hat"]))
    behind = scene(rng, head, looks)
    if session.species == "paper":
        still = looks | {"fill": 0.0, "light_x": 0.0, "key": 0.95 * (0.7 / worn["skin"]) ** 0.7}
        mood = mood_of_frame(rng, traits, still) | {"lids": 0.95}
        turned = (float(rng.normal(0, 5)), float(rng.normal(0, 3)), 0.0)
        picture, on_picture = face_image(head, behind, still, turned, mood, rng)
        sheet = printed(rng, picture, on_picture, session.detail)
        x, y = (v[PAD:-PAD, PAD:-PAD] for v in scene_grid(looks["scale"]))
        wall = office(rng, x, y) if rng.random() < 0.6 else cabin(rng, looks, x, y)
    for frame in range(session.frames):
        rng = rng_of(seed, subject, session.number, frame)
        pose = pose_of_frame(rng, looks, frame)
        hand = not session.species and rng.random() < 0.05
        if session.species == "paper":
            image, points = print_image(sheet, wall, looks, rng, pose)
        else:
            image, points = face_image(head, behind, looks, pose, mood_of_frame(rng, traits, looks), rng)
        if hand:
            image = hand_on_face(image, rng, 1.15 * traits["skin"] * looks["key"])
        facts = {"glasses": looks["glasses"], "hat": looks["hat"], "beard": worn["beard"] > 0.5, "hand": hand}
        columns: dict[str, object] = {f"pose_{axis}": round(angle, 2) for axis, angle in zip("xyz", pose, strict=True)}
        places = zip(
            (*EYES, *POINTS), np.round(points.astype(np.float64) * SIZE / CANVAS, 2).ravel().tolist(), strict=True
        )
        columns |= dict(places) | dict(zip(CROP, (SIZE / 2, SIZE / 2, SIZE, 0), strict=True))
        yield sensor_image(image, rng, looks), columns | {name: "yes" if fact else "no" for name, fact in facts.items()}


def render_subject(root: Path, seed: int, share: float, subject: int) -> list[dict[str, object]]:
    """Writes all images of one subject; returns its rows of the manifest.

    The rows are also kept in a file, written last, so that a subject that is done is not rendered again after an
    interruption.
    """
    traits, name = traits_of_subject(seed, subject), f"s{subject + 1:02d}"
    folder, done = Path("images") / name, root / DONE / f"{name}.json"
    identity = {"seed": seed, "share": share, "columns": COLUMNS}
    if done.is_file() and (kept := json.loads(done.read_text()))["identity"] == identity:
        return list(kept["rows"])
    rows: list[dict[str, object]] = []
    for session in sessions_of_subject(seed, subject, share):
        session_id = f"{name}_{session.name}"
        for frame, (pixels, columns) in enumerate(session_images(seed, subject, traits, session)):
            sample_id = f"{session_id}_f{frame:03d}"
            path = folder / f"{sample_id}.png"
            with atomic_file(root / path) as temporary:
                Image.fromarray(pixels).save(temporary, format="PNG", compress_level=1)
            about = {"path": path.as_posix(), "sample_id": sample_id}
            about |= {"label": "attack" if session.species else "bona_fide", "pai_species": session.species}
            about |= {"subject_id": name, "session_id": session_id, "subset": session.subset}
            about |= {"video_id": f"{session_id}_v1"}
            rows.append({**about, "frame": frame, **columns, "attack_detail": session.detail})
    with atomic_file(done) as temporary:
        temporary.write_text(json.dumps({"identity": identity, "rows": rows}))
    return rows


def render_data_set(
    root: Path,
    seed: int = 0,
    *,
    subjects: int = 30,
    processes: int | None = None,
    share: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Renders the demo's data set under `root` and returns the path of its manifest.csv, which is written last.

    Images are 128 x 128 gray PNGs, about 2,600 of them. `share` scales the frames of every session: 0.1 makes a small
    set of the same design. The same seed gives the same bytes, whatever the number of `processes` (default: one per
    core). `on_progress(done, total)` counts subjects. Interrupted and called again, it goes on with the next subject.
    """
    if subjects < 6:
        raise BadInputError(f"{subjects} subjects cannot fill the six subsets without sharing; ask for at least 6.")
    work = partial(render_subject, root, seed, share)
    rows: dict[int, list[dict[str, object]]] = {}

    def keep(subject: int, result: list[dict[str, object]]) -> None:
        rows[subject] = result
        if on_progress is not None:
            on_progress(len(rows), subjects)

    processes = processes or os.cpu_count() or 1
    if processes == 1:
        for subject in range(subjects):
            keep(subject, work(subject))
    else:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            pending = {pool.submit(work, subject): subject for subject in range(subjects)}
            for future in as_completed(pending):
                keep(pending[future], future.result())
    manifest = root / "manifest.csv"
    write_table(pd.DataFrame([row for subject in range(subjects) for row in rows[subject]]), manifest)
    shutil.rmtree(root / DONE)
    return manifest
