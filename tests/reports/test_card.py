import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from fas_core.evaluation import card
from fas_core.evaluation.words import rate_text
from fas_core.metrics import operating_point as op
from fas_core.metrics.uncertainty import UnitInterval, zero_error_upper_bound
from fas_core.reports import card as cardpage
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import learned_samples, tiny_samples, write_image_run


class Text(HTMLParser):
    """What a reader sees, and the tags that could fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "link", "iframe", "object", "a"):
            self.active.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> tuple[str, list[str]]:
    parser = Text()
    parser.feed(html)
    return " ".join(" ".join(parser.words).split()), parser.active


def test_it_states_what_a_test_report_should(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples(), seed=1)
    content = card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper", "unseen_mask"], by="Ada", note="why")
    text, active = read(cardpage.page(content, run))
    assert active == []
    assert "default-src 'none'" in cardpage.page(content, run)
    facts = ("by Ada", "why", "bpcer<=0.05", "live (chosen here)", "all reported", "mask 3, paper 3", run.id)
    facts += (content.sha256, "Attack potential not recorded", "Non-responses bona fide 0, attacks 0")
    for part in facts:
        assert part in text, part
    cell = content.reported_together
    for name, apcer in cell.apcer_per_species.items():
        assert re.search(rf"{name} 3 3 {100 * (apcer or 0):.0f} %", text)
    assert "Optimistic" not in text
    assert "The Run of this card is gone" in read(cardpage.page(content, None))[0]
    optimistic = card.card(run, "rec", op.rule("threshold=110"), [], ["seen_paper"])
    assert "Optimistic." in read(cardpage.page(optimistic, run))[0]


def test_text_of_files_and_people_is_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    samples = tiny_samples()
    samples["subject_id"] = samples["subject_id"] + evil
    samples["pai_species"] = samples["pai_species"].replace("mask", f"mask{evil}")
    run = write_image_run(tmp_path, f"a{evil}", samples, seed=1)
    content = card.card(run, "rec", op.rule("threshold=1000"), [], ["unseen_mask"], by=evil, note=evil)
    text, active = read(cardpage.page(content, run))
    assert active == []
    assert text.count(evil) >= 6


def test_no_error_is_never_said_without_what_it_allows() -> None:
    assert rate_text(0.0, UnitInterval(0.0, 0.024, "subject", 150, "bootstrap", 2000)) == "0.0 % (≤ 2.0 %)"
    assert zero_error_upper_bound(150) < 0.02 < 0.024
    assert rate_text(0.25, UnitInterval(0.1, 0.5, "subject", 20, "bootstrap", 2000)) == "25 % (10–50)"
    assert rate_text(1.0, UnitInterval(0.914, 1.0, "subject", 41, "clopper_pearson", 0)) == "100 % (≥ 93 %)"
    assert rate_text(None, None) == "–"


def test_one_class_has_no_curve(tmp_path: Path) -> None:
    run = scores_only_run(
        tmp_path, "v", tiny_samples()[["sample_id", "label", "pai_species", "subset"]].assign(score=1.0), ["score"], "v"
    )
    content = card.card(run, "score", op.rule("threshold=1"), [], ["live"])
    text, _ = read(cardpage.page(content, run))
    assert "there is no curve" in text
    assert "No attack was tested" in text


def test_a_card_on_learned_images_is_marked(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", learned_samples(), seed=1)
    content = card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper"])
    html = cardpage.page(content, run)
    assert "On learned images. 3 of 10 test images, of 3 subjects" in read(html)[0].replace("  ", " ")
    [warning] = content.warnings or ()
    evil = replace(content, warnings=(replace(warning, message="<img src=x>"),))
    assert read(cardpage.page(evil, run))[1] == []
    before = replace(card.card(run, "rec", op.rule("threshold=110"), [], ["unseen_mask"]), warnings=None)
    assert "Optimistic." in read(cardpage.page(before, run))[0]
