import json
import time
from pathlib import Path

import pytest
from rich.progress import Task as RichTask
from rich.progress import TaskID

from fas_core import progress


def test_lines_and_the_app_s_file_tell_rate_and_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    job = progress.jobs_folder(tmp_path) / "x.json"
    with progress.task("Work", 10, job_file=job, stage="s") as task:
        task.begin_at(4)
        assert task.seconds_left() is None  # what was done before says nothing about the rate
        clock[0] += 6
        task.update(6)
        assert task.seconds_left() == pytest.approx(12.0)
        assert json.loads(job.read_text())["left"] == pytest.approx(12.0)
        (seen,) = progress.jobs(tmp_path)
        assert (seen.label, seen.done, seen.total) == ("Work", 6, 10)
    assert not job.exists()
    captured = capsys.readouterr()
    assert "Work: 6/10, 12 s left" in captured.err
    assert captured.out == ""


def test_the_file_of_dead_work_is_not_shown(tmp_path: Path) -> None:
    folder = progress.jobs_folder(tmp_path)
    folder.mkdir()
    old = {"label": "x", "done": 0, "total": 1, "left": None, "updated": time.time() - 1000, "stage": ""}
    (folder / "old.json").write_text(json.dumps(old))
    (folder / "half.json").write_text("{")
    assert progress.jobs(tmp_path) == []


def test_the_time_left_runs_down_while_no_step_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with progress.task("Work", 10) as task:
        clock[0] += 6
        task.update(2)
        assert task.seconds_left() == pytest.approx(24.0)
        clock[0] += 20
        task.update(2)  # a sign of life
        assert task.seconds_left() == pytest.approx(4.0)
        clock[0] += 5
        assert task.seconds_left() is None  # it takes longer than it looked
        task.update(5)
        assert task.seconds_left() == pytest.approx(31.0)


def test_the_first_steps_tell_no_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with progress.task("Work", 50_000) as task:
        for seconds, done, left in ((1, 2_000, None), (3, 64, None), (4, 1_000, 196.0), (31, 100, 31 * 499.0)):
            clock[0] = 100 + seconds
            task.update(done)
            assert task.seconds_left() == (None if left is None else pytest.approx(left)), seconds
    assert "Work: 2000/50000\n" in capsys.readouterr().err
    of_bar = progress._Left()
    for seconds, done, text in ((1, 2_000, "-:--:--"), (3, 64, "-:--:--"), (4, 1_000, "0:03:16")):
        monkeypatch.setattr(RichTask, "elapsed", seconds)
        monkeypatch.setattr(RichTask, "time_remaining", 196)
        bar = RichTask(TaskID(0), "x", 50_000, done, _get_time=lambda: 0.0)
        assert of_bar.render(bar).plain == text
