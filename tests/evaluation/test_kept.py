"""What is kept of large Runs is what would be computed, to the last digit, and is computed once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app import ready
from app.components import threshold as component
from app.deciding import panel
from app.latent import improbable, mixture_sizes
from app.looking import around
from app.overview import pictures
from app.parts import standing
from app.session import apart, cache
from app.session.sidebar import Shown
from app.views import losses
from fas_core import derive, scores
from fas_core.bench import synthetic
from fas_core.evaluation import kept, presentations, ranking, run_metrics, transfers
from fas_core.evaluation.join import System
from fas_core.latent import mixture
from fas_core.metrics.operating_point import DEFAULT
from fas_core.runs import health


def test_numbers_that_are_kept_are_those_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.write_run(tmp_path, 900, pixels=0)
    decided = presentations.presentations(run, scores.values(run, "elbo"))
    of, subsets = kept.Kept(run, decided), ["seen_paper", "unseen_mask"]
    computed = of.rates(subsets, 140.0), of.auc_interval(subsets), of.auc_interval(subsets, "mask")
    nobody = of.auc_interval(["train"])
    assert not (tmp_path / "memo").exists()  # a small Run
    monkeypatch.setattr(kept, "LARGE", 0)
    for _ in range(2):
        assert (of.rates(subsets, 140.0), of.auc_interval(subsets), of.auc_interval(subsets, "mask")) == computed
        assert of.auc_interval(["train"]) is nobody is None
        for name in ("rates_at", "auc_interval"):
            monkeypatch.setattr(run_metrics, name, lambda *_: pytest.fail("computed again"))
    with pytest.raises(pytest.fail.Exception):  # of other scores
        kept.Kept(run, presentations.presentations(run, scores.values(run, "rec"))).rates(subsets, 140.0)


def test_the_panel_of_the_threshold_is_the_same_when_it_was_kept(tmp_path: Path) -> None:
    run = synthetic.write_run(tmp_path, 300, pixels=0)
    decided = presentations.presentations(run, scores.values(run, "rec"))
    made = component.prepared(panel.cells(decided, tuple(run.subsets)), reported=["seen_paper"])
    again = component.of_arrays({name: np.array(array) for name, array in component.arrays_of(made).items()})
    assert again.key == made.key
    assert again.numbers == made.numbers
    assert again.json["groups"][-1]["auc"] == made.json["groups"][-1]["auc"]


def test_the_panel_of_a_large_run_is_made_beside_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.write_run(tmp_path, 300, pixels=0)
    asked = Shown(run, tuple(run.subsets), "rec", "frame"), ("seen_paper",), None
    made, there = panel.panel_of(*asked), []
    monkeypatch.setattr(kept, "LARGE", 0)
    monkeypatch.setattr(apart, "LARGE", 0)
    monkeypatch.setattr(apart, "called", lambda function, of: there.append(of) or function(*of))
    for _ in range(2):
        cache.clear()
        assert panel.panel_of(*asked).numbers == made.numbers
    assert len([of for of in there if of == asked]) == 1, "what is kept was made again"
    cache.clear()


def test_what_the_overview_says_of_a_large_run_is_kept_when_it_is_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = synthetic.write_run(tmp_path, 900, pixels=0)
    monkeypatch.setattr(kept, "LARGE", 0)
    monkeypatch.setattr(presentations.columns, "FEW", 1)
    assert not health.is_looked_through(run)
    derive.keep_numbers(run)
    assert health.is_looked_through(run)
    assert presentations.are_suggested(run)
    monkeypatch.setattr(health, "_samples_in_two_subsets", lambda _: pytest.fail("looked for again"))
    assert health.samples_in_two_subsets(run) == []
    score = scores.usual(scores.offered(run))
    decided = presentations.presentations(run, scores.values(run, score))
    threshold = decided.threshold_by(DEFAULT, ["live"])
    reported = [name for name in run.subsets if name not in ("train", "live")]
    for name in ("rates_at", "auc_interval"):
        monkeypatch.setattr(run_metrics, name, lambda *_: pytest.fail("computed again"))
    of = kept.Kept(run, decided)
    assert of.rates(reported, threshold).bpcer_interval is not None
    assert of.rates(["live"], threshold).n_bona_fide == 90
    assert of.auc_interval(reported, "paper") is not None  # the hardest
    assert of.auc_interval(["seen_paper"]) is not None


def test_what_pages_of_scores_open_with_is_kept_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.write_run(tmp_path, 900, pixels=0)
    subsets, tested = tuple(run.subsets), tuple(name for name in run.subsets if name != "train")
    offered = scores.offered(run)
    shown = Shown(run, subsets, scores.usual(offered), "frame")
    names = losses.few(losses.best_first(losses.of_scores(shown, offered), offered), shown.score)
    computed = [(losses.measured(run, name, tested), losses.distribution(run, name, subsets)) for name in names]
    monkeypatch.setattr(around, "MOST", 300)
    drawn_around, percents = around.of_subsets(run, subsets), standing.percents(run, "rec", [99.0, 101.0])
    reported = tuple(name for name in tested if name != "live")
    threshold = presentations.presentations(run, scores.values(run, shown.score)).threshold_by(DEFAULT, ["live"])
    of_overview = [made(shown, reported, threshold) for made in (pictures.distributions, pictures.examples_of)]
    assert set(of_overview[1]) == {pictures.TYPICAL, pictures.MISSED, pictures.REJECTED}
    monkeypatch.setattr(kept, "LARGE", 0)
    monkeypatch.setattr(panel, "EXACT_TO", 0)
    cache.clear()
    ready.keep(run)
    for module, name in (
        (ranking, "ranking"),
        (losses.run_charts, "run_curves"),
        (losses.ridges, "binned"),
        (transfers, "presentations"),
    ):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("computed again"))
    monkeypatch.setattr(standing, "classes", lambda _: pytest.fail("computed again"))
    monkeypatch.setattr(around.columns, "factor", lambda *_: pytest.fail("computed again"))
    for module, name in ((panel, "prepared"), (pictures, "examples"), (pictures.readers, "groups")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("computed again"))
    cache.clear()
    for name, ((ranked, curves), (drawn, moments)) in zip(names, computed, strict=True):
        ranked_again, curves_again = losses.measured(run, name, tested)
        assert ranked_again == ranked
        for field, value in vars(curves).items():
            np.testing.assert_array_equal(getattr(curves_again, field), value)
        drawn_again, moments_again = losses.distribution(run, name, subsets)
        assert drawn_again == drawn
        pd.testing.assert_frame_equal(moments_again, moments)
    again = around.of_subsets(run, subsets)
    assert again.groups.tolist() == drawn_around.groups.tolist()
    assert again.n == 900
    np.testing.assert_array_equal(again.xy, drawn_around.xy)
    assert standing.percents(run, "rec", [99.0, 101.0]) == percents
    assert sum(standing.sizes(run, "rec").values()) == 900
    assert transfers.matrix([System(run, shown.score)]).tested_on == ("synthetic",)
    assert panel.panel_of(shown, reported, None).key
    assert of_overview == [made(shown, reported, threshold) for made in (pictures.distributions, pictures.examples_of)]
    assert len(pictures.cards(shown, of_overview[1])) == 3
    cache.clear()


def test_what_likelihood_opens_with_is_kept_and_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.write_run(tmp_path, 300, pixels=0, dimensions=4)
    mixture.likelihoods(run, 8)
    shown, asked = Shown(run, tuple(run.subsets), "rec", "frame"), (run, 8, "diag", mixture.RAW)
    computed = improbable.told(*asked, shown.subsets)
    by_number = mixture_sizes.criteria(run, (8,), "diag", mixture.RAW)
    assert by_number.index.tolist() == [8]
    assert computed.numbers.n_attack == {"mask": 34, "paper": 34}
    assert computed.numbers.n_live == 110
    monkeypatch.setattr(kept, "LARGE", 0)
    cache.clear()
    ready.keep_likelihood(shown)
    for name in ("per_subset", "likelihoods", "known_likelihoods"):
        monkeypatch.setattr(mixture, name, lambda *_: pytest.fail("computed or read again"))
    cache.clear()
    again = improbable.told(*asked, shown.subsets)
    pd.testing.assert_frame_equal(again.numbers.table, computed.numbers.table)
    assert vars(again.numbers) | {"table": 0} == vars(computed.numbers) | {"table": 0}
    for name, part in vars(computed.histograms).items():
        np.testing.assert_array_equal(getattr(again.histograms, name), part)
    pd.testing.assert_frame_equal(mixture_sizes.criteria(run, (8,), "diag", mixture.RAW), by_number)
    cache.clear()
