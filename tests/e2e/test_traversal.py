"""The page Traversal in a real browser: what is painted, what the keyboard does, and what a link shows elsewhere."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from fas_core.runs import store

from .conftest import Tab, watched
from .test_pages import choice

PAINTED = """() => {
    const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
    const root = roots.find((one) => one?.querySelector('.strip'));
    return [...root.querySelectorAll('.tile canvas')].map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return [...data].filter((_, i) => i % 4 === 0);
    });
}"""


def painted(page: Page) -> np.ndarray:
    """(n, H, W) the images of the strip, as they are on the screen."""
    pixels = np.array(page.evaluate(PAINTED), np.uint8)
    side = int(pixels.shape[1] ** 0.5)
    return pixels.reshape(-1, side, side)


def words(page: Page) -> str:
    return page.locator("[data-testid=stMain]").inner_text()


def rows_of(run: store.Run, *ids: str) -> list[int]:
    names = run.samples(["sample_id"])["sample_id"].tolist()
    return [names.index(name) for name in ids]


def test_a_strip_ends_at_two_reconstructions_and_is_downloaded(tab: Tab, cache: Path) -> None:
    run = store.open_run(cache, "demo")
    samples = run.samples(["sample_id", "subset"])
    ids = [samples[samples["subset"] == subset]["sample_id"].iloc[-1] for subset in ("live", "seen_paper")]
    tab.open(f"traversal?{choice(cache, 'demo')}&decode=Between+two&sample={ids[0]}&sample_2={ids[1]}")
    expect(tab.page.locator(".tile")).to_have_count(9)
    images = painted(tab.page)
    kept = run.images("reconstructions", rows_of(run, *ids))
    assert np.abs(images[[0, -1]].astype(int) - kept).max() <= 1
    expect(tab.page.locator(".line circle")).to_have_count(9)
    with tab.page.expect_download() as started:
        tab.page.get_by_role("button", name="Download the images").click()
    assert started.value.suggested_filename == f"demo_{ids[0]}_{ids[1]}_straight-line.png"
    with Image.open(io.BytesIO(Path(started.value.path()).read_bytes())) as sheet:
        pixels = np.asarray(sheet)[:, :, 0]
    for image in (*run.images("inputs", rows_of(run, *ids)), images[4]):
        starts = np.argwhere(pixels == image[0, 0])
        assert any(np.array_equal(pixels[y : y + len(image), x : x + len(image)], image) for y, x in starts)
    tab.check()


def test_arrows_lead_from_step_to_step_and_the_link_shows_the_same(
    tab: Tab, cache: Path, elsewhere: BrowserContext
) -> None:
    tab.open(f"traversal?{choice(cache, 'demo')}")
    before = painted(tab.page)
    tab.page.get_by_role("button", name="Direction").click()
    tab.page.get_by_text("principal axis", exact=True).click()
    tab.settle()
    axis = tab.page.get_by_role("slider", name="Principal axis")
    axis.focus()
    tab.page.keyboard.press("ArrowRight")
    tab.settle()
    expect(tab.page.get_by_text("along principal axis 2")).to_be_visible()
    assert (painted(tab.page) != before).any()
    tab.page.get_by_role("slider", name="Range, sd, ±").focus()
    tab.page.keyboard.press("ArrowLeft")
    tab.settle()
    tab.page.keyboard.press("Escape")
    tab.page.locator(".tile").nth(8).click()
    tab.page.keyboard.press("ArrowLeft")
    tab.settle()
    assert tab.page.locator(".tile").nth(7).get_attribute("aria-current") == "true"
    query = parse_qs(urlsplit(tab.page.url).query)
    assert (query["pc"], query["step"], query["reach"]) == (["2"], ["8"], ["2.5"])
    with watched(elsewhere, tab.address) as other:
        other.page.goto(tab.page.url)
        other.settle()
        assert words(other.page) == words(tab.page)
        assert hashlib.sha256(painted(other.page)).digest() == hashlib.sha256(painted(tab.page)).digest()
        assert other.page.locator(".tile").nth(7).get_attribute("aria-current") == "true"
        other.check()
    tab.check()


def test_a_sample_opens_on_its_own_page_and_comes_back(tab: Tab, cache: Path) -> None:
    tab.page.set_viewport_size({"width": 800, "height": 900})
    tab.open(f"traversal?{choice(cache, 'demo')}&decode=From+the+prior&prior_seed=7")
    expect(tab.page.locator(".tile")).to_have_count(9)
    overflow = (
        "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth }"
    )
    assert tab.page.evaluate(overflow) <= 1
    tab.page.get_by_text("Between four", exact=True).click()
    tab.settle()
    expect(tab.page.locator(".tile")).to_have_count(25)
    assert tab.page.evaluate(overflow) <= 1
    cards = tab.page.locator("button.card")
    expect(cards).to_have_count(4)
    name = cards.nth(1).get_attribute("data-id") or ""
    cards.nth(1).click()
    tab.settle()
    expect(tab.page.get_by_role("heading", name="Image", exact=True)).to_be_visible()
    assert parse_qs(urlsplit(tab.page.url).query)["image"] == [name]
    tab.page.get_by_role("link", name="Decode around it").click()
    tab.settle()
    expect(tab.page.get_by_role("heading", name="Traversal", exact=True)).to_be_visible()
    expect(tab.page.get_by_text(f"The code of {name}")).to_be_visible()
    tab.check()
