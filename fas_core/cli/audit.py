"""`fas audit`: what people did in the app, and whether the log of it is whole."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import JsonOption
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.access.audit import Log


def audit(
    *,
    config: Annotated[Path | None, typer.Option(help="Settings whose [audit] says where the log is.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the log is, if not there.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Whether every line holds the one before it.")] = False,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From this date (and time, UTC) on.")] = None,
    person: Annotated[str | None, typer.Option(metavar="NAME", help="A part of the name of who did it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What people did in the app: logins, looks at clear faces, exports, uploads, decisions, deletions.

    With --verify status 1 where the log was changed. Example: `fas audit --since 2026-01-31 --person ada`
    """
    from fas_core.access import settings
    from fas_core.access.audit import Log, Settings
    from fas_core.access.settings import CONFIG

    if folder is not None and not folder.is_dir():
        raise BadInputError(f"There is no audit log in {folder}. Name the folder that [audit] of the settings names.")
    said = settings.of_process() if config is None else settings.read(config)
    log = Settings.of(said.section("audit"), f"{said.path}, [audit]").log if folder is None else Log(folder)
    if not log.files:
        is_own = folder is None and said.path is None
        hint = f" A server's log is found by its settings: fas audit --config fas.toml, or {CONFIG}." if is_own else ""
        say(f"Nothing is in {log.folder} yet.{hint}")
    if verify:
        _verify(log, as_json=as_json)
        return
    first, part = None if since is None else _moment(since), (person or "").casefold()
    entries = [entry for entry in log.entries() if part in entry.who.casefold()]
    if first is not None:
        entries = [entry for entry in entries if _moment(entry.when) >= first]
    if as_json:
        print_json([asdict(entry) for entry in entries])
    elif entries:
        rows = [[entry.when[:19].replace("T", " "), entry.kind, entry.who, entry.words] for entry in entries]
        print_table(f"Audit log in {log.folder}", ["when (UTC)", "what", "who", "about"], rows)
    elif log.files:
        say(f"Nothing of that is in {log.folder}.")


def _verify(log: Log, *, as_json: bool) -> None:
    verified = log.verified()
    if as_json:
        print_json(asdict(verified))
    else:
        for line in (*verified.notes, *verified.problems):
            say(f"{line}.")
        how = "was changed" if verified.problems else "is whole"
        print(f"The log in {log.folder} {how}: {verified.n:,} entries, the last with SHA-256 {verified.sha256}")
    if verified.problems:
        raise typer.Exit(1)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError(f"--since {text}: expected a date, e.g. 2026-01-31 or 2026-01-31T08:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
