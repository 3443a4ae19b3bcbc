"""KL divergence of the code's distribution from the prior, in nats (equation 2.25)."""

from fas_core.scores import column

NEEDS = ("kl",)
score = column("kl")
