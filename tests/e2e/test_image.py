"""The page Image in a real browser: frames of a video by keys and clicks, and an edge between two pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import BrowserContext, expect

from fas_core.bench import drag
from tests.conftest import tiny_samples, write_image_run

from .conftest import watched


def test_keys_and_clicks_lead_through_a_video_and_move_the_edge(tmp_path: Path, context: BrowserContext) -> None:
    samples = tiny_samples()
    is_live = samples["subset"] == "live"
    frames = samples[is_live].iloc[np.arange(30) % 4].assign(video_id="v", subject_id="u", session_id="s")
    frames["sample_id"], frames["frame"] = [f"v_{i:02}" for i in range(30)], np.arange(30.0)
    run = write_image_run(tmp_path, "video", samples[~is_live].merge(frames, how="outer", sort=False))
    with drag.served_app(run.cache) as server, watched(context, server) as tab:
        page = tab.page
        tab.open("image?image=v_10")
        current = page.locator(".tile[aria-current=true]")
        expect(current).to_contain_text("frame 10")
        current.focus()
        for _ in range(3):  # faster than the page follows, and past frames that have no picture there
            page.keyboard.press("ArrowRight")
        expect(current).to_contain_text("frame 13")
        tab.expect_query(image="v_13")
        expect(current).to_be_focused()
        page.keyboard.press("ArrowLeft")
        expect(current).to_contain_text("frame 12")
        line = page.locator(".line > svg")
        box = line.bounding_box()
        assert box is not None
        line.click(position={"x": box["width"] - 4, "y": 30})
        expect(current).to_contain_text("frame 29")
        tab.expect_query(image="v_29")
        page.get_by_text("Slide one image over another").click()
        edge = page.get_by_role("slider", name="Edge between original and reconstruction of v_29")
        edge.focus()
        page.keyboard.press("ArrowRight")
        assert edge.input_value() == "51"
        page.get_by_label("Right").select_option("error")
        expect(page.get_by_role("slider", name="Edge between original and error of v_29")).to_have_attribute(
            "aria-valuetext", "51 % original, the rest error"
        )
        tab.check()
