"""Every page for those who see little, or use no pointer: axe finds nothing, and what is wanted is near.

Each page is opened once: in the dark theme it is the same page with other colours.
"""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from .conftest import Tab
from .test_pages import PAGES, choice

AXE = (Path(axe_playwright_python.__file__).with_name("axe.min.js")).read_text()
RULES = {"label-content-name-mismatch": {"enabled": True}}  # one of those that are off
SIZES = ((1440, 900), (800, 1000))
STARTS_WITHIN = 160  # pixels of the top of the window


def violations(tab: Tab, *only: str) -> list[str]:
    """ "rule: element, and why", of all rules or of some."""
    options: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
    options |= {"runOnly": list(only)} if only else {"rules": RULES}
    broken = tab.page.evaluate("options => axe.run(options)", options)["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in broken for node in rule["nodes"]]


def first_content(tab: Tab) -> float:
    """Where what follows the title begins, in pixels from the top of the window."""
    return float(
        tab.page.evaluate(
            """() => {
                const title = document.querySelector("[data-testid=stMain] h1").getBoundingClientRect();
                const tops = [...document.querySelectorAll("[data-testid=stMain] [data-testid=stElementContainer]")]
                    .filter((place) => !place.querySelector("h1") && !place.closest(".st-key-navigation"))
                    .map((place) => place.getBoundingClientRect())
                    .filter((box) => box.height > 0 && (box.top >= title.bottom - 1 || box.left > title.right));
                return Math.min(...tops.map((box) => box.top));
            }"""
        )
    )


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_content_begins_near_the_top(tab: Tab, cache: Path, path: str) -> None:
    width, height = SIZES[0]
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.open(f"{path}?{choice(cache, 'demo')}")
    assert first_content(tab) <= STARTS_WITHIN
    tab.page.evaluate(AXE)
    assert violations(tab) == []
    ground = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    light = tab.page.evaluate(ground)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_function(f"light => {ground} !== light", arg=light)
    tab.settle()
    assert violations(tab, "color-contrast") == []
    current = tab.page.get_by_role("navigation", name="Pages").locator("[aria-current]").last
    width, height = SIZES[1]
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.settle()
    assert first_content(tab) <= STARTS_WITHIN
    expect(current).to_be_in_viewport(ratio=1)
    tab.check()


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
