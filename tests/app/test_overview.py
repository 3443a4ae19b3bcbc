import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.overview import near_duplicates
from fas_core import derive, metrics, progress, scores
from fas_core.evaluation import presentations, run_metrics
from fas_core.metrics import limits, operating_point
from fas_core.runs import duplicates, selections, store, tombstones
from fas_core.runs.tombstones import Removal
from tests.app.conftest import commands
from tests.conftest import learned_samples, tiny_samples, write_image_run

from .conftest import page, texts


def test_the_answer_comes_first_and_matches_the_core(tiny_cache: Path) -> None:
    at = page(cache=tiny_cache, run="a")
    assert not at.exception
    answer = at.markdown[0].value
    run = store.open_run(tiny_cache, "a")
    everything = presentations.presentations(run, scores.values(run, "rec"))
    tested = everything.score_set(["seen_paper", "unseen_mask"])  # where the rates beside it are reported
    auc = {species: metrics.roc_auc(tested, species) for species in ("mask", "paper")}
    hardest = min(auc, key=auc.__getitem__)
    assert (
        f"**a**, judged by rec, separates the hardest attacks, {hardest} (n = 3 of 3 people), from 6 bona fide images "
        f"with an AUC of **{auc[hardest]:.2f} ("
    ) in answer
    assert answer.startswith("Asked for was BPCER ≤ 5 %: **above 5 %**. At the operating point ")
    assert answer.index("all 6 attacks with ") > answer.index(hardest)  # pooled after the hardest
    assert f"all 6 attacks with {metrics.roc_auc(tested):.2f} (" in answer
    table = at.dataframe[0].value
    assert table["Subset"].tolist() == ["train", "live", "seen_paper", "unseen_mask"]
    assert table["AUC"].isna().tolist() == [True, True, False, False]  # undefined is empty, never 0
    assert "3 of 6 subjects are also in live, where thresholds are chosen" in texts(at).replace("\\", "")
    run = store.open_run(tiny_cache, "a")
    decided = presentations.presentations(run, scores.values(run, "rec"))
    auc = metrics.roc_auc(decided.score_set(["unseen_mask"]))
    assert table["AUC"].iloc[3].startswith(f"{auc:.2f}")
    threshold = metrics.threshold_at_bpcer(decided.score_set(["live"]), 0.05)
    rates = metrics.rates_at(decided.score_set(["unseen_mask"]), threshold)
    assert table["BPCER"].iloc[3].startswith(f"{100 * rates.bpcer:.0f} % (")
    assert table["Worst APCER"].iloc[3].endswith(", mask")


def test_the_limit_is_answered_and_the_species_that_it_is_about_is_named(tiny_cache: Path) -> None:
    at = page(cache=tiny_cache, run="a", rule="APCER at most", at_most="40", species="paper", chosen_on="seen_paper")
    run = store.open_run(tiny_cache, "a")
    decided = presentations.presentations(run, scores.values(run, "rec"))
    rule = operating_point.rule("apcer[paper]<=0.4")
    threshold = decided.threshold_by(rule, ["seen_paper"])
    said = texts(at)
    checked = run_metrics.rates_at(decided, ["live", "unseen_mask"], threshold).target(rule)
    assert checked is not None
    assert checked.rate is None  # no paper where it is reported
    assert "Asked for was APCER of paper ≤ 40 %: **not checked**." in said
    at = page(cache=tiny_cache, run="a")
    by_default = run_metrics.rates_at(
        decided, ["seen_paper", "unseen_mask"], decided.threshold_by(operating_point.DEFAULT, ["live"])
    )
    checked = by_default.target(operating_point.DEFAULT)
    assert checked is not None
    assert f"Asked for was BPCER ≤ 5 %: **{limits.held_words(checked)}**." in texts(at)


