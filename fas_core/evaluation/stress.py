"""Errors at a fixed threshold against what goes wrong with an image, step by step: where an operating point breaks.

    errors(stressed.newest(run, "rec", "frame", ["test"]), run, ["test"], threshold)

Every step is judged on the same presentations as the images without it, so that differences are paired: both on the
same resamples of whole subjects. An error is the BPCER, the worst APCER or, where a limit names a species, its APCER.
**It breaks at the mildest step from which on** (that step and every harsher one) **it is clearly above the error of the
images as they are and, where there is a limit to this error, beyond it.** Clearly: the whole paired 95 % interval of
the difference is above 0, and the exact test that swaps verdicts within people (`uncertainty.swap_p`; of the worst
APCER that of the species which is the worst at the step) has a p of 5 % at most, which fewer than six people cannot
reach. Each step is judged by itself. The threshold is given: nothing is chosen on stressed images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.data.degradations import KINDS, Kind
from fas_core.data.names import readable
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation import run_metrics, stressed
from fas_core.evaluation.presentations import Presentations
from fas_core.evaluation.run_metrics import ReportedRates
from fas_core.evaluation.stressed import Kept, Sample
from fas_core.evaluation.words import rate_text, signed, threshold_text
from fas_core.metrics import resampling
from fas_core.metrics.operating_point import APCER, BPCER, Rule
from fas_core.metrics.resampling import Statistic
from fas_core.metrics.uncertainty import UnitInterval, codes_of, swap_p
from fas_core.runs import health
from fas_core.runs.health import Caution
from fas_core.runs.store import Run

SURE = 0.05  # the largest p of what is clear
_BPCER, _WORST = Statistic("bpcer"), Statistic("apcer_max")


@dataclass(frozen=True)
class Change:
    """An error less that of the images as they are; its 95 % interval by resampling units, and p of "no difference" by
    swapping verdicts within units; None where undefined."""

    difference: float | None
    low: float | None
    high: float | None
    p: float | None

    @property
    def is_clear(self) -> bool:
        """Whether it is an increase beyond chance."""
        return self.low is not None and self.low > 0 and self.p is not None and self.p <= SURE


@dataclass(frozen=True)
class AtStep:
    """Errors at one amount."""

    amount: float
    rates: ReportedRates
    changes: Mapping[str, Change]  # by "bpcer", "apcer_max" and "apcer[species]"
    above: tuple[str, ...]  # those of these that are clearly above, and beyond their limit where there is one

    def as_json(self) -> Json:
        return {"amount": self.amount, **_of_rates(self.rates), "changes": self.changes, "above": self.above}


@dataclass(frozen=True)
class Break:
    """Where an error breaks: at this amount and at all that is harsher."""

    error: str
    amount: float
    in_words: str  # "JPEG quality 30 and below"


@dataclass(frozen=True)
class OfKind:
    """A degradation with the steps that are there, in the order of an axis."""

    kind: Kind
    steps: tuple[AtStep, ...]
    breaks: tuple[Break, ...]
    n_missing: int  # steps that were not computed yet

    def at(self, amount: float) -> AtStep:
        """The step of exactly this amount, which is one of them."""
        return next(step for step in self.steps if step.amount == amount)

    def as_json(self) -> Json:
        said = {"kind": self.kind.name, "unit": self.kind.title, "n_missing": self.n_missing}
        return said | {"breaks": self.breaks, "steps": self.steps}


@dataclass(frozen=True)
class Stress:
    """An operating point under stress."""

    kept: Kept
    sample: Sample
    threshold: float
    limit: Rule | None
    reported_on: tuple[str, ...]
    n: int  # presentations that are judged here
    unstressed: ReportedRates
    of_kinds: tuple[OfKind, ...]
    n_unlike: int  # presentations that are decided otherwise in the Run than here, without any degradation
    warnings: tuple[Caution, ...]  # about the data

    @property
    def _missing(self) -> str:
        """What was not computed, in words: "2 steps of noise, light"; "" where nothing lacks."""
        n_missing = {of.kind.name: of.n_missing for of in self.of_kinds}
        steps = [(n_missing.get(kind.name), _short(kind)) for kind in KINDS]
        return ", ".join(
            name if n is None else f"{n} step{'' if n == 1 else 's'} of {name}" for n, name in steps if n != 0
        )

    def as_json(self) -> Json:
        """The document of `fas stress --json`."""
        about = self.kept.about
        return metrics.json_safe(
            {
                "run": about.run,
                "score": about.score,
                "level": about.level,
                "threshold": self.threshold,
                "limit": None if self.limit is None else str(self.limit),
                "reported_on": self.reported_on,
                "seed": about.seed,
                "n": self.n,
                "n_of": self.sample.n_of,
                "n_images": about.n_images,
                "n_files": about.n_files,
                "n_unlike": self.n_unlike,
                "counts": self.sample.counts,
                "unit": None if self.unstressed.bpcer_interval is None else self.unstressed.bpcer_interval.unit,
                "unstressed": _of_rates(self.unstressed),
                "kinds": self.of_kinds,
                "warnings": [warning.as_json() for warning in self.warnings],
                "in_words": [self.sentence(), self.caveat],
            }
        )

    def table(self, of: OfKind) -> pd.DataFrame:
        """A row per step of a kind, in words, after one of the images as they are."""
        rows = [{"Step": "as is", **_in_words(self.unstressed, {})}]
        rows += [{"Step": of.kind.text(at.amount), **_in_words(at.rates, at.changes)} for at in of.steps]
        return pd.DataFrame(rows)

    def sentence(self, said: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> str:
        """Where it breaks, kind by kind, and which kinds it stands; `said` and `strong` as of `summary.headline`."""
        broken = [self._breaks_words(of, said, strong) for of in self.of_kinds if of.breaks]
        whole = [of.kind for of in self.of_kinds if not of.breaks]
        if not self.of_kinds:
            return "No step was computed yet."
        missed = self._missed_words(said)
        beyond = " beyond its limit" if self.limit is not None and not missed else ""
        stands = f"o step of {_listed([_short(of) for of in whole])} raises an error clearly{beyond}."
        if missed and not broken:
            return f"{missed}N{stands} {self._start(said)}"
        if not broken:
            return f"It holds: n{stands} {self._start(said)}"
        text = f"{missed}It breaks at {'; at '.join(broken)}."
        return f"{text} N{stands}" if whole else text

    def _missed_words(self, said: Callable[[str], str]) -> str:
        """That the images as they are miss the limit, with a blank behind it; "" where they do not."""
        errors_of = ("bpcer", "apcer_max", *(f"apcer[{name}]" for name in self.unstressed.apcer_per_species))
        error = next((name for name in errors_of if _limits(self.limit, name)), None)
        if self.limit is None or error is None or not _is_beyond(error, self.unstressed, self.limit):
            return ""
        interval = {"bpcer": self.unstressed.bpcer_interval, "apcer_max": self.unstressed.worst_interval}.get(
            error, self.unstressed.apcer_interval_per_species.get(error[6:-1])
        )
        rate = rate_text(_rate(self.unstressed, error), interval, self.limit.value)
        return (
            f"Unstressed it already misses its limit: {_name(error, said)} {rate}, limit {100 * self.limit.value:g} %. "
        )

    def _start(self, said: Callable[[str], str]) -> str:
        rates = self.unstressed
        worst = "" if rates.apcer_worst is None else f", {said(rates.apcer_worst)}"
        apcer = rate_text(rates.apcer_max, rates.worst_interval)
        return f"As the images are: BPCER {rate_text(rates.bpcer, rates.bpcer_interval)}, worst APCER {apcer}{worst}."

    def _breaks_words(self, of: OfKind, said: Callable[[str], str], strong: Callable[[str], str]) -> str:
        by_place: dict[str, list[Break]] = {}
        for each in of.breaks:
            by_place.setdefault(each.in_words, []).append(each)
        changes = {
            place: ", ".join(self._change_words(of.at(each.amount), each.error, said) for each in breaks)
            for place, breaks in by_place.items()
        }
        return "; at ".join(f"{strong(place)}: {words}" for place, words in changes.items())

    def _change_words(self, at: AtStep, error: str, said: Callable[[str], str]) -> str:
        change, before, after = at.changes[error], _rate(self.unstressed, error), _rate(at.rates, error)
        worst = f", {said(at.rates.apcer_worst)}" if error == "apcer_max" and at.rates.apcer_worst else ""
        name = _name(error, said)
        return f"{name} {100 * (before or 0):.0f} → {100 * (after or 0):.0f} % ({_range(change)} points{worst})"

    @property
    def caveat(self) -> str:
        """How far it can be believed, and of what it is."""
        about = self.kept.about
        what = {"frame": "images"}.get(about.level, f"{about.level.split(' ')[0]}s")
        drawn = f"all {self.n:,}" if len(self.sample.grouping.rows) == self.sample.n_of else f"{self.n:,} drawn"
        held = about.n_images - about.n_files
        source = (
            ""
            if not held
            else (
                f" {held:,} of {about.n_images:,} images are not in their files any more as they were: what the Run "
                "holds of them was degraded, after its scaling."
            )
        )
        return (
            f"Synthetic degradations of the same test faces ({drawn} {what}, seed {about.seed}), no evidence of a real "
            f"camera; the threshold {threshold_text(self.threshold)} stays. Each step is judged by itself."
            + source
            + (f" As they are, {self.n_unlike:,} are decided otherwise than in the Run." if self.n_unlike else "")
            + "".join(f" {warning.message}" for warning in self.warnings if warning.kind == health.SIMULATED)
            + (f" Not computed yet: {self._missing}." if self._missing else "")
        )


def errors(
    kept: Kept,
    run: Run,
    reported_on: Sequence[str],
    threshold: float,
    limit: Rule | None = None,
    *,
    fail_closed: bool = False,
) -> Stress:
    """Of some subsets, which the kept scores are of. Raises BadInputError where they do not fit the Run."""
    about = kept.about
    drawn = stressed.sample(run, about.level, about.subsets, about.n, about.seed)
    before = kept.scores()
    if before is None or len(drawn.rows) != about.n_images:
        raise BadInputError(f"{kept.folder} holds no scores of the images as they are. Run 'fas stress' again.")
    chosen = drawn.grouping.within(reported_on)

    def judged(values: stressed.Floats) -> Presentations:
        return drawn.grouping.judged(values, fail_closed=fail_closed).part(chosen)

    present = []
    for kind in KINDS:
        values = {amount: kept.scores(kind, amount) for amount in kind.steps(_side(run))}
        present.append((kind, {amount: judged(of) for amount, of in values.items() if of is not None}, len(values)))
    present = [(kind, steps, n) for kind, steps, n in present if steps]
    unstressed, in_run = judged(before), judged(scores.values(run, about.score)[drawn.rows])
    every = [unstressed, *(step for _, steps, _ in present for step in steps.values())]
    paired = _paired(every, threshold)
    rates = [run_metrics.rates_at(step, reported_on, threshold) for step in every]
    of_kinds, i = [], 0
    for kind, steps, n in present:
        at = {}
        for amount in steps:
            i += 1
            at[amount] = _at(amount, rates[0], rates[i], paired[i], limit)
        of_kinds.append(OfKind(kind, tuple(at.values()), tuple(_breaks(kind, at, limit)), n - len(steps)))
    n = int(chosen.sum())
    n_unlike = int((_called(unstressed, threshold) != _called(in_run, threshold)).sum())
    warnings = tuple(health.cautions(run, reported_on))
    return Stress(kept, drawn, threshold, limit, tuple(reported_on), n, rates[0], tuple(of_kinds), n_unlike, warnings)


def _called(of: Presentations, threshold: float) -> NDArray[np.bool_]:
    """(m,) whether each is called an attack; a missing score counts as one here."""
    return metrics.is_attack(np.where(np.isnan(of.values), np.inf, of.values), threshold)


def _side(run: Run) -> int:
    """Pixels of the square that the model of a Run is given."""
    return run.shards[0].meta.arrays["inputs"].shape[1]


def _paired(every: Sequence[Presentations], threshold: float) -> list[dict[str, tuple[UnitInterval | None, float]]]:
    """Of each step the interval and p of what each error is more than that of number 0, the images as they are.

    Live people and those who attack are drawn by themselves: nobody who is the only one of his kind is in every draw.
    """
    of = every[0].of
    codes, names = of.kinds
    species = np.array(["", *names], object)[codes]
    present = [name for k, name in enumerate(names, 1) if (codes == k).any()]
    by_class = {False: [_BPCER], True: [_WORST, *(Statistic("apcer", name) for name in present)]}
    changes: list[dict[str, tuple[UnitInterval | None, float]]] = [{} for _ in every]
    for is_attack, statistics in by_class.items():
        wanted = (codes > 0) == is_attack
        if not wanted.any():
            continue
        drawn = resampling.resampled(
            [step.values[wanted] for step in every],
            codes[wanted] > 0,
            of.units(wanted),
            statistics,
            species=species[wanted],
            thresholds=[threshold] * len(every),
        )
        for i, step in enumerate(every):
            for statistic in statistics:
                name = statistic.species
                rows = codes == (0 if name is None else 1 + names.index(name))
                p = 1.0 if statistic is _WORST else _swap_p(every[0], step, rows, threshold)
                error = statistic.name if name is None else f"apcer[{name}]"
                changes[i][error] = (drawn.difference(statistic, i, 0), p)
    return changes


def _swap_p(before: Presentations, after: Presentations, rows: NDArray[np.bool_], threshold: float) -> float:
    """Of "some presentations, (m,), are decided wrongly as often": whole units whose verdicts might be swapped."""
    rows = rows & ~np.isnan(before.values) & ~np.isnan(after.values)
    was, is_now = (metrics.is_attack(of.values[rows], threshold).astype(np.int64) for of in (before, after))
    units, n_units = codes_of(before.of.units(rows).groups)
    return swap_p(np.rint(np.bincount(units, is_now - was, n_units)).astype(np.int64))


def _at(
    amount: float,
    before: ReportedRates,
    after: ReportedRates,
    paired: Mapping[str, tuple[UnitInterval | None, float]],
    limit: Rule | None,
) -> AtStep:
    changes = {}
    for error, (interval, p) in paired.items():
        was, is_now = _rate(before, error), _rate(after, error)
        if was is None or is_now is None or interval is None:
            changes[error] = Change(None if was is None or is_now is None else is_now - was, None, None, None)
        else:
            of = f"apcer[{after.apcer_worst}]" if error == "apcer_max" else error
            changes[error] = Change(is_now - was, interval.low, interval.high, paired[of][1] if of in paired else p)
    above = tuple(name for name, change in changes.items() if change.is_clear and _is_beyond(name, after, limit))
    return AtStep(amount, after, changes, above)


def _is_beyond(error: str, rates: ReportedRates, limit: Rule | None) -> bool:
    """Whether an error is beyond its limit; where it has none, any is."""
    rate = _rate(rates, error)
    return not _limits(limit, error) or limit is None or (rate is not None and rate > limit.value)


def _limits(limit: Rule | None, error: str) -> bool:
    """Whether a limit is one of this error."""
    if limit is None or limit.kind not in (BPCER, APCER):
        return False
    if limit.kind == BPCER:
        return error == "bpcer"
    return error == (f"apcer[{limit.species}]" if limit.species else "apcer_max")


def _breaks(kind: Kind, at: Mapping[float, AtStep], limit: Rule | None) -> list[Break]:
    """Of each error, per way that things go wrong, the mildest step from which on it is above."""
    judged = ["bpcer", "apcer_max", *([f"apcer[{limit.species}]"] if limit is not None and limit.species else [])]
    breaks = []
    for arm in kind.arms:
        harshest_first = [at[amount] for amount in reversed(arm) if amount in at]
        for error in judged:
            mildest = None
            for step in harshest_first:
                if error not in step.above:
                    break
                mildest = step.amount
            if mildest is not None:
                breaks.append(Break(error, mildest, kind.from_here(mildest)))
    return breaks


def _rate(rates: ReportedRates, error: str) -> float | None:
    if error == "bpcer":
        return rates.bpcer
    return rates.apcer_max if error == "apcer_max" else rates.apcer_per_species.get(error[6:-1])


def _name(error: str, said: Callable[[str], str]) -> str:
    return "BPCER" if error == "bpcer" else "worst APCER" if error == "apcer_max" else f"APCER {said(error[6:-1])}"


def _in_words(rates: ReportedRates, changes: Mapping[str, Change]) -> dict[str, str]:
    return {
        "BPCER": rate_text(rates.bpcer, rates.bpcer_interval),
        "BPCER, change": points(changes.get("bpcer")),
        "Worst APCER": rate_text(rates.apcer_max, rates.worst_interval),
        "Species": rates.apcer_worst or "",
        "APCER, change": points(changes.get("apcer_max")),
    }


def points(change: Change | None) -> str:
    """ "+7 (+3 to +11)" percentage points"""
    if change is None or change.difference is None:
        return "–"
    text = signed(100 * change.difference, 0)
    return text if change.low is None or change.high is None else f"{text} ({_range(change)})"


def _range(change: Change) -> str:
    """ "+3 to +11" percentage points, with as many digits as leave a clear end on its side of 0."""
    low, high = 100 * (change.low or 0), 100 * (change.high or 0)
    digits = next((n for n in (0, 1) if all(round(end, n) or not end for end in (low, high))), 2)
    return f"{signed(low, digits)} to {signed(high, digits)}"


def _of_rates(rates: ReportedRates) -> Json:
    names = (
        "bpcer", "bpcer_interval", "apcer_max", "apcer_worst", "apcer_per_species", "apcer_interval_per_species",
        "n_bona_fide", "n_per_species", "n_non_response",
    )  # fmt: skip
    return {name: getattr(rates, name) for name in names}


def _listed(names: Sequence[str]) -> str:
    """a, b or c"""
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _short(kind: Kind) -> str:
    """Without its unit."""
    return readable(kind.name).replace("jpeg", "JPEG quality").replace("brightness", "light")
