"""Folders that say what an image is: live|spoof/<subject>/[<session>/]image, or <subject>/live|spoof/image, or subsets.

live/<subject>/[<session>/]image.png                 also: real, genuine, bona fide, in any case and with - _ or blanks
spoof/[<species>/]<subject>/[<session>/]image.png    also: attack, fake; species: paper, print, replay, mask, ...
<subject>/live/image.png                             the class may stand at any depth; a species alone is an attack

train/<subject>/[<session>/]image.png                the subsets of the protocol: train and live hold bona fide
live/<subject>/[<session>/]image.png                 faces; seen_<species> and unseen_<species> hold the attacks
seen_paper/[live|spoof/]<subject>/...                of that species, and live images under their own folder
dev|test|.../live|spoof/<subject>/...                other subsets: dev, val, test, eval; train may hold both, too

<subject>/[<session>/]image.png                      people's folders alone, when told what all of them are:
                                                     --label bona_fide

Where there is no image, videos are the rows, of which fas data frames takes the frames. What contradicts, or could be
read in two ways, is refused; a table of the images (layout csv) can say it all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fas_core.data.layouts import Asked
from fas_core.data.manifest import label_word
from fas_core.data.names import ATTACK, BONA_FIDE, LIVE, SUBSET_WORDS, TRAIN
from fas_core.data.scanning import Scanned, media_files, n_before
from fas_core.data.videos import are_videos
from fas_core.errors import BadInputError
from fas_core.texts import plain

_CLASSES = {
    **dict.fromkeys(("live", "real", "genuine", "bonafide"), BONA_FIDE),
    **dict.fromkeys(("spoof", "spoofs", "spoofing", "attack", "attacks", "fake", "fakes"), ATTACK),
}
_SPECIES = {
    **{"print": "paper", "prints": "paper", "printed": "paper", "papers": "paper"},
    **{"masks": "mask", "replays": "replay", "cutouts": "cutout", "mannequins": "mannequin", "displays": "display"},
    **{
        name: name
        for name in (
            "paper",
            "replay",
            "mask",
            "makeup",
            "mannequin",
            "silicone",
            "latex",
            "resin",
            "cutout",
            "display",
        )
    },
}
# These name a species only where they are the whole name: `video_01` is a video, `partial_03` a part of something.
_WHOLE_NAMES = {"photo": "photo", "photos": "photo", "video": "video", "videos": "video", "partial": "partial"}
_NEUTRAL = {"face", "faces", "image", "images", "img", "imgs", "frame", "frames", "sample", "samples", "data", "access"}
_NOT = {"no", "not", "non", "without"}
_MODALITIES = {"color", "colour", "rgb", "depth", "ir", "nir", "infrared", "thermal"}
# Words that say what an image shows, but not in which of the words above: neither people nor sessions are called so.
_UNSETTLED = {
    *("screen", "screens", "warped", "deepfake", "deepfakes", "forged", "forgery", "manipulated", "altered"),
    *("impostor", "impostors", "imposter", "imposters", "attacker", "attackers", "artefact", "artifact", "spoofed"),
    *("positive", "positives", "negative", "negatives", "original", "originals"),
}
_ATTACK_SUBSET = re.compile(r"(?:seen|unseen)_([a-z0-9]+)")
_REMEDY = "Rename or move the folders (fas data layouts), or write a table of the images: --layout csv"


@dataclass(frozen=True)
class _Part:
    """A folder's name. What it names of `label` and `species` is "" where it names none."""

    name: str
    label: str = ""
    species: str = ""
    is_more: bool = False  # there is more in the name than a class, so that it may be a name of somebody, too


@dataclass(frozen=True)
class _Image:
    """The first image of a folder, which all others in it are read as."""

    path: Path
    parts: tuple[str, ...]  # from the root, the file last
    folders: tuple[_Part, ...]  # below the subset, if there is one
    subset: str
    label: str
    species: str
    free: tuple[str, ...]  # folders that are neither subset nor class: subject, session
    pattern: tuple[str, ...]  # its folders, "" for those that are free
    n: int = 1  # images in the folder
    position: int = 0  # among all images


