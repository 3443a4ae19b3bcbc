"""Whether another Run is better or worse than A, in one plain sentence.

    headline(what_got_worse(both, matched, columns), "B")

How p is corrected, and every group, stand elsewhere: `Regressions.correction_words`, `Regressions.listed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fas_core.data.names import BONA_FIDE, readable
from fas_core.evaluation.regressions import Cell, Regressions


class Headline(NamedTuple):
    """What a decision needs first: one sentence in two parts."""

    answer: str  # the verdict; attacks and live faces as a whole
    but: str  # the worst regression of live faces or of a group, from a comma on; "" where chance explains every one


def named(letter: str, name: str, names: Sequence[str]) -> str:
    """B (gate_v2); the letter alone where several of the Runs compared, `names`, are called so."""
    return letter if list(names).count(name) > 1 else f"{letter} ({name})"


def headline(worse: Regressions, letter: str = "B", feared: Sequence[str] = ()) -> Headline:
    """Whether the other Run is better or worse and in what: species and live faces as a whole, then the worst groups.

    `feared`: species that are named first where there are several.
    """
    if worse.overall and all(
        cell.difference == 0 for cell in (*worse.overall, *worse.rows, *worse.better, *worse.too_few)
    ):
        return Headline(f"{letter} decides as A does: no rate of wrong verdicts differs, as a whole or in a group.", "")
    attacks = [cell for cell in worse.overall if cell.kind != BONA_FIDE]
    fewer, more = ([cell for cell in attacks if cell.is_clear and sign * cell.difference > 0] for sign in (-1, 1))
    live = next((cell for cell in worse.overall if cell.kind == BONA_FIDE), None)
    if not worse.n_compared:
        said = f"every species and group has too few {worse.few_of}"
        return Headline(f"{letter} cannot be judged, as {said}: {_alike(attacks, live)}.", "")
    named = _named_groups(worse, is_told=bool(more))
    gains = bool(fewer) or (live is not None and live.is_clear and live.difference < 0)
    losses = bool(more) or (live is not None and live.is_clear and live.difference > 0) or bool(named)
    parts = [_misses("fewer", fewer, attacks, feared)] if fewer else []
    parts += [_misses("more", more, attacks, feared)] if more else []
    if live is not None and live.is_clear:
        parts.append(f"rejects {'fewer' if live.difference < 0 else 'more'} live faces ({live.instead})")
    if parts:
        said = f"it {' and '.join([', '.join(parts[:-1]), parts[-1]] if parts[:-1] else parts)}"
    else:
        said = f"as a whole no clear difference in {_alike(attacks, live)}"
    verdict = {
        (True, False): "is better",
        (False, True): "is worse",
        (True, True): "is better and worse",
        (False, False): "is neither better nor worse beyond chance",
    }[gains, losses]
    answer = f"{letter} {verdict}: {said}"
    if named:
        turns = "but" if gains or not parts else "and"
        each = " and ".join(f"{cell.change('').strip()}{_interval(cell)}" for cell in named)
        return Headline(answer, f", {turns} {'' if parts else 'it '}{each}.")
    return _without_clear_groups(worse, answer)


def _alike(attacks: Sequence[Cell], live: Cell | None) -> str:
    """attacks missed (most apart: mask, 25 % instead of 30 %) or live faces rejected (6.0 % instead of 5.0 %)"""
    parts = []
    if attacks:
        apart = max(attacks, key=lambda cell: abs(cell.difference))
        which = f" (most apart: {readable(apart.kind)}, {apart.instead})" if apart.difference else ""
        parts.append(f"attacks missed{which}")
    if live is not None:
        parts.append(f"live faces rejected{f' ({live.instead})' if live.difference else ''}")
    return " or ".join(parts)


def _named_groups(worse: Regressions, *, is_told: bool) -> list[Cell]:
    """The worst group of live faces that is beyond chance; of attacks, where none is or `is_told` is not so."""
    of_live, of_attacks = (
        next((cell for cell in cells if cell.column and cell.is_clear), None) for cells in worse.listed()
    )
    named = [] if of_live is None else [of_live]
    if of_attacks is not None and (of_live is None or not is_told):
        named.append(of_attacks)
    return named


def _without_clear_groups(worse: Regressions, answer: str) -> Headline:
    group = next((cell for cell in worse.rows if cell.column), None)
    if group is None:
        none = f"of {worse.n_groups:,} groups none got worse" if worse.n_groups else "no group is large enough"
        return Headline(f"{answer}; {none}.", "")
    does = f"{group.words}, {group.instead}{_interval(group)}"
    if group.is_clear_alone:
        return Headline(answer, f"; not certain among {worse.n_groups:,} groups: {does}.")
    return Headline(f"{answer}; of {worse.n_groups:,} groups none got clearly worse (within chance: {does}).", "")


def _misses(how: str, cells: Sequence[Cell], of: Sequence[Cell], feared: Sequence[str]) -> str:
    most = max(cells, key=lambda cell: (cell.kind in feared, abs(cell.difference), cell.kind))
    if len(cells) == 1:
        return f"misses {how} {readable(most.kind)} attacks ({most.instead})"
    which = "every species" if len(cells) == len(of) else f"{len(cells)} of {len(of)} species"
    word = "among them" if most.kind in feared else "most of"
    return f"misses {how} attacks of {which}, {word} {readable(most.kind)} ({most.instead})"


def _interval(cell: Cell) -> str:
    return f" ({cell.interval})" if cell.interval else ""
