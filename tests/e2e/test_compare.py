"""Score against score: every sample is there, is shown under the pointer, and is listed when it is selected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from playwright.sync_api import expect

from fas_core.evaluation.join import System, joined, outside_training
from fas_core.evaluation.matching import matching
from fas_core.metrics.operating_point import DEFAULT
from fas_core.runs import store

from .conftest import Tab
from .test_pages import choice


def test_samples_beyond_both_thresholds_are_selected_and_listed(tab: Tab, cache: Path) -> None:
    everything = joined([System(store.open_run(cache, name), "rec") for name in ("demo", "demo2")])
    both = outside_training(everything).only((outside_training(everything).samples["subset"] != "live").to_numpy())
    at_a, at_b = matching(everything.in_subsets(["live"]), DEFAULT, ["live"]).thresholds
    beyond = (both.scores[0] >= at_a) & (both.scores[1] >= at_b)
    assert 0 < beyond.sum() < len(both)
    other = choice(cache, "demo2").removeprefix("run=")
    tab.page.set_viewport_size({"width": 1440, "height": 1500})
    tab.open(f"compare?{choice(cache, 'demo')}&compare={other}&part=Which samples change%3F&show=All&score=rec")
    scatter = tab.page.locator("div.scatter[data-painted]")
    scatter.wait_for()
    tab.settle()
    box = tab.page.locator(".stage").bounding_box()
    assert box
    view = json.loads(str(scatter.get_attribute("data-view")))
    # The lines' place on the screen, from what the page is told of the axes and of the view.
    low, high = (np.percentile(both.scores, q, axis=1, method=m) for q, m in ((0.1, "lower"), (99.9, "higher")))
    low, high = np.minimum(low, [at_a, at_b]), np.maximum(high, [at_a, at_b])
    share = (np.array([at_a, at_b]) - low) / (high - low)
    left, top = box["x"] + view["left"], box["y"] + view["top"]
    x = left + view["width"] / 2 + (1.6 * share[0] - view["x"]) / view["unit"]
    y = top + view["height"] / 2 - (share[1] - view["y"]) / view["unit"]
    tab.page.get_by_role("button", name="Box").click()
    tab.page.mouse.move(left + view["width"] - 2, top + 2)
    tab.page.mouse.down()
    tab.page.mouse.move(x, y, steps=5)
    tab.page.mouse.up()
    tab.settle()
    # Half a pixel may hold a sample on the line.
    inside = int(str(tab.page.locator(".status").inner_text()).split()[0].replace(",", ""))
    pixel = view["unit"] * (high - low) / (1.6, 1)
    near = (np.abs(both.scores[0] - at_a) < pixel[0]) | (np.abs(both.scores[1] - at_b) < pixel[1])
    assert (beyond & ~near).sum() <= inside <= (beyond | near).sum()
    expect(tab.page.get_by_text(f"{inside:,} selected, listed below")).to_be_visible()
    expect(tab.page.get_by_text(f"of {inside} images")).to_be_visible()
    tab.check()


def test_a_regression_of_few_people_is_on_the_first_screen_and_opens_its_samples(tab: Tab, cache: Path) -> None:
    tab.page.set_viewport_size({"width": 1440, "height": 900})
    other = choice(cache, "system").removeprefix("run=")
    tab.open(f"compare?{choice(cache, 'other')}&compare={other}&at_most=20")
    said = tab.page.get_by_text("rejects 41 % instead of 9 % of live faces with skin tone dark brown")
    expect(said).to_be_in_viewport()
    worse = tab.page.get_by_test_id("stDataFrame").first
    box = worse.bounding_box()
    assert box
    assert box["y"] + box["height"] < 900
    expect(tab.page.get_by_role("img", name="live rejected: A 19.7 %, B 21.2 %")).to_be_in_viewport()
    expect(tab.page.get_by_text("In brackets: 95 %")).to_be_attached()  # nothing is computed any more
    tab.settle()
    tab.page.mouse.click(box["x"] + 16, box["y"] + 52)  # the first row
    expect(tab.page.get_by_text("87 selected, listed below")).to_be_attached()
    tab.check()
