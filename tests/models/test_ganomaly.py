import copy
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from fas_core.models import building, ganomaly
from fas_core.models.base import OptimizerSettings, Step, parameter_count, parts
from fas_core.models.draws import Draws

SETTINGS = OptimizerSettings(1e-3, 0.5, 0.99)


def step_of(n: int) -> Step:
    return Step(Fabric(accelerator="cpu", devices=1), Draws(0, 0, n))


@pytest.fixture
def model() -> ganomaly.Model:
    torch.manual_seed(0)
    return ganomaly.Model(ganomaly.Config(width=0.125, latent_dim=16, image_size=32))


def test_layers_are_those_of_table_3_4() -> None:
    with torch.device("meta"):
        model = ganomaly.Model(ganomaly.Config())
        shapes: dict[str, list[tuple[int, ...]]] = {"encoder": [], "decoder": [], "discriminator": []}
        for name in shapes:
            for layer in getattr(model, name).modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                    layer.register_forward_hook(lambda _m, _i, out, n=name: shapes[n].append(tuple(out.shape[1:])))
        x = torch.empty(1, 1, 128, 128)
        model.eval().decoder(model.encoder(x))
        model.discriminator(x)
    down = [(128, 64, 64), (256, 32, 32), (512, 16, 16), (1024, 8, 8), (2048, 4, 4), (512, 4, 4)]
    assert shapes["encoder"] == [*down, (512,)]
    assert shapes["discriminator"] == [*down, (1,)]
    assert shapes["decoder"] == [
        (2048, 4, 4), (1024, 8, 8), (512, 16, 16), (256, 32, 32), (128, 64, 64), (1, 128, 128),
    ]  # fmt: skip
    kinds = [type(layer).__name__ for layer in model.encoder.features]  # type: ignore[union-attr]
    assert kinds[:3] == ["Conv2d", "LeakyReLU", "BatchNorm2d"]  # activation, then normalisation: the table's order


def published(width: float, latent_dim: int) -> ganomaly.Model:
    return ganomaly.Model(
        ganomaly.Config(width=width, latent_dim=latent_dim, layers="published", order="conv-bn-act", features="last")
    )


@pytest.mark.parametrize(("ngf", "nz", "total"), [(128, 512, 228_661_504), (64, 100, 49_515_648)])
def test_the_published_layers_have_the_papers_parameters(ngf: int, nz: int, total: int) -> None:
    """Counted from the layout of the authors' networks at 128x128x1, and against their code's own count."""
    widths = [ngf * 2**i for i in range(5)]  # 64, 32, 16, 8 and 4 pixels
    norms = 2 * sum(widths[1:])  # none in the first layer
    halving = 16 * (widths[0] + sum(a * b for a, b in pairwise(widths)))
    encoder, critic = (halving + norms + 16 * widths[-1] * outputs for outputs in (nz, 1))
    decoder = halving + norms + 2 * widths[0] + 16 * nz * widths[-1]
    with torch.device("meta"):
        model = published(ngf / 128, nz)
    counted = {name: parameter_count(module) for name, module in parts(model).items()}
    assert counted == {
        "encoder": encoder, "decoder": decoder, "second_encoder": encoder, "discriminator": critic,
    }  # fmt: skip
    assert sum(counted.values()) == total


def test_the_published_layers_stand_in_the_papers_order() -> None:
    with torch.device("meta"):
        model = published(1.0, 100)
    kinds = [type(layer).__name__.removeprefix("FullPrecision") for layer in model.encoder.features]  # type: ignore[union-attr]
    assert kinds == ["Conv2d", "LeakyReLU", *4 * ["Conv2d", "BatchNorm2d", "LeakyReLU"]]
    (head, _), last = model.encoder.head, model.decoder[-2]  # type: ignore[misc]
    assert (head.kernel_size, head.stride, head.padding, head.out_channels) == ((4, 4), (1, 1), (0, 0), 100)
    assert (last.kernel_size, last.stride, last.padding, last.output_padding) == ((4, 4), (2, 2), (1, 1), (0, 0))
    kinds = [type(layer).__name__ for layer in model.decoder]
    assert kinds[1:] == [*5 * ["ConvTranspose2d", "BatchNorm2d", "ReLU"], "ConvTranspose2d", "Tanh"]


