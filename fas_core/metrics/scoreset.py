"""Scores and labels of one set, sorted once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fas_core.delivery import is_injected
from fas_core.errors import BadInputError

Floats = NDArray[np.float64]

UNSPECIFIED = "unspecified"  # the species of an attack whose row names none


class UndefinedMetricError(ValueError):
    """The value asked for does not exist on these scores; the message says which and why."""


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """The scores of one set, sorted once. Read-only float64 arrays in ascending order, without NaN."""

    bona_fide: Floats  # (n_bona_fide,)
    attacks: Mapping[str, Floats]  # species, in order of name -> (n_species,); (0,) if none of its samples has a score
    pooled: Floats  # (n_attack,): the attacks of all species
    n_non_response: Mapping[str, int]  # NaN scores: {"bona_fide", "attack"}
    injected: "ScoreSet | None" = None  # the bona fide scores with the injection attacks, which are in none of these

    @property
    def n_bona_fide(self) -> int:
        return self.bona_fide.size

    @property
    def n_attack(self) -> int:
        return self.pooled.size


def score_set(
    scores: ArrayLike, attack: ArrayLike, species: Sequence[str | None] | pd.Series | None = None
) -> ScoreSet:
    """Sorted scores of n samples. The order of the samples has no influence on anything computed from the set.

    `scores`: (n,) numbers. `attack`: (n,) booleans or 0/1, 1 = attack. `species`: (n,) names, looked at for attacks
    only; an empty, missing or not textual one is "unspecified". Injection attacks (`delivery.is_injected`) are no
    presentations: they are in `injected` alone.
    """
    values = _as_scores(scores)
    labels = _as_labels(attack, values.size)
    if species is None:
        return score_set_from_codes(values, labels.astype(np.int32), [UNSPECIFIED])
    if len(species) != values.size:
        raise BadInputError(f"{values.size} scores but {len(species)} species: one per score is needed")
    return score_set_from_codes(values, *species_codes(labels, species))


def score_set_from_codes(scores: ArrayLike, codes: ArrayLike, names: Sequence[str]) -> ScoreSet:
    """`score_set` without a loop over names. `codes`: (n,) integers, 0 = bona fide, k = an attack of names[k - 1]."""
    values, kinds = _as_scores(scores), np.asarray(codes)
    if kinds.shape != values.shape:
        raise BadInputError(f"{values.size} scores but {kinds.size} species codes: one per score is needed")
    if len(set(names)) != len(names):
        raise BadInputError(f"species names must differ from each other, got {list(names)}")
    counts = _code_counts(kinds, len(names))
    if any(is_injected(name) and counts[code] for code, name in enumerate(names, start=1)):
        return _apart(values, kinds, names)
    return _sorted_set(values, kinds, names, counts)


def _apart(values: Floats, kinds: NDArray[Any], names: Sequence[str]) -> ScoreSet:
    """The presentations, with the injection attacks as a set of their own."""
    of_injection = np.array([False, *map(is_injected, names)])[kinds]
    presented, injected = (
        _sorted_set(values[rows], kinds[rows], names, _code_counts(kinds[rows], len(names)))
        for rows in (~of_injection, of_injection | (kinds == 0))
    )
    return replace(presented, injected=injected)


def _sorted_set(values: Floats, kinds: NDArray[Any], names: Sequence[str], counts: NDArray[np.intp]) -> ScoreSet:
    answered = ~np.isnan(values)
    missing = kinds[~answered]
    n_missing_bona_fide = int((missing == 0).sum())
    if missing.size:
        values, kinds = values[answered], kinds[answered]
    present = sorted((name, code) for code, name in enumerate(names, start=1) if counts[code])
    attacks = {name: _sorted(values[kinds == code]) for name, code in present}
    pooled = next(iter(attacks.values())) if len(attacks) == 1 else _sorted(values[kinds > 0])
    return ScoreSet(
        bona_fide=_sorted(values[kinds == 0]),
        attacks=attacks,
        pooled=pooled,
        n_non_response={"bona_fide": n_missing_bona_fide, "attack": missing.size - n_missing_bona_fide},
    )


def of_species(scores: ScoreSet, species: str) -> ScoreSet:
    """The bona fide scores with the attacks of one species alone; non-responses are those of the whole set."""
    attacks = scores.attacks[species]
    return ScoreSet(scores.bona_fide, {species: attacks}, attacks, scores.n_non_response)


def _as_scores(scores: ArrayLike) -> Floats:
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"scores must be numbers: {error}") from error
    if values.ndim != 1:
        raise BadInputError(f"scores must be one value per sample, got an array of shape {values.shape}")
    return values


def _as_labels(attack: ArrayLike, n: int) -> NDArray[np.bool_]:
    labels = np.asarray(attack)
    if labels.shape != (n,):
        raise BadInputError(f"{n} scores but labels of shape {labels.shape}: one label per score is needed")
    if labels.dtype != np.bool_:
        wrong = np.flatnonzero(~((labels == 0) | (labels == 1)))
        if wrong.size:
            raise BadInputError(
                f"label {labels[wrong[0]]!r} at position {wrong[0]}: labels are 1 (attack) or 0 (bona fide)"
            )
    return labels.astype(np.bool_)


def _code_counts(codes: NDArray[Any], n_names: int) -> NDArray[np.intp]:
    if codes.size == 0:
        return np.zeros(n_names + 1, dtype=np.intp)
    if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() > n_names:
        raise BadInputError(f"species codes must be integers from 0 (bona fide) to {n_names}")
    return np.bincount(codes, minlength=n_names + 1)


def species_codes(
    attack: NDArray[np.bool_], species: Sequence[str | None] | pd.Series
) -> tuple[NDArray[np.int32], list[str]]:
    """(n,) 0 = bona fide, k = an attack of species names[k - 1], named as in a `ScoreSet`; a Series is much faster."""
    rows = np.flatnonzero(attack)
    given = species.iloc[rows] if isinstance(species, pd.Series) else np.array([*species, None], dtype=object)[rows]
    of_row, raws = pd.factorize(given)
    of_raw = [_species_name(raw) for raw in raws]
    names = list(dict.fromkeys([*of_raw, UNSPECIFIED]))
    codes = np.zeros(attack.size, np.int32)
    # The last one is that of rows without a name, whose number is -1.
    codes[rows] = np.array([1 + names.index(name) for name in [*of_raw, UNSPECIFIED]], np.int32)[of_row]
    return codes, names


def species_names(attack: NDArray[np.bool_], species: Sequence[str | None] | pd.Series) -> NDArray[np.str_]:
    """(n,) the species of every attack, named as in a `ScoreSet`, and "" for bona fide samples."""
    codes, names = species_codes(attack, species)
    return np.array(["", *names])[codes]


def _species_name(name: object) -> str:
    return name if isinstance(name, str) and name.strip() else UNSPECIFIED


def _sorted(values: Floats) -> Floats:
    ordered = np.sort(values)
    ordered.flags.writeable = False
    return ordered


def require(scores: ScoreSet, metric: str, *, bona_fide: bool = False, attack: bool = False) -> None:
    """Raises UndefinedMetricError where a metric needs samples of a kind and there are none."""
    missing = [
        kind
        for kind, needed, n in (
            ("bona fide sample", bona_fide, scores.n_bona_fide),
            ("attack", attack, scores.n_attack),
        )
        if needed and n == 0
    ]
    if missing:
        raise UndefinedMetricError(f"{metric} is undefined: no {' and no '.join(missing)} with a score")


def ratio(numerator: int, denominator: int) -> float | None:
    """None where nothing is there to divide by."""
    return numerator / denominator if denominator else None
