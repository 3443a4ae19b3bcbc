"""What is saved of charts and tables, in a real browser and the dark theme: what is shown, on paper, and no formula."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from app.components import bundle
from fas_core import files, metrics
from fas_core.runs.scorefile import scores_only_run

from .conftest import Tab
from .test_threshold import pooled_of, rows_with_ties

TEXT = Path(bundle.__file__).with_name("save_text.js")
CELLS = ["=1+1", "-1", "-1e-5", "+x", "@a", "\tx", "\r\nx", "＝1", "'a", "a", "", "-", "1-2", "-٣", "- 1", ".5"]
CELLS += ["−1", "\n=", "+1.5E3", "1.", "-.5x"]
ODD = {"pai_species": {"<b>odd": "=odd"}}
INK, PAPER = "#222222", "#ffffff"


def saved(tab: Tab, kind: str, number: int = 0) -> tuple[str, bytes]:
    """Name and content of a chart that is saved by the keyboard alone. `number`: of those that can be seen."""
    opener = tab.page.get_by_role("button", name="Save this chart").locator("visible=true").nth(number)
    opener.focus()
    tab.page.keyboard.press("Enter")
    items = tab.page.get_by_role("menuitem").locator("visible=true")
    expect(items).to_have_text(["SVG", "PNG", "CSV"])
    for _ in range(["SVG", "PNG", "CSV"].index(kind)):
        tab.page.keyboard.press("ArrowDown")
    with tab.page.expect_download() as download:
        tab.page.keyboard.press("Enter")
    expect(opener).to_be_focused()
    expect(items).to_have_count(0)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def texts_of(svg: bytes) -> list[str]:
    """Of a drawing that stands on its own, in ink on paper."""
    root = ET.fromstring(svg)
    assert (root.find("./{*}rect").get("fill"), root.tag) == (PAPER, "{http://www.w3.org/2000/svg}svg")
    assert not [e for e in root.iter() if not e.get("href", "data:image/png").startswith("data:image/png")]
    shown = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert {e.get("fill") for e in shown} <= {INK, "#7A7A7A", "#7a7a7a"}, "readable on white"
    return ["".join(e.itertext()) for e in shown]


@pytest.fixture(scope="module")
def run(cache: Path) -> str:
    rows = rows_with_ties().replace(ODD).assign(other=lambda r: -r["score"])
    made = scores_only_run(cache, "=ties", rows, ["score", "other"], "")
    return f"%3Dties+({made.id[:6]})"


def test_what_is_saved_is_what_is_shown(tab: Tab, run: str) -> None:
    tab.page.emulate_media(color_scheme="dark")
    tab.open(f"threshold?run={run}&score=score&subsets=test")
    name, svg = saved(tab, "SVG", 1)
    assert name.startswith("threshold-errors-ties-")
    assert name.endswith("-test.svg")
    words = texts_of(svg)
    assert {"error rate", "threshold", "BPCER, live", "=odd", "0\u00a0%"} <= set(words)
    assert any(text.startswith("=ties (") and text.endswith("test · score score") for text in words)
    # Every rate that is drawn is the core's.
    table = pd.read_csv(BytesIO(saved(tab, "CSV", 1)[1])).set_index("drawn as")
    test = pooled_of(rows_with_ties().replace(ODD), "test")
    curve = table.loc["curve"]
    at = curve["threshold"].astype(str).str.removeprefix("'").astype(float)  # -inf would be a formula
    for series, threshold, rate in zip(curve["series"], at, curve["rate"], strict=True):
        if not np.isfinite(threshold):  # where nothing is called an attack, or everything
            continue
        rates = metrics.rates_at(test, threshold)
        of_core = rates.bpcer if series == "BPCER" else rates.apcer_per_species[series.removeprefix("APCER ")]
        assert rate == pytest.approx(of_core, abs=1e-12)
    live = table.loc["threshold"].set_index("series").loc["BPCER"]
    assert live["low95"] <= live["rate"] <= live["high95"]
    counted = pd.read_csv(BytesIO(saved(tab, "CSV", 0)[1]))
    assert "'=odd" in set(counted["species"])
    n = counted.groupby("species")["samples"].sum()
    assert (n["bona_fide"], n.drop("bona_fide").sum()) == (test.n_bona_fide, test.n_attack)
    assert saved(tab, "PNG", 2)[1].startswith(b"\x89PNG")

    tab.open(f"losses?run={run}&score=score&subsets=test")
    texts_of(saved(tab, "SVG")[1])
    drawn = pd.read_csv(BytesIO(saved(tab, "CSV")[1]))
    assert set(drawn["series"].str.split().str[0]) == {"score", "other"}
    chart = tab.page.locator(".stEChartsChart").first
    box = chart.bounding_box()
    assert box
    tab.page.mouse.click(box["x"] + 70, box["y"] + 408)  # the first entry of the legend
    fewer = pd.read_csv(BytesIO(saved(tab, "CSV")[1]))
    assert len(set(fewer["series"])) == 1, "without what the legend has switched off"
    names = [text for text in texts_of(saved(tab, "SVG")[1]) if " AP " in text and ":" not in text]
    assert names == list(set(fewer["series"])), "nor in the legend of the picture"
    shares = pd.read_csv(BytesIO(saved(tab, "CSV", 2)[1]))
    assert np.allclose(shares.groupby(["row", "of"])["share"].sum(), 1)
    # Streamlit's own ways out are closed: its export of tables, and its picture of the screen.
    assert tab.page.get_by_role("button", name="Download as").locator("visible=true").count() == 0
    button = tab.page.get_by_role("button", name="Save this table as CSV").first
    button.focus()
    with tab.page.expect_download() as download:
        tab.page.keyboard.press("Enter")
    assert download.value.suggested_filename.startswith("losses-scores_by_subset-ties-")
    assert "'=odd" in Path(download.value.path()).read_text()
    tab.check()


def test_one_rule_in_two_languages(tab: Tab) -> None:
    script = f"cells => {{ {bundle.bundled(TEXT)}; return cells.map(harmless); }}"
    assert tab.page.evaluate(script, CELLS) == [files.harmless(cell) for cell in CELLS]
    written = f"table => {{ {bundle.bundled(TEXT)}; return csvOf(table); }}"
    csv = tab.page.evaluate(written, {"heads": ["=a", "b"], "rows": [['"x",\n', -0.5]]})
    assert csv.encode() == files.csv(pd.DataFrame({"=a": ['"x",\n'], "b": [-0.5]}))
