"""DCVAE on the filtered images: head pose and session outliers, standard scaling only (thesis tables 4.3 and 4.4).

    fas data filter subsets.csv --out filtered.csv
    fas train dcvae_filtered --data filtered.csv --out dcvae_filtered.safetensors

Cost: 60,000 steps of 64 images at full width, two fifths of the baseline: days of a 2022 GPU.
Expect (thesis, figures 4.5 and 4.6): paper further from live than in the baseline, in the losses and in their
precision-recall curves. Only training images are filtered, so part of that is the pose and not the attack.
"""

from dataclasses import replace

from fas_core.training.experiments.dcvae_baseline import EXPERIMENT as BASELINE

EXPERIMENT = replace(BASELINE, name="dcvae_filtered", batches_per_epoch=3_000, epochs=20, filtered=True)
