import numpy as np
import pytest
import torch

from fas_core.models.draws import Draws, shuffled


@pytest.mark.parametrize("n", [1, 2, 3, 10, 97, 1000, 4096, 12_345])
def test_shuffled_is_a_permutation(n: int) -> None:
    taken = shuffled(np.arange(n), n, [1, 2, 3])
    assert sorted(taken) == list(range(n))
    np.testing.assert_array_equal(shuffled(np.arange(n)[::-1], n, [1, 2, 3]), taken[::-1])


def test_shuffled_looks_random() -> None:
    """Neighbours part, every place is reached from everywhere, and seeds have nothing in common."""
    n = 20_000
    taken = shuffled(np.arange(n), n, [0])
    assert abs(np.corrcoef(taken[:-1], taken[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(np.arange(n), taken)[0, 1]) < 0.03
    counts = np.histogram2d(np.arange(n), taken, bins=10)[0]
    chi_square = ((counts - n / 100) ** 2 / (n / 100)).sum()
    assert chi_square < 150  # 81 degrees of freedom
    other = shuffled(np.arange(n), n, [1])
    assert (taken == other).sum() < 10
    firsts = {int(shuffled(np.array([0]), 100, [seed])[0]) for seed in range(1000)}
    assert len(firsts) == 100


def test_shuffled_needs_no_table() -> None:
    assert 0 <= shuffled(np.array([123]), 10**12, [0])[0] < 10**12


def test_draws_are_the_same_however_the_batch_is_shared() -> None:
    def drawn(draws: Draws) -> list[torch.Tensor]:
        return [draws.normal(3), draws.uniform(-2, 5), draws.happens(0.4), draws.normal(1, 2, 2)]

    whole = drawn(Draws(7, 3, 6))
    odd, even = drawn(Draws(7, 3, 6, [1, 3, 5])), drawn(Draws(7, 3, 6, [0, 2, 4]))
    for all_rows, first, second in zip(whole, even, odd, strict=True):
        assert torch.equal(all_rows[0::2], first)
        assert torch.equal(all_rows[1::2], second)
    assert not torch.equal(drawn(Draws(7, 4, 6))[0], whole[0])
    assert not torch.equal(drawn(Draws(8, 3, 6))[0], whole[0])
    assert len(Draws(0, 0, 6, [1, 3])) == 2


def test_ranges_and_frequencies() -> None:
    draws = Draws(0, 0, 20_000)
    uniform = draws.uniform(-2, 5)
    assert -2 <= uniform.min() < -1.9
    assert 4.9 < uniform.max() < 5
    assert draws.happens(0.3).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert draws.normal(2).std().item() == pytest.approx(1, abs=0.02)
