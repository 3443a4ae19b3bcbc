"""What every page is run in: errors as one box, fragments that show theirs, memory given back."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, cast

import pyarrow as pa
import streamlit as st

from app.words import escaped
from fas_core.access.secret import NoKeyError
from fas_core.errors import BadInputError
from fas_core.files import is_about_space

P = ParamSpec("P")
_log = logging.getLogger(__name__)
COLLECT_EVERY = 2.0  # seconds
_collected = [0.0]  # when; monotonic time

pa.set_memory_pool(pa.system_memory_pool())  # the default one keeps what is freed, hundreds of megabytes of it


def give_back_memory() -> None:
    """What a page has read and dropped goes back to the system, after millions of rows a third of all it held.

    A millisecond where there is nothing to give back. What refers to itself is looked for every other second at most,
    not after every answer to somebody: ten people would wait for it.
    """
    now = time.monotonic()
    if now - _collected[0] > COLLECT_EVERY:
        _collected[0] = now
        gc.collect()
    pa.default_memory_pool().release_unused()


@contextmanager
def errors_shown() -> Iterator[None]:
    """Bad input, damaged files and a lack of memory or room become one readable box instead of a stack trace."""
    try:
        yield
    except NoKeyError as error:
        _log.warning("%s", error)
        st.error("This server has no key for what is encrypted here.", icon=":material/key_off:")
    except BadInputError as error:
        st.error(escaped(str(error)), icon=":material/error:")
    except OSError as error:
        if not is_about_space(error):
            raise
        st.error("There is no room left on the disk: free space, then try again.", icon=":material/hard_drive:")
    except MemoryError:
        st.error(
            "There is not enough memory for this now. Choose fewer subsets or close other programs.",
            icon=":material/memory:",
        )


def fragment(part: Callable[P, None]) -> Callable[P, None]:
    """`st.fragment` whose bad input is shown as `errors_shown` does: a fragment's errors never reach the page's own."""

    @wraps(part)
    def guarded(*arguments: P.args, **named: P.kwargs) -> None:
        with errors_shown():
            part(*arguments, **named)
        give_back_memory()

    return cast("Callable[P, None]", st.fragment(guarded))
