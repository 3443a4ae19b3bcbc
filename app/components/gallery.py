"""Cards of images in the browser: gray images and error maps painted pixel by pixel, one click or key away from more.

    chosen = gallery(cards, [Panel("original", inputs), error_panel(inputs, reconstructions)], key="faces")

Row i of every panel belongs to card i. The pixels travel as raw bytes and all texts as text: a sample id or a column
of a manifest cannot bring markup into the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from app.components.bundle import mounted
from app.components.pressed import Marking, Place, hear_place, hear_presses, marking_data, place_data
from app.words import escaped
from fas_core.evaluation.similarity import ssim_map
from fas_core.reports.pictures import NAMES

ERROR_LIMIT = 0.5  # what the top of the error scale stands for, of the pixel range 0..1, until the user changes it
SSIM_LIMIT = 1.0  # of 1 - SSIM, which is 0 where image and reconstruction are alike and hardly ever above 1
PER_PAGE = (12, 24, 60)
SIZES = (48, 80, 128, 256, 400)  # pixels of the screen per image
SIZE = 80  # at which a window of 1440 x 900 shows sixteen samples

Palette = Literal["gray", "colour", "error", "signed"]
Layout = Literal["sheet", "review", "large"]  # as many as fit; four to six that fill the window; one that does
Verdict = Literal["right", "missed", "rejected", "no response"]

# A container with this key, below a gallery, sticks to the bottom of the window while the gallery is longer than that.
BAR = "page_bar"
BAR_STAYS_IN_VIEW = f"""<style>
div:has(> .st-key-{BAR}) {{ position: sticky; bottom: 0; z-index: 2; background: Canvas; padding: 0.4rem 0; }}
</style>"""

_mount = mounted(
    Path(__file__),
    """
