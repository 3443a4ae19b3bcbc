"""Errors against the time until there is a decision: what is decided on the frames that a video has by then.

    over_time(grouping(run, "video mean", in_order=True), scores.values(run, "rec"), DEFAULT, ["dev"], ["test"])

Each time has a threshold of its own, which the rule chooses on the choosing samples as they are by then: who decides
after half a second chooses for half a second. That of whole videos is not carried back: of fewer frames a mean is
spread wider and a maximum lies lower, so that its errors there would be those of nobody's product. Only a threshold
set by hand is the same at all times. Seconds count from a video's first frame in the data; a video that has ended by
then is decided on what it has, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation.levels import FRAME, Frames, Span
from fas_core.evaluation.presentations import Grouping, Presentations
from fas_core.evaluation.run_metrics import rates_at
from fas_core.evaluation.words import number, rate_text
from fas_core.metrics import UndefinedMetricError, uncertainty
from fas_core.metrics.cost import Costs
from fas_core.metrics.operating_point import BY_HAND, Rule
from fas_core.metrics.uncertainty import RateInterval

STEPS = (1, 1.5, 2, 3, 5, 7)  # times ten to some power: what is looked at where no times are asked for
COUNTS = (1, 2, 3, 5, 7)  # of frames, which are whole
NEAR = 0.05  # of an error in the end: so much above it is told to be near it


def short_seconds(value: float) -> str:
    """0.5, 1.33, 1234"""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


@dataclass(frozen=True)
class AtTime:
    """Of the reported presentations with the frames that they have by then; rates None where undefined."""

    after: Span
    threshold: float
    bpcer: float | None
    bpcer_interval: RateInterval | None
    apcer_max: float | None
    apcer_worst: str | None
    apcer_worst_interval: RateInterval | None
    apcer_pooled: float | None
    apcer_pooled_interval: RateInterval | None
    n_bona_fide: int
    n_attack: int
    n_non_response: int
    n_ended: int  # have no frame as late as this: decided on what they have

    @property
    def place(self) -> str:
        """ "0.5 s", "3 frames", "first frame" """
        if not self.after.in_seconds:
            return self.after.words
        return f"{short_seconds(self.after.value)} s" if self.after.value else "first frame"

    @property
    def words(self) -> str:
        """ "after 0.5 s", "at the first frame" """
        return f"after {self.place}" if self.after.value else f"at the {self.place}"

    def ended_words(self, n: int, unit: str) -> str:
        """ "18 of 24 videos have ended", of n; "" where it is at most a tenth."""
        return f"{self.n_ended:,} of {n:,} {unit}s have ended" if 10 * self.n_ended > n else ""

    def rates(self, said: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> str:
        """ "BPCER 4 % (2–7), APCER 12 % (8–18), replay" """
        apcer = f"APCER {strong(rate_text(self.apcer_max, self.apcer_worst_interval))}"
        apcer += "" if self.apcer_worst is None else f", {said(self.apcer_worst)}"
        return f"BPCER {strong(rate_text(self.bpcer, self.bpcer_interval))} and {apcer}"


@dataclass(frozen=True)
class OverTime:
    """Errors at several times, which ascend."""

    level: str
    rule: Rule
    chosen_on: tuple[str, ...]
    reported_on: tuple[str, ...]
    optimistic: bool
    n: int  # reported presentations
    times: tuple[AtTime, ...]

    def as_json(self) -> Json:
        """The document of `fas over-time --json`, without the Run and the score."""
        unit = "s" if self.times[0].after.in_seconds else "frames"
        times = [vars(at) | {"after": at.after.value} for at in self.times]
        near = {"near_from": self.near_from.after.value}
        document = vars(self) | {"rule": str(self.rule), "unit": unit, "times": times} | near
        return metrics.json_safe(document | {"in_words": [self.sentence(), self.caveat]})

    @property
    def near_from(self) -> AtTime:
        """The first time from which on neither error is more than `NEAR` above what it is in the end."""
        last = self.times[-1]

        def is_above(at: AtTime) -> bool:
            pairs = ((at.bpcer, last.bpcer), (at.apcer_max, last.apcer_max))
            return any(now is not None and end is not None and now > end + NEAR + 1e-9 for now, end in pairs)

        return self.times[max((i + 1 for i, at in enumerate(self.times) if is_above(at)), default=0)]

    def answer(self, strong: Callable[[str], str] = str) -> str:
        """How soon, in a sentence: that is said of these samples, and proves nothing about others."""
        near, last = self.near_from, self.times[-1]
        points = f"{100 * NEAR:g} points"
        if near is last:
            return f"Not before the end: only {strong(last.words)} are both errors within {points} of what they end at."
        when = strong(f"{near.words[0].upper()}{near.words[1:]}")
        if near is self.times[0]:
            return f"{when}: both errors are already within {points} of what they end at."
        return f"{when}: from then on neither error is more than {points} above what it ends at."

    def sentence(self, said: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> str:
        """The rates at the first time, one in the middle, and the last, and how many have ended by then where it is
        more than a tenth; `said` and `strong` as of `headline`."""
        told = dict.fromkeys((0, len(self.times) // 2, len(self.times) - 1))
        parts = []
        for at in (self.times[i] for i in told):
            ended = at.ended_words(self.n, self.unit)
            parts.append(f"{at.words} {at.rates(said, strong)}" + (f" ({ended})" if ended else ""))
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}."

    def table(self) -> pd.DataFrame:
        """A row per time, in words."""
        return pd.DataFrame(
            [
                {
                    "Decided": at.words,
                    "BPCER": rate_text(at.bpcer, at.bpcer_interval),
                    "Worst APCER": rate_text(at.apcer_max, at.apcer_worst_interval),
                    "Species": at.apcer_worst or "",
                    "APCER, all attacks": rate_text(at.apcer_pooled, at.apcer_pooled_interval),
                    "Threshold": number(at.threshold),
                    "Ended before": f"{at.n_ended:,}",
                }
                for at in self.times
            ]
        )

    @property
    def unit(self) -> str:
        """What decides: video, session."""
        return self.level.split(" ")[0]

    @property
    def caveat(self) -> str:
        """How far it can be believed."""
        if self.rule.kind == BY_HAND:
            threshold = "The threshold was set by hand and is the same at all times"
        else:
            threshold = f"Each time has a threshold of its own, {self.rule.words} on {', '.join(self.chosen_on)}"
        first = next((at for at in self.times if at.ended_words(self.n, self.unit)), None)
        ended = "" if first is None else f"; {first.words} {first.ended_words(self.n, self.unit)}"
        if first is not None:
            last = self.times[-1]
            ended += "" if last is first else f", {last.words} {last.n_ended:,}"
            ended += ": they count with what they have"
        return (
            f"{threshold}{ended}. A time that is picked by these rates was picked on "
            f"{', '.join(self.reported_on)}: on others it may do worse."
        )


def over_time(
    frames: Grouping,
    values: NDArray[np.float64],
    rule: Rule,
    chosen_on: Sequence[str],
    reported_on: Sequence[str],
    *,
    costs: Costs | None = None,
    times: Sequence[Span] = (),
) -> OverTime:
    """At some times, by default in steps from the first frame to the longest video's last.

    `frames`: with their order. `values`: (n,) a score per sample. Raises BadInputError for level frame, where no
    reported video has a second frame, for times in both units or in seconds that frames do not have, and where the
    rule gives no threshold.
    """
    at = sorted(set(times), key=lambda span: span.value) or usual_times(frames, reported_on)
    if len({span.in_seconds for span in at}) > 1:
        raise BadInputError("Give all times in seconds (0.5s), or all as numbers of frames (5).")
    if at[0].in_seconds and frames.frames.seconds is None:
        raise BadInputError("These frames have no times, only an order: give numbers of frames, as 5.")
    within = frames.within(reported_on)
    return OverTime(
        frames.level,
        rule,
        tuple(chosen_on),
        tuple(reported_on),
        rule.kind == BY_HAND or bool(set(chosen_on) & set(reported_on)),
        int(within.sum()),
        tuple(_at(frames.up_to(span), span, values, rule, chosen_on, reported_on, costs) for span in at),
    )


def _at(
    frames: Grouping,
    span: Span,
    values: NDArray[np.float64],
    rule: Rule,
    chosen_on: Sequence[str],
    reported_on: Sequence[str],
    costs: Costs | None,
) -> AtTime:
    decided = frames.judged(values)
    try:
        threshold = decided.threshold_by(rule, chosen_on, costs)
    except UndefinedMetricError as error:
        raise BadInputError(
            f"{rule.words} cannot be applied to {', '.join(chosen_on) or 'no subset'} "
            f"{'after ' + span.words if span.value else 'at the first frame'}: {error}."
        ) from error
    rates = rates_at(decided, reported_on, threshold)
    return AtTime(
        after=span,
        threshold=threshold,
        bpcer=rates.bpcer,
        bpcer_interval=rates.bpcer_interval,
        apcer_max=rates.apcer_max,
        apcer_worst=rates.apcer_worst,
        apcer_worst_interval=rates.worst_interval,
        apcer_pooled=rates.apcer_pooled,
        apcer_pooled_interval=_pooled_interval(decided, reported_on, threshold),
        n_bona_fide=rates.n_bona_fide,
        n_attack=sum(rates.n_per_species.values()),
        n_non_response=sum(rates.n_non_response.values()),
        n_ended=int((frames.frames.has_ended() & frames.within(reported_on)).sum()),
    )


def _pooled_interval(decided: Presentations, subsets: Sequence[str], threshold: float) -> RateInterval | None:
    """Of the share of all attacks that pass."""
    attacks = decided.within(subsets) & (decided.of.kinds[0] > 0) & ~np.isnan(decided.values)
    passes = ~metrics.is_attack(decided.values[attacks], threshold)
    return uncertainty.rate_interval(passes, decided.of.units(attacks))


def usual_times(grouped: Grouping, reported_on: Sequence[str]) -> list[Span]:
    """From the first frame in growing steps to the longest reported video's last one; numbers of frames where they
    have no times. No later than the frames that the level looks at."""
    frames, in_seconds = grouped.frames, grouped.frames.seconds is not None
    if frames.level.unit == FRAME:
        raise BadInputError("Level frame decides at once. Take a level of videos, such as 'video mean'.")
    ends = _ends(frames, grouped.within(reported_on)[frames.of_row] & frames.is_counted)
    if ends is None:
        raise BadInputError("No reported video has a second frame, so that nothing changes with time.")
    step, longest = ends
    first = Span(0.0, True) if in_seconds else Span(1.0, False)
    steps = STEPS if in_seconds else COUNTS
    ladder = [digit * 10.0**power for power in range(-3, 6) for digit in steps]
    inner = [value for value in ladder if value >= step * (1 - 1e-6) and first.value < value < 0.98 * longest]
    return [first, *(Span(round(value, 6), in_seconds) for value in (*inner, longest))]


def _ends(frames: Frames, chosen: NDArray[np.bool_]) -> tuple[float, float] | None:
    """The usual time from the first frame to the second, and the longest to any; of frames 1 and the most."""
    if frames.position is None:
        raise ValueError("these frames have no order")
    seconds_of_all = frames.seconds
    if seconds_of_all is None:
        most = int(frames.position[chosen].max(initial=-1)) + 1
        return (2.0, float(most)) if most > 1 else None
    second = seconds_of_all[chosen & (frames.position == 1)]
    second = second[second > 0]
    return (float(np.median(second)), float(seconds_of_all[chosen].max())) if len(second) else None
