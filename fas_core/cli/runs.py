"""`fas runs`, `marks`, `verify`, `prune`: Runs are listed and kept well."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core import storage
from fas_core.cli.options import (
    CacheOption,
    DataOption,
    DeriveOption,
    EngineOption,
    JsonOption,
    ModalityOption,
    require_engine,
)
from fas_core.cli.printing import age, file_size, print_json, print_table, print_verified, say, say_notes
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.runs.marks import Agreement

# --------------------------------------------------------------------------------------------------------------- runs


def list_runs(context: typer.Context, cache: CacheOption, as_json: JsonOption = False) -> None:
    """The Runs of a cache folder. Example: `fas runs --json`"""
    if context.invoked_subcommand is not None:
        return None
    from fas_core import scores
    from fas_core.runs import naming, store

    listed = []
    for folder in store.run_folders(cache):
        try:
            run = store.opened(folder)
            is_encrypted = bool(run.shards) and all(shard.meta.encrypted for shard in run.shards)
            listed.append((naming.facts_of(run), run.summary(), scores.undeclared(run), is_encrypted, run.key_ids))
        except BadInputError as error:
            say(str(error))
    called = naming.told_apart([facts for facts, *_ in listed])
    if as_json:
        return print_json(
            [
                asdict(about)
                | {"called": called[facts.id], "data": facts.data, "modality": facts.modality}
                | {"epoch": facts.epoch, "latent_dim": facts.latent_dim}
                | {"undeclared": undeclared, "encrypted": is_encrypted, "keys": key_ids}
                for facts, about, undeclared, is_encrypted, key_ids in listed
            ]
        )
    rows = [
        [
            about.run,
            called[facts.id],
            about.model or ("scores only" if about.kind == "scores" else "imported arrays"),
            f"{facts.data}, {facts.modality}" if facts.modality else facts.data,
            "" if facts.epoch is None else str(facts.epoch),
            "" if facts.latent_dim is None else str(facts.latent_dim),
            f"{sum(about.subsets.values()):,}",
            str(about.n_failures),
            "yes" if about.complete else "no",
            file_size(about.bytes),
            age(about.created),
        ]
        for facts, about, *_ in listed
    ]
    columns = ["run", "called", "model", "data", "epochs", "dims", "samples", "failures", "complete", "size", "age"]
    print_table(f"Runs in {storage.shown(cache)}", columns, rows)
    for facts, _, undeclared, is_encrypted, key_ids in listed:
        if key_ids:
            how = "encrypted" if is_encrypted else "encrypted in part"
            say(f"Note: {called[facts.id]} is {how}, by key {' and '.join(key_ids)}.")
        if undeclared:
            say(
                f"Note: {called[facts.id]}: columns of numbers that are no scores: {', '.join(undeclared)}. Declare "
                f"one: fas scores join {facts.id} --score {undeclared[0]} --higher-is attack"
            )
    return None


def encrypt_run(runs: Annotated[list[str], typer.Argument(metavar="RUN...")], cache: CacheOption) -> None:
    """Encrypts the pixels and codes of Runs; goes on where it was. Example: `fas runs encrypt small_dcvae`"""
    from fas_core import progress
    from fas_core.runs import encrypting, store

    opened = [store.open_run(cache, run) for run in runs]
    with progress.task("Encrypting shards", sum(len(run.shards) for run in opened)) as shown:
        for run in opened:
            encrypting.encrypt(run, shown.advance)
            print(run.id, flush=True)
    say(
        "Without the key nothing of it can be read: keep a copy elsewhere. Derived results were dropped. What deleted "
        "files, backups and snapshots of the disk still hold is in the clear."
    )


def import_arrays(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="With latents.npy, reconstructions.npy or the like.")],
    data: DataOption,
    name: Annotated[str, typer.Option(help="Name of the Run.")],
    cache: CacheOption,
    modality: ModalityOption = "",
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Arrays that name no samples are of the manifest's rows, in its order.")
    ] = False,
    higher_is: Annotated[
        list[str] | None,
        typer.Option(help="Declares the scores: attack, bona_fide, or COLUMN=attack; may be repeated."),
    ] = None,
    pixel_range: Annotated[
        str, typer.Option("--range", help="What is black and white in arrays of images: 0..1, -1..1, 0..255.")
    ] = "",
    derive: DeriveOption = "all",
) -> None:
    """A Run from arrays of another framework. Example: `fas runs import out/ --data m.csv --name acme`"""
    from fas_core import derive as deriving
    from fas_core.cli.deriving import NOTHING_DERIVED, keep_openings
    from fas_core.data import manifest, modalities
    from fas_core.inference import imported
    from fas_core.runs import health

    compute = deriving.amount(derive)
    images = modalities.of_one(manifest.read(data), modality)
    say_notes(images.notes)
    made_of = imported.write_run(
        folder, images, cache, name, in_order=in_order, higher_is=higher_is or [], pixel_range=pixel_range
    )
    run = made_of.run
    for note in made_of.notes:
        say(f"Note: {note}")
    if compute:
        deriving.compare_samples(run)
    for caution in health.cautions(run):
        say(f"Warning: {caution.message}")
    print(run.id, flush=True)
    if compute:
        compute(run, further=keep_openings)
    else:
        say(NOTHING_DERIVED)


def export_marks(
    cache: CacheOption,
    run: Annotated[str, typer.Argument(metavar="RUN")],
    agreement: Annotated[
        bool, typer.Option("--agreement", help="How far every two people agree: Cohen's kappa with its interval.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What people have marked, labelled and noted in the app, as CSV. Example: `fas marks small_dcvae > marks.csv`"""
    from fas_core import files as csvfile
    from fas_core.runs import marks, store

    opened = store.open_run(cache, run)
    changes = marks.history(opened)
    compared = marks.agreements(opened, changes)
    if agreement:
        return _print_agreements(compared, as_json=as_json)
    for pair in compared:
        say(pair.words)
    table = marks.table(opened, marks.current(changes))
    if as_json:
        return print_json(table.astype(object).where(table.notna(), None).to_dict("records"))
    sys.stdout.flush()
    sys.stdout.buffer.write(csvfile.csv(table))  # UTF-8, whatever the terminal shows: it is data


