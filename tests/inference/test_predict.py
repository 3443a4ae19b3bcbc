import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fas_core import scores
from fas_core.deciding import card
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.inference import predict
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from fas_core.scores import _adjusted
from tests.conftest import tiny_samples


def card_of(run: store.Run, score: str = "pixel_l2", **changed: Any) -> Card:
    return card.card(run, score, op.rule("bpcer<=0.2"), ["live"], ["seen_paper"], **changed)


@pytest.mark.parametrize("score", ["pixel_l2", "ssim", "mahalanobis", "pixel_l2~brightness"])
def test_an_image_of_the_run_gets_its_score_and_verdict_again(
    score: str, trained_run: tuple[store.Run, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_adjusted, "TRAINING_IMAGES", 8)
    run, root = trained_run
    content = card_of(run, score)
    rows = run.rows_of("seen_paper")
    values = scores.values(run, score)[rows]
    paths = [root / path for path in run.samples(["path"])["path"].iloc[rows]]
    entries = predict.verdicts(content, run.cache, paths, "cpu")
    assert [verdict.images for verdict in entries] == [(path,) for path in paths]
    np.testing.assert_allclose([verdict.score for verdict in entries], values, rtol=1e-4)
    assert [verdict.called for verdict in entries] == [
        "attack" if v >= content.threshold else "bona_fide" for v in values
    ]
    assert {verdict.called for verdict in entries} == {"attack", "bona_fide"} or score == "mahalanobis"


def test_what_cannot_be_read_is_an_attack(trained_run: tuple[store.Run, Path], tmp_path: Path) -> None:
    run, root = trained_run
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    good = root / run.samples(["path"])["path"].iloc[0]
    entries = predict.verdicts(card_of(run), run.cache, [tmp_path / "broken.png", good, tmp_path / "none.png"], "cpu")
    assert [verdict.called for verdict in entries][::2] == ["attack", "attack"]
    assert [verdict.score is None for verdict in entries] == [True, False, True]
    assert all(verdict.reason for verdict in entries[::2])
    assert entries[1].as_json()["reason"] is None
    assert entries[0].as_json()["image"] == str(tmp_path / "broken.png")


def test_per_session_all_images_make_one_decision(trained_run: tuple[store.Run, Path], tmp_path: Path) -> None:
    run, root = trained_run
    content = card_of(run, level="session max")
    paths = [root / path for path in run.samples(["path"])["path"].iloc[:3]]
    (tmp_path / "broken.png").write_bytes(b"")
    [entry] = predict.verdicts(content, run.cache, [*paths, tmp_path / "broken.png"], "cpu")
    assert entry.score == pytest.approx(scores.values(run, "pixel_l2")[:3].max(), rel=1e-4)
    assert "broken.png" in entry.reason
    assert entry.as_json()["images"] == [*map(str, paths), str(tmp_path / "broken.png")]
    [nothing] = predict.verdicts(content, run.cache, [tmp_path / "broken.png"], "cpu")
    assert (nothing.called, nothing.score) == ("attack", None)


def test_images_of_a_video_are_decided_on_in_their_order(trained_run: tuple[store.Run, Path]) -> None:
    run, root = trained_run
    paths = [root / path for path in run.samples(["path"])["path"].iloc[:5]]
    values = scores.values(run, "pixel_l2")[:5]
    timed = replace(card_of(run), level="video mean first 0.2s").sealed()
    [entry] = predict.verdicts(timed, run.cache, paths, "cpu", every=0.1)
    assert entry.score == pytest.approx(values[:3].mean(), rel=1e-4)
    assert not entry.is_short
    with pytest.raises(BadInputError, match="counts seconds, and images have none.*--every"):
        predict.verdicts(timed, run.cache, paths, "cpu")
    counted = replace(timed, level="video 2 of 10").sealed()
    [entry] = predict.verdicts(counted, run.cache, paths, "cpu")
    assert entry.score == pytest.approx(np.sort(values)[-2], rel=1e-4)
    assert entry.as_json()["is_short"]


def test_nothing_is_decided_by_a_card_that_does_not_hold(
    trained_run: tuple[store.Run, Path], tmp_path: Path, tiny_checkpoint: Path
) -> None:
    run, root = trained_run
    content = card_of(run)
    image = [root / run.samples(["path"])["path"].iloc[0]]
    with pytest.raises(BadInputError, match="was changed after it was written"):
        predict.verdicts(replace(content, threshold=0.0), run.cache, image)
    with pytest.raises(BadInputError, match="is not in"):
        predict.verdicts(content, tmp_path, image)
    shutil.copytree(run.cache / "runs", tmp_path / "runs")
    shutil.rmtree(store.open_run(tmp_path, run.id).shards[0].folder)
    with pytest.raises(BadInputError, match="has changed since the card was made"):
        predict.verdicts(content, tmp_path, image)
    moved = tiny_checkpoint.rename(tiny_checkpoint.with_name("moved"))
    try:
        with pytest.raises(BadInputError, match="checkpoint of Run tiny is not at"):
            predict.verdicts(content, run.cache, image)
    finally:
        moved.rename(tiny_checkpoint)
    table = tiny_samples()[["sample_id", "label", "pai_species", "subset"]].assign(score=np.arange(24.0))
    vendor = scores_only_run(tmp_path, "v", table, ["score"], "v.csv")
    of_scores = card.card(vendor, "score", op.DEFAULT, ["live"], ["seen_paper"])
    with pytest.raises(BadInputError, match="imported from a score file"):
        predict.verdicts(of_scores, tmp_path, image)
