"""`fas stress`: errors at a frozen threshold while images get worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption, opened_run
from fas_core.cli.printing import print_json, print_table, say
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.evaluation.stress import OfKind, Stress


def stress(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    threshold: Annotated[str, typer.Option(metavar="CARD", help="The card: a file, or the name of a kept one.")],
    cache: CacheOption,
    kinds: Annotated[
        str | None,
        typer.Option(help="jpeg, blur, noise, brightness, resolution, occlusion: some, with commas; else all."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Presentations at most, as evenly of each subset and species.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the sample, of noise and of the places that are covered.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Where an operating point breaks: both errors against JPEG quality, blur, noise, light, resolution, covers.

    The checkpoint judges degraded images at the card's threshold; differences to the images as they are come with
    paired 95 % intervals by subject. An error breaks at the mildest step from which on it is clearly above (the whole
    interval, and p at most 5 %) and beyond its limit where the card has one. Complete steps are kept: the same command
    goes on. The tab "What breaks it?" on the page Threshold shows them.

    JSON: `unstressed` and, per kind, `steps`: `amount`, `bpcer`, `apcer_max`, `apcer_worst`, `apcer_per_species` with
    their intervals, `changes` (difference, low, high, p), `above`; `breaks`; `counts` of the sample, `n_files`: images
    from their files, the others from the Run; `n_unlike`: presentations that the Run decides otherwise; `warnings`;
    `in_words`.

    Example: `fas stress small_dcvae --threshold op.json --kinds jpeg,blur --n 200`
    """
    from fas_core import progress
    from fas_core.data import degradations
    from fas_core.deciding import card as cards
    from fas_core.deciding import card_states
    from fas_core.evaluation import stress as core
    from fas_core.evaluation import stressed
    from fas_core.inference import predict, stressing

    named = None if kinds is None else [name.strip() for name in kinds.split(",") if name.strip()]
    chosen = degradations.kinds(named)
    opened = opened_run(cache, run)
    frozen = cards.read_accepted(card_states.file_named(threshold, cache))
    if frozen.run != opened.id:
        raise BadInputError(f"The card is of Run {frozen.run} ({frozen.run_name}), and {run} is Run {opened.id}.")
    stressed.require_possible(opened, frozen.score)
    predict.require_as_on_card(frozen, opened)
    kept = stressing.stress(
        opened,
        frozen.score,
        frozen.level,
        frozen.reported_on,
        chosen,
        n=n,
        seed=seed,
        device=device,
        job_file=progress.jobs_folder(cache) / f"stress-{opened.id}.json",
    )
    told = core.errors(kept, opened, frozen.reported_on, frozen.threshold, frozen.limit, fail_closed=frozen.fail_closed)
    if as_json:
        return print_json({"card": frozen.sha256, **told.as_json()})
    _print(told, [of for of in told.of_kinds if of.kind in chosen])


def _print(told: Stress, asked: list[OfKind]) -> None:
    """What was drawn, a table per kind that was asked for, and where it breaks."""
    counts = (
        f"{subset} {', '.join(f'{n} {kind}' for kind, n in of.items())}" for subset, of in told.sample.counts.items()
    )
    say(f"{told.n:,} of {told.sample.n_of:,} presentations: {'; '.join(counts)}.")
    for of in asked:
        table = told.table(of)
        print_table(of.kind.title, list(table), table.to_numpy(str).tolist())
    print(f"{told.sentence()}\n{told.caveat}")
