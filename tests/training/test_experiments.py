from typing import Any

import pytest

from fas_core import models
from fas_core.errors import BadInputError
from fas_core.training import augment, experiments
from fas_core.training.experiments.base import ALL_AUGMENTATIONS

KEYS = {
    "name", "model", "batches_per_epoch", "epochs", "batch_size", "learning_rate", "schedule", "beta1", "beta2",
    "filtered", "augmentations",
}  # fmt: skip


@pytest.mark.parametrize("name", experiments.names())
def test_every_preset_is_complete_and_explains_itself(name: str) -> None:
    preset = experiments.preset(name)
    assert preset.name == name
    assert set(preset.as_json()) >= KEYS | ({"w_rec", "w_kl", "w_enc", "w_adv"} & set(models.settings(preset.model)))
    models.built(preset.model, preset.config)
    text = __import__(f"fas_core.training.experiments.{name}", fromlist=["x"]).__doc__ or ""
    assert f"fas train {name} " in text
    assert "Cost:" in text
    assert "Expect" in text


NINE = list(ALL_AUGMENTATIONS)
PLAIN = ["standard_scaling"]
TABLES: dict[str, dict[str, Any]] = {  # read off tables 4.1 to 4.9, independently of the presets
    "dcvae_baseline": {
        "model": "dcvae", "batches_per_epoch": 10_000, "epochs": 15, "batch_size": 64, "w_kl": 1.0, "w_rec": 1.0,
        "learning_rate": 1e-4, "schedule": "constant", "beta1": 0.9, "beta2": 0.99, "augmentations": PLAIN,
        "filtered": False,
    },
    "dcvae_filtered": {
        "model": "dcvae", "batches_per_epoch": 3_000, "epochs": 20, "batch_size": 64, "w_kl": 1.0, "w_rec": 1.0,
        "learning_rate": 1e-4, "schedule": "constant", "beta1": 0.9, "beta2": 0.99, "augmentations": PLAIN,
        "filtered": True,
    },
    "dcvae_augmented": {
        "model": "dcvae", "batches_per_epoch": 3_000, "epochs": 20, "batch_size": 32, "w_kl": 1.0, "w_rec": 1.0,
        "learning_rate": 1e-4, "schedule": "constant_then_linear", "beta1": 0.5, "beta2": 0.999, "augmentations": NINE,
        "filtered": True,
    },
    "resvae": {
        "model": "resvae", "batches_per_epoch": 3_000, "epochs": 40, "batch_size": 12, "w_kl": 1.0, "w_rec": 1.0,
        "learning_rate": 5e-5, "schedule": "constant_then_linear", "beta1": 0.5, "beta2": 0.999, "augmentations": NINE,
        "filtered": True,
    },
    "ganomaly": {
        "model": "ganomaly", "batches_per_epoch": 1_500, "epochs": 50, "batch_size": 16, "w_enc": 1.0, "w_adv": 1.0,
        "w_rec": 50.0, "learning_rate": 2e-5, "schedule": "constant", "beta1": 0.5, "beta2": 0.99,
        "augmentations": PLAIN, "filtered": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_presets_have_the_values_of_the_thesis(name: str) -> None:
    entry = experiments.preset(name).as_json()
    assert {key: entry[key] for key in TABLES[name]} == TABLES[name]
    assert (entry["width"], entry["latent_dim"]) == (1.0, 512)


def test_every_model_has_a_small_training() -> None:
    assert {experiments.preset(f"small_{name}").model for name in models.built_in()} == set(models.built_in())


def test_augmentations_are_those_that_can_be_done() -> None:
    assert list(augment.FREQUENCIES) == NINE


def test_constant_then_linear() -> None:
    e = experiments.preset("small_dcvae").with_settings(["epochs=2", "batches_per_epoch=50", "learning_rate=1.0"])
    rates = [e.learning_rate_at(step) for step in range(e.steps)]
    assert rates[:50] == [1.0] * 50
    assert rates[75] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.03
    assert rates == sorted(rates, reverse=True)


def test_settings_reach_experiment_and_model() -> None:
    e = experiments.preset("small_dcvae").with_settings(["epochs=3", "width=0.25", "seed=7", "learning_rate=1"])
    assert (e.epochs, e.seed, e.learning_rate, e.config["width"]) == (3, 7, 1.0, 0.25)
    assert experiments.preset("small_dcvae").epochs != 3


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("epochs", "write key=value"),
        ("epochs=many", "expected int"),
        ("epochs=0", "must be positive"),
        ("learning_rate=NaN", "must be positive"),
        ("beta1=2", r"lie in \[0, 1\)"),
        ("seed=-1", "seed must lie in"),
        ("schedule=cosine", "choose constant or constant_then_linear"),
        (
            "bath_size=5",
            "'bath_size'. Did you mean batch_size.*training: aug.*dcvae: image_channels, image_size, .*width",
        ),
        ("widht=0.5", "'widht'. Did you mean width.*training: augmentations, batch_size, .*seed; of model dcvae"),
        ("name=other", "there is no setting 'name'"),
    ],
)
def test_bad_settings_are_named(setting: str, expected: str) -> None:
    with pytest.raises(BadInputError, match=expected):
        experiments.preset("small_dcvae").with_settings([setting])
    with pytest.raises(BadInputError, match="Experiments: dcvae_augmented, dcvae_baseline"):
        experiments.preset("nothing")
