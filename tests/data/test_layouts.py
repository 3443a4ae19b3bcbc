import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from fas_core.data import layouts
from fas_core.data.manifest import LabelValues
from fas_core.errors import BadInputError


def images(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / name)
    return root


@pytest.mark.parametrize("name", layouts.names())
def test_every_layout_explains_itself(name: str) -> None:
    summary, *rest = layouts.description(name).splitlines()
    assert len(summary) > 20
    assert sum("/" in line or "also:" in line for line in rest) >= 2  # the folders or columns it reads


def test_label_folders(tmp_path: Path) -> None:
    root = images(
        tmp_path, "live/s1/a/1.png", "live/s2/1.png", "spoof/s1/a/1.png", "spoof/print/s2/1.png", "live/.hidden/1.png"
    )
    (root / "live" / "notes.txt").write_text("not an image")
    rows = layouts.scanned(root, "folder").rows.set_index("sample_id")
    assert len(rows) == 4
    assert rows.loc["live/s1/a/1.png", ["label", "subject_id", "session_id"]].tolist() == ["bona_fide", "s1", "s1/a"]
    assert rows.loc["live/s2/1.png", "session_id"] == ""
    assert rows.loc["spoof/s1/a/1.png", ["label", "pai_species", "subject_id"]].tolist() == ["attack", "", "s1"]
    assert rows.loc["spoof/print/s2/1.png", ["pai_species", "subject_id"]].tolist() == ["paper", "s2"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = images(tmp_path / "data", "live/s1/1.png", "live/s2/a/1.png", "spoof/silicone/s1/1.png", "spoof/s2/x/1.png")
    (root / "live" / "s3").symlink_to(images(tmp_path / "elsewhere", "1.png"))
    (root / "live" / "loop").symlink_to(root / "live")
    (root / "spoof" / "replay").symlink_to(tmp_path / "elsewhere")  # the same folder in a second place
    (root / "spoof" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    scan = layouts.scanned(root, "folder")
    rows = scan.rows.set_index("sample_id")
    assert rows.loc["spoof/silicone/s1/1.png", ["pai_species", "subject_id"]].tolist() == ["silicone", "s1"]
    assert rows.loc["spoof/s2/x/1.png", ["pai_species", "subject_id"]].tolist() == ["", "s2"]
    assert rows.loc[["live/s3/1.png", "spoof/replay/1.png"], "pai_species"].tolist() == ["", "replay"]
    assert len(rows) == 6
    (note,) = scan.notes
    assert note.startswith("2 files skipped: 1 links that lead nowhere (e.g. spoof/gone.png), 1 links to a folder that")


def test_subset_folders(tmp_path: Path) -> None:
    root = images(
        tmp_path, "train/s1/1.png", "live/s9/1.png", "seen_paper/spoof/s1/1.png", "seen_paper/live/s1/2.png",
        "unseen_mask/s3/x/1.png",
    )  # fmt: skip
    rows = layouts.scanned(root, "folder").rows.set_index("sample_id")
    assert rows.loc["train/s1/1.png", ["subset", "label"]].tolist() == ["train", "bona_fide"]
    assert rows.loc["live/s9/1.png", ["subset", "label"]].tolist() == ["live", "bona_fide"]
    assert rows.loc["seen_paper/spoof/s1/1.png", ["label", "pai_species"]].tolist() == ["attack", "paper"]
    assert rows.loc["seen_paper/live/s1/2.png", ["label", "pai_species", "subset"]].tolist() == [
        "bona_fide", "", "seen_paper",
    ]  # fmt: skip
    assert rows.loc["unseen_mask/s3/x/1.png", ["label", "pai_species", "session_id"]].tolist() == [
        "attack", "mask", "s3/x",
    ]  # fmt: skip


def test_an_image_without_a_label_is_refused(tmp_path: Path) -> None:
    root = images(tmp_path, "live/s1/1.png", "other/s1/1.png")
    with pytest.raises(BadInputError, match="outside live/ and spoof/"):
        layouts.scanned(root, "folder")


def test_wrong_folders_say_what_was_expected_and_found(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"expected the folders live/ and spoof/ .*found a, b"):
        layouts.scanned(images(tmp_path, "a/1.png", "b/1.png"), "folder")
    (tmp_path / "empty" / "live").mkdir(parents=True)
    with pytest.raises(BadInputError, match="no image found"):
        layouts.scanned(tmp_path / "empty", "folder")
    with pytest.raises(BadInputError, match="Unknown layout 'casia'. Layouts: 3dmad, casia-fasd"):
        layouts.scanned(tmp_path, "casia")
    with pytest.raises(BadInputError, match="does not exist"):
        layouts.scanned(tmp_path / "no", "folder")


def test_csv_synonyms_and_unknown_values(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "file,label,attack_type,subject,session,pose\nx/1.png,live,none,a,unknown,left\nx/2.png,spoof,print,b,2,up\n"
    )
    rows = layouts.scanned(tmp_path, "csv").rows
    assert rows["path"].tolist() == [str(tmp_path / "x/1.png"), str(tmp_path / "x/2.png")]
    assert rows["pai_species"].tolist() == ["", "print"]
    assert rows["session_id"].tolist() == ["", "2"]
    assert rows["pose"].tolist() == ["left", "up"]


def test_csv_needs_to_know_which_table(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("path,label\n1.png,1\n")
    with pytest.raises(BadInputError, match=r"found a\.csv, b\.csv"):
        layouts.scanned(tmp_path, "csv")
    with pytest.raises(BadInputError, match="does not say which is the attack"):
        layouts.scanned(tmp_path / "a.csv", "csv")
    assert layouts.scanned(tmp_path / "a.csv", "csv", LabelValues.of("1")).rows["label"].tolist() == ["attack"]


def test_videos_in_folders_are_rows(tmp_path: Path) -> None:
    root = tmp_path
    for name in ("live/Ann/s1/clip.MOV", "live/Ann/s1/notes.txt", "spoof/print/Ann/clip.avi"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    scan = layouts.scanned(root, "folder")
    rows = scan.rows.set_index("sample_id")
    assert rows["video_id"].to_dict() == {
        "live/Ann/s1/clip.MOV": "live/Ann/s1/clip", "spoof/print/Ann/clip.avi": "spoof/print/Ann/clip",
    }  # fmt: skip
    assert rows.loc["spoof/print/Ann/clip.avi", ["pai_species", "subject_id"]].tolist() == ["paper", "Ann"]
    assert scan.reading[0] == "live/<subject>/<session> -> bona_fide: 1 video, 1 subject, 1 session"
    assert scan.notes[0] == "1 file skipped: 1 .txt (e.g. live/Ann/s1/notes.txt)."
    among_images = layouts.scanned(images(root, "live/Ann/s1/1.png"), "folder")  # its film, say
    assert among_images.rows["sample_id"].tolist() == ["live/Ann/s1/1.png"]


def test_people_alone_when_told_what_they_are(tmp_path: Path) -> None:
    root = images(tmp_path, "Ann/s1/1.png", "Bob/2.png", "dev/3.png")
    with pytest.raises(BadInputError, match=r"no subset.*as other folders"):  # dev/ is one, so the others are none
        layouts.scanned(root, "folder", label="live")
    (root / "dev/3.png").rename(root / "3.png")
    (root / "dev").rmdir()
    with pytest.raises(BadInputError, match=r"its label is unknown.*If all are of one kind: --label bona_fide"):
        layouts.scanned(root, "folder")
    for label, meant in (("live", "bona_fide"), ("attack", "attack")):
        rows = layouts.scanned(root, "folder", label=label).rows.set_index("sample_id")
        assert rows[["label", "subject_id"]].apply(tuple, axis=1).to_dict() == {
            "Ann/s1/1.png": (meant, "Ann"), "Bob/2.png": (meant, "Bob"), "3.png": (meant, ""),
        }  # fmt: skip
    for asked, why in (
        ({"label": "alive"}, "--label alive: write bona_fide or attack"),
        ({"protocol": "1"}, "Layout 'folder' takes no --protocol"),
        ({"labels": LabelValues.of("1")}, "takes no --attack-label and its like"),
    ):
        with pytest.raises(BadInputError, match=why):
            layouts.scanned(root, "folder", **asked)
    with pytest.raises(BadInputError, match="'print' says attack, what stands before it bona_fide"):
        layouts.scanned(images(root, "Ann/print/1.png"), "folder", label="live")
    sets = images(tmp_path / "sets", "train/Ann/1.png", "val/Bob/1.png", "test/Eve/1.png")
    assert layouts.scanned(sets, "folder", label="live").rows["subset"].tolist() == ["test", "train", "val"]


def test_real_faces(shared: Path) -> None:
    orl = layouts.scanned(shared / "data" / "orl_faces", "csv").rows
    assert (len(orl), orl["subject_id"].nunique(), set(orl["label"])) == (400, 40, {"bona_fide"})
    cmu = layouts.scanned(shared / "data" / "cmu_faces", "csv").rows
    assert (len(cmu), cmu["subject_id"].nunique()) == (624, 20)
    assert set(cmu["glasses"]) == {"sunglasses", "none_or_clear"}


@pytest.mark.parametrize(
    ("path", "label", "species", "subject"),
    [
        ("a7/REAL/1.png", "bona_fide", "", "a7"),
        ("a7/Bona-Fide/1.png", "bona_fide", "", "a7"),
        ("a7/bona fide/1.png", "bona_fide", "", "a7"),
        ("a7/BonaFide_images/1.png", "bona_fide", "", "a7"),
        ("a7/fake/1.png", "attack", "", "a7"),
        ("a7/Replay/1.png", "attack", "replay", "a7"),
        ("a7/print_attacks/1.png", "attack", "paper", "a7"),
        ("a7/attack/video/1.png", "attack", "video", "a7"),
        ("spoof/silicone mask/a7/1.png", "attack", "silicone mask", "a7"),
        ("live/video_01/1.png", "bona_fide", "", "video_01"),
        ("dev/a7/spoof/1.png", "attack", "", "a7"),
        ("train/a7/spoof/1.png", "attack", "", "a7"),
    ],
)
def test_a_folder_that_names_a_class_is_one_at_any_depth(
    tmp_path: Path, path: str, label: str, species: str, subject: str
) -> None:
    subset = path.split("/")[0] if path.startswith(("dev", "train")) else ""
    beside = f"{subset}/b1/live/2.png" if subset else "live/b1/2.png"  # bona fide images that one subject folder holds
    rows = layouts.scanned(images(tmp_path, path, beside), "folder").rows.set_index("sample_id")
    assert rows.loc[path, ["label", "pai_species", "subject_id", "subset"]].tolist() == [
        label, species, subject, subset,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["live/s1/spoof/1.png"], "'spoof' says attack, what stands before it bona_fide"),
        (["live/mask/1.png"], "'mask' says attack"),
        (["a/not live/1.png"], "'not live' can be read both ways"),
        (["live/spoof_3/1.png"], "'spoof_3' seems to say attack, but what else it lies in says bona_fide"),
        (["a/live_3/1.png"], "'live_3' seems to say bona_fide"),
        (["spoof/print/replay/a/1.png"], "'replay' says the species replay, what stands before it paper"),
        (["live/a/1.png", "spoof/x/a/1.png"], r"read as spoof/<subject>/<session> -> attack, but bona fide .* 'x' may"),
        (["live/1.png", "spoof/x/1.png"], "'x' may be a subject or a species"),
        (["live/a/b/c/1.png"], "of 'a/b/c' only two can be subject and session"),
        (["train/a/1.png", "train/a/spoof/2.png"], "its label is unknown"),
    ],
)
def test_what_contradicts_or_has_two_readings_is_refused(tmp_path: Path, paths: list[str], why: str) -> None:
    with pytest.raises(BadInputError, match=why) as error:
        layouts.scanned(images(tmp_path, *paths), "folder")
    assert "1.png" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (
            ["frames_v2/genuine/x/1.png", "frames_v2/attack/x/1.png"],
            r"all 2 images would be of one subject.* scan \S+v2;",
        ),
        (["a_val/real/1.png", "a_testing/real/1.png"], "'a_testing' and 'a_val' seem subsets, no persons"),
        (["spoof/dev/x/1.png", "live/dev/y/1.png", "live/eval/y/1.png"], "'dev' and 'eval' seem subsets"),
        (["NIR/live/x/1.png", "RGB/live/x/1.png"], "'NIR' seems a kind of image"),
        (["live/x/thermal/1.png"], "'thermal' seems a kind of image"),
        (["live/Images/x/1.png", "live/Images/y/1.png"], "'Images' seems no person"),
        (["genuine/genuine_user7/1.png"], "'genuine_user7' says bona_fide, too"),
        (["live/u7/1.png", "spoof/spoof_u7_mask/1.png"], "'spoof_u7_mask' may name a subject"),
        (["train/u7/deepfakes/1.png"], "'deepfakes' may say what the images show"),
        (["live/x/1.png", "spoof/Screens/1.png"], "'Screens' may say what the images show"),
        (["train/0/u7/1.png", "train/1/u7/1.png"], "'0' and '1' may be labels"),
        (
            ["dev/live/u/1.png", "calibration/u/1.png"],
            "no subset. Expected it under .* as other folders of .* are. Rename",
        ),
    ],
)
def test_what_cannot_be_a_person_is_refused(tmp_path: Path, paths: list[str], why: str) -> None:
    with pytest.raises(BadInputError, match=why) as error:
        layouts.scanned(images(tmp_path, *paths), "folder")
    assert "1.png" in str(error.value)


