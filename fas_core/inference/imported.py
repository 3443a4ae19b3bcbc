"""(arrays, manifest) -> a Run: what another framework has computed, joined with the data by sample id.

Latents, reconstructions and scores may each be missing. The images that the model was given are those of the folder,
else the manifest's, in the size and channels of the reconstructions. The Run's id hashes every file and image of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import scores, storage
from fas_core.data import images, modalities
from fas_core.data.manifest import Manifest
from fas_core.data.names import BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.evaluation.similarity import WINDOW, similarity
from fas_core.files import file_of, file_sha256, make_folder, require_writable
from fas_core.inference import arrays
from fas_core.inference.arrays import FEATURES, INPUTS, LATENTS, RECONSTRUCTIONS, Named, Numbers, Rows
from fas_core.progress import task
from fas_core.runs import scorecolumns, signatures, store
from fas_core.runs.store import Run, RunInfo
from fas_core.texts import plain_column

TERMS = ("pixel_l1", "pixel_l2", "ssim")  # scores of originals and reconstructions alone
MOST_NUMBERS, MOST_PIXELS = 65_536, 1024  # of a code; of an image's side
SHARD_BYTES = 2**25  # of pixels
_AT_ONCE = 256  # items
_BYTES = 32.0  # floats above this are taken for 0 to 255
_NEAR = 0.01  # by how much pixels may lie outside a range that is taken for theirs


@dataclass(frozen=True)
class Imported:
    """A Run, and what a person should know of how it came about."""

    run: Run
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """Numbers of one kind for some rows of a manifest: `of_row` (n,) is the item of each, -1 where there is none."""

    numbers: Numbers
    of_row: NDArray[np.int64]

    def items(self, rows: Rows) -> NDArray[Any]:
        """(m, ...) of rows that all have one, in the order asked."""
        positions = self.of_row[rows]
        ascending, back = np.unique(positions, return_inverse=True)
        return self.numbers.of(ascending)[back]


@dataclass(frozen=True)
class Pixels:
    """What is black and what is white in some images, and whether their channels come before the rows."""

    low: float
    high: float
    is_channels_first: bool

    def of(self, items: NDArray[Any]) -> NDArray[np.float32]:
        """(m, H, W) or (m, H, W, 3) in [0, 1]; what is no number stays none."""
        values = np.moveaxis(items, 1, -1) if self.is_channels_first else items
        if values.ndim == 4 and values.shape[-1] == 1:
            values = values[..., 0]
        scaled = (values.astype(np.float32) - np.float32(self.low)) / np.float32(self.high - self.low)
        return np.clip(scaled, 0, 1)


# ---------------------------------------------------------------------------------------------------------- the whole


def write_run(
    folder: Path,
    data: Manifest,
    cache: Path,
    name: str,
    *,
    in_order: bool = False,
    higher_is: Sequence[str] = (),
    pixel_range: str = "",
) -> Imported:
    """The Run of a folder of arrays (see `arrays`) on a data set, whole; one that is there is opened.

    `in_order`: arrays that name no samples are of the manifest's rows, in its order. `higher_is`: as of
    `scorecolumns.directions`, for the columns of the folder's scores. `pixel_range`: LOW..HIGH, what is black and white
    in arrays of images; "": by their values. Raises BadInputError, with nothing written, for several modalities, for
    what `arrays.read` refuses, for arrays of other shapes or of NaN alone, and for ids of which none is the manifest's.
    """
    require_writable(cache)
    modalities.the_one(data)
    there = arrays.read(folder, data.rows["sample_id"].tolist())
    notes = [f"{folder}: not read: {', '.join(there.unread[:8])}."] if there.unread else []
    contents = {kind: _joined(named, data, in_order, notes) for kind, named in there.arrays.items()}
    plan = _plan(data, contents, _range_of(pixel_range), notes)
    columns = _columns(there, data, higher_is, notes)
    settings = repr((in_order, pixel_range, sorted(columns.declared.items())))
    info = _info(name, folder, data, there, plan, columns, settings)
    target = store.runs_folder(cache) / info.run
    if storage.is_remote(target):
        raise BadInputError("Arrays are imported into a folder of this machine: leave s3:// out of --cache.")
    if target.is_dir():
        notes.append("This Run is there already: the same arrays, scores and images under this name.")
    else:
        _write(cache, info, plan, columns)
    run = store.opened(target)
    if run.n_failures:
        first = run.failures().iloc[0]
        notes.append(
            f"{run.n_failures:,} of {sum(info.subsets.values()):,} samples have no output and count as non-responses, "
            f"first {first['sample_id']}: {first['reason']}."
        )
    return Imported(run, tuple(notes))


@dataclass(frozen=True)
class Plan:
    """What becomes a Run: which rows of the manifest, and what is wrong with some of them."""

    data: Manifest
    contents: Mapping[str, Content]
    pixels: Mapping[str, Pixels]  # of those contents that are images
    given: tuple[int, int] | None  # side and channels of the manifest's images; None: they are not read
    reasons: NDArray[np.object_]  # (n,) why a row has no output, "" where it has one
    subsets: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """Columns of the folder's scores by rows of the manifest, and those that are scores: column -> class of its higher
    values."""

    values: pd.DataFrame  # (n, columns)
    declared: Mapping[str, str]


def _joined(named: Named, data: Manifest, in_order: bool, notes: list[str]) -> Content:
    """The item of each row of the manifest, by sample id."""
    numbers, ids, wanted = named.numbers, named.ids, pd.Index(data.rows["sample_id"])
    if not len(numbers):
        raise BadInputError(f"{numbers.path} has no rows.")
    if ids is None:
        if not in_order:
            raise BadInputError(
                f"{numbers.path} does not name its samples. Write their ids, one a line in its order, to "
                f"{numbers.path.parent / 'ids.txt'}; or, if its rows are those of {data.source} in the same order: "
                "--in-order"
            )
        if len(numbers) != len(data):
            raise BadInputError(
                f"--in-order: {numbers.path} has {len(numbers):,} rows, {data.source} {len(data):,}. Name the samples "
                "in ids.txt."
            )
        return Content(numbers, np.arange(len(data)))
    of_row = pd.Index(ids).get_indexer(wanted)
    unknown = np.flatnonzero(~pd.Index(ids).isin(wanted))
    if len(unknown) == len(ids):
        raise BadInputError(
            f"{numbers.path}: none of its {len(ids):,} sample ids is one of {data.source} (there '{ids[0]}', here "
            f"'{wanted[0]}'). Give the samples the same sample_id in both."
        )
    if len(unknown):
        notes.append(
            f"{numbers.path}: {len(unknown):,} of its {len(ids):,} samples are not in {data.source} and are left out, "
            f"first '{ids[unknown[0]]}'."
        )
    return Content(numbers, of_row)


def _plan(
    data: Manifest, contents: Mapping[str, Content], stated: tuple[float, float] | None, notes: list[str]
) -> Plan:
    """Checks shapes, values and which rows have all that the folder holds."""
    if LATENTS in contents:
        _require_codes(contents[LATENTS].numbers)
    if FEATURES in contents:
        _require_places(contents[FEATURES].numbers)
    shapes = {kind: _shape(contents[kind].numbers) for kind in (RECONSTRUCTIONS, INPUTS) if kind in contents}
    if len(set(shapes.values())) > 1:
        a, b = (f"{contents[kind].numbers.path} has {_sized(shape)}" for kind, shape in shapes.items())
        raise BadInputError(f"{a}, {b}. Originals and reconstructions are compared pixel by pixel: give both one size.")
    reasons = np.full(len(data), "", object)
    subset = data.rows["subset"].to_numpy(str)
    pixels: dict[str, Pixels] = {}
    has_all = np.logical_and.reduce([content.of_row >= 0 for content in contents.values()])
    if not has_all.any():
        names = " and ".join(str(content.numbers.path) for content in contents.values())
        raise BadInputError(f"{names} have no sample in common. Give what is of one sample the same id.")
    for kind, content in contents.items():
        low, high, is_finite = _measured(content)
        words = store.CONTENTS[kind]
        reasons[content.of_row < 0] = f"no {words} in {content.numbers.path.name}"
        reasons[(content.of_row >= 0) & ~is_finite] = f"its {words} hold NaN or infinity"
        if kind in shapes:
            pixels[kind] = _pixels(content.numbers, low, high, stated, notes)
    subsets = [name for name in data.subset_names() if has_all[subset == name].any()]
    left_out = [name for name in data.subset_names() if name not in subsets]
    if left_out:
        n = int(np.isin(subset, left_out).sum())
        notes.append(f"{n:,} samples of subsets without any output are left out: {', '.join(left_out)}.")
    return Plan(data, contents, pixels, _given(data, contents, shapes, notes), reasons, tuple(subsets))


def _require_codes(numbers: Numbers) -> None:
    shape = numbers.shape
    if len(shape) != 2 or not 1 <= shape[1] <= MOST_NUMBERS:
        raise BadInputError(
            f"{numbers.path} has the shape {shape}. Latents are (n, d): d numbers, at most {MOST_NUMBERS:,}, for each "
            "of n samples; reshape(len(latents), -1) makes rows of maps."
        )


def _require_places(numbers: Numbers) -> None:
    shape = numbers.shape
    if len(shape) != 4 or not 1 <= int(np.prod(shape[1:])) <= MOST_NUMBERS:
        raise BadInputError(
            f"{numbers.path} has the shape {shape}. Features are (n, h, w, c): c numbers for each of h x w places of n "
            f"samples, at most {MOST_NUMBERS:,} of each sample."
        )


def _shape(numbers: Numbers) -> tuple[int, int, int]:
    """Height, width and channels of each image."""
    shape = numbers.shape[1:]
    if len(shape) == 3:
        height, width, channels = shape if shape[0] not in (1, 3) else (*shape[1:], shape[0])
    else:
        height, width, channels = (*shape, 1) if len(shape) == 2 else (0, 0, 0)
    if channels not in (1, 3) or min(height, width) < WINDOW or max(height, width) > MOST_PIXELS:
        raise BadInputError(
            f"{numbers.path} has the shape {numbers.shape}. Images are (n, H, W), (n, H, W, 3) or (n, 3, H, W), of "
            f"{WINDOW} to {MOST_PIXELS} pixels a side."
        )
    return height, width, channels


def _sized(shape: tuple[int, int, int]) -> str:
    return f"{shape[0]} x {shape[1]} pixels in {'colour' if shape[2] == 3 else 'gray'}"


def _measured(content: Content) -> tuple[float, float, NDArray[np.bool_]]:
    """Least and greatest finite value of what the rows have, and (n,) whether all of a row's are finite."""
    rows = np.flatnonzero(content.of_row >= 0)
    is_finite = np.zeros(len(content.of_row), np.bool_)
    low, high = np.inf, -np.inf
    for start in range(0, len(rows), _AT_ONCE):
        here = rows[start : start + _AT_ONCE]
        with np.errstate(over="ignore"):  # a float64 that float32 cannot hold is no finite code
            items = content.items(here).astype(np.float32).reshape(len(here), -1)
        is_finite[here] = np.isfinite(items).all(1)
        if (good := items[is_finite[here]]).size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    if not is_finite.any():
        raise BadInputError(f"{content.numbers.path}: every row holds NaN or infinity. Write what the model gives.")
    return low, high, is_finite


