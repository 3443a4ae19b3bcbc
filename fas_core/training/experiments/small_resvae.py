"""ResVAE at an eighth of the width, for two CPU cores.

    fas train small_resvae --data subsets.csv --out small_resvae.safetensors

Cost: 2,400 steps of 6 images, about three minutes on two cores.
Expect: much what small_dcvae shows; the thesis found the same of the two at full size (figure 4.9).
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(SMALL, name="small_resvae", model="resvae")
