"""What chapter 4 consists of: five experiments at three scales, and what each of its figures is said to show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.reproduce.claims import Cell, Claim, mean_of
from fas_core.training import experiments
from fas_core.training.experiments.base import Experiment

BASELINE, FILTERED, AUGMENTED, RESVAE, GANOMALY = EXPERIMENTS = (
    "dcvae_baseline",
    "dcvae_filtered",
    "dcvae_augmented",
    "resvae",
    "ganomaly",
)
SCALES = {
    "tiny": "narrow models for a first look: some seconds of training each, nothing to conclude from",
    "small": "the sizes of small_dcvae, small_resvae and small_ganomaly, for two cores",
    "full": "the thesis' own numbers: days of a GPU",
}
SMALL = {BASELINE: "small_dcvae", FILTERED: "small_dcvae", AUGMENTED: "small_dcvae"}
SMALL |= {RESVAE: "small_resvae", GANOMALY: "small_ganomaly"}
TINY: Json = {"batches_per_epoch": 40, "epochs": 3, "batch_size": 4}
TINY_RATE = 3e-3  # of the VAEs: in so few steps the usual one leaves reconstructions gray
TINY_MODEL: Json = {"width": 0.0625, "latent_dim": 64}
SCORES = ("rec", "kl", "elbo", "gmm_nll", "pixel_l2", "latent_l2")  # what sections 2.5, 3.5 and 3.7 judge by
PLANE = "plane"  # how far a code is from the live training codes in their first two principal components
GLASSES = "glasses"  # a column of the manifest, and the group of live faces that wear some

CHANCE, SLIGHT, OVERLAP = 0.5, 0.7, 0.9  # areas: no better than a coin, "slightly better", distributions apart
ALIKE = 0.05  # of an area: less than this is no improvement

Kind = Literal["losses", "curves", "latent", "likelihood", "pictures", "groups", "samples"]


def experiment(name: str, scale: str, seed: int, *, filtered: bool) -> Experiment:
    """One of the five at a scale. Below full size it has the steps and rates of the small one, and the augmentations
    of the thesis' one; `filtered`: False where its images could not be."""
    if scale not in SCALES:
        raise BadInputError(f"--scale {scale}: choose {', '.join(SCALES)}.")
    own = experiments.preset(name)
    if scale == "full":
        return replace(own, filtered=filtered, seed=seed)
    small = experiments.preset(SMALL[name])
    if scale == "tiny":
        faster: Json = {} if name == GANOMALY else {"learning_rate": TINY_RATE}
        small = replace(small, **TINY, **faster, config=small.config | TINY_MODEL)
    augmentations = small.augmentations if name == GANOMALY else own.augmentations
    return replace(small, name=name, augmentations=augmentations, filtered=filtered, seed=seed)


@dataclass(frozen=True)
class Finding:
    """A figure of the chapter: what it is drawn of, what the thesis reads from it, and the claims that this makes."""

    number: str
    experiment: str
    kind: Kind
    title: str
    thesis: str
    claims: tuple[Claim, ...]
    group: str = ""  # of the images that it shows


def _auc(experiment: str, score: str, group: str = "") -> Cell:
    return Cell(experiment, score, group)


PAPER, MASK = ("seen_paper", "unseen_paper"), ("seen_mask", "unseen_mask")


def _stands_out(score: str, group: str) -> Claim:
    others = [other for other in (*PAPER, *MASK) if other != group]
    contrast = mean_of([_auc(BASELINE, score, group)], [_auc(BASELINE, score, other) for other in others])
    return Claim(f"{score} of {group.replace('_', ' ')} above that of the other attacks, in AUC", contrast, above=0)


def _one(words: str, cell: Cell, **limit: float) -> Claim:
    return Claim(words, mean_of([cell]), **limit)


def _improves(words: str, a: list[Cell], b: list[Cell]) -> Claim:
    return Claim(words, mean_of(a, b), above=0)


def _no_better(words: str, a: Cell, b: Cell) -> Claim:
    return Claim(words, mean_of([a], [b]), below=ALIKE)


