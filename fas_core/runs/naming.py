"""Runs told apart: what each is of, texts in which no two are alike, and which of them has the most to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import NamedTuple

import pandas as pd

from fas_core.runs import sources
from fas_core.runs.store import Run

NEVER_ALONE = ("epochs", "latent_dim")  # settings that have a word of their own


@dataclass(frozen=True)
class Facts:
    """What a Run is of. Empty, or None, where nobody knows; numbers of a training where a checkpoint says them."""

    id: str
    name: str
    data: str = ""  # the name of the manifest, or of its folder where that is all that tells it
    data_sha256: str = ""
    modality: str = ""
    source: str = ""  # the score file, as `sources` reads it
    epoch: int | None = None  # after which the checkpoint was kept
    latent_dim: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)  # of the training
    checkpoint_sha256: str = ""
    made_at: pd.Timestamp | None = None

    @property
    def words(self) -> list[str]:
        """Data set, modality, epochs, width and date."""
        date = "" if self.made_at is None else f"{self.made_at:%Y-%m-%d}"
        of = self.data or sources.in_words(self.source)
        return [words for words in (of, self.modality, _epochs(self), _width(self), date) if words]


def facts_of(run: Run) -> Facts:
    """What tells a Run from others, read from its record; what it does not say is None or empty."""
    info, header = run.info, run.info.checkpoint_header
    epoch, config, settings = header.get("epoch"), header.get("config"), header.get("experiment")
    dim = config.get("latent_dim") if isinstance(config, Mapping) else None
    dim = run.latent_dim if dim is None and run.has("latents") else dim
    return Facts(
        info.run,
        info.name,
        _data_name(info.manifest_path or info.manifest),
        info.manifest_sha256,
        info.modality,
        info.source,
        epoch if isinstance(epoch, int) else None,
        dim if isinstance(dim, int) else None,
        {k: v for k, v in settings.items() if k not in NEVER_ALONE} if isinstance(settings, Mapping) else {},
        info.checkpoint_sha256,
        run.made_at,
    )


def _data_name(file: str) -> str:
    path = PurePath(file.replace("\\", "/"))
    return path.parent.name if path.stem == "manifest" and path.parent.name else path.stem


def _epochs(facts: Facts) -> str:
    return "" if facts.epoch is None else f"{facts.epoch} epoch{'s' if facts.epoch != 1 else ''}"


def _width(facts: Facts) -> str:
    return "" if facts.latent_dim is None else f"{facts.latent_dim} dimensions"


def _settings(facts: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.settings.items())


# In the order in which they say most: what differs is said, until no two are alike.
_TELLING: tuple[Callable[[Facts], str], ...] = (
    lambda facts: facts.data,
    lambda facts: facts.modality,
    _epochs,
    _width,
    _settings,
    lambda facts: sources.in_words(facts.source),
    lambda facts: f"data {facts.data_sha256[:6]}" if facts.data_sha256 else "",
    lambda facts: f"checkpoint {facts.checkpoint_sha256[:6]}" if facts.checkpoint_sha256 else "",
    lambda facts: "" if facts.made_at is None else f"{facts.made_at:%Y-%m-%d %H:%M}",
    lambda facts: facts.id[:6],
)


def told_apart(runs: Sequence[Facts]) -> dict[str, str]:
    """By id, a text in which no two Runs are alike: the name, and what differs among those of one name.

    Where Runs are of several data sets, each says its own. Of settings, those that differ.
    """
    has_several = len({facts.data for facts in runs} - {""}) > 1
    texts: dict[str, str] = {}
    for name in dict.fromkeys(facts.name for facts in runs):
        alike = _only_what_differs([facts for facts in runs if facts.name == name])
        parts = {facts.id: [name] for facts in alike}
        for number, words_of in enumerate(_TELLING):
            words = {facts.id: words_of(facts) for facts in alike}
            is_needed = len(alike) > 1 and len(set(words.values())) > 1 and _has_doubles(parts)
            if is_needed or (number == 0 and has_several):
                parts = {run: [*said, *filter(None, [words[run]])] for run, said in parts.items()}
        texts |= {run: " · ".join(dict.fromkeys(said)) for run, said in parts.items()}
    counted = Counter(texts.values())  # a name may be what another Run is told by
    return {run: text if counted[text] == 1 else f"{text} · {run[:6]}" for run, text in texts.items()}


def meant(reference: str, runs: Sequence[Facts]) -> list[str]:
    """The ids of the Runs that a text may mean: those of that name, else the one told apart by it, else by their id."""
    return (
        [facts.id for facts in runs if facts.name == reference]
        or [run for run, text in told_apart(runs).items() if text == reference]
        or [facts.id for facts in runs if reference and facts.id.startswith(reference)]
    )


def _has_doubles(parts: Mapping[str, list[str]]) -> bool:
    return len({tuple(said) for said in parts.values()}) < len(parts)


def _only_what_differs(alike: Sequence[Facts]) -> list[Facts]:
    """The same Runs without the settings that they share."""
    names = {name for facts in alike for name in facts.settings}
    differing = [n for n in sorted(names) if len({repr(facts.settings.get(n)) for facts in alike}) > 1]
    return [
        replace(facts, settings={n: facts.settings[n] for n in differing if n in facts.settings}) for facts in alike
    ]


class ToShow(NamedTuple):
    """How much of a Run there is to see; the greater one has more."""

    has_images: bool
    n_with_both: int  # subsets that hold live faces and attacks
    n_derived: int  # results that are ready
    n: int  # samples


def n_with_both_classes(samples: pd.DataFrame) -> int:
    """Subsets that hold live faces and attacks; needs the columns subset and label."""
    return int((samples[["subset", "label"]].drop_duplicates()["subset"].value_counts() == 2).sum())
