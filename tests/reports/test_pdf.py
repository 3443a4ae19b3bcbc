"""A page as PDF: its text as text, its feet, and nothing fetched."""

import subprocess
import sys

import pypdfium2
import pytest

from fas_core.errors import BadInputError
from fas_core.reports import html
from fas_core.reports.pdf import pdf


def pages(document: bytes) -> list[str]:
    """The text of each page, in one line."""
    return [" ".join(page.get_textpage().get_text_range().split()) for page in pypdfium2.PdfDocument(document)]


def test_text_stays_text_and_every_page_has_its_foot() -> None:
    said = "BPCER ≤ 2 % – α, Zoë Łukasz 张伟 <b>"
    foot = 'm, rec "≤ 2 %"</style><b>\\ {é}'
    page = html.html_page("t", [html.sheet([html.paragraph(said)]), html.sheet([html.title("second")])], foot)
    first, second = pages(pdf(page))
    assert first == f"{said} {foot} 1 / 2"
    assert second == f"second {foot} 2 / 2"
    assert pdf(page) == pdf(page)
    assert page.count("</style>") == 1


def test_only_what_the_page_carries_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.request

    asked: list[object] = []
    monkeypatch.setattr(urllib.request.OpenerDirector, "open", lambda *given, **_: asked.append(given[1]))
    pdf("<p>x<img src='file:///etc/hostname'><img src='http://127.0.0.1:9/'><link rel=stylesheet href='//h/x.css'></p>")
    assert asked == []


def test_a_machine_without_the_library_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(BadInputError, match=r"No PDF can be made here.*Install Pango .* or take the HTML"):
        pdf("<p>x</p>")


@pytest.mark.process
def test_pages_are_made_without_it() -> None:
    loaded = "import sys; from fas_core.reports import card, pdf; assert 'weasyprint' not in sys.modules"
    subprocess.run([sys.executable, "-c", loaded], check=True)
