"""Pages for reading and printing: one HTML file each, that loads nothing and runs nothing. All text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p.answer { font-size: 1.1rem; } p.warning { border-left: 4px solid #b45309; padding-left: .7rem; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0; } caption { text-align: left; color: #555; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.n { white-space: nowrap; }
code { font-size: .85em; overflow-wrap: anywhere; } .quiet { color: #555; }
figure { margin: .4rem 0; } figcaption { max-width: 46rem; }
svg { max-width: 100%; height: auto; vertical-align: top; }
svg text { font: 12px system-ui, sans-serif; fill: #1a1a1a; }
.plot { display: inline-block; } .plot strong { display: block; margin-left: 58px; }
h3 { font-size: 1rem; margin: .8rem 0 .2rem; }
.triplets { display: flex; flex-wrap: wrap; gap: .8rem; } .triplet { font-size: .85rem; max-width: 19rem; }
.triplet img { margin-right: 2px; image-rendering: pixelated; } .triplet div { overflow-wrap: anywhere; }
@page { margin: 16mm; }
@media print { body { margin: 0; max-width: none; } h2, h3 { break-after: avoid; }
  tr, figure svg, .triplet { break-inside: avoid; } }
"""


def html_page(title: str, parts: Sequence[str]) -> str:
    """A whole document of parts that are HTML. Images in it may be data URIs; nothing else is ever loaded."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<meta http-equiv='Content-Security-Policy' content=\"{policy}\">"
        f"<meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def facts(named: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in named.items()
    )
    return f"<table>{rows}</table>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        classes = ["", *[" class='n'"] * (len(row) - 1)]
        return "".join(f"<{tag}{c}>{escape(text)}</{tag}>" for c, text in zip(classes, row, strict=True))

    about = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table>{about}<tr>{cells(heads, 'th')}</tr>{body}</table>"
