"""`fas data ...`: manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core.cli.options import (
    AttackLabelOption,
    BonaFideLabelOption,
    JsonOption,
    ModalityOption,
    OutOption,
    RehashOption,
    SpeciesLabelOption,
)
from fas_core.cli.printing import print_json, print_table, rate, say, say_notes
from fas_core.errors import BadInputError
from fas_core.texts import counted

if TYPE_CHECKING:
    import pandas as pd

    from fas_core.data.check import Checked
    from fas_core.data.manifest import Manifest, Problem

LISTED = 5  # of what is alike

# -------------------------------------------------------------------------------------------------------------- data


def data_layouts(as_json: JsonOption = False) -> None:
    """The data-set layouts that `fas data scan` reads, and what each needs. Example: `fas data layouts`"""
    from fas_core.data import layouts

    if as_json:
        return print_json([layouts.document(name) for name in layouts.names()])
    for name in layouts.names():
        dataset = layouts.described(name)
        protocols = f"\n\n--protocol {', '.join(dataset.protocols)}" if dataset and dataset.protocols else ""
        print(f"{name}\n  " + (layouts.description(name) + protocols).replace("\n", "\n  ") + "\n")


def data_scan(
    root: Annotated[Path, typer.Argument(help="Root folder of the data set.")],
    out: OutOption,
    layout: Annotated[str, typer.Option(help="Name of the layout; without it, the one that fits is used.")] = "",
    label: Annotated[str, typer.Option(help="What all images of a folder are: bona_fide or attack.")] = "",
    protocol: Annotated[str, typer.Option(help="Whose subsets, of a released set: fas data layouts.")] = "",
    modality: Annotated[str, typer.Option(help="The one to keep, of several: rgb, depth, nir.")] = "",
    attack_label: AttackLabelOption = None,
    bona_fide_label: BonaFideLabelOption = None,
    species_label: SpeciesLabelOption = None,
) -> None:
    """Folder -> manifest. Example: `fas data scan faces/ --layout folder --out faces.csv`

    How every kind of folder was read, or every label, is printed first; files that fit nothing are listed beside M.
    """
    from fas_core.data import folders, manifest, trail
    from fas_core.data.layouts import Asked

    labels = manifest.LabelValues.of(attack_label, bona_fide_label, species_label)
    scan = folders.write_manifest(root, out, layout, Asked(labels, label, protocol, modality), say)
    say_notes(scan.notes)
    for reason, n in scan.left.items():
        say(f"left out: {n}, {reason}")
    if scan.left:
        say(f"{trail.left_file(out)}: {counted(sum(scan.left.values()), 'files')} left out, and why")
    say(f"{out}: {scan.n} {scan.what}, {scan.n - scan.n_attack} bona fide, {scan.n_attack} attacks")


def data_check(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: Annotated[Path | None, typer.Option("--out", help="Manifest to write: M without rows of bad files.")] = None,
    rehash: RehashOption = False,
    as_json: JsonOption = False,
) -> None:
    """Validates a manifest and every image; status 2 when there is a problem. Example: `fas data check faces.csv`

    With --out, rows whose file is missing, empty or no image are left out, listed with their reasons beside the new
    manifest, and no problem any more.
    """
    from fas_core.data import check as datacheck
    from fas_core.data import hashes

    if out is not None:
        _require_another(manifest_path, out)
    if rehash:
        hashes.drop(manifest_path.parent)
    checked = datacheck.checked(manifest_path)
    say_notes(checked.notes)
    if as_json:
        print_json(checked.as_json())
    else:
        rows = [[k, *(str(v[c]) for c in ("bona_fide", "attack", "subjects"))] for k, v in checked.subsets.items()]
        print_table(str(manifest_path), ["subset", "bona fide", "attacks", "subjects"], rows)
        _print_problems(checked.problems, manifest_path)
        if n := len(checked.duplicates):
            n_rows = len(checked.duplicates.rows)
            print(
                f"same image content: {n_rows:,} rows of {counted(n, 'pictures')}, {n_rows - n:,} more than needed. "
                f"Take them out: fas data dedupe {manifest_path} --out M; "
                f"the first: {', '.join(checked.duplicates[0][:LISTED])}"
            )
        for pair, subjects in checked.shared_subjects.items():
            print(f"subjects in both {pair}: {len(subjects)}")
    if out is not None:
        return _write_without_bad_files(manifest_path, checked, out)
    if checked.problems:
        where = "the document lists them" if as_json else f"all of them: fas data check {manifest_path} --json"
        remedy = ""
        if checked.bad_files:
            bad = counted(len(checked.bad_files), "rows")
            remedy = f" Without {bad} of bad files: fas data check {manifest_path} --out OUT.csv"
        raise BadInputError(f"{manifest_path}: {counted(len(checked.problems), 'problems')}; {where}.{remedy}")
    say(f"{manifest_path}: {counted(checked.n_images, 'rows')}, {counted(checked.n_files, 'files')}, all can be read")


def _write_without_bad_files(manifest_path: Path, checked: Checked, out: Path) -> None:
    """Raises BadInputError, before anything is written, where a problem is the manifest's own; after it, where what
    is written has problems still."""
    from fas_core.data import check as datacheck
    from fas_core.data import manifest, trail

    source = manifest.read(manifest_path)
    rows, left = datacheck.split(source, checked.bad_files)
    _write_what_stays("check", source, rows, left, out)
    say(f"{trail.left_file(out)}: {counted(len(left), 'rows')} left out, and why")
    n = sum(problem.row - 1 not in checked.bad_files for problem in checked.problems)
    if n:
        raise BadInputError(f"{out}: {counted(n, 'problems')} of images that can be read: fas data check {out}")
    say(f"{out}: {counted(len(rows), 'rows')}, all can be read")


def _require_another(manifest_path: Path, out: Path) -> None:
    """Raises BadInputError where what stays of a manifest would take its place, or cannot be written."""
    from fas_core.files import require_writable

    if out.resolve() == manifest_path.resolve():
        raise BadInputError(f"--out {out} is the manifest itself, which stays as it is: give another name.")
    require_writable(out.parent)


def _write_what_stays(step: str, source: Manifest, rows: pd.DataFrame, left: pd.DataFrame, out: Path) -> pd.DataFrame:
    """Rows of a manifest as another one, which are returned, with the list of what left and the trail beside it."""
    from fas_core.data import manifest, trail
    from fas_core.files import write_table

    stays = manifest.relocated(manifest.Manifest(rows, source.source), out)
    manifest.write(stays, out)
    write_table(left, trail.left_file(out))
    trail.write(trail.kept_step(step, [source], stays, left), out, [source.source])
    return stays


def _print_problems(problems: Sequence[Problem], source: Path) -> None:
    """The first ones of each kind, and how many more there are."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(re.sub(r"'[^']*'|\S*\d\S*", "", problem.problem), []).append(problem)
    for alike in kinds.values():
        for problem in alike[:LISTED]:
            print(f"row {problem.row}, {problem.path}: {problem.problem}")
        if (n := len(alike) - LISTED) > 0:
            print(f"... {n:,} more like these: fas data check {source} --json")


