"""The scatter of the Latent space page at 0.3, 1, 5 and 20 million points in headless Chromium, and beside it Plotly.

Seconds until all points are drawn, from choosing the page in the app (the server having shown it before); from
releasing a lasso until the images in it are painted; milliseconds until a point's image is shown; the server's memory.
These targets are absolute: they are what a person waits, with software rendering as on a machine without a GPU. A link
opened in a browser that has never seen the app takes longer, whatever the page: `link` says how long, and `app`, for
the page of trainings, how much of it is the app's code. Plotly's scattergl draws the same points in a page of its own,
in turns with the component's code: that one is a ratio.
"""

from __future__ import annotations

import base64
import math
import statistics
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.bench.drag import HAS_RUN, opened_browser, rested, served_app, server_megabytes
from fas_core.latent import projection
from fas_core.runs import store

SIZES = (300_000, 1_000_000, 5_000_000, 20_000_000)
FIRST_DRAW = (0.5, 1.0, 2.0, 8.0)  # seconds, by size
LASSO = (0.4, 1.5)
TARGETS = (
    {f"first_draw_{n}_seconds": ("at_most", limit) for n, limit in zip(SIZES, FIRST_DRAW, strict=True)}
    | {f"lasso_{n}_seconds": ("at_most", limit) for n, limit in zip(SIZES, LASSO, strict=False)}
    | {f"hover_{n}_milliseconds": ("at_most", 150.0) for n in SIZES[:3]}
    | {f"server_{SIZES[2]}_megabytes": ("at_most", 400.0), "plotly": ("at_least", 5.0)}
)
SHARD = 16_384
COMPONENT = Path(__file__).resolve().parents[2] / "app" / "components"
SCRIPTS = "http://components.invalid"  # where the modules lie for the browser, which asks no network for them
_CIRCLE = [(math.cos(i * math.pi / 12), math.sin(i * math.pi / 12)) for i in range(24)]
_ROOT = "[...document.querySelectorAll('*')].map((e) => e.shadowRoot).find((one) => one?.querySelector('{}'))"
_PLOT, _CARDS = (f"{_ROOT.format(name)}?.querySelector('{name}')" for name in (".scatter", ".grid"))

_IS_PAINTED = f"() => Number({_PLOT}?.dataset.painted) > 0"

# Milliseconds until the image of a point is there, from when the pointer has come to it.
_SHOWN = f"""async () => {{
    const start = performance.now();
    while (!{_PLOT}.querySelector('.tip:not([hidden])')?.dataset.row) await new Promise(requestAnimationFrame);
    return performance.now() - start;
}}"""

# Both draw into pages that hold nothing else, and are done when a pixel can be read: that waits for all drawing.
_OURS = """async ({ address, data, points, codes }) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    globalThis.fasScatter = { bytes: new Map(), heard: new EventTarget(), ask: null, tell: null };
    fasScatter.bytes.set(data.points, bytes(points)).set(data.colours, bytes(codes));
    document.body.innerHTML = '<div style="width: 700px"><div class="scatter"></div></div>';
    const { default: draw } = await import(address);
    const start = performance.now();
    draw({ data, parentElement: document.body, setTriggerValue() {} });
    while (!document.querySelector('.scatter').dataset.painted) await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""
_PLOTLY = """async ({ x, y, codes }) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const [across, up, kind] = [new Float32Array(bytes(x).buffer), new Float32Array(bytes(y).buffer), bytes(codes)];
    const traces = [0, 1, 2, 3].map((code) => {
        const here = (values) => values.filter((_, i) => kind[i] === code);
        return { type: 'scattergl', mode: 'markers', x: here(across), y: here(up), marker: { size: 3, opacity: 0.75 } };
    });
    document.body.innerHTML = '<div id="plot"></div>';
    const start = performance.now();
    await Plotly.newPlot('plot', traces, { width: 700, height: 600 });
    for (const canvas of document.querySelectorAll('#plot canvas')) {
        const gl = canvas.getContext('webgl');
        gl?.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    }
    return performance.now() - start;
}"""


def figures(sizes: tuple[int, ...] = SIZES, rounds: int = 3) -> dict[str, float]:
    """Medians of `rounds`; `plotly` is of the smallest size.

    Raises BadInputError where playwright or a browser is missing. The largest Runs take minutes and 3 GB to write.
    """
    by_name: dict[str, float] = {}
    with opened_browser() as browser:
        for n in sizes:
            with tempfile.TemporaryDirectory() as folder:
                run = _write_run(Path(folder), n)
                with served_app(Path(folder)) as address:
                    query = urllib.parse.urlencode({"run": f"{run.info.name} ({run.id[:6]})"})
                    urls = {page: f"{address}/{page}?{query}" for page in ("latent", "training")}
                    _drawn(browser, urls["latent"]).close()  # what is computed once is computed
                    times = [_gestures(browser, urls, rounds) for _ in range(rounds)]
                    by_name |= {
                        f"{name}_{n}_seconds": statistics.median(timing[name] for timing in times)
                        for name in ("first_draw", "lasso", "link", "app")
                    }
                    by_name[f"selected_{n}"] = times[0]["selected"]
                    by_name[f"hover_{n}_milliseconds"] = statistics.median(timing["hover"] for timing in times)
                    if n == min(sizes):
                        by_name["plotly"] = _plotly_ratio(browser, run, rounds)
                    by_name[f"server_{n}_megabytes"] = server_megabytes(Path(folder))
    return by_name


def _seconds(page: Any, has_come: str) -> float:
    """Since the page's address was asked for, or since the last click on it, until the script says true."""
    page.wait_for_function(has_come, polling="raf", timeout=300_000)
    return float(page.evaluate("() => (performance.now() - (window.clicked ?? 0)) / 1000"))


