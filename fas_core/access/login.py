"""Who has signed in: what the gate knows of a person, and hands on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Login:
    """A person as the provider of the login, or the proxy in front, names them.

    `subject`: never changes, and nobody else has it. `expires`: seconds since 1970; what is shown after it is refused.
    """

    subject: str
    name: str
    groups: tuple[str, ...]
    expires: float
