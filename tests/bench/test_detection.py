"""What decides between the thesis and additions to it: people apart, nothing by an attack, intervals by people."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from fas_core import metrics
from fas_core.bench import detection
from fas_core.bench.detection import judging, sets, trainings, verdict
from fas_core.bench.detection.judging import APCER, AUC, BPCER, MASKS, Images, Judged, Way
from fas_core.data import manifest
from fas_core.data.attacks import SPECIES
from fas_core.data.manifest import Manifest
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.inference import infer
from fas_core.training import train

BASE, OTHER = Way("small_dcvae", "rec"), Way("small_ganomaly", "pixel_l2")
Floats = NDArray[np.float64]


# ------------------------------------------------------------------------------------------------------- people apart


def live_faces(folder: Path, people: int = 10, each: int = 4) -> Manifest:
    """Gray noise, each image another one."""
    folder.mkdir()
    rows = []
    for person in range(people):
        for shot in range(each):
            pixels = np.random.default_rng([person, shot]).integers(60, 190, (32, 32)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{person}-{shot}.png")
            rows.append({"path": f"{person}-{shot}.png", "label": "live", "subject_id": f"s{person}"})
    manifest.write(pd.DataFrame(rows), folder / "manifest.csv")
    return manifest.read(folder / "manifest.csv")


def with_attacks(live: Manifest, stripes: int) -> Manifest:
    """The same live images beside attacks of some stripes by every second person."""
    folder = live.root
    rows = live.rows.copy()
    attacks = rows[rows["subject_id"].isin([f"s{n}" for n in range(0, 10, 2)])].copy()
    attacks["path"] = [f"{stripes}-{path}" for path in attacks["path"]]
    attacks["sample_id"] = "attack-" + attacks["sample_id"]
    attacks["label"], attacks["pai_species"] = ATTACK, ["paper", "silicone_mask"] * (len(attacks) // 2)
    for number, path in enumerate(attacks["path"]):
        waves = np.sin(np.arange(32) * (stripes + number / 40))
        Image.fromarray(np.uint8(128 + 90 * np.tile(waves, (32, 1)))).save(folder / path)
    manifest.write(pd.concat([rows, attacks]), folder / f"with-{stripes}.csv")
    return manifest.read(folder / f"with-{stripes}.csv")


def test_people_are_apart_and_nobody_learns_or_chooses_by_an_attack(tmp_path: Path) -> None:
    source = with_attacks(live_faces(tmp_path / "faces"), 1)
    faces = sets.of_manifest(source, "faces", tmp_path / "out", seed=3)
    rows = faces.judged.rows
    of_part = {part: set(of["subject_id"]) for part, of in rows.groupby("subset")}
    assert {part: len(people) for part, people in of_part.items()} == {"train": 4, "dev": 2, "test": 4}
    assert not set.intersection(of_part["train"], of_part["dev"] | of_part["test"])
    assert not of_part["dev"] & of_part["test"]
    assert set(rows.loc[rows["label"] == ATTACK, "subset"]) == {"test"}
    assert of_part["test"] <= {"s0", "s2", "s4", "s6", "s8"}  # those with attacks come first
    assert set(faces.learned.rows["label"]) == {BONA_FIDE}
    assert set(faces.learned.rows["subject_id"]) == of_part["train"]
    assert all(path.is_file() for path in faces.judged.image_paths())
    other = sets.of_manifest(source, "faces", tmp_path / "out", seed=4).judged.rows
    assert set(other.loc[other["subset"] == "test", "subject_id"]) != of_part["test"]


def test_attacks_are_simulated_where_there_are_none(tmp_path: Path) -> None:
    live = live_faces(tmp_path / "faces")
    faces = sets.of_manifest(live, "faces", tmp_path / "out", seed=0)
    attacks = faces.judged.rows[faces.judged.rows["label"] == ATTACK]
    assert set(attacks["pai_species"]) == set(SPECIES)
    assert set(attacks["subset"]) == {"test"}
    assert "attack_source" not in faces.learned.rows  # another kind of attack changes nothing that is learned
    with pytest.raises(BadInputError, match="live images of 5 people: it takes 6"):
        sets.shared_out(Manifest(live.rows[live.rows["subject_id"] < "s5"], live.source), 0)
    with pytest.raises(BadInputError, match="1 live images have no subject_id"):
        sets.shared_out(Manifest(live.rows.assign(subject_id=["", *live.rows["subject_id"][1:]]), live.source), 0)


def test_data_sets_are_called_by_their_folders() -> None:
    paths = [Path("a/faces/manifest.csv"), Path("b/faces/manifest.csv"), Path("c/orl.csv")]
    first, second, third = sets.named(paths)
    assert (first, third) == ("faces", "orl")
    assert second.startswith("faces-")


# ---------------------------------------------------------------------------------------------------------- judging


def presented(data_set: str = "a", seed: int = 0, people: int = 12, each: int = 8) -> Images:
    """Two people who choose; the others have live images and, all but one of them, attacks of two species."""
    person, kind, is_dev = [], [], []
    for number in range(people):
        for shot in range(2 * each):
            attack = number >= 3 and shot >= each
            person.append(f"p{number:02d}")
            kind.append(BONA_FIDE if not attack else ["paper", "rubber mask"][shot % 2])
            is_dev.append(number < 2)
    return Images(data_set, seed, np.array(person), np.array(kind), np.array(is_dev))


def separating(images: Images, by: float, seed: int = 0) -> Floats:
    """Scores of attacks are `by` standard deviations above those of live images; people differ, too."""
    rng = np.random.default_rng(seed)
    _, of_person = np.unique(images.person, return_inverse=True)
    own = rng.normal(0, 0.3, of_person.max() + 1)[of_person]
    return np.round(rng.normal(own + by * (images.kind != BONA_FIDE)), 2)  # with ties


def test_figures_are_those_of_all_images_and_of_whole_people(monkeypatch: pytest.MonkeyPatch) -> None:
    images = presented()
    values = separating(images, 1)
    monkeypatch.setattr(judging, "draws", lambda *_: [weights])
    weights = np.random.default_rng(1).integers(0, 3, (10, 40)).astype(float)
    judged = Judged([images], {BASE: [values]}, 40)
    at = judging.threshold(values, images)
    live_dev = values[images.is_dev]
    assert np.mean(live_dev >= at) <= 0.05
    test = ~images.is_dev
    of_each = {"": test, "paper": test & np.isin(images.kind, [BONA_FIDE, "paper"])}
    of_each[MASKS] = test & np.isin(images.kind, [BONA_FIDE, "rubber mask"])
    for species, rows in of_each.items():
        of_test = metrics.score_set(values[rows], images.kind[rows] != BONA_FIDE, images.kind[rows])
        rates = metrics.rates_at(of_test, at)
        expected = {AUC: metrics.roc_auc(of_test), APCER: rates.apcer_pooled, BPCER: rates.bpcer}
        for metric, value in expected.items():
            assert judged.interval(metric, BASE, species).value == pytest.approx(value), (metric, species)
    drawn = judged._mean(AUC, BASE, "", [0], drawn=True)
    code = np.unique(images.person[test], return_inverse=True)[1]
    for column in range(40):
        repeated = np.repeat(np.flatnonzero(test), weights[code, column].astype(int))
        again = metrics.score_set(values[repeated], images.kind[repeated] != BONA_FIDE)
        assert drawn[column] == pytest.approx(metrics.roc_auc(again))


def test_no_attack_moves_a_threshold_or_what_is_compared() -> None:
    images = presented()
    values = separating(images, 1)
    other = np.where(images.kind == BONA_FIDE, values, -values + 9)
    assert judging.threshold(other, images) == judging.threshold(values, images)
    moved = replace(images, is_dev=images.is_dev | (images.kind != BONA_FIDE))  # not those of dev people either
    assert judging.threshold(other, moved) == judging.threshold(values, images)
    ways = [BASE, OTHER, Way("small_dcvae", "kl"), Way("small_dcvae", "ssim")]
    of_each = [
        verdict.verdicts(
            Judged([images], {way: [scores] for way in ways}, 50), [BASE, OTHER], dict.fromkeys(ways[2:], "why")
        )
        for scores in (values, other)
    ]
    assert [row.way for row in of_each[0].additions] == [row.way for row in of_each[1].additions] == ways[2:]


def test_additions_follow_from_what_is_registered_alone() -> None:
    of = [trainings.Training(name, None, f"{name} in words") for name in (*trainings.THESIS, "small_new")]  # type: ignore[arg-type]
    vae = {"rec": "loss", "kl": "divergence", "pixel_l2": "squared"}
    gan = {"pixel_l2": "squared", "feature_l2": "of features"}
    offered = {"small_dcvae": vae, "small_resvae": vae, "small_ganomaly": gan, "small_new": vae | {"odd": "its own"}}
    assert detection.additions(of, offered) == {
        Way("small_new", "rec"): "small_new in words",
        Way("small_dcvae", "kl"): "divergence",
        Way("small_dcvae", "pixel_l2"): "squared",
        Way("small_ganomaly", "feature_l2"): "of features",
    }


def test_a_difference_is_paired_and_by_people() -> None:
    images = presented(people=20)
    values = separating(images, 1)
    nearly = values + 0.01 * np.random.default_rng(5).normal(size=values.size)
    scores = {BASE: [values], OTHER: [nearly], Way("m", "good"): [separating(images, 3, 1)]}
    judged = Judged([images], scores, 2_000)
    alike = judged.difference(AUC, OTHER, BASE)
    alone = judged.interval(AUC, BASE)
    assert alike.high - alike.low < (alone.high - alone.low) / 10
    assert alike.p > 0.05
    better = judged.difference(AUC, Way("m", "good"), BASE)
    assert better.low > 0
    assert better.p < 0.05
    same = judged.difference(AUC, BASE, BASE)
    assert (same.value, same.p) == (0, 1)


def test_a_second_seed_of_the_same_people_proves_nothing_new() -> None:
    images = presented(people=10)
    values = separating(images, 1)
    one_seed = Judged([images], {BASE: [values]}, 2_000)
    two_seeds = Judged([images, replace(images, seed=1)], {BASE: [values, values]}, 2_000)
    assert two_seeds.interval(AUC, BASE) == pytest.approx(one_seed.interval(AUC, BASE))
    two_sets = Judged([images, replace(images, data_set="b")], {BASE: [values, values]}, 2_000)
    width = [of.interval(AUC, BASE).high - of.interval(AUC, BASE).low for of in (two_seeds, two_sets)]
    assert width[1] < 0.85 * width[0]  # other people do


def test_few_people_prove_little() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 6, 12, 40):
        change = rng.normal(0.2, 0.1, 5_000)
        p = judging.no_difference_p(change, n)
        low, high = judging._ends(change, n, -1.0)
        assert p >= 2.0 ** (1 - n)
        if 2.0 ** (1 - n) < 0.04:
            assert (p < 0.05) == (low > 0 or high < 0)
    assert judging.no_difference_p(np.ones(10), 1) is None


# ---------------------------------------------------------------------------------------------------------- verdicts


def test_verdicts_are_corrected_for_all_additions_and_against_the_best_of_the_thesis() -> None:
    images = [presented("a", people=30), presented("b", people=30)]

    def of(by: float, seed: int) -> list[Floats | None]:
        return [separating(each, by, seed + i) for i, each in enumerate(images)]

    noise = {Way("small_dcvae", f"noise{n}"): of(1.0, 10 + n) for n in range(10)}
    good, bad, partly = Way("small_dcvae", "good"), Way("small_dcvae", "bad"), Way("small_dcvae", "partly")
    scores = {BASE: of(0.5, 0), OTHER: of(1.0, 2), good: of(3, 4), bad: of(-1, 6), partly: [of(3, 8)[0], None], **noise}
    judged = Judged(images, scores, 4_000)
    listed = {good: "one", bad: "two", partly: "three", **dict.fromkeys(noise, "noise")}
    came_out = verdict.verdicts(judged, [BASE, OTHER, Way("small_resvae", "rec")], listed)
    assert came_out.best == OTHER
    assert [row.way for row in came_out.base_lines] == [BASE, OTHER]
    assert came_out.called(verdict.BETTER) == [good, partly]
    assert came_out.called(verdict.WORSE) == [bad]
    assert came_out.called(verdict.ALIKE) == list(noise)
    rows = {row.way: row for row in came_out.additions}
    plain = rows[good].against[OTHER].p
    assert rows[good].p_corrected >= 11 * plain > 0  # twelve others stand beside it
    assert set(rows[partly].auc) == {"", "a"}
    assert came_out.goal.way == good  # not `partly`, which has not seen all masks
    assert came_out.goal.is_met
    text = verdict.markdown(came_out, judged.data_sets)
    assert (
        "- 2 of 13 additions clearly better than small_ganomaly, pixel_l2: small_dcvae, good; small_dcvae, part" in text
    )
    assert "- Goal, an AUC of 0.85 on unseen masks: met. The highest of 14, so optimistic, is small_dcvae, good" in text
    assert "| small_dcvae, partly (a alone) |" in text
    assert "too few" not in text
    few = Judged([presented(people=6)], {way: [of_each[0][:96]] for way, of_each in scores.items()}, 500)
    assert "- 3 people with attacks are too few" in verdict.sentences(verdict.verdicts(few, [BASE, OTHER], listed))[4]
    document = verdict.as_json(came_out)
    assert document["n_comparisons"] == 13
    assert document["additions"][0]["verdict"] == verdict.BETTER
    assert set(document["additions"][0]["auc_less_that_of"]) == {str(BASE), str(OTHER)}


# ------------------------------------------------------------------------------------------------------ the whole way


def test_what_is_done_is_not_done_again_and_no_fit_sees_an_attack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = live_faces(tmp_path / "faces")
    narrow, wide = with_attacks(live, 2), with_attacks(live, 1)
    monkeypatch.setattr(sets, "rendered", lambda root, seed, **_: sets.of_manifest(narrow, "rendered", root, seed))
    short = replace(trainings.SCALES["tiny"], steps=2, epochs=1)
    monkeypatch.setitem(trainings.SCALES, "tiny", short)
    listed = trainings.listed("tiny")
    assert [each.name for each in listed[:3]] == [*trainings.THESIS]
    perceptual = next(each for each in listed if each.name == "small_perceptual")
    assert perceptual.looks_with == listed[0]  # trained on the same images, whatever else is asked for
    monkeypatch.setattr(trainings, "listed", lambda _: listed[:1])
    said: list[str] = []
    first = detection.measured(detection.Plan.of("tiny", [0], []), tmp_path / "out", said.append, resamples=50)
    assert said[0].startswith("1 trainings (1 models on 1 data sets) of 2 steps, 0 done")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"verdict.md", "verdict.json", "pairs.csv"} <= names
    assert set(pd.read_csv(tmp_path / "out" / "pairs.csv")["species"]) == {"all", "paper", "silicone_mask", MASKS}

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it is there")

    monkeypatch.setattr(train, "train", never)
    monkeypatch.setattr(infer, "write_shards", lambda _, __, works, ___: never() if works else None)
    again = detection.measured(detection.Plan.of("tiny", [0], []), tmp_path / "out", said.append, resamples=50)
    assert again.document | {"date": ""} == first.document | {"date": ""}

    # Other attacks: the same training, and every score of every live image, whatever it is fitted on, stays.
    monkeypatch.undo()
    monkeypatch.setattr(train, "train", never)
    monkeypatch.setitem(trainings.SCALES, "tiny", short)
    monkeypatch.setattr(sets, "rendered", lambda root, seed, **_: sets.of_manifest(wide, "rendered", root, seed))
    monkeypatch.setattr(trainings, "listed", lambda _: listed[:1])
    other = detection.measured(detection.Plan.of("tiny", [0], []), tmp_path / "out", said.append, resamples=50)
    images = first.judged.images[0]
    assert [*other.judged.scores] == [*first.judged.scores]
    for way, (values,) in first.judged.scores.items():
        (changed,) = other.judged.scores[way]
        is_live = images.kind == BONA_FIDE
        np.testing.assert_allclose(changed[is_live], values[is_live], rtol=1e-5, err_msg=str(way))
        assert (changed[~is_live] != values[~is_live]).any(), way
        assert judging.threshold(changed, images) == pytest.approx(judging.threshold(values, images), rel=1e-5)
