"""The Compare page, without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from app.components import scatter
from app.session.cache import clear
from fas_core.deciding import card, card_states
from fas_core.evaluation import differences
from fas_core.evaluation.join import Joined, System, joined
from fas_core.evaluation.matching import matching
from fas_core.evaluation.words import metric_words, p_text, signed
from fas_core.metrics.operating_point import DEFAULT
from fas_core.reports import report
from fas_core.reports.palette import RUN_COLOURS
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from fas_core.runs.upkeep import remove
from tests.app.conftest import commands
from tests.conftest import learned_samples, tiny_samples, write_image_run

from .conftest import said_of_all, texts

METRICS, GROUPS, SAMPLES, REPORT = "Every metric", "Group by group", "Which samples change?", "Report"
JUDGED = ("seen_paper", "unseen_mask")
MAIN = str(Path(__file__).resolve().parents[2] / "app" / "main.py")


def label(cache: Path, name: str) -> str:
    run = store.open_run(cache, name)
    return f"{run.info.name} ({run.id[:6]})"


def page_of(cache: Path, monkeypatch: pytest.MonkeyPatch, a: str, b: str | None = None, **params: str) -> AppTest:
    monkeypatch.setenv("FAS_CACHE", str(cache))
    at = AppTest.from_file(MAIN, default_timeout=30)
    at.query_params["run"] = label(cache, a)
    for name, value in params.items():
        at.query_params[name] = value
    if b is not None:
        at.query_params["compare"] = [label(cache, name) for name in b.split(" ")]
    at.switch_page("views/compare.py").run()
    assert not at.exception
    assert not at.error
    return at


def compared(cache: Path, *names: str, score: str = "rec") -> Joined:
    """Outside training and where thresholds are chosen, as the page compares them."""
    return together(cache, *names, score=score).in_subsets(JUDGED)


def together(cache: Path, *names: str, score: str = "rec") -> Joined:
    return joined([System(store.open_run(cache, name), "score" if name == "vendor" else score) for name in names])


def fixed(cache: Path, *names: str) -> tuple[float, ...]:
    """The thresholds that live images choose."""
    return matching(together(cache, *names).in_subsets(["live"]), DEFAULT, ["live"]).thresholds


@pytest.mark.parametrize("policy", ["fixed", "matched anew"])
def test_answer_and_tables_are_those_of_the_core(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b", part=METRICS, thresholds=policy)
    both = compared(tiny_cache, "a", "b")
    chosen = fixed(tiny_cache, "a", "b") if policy == "fixed" else None
    drawn = differences.resampled(both, at=chosen, resamples=1000, quantiles=1024)
    by_metric = differences.differences(both, DEFAULT, drawn, at=chosen)
    flips = differences.flips(both, chosen or differences.thresholds(both))
    where = "chosen on live, judged" if chosen else "matched anew"
    optimistic = "" if chosen else ", optimistic"
    assert f"{where} on seen paper, unseen mask{optimistic} · 12 samples compared" in texts(at)
    how = "taken as given" if chosen else "matched anew each time"
    assert any(f"by resampling 6 subjects, thresholds {how}" in caption.value for caption in at.caption)
    every = next(table.value for table in at.dataframe if "Metric" in table.value).set_index("Metric")
    statistic = differences.apcer_of("mask", None if chosen else DEFAULT)
    mask = by_metric[statistic]
    row = every.loc[metric_words(statistic)]
    assert (row["A"], row["B"], row["B − A"]) == (mask.a, mask.b, mask.difference)
    assert mask.low is not None
    assert row["95 %"].startswith(signed(mask.low, 3))
    assert every.loc["AUC", "p"] == p_text(by_metric[differences.ROC_AUC].p or 0).removeprefix("p = ")
    at = page_of(tiny_cache, monkeypatch, "a", "b", part=GROUPS, thresholds=policy, groups_by="subset")
    groups = at.dataframe[-1].value.set_index(["Subset", "Class"])
    assert groups.loc[("all", "mask"), "Wrong in A"] == pytest.approx(100 * (mask.a or 0))
    turned = flips.counts((both.samples["subset"] == "seen_paper").to_numpy() & both.is_attack)
    assert groups.loc[("seen paper", "paper"), "Fixed"] == turned.fixed
    assert groups.loc[("seen paper", "paper"), "Broken"] == turned.broken


def test_the_address_holds_the_run_that_is_compared_by_default(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", pinned="mask")
    assert at.query_params["compare"] in (["b"], [label(tiny_cache, "b")], label(tiny_cache, "b"))
    assert at.query_params["pinned"] in ("mask", ["mask"])


def test_groups_are_those_of_any_column(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b", part=GROUPS)
    assert at.get_by_key("groups_by").value != "subset"  # of which there is little to see
    at.get_by_key("groups_by").set_value("glasses").run()
    groups = at.dataframe[-1].value
    assert set(groups["Glasses"]) == {"all", "yes", "no"}
    wearing = groups[(groups["Glasses"] == "yes") & (groups["Class"] == "mask")]
    samples = compared(tiny_cache, "a", "b").samples
    table = store.open_run(tiny_cache, "a").samples(["sample_id", "glasses"]).set_index("sample_id")["glasses"]
    worn = table[samples["sample_id"]].to_numpy() == "yes"
    assert wearing["n"].item() == (worn & (samples["pai_species"] == "mask").to_numpy()).sum()


def test_three_runs_have_letters_and_one_is_in_detail(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b vendor", detail="C", part=METRICS)
    answers = said_of_all(at).split("\n\n")
    assert [text[0] for text in answers] == ["B", "C"]
    assert any("C puts" in text.value for text in at.markdown)
    every = at.dataframe[-1].value
    assert [*every.columns[:5]] == ["Metric", "A", "B", "C", "C − A"]
    names = ("a", "b", "vendor")
    of_c = differences.differences(compared(tiny_cache, *names), b=2, at=fixed(tiny_cache, *names))
    assert every["C"].tolist() == [metric.b for metric in of_c.values()]
    at = page_of(tiny_cache, monkeypatch, "a", "b vendor", detail="C")
    assert [chart["legend"]["data"] for chart in charts_of(at)] == [["A", "B", "C"]] * 3


def test_numbers_stand_before_the_intervals_are_there(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def recorded(*arguments: object, **options: object) -> object:
        seen.append(["resampled"])
        return ours(*arguments, **options)

    clear()
    ours = differences.resampled
    monkeypatch.setattr(differences, "resampled", recorded)
    page_of(tiny_cache, monkeypatch, "a", "b")
    at = page_of(tiny_cache, monkeypatch, "a", "b")  # as another visitor: nothing is drawn again
    assert len(seen) == 1
    assert any("In brackets: 95 %" in caption.value for caption in at.caption)


def test_flips_are_shown_by_sample_id(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = compared(tiny_cache, "a", "b")
    both = differences.flips(pair, fixed(tiny_cache, "a", "b"))
    at = page_of(tiny_cache, monkeypatch, "a", "b", show="All", part=SAMPLES)
    [data] = galleries(at)
    assert [panel["name"] for panel in data["panels"]] == ["original", "A", "B", "error A", "error B"]
    assert sorted(card["id"] for card in data["cards"]) == sorted(pair.samples["sample_id"])
    for choice, flipped in (
        ("Changed", both.fixed | both.broken),
        ("Fixed by B", both.fixed),
        ("Broken by B", both.broken),
        ("Wrong in both", both.both_wrong),
    ):
        at.get_by_key("show").set_value(choice).run()
        wanted = sorted(pair.samples["sample_id"][flipped])
        assert cards_shown(at) == wanted


def galleries(at: AppTest) -> list[dict[str, Any]]:
    contents = [json.loads(component.proto.mixed.json or "{}") for component in at.get("bidi_component")]
    return [content for content in contents if "cards" in content]


def cards_shown(at: AppTest) -> list[str]:
    return sorted(card["id"] for content in galleries(at) for card in content["cards"])


def test_images_of_b_belong_to_the_sample_wherever_it_stands_in_b(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch, image_run: Callable[..., store.Run]
) -> None:
    samples = store.open_run(tiny_cache, "a").samples()
    fewer = samples[~samples["sample_id"].isin(["live_0", "seen_paper_1"])].iloc[::-1].reset_index(drop=True)
    other = image_run(tiny_cache, "c", fewer[samples.columns[:13]], seed=9)
    at = page_of(tiny_cache, monkeypatch, "a", "c", show="All", part=SAMPLES)
    [mixed] = [
        component.proto.mixed for component in at.get("bidi_component") if '"cards"' in component.proto.mixed.json
    ]
    [blob] = mixed.arrow_blobs.values()
    second = pa.ipc.open_stream(blob.data).read_all().column("p2").to_pylist()
    ids = other.samples(["sample_id"])["sample_id"].to_list()
    cards = json.loads(mixed.json)["cards"]
    assert len(cards) == 11
    for shown, pixels in zip(cards, second, strict=True):
        assert pixels == other.images("reconstructions", [ids.index(shown["id"])])[0].tobytes()


def test_each_run_has_its_colour_for_every_species(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b", attacks="mask")
    for chart in charts_of(at):
        lines = [
            series["lineStyle"]
            for series in chart["series"]
            if series.get("name") in ("A", "B") and "lineStyle" in series
        ]
        drawn = [style for style in lines if style["opacity"]]
        assert {style["color"] for style in drawn} == set(RUN_COLOURS[:2])
        assert [style["type"] for style in drawn] == ["solid", [8, 4]]


def charts_of(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("echarts_chart")]


def test_scores_only_runs_are_compared_without_images(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "vendor", part=SAMPLES)
    assert "B vendor, score" in texts(at).replace("**", "")  # it has no "rec", and no other to choose
    assert any("without images" in caption.value and "vendor" in caption.value for caption in at.caption)
    assert cards_shown(at) == []
    pair = compared(tiny_cache, "a", "vendor")
    both = differences.flips(pair, fixed(tiny_cache, "a", "vendor"))
    at.get_by_key("show").set_value("Changed").run()
    listed = at.dataframe[-1].value
    assert sorted(listed["Sample"]) == sorted(pair.samples["sample_id"][both.fixed | both.broken])
    assert set(listed["Verdict of A"]) <= {"right", "missed", "rejected"}


def test_same_run_and_score_says_so(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "a")
    assert "the same Run with the same score" in at.info[0].value
    at.get_by_key("score_b").set_value("kl").run()
    assert not at.exception
    assert any("samples compared" in caption.value for caption in at.caption)


def test_a_single_run_says_how_to_make_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_cache: Path
) -> None:
    for name in ("b", "vendor"):
        remove(store.open_run(tiny_cache, name))
    at = page_of(tiny_cache, monkeypatch, "a")
    assert "make a second Run" in at.info[0].value
    assert "fas cache CHECKPOINT --data MANIFEST" in commands(at)[0]


def test_runs_without_a_common_sample(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = store.open_run(tiny_cache, "vendor").samples()
    table = table.assign(sample_id="other/" + table["sample_id"])
    scores_only_run(tiny_cache, "elsewhere", table, ["score"], "other.csv")
    at = page_of(tiny_cache, monkeypatch, "a", "elsewhere")
    assert "no sample in common" in at.info[0].value
    assert "elsewhere" in at.info[0].value


def test_what_is_selected_in_the_scatter_is_listed(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = page_of(tiny_cache, monkeypatch, "a", "b", show="All", part=SAMPLES)
    pair = compared(tiny_cache, "a", "b")
    [drawn] = [
        content
        for component in at.get("bidi_component")
        if isinstance(content := json.loads(component.proto.json or "{}"), dict) and "points" in content
    ]
    assert drawn["n"] == len(pair)
    assert drawn["titles"] == ["A: rec", "B: rec"]
    at_a, at_b = fixed(tiny_cache, "a", "b")
    for (low, high), place, threshold in zip(drawn["ticks"], drawn["lines"], (at_a, at_b), strict=True):
        assert low + place * (high - low) == pytest.approx(threshold)
    rows = np.array([0, 5, 9])
    at.session_state["_compare_selected"] = scatter.selection_of(rows, len(pair), drawn["run"])
    at.run()
    assert cards_shown(at) == sorted(pair.samples["sample_id"].iloc[rows])
    at.get_by_key("compare_classes").set_value(["seen_paper"]).run()
    listed = pair.samples.iloc[rows]
    assert cards_shown(at) == sorted(listed["sample_id"][(listed["pai_species"] == "paper").to_numpy()])
    at.get_by_key("compare_classes").set_value([]).run()
    at.number_input(key="at_most").set_value(40.0).run()  # another rule judges the same samples
    assert cards_shown(at) == sorted(pair.samples["sample_id"].iloc[rows])
    at.session_state["_compare_selected"] = scatter.selection_of(rows, len(pair), "of other samples")
    at.run()
    assert len(cards_shown(at)) == len(pair)


def test_a_filter_leads_to_the_first_page(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.comparing.samples.PER_PAGE", 3)
    at = page_of(tiny_cache, monkeypatch, "a", "b", show="All", part=SAMPLES)
    for key, value in (("compare_classes", ["seen_paper"]), ("compare_order", "Score of A, high to low")):
        at.session_state["compare_page"] = 2
        at.run()
        at.get_by_key(key).set_value(value).run()
        assert (key, at.session_state["compare_page"]) == (key, 1)


def test_a_report_is_made_of_what_is_compared(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.open_run(tiny_cache, "a")
    withdrawn, draft = (card.card(run, score, DEFAULT, ["live"], ["seen_paper"]) for score in ("rec", "kl"))
    card_states.add(card.kept(withdrawn, tiny_cache), "withdrawn", by="Ada", why="a leak")
    card.kept(draft, tiny_cache)
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(report, "page", lambda *systems, **options: asked.append({"a": systems[0], **options}) or "")
    at = page_of(tiny_cache, monkeypatch, "a", "b vendor", part=REPORT)
    offered = [button.proto.label for button in at.get("download_button") if not button.key.startswith("csv_")]
    assert offered == ["Report (HTML)", "Report (PDF)"]
    assert at.get_by_key("report_images").value == "pixelated"  # faces do not travel unless somebody wants it
    assert asked == []  # nothing is made before it is asked for
    _, first, last = at.get_by_key("report_card").options  # none comes first
    assert (draft.score in first, first.endswith("(draft)"), last.endswith("(withdrawn)")) == (True, True, True)
    assert "seen_paper" not in at.get_by_key("report_card").value


def test_learned_images_are_said_with_the_letter_of_their_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image_run(tmp_path / "cache", "a", tiny_samples())
    write_image_run(tmp_path / "cache", "b", learned_samples(), seed=1)
    at = page_of(tmp_path / "cache", monkeypatch, "a", "b")
    assert "**B: 3 of 16 test images, of 3 subjects" in texts(at)
    assert "**A and B: 3 of 6 subjects are also in live" in texts(at)
    assert "A: 3" not in texts(at)
