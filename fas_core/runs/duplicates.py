"""Near-duplicates of a Run: samples nearer to each other than live faces of different people are.

    near = duplicates.of_run(run, "pixels")
    near.limit.distance, near.pairs, near.beside_training(["live"])

Every sample is compared with every other one: by pixels, 32x32 of the stored inputs, whose brightness and contrast are
scaled away; or by codes. Of each the nearest sample in every subset is kept, so that memory grows with samples and not
with pairs. What counts as near follows from the data: see `limit_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data import thumbnails
from fas_core.data.names import BONA_FIDE, TRAIN, is_training
from fas_core.errors import BadInputError
from fas_core.runs.store import Run

By = Literal["pixels", "code"]
WAYS: dict[By, str] = {"pixels": "inputs", "code": "latents"}  # and what of a Run is compared
BLOCK = 2048  # rows against so many others at once: 16 MB of distances
MOST = 300_000  # samples: the work grows with their square
QUICK = 20_000  # samples that are compared in seconds: done for every Run that is made
KEEP_APART, SHARE = 0.95, 0.5  # near: half the distance that 95 % of live faces keep from everybody else's
SHARE_OF_MEDIAN = 0.25  # where nobody is named: a quarter of the median distance from a live face to the next

Points = NDArray[np.uint8] | NDArray[np.float32]  # (n, d)
Told = Callable[[float], object]  # called with the share that is done

# ------------------------------------------------------------------------------------------------ nearest neighbours


class _Best:
    """For each of n points the nearest of those it has been shown so far."""

    def __init__(self, n: int) -> None:
        self.squared = np.full(n, np.inf, np.float32)
        self.rows = np.full(n, -1, np.int32)

    def improve(self, of: NDArray[np.int64], among: NDArray[np.int64], squared: NDArray[np.float32]) -> None:
        """`squared`: (m, l) distances of m points from l others."""
        at = squared.argmin(axis=1)
        values = squared[np.arange(len(of)), at]
        is_nearer = values < self.squared[of]
        self.squared[of[is_nearer]] = values[is_nearer]
        self.rows[of[is_nearer]] = among[at[is_nearer]]

    def distances(self, points: Points) -> NDArray[np.float32]:
        """(n,) of the points themselves, not of products; inf where none was shown."""
        exact = np.full(len(self.rows), np.inf, np.float32)
        known = np.flatnonzero(self.rows >= 0)
        for first in range(0, len(known), BLOCK):
            here = known[first : first + BLOCK]
            apart = points[here].astype(np.float32) - points[self.rows[here]].astype(np.float32)
            exact[here] = np.sqrt(np.einsum("nd,nd->n", apart, apart, dtype=np.float64))
        return exact


@dataclass(frozen=True, eq=False)
class Nearest:
    """Of n points the nearest other one in each of k groups; `apart`: see `nearest_in_groups`."""

    rows: NDArray[np.int32]  # (n, k), -1 where there is none
    distances: NDArray[np.float32]  # (n, k), inf where there is none
    apart: NDArray[np.float32]  # (n,), inf where there is none


def nearest_in_groups(
    points: Points, groups: NDArray[np.integer], k: int, people: NDArray[np.integer], told: Told = lambda _: None
) -> Nearest:
    """The nearest other point of each of n points in each of k groups, (n,) from 0, by Euclidean distance.

    `people`: (n,) whose face it is, from 0, or -1; `apart` is the distance of those with a number to the nearest point
    with another number. float32 proposes, so of points that are equally near but for rounding any may be named.
    """
    n = len(points)
    order = np.argsort(groups, kind="stable")  # members of a group lie side by side
    bounds = np.searchsorted(groups[order], np.arange(k + 1))
    centre = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    in_group, apart = [_Best(n) for _ in range(k)], _Best(n)

    def improve(of: NDArray[np.int64], start: int, among: NDArray[np.int64], squared: NDArray[np.float32]) -> None:
        for group, best in enumerate(in_group):
            here = slice(*np.clip(bounds[group : group + 2] - start, 0, len(among)))
            if here.start < here.stop:
                best.improve(of, among[here], squared[:, here])

    starts = range(0, n, BLOCK)
    n_blocks, n_done = len(starts) * (len(starts) + 1) / 2, 0
    for start in starts:
        ours = order[start : start + BLOCK]
        x = points[ours].astype(np.float32) - centre
        for other in range(start, n, BLOCK):
            theirs = order[other : other + BLOCK]
            y = points[theirs].astype(np.float32) - centre
            squared = np.einsum("nd,nd->n", x, x)[:, np.newaxis] + np.einsum("nd,nd->n", y, y) - 2 * (x @ y.T)
            if other == start:
                np.fill_diagonal(squared, np.inf)
            else:
                improve(theirs, start, ours, squared.T)
            improve(ours, other, theirs, squared)
            a, b = np.flatnonzero(people[ours] >= 0), np.flatnonzero(people[theirs] >= 0)
            if len(a) and len(b):
                squared = squared[np.ix_(a, b)]
                squared[people[ours[a]][:, np.newaxis] == people[theirs[b]]] = np.inf
                apart.improve(ours[a], theirs[b], squared)
                apart.improve(theirs[b], ours[a], squared.T)
            told((n_done := n_done + 1) / n_blocks)
    rows = np.stack([best.rows for best in in_group], axis=1)
    return Nearest(rows, np.stack([best.distances(points) for best in in_group], axis=1), apart.distances(points))


# -------------------------------------------------------------------------------------------------- what counts as near


@dataclass(frozen=True)
class Limit:
    """Samples nearer to each other than `distance` are near-duplicates."""

    distance: float  # 0 where there is nothing to take it from
    n_live: int  # live faces that it was taken from
    n_within: int  # how many of them are that near to somebody else's
    knows_people: bool

    @property
    def words(self) -> str:
        """What is near, to follow "nearer than"."""
        if self.knows_people:
            return "half the distance that 95 % of live faces keep from everybody else's"
        return "a quarter of the median distance from one live face to the next (the data name no two subjects)"


def limit_of(apart: NDArray[np.floating], *, knows_people: bool) -> Limit:
    """From the distance (m,) of each live face to the nearest of another person, or, where those are not known, to the
    nearest other one.

    A quantile and not the least distance, as a single image under two names would make that 0; half of it, as otherwise
    some pairs of different people would always be called nearly the same.
    """
    apart = apart[np.isfinite(apart)]
    if not len(apart):
        return Limit(0.0, 0, 0, knows_people)
    distance = float(SHARE * np.quantile(apart, 1 - KEEP_APART) if knows_people else SHARE_OF_MEDIAN * np.median(apart))
    return Limit(distance, len(apart), int((apart < distance).sum()) if knows_people else 0, knows_people)


# ---------------------------------------------------------------------------------------------------------- of a Run


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """What is nearly the same among n samples."""

    near: Nearest  # its groups are `subsets`
    samples: pd.DataFrame  # (n,) subset, label
    subsets: tuple[str, ...]
    limit: Limit

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """`a`, `b` (rows, a < b), `distance`, `is_training` (one in training, one outside), `is_across` (two subsets).

        Training against others first, then across other subsets, then within one; the nearest first in each. Of each
        sample only its nearest in every subset: a hundred equal images make about a hundred pairs, not 4,950.
        """
        a, group = np.nonzero(self.near.distances < self.limit.distance)
        b = self.near.rows[a, group].astype(np.int64)
        listed = pd.DataFrame({"a": np.minimum(a, b), "b": np.maximum(a, b), "distance": self.near.distances[a, group]})
        listed = listed.drop_duplicates(["a", "b"])
        subset, is_train = self.samples["subset"].to_numpy(str), is_training(self.samples)
        a, b = listed["a"].to_numpy(), listed["b"].to_numpy()
        listed["is_training"] = is_train[a] != is_train[b]
        listed["is_across"] = subset[a] != subset[b]
        order = ["is_training", "is_across", "distance", "a", "b"]
        return listed.sort_values(order, ascending=[False, False, True, True, True], ignore_index=True)

    @property
    def answer(self) -> str:
        """What is twice there, in a sentence: how many test images are nearly training images, or that none is."""
        outside = [name for name in self.subsets if name != TRAIN]
        rows, n = self.beside_training(outside), int(self.samples["subset"].isin(outside).sum())
        n_across, n_pairs = int((self.pairs["is_across"] & ~self.pairs["is_training"]).sum()), len(self.pairs)
        if not n_pairs:
            return f"None of {len(self.samples):,} images is nearly the same as another one."
        n_within = n_pairs - int(self.pairs["is_across"].sum())
        pairs = "1 pair lies" if n_across == 1 else f"{n_across:,} pairs lie"
        others = f"{pairs} across other subsets, {n_within:,} within one"
        if TRAIN not in self.subsets or not n:
            return f"{others}."
        if not len(rows):
            return f"None of {n:,} test images is nearly the same as a training image; {others}."
        per_subset = self.samples["subset"].iloc[rows].value_counts()
        each = ", ".join(f"{name} {per_subset[name]:,}" for name in outside if name in per_subset)
        return f"{len(rows):,} of {n:,} test images are nearly the same as a training image ({each}); {others}."

    def beside_training(self, subsets: Sequence[str]) -> NDArray[np.int64]:
        """Rows of some subsets, outside `train`, that have a near-duplicate in `train`."""
        if TRAIN not in self.subsets:
            return np.empty(0, np.int64)
        is_near = self.near.distances[:, self.subsets.index(TRAIN)] < self.limit.distance
        here = self.samples["subset"].isin([name for name in subsets if name != TRAIN]).to_numpy()
        return np.flatnonzero(is_near & here)


def among(
    points: Points, samples: pd.DataFrame, subsets: Sequence[str], unit: float = 1.0, told: Told = lambda _: None
) -> NearDuplicates:
    """Of n points, (n, d), and what the samples say: subset, label, and subject_id where people are named.

    `unit`: what a distance of 1 is among the points.
    """
    return _near_duplicates(_compared(points, samples, subsets, unit, told), samples, subsets)


def _compared(
    points: Points, samples: pd.DataFrame, subsets: Sequence[str], unit: float, told: Told
) -> Mapping[str, Any]:
    groups = pd.Categorical(samples["subset"], categories=list(subsets)).codes
    near = nearest_in_groups(points, groups, len(subsets), _people(samples)[0], told)
    return {"rows": near.rows, "distances": near.distances / unit, "apart": near.apart / unit}


def _people(samples: pd.DataFrame) -> tuple[NDArray[np.int64], bool]:
    """(n,) the number of whose live face it is, or -1; and whether these are people, or every face its own."""
    is_live = (samples["label"] == BONA_FIDE).to_numpy()
    if "subject_id" in samples:
        codes, names = pd.factorize(samples["subject_id"].where(is_live & (samples["subject_id"] != "")))
        if len(names) > 1:
            return codes.astype(np.int64), True
    return np.where(is_live, np.arange(len(samples)), -1), False


def _near_duplicates(arrays: Mapping[str, Any], samples: pd.DataFrame, subsets: Sequence[str]) -> NearDuplicates:
    near = Nearest(arrays["rows"], arrays["distances"], arrays["apart"])
    people, knows_people = _people(samples)
    limit = limit_of(near.apart[people >= 0], knows_people=knows_people)
    return NearDuplicates(near, samples[["subset", "label"]], tuple(subsets), limit)


def of_run(run: Run, by: By, told: Told = lambda _: None) -> NearDuplicates:
    """The samples of a Run; kept. Raises BadInputError for a Run without images, and for one of more than `MOST`."""
    if len(run) > MOST:
        raise BadInputError(
            f"Run {run.info.name} has {len(run):,} samples: comparing each with each is done for at most {MOST:,}. "
            "Compare the images before they are judged: fas data dedupe M.csv --out M2.csv"
        )
    samples, subsets = _samples(run), run.subsets

    def compute() -> Mapping[str, Any]:
        points, unit = (pixels(run), thumbnails.UNIT) if by == "pixels" else (run.latents(), 1.0)
        return _compared(points, samples, subsets, unit, told)

    return _near_duplicates(memo.arrays(run.cache, *_key(run, by), compute), samples, subsets)


def ways(run: Run) -> list[By]:
    """Those by which its samples can be compared."""
    return [by for by, content in WAYS.items() if run.has(content)]


def known(run: Run, by: By) -> NearDuplicates | None:
    """The same if it has been computed: nothing slow."""
    arrays = memo.found(run.cache, *_key(run, by)) if run.has(WAYS[by]) and len(run) else None
    return None if arrays is None else _near_duplicates(arrays, _samples(run), run.subsets)


def are_known(run: Run) -> bool:
    """Whether they have been computed by all `ways`; nothing is read."""
    return all(memo.is_kept(run.cache, *_key(run, by)) for by in ways(run))


def pixels(run: Run) -> NDArray[np.uint8]:
    """(n, 1024) the stored inputs of a Run, shrunk; read shard by shard. Raises BadInputError where it has none."""
    small = [thumbnails.shrunk(shard.array("inputs")) for shard in run.shards if run.has("inputs")]
    if not small:
        raise BadInputError(f"Run {run.info.name} has no images to compare.")
    return np.concatenate(small)


def _key(run: Run, by: By) -> tuple[str, dict[str, Any]]:
    return "near-duplicates", {"run": run.shards_digest, "by": by, "version": 1}


def _samples(run: Run) -> pd.DataFrame:
    return run.samples([name for name in ("subset", "label", "subject_id") if name in run.column_names()])
