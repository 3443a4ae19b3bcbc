"""Exported tables: nothing in them is a formula to a spreadsheet, and ids and numbers stay what they are."""

import errno
import grp
import gzip
import io
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from fas_core import files
from fas_core.data import boxes, hashes, images, videos
from fas_core.data.images import UnreadableImageError
from fas_core.errors import BadInputError


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1", "-", "'=1"])
def test_what_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert files.harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "s03_p1_f002", "a=b", "1-2", "-4", "+3.5e-2", "-.5", " =1", "ä"])
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert files.harmless(text) == text


def test_a_table_keeps_its_numbers_and_gaps_and_its_texts_can_be_had_back() -> None:
    texts = ["=HYPERLINK(1)", "plain", "'quoted", 'a "b", c', None]
    exported = pd.DataFrame({"sample_id": texts, "score": [-1.5, 2.0, float("nan"), 0.0, -0.0], "=head": texts})
    before = exported.copy()
    content = files.csv(exported)
    assert b"\n=" not in content
    assert b",=" not in content
    back = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    assert list(back) == ["sample_id", "score", "'=head"]
    assert [text[1:] if text.startswith("'") else text for text in back["sample_id"]] == [*texts[:4], ""]
    assert back["score"].astype(str).tolist() == ["-1.5", "2.0", "", "0.0", "-0.0"]
    pd.testing.assert_frame_equal(exported, before)


def table(folder: Path, content: str | bytes, name: str = "t.csv") -> pd.DataFrame:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return files.read_table(path)


ROWS = [["a", "x,y"], ["b", "1,10"]]


