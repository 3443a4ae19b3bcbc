import numpy as np
import torch

from fas_core.models import memae


def tiny(**settings: float) -> memae.Model:
    torch.manual_seed(0)
    config = {"width": 0.125, "latent_dim": 12, "image_size": 32, "slots": 9, **settings}
    return memae.Model(memae.Config(**config)).eval()  # type: ignore[arg-type]


def test_the_memory_is_read_as_the_paper_says() -> None:
    """Equations 3 to 7 and the entropy, slot by slot in NumPy."""
    model = tiny(shrink=1.2, w_entropy=0.5)
    x = torch.rand(2, 1, 32, 32)
    out = model.outputs(x)
    memory = model.memory.slots.detach().double().numpy()
    answers, entropies = [], []
    for query in out.latents.detach().double().numpy().reshape(-1, 3):  # 2 x 2 places of three numbers, per image
        cosines = memory @ query / (np.linalg.norm(memory, axis=1) * np.linalg.norm(query))
        weights = np.exp(cosines) / np.exp(cosines).sum()
        weights = np.where(weights > 1.2 / 9, weights, 0)
        weights /= weights.sum()
        answers.append(weights @ memory)
        entropies.append(-sum(w * np.log(w) for w in weights if w))
    maps = np.array(answers).reshape(2, 4, 3).transpose(0, 2, 1).reshape(2, 12)  # channels first, as the decoder has it
    painted = model.decoder(torch.from_numpy(maps).float()).sigmoid()
    torch.testing.assert_close(out.reconstructions, painted, rtol=1e-4, atol=1e-5)
    entropy = np.array(entropies).reshape(2, 4).mean(1)
    assert entropy.min() > 0
    np.testing.assert_allclose(out.losses["entropy"].detach(), entropy, rtol=1e-4)
    squared = ((x - painted).detach().numpy() ** 2).reshape(2, -1).sum(1)
    np.testing.assert_allclose(out.losses["rec"].detach(), squared, rtol=1e-4)
    np.testing.assert_allclose(out.losses["total"].detach(), squared + 0.5 * entropy, rtol=1e-4)


def test_a_place_of_the_code_is_answered_by_itself() -> None:
    """Queries are places of the map: another one at the last place changes no answer at the first."""
    model = tiny()
    z = torch.randn(1, 12)
    other = torch.cat([z[:, :9], torch.randn(1, 3)], 1)
    first, second = (model.memory.weights(code.view(1, 4, 3)) for code in (z, other))
    assert torch.equal(first[:, :3], second[:, :3])
    assert not torch.allclose(first[:, 3], second[:, 3])
