"""`fas sweep`: one experiment with every combination of some settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import CacheOption, DataOption, JsonOption, ModalityOption
from fas_core.cli.printing import file_size, print_json, print_table, say, say_notes

if TYPE_CHECKING:
    from fas_core.evaluation.sweeps import Setting
    from fas_core.training.cost import Cost


def sweep(
    experiment: Annotated[str, typer.Argument(help="Name, as in `fas experiments`.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the checkpoints.")],
    cache: CacheOption,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value,value: what is varied; may be repeated.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Train each setting so often, with the seeds 0, 1, ...")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it will take, and train nothing.")] = False,
    modality: ModalityOption = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Trains every combination of settings and ranks them by live dev images, never by attacks; after a kill the same
    command goes on. Example: `fas sweep small_dcvae --data m.csv --set w_kl=0.1,1,4 --set latent_dim=32,64 --out s/`
    """
    from fas_core.data import manifest, modalities
    from fas_core.evaluation import sweeps as told
    from fas_core.training import cost, experiments
    from fas_core.training import sweep as core

    plan = core.planned(experiments.preset(experiment), settings or [], seeds, out)
    images = modalities.of_one(manifest.read(data), modality)
    say_notes(images.notes)
    live = core.live_alone(images)
    trainings = [(each, live, member.checkpoint) for each, member in zip(plan.experiments, plan.members, strict=True)]
    takes = cost.cost(trainings, device=device, precision=precision)
    say_cost(takes, f"{len(plan.members) // seeds} settings, {seeds} seed{'s' if seeds > 1 else ''} each")
    if dry_run:
        if as_json:
            print_json({"cost": takes.as_json()})
        return
    ranked = told.ranked(core.run(plan, live, cache, device=device, precision=precision))
    if as_json:
        print_json(
            {
                "experiment": plan.name,
                "ranked_by": told.MEASURE,
                "about": told.LIMITS,
                "in_words": told.answer(ranked),
                "settings": [setting.as_json() for setting in ranked],
            }
        )
        return
    _print_ranked(plan.name, ranked)


def _print_ranked(name: str, ranked: Sequence[Setting]) -> None:
    from fas_core.evaluation import sweeps as told

    rows = [
        [
            str(place),
            setting.words,
            _text(setting.error),
            _text(setting.deviation),
            _text(setting.ssim),
            setting.members[0].checkpoint.name,
        ]
        for place, setting in enumerate(ranked, start=1)
    ]
    heads = ["", "setting", "dev error", "± seeds", "dev SSIM", "checkpoint"]
    print_table(f"{name} by live dev images", heads, rows)
    print(told.answer(ranked))
    say(told.LIMITS)


def say_cost(takes: Cost, what: str) -> None:
    """What is about to be trained, before it begins."""
    from fas_core.evaluation.trainings import duration

    ended = f"{takes.done} training{'s have' if takes.done > 1 else ' has'} ended already."
    ready = f" {ended}" if takes.done else ""
    if not takes.trainings:
        return say(f"{what}: nothing is left to train.{ready}")
    plural = f"{takes.trainings} training{'s' if takes.trainings > 1 else ''}"
    time = f", about {duration(takes.seconds)} at the pace just measured"
    say(
        f"{what}: {plural}, {takes.steps:,} steps, {takes.images:,} images{time}; "
        f"{file_size(takes.disk)} on disk, and {file_size(takes.passing)} more while one is trained.{ready}"
    )


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
