"""Until when images may be kept: said by the manifest, carried by every Run, and over when the day is."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from fas_core import derive
from fas_core.data import manifest, retention
from fas_core.erasure import plan
from fas_core.errors import BadInputError
from fas_core.runs import health, store, tombstones
from tests.conftest import Result, message, tiny_samples, write_image_run

LATE, LATER = "2026-03-31", "9999-12-31"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A manifest whose subject s0 was to be kept until March."""
    samples = tiny_samples()
    samples["retain_until"] = samples["subject_id"].map({"s0": LATE, "s1": LATER}).fillna("")
    return manifest.write(samples, tmp_path / "people.csv")


@pytest.fixture
def cache(source: Path, tmp_path: Path) -> Path:
    rows = manifest.read(source).rows
    for name, those in (("a", rows), ("late", rows[rows["subject_id"] == "s0"].reset_index(drop=True))):
        run = write_image_run(tmp_path / "cache", name, those, seed=1)
        store.rewrite_info(run.folder, replace(run.info, manifest_path=str(source)))
    return tmp_path / "cache"


def test_the_last_day_is_a_day_on_which_it_may_be_kept() -> None:
    rows = pd.DataFrame({"retain_until": [LATE, "", "2026-04-01T00:00:00", "20260401", LATER]})
    assert retention.overdue(rows, date(2026, 3, 31)).tolist() == [False] * 5
    assert retention.overdue(rows, date(2026, 4, 1)).tolist() == [True, False, False, False, False]
    assert retention.overdue(rows, date(2026, 4, 2)).tolist() == [True, False, True, True, False]
    typed = pd.DataFrame({"retain_until": pd.to_datetime([LATE, None])})
    assert retention.overdue(typed, date(2026, 4, 1)).tolist() == [True, False]
    assert retention.latest(rows[:4]) == "2026-04-01"
    assert not retention.overdue(rows[[]], date(2026, 4, 1)).any()


def test_what_is_no_date_is_refused(source: Path) -> None:
    source.write_text(source.read_text().replace(LATE, "31.3.2026"))
    with pytest.raises(BadInputError, match=r"retain_until '31\.3\.2026' is no date: write it as 2027-05-31"):
        manifest.read(source)


def test_what_is_late_is_said_and_removed_everywhere(
    source: Path, cache: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.open_run(cache, "a")
    n = int((run.samples(["retain_until"])["retain_until"] == LATE).sum())
    assert health.overdue(run) == (
        f"{n} images were to be kept until {LATE} at the latest: fas prune --expired removes them."
    )
    monkeypatch.setattr(derive, "compute_quick", lambda run, **_: None)
    assert "Name a Run" in message(fas("prune", "--cache", cache))
    done = fas("prune", "--expired", "--yes", "--cache", cache)
    assert (done.code, f"Run a ({run.id}): {n} images" in done.err) == (0, True)
    rest = store.open_run(cache, "a")
    assert set(rest.samples(["retain_until"])["retain_until"]) == {LATER, ""}
    assert len(manifest.read(source)) == len(rest)
    assert health.overdue(rest) == ""
    assert tombstones.words_of(cache, run.id).startswith(f"1 person, {n} images removed on ")
    assert [each.info.name for each in store.all_runs(cache)] == ["a"]  # of the other nothing is left
    assert "Nothing is kept beyond" in fas("prune", "--expired", "--yes", "--cache", cache).err


def test_on_another_day_nothing_is_late(cache: Path) -> None:
    assert plan.expired(cache, on=date(2026, 3, 31)).lines == []
    assert len(plan.expired(cache, on=date(2026, 4, 1)).runs) == 2


def test_a_file_that_rows_without_a_last_day_name_is_kept(
    source: Path, cache: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of a manifest that says last days; the manifest itself and its Runs do not."""
    dated = manifest.read(source).rows
    copy = source.with_name("m2.csv")
    manifest.write(dated, copy)
    manifest.write(dated.drop(columns="retain_until"), source)
    for run in list(store.all_runs(cache)):
        shutil.rmtree(run.folder)
    run = write_image_run(cache, "plain", dated.drop(columns="retain_until"), seed=1)
    store.rewrite_info(run.folder, replace(run.info, manifest_path=str(source)))
    for path in dated["path"]:
        (source.parent / path).parent.mkdir(exist_ok=True, parents=True)
        (source.parent / path).write_bytes(b"x")
    late = dated[dated["retain_until"] == LATE]
    own = source.parent / "only_in_copy.png"
    own.write_bytes(b"x")
    extra = late.iloc[:1].assign(path=own.name, sample_id="extra")
    manifest.write(pd.concat([dated, extra], ignore_index=True), copy)

    planned = plan.expired(cache, manifests=[copy], with_images=True)
    files = {str((source.parent / path).resolve()) for path in late["path"]}
    assert (planned.images, set(planned.kept_images)) == ((str(own),), files)
    names = [f"Run plain ({run.id})", f"Manifest {source}"]
    assert all(sorted(by) == sorted(names) for by in planned.kept_by.values())
    monkeypatch.setattr(derive, "compute_quick", lambda run, **_: None)
    done = fas("prune", "--expired", "--images", "--yes", "--data", copy, "--cache", cache)
    n = len(files)
    for name in names:
        said = f"{name} names {n:,} of the same files in rows that stay, {n:,} without a last day (column retain_until)"
        assert said in done.err
    assert f"Kept: {sorted(files)[0]}, which " in done.err
    assert not own.exists()
    assert all(Path(file).is_file() for file in files)
    assert len(manifest.read(copy)) == len(dated) - len(late)
