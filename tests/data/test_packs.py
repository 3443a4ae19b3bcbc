"""Packed images are the images: the same bytes, hashes, problems; packs are written once, and never half."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core import files
from fas_core.data import check, hashes, images, manifest, packs
from fas_core.errors import BadInputError
from tests.conftest import Result

N = 7


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(N - 1):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 20), np.uint8)).save(
            folder / f"{number}.png"
        )
    (folder / "6.PNG").write_bytes((folder / "0.png").read_bytes())
    names = [f"{number}.png" for number in range(N - 1)] + ["6.PNG"]
    rows = pd.DataFrame({"path": names, "sample_id": names, "label": "live", "subject_id": "s", "note": "n"})
    return manifest.write(rows, folder / "m.csv")


def test_a_packed_set_is_the_same_data(table: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    out = tmp_path / "packed"
    fas("data", "pack", table, "--out", out, "--per-pack", "3")
    before, after = manifest.read(table), manifest.read(out / "manifest.csv")
    assert after.sha256 == before.sha256
    assert np.array_equal(after.contents, before.contents)
    assert len([*out.glob("*.pack")]) == 3
    assert list(after.rows["path"].str.rpartition(".")[2]) == ["png"] * (N - 1) + ["PNG"]
    for old, new in zip(before.image_paths(), after.image_paths(), strict=True):
        assert np.array_equal(images.load(old), images.load(new))
    told, was = check.checked(out / "manifest.csv"), check.checked(table)
    assert (told.problems, [*told.duplicates]) == ([], [*was.duplicates])
    rows = packs.pack(after, tmp_path / "again", 100).rows  # of packs
    assert manifest.Manifest(rows, tmp_path / "again" / "m.csv").sha256 == before.sha256


def test_what_is_packed_already_is_said_and_stays(table: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    out = tmp_path / "packed"

    def pack(source: Path) -> str:
        return fas("data", "pack", source, "--out", out, "--per-pack", "3").err

    assert "7 images in 3 packs, of which 3 written now" in pack(table)
    first = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = pack(table)
    assert f"{out / 'manifest.csv'}: 7 images in 3 packs, already there; nothing was written" in again
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == first
    (out / "manifest.csv").unlink()
    assert "of which 0 written now" in pack(table)
    next(out.glob("*.pack")).unlink()
    assert "7 images in 3 packs, of which 1 written now" in pack(table)
    other = manifest.write(manifest.read(table).rows.assign(note="other"), table.parent / "other.csv")
    assert "of which 0 written now" in pack(other)
    assert set(manifest.read(out / "manifest.csv").rows["note"]) == {"other"}


def test_packs_stay_or_are_made_anew_where_they_are_damaged(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = manifest.read(table), tmp_path / "packed"
    rows = packs.pack(data, out, 4).rows
    first = {path: path.stat().st_mtime_ns for path in out.glob("*.pack")}
    assert packs.pack(data, out, 4).rows.equals(rows)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.pack")} == first
    content = {path: path.read_bytes() for path in first}
    damaged = min(first)
    damaged.write_bytes(content[damaged][:-1])
    assert packs.pack(data, out, 4).rows.equals(rows)
    assert {path: path.read_bytes() for path in first} == content
    damaged.write_bytes(content[damaged][:20])
    packed = manifest.Manifest(rows, out / "manifest.csv")
    names = rows["path"][rows["path"].str.startswith(damaged.name)]
    for name in names[1:]:
        with pytest.raises(images.UnreadableImageError, match=r"20 bytes and ends before it: cut off, .* Copy it"):
            images.load(out / name)
    damaged.unlink()
    with pytest.raises(images.UnreadableImageError, match="no such file"):
        images.load(out / names.iloc[0])
    assert list((packed.contents == 0).all(1)) == list(rows["path"].str.startswith(damaged.name))
    real = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", lambda path: "0" * 64 if path.name == "3.png" else real(path))
    with pytest.raises(BadInputError, match=r"3\.png has changed"):
        packs.pack(data, tmp_path / "other", 4)
    assert [*(tmp_path / "other").iterdir()] == []
    (table.parent / "2.png").unlink()
    with pytest.raises(BadInputError, match=r"2\.png cannot be read"):
        packs.pack(data, tmp_path / "other", 4)


def test_what_is_kept_of_a_pack_ends_with_it(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setattr(hashes, "LEAST", 2)
    monkeypatch.setattr(hashes, "SETTLED", 0.0)
    out = tmp_path / "packed"
    rows = packs.pack(manifest.read(table), out).rows
    first = hashes.contents(rows["path"], out)
    read: list[str] = []
    real = files.file_sha256

    def noted(path: Path) -> str:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(files, "file_sha256", noted)
    assert np.array_equal(hashes.contents(rows["path"], out).sha256, first.sha256)
    assert read == []
    place = next(out.glob("*.pack"))
    place.write_bytes(place.read_bytes()[::-1])
    assert not np.array_equal(hashes.contents(rows["path"], out).sha256, first.sha256)
    assert len(read) == N - 1  # two rows are of one place
    told = check.checked(manifest.write(manifest.read(table).rows.assign(path=rows["path"]), out / "m.csv"))
    assert (told.n_images, told.n_files) == (N, N - 1)
    assert f"Checking images ({N - 1} files of {N} rows): {N - 1}/{N - 1}" in capsys.readouterr().err
