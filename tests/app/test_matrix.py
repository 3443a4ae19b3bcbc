"""The page Across data sets: a row per model, a column per data set, a cell one step away from its Run."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from app.charts import transfers as charts
from app.charts.transfers import COLOURS, Heat
from app.views import matrix as view
from fas_core.evaluation.transfers import Cell, Row
from fas_core.metrics.uncertainty import UnitInterval
from fas_core.reports.palette import contrast
from fas_core.runs import store
from tests.conftest import Result

from .conftest import page, texts

INTERVAL = UnitInterval(0.5, 0.9, "subject", 7, "bootstrap", 2000)
CELL = Cell("r1", 0.75, 0.3, 40, 60, 7, True, 0.125, "mask", 0.05, False, INTERVAL, None, None)


def test_a_cell_says_what_is_saved_of_it() -> None:
    row = Row("r1", "m", "rec", ("a",), 1.5, ("dev of a",), {"a": CELL})
    auc = view.heat(row, 0, 2, "a", "AUC")
    assert auc.lines == ["0.75", "0.50 – 0.90", "40 live, 60 attacks", "7 people, learned"]
    assert auc.error == 0.5  # half the way from 1 to a coin
    assert dict(zip(view.HEADS, auc.saved, strict=True)) == {
        "model": "m", "score": "rec", "learned": "a", "tested on": "a", "measure": "AUC", "value": 0.75, "low95": 0.5,
        "high95": 0.9, "bona fide": 40, "attacks": 60, "people": 7,
    }  # fmt: skip
    apcer = view.heat(row, 0, 2, "a", "Worst APCER")
    assert (apcer.error, apcer.lines[0]) == (0.125, "12 %")
    assert "Worst APCER 12 %, mask; 40 live" in apcer.text


def test_the_chart_draws_and_saves_the_cells_that_it_is_given() -> None:
    cells = [
        Heat(0, 0, 1.0, ["0.50", "n"], "m on a", True, ["m", 0.5]),
        Heat(0, 1, None, ["–"], "m on b", False, ["m", None]),
    ]
    drawn = charts.heat_table(["m"], ["learned a"], ["a", "b"], cells, ("1", "0.5"), ["model", "value"])
    (series,) = drawn["series"]  # type: ignore[misc]
    assert [item["value"] for item in series["data"]] == [[0, 0, 1.0, "m on a"], [1, 0, -1, "m on b"]]  # type: ignore[index]
    assert drawn["dataset"] == {"source": [["model", "value"], ["m", 0.5], ["m", None]]}


def test_what_stands_in_a_cell_can_be_read_on_its_colour() -> None:
    for step in range(101):
        item = charts._item(Heat(0, 0, step / 100, ["1"], "", False, []))
        assert contrast(str(item["label"]["color"]), charts._colour(step / 100)) >= 4.5  # type: ignore[index]
    assert (charts._colour(0), charts._colour(1)) == (COLOURS[0], COLOURS[-1])


def test_a_model_is_judged_on_every_data_set_and_a_cell_opens_its_run(
    fas: Callable[..., Result], tmp_path: Path, monkeypatch: object, fresh_caches: None
) -> None:
    cache = tmp_path / "cache"
    table = pd.DataFrame(
        [
            {"sample_id": f"{source}{i}", "label": label, "score": i + shift, "subset": "test", "source": source}
            for source, shift in (("a", 5), ("b", 0))
            for label, i, shift in [(k, i, shift * (k == "spoof")) for k in ("live", "spoof") for i in range(10)]
        ]
    )
    table["sample_id"] += table["label"]
    table.to_csv(tmp_path / "m.csv", index=False)
    assert fas("scores", "import", tmp_path / "m.csv", "--name", "m", "--cache", cache).code == 0
    monkeypatch.setenv("FAS_CACHE", str(cache))  # type: ignore[attr-defined]
    at = page("matrix", measure="BPCER")
    assert not at.exception
    assert "What these models have learned is not known" in texts(at).replace("\\", "")
    (cell,) = [box for box in at.selectbox if box.label == "Cell"]
    assert cell.options == ["m on a", "m on b"]
    next(button for button in at.button if button.label == "Open its Run").click().run()
    (link,) = [link.proto for link in at.get("page_link") if link.proto.label == "Open its Overview"]
    assert link.query_string == f"run=m+%28{store.open_run(cache, 'm').id[:6]}%29"
