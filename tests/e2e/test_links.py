"""Every page is there for everybody (axe finds nothing, content begins near the top, nothing overlaps), and is its
address: what one person has set, another browser that opens the address shows as well.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from fas_core.evaluation import separation
from fas_core.latent import mixture, training_rows
from fas_core.runs import store

from .access import AXE, LATER, NOTHING, STARTS_WITHIN, first_content, overlaps, violations
from .conftest import Tab, watched
from .test_pages import PAGES, SMALL_SCREEN, open_page, overflow_of_a_small_screen

MAIN = Path(__file__).parents[2] / "app" / "main.py"
CONTROLS = 3  # set on each page, the sidebar's subsets among them
# What is typed or made here goes to files, or says who is typing, and is no part of the view. Another Run has other
# controls.
NOT_SET = re.compile(
    "^Run$|Your name|Note|Decided by|A missing score|Name$|Save|Compute|Fit all|Upload|Freeze|"
    "Approve|Supersede|Withdraw|Who decides|Why$|By the card"
)

# All that can be read on the page, the state of every control, and the pixels of every image.
SEEN = """() => {
    const found = [];
    const hash = (text) => { let h = 0; for (const c of text) h = (h * 31 + c.charCodeAt(0)) | 0; return h; };
    const pixels = (canvas) => canvas.width && canvas.getContext('2d') ? hash(canvas.toDataURL()) : '';
    const copy = (image) => {
        const canvas = Object.assign(document.createElement('canvas'),
            { width: image.naturalWidth, height: image.naturalHeight });
        if (canvas.width) canvas.getContext('2d').drawImage(image, 0, 0);
        return canvas;
    };
    const walk = (node) => {
        if (node.nodeType === Node.TEXT_NODE) {
            const text = node.data.trim();
            if (text && (node.parentElement?.closest('canvas') || node.parentElement?.checkVisibility() !== false))
                found.push(text);
            return;
        }
        if (['STYLE', 'SCRIPT'].includes(node.tagName)) return;
        if (node.matches?.('input, textarea')) found.push(`= ${node.value}`);
        for (const name of ['aria-checked', 'aria-selected', 'aria-pressed', 'aria-valuenow', 'aria-current'])
            if (node.hasAttribute?.(name)) found.push(`${name} ${node.getAttribute(name)}`);
        // Tables are canvases with their cells as text inside, and columns as wide as what stood there first.
        if (node.tagName === 'CANVAS' && !node.closest('[data-testid=stDataFrame]'))
            found.push(`canvas ${node.width} ${node.height} ${pixels(node)}`);
        if (node.tagName === 'IMG') found.push(`image ${pixels(copy(node))}`);
        if (node.shadowRoot) walk(node.shadowRoot);
        node.childNodes.forEach(walk);
    };
    document.querySelectorAll('[data-testid=stMain], [data-testid=stSidebarUserContent]').forEach(walk);
    return found;
}"""


def seen(page: Page) -> list[str]:
    texts: list[str] = page.evaluate(SEEN)
    return texts


# ------------------------------------------------------------------------------------------------ setting controls


def options(page: Page) -> Locator:
    return page.locator("[role=listbox] [role=option][aria-selected=false]:not([aria-disabled=true])")


def choose(control: Locator) -> bool:
    """The last option that is not chosen yet."""
    field = control.locator("input").first
    if not field.is_enabled():
        return False
    field.click()
    offered = options(control.page)
    has_choice = offered.count() > 0
    if has_choice:
        offered.last.click()
    control.page.keyboard.press("Escape")
    return has_choice


def press(control: Locator) -> bool:
    """The last button that is not pressed; of several that can be pressed together, a pressed one is let go."""
    of_many = control.locator("button[aria-pressed]")
    buttons = control.locator("button[aria-pressed=true]" if of_many.count() else "[aria-checked=false]")
    if not buttons.count() or not buttons.last.is_enabled():
        return False
    buttons.last.click()
    return True


def step(control: Locator) -> bool:
    thumb = control.get_by_role("slider").first
    if not thumb.is_enabled():
        return False
    thumb.focus()
    thumb.press("ArrowLeft" if thumb.evaluate("thumb => thumb.value === thumb.max") else "ArrowRight")
    return True


def click(inside: str) -> Callable[[Locator], bool]:
    def act(control: Locator) -> bool:
        target = control.locator(inside).last
        if not target.count() or not target.is_enabled():
            return False
        target.click()
        return True

    return act


def write(control: Locator) -> bool:
    field = control.locator("input")
    if not field.is_enabled():
        return False
    field.fill("1")
    field.press("Enter")
    return True


SETTERS = {
    "stButtonGroup": press,
    "stSelectbox": choose,
    "stMultiSelect": choose,
    "stSlider": step,
    "stCheckbox": click("label"),
    "stNumberInput": click("[data-testid=stNumberInputStepUp]"),
    "stTextInput": write,
    "stTabs": click("[role=tab][aria-selected=false]"),
    "stPagination": click("button[aria-label='Next page']"),
}
ANY = ", ".join(f"[data-testid={name}]" for name in SETTERS)


def set_all_in(tab: Tab, where: str) -> Iterator[str]:
    """Sets one control after the other, those that appear on the way too; yields what was set."""
    done: set[str] = set()
    while True:
        for control in tab.page.locator(f"{where} :is({ANY})").all():
            words = control.inner_text().strip()
            kind = str(control.get_attribute("data-testid"))
            name = f"{kind} {(words.splitlines() or [''])[0]}"
            if name in done or NOT_SET.search(words.split("\n")[0]) or not control.is_visible():
                continue
            done.add(name)
            if SETTERS[kind](control):
                tab.settle()
                yield name
                break  # what stands on the page may be other controls now
        else:
            return


def set_all(tab: Tab) -> Iterator[str]:
    """The page's own controls, those in its popovers too."""
    yield from set_all_in(tab, "[data-testid=stMain]")
    for number in range(tab.page.locator("[data-testid=stMain] [data-testid=stPopover]").count()):
        button = tab.page.locator("[data-testid=stMain] [data-testid=stPopover]").nth(number).locator("button").first
        if NOT_SET.search(button.inner_text()) or not button.is_enabled():
            continue
        button.click()
        tab.settle()
        yield from set_all_in(tab, "[data-testid=stPopoverBody]")
        tab.page.keyboard.press("Escape")
        tab.settle()