@pytest.mark.parametrize(
    "paths",
    [
        ["live/test_01/1.png", "live/test_02/1.png", "spoof/mask/test_01/1.png"],  # people of a trial
        ["train/live/0/1.png", "train/live/1/1.png", "train/spoof/0/1.png"],  # people by number
        ["live/Ann/1.png", "spoof/print a4/Ann/1.png"],
        ["live/\u263a/1.png", "spoof/\u263a/1.png"],  # no word at all
        ["train/Ann/s1/1.png", "train/Ann/s2/1.png"],  # one person
        ["live/Ann/photo.png", "live/Ann/video_2.png"],  # the name of a file, not of a species
    ],
)
def test_people_may_have_such_names(tmp_path: Path, paths: list[str]) -> None:
    assert len(layouts.scanned(images(tmp_path, *paths), "folder").rows) == len(paths)


def test_a_file_called_an_attack_is_never_bona_fide(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"read as train/<subject> -> bona_fide, but 'u7_Replay_2.png' says attack"):
        layouts.scanned(images(tmp_path / "a", "train/u7/1.png", "train/u7/u7_Replay_2.png"), "folder")
    scan = layouts.scanned(images(tmp_path / "b", "live/u7/1.png", "spoof/mask/u7/live_1.png"), "folder")
    assert scan.rows["label"].tolist() == ["bona_fide", "attack"]
    assert scan.notes == (
        "1 of the attacks have a file name that says bona fide (e.g. spoof/mask/u7/live_1.png): their folder counts.",
    )


