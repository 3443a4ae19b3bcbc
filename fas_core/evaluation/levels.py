"""What is decided on and by which rule, as a value, and the frames that each decision looks at.

    level("video 3 of 10")

    frame                  every image by itself
    video mean             the mean (median, max) of the scores of its frames
    video 3 of 10          the 3rd largest score of its first 10 frames: an attack where 3 of them reach the threshold;
                           also "3 of 1s", its first second, and "3 of all"
    video ema 0.5s         the exponential mean: a frame's weight halves with every 0.5 s that the last one is later;
                           "ema 5": with every 5 frames
    video mean first 1s    of the frames of its first second (first 10: of its first 10 frames); behind mean, median,
                           max and ema

`session` in the place of `video` takes all frames of a session together. Frames are in order of `time`, where every one
has it, else of `frame`. Seconds count from a video's first frame in the data; its first second holds the frames before
1 s, so of 10 frames a second the ten from 0 to 0.9 s. What a rule asks for and a video does not have (so many frames,
seconds or scores) changes nothing about the others: it is decided on what it has, of fewer than k scores by the
smallest, and counted as short. A video has so many seconds where its last frame and its usual step (the median between
two frames) reach them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics
from fas_core.errors import BadInputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FRAME = "frame"
GROUPED = {"video": "video_id", "session": "session_id"}
STATISTICS = ("mean", "median", "max")
OF, EMA = "of", "ema"  # k of n; exponential mean
WORDS = (
    "frame, or video (session) and mean, median or max of its frames, 'video 3 of 10' (1s, all), 'video ema 0.5s' (5: "
    "frames), 'video mean first 1s' (10: frames)"
)
SAME_TIME = 1e-6  # seconds: what times are rounded to

_SPAN = r"(?:\d{1,6}|\d{1,6}(?:\.\d{1,6})?s)"
_GRAMMAR = re.compile(
    rf"(?P<unit>{'|'.join(GROUPED)}) "
    rf"(?:(?P<k>\d{{1,6}}) of (?P<n>all|{_SPAN})"
    rf"|(?:(?P<statistic>{'|'.join(STATISTICS)})|ema (?P<half_life>{_SPAN}))(?: first (?P<first>{_SPAN}))?)",
    re.ASCII,
)


@dataclass(frozen=True)
class Span:
    """So many frames, or seconds."""

    value: float
    in_seconds: bool

    def __str__(self) -> str:
        return f"{self.value:g}s" if self.in_seconds else f"{self.value:g}"

    @property
    def words(self) -> str:
        """ "0.5 s", "1 frame", "10 frames" """
        if self.in_seconds:
            return f"{self.value:g} s"
        return f"{self.value:g} frame{'' if self.value == 1 else 's'}"


def span(text: str) -> Span:
    """Of "10" (frames) or "0.5s". Raises BadInputError for anything else."""
    if not re.fullmatch(_SPAN, text, re.ASCII):
        raise BadInputError(f"'{text}' is no number of frames, as 10, and no time in seconds, as 0.5s.")
    return Span(float(text.removesuffix("s")), text.endswith("s"))


@dataclass(frozen=True)
class Level:
    """A decision level; its text is the one way to write it."""

    unit: str  # frame, video or session
    statistic: str = ""  # of STATISTICS, OF or EMA; "" for frames
    k: int = 0  # of OF
    half_life: Span | None = None  # of EMA
    window: Span | None = None  # the frames that count, from the first; None: all

    def __str__(self) -> str:
        if self.unit == FRAME:
            return FRAME
        if self.statistic == OF:
            return f"{self.unit} {self.k} of {self.window or 'all'}"
        rule = self.statistic if self.half_life is None else f"{self.statistic} {self.half_life}"
        return f"{self.unit} {rule}" + (f" first {self.window}" if self.window else "")

    @property
    def is_ordered(self) -> bool:
        """Whether it asks for an order of the frames."""
        return self.statistic == EMA or self.window is not None

    @property
    def needs_time(self) -> bool:
        return any(part is not None and part.in_seconds for part in (self.half_life, self.window))

    @property
    def words(self) -> str:
        """The rule in a clause: "the mean of its frames in the first 1 s"; "" of frames."""
        if self.unit == FRAME:
            return ""
        if self.window is None:
            frames = "its frames"
        else:
            frames = f"its frames in the first {self.window.words}" if self.window.in_seconds else ""
            frames = frames or f"its first {self.window.words}"
        if self.statistic == OF:
            return f"an attack where {self.k} of {frames} {'reaches' if self.k == 1 else 'reach'} the threshold"
        if self.half_life is not None:
            return f"the exponential mean of {frames}: one that is {self.half_life.words} before the last counts half"
        return f"the {'maximum' if self.statistic == 'max' else self.statistic} of {frames}"

    @property
    def asks_for(self) -> str:
        """What a short presentation lacks, in words; "" where there is nothing to lack."""
        if self.statistic == OF and (self.window is None or self.window.in_seconds):
            scores = f"{self.k} score{'' if self.k == 1 else 's'}"
            return scores if self.window is None else f"{self.window.words} or {scores}"
        return "" if self.window is None else self.window.words


def level(text: str) -> Level:
    """The level of a text. Raises BadInputError where it is none, or is written in another way."""
    if text == FRAME:
        return Level(FRAME)
    parsed = _GRAMMAR.fullmatch(text)
    if parsed is None:
        raise BadInputError(f"There is no decision level '{text}'. Levels: {WORDS}.")
    part = parsed.groupdict()
    first = part["first"] if part["n"] in (None, "all") else part["n"]
    window = None if first is None else span(first)
    half_life = None if part["half_life"] is None else span(part["half_life"])
    for length in (window, half_life):
        if length is not None and not length.value > 0:
            raise BadInputError(f"Decision level '{text}': {length} must be above 0.")
    if part["k"] is not None:
        read = Level(part["unit"], OF, k=int(part["k"]), window=window)
        if not read.k or (window is not None and not window.in_seconds and read.k > window.value):
            raise BadInputError(f"Decision level '{text}': {part['k']} of {part['n']} frames can never be counted.")
    else:
        read = Level(part["unit"], part["statistic"] or EMA, half_life=half_life, window=window)
    if str(read) != text:
        raise BadInputError(f"Write the decision level '{text}' as '{read}'.")
    return read


@dataclass(frozen=True, eq=False)
class Frames:
    """n rows of a table as the frames of m presentations."""

    level: Level
    of_row: Ints  # (n,) the presentation of each row
    first: Ints  # (m,) the first row of each, in the table's order
    position: Ints | None = None  # (n,) 0, 1, ... in order; None where the level asks for no order
    seconds: Floats | None = None  # (n,) since the presentation's first frame; None where they have no times
    cut: Span | None = None  # no later frame is looked at, whatever the level says

    @property
    def is_counted(self) -> Bools:
        """(n,) whether the rule looks at it."""
        return self._within(self.level.window, -SAME_TIME) & self._within(self.cut, SAME_TIME)

    def _within(self, window: Span | None, leeway: float) -> Bools:
        """`leeway`: of times; above 0, a frame at the very end is within."""
        if window is None:
            return np.ones(len(self.of_row), np.bool_)
        if window.in_seconds:
            if self.seconds is None:
                raise ValueError("these frames have no times")
            return self.seconds < window.value + leeway
        if self.position is None:
            raise ValueError("these frames have no order")
        return self.position < window.value

    def only(self, wanted: Bools) -> Frames:
        """Some rows; which of them count stays as it was among all."""
        of_row = pd.factorize(self.of_row[wanted])[0].astype(np.int64)
        return replace(
            self,
            of_row=of_row,
            first=np.unique(of_row, return_index=True)[1],
            position=None if self.position is None else self.position[wanted],
            seconds=None if self.seconds is None else self.seconds[wanted],
        )

    def up_to(self, last: Span) -> Frames:
        """As if no frame beyond a time, or number of frames, had been seen yet."""
        return replace(self, cut=last)

    def summed_up(self, values: Floats) -> Floats:
        """(m,) the score of each presentation by the rule, of a score per row, (n,); NaN where no frame has one."""
        if self.level.unit == FRAME:
            return values
        counted = np.where(self.is_counted, values, np.nan)
        if self.level.statistic == OF:
            return self._kth_largest(counted)
        if self.level.statistic == EMA:
            return self._exponential_mean(counted)
        by_presentation = pd.Series(counted).groupby(self.of_row)
        summary = by_presentation.agg(self.level.statistic).to_numpy(np.float64)
        # Between +inf and -inf is no number; +inf wins, so that an attack does not vanish as a non-response.
        return np.where(np.isnan(summary) & (by_presentation.count().to_numpy() > 0), np.inf, summary)

    def _kth_largest(self, values: Floats) -> Floats:
        rows = np.flatnonzero(~np.isnan(values))
        rows = rows[np.lexsort((-values[rows], self.of_row[rows]))]
        counts = self._counts(~np.isnan(values))
        starts = np.cumsum(counts) - counts
        largest = np.full(len(self.first), np.nan)
        has = counts > 0
        largest[has] = values[rows[starts[has] + np.minimum(self.level.k, counts[has]) - 1]]
        return largest

    def _exponential_mean(self, values: Floats) -> Floats:
        half_life = self.level.half_life
        places = self.seconds if half_life is not None and half_life.in_seconds else self.position
        if half_life is None or places is None:
            raise ValueError("these frames have no order")
        m = len(self.first)
        rows = np.flatnonzero(~np.isnan(values))
        of_row, value = self.of_row[rows], values[rows]
        last = np.full(m, -np.inf)
        np.maximum.at(last, of_row, places[rows])
        weight = np.exp2((places[rows] - last[of_row]) / half_life.value)
        finite = np.isfinite(value)
        total = np.bincount(of_row[finite], weight[finite], m)
        summed = np.bincount(of_row[finite], weight[finite] * value[finite], m)
        mean = np.divide(summed, total, out=np.full(m, np.nan), where=total > 0)
        mean[of_row[value == -np.inf]] = -np.inf
        mean[of_row[value == np.inf]] = np.inf  # wins, as in other means
        return mean

    def alone(self, row: int) -> tuple[Ints, Frames]:
        """The rows of the presentation that a row is a frame of, in order, and they as frames of their own."""
        if self.position is None:
            raise ValueError("these frames have no order")
        rows = np.flatnonzero(self.of_row == self.of_row[row])
        rows = rows[np.argsort(self.position[rows])]
        seconds = None if self.seconds is None else self.seconds[rows]
        zeros = np.zeros(len(rows), np.int64)
        return rows, replace(self, of_row=zeros, first=zeros[:1], position=self.position[rows], seconds=seconds)

    def so_far(self, values: Floats) -> Floats:
        """(n,) of one presentation, as `alone` has it: its score as each frame leaves it, by `values` (n,)."""
        of_row, row = np.tril_indices(len(values))
        seconds = None if self.seconds is None else self.seconds[row]
        first = np.cumsum(np.arange(len(values)))
        return replace(self, of_row=of_row, first=first, position=row, seconds=seconds).summed_up(values[row])

    def settled_at(self, values: Floats, so_far: Floats, threshold: float) -> int:
        """Of one presentation, as `alone` has it: the first row from which the decision on what was seen so far stays
        as it is. `so_far`: (n,) as the method of that name has it. Of k frames, fewer are no attack yet."""
        is_silent, is_attack = np.isnan(so_far), np.zeros(len(so_far), np.bool_)
        is_attack[~is_silent] = metrics.is_attack(so_far[~is_silent], threshold)
        if self.level.statistic == OF:
            n_answered = np.cumsum(self.is_counted & ~np.isnan(values))
            is_attack &= n_answered >= min(self.level.k, n_answered[-1])
        is_other = (is_attack != is_attack[-1]) | (is_silent != is_silent[-1])
        return int(np.flatnonzero(is_other).max(initial=-1)) + 1

    def is_short(self, values: Floats) -> Bools:
        """(m,) whether a presentation lacks something that the rule asks for: frames, seconds or, for k of n, scores.

        It lacks seconds where its last frame and its usual step do not reach them.
        """
        if self.level.unit == FRAME:
            return np.zeros(len(self.first), np.bool_)
        window = self.level.window
        if window is not None and window.in_seconds:
            few = self.lengths + self._steps < window.value - 2 * SAME_TIME  # a sum of two that are rounded
        else:
            few = self._ends_before(window)
        if self.level.statistic == OF:
            few = few | (self._counts(self.is_counted & ~np.isnan(values)) < self.level.k)
        return few

    def has_ended(self) -> Bools:
        """(m,) whether a presentation has no frame as late as what it is cut at."""
        return self._ends_before(self.cut)

    def _ends_before(self, window: Span | None) -> Bools:
        if window is None:
            return np.zeros(len(self.first), np.bool_)
        if window.in_seconds:
            return self.lengths < window.value - SAME_TIME
        return self._counts(np.ones(len(self.of_row), np.bool_)) < window.value

    @cached_property
    def lengths(self) -> Floats:
        """(m,) seconds from the first frame to the last."""
        if self.seconds is None:
            raise ValueError("these frames have no times")
        longest = np.zeros(len(self.first))
        np.maximum.at(longest, self.of_row, self.seconds)
        return longest

    @property
    def _steps(self) -> Floats:
        """(m,) seconds from a frame to the next, the median; 0 of a single frame."""
        if self.seconds is None:
            raise ValueError("these frames have no times")
        order = np.lexsort((self.seconds, self.of_row))
        of_row = self.of_row[order]
        is_same = np.diff(of_row) == 0
        steps = pd.Series(np.diff(self.seconds[order])[is_same]).groupby(of_row[1:][is_same]).median()
        return steps.reindex(np.arange(len(self.first)), fill_value=0.0).to_numpy(np.float64)

    def _counts(self, wanted: Bools) -> Ints:
        """(m,) how many of some rows each presentation has."""
        return np.bincount(self.of_row[wanted], minlength=len(self.first))


def in_given_order(n: int, of: Level, every: float | None = None) -> Frames:
    """n frames of one presentation as they come, `every` so many seconds one.

    Raises BadInputError where the level counts seconds and nothing says how many there are between two.
    """
    if of.needs_time and every is None:
        raise BadInputError(
            f"'{of}' counts seconds, and images have none: say how many there are from one to the next, --every 0.1s, "
            "or give scores with a column 'time' (--scores)."
        )
    position = np.arange(n, dtype=np.int64)
    seconds = None if every is None else position * np.float64(every)
    return Frames(of, np.zeros(n, np.int64), np.zeros(min(n, 1), np.int64), position, seconds)


# ----------------------------------------------------------------------------------------------------- their order

TIME, NUMBER = "time", "frame"
ORDER = (TIME, NUMBER)  # columns that may say it


def placed(frames: Frames, rows: pd.DataFrame, whose: str) -> Frames:
    """Frames with their order, of n rows with `sample_id`, ids and columns of `ORDER`.

    Raises BadInputError where there is no order, or seconds are asked for and there are none.
    """
    of = frames.level
    problems = {name: gap(rows, name) for name in ORDER}
    why = ""
    if of.needs_time and problems[TIME]:
        why = f"{problems[TIME]}, and it counts seconds. Frames can be counted instead, as in 'video mean first 10'"
    elif all(problems.values()):
        why = f"its frames have no order: {problems[TIME]}, and {problems[NUMBER]}"
    elif of.unit == "session" and _several_videos(frames, rows):
        why = "a session holds several videos, and frames of different videos have no order. Judge per video"
    by = {name: pd.to_numeric(rows[name]).to_numpy(np.float64) for name in ORDER if not problems[name]}
    if not why:
        keys = tuple(by[name] for name in ORDER[::-1] if name in by)
        order = np.lexsort((*keys, frames.of_row))
        same = np.diff(frames.of_row[order]) == 0
        for key in keys:
            same &= np.diff(key[order]) == 0
        if same.any():
            pair = order[np.flatnonzero(same)[0] :][:2]
            ids = " and ".join(f"'{rows['sample_id'].iloc[row]}'" for row in pair)
            why = f"its frames have no order: {ids} are of one {of.unit} and have the same {' and '.join(by)}"
    if why:
        if not of.is_ordered:
            raise BadInputError(f"{whose} cannot be judged over time: {why}.")
        raise BadInputError(f"{whose} cannot be judged by '{of}': {why}. What needs no order: {of.unit} mean.")
    counts = np.bincount(frames.of_row, minlength=len(frames.first))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    seconds: Floats | None = None
    if TIME in by:
        seconds = by[TIME] - by[TIME][order[np.cumsum(counts) - counts]][frames.of_row]
    return replace(frames, position=position, seconds=seconds)


def gap(rows: pd.DataFrame, name: str) -> str:
    """What is wrong with a column of `ORDER`, in words; "" where every row has a number."""
    if name not in rows:
        return f"there is no column '{name}'"
    numbers = pd.to_numeric(rows[name], errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if not len(wrong):
        return ""
    texts = rows[name].iloc[wrong].astype("str").fillna("").str.strip()
    odd = texts[~texts.str.lower().isin(("", "nan", "none", "<na>"))]
    if len(odd):
        return f"column '{name}' holds '{odd.iloc[0]}', which is no number"
    return f"column '{name}' is empty in {len(wrong):,} of {len(rows):,} rows"


def _several_videos(frames: Frames, rows: pd.DataFrame) -> bool:
    column = GROUPED["video"]
    if column not in rows:
        return False
    videos = pd.factorize(rows[column].astype("str"))[0]
    return bool((videos != videos[frames.first][frames.of_row]).any())
