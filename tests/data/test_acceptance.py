"""What speaks against a data set, on tables of which it is known."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from fas_core.data import acceptance
from fas_core.data.acceptance import Leak, OfVideos, Verdict
from fas_core.data.manifest import Manifest
from fas_core.data.trail import Funnel, Stage, Step

NOTHING = Funnel((), None, 0, is_whole=True)


def contents(*parts: tuple[str, str, str, list[str]], **columns: list[object]) -> pd.DataFrame:
    """A row for each person of (subset, label, species, people)."""
    rows = [(subset, label, species, who) for subset, label, species, people in parts for who in people]
    table = pd.DataFrame(rows, columns=["subset", "label", "pai_species", "subject_id"])
    ids = [str(i) for i in range(len(table))]
    table = table.assign(sample_id=ids, path=ids, session_id="", **({"video_id": ""} | columns))
    return acceptance.contents(Manifest(table, Path("m.csv")))


def people(first: int, n: int) -> list[str]:
    return [f"s{i}" for i in range(first, first + n)]


GOOD = (
    ("train", "bona_fide", "", people(0, 30)),
    ("dev", "bona_fide", "", people(30, 10)),
    ("test", "bona_fide", "", people(40, 40)),
    ("test", "attack", "mask", people(40, 40)),
)


def stage(name: str, n_in: int, kept: int, out: int, left: Mapping[str, int], **about: object) -> Stage:
    units = {"frames": ("videos", "frames"), "faces": ("pictures", "faces"), "scan": ("files", "videos")}
    step = Step(name, *units.get(name, ("images", "images")), n_in, kept, out, left, {}, about.pop("groups", {}))  # type: ignore[arg-type]
    return Stage(step, Path("m.csv"), (), ())


def test_a_good_set_is_accepted() -> None:
    way = Funnel((stage("scan", 120, 120, 120, {}),), None, 120, is_whole=True)
    assert acceptance.verdict(contents(*GOOD), way, 0) == Verdict((), ())
    assert acceptance.verdict(contents(*GOOD), way, 0).words == "Accept"


def test_who_is_on_both_sides_is_told_but_not_where_it_is_on_purpose() -> None:
    rows = contents(
        ("train", "bona_fide", "", ["a", "b", "c"]),
        ("dev", "bona_fide", "", ["d", "e"]),
        ("test", "bona_fide", "", ["a", "b", "d", ""]),
        ("seen_mask", "attack", "mask", ["a", "b"]),
        ("live", "bona_fide", "", ["f"]),
        ("unseen_mask", "attack", "mask", ["f"]),
    )
    assert acceptance.leaks(rows) == [
        Leak("people", "train", "test", ("a", "b")),
        Leak("people", "dev", "test", ("d",)),
    ]
    said = acceptance.verdict(rows, NOTHING, 0).against
    assert said[0] == "2 people are in train and test: not fit for judging."
    assert said[1].startswith("1 person is in dev and test: thresholds")


def test_a_recording_in_two_subsets_is_a_leak_also_of_seen_sets() -> None:
    rows = contents(("train", "bona_fide", "", ["a", "a"]), ("seen_mask", "bona_fide", "", ["a", "a"]))
    rows["video_id"] = pd.Categorical(["v", "w", "v", ""])
    assert acceptance.leaks(rows) == [Leak("recordings", "train", "seen_mask", ("v",))]


def test_what_is_missing_is_told() -> None:
    assert "no subsets" in acceptance.verdict(contents(("all", "attack", "", ["a"])), NOTHING, 0).against[0]
    rows = contents(("train", "attack", "", ["a"]), ("test", "bona_fide", "", [""]))
    against = " ".join(acceptance.verdict(rows, NOTHING, 0).against)
    for words in ("nothing to learn from", "APCER cannot be judged", "1 of 2 images name no person"):
        assert words in against
    cautions = " ".join(acceptance.verdict(rows, NOTHING, None).cautions)
    for words in ("no subset for choosing thresholds", "1 attacks are of no named species", "not been compared"):
        assert words in cautions
    assert "5 test images" in acceptance.verdict(contents(*GOOD), NOTHING, 5).against[0]


def test_groups_that_lose_unequally_are_told_unless_it_is_on_purpose() -> None:
    groups = {"bona fide": (474, 26), "paper": (160, 75), "rare": (5, 5)}
    cut = stage("faces", 639, 533, 533, {"no face": 106}, groups=groups)
    assert acceptance.unequal(cut) == (("paper", 160, 75), ("bona fide", 474, 26))
    assert acceptance.unequal(stage("filter", 639, 533, 533, {}, groups=groups)) is None
    equal = {"bona fide": (474, 26), "paper": (160, 16)}
    assert acceptance.unequal(stage("faces", 634, 592, 592, {}, groups=equal)) is None
    said = acceptance.verdict(contents(*GOOD), Funnel((cut,), None, 120, is_whole=True), 0).against
    assert said == ("47 % of paper left at faces, but 5 % of bona fide: what is judged is no fair sample of it.",)


def test_a_measure_that_tells_attacks_apart_is_told() -> None:
    rng = np.random.default_rng(0)
    size = [*rng.normal(100, 10, 80), *rng.normal(160, 10, 40)]
    yaw = [*([0.0] * 80), *([-20.0, 20.0] * 20)]  # to either side
    rows = contents(*GOOD, face_size=size, pose_y=yaw, face_exposure=rng.uniform(size=120).tolist())
    assert [name for name, _ in acceptance.shortcuts(rows)] == ["pose_y", "face_size"]
    assert dict(acceptance.shortcuts(rows))["pose_y"] == 1.0
    assert acceptance.shortcuts(contents(*GOOD, face_size=[*([100.0] * 120)])) == []


def test_every_image_is_in_the_bar_that_counts_it() -> None:
    rng = np.random.default_rng(1)
    yaw = rng.normal(0, 20, 120)
    yaw[3] = np.nan
    rows = contents(*GOOD, pose_y=yaw.tolist())
    for by in ("subset", "species"):
        kinds = acceptance.groups_by(rows, by)
        of_all = acceptance.histograms(rows, by)
        assert sum(sum(of.counts) for of in of_all) == 119
        for of in of_all:
            bins = of.holds(rows.loc[(kinds == of.group).to_numpy(), "pose_y"].to_numpy(np.float64))
            assert tuple(np.bincount(bins[bins >= 0], minlength=acceptance.BINS)) == of.counts
    assert [of.group for of in acceptance.histograms(rows, "species")] == ["bona fide", "mask"]


def test_the_answer_says_what_came_in_and_why_most_left() -> None:
    stages = (
        stage("scan", 5212, 5200, 5200, {"a sound": 12}),
        stage("frames", 5200, 4980, 49900, {"damaged": 220}),
        stage("faces", 49900, 49212, 49212, {"no face": 600, "cut off": 88}),
    )
    way = Funnel(stages, None, 49212, is_whole=True)
    against = Verdict(("12 people are in train and test: not fit for judging.",), ())
    assert acceptance.answer(way, against, OfVideos(4978, 49212)) == (
        "4,978 of 5,200 videos gave 49,212 faces; most left because: damaged (220 of 5,200 videos at frames); "
        "12 people are in train and test: not fit for judging."
    )
    assert acceptance.answer(Funnel((), None, 7, is_whole=False), Verdict((), ()), OfVideos(0, 0)) == (
        "7 rows, of which nothing is recorded."
    )


def test_a_video_without_a_face_is_not_said_to_have_given_one() -> None:
    rows = contents(("all", "bona_fide", "", ["a", "a", "b", "c"]), video_id=["v1", "v1", "v1", ""])
    assert acceptance.of_videos(rows) == OfVideos(2, 3)  # of two people; a picture beside them
    stages = (
        stage("frames", 2, 1, 3, {"damaged": 1}),
        stage("frames", 2, 2, 2, {}),
        stage("faces", 5, 3, 3, {"no face": 2}),
        stage("merge", 4, 4, 4, {}),
    )
    faces = Funnel(stages[:3], None, 3, is_whole=True)
    assert acceptance.answer(faces, Verdict((), ()), OfVideos(2, 3)).startswith("2 of 4 videos gave 3 faces;")
    alone = Funnel((stages[0],), None, 3, is_whole=True)
    assert acceptance.answer(alone, Verdict((), ()), OfVideos(1, 3)).startswith("1 of 2 videos gave 3 frames;")
    merged = Funnel(stages, None, 4, is_whole=True)
    assert acceptance.answer(merged, Verdict((), ()), OfVideos(2, 3)).startswith("2 of 4 videos gave 3 of 4 images;")
