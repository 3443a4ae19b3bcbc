"""What got worse, on numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.evaluation import differences, regressions
from fas_core.evaluation.comparison import compared
from fas_core.evaluation.headline import headline
from fas_core.evaluation.join import Joined, System, joined
from fas_core.evaluation.matching import Matching, judged_subsets, matching
from fas_core.evaluation.regressions import Cell, Regressions, groupings, members_of, what_got_worse
from fas_core.metrics import uncertainty
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run

N = 400  # live samples, and attacks, of dev and of test each


def skin_run(cache: Path, *, subjects: int | None = None) -> store.Run:
    """B finds all print attacks, of which A misses half; and rejects 24 of 40 live faces with dark skin, A none."""
    rng = np.random.default_rng(0)
    tables = []
    for subset in ("dev", "test"):
        live = pd.DataFrame({"label": "bona_fide", "pai_species": "", "a": np.linspace(0, 1, N)})
        live["skin"] = np.where(np.arange(N) % 10 == 0, "dark", "light")
        live["b"] = live["a"] + rng.normal(0, 1e-3, N)
        if subset == "test":
            dark = np.flatnonzero(live["skin"] == "dark")
            live.loc[dark, "a"] = 0.5
            live.loc[dark, "b"] = np.where(np.arange(40) < 24, 2.0, 0.5)
        attack = pd.DataFrame({"label": "attack", "pai_species": "print", "skin": "light"}, index=range(N))
        attack["a"], attack["b"] = np.where(np.arange(N) % 2, 3.0, -1.0) + np.arange(N) / 1e4, 3 + np.arange(N) / 1e4
        both = pd.concat([live, attack], ignore_index=True).assign(subset=subset)
        tables.append(both.assign(sample_id=[f"{subset}{i}" for i in range(len(both))]))
    table = pd.concat(tables, ignore_index=True)
    if subjects:
        table["subject_id"] = [f"p{i % subjects}" for i in range(len(table))]
    return scores_only_run(cache, "skin", table, ["a", "b"], "by hand")


def on_test(run: store.Run) -> tuple[Joined, Joined]:
    """Dev and test."""
    both = joined([System(run, "a"), System(run, "b")])
    return both.in_subsets(["dev"]), both.in_subsets(["test"])


def test_the_regression_of_a_group_leads_and_stands_in_the_headline(tmp_path: Path) -> None:
    run = skin_run(tmp_path)
    dev, test = on_test(run)
    found = matching(dev, DEFAULT, ["dev"])
    assert (found.reached, found.problem, found.words) == ((0.05, 0.05), "", "BPCER ≤ 5 % chosen on dev, fixed")
    worse = what_got_worse(test, found, groupings([run, run], test), resamples=400)
    assert worse is not None
    first = worse.rows[0]
    assert (first.column, first.group, first.kind) == ("skin", "dark", "bona_fide")
    assert (first.n, first.a, first.b, first.difference) == (40, 0.0, 0.6, 0.6)
    # 24 tosses of a coin, all alike, in one direction; of the two groups, dark and light, it is the surest.
    assert (worse.n_compared, worse.n_wholes, worse.n_groups, worse.wholes_words) == (4, 2, 2, "live and 1 species")
    assert first.p_alone == pytest.approx(2 * 0.5**24)
    assert first.p == pytest.approx(2 * 0.5**24)
    assert first.low is not None
    assert first.high is not None
    assert 0.4 < first.low < 0.6 < first.high < 0.8
    said = headline(worse)
    assert said.answer.startswith(
        "B is better and worse: it misses fewer print attacks (0 % instead of 50 %) and rejects more live faces ("
    )
    assert said.but == f", but rejects 60 % instead of 0 % of live faces with skin dark ({first.interval})."
    assert [(cell.kind, cell.verdict) for cell in worse.better] == [("print", "beyond chance")]
    assert worse.better_words() == "Got better beyond chance: print attacks 50 → 0 %."
    assert worse.counts_words == (
        "4 compared, live and 1 species as a whole and 2 groups: 3 worse (2 beyond chance, 1 within chance), 1 not "
        "worse, 1 of them better beyond chance."
    )
    assert (
        "What got worse: B rejects 60 % instead of 0 % of live faces with skin dark (+60 points [" in worse.sentence()
    )
    rows = members_of(test, groupings([run, run], test), first)
    assert (test.samples["label"].iloc[rows] == "bona_fide").all()
    assert len(rows) == 40


def test_the_document_holds_what_got_worse(tmp_path: Path) -> None:
    run = skin_run(tmp_path)
    document = compared(System(run, "a"), System(run, "b"), chosen_on=["dev"], resamples=200).as_json()
    targets = document["thresholds"].pop("targets")
    assert [(targets[name]["limit"], targets[name]["met"]) for name in "ab"] == [(0.05, True), (0.05, False)]
    assert targets["b"]["rate"] > 0.06 > targets["a"]["rate"]
    assert document["thresholds"] == {
        "chosen_on": ["dev"],
        "judged_on": ["test"],
        "optimistic": False,
        "reached": [0.05, 0.05],
        "not_matched_because": None,
    }
    [first, *_] = document["worse"]["rows"]
    assert (first["column"], first["group"], first["a"], first["b"], first["is_clear"]) == (
        "skin",
        "dark",
        0,
        0.6,
        True,
    )
    assert document["metrics"]["apcer_print"]["method"] == "swap"
    assert document["metrics"]["apcer_print"]["difference"] == -0.5
    assert document["in_words"][0].startswith("At thresholds for BPCER ≤ 5 % chosen on dev, B rejects more of the 400")
    with pytest.raises(BadInputError, match="no subset tset to choose on; it has dev, test"):
        compared(System(run, "a"), System(run, "b"), chosen_on=["tset"])


@pytest.mark.parametrize("by", ["dev", ""])
def test_a_species_has_one_interval_in_every_table(tmp_path: Path, by: str) -> None:
    run = skin_run(tmp_path, subjects=50)
    dev, test = on_test(run)
    found = matching(dev, DEFAULT, ["dev"]) if by else matching(test, DEFAULT)
    drawn = differences.resampled(test, at=found.at, resamples=300)
    of_metrics = differences.differences(test, DEFAULT, drawn, at=found.at)
    [print_cell] = [
        cell
        for cell in regressions.cells(test, found, {}, drawn, resamples=300)
        if (cell.column, cell.kind) == ("", "print")
    ]
    metric = of_metrics[differences.apcer_of("print", None if by else DEFAULT)]
    assert (print_cell.low, print_cell.high) == pytest.approx((metric.low, metric.high), abs=1e-12)
    assert print_cell.difference == metric.difference


def test_small_groups_are_named_not_judged_and_the_same_samples_count_once(tmp_path: Path) -> None:
    run = skin_run(tmp_path)
    _, test = on_test(run)
    few = np.where(np.arange(len(test)) < 29, "few", "many")
    codes, names = np.unique(few, return_inverse=True)[::-1]
    whole = np.where(test.is_attack, 1, 0)
    columns = {
        "size": regressions.Grouping(codes, list(names)),
        "same": regressions.Grouping(whole, ["live", "attacks"]),  # which the kinds say already
    }
    worse = what_got_worse(test, matching(test, Rule("bpcer", 0.1)), columns, resamples=0)
    assert worse is not None
    assert [(cell.column, cell.group, cell.n) for cell in worse.too_few] == [("size", "few", 29)]
    assert worse.n_compared == 3  # live, print, live of "many"


def test_nothing_is_compared_where_ties_leave_no_threshold(tmp_path: Path) -> None:
    live = pd.DataFrame({"label": "bona_fide", "pai_species": "", "a": np.linspace(0, 1, 100)})
    live["b"] = np.minimum(live["a"], 0.85)
    attack = pd.DataFrame({"label": "attack", "pai_species": "print", "a": [2.0] * 40, "b": [2.0] * 40})
    table = pd.concat([live, attack], ignore_index=True).assign(subset="test")
    table["sample_id"] = [str(i) for i in range(len(table))]
    run = scores_only_run(tmp_path, "ties", table, ["a", "b"], "")
    both = joined([System(run, "a"), System(run, "b")])
    found = matching(both, DEFAULT)
    assert found.reached == (0.05, 0.0)
    assert found.problem == (
        "BPCER ≤ 5 % cannot be matched: B has no point between 0.0 % and 15.0 %, where live samples share a score."
    )
    assert what_got_worse(both, found, {}) is None
    assert matching(both, Rule("bpcer", 0.15)).problem == ""
    document = compared(System(run, "a"), System(run, "b"), resamples=20).as_json()
    assert document["worse"] is None
    assert document["thresholds"]["not_matched_because"] == found.problem


def test_what_is_judged_is_what_the_choice_has_not_seen() -> None:
    assert judged_subsets(["train", "dev", "test"], ["dev"]) == (("test",), ("dev",))
    assert judged_subsets(["dev"], ["dev"]) == (("dev",), ())
    assert judged_subsets(["dev", "test"], []) == (("dev", "test"), ())


def test_a_headline_claims_nothing_that_chance_explains() -> None:
    live = Cell("", "", "bona_fide", 500, 500, 0.05, 0.06, -0.01, 0.03, 0.4, 0.4)
    mask = Cell("", "", "mask", 200, 200, 0.30, 0.25, -0.12, 0.02, 0.2, 0.4)
    without = Regressions((live,), (live, mask), (), 2, "sample")
    of_all = (
        "C is neither better nor worse beyond chance: as a whole no clear difference in attacks missed (most apart: "
        "mask, 25 % instead of 30 %) or live faces rejected (6.0 % instead of 5.0 %); "
    )
    assert headline(without, "C") == (f"{of_all}no group is large enough.", "")
    # A corrected p says so, but the interval does not leave 0 out.
    assert not Cell("", "", "mask", 200, 200, 0.3, 0.5, -0.01, 0.4, 0.01, 0.01).is_clear
    # The largest worsening is named with its interval however sure it is, and only then in bold.
    by_chance = Cell("age", "old", "bona_fide", 50, 50, 0.10, 0.24, -0.02, 0.30, 0.09, 1.0)
    rows = Regressions((by_chance, live), (live, mask), (), 126, "sample")
    assert headline(rows, "C") == (
        f"{of_all}of 124 groups none got clearly worse (within chance: live faces with age old, 24 % instead of 10 % "
        "(−2 to +30 points)).",
        "",
    )
    dark = Cell("skin tone", "dark brown", "bona_fide", 129, 129, 0.09, 0.16, 0.03, 0.12, 0.004, 0.25)
    rows = Regressions((dark, by_chance, live), (live, mask), (), 126, "sample")
    assert headline(rows).but == (
        "; not certain among 124 groups: live faces with skin tone dark brown, 16 % instead of 9 % (+3 to +12 points)."
    )
    assert rows.sentence().endswith(
        "The largest worsening is not certain: B rejects 16 % instead of 9 % of live faces with skin tone dark brown "
        "(+7 points [+3 to +12], p = 0.250 corrected for 124 groups, n = 129)."
    )
    assert [cell.verdict for cell in rows.rows] == ["not certain", "within chance", "within chance"]


def test_live_faces_are_ranked_apart_from_attacks_that_err_by_more() -> None:
    live = Cell("", "", "bona_fide", 1562, 133, 0.017, 0.027, -0.003, 0.021, 0.18, 0.18)
    masks = Cell("", "", "mask", 454, 52, 0.65, 0.73, 0.04, 0.12, 1e-4, 3e-4)
    prints = Cell("", "", "print", 1212, 115, 0.60, 0.74, 0.10, 0.16, 1e-9, 1e-9)
    adverse = Cell("lighting", "adverse", "bona_fide", 432, 83, 0.023, 0.086, 0.041, 0.101, 1e-5, 1e-4, 20)
    groups = [Cell("sex", str(i), "mask", 173, 7, 0.3, 0.7 - i / 100, 0.2, 0.5, 1e-3, 0.01, 145) for i in range(12)]
    few = Cell("lighting", "adverse", "replay", 473, 4, 0.43, 0.64, n_largest=300)
    rows = (*groups, prints, masks, adverse)
    worse = Regressions(rows, (live, masks, prints), (few,), 30, "subject")
    assert headline(worse, "B (new)") == (
        "B (new) is worse: it misses more attacks of every species, most of print (74.0 % instead of 60.0 %)",
        ", and rejects 8.6 % instead of 2.3 % of live faces with lighting adverse (+4 to +10 points).",
    )
    assert "among them mask (73 % instead of 65 %)" in headline(worse, feared=["mask"]).answer
    assert worse.listed() == ((adverse,), (*groups, prints, masks, few))
    assert worse.listed(["print"])[1][0] == prints
    assert worse.first(7) == ((adverse,), tuple(groups[:6]))
    assert worse.sentence().startswith("What got worse: B rejects 8.6 % instead of 2.3 % of live faces with lighting ")
    assert "; B misses 70 % instead of 30 % of mask attacks with sex 0 (+40 points [+20 to +50], " in worse.sentence()
    assert "n = 173 of 7 subjects, of which one has 145)" in worse.sentence()
    # What holds samples of a few people is said to, and so is that it is people that are too few.
    assert worse.counts_words.endswith(
        "1 more are too small to judge, 1 of fewer than 5 subjects: the last rows, where they got worse."
    )
    assert worse.of_one_words(1) == "Mostly of one subject: mask attacks with sex 0 (145 of 173); 11 more groups."
    assert (groups[0].units_words, adverse.units_words) == ("7, one has 145", "83")


def test_of_the_same_scores_nothing_is_said_to_differ() -> None:
    same = [Cell("", "", kind, 400, 50, 0.65, 0.65, -0.01, 0.01, 1.0, 1.0) for kind in ("bona_fide", "mask")]
    said = "B decides as A does: no rate of wrong verdicts differs, as a whole or in a group."
    assert headline(Regressions((), tuple(same), (), 2, "subject")) == (said, "")


def test_the_largest_fall_of_the_auc_leads(tmp_path: Path) -> None:
    run = skin_run(tmp_path)
    _, test = on_test(run)
    codes = np.repeat([0, 1], [len(test) // 4, len(test) - len(test) // 4])  # live faces alone, then both classes
    columns = {"half": regressions.Grouping(codes, ["first", "second"])}
    assert regressions.area_falls(test, columns) == []  # B finds all attacks
    turned = joined([System(run, "b"), System(run, "a")]).in_subsets(["test"])
    [fall] = regressions.area_falls(turned, columns)
    sets = turned.score_sets_of(codes == 1)
    areas = [regressions.metrics.roc_auc(of_run, "print") for of_run in sets]
    assert fall == ("half", "second", "print", *areas)
    assert fall.words == f"print with half second {areas[0]:.2f} → {areas[1]:.2f}"


def test_where_nothing_differs_one_comparison_in_twenty_claims_anything() -> None:
    """Both Runs' scores are swapped at random within subjects of three samples: no true difference anywhere."""
    rng, n, n_comparisons = np.random.default_rng(0), 600, 300
    kinds = np.array(["bona_fide", "bona_fide", "print", "mask"])[np.arange(n) // 3 % 4]
    label = np.where(kinds == "bona_fide", "bona_fide", "attack")
    samples = pd.DataFrame({"label": label, "pai_species": np.where(label == "attack", kinds, "")})
    samples = samples.assign(subject_id=[f"p{i // 3}" for i in range(n)], sample_id=[str(i) for i in range(n)])
    samples["subset"] = "test"
    columns = {}
    for name in ("age", "device", "lighting", "skin"):
        codes = rng.integers(0, 4, n // 3).repeat(3)
        columns[name] = regressions.Grouping(codes, ["1", "2", "3", "4"])
    at = Matching(DEFAULT, ("dev",), (0.5, 0.5), (0.0, 0.0), "")
    rows = np.arange(n)
    claims = np.zeros(2)
    for _ in range(n_comparisons):
        of_subjects = rng.normal(0, 0.5, n // 3).repeat(3)
        pair = (label == "attack") + of_subjects + rng.normal(0, 0.4, (2, n))
        both = Joined(samples, (rows, rows), (pair[0], pair[1]), ({}, {}), 0)
        worse = what_got_worse(both, at, columns, resamples=0)
        assert worse is not None
        assert worse.n_groups > 20
        claims += [any(cell.is_clear for cell in worse.overall), any(cell.column for cell in worse.clear)]
    assert (claims / n_comparisons <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / n_comparisons)).all()


def test_swaps_within_units_are_mcnemar_where_units_have_one_sample_each() -> None:
    assert uncertainty.swap_p([1] * 7 + [-1] * 2 + [0] * 50) == uncertainty.mcnemar(2, 7)
    assert uncertainty.swap_p([0, 0]) == 1.0
    # Units of 3 and 1: sums 4, 2, -2, -4 are equally likely.
    assert uncertainty.swap_p([3, 1]) == pytest.approx(0.5)
    assert uncertainty.swap_p([3, -1]) == pytest.approx(1.0)
    changes = np.r_[[2] * 20, [-1] * 25, [5]]
    tossed = np.random.default_rng(0).choice([-1, 1], (200_000, changes.size)) @ changes
    assert uncertainty.swap_p(changes) == pytest.approx((np.abs(tossed) >= changes.sum()).mean(), rel=0.2)
    assert uncertainty.swap_p(100 * changes) == pytest.approx(uncertainty.swap_p(changes), rel=0.3)  # by the limit


def test_holm_corrects_the_smallest_most() -> None:
    assert uncertainty.holm([0.04, 0.01, 0.03]).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert uncertainty.holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_benjamini_and_hochberg_correct_less_the_more_is_found() -> None:
    # Their own example: 15 tests, of which Holm's method keeps three and theirs four (1995, section 3.2).
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    shuffled = np.random.default_rng(0).permutation(15)
    corrected = uncertainty.benjamini_hochberg(np.array(p)[shuffled])
    assert (corrected < 0.05).sum() == 4
    assert corrected[shuffled == 3] == pytest.approx(0.0095 * 15 / 4)
    assert (uncertainty.holm(p) < 0.05).sum() == 3
    assert uncertainty.benjamini_hochberg([0.04, 0.03, 0.9]).tolist() == pytest.approx([0.06, 0.06, 0.9])


def test_only_in_a_counts_the_chosen_subsets(tmp_path: Path) -> None:
    def run(name: str, ids: list[str]) -> store.Run:
        rows = pd.DataFrame({"sample_id": ids, "label": "bona_fide", "pai_species": "", "score": 1.0})
        return scores_only_run(tmp_path, name, rows.assign(subset=[i.split("_")[0] for i in ids]), ["score"], "")

    a, b = run("a", ["dev_1", "dev_2", "test_1", "test_2"]), run("b", ["dev_1", "test_2", "test_3", "test_4"])
    both = joined([System(a, "score"), System(b, "score")])
    assert both.n_only == (2, 2)
    assert both.in_subsets(["test"]).n_only == (1, 2)
    assert both.in_subsets(["dev"]).n_only == (1, 0)


def test_groups_are_those_that_any_run_names(tmp_path: Path) -> None:
    n = 60
    table = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "label": "bona_fide", "pai_species": ""})
    table = table.assign(subset="test", score=np.arange(n) / n)
    device = np.where(np.arange(n) % 3 == 0, "phone", "webcam")
    a = scores_only_run(tmp_path, "a", table, ["score"], "")
    b = scores_only_run(tmp_path, "b", table.assign(device=device).iloc[::-1].reset_index(drop=True), ["score"], "")
    both = joined([System(a, "score"), System(b, "score")])
    grouped = groupings([a, b], both)
    assert [*grouped] == ["device"]  # one subset is no group
    assert np.asarray(grouped["device"].names)[grouped["device"].codes].tolist() == device.tolist()
