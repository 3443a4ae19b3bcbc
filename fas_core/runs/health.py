"""What a reader of numbers should know about the data of a Run: counts, leaks between subsets, odd images."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fas_core.data.names import ATTACK, BONA_FIDE, LIVE, TRAIN, in_protocol_order
from fas_core.runs.store import Run


def counts(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per subset: bona fide, attacks per species in words, subjects, sessions."""
    sizes = samples.groupby(["subset", "label", "pai_species"], dropna=False, observed=True).size()
    rows = []
    for subset in in_protocol_order(samples["subset"].unique()):
        of_subset = sizes.loc[[subset]].reset_index(name="n").fillna({"pai_species": ""})
        attacks = of_subset[of_subset["label"] == ATTACK].replace({"pai_species": {"": "unspecified"}})
        each = attacks.groupby("pai_species")["n"].sum()
        row = {
            "subset": subset,
            "bona_fide": int(of_subset.loc[of_subset["label"] == BONA_FIDE, "n"].sum()),
            "attacks": ", ".join(f"{n} {name}" for name, n in each.items()) or "none",
        }
        for column, name in (("subject_id", "subjects"), ("session_id", "sessions")):
            if column in samples:
                row[name] = len(_names(samples, column, samples["subset"] == subset))
        rows.append(row)
    return pd.DataFrame(rows)


def _names(samples: pd.DataFrame, column: str, chosen: pd.Series) -> set[str]:
    """The different names in a column of some samples."""
    return set(samples.loc[chosen, column].dropna().unique()) - {""}


def findings(run: Run, samples: pd.DataFrame) -> list[str]:
    """Sentences on what may mislead; empty when nothing is conspicuous."""
    found = []
    if run.n_failures:
        found.append(f"{run.n_failures} images gave no output and count as non-responses in every rate.")
    constant = int(samples["is_constant"].sum()) if "is_constant" in samples else 0
    if constant:
        found.append(f"{constant} images are a single shade of gray; after scaling they are 0.5 everywhere.")
    if "sample_id" in samples:
        found += _samples_in_two_subsets(samples)
    if TRAIN in run.subsets:
        found += _leaks(samples)
    held_out = samples["held_out_by"] if "held_out_by" in samples else pd.Series([], dtype="str")
    single = int((held_out == "image").sum())
    if single:
        found.append(
            f"Sessions are unknown: {single} live images of the seen subsets are single images held out of training "
            "and may resemble training images closely."
        )
    nameless = int((samples["subject_id"] == "").sum()) if "subject_id" in samples else len(samples)
    if nameless:
        found.append(f"{nameless} samples name no subject, so intervals treat them as independent.")
    return found


def _samples_in_two_subsets(samples: pd.DataFrame) -> list[str]:
    if _all_differ(samples["sample_id"]):
        return []
    repeated = samples[samples["sample_id"].duplicated(keep=False)]
    names = " and ".join(in_protocol_order(repeated["subset"].unique()))
    count = repeated["sample_id"].nunique()
    return [f"{count} samples are in {names} at once: what is chosen on one is not independent of the other."]


def _all_differ(names: pd.Series) -> bool:
    """Whether no name stands there twice: by sorting, as a hash table of five million names takes a gigabyte."""
    texts = pa.array(names, pa.large_string())
    ordered = texts.take(pc.sort_indices(texts))
    return not pc.any(pc.equal(ordered[1:], ordered[:-1])).as_py()


def _leaks(samples: pd.DataFrame) -> list[str]:
    """Subjects of unseen subsets, and sessions of any test subset, that training has seen."""
    found = []
    is_train = samples["subset"] == TRAIN
    is_unseen = samples["subset"].str.startswith("unseen_") | (samples["subset"] == LIVE)
    for tested, column, where in (
        (is_unseen, "subject_id", "the unseen subsets"),
        (~is_train, "session_id", "the test subsets"),
    ):
        if column in samples:
            both = _names(samples, column, tested) & _names(samples, column, is_train)
            if both:
                what = "subjects" if column == "subject_id" else "sessions"
                found.append(f"{len(both)} {what} of training also occur in {where}, e.g. {min(both)}.")
    return found
