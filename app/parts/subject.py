"""What a Run's checkpoint says of an image that somebody uploads. All of it stays in memory: nothing is written.

PyTorch is loaded when the first image comes, not with the page.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from starlette.formparsers import MultiPartParser

from app.parts import network
from fas_core import scores
from fas_core.data import images
from fas_core.runs.store import Run

if TYPE_CHECKING:
    from fas_core.inference import predict

MOST_MEGABYTES = images.MAX_FILE_BYTES // 2**20

# The server's reader of uploads moves what is longer than this from memory to a temporary file.
MultiPartParser.spool_max_size = 2 * images.MAX_FILE_BYTES


@dataclass(frozen=True, eq=False)
class Judged:
    """One image as the model sees it, and what it makes of it."""

    inputs: NDArray[np.uint8]  # (1, H, W) after standard scaling
    reconstructions: NDArray[np.uint8]  # (1, H, W)
    code: NDArray[np.float32]  # (d,)
    scores: dict[str, float]


def judged(run: Run, data: bytes) -> Judged:
    """The bytes of an image file, judged by the checkpoint of a Run; kept for this session until another one comes.

    Raises UnreadableImageError for what is no image, BadInputError where the checkpoint is gone or has changed.
    """
    key = (run.digest, hashlib.sha256(data).hexdigest())
    kept = st.session_state.get("_judged")
    if kept is not None and kept[0] == key:
        return cast(Judged, kept[1])
    raw = images.of_bytes(data, int(run.info.checkpoint_header["config"]["image_size"]))
    made = _outputs(run, raw)
    found = {name: float(scores.of_outputs(made, name, run)[0]) for name in scores.offered(run)}
    one = Judged(made.inputs, made.reconstructions, made.codes[0], found)
    st.session_state["_judged"] = (key, one)
    return one


def _outputs(run: Run, raw: NDArray[np.float32]) -> predict.Outputs:
    from fas_core.inference import predict

    with network.of(run) as model:
        return predict.outputs_of(run, raw[np.newaxis], model=model)
