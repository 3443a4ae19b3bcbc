"""The scatter component: what a gesture encloses is what is selected, with WebGL and without, and it stays selected."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import expect

from fas_core.latent import projection
from fas_core.reports.palette import contrast
from fas_core.runs import selections, store

from .conftest import Tab

# Chromium without a graphics card has a WebGL that the processor plays: the component leaves it alone unless it hides.
REAL = """const asked = WebGL2RenderingContext.prototype.getParameter;
WebGL2RenderingContext.prototype.getParameter = function (name) {
    return name === 0x9246 ? 'a graphics card' : asked.call(this, name);
};"""
NONE = """const asked = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith('webgl') ? null : asked.call(this, kind, ...rest);
};"""
RENDERERS = {"card": (REAL, "webgl"), "played": ("", "raster"), "missing": (NONE, "raster")}

Place = tuple[float, float]


@pytest.fixture
def run(cache: Path) -> store.Run:
    return store.open_run(cache, "demo")


@pytest.fixture
def places(run: store.Run) -> NDArray[np.float64]:
    """Two principal components of every image, as the plot shows them."""
    return projection.coordinates(run, projection.pca_of(run))[:, :2].astype(np.float64)


def ids(run: store.Run) -> NDArray[np.str_]:
    return run.samples(["sample_id"])["sample_id"].to_numpy(str)


def opened(tab: Tab, run: store.Run, query: str = "") -> None:
    tab.page.set_viewport_size({"width": 1440, "height": 1500})  # nothing scrolls while gestures are made
    tab.open(f"latent?run=demo+({run.id[:6]}){query}")
    painted(tab)


def painted(tab: Tab) -> None:
    tab.page.locator(".scatter[data-painted]").wait_for()
    tab.settle()


class Plot:
    """Where data are on the screen."""

    def __init__(self, tab: Tab) -> None:
        self.view: dict[str, float] = json.loads(str(tab.page.locator(".scatter").get_attribute("data-view")))
        box = tab.page.locator(".stage").bounding_box()
        assert box
        self.left, self.top = box["x"] + self.view["left"], box["y"] + self.view["top"]

    def at(self, share_x: float, share_y: float) -> Place:
        """A pixel of the screen, whole, at a share of the plot area from its upper left corner."""
        return round(self.left + share_x * self.view["width"]), round(self.top + share_y * self.view["height"])

    def data(self, place: Place) -> Place:
        v = self.view
        x = v["x"] + (place[0] - self.left - v["width"] / 2) * v["unit"]
        return x, v["y"] - (place[1] - self.top - v["height"] / 2) * v["unit"]

    def screen(self, x: float, y: float) -> Place:
        v = self.view
        across = self.left + v["width"] / 2 + (x - v["x"]) / v["unit"]
        return across, self.top + v["height"] / 2 - (y - v["y"]) / v["unit"]


def star(plot: Plot, x: float, y: float, radius: float, corners: int = 11) -> list[Place]:
    """An outline that is not convex."""
    outline = []
    for i in range(2 * corners):
        r, angle = radius * (1 if i % 2 else 0.55), math.pi * i / corners
        outline.append(plot.at(x + r * math.cos(angle), y + r * math.sin(angle)))
    return outline


def inside(places: NDArray[np.float64], outline: Sequence[Place]) -> NDArray[np.bool_]:
    """(n,) by the winding number: the angles under which a point sees the outline's edges."""
    corners = np.array(outline)[None] - places[:, None]
    following = np.roll(corners, -1, axis=1)
    cross = corners[..., 0] * following[..., 1] - corners[..., 1] * following[..., 0]
    return np.abs(np.arctan2(cross, (corners * following).sum(-1)).sum(1)) > np.pi


def drag(tab: Tab, outline: Sequence[Place], *, adds: bool = False, releases: bool = True) -> None:
    if adds:
        tab.page.keyboard.down("Shift")
    tab.page.mouse.move(*outline[0])
    tab.page.mouse.down()
    for place in outline[1:]:
        tab.page.mouse.move(*place)
    if releases:
        tab.page.mouse.up()
        if adds:
            tab.page.keyboard.up("Shift")
        tab.settle()


def downloaded(tab: Tab, kind: str = "CSV") -> list[str]:
    """The sample ids of the selection, once the server has all that the plot says are selected."""
    n = re.match(r"[\d,]+", status(tab))
    assert n, status(tab)
    with tab.page.expect_download() as waiting:
        tab.page.get_by_role("button", name=f"Download the {n[0]} ids ({kind})", exact=True).click()
    content = Path(waiting.value.path()).read_bytes()
    table = pd.read_csv(io.BytesIO(content), dtype=str) if kind == "CSV" else pd.read_parquet(io.BytesIO(content))
    return table["sample_id"].tolist()


