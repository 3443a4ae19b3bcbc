"""Files that somebody has planted in the cache folder: a fault of one of them is that file's, never a page's."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from fas_core.runs import store, traininglog
from tests.runs.test_store import TOO_DEEP, sealed_again

from .conftest import page, texts

JOB = {"label": "Codes", "done": 1, "total": 2, "left": 3.0, "updated": 0.0, "stage": "x"}
BAD_VALUES = [7, None, [], {"a": {}}, "\ud800", 10**400, -1, 1e308]


def plant(cache: Path) -> None:
    """Every kind of file that the app reads, each wrong in many ways."""
    now = time.time()
    jobs = [JOB | {"updated": now} | {name: value} for name in JOB for value in BAD_VALUES]
    jobs += [JOB | {"updated": now + 10**9}]
    trainings = [_training(cache) | {name: value} for name in _training(cache) for value in BAD_VALUES]
    documents = {
        "jobs": jobs,
        "trainings": trainings,
        "operating_points": [{"version": 1, "threshold": 1.0, "sha256": "x"}, *BAD_VALUES],
        "decisions": [{"version": 1, "verdict": "approved"}, *BAD_VALUES],
    }
    for name, contents in documents.items():
        folder = cache / name
        folder.mkdir(exist_ok=True)
        for number, text in enumerate([*map(json.dumps, contents), *TOO_DEEP, "\0", '{"label"']):
            (folder / f"planted-{number}.json").write_text(text)
        os.mkfifo(folder / "pipe.json")
        (folder / "zero.json").symlink_to("/dev/zero")
        (folder / "folder.json").mkdir()
        (folder / os.fsdecode(b"\xff.json")).write_text("{}")
    run = store.open_run(cache, "a")
    (cache / "marks").mkdir()
    mark = {"sample_id": "live_0", "by": "", "is_marked": True, "note": "", "when": "", "own_label": ""}
    lines = [json.dumps(mark | {name: value}) for name in mark for value in BAD_VALUES]
    (cache / "marks" / f"{run.id}.jsonl").write_text("\n".join([*lines, *TOO_DEEP, "\0", "{"]))
    (cache / "marks" / "labels.json").write_text("[" * 10**5)
    (cache / "selections" / run.id).mkdir(parents=True)
    (cache / "selections" / run.id / "zero.parquet").symlink_to("/dev/zero")
    os.mkfifo(cache / "selections" / run.id / "pipe.parquet")
    sealed_again(store.open_run(cache, "b").folder / "run.json", run="../..")
    for number, text in enumerate(TOO_DEEP):
        (cache / "runs" / f"planted{number}").mkdir()
        (cache / "runs" / f"planted{number}" / "run.json").write_text(text)
    (cache / "runs" / "zero").mkdir()
    (cache / "runs" / "zero" / "run.json").symlink_to("/dev/zero")


def _training(cache: Path) -> dict[str, object]:
    out = cache / "m.safetensors"
    with traininglog.Log(out, ["rec"]) as log:
        log.add({"epoch": 0, "step": 0, "split": "train", "rec": 1.0})
    about = {"id": "0" * 8, "name": "m", "checkpoint": str(out), "experiment": {}, "steps": 2, "started": 1.0}
    return about | {"chosen_by": "rec", "first_step": 0}


@pytest.mark.usefixtures("fresh_caches")
def test_no_page_ends_because_of_a_planted_file(tiny_cache: Path) -> None:
    plant(tiny_cache)
    at = page(cache=tiny_cache, run="a")
    for view in ("overview", "gallery", "threshold", "cards", "compare", "training"):  # what is read where
        at.switch_page(f"views/{view}.py").run()
        assert not at.exception, (view, at.exception[0].message, at.exception[0].stack_trace[-3:])
        assert at.title, texts(at)
        told = "says another Run than its folder" in texts(at).replace("\\", "")
        assert told == (view != "training")


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(errno.ENOSPC, "x"), "no room left on the disk"), (MemoryError(), "not enough memory")],
)
def test_a_lack_of_room_or_memory_is_one_box(
    tiny_cache: Path, error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("fas_core.deciding.card_states.kept", fails)
    at = page("cards", cache=tiny_cache, run="a")
    assert not at.exception
    assert any(words in box.value for box in at.error)
