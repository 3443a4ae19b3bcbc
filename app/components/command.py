"""Commands for a terminal, and a button that copies them."""

from pathlib import Path

from app.components.bundle import mounted

_mount = mounted(
    Path(__file__),
    """
<div class="command">
  <pre tabindex="0" role="region" aria-label="Commands"></pre>
  <button type="button" aria-live="polite">Copy</button>
</div>
""",
)


def show_command(text: str) -> None:
    """Draws lines that somebody types, once on a page.

    Not `st.code`, for which the browser fetches and starts 1.6 MB that knows the colours of three hundred languages:
    the page is settled half a second later.
    """
    _mount(key="command", data={"text": text})
