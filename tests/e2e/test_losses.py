"""What the pointer reads in charts, in a real browser: names from files are text there too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import BrowserContext, expect

from fas_core.bench.drag import served_app
from fas_core.runs.scorefile import scores_only_run

from .conftest import watched

MARKUP = "<img src=x onerror=document.title='read'>"


def test_names_from_files_are_no_markup_under_the_pointer(context: BrowserContext, tmp_path: Path) -> None:
    n = 400
    is_attack = np.arange(n) % 2 == 1
    values = np.random.default_rng(0).normal(is_attack, 1)
    rows = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "label": np.where(is_attack, "attack", "bona_fide"),
            "pai_species": np.where(is_attack, MARKUP, ""),
            "subset": "test",
            MARKUP: values,
        }
    )
    run = scores_only_run(tmp_path, "odd", rows, [MARKUP], "")
    with served_app(tmp_path) as address, watched(context, address) as tab:
        tab.page.set_viewport_size({"width": 1440, "height": 2000})
        tab.open(f"losses?run=odd+({run.id[:6]})")
        for number, share_x, share_y, said in (
            (0, 0.5, 0.4, "\u00a0% precision"),
            (1, 0.5, 0.4, "\u00a0% attacks found"),
            (2, 0.7, 0.4, f"{MARKUP} (n = 200)"),
        ):
            chart = tab.page.locator(".stEChartsChart").nth(number)
            expect(chart.locator("canvas").first).to_be_visible()
            box = chart.bounding_box()
            assert box
            x, y = box["x"] + share_x * box["width"], box["y"] + share_y * box["height"]
            for step in range(24):  # down to where a bar ends
                tab.page.mouse.move(x, y + 2 * step)
                tab.page.wait_for_timeout(60)
                if said in chart.inner_text():
                    break
            expect(chart).to_contain_text(said)
            expect(chart).to_contain_text(MARKUP)
        assert tab.page.locator(".stEChartsChart img").count() == 0
        assert "read" not in tab.page.title()
        tab.check()
