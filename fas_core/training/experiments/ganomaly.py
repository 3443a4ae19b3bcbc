"""GANomaly (thesis table 4.9).

    fas train ganomaly --data subsets.csv --out ganomaly.safetensors

Cost: 75,000 steps of 16 images with 254 million parameters: about 4 GB for weights and optimisers before the first
image; days of a 2022 GPU.
Expect (thesis, figures 4.16 to 4.18): the most promising of the three. High precision for the most obvious prints, AUC
higher for paper than for masks; glasses vanish from reconstructions. The thesis shows the epoch that did best on the
sets it reports; here the dev loss on live images chooses, so expect somewhat less.
Filtering and augmentations are not stated for this experiment: all images, standard scaling only.
"""

from fas_core.training.experiments.base import Experiment

EXPERIMENT = Experiment(
    name="ganomaly",
    model="ganomaly",
    batches_per_epoch=1_500,
    epochs=50,
    batch_size=16,
    learning_rate=2e-5,
    beta1=0.5,
    beta2=0.99,
    config={"width": 1.0, "latent_dim": 512, "w_rec": 50.0, "w_enc": 1.0, "w_adv": 1.0},
)
