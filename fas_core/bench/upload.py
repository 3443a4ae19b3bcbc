"""The first image that somebody uploads to a server: seconds from the file to the answer, in headless Chromium.

The target is absolute: what takes longer is felt as waiting. The server has just been started and has judged nothing:
PyTorch, the checkpoint and the network are loaded for this image. The person takes some seconds to find the file,
which are not counted. The model is that of a small experiment, not trained.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from fas_core import derive
from fas_core.bench.drag import HAS_RUN, opened_browser, query_of, served_app
from fas_core.bench.traversal import IN_PAGE, write_checkpoint, write_run

IMAGES, SIDE, FINDING_SECONDS = 800, 256, 4.0
TARGETS = {"first_seconds": ("at_most", 3.0)}


def figures(n: int = IMAGES, finding_seconds: float = FINDING_SECONDS) -> dict[str, float]:
    """Of the first image and of a second one, on a Run of n images; `finding_seconds` pass before the first.

    Raises BadInputError where playwright or a browser is missing.
    """
    noise = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder), write_checkpoint(Path(folder), IN_PAGE), n)
        derive.compute_quick(run)  # as `fas cache` leaves a Run: no score is fitted for an image
        with served_app(run.cache) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            page.goto(f"{address}/image?{query_of(run, image_source='Upload')}")
            page.locator("input[type=file]").wait_for(state="attached", timeout=120_000)
            page.wait_for_function(HAS_RUN)
            page.wait_for_timeout(1000 * finding_seconds)
            seconds = []
            for name, image in zip(("first", "second"), noise, strict=True):
                file = io.BytesIO()
                Image.fromarray(image).save(file, "PNG")
                start = time.perf_counter()
                page.locator("input[type=file]").set_input_files(
                    {"name": f"{name}.png", "mimeType": "image/png", "buffer": file.getvalue()}
                )
                page.get_by_text(f"{name}.png").and_(page.locator("strong")).first.wait_for(timeout=120_000)
                seconds.append(time.perf_counter() - start)
    return {"first_seconds": seconds[0], "second_seconds": seconds[1]}