class _Files:
    """All images, in their order, and what their names say."""

    def __init__(self, root: Path, paths: list[str]) -> None:
        self.paths, self.top = paths, n_before(root)
        numbers: dict[str, int] = {}
        each = (numbers.setdefault(path.rpartition("/")[0], len(numbers)) for path in paths)
        self.folders = np.fromiter(each, np.intp, len(paths))  # (n,) which of the different ones, as they first come
        _, self.first = np.unique(self.folders, return_index=True)
        self.n = np.bincount(self.folders)
        self.column = pd.Series(pd.array(pa.array(paths, pa.large_string()), dtype="str"))
        self.is_video = are_videos(self.column).to_numpy(bool)

    def parts(self, position: int) -> tuple[str, ...]:
        """Of a file, from the root, itself last."""
        return tuple(self.paths[position][self.top :].split("/"))

    def says(self, label: str) -> NDArray[np.intp]:
        """Positions of files whose own names say a label."""
        which, labels = self._said
        return np.flatnonzero((labels == label)[which])

    @cached_property
    def _said(self) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
        """(n,) which of the different names each file has, and what they say. Numbers say nothing: names are read once
        without."""
        stems = "/".join([path.rpartition("/")[2].rpartition(".")[0] for path in self.paths])
        which, different = pd.factorize(np.array(re.sub("[0-9]+", "0", stems).split("/"), object))
        return which, np.array([_label_of_file(stem) for stem in different], object)


def scanned(root: Path, asked: Asked) -> Scanned:
    """One row per image. The folders say label, species, subject, session and subset; or the label is told."""
    told = label_word(asked.label)
    if asked.label and not told:
        raise BadInputError(f"--label {asked.label}: write {BONA_FIDE} or {ATTACK}.")
    if not root.is_dir():
        raise BadInputError(f"{root} is not a folder. Layout 'folder' reads a folder with live/ and spoof/ inside.")
    media = media_files(root)
    if not media.files:
        return Scanned(pd.DataFrame(), (), tuple(media.notes))
    files = _Files(root, media.files)
    by_subset = any(_is_subset(path.name) for path in root.iterdir() if path.is_dir())
    relative = [files.parts(position) for position in files.first]
    named = {part for parts in relative for part in parts[:-1]}
    read = {name: _part(name) for name in named}
    labelled_subsets = {parts[0] for parts in relative if any(read[name].label for name in parts[1:-1])}
    images = [
        replace(_image(root, parts, read, by_subset, labelled_subsets, told), n=int(n), position=int(position))
        for parts, n, position in zip(relative, files.n, files.first, strict=True)
    ]
    _require_one_reading(root, images, told)
    _require_people(root, images)
    _require_classes(root, images, told, files)
    notes = (*media.notes, *_disjoint(images), *_named_live(images, files))
    return Scanned(_rows(images, files), tuple(_reading(images, files)), notes, looked_into=media.looked_into)


def _is_subset(name: str) -> bool:
    return name.lower() in SUBSET_WORDS or _ATTACK_SUBSET.fullmatch(name.lower()) is not None


def _part(name: str) -> _Part:
    """What a folder is called: print, Bona-Fide, spoof_images, "Print A4"."""
    words = _words(name)
    if len(words) == 1 and words[0] in _WHOLE_NAMES:
        return _Part(name, ATTACK, _WHOLE_NAMES[words[0]])
    classes = {_CLASSES[word] for word in words if word in _CLASSES}
    species = list(dict.fromkeys(_SPECIES[word] for word in words if word in _SPECIES))
    kinds = classes | ({ATTACK} if species else set())
    if len(kinds) > 1 or (kinds and _NOT & set(words)):
        return _Part(name, "?")
    if not kinds:
        return _Part(name)
    rest = [word for word in words if word not in _CLASSES and word not in _NEUTRAL and word not in _SPECIES]
    if len(species) > 1 or (species and rest):  # a kind of its own: "print a4", "silicone mask"
        return _Part(name, ATTACK, plain(name).lower(), bool(rest))
    return _Part(name, kinds.pop(), species[0] if species else "", bool(rest))


