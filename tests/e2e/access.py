"""What those who see little need of a page, asked of a tab."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python

from .conftest import Tab

AXE = (Path(axe_playwright_python.__file__).with_name("axe.min.js")).read_text()
RULES = {"label-content-name-mismatch": {"enabled": True}}  # one of those that are off
STARTS_WITHIN = 160  # pixels of the top of the window
LATER = {"frames": 180}  # below the tools of the plots
NOTHING = ("cards", "training")  # is drawn there of the Runs of the cache


def violations(tab: Tab, *only: str) -> list[str]:
    """ "rule: element, and why", of all rules or of some."""
    options: dict[str, object] = {"resultTypes": ["violations"], "preload": False}
    options |= {"runOnly": list(only)} if only else {"rules": RULES}
    broken = tab.page.evaluate("options => axe.run(options)", options)["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in broken for node in rule["nodes"]]


PICTURES = "canvas, img, svg, table, [data-testid=stDataFrame]"
EVERYTHING = """
    const everything = (root) => [...root.querySelectorAll("*")].flatMap((element) =>
        element.shadowRoot ? [element, ...everything(element.shadowRoot)] : [element]);
    const main = document.querySelector("[data-testid=stMain]");
"""


def first_content(tab: Tab) -> float:
    """Where the first picture, plot, table or slider of a chart begins, in pixels from the top of the window."""
    return float(
        tab.page.evaluate(
            f"""() => {{
                {EVERYTHING}
                const tops = everything(main)
                    .filter((element) => element.matches("{PICTURES}, [type=range]"))
                    .map((element) => [element.getBoundingClientRect(), element.matches("[type=range]")])
                    .filter(([box, isSlider]) => box.width >= 48 && (isSlider || box.height >= 48));
                return Math.min(...tops.map(([box]) => box.top));
            }}"""
        )
    )


def overlaps(tab: Tab) -> list[str]:
    """Pairs of a page's elements of which one covers a part of the other; bars that stay in sight may."""
    pairs: list[str] = tab.page.evaluate(
        """() => {
            const main = document.querySelector("[data-testid=stMain]");
            const boxes = [...main.querySelectorAll("[data-testid=stElementContainer]")]
                .filter((place) => !place.closest(".st-key-navigation, .st-key-page_bar, details:not([open])"))
                .map((place) => [place, place.getBoundingClientRect()])
                .filter(([, box]) => box.width > 1 && box.height > 1);
            const covers = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
            return boxes.flatMap(([one, box], i) => boxes.slice(i + 1)
                .filter(([other, its]) => !one.contains(other) && covers(box, its))
                .map(([other]) => `${one.innerText.slice(0, 60)} | ${other.innerText.slice(0, 60)}`));
        }"""
    )
    return pairs
