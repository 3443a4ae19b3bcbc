"""Scores of subjects who differ."""

from __future__ import annotations

import numpy as np


def subjects_of(n_subjects: int, n_each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, labels, subjects: subjects differ in how their live samples and their attacks score."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), 2 * n_each)
    attack = np.tile(np.repeat([False, True], n_each), n_subjects)
    level = rng.normal(0, 1, (n_subjects, 2))[subjects, attack.astype(int)]
    return np.round(level + attack + rng.normal(0, 0.5, subjects.size), 1), attack, subjects
