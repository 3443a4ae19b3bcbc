"""DCVAE on the filtered images with every augmentation of table 3.5 (thesis tables 4.5 and 4.6).

    fas data filter subsets.csv --out filtered.csv
    fas train dcvae_augmented --data filtered.csv --out dcvae_augmented.safetensors

Cost: 60,000 steps of 32 images at full width, half of dcvae_filtered.
Expect (thesis, figure 4.7): no better separation than without augmentations, in the losses or in the latent space; a
UMAP of another shape.
The frequencies are the thesis'; it gives no ranges, those are ours and stand in augment.py.
"""

from dataclasses import replace

from fas_core.training.experiments.base import ALL_AUGMENTATIONS
from fas_core.training.experiments.dcvae_filtered import EXPERIMENT as FILTERED

EXPERIMENT = replace(
    FILTERED,
    name="dcvae_augmented",
    batch_size=32,
    schedule="constant_then_linear",
    beta1=0.5,
    beta2=0.999,
    augmentations=ALL_AUGMENTATIONS,
)
