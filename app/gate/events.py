"""What happens at the gate, told to whoever asks: logins, logouts, refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from fas_core.access.login import Login

Kind = Literal["login", "logout", "refused"]
Listener = Callable[[Kind, Login | None, Mapping[str, str]], None]

_LISTENERS: list[Listener] = []


def on(listener: Listener) -> None:
    """From here on it is told of everything: the kind, who it was (None: nobody who has signed in), and facts."""
    _LISTENERS.append(listener)


def tell(kind: Kind, login: Login | None, **facts: str) -> None:
    """Facts are short and hold no secret. What a listener raises ends what is told of: a login is not to go unseen."""
    for listener in _LISTENERS:
        listener(kind, login, facts)
