"""Anomaly scores, one module each: higher = more attack-like, one raw float64 per sample, never rescaled.

A score is a module with a docstring (its first line is what users read), `NEEDS` (the columns of a Run's samples it
reads, "latents", "features", "inputs", "reconstructions", and `EYES` or `FACE`: where the face is), `MEASURE` if it is
of pictures (which of `data.pairs`), `TRAINING_IMAGES` if it is fitted (how many), and `score(outputs, reference) ->
(n,)`. `OF_CODES`, an `OfCodes`, if it is of codes alone: of many, all such scores are computed in one pass.
`lacks(run)` if it needs something else: what the Run lacks of it, in words after its name; "" where nothing.
`kept_as(run)` if the values of a Run are kept in another way: what they are kept by.
`OF_VIDEOS` if it is of a frame among those of its video.
`outputs` is what a model says of the images to be judged: usually a Run. `reference` is the Run whose bona fide
training images anything fitted is fitted on; usually the same one.

Behind every score of a Run with training images stand those without what follows the look of an image, `rec~brightness`
(`_adjusted`): one more score wherever one is named, and listed by `adjusted` alone, as there are some thirty.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Protocol, cast
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import memo
from fas_core.data.faces import cutting
from fas_core.data.names import ATTACK, BONA_FIDE, TRAIN
from fas_core.errors import BadInputError
from fas_core.latent import has_training_rows, passes
from fas_core.latent.passes import Codes
from fas_core.runs import measured, sources
from fas_core.runs.measured import EYES as EYES  # whoever writes a score finds what it can need here
from fas_core.runs.measured import FACE as FACE
from fas_core.runs.store import CONTENTS, Run
from fas_core.scores import _adjusted
from fas_core.scores._kept import OfCodes

WITHOUT = "~"  # between a score and what of it is taken off
LOOKS = _adjusted.CAUSES  # which can be
# Listed first and in this order of names; what the thesis does not have comes behind it.
OF_THESIS = ("discriminator", "elbo", "feature_l2", "gmm_nll", "kl", "latent_l2", "pixel_l1", "pixel_l2", "rec")
MOST_CODES = 50_000  # whose scores are computed without being asked for: some seconds
_PICTURES = ("inputs", "reconstructions")
GET_PLACES = "Cut the faces out and make the Run anew: fas data faces MANIFEST --out FACES.csv, fas cache CHECKPOINT"
_OF_BOTH_IMAGES = ("pixel_l1", "pixel_l2", "ssim")  # of an image and its reconstruction


class Outputs(Protocol):
    """What scores read of the images they judge: a Run has it, and so have a model's outputs that are not kept."""

    def samples(self, columns: Sequence[str]) -> pd.DataFrame: ...

    @property
    def codes(self) -> Codes: ...

    def looks(self, name: str) -> NDArray[np.float64]: ...  # one of `data.measures.OF_PIXELS`

    def pairs(self, measure: str) -> dict[str, NDArray[np.float64]]: ...  # one of `data.pairs.MEASURES`


@dataclass(frozen=True, eq=False)
class OfRows:
    """`Outputs` of some rows (n,) of a Run, which ascend."""

    run: Run
    rows: NDArray[np.int64]

    def samples(self, columns: Sequence[str]) -> pd.DataFrame:
        return self.run.samples_of(self.rows, columns)

    @cached_property
    def codes(self) -> NDArray[np.float32]:
        """(n, d)"""
        return np.concatenate(list(self.run.latent_blocks(self.rows)))

    def looks(self, name: str) -> NDArray[np.float64]:
        return self.run.looks(name)[self.rows]

    def pairs(self, measure: str) -> dict[str, NDArray[np.float64]]:
        return self.run.pairs(measure, self.rows)


def names() -> list[str]:
    """The thesis' first, then the others, by name."""
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return sorted(modules, key=lambda name: (name not in OF_THESIS, name))


def description(run: Run, name: str) -> str:
    """One line on what the score is; for a column that is declared to be one, where it is from."""
    base, cause = _parts(name)
    if cause:
        return f"{base} less what follows the {cause} of the image, by a curve fitted on live training images alone."
    if is_declared(run, name):
        turned = " Higher was bona fide there, so it is negated." if is_negated(run, name) else ""
        if name in run.joined:
            return f"Joined from {run.joined[name].source}.{turned}"
        if run.is_of_scores:
            return f"Column of the imported score file.{turned}"
        return f"A column of {'the model itself' if run.info.model else run.info.source}.{turned}"
    return (_module(name).__doc__ or "").strip().splitlines()[0]