@pytest.mark.parametrize("layers", ["table_3_4", "published"])
def test_what_the_thesis_leaves_open_can_be_told(layers: str) -> None:
    """Each setting changes what it names: read off the layers, and the loss off the feature maps."""
    torch.manual_seed(0)
    config = ganomaly.Config(
        width=0.125, latent_dim=16, image_size=32, layers=layers, order="conv-bn-act", features="widest", slope=0.3
    )
    model = ganomaly.Model(config).eval()
    x = torch.rand(3, 1, 32, 32)
    terms = model.outputs(x).losses
    kinds = [type(layer).__name__ for layer in model.encoder.features]  # type: ignore[union-attr]
    first = ["Conv2d", "LeakyReLU"] if layers == "published" else ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds[: len(first) + 3] == [*first, "Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert {layer.negative_slope for layer in model.modules() if isinstance(layer, nn.LeakyReLU)} == {0.3}
    maps: list[torch.Tensor] = []
    norms = [layer for layer in model.discriminator.features if isinstance(layer, nn.BatchNorm2d)]  # type: ignore[union-attr]
    norms[-1].register_forward_hook(lambda _module, _given, out: maps.append(out))
    model.outputs(x)
    images, generated = (torch.where(each > 0, each, 0.3 * each) for each in maps)  # the activation that follows
    torch.testing.assert_close(terms["adv"], (images - generated).square().mean((1, 2, 3)))
    last = ganomaly.Model(replace(config, features="last")).eval()
    last.load_state_dict(model.state_dict())
    is_same = torch.allclose(last.outputs(x).losses["adv"], terms["adv"])
    assert is_same == (layers == "published")
    for setting, value in (("layers", "mine"), ("order", "bn-conv-act"), ("features", "first"), ("slope", 1.0)):
        with pytest.raises(ValueError, match=f"{setting} .*{value}"):
            replace(config, **{setting: value})


def test_the_initialisation_reaches_every_layer() -> None:
    """Read off the weights: handed to a container instead of `apply`, the function would change nothing."""
    torch.manual_seed(0)
    model = ganomaly.Model(ganomaly.Config(width=0.25, latent_dim=64, image_size=64))
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and layer.weight.numel() > 4000:
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
            assert float(layer.weight.detach().mean()) == pytest.approx(0, abs=0.001)
    gammas = torch.cat([layer.weight for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)])
    assert float(gammas.detach().mean()) == pytest.approx(1, abs=0.005)
    assert float(gammas.detach().std()) == pytest.approx(0.02, rel=0.15)


def test_features_are_matched_and_not_outputs(model: ganomaly.Model) -> None:
    """Another head changes what the discriminator says, and must not change the adversarial loss."""
    x = torch.rand(3, 1, 32, 32)
    before = model.eval().outputs(x).losses
    with torch.no_grad():
        model.discriminator.head[1].weight.mul_(100)
    after = model.outputs(x).losses
    torch.testing.assert_close(after["adv"], before["adv"])
    assert not torch.allclose(after["disc"], before["disc"])
    with torch.no_grad():
        model.discriminator.features[0].weight.mul_(3)
    assert not torch.allclose(model.outputs(x).losses["adv"], before["adv"])


def test_terms_are_their_formulas(model: ganomaly.Model) -> None:
    x = torch.rand(3, 1, 32, 32)
    model.eval()
    terms = model.outputs(x).losses
    s = 2 * x - 1
    z = model.encoder(s)
    g = model.decoder(z)
    torch.testing.assert_close(terms["rec"], (s - g).abs().mean((1, 2, 3)))
    torch.testing.assert_close(terms["enc"], (z - model.second_encoder(g)).square().mean(1))
    f, fg = model.discriminator.features(s), model.discriminator.features(g)
    torch.testing.assert_close(terms["adv"], (f - fg).square().mean((1, 2, 3)))
    p, pg = model.discriminator(s).sigmoid()[:, 0], model.discriminator(g).sigmoid()[:, 0]
    torch.testing.assert_close(terms["disc"], -(p.log() + (1 - pg).log()) / 2)
    torch.testing.assert_close(terms["discriminator"], -p.log())
    torch.testing.assert_close(terms["total"], 50 * terms["rec"] + terms["enc"] + terms["adv"])
    torch.testing.assert_close(terms["pixel_l1"], terms["rec"] / 2)
    torch.testing.assert_close(model.outputs(x).reconstructions, (g + 1) / 2)
    model.config = replace(model.config, w_ssim=7.0)
    torch.testing.assert_close(model.outputs(x).losses["total"], terms["total"] + 7 * (1 - terms["ssim"]))


