"""Every page opens on every Run that the core accepts, however odd."""

from pathlib import Path

import pytest

from fas_core.access import secret
from fas_core.runs import encrypting
from tests.conftest import tiny_samples, write_image_run
from tests.house import PROJECT
from tests.odd_runs import ODD, PARTIAL, write_odd_run, write_partial_run

from .conftest import page, texts
from .test_views import RUN_VIEWS

LOCKED = {"overview", "gallery", "image", "latent", "frames", "traversal", "separation", "likelihood"}  # need the key


@pytest.mark.parametrize("has_images", [True, False], ids=["images", "scores"])
@pytest.mark.parametrize("kind", ODD)
def test_every_page_opens_on_it(kind: str, has_images: bool, tmp_path: Path) -> None:
    write_odd_run(tmp_path / "cache", kind, has_images=has_images)
    _, wrong = _every_page(tmp_path / "cache", kind)
    assert not wrong


@pytest.mark.parametrize("kind", PARTIAL)
def test_every_page_shows_what_a_run_holds(kind: str, tmp_path: Path) -> None:
    write_partial_run(tmp_path / "cache", kind)
    write_image_run(tmp_path / "cache", "usual", tiny_samples())
    said, wrong = _every_page(tmp_path / "cache", kind)
    assert not wrong
    names = {"latents": "latent codes", "reconstructions": "reconstructions", "inputs": "original images"}
    for content, words in names.items():
        is_said = any(f"no {words}" in of_page for of_page in said.values())
        assert is_said == (content not in PARTIAL[kind]), (content, said)


def test_every_page_says_that_a_run_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = write_image_run(tmp_path / "cache", "locked", tiny_samples())
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    encrypting.encrypt(run)
    monkeypatch.delenv(secret.DATA_KEY)
    said, wrong = _every_page(tmp_path / "cache", "locked")
    assert not wrong
    without = {
        view
        for view, of_page in said.items()
        if "images and codes are encrypted, and this server has no key" in of_page
    }
    assert without == LOCKED, {view: said[view] for view in without ^ LOCKED}
    for view, of_page in said.items():  # neither where a key would be, nor half a sentence
        assert secret.DATA_KEY not in of_page, view
        assert "only ." not in of_page, view
    assert f"Run {run.id} is encrypted, and its key" in caplog.text  # for who operates the server


def _every_page(cache: Path, kind: str) -> tuple[dict[str, str], dict[str, str]]:
    """What each says, and what is wrong with those that fail or say nothing."""
    wrong, said = {}, {}
    at = page(cache=cache, run=kind)
    for view in RUN_VIEWS:
        at.switch_page(f"views/{view}.py").run()
        if at.exception:
            wrong[view] = at.exception[0].message + at.exception[0].stack_trace[-1][-200:]
        elif not at.title or len(texts(at)) < 40:
            wrong[view] = f"it says nothing: {texts(at)}"
        said[view] = texts(at)
    return said, wrong


def test_an_upload_is_told_that_no_model_can_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    run = write_image_run(tmp_path, "imported", tiny_samples(), seed=1)
    at = page("image", cache=tmp_path, run=run.info.name, image_source="Upload")
    at.file_uploader[0].upload("me.png", (PROJECT / ".github" / "threshold.png").read_bytes(), "image/png").run()
    assert not at.exception
    assert any("there is no model to ask" in error.value for error in at.error)
