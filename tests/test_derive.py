"""What is derived from a Run, and the process that makes slow results on demand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fas_core import derive, memo, progress
from fas_core.derive import Work, parsed
from fas_core.errors import BadInputError
from fas_core.evaluation import kept
from fas_core.latent import mixture, projection
from fas_core.runs import duplicates, store


@pytest.fixture
def run(tiny_cache: Path) -> store.Run:
    return store.open_run(tiny_cache, "a")


def waited_for(work: Work, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while work.is_under_way:
        assert time.monotonic() < end, "the worker does not end"
        time.sleep(0.05)


def test_made_stores_what_pages_read(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(Work, "compute", lambda self: done.append(self.what))
    derive.compute(run)
    assert [k for k in mixture.COMPONENTS if mixture.known(run, k)] == [1, 2, 4, 8]  # there are 8 training images
    assert duplicates.known(run, "pixels") is not None
    assert duplicates.known(run, "code") is not None
    assert done == ["umap"]


def test_near_duplicates_of_a_large_run_are_found_with_all_the_rest_and_missed_until_then(
    run: store.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "QUICK", 3)
    monkeypatch.setattr(projection, "NEIGHBOURS", len(run))  # too few for a UMAP
    derive.compare_samples(run)
    assert derive.what_is_ready(run)["near-duplicates"] is False
    derive.compute_slow(run)
    assert derive.what_is_ready(run)["near-duplicates"] is True
    monkeypatch.setattr(duplicates, "MOST", 3)
    assert "near-duplicates" not in derive.what_is_ready(run)  # nobody can have them


def test_scores_only_runs_have_nothing_to_derive(tiny_cache: Path) -> None:
    derive.compute(store.open_run(tiny_cache, "vendor"))
    assert not (tiny_cache / "memo").exists()


def test_a_worker_process_makes_and_stores_the_result(run: store.Run) -> None:
    work = Work(run, parsed("mixture-full-1"))
    work.start()
    assert work.is_under_way
    assert [job.stage for job in progress.jobs(run.cache)] == ["mixture-full-1"]
    waited_for(work)
    assert mixture.known(run, 1, "full") is not None
    assert work.last_words == ""
    assert list(progress.jobs_folder(run.cache).iterdir()) == []


def test_work_under_way_is_not_started_again(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(run, parsed("umap"))
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(a) or FinishedLater())
    work.start()
    work.start()
    Work(store.open_run(run.cache, "a"), parsed("umap")).start()
    assert len(started) == 1
    monkeypatch.setattr(projection, "umap_of", lambda *_: pytest.fail("computed beside the worker"))
    work.compute()
    Work(store.open_run(run.cache, "b"), parsed("umap")).start()
    assert len(started) == 2


@pytest.mark.parametrize(
    ("how", "what"),
    [
        (projection.USUAL, "umap"),
        (projection.Umap(30, 0.25, 7, "training"), "umap-training-30-0.25-7"),
        (projection.Umap(15, 1e-05, 0), "umap-all-15-1e-05-0"),
    ],
)
def test_a_umap_is_made_as_it_was_asked_for(
    run: store.Run, monkeypatch: pytest.MonkeyPatch, how: projection.Umap, what: str
) -> None:
    asked: list[projection.Umap] = []
    monkeypatch.setattr(projection, "umap_of", lambda run, how, tell: asked.append(how))
    result = derive.UmapOf(how)
    assert str(result) == what
    Work(run, parsed(what)).compute()
    assert asked == [how]


def test_no_umap_is_one_message_and_leaves_no_lock(run: store.Run) -> None:
    for what in ("umap-all", "umap-all-x-0.1-0", "umap-all-500-0.1-0", "umap-some-15-0.1-0"):
        with pytest.raises(BadInputError, match="UMAP"):
            Work(run, parsed(what)).compute()
    assert progress.jobs(run.cache) == []


@pytest.mark.parametrize(
    ("text", "result", "label"),
    [
        ("umap", derive.UmapOf(), "UMAP of a (about a minute)"),
        (
            "umap-training-30-0.25-7",
            derive.UmapOf(projection.Umap(30, 0.25, 7, "training")),
            "UMAP of a (about a minute)",
        ),
        ("pca-all", derive.PcaOfAll(), "Principal components of all codes of a"),
        ("separation", derive.Separation(), "Separation of a in numbers"),
        ("near-duplicates", derive.NearDuplicates(), "Near-duplicates of a"),
        ("mixture-diag-8", derive.Mixture("diag", 8), "Mixture of 8 Gaussians (diag) of a"),
        ("mixtures-full-0", derive.Mixtures("full", 0), "Mixtures of Gaussians (full) of a"),
    ],
)
def test_a_result_is_its_text(text: str, result: derive.Result, label: str, run: store.Run) -> None:
    """The text names its job file and its process, so that it must lead back to it."""
    assert parsed(text) == result
    work = Work(run, result)
    assert work.job_file.name == f"{text}-{run.id}.json"
    assert work.label == label


@pytest.mark.parametrize("text", ["", "pca", "pca-all-1", "mixture", "mixture-diag", "mixture-diag-x", "tsne", "Umap"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=f"'{text}' is nothing that is computed. Choose umap, "):
        parsed(text)


def test_mixtures_tell_how_far_they_are(run: store.Run) -> None:
    (step,) = derive.Mixtures("diag", 2).steps(run)
    told: list[float] = []
    step.compute(told.append)
    assert [k for k in mixture.COMPONENTS if mixture.known_likelihoods(run, k, "diag", 2)] == [1, 2, 4, 8]
    assert told == sorted(told)
    assert (len(told), told[-1]) == (9, 1.0)  # two fits of each, and one pass


def test_a_umaps_bar_moves_with_its_share(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FILE_EVERY", 0.0)
    seen: list[tuple[int, int]] = []

    def slow(_: store.Run, __: projection.Umap, tell: projection.Told) -> None:
        for share in (0.1, 0.5, 0.934):
            tell(share)
            (job,) = progress.jobs(run.cache)
            seen.append((job.done, job.total))

    monkeypatch.setattr(projection, "umap_of", slow)
    Work(run, parsed("umap")).compute()
    assert seen == [(10, 100), (50, 100), (93, 100)]


def test_the_pca_of_all_codes_is_work_too(run: store.Run) -> None:
    Work(run, parsed("pca-all")).compute()
    assert memo.found(run.cache, "pca", {"run": run.digest, "k": 10, "on": "all"}) is not None


class FinishedLater:
    """A worker that never ends."""

    def wait(self) -> None:
        time.sleep(3600)


def test_abandoned_work_can_be_started_again(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(run, parsed("umap"))
    work.job_file.parent.mkdir(parents=True)
    work.job_file.write_text("{}")
    long_ago = time.time() - derive.ABANDONED_AFTER - 1
    os.utime(work.job_file, (long_ago, long_ago))
    assert not work.is_under_way
    computed: list[store.Run] = []
    monkeypatch.setattr(projection, "umap_of", lambda run, *_: computed.append(run))
    work.compute()
    assert computed == [run]
    assert not work.job_file.exists()


def test_a_worker_that_fails_leaves_its_last_words_and_no_lock(run: store.Run) -> None:
    work = Work(run, parsed("mixture-diag-128"))
    work.start()
    waited_for(work)
    for _ in range(200):  # the lock goes a moment before the process speaks
        if work.last_words:
            break
        time.sleep(0.05)
    assert work.last_words == "128 components need at least 128 training images; there are 8."
    work.start()
    waited_for(work)


@pytest.mark.process
def test_a_killed_worker_keeps_no_lock(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    dying = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: real(dying, **options))
    work = Work(run, parsed("umap"))
    work.start()
    waited_for(work, 10)
    assert not work.is_under_way


def test_a_sign_of_life_while_the_work_lasts(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "BEAT", 0.01)
    monkeypatch.setattr(progress, "FILE_EVERY", 0.0)
    work = Work(run, parsed("umap"))
    seen: list[float] = []

    def slow(*_: object) -> None:
        os.utime(work.job_file, (0, 0))
        end = time.monotonic() + 10
        while not work.is_under_way and time.monotonic() < end:
            time.sleep(0.01)
        seen.append(work.job_file.stat().st_mtime)

    monkeypatch.setattr(projection, "umap_of", slow)
    work.compute()
    assert seen[0] > 0


@pytest.mark.process
def test_an_unknown_run_is_one_message(tiny_cache: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "fas_core.derive", str(tiny_cache), "nobody", "umap"], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "No Run is called 'nobody'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_derive_computes_what_is_missing_and_says_what_it_is_fitted_on(
    run: store.Run, fas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(amount: str) -> dict[str, Any]:
        return dict(json.loads(fas("derive", "a", amount, "--cache", run.cache, "--json").out))

    before = told("none")
    assert before["fitted_on"] == "Fitted on 8 live training images."
    assert before["ready"] == ["principal components"]
    monkeypatch.setitem(sys.modules, "ray", None)
    no_cluster = fas("derive", "a", "quick", "--cache", run.cache, "--engine", "ray")
    assert (no_cluster.code, "--engine ray needs the library Ray" in no_cluster.err) == (2, True)
    after = told("quick")
    no_cluster = fas("derive", "a", "quick", "--cache", run.cache, "--engine", "ray", "--json")
    assert (no_cluster.code, json.loads(no_cluster.out)) == (0, after)  # nothing is missing that it were for
    assert after["missing"] == ["UMAP"]
    assert set(after["ready"]) >= {"mixture of 8", "score knn", "separation"}
    monkeypatch.setattr(mixture, "fit", lambda *_: pytest.fail("fitted a second time"))
    assert told("quick") == after
    monkeypatch.setattr(kept, "LARGE", 0)
    started: list[list[str]] = []

    def start(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        started.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", start)
    assert told("quick") == after
    assert [command[-3:] for command in started] == [["app.ready", str(run.cache), run.id]]  # pages keep their own
    refused = fas("derive", "a", "quick", "--cache", run.cache, "--engine", "none")
    assert (refused.code, "--engine none: choose local or ray." in refused.err) == (2, True)
