"""How well scores rank attacks above live faces: AUC and average precision by subset and species, and how to read them.

Names and Markdown are those of whoever shows the sentences: they stand in them as they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.data.names import ATTACK, BONA_FIDE, groups_of, is_training
from fas_core.metrics import ScoreSet, uncertainty

KINDS = ["subset", "label", "pai_species"]
ALL = ""  # subsets together, or species together
LITTLE = 0.6  # an AUC that is little better than chance


@dataclass(frozen=True, eq=False)
class Cells:
    """The few combinations of subset, label and species that occur, and which of them each sample is, (n,)."""

    table: pd.DataFrame  # subset, label, species, group (as in charts)
    of: NDArray[np.int64]

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


def cells(samples: pd.DataFrame) -> Cells:
    """Of samples with the columns `KINDS`."""
    table = samples.drop_duplicates(KINDS).reset_index(drop=True)
    species = table["pai_species"].where(table["pai_species"].str.strip() != "", metrics.UNSPECIFIED)
    of = samples.groupby(KINDS, sort=False).ngroup().to_numpy()
    return Cells(table.assign(species=species, group=groups_of(table)), of)


@dataclass(frozen=True, eq=False)
class Ranking:
    """How one score ranks the samples of some subsets: all of them pooled, and each subset by itself."""

    auc: float
    margin: float  # half the 95 % interval of an AUC below LITTLE, as if samples were independent
    average_precision: float
    n_live: int
    n_attack: int
    n_missing: int
    rows: pd.DataFrame  # subset and species (ALL: together), n_live, n_attack, auc, average_precision

    @property
    def n(self) -> int:
        """Samples of the rarer class."""
        return min(self.n_live, self.n_attack)


def ranking(pooled: ScoreSet, by_subset: Mapping[str, ScoreSet]) -> Ranking | None:
    """Of the subsets together and of each; None where together they hold one class only."""
    if not (pooled.n_bona_fide and pooled.n_attack):
        return None
    rows = _rows(ALL, pooled) if len(by_subset) > 1 else []
    for subset, one in by_subset.items():
        if one.n_bona_fide and one.n_attack:
            rows += _rows(subset, one)
    return Ranking(
        auc=metrics.roc_auc(pooled),
        margin=auc_margin(pooled),
        average_precision=metrics.average_precision(pooled),
        n_live=pooled.n_bona_fide,
        n_attack=pooled.n_attack,
        n_missing=sum(pooled.n_non_response.values()),
        rows=pd.DataFrame(rows),
    )


def _rows(subset: str, one: ScoreSet) -> list[dict[str, object]]:
    """All attacks of a subset, then each species where there are several."""
    present = [name for name, values in one.attacks.items() if values.size]
    sets = {present[0] if len(present) == 1 else ALL: one}
    if len(present) > 1:
        sets |= {name: metrics.of_species(one, name) for name in present}
    return [
        {
            "subset": subset,
            "species": name,
            "n_live": of_name.n_bona_fide,
            "n_attack": of_name.n_attack,
            "auc": metrics.roc_auc(of_name),
            "average_precision": metrics.average_precision(of_name),
        }
        for name, of_name in sets.items()
    ]


def auc_margin(pooled: ScoreSet) -> float:
    """Half the 95 % interval of an AUC near or below chance (DeLong); 0 where nobody asks, or a class has one sample.

    An AUC of `LITTLE` or more is read by itself: see `reading`.
    """
    if metrics.roc_auc(pooled) >= LITTLE or min(pooled.n_bona_fide, pooled.n_attack) < 2:
        return 0.0
    is_attack = np.repeat([False, True], [pooled.n_bona_fide, pooled.n_attack])
    _, covariance = uncertainty.delong([np.concatenate([pooled.bona_fide, pooled.pooled])], is_attack)
    return 1.96 * float(np.sqrt(covariance[0, 0]))


def by_place(rankings: Mapping[str, Ranking], column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each score reaches where: the `rows` of every place, and `column` of them by score, by subset and species.

    Places: all subsets together, then species of all, then each subset, those where a score does best first. Scores:
    the best of all subsets together first. NaN where a score has no such row.
    """
    keys = ["subset", "species"]
    rows = pd.concat([one.rows for one in rankings.values()]).drop_duplicates(keys).set_index(keys)
    ranked = sorted(rankings, key=lambda name: -getattr(rankings[name], column))
    values = pd.DataFrame({name: rankings[name].rows.set_index(keys)[column] for name in ranked}).reindex(rows.index)
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
        return "no better than chance"
    return "little better than chance" if auc < LITTLE else ""


def answer(rankings: Mapping[str, Ranking]) -> str:
    """Which score tells attacks from live best, and which least; `rankings` is sorted, best first."""
    names, ranked = list(rankings), list(rankings.values())
    best, worst = ranked[0], ranked[-1]
    n = f"{best.n_attack:,} attacks and {best.n_live:,} live faces"
    if len(ranked) == 1:
        return f"**{names[0]}** tells {n} apart ({_auc(best)})."
    if area(best.auc, best.n) == area(worst.auc, worst.n):
        return f"All {len(ranked)} scores tell {n} apart alike ({_auc(best)})."
    second = f", then {names[1]} ({area(ranked[1].auc, ranked[1].n)})" if len(ranked) > 2 else ""
    return (
        f"Of {len(ranked)} scores, **{names[0]}** tells {n} apart best ({_auc(best)}){second}, "
        f"**{names[-1]}** least ({_auc(worst)})."
    )


def _auc(one: Ranking) -> str:
    read = reading(one.auc, one.margin)
    return f"AUC **{area(one.auc, one.n)}**{f': {read}' if read else ''}"


def extremes(rankings: Mapping[str, Ranking]) -> pd.DataFrame:
    """Where the best score there does best, and where worst: two of the `rows`, or none where there is one place only.

    Columns also `score`, and `is_one_of_several`: whether the row is of one of several species of its subset.
    """
    rows = pd.concat([one.rows.assign(score=name) for name, one in rankings.items()])
    rows["is_one_of_several"] = rows.groupby("subset")["species"].transform("nunique") > 1
    places = rows[(rows["subset"] != ALL) & ~(rows["is_one_of_several"] & (rows["species"] == ALL))]
    best = places.sort_values("auc", ascending=False, kind="stable").drop_duplicates(["subset", "species"])
    return best.iloc[[0, -1] if len(best) > 1 else []]
