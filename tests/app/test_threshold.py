"""The Threshold page, up to what it hands to the browser; what that makes of it is in tests/e2e/test_threshold.py."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from app.components.threshold import Cell, Prepared, prepared
from fas_core import metrics, scores
from fas_core.data.degradations import BY_NAME
from fas_core.evaluation import presentations, stressed
from fas_core.metrics import operating_point, uncertainty
from fas_core.reports.palette import ALL_ATTACKS, Style
from fas_core.runs import scorefile, store
from fas_core.runs.scorefile import scores_only_run
from tests.app.conftest import commands
from tests.conftest import learned_samples, tiny_samples, write_image_run
from tests.video_runs import write_video_run

from .conftest import page, texts


def pooled(run: store.Run, *subsets: str) -> metrics.ScoreSet:
    return presentations.presentations(run, scores.values(run, "rec")).score_set(subsets)


def caption(at: AppTest) -> str:
    return next(c.value for c in at.caption if c.value.startswith("Threshold"))


def panels(at: AppTest) -> list[Any]:
    return [element for element in at.get("bidi_component") if element.key == "threshold_panel"]


def taken(content: bytes, at: list[int]) -> np.ndarray:
    """As the browser does."""
    start, length, n_bytes = at
    return np.frombuffer(content, {4: np.float32, 8: np.float64}[n_bytes], length, 8 * start).astype(np.float64)


class Sent:
    """What the page hands to the browser, and the rates that the browser finds in it."""

    def __init__(self, at: AppTest) -> None:
        [panel] = panels(at)
        proto = panel.proto
        self.data = json.loads(proto.mixed.json, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        [blob] = proto.mixed.arrow_blobs.values()
        table = pa.ipc.open_stream(blob.data).read_all()
        self.content = table["numbers"][0].as_py()
        self.made = self.data["made"]
        self.threshold = float(self.data["threshold"])

    def take(self, at: list[int]) -> np.ndarray:
        return taken(self.content, at)

    def rate(self, group: dict[str, Any]) -> tuple[int, float, float]:
        """Errors, and the bounds of their rate, of one group at the threshold."""
        above = sum((self.take(self.made["cells"][i]["scores"]) >= self.threshold).sum() for i in group["cells"])
        counts, low, high = (self.take(group["band"][name]) for name in ("counts", "low", "high"))
        bounds = [float(np.interp(-above, -counts, bound)) for bound in (low, high)]
        if group["kind"] == "bona_fide":
            return int(above), bounds[0], bounds[1]
        return group["n"] - int(above), 1 - bounds[1], 1 - bounds[0]

    def rates(self) -> dict[str, tuple[int, float, float]]:
        return {group["words"]: self.rate(group) for group in self.made["groups"] if group["n"]}


def assert_are_those_of_the_core(sent: Sent, reported: metrics.ScoreSet) -> None:
    at = metrics.rates_at(reported, sent.threshold)
    errors_of = {name: errors for name, (errors, *_) in sent.rates().items()}
    assert errors_of.pop("bona fide") == at.counts.fp
    assert errors_of.pop(ALL_ATTACKS) == at.counts.fn
    assert errors_of == {name: entry.k for name, entry in at.apcer_ci95_per_species.items()}


# ------------------------------------------------------------------------------------------------------------ the page


def test_the_rule_is_applied_where_it_says_and_reported_elsewhere(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    assert not at.exception
    run, sent = store.open_run(tiny_cache, "a"), Sent(at)
    assert sent.threshold == metrics.threshold_at_bpcer(pooled(run, "live"), 0.05)
    assert "chosen on live; reported on seen\\_paper, unseen\\_mask" in caption(at)
    assert "Optimistic" not in caption(at)
    assert sent.made["reported"] == ["seen_paper", "unseen_mask"]
    assert sent.data["roles"] == {
        "train": "training",
        "live": "threshold chosen here",
        "seen_paper": "reported",
        "unseen_mask": "reported",
    }
    assert_are_those_of_the_core(sent, pooled(run, "seen_paper", "unseen_mask"))


def test_chosen_and_reported_on_the_same_samples_is_marked(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    at.multiselect(key="chosen_on").set_value(["live", "seen_paper", "unseen_mask"]).run()
    assert not at.exception
    assert "Optimistic: chosen and reported on the same samples" in caption(at)
    assert Sent(at).data["roles"]["live"] == "threshold chosen here, reported"


@pytest.mark.parametrize(("kind", "percent"), [("bpcer", 1.0), ("bpcer", 10.0), ("eer", None)])
def test_every_rule_gives_the_numbers_of_the_core(kind: str, percent: float | None, tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", chosen_on="seen_paper")
    at.selectbox(key="rule").set_value(kind).run()
    if percent is not None:
        at.number_input(key="at_most").set_value(percent).run()
    assert not at.exception
    run, sent = store.open_run(tiny_cache, "a"), Sent(at)
    rule = operating_point.Rule(kind) if percent is None else operating_point.Rule(kind, percent / 100)
    assert sent.threshold == operating_point.threshold_by(rule, pooled(run, "seen_paper"))
    assert_are_those_of_the_core(sent, pooled(run, "live", "unseen_mask"))


def test_a_threshold_by_hand_reaches_the_browser_as_it_is(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    low, high = Sent(at).data["limits"]
    for threshold in (low, high, float(np.nextafter(100.1, 0))):
        at.session_state["rule"] = operating_point.BY_HAND
        at.session_state["t_rec"] = threshold  # as a release does
        at.run()
        assert not at.exception
        assert Sent(at).threshold == threshold
        assert at.number_input(key="t_rec").value == threshold
    assert "Optimistic: chosen while looking at these numbers" in caption(at)
    values = scores.values(store.open_run(tiny_cache, "a"), "rec")
    assert (low, high) == (values.min(), np.nextafter(values.max(), np.inf))  # every decision can be made


def test_where_a_rule_cannot_be_applied_the_threshold_is_set_by_hand(tiny_cache: Path) -> None:
    for chosen_on in (["live"], []):  # EER needs attacks; nothing chosen needs a choice
        at = page("threshold", cache=tiny_cache, run="a")
        at.selectbox(key="rule").set_value("eer")
        at.multiselect(key="chosen_on").set_value(chosen_on).run()
        assert not at.exception
        assert any("EER cannot be applied to" in w.value for w in at.warning)
        assert panels(at)  # to be moved
        assert "set by hand" in caption(at)
    at = page("threshold", cache=tiny_cache, run="a", at_most="2", at_95="true", chosen_on="live")
    assert any("takes at least 149 subjects with a bona fide sample" in w.value for w in at.warning)
    run = store.open_run(tiny_cache, "a")
    live = scores.values(run, "rec")[(run.samples(["subset"])["subset"] == "live").to_numpy()]
    assert Sent(at).threshold == np.nextafter(live.max(), np.inf)  # that of the limit without its bound


def test_one_class_has_no_curves(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", subsets="live")
    assert not at.exception
    groups = Sent(at).made["groups"]
    assert [(group["kind"], group["n"], group["curve"], group["auc"]) for group in groups] == [
        ("bona_fide", 4, None, None),
        ("attacks", 0, None, None),
    ]


def test_infinite_scores_do_not_break_the_page(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"sample_id": list("abcd"), "label": ["bona_fide", "attack"] * 2, "pai_species": ["", "x"] * 2}
    )
    table["subset"], table["score"] = "test", [-np.inf, np.inf, -np.inf, np.inf]
    scores_only_run(tmp_path / "cache", "infinite", table, ["score"], "")
    at = page("threshold", cache=tmp_path / "cache", run="infinite")
    assert not at.exception


def test_species_are_offered_where_the_rule_looks(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", rule="APCER at most", chosen_on="seen_paper")
    assert at.selectbox(key="species").options == ["the worst one", "paper"]
    at.multiselect(key="chosen_on").set_value(["seen_paper", "unseen_mask"]).run()
    assert at.selectbox(key="species").options == ["the worst one", "mask", "paper"]


def test_changing_the_run_forgets_choices_it_does_not_offer(tiny_cache: Path) -> None:
    """An image Run has other subsets and scores than a score file; nothing of one may linger on the other."""
    at = page("threshold", cache=tiny_cache, run="a", score="kl", subsets="live")
    for name, score, subsets in (("vendor", "score", ["dev", "test"]), ("b", "rec", None)):
        at.selectbox(key="run").set_value(f"{name} ({store.open_run(tiny_cache, name).id[:6]})").run()
        assert not at.exception
        assert not any("No subset is chosen" in i.value for i in at.info)
        assert at.session_state["score"] == score
        assert Sent(at).data["score"] == score
        if subsets:
            assert at.session_state["subsets"] == subsets


def test_the_prevalence_stands_in_the_address(tiny_cache: Path) -> None:
    assert Sent(page("threshold", cache=tiny_cache, run="a", prevalence="0.2")).data["prevalence"] == 0.2
    for nonsense in ("0", "1", "x", "nan"):
        assert Sent(page("threshold", cache=tiny_cache, run="a", prevalence=nonsense)).data["prevalence"] == 0.01


def test_a_published_system_fails_on_makeup(shared: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    file = scorefile.read(shared / "data" / "pad_scores" / "auxiliary_grandtest.csv")
    scores_only_run(cache, "auxiliary", file.rows, ["score"], "auxiliary_grandtest.csv")
    at = page("threshold", cache=cache, run="auxiliary")
    assert not at.exception
    sent = Sent(at)
    rates = {group["words"]: (*sent.rate(group), group["n"]) for group in sent.made["groups"]}
    errors, low, high, n = rates.pop("bona fide")
    assert (n, round(100 * errors / n, 1), round(100 * low, 1), round(100 * high, 1)) == (2287, 5.7, 4.8, 6.7)
    del rates[ALL_ATTACKS]
    apcer = {name: 100 * errors / n for name, (errors, _, _, n) in rates.items()}
    assert sorted(apcer, key=lambda name: -apcer[name]) == ["makeup", "partial", "mask", "print", "replay"]
    assert sorted(apcer.values(), reverse=True) == pytest.approx([80.5, 60.9, 35.9, 20.2, 4.5], abs=0.1)
    assert [100 * bound for bound in rates["makeup"][1:3]] == pytest.approx([65.1, 91.2], abs=0.1)


# ------------------------------------------------------------------------------------------------- what is made ready

STYLE = Style("#000000")


def numbers_of(panel: Prepared, at: list[int]) -> np.ndarray:
    return taken(panel.numbers["numbers"][0].as_py(), at)


def cell(subset: str, species: str, values: np.ndarray, **columns: Any) -> Cell:
    return Cell(subset, species, values, pd.DataFrame(columns, index=range(len(values))), STYLE)


def test_intervals_are_those_of_the_core_at_every_threshold_of_their_grid() -> None:
    rng = np.random.default_rng(0)
    values, subjects = rng.normal(size=3_000), rng.integers(0, 40, 3_000).astype(str)
    values[:5] = np.nan
    chosen = float(np.nextafter(np.nanquantile(values, 0.951, method="lower"), np.inf))
    sent = prepared([cell("test", "", values, subject_id=subjects)], reported=["test"], exact_at=chosen)
    [about], group = sent.json["cells"], sent.json["groups"][0]
    assert (about["n"], about["missing"], about["unit"], about["n_units"]) == (2_995, 5, "subject", 40)
    grid, counts, low, high = (numbers_of(sent, about["band"][name]) for name in ("grid", "counts", "low", "high"))
    assert len(grid) < 300
    assert chosen in grid
    assert np.array_equal(counts, [(values >= t).sum() for t in grid])
    assert np.diff(counts).min() >= -20  # fine enough to look between
    expected = uncertainty.rate_bands(values, uncertainty.Units("subject", subjects), grid)
    assert expected is not None
    assert np.array_equal(low, expected[0])
    assert np.array_equal(high, expected[1])
    # Nobody above, everybody above: what 40 subjects can tell, and no more.
    bound = uncertainty.zero_error_upper_bound(40)
    assert (counts[0], low[0], counts[-1], high[-1]) == (2_995, pytest.approx(1 - bound), 0, pytest.approx(bound))
    assert np.array_equal(numbers_of(sent, group["band"]["high"]), high)


def test_a_limit_is_held_against_the_bound_of_the_core() -> None:
    rng = np.random.default_rng(1)
    live, attacks = rng.normal(size=300), rng.normal(1, 1, 200)
    subjects = [f"s{i % 12}" for i in range(300)]
    parts = [cell("test", "", live, subject_id=subjects), cell("test", "mask", attacks, subject_id=subjects[:200])]
    sent = prepared(parts, reported=["test"])
    of_live, of_mask, _ = sent.json["groups"]
    for group, errors in ((of_live, lambda t: live >= t), (of_mask, lambda t: attacks < t)):
        grid, upper = (numbers_of(sent, group["band"][name]) for name in ("grid", "upper"))
        for i in range(0, len(grid), 40):
            wrong = errors(grid[i])
            units = uncertainty.Units("subject", np.array(subjects[: len(wrong)]))
            expected = uncertainty.rate_interval(wrong, units)
            assert expected is not None
            assert upper[i] == pytest.approx(expected.upper, abs=1e-12)


def test_cells_are_named_by_what_does_not_go_without_saying() -> None:
    plan = [("train", ""), ("seen_paper", ""), ("seen_paper", "paper"), ("test", ""), ("test", "flat_print")]
    sent = prepared([cell(*where, np.arange(3.0)) for where in plan], reported=["test"])
    assert [entry["words"] for entry in sent.json["cells"]] == [
        "train",
        "seen paper · live",
        "seen paper · attacks",
        "test · live",
        "test · flat print",
    ]


def test_scores_arrive_as_they_are_and_those_of_float32_in_half_the_bytes() -> None:
    short = np.random.default_rng(0).normal(100, 10, 999).astype(np.float32).astype(np.float64)
    cases = {"a": (short, 4), "b": (short + 1e-9, 8), "c": (np.array([-np.inf, -1e300, 0.5]), 8), "d": (short[:1], 4)}
    sent = prepared([cell(name, "", values) for name, (values, _) in cases.items()], reported=["a"])
    for about, (values, n_bytes) in zip(sent.json["cells"], cases.values(), strict=True):
        assert about["scores"][2] == n_bytes
        assert np.array_equal(numbers_of(sent, about["scores"]), np.sort(values))


def test_one_subject_has_no_interval() -> None:
    sent = prepared([cell("test", "", np.arange(9.0), subject_id="a")], reported=["test"])
    assert sent.json["cells"][0]["band"] is None
    assert sent.json["cells"][0]["n_units"] == 1


def test_groups_pool_the_reported_subsets_alone() -> None:
    rng = np.random.default_rng(0)
    plan = [("dev", "", 50), ("dev", "paper", 40), ("a", "", 60), ("a", "paper", 30), ("b", "", 20), ("b", "mask", 10)]
    parts = {(subset, species): rng.normal(bool(species), 1, n) for subset, species, n in plan}
    parts["b", "mask"][:] = np.nan
    sent = prepared([cell(*where, values) for where, values in parts.items()], reported=["a", "b"])
    groups = {group["words"]: group for group in sent.json["groups"]}
    assert {name: group["n"] for name, group in groups.items()} == {
        "bona fide": 80,
        "mask": 0,
        "paper": 30,
        ALL_ATTACKS: 30,
    }
    assert groups["mask"]["curve"] is groups["mask"]["auc"] is None
    live = np.concatenate([parts["a", ""], parts["b", ""]])
    expected = metrics.score_set(np.concatenate([live, parts["a", "paper"]]), np.repeat([0, 1], [80, 30]))
    assert groups["paper"]["auc"] == metrics.roc_auc(expected)
    full = metrics.curves(expected)
    for name, values in (("thresholds", full.thresholds), ("bpcer", full.bpcer), ("found", full.tpr)):
        assert np.array_equal(numbers_of(sent, groups["paper"]["curve"][name]), values)


def test_all_attacks_have_curves_as_fine_as_one_species() -> None:
    rng = np.random.default_rng(0)
    cells = [cell("test", "", rng.normal(size=4_000))]
    cells += [cell("test", f"s{k}", rng.normal(1, 1, 400)) for k in range(20)]
    sent = prepared(cells, reported=["test"])
    shares = numbers_of(sent, sent.json["groups"][-1]["curve"]["found"])
    assert np.abs(np.diff(shares)).max() < 0.02


def test_the_key_stands_for_all_of_it() -> None:
    scores = [cell("test", "", np.arange(9.0))]
    keys = {
        prepared(cells, reported=reported, decisions=word).key
        for cells, reported, word in (
            (scores, ["test"], "samples"),
            (scores, [], "samples"),
            (scores, ["test"], "videos"),
            ([cell("test", "", np.nextafter(np.arange(9.0), 9))], ["test"], "samples"),
        )
    }
    assert len(keys) == 4
    assert prepared(scores, reported=["test"]).key in keys


def test_learned_images_are_said_above_the_threshold(tmp_path: Path) -> None:
    write_image_run(tmp_path / "cache", "a", learned_samples())
    at = page("threshold", cache=tmp_path / "cache", run="a")
    assert at.warning[0].value.startswith("3 of 16 test images, of 3 subjects")
    assert not page("threshold", cache=tmp_path / "cache", run="a", subsets=["live", "unseen_mask"]).warning


def test_a_plan_is_held_against_what_is_reported(tiny_cache: Path, tmp_path: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", more="What would it prove?")
    assert not at.exception
    run, sent = store.open_run(tiny_cache, "a"), Sent(at)
    of_paper = metrics.rates_at(pooled(run, *sent.made["reported"]), sent.threshold).apcer_ci95_per_species["paper"]
    assert of_paper is not None
    [table] = [frame.value for frame in at.dataframe if "Verdict" in frame.value]
    rows = table.set_index("Kind")
    assert rows.loc["paper", "n (asked)"] == f"{of_paper.n} (150)"
    assert rows.loc["paper", "Wrong"].startswith(f"{of_paper.k}, ")
    assert rows.loc["5 more", "Verdict"] == "missing"
    assert any("5 of 6 species missing" in said.value for said in at.markdown)
    at.selectbox(key="plan").set_value("FIDO biometric component, level 1").run()
    assert any("12 of 14 species missing" in said.value for said in at.markdown)
    assert "certified" not in texts(at).casefold()


def test_one_s_own_plans_are_offered_and_broken_ones_named(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write_image_run(cache, "a", learned_samples())
    (cache / "plans").mkdir()
    (cache / "plans" / "bad.toml").write_text("x")
    (cache / "plans" / "own.toml").write_text(
        'title = "iBeta level 1"\nsource = "us"\nversion = "1"\n'
        '[[attacks]]\nname = "any"\nspecies = 1\npresentations = 2\n'
    )
    at = page("threshold", cache=cache, run="a", more="What would it prove?", plan="iBeta level 1 (yours: own)")
    assert not at.exception
    assert any("bad\\.toml" in warning.value for warning in at.warning)
    assert any("Would meet the counts and limits of iBeta level 1, 1 species" in said.value for said in at.markdown)


def test_how_soon_there_can_be_a_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    write_video_run(tmp_path)
    at = page("threshold", cache=tmp_path, run="videos", level="video mean", more="How soon?")
    assert not at.exception
    said = texts(at)
    assert re.search(r"5 points .*\. At the first frame BPCER \*\*\d+ %.*; after 1.* s BPCER", said)
    assert "Each time has a threshold of its own" in said
    drawn = json.loads(at.get("plotly_chart")[-1].proto.spec)
    by_name = {trace["name"]: trace for trace in drawn["data"]}
    assert by_name["BPCER"]["x"][0] == "first frame"
    assert {"APCER of the worst species", "APCER of all attacks", "BPCER, lowest"} <= set(by_name)
    at.sidebar.selectbox(key="level").set_value("frame").run()
    assert "Every image is a decision by itself" in texts(at)


def test_what_breaks_the_operating_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    samples = tiny_samples().assign(subject_id=lambda rows: rows["sample_id"])
    run = write_image_run(tmp_path, "m", samples, header={"model": "dcvae", "config": {"image_size": 32}})
    at = page("threshold", cache=tmp_path, run="m", score="rec", more="What breaks it?")
    assert not at.exception
    [command] = commands(at)
    assert f"fas threshold {run.id} --score rec --rule 'bpcer<=0.05' --choose-on live --report-on seen_paper" in command
    assert f"fas stress {run.id} --threshold op.json" in command
    about = stressed.About(
        run.id, run.digest_of("rec"), "rec", "frame", ("seen_paper", "unseen_mask"), 12, 0, 12, 0, ""
    )
    rows = stressed.sample(run, "frame", about.subsets, 12).rows
    kept, values = stressed.kept(tmp_path, about), scores.values(run, "rec")[rows]
    kept.keep(values)
    for amount in BY_NAME["brightness"].steps(32):
        kept.keep(values + (500 if amount > 1 else 0), BY_NAME["brightness"], amount)
    at.run()
    assert not at.exception
    said = texts(at)
    assert "It breaks at **1\\.5 stops brighter and more**: BPCER " in said
    assert "Synthetic degradations of the same test faces \\(all 12 images, seed 0\\)" in said
    assert "12 of 12 images are not in their files any more" in said
    drawn = json.loads(at.get("plotly_chart")[-1].proto.spec)
    bpcer = next(trace for trace in drawn["data"] if trace["name"] == "BPCER")
    assert drawn["layout"]["xaxis"]["ticktext"] == ["−3", "−2", "−1", "−0.5", "0", "+0.5", "+1", "+1.5", "+2"]
    assert len(bpcer["customdata"]) == 9
    assert bpcer["customdata"][-1].startswith("+2: BPCER 100 %")
    shaded = [(shape["x0"], shape["x1"]) for shape in drawn["layout"]["shapes"] if shape["type"] == "rect"]
    assert shaded == [(6.5, 8.5)]
    assert len(at.get("image")) == 9  # the face as it is, and at each step
