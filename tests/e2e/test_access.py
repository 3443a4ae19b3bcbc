"""Every page for those who see little, or use no pointer: axe finds nothing, and what is wanted is near.

Each page is opened once: in the dark theme it is the same page with other colours.
"""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from fas_core.evaluation import separation
from fas_core.latent import mixture, training_rows
from fas_core.runs import store

from .conftest import Tab
from .test_pages import PAGES, choice

AXE = (Path(axe_playwright_python.__file__).with_name("axe.min.js")).read_text()
RULES = {"label-content-name-mismatch": {"enabled": True}}  # one of those that are off
SIZES = ((1440, 900), (800, 1000))
STARTS_WITHIN = 160  # pixels of the top of the window
LATER = {"frames": 180}  # below the tools of the plots
NOTHING = ("cards", "training")  # is drawn there of the Runs of this cache


def violations(tab: Tab, *only: str) -> list[str]:
    """ "rule: element, and why", of all rules or of some."""
    options: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
    options |= {"runOnly": list(only)} if only else {"rules": RULES}
    broken = tab.page.evaluate("options => axe.run(options)", options)["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in broken for node in rule["nodes"]]


PICTURES = "canvas, img, svg, table, [data-testid=stDataFrame]"
EVERYTHING = """
    const everything = (root) => [...root.querySelectorAll("*")].flatMap((element) =>
        element.shadowRoot ? [element, ...everything(element.shadowRoot)] : [element]);
    const main = document.querySelector("[data-testid=stMain]");
"""


def first_content(tab: Tab) -> float:
    """Where the first picture, plot, table or slider of a chart begins, in pixels from the top of the window."""
    return float(
        tab.page.evaluate(
            f"""() => {{
                {EVERYTHING}
                const tops = everything(main)
                    .filter((element) => element.matches("{PICTURES}, [type=range]"))
                    .map((element) => [element.getBoundingClientRect(), element.matches("[type=range]")])
                    .filter(([box, isSlider]) => box.width >= 48 && (isSlider || box.height >= 48));
                return Math.min(...tops.map(([box]) => box.top));
            }}"""
        )
    )


def overlaps(tab: Tab) -> list[str]:
    """Pairs of a page's elements of which one covers a part of the other; bars that stay in sight may."""
    pairs: list[str] = tab.page.evaluate(
        """() => {
            const main = document.querySelector("[data-testid=stMain]");
            const boxes = [...main.querySelectorAll("[data-testid=stElementContainer]")]
                .filter((place) => !place.closest(".st-key-navigation, .st-key-page_bar, details:not([open])"))
                .map((place) => [place, place.getBoundingClientRect()])
                .filter(([, box]) => box.width > 1 && box.height > 1);
            const covers = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
            return boxes.flatMap(([one, box], i) => boxes.slice(i + 1)
                .filter(([other, its]) => !one.contains(other) && covers(box, its))
                .map(([other]) => `${one.innerText.slice(0, 60)} | ${other.innerText.slice(0, 60)}`));
        }"""
    )
    return pairs


@pytest.fixture(scope="module", autouse=True)
def computed(cache: Path) -> None:
    """What the charts of Likelihood and Separation show."""
    run = store.open_run(cache, "demo")
    for k in mixture.components_of(len(training_rows(run))):
        mixture.likelihoods(run, k)
    separation.of_run(run)


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_and_content_begins_near_the_top(tab: Tab, cache: Path, path: str) -> None:
    width, height = SIZES[0]
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.open(f"{path}?{choice(cache, 'demo')}")
    if path not in NOTHING:
        assert first_content(tab) <= LATER.get(path, STARTS_WITHIN)
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
    if path not in NOTHING:
        assert first_content(tab) <= height - 48  # some of it is seen without scrolling
    assert overlaps(tab) == []
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
