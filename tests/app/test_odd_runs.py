"""Every page opens on every Run that the core accepts, however odd."""

from pathlib import Path

import pytest

from tests.odd_runs import ODD, write_odd_run

from .conftest import page, texts
from .test_views import RUN_VIEWS


@pytest.mark.parametrize("has_images", [True, False], ids=["images", "scores"])
@pytest.mark.parametrize("kind", ODD)
def test_every_page_opens_on_it(kind: str, has_images: bool, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    write_odd_run(cache, kind, has_images=has_images)
    wrong = {}
    at = page(cache=cache, run=kind)
    for view in RUN_VIEWS:
        at.switch_page(f"views/{view}.py").run()
        if at.exception:
            wrong[view] = at.exception[0].message + at.exception[0].stack_trace[-1][-200:]
        elif not at.title or len(texts(at)) < 40:
            wrong[view] = f"it says nothing: {texts(at)}"
    assert not wrong
