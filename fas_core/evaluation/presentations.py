"""What is decided on: every frame by itself, or a video or session as a whole, by the scores of its frames.

    decided = presentations(run, scores.values(run, "rec"), "video mean")
    decided.score_set(["unseen_paper"])

Tests of attack detection usually report per video: frames of one video are no independent decisions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo, metrics
from fas_core.data.names import ATTACK
from fas_core.delivery import is_injected
from fas_core.errors import BadInputError
from fas_core.evaluation import levels as rules
from fas_core.evaluation.levels import FRAME as FRAME
from fas_core.evaluation.levels import GROUPED, NUMBER, ORDER, STATISTICS, TIME, Frames, Level
from fas_core.metrics import ScoreSet
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs
from fas_core.metrics.limits import Trials
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.uncertainty import UNITS, WITHIN, Units
from fas_core.runs import columns
from fas_core.runs.health import Caution
from fas_core.runs.scorefile import SCORE, ScoreFile
from fas_core.runs.store import Run

COLUMNS = ("sample_id", "subset", "label", "pai_species", "subject_id", *GROUPED.values())  # that presentations keep
_SAME = ("subset", "label", "pai_species", "subject_id")  # frames of one presentation agree in these
_NAMED_BY = {"video": ("session_id", "video_id"), "session": ("session_id",)}  # a video's id counts in its session


@dataclass(frozen=True, eq=False)
class Grouping:
    """The m presentations of a Run at a level, whatever score they are judged by."""

    frames: Frames  # the Run's samples, in row order, and then its failures
    rows: pd.DataFrame  # (m,) of the first frame: subset, label, pai_species, and ids: see `_telling_apart`
    n: int  # samples of the Run

    @property
    def level(self) -> str:
        return str(self.frames.level)

    @property
    def of_row(self) -> NDArray[np.int64]:
        """For each of the Run's samples, in row order, and then of its failures, its presentation."""
        return self.frames.of_row

    @cached_property
    def kinds(self) -> tuple[NDArray[np.int32], list[str]]:
        """(m,) 0 = bona fide, k = an attack of species names[k - 1], and the names."""
        return metrics.species_codes((self.rows["label"] == ATTACK).to_numpy(), self.rows["pai_species"])

    @cached_property
    def _units(self) -> dict[str, NDArray[np.intp]]:
        """(m,) by column: numbers in order of name, -1 where there is no name. Filled as columns are asked for."""
        return {}

    def _unit_codes(self, column: str) -> NDArray[np.intp]:
        if column not in self._units:
            codes, names = pd.factorize(self.rows[column], sort=True)
            codes = np.where(is_named(pd.Series(names, dtype="str"))[codes], codes, -1)
            outer = WITHIN.get(column)
            if outer in self.rows:
                of_pair = self.rows.groupby([outer, column], dropna=False, observed=True).ngroup().to_numpy()
                codes = np.where(codes < 0, -1, of_pair)
            self._units[column] = codes
        return self._units[column]

    def units(self, chosen: NDArray[np.bool_]) -> Units:
        """What some presentations, (m,), are drawn as a whole by: `uncertainty.unit_of` of their rows."""
        for column, name in UNITS.items():
            if column in self.rows:
                codes = self._unit_codes(column)[chosen]
                if (codes >= 0).all():
                    return Units(name, codes)
        return Units("sample", np.arange(int(chosen.sum())))

    def within(self, subsets: Sequence[str]) -> NDArray[np.bool_]:
        """(m,) whether it is a presentation of one of these subsets; injection attacks are none."""
        return self.of_subsets(subsets) & ~self.is_injected

    def of_subsets(self, subsets: Sequence[str]) -> NDArray[np.bool_]:
        """(m,) whether it is of one of these subsets, injection attacks too."""
        codes, names = self._subsets
        return np.array([*(name in subsets for name in names), False])[codes]

    @cached_property
    def _subsets(self) -> tuple[NDArray[np.signedinteger[Any]], list[str]]:
        """(m,) each one's place in the names, -1 where it has none: pages ask for one subset after another."""
        codes, names = pd.factorize(self.rows["subset"])
        return codes.astype(np.min_scalar_type(-1 - len(names))), list(names)

    @cached_property
    def is_injected(self) -> NDArray[np.bool_]:
        """(m,) whether it is an injection attack."""
        codes, names = self.kinds
        return np.array([False, *map(is_injected, names)])[codes]

    def judged(self, values: NDArray[np.float64], *, fail_closed: bool = False) -> Presentations:
        """By a score per sample, (n,), as `presentations` says."""
        scores = np.concatenate([values, np.full(len(self.of_row) - self.n, np.nan)])
        decided = self.frames.summed_up(scores)
        return Presentations(
            self,
            np.where(np.isnan(decided), np.inf, decided) if fail_closed else decided,
            self.frames.is_short(scores),
        )

    def up_to(self, last: rules.Span) -> Grouping:
        """As if no frame beyond a time, or number of frames, had been seen yet; the level must know their order."""
        return replace(self, frames=self.frames.up_to(last))


