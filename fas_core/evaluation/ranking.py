"""How well scores rank attacks above live faces: AUC and average precision by subset and species, and how to read them.

Sentences are Markdown; `named` writes names from files in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import ATTACK, BONA_FIDE, groups_of, is_training
from fas_core.delivery import are_injected
from fas_core.metrics import ScoreSet, uncertainty
from fas_core.metrics.uncertainty import Units

KINDS = ["subset", "label", "pai_species"]
ALL = ""  # subsets together, or species together
LITTLE = 0.6  # an AUC that is little better than chance


@dataclass(frozen=True, eq=False)
class Cells:
    """The few combinations of subset, label and species that occur, and which of them each sample is, (n,)."""

    table: pd.DataFrame  # subset, label, species, group (as in charts)
    of: NDArray[np.unsignedinteger[Any]]  # of as few bytes as they need

    def rows_of(self, subsets: Sequence[str]) -> NDArray[np.bool_]:
        """(n,): whether the sample is in one of the subsets."""
        return self.table["subset"].isin(subsets).to_numpy()[self.of]

    def is_new_live(self) -> NDArray[np.bool_]:
        """(n,): whether the sample is a live face that no training has seen."""
        return ((self.table["label"] == BONA_FIDE).to_numpy() & ~is_training(self.table))[self.of]

    def score_set(self, values: NDArray[np.float64], subsets: Sequence[str]) -> ScoreSet:
        """Some subsets as one sorted set of a score's values (n,)."""
        attack, species = self.table["label"] == ATTACK, self.table["species"]
        names = sorted(set(species[attack]))
        codes = np.array(
            [1 + names.index(name) if is_attack else 0 for name, is_attack in zip(species, attack, strict=True)]
        )
        rows = self.rows_of(subsets)
        return metrics.score_set_from_codes(values[rows], codes[self.of[rows]], names)

    def has_both_classes(self, values: NDArray[np.float64], subsets: Sequence[str]) -> bool:
        """Whether there are live faces and presentation attacks in that `score_set`; it is not made."""
        n_with_score = np.bincount(self.of[~np.isnan(values)], minlength=len(self.table))
        is_one = self.table["subset"].isin(subsets) & (n_with_score > 0)
        is_attack = self.table["label"] == ATTACK
        is_presented = ~are_injected(self.table["species"])
        return bool((is_one & ~is_attack).any() and (is_one & is_attack & is_presented).any())


def cells(samples: pd.DataFrame) -> Cells:
    """Of samples with the columns `KINDS`; fastest where these are categories."""
    combined, names = np.zeros(len(samples), np.int32), []
    for kind in KINDS:
        column = samples[kind].astype("category").cat
        names.append(column.categories.astype(str))
        combined *= len(names[-1]) + 1
        combined += column.codes.to_numpy() + np.int32(1)  # 0: missing
    present = np.flatnonzero(np.bincount(combined))
    codes = np.unravel_index(present, [len(of_kind) + 1 for of_kind in names])
    table = pd.DataFrame(
        {kind: np.append("", of)[code] for kind, of, code in zip(KINDS, names, codes, strict=True)}, dtype="str"
    )
    cell_of = np.zeros(present.max(initial=0) + 1, np.min_scalar_type(len(present)))
    cell_of[present] = np.arange(len(present))
    species = table["pai_species"].where(table["pai_species"].str.strip() != "", metrics.UNSPECIFIED)
    return Cells(table.assign(species=species, group=groups_of(table)), cell_of[combined])


class Hardest(NamedTuple):
    """The species, of all subsets together, that a score tells least from the live faces."""

    species: str
    is_one_of_several: bool
    n_attack: int
    auc: float
    margin: float  # half the interval of its AUC by whole subjects or the nearest to that, 95 % for all species at once


@dataclass(frozen=True)
class Row:
    """How a score ranks the samples of one place: a subset and a species; ALL is all of them together."""

    subset: str
    species: str
    n_live: int
    n_attack: int
    auc: float
    average_precision: float