def _print_agreements(compared: list[Agreement], *, as_json: bool) -> None:
    if as_json:
        return print_json([asdict(pair) for pair in compared])
    for pair in compared:
        print(pair.words)
    if not compared:
        say(
            "No two people have labelled the same sample of this Run, or marked among samples that both have looked at."
        )
    return None


def verify(
    cache: CacheOption,
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN...]")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Compute damaged shards anew.")] = False,
    engine: EngineOption = "local",
    as_json: JsonOption = False,
) -> None:
    """Reads every byte of Runs against its checksum, and their signatures; status 2 on damage.

    Example: `fas verify small_dcvae --repair`
    """
    from fas_core import progress
    from fas_core.runs import store
    from fas_core.runs.upkeep import Reader, each_damage, folders_to_verify, shard_folders, verified

    by_ray = require_engine(engine)
    folders = [store.folder_of(cache, run) for run in runs] if runs else folders_to_verify(cache)
    if not folders:
        say(f"No Runs in {storage.shown(cache)}: nothing to verify.")
    reasons: list[str] = []
    with ExitStack() as held:
        read: Reader = each_damage
        if by_ray:
            from fas_core.inference import cluster

            read = held.enter_context(cluster.reader())
        shown = held.enter_context(progress.task("Verifying shards", sum(len(shard_folders(f)) for f in folders)))
        entries = [verified(folder, shown.advance, read) for folder in folders]
    for i, folder in enumerate(folders):
        if repair and entries[i].damage:
            from fas_core.inference import repair as core

            try:
                entries[i] = core.repair(folder, entries[i].damage)
            except BadInputError as error:
                reasons.append(str(error))
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        for entry in entries:
            print_verified(entry)
    if any(entry.damage for entry in entries):
        remedy = "Damage remains: see the list." if repair else "Compute damaged shards anew: fas verify --repair"
        raise BadInputError(" ".join(reasons) or remedy)
    if refusals := [entry.refusal for entry in entries if entry.refusal]:
        raise BadInputError(" ".join(refusals[:3]) + (f" And {len(refusals) - 3} more." if len(refusals) > 3 else ""))


def prune(
    cache: CacheOption,
    run: Annotated[str, typer.Argument(metavar="[RUN]")] = "",
    expired: Annotated[
        bool, typer.Option("--expired", help="Images whose last day (column retain_until) is over, from everything.")
    ] = False,
    data: Annotated[
        list[Path] | None, typer.Option("--data", help="With --expired: a manifest beside those that Runs name.")
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="With --expired: delete the image files too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Removes a Run, or what may not be kept any longer, after asking. Example: `fas prune small_dcvae`"""
    if expired == bool(run):
        raise BadInputError("Name a Run, fas prune RUN, or remove what may not be kept any longer: fas prune --expired")
    if expired:
        return _prune_expired(cache, data or [], with_images=images, yes=yes)
    from fas_core.access import policy
    from fas_core.evaluation import stressed
    from fas_core.runs import store
    from fas_core.runs.upkeep import remove

    chosen = store.open_run(cache, run)
    about = chosen.summary()
    size = f"{file_size(about.bytes)}, {age(about.created)} old"
    if not yes and not typer.confirm(f"Remove Run {chosen.id} ({chosen.info.name}, {size})?"):
        raise BadInputError("Nothing was removed. Answer y, or pass --yes.")
    policy.tell("deletion", {"run": chosen.id, "what": "a Run", "name": chosen.info.name})
    remove(chosen)
    stressed.remove(chosen.cache, chosen.id)
    say(f"Removed {chosen.id} ({chosen.info.name}).")
    return None


def _prune_expired(cache: Path, manifests: list[Path], *, with_images: bool, yes: bool) -> None:
    from fas_core.cli.forgetting import carry_out, list_planned
    from fas_core.erasure import plan as planning

    if planning.unfinished(cache) is not None:
        raise BadInputError("Somebody was to be forgotten, and that was interrupted. Finish it first: fas forget")
    plan = planning.expired(cache, manifests=manifests, with_images=with_images)
    if not plan.lines:
        return say("Nothing is kept beyond its last day.")
    list_planned(plan)
    if not yes and not typer.confirm("Remove all of this for good?"):
        raise BadInputError("Nothing was removed. Answer y, or pass --yes.")
    carry_out(plan, cache)
    return None
