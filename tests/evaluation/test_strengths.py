"""APCER against strength: counted by hand, at one threshold; said to be no evidence wherever rates are."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import scores
from fas_core.deciding import card as cards
from fas_core.errors import BadInputError
from fas_core.evaluation.strengths import AtStrength, Curve, Strengths, by_strength
from fas_core.metrics.operating_point import DEFAULT
from fas_core.runs import census, health
from fas_core.runs.scorefile import scores_only_run
from fas_core.runs.store import Run
from tests.conftest import Result, message

SAID = "Attacks of mask, paper are simulated: no evidence about real attacks."


def samples() -> pd.DataFrame:
    """20 live people on dev, with scores of 0.00 to 0.19, 10 on test; attacks on the latter: the score is the strength
    of `paper`, and a tenth of it of `mask`, which lacks strength 0.1 and has one without a score; 2 real `replay`."""
    rows = [("dev", "bona_fide", "", f"d{i}", np.nan, "", i / 100) for i in range(20)]
    for i in range(10):
        person = f"t{i}"
        rows.append(("test", "bona_fide", "", person, np.nan, "", 0.05))
        rows += [("test", "attack", "paper", person, strength, "yes", strength) for strength in (0.1, 0.25, 1.0)]
        rows += [("test", "attack", "mask", person, strength, "yes", strength / 10) for strength in (0.25, 1.0)]
    rows += [("test", "attack", "replay", f"t{i}", np.nan, "", 0.9) for i in range(2)]
    columns = ["subset", "label", "pai_species", "subject_id", "attack_strength", "simulated", "score"]
    table = pd.DataFrame(rows, columns=columns).assign(sample_id=[f"s{i}" for i in range(len(rows))])
    table.loc[(table["pai_species"] == "paper") & (table["subject_id"].isin(["t0", "t1"])), "score"] = 0.01
    table.loc[table.index[(table["pai_species"] == "mask")][0], "score"] = np.nan
    return table


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return scores_only_run(tmp_path, "strengths", samples(), ["score"], "")


def test_rates_are_counted_at_one_threshold_and_put_in_words(run: Run) -> None:
    told = by_strength(run, scores.values(run, "score"), DEFAULT, ["dev"], ["test"])
    assert 0.18 < told.threshold <= 0.19  # one of twenty live people is rejected
    paper = next(curve for curve in told.curves if curve.species == "paper")
    mask = next(curve for curve in told.curves if curve.species == "mask")
    assert [(point.strength, point.missed, point.n) for point in paper.points] == [
        (0.1, 10, 10),
        (0.25, 2, 10),
        (1, 2, 10),
    ]
    assert [(point.strength, point.missed, point.n, point.n_non_response) for point in mask.points] == [
        (0.25, 9, 9, 1),
        (1.0, 10, 10, 0),
    ]
    assert [curve.species for curve in told.curves] == ["mask", "paper"]  # a replay states no strength
    assert (paper.noticed_from, mask.noticed_from) == (0.25, None)
    interval = paper.points[1].interval
    assert interval is not None
    assert (interval.unit, interval.n_units) == ("subject", 10)
    assert interval.low < 0.2 < interval.high
    assert told.sentence() == "Mostly missed at every strength: mask; below strength 0.25: paper."
    assert told.caveat.startswith(SAID)
    assert list(told.table().columns) == ["Species", "0.1", "0.25", "1", "Half found from"]
    assert told.table()["0.1"].tolist()[0] == ""


def test_a_curve_that_comes_back_up_is_found_from_above_it() -> None:
    points = tuple(AtStrength(strength, missed, 10, 0, None) for strength, missed in ((0.1, 2), (0.5, 8), (1.0, 1)))
    assert Curve("paper", points).noticed_from == 1.0
    assert Curve("paper", points).missed_words == "below strength 1"
    assert Curve("paper", points[:1]).missed_words == "at none"
    assert Curve("paper", points[:2]).missed_words == "at every strength"


def test_what_is_simulated_is_said_by_the_datas_own_columns_where_rates_are(run: Run, tmp_path: Path) -> None:
    (said,) = [caution for caution in health.cautions(run, ["test"]) if caution.kind == "simulated"]
    assert (said.message, said.counts) == (SAID, {"simulated_species": ["mask", "paper"]})
    assert [caution for caution in health.cautions(run, ["dev"]) if caution.kind == "simulated"] == []
    assert SAID in health.findings(run, census.of_run(run))
    by_source = samples().assign(attack_source=lambda rows: rows["simulated"]).drop(columns=["simulated"])
    older = scores_only_run(tmp_path / "older", "older", by_source, ["score"], "")
    assert [caution.message for caution in health.cautions(older, ["test"]) if caution.kind == "simulated"] == [SAID]
    real = scores_only_run(tmp_path / "real", "real", samples().assign(simulated=""), ["score"], "")
    assert [caution for caution in health.cautions(real, ["test"]) if caution.kind == "simulated"] == []


def test_a_card_of_before_the_caution_is_as_it_was(run: Run) -> None:
    card = cards.card(run, "score", DEFAULT, ["dev"], ["test"])
    assert card.warnings is not None
    assert "simulated" in [caution.kind for caution in card.warnings]
    before = replace(card, warnings=tuple(said for said in card.warnings if said.kind != "simulated")).sealed()
    assert before.sha256 != card.sha256
    assert cards.differences(before, run) == cards.differences(card, run) == []


def test_the_command(run: Run, fas: Callable[..., Result]) -> None:
    cache = ("--cache", run.cache)
    told = json.loads(fas("strengths", "strengths", *cache, "--json").out)
    assert told["curves"]["paper"]["noticed_from"] == 0.25
    assert [point["apcer"] for point in told["curves"]["paper"]["at_strength"]] == [1.0, 0.2, 0.2]
    assert (told["chosen_on"], told["reported_on"], told["optimistic"]) == (["dev"], ["test"], False)
    assert {"kind": "simulated", "message": SAID, "simulated_species": ["mask", "paper"]} in told["warnings"]
    in_words = fas("strengths", "strengths", *cache)
    assert in_words.code == 0
    assert SAID.replace(" ", "") not in in_words.err.replace(" ", "").replace("\n", "")  # once, beneath the table
    assert "below strength 0.25: paper" in in_words.out
    assert SAID.replace(" ", "") in in_words.out.replace(" ", "").replace("\n", "")
    assert SAID.replace(" ", "") in fas("evaluate", "strengths", *cache).err.replace(" ", "").replace("\n", "")
    by_cost = ("strengths", "strengths", *cache, "--rule", "cost", "--choose-on", "test", "--report-on", "test")
    priced = ("--sessions", 1000, "--loss", 500, "--rejection-cost", 1, "--attack-share", "paper=0.1")
    of_costs = json.loads(fas(*by_cost, *priced, "--json").out)
    assert (of_costs["threshold"], of_costs["costs"]["per_attack"]) == (0.01, 500)  # no paper attack passes
    assert "needs --sessions" in message(fas(*by_cost))
    samples().to_csv(run.cache / "scores.csv", index=False)
    assert f"Note: {SAID}" in fas("metrics", run.cache / "scores.csv").err.replace("\n", " ")
    assert "No attack of dev states a strength" in message(
        fas("strengths", "strengths", "--choose-on", "dev", "--report-on", "dev", *cache)
    )


def test_no_strengths_are_no_curve(run: Run, tmp_path: Path) -> None:
    bare = scores_only_run(tmp_path / "bare", "bare", samples().drop(columns=["attack_strength"]), ["score"], "")
    with pytest.raises(BadInputError, match="states a strength"):
        by_strength(bare, scores.values(bare, "score"), DEFAULT, ["dev"], ["test"])


def test_a_document_has_no_numbers_that_are_none(run: Run) -> None:
    told: Strengths = by_strength(run, scores.values(run, "score"), DEFAULT, ["dev"], ["test"])
    assert json.loads(json.dumps(told.as_json(), allow_nan=False))["threshold"] == told.threshold
