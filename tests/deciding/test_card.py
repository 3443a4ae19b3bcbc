import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fas_core import metrics, scores
from fas_core.deciding import card
from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.reports import card as cardpage
from fas_core.runs import health, store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import learned_samples, tiny_samples, write_image_run

REPORTED = ["seen_paper", "unseen_mask"]


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return write_image_run(tmp_path / "cache", "a", tiny_samples(), seed=1)


def made(run: store.Run, **changed: Any) -> Card:
    given: dict[str, Any] = {
        "score": "rec",
        "rule": op.DEFAULT,
        "chosen_on": ["live"],
        "reported_on": REPORTED,
    } | changed
    return card.card(run, **given)


def test_it_freezes_what_was_chosen_on_one_subset_and_reports_it_on_others(run: store.Run) -> None:
    content = made(run, by="Ada", note="pilot")
    samples = run.samples(["subset", "label", "rec"])
    live = samples[samples["subset"] == "live"]["rec"].to_numpy(float)
    assert content.threshold == np.nextafter(live.max(), np.inf)  # 5 % of 4 is none
    assert list(content.reported) == REPORTED
    here = samples[(samples["subset"] == "seen_paper") & (samples["label"] == "attack")]["rec"]
    assert content.reported["seen_paper"].apcer_per_species["paper"] == (here < content.threshold).mean()
    assert content.reported["seen_paper"].n_subjects_per_species == {"paper": 3}
    assert content.reported_together.n_bona_fide == 6
    assert (content.by, content.note, content.optimistic) == ("Ada", "pilot", False)
    assert (content.run, content.checkpoint_sha256, content.manifest_sha256) == (run.id, "0" * 64, "1" * 64)
    assert Card.from_json(json.loads(json.dumps(content.as_json(), allow_nan=False)), "card") == content


def test_choosing_where_one_reports_is_called_optimistic(run: store.Run) -> None:
    assert made(run, chosen_on=["seen_paper"]).optimistic
    by_hand = made(run, rule=op.rule("threshold=110"), chosen_on=[])
    assert by_hand.optimistic
    assert (by_hand.threshold, by_hand.chosen) == (110, None)


def test_it_is_written_read_and_computed_again(run: store.Run, tmp_path: Path) -> None:
    shares = {"paper": Share(0.01, 0.001, 0.1)}
    for changed in (
        {},
        {"level": "session max"},
        {"rule": op.rule("cost"), "costs": Costs(10, shares, 5000, 2), "chosen_on": ["seen_paper"]},
    ):
        path = card.kept(made(run, **changed), run.cache)
        read = card.read(path)
        assert read == replace(made(run, **changed), created=read.created, sha256=read.sha256)
        assert card.differences(read, card.run_of(read, run.cache)) == []
    listed, problems = card.cards(run.cache)
    assert (len(listed), problems) == (3, [])
    (card.folder(run.cache) / "x.json").write_text("[]")
    [problem] = card.cards(run.cache)[1]
    assert "x.json is no operating-point card" in problem


