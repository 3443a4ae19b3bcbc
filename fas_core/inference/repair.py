"""Damaged shards of a Run are computed anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fas_core.errors import BadInputError
from fas_core.inference import infer, preparing
from fas_core.models import patches
from fas_core.runs import store
from fas_core.runs.upkeep import Damage, Verified, discard, sources, verified


def repair(folder: Path, damage: Sequence[Damage]) -> Verified:
    """As `upkeep.verified`, after the damaged shards of the Run in a folder were discarded and computed anew.

    Raises BadInputError, with every shard still there, where the Run's checkpoint, manifest or images are gone or have
    changed, or this version, or the model of another package, is another one.
    """
    run = store.opened(folder)
    checkpoint, data = sources(run)
    loaded = infer.loaded_of(run, checkpoint)
    infer.require_same_code(run, loaded)
    if run.info.preprocessing != preparing.rules(loaded.model.input):
        raise BadInputError(f"Run {run.info.name} was made by another version, which prepared images differently.")
    if run.info.patches not in ({}, patches.KEPT):
        raise BadInputError(f"Run {run.info.name} was made by another version, which kept other features.")
    discarded = discard(run, damage)
    if discarded:
        subsets = sorted({shard.subset for shard in discarded})
        told = infer.told_of(run.info)
        infer.write_runs(
            [checkpoint],
            data,
            run.cache,
            subsets=subsets,
            precision=run.info.precision,
            told=told,
            keeps_features=bool(run.info.patches),
        )
    return replace(verified(folder), repaired=discarded)
