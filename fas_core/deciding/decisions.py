"""Whether a Run is approved: what a person decided about it, on which numbers, and why. Nothing is ever erased.

    draft = decisions.Decision(about=..., against=..., verdict="approved", by="Ada", reason="...", evidence=...)
    decisions.keep(draft, cache)
    decisions.kept(cache)

A decision is a sealed JSON document in a file of its own, among those of `cache/decisions`. A later one about the same
Run takes its place and holds its seal, so that one which was changed, or taken out of their middle, is found. Where
trusted keys are set, those that none of them has signed are none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from fas_core import documents, texts
from fas_core.access import keys
from fas_core.access.keys import Signature, Standing
from fas_core.data.names import readable
from fas_core.deciding.card import Card
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.comparison import PairedComparison
from fas_core.evaluation.join import System
from fas_core.evaluation.matching import Matching, limits_words
from fas_core.evaluation.regressions import Cell, Regressions
from fas_core.files import atomic_file, end_of
from fas_core.metrics import json_safe
from fas_core.metrics.limits import Target, target_words
from fas_core.metrics.operating_point import Rule
from fas_core.runs import tombstones
from fas_core.runs.health import Caution
from fas_core.runs.store import Run

VERSION = 1
APPROVED, REFUSED = VERDICTS = ("approved", "refused")
MOST_WORSE = 8  # rows of what got worse, of live faces and of attacks: about what the page Compare shows at once
LONGEST_NAME, LONGEST_TEXT, MOST_CONDITIONS = 100, 2000, 20  # characters of a name, of a reason or condition
KIND = "decision"  # of what is signed
_MADE = (
    "when",
    "supersedes",
    "sha256",
    "signature",
)  # what `keep` adds: two decisions that differ in nothing else are the same


@dataclass(frozen=True)
class JudgedRun:
    """A Run as it was when it was decided on, and what it was judged by."""

    run: str  # the id
    name: str
    digest: str
    checkpoint_sha256: str | None
    score: str
    threshold: float | None  # None where the rule gives none

    @classmethod
    def of(cls, system: System, threshold: float | None) -> JudgedRun:
        """Of a score at a threshold; None is no threshold."""
        info = system.run.info
        return cls(
            system.run.id,
            info.name,
            system.run.digest_of(system.score),
            info.checkpoint_sha256 or None,
            system.score,
            threshold,
        )

    def state(self, run: Run | None) -> str:
        """What has become of it: "" where it is as it was. `run`: the one with its id now, None where there is none."""
        if run is None:
            return "its Run is gone"
        if run.digest_of(self.score) == self.digest:
            return ""
        removed = tombstones.words_of(run.cache, run.id)
        return f"its Run has changed since{f' ({removed})' if removed else ''}"


@dataclass(frozen=True)
class Worsened:
    """A row of what got worse as it stood on the screen: shares of wrong verdicts of A and of the other Run."""

    column: str  # "": all samples of the kind
    group: str
    kind: str  # bona fide or a species
    n: int
    a: float
    b: float
    difference: float
    low: float | None  # 95 % of the difference
    high: float | None
    p: float | None  # corrected
    verdict: str  # one of `regressions.VERDICTS`
    n_units: int | None = None  # these two None before they were kept
    n_largest: int | None = None

    @classmethod
    def of(cls, cell: Cell) -> Worsened:
        """The fields that a decision keeps of a cell."""
        shown = {f.name: getattr(cell, f.name) for f in fields(cls)}
        return cls(**shown)

    @property
    def in_words(self) -> str:
        """live faces with skin tone dark brown 9 → 16 % (+3 to +12 points, n = 129), not certain"""
        units, largest = self.n_units or self.n, self.n_largest or 0
        cell = Cell(
            self.column, self.group, self.kind, self.n, units, self.a, self.b, self.low, self.high, n_largest=largest
        )
        interval = f"{cell.interval}, " if cell.interval else ""
        mostly = f", {largest:,} of one" if cell.is_of_one else ""
        return f"{cell.words} {cell.shares} ({interval}n = {self.n:,}{mostly}), {self.verdict}"

    def as_json(self) -> Json:
        """Without what is None because it was not kept then, so that the seal of a decision from before still holds."""
        later = ("n_units", "n_largest")
        return {name: value for name, value in asdict(self).items() if value is not None or name not in later}


def worsened(got_worse: Regressions | None) -> tuple[Worsened, ...]:
    """The first rows of what got worse, live faces and then attacks; none where nothing was compared."""
    if got_worse is None:
        return ()
    live, attacks = got_worse.first(MOST_WORSE)
    return tuple(map(Worsened.of, (*live, *attacks)))


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a decision rests on, as it was shown to who decided."""

    level: str
    rule: Rule
    chosen_on: tuple[str, ...]  # subsets that the thresholds were chosen on; none: on those judged, or by hand
    judged_on: tuple[str, ...]
    numbers: tuple[str, ...]  # sentences of plain text
    cautions: tuple[Caution, ...]
    worse: tuple[Worsened, ...] | None = None  # the first rows of what got worse; None before these were kept
    missed: str = ""  # where the limit does not hold for the Run, in words; "" where it does, and before it was kept

    def as_json(self) -> Json:
        """Without `worse` and `missed` where there is none, so that the seal of a decision from before still holds."""
        cautions = [caution.as_json() for caution in self.cautions]
        document = {f.name: getattr(self, f.name) for f in fields(self)}
        later: Json = {} if self.worse is None else {"worse": [row.as_json() for row in self.worse]}
        later |= {"missed": self.missed} if self.missed else {}
        return (
            {name: value for name, value in document.items() if name not in ("worse", "missed")}
            | later
            | {
                "rule": str(self.rule),
                "cautions": cautions,
            }
        )

    def worse_words(self, most: int = MOST_WORSE) -> str:
        """What got worse: the first rows; "" where none is kept."""
        told = "; ".join(row.in_words for row in (self.worse or ())[:most])
        n_more = len(self.worse or ()) - most
        return f"{told}{f'; {n_more} more' if n_more > 0 else ''}" if told else ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """That a Run is approved, or refused, by whom and why; a draft until `keep` has sealed it."""

    version: int = VERSION
    about: JudgedRun
    against: JudgedRun | None  # the one in use that it was compared with
    verdict: str  # one of `VERDICTS`
    by: str
    reason: str
    conditions: tuple[str, ...] = ()
    evidence: Evidence
    when: str = ""  # UTC, ISO 8601
    supersedes: str = ""  # the seal of the decision about the same Run whose place it takes; "" for the first
    sha256: str = ""  # the seal: of all the rest but the signature, which is over the seal
    signature: Signature | None = None

    def as_json(self) -> Json:
        """The document, from whose fields the seal is computed."""
        document = {f.name: getattr(self, f.name) for f in fields(self)} | {"evidence": self.evidence.as_json()}
        if self.signature is None:
            del document["signature"]
        safe: Json = json_safe(document)
        return safe

    @classmethod
    def from_json(cls, content: object, where: str) -> Decision:
        """The decision of a document. Raises BadInputError, beginning with `where`, for what is no sealed decision."""
        if not isinstance(content, dict) or "verdict" not in content:
            raise BadInputError(f"{where} is no decision about a Run. Make one with 'fas decisions add'.")
        if content.get("version") != VERSION:
            raise BadInputError(f"{where} has decision version {content.get('version')}; this version reads {VERSION}.")
        decision = documents.read_as(cls, content, where)
        documents.require_date(decision.when, where, "when")
        if decision.sha256 != decision.seal:
            raise BadInputError(f"{where} was changed after it was written. Bring the file back as it was.")
        if refusal := decision.standing.refusal(where, f"decide anew; {keys.BY_WHOM}"):
            raise BadInputError(refusal)
        return decision

    @property
    def seal(self) -> str:
        """The SHA-256 of the document without its seal and signature."""
        unsealed = {name: value for name, value in self.as_json().items() if name not in ("sha256", "signature")}
        return _sha256(unsealed)

    @property
    def standing(self) -> Standing:
        """Whether it is signed, by whom, and whether it counts here."""
        return keys.standing(KIND, self.seal, self.signature)

    @property
    def content(self) -> str:
        """Stands for what was decided and on what, whenever that was."""
        return _sha256({name: value for name, value in self.as_json().items() if name not in _MADE})

    @property
    def in_short(self) -> str:
        """approved by Ada on 2026-11-29 against small_dcvae"""
        against = "" if self.against is None else f" against {self.against.name}"
        if self.against is not None and self.against.run == self.about.run:
            against += f" by {self.against.score}"
        return f"{self.verdict} by {self.by} on {self.when[:10]}{against}"

    @property
    def said(self) -> str:
        """approved by Ada on 2026-11-29 against small_dcvae: fewer masks pass. Condition: judged again in May."""
        end = "" if self.reason[-1] in ".!?…" else "."
        return f"{self.in_short}: {self.reason}{end}{self.conditions_words()}"

    def conditions_words(self, what: str = "Condition") -> str:
        """Behind a sentence: Conditions: judged again in May; webcams too. "" without any."""
        several = "" if len(self.conditions) == 1 else "s"
        return f" {what}{several}: {'; '.join(self.conditions)}." if self.conditions else ""

    @property
    def in_words(self) -> str:
        """`said`, of which Run."""
        return f"{self.about.name}: {self.said}"


