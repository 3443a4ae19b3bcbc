"""Contracts that every score keeps."""

from pathlib import Path

import numpy as np
import pytest

from fas_core import scores, store
from fas_core.analysis import mixture
from fas_core.errors import BadInputError
from tests.conftest import tiny_samples, write_image_run


@pytest.mark.parametrize("name", scores.names())
def test_one_finite_float64_per_sample(name: str, tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    assert name in scores.offered(run)
    values = scores.values(run, name)
    assert values.shape == (24,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert len(scores.description(name)) > 30


@pytest.mark.parametrize("name", scores.names())
def test_a_sample_keeps_its_value_in_another_order(name: str, tmp_path: Path) -> None:
    """Shards of other sizes, so that nothing may depend on rows or on who stands beside whom."""
    runs = [write_image_run(tmp_path / str(n), "a", tiny_samples(), seed=1, shard_size=n) for n in (3, 100)]
    reference = runs[0]
    by_id = [dict(zip(r.samples()["sample_id"], scores.values(r, name, reference), strict=True)) for r in runs]
    assert by_id[0].keys() == by_id[1].keys()
    for sample, value in by_id[0].items():
        assert value == pytest.approx(by_id[1][sample], rel=1e-9)


def test_loss_scores_are_the_columns(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    for name in ("rec", "kl", "elbo", "pixel_l2"):
        np.testing.assert_array_equal(scores.values(run, name), run.samples([name])[name].to_numpy(np.float64))


def test_gmm_is_fitted_on_live_training_images_only(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    rows = run.rows_of("train")
    expected = mixture.fitted(np.asarray(run.latents()[rows]), 8, "diag")
    np.testing.assert_allclose(scores.values(run, "gmm_nll"), -expected.log_likelihood(run.latents()), rtol=1e-9)


def test_what_a_run_cannot_offer(tmp_path: Path, tiny_cache: Path) -> None:
    samples = tiny_samples()
    untrained = write_image_run(tmp_path / "x", "c", samples[samples["subset"] != "train"].reset_index(drop=True))
    assert "gmm_nll" not in scores.offered(untrained)
    few = samples.drop(samples.index[samples["subset"] == "train"][:1]).reset_index(drop=True)
    assert "gmm_nll" not in scores.offered(write_image_run(tmp_path / "y", "d", few))  # seven images, eight Gaussians
    assert scores.offered(store.open_run(tiny_cache, "vendor")) == ["score"]
    with pytest.raises(BadInputError, match="no score 'gmm_nll'. Scores: elbo, kl, pixel_l2, rec"):
        scores.values(untrained, "gmm_nll")
