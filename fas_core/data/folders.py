"""A data set's folder made a manifest: `fas data scan`. What has not changed since is not read again.

Of a scan of a thousand rows and more it is kept (beside the `twins`) what it came to, the SHA-256 of the files that it
wrote, and the states (`states.FIELDS`) of what it was read from: of every folder, as names that come, go or are changed
change their folder, and of every file of which more than its name was read. As long as all of them are as they were,
and by the same rules, scanning again would write the same files: it writes none. Of a folder with links or hidden
folders in it, with files elsewhere, or that was changed less than two seconds before, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from fas_core.data import hashes, layouts, manifest, modalities, trail, twins, unchanged
from fas_core.data.layouts import Asked
from fas_core.data.names import ATTACK
from fas_core.data.scanning import Scanned, n_before
from fas_core.data.videos import is_video
from fas_core.documents import parsed, read_as
from fas_core.errors import BadInputError
from fas_core.files import file_sha256, require_writable, write_table


@dataclass(frozen=True)
class Written:
    """What a scan came to: its manifest has n rows; what is to be said of it; how many were left out, by reason."""

    n: int
    n_attack: int
    what: str  # images or videos
    reading: tuple[str, ...]  # how folders or labels were read
    notes: tuple[str, ...]
    left: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Kept:
    written: Written
    outputs: Mapping[str, str]  # name of a file beside the manifest -> its SHA-256
    watched: tuple[str, ...]  # relative to the folder
    states: str  # SHA-256 of their states


def write_manifest(
    root: Path, out: Path, layout: str = "", asked: Asked | None = None, say: Callable[[str], None] = lambda _: None
) -> Written:
    """Scans a folder and writes its manifest, its trail and the list of what was left out, where they are not there.

    `say` is told how the folder was read before anything is written. Raises BadInputError as `layouts.scanned` does,
    for rows with problems, and where nothing can be written.
    """
    asked, began = asked or Asked(), time.time_ns()
    key = _key(root, out, layout, asked)
    if (known := _unchanged(root, out, key)) is not None:
        for line in known.reading:
            say(line)
        return known
    scan = layouts.scanned(
        root, layout, asked.labels, label=asked.label, protocol=asked.protocol, modality=asked.modality
    )
    for line in scan.reading:
        say(line)
    watched = _watched(root, scan) if _is_inside(scan.rows, root) else None
    for column in {"path", manifest.BOXES} & set(scan.rows):
        scan.rows[column] = _named(scan.rows[column], root, out.parent.resolve(), is_linked=watched is None)
    checked = manifest.checked(scan.rows)
    if checked.problems:
        raise BadInputError(manifest.problems_message(root, checked.problems))
    require_writable(out.parent)
    manifest.write(checked.rows, out)
    outputs = [out, trail.path_of(out)]
    if scan.left:
        write_table(scan.left_table(), trail.left_file(out))
        outputs.append(trail.left_file(out))
    n, notes = len(checked.rows), (*scan.notes, *modalities.lacking(checked.rows))
    what = "videos" if all(is_video(Path(path)) for path in checked.rows["path"]) else "images"
    trail.write(trail.scan_step(root, out, what, n, [file.reason for file in scan.left], notes), out)
    written = Written(
        n,
        int((checked.rows["label"] == ATTACK).sum()),
        what,
        scan.reading,
        tuple(dict.fromkeys((*notes, *checked.notes))),
        dict(Counter(file.reason for file in scan.left).most_common()),
    )
    if watched is not None and n >= hashes.LEAST:
        _keep(root, outputs, key, written, watched, began)
    return written


def _key(root: Path, out: Path, layout: str, asked: Asked) -> str:
    about = [str(root), str(root.resolve()), str(out.parent.resolve() / out.name), layout, repr(asked)]
    return hashlib.sha256(twins.rules() + json.dumps(about).encode()).hexdigest()[:32]


def _is_inside(rows: pd.DataFrame, root: Path) -> bool:
    """Whether all files that rows name lie under the folder."""
    return all(
        (rows[name].fillna("").str.startswith(f"{root}/") | (rows[name].fillna("") == "")).all()
        and not rows[name].str.contains(r"/\.\.(?:/|$)").any()
        for name in {"path", manifest.BOXES} & set(rows)
    )


def _unchanged(root: Path, out: Path, key: str) -> Written | None:
    """What the scan came to before, where it would come to the same again and what it wrote is there."""
    text = twins.text(key)
    if text is None:
        return None
    try:
        kept = read_as(_Kept, parsed(text), "scan")
        is_same = unchanged.told(root, kept.watched, len(kept.watched))[0].hex() == kept.states and all(
            file_sha256(out.with_name(name)) == sha256 for name, sha256 in kept.outputs.items()
        )
    except (OSError, ValueError, BadInputError):
        return None
    return kept.written if is_same else None


def _named(paths: pd.Series, root: Path, folder: Path, *, is_linked: bool) -> Sequence[str] | pd.Series:
    """As `manifest.relative_names`; where no links are below the root, what stands before all names is the same."""
    above = manifest.relative_to(root, folder)
    if is_linked or set(above.split("/")) == {".."}:  # the root is above the folder, which some paths lie in
        return manifest.relative_names(paths, folder)
    begin = "" if above == "." else f"{above}/"
    named = begin + paths.str.slice(n_before(root))
    return named if (paths != "").all() else named.where(paths != "", "")


def _keep(root: Path, outputs: Iterable[Path], key: str, written: Written, watched: Sequence[str], began: int) -> None:
    told, latest = unchanged.told(root, watched, len(watched))
    if latest < began - int(hashes.SETTLED * 1e9):
        digests = {path.name: file_sha256(path) for path in outputs}
        kept = _Kept(written, digests, tuple(watched), told.hex())
        twins.keep_text(key, json.dumps(asdict(kept), ensure_ascii=False))


def _watched(root: Path, scan: Scanned) -> list[str] | None:
    """Names, relative to the folder, of all that a scan may have looked into; None where there are links or hidden
    folders, in which there may be anything, or where it cannot be read."""
    if scan.looked_into is not None:
        return [path[n_before(root) :] or "." for path in scan.looked_into]
    watched, top = [], [""]
    while top:
        folder = top.pop()
        watched.append(folder or ".")
        try:
            entries = [*os.scandir(f"{root}/{folder}")]
        except OSError:
            return None
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.is_symlink() or (is_folder and entry.name.startswith(".")):
                return None
            (top if is_folder else watched).append(f"{folder}/{entry.name}" if folder else entry.name)
    return watched
