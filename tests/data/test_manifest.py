import contextlib
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fas_core.data import check, manifest
from fas_core.data.names import groups_of, in_protocol_order
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, read_table

GOOD = "path,label,pai_species,subject_id,frame,lamp\na.png,live,,007,1,3\nb.png,spoof,paper,007,2,4\n"


def written(folder: Path, text: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_reads_synonyms_defaults_and_free_columns(tmp_path: Path) -> None:
    rows = manifest.read(written(tmp_path, GOOD)).rows
    assert rows["label"].tolist() == ["bona_fide", "attack"]
    assert rows["sample_id"].tolist() == ["a.png", "b.png"]
    assert rows["subject_id"].tolist() == ["007", "007"]  # a code, not the number 7
    assert rows["subset"].tolist() == ["all", "all"]
    assert rows["frame"].tolist() == [1.0, 2.0]
    assert rows["lamp"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label\nlive\n", "column 'path' is missing"),
        ("path\na.png\n", "column 'label' is missing"),
        ("path,label\na.png,alive\n", "row 1 (a.png): unknown label 'alive'"),
        ("path,label\na.png,1\n", "does not say which is the attack"),
        ("path,label\na.png,live\nb.png,\n", "row 2 (b.png): the label is empty"),
        ("path,label,sample_id\na.png,live,x\nb.png,live,x\n", "row 2 (b.png): sample_id 'x' is used before, in row 1"),
        ("path,label,pose_x\na.png,live,left\n", "pose_x 'left' is not a number"),
        ("path,label,pose_x\na.png,live,30 %\n", "pose_x '30 %' is not a number: leave out the percent sign"),
        ("path,label\na.png,0\nb.png,2\nc.png,0\n", "Labels here: '0' (2 rows), '2' (1 row)"),
        ("path,label,subset\na.png,live,../up\n", "subset name '../up'"),
        ("path,label,pai_species\na.png,live,mask\n", "bona fide image with pai_species 'mask'"),
        ("path,label\n", "has no rows"),
        ("path,label,path\na,live,b\n", "'path'"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, expected: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInputError) as error:
        manifest.read(path)
    assert expected in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file_and_a_binary_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"nowhere\.csv does not exist"):
        manifest.read(tmp_path / "nowhere.csv")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 but not really")
    with pytest.raises(BadInputError, match="not a readable"):
        manifest.read(broken)


def test_attack_label_says_which_number_is_the_attack(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label\na.png,0\nb.png,1\n")
    assert manifest.read(path, manifest.LabelValues.of("0")).rows["label"].tolist() == ["attack", "bona_fide"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_written_and_read_again_is_the_same(tmp_path: Path, ending: str) -> None:
    rows = manifest.read(written(tmp_path, GOOD)).rows
    again = manifest.read(manifest.write(rows, tmp_path / f"again{ending}")).rows
    pd.testing.assert_frame_equal(rows, again[rows.columns], check_dtype=False)


def test_hash_follows_content_and_rows_but_not_the_folder(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name, shade in (("a.png", 10), ("b.png", 20)):
            Image.new("L", (8, 8), shade).save(tmp_path / folder / name)
    first = written(tmp_path / "one", GOOD)
    two = written(tmp_path / "two", GOOD)
    assert manifest.read(first).sha256 == manifest.read(two).sha256
    before = manifest.read(two).sha256
    size = (tmp_path / "two" / "a.png").stat().st_size
    Image.new("L", (8, 8), 11).save(tmp_path / "two" / "a.png")
    assert (tmp_path / "two" / "a.png").stat().st_size == size  # the size alone would not have told
    assert manifest.read(two).sha256 != before
    relabelled = written(tmp_path / "one", GOOD.replace("paper", "mask"), "r.csv")
    assert manifest.read(relabelled).sha256 != manifest.read(first).sha256


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = written(tmp_path, "old")
    with contextlib.suppress(RuntimeError), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.csv"]


def test_protocol_order() -> None:
    names = ["unseen_replay", "test", "unseen_mask", "seen_replay", "train", "seen_paper", "live"]
    assert in_protocol_order(names) == [
        "train", "live", "seen_paper", "unseen_mask", "seen_replay", "unseen_replay", "test",
    ]  # fmt: skip


def test_unknown_subset_lists_the_known_ones(tmp_path: Path) -> None:
    data = manifest.read(written(tmp_path, GOOD))
    with pytest.raises(BadInputError, match="'live'.*Subsets here: all"):
        data.only(["live"])


FREE = {
    "firmware": ["2.50", "2.5", "2.5"],
    "recording": ["9007199254740993", "", "9007199254740995"],
    "code": ["001", "2", "3"],
    "power": ["1e3", "1000", "7"],
    "phone": ["+46701", "+46702", "+46703"],
    "gain": ["3", "3.5", ""],
}


def test_free_columns_come_out_as_they_went_in(tmp_path: Path) -> None:
    table = pd.DataFrame({"path": list("abc"), "label": "live", "exact": ["0.5", "", "-1.0"], "whole": list("123")})
    table.assign(**FREE).to_csv(tmp_path / "m.csv", index=False)
    rows = manifest.read(tmp_path / "m.csv").rows
    assert rows["exact"].dtype == float
    assert rows["whole"].dtype == int
    for ending in ("csv", "parquet"):
        again = read_table(manifest.write(rows, tmp_path / f"again.{ending}"))
        assert {name: again[name].tolist() for name in FREE} == FREE
    before, after = read_table(tmp_path / "m.csv"), read_table(tmp_path / "again.csv")
    assert after[before.columns].replace("bona_fide", "live").to_csv() == before.to_csv()


def test_texts_that_look_the_same_are_one_and_it_is_said(tmp_path: Path) -> None:
    lines = [
        "path,label,subject_id,session_id,video_id,pai_species,subset",
        "Zoe\u0308/1.png,live,Zoe\u0308,1,v1,none,Dev",
        "b.png,spoof,Zo\u00eb\u200b,2,v1,Mask,dev",
        "c.png,spoof,Ann,1,v1,mask\u00ad,dev",
        "d.png,spoof,null,1,v1,unknown,dev",
    ]
    data = manifest.read(written(tmp_path, "\n".join(lines) + "\n"))
    assert data.rows["subject_id"].tolist() == ["Zoë", "Zoë", "Ann", ""]
    assert data.rows["path"].iloc[0] == "Zoe\u0308/1.png"  # as the file is called
    assert data.rows["sample_id"].iloc[0] == "Zo\u00eb/1.png"
    assert data.rows["pai_species"].tolist() == ["", "Mask", "Mask", ""]
    assert set(data.rows["subset"]) == {"dev"}
    said = " ".join(data.notes)
    for words in (
        "subject_id: 'null' counts as not stated (1 rows)",
        "pai_species: 'unknown' counts as not stated (1 rows)",
        "pai_species: 'mask' (1 rows) differ from 'Mask' (1) in case only",
        "subset: 'Dev' (1 rows) differ from 'dev' (3)",
        "video_id: 1 of 1 ids lie in several sessions: one video in each session",
    ):
        assert words in said


@pytest.mark.parametrize("species", ["Live", "bona fide"])
def test_an_attack_is_not_called_bona_fide(tmp_path: Path, species: str) -> None:
    path = written(tmp_path, f"path,label,pai_species\na.png,spoof,{species}\n")
    with pytest.raises(BadInputError, match="an attack with pai_species"):
        manifest.read(path)


def test_a_species_called_as_a_group_is_a_group_of_its_own() -> None:
    samples = pd.DataFrame({"subset": "dev", "label": ["attack", "bona_fide"], "pai_species": ["train", ""]})
    assert groups_of(samples).tolist() == ["attack, train", "bona fide"]


def test_an_image_that_is_live_and_an_attack_is_a_problem(tmp_path: Path) -> None:
    for name, shade in (("a", 1), ("b", 1), ("c", 2), ("d", 2)):
        Image.new("L", (4, 4), shade).save(tmp_path / f"{name}.png")
    (tmp_path / "m.csv").write_text("path,label\na.png,live\nb.png,spoof\nc.png,live\nd.png,live\n")
    report = check.checked(tmp_path / "m.csv")
    assert [*report.duplicates] == [["a.png", "b.png"], ["c.png", "d.png"]]
    assert report.problems == [
        manifest.Problem(2, "b.png", "an attack with the same image as 'a.png', which is bona fide")
    ]
