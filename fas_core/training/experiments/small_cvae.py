"""A conditional VAE at an eighth of the width, for two CPU cores: small_dcvae told columns of the manifest.

    fas train small_cvae --data subsets.csv --condition glasses,pose --out small_cvae.safetensors

Cost: as small_dcvae, two minutes on two cores.
Expect: glasses that stay in the reconstructions of faces that are said to wear some; the thesis holds their loss
against GANomaly's scores, and names this model as worth more research (chapters 4 and 5). Sohn et al., Learning
structured output representation using deep conditional generative models (2015). What a row does not say is not known.
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(SMALL, name="small_cvae", model="cvae", config={**SMALL.config, "condition_dropout": 0.1})
