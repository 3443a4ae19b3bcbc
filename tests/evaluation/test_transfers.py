import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fas_core.evaluation import kept, transfers
from fas_core.evaluation.join import System
from fas_core.metrics.operating_point import BY_HAND, DEFAULT, EER, Rule
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
    simulated = pd.DataFrame(rows("z", [0, 1], [2, 3])).assign(pai_species=["", "", "mask", "mask"])
    simulated.assign(simulated=["", "", "yes", "yes"]).to_csv(tmp_path / "z.csv", index=False)
    for name in ("x", "y", "z"):
        assert fas("scores", "import", tmp_path / f"{name}.csv", "--name", name, "--cache", cache).code == 0
    said = "Attacks of mask are simulated: no evidence about real attacks."
    assert json.loads(fas("matrix", "x", "z", "--cache", cache, "--json").out)["notes"] == [said]
    document = json.loads(fas("matrix", "x", "y", "--cache", cache, "--json").out)
    assert document["notes"] == []
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
    (learned,) = transfers.matrix([System(run, "score")]).rows
    assert (learned.trained_on, learned.cells["b"].is_trained_on, learned.cells["a"].is_trained_on) == (
        ("b",), True, False,
    )  # fmt: skip


def systems_of_a_checkpoint(fas: Callable[..., Result], folder: Path, **learned: object) -> list[System]:
    """One checkpoint on the data set that it learned, and on another one."""
    cache = folder / "cache"
    home = rows("a", list(range(20)), [], "dev") + rows("a", [1, 2], [30, 10])
    away = rows("b", list(range(100, 120)), [], "dev") + rows("b", [5, 25], [30, 20])
    systems = []
    for name, listed in (("home", home), ("away", away)):
        table = pd.DataFrame(listed).drop(columns="source")
        species = ["mask" if i % 2 else "paper" for i in range(len(table))]
        table["pai_species"] = ["" if kind == "live" else of for kind, of in zip(table.label, species, strict=True)]
        table["subject_id"] = [f"{name}{i % 7}" for i in range(len(table))]
        table.to_csv(folder / f"{name}.csv", index=False)
        assert fas("scores", "import", folder / f"{name}.csv", "--name", "m", "--cache", cache).code == 0
    for path in (cache / "runs").iterdir():
        run = store.open_run(cache, path.name)
        name = run.samples(["subject_id"])["subject_id"].iloc[0][:4]
        run.info = replace(
            run.info, manifest=f"{name}.csv", manifest_sha256=name, checkpoint_sha256="c", checkpoint_header=learned
        )
        systems.append(System(run, "score"))
    return sorted(systems, key=lambda system: system.run.info.manifest)  # away first


def test_runs_of_a_checkpoint_are_a_row_with_one_threshold_chosen_where_it_learned(
    fas: Callable[..., Result], tmp_path: Path
) -> None:
    systems = systems_of_a_checkpoint(fas, tmp_path, data_sha256="home")
    of = transfers.matrix(systems, with_intervals=True)
    (row,) = of.rows
    assert (row.called, row.trained_on, row.chosen_on, of.tested_on) == (
        "m",
        ("home",),
        ("dev of home",),
        ("away", "home"),
    )
    assert 18 < (row.threshold or 0) < 19  # of 20 live faces at home one may be rejected
    home, away = row.cells["home"], row.cells["away"]
    assert (home.roc_auc, home.apcer, home.apcer_worst, home.bpcer) == (1.0, 1.0, "mask", 0.0)
    assert (away.roc_auc, away.apcer, away.bpcer) == (0.75, 0.0, 0.5)
    assert [(cell.n_bona_fide, cell.n_attack, cell.n_people) for cell in (home, away)] == [(2, 2, 4), (2, 2, 4)]
    assert (home.is_trained_on, away.is_trained_on, home.is_optimistic) == (True, False, False)
    assert [system.run.id for system in systems] == [away.run, home.run]
    assert home.roc_auc_ci95 is not None
    assert away.bpcer_ci95 is not None
    assert away.bpcer_ci95.low < 0.5
    assert row.changes("roc_auc") == {"away": -0.25}
    assert transfers.answer(of) == "Judged on other data than it learned, m on away, AUC falls by 0.25."
    assert transfers.answer_of_rates(of) == (
        "With the threshold of the data they learned, on other data the worst APCER falls by 100 points and BPCER "
        "rises by 50 points."
    )


