import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fas_core.evaluation import transfers
from fas_core.runs import store
from tests.conftest import Result


def rows(source: str, live: list[float], attacks: list[float], subset: str = "test") -> list[dict[str, object]]:
    return [
        {
            "sample_id": f"{source}/{subset}{label}{i}",
            "label": label,
            "score": score,
            "subset": subset,
            "source": source,
        }
        for label, values in (("live", live), ("spoof", attacks))
        for i, score in enumerate(values)
    ]


def test_a_cell_is_of_one_source_outside_training(fas: Callable[..., Result], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    pd.DataFrame(
        rows("a", [0, 1], [2, 3]) + rows("b", [0, 2], [1, 3]) + rows("c", [], [1]) + rows("a", [9], [0], "train")
    ).to_csv(tmp_path / "x.csv", index=False)
    pd.DataFrame(rows("b", [0, 1], [2, 3])).drop(columns="source").to_csv(tmp_path / "y.csv", index=False)
    for name in ("x", "y"):
        assert fas("scores", "import", tmp_path / f"{name}.csv", "--name", name, "--cache", cache).code == 0
    document = json.loads(fas("matrix", "x", "y", "--cache", cache, "--json").out)
    assert document["tested_on"] == ["a", "b", "c", "y"]
    x, y = document["rows"]
    assert {name: (cell["roc_auc"], cell["eer"]) for name, cell in x["cells"].items()} == {
        "a": (1.0, 0.0), "b": (0.75, 0.5), "c": (None, None),
    }  # fmt: skip
    assert [x["cells"][name]["n_attack"] for name in "abc"] == [2, 2, 1]
    assert {name: cell["roc_auc"] for name, cell in y["cells"].items()} == {"y": 1.0}
    assert x["trained_on"] == []
    assert x["cells"]["a"]["is_trained_on"] is None
    table = fas("matrix", "x", "y", "--cache", cache).out
    for text in ("not stated", "0.750 (50.0 %)", "– (–)"):
        assert text in table
    run = store.open_run(cache, "x")
    run.info = replace(run.info, checkpoint_header={"images": {"sources": {"b": 10}}})  # as a training writes it
    (learned,) = transfers.matrix([run]).rows
    assert (learned.trained_on, learned.cells["b"].is_trained_on, learned.cells["a"].is_trained_on) == (
        ("b",), True, False,
    )  # fmt: skip


def test_a_score_that_a_run_has_not_is_refused(fas: Callable[..., Result], tiny_cache: Path) -> None:
    result = fas("matrix", "a", "--cache", tiny_cache, "--score", "gone")
    assert result.code == 2
    assert "has no score 'gone'" in result.err


pytestmark = pytest.mark.filterwarnings("error")