@dataclass(frozen=True, eq=False)
class Presentations:
    """m presentations of a Run with their scores; those without one (NaN) are non-responses."""

    of: Grouping
    values: NDArray[np.float64]  # (m,)
    is_short: NDArray[np.bool_]  # (m,) whether one lacks frames, seconds or scores that the level asks for

    @cached_property
    def digest(self) -> str:
        """Stands for the scores."""
        return hashlib.sha256(np.ascontiguousarray(self.values).data).hexdigest()

    @property
    def level(self) -> str:
        return self.of.level

    @property
    def rows(self) -> pd.DataFrame:
        return self.of.rows

    @property
    def of_frame(self) -> NDArray[np.int64]:
        """(n,) for each of the Run's samples, in row order, its presentation."""
        return self.of.of_row[: self.of.n]

    def within(self, subsets: Sequence[str]) -> NDArray[np.bool_]:
        """(m,) whether it is a presentation of one of these subsets; injection attacks are none."""
        return self.of.within(subsets)

    def part(self, chosen: NDArray[np.bool_]) -> Presentations:
        """Some presentations by themselves, (m,) booleans; their frames are not looked at any more."""
        rows, n = self.rows[chosen].reset_index(drop=True), int(chosen.sum())
        alone = np.arange(n)
        frames = Frames(self.of.frames.level, alone, alone)
        return Presentations(Grouping(frames, rows, n), self.values[chosen], self.is_short[chosen])

    def score_set(self, subsets: Sequence[str] | None = None) -> ScoreSet:
        """The presentations of some subsets, of all by default, as one sorted set of scores; injections apart in it."""
        codes, names = self.of.kinds
        chosen = slice(None) if subsets is None else self.of.of_subsets(subsets)
        return metrics.score_set_from_codes(self.values[chosen], codes[chosen], names)

    def short_cautions(self, subsets: Sequence[str]) -> list[Caution]:
        """How many presentations of some subsets lack what the level asks for, in one entry; [] where none does."""
        return short_cautions(self.of.frames.level, self.is_short[self.within(subsets)])

    def threshold_by(self, rule: Rule, subsets: Sequence[str], costs: Costs | None = None) -> float:
        """`operating_point.threshold_by` on the presentations of some subsets, which know their subjects."""
        return op.threshold_by(rule, self.score_set(subsets), costs, self.trials(subsets) if rule.at_95 else None)

    def trials(self, subsets: Sequence[str]) -> Trials:
        """The presentations of some subsets with what hangs together among them."""
        chosen = self.within(subsets)
        codes, names = self.of.kinds
        return Trials(self.values[chosen], codes[chosen], names, self.of.units(chosen))


def short_cautions(of: Level, is_short: NDArray[np.bool_]) -> list[Caution]:
    """How many of m presentations, (m,), lack what their level asks for: one entry; none where none does."""
    n, n_short = len(is_short), int(is_short.sum())
    if not n_short:
        return []
    are = f"{n_short:,} of {n:,} {of.unit}s {'has' if n_short == 1 else 'have'}"
    message = f"{are} less than '{of}' asks for ({of.asks_for}): each is decided on what it has."
    return [Caution("short_presentations", message, {"n_short": n_short, "n": n})]


