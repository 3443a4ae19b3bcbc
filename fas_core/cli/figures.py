"""`fas figures`: the figures of Runs as files, for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import CacheOption, only_score, opened_run
from fas_core.cli.printing import say


def figures(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    cache: CacheOption,
    kinds: Annotated[str, typer.Option("--format", help="Comma-separated: svg, pdf, csv (what is drawn).")] = "svg",
    score: Annotated[str | None, typer.Option(help="The score of curves, where a Run has several.")] = None,
    pixelate: Annotated[bool, typer.Option("--pixelate", help="Faces on them are not to be recognised.")] = False,
) -> None:
    """The thesis' figures of Runs, and their curves over each other. Example: `fas figures m --score rec --out plots/`

    Each drawing is a file that stands on its own, its text as text, with its caption in a .txt beside it.
    """
    from fas_core.evaluation.join import System
    from fas_core.reports import appendix
    from fas_core.reports import figures as core

    opened = [opened_run(cache, run) for run in runs]
    systems = [System(run, score or only_score(run, run.info.name)) for run in opened]
    drawn = appendix.everything(systems, hides_faces=pixelate)
    paths = core.write(drawn, out, kinds.split(","))
    say(f"Wrote {len(paths)} files to {out}.")
    for path in paths:
        print(path)
