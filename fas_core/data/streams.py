"""HDF5 recordings -> frames of each of their streams, for `videos`: colour, depth, infrared, ... of one presentation.

What a file holds is told by its own keys and shapes, as the sets' readers take them:

    Color_Data (n, 3, h, w) uint8, Depth_Data (n, 1, h, w) uint16, Eye_Pos (n, 4)       3DMAD, 30 frames a second
    BASLER_BGR (n, 3, h, w), BASLER_LEFT_NIR_850nm (n, 1, h, w), INTEL_DEPTH, ...       HQ-WMCA, WMCA
    Frame_0/array, Frame_7/array (3, h, w), (h, w), or (4, h, w): gray, depth, infrared, thermal    bob's containers

Every data set of numbers that is n images is a stream, of the modality that its key says: color, rgb, depth, infrared,
nir, thermal with or without _data after it, else the key itself in small letters; where two streams of a file would be
of one modality, too. Frames are numbered as they lie there, so that those of one number show one instant.

Bytes stay what they are; other numbers are mapped to bytes by a range that is the same for every frame of every file:
depth 0..2047 (11 bits, of a Kinect, or two metres in millimetres), other integers all that their type holds, and
fractions by what is stated alone (`Streams.ranges`). Colour is kept as JPEG of quality 95, as frames of videos, and
anything else as PNG, since a level of gray is a measure there. `Eye_Pos` is (x, y) of the right eye and of the left one
in the colour image; other streams of its size get the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fas_core.data import images
from fas_core.data.boxes import in_order
from fas_core.data.modalities import spelled
from fas_core.errors import BadInputError
from fas_core.files import make_folder

if TYPE_CHECKING:
    import h5py

SUFFIXES = frozenset({".h5", ".hdf5"})
RULES = "1: depth 0..2047, integers by their type; colour JPEG 95, else PNG"  # hashed into what a folder was made from
EYES = "Eye_Pos"
QUALITY = 95
SMALLEST = 8  # pixels: what is narrower is a table, no images
MOST_AT_ONCE = 1 << 30  # bytes of a chunk, which is unpacked as a whole
CLIPPED = 0.01  # of the pixels above a range, that is told of
_RANGES = {"depth": (0.0, 2047.0)}
_RATES = {"Color_Data": 30.0, "Depth_Data": 30.0}  # frames a second, of keys whose set says it
_OF_FOUR = ("gray", "depth", "nir", "thermal")  # WMCA's CDIT
_FRAME = re.compile(r"Frame_(\d+)")


@dataclass(frozen=True)
class Streams:
    """What is taken of HDF5 files: the streams of one modality ("": all), and ranges that are stated for some."""

    modality: str = ""
    ranges: tuple[tuple[str, float, float], ...] = ()  # modality, what is black, what is white

    @staticmethod
    def of(modality: str, ranges: Sequence[str]) -> Streams:
        """By `--modality depth` and `--range depth=300..1200`. Raises BadInputError for what is no range."""
        number = r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
        parsed = []
        for text in ranges:
            matched = re.fullmatch(rf"\s*([^=]+?)\s*=\s*({number})\s*\.\.\s*({number})\s*", text, re.IGNORECASE)
            if not matched or not float(matched[2]) < float(matched[3]):
                raise BadInputError(f"--range {text}: write MODALITY=BLACK..WHITE, e.g. --range depth=300..1200.")
            parsed.append((spelled(matched[1]), float(matched[2]), float(matched[3])))
        return Streams(spelled(modality), tuple(sorted(parsed)))

    def range_of(self, modality: str) -> tuple[float, float] | None:
        """What is stated, else what is known of a modality; None where nothing is."""
        stated = {name: (low, high) for name, low, high in self.ranges}
        return stated.get(modality) or _RANGES.get(modality)


@dataclass(frozen=True)
class Stream:
    """Frames that were taken of one stream: numbers, and times (seconds) and eyes of each where these are known.

    They lie in `folder` of the recording's folder, as `ending`.
    """

    modality: str
    folder: str
    ending: str
    numbers: tuple[int, ...]
    times: tuple[float, ...] = ()
    eyes: tuple[tuple[float, ...], ...] = ()  # x, y, x, y; empty for a frame without


class Unusable(Exception):
    """Why a file gives no frames."""


def require_h5py() -> None:
    """Raises BadInputError where h5py is not installed."""
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise BadInputError("Reading HDF5 needs h5py: pip install 'fas-explorer[h5]'.") from error


def write_streams(
    path: Path, folder: Path, modality: str, what: Streams, every: float | None, n: int | None
) -> tuple[tuple[Stream, ...], str, tuple[str, ...]]:
    """Writes the wanted frames into folders of `folder`; the streams, why frames are missing ("": none), and remarks.

    `modality`: what is known of the file, for streams whose key says nothing. `every`, `n`: as `videos.Sampling`.
    """
    import h5py

    written: list[Stream] = []
    problems, notes = [], set[str]()
    try:
        with h5py.File(path, "r") as file:
            sources = _wanted(_sources(file, modality), what.modality)
            eyes = _eyes(file)
            for source in sources:
                stream, problem = _write(source, folder, what, every, n, eyes, notes)
                written += [stream] if stream.numbers else []
                problems += [problem] if problem else []
    except Unusable as error:
        problems.append(str(error))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        problems.append(f"not a readable HDF5 file: {_first_line(error)}")
    return tuple(written), "; ".join(problems), tuple(sorted(notes))


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "it is cut off" if "truncated" in text else text


# ------------------------------------------------------------------------------------------------ what a file holds


class _Source(NamedTuple):
    """A stream in an opened file: its frames' numbers, and the data sets that they lie in."""

    modality: str
    numbers: list[int]
    frames: list[tuple[h5py.Dataset, int | None]]  # a data set and the place in it, None: all of it
    channel: int | None  # the one of several that is this stream
    is_first: bool  # whether channels come before height and width
    is_bgr: bool
    rate: float


