from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from fas_core import scores
from fas_core.deciding import card, card_states
from fas_core.evaluation import run_metrics
from fas_core.evaluation.presentations import presentations
from fas_core.metrics import limits
from fas_core.metrics import operating_point as op
from fas_core.reports import card as cardpage
from fas_core.runs import store
from fas_core.runs.upkeep import remove
from tests.app.conftest import commands
from tests.conftest import learned_samples, write_image_run

from .conftest import page, texts


def field(at: AppTest, label: str) -> Element:
    [only] = [element for element in (*at.text_input, *at.text_area) if element.label == label]
    return only


def press(at: AppTest, label: str) -> AppTest:
    [only] = [button for button in at.button if button.label == label]
    return only.click().run()


def errors(at: AppTest) -> list[str]:
    return [error.value.replace("\\", "") for error in at.error]


def warnings(at: AppTest) -> list[str]:
    return [warning.value.replace("\\", "") for warning in at.warning]


def save(at: AppTest, by: str = "Ada", note: str = "pilot") -> AppTest:
    field(at, "Decided by").set_value(by)
    field(at, "Note").set_value(note)
    return next(b for b in at.button if b.label == "Save as a card").click().run()


def test_the_sidebar_s_operating_point_is_frozen(tiny_cache: Path) -> None:
    at = page(
        "cards", cache=tiny_cache, run="a", rule="APCER at most", at_most="40", species="paper", chosen_on="seen_paper"
    )
    assert "No threshold is frozen yet" in texts(at)
    by_rule = f"fas threshold {store.open_run(tiny_cache, 'a').id} --score rec --rule 'apcer[paper]<=0.4' --level frame"
    assert commands(at)[0].startswith(by_rule)
    assert "**a, rec per frame**" in texts(at)
    assert not save(at).exception
    [(_, content)] = card.cards(tiny_cache)[0]
    assert (str(content.rule), content.by, content.note) == ("apcer[paper]<=0.4", "Ada", "pilot")
    assert (content.chosen_on, content.fail_closed) == (("seen_paper",), True)
    assert content.reported_on == ("live", "unseen_mask")
    run = store.open_run(tiny_cache, "a")
    assert card.differences(content, run) == []
    at = page("cards", cache=tiny_cache, run="a")
    assert "1 frozen threshold**" in texts(at)
    assert "Whom it fails most" in texts(at)
    row = at.dataframe[0].value.iloc[0]
    assert (row["State"], row["Check"]) == ("draft", "holds")
    next(b for b in at.button if b.label == "Compute it again").click().run()
    assert "every number of the card is the same" in texts(at)


def test_nobody_is_taken_for_who_decides_and_a_missed_limit_is_said_where_it_is_frozen(tiny_cache: Path) -> None:
    at = page("cards", cache=tiny_cache, run="a", rule="BPCER at most", at_most="40", chosen_on="live")
    at = save(at, by="  ")
    assert "A card needs the name of who decides." in errors(at)
    assert not card.cards(tiny_cache)[0]
    run = store.open_run(tiny_cache, "a")
    decided = presentations(run, scores.values(run, "rec"))
    rule = op.rule("bpcer<=0.4")
    threshold = decided.threshold_by(rule, ["live"])
    checked = run_metrics.rates_at(decided, ["seen_paper", "unseen_mask"], threshold).target(rule)
    assert checked is not None
    said = f"{limits.target_words(rule, checked)}."
    assert (said in warnings(at)) == (not checked.met)
    by_hand = page("cards", cache=tiny_cache, run="a", rule="By hand", limit="bpcer<=0.01", t_rec="-1e9")
    assert any("above 1 %" in error for error in warnings(by_hand))


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
    checks = dict(zip(at.dataframe[0].value["Run"], at.dataframe[0].value["Check"], strict=True))
    assert checks == {"a": "holds", "b": "its Run is gone", "vendor": "holds"}
    at = page("cards", cache=tiny_cache, run="a", card=[path.stem for path, _ in card.cards(tiny_cache)[0]])
    table = at.dataframe[0].value  # the list follows
    assert len(table.columns) == 4
    assert {"Level", "BPCER", "APCER paper", "ACER", "Limit on test", "Limit on seen_paper"} <= set(table[""])
    assert {f"of {name}" for name in ("a", "b", "vendor")} == set(table.iloc[-1, 1:])
    assert {button.key for button in at.get("download_button")} == {"csv_cards", "csv_cards_side_by_side"}  # no card's
    for letter, entry in zip("ABC", card_states.kept(tiny_cache)[0], strict=True):
        said = f"{letter}, {entry.card.run_name}: **{cardpage.verdict(entry.card).lower()}**"
        assert said in at.markdown[0].value.replace("\\", "")
    [of_b] = [path.stem for path, frozen in card.cards(tiny_cache)[0] if frozen.run_name == "b"]
    at = page("cards", cache=tiny_cache, run="a", card=of_b)
    assert [b.disabled for b in at.button if b.label == "Compute it again"] == [True]


