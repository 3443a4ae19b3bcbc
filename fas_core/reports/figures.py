"""Figures: drawings with a title and a caption, for pages and as files of their own (SVG, PDF, their data as CSV)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import pandas as pd
from markupsafe import Markup, escape

from fas_core import files
from fas_core.errors import BadInputError
from fas_core.files import atomic_file
from fas_core.reports import html, pdf

SVG, PDF, CSV = "svg", "pdf", "csv"
FORMATS = (SVG, PDF, CSV)


class Drawn(Protocol):
    """What can be drawn: an SVG to stand in a page, and the numbers it is drawn of."""

    def drawn(self) -> Markup: ...

    def data(self) -> pd.DataFrame: ...


class Drawing(NamedTuple):
    """One of a figure's drawings."""

    title: str
    of: Drawn


@dataclass(frozen=True)
class Figure:
    """`name`: of its files. Without drawings the caption says why there is none."""

    name: str
    title: str
    caption: str
    drawings: tuple[Drawing, ...] = ()

    def section(self) -> Markup:
        """The figure as a section of a page."""
        drawn = [html.plot(drawing.title, drawing.of.drawn()) for drawing in self.drawings]
        body = html.figure(drawn, self.caption) if drawn else html.paragraph(self.caption)
        return html.section(self.title, body)


def write(figures: Iterable[tuple[str, Figure]], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Each drawing as `<prefix>-<figure>-<drawing>.<format>` and its caption as `.txt`; the paths written.

    An SVG stands on its own: it names no file and no font, and its text is text. `formats`: of `FORMATS`. Raises
    BadInputError for another format, before anything is drawn, and where this machine cannot make PDFs.
    """
    _require_known(formats)
    paths = []
    for prefix, figure in figures:
        for drawing in figure.drawings:
            stem = "-".join(filter(None, map(_plain_name, (prefix, figure.name, drawing.title))))
            caption = f"{figure.title}: {drawing.title}. {figure.caption}\n"
            contents = {kind: _CONTENTS[kind](drawing, caption) for kind in formats} | {"txt": caption.encode()}
            for ending, content in contents.items():
                path = folder / f"{stem}.{ending}"
                with atomic_file(path) as temporary:
                    temporary.write_bytes(content)
                paths.append(path)
    return paths


def checked_formats(text: str) -> list[str]:
    """Formats separated by commas. Raises BadInputError for one that there is not, before work that takes long."""
    formats = [name.strip() for name in text.split(",")]
    _require_known(formats)
    return formats


def _require_known(formats: Sequence[str]) -> None:
    if unknown := [name for name in formats if name not in FORMATS]:
        raise BadInputError(f"--format {','.join(formats)}: '{unknown[0]}' is none of {', '.join(FORMATS)}.")


def _plain_name(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text.casefold()).strip("-.")


def alone(drawing: Drawing) -> str:
    """The drawing as a document of its own."""
    start, rest = str(drawing.of.drawn()).replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1).split(">", 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{start}><title>{escape(drawing.title)}</title>{rest}\n'


def _pdf(drawing: Drawing, caption: str) -> bytes:
    return pdf.pdf(html.drawing_page(drawing.title, drawing.of.drawn(), caption))


_CONTENTS: dict[str, Callable[[Drawing, str], bytes]] = {
    SVG: lambda drawing, _: alone(drawing).encode(),
    PDF: _pdf,
    CSV: lambda drawing, _: files.csv(drawing.of.data()),
}
