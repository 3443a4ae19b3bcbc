"""What leaves a Run for other tools: all that is known of its samples, a shard at a time.

    with content.gathered(run, rule=op.DEFAULT) as content:
        for part in content.parts():
            ...

Codes and images are never all in memory; a few numbers per sample are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from fas_core import scores, storage
from fas_core.data.names import dev_subsets
from fas_core.deciding.card import Card
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation import verdicts
from fas_core.evaluation.presentations import FRAME, grouping
from fas_core.latent import neighbours, projection
from fas_core.latent.neighbours import Near
from fas_core.metrics import UndefinedMetricError
from fas_core.metrics.operating_point import Rule
from fas_core.reports.pictures import pixelated
from fas_core.reports.pseudonyms import KINDS, Pseudonyms
from fas_core.runs import upkeep
from fas_core.runs.store import Run, Shard

BYTES, PATHS, NONE = "bytes", "paths", "none"
IMAGES = (BYTES, PATHS, NONE)  # as the model saw them, in the export; the files they were read from, where they lie
NEIGHBOURS = projection.NEIGHBOURS  # of every code, among all others
DIGITS = 16  # of other names: two of a hundred million samples are the same with probability 0.0003
COMPARED = 100_000  # codes of which neighbours are found: the work grows with the square, these take some minutes


@dataclass(frozen=True)
class Threshold:
    """score >= `value` is an attack; `words` say who chose it, and where."""

    value: float
    level: str
    words: str

    def as_json(self) -> Json:
        return {"threshold": self.value, "level": self.level, "chosen": self.words}


@dataclass(frozen=True, eq=False)
class Part:
    """The m samples of a shard, in the Run's row order from `start` on; None is what the Run does not have."""

    start: int
    samples: pa.Table  # (m,) columns as in `Content.schema`
    scores: dict[str, NDArray[np.float64]]  # by score, (m,)
    verdicts: dict[str, NDArray[np.str_]]  # by score that has a threshold, (m,): see `evaluation.verdicts`
    codes: NDArray[np.float32] | None  # (m, d)
    pca: NDArray[np.float32] | None  # (m, k)
    umap: NDArray[np.float32] | None  # (m, 2)
    neighbours: Near | None  # (m, NEIGHBOURS) distances and rows
    pictures: list[bytes] | None  # PNGs

    @property
    def plane(self) -> NDArray[np.float32] | None:
        """(m, 2): UMAP, or else two principal components."""
        flat = self.umap if self.umap is not None else self.pca
        return flat[:, :2] if flat is not None and flat.shape[1] > 1 else None


