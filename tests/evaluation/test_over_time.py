from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import metrics, scores
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations
from fas_core.evaluation.levels import Span, span
from fas_core.evaluation.over_time import OverTime, over_time
from fas_core.metrics import uncertainty
from fas_core.metrics.operating_point import DEFAULT, rule
from fas_core.metrics.uncertainty import Units
from fas_core.runs.store import Run
from tests.video_runs import video_samples, write_video_run


def _told(run: Run, level: str = "video mean", by: str = "bpcer<=0.05", times: tuple[str, ...] = ()) -> OverTime:
    frames = presentations.grouping(run, level, in_order=True)
    at = [span(text) for text in times]
    return over_time(frames, scores.values(run, "score"), rule(by), ["dev"], ["test"], times=at)


VIDEO = ["subset", "subject_id", "video_id", "label", "pai_species"]


def _by_then(samples: pd.DataFrame, seconds: float, of: Callable[[pd.Series], float]) -> pd.DataFrame:
    """One row per video: the score of its frames up to then, in pandas alone."""
    since = samples["time"] - samples.groupby(VIDEO)["time"].transform("min")
    seen = samples[since <= seconds]
    videos = seen.sort_values("time").groupby(VIDEO)["score"].agg(of).rename("score").reset_index()
    length = since.groupby([samples[name] for name in VIDEO]).max().rename("length").reset_index()
    return videos.merge(length, on=VIDEO)


@pytest.mark.parametrize(
    ("level", "of"),
    [
        ("video mean", lambda s: s.mean()),
        ("video max", lambda s: s.max()),
        ("video 2 of all", lambda s: s.dropna().sort_values().iloc[-min(2, s.notna().sum()) :].min()),
        ("video mean first 0.6s", None),
    ],
)
def test_rates_are_those_of_the_frames_up_to_then(tmp_path: Path, level: str, of: Callable[..., float] | None) -> None:
    samples = video_samples(16)
    told = _told(write_video_run(tmp_path, samples), level, times=("1s", "0.3s", "0.8s"))
    assert [at.after.value for at in told.times] == [0.3, 0.8, 1]
    for at in told.times:
        end = min(at.after.value, 0.6) if of is None else at.after.value
        videos = _by_then(samples, end, of or (lambda s: s.mean()))
        dev, test = (videos[videos["subset"] == name] for name in ("dev", "test"))
        live = dev[dev["label"] == "bona_fide"]["score"].dropna()
        # The rule holds on dev at that time, and no lower threshold would do.
        assert (live >= at.threshold).mean() <= 0.05 < (live >= np.nextafter(at.threshold, -np.inf) - 1e-9).mean()
        answered = test.dropna(subset=["score"])
        is_wrong = (answered["score"] >= at.threshold) != (answered["label"] == "attack")
        rates = is_wrong.groupby(answered["pai_species"]).mean()
        assert at.bpcer == pytest.approx(rates[""])
        assert at.apcer_max == pytest.approx(rates.drop("").max())
        assert at.apcer_worst == rates.drop("").idxmax()
        attacks = answered["label"] == "attack"
        assert at.apcer_pooled == pytest.approx(is_wrong[attacks].mean())
        by_subject = Units("subject", answered["subject_id"][attacks].to_numpy())
        assert at.apcer_pooled_interval == uncertainty.rate_interval(is_wrong[attacks].to_numpy(), by_subject)
        of_live = Units("subject", answered["subject_id"][~attacks].to_numpy())
        assert at.bpcer_interval == uncertainty.rate_interval(is_wrong[~attacks].to_numpy(), of_live)
        assert at.n_ended == (test["length"] < at.after.value).sum() > 0
        assert (at.n_bona_fide, at.n_attack, at.n_non_response) == (
            (~attacks).sum(),
            attacks.sum(),
            test["score"].isna().sum(),
        )


