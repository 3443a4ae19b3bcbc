"""What a reader of numbers should know about the data of a Run: counts, leaks between subsets, odd images."""

from __future__ import annotations

import pandas as pd

from fas_core.manifest import ATTACK, BONA_FIDE, in_protocol_order
from fas_core.store import Run


def counts(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per subset: bona fide, attacks per species in words, subjects, sessions."""
    rows = []
    for subset in in_protocol_order(samples["subset"].unique()):
        part = samples[samples["subset"] == subset]
        species = (
            part.loc[part["label"] == ATTACK, "pai_species"].replace("", "unspecified").value_counts().sort_index()
        )
        row = {
            "subset": subset,
            "bona_fide": int((part["label"] == BONA_FIDE).sum()),
            "attacks": ", ".join(f"{n} {name}" for name, n in species.items()) or "none",
        }
        for column, name in (("subject_id", "subjects"), ("session_id", "sessions")):
            if column in part:
                row[name] = len(set(part[column]) - {""})
        rows.append(row)
    return pd.DataFrame(rows)


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
    if "train" in run.subsets:
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
    repeated = samples[samples["sample_id"].duplicated(keep=False)]
    if repeated.empty:
        return []
    names = " and ".join(in_protocol_order(repeated["subset"].unique()))
    count = repeated["sample_id"].nunique()
    return [f"{count} samples are in {names} at once: what is chosen on one is not independent of the other."]


def _leaks(samples: pd.DataFrame) -> list[str]:
    """Subjects of unseen subsets, and sessions of any test subset, that training has seen."""
    found = []
    train = samples[samples["subset"] == "train"]
    unseen = samples[samples["subset"].str.startswith("unseen_") | (samples["subset"] == "live")]
    tested = samples[samples["subset"] != "train"]
    for part, column, where in (
        (unseen, "subject_id", "the unseen subsets"),
        (tested, "session_id", "the test subsets"),
    ):
        if column in samples:
            both = (set(part[column]) & set(train[column])) - {""}
            if both:
                what = "subjects" if column == "subject_id" else "sessions"
                found.append(f"{len(both)} {what} of training also occur in {where}, e.g. {min(both)}.")
    return found
