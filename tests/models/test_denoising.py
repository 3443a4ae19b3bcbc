import torch
from lightning_fabric import Fabric

from fas_core.models import denoising
from fas_core.models.base import OptimizerSettings, Step
from fas_core.models.draws import Draws


def test_training_sees_holes_and_is_asked_for_the_whole_image_looking_sees_none() -> None:
    torch.manual_seed(0)
    model = denoising.Model(denoising.Config(width=0.125, latent_dim=16, image_size=32, corruption=0.3))
    seen: list[torch.Tensor] = []
    model.encoder.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    x = torch.rand(8, 1, 32, 32) * 0.5 + 0.5
    step = Step(Fabric(accelerator="cpu", devices=1), Draws(0, 3, 8))
    terms = model.training_step(x, model.optimizers(OptimizerSettings(0.0, 0.9, 0.99)), step)
    model.outputs(x)
    holes = seen[0] == 0
    assert 0.27 < float(holes.float().mean()) < 0.33
    assert torch.equal(seen[0][~holes], x[~holes])
    assert not torch.equal(holes[0], holes[1])
    assert torch.equal(seen[1], x)
    p = model.decode(model.encode(seen[0])).double()
    nats = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3)).mean()
    torch.testing.assert_close(terms["rec"].double(), nats, rtol=1e-5, atol=0)
