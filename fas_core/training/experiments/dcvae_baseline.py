"""DCVAE, baseline training: every image, standard scaling only (thesis tables 4.1 and 4.2).

    fas train dcvae_baseline --data manifest.csv --out dcvae_baseline.safetensors

Cost: 150,000 steps of 64 images at full width, several GPU days of 2022; days per epoch on two CPU cores.
Expect (thesis, figures 4.1 and 4.2): losses that overlap between live and spoof; precision-recall slightly above
chance for the reconstruction loss, and for the KL loss at high thresholds only.
"""

from fas_core.training.experiments.base import Experiment

EXPERIMENT = Experiment(
    name="dcvae_baseline",
    model="dcvae",
    batches_per_epoch=10_000,
    epochs=15,
    batch_size=64,
    learning_rate=1e-4,
    beta1=0.9,
    beta2=0.99,
    config={"width": 1.0, "latent_dim": 512, "w_rec": 1.0, "w_kl": 1.0},
)
