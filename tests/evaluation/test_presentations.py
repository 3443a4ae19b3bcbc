from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.errors import BadInputError
from fas_core.evaluation import presentations, run_metrics
from fas_core.evaluation.join import System, joined
from fas_core.metrics.uncertainty import unit_of
from fas_core.runs import scorefile, store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples, write_image_run


@pytest.fixture
def videos(tmp_path: Path) -> store.Run:
    """Two live videos and one attack of two subjects, three frames each; v0 is a name that both subjects use."""
    rows = [
        ("s0", "v0", "bona_fide", "", [1.0, 2.0, 9.0]),
        ("s1", "v0", "bona_fide", "", [np.nan, 5.0, np.nan]),
        ("s1", "v0", "attack", "mask", [np.nan, np.nan, np.nan]),
        ("s1", "v1", "attack", "mask", [-np.inf, np.inf, 3.0]),
    ]
    table = pd.DataFrame(
        [
            {"subject_id": s, "video_id": v, "label": label, "pai_species": species, "score": value}
            for s, v, label, species, values in rows
            for value in values
        ]
    )
    table = table.assign(subset="test", sample_id=[str(i) for i in range(len(table))], session_id="")
    # Frames of a video need not stand beside each other.
    return scores_only_run(tmp_path, "v", table.iloc[[0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]], ["score"], "v.csv")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("video mean", [4, 5, np.nan, np.inf]),
        ("video median", [2, 5, np.nan, 3]),
        ("video max", [9, 5, np.nan, np.inf]),
    ],
)
def test_the_frames_of_a_video_make_one_score(videos: store.Run, level: str, expected: list[float]) -> None:
    decided = presentations.presentations(videos, scores.values(videos, "score"), level)
    np.testing.assert_array_equal(decided.values, expected)
    assert decided.rows["subject_id"].tolist() == ["s0", "s1", "s1", "s1"]
    assert decided.rows["sample_id"].tolist() == ["0", "3", "6", "9"]
    assert decided.of_frame.tolist() == [0, 1, 2, 3] * 3
    score_set = decided.score_set()
    assert (score_set.n_bona_fide, score_set.n_attack, dict(score_set.n_non_response)) == (
        2,
        1,
        {"bona_fide": 0, "attack": 1},
    )
    closed = presentations.presentations(videos, scores.values(videos, "score"), level, fail_closed=True)
    assert closed.values[2] == np.inf
    assert closed.score_set().n_attack == 2


def test_a_frame_is_a_presentation_and_failures_count(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    decided = presentations.presentations(run, scores.values(run, "rec"))
    np.testing.assert_array_equal(decided.values, run.samples(["rec"])["rec"])
    np.testing.assert_array_equal(decided.of_frame, np.arange(len(run)))
    assert decided.score_set(["live"]).n_bona_fide == 4


def test_other_ids_are_read_where_some_frame_names_no_subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = tiny_samples().assign(video_id=lambda rows: rows["sample_id"].str[:-1])
    run = write_image_run(tmp_path, "a", samples)

    def unit() -> str:
        frames = presentations.grouping(run)
        return frames.units(np.ones(len(frames.rows), np.bool_)).name

    assert unit() == "subject"
    assert list(presentations.grouping(run).rows) == ["subset", "label", "pai_species", "subject_id"]
    failed = pd.DataFrame(
        [{"sample_id": "x", "subset": "live", "label": "bona_fide", "video_id": "v", "subject_id": ""}]
    )
    monkeypatch.setattr(store.Run, "failures", lambda _: failed)
    assert unit() == "video"
    monkeypatch.setattr(store.Run, "failures", lambda _: failed.drop(columns=["subject_id", "video_id"]))
    assert unit() == "sample"
    monkeypatch.undo()
    run = write_image_run(tmp_path, "b", samples.assign(subject_id=["", *samples["subject_id"][1:]]))
    assert unit() == "video"


def test_scores_of_videos_are_called_videos(videos: store.Run, tiny_cache: Path, tmp_path: Path) -> None:
    assert presentations.decided_on(videos, "frame") == "samples"  # several frames of a video
    assert presentations.decided_on(videos, "video mean") == "videos"
    assert presentations.decided_on(store.open_run(tiny_cache, "a"), "frame") == "images"
    table = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "label": ["bona_fide", "attack", "attack"],
            "pai_species": ["", "print", "print"],
            "subset": "test",
            "session_id": ["s1", "s1", "s2"],
            "video_id": ["v1", "v2", "v1"],  # a video's id counts in its session
            "score": [0.0, 1.0, 2.0],
        }
    )
    one_each = scores_only_run(tmp_path, "each", table, ["score"], "")
    assert presentations.decided_on(one_each, "frame") == "videos"
    unnamed = scores_only_run(tmp_path, "unnamed", table.assign(video_id=["v1", "", "v3"]), ["score"], "")
    assert presentations.decided_on(unnamed, "frame") == "samples"


