"""An operating point under stress: which presentations, what is kept, where it breaks by the stated rule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data.degradations import BY_NAME
from fas_core.errors import BadInputError
from fas_core.evaluation import stress, stressed
from fas_core.evaluation.stressed import About, Kept
from fas_core.metrics.operating_point import rule
from fas_core.runs.store import Run
from tests.conftest import write_image_run
from tests.video_runs import write_video_image_run

JPEG, LIGHT = BY_NAME["jpeg"], BY_NAME["brightness"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """200 live and 100 print test images of 50 people."""
    i = np.arange(300)
    samples = pd.DataFrame(
        {
            "path": [f"{k}.png" for k in i],
            "sample_id": [f"s{k}" for k in i],
            "label": np.where(i < 200, "bona_fide", "attack"),
            "pai_species": np.where(i < 200, "", "print"),
            "subject_id": [f"p{k % 50}" for k in i],
            "subset": "test",
        }
    )
    return write_image_run(tmp_path, "m", samples, shard_size=400)


def kept_of(run: Run, n: int = 1000, level: str = "frame", subsets: tuple[str, ...] = ("test",)) -> Kept:
    k = len(stressed.sample(run, level, subsets, n).rows)
    return stressed.kept(run.cache, About(run.id, run.digest_of("rec"), "rec", level, subsets, n, 0, k, k, ""))


def scores(bpcer: float, apcer: float) -> np.ndarray:
    """Of the 300 images: this share of live ones at 1, and of attacks at 0, by whole people."""
    person = np.arange(300) % 50
    is_wrong = person < 50 * np.where(np.arange(300) < 200, bpcer, apcer)
    return np.where(np.arange(300) < 200, is_wrong, ~is_wrong).astype(np.float64)


def scores_of(run: Run) -> np.ndarray:
    return run.samples(["rec"])["rec"].to_numpy()


def test_it_breaks_at_the_mildest_step_from_which_on_an_error_is_clearly_above(run: Run) -> None:
    kept = kept_of(run)
    kept.keep(scores(0.04, 0.2))
    at = {95: (0.04, 0.2), 80: (0.3, 0.2), 60: (0.04, 0.2), 40: (0.06, 0.2), 30: (0.3, 0.2), 20: (0.4, 0.2)}
    for amount, errors in at.items():
        kept.keep(scores(*errors), JPEG, amount)
    kept.keep(scores(0.04, 0.9), LIGHT, 2)
    kept.keep(scores(0.04, 0.9), LIGHT, -3)
    told = stress.errors(kept, run, ["test"], 0.5)
    jpeg, light = told.of_kinds
    assert [step.rates.bpcer for step in jpeg.steps] == pytest.approx([0.04, 0.3, 0.04, 0.06, 0.3, 0.4])
    assert [step.rates.apcer_max for step in light.steps] == pytest.approx([0.9, 0.9])
    assert jpeg.at(30).changes["bpcer"].difference == pytest.approx(0.26)
    assert jpeg.at(30).changes["bpcer"].low > 0.1
    assert not jpeg.at(40).above
    # 80 is above as well, but 60, which is harsher, is not.
    assert [(b.error, b.amount) for b in jpeg.breaks] == [("bpcer", 30)]
    assert jpeg.n_missing == 1
    assert [(b.error, b.amount) for b in light.breaks] == [("apcer_max", -3), ("apcer_max", 2)]  # each way by itself
    assert "**JPEG quality 30 and below**: BPCER 4 → 30 % (+14 to +38 points)" in told.sentence(strong="**{}**".format)
    assert "3 stops darker and more: worst APCER 20 → 90 % (" in told.sentence()
    assert "print" in told.sentence()
    assert told.caveat.endswith(
        "Not computed yet: 1 step of JPEG quality, blur, noise, 6 steps of light, resolution, occlusion."
    )
    # A limit that holds all the same: nothing is broken. It is one of the BPCER alone.
    within = stress.errors(kept, run, ["test"], 0.5, rule("bpcer<=0.35"))
    assert [(b.error, b.amount) for b in within.of_kinds[0].breaks] == [("bpcer", 20)]
    assert within.of_kinds[1].breaks == light.breaks
    lenient = stress.errors(kept, run, ["test"], 0.5, rule("apcer[print]<=0.95"))
    assert [b.error for b in lenient.of_kinds[1].breaks] == ["apcer_max", "apcer_max"]
    document = told.as_json()
    assert document["kinds"][0]["breaks"] == [{"error": "bpcer", "amount": 30, "in_words": "JPEG quality 30 and below"}]
    assert document["counts"] == {"test": {"bona_fide": 200, "print": 100}}
    assert document["unit"] == "subject"
    assert document["kinds"][0]["steps"][4]["changes"]["bpcer"]["difference"] == pytest.approx(0.26)


def test_a_threshold_without_a_break_is_said_to_hold(run: Run) -> None:
    kept = kept_of(run)
    kept.keep(scores(0.04, 0.2))
    kept.keep(scores(0.04, 0.2), JPEG, 95)
    told = stress.errors(kept, run, ["test"], 0.5)
    assert told.sentence().startswith("It holds: no step of JPEG quality raises an error clearly. As the images are")
    with pytest.raises(BadInputError, match="holds no scores of the images as they are"):
        stress.errors(Kept(kept.folder.with_name("other"), kept.about), run, ["test"], 0.5)


def test_a_limit_that_is_missed_before_any_stress_is_said_first(run: Run) -> None:
    kept = kept_of(run)
    kept.keep(scores(0.42, 0.2))
    kept.keep(scores(0.42, 0.2), JPEG, 95)

    def sentence(limit: str) -> str:
        return stress.errors(kept, run, ["test"], 0.5, rule(limit)).sentence(str.upper)

    missed = sentence("bpcer<=0.07")
    assert missed.startswith("Unstressed it already misses its limit: BPCER 42 % (")
    assert ", limit 7 %. No step of JPEG quality raises an error clearly. As the images are" in missed
    assert "misses its limit: worst APCER 20 % (" in sentence("apcer<=0.05")
    assert "misses its limit: APCER PRINT 20 % (" in sentence("apcer[print]<=0.05")
    for kept_limit in ("bpcer<=0.42", "apcer[print]<=0.2", "eer"):
        assert sentence(kept_limit).startswith("It holds: no step")
    kept.keep(scores(0.9, 0.2), JPEG, 10)
    broken = sentence("bpcer<=0.07")
    assert broken.startswith("Unstressed it already misses its limit: BPCER 42 %")
    assert "limit 7 %. It breaks at JPEG quality 10 and below: BPCER 42 → 90 %" in broken


def test_simulated_attacks_are_said_to_be(run: Run, tmp_path: Path) -> None:
    samples = run.samples(["path", "sample_id", "label", "pai_species", "subject_id", "subset"])
    samples["simulated"] = np.where(samples["label"] == "attack", "yes", "")
    for of, is_simulated in ((run, False), (write_image_run(tmp_path / "s", "s", samples, shard_size=400), True)):
        kept = kept_of(of)
        kept.keep(scores(0.04, 0.2))
        told = stress.errors(kept, of, ["test"], 0.5)
        assert ("Attacks of print are simulated: no evidence about real attacks." in told.caveat) == is_simulated
        assert ("simulated" in [said["kind"] for said in told.as_json()["warnings"]]) == is_simulated


def test_what_is_kept_is_of_this_run_score_level_and_subsets(run: Run) -> None:
    kept = kept_of(run)
    assert kept.scores() is None
    kept.keep(scores(0.04, 0.2), JPEG, 30)
    np.testing.assert_array_equal(kept.scores(JPEG, 30), scores(0.04, 0.2))
    assert stressed.newest(run, "rec", "frame", ["test"]) is None  # nothing to compare with
    kept.keep(scores(0.04, 0.2))
    (kept.folder / "jpeg-30.npy").write_bytes(b"half")
    assert kept.scores(JPEG, 30) is None  # and is computed again
    assert stressed.newest(run, "rec", "frame", ["test"]) == kept
    larger = kept_of(run, n=2000)
    larger.keep(scores(0.04, 0.2))
    assert stressed.newest(run, "rec", "frame", ["test"]) == larger
    for score, level, subsets in (("kl", "frame", ["test"]), ("rec", "video mean", ["test"]), ("rec", "frame", ["a"])):
        assert stressed.newest(run, score, level, subsets) is None
    about = larger.folder / "about.json"
    about.write_text(about.read_text().replace("2000", "3000"))
    assert stressed.newest(run, "rec", "frame", ["test"]) == kept  # what somebody has changed is not read
    grown = Run(run.folder, replace(run.info, run="0" * 12), run.shards)
    assert stressed.newest(grown, "rec", "frame", ["test"]) is None
    stressed.remove(run.cache, run.id)
    assert stressed.newest(run, "rec", "frame", ["test"]) is None


def test_a_sample_is_of_whole_presentations_evenly_of_each_kind(run: Run, tmp_path: Path) -> None:
    drawn = stressed.sample(run, "frame", ["test"], 40)
    assert drawn.counts == {"test": {"bona_fide": 20, "print": 20}}
    assert drawn.n_of == 300
    more = stressed.sample(run, "frame", ["test"], 250)
    assert more.counts == {"test": {"bona_fide": 150, "print": 100}}
    assert set(drawn.rows) <= set(more.rows)
    assert set(stressed.sample(run, "frame", ["test"], 40, seed=1).rows) != set(drawn.rows)
    clips = write_video_image_run(tmp_path)
    videos = stressed.sample(clips, "video mean", ["test"], 6)
    assert videos.counts == {"test": {"bona_fide": 2, "print": 2, "replay": 2}}
    assert len(videos.grouping.rows) == 6
    rows = clips.samples(["subject_id", "video_id", "subset"])
    of_sample = set(map(tuple, rows.iloc[videos.rows].to_numpy()))
    every = [i for i, row in enumerate(map(tuple, rows.to_numpy())) if row in of_sample]
    assert every == videos.rows.tolist()  # no frame of a video is left out
    values = clips.samples(["rec"])["rec"].to_numpy()
    decided = videos.grouping.judged(values[videos.rows])
    means = (
        clips.samples(["subject_id", "video_id", "rec"]).iloc[videos.rows].groupby(["subject_id", "video_id"])["rec"]
    )
    np.testing.assert_allclose(np.sort(decided.values), np.sort(means.mean().to_numpy()))
    with pytest.raises(BadInputError, match="no image with an output in nothing"):
        stressed.sample(run, "frame", ["nothing"], 6)


def test_a_few_people_break_nothing(tmp_path: Path) -> None:
    """One is live alone, all others attack as well: drawn together, he would be in every resample."""
    i = np.arange(120)
    table = pd.DataFrame(
        {
            "path": [f"{k}.png" for k in i],
            "sample_id": [f"s{k}" for k in i],
            "label": np.where(i < 80, "bona_fide", "attack"),
            "pai_species": np.where(i < 80, "", "print"),
            "subject_id": [f"p{k % 20}" if k != 40 else "alone" for k in i],
            "subset": "test",
        }
    )
    table.loc[(i < 80) & (i % 20 == 0), "subject_id"] = "alone"
    run = write_image_run(tmp_path, "m", table, shard_size=400)
    kept = kept_of(run)
    kept.keep(np.where(i < 80, 0.0, 1.0))
    for amount, n_people in zip(JPEG.arms[0], (0, 0, 0, 1, 4, 5, 6), strict=True):
        wrong = (i < 80) & (i % 20 < n_people)
        kept.keep(np.where(i < 80, wrong, True).astype(float), JPEG, amount)
    told = stress.errors(kept, run, ["test"], 0.5)
    [jpeg] = told.of_kinds
    one = jpeg.at(40).changes["bpcer"]
    assert one.difference == pytest.approx(1 / 20)
    assert one.low == 0  # not every draw has him
    four = jpeg.at(30).changes["bpcer"]
    assert four.low > 0
    assert four.p == 0.125  # four people, all of whom got worse: a coin four times
    assert [(b.error, b.amount) for b in jpeg.breaks] == [("bpcer", 10)]  # six: 1 in 32
