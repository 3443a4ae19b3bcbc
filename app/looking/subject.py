"""The image that a page is about: one of a Run, or one that somebody uploads, as the Run's checkpoint sees it.

Of an upload the page keeps the square that the model sees: the file goes as soon as that is read (`uploads`), nothing
is written, and the square goes when the page is left. PyTorch is loaded once an upload is asked for, not with the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.parts import columns, network
from app.session import faces, identity, uploads
from app.session.sidebar import Shown
from app.words import escaped
from fas_core import scores
from fas_core.access.roles import Right
from fas_core.data import images
from fas_core.errors import BadInputError
from fas_core.runs.store import Run

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


@dataclass(frozen=True, eq=False)
class Subject:
    """One image as the model sees it, and what it makes of it. `row` is None where it is not one of the Run's."""

    name: str
    row: int | None
    pixels: Mapping[str, NDArray[np.uint8]]  # (1, H, W) or (1, H, W, 3) by name, as `Run.pictures`; to compute with
    code: NDArray[np.float32] | None  # (d,)
    scores: dict[str, float]  # NaN where there is none

    def images(self, run: Run) -> dict[str, NDArray[np.uint8]]:
        """The pixels as who is at the page may see them: those of the Run's sample, or of what was uploaded to it."""
        if not faces.kinds(run):
            return {}
        sight = faces.sight(run)
        name = self.name if self.row is not None else "an upload"
        return {kind: sight.seen(pixels, lambda: [name]) for kind, pixels in self.pixels.items()}


def of_run(run: Run, row: int, chosen: str) -> Subject:
    """A sample of the Run; `chosen`: the score that all pages show."""
    rows = np.array([row])
    return Subject(
        columns.ids_of(run, rows)[0],
        row,
        {name: faces.to_compute(run, name, rows) for name in run.pictures},
        next(run.latent_blocks(rows))[0] if run.has("latents") else None,
        {name: float(columns.scores_of(run, name, rows)[0]) for name in scores.listed(run, chosen)},
    )


@dataclass(frozen=True, eq=False)
class Upload:
    """What is kept of an uploaded file while the page is open: the square that a model of this size is given, or why
    there is none; and what was last made of it, by Run and scores."""

    id: str
    name: str
    square: NDArray[np.float32] | None  # (channels, size, size)
    problem: str = ""
    judged: dict[tuple[str, str], Subject] = field(default_factory=dict)


def keep_upload(run: Run, file: UploadedFile) -> None:
    """Takes an uploaded file off the server, and keeps for this session what the model of a Run will see of it."""
    data, before = uploads.taken(file), st.session_state.get(uploads.KEPT)
    if before is not None and before.id == file.file_id:
        return
    identity.require(Right.PICTURES, run)
    network.require()
    identity.tell("upload", {"run": run.id, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})
    try:
        kept = Upload(file.file_id, file.name, images.of_bytes(data, *_given(run)))
    except images.UnreadableImageError as error:
        kept = Upload(file.file_id, file.name, None, str(error))
    st.session_state[uploads.KEPT] = kept


def uploaded(shown: Shown) -> Subject | None:
    """The uploaded image as the Run's checkpoint sees it; None until there is one that can be read."""
    network.warm()
    file = st.file_uploader(
        "An image of a face",
        key="upload",
        max_upload_size=uploads.MOST_MEGABYTES,
        help="JPEG, PNG, WebP, AVIF, JPEG 2000, TIFF, BMP, GIF or PNM. It is cut and scaled as the Run's images were.",
    )
    st.caption(
        "The file leaves this machine's memory when it is judged, what the model saw of it when you leave this page. "
        "Nothing is written to disk."
    )
    try:
        with st.spinner("Asking the model …"):
            if file is not None:
                keep_upload(shown.run, file)
            elif not uploads.is_shown("upload"):
                uploads.drop()
            return of_upload(shown.run, shown.score)
    except images.UnreadableImageError as error:
        st.error(escaped(str(error)), icon=":material/broken_image:")
        return None


def of_upload(run: Run, chosen: str) -> Subject | None:
    """The upload that is kept, judged by the checkpoint of a Run; None where there is none.

    Raises UnreadableImageError for what is no image, BadInputError where the checkpoint is gone or has changed, or
    PyTorch is not installed, and where the model takes images of another kind.
    """
    kept = cast("Upload | None", st.session_state.get(uploads.KEPT))
    if kept is None:
        return None
    if kept.square is None:
        raise images.UnreadableImageError(f"{kept.name}: {kept.problem}")
    size, channels = _given(run)
    if kept.square.shape != (channels, size, size):
        raise BadInputError("This Run's model is given other images (size or colour). Upload the image again.")
    names = [name for name in scores.listed(run, chosen) if not _is_of_run_alone(run, name)]
    key = (run.digest, names[-1] if names else "")
    if key not in kept.judged:
        kept.judged.clear()
        kept.judged[key] = _judged(run, kept.name, kept.square, names)
    return kept.judged[key]


def _is_of_run_alone(run: Run, name: str) -> bool:
    """Whether a score is of the Run's samples only: joined to them from a file, or of frames among others."""
    return scores.base_of(name) in run.joined or scores.is_of_videos(run, name)


def _judged(run: Run, name: str, square: NDArray[np.float32], names: list[str]) -> Subject:
    with network.of(run) as model:
        from fas_core.inference import predict

        outputs = predict.outputs_of(run, square[np.newaxis], model=model)
    values = {score: float(scores.of_outputs(outputs, score, run)[0]) for score in names}
    pictures = {"inputs": outputs.inputs}
    if outputs.reconstructions is not None:
        pictures["reconstructions"] = outputs.reconstructions
    return Subject(name, None, pictures, outputs.codes[0], values)


def _given(run: Run) -> tuple[int, int]:
    """The size and the channels of the images that a Run's model is given."""
    from fas_core.inference import preparing

    given = preparing.input_of(run.info)
    return given.size, given.channels
