"""Whether a data set can be trained on and judged by, before anything is computed: what speaks against it, in words.

What it holds is judged by its manifest alone, and by the trail of what left on the way (`trail.Funnel`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.manifest import BOXES, CUT_FROM, Manifest
from fas_core.data.names import ALL, ATTACK, BONA_FIDE, DEV_WORDS, TRAIN, in_protocol_order, readable
from fas_core.data.trail import Funnel, Stage

MEASURES = {  # what is known of each face, and what it is called
    "pose_y": "yaw, in degrees",
    "pose_x": "pitch, in degrees",
    "pose_z": "roll, in degrees",
    "face_size": "size of the face, in pixels",
    "face_sharpness": "sharpness",
    "face_exposure": "exposure",
}
PLACES = ("box_x", "box_y", "box_width", "box_height", "right_eye_x", "right_eye_y", "left_eye_x", "left_eye_y")
KINDS = ("subset", "label", "pai_species", "subject_id", "session_id", "video_id")
TEXTS = ("sample_id", "path", CUT_FROM, BOXES)
UNEQUAL = 0.10  # between shares of two groups that left: from here on it matters
FEW = 30  # of a group: shares of fewer say little
TELLS_APART = 0.80  # AUC of one measure between bona fide and attacks
BINS = 15  # of a histogram
FEW_PEOPLE = 20  # bona fide, of a test


def contents(data: Manifest) -> pd.DataFrame:
    """(n, ...) what the page shows of a manifest, small: kinds as categories, numbers as float32; paths as they are."""
    rows = data.rows
    columns: dict[str, pd.Series] = {name: rows[name].astype("category") for name in KINDS}
    columns |= {name: rows[name] for name in TEXTS if name in rows}
    for name in (*MEASURES, *PLACES):
        if name in rows:
            values = pd.to_numeric(rows[name], errors="coerce").astype("float32")
            if values.notna().any():
                columns[name] = values
    return pd.DataFrame(columns)


def kinds_of(rows: pd.DataFrame) -> NDArray[np.object_]:
    """(n,) bona fide, or the species of an attack."""
    species = rows["pai_species"].astype("str")
    named = np.where(species == "", "attack", species)
    return np.asarray(np.where(rows["label"].astype("str") == ATTACK, named, "bona fide"), object)


def counts(rows: pd.DataFrame) -> pd.DataFrame:
    """Images per subset (rows) and kind (columns), and people."""
    of_kind = rows.groupby(["subset", "label", "pai_species"], observed=True).size().rename("n").reset_index()
    listed = in_protocol_order(of_kind["subset"].astype("str").unique())
    subset = pd.Categorical(of_kind["subset"].astype("str"), listed)
    table = pd.crosstab(subset, kinds_of(of_kind), of_kind["n"], aggfunc="sum").fillna(0).astype(int)
    people = rows[["subset", "subject_id"]].drop_duplicates().astype("str")
    n_people = people.loc[people["subject_id"] != "", "subset"].value_counts()
    table.insert(0, "people", n_people.reindex(table.index).fillna(0).astype(int))
    return table.rename_axis("subset").rename_axis(None, axis=1).reset_index()


# -------------------------------------------------------------------------------------------------------------- leaks


@dataclass(frozen=True)
class Leak:
    """What two subsets have in common that they should not."""

    what: str  # people, recordings
    a: str
    b: str
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        n, one_of = len(self.names), {"people": "person", "recordings": "recording"}[self.what]
        return f"{n:,} {one_of if n == 1 else self.what} {'is' if n == 1 else 'are'} in {self.a} and {self.b}"

    @property
    def unfit(self) -> str:
        """What follows from it."""
        if TRAIN in (self.a, self.b):
            other = self.b if self.a == TRAIN else self.a
            return f"not fit for {'choosing thresholds' if other in DEV_WORDS else 'judging'}"
        return "thresholds would be chosen on whom they are judged by"


def leaks(rows: pd.DataFrame) -> list[Leak]:
    """People and recordings in two subsets of which one is for learning or choosing; the largest first.

    Subsets `seen_...` are made of people of training on purpose: recordings alone are told of them.
    """
    listed = []
    names = in_protocol_order(rows["subset"].drop_duplicates().astype("str"))
    for what, column in (("people", "subject_id"), ("recordings", "video_id")):
        given = rows[[column, "subset"]].drop_duplicates().astype("str")
        within = {name: set(given.loc[given["subset"] == name, column]) - {""} for name in names}
        for a, b in combinations(names, 2):
            is_on_purpose = what == "people" and TRAIN in (a, b) and any(name.startswith("seen_") for name in (a, b))
            if {a, b} & {TRAIN, *DEV_WORDS} and not is_on_purpose and (both := within[a] & within[b]):
                listed.append(Leak(what, a, b, tuple(sorted(both))))
    return sorted(listed, key=lambda leak: (TRAIN not in (leak.a, leak.b), -len(leak.names)))


# ------------------------------------------------------------------------------------------------------------ verdict


@dataclass(frozen=True)
class Verdict:
    """Sentences: `against` accepting the data set, and `cautions` that it can be accepted with. The gravest first."""

    against: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def words(self) -> str:
        if self.against:
            n = len(self.against)
            return f"Not yet: {n} {'thing speaks' if n == 1 else 'things speak'} against it"
        return "Accept" + (f", with {n} caution{'s' if n > 1 else ''}" if (n := len(self.cautions)) else "")


def verdict(rows: pd.DataFrame, way: Funnel, n_beside_training: int | None) -> Verdict:
    """Of the `contents` of a manifest. `n_beside_training`: images outside `train` that are nearly one of it; None
    where they have not been compared."""
    against = [f"{leak.words}: {leak.unfit}." for leak in leaks(rows)]
    against += _missing(rows)
    if n_beside_training:
        against.append(f"{n_beside_training:,} test images are nearly the same as a training image: fas data dedupe.")
    if way.n_unexplained:
        against.append(
            f"{way.n_unexplained:,} rows came or went without a reason: a manifest was changed by hand, or one "
            "of its files is of another run."
        )
    against += [
        _unequal_words(stage, most, least) for stage in way.stages if (pair := unequal(stage)) for most, least in [pair]
    ]
    cautions = [
        f"{MEASURES[name].partition(',')[0].capitalize()} alone tells attacks from bona fide (AUC {auc:.2f} outside "
        "training): a model may learn it instead."
        for name, auc in shortcuts(rows)
    ]
    cautions += _doubts(rows, way)
    if n_beside_training is None:
        cautions.append("Its images have not been compared with each other: copies across subsets are not known.")
    return Verdict(tuple(against), tuple(cautions))


def _missing(rows: pd.DataFrame) -> list[str]:
    """What has to be there."""
    table = rows[["subset", "label"]].astype("str").value_counts()
    n_of = {(str(subset), str(label)): int(n) for (subset, label), n in table.items()}
    names = in_protocol_order(rows["subset"].astype("str").unique())
    if names == [ALL]:
        return ["It has no subsets, so nothing is kept apart for judging: fas data subsets."]
    said = []
    if not n_of.get((TRAIN, BONA_FIDE)):
        said.append("Nothing bona fide is in train: there is nothing to learn from.")
    tested = [name for name in names if name not in (TRAIN, ALL, *DEV_WORDS)]
    if not any(n_of.get((name, ATTACK)) for name in tested):
        said.append("No attack is in a test subset: APCER cannot be judged.")
    if not any(n_of.get((name, BONA_FIDE)) for name in tested):
        said.append("Nothing bona fide is in a test subset: BPCER cannot be judged.")
    nameless = int((rows["subject_id"].astype("str") == "").sum())
    if nameless:
        said.append(f"{nameless:,} of {len(rows):,} images name no person: nobody can say that people are kept apart.")
    return said


def _doubts(rows: pd.DataFrame, way: Funnel) -> list[str]:
    said = []
    names = in_protocol_order(rows["subset"].astype("str").unique())
    tested = [name for name in names if name not in (TRAIN, ALL, *DEV_WORDS)]
    here = rows[rows["subset"].astype("str").isin(tested) & (rows["label"].astype("str") == BONA_FIDE)]
    people = here["subject_id"].astype("str")
    n = people[people != ""].nunique()
    if 0 < n < FEW_PEOPLE:
        said.append(f"{n} bona fide people are in its tests: even without an error, BPCER may be {_bound(n)}.")
    if not any(name in DEV_WORDS for name in names) and names != [ALL]:
        said.append("It has no subset for choosing thresholds (dev).")
    is_attack = rows["label"].astype("str") == ATTACK
    if nameless := int((is_attack & (rows["pai_species"].astype("str") == "")).sum()):
        said.append(f"{nameless:,} attacks are of no named species: APCER is of the worst species.")
    if not way.stages:
        said.append("Where it comes from is not recorded: what left on the way is not known.")
    elif not way.is_whole:
        said.append("Its beginning is not recorded: what left before is not known.")
    return said


def _bound(n: int) -> str:
    """The upper 95 % bound of a rate of which n people gave no example."""
    return f"{100 * (1 - 0.05 ** (1 / n)):.0f} %"


def unequal(stage: Stage) -> tuple[tuple[str, int, int], tuple[str, int, int]] | None:
    """The groups that lost most and least at a step (name, came in, left), where their shares differ by `UNEQUAL`.

    None for steps that take from one group on purpose.
    """
    if stage.step.name in ("filter", "subsets"):
        return None
    listed = [(name, n, gone) for name, (n, gone) in stage.step.groups.items() if n >= FEW]
    if len(listed) < 2:
        return None
    by_share = sorted(listed, key=lambda group: group[2] / group[1])
    least, most = by_share[0], by_share[-1]
    return (most, least) if most[2] / most[1] - least[2] / least[1] >= UNEQUAL else None


def _unequal_words(stage: Stage, most: tuple[str, int, int], least: tuple[str, int, int]) -> str:
    def share(group: tuple[str, int, int]) -> str:
        return f"{100 * group[2] / group[1]:.0f} % of {readable(group[0])}"

    return f"{share(most)} left at {stage.step.name}, but {share(least)}: what is judged is no fair sample of it."


def shortcuts(rows: pd.DataFrame) -> list[tuple[str, float]]:
    """Measures that tell bona fide from attacks by themselves, with their AUC outside training, the best first."""
    outside = rows[rows["subset"].astype("str") != TRAIN]
    is_attack = (outside["label"].astype("str") == ATTACK).to_numpy()
    listed = []
    for name in (name for name in MEASURES if name in rows):
        values = outside[name].to_numpy(np.float64)
        values = np.abs(values) if name.startswith("pose_") else values  # turned to either side
        auc = _auc(values[~is_attack], values[is_attack])
        if auc is not None and max(auc, 1 - auc) >= TELLS_APART:
            listed.append((name, max(auc, 1 - auc)))
    return sorted(listed, key=lambda named: -named[1])


def _auc(live: NDArray[np.float64], attacks: NDArray[np.float64]) -> float | None:
    """The chance that an attack's value is above a live one's, ties half; None of fewer than `FEW` of either."""
    live, attacks = live[~np.isnan(live)], attacks[~np.isnan(attacks)]
    if min(len(live), len(attacks)) < FEW:
        return None
    ranks = pd.Series(np.concatenate([attacks, live])).rank().to_numpy()[: len(attacks)]
    return float((ranks.mean() - (len(attacks) + 1) / 2) / len(live))


# -------------------------------------------------------------------------------------------------------- distributions


@dataclass(frozen=True)
class Histogram:
    """Of one measure in one group: `counts` (BINS,) between `edges` (BINS + 1,), what lies beyond in the outer ones."""

    group: str
    measure: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def holds(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """(n,) the bin of each value, -1 where there is none."""
        inner = np.array(self.edges[1:-1])
        return np.where(np.isnan(values), -1, np.searchsorted(inner, values, side="right")).astype(np.int64)


def groups_by(rows: pd.DataFrame, by: str) -> pd.Series:
    """(n,) the subset of each image, or (by "species") bona fide or its species."""
    return rows["subset"].astype("str") if by == "subset" else pd.Series(kinds_of(rows), rows.index)


def histograms(rows: pd.DataFrame, by: str) -> list[Histogram]:
    """Group by group, in each those of the measures that are known; the edges of a measure are the same in all."""
    of_group = groups_by(rows, by)
    names = in_protocol_order(of_group.unique()) if by == "subset" else _in_order_of_kinds(of_group)
    listed = []
    measures = [name for name in MEASURES if name in rows]
    for group in names:
        here = (of_group == group).to_numpy()
        for name in measures:
            values = rows[name].to_numpy(np.float64)
            low, high = np.nanquantile(values, [0.005, 0.995])
            edges = tuple(np.linspace(low, high if high > low else low + 1, BINS + 1).tolist())
            empty = Histogram(group, name, edges, ())
            bins = empty.holds(values[here])
            counted = np.bincount(bins[bins >= 0], minlength=BINS)
            listed.append(Histogram(group, name, edges, tuple(counted.tolist())))
    return listed


def _in_order_of_kinds(kinds: pd.Series) -> list[str]:
    return sorted(map(str, kinds.unique()), key=lambda name: (name != "bona fide", name))


# -------------------------------------------------------------------------------------------------- the answer in words


@dataclass(frozen=True)
class OfVideos:
    """How many videos are in a manifest, and how many of its rows are of one."""

    n: int
    n_rows: int


def of_videos(rows: pd.DataFrame) -> OfVideos:
    """Of the `contents` of a manifest; a video's id counts in its session."""
    named = rows.loc[rows["video_id"].astype("str") != "", ["subject_id", "session_id", "video_id"]]
    return OfVideos(len(named.drop_duplicates()), len(named))


