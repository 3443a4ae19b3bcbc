"""The losses page, driven without a browser, and its figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from streamlit.testing.v1 import AppTest

from app.views import losses
from fas_core import scores
from fas_core.reports.palette import (
    BONA_FIDE_COLOUR,
    MORE_COLOURS,
    MOST_SCORES,
    SPECIES_COLOURS,
    TRAINING_COLOUR,
    score_styles,
)
from fas_core.runs import store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import tiny_samples

from .charts.test_ridges import labels
from .conftest import page, texts

TESTED = ["live", "seen_paper", "unseen_mask"]


def answer(at: AppTest) -> str:
    assert not at.exception, at.exception
    assert not at.error
    return str(at.markdown[0].value)


def figures(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("echarts_chart")]


def expected(run: store.Run, score: str, subsets: list[str], species: str = "") -> tuple[float, float, int, int]:
    """AUC, average precision, attacks and live faces, by scikit-learn."""
    samples = run.samples(["subset", "label", "pai_species"]).assign(value=scores.values(run, score))
    here = samples[samples["subset"].isin(subsets) & samples["value"].notna()]
    if species:
        here = here[(here["label"] == "bona_fide") | (here["pai_species"] == species)]
    attack = here["label"] == "attack"
    return (
        roc_auc_score(attack, here["value"]),
        average_precision_score(attack, here["value"]),
        int(attack.sum()),
        int((~attack).sum()),
    )


def written(value: float) -> str:
    return ">0.99" if value < 1 == round(value, 2) else f"{value:.2f}"


def scores_only(cache: Path, name: str, rows: pd.DataFrame, columns: list[str]) -> store.Run:
    return scores_only_run(cache, name, rows, columns, f"{name}.csv")


def test_the_answer_names_the_best_and_the_worst_score_with_numbers(tiny_cache: Path) -> None:
    at = page("losses", cache=tiny_cache, run="a")
    said = answer(at)
    run = store.open_run(tiny_cache, "a")
    auc = {
        name: min(expected(run, name, TESTED, species)[0] for species in ("mask", "paper"))
        for name in scores.offered(run)
    }
    named = re.match(
        r"Of (\d+) scores, \*\*(\S+)\*\* does best on its hardest attacks, (?:mask|paper) \(n = 3\): AUC \*\*(\S+)\*\*",
        said,
    )
    assert named, said
    assert int(named[1]) == len(auc)
    assert auc[named[2].replace("\\", "")] == max(auc.values())
    assert named[3] == written(max(auc.values()))
    least = re.search(r"\*\*(\S+)\*\* does least: \w+, AUC \*\*(\S+)\*\*", said)
    assert least
    assert auc[least[1].replace("\\", "")] == min(auc.values())
    assert least[2] == f"{min(auc.values()):.2f}"
    assert "optimistic, for it is chosen on the samples it is judged on" in said
    assert said.index("all 6 attacks against 10 live faces: ") > said.index("AUC")
    below = next(words.value for words in at.caption if "Easiest: **" in words.value)  # the curves
    assert "The AUC on Overview is of seen paper, unseen mask alone, for the threshold is not chosen there" in below


def test_the_table_holds_what_scikit_learn_computes(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")
    for measure, column in (("AUC", 0), ("Average precision", 1)):
        table = page("losses", cache=tiny_cache, run="a", measure=measure).dataframe[0].value
        rows = list(zip(table["Subset"], table["Attacks"], strict=True))
        assert rows[0] == ("all", "all")
        assert set(rows[1:3]) == {("all", "paper"), ("all", "mask")}
        assert set(rows[3:]) == {("seen paper", "paper"), ("unseen mask", "mask")}
        of_score = [name for name in table if name.startswith("score ")]
        assert len(of_score) == len(scores.offered(run))
        for (subset, species), row in zip(rows, table.to_dict("records"), strict=True):
            subsets = TESTED if subset == "all" else [subset.replace(" ", "_")]
            for name in of_score:
                numbers = expected(run, name.removeprefix("score "), subsets, "" if species == "all" else species)
                assert row[name] == pytest.approx(numbers[column], abs=1e-12)
                assert (row["n attacks"], row["n live"]) == numbers[2:]
            assert row[f"score {row['Best']}"] == max(row[name] for name in of_score)
        pooled = table[of_score].iloc[0]
        assert pooled.is_monotonic_decreasing  # columns, best first
        assert ("Chance" in table) == (measure != "AUC")


def test_the_subsets_of_the_sidebar_decide_the_numbers(tiny_cache: Path) -> None:
    at = page("losses", cache=tiny_cache, run="a")
    first = answer(at)
    at.sidebar.button_group[0].set_value(["train", "unseen_mask"]).run()
    assert "attacks, mask (n = 3): AUC" in answer(at)
    assert answer(at) != first
    assert "On unseen mask. Training images are left out." in texts(at)
    table = at.dataframe[0].value
    assert table["Subset"].tolist() == ["unseen mask"]
    run = store.open_run(tiny_cache, "a")
    assert table["score rec"].item() == pytest.approx(expected(run, "rec", ["unseen_mask"])[0])
    moments = at.dataframe[1].value
    assert set(moments["Group"]) == {"train", "bona fide, unseen", "unseen mask"}


def test_a_row_per_group_in_every_panel_and_the_moments_of_each(tiny_cache: Path) -> None:
    at = page("losses", cache=tiny_cache, run="a")
    pr, roc, *panels = figures(at)
    assert len(pr["legend"]["data"]) == len(roc["legend"]["data"]) == 9
    assert len(panels) == 9
    rows = ["train", "live", "bona fide, seen", "bona fide, unseen", "unseen mask", "seen paper"]
    for panel in panels:
        assert [label.split("\n")[0] for label in labels(panel)] == rows
    assert "in nats" in panels[0]["xAxis"]["name"] + panels[1]["xAxis"]["name"]
    run = store.open_run(tiny_cache, "a")
    samples, rec = run.samples(["subset", "label"]), scores.values(run, "rec")
    paper = rec[((samples["subset"] == "seen_paper") & (samples["label"] == "attack")).to_numpy()]
    moments = at.dataframe[1].value
    row = moments[(moments["Score"] == "rec") & (moments["Group"] == "seen paper")].iloc[0]
    assert row["n"] == 3
    assert (row["Mean"], row["Standard deviation"]) == pytest.approx((paper.mean(), paper.std(ddof=1)))


def test_a_few_scores_can_be_chosen_and_are_forgotten_by_a_run_without_them(tiny_cache: Path) -> None:
    at = page("losses", cache=tiny_cache, run="a")
    at.multiselect(key="drawn").set_value(["rec", "kl"]).run()
    pr, _, *panels = figures(at)
    assert len(pr["legend"]["data"]) == len(panels) == 2
    n = len(scores.offered(store.open_run(tiny_cache, "a")))
    assert answer(at).startswith(f"Of {n} scores")
    vendor = next(label for label in at.sidebar.selectbox[0].options if label.startswith("vendor"))
    at.sidebar.selectbox[0].set_value(vendor).run()
    assert answer(at).startswith("**score** tells the hardest attacks, ")
    assert "all 6 attacks against 18 live faces" in answer(at)
    assert len(figures(at)) == 3


def test_a_scores_only_run_with_one_score(tiny_cache: Path) -> None:
    at = page("losses", cache=tiny_cache, run="vendor")
    run = store.open_run(tiny_cache, "vendor")
    auc, _, n_attack, n_live = expected(run, "score", ["dev", "test"])
    assert answer(at).startswith("**score** tells the hardest attacks, ")
    assert f"; all {n_attack} attacks against {n_live} live faces: {auc:.2f}." in answer(at)
    assert "optimistic" not in answer(at)  # nothing was chosen
    table = at.dataframe[0].value
    assert "Best" not in table
    assert ("dev", "paper") in set(zip(table["Subset"], table["Attacks"], strict=True))
    assert "drawn" not in {widget.key for widget in at.multiselect}
    assert [label.split("\n")[0] for label in labels(figures(at)[2])] == ["bona fide", "mask", "paper"]


def test_without_attacks_only_the_distributions_are_shown(
    tmp_path: Path, image_run: Callable[..., store.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tiny_samples()
    image_run(tmp_path / "cache", "live_only", samples[samples["label"] == "bona_fide"].reset_index(drop=True))
    at = page("losses", cache=tmp_path / "cache", run="live_only")
    assert "hold no attacks with a score" in answer(at)
    assert len(figures(at)) == 9
    assert [len(frame.value) for frame in at.dataframe] == [9 * 4]  # the moments alone


def test_attacks_alone_are_said_too(tiny_cache: Path) -> None:
    samples = tiny_samples().query("label == 'attack'")[["sample_id", "label", "pai_species", "subset"]]
    scores_only(tiny_cache, "attacks", samples.assign(s=np.arange(6.0)), ["s"])
    at = page("losses", cache=tiny_cache, run="attacks")
    assert "hold no live faces outside training with a score" in answer(at)


def test_how_an_auc_near_chance_is_read(tiny_cache: Path) -> None:
    rng = np.random.default_rng(0)
    attack = np.arange(4000) % 2 == 1
    rows = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(4000)],
            "label": np.where(attack, "attack", "bona_fide"),
            "pai_species": np.where(attack, "mask", ""),
            "subset": "test",
            "noise": rng.permutation(4000).astype(float),
            "weak": rng.normal(0, 1, 4000) + 0.2 * attack,
            "turned": rng.normal(0, 1, 4000) - attack,
            "part": np.where(np.arange(4000) < 100, np.nan, rng.normal(0, 1, 4000) + 2 * attack),
            "none": np.nan,
        }
    )
    for columns, said in (
        (["noise"], "no better than chance"),
        (["weak"], "little better than chance"),
        (["turned"], "worse than chance, for live faces score higher than attacks"),
    ):
        scores_only(tiny_cache, columns[0], rows, columns)
        assert said in answer(page("losses", cache=tiny_cache, run=columns[0]))
    scores_only(tiny_cache, "holes", rows, ["part", "none"])
    at = page("losses", cache=tiny_cache, run="holes")
    auc = expected(store.open_run(tiny_cache, "holes"), "part", ["test"])[0]
    said = "**part** tells the attacks, mask (n = 1,950), from live faces with AUC"
    assert answer(at).startswith(f"{said} **{auc:.3f}**.")
    assert "no score: 100 without part." in texts(at)
    assert "one class has no score at all: none." in texts(at)


def test_names_from_files_are_shown_as_they_are(tiny_cache: Path) -> None:
    rows = tiny_samples()[["sample_id", "label", "subset"]].assign(
        pai_species=lambda r: np.where(r["label"] == "attack", "[m](http://x)<b>", ""),
        **{"*a*": np.arange(24.0), "<b>$x$": np.arange(24.0)[::-1]},
    )
    scores_only(tiny_cache, "odd", rows, ["*a*", "<b>$x$"])
    at = page("losses", cache=tiny_cache, run="odd")
    assert "**\\*a\\***" in answer(at)
    assert "\\<b\\>\\$x\\$" in answer(at)
    assert "*a*" not in texts(at).replace("\\*a\\*", "")
    drawn = json.dumps(figures(at))
    assert "<b>$x$" in drawn  # a canvas shows it as it is, and ECharts escapes what the pointer reads


def test_of_many_scores_a_few_are_drawn() -> None:
    """The chosen one, the thesis', and the best of the others, best first; the table has all."""
    best_first = ["flow", "knn", "rec", "ms_ssim", "ssim", "kl", "eyes_l2", "elbo", "pixel_l2", "frequency", "gmm_nll"]
    kept = losses.few(best_first, "frequency")
    assert kept == ["flow", "knn", "rec", "ms_ssim", "kl", "elbo", "pixel_l2", "frequency", "gmm_nll"]
    assert len(kept) == MOST_SCORES
    assert losses.few(best_first[:9], "rec") == best_first[:9]


def test_scores_look_different_and_like_no_class() -> None:
    styles = score_styles([f"s{i}" for i in range(MOST_SCORES)])
    assert len(set(styles.values())) == MOST_SCORES
    assert len({style.colour for style in list(styles.values())[:9]}) == 9
    taken = {BONA_FIDE_COLOUR, TRAINING_COLOUR, *SPECIES_COLOURS.values(), *MORE_COLOURS}
    assert not taken & {style.colour for style in styles.values()}
