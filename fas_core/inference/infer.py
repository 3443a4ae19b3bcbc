"""(checkpoints, manifest) -> Runs, shard by shard; every image is read and decoded once, whatever the number of models.

Batches are decoded ahead of the models, on a CPU by every core for itself, and finished shards written behind them. A
shard that is complete is never computed again. Where shards are computed is an `Engine`: this process, or those of
`cluster`.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fas_core import models, scores, storage
from fas_core.data import modalities, readers, videos
from fas_core.data.manifest import Manifest
from fas_core.data.names import TRAINING_USE
from fas_core.data.readers import Pictures, Readers, Wanted
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import file_of, require_writable
from fas_core.inference import preparing
from fas_core.inference.packed import packed
from fas_core.models import Origin, onnx_model, patches
from fas_core.models.base import Form, Model
from fas_core.models.building import VariationalAutoencoder
from fas_core.models.conditions import in_words
from fas_core.models.input import Input
from fas_core.models.onnx_model import OnnxModel, Told
from fas_core.progress import task
from fas_core.runs import encrypted, encrypting, signatures, store, tombstones
from fas_core.runs.lock import claimed
from fas_core.runs.tombstones import Tombstone
from fas_core.training import checkpoint, devices
from fas_core.training.devices import ONNX, PRECISIONS, Place
from fas_core.training.known import Known

_log = logging.getLogger(__name__)

BATCH_CPU, BATCH_GPU = 8, 256  # images: what fits a core's cache, and what fills a GPU
COMPILED_FROM = 200_000  # images on a GPU: some minutes, of which compiling may take one

Advance = Callable[[int], None]
T = TypeVar("T")


class Loaded(NamedTuple):
    """A checkpoint that has been read; the model is in eval mode and in the layout it computes fastest in."""

    path: Path
    model: Model
    header: Json
    known: Known | None  # the images that its training has used
    origin: Origin
    form: Form


@dataclass(frozen=True)
class Target:
    """A checkpoint's Run and the folder it grows in."""

    checkpoint: Path
    info: store.RunInfo
    folder: Path

    def shard(self, subset: str, name: str) -> Path:
        """The folder of a shard, by its name."""
        return self.folder / subset / name


@dataclass(frozen=True)
class Plan:
    """What is made of a data set and how: data alone, with absolute paths, so that it means the same elsewhere."""

    targets: list[Target]
    cache: Path
    root: Path  # the folder that the images' paths are relative to
    folders: frozenset[str]  # those of the images that were there at the start, relative to `root`
    given: Input  # how the models want their images
    device: str
    workers: int | None = 0  # as of `Readers`
    compiles: bool = False  # as of `ready`

    @property
    def wanted(self) -> Wanted:
        """How its images are read: as the models are given them, and to be looked at."""
        return Wanted(self.root, self.given.size, self.given.channels, partial(preparing.prepared, given=self.given))


@dataclass(frozen=True, eq=False)
class Ready:
    """A model on the device that it runs on, in the precision that it runs in; `ready` makes it."""

    place: Place
    model: Model
    form: Form
    gives_features: bool = False
    filled_to: int = 0  # images that a compiled model always gets at once: for another number it would compile again


@dataclass(frozen=True)
class Work:
    """One shard to be computed, and the numbers of the plan's targets that lack it."""

    subset: str
    name: str
    rows: pd.DataFrame
    targets: list[int]
    contents: NDArray[np.uint8]  # (n, CONTENT_BYTES) of the files, as `Manifest.contents`


class Engine(Protocol):
    """Where shards are computed."""

    def checked_device(self, device: str, precision: str) -> str:
        """The device to be used for the one asked for; raises BadInputError when it or the precision is not there."""

    def settled_precision(self, checkpoints: Sequence[Loaded], device: str) -> str:
        """The precision that is meant by "auto", as `infer.settled_precision`."""

    def write(self, plan: Plan, checkpoints: Sequence[Loaded], works: Sequence[Work], advance: Advance) -> None:
        """Computes and writes some shards, one checkpoint per target of the plan; `advance` is told of images done."""


@final
class ThisProcess:
    """The engine for one machine."""

    def checked_device(self, device: str, precision: str) -> str:
        """The device itself. Raises BadInputError where it cannot be used with the precision."""
        devices.require_known(device, precision, onnx=True)
        return device

    def settled_precision(self, checkpoints: Sequence[Loaded], device: str) -> str:
        """As `infer.settled_precision`."""
        return settled_precision(checkpoints, device)

    def write(self, plan: Plan, checkpoints: Sequence[Loaded], works: Sequence[Work], advance: Advance) -> None:
        """As `infer.write_shards`."""
        write_shards(plan, checkpoints, works, advance)


