from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data import manifest
from fas_core.errors import BadInputError
from fas_core.training import checkpoint, experiments, sampling, train
from tests.conftest import TINY_MODEL


def test_batches_hold_sources_by_their_weights_and_images_of_one_alike() -> None:
    rows = pd.DataFrame({"source": ["a"] * 90 + ["b"] * 10})
    cumulative = sampling.chances(rows, sampling.weights_of("a=1, b=3"))
    drawn = np.concatenate([sampling.drawn_at(step, 50, cumulative, seed=0) for step in range(400)])
    counts = np.bincount(drawn, minlength=100)
    assert counts[90:].sum() / len(drawn) == pytest.approx(0.75, abs=0.01)
    assert counts[90:].std() / counts[90:].mean() < 0.05
    assert counts[:90].min() > 0
    np.testing.assert_array_equal(
        sampling.drawn_at(7, 50, cumulative, 0), sampling.drawn_at(7, 50, cumulative, 0)
    )  # of the step alone, so that a training can be resumed


@pytest.mark.parametrize("text", ["a", "a=1,a=2", "a=0", "a=-1", "a=nan", "a=inf", "=1", ""])
def test_what_is_no_weight_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="write SOURCE=WEIGHT for every source once"):
        sampling.weights_of(text)


def test_every_source_needs_its_weight() -> None:
    rows = pd.DataFrame({"source": ["a", "b"]})
    with pytest.raises(BadInputError, match="names a. Sources of the training images: a, b"):
        sampling.chances(rows, {"a": 1.0})
    with pytest.raises(BadInputError, match="none .the manifest has no column source"):
        sampling.chances(rows[[]], {"a": 1.0})


def test_the_checkpoint_says_what_it_was_trained_on(tmp_path: Path, tiny_faces: Path) -> None:
    data = manifest.read(tiny_faces)
    data.rows["source"] = np.where(np.arange(len(data)) % 2, "a", "b")
    experiment = experiments.preset("small_dcvae").with_settings([*TINY_MODEL, "epochs=1"])
    out = tmp_path / "m.safetensors"
    train.train(experiment, data, out, device="cpu", source_weights={"a": 1.0, "b": 2.0})
    header = checkpoint.header_of(out)
    assert header["source_weights"] == {"a": 1.0, "b": 2.0}
    assert sum(header["images"]["sources"].values()) == header["images"]["learned"]
    plain = tmp_path / "plain.safetensors"
    train.train(experiment, data, plain, device="cpu")
    assert "source_weights" not in checkpoint.header_of(plain)
