"""(checkpoints, manifest) -> Runs, shard by shard; every image is read and decoded once, whatever the number of models.

Decoding runs in threads ahead of the model. A shard that is complete is never computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from fas_core import checkpoint, devices, images, store
from fas_core.errors import BadInputError
from fas_core.manifest import Manifest, require_writable
from fas_core.models.base import Autoencoder
from fas_core.progress import task

BATCH = 64
DECODERS = 4


@dataclass(frozen=True)
class _Target:
    """One checkpoint on its device and the folder its Run grows in."""

    model: Autoencoder
    info: store.RunInfo
    folder: Path

    def shard(self, subset: str, name: str) -> Path:
        return self.folder / subset / name


def run_info(path: Path, header: dict[str, Any], data: Manifest, precision: str, terms: Sequence[str]) -> store.RunInfo:
    """What the Run of this checkpoint on this data is. Its id changes with any input, so it is never stale."""
    digest = checkpoint.sha256(path)
    sizes = data.rows["subset"].value_counts()
    return store.RunInfo(
        run=store.run_id(digest, data.sha256, images.PREPROCESSING, precision),
        name=path.name.removesuffix(".safetensors"),
        kind="images",
        subsets={name: int(sizes[name]) for name in data.subset_names()},
        scores=list(terms),
        model=str(header["model"]),
        checkpoint=path.name,
        checkpoint_sha256=digest,
        checkpoint_header=header,
        manifest=data.source.name,
        manifest_sha256=data.sha256,
        preprocessing=images.PREPROCESSING,
        precision=precision,
    )


def cached(
    checkpoints: Sequence[Path],
    data: Manifest,
    cache: Path,
    *,
    subsets: Sequence[str] = (),
    device: str = "auto",
    precision: str = "fp32",
    job_file: Path | None = None,
) -> list[store.Run]:
    """The Runs of some checkpoints on some subsets (all by default), complete; returns them opened.

    Raises BadInputError when no image of the manifest is there, or the manifest has a column that a loss term needs.
    """
    chosen = data.only(subsets).subset_names() if subsets else data.subset_names()
    fabric = devices.one_device(device, precision)
    targets = []
    for path in checkpoints:
        model, header = checkpoint.loaded(path)
        clashing = sorted(set(data.rows.columns) & ({*model.loss_names, "is_constant", "reason"}))
        if clashing:
            raise BadInputError(f"{data.source}: column '{clashing[0]}' has the name of a score. Rename the column.")
        info = run_info(path, header, data, precision, model.loss_names)
        model.to(fabric.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        targets.append(_Target(model, info, store.runs_folder(cache) / info.run))
    if not any(path.is_file() for path in data.image_paths()):
        raise BadInputError(f"{data.source}: none of its {len(data)} images is there, e.g. {data.image_paths()[0]}.")
    require_writable(cache)
    missing = list(_missing(targets, chosen))
    names = ", ".join(target.info.name for target in targets)
    total = sum(target.info.shard_size for _, _, _, wanted in missing for target in wanted[:1])
    rows_left = sum(len(_shard_rows(data, subset, number, wanted[0])) for subset, number, _, wanted in missing)
    with task(f"Caching {names}", min(total, rows_left), job_file=job_file, stage="cache") as progress:
        for subset, number, name, wanted in missing:
            rows = _shard_rows(data, subset, number, wanted[0])
            for target, shard in _computed(fabric, wanted, rows, data.root, progress.advance):
                store.create(cache, target.info)  # with the first shard: what fails before it leaves nothing behind
                store.write_shard(target.shard(subset, name), **shard)
    return [store.opened(target.folder) for target in targets]


def _missing(targets: Sequence[_Target], subsets: Sequence[str]) -> Iterator[tuple[str, int, str, list[_Target]]]:
    """(subset, number, shard name, targets that lack it)."""
    for subset in subsets:
        for number, name in enumerate(targets[0].info.shard_names(subset)):
            wanted = [t for t in targets if not (t.shard(subset, name) / "meta.json").is_file()]
            if wanted:
                yield subset, number, name, wanted


def _shard_rows(data: Manifest, subset: str, number: int, target: _Target) -> pd.DataFrame:
    rows = data.rows[data.rows["subset"] == subset]
    size = target.info.shard_size
    return rows.iloc[number * size : (number + 1) * size]


def _computed(
    fabric: Fabric, targets: Sequence[_Target], rows: pd.DataFrame, root: Path, advance: Any
) -> Iterator[tuple[_Target, dict[str, Any]]]:
    """The content of one shard for each target: keyword arguments of `store.write_shard`."""
    size = targets[0].model.config.image_size
    if any(target.model.config.image_size != size for target in targets):
        raise BadInputError("The checkpoints expect different image sizes. Cache them with one command each.")
    paths = [root / path for path in rows["path"]]
    reasons: dict[int, str] = {}
    good: list[int] = []
    inputs: list[NDArray[np.uint8]] = []
    constant: list[NDArray[np.bool_]] = []
    outputs: list[list[dict[str, NDArray[Any]]]] = [[] for _ in targets]
    for positions, x in _decoded(paths, size, reasons):
        good += positions
        constant.append(images.is_constant(x))
        scaled = images.standard_scaled(x)
        inputs.append(images.pixels(scaled)[:, 0])
        for number, target in enumerate(targets):
            outputs[number].append(_outputs(fabric, target.model, scaled))
        advance(len(positions))
    if len(reasons) == len(rows) > 0 and not paths[0].parent.exists():
        raise BadInputError(f"The image folder {paths[0].parent} is gone. Bring it back and run the command again.")
    advance(len(reasons))
    for target, parts in zip(targets, outputs, strict=True):
        yield target, _shard_content(rows, good, reasons, inputs, constant, parts, target, size)


def _decoded(paths: Sequence[Path], size: int, reasons: dict[int, str]) -> Iterator[tuple[list[int], NDArray[Any]]]:
    """(positions, images (b, 1, size, size) in [0, 1]) in order, decoded ahead; reasons of the others are filled in."""

    def loaded(path: Path) -> NDArray[np.float32] | str:
        try:
            return images.load(path, size)
        except images.UnreadableImageError as error:
            return str(error)

    with ThreadPoolExecutor(DECODERS) as pool:
        starts = range(0, len(paths), BATCH)
        ahead = [pool.submit(loaded, p) for p in paths[:BATCH]]
        for start in starts:
            futures, ahead = ahead, [pool.submit(loaded, p) for p in paths[start + BATCH : start + 2 * BATCH]]
            results = [future.result() for future in futures]
            reasons |= {start + i: r for i, r in enumerate(results) if isinstance(r, str)}
            good = [start + i for i, r in enumerate(results) if not isinstance(r, str)]
            if good:
                yield good, np.stack([r for r in results if not isinstance(r, str)])


@torch.inference_mode()
def _outputs(fabric: Fabric, model: Autoencoder, scaled: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    x = fabric.to_device(torch.from_numpy(scaled)).contiguous(memory_format=torch.channels_last)
    with fabric.autocast():
        out = model.outputs(x)
    terms = {name: out.losses[name].float().cpu().numpy() for name in model.loss_names}
    return terms | {
        "latents": out.latents.float().cpu().numpy(),
        "reconstructions": images.pixels(out.reconstructions.float().nan_to_num(0.5).cpu().numpy())[:, 0],
    }


def _shard_content(
    rows: pd.DataFrame,
    good: list[int],
    reasons: dict[int, str],
    inputs: list[NDArray[np.uint8]],
    constant: list[NDArray[np.bool_]],
    parts: list[dict[str, NDArray[Any]]],
    target: _Target,
    size: int,
) -> dict[str, Any]:
    names = target.model.loss_names
    arrays: dict[str, NDArray[Any]]
    if parts:
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        arrays["inputs"] = np.concatenate(inputs)
        flags = np.concatenate(constant)
    else:
        arrays = {name: np.empty(0, np.float32) for name in names}
        arrays |= {name: np.empty((0, size, size), np.uint8) for name in ("inputs", "reconstructions")}
        arrays["latents"] = np.empty((0, target.model.config.latent_dim), np.float32)
        flags = np.empty(0, bool)
    finite = np.isfinite(arrays["latents"]).all(1) & np.all([np.isfinite(arrays[name]) for name in names], axis=0)
    reasons = reasons | {good[i]: "the model's output is not finite" for i in np.flatnonzero(~finite)}
    if good and not finite.any():
        raise BadInputError(
            f"Checkpoint {target.info.checkpoint} gives NaN for every image: its training diverged. Train it again."
        )
    samples = rows.iloc[[p for p, keep in zip(good, finite, strict=True) if keep]].reset_index(drop=True)
    samples["is_constant"] = flags[finite]
    for name in names:
        samples[name] = arrays[name][finite]
    failed = sorted(reasons)
    failures = rows.iloc[failed].reset_index(drop=True)
    failures["reason"] = pd.Series([reasons[p] for p in failed], dtype="str")
    return {
        "samples": samples,
        "failures": failures,
        "latents": arrays["latents"][finite],
        "reconstructions": arrays["reconstructions"][finite],
        "inputs": arrays["inputs"][finite],
    }