def status(tab: Tab) -> str:
    return tab.page.locator(".status").inner_text()


def asked(tab: Tab) -> dict[str, list[str]]:
    return parse_qs(urlparse(tab.page.url).query)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_gestures_select_exactly_what_they_enclose(
    tab: Tab, run: store.Run, places: NDArray[np.float64], renderer: str
) -> None:
    script, name = RENDERERS[renderer]
    tab.page.add_init_script(script)
    opened(tab, run)
    assert tab.page.locator(".scatter").get_attribute("data-renderer") == name
    plot = Plot(tab)
    outline = star(plot, 0.5, 0.5, 0.3)
    drag(tab, outline)
    is_inside = inside(places, [plot.data(place) for place in outline])
    assert 5 < is_inside.sum() < len(run) - 5
    assert status(tab) == f"{is_inside.sum():,} selected"
    expect(tab.page.get_by_text(f"{is_inside.sum():,} selected:")).to_be_visible()
    assert downloaded(tab) == ids(run)[is_inside].tolist()

    tab.page.get_by_role("button", name="Box", exact=True).click()
    corners = [plot.at(0.02, 0.05), plot.at(0.2, 0.3), plot.at(0.45, 0.6)]
    drag(tab, corners, adds=True)
    (left, top), (right, bottom) = plot.data(corners[0]), plot.data(corners[-1])
    is_inside |= (places >= [left, bottom]).all(1) & (places <= [right, top]).all(1)
    assert downloaded(tab, "Parquet") == ids(run)[is_inside].tolist()
    drag(tab, corners)  # without Shift it replaces
    is_inside = (places >= [left, bottom]).all(1) & (places <= [right, top]).all(1)
    assert downloaded(tab) == ids(run)[is_inside].tolist()

    drag(tab, star(plot, 0.5, 0.5, 0.3), releases=False)
    tab.page.keyboard.press("Escape")  # the gesture, not the selection
    tab.page.mouse.up()
    tab.settle()
    assert status(tab) == f"{is_inside.sum():,} selected"
    tab.page.keyboard.press("Escape")
    tab.settle()
    assert status(tab) == ""
    expect(tab.page.get_by_text("Draw around points")).to_be_visible()
    tab.check()


def alone(places: NDArray[np.float64]) -> int:
    """The row that is furthest from its nearest neighbour."""
    far = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(far, np.inf)
    return int(far.min(1).argmax())


def test_a_point_shows_its_image_and_is_selected_by_a_click(
    tab: Tab, run: store.Run, places: NDArray[np.float64]
) -> None:
    opened(tab, run)
    row = alone(places)
    plot = Plot(tab)
    x, y = plot.screen(*places[row])
    tab.page.mouse.move(x + 4, y + 3)
    tip = tab.page.locator(f".tip[data-row='{row}']")
    expect(tip).to_be_visible()
    expect(tip.locator(".lines")).to_contain_text(ids(run)[row])
    pixels = tip.locator("canvas").evaluate(
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).filter((_, i) => i % 4 === 0)"
    )
    assert pixels == run.images("inputs", [row])[0].ravel().tolist()
    tab.page.mouse.click(x + 4, y + 3)
    tab.settle()
    assert downloaded(tab) == [ids(run)[row]]
    tab.page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    tab.check()