def run_info(each: Loaded, data: Manifest, precision: str, *, keeps_features: bool = False) -> store.RunInfo:
    """What the Run of a checkpoint on some data is. Its id changes with any input, so it is never stale.

    The code of a model from another package is such an input, and so is what it is given. That of the models of this
    package is none, or every version would orphan the Runs of the one before: what they compute is held by tests, and
    changes with `store.FORMAT_VERSION`.
    """
    digest, path, given = checkpoint.sha256(each.path), each.path, each.model.input
    told: list[object] = []
    if each.origin.is_foreign:
        told = [each.origin.as_json(), given.as_json()]
    elif isinstance(each.model, OnnxModel):
        told = [given.as_json()]  # which a user may have told
    if keeps_features:
        told.append({"patches": patches.KEPT})
    preprocessing = preparing.rules(given)
    sizes = data.rows["subset"].value_counts()
    return store.RunInfo(
        run=store.run_id(
            digest, data.sha256, preprocessing, precision, *([json.dumps(told, sort_keys=True)] if told else [])
        ),
        name=path.name.removesuffix(".safetensors").removesuffix(onnx_model.SUFFIX),
        kind="images",
        subsets={name: int(sizes[name]) for name in data.subset_names()},
        scores=list(each.form.losses),
        declared=dict(each.model.scores),
        model=str(each.header["model"]),
        origin=each.origin.as_json(),
        input=given.as_json(),
        checkpoint=path.name,
        checkpoint_sha256=digest,
        checkpoint_path=str(path.resolve()),
        manifest_path=storage.shown(data.source.resolve()),
        patches=patches.KEPT if keeps_features else {},
        modality=modalities.of_all(data.rows),
        checkpoint_header=each.header,
        manifest=data.source.name,
        manifest_sha256=data.sha256,
        preprocessing=preprocessing,
        precision=precision,
    )


def write_runs(
    checkpoints: Sequence[Path],
    data: Manifest,
    cache: Path,
    *,
    subsets: Sequence[str] = (),
    device: str = "auto",
    precision: str = "auto",
    told: Told | None = None,
    job_file: Path | None = None,
    engine: Engine | None = None,
    encrypts: bool = False,
    keeps_features: bool = False,
    workers: int | None = 0,
) -> list[store.Run]:
    """The Runs of some checkpoints on some subsets (all by default), complete; returns them opened.

    `precision` "auto" goes on with that of a Run which is there, whole or begun; checkpoints without one take that of
    the others or, where there is none, bf16 if it is clearly faster (`settled_precision`), else fp32: on the CPU of
    this machine by ONNX Runtime where that is faster (`onnx_engine`). `encrypts`: all arrays of the Runs, those too
    that are there; a Run that is encrypted goes on so. `told`: of the input of ONNX files, which run on the CPU in fp32
    alone. `keeps_features`: what the encoder says of places in images too, for the score `patches`; these are other
    Runs than without. `engine` None: this process. `workers`: processes that read images, as of `Readers`.
    Raises BadInputError when no image of the manifest is there, when it holds several modalities, or has a column that
    a loss term needs, and where features are to be kept of a model without them.
    """
    # Before files are looked for; whether there is a GPU where it is computed, the engine says.
    devices.require_known("auto" if device == "cuda" else device, precision, onnx=True)
    engine = engine or ThisProcess()
    chosen = data.only(subsets).subset_names() if subsets else data.subset_names()
    all_loaded = [loaded(path, told) for path in checkpoints]
    device = engine.checked_device(_device_for(all_loaded, device, precision), precision)
    _require_fitting(all_loaded, data)
    _require_features(all_loaded if keeps_features else [], precision)
    require_writable(cache)
    store.look_anew(cache)
    n = int(data.rows["subset"].isin(chosen).sum())
    info_of = partial(run_info, data=data, keeps_features=keeps_features)
    precisions = _precisions(all_loaded, info_of, cache, engine, device, precision, n)
    device = "cpu" if ONNX in precisions else device
    pairs = list(zip(all_loaded, precisions, strict=True))
    infos = [info_of(each, precision=settled) for each, settled in pairs]
    folder = store.runs_folder(cache.absolute())
    targets = [Target(each.path.absolute(), i, folder / i.run) for each, i in zip(all_loaded, infos, strict=True)]
    all_loaded = [computed_in(settled, each, cache) for each, settled in pairs]
    gone = tombstones.of_manifest(cache, data.sha256)
    root, given = data.root.absolute(), pairs[0][0].model.input
    with claimed([target.folder for target in targets]):
        for target in targets if encrypts else ():
            encrypted.mark(target.folder)
        missing = list(_missing(targets, chosen, data, gone))
        total, called = sum(len(work.rows) for work in missing), ", ".join(i.name for i in infos)
        plan = Plan(targets, cache.absolute(), root, _folders(data), given, device, workers, total >= COMPILED_FROM)
        with task(f"Caching {called}", total, job_file=job_file, stage="cache") as progress:
            engine.write(plan, all_loaded, missing, progress.advance)
        tombstones.inherit(cache, gone, [target.info.run for target in targets])
        runs = [store.opened(store.create(cache, target.info)) for target in targets]
        for i in {i for work in missing for i in work.targets}:
            signatures.sign(runs[i])
        return [encrypting.encrypt_claimed(run) for run in runs] if encrypts else runs


