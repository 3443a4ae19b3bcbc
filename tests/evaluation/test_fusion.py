"""Runs of two modalities: joined by presentation and frame, and fused by ranks among live people of dev."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fas_core import metrics, scores
from fas_core.cli.main import app
from fas_core.errors import BadInputError
from fas_core.evaluation import fusion
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System, common_rows_of, joined
from fas_core.evaluation.sheet import Sheet, comparison
from fas_core.metrics.ranks import ranks_among
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run


def table_of(kind: str, seed: int, *, drop: int = -1) -> pd.DataFrame:
    """30 clips of four frames: file names say the modality, `drop` a clip that is not there."""
    rng = np.random.default_rng(seed)
    rows = []
    for clip in range(30):
        is_attack = clip % 3 == 2
        for frame in range(4):
            if clip == drop:
                continue
            rows.append(
                {
                    "sample_id": f"{kind}/{clip:02d}/{frame:04d}.jpg",
                    "label": "attack" if is_attack else "bona_fide",
                    "pai_species": "mask" if is_attack else "",
                    "subset": "dev" if clip % 2 else "test",
                    "subject_id": f"p{clip}",
                    "video_id": f"{kind}/{clip:02d}",
                    "frame": float(frame + 1),
                    "presentation_id": f"{clip:02d}",
                    "modality": kind,
                    "score": rng.normal(1.2 * is_attack, 1.0) * (50 if kind == "depth" else 1),
                }
            )
    return pd.DataFrame(rows).sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[store.Run, store.Run]:
    tables = [table_of("nir", 1, drop=7), table_of("depth", 2, drop=12)]
    return tuple(scores_only_run(tmp_path, t["modality"][0], t, ["score"], "by hand") for t in tables)  # type: ignore[return-value]


def by_hand(a: store.Run, b: store.Run, how: str = "mean") -> pd.DataFrame:
    """The fused score, told anew in a few lines: plain mid-ranks among live people of dev that both have."""
    both = a.samples().merge(b.samples(), on=["presentation_id", "frame"], suffixes=("", "_b"))
    live = both[(both["subset"] == "dev") & (both["label"] == "bona_fide")]
    ranks = [
        [((live[name] < value).mean() + (live[name] <= value).mean()) / 2 for value in both[name]]
        for name in ("score", "score_b")
    ]
    return both.assign(fused=np.mean(ranks, 0) if how == "mean" else np.max(ranks, 0), n_live=len(live))


def test_runs_of_two_modalities_are_joined_by_presentation_and_frame(pair: tuple[store.Run, store.Run]) -> None:
    a, b = pair
    assert [run.modality for run in pair] == ["nir", "depth"] == [run.info.modality for run in pair]
    both = joined([System(a, "score"), System(b, "score")])
    expected = by_hand(a, b)
    assert len(both) == len(expected) == 28 * 4
    ids = [run.samples(["sample_id"])["sample_id"].to_numpy()[rows] for run, rows in zip(pair, both.rows, strict=True)]
    told = dict(zip(expected["sample_id"], expected["sample_id_b"], strict=True))
    assert dict(zip(*ids, strict=True)) == told
    assert both.n_only == (4, 4)
    assert both.pairing_words.startswith(
        "Joined by presentation, not by file: A nir, B depth. Without a companion: 4 of"
    )
    assert "4 of A (first 'nir/12/" in both.pairing_words
    assert ", 4 of B (first 'depth/07/" in both.pairing_words
    assert both.in_subsets(["dev"]).pairing_words.count("of A") == 0  # clip 12 is in test
    rows = common_rows_of(pair)
    assert [r.tolist() for r in rows] == [r.tolist() for r in both.rows]


def test_instants_that_cannot_be_told_apart_pair_with_nothing(tmp_path: Path) -> None:
    a = table_of("nir", 1)
    a.loc[a["presentation_id"] == "03", "frame"] = 1.0  # four images of one instant
    a.loc[a["presentation_id"] == "04", "presentation_id"] = ""
    b = table_of("depth", 2)
    runs = [scores_only_run(tmp_path, name, t, ["score"], "") for name, t in (("a", a), ("b", b))]
    both = joined([System(run, "score") for run in runs])
    assert (len(both), both.n_only) == (28 * 4, (8, 8))
    # Without frame numbers in one of the Runs, its one image of a presentation would have to stand for all.
    first = b[b["frame"] == 1].drop(columns="frame")
    c = scores_only_run(tmp_path, "c", first, ["score"], "")
    single = scores_only_run(tmp_path, "d", table_of("nir", 1).query("frame == 2"), ["score"], "")
    assert len(joined([System(single, "score"), System(c, "score")])) == 30
    nameless = scores_only_run(tmp_path, "e", b.drop(columns="presentation_id"), ["score"], "")
    with pytest.raises(BadInputError, match=r"^Run e does not name its presentations, .*\(a: nir, e: depth\)"):
        joined([System(runs[0], "score"), System(nameless, "score")])


def test_ranks_are_mid_ranks_and_keep_the_order_beyond_the_calibrating_ones() -> None:
    among = np.array([3.0, 1.0, 1.0, 2.0])
    values = np.array([1.0, 2.0, 3.0, 1.5, 3.5, 7.0, np.inf, 0.0, -np.inf, np.nan])
    at = ranks_among(values, among)
    assert at[:3].tolist() == [0.25, 0.625, 0.875]
    assert at[3] == pytest.approx((0.25 + 0.625) / 2)
    assert at[4:7].tolist() == [1 - 0.125 / 1.25, 1 - 0.125 / 3, 1.0]
    assert at[7:9].tolist() == [0.25 / 1.5, 0.0]
    assert np.isnan(at[9])
    equal = ranks_among(np.array([4.0, 5.0, 6.0]), np.full(9, 5.0))
    assert equal.tolist() == [0.25, 0.5, 0.75]


@pytest.mark.parametrize("how", ["mean", "max"])
def test_the_fused_score_is_that_of_a_few_lines(pair: tuple[store.Run, store.Run], how: str) -> None:
    a, b = pair
    fused = fusion.fused([System(a, "score"), System(b, "score")], how)
    expected = by_hand(a, b, how)
    assert (fused.n_calibrating, fused.chosen_on) == (expected["n_live"].iloc[0], ("dev",))
    told = pd.Series(fused.values, a.samples(["sample_id"])["sample_id"])
    has = told.dropna()
    assert set(told[told.isna()].index) == {
        f"nir/12/{frame + 1:04d}.jpg".replace("0005", "0000") for frame in range(-1, 3)
    }
    # Interpolated between two neighbours in rank, and beyond the last one: by one of n at most.
    assert (has - expected.set_index("sample_id")["fused"]).abs().max() <= 1 / fused.n_calibrating
    assert has.nunique() > expected["fused"].nunique()  # attacks beyond all live people keep their order


def test_attacks_do_not_change_how_scores_are_fused(pair: tuple[store.Run, store.Run], tmp_path: Path) -> None:
    a, b = pair
    before = fusion.fused([System(a, "score"), System(b, "score")]).values
    is_attack = (a.samples()["label"] == "attack").to_numpy()
    moved = a.samples().assign(score=lambda rows: rows["score"] + 9 * (rows["label"] == "attack"))
    other = scores_only_run(tmp_path, "moved", moved, ["score"], "by hand")
    assert other.samples()["sample_id"].tolist() == a.samples()["sample_id"].tolist()
    after = fusion.fused([System(other, "score"), System(b, "score")]).values
    np.testing.assert_array_equal(before[~is_attack], after[~is_attack])
    assert (after[is_attack] > before[is_attack]).any()


def test_the_command_gives_the_first_run_a_score_like_any_other(
    pair: tuple[store.Run, store.Run], tmp_path: Path
) -> None:
    a, b = pair
    call = ["scores", "fuse", "nir:score", "depth:score", "--cache", str(tmp_path)]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert "4 of 116 samples of nir have no companion in depth, first 'nir/12/" in done.stderr
    assert "4 of 116 samples of depth have no companion." in done.stderr
    run = store.opened(a.folder)
    assert "fused" in scores.offered(run)
    values = scores.values(run, "fused")
    np.testing.assert_array_equal(values, fusion.fused([System(a, "score"), System(b, "score")]).values)
    assert run.joined["fused"].source.startswith("mean of ranks among 36 live samples of dev of nir (")
    assert CliRunner().invoke(app, [*call, "--replace", "--how", "max"]).exit_code == 0
    largest = fusion.fused([System(a, "score"), System(b, "score")], "max")
    np.testing.assert_array_equal(scores.values(store.opened(a.folder), "fused"), largest.values)
    for wrong, problem in (
        (call, "Take another name, e.g. fused_2, or put this one in its place: --replace"),
        ([*call, "--name", "other", "--how", "sum"], "--how sum: choose mean or max."),
        ([*call, "--name", "other", "--choose-on", "live"], "has no subset live to calibrate on; it has dev, test"),
        (["scores", "fuse", "nir", *call[3:]], "Choose a score of Run nir with RUN:SCORE: score, fused."),
    ):
        assert problem in str(CliRunner().invoke(app, wrong).exception)


def test_companions_in_two_subsets_are_said(pair: tuple[store.Run, store.Run], tmp_path: Path) -> None:
    table = pair[1].samples()
    table.loc[table["presentation_id"] == "01", "subset"] = "train"
    other = scores_only_run(tmp_path, "other", table, ["score"], "by hand")
    notes = fusion.fused([System(pair[0], "score"), System(other, "score")]).notes
    assert any("4 samples are in another subset in other, e.g. dev here and train there" in note for note in notes)


def test_a_comparison_says_how_it_was_joined_and_what_both_separate_together(
    pair: tuple[store.Run, store.Run],
) -> None:
    systems = [System(run, "score") for run in pair]
    document = compared(*systems, chosen_on=["dev"], resamples=50).as_json()
    assert (document["joined_by"], document["modalities"]) == ("presentation_id", ["nir", "depth"])
    told = by_hand(*pair).query("subset == 'test'")
    fused = fusion.fused(systems)
    values = pd.Series(fused.values, pair[0].samples()["sample_id"])[told["sample_id"]].to_numpy()
    is_attack = (told["label"] == "attack").to_numpy()
    area = metrics.roc_auc(metrics.score_set(values, is_attack, ["m"] * len(values)))
    words = f"Fused (mean of ranks among 36 live samples of dev), the AUC is {area:.3f}; alone A "
    assert words in document["in_words"][1]
    said = Sheet(comparison(systems, chosen_on=["dev"])).companions_words()
    assert said.startswith("Joined by presentation, not by file: A nir, B depth. Without a companion: 4 of A")
    assert words in said
    video = Sheet(comparison(systems, level="video mean", chosen_on=["dev"])).companions_words()
    assert "the AUC is" in video.replace(words, "")
