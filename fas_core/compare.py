"""Two Runs on the samples they share, joined by sample_id; and single samples against a threshold or a reference.

A difference is always B - A. Each Run is judged at its own threshold, the lowest one at which it rejects at most a
given share of the common bona fide samples, so that Runs whose scores have other units can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fas_core import metrics, scores
from fas_core.errors import BadInputError
from fas_core.manifest import ATTACK, BONA_FIDE
from fas_core.metrics import ScoreSet, UndefinedMetricError
from fas_core.presentations import COLUMNS, FRAME, grouped, summed_up
from fas_core.store import Run

MAX_BPCER = 0.05
RIGHT, MISSED, REJECTED, NO_RESPONSE = "right", "missed", "rejected", "no response"

# ------------------------------------------------------------------------- samples against a threshold or a reference


def verdicts(labels: ArrayLike, values: ArrayLike, threshold: float) -> NDArray[np.str_]:
    """(n,) "right", "missed" (an attack let through), "rejected" (bona fide called attack) or "no response" (NaN)."""
    numbers, attack = np.asarray(values, np.float64), np.asarray(labels) == ATTACK
    answered = ~np.isnan(numbers)
    called = np.zeros(len(numbers), np.bool_)
    called[answered] = metrics.is_attack(numbers[answered], threshold)
    found = np.where(called == attack, RIGHT, np.where(attack, MISSED, REJECTED))
    return np.where(answered, found, NO_RESPONSE)


def percentiles(values: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """(n,) share of the reference scores below each value, 0..1; equal ones count half. NaN without a reference."""
    ordered = np.sort(np.asarray(reference, np.float64))
    ordered = ordered[~np.isnan(ordered)]
    numbers = np.asarray(values, np.float64)
    if not ordered.size:
        return np.full(numbers.shape, np.nan)
    below = np.searchsorted(ordered, numbers, side="left") + np.searchsorted(ordered, numbers, side="right")
    return np.where(np.isnan(numbers), np.nan, below / (2 * ordered.size))


# ------------------------------------------------------------------------------------------------------------ two Runs


@dataclass(frozen=True, eq=False)
class Paired:
    """The samples that have a score in both Runs: row i of everything here is one sample. A gives order and names."""

    samples: pd.DataFrame  # (n,) sample_id, subset, label, pai_species, and the ids that A has
    rows_a: NDArray[np.int64]  # row of the sample in each Run
    rows_b: NDArray[np.int64]
    scores_a: NDArray[np.float64]
    scores_b: NDArray[np.float64]
    n_only_a: int  # samples of the whole Runs without a counterpart
    n_only_b: int
    n_no_response: int  # samples of both Runs that one of them gave no score

    def __len__(self) -> int:
        return len(self.samples)

    def only(self, wanted: NDArray[np.bool_]) -> Paired:
        """Some of the common samples; the counts of the others stay those of the Runs."""
        return replace(
            self,
            samples=self.samples[wanted].reset_index(drop=True),
            rows_a=self.rows_a[wanted],
            rows_b=self.rows_b[wanted],
            scores_a=self.scores_a[wanted],
            scores_b=self.scores_b[wanted],
        )

    def in_subsets(self, subsets: list[str]) -> Paired:
        """The common samples of some subsets of A."""
        return self.only(self.samples["subset"].isin(subsets).to_numpy())

    def score_sets(self, wanted: NDArray[np.bool_] | None = None) -> tuple[ScoreSet, ScoreSet]:
        """The scores of A and of B, of all common samples or of some."""
        chosen = np.ones(len(self), np.bool_) if wanted is None else wanted
        attack = (self.samples["label"] == ATTACK).to_numpy()[chosen]
        species = self.samples["pai_species"].to_numpy()[chosen]
        first, second = (metrics.score_set(s[chosen], attack, species) for s in (self.scores_a, self.scores_b))
        return first, second


def paired(a: Run, score_a: str, b: Run, score_b: str, level: str = FRAME) -> Paired:
    """Joins two Runs by sample_id; by subset and sample_id where an id stands in several subsets of a score file.

    At another level than frame a row is a presentation, named after its first frame; frames that one Run gave no score
    are left out of both. Raises BadInputError where one sample has two labels, or A does not name its videos.
    """
    ours = a.samples([name for name in COLUMNS if name in a.column_names()])
    theirs = b.samples(["sample_id", "subset", "label"])
    repeated = ours["sample_id"].duplicated().any() or theirs["sample_id"].duplicated().any()
    key = ["subset", "sample_id"] if repeated else ["sample_id"]
    position = pd.MultiIndex.from_frame(theirs[key]).get_indexer(pd.MultiIndex.from_frame(ours[key]))
    rows_a = np.flatnonzero(position >= 0)
    rows_b = position[rows_a].astype(np.int64)
    differ = ours["label"].to_numpy()[rows_a] != theirs["label"].to_numpy()[rows_b]
    if differ.any():
        sample = ours["sample_id"].iloc[rows_a[np.argmax(differ)]]
        raise BadInputError(
            f"Sample '{sample}' is {ours['label'].iloc[rows_a[np.argmax(differ)]]} in Run {a.info.name} but "
            f"{theirs['label'].iloc[rows_b[np.argmax(differ)]]} in Run {b.info.name} ({differ.sum()} samples like it): "
            "the Runs do not describe the same data."
        )
    values_a, values_b = scores.values(a, score_a)[rows_a], scores.values(b, score_b)[rows_b]
    answered = ~(np.isnan(values_a) | np.isnan(values_b))
    everything = Paired(
        samples=ours.iloc[rows_a].reset_index(drop=True),
        rows_a=rows_a,
        rows_b=rows_b,
        scores_a=values_a,
        scores_b=values_b,
        n_only_a=len(ours) - len(rows_a),
        n_only_b=len(theirs) - len(rows_b),
        n_no_response=int((~answered).sum()),
    )
    return _at_level(everything.only(answered), level, f"Run {a.info.name}")


def _at_level(pair: Paired, level: str, whose: str) -> Paired:
    of_row, first = grouped(pair.samples, level, whose)
    return replace(
        pair,
        samples=pair.samples.iloc[first].reset_index(drop=True),
        rows_a=pair.rows_a[first],
        rows_b=pair.rows_b[first],
        scores_a=summed_up(pair.scores_a, of_row, level),
        scores_b=summed_up(pair.scores_b, of_row, level),
    )


@dataclass(frozen=True, eq=False)
class Flips:
    """The verdicts of both Runs on the same samples, each at its own threshold."""

    threshold_a: float
    threshold_b: float
    verdicts_a: NDArray[np.str_]  # (n,) as `verdicts` returns them
    verdicts_b: NDArray[np.str_]

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """(n,) A is wrong and B is right."""
        return (self.verdicts_a != RIGHT) & (self.verdicts_b == RIGHT)

    @property
    def broken(self) -> NDArray[np.bool_]:
        """(n,) A is right and B is wrong."""
        return (self.verdicts_a == RIGHT) & (self.verdicts_b != RIGHT)

    @property
    def both_wrong(self) -> NDArray[np.bool_]:
        return (self.verdicts_a != RIGHT) & (self.verdicts_b != RIGHT)


def flips(pair: Paired, max_bpcer: float = MAX_BPCER) -> Flips:
    """Both Runs at BPCER <= `max_bpcer` on the bona fide samples of `pair`. Raises UndefinedMetricError without any."""
    set_a, set_b = pair.score_sets()
    threshold_a = metrics.threshold_at_bpcer(set_a, max_bpcer)
    threshold_b = metrics.threshold_at_bpcer(set_b, max_bpcer)
    labels = pair.samples["label"]
    return Flips(
        threshold_a,
        threshold_b,
        verdicts(labels, pair.scores_a, threshold_a),
        verdicts(labels, pair.scores_b, threshold_b),
    )


TABLE_COLUMNS = ("subset", "kind", "n", "wrong_a", "wrong_b", "difference", "auc_a", "auc_b", "auc_difference")


def table(pair: Paired, verdicts_of: Flips | None) -> pd.DataFrame:
    """One row per kind of sample, over all subsets ("") and in each: shares of wrong verdicts and AUC of both Runs.

    `kind` is "bona_fide" (whose share of wrong verdicts is the BPCER) or a species (APCER). The AUC of a species is
    against the bona fide samples of the same rows; None where there are none. Shares are None without `verdicts_of`.
    """
    subsets = pair.samples["subset"].to_numpy()
    kinds = _kinds(pair.samples)
    rows: list[dict[str, Any]] = []
    for subset in ["", *dict.fromkeys(subsets)]:
        here = np.ones(len(pair), np.bool_) if subset == "" else subsets == subset
        set_a, set_b = pair.score_sets(here)
        for kind in sorted(set(kinds[here]), key=lambda k: (k != BONA_FIDE, k)):
            chosen = here & (kinds == kind)
            row: dict[str, Any] = dict.fromkeys(TABLE_COLUMNS)
            row |= {"subset": subset, "kind": kind, "n": int(chosen.sum())}
            if verdicts_of is not None:
                row["wrong_a"] = float((verdicts_of.verdicts_a[chosen] != RIGHT).mean())
                row["wrong_b"] = float((verdicts_of.verdicts_b[chosen] != RIGHT).mean())
                row["difference"] = row["wrong_b"] - row["wrong_a"]
            if kind != BONA_FIDE and set_a.n_bona_fide:
                row["auc_a"], row["auc_b"] = metrics.roc_auc(set_a, kind), metrics.roc_auc(set_b, kind)
                row["auc_difference"] = row["auc_b"] - row["auc_a"]
            rows.append(row)
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def _kinds(samples: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) "bona_fide" or the species, named as `metrics` names them."""
    attack = samples["label"].to_numpy() == ATTACK
    return np.where(attack, metrics.species_names(attack, list(samples["pai_species"])), BONA_FIDE)


