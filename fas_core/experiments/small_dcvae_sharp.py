"""The small DCVAE with a tenth of the weight on the KL loss, trained longer: sharper, less regular codes.

fas train small_dcvae_sharp --data manifest.csv --out small_dcvae_sharp.safetensors

Cost: 1,440 steps of 6 images, a minute or two on two cores.
Expect: the trade of section 3.6.4: better reconstructions of everything, attacks included, so that the reconstruction
loss separates less or more by species; compare it with small_dcvae.
"""

from dataclasses import replace

from fas_core.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(SMALL, name="small_dcvae_sharp", epochs=9, config=SMALL.config | {"w_kl": 0.1})
