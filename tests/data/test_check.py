"""Groups of samples whose files hold the same bytes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core.data import check, images, manifest, trail
from fas_core.data.hashes import Contents


def contents(hashes: list[bytes]) -> Contents:
    sha256 = np.frombuffer(b"".join(hash.ljust(32, b"\0") for hash in hashes), np.uint8).reshape(-1, 32)
    return Contents(sha256, np.array([not hash for hash in hashes], np.bool_), {}, len(hashes))


@pytest.mark.parametrize("begin", [b"", b"alike in 8 bytes"])
def test_groups_are_in_the_order_of_their_first_and_of_all_bytes(begin: bytes) -> None:
    hashes = [b"x", begin + b"b", begin + b"a", b"", begin + b"b", begin + b"c", b"", begin + b"a", begin + b"b"]
    groups = check._duplicates(pd.Series([*"012345678"], dtype="str"), contents(hashes))
    expected = [["1", "4", "8"], ["2", "7"]]
    assert [*groups] == [groups[0], groups[1]] == groups[:] == expected
    assert groups[-1] == expected[1]
    assert len(groups) == 2
    assert len(groups.rows) == 5
    with pytest.raises(IndexError):
        groups[2]


def test_groups_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [bytes([1 + number % 5]) for number in range(23)]
    groups = check._duplicates(pd.Series(range(23)).astype("str"), contents(hashes))
    expected = [[str(number) for number in range(first, 23, 5)] for first in range(5)]
    assert [*groups] == expected
    monkeypatch.setattr(check, "STEP", 2)
    assert [*groups] == expected
    assert [*check._duplicates(pd.Series([], dtype="str"), contents([]))] == []


def test_rows_of_bad_files_leave_with_their_reasons(tmp_path: Path, fas: Callable[..., Any]) -> None:
    """Whole videos among them are counted, what left has a reason, and problems of what stays are told."""
    (tmp_path / "set").mkdir()
    for n in range(4):
        Image.new("L", (16, 16), 40 * n).save(tmp_path / "set" / f"{n}.png")
    (tmp_path / "set" / "empty.png").write_bytes(b"")
    (tmp_path / "set" / "text.png").write_text("no picture")
    path, out = tmp_path / "set" / "m.csv", tmp_path / "new" / "clean.csv"
    rows = ["0.png,live,,ann,v0,7", "gone.png,live,,ann,v0,8", "1.png,spoof,print,bob,v1,9"]
    rows += ["empty.png,spoof,print,bob,v2,1", "text.png,spoof,print,bob,v2,2", "empty.png,live,,cyd,v3,3"]
    begin = "path,label,pai_species,subject_id,video_id,extra,sample_id\n"

    def write(*more: str) -> None:
        path.write_text(begin + "\n".join(f"{row},s{n}" for n, row in enumerate([*rows, *more])) + "\n")

    write()
    before = path.read_bytes()
    result = fas("data", "check", path)
    assert (result.code, f"Without 4 rows of bad files: fas data check {path} --out OUT.csv" in result.err) == (2, True)
    result = fas("data", "check", path, "--out", out)
    assert result.code == 0
    assert f"{out}: 2 rows, all can be read" in result.err
    assert f"{out.with_suffix('.left.csv')}: 4 rows left out, and why" in result.err
    written = manifest.read(out)
    assert written.rows["path"].tolist() == ["../set/0.png", "../set/1.png"]
    assert written.rows[["sample_id", "extra"]].to_numpy().tolist() == [["s0", 7], ["s2", 9]]
    no_image = f"not a readable {', '.join(images.FORMATS)} or PNM image"
    left = pd.read_csv(trail.left_file(out))
    assert left["sample_id"].tolist() == ["s1", "s3", "s4", "s5"]
    assert left["reason"].tolist() == ["no such file", "the file is empty", no_image, "the file is empty"]
    [stage] = trail.funnel(out, 2).stages
    assert (stage.step.name, stage.step.n_in, stage.step.n_kept, stage.step.n_unexplained) == ("check", 6, 2, 0)
    assert stage.step.left == {"the file is empty": 2, "no such file": 1, no_image: 1}
    assert stage.step.groups == {"bona fide": (3, 2), "print": (3, 2)}
    assert [(lost.unit, lost.is_attack, lost.n) for _, lost in trail.lost(out)] == [
        ("videos", True, 1),
        ("videos", False, 1),
    ]
    assert trail.left_rows(stage)["file"].map(lambda file: Path(file).name).tolist() == [
        "gone.png",
        "empty.png",
        "text.png",
        "empty.png",
    ]
    assert fas("data", "check", out).code == 0
    again = json.loads(fas("data", "check", path, "--out", out, "--json").out)
    assert "bad_files" not in again
    assert len(again["problems"]) == 5  # an empty file is that of another label, too

    assert "stays as it is" in fas("data", "check", path, "--out", path).err
    assert path.read_bytes() == before
    write("1.png,live,,dee,v4,4")
    result = fas("data", "check", path, "--out", out)
    assert (result.code, len(manifest.read(out).rows)) == (2, 3)
    assert f"{out}: 1 problem of images that can be read: fas data check {out}" in result.err
    known = out.read_bytes()
    write("2.png,alive,,dee,v4,4")
    result = fas("data", "check", path, "--out", out)
    assert (result.code, "unknown label 'alive'" in result.err, out.read_bytes() == known) == (2, True, True)
    path.write_text("path,label\ngone.png,live\n")
    assert "no row would be left" in fas("data", "check", path, "--out", out).err
    assert out.read_bytes() == known
