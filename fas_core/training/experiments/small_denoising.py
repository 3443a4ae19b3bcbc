"""A denoising autoencoder at an eighth of the width, for two CPU cores.

    fas train small_denoising --data subsets.csv --out small_denoising.safetensors

Cost: as small_dcvae, two minutes on two cores.
Expect: heads sharper than small_dcvae's, as no prior is on the code; single odd pixels mended, larger oddities (bezels)
only as far as live faces have none. Vincent et al., Extracting and composing robust features with denoising
autoencoders (2008), where a quarter is among the shares of pixels that are taken away.
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(
    SMALL,
    name="small_denoising",
    model="denoising",
    config={"width": 0.125, "latent_dim": 64, "corruption": 0.25},
)
