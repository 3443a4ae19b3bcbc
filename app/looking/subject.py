"""The image that a page is about: one of a Run, or one that somebody uploads, as the Run's checkpoint sees it.

All of an upload stays in memory: nothing is written. PyTorch is loaded once an upload is
asked for, not with the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from starlette.formparsers import MultiPartParser

from app.parts import network
from app.session import faces, identity, readers
from fas_core import scores
from fas_core.access.roles import Right
from fas_core.data import images
from fas_core.runs.store import Run

if TYPE_CHECKING:
    from fas_core.inference import predict

MOST_MEGABYTES = images.MAX_FILE_BYTES // 2**20

# The server's reader of uploads moves what is longer than this from memory to a temporary file.
MultiPartParser.spool_max_size = 2 * images.MAX_FILE_BYTES


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
        str(readers.ids(run)[row]),
        row,
        {name: faces.to_compute(run, name, rows) for name in run.pictures},
        next(run.latent_blocks(rows))[0] if run.has("latents") else None,
        {name: float(readers.score_values(run, name)[row]) for name in scores.listed(run, chosen)},
    )


def of_upload(run: Run, name: str, data: bytes, chosen: str) -> Subject:
    """The bytes of an image file, judged by the checkpoint of a Run; kept for this session until another one comes.

    Raises UnreadableImageError for what is no image, BadInputError where the checkpoint is gone or has changed, or
    PyTorch is not installed.
    """
    names = [name for name in scores.listed(run, chosen) if scores.base_of(name) not in run.joined]
    key = (run.digest, hashlib.sha256(data).hexdigest(), names[-1] if names else "")
    kept = st.session_state.get("_judged")
    if kept is not None and kept[0] == key:
        return replace(cast(Subject, kept[1]), name=name)
    identity.require(Right.PICTURES, run)
    identity.tell("upload", {"run": run.id, "sha256": key[1], "bytes": len(data)})
    outputs = _outputs(run, data)
    values = {score: float(scores.of_outputs(outputs, score, run)[0]) for score in names}
    pictures = {"inputs": outputs.inputs}
    if outputs.reconstructions is not None:
        pictures["reconstructions"] = outputs.reconstructions
    judged = Subject(name, None, pictures, outputs.codes[0], values)
    st.session_state["_judged"] = (key, judged)
    return judged


def _outputs(run: Run, data: bytes) -> predict.Outputs:
    with network.of(run) as model:
        from fas_core.inference import predict, preparing

        given = preparing.input_of(run.info)
        raw = images.of_bytes(data, given.size, given.channels)
        return predict.outputs_of(run, raw[np.newaxis], model=model)