def test_the_whole_of_the_videos_comes_last_and_says_what_the_level_does(tmp_path: Path) -> None:
    run = write_video_run(tmp_path, video_samples(12, frames=10))
    told = _told(run, "video ema 0.5s")
    assert told.times[0].after == Span(0.0, True)
    decided = presentations.presentations(run, scores.values(run, "score"), "video ema 0.5s")
    assert told.times[-1].threshold == decided.threshold_by(DEFAULT, ["dev"])
    assert told.times[-1].bpcer == metrics.rates_at(decided.score_set(["test"]), told.times[-1].threshold).bpcer
    values = [at.after.value for at in told.times]
    assert values == sorted(set(values))
    assert len(values) <= 12
    words = told.sentence()
    assert words.startswith("At the first frame BPCER ")
    assert f"after {values[-1]:.3g} s BPCER" in words
    assert "chosen" not in words
    late = [at for at in told.times if 10 * at.n_ended > told.n]
    assert 0 < len(late) < len(told.times)
    assert words.count("have ended") == sum(told.times[i] in late for i in (0, len(told.times) // 2, -1))
    assert words.endswith(f" ({told.times[-1].n_ended} of {told.n} videos have ended).")
    assert f"dev; {late[0].words} {late[0].n_ended} of {told.n} videos have ended" in told.caveat
    early = replace(told, times=(replace(late[0], n_ended=told.n // 10),))
    assert "ended" not in early.sentence() + early.caveat
    # The last frame that counts is the end of it; by hand, the threshold is the same at all times.
    short = _told(run, "video mean first 0.7s", "threshold=0.25")
    grouped = presentations.grouping(run, "video mean first 0.7s", in_order=True)
    assert grouped.frames.seconds is not None
    of_test = grouped.within(["test"])[grouped.of_row] & (grouped.frames.seconds <= 0.7)
    assert short.times[-1].after.value == pytest.approx(grouped.frames.seconds[of_test].max())
    assert {at.threshold for at in short.times} == {0.25}
    assert short.optimistic
    assert short.caveat.startswith("The threshold was set by hand")


def test_without_times_frames_are_counted(tmp_path: Path) -> None:
    samples = video_samples(12).drop(columns="time")
    run = write_video_run(tmp_path, samples)
    told = _told(run, "video 2 of 4")
    assert [at.after for at in told.times] == [Span(n, False) for n in (1, 2, 3, 4)]
    of_test = samples[samples["subset"] == "test"].groupby(VIDEO).size()
    assert [at.n_ended for at in told.times] == [(of_test < n).sum() for n in (1, 2, 3, 4)]
    assert told.sentence().startswith("After 1 frame BPCER")
    with pytest.raises(BadInputError, match="no times, only an order"):
        _told(run, times=("1s",))
    with pytest.raises(BadInputError, match="all times in seconds"):
        _told(run, times=("1s", "3"))
    single = write_video_run(tmp_path, samples.drop_duplicates(["subject_id", "video_id"]), "single")
    with pytest.raises(BadInputError, match="No reported video has a second frame"):
        _told(single)
    bare = write_video_run(tmp_path, samples.drop(columns="frame"), "bare")
    with pytest.raises(BadInputError, match="cannot be judged over time: its frames have no order"):
        _told(bare)
    with pytest.raises(BadInputError, match=r"APCER of mask .* cannot be applied to dev after 1 frame"):
        _told(run, by="apcer[mask]<=0.1")


def test_how_soon_is_the_first_time_from_which_on_no_error_is_far_above_its_end(tmp_path: Path) -> None:
    told = _told(write_video_run(tmp_path), times=("0.2s", "0.4s", "0.6s", "0.8s"))

    def at(*rates: tuple[float, float | None]) -> OverTime:
        times = zip(told.times, rates, strict=True)
        return replace(told, times=tuple(replace(t, bpcer=live, apcer_max=worst) for t, (live, worst) in times))

    later = at((0.3, 0.5), (0.1, 0.25), (0.14, 0.1), (0.1, 0.2))  # near at once in the third, by both errors
    assert later.near_from.after.value == 0.4
    assert later.answer() == "After 0.4 s: from then on neither error is more than 5 points above what it ends at."
    assert later.as_json()["near_from"] == 0.4
    again = at((0.1, 0.2), (0.1, 0.26), (0.1, 0.2), (0.1, 0.2))  # not for good
    assert again.near_from.after.value == 0.6
    assert (
        at((0.1, None), (0.1, 0.2), (0.1, 0.2), (0.1, 0.2)).answer("**{}**".format).startswith("**After 0.2 s**: both")
    )
    only = at((0.3, 0.2), (0.3, 0.2), (0.3, 0.2), (0.1, 0.2)).answer()
    assert only.startswith("Not before the end: only after 0.8 s")
