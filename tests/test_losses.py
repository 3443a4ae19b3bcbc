import math

import numpy as np
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from fas_core import losses


def test_kl_is_that_of_two_gaussians() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(7, 5), torch.randn(7, 5)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(losses.kl(mean, log_variance), expected, rtol=1e-5, atol=1e-5)
    # The sign of equation 3.4 as printed would give -4.5 here.
    assert losses.kl(torch.tensor([[3.0]]), torch.zeros(1, 1)).item() == 4.5


def test_bce_is_the_negative_log_likelihood_summed_over_pixels() -> None:
    torch.manual_seed(0)
    x, logits = torch.rand(3, 1, 4, 4).round(), torch.randn(3, 1, 4, 4)
    expected = -Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(losses.bce(x, logits), expected)
    half = losses.bce(torch.full((1, 1, 128, 128), 0.5), torch.zeros(1, 1, 128, 128)).item()
    assert math.isclose(half, 16_384 * math.log(2), rel_tol=1e-5)


def test_bce_is_finite_at_the_ends_and_summed_in_float32() -> None:
    ends = losses.bce(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[100.0, -100.0]]]]))
    assert ends.item() == 200.0
    assert losses.bce(torch.rand(2, 1, 8, 8), torch.randn(2, 1, 8, 8, dtype=torch.bfloat16)).dtype == torch.float32


def test_pixel_l2_by_hand() -> None:
    x = torch.zeros(2, 1, 2, 2)
    y = torch.stack([torch.full((1, 2, 2), 0.5), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])])
    np.testing.assert_allclose(losses.pixel_l2(x, y).numpy(), [0.5, 0.5])
