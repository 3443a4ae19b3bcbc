"""What all files of a manifest hold is known without looking at each name, until anything has changed."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data import hashes, states, twins, unchanged
from fas_core.data.hashes import Seen

NAMES = ("a/0", "a/1", "b/0", "b/1", "c/link", "d/e/0", "1")  # of four files: those called 0 are one, as is the link


pytestmark = pytest.mark.usefixtures("few_are_kept")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("a", "b", "c", "d/e", "../elsewhere"):
        (root / name).mkdir(parents=True)
    for name in ("a/0", "a/1", "b/1", "1"):
        (root / name).write_text(f"in {name}")
    for name in ("b/0", "d/e/0", "../elsewhere/0"):
        (root / name).hardlink_to(root / "a/0")
    (root / "c/link").symlink_to(tmp_path / "elsewhere/0")
    return root


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files and folders whose states were asked for."""
    names: list[str] = []
    real = states.each

    def noted(parts: Iterator[bytes], folder: bytes, processes: int) -> Iterator[bytes]:
        listed = [*parts]
        names.extend(name for part in listed for name in part.decode().split("\0")[:-1])
        return real(iter(listed), folder, processes)

    monkeypatch.setattr(states, "each", noted)
    return names


def of(root: Path, names: tuple[str, ...] = NAMES, rules: str = "", looked: list[str] | None = None) -> list[str]:
    def look(paths: hashes.Paths) -> Iterator[tuple[int, Seen]]:
        for at, path in enumerate(paths):
            (looked if looked is not None else []).append(path)
            yield at, Seen(hashes.sha256_of(path))

    return [*hashes.contents(pd.Series(names, dtype="str"), root, look, rules).digits()]  # type: ignore[arg-type]


def afresh(root: Path, names: tuple[str, ...] = NAMES) -> list[str]:
    return [hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names]


def test_one_name_of_each_file_and_the_folders_are_asked_for(root: Path, asked: list[str]) -> None:
    first = hashes.contents(pd.Series(NAMES, dtype="str"), root)
    looked: list[str] = []
    asked.clear()
    again = hashes.contents(pd.Series(NAMES, dtype="str"), root)
    assert asked == ["a", "b", "c", "d/e", ".", "a/0", "a/1", "b/1", "c/link", "1"]
    assert np.array_equal(again.sha256, first.sha256)
    assert [*again.digits()] == afresh(root)
    assert again.n_files == first.n_files == 4
    assert not again.problems
    assert not again.is_missing.any()
    other_order = (*NAMES[3:], *NAMES[:3])
    assert of(root, other_order) == afresh(root, other_order)
    assert of(root, rules="some", looked=looked) == afresh(root)
    assert len(looked) > 0
    looked.clear()
    assert of(root, rules="some", looked=looked) == of(root, looked=looked) == afresh(root)
    assert looked == []


def replace(root: Path, name: str, times_of: str) -> None:
    about = (root / times_of).stat()
    (root.parent / "new").write_text("else")
    (root.parent / "new").rename(root / name)
    os.utime(root / times_of, ns=(about.st_atime_ns, about.st_mtime_ns))


def exchange(folder: Path) -> None:
    folder.rename(folder.with_name("gone"))
    folder.mkdir()
    (folder / "0").write_text("else")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "b/0").write_text("else"),  # by another name than the one that is asked for
        lambda root: replace(root, "b/0", times_of="b"),
        lambda root: replace(root, "1", times_of="1"),
        lambda root: [
            (root / "a").rename(root / "x"),
            (root / "b").rename(root / "a"),
            (root / "x").rename(root / "b"),
        ],
        lambda root: [(root / "c/link").unlink(), (root / "c/link").symlink_to(root / "a/1")],
        lambda root: exchange(root / "d/e"),  # no file has changed
        lambda root: exchange(root.parent / "elsewhere"),  # nor a folder that is named, but what a link leads to
    ],
)
def test_whatever_changes_is_noticed(change: Callable[[Path], object], root: Path) -> None:
    before = of(root)
    assert of(root) == before == afresh(root)
    change(root)
    assert of(root) == afresh(root) != before


@pytest.mark.parametrize("is_folder", [False, True])
def test_nothing_is_kept_of_what_changes_while_files_are_read_however_late_a_clock_is(
    is_folder: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SETTLED", -3600.0)  # as if the files' clock were an hour behind this one
    real = hashes._hashed

    def hashed(paths: hashes.Paths) -> Iterator[tuple[int, Seen]]:
        yield from real(paths)
        if is_folder:
            exchange(root / "d/e")
        else:
            (root / "1").write_text("else")

    monkeypatch.setattr(hashes, "_hashed", hashed)
    hashes.contents(pd.Series(NAMES, dtype="str"), root)
    monkeypatch.setattr(hashes, "_hashed", real)
    assert of(root) == afresh(root)


def test_what_is_damaged_or_was_read_by_other_code_is_as_if_it_were_not_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of(root)
    (kept,) = (tmp for tmp in (twins.home() / "tables").glob("*.npy"))
    whole = kept.read_bytes()
    assert b"link" not in whole
    names = pd.Series(NAMES, dtype="str")
    key = unchanged.key_of(names, root)
    assert unchanged.kept(key, names, root) is not None
    for content in (b"", whole[:300], whole[:-1]):
        kept.write_bytes(content)
        assert unchanged.kept(key, names, root) is None
        assert of(root) == afresh(root)
        kept.unlink()
    of(root)
    monkeypatch.setattr(twins, "rules", lambda: b"others")
    assert unchanged.key_of(names, root) not in ("", key)
    assert unchanged.key_of(names[::-1], root) != unchanged.key_of(names, root)
    assert unchanged.key_of(pd.Series(["\udcff"], dtype=object), root) == ""


@pytest.mark.parametrize("name", ["missing", "some.pack/0+2.jpg"])
def test_nothing_is_kept_where_a_name_is_no_files(name: str, root: Path) -> None:
    (root / "some.pack").write_text("in a pack")
    for _ in range(2):
        of(root, (*NAMES, name))
    assert not [*(twins.home() / "tables").glob("*.npy")]
