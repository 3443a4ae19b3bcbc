"""`fas models`, `experiments`, `train`, `cache`: checkpoints and Runs are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fas_core.cli.options import (
    CacheOption,
    DataOption,
    DeriveOption,
    EngineOption,
    JsonOption,
    ModalityOption,
    RehashOption,
    WorkersOption,
    read_manifest,
    require_engine,
)
from fas_core.cli.printing import print_json, print_table, say, say_notes
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.runs.store import Run

# ------------------------------------------------------------------------------------------------ models and training


def list_models(as_json: JsonOption = False) -> None:
    """Models that are installed, where each comes from, parameters at its usual size. Example: `fas models --json`"""
    from fas_core import models

    listed = [_about_model(name) for name in models.names()]
    if as_json:
        return print_json(listed)
    rows = [
        [
            m["name"],
            f"{m['parameters']:,}" if m["parameters"] else "",
            ", ".join(f"{part} {count:,}" for part, count in m["parts"].items()),
            f"{m['distribution']} {m['version']}",
            m["entry"],
            m["digest"][:12],
        ]
        for m in listed
        if not m["problem"]
    ]
    print_table("Models", ["model", "parameters", "parts", "from", "module", "digest"], rows)
    for m in listed:
        if m["problem"]:
            say(f"Cannot be used: {m['problem']}")


def _about_model(name: str) -> dict[str, Any]:
    """The entry of `fas models --json`; with a `problem` where the model cannot be used."""
    import torch

    from fas_core import models
    from fas_core.models.base import Model, parameter_count, parts

    about: dict[str, Any] = {
        "name": name,
        "parameters": None,
        "parts": {},
        "config": {},
        "input": None,
        "problem": None,
    }
    try:
        kind = models.kind(name)
    except BadInputError as error:
        return about | {"distribution": None, "version": None, "entry": None, "digest": None, "problem": str(error)}
    about |= kind.origin.as_json()
    if needed := [field.name for field in fields(kind.made_by.settings) if models.is_needed(field)]:
        return about | {"config": dict.fromkeys(needed)}  # of a size that nobody has said

    def built() -> Model:
        with torch.device("meta"):  # counted, not allocated
            return models.built(name, {})

    try:
        try:
            model = built()
        except BadInputError:
            if not kind.origin.is_foreign:
                raise
            model = models.built(name, {})  # what looks at its own weights when it is made cannot do without them
    except BadInputError as error:
        return about | {"problem": str(error)}
    counted = {part: parameter_count(module) for part, module in parts(model).items()}
    return about | {
        "parameters": parameter_count(model),
        "parts": counted,
        "config": vars(model.config),
        "input": model.input.as_json(),
    }


def list_experiments(as_json: JsonOption = False) -> None:
    """Trainings by name, with every hyperparameter. Example: `fas experiments`"""
    from fas_core.training import experiments

    listed = [experiments.preset(name).as_json() for name in experiments.names()]
    if as_json:
        return print_json(listed)
    rows = [
        [str(e[k]) for k in ("name", "model", "batches_per_epoch", "epochs", "batch_size", "learning_rate", "schedule")]
        for e in listed
    ]
    print_table("Experiments", ["name", "model", "batches/epoch", "epochs", "batch", "learning rate", "schedule"], rows)


def train(
    experiment: Annotated[str, typer.Argument(help="Name, as in `fas experiments`.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write (.safetensors).")],
    cache: CacheOption,
    modality: ModalityOption = "",
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    keep_epochs: Annotated[
        str | None, typer.Option(help="Keep the weights after these epochs too, beside OUT: 1,2,4,8.")
    ] = None,
    log: Annotated[
        list[str] | None, typer.Option("--log", help="Record it for tensorboard or mlflow too, beside OUT; may repeat.")
    ] = None,
    source_weights: Annotated[
        str | None, typer.Option(help="How often images of each source are seen: a=1,b=2 (fas data merge).")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Trained checkpoint that the loss looks with (small_perceptual).")
    ] = None,
    condition: Annotated[
        str | None, typer.Option(help="Columns that a conditional model is told (small_cvae): glasses,pose.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    rehash: RehashOption = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    workers: WorkersOption = "auto",
) -> None:
    """Trains on live images of subset `train`. Example: `fas train small_dcvae --data m.csv --out m.safetensors`"""
    from fas_core.data import modalities
    from fas_core.data.readers import workers_of
    from fas_core.runs import traininglog
    from fas_core.training import experiments, sampling
    from fas_core.training import train as training

    if out.suffix != ".safetensors":
        raise BadInputError(f"--out {out}: a checkpoint's name ends in .safetensors.")
    wanted = experiments.preset(experiment).with_settings(settings or [])
    kept = _epochs(keep_epochs)
    images = modalities.of_one(read_manifest(data, rehash=rehash), modality)
    is_first = os.environ.get("RANK", "0") == "0"  # of processes that share the training, one speaks
    if is_first:
        say_notes(images.notes)
    training.train(
        wanted,
        images,
        out,
        cache=cache,
        keep_epochs=kept,
        record=log or [],
        resume=resume,
        device=device,
        precision=precision,
        source_weights=sampling.weights_of(source_weights) if source_weights is not None else None,
        features=features,
        condition=[name.strip() for name in condition.split(",")] if condition else [],
        workers=workers_of(workers),
    )
    if is_first:
        say(f"{out} (metrics log: {traininglog.metrics_log(out)})")


def _epochs(text: str | None) -> list[int]:
    """What `--keep-epochs` says."""
    try:
        return [int(epoch) for epoch in text.split(",")] if text is not None else []
    except ValueError as error:
        raise BadInputError(f"--keep-epochs {text}: write numbers of epochs, as in 1,2,4,8.") from error


def distil(
    teacher: Annotated[Path, typer.Argument(metavar="CKPT", help="Checkpoint of the large model.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write (.safetensors).")],
    cache: CacheOption,
    modality: ModalityOption = "",
    width: Annotated[
        float | None, typer.Option(help="Of the student; 1 is the thesis' size. By default half of its teacher's.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, as of fas train: epochs=30; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    rehash: RehashOption = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
) -> None:
    """A small student of a large model, taught on live images alone. Example: `fas distil m.safetensors --data m.csv
    --out student.safetensors`

    It learns the code and the reconstruction of its teacher (Hinton et al., 2015), and needs it no more afterwards.
    """
    from fas_core.data import modalities
    from fas_core.runs import traininglog
    from fas_core.training import distil
    from fas_core.training import train as training

    if out.suffix != ".safetensors":
        raise BadInputError(f"--out {out}: a checkpoint's name ends in .safetensors.")
    of = distil.teacher(teacher)
    wanted = distil.experiment(of, width, settings or [])
    images = modalities.of_one(read_manifest(data, rehash=rehash), modality)
    say_notes(images.notes)
    training.train(wanted, images, out, cache=cache, teacher=of, resume=resume, device=device, precision=precision)
    say(f"{out} (metrics log: {traininglog.metrics_log(out)})")


def adopt(
    weights: Annotated[Path, typer.Argument(help="Plain .safetensors, without a header of FAS Explorer.")],
    model: Annotated[str, typer.Option("--model", help="Whose weights they are: a name, as in `fas models`.")],
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write (.safetensors).")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, a setting of the model; may be repeated.")
    ] = None,
) -> None:
    """Weights of your own -> checkpoint. Example: `fas adopt w.safetensors --model acme --out m.safetensors`"""
    from fas_core.training import checkpoint
    from fas_core.training.experiments.base import parsed

    if out.suffix != ".safetensors":
        raise BadInputError(f"--out {out}: a checkpoint's name ends in .safetensors.")
    if out.exists():
        raise BadInputError(f"{out} is there already. Choose another --out, or delete it first.")
    config = {}
    for setting in settings or []:
        key, equals, text = setting.partition("=")
        if not equals:
            raise BadInputError(f"--set {setting}: write key=value.")
        config[key] = parsed(text)
    checkpoint.adopt(weights, model, config, out)
    say(f"{out} (a checkpoint of model {model})")


def cache_runs(
    checkpoints: Annotated[list[Path], typer.Argument(metavar="CKPT...", help="Checkpoints, or ONNX files.")],
    data: DataOption,
    cache: CacheOption,
    subset: Annotated[list[str] | None, typer.Option("--subset", help="Only this subset; may be repeated.")] = None,
    modality: ModalityOption = "",
    rehash: RehashOption = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, or fp32-onnx: ONNX Runtime, CPU.")] = "auto",
    engine: EngineOption = "local",
    image_input: Annotated[
        str | None,
        typer.Option("--input", metavar="SIZExSIZExCHANNELS", help="Of an ONNX file that leaves it open: 96x96x3."),
    ] = None,
    scaling: Annotated[
        str | None,
        typer.Option(help="Of pixels for an ONNX file: unit (0..1), signed (-1..1), 0..255, standard, mean/deviation."),
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Pixels and codes by the key of FAS_DATA_KEY (fas keys new --data).")
    ] = False,
    patches: Annotated[
        bool,
        typer.Option(
            "--patches", help="Keeps what the encoder says of 64 places of each image (4 kB), for the score patches."
        ),
    ] = False,
    derive: DeriveOption = "all",
    workers: WorkersOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Images -> Run; goes on where it was, prints the run id. Example: `fas cache m.safetensors --data m.csv`"""
    from fas_core.data import modalities
    from fas_core.data.readers import workers_of
    from fas_core.derive import amount
    from fas_core.inference import cluster, infer
    from fas_core.models import onnx_model

    by_ray = require_engine(engine)
    if by_ray and workers != "auto":
        raise BadInputError(f"--workers {workers}: the tasks of a Ray cluster read for themselves. Leave it out.")
    compute = amount(derive)
    images = modalities.of_one(read_manifest(data, rehash=rehash), modality)
    say_notes(images.notes)
    write_runs = cluster.write_runs if by_ray else partial(infer.write_runs, workers=workers_of(workers))
    runs = write_runs(
        checkpoints,
        images,
        cache,
        subsets=subset or [],
        device=device,
        precision=precision,
        told=onnx_model.told(image_input, scaling),
        encrypts=encrypt,
        keeps_features=patches,
    )
    _finish(runs, compute, engine, as_json=as_json)