def levels(run: Run) -> list[str]:
    """The levels at which a Run can be judged: frame, and those whose column names every sample."""
    named = [column for column in GROUPED.values() if column in run.column_names()]
    return levels_of(run.samples(named, repeated=named))


def levels_of(rows: pd.DataFrame) -> list[str]:
    """The same of n samples with their columns."""
    units = [unit for unit, column in GROUPED.items() if column in rows and is_named(rows[column]).all()]
    return [FRAME, *(f"{unit} {statistic}" for unit in units for statistic in STATISTICS)]


def suggested(run: Run) -> list[str]:
    """`levels`, and those of the rules that count frames or seconds which videos usually need, where frames have
    numbers or times and a video has several."""
    if len(run.shards) <= columns.FEW:
        return _suggested(run)
    return memo.document(run.cache, "levels", _levels_key(run), list[str], lambda: _suggested(run))


def are_suggested(run: Run) -> bool:
    """Whether `suggested` takes no time to speak of."""
    return len(run.shards) > columns.FEW and memo.is_kept(run.cache, "levels", _levels_key(run))


def _levels_key(run: Run) -> dict[str, object]:
    return {"run": run.shards_digest, "levels": [FRAME, *STATISTICS], "format": 1}


def _suggested(run: Run) -> list[str]:
    plain = levels(run)
    if not any(name.startswith("video") for name in plain):
        return plain
    key = [name for name in (*_SAME, *_NAMED_BY["video"]) if name in run.column_names()]
    rows = run.samples([*key, *(name for name in ORDER if name in run.column_names())], repeated=key)
    if not rows.duplicated(key).any():
        return plain
    if not rules.gap(rows, TIME):
        return [*plain, "video 3 of 10", "video ema 0.5s", "video mean first 1s"]
    return [*plain, *(() if rules.gap(rows, NUMBER) else ("video 3 of 10", "video ema 5", "video mean first 5"))]


def decided_on(run: Run, level: str) -> str:
    """What decisions are made on, in a word: images, videos or sessions; of scores alone, videos where each has but one
    score, else samples."""
    unit = level.split(" ")[0]
    if unit != FRAME:
        return f"{unit}s"
    if not run.is_of_scores:
        return "images"
    columns = [name for name in (*_SAME, *_NAMED_BY["video"]) if name in run.column_names()]
    if GROUPED["video"] not in columns:
        return "samples"
    rows = run.samples(columns)
    is_of_videos = is_named(rows[GROUPED["video"]]).all() and not rows.duplicated().any()
    return "videos" if is_of_videos else "samples"