@dataclass(frozen=True)
class Ranking:
    """How one score ranks the samples of some subsets: all of them pooled, and each subset by itself."""

    auc: float
    hardest: Hardest
    average_precision: float
    n_live: int
    n_attack: int
    n_missing: int
    rows: tuple[Row, ...]

    @property
    def table(self) -> pd.DataFrame:
        """The rows, a column for each of their fields."""
        return pd.DataFrame(map(vars, self.rows))

    @property
    def n_judged(self) -> int:
        """Samples with a score."""
        return self.n_live + self.n_attack

    @property
    def n(self) -> int:
        """Samples of the rarer class."""
        return min(self.n_live, self.n_attack)


def ranking(of_run: Cells, values: NDArray[np.float64], subsets: Sequence[str], units: Units) -> Ranking | None:
    """Of a score's values (n,) in some subsets; None where together they hold one class only.

    `units`: of the samples of these subsets, in their order.
    """
    pooled = of_run.score_set(values, subsets)
    if not (pooled.n_bona_fide and pooled.n_attack):
        return None
    rows = _rows(ALL, pooled) if len(subsets) > 1 else []
    for subset in subsets:
        of_subset = of_run.score_set(values, [subset])
        if of_subset.n_bona_fide and of_subset.n_attack:
            rows += _rows(subset, of_subset)
    return Ranking(
        auc=metrics.roc_auc(pooled),
        hardest=_hardest(of_run, values, subsets, units, pooled),
        average_precision=metrics.average_precision(pooled),
        n_live=pooled.n_bona_fide,
        n_attack=pooled.n_attack,
        n_missing=sum(pooled.n_non_response.values()),
        rows=tuple(rows),
    )


def _rows(subset: str, score_set: ScoreSet) -> list[Row]:
    """All attacks of a subset, then each species where there are several."""
    present = [name for name, values in score_set.attacks.items() if values.size]
    sets = {present[0] if len(present) == 1 else ALL: score_set}
    if len(present) > 1:
        sets |= {name: metrics.of_species(score_set, name) for name in present}
    return [
        Row(
            subset,
            name,
            of_name.n_bona_fide,
            of_name.n_attack,
            metrics.roc_auc(of_name),
            metrics.average_precision(of_name),
        )
        for name, of_name in sets.items()
    ]


def _hardest(
    of_run: Cells, values: NDArray[np.float64], subsets: Sequence[str], units: Units, pooled: ScoreSet
) -> Hardest:
    auc = {name: metrics.roc_auc(pooled, name) for name, attacks in pooled.attacks.items() if attacks.size}
    hardest = min(auc, key=lambda name: auc[name])
    is_attack = (of_run.table["label"] == ATTACK).to_numpy()
    is_hardest = is_attack & (of_run.table["species"] == hardest).to_numpy()
    rows = of_run.rows_of(subsets)
    cell, of_rows = of_run.of[rows], values[rows]
    compared = (~is_attack | is_hardest)[cell] & ~np.isnan(of_rows)
    margin = uncertainty.auc_margin(
        of_rows[compared],
        is_hardest[cell[compared]],
        units.of(compared),
        level=1 - 0.05 / len(auc),  # the worst of k looks worse than one: Bonferroni
    )
    return Hardest(hardest, len(auc) > 1, pooled.attacks[hardest].size, auc[hardest], margin)


