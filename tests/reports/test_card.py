import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.deciding import card, tested
from fas_core.deciding.card_states import Event, History
from fas_core.evaluation.words import rate_text
from fas_core.metrics import limits
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.uncertainty import UnitInterval, zero_error_upper_bound
from fas_core.reports import card as cardpage
from fas_core.reports.pdf import pdf
from fas_core.runs.scorefile import scores_only_run
from fas_core.runs.store import Run
from tests.conftest import learned_samples, tiny_samples, write_image_run

from .test_pdf import pages


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
    facts += (content.sha256, "Not recorded attack potential, who presented", "Non-responses bona fide 0, attacks 0")
    for part in facts:
        assert part in text, part
    cell = content.reported_together
    for name, apcer in cell.apcer_per_species.items():
        assert re.search(rf"{name} 3 3 {100 * (apcer or 0):.0f} %", text)
    assert "Optimistic" not in text
    assert "The Run of this card is gone" in read(cardpage.page(content, None))[0]
    changed = read(cardpage.page(replace(content, run_digest="0" * 64), run))[0]
    assert "The Run of this card has changed since" in changed
    assert "Presented" not in changed  # what its samples say is not about this card
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


def test_who_approves_what_he_decided_is_said(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", tiny_samples())
    content = card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper"], by="Ada")
    for by, is_same in (("ada ", True), ("Eve", False)):
        approved = History((Event("approved", by, "pilot", "2026-11-29T21:00:00+00:00", "", ""),))
        html = cardpage.page(content, run, approved)
        assert ("nobody else has looked" in html) == is_same
    assert "frozen before reporting" not in html  # which nobody can know
    assert "whether anybody had looked at those before is not recorded" in html


def test_one_class_has_no_curve(tmp_path: Path) -> None:
    run = scores_only_run(
        tmp_path, "v", tiny_samples()[["sample_id", "label", "pai_species", "subset"]].assign(score=1.0), ["score"], "v"
    )
    content = card.card(run, "score", op.rule("threshold=1"), [], ["live"])
    assert "No attack was tested" in read(cardpage.page(content, run))[0]
    assert "there is no curve" in read("".join(cardpage.sections(content, run)))[0]


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


N, SPECIES = 6000, [f"species number {i:02d}" for i in range(20)]
SUBSETS = [f"test_{i}" for i in range(6)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twenty species of five materials each, seven subsets, people and presenters, groups that differ."""
    rng = np.random.default_rng(0)
    is_attack = rng.random(N) < 0.6

    def of_attacks(names: list[str]) -> np.ndarray:
        return np.where(is_attack, rng.choice(names, N), "")

    rows = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(N)],
            "label": np.where(is_attack, "attack", "bona_fide"),
            "pai_species": of_attacks(SPECIES),
            "subset": rng.choice(["dev", *SUBSETS], N),
            "subject_id": [f"p{i}" for i in rng.integers(0, 200, N)],
            "pai_detail": of_attacks([f"{what} of a long name" for what in ("latex", "wood", "wax", "paper", "gel")]),
            "presenter": of_attacks(["Ann", "Bob", "Cy"]),
            "sex": rng.choice(["f", "m", "", ""], N),
            "age": rng.choice(["young", "old"], N),
            "score": rng.normal(1.5 * is_attack, 1),
        }
    )
    rows["score"] += 0.8 * (rows["sex"] == "f") + 0.7 * (rows["age"] == "old")
    return scores_only_run(tmp_path_factory.mktemp("large"), "a system of a rather long name", rows, ["score"], "v")


@pytest.mark.parametrize("rule", ["bpcer<=0.05", "apcer<=0.5@95", "cost", "threshold=1"])
def test_however_much_there_is_to_say_it_is_two_pages_that_say_what_the_card_says(large: Run, rule: str) -> None:
    costs = Costs(1e5, {name: Share(0.001, 0.0003, 0.003) for name in SPECIES}, 500, 1) if rule == "cost" else None
    by_hand = rule.startswith("threshold")
    content = card.card(
        large, "score", op.rule(rule), [] if by_hand else ["dev"], SUBSETS, costs=costs,
        asked=op.rule("bpcer<=0.3"), feared=SPECIES[3:6], by="Ana María", note="note " * 200,
    )  # fmt: skip
    states = ("approved", "superseded", "withdrawn")
    decided = tuple(Event(state, "Łukasz", "why " * 400, "2026-11-29T21:00:00+00:00", "", "") for state in states)
    html = cardpage.page(content, large, History(decided))
    first, second = pages(pdf(html))
    assert first.startswith(f"Operating point of {large.info.name}, score")
    said = f"{cardpage.verdict(content)}. {cardpage.answer(content)}"
    assert "Judged per frame, at the threshold" in said
    assert re.sub(r"[-\s]", "", said) in re.sub(r"[-\s\ufffe]", "", first)  # lines end anywhere
    for name, target in (content.targets or {}).items():
        upper = limits.share_text(target.upper95 or 0, target.limit)
        held = limits.standing_words(target)
        assert re.search(rf"{name} .*? {upper} {held}", first), name
    named = [first.index(f" {name} {content.reported_together.n_per_species[name]} ") for name in SPECIES[3:6]]
    worst = content.reported_together.apcer_worst or ""
    assert (
        max(named) < first.index(f" {worst} {content.reported_together.n_per_species[worst]} ") or worst in SPECIES[3:6]
    )
    assert ("Expected cost" in first) == (rule == "cost")
    behind = tested.evidence(content, large)
    assert f"Not stated. Of the reported samples: sex {100 * behind.unstated['sex']:.0f} %." in first
    assert "No column says: session, skin tone, capture device, lighting." in first
    assert {by.column for by, _ in behind.gaps} >= {"sex", "age"}
    of_attacks = [gap.species is not None for _, gap in behind.gaps]
    assert of_attacks == sorted(of_attacks)  # customers first
    if rule.startswith("bpcer"):  # though another gap is larger
        assert max(gap.difference for _, gap in behind.gaps) > behind.gaps[0][1].difference
    by_group, gap = behind.gaps[0]
    assert re.sub(r"\s", "", f"Live, by {by_group.column} {by_group.words(gap)}") in re.sub(r"\s", "", first)
    assert ("Attacks, by" in first) == any(of_attacks)
    assert "more than chance explains" in first
    for text in (content.sha256, large.digest, *(f"{state} by Łukasz" for state in states), "Decided Ana María"):
        assert text in second, text
    for page in (first, second):
        assert f"seal {content.sha256[:16]}" in page


def test_columns_of_layouts_answer_what_is_asked_and_those_of_own_steps_are_no_groups(tmp_path: Path) -> None:
    rows = tiny_samples()[["sample_id", "label", "pai_species", "subset"]].assign(score=1.0, device="webcam")
    is_attack = (rows["label"] == "attack").to_numpy()
    second = np.arange(len(rows)) % 2 == 1
    rows["light"] = np.where(second, "adverse", "controlled")
    for name in ("instrument", "support"):
        rows[name] = np.where(is_attack, np.where(second, "a", "b"), "")
    for name in ("box_x", "face_score", "right_eye_y", "face_sharpness", "pose_x", "camera_tilt"):
        rows[name] = second + 0.5
    rows["training_use"] = ""
    run = scores_only_run(tmp_path, "v", rows, ["score"], "v")
    behind = tested.evidence(card.card(run, "score", op.rule("threshold=1"), [], ["live", "seen_paper"]), run)
    assert set(behind.columns) == {"light", "instrument", "support"}
    assert behind.unstated == {}
    assert behind.absent == ("subject_id", "session_id", "sex", "age", "skin_tone")


def test_the_test_plan_counts_what_was_presented(large: Run) -> None:
    content = card.card(large, "score", op.DEFAULT, ["dev"], ["test_0", "test_1"])
    rows = large.samples(["subset", "label", "pai_species", "subject_id", "pai_detail", "presenter"])
    rows = rows[rows["subset"].isin(["test_0", "test_1"])].astype(str)
    kinds = {kind.name: kind for kind in tested.evidence(content, large).kinds}
    assert sorted(kinds) == ["", *SPECIES]
    assert (kinds[""].materials, kinds[""].presenters) == (None, None)
    assert kinds[""].n == (rows["label"] == "bona_fide").sum()
    for name in SPECIES[:3]:
        of_species = rows[rows["pai_species"] == name]
        each = of_species["subject_id"].value_counts()
        assert kinds[name].n == len(of_species)
        assert kinds[name].n_subjects == len(each)
        assert kinds[name].per_subject == (each.min(), each.median(), each.max())
        assert kinds[name].materials == of_species["pai_detail"].value_counts().to_dict()
        assert set(kinds[name].presenters or ()) == set(of_species["presenter"])
    dev = set(large.samples(["subset", "subject_id"]).query("subset == 'dev'")["subject_id"])
    shared = {"choosing the threshold": len(dev & set(rows["subject_id"]))}
    assert tested.evidence(content, large).shared == shared
