"""Per-image loss terms, unreduced: every function returns (n,) float32, and no image influences another's value.

Sums and logarithms are taken in float32 whatever precision the network ran in.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WINDOW = 11


def bce(x: Tensor, logits: Tensor) -> Tensor:
    """Reconstruction loss of the VAEs, in nats: binary cross-entropy summed over the pixels, (n, c, H, W) -> (n,).

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


def kl_between(mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor) -> Tensor:
    """KL divergence of a Gaussian with a diagonal covariance from another one, in nats, summed: (n, d) each -> (n,).

    0 where both are one; `kl` is that from N(0, I).
    """
    mean, log_variance, other_mean, log_other = (
        part.float() for part in (mean, log_variance, other_mean, other_log_variance)
    )
    shift = (mean - other_mean).square() / log_other.exp()
    return 0.5 * (log_other - log_variance + (log_variance - log_other).exp() + shift - 1).sum(1)


def excess_bce(x: Tensor, logits: Tensor) -> Tensor:
    """`bce` above the least that any reconstruction can reach, in nats: (n,).

    With gray targets the BCE of a perfect reconstruction is the entropy of the image itself: thousands of nats that
    differ with its contrast. What is left is the KL divergence of the reconstructed pixels from the true ones. It is
    taken pixel by pixel: of two sums of thousands, a difference of tens has lost half of its digits.
    """
    x = x.float()
    nats = F.binary_cross_entropy_with_logits(logits.float(), x, reduction="none")
    return (nats + torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)).flatten(1).sum(1).clamp_min(0)


def l1(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean absolute difference per element, (n, ...) -> (n,). Equation 3.5.

    The printed norm is a sum; the mean is what its authors and the weight w_rec = 50 of table 4.9 go with.
    """
    return (x.float() - reconstruction.float()).abs().flatten(1).mean(1)


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference per element, (n, ...) -> (n,): equations 3.6 (codes) and 3.7 (discriminator features).

    The printed norms are neither squared nor averaged; Akcay et al. (2018) train with the mean square.
    """
    return (a.float() - b.float()).square().flatten(1).mean(1)


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Squared difference summed over the pixels, (n, c, H, W) -> (n,): what Gong et al. (2019) reconstruct by."""
    return (x.float() - reconstruction.float()).square().flatten(1).sum(1)


def discrimination(real_logits: Tensor, generated_logits: Tensor) -> Tensor:
    """What the discriminator minimises, in nats: binary cross-entropy, halved, for real 1 and generated 0, (n,).

    The thesis calls the output the probability of being generated; the sign is Akcay's. `logits`: before the sigmoid,
    which is what a "softmax" of one output must mean.
    """
    real, generated = real_logits.float().flatten(), generated_logits.float().flatten()
    return (F.softplus(-real) + F.softplus(generated)) / 2


def doubt(real_logits: Tensor) -> Tensor:
    """How far the discriminator takes images for generated, in nats: -log of the probability of being real, (n,).

    The half of `discrimination` that is of the images themselves (section 2.5.2 of the thesis); 0.69 is a coin's toss.
    """
    return F.softplus(-real_logits.float().flatten())


def pixel_l1(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean absolute error per pixel, in units of the [0, 1] range: (n, c, H, W) -> (n,)."""
    return l1(x, reconstruction)


def pixel_l2(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Root mean squared error per pixel, in units of the [0, 1] range: (n, c, H, W) -> (n,). Section 3.5.2.

    The l2 norm divided by sqrt(cHW), so that image sizes compare; the ranking is the norm's.
    """
    return mean_square(x, reconstruction).sqrt()


def ssim(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Structural similarity, 1 for equal images, (n, c, H, W) in [0, 1] -> (n,): in colour, the mean of the channels'.

    Wang et al. (2004). Gaussian window of 11 pixels and sd 1.5, constants 0.01 and 0.03, averaged where the window fits
    into the image.
    """
    n = x.shape[0]
    # Looking on a CPU, the images of a batch are channels of one: that takes half of the time, to the same last bit.
    is_looking = torch.is_inference_mode_enabled() and not torch.compiler.is_compiling()  # which exporting is, too
    groups = max(1, n * x.shape[1]) if is_looking and x.device.type == "cpu" else 1
    x, y = (images.float().reshape(-1, groups, *images.shape[2:]) - 0.5 for images in (x, reconstruction))
    offsets = torch.arange(SSIM_WINDOW, device=x.device) - SSIM_WINDOW // 2
    weights = torch.exp(-offsets.square() / (2 * 1.5**2))
    weights = (weights / weights.sum()).to(x.dtype).expand(groups, 1, 1, -1).contiguous()

    def blurred(images: Tensor) -> Tensor:
        rows = F.conv2d(images, weights, groups=groups)
        return F.conv2d(rows, weights.movedim(-1, -2).contiguous(), groups=groups)

    with torch.autocast(x.device.type, enabled=False):  # variances are differences of near numbers
        mean_x, mean_y = blurred(x), blurred(y)  # around the middle gray: squares of small numbers keep their digits
        var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
        covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (var_x + var_y + c2)).reshape(n, -1).mean(1)


def dissimilarity(x: Tensor, reconstruction: Tensor) -> Tensor:
    """1 - `ssim`, times the number of pixels, (n, c, H, W) in [0, 1] -> (n,): of the size of the sum that `bce` is.

    Bergmann et al. (2018) train autoencoders on the sum of it over the pixels.
    """
    return math.prod(x.shape[1:]) * (1 - ssim(x, reconstruction))


def of_images(x: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
    """The terms that need no more than an image and its reconstruction, whatever the model; (n,) each."""
    return {term.__name__: term(x, reconstruction) for term in (pixel_l1, pixel_l2, ssim)}


IMAGE_TERMS = ("pixel_l1", "pixel_l2", "ssim")