def test_the_seal_is_of_the_file_s_text(run: store.Run) -> None:
    read = json.loads(card.kept(made(run), run.cache).read_text(encoding="utf-8"))
    seal = read.pop("sha256")
    assert seal == hashlib.sha256(json.dumps(read, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    assert list(read)[:3] == ["version", "run", "run_name"]
    assert read["reported_together"]["counts"].keys() == {"tp", "fn", "fp", "tn"}


def test_every_reported_subset_says_whether_the_limit_holds(run: store.Run) -> None:
    frozen = made(run, rule=op.rule("bpcer<=0.25"))
    assert frozen.targets is not None
    assert list(frozen.targets) == REPORTED
    for subset, target in frozen.targets.items():
        cell = frozen.reported[subset]
        assert cell.bpcer_interval is not None
        assert target == cell.target(frozen.rule)
        assert (target.rate, target.limit, target.upper95) == (cell.bpcer, 0.25, cell.bpcer_interval.upper)
    document = frozen.as_json()["targets"]["seen_paper"]
    assert list(document) == ["rate", "limit", "met", "upper95", "met_at_95"]
    mask = made(run, rule=op.rule("apcer[mask]<=0.3"), chosen_on=["unseen_mask"]).as_json()["targets"]
    nothing = {"rate": None, "limit": 0.3, "met": None, "upper95": None, "met_at_95": None}
    assert mask["seen_paper"] == nothing  # which has no masks: undefined, not 0
    assert made(run, rule=op.rule("eer"), chosen_on=["seen_paper"]).targets == {}
    with pytest.raises(BadInputError, match=r'at least 59 subjects .* laxer limit: --rule "bpcer<=0.05"[.]$'):
        made(run, rule=op.rule("bpcer<=0.05@95"))
    proven = made(run, rule=op.rule("bpcer<=0.8@95"))
    assert card.read(card.write(proven, run.cache / "op.json")) == proven
    assert (str(proven.rule), card.differences(proven, run)) == ("bpcer<=0.8@95", [])
    assert proven.chosen is not None
    assert proven.chosen.target(proven.rule).met_at_95  # type: ignore[union-attr]


def test_a_threshold_set_by_hand_keeps_what_was_asked_and_species_that_are_feared(run: store.Run) -> None:
    rule, asked = op.rule("threshold=110"), op.rule("bpcer<=0.1")
    content = made(run, rule=rule, chosen_on=[], asked=asked, feared=["mask"])
    assert content.limit == asked
    bpcer = content.reported["seen_paper"].bpcer
    assert content.targets is not None
    assert content.targets["seen_paper"].rate == bpcer
    assert content.targets["seen_paper"].met == (bpcer is not None and bpcer <= 0.1)
    document = content.as_json()
    assert (document["asked"], document["feared"]) == ("bpcer<=0.1", ["mask"])
    assert Card.from_json(json.loads(json.dumps(document)), "card") == content
    assert card.differences(content, run) == []
    assert card.are_alike(content, made(run, rule=rule, chosen_on=[]))  # the same decision
    plain = made(run, asked=asked)  # a rule with a limit of its own
    assert plain.limit == plain.rule
    assert not {"asked", "feared"} & set(plain.as_json())  # so that older seals hold
    with pytest.raises(BadInputError, match="has no species 'wax'. Species: mask, paper"):
        made(run, feared=["wax"])


def test_cards_of_before_limits_were_checked_still_hold(run: store.Run) -> None:
    document = made(run).as_json()
    del document["targets"], document["sha256"]
    cells = [document["chosen"], document["reported_together"], *document["reported"].values()]
    for cell in cells:
        for interval in (cell["bpcer_interval"], *cell["apcer_interval_per_species"].values()):
            interval.pop("upper")
            interval["high"] = 0.123  # by another rule

    def sealed() -> card.Card:
        text = json.dumps(document, sort_keys=True, ensure_ascii=False)
        seal = hashlib.sha256(text.encode()).hexdigest()
        return card.Card.from_json(json.loads(text) | {"sha256": seal}, "op.json")

    before = sealed()
    assert before.targets is None
    assert card.differences(before, run) == []
    document["reported"]["seen_paper"]["bpcer"] = 0.9
    assert [line.split(":")[0] for line in card.differences(sealed(), run)] == ["reported.seen_paper.bpcer"]


def test_every_difference_is_named(run: store.Run, tmp_path: Path) -> None:
    content = made(run)
    changed = replace(content, threshold=content.threshold + 1)
    lines = card.differences(changed, run)
    assert lines[0].startswith("sha256: the card was changed")
    assert any(line.startswith("threshold: ") for line in lines)
    other = write_image_run(tmp_path / "other", "a", tiny_samples(), seed=2)
    names = {line.split(":")[0] for line in card.differences(content, other)}
    assert {"run", "run_digest", "threshold", "chosen.threshold"} <= names
    with pytest.raises(BadInputError, match="was changed after it was written"):
        card.require_untouched(changed, "op.json")
    card.require_untouched(content, "op.json")


def test_missing_scores_are_attacks_only_where_that_is_asked_for(tmp_path: Path) -> None:
    table = tiny_samples()[["sample_id", "label", "pai_species", "subject_id", "subset"]]
    table["score"] = np.arange(len(table), dtype=float)
    table.loc[table["subset"] == "seen_paper", "score"] = [np.nan, 1, 2, np.nan, 99, 99]
    run = scores_only_run(tmp_path, "v", table, ["score"], "v.csv")
    rule = op.rule("threshold=50")
    opened, closed = (
        card.card(run, "score", rule, [], ["seen_paper"], fail_closed=fails_closed).reported["seen_paper"]
        for fails_closed in (False, True)
    )
    assert (opened.n_non_response, opened.bpcer) == ({"bona_fide": 1, "attack": 1}, 0)
    assert (closed.n_non_response, closed.bpcer) == ({"bona_fide": 0, "attack": 0}, pytest.approx(1 / 3))
    assert closed.n_per_species == {"paper": 3}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chosen_on": ["nowhere"]}, "has no subset 'nowhere'. Subsets: train, live"),
        ({"chosen_on": []}, "no subset to choose on. Choose on samples that allow bpcer<=0.05: --choose-on train or"),
        ({"reported_on": []}, "no subset to report on"),
        ({"score": "beauty"}, "has no score 'beauty'"),
        ({"level": "video mean"}, "cannot be judged per video"),
        (
            {"rule": op.rule("apcer<=0.1")},
            "apcer<=0.1 cannot be applied to live: .*no attack.*--choose-on seen_paper or ",
        ),
        (
            {"rule": op.rule("eer"), "chosen_on": ["train"]},
            "eer cannot .* --choose-on seen_paper or --choose-on unseen_mask.$",
        ),
        (
            {"rule": op.rule("bpcer<=0.02@95")},
            "takes at least 149 subjects .* Name more people there, or take a laxer limit: "
            '--rule "bpcer<=0.02"[.]$',  # two people prove no limit; never to choose on what is reported
        ),
        (
            {"rule": op.rule("apcer[wax]<=0.1")},
            "no wax attack.* No subset of this Run allows apcer.wax.<=0.1: take another rule: --rule",
        ),
    ],
)
def test_what_cannot_be_made_is_said(run: store.Run, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        made(run, **changed)


def test_a_run_that_is_gone_and_files_that_are_no_cards_are_said(run: store.Run, tmp_path: Path) -> None:
    frozen = made(run)
    content = frozen.as_json()
    with pytest.raises(BadInputError, match=f"The Run {run.id} \\(a\\) of this card is not in"):
        card.run_of(frozen, tmp_path / "empty")
    for text, message in (
        ("{", "it is not JSON"),
        ("[1]", "is no operating-point card"),
        (json.dumps(content | {"version": 99}), "card version 99"),
        (json.dumps({k: v for k, v in content.items() if k != "score"}), "has no 'score'"),
        (json.dumps(content | {"chosen_on": [1]}), r"'chosen_on\[0\]' should be a text; 1 is of another type"),
        (json.dumps(content | {"reported_together": {}}), "has no 'reported_together.threshold'"),
        (json.dumps(content | {"colour": "red"}), "has 'colour', which this version does not know"),
        (json.dumps(content | {"rule": "best"}), "'best' is no rule"),
    ):
        path = tmp_path / "card.json"
        path.write_text(text)
        with pytest.raises(BadInputError, match=message):
            card.read(path)
    with pytest.raises(BadInputError, match="fas threshold --out"):
        card.read(tmp_path / "missing.json")


def test_a_score_that_is_fitted_is_the_same_again(run: store.Run) -> None:
    content = made(run, score="mahalanobis")
    assert card.differences(content, store.opened(run.folder)) == []
    assert content.threshold > 0
    assert metrics.is_attack(scores.values(run, "mahalanobis"), content.threshold).any()


def test_what_flatters_stands_on_the_card(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", learned_samples())
    warning, shared = made(run).warnings or ()
    assert (shared.kind, shared.counts) == ("subject_overlap", {"n_subjects": 3})
    assert (warning.kind, warning.counts["n_learned"], warning.counts["n_dev"]) == ("training_overlap", 2, 1)
    of_mask = made(run, reported_on=["unseen_mask"]).warnings or ()
    assert [caution.kind for caution in of_mask] == ["subject_overlap"]  # nothing of it was learned
    on_learned = made(run, chosen_on=["seen_paper"]).warnings
    assert [caution.kind for caution in on_learned or ()] == ["training_overlap", "optimistic"]
    chosen_there = made(run, chosen_on=["seen_paper"], reported_on=["unseen_mask"]).warnings
    assert [caution.kind for caution in chosen_there or ()] == ["training_overlap"]  # where it is chosen counts too


def test_cards_of_before_warnings_still_hold_and_their_numbers_are_checked(tmp_path: Path) -> None:
    run = write_image_run(tmp_path, "a", learned_samples())
    content = made(run)
    assert card.differences(content, run) == []
    before = replace(content, warnings=None).sealed()
    assert "warnings" not in before.as_json()
    assert card.differences(Card.from_json(before.as_json(), "card"), run) == []
    warning, shared = content.warnings or ()
    assert card.differences(replace(content, warnings=(warning,)).sealed(), run) == []  # of before people were counted

    told = (warning, shared, health.Caution(health.LEFT_BEFORE, "x", {"n_left": 2}))
    assert card.differences(replace(content, warnings=told).sealed(), run) == []  # the manifest's trail is elsewhere

    def lines(**changed: Any) -> list[str]:
        return card.differences(replace(content, warnings=(replace(warning, **changed), shared)).sealed(), run)

    assert lines(message="in other words") == []
    assert lines(counts={**warning.counts, "n_learned": 0}) == ["warnings[0].n_learned: 0 on the card, 2 now"]


def test_a_card_says_whose_its_costs_are(run: store.Run) -> None:
    shares = {"paper": Share(0.01, 0.001, 0.1)}
    plain, marked = (
        card.card(run, "rec", op.rule("cost"), ["seen_paper"], ["unseen_mask"], costs=costs)
        for costs in (
            Costs(10, shares, 5000, 2),
            Costs(10, shares, 5000, 2, "EUR", ("sessions a month", "loss per accepted attack")),
        )
    )
    assert set(plain.as_json()["costs"]) == {"sessions", "shares", "per_attack", "per_rejection"}  # old seals hold
    assert "example_costs" not in [caution.kind for caution in plain.warnings or ()]
    [said] = [caution.message for caution in marked.warnings or () if caution.kind == "example_costs"]
    assert said.endswith("nobody's: sessions a month, loss per accepted attack.")
    again = Card.from_json(json.loads(json.dumps(marked.as_json())), "card")
    assert again.is_untouched
    assert card.differences(again, run) == []
    assert "Expected cost" not in cardpage.page(again, run)  # paper has a share, and is not among what is reported
    here = card.card(run, "rec", op.rule("cost"), ["seen_paper"], ["seen_paper"], costs=marked.costs)
    assert "5,000 EUR per accepted attack" in cardpage.page(here, run)