def by_place(rankings: Mapping[str, Ranking], column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each score reaches where: how many samples every place has, those of the score with most, and `column` of
    the `rows` by score; both by subset and species.

    Places: all subsets together, then species of all, then each subset, those where a score does best first. Scores:
    the best of all subsets together first. NaN where a score has no such row.
    """
    keys = ["subset", "species"]
    rows = pd.concat([of_score.table for of_score in rankings.values()])
    rows = rows.groupby(keys, sort=False)[["n_live", "n_attack"]].max()
    ranked = sorted(rankings, key=lambda name: -getattr(rankings[name], column))
    values = pd.DataFrame({name: rankings[name].table.set_index(keys)[column] for name in ranked}).reindex(rows.index)
    of_subset, of_species = (rows.index.get_level_values(key) != ALL for key in keys)
    order = pd.DataFrame({"level": np.where(of_subset, 2, of_species), "best": -values.max(axis=1)})
    places = order.sort_values(["level", "best"]).index
    return rows.loc[places], values.loc[places]


# ------------------------------------------------------------------------------------------------------------ in words


def area(value: float, n: int) -> str:
    """An AUC or average precision with the digits that n samples of the rarer class allow; never rounded to perfect."""
    digits = 2 if n < 1000 else 3
    text = f"{value:.{digits}f}"
    return f">{1 - 10**-digits:.{digits}f}" if value < 1 == float(text) else text


def share_of_pairs(auc: float) -> str:
    """An AUC as the share of pairs it is; never rounded to all or none of them."""
    if 0.995 <= auc < 1:
        return ">99\u00a0%"
    if 0 < auc < 0.005:
        return "<1\u00a0%"
    return f"{100 * auc:.0f}\u00a0%"


def reading(auc: float, margin: float) -> str:
    """How an AUC give or take a margin is to be read near or below chance; "" where it speaks for itself."""
    if auc + margin < 0.5:
        return "worse than chance, for live faces score higher than attacks"
    if auc - margin <= 0.5:
        return "no better than chance" if auc < LITTLE else "chance may give that too"
    return "little better than chance" if auc < LITTLE else ""


def answer(rankings: Mapping[str, Ranking], named: Callable[[str], str] = str) -> str:
    """Which score does best on the attacks hardest for it, and which least; `rankings` is sorted, best first."""
    names, ranked = [named(name) for name in rankings], list(rankings.values())
    best, worst = ranked[0], ranked[-1]
    hardest = f"{'hardest ' if best.hardest.is_one_of_several else ''}attacks, {named(best.hardest.species)}"
    n = f" (n = {best.hardest.n_attack:,})"
    pooled = f"all {best.n_attack:,} attacks against {best.n_live:,} live faces: {area(best.auc, best.n)}"
    together = f"; {pooled}" if best.hardest.is_one_of_several else ""
    if len(ranked) == 1:
        return f"**{names[0]}** tells the {hardest}{n}, from live faces with {_auc(best)}{together}."
    fewer = fewer_words(rankings, named)
    if _area(best) == _area(worst):
        return f"All {len(ranked)} scores do alike on their {hardest}{n}: {_auc(best)}{together}.{fewer}"
    second = f"then {names[1]} ({_area(ranked[1])}), " if len(ranked) > 2 else ""
    return (
        f"Of {len(ranked)} scores, **{names[0]}** does best on its {hardest}{n}: {_auc(best)}, optimistic, for it is "
        f"chosen on the samples it is judged on; {second}**{names[-1]}** does least: {named(worst.hardest.species)}, "
        f"{_auc(worst)}." + (f" With {names[0]} {pooled}." if best.hardest.is_one_of_several else "") + fewer
    )


def fewer_words(rankings: Mapping[str, Ranking], named: Callable[[str], str] = str) -> str:
    """Which scores are judged on fewer samples than others, behind a blank; "" where all are on the same number."""
    most = max(of_score.n_judged for of_score in rankings.values())
    told = [f"{named(name)} ({r.n_judged:,} of {most:,})" for name, r in rankings.items() if r.n_judged < most]
    return f" On fewer samples, which may decide its place: {', '.join(told)}." if told else ""


def _area(of_score: Ranking) -> str:
    return area(of_score.hardest.auc, min(of_score.n_live, of_score.hardest.n_attack))


def _auc(of_score: Ranking) -> str:
    """Of the hardest species."""
    read = reading(of_score.hardest.auc, of_score.hardest.margin)
    return f"AUC **{_area(of_score)}**{f' ({read})' if read else ''}"


def extremes(rankings: Mapping[str, Ranking]) -> pd.DataFrame:
    """Where the best score there does best, and where worst: two of the `rows`, or none where there is one place only.

    Columns also `score`, and `is_one_of_several`: whether the row is of one of several species of its subset.
    """
    rows = pd.concat([of_score.table.assign(score=name) for name, of_score in rankings.items()])
    rows["is_one_of_several"] = rows.groupby("subset")["species"].transform("nunique") > 1
    places = rows[(rows["subset"] != ALL) & ~(rows["is_one_of_several"] & (rows["species"] == ALL))]
    best = places.sort_values("auc", ascending=False, kind="stable").drop_duplicates(["subset", "species"])
    return best.iloc[[0, -1] if len(best) > 1 else []]