def _sha256(document: Json) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def draft(
    about: JudgedRun,
    against: JudgedRun | None,
    evidence: Evidence,
    *,
    verdict: str,
    by: str,
    reason: str,
    conditions: Sequence[str] = (),
    although_missed: bool = False,
) -> Decision:
    """A decision in the words of who makes it. Raises BadInputError without a name, a reason or a verdict.

    `although_missed`: also approves what misses its limit, which is put in front of the reason; else that is refused.
    """
    who, why = require_said(verdict, by, reason)
    if verdict == APPROVED and evidence.missed:
        if not although_missed:
            raise BadInputError(
                f"The limit is missed: {evidence.missed}. Refuse the Run, or approve it all the "
                "same: --although-missed."
            )
        why = f"although its limit is missed ({evidence.missed}): {why}"
    said = [text for text in map(_plain, conditions) if text]
    if len(who) > LONGEST_NAME or any(len(text) > LONGEST_TEXT for text in (why, *said)) or len(said) > MOST_CONDITIONS:
        raise BadInputError(
            f"Too long to be kept: a name has at most {LONGEST_NAME} characters, a reason and each of at most "
            f"{MOST_CONDITIONS} conditions {LONGEST_TEXT:,}."
        )
    return Decision(
        about=about, against=against, verdict=verdict, by=who, reason=why, conditions=tuple(said), evidence=evidence
    )