def _require_fitting(checkpoints: Sequence[Loaded], data: Manifest) -> None:
    """Raises BadInputError where checkpoints want different images, or the manifest is not what any can be run on."""
    given = {each.model.input: each.path.name for each in checkpoints}
    if len(given) > 1:
        wanted = "; ".join(f"{name}: {each.words}" for each, name in given.items())
        raise BadInputError(f"The checkpoints expect different images ({wanted}). Cache them with one command each.")
    for each in checkpoints:
        clashing = sorted(set(data.rows.columns) & ({*each.form.losses, "is_constant", "reason", TRAINING_USE}))
        if clashing:
            raise BadInputError(f"{data.source}: column '{clashing[0]}' has the name of a score. Rename the column.")
    _warn_of_what_is_not_told(checkpoints, data)
    videos.require_frames(data)
    modalities.the_one(data)
    paths = data.rows["path"]
    if not any(storage.is_there(file_of(data.root / path)) for path in paths):
        raise BadInputError(
            f"{data.source}: none of its {len(data)} images is there, e.g. {data.root / paths.iloc[0]}."
        )


def _require_features(checkpoints: Sequence[Loaded], precision: str) -> None:
    """Raises BadInputError where one of some checkpoints has no features to keep, or none in this precision."""
    for each in checkpoints:
        if not each.model.has_features:
            raise BadInputError(
                f"{each.path}: its model says nothing of places in an image (it has no `features`), so nothing can be "
                "kept for the score patches. Leave --patches out."
            )
        if precision == ONNX:
            raise BadInputError(f"--precision {ONNX}: there encoders give no features. Leave it out, or --patches.")


def _warn_of_what_is_not_told(checkpoints: Sequence[Loaded], data: Manifest) -> None:
    """Counts the images of which a model with conditions is told nothing. Raises BadInputError where a column lacks."""
    for each in checkpoints:
        if each.model.conditions is None:
            continue
        for name in each.model.conditions.columns:
            if not data.says(name):
                raise BadInputError(
                    f"{data.source} has no column '{name}', or none with a value, which the model of {each.path.name} "
                    "is told of every image. Add it, empty where it is not known."
                )
        if words := in_words(each.model.conditions.told(data.rows)):
            _log.warning("%s is told of images. %s: that is not known, and not guessed.", each.path.name, words)


def require_pixels_alone(model: Model, called: str) -> None:
    """Raises BadInputError where a model must be told more than images, for whoever has nothing but these."""
    if model.conditions is not None:
        raise BadInputError(
            f"{called} is told {', '.join(model.conditions.columns)} of every image, which pixels do not say. List the "
            "images in a manifest with these columns, and make a Run of it: fas cache"
        )


def _precisions(
    checkpoints: Sequence[Loaded],
    info_of: Callable[..., store.RunInfo],
    cache: Path,
    engine: Engine,
    device: str,
    asked: str,
    n: int,
) -> list[str]:
    """One for each checkpoint, of whose images n are wanted, as `write_runs` says."""
    free = [each for each in checkpoints if not each.model.is_of_cpu]
    if asked != "auto":
        return ["fp32" if each.model.is_of_cpu else asked for each in checkpoints]
    known = {each.path: _known_precision(each, info_of, cache) for each in free}
    settled = next(filter(None, known.values()), None) or (engine.settled_precision(free, device) if free else "fp32")
    is_here = isinstance(engine, ThisProcess) and devices.one_device(device, "fp32").device.type == "cpu"
    precisions = []
    for each in checkpoints:
        precision = "fp32" if each.model.is_of_cpu else known[each.path] or settled
        is_open = precision == "fp32" and is_here and not each.model.is_of_cpu and known[each.path] is None
        if is_open and not info_of(each, precision=precision).patches:
            from fas_core.inference import onnx_engine

            precision = onnx_engine.precision_of_fp32(each, n, cache)
        precisions.append(precision)
    return precisions


