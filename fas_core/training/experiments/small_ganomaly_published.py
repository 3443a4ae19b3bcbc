"""GANomaly as it was published (Akcay et al., 2018), at an eighth of its width, for two CPU cores.

    fas train small_ganomaly_published --data subsets.csv --out small_ganomaly_published.safetensors

Cost: as small_ganomaly, about four minutes on two cores.
Expect: much what small_ganomaly shows; in what they differ is what the thesis' table 3.4 says otherwise than the paper.
Layers, weights and rate are those of ganomaly_published; steps, batches and augmentations those of small_ganomaly.
"""

from dataclasses import replace

from fas_core.training.experiments.ganomaly_published import EXPERIMENT as PUBLISHED
from fas_core.training.experiments.small_ganomaly import EXPERIMENT as SMALL

EXPERIMENT = replace(
    SMALL,
    name="small_ganomaly_published",
    learning_rate=PUBLISHED.learning_rate,
    beta2=PUBLISHED.beta2,
    config={**PUBLISHED.config, "width": 0.0625},
)