def document(a: Run, score_a: str, b: Run, score_b: str, max_bpcer: float = MAX_BPCER) -> dict[str, Any]:
    """The paired comparison as JSON: every metric on the common samples outside `train`; None where undefined."""
    pair = paired(a, score_a, b, score_b)
    tested = pair.in_subsets([s for s in pair.samples["subset"].unique() if s != "train"])
    pair = tested if len(tested) else pair
    first, second = (_metrics(one, max_bpcer) if len(pair) else {} for one in pair.score_sets())
    found: dict[str, Any] = {
        "a": a.id,
        "b": b.id,
        "score": score_a,
        "score_b": score_b,
        "n_common": len(pair),
        "n_only_a": pair.n_only_a,
        "n_only_b": pair.n_only_b,
        "n_no_response": pair.n_no_response,
        "metrics": {
            name: {"a": value, "b": second[name], "difference": _difference(value, second[name])}
            for name, value in first.items()
        },
    }
    try:
        both = flips(pair, max_bpcer)
    except UndefinedMetricError:
        return found
    counts = {"fixed": int(both.fixed.sum()), "broken": int(both.broken.sum())}
    return found | {"flips": {"at": f"bpcer<={max_bpcer:g}", **counts}}


def _metrics(one: ScoreSet, max_bpcer: float) -> dict[str, float | None]:
    cell = metrics.document(one, max_bpcer=[max_bpcer], max_apcer=[])
    at = cell["apcer_at_bpcer"][0]
    name = f"at_bpcer_{max_bpcer:g}"
    return {
        "roc_auc": cell["roc_auc"],
        "average_precision": cell["average_precision"],
        "eer": cell["eer"]["value"] if cell["eer"] else None,
        f"apcer_max_{name}": at["apcer_max"],
        f"apcer_pooled_{name}": at["apcer_pooled"],
        **{f"apcer_{species}_{name}": rate for species, rate in at["apcer_per_species"].items()},
        **{f"roc_auc_{species}": auc for species, auc in cell["roc_auc_per_species"].items()},
    }


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first
