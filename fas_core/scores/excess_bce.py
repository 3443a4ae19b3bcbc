"""Cross-entropy of the reconstruction beyond the input's own entropy, summed over pixels, in nats (from eq. 3.3).

Pixels are gray values, not zeros and ones, so that even a perfect reconstruction pays the entropy of its input: at 128
x 128 pixels about 11,000 nats where the contrast (standard deviation) is 0.1, and 8,400 where it is 0.3. The raw loss,
`rec`, therefore ranks images by their contrast too. What is left here is the sum over the pixels of the KL divergence
of Bernoulli(input) from Bernoulli(reconstruction): never negative, and 0 for a perfect reconstruction only. The thesis
does not have it.
"""

from fas_core.scores import column

NEEDS = ("excess_bce",)
score = column("excess_bce")
