"""What the processes of test_readers.py are given to do: a file of its own, as each of them imports it."""

import os
import signal

import numpy as np

from fas_core.data import images

DEADLY = 255  # the shade of an image that ends whoever prepares it


def prepared(raw: np.ndarray) -> tuple[np.ndarray, ...]:
    if os.environ.get("DEADLY") and (raw.min((1, 2, 3), initial=1) == 1).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return images.standard_scaled(raw), images.pixels(raw)
