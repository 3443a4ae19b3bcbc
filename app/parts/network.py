"""The model of a Run's checkpoint, in this server's memory: loaded when something first asks it, then kept.

PyTorch is loaded with it, or behind a page that is about to need it, not before.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.session.cache import cached, keyed
from fas_core.errors import needing_pytorch
from fas_core.runs.store import Run
from fas_core.runs.upkeep import checkpoint_file

if TYPE_CHECKING:
    from fas_core.inference import infer

_PREDICT = "fas_core.inference.predict"
_one_at_a_time = threading.Lock()  # models are not made for several threads, nor is there memory for many batches


@keyed
@dataclass(frozen=True, eq=False)
class _Checkpoint:
    """The checkpoint of a Run: the same for all Runs made with it."""

    run: Run

    @property
    def digest(self) -> str:
        return repr(self.run.info.model_identity)


@cached(entries=2)
def _loaded(checkpoint: _Checkpoint) -> infer.Ready:
    checkpoint_file(checkpoint.run)  # is said before PyTorch is loaded, for which everybody waits
    with needing_pytorch():
        from fas_core.inference import predict

    return predict.ready(checkpoint.run)


def warm() -> None:
    """Begins to load PyTorch and returns at once: that takes seconds, in which somebody looks for an image."""
    if _PREDICT not in sys.modules:
        threading.Thread(target=_load, daemon=True).start()


def _load() -> None:
    with suppress(ImportError):  # said to whom asks for the model
        importlib.import_module(_PREDICT)


def require() -> None:
    """Raises BadInputError where PyTorch is not installed."""
    with needing_pytorch():
        importlib.import_module(_PREDICT)


@contextmanager
def of(run: Run) -> Iterator[infer.Ready]:
    """The model, for this session alone while the block runs.

    Raises BadInputError where the checkpoint is gone or has changed, or PyTorch is not installed.
    """
    with _one_at_a_time:
        yield _loaded(_Checkpoint(run))
