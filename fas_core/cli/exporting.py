"""`fas export`: Runs for other tools, checkpoints as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fas_core.cli.options import CacheOption, opened_run
from fas_core.cli.printing import say
from fas_core.errors import BadInputError


def export(
    run: Annotated[str, typer.Argument(metavar="RUN|CKPT", help="A Run; for onnx a checkpoint.")],
    tool: Annotated[str, typer.Option("--to", help="parquet, embedding-atlas or fiftyone; onnx, of a checkpoint.")],
    cache: CacheOption,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write, not there yet; for onnx a file, by default CKPT.onnx."),
    ] = None,
    images: Annotated[
        str, typer.Option(help="bytes: as the model saw them; paths: the files they were read from; none.")
    ] = "bytes",
    pixelate: Annotated[bool, typer.Option("--pixelate", help="Faces on them are not to be recognised.")] = False,
    operating_point: Annotated[Path | None, typer.Option(help="A card: verdicts by its threshold.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="Verdicts by this rule on the dev subset, for every score: bpcer<=0.05.")
    ] = None,
) -> None:
    """A Run with all that is known of its samples, or a model. Example: `fas export m --to fiftyone --out dataset/`"""
    if tool == "onnx":
        if (images, pixelate, operating_point, rule) != ("bytes", False, None, None):
            raise BadInputError("--to onnx writes a model, not images or verdicts. Leave the other options out.")
        return _export_model(Path(run), out)
    if out is None:
        raise BadInputError("Say where to write: --out FOLDER")
    from fas_core import exports
    from fas_core.access import policy
    from fas_core.deciding import card as cards
    from fas_core.metrics import operating_point as op

    if rule is not None and operating_point is not None:
        raise BadInputError("Give one of --rule and --operating-point: each says what the threshold is.")
    opened = opened_run(cache, run)
    policy.tell("export", {"run": opened.id, "what": tool, "images": f"pixelated {images}" if pixelate else images})
    words = exports.write(
        opened,
        tool,
        out,
        images=images,
        hides_faces=pixelate,
        card=None if operating_point is None else cards.read_accepted(operating_point),
        rule=op.DEFAULT if rule is None else op.rule(rule),
    )
    for line in words:
        say(line)
    print(out)


def _export_model(checkpoint: Path, out: Path | None) -> None:
    from fas_core.inference import onnx_export

    exported = onnx_export.export(checkpoint, out)
    say(
        f"Its outputs are within {exported.largest_difference:.0e} of the checkpoint's. "
        f"Look at what it says: fas cache {exported.path} --data MANIFEST"
    )
    print(exported.path)