@lru_cache(2**16)
def _words(name: str) -> tuple[str, ...]:
    """ClientRaw_01 -> client, raw, 01; in whatever width of letters."""
    camel = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", plain(name)))
    tokens = re.findall(r"[^\W\d_]+|\d+", camel.casefold())
    return tuple(" ".join(tokens).replace("bona fide", "bonafide").split())


def _image(
    root: Path,
    parts: tuple[str, ...],
    read: dict[str, _Part],
    by_subset: bool,
    labelled_subsets: set[str],
    told: str,
) -> _Image:
    path = root.joinpath(*parts)
    subset = parts[0].lower() if by_subset and len(parts) > 1 else ""
    folders = [read[name] for name in parts[by_subset:-1]]
    explicit = [part for part in folders if part.label and not part.is_more]
    label, species = told, ""
    if by_subset:
        matched = _ATTACK_SUBSET.fullmatch(subset)
        if not matched and subset not in {*SUBSET_WORDS, LIVE}:
            raise BadInputError(
                f"{path}: no subset. Expected it under train, live, seen_<species> or unseen_<species> (or dev, test), "
                f"as other folders of {root} are. {_REMEDY}."
            )
        if subset == LIVE or (subset == TRAIN and not (explicit or told) and parts[0] not in labelled_subsets):
            label = BONA_FIDE
        elif matched and told != BONA_FIDE and all(part.label == ATTACK for part in explicit):
            label, species = ATTACK, matched[1]
        if told not in ("", label):
            _refuse(root, parts, f"'{parts[0]}' holds what is {label}, --label says {told}")
    label, species = _said(root, parts, folders, explicit, label, species)
    if not label:
        tops = ", ".join(sorted({path.name for path in root.iterdir() if path.is_dir()})[:8]) or "no folders"
        raise BadInputError(
            f"{path}: lies outside live/ and spoof/, so its label is unknown. {root}: expected the folders live/ and "
            f"spoof/ (or the subsets train/, live/, seen_paper/, ...), found {tops}. If all are of one kind: --label "
            f"{BONA_FIDE}. {_REMEDY}."
        )
    is_free = [not part.species and part not in explicit for part in folders]
    free = tuple(part.name for part, is_name in zip(folders, is_free, strict=True) if is_name)
    pattern = tuple("" if is_name else part.name for part, is_name in zip(folders, is_free, strict=True))
    return _Image(path, parts, tuple(folders), subset, label, species, free, (*parts[:by_subset], *pattern))


def _said(
    root: Path, parts: Sequence[str], folders: Sequence[_Part], explicit: Sequence[_Part], label: str, species: str
) -> tuple[str, str]:
    """Label and species by all folders, beginning with what the subset says; raises BadInputError if they disagree."""
    for part in explicit:
        if part.label == "?":
            _refuse(root, parts, f"'{part.name}' can be read both ways")
        if label not in ("", part.label):
            _refuse(root, parts, f"'{part.name}' says {part.label}, what stands before it {label}")
        label = part.label
    for part in folders:
        if part.is_more and part.label != label:
            others = f"what else it lies in says {label}" if label else "is no name of that alone, as live or spoof is"
            _refuse(root, parts, f"'{part.name}' seems to say {part.label}, but {others}")
        if part.species and species and _known_species(species) != part.species:
            _refuse(root, parts, f"'{part.name}' says the species {part.species}, what stands before it {species}")
        species = part.species or species
    return label, species


def _known_species(word: str) -> str:
    return _SPECIES.get(word, _WHOLE_NAMES.get(word, word))


def _refuse(root: Path, parts: Sequence[str], why: str) -> NoReturn:
    raise BadInputError(f"{root}: {'/'.join(parts)} cannot be read: {why}. {_REMEDY}.")


def _require_one_reading(root: Path, images: Sequence[_Image], told: str) -> None:
    """Raises BadInputError where a folder may be a subject as well as a session or a species."""
    depth = max((len(image.free) for image in images if image.label == BONA_FIDE), default=0)
    for image in images:
        if len(image.free) > 2:
            _refuse(root, image.parts, f"of '{'/'.join(image.free)}' only two can be subject and session")
        if image.label == ATTACK and not told and not image.species and len(image.free) > depth:
            names = " or ".join(("subject", "session")[: len(image.free)])
            _refuse(
                root,
                image.parts,
                f"read as {_shown(image)} -> {ATTACK}, but bona fide images have {depth} such folders, so that "
                f"'{image.free[0]}' may be a {names} or a species. A species is known by names as print, replay, "
                "mask, silicone",
            )