def require_said(verdict: str, by: str, reason: str) -> tuple[str, str]:
    """The name and the reason, each in a line. Raises BadInputError where one is missing, or the verdict is none."""
    if verdict not in VERDICTS:
        raise BadInputError(f"'{verdict}' is no verdict: {' or '.join(VERDICTS)}.")
    if not (who := _plain(by)):
        raise BadInputError("A decision needs the name of who makes it.")
    if not (why := _plain(reason)):
        raise BadInputError("A decision needs a reason, in words.")
    return who, why


def _plain(text: str) -> str:
    """In one line, without invisible characters."""
    return texts.plain("".join(char for char in " ".join(text.split()) if char.isprintable()))


def by_comparison(compared: PairedComparison) -> tuple[JudgedRun, JudgedRun, Evidence]:
    """B, A and what a decision about B against A rests on."""
    a, b = compared.a, compared.b
    at_a, at_b = (None, None) if compared.verdicts is None else compared.matching.thresholds
    limit = limits_words(compared.matching, compared.targets, compared.judged_on)
    names = f"A is {a.run.info.name} by {a.score}, B is {b.run.info.name} by {b.score}."
    evidence = Evidence(
        level=compared.level,
        rule=compared.matching.rule,
        chosen_on=compared.matching.chosen_on,
        judged_on=compared.judged_on,
        numbers=(names, *filter(None, [compared.headline, limit]), *compared.in_words),
        cautions=named_cautions(compared.cautions, [a.run, b.run]),
        worse=worsened(compared.worse),
        missed=missed(compared.matching, compared.targets, 1, compared.judged_on),
    )
    return JudgedRun.of(b, at_b), JudgedRun.of(a, at_a), evidence


def missed(matched: Matching, targets: Sequence[Target], i: int, judged_on: Sequence[str]) -> str:
    """That the limit does not hold for Run `i` of those compared, in words; "" where it does or there is none."""
    if len(targets) <= i or targets[i].met is not False:
        return ""
    return f"on {', '.join(map(readable, judged_on))}: {target_words(matched.rule, targets[i])}"


def named_cautions(listed: Iterable[tuple[Run, Caution]], runs: Sequence[Run]) -> tuple[Caution, ...]:
    """The cautions about some of several Runs, each with the name of its Run."""
    ids = {run.id for run in runs}
    return tuple(
        replace(caution, message=f"{run.info.name}: {caution.message}") for run, caution in listed if run.id in ids
    )


def by_card(system: System, frozen: Card, sentence: str) -> tuple[JudgedRun, Evidence]:
    """A Run and what a decision about it alone rests on: the rates of a card, in a sentence."""
    evidence = Evidence(
        level=frozen.level,
        rule=frozen.rule,
        chosen_on=frozen.chosen_on,
        judged_on=frozen.reported_on,
        numbers=(sentence,),
        cautions=frozen.warnings or (),
        missed=frozen.missed,
    )
    return JudgedRun.of(system, frozen.threshold), evidence