def is_negated(run: Run, name: str) -> bool:
    """Whether higher values were bona fide where a score is from, so that all that is said of it has the other sign."""
    base = base_of(name)
    if run.is_of_scores and base not in run.joined:
        return sources.is_negated(run.info.source, base)
    return run.declared.get(base) == BONA_FIDE


def sign_words(run: Run, name: str) -> str:
    """For wherever a value or threshold of a score is printed: a sentence where its sign is turned round, else ""."""
    return turned_words(base_of(name)) if is_negated(run, name) else ""


def turned_words(score: str) -> str:
    """What is said wherever a score of another tool has been negated."""
    return (
        f"Higher {score} was bona fide where it is from, so it is negated here, its thresholds too: 0.7 there is −0.7 "
        "here."
    )


def offered(run: Run) -> list[str]:
    """Scores this Run has: those whose needs its outputs meet, and columns that are declared to be scores.

    Not those `on_demand`, which would have to be asked for by name.
    """
    if run.is_of_scores:
        return list(run.declared)
    waiting = {name for name in names() if _is_on_demand(run, name)}
    registered = [name for name in _computed(run, names()) if name not in waiting and not is_declared(run, name)]
    return [*registered, *(name for name in run.declared if is_declared(run, name))]


def on_demand(run: Run) -> list[str]:
    """Scores of the pictures of a Run with more than `measured.MOST_PAIRS`, and of more than `MOST_CODES` codes that
    nobody has had computed: minutes, which no list is worth."""
    return _computed(run, [name for name in names() if _is_on_demand(run, name)])


def _is_on_demand(run: Run, name: str) -> bool:
    if hasattr(_module(name), "MEASURE"):
        return len(run) > measured.MOST_PAIRS
    parts = [part.__name__.rpartition(".")[2] for part in getattr(_module(name), "PARTS", ())]
    of_codes = [part for part in parts or [name] if hasattr(_module(part), "OF_CODES")]
    return bool(of_codes) and len(run) > MOST_CODES and not all(is_kept(run, part) for part in of_codes)


# ----------------------------------------------------------------------------------------------------------- of codes

_seen_kept: WeakKeyDictionary[Run, set[str]] = WeakKeyDictionary()  # which scores a Run has is asked all the time


def of_codes(run: Run) -> list[str]:
    """Those that are fitted on a Run's live training codes and then told of each code, see `OfCodes`."""
    return _computed(run, [name for name in names() if hasattr(_module(name), "OF_CODES")])


def waiting(run: Run) -> list[str]:
    """Those `of_codes` that are `on_demand`, as they would take a page a while and nobody has had them computed."""
    return [name for name in of_codes(run) if _is_on_demand(run, name)] if len(run) > MOST_CODES else []


def is_kept(run: Run, name: str) -> bool:
    """Whether the values of a score of codes are stored."""
    kept = _seen_kept.setdefault(run, set())
    if name not in kept and cast(OfCodes, _module(name).OF_CODES).is_kept(run):
        kept.add(name)
    return name in kept


def is_at_hand(run: Run, name: str) -> bool:
    """Whether `values` takes no time to speak of: a column, or a score that is stored."""
    if name in run.info.scores:
        return run.are_at_hand([name])
    if name in names() and hasattr(_module(name), "kept_as"):
        return memo.is_kept(run.cache, "score", _module(name).kept_as(run))
    return name in of_codes(run) and is_kept(run, name)


def stands_for(run: Run, name: str) -> Mapping[str, object] | None:
    """What the `values` of a score follow from, told without them: a column, or what they are kept by. None where
    nothing tells that."""
    if name in names() and not is_declared(run, name):
        if hasattr(_module(name), "kept_as"):
            return cast("Mapping[str, object]", _module(name).kept_as(run))
        if hasattr(_module(name), "OF_CODES"):
            return cast(OfCodes, _module(name).OF_CODES).about(run, run)
    if name in run.info.scores or name in run.joined:
        return {"score": name, "run": run.digest_of(name), "higher": run.declared.get(name)}
    return None


def says(run: Run, name: str) -> passes.Says:
    """What a score of codes says of codes, fitted on a Run's."""
    return cast(OfCodes, _module(name).OF_CODES).says(run, run)


def keep(run: Run, name: str, said: passes.Arrays) -> None:
    """Stores what it has said of all codes."""
    cast(OfCodes, _module(name).OF_CODES).keep(run, said)


# --------------------------------------------------------------------------------------------------------------------


