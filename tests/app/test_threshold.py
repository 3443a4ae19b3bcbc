from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fas_core import evaluation, metrics, operating_point, scorefile, scores, store

from .conftest import page


def answer(at: AppTest) -> str:
    return next(m.value for m in at.markdown if m.value.startswith("At this threshold"))


def pooled(run: store.Run, *subsets: str) -> metrics.ScoreSet:
    return evaluation.pooled_score_set(run, scores.values(run, "rec"), subsets)


def caption(at: AppTest) -> str:
    return next(c.value for c in at.caption if c.value.startswith("Threshold"))


def said(rates: dict[str, float]) -> tuple[str, str]:
    """How the page writes BPCER and the worst APCER of a handful of samples."""
    return f"**{100 * rates['bpcer']:.0f} % (", f"**{100 * rates['apcer_max']:.0f} % ("


def test_the_rule_is_applied_where_it_says_and_reported_elsewhere(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    assert not at.exception
    run = store.open_run(tiny_cache, "a")
    expected = metrics.threshold_at_bpcer(pooled(run, "live"), 0.05)
    assert at.slider(key="slider_rec").value == pytest.approx(expected)
    assert "chosen on live; reported on seen\\_paper, unseen\\_mask" in caption(at)
    assert "Optimistic" not in caption(at)
    rates = metrics.rates_at(pooled(run, "seen_paper", "unseen_mask"), expected)
    assert all(part in answer(at) for part in said(rates))


def test_chosen_and_reported_on_the_same_samples_is_marked(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    at.multiselect(key="chosen_on").set_value(["live", "seen_paper", "unseen_mask"]).run()
    assert not at.exception
    assert "Optimistic: chosen and reported on the same samples" in caption(at)


def test_moving_the_slider_takes_over_from_the_rule(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    slider = at.slider(key="slider_rec")
    low, high = slider.min, slider.max
    slider.set_value(high).run()
    assert not at.exception
    assert at.session_state["rule"] == "By hand"
    assert "**0 % (" in answer(at)  # nobody is rejected just above the highest score
    assert "passes **100 % (" in answer(at)
    assert "Optimistic: chosen while looking at these numbers" in caption(at)
    at.slider(key="slider_rec").set_value(low).run()
    assert "**100 % (" in answer(at)
    assert "passes **0 % (" in answer(at)
    assert at.number_input(key="t_rec").value == low  # the sidebar, and so the address, say the same


@pytest.mark.parametrize("rule", ["BPCER ≤ 1 %", "BPCER ≤ 10 %", "EER"])
def test_every_rule_gives_the_numbers_of_the_core(rule: str, tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", rule=rule, chosen_on="seen_paper")
    assert not at.exception
    run = store.open_run(tiny_cache, "a")
    threshold = operating_point.threshold_by(rule, pooled(run, "seen_paper"))
    rates = metrics.rates_at(pooled(run, "live", "unseen_mask"), threshold)
    assert all(part in answer(at) for part in said(rates))
    assert f"{rule}, chosen on seen" in caption(at)


def test_a_rule_that_cannot_be_applied_gives_no_threshold(tiny_cache: Path) -> None:
    for chosen_on in ("live", ""):  # EER needs attacks; nothing chosen needs a choice
        at = page("threshold", cache=tiny_cache, run="a", rule="EER", chosen_on=chosen_on)
        assert not at.exception
        assert any("EER cannot be applied to" in w.value for w in at.warning)
        assert not any(m.value.startswith("At this threshold") for m in at.markdown)


def test_one_class_is_said_not_drawn(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", subsets="live")
    assert not at.exception
    assert any("one class only" in i.value for i in at.info)


def test_infinite_scores_do_not_break_the_page(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"sample_id": list("abcd"), "label": ["bona_fide", "attack"] * 2, "pai_species": ["", "x"] * 2}
    )
    table["subset"], table["score"] = "test", [-np.inf, np.inf, -np.inf, np.inf]
    store.scores_only_run(tmp_path / "cache", "infinite", table, ["score"], "")
    at = page("threshold", cache=tmp_path / "cache", run="infinite")
    assert not at.exception


def test_changing_the_run_forgets_choices_it_does_not_offer(tiny_cache: Path) -> None:
    """An image Run has other subsets and scores than a score file; nothing of one may linger on the other."""
    at = page("threshold", cache=tiny_cache, run="a", score="kl", subsets="live")
    for name, score, subsets in (("vendor", "score", ["dev", "test"]), ("b", "rec", None)):
        at.selectbox(key="run").set_value(f"{name} ({store.open_run(tiny_cache, name).id[:6]})").run()
        assert not at.exception
        assert not any("No subset is chosen" in i.value for i in at.info)
        assert at.session_state["score"] == score
        assert answer(at)
        if subsets:
            assert at.session_state["subsets"] == subsets


def test_a_published_system_fails_on_makeup(shared: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    file = scorefile.read(shared / "data" / "pad_scores" / "auxiliary_grandtest.csv")
    store.scores_only_run(cache, "auxiliary", file.rows, ["score"], "auxiliary_grandtest.csv")
    at = page("threshold", cache=cache, run="auxiliary")
    assert not at.exception
    assert "**5.7 % (4.8–6.7)** of 2,287 live samples" in answer(at)
    assert "makeup, passes **80 %" in answer(at)
    table = next(d.value for d in at.dataframe if "Species" in d.value)
    assert table["Species"].tolist() == ["makeup", "partial", "mask", "print", "replay"]
    assert table["APCER"].tolist() == pytest.approx([80.5, 60.9, 35.9, 20.2, 4.5], abs=0.1)