def _range_of(text: str) -> tuple[float, float] | None:
    """What --range says."""
    if not text:
        return None
    low, _, high = text.partition("..")
    try:
        stated = float(low), float(high)
    except ValueError:
        stated = (0.0, 0.0)
    if not (np.isfinite(stated).all() and stated[0] < stated[1]):
        raise BadInputError(f"--range {text}: write what is black and what is white, e.g. 0..1, -1..1 or 0..255.")
    return stated


def _pixels(numbers: Numbers, low: float, high: float, stated: tuple[float, float] | None, notes: list[str]) -> Pixels:
    """What is black and white: as stated, else the usual range that holds all values. It is said."""
    is_channels_first = len(numbers.shape) == 4 and numbers.shape[1] in (1, 3)
    if numbers.are_images or numbers.dtype == np.uint8:
        return Pixels(0.0, 1.0 if numbers.are_images else 255.0, is_channels_first)
    is_float = numbers.dtype.kind == "f"
    usual = [(0.0, 1.0), (-1.0, 1.0)] if is_float and high <= _BYTES else [(0.0, 255.0)]
    fitting = [(a, b) for a, b in usual if a - _NEAR * (b - a) <= low and high <= b + _NEAR * (b - a)]
    if stated is None and not fitting:
        raise BadInputError(
            f"{numbers.path} holds values from {low:.4g} to {high:.4g}, which is no usual range of pixels. Say what is "
            "black and what is white: --range 0..1 (what lies outside is clipped)."
        )
    black, white = stated or fitting[0]
    if stated is None:
        notes.append(
            f"{numbers.path.name}: {black:g} is black and {white:g} white, by its values from {low:.3g} to {high:.3g}. "
            "If not: --range LOW..HIGH"
        )
    elif low < black or high > white:
        notes.append(f"{numbers.path.name}: values from {low:.3g} to {high:.3g} are clipped to {black:g}..{white:g}.")
    return Pixels(black, white, is_channels_first)


