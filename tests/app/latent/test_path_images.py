"""The images along a path, without a page."""

import numpy as np
import pytest
import streamlit as st

from app.components.gallery import Panel
from app.latent import path_images
from fas_core.evaluation.paths import Path


@pytest.mark.parametrize(("shape", "palette"), [((3, 16, 16), "gray"), ((3, 16, 16, 3), "colour")])
def test_what_a_colour_model_decodes_is_shown_in_colour(
    shape: tuple[int, ...], palette: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels: list[Panel] = []
    monkeypatch.setattr(path_images.component, "strip", lambda panel, *_, **__: panels.append(panel))
    monkeypatch.setattr(path_images, "zoomed", lambda _, shown, **__: panels.extend(shown))
    monkeypatch.setattr(st, "session_state", {})
    path = Path("line", np.zeros((3, 4)), ["A", "50 %", "B"], "between")
    path_images.show_path(path, np.zeros(shape, np.uint8), None, st.container())
    assert [panel.palette for panel in panels] == [palette, palette, palette, "signed"]
