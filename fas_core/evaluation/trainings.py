"""One training in words: what its terms are, how far it has come, which epoch was kept, whether it still learns.

Names and Markdown are those of whoever shows the sentences: they stand in them as they are given.
"""

from __future__ import annotations

import time

import pandas as pd

from fas_core.data.names import readable
from fas_core.evaluation.words import number
from fas_core.runs import traininglog
from fas_core.runs.traininglog import Training

RESET = "disc_reset"
LEARNING_RATE = "learning_rate"

# Title, unit, explanation. `rec` is that of the VAEs.
TERMS = {
    "elbo": (
        "Negative ELBO",
        "nats",
        "What a VAE minimises: its reconstruction loss plus its KL divergence, weighted.",
    ),
    "rec": ("Reconstruction", "nats", "Cross-entropy of the reconstructed pixels, summed over an image."),
    "kl": ("KL divergence", "nats", "How far the codes of images are from the standard normal distribution."),
    "excess_bce": (
        "Excess reconstruction",
        "nats",
        "Reconstruction loss without the part that even a perfect reconstruction has.",
    ),
    "enc": ("Code difference", "", "Mean squared difference of an image's code and that of its reconstruction."),
    "adv": (
        "Feature difference",
        "",
        "Adversarial term: how differently the discriminator sees an image and its reconstruction.",
    ),
    "total": ("All terms", "", "What training minimises, of GANomaly its generator: terms by their weights."),
    "entropy": (
        "Entropy of the memory's weights",
        "nats",
        "How many of its slots are read at once: 0 where it is one.",
    ),
    "perceptual": ("Perceptual", "", "How differently a trained encoder sees an image and its reconstruction."),
    "distance": ("Distance from the teacher", "", "What a student minimises: that of the code and of the picture."),
    "code": ("Code, from the teacher's", "", "How far a student's codes are from its teacher's."),
    "picture": (
        "Reconstruction, from the teacher's",
        "",
        "How far a student's pictures are from its teacher's.",
    ),
    "disc": ("Discriminator", "nats", "Cross-entropy of telling images from reconstructions; 0.69 is guessing."),
    "discriminator": (
        "Discriminator on images",
        "nats",
        "How far the discriminator takes images themselves for generated; 0.69 is guessing.",
    ),
    "pixel_l1": ("Mean error per pixel", "", "Of the pixel range 0 to 1."),
    "pixel_l2": ("RMS error per pixel", "", "Root mean square, of the pixel range 0 to 1."),
    "ssim": ("Structural similarity", "", "SSIM: 1 for equal images. Higher is better."),
    LEARNING_RATE: ("Learning rate", "", "How large a step is."),
}
# What `rec` is of models that have another one, and of those of other packages.
_RECONSTRUCTIONS = {
    "ganomaly": (
        "Reconstruction (L1)",
        "",
        "Mean absolute difference of image and reconstruction, both from −1 to 1.",
    ),
    "memae": ("Reconstruction (squared)", "", "Squared error, summed over the pixels of an image."),
}
_BY_CROSS_ENTROPY = ("dcvae", "resvae", "cvae", "perceptual", "denoising")


def words_of(term: str, training: Training) -> tuple[str, str, str]:
    """Title, unit and explanation of a term of a training."""
    model = str(training.experiment.get("model", ""))
    if term == "rec" and model not in _BY_CROSS_ENTROPY:
        return _RECONSTRUCTIONS.get(model, ("Reconstruction", "", ""))
    return TERMS.get(term, (readable(term), "", ""))


def duration(seconds: float) -> str:
    """In words: below 100 s, 100 min and 48 h in that unit, else in days."""
    for limit, unit, name in ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f}\u00a0{name}"
    return f"{seconds / 86400:.0f}\u00a0days"


def summary(training: Training, log: pd.DataFrame) -> tuple[int | None, float | None]:
    """The kept epoch and its dev loss."""
    kept, dev = traininglog.kept_epoch(log, training.chosen_by), dev_of(training, log)
    return kept, float(dev[kept]) if kept in dev else None


def dev_of(training: Training, log: pd.DataFrame) -> pd.Series:
    """The values that choose the checkpoint, by epoch."""
    rows = log[log["split"] == "dev"].drop_duplicates("epoch", keep="last")
    if training.chosen_by not in rows:
        return pd.Series(dtype=float)
    return rows.set_index("epoch")[training.chosen_by].dropna()


def amount(training: Training, value: float) -> str:
    """A value of the loss that chose the checkpoint, with its unit."""
    unit = words_of(training.chosen_by, training)[1]
    return f"{number(value)}\u00a0{unit}" if unit else number(value)


def answer(training: Training, name: str, log: pd.DataFrame) -> str:
    """One training in a sentence or two: how far, what was kept, whether it was still learning."""
    return f"**{name}** {how_far(training)} {_what_was_kept(training, log)}{resets(log)}"


def how_far(training: Training) -> str:
    """Ends a sentence that begins with the training's name, in Markdown."""
    epochs = f"{training.epochs:,} epoch{'s' if training.epochs != 1 else ''}"
    if training.state == "finished":
        return f"has finished its {epochs}."
    at = f"epoch **{min(training.done // training.steps_per_epoch + 1, training.epochs):,} of {training.epochs:,}**"
    if training.state == "running":
        left = training.seconds_left()
        return f"is in {at}{'' if left is None else f', about {duration(max(left, 1))} left'}."
    ago = duration(time.time() - training.stamp[0] / 1e9)
    return f"was interrupted in {at}, {ago} ago; the same command with `--resume` goes on."


def _what_was_kept(training: Training, log: pd.DataFrame) -> str:
    kept = traininglog.kept_epoch(log, training.chosen_by)
    if kept is None:
        return "Its first epoch has not ended, so there is no checkpoint yet."
    dev, last = dev_of(training, log), int(log.loc[log["split"] == "dev", "epoch"].max())
    is_over = training.state == "finished"
    if dev.empty:
        return f"No images were kept out of training, so the last epoch counts: the checkpoint is that of {kept + 1:,}."
    words = f"The dev loss {'was' if is_over else 'is'} lowest in epoch **{kept + 1:,}** "
    words += f"({amount(training, dev[kept])}), that checkpoint {'was' if is_over else 'is'} kept"
    if last > kept:
        return (
            f"{words}; the {'epoch' if last == kept + 1 else f'{last - kept:,} epochs'} after it brought nothing more."
        )
    if len(dev) == 1:
        return f"{words}."
    gain, total = float(dev.iloc[:-1].min() - dev[kept]), float(dev.iloc[0] - dev[kept])
    if gain < 0.01 * total:
        return f"{words}. It is nearly level: the last epoch brought {amount(training, gain)}."
    more = "was still falling, so more epochs may help" if is_over else "is still falling"
    return f"{words}. It {more}: the last epoch brought {amount(training, gain)}."


def resets(log: pd.DataFrame) -> str:
    """A sentence on how often the discriminator began anew; empty where it never did."""
    n = int(log[RESET].sum()) if RESET in log else 0
    return f" The discriminator was re-initialised {n:,} time{'s' if n != 1 else ''}." if n else ""
