"""`fas reproduce`: the thesis' experiments and figures on one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import CacheOption, DataOption, JsonOption, ModalityOption
from fas_core.cli.printing import print_json, say, say_notes
from fas_core.errors import BadInputError


def reproduce(
    what: Annotated[str, typer.Argument(help="chapter4: the results of the thesis.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for checkpoints, figures and the page.")],
    cache: CacheOption,
    scale: Annotated[str, typer.Option(help="tiny: a first look; small: two cores; full: as in the thesis.")] = "small",
    seeds: Annotated[int, typer.Option(help="Train each experiment so often, with the seeds 0, 1, ...")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take, and train nothing.")] = False,
    kinds: Annotated[str, typer.Option("--format", help="Of figures, comma-separated: svg, pdf, csv.")] = "svg",
    pixelate: Annotated[bool, typer.Option("--pixelate", help="Faces are not to be recognised.")] = False,
    modality: ModalityOption = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """The five experiments of chapter 4, its figures, and which findings hold here; after a kill the same command goes
    on. Example: `fas reproduce chapter4 --data m.csv --scale tiny --out chapter4/`
    """
    from fas_core.cli.sweeping import say_cost
    from fas_core.data import manifest, modalities
    from fas_core.reports import figures
    from fas_core.reports.pseudonyms import Pseudonyms
    from fas_core.reproduce import making, page

    if what != "chapter4":
        raise BadInputError(f"There is no '{what}' to reproduce. Choose chapter4.")
    formats = figures.checked_formats(kinds)
    images = modalities.of_one(manifest.read(data), modality)
    say_notes(images.notes)
    plan = making.planned(images, scale, seeds, out)
    for name, why in plan.left_out.items():
        say(f"Left out: {name}, as {why}")
    say_notes(f"{part.name}: {part.note}" for part in plan.of_use if part.note)
    takes = making.cost(plan, device=device, precision=precision)
    say_cost(takes, f"{len(plan.of_use)} experiments at {scale} scale, {seeds} seed{'s' if seeds > 1 else ''} each")
    if dry_run:
        if as_json:
            print_json({"cost": takes.as_json(), "left_out": plan.left_out})
        return None
    names = Pseudonyms() if pixelate else None
    runs = making.make(plan, cache, device=device, precision=precision, say=say)
    chapter = page.told(plan, runs, names=names, say=say)
    paths = page.write(chapter, formats, names)
    if as_json:
        return print_json(chapter.as_json())
    say(f"{chapter.answer} {len(paths)} files in {out}.")
    return print(paths[0])