def test_the_plot_fills_the_window_and_images_take_the_place_of_few_points(
    tab: Tab, run: store.Run, places: NDArray[np.float64]
) -> None:
    """Two fifths of 1440 x 900, all of it in sight, tools and legend within."""
    tab.page.set_viewport_size({"width": 1440, "height": 900})
    tab.open(f"latent?run=demo+({run.id[:6]})")
    painted(tab)
    plot = Plot(tab)
    assert plot.view["width"] * plot.view["height"] >= 0.4 * 1440 * 900
    assert plot.top <= 190
    assert plot.top + plot.view["height"] <= 900
    legend, stage = (tab.page.locator(name).bounding_box() for name in (".scatter .legend", ".stage"))
    assert legend
    assert stage
    assert stage["x"] < legend["x"]
    assert stage["y"] < legend["y"]
    assert legend["y"] + legend["height"] < stage["y"] + stage["height"]
    shapes = tab.page.locator(".legend .chip").evaluate_all(
        "all => all.map((chip) => chip.getAttribute('class') + chip.firstChild.getAttribute('points'))"
    )
    assert len(set(shapes)) == len(shapes) == 8
    tab.page.get_by_role("button", name="Legend").click()
    expect(tab.page.locator(".legend .key", has_text="live")).to_be_hidden()

    # A point by itself stands out from the ground by 3:1, as it is drawn.
    row = alone(places)
    x, y = plot.screen(*places[row])
    shot = Image.open(io.BytesIO(tab.page.screenshot())).convert("RGB")
    around = [shot.getpixel((round(x) + dx, round(y) + dy)) for dx in range(-4, 5) for dy in range(-4, 5)]
    colours = ["#{:02X}{:02X}{:02X}".format(*pixel) for pixel in around]
    assert max(contrast(colour, "#FFFFFF") for colour in colours) >= 3

    asked: list[str] = []
    tab.page.on("websocket", lambda _: asked.append("anew"))
    tab.page.mouse.move(x, y)
    for _ in range(6):
        tab.page.mouse.wheel(0, -280)
    scatter = tab.page.locator(".scatter")
    expect(scatter).to_have_attribute("data-pictures", re.compile(rf"\b{row}\b"))
    tab.settle()
    view = Plot(tab).view
    size = np.array([view["width"], view["height"]]) * view["unit"] / 2
    in_view = np.flatnonzero((np.abs(places - [view["x"], view["y"]]) <= size).all(1))
    rows = re.escape(f'"rows":[{",".join(map(str, in_view))}]')  # those of views on the way there have gone
    expect(scatter).to_have_attribute("data-pictures", re.compile(rows))
    # What is drawn at a point's place is its image.
    x, y = Plot(tab).screen(*places[row])
    side = json.loads(str(scatter.get_attribute("data-pictures")))["side"] - 16
    tab.page.mouse.move(5, 5)
    shot = Image.open(io.BytesIO(tab.page.screenshot())).convert("L")
    shown = shot.crop((round(x - side / 2), round(y - side / 2), round(x + side / 2), round(y + side / 2)))
    image = Image.fromarray(run.images("inputs", [row])[0])
    inner = image.crop((14, 14, 114, 114)).resize(shown.size, Image.Resampling.BOX)
    assert np.corrcoef(np.asarray(shown, float).ravel(), np.asarray(inner, float).ravel())[0, 1] > 0.8
    tab.check()


def test_a_selection_is_explained_and_opens_in_the_gallery(tab: Tab, run: store.Run) -> None:
    opened(tab, run)
    drag(tab, star(Plot(tab), 0.5, 0.5, 0.3))
    n = status(tab).split(" ")[0]
    expect(tab.page.get_by_text(f"What sets the {n} selected apart")).to_be_visible()
    expect(tab.page.get_by_text(re.compile("By [0-9]+ subjects|by [0-9]+ subjects")).first).to_be_visible()
    expected = downloaded(tab)
    tab.page.get_by_role("button", name="Open in Gallery").click()
    expect(tab.page).to_have_url(re.compile("/gallery"))
    tab.settle()
    tab.expect_query(selection="last opened from Latent space")
    assert selections.sample_ids(run, "last opened from Latent space").tolist() == expected
    selections.delete(run, "last opened from Latent space")
    tab.check()


def test_the_point_nearest_to_the_pointer_is_found(tab: Tab, run: store.Run, places: NDArray[np.float64]) -> None:
    opened(tab, run)
    rng, right, missed = np.random.default_rng(0), 0, 0
    for zooms in (0, 3):
        for _ in range(zooms):
            tab.page.get_by_role("button", name="Zoom in").click()
        tab.settle()
        plot = Plot(tab)
        screen = np.array([plot.screen(*place) for place in places])
        middle = np.abs(screen - plot.at(0.5, 0.5)).max(1) < 150
        for x, y in (screen[rng.choice(np.flatnonzero(middle), 12)] + rng.uniform(-25, 25, (12, 2))).round():
            at = (float(x), float(y))
            pictures = json.loads(tab.page.locator(".scatter").get_attribute("data-pictures") or "{}")
            far = np.hypot(*(screen - at).T)
            row, second = np.argsort(far)[:2]
            is_on_one = [np.abs(screen[one] - at).max() < pictures["side"] / 2 + 1 for one in pictures.get("rows", [])]
            if far[row] > 14 and any(is_on_one):
                missed += 1  # of the points; an image is found as far as it reaches
                continue
            if far[second] - far[row] < 0.5 or abs(far[row] - 14) < 0.5:
                continue  # coordinates have 16 bits
            tab.page.mouse.move(*at)
            if far[row] < 14:
                right += 1
                expect(tab.page.locator(f".tip[data-row='{row}']")).to_be_visible()
            else:
                missed += 1
                expect(tab.page.locator(".tip")).to_be_hidden()
    assert right > 3
    assert missed > 1
    tab.check()


