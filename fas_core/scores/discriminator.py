"""How far the discriminator takes the image itself for generated, in nats; 0.69 is guessing (section 2.5.2).

-log of the probability that it gives to the image being a real one: half of what it is trained by, per image, whatever
the reconstruction is like. The thesis proposes it and reports none. A discriminator that learned to tell live faces
from reconstructions has seen no attack: one that is unlike either need not seem generated to it. A Run that was made
before there was this score lacks its column: deleted and made anew, it has it.
"""

from fas_core.scores import column

NEEDS = ("discriminator",)
score = column("discriminator")