def test_what_changed_since_the_run_before_is_said(tiny_cache: Path) -> None:
    newest, before = (run for run in store.all_runs(tiny_cache) if not run.is_of_scores)
    said = texts(page(cache=tiny_cache, run=newest.info.name))
    assert f"than the Run before it on the same data, {before.info.name}" in said.replace("as well as", "than")
    assert "the Run before it" not in texts(page(cache=tiny_cache, run=before.info.name))


def test_subsets_and_score_of_the_address_are_used(tiny_cache: Path) -> None:
    at = page(cache=tiny_cache, run="b", score="kl", subsets="live")
    assert at.dataframe[0].value["Subset"].tolist() == ["live"]
    assert "one class only" in at.markdown[0].value


def test_scores_only_runs_have_an_overview_too(tiny_cache: Path) -> None:
    at = page(cache=tiny_cache, run="vendor")
    assert not at.exception
    assert at.dataframe[0].value["Subset"].tolist() == ["dev", "test"]


def test_an_empty_cache_says_how_to_fill_it(tmp_path: Path) -> None:
    at = page()
    assert not at.exception
    assert "There is no Run yet" in texts(at)
    assert "fas demo" in commands(at)[0]


def test_work_under_way_is_shown_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    with progress.task("Training", 10, job_file=progress.jobs_folder(cache) / "demo.json", stage="train") as task:
        monkeypatch.setattr(task, "seconds_left", lambda: 42.0)
        task.update(4)
        task._write()
        at = page()
    assert "The first Run is being made" in texts(at)
    assert "about 42 s left" in at.get("progress")[0].proto.text


def test_damage_and_incomplete_runs_are_said(tiny_cache: Path) -> None:
    broken, partial = store.open_run(tiny_cache, "b"), store.open_run(tiny_cache, "a")
    (broken.folder / "run.json").write_text("{")
    (partial.folder / "live" / "shard-00000").rename(partial.folder / "gone")
    at = page(cache=tiny_cache, run="a")
    assert not at.exception
    assert "missing or damaged" in texts(at)
    assert "shard of this Run is missing" in texts(at)


def test_markup_in_names_is_text(tmp_path: Path) -> None:
    name = "**b** <img src=x onerror=alert(1)> [l](http://x)"
    write_image_run(tmp_path / "cache", name, tiny_samples())
    at = page()
    assert not at.exception
    assert "\\<img" in at.markdown[0].value
    assert "\\*\\*b\\*\\*" in at.markdown[0].value


