"""`fas causes`: what a score follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption, only_score, opened_run
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.evaluation.causes.of_run import Follows


def causes(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    score: Annotated[
        str | None, typer.Option(help="The score, also without a look of the image: rec~brightness.")
    ] = None,
    subset: Annotated[list[str] | None, typer.Option(help="Only of this subset; may be repeated.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What a score follows among live samples and among attacks: how images look, every column, people.

    Example: `fas causes small_dcvae --score rec`
    """
    from fas_core.evaluation.causes import of_run, words

    opened = opened_run(cache, run)
    if strange := [name for name in subset or () if name not in opened.subsets]:
        raise BadInputError(
            f"Run {opened.info.name} has no subset '{strange[0]}'. Subsets: {', '.join(opened.subsets)}."
        )
    chosen = score or only_score(opened, run)
    sides = {side: of_run.follows(opened, chosen, side, subset) for side in of_run.SIDES}
    nuisance = of_run.nuisance(opened, chosen, subset)
    warning = None if nuisance is None else words.warning(nuisance)
    if as_json:
        said = {side: {"in_words": words.answer(follows)} | follows.as_json() for side, follows in sides.items()}
        return print_json({"run": opened.id, "score": chosen, "warning": warning, "sides": said})
    if warning:
        say(f"Warning: {warning}")
    for side, follows in sides.items():
        print(words.answer(follows))
        _print_causes(f"{run}: {chosen}, {words.side_words(side)}", follows)
        if words.left_out(follows):
            print(words.left_out(follows))
    print(words.CAVEAT)


def _print_causes(title: str, follows: Follows) -> None:
    from fas_core.evaluation.causes.words import named, rho_text, share_text

    rows = [
        [
            named(cause.name) + "".join(f" = {named(other)}" for other in cause.same_as),
            share_text(cause.alone),
            share_text(cause.beyond),
            "" if cause.rho is None else rho_text(cause.rho),
            f"{cause.n_values:,}",
            f"{cause.n_missing:,}",
        ]
        for cause in follows.ranked
    ]
    if rows:
        print_table(title, ["cause", "alone, of the variance", "beyond the others", "rho", "values", "missing"], rows)
