"""Who is at the page, what he or she may do, and the log of what was done: the one place that pages ask.

Buttons that somebody may not press are not drawn, and what they would do asks `require` all the same. On a laptop,
where nobody signs in, everything is allowed; the name under which somebody marks is the one typed there.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import streamlit as st

from app.gate import events, who
from app.words import escaped
from fas_core.access import policy, settings
from fas_core.access.audit import Kind, Value
from fas_core.access.login import Login
from fas_core.access.policy import Policy
from fas_core.access.roles import (
    EVERYTHING,
    LONGEST_SIGNATURE,
    NotAllowedError,
    Right,
    role_with,
    signature,
)
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, file_sha256, opened_file
from fas_core.runs.store import Run

T = TypeVar("T")
WHO_GRANTS = "Roles are granted by who operates this server."


def access() -> Policy:
    """What the settings of this process say about people, read once."""
    return _access(os.environ.get(settings.CONFIG, ""))


@functools.lru_cache(maxsize=1)
def _access(named: str) -> Policy:
    said = policy.of(settings.read(Path(named)) if named else settings.Settings())
    if said.log is not None:
        said.log.add("settings", "", {"file": named, "sha256": file_sha256(Path(named))})
    return said


# ------------------------------------------------------------------------------------------------------------ rights


def is_laptop() -> bool:
    """Whether nobody signs in: one person is trusted with everything."""
    return not access().needs_login and who.login() is None


def rights_on(run_id: str | None, name: str = "") -> frozenset[Right]:
    """What who is at the page may do with a Run that need not be there, or (None) with what is of no single Run."""
    if is_laptop():
        return EVERYTHING
    login = who.login()  # a login that has ended leaves nobody, who may do nothing
    return frozenset() if login is None else access().roles.rights(login, run_id, name)


def rights(run: Run | None) -> frozenset[Right]:
    """The same with a Run that is there."""
    return rights_on(None) if run is None else rights_on(run.id, run.info.name)


def may(right: Right, run: Run | None) -> bool:
    return right in rights(run)


def knows(run_id: str, name: str) -> bool:
    """Whether who is at the page may know of a Run; of others, pages say nothing, not even that they are there."""
    return Right.NUMBERS in rights_on(run_id, name)


def require(right: Right, run: Run | None) -> None:
    """Raises NotAllowedError, which the log tells of, where who is at the page may not do it."""
    if may(right, run):
        return
    tell("refused", {"asked": right.name.lower(), "run": "" if run is None else run.id})
    raise NotAllowedError(_refused(right, run))


def _refused(right: Right, run: Run | None) -> str:
    of = "what is of no single Run" if run is None else f"Run {run.info.name}"
    return f"Of {of} you may not {right.replace(' it', '')}: that is for the role {role_with(right)}."


def needs(right: Right, run: Run | None, what: str) -> None:
    """Ends the page, saying which role it is for and who grants it, where who is at it lacks a right."""
    if not may(right, run):
        st.info(
            f"{what} is for the role {role_with(right)}, which you have not been granted. {WHO_GRANTS}",
            icon=":material/lock:",
        )
        st.stop()


# ---------------------------------------------------------------------------------------------------------- identity


def login() -> Login | None:
    """None on a laptop."""
    return who.login()


def person() -> str:
    """What is signed with: by the login, or on a laptop the name that was typed; "" without one."""
    signed_in = who.login()
    if signed_in is not None:
        return signature(signed_in)
    return str(_typed() or "").strip()[:LONGEST_SIGNATURE]


def knows_person() -> bool:
    """False on a laptop where nobody has typed a name in this session."""
    return who.login() is not None or _typed() is not None


def _typed() -> object:
    return st.session_state.get("_person", st.session_state.get("person") or None)


def signed(label: str, *, key: str, most: int) -> str:
    """Under whose name something is kept: a field on a laptop; with a login its name, which nobody types."""
    if is_laptop():
        return st.text_input(label, person() or _remembered(), max_chars=most, placeholder="your name", key=key)
    st.caption(f"{label}  \n**{escaped(person())}**")
    return person()


def signed_by(typed: str) -> str:
    """The name that something is kept under, whatever a form has sent: with a login nobody types one."""
    if not is_laptop():
        return person()
    if typed.strip():
        _remember(typed.strip())
    return typed


def _file_of_name() -> Path:
    config = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (config if config.is_absolute() else Path.home() / ".config") / "fas-explorer" / "name"


def _remembered() -> str:
    """The name that was last typed under a decision on this laptop; "" where there is none."""
    try:
        with opened_file(_file_of_name()) as file:
            return file.read(4 * LONGEST_SIGNATURE).decode().strip()[:LONGEST_SIGNATURE]
    except (OSError, ValueError):
        return ""


def _remember(name: str) -> None:
    """For this session and the next ones; a name that cannot be kept is typed again."""
    st.session_state["_person"] = name
    with suppress(BadInputError), atomic_file(_file_of_name()) as temporary:
        temporary.write_text(name, encoding="utf-8")


# ----------------------------------------------------------------------------------------------- what is told of it


def tell(kind: Kind, about: Mapping[str, Value]) -> None:
    """Adds to the audit log, before what it tells of happens. Raises BadInputError where that cannot be written."""
    log = access().log
    if log is not None:
        log.add(kind, person(), about)


def tell_samples(kind: Kind, about: Mapping[str, Value], samples: Sequence[str]) -> None:
    """The same of some samples, by their ids."""
    log = access().log
    if log is not None:
        log.add_samples(kind, person(), about, samples)


def exported(content: Callable[[], T], what: str, run: Run | None) -> Callable[[], T]:
    """What makes a file, told of when somebody asks for it; that happens outside of the page."""
    log, by = access().log, person()

    def told() -> T:
        if log is not None:
            log.add("export", by, {"what": what, "run": "" if run is None else run.id})
        return content()

    return who.for_later(told)


def _tell_of_gate(kind: Kind, login: Login | None, facts: Mapping[str, str]) -> None:
    log = access().log
    if log is not None:
        log.add(kind, "" if login is None else signature(login), dict(facts))


events.on(_tell_of_gate)
