"""The report: whole, closed to the outside, and silent about faces where it is asked to be."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fas_core.errors import BadInputError
from fas_core.evaluation import card, run_metrics
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System
from fas_core.metrics import operating_point as op
from fas_core.metrics.resampling import Statistic
from fas_core.reports import report
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples, write_image_run


class Page(HTMLParser):
    """What a reader sees, and what a browser would fetch or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.sources: list[str] = []
        self.active: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "object", "a", "form", "base"):
            self.active.append(tag)
        given = dict(attrs)
        self.sources += [str(given[name]) for name in ("src", "href", "xlink:href") if name in given]
        self.active += [name for name in given if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def images(self) -> list[np.ndarray]:
        prefix = "data:image/png;base64,"
        return [
            np.asarray(Image.open(io.BytesIO(base64.b64decode(source.removeprefix(prefix))))) for source in self.sources
        ]


@pytest.fixture
def runs(tiny_cache: Path) -> tuple[store.Run, store.Run]:
    return store.open_run(tiny_cache, "a"), store.open_run(tiny_cache, "b")


def test_it_holds_figures_card_comparison_images_and_hashes(runs: tuple[store.Run, store.Run]) -> None:
    a, b = runs
    content = card.card(a, "rec", op.DEFAULT, ["live"], ["seen_paper", "unseen_mask"])
    html = report.page(System(a, "rec"), card=content, others=[System(b, "rec")])
    page = Page(html)
    for part in (
        "Distribution of each loss",
        "Precision and recall of each loss",
        "Latent space",
        "component 1 (",
        "UMAP is not kept",
        "Curves of every subset",
        "Target against outcome",
        content.sha256,
        "Compared: A a by rec, B b by rec",
        "Reconstructions",
        a.info.checkpoint_sha256,
        a.info.manifest_sha256,
        a.digest,
        b.digest,
        "numpy 2.",
    ):
        assert part in page.text, part
    cell = run_metrics.evaluated(a, "rec", "unseen_mask").as_json()["scores"]["rec"]["unseen_mask"]
    assert f"unseen_mask, AUC {cell['roc_auc']:.3f}" in page.text
    comparison = compared(System(a, "rec"), System(b, "rec"), resamples=1000).as_json()
    for sentence in comparison["in_words"]:
        assert sentence in page.text
    assert f"AUC {comparison['metrics']['roc_auc']['a']:.3f}" in page.text


def test_it_loads_and_runs_nothing(runs: tuple[store.Run, store.Run]) -> None:
    html = report.page(System(runs[0], "rec"))
    page = Page(html)
    assert page.active == []
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not re.search(r"https?://|url\((?!#)|@import", html)


def test_images_are_those_of_the_run(runs: tuple[store.Run, store.Run]) -> None:
    a = runs[0]
    page = Page(report.page(System(a, "rec")))
    images = page.images()
    inputs, outputs = (a.images(name, np.arange(len(a))) for name in ("inputs", "reconstructions"))
    ids = a.samples(["sample_id"])["sample_id"].tolist()
    shown = [row for row, name in enumerate(ids) if name in page.words]
    assert len(images) == 3 * len(shown) > 0
    for row, original, reconstruction in zip(shown, images[::3], images[1::3], strict=True):
        np.testing.assert_array_equal(original, inputs[row])
        np.testing.assert_array_equal(reconstruction, outputs[row])
    rows = a.samples(["subset", "label"]).iloc[shown]
    for subset in ("seen_paper", "unseen_mask"):
        assert set(rows[rows["subset"] == subset]["label"]) == {"bona_fide", "attack"}


def test_pixelated_faces_cannot_be_told_and_nobody_is_named(runs: tuple[store.Run, store.Run]) -> None:
    a = runs[0]
    page = Page(report.page(System(a, "rec"), pixelated=True))
    for image in page.images():
        blocks = image.reshape(8, 4, 8, 4, -1)
        assert (blocks == blocks[:, :1, :, :1]).all()
    for name in a.samples(["sample_id"])["sample_id"]:
        assert name not in page.text
    first = a.images("inputs", [0])[0].reshape(8, 4, 8, 4).mean((1, 3))
    np.testing.assert_array_equal(page.images()[0].reshape(8, 4, 8, 4)[:, 0, :, 0], np.rint(first))
    assert Page(report.page(System(a, "rec"), with_images=False)).sources == []


def test_text_of_files_is_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    samples = tiny_samples()
    samples["sample_id"] = samples["sample_id"] + evil
    samples["pai_species"] = samples["pai_species"].replace("mask", f"mask{evil}")
    run = write_image_run(tmp_path, f"a{evil}", samples, seed=1)
    page = Page(report.page(System(run, "rec"), others=[System(run, "kl")]))
    assert page.active == []
    assert all(source.startswith("data:") for source in page.sources)
    assert page.text.count(evil) > 10


def test_scores_only_runs_have_a_report_without_images(tiny_cache: Path) -> None:
    vendor = store.open_run(tiny_cache, "vendor")
    page = Page(report.page(System(vendor, "score"), others=[System(store.open_run(tiny_cache, "a"), "rec")]))
    assert page.sources == []
    assert "Latent space" not in page.text
    assert "scores only" in page.text
    assert "Compared: A vendor by score, B a by rec" in page.text


def test_a_comparison_is_reported_by_the_rule_and_on_the_subsets_asked_for(runs: tuple[store.Run, store.Run]) -> None:
    a, b = (System(run, "rec") for run in runs)
    html = report.page(a, others=[b], rule=op.rule("bpcer<=0.25"), chosen_on=["live"], with_images=False)
    comparison = compared(a, b, op.rule("bpcer<=0.25"), chosen_on=["live"], resamples=1000)
    page = Page(html)
    for sentence in comparison.in_words:
        assert sentence in page.text
    assert "thresholds taken as given: BPCER ≤ 25 % chosen on live, fixed." in page.text
    assert f"{comparison.n_common:,} samples in both" in page.text
    [label] = re.findall(r"aria-label='(AUC: A [^']*|live rejected: A [^']*)'", html)
    bpcer = comparison.metrics[Statistic("bpcer")]
    assert label.startswith(f"live rejected: A {100 * (bpcer.a or 0):.0f} %, B {100 * (bpcer.b or 0):.0f} %")


def test_one_class_has_no_curves(tmp_path: Path) -> None:
    table = tiny_samples()[["sample_id", "label", "pai_species", "subset"]].assign(score=1.0)
    run = scores_only_run(tmp_path, "v", table[table["label"] == "bona_fide"], ["score"], "v")
    assert "No subset holds both classes" in Page(report.page(System(run, "score"))).text


def test_a_card_of_another_run_is_refused(runs: tuple[store.Run, store.Run]) -> None:
    content = card.card(runs[1], "rec", op.DEFAULT, ["live"], ["seen_paper"])
    with pytest.raises(BadInputError, match="The card is of Run"):
        report.page(System(runs[0], "rec"), card=content)
    with pytest.raises(BadInputError, match="at most 6 Runs"):
        report.page(System(runs[0], "rec"), others=[System(runs[1], "rec")] * 6)
    with pytest.raises(BadInputError, match="A and C are the same Run with the same score"):
        report.page(System(runs[0], "rec"), others=[System(run, "rec") for run in reversed(runs)])