def test_a_row_of_large_runs_is_kept_and_the_same(
    fas: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = systems_of_a_checkpoint(fas, tmp_path, data_sha256="home")
    asked = [(systems, DEFAULT), (systems[:1], DEFAULT), (systems, Rule(BY_HAND, 5.0000001)), (systems, Rule(EER))]
    computed = [
        transfers.matrix(some, rule=rule, with_intervals=with_intervals)
        for some, rule in asked
        for with_intervals in (False, True)
    ]
    monkeypatch.setattr(kept, "LARGE", 0)
    for _ in range(2):
        again = [
            transfers.matrix(some, rule=rule, with_intervals=with_intervals)
            for some, rule in asked
            for with_intervals in (False, True)
        ]
        assert again == computed
        monkeypatch.setattr(transfers, "presentations", lambda *_, **__: pytest.fail("read again"))
    for system in systems:
        system.run.info = replace(system.run.info, checkpoint_header={"images": {"sources": {"home": 1}}})
    with pytest.raises(pytest.fail.Exception):  # what it has learned is another
        transfers.matrix(systems)


def test_what_a_model_learned_is_not_guessed(fas: Callable[..., Result], tmp_path: Path) -> None:
    systems = systems_of_a_checkpoint(fas, tmp_path)
    of = transfers.matrix(systems)
    assert [cell.is_trained_on for cell in of.rows[0].cells.values()] == [None, None]
    assert of.rows[0].trained_on == ()
    assert transfers.answer(of).startswith("What these models have learned is not known")
    (alone,) = transfers.matrix(systems[:1]).rows
    assert alone.cells["away"].roc_auc == 0.75
    for system in systems:
        system.run.info = replace(system.run.info, checkpoint_header={"images": {"sources": {"elsewhere": 1}}})
    assert transfers.answer(transfers.matrix(systems)).startswith("No model is judged both on a data set")


def test_the_sentence_names_who_changes_most_its_way_and_the_other_way() -> None:
    def said(**changes: float) -> str:
        cell = transfers.Cell("r", 0.5, None, 9, 9, None, True, None, None, None, False)
        rows = [
            transfers.Row(
                name, name, "rec", ("home",), None, (),
                {"home": cell, "away": replace(cell, roc_auc=0.5 + change, is_trained_on=False)},
            )
            for name, change in changes.items()
        ]  # fmt: skip
        sentence = transfers.answer(transfers.Matrix("frame", DEFAULT, ("away", "home"), tuple(rows)))
        return sentence.removeprefix("Judged on other data than they learned, AUC ")

    assert said(rgb=0.11, m=-0.05) == (
        "rises by 0.03 at the median of 2 pairs; most for rgb on away, +0.11; it falls most for m on away, −0.05."
    )
    assert said(a=-0.2, b=-0.1, c=0.05) == (
        "falls by 0.10 at the median of 3 pairs; most for a on away, −0.20; it rises most for c on away, +0.05."
    )
    assert said(a=-0.2, b=-0.1) == "falls by 0.15 at the median of 2 pairs; most for a on away, −0.20."
    assert said(a=0.1, b=0.2) == "rises by 0.15 at the median of 2 pairs; most for b on away, +0.20."
    assert said(a=0.1, b=-0.1) == (
        "stays as it is at the median of 2 pairs; it rises most for a on away, +0.10; it falls most for b on away, "
        "−0.10."
    )
    assert said(a=0.001, b=-0.001) == "stays as it is at the median of 2 pairs."


def test_data_sets_of_one_name_are_told_apart_by_modality_before_their_hash(
    fas: Callable[..., Result], tmp_path: Path
) -> None:
    (run, _) = (system.run for system in systems_of_a_checkpoint(fas, tmp_path))

    def tested_on(*data: tuple[str, str, str]) -> tuple[str, ...]:
        systems = [System(copy(run), "score") for _ in data]
        for (name, modality, sha256), (of_data, _) in zip(data, systems, strict=True):
            of_data.info = replace(
                run.info, run=f"{modality}{sha256}{name}", manifest=f"{name}.csv", modality=modality,
                manifest_sha256=sha256,
            )  # fmt: skip
        return transfers.matrix(systems).tested_on

    assert tested_on(("surf", "rgb", "a1"), ("surf", "depth", "b2")) == ("surf depth", "surf rgb")
    assert tested_on(("surf", "rgb", "a1"), ("surf", "rgb", "b2"), ("x", "rgb", "a1")) == ("surf a1", "surf b2", "x")
    assert tested_on(("surf", "", "a1"), ("surf", "nir", "b2"), ("surf", "nir", "c3")) == (
        "surf", "surf nir b2", "surf nir c3",
    )  # fmt: skip


def test_a_score_that_a_run_has_not_is_refused(fas: Callable[..., Result], tiny_cache: Path) -> None:
    result = fas("matrix", "a", "--cache", tiny_cache, "--score", "gone")
    assert result.code == 2
    assert "has no score 'gone'" in result.err


pytestmark = pytest.mark.filterwarnings("error")