def test_a_run_that_grows_shows_its_new_subsets(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    aside = tiny_cache / "aside"
    aside.mkdir()
    for subset in ("live", "seen_paper", "unseen_mask"):
        (run.folder / subset).rename(aside / subset)
    at = page(cache=tiny_cache, run="a")
    assert at.session_state["subsets"] == ["train"]
    for subset in ("live", "seen_paper", "unseen_mask"):
        (aside / subset).rename(run.folder / subset)
    at.run()
    assert not at.exception
    assert at.session_state["subsets"] == ["train", "live", "seen_paper", "unseen_mask"]
    assert at.session_state["chosen_on"] == ["live"]


def test_subsets_in_the_address_are_their_names(tiny_cache: Path) -> None:
    at = page("overview", cache=tiny_cache, run="a", subsets=["live", "seen_paper"])
    assert at.session_state["subsets"] == ["live", "seen_paper"]


def test_each_model_is_judged_by_its_own_score_at_first(tmp_path: Path) -> None:
    for name, model in (("v", "dcvae"), ("g", "ganomaly")):
        write_image_run(tmp_path / "cache", name, tiny_samples(), model=model)
    chosen = [page("overview", cache=tmp_path / "cache", run=run).session_state["score"] for run in ("v", "g")]
    assert chosen == ["rec", "pixel_l2"]


def test_learned_images_lead_what_is_said_of_the_data(tmp_path: Path) -> None:
    write_image_run(tmp_path / "cache", "a", learned_samples().assign(subject_id=""))
    at = page("overview", cache=tmp_path / "cache", run="a")
    assert at.warning[0].value.startswith("3 of 16 test images, of 2 sessions, are known to the model")
    assert "name no subject" in at.warning[-1].value
    after = [element.type for element in at.main if element.type in ("header", "warning", "arrow_data_frame")]
    start = after.index("warning")
    assert after[start - 1] == "header"  # nothing of the data stands above it


def planted(cache: Path) -> store.Run:
    """A Run of which a live test image is one of training, a little brighter."""
    samples = tiny_samples()
    samples.loc[10, "subject_id"] = samples["subject_id"][5]
    run = write_image_run(cache, "twice", samples, shard_size=32)
    where = next(shard.folder for shard in run.shards if shard.subset == "live")
    inputs = np.load(where / "inputs.npy")
    inputs[2] = np.clip(run.images("inputs", [5])[0].astype(int) + 1, 0, 255)
    np.save(where / "inputs.npy", inputs)
    return run


def test_what_is_there_twice_is_said_and_shown_on_demand(tiny_cache: Path) -> None:
    run = planted(tiny_cache)
    at = page(cache=tiny_cache, run="twice")
    assert not at.exception
    assert (
        at.warning[-1]
        .value.replace("\\", "")
        .startswith("1 of 16 test images are nearly the same as a training image (live 1)")
    )
    assert "half the distance that 95 % of live faces keep" in texts(at)
    assert not pairs(at)  # no pictures are read before somebody asks
    at.session_state["duplicate_pairs"] = True
    at.run()
    [card] = pairs(at)
    assert (card["id"], card["group"]) == ("live_2", "live, training")
    assert card["lines"][2:] == ["train_5", "live_2"]
    at.get_by_key("open_duplicates").click().run()
    assert not at.exception
    [name] = selections.names(run)
    assert selections.sample_ids(run, name).tolist() == ["train_5", "live_2"]
    at.segmented_control(key="duplicates_by").set_value("code").run()
    assert "None of 24 images is nearly the same as another one" in texts(at)


def pairs(at: AppTest) -> list[dict[str, Any]]:
    """Cards of an image of training and one of a test."""
    contents = [json.loads(text) for element in at.get("bidi_component") if (text := element.proto.mixed.json)]
    galleries = [content for content in contents if "cards" in content]
    return [
        card
        for content in galleries
        if [panel["name"] for panel in content["panels"]] == ["training", "test"]
        for card in content["cards"]
    ]


@pytest.mark.usefixtures("fresh_caches")
def test_a_large_run_is_compared_when_somebody_asks(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 23)
    started: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(duplicates, "of_run", lambda *given: pytest.fail("the page computes"))
        patched.setattr(derive.Work, "start", lambda self: started.append(self.what))
        at = page(cache=tiny_cache, run="a")
        assert "24 images have not been compared with each other yet" in texts(at)
        at.get_by_key("compare_images").click().run()
    assert started == ["near-duplicates"]
    run = store.open_run(tiny_cache, "a")
    duplicates.of_run(run, "pixels")
    at = page(cache=tiny_cache, run="a")
    assert "None of 24 images is nearly the same as another one" in texts(at)
    monkeypatch.setattr(duplicates, "MOST", 23)
    assert "24 images are over 23" in texts(page(cache=tiny_cache, run="a"))


def test_who_was_removed_and_who_is_late_is_said(tmp_path: Path) -> None:
    run = write_image_run(tmp_path / "cache", "a", tiny_samples().assign(retain_until="2020-12-31"))
    tombstones.add(tmp_path / "cache", run.id, Removal("1", "2026-11-30", 1, 40, {}))
    said = texts(page(cache=tmp_path / "cache", run="a")).replace("\\", "")
    assert "1 person, 40 images removed on 2026-11-30" in said
    assert f"{len(run)} images were to be kept until 2020-12-31 at the latest: fas prune --expired" in said
