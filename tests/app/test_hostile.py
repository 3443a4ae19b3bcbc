"""Texts of files are shown as they are, wherever a page shows them: none is read as Markdown, HTML or a formula."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from fas_core.deciding import card, card_states
from fas_core.metrics import operating_point as op
from fas_core.runs import marks, selections
from tests.conftest import Result, tiny_samples, write_image_run

from .conftest import page
from .test_views import RUN_VIEWS

TEXT = "=![{0}](http://e.example/{0}.png) <b>{0}</b> :red[evil] $evil$ **evil** `evil` www.e.example a@e.example"
# What Markdown as Streamlit reads it would make something of, where no backslash stands before it.
READ_AS_MARKDOWN = re.compile(r"(?<!\\)(!\[|\]\(|<b>|:red\[|\*\*evil|`evil|\$evil)|http://|www\.|a@e")
# Fields of Streamlit's messages that its browser side reads as Markdown.
MARKDOWN = {
    "markdown",
    "body",
    "label",
    "help",
    "text",
    "caption",
    "captions",
    "options",
    "title",
    "message",
    "content",
}
PLAIN = {"selectbox.options", "multiselect.options"}


def hostile(where: str) -> str:
    """A text that says where it came from."""
    return TEXT.format(where)


def write_hostile(cache: Path) -> list[str]:
    """The ids of two Runs of which every text is hostile, with marks, notes, labels, a selection and a card."""
    samples = tiny_samples()
    samples["sample_id"] = [hostile(f"sample{i}") for i in range(len(samples))]
    samples["pai_species"] = [hostile(f"species {text}") if text else "" for text in samples["pai_species"]]
    samples["subject_id"] = [hostile(f"subject {text}") for text in samples["subject_id"]]
    samples["session_id"] = [hostile(f"session {text}") for text in samples["session_id"]]
    samples["path"] = [hostile(f"path{i}") for i in range(len(samples))]
    samples = samples.drop(columns="glasses").assign(
        **{hostile("column"): [hostile(f"v{i % 2}") for i in samples.index]}
    )
    header = {"epoch": 3, "training": hostile("training"), "experiment": {hostile("setting"): hostile("value")}}
    ids_of_runs = []
    for name in ("a", "b"):
        run = write_image_run(cache, f"{name} {hostile('run')}", samples, seed=ord(name), header=header)
        ids_of_runs.append(run.id)
        ids = run.samples(["sample_id"])["sample_id"].tolist()
        marks.make(run, ids[0], by=hostile("by"), is_marked=True, note=hostile("note"), own_label=hostile("l"))
        selections.save(run, "odd", ids[:3])
        frozen = card.card(run, "rec", op.DEFAULT, ["live"], ["seen_paper"], by=hostile("decider"), note=hostile("why"))
        path = card.kept(frozen, cache)
        card_states.add(path, card_states.APPROVED, by=hostile("approver"), why=hostile("reason"))
    marks.name_labels(cache, [hostile(f"{i}")[:40] for i in range(5)])
    (cache / "jobs").mkdir(exist_ok=True)
    (cache / "runs" / "x").mkdir()
    (cache / "runs" / "x" / "run.json").write_text(json.dumps({hostile("key"): 1}))
    return ids_of_runs


def markdown_of(message: Message, at: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a message of Streamlit's that may be read as Markdown, with where it stands."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else [value]:
                yield from markdown_of(inner, f"{at}.{field.name}")
        elif field.type == FieldDescriptor.TYPE_STRING and field.name in MARKDOWN:
            for text in value if field.is_repeated else [value]:
                yield f"{at}.{field.name}", text


def read_as_markdown(at: AppTest) -> list[str]:
    wrong = []
    for element in at:
        for where, text in markdown_of(proto) if (proto := getattr(element, "proto", None)) is not None else ():
            is_plain = f"{element.type}{where}" in PLAIN
            if not is_plain and ("example" in text or "evil" in text) and (part := READ_AS_MARKDOWN.search(text)):
                wrong.append(f"{element.type}{where}: {part[0]} in {text[max(0, part.start() - 60) :][:160]}")
    return wrong


@pytest.mark.usefixtures("fresh_caches")
def test_no_text_of_a_file_is_read_as_markdown(tmp_path: Path) -> None:
    write_hostile(tmp_path / "cache")
    wrong: dict[str, Any] = {}
    at = page(cache=tmp_path / "cache")
    for view in RUN_VIEWS:
        at.switch_page(f"views/{view}.py").run()
        assert not at.exception, (view, at.exception[0].message, at.exception[0].stack_trace[-3:])
        if of_page := read_as_markdown(at):
            wrong[view] = of_page
    at.switch_page("views/compare.py").run()
    for part in [tab.label for tab in at.tabs]:
        at.session_state["part"] = part
        at.run()
        assert not at.exception, (part, at.exception[0].message)
        if of_page := read_as_markdown(at):
            wrong[f"compare, {part}"] = of_page
    assert not wrong, json.dumps(wrong, indent=1)


class Tags(HTMLParser):
    """The tags of a document with what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.bold: list[str] = []
        self.is_bold = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "data", "xlink:href")]
        self.is_bold = tag == "b"

    def handle_data(self, data: str) -> None:
        if self.is_bold:
            self.bold.append(data)


def test_no_text_of_a_file_becomes_html_or_a_formula_in_what_is_exported(
    fas: Callable[..., Result], tmp_path: Path
) -> None:
    a, b = write_hostile(tmp_path / "cache")
    where = ("--cache", tmp_path / "cache")
    assert fas("report", a, "--score", "rec", "--compare", b, "--out", tmp_path / "r.html", *where).code == 0
    [kept, *_] = json.loads(fas("cards", "--json", *where).out)
    assert fas("cards", "print", kept["file"], "--out", tmp_path / "c.html", *where).code == 0
    for path in (tmp_path / "r.html", tmp_path / "c.html"):
        tags = Tags()
        tags.feed(text := path.read_text())
        assert "evil" in text
        assert [load for load in tags.loads if not load.startswith(("#", "data:"))] == []
        assert [said for said in tags.bold if "species" in said or "run" in said] == []
    for command in (("marks", a), ("evaluate", a, "--score", "rec", "--csv")):
        cells = [cell for row in csv.reader(io.StringIO(fas(*command, *where).out)) for cell in row]
        assert any("evil" in cell for cell in cells), command
        assert [cell for cell in cells if cell.startswith("=")] == [], command
