import pytest

from fas_core import experiments, models
from fas_core.errors import BadInputError

KEYS = {
    "name", "model", "batches_per_epoch", "epochs", "batch_size", "w_rec", "learning_rate", "schedule", "beta1",
    "beta2", "filtered", "augmentations",
}  # fmt: skip


@pytest.mark.parametrize("name", experiments.names())
def test_every_preset_is_complete_and_explains_itself(name: str) -> None:
    preset = experiments.preset(name)
    assert preset.name == name
    assert set(preset.as_json()) >= KEYS
    models.built(preset.model, preset.config)
    text = __import__(f"fas_core.experiments.{name}", fromlist=["x"]).__doc__ or ""
    assert f"fas train {name} " in text
    assert "Cost:" in text
    assert "Expect" in text


def test_the_baseline_has_the_values_of_table_4_2() -> None:
    entry = experiments.preset("dcvae_baseline").as_json()
    expected = {
        "batches_per_epoch": 10_000, "epochs": 15, "batch_size": 64, "w_kl": 1.0, "w_rec": 1.0, "learning_rate": 1e-4,
        "beta1": 0.9, "beta2": 0.99, "schedule": "constant", "augmentations": ["standard_scaling"], "filtered": False,
    }  # fmt: skip
    assert {key: entry[key] for key in expected} == expected


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
        ("filtered=true", "cannot be trained with yet"),
        ("schedule=cosine", "choose constant or constant_then_linear"),
    ],
)
def test_bad_settings_are_named(setting: str, expected: str) -> None:
    with pytest.raises(BadInputError, match=expected):
        experiments.preset("small_dcvae").with_settings([setting])
    with pytest.raises(BadInputError, match="Experiments: dcvae_baseline"):
        experiments.preset("nothing")
