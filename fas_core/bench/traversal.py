"""Decoding along the latent space on a CPU: milliseconds per strip of nine, and from a key on a slider to the screen.

The targets are absolute: what takes longer is felt as waiting. The models are those of the small experiments, not
trained: their speed does not depend on their weights. The clock of the page starts at the key and stops in the frame
after every canvas has other pixels: the script, the decoding, the way to the server and back. Software rendering, as on
a machine without a GPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from fas_core import bench, models
from fas_core.bench.drag import HAS_RUN, opened_browser, query_of, rested, served_app
from fas_core.bench.gallery import write_noise
from fas_core.evaluation import traversal
from fas_core.inference import infer, predict
from fas_core.runs import store
from fas_core.training import checkpoint, devices, experiments

EXPERIMENTS = ("small_dcvae", "small_resvae", "small_ganomaly")
IN_PAGE = "small_dcvae"
IMAGES, ROUNDS, KEYS = 800, 20, 10  # the slider has eleven steps
TARGETS = {f"{name}_milliseconds": ("at_most", 200.0) for name in EXPERIMENTS}

# From the next key to the frame after another strip was painted; asked for before the key is pressed.
_WATCH = """() => {
    const roots = [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
    const strip = roots.find((one) => one?.querySelector('.strip')).querySelector('.strip');
    const said = () => strip.querySelector('.tile').textContent;
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const pressed = new Promise((done) => {
        document.addEventListener('keydown', () => done(performance.now()), { once: true, capture: true });
    });
    const before = said();
    window.painted = pressed.then(async (start) => {
        while (said() === before) {
            await frame();
            if (performance.now() - start > 20000) throw new Error('nothing was decoded');
        }
        for (const canvas of strip.querySelectorAll('canvas')) canvas.getContext('2d').getImageData(0, 0, 1, 1);
        await frame();
        return performance.now() - start;
    });
}"""


def figures(n: int = IMAGES, rounds: int = ROUNDS, keys: int = KEYS) -> dict[str, float]:
    """Medians. `key_milliseconds`: of the page, on a Run of n images, for strips that were never decoded before.

    The first key does not count. Raises BadInputError where playwright or a browser is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {name: write_checkpoint(Path(folder), name) for name in EXPERIMENTS}
        place = devices.one_device("cpu", "fp32")
        works: dict[str, Callable[[], object]] = {}
        for name, file in files.items():
            loaded = infer.loaded(file)
            codes = traversal.from_prior(traversal.STEPS, loaded.form.latent_dim, 0)
            works[name] = partial(predict.decoded, codes, infer.ready(loaded, place))
        seconds = bench.medians(works, rounds)
        run = write_run(Path(folder), files[IN_PAGE], n)
        return {f"{name}_milliseconds": 1000 * value for name, value in seconds.items()} | _in_page(run, keys)


def _in_page(run: store.Run, keys: int) -> dict[str, float]:
    with opened_browser() as browser, served_app(run.cache) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{address}/traversal?{query_of(run, direction='principal axis', reach=0.5)}")
        page.locator(".tile").first.wait_for(timeout=120_000)
        page.get_by_role("button", name="Direction").click()
        page.get_by_role("slider", name="Range").wait_for()
        rested(page)  # what opens may have changed the page
        milliseconds = []
        for _ in range(keys + 1):
            page.wait_for_function(HAS_RUN)
            page.wait_for_timeout(300)  # what follows a key is no part of the next one
            page.evaluate(_WATCH)
            page.get_by_role("slider", name="Range").press("ArrowRight")
            milliseconds.append(page.evaluate("() => window.painted"))
    middle, high = np.percentile(milliseconds[1:], [50, 95]).tolist()
    return {"key_milliseconds": middle, "key_p95_milliseconds": high}


def write_checkpoint(folder: Path, name: str) -> Path:
    """An untrained model of a preset, the same weights every time; its path."""
    experiment = experiments.preset(name)
    path = folder / f"{name}.safetensors"
    torch.manual_seed(0)
    checkpoint.save(path, models.built(experiment.model, experiment.config), experiment.model, {})
    return path


def write_run(folder: Path, file: Path, n: int) -> store.Run:
    """Noise whose codes the checkpoint decodes; live training images, and as many attacks."""
    config = checkpoint.header_of(file)["config"]
    info = store.RunInfo(
        run=store.run_id("traversal", str(n)),
        name="traversal",
        kind="images",
        subsets={"train": n // 2, "live": n // 4, "seen_paper": n // 4},
        scores=["rec", "kl"],
        model="dcvae",
        checkpoint=file.name,
        checkpoint_path=str(file),
        checkpoint_sha256=checkpoint.sha256(file),
        checkpoint_header=checkpoint.header_of(file),
        precision="fp32",
    )
    return write_noise(folder / "cache", info, config["image_size"], config["latent_dim"])