def test_a_saved_card_is_shown_at_once_and_a_second_one_is_refused(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    card.kept(card.card(run, "kl", op.DEFAULT, ["live"], ["seen_paper"]), tiny_cache)
    at = page("cards", cache=tiny_cache, run="a", score="rec", chosen_on="live", pinned="mask")
    assert at.query_params["card"] == card.cards(tiny_cache)[0][0][0].stem
    at = save(at)
    [(path, frozen)] = [pair for pair in card.cards(tiny_cache)[0] if pair[1].score == "rec"]
    assert at.query_params["card"] == path.stem
    assert frozen.feared == ("mask",)
    said = at.markdown[0].value.replace("\\", "")
    assert said.startswith(f"**{cardpage.verdict(frozen)}.** {cardpage.answer(frozen)}")
    assert said.startswith("**Above 5 %.** The limit ")
    assert said.index("mask, which was singled out,") < said.index("the worst attack")
    at = save(at, by="Bob")
    assert any("This operating point is kept already, as the card" in error for error in errors(at))
    assert any("Approve or withdraw that one" in error for error in errors(at))
    assert len(card.cards(tiny_cache)[0]) == 2


def test_a_card_is_approved_superseded_and_withdrawn_and_nothing_is_erased(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    first = card.kept(card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper"]), tiny_cache)
    at = page("cards", cache=tiny_cache, run="a", card=first.stem)
    assert "Draft: nobody has approved it yet" in texts(at)
    assert "needs the name of who decides" in press(at, "Approve").error[0].value
    at.text_input("approved_by").set_value("Ada")
    at.text_area(f"approved_why_{first.stem}").set_value("*pilot*")
    assert "The limit is missed: tick that" in errors(press(at, "Approve"))[0]
    assert f"The limit is missed: {card.read(first).missed}." in warnings(at)
    assert card_states.history(first, card.read(first)).state == "draft"
    at.checkbox(f"although_{first.stem}").check()
    press(at, "Approve")
    [event] = card_states.history(first, card.read(first)).events
    said = f"although its limit is missed ({card.read(first).missed}): *pilot*"
    assert (event.state, event.by, event.why) == ("approved", "Ada", said)
    assert r"**Approved** by Ada on " in texts(at)
    assert r": \*pilot\*" in texts(at)
    assert not [b for b in at.button if b.label == "Approve"]

    second = card.kept(card.card(run, "kl", op.DEFAULT, ["live"], ["seen_paper"]), tiny_cache)
    at = page("cards", cache=tiny_cache, run="a", card=first.stem)
    at.text_input("superseded_by").set_value("Bob")
    at.text_area(f"superseded_why_{first.stem}").set_value("retrained")
    press(at, "Supersede")
    assert at.query_params["card"] == first.stem
    assert f"{second.stem} is in its place: retrained" in texts(at).replace("\\", "")
    at.text_input("withdrawn_by").set_value("Bob")
    at.text_area(f"withdrawn_why_{first.stem}").set_value("a leak")
    press(at, "Withdraw")
    kept = {entry.path: entry for entry in card_states.kept(tiny_cache)[0]}
    assert [event.state for event in kept[first].history.events] == ["approved", "superseded", "withdrawn"]
    assert kept[second].history.state == "draft"
    assert sorted(at.dataframe[0].value["State"]) == ["draft", "withdrawn"]
    assert not [b for b in at.button if b.label in ("Approve", "Supersede", "Withdraw")]


def test_a_second_approved_card_of_a_run_and_score_takes_the_place_of_the_first(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    first, second = (
        card.kept(card.card(run, "rec", op.rule(f"threshold={t}"), [], ["seen_paper"]), tiny_cache) for t in (90, 100)
    )
    card_states.approve(first, tiny_cache, by="Ada", why="pilot")
    at = page("cards", cache=tiny_cache, run="a", card=second.stem)
    [said] = [warning for warning in warnings(at) if warning.startswith("Approved already")]
    assert "approved by Ada" in said
    assert at.radio(f"beside_{second.stem}").value == card_states.SUPERSEDE
    at.text_input("approved_by").set_value("Eve")
    at.text_area(f"approved_why_{second.stem}").set_value("retrained")
    assert not press(at, "Approve").exception
    states = {entry.path: entry.history for entry in card_states.kept(tiny_cache)[0]}
    assert (states[first].state, states[second].state) == ("superseded", "approved")
    assert states[first].events[-1].successor == card.read(second).sha256


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
    assert "subjects are also in live, where thresholds are chosen" in at.warning[0].value
    save(at)
    of_card, of_form = page("cards", cache=cache, run="a").warning
    assert "On learned images" in of_card.value
    assert "The same people" in of_card.value
    assert of_form.value.startswith("3 of 16 test images")
    at = page("cards", cache=cache, run="a", subsets=["live", "unseen_mask"])
    assert not any(warning.value.startswith("3 of 16") for warning in at.warning)  # of the card alone


def test_the_form_says_that_a_threshold_is_optimistic(tiny_cache: Path) -> None:
    at = page("cards", cache=tiny_cache, run="a", chosen_on="seen_paper", subsets=["seen_paper"])
    assert "On new data the errors will be larger" in at.warning[0].value.replace("\\", "")
