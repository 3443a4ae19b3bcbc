"""`fas ...`: parses and calls, nothing else. Results go to standard output, progress and messages to standard error."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Any

import typer

from fas_core.cli import (
    audit,
    bench,
    cards,
    causes,
    comparing,
    data,
    decisions,
    deriving,
    evaluation,
    exporting,
    figures,
    forgetting,
    keys,
    light,
    over_time,
    planning,
    reproducing,
    runs,
    scores,
    server,
    strengths,
    stress,
    sweeping,
    training,
    transfers,
)
from fas_core.cli.printing import say, show_all_texts
from fas_core.errors import BadInputError, needing_pytorch
from fas_core.files import be_private

app = typer.Typer(
    name="fas",
    help="Evaluate and explore unsupervised face anti-spoofing models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data_app = typer.Typer(
    help="Manifests: scan, frames of videos, check, subsets, simulated attacks.", no_args_is_help=True
)
scores_app = typer.Typer(help="Score files of other systems.", no_args_is_help=True)
cards_app = typer.Typer(invoke_without_command=True)
cards_app.callback()(cards.list_cards)
runs_app = typer.Typer(invoke_without_command=True)
runs_app.callback()(runs.list_runs)
decisions_app = typer.Typer(help="Runs that were approved or refused.", invoke_without_command=True)
decisions_app.callback()(decisions.list_decisions)
keys_app = typer.Typer(help="Keys that sign results, and those that are trusted.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(scores_app, name="scores")

# In the order of `fas --help`.
app.command("demo")(server.demo)
app.command("app")(server.serve)
data_app.command("layouts")(data.data_layouts)
data_app.command("scan")(data.data_scan)
data_app.command("frames")(data.data_frames)
data_app.command("faces")(data.data_faces)
data_app.command("check")(data.data_check)
data_app.command("merge")(data.data_merge)
data_app.command("subsets")(data.data_subsets)
data_app.command("filter")(data.data_filter)
data_app.command("dedupe")(data.data_dedupe)
data_app.command("attacks")(data.data_attacks)
data_app.command("pack")(data.data_pack)
app.command("models")(training.list_models)
app.command("experiments")(training.list_experiments)
app.command("train")(training.train)
app.command("distil")(training.distil)
app.command("sweep")(sweeping.sweep)
app.command("adopt")(training.adopt)
app.command("cache")(training.cache_runs)
app.add_typer(runs_app, name="runs")
runs_app.command("import")(runs.import_arrays)
runs_app.command("encrypt")(runs.encrypt_run)
app.command("marks")(runs.export_marks)
app.command("verify")(runs.verify)
app.command("prune")(runs.prune)
app.command("forget")(forgetting.forget)
app.command("evaluate")(evaluation.evaluate)
app.command("over-time")(over_time.over_time)
app.command("stress")(stress.stress)
app.command("strengths")(strengths.strengths)
app.command("causes")(causes.causes)
app.command("threshold")(evaluation.operating_point)
app.command("certify")(evaluation.certify)
app.command("predict")(evaluation.predict)
app.command("compare")(comparing.compare)
app.command("derive")(deriving.derive)
app.command("light")(light.light)
app.command("matrix")(transfers.matrix)
app.add_typer(cards_app, name="cards")
cards_app.command("keep")(cards.keep_card)
cards_app.command("print")(cards.print_pages)
cards_app.command("approve")(cards.approve)
cards_app.command("supersede")(cards.supersede)
cards_app.command("withdraw")(cards.withdraw)
app.add_typer(decisions_app, name="decisions")
decisions_app.command("list")(decisions.list_decisions)
decisions_app.command("add")(decisions.add_decision)
app.command("audit")(audit.audit)
app.add_typer(keys_app, name="keys")
keys_app.command("new")(keys.new_key)
keys_app.command("show")(keys.show_key)
keys_app.command("list")(keys.list_keys)
keys_app.command("trust")(keys.trust_key)
keys_app.command("untrust")(keys.untrust_key)
keys_app.command("sign")(keys.sign)
app.command("report")(evaluation.report_on)
app.command("figures")(figures.figures)
app.command("reproduce")(reproducing.reproduce)
app.command("export")(exporting.export)
app.command("metrics")(scores.score_metrics)
scores_app.command("import")(scores.scores_import)
scores_app.command("join")(scores.scores_join)
scores_app.command("fuse")(scores.scores_fuse)
scores_app.command("export")(scores.scores_export)
app.command("plan")(planning.plan)
app.command("bench")(bench.measurements)
parser = typer.main.get_command(app)  # reads the signatures of all commands: once, however many a process runs


def main() -> None:
    """Entry point: bad input ends with one message and status 2, never with a traceback."""
    os.environ["PYTHONSAFEPATH"] = "1"  # no process started from here imports what lies in the working folder
    be_private()
    show_all_texts()
    logging.basicConfig(format="fas: note: %(message)s", level=logging.WARNING)
    # lightning-fabric tells the precision of every model it prepares, those too that are but timed.
    logging.getLogger().handlers[0].setLevel(logging.WARNING)
    try:
        with needing_pytorch():
            code = parser(prog_name="fas", standalone_mode=False)
    except BadInputError as error:
        _stop(str(error))
    except typer.Abort:
        say("Nothing was done: it was not confirmed.")
        sys.exit(1)
    except MemoryError:
        _stop("There is not enough memory for this. Close other programs, or choose fewer subsets or smaller batches.")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT):
            raise
        where = f" ({error.filename})" if error.filename else ""
        remedy = "Free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Check its permissions"
        _stop(f"Cannot write{where}: {error.strerror}. {remedy} or choose another folder, then run the command again.")
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's and click's own, wherever either of them keeps it
            raise
        _stop_for_usage(error)
    if code == 130:  # typer turns Ctrl+C into this
        say("Interrupted. What is complete is kept: the same command goes on from it (fas train: with --resume).")
    sys.exit(code)


def _stop_for_usage(error: Any) -> None:
    """A command, option or value that there is not: typer itself would draw a box of six lines around it."""
    words = error.format_message().strip()
    if not words:  # a command that was given nothing has shown its help
        sys.exit(error.exit_code)
    context = getattr(error, "ctx", None)
    _stop(f"{words if words[-1] in '.?' else words + '.'} See: {context.command_path if context else 'fas'} --help")


def _stop(message: str) -> None:
    say(f"fas: {' '.join(message.split())}")
    sys.exit(2)
