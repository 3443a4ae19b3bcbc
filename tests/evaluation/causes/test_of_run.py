"""What scores of a Run follow: which samples are judged, where causes come from, and what is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import memo, scores
from fas_core.errors import BadInputError
from fas_core.evaluation.causes import of_run, words
from fas_core.evaluation.causes.of_run import ATTACKS, LIVE, follows
from fas_core.evaluation.causes.shares import Behind, Cause, Explained, Share
from fas_core.metrics.uncertainty import Units
from fas_core.runs import marks, measured, store
from tests.conftest import write_image_run

PEOPLE, EACH = 12, 10


def faces(seed: int = 0) -> pd.DataFrame:
    """120 live faces outside training and as many in it, 60 attacks; glasses now and then, a serial number each."""
    rng = np.random.default_rng(seed)
    rows = []
    for subset in ("train", "live", "unseen_paper"):
        for person in range(PEOPLE):
            for i in range(EACH if subset != "unseen_paper" else 5):
                rows.append(
                    {
                        "path": f"{subset}/{person}_{i}.png",
                        "sample_id": f"{subset}_{person}_{i}",
                        "label": "attack" if subset == "unseen_paper" else "bona_fide",
                        "pai_species": "paper" if subset == "unseen_paper" else "",
                        "subject_id": f"{subset[:1]}{person}",
                        "session_id": f"{subset}_{person}_{i % 2}",
                        "subset": subset,
                        "glasses": ["no", "yes"][rng.integers(2)],
                        "serial": f"n{rng.integers(10**6)}",
                        "camera": "A",
                        "age": "",
                    }
                )
    return pd.DataFrame(rows)


def run_that_follows_brightness(tmp_path: Path, **more: object) -> store.Run:
    """`rec` is what brightness and glasses make it; `kl` is noise."""
    samples = faces().assign(**more)
    rng = np.random.default_rng(1)
    brightness = rng.uniform(60, 200, len(samples))
    run = write_image_run(tmp_path, "m", samples, shard_size=50)
    for shard in run.shards:
        here = np.arange(shard.start, shard.start + shard.n)
        table = shard.table("samples", None).to_pandas()
        table["rec"] = (-brightness[here] / 40 + (table["glasses"] == "yes")).astype(np.float32)
        table["kl"] = rng.normal(size=shard.n).astype(np.float32)
        arrays = {name: np.array(shard.array(name)) for name in ("latents", "reconstructions", "inputs")}
        flat = np.clip(rng.normal(brightness[here, None, None], 20, arrays["inputs"].shape), 0, 255)
        arrays["inputs"] = flat.astype(np.uint8)
        store.delete(shard.folder)
        store.write_shard(shard.folder, table, **arrays)
    return store.opened(run.folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    return run_that_follows_brightness(tmp_path_factory.mktemp("causes"))


def test_the_cause_is_named_first_and_nothing_irrelevant_is(run: store.Run) -> None:
    answer = follows(run, "rec", LIVE)
    assert (answer.n_all, answer.explained.n, answer.explained.n_units) == (120, 120, 12)
    bright, glasses, *others = answer.explained.causes
    assert (bright.name, bright.kind) == ("brightness", "image")
    assert bright.rho is not None
    assert bright.rho.value < -0.85
    assert (glasses.name, glasses.lowest, glasses.highest) == ("glasses", "no", "yes")
    assert {cause.name for cause in others} == {"sharpness"}
    assert answer.explained.skipped["contrast"].startswith("scaling leaves a spread of less than one")
    assert answer.explained.skipped["compression"].startswith("not measured: images were resized")
    assert all(cause.alone.value < 0.1 for cause in others)
    skipped = answer.explained.skipped
    assert skipped["serial"] == skipped["session_id"] == "no two subjects share a value"
    assert skipped["camera"] == "the same everywhere: A"
    assert skipped["age"] == "empty"
    assert not {"sample_id", "path", "rec", "kl", "subset", "label"} & {*skipped, *(c.name for c in answer.ranked)}
    said = words.answer(answer)
    assert said.startswith("rec falls with brightness, rho = −0.9")
    assert "among equally bright ones, glasses adds" in said
    assert words.left_out(answer).startswith("Not judged, ")


def test_attacks_are_judged_apart_and_learned_samples_are_not(run: store.Run, tmp_path: Path) -> None:
    assert follows(run, "rec", ATTACKS).explained.n == 60
    assert of_run.rows_of(run, LIVE, ["train"]).size == 0
    learned = ["learned" if i % 4 == 0 else "none" for i in range(len(faces()))]
    other = write_image_run(tmp_path, "learned", faces().assign(training_use=learned), shard_size=99)
    assert of_run.rows_of(other, LIVE).size == 90
    injected = faces().replace({"pai_species": {"paper": "injection: deepfake"}})
    assert of_run.rows_of(write_image_run(tmp_path, "i", injected, shard_size=99), ATTACKS).size == 0


def test_images_are_measured_once_a_run_and_answers_kept(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = follows(run, "rec", LIVE)
    expected = run.images("inputs", np.arange(len(run))).mean((1, 2)) / 255
    assert measured.of_run(run)["brightness"] == pytest.approx(expected)

    def never(*_: object) -> memo.Arrays:
        raise AssertionError("computed again")

    monkeypatch.setattr(measured, "_computed", never)
    follows(run, "kl", LIVE)  # another score reads the same measures
    monkeypatch.setattr(of_run, "explained", never)
    assert follows(run, "rec", LIVE) == first


def test_a_score_that_mostly_measures_a_nuisance_is_told_and_the_one_that_does_least(run: store.Run) -> None:
    nuisance = of_run.nuisance(run, "rec")
    assert nuisance is not None
    assert (nuisance.cause, nuisance.is_whose) == ("brightness", False)
    assert nuisance.least == "pixel_l2"
    hard = of_run.hardest(run)
    assert not hard["kl"].is_beyond_chance  # noise follows nothing, and is of no use
    assert words.warning(nuisance) == (
        f"rec mostly measures brightness: {words.share_text(nuisance.share)} of its variance among live samples; "
        f"least: pixel_l2, {words.share_text(nuisance.least_share)}, with AUC {hard['pixel_l2'].auc:.2f} on paper."
    )
    assert of_run.nuisance(run, "kl") is None


def test_a_score_that_follows_it_less_is_named_with_what_it_finds(
    run: store.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = of_run.followed_by(run, "brightness")
    useful, least = (
        of_run.Hardest("paper", 0.812, True),
        min(set(shares) - {"rec", "elbo"}, key=lambda n: shares[n].value),
    )
    useless = of_run.Hardest("paper", 0.55, False)
    monkeypatch.setattr(of_run, "hardest", lambda *_: {name: useful if name == "kl" else useless for name in shares})
    nuisance = of_run.nuisance(run, "rec")
    assert nuisance is not None
    assert nuisance.least == "kl"
    assert words.warning(nuisance).endswith(f"; least: kl, {words.share_text(shares['kl'])}, with AUC 0.81 on paper.")
    monkeypatch.setattr(of_run, "hardest", lambda *_: dict.fromkeys(shares, useless))
    nuisance = of_run.nuisance(run, "rec")
    assert nuisance is not None
    assert words.warning(nuisance).endswith(
        "samples; no other score that finds its hardest attack better than chance does so clearly less."
    )
    monkeypatch.setattr(of_run, "hardest", lambda *_: dict.fromkeys(shares, useful))
    nuisance = of_run.nuisance(run, "rec")
    assert nuisance is not None
    assert nuisance.least == least


def test_the_hardest_species_is_judged_by_its_own_auc() -> None:
    units = Units("subject", np.repeat([f"s{i}" for i in range(20)], 6))
    values = np.tile([0.0, 1.0, 5.0, 6.0, 0.5, 0.4], 20)
    is_attack = np.tile([False, False, True, True, True, True], 20)
    species = np.tile(["", "", "mask", "mask", "paper", "paper"], 20)
    hard = of_run._hardest(values, is_attack, species, units)
    assert hard == of_run.Hardest("paper", 0.5, False)
    hard = of_run._hardest(
        values, is_attack & (species == "mask"), np.tile(["", "", "mask", "mask", "", ""], 20), units
    )
    assert hard == of_run.Hardest("mask", 1.0, True)


def test_compression_is_measured_where_blocks_were_scaled_by_a_whole_factor(tmp_path: Path) -> None:
    """Of images of 32 pixels: files of 32 and 64, not of 24 or of unknown size."""
    sides = np.tile([32, 64, 24, None], 75)
    run = run_that_follows_brightness(tmp_path, width=sides, height=sides)
    of_row = pd.to_numeric(run.samples(["width"])["width"])
    is_measured = np.isfinite(measured.of_run(run)["compression"])
    assert is_measured.tolist() == of_row.isin([32, 64]).tolist()


def test_marks_are_a_cause_and_make_the_answer_anew(tmp_path: Path) -> None:
    run = run_that_follows_brightness(tmp_path)
    assert follows(run, "rec", LIVE).cause("marks") is None
    live = of_run.rows_of(run, LIVE)
    bright = live[np.argsort(measured.of_run(run)["brightness"][live])[:40]]
    for sample_id in run.samples(["sample_id"])["sample_id"].iloc[bright]:
        marks.make(run, sample_id, by="ada", is_marked=True)
    cause = follows(run, "rec", LIVE).cause("marks")
    assert cause is not None
    assert cause.highest == "marked"
    assert cause.alone.value > 0.3
    assert cause.beyond is cause.beside_first is None


def test_labels_count_where_they_were_given_and_never_among_the_causes(tmp_path: Path) -> None:
    run = run_that_follows_brightness(tmp_path)
    before = follows(run, "rec", LIVE)
    live = of_run.rows_of(run, LIVE)
    high = live[np.argsort(-scores.values(run, "rec")[live])]
    ids = run.samples(["sample_id"])["sample_id"].iloc[high].tolist()
    for i, sample_id in enumerate(ids[:16]):
        marks.make(run, sample_id, by="ada", is_marked=False, own_label=("odd", "very odd")[i < 8])
    few = follows(run, "rec", LIVE)
    assert few.cause("labels") is None
    assert few.explained.skipped["labels"].startswith("stated for 16 samples of ")
    for sample_id in ids[16:30]:
        marks.make(run, sample_id, by="ada", is_marked=False, own_label="odd")
    answer = follows(run, "rec", LIVE)
    assert answer.explained.causes == before.explained.causes  # to the last digit
    cause = answer.cause("labels")
    assert cause is not None
    assert (cause.n, cause.n_missing, cause.highest) == (30, 90, "very odd")
    assert "People's labels explain" in words.answer(answer)
    assert "among 30 labelled samples; they may follow the score" in words.answer(answer)
    nuisance = of_run.nuisance(run, "rec")
    assert nuisance is not None
    assert nuisance.cause == "brightness"


def test_scores_alone_are_judged_by_their_columns(tiny_cache: Path) -> None:
    run = next(run for run in store.all_runs(tiny_cache) if run.is_of_scores)
    assert measured.of_run(run) == {}
    answer = follows(run, scores.offered(run)[0], LIVE)
    assert not answer.explained.causes
    assert "cannot be said" in words.answer(answer)
    with pytest.raises(BadInputError, match="has no score 'nope'"):
        follows(run, "nope", LIVE)


def share(value: float, low: float | None = None, high: float | None = None) -> Share:
    return Share(value, low, high)


def cause(name: str, alone: Share, rho: Share | None = None, beside: Share | None = None, **more: object) -> Cause:
    about = {"kind": "image", "n": 384, "n_missing": 0, "n_values": 9, "beyond": None, "lowest": "", "highest": ""}
    return Cause(name=name, alone=alone, rho=rho, beside_first=beside, **(about | {"same_as": ()} | more))  # type: ignore[arg-type]


def test_a_score_without_a_look_is_told_by_both_errors() -> None:
    assert words.adjusted("rec~sharpness", (0.146, 0.89), (0.135, 0.82)) == (
        "rec~sharpness: live rejected 14.6\u00a0% (was 13.5), worst attack passes 89.0\u00a0% (was 82.0). "
        "The two errors together are no lower: it does not help here."
    )
    assert words.adjusted("b", (0.1, 0.2), (0.1, 0.3)).endswith("(was 30.0). The two errors together are lower.")
    assert words.adjusted("b", (0.12, 0.2), (0.1, 0.3)).endswith("lower. One is higher: judge which matters.")
    assert words.adjusted("b", (0.1, 0.2), (0.1, 0.2)).endswith("it does not help here.")
    assert words.adjusted("b", (0.1, None), (0.1, 0.2)) == ""


def test_the_answer_is_a_function_of_numbers() -> None:
    causes = (
        cause("brightness", share(0.81, 0.74, 0.86), share(-0.9, -0.93, -0.86), same_as=("contrast",)),
        cause("glasses", share(0.05), beside=share(0.034, 0.012, 0.071), kind="column"),
    )
    person = cause("subject", share(0.86, 0.7, 0.9), kind="whose", beyond=share(0.1, 0.05, 0.2))
    explained = Explained(384, 0, "subject", 20, causes, share(0.9), (person,), {})
    assert words.answer(of_run.Follows("rec", LIVE, 384, explained)) == (
        "rec falls with brightness (or contrast: here they are the same), rho = −0.90 [−0.93, −0.86], which explains "
        "81\u00a0% (74–86) of its variance among 384 live samples; among equally bright ones, glasses adds 3\u00a0% "
        "(1–7). Who the person is explains 86\u00a0% (70–90), 10\u00a0% (5–20) beyond all of that."
    )
    nothing = Explained(384, 0, "sample", 384, (cause("hat", share(0.01, -0.02, 0.05)),), None, (), {})
    assert words.answer(of_run.Follows("kl", ATTACKS, 384, nothing)) == (
        "Nothing that was measured of 384 attacks explains kl beyond chance: hat comes first with 1\u00a0% (0–5) of "
        "its variance."
    )
    unknown = of_run.Follows("rec", ATTACKS, 0, Explained(0, 0, "sample", 0, (), None, (), {}))
    assert words.headline([of_run.Follows("rec", LIVE, 384, explained), unknown]) == (
        "Of live samples, **rec falls with brightness**, which explains 81\u00a0% (74–86) of its variance; of attacks, "
        "what rec follows cannot be said."
    )
    of_camera = replace(explained, behind=Behind("camera", share(0.55, 0.4, 0.7)))
    assert words.headline([of_run.Follows("rec", LIVE, 384, of_camera)]) == (
        "Of live samples, **rec falls with brightness**, which explains 81\u00a0% (74–86) of its variance (brightness "
        "differs by camera, which explains 55\u00a0% (40–70) of it)."
    )
    assert ". Brightness differs by camera, which explains 55\u00a0% (40–70) of it. Who" in words.answer(
        of_run.Follows("rec", LIVE, 384, of_camera)
    )
    assert words.headline([of_run.Follows("kl", ATTACKS, 384, nothing)]) == (
        "Of attacks, nothing that was measured explains kl beyond chance."
    )
