import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from fas_core.models import losses


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


def test_pixel_errors_by_hand() -> None:
    x = torch.zeros(2, 1, 2, 2)
    y = torch.stack([torch.full((1, 2, 2), 0.5), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])])
    np.testing.assert_allclose(losses.pixel_l2(x, y).numpy(), [0.5, 0.5])
    np.testing.assert_allclose(losses.pixel_l1(x, y).numpy(), [0.5, 0.25])
    np.testing.assert_allclose(losses.mean_square(x, y).numpy(), [0.25, 0.25])


def test_excess_bce_is_zero_for_a_perfect_reconstruction_and_a_divergence_otherwise() -> None:
    x = torch.full((1, 1, 2, 2), 0.25)
    logits = torch.full((1, 1, 2, 2), math.log(0.25 / 0.75))
    assert losses.excess_bce(x, logits).item() == pytest.approx(0, abs=1e-6)
    half = torch.zeros(1, 1, 2, 2)
    divergence = kl_divergence(Bernoulli(probs=x), Bernoulli(logits=half)).sum().item()
    assert losses.excess_bce(x, half).item() == pytest.approx(divergence, rel=1e-5)
    ends = torch.tensor([[[[0.0, 1.0]]]])
    logits = torch.tensor([[[[2.0, 3.0]]]])
    assert torch.equal(losses.excess_bce(ends, logits), losses.bce(ends, logits))  # black and white carry no entropy


def test_excess_bce_keeps_its_digits_where_it_is_small_beside_the_entropy() -> None:
    x = torch.rand(4, 1, 128, 128, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    logits = torch.logit(x) + 0.05
    p, q = x.double(), logits.double().sigmoid()
    expected = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum((1, 2, 3))
    np.testing.assert_allclose(losses.excess_bce(x, logits).numpy(), expected.numpy(), rtol=1e-5)


def test_discrimination_is_the_mean_of_two_cross_entropies() -> None:
    real, generated = torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [0.0]])
    expected = [-(math.log(1 / (1 + math.exp(-2))) + math.log(1 - 1 / (1 + math.exp(1)))) / 2, math.log(2)]
    np.testing.assert_allclose(losses.discrimination(real, generated).numpy(), expected, rtol=1e-6)
    certain = losses.discrimination(torch.tensor([[500.0]]), torch.tensor([[-500.0]]))
    assert certain.item() == 0
    assert losses.discrimination(torch.tensor([[-500.0]]), torch.tensor([[500.0]])).item() == 500


def ssim_by_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. (2004), window by window."""
    distance = np.arange(-5, 6)
    window = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            both = (window * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
                / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4))
            )  # fmt: skip
    return float(np.mean(values))


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (5, 1, 128, 128), (3, 3, 48, 64)])
def test_ssim_is_the_same_to_the_last_bit_where_images_are_channels(shape: tuple[int, ...]) -> None:
    x, y = torch.rand(shape), torch.rand(shape)
    expected = losses.ssim(x, y)
    with torch.inference_mode():
        assert torch.equal(losses.ssim(x, y), expected)


def test_ssim() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 1, 16, 14)
    y = (x + 0.3 * torch.randn_like(x)).clamp(0, 1)
    np.testing.assert_allclose(losses.ssim(x, x).numpy(), 1, atol=1e-5)
    expected = [ssim_by_loops(a[0].double().numpy(), b[0].double().numpy()) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(losses.ssim(x, y).numpy(), expected, atol=1e-4)
    assert (losses.ssim(x, y) < 0.9).all()
    np.testing.assert_allclose(losses.dissimilarity(x, y).numpy(), 224 * (1 - np.array(expected)), atol=0.03)
