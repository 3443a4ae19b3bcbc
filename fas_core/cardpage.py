"""An operating-point card as one HTML file that needs no network and prints on paper.

It holds what evaluators ask for (ISO/IEC 30107-3, and the letters of testing laboratories): errors per species with
intervals and counts, non-responses, trade-offs, DET, the subjects with the most errors, and what the threshold was
chosen on. It claims nothing: no test laboratory has seen these numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fas_core import metrics, scores
from fas_core.presentations import presentations
from fas_core.store import Run
from fas_core.uncertainty import zero_error_upper_bound

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p.answer { font-size: 1.1rem; } p.warning { border-left: 4px solid #b45309; padding-left: .7rem; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0; } caption { text-align: left; color: #555; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.n { white-space: nowrap; }
code { font-size: .85em; overflow-wrap: anywhere; } .quiet { color: #555; }
svg text { font: 12px system-ui, sans-serif; fill: #1a1a1a; }
@page { margin: 16mm; }
@media print { body { margin: 0; max-width: none; } section, tr, figure { break-inside: avoid; } }
"""


def page(card: Mapping[str, Any], run: Run | None) -> str:
    """The HTML. `run`: the Run of the card, for the DET curve; None where it is gone, which the page then says."""
    title = f"Operating point of {card['run_name']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='quiet'>{escape(_who(card))}</p>",
        f"<p class='answer'>{answer(card)}</p>",
    ]
    if card["optimistic"]:
        parts.append(
            "<p class='warning'><strong>Optimistic.</strong> The threshold was set by hand or chosen on samples that "
            "it is reported on. On new data the errors will be larger.</p>"
        )
    parts += [
        _section("The decision", _facts(_decision(card))),
        _section("Errors at this threshold", _errors(card)),
        _section("Attacks by species, worst first", _species(card)),
        _section("Other thresholds, on the reported samples", _trade_offs(card)),
        _section("DET", _det(card, run)),
        _section("Subjects with the most wrong decisions", _subjects(card)),
        _section("What a test report should state", _facts(_checklist(card))),
        _section("To compute it again", _facts(_provenance(card))),
    ]
    if card.get("note"):
        parts.insert(3, _section("Note", f"<p>{escape(str(card['note']))}</p>"))
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def answer(card: Mapping[str, Any]) -> str:
    """The card in a sentence or two, as HTML."""
    cell = card["reported_together"]
    worst = cell["apcer_worst"]
    words = []
    if cell["bpcer"] is not None:
        words.append(f"{rate(cell['bpcer'], cell['bpcer_interval'])} of bona fide {_things(card)} are rejected")
    if worst is not None:
        passes = rate(cell["apcer_max"], cell["apcer_interval_per_species"].get(worst))
        words.append(f"the worst attack, {escape(worst)}, passes {passes} of the time")
    return f"At the threshold {card['threshold']:.6g}, {'; '.join(words)}." if words else "Nothing was reported."


def rate(value: float | None, interval: Mapping[str, Any] | None) -> str:
    """A rate with its interval, or with the bound that no error in n trials leaves: 0 % (≤ 1.9 %).

    A tenth of a percent is shown from a hundred trials (subjects, videos or samples) on.
    """
    if value is None:
        return "–"
    n = interval["n_units"] if interval else 0
    digits = 1 if n >= 100 else 0
    text = f"{100 * value:.{digits}f} %"
    if interval is None:
        return text
    if value == 0:
        return f"{text} (≤ {100 * zero_error_upper_bound(n):.{digits}f} %)"
    return f"{text} ({100 * interval['low']:.{digits}f}–{100 * interval['high']:.{digits}f})"


def _things(card: Mapping[str, Any]) -> str:
    unit = card["level"].split(" ")[0]
    return "samples" if unit == "frame" else f"{unit}s"


def _who(card: Mapping[str, Any]) -> str:
    by = f" by {card['by']}" if card.get("by") else ""
    return f"Decided on {card['created'].replace('T', ' ')}{by}. Not a certificate: no test laboratory was involved."


def _decision(card: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Score": f"{card['score']} ({card['direction']})",
        "Threshold": repr(card["threshold"]),
        "Rule": card["rule"],
        "Chosen on": ", ".join(card["chosen_on"]) or "no data: set by hand",
        "Reported on": ", ".join(card["reported_on"]),
        "Decision level": card["level"],
        "Without a score": "counts as an attack" if card["fail_closed"] else "non-response, counted beside the rates",
    }


