"""What a manifest was read as is kept, and never of another one."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fas_core.data import hashes, manifest, twins
from fas_core.errors import BadInputError


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    monkeypatch.setattr(twins, "LEAST", 2)
    (tmp_path / "m.csv").write_text(
        "path,label,subject_id,subset,frame,glasses,year,score,note\n"
        "a.png,live,S1,Train,1,yes,1999,0.5,\n"
        'b.png,spoof,s1,train,,no,2000,,"a, ""b"" ü"\n'
        "c.png,attack,s2,dev,3.5,unknown,2001,0.25, x \n"
    )
    return tmp_path / "m.csv"


def n_kept() -> int:
    return len([*(twins.home() / "tables").glob("*")])


def test_the_twin_is_the_manifest_to_the_last_cell_and_is_read_instead(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = manifest.read(table)
    assert n_kept() == 1
    real = manifest.checked
    monkeypatch.setattr(manifest, "checked", None)  # nothing is checked again
    again = manifest.read(table)
    pd.testing.assert_frame_equal(again.rows, first.rows, check_index_type=True)
    assert again.notes == first.notes
    assert len(again.notes) > 0
    assert again.sha256 == first.sha256 == replace(first, key="").sha256
    assert [str(again.rows[name].dtype) for name in ("frame", "year", "score")] == ["float64", "int64", "float64"]
    again.rows.loc[0, "subject_id"] = "another"
    assert manifest.read(table).rows["subject_id"][0] == "S1"
    monkeypatch.setattr(manifest, "checked", real)
    before = table.stat()  # one letter is another, at the same time
    table.write_text(table.read_text().replace("1999", "1998"))
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert manifest.read(table).rows["year"][0] == 1998
    labelled = manifest.LabelValues.of("spoof,attack", "live")
    assert manifest.read(table, labels=labelled).rows["label"].tolist() == ["bona_fide", "attack", "attack"]
    assert n_kept() == 3


def test_a_kept_hash_of_the_data_is_of_these_files_and_rows(table: Path) -> None:
    def alone() -> str:
        return replace(manifest.read(table), key="").sha256

    sha256 = manifest.read(table).sha256
    (table.parent / "a.png").write_bytes(b"a")
    assert manifest.read(table).sha256 == alone() != sha256
    assert manifest.read(table).only(["train"]).sha256 not in (sha256, alone())
    (table.parent / "a.png").unlink()
    assert manifest.read(table).sha256 == sha256
    table.write_text(table.read_text().replace("0.25", "0.75"))
    assert manifest.read(table).sha256 == alone() != sha256


def test_nothing_is_kept_of_what_has_problems_and_all_goes_where_it_is_dropped(table: Path, tmp_path: Path) -> None:
    wrong = table.with_name("wrong.csv")
    wrong.write_text(table.read_text().replace("live", "perhaps"))
    for _ in range(2):
        with pytest.raises(BadInputError, match="row 1 .*unknown label 'perhaps'"):
            manifest.read(wrong)
    assert n_kept() == 0
    first = manifest.read(table)
    (twin,) = (twins.home() / "tables").glob("*")
    assert twin.stat().st_mode & 0o077 == 0
    twin.write_bytes(twin.read_bytes()[:-100])  # damaged
    pd.testing.assert_frame_equal(manifest.read(table).rows, first.rows)
    hashes.drop(tmp_path / "whatever")
    assert n_kept() == 0


def test_twins_used_longest_ago_make_room(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest.read(table)
    (oldest,) = (twins.home() / "tables").glob("*")
    os.utime(oldest, (1, 1))
    monkeypatch.setattr(twins, "KEPT", 2.5 * oldest.stat().st_size)
    others = [table.with_name(f"{n}.csv") for n in range(2)]
    for number, other in enumerate(others):
        other.write_text(table.read_text().replace("1999", str(number)))
        manifest.read(other)
    assert n_kept() == 2
    assert not oldest.exists()