def _known_precision(each: Loaded, info_of: Callable[..., store.RunInfo], cache: Path) -> str | None:
    """That of the checkpoint's Run on this data: what was measured once may not come out the same again."""
    folder = store.runs_folder(cache)
    return next((p for p in (*PRECISIONS, ONNX) if (folder / info_of(each, precision=p).run).is_dir()), None)


def _device_for(checkpoints: Sequence[Loaded], device: str, precision: str) -> str:
    """The device for some models together. Raises BadInputError where one of them cannot be had there or so."""
    of_cpu = [each.path for each in checkpoints if each.model.is_of_cpu or precision == ONNX]
    if of_cpu and (device == "cuda" or precision == "bf16"):
        option = "--device cuda" if device == "cuda" else "--precision bf16"
        raise BadInputError(f"{option}: {of_cpu[0]} runs on the CPU, in fp32. Leave the option out.")
    return "cpu" if of_cpu else device


def loaded(path: Path, told: Told | None = None) -> Loaded:
    """As `checkpoint.loaded`, in the memory layout that the model is fastest in, and what its outputs are like.

    A file that is called .onnx is one; `told`: of its input.
    """
    if path.suffix == onnx_model.SUFFIX:
        of_file = onnx_model.read(path, told or Told())
        if named := sorted(set(of_file.scores) & (set(scores.names()) - set(VariationalAutoencoder.loss_names))):
            raise BadInputError(
                f"{path}: its output '{named[0]}' has the name of a score that is computed here. Export it with "
                "another name."
            )
        known = Known.of_texts(of_file.known, str(path))
        form = of_file.form()
        config = {"latent_dim": form.latent_dim, **of_file.header["config"]}
        return Loaded(path, of_file, of_file.header | {"config": config}, known, models.origin_of_files(), form)
    if told is not None:
        raise BadInputError(
            f"{path} is no ONNX file: it says itself what it is given. Leave --input and --scaling out."
        )
    model, header = checkpoint.loaded(path)
    model.to(memory_format=model.memory_format)  # type: ignore[call-overload]
    origin = models.kind(header["model"]).origin
    return Loaded(path, model, header, checkpoint.known_of(path), origin, model.form())


def loaded_of(run: store.Run, path: Path) -> Loaded:
    """As `loaded`, of the checkpoint of a Run at `path`, as it was computed."""
    return computed_in(run.info.precision, loaded(path, told_of(run.info)), run.cache)


def computed_in(precision: str, each: Loaded, cache: Path) -> Loaded:
    """A checkpoint as it is computed in a precision: where ONNX Runtime is to do it, by that."""
    if precision != ONNX:
        return each
    from fas_core.inference import onnx_engine

    return onnx_engine.by_it(each, cache)


def told_of(info: store.RunInfo) -> Told | None:
    """What is to be told of the file that a Run was made from; None of a checkpoint."""
    if not info.checkpoint.endswith(onnx_model.SUFFIX):
        return None
    given = preparing.input_of(info)
    return Told(given.size, given.channels, given.scaling)


def require_same_code(run: store.Run, each: Loaded) -> None:
    """Raises BadInputError where the model of a Run is of another package, and that has changed since."""
    before = run.info.origin
    if each.origin.is_foreign and each.origin.as_json() != before:
        was = models.Origin(**before).words if before else "another package"
        raise BadInputError(
            f"Run {run.info.name} was made by model {run.info.model} of {was}; installed is {each.origin.words}. "
            "Install that one again, or make a Run of this one: fas cache"
        )


def write_shards(plan: Plan, checkpoints: Sequence[Loaded], works: Sequence[Work], advance: Advance) -> None:
    """Computes some shards in this process and writes them; `checkpoints`: one per target of the plan."""
    places = [devices.one_device(plan.device, target.info.precision) for target in plan.targets]
    networks = [
        ready(each, place, gives_features=bool(target.info.patches), compiles=plan.compiles)
        for place, each, target in zip(places, checkpoints, plan.targets, strict=True)
    ]
    with ThreadPoolExecutor(1) as writer, closing(_computed(networks, works, plan, advance)) as computed:
        written: Future[None] | None = None
        for work, whole in computed:
            _require_folders(work, whole, plan)
            if written is not None:
                written.result()  # no more than one finished shard waits in memory
            written = writer.submit(_write, plan, checkpoints, work, whole)
        if written is not None:
            written.result()