def test_levels_need_a_name_for_every_sample(videos: store.Run, tiny_cache: Path) -> None:
    assert presentations.levels(videos) == ["frame", "video mean", "video median", "video max"]
    of_images = store.open_run(tiny_cache, "a")
    assert presentations.levels(of_images) == ["frame", "session mean", "session median", "session max"]
    with pytest.raises(BadInputError, match="no decision level 'weekly'"):
        presentations.presentations(videos, scores.values(videos, "score"), "weekly")
    with pytest.raises(BadInputError, match="per session: column 'session_id' is empty"):
        presentations.presentations(videos, scores.values(videos, "score"), "session mean")


def test_the_level_carries_through_evaluation_and_comparison(videos: store.Run, tmp_path: Path) -> None:
    document = run_metrics.evaluated(videos, level="video median").as_json()
    cell = document["scores"]["score"]["test"]
    assert (document["level"], cell["n_bona_fide"], cell["n_attack"]) == ("video median", 2, 1)
    assert cell["roc_auc"] == 0.5  # 3 against 2 and 5
    assert run_metrics.evaluated(videos).as_json()["scores"]["score"]["test"]["n_bona_fide"] == 4
    again = scores_only_run(tmp_path, "again", videos.samples(), ["score"], "")
    pair = joined([System(videos, "score"), System(again, "score")], "video max")
    assert pair.samples["sample_id"].tolist() == ["0", "9", "4"]  # the video without any score is left out
    np.testing.assert_array_equal(pair.scores[0], [9, np.inf, 5])


def test_a_video_is_counted_in_its_session(tmp_path: Path) -> None:
    samples = pd.DataFrame(
        {
            "sample_id": [str(i) for i in range(8)],
            "subset": "test",
            "label": ["bona_fide", "attack"] * 4,
            "pai_species": ["", "print"] * 4,
            "session_id": list("xxxxyyyy"),
            "video_id": list("12121212"),
            "score": [0.0, 1, 2, 3, 10, 11, 12, 13],
        }
    )
    run = scores_only_run(tmp_path, "v", samples, ["score"], "v.csv")
    decided = presentations.presentations(run, scores.values(run, "score"), "video mean")
    assert decided.values.tolist() == [1, 2, 11, 12]
    units = decided.of.units(np.ones(4, np.bool_))
    assert (units.name, len(set(units.groups))) == ("video", 4)
    of_frames = unit_of(samples)
    assert (of_frames.name, len(set(of_frames.groups))) == ("video", 4)
    named_once = samples.assign(video_id=list("12123434"))
    assert unit_of(named_once).groups.tolist() == list("12123434")


@pytest.mark.parametrize("name", ["oulu", "oulu_ns"])
def test_case_of_videos(shared: Path, tmp_path: Path, name: str) -> None:
    path = shared / "cases" / "04-video-ids-of-sessions-are-merged" / f"{name}.csv"
    table = scorefile.read_joined({"score": [scorefile.Part(path)]})
    assert any("lie in several sessions" in note for note in table.notes)
    run = scores_only_run(tmp_path, name, table.rows, table.scores, path.name)
    cell = run_metrics.evaluated(run, level="video mean").as_json()["scores"]["score"]["all"]
    if name == "oulu":
        assert (cell["n_bona_fide"], cell["n_attack"], round(cell["eer"]["value"], 3)) == (12, 12, 0.333)


def test_frames_of_one_video_stand_in_their_order() -> None:
    rows = pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "subset": ["live", "live", "live", "live", "train", "live"],
            "label": "bona_fide",
            "pai_species": "",
            "session_id": ["1", "1", "1", "2", "1", "1"],
            "video_id": ["v", "v", "v", "v", "v", ""],
            "frame": [20.0, 3.0, 100.0, 1.0, 2.0, 5.0],
        }
    )
    assert presentations.same_video(rows, 0).tolist() == [1, 0, 2]  # a video's id counts in its session and subset
    assert presentations.same_video(rows.drop(columns="frame"), 2).tolist() == [0, 1, 2]
    assert presentations.same_video(rows, 3).tolist() == [3]
    texts = rows.columns.drop("frame")
    assert presentations.same_video(rows.astype(dict.fromkeys(texts, "category")), 0).tolist() == [1, 0, 2]
    for nameless in (rows, rows.drop(columns="video_id")):
        assert len(presentations.same_video(nameless, 5)) == 0
