"""What a threshold costs, on the page Threshold: whose figures they are, in which currency, how sure it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from app.session.operating import NOBODYS
from fas_core.deciding import card_states
from tests.conftest import tiny_samples, write_image_run

from .conftest import page, texts

COSTS = "What does it cost?"


def many(tmp_path: Path) -> Path:
    """A cache with a Run of 240 samples of 10 subjects, whose masks and papers are in one subset."""
    samples = tiny_samples()
    rows = samples.loc[np.repeat(samples.index, 10)].reset_index(drop=True)
    copy = np.tile(np.arange(10), len(samples)).astype(str)
    rows["sample_id"], rows["subject_id"] = rows["sample_id"] + "_" + copy, "s" + copy
    rows.loc[rows["subset"] == "unseen_mask", "subset"] = "seen_paper"
    write_image_run(tmp_path / "cache", "m", rows, seed=1)
    return tmp_path / "cache"


def said(at: AppTest) -> str:
    return texts(at).replace("\\", "")


def examples(at: AppTest) -> set[str]:
    return {str(field.key) for field in at.number_input if "example" in field.label}


def test_figures_are_nobodys_until_each_is_set(tmp_path: Path) -> None:
    at = page("threshold", cache=many(tmp_path), run="m", more=COSTS)
    every = {"sessions", "loss", "rejection"} | {
        f"share_{k}_{end}" for k in ("mask", "paper") for end in ("from", "to")
    }
    assert examples(at) == every
    assert NOBODYS in said(at)
    assert "With example figures: **At " in said(at)
    at = at.number_input(key="loss").set_value(800.0).run()
    at = at.number_input(key="share_mask_to").set_value(2.0).run()
    assert examples(at) == every - {"loss", "share_mask_to"}
    assert at.number_input(key="loss").value == 800
    for key in examples(at):
        at = at.number_input(key=key).set_value(at.number_input(key=key).value * 1.5).run()
    assert examples(at) == set()
    assert NOBODYS not in said(at)
    assert "With example figures" not in said(at)


def test_amounts_have_the_currency_and_nothing_unsure_is_called_cheapest(tmp_path: Path) -> None:
    at = page("threshold", cache=many(tmp_path), run="m", more=COSTS, currency="EUR", loss="800", rejection="x")
    assert not at.exception
    assert "loss" not in examples(at)
    assert "rejection" in examples(at)
    sentence = next(m.value for m in at.markdown if "With example figures" in m.value).replace("\\", "")
    assert " EUR a month (" in sentence
    assert "% of 2,000 resamples of 10 subjects and of the shares" in sentence
    assert ("cheapest" in sentence) == ("so not clearly" not in sentence)
    at = at.text_input(key="currency").set_value("<b>").run()
    assert "a currency is a code of three letters or a symbol" in said(at)
    at = at.text_input(key="currency").set_value("€").run()
    at = at.number_input(key="share_mask_from").set_value(5.0).run()
    assert "attacks of mask are from 5 to 0.3 % of sessions: swap them" in said(at)


def test_a_card_chosen_by_cost_keeps_whose_they_are(tmp_path: Path) -> None:
    cache = many(tmp_path)
    at = page("cards", cache=cache, run="m", chosen_on="seen_paper", currency="€", loss="800")
    at = at.selectbox(key="rule").set_value("cost").run()
    assert "which are nobody's: sessions a month" in said(at)
    next(field for field in at.text_input if field.label == "Decided by").set_value("Ada")
    next(button for button in at.button if button.label == "Save as a card").click().run()
    [kept], _ = card_states.kept(cache)
    assert kept.card.costs is not None
    assert kept.card.costs.currency == "€"
    assert "loss per accepted attack" not in (kept.card.costs.examples or ())
    assert "sessions a month" in (kept.card.costs.examples or ())