def _computed(run: Run, of: Sequence[str]) -> list[str]:
    """Those of some scores that are computed here whose needs a Run meets."""
    if run.is_of_scores:
        return []
    has = {*run.info.scores, *(name for name in ("latents", "features", *_PICTURES) if run.has(name))}
    if any(not has.issuperset(_module(name).NEEDS) for name in of):
        has |= run.places_known
    needed = {name: getattr(_module(name), "TRAINING_IMAGES", 0) for name in of if has.issuperset(_module(name).NEEDS)}
    can_be_fitted = {n: has_training_rows(run, n) for n in set(needed.values())}
    return [name for name, n in needed.items() if can_be_fitted[n] and not _lacks(run, name)]


def _lacks(run: Run, name: str) -> str:
    return cast(str, _module(name).lacks(run)) if hasattr(_module(name), "lacks") else ""


def left_out(run: Run) -> str:
    """What of an encrypted Run is not there without its key, counted, and why, in words; "" where all of it is."""
    if not run.locked:
        return ""
    arrays = run.shards[0].meta.arrays
    contents = [words for name, words in CONTENTS.items() if name in arrays]
    offered_now, has_with_key = offered(run), {*run.info.scores, *arrays, *run.places_known}
    needed = [name for name in names() if name not in offered_now and set(_module(name).NEEDS) <= has_with_key]
    lacking = [name for name in needed if has_training_rows(run, getattr(_module(name), "TRAINING_IMAGES", 0))]
    lacking = [name for name in lacking if not _lacks(run, name)]
    n, plural = len(lacking), "" if len(lacking) == 1 else "s"
    and_scores = f", and {n} score{plural} computed of them: {', '.join(lacking)}" if lacking else ""
    return f"Run {run.info.name} is encrypted, and {run.locked}. Left out: its {', '.join(contents)}{and_scores}."


def adjusted(run: Run, base: str) -> list[str]:
    """A score of this Run without what follows each look of an image; none where that cannot be fitted."""
    if (
        not run.has("inputs")
        or base not in (*offered(run), *on_demand(run))
        or not has_training_rows(run, _adjusted.TRAINING_IMAGES)
    ):
        return []
    return [f"{base}{WITHOUT}{cause}" for cause in _adjusted.CAUSES]


def to_choose(run: Run) -> list[str]:
    """`offered`, and of those `on_demand` the ones that somebody has had measured."""
    of_pictures = [name for name in on_demand(run) if hasattr(_module(name), "MEASURE")]
    return [*offered(run), *(name for name in of_pictures if measured.is_measured(run, _module(name).MEASURE))]


def listed(run: Run, chosen: str) -> list[str]:
    """`offered`, and the score that is chosen where it is none of these but the Run has it."""
    names_offered = offered(run)
    return names_offered if chosen in names_offered or not has(run, chosen) else [*names_offered, chosen]


def base_of(name: str) -> str:
    """rec of rec~brightness; the name itself where nothing is taken off."""
    return _parts(name)[0]


def has(run: Run, name: str) -> bool:
    """Whether `values` gives it."""
    return name in offered(run) or name in adjusted(run, _parts(name)[0]) or name in on_demand(run)


def _parts(name: str) -> tuple[str, str]:
    """rec~brightness -> rec and brightness; (name, "") of anything else."""
    base, _, cause = name.rpartition(WITHOUT)
    return (base, cause) if cause in _adjusted.CAUSES else (name, "")


def usual(offered: Sequence[str]) -> str:
    """What the thesis judges a model by: a VAE by its reconstruction loss, GANomaly by the l2 error (section 3.5.2)."""
    preferred = ("rec" if "kl" in offered else "pixel_l2", "score", "rec")
    return next((name for name in preferred if name in offered), offered[0])


def values(run: Run, name: str, reference: Run | None = None) -> NDArray[np.float64]:
    """(n,) in the Run's row order; NaN only where a score file says that the system gave no response.

    Raises BadInputError listing the choices when the Run does not have this score.
    """
    require(run, name)
    return of_outputs(run, name, reference or run)


def require(run: Run, name: str) -> None:
    """Raises BadInputError listing the choices when the Run does not have this score."""
    if not has(run, name):
        raise BadInputError(_missing(run, name))


def _missing(run: Run, name: str) -> str:
    base, cause = _parts(name)
    if cause and base in offered(run):
        need = "and a score file has none" if run.is_of_scores else "and this Run has fewer"
        return (
            f"Run {run.info.name} has no score '{name}': what follows the {cause} is fitted on "
            f"{_adjusted.TRAINING_IMAGES} live training images at least, {need}. Judge it by {base}, or cache the data "
            "that the model learned from too: fas cache CHECKPOINT --data MANIFEST"
        )
    if name in run.column_names() and not run.is_of_scores:
        return (
            f"Column '{name}' of Run {run.info.name} is no score, as nobody has declared it one. Say which class its "
            f"higher values speak for: fas scores join {run.id} --score {name} --higher-is attack"
        )
    listed_scores = ", ".join(offered(run))
    if adjusted(run, next(iter(offered(run)), "")):
        listed_scores += f"; each of them with {', '.join(WITHOUT + c for c in _adjusted.CAUSES)} behind it"
    return f"Run {run.info.name} has no score '{name}'{_what_it_needs(run, base)}. Scores: {listed_scores}."


