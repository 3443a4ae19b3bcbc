from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fas_core import metrics, scores
from fas_core.deciding import applied, card
from fas_core.errors import BadInputError
from fas_core.evaluation import levels, presentations, run_metrics
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System, joined
from fas_core.metrics.operating_point import DEFAULT
from fas_core.runs import store
from tests.video_runs import video_samples, write_video_run

Of = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def _kept(values: NDArray[np.float64], times: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    inside = values[times - times[0] < seconds - 1e-9]
    return inside[~np.isnan(inside)]


def _ema(values: NDArray[np.float64], places: NDArray[np.float64], half_life: float) -> float:
    """As a filter that runs over the frames."""
    total = weight = 0.0
    before = None
    for value, place in zip(values, places, strict=True):
        if np.isnan(value):
            continue
        decay = 1.0 if before is None else 0.5 ** ((place - before) / half_life)
        total, weight, before = decay * total + value, decay * weight + 1, place
    return total / weight


# What each level makes of one video's frames in their order, scores and times, in a few lines of NumPy.
BY_HAND: dict[str, Of] = {
    "video 2 of 4": lambda v, t: sorted(v[:4][~np.isnan(v[:4])])[-min(2, int((~np.isnan(v[:4])).sum()))],
    "video 3 of all": lambda v, t: sorted(v[~np.isnan(v)])[-min(3, int((~np.isnan(v)).sum()))],
    "video 1 of 0.6s": lambda v, t: _kept(v, t, 0.6).max(),
    "video ema 0.5s": lambda v, t: _ema(v, t, 0.5),
    "video ema 2 first 4": lambda v, t: _ema(v[:4], np.arange(len(v[:4])), 2),
    "video mean first 3": lambda v, t: float(np.nanmean(v[:3])),
    "video median first 0.8s": lambda v, t: float(np.median(_kept(v, t, 0.8))),
    "video max first 1s": lambda v, t: _kept(v, t, 1.0).max(),
}


def _by_hand(samples: pd.DataFrame, of: Of) -> dict[tuple[str, str], float]:
    ordered = samples.sort_values("time")
    return {
        (str(subject), str(video)): of(rows["score"].to_numpy(), rows["time"].to_numpy())
        for (subject, video), rows in ordered.groupby(["subject_id", "video_id"])
    }


@pytest.mark.parametrize("level", BY_HAND)
def test_rules_are_what_they_are_by_hand(tmp_path: Path, level: str) -> None:
    samples = video_samples()
    run = write_video_run(tmp_path, samples)
    decided = presentations.presentations(run, scores.values(run, "score"), level)
    expected = _by_hand(samples, BY_HAND[level])
    keys = list(zip(decided.rows["subject_id"].astype(str), decided.rows["video_id"].astype(str), strict=True))
    assert len(keys) == len(expected) == 32
    np.testing.assert_allclose(decided.values, [expected[key] for key in keys])
    # Nor does it matter in what order the rows stand, or that times are texts of a score file.
    again = write_video_run(tmp_path, samples.iloc[::-1].assign(time=samples["time"].astype(str)), "again")
    of_again = presentations.presentations(again, scores.values(again, "score"), level)
    other = dict(
        zip(
            zip(*(of_again.rows[c].astype(str) for c in ("subject_id", "video_id")), strict=True),
            of_again.values,
            strict=True,
        )
    )
    np.testing.assert_allclose([other[key] for key in keys], decided.values)


def test_k_of_n_is_the_rule_that_counts_frames_at_or_above_the_threshold(tmp_path: Path) -> None:
    samples = video_samples(12)
    run = write_video_run(tmp_path, samples)
    decided = presentations.presentations(run, scores.values(run, "score"), "video 2 of 5")
    answered = samples.sort_values("time").groupby(["subject_id", "video_id"]).head(5).dropna(subset=["score"])
    for threshold in (-0.5, 0.0, float(np.nanmedian(decided.values))):  # the last is a score: equal is an attack
        reaching = (
            (answered["score"] >= threshold)
            .groupby([answered["subject_id"], answered["video_id"]])
            .agg(["sum", "size"])
        )
        is_attack = reaching["sum"] >= np.minimum(2, reaching["size"])
        called = metrics.is_attack(decided.values, threshold)
        keys = zip(decided.rows["subject_id"], decided.rows["video_id"], strict=True)
        assert called.tolist() == [bool(is_attack[key]) for key in keys]


def test_infinite_scores_and_missing_ones() -> None:
    def ema(values: list[float]) -> float:
        frames = levels.in_given_order(len(values), levels.level("video ema 1"))
        return float(frames.summed_up(np.array(values))[0])

    assert ema([0, np.nan, 3]) == pytest.approx((0 * 0.25 + 3) / 1.25)  # a missing frame takes its time
    assert ema([np.inf, -np.inf, 1]) == np.inf
    assert ema([-np.inf, *[1.0] * 3]) == -np.inf
    assert ema([5.0, *[np.nan] * 5000]) == 5  # weights are those at the last frame with a score
    assert np.isnan(ema([np.nan, np.nan]))
    of = levels.in_given_order(3, levels.level("video 2 of 2"))
    assert of.summed_up(np.array([np.nan, 1.0, 9.0]))[0] == 1  # the first two frames, not the first two scores
    assert of.is_short(np.array([np.nan, 1.0, 9.0])).tolist() == [True]


def test_short_videos_are_counted(tmp_path: Path, fas: Callable[..., tuple[int, str, str]]) -> None:
    samples = video_samples().assign(score=lambda rows: rows["score"].fillna(0.5))
    run = write_video_run(tmp_path / "cache", samples)
    sizes = samples.groupby(["subset", "subject_id", "video_id"])["time"].agg(["size", "min", "max"])
    step = samples.sort_values("time").groupby(["subset", "subject_id", "video_id"])["time"]
    step = step.apply(lambda times: np.median(np.diff(times)) if len(times) > 1 else 0.0)
    length = sizes["max"] - sizes["min"] + step

    def short(level: str, subsets: list[str]) -> tuple[object, object]:
        decided = presentations.presentations(run, scores.values(run, "score"), level)
        (caution,) = decided.short_cautions(subsets)
        assert caution.message.startswith(f"{caution.counts['n_short']} of {caution.counts['n']} videos have less")
        return caution.counts["n_short"], caution.counts["n"]

    assert short("video mean first 3", ["dev", "test"]) == ((sizes["size"] < 3).sum(), 32)
    assert short("video 2 of 3", ["test"]) == ((sizes.loc["test", "size"] < 3).sum(), 16)
    assert short("video 3 of all", ["test"]) == ((sizes.loc["test", "size"] < 3).sum(), 16)
    assert short("video max first 1.25s", ["test"]) == ((length["test"] < 1.25).sum(), 16)
    whole = presentations.presentations(run, scores.values(run, "score"), "video ema 0.5s")
    assert whole.short_cautions(["dev", "test"]) == []
    # Everywhere that a level is: evaluation, cards, comparisons.
    frozen = card.card(run, "score", DEFAULT, ["dev"], ["test"], level="video mean first 3")
    other = write_video_run(tmp_path / "cache", samples.assign(score=samples["score"] + 1), "other")
    pair = compared(System(run, "score"), System(other, "score"), level="video mean first 3", chosen_on=["dev"])
    assert pair.counts_words.startswith(f"{pair.n_common} videos compared")
    assert " live videos" in pair.in_words[0]
    assert pair.worse is not None
    assert "too few videos or subjects" in pair.worse.sentence()
    of_units = replace(pair.worse, too_few=tuple(replace(cell, n_units=9) for cell in pair.worse.too_few))
    assert of_units.too_few_words.endswith("of fewer than 30 videos.")
    said = (*pair.in_words, pair.headline, pair.worse.counts_words, pair.worse.better_words(), pair.matching.problem)
    assert not any("sample" in sentence for sentence in said)
    for warnings in (
        run_metrics.evaluated(run, level="video mean first 3").warnings,
        frozen.warnings or (),
        [caution for _, caution in pair.cautions],
    ):
        assert [caution.counts["n_short"] for caution in warnings if caution.kind == "short_presentations"]
    assert not card.differences(frozen, run)


def test_comparisons_use_the_same_frames_as_one_run(tmp_path: Path) -> None:
    samples = video_samples()
    run, other = (write_video_run(tmp_path, samples, name) for name in ("one", "two"))
    for level in BY_HAND:
        alone = presentations.presentations(run, scores.values(run, "score"), level)
        pair = joined([System(run, "score"), System(other, "score")], level)
        answered = ~np.isnan(alone.values)
        np.testing.assert_allclose(np.sort(pair.scores[0]), np.sort(alone.values[answered]))


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("weekly", "no decision level 'weekly'.*video 3 of 10"),
        ("video 3/10", "no decision level"),
        ("video", "no decision level"),
        ("frame first 10", "no decision level"),
        ("video 5 of 3", "5 of 3 frames can never"),
        ("video 0 of 3", "0 of 3 frames can never"),
        ("video ema 0s", "above 0"),
        ("video mean first 0", "above 0"),
        ("video mean first 1.50s", "as 'video mean first 1.5s'"),
        ("video mean first 1.5", "no decision level"),
        ("video 03 of 10", "as 'video 3 of 10'"),
        ("video ema ٣", "no decision level"),
    ],
)
def test_a_level_is_written_in_one_way(level: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        levels.level(level)


def test_every_level_is_its_text() -> None:
    for text in ["frame", "video mean", "session max", "session 2 of all", *BY_HAND]:
        assert str(levels.level(text)) == text
    assert "3 of its frames in the first 1 s" in levels.level("video 3 of 1s").words


def test_frames_without_an_order_are_refused(tmp_path: Path) -> None:
    samples = video_samples()
    first = samples.index[0]

    def refused(rows: pd.DataFrame, level: str) -> str:
        name = f"r{refused.n}"  # type: ignore[attr-defined]
        refused.n += 1  # type: ignore[attr-defined]
        run = write_video_run(tmp_path, rows, name)
        with pytest.raises(BadInputError) as error:
            presentations.presentations(run, scores.values(run, "score"), level)
        presentations.presentations(run, scores.values(run, "score"), "video mean")
        return str(error.value)

    refused.n = 0  # type: ignore[attr-defined]
    bare = samples.drop(columns=["time", "frame"])
    assert "no column 'time', and there is no column 'frame'" in refused(bare, "video 3 of 10")
    assert "counts seconds" in refused(samples.drop(columns="time"), "video ema 0.5s")
    one_empty = samples.assign(time=samples["time"].where(samples.index != first))
    assert f"column 'time' is empty in 1 of {len(samples)} rows" in refused(one_empty, "video mean first 1s")
    worded = samples.assign(time=samples["time"].astype(str).where(samples.index != first, "soon"))
    assert "column 'time' holds 'soon'" in refused(worded, "video mean first 1s")
    same = samples.assign(time=0.0, frame=7.0)
    assert "have the same time and frame" in refused(same, "video ema 3")
    # A session of several videos has none, and k of all needs none.
    assert "several videos" in refused(samples, "session ema 3")
    run = write_video_run(tmp_path, samples)
    assert len(presentations.presentations(run, scores.values(run, "score"), "session 2 of all").values) == 24
    # Where times are missing, numbers of frames are the order; where some agree, they decide.
    by_number = write_video_run(tmp_path, one_empty, "by_number")
    tied = write_video_run(tmp_path, samples.assign(time=0.0), "tied")
    expected = presentations.presentations(run, scores.values(run, "score"), "video mean first 2").values
    for other in (by_number, tied):
        values = presentations.presentations(other, scores.values(other, "score"), "video mean first 2").values
        np.testing.assert_allclose(values, expected)


def test_rules_are_offered_where_frames_have_an_order(tmp_path: Path, tiny_cache: Path) -> None:
    plain = ["frame", "video mean", "video median", "video max", "session mean", "session median", "session max"]
    samples = video_samples()
    with_times = write_video_run(tmp_path, samples)
    assert presentations.suggested(with_times) == [*plain, "video 3 of 10", "video ema 0.5s", "video mean first 1s"]
    numbered = write_video_run(tmp_path, samples.drop(columns="time"), "numbered")
    assert presentations.suggested(numbered) == [*plain, "video 3 of 10", "video ema 5", "video mean first 5"]
    single = samples.drop_duplicates(["subject_id", "video_id"])
    assert presentations.suggested(write_video_run(tmp_path, single, "single")) == plain
    assert presentations.suggested(store.open_run(tiny_cache, "a"))[0] == "frame"


def test_a_card_decides_on_new_scores_in_their_order(tmp_path: Path) -> None:
    samples = video_samples()
    run = write_video_run(tmp_path, samples)
    for level in ("video 2 of 4", "video ema 0.5s", "video mean first 0.6s"):
        frozen = card.card(run, "score", DEFAULT, ["dev"], ["test"], level=level)
        samples.to_csv(tmp_path / "new.csv", index=False)
        outcomes = applied.of_scores(frozen, applied.read(tmp_path / "new.csv", frozen), "new.csv")
        decided = presentations.presentations(run, scores.values(run, "score"), level)
        np.testing.assert_allclose(np.sort([outcome.score or 0 for outcome in outcomes.of]), np.sort(decided.values))
        assert outcomes.counts.get("short", 0) == int(decided.is_short.sum())
    samples.drop(columns="time").to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(BadInputError, match="bare.csv cannot be judged by 'video mean first 0.6s'.*counts seconds"):
        applied.of_scores(frozen, applied.read(tmp_path / "bare.csv", frozen), "bare.csv")


@pytest.mark.parametrize(
    ("rate", "n", "counted", "is_short"), [(10, 10, 10, False), (10, 9, 9, True), (30, 45, 30, False)]
)
def test_a_first_second_is_as_many_frames_as_there_are_in_a_second(
    rate: int, n: int, counted: int, is_short: bool
) -> None:
    times = np.round(np.arange(n) / rate, 6)
    rows = pd.DataFrame({"sample_id": [str(i) for i in range(n)], "time": times})
    unplaced = levels.Frames(levels.level("video mean first 1s"), np.zeros(n, np.int64), np.zeros(1, np.int64))
    frames = levels.placed(unplaced, rows, "it")
    assert frames.is_counted.sum() == counted
    assert frames.is_short(np.zeros(n)).tolist() == [is_short]


def test_images_on_the_command_line_are_in_their_order() -> None:
    of = levels.level("video mean first 1s")
    with pytest.raises(BadInputError, match="--every"):
        levels.in_given_order(3, of)
    frames = levels.in_given_order(4, of, 0.5)
    assert frames.summed_up(np.array([1.0, 2, 6, 100]))[0] == 1.5  # at 0 and 0.5 s
    assert not frames.is_short(np.zeros(4))[0]
    assert not levels.in_given_order(2, of, 0.5).is_short(np.zeros(2))[0]  # the second one stands for half a second
    assert levels.in_given_order(1, of, 0.5).is_short(np.zeros(1))[0]


def test_how_a_video_decides_frame_by_frame(tmp_path: Path) -> None:
    samples = video_samples()
    run = write_video_run(tmp_path, samples)
    row = int(np.flatnonzero((run.samples()["subject_id"] == "s1") & (run.samples()["video_id"] == "v2"))[3])
    ordered = run.samples().iloc[:][lambda rows: (rows["subject_id"] == "s1") & (rows["video_id"] == "v2")]
    ordered = ordered.sort_values("time")
    for level, of in BY_HAND.items():
        grouped = presentations.grouping(run, level, in_order=True)
        rows, frames = grouped.frames.alone(row)
        assert rows.tolist() == ordered.index.tolist()
        values, times = ordered["score"].to_numpy(), ordered["time"].to_numpy()
        by_hand = [of(values[: i + 1], times[: i + 1]) for i in range(len(rows)) if not np.isnan(values[: i + 1]).all()]
        so_far = frames.so_far(values)
        np.testing.assert_allclose(so_far[~np.isnan(so_far)], by_hand)
        decided = presentations.presentations(run, scores.values(run, "score"), level)
        assert so_far[-1] == decided.values[decided.of_frame[row]]


def at_mean(values: np.ndarray, threshold: float) -> int:
    frames = levels.in_given_order(len(values), levels.level("video mean"))
    return frames.settled_at(values, frames.so_far(values), threshold)


def test_a_decision_is_settled_when_it_stays_as_it_is() -> None:
    values = np.array([0.0, np.nan, 2.0, 1.0, 3.0, 3.0])

    def at(level: str, threshold: float) -> int:
        frames = levels.in_given_order(6, levels.level(level), 0.5)
        return frames.settled_at(values, frames.so_far(values), threshold)

    assert at("video 2 of 5", 1.0) == 3  # the second that reaches it; equal is enough
    assert at("video 2 of 5", 2.5) == 0  # never: it is bona fide from the first on
    assert at("video 2 of 5", 0.0) == 2  # one that reaches it is not two
    assert at("video 1 of all", 3.0) == 4
    assert at("video max first 2", 1.0) == 0
    assert at("video max", 2.0) == 2
    assert at("video mean", -9.0) == 0
    assert at("video mean", 1.1) == 4  # 0, 0, 1, 1, 1.5, 1.8
    assert at("video mean first 1s", 1.0) == 0
    assert at("video mean first 1.5s", 1.0) == 2
    assert at("video ema 0.3s", 9.0) == 0
    assert at_mean(np.array([np.nan, np.nan, 5.0, 1.0]), 9.0) == 2  # without a score there is no decision
    assert at_mean(np.full(2, np.nan), 9.0) == 0