def test_letters_of_another_width_are_the_same_word(tmp_path: Path) -> None:
    rows = layouts.scanned(images(tmp_path, "\uff32\uff45\uff41\uff4c/u7/1.png"), "folder").rows  # fullwidth Real
    assert rows[["label", "subject_id"]].to_numpy().tolist() == [["bona_fide", "u7"]]


def test_the_reading_has_a_line_per_pattern(tmp_path: Path) -> None:
    root = images(
        tmp_path, *(f"train/{s}/{kind}/{i}.png" for s in "ab" for kind in ("live", "Print") for i in range(3))
    )
    scan = layouts.scanned(root, "folder")
    assert scan.reading == (
        "train/<subject>/Print -> attack of species paper: 6 images, 2 subjects",
        "train/<subject>/live -> bona_fide: 6 images, 2 subjects",
    )
    apart = layouts.scanned(images(tmp_path / "apart", "live/a/1.png", "spoof/iphone/1.png"), "folder")
    assert "None of the 1 subjects of attacks (e.g. iphone) has bona fide images" in apart.notes[0]


def test_images_are_told_by_content_and_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    root = images(tmp_path, "live/a/1.png", "live/a/2.bmp", "live/a/3.gif", "live/a/4.jp2", "live/a/5.tga")
    for old, new in (("1.png", "1"), ("2.bmp", "2.dat"), ("3.gif", "3.gif_")):
        (root / "live/a" / old).rename(root / "live/a" / new)
    (root / "live/a/P5.txt").write_text("P5 is the name of a camera")
    (root / "live/a/BM.txt").write_text("BM, the initials")
    (root / "live/a/empty.jpg").touch()  # damaged: a row, so that it counts as a non-response
    (root / "live/a/.hidden").touch()
    scan = layouts.scanned(root, "folder")
    assert [Path(p).name for p in scan.rows["path"]] == ["1", "2.dat", "3.gif_", "4.jp2", "empty.jpg"]
    (note,) = scan.notes
    assert note.startswith("4 files skipped: 1 .tga (e.g. live/a/5.tga), 2 .txt")
    (root / "no" / "live").mkdir(parents=True)
    for name in ("P5.txt", "BM.txt"):
        (root / "live/a" / name).rename(root / "no/live" / name)
    with pytest.raises(BadInputError, match=r"no image found.*2 files skipped: 2 \.txt"):
        layouts.scanned(root / "no", "folder")


