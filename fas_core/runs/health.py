"""What a reader of numbers should know about the data of a Run: counts, leaks between subsets, odd images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fas_core import documents, memo
from fas_core.data import retention, simulation, trail
from fas_core.data.modalities import MODALITY
from fas_core.data.names import (
    ALL,
    ATTACK,
    BONA_FIDE,
    DEV,
    LEARNED,
    LIVE,
    TRAIN,
    TRAINING_USE,
    column_of_people,
    dev_subsets,
    fresh_subsets,
    in_protocol_order,
    is_training,
    outside_training,
)
from fas_core.data.retention import RETAIN
from fas_core.delivery import are_injected, is_injected
from fas_core.errors import BadInputError
from fas_core.runs import census, columns, duplicates
from fas_core.runs.store import Run


@dataclass(frozen=True)
class Caution:
    """Why numbers on some samples may mislead: an entry of `warnings` in JSON documents."""

    # training_overlap, near_duplicates, subset_overlap, subject_overlap, no_subjects, species_differ, injections,
    # optimistic, other_modality, left_before, simulated
    kind: str
    message: str  # a sentence
    counts: Mapping[str, object] = field(default_factory=dict)  # how many samples, images or subjects it is about

    def as_json(self) -> dict[str, object]:
        return {"kind": self.kind, "message": self.message, **self.counts}

    @classmethod
    def from_json(cls, content: object, where: str) -> Caution:
        """What `as_json` gave; raises BadInputError, beginning with `where`, for anything else."""
        if not isinstance(content, dict):
            raise BadInputError(f"{where} is no caution.")
        counts = {name: value for name, value in content.items() if name not in ("kind", "message")}
        said = {name: value for name, value in content.items() if name not in counts}
        return documents.read_as(cls, said | {"counts": counts}, where)


LABELS = (BONA_FIDE, ATTACK)
SUBJECT_OVERLAP = "subject_overlap"
LEFT_BEFORE = "left_before"
SIMULATED = "simulated"
OPTIMISTIC = Caution(
    "optimistic",
    "The threshold was set by hand or chosen on samples that it is reported on. On new data the errors will be larger.",
)


def threshold_cautions(
    run: Run,
    chosen_on: Sequence[str],
    reported_on: Sequence[str],
    *,
    is_by_hand: bool = False,
    kinds: pd.DataFrame | None = None,
    ids_differ: bool = False,
) -> list[Caution]:
    """What to know before a threshold and its errors are believed: `cautions` of both, and of kind optimistic."""
    about_data = cautions(run, list(dict.fromkeys([*chosen_on, *reported_on])), kinds=kinds, ids_differ=ids_differ)
    return [*about_data, OPTIMISTIC] if is_by_hand or set(chosen_on) & set(reported_on) else about_data


def subject_overlap(
    run: Run, chosen_on: Sequence[str], reported_on: Sequence[str], kinds: pd.DataFrame | None = None
) -> Caution | None:
    """How many subjects a threshold was chosen on and is judged on; None where there are none, or none is named.

    `kinds`: as `cautions` has them.
    """
    if "subject_id" not in run.column_names() or set(chosen_on) & set(reported_on):
        return None
    kinds = census.of_run(run) if kinds is None else kinds
    chosen, reported = (_names(kinds, "subject_id", kinds["subset"].isin(list(of))) for of in (chosen_on, reported_on))
    if not (both := chosen & reported):
        return None
    are = "subjects is" if len(both) == 1 else "subjects are"
    return Caution(
        SUBJECT_OVERLAP,
        f"{len(both):,} of {len(reported):,} {are} also in {' and '.join(chosen_on)}, where thresholds are chosen: "
        "on other people the errors may be larger.",
        {"n_subjects": len(both)},
    )


def cautions(
    run: Run, subsets: Sequence[str] | None = None, *, kinds: pd.DataFrame | None = None, ids_differ: bool = False
) -> list[Caution]:
    """What to know before numbers on some subsets (all outside `train`, by default) are believed.

    `kinds`: of the Run by `census.of_run`, where they are at hand. `ids_differ`: it is known that no two samples of the
    Run have one id.
    """
    wanted = outside_training(run.subsets if subsets is None else subsets)
    kinds = census.of_run(run) if kinds is None else kinds
    kinds = kinds[kinds["subset"].isin(wanted)]
    if not len(kinds):
        return []
    in_two = None if ids_differ else subset_overlap(run, wanted)
    listed = [training_overlap(kinds), near_duplicates(run, wanted), other_modality(run), in_two]
    if nameless := _n_nameless(kinds):
        listed.append(Caution("no_subjects", _nameless(run, nameless), {"n_samples": nameless}))
    listed += [injections(kinds), left_before(run, wanted), simulated(kinds)]
    return [caution for caution in listed if caution is not None]


def subset_overlap(run: Run, subsets: Sequence[str]) -> Caution | None:
    """How many samples are in several of some subsets; None where none is."""
    if not samples_in_two_subsets(run):  # which is kept, as ids are the longest texts that there are
        return None
    samples = run.samples(["sample_id", "subset"], repeated=["subset"])
    samples = samples[samples["subset"].isin(list(subsets))]
    message = _samples_in_two_subsets(samples)
    repeated = samples["sample_id"][samples["sample_id"].duplicated()].nunique()
    return Caution("subset_overlap", message[0], {"n_samples": int(repeated)}) if message else None


def left_before(run: Run, subsets: Sequence[str]) -> Caution | None:
    """How many whole presentations (videos, or images of none) of some subsets left before the Run was made.

    By the trail of its manifest, as it is there now; None where there is none, where it cannot be read, and where
    nothing left. What left before there were subsets is told, whatever they are.
    """
    if not run.info.manifest_path:
        return None
    try:
        every = trail.lost(Path(run.info.manifest_path))
    except BadInputError:  # the page Data says so; numbers on what is here stand without it
        return None
    modality = run.info.modality
    lost = [
        (step, of)
        for step, of in every
        if of.subset in (*subsets, ALL)
        and (not modality or of.modality in ("", modality))
        and not is_injected(of.pai_species)
    ]
    if not lost:
        return None
    n_here = _presentations_of(run, subsets)
    said, of_subsets = [], {}
    for name in in_protocol_order(sorted({of.subset for _, of in lost})):
        here = [(step, of) for step, of in lost if of.subset == name]
        n_left = {label: sum(of.n for _, of in here if of.is_attack == (label == ATTACK)) for label in LABELS}
        is_known = name in subsets
        n_of = {label: n + n_here.get((name, label), 0) for label, n in n_left.items()} if is_known else {}
        counted = {label: f"{n:,} of {n_of[label]:,}" if is_known else f"{n:,}" for label, n in n_left.items()}
        units = {of.unit for _, of in here}
        unit = units.pop() if len(units) == 1 else "presentations"
        where = f"of {name}" if is_known else "before there were subsets"
        said.append(f"{counted[BONA_FIDE]} bona fide and {counted[ATTACK]} attack {unit} {where} ({_reasons(here)})")
        of_subsets[name] = {"left": n_left} | ({"of": n_of} if is_known else {})
    return Caution(
        LEFT_BEFORE,
        f"Left before the Run: {'; '.join(said)}. They are no non-responses here.",
        {"n_left": sum(of.n for _, of in lost), "subsets": of_subsets},
    )


def _reasons(lost: Sequence[tuple[str, trail.Lost]]) -> str:
    """ "faces: no face 2, frames: damaged 1" """
    n_of: dict[str, int] = {}
    for step, of in lost:
        n_of[f"{step}: {of.kind}"] = n_of.get(f"{step}: {of.kind}", 0) + of.n
    return ", ".join(f"{reason} {n:,}" for reason, n in sorted(n_of.items(), key=lambda item: -item[1]))


def _presentations_of(run: Run, subsets: Sequence[str]) -> dict[tuple[str, str], int]:
    """(subset, label) -> videos, and images of none, with those that gave no output; injections are none."""
    key = ["subset", "label", "pai_species", "subject_id", "session_id", "video_id"]
    columns = [name for name in (*key, "sample_id") if name in run.column_names()]
    failures = run.failures()
    rows = pd.concat([run.samples(columns), failures[[name for name in columns if name in failures]]]).astype("str")
    rows = rows.fillna("")
    rows = rows[rows["subset"].isin(list(subsets)) & ~are_injected(rows["pai_species"])]
    if "video_id" in rows:
        rows["sample_id"] = rows["sample_id"].where(rows["video_id"] == "", "")
    sizes = rows.drop_duplicates().groupby(["subset", "label"]).size()
    return {(str(subset), str(label)): int(n) for (subset, label), n in sizes.items()}


def other_modality(run: Run) -> Caution | None:
    """That a model sees pictures of another modality than it has learned from; None where both are not known."""
    learned, seen = run.info.checkpoint_header.get(MODALITY), run.info.modality
    if not (learned and seen) or learned == seen:
        return None
    message = f"The model has learned from images of modality {learned}; these are {seen}."
    return Caution("other_modality", message, {"learned": learned, "seen": seen})


def injections(kinds: pd.DataFrame) -> Caution | None:
    """How many of some samples are injection attacks, which no rate of presentations counts; None where none are.

    `kinds`, here and below: the samples as `census.of_run` has them.
    """
    if "pai_species" not in kinds:
        return None
    injected = kinds[are_injected(kinds["pai_species"])]
    counts = injected[census.N].groupby(injected["pai_species"].astype(str)).sum()
    if not len(counts):
        return None
    each = ", ".join(f"{n:,} {name}" for name, n in counts.items())
    return Caution(
        "injections",
        f"Injection attacks are no presentations and in no rate of them: {each}.",
        {"n_per_species": {str(name): int(n) for name, n in counts.items()}},
    )


def simulated(kinds: pd.DataFrame) -> Caution | None:
    """Which species of some samples are simulated attacks, and what that is worth; None where none is."""
    if "pai_species" not in kinds or not (species := sorted(_names(kinds, "pai_species", kinds[census.SIMULATED]))):
        return None
    return Caution(SIMULATED, simulation.caveat(species), {"simulated_species": species})


def training_overlap(kinds: pd.DataFrame) -> Caution | None:
    """How many of some samples, meant for testing, are images that the model's training has used, by their content.

    None where there are none, or where the checkpoint does not say what it learned from.
    """
    if TRAINING_USE not in kinds:
        return None
    used = kinds[kinds[TRAINING_USE].isin([LEARNED, DEV])]
    if not len(used):
        return None
    n, n_used = int(kinds[census.N].sum()), int(used[census.N].sum())
    n_learned = int(used.loc[used[TRAINING_USE] == LEARNED, census.N].sum())
    n_dev = n_used - n_learned
    n_of, people = {}, []
    for column, name in (("subject_id", "subjects"), ("session_id", "sessions")):
        n_of[f"n_{name}"] = n_named = used.loc[used[column] != "", column].nunique() if column in used else 0
        if n_named:
            people.append(f"{n_named:,} {name if n_named != 1 else name[:-1]}")
    per_subset = used[census.N].groupby(used["subset"].astype(str)).sum()
    subsets = {name: int(per_subset[name]) for name in in_protocol_order(per_subset.index)}
    whose = f", of {' and '.join(people)}," if people else ""
    parts = [f"{n_learned:,} were learned from"] if n_learned else []
    parts += [f"{n_dev:,} chose the epoch"] if n_dev else []
    each = ", ".join(f"{name} {n:,}" for name, n in subsets.items())
    return Caution(
        "training_overlap",
        f"{n_used:,} of {n:,} test images{whose} are known to the model by their content: "
        f"{' and '.join(parts)} ({each}). Numbers on them flatter.",
        {"n_images": n, "n_learned": n_learned, "n_dev": n_dev, **n_of, "subsets": subsets},
    )


def near_duplicates(run: Run, subsets: Sequence[str]) -> Caution | None:
    """How many samples of some subsets are nearly the same picture as one of `train`.

    None where there are none, and where the Run's samples have not been compared: that is done when a Run is made, for
    large ones on demand (`duplicates.of_run`).
    """
    compared = duplicates.known(run, "pixels")
    rows = np.empty(0, np.int64) if compared is None else compared.beside_training(subsets)
    if compared is None or not len(rows):
        return None
    near = compared.samples.iloc[rows]
    n, n_attack = int(compared.samples["subset"].isin(subsets).sum()), int((near["label"] == ATTACK).sum())
    per_subset = near["subset"].value_counts()
    of_subsets = {name: int(per_subset[name]) for name in in_protocol_order(per_subset.index)}
    each = ", ".join(f"{name} {count:,}" for name, count in of_subsets.items())
    attacks = f", {n_attack:,} of them attacks" if n_attack else ""
    return Caution(
        "near_duplicates",
        f"{len(rows):,} of {n:,} test images are near-duplicates of training images by their pixels ({each}{attacks}): "
        f"nearer than {compared.limit.words}. Numbers on them are not those of new faces.",
        {"n_images": n, "n_near": len(rows), "n_attacks": n_attack, "subsets": of_subsets},
    )


def overdue(run: Run) -> str:
    """How much of a Run may not be kept any longer, in a sentence; "" where nothing is late."""
    if RETAIN not in run.column_names():
        return ""
    rows = run.samples([RETAIN])
    late = retention.overdue(rows, retention.today())
    if not late.any():
        return ""
    images = "1 image was" if late.sum() == 1 else f"{int(late.sum()):,} images were"
    return f"{images} to be kept until {retention.latest(rows[late])} at the latest: fas prune --expired removes them."


def counts(kinds: pd.DataFrame) -> pd.DataFrame:
    """One row per subset: bona fide, attacks per species in words, subjects, sessions; none without a sample."""
    named = (("subjects", "subject_id"), ("sessions", "session_id"))
    people = {name: column for name, column in named if column in kinds}
    sizes = kinds.groupby(["subset", "label", "pai_species"], dropna=False, observed=True)[census.N].sum()
    rows = []
    for subset in in_protocol_order(kinds["subset"].unique()):
        of_subset = sizes.loc[[subset]].reset_index()
        attacks = of_subset[of_subset["label"] == ATTACK]
        species = attacks["pai_species"].astype(object).fillna("").replace("", "unspecified")
        each = attacks[census.N].groupby(species).sum()
        row = {
            "subset": subset,
            "bona_fide": int(of_subset.loc[of_subset["label"] == BONA_FIDE, census.N].sum()),
            "attacks": ", ".join(f"{n} {name}" for name, n in each.items()) or "none",
        }
        here = kinds["subset"] == subset
        rows.append(row | {name: len(_names(kinds, column, here)) for name, column in people.items()})
    return pd.DataFrame(rows, columns=["subset", "bona_fide", "attacks", *people])


def _names(kinds: pd.DataFrame, column: str, chosen: pd.Series) -> set[str]:
    """The different names in a column of some samples."""
    values = kinds[column].astype("category")
    is_there = np.zeros(len(values.cat.categories) + 1, np.bool_)  # the last one is that of no name, whose code is -1
    is_there[values.cat.codes.to_numpy()[chosen.to_numpy(bool)]] = True
    return set(values.cat.categories[is_there[:-1]]) - {""}


def findings(
    run: Run, kinds: pd.DataFrame, chosen_on: Sequence[str] | None = None, reported_on: Sequence[str] | None = None
) -> list[str]:
    """Sentences on what may mislead; empty when nothing is conspicuous.

    `chosen_on`, `reported_on`: of the threshold, by default as `operating_point` without a word would have it.
    """
    sentences = []
    if run.n_failures:
        sentences.append(f"{run.n_failures} images gave no output and count as non-responses in every rate.")
    constant = int((kinds[census.CONSTANT] * kinds[census.N]).sum()) if census.CONSTANT in kinds else 0
    if constant:
        sentences.append(f"{constant} images are a single shade of gray; after scaling they are 0.5 everywhere.")
    overlap = training_overlap(kinds[~is_training(kinds)])
    if overlap is not None:
        sentences.insert(0, overlap.message)
    sentences += samples_in_two_subsets(run)
    if TRAIN in run.subsets:
        sentences += _leaks(kinds)
    if shared := subject_overlap(run, *_roles(run, chosen_on, reported_on)):
        sentences.append(shared.message)
    single = int(kinds.loc[kinds["held_out_by"] == "image", census.N].sum()) if "held_out_by" in kinds else 0
    if single:
        sentences.append(
            f"Sessions are unknown: {single} live images of the seen subsets are single images held out of training "
            "and may resemble training images closely."
        )
    if nameless := _n_nameless(kinds):
        sentences.append(_nameless(run, nameless))
    others = (injections(kinds), left_before(run, outside_training(run.subsets)), simulated(kinds))
    return [*sentences, *(caution.message for caution in others if caution is not None)]


def _roles(
    run: Run, chosen_on: Sequence[str] | None, reported_on: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    chosen = dev_subsets(run.subsets) if chosen_on is None else chosen_on
    return chosen, fresh_subsets(run.subsets, chosen) if reported_on is None else reported_on


def all_well(run: Run, chosen_on: Sequence[str] | None = None, reported_on: Sequence[str] | None = None) -> str:
    """What was looked at where there are no `findings`, in a sentence: only what this Run's data can tell."""
    looked = ["every image was read"] if run.has("inputs") else []
    if "subject_id" in run.column_names():
        chosen, reported = _roles(run, chosen_on, reported_on)
        looked += ["no subject is in both training and unseen subsets"] if TRAIN in run.subsets else []
        if chosen and (others := [name for name in reported if name not in chosen]) and TRAIN not in chosen:
            looked.append(f"no subject of {' or '.join(others)} is also in {' or '.join(chosen)}")
    return f"Nothing conspicuous: {', '.join(looked)}." if looked else "Nothing conspicuous."


