"""What some of n samples have in common, against the rest of them. Knows no Run.

    compared = against_the_rest(is_selected, factors, units)
    sentence(compared)

Each value of a category is asked whether it is more frequent among the selected ones, each number whether its ranks
are higher or lower there. A p is by whole units (subjects, or the closest to one that the data name): of every unit a
sum over its samples, and how often the total of these is as far from 0, in units of the root of their sum of squares,
when the sign of each unit is drawn at random (the wild bootstrap of clusters on scores: Kline and Santos, Journal of
Econometric Methods 2012; Cameron, Gelbach and Miller, Review of Economics and Statistics 2008).

What is summed is (selected - its mean) (value - its mean) over all samples of a unit, and, apart from that, value - its
mean over the selected ones (of the rest, where that is the smaller part); the larger p counts. The first holds where
values are rare among few units; the second where a selection is of few: a selection of one unit, or a value that one
alone has, has p = 1, however many samples there are, and it takes six units to be below 0.05.

All values are asked with the same signs, and a p is how often *any* of them is as far out (Westfall and Young, 1993):
at 0.05 one selection in twenty that has nothing to do with anything shows something, whatever the number of values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fas_core.evaluation.causes.shares import Factor
from fas_core.evaluation.causes.words import named
from fas_core.metrics.ranks import mid_ranks
from fas_core.metrics.uncertainty import Units, codes_of

Floats = NDArray[np.float64]
Said = Callable[[str], str]  # what makes a text from a file fit for where it is shown

SIGNS = 1999  # drawings of them
MIN_SAMPLES = 5  # that have a value: rarer ones are not asked about
MIN_UNITS = 5  # fewer say nothing about others
MAX_VALUES = 50  # of a category, the most frequent
MAX_UNITS = 1000  # of more, several are one: their sum is as good as each
SAME = 0.95  # correlation over the samples from which on two values are one
ALPHA = 0.05
IN_SENTENCE = 2
MOST_WHOSE = 3
GROUPS = ("pai_species", "subset")  # which everybody sees in the plot, by colour
MOST_GROUPS = 3
_SEED = 0


@dataclass(frozen=True)
class Difference:
    """A value of a category that is more frequent among the selected samples, or a number that differs there.

    `selected` and `rest`: shares of the samples that have it, 0 to 1; medians, where `value` is "".
    """

    factor: str
    value: str
    selected: float
    rest: float
    n_selected: int  # samples with the value among the selected ones; that have a number at all
    n_rest: int
    effect: float  # difference of means in standard deviations of all samples, of shares or of ranks
    p: float | None  # None of units themselves: one of them says nothing about others
    same_as: tuple[tuple[str, str], ...] = ()  # factors and values that nearly the same samples have

    @property
    def size(self) -> float:
        """Difference of shares, 0 to 1; of a number, of its mean places among all samples; -1 where unknown."""
        size = abs(self.effect) / 12**0.5 if self.value == "" else self.selected - self.rest
        return size if np.isfinite(size) else -1.0


@dataclass(frozen=True)
class Compared:
    """Differences by p, then by how large they are. `whose`: units that have most of the selection, without a p."""

    n_selected: int
    n_rest: int
    unit: str
    n_units: int
    n_asked: int  # values and numbers: p allows for that many
    differences: tuple[Difference, ...]
    whose: tuple[Difference, ...]

    @property
    def clear(self) -> tuple[Difference, ...]:
        """Those with a p below `ALPHA`."""
        return tuple(difference for difference in self.differences if difference.p is not None and difference.p < ALPHA)

    def largest(self, n: int) -> tuple[Difference, ...]:
        """At most n, clear or not: of groups those that differ most, then what is clear, then the others by size."""
        by_size = sorted((of for of in self.differences if of.size > 0), key=lambda of: -of.size)
        groups = [of for of in by_size if of.factor in GROUPS][:MOST_GROUPS]
        return tuple(dict.fromkeys([*groups, *self.clear, *(of for of in by_size if of.factor not in GROUPS)]))[:n]


@dataclass(frozen=True, eq=False)
class _Asked:
    """One value of a category, or a number."""

    factor: str
    value: str
    numbers: Floats  # (n,) 1 where a sample has the value; mid-ranks of a number; NaN: not stated
    raw: Floats  # (n,) of which medians are told


def against_the_rest(is_selected: NDArray[np.bool_], factors: Sequence[Factor], units: Units) -> Compared:
    """(n,) of n samples; `factors` and `units` are theirs. Empty where all are selected, or none."""
    n_selected = int(is_selected.sum())
    n_rest = len(is_selected) - n_selected
    codes, n_units = codes_of(units.groups)
    names = (units.name, f"{units.name}_id")
    asked = [value for factor in factors if factor.name not in names for value in _values(factor)]
    if not (n_selected and n_rest):
        return Compared(n_selected, n_rest, units.name, n_units, len(asked), (), ())
    p = _p_values(is_selected, [value.numbers for value in asked], codes)
    differences = [_difference(is_selected, value, float(at)) for value, at in zip(asked, p, strict=True)]
    kept = [
        (difference, value)
        for difference, value in zip(differences, asked, strict=True)
        if value.value == "" or difference.effect > 0
    ]
    kept.sort(key=lambda pair: (pair[0].p, -abs(pair[0].effect)))
    return Compared(
        n_selected,
        n_rest,
        units.name,
        n_units,
        len(asked),
        _without_repetition(kept),
        _whose(is_selected, units) if units.name != "sample" else (),
    )


def _values(factor: Factor) -> list[_Asked]:
    """What is asked of a factor: nothing where all samples have the same."""
    if factor.numbers is not None:
        raw = np.asarray(factor.numbers, np.float64)
        stated = np.isfinite(raw)
        if stated.sum() < MIN_SAMPLES or np.ptp(raw[stated]) == 0:
            return []
        ranks = np.full(len(raw), np.nan)
        ranks[stated] = mid_ranks(raw[stated])
        return [_Asked(factor.name, "", ranks, raw)]
    assert factor.codes is not None
    counts = np.bincount(factor.codes[factor.codes >= 0], minlength=len(factor.names))
    frequent = np.argsort(-counts, kind="stable")[:MAX_VALUES]
    asked = []
    for code in frequent[counts[frequent] >= MIN_SAMPLES].tolist():
        has = np.where(factor.codes >= 0, (factor.codes == code).astype(np.float64), np.nan)
        if np.nanmin(has) < 1:
            asked.append(_Asked(factor.name, factor.names[code], has, has))
    return asked


def _p_values(is_selected: NDArray[np.bool_], values: Sequence[Floats], codes: NDArray[np.intp]) -> Floats:
    """(m,) how often any of the m values is as far from the rest as each of them, by signs of whole units."""
    if not values:
        return np.empty(0)
    n_units = min(int(codes.max()) + 1, MAX_UNITS)
    codes = codes % MAX_UNITS
    part = is_selected if is_selected.mean() <= 0.5 else ~is_selected
    sums = np.empty((2, n_units, len(values)))
    for i, numbers in enumerate(values):
        stated = np.isfinite(numbers)
        far_out = np.where(stated, numbers - np.nanmean(numbers), 0)
        sums[0, :, i] = np.bincount(codes, far_out * (is_selected - is_selected[stated].mean()), minlength=n_units)
        sums[1, :, i] = np.bincount(codes[part], far_out[part], minlength=n_units)
    signs = np.random.default_rng(_SEED).choice([-1.0, 1.0], (SIGNS, n_units))
    return np.maximum(*(_as_far(of_units, signs) for of_units in sums))


def _as_far(sums: Floats, signs: Floats) -> Floats:
    """Of m sums over units (n, m): (m,) the share of the signs (k, n) under which any total is as far out as each."""
    scale = np.sqrt((sums**2).sum(0))
    sums = np.divide(sums, scale, out=np.zeros_like(sums), where=scale > 1e-9)
    farthest = np.abs(signs @ sums).max(1)
    as_far = (farthest[:, None] >= np.abs(sums.sum(0)) - 1e-9).sum(0)
    return np.asarray((1 + as_far) / (1 + len(signs)))


def _difference(is_selected: NDArray[np.bool_], asked: _Asked, p: float) -> Difference:
    stated = np.isfinite(asked.numbers)
    selected, rest = stated & is_selected, stated & ~is_selected
    if not (selected.any() and rest.any()):
        return Difference(asked.factor, asked.value, np.nan, np.nan, int(selected.sum()), int(rest.sum()), 0.0, 1.0)
    effect = float((asked.numbers[selected].mean() - asked.numbers[rest].mean()) / asked.numbers[stated].std())
    if asked.value == "":
        told = [float(np.median(asked.raw[rows])) for rows in (selected, rest)]
        counts = [int(rows.sum()) for rows in (selected, rest)]
    else:
        told = [float(asked.numbers[rows].mean()) for rows in (selected, rest)]
        counts = [int(asked.numbers[rows].sum()) for rows in (selected, rest)]
    return Difference(asked.factor, asked.value, told[0], told[1], counts[0], counts[1], effect, p)


def _without_repetition(ranked: Sequence[tuple[Difference, _Asked]]) -> tuple[Difference, ...]:
    """Of several that nearly the same samples have, the first; the others are named with it."""
    kept: list[tuple[Difference, Floats, list[tuple[str, str]]]] = []
    for difference, asked in ranked:
        for _, numbers, same in kept:
            if abs(_correlation(numbers, asked.numbers)) >= SAME:
                same.append((difference.factor, difference.value))
                break
        else:
            kept.append((difference, asked.numbers, []))
    return tuple(Difference(**{**vars(difference), "same_as": tuple(same)}) for difference, _, same in kept)


def _correlation(a: Floats, b: Floats) -> float:
    stated = np.isfinite(a) & np.isfinite(b)
    a, b = a[stated], b[stated]
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))


def _whose(is_selected: NDArray[np.bool_], units: Units) -> tuple[Difference, ...]:
    """Units with at least `MIN_SAMPLES` selected samples that have twice their share among the rest."""
    names = np.asarray(units.groups).astype(str)
    distinct, codes = np.unique(names, return_inverse=True)
    counts = [np.bincount(codes[rows], minlength=len(distinct)) for rows in (is_selected, ~is_selected)]
    shares = [count / max(1, count.sum()) for count in counts]
    many = np.flatnonzero((counts[0] >= MIN_SAMPLES) & (shares[0] >= 2 * shares[1]))
    spread = np.sqrt(np.bincount(codes) / len(codes) * (1 - np.bincount(codes) / len(codes)))
    first = many[np.argsort(-counts[0][many], kind="stable")][:MOST_WHOSE]
    return tuple(
        Difference(
            units.name,
            str(distinct[i]),
            float(shares[0][i]),
            float(shares[1][i]),
            int(counts[0][i]),
            int(counts[1][i]),
            float((shares[0][i] - shares[1][i]) / max(spread[i], 1e-12)),
            None,
        )
        for i in first.tolist()
    )


# -------------------------------------------------------------------------------------------------------------- words


def sentence(compared: Compared, said: Said = str) -> str:
    """What sets the selected samples apart, in one sentence."""
    if not (compared.n_selected and compared.n_rest):
        return "Nothing is left to compare the selection with." if compared.n_selected else "Nothing is selected."
    if compared.n_units < MIN_UNITS:
        return f"{compared.n_units} {compared.unit}s are too few to say what sets the selection apart."
    clear = compared.clear[:IN_SENTENCE]
    if clear:
        first = " and ".join(_words(difference, said) for difference in clear)
        return f"Unlike the rest: {first}. By {compared.n_units:,} {compared.unit}s."
    largest = "".join(
        f" The largest{' of groups' if difference.factor in GROUPS else ''}: {_words(difference, said)}."
        for difference in compared.largest(1)
    )
    whose = "".join(
        f" {said(unit.value)} has {percent(unit.selected)} of it."
        for unit in compared.whose[:1]
        if unit.selected >= 0.3
    )
    return f"No difference from the rest is beyond chance, by {compared.n_units:,} {compared.unit}s.{largest}{whose}"


def _words(difference: Difference, said: Said) -> str:
    name = said(named(difference.factor))
    if difference.value == "":
        way = "higher" if difference.effect > 0 else "lower"
        told = f"{difference.selected:.3g} against {difference.rest:.3g}".replace("-", "\u2212")
        return f"**{way} {name}** (median {told}; {p_words(difference.p)})"
    told = f"{percent(difference.selected)} against {percent(difference.rest)}"
    return f"**{name} {said(difference.value.replace('_', ' '))}** ({told}; {p_words(difference.p)})"


def percent(share: float) -> str:
    """Whole, and "<1" and ">99" where a whole number would say none or all."""
    text = "<1" if 0 < share < 0.005 else ">99" if 0.995 < share < 1 else f"{100 * share:.0f}"
    return f"{text}\u00a0%"


def p_words(p: float | None) -> str:
    """p = 0.012; at the floor of what the signs can show, a bound."""
    if p is None:
        return "no p"
    floor = 1 / (1 + SIGNS)
    return "p < 0.001" if p < max(0.001, floor) else f"p = {p:.2g}"
