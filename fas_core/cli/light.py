"""`fas light`: what models weigh, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, JsonOption, LevelOption, opened_run
from fas_core.cli.printing import number, print_json, print_table
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.evaluation.differences import Difference
    from fas_core.evaluation.join import System

SUFFIXES = (".safetensors", ".onnx")


def light(
    models: Annotated[
        list[str], typer.Argument(metavar="RUN|CKPT...", help="Runs, the first to compare with; or files of models.")
    ],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score of every Run; else each Run's usual one.")] = None,
    level: LevelOption = "frame",
    as_json: JsonOption = False,
) -> None:
    """Size, time on one core and AUC of models. Example: `fas light teacher student student.int8 --score rec`

    A teacher, its student, its int8 file: megabytes, parameters, milliseconds of one core for one image (median and
    95th percentile), and the AUC of Runs against the first, with a paired 95 % interval. Of files the first two alone.
    """
    from fas_core.inference import light as lightness

    listed = lightness.weights([_meant(cache, text, score) for text in models], level)
    if as_json:
        return print_json([weight.as_json() for weight in listed])
    rows = [
        [
            weight.called,
            weight.computed,
            f"{weight.bytes / 1e6:.2f}",
            "–" if weight.parameters is None else f"{weight.parameters:,}",
            f"{weight.ms_median:.2f}",
            f"{weight.ms_p95:.2f}",
            *_auc(weight.auc),
        ]
        for weight in listed
    ]
    heads = ["model", "computed by", "MB", "parameters", "ms", "p95", "AUC", "- first, 95 %"]
    return print_table("One image on one core", heads, rows)


def _meant(cache: Path, text: str, score: str | None) -> System | Path:
    from fas_core import scores
    from fas_core.evaluation.join import System

    path = Path(text)
    if path.suffix in SUFFIXES and path.is_file():
        return path
    try:
        run = opened_run(cache, text)
    except BadInputError as error:
        if path.suffix in SUFFIXES:
            raise BadInputError(f"{path} is not there. Name Runs, checkpoints or ONNX files.") from error
        raise
    if score is not None:
        scores.require(run, score)
    return System(run, scores.usual(scores.offered(run)) if score is None else score)


def _auc(difference: Difference | None) -> tuple[str, str]:
    """Of a Run, and less that of the first with its interval."""
    if difference is None:
        return "–", "–"
    apart = difference.difference
    ends = "" if difference.low is None else f" ({difference.low:+.3f} to {difference.high:+.3f})"
    return number(difference.b), "–" if apart is None else f"{apart:+.3f}{ends}"