def _errors(card: Mapping[str, Any]) -> str:
    cells = {f"{', '.join(card['chosen_on'])} (chosen here)": card["chosen"]} if card["chosen"] else {}
    cells |= card["reported"]
    if len(card["reported"]) > 1:
        cells["all reported"] = card["reported_together"]
    rows = []
    for name, cell in cells.items():
        worst = cell["apcer_worst"]
        interval = cell["apcer_interval_per_species"].get(worst) if worst else None
        missing = cell["n_non_response"]
        rows.append(
            [
                name,
                f"{cell['n_bona_fide']:,}",
                rate(cell["bpcer"], cell["bpcer_interval"]),
                f"{sum(cell['n_per_species'].values()):,}",
                "–" if worst is None else f"{rate(cell['apcer_max'], interval)}, {worst}",
                "–" if cell["acer"] is None else f"{100 * cell['acer']:.1f} %",
                f"{missing['bona_fide']} / {missing['attack']}",
            ]
        )
    heads = ["Subset", "Bona fide", "BPCER", "Attacks", "Worst APCER", "ACER", "No response (bona fide / attack)"]
    return _table(heads, rows, f"In brackets: 95 % intervals, {_method(card['reported_together'])}.")


def _method(cell: Mapping[str, Any]) -> str:
    intervals = [cell["bpcer_interval"], *cell["apcer_interval_per_species"].values()]
    units = sorted({one["unit"] for one in intervals if one})
    if units in (["sample"], []):
        return "Clopper-Pearson, every sample an independent trial"
    return f"by resampling whole {' or '.join(units)}s; where there is no error, the exact bound for that many of them"


def _species(card: Mapping[str, Any]) -> str:
    cell = card["reported_together"]
    defined = [(value, name) for name, value in cell["apcer_per_species"].items() if value is not None]
    rows = []
    for _, name in sorted(defined, key=lambda pair: (-pair[0], pair[1])):
        interval = cell["apcer_interval_per_species"][name]
        people = cell["n_subjects_per_species"][name]
        rows.append(
            [
                name,
                f"{cell['n_per_species'][name]:,}",
                "–" if people is None else f"{people:,}",
                rate(cell["apcer_per_species"][name], interval),
            ]
        )
    return (
        _table(["Species", "Presentations", "Subjects", "APCER"], rows, "") if rows else "<p>No attack was tested.</p>"
    )


def _trade_offs(card: Mapping[str, Any]) -> str:
    found = card["trade_offs"]
    if not found or found["roc_auc"] is None:
        return "<p>One class only: there is no trade-off.</p>"
    rows = [
        [f"BPCER ≤ {100 * entry['target']:g} %", rate(entry["apcer_max"], None), rate(entry["bpcer"], None)]
        for entry in found["apcer_at_bpcer"]
    ] + [
        [f"APCER ≤ {100 * entry['target']:g} %", rate(entry["apcer_max"], None), rate(entry["bpcer"], None)]
        for entry in found["bpcer_at_apcer"]
    ]
    eer = "–" if found["eer"] is None else f"{100 * found['eer']['value']:.1f} %"
    about = f"AUC {found['roc_auc']:.3f}, EER {eer}. Thresholds found on these very samples: for orientation only."
    return _table(["Where", "Worst APCER", "BPCER"], rows, about)


def _subjects(card: Mapping[str, Any]) -> str:
    if not card["worst_subjects"]:
        return "<p>None: no wrong decision, or the data name no subjects.</p>"
    rows = [
        [
            one["subject_id"],
            f"{one['rejected']} of {one['n_bona_fide']}",
            f"{one['missed']} of {one['n_attack']}",
        ]
        for one in card["worst_subjects"]
    ]
    return _table(["Subject", "Bona fide rejected", "Attacks missed"], rows, "")


def _checklist(card: Mapping[str, Any]) -> dict[str, str]:
    cell = card["reported_together"]
    people = cell["n_subjects_bona_fide"]
    species = ", ".join(f"{name} {n:,}" for name, n in cell["n_per_species"].items()) or "none"
    missing = cell["n_non_response"]
    return {
        "Species and presentations of each": species,
        "Bona fide presentations": f"{cell['n_bona_fide']:,}",
        "Bona fide subjects": "the data name none" if people is None else f"{people:,}",
        "Attack potential": "not recorded in the data",
        "Threshold": f"rule {card['rule']} on {', '.join(card['chosen_on']) or 'no data'}, frozen before reporting"
        if not card["optimistic"]
        else f"rule {card['rule']}; NOT independent of the reported samples",
        "Non-responses": f"bona fide {missing['bona_fide']}, attacks {missing['attack']}",
        "Fewest trials of a species": _fewest(cell),
    }


def _fewest(cell: Mapping[str, Any]) -> str:
    counts = cell["n_per_species"]
    if not counts:
        return "–"
    name = min(counts, key=counts.__getitem__)
    if not counts[name]:
        return f"{name}: none with a score"
    bound = 100 * zero_error_upper_bound(counts[name])
    return f"{name}: {counts[name]:,}; no error among them would still allow an APCER of {bound:.1f} %"


