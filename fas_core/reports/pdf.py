"""A page of `html.html_page` as PDF: the same document, on A4, its text as text and its fonts within.

WeasyPrint lays out what the page's own style says for print, with page feet, and without a browser. It needs the
library Pango, which takes from the installed fonts whatever letters a name is written in.
"""

from __future__ import annotations

from fas_core.errors import BadInputError

_REMEDY = (
    "Install Pango (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0; macOS: brew install pango), "
    "or take the HTML: a browser prints it as the same PDF."
)


def pdf(html: str) -> bytes:
    """The document of an HTML page that carries all it needs: whatever it names but `data:` is not fetched.

    Equal pages give equal bytes. Raises BadInputError, with a remedy, where this machine lacks Pango.
    """
    try:
        import weasyprint  # takes 0.3 s, and a library that not every machine has
    except (ImportError, OSError) as error:
        raise BadInputError(f"No PDF can be made here: {error}. {_REMEDY}") from error
    fetcher = weasyprint.URLFetcher(allowed_protocols=["data"])
    document: bytes = weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf()
    return document