def _sources(file: h5py.File, modality: str) -> list[_Source]:
    import h5py

    held: dict[str, h5py.Dataset] = {}
    file.visititems(lambda name, item: held.update({name: item} if isinstance(item, h5py.Dataset) else {}))
    for name, dataset in held.items():
        if dataset.external or dataset.is_virtual:
            raise Unusable(f"the numbers of '{name}' lie in another file, which is not followed")
    frames = {int(m[1]): held[name] for name in held if (m := _FRAME.fullmatch(name.partition("/")[0])) and "/" in name}
    if frames:
        return _of_container(dict(sorted(frames.items())), modality)
    streams = {name: dataset for name, dataset in held.items() if _are_images(dataset.shape[1:], dataset.dtype)}
    if not streams:
        listed = ", ".join(sorted(held)[:6]) or "nothing"
        raise Unusable(f"no images: it holds {listed}")
    known = {name: _modality_of(name, dataset, modality) for name, dataset in streams.items()}
    counts = list(known.values())
    sources = []
    for name, dataset in streams.items():
        kind = known[name] if counts.count(known[name]) == 1 else name.casefold().replace("/", "_")
        is_first = _is_channels_first(dataset.shape[1:])
        places: list[tuple[h5py.Dataset, int | None]] = [(dataset, i) for i in range(dataset.shape[0])]
        rate = _RATES.get(name.rpartition("/")[2], 0.0)
        is_bgr = "bgr" in name.casefold()
        sources.append(_Source(kind, list(range(len(places))), places, None, is_first, is_bgr, rate))
    return sources


