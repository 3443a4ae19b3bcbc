"""The images that a Run was made from, as they were given to its model before its scaling. Needs no PyTorch.

A file counts as the one of then where it still gives, gray level by gray level, the picture that the Run holds: its
bytes and how it is read are as they were. In the place of any other stands that picture, which has 256 levels and is
scaled already: a change of brightness or contrast does less to it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fas_core import storage
from fas_core.data import images
from fas_core.inference import preparing
from fas_core.runs.store import Run


class Originals:
    """Of a Run that holds its original images; raises BadInputError, as `Run.require`, for another."""

    def __init__(self, run: Run) -> None:
        run.require("inputs")
        self.run = run
        self.given = preparing.input_of(run.info)

    @cached_property
    def _paths(self) -> list[str]:
        """(n,) relative to the manifest; none where the Run does not say them."""
        if "path" not in self.run.column_names() or not self.run.info.manifest_path:
            return []
        return list(self.run.samples(["path"])["path"].astype("str"))

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(k, c, H, W) in [0, 1] of some rows, and (k,) whether each is from its file."""
        held = self.run.images("inputs", rows)
        planes = held[:, None] if held.ndim == 3 else np.moveaxis(held, -1, 1)
        raw = planes.astype(np.float32) / np.float32(255)
        is_of_file = np.zeros(len(rows), np.bool_)
        root = storage.place(self.run.info.manifest_path).parent
        for i, row in enumerate(rows.tolist() if self._paths else []):
            with suppress(images.UnreadableImageError):
                loaded = images.load(root / self._paths[row], self.given.size, self.given.channels)
                if np.array_equal(preparing.prepared(loaded[None], self.given)[1][0], held[i]):
                    raw[i], is_of_file[i] = loaded, True
        return raw, is_of_file
