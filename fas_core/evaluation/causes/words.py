"""What a score follows, in sentences: functions of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fas_core.data.measures import BRIGHTNESS, COMPRESSION, CONTRAST, SHARPNESS
from fas_core.data.names import readable
from fas_core.evaluation.causes.of_run import LIVE, Follows, Nuisance
from fas_core.evaluation.causes.shares import COLUMN, Cause, Share
from fas_core.evaluation.words import signed

Said = Callable[[str], str]  # what makes a text from a file fit for where it is shown

SIDE_WORDS = {LIVE: "live samples"}
EQUAL = {  # samples with the same value of a cause
    BRIGHTNESS: "equally bright",
    CONTRAST: "equally contrasted",
    SHARPNESS: "equally sharp",
    COMPRESSION: "equally compressed",
}
CAVEAT = (
    "Shares are of the variance of the score's ranks. Looks are measured after the scaling that equalises mean and "
    "spread, as the model sees them; the file's own brightness is not among them."
)
CLEAR = 0.01  # of the variance: less is not said to add anything


def named(cause: str) -> str:
    """A cause as people read it."""
    return "species" if cause == "pai_species" else readable(cause)


def side_words(side: str) -> str:
    """live samples, or attacks"""
    return SIDE_WORDS.get(side, "attacks")


def share_text(share: Share | None) -> str:
    """63 % (31–79); below nothing is nothing"""
    if share is None:
        return "–"
    return _percent(share.value) + _ends(share, lambda end: f"{max(0.0, 100 * end):.0f}")


def rho_text(rho: Share) -> str:
    """−0.81 [−0.90, −0.58]"""
    ends = "" if rho.low is None or rho.high is None else f" [{signed(rho.low, 2)}, {signed(rho.high, 2)}]"
    return signed(rho.value, 2) + ends


def _percent(share: float) -> str:
    return f"{max(0.0, 100 * share):.0f}\u00a0%"


def _ends(share: Share, said: Callable[[float], str]) -> str:
    if share.low is None or share.high is None:
        return ""
    low, high = said(share.low), said(share.high)
    return f" ({low}–{high})"


def who(unit: str) -> str:
    """What explains a unit's own share, in words."""
    return "who the person is" if unit == "subject" else f"which {unit} it is"


def answer(follows: Follows, said: Said = str) -> str:
    """What the score follows on one side, what adds to it, and whose samples they are, in one to three sentences.

    rec falls with brightness, rho = −0.81 [−0.90, −0.58], which explains 63 % (31–79) of its variance among 384 live
    samples; among equally bright ones, sharpness adds 8 % (0–29). Who the person is explains 83 % (66–90).
    """
    about = follows.explained
    where = f"{about.n:,} {side_words(follows.side)}"
    score = said(follows.score)
    if not (about.causes or about.whose or about.marks):
        return f"What {score} follows cannot be said of {where}: {_why_nothing(follows)}."
    sentences = []
    if about.causes:
        first = about.causes[0]
        if first.alone.low is not None and first.alone.low > 0:
            sentences.append(_of_first(first, score, where, said) + _added(follows, said) + ".")
            if behind := _behind(follows, said):
                sentences.append(f"{behind[0].upper()}{behind[1:]}.")
        else:
            sentences.append(
                f"Nothing that was measured of {where} explains {score} beyond chance: {said(named(first.name))} "
                f"comes first with {share_text(first.alone)} of its variance."
            )
    if about.whose:
        own = about.whose[0]
        beyond = "" if own.beyond is None or not about.causes else f", {share_text(own.beyond)} beyond all of that"
        share = share_text(own.alone)
        sentences.append(f"{who(own.name).capitalize()} explains {share}{beyond if about.causes else ''}.")
    if about.marks:
        sentences.append(_of_marks(about.marks, said))
    return " ".join(sentences)


def _of_marks(own: Sequence[Cause], said: Said) -> str:
    """People's labels explain 75 % (60–86) among 40 labelled samples; they may follow the score instead."""
    of_which = {"labels": "labelled samples", "marks": "samples, marked or not"}
    shares = " and ".join(
        f"people's {said(named(cause.name))} explain {share_text(cause.alone)} among {cause.n:,} {of_which[cause.name]}"
        for cause in own
    )
    lead = f"{shares[:1].upper()}{shares[1:]}"
    return f"{lead}; they may follow the score, because people chose what to look at, and are no cause here."


def headline(sides: Sequence[Follows], said: Said = str) -> str:
    """What the score follows most on each side, in one sentence.

    Of live samples, rec falls with brightness (63 %, 31–79, of its variance); of attacks, rec differs by species
    (27 %, 21–33).
    """
    parts = [f"of {side_words(follows.side)}, {_first_in_brief(follows, said)}" for follows in sides]
    words = "; ".join(parts)
    return f"{words[:1].upper()}{words[1:]}."


def _first_in_brief(follows: Follows, said: Said) -> str:
    score, causes = said(follows.score), follows.explained.causes
    if not causes:
        return f"what {score} follows cannot be said"
    first = causes[0]
    if first.alone.low is None or first.alone.low <= 0:
        return f"nothing that was measured explains {score} beyond chance"
    verb = "differs by" if first.rho is None else _verb(first.rho)
    why = f" ({behind})" if (behind := _behind(follows, said)) else ""
    return (
        f"**{score} {verb} {said(named(first.name))}**, which explains {share_text(first.alone)} of its variance{why}"
    )


