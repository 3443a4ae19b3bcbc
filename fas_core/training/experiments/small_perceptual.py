"""small_dcvae with a perceptual loss, on features of a small_dcvae that was trained before.

    fas train small_dcvae --data subsets.csv --out small_dcvae.safetensors
    fas train small_perceptual --data subsets.csv --features small_dcvae.safetensors --out small_perceptual.safetensors

Cost: twice small_dcvae's, four minutes on two cores.
Expect: sharper faces (thesis, section 5.3, whose authors did not get one to work), and one more score, `perceptual`.
Hou et al., Deep feature consistent variational autoencoder (2017), on features of VGG. The weight is ours.
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(
    SMALL,
    name="small_perceptual",
    model="perceptual",
    config={**SMALL.config, "w_perceptual": 0.05, "features_width": SMALL.config["width"]},
)
