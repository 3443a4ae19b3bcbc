"""Per-image loss terms, unreduced: every function returns (n,) float32, and no image influences another's value.

Sums and logarithms are taken in float32 whatever precision the network ran in.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def bce(x: Tensor, logits: Tensor) -> Tensor:
    """Reconstruction loss of the VAEs, in nats: binary cross-entropy summed over the pixels, (n, 1, H, W) -> (n,).

    Equations 3.2 and 3.3. The printed equation divides by HW; the losses the thesis reports (10 to 10,000) are
    those of the sum, which is also what makes L_rec + L_KL an ELBO. `logits` are the decoder's output before its
    sigmoid, so that nothing is lost near 0 and 1.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), x.float(), reduction="none").flatten(1).sum(1)


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, I), in nats, summed over the latent: (n, d) -> (n,).

    Equation 2.25. Equation 3.4 prints +mean^2, a sign slip that has no lower bound.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)


def pixel_l2(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Root mean squared error per pixel, in units of the [0, 1] range: (n, 1, H, W) -> (n,). Section 3.5.2.

    The l2 norm divided by sqrt(HW), so that image sizes compare; the ranking is the norm's.
    """
    return (x.float() - reconstruction.float()).square().flatten(1).mean(1).sqrt()
