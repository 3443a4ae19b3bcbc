"""`fas cards`: operating points that were kept, and who approved, superseded or withdrew them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption
from fas_core.cli.printing import print_kept, say
from fas_core.errors import BadInputError
from fas_core.files import atomic_file

CardArgument = Annotated[str, typer.Argument(metavar="CARD", help="A file, or a card's name or its beginning.")]
WhyOption = Annotated[str, typer.Option(help="The reason, in words.")]
ByOption = Annotated[str, typer.Option(help="Who decides; by default the login name.")]


def list_cards(context: typer.Context, cache: CacheOption, as_json: JsonOption = False) -> None:
    """Operating-point cards with their states: draft, approved, superseded, withdrawn. Example: `fas cards --json`"""
    if context.invoked_subcommand is not None:
        return None
    from fas_core.deciding import card_states

    def row(entry: card_states.Kept) -> dict[str, str]:
        card = entry.card
        said = {"card": entry.path.stem, "run": card.run_name, "score": card.score, "level": card.level}
        said |= {"rule": str(card.rule)}
        return said | {"state": entry.history.in_words, "signature": entry.card.standing.words}

    remedy = "fas threshold RUN ... --out op.json, then: fas cards keep op.json"
    return print_kept("cards", card_states.listed(cache), row, cache=cache, remedy=remedy, as_json=as_json)


def keep_card(file: Annotated[Path, typer.Argument(metavar="FILE")], cache: CacheOption) -> None:
    """Puts a card among those of the cache folder, once. Example: `fas cards keep op.json`"""
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states

    print(card_states.keep(cards.read_accepted(file), cache).stem)


def print_pages(
    card: CardArgument,
    out: Annotated[Path, typer.Option("--out", help="File to write, .pdf or .html.")],
    cache: CacheOption,
) -> None:
    """A card on two pages, as PDF or HTML. Example: `fas cards print 20261129 --out op.pdf`"""
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states
    from fas_core.reports import card as cardpage
    from fas_core.reports.pdf import pdf

    path = card_states.file_named(card, cache)
    frozen = cards.read_accepted(path)
    if out.suffix not in (".pdf", ".html"):
        raise BadInputError(f"--out {out} is neither .pdf nor .html: name it as what it is to be.")
    try:
        run = cards.run_of(frozen, cache)
    except BadInputError as error:
        say(f"Warning: {error}")
        run = None
    html = cardpage.page(frozen, run, card_states.in_force(path, frozen, cache))
    content = pdf(html) if out.suffix == ".pdf" else html.encode()
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)
    print(out)


def approve(
    card: CardArgument,
    cache: CacheOption,
    why: WhyOption,
    by: ByOption = "",
    although_missed: Annotated[
        bool, typer.Option("--although-missed", help="Also where the limit of the card does not hold.")
    ] = False,
    beside: Annotated[
        str,
        typer.Option(
            metavar="supersede|keep",
            help="What becomes of another approved card of the same Run and score; without it, none is approved.",
        ),
    ] = "",
) -> None:
    """Approves a draft. Example: `fas cards approve 2026-11-29 --why "pilot at gate 3" --by Ada`"""
    from fas_core.access import policy
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states

    if beside and beside not in card_states.BESIDE:
        raise BadInputError(f"--beside {beside}: write {' or '.join(card_states.BESIDE)}.")
    path = _decided_at(card, cache)
    replaced = card_states.approved_beside(cards.read(path), cache) if beside == card_states.SUPERSEDE else []
    policy.tell("decision", {"card": path.stem, "state": card_states.APPROVED, "by": by, "why": why})
    card_states.approve(path, cache, by=by, why=why, although_missed=although_missed, beside=beside)
    for changed in (path, *(other.path for other in replaced)):
        _say_state(changed)


def supersede(
    card: CardArgument,
    cache: CacheOption,
    successor: Annotated[str, typer.Option("--with", metavar="CARD", help="The card that takes its place.")],
    why: WhyOption,
    by: ByOption = "",
) -> None:
    """Puts another card in the place of one. Example: `fas cards supersede old.json --with new.json --why retrained`"""
    from fas_core.deciding.card_states import SUPERSEDED

    _decide(card, cache, SUPERSEDED, why, by, successor)


def withdraw(card: CardArgument, cache: CacheOption, why: WhyOption, by: ByOption = "") -> None:
    """Withdraws a card for good; `fas predict` refuses it. Example: `fas cards withdraw op.json --why "a leak"`"""
    from fas_core.deciding.card_states import WITHDRAWN

    _decide(card, cache, WITHDRAWN, why, by)


def _decide(name: str, cache: Path, state: str, why: str, by: str, successor: str | None = None) -> None:
    from fas_core.access import policy
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states

    path = _decided_at(name, cache)
    in_its_place = None if successor is None else cards.read_accepted(card_states.file_named(successor, cache))
    policy.tell("decision", {"card": path.stem, "state": state, "by": by, "why": why})
    card_states.add(path, state, by=by, why=why, successor=in_its_place)
    _say_state(path)


def _decided_at(name: str, cache: Path) -> Path:
    """The file beside which a decision about a card is written: of one that the cache folder keeps too, that one's."""
    from fas_core.deciding import card_states

    path = card_states.file_named(name, cache)
    decided_at = card_states.decided_at(path, cache)
    if decided_at.resolve() != path.resolve():
        say(f"Note: {path} is kept as {decided_at.stem}: the decision is about that one.")
    return decided_at


def _say_state(path: Path) -> None:
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states

    print(f"{path.stem}: {card_states.history(path, cards.read(path)).in_words}")
