"""The one way to pixels: what is shown, sent or saved of an image has gone through here, pixelated where it has to be.

Everybody who may see images sees them pixelated, a face reader too, until he or she says why they are to be clear, and
then for some minutes. A viewer sees none. The server pixelates: the browser never has what it does not show.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.components.gallery import Display, Panel, picture
from app.gate import who
from app.session import identity, readers
from app.words import escaped
from fas_core.access.audit import Log
from fas_core.access.roles import NotAllowedError, Right, role_with
from fas_core.reports.pictures import BLOCKS, NAMES, pixelated, shown_clear
from fas_core.reports.report import AS_THEY_ARE, NO_IMAGES, PIXELATED
from fas_core.runs.store import Run

Pixels = NDArray[np.uint8]  # (n, H, W) or (n, H, W, 3)
_CLEAR, _TOLD = "_faces_clear", "_faces_told"  # until when, for whom and why; samples told of since
REASON = "faces_reason"
FOR_WHOM = f"are for the role {role_with(Right.PICTURES)}, which you have not been granted."
LONGEST_REASON = 300
LOOK_EVERY = 5.0  # seconds: whether clear faces have become too old


@dataclass(frozen=True)
class Sight:
    """What somebody may see of the images of a Run, or of those of none; also later, where a file is made of them."""

    by: str
    of: str  # the id of the Run, "" of none
    sees: bool
    clear_until: float  # seconds since 1970; 0 where they are never clear
    reason: str
    log: Log | None
    told: set[tuple[str, str]] = field(compare=False, repr=False)

    @property
    def is_clear(self) -> bool:
        return self.sees and time.time() < self.clear_until

    def seen(self, images: Pixels, samples: Callable[[], Sequence[str]]) -> Pixels:
        """Images as they may be seen. `samples`: what they are called, for the log, where they are clear.

        Raises NotAllowedError for who may see none.
        """
        if not self.sees:
            raise NotAllowedError(f"Images {FOR_WHOM}")
        return images if self.shows_clear(samples) else hidden(images)

    def shows_clear(self, samples: Callable[[], Sequence[str]]) -> bool:
        """Whether some images are to be drawn clear: of that the log is told."""
        if self.is_clear:
            self._tell(self.of, samples)
        return self.is_clear

    def _tell(self, of: str, samples: Callable[[], Sequence[str]]) -> None:
        if self.log is not None:
            new = [name for name in dict.fromkeys(samples()) if (of, name) not in self.told]
            self.log.add_samples("faces", self.by, {"run": of, "reason": self.reason}, new)
            self.told.update((of, name) for name in new)

    def images(self, run: Run, name: str, rows: Sequence[int] | NDArray[np.int64]) -> Pixels:
        """`Run.images`, as they may be seen."""
        if run.id != self.of:
            raise ValueError(f"asked for Run {self.of}, not {run.id}")
        return self.seen(run.images(name, rows), partial(_names, run, rows))

    def of_report(self, images: str, page: Callable[[str], str]) -> str:
        """A report with images as somebody has asked for, or as they may be seen; it is told of before it is handed
        over. `page`: makes it, with its images one of `ways`."""
        if not self.sees:
            return page(NO_IMAGES)
        if images != AS_THEY_ARE or not self.is_clear:
            return page(PIXELATED if images == AS_THEY_ARE else images)
        with shown_clear() as shown:
            text = page(AS_THEY_ARE)
        for run, rows in shown:
            self._tell(run.id, partial(_names, run, rows))
        return text


def _names(run: Run, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
    return [str(each) for each in readers.ids(run)[np.asarray(rows, np.int64)]]


def hidden(images: Pixels) -> Pixels:
    """Pixelated. What has no more pixels than that leaves stays as it is."""
    return images if min(images.shape[1:3]) <= BLOCKS or not len(images) else pixelated(images)


def sight(run: Run | None) -> Sight:
    """What who is at the page may see now; None: of what is of no single Run."""
    held = identity.rights(run)
    until, reason = (math.inf, "") if identity.is_laptop() else _clear() if Right.FACES in held else (0.0, "")
    told = _kept().setdefault(_TOLD, set())
    of = "" if run is None else run.id
    return Sight(identity.person(), of, Right.PICTURES in held, until, reason, identity.access().log, told)


def of_all(runs: Sequence[Run]) -> Sight:
    """What who is at the page may see of each of some Runs."""
    each = [sight(run) for run in runs]
    return replace(min(each, key=lambda of: (of.sees, of.clear_until)), of=", ".join(of.of for of in each))


# ------------------------------------------------------------------------------------------------------------ of a Run


def kinds(run: Run) -> tuple[str, ...]:
    """Those of `Run.pictures` that who is at the page may look at."""
    return run.pictures if identity.may(Right.PICTURES, run) else ()


def images(run: Run, name: str, rows: Sequence[int] | NDArray[np.int64]) -> Pixels:
    """`inputs` or `reconstructions` of some rows as they may be seen: see `Run.images`."""
    return sight(run).images(run, name, rows)


def pictures(run: Run, rows: Sequence[int] | NDArray[np.int64]) -> list[Panel]:
    """Original and reconstruction of some rows of a Run: what may be seen of what it holds."""
    return [picture(NAMES[name], images(run, name, rows)) for name in kinds(run)]


def panels(display: Display, run: Run, rows: Sequence[int] | NDArray[np.int64]) -> list[Panel]:
    """The same with the error and what else is to be shown."""
    return display.of_images({name: images(run, name, rows) for name in kinds(run)})


def to_compute(run: Run, name: str, rows: Sequence[int] | NDArray[np.int64]) -> Pixels:
    """The pixels as they are, for numbers: never drawn, sent or kept in a file."""
    return run.images(name, rows)


def original_to_compute(run: Run, row: int) -> NDArray[np.float32]:
    """(c, H, W) in [0, 1] of an original as it is, before the model scales it; what comes of it goes through `seen`."""
    from fas_core.inference.originals import Originals

    return Originals(run).read(np.array([row]))[0][0]


def ways(runs: Sequence[Run]) -> tuple[str, ...]:
    """How a report of some Runs may have images."""
    if not any(run.pictures for run in runs) or not of_all(runs).sees:
        return (NO_IMAGES,)
    return (NO_IMAGES, PIXELATED, AS_THEY_ARE) if of_all(runs).is_clear else (NO_IMAGES, PIXELATED)


# ------------------------------------------------------------------------------------------------------- clear, for now


def _kept() -> MutableMapping[Any, Any]:
    """Of the login, whichever address is opened; on a laptop of the tab."""
    of_login = who.kept()
    return st.session_state if of_login is None else of_login


def _clear() -> tuple[float, str]:
    """Until when faces are clear in this login, and why; 0 where they are not."""
    by, until, reason = _kept().get(_CLEAR, ("", 0.0, ""))
    return (until, reason) if by == identity.person() else (0.0, "")


def control(run: Run | None) -> None:
    """In the sidebar: how images are shown, and for a face reader the way to see them clear. Nothing on a laptop."""
    if identity.is_laptop() or not identity.may(Right.NUMBERS, run):
        return
    if not identity.may(Right.PICTURES, run):
        st.caption(f":material/lock: Images {FOR_WHOM}")
        return
    if not identity.may(Right.FACES, run):
        st.caption(":material/blur_on: Images are pixelated.")
        return
    if _clear()[0] > time.time():
        _still_clear()
        return
    asked = identity.access().faces
    with st.popover("Faces are pixelated", icon=":material/blur_on:", width="stretch"):
        st.write(f"See them clear for {asked.minutes} minutes. The audit log keeps who looks at which images, and why.")
        if asked.reason:
            st.text_input("Reason", key=REASON, max_chars=LONGEST_REASON, placeholder="why they have to be clear")
        st.button("See them clear", on_click=see_clear, args=(run,), key="faces_clear", icon=":material/visibility:")
        if problem := st.session_state.pop("_faces_problem", ""):
            st.warning(escaped(problem), icon=":material/rule:")


@st.fragment(run_every=LOOK_EVERY)
def _still_clear() -> None:
    until, reason = _clear()
    left = until - time.time()
    if left <= 0:
        st.rerun()
    st.caption(f":material/visibility: Faces are clear for {math.ceil(left / 60)} more min. {escaped(reason)}")
    if st.button("Pixelate them", key="faces_hidden", icon=":material/blur_on:", on_click=see_pixelated):
        st.rerun()


def see_clear(run: Run | None) -> None:
    """For the minutes that the settings give; without the reason that they ask for, says so."""
    identity.require(Right.FACES, run)
    asked = identity.access().faces
    reason = str(st.session_state.get(REASON) or "").strip()[:LONGEST_REASON]
    if asked.reason and not reason:
        st.session_state["_faces_problem"] = "State a reason to see faces clear."
        return
    identity.tell("faces", {"clear for minutes": asked.minutes, "reason": reason})
    _kept().update({_CLEAR: (identity.person(), time.time() + 60 * asked.minutes, reason), _TOLD: set()})


def see_pixelated() -> None:
    _kept().pop(_CLEAR, None)
