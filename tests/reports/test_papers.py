"""Tables for papers say what the document of `fas evaluate` says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.conftest import Result, message


def test_the_csv_holds_the_numbers_of_the_document(fas: Callable[..., Result], tiny_cache: Path) -> None:
    asked = ("evaluate", "a", "--score", "rec", "--threshold", "0.5", "--cache", tiny_cache)
    cells = json.loads(fas(*asked, "--json").out)["scores"]["rec"]
    rows = pd.read_csv(io.StringIO(fas(*asked, "--csv").out), keep_default_na=False, na_values=[""])
    assert set(rows["subset"]) == set(cells)
    n_checked = 0
    for subset, cell in cells.items():
        here = rows[rows["subset"] == subset].fillna({"species": ""})

        def value(metric: str, species: str = "", note: str = "", here: pd.DataFrame = here) -> list[float | None]:
            chosen = here[(here["metric"] == metric) & (here["species"] == species)]
            if note:
                chosen = chosen[chosen["note"].str.contains(note, regex=False)]
            (row,) = chosen[["value", "low95", "high95", "n"]].to_numpy().tolist()
            return [None if pd.isna(number) else number for number in row]

        n = cell["n_bona_fide"] + cell["n_attack"]
        assert value("roc_auc") == [cell["roc_auc"], *_ends(cell["roc_auc_ci95"]), n]
        if cell["eer"] is not None:
            assert value("eer", note="optimistic")[0] == cell["eer"]["value"]
        at = cell["at_dev_threshold"]
        if at is None:
            continue
        n_checked += 1
        for species, apcer in at["apcer_per_species"].items():
            ends = _ends(at["apcer_interval_per_species"][species])
            assert value("apcer", species, "chosen on") == [apcer, *ends, at["n_per_species"][species]]
        given = cell["at_threshold"][0]
        assert value("bpcer", note="threshold given")[0] == given["bpcer"]
    assert n_checked


def _ends(interval: dict[str, float] | None) -> list[float | None]:
    return [None, None] if interval is None else [interval["low"], interval["high"]]


def test_the_latex_is_escaped_and_marks_what_is_optimistic(fas: Callable[..., Result], tmp_path: Path) -> None:
    lines = [f"l{i},live,{i},,dev" for i in range(9)] + [f"s{i},spoof,{i + 4},a&b_{i % 2},dev" for i in range(8)]
    (tmp_path / "s.csv").write_text("sample_id,label,score,pai_species,subset\n" + "\n".join(lines))
    assert fas("scores", "import", tmp_path / "s.csv", "--name", "v_1", "--cache", tmp_path).code == 0
    said = fas("evaluate", "v_1", "--latex", "--cache", tmp_path).out
    assert r"dev$^*$ & 9 & 8 & " in said
    assert r"a\&b\_" in said
    assert r"\caption{v\_1, score score, decided per frame; 95 \% intervals" in said
    assert "optimistic: judged where the threshold was chosen" in said
    assert said.count("{") == said.count("}")
    assert "choose one" in message(fas("evaluate", "v_1", "--latex", "--csv", "--cache", tmp_path))
