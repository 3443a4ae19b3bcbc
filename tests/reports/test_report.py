"""The report: whole, closed to the outside, and silent about faces where it is asked to be."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from fas_core import scores
from fas_core.data.names import dev_subsets
from fas_core.deciding import card, decisions
from fas_core.errors import BadInputError
from fas_core.evaluation import run_metrics
from fas_core.evaluation.changes import ALL, SCORE_B, Filter, listed, pair_of
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.join import System
from fas_core.evaluation.sheet import Sheet, comparison
from fas_core.evaluation.summary import headline, summary
from fas_core.evaluation.verdicts import MISSED, REJECTED, RIGHT, verdicts_at
from fas_core.metrics import operating_point as op
from fas_core.reports import report
from fas_core.reports.pdf import pdf
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples, write_image_run

from .test_pdf import pages


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


def of_run(run: store.Run, score: str = "rec", **options: Any) -> str:
    about = summary(System(run, score), op.DEFAULT, chosen_on=dev_subsets(run.subsets))
    return report.page(about, report.Options(**options))


def of_runs(*systems: System, rule: op.Rule = op.DEFAULT, **options: Any) -> str:
    on = dev_subsets(systems[0].run.subsets)
    return report.page(Sheet(comparison(systems, rule, chosen_on=on)), report.Options(**options))


def test_a_decision_comes_first_evidence_behind_it_and_hashes_last(runs: tuple[store.Run, store.Run]) -> None:
    a, b = runs
    content = card.card(a, "rec", op.DEFAULT, ["live"], ["seen_paper", "unseen_mask"])
    html = of_runs(System(a, "rec"), System(b, "rec"), card=content, with_appendix=True)
    page = Page(html)
    places = [
        page.text.index(part)
        for part in (
            "Is B as good as A?",
            "per frame",
            "What got worse: cannot be said",
            "Signature",
            "Every metric",
            "Group by group: ",
            "Samples that changed",
            "Target against outcome",
            content.sha256,
            "Appendix: A, a",
            "Distribution of each loss",
            "component 1 (",
            "UMAP is not kept",
            "Reconstructions",
            "Appendix: B, b",
            "Versions and hashes",
        )
    ]
    assert places == sorted(places)
    assert re.search(r"all mask 3 \d+\.\d \d+\.\d ", page.text)  # shares, too, have the digits of their difference
    for said in (a.info.checkpoint_sha256, a.digest, b.digest, "numpy 2."):
        assert page.text.rindex(said) > places[-1]
    cell = run_metrics.evaluated(a, "rec", "unseen_mask").as_json()["scores"]["rec"]["unseen_mask"]
    assert f"unseen_mask, AUC {cell['roc_auc']:.3f}" in page.text
    assert "Distribution of each loss" not in of_runs(System(a, "rec"), System(b, "rec"))  # only where it is asked for


def test_what_was_decided_stands_on_the_first_page_in_place_of_a_line_to_sign(
    runs: tuple[store.Run, store.Run],
) -> None:
    systems = [System(run, "rec") for run in runs]
    evidence = decisions.by_comparison(compared(*systems, chosen_on=["live"], resamples=50))
    draft = decisions.draft(*evidence, verdict="refused", by="Ada", reason="a leak", conditions=())
    assert "Signature" in pages(pdf(of_runs(*systems)))[0]
    sealed = decisions.keep(draft, runs[1].cache)
    first, *others = pages(pdf(of_runs(*systems)))
    assert first.index(sealed.in_words) < first.index("B (b) cannot be judged")
    assert "Signature" not in first
    assert sealed.sha256 in " ".join(others)
    assert sealed.in_words in Page(of_run(runs[1])).text
    assert "Signature" in Page(of_run(runs[0])).text  # nothing was decided about A


def test_one_run_says_what_the_core_says_and_lists_what_is_wrong(runs: tuple[store.Run, store.Run]) -> None:
    a, _ = runs
    about = summary(System(a, "rec"), op.rule("bpcer<=0.25"), chosen_on=["live"])
    page = Page(report.page(about))
    separates, lets_through = headline(about)
    assert f"({a.id[:6]}), rec per frame" in page.text
    for sentence in (separates, lets_through):
        assert sentence.replace(" ", "") in page.text.replace(" ", "")
    assert about.point is not None
    rows = a.samples(["sample_id", "label", "subset"])
    reported = rows["subset"].isin(["seen_paper", "unseen_mask"]).to_numpy()
    verdicts = verdicts_at(rows["label"], scores.values(a, "rec"), about.point.threshold)
    n_missed, n_rejected = (int((verdicts[reported] == verdict).sum()) for verdict in (MISSED, REJECTED))
    assert f"{n_missed} attacks missed, {n_rejected} live images rejected" in page.text
    wrong = rows["sample_id"][reported & (verdicts != RIGHT)]
    assert len(wrong) > 0
    assert {name for name in rows["sample_id"] if name in page.words} == set(wrong)


def test_it_loads_and_runs_nothing(runs: tuple[store.Run, store.Run]) -> None:
    html = of_runs(System(runs[0], "rec"), System(runs[1], "rec"), with_appendix=True)
    page = Page(html)
    assert page.active == []
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not re.search(r"https?://|url\((?!#)|@import", html)


def test_images_are_those_of_both_runs_at_the_samples_listed(runs: tuple[store.Run, store.Run]) -> None:
    a, b = runs
    sheet = Sheet(comparison([System(a, "rec"), System(b, "rec")], op.rule("bpcer<=0.25"), chosen_on=["live"]))
    by = Filter(verdicts=ALL, classes=("unseen_mask",), order=SCORE_B)
    page = Page(report.page(sheet, report.Options(samples=by)))
    pair = pair_of(sheet, 1)
    rows = listed(pair, by)
    assert len(rows) == 3
    assert [name for name in page.words if name in set(a.samples(["sample_id"])["sample_id"])] == (
        pair.both.samples["sample_id"].iloc[rows].tolist()
    )
    images = page.images()
    assert len(images) == 5 * len(rows)
    for place, row in enumerate(rows):
        for shown, run, kind in ((0, a, "inputs"), (1, a, "reconstructions"), (2, b, "reconstructions")):
            of_run_rows = pair.both.rows[0 if run is a else 1]
            np.testing.assert_array_equal(images[5 * place + shown], run.images(kind, [of_run_rows[row]])[0])


def test_pixelated_faces_cannot_be_told_and_nobody_is_named(runs: tuple[store.Run, store.Run]) -> None:
    a = runs[0]
    page = Page(of_run(a, images=report.PIXELATED, with_appendix=True))
    for image in page.images():
        blocks = image.reshape(8, 4, 8, 4, -1)
        assert (blocks == blocks[:, :1, :, :1]).all()
    for name in a.samples(["sample_id"])["sample_id"]:
        assert name not in page.text
    means = a.images("inputs", np.arange(len(a))).reshape(-1, 8, 4, 8, 4).mean((2, 4))
    first = page.images()[0].reshape(8, 4, 8, 4)[:, 0, :, 0]
    assert any(np.array_equal(first, np.rint(image)) for image in means)
    assert Page(of_run(a, images=report.NO_IMAGES, with_appendix=True)).sources == []


def test_text_of_files_is_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    samples = tiny_samples()
    samples["sample_id"] = samples["sample_id"] + evil
    samples["pai_species"] = samples["pai_species"].replace("mask", f"mask{evil}")
    run = write_image_run(tmp_path, f"a{evil}", samples, seed=1)
    page = Page(of_runs(System(run, "rec"), System(run, "kl"), with_appendix=True))
    assert page.active == []
    assert all(source.startswith("data:") for source in page.sources)
    assert page.text.count(evil) > 10


def test_scores_only_runs_list_ids_instead_of_images(tiny_cache: Path) -> None:
    vendor = store.open_run(tiny_cache, "vendor")
    systems = System(vendor, "score"), System(store.open_run(tiny_cache, "a"), "rec")
    page = Page(of_runs(*systems, with_appendix=True, images=report.AS_THEY_ARE, samples=Filter(verdicts=ALL)))
    assert "vendor: imported from a score file, without images." in page.text
    sheet = Sheet(comparison(systems, chosen_on=dev_subsets(vendor.subsets)))
    assert set(sheet.joined.samples["sample_id"]) <= set(page.words)
    assert "scores only" in page.text


def test_every_printed_page_says_by_what_rule_and_of_which_samples(runs: tuple[store.Run, store.Run]) -> None:
    systems = [System(run, "rec") for run in runs]
    html = of_runs(*systems, rule=op.rule("bpcer<=0.25"), samples=Filter(classes=("unseen_mask",)), with_appendix=True)
    foot = html.split("<footer class='quiet'>")[1].split("</footer>")[0]
    for said in ("A a (", "B b (", "BPCER ≤ 25 % chosen on live, judged on seen paper, unseen mask", "by frame"):
        assert said in foot
    assert "groups by glasses · samples listed: changed, of unseen mask, largest change first · 20" in foot
    printed = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf(html))]
    assert len(printed) > 5
    for text in printed:
        assert "BPCER ≤ 25 % chosen on live" in " ".join(text.split())


def test_one_class_has_no_curves(tmp_path: Path) -> None:
    table = tiny_samples()[["sample_id", "label", "pai_species", "subset"]].assign(score=1.0)
    run = scores_only_run(tmp_path, "v", table[table["label"] == "bona_fide"], ["score"], "v")
    other = scores_only_run(tmp_path, "w", table[table["label"] == "bona_fide"], ["score"], "w")
    assert "one class only: there is no curve" in Page(of_run(run, "score")).text
    assert "one class only: there is no curve" in Page(of_runs(System(run, "score"), System(other, "score"))).text


def test_what_cannot_be_reported_is_said(runs: tuple[store.Run, store.Run]) -> None:
    a, b = (System(run, "rec") for run in runs)
    content = card.card(runs[1], "rec", op.DEFAULT, ["live"], ["seen_paper"])
    with pytest.raises(BadInputError, match="The card is of Run"):
        of_run(runs[0], card=content)
    with pytest.raises(BadInputError, match="At most 6 Runs"):
        comparison([a, *[b] * 6])
    with pytest.raises(BadInputError, match="A and C are the same Run with the same score"):
        comparison([a, b, a])
    with pytest.raises(BadInputError, match="no subset nowhere. Its subsets: train, live"):
        comparison([a, b], subsets=["nowhere"])
    with pytest.raises(BadInputError, match="no groups by 'mood'. Columns with groups: subset"):
        of_runs(a, b, groups_by="mood")