def _of_container(frames: dict[int, h5py.Dataset], modality: str) -> list[_Source]:
    """Of bob's containers, a group per frame."""
    shapes = {dataset.shape for dataset in frames.values()}
    first = next(iter(frames.values()))
    if len(shapes) > 1 or not (_are_images(first.shape, first.dtype) or _are_four(first.shape)):
        raise Unusable(f"no images: its frames are {' and '.join(map(str, sorted(shapes)[:2]))}")
    places: list[tuple[h5py.Dataset, int | None]] = [(dataset, None) for dataset in frames.values()]
    numbers = list(frames)
    if _are_four(first.shape):
        return [_Source(kind, numbers, places, i, True, False, 0.0) for i, kind in enumerate(_OF_FOUR)]
    is_colour = len(first.shape) == 3 and 3 in (first.shape[0], first.shape[2])
    kind = modality if modality not in ("", "multi") else "rgb" if is_colour else "gray"
    return [_Source(kind, numbers, places, None, _is_channels_first(first.shape), False, 0.0)]


def _are_images(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether items of this shape are images of one channel or three."""
    if dtype.kind not in "uif":
        return False
    sides = shape if len(shape) == 2 else shape[1:] if _is_channels_first(shape) else shape[:2]
    has_channels = len(shape) == 2 or (len(shape) == 3 and (_is_channels_first(shape) or shape[2] in (1, 3)))
    return has_channels and min(sides, default=0) >= SMALLEST


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3)


def _are_four(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] == len(_OF_FOUR) and min(shape[1:]) >= SMALLEST


def _modality_of(name: str, dataset: h5py.Dataset, modality: str) -> str:
    key = name.rpartition("/")[2].casefold()
    if key in ("data", "array", "frames", "images", "video"):  # which say nothing
        shape = dataset.shape[1:]
        is_colour = len(shape) == 3 and 3 in (shape[0], shape[2])
        return modality if modality not in ("", "multi") else "rgb" if is_colour else "gray"
    return spelled(re.sub(r"[_-]?(data|stream|frames)$", "", key) or key)


def _wanted(sources: list[_Source], modality: str) -> list[_Source]:
    wanted = [source for source in sources if modality in ("", source.modality)]
    if not wanted:
        there = ", ".join(sorted(source.modality for source in sources))
        raise Unusable(f"no stream of modality {modality}: it holds {there}")
    return wanted


def _eyes(file: h5py.File) -> NDArray[np.float64]:
    """(n, 4) x, y of the person's right eye and of the left one, NaN where there is none; n is 0 without any."""
    if EYES not in file or file[EYES].ndim != 2 or file[EYES].shape[1] != len("xyxy"):
        return np.empty((0, 4))
    eyes = np.asarray(file[EYES], np.float64)
    return in_order(np.where(eyes.any(axis=1, keepdims=True), eyes, np.nan))


# ------------------------------------------------------------------------------------------------ frames of a stream


def _write(
    source: _Source,
    folder: Path,
    what: Streams,
    every: float | None,
    n: int | None,
    eyes: NDArray[np.float64],
    notes: set[str],
) -> tuple[Stream, str]:
    """The wanted frames of one stream up to the first fault, and what was wrong."""
    name = re.sub(r"[^a-z0-9_.-]+", "_", source.modality).strip(".") or "stream"
    if problem := _unusable(source, what, every):
        return Stream(source.modality, name, "", ()), problem
    make_folder(folder / name)
    numbers: list[int] = []
    ending, problem, n_clipped, size = "png", "", 0, (0, 0)
    low_high = _range(source, what)
    for at in _chosen(len(source.numbers), source.rate, every, n):
        try:
            pixels = _pixels(source, at)
        except (OSError, RuntimeError) as error:
            problem = f"damaged: {source.modality} after {at} frames ({_first_line(error)}); kept up to there"
            break
        levels, is_clipped = _levels(pixels, low_high)
        n_clipped += is_clipped
        ending, size = "jpg" if levels.ndim == 3 else "png", levels.shape[:2]
        Image.fromarray(levels).save(folder / name / f"{source.numbers[at]:06d}.{ending}", quality=QUALITY)
        numbers.append(source.numbers[at])
    if low_high != (0, 255):
        notes.add(f"{source.modality}: {low_high[0]:g}..{low_high[1]:g} became 0..255, in every frame alike")
    if n_clipped:
        notes.add(f"{source.modality}: in some frames more than {CLIPPED:.0%} of the pixels lie above {low_high[1]:g}")
    if source.is_bgr:
        notes.add(f"{source.modality}: stored as blue, green, red; turned into colours")
    times = tuple(number / source.rate for number in numbers) if source.rate else ()
    here = [eyes[number] if number < len(eyes) else np.full(4, np.nan) for number in numbers]
    places = tuple(() if np.isnan(of).any() else tuple(of.tolist()) for of in here)
    if not len(eyes) or not _is_of_eyes(source, size):
        places = ()
    elif source.modality != "rgb":
        notes.add(f"{source.modality}: its eyes are those of the colour frame of the same number")
    return Stream(source.modality, name, ending, tuple(numbers), times, places), problem


def _is_of_eyes(source: _Source, size: tuple[int, ...]) -> bool:
    """Whether a stream is as large as the colour one of its file, whose eyes it gets."""
    parent = source.frames[0][0].parent
    colour = parent.get("Color_Data")
    return colour is None or size in (colour.shape[-2:], colour.shape[1:3])


def _unusable(source: _Source, what: Streams, every: float | None) -> str:
    """Why no frame of a stream can be taken; "" where some can."""
    if not source.frames:
        return f"no frames: {source.modality} is empty"
    dataset, at = source.frames[0]
    shape = dataset.shape[1:] if at is not None else dataset.shape
    if math.prod(shape) > 3 * images.MAX_PIXELS:
        return f"too large: {source.modality} declares {' x '.join(map(str, shape))} numbers a frame"
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > MOST_AT_ONCE:
        return f"too large: {source.modality} is packed in parts of more than a gigabyte"
    if dataset.dtype.kind == "f" and not what.range_of(source.modality):
        return (
            f"{source.modality} holds fractions, and nothing says what is black and white: "
            f"--range {source.modality}=0..1"
        )
    if every is not None and not source.rate:
        return f"no times: nothing says when frames of {source.modality} were taken; take them by --n"
    return ""


def _range(source: _Source, what: Streams) -> tuple[float, float]:
    dtype = source.frames[0][0].dtype
    if dtype == np.uint8:
        return 0, 255
    if known := what.range_of(source.modality):
        return known
    return 0, float(np.iinfo(dtype).max)


def _chosen(total: int, rate: float, every: float | None, n: int | None) -> Iterator[int]:
    """Places of frames: the middles of n equal parts, or the first one at or after every multiple of `every`."""
    if n is not None:
        yield from sorted({math.floor((part + 0.5) * total / n) for part in range(n)})
        return
    due = 0.0
    for at in range(total):
        seconds = at / rate
        if every is not None and seconds >= due - 1e-6:
            due = (math.floor(seconds / every + 1e-6) + 1) * every
            yield at


def _pixels(source: _Source, at: int) -> NDArray[Any]:
    """(h, w) or (h, w, 3)"""
    dataset, place = source.frames[at]
    pixels = np.asarray(dataset[()] if place is None else dataset[place])
    if source.channel is not None:
        return pixels[source.channel]
    if pixels.ndim == 3 and source.is_first:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return pixels[..., ::-1] if pixels.ndim == 3 and source.is_bgr else pixels


def _levels(pixels: NDArray[Any], low_high: tuple[float, float]) -> tuple[NDArray[np.uint8], bool]:
    """As bytes, and whether more than `CLIPPED` of them lie above the range."""
    low, high = low_high
    if pixels.dtype == np.uint8 and (low, high) == (0, 255):
        return np.ascontiguousarray(pixels), False
    share = (np.nan_to_num(pixels.astype(np.float64)) - low) / (high - low)
    return np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8), bool((share > 1).mean() > CLIPPED)
