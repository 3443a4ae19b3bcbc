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
    pixelate: Annotated[
        bool, typer.Option("--pixelate", help="Faces are not to be recognised; people and samples have other names.")
    ] = False,
    operating_point: Annotated[Path | None, typer.Option(help="A card: verdicts by its threshold.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="Verdicts by this rule on the dev subset, for every score: bpcer<=0.05.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="For onnx: in int8, calibrated on live training images of --data.")
    ] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Manifest that --int8 is calibrated on.")] = None,
) -> None:
    """A Run with all that is known of its samples, or a model. Example: `fas export m --to fiftyone --out dataset/`"""
    if tool == "onnx":
        if (images, pixelate, operating_point, rule) != ("bytes", False, None, None):
            raise BadInputError("--to onnx writes a model, not images or verdicts. Leave the other options out.")
        if int8 != (data is not None):
            raise BadInputError("--int8 and --data go together: live training images calibrate it. --int8 --data M.csv")
        return _export_model(Path(run), out, data)
    if int8 or data is not None:
        raise BadInputError("--int8 and --data are of a model: fas export CKPT --to onnx --int8 --data M.csv")
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


def _export_model(checkpoint: Path, out: Path | None, data: Path | None) -> None:
    from fas_core.data import manifest
    from fas_core.inference import onnx_export

    exported = onnx_export.export(checkpoint, out, None if data is None else manifest.read(data))
    if int8 := exported.int8:
        near, by = int8["agreement"], int8["calibrated_on"]
        pixels = "" if near["pixels"] is None else f", its reconstructions by {near['pixels']:.4f}"
        say(
            f"{int8['layers']} layers in int8, calibrated on {by['images']} live training images; in fp32: "
            f"{', '.join(int8['float']) or 'no layer'}. On {near['images']} other live images its codes differ by "
            f"{near['codes']:.1%} of their deviation{pixels}."
        )
    else:
        say(f"Its outputs are within {exported.largest_difference:.0e} of the checkpoint's.")
    say(f"Look at what it says: fas cache {exported.path} --data MANIFEST")
    print(exported.path)
