"""`fas keys`: the key that signs results, and those that are trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError


def new_key(
    name: Annotated[str, typer.Option(help="Whose it is, as others will read it; by default the login name.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="File of the private key; by default FAS_KEY or ~/.config/fas/key.")
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="The key that Runs are encrypted with: of FAS_DATA_KEY, or beside the other.")
    ] = False,
) -> None:
    """Makes a key that signs cards, decisions and Runs; FAS_KEY_PASSPHRASE locks it.

    Example: `fas keys new --name Ada`
    """
    from fas_core.access import keys, secret

    if data:
        path = secret.new(out)
        say(f"The key is in {path}, for you alone. What it encrypts is lost without it: keep a copy elsewhere.")
        if path != secret.key_file():
            say(f"It is used where it is named: {secret.DATA_KEY}={path}")
        return print(path)
    public = keys.new(name, out)
    path = out or keys.key_file()
    say(f"The key is in {path}, for you alone. Whoever is to trust it gets {path}.pub: fas keys trust {path}.pub")
    if path != keys.key_file():
        say(f"It signs where it is named: {keys.KEY}={path}")
    return print(public.line)


def list_keys(as_json: JsonOption = False) -> None:
    """The keys that are trusted, and the own one. Example: `fas keys list --json`"""
    from fas_core.access import keys

    own, among = keys.own_key(), keys.trusted()
    known = {key.key: key for key in (*([own] if own else []), *(among or ()))}
    of_trusted = {key.key for key in among or ()}
    listed = [
        {"key": digits, "name": key.name, "trusted": digits in of_trusted, "own": own is not None and own.key == digits}
        for digits, key in known.items()
    ]
    if as_json:
        return print_json(listed)
    if listed:
        said = {True: "yes", False: "no"}
        rows = [
            [str(key["name"]), str(key["key"]), said[bool(key["trusted"])], said[bool(key["own"])]] for key in listed
        ]
        print_table("Keys", ["name", "key", "trusted", "own"], rows)
    if among is None:
        print("No key is trusted: unsigned results count, and are said to be unsigned. fas keys trust FILE.pub")
    elif not among:
        print(f"{keys.trusted_file()} names no key: nobody is trusted, and no result counts. fas keys trust FILE.pub")
    return None


def trust_key(file: Annotated[Path, typer.Argument(metavar="FILE.pub")]) -> None:
    """Trusts the keys of a file: from then on only what trusted keys have signed counts.

    Example: `fas keys trust ada.pub`
    """
    from fas_core.access import keys

    for key in keys.trust(file):
        print(f"Trusted: {key.name} {key.key}")
    say("Compare the digits with those that their owner reads out (fas keys show).")


def untrust_key(key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, or how it begins.")]) -> None:
    """Trusts a key no more, whatever it has signed. Example: `fas keys untrust Ada`"""
    from fas_core.access import keys

    taken = keys.untrust(key)
    print(f"Not trusted any more: {taken.name} {taken.key}")
    if not keys.trusted():
        say(f"Nobody is trusted now, and no result counts. To accept unsigned ones again: delete {keys.trusted_file()}")


def show_key() -> None:
    """The public half of the own key, to be handed out. Example: `fas keys show > ada.pub`"""
    from fas_core.access import keys

    own = keys.own_key()
    if own is None:
        raise BadInputError(f"There is no key in {keys.key_file()}. Make one: fas keys new")
    print(own.line)


def sign(what: Annotated[str, typer.Argument(metavar="CARD|RUN")], cache: CacheOption) -> None:
    """Signs a card and the decisions about it, or a Run, that were there before. Example: `fas keys sign op.json`"""
    from fas_core.access import keys
    from fas_core.deciding import card, card_states
    from fas_core.runs import signatures, store
    from fas_core.runs.upkeep import damage

    names = [path.stem for path in card.folder(cache).glob("*.json")]
    if Path(what).is_file() or any(name.startswith(what) for name in names):
        signed = card_states.sign(card_states.file_named(what, cache))
        return print("\n".join(f"Signed: {text}" for text in signed) or "Everything is signed by a known key already.")
    run = store.open_run(cache, what)
    before = signatures.standing(run)
    if before.kind == keys.CHANGED:
        say(f"Note: Run {run.info.name} was {before.words}: it had grown, or somebody has edited it.")
    if damage(run):
        raise BadInputError(f"Run {run.info.name} is damaged. Nothing was signed: fas verify {run.id}")
    if signatures.sign(run) is None:
        raise BadInputError("There is no key to sign with. Make one: fas keys new")
    return print(f"Signed: Run {run.info.name} ({run.id})")
