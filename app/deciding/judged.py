"""Losses: which subsets scores are judged on, and what is to be known of their areas, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.session import operating
from app.session.cache import cached
from app.session.readers import score_values
from app.session.sidebar import Shown
from app.words import escaped
from fas_core import scores
from fas_core.data.names import outside_training, readable
from fas_core.evaluation import ranking
from fas_core.evaluation.ranking import Cells, Ranking, area
from fas_core.runs import store
from fas_core.runs.store import Run

LIVE_ELSEWHERE = "live faces outside training"
WHAT_AUC_IS = (
    "AUC: the share of pairs of an attack and a live face in which the attack has the higher score; 0.5 is chance."
)


@cached(entries=16)
def cells(run: Run) -> Cells:
    return ranking.cells(run.samples(ranking.KINDS, repeated=ranking.KINDS))


def tested(shown: Shown) -> tuple[str, ...]:
    """The chosen subsets that scores are judged on: those outside training, where there are any."""
    return tuple(outside_training(shown.subsets)) or shown.subsets


def where(rankings: Mapping[str, Ranking]) -> str:
    """On which subset, or which species of it, the best score there does best and worst."""
    said = []
    for word, (_, row) in zip(("Easiest", "Hardest"), ranking.extremes(rankings).iterrows(), strict=False):
        species, subset = (escaped(readable(row[key])) for key in ("species", "subset"))
        place = f"{species} in {subset}" if row["is_one_of_several"] else subset
        auc = area(row["auc"], min(row["n_live"], row["n_attack"]))
        by = f" by {escaped(row['score'])}" if len(rankings) > 1 else ""
        said.append(f"{word}: **{place}** (n = {row['n_attack']:,}), AUC **{auc}**{by}.")
    return " ".join(said)


def on_overview(shown: Shown, subsets: Sequence[str]) -> tuple[str, ...]:
    """The subsets of which Overview tells the AUC, where these are not all that scores are judged on here."""
    point, _ = operating.operating_point(shown.run, shown.score, shown.level, shown.subsets)
    reported = () if point is None else tuple(point.reported_on)
    if set(reported) == set(subsets):
        return ()
    values = score_values(shown.run, shown.score)
    return reported if cells(shown.run).has_both_classes(values, reported) else ()


def caveats(shown: Shown, rankings: Mapping[str, Ranking]) -> str:
    """Where the best score does best and worst, what the numbers stand on, and what they leave out."""
    subsets = tested(shown)
    names, together = escaped(", ".join(map(readable, subsets))), " together" * (len(subsets) > 1)
    words = f"{where(rankings)} On {names}{together}.".lstrip()
    if len(subsets) < len(shown.subsets):
        words += " Training images are left out."
    if elsewhere := on_overview(shown, subsets):
        names = escaped(", ".join(map(readable, elsewhere)))
        words += f" The AUC on Overview is of {names} alone, for the threshold is not chosen there: other numbers."
    if n_failed := sum(sum(store.non_responses(shown.run, subset).values()) for subset in subsets):
        words += f" {n_failed:,} images gave no output and are left out."
    if missing := {name: of_score.n_missing for name, of_score in rankings.items() if of_score.n_missing}:
        each = ", ".join(f"{n:,} without {escaped(name)}" for name, n in missing.items())
        words += f" Samples left out because they have no score: {each}."
    if without := [name for name in scores.listed(shown.run, shown.score) if name not in rankings]:
        words += f" Not defined, for one class has no score at all: {escaped(', '.join(without))}."
    return words


def one_class_only(shown: Shown) -> str:
    """Why no score can be judged, and what can still be seen."""
    pooled = cells(shown.run).score_set(score_values(shown.run, shown.score), tested(shown))
    missing = LIVE_ELSEWHERE if pooled.n_attack else "attacks"
    return (
        f"The chosen subsets hold no {missing} with a score, so it cannot be said which score tells attacks from live "
        "faces: AUC and curves need both. What can be seen is how each score is distributed."
    )
