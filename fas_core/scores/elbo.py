"""Negative evidence lower bound: weighted reconstruction loss plus KL divergence, in nats (equation 3.1)."""

from fas_core.scores import column

NEEDS = ("elbo",)
score = column("elbo")
