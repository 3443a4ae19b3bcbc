from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fas_core import datahealth, evaluation, scores, store
from fas_core.errors import BadInputError
from tests.conftest import tiny_samples, write_image_run


def test_every_cell_matches_its_own_samples(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    document = evaluation.evaluated(run)
    assert document["run"] == run.id
    assert {"rec", "kl", "elbo", "pixel_l2", "gmm_nll"} == set(document["scores"])
    samples = run.samples(["subset", "label", "rec"])
    for subset, cell in document["scores"]["rec"].items():
        part = samples[samples["subset"] == subset]
        attack = part["label"] == "attack"
        assert (cell["n_bona_fide"], cell["n_attack"]) == ((~attack).sum(), attack.sum())
        if attack.any():
            assert cell["roc_auc"] == pytest.approx(roc_auc_score(attack, part["rec"]), abs=1e-12)
        else:
            assert cell["roc_auc"] is None
            assert cell["eer"] is None


def test_one_class_asked_for_by_name_is_refused(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    with pytest.raises(BadInputError, match=r"Subset 'live' of Run a holds only bona fide samples \(4\)"):
        evaluation.evaluated(run, "rec", "live")
    with pytest.raises(BadInputError, match="no subset 'nowhere'. Subsets: train, live"):
        evaluation.evaluated(run, "rec", "nowhere")
    with pytest.raises(BadInputError, match="no score 'ssim'. Scores: "):
        evaluation.evaluated(run, "ssim")


def test_images_without_output_are_counted_never_scored(tmp_path: Path) -> None:
    samples = tiny_samples()
    run = write_image_run(tmp_path, "a", samples, shard_size=100)
    lost = samples[samples["subset"] == "seen_paper"].iloc[[0, 5]].assign(reason="truncated")
    rest = run.samples()[lambda t: (t["subset"] == "seen_paper") & ~t["sample_id"].isin(lost["sample_id"])]
    shard = run.folder / "seen_paper" / "shard-00000"
    (shard / "meta.json").unlink()
    for file in shard.iterdir():
        file.unlink()
    shard.rmdir()
    empty = np.zeros((len(rest), 32, 32), np.uint8)
    latents = np.zeros((len(rest), 8), np.float32)
    store.write_shard(shard, rest, lost, latents=latents, inputs=empty, reconstructions=empty)
    run = store.opened(run.folder)
    cell = evaluation.evaluated(run, "rec")["scores"]["rec"]["seen_paper"]
    assert cell["n_non_response"] == {"bona_fide": 1, "attack": 1}
    assert (cell["n_bona_fide"], cell["n_attack"]) == (2, 2)
    assert any("2 images gave no output" in finding for finding in datahealth.findings(run, run.samples()))


def test_pooling_is_the_union(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    both = evaluation.pooled_score_set(run, scores.values(run, "rec"), ["seen_paper", "unseen_mask"])
    assert list(both.attacks) == ["mask", "paper"]
    assert (both.n_bona_fide, both.n_attack) == (6, 6)


def test_leaks_are_found(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    samples = run.samples()
    assert datahealth.findings(run, samples) == []
    leaked = samples.assign(subject_id="s0")
    assert any("1 subjects of training also occur in the unseen" in f for f in datahealth.findings(run, leaked))
    twice = pd.concat([samples, samples[samples["subset"] == "live"].assign(subset="seen_paper")])
    assert any("4 samples are in live and seen_paper at once" in f for f in datahealth.findings(run, twice))