def usual_overlap(run: Run) -> Caution | None:
    """`subject_overlap` of the subsets that a threshold would be chosen and reported on unless somebody says
    otherwise."""
    return subject_overlap(run, *_roles(run, None, None))


def _n_nameless(kinds: pd.DataFrame) -> int:
    """How many samples name no subject."""
    return int((kinds[kinds["subject_id"] == ""] if "subject_id" in kinds else kinds)[census.N].sum())


def _nameless(run: Run, n: int) -> str:
    said = f"{n:,} samples name no subject, so intervals treat them as independent."
    column = column_of_people(run.column_names())
    if not column:
        return said
    remedy = "write it as subject_id in the manifest" if not run.is_of_scores else f"--column subject_id={column}"
    how = "" if not run.is_of_scores else "import again with "
    return f"{said} If its column '{column}' names people: {how}{remedy}."


def samples_in_two_subsets(run: Run) -> list[str]:
    """How many samples of a Run are in several of its subsets, in a sentence; [] where none is. Kept of many shards."""

    def sentences() -> list[str]:
        return _samples_in_two_subsets(run.samples(["sample_id", "subset"], repeated=["subset"]))

    if len(run.shards) <= columns.FEW:
        return sentences()
    return memo.document(run.cache, *_in_two_subsets(run), list[str], sentences)