def ready(each: Loaded, place: Place, *, gives_features: bool = False, compiles: bool = False) -> Ready:
    """A checkpoint's model where and how it computes: packed on a CPU in fp32; `compiles`: by
    `torch.compile` on a GPU, which takes the model a minute once. Where it cannot be compiled, that is warned of."""
    model = each.model.to(place.device)
    if place.device.type == "cpu" and not (place.is_bf16 or each.origin.is_foreign or model.is_of_cpu):
        model = packed(model)
    network = Ready(place, model, each.form, gives_features)
    return _compiled(network, each.path) if compiles and place.device.type == "cuda" else network


def _compiled(network: Ready, path: Path) -> Ready:
    """The model is compiled in its place, so that another shard finds it so; tried on a batch, as that compiles it."""
    model = network.model
    whole = replace(network, filled_to=batch_size(network.place))
    if model._compiled_call_impl is not None:
        return whole
    given, conditions = model.input, model.conditions
    x = torch.zeros(1, given.channels, given.size, given.size)
    told = None if conditions is None else torch.from_numpy(conditions.nothing)[None]
    try:
        model.compile(dynamic=False)
        device_outputs(whole, x, told)
    except Exception as error:  # noqa: BLE001 - of whatever compilers there are, or are not
        model._compiled_call_impl = None
        words = " ".join(str(error).split())[:200]
        _log.warning("%s is computed without being compiled: %s: %s", path.name, type(error).__name__, words)
        return network
    return whole


def _folders(data: Manifest) -> frozenset[str]:
    """The folders of the images that are there, relative to the manifest."""
    return frozenset(folder for folder in folders_in(data.rows["path"]) if (data.root / folder).is_dir())


def folders_in(paths: pd.Series) -> list[str]:
    """The folder of each path, without repetition."""
    return [str(folder) for folder in paths.str.replace(r"/?[^/]*$", "", regex=True).unique()]


def _require_folders(work: Work, whole: _Part, plan: Plan) -> None:
    """Raises BadInputError when a folder has vanished under the work: its images are not bad, they are away."""
    for folder in folders_in(work.rows["path"].iloc[[*whole.reasons]]):
        path = plan.root / folder
        if folder in plan.folders and not path.is_dir():
            raise BadInputError(f"The image folder {path} is gone. Bring it back and run the command again.")


def settled_precision(checkpoints: Sequence[Loaded], device: str) -> str:
    """bf16 where the processor has it and a few batches take less than four fifths of the time of fp32.

    On a CPU that is the time of one core, as each computes batches of its own; whatever else the machine does.
    """
    seconds = {}
    for precision in PRECISIONS:
        place = devices.one_device(device, precision)
        if not devices.has_bf16(place.device):
            return "fp32"
        given, is_cpu = checkpoints[0].model.input, place.device.type == "cpu"
        x = torch.rand(batch_size(place), given.channels, given.size, given.size)
        clock = time.thread_time if is_cpu else time.perf_counter
        best = math.inf
        networks = [ready(each, place) for each in checkpoints]
        with devices.one_core() if is_cpu else nullcontext():
            for _ in range(3):  # the first one warms up
                start = clock()
                for network in networks:
                    _fetched(device_outputs(network, x))
                best = min(best, clock() - start)
        seconds[precision] = best
    return "bf16" if seconds["bf16"] < 0.8 * seconds["fp32"] else "fp32"


def batch_size(place: Place) -> int:
    """Images that go through the models at once."""
    return BATCH_CPU if place.device.type == "cpu" else BATCH_GPU


def _missing(
    targets: Sequence[Target], subsets: Sequence[str], data: Manifest, gone: Sequence[Tombstone]
) -> Iterator[Work]:
    """Without whom was removed from Runs of the same manifest."""
    for subset in subsets:
        of_subset = np.flatnonzero(data.rows["subset"] == subset)
        size = targets[0].info.shard_size
        for number, name in enumerate(targets[0].info.shard_names(subset)):
            wanted = [i for i, target in enumerate(targets) if not store.is_shard(target.shard(subset, name))]
            if wanted:
                here = of_subset[number * size : (number + 1) * size]
                here = here[tombstones.left(gone, subset, number * size, len(here))]
                yield Work(subset, name, data.rows.iloc[here], wanted, data.contents[here])