def _what_it_needs(run: Run, name: str) -> str:
    """Why a Run has none of the scores that are computed here, after its name; "" of any other name."""
    if name not in names():
        return ""
    needs_key = f": it is encrypted, and {run.locked}" if run.locked else ""
    needs = _module(name).NEEDS
    arrays = _PICTURES if name in _OF_BOTH_IMAGES else [need for need in needs if need in CONTENTS]
    if not arrays:
        return f": its model gives no {needs[0]}"
    if needs_key:
        return needs_key
    if without := run.without(*arrays):
        can_have = "features" in arrays and run.info.checkpoint
        remedy = ". Cache them too: fas cache CHECKPOINT --data MANIFEST --patches" if can_have else ""
        return f": it {without}{remedy}"
    if {EYES, FACE} & set(needs) - run.places_known:
        return f": its samples do not tell the {' or '.join({EYES, FACE} & set(needs))}. {GET_PLACES}"
    lack = _lacks_to_be_fitted(run, name)
    return f": it {lack}" if lack else ""


def _lacks_to_be_fitted(run: Run, name: str) -> str:
    n, needs = getattr(_module(name), "TRAINING_IMAGES", 0), _module(name).NEEDS
    if lost := [need for need in needs if need not in (*CONTENTS, EYES, FACE, *run.info.scores)]:
        return f"has no {lost[0]}"
    whose = "whose codes" if "latents" in needs else "which"
    few = f"has fewer than {n} live images of subset {TRAIN}, on {whose} it is fitted"
    return _lacks(run, name) if has_training_rows(run, n) else few


def why_missing(name: str) -> str:
    """Why an image has no value of a score that its Run has, for whoever judges it."""
    base = base_of(name)
    if base in names() and {EYES, FACE} & set(_module(base).NEEDS):
        if not cutting.detectors():
            return f"where its face is is not known, as no face detector is installed: {cutting.INSTALL}"
        return "no face, or several, are seen in it, and the score is of one"
    return "the model's output is not a number"


def of_outputs(outputs: Outputs, name: str, reference: Run) -> NDArray[np.float64]:
    """(n,) a score of the images that a model's outputs are of."""
    base, cause = _parts(name)
    if cause:
        return _adjusted.score(outputs, base, cause, reference)
    if is_declared(reference, base):
        column = outputs.samples([base])[base].to_numpy(np.float64)
        return column if reference.declared[base] == ATTACK else 0.0 - column  # 0 stays 0, not -0
    return cast(NDArray[np.float64], _module(name).score(outputs, reference))


def is_declared(run: Run, name: str) -> bool:
    """Whether a score is a column that somebody has declared, not one that is computed by its own module."""
    if name not in run.declared or run.is_of_scores or name not in names():
        return name in run.declared
    return name not in _module(name).NEEDS  # a column that had the name of a score before there was one keeps it


def undeclared(run: Run) -> list[str]:
    """Numbers that the model or an import has given and nobody has declared to be a score."""
    return [name for name in run.info.scores if name not in (*names(), *run.declared)]


def columns(run: Run) -> set[str]:
    """Names of columns that are scores or losses: they say nothing about the samples themselves."""
    return {*run.info.scores, *names(), *run.declared}


def is_of_each(name: str) -> bool:
    """Whether a sample has this score by its own outputs, with nothing fitted on others."""
    return name in names() and not hasattr(_module(name), "TRAINING_IMAGES")


def is_of_videos(run: Run, name: str) -> bool:
    """Whether a sample has this score among the frames of its video only: an image by itself has none."""
    base = base_of(name)
    return base in names() and not is_declared(run, base) and hasattr(_module(base), "OF_VIDEOS")


def column(name: str) -> Callable[[Outputs, Run], NDArray[np.float64]]:
    """A `score` that is a column of the samples as the model wrote it."""

    def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:  # noqa: ARG001 - as of every score
        return outputs.samples([name])[name].to_numpy(np.float64)

    return score


def of_pair(measure: str, name: str) -> Callable[[Outputs, Run], NDArray[np.float64]]:
    """A `score` that is a column of one of `data.pairs.MEASURES`, which its module names as its `MEASURE`."""

    def score(outputs: Outputs, reference: Run) -> NDArray[np.float64]:  # noqa: ARG001 - as of every score
        return outputs.pairs(measure)[name]

    return score


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