def data_merge(
    manifests: Annotated[list[str], typer.Argument(metavar="M...", help="Manifests, or NAME=FILE.")],
    out: OutOption,
) -> None:
    """Manifests as one, each row with its source. Example: `fas data merge oulu.csv msu=b/m.csv --out both.csv`

    Ids of subjects, sessions and videos get their source's name before them. Manifests of one set, such as one per
    modality, are given one name (surf=rgb.csv surf=depth.csv), so that companions stay linked.
    """
    from fas_core.data import manifest, merging, subsets, trail
    from fas_core.data.names import BONA_FIDE

    parts = {name: [manifest.read(path) for path in paths] for name, paths in merging.named(manifests).items()}
    sources = {name: merging.of_one_set(of_one) for name, of_one in parts.items()}
    for name, source in sources.items():
        say_notes(f"{name}: {note}" for note in source.notes)
    merged = merging.merged(sources, out)
    manifest.write(merged.rows, out)
    read = [part for of_one in parts.values() for part in of_one]
    trail.write(trail.kept_step("merge", read, merged.rows), out, [part.source for part in read])
    by_source = merged.rows.assign(subset=merged.rows[merging.SOURCE])
    counts = subsets.counts(by_source, list(dict.fromkeys(by_source["subset"])))
    rows = [[name, *(str(n) for n in count.values())] for name, count in counts.items()]
    print_table(str(out), ["source", "bona fide", "attacks", "subjects"], rows)
    say_notes(merged.notes)
    say(f"{out}: {len(merged.rows)} rows, {int((merged.rows['label'] == BONA_FIDE).sum())} bona fide")