@dataclass(frozen=True)
class _Batch:
    """Some rows of a shard, read: `positions` of the b readable ones, and why the others are not."""

    positions: list[int]
    reasons: dict[int, str]
    x: torch.Tensor  # (b, c, H, W) float32 as the models are given them
    inputs: NDArray[np.uint8]  # (b, H, W) or (b, H, W, 3), to be looked at
    contents: NDArray[np.uint8]  # (b, CONTENT_BYTES) of the pictures, as `images.content`
    is_constant: NDArray[np.bool_]  # (b,)

    @staticmethod
    def of(pictures: Pictures, start: int, *, pinned: bool = False) -> _Batch:
        """Of the rows from `start` on; `pinned`: where a GPU fetches them from by itself."""
        x, inputs = pictures.arrays
        tensor = torch.from_numpy(x)
        return _Batch(
            [start + place for place in pictures.places],
            {start + place: why for place, why in pictures.reasons.items()},
            tensor.pin_memory() if pinned and len(x) else tensor,
            inputs,
            pictures.contents,
            pictures.is_constant,
        )


@dataclass(frozen=True)
class _Part:
    """A batch, or all of a shard, without its floats, and what each target that lacks the shard says of it: arrays of b
    rows. Nobody says anything where no image could be read."""

    positions: list[int]
    reasons: dict[int, str]
    inputs: NDArray[np.uint8]
    contents: NDArray[np.uint8]
    is_constant: NDArray[np.bool_]
    outputs: list[dict[str, NDArray[Any]]]


class _Gathered:
    """The batches of a shard of n rows, in arrays that are as long from the start.

    Small arrays that stay would come to lie between what each batch frees, and the process would take several times
    what it holds, and more with every shard.
    """

    def __init__(self, n: int) -> None:
        self._n, self._filled = n, 0
        self._positions: list[int] = []
        self._reasons: dict[int, str] = {}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._outputs: list[dict[str, NDArray[Any]]] = []

    def add(self, part: _Part) -> None:
        begin, self._filled = self._filled, self._filled + len(part.positions)
        self._positions += part.positions
        self._reasons |= part.reasons
        self._outputs = self._outputs or [{} for _ in part.outputs]
        given = {name: getattr(part, name) for name in ("inputs", "contents", "is_constant")}
        for into, arrays in ((self._arrays, given), *zip(self._outputs, part.outputs, strict=bool(part.outputs))):
            for name, rows in arrays.items():
                if name not in into:
                    into[name] = np.empty((self._n, *rows.shape[1:]), rows.dtype)
                into[name][begin : self._filled] = rows

    def whole(self) -> _Part:
        given, *outputs = (
            {name: array[: self._filled] for name, array in arrays.items()} for arrays in (self._arrays, *self._outputs)
        )
        return _Part(self._positions, self._reasons, **given, outputs=outputs)


def _computed(
    networks: Sequence[Ready], works: Sequence[Work], plan: Plan, advance: Advance
) -> Generator[tuple[Work, _Part]]:
    """Every shard in turn, computed."""
    by_core = networks[0].place.device.type == "cpu" and all(network.model.is_reentrant for network in networks)
    in_order = _parts_by_core if by_core else _parts_in_turn
    gathered: _Gathered | None = None
    with closing(in_order(networks, works, plan)) as computed:
        for work, part, is_last in computed:
            gathered = gathered or _Gathered(len(work.rows))
            gathered.add(part)
            advance(len(part.positions) + len(part.reasons))
            if is_last:
                yield work, gathered.whole()
                gathered = None