def _provenance(card: Mapping[str, Any]) -> dict[str, str]:
    return {
        "Run": f"{card['run']} ({card['run_name']})",
        "Checkpoint": f"{card['checkpoint'] or '–'} sha256 {card['checkpoint_sha256'] or '–'}",
        "Data": f"{card['manifest'] or '–'} sha256 {card['manifest_sha256'] or '–'}",
        "Preprocessing": card["preprocessing"] or "–",
        "Precision": card["precision"] or "–",
        "Format of the Run, of the card": f"{card['format_version']}, {card['version']}",
        "Seal of the card": card["sha256"],
        "Check": "fas threshold --check CARD.json",
    }


# ------------------------------------------------------------------------------------------------------ HTML and SVG


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in facts.items()
    )
    return f"<table>{rows}</table>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        classes = ["", *[" class='n'"] * (len(row) - 1)]
        return "".join(f"<{tag}{c}>{escape(text)}</{tag}>" for c, text in zip(classes, row, strict=True))

    about = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table>{about}<tr>{cells(heads, 'th')}</tr>{body}</table>"


_SIDE, _LEFT, _TOP = 420, 64, 12  # of the plane in the drawing, in pixels
_SHOWN = 1_000  # trials: rates below half of one of them are drawn at the axis
_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
_DASHES = ("none", "8 4", "2 3", "10 3 2 3", "1 5")


def _det(card: Mapping[str, Any], run: Run | None) -> str:
    """BPCER over APCER on probit axes, per species, with the operating point."""
    if run is None:
        return "<p>The Run of this card is gone, and the curve with it.</p>"
    decided = presentations(
        run, scores.values(run, card["score"]), card["level"], fail_closed=bool(card["fail_closed"])
    )
    reported, at = decided.score_set(card["reported_on"]), card["reported_together"]
    species = [name for name, apcer in at["apcer_per_species"].items() if apcer is not None]
    if at["bpcer"] is None or not species:
        return "<p>One class only: there is no curve.</p>"
    lines = []
    for number, name in enumerate(species):
        curve = metrics.thinned(metrics.curves(metrics.of_species(reported, name)), 400)
        path = " ".join(f"{_x(p):.1f},{_y(q):.1f}" for p, q in zip(curve.apcer_pooled, curve.bpcer, strict=True))
        x, y = _x(at["apcer_per_species"][name]), _y(at["bpcer"])
        dash, grey = _DASHES[number % len(_DASHES)], 100 * (number // len(_DASHES) % 2)
        stroke = f"stroke='rgb({grey},{grey},{grey})' stroke-dasharray='{dash}' stroke-width='1.6' fill='none'"
        key = _TOP + 14 + 18 * number
        lines.append(
            f"<polyline points='{path}' {stroke}/><circle cx='{x:.1f}' cy='{y:.1f}' r='4'/>"
            f"<path d='M{_LEFT + _SIDE + 20} {key}h34' {stroke}/>"
            f"<text x='{_LEFT + _SIDE + 60}' y='{key + 4}'>{escape(name)}</text>"
        )
    return (
        f"<figure style='margin:0'><svg viewBox='0 0 {_LEFT + _SIDE + 220} {_TOP + _SIDE + 50}' role='img' "
        f"aria-label='DET: BPCER over APCER per species' style='max-width:44rem'>{_axes()}{''.join(lines)}</svg>"
        "<figcaption class='quiet'>Each line is a species, each dot the operating point. Both axes are probit scales; "
        f"rates below {50 / _SHOWN:g} % lie at the edge.</figcaption></figure>"
    )


def _x(apcer: float) -> float:
    return _LEFT + _SIDE * _place(apcer)


def _y(bpcer: float) -> float:
    return _TOP + _SIDE * (1 - _place(bpcer))


def _place(rate: float) -> float:
    """0 to 1 on a probit axis."""
    low, here, high = metrics.probit([0, rate, 1], _SHOWN)
    return float((here - low) / (high - low))


def _axes() -> str:
    found = [f"<rect x='{_LEFT}' y='{_TOP}' width='{_SIDE}' height='{_SIDE}' fill='none' stroke='#999'/>"]
    for tick in _TICKS:
        x, y = _x(tick), _y(tick)
        found.append(
            f"<path d='M{x:.1f} {_TOP}V{_TOP + _SIDE}M{_LEFT} {y:.1f}H{_LEFT + _SIDE}' stroke='#e5e5e5'/>"
            f"<text x='{x:.1f}' y='{_TOP + _SIDE + 18}' text-anchor='middle'>{100 * tick:g}</text>"
            f"<text x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{100 * tick:g}</text>"
        )
    middle = _TOP + _SIDE / 2
    found.append(
        f"<text x='{_LEFT + _SIDE / 2}' y='{_TOP + _SIDE + 40}' text-anchor='middle'>APCER in %</text>"
        f"<text x='16' y='{middle}' text-anchor='middle' transform='rotate(-90 16 {middle})'>BPCER in %</text>"
    )
    return "".join(found)
