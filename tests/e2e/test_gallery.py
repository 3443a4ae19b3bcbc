"""Gallery and single image in a real browser: the pixels that are painted, the keys, marks by two people, an upload."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, expect

from app.components.gallery import error_panel
from fas_core.runs import marks, store

from .conftest import Tab, ids_of_cards, watched
from .test_pages import choice

# Red, green and blue of every pixel of a canvas inside the components' shadow roots.
PIXELS = """([selector, n]) => {
    const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot).filter(Boolean);
    const canvas = roots.flatMap((root) => [...root.querySelectorAll(selector)])[n];
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let text = '';
    for (let i = 0; i < data.length; i += 4096) text += String.fromCharCode(...data.subarray(i, i + 4096));
    return { data: btoa(text), width: canvas.width, shown: canvas.getBoundingClientRect().width,
             rendering: getComputedStyle(canvas).imageRendering };
}"""


def painted(tab: Tab, n: int, selector: str) -> tuple[NDArray[np.uint8], float, str]:
    """(H, W, 3) of the n-th canvas, its width on the screen, and how it is scaled."""
    canvases = tab.page.evaluate(PIXELS, [selector, n])
    pixels = np.frombuffer(base64.b64decode(canvases["data"]), np.uint8).reshape(-1, canvases["width"], 4)[..., :3]
    return pixels, canvases["shown"], canvases["rendering"]


def triplet(tab: Tab) -> tuple[list[NDArray[np.uint8]], float, str]:
    """The images of the first card, which share a canvas: (128, 128, 3) each, as `painted`, and the width of one."""
    pixels, shown, rendering = painted(tab, 0, ".card canvas")
    step = (pixels.shape[1] + (between := (pixels.shape[1] - 3 * 128) // 2)) // 3
    assert between > 0
    return [pixels[:, at : at + 128] for at in (0, step, 2 * step)], shown * 128 / pixels.shape[1], rendering


def row_of(run: store.Run, sample_id: str) -> NDArray[np.int64]:
    return np.flatnonzero(run.samples(["sample_id"])["sample_id"] == sample_id)[:1]


def test_every_pixel_is_the_one_of_the_run(tab: Tab, cache: Path) -> None:
    run = store.open_run(cache, "demo")
    tab.open(f"gallery?{choice(cache, 'demo')}&per_page=12&image_size=128+px&error_map=signed&error_limit=0.35")
    sample_id = ids_of_cards(tab)[0]
    inputs, rebuilt = (run.images(name, row_of(run, sample_id)) for name in ("inputs", "reconstructions"))
    (*pictures, error), shown, _ = triplet(tab)
    assert shown == 128  # one pixel of the screen each
    for pixels, image in zip(pictures, (inputs[0], rebuilt[0]), strict=True):
        assert (pixels == image[..., None]).all()
    expected = np.asarray(error_panel(inputs, rebuilt, limit=0.35, signed=True).images)[0]
    for byte in np.unique(expected):  # made in the browser: one colour for one error
        assert len(np.unique(error[expected == byte].reshape(-1, 3), axis=0)) == 1
    assert len(np.unique(error.reshape(-1, 3), axis=0)) > 0.7 * len(np.unique(expected))
    tab.open(f"gallery?{choice(cache, 'demo')}&per_page=12&image_size=256+px")
    (pixels, *_), shown, rendering = triplet(tab)
    assert (pixels == inputs[0][..., None]).all()
    assert (shown, rendering) == (256, "pixelated")
    tab.check()


@pytest.mark.parametrize(("width", "height", "least"), [(1440, 900, 12), (1920, 1080, 24), (800, 900, 4)])
def test_the_first_screen_is_a_contact_sheet(width: int, height: int, least: int, tab: Tab, cache: Path) -> None:
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.open(f"gallery?{choice(cache, 'demo')}")
    bar = tab.page.locator(".foot").bounding_box()  # the legend, above the bar that turns the page
    assert bar
    boxes = [card.bounding_box() for card in tab.page.locator("button.card").all()]
    whole = [box for box in boxes if box and box["y"] + box["height"] <= bar["y"]]
    assert len(whole) >= least
    sample_id = ids_of_cards(tab)[0]
    expect(tab.page.locator("button.card .id").first).to_have_text(sample_id)
    tab.check()


def test_keys_mark_and_turn_and_another_person_sees_the_marks(
    tab: Tab, cache: Path, elsewhere: BrowserContext, server: str
) -> None:
    run = store.open_run(cache, "demo2")
    tab.open(f"gallery?{choice(cache, 'demo2')}&per_page=12")
    tab.page.locator("button.card").first.focus()
    for key in ("m", "n", "m", "ArrowRight", "m", "p", "m"):  # three marks, the second taken back, without a pause
        tab.page.keyboard.press(key)
    tab.settle()
    stars = tab.page.locator("button.star")
    expect(stars.nth(2)).to_have_attribute("aria-pressed", "true")
    assert [star.get_attribute("aria-pressed") for star in stars.all()][:4] == ["true", "false", "true", "false"]
    stars.nth(3).click()
    tab.settle()
    ids = ids_of_cards(tab)
    assert {mark.sample_id for mark in marks.current(marks.history(run))} == {ids[0], ids[2], ids[3]}
    assert len(marks.history(run)) == 5

    tab.page.locator("button.card").last.focus()
    tab.page.keyboard.press("n")  # beyond the last card lies the next page
    expect(tab.page).to_have_url(re.compile("page=2"))
    tab.settle()
    tab.page.keyboard.press("PageUp")
    expect(tab.page).not_to_have_url(re.compile("page=2"))
    tab.settle()
    assert ids_of_cards(tab) == ids
    tab.check()

    with watched(elsewhere, server) as theirs:
        theirs.open(f"gallery?{choice(cache, 'demo2')}&per_page=12&marks=Marked+by+anybody")
        expect(theirs.page.locator("button.card")).to_have_count(3)
        theirs.check()


def test_panes_are_zoomed_together_and_say_their_values(tab: Tab, cache: Path) -> None:
    run = store.open_run(cache, "demo")
    sample_id = str(run.samples(["sample_id"])["sample_id"].iloc[7])
    tab.open(f"image?{choice(cache, 'demo')}&image={sample_id}")
    first = tab.page.locator(".pane canvas").first
    box = first.bounding_box()
    assert box
    first.hover(position={"x": box["width"] * (40.5 / 128), "y": box["height"] * (70.5 / 128)})
    expect(tab.page.locator(".at")).to_have_text("column 40, row 70")
    inputs, rebuilt = (run.images(name, np.array([7]))[0, 70, 40] / 255 for name in ("inputs", "reconstructions"))
    values = [float(text.replace("≥ ", "")) for text in tab.page.locator(".pane .value").all_inner_texts()]
    np.testing.assert_allclose(values, [inputs, rebuilt, min(abs(inputs - rebuilt), 0.5)], atol=0.002)
    tab.page.mouse.wheel(0, -600)
    expect(tab.page.locator(".factor")).not_to_have_text("1×")
    expect(tab.page.locator(".at")).to_have_text("column 40, row 70")  # what is pointed at stays where it is
    first.focus()
    tab.page.keyboard.press("0")
    tab.page.keyboard.press("+")
    tab.page.mouse.move(0, 0)
    expect(tab.page.locator(".factor")).to_have_text("2×")
    side = tab.page.evaluate(PIXELS, [".pane canvas", 0])["width"]
    for n, name in enumerate(("inputs", "reconstructions")):  # the middle half of each image, in squares
        pixels, _, _ = painted(tab, n, ".pane canvas")
        middles = ((np.arange(64) + 0.5) * side / 64).astype(int)
        expected = run.images(name, np.array([7]))[0, 32:96, 32:96]
        assert (pixels[np.ix_(middles, middles)][..., 0] == expected).mean() > 0.99
    tab.check()


def test_an_image_is_uploaded_and_judged(tab: Tab, cache: Path) -> None:
    run = store.open_run(cache, "demo")
    tab.open(f"image?{choice(cache, 'demo')}&image_source=Upload")
    before = {path for path in cache.rglob("*") if path.is_file() and "memo" not in path.parts}
    picture = cache / "data" / str(run.samples(["path"])["path"].iloc[0])
    tab.page.locator("input[type=file]").set_input_files(picture)
    expect(tab.page.get_by_text(re.compile("it is called (attack|bona fide)"))).to_be_visible(timeout=60_000)
    tab.settle()
    expect(tab.page.get_by_text("Nearest images", exact=True)).to_be_visible()
    assert {path for path in cache.rglob("*") if path.is_file() and "memo" not in path.parts} == before
    tab.check()
