"""Turning a page of 60 triplets in the Gallery: milliseconds from the click to painted images, in headless Chromium.

The target is absolute: what takes longer is felt as waiting. The clock starts at the pointer event inside the page and
stops in the frame after every canvas of the new page has its pixels: the script, the way to the server and back, the
reading and encoding of the images there. Software rendering, as on a machine without a GPU.
"""

from __future__ import annotations

import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fas_core.bench.drag import HAS_RUN, opened_browser, served_app
from fas_core.runs import store

IMAGES, SIDE, PER_PAGE, TURNS = 6_000, 128, 60, 15
TARGETS = {"turn_milliseconds": ("at_most", 200.0)}

# Clicks "Next page" and waits for the frame after the one in which every canvas of another page was filled.
TURN = """async () => {
    const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
    const root = roots.find((one) => one?.querySelector('.gallery'));
    const grid = root.querySelector('.grid');
    const before = grid.dataset.painted;
    const first = grid.textContent;
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const next = [...document.querySelectorAll('button')].find((one) => one.ariaLabel === 'Next page');
    const start = performance.now();
    next.click();
    while (grid.dataset.painted === before || grid.textContent === first) {
        await frame();
        if (performance.now() - start > 20000) throw new Error('the page was not turned');
    }
    for (const canvas of grid.querySelectorAll('canvas')) canvas.getContext('2d').getImageData(0, 0, 1, 1);
    await frame();
    return { milliseconds: performance.now() - start, canvases: grid.querySelectorAll('canvas').length };
}"""


def figures(n: int = IMAGES, side: int = SIDE, per_page: int = PER_PAGE, turns: int = TURNS) -> dict[str, float]:
    """Median and 95th percentile over the turns, of which a first one is not counted; `canvases` drawn by each.

    `per_page`: one of the page's own sizes. Raises BadInputError where playwright or a browser is missing.
    """
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder), n, side)
        with served_app(Path(folder)) as address:
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            query = urllib.parse.urlencode({"run": f"{run.info.name} ({run.id[:6]})", "per_page": per_page})
            page.goto(f"{address}/gallery?{query}")
            page.get_by_role("button", name="Next page").wait_for(timeout=120_000)
            turned: list[dict[str, Any]] = []
            for _ in range(turns + 1):
                page.wait_for_function(HAS_RUN)
                page.wait_for_timeout(300)  # what follows a turn is no part of the next one
                turned.append(page.evaluate(TURN))
    middle, high = np.percentile([turn["milliseconds"] for turn in turned[1:]], [50, 95]).tolist()
    return {"turn_milliseconds": middle, "turn_p95_milliseconds": high, "canvases": float(turned[-1]["canvases"])}


def write_run(cache: Path, n: int, side: int) -> store.Run:
    """Noise, which no encoding makes small; live training images, live ones and attacks of one species."""
    terms = ["rec", "kl", "elbo", "excess_bce", "pixel_l1", "pixel_l2", "ssim"]
    subsets = {"train": n // 3, "live": n // 3, "seen_paper": n - 2 * (n // 3)}
    info = store.RunInfo(
        run=store.run_id("gallery", str(n), str(side)),
        name="gallery",
        kind="images",
        subsets=subsets,
        scores=terms,
        model="dcvae",
        shard_size=max(1, n),
    )
    return write_noise(cache, info, side, 16)


def write_noise(cache: Path, info: store.RunInfo, side: int, dimensions: int) -> store.Run:
    """A Run of a shard per subset: images of `side` pixels, codes of so many dimensions; `seen_paper` are attacks."""
    rng = np.random.default_rng(0)
    folder = store.create(cache, info)
    for subset, count in info.subsets.items():
        is_attack = subset == "seen_paper"
        rows = pd.DataFrame(
            {
                "sample_id": [f"{subset}_{i:05d}" for i in range(count)],
                "label": "attack" if is_attack else "bona_fide",
                "pai_species": "paper" if is_attack else "",
                "subset": subset,
                "subject_id": [f"s{i % 50}" for i in range(count)],
                "is_constant": False,
                **{term: rng.normal(1 + is_attack, 1, count).astype(np.float32) for term in info.scores},
            }
        )
        images = rng.integers(0, 256, (2, count, side, side), dtype=np.uint8)
        codes = rng.normal(size=(count, dimensions)).astype(np.float32)
        shard = folder / subset / info.shard_names(subset)[0]
        store.write_shard(shard, rows, latents=codes, inputs=images[0], reconstructions=images[1])
    return store.opened(folder)