@pytest.mark.parametrize(
    "content",
    [
        'id,note\na,"x,y"\nb,"1,10"\n',
        "id;note\r\na;x,y\r\n\r\nb;1,10\r\n",
        "\ufeffid\tnote\na\tx,y\nb\t1,10",
        "sep=;\nid;note\na;x,y\nb;1,10\n",
        "# by a tool, in 2024\n#\n\nid;note\na;x,y\nb;1,10\n",
        "# id;note\na;x,y\nb;1,10\n",
        "sep=|\nid|note\na|x,y\nb|1,10\n",
        ' id\u00a0;"\ufeffnote";;\na;x,y;;\nb;1,10;;\n',
        "id;note\na;x,y\nb;1,10\n".encode("utf-16"),
    ],
)
def test_tables_of_spreadsheets_are_read(tmp_path: Path, content: str | bytes) -> None:
    read = table(tmp_path, content)
    assert list(read) == ["id", "note"]
    assert read.to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,a,b\n1,2,3\n4,5\n", r"row 2, line 3 \(4\): 2 cells, but the header has 3"),
        ("id,a\n1,2,3\n", "row 1, line 2 .*3 cells, but the header has 2"),
        ("Results\nid,a\n1,2\n", "Is 'Results' a title above the header"),
        ('id,a,b\n1,"x,3\n2,y,4\n5,z",6\n', "row 1: the cell that begins with 'x,3' goes on to line 4"),
        ('id,a\n1,x\n2,"y\n3,z\n', "the row that begins in line 3"),
        ('id,a\n1,"x"y\n', "a quote is not closed in the row that begins in line 2"),
        ("id,a,\n1,2,\n3,4\n", "row 2"),
        ("id, id\u200b\n1,2\n", "column 'id' appears twice"),
        (b"id,a\n1,\xe9\n", "line 2 is not UTF-8"),
        ("", "is empty"),
        ("id,a\n1,2\n".encode("utf-16-le"), "line 1 has a NUL character, as in UTF-16"),
        (b"\xff\xfe\0\0" + "id,a\n1,2\n".encode("utf-32-le"), "NUL character"),
        ("id,a\n1,2\n3,x\0y\n", "line 3 has a NUL character"),
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", "is an Excel workbook or another zip .*Save the sheet as CSV"),
        (gzip.compress(b"id,a\n1,2\n", mtime=0), "compressed by gzip"),
        ('{"id": [1, 2]}', "is JSON"),
        ("id|a\n1|2\n", r"the header is one cell, 'id\|a'.* or write the line sep=\| above"),
    ],
)
def test_rows_that_are_not_whole_are_named(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        table(tmp_path, content)


def test_a_cell_may_have_lines_and_a_column_no_heading(tmp_path: Path) -> None:
    read = table(tmp_path, 'id,note,\n1,"said: ""no"",\nand left",7\n2,24" screen,\n')
    assert list(read) == ["id", "note", "Unnamed: 2"]
    assert read["note"].tolist() == ['said: "no",\nand left', '24" screen']


def test_parquet_tables(tmp_path: Path) -> None:
    def stored(frame: pd.DataFrame) -> pd.DataFrame:
        frame.to_parquet(tmp_path / "t.parquet")
        return files.read_table(tmp_path / "t.parquet")

    pd.DataFrame({"id": ["a"]}).to_parquet(tmp_path / "called.csv", engine="pyarrow")
    assert files.read_table(tmp_path / "called.csv")["id"].tolist() == ["a"]  # by content, whatever it is called
    frame = pd.DataFrame({"score": [1.0, 2.0], "serial": pd.array([4873214862074861313, None], "Int64")})
    assert list(stored(frame.set_axis(["a", "b"]).rename_axis("sample_id"))) == ["sample_id", "score", "serial"]
    assert list(stored(frame.set_axis(["a", "b"]))) == ["index", "score", "serial"]
    assert list(stored(frame[frame["score"] > 1])) == ["score", "serial"]  # row numbers that a filter has left
    assert stored(frame)["serial"].astype("str").tolist()[0] == "4873214862074861313"
    for content, kind in (([b"\xff\x00", b""], "bytes"), ([[1], [2]], "list"), ([{"a": 1}, {"a": 2}], "struct")):
        with pytest.raises(BadInputError, match=f"t.parquet: column 'extra' holds {kind}"):
            stored(frame.assign(extra=content))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("11-unclosed-quotes-eat-rows/quotes.csv", "a quote is not closed"),
        ("16-short-row-leaves-its-subset/short.csv", r"\(a4\): 3 cells"),
        ("25-parquet-with-bytes-joined/bytes.parquet", "column 'extra' holds bytes"),
        ("29-semicolons-decimal-commas-first-lines/semicolon.csv", ""),
        ("29-semicolons-decimal-commas-first-lines/tab.tsv", ""),
        ("29-semicolons-decimal-commas-first-lines/sepline.csv", ""),
        ("29-semicolons-decimal-commas-first-lines/comment.csv", ""),
        ("32-parquet-index-and-float-labels/idx.parquet", ""),
    ],
)
def test_case_tables(shared: Path, case: str, said: str) -> None:
    if said:
        with pytest.raises(BadInputError, match=said):
            files.read_table(shared / "cases" / case)
    else:
        assert {"sample_id", "label", "score", "pai_species"} <= set(files.read_table(shared / "cases" / case))


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Nobody writes there, ever."""
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path / "pipe.csv"


def test_pipes_devices_and_folders_are_refused_at_once(pipe: Path) -> None:
    for path in (pipe, Path("/dev/zero"), Path("/dev/tty"), pipe.parent):
        with pytest.raises(OSError, match="regular file|Is a folder|No such device"):
            files.opened_file(path)
        for read in (files.read_table, files.read_text, boxes.read):
            with pytest.raises(BadInputError, match=re.escape(str(path))):
                read(path)
        with pytest.raises(UnreadableImageError, match="regular"):
            images.load(path)
        with pytest.raises(OSError, match="regular|folder|device"):
            images.is_image(path)
    assert [hashes.sha256_of(str(path)) for path in (pipe, Path("/dev/zero"))] == [b""] * 2
    assert (
        videos._worked(videos._Clip(pipe, pipe.parent / "out"), videos.Sampling(n=1), videos.ALL_STREAMS).problem
        == "not a regular file"
    )
    with pytest.raises(OSError, match="regular"), files.end_of(pipe):
        pass


def test_what_the_shell_hands_over_is_read() -> None:
    """As in fas metrics <(zcat scores.csv.gz)."""
    reading, writing = os.pipe()
    os.write(writing, b"id,score\na,1\n")
    os.close(writing)
    assert files.read_table(Path(f"/dev/fd/{reading}"))["score"].tolist() == ["1"]
    os.close(reading)


def test_no_link_is_followed_below_a_folder(tmp_path: Path) -> None:
    secret, own = tmp_path / "elsewhere" / "secret", tmp_path / "link to cache"
    secret.parent.mkdir()
    secret.write_text("before")
    (tmp_path / "cache" / "there").mkdir(parents=True)
    own.symlink_to(tmp_path / "cache")  # the folder itself may be a link
    (own / "there" / "real").write_text("real")
    with files.opened_file(own / "there" / "real", below=own) as file:
        assert file.read() == b"real"
    (own / "file").symlink_to(secret)
    (own / "folder").symlink_to(secret.parent)
    (own / "new").symlink_to(secret.with_name("not yet"))
    for path in (own / "file", own / "folder" / "secret", own / "new"):
        with pytest.raises(OSError, match="link"):
            files.opened_file(path, below=own)
        with pytest.raises(OSError, match="link"), files.end_of(path, below=own) as end:
            end.write_line("after")
    assert secret.read_text() == "before"
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_what_is_written_is_its_owners_alone(tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def modes() -> dict[str, str]:
        return {str(path.relative_to(tmp_path)): oct(path.stat().st_mode & 0o7777) for path in tmp_path.rglob("*")}

    def write(part: str) -> None:
        files.write_table(pd.DataFrame({"a": [1]}), tmp_path / part / "b" / "t.csv")
        with files.new_folder(tmp_path / part / "n"):
            pass
        with files.end_of(tmp_path / part / "b" / "lines") as end:
            end.write_line("x")

    before = os.umask(umask)
    try:
        write("a")
        assert modes() == {"a": "0o700", "a/b": "0o700", "a/n": "0o700", "a/b/t.csv": "0o600", "a/b/lines": "0o600"}
        monkeypatch.setenv("FAS_GROUP", grp.getgrgid(os.getgid()).gr_name)
        write("g")
    finally:
        os.umask(before)
    shared = {name: mode for name, mode in modes().items() if name[0] == "g"}
    assert shared == {"g": "0o2770", "g/b": "0o2770", "g/n": "0o2770", "g/b/t.csv": "0o660", "g/b/lines": "0o660"}
    monkeypatch.setenv("FAS_GROUP", "no such group")
    with pytest.raises(BadInputError, match="FAS_GROUP names no group of this machine, 'no such group'"):
        files.make_folder(tmp_path / "other")


def test_a_secret_is_whole_its_owners_alone_and_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys" / "key.pem"
    files.write_secret(b"first", path, "Choose another.")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInputError, match="is there already. Choose another."):
        files.write_secret(b"second", path, "Choose another.")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(BadInputError):
        files.write_secret(b"third", path.with_name("other"), "")
    assert [(file.name, file.read_bytes()) for file in path.parent.iterdir()] == [("key.pem", b"first")]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("I/O error: No space left on device (os error 28)"),  # as libraries say it
    ],
)
def test_a_full_disk_is_said_in_a_message_and_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "t").write_text("before")

    def write(error: Exception) -> None:
        with files.atomic_file(tmp_path / "t") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(BadInputError, match="Cannot write to .*(No space|quota).*Free space"):
        write(error)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("t", "before")]
    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError())
