"""small_dcvae with KL warm-up: the weight of the KL term rises from zero over the first fifth of the steps.

    fas train small_warmup --data subsets.csv --out small_warmup.safetensors

Cost: as small_dcvae, two minutes on two cores.
Expect: more of the code used (a higher KL loss, a lower reconstruction loss) than without; the thesis names weighted
terms of the ELBO as worth more research (sections 5.2 and 5.3). Bowman et al., Generating sentences from a continuous
space (2016), have the weight rise; Sonderby et al., Ladder variational autoencoders (2016), have it rise linearly.
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(SMALL, name="small_warmup", config={**SMALL.config, "kl_warmup": 0.2})
