"""`fas forget`: a person is removed from everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption
from fas_core.cli.printing import print_json, say
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.erasure.forgetting import Forgotten
    from fas_core.erasure.plan import Plan

MOST_FILES = 20  # listed one by one


def forget(
    cache: CacheOption,
    subject: Annotated[
        str, typer.Argument(metavar="[SUBJECT]", help="As in subject_id; none: finish what was interrupted.")
    ] = "",
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="A manifest beside those that Runs name; may be repeated."),
    ] = None,
    of_set: Annotated[
        list[str] | None,
        typer.Option("--set", help="The data set that is meant, where several have the id; may be repeated."),
    ] = None,
    images: Annotated[bool, typer.Option("--images", help="Delete the image files too; they are listed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would go, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Removes a person from manifests, Runs and all that is made of them, after asking. Example: `fas forget s01`"""
    from fas_core.erasure import plan as planning

    plan = planning.unfinished(cache)
    if plan is not None:
        say(f"Going on with what was interrupted on {plan.when}.")
    elif not subject:
        raise BadInputError("Nothing was interrupted. Name who is to be forgotten: fas forget SUBJECT")
    else:
        plan = planning.planned(cache, subject, sets=of_set or [], manifests=data or [], with_images=images)
        list_planned(plan)
        if dry_run:
            return print_json(_planned(plan)) if as_json else None
        if not yes and not typer.confirm("Remove all of this for good?"):
            raise BadInputError("Nothing was removed. Answer y, or pass --yes.")
    done = carry_out(plan, cache)
    if as_json:
        print_json(asdict(done))
    if subject not in ("", plan.subject):
        say(f"That was what had been interrupted. Now run the command again for {subject}.")
    return None


def _planned(plan: Plan) -> dict[str, object]:
    return {
        "runs": {about.run: about.n for about in plan.runs},
        "manifests": {about.path: len(about.samples) for about in plan.manifests},
        "images": plan.images,
        "kept_images": plan.kept_images,
        "kept_by": plan.kept_by,
        "holders": {holder.name: len(holder.files) for holder in plan.holders},
        "learned": plan.learned,
        "unknown": plan.unknown,
    }


def carry_out(plan: Plan, cache: Path) -> Forgotten:
    """Does what is planned, says what was done, and derives anew what was made of the Runs."""
    from fas_core import progress
    from fas_core.access import policy
    from fas_core.erasure import forgetting

    what = {"what": "a person" if plan.subject else "what was overdue"}
    policy.tell("deletion", {**what, "runs": [about.run for about in plan.runs], "files": len(plan.images)})
    with progress.task("Removing", len(plan.runs)) as shown:
        done = forgetting.forget(plan, cache, shown.advance)
    _say_done(done, plan)
    _derive_anew(cache, done)
    return done


def list_planned(plan: Plan) -> None:
    """Says what is to go."""
    lines = plan.lines
    n_fixed = len(lines) - len(plan.images)
    for line in lines[: n_fixed + MOST_FILES]:
        say(line)
    if len(plan.images) > MOST_FILES:
        say(f"... and {len(plan.images) - MOST_FILES:,} more files.")
    kept = [f"Kept: {path}, which {', '.join(names)} names too" for path, names in plan.kept_by.items()]
    for line in kept[:MOST_FILES]:
        say(line)
    if len(kept) > MOST_FILES:
        say(f"... and {len(kept) - MOST_FILES:,} more files are kept.")
    for line in plan.lines_of_holders:
        say(f"Note: {line}.")
    for checkpoint, words in plan.learned.items():
        say(f"Note: {checkpoint} {words}: weights cannot forget.")
    _say_unknown(plan.unknown)
    say(
        "With them go their codes, scores, marks, selections and joined scores; results derived from all Runs are "
        "computed again. Their names are taken out of cards and decisions."
    )


def _say_unknown(checkpoints: Mapping[str, int]) -> None:
    for checkpoint, n in checkpoints.items():
        in_train = f"; its Run has {n:,} of them in the subset train" if n else ""
        say(f"Warning: of {checkpoint} it cannot be known whether it learned from them{in_train}.")


def _say_done(done: Forgotten, plan: Plan) -> None:
    n = sum(done.runs.values())
    say(f"Removed: {n:,} images of {len(done.runs)} Runs, {sum(done.manifests.values()):,} rows of manifests.")
    if done.images:
        say(f"Deleted {done.images:,} image files.")
    if done.kept_images:
        say(f"Kept {len(done.kept_images):,} files that other rows name too, first {done.kept_images[0]}.")
    for line in plan.lines_of_holders:
        say(f"Note: {line}.")
    for checkpoint, words in done.learned.items():
        say(
            f"Warning: {checkpoint} {words}: weights cannot forget. Train it again without them, then prune its Runs "
            "and delete it."
        )
    _say_unknown(done.unknown)
    for path in done.still_named:
        say(f"Note: {path} still holds a text like their names.")
    say(
        "Elsewhere nothing was changed: reports, exports and figures that were written before, backups, copies of "
        "manifests. An app that is running keeps pictures in memory: start it again."
    )


def _derive_anew(cache: Path, done: Forgotten) -> None:
    from fas_core import derive
    from fas_core.cli.deriving import keep_openings
    from fas_core.runs import store

    for run in store.all_runs(cache):
        if run.id in done.runs:
            derive.compute_quick(run, further=keep_openings)