def is_named(column: pd.Series) -> NDArray[np.bool_]:
    """(n,) whether there is a name: neither missing nor empty."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        names = column.cat.categories
        return np.append(is_named(pd.Series(names, dtype="str")), False)[column.cat.codes]
    return (column.notna() & (column.astype("str").str.strip() != "")).to_numpy()


def presentations(
    run: Run,
    values: NDArray[np.float64],
    level: str = FRAME,
    *,
    fail_closed: bool = False,
    columns: Sequence[str] = (),
) -> Presentations:
    """Every sample of a Run, the images that gave no output too, as presentations at a level: see `levels`.

    `values`: (n,) a score per sample in row order. Frames of one video (or session) with the same subset, subject,
    session, label and species are one presentation; its score is what the level makes of those of its frames that have
    one. `fail_closed`: a presentation without any score gets +inf, which every threshold calls an attack.
    `columns`: further ones of the Run's samples to keep, by the first frame.
    Raises BadInputError for an unknown level, for one that the Run does not name for every sample, and where frames
    have no order that it asks for.
    """
    return grouping(run, level, columns).judged(values, fail_closed=fail_closed)


def grouping(run: Run, level: str = FRAME, columns: Sequence[str] = (), *, in_order: bool = False) -> Grouping:
    """What `presentations` have in common for every score. Repeated texts are kept once, as categories.

    `in_order`: frames have an order although the level asks for none; raises BadInputError where they have not.
    """
    asks = in_order or rules.level(level).is_ordered
    kept = COLUMNS if asks else _telling_apart(run, level)
    wanted = [name for name in dict.fromkeys((*kept, *columns)) if name in run.column_names()]
    order = [name for name in ORDER if asks and name in run.column_names() and name not in wanted]
    repeated = [name for name in (*_SAME, *GROUPED.values()) if name in wanted]
    rows, failures = run.samples([*wanted, *order], repeated=repeated), run.failures()
    n = len(rows)
    if len(failures):
        rows = pd.concat([rows, failures[[name for name in rows if name in failures]]], ignore_index=True)
        rows["pai_species"] = rows["pai_species"].astype("str").fillna("")
        rows = rows.astype(dict.fromkeys(repeated, "category"))
    frames = grouped(rows, level, f"Run {run.info.name}", in_order=in_order)
    rows = rows.drop(columns=order)
    if level != FRAME:
        rows = rows.iloc[frames.first].reset_index(drop=True)
    return Grouping(frames, rows, n)


def _telling_apart(run: Run, level: str) -> Sequence[str]:
    """Those of `COLUMNS` by which presentations are grouped, and drawn as a whole. Of frames whose subjects all are
    named no other id: those of a million videos take longer to read than all else.
    """
    if level != FRAME or "subject_id" not in run.column_names():
        return COLUMNS
    column = ["subject_id"]
    people = (run.samples(column, repeated=column), run.failures().reindex(columns=column))
    return _SAME if all(is_named(of["subject_id"]).all() for of in people) else COLUMNS


def of_file(file: ScoreFile, level: str = FRAME) -> Presentations:
    """What `presentations` gives for a Run, of a score file. Raises BadInputError as it does."""
    frames = grouped(file.rows, level, str(file.source))
    whole = Grouping(frames, file.rows.iloc[frames.first].reset_index(drop=True), len(file.rows))
    return whole.judged(file.rows[SCORE].to_numpy(np.float64))


def same_video(rows: pd.DataFrame, row: int) -> NDArray[np.int64]:
    """Rows of the frames of the video that a sample is one of, in order of `time` where all have one, else of `frame`;
    none where the sample names no video. `rows`: with columns of `COLUMNS` and `levels.ORDER`; texts may be categories,
    which is fastest.
    """
    column = GROUPED["video"]
    if column not in rows or not is_named(rows[column].iloc[[row]])[0]:
        return np.empty(0, np.int64)
    is_same = np.ones(len(rows), np.bool_)
    for name in (*_NAMED_BY["video"][::-1], *_SAME):
        if name in rows:
            is_same &= (rows[name] == rows[name].iloc[row]).to_numpy(bool)
    frames = np.flatnonzero(is_same)
    keys = [pd.to_numeric(rows[name].iloc[frames], errors="coerce") for name in ORDER[::-1] if name in rows]
    keys = [key.to_numpy(np.float64) for key in keys if key.notna().all() or key.name == NUMBER]
    order = np.lexsort(keys) if keys else slice(None)
    return np.asarray(frames[order], np.int64)


def grouped(rows: pd.DataFrame, level: str, whose: str, *, in_order: bool = False) -> Frames:
    """n rows (columns of `COLUMNS` and `levels.ORDER`) as the frames of presentations.

    Raises BadInputError as `presentations` and `grouping` do; `whose` rows they are is for its message.
    """
    of = rules.level(level)
    if of.unit == FRAME:
        return Frames(of, np.arange(len(rows)), np.arange(len(rows)))
    column = GROUPED[of.unit]
    if column not in rows or not is_named(rows[column]).all():
        why = "is empty in some rows" if column in rows else "is missing"
        raise BadInputError(f"{whose} cannot be judged per {of.unit}: column '{column}' {why}. Level frame always can.")
    key = [name for name in (*_SAME, *_NAMED_BY[of.unit]) if name in rows]
    of_row = rows.groupby(key, sort=False, dropna=False).ngroup().to_numpy(np.int64)
    frames = Frames(of, of_row, np.unique(of_row, return_index=True)[1])
    return rules.placed(frames, rows, whose) if in_order or of.is_ordered else frames
