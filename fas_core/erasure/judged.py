"""Cards and decisions without somebody's names: what was decided, on which numbers, by whom and when, stays.

A document whose text changes is sealed anew, and so is what holds its seal: the events of a card, a later decision; of
what a known key had signed, the one who forgets takes it over by a signature of his or her own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fas_core.access import keys
from fas_core.deciding import card, card_states, decisions
from fas_core.deciding.card import Card
from fas_core.deciding.card_states import Event
from fas_core.deciding.decisions import Decision
from fas_core.erasure.words import Names
from fas_core.errors import BadInputError
from fas_core.runs.health import Caution

Seals = dict[str, str]  # of documents as they were -> as they are
Keep = Callable[[Seals], None]  # writes the seals down before anything changes


def forget(
    cache: Path, names: Names, runs: set[str], manifests: set[str], seals: Mapping[str, str], keep: Keep
) -> None:
    """Takes names out of the cards and decisions of a cache folder that are of some Runs or manifests (their hashes).

    `seals`: those that an interrupted call has handed to `keep`.
    """
    changed = dict(seals)
    cards = {}
    for path, frozen in card.cards(cache)[0]:
        if frozen.run in runs or (frozen.manifest_sha256 or "") in manifests:
            plain = _card_without(frozen, names)
            if plain.sha256 != frozen.sha256:
                cards[path] = plain
                changed[frozen.sha256] = plain.sha256
    judged: dict[Path, Decision] = {}
    for entry in reversed(decisions.kept(cache)[0]):  # the oldest first: a later one holds its seal
        plain_decision = _decision_without(entry.decision, names, runs, changed)
        if plain_decision.sha256 != entry.decision.sha256:
            judged[entry.path] = plain_decision
            changed[entry.decision.sha256] = plain_decision.sha256
    if not changed:
        return
    keep(changed)
    for path, frozen in cards.items():
        card.write(frozen, path)
    were = {now: before for before, now in changed.items()}
    for path, frozen in card.cards(cache)[0]:
        with suppress(BadInputError):  # it says so itself wherever it is shown
            card_states.rewrite(
                path, were.get(frozen.sha256, frozen.sha256), lambda event: _event_without(event, names, changed)
            )
    for path, decision in judged.items():
        decisions.rewrite(decision, path, cache)


def _card_without(frozen: Card, names: Names) -> Card:
    subjects = tuple(replace(who, subject_id=names.without(who.subject_id)) for who in frozen.worst_subjects)
    warnings = None if frozen.warnings is None else tuple(_caution_without(said, names) for said in frozen.warnings)
    plain = replace(frozen, worst_subjects=subjects, warnings=warnings, note=names.without(frozen.note))
    if plain == frozen:
        return plain
    return replace(plain.sealed(), signature=keys.signed_anew(card.KIND, plain.seal, frozen))


def _caution_without(caution: Caution, names: Names) -> Caution:
    return replace(caution, message=names.without(caution.message), counts=names.within(caution.counts))


def _decision_without(decision: Decision, names: Names, runs: set[str], changed: Mapping[str, str]) -> Decision:
    plain = replace(decision, supersedes=changed.get(decision.supersedes, decision.supersedes))
    if {decision.about.run, decision.against.run if decision.against else ""} & runs:
        evidence = decision.evidence
        worse = evidence.worse and tuple(replace(row, group=names.without(row.group)) for row in evidence.worse)
        plain = replace(
            plain,
            reason=names.without(decision.reason),
            conditions=tuple(map(names.without, decision.conditions)),
            evidence=replace(
                evidence,
                numbers=tuple(map(names.without, evidence.numbers)),
                cautions=tuple(_caution_without(said, names) for said in evidence.cautions),
                worse=worse,
                missed=names.without(evidence.missed),
            ),
        )
    if plain == decision:
        return plain
    return replace(plain, sha256=plain.seal, signature=keys.signed_anew(decisions.KIND, plain.seal, decision))


def _event_without(event: Event, names: Names, changed: Mapping[str, str]) -> Event:
    return replace(event, why=names.without(event.why), successor=changed.get(event.successor, event.successor))
