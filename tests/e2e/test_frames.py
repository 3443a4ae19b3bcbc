"""Several checkpoints in one frame: what is done in one panel happens in the others, and epochs are stepped by key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Locator, expect

from fas_core.bench import drag
from fas_core.evaluation.join import common_rows
from fas_core.latent import projection
from fas_core.runs import store
from tests.conftest import tiny_samples, write_image_run

from .conftest import Tab, watched

EPOCHS = (1, 2, 4)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs of one training, and "other": the same samples in another order, two of them missing."""
    folder = tmp_path_factory.mktemp("frames")
    samples = tiny_samples()
    shuffled = samples.sample(frac=1, random_state=1).reset_index(drop=True)
    shuffled = shuffled[~shuffled["sample_id"].isin(["live_0", "unseen_mask_1"])].reset_index(drop=True)
    write_image_run(folder, "other", shuffled, seed=9)
    for epoch in EPOCHS:
        header = {"training": "t", "epoch": epoch}
        write_image_run(folder, f"m.epoch-{epoch:04d}", samples, seed=epoch, header=header)
    return folder


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[str]:
    with drag.served_app(cache) as address:
        yield address


def label(cache: Path, name: str) -> str:
    return f"{name} ({store.open_run(cache, name).id[:6]})"


def opened(tab: Tab, cache: Path, query: str) -> None:
    tab.page.set_viewport_size({"width": 1440, "height": 1700})  # nothing scrolls while gestures are made
    tab.open(f"frames?run={label(cache, 'm.epoch-0004')}{query}")
    tab.page.locator(".scatter[data-painted]").first.wait_for()
    tab.settle()


class Panel:
    """One of the plots, and where data are in it on the screen."""

    def __init__(self, tab: Tab, number: int) -> None:
        self.root: Locator = tab.page.locator("div.scatter").nth(number)
        box = self.root.locator(".stage").bounding_box()
        assert box
        self.left, self.top = box["x"] + self.view["left"], box["y"] + self.view["top"]

    @property
    def view(self) -> dict[str, float]:
        bounds: dict[str, float] = json.loads(str(self.root.get_attribute("data-view")))
        return bounds

    @property
    def status(self) -> str:
        return self.root.locator(".status").inner_text()

    def screen(self, x: float, y: float) -> tuple[float, float]:
        v = self.view
        across = self.left + v["width"] / 2 + (x - v["x"]) / v["unit"]
        return across, self.top + v["height"] / 2 - (y - v["y"]) / v["unit"]

    def drawn_over(self, x: float, y: float) -> list[int]:
        """The overlay's pixel at a place of the screen."""
        pixel: list[int] = self.root.locator("canvas.over").evaluate(
            """(canvas, [x, y]) => {
                const box = canvas.getBoundingClientRect();
                const ratio = canvas.width / box.width;
                const at = [Math.round((x - box.left) * ratio), Math.round((y - box.top) * ratio)];
                return [...canvas.getContext('2d').getImageData(...at, 1, 1).data];
            }""",
            [x, y],
        )
        return pixel


def lasso(tab: Tab, panel: Panel, share: float = 0.3) -> None:
    v = panel.view
    x, y = panel.left + v["width"] / 2, panel.top + v["height"] / 2
    for i in range(25):
        tab.page.mouse.move(
            x + share * v["width"] * math.cos(i * math.pi / 12), y + share * v["height"] * math.sin(i * math.pi / 12)
        )
        if not i:
            tab.page.mouse.down()
    tab.page.mouse.up()


@pytest.fixture
def places(cache: Path) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Common samples, and where A and "other" have them in A's first two components."""
    a, other = store.open_run(cache, "m.epoch-0004"), store.open_run(cache, "other")
    tables = [run.samples(["sample_id", "subset"]) for run in (a, other)]
    rows = common_rows(tables)
    pca = projection.pca_of(a)
    both = [projection.coordinates(run, pca)[of, :2] for run, of in zip((a, other), rows, strict=True)]
    return tables[0]["sample_id"].iloc[rows[0]].tolist(), *(points.astype(np.float64) for points in both)


def test_selecting_and_pointing_in_one_panel_is_selecting_and_pointing_in_all(
    tab: Tab, cache: Path, places: tuple[list[str], NDArray[np.float64], NDArray[np.float64]]
) -> None:
    opened(tab, cache, f"&show=side by side&panels={label(cache, 'other')}&frame=one PCA")
    expect(tab.page.get_by_text("22 samples that all share, 2 of A left out.")).to_be_visible()
    ids, of_a, of_b = places
    a, b = Panel(tab, 0), Panel(tab, 1)
    lasso(tab, a)
    immediately = a.status, b.status
    assert re.fullmatch(r"\d+ selected", immediately[0])
    assert immediately[0] == immediately[1]
    tab.settle()
    v = a.view
    radii = np.array([0.3 * v["width"], 0.3 * v["height"]]) * v["unit"]
    is_inside = (((of_a - [v["x"], v["y"]]) / radii) ** 2).sum(1) < 1
    assert 2 < is_inside.sum() <= 12  # one page of cards
    expect(tab.page.get_by_text(f"{is_inside.sum()} selected:")).to_be_visible()
    cards = tab.page.locator(".gallery .card").all_inner_texts()
    assert len(cards) == is_inside.sum()
    for sample_id, is_here in zip(ids, is_inside, strict=True):
        assert any(sample_id in card for card in cards) == is_here

    far = np.hypot(*(of_a[:, None] - of_a[None]).transpose(2, 0, 1))
    np.fill_diagonal(far, np.inf)
    row = int(far.min(1).argmax())  # by itself in A
    ring = b.screen(*of_b[row])
    tab.page.mouse.move(5, 5)
    before = b.drawn_over(ring[0] + 9, ring[1])
    tab.page.mouse.move(*a.screen(*of_a[row]))
    expect(a.root.locator(".tip")).to_contain_text(ids[row])
    assert b.drawn_over(ring[0] + 9, ring[1]) != before
    tab.page.mouse.move(5, 5)
    assert b.drawn_over(ring[0] + 9, ring[1]) == before

    b.root.locator(".stage").focus()
    tab.page.keyboard.press("Escape")  # in the other panel
    tab.settle()
    assert (a.status, b.status) == ("", "")
    tab.page.mouse.click(*b.screen(*of_b[row]))
    assert (a.status, b.status) == ("1 selected", "1 selected")
    tab.check()


