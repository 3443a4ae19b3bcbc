"""What the codes of a Run encode: which sides are compared, how it is kept, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data.names import in_protocol_order
from fas_core.derive import Work, parsed
from fas_core.evaluation import breakdown, separation
from fas_core.evaluation.separation import Comparison, Separation
from fas_core.evaluation.sides import Measure
from fas_core.metrics.uncertainty import Units
from fas_core.runs import store
from tests.conftest import write_image_run

N_SUBJECTS = 12


def a_samples() -> pd.DataFrame:
    """12 subjects: 2 training and 6 live images each, paper attacks of all, seen of the first 8, and a mask of one."""
    rows = []
    for subject in range(N_SUBJECTS):
        side = "seen" if subject < 8 else "unseen"
        for subset, label, species, n in (
            ("train", "bona_fide", "", 2),
            ("live", "bona_fide", "", 6),
            (f"{side}_paper", "bona_fide", "", 3),
            (f"{side}_paper", "attack", "paper", 3),
        ):
            rows += [(subject, subset, label, species)] * n
    rows.append((0, "seen_mask", "attack", "mask"))
    samples = pd.DataFrame(rows, columns=["subject_id", "subset", "label", "pai_species"])
    samples["subject_id"] = "s" + samples["subject_id"].astype(str)
    number = samples.index.to_numpy()
    return samples.assign(
        sample_id=number.astype(str),
        session_id=np.where(number % 2, "1", "2"),
        hat=np.where(number % 3, "yes", "no"),
        sex=np.where(samples["subject_id"].isin(["s0", "s4", "s5", "s9"]), "m", "f"),
        site="here",
        note=number.astype(str) + "x",
    ).sort_values(
        "subset",
        key=lambda s: s.map({n: i for i, n in enumerate(in_protocol_order(s.unique()))}),
        kind="stable",
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """With the column `glasses` that the first number of the codes gives away, and `angle`, a number, the second."""
    cache, samples = tmp_path_factory.mktemp("separation"), a_samples()
    z = write_image_run(cache / "draft", "draft", samples, shard_size=256).latents()
    samples["glasses"] = np.where(z[:, 0] > 0, "dark", "clear")
    samples.loc[samples["label"] == "attack", "glasses"] = ""
    samples["angle"] = z[:, 1]
    return write_image_run(cache, "a", samples, shard_size=256)  # of the same number: the same codes


@pytest.fixture(scope="module")
def separated(run: store.Run) -> Separation:
    assert separation.known(run) is None
    Work(run, parsed("separation")).compute()
    kept = separation.known(run)
    assert kept is not None
    return kept


def small(cache: Path, chosen: Callable[[pd.DataFrame], pd.Series]) -> Separation:
    """Of a Run with some of the samples, and no column but their identity."""
    samples = a_samples().drop(columns=["session_id", "hat", "sex", "site", "note"])
    return separation.of_run(write_image_run(cache, "small", samples[chosen(samples)], shard_size=256))


def by_name(separated: Separation) -> dict[str, Comparison]:
    return {comparison.name: comparison for comparison in separated.comparisons}


def value(comparison: Comparison, measure: str) -> float:
    of = comparison.measures[measure]
    assert of is not None
    return of.value


def test_attacks_and_nuisances_are_compared(separated: Separation) -> None:
    of = by_name(separated)
    assert list(of) == [
        "seen paper", "unseen paper", "angle", "brightness", "glasses", "hat", "session id", "sex",
    ]  # fmt: skip
    assert (of["seen paper"].sides, of["seen paper"].counts) == (("live", "paper"), (24, 24))
    assert (of["unseen paper"].counts, of["unseen paper"].n_units) == ((12, 12), 4)
    assert {comparison.unit for comparison in of.values()} == {"subject"}
    assert value(of["seen paper"], "probe") > 0.98
    assert value(of["seen paper"], "mahalanobis") > 0.9
    assert value(of["glasses"], "probe") > 0.9
    assert value(of["angle"], "probe") > 0.9
    assert value(of["hat"], "probe") < 0.65
    assert sum(of["glasses"].counts) == 72 + 36  # live images outside training, of all subsets
    assert of["sex"].is_of_unit
    assert not of["hat"].is_of_unit
    assert set(of["hat"].measures) == set(separation.MEASURES)


def test_candidates_are_the_columns_of_breakdowns_and_the_session(run: store.Run, separated: Separation) -> None:
    compared = {comparison.column for comparison in separated.comparisons if comparison.kind == "nuisance"}
    assert compared | set(separated.left_out) == {*breakdown.columns_for(run), "session_id", "brightness"} - {"subset"}
    assert "note" not in separated.left_out  # a column of ids


def test_it_is_kept_and_the_same_again(run: store.Run, separated: Separation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert separation._computed(run) == separated
    monkeypatch.setattr(separation, "_computed", lambda _: pytest.fail("computed again"))
    assert separation.of_run(run) == separated
    monkeypatch.setattr(separation, "LIMIT", 99)
    assert separation.known(run) is None


def test_more_images_than_the_limit_are_sampled_side_by_side(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "LIMIT", 30)
    of = by_name(separation.of_run(run))
    assert of["seen paper"].counts == (15, 15)
    assert of["seen paper"].n_units == 8  # of all subjects, not of the first ones
    assert list(of["hat"].counts) == pytest.approx([10, 20], abs=2)
    assert 24 <= sum(of["brightness"].counts) <= 32


def test_attacks_without_live_images_beside_them_are_compared_with_all(tmp_path: Path) -> None:
    separated = small(tmp_path, lambda rows: (rows["subset"] != "seen_paper") | (rows["label"] == "attack"))
    seen_paper = by_name(separated)["seen paper"]
    assert (seen_paper.sides, seen_paper.counts) == (("live of all subsets", "paper"), (84, 24))


def test_without_training_images_nothing_fitted_on_them_is_given(tmp_path: Path) -> None:
    seen_paper = by_name(small(tmp_path, lambda rows: rows["subset"] != "train"))["seen paper"]
    assert seen_paper.measures["mahalanobis"] is None
    assert seen_paper.measures["likelihood"] is None
    assert value(seen_paper, "probe") > 0.98


def test_training_images_stand_in_where_there_are_no_others(tmp_path: Path) -> None:
    separated = small(tmp_path, lambda rows: rows["subset"] == "train")
    assert [(comparison.name, comparison.counts) for comparison in separated.comparisons] == [("brightness", (12, 12))]


def test_brightness_is_the_mean_of_the_image(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "_IMAGES_AT_ONCE", 3)
    rows = np.array([9, 0, 70, 4])
    expected = run.images("inputs", rows).reshape(4, -1).mean(1) / 255
    assert separation.brightness(run, rows) == pytest.approx(expected)


def units(n: int) -> Units:
    return Units("subject", np.arange(n) // 5)


def test_values_make_sides() -> None:
    values = pd.Series(["left"] * 10 + ["", "n/a", "no_info"] + ["up"] * 10 + ["rare"] * 3 + ["right"] * 10)
    codes, names, problem = separation.sides_of(values, units(len(values)))
    assert problem == ""
    assert names == ["left", "right", "up"]
    assert codes.tolist() == [0] * 10 + [-1] * 3 + [2] * 10 + [-1] * 3 + [1] * 10


def test_many_numbers_are_cut_at_the_median() -> None:
    numbers = np.random.default_rng(0).permutation(41).astype(float)
    numbers[numbers == 7] = np.nan
    codes, names, problem = separation.sides_of(pd.Series(numbers), units(41))
    assert problem == ""
    assert names == ["up to 20.5", "above 20.5"]
    assert codes.tolist() == [-1 if np.isnan(x) else int(x > 20.5) for x in numbers]


def test_many_texts_are_no_sides() -> None:
    codes, _, problem = separation.sides_of(pd.Series(list("abcdefghijk") * 9), units(99))
    assert problem == "more than 10 different texts"
    assert set(codes) == {-1}


@pytest.mark.parametrize(
    ("values", "units"),
    [
        (["a"] * 20 + ["b"] * 4, Units("subject", np.arange(24))),
        (["a"] * 20 + ["b"] * 20, Units("subject", np.repeat([0, 1, 2], [10, 10, 20]))),
        (["a"] * 20, Units("subject", np.arange(20))),
    ],
)
def test_a_side_needs_images_and_subjects(values: list[str], units: Units) -> None:
    codes, names, problem = separation.sides_of(pd.Series(values), units)
    assert problem == "fewer than two values with 5 live images of 2 subjects"
    assert (set(codes), names) == ({-1}, [])


# ------------------------------------------------------------------------------------------------------------ in words


def attack(subset: str, probe: float, mahalanobis: float | None = None) -> Comparison:
    measures = dict.fromkeys(separation.MEASURES) | {"probe": Measure(probe, probe - 0.1, min(1, probe + 0.1))}
    if mahalanobis is not None:
        measures["mahalanobis"] = Measure(mahalanobis, mahalanobis - 0.1, mahalanobis + 0.05)
    species = subset.split("_")[1]
    return Comparison("attack", species, subset, ("live", species), (9, 9), 5, "subject", False, measures)


def nuisance(column: str, probe: float, mahalanobis: float | None = None) -> Comparison:
    return replace(attack(f"x_{column}", probe, mahalanobis), kind="nuisance", subset="", sides=("no", "yes"))


@pytest.mark.parametrize(
    ("comparisons", "said"),
    [
        ([], "There is nothing to compare: no side has enough images of enough subjects."),
        (
            [attack("seen_paper", 0.9), attack("unseen_mask", 0.8), nuisance("glasses", 0.7), nuisance("hat", 0.6)],
            "Codes show every attack, even unseen mask (AUC 0.80, 0.70 to 0.90), more clearly than any nuisance, even "
            "glasses (AUC 0.70, 0.60 to 0.80).",
        ),
        (
            [attack("seen_paper", 0.9), attack("unseen_mask", 0.6), nuisance("glasses", 0.7)],
            "Codes show seen paper (AUC 0.90, 0.80 to 1.00) more clearly than any nuisance, but glasses (AUC 0.70, "
            "0.60 to 0.80) more clearly than unseen mask (AUC 0.60, 0.50 to 0.70).",
        ),
        (
            [attack("seen_paper", 0.7), attack("unseen_mask", 0.6), nuisance("glasses", 0.75)],
            "Codes show glasses (AUC 0.75, 0.65 to 0.85), which is no attack, at least as clearly as any attack: seen "
            "paper (AUC 0.70, 0.60 to 0.80) to unseen mask (AUC 0.60, 0.50 to 0.70).",
        ),
        (
            [attack("seen_paper", 0.7), nuisance("glasses", 0.75)],
            "Codes show seen paper (AUC 0.70, 0.60 to 0.80) no more clearly than glasses (AUC 0.75, 0.65 to 0.85).",
        ),
        (
            [attack("seen_paper", 0.7), nuisance("glasses", 0.6)],
            "Codes show seen paper (AUC 0.70, 0.60 to 0.80) more clearly than anything that is no attack, even glasses "
            "(AUC 0.60, 0.50 to 0.70).",
        ),
        (
            [nuisance("glasses", 0.6)],
            "There is no attack to compare; of nuisances, codes show glasses (AUC 0.60, 0.50 to 0.70) most clearly.",
        ),
        (
            [attack("seen_paper", 0.7), attack("seen_mask", 0.8)],
            "Codes show seen mask (AUC 0.80, 0.70 to 0.90) most clearly, and least seen paper (AUC 0.70, 0.60 to "
            "0.80); there is no nuisance to compare.",
        ),
    ],
)
def test_the_sentence_says_what_is_clearer(comparisons: list[Comparison], said: str) -> None:
    assert Separation(tuple(comparisons), {}).sentence() == said


def test_the_sentence_says_what_the_distance_makes_of_it() -> None:
    separated = Separation(
        (
            attack("seen_paper", 0.9, 0.8),
            attack("unseen_mask", 0.8, 0.5),
            nuisance("hat", 0.9, 0.52),  # 0.42 to 0.57: nothing
            nuisance("glasses", 0.7, 0.3),  # 0.2 to 0.35: it is those without that are odd
        ),
        {},
    )
    assert separated.sentence().endswith(
        "The distance from live training codes, which is not told what attacks are, reaches AUCs from 0.50 (0.40 to "
        "0.55) for unseen mask to 0.80 (0.70 to 0.85) for seen paper. Of live faces, those where glasses is no look "
        "most like attacks to it, AUC 0.70 (0.65 to 0.80)."
    )
    assert "reaches an AUC of 0.80 (0.70 to 0.85) for seen paper." in separated.within(["seen_paper"]).sentence()
    assert "mask" not in separated.within(["seen_paper"]).sentence()


def test_a_species_is_named_where_its_subset_does_not() -> None:
    assert replace(attack("seen_paper", 0.9), column="mask", subset="test_2").name == "mask of test 2"
    assert replace(attack("seen_paper", 0.9), column="mask", subset="all").name == "mask"


def test_numbers_are_sides_in_their_order() -> None:
    values = pd.Series(np.repeat([10.0, 2.0, 1.0], 10))
    codes, names, _ = separation.sides_of(values, units(30))
    assert names == ["1", "2", "10"]
    assert codes.tolist() == [2] * 10 + [1] * 10 + [0] * 10
