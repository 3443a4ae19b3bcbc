"""Images that a training has used are recognised in any test set, by their content: whatever they are called there."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fas_core.data.names import DEV, LEARNED, NOT_USED
from fas_core.errors import BadInputError
from fas_core.files import CONTENT_BYTES


def _no_contents() -> NDArray[np.uint8]:
    return np.empty((0, CONTENT_BYTES), np.uint8)


@dataclass(frozen=True, eq=False)
class Known:
    """What a model knows of images by their content, whatever they are called: by the bytes of their files (see
    `Manifest.contents`) and by the picture as it is read (`images.content`), which is there in whatever file.

    Two that differ share eight bytes of SHA-256 by chance with probability 2^-64, and a pair of images is compared by
    two each: of m images judged by a model that learned from n, fewer than m n / 4.6e18 are taken for learned although
    they were not. Checkpoints of earlier versions know files alone.
    """

    # (k, CONTENT_BYTES), each once: of images that the weights were fitted on, and of those that chose the epoch.
    learned: NDArray[np.uint8] = field(default_factory=_no_contents)
    dev: NDArray[np.uint8] = field(default_factory=_no_contents)

    @staticmethod
    def of(learned: Sequence[NDArray[np.uint8]], dev: Sequence[NDArray[np.uint8]]) -> Known:
        """Of contents of every kind, (k, CONTENT_BYTES) each; zeros, where a content is not known, do not matter."""
        return Known(*(np.unique(np.concatenate(kinds), axis=0) for kinds in (learned, dev)))

    def as_texts(self) -> tuple[str, str]:
        """For a file that holds texts; `of_texts` reads them."""
        return _text(self.learned), _text(self.dev)

    @staticmethod
    def of_texts(texts: object, where: str) -> Known | None:
        """Of `as_texts`; None of none. Raises BadInputError, beginning with `where`, for anything else."""
        if texts is None:
            return None
        try:
            learned, dev = (_of_text(text) for text in texts)  # type: ignore[attr-defined]
        except (TypeError, ValueError) as error:
            raise BadInputError(f"{where}: what it says of the images of its training cannot be read.") from error
        return Known(learned, dev)

    def use_of(self, *contents: NDArray[np.uint8]) -> NDArray[np.str_]:
        """(k,) "learned", "dev" or "none" for images by their contents of every kind, (k, CONTENT_BYTES) each."""
        asked = np.stack([_as_numbers(kind) for kind in contents])
        learned, dev = (((_is_in(asked, known)) & (asked != 0)).any(0) for known in self._sorted)
        return np.where(learned, LEARNED, np.where(dev, DEV, NOT_USED))

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        return np.sort(_as_numbers(self.learned)), np.sort(_as_numbers(self.dev))


def _text(contents: NDArray[np.uint8]) -> str:
    return base64.b64encode(contents.tobytes()).decode()


def _of_text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(text, validate=True), np.uint8).reshape(-1, CONTENT_BYTES)


def _is_in(asked: NDArray[np.uint64], ascending: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Shard by shard: millions that are known are sorted once, not for every question."""
    if not len(ascending):
        return np.zeros(asked.shape, np.bool_)
    return ascending[np.searchsorted(ascending, asked).clip(max=len(ascending) - 1)] == asked


def _as_numbers(contents: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(contents).view(np.uint64)[:, 0]