def test_zoom_and_legend_are_those_of_all_panels(tab: Tab, cache: Path) -> None:
    opened(tab, cache, f"&show=side by side&panels={label(cache, 'other')}")
    a, b = Panel(tab, 0), Panel(tab, 1)
    assert a.view == b.view
    before = a.view["unit"]
    b.root.get_by_role("button", name="Zoom in").click()
    tab.page.wait_for_timeout(400)
    assert a.view["unit"] == pytest.approx(before / 1.6)
    assert a.view == b.view
    a.root.locator(".legend .key", has_text="seen paper").click()
    b.root.locator(".stage").focus()
    tab.page.keyboard.press("0")
    tab.page.keyboard.press("s")  # all that is in view
    assert (a.status, b.status) == ("19 selected", "19 selected")  # of 22, 3 are seen paper
    expect(tab.page).to_have_url(re.compile("off=seen_paper"))
    tab.check()


def test_epochs_are_stepped_by_key_with_axes_and_selection_as_they_are(tab: Tab, cache: Path) -> None:
    opened(tab, cache, "&epoch=1")
    panel = Panel(tab, 0)
    note = panel.root.locator(".stage")
    expect(note).to_have_attribute("aria-label", re.compile("Epoch 1: m.epoch-0001"))
    lasso(tab, panel)
    tab.settle()
    status, view, points = panel.status, panel.view, picture(panel)
    tab.page.get_by_role("slider", name="Epoch").focus()
    tab.page.keyboard.press("ArrowRight")
    tab.settle()
    expect(note).to_have_attribute("aria-label", re.compile("Epoch 2: m.epoch-0002"))
    expect(tab.page).to_have_url(re.compile("epoch=2"))
    assert (panel.status, panel.view) == (status, view)
    assert picture(panel) != points
    tab.page.get_by_role("button", name="Next epoch").focus()
    tab.page.keyboard.press("Enter")
    tab.settle()
    expect(tab.page).to_have_url(re.compile("epoch=4"))
    expect(tab.page.get_by_role("button", name="Next epoch")).to_be_disabled()
    tab.page.get_by_role("button", name="Previous epoch").click()
    tab.settle()
    expect(tab.page.get_by_role("slider", name="Epoch")).to_have_attribute("aria-valuetext", "2")
    assert panel.status == status
    tab.check()


def picture(panel: Panel) -> str:
    return str(panel.root.locator("canvas.points").evaluate("canvas => canvas.toDataURL()"))


CHOSEN = (("Axes", "Up", "PC 3"), ("Colour", "Colour", "glasses"))  # button, control in it, value


def test_the_address_alone_shows_the_same(tab: Tab, cache: Path, elsewhere: BrowserContext, server: str) -> None:
    opened(tab, cache, "")
    for within, name, value in CHOSEN:
        tab.page.get_by_role("button", name=within, exact=True).click()
        box = tab.page.get_by_role("combobox", name=name)
        box.fill(value)
        box.press("Enter")
        tab.settle()
        tab.page.keyboard.press("Escape")
    tab.page.get_by_text("aligned PCA", exact=True).click()
    tab.settle()
    tab.page.get_by_role("button", name="Previous epoch").click()
    tab.settle()
    Panel(tab, 0).root.get_by_role("button", name="Zoom in").click()
    expect(tab.page).to_have_url(re.compile("view="))
    tab.settle()
    tab.page.mouse.move(5, 5)
    first = Panel(tab, 0)
    before = first.root.locator(".stage").get_attribute("aria-label"), first.view, picture(first)
    words = tab.page.get_by_text("plain pixels leave").inner_text()
    with watched(elsewhere, server) as again:
        again.page.set_viewport_size({"width": 1440, "height": 1700})
        again.page.goto(tab.page.url)
        again.page.locator(".scatter[data-painted]").first.wait_for()
        again.settle()
        panel = Panel(again, 0)
        assert panel.root.locator(".stage").get_attribute("aria-label") == before[0]
        assert panel.view == pytest.approx(before[1], rel=1e-3, abs=1e-3)
        assert again.page.get_by_text("plain pixels leave").inner_text() == words
        for within, name, value in CHOSEN:
            again.page.get_by_role("button", name=within, exact=True).click()
            assert again.page.get_by_role("combobox", name=name).input_value() == value
            again.page.keyboard.press("Escape")
        again.check()
    tab.check()
