"""Which additions to the thesis tell unseen attacks of unseen people better than its own models do, and which do not.

    measured = detection.measured(Plan.of("small", [0], [Path("faces.csv")]), Path("out"), say)
    measured.markdown

Models learn live images alone, thresholds are those of live images of other people, and further people are tested, with
attacks: rendered ones, and those of any manifest, or simulated ones where that has none. Nothing is fitted, chosen or
left out by an attack; only the best of the thesis' ways is named by what came out, which is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import scores
from fas_core.bench.detection import sets, trainings, verdict
from fas_core.bench.detection.judging import APCER, AUC, BPCER, RESAMPLES, Images, Judged, Way
from fas_core.bench.detection.sets import DEV, TEST, Faces
from fas_core.bench.detection.trainings import THESIS, Training
from fas_core.bench.detection.verdict import Verdicts
from fas_core.data import manifest
from fas_core.data.names import BONA_FIDE
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, make_folder, write_table
from fas_core.runs.store import Run

RESAMPLES_OF_PAIRS = 2_000  # of intervals alone, which are thousands; nothing is corrected among them


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    scale: str
    seeds: tuple[int, ...]
    data: dict[str, Path]  # manifests by name, beside the rendered faces
    trainings: tuple[Training, ...]
    left_out: tuple[Training, ...] = ()

    @classmethod
    def of(cls, scale: str, seeds: Sequence[int], data: Sequence[Path], only: Sequence[str] = ()) -> Plan:
        """`only`: names of additional trainings, none for all. Raises BadInputError as `trainings.listed`, and for a
        name that there is not."""
        listed = trainings.listed(scale)
        known = [training.name for training in listed]
        if unknown := [name for name in only if name not in known]:
            raise BadInputError(f"There is no training '{unknown[0]}' to measure. Trainings: {', '.join(known)}.")
        left_out = tuple(each for each in listed if only and not each.is_thesis and each.name not in only)
        return cls(scale, tuple(seeds), sets.named(data), tuple(x for x in listed if x not in left_out), left_out)

    def faces(self, out: Path) -> list[Faces]:
        """The data sets of every seed, made where they are missing."""
        at = trainings.SCALES[self.scale]
        of_all = []
        for seed in self.seeds:
            of_all.append(sets.rendered(out, seed, people=at.people, share=at.share))
            of_all += [sets.of_manifest(manifest.read(path), name, out, seed) for name, path in self.data.items()]
        return of_all


@dataclass(frozen=True)
class Measured:
    """What came out."""

    judged: Judged
    verdicts: Verdicts
    not_measured: dict[str, str]  # what -> why
    about: Json

    @property
    def document(self) -> Json:
        return self.about | verdict.as_json(self.verdicts) | {"not_measured": self.not_measured}

    @property
    def markdown(self) -> str:
        """For the README: when and how, the data, findings, tables, what was not measured."""
        lines = [f"Measured on {self.about['date'][:10]} by `{self.about['command']}`. {self.about['words']}", ""]
        text = "\n".join(lines) + "\n" + verdict.markdown(self.verdicts, self.judged.data_sets)
        if self.not_measured:
            text += "\nNot measured: " + "; ".join(f"{what} ({why})" for what, why in self.not_measured.items()) + ".\n"
        return text

    @property
    def pairs(self) -> pd.DataFrame:
        """Every model by every score that its Runs have, over all data sets and in each, of all attacks and species."""
        judged, rows = replace(self.judged, resamples=min(self.judged.resamples, RESAMPLES_OF_PAIRS)), []
        species = ["", *sorted(set().union(*(images.attacks for images in self.judged.images)) - {""})]
        for way in judged.scores:
            for place in (None, *judged.data_sets):
                for kind in species:
                    if (auc := judged.interval(AUC, way, kind, place)) is None:
                        continue
                    row: dict[str, object] = way._asdict() | {"data_set": place or "all", "species": kind or "all"}
                    for name, interval in (
                        (AUC, auc),
                        (APCER, judged.interval(APCER, way, kind, place)),
                        (BPCER, judged.interval(BPCER, way, "", place)),
                    ):
                        values = interval or (None, None, None)
                        row |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
                    rows.append(row)
        return pd.DataFrame(rows)


def cost_words(plan: Plan, faces: Sequence[Faces]) -> str:
    """What will be trained and about how long that takes, before it begins."""
    every = [(training, each) for training in plan.trainings for each in faces]
    missing = [training for training, each in every if not trainings.is_done(training, each)]
    minutes = sum(map(trainings.seconds, missing)) / 60
    steps = sorted({training.experiment.steps for training in plan.trainings})
    n_steps = " to ".join(f"{n:,}" for n in dict.fromkeys((steps[0], steps[-1])))
    others = f"The others: about {max(1, round(minutes))} min on two idle cores; Runs and scores half as long again."
    return (
        f"{len(every)} trainings ({len(plan.trainings)} models on {len(faces)} data sets) of "
        f"{n_steps} steps, {len(every) - len(missing)} done. "
        f"{others if missing else 'Runs and scores that are there are taken as they are.'}"
    )


def measured(
    plan: Plan, out: Path, say: Callable[[str], None], *, command: str = "", resamples: int = RESAMPLES
) -> Measured:
    """Trains, caches and judges what is not in `out` yet, and writes verdict.md, verdict.json and pairs.csv there."""
    make_folder(out)
    faces = plan.faces(out)
    say(cost_words(plan, faces))
    images: list[Images] = [images_of(each) for each in faces]
    values: dict[Way, list[NDArray[np.float64] | None]] = {}
    not_measured = {training.name: "not asked for" for training in plan.left_out}
    offered: dict[str, dict[str, str]] = {}
    for training in plan.trainings:
        for i, each in enumerate(faces):
            try:
                run = trainings.run(training, each)
            except BadInputError as error:  # what it asks of the data is not there
                not_measured[f"{training.name} on {each.name}"] = str(error)
                continue
            of_run = scored(run, each, not_measured)
            say(f"{training.name} on {each.name}, seed {each.seed}: {len(of_run)} scores")
            offered.setdefault(training.name, {}).update({name: scores.description(run, name) for name in of_run})
            for score, of_images in of_run.items():
                values.setdefault(Way(training.name, score), [None] * len(faces))[i] = of_images
    judged = Judged(images, values, resamples)
    bases = [Way(*way) for way in THESIS.items()]
    verdicts = verdict.verdicts(judged, bases, additions(plan.trainings, offered))
    result = Measured(judged, verdicts, not_measured, _about(plan, faces, images, command))
    _write(result, out)
    return result


def additions(of: Sequence[Training], offered: dict[str, dict[str, str]]) -> dict[Way, str]:
    """What is held against the thesis, in the order of the registries, with what it is.

    Trainings that it has not, by what it would judge them by; scores that it does not judge by, on the first of its
    models that has them. `offered`: model -> score -> what it is. Depends on no measured figure.
    """
    further = [each for each in of if not each.is_thesis and each.name in offered]
    ways = {Way(each.name, scores.usual([*offered[each.name]])): each.why for each in further}
    model_of = {score: model for model in reversed(THESIS) for score in offered.get(model, {})}
    for score in dict.fromkeys(score for model in THESIS for score in offered.get(model, {})):
        if THESIS[model := model_of[score]] != score:
            ways[Way(model, score)] = offered[model][score]
    return ways


def images_of(faces: Faces) -> Images:
    """Those of dev and test, in the order of the manifest's rows, as `scored` has their scores."""
    rows = faces.judged.rows
    rows = rows[rows["subset"].isin([DEV, TEST])]
    nobody = "nobody/" + rows["sample_id"]  # an attack whose person is not named is one of its own
    person = faces.person_prefix + rows["subject_id"].where(rows["subject_id"] != "", nobody)
    species = rows["pai_species"].where(rows["pai_species"] != "", "unspecified")
    kind = species.where(rows["label"] != BONA_FIDE, BONA_FIDE)
    return Images(
        faces.name,
        faces.seed,
        person.to_numpy(str),
        kind.to_numpy(str),
        (rows["subset"] == DEV).to_numpy(bool),
    )


