"""One sample, large: its images in panes that are zoomed and moved together, with the value under the pointer.

zoomed("seen_paper_3", panels, key="large")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.components.bundle import mounted
from app.components.gallery import Panel, drawable

_mount = mounted(
    Path(__file__),
    """
<div class="zoom">
  <div class="panes"></div>
  <div class="under">
    <span><button type="button" class="out" aria-label="Zoom out">−</button>
      <span class="factor">1×</span>
      <button type="button" class="in" aria-label="Zoom in">+</button>
      <button type="button" class="whole">whole image</button></span>
    <span class="at"></span>
    <span class="bars under"></span>
  </div>
</div>
""",
)


def zoomed(sample_id: str, panels: Sequence[Panel], *, key: str) -> None:
    """Draws the panes, one image each: pixels are squares at every zoom, the same part of every image is shown.

    Wheel, + and - zoom, dragging and arrows move, 0 and a double click show the whole image. The part stays when
    another sample comes.
    """
    _mount(
        key=key,
        data={
            "id": sample_id,
            **drawable(panels),
        },
    )
