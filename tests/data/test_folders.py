"""A folder that has not changed is not scanned again, and one that has is."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fas_core.data import folders, hashes, layouts, manifest, trail
from fas_core.data.layouts import Asked
from fas_core.errors import BadInputError
from tests.conftest import Result


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Folders that were scanned."""
    scanned: list[Path] = []
    real = layouts.scanned

    def noted(root: Path, *args: object, **kwargs: object) -> object:
        scanned.append(root)
        return real(root, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(layouts, "scanned", noted)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setattr(hashes, "LEAST", 2)
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
    return scanned


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for name in ("live/s1/a/0.png", "live/s1/b/0.png", "spoof/paper/s1/0.png", "spoof/paper/s2/0.png"):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    (tmp_path / "faces" / "notes.txt").write_text("nothing")
    return tmp_path / "faces"


def test_an_unchanged_folder_is_not_scanned_again_and_the_command_says_the_same(
    faces: Path, tmp_path: Path, scans: list[Path], fas: Callable[..., Result]
) -> None:
    out = tmp_path / "m.csv"
    first = fas("data", "scan", faces, "--out", out)
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in (out, trail.path_of(out))}
    again = fas("data", "scan", faces, "--out", out)
    assert again.err == first.err
    assert "m.csv: 4 images, 2 bona fide, 2 attacks" in first.err
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in before} == before
    assert len(scans) == 1
    folders.write_manifest(faces, out, "folder")
    folders.write_manifest(faces, out, asked=Asked(label=""))
    folders.write_manifest(faces, tmp_path / "other.csv")
    assert len(scans) == 3  # what was asked for, and where it was written, count


def test_a_scan_knows_what_it_has_looked_into_but_not_behind_links_or_in_what_it_passes_over(
    faces: Path, tmp_path: Path
) -> None:
    (faces / ".DS_Store").write_text("nothing")
    looked_into = layouts.scanned(faces).looked_into
    below = [path for path in faces.rglob("*") if path.is_dir()]
    assert sorted(looked_into or ()) == sorted(map(str, (faces, *below, faces / "notes.txt")))  # images by name alone
    for name in (".hidden", "__MACOSX", "live/__MACOSX"):
        (faces / name).mkdir()
        assert layouts.scanned(faces).looked_into is None, name
        (faces / name).rmdir()
    (faces / "live/s1/a/1.png").symlink_to(tmp_path / "1.png")
    assert layouts.scanned(faces).looked_into is None


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("what", "n"),
    [
        (lambda root: (root / "live/s1/a/1.png").hardlink_to(root / "live/s1/a/0.png"), 5),
        (lambda root: (root / "live/s1/a/0.png").unlink(), 3),
        (lambda root: (root / "live/s1/a").rename(root / "live/s1/c"), 4),
        (lambda root: (root / "live/s1/a/0.png").rename(root / "live/s1/a/1.png"), 4),
        (lambda root: (root / "notes.txt").write_bytes((root / "live/s1/a/0.png").read_bytes()), 4),
        (lambda root: change(root.parent / "m.csv"), 4),
        (lambda root: (root.parent / "m.csv").unlink(), 4),
        (lambda root: trail.path_of(root.parent / "m.csv").unlink(), 4),
    ],
)
def test_whatever_changes_is_noticed(
    what: Callable[[Path], None], n: int, faces: Path, tmp_path: Path, scans: list[Path]
) -> None:
    folders.write_manifest(faces, tmp_path / "m.csv")
    states = {path: path.stat() for path in faces.rglob("*")}
    what(faces)
    for path, about in states.items():  # as who hides it would do
        if path.exists():
            os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    if (faces / "notes.txt").read_bytes() != b"nothing":  # an image by its content, outside live/ and spoof/
        with pytest.raises(BadInputError, match="lies outside live/ and spoof/"):
            folders.write_manifest(faces, tmp_path / "m.csv")
    else:
        assert folders.write_manifest(faces, tmp_path / "m.csv").n == n
    assert len(scans) == 2


def test_nothing_is_kept_of_a_folder_that_links_lead_out_of_or_that_has_just_changed(
    faces: Path, tmp_path: Path, scans: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SETTLED", 3600.0)
    for _ in range(2):
        folders.write_manifest(faces, tmp_path / "m.csv")
    assert len(scans) == 2
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
    (faces / ".hidden").mkdir(mode=0o000)
    for _ in range(2):
        folders.write_manifest(faces, tmp_path / "m.csv")
    assert len(scans) == 4
    (faces / ".hidden").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (faces / "live/s1/a/0.png").rename(tmp_path / "elsewhere/0.png")
    (faces / "live/s3").symlink_to(tmp_path / "elsewhere")
    assert folders.write_manifest(faces, tmp_path / "m.csv").n == 4
    (tmp_path / "elsewhere/1.png").hardlink_to(tmp_path / "elsewhere/0.png")
    assert folders.write_manifest(faces, tmp_path / "m.csv").n == 5
    assert len(scans) == 6


@pytest.mark.parametrize("place", ["m.csv", "faces/m.csv", "faces/live/m.csv", "other/m.csv", "faces/live/s1/a/m.csv"])
@pytest.mark.parametrize("is_linked", [False, True])
def test_names_are_those_that_each_path_by_itself_has(
    place: str, is_linked: bool, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_linked:
        (tmp_path / "elsewhere").mkdir()
        (faces / "live/s1/b").rename(tmp_path / "elsewhere/b")
        (faces / "live/s1/b").symlink_to(tmp_path / "elsewhere/b")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "link").symlink_to(tmp_path / "faces")
    monkeypatch.chdir(tmp_path)
    for root in (faces, Path("faces"), Path("link"), Path("faces/../faces")):
        paths = layouts.scanned(root).rows["path"]
        expected = [manifest.relative_to(Path(path), (tmp_path / place).parent) for path in paths]
        folders.write_manifest(root, Path(place))
        assert manifest.read(Path(place)).rows["path"].tolist() == expected
        assert all((tmp_path / place).parent.joinpath(name).is_file() for name in expected)