def set_subsets(tab: Tab) -> str:
    """Lets the sidebar's last subset go."""
    subsets = tab.page.locator("[data-testid=stSidebar] [data-testid=stButtonGroup]").first
    assert press(subsets)
    tab.settle()
    return "subsets"


# ------------------------------------------------------------------------------------------------ the test


def test_every_page_is_tested() -> None:
    views = re.findall(r'st\.Page\("views/(\w+)\.py"', MAIN.read_text())
    assert [path or "overview" for path in PAGES] == views


@pytest.fixture(scope="module", autouse=True)
def computed(cache: Path) -> None:
    """What the charts of Likelihood and Separation show."""
    run = store.open_run(cache, "demo")
    for k in mixture.components_of(len(training_rows(run))):
        mixture.likelihoods(run, k)
    separation.of_run(run)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_there_for_everybody_and_its_address_shows_the_same_in_another_browser(
    tab: Tab, cache: Path, elsewhere: BrowserContext, server: str, path: str
) -> None:
    """Opened once for all of it: pages take seconds. In the dark it is the same page with other colours."""
    tab.page.set_viewport_size({"width": 1440, "height": 900})
    open_page(tab, cache, "demo", path)
    if path not in NOTHING:
        assert first_content(tab) <= LATER.get(path, STARTS_WITHIN)
    tab.page.evaluate(AXE)
    assert violations(tab) == []
    assert colours_in_the_dark(tab) == []
    current = tab.page.get_by_role("navigation", name="Pages").locator("[aria-current]").last
    assert overflow_of_a_small_screen(tab) <= 1
    if path not in NOTHING:
        assert first_content(tab) <= SMALL_SCREEN[1] - 48  # some of it is seen without scrolling
    assert overlaps(tab) == []
    expect(current).to_be_in_viewport(ratio=1)
    tab.check()
    changes = [set_subsets(tab), *islice(chain(set_all(tab), set_all_in(tab, "[data-testid=stSidebar]")), CONTROLS - 1)]
    assert len(changes) >= 2
    assert_same_elsewhere(tab, elsewhere, server, changes)


def colours_in_the_dark(tab: Tab) -> list[str]:
    """What axe says of them."""
    ground = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
    light = tab.page.evaluate(ground)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_function(f"light => {ground} !== light", arg=light)
    tab.settle()
    wrong = violations(tab, "color-contrast")
    tab.page.emulate_media(color_scheme="light")
    tab.page.wait_for_function(f"light => {ground} === light", arg=light)
    return wrong


def assert_same_elsewhere(tab: Tab, elsewhere: BrowserContext, server: str, changes: list[str]) -> None:
    tab.page.keyboard.press("Escape")
    tab.page.mouse.move(1, 1)
    tab.settle()
    state = elsewhere.storage_state()
    known = {entry["name"].split("-")[0] for origin in state["origins"] for entry in origin["localStorage"]}
    assert known <= {"stActiveTheme"}  # earlier pages have left nothing there
    assert {cookie["name"] for cookie in state["cookies"]} <= {"_streamlit_xsrf"}
    with watched(elsewhere, server) as other:
        assert tab.page.viewport_size
        other.page.set_viewport_size(tab.page.viewport_size)
        other.page.goto(tab.page.url)
        other.settle()
        other.page.mouse.move(1, 1)
        ends = time.monotonic() + 10
        while (here := seen(tab.page)) != (there := seen(other.page)) and time.monotonic() < ends:
            other.page.wait_for_timeout(200)  # pictures come last
        assert there == here, f"after {changes} at {tab.page.url}"
        other.check()
    tab.check()
