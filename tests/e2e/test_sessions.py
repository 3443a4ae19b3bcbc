"""Several people at once: each sees their own page, and what all of them mark in the same moment is kept."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, expect

from fas_core.runs import marks, store

from .conftest import ids_of_cards, person, watched
from .test_pages import choice


def test_people_who_turn_and_mark_at_once_do_not_meet(
    browser: Browser, context: BrowserContext, elsewhere: BrowserContext, server: str, cache: Path
) -> None:
    run = store.open_run(cache, "demo2")
    before = len(marks.history(run))
    with ExitStack() as people:
        third = people.enter_context(person(browser))
        tabs = [people.enter_context(watched(whose, server)) for whose in (context, elsewhere, third)]
        for number, tab in enumerate(tabs, start=1):
            tab.page.goto(f"{server}/gallery?{choice(cache, 'demo2')}&per_page=12&page={number}")
        for tab in tabs:
            tab.settle()
        ids = [ids_of_cards(tab) for tab in tabs]
        assert len({*ids[0], *ids[1], *ids[2]}) == 36
        for tab in tabs:  # nobody waits for anybody
            tab.page.locator("button.card").first.focus()
            for key in ("m", "ArrowRight", "m"):
                tab.page.keyboard.press(key)
        for tab in tabs:
            tab.settle()
        added = marks.history(run)[before:]
        assert sorted(mark.sample_id for mark in added) == sorted(name for names in ids for name in names[:2])
        for tab in tabs:
            tab.page.get_by_role("button", name="Next page").click(no_wait_after=True)
        for number, tab in enumerate(tabs, start=2):
            tab.settle()
            expect(tab.page).to_have_url(re.compile(f"page={number}"))
        assert ids_of_cards(tabs[0]) == ids[1]
        for tab in tabs:
            tab.check()
