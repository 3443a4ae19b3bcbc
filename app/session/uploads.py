"""What somebody uploads: in memory alone, one file of a session at a time, and no longer than it takes to be judged.

Streamlit keeps an upload until its session ends in order, which a browser that is closed or offline does not see to.
Here it goes as soon as it is read, when another one comes, when the page is left, and after `LONGEST` seconds anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from fas_core.data import images

MOST_MEGABYTES = images.MAX_FILE_BYTES // 2**20  # of a file, and of all of a session: it has one
MOST_OF_ALL = 8 * images.MAX_FILE_BYTES  # bytes of all sessions; beyond that the oldest goes
LONGEST = 120.0  # seconds that a file waits to be judged
KEPT = "_upload"  # in the session's state: what is known of the file that the page is about

# The server's reader of uploads moves what is longer than this from memory to a temporary file.
MultiPartParser.spool_max_size = 2 * images.MAX_FILE_BYTES

_Add = Callable[[MemoryUploadedFileManager, str, UploadedFileRec], None]


def _bounded(add: _Add) -> _Add:
    """Adding a file to a manager so that the bounds above hold."""

    def add_file(self: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
        self.remove_session_files(session_id)
        while self.file_storage and _size(self) + len(file.data) > MOST_OF_ALL:
            self.remove_session_files(next(iter(self.file_storage)))
        add(self, session_id, file)
        forget = threading.Timer(LONGEST, self.remove_file, (session_id, file.file_id))
        forget.daemon = True
        forget.start()

    return add_file


def _size(manager: MemoryUploadedFileManager) -> int:
    """Bytes of all files; those of other threads may come and go meanwhile."""
    return sum(len(file.data) for files in list(manager.file_storage.values()) for file in list(files.values()))


MemoryUploadedFileManager.add_file = _bounded(MemoryUploadedFileManager.add_file)  # type: ignore[method-assign, assignment]


def taken(file: UploadedFile) -> bytes:
    """The bytes of an uploaded file, which the server holds no longer."""
    data = file.getvalue()
    context = get_script_run_ctx()
    if context is not None:  # this one alone: its successor may have arrived meanwhile
        manager = cast(MemoryUploadedFileManager, context.uploaded_file_mgr)
        manager.remove_file(context.session_id, file.file_id)
    file.close()  # the widget's value stays until the next run of the page
    return data


def is_shown(key: str) -> bool:
    """Whether the uploader of this key shows a file, though the server holds it no longer."""
    return st.session_state.get(key) is not None


def drop() -> None:
    """Nothing of what was made of an upload stays; whoever has cleared the uploader may be sending another file."""
    st.session_state.pop(KEPT, None)


def leave() -> None:
    """Nothing of an upload stays, on the server or of what was made of it: the page is left."""
    if st.session_state.pop(KEPT, None) is not None and (context := get_script_run_ctx()) is not None:
        context.uploaded_file_mgr.remove_session_files(context.session_id)