# ------------------------------------------------------------------------------------------ those of a cache folder


@dataclass(frozen=True)
class Kept:
    """A decision of a cache folder with its file."""

    path: Path
    decision: Decision
    is_latest: bool  # about its Run: no other has taken its place
    before: Decision | None = None  # the one whose place it took

    @property
    def before_words(self) -> str:
        """What it took the place of, with the conditions that held then; "" for the first about its Run."""
        if self.before is None:
            return ""
        return f"In the place of: {self.before.in_short}.{self.before.conditions_words('Its condition')}"

    def as_json(self) -> Json:
        """An entry of `fas decisions --json`."""
        return {"file": str(self.path), "superseded": not self.is_latest, **self.decision.as_json()}


def folder(cache: Path) -> Path:
    """Where the decisions about the Runs of a cache folder are."""
    return cache / "decisions"


def kept(cache: Path) -> tuple[list[Kept], list[str]]:
    """The decisions of a cache folder, newest first, and what is wrong with other files there."""
    by_file: list[tuple[Path, Decision]] = []
    problems: list[str] = []
    for path in sorted(folder(cache).glob("*.json")):
        try:
            by_file.append((path, read(path, cache)))
        except BadInputError as error:
            problems.append(str(error))
    by_file.sort(key=lambda entry: entry[1].when, reverse=True)
    seals = {decision.sha256 for _, decision in by_file}
    superseded = {decision.supersedes for _, decision in by_file}
    problems += [
        f"{path}: the decision that it took the place of is gone, or was changed. Bring its file back."
        for path, decision in by_file
        if decision.supersedes and decision.supersedes not in seals
    ]
    by_seal = {decision.sha256: decision for _, decision in by_file}
    return [
        Kept(path, decision, decision.sha256 not in superseded, by_seal.get(decision.supersedes))
        for path, decision in by_file
    ], problems


def about(runs: Sequence[Run]) -> list[Kept]:
    """The decisions about some Runs of one cache folder, newest first."""
    ids = {run.id for run in runs}
    return [entry for entry in kept(runs[0].cache)[0] if entry.decision.about.run in ids] if runs else []


def keep(decision: Decision, cache: Path) -> Decision:
    """Seals a draft and writes it among the decisions of a cache folder, in the place of the latest about its Run.

    It is signed where the user has a key. Raises BadInputError where the same is kept already, where it would not be
    accepted here, and where the folder cannot be written.
    """
    try:
        with end_of(folder(cache) / ".lock", cache):  # nobody else decides meanwhile
            before, _ = kept(cache)
            for other in before:
                if other.decision.content == decision.content:
                    raise BadInputError(
                        f"The same decision is kept already: {other.decision.in_short}. Say what is new in the reason."
                    )
            of_run = [
                entry.decision.sha256
                for entry in before
                if entry.is_latest and entry.decision.about.run == decision.about.run
            ]
            dated = replace(
                decision, when=datetime.now(UTC).isoformat(timespec="microseconds"), supersedes=next(iter(of_run), "")
            )
            sealed = replace(dated, sha256=dated.seal, signature=keys.signed(KIND, dated.seal))
            if refusal := sealed.standing.refusal("This decision", keys.BY_WHOM):
                raise BadInputError(refusal)
            write(sealed, folder(cache), cache)
    except OSError as error:
        raise BadInputError(
            f"The decision cannot be kept in {folder(cache)}: {error.strerror or error}. Make the folder writable."
        ) from error
    return sealed


def write(decision: Decision, to: Path, below: Path | None = None) -> Path:
    """Writes a sealed decision into a folder, under a name of its own. `below`: see `files.opened_file`."""
    stamp = decision.when.replace(":", "").replace("+0000", "")
    path = to / f"{stamp}-{decision.about.run}-{decision.sha256[:6]}.json"
    rewrite(decision, path, below)
    return path


def rewrite(decision: Decision, path: Path, below: Path | None) -> None:
    """Writes a sealed decision into a file, in the place of what is there."""
    with atomic_file(path, below) as temporary:
        text = json.dumps(decision.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read(path: Path, below: Path | None = None) -> Decision:
    """A decision from its file. `below`: see `files.opened_file`.

    Raises BadInputError where it cannot be read, is none, or was changed.
    """
    try:
        content = documents.read(path, below)
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise BadInputError(f"{path} is no decision about a Run: it is not JSON ({error}).") from error
    return Decision.from_json(content, str(path))