def data_subsets(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: OutOption,
    modality: ModalityOption = "",
    seed: Annotated[int, typer.Option(help="Which subjects and sessions go where.")] = 0,
    protocol: Annotated[
        str, typer.Option(help="thesis, leave-one-species-out or leave-one-source-out: a file per one left out.")
    ] = "thesis",
) -> None:
    """The thesis' six subsets (section 3.1.1). Example: `fas data subsets faces.csv --out subsets.csv`

    Leaving one out, OUT.csv becomes OUT-<species>.csv for each.
    """
    from fas_core.data import folds, manifest, modalities, subsets

    everything = manifest.read(manifest_path)
    everything = manifest.Manifest(manifest.relocated(everything, out), everything.source, everything.notes)
    source = modalities.of_one(everything, modality)
    say_notes(source.notes)
    if protocol in (folds.SPECIES_OUT, folds.SOURCE_OUT):
        for fold in folds.folds(source, protocol, seed):
            name = subsets.subset_of("", fold.left_out).removeprefix("_")
            _write_subsets(everything, source, fold.rows, out.with_stem(f"{out.stem}-{name}"), fold.notes)
    elif protocol == "thesis":
        of_thesis = subsets.protocol(source, seed)
        _write_subsets(everything, source, of_thesis.rows, out, of_thesis.notes)
    else:
        raise BadInputError(f"--protocol {protocol}: choose thesis, {folds.SPECIES_OUT} or {folds.SOURCE_OUT}.")


def _write_subsets(everything: Manifest, source: Manifest, rows: pd.DataFrame, out: Path, notes: Iterable[str]) -> None:
    """A manifest, the table of its subsets, and what is to be said of it. `source`: the rows of one modality."""
    from fas_core.data import manifest, subsets, trail
    from fas_core.data.names import in_protocol_order

    manifest.write(rows, out)
    ids = everything.rows[["sample_id"]]
    others = ids[~ids["sample_id"].isin(source.rows["sample_id"])].assign(reason="of another modality")
    trail.write(trail.kept_step("subsets", [everything], rows, others), out, [source.source])
    counts = subsets.counts(rows, in_protocol_order(rows["subset"].unique()))
    table = [[name, *(str(n) for n in count.values())] for name, count in counts.items()]
    print_table(str(out), ["subset", "bona fide", "attacks", "subjects"], table)
    say_notes(notes)


