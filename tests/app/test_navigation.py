"""Pages stand in groups above every page; samples and subjects are found from each."""

from pathlib import Path

import pandas as pd
import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from app.parts import search
from fas_core.runs import store
from tests.conftest import tiny_samples, write_image_run

from .conftest import MAIN, page, texts

GROUPS = ["Overview", "Look", "Codes", "Decide", "Compare", "Data", "Train"]


def links(at: AppTest) -> list[str]:
    return [link.proto.label for link in at.get("page_link")]


@pytest.mark.parametrize(
    ("view", "pages"),
    [
        ("overview", []),
        ("image", ["Gallery", "Image"]),
        ("traversal", ["Latent space", "Side by side", "Likelihood", "Separation", "Traversal"]),
        ("cards", ["Threshold", "Losses", "Operating points"]),
        ("training", []),
    ],
)
def test_the_groups_are_always_there_and_the_pages_of_the_current_one(
    tiny_cache: Path, view: str, pages: list[str]
) -> None:
    shown = links(page(view, cache=tiny_cache, run="a"))
    assert shown[: len(GROUPS) + len(pages)] == GROUPS + pages


def test_every_view_is_in_a_group() -> None:
    views = {path.name for path in MAIN.with_name("views").glob("*.py")}
    assert {name for name in views if f'"views/{name}"' not in MAIN.read_text()} == set()


# -------------------------------------------------------------------------------------------------------- the search


def named(tmp_path: Path, ids: list[str], subjects: list[str]) -> store.Run:
    samples = tiny_samples().iloc[: len(ids)].assign(sample_id=ids, subject_id=subjects)
    return write_image_run(tmp_path, "named", samples, seed=0)


def test_what_begins_with_the_text_comes_before_what_contains_it(tmp_path: Path) -> None:
    run = named(tmp_path, ["x/ann_1", "Ann_2", "bob_1", "ann_3"], ["Hanna", "Anna", "Bob", "Anna"])
    fitting = search.matches(run, "ann")
    ids = run.samples(["sample_id"])["sample_id"]
    assert ids.iloc[fitting.rows].tolist() == ["Ann_2", "ann_3", "x/ann_1"]
    assert list(fitting.subjects.items()) == [("Anna", 2), ("Hanna", 1)]
    assert fitting.words == "2 subjects and 3 samples"


def test_few_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    run = named(tmp_path, [f"s{i:02d}" for i in range(24)], [f"p{i // 2}" for i in range(24)])
    fitting = search.matches(run, "s")
    assert (len(fitting.rows), fitting.n_rows, fitting.n_subjects) == (search.MOST_SAMPLES, 24, 0)
    assert search.matches(run, "p").words == "12 subjects"
    assert len(search.matches(run, "p").subjects) == search.MOST_SUBJECTS
    assert search.matches(run, "a.").words == ""  # no pattern


def test_names_keep_their_ends() -> None:
    assert search.shortened("a" * 26) == "a" * 26
    assert search.shortened("a" * 30 + "_f001") == "…" + "a" * 20 + "_f001"


def searched(cache: Path, run: str, typed: str, view: str = "overview", **query: str) -> AppTest:
    at = page(view, cache=cache, run=run, **query)
    at.session_state["search"] = {"typed": typed}
    return at.run()


def test_a_match_leads_to_its_image_or_to_the_gallery_of_its_subject(tiny_cache: Path) -> None:
    samples = store.open_run(tiny_cache, "a").samples()
    sample_id, subject = str(samples["sample_id"].iloc[3]), str(samples["subject_id"].iloc[3])
    by_label = {link.proto.label: link.proto for link in searched(tiny_cache, "a", sample_id).get("page_link")}
    found = by_label[sample_id.replace("_", "\\_")]
    assert found.page == "image"
    assert f"image={sample_id}" in found.query_string
    of_subject = next(
        link for link in searched(tiny_cache, "a", subject).get("page_link") if "sample" in link.proto.label
    )
    assert f"where=subject+id&where_subject_id={subject}" in of_subject.proto.query_string


def test_on_the_page_itself_a_match_changes_what_it_shows(tiny_cache: Path) -> None:
    ids = store.open_run(tiny_cache, "a").samples(["sample_id"])["sample_id"]
    at = searched(tiny_cache, "a", ids[5], "image", image=ids[0])
    (match,) = [button for button in at.button if button.key.startswith("match_")]
    match.click().run()
    assert at.text_input(key="image").value == ids[5]


def test_without_images_what_is_known_of_a_sample_is_said(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "vendor")
    row = run.samples(["sample_id", "score"]).iloc[4]
    said = [caption.value for caption in searched(tiny_cache, "vendor", str(row["sample_id"])).caption]
    assert any("score" in text and f"{row['score']:.4g}" in text for text in said), said


def test_a_run_that_names_no_subject_has_none(tmp_path: Path) -> None:
    samples = tiny_samples().drop(columns="subject_id")
    run = write_image_run(tmp_path, "nameless", samples, seed=0)
    assert isinstance(search.subjects(run), pd.Series)
    assert not len(search.subjects(run))


def test_a_page_that_there_is_not_is_named_until_another_one_is_opened(
    tiny_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"name": "no [such]"}
    monkeypatch.setenv("FAS_CACHE", str(tiny_cache))

    def intent(self: PagesManager, page_script_hash: str, page_name: str) -> None:
        self._intended_page_script_hash = page_script_hash  # the browser asks by name when it knows of no page yet
        self._intended_page_name = page_name or ("" if page_script_hash else asked.pop("name", ""))

    monkeypatch.setattr(PagesManager, "set_script_intent", intent)
    at = page(cache=tiny_cache, run="a")
    assert at.title[0].value == "Overview"
    (said,) = [warning.value for warning in at.warning if "no page" in warning.value]
    assert said.startswith("There is no page /no \\[such\\]; this is Overview. There are: Overview, Gallery, ")
    assert said.endswith(", Data, Training.")
    assert "no page" in texts(at.run())
    assert "no page" not in texts(at.switch_page("views/threshold.py").run())
    for name, title in (("Overview", "Overview"), ("compare", "Compare")):  # as in the navigation; as in a link
        asked["name"] = name
        at = page(cache=tiny_cache, run="a")
        assert at.title[0].value == title
        assert "no page" not in texts(at)