def is_looked_through(run: Run) -> bool:
    """Whether all samples need not be gone through for what is wrong with them."""
    return len(run.shards) <= columns.FEW or memo.is_kept(run.cache, *_in_two_subsets(run))


def _in_two_subsets(run: Run) -> tuple[str, dict[str, object]]:
    """What `samples_in_two_subsets` is kept by."""
    return "in_two_subsets", {"run": run.shards_digest, "format": 1}


def _samples_in_two_subsets(samples: pd.DataFrame) -> list[str]:
    if all_differ(samples["sample_id"]):
        return []
    repeated = samples[samples["sample_id"].duplicated(keep=False)]
    names = " and ".join(in_protocol_order(repeated["subset"].unique()))
    count = repeated["sample_id"].nunique()
    return [f"{count} samples are in {names} at once: what is chosen on one is not independent of the other."]


def all_differ(names: pd.Series) -> bool:
    """Whether no name stands there twice: by sorting, as a hash table of five million names takes a gigabyte."""
    texts = pa.array(names, pa.large_string())
    ordered = texts.take(pc.sort_indices(texts))
    return not pc.any(pc.equal(ordered[1:], ordered[:-1])).as_py()


def _leaks(kinds: pd.DataFrame) -> list[str]:
    """Subjects of unseen subsets, and sessions of any test subset, that training has seen."""
    sentences = []
    is_train = kinds["subset"] == TRAIN
    is_unseen = kinds["subset"].str.startswith("unseen_") | (kinds["subset"] == LIVE)
    for tested, column, where in (
        (is_unseen, "subject_id", "the unseen subsets"),
        (~is_train, "session_id", "the test subsets"),
    ):
        if column in kinds:
            both = _names(kinds, column, tested) & _names(kinds, column, is_train)
            if both:
                what = "subjects" if column == "subject_id" else "sessions"
                sentences.append(f"{len(both)} {what} of training also occur in {where}, e.g. {min(both)}.")
    return sentences