def scored(run: Run, faces: Faces, not_measured: dict[str, str]) -> dict[str, NDArray[np.float64]]:
    """Every score that the Run offers, of the images of `images_of`; why one is left out is noted."""
    samples = run.samples(["sample_id", "subset"])
    wanted = faces.judged.rows
    wanted = wanted.loc[wanted["subset"].isin([DEV, TEST]), "sample_id"]
    row_of = pd.Series(np.arange(len(samples)), samples["sample_id"])
    rows = row_of.reindex(wanted).to_numpy()
    if np.isnan(rows).any():
        raise BadInputError(f"{faces.judged.source}: {int(np.isnan(rows).sum())} images could not be read.")
    of_each = {}
    for name in [*scores.offered(run), *scores.on_demand(run)]:
        try:
            values = scores.values(run, name)[rows.astype(np.intp)]
        except BadInputError as error:
            not_measured[f"{run.info.name}, {name} on {faces.name}"] = str(error)
            continue
        if n := int(np.isnan(values).sum()):
            not_measured[f"{run.info.name}, {name} on {faces.name}"] = f"{n} of {len(values)} images have no score"
            continue
        of_each[name] = values
    return of_each


def _about(plan: Plan, faces: Sequence[Faces], images: Sequence[Images], command: str) -> Json:
    described = []
    for each, of in zip(faces, images, strict=True):
        parts = each.judged.rows.groupby("subset")["subject_id"].nunique()
        kinds, counts = np.unique(of.kind[~of.is_dev], return_counts=True)
        described.append(
            {
                "name": each.name,
                "seed": each.seed,
                "people": {str(part): int(n) for part, n in parts.items()},
                "tested": {str(kind): int(n) for kind, n in zip(kinds, counts, strict=True)},
            }
        )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "scale": plan.scale,
        "seeds": list(plan.seeds),
        "data_sets": described,
        "words": " ".join(map(_set_words, described)),
    }


def _set_words(of: Json) -> str:
    people, tested = of["people"], dict(of["tested"])
    live = tested.pop(BONA_FIDE, 0)
    attacks = ", ".join(f"{n} {kind}" for kind, n in tested.items())
    return (
        f"{of['name']}, seed {of['seed']}: {people.get('train', 0)} people learned, {people.get(DEV, 0)} for "
        f"thresholds, {people.get(TEST, 0)} tested ({live} live images; attacks: {attacks})."
    )


def _write(result: Measured, out: Path) -> None:
    for name, text in (
        ("verdict.md", result.markdown),
        ("verdict.json", json.dumps(result.document, indent=1, ensure_ascii=False)),
    ):
        with atomic_file(out / name) as temporary:
            temporary.write_text(text)
    write_table(result.pairs, out / "pairs.csv")