def _behind(follows: Follows, said: Said) -> str:
    """sharpness differs by camera, which explains 55 % (40–70) of it; "" where no column stands behind the first."""
    behind = follows.explained.behind
    if behind is None:
        return ""
    look = said(named(follows.explained.causes[0].name))
    return f"{look} differs by {said(named(behind.name))}, which explains {share_text(behind.share)} of it"


def _why_nothing(follows: Follows) -> str:
    reasons = set(follows.explained.skipped.values())
    if not follows.n_all:
        return "there are none outside training"
    return next(iter(reasons)) if len(reasons) == 1 else "nothing that differs among them is known"


def _of_first(cause: Cause, score: str, where: str, said: Said) -> str:
    name = said(named(cause.name))
    share = f"explains {share_text(cause.alone)} of its variance among {where}"
    same = f" (or {' or '.join(said(named(other)) for other in cause.same_as)}: here they are the same)"
    also = same if cause.same_as else ""
    if cause.rho is not None:
        verb = _verb(cause.rho)
        return f"{score} {verb} {name}{also}, rho = {rho_text(cause.rho)}, which {share}"
    lowest, highest = (said(readable(value)) for value in (cause.lowest, cause.highest))
    return f"{score} differs by {name}{also}, lowest for {lowest} and highest for {highest}, which {share}"


def _verb(rho: Share) -> str:
    """Of a correlation whose interval leaves its sign open, none."""
    if rho.low is not None and rho.high is not None and rho.low <= 0 <= rho.high:
        return "changes with"
    return "rises with" if rho.value > 0 else "falls with"


def _added(follows: Follows, said: Said) -> str:
    """What adds most to the first cause."""
    first, *others = follows.explained.causes
    adding = [
        (cause.beside_first, cause)
        for cause in others
        if cause.beside_first is not None and cause.beside_first.low is not None and cause.beside_first.value > CLEAR
    ]
    if not adding:
        return "; nothing else adds to that" if others else ""
    share, cause = max(adding, key=lambda pair: pair[0].value)
    same = f"{EQUAL[first.name]} ones" if first.name in EQUAL else _of_equal(first, said)
    doubt = ", which chance may explain" if share.low is not None and share.low <= 0 else ""
    return f"; among {same}, {said(named(cause.name))} adds {share_text(share)}{doubt}"


def _of_equal(cause: Cause, said: Said) -> str:
    return f"those of the same {said(named(cause.name))}" if cause.kind == COLUMN else "alike ones"


# What `warning` leaves out, for those who ask.
ON_WARNING = (
    "It explains over half of the score's variance among live samples, interval and all. Least: of the scores that "
    "find their hardest attack better than chance."
)


def warning(nuisance: Nuisance, said: Said = str) -> str:
    """That a score mostly measures something other than attacks, and which score of the Run does least."""
    cause = who(nuisance.unit) if nuisance.is_whose else said(named(nuisance.cause))
    share = share_text(nuisance.share)
    text = f"{said(nuisance.score)} mostly measures {cause}: {share} of its variance among live samples"
    if nuisance.least is None or nuisance.least_share is None or nuisance.least_hardest is None:
        return f"{text}; no other score that finds its hardest attack better than chance does so clearly less."
    hard = nuisance.least_hardest
    return (
        f"{text}; least: {said(nuisance.least)}, {share_text(nuisance.least_share)}, "
        f"with AUC {hard.auc:.2f} on {said(readable(hard.species))}."
    )


def adjusted(
    score: str, now: tuple[float | None, float | None], before: tuple[float | None, float | None], said: Said = str
) -> str:
    """What taking a look off a score changes, each at its own threshold by the same rule, and whether that helps.

    `now`, `before`: BPCER and the APCER of the worst species, None where unknown. "" where nothing can be compared.
    """
    parts, changes = [], []
    for words, after, was in zip(("live rejected", "worst attack passes"), now, before, strict=True):
        if after is not None and was is not None:
            parts.append(f"{words} {100 * after:.1f}\u00a0% (was {100 * was:.1f})")
            changes.append(after - was)
    if len(parts) < 2:
        return ""
    change = sum(changes)
    verdict = "The two errors together are no lower: it does not help here."
    if change < 0:
        verdict = "The two errors together are lower."
        if max(changes) > 0:
            verdict += " One is higher: judge which matters."
    return f"{said(score)}: {', '.join(parts)}. {verdict}"


def left_out(follows: Follows, said: Said = str) -> str:
    """What was not judged and why, in one sentence; "" where all was."""
    of_reason: dict[str, list[str]] = {}
    for name, reason in follows.explained.skipped.items():
        reason, _, value = reason.partition(": ")
        words = said(named(name)) + (f" ({said(value)})" if value else "")
        of_reason.setdefault(reason, []).append(words)
    parts = [f"{reason}: {', '.join(names)}" for reason, names in of_reason.items()]
    return f"Not judged, {'; '.join(parts)}." if parts else ""