def test_an_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = images(tmp_path, "live/a/1.png", "live/b/1.png")
    scandir = os.scandir

    def denied(folder: str) -> object:
        if folder.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(BadInputError, match="live/b cannot be read: Permission denied"):
        layouts.scanned(root, "folder")


def test_csv_labels_are_mapped_or_refused(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text("image,label\n1.png,2\n2.png,0\n3.png,1\n4.png,live\n")

    def labels(*mapping: str | None) -> list[tuple[str, str]]:
        rows = layouts.scanned(table, "csv", LabelValues.of(*mapping)).rows
        return list(zip(rows["label"], rows["pai_species"], strict=True))

    live = ("bona_fide", "")
    assert labels("0,1", "2") == [live, ("attack", ""), ("attack", ""), live]
    assert labels("1", "2", "0=print") == [live, ("attack", "print"), ("attack", ""), live]
    assert labels("7,1", "2,0") == [live, live, ("attack", ""), live]  # all is said: 7 may be missing here
    for mapping, why in (
        (("0,1", None), r"there are the labels 2\. Only one"),  # live is bona fide already, so 2 need not be
        (("1", None), "there are the labels 0, 2"),
        (("1", "2"), "the labels 0 are named neither"),
        (("0,7", None), "No label is '7'"),
        (("1", "1"), "named twice"),
        ((None, "1"), "needs --attack-label"),
        ((None, None, "print"), "write VALUE=SPECIES"),
    ):
        with pytest.raises(BadInputError, match=why):
            labels(*mapping)
    table.write_text("file,filename,label\n1.png,2.png,live\n")
    with pytest.raises(BadInputError, match="'file' and 'filename' may both be 'path'"):
        labels()


CASES = {
    "01-celeba-train-spoof-becomes-live/celeba/Data": (9, 9),
    "03-spoof-only-subject-becomes-species/numeric": (6, 4),
    "03-spoof-only-subject-becomes-species/species": (6, 8),
    "15-jpeg2000-ignored-by-scan/jp2only": (2, 2),
    "15-jpeg2000-ignored-by-scan/ends": (8, 6),
}


@pytest.mark.parametrize("case", CASES)
def test_case_folders(shared: Path, case: str) -> None:
    rows = layouts.scanned(shared / "cases" / case, "folder").rows
    assert tuple((rows["label"] == label).sum() for label in ("bona_fide", "attack")) == CASES[case]
    if "03" in case:
        assert {"p07", "21"} & set(rows["subject_id"])


@pytest.mark.process
def test_case_of_links(shared: Path, tmp_path: Path) -> None:
    script = shared / "cases" / "13-folder-linked-twice-dropped" / "make_links.sh"
    subprocess.run(["sh", script, tmp_path], check=True, stdout=subprocess.DEVNULL)
    rows = layouts.scanned(tmp_path / "protolinks", "folder").rows
    assert rows.groupby(["subset", "subject_id"]).size().to_dict() == {
        ("live", "s03"): 2, ("seen_print", "s02"): 2, ("train", "s01"): 2, ("train", "s02"): 2,
    }  # fmt: skip


def test_a_table_says_which_column_may_hold_subsets(tmp_path: Path) -> None:
    images(tmp_path, "1.png", "2.png")
    (tmp_path / "t.csv").write_text("filepath,label,group\n1.png,live,train\n2.png,fake,Eval\n")
    scan = layouts.scanned(tmp_path / "t.csv", "csv")
    assert "column 'group' seems to name subsets, but is not read so: call it 'subset' or 'split'." in scan.notes
    assert scan.rows["subset"].tolist() == ["all", "all"]
    assert "column filepath -> path" in scan.reading