def _parts_by_core(networks: Sequence[Ready], works: Sequence[Work], plan: Plan) -> Generator[tuple[Work, _Part, bool]]:
    """(shard, batch, whether it is its last) in order. Each core reads and computes batches of its own.

    That leaves no core idle, as threads that share one layer do when one of them has to wait, and makes the bytes of a
    Run independent of their number. Many cores that are idle nevertheless wait for the interpreter, or for files.
    """
    cores = torch.get_num_threads()
    devices.keep_buffers()

    def part(work: Work, start: int, pictures: Callable[[], Pictures]) -> _Part:
        batch = _Batch.of(pictures(), start)
        return _part(batch, [_fetched(tensors) for tensors in _begun(networks, work, batch)])

    try:
        with (
            Readers(replace(plan.wanted, at_once=BATCH_CPU), plan.workers, threads=0) as reading,
            ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            before, used = time.perf_counter(), time.process_time()
            for each in _ahead(pool, reading, works, BATCH_CPU, cores, part):
                yield each
                now, use = time.perf_counter(), time.process_time()
                reading.weigh(now - before - (use - used) / cores if cores > readers.MANY_CORES else 0)
                before, used = now, use
    finally:
        torch.set_num_threads(cores)  # the setting outlives the threads that made it


def _parts_in_turn(networks: Sequence[Ready], works: Sequence[Work], plan: Plan) -> Generator[tuple[Work, _Part, bool]]:
    """As `_parts_by_core`, for a GPU, and for models that one thread alone may call: others read, and the outputs of a
    batch are fetched when the next one is on its way."""
    place = networks[0].place
    length, is_gpu = batch_size(place), place.device.type == "cuda"

    def batch_of(_: Work, start: int, pictures: Callable[[], Pictures]) -> _Batch:
        return _Batch.of(pictures(), start, pinned=is_gpu)

    fetch = _Fetching(place.device)
    waiting: Callable[[], tuple[Work, _Part, bool]] | None = None

    def fetched(work: Work, batch: _Batch, is_last: bool) -> Callable[[], tuple[Work, _Part, bool]]:
        outputs = [fetch.begun(tensors) for tensors in _begun(networks, work, batch)]
        return lambda: (work, _part(batch, [output() for output in outputs]), is_last)

    with Readers(plan.wanted, plan.workers, readers.THREADS) as reading, ThreadPoolExecutor(2) as pool:
        for work, batch, is_last in _ahead(pool, reading, works, length, 1, batch_of, tells=True):
            begun = fetched(work, batch, is_last)
            if waiting is not None:
                yield waiting()
            waiting = begun
        if waiting is not None:
            yield waiting()


def _ahead(
    pool: ThreadPoolExecutor,
    reading: Readers,
    works: Sequence[Work],
    length: int,
    n: int,
    batch_of: Callable[[Work, int, Callable[[], Pictures]], T],
    *,
    tells: bool = False,
) -> Iterator[tuple[Work, T, bool]]:
    """What is made of each batch of each shard, in order, ahead across the borders of shards: by n batches, and by
    those that are being read. `tells`: it is weighed how long they are waited for."""
    ahead: deque[tuple[Work, Future[T], bool]] = deque()

    def due() -> tuple[Work, T, bool]:
        work, future, is_last = ahead.popleft()
        start = time.perf_counter()
        result = future.result()
        if tells:
            reading.weigh(time.perf_counter() - start)
        return work, result, is_last

    try:
        for work in works:
            paths = work.rows["path"].tolist()
            for start in range(0, max(1, len(paths)), length):
                pictures = reading.begun(paths[start : start + length])
                is_last = start + length >= len(paths)
                ahead.append((work, pool.submit(batch_of, work, start, pictures), is_last))
                if len(ahead) > n + 1 + reading.images_ahead // length:
                    yield due()
        while ahead:
            yield due()
    finally:
        for _, future, _ in ahead:
            future.cancel()


def _begun(networks: Sequence[Ready], work: Work, batch: _Batch) -> list[dict[str, torch.Tensor]]:
    """What each model that lacks the shard says of a batch; nothing where no image of it could be read."""
    if not batch.positions:
        return []
    return [device_outputs(networks[i], batch.x, _told(networks[i].model, work, batch)) for i in work.targets]


def _told(model: Model, work: Work, batch: _Batch) -> torch.Tensor | None:
    """(b, k) what a model with conditions is told of the images of a batch; None for others."""
    conditions = model.conditions
    return None if conditions is None else torch.from_numpy(conditions.told(work.rows.iloc[batch.positions]).numbers)


def _part(batch: _Batch, outputs: list[dict[str, NDArray[Any]]]) -> _Part:
    return _Part(batch.positions, batch.reasons, batch.inputs, batch.contents, batch.is_constant, outputs)


@torch.inference_mode()
def device_outputs(network: Ready, x: torch.Tensor, told: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """Everything a Run keeps of a batch (b, c, H, W), on the model's device; a GPU is still at it.

    `told` as of `Model.outputs`. Raises BadInputError as that, and where the model says other things than of the images
    it was tried on.
    """
    place, model, form, n = network.place, network.model, network.form, len(x)
    x, told = _filled(x, network.filled_to), None if told is None else _filled(told, network.filled_to)
    x = place.to_device(x).contiguous(memory_format=model.memory_format)
    with place.autocast():
        out = model.outputs(x, None if told is None else place.to_device(told))
        features = {"features": model.patches(x)} if network.gives_features else {}
    if (out.latents.shape[1], out.reconstructions is not None, tuple(out.losses)) != astuple(form):
        raise BadInputError(
            f"The model {type(model).__module__} says other things of some images than of others: a code of "
            f"{out.latents.shape[1]}, losses {', '.join(out.losses) or 'none'}; expected {form.latent_dim} and "
            f"{', '.join(form.losses) or 'none'}. Its outputs must have one form."
        )
    tensors = {name: loss.float() for name, loss in out.losses.items()} | {"latents": out.latents.float()} | features
    if out.reconstructions is not None:
        tensors["reconstructions"] = displayed(out.reconstructions)
    return {name: tensor[:n] for name, tensor in tensors.items()} if len(x) > n else tensors


def _filled(rows: torch.Tensor, n: int) -> torch.Tensor:
    """With the last row as often as it takes to be n; no image feels which others it is with."""
    return rows if len(rows) >= n else torch.cat([rows, rows[-1:].expand(n - len(rows), *rows.shape[1:])])


def displayed(reconstructions: torch.Tensor) -> torch.Tensor:
    """(n, c, H, W) in [0, 1] -> uint8 as `images.pictures`; what is no number is middle gray."""
    pixels = reconstructions.float().nan_to_num(0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return pixels[:, 0] if pixels.shape[1] == 1 else pixels.movedim(1, -1).contiguous()


def _fetched(tensors: dict[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


class _Fetching:
    """Outputs on their way from a device: a GPU copies those of a batch beside its work on the next one."""

    def __init__(self, device: torch.device) -> None:
        self._stream: Any = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def begun(self, tensors: dict[str, torch.Tensor]) -> Callable[[], dict[str, NDArray[Any]]]:
        """What is returned waits for the copies, and for nothing that was begun after them."""
        if self._stream is None:
            return partial(_fetched, tensors)
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))  # until they are computed
        with torch.cuda.stream(self._stream):
            here = {name: torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for name, t in tensors.items()}
            for name, tensor in tensors.items():
                here[name].copy_(tensor, non_blocking=True)
                tensor.record_stream(self._stream)  # its memory is not given away before it is copied
            copied = self._stream.record_event()

        def result() -> dict[str, NDArray[Any]]:
            copied.synchronize()
            return {name: tensor.numpy().copy() for name, tensor in here.items()}  # pinned memory goes back at once

        return result


def _write(plan: Plan, checkpoints: Sequence[Loaded], work: Work, whole: _Part) -> None:
    pictures = np.zeros_like(work.contents)
    pictures[whole.positions] = whole.contents
    for number, i in enumerate(work.targets):
        target = plan.targets[i]
        rows, known = work.rows, checkpoints[i].known
        if known is not None:
            use = known.use_of(work.contents, pictures)
            rows = rows.assign(**{TRAINING_USE: pd.Series(use, rows.index, "str")})
        outputs = whole.outputs[number] if whole.outputs else {}
        shard = _shard_content(rows, whole, outputs, checkpoints[i], keeps_features=bool(target.info.patches))
        store.create(plan.cache, target.info)  # with the first shard: what fails before it leaves nothing behind
        store.write_shard(target.shard(work.subset, work.name), **shard)


def _shard_content(
    rows: pd.DataFrame,
    whole: _Part,
    outputs: dict[str, NDArray[Any]],
    loaded: Loaded,
    *,
    keeps_features: bool,
) -> dict[str, Any]:
    """Keyword arguments of `store.write_shard`; there are no reconstructions of a model that does not decode."""
    names, form, called = loaded.form.losses, loaded.form, loaded.path.name
    empty = {name: np.empty(0, np.float32) for name in names} | {"latents": np.empty((0, form.latent_dim), np.float32)}
    if form.decodes:
        empty["reconstructions"] = np.empty((0, *preparing.shape_of_pictures(loaded.model.input)), np.uint8)
    if keeps_features:
        empty["features"] = np.empty((0, patches.GRID, patches.GRID, patches.DIMENSIONS), np.float16)
    arrays: dict[str, NDArray[Any]] = {name: outputs.get(name, none) for name, none in empty.items()}
    good, reasons = whole.positions, whole.reasons
    finite = np.isfinite(arrays["latents"]).all(1) & np.all([np.isfinite(arrays[name]) for name in names], axis=0)
    if keeps_features:
        finite &= np.isfinite(arrays["features"]).all(axis=(1, 2, 3))
    reasons = reasons | {good[i]: "the model's output is not finite" for i in np.flatnonzero(~finite)}
    if good and not finite.any():
        raise BadInputError(
            f"Checkpoint {called} gives NaN for every image: its training diverged, its weights are of another version "
            "of its model, or its code or the scaling of its input is wrong. Train or export it again."
        )
    samples = rows.iloc[[p for p, keep in zip(good, finite, strict=True) if keep]].reset_index(drop=True)
    samples["is_constant"] = whole.is_constant[finite]
    for name in names:
        samples[name] = arrays[name][finite]
    failed = sorted(reasons)
    failures = rows.iloc[failed].reset_index(drop=True)
    failures["reason"] = pd.Series([reasons[p] for p in failed], dtype="str")
    kept = {name: array for name, array in arrays.items() if name not in names} | {"inputs": whole.inputs}
    if not finite.all():
        kept = {name: array[finite] for name, array in kept.items()}
    return {"samples": samples, "failures": failures, **kept}
