from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fas_core import evaluation, metrics, scorefile, store

from .conftest import page


def answer(at: AppTest) -> str:
    return next(m.value for m in at.markdown if m.value.startswith("At this threshold"))


def test_the_rule_is_applied_where_it_says_and_reported_elsewhere(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    assert not at.exception
    run = store.open_run(tiny_cache, "a")
    expected = metrics.threshold_at_bpcer(evaluation.pooled_score_set(run, "rec", ["live"]), 0.05)
    assert at.slider(key="t_rec").value == pytest.approx(expected)
    caption = next(c.value for c in at.caption if c.value.startswith("Threshold"))
    assert "chosen on live; reported on seen\\_paper, unseen\\_mask" in caption
    assert "Optimistic" not in caption
    rates = metrics.rates_at(evaluation.pooled_score_set(run, "rec", ["seen_paper", "unseen_mask"]), expected)
    assert f"**{100 * rates['bpcer']:.1f} %" in answer(at)
    assert f"**{100 * rates['apcer_max']:.1f} %" in answer(at)


def test_chosen_and_reported_on_the_same_samples_is_marked(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    at.multiselect(key="chosen_on").set_value(["live", "seen_paper", "unseen_mask"]).run()
    assert not at.exception
    assert any("Optimistic: chosen and reported on the same samples" in c.value for c in at.caption)


def test_moving_the_slider_takes_over_from_the_rule(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a")
    slider = at.slider(key="t_rec")
    slider.set_value(slider.max).run()
    assert not at.exception
    assert at.session_state["rule"] == "By hand"
    assert "**0.0 %" in answer(at)  # nobody is rejected at the very top
    at.slider(key="t_rec").set_value(slider.min).run()
    assert "**100.0 %" in answer(at)


def test_every_rule_gives_an_answer(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="vendor")
    for rule in ("BPCER ≤ 1 %", "BPCER ≤ 10 %", "EER", "By hand"):
        at.session_state["rule"] = rule
        at.run()
        assert not at.exception, rule
        assert answer(at)


def test_one_class_is_said_not_drawn(tiny_cache: Path) -> None:
    at = page("threshold", cache=tiny_cache, run="a", subsets="live")
    assert not at.exception
    assert any("one class only" in i.value for i in at.info)


def test_a_published_system_fails_on_makeup(shared: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    file = scorefile.read(shared / "data" / "pad_scores" / "auxiliary_grandtest.csv")
    store.scores_only_run(cache, "auxiliary", file.rows, ["score"], "auxiliary_grandtest.csv")
    at = page("threshold", cache=cache, run="auxiliary")
    assert not at.exception
    assert "**5.7 % (4.8–6.7)** of 2,287 live samples" in answer(at)
    assert "makeup, passes **80.5 %" in answer(at)
    table = next(d.value for d in at.dataframe if "Species" in d.value)
    assert table["Species"].tolist() == ["makeup", "partial", "mask", "print", "replay"]
    assert table["APCER"].tolist() == pytest.approx([80.5, 60.9, 35.9, 20.2, 4.5], abs=0.1)