def _drawn(browser: Any, url: str) -> Any:
    """The page, once its points are drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(url, wait_until="commit")
    page.wait_for_function(_IS_PAINTED, timeout=300_000)
    rested(page)
    return page


def _gestures(browser: Any, urls: dict[str, str], rounds: int) -> dict[str, float]:
    """Seconds of openings, and of one lasso around the middle; milliseconds of hovering over a few points."""
    with browser.new_page(viewport={"width": 1440, "height": 1000}) as cold:
        cold.goto(urls["latent"], wait_until="commit")
        link = _seconds(cold, _IS_PAINTED)
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(urls["training"], wait_until="commit")
    app = _seconds(page, HAS_RUN)
    rested(page)
    page.evaluate("() => addEventListener('click', () => { window.clicked = performance.now(); }, true)")
    page.get_by_role("link", name="Codes", exact=True).click()  # opens the group's first page
    first_draw = _seconds(page, _IS_PAINTED)
    rested(page)
    box = page.locator(".stage").bounding_box()
    x, y, r = box["x"] + 0.55 * box["width"], box["y"] + 0.45 * box["height"], 0.2 * box["height"]
    hovers = []
    for step in range(rounds):
        page.mouse.move(5, 5)
        page.wait_for_timeout(500)
        page.mouse.move(x + (step - 1) * r / 2, y - step * r / 3)
        hovers.append(page.evaluate(_SHOWN))
    page.mouse.move(x + r, y)
    page.mouse.down()
    for i in range(1, 40):
        page.mouse.move(x + r * math.cos(i * math.pi / 20), y + r * math.sin(i * math.pi / 20))
    painted = page.evaluate(f"() => {_CARDS}?.dataset.painted ?? '0'")
    page.evaluate("() => addEventListener('pointerup', () => { window.released = performance.now(); }, true)")
    page.mouse.up()
    page.wait_for_function(f"() => ({_CARDS}?.dataset.painted ?? '0') !== '{painted}'", polling="raf", timeout=60_000)
    lasso = page.evaluate("() => (performance.now() - window.released) / 1000")
    selected = int(page.locator(".status").inner_text().split(" ")[0].replace(",", "") or 0)
    page.close()
    return {
        "first_draw": first_draw,
        "link": link,
        "app": app,
        "lasso": lasso,
        "hover": statistics.median(hovers),
        "selected": selected,
    }


def _plotly_ratio(browser: Any, run: store.Run, rounds: int) -> float:
    """How many times as long Plotly takes to draw the same points."""
    from plotly.offline import get_plotlyjs

    def text(values: NDArray[Any]) -> str:
        return base64.b64encode(values.tobytes()).decode()

    places = projection.coordinates(run, projection.pca_of(run))[:, :2]
    low, high = places.min(0), places.max(0)
    points = np.rint((places - low) / (high - low) * 65535).astype(np.uint16)
    codes = np.concatenate([np.full(len(run.rows_of(name)), code, np.uint8) for code, name in enumerate(run.subsets)])
    names = {
        "points": "points a",
        "colours": "colours a",
        "selection": "",
        "run": "r",
        "n": len(run),
        "colour": "group",
    }
    chip = {"words": "", "hollow": False, "n": 1, "outline": _CIRCLE}
    shown = [
        {"code": i, "name": str(i), "colour": c, "edges": [c, c], **chip}
        for i, c in enumerate(("#8C8C8C", "#0072B2", "#E69F00", "#CC79A7"))
    ]
    rest = {
        "scale": None,
        "circle": _CIRCLE,
        "titles": ["x", "y"],
        "ticks": np.stack([low, high], axis=1).tolist(),
        "note": "",
        "words": "",
        "off": [],
        "legend": True,
        **dict.fromkeys(("pictures", "fills"), False),
        **dict.fromkeys(("trails", "lines", "view", "marked"), None),
    }
    data = names | rest | {"low": low.tolist(), "high": high.tolist(), "categories": shown}
    ours = {
        "address": f"{SCRIPTS}/scatter.js",
        "data": data,
        "points": text(points),
        "codes": text(codes),
    }
    theirs = {"x": text(places[:, 0]), "y": text(places[:, 1]), "codes": text(codes)}
    milliseconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, script, argument in (("ours", _OURS, ours), ("theirs", _PLOTLY, theirs)):
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            if name == "theirs":
                page.add_script_tag(content=get_plotlyjs())
            else:
                page.route(f"{SCRIPTS}/*", _answer)
                page.add_style_tag(content=(COMPONENT / "scatter.css").read_text())
            milliseconds[name].append(page.evaluate(script, argument))
            page.close()
    return statistics.median(milliseconds["theirs"]) / statistics.median(milliseconds["ours"])


def _answer(route: Any) -> None:
    path = COMPONENT / route.request.url.rsplit("/", 1)[1]
    route.fulfill(path=path, content_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"})


def _write_run(cache: Path, n: int) -> store.Run:
    """An images Run of four equal subsets whose codes have clusters; the images are 16 x 16, of more
    than `SIZES[2]` 4 x 4."""
    rng, side = np.random.default_rng(0), 16 if n <= SIZES[2] else 4
    subsets = {"train": "", "live": "", "seen_paper": "paper", "unseen_mask": "mask"}
    info = store.RunInfo(
        run=store.run_id("scatter", str(n)),
        name="scatter",
        kind="images",
        subsets=dict.fromkeys(subsets, n // 4),
        scores=["rec"],
        model="dcvae",
        shard_size=SHARD,
    )
    folder = store.create(cache, info)
    for number, (subset, species) in enumerate(subsets.items()):
        for shard, start in zip(info.shard_names(subset), range(0, n // 4, SHARD), strict=True):
            m = min(SHARD, n // 4 - start)
            is_attack = (rng.random(m) < 0.5) & (species != "")
            latents = rng.normal(0, np.arange(8, 0, -1), (m, 8))
            latents[:, 0] += 12 * is_attack + 9 * rng.integers(0, 3, m)
            latents[:, 1] += 9 * number
            rows = pd.DataFrame(
                {
                    "sample_id": [f"{subset}_{i:07d}" for i in range(start, start + m)],
                    "label": np.where(is_attack, "attack", "bona_fide"),
                    "pai_species": np.where(is_attack, species, ""),
                    "subject_id": [f"s{i % 300}" for i in range(m)],
                    "subset": subset,
                    "rec": rng.normal(100 + 20 * is_attack, 10).astype(np.float32),
                }
            )
            images = rng.integers(0, 256, (m, side, side), dtype=np.uint8)
            failures = rows.iloc[:0][["sample_id", "label", "subset"]].assign(reason="")
            codes = latents.astype(np.float32)
            target = folder / subset / shard
            store.write_shard(target, rows, failures, latents=codes, inputs=images, reconstructions=images)
    return store.opened(folder)
