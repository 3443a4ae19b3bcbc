"""A score less what follows the look of an image: fitted on live training images, level beyond them."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from fas_core import scores
from fas_core.data.measures import OF_PIXELS
from fas_core.errors import BadInputError
from fas_core.evaluation.causes.of_run import LIVE, rows_of
from fas_core.runs import store
from fas_core.scores import _adjusted
from tests.conftest import write_image_run
from tests.evaluation.causes.test_of_run import faces, run_that_follows_brightness


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    return run_that_follows_brightness(tmp_path_factory.mktemp("adjusted"))


def test_a_line_is_taken_off_and_its_middle_stays() -> None:
    x = np.linspace(0, 1, 101)
    curve = _adjusted.fitted(x, 3 + 2 * x)
    np.testing.assert_allclose(_adjusted.on_curve(curve, x), 3 + 2 * x)
    assert curve["middle"] == pytest.approx(4)
    np.testing.assert_allclose(_adjusted.on_curve(curve, np.array([-5.0, 0, 1, 7])), [3, 3, 5, 5])  # level beyond


def test_a_tenth_of_odd_images_does_not_bend_the_curve() -> None:
    rng = np.random.default_rng(0)
    x = rng.random(500)
    y = np.sin(3 * x) + 0.05 * rng.normal(size=500)
    y[x > 0.9] += 5 * (rng.random((x > 0.9).sum()) < 0.3)
    inside = np.linspace(0.1, 0.9, 50)
    assert np.abs(_adjusted.on_curve(_adjusted.fitted(x, y), inside) - np.sin(3 * inside)).max() < 0.06


def test_of_images_that_all_look_alike_nothing_is_taken_off() -> None:
    curve = _adjusted.fitted(np.full(40, 0.5), np.arange(40.0))
    np.testing.assert_allclose(_adjusted.on_curve(curve, np.array([0.1, 0.5])), curve["middle"])
    assert np.isnan(_adjusted.on_curve(curve, np.array([np.nan]))).all()


def test_what_follows_brightness_is_gone_and_the_rest_stays(run: store.Run) -> None:
    assert scores.adjusted(run, "rec") == [f"rec~{look}" for look in OF_PIXELS]
    assert "rec~brightness" not in scores.offered(run)
    assert scores.listed(run, "rec~brightness") == [*scores.offered(run), "rec~brightness"]
    live, bright = rows_of(run, LIVE), run.looks("brightness")
    plain, less = scores.values(run, "rec")[live], scores.values(run, "rec~brightness")[live]
    assert spearmanr(plain, bright[live])[0] < -0.85
    assert abs(spearmanr(less, bright[live])[0]) < 0.3
    glasses = (run.samples(["glasses"])["glasses"] == "yes").to_numpy()[live]
    assert less[glasses].mean() - less[~glasses].mean() == pytest.approx(1, abs=0.2)
    assert np.median(less) == pytest.approx(np.median(plain), abs=0.5)
    assert "rec less what follows the brightness" in scores.description(run, "rec~brightness")


def test_attacks_and_test_images_have_no_part_in_the_fit(run: store.Run, tmp_path: Path) -> None:
    """The same training images with half of the others: the same values."""
    half = np.r_[np.arange(120), np.arange(120, 300, 2)]
    samples = faces().iloc[half].reset_index(drop=True)
    other = write_image_run(tmp_path, "half", samples, shard_size=400)
    for shard in other.shards:
        ids = shard.table("samples", ["sample_id"]).to_pandas()["sample_id"]
        rows = run.samples(["sample_id"]).reset_index().set_index("sample_id").loc[ids, "index"].to_numpy()
        arrays = {name: run.images(name, rows) for name in ("inputs", "reconstructions")}
        table = run.samples().iloc[rows].reset_index(drop=True)
        store.delete(shard.folder)
        store.write_shard(shard.folder, table, latents=np.array(run.latents()[rows]), **arrays)
    other = store.opened(other.folder)
    by_id = dict(zip(run.samples(["sample_id"])["sample_id"], scores.values(run, "rec~brightness"), strict=True))
    values = scores.values(other, "rec~brightness")
    for sample_id, value in zip(other.samples(["sample_id"])["sample_id"], values, strict=True):
        assert value == pytest.approx(by_id[sample_id], rel=1e-9)


def test_where_there_is_nothing_to_fit_it_on_it_is_refused_in_words(tmp_path: Path, tiny_cache: Path) -> None:
    samples = faces()
    untrained = write_image_run(tmp_path, "u", samples[samples["subset"] != "train"].reset_index(drop=True))
    assert scores.adjusted(untrained, "rec") == []
    with pytest.raises(
        BadInputError, match=r"'rec~brightness': what follows the brightness is fitted on 30 live train"
    ):
        scores.values(untrained, "rec~brightness")
    with pytest.raises(BadInputError, match="and a score file has none. Judge it by score, or"):
        scores.values(store.open_run(tiny_cache, "vendor"), "score~brightness")
    with pytest.raises(BadInputError, match="has no score 'nope~brightness'. Scores: elbo"):
        scores.values(untrained, "nope~brightness")
