"""small_dcvae with structural similarity in its loss, beside the cross-entropy.

    fas train small_ssim --data subsets.csv --out small_ssim.safetensors

Cost: as small_dcvae and a third more, three minutes on two cores.
Expect: reconstructions with more of the edges and textures that pixel-wise losses blur (thesis, section 5.3), and a
slightly higher cross-entropy. SSIM is that of Wang et al., Image quality assessment (2004); Bergmann et al., Improving
unsupervised defect segmentation by applying structural similarity to autoencoders (2018), train on it.
The weight is ours: with 0.1 the term is about as large as what of the cross-entropy can be lowered.
"""

from dataclasses import replace

from fas_core.training.experiments.small_dcvae import EXPERIMENT as SMALL

EXPERIMENT = replace(SMALL, name="small_ssim", config={**SMALL.config, "w_ssim": 0.1})
