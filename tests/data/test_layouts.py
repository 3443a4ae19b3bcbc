from pathlib import Path

import pytest
from PIL import Image

from fas_core.data import layouts
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
    rows = layouts.scanned(root, "folder").set_index("sample_id")
    assert len(rows) == 4
    assert rows.loc["live/s1/a/1.png", ["label", "subject_id", "session_id"]].tolist() == ["bona_fide", "s1", "s1/a"]
    assert rows.loc["live/s2/1.png", "session_id"] == ""
    assert rows.loc["spoof/s1/a/1.png", ["label", "pai_species", "subject_id"]].tolist() == ["attack", "", "s1"]
    assert rows.loc["spoof/print/s2/1.png", ["pai_species", "subject_id"]].tolist() == ["paper", "s2"]


def test_an_unknown_species_folder_is_told_by_the_subjects_inside(tmp_path: Path) -> None:
    root = images(tmp_path / "data", "live/s1/1.png", "live/s2/1.png", "spoof/silicone/s1/1.png", "spoof/s2/x/1.png")
    (root / "live" / "s3").symlink_to(images(tmp_path / "elsewhere", "1.png"))
    (root / "live" / "loop").symlink_to(root / "live")
    rows = layouts.scanned(root, "folder").set_index("sample_id")
    assert rows.loc["spoof/silicone/s1/1.png", ["pai_species", "subject_id"]].tolist() == ["silicone", "s1"]
    assert rows.loc["spoof/s2/x/1.png", ["pai_species", "subject_id"]].tolist() == ["", "s2"]
    assert "live/s3/1.png" in rows.index  # links are followed, but not in circles
    assert len(rows) == 5


def test_subset_folders(tmp_path: Path) -> None:
    root = images(
        tmp_path, "train/s1/1.png", "live/s9/1.png", "seen_paper/spoof/s1/1.png", "seen_paper/live/s1/2.png",
        "unseen_mask/s3/x/1.png",
    )  # fmt: skip
    rows = layouts.scanned(root, "folder").set_index("sample_id")
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
    with pytest.raises(BadInputError, match="Layouts: csv, folder"):
        layouts.scanned(tmp_path, "siw")
    with pytest.raises(BadInputError, match="does not exist"):
        layouts.scanned(tmp_path / "no", "folder")


def test_csv_synonyms_and_unknown_values(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "file,label,attack_type,subject,session,pose\nx/1.png,live,none,a,unknown,left\nx/2.png,spoof,print,b,2,up\n"
    )
    rows = layouts.scanned(tmp_path, "csv")
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
    assert layouts.scanned(tmp_path / "a.csv", "csv", attack_label="1")["label"].tolist() == ["attack"]


def test_real_faces(shared: Path) -> None:
    orl = layouts.scanned(shared / "data" / "orl_faces", "csv")
    assert (len(orl), orl["subject_id"].nunique(), set(orl["label"])) == (400, 40, {"bona_fide"})
    cmu = layouts.scanned(shared / "data" / "cmu_faces", "csv")
    assert (len(cmu), cmu["subject_id"].nunique()) == (624, 20)
    assert set(cmu["glasses"]) == {"sunglasses", "none_or_clear"}
