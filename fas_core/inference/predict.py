"""Verdicts for new images at a frozen operating point. Nothing is written; what cannot be read counts as an attack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.access import keys
from fas_core.data import images, measures, pairs, regions
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.data.regions import Places
from fas_core.deciding import card
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.evaluation import levels
from fas_core.evaluation.levels import FRAME
from fas_core.inference import infer, preparing
from fas_core.inference.infer import Ready
from fas_core.runs import signatures
from fas_core.runs.store import Run
from fas_core.runs.upkeep import checkpoint_file
from fas_core.training import checkpoint, devices

DECODED_AT_ONCE = 9  # codes, on a CPU: a strip


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a checkpoint says of n images, in memory: `scores.Outputs`, and what the gallery shows."""

    table: pd.DataFrame  # (n,) one column per loss term
    codes: NDArray[np.float32]  # (n, d)
    inputs: NDArray[np.uint8]  # (n, H, W) or (n, H, W, 3)
    reconstructions: NDArray[np.uint8] | None  # alike; None of a model that does not decode
    maps: NDArray[np.float16] | None = None  # (n, h, w, c) as the Run keeps them; None where it keeps none

    def samples(self, columns: Sequence[str]) -> pd.DataFrame:
        """As `scores.Outputs`."""
        return self.table[list(columns)]

    def features(self) -> NDArray[np.float16]:
        assert self.maps is not None  # or the Run would not have the score that asks
        return self.maps

    def looks(self, name: str) -> NDArray[np.float64]:
        """As `scores.Outputs`."""
        return measures.of_pixels(measures.luma(self.inputs))[name]

    def pairs(self, measure: str) -> dict[str, NDArray[np.float64]]:
        """As `scores.Outputs`."""
        needs_places = "places" in pairs.MEASURES[measure].needs
        return pairs.of(measure, self.inputs, self.reconstructions, self._places if needs_places else None)

    @cached_property
    def _places(self) -> Places:
        return regions.seen(self.inputs)


def ready(run: Run, device: str = "auto") -> Ready:
    """The model of a Run's checkpoint, in the Run's precision.

    Raises BadInputError where the checkpoint is gone or has changed, or the code of a model from another package has.
    """
    path = checkpoint_file(run)
    if checkpoint.sha256(path) != run.info.checkpoint_sha256:
        raise BadInputError(f"{path} is another checkpoint than the one of Run {run.info.name}. Bring that one back.")
    loaded = infer.loaded_of(run, path)
    infer.require_same_code(run, loaded)
    place = devices.one_device("cpu" if loaded.model.is_of_cpu else device, run.info.precision)
    return infer.ready(loaded, place, gives_features=bool(run.info.patches))


def outputs_of(run: Run, raw: NDArray[np.float32], device: str = "auto", *, model: Ready | None = None) -> Outputs:
    """What the checkpoint of a Run says of images (n, c, H, W) in [0, 1], as `images.load` gives them.

    `model`: the checkpoint's, where it is in memory already. Raises BadInputError as `ready` does, and for a
    model that is told more than images.
    """
    with_model = model or ready(run, device)
    infer.require_pixels_alone(with_model.model, f"The model of Run {run.info.name}")
    x, inputs = preparing.prepared(raw, with_model.model.input)
    parts, size = [], infer.batch_size(with_model.place)
    for start in range(0, len(x), size):
        tensors = infer.device_outputs(with_model, torch.from_numpy(x[start : start + size]))
        parts.append({name: tensor.cpu().numpy() for name, tensor in tensors.items()})
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table = pd.DataFrame({name: arrays[name] for name in with_model.form.losses}, index=range(len(x)))
    return Outputs(table, arrays["latents"], inputs, arrays.get("reconstructions"), arrays.get("features"))


@torch.inference_mode()
def decoded(codes: NDArray[np.floating], model: Ready) -> NDArray[np.uint8]:
    """(n, d) -> (n, H, W) or (n, H, W, 3) what the decoder paints of codes, as the reconstructions of a Run are kept.

    Raises BadInputError for codes of another length than the model's, and where it does not decode.
    """
    if not model.form.decodes:
        raise BadInputError("The model has no decoder.")
    d = model.form.latent_dim
    if codes.ndim != 2 or codes.shape[1] != d:
        raise BadInputError(f"Codes of shape {codes.shape} cannot be decoded: the model's have {d} numbers each.")
    size = max(DECODED_AT_ONCE, infer.batch_size(model.place))
    parts = []
    for start in range(0, len(codes), size):
        z = model.place.to_device(torch.from_numpy(codes[start : start + size].astype(np.float32)))
        with model.place.autocast():
            parts.append(infer.displayed(model.model.painted(z)).cpu().numpy())
    return np.concatenate(parts) if parts else np.empty((0, *preparing.shape_of_pictures(model.model.input)), np.uint8)