def _given(
    data: Manifest, contents: Mapping[str, Content], shapes: Mapping[str, tuple[int, int, int]], notes: list[str]
) -> tuple[int, int] | None:
    """Side and channels that the manifest's images are read in; None where the folder has them, or nobody."""
    if INPUTS in contents:
        return None
    height, width, channels = shapes.get(RECONSTRUCTIONS, (128, 128, 1))
    if height != width:
        notes.append(
            f"No originals are kept: images are read as squares, and reconstructions have {height} x {width} pixels. "
            "Write what the model was given as inputs.npy."
        )
        return None
    if not any(file_of(path).is_file() for path in data.image_paths()):
        notes.append(f"No originals are kept: none of the {len(data):,} images of {data.source} is there.")
        return None
    return height, channels


def _columns(there: arrays.Folder, data: Manifest, higher_is: Sequence[str], notes: list[str]) -> Scores:
    """The folder's scores by rows of the manifest."""
    if there.scores is None:
        if higher_is:
            raise BadInputError(f"--higher-is {higher_is[0]}: the folder has no scores.csv or scores.parquet.")
        return Scores(pd.DataFrame(index=data.rows.index), {})
    path, table = there.scores
    if arrays.SAMPLE_ID not in table:
        raise BadInputError(
            f"{path} has no column '{arrays.SAMPLE_ID}'; it has {', '.join(map(str, table.columns[:8]))}."
        )
    named = Named(arrays.in_memory(path, np.arange(len(table))), tuple(plain_column(table[arrays.SAMPLE_ID])))
    arrays.require_alike(named)
    content = _joined(named, data, False, notes)
    columns = scorecolumns.columns_of(path, table)
    taken = dict.fromkeys(data.rows.columns, f"a column of {data.source}") | dict.fromkeys(
        scores.names(), "a score that is computed"
    )
    scorecolumns.require_names(list(columns.numbers), str(path), taken)
    declared = scorecolumns.directions(higher_is, list(columns.numbers))
    if columns.others:
        notes.append(f"{path.name}: columns that are no numbers are left out: {', '.join(columns.others[:8])}.")
    if undeclared := [name for name in columns.numbers if name not in declared]:
        notes.append(
            f"{path.name}: columns that are no scores, as nobody says which class their higher values speak for: "
            f"{', '.join(undeclared)}. Declare them: --higher-is {undeclared[0]}=attack"
        )
    for name, kind in declared.items():
        if kind == BONA_FIDE:
            notes.append(f"{name}: higher is bona fide, so the score is its negative: higher is more attack-like.")
    has_row = content.of_row >= 0
    values = columns.numbers.iloc[np.maximum(content.of_row, 0)].reset_index(drop=True)
    values.loc[~has_row] = np.nan
    if missing := int((~has_row).sum()):
        first = data.rows["sample_id"].iloc[int(has_row.argmin())]
        notes.append(f"{path.name}: {missing:,} samples of {data.source} are not in it, first '{first}': NaN there.")
    return Scores(values, declared)