def test_each_player_moves_its_own_weights(model: ganomaly.Model) -> None:
    x = torch.rand(4, 1, 32, 32)
    generator, discriminator = model.optimizers(SETTINGS)
    frozen = OptimizerSettings(0.0, 0.5, 0.99)
    for still, moving in ((0, "discriminator"), (1, "encoder")):
        optimizers = [generator, discriminator]
        optimizers[still] = model.optimizers(frozen)[still]
        before = {name: value.clone() for name, value in model.named_parameters()}
        model.train().training_step(x, optimizers, step_of(4))
        moved = {name.split(".")[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
        assert moved == ({"discriminator"} if moving == "discriminator" else {"encoder", "decoder", "second_encoder"})


def test_the_generator_does_not_learn_from_the_discriminators_loss(model: ganomaly.Model) -> None:
    """Its gradient is that of equation 3.8 alone, though both losses come from one forward pass."""
    x = torch.rand(4, 1, 32, 32)
    model.train()
    optimizers = model.optimizers(OptimizerSettings(0.0, 0.5, 0.99))
    model.training_step(x, optimizers, step_of(4))
    taken = [p.grad.clone() for p in model.encoder.parameters() if p.grad is not None]
    loss = model._pass(x)[2]["total"].mean()
    expected = torch.autograd.grad(loss, list(model.encoder.parameters()))
    for gradient, wanted in zip(taken, expected, strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_a_collapsed_discriminator_starts_anew_and_that_is_logged(
    model: ganomaly.Model, caplog: pytest.LogCaptureFixture
) -> None:
    x = torch.rand(4, 1, 32, 32)
    optimizers = model.optimizers(OptimizerSettings(0.0, 0.5, 0.99))
    with caplog.at_level(logging.WARNING):
        terms = model.train().training_step(x, optimizers, step_of(4))
    assert terms["disc_reset"] == 0
    assert not caplog.records
    with torch.no_grad():  # a discriminator that is certain: its last layer reads off a feature that tells them apart
        features = model.discriminator.features(2 * x - 1).flatten(1)
        generated = model.discriminator.features(model.decoder(model.encoder(2 * x - 1))).flatten(1)
        direction = features.mean(0) - generated.mean(0)
        head = model.discriminator.head[1]
        head.weight.copy_(direction[None] * 1e6)
        head.bias.fill_(-1e6 * float(direction @ (features.mean(0) + generated.mean(0)) / 2))
    before = head.weight.clone()
    terms = model.training_step(x, optimizers, step_of(4))
    assert terms["disc"] < ganomaly.COLLAPSED
    assert terms["disc_reset"] == 1
    assert "starts anew" in caplog.text
    assert float(head.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert not torch.equal(head.weight, before)


def test_a_reconstruction_reaches_black_and_white(model: ganomaly.Model) -> None:
    assert ganomaly._unsigned(torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0, 0.5, 1]
    assert ganomaly._signed(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]
    with torch.no_grad():
        model.decoder[-2].weight.mul_(1e4)
    images = model.eval().decode(torch.randn(4, 16))
    assert images.min() < 0.01
    assert images.max() > 0.99


class Shared:
    """Two threads in the place of two processes."""

    world_size = 2

    def __init__(self) -> None:
        self.here, self.barrier, self.slots = threading.local(), threading.Barrier(2, timeout=60), [torch.empty(0)] * 2

    def add(self, x: torch.Tensor) -> None:
        self.slots[self.here.rank] = x.clone()
        self.barrier.wait()
        total = self.slots[0] + self.slots[1]
        self.barrier.wait()
        x.copy_(total)

    def all_reduce(self, x: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "mean"
        total = x.detach().clone()
        self.add(total)
        return total / 2

    def backward(self, loss: torch.Tensor, **how: object) -> None:
        loss.backward(**how)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [([0, 2, 4], [1, 3, 5]), ([0, 1, 2, 3], [4, 5])])
def test_two_processes_normalise_by_the_whole_batch(
    rows: tuple[list[int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients and running statistics of both players are those of one process; of unequal shares the latter."""
    settings = OptimizerSettings(0.0, 0.5, 0.99)
    torch.manual_seed(0)
    model = ganomaly.Model(ganomaly.Config(width=0.125, latent_dim=16, image_size=32, order="conv-bn-act"))
    x, shared = torch.rand(6, 1, 32, 32), Shared()
    copies = [copy.deepcopy(model), copy.deepcopy(model)]
    model.train().training_step(x, model.optimizers(settings), step_of(6))
    monkeypatch.setattr(building.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(building.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(building.distributed, "all_reduce", shared.add)

    def trained(rank: int) -> None:
        shared.here.rank = rank
        step = Step(shared, Draws(0, 0, 6, rows[rank]))  # type: ignore[arg-type]
        copies[rank].train().training_step(x[rows[rank]], copies[rank].optimizers(settings), step)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(trained, range(2)))
    for part in copies:
        for name, value in model.named_buffers():
            torch.testing.assert_close(part.get_buffer(name), value, rtol=1e-5, atol=1e-6)
        if len(rows[0]) == len(rows[1]):
            for name, parameter in model.named_parameters():
                torch.testing.assert_close(part.get_parameter(name).grad, parameter.grad, rtol=1e-4, atol=1e-6)