def _require_people(root: Path, images: Sequence[_Image]) -> None:
    """Raises BadInputError where what would be a subject, or an attack's species, cannot be one."""
    depth = max((len(image.free) for image in images if image.label == BONA_FIDE), default=0)
    first_of: dict[str, _Image] = {}
    for image in images:
        if image.free and first_of.setdefault(image.free[0], image) is image:
            _require_person(root, image)
        for name in image.free:
            if _is_of(name, _MODALITIES):
                why = (
                    f"'{name}' seems a kind of image, no person or session. Keep one kind, without a folder of its own"
                )
                _refuse(root, image.parts, f"read as {_shown(image)}, but {why}")
        own = [part.name for part in image.folders if part.species and part.species == image.species and part.is_more]
        if own and len(image.free) < depth:
            why = f"bona fide images lie deeper, in folders of subjects, so that '{own[0]}' may name a subject, too"
            _refuse(root, image.parts, f"read as {_shown(image)} -> {ATTACK} of species {image.species}, but {why}")
    _require_no_subsets(root, list(first_of.values()))
    if len(first_of) == 1 and all(image.free for image in images):
        (name, image), *_ = first_of.items()
        if image.folders[0].name == name and any(part.label for part in image.folders[1:]):
            folder = root.joinpath(*image.parts[: image.parts.index(name) + 1])
            remedy = f"move what is in {folder} one folder up" if image.subset else f"scan {folder}"
            why = f"If that is no person, {remedy}; if it is one, move it below the class, live/{name}"
            all_of = f"so that all {sum(each.n for each in images)} images would be of one subject, '{name}'"
            _refuse(root, image.parts, f"read as {_shown(image)}, {all_of}. {why}")


def _require_person(root: Path, image: _Image) -> None:
    """Raises BadInputError where the first free folder is called as no person is."""
    name = image.free[0]
    said = next(part.label for part in image.folders if part.name == name)
    if said:
        why = f"'{name}' says {said}, too: as a subject's name it would make another person of each class"
        _refuse(root, image.parts, f"read as {_shown(image)}, but {why}")
    if _is_of(name, _NEUTRAL):
        _refuse(root, image.parts, f"read as {_shown(image)}, but '{name}' seems no person")


def _require_no_subsets(root: Path, images: Sequence[_Image]) -> None:
    """Raises BadInputError where subjects differ in nothing but train, dev, test, ...: an image per subject."""
    first_of: dict[tuple[str, ...], _Image] = {}
    for image in images:
        words = _words(image.free[0])
        if SUBSET_WORDS & set(words):
            other = first_of.setdefault(tuple(word for word in words if word not in SUBSET_WORDS), image)
            if _words(other.free[0]) != words:
                _refuse(
                    root,
                    image.parts,
                    f"read as {_shown(image)}, but '{other.free[0]}' and '{image.free[0]}' seem subsets, no persons. "
                    "Subsets are folders of the root: train, dev, test",
                )


def _is_of(name: str, words: set[str]) -> bool:
    """Whether a name is made of nothing but these words."""
    return bool(_words(name)) and set(_words(name)) <= words


def _require_classes(root: Path, images: Sequence[_Image], told: str, files: _Files) -> None:
    """Raises BadInputError where a folder or file of bona fide images may say that they are something else."""
    is_live = np.array([image.label == BONA_FIDE for image in images], np.bool_)[files.folders]
    named = next((int(position) for position in files.says(ATTACK) if is_live[position]), len(files.paths))
    for image in images:
        if named < image.position:
            break
        for name in image.free if image.label == BONA_FIDE else image.free[:1]:
            if unsettled := _UNSETTLED & set(_words(name)):
                _refuse(
                    root,
                    image.parts,
                    f"read as {_shown(image)} -> {image.label}, but '{name}' may say what the images show: "
                    f"'{min(unsettled)}' is no word for a class or a species here",
                )
    if named < len(files.paths):
        parts, image = files.parts(named), images[files.folders[named]]
        _refuse(root, parts, f"read as {_shown(image)} -> {BONA_FIDE}, but '{parts[-1]}' says {ATTACK}")
    if told:
        return
    unlabelled = [image for image in images if image.label == BONA_FIDE and not any(p.label for p in image.folders)]
    for position in range(2):
        of_name = {image.free[position]: image for image in unlabelled if len(image.free) > position}
        if set(of_name) == {"0", "1"}:
            image = of_name["1"]
            _refuse(
                root,
                image.parts,
                f"read as {_shown(image)} -> {BONA_FIDE}, but the folders '0' and '1' may be labels. If they are not, "
                f"put live/ below {image.parts[0]}/",
            )


