"""Every page in a real browser, on rendered faces, on real ones, and on a scores-only Run."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from fas_core.bench.drag import served_app
from fas_core.runs import store
from tests.conftest import SHARED

from .conftest import Tab, watched

PAGES = {
    "": "Overview",
    "gallery": "Gallery",
    "image": "Image",
    "causes": "What the score follows",
    "latent": "Latent space",
    "frames": "Latent side by side",
    "likelihood": "Likelihood",
    "separation": "Separation",
    "traversal": "Traversal",
    "threshold": "Threshold",
    "losses": "Losses",
    "cards": "Operating points",
    "compare": "Compare",
    "matrix": "Across data sets",
    "data": "Data",
    "training": "Training",
}
SMALL_SCREEN = (800, 1000)
FACES = ("", "latent", "gallery", "image", "compare")  # pages that show them
NEEDS_SHARED = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
OPENED = [  # and all of them on the Run "demo" in test_links.py
    *(pytest.param("real", path, marks=NEEDS_SHARED) for path in FACES),
    *(pytest.param("system", path, marks=NEEDS_SHARED) for path in PAGES),  # a scores-only Run
]


def choice(cache: Path, name: str) -> str:
    """The query that chooses a Run in the sidebar."""
    run = store.open_run(cache, name)
    return f"run={name}+({run.id[:6]})"


def chosen_run(tab: Tab) -> Locator:
    """The field of the sidebar that shows the Run."""
    return tab.page.locator("[data-testid=stSidebar] [data-testid=stSelectbox] input").first


def answer_of(tab: Tab) -> Locator:
    """The sentence that the Threshold page begins with."""
    return tab.page.get_by_text(re.compile("^At this threshold"))


@pytest.mark.parametrize(("run", "path"), OPENED)
def test_every_page_opens_clean(tab: Tab, cache: Path, run: str, path: str) -> None:
    open_page(tab, cache, run, path)
    assert overflow_of_a_small_screen(tab) <= 1
    tab.check()


def open_page(tab: Tab, cache: Path, run: str, path: str) -> None:
    """Waits for what says that it is that page, of that Run, and not an empty one."""
    tab.open(f"{path}?{choice(cache, run)}")
    expect(tab.page.get_by_role("heading", name=PAGES[path], exact=True).first).to_be_visible()
    expect(chosen_run(tab)).to_have_value(re.compile(rf"^{run}( ·|$)"))
    words = tab.page.locator("[data-testid=stMain]").inner_text()
    assert len(words) > 100


def overflow_of_a_small_screen(tab: Tab) -> int:
    """Pixels by which the page is wider than that; leaves it as narrow."""
    width, height = SMALL_SCREEN
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.settle()
    return int(
        tab.page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth }"
        )
    )


def test_a_rule_in_the_address_is_applied(tab: Tab, cache: Path) -> None:
    tab.open(f"threshold?{choice(cache, 'demo')}&rule=Equal errors (EER)&chosen_on=seen_paper&chosen_on=seen_mask")
    expect(tab.page.get_by_text("EER, chosen on seen_paper, seen_mask; reported on live")).to_be_visible()
    expect(answer_of(tab)).to_be_visible()
    tab.page.get_by_role("link", name="Look", exact=True).click()
    tab.settle()
    expect(tab.page.get_by_text("EER, chosen on seen_paper, seen_mask; reported on live")).to_be_visible()
    tab.check()


def test_a_run_that_is_gone_is_said(tab: Tab) -> None:
    tab.open("?run=gone+(123456)")
    expect(tab.page.get_by_text("There is no Run gone (123456) here")).to_be_visible()
    tab.open("compare?compare=gone+(123456)")
    expect(tab.page.get_by_text("There is no Run gone (123456) here any more")).to_be_visible()
    tab.check()


def test_navigation_keeps_the_run(tab: Tab, cache: Path) -> None:
    tab.open(f"?{choice(cache, 'demo2')}")
    tab.page.get_by_role("link", name="Choose a threshold").click()
    tab.settle()
    expect(tab.page.get_by_role("heading", name="Threshold", exact=True)).to_be_visible()
    expect(chosen_run(tab)).to_have_value(re.compile(r"^demo2( ·|$)"))
    tab.check()


def test_a_gallery_page_is_turned_and_a_card_opens(tab: Tab, cache: Path) -> None:
    tab.open(f"gallery?{choice(cache, 'demo')}&per_page=12")
    cards = tab.page.locator("button.card")
    expect(cards).to_have_count(12)
    first = cards.first.inner_text()
    tab.page.get_by_role("button", name="Next page").click()
    tab.settle()
    expect(cards.first).not_to_have_text(first)
    expect(tab.page).to_have_url(re.compile("page=2"))
    cards.first.focus()
    tab.page.keyboard.press("Enter")
    tab.settle()
    expect(tab.page.get_by_role("dialog")).to_contain_text("Metadata")
    tab.check()


def test_commands_and_the_address_are_copied_and_nothing_is_fetched_to_colour_them(
    context: BrowserContext, tab: Tab, cache: Path, tmp_path: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.open(f"cards?{choice(cache, 'demo')}")
    assert copied(tab, "Copy link to this view") == tab.page.url
    tab.check()
    fetched: list[str] = []
    with served_app(tmp_path) as address, watched(context, address) as empty:
        empty.page.on("request", lambda request: fetched.append(request.url))
        empty.open("")
        commands = empty.page.get_by_role("region", name="Commands")
        expect(commands).to_contain_text("fas demo\n# your images\nfas cache CHECKPOINT --data MANIFEST")
        assert copied(empty, "Copy") == commands.text_content()
        empty.check()
    assert fetched
    assert not [url for url in fetched if "SyntaxHighlighter" in url]


def copied(tab: Tab, button: str) -> str:
    """What is in the clipboard after the button was clicked and said so."""
    tab.page.get_by_role("button", name=button, exact=True).click()
    expect(tab.page.get_by_role("button", name="Copied")).to_be_visible()
    return str(tab.page.evaluate("navigator.clipboard.readText()"))