def test_a_selection_survives_colours_projections_and_pages(
    tab: Tab, run: store.Run, places: NDArray[np.float64]
) -> None:
    opened(tab, run)
    plot = Plot(tab)
    outline = star(plot, 0.5, 0.5, 0.3)
    drag(tab, outline)
    expected = ids(run)[inside(places, [plot.data(place) for place in outline])].tolist()
    sent: list[int] = []
    tab.page.on("websocket", lambda _: sent.append(-1))  # nobody connects anew
    colour = tab.page.get_by_role("combobox", name="Colour")
    colour.fill("label")
    colour.press("Enter")
    tab.settle()
    expect(tab.page.locator(".legend [data-name]").first).to_contain_text("attack")
    assert status(tab) == f"{len(expected)} selected"
    assert asked(tab)["colour"] == ["label"]
    tab.page.get_by_role("button", name="Axes").click()
    up = tab.page.get_by_role("combobox", name="Up")
    up.fill("PC 5")
    up.press("Enter")
    tab.settle()
    tab.page.keyboard.press("Escape")
    assert downloaded(tab) == expected
    tab.page.get_by_role("link", name="Look", exact=True).click()
    tab.settle()
    tab.page.get_by_role("link", name="Codes", exact=True).click()
    painted(tab)
    assert status(tab) == f"{len(expected)} selected"  # the browser has a new plot, and got its bits
    assert downloaded(tab) == expected
    assert not sent
    tab.check()


def test_what_is_switched_off_stays_as_context_and_is_not_selected(tab: Tab, run: store.Run) -> None:
    opened(tab, run, "&colour=label")
    tab.page.locator(".legend .key", has_text="attack").click()
    expect(tab.page).to_have_url(re.compile(r"off=attack"))
    tab.page.locator(".stage").focus()
    tab.page.keyboard.press("s")  # all that is in view
    tab.settle()
    labels = run.samples(["label"])["label"].to_numpy(str)
    assert downloaded(tab) == ids(run)[labels == "bona_fide"].tolist()
    expect(tab.page).to_have_url(re.compile(r"off=attack"))
    tab.page.get_by_role("button", name="Colour all").click()
    expect(tab.page).not_to_have_url(re.compile(r"off="))
    assert status(tab) == f"{(labels == 'bona_fide').sum()} selected"
    tab.check()


def test_what_is_told_and_asked_at_once_is_both_heard(tab: Tab, run: store.Run) -> None:
    """Triggers of a component that wait together may overtake each other; what must not be lost is its state."""
    opened(tab, run, "&colour=label")
    tab.page.locator(".stage").focus()
    tab.page.evaluate(
        """(run) => {
            const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
            const stage = roots.find((root) => root?.querySelector('.stage')).querySelector('.stage');
            stage.dispatchEvent(new KeyboardEvent('keydown', { key: 's', bubbles: true }));
            fasScatter.tell({ view: null, off: ['attack'] });
            for (const row of [0, 1, 2]) setTimeout(() => fasScatter.ask({ rows: [row], run }), 20 * row);
        }""",
        run.digest,
    )
    expect(tab.page).to_have_url(re.compile(r"off=attack"))
    tab.check()


def test_the_address_alone_brings_back_colour_projection_view_and_legend(tab: Tab, run: store.Run) -> None:
    opened(tab, run, "&colour=label&pcx=PC 3&off=attack")
    start = Plot(tab).view
    tab.page.mouse.move(*Plot(tab).at(0.3, 0.4))
    tab.page.mouse.wheel(0, -280)
    tab.page.mouse.wheel(0, -280)
    expect(tab.page).to_have_url(re.compile(r"view="))
    tab.settle()
    before = Plot(tab).view
    assert before["unit"] == pytest.approx(start["unit"] * math.exp(-1.6), rel=0.01)
    address = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(address)
    painted(tab)
    after = Plot(tab).view
    assert after == pytest.approx(before, rel=1e-3, abs=1e-3)
    expect(tab.page.locator(".legend .key", has_text="attack")).to_have_attribute("aria-pressed", "false")
    assert asked(tab)["pcx"] == ["PC 3"]
    tab.page.get_by_role("button", name="Show all").click()
    expect(tab.page).not_to_have_url(re.compile(r"view="))
    tab.check()