<div class="gallery"><div class="legend"></div><div class="grid" role="group" aria-label="Images"></div></div>
""",
)


@dataclass(frozen=True)
class Card:
    """What is written and drawn around the images of one sample."""

    sample_id: str
    lines: Sequence[str] = ()  # a few short lines below the images; what does not fit is cut and shown on hover
    group: str = ""  # the class chip: "live", "seen paper", ...
    colour: str = "#7A7A7A"  # of the chip: charts.style_of(...).colour
    is_hollow: bool = False  # unseen groups have a hollow chip
    verdict: Verdict = "right"  # the outline: missed attack red, rejected live amber, others none
    is_marked: bool = False
    own_label: str = ""
    own_note: str = ""  # what the key / goes on writing
    note: str = ""  # a last line of its own: everybody's
    brief: str = ""  # what a contact sheet of small images says in the only line there is, before the end of the id
    heading: str = ""  # of the group that begins with this card


@dataclass(frozen=True, eq=False)
class Difference:
    """Images (n, H, W) that follow from those of two panels: bytes are `scale[first - second + 255]`, the mean over the
    channels of colour images.

    The browser, which has the two, makes them by itself: a third fewer bytes per page, and nothing to compute here.
    """

    first: NDArray[np.uint8]  # (n, H, W) or (n, H, W, 3), the images of another panel
    second: NDArray[np.uint8]
    scale: NDArray[np.uint8]  # (511,)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.first.shape[:3]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, wanted: slice) -> Difference:
        return Difference(self.first[wanted], self.second[wanted], self.scale)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        of_channels = self.scale[self.first.astype(np.int16) - self.second + 255]
        return of_channels if self.first.ndim == 3 else np.rint(of_channels.mean(-1)).astype(np.uint8)


@dataclass(frozen=True)
class Panel:
    """One image per card."""

    name: str
    images: NDArray[np.uint8] | Difference  # (n, H, W); (n, H, W, 3) of the palette "colour"
    palette: Palette = "gray"
    low: float = 0.0  # what the bytes 0 and 255 stand for: written beside the colour bar, which gray images do not have
    high: float = 1.0
    unit: str = ""  # the title of the colour bar where it is not that of the palette


def gallery(
    cards: Sequence[Card],
    panels: Sequence[Panel],
    *,
    key: str,
    size: int = 128,
    selected: str | None = None,
    layout: Layout = "sheet",
    place: Place | None = None,
    marking: Marking | None = None,
) -> str | None:
    """Draws the cards; returns the sample_id of a card at the moment it is chosen by click, Enter or Space, else None.

    `size`: width of one image of a sheet on the screen, in pixels. `selected`: the sample_id whose card is emphasised.
    Arrows (or n and p) go from card to card and on through the list that they are a part of (`place`), Page Up and Down
    to other pages. m, 1 to 5, / and u mark, label, note and undo where there is `marking`; without it there are no
    stars. The height depends on the number of cards, their lines and `size` alone: paging moves nothing.
    """
    for panel in panels:
        if len(panel.images) != len(cards):
            raise ValueError(f"{len(cards)} cards but {len(panel.images)} images in panel {panel.name!r}")
    result = _mount(
        key=key,
        data={
            "cards": [
                {
                    "id": card.sample_id,
                    "lines": list(card.lines),
                    "brief": card.brief,
                    "group": card.group,
                    "colour": card.colour,
                    "hollow": card.is_hollow,
                    "verdict": card.verdict,
                    "marked": card.is_marked,
                    "label": card.own_label,
                    "own": card.own_note,
                    "note": card.note,
                    "heading": card.heading,
                }
                for card in cards
            ],
            **drawable(panels),
            "size": size,
            "selected": selected,
            "layout": layout,
            "place": place_data(key, place),
            "marking": marking_data(key, marking),
        },
        on_chosen_change=lambda: None,
        on_place_change=lambda: hear_place(key, place),
        on_presses_change=lambda: hear_presses(key, marking, place),
    )
    chosen = result.get("chosen")
    return chosen if chosen in {card.sample_id for card in cards} else None


def drawable(panels: Sequence[Panel]) -> dict[str, Any]:
    """What the browser draws panels from: "panels" describes them, "pixels" has a row per image and columns p0, p1, ...

    A panel that is the difference of two others has no column of its own.
    """
    described, columns = [], {}
    for i, panel in enumerate(panels):
        _, height, width = panel.images.shape[:3]
        sources = _sources(panel, panels)
        if not sources:
            columns[f"p{i}"] = _as_rows(np.ascontiguousarray(panel.images))
        described.append(
            {
                "name": panel.name,
                "palette": panel.palette,
                "low": panel.low,
                "high": panel.high,
                "unit": panel.unit,
                "height": height,
                "width": width,
                "sources": sources,
                "scale": panel.images.scale.tolist() if isinstance(panel.images, Difference) and sources else None,
            }
        )
    return {"panels": described, "pixels": pa.table(columns)}


def _as_rows(images: NDArray[np.uint8]) -> pa.Array:
    """The bytes of each of some images, which are not copied."""
    n, size = len(images), images[:1].nbytes
    ends = size * np.arange(n + 1, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(ends), pa.py_buffer(images)])


def _sources(panel: Panel, panels: Sequence[Panel]) -> list[int]:
    """Which two panels this one is the difference of; none where they are not all there, or in colour."""
    if not isinstance(panel.images, Difference) or panel.images.first.ndim > 3:
        return []
    wanted = (panel.images.first, panel.images.second)
    positions = [next((i for i, p in enumerate(panels) if p.images is images), -1) for images in wanted]
    return [] if -1 in positions else positions


def error_panel(
    inputs: NDArray[np.uint8],
    reconstructions: NDArray[np.uint8],
    *,
    name: str = "error",
    limit: float = ERROR_LIMIT,
    signed: bool = False,
) -> Panel:
    """|original - reconstruction| per pixel, or the signed difference, on a fixed scale up to `limit` of 0..1.

    The scale does not depend on the images, so that error maps of any two cards, pages and Runs can be compared;
    larger errors have the colour of the limit.
    """
    every = np.arange(-255, 256) / 255
    scaled = 127.5 + 127.5 * every / limit if signed else 255 * np.abs(every) / limit
    byte_of = np.rint(scaled).clip(0, 255).astype(np.uint8)
    palette: Palette = "signed" if signed else "error"
    return Panel(name, Difference(inputs, reconstructions, byte_of), palette, -limit if signed else 0.0, limit)


def ssim_panel(inputs: NDArray[np.uint8], reconstructions: NDArray[np.uint8], *, name: str = "1 − SSIM") -> Panel:
    """1 - SSIM around every pixel on a fixed scale from 0 (alike) to `SSIM_LIMIT`, which is no structure in common."""
    dissimilar = (1 - ssim_map(inputs, reconstructions)) / np.float32(SSIM_LIMIT)
    scaled = np.rint(255 * dissimilar).clip(0, 255).astype(np.uint8)
    return Panel(name, scaled, "error", 0.0, SSIM_LIMIT, unit="1 − SSIM")


def picture(name: str, images: NDArray[np.uint8]) -> Panel:
    """The panel of images (n, H, W) in gray or (n, H, W, 3) in colour."""
    return Panel(name, images, "gray" if images.ndim == 3 else "colour")


@dataclass(frozen=True)
class Display:
    """How images are shown, chosen once for all pages."""

    size: int
    limit: float
    signed: bool
    ssim: bool = False

    def of_images(self, images: Mapping[str, NDArray[np.uint8]]) -> list[Panel]:
        """What is shown of images by name, as `Run.pictures`: original, reconstruction, error, and the SSIM map if
        wanted; what takes both is left out where one is missing."""
        panels = [picture(NAMES[name], of_name) for name, of_name in images.items()]
        if len(panels) < len(NAMES):
            return panels
        inputs, reconstructions = images["inputs"], images["reconstructions"]
        panels.append(error_panel(inputs, reconstructions, limit=self.limit, signed=self.signed))
        return [*panels, ssim_panel(inputs, reconstructions)] if self.ssim else panels


def display_controls(*, sizes: bool = True, ssim: bool = False) -> Display:
    """Image size and error scale; the same on every page that calls this, and in the URL. `sizes`, `ssim`: offered."""
    size = SIZE
    if sizes:
        size = st.segmented_control(
            "Image size",
            SIZES,
            default=SIZE,
            format_func=lambda pixels: f"{pixels} px",
            key="image_size",
            bind="query-params",
            required=True,
        )
    kind = st.segmented_control(
        "Error map",
        ["absolute", "signed"],
        default="absolute",
        key="error_map",
        bind="query-params",
        required=True,
        help="Signed: red where the reconstruction is darker than the original, blue where it is brighter.",
    )
    limit = st.slider(
        "Error scale ends at",
        0.1,
        1.0,
        ERROR_LIMIT,
        0.05,
        key="error_limit",
        bind="query-params",
        help="Pixels lie between 0 (black) and 1 (white). One scale for all images, so that colours can be compared.",
    )
    with_map = ssim and st.toggle(
        "SSIM map",
        key="ssim_map",
        bind="query-params",
        help="1 − SSIM around every pixel: 0 where both images have the same structure, 1 where they have none in "
        "common. The mean of SSIM over the image is the score ssim.",
    )
    return Display(int(size or SIZE), limit, kind == "signed", with_map)


def paging_control(on_change: Callable[[], None]) -> int:
    """How many images a page has; `on_change` is called before a page of another size is drawn."""
    per_page = st.segmented_control(
        "Images per page",
        PER_PAGE,
        default=PER_PAGE[-1],
        key="per_page",
        bind="query-params",
        required=True,
        on_change=on_change,
    )
    return int(per_page or PER_PAGE[-1])


def page_bar(
    rows: NDArray[np.int64], per_page: int, *, key: str, help: str | None = None, more: str = ""
) -> tuple[NDArray[np.int64], int, int]:
    """The bar that turns the pages of a gallery, below it: the rows of the page, its number, and how many there are.

    `key`: of the page's number, also in the address. `more`: said behind the count.
    """
    st.html(BAR_STAYS_IN_VIEW)
    pages = math.ceil(len(rows) / per_page)
    with st.container(key=BAR, horizontal=True, vertical_alignment="center"):
        page = st.pagination(pages, max_visible_pages=5, key=key, bind="query-params")  # room for the count
        first = (page - 1) * per_page
        shown = rows[first : first + per_page]
        st.caption(f"{first + 1:,}–{first + len(shown):,} of {len(rows):,} images", help=help)
        if more:
            st.caption(more, width="stretch")
    return shown, page, pages


def start_at(sample_id: str) -> None:
    """Which image the next `stepper` shows first."""
    st.session_state["_one_image"] = sample_id


def stepper(sample_ids: Sequence[str]) -> str:
    """Previous and Next through the images of a page, in a dialog: the sample_id it has come to."""
    chosen = str(st.session_state["_one_image"])
    at = sample_ids.index(chosen)
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, icon, by, shortcut in (("Previous", "arrow_back", -1, "p"), ("Next", "arrow_forward", 1, "n")):
            to = sample_ids[(at + by) % len(sample_ids)]
            st.button(
                label,
                icon=f":material/{icon}:",
                on_click=start_at,
                args=(to,),
                key=f"_one_image_{label}",
                shortcut=shortcut,
            )
        st.markdown(f"**{escaped(chosen)}** ({at + 1} of {len(sample_ids)} on this page)")
    return chosen
