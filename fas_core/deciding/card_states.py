"""Who approved a card, put another in its place or withdrew it, why and when. Nothing is ever erased.

    card_states.approve(path, cache, by="Ada", why="pilot at gate 3")
    card_states.add(path, "withdrawn", by="Ada", why="a leak")
    card_states.history(path, frozen).state

A card itself never changes. Each decision about it is a line of JSON in a file beside it, `op.events.jsonl` of
`op.json`. Every line holds the seal of the line before it, the first the card's: one that was changed, or taken out of
their middle, is found; so is one from the end, where this user has made it. Decisions are signed as cards are, and
where trusted keys are set, only those that one of them has signed count. A signature that comes later has a line of its
own.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from fas_core import documents
from fas_core.access import ends, keys
from fas_core.access.keys import Signature, Standing
from fas_core.deciding import card
from fas_core.deciding.card import Card
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, end_of, opened_file

DRAFT, APPROVED, SUPERSEDED, WITHDRAWN = "draft", "approved", "superseded", "withdrawn"
REFUSED = "not accepted"  # of a card whose decisions do not count here: nothing may follow
NEXT = {  # what may follow on a state
    DRAFT: (APPROVED, SUPERSEDED, WITHDRAWN),
    APPROVED: (SUPERSEDED, WITHDRAWN),
    SUPERSEDED: (WITHDRAWN,),
    WITHDRAWN: (),
}
LONGEST_WHY, LONGEST_NAME = 2000, 100  # characters
_KIND = "decision about a card"  # of what is signed
SUPERSEDE, KEEP = BESIDE = ("supersede", "keep")  # what becomes of other approved cards of the same Run and score


@dataclass(frozen=True)
class Event:
    """One decision about a card."""

    state: str  # one of `NEXT`, but draft
    by: str
    why: str
    when: str  # UTC, ISO 8601
    successor: str  # the seal of the card in its place, where it was superseded; else ""
    previous: str  # the seal of the event before, or of the card
    sha256: str = ""  # the seal: of all the rest but the signature, which is over the seal
    signature: Signature | None = None

    @property
    def seal(self) -> str:
        plain = {name: value for name, value in asdict(self).items() if name not in ("sha256", "signature")}
        return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def standing(self) -> Standing:
        """Whether it is signed, by whom, and whether it counts here."""
        return keys.standing(_KIND, self.seal, self.signature)


@dataclass(frozen=True)
class History:
    """The decisions about a card, oldest first."""

    events: tuple[Event, ...]
    refusal: str = ""  # why what was decided does not count here; then no event is told of

    @property
    def state(self) -> str:
        if self.refusal:
            return REFUSED
        return self.events[-1].state if self.events else DRAFT

    @property
    def in_words(self) -> str:
        """Its state with who, when and why: approved by Ada on 2026-11-29: pilot at gate 3."""
        if self.refusal:
            return f"{REFUSED}: what was decided about it does not count here"
        if not self.events:
            return f"{DRAFT}: nobody has approved it yet"
        last = self.events[-1]
        return f"{last.state} by {last.by or 'somebody without a name'} on {last.when[:10]}: {last.why}"

    def as_json(self) -> Json:
        return {"state": self.state, "events": [asdict(event) for event in self.events]}


def file_of(path: Path) -> Path:
    """Where the decisions about the card in a file are, whether there are any or not."""
    return path.with_suffix(".events.jsonl")


def require_undecided(path: Path) -> None:
    """Raises BadInputError where something was decided about the card in a file: no other card may take its name."""
    if file_of(path).exists():
        raise BadInputError(f"Decisions about the card {path} stand in {file_of(path)}: choose another --out.")


def history(path: Path, frozen: Card) -> History:
    """What was decided about the card in a file. Raises BadInputError where that was changed afterwards, and where
    trusted keys are set and a decision is signed by none of them."""
    return _counting(_text(path), frozen, file_of(path))


def _text(path: Path) -> str:
    try:
        with opened_file(file_of(path), card.cache_of(path)) as file:
            return file.read().decode()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{file_of(path)} cannot be read: {error}.") from error


def add(path: Path, state: str, *, by: str = "", why: str, successor: Card | None = None) -> Event:
    """Adds a decision about the card in a file, and returns it when the disk has it.

    `by`: the login name where it is empty. `successor`: the card in its place, needed to supersede one and only then.
    It is signed where the user has a key. Raises BadInputError where the card or what was decided before was changed,
    where the state does not follow on that of the card, without a reason, and where what is to decide from here on is
    not accepted (`card.require_accepted`).
    """
    frozen = card.read(path)
    card.require_untouched(frozen, str(path))
    if state == APPROVED:
        card.require_accepted(frozen, str(path))
    if successor is not None:
        card.require_accepted(successor, "The card in its place")
    if not why.strip():
        raise BadInputError("A decision about a card needs a reason: --why 'in words'.")
    if (successor is not None) != (state == SUPERSEDED):
        raise BadInputError(f"A card that is {SUPERSEDED} has another in its place, and no other has: name it then.")
    if successor is not None and successor.sha256 == frozen.sha256:
        raise BadInputError(f"{path} cannot take its own place: name another card.")
    said = (by.strip()[:LONGEST_NAME] or _login(), why.strip()[:LONGEST_WHY])
    try:
        with end_of(file_of(path), card.cache_of(path)) as end:  # nobody else decides meanwhile
            before = _counting(end.text(), frozen, file_of(path))
            if state not in NEXT[before.state]:
                may = " or ".join(NEXT[before.state]) or "nothing any more: make a new card"
                raise BadInputError(f"{path} is {before.in_words}. It can become {may}.")
            previous = before.events[-1].sha256 if before.events else frozen.sha256
            now = datetime.now(UTC).isoformat(timespec="seconds")
            event = Event(state, *said, now, "" if successor is None else successor.sha256, previous)
            sealed = replace(event, sha256=event.seal, signature=keys.signed(_KIND, event.seal))
            if refusal := sealed.standing.refusal("This decision", keys.BY_WHOM):
                raise BadInputError(refusal)
            end.write_line(_line(sealed))
            ends.note(file_of(path), frozen.sha256, sealed.sha256)
    except OSError as error:
        raise BadInputError(
            f"The decision cannot be kept in {file_of(path)}: {error.strerror or error}. Make the folder writable."
        ) from error
    return sealed


def sign(path: Path) -> list[str]:
    """Signs the card in a file, and the decisions about it that are not signed by a key that is known here.

    Returns what was signed, in words. Raises BadInputError without a key, and where anything of it was changed.
    """
    frozen = card.read(path)
    card.require_untouched(frozen, str(path))
    signed = []
    if not frozen.standing.is_known:
        card.write(replace(frozen, signature=keys.signature(card.KIND, frozen.seal)), path)
        signed.append(f"card {path.stem}")
    if not file_of(path).exists():
        return signed
    with end_of(file_of(path), card.cache_of(path)) as end:
        for event in _parsed(end.text(), frozen.sha256, file_of(path)).events:
            if event.standing.kind == keys.CHANGED:
                raise BadInputError(event.standing.refusal(f"A decision in {file_of(path)}", ""))
            if not event.standing.is_known:
                line = {"signs": event.sha256, "signature": asdict(keys.signature(_KIND, event.seal))}
                end.write_line(json.dumps(line, ensure_ascii=False))
                signed.append(f"{event.state} by {event.by} on {event.when[:10]}")
    return signed


def rewrite(path: Path, before: str, plain: Callable[[Event], Event]) -> None:
    """Writes the decisions about the card in a file, whose seal was `before`, as `plain` makes them, chained to it as
    it is now. Those that a key known here has signed are signed by the user's own, if there is one, others by none.

    Raises BadInputError where any of them was changed or lost by others: that is not made good.
    """
    frozen, file = card.read(path), file_of(path)
    card.require_untouched(frozen, str(path))
    if not file.exists():
        return
    with end_of(file, card.cache_of(path)) as end:
        try:
            said = _parsed(end.text(), before, file)
            ends.require(file, before, [event.sha256 for event in said.events])
        except BadInputError:  # done before an interruption, or else this raises it again
            said = _parsed(end.text(), frozen.sha256, file)
        chained: list[Event] = []
        for event in said.events:
            previous = chained[-1].sha256 if chained else frozen.sha256
            anew = replace(plain(event), previous=previous)
            chained.append(replace(anew, sha256=anew.seal, signature=keys.signed_anew(_KIND, anew.seal, event)))
        if chained and tuple(chained) != said.events:
            with atomic_file(file, card.cache_of(path)) as temporary:
                temporary.write_text("".join(f"{_line(event)}\n" for event in chained), encoding="utf-8")
        if chained:
            ends.note(file, frozen.sha256, chained[-1].sha256)


def _line(event: Event) -> str:
    return json.dumps({name: value for name, value in asdict(event).items() if value is not None}, ensure_ascii=False)


def _counting(text: str, frozen: Card, path: Path) -> History:
    """As `_parsed`. Raises BadInputError as well where lines were taken from the end, and for a decision that does not
    count here."""
    said = _parsed(text, frozen.sha256, path)
    ends.require(path, frozen.sha256, [event.sha256 for event in said.events])
    for event in said.events:
        what = f"The decision {event.state} by {event.by} on {event.when[:10]}, in {path},"
        if refusal := event.standing.refusal(what, "fas keys sign CARD"):
            raise BadInputError(refusal)
    return said


def _parsed(text: str, of: str, path: Path) -> History:
    """The decisions in the lines of a file about the card with the seal `of`.

    Raises BadInputError where one was changed, or taken from their middle.
    """
    events: list[Event] = []
    for line in text.splitlines():
        try:
            content = documents.parsed(line)
        except ValueError:  # half a line of a writer that was killed: it never came to be
            continue
        if isinstance(content, dict) and content.keys() == {"signs", "signature"}:
            signature = documents.read_as(Signature, content["signature"], f"{path}: signature")
            events = [replace(e, signature=signature) if e.sha256 == content["signs"] else e for e in events]
            continue
        names = [field.name for field in fields(Event) if field.name != "signature"]
        if not isinstance(content, dict) or any(not isinstance(content.get(name), str) for name in names):
            raise BadInputError(f"{path}: a line is no decision about a card. Bring the file back as it was.")
        said = {name: content.get(name) for name in (*names, "signature")}
        event = documents.read_as(Event, said, str(path))
        expected = events[-1].sha256 if events else of
        state = events[-1].state if events else DRAFT
        if event.sha256 != event.seal or event.previous != expected or event.state not in NEXT[state]:
            raise BadInputError(
                f"{path} was changed after it was written, or is of another card. Bring the file back as it was."
            )
        events.append(event)
    return History(tuple(events))


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # a user id without a name, as in some containers
        return ""


# ------------------------------------------------------------------------------------------ the cards of a cache folder


@dataclass(frozen=True)
class Kept:
    """A card of a cache folder with its file and what was decided about it."""

    path: Path
    card: Card
    history: History

    def as_json(self) -> Json:
        """An entry of `fas cards --json`."""
        said = (
            "sha256",
            "run",
            "run_name",
            "score",
            "level",
            "rule",
            "threshold",
            "chosen_on",
            "reported_on",
            "created",
        )
        document = self.card.as_json()
        about = {name: document[name] for name in (*said, "by", "note")} | {"targets": document.get("targets")}
        about["signature"] = self.card.standing.words
        return {"card": self.path.stem, "file": str(self.path), **about, **self.history.as_json()}


def kept(cache: Path) -> tuple[list[Kept], list[str]]:
    """The cards of a cache folder whose decisions count, newest first, and what is wrong with other files there."""
    entries, problems = listed(cache)
    return [entry for entry in entries if not entry.history.refusal], problems


def listed(cache: Path) -> tuple[list[Kept], list[str]]:
    """As `kept`, with the cards whose decisions do not count here: their history is a refusal."""
    by_file, problems = card.cards(cache)
    entries: list[Kept] = []
    for path, frozen in by_file:
        try:
            said = history(path, frozen)
        except BadInputError as error:
            problems.append(str(error))
            said = History((), str(error))
        entries.append(Kept(path, frozen, said))
    return entries, problems


def decided_at(path: Path, cache: Path) -> Path:
    """The file of the card that a decision about the one in a file is written beside: where nothing was decided beside
    that, the same card among those that a cache folder keeps. So it is read: see `in_force`."""
    if file_of(path).exists():
        return path
    digest = card.read(path).sha256
    return next((other for other, frozen in card.cards(cache)[0] if frozen.sha256 == digest), path)


def in_force(path: Path, frozen: Card, cache: Path) -> History:
    """What was decided about the card in a file, or where nothing was, about the same one that a cache folder keeps."""
    said = history(path, frozen)
    if said.events:
        return said
    same = (entry.history for entry in kept(cache)[0] if entry.card.sha256 == frozen.sha256)
    return next(same, said)


def keep(frozen: Card, cache: Path) -> Path:
    """Writes a card among those of a cache folder. Raises BadInputError where the same one is kept and in force, and
    for one that is not accepted here."""
    card.require_untouched(frozen, "The card")
    if refusal := frozen.standing.refusal("The card", keys.BY_WHOM):
        raise BadInputError(refusal)
    for other in kept(cache)[0]:
        if other.history.state in (DRAFT, APPROVED) and card.are_alike(frozen, other.card):
            raise BadInputError(
                f"This operating point is kept already, as the card {other.path.stem}, {other.history.in_words}. "
                f"{'Approve' if other.history.state == DRAFT else 'Supersede'} or withdraw that one, or choose by "
                "another rule, data or score."
            )
    return card.kept(frozen, cache)


def approved_beside(frozen: Card, cache: Path) -> list[Kept]:
    """Other approved cards of the same Run and score in a cache folder: of several nobody knows which one decides."""
    return [
        other
        for other in kept(cache)[0]
        if other.history.state == APPROVED
        and (other.card.run, other.card.score) == (frozen.run, frozen.score)
        and other.card.sha256 != frozen.sha256
    ]


def approve(
    path: Path, cache: Path, *, by: str = "", why: str, although_missed: bool = False, beside: str = ""
) -> Event:
    """Approves the card in a file; what stood against that is kept in front of the reason.

    `although_missed`: also one whose limit does not hold. `beside`: one of `BESIDE`, what becomes of other cards of
    the same Run and score that are approved in the cache folder. Raises BadInputError as `add`, where there are such
    and nothing is said of them, and where the limit is missed.
    """
    frozen = card.read_accepted(path)
    with _alone(card.folder(cache)):  # nobody approves another one meanwhile
        others, said = approved_beside(frozen, cache), [why]
        if frozen.missed and not although_missed:
            raise BadInputError(
                f"The limit of {path.stem} is missed: {frozen.missed}. Choose another threshold, or approve it all the "
                "same: --although-missed."
            )
        if others and beside not in BESIDE:
            other = others[0]
            raise BadInputError(
                f"{other.path.stem}, of the same Run and score, is {other.history.in_words}. To put this card in its "
                f"place: --beside {SUPERSEDE}. To have both: --beside {KEEP}."
            )
        if why.strip():  # without a reason `add` refuses
            if others and beside == KEEP:
                said.insert(0, f"beside the approved card {', '.join(other.path.stem for other in others)}")
            if frozen.missed:
                said.insert(0, f"although its limit is missed ({frozen.missed})")
        event = add(path, APPROVED, by=by, why=": ".join(said))
        for other in others if beside == SUPERSEDE else ():
            add(other.path, SUPERSEDED, by=by, why=why, successor=frozen)
    return event


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder of cards; there is nothing to hold where there is no folder."""
    if not folder.is_dir():
        yield
        return
    try:
        with end_of(folder / ".lock", folder.parent):
            yield
    except OSError as error:
        raise BadInputError(f"{folder}: {error.strerror or error}. Make the folder writable.") from error


def file_named(name: str, cache: Path) -> Path:
    """The file of a card: a path, or the name, or the beginning of one, of a card of the cache folder."""
    if Path(name).is_file():
        return Path(name)
    names = sorted(path.stem for path in card.folder(cache).glob("*.json"))
    fitting = [stem for stem in names if stem == name] or [stem for stem in names if stem.startswith(name)]
    if len(fitting) == 1:
        return card.folder(cache) / f"{fitting[0]}.json"
    what = "fits several cards" if fitting else "is no card"
    raise BadInputError(f"'{name}' {what} of {cache}, and no file. Cards: {_listed(fitting or names)}.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "none"
