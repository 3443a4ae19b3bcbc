"""Images in a few large files, where many small ones are the bottleneck: `fas data pack`.

    <16 digits>.pack      the files' bytes one after another, then their lengths (8 bytes each), the 32 bytes of SHA-256
                          of their SHA-256, whose digits name the pack, their number (8 bytes), `FASPACK1`

The manifest's `path` of a packed image is a place in such a file, `<16 digits>.pack/<first byte>+<length>.jpg`, which
everything that reads a manifest's images reads (`files.opened_file`). The bytes of an image are those of its file: its
hash, and the data's, stay what they were. A pack is there as a whole or not at all, and never another under its name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data import hashes, videos
from fas_core.data.manifest import Manifest, relocated
from fas_core.errors import BadInputError
from fas_core.files import PACK, atomic_file, opened_file, require_writable
from fas_core.progress import task

IMAGES = 10_000  # of a pack
_MAGIC = b"FASPACK1"


class Packed(NamedTuple):
    """What packing has come to."""

    rows: pd.DataFrame  # as a manifest in the folder of the packs has them
    n_packs: int
    n_written: int  # the others were there


def pack(source: Manifest, out: Path, per_pack: int = IMAGES) -> Packed:
    """Writes the packs of a manifest's images into a folder.

    A pack that is there, made of the same contents, stays. Images of one content are packed once per pack. Raises
    BadInputError for a video, or an image that cannot be read or has changed since it was hashed.
    """
    if per_pack < 1:
        raise BadInputError(f"--per-pack {per_pack}: give the number of images in a pack, from 1 upwards.")
    videos.require_frames(source)
    require_writable(out)
    contents = hashes.contents(source.rows["path"], source.root)
    if contents.is_missing.any():
        name = source.rows["path"].iloc[int(contents.is_missing.argmax())]
        raise BadInputError(f"{source.source}: {name} cannot be read. See all such rows: fas data check.")
    rows = relocated(source, out / "manifest.csv")
    names: list[str] = []
    n_written = 0
    with task("Packing images", len(rows)) as shown:
        for start in range(0, len(rows), per_pack):
            part = slice(start, start + per_pack)
            paths = source.rows["path"].iloc[part].tolist()
            place, starts, lengths, is_new = _packed(out, [source.root / name for name in paths], contents.sha256[part])
            endings = [Path(name).suffix for name in paths]
            spans = zip(starts.tolist(), lengths.tolist(), endings, strict=True)
            names += [f"{place.name}/{first}+{length}{ending}" for first, length, ending in spans]
            n_written += is_new
            shown.advance(len(paths))
    return Packed(rows.assign(path=pd.Series(names, rows.index, dtype="str")), -(-len(rows) // per_pack), n_written)


def _packed(
    out: Path, paths: list[Path], sha256: NDArray[np.uint8]
) -> tuple[Path, NDArray[np.int64], NDArray[np.int64], bool]:
    """A pack, which is written unless it is there; first byte and length of each file in it; whether it was written."""
    codes, different = pd.factorize(np.array([content.tobytes() for content in sha256], object))
    made_of = hashlib.sha256(b"".join(different)).digest()
    place = out / f"{made_of.hex()[:16]}{PACK}"
    lengths = _lengths(place, made_of, len(different))
    is_new = lengths is None
    if lengths is None:
        _, first = np.unique(codes, return_index=True)
        written = []
        with atomic_file(place) as temporary, temporary.open("wb") as file:
            for row in first:
                try:
                    with opened_file(paths[row]) as image:
                        data = image.read()
                except OSError as error:
                    raise BadInputError(f"{paths[row]} cannot be read: {error.strerror}.") from error
                if hashlib.sha256(data).digest() != sha256[row].tobytes():
                    raise BadInputError(f"{paths[row]} has changed while it was packed. Run the command again.")
                written.append(file.write(data))
            lengths = np.array(written, "<i8")
            file.write(lengths.tobytes() + made_of + len(lengths).to_bytes(8, "little") + _MAGIC)
    starts = np.cumsum(lengths) - lengths
    return place, starts[codes], lengths[codes], is_new


def _lengths(place: Path, made_of: bytes, n: int) -> NDArray[np.int64] | None:
    """Of the files in a pack; None where there is none, or it is of other contents."""
    tail = 8 * n + len(made_of) + 8 + len(_MAGIC)
    try:
        with opened_file(place) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - tail))
            end = file.read()
    except OSError:
        return None
    lengths = np.frombuffer(end[: 8 * n], "<i8") if len(end) == tail else np.zeros(0, "<i8")
    is_whole = end[8 * n :] == made_of + n.to_bytes(8, "little") + _MAGIC and int(lengths.sum()) == size - tail
    return lengths if is_whole else None