@dataclass(frozen=True, eq=False)
class Content:
    """A Run as it is to leave: what `gathered` has looked up, and its shards in turn."""

    run: Run
    images: str  # one of `IMAGES`
    names: Pseudonyms | None  # of people, samples and files, where faces must not travel
    values: dict[str, NDArray[np.float64]]  # by score, (n,)
    decided: dict[str, NDArray[np.float64]]  # the same of what is decided on, where there is a threshold
    thresholds: dict[str, Threshold]
    pca: projection.PrincipalComponents | None
    umap: NDArray[np.float32] | None  # (n, 2)
    neighbours: Near | None
    notes: tuple[str, ...]  # what is not there, and why

    @property
    def hides_faces(self) -> bool:
        """Whether images are pixelated, and people, samples and files have other names."""
        return self.names is not None

    def score_words(self, name: str) -> str:
        """What a column of scores means."""
        return f"{scores.description(self.run, name)} Higher is more attack-like."

    def verdict_words(self, name: str) -> str:
        """What a column of verdicts means, and where its threshold is from."""
        threshold = self.thresholds[name]
        answers = f"{verdicts.RIGHT}, {verdicts.MISSED}, {verdicts.REJECTED} or {verdicts.NO_RESPONSE}"
        return f"{answers}; an attack is a {name} of {threshold.value!r} or more: {threshold.words}"

    @property
    def plane_words(self) -> str:
        """What `Part.plane` is; "" where there is none."""
        if self.umap is not None:
            return "UMAP of the codes"
        return "the first two principal components of the codes" if self._has_plane else ""

    @property
    def _has_plane(self) -> bool:
        return self.pca is not None and len(self.pca.components) > 1

    def schema(self) -> pa.Schema:
        """The samples' own columns, without those that are scores, in one type for all shards."""
        schemas = [shard.schema() for shard in self.run.shards]
        whole = pa.unify_schemas(schemas, promote_options="permissive")
        are_scores = {name for name in (*self.run.info.scores, *self.run.declared) if name in self.values}
        fields = [field for field in whole if field.name not in are_scores]
        return pa.schema([field.with_type(pa.string()) if self.is_renamed(field.name) else field for field in fields])

    def is_renamed(self, column: str) -> bool:
        """Whether a column of the samples has other names than the Run."""
        return self.hides_faces and column in KINDS

    def parts(self) -> Iterator[Part]:
        """Every shard. Raises BadInputError, with the remedy, at the first that is not as it was written."""
        schema = self.schema()
        for shard in self.run.shards:
            _require_whole(shard)
            here = slice(shard.start, shard.start + shard.n)
            samples = self._renamed(shard.table("samples", schema.names).cast(schema))
            labels = np.array(samples["label"].to_pylist())
            codes = np.asarray(shard.array("latents")) if self.run.has("latents") else None
            yield Part(
                shard.start,
                samples,
                {name: values[here] for name, values in self.values.items()},
                {
                    name: verdicts.verdicts_at(labels, self.decided[name][here], threshold.value)
                    for name, threshold in self.thresholds.items()
                },
                codes,
                None if self.pca is None or codes is None else self.pca.applied(codes).astype(np.float32),
                None if self.umap is None else self.umap[here],
                None if self.neighbours is None else (self.neighbours[0][here], self.neighbours[1][here]),
                self._pictures(shard),
            )

    def _renamed(self, samples: pa.Table) -> pa.Table:
        """The same samples under other names, where faces must not travel."""
        if self.names is None:
            return samples
        for place, column in enumerate(samples.column_names):
            if self.is_renamed(column):
                names = samples[column].to_pylist()
                instead = {name: self.names.of(column, name) for name in set(names) if name is not None}
                renamed = pa.array([instead.get(name) for name in names], pa.string())
                samples = samples.set_column(place, samples.schema.field(column), renamed)
        return samples

    def _pictures(self, shard: Shard) -> list[bytes] | None:
        if self.images != BYTES:
            return None
        inputs = np.asarray(shard.array("inputs"))
        return [_png(image) for image in (pixelated(inputs) if self.hides_faces else inputs)]

    @property
    def root(self) -> Path:
        """The folder that the samples' `path` is relative to."""
        return storage.place(self.run.info.manifest_path).parent


@contextmanager
def gathered(
    run: Run,
    *,
    images: str = BYTES,
    hides_faces: bool = False,
    card: Card | None = None,
    rule: Rule,
    told: Callable[[float], object] = lambda _: None,
) -> Iterator[Content]:
    """What leaves with a Run, with verdicts by a card, or else by a rule on the Run's dev subset for every score.

    `told` hears what share of the neighbours is known. Raises BadInputError for images that the Run cannot give, a card
    of another system, and a shard that is damaged.
    """
    _require(run, images, hides_faces=hides_faces)
    values = {name: scores.values(run, name) for name in scores.offered(run)}
    notes: list[str] = []
    thresholds, decided = _by_card(run, values, card) if card else _by_rule(run, values, rule, notes)
    embedding = projection.known_umap(run) if run.has("latents") else None
    yield Content(
        run,
        images if images == PATHS or run.has("inputs") else NONE,
        Pseudonyms(DIGITS) if hides_faces else None,
        values,
        decided,
        thresholds,
        _pca(run, notes),
        None if embedding is None else embedding.points,
        _neighbours(run, notes, told),
        tuple(notes),
    )


