import numpy as np
import torch

from fas_core.models import dcvae, perceptual


def test_the_term_is_the_relative_difference_of_a_trained_encoders_features() -> None:
    torch.manual_seed(0)
    trained = dcvae.Model(dcvae.Config(width=0.25, latent_dim=16, image_size=32))
    config = perceptual.Config(width=0.125, latent_dim=16, image_size=32, w_perceptual=0.3, features_width=0.25)
    model = perceptual.Model(config).eval()
    model.take_features(trained)
    x = torch.rand(3, 1, 32, 32)
    out = model.outputs(x)
    shares = np.zeros(3)
    image, other = x, out.reconstructions
    for number, layer in enumerate(trained.encoder):  # type: ignore[arg-type]
        image, other = layer(image), layer(other)
        if number in (4, 7, 10):  # the ReLU behind each of the first three halvings
            a, b = (maps.detach().double().numpy().reshape(3, -1) for maps in (image, other))
            shares += ((a - b) ** 2).sum(1) / (a**2).sum(1) / 3
    np.testing.assert_allclose(out.losses["perceptual"].detach(), 32 * 32 * shares, rtol=1e-3)
    plain = out.losses["rec"] + out.losses["kl"]
    torch.testing.assert_close(out.losses["elbo"], plain + 0.3 * out.losses["perceptual"])
