"""Two images of one sample in one place, with an edge between them that is dragged or moved with the arrows.

before_after("seen_paper_3", panels, key="slider")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.components.bundle import mounted
from app.components.gallery import Panel, drawable

_mount = mounted(
    Path(__file__),
    """
<div class="before_after">
  <div class="sides">
    <label>Left <select class="left"></select></label>
    <label>Right <select class="right"></select></label>
  </div>
  <div class="stack">
    <canvas class="right"></canvas><canvas class="left"></canvas><span class="edge"></span>
    <input type="range" min="0" max="100" step="1" value="50">
  </div>
</div>
""",
)


def before_after(sample_id: str, panels: Sequence[Panel], *, key: str) -> None:
    """One image of each of two panels or more, which are chosen below it; first the first two.

    What is chosen and where the edge is stay when another sample comes.
    """
    _mount(key=key, data={"id": sample_id, **drawable(panels)})
