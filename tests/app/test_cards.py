from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from fas_core.evaluation import card
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from fas_core.runs.upkeep import remove
from tests.conftest import learned_samples, write_image_run

from .conftest import page, texts


def save(at: AppTest, by: str = "Ada", note: str = "pilot") -> AppTest:
    at.text_input[0].set_value(by)
    at.text_input[1].set_value(note)
    return next(b for b in at.button if b.label == "Save as a card").click().run()


def test_the_sidebar_s_operating_point_is_frozen(tiny_cache: Path) -> None:
    at = page(
        "cards", cache=tiny_cache, run="a", rule="APCER at most", at_most="40", species="paper", chosen_on="seen_paper"
    )
    assert "No threshold is frozen yet" in texts(at)
    assert not save(at).exception
    [(_, content)] = card.cards(tiny_cache)[0]
    assert (str(content.rule), content.by, content.note) == ("apcer[paper]<=0.4", "Ada", "pilot")
    assert (content.chosen_on, content.fail_closed) == (("seen_paper",), True)
    assert content.reported_on == ("live", "unseen_mask")
    run = store.open_run(tiny_cache, "a")
    assert card.differences(content, run) == []
    at = page("cards", cache=tiny_cache, run="a")
    assert "1 frozen threshold." in texts(at)
    assert at.dataframe[0].value["State"].tolist() == ["holds"]
    next(b for b in at.button if b.label == "Compute it again").click().run()
    assert "every number of the card is the same" in texts(at)


def test_the_same_operating_point_is_not_saved_twice(tiny_cache: Path) -> None:
    for by in ("Ada", "Eve"):
        at = save(page("cards", cache=tiny_cache, run="a"), by=by)
        assert not at.exception
    assert "This operating point is kept already" in texts(at)
    assert len(card.cards(tiny_cache)[0]) == 1


def test_cards_are_compared_and_one_whose_run_is_gone_is_said(tiny_cache: Path) -> None:
    for name, score in (("a", "rec"), ("b", "rec"), ("vendor", "score")):
        run = store.open_run(tiny_cache, name)
        chosen_on, reported_on = (["dev"], ["test"]) if name == "vendor" else (["live"], ["seen_paper"])
        card.kept(card.card(run, score, op.DEFAULT, chosen_on, reported_on, note=f"of {name}"), tiny_cache)
    remove(store.open_run(tiny_cache, "b"))
    at = page("cards", cache=tiny_cache, run="a")
    states = dict(zip(at.dataframe[0].value["Run"], at.dataframe[0].value["State"], strict=True))
    assert states == {"a": "holds", "b": "its Run is gone", "vendor": "holds"}
    at = page("cards", cache=tiny_cache, run="a", card=[path.stem for path, _ in card.cards(tiny_cache)[0]])
    table = at.dataframe[1].value
    assert len(table.columns) == 4
    assert {"BPCER", "APCER paper", "ACER"} <= set(table[""])
    assert all(f"of {name}" in texts(at) for name in ("a", "b", "vendor"))
    assert [b.disabled for b in at.button if b.label == "Compute it again"].count(True) == 1


def test_files_that_cannot_be_trusted_are_said_and_markup_is_text(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    content = card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper"], note="**bold** <b>x</b>", by="[x](http://y)")
    card.kept(content, tiny_cache)
    card.write(replace(content, threshold=0.0), card.folder(tiny_cache) / "changed.json")
    at = page("cards", cache=tiny_cache, run="a")
    assert not at.exception
    assert "was changed after it was written" in texts(at).replace("\\", "")
    assert r"\*\*bold\*\* \<b\>x\</b\>" in texts(at)


def test_a_rule_that_cannot_be_applied_offers_no_card(tiny_cache: Path) -> None:
    at = page("cards", cache=tiny_cache, run="a", rule="Equal errors (EER)", chosen_on="live")
    assert "cannot be applied to live" in texts(at)
    assert not [b for b in at.button if b.label == "Save as a card"]


def test_a_card_on_learned_images_warns_before_and_after_it_is_saved(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write_image_run(cache, "a", learned_samples())
    at = page("cards", cache=cache, run="a")
    assert at.warning[0].value.startswith("3 of 16 test images, of 3 subjects")
    assert len(at.warning) == 1
    save(at)
    assert len(page("cards", cache=cache, run="a").warning) == 2  # of the form, and of the card
    at = page("cards", cache=cache, run="a", subsets=["live", "unseen_mask"])
    assert len(at.warning) == 1  # of the card alone


def test_the_form_says_that_a_threshold_is_optimistic(tiny_cache: Path) -> None:
    at = page("cards", cache=tiny_cache, run="a", chosen_on="seen_paper", subsets=["seen_paper"])
    assert "On new data the errors will be larger" in at.warning[0].value.replace("\\", "")
