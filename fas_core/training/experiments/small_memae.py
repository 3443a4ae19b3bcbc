"""A memory-augmented autoencoder at an eighth of the width, for two CPU cores.

    fas train small_memae --data subsets.csv --out small_memae.safetensors

Cost: as small_dcvae, two minutes on two cores.
Expect: attacks painted with what live faces are made of, so that they differ from what was given; of a memory with too
many slots everything, attacks too. Gong et al., Memorizing normality to detect anomaly (2019). Its code has sixteen
numbers at each of 64 places, more than a VAE's: it is the memory, not the size of the code, that lets little pass.
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(
    SMALL,
    name="small_memae",
    model="memae",
    config={"width": 0.125, "latent_dim": 1024, "slots": 100, "shrink": 1.0, "w_entropy": 2e-4},
)
