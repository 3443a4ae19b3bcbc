"""ResVAE on the filtered images with every augmentation of table 3.5 (thesis tables 4.7 and 4.8).

    fas data filter subsets.csv --out filtered.csv
    fas train resvae --data filtered.csv --out resvae.safetensors

Cost: 120,000 steps of 12 images at full width; three times the convolutions of the DCVAE per image.
Expect (thesis, figures 4.9, 4.10, 4.14 and 4.15): losses and latent space much like the DCVAE's, no better at telling
attacks from live; sharper faces, and face-like reconstructions of masks.
The caption of table 4.7 says standardisation only, above a list of all nine augmentations: the list is followed.
"""

from fas_core.training.experiments.base import ALL_AUGMENTATIONS, Experiment

EXPERIMENT = Experiment(
    name="resvae",
    model="resvae",
    batches_per_epoch=3_000,
    epochs=40,
    batch_size=12,
    learning_rate=5e-5,
    beta1=0.5,
    beta2=0.999,
    schedule="constant_then_linear",
    config={"width": 1.0, "latent_dim": 512, "w_rec": 1.0, "w_kl": 1.0},
    filtered=True,
    augmentations=ALL_AUGMENTATIONS,
)
