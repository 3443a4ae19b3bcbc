"""DCVAE at an eighth of the width, for two CPU cores.

    fas train small_dcvae --data subsets.csv --out small_dcvae.safetensors

Cost: 2,400 steps of 6 images, two minutes on two cores. Time goes by images, progress by steps: hence small batches.
Expect: smooth, recognisable heads; glasses and hands mostly gone; prints on a light background reconstructed worst,
as in the thesis' figure 4.12. For sharper faces: --set width=0.25 --set epochs=30.
"""

from fas_core.training.experiments.base import Experiment

EXPERIMENT = Experiment(
    name="small_dcvae",
    model="dcvae",
    batches_per_epoch=160,
    epochs=15,
    batch_size=6,
    learning_rate=7e-4,
    beta1=0.9,
    beta2=0.99,
    schedule="constant_then_linear",
    config={"width": 0.125, "latent_dim": 64, "w_rec": 1.0, "w_kl": 1.0},
)