def _finish(runs: Sequence[Run], compute: Callable[..., None] | None, engine: str, *, as_json: bool) -> None:
    """Prints what was made and what it is to be warned of, then has computed what pages show.

    `compute`: None where nothing is, not even the near-duplicates that warnings tell of.
    """
    from fas_core import derive
    from fas_core.cli.deriving import NOTHING_DERIVED, keep_openings
    from fas_core.runs import health

    if compute:
        for run in runs:
            derive.compare_samples(run)
    warnings = [{"run": run.id, **caution.as_json()} for run in runs for caution in health.cautions(run)]
    for warning in warnings:
        say(f"Warning: {warning['message']}")
    if as_json:
        print_json({"runs": [run.id for run in runs], "warnings": warnings})
    for run in runs:
        if not as_json:
            print(run.id, flush=True)
        _say_of(run)
    if not any(map(len, runs)):
        raise BadInputError(
            "No image gave an output: there is nothing to look at. Why, of each: fas data check, with the manifest."
        )
    if not compute:
        say(NOTHING_DERIVED)
        return
    with derive.by(engine, runs) as where:
        for run in runs:
            compute(run, engine=where, further=keep_openings)


def _say_of(run: Run) -> None:
    """What whoever goes on with a Run has to know."""
    from fas_core.data.names import BONA_FIDE

    if turned := [name for name, kind in run.declared.items() if kind == BONA_FIDE]:
        say(f"{run.info.name}: higher {', '.join(turned)} is bona fide, so as a score it is negated everywhere.")
    if run.n_failures:
        first = run.failures().iloc[0]
        say(
            f"{run.info.name}: {run.n_failures} images gave no output, e.g. {first['sample_id']}: "
            f"{first['reason']}. The app's Overview lists them all."
        )