def _require(run: Run, images: str, *, hides_faces: bool) -> None:
    if images not in IMAGES:
        raise BadInputError(f"--images {images}: choose {', '.join(IMAGES)}.")
    if hides_faces and images == PATHS:
        raise BadInputError("--pixelate: files that paths lead to show faces as they are. Take --images bytes or none.")
    if not len(run):
        raise BadInputError(f"Run {run.info.name} has no complete shard yet. Run 'fas cache' again to go on.")
    if run.broken:
        raise BadInputError(
            f"{len(run.broken)} shards of Run {run.info.name} are damaged (first: {run.broken[0]}). "
            f"Make them anew: fas verify {run.id} --repair"
        )
    if images == PATHS and not (run.info.manifest_path and "path" in run.column_names()):
        raise BadInputError(f"Run {run.info.name} does not say where its images are. Take --images bytes or none.")


def _require_whole(shard: Shard) -> None:
    if problems := upkeep.shard_damage(shard.folder):
        run = shard.folder.parent.parent.name
        raise BadInputError(
            f"Shard {shard.subset}/{shard.folder.name} of Run {run} is damaged: {problems[0]}. "
            f"Make it anew: fas verify {run} --repair"
        )


Decided = tuple[dict[str, Threshold], dict[str, NDArray[np.float64]]]


def _by_card(run: Run, values: dict[str, NDArray[np.float64]], card: Card) -> Decided:
    if card.run != run.id and card.checkpoint_sha256 != (run.info.checkpoint_sha256 or None):
        raise BadInputError(
            f"The card is of Run {card.run} ({card.run_name}), which is another system than Run {run.info.name}. "
            f"Make one of this Run: fas threshold {run.id} --score {card.score} --out CARD"
        )
    if card.score not in values:
        raise BadInputError(f"Run {run.info.name} has no score '{card.score}', which the card is of.")
    judged = grouping(run, card.level).judged(values[card.score], fail_closed=card.fail_closed)
    words = f"card {card.sha256[:12]}: {card.rule} on {', '.join(card.chosen_on) or 'nothing'}, per {card.level}"
    threshold = Threshold(card.threshold, card.level, words)
    return {card.score: threshold}, {card.score: judged.values[judged.of_frame]}


def _by_rule(run: Run, values: dict[str, NDArray[np.float64]], rule: Rule, notes: list[str]) -> Decided:
    frames, chosen_on = grouping(run), dev_subsets(run.subsets) or run.subsets
    thresholds: dict[str, Threshold] = {}
    for name, of_score in values.items():
        try:
            threshold = frames.judged(of_score).threshold_by(rule, chosen_on)
        except UndefinedMetricError as error:
            notes.append(f"No verdicts by {name}: {rule} on {', '.join(chosen_on)}: {error}.")
            continue
        thresholds[name] = Threshold(threshold, FRAME, f"{rule} on {', '.join(chosen_on)}")
    return thresholds, {name: values[name] for name in thresholds}


def _pca(run: Run, notes: list[str]) -> projection.PrincipalComponents | None:
    if not run.has("latents") or len(run) < 2:
        return None
    if not projection.is_pca_at_hand(run):
        notes.append("No principal components: they would take long. The page Latent space has them made.")
        return None
    return projection.pca_of(run)


def _neighbours(run: Run, notes: list[str], told: Callable[[float], object]) -> Near | None:
    if not run.has("latents") or len(run) < 2:
        return None
    if len(run) > COMPARED:
        notes.append(f"No neighbours: they are found among at most {COMPARED:,} images, and these are {len(run):,}.")
        return None
    return neighbours.of_each(run.latents(), min(NEIGHBOURS, len(run) - 1), told)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def free_name(name: str, taken: Sequence[str] | set[str] | dict[str, Any]) -> str:
    """`name`, or name_1, name_2, ... where that is taken."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
