"""Going through hundreds of images by keys, in a real browser: none is skipped, what is said stays, Back comes back."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import BrowserContext, expect

from fas_core.bench.drag import served_app
from fas_core.runs import marks, store
from tests.conftest import tiny_samples, write_image_run

from .conftest import Tab, ids_of_cards, watched

FOCUSED = """() => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    return node?.dataset?.id ?? node?.className;
}"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """360 images of 32 x 32."""
    parts = [tiny_samples().assign(sample_id=lambda rows, i=i: rows["sample_id"] + f"/{i}") for i in range(15)]
    return write_image_run(tmp_path_factory.mktemp("review"), "many", pd.concat(parts), shard_size=200)


@pytest.fixture(scope="module")
def address(run: store.Run) -> Iterator[str]:
    with served_app(run.cache) as served:
        yield served


@pytest.fixture
def reviewing(context: BrowserContext, address: str, run: store.Run) -> Iterator[Tab]:
    with watched(context, address) as tab:
        tab.page.set_viewport_size({"width": 1440, "height": 900})
        yield tab
        tab.page.evaluate("window.localStorage.clear()")
    marks.file_of(run).unlink(missing_ok=True)  # a test that is run once more finds nothing said, and no name


def in_order(run: store.Run) -> list[str]:
    return [str(i) for i in run.samples().sort_values("rec", ascending=False, kind="stable")["sample_id"]]


def open_gallery(tab: Tab, run: store.Run, **query: str) -> None:
    tab.open("gallery?" + "&".join([f"run=many+({run.id[:6]})", *(f"{name}={text}" for name, text in query.items())]))
    tab.page.locator("button.card:visible").first.focus()


def hold(tab: Tab, key: str, times: int) -> None:
    """As a keyboard repeats a key that is held: thirty times a second, whatever the page is at."""
    start = time.monotonic()
    for i in range(times):
        tab.page.keyboard.press(key)
        tab.page.wait_for_timeout(max(0.0, 1000 * (start + (i + 1) / 30 - time.monotonic())))


@contextmanager
def stopped(address: str) -> Iterator[None]:
    """The server of an address does nothing meanwhile, as one that is busy with others."""
    port = address.rsplit(":", 1)[1].encode()
    commands = {int(file.parent.name): file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline")}
    (server,) = [process for process, command in commands.items() if command.endswith(b"--port\0" + port + b"\0")]
    os.kill(server, signal.SIGSTOP)
    yield
    os.kill(server, signal.SIGCONT)


def expect_at(tab: Tab, run: store.Run, position: int) -> None:
    """Waits until a place in the list, counted from 1, has the focus and is said to."""
    expect(tab.page.locator(".gallery .progress")).to_have_text(f"{position} of 360")
    tab.page.wait_for_function(f"() => ({FOCUSED})() === {in_order(run)[position - 1]!r}", timeout=20_000)


def test_three_hundred_presses_end_on_image_301(reviewing: Tab, run: store.Run) -> None:
    tab = reviewing
    open_gallery(tab, run, view="Review")
    assert 4 <= tab.page.locator("button.card:visible").count() <= 6
    hold(tab, "n", 300)
    expect_at(tab, run, 301)
    tab.expect_query(page="6")
    # Under no bar, and as wide as the window.
    card, bar = (
        tab.page.locator("button.card:focus").bounding_box(),
        tab.page.locator(".st-key-page_bar").bounding_box(),
    )
    assert card
    assert bar
    assert card["y"] > 60
    assert card["y"] + card["height"] <= bar["y"]
    assert tab.page.locator(".gallery").bounding_box()["width"] > 1300  # type: ignore[index]
    tab.page.keyboard.press("p")
    expect_at(tab, run, 300)  # back on the page before
    open_gallery(tab, run, per_page="12")
    hold(tab, "n", 75)
    expect_at(tab, run, 76)
    bar = tab.page.locator(".st-key-page_bar").bounding_box()
    for key in ("End", "Home", "End"):
        tab.page.keyboard.press(key)
        tab.page.wait_for_timeout(100)
        card = tab.page.locator("button.card:focus").bounding_box()
        assert card
        assert bar
        assert 60 < card["y"] < card["y"] + card["height"] <= bar["y"] + 1
    tab.check()


def test_keys_reach_the_list_from_everywhere_and_labels_have_a_name(reviewing: Tab, run: store.Run) -> None:
    tab, ids = reviewing, in_order(run)
    open_gallery(tab, run)
    tab.page.get_by_role("radio", name="Review").click()
    tab.settle()
    expect_at(tab, run, 1)  # not the button
    tab.page.keyboard.press("n")
    expect_at(tab, run, 2)
    tab.page.locator("[data-testid=stMain]").click(position={"x": 3, "y": 300})  # nothing is there
    tab.page.keyboard.press("n")
    expect_at(tab, run, 3)
    tab.page.keyboard.press("3")  # nobody's label is not kept: the name is asked for
    field = tab.page.get_by_label("Your name")
    expect(field).to_be_focused()
    tab.page.keyboard.type("Anna 1")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator(".legend .person")).to_have_text("labels by Anna 1")
    expect_at(tab, run, 3)
    tab.settle()
    kept = {(mark.sample_id, mark.by): mark.own_label for mark in marks.current(marks.history(run))}
    assert kept[ids[2], "Anna 1"] == "3"
    assert (ids[2], "") not in kept

    tab.page.get_by_role("button", name="Marks").click()  # made when it is opened, not before the keys
    expect(tab.page.get_by_role("button", name="Download 1 mark (CSV)")).to_be_visible()
    name = tab.page.get_by_role("textbox", name="Your name")
    expect(name).to_have_value("Anna 1")
    name.fill("Bert")
    name.press("Enter")
    tab.settle()
    tab.page.keyboard.press("Escape")
    expect_at(tab, run, 3)
    tab.page.keyboard.press("n")
    expect_at(tab, run, 4)
    tab.page.keyboard.press("4")
    tab.settle()
    assert "Bert" not in tab.page.url
    open_gallery(tab, run, view="One")  # a new session of this browser
    expect(tab.page.locator(".legend .person")).to_have_text("labels by Bert")
    tab.settle()
    tab.page.keyboard.press("5")
    tab.settle()
    said = {(mark.sample_id, mark.by): mark.own_label for mark in marks.current(marks.history(run))}
    assert (said[ids[3], "Bert"], said[ids[0], "Bert"]) == ("4", "5")
    tab.check()


def test_what_is_said_is_kept_undone_and_followed_to_the_image_and_back(reviewing: Tab, run: store.Run) -> None:
    tab, ids = reviewing, in_order(run)
    before = len(marks.history(run))
    open_gallery(tab, run, view="Review")
    for key in ("m", "n", "2"):
        tab.page.keyboard.press(key)
    tab.page.get_by_label("Your name").fill("cy")
    for key in ("Enter", "n", "/"):
        tab.page.keyboard.press(key)
    expect(tab.page.locator(".note-field")).to_be_focused()
    tab.page.keyboard.type("no lamp, map 12")  # letters and numbers are no keys there
    tab.page.keyboard.press("Enter")
    expect_at(tab, run, 3)  # which the focus has come back to
    tab.settle()
    said = {mark.sample_id: mark for mark in marks.current(marks.history(run)[before:])}
    assert (said[ids[0]].is_marked, said[ids[1]].own_label, said[ids[2]].note) == (True, "2", "no lamp, map 12")
    tab.page.keyboard.press("n")
    tab.page.keyboard.press("u")
    expect_at(tab, run, 3)
    tab.settle()
    assert ids[2] not in {mark.sample_id for mark in marks.current(marks.history(run)[before:])}

    tab.page.keyboard.press("Enter")  # the panel of one image goes through the same list, by the same keys
    progress = tab.page.locator(".reviewer .progress")
    expect(progress).to_have_text("3 of 360 images")
    tab.settle()
    hold(tab, "n", 70)
    tab.page.keyboard.press("m")
    expect(progress).to_have_text("73 of 360 images")
    ends = time.monotonic() + 20  # the server has seventy steps to answer before it
    while ids[72] not in {mark.sample_id for mark in marks.current(marks.history(run))}:
        assert time.monotonic() < ends
        tab.page.wait_for_timeout(100)
    tab.settle()
    tab.page.keyboard.press("Escape")
    expect_at(tab, run, 73)  # where the panel has come to, two pages on
    tab.check()


def test_image_follows_the_list_and_back_restores_the_place(reviewing: Tab, run: store.Run) -> None:
    tab, ids = reviewing, in_order(run)
    open_gallery(tab, run, order="Score,+low+to+high", find="live")
    tab.expect_query(find="live")
    of_list = [sample_id for sample_id in reversed(ids) if "live" in sample_id]
    hold(tab, "n", 40)
    tab.page.wait_for_function(f"() => ({FOCUSED})() === {of_list[40]!r}")
    tab.settle()
    scrolled = tab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    assert scrolled > 100
    left = tab.page.url
    tab.page.keyboard.press("Enter")
    tab.settle()
    tab.page.get_by_role("link", name="Open as a page").click()
    progress = tab.page.locator(".reviewer .progress")
    expect(progress).to_have_text("41 of 60 images (id contains live)")
    tab.settle()
    hold(tab, "p", 4)
    tab.page.wait_for_timeout(300)  # long enough to have looked at it, which is said two seconds later
    hold(tab, "p", 1)
    expect(progress).to_have_text("36 of 60 images (id contains live)")
    tab.expect_query(image=of_list[35])
    with stopped(tab.address):  # the way back is asked for, and nothing has answered yet when it is due to be said
        tab.page.go_back()
        tab.page.wait_for_timeout(2100)
    expect(tab.page).to_have_url(re.compile("/gallery"))
    tab.settle()
    assert tab.page.url == left
    assert ids_of_cards(tab) == of_list
    tab.page.wait_for_function(f"() => ({FOCUSED})() === {of_list[40]!r}")
    assert abs(tab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") - scrolled) < 5
    tab.page.get_by_role("button", name="id contains live").click()  # the chip
    expect(tab.page.locator("button.card")).to_have_count(60)
    expect(tab.page.locator(".gallery .progress")).to_have_text("1 of 360")
    tab.check()