def _label_of_file(stem: str) -> str:
    return _part(stem).label if set(_words(stem)) & {*_CLASSES, *_SPECIES} else ""


def _named_live(images: Sequence[_Image], files: _Files) -> list[str]:
    """A sentence where files of attacks are called live: of what they show, perhaps, or of what they lie among."""
    is_attack = np.array([image.label == ATTACK for image in images], np.bool_)[files.folders]
    said = files.says(BONA_FIDE)
    named = said[is_attack[said]]
    if not len(named):
        return []
    return [
        f"{len(named)} of the attacks have a file name that says bona fide (e.g. {'/'.join(files.parts(named[0]))}): "
        "their folder counts."
    ]


def _shown(image: _Image) -> str:
    """train/<subject>/spoof"""
    names = iter(("<subject>", "<session>"))
    return "/".join(part or next(names) for part in image.pattern) or "."


def _reading(images: Sequence[_Image], files: _Files) -> list[str]:
    """A line per pattern of folders, with how many images and different names it has."""
    n_videos = np.bincount(files.folders, files.is_video).astype(np.int64)
    of_pattern: dict[tuple[str, str], list[int]] = {}
    for number, image in enumerate(images):
        species = f" of species {image.species}" if image.species else ""
        of_pattern.setdefault((_shown(image), f"{image.label}{species}"), []).append(number)
    lines = []
    for (pattern, meaning), numbers in sorted(of_pattern.items()):
        here = [images[number] for number in numbers]
        videos = int(n_videos[numbers].sum())
        counts = {
            "image": sum(image.n for image in here) - videos,
            "video": videos,
            "subject": len({image.free[:1] for image in here if image.free}),
            "session": len({image.free for image in here if len(image.free) > 1}),
        }
        told = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in counts.items() if n)
        lines.append(f"{pattern} -> {meaning}: {told}")
    return lines


def _disjoint(images: Sequence[_Image]) -> list[str]:
    subjects = {
        label: {image.free[0] for image in images if image.free and image.label == label and not image.species}
        for label in (BONA_FIDE, ATTACK)
    }
    if subjects[ATTACK] and subjects[BONA_FIDE] and not subjects[ATTACK] & subjects[BONA_FIDE]:
        return [
            f"None of the {len(subjects[ATTACK])} subjects of attacks (e.g. {min(subjects[ATTACK])}) has bona fide "
            "images: if these folders are species, name them print, replay, mask, ..., or write a table (--layout csv)."
        ]
    return []


def _rows(images: Sequence[_Image], files: _Files) -> pd.DataFrame:
    def of_folders(texts: Iterable[str]) -> pd.Series:
        return pd.Series(list(texts), dtype="str").take(files.folders).reset_index(drop=True)

    people = [(*image.free, "", "")[:2] for image in images]
    samples = files.column.str.slice(files.top)
    videos = samples.where(files.is_video, "")
    return pd.DataFrame(
        {
            "path": files.column,
            "sample_id": samples,
            "label": of_folders(image.label for image in images),
            "pai_species": of_folders(image.species for image in images),
            "subject_id": of_folders(subject for subject, _ in people),
            # A session's name is only unique within its subject.
            "session_id": of_folders(f"{subject}/{session}" if session else "" for subject, session in people),
            "subset": of_folders(image.subset for image in images),
            "video_id": videos.str.replace(r"\.[^.]*$", "", regex=True),
        }
    )