def test_all_of_it_by_keyboard(tab: Tab, run: store.Run, places: NDArray[np.float64]) -> None:
    opened(tab, run)
    stage = tab.page.locator(".stage")
    tab.page.get_by_role("button", name="Lasso").focus()
    for _ in range(12):
        tab.page.keyboard.press("Tab")
        if stage.evaluate("e => e.getRootNode().activeElement === e"):
            break
    expect(stage).to_be_focused()
    start = Plot(tab).view
    tab.page.keyboard.press("+")
    tab.page.keyboard.press("ArrowRight")
    tab.page.wait_for_timeout(100)
    view = Plot(tab).view
    assert view["unit"] == pytest.approx(start["unit"] / 1.6)
    assert view["x"] == pytest.approx(start["x"] + 40 * view["unit"])
    for key in ("0", "+", "+", "+"):
        tab.page.keyboard.press(key)
    tab.page.wait_for_timeout(100)
    middle = Plot(tab).view
    nearest = int(np.hypot(*(places - [middle["x"], middle["y"]]).T).argmin())
    within = np.hypot(*((places[nearest] - [middle["x"], middle["y"]]) / middle["unit"])) < 14
    tab.page.keyboard.press("Enter")
    tab.settle()
    assert status(tab) in (["1 selected"] if within else ["", "1 selected"])  # the middle may lie on an image
    if within:
        assert downloaded(tab) == [ids(run)[nearest]]
    stage.focus()
    tab.page.keyboard.press("b")
    expect(tab.page.get_by_role("button", name="Box", exact=True)).to_have_attribute("aria-pressed", "true")
    tab.page.keyboard.press("0")
    tab.page.keyboard.press("s")
    tab.settle()
    assert status(tab) == f"{len(run):,} selected"
    stage.focus()
    tab.page.keyboard.press("Escape")
    tab.settle()
    assert status(tab) == ""
    tab.check()


def test_a_selection_is_saved_and_opened_from_the_address(tab: Tab, run: store.Run, cache: Path) -> None:
    opened(tab, run)
    drag(tab, star(Plot(tab), 0.4, 0.5, 0.25))
    expected = downloaded(tab)
    tab.page.get_by_role("button", name="Saved selections").click()
    tab.page.get_by_label("Name").fill("odd ones")
    tab.page.get_by_label("Name").press("Enter")
    tab.settle()
    assert selections.sample_ids(run, "odd ones").tolist() == expected
    expect(tab.page).to_have_url(re.compile(r"selection=odd"))
    address = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(address)
    painted(tab)
    assert status(tab) == f"{len(expected)} selected"
    assert downloaded(tab) == expected
    tab.page.get_by_role("button", name="Saved selections").click()
    tab.page.get_by_role("button", name="Delete").click()
    tab.settle()
    assert selections.names(run) == []
    assert status(tab) == f"{len(expected)} selected"
    tab.check()


def picture(tab: Tab) -> NDArray[Any]:
    """The plot in blocks of 8 x 8 pixels: one renderer puts points between pixels, the other does not."""
    taken = np.asarray(Image.open(io.BytesIO(tab.page.locator(".stage").screenshot())).convert("RGB"), np.float64)
    height, width = taken.shape[0] // 8, taken.shape[1] // 8
    return taken[: 8 * height, : 8 * width].reshape(height, 8, width, 8, 3).mean((1, 3))


def test_both_renderers_draw_the_same_picture(tab: Tab, run: store.Run) -> None:
    opened(tab, run)
    drag(tab, star(Plot(tab), 0.4, 0.5, 0.25))
    tab.page.mouse.move(5, 5)
    raster = picture(tab)
    tab.page.add_init_script(REAL)
    opened(tab, run)
    assert tab.page.locator(".scatter").get_attribute("data-renderer") == "webgl"
    nothing = picture(tab)
    drag(tab, star(Plot(tab), 0.4, 0.5, 0.25))
    tab.page.mouse.move(5, 5)
    webgl = picture(tab)
    alike = np.corrcoef([shown.ravel() for shown in (raster, webgl, nothing)])
    assert alike[0, 1] > 0.98
    assert alike[0, 1] > 1 - (1 - alike[1, 2]) / 3  # what is selected looks different, in both alike
    tab.check()
