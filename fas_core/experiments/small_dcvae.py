"""DCVAE at an eighth of the width, for two CPU cores: the demo's first model.

fas train small_dcvae --data manifest.csv --out small_dcvae.safetensors

Cost: 200 steps of 24 images, well under a minute on two cores. For sharper faces: --set width=0.25 --set epochs=20.
Expect: smooth, recognisable heads; glasses and hands mostly gone; prints on a light background reconstructed worst,
as in the thesis' figure 4.12.
"""

from fas_core.experiments.base import Experiment

EXPERIMENT = Experiment(
    name="small_dcvae",
    model="dcvae",
    batches_per_epoch=40,
    epochs=5,
    batch_size=24,
    learning_rate=2e-3,
    beta1=0.9,
    beta2=0.99,
    schedule="constant_then_linear",
    config={"width": 0.125, "latent_dim": 64, "w_rec": 1.0, "w_kl": 1.0},
)