@dataclass(frozen=True)
class Verdict:
    """On one image, or on several together where a card decides per video or session."""

    images: tuple[Path, ...]
    are_together: bool
    score: float | None
    threshold: float
    is_attack: bool
    reason: str  # why there is no score
    is_short: bool = False  # whether the images are fewer than the card's level asks for

    @property
    def called(self) -> str:
        return ATTACK if self.is_attack else BONA_FIDE

    def as_json(self) -> dict[str, object]:
        """An entry of `fas predict --json`."""
        paths = [str(path) for path in self.images]
        return {
            **({"images": paths} if self.are_together else {"image": paths[0]}),
            "score": metrics.json_safe(self.score),
            "threshold": self.threshold,
            "verdict": self.called,
            "reason": self.reason or None,
            **({"is_short": True} if self.is_short else {}),
        }


def verdicts(
    frozen: Card, cache: Path, paths: Sequence[Path], device: str = "auto", *, every: float | None = None
) -> list[Verdict]:
    """One per image, or one of all of them together, in their order, where the card decides per video or session.

    `every`: seconds from one image to the next, for cards whose level counts seconds.
    Raises BadInputError where the card was changed, its Run is gone or has changed, or its checkpoint is not there.
    """
    card.require_accepted(frozen, "The card")
    of_level = levels.level(frozen.level)
    together = None if of_level.unit == FRAME else levels.in_given_order(len(paths), of_level, every)
    run = card.run_of(frozen, cache)
    require_as_on_card(frozen, run)
    if joined := run.joined.get(scores.base_of(frozen.score)):
        raise BadInputError(
            f"The card is of '{frozen.score}', which was joined from {joined.source}: the model does not give it. "
            "Decide on scores of that system: fas predict --operating-point CARD --scores SCORES.csv"
        )
    if not run.info.checkpoint:
        how = "imported from a score file" if run.is_of_scores else "imported as arrays"
        raise BadInputError(f"The card is of {run.info.name}, {how}: there is no model to ask.")
    given = preparing.input_of(run.info)
    values, reasons = np.full(len(paths), np.nan), [""] * len(paths)
    readable: dict[int, NDArray[np.float32]] = {}
    for number, path in enumerate(paths):
        try:
            readable[number] = images.load(path, given.size, given.channels)
        except images.UnreadableImageError as error:
            reasons[number] = str(error)
    if readable:
        of_images = outputs_of(run, np.stack([*readable.values()]), device)
        values[list(readable)] = scores.of_outputs(of_images, frozen.score, run)
    for number in np.flatnonzero(np.isnan(values)).tolist():
        reasons[number] = reasons[number] or scores.why_missing(frozen.score)
    if together is None:
        return [
            _verdict((path,), value, frozen, reason)
            for path, value, reason in zip(paths, values.tolist(), reasons, strict=True)
        ]
    value, is_short = float(together.summed_up(values)[0]), bool(together.is_short(values)[0])
    failed = [f"{path}: {reason}" for path, reason in zip(paths, reasons, strict=True) if reason]
    return [_verdict(tuple(paths), value, frozen, "; ".join(failed), is_short=is_short)]


def require_as_on_card(frozen: Card, run: Run) -> None:
    """Raises BadInputError where the Run of a card has changed, or its run.json, which is no part of the digest, names
    another model."""
    if frozen.run_digest != run.digest_of(frozen.score):
        raise BadInputError(
            f"Run {run.info.name} has changed since the card was made. Check it: fas threshold --check."
        )
    standing = signatures.standing(run)
    if standing.kind == keys.CHANGED:
        raise BadInputError(standing.refusal(f"Run {run.info.name}", f"fas keys sign {run.id}"))
    for what in ("checkpoint_sha256", "preprocessing", "precision"):
        if (getattr(frozen, what) or "") != getattr(run.info, what):
            raise BadInputError(
                f"Run {run.info.name} has another {what.partition('_')[0]} than when the card was made. Bring its "
                "run.json back as it was, or make the card anew with 'fas threshold'."
            )


def _verdict(paths: tuple[Path, ...], value: float, frozen: Card, reason: str, *, is_short: bool = False) -> Verdict:
    missing = math.isnan(value)
    is_attack = missing or bool(metrics.is_attack([value], frozen.threshold)[0])
    score = None if missing else value
    return Verdict(paths, frozen.level != FRAME, score, frozen.threshold, is_attack, reason, is_short)
