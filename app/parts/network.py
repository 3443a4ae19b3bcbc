"""The model of a Run's checkpoint, in this server's memory: loaded when something first asks it, then kept.

PyTorch is loaded with it, not before.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from fas_core.runs.store import Run

if TYPE_CHECKING:
    from fas_core.inference import predict

_one_at_a_time = threading.Lock()  # models are not made for several threads, nor is there memory for many batches


@contextmanager
def of(run: Run) -> Iterator[predict.Ready]:
    """The model, for this session alone while the block runs.

    Raises BadInputError where the checkpoint is gone or has changed.
    """
    with _one_at_a_time:
        yield _loaded(run.info.checkpoint_sha256, run.info.precision, run)


@st.cache_resource(max_entries=2, show_spinner=False)
def _loaded(checkpoint_sha256: str, precision: str, _run: Run) -> predict.Ready:
    from fas_core.inference import predict

    return predict.ready(_run)