# ------------------------------------------------------------------------------------------------------------ writing


def _info(
    name: str,
    folder: Path,
    data: Manifest,
    there: arrays.Folder,
    plan: Plan,
    columns: Scores,
    settings: str,
) -> RunInfo:
    digests = [file_sha256(file) for path in there.files for file in arrays.files_of(path)]
    names = [str(file.relative_to(folder)) for path in there.files for file in arrays.files_of(path)]
    sizes = data.rows["subset"].value_counts()
    has_both = RECONSTRUCTIONS in plan.contents and (plan.given is not None or INPUTS in plan.contents)
    per_image = max([int(np.prod(c.numbers.shape[1:])) for k, c in plan.contents.items() if k != LATENTS], default=0)
    return RunInfo(
        run=store.run_id("arrays", name, data.sha256, settings, *names, *digests),
        name=name,
        kind="images",
        subsets={subset: int(sizes[subset]) for subset in plan.subsets},
        scores=[*(TERMS if has_both else ()), *columns.values.columns],
        declared=dict(columns.declared),
        manifest=data.source.name,
        manifest_path=str(data.source.resolve()),
        modality=modalities.of_all(data.rows),
        manifest_sha256=data.sha256,
        source=str(folder),
        shard_size=min(store.SHARD_SIZE, max(1, SHARD_BYTES // max(1, per_image))),
    )


def _write(cache: Path, info: RunInfo, plan: Plan, columns: Scores) -> None:
    """The whole Run beside its place, then moved there: it is there or not."""
    make_folder(store.runs_folder(cache))
    with tempfile.TemporaryDirectory(prefix=".importing-", dir=store.runs_folder(cache)) as aside:
        folder = store.create(Path(aside), info)
        with task(f"Importing {info.name}", sum(info.subsets.values())) as progress:
            for subset in info.subsets:
                of_subset = np.flatnonzero(plan.data.rows["subset"] == subset)
                for number, shard in enumerate(info.shard_names(subset)):
                    rows = of_subset[number * info.shard_size : (number + 1) * info.shard_size]
                    store.write_shard(folder / subset / shard, **_shard(plan, columns, rows))
                    progress.advance(len(rows))
        signatures.sign(store.opened(folder))
        try:
            folder.rename(store.runs_folder(cache) / info.run)
        except OSError:
            if not (store.runs_folder(cache) / info.run / "run.json").is_file():  # somebody else was faster
                raise


def _shard(plan: Plan, columns: Scores, rows: Rows) -> dict[str, Any]:
    """Keyword arguments of `store.write_shard`."""
    reasons = plan.reasons[rows].copy()
    shown, originals = {}, None
    if plan.given is not None:
        originals = _originals(plan, rows, reasons)
    good = rows[reasons == ""]
    samples = plan.data.rows.iloc[good].reset_index(drop=True)
    content: dict[str, NDArray[Any]] = {}
    if LATENTS in plan.contents:
        content[LATENTS] = plan.contents[LATENTS].items(good).astype(np.float32)
    if FEATURES in plan.contents:
        most = float(np.finfo(np.float16).max)
        content[FEATURES] = np.clip(plan.contents[FEATURES].items(good), -most, most).astype(np.float16)
    for kind, pixels in plan.pixels.items():
        shown[kind] = pixels.of(plan.contents[kind].items(good))
    if originals is not None:
        shown[INPUTS] = originals[reasons == ""]
    if INPUTS in shown:
        spread = shown[INPUTS].std(axis=(1, 2), dtype=np.float64).reshape(len(good), -1)
        samples["is_constant"] = (spread < images.CONSTANT_STD).all(1)
    if len(shown) == 2:
        terms = _terms(shown[INPUTS], shown[RECONSTRUCTIONS])
        samples = samples.assign(**terms)
    samples = samples.assign(**{str(n): columns.values[n].to_numpy()[good] for n in columns.values})
    failures = plan.data.rows.iloc[rows[reasons != ""]].reset_index(drop=True)
    failures["reason"] = pd.Series(reasons[reasons != ""], dtype="str")
    return {
        "samples": samples,
        "failures": failures,
        **content,
        **{kind: images.pixels(values) for kind, values in shown.items()},
    }


def _originals(plan: Plan, rows: Rows, reasons: NDArray[np.object_]) -> NDArray[np.float32]:
    """The manifest's images of some rows, (m, H, W) or (m, H, W, 3) in [0, 1]; `reasons` (m,) says why one is not."""
    assert plan.given is not None
    side, channels = plan.given
    paths = plan.data.image_paths()

    def loaded(row: int) -> NDArray[np.float32] | str:
        try:
            return images.load(paths[row], side, channels)
        except images.UnreadableImageError as error:
            return f"its image: {error}"

    with ThreadPoolExecutor() as pool:
        each = list(pool.map(loaded, rows.tolist()))
    planes = np.zeros((len(rows), channels, side, side), np.float32)
    for i, outcome in enumerate(each):
        if isinstance(outcome, str):
            reasons[i] = reasons[i] or outcome
        else:
            planes[i] = outcome
    return planes[:, 0] if channels == 1 else np.moveaxis(planes, 1, -1)


def _terms(x: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """`TERMS` of images in [0, 1], as `models.losses` has them; in colour over all channels, SSIM of the luma."""
    apart = (x - reconstruction).reshape(len(x), -1)
    return {
        "pixel_l1": np.abs(apart).mean(1, dtype=np.float64).astype(np.float32),
        "pixel_l2": np.sqrt(np.square(apart).mean(1, dtype=np.float64)).astype(np.float32),
        "ssim": similarity(x, reconstruction),
    }
