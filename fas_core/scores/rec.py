"""Reconstruction loss: cross-entropy summed over pixels, in nats; GANomaly: mean error in [-1, 1] (eq. 3.3, 3.5).

What the model was trained with. VAEs and the denoising autoencoder: binary cross-entropy, equations 3.2 and 3.3.
GANomaly: mean absolute error per pixel, equation 3.5, on images scaled to [-1, 1]. The memory-augmented autoencoder:
squared error, summed over the pixels. Values of different kinds of model do not compare.
"""

from fas_core.scores import column

NEEDS = ("rec",)
score = column("rec")
