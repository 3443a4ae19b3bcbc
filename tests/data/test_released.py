"""Each released set's layout on a miniature of its tree: what every file is, what the protocols make of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core.data import boxes, check, layouts, manifest, released, videos
from fas_core.errors import BadInputError

LEFT = None
Expected = tuple[str, str, str] | None  # subset, species ("" is bona fide), subject; or left out
Subsets = dict[str, tuple[int, ...]]  # subset -> how many bona fide and attacks

HIFIMASK = "protocol/CASIA_HiFiMask@p2.1_video_{}.txt"
CEFA = "protocol/CASIA_CeFA@p2.1_video_{}.txt"
TYPES = [0] * 40


@dataclass(frozen=True)
class Tree:
    files: dict[str, Expected]
    others: dict[str, str] = field(default_factory=dict)
    protocols: dict[str, Subsets] = field(default_factory=dict)
    notes: str = ""  # a part of what is said


TREES = {
    "oulu-npu": Tree(
        {
            **{f"Train_files/2_{s}_01_{f}.avi": ("train", species, "01") for s in "13" for f, species in zip(
                "12345", ("", "paper", "paper", "replay", "replay"), strict=True)},
            **{f"Dev_files/2_1_21_{f}.AVI": ("dev", species, "21") for f, species in (("1", ""), ("3", "paper"))},
            **{f"Test_files/{p}_3_36_{f}.avi": ("test", species, "36") for p in "12" for f, species in (
                ("1", ""), ("5", "replay"))},
            "Test_files/7_3_36_1.avi": LEFT,
        },
        {
            "Train_files/2_1_01_1.txt": "0,60,50,90,52\n1,0,0,0,0\n",
            "Protocols/Protocol_3/Train_1.txt": "+1,2_1_01_1\n-1,2_1_01_2\n-2,2_1_01_4\n+1,4_1_02_1\n",
            "Protocols/Protocol_3/Dev_1.txt": "+1,2_1_21_1\n",
            "Protocols/Protocol_3/Test_1.txt": "+1,1_3_36_1\n",
        },
        {
            "1": {"train": (1, 4), "dev": (1, 1), "test": (2, 2)},
            "2": {"train": (2, 4), "dev": (1, 0), "test": (2, 2)},
            "3.1": {"train": (1, 2), "dev": (1, 0), "test": (1, 0)},  # by its lists
            "3.2": {"test": (1, 1)},  # by the names: all training videos are of the phone that it leaves out
            "4.1": {"train": (1, 2), "dev": (1, 0), "test": (1, 1)},
        },
        "train 360 bona fide + 1440 attacks, here 2 bona fide + 8 attacks",
    ),
    "replay-attack": Tree(
        {
            "train/real/client001_session01_webcam_authenticate_adverse_1.mov": ("train", "", "client001"),
            "train/attack/fixed/attack_print_client001_session01_highdef_photo_adverse.mov": (
                "train", "paper", "client001"),
            "train/attack/hand/attack_print_client001_session01_highdef_photo_adverse.mov": (
                "train", "paper", "client001"),
            "devel/attack/hand/attack_mobile_client003_session01_mobile_video_controlled.mov": (
                "dev", "replay", "client003"),
            "test/attack/fixed/attack_highdef_client009_session01_highdef_photo_adverse.mov": (
                "test", "replay", "client009"),
            "enroll/test/client009_session01_webcam_authenticate_controlled_1.mov": LEFT,
        },
        {"face-locations/train/real/client001_session01_webcam_authenticate_adverse_1.face": "0 10 20 30 40\n"},
        {
            "grandtest": {"train": (1, 2), "dev": (0, 1), "test": (0, 1)},
            "print": {"train": (1, 2)},
            "digitalphoto": {"train": (1, 0), "test": (0, 1)},
            "video": {"train": (1, 0), "dev": (0, 1)},
        },
    ),
    "replay-mobile": Tree(
        {
            "train/real/client001_session02_authenticate_mobile_controlled.mov": ("train", "", "client001"),
            "devel/attack/attack_client005_session01_mattescreen_fixed_mobile_photo_lightoff.mov": (
                "dev", "replay", "client005"),
            "test/attack/attack_client009_session01_print_hand_tablet_photo_lighton.mov": (
                "test", "paper", "client009"),
            "enroll/train/client001_session01_enroll_mobile_controlled.mov": LEFT,
        },
        {"faceloc/rect/train/real/client001_session02_authenticate_mobile_controlled.face": "0 1 2 3 4\n"},
        {
            "mattescreen": {"train": (1, 0), "dev": (0, 1)},
            "grandtest": {"train": (1, 0), "dev": (0, 1), "test": (0, 1)},
        },
    ),
    "casia-fasd": Tree(
        {
            "train_release/1/1.avi": ("train", "", "1"),
            "train_release/1/HR_2.avi": ("train", "paper", "1"),
            "test_release/1/HR_1.avi": ("test", "", "21"),
            "test_release/1/6.avi": ("test", "cutout", "21"),
            "test_release/30/7.avi": ("test", "replay", "50"),
            "test_release/30/9.avi": LEFT,
        },
        {"test_release/1/6.face": "0 236 177 171 171\n"},
        {
            "high": {"train": (0, 1), "test": (1, 0)},
            "cut": {"train": (1, 0), "test": (1, 1)},
            "overall": {"train": (1, 1), "test": (1, 2)},
        },
    ),
    "msu-mfsd": Tree(
        {
            "scene01/real/real_client002_android_SD_scene01.mp4": ("train", "", "client002"),
            "scene01/attack/attack_client002_laptop_SD_ipad_video_scene01.mov": ("train", "replay", "client002"),
            "scene01/attack/attack_client001_laptop_SD_printed_photo_scene01.mov": ("test", "paper", "client001"),
            "scene01/attack/real_client001_laptop_SD_scene01.mov": LEFT,
        },
        {
            "scene01/real/real_client002_android_SD_scene01.face": "0,10,20,40,60,30,25,15,26\n",
            "train_sub_list.txt": "02\n",
            "test_sub_list.txt": "01\n",
        },
        {"1": {"train": (1, 1), "test": (0, 1)}},
    ),
    "siw": Tree(
        {
            "Train/live/003/003-1-1-1-1.m.mov": ("train", "", "003"),
            "Train/spoof/003/003-1-2-1-1.mov": ("train", "paper", "003"),
            "Train/spoof/003/003-2-3-4-1.mov": ("train", "replay", "003"),
            "Test/live/001/001-1-1-1-1.mov": ("test", "", "001"),
            "Test/spoof/001/001-1-3-4-1.mp4": ("test", "replay", "001"),
            "Test/spoof/001/001-1-1-4-1.mov": LEFT,  # type 1 in spoof/
            "Test/spoof/001/002-1-3-4-1.mov": LEFT,
        },
        {"Train/spoof/003/003-1-2-1-1.face": "10 20 40 60\n0 0 0 0\n"},
        {
            "1": {"train": (1, 2), "test": (1, 1)},
            "2.4": {"train": (1, 0), "test": (1, 1)},
            "2.1": {"train": (1, 1), "test": (1, 0)},
            "3.1": {"train": (1, 1), "test": (1, 1)},
            "3.2": {"train": (1, 1), "test": (1, 0)},
        },
    ),
    "siw-m": Tree(
        {
            "Live/Train/Live_1.mov": ("train", "", ""),
            "Live/Test/Live_2.mov": ("test", "", ""),
            "Live/Live_3.mov": ("test", "", ""),  # as in SiW-Mv2: by its list
            "Mask/HalfMask/Mask_Half_1.mov": ("", "half mask", ""),
            "Makeup/Cosmetic/Makeup_Co_1.mov": ("", "cosmetic makeup", ""),
            "Partial/PaperCut/a.mov": ("", "cutout", ""),
            "Spoof/Partial_Eye/Partial_Eye_1.mov": ("", "cutout eyes", ""),
            "Paper/Paper_1.mov": ("", "paper", ""),
        },
        {"testlist_live.txt": "Live_3\n"},
        {
            "half-mask": {"train": (1, 4), "test": (2, 1)},
            "cutout-eyes": {"train": (1, 4), "test": (2, 1)},
        },
    ),
    "rose-youtu": Tree(
        {
            "train/_2/G_NT_5s_wg_E_2_1.mp4": ("train", "", "2"),
            "train/2/Mu_T_ZTE_g_E_2_5.mp4": ("train", "paper mask", "2"),
            "13/Vl_NT_IP_wg_E_13_3.mp4": ("test", "replay", "13"),  # without train/ and test/
            "12/Pq_NT_HS_wg_E_12_3.mp4": ("train", "paper", "12"),
            "12/Pq_NT_HS_wg_E_11_3.mp4": LEFT,
            "12/Xx_NT_HS_wg_E_12_3.mp4": LEFT,
        },
        protocols={"1": {"train": (1, 2), "test": (0, 1)}},
    ),
    "celeba-spoof": Tree(
        {
            "Data/train/6041/live/000184.png": ("train", "", "6041"),
            "Data/train/6041/spoof/000185.jpg": ("train", "cutout", "6041"),
            "Data/test/7/spoof/000186.jpg": ("test", "replay", "7"),
        },
        {
            "Data/train/6041/live/000184_BB.txt": "56 112 28 56 0.99\n",
            "Data/train/6041/spoof/000185_BB.txt": "300 10 20 20 0.99\n",  # outside
            "metas/intra_test/train_label.json": json.dumps({
                "Data/train/6041/live/000184.png": [*TYPES, 0, 0, 0, 0],
                "Data/train/6041/spoof/000185.jpg": [*TYPES, 4, 3, 1, 1],
            }),
            "metas/intra_test/test_label.json": json.dumps({
                "Data/test/7/spoof/000186.jpg": [*TYPES, 9, 1, 2, 1],
                "Data/test/7/live/000187.jpg": [*TYPES, 0, 0, 0, 0],
            }),
        },
        {"intra": {"train": (1, 1), "test": (0, 1)}},
        "1 boxes lie outside their image",
    ),
    "casia-surf": Tree(
        {
            **{f"Training/real_part/CLKJ_AS0005/real.rssdk/{m}/0001.jpg": ("train", "", "CLKJ_AS0005") for m in (
                "color", "depth", "ir")},
            "Training/fake_part/CLKJ_AS0005/06_enm_b.rssdk/ir/0007.jpg": ("train", "cutout", "CLKJ_AS0005"),
            "Val/0000/000000-color.jpg": ("dev", "cutout", ""),
            "Val/0000/000000-ir.jpg": ("dev", "cutout", ""),
            "Val/0000/000001-color.jpg": ("dev", "", ""),
            "Testing/0000/000000-color.jpg": LEFT,  # no list says what it is
            "Training/real_part/CLKJ_AS0005/06_enm_b.rssdk/ir/0007.jpg": LEFT,
        },
        {
            "train_list.txt": "Training/real_part/CLKJ_AS0005/real.rssdk/color/0001.jpg x y 1\n",
            "val_private_list.txt": (
                "Val/0000/000000-color.jpg Val/0000/000000-depth.jpg Val/0000/000000-ir.jpg 0\n"
                "Val/0000/000001-color.jpg Val/0000/000001-depth.jpg Val/0000/000001-ir.jpg 1\n"
            ),
        },
        {"1": {"train": (3, 1), "dev": (1, 2)}},
        "Several modalities: depth, nir, rgb",
    ),
    "cefa": Tree(
        {
            "AF/AF-000-198006250024/1_000_1_1_1/color/0001.jpg": ("", "", "AF-000"),
            "AF/AF-000-198006250024/1_000_1_1_1/ir/0001.jpg": ("", "", "AF-000"),
            "AF/AF-000-198006250024/1_000_3_2_2/color/0001.jpg": ("", "cloth", "AF-000"),
            "EA/EA-012/3_012_3_1_4/profile/0003.jpg": ("", "replay", "EA-012"),
            "3D-Mask/073/1_073_1_0_2_1_2/color/0001.jpg": ("", "mask", "3D-Mask-073"),
            "Silicone-Mask/001/2_001_1_1_2_1_3/depth/0001.jpg": ("", "silicone", "Silicone-Mask-001"),
            "EA/EA-012/1_012_3_1_4/profile/0003.jpg": LEFT,  # 1 is AF
            "train/1_101_1_1_1/profile/0001.jpg": ("", "", "AF-101"),  # the challenge of 2020
            "dev/000001/profile/0001.jpg": ("dev", "", ""),
            "dev/000002/profile/0001.jpg": LEFT,  # in no list
        },
        {
            CEFA.format("train"): "CASIA_CeFA/Ethnicity/AF/AF-000/1_000_1_1_1/color 0\nAF/AF-000/1_000_3_2_2/color 1\n",
            "4@1_train.txt": "train/1_101_1_1_1/profile/0001.jpg 1\n",
            "4@1_dev_ref.txt": "dev/000001 1\n",
            CEFA.format("dev"): "Ethnicity/CA/CA-300/2_300_1_1_1/color 0\n",
            CEFA.format("test"): (
                "Ethnicity/EA/EA-012/3_012_3_1_4/color 1\nMask/Silicone-Mask/001/2_001_1_1_2_1_3/color 1\n"
            ),
        },
        {"2.1": {"train": (2, 1), "test": (0, 2)}},
    ),
    "wmca": Tree(
        {
            "face-station/24.05.18/014_05_000_0_00-ab12.hdf5": ("", "", "014"),
            "face-station/17.01.18/002_01_003_2_81.hdf5": ("", "flexible mask", "002"),
            "face-station/17.01.18/015_01_003_1_02.hdf5": ("", "rigid mask", "015"),
            "face-station/17.01.18/016_01_003_3_05.hdf5": ("", "replay", "016"),
            "face-station/17.01.18/016_01_003_3_06.hdf5": ("", "paper", "016"),
            "face-station/17.01.18/016_01_000_0_01.hdf5": ("", "", "016"),
            "face-station/17.01.18/002_01_003_1_81.hdf5": LEFT,
        },
        {
            "WMCA_Grandtest.txt": (
                ",client_id,filepath,group,label\n"
                "1,14,face-station/24.05.18/014_05_000_0_00,train,bonafide\n"
                "2,2,face-station/17.01.18/002_01_003_2_81,train,attack\n"
                "3,15,face-station/17.01.18/015_01_003_1_02,dev,attack\n"
                "4,16,face-station/17.01.18/016_01_003_3_05,eval,attack\n"
                "5,16,face-station/17.01.18/016_01_003_3_06,eval,attack\n"
                "6,16,face-station/17.01.18/016_01_000_0_01,eval,bonafide\n"
            )
        },
        {
            "grandtest": {"train": (1, 1), "dev": (0, 1), "test": (1, 2)},
            "loo-replay": {"train": (1, 1), "dev": (0, 1), "test": (1, 1)},
            "loo-flexible-mask": {"train": (1, 0), "dev": (0, 1), "test": (1, 0)},
        },
    ),
    "nuaa": Tree(
        {
            "ClientRaw/0001/0001_00_00_01_0.jpg": ("", "", "0001"),
            "ImposterRaw/0016/0016_01_05_03_115.jpg": ("", "paper", "0016"),
            "ImposterRaw/0016/0015_01_05_03_115.jpg": LEFT,
        }
    ),
    "3dmad": Tree(
        {
            "Data/01/01_01_01.hdf5": ("train", "", "01"),
            "Data/03/08_03_05.hdf5": ("dev", "mask", "08"),
            "Data/17_02_01.hdf5": ("test", "", "17"),
            "Data/02/17_03_01.hdf5": LEFT,
            "Data/18_02_01.hdf5": LEFT,
        },
        protocols={
            "classification": {"train": (1, 0), "dev": (0, 1), "test": (1, 0)},
            "loo-08": {"train": (2, 0), "test": (0, 1)},
        },
    ),
    "hifimask": Tree(
        {
            "Data/1_19_0_1_2_5/0000.png": ("", "", "1_19"),
            "Data/1_19_0_1_2_5/0001.png": ("", "", "1_19"),
            "Data/1_19_2_1_2_5/0000.png": ("", "plaster mask", "1_19"),
            "Data/3_48_1_6_6_8/0000.png": ("", "transparent mask", "3_48"),
            "Data/3_48_4_6_6_8/0000.png": LEFT,
        },
        {
            HIFIMASK.format("train"): "CASIA_HiFiMask/Data/1_19_0_1_2_5 0\nCASIA_HiFiMask\\Data\\1_19_2_1_2_5 1\n",
            HIFIMASK.format("dev"): "CASIA_HiFiMask/Data/2_79_0_1_4_2 0\n",
            HIFIMASK.format("test"): "CASIA_HiFiMask/Data/3_48_1_6_6_8 1\n",
        },
        {"2.1": {"train": (2, 1), "test": (0, 1)}},
    ),
}  # fmt: skip


def written(root: Path, tree: Tree) -> Path:
    for name in tree.files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(("jpg", "png")):
            Image.new("L", (112, 224)).save(root / name)
        else:
            (root / name).touch()
    for name, text in tree.others.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_every_released_set_is_in_a_tree() -> None:
    assert {name for name in layouts.names() if layouts.described(name)} == set(TREES)


def test_images_of_several_modalities_are_counted_with_their_instants_beside_them(tmp_path: Path) -> None:
    reading = layouts.scanned(written(tmp_path / "set", TREES["casia-surf"])).reading
    assert reading[1:5] == (
        "dev -> attack of species cutout: 2 images, 1 instant",
        "dev -> bona_fide: 1 image, 1 instant",
        "train -> attack of species cutout: 1 image, 1 instant, 1 subject",
        "train -> bona_fide: 3 images, 1 instant, 1 subject",
    )
    assert reading[5].startswith("CASIA-SURF as published, in instants: train 8942 bona fide + 20324 attacks, here 1 ")


@pytest.mark.parametrize("name", TREES)
def test_a_miniature_of_the_set(name: str, tmp_path: Path) -> None:
    tree = TREES[name]
    root = written(tmp_path / "mes données" / "the set", tree)  # a blank, a letter beyond ASCII
    scan = layouts.scanned(root)  # recognised
    assert scan.reading[0].endswith(f"--layout {name}")
    rows = scan.rows.assign(name=[str(Path(path).relative_to(root)) for path in scan.rows["path"]])
    read = rows.set_index("name")[["subset", "pai_species", "subject_id"]].apply(tuple, axis=1).to_dict()
    assert read == {file: expected for file, expected in tree.files.items() if expected}
    assert {file.path for file in scan.left} == {file for file, expected in tree.files.items() if not expected}
    assert (rows["label"] == "bona_fide").tolist() == (rows["pai_species"] == "").tolist()
    assert tree.notes in "\n".join((*scan.reading, *scan.notes))
    assert not manifest.checked(scan.rows).problems
    for protocol, expected in tree.protocols.items():
        of_protocol = layouts.scanned(root, name, protocol=protocol).rows
        is_live = of_protocol["label"] == "bona_fide"
        counts = {
            subset: (int((here & is_live).sum()), int((here & ~is_live).sum()))
            for subset in of_protocol["subset"].unique()
            if (here := of_protocol["subset"] == subset) is not None
        }
        assert counts == expected, protocol
    with pytest.raises(BadInputError, match=r"has no protocol 'x'\. (Protocols: |It has no protocols)"):
        layouts.scanned(root, name, protocol="x")
    with pytest.raises(BadInputError, match=rf"--layout {name}\."):
        layouts.scanned(root, "csv")


def test_protocols_may_be_called_as_their_folders_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written(tmp_path, TREES["oulu-npu"]))
    for name in (tmp_path / "Protocols").rglob("*.txt"):
        name.write_bytes(name.read_bytes().replace(b"\n", b"\r\n").replace(b",", b", "))
    for called in ("3.1", "3_1", "Protocol_3_1", "p3.1"):
        rows = layouts.scanned(Path(), "oulu-npu", protocol=called).rows
        assert rows["sample_id"].tolist() == [
            "Dev_files/2_1_21_1.AVI", "Test_files/1_3_36_1.avi", *(f"Train_files/2_1_01_{i}.avi" for i in (1, 2, 4))
        ]  # fmt: skip


def test_a_part_of_a_set_names_the_folder_above(tmp_path: Path) -> None:
    root = written(tmp_path, TREES["oulu-npu"])
    for layout in ("", "folder", "oulu-npu"):
        with pytest.raises(BadInputError, match=rf"looks like a part of OULU-NPU: scan {tmp_path}\."):
            layouts.scanned(root / "Train_files", layout)
    with pytest.raises(BadInputError, match=r"1 files fit nothing.*This looks like OULU-NPU: --layout oulu-npu\."):
        layouts.scanned(written(tmp_path / "b", Tree({"Dev_files/1_1_21_1.avi": LEFT})), "siw")


def columns(name: str, root: Path, *wanted: str) -> list[list[str]]:
    rows = layouts.scanned(written(root, TREES[name]), name).rows
    return rows.sort_values("sample_id")[list(wanted)].to_numpy().tolist()


def test_frames_of_a_set_are_one_video_in_all_modalities(tmp_path: Path) -> None:
    by_sample = {row[0]: row[1:] for row in columns(
        "cefa", tmp_path, "sample_id", "video_id", "frame", "presentation_id", "modality", "session_id"
    )}  # fmt: skip
    of_color, of_ir = (by_sample[f"AF/AF-000/1_000_1_1_1/{kind}/0001.jpg"] for kind in ("color", "ir"))
    assert of_color == ["AF/AF-000/1_000_1_1_1/color", "1", "AF/AF-000/1_000_1_1_1", "rgb", "AF-000/1"]
    assert of_ir == ["AF/AF-000/1_000_1_1_1/ir", "1", "AF/AF-000/1_000_1_1_1", "nir", "AF-000/1"]
    assert not [text for row in by_sample.values() for text in row if "1980" in text]  # a person's number
    kept = layouts.scanned(tmp_path, "cefa", modality="nir").rows
    assert kept["sample_id"].tolist() == ["AF/AF-000/1_000_1_1_1/ir/0001.jpg"]
    with pytest.raises(BadInputError, match="nothing is of modality 'thermal'. Modalities here: depth, nir, rgb"):
        layouts.scanned(tmp_path, "cefa", modality="thermal")


def test_frames_may_lie_in_a_folder_of_the_videos_name(tmp_path: Path) -> None:
    for name in ("Train_files/1_1_01_1/frame_0012.jpg", "Train_files/1_1_01_1.avi", "Train_files/1_1_01_1/cover.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    scan = layouts.scanned(tmp_path, "oulu-npu")
    assert scan.rows[["video_id", "frame"]].to_numpy().tolist() == [
        ["Train_files/1_1_01_1", "12"], ["Train_files/1_1_01_1", ""],
    ]  # fmt: skip
    assert [file.path for file in scan.left] == ["Train_files/1_1_01_1/cover.jpg"]


@pytest.mark.parametrize(
    ("name", "clip", "frame", "box", "eyes"),
    [
        ("oulu-npu", "Train_files/2_1_01_1", 0, None, (60, 50, 90, 52)),
        ("oulu-npu", "Train_files/2_1_01_1", 1, None, None),
        ("replay-attack", "train/real/client001_session01_webcam_authenticate_adverse_1", 0, (10, 20, 30, 40), None),
        ("msu-mfsd", "scene01/real/real_client002_android_SD_scene01", 0, (10, 20, 30, 40), (15, 26, 30, 25)),
        ("siw", "Train/spoof/003/003-1-2-1-1", 0, (10, 20, 30, 40), None),
        ("siw", "Train/spoof/003/003-1-2-1-1", 1, None, None),
    ],
)
def test_boxes_of_the_set_are_found_by_frame(
    tmp_path: Path, name: str, clip: str, frame: int, box: tuple[int, ...] | None, eyes: tuple[int, ...] | None
) -> None:
    rows = layouts.scanned(written(tmp_path / "set", TREES[name]), name).rows
    of_clip = rows[rows["video_id"] == clip].assign(frame=str(frame))
    parsed = manifest.checked(of_clip).rows
    parsed["boxes"] = [Path(path).relative_to(tmp_path).as_posix() for path in parsed["boxes"]]
    filled, _ = boxes.filled(manifest.Manifest(parsed, tmp_path / "m.csv"))
    (row,) = filled[list(boxes.PLACES)].to_dict("records")
    for columns_of, expected in ((boxes.BOX, box), (boxes.EYES, eyes)):
        told = [row[column] for column in columns_of]
        assert told == list(expected) if expected else all(value != value for value in told)


def test_frames_of_a_sets_video_have_its_boxes(tmp_path: Path) -> None:
    clip = "train/real/client001_session01_webcam_authenticate_adverse_1"
    root = written(tmp_path / "set", Tree({}, {f"face-locations/{clip}.face": "0 10 20 30 40\n2 12 20 30 40\n"}))
    (root / clip).parent.mkdir(parents=True)
    with av.open(str(root / f"{clip}.mov"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    rows = layouts.scanned(root).rows
    (tmp_path / "m").mkdir()
    for column in ("path", "boxes"):
        rows[column] = [f"../{Path(path).relative_to(tmp_path)}" for path in rows[column]]
    data = manifest.read(manifest.write(rows, tmp_path / "m" / "m.csv"))
    frames = videos.write_frames(data, tmp_path / "frames", videos.Sampling.of(None, 3), n_processes=1)
    assert frames.rows["frame"].tolist() == [0, 1, 2]
    assert frames.rows["box_x"].fillna(-1).tolist() == [10, -1, 12]
    assert frames.notes[-1] == "1 frames have no face in the set's own boxes."
    again = manifest.read(tmp_path / "frames" / "manifest.csv")
    assert (again.root / again.rows["boxes"].iloc[0]).is_file()
    assert set(again.rows["subject_id"]) == {"client001"}


def test_boxes_of_stills_are_in_their_pixels(tmp_path: Path) -> None:
    told = columns("celeba-spoof", tmp_path, "sample_id", "box_x", "box_y", "box_width", "box_height", "light")
    assert told[1] == ["Data/train/6041/live/000184.png", "28", "112", "14", "56", ""]
    assert told[2][1:] == ["", "", "", "", "back"]  # outside its image


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 9999, "deeper than"),
        ('["Data/train/6041/spoof/000185.jpg"]', "should be an object"),
        ('{"Data/train/6041/spoof/000185.jpg": ', "Expecting value"),
    ],
)
def test_a_list_that_is_no_document_is_refused(tmp_path: Path, text: str, says: str) -> None:
    root = written(tmp_path, TREES["celeba-spoof"])
    (root / "metas/intra_test/train_label.json").write_text(text)
    with pytest.raises(BadInputError, match=rf"train_label.json is not readable as a list .*{says}"):
        layouts.scanned(root, "celeba-spoof")


def test_a_list_longer_than_any_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released, "LONGEST_LIST", 20)
    with pytest.raises(BadInputError, match="_label.json is not readable as a list .*longer than 20 bytes"):
        layouts.scanned(written(tmp_path / "c", TREES["celeba-spoof"]), "celeba-spoof")
    with pytest.raises(BadInputError, match="_train.txt is not readable as a list .*longer than 20 bytes"):
        layouts.scanned(written(tmp_path / "h", TREES["hifimask"]), "hifimask", protocol="2.1")


def test_what_a_list_of_celeba_spoof_says_of_an_image_is_as_many_whole_numbers(tmp_path: Path) -> None:
    root = written(tmp_path, TREES["celeba-spoof"])
    said = {"Data/train/6041/spoof/000185.jpg": [*TYPES, "x", 3, 1, 1], "Data/train/6041/live/000184.png": 7}
    (root / "metas/intra_test/train_label.json").write_text(json.dumps(said))
    scan = layouts.scanned(root, "celeba-spoof")
    assert "2 images have not 44 whole numbers in the set's lists, which are passed over." in scan.notes
    assert "1 attacks are of no known species" in " ".join(scan.notes)
    (root / "Data/train/6041/live/000184_BB.txt").write_text("nan 112 28 56 0.99")
    assert "1 boxes cannot be read and are left out." in layouts.scanned(root, "celeba-spoof").notes


def test_lists_that_cannot_be_the_sets_own_are_refused(tmp_path: Path) -> None:
    root = written(tmp_path, TREES["hifimask"])
    with pytest.raises(BadInputError, match=r"protocol 3 .* needs its lists, and CASIA_HiFiMask@p3_\*_train.txt,"):
        layouts.scanned(root, "hifimask", protocol="3")
    scan = layouts.scanned(root, "hifimask", protocol="2.1")
    assert [file.path for file in scan.left if "no such file" in file.reason] == ["CASIA_HiFiMask/Data/2_79_0_1_4_2"]
    assert "1 of 4 clips in the lists of protocol 2.1 are not there." in scan.notes
    (root / HIFIMASK.format("dev")).write_text("Data/1_19_0_1_2_5 1\nData/1_19_2_1_2_5 1\n")
    with pytest.raises(BadInputError, match=r"'Data/1_19_0_1_2_5' is in \S+train.txt, too: one clip in train and in"):
        layouts.scanned(root, "hifimask", protocol="2.1")
    (root / HIFIMASK.format("train")).write_text("")
    scan = layouts.scanned(root, "hifimask", protocol="2.1")
    assert "CASIA_HiFiMask@p2.1_video_train.txt names no clip of CASIA-SURF HiFiMask." in scan.notes
    (root / HIFIMASK.format("test")).write_text("Data/3_48_1_6_6_8 0\n")
    scan = layouts.scanned(root, "hifimask", protocol="2.1")
    assert any("contradict the names of clips, which count: '1' (1)" in note for note in scan.notes)
    (root / HIFIMASK.format("dev")).unlink()
    with pytest.raises(BadInputError, match=r"and CASIA_HiFiMask@p2.1_\*_dev.txt is missing"):
        layouts.scanned(root, "hifimask", protocol="2.1")


def test_what_lies_about_is_counted_and_copies_are_left(tmp_path: Path) -> None:
    root = written(tmp_path, TREES["siw-m"])
    scan = layouts.scanned(root, "siw-m", protocol="mannequin")
    assert "The test of protocol mannequin has no attacks here." in scan.notes
    with pytest.raises(BadInputError, match="trainlist_live.txt and testlist_live.txt of the set's release"):
        layouts.scanned(written(tmp_path / "v2", Tree({"Live/Live_1.mov": LEFT})), "siw-m", protocol="paper")
    root = written(tmp_path / "b", Tree({
        "A/train_release/1/1.avi": LEFT, "B/train_release/1/1.avi": LEFT, "A/train_release/1/._1.avi": LEFT,
        "__MACOSX/train_release/1/1.avi": LEFT, "A/Thumbs.db": LEFT, "A/train_release/1/2.AVI": LEFT,
        "A/test_release/1/2.avi": LEFT, "A/train_release/1/holiday.mov": LEFT,
    }))  # fmt: skip
    (root / "A/train_release/2").symlink_to(root / "A/train_release/1")
    (root / "A/train_release/1/up").symlink_to(root / "A")
    (root / "A/train_release/1/3.avi").symlink_to(root / "nowhere.avi")
    scan = layouts.scanned(root)
    assert scan.rows["sample_id"].tolist() == [
        "A/test_release/1/2.avi",
        *(f"A/train_release/{person}/{file}" for person in "12" for file in ("1.avi", "2.AVI")),
    ]  # fmt: skip
    assert {(file.path, file.reason.split()[0]) for file in scan.left} == {
        ("B/train_release/1/1.avi", "a"), ("A/train_release/1/holiday.mov", "no"),
        ("A/train_release/2/holiday.mov", "no"),
    }  # fmt: skip
    skipped, others = scan.notes[-2:] if "skipped" in scan.notes[-2] else (scan.notes[0], scan.notes[-1])
    for kind in ("1 folders of an archiver", "2 hidden", "2 links that lead nowhere", "2 links to a folder"):
        assert kind in skipped
    assert others == "1 other files, no images or videos: 1 .db."


def test_one_name_in_two_parts_is_told(tmp_path: Path) -> None:
    attack = "attack/hand/attack_print_client001_session01_highdef_photo_adverse.mov"
    root = written(tmp_path, Tree({f"{part}/{attack}": LEFT for part in ("train", "test")}))
    scan = layouts.scanned(root, "replay-attack")
    assert "1 subjects are in several parts of the set (e.g. client001 in test and train)" in "".join(scan.notes)


def test_eyes_named_the_other_way_round_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0,60,50,90,52\n1,60,50,90,52\n2,91,52,61,50\n3,0,0,0,0\n")
    rows = [{"path": f"{i}.png", "label": "live", "frame": str(i), "boxes": "a.txt"} for i in range(4)]
    data = manifest.Manifest(manifest.checked(pd.DataFrame(rows)).rows, tmp_path / "m.csv")
    filled, notes = boxes.filled(data)
    assert filled["right_eye_x"].fillna(-1).tolist() == [60, 60, 61, -1]
    assert notes[0] == "1 frames have no face in the set's own boxes."
    assert notes[1].startswith("The eyes of 1 of 3 frames are named the other way round than the rest")
    (tmp_path / "a.txt").unlink()
    assert "a.txt cannot be read: No such file" in boxes.filled(data)[1][0]


def test_videos_of_a_manifest_are_said_and_not_taken_for_broken_images(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(b"1")
    pd.DataFrame({"path": ["a.mov", "b.mov"], "label": ["live", "spoof"]}).to_csv(tmp_path / "m.csv", index=False)
    report = check.checked(tmp_path / "m.csv")
    assert [(problem.row, problem.problem) for problem in report.problems] == [(2, "no such file")]
    assert report.notes[-1].startswith("2 rows are videos, which are not looked into: fas data frames")
    with pytest.raises(
        BadInputError, match=r"2 of 2 rows are videos \(e\.g\. a\.mov\)\. Take their frames first: fas data"
    ):
        videos.require_frames(manifest.read(tmp_path / "m.csv"))


@pytest.mark.parametrize(
    ("text", "why"),
    [("0 1 2\n", "3 numbers a line, separated by blanks"), ("a b c d e\n", "a line of numbers per frame"),
     ("0 1 2 3 4\n0 1 2\n", "all of one length")],
)  # fmt: skip
def test_files_that_hold_no_boxes_are_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.face").write_text(text)
    with pytest.raises(BadInputError, match=why):
        boxes.read(tmp_path / "a.face")


def test_boxes_are_cut_to_the_frame() -> None:
    assert boxes.within((-10, 5, 30, 100), 50, 60) == (0, 5, 20, 55)
    assert boxes.within((50, 5, 30, 10), 50, 60) is None
    assert boxes.within((5, 5, 10, 10), 50, 60) == (5, 5, 10, 10)
