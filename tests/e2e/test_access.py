"""For those who use no pointer: what is wanted is near."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from .conftest import Tab
from .test_pages import choice


def test_the_first_image_is_two_keys_from_the_start(tab: Tab, cache: Path) -> None:
    tab.open(f"gallery?{choice(cache, 'demo')}")
    tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_role("link", name="Skip to the images")).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("button.card").first).to_be_focused()
    tab.open(f"threshold?{choice(cache, 'demo')}")
    tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_role("link", name="Skip to main content")).to_be_focused()  # there is no image


def test_a_sample_is_found_and_opened_without_the_pointer(tab: Tab, cache: Path) -> None:
    tab.open(f"threshold?{choice(cache, 'demo')}")
    field = tab.page.get_by_role("searchbox", name="Find a sample or subject")
    field.focus()
    field.press_sequentially("s0")
    matches = tab.page.locator(".st-key-matches a")
    expect(matches.first).to_be_visible()
    tab.settle()
    name = matches.last.locator("p").inner_text()
    for _ in range(matches.count()):
        tab.page.keyboard.press("ArrowDown")
    expect(matches.last).to_be_focused()
    tab.page.keyboard.press("Enter")
    tab.settle()
    tab.expect_query(image=name)
    field.focus()
    field.press("Escape")
    expect(matches).to_have_count(0)
    tab.check()