def answer(way: Funnel, judged: Verdict, of: OfVideos) -> str:
    """In a sentence: what came in, what is left of it, why most left, and the gravest that speaks against it."""
    said = [_came_in(way, of)]
    if (most := way.most_left) is not None:
        stage, kind, n = most
        said.append(
            f"most left because: {kind} ({n:,} of {stage.step.n_in:,} {stage.step.unit_in} at {stage.step.name})"
        )
    if judged.against:
        said.append(judged.against[0].rstrip("."))
    return "; ".join(said) + "."


def _came_in(way: Funnel, of: OfVideos) -> str:
    if not way.stages:
        return f"{way.n_rows:,} rows, of which nothing is recorded"
    last = way.stages[-1].step
    frames = [stage.step for stage in way.stages if stage.step.name == "frames"]
    if not frames:
        first = way.stages[0].step
        if last.unit_out in (first.unit_out, first.unit_in):
            return f"{way.n_rows:,} of {first.n_in:,} {first.unit_in} are here"
        return f"{first.n_kept:,} of {first.n_in:,} {first.unit_in} gave {way.n_rows:,} {last.unit_out}"
    n_in, n_with_frames = sum(step.n_in for step in frames), sum(step.n_kept for step in frames)
    n_rows = f"{of.n_rows:,}" if of.n_rows == way.n_rows else f"{of.n_rows:,} of {way.n_rows:,}"
    return f"{min(of.n, n_with_frames):,} of {n_in:,} videos gave {n_rows} {last.unit_out}"
