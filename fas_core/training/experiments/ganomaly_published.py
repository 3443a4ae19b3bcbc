"""GANomaly as it was published, on images of the thesis' size.

    fas train ganomaly_published --data subsets.csv --out ganomaly_published.safetensors

Akcay, Atapour-Abarghouei and Breckon, GANomaly: semi-supervised anomaly detection via adversarial training (2018), and
its code: normalisation before the activation and none in the first layer, codes of a 4x4 convolution without padding,
features of the discriminator's last convolution before its output, weights 50, 1 and 1, Adam with 2e-4, 0.5 and 0.999,
64 channels, codes of 100, 15 epochs, batches of 64. How long an epoch is follows from the data there: 1,500 batches are
the thesis'. There it was images of 32x32.
Cost: 22,500 steps of 64 images with 50 million parameters; days on two cores.
Expect: judged by latent_l2, as published, or by pixel_l2, as the thesis does. The published numbers rescale the scores
by the set that is judged, normalise by the batches of the test and choose the epoch by the test set: none is done here,
so expect less.
"""

from fas_core.training.experiments.base import Experiment

EXPERIMENT = Experiment(
    name="ganomaly_published",
    model="ganomaly",
    batches_per_epoch=1_500,
    epochs=15,
    batch_size=64,
    learning_rate=2e-4,
    beta1=0.5,
    beta2=0.999,
    config={
        "width": 0.5,
        "latent_dim": 100,
        "w_rec": 50.0,
        "w_enc": 1.0,
        "w_adv": 1.0,
        "layers": "published",
        "order": "conv-bn-act",
        "features": "last",
        "slope": 0.2,
    },
)