def _by(experiment: str, score: str, groups: tuple[str, ...]) -> list[Cell]:
    return [_auc(experiment, score, group) for group in groups]


FINDINGS = (
    Finding(
        "4.1",
        BASELINE,
        "losses",
        "Losses of the DCVAE, baseline",
        "The KL loss stands out for unseen paper and the reconstruction loss for seen paper; all overlap widely.",
        (
            _stands_out("kl", "unseen_paper"),
            _stands_out("rec", "seen_paper"),
            _one("elbo of all attacks overlaps with that of live faces, AUC", _auc(BASELINE, "elbo"), below=OVERLAP),
        ),
    ),
    Finding(
        "4.2",
        BASELINE,
        "curves",
        "Precision and recall of the losses, baseline",
        "The reconstruction loss and the total loss are slightly better than chance, but only just.",
        (
            _one("rec of all attacks, AUC", _auc(BASELINE, "rec"), above=CHANCE),
            _one("elbo of all attacks, AUC", _auc(BASELINE, "elbo"), above=CHANCE),
            _one("and only just: rec, AUC", _auc(BASELINE, "rec"), below=SLIGHT),
        ),
    ),
    Finding(
        "4.3",
        BASELINE,
        "latent",
        "Latent space of the DCVAE, baseline",
        "No separation is seen in the first two principal components.",
        (_one("distance from live codes in that plane, all attacks, AUC", _auc(BASELINE, PLANE), below=SLIGHT),),
    ),
    Finding(
        "4.4",
        BASELINE,
        "likelihood",
        "Likelihood under a mixture of eight Gaussians, baseline",
        "There is some difference between certain subsets, and no major separation.",
        (
            _one("gmm_nll of all attacks, AUC", _auc(BASELINE, "gmm_nll"), above=CHANCE),
            _one("no major separation: gmm_nll, AUC", _auc(BASELINE, "gmm_nll"), below=OVERLAP),
        ),
    ),
    Finding(
        "4.5",
        FILTERED,
        "losses",
        "Losses of the DCVAE, filtered images",
        "Training on filtered images seems to separate paper better.",
        (
            _improves(
                "elbo of paper, filtered less baseline, in AUC",
                _by(FILTERED, "elbo", PAPER),
                _by(BASELINE, "elbo", PAPER),
            ),
        ),
    ),
    Finding(
        "4.6",
        FILTERED,
        "curves",
        "Precision and recall of the losses, filtered images",
        "Training on filtered images separates live and spoof better by reconstructions.",
        (
            _improves(
                "rec of all attacks, filtered less baseline, in AUC", [_auc(FILTERED, "rec")], [_auc(BASELINE, "rec")]
            ),
        ),
    ),
    Finding(
        "4.7",
        FILTERED,
        "latent",
        "Latent space of the DCVAE, filtered images",
        "The first two principal components separate more than the baseline's; there is still a large overlap.",
        (
            _improves(
                "distance in the plane, all attacks, filtered less baseline, in AUC",
                [_auc(FILTERED, PLANE)],
                [_auc(BASELINE, PLANE)],
            ),
            _one("and still overlaps, AUC", _auc(FILTERED, PLANE), below=OVERLAP),
        ),
    ),
    Finding(
        "4.8",
        AUGMENTED,
        "latent",
        "Latent space of the DCVAE, filtered images and augmentations",
        "Augmentations do not improve the separation.",
        (
            _no_better(
                "distance in the plane, augmented less filtered, in AUC",
                _auc(AUGMENTED, PLANE),
                _auc(FILTERED, PLANE),
            ),
            _no_better(
                "elbo, augmented less filtered, in AUC",
                _auc(AUGMENTED, "elbo"),
                _auc(FILTERED, "elbo"),
            ),
        ),
    ),
    Finding(
        "4.9",
        RESVAE,
        "losses",
        "Losses of the ResVAE",
        "The ResVAE does not do better than the DCVAE.",
        (
            _no_better(
                "elbo, ResVAE less augmented DCVAE, in AUC",
                _auc(RESVAE, "elbo"),
                _auc(AUGMENTED, "elbo"),
            ),
        ),
    ),
    Finding(
        "4.10",
        RESVAE,
        "latent",
        "Latent space of the ResVAE",
        "The latent space is highly entangled, much as that of the DCVAE.",
        (_one("distance from live codes in the plane, all attacks, AUC", _auc(RESVAE, PLANE), below=SLIGHT),),
    ),
    Finding(
        "4.11",
        BASELINE,
        "pictures",
        "Reconstructions of live faces, DCVAE",
        "Glasses are gone in the reconstructions.",
        (
            _one(
                "pixel error of live faces with glasses above that of those without, AUC",
                _auc(BASELINE, "pixel_l2", GLASSES),
                above=CHANCE,
            ),
        ),
        "live",
    ),
    Finding(
        "4.12",
        BASELINE,
        "pictures",
        "Reconstructions of seen paper, DCVAE",
        "Paper in front of other backgrounds than the training's is not reconstructed.",
        (
            _one(
                "pixel error of seen paper above that of live faces, AUC",
                _auc(BASELINE, "pixel_l2", "seen_paper"),
                above=CHANCE,
            ),
        ),
        "seen_paper",
    ),
    Finding(
        "4.13",
        BASELINE,
        "pictures",
        "Reconstructions of unseen paper, DCVAE",
        "The model somewhat fails at reconstructing unseen paper.",
        (
            _one(
                "pixel error of unseen paper above that of live faces, AUC",
                _auc(BASELINE, "pixel_l2", "unseen_paper"),
                above=CHANCE,
            ),
        ),
        "unseen_paper",
    ),
    Finding(
        "4.14",
        RESVAE,
        "pictures",
        "Reconstructions of seen masks, ResVAE",
        "Seen masks are reconstructed better than some of the paper.",
        (
            _improves(
                "pixel error, seen paper less seen masks, in AUC",
                _by(RESVAE, "pixel_l2", ("seen_paper",)),
                _by(RESVAE, "pixel_l2", ("seen_mask",)),
            ),
        ),
        "seen_mask",
    ),
    Finding(
        "4.15",
        RESVAE,
        "pictures",
        "Reconstructions of unseen masks, ResVAE",
        "Unseen masks are reconstructed worse than seen ones.",
        (
            _improves(
                "pixel error, unseen less seen masks, in AUC",
                _by(RESVAE, "pixel_l2", ("unseen_mask",)),
                _by(RESVAE, "pixel_l2", ("seen_mask",)),
            ),
        ),
        "unseen_mask",
    ),
    Finding(
        "4.16",
        GANOMALY,
        "groups",
        "Precision and recall of GANomaly, seen paper and seen masks",
        "The most obvious attacks are paper: its precision is higher at low recall.",
        (
            Claim(
                "share found where at most 5 % of live faces are rejected, seen paper less seen masks",
                mean_of(
                    [Cell(GANOMALY, "pixel_l2", "seen_paper", "found")],
                    [Cell(GANOMALY, "pixel_l2", "seen_mask", "found")],
                ),
                above=0,
            ),
        ),
    ),
    Finding(
        "4.17",
        GANOMALY,
        "samples",
        "Samples of GANomaly with label and anomaly score",
        "Attacks have higher anomaly scores, by a little.",
        (
            Claim(
                "pixel error of seen paper and seen masks above that of live faces, AUC",
                mean_of(_by(GANOMALY, "pixel_l2", ("seen_paper", "seen_mask"))),
                above=CHANCE,
            ),
        ),
    ),
    Finding(
        "4.18",
        GANOMALY,
        "groups",
        "ROC of GANomaly, seen paper and seen masks",
        "The area under the curve is higher for paper than for masks.",
        (
            _improves(
                "pixel error, seen paper less seen masks, in AUC",
                _by(GANOMALY, "pixel_l2", ("seen_paper",)),
                _by(GANOMALY, "pixel_l2", ("seen_mask",)),
            ),
        ),
    ),
)