def data_filter(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: OutOption,
    max_angle: Annotated[float, typer.Option(help="Degrees that a head may be turned, about each axis.")] = 10.0,
    iqr: Annotated[float, typer.Option(help="Interquartile ranges beyond a session's quartiles that stay.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Head-pose and session-outlier filters on `train`. Example: `fas data filter subsets.csv --out filtered.csv`"""
    from fas_core.data import filters, manifest, subsets, trail
    from fas_core.data.names import in_protocol_order

    source = manifest.read(manifest_path)
    say_notes(source.notes)
    _require_another(manifest_path, out)
    filtered = filters.filtered(source, max_angle, iqr)
    stays = _write_what_stays("filter", source, filtered.rows, filtered.left, out)
    say(f"{trail.left_file(out)}: {counted(len(filtered.left), 'images')} that left, and why")
    say_notes(filtered.notes)
    document = filtered.as_json()
    if as_json:
        return print_json(document)
    before = document["train_before"]
    rows = [[kind.replace("_", " "), str(n), rate(n / before)] for kind, n in document["left"].items()]
    rows.append(["stays", str(document["train_after"]), rate(document["train_after"] / before)])
    print_table("Training images that left", ["reason", "images", "share"], rows)
    counts = subsets.counts(stays, in_protocol_order(stays["subset"].unique()))
    rows = [[name, *(str(n) for n in count.values())] for name, count in counts.items()]
    print_table(str(out), ["subset", "bona fide", "attacks", "subjects"], rows)


def data_frames(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the frames and manifest.csv.")],
    every: Annotated[str | None, typer.Option(help="A frame per 1s, 500ms, ... by the frames' own times.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="So many frames of each video, spread evenly.")] = None,
    boxes: Annotated[
        str, typer.Option(help="What a set's boxes are in, of turned videos: shown or stored; else found out.")
    ] = "",
    modality: Annotated[str, typer.Option(help="Of HDF5 files: only this stream, e.g. depth.")] = "",
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", help="Of HDF5 files: what is black and white, e.g. depth=300..1200; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Videos -> frames, with video_id, frame, time. Example: `fas data frames videos.csv --out frames/ --every 1s`

    Every column is carried over; goes on where it was. What is damaged is kept up to there, and listed. HDF5 files
    (3DMAD, WMCA) give frames of each stream, with modality and presentation_id.
    """
    from fas_core.data import manifest, streams, trail, videos

    source = manifest.read(manifest_path)
    say_notes(source.notes)
    of_hdf5 = streams.Streams.of(modality, ranges or [])
    frames = videos.write_frames(source, out, videos.Sampling.of(every, n), boxes_are=boxes, of_hdf5=of_hdf5)
    written, left = out / "manifest.csv", out / "manifest.left.csv"
    trail.write(trail.frames_step(source, frames.rows, frames.left, frames.notes), written, [manifest_path])
    say_notes(frames.notes)
    say(f"{left}: {counted(len(frames.left), 'videos')} that gave no frame, or not all, and why")
    if as_json:
        return print_json(frames.as_json())
    if len(frames.kinds):
        rows = [[str(kind), str(n), str(kept)] for kind, n, kept in frames.kinds.itertuples()]
        print_table("Videos that gave no frame, or not all", ["reason", "videos", "frames kept"], rows)
    beside = f", and {counted(frames.n_images, 'images')} beside them" if frames.n_images else ""
    gave = f"{frames.n_with_frames} of " if frames.n_with_frames < frames.n_videos else ""
    say(f"{written}: {counted(frames.n_frames, 'frames')} of {gave}{counted(frames.n_videos, 'videos')}{beside}")


def data_faces(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: OutOption,
    align: Annotated[str | None, typer.Option(help="eyes: level, and at the same two places of every crop.")] = None,
    margin: Annotated[float, typer.Option(help="Share of the face's side that is added on each side of it.")] = 0.3,
    as_json: JsonOption = False,
) -> None:
    """Faces cut out, with pose and quality. Example: `fas data faces frames/manifest.csv --out faces.csv --align eyes`

    By the set's own boxes (box_x, box_y, box_width, box_height) or eyes, else by a detector. Goes on where it was.
    """
    from fas_core.data import manifest, trail
    from fas_core.data.faces import cutting

    source = manifest.read(manifest_path)
    say_notes(source.notes)
    faces = cutting.write_faces(source, out, cutting.How.of(margin, align))
    say_notes(faces.notes)
    done = trail.kept_step("faces", [source], faces.rows, faces.left, faces.notes)
    trail.write(done, out, [manifest_path])
    left = out.with_suffix(".left.csv")
    say(f"{left}: {counted(len(faces.left), 'pictures')} without a face to judge, and why")
    if as_json:
        return print_json(faces.as_json())
    n = len(faces.rows) + len(faces.left)
    rows = [[kind, str(count), rate(count / n)] for kind, count in faces.kinds.items()]
    rows.append(["cut out", str(len(faces.rows)), rate(len(faces.rows) / n)])
    print_table(str(out), ["reason", "pictures", "share"], rows)


def data_attacks(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the attack images and manifest.csv.")],
    species: Annotated[
        str,
        typer.Option(
            help="Comma-separated: paper, replay, mask, cutout, half_mask, paper_glasses, funny_eyes, impersonation, "
            "obfuscation."
        ),
    ] = "paper,replay,mask",
    seed: Annotated[int, typer.Option(help="Which images are attacked, and how.")] = 0,
    strength: Annotated[
        str, typer.Option(help="Comma-separated, above 0 up to 1: how much shows that it is an attack.")
    ] = "1",
) -> None:
    """Simulated attacks on real live images. Example: `fas data attacks faces.csv --out attacked/ --strength 0.5,1`

    No evidence about real attacks: for trying out tools, and for asking from which strength on something is seen. Where
    eyes are known (right_eye_x, ...), they place and size what is worn; else a face in the middle is assumed. Goes on
    where it was.
    """
    from fas_core.data import manifest, simulation, trail
    from fas_core.data.attacks.writing import write_attacked_data_set

    source = manifest.read(manifest_path)
    say_notes(source.notes)
    try:
        strengths = [float(text) for text in strength.split(",") if text.strip()]
    except ValueError:
        raise BadInputError(f"--strength {strength}: give numbers above 0 up to 1, e.g. 0.25,0.5,1.") from None
    names = [s.strip() for s in species.split(",") if s.strip()]
    written = write_attacked_data_set(source, out, names, seed, strengths)
    trail.write(trail.kept_step("attacks", [source], manifest.read(written).rows), written, [manifest_path])
    say(f"{written}: live images of {manifest_path} and simulated attacks on them, {simulation.NO_EVIDENCE}")


def data_dedupe(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: OutOption,
    max_difference: Annotated[
        float, typer.Option(help="Root mean square of pixels in 0..1 up to which two pictures are the same.")
    ] = 0.03,
    across_labels: Annotated[
        bool, typer.Option("--across-labels", help="Of pictures that are alike and not of one label, both leave.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Takes out pictures that are there twice. Example: `fas data dedupe faces.csv --out unique.csv`

    Outside `train` they stay before those in it, else the first one does. Alike but of different labels or species:
    reported, and they stay.
    """
    from fas_core.data import dedupe, manifest, trail

    source = manifest.read(manifest_path)
    say_notes(source.notes)
    _require_another(manifest_path, out)
    unique = dedupe.deduplicated(source, max_difference, across_labels=across_labels)
    _write_what_stays("dedupe", source, unique.rows, unique.left, out)
    say(f"{trail.left_file(out)}: {counted(len(unique.left), 'images')} that left, and which stays")
    say_notes(unique.notes)
    document = unique.as_json()
    if as_json:
        return print_json(document)
    rows = [[name, *(str(n) for n in counts.values())] for name, counts in document["subsets"].items()]
    print_table(str(out), ["subset", "left", "stay"], rows)
    n, first = len(unique.conflicts), unique.conflicts.head(20)
    rows = [
        [f"{a} ({species or label})", f"{b} ({other_species or other_label})", f"{difference:.3f}"]
        for a, _, label, species, b, _, other_label, other_species, difference in first.itertuples(index=False)
    ]
    if n:
        print_table(f"Alike, but not of one label: {n}{', the first 20' * (n > 20)}", ["", "", "difference"], rows)
        stay = "stay; with --across-labels both leave" if not across_labels else "left"
        say(f"Both of each such pair {stay}.")


def data_pack(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the packs and manifest.csv.")],
    per_pack: Annotated[int, typer.Option("--per-pack", help="Images of a file.")] = 10_000,
) -> None:
    """Images in a few large files, where small ones are slow to read. Example: `fas data pack faces.csv --out packed/`

    The new manifest names places in them, and is the same data: hashes and Runs stay. Packs that are there stay.
    """
    from fas_core.data import manifest, packs, trail

    source = manifest.read(manifest_path)
    say_notes(source.notes)
    rows, n, n_written = packs.pack(source, out, per_pack)
    written = out / "manifest.csv"
    what = f"{counted(len(rows), 'images')} in {counted(n, 'packs')}"
    with suppress(BadInputError):  # what is there is no manifest
        if not n_written and manifest.checked_file(written).rows.equals(rows):
            return say(f"{written}: {what}, already there; nothing was written")
    manifest.write(rows, written)
    trail.write(trail.kept_step("pack", [source], rows), written, [manifest_path])
    say(f"{written}: {what}, of which {n_written} written now")
