"""The threshold component: what is counted and drawn in the browser is what the core says, and who hears of it when."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Locator, expect

from fas_core import metrics
from fas_core.deciding import card
from fas_core.evaluation import run_metrics
from fas_core.evaluation.presentations import presentations
from fas_core.metrics import limits, operating_point
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

from .conftest import Tab

THRESHOLD = ".hold input"


def rows_with_ties() -> pd.DataFrame:
    """Scores of two decimals, so that most of them occur several times; two infinite ones, three missing."""
    rng = np.random.default_rng(0)
    n = 400
    label = np.where(np.arange(n) % 2, "attack", "bona_fide")
    species = np.where(label == "attack", np.array(["paper", "mask", "<b>odd"])[rng.integers(0, 3, n)], "")
    score = np.round(rng.normal(0, 0.5, n) + (label == "attack") * (species == "mask") * 0.8, 2)
    score[[200, 201, 210, 220, 231]] = [np.inf, -np.inf, np.nan, np.nan, np.nan]
    return pd.DataFrame(
        {
            "sample_id": [f"{i:03d}" for i in range(n)],
            "label": label,
            "pai_species": species,
            "subset": np.where(np.arange(n) < 100, "dev", "test"),
            "subject_id": [f"s{i % 23}" for i in range(n)],
            "score": score,
        }
    )


@pytest.fixture(scope="module")
def address(cache: Path) -> str:
    scores_only_run(cache, "ties", rows_with_ties(), ["score"], "")
    return f"threshold?run=ties+({store.open_run(cache, 'ties').id[:6]})"


@pytest.fixture(scope="module")
def reported() -> metrics.ScoreSet:
    """Of a threshold that is set by hand: what a rule chosen on dev would be reported on."""
    rows = rows_with_ties()[lambda table: table["subset"] == "test"]
    return metrics.score_set(rows["score"], rows["label"] == "attack", list(rows["pai_species"]))


def pooled_of(rows: pd.DataFrame, subset: str) -> metrics.ScoreSet:
    here = rows[rows["subset"] == subset]
    return metrics.score_set(here["score"], here["label"] == "attack", list(here["pai_species"]))


def answer(tab: Tab) -> Locator:
    return tab.page.locator("p.answer")


def type_threshold(tab: Tab, text: str) -> None:
    field = tab.page.locator(THRESHOLD)
    field.fill(text)
    field.press("Enter")
    tab.settle()


def table(tab: Tab, title: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    heading = tab.page.get_by_role("heading", name=title)
    rows = heading.locator("xpath=..").locator("tbody tr")
    return [row.locator("td").all_inner_texts() for row in rows.all()]


def number(text: str) -> int:
    return int(text.split(" ")[0].replace(",", ""))


def test_counts_are_those_of_the_core(tab: Tab, address: str, reported: metrics.ScoreSet) -> None:
    tab.open(address)
    answered = np.unique(np.concatenate([reported.bona_fide, reported.pooled]))
    finite = answered[np.isfinite(answered)]
    tied = float(finite[len(finite) // 2])
    for threshold in (tied, float(np.nextafter(tied, np.inf)), float(finite[-1]), 0.333, float(finite[1])):
        type_threshold(tab, repr(threshold))
        expected = metrics.rates_at(reported, threshold)
        counts = expected.counts
        shown = [[number(cell) for cell in row[1:]] for row in table(tab, "Decisions")]
        assert shown == [[counts.tn, counts.fp], [counts.fn, counts.tp]]
        species = {row[0].lstrip("\u2606"): row for row in table(tab, "Attacks by species")}
        assert set(species) == set(reported.attacks)
        for name, entry in expected.apcer_ci95_per_species.items():
            assert species[name][3] == f"{entry.k} of {entry.n}"
        order = sorted(reported.attacks, key=lambda name: -expected.apcer_per_species[name])
        assert list(species) == order
        assert f"{100 * expected.bpcer:.0f}\u00a0%" in answer(tab).inner_text().replace("100.0", "100")
    assert "1 at +∞, 1 at −∞" in tab.page.locator("dl").inner_text()
    assert re.search(r"2 live, 1 attack\b", tab.page.locator("dl").inner_text())
    tab.check()


def test_the_server_hears_the_release_alone(tab: Tab, address: str) -> None:
    sent: list[object] = []
    tab.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    tab.open(f"{address}&rule=By hand&t_score=0")
    before, hidden = answer(tab).inner_text(), len(sent)
    box = tab.page.get_by_role("slider").bounding_box()
    assert box
    seen = set()
    tab.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 14)
    tab.page.mouse.down()
    for share in (0.55, 0.6, 0.65, 0.7, 0.75):
        tab.page.mouse.move(box["x"] + share * box["width"], box["y"] + 14)
        seen.add(answer(tab).inner_text())
    tab.page.wait_for_timeout(600)  # longer than keys wait
    assert len(seen | {before}) >= 5
    assert len(sent) == hidden
    tab.expect_query(t_score="0.0")
    tab.page.mouse.up()
    tab.settle()
    assert len(sent) > hidden
    after = answer(tab).inner_text()
    assert after in seen
    tab.expect_query(t_score=tab.page.locator(THRESHOLD).input_value())
    tab.check()
    tab.page.goto(tab.page.url)  # the address alone brings another visitor to the same numbers
    tab.settle()
    expect(answer(tab)).to_have_text(after)
    tab.page.locator(".rows .drags").click(
        position={"x": 400, "y": 40}
    )  # the charts above that axis can be dragged too
    tab.settle()
    expect(answer(tab)).not_to_have_text(after)
    tab.check()


def test_arrow_keys_step_from_score_to_score(tab: Tab, address: str, reported: metrics.ScoreSet) -> None:
    answered = np.unique(np.concatenate([reported.bona_fide, reported.pooled]))
    finite = answered[np.isfinite(answered)]
    start = len(finite) // 2
    tab.open(address)
    type_threshold(tab, repr(float(finite[start])))
    slider = tab.page.get_by_role("slider")
    slider.focus()

    def lands_on(threshold: float) -> None:
        expect(tab.page).to_have_url(re.compile(rf"t_score={re.escape(repr(threshold))}(&|$)"))
        tab.settle()
        assert float(str(slider.get_attribute("aria-valuenow"))) == threshold

    slider.press("ArrowRight")
    lands_on(float(finite[start + 1]))
    slider.press("Shift+ArrowRight")
    lands_on(float(finite[start + 11]))
    slider.press("ArrowLeft")
    lands_on(float(finite[start + 10]))
    slider.press("Home")
    lands_on(float(min(rows_with_ties()["score"][lambda s: np.isfinite(s)])))
    assert "100\u00a0%" in answer(tab).inner_text()
    slider.press("End")
    lands_on(float(np.nextafter(max(rows_with_ties()["score"][lambda s: np.isfinite(s)]), np.inf)))
    tab.check()


def test_keys_pressed_while_the_server_works_are_kept(tab: Tab, address: str, reported: metrics.ScoreSet) -> None:
    answered = np.unique(np.concatenate([reported.bona_fide, reported.pooled]))
    finite = answered[np.isfinite(answered)]
    tab.open(address)
    type_threshold(tab, repr(float(finite[10])))
    slider = tab.page.get_by_role("slider")
    slider.focus()
    for pressed in range(1, 7):
        slider.press("ArrowRight")
        assert float(str(slider.get_attribute("aria-valuenow"))) == finite[10 + pressed]
        time.sleep(0.33)  # each is sent by itself, and answered while the next ones come
    tab.settle()
    assert float(str(slider.get_attribute("aria-valuenow"))) == finite[16]
    expect(tab.page).to_have_url(re.compile(rf"t_score={re.escape(repr(float(finite[16])))}(&|$)"))
    tab.check()


def test_what_is_typed_counts_threshold_and_prevalence(tab: Tab, address: str, reported: metrics.ScoreSet) -> None:
    tab.open(f"{address}&rule=By hand&t_score=0.25")
    type_threshold(tab, "half")
    assert tab.page.locator(THRESHOLD).get_attribute("aria-invalid") == "true"
    tab.expect_query(t_score="0.25")
    type_threshold(tab, "1e9")  # beyond every score: kept where nobody is called an attack
    expect(tab.page).to_have_url(re.compile(r"t_score=[12]\.\d+"))
    type_threshold(tab, "0,5")
    assert tab.page.locator(THRESHOLD).get_attribute("aria-invalid") == "false"
    tab.expect_query(t_score="0.5")
    rates = metrics.rates_at(reported, 0.5, [0.01, 0.2]).prior_adjusted_precision

    def stated() -> str:
        return tab.page.locator("dt:has(input) + dd").inner_text()

    assert stated().startswith(f"{100 * rates['0.01']:.1f}\u00a0% (")
    share = tab.page.get_by_label("Percent of presentations that are attacks")
    share.fill("20")
    assert stated().startswith(f"{100 * rates['0.2']:.1f}\u00a0% (")  # before the server hears of it
    share.press("Enter")
    tab.settle()
    tab.expect_query(prevalence="0.2")
    tab.page.reload()
    tab.settle()
    assert stated().startswith(f"{100 * rates['0.2']:.1f}\u00a0% (")
    tab.check()


def test_one_class_says_why_there_are_no_curves(tab: Tab, address: str, cache: Path) -> None:
    rows = rows_with_ties()
    scores_only_run(cache, "live only", rows[rows["label"] == "bona_fide"], ["score"], "")
    tab.open(f"threshold?run=live only ({store.open_run(cache, 'live only').id[:6]})")
    expect(tab.page.get_by_text("hold no attack with a score, so there are no curves").first).to_be_visible()
    assert "live samples are rejected" in answer(tab).inner_text()
    assert "worst attack" not in answer(tab).inner_text()
    tab.check()


def test_large_counts_are_not_cut_off(tab: Tab, cache: Path) -> None:
    n = 240_000
    rows = pd.DataFrame({"sample_id": [f"{i}" for i in range(n)], "subset": "test", "score": np.arange(n) % 97})
    rows["label"] = np.where(np.arange(n) % 2, "attack", "bona_fide")
    rows["subject_id"] = rows["sample_id"]
    rows["pai_species"] = np.where(rows["label"] == "attack", "paper", "")
    run = scores_only_run(cache, "large", rows, ["score"], "")
    tab.page.set_viewport_size({"width": 1920, "height": 1080})
    tab.open(f"threshold?run=large ({run.id[:6]})")
    type_threshold(tab, "1000")
    species = tab.page.get_by_role("table", name="APCER per species at this threshold, worst first")
    expect(species).to_contain_text("120,000 of 120,000")
    cut = species.evaluate(
        """(table) => [...table.querySelectorAll('td, td .live')].filter((one) => one.scrollWidth > one.clientWidth)
            .map((one) => one.textContent)"""
    )
    assert cut == []
    tab.check()


def test_a_limit_and_what_is_feared_stay_in_sight(tab: Tab, cache: Path) -> None:
    """What was asked for stays asked for when the slider takes over, and says whether it holds, as the core does."""
    rows = rows_with_ties().assign(score=lambda table: table["score"].clip(-2, 2).fillna(0))
    run = scores_only_run(cache, "limited", rows, ["score"], "")
    dev, test = (pooled_of(rows, subset) for subset in ("dev", "test"))
    limit = 0.1
    threshold = metrics.threshold_at_bpcer(dev, limit)
    tab.open(f"threshold?run=limited ({run.id[:6]})&at_most=10")
    held = tab.page.locator(".verdict .held:visible")
    of_live = run_metrics.rates_at(presentations(run, rows["score"].to_numpy()), ["test"], threshold)
    checked = limits.target(operating_point.rule("bpcer<=0.1"), of_live)
    assert checked is not None
    expect(held).to_have_text([limits.held_words(checked).replace(" %", "\u00a0%")])
    tab.page.get_by_label("Pin mask").click()
    tab.expect_query(pinned="mask")
    tab.settle()
    passed = metrics.rates_at(test, threshold).apcer_per_species["mask"]
    expect(tab.page.locator(".verdict li").nth(1)).to_contain_text(f"mask passes {100 * passed:.0f}\u00a0%")
    n_masks = len(test.attacks["mask"])
    expect(answer(tab)).to_contain_text(re.compile(rf"mask,? passes .* of the time \(n\u00a0=\u00a0{n_masks}\)"))
    type_threshold(tab, "-1.5")
    tab.expect_query(rule="By hand", limit="bpcer<=0.1", pinned="mask")
    expect(held).to_have_text(["above 10\u00a0%"])
    expect(tab.page.get_by_text("Asked for: BPCER ≤ 10 %.")).to_be_visible()
    tab.check()


def test_a_count_opens_what_it_counts_and_freeze_leads_to_the_card(tab: Tab, address: str, cache: Path) -> None:
    tab.open(f"{address}&rule=By hand&t_score=0.3")
    [[_, _, stopped], _] = table(tab, "Decisions")
    tab.page.locator("button.opens", has_text=stopped).first.click()
    expect(tab.page.get_by_role("dialog")).to_contain_text(f"{number(stopped)} samples, those nearest the threshold")
    tab.page.keyboard.press("Escape")
    tab.settle()
    of_dev = tab.page.get_by_role("heading", name="Every subset").locator("xpath=..").locator("tbody tr").first
    n_attacks = of_dev.locator("button.opens").last.inner_text()
    of_dev.locator("button.opens").last.click()
    expect(tab.page.get_by_role("dialog")).to_contain_text(f"{n_attacks} samples, those nearest the threshold")
    tab.page.keyboard.press("Escape")
    tab.settle()
    before = set((cache / "operating_points").glob("*.json"))
    tab.page.get_by_role("button", name="Freeze").click()
    tab.page.get_by_label("Decided by").fill("Ada")
    tab.page.get_by_role("button", name="Save as a card").click()
    expect(tab.page.get_by_role("heading", name="Operating points")).to_be_visible()
    tab.settle()
    [path] = set((cache / "operating_points").glob("*.json")) - before
    frozen = card.read(path)
    assert (frozen.by, frozen.threshold) == ("Ada", 0.3)
    tab.expect_query(card=path.stem, rule="By hand", t_score="0.3")
    tab.check()


def test_a_count_of_images_opens_the_gallery_on_them(tab: Tab, cache: Path) -> None:
    tab.open(f"threshold?run=demo+({store.open_run(cache, 'demo').id[:6]})&at_most=20")
    missed = tab.page.locator("button.opens").first
    n = number(missed.inner_text())
    missed.click()
    expect(tab.page.get_by_role("heading", name="Gallery")).to_be_visible()
    tab.settle()
    tab.expect_query(verdict="Missed attacks", at_most="20")
    expect(tab.page.get_by_text(re.compile(rf"\bof {n} images?"))).to_be_visible()
    tab.check()


def test_the_colours_follow_the_theme(tab: Tab, address: str) -> None:
    dark = """() => {
        const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
        const canvas = roots.find((one) => one?.querySelector('.threshold')).querySelector('.square canvas.still');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let ink = 0;
        for (let i = 0; i < data.length; i += 4) ink += data[i + 3] > 200 && data[i] > 230 && data[i + 2] > 230;
        return ink;
    }"""
    tab.open(address)
    assert tab.page.evaluate(dark) == 0  # no white text on a white ground
    tab.page.emulate_media(color_scheme="dark")
    tab.settle()
    tab.page.wait_for_function(f"() => ({dark})() > 50")
    tab.check()


def test_precision_is_drawn_for_the_stated_share_of_attacks(tab: Tab, address: str) -> None:
    curve = """() => {
        const roots = [...document.querySelectorAll('*')].map((e) => e.shadowRoot);
        const root = roots.find((one) => one?.querySelector('.threshold'));
        return root.querySelectorAll('.square canvas.still')[2].toDataURL();
    }"""
    tab.open(address)
    tab.page.get_by_role("button", name="PR", exact=True).click()
    tab.expect_query(plane="pr")
    tab.settle()
    expect(tab.page.locator(".square canvas.still").nth(2)).to_be_visible()
    sampled = tab.page.evaluate(curve)
    tab.page.get_by_role("button", name="as in these samples").click()
    stated = tab.page.get_by_role("button", name="at 1 % attacks")
    expect(stated).to_have_attribute("aria-pressed", "true")
    rare = tab.page.evaluate(curve)
    tab.page.get_by_label("Percent of presentations that are attacks").fill("50")
    expect(tab.page.get_by_role("button", name="at 50 % attacks")).to_be_visible()
    assert len({sampled, rare, tab.page.evaluate(curve)}) == 3
    tab.check()
