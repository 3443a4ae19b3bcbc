"""What is kept of files' hashes: never of one that has changed."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core import files
from fas_core.data import check, hashes, images, manifest, states
from fas_core.erasure import forgetting
from fas_core.files import MISSING
from tests.conftest import Result

N = 6


pytestmark = pytest.mark.usefixtures("few_are_kept")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files that were read, until it is cleared."""
    names: list[str] = []
    real = files.file_sha256

    def noted(path: Path) -> str:
        names.append(path.name)
        return real(path)

    def noted_image(path: Path) -> bytes:
        names.append(path.name)
        return real_image(path)

    real_image = images.file_bytes
    monkeypatch.setattr(files, "file_sha256", noted)
    monkeypatch.setattr(images, "file_bytes", noted_image)
    return names


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    made_of = [folder / f"{number}.png" for number in range(N)]
    for number, path in enumerate(made_of):
        Image.fromarray(np.full((20, 20), 10 * number, np.uint8)).save(path)
    return made_of


def of(paths: list[Path], folder: Path) -> list[str]:
    return [*hashes.contents(pd.Series([os.path.relpath(p, folder) for p in paths], dtype="str"), folder).digits()]


def afresh(paths: list[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else MISSING for path in paths]


def test_what_is_unchanged_is_read_once_and_what_is_not_again(
    paths: list[Path], tmp_path: Path, read: list[str]
) -> None:
    gone = tmp_path / "images" / "gone.png"
    first = of([*paths, gone], tmp_path)
    assert first == afresh([*paths, gone])
    assert first[-1] == MISSING
    read.clear()
    assert of([gone, *reversed(paths)], tmp_path) == [MISSING, *reversed(first[:-1])]
    assert read == ["gone.png"]
    before = paths[0].stat()  # another content of the same size, with the time of the old one
    paths[0].write_bytes(bytes(reversed(paths[0].read_bytes())))
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    paths[1].replace(paths[2])
    os.utime(paths[3], (0, 0))
    read.clear()
    again = of(paths, tmp_path)
    assert sorted(read) == ["0.png", "1.png", "2.png", "3.png"]
    assert again == afresh(paths)
    assert again[1:4] == [MISSING, first[1], first[3]]
    kept = [*(tmp_path / "kept").rglob("*.npy")]
    assert len(kept) == 1
    assert b"png" not in kept[0].read_bytes()
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # damaged, it is as if it were not there
    read.clear()
    assert of(paths, tmp_path) == again
    assert len(read) == N


def test_nothing_is_kept_of_what_has_just_changed_or_of_few(
    paths: list[Path], tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SETTLED", 3600.0)
    first = of(paths, tmp_path)
    assert of(paths, tmp_path) == first
    assert len(read) == 2 * N
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
    monkeypatch.setattr(hashes, "LEAST", N + 1)
    of(paths, tmp_path)
    assert not (tmp_path / "kept").exists()
    (tmp_path / "kept").write_text("a file stands where the folder would")
    monkeypatch.setattr(hashes, "LEAST", 2)
    assert of(paths, tmp_path) == first


def test_two_manifests_of_a_folder_share_and_what_is_long_gone_is_dropped(paths: list[Path], tmp_path: Path) -> None:
    def n_kept() -> int:
        return len(hashes._read(tmp_path))

    of(paths[:3], tmp_path)
    of(paths[3:], tmp_path)
    assert n_kept() == N
    for number in range(3):  # the same two files, each time changed
        for path in paths[:2]:
            os.utime(path, (number, number))
        of(paths[:2], tmp_path)
    assert n_kept() <= N


def test_commands_use_it_and_rehash_reads_all(
    paths: list[Path], tmp_path: Path, read: list[str], fas: Callable[..., Result]
) -> None:
    rows = pd.DataFrame({"path": [f"images/{path.name}" for path in paths], "label": "live", "subject_id": "s"})
    table = manifest.write(manifest.normalised(rows)[0], tmp_path / "m.csv")
    sha256 = manifest.read(table).sha256
    fas("data", "check", table)
    assert len(read) == 2 * N  # hashed, and then looked at
    read.clear()
    assert manifest.read(table).sha256 == sha256
    fas("data", "check", table)
    assert read == []
    fas("data", "check", table, "--rehash")
    assert len(read) == N
    other = manifest.read(table)
    assert np.array_equal(other.contents, [np.frombuffer(bytes.fromhex(h[:16]), np.uint8) for h in of(paths, tmp_path)])
    forgetting._forget_in_manifest(forgetting.OfManifest(str(table), (), None), None)  # type: ignore[arg-type]
    assert len(hashes._read(tmp_path)) == 0


def test_names_of_one_file_are_read_once_and_what_is_sound_is_not_looked_at_again(
    paths: list[Path], tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = tmp_path / "images" / "again.png"
    linked.hardlink_to(paths[0])
    first = of([linked, *paths], tmp_path)
    assert first[0] == first[1] == afresh(paths)[0]
    assert len(read) == N
    paths[3].write_bytes(paths[3].read_bytes()[:40])
    paths[4].write_bytes(paths[4].read_bytes()[:40])
    rows = pd.DataFrame({"path": [f"images/{p.name}" for p in (linked, *paths)] + ["images/no.png"], "label": "live"})
    rows["pai_species"] = ""
    table = manifest.write(manifest.normalised(rows)[0], tmp_path / "m.csv")

    def problems() -> list[tuple[int, str]]:
        read.clear()
        return [(problem.row, problem.problem) for problem in check.checked(table).problems]

    told = problems()
    assert sorted(read) == ["1.png", "2.png", "3.png", "4.png", "5.png", "again.png", "no.png"]
    assert [row for row, _ in told] == [5, 6, 8]
    assert "no such file" in told[2][1]
    pairs = [["images/again.png", "images/0.png"], ["images/3.png", "images/4.png"]]  # the latter: cut alike
    assert [*check.checked(table).duplicates] == pairs
    assert problems() == told  # what is wrong is looked at again, and only that
    assert sorted(read) == ["3.png", "4.png", "no.png"]
    os.utime(linked, (0, 0))
    problems()
    assert sorted(read) == ["3.png", "4.png", "again.png", "no.png"]
    monkeypatch.setattr(check, "RULES", "others")
    assert problems() == told
    assert len(read) == N + 1
    monkeypatch.setattr(check, "FEW", 0)  # by processes
    monkeypatch.setattr(check, "BATCH", 2)
    hashes.drop(tmp_path)
    assert problems() == told


def test_what_was_read_before_a_stop_is_kept(paths: list[Path], tmp_path: Path, read: list[str]) -> None:
    real = hashes._hashed

    def stopped(of: Sequence[str]) -> Iterator[tuple[int, hashes.Seen]]:
        yield from real(of[: N - 2])
        raise KeyboardInterrupt

    names = pd.Series([f"images/{path.name}" for path in paths], dtype="str")
    with pytest.raises(KeyboardInterrupt):
        hashes.contents(names, tmp_path, stopped)
    read.clear()
    assert of(paths, tmp_path) == afresh(paths)
    assert sorted(read) == ["4.png", "5.png"]


@pytest.mark.process
def test_states_are_the_same_whoever_asks_for_them(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "images" / "link.png").symlink_to(paths[0])
    names = [*(f"images/{path.name}" for path in paths), "images/link.png", "no.png", str(paths[1]), "", "images/ü.png"]
    parts = [os.fsencode("\0".join([*names[start : start + 3], ""])) for start in range(0, len(names), 3)]
    alone = [*states.each(iter(parts), os.fsencode(tmp_path), 0)]
    assert [*states.each(iter(parts), os.fsencode(tmp_path), 2)] == alone
    told = np.frombuffer(b"".join(alone), np.int64).reshape(-1, len(states.FIELDS))
    about = paths[1].stat()
    expected = [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, about.st_dev, 1]
    assert told[1].tolist() == told[-3].tolist() == expected
    assert told[N].tolist() == told[0].tolist()
    assert not told[[N + 1, -2, -1]].any()
    elsewhere = [*states.each(iter(parts), os.fsencode(tmp_path / "no"), 0)]
    assert np.flatnonzero(np.frombuffer(b"".join(elsewhere), np.int64).reshape(told.shape).any(1)).tolist() == [N + 2]


@pytest.mark.process
def test_who_asks_for_states_does_it_alone_where_the_other_process_is_gone(paths: list[Path], tmp_path: Path) -> None:
    part = os.fsencode("".join(f"images/{path.name}\0" for path in paths))
    with states._Process(os.fsencode(tmp_path)) as other:
        expected = other.states(part)
        assert other.process is not None
        other.process.kill()
        other.process.wait()
        assert other.states(part) == states.states(part, os.fsencode(tmp_path)) == expected
