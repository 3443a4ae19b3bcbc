"""Figures as files: each stands on its own, and its CSV holds what is drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pypdfium2
import pytest
from markupsafe import Markup

from fas_core.errors import BadInputError
from fas_core.reports import figures, html, svg
from fas_core.reports.figures import Drawing, Figure
from fas_core.reports.palette import Style
from fas_core.reports.pictures import pictures_words
from fas_core.reports.svg import Plot, linear_axis
from tests.conftest import Result, message

NAMESPACE = "{http://www.w3.org/2000/svg}"


def plane() -> Plot:
    plot = Plot(linear_axis("BPCER in %", 0, 1, percent=True), linear_axis("found", 0, 2), "a < b & 'c'")
    plot.line([0, 0.25, 1], [0, 1.5, 2], "#000000", name="=cmd|' /C calc'!A0")
    plot.dots([0.5], [1], Style("#000000"))
    return plot


def test_a_figure_stands_on_its_own_and_holds_what_is_drawn(tmp_path: Path) -> None:
    figure = Figure("a", "Curves <of> all", "Said & done.", (Drawing("ROC, live", plane()),))
    paths = figures.write([("m/../x", figure)], tmp_path, ["svg", "csv", "pdf"])
    assert sorted(path.name for path in paths) == [
        f"m-..-x-a-roc-live.{ending}" for ending in ("csv", "pdf", "svg", "txt")
    ]
    drawn = ET.parse(tmp_path / "m-..-x-a-roc-live.svg").getroot()
    texts = [element.text for element in drawn.iter(f"{NAMESPACE}text")]
    assert {"BPCER in %", "=cmd|' /C calc'!A0", "100"} <= set(texts)
    assert drawn.find(f"{NAMESPACE}title").text == "ROC, live"
    assert not [name for element in drawn.iter() for name in element.attrib if "href" in name]
    table = pd.read_csv(tmp_path / "m-..-x-a-roc-live.csv")
    assert table.columns.tolist() == ["series", "BPCER", "found"]
    assert table["series"].tolist() == ["'=cmd|' /C calc'!A0"] * 3 + ["point"]
    assert table[["BPCER", "found"]].to_numpy().tolist() == [[0, 0], [0.25, 1.5], [1, 2], [0.5, 1]]
    assert (tmp_path / "m-..-x-a-roc-live.txt").read_text() == "Curves <of> all: ROC, live. Said & done.\n"
    document = pypdfium2.PdfDocument(tmp_path / "m-..-x-a-roc-live.pdf")
    text = "".join(document[0].get_textpage().get_text_range().split())
    assert len(document) == 1
    assert "BPCERin%" in text
    with pytest.raises(BadInputError, match="--format svg,png: 'png' is none of svg, pdf, csv"):
        figures.write([("m", figure)], tmp_path / "other", ["svg", "png"])
    assert not (tmp_path / "other").exists()


def test_rates_on_a_det_plane_stay_rates() -> None:
    det = svg.det_plane("DET")
    det.line([0, 0.5], [0.5, 1], "#000000", name="x")
    assert det.data()[["APCER", "BPCER"]].to_numpy().tolist() == [[0, 0.5], [0.5, 1]]
    (points,) = [e.get("points") for e in ET.fromstring(det.drawn()).iter("polyline")]
    middle = np.array([place.split(",") for place in points.split()], float)[1]
    assert middle[0] == pytest.approx(58 + 240 / 2, abs=0.1)
    ticks = {e.text: float(e.get("x")) for e in ET.fromstring(det.drawn()).iter("text")}
    assert ticks["50"] - ticks["20"] == pytest.approx(ticks["80"] - ticks["50"], abs=0.2)


def test_figures_of_two_runs(fas: Callable[..., Result], tiny_cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    options = ("--score", "rec", "--cache", tiny_cache, "--format", "svg,csv", "--pixelate")
    result = fas("figures", "a", "b", "--out", out, *options)
    assert result.code == 0, result.err
    written = {path.name for path in out.iterdir()}
    assert sorted(result.out.split()) == sorted(str(out / name) for name in written)
    stems = {name.rsplit(".", 1)[0] for name in written}
    assert written == {f"{stem}.{ending}" for stem in stems for ending in ("svg", "csv", "txt")}
    assert [stem for stem in stems if "reconstructions" in stem]
    assert [stem for stem in stems if stem.endswith("curves-roc")]
    forest = pd.read_csv(out / "runs-forest-forest-plot.csv")
    assert {"AUC", "live rejected"} <= set(forest["metric"])
    assert set(forest["run"]) == {"B"}
    assert (out / "runs-forest-forest-plot.txt").read_text().startswith("Against A: Forest plot. A a, B b. Difference")
    for stem in stems:
        root = ET.parse(out / f"{stem}.svg").getroot()
        assert float(root.get("width")) > 100, "of a size of its own"
        assert root.get("font-family") or not list(root.iter(f"{NAMESPACE}text"))
        assert all(e.get("href", "data:").startswith("data:image/png") for e in root.iter(f"{NAMESPACE}image"))
        assert len(pd.read_csv(out / f"{stem}.csv"))
    assert "Choose a score" in message(fas("figures", "a", "--out", tmp_path, "--cache", tiny_cache))


def test_the_page_of_a_drawing_is_as_large_as_that_wherever_it_begins() -> None:
    page = html.drawing_page("t", Markup("<svg viewBox='-8 0.5 601 225'></svg>"), "c")
    assert "@page { size: 601px 225px" in page


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (("inputs", "reconstructions"), "original, reconstruction and error"),
        (("inputs",), "original alone"),
        (("reconstructions",), "reconstruction alone"),
    ],
)
def test_a_caption_names_the_pictures_that_there_are(held: tuple[str, ...], words: str) -> None:
    assert pictures_words(SimpleNamespace(pictures=held)) == words
