"""Reading a released data set from a description of it: where its clips lie, what their names say, which lists it has.

A clip is a video, or a folder of its frames as images (`<clip>/<frame>.jpg`), or a still. What its name says is read by
a regular expression with named groups; nothing is guessed: what does not fit is listed, with the reason.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from fas_core import documents
from fas_core.data import modalities
from fas_core.data.manifest import BOXES
from fas_core.data.names import ATTACK, BONA_FIDE, DEV_WORDS
from fas_core.data.scanning import IMAGE_SUFFIXES, Left, Scanned, ending_of, files, n_before
from fas_core.data.videos import SUFFIXES as VIDEO_SUFFIXES
from fas_core.documents import read_as
from fas_core.errors import BadInputError
from fas_core.files import opened_file
from fas_core.texts import counted

Names = Mapping[str, str]
"""The named groups of a clip's place, in small letters, "" where absent; in rules also the columns made of them."""

SUBSETS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(DEV_WORDS, "dev"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""What sets call their parts -> the subset it is here."""

LONGEST_LIST = 512 * 2**20  # bytes; those of CelebA-Spoof, the longest, take a fifth of it
_ABSENT = "in the list {}, but there is no such file"


@dataclass(frozen=True)
class Protocol:
    """Which clip is in which subset: by the set's own lists or, where they are missing, by its name."""

    says: str
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Subset -> the files that list its clips, * for any text; "": lines that name their subset themselves."""
    rule: Callable[[Names], str] | None = None
    """The subset of a clip by its names and columns; "" where the protocol leaves it out."""
    refined: Callable[[Names], str] | None = None
    """The same, after the lists have said the subset."""


@dataclass(frozen=True)
class DataSet:
    """A released data set. `clips` matches a clip's path without ending, from any folder above the set's own."""

    title: str
    clips: str
    columns: Callable[[Names], dict[str, str] | str]
    """Columns by a clip's names: `pai_species` ("" is bona fide), `subject_id`, ...; a text says why it is left out."""
    published: Mapping[str, tuple[int, ...]]
    """Subset (or "": all) -> bona fide and attacks, or both together, that the set's authors count."""
    reissued: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The same of a second release in a tree of the same kind."""
    protocols: Mapping[str, Protocol] = field(default_factory=dict)
    entry: str = ""
    """What matches a clip in a list, where it is not `clips`; its groups are among those of `clips`."""
    boxes: tuple[str, ...] = ()
    """Where a clip's file of boxes lies: {stem} is the clip, {above} what lies above the set, {clip} what is below."""
    telltale: str = ""
    """What some file of the set matches and those of others do not, where `clips` fits too much to recognise it by."""
    unit: str = "videos"
    completed: Callable[[Files, pd.DataFrame], tuple[pd.DataFrame, list[str]]] | None = None
    """Fills in what other files of the set say; rows that have no label after it are left out."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(?P<above>(?:.*?/)??){self.clips}", re.IGNORECASE)

    @cached_property
    def entry_pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(?:.*/)?{self.entry or self.clips}", re.IGNORECASE)


@dataclass(frozen=True)
class Files:
    """What a data set's folder holds besides its images and videos."""

    root: Path
    relative: tuple[str, ...]

    @cached_property
    def _by_name(self) -> dict[str, str]:
        return {name.lower(): name for name in self.relative}

    def at(self, relative: str) -> Path | None:
        """The file of this relative path in whatever case it is spelt; None where there is none."""
        name = self._by_name.get(relative.lower())
        return self.root / name if name is not None else None

    def named(self, pattern: str) -> list[Path]:
        """Those whose path ends so, whatever the case; * stands for any text of one name."""
        return [
            self.root / name for name in self.relative if PurePosixPath(name.lower()).match(_literal(pattern.lower()))
        ]


def _literal(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def clip_of(pattern: re.Pattern[str], path: str) -> tuple[re.Match[str], str] | None:
    """Of a file, relative to the set's folder: the match of its clip, and the frame's number where it is one of it."""
    stem, dot, ending = path.rpartition(".")
    suffix = dot + ending.lower()
    is_image = suffix in IMAGE_SUFFIXES
    if matched := pattern.fullmatch(stem if is_image or suffix in VIDEO_SUFFIXES else path):
        return matched, ""
    folder, _, name = stem.rpartition("/")
    if is_image and (matched := pattern.fullmatch(folder)):
        numbers = re.findall(r"\d+", name)
        return (matched, str(int(numbers[-1]))) if numbers else None
    return None


def scanned(dataset: DataSet, root: Path, protocol: str = "", modality: str = "") -> Scanned:
    """One row per video, frame or still of the set; `protocol` and `modality` keep those of one.

    Raises BadInputError for a protocol or modality that the set has not, and for lists that are missing or name the
    same clips.
    """
    if not root.is_dir():
        raise BadInputError(f"{root} is not a folder. Give the folder that {dataset.title} was unpacked to.")
    protocol = _protocol_called(dataset, protocol)
    others: list[str] = []

    media_suffixes, top = IMAGE_SUFFIXES | VIDEO_SUFFIXES, n_before(root)

    def is_medium(path: str, _: object) -> bool:
        if ending_of(path) in media_suffixes:
            return True
        others.append(path[top:])
        return False

    walked = files(root, is_medium)
    media, notes = walked.files, walked.notes
    beside = Files(root, tuple(others))
    rows, left = _rows(dataset, root, media, beside)
    if dataset.completed and len(rows):
        rows, more = dataset.completed(beside, rows)
        notes += more
    is_unlabelled = rows["label"] == "" if len(rows) else pd.Series(dtype=bool)
    left += [Left(name, "no list of the set says whether it is bona fide") for name in _ids(rows, is_unlabelled)]
    rows = rows[~is_unlabelled].reset_index(drop=True)
    reading = _reading(dataset, rows)
    notes += _people_in_several_parts(rows)
    if protocol:
        rows, absent, more = _in_protocol(dataset, protocol, rows, beside)
        left, notes = left + absent, notes + more
    if modality:
        wanted = modalities.chosen(modalities.modalities(rows), modality, dataset.title)
        rows = rows[rows["modality"] == wanted].reset_index(drop=True)
    elif len(kinds := modalities.modalities(rows)) > 1:
        notes.append(f"Several modalities: {', '.join(kinds)}. A model is of one: --modality {kinds[-1]}")
    if (others_note := _unused(others, rows, root)) is not None:
        notes.append(others_note)
    rows = rows.drop(columns=[name for name in rows if str(name).startswith("?")])
    return Scanned(rows, tuple(reading), tuple(notes), tuple(left))


def _ids(rows: pd.DataFrame, where: pd.Series) -> list[str]:
    return rows.loc[where, "sample_id"].tolist() if len(rows) else []


def _rows(dataset: DataSet, root: Path, media: list[str], beside: Files) -> tuple[pd.DataFrame, list[Left]]:
    rows: list[dict[str, str]] = []
    left: list[Left] = []
    first_of: dict[tuple[str, ...], str] = {}
    top = n_before(root)
    for path in media:
        name = path[top:]
        clip = clip_of(dataset.pattern, name)
        if clip is None:
            left.append(Left(name, f"no place or name of {dataset.title}"))
            continue
        matched, frame = clip
        names = {key: (value or "").lower() for key, value in matched.groupdict().items()}
        told = dataset.columns(names)
        if isinstance(told, str):
            left.append(Left(name, told))
            continue
        key = (*(value for group, value in names.items() if group != "above"), frame)
        if first_of.setdefault(key, name) != name:
            left.append(Left(name, "a second copy of a recording under the same name"))
            continue
        rows.append(_row(dataset, path, name, matched, names, frame, told, beside))
    columns = ("path", "sample_id", "label", "pai_species", "subject_id", "session_id", "subset", "video_id")
    table = pd.DataFrame(rows, columns=None if rows else list(columns), dtype="str").fillna("")
    return table, left


def _row(
    dataset: DataSet,
    path: str,
    name: str,
    matched: re.Match[str],
    names: Names,
    frame: str,
    told: dict[str, str],
    beside: Files,
) -> dict[str, str]:
    stem = matched.group(0)
    is_still = ending_of(path) in IMAGE_SUFFIXES and not frame
    species = told.get("pai_species", "")
    row = {
        "path": path,
        "sample_id": _public(name, matched),
        "label": ATTACK if species else BONA_FIDE,
        "pai_species": species,
        "subject_id": "",
        "session_id": "",
        "subset": SUBSETS.get(names.get("part", ""), ""),
        "video_id": "" if is_still else _public(stem, matched),
        "frame": frame,
        **told,
        **{f"?{key}": value for key, value in names.items()},
    }
    if row["session_id"]:  # a session's name is only unique within its subject
        row["session_id"] = f"{row['subject_id']}/{row['session_id']}"
    if names.get("modality"):
        start, end = matched.span("modality")
        row["presentation_id"] = _public(stem[:start].rstrip("/_-") + stem[end:], matched)
    for place in dataset.boxes:
        clip = stem[len(matched.group("above")) :]
        boxes = beside.at(place.format(stem=stem, above=matched.group("above"), clip=clip))
        if boxes is not None:
            row[BOXES] = str(boxes)
            break
    return row


def _public(name: str, matched: re.Match[str]) -> str:
    """A name without what the set's pattern calls private."""
    private = matched.groupdict().get("private") or ""
    return name.replace(private, "") if private else name


# ------------------------------------------------------------------------------------------------------ protocols


def _protocol_called(dataset: DataSet, text: str) -> str:
    """The protocol's name here: Protocol_3_1, p3.1 and 3_1 are 3.1. Raises BadInputError where there is none."""
    bare = re.sub(r"^(protocol[ _-]?|p)(?=\d)", "", text.lower()).replace("_", ".")
    name = next((name for name in (text, bare) if name in ("", *dataset.protocols)), None)
    if name is None:
        listed = f"Protocols: {', '.join(dataset.protocols)}." if dataset.protocols else "It has no protocols."
        raise BadInputError(f"{dataset.title} has no protocol '{text}'. {listed}")
    return name


def _in_protocol(
    dataset: DataSet, name: str, rows: pd.DataFrame, beside: Files
) -> tuple[pd.DataFrame, list[Left], list[str]]:
    """Rows of one protocol with its subsets; what its lists name and is not there; sentences."""
    protocol = dataset.protocols[name]
    lists = {
        subset: [path for p in patterns for path in beside.named(p)] for subset, patterns in protocol.lists.items()
    }
    missing = [pattern for patterns in protocol.lists.values() for pattern in patterns if not beside.named(pattern)]
    notes: list[str] = []
    left: list[Left] = []
    if protocol.lists and not missing:
        listed, more = _listed(dataset, lists)
        clips = keys(dataset, rows)
        subsets = pd.Series([listed[key][0] if key in listed else "" for key in clips], rows.index, dtype="str")
        here = set(clips)
        if protocol.refined is not None:
            subsets = _by_rule(protocol.refined, rows.assign(subset=subsets))
        left = [Left(text, _ABSENT.format(where)) for key, (_, where, text) in listed.items() if key not in here]
        notes += more + _contradictions(dataset, lists, rows, clips)
        if left:
            notes.append(f"{len(left)} of {len(listed)} clips in the lists of protocol {name} are not there.")
    elif protocol.rule is None or any(lists.values()):
        raise BadInputError(
            f"{beside.root}: protocol {name} of {dataset.title} needs its lists, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Put the set's files of lists under this folder."
        )
    else:
        subsets = _by_rule(protocol.rule, rows)
        if missing:
            notes.append(f"No list of protocol {name} is there ({missing[0]}): its subsets follow from the names.")
    is_in = subsets != ""
    if n := int((~is_in).sum()):
        notes.append(f"{n} of {len(rows)} rows are not in protocol {name}.")
        left += [Left(sample, f"not in protocol {name}") for sample in rows.loc[~is_in, "sample_id"]]
    tested = set(rows.loc[subsets == "test", "label"])
    missing_labels = [words for label, words in ((BONA_FIDE, "bona fide"), (ATTACK, "attacks")) if label not in tested]
    if missing_labels:
        notes.append(f"The test of protocol {name} has no {' and no '.join(missing_labels)} here.")
    return rows.assign(subset=subsets)[is_in].reset_index(drop=True), left, notes


def _by_rule(rule: Callable[[Names], str], rows: pd.DataFrame) -> pd.Series:
    texts = rows.rename(columns=lambda column: str(column).removeprefix("?"))
    texts = texts.loc[:, ~texts.columns.duplicated()]
    return pd.Series([rule(row) for row in texts.to_dict("records")], rows.index, dtype="str")


def keys(dataset: DataSet, rows: pd.DataFrame) -> pd.Series:
    """(n,) what tells a row's clip from others in the set's lists."""
    groups = [f"?{group}" for group in dataset.entry_pattern.groupindex]
    return pd.Series(list(zip(*(rows[group] for group in groups), strict=True)), rows.index, dtype=object)


def entries(dataset: DataSet, path: Path) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Each clip that a list names: what tells it from others, its text, and the other cells of its line.

    Lists of names, tables with commas or blanks, and JSON documents with a clip per key, whose cells are the items of
    its value. Raises BadInputError for what cannot be read, is no such document or is longer than `LONGEST_LIST`.
    """
    for cells in _lines(path):
        for position, cell in enumerate(cells):
            clip = clip_of(dataset.entry_pattern, cell.replace("\\", "/").removeprefix("./")) if cell else None
            if clip is not None:
                key = tuple((value or "").lower() for value in clip[0].groupdict().values())
                yield key, cell, (*cells[:position], *cells[position + 1 :])
                break


def _lines(path: Path) -> Iterable[Sequence[str]]:
    """The cells of each line of a list."""
    try:
        if path.suffix.lower() == ".json":
            clips = read_as(dict[str, Any], documents.read(path, largest=LONGEST_LIST), "it")
            return ((clip, *map(str, told if isinstance(told, list) else [told])) for clip, told in clips.items())
        with opened_file(path) as file:
            text = file.read(LONGEST_LIST + 1)
        if len(text) > LONGEST_LIST:
            raise ValueError(f"longer than {LONGEST_LIST:,} bytes")
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} is not readable as a list of the set's clips ({error}). Get it anew.") from error
    lines = text.decode("utf-8-sig", "replace").replace("\r\n", "\n").splitlines()
    return (re.split(r"[\s,;]+", line.strip()) for line in lines)


def listed_labels(dataset: DataSet, paths: Sequence[Path], live: str = "") -> tuple[dict[tuple[str, ...], str], str]:
    """Label of each clip by the last number of its line; and the number of bona fide, "" where nothing tells it.

    Whether 0 or 1 is bona fide is told by the lines of clips whose own names say it; where there are none, by `live`.
    """
    numbers: dict[tuple[str, ...], str] = {}
    of_named: Counter[str] = Counter()
    for key, _, cells in itertools.chain.from_iterable(entries(dataset, path) for path in paths):
        if not cells or cells[-1] not in ("0", "1"):
            continue
        numbers[key] = cells[-1]
        names = defaultdict(str, zip(dataset.entry_pattern.groupindex, key, strict=True))
        told = dataset.columns(names)
        if isinstance(told, dict) and "label" not in told and not told["pai_species"]:
            of_named[cells[-1]] += 1
    number = of_named.most_common(1)[0][0] if of_named else live
    labels = {key: BONA_FIDE if n == number else ATTACK for key, n in numbers.items()}
    return (labels if number else {}), number if of_named else ""


def _listed(
    dataset: DataSet, lists: Mapping[str, list[Path]]
) -> tuple[dict[tuple[str, ...], tuple[str, str, str]], list[str]]:
    """Clip -> its subset, the list, its text there; and sentences.

    Raises BadInputError where two subsets share clips.
    """
    listed: dict[tuple[str, ...], tuple[str, str, str]] = {}
    notes = []
    for own_subset, paths in lists.items():
        for path in paths:
            n = 0
            for key, text, cells in entries(dataset, path):
                n += 1
                subset = own_subset or next((SUBSETS[cell.lower()] for cell in cells if cell.lower() in SUBSETS), "")
                before = listed.setdefault(key, (subset, path.name, text))
                if before[0] != subset:
                    raise BadInputError(
                        f"{path}: '{text}' is in {before[1]}, too: one clip in {before[0]} and in {subset}. These are "
                        "not the set's own lists, or two of them were exchanged. Get them anew."
                    )
            if not n:
                notes.append(f"{path.name} names no clip of {dataset.title}.")
    return listed, notes


def _contradictions(
    dataset: DataSet, lists: Mapping[str, list[Path]], rows: pd.DataFrame, clips: pd.Series
) -> list[str]:
    """A sentence where a number beside clips in a list stands for bona fide and for attacks by their names."""
    label_of = dict(zip(clips, rows["label"], strict=True))
    counts: dict[str, Counter[str]] = {}
    for path in (path for paths in lists.values() for path in paths):
        for key, _, cells in entries(dataset, path):
            if len(cells) == 1 and re.fullmatch(r"[+-]?[0-2]", cells[0]) and key in label_of:
                counts.setdefault(cells[0], Counter())[label_of[key]] += 1
    wrong = {cell: min(n.values()) for cell, n in counts.items() if len(n) > 1}
    if not wrong or len(counts) < 2:
        return []
    listed = ", ".join(f"'{cell}' ({n})" for cell, n in sorted(wrong.items()))
    return [f"Labels of the lists contradict the names of clips, which count: {listed}."]


# ---------------------------------------------------------------------------------------------- what came of it


def _people_in_several_parts(rows: pd.DataFrame) -> list[str]:
    named = rows[(rows["subject_id"] != "") & (rows["subset"] != "")]
    parts = named.groupby("subject_id")["subset"].agg(lambda subsets: tuple(sorted(set(subsets))))
    several = parts[parts.map(len) > 1]
    if several.empty:
        return []
    return [
        f"{len(several)} subjects are in several parts of the set (e.g. {several.index[0]} in "
        f"{' and '.join(several.iloc[0])}): one person on both sides, or two of one name."
    ]


def _reading(dataset: DataSet, rows: pd.DataFrame) -> list[str]:
    """A line per subset, label and species; the last compares the counts with the published ones."""
    if rows.empty:
        return []
    clip = rows["video_id"].where(rows["video_id"] != "", rows["sample_id"])
    if "presentation_id" in rows:
        clip = rows["presentation_id"] + rows["frame"].where(rows["video_id"] == "", "")
    are_images, has_companions = dataset.unit == "images", len(modalities.modalities(rows)) > 1
    instant = rows["sample_id"] if are_images else clip
    if are_images and has_companions:
        instant = rows["presentation_id"] + "#" + rows["frame"]
    of_clips = rows.assign(clip=rows["sample_id"] if are_images else clip, instant=instant)
    lines = []
    for (subset, label, species), of_kind in of_clips.groupby(["subset", "label", "pai_species"], sort=True):
        kind = f"{label} of species {species}" if species else str(label)
        n, n_instants = of_kind["clip"].nunique(), of_kind["instant"].nunique()
        people = of_kind["subject_id"][of_kind["subject_id"] != ""].nunique()
        beside = f", {counted(n_instants, 'instants')}" if are_images and has_companions else ""
        told = f", {counted(people, 'subjects')}" if people else ""
        lines.append(f"{subset or 'no subset'} -> {kind}: {counted(n, dataset.unit)}{beside}{told}")
    unit = "instants" if are_images and has_companions else dataset.unit  # as the set's paper counts
    return [*lines, *_compared(dataset, of_clips.drop_duplicates("instant"), unit)]


def _compared(dataset: DataSet, clips: pd.DataFrame, unit: str) -> list[str]:
    differ = [_differences(clips, release) for release in (dataset.published, dataset.reissued) if release]
    if not all(differ):
        return [f"as many {unit} as published"]
    return [f"{dataset.title} as published, in {unit}: {'; '.join(differ[0])}. Is it complete?"]


def _differences(clips: pd.DataFrame, release: Mapping[str, tuple[int, ...]]) -> list[str]:
    differ = []
    for subset, expected in release.items():
        of_part = clips if subset == "" else clips[clips["subset"] == subset]
        n = (int((of_part["label"] == BONA_FIDE).sum()), int((of_part["label"] == ATTACK).sum()))
        here = n if len(expected) == 2 else (sum(n),)
        if here != tuple(expected):
            differ.append(f"{subset or 'all'} {_counts(expected)}, here {_counts(here)}")
    return differ


def _counts(counts: Sequence[int]) -> str:
    return f"{counts[0]} bona fide + {counts[1]} attacks" if len(counts) == 2 else str(counts[0])


def _unused(others: Sequence[str], rows: pd.DataFrame, root: Path) -> str | None:
    used = set(rows[BOXES]) if BOXES in rows else set()
    endings = Counter(
        PurePosixPath(name).suffix.lower() or "without ending" for name in others if str(root / name) not in used
    )
    kinds = ", ".join(f"{n} {ending}" for ending, n in sorted(endings.items()))
    return f"{endings.total()} other files, no images or videos: {kinds}." if endings else None
