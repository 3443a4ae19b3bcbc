"""The one exception for input that a person can put right, and how what is not installed becomes one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

MAKING = ("torch", "lightning_fabric", "kornia")  # what the extra `train` brings: Runs are read without


class BadInputError(ValueError):
    """Bad input: one readable message that says what is wrong, where, and what would be right.

    The command line prints the message alone and exits with status 2; the app shows it in an error box.
    Anything else that is raised is a defect of ours and keeps its traceback.
    """


@contextmanager
def needing_pytorch() -> Iterator[None]:
    """Raises BadInputError with the command that installs it where the block imports what is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in MAKING:
            raise
        raise BadInputError(
            "This needs PyTorch, which is not installed: pip install 'fas-explorer[train]', or in a checkout "
            "pip install -e '.[train]'."
        ) from error
