"""`fas derive`: what pages show of a Run, computed beforehand."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fas_core.cli.options import CacheOption, JsonOption
from fas_core.cli.printing import print_json, say
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.runs.store import Run

NOTHING_DERIVED = (
    "Nothing was derived, near-duplicates were not looked for: pages compute what they show when it is opened, and ask "
    "before what takes minutes. Have it all computed: fas derive RUN"
)


def derive(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id, a unique beginning of one, or name.")],
    cache: CacheOption,
    amount: Annotated[
        str,
        typer.Argument(metavar="[none|quick|all]", help="quick: what is seen at once; all: UMAP too; none: only asks."),
    ] = "all",
    engine: Annotated[str, typer.Option(help="local, or ray: a cluster, at RAY_ADDRESS or of this machine.")] = "local",
    as_json: JsonOption = False,
) -> None:
    """Computes what pages show of a Run, and keeps it. Example: `fas derive RUN quick`

    For Runs that were cached with --derive none or quick; what is there already is not computed again. By `--engine
    ray` each fit and each range of codes is a task; the numbers are the same. Says which images everything was fitted
    on: of more than 200,000 live training images, a sample that is always the same.
    """
    from fas_core import derive as deriving
    from fas_core.runs import store

    compute = deriving.amount(amount)
    opened = store.open_run(cache, run)
    if compute:
        with deriving.by(engine, [opened]) as where:
            compute(opened, engine=where, further=keep_openings)
    elif engine not in deriving.ENGINES:
        raise BadInputError(f"--engine {engine}: choose {' or '.join(deriving.ENGINES)}.")
    told = _told(opened)
    if as_json:
        return print_json(told)
    for line in told["fitted_on"], f"Ready: {', '.join(told['ready']) or 'nothing'}.":
        say(line)
    if told["missing"]:
        say(f"Not computed: {', '.join(told['missing'])}. Have it computed: fas derive {opened.id}")


def keep_openings(run: Run) -> None:
    """Has the app keep what pages of a large Run open with, in a process as the app is one."""
    command = [sys.executable, "-P", "-m", "app.ready", str(run.cache), run.id]
    if subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
        say(f"Warning: what pages of {run.info.name} open with was not kept.")


def _told(run: Run) -> dict[str, Any]:
    """What of a Run is stored, and what it was fitted on."""
    from fas_core import derive as deriving
    from fas_core.latent import fitting_words

    ready = deriving.what_is_ready(run)
    return {
        "run": run.id,
        "fitted_on": fitting_words(run),
        "ready": [name for name, is_there in ready.items() if is_there],
        "missing": [name for name, is_there in ready.items() if not is_there],
    }
