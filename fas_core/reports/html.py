"""Pages for reading and printing: one HTML file each, that loads nothing and runs nothing.

All HTML stands in `templates/`, which escape every text that is not `Markup`: what comes from files never becomes HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_templates = Environment(
    loader=PackageLoader("fas_core.reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class Triplet(NamedTuple):
    """Pictures of one sample side by side, with what is said below them."""

    pictures: list[tuple[str, str]]  # what it is, data URI
    words: str
    sample_id: str  # "" where it is not to be named


def html_page(title: str, parts: Sequence[Markup], foot: str = "") -> str:
    """A whole document. Images in it may be data URIs; nothing else is ever loaded.

    `foot`: what stands on the foot of every page of paper, beside its number, and once on the screen.
    """
    return _templates.get_template("page.html").render(
        title=title, parts=parts, foot=foot, foot_of_paper=_css_text(foot)
    )


def drawing_page(title: str, drawing: Markup, caption: str) -> str:
    """A document that is one SVG, as large as that; the caption is its description."""
    width, height = re.findall(r"viewBox='[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)'", drawing)[0]
    template = _templates.get_template("drawing.html")
    return template.render(title=title, drawing=drawing, caption=caption, width=width, height=height)


def _css_text(text: str) -> Markup:
    """A text as a string of CSS, of which nothing can end the string or the style."""
    plain = "".join(c if c.isalnum() or c in " .,:%-–" else f"\\{ord(c):x} " for c in text)
    return Markup(f'"{plain}"')  # letters, digits and escapes alone


def sheet(parts: Sequence[Markup]) -> Markup:
    """What begins a page of its own on paper, in smaller letters there."""
    return _part("sheet", parts)


def _part(name: str, *values: object) -> Markup:
    return Markup(getattr(_templates.get_template("parts.html").module, name)(*values))


def title(text: str) -> Markup:
    """The largest heading: of the document."""
    return _part("title", text)


def heading(text: str) -> Markup:
    """Of what stands in a section."""
    return _part("heading", text)


def paragraph(text: str, kind: str = "") -> Markup:
    """`kind`: "answer", "quiet", or plain."""
    return _part("paragraph", text, kind)


def answer(word: str, text: str) -> Markup:
    """One word that answers, and the sentence that says why."""
    return _part("answer", word, text)


def warning(word: str, text: str) -> Markup:
    """As `answer`, in the colour of a warning."""
    return _part("warning", word, text)


def section(title: str, body: str) -> Markup:
    """A body under its title."""
    return _part("section", title, body)


def verdict(answer: str, but: str) -> Markup:
    """A sentence whose second half, "" where there is none, is what to beware of."""
    return _part("verdict", answer, but)


def facts(named: Mapping[str, str]) -> Markup:
    """A list of names and what they are."""
    return _part("facts", named)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> Markup:
    """Numbers stand right, the first column left."""
    return _part("table", heads, rows, caption)


def figure(drawings: Sequence[str], caption: str) -> Markup:
    """SVG drawings side by side above one caption."""
    return _part("figure", drawings, caption)


def plot(name: str, drawing: str) -> Markup:
    """A drawing with its name above."""
    return _part("plot", name, drawing)


def triplets(title: str, rows: Sequence[Triplet], side: int) -> Markup:
    """`side`: of each picture, in pixels. `title`: "" for none."""
    return _part("triplets", title, rows, side)


def signatures(roles: Mapping[str, str]) -> Markup:
    """A line for each role, with its name if it is known, to be dated and signed by hand."""
    return _part("signatures", roles)


def joined(parts: Sequence[Markup]) -> Markup:
    """Parts one after another."""
    return Markup("").join(parts)
