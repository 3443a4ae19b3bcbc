"""Miniatures of HDF5 recordings: frame i of each stream says i, and what becomes of its numbers is told anew."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from fas_core.cli.main import app
from fas_core.data import layouts, manifest, modalities, processes, streams, trail, videos
from fas_core.data.streams import Streams
from fas_core.data.videos import Sampling
from fas_core.errors import BadInputError

HEIGHT, WIDTH, N = 24, 32, 45


def colour(i: int) -> np.ndarray:
    """(3, h, w): red says i."""
    return np.stack([np.full((HEIGHT, WIDTH), level, np.uint8) for level in (5 * i, 40, 90)])


def depth(i: int) -> np.ndarray:
    """(1, h, w): a plane from 700 to 1200, one millimetre further away in every frame, nothing known on the right."""
    plane = np.tile(np.linspace(700, 1200, WIDTH).astype(np.uint16) + i, (HEIGHT, 1))
    plane[:, -4:] = 0
    return plane[None]


def write_3dmad(path: Path, n: int = N) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["Color_Data"] = np.stack([colour(i) for i in range(n)])
        file.create_dataset(
            "Depth_Data", data=np.stack([depth(i) for i in range(n)]), chunks=(1, 1, HEIGHT, WIDTH), compression="gzip"
        )
        file["Eye_Pos"] = np.array([[0, 0, 0, 0] if i == 30 else [8 + i, 9, 20 + i, 10] for i in range(n)])
    return path


THREE, ALL = Sampling(n=3), Streams()


def frames_of(
    tmp_path: Path, *names: str, sampling: Sampling = THREE, of_hdf5: Streams = ALL, **columns: list[str]
) -> videos.Frames:
    rows = pd.DataFrame({"path": names, "label": "live"} | columns)
    rows.to_csv(tmp_path / "m.csv", index=False)
    return videos.write_frames(manifest.read(tmp_path / "m.csv"), tmp_path / "out", sampling, 0, of_hdf5=of_hdf5)


def picture(tmp_path: Path, path: str) -> np.ndarray:
    return np.asarray(Image.open(tmp_path / "out" / path)).astype(int)


def test_3dmad_gives_colour_and_depth_of_the_same_instants_with_eyes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("01/01_01_01", "03/08_03_05"):
        write_3dmad(tmp_path / "set" / "Data" / f"{name}.hdf5")
    scan = layouts.scanned(tmp_path / "set", "3dmad")
    scan.rows.to_csv(tmp_path / "m.csv", index=False)
    data = manifest.read(tmp_path / "m.csv")
    frames = videos.write_frames(data, tmp_path / "out", Sampling.of("500ms", None), 0)
    rows = frames.rows
    assert modalities.modalities(rows) == ["depth", "rgb"]
    assert rows.groupby(["presentation_id", "modality"])["frame"].agg(list).tolist() == [[0.0, 15.0, 30.0]] * 4
    assert rows.groupby("modality")["time"].agg(list)["depth"] == [0.0, 0.5, 1.0] * 2
    assert set(rows["presentation_id"]) == set(rows["video_id"]) == {"Data/01/01_01_01", "Data/03/08_03_05"}
    assert rows["pai_species"].tolist() == [""] * 6 + ["mask"] * 6
    for row in rows.itertuples():
        pixels = picture(tmp_path, row.path)
        i = int(row.frame)
        if row.modality == "rgb":
            assert pixels.shape == (HEIGHT, WIDTH, 3)
            assert np.abs(pixels.mean(axis=(0, 1)) - colour(i).mean(axis=(1, 2))).max() <= 2
        else:
            np.testing.assert_array_equal(pixels, np.rint(depth(i)[0].astype(float) * 255 / 2047))
        eyes = [row.right_eye_x, row.right_eye_y, row.left_eye_x, row.left_eye_y]
        np.testing.assert_array_equal(eyes, [np.nan] * 4 if i == 30 else [8 + i, 9, 20 + i, 10])
    assert "2 videos: depth: 0..2047 became 0..255, in every frame alike." in frames.notes
    step = trail.frames_step(data, rows, frames.left, frames.notes)
    assert (step.n_in, step.n_kept, step.n_out, step.n_left) == (2, 2, 12, 0)
    monkeypatch.setattr(streams, "write_streams", None)  # they are there
    again = videos.write_frames(data, tmp_path / "out", Sampling.of("500ms", None), 0)
    pd.testing.assert_frame_equal(again.rows, rows)


def test_keys_of_other_sets_containers_and_what_is_stated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nir = rng.integers(0, 1024, (6, 1, 16, 20), np.uint16)
    with h5py.File(tmp_path / "hq.h5", "w") as file:
        file["BASLER_BGR"] = np.stack([np.stack([np.full((16, 20), v, np.uint8) for v in (10, 20, 200)])] * 6)
        file["BASLER_LEFT_NIR_850nm"] = nir
        file["cameras/Thermal"] = rng.random((6, 16, 20))
        file["timestamps"] = np.arange(6.0)
    with h5py.File(tmp_path / "cdit.hdf5", "w") as file:
        file["FrameIndexes"] = [7, 12]
        for number in (12, 7):
            file[f"Frame_{number}/array"] = np.stack(
                [np.full((16, 16), number + channel, np.uint8) for channel in range(4)]
            )
    stated = Streams.of("", ["BASLER_LEFT_NIR_850nm=0..1023", "thermal=0..1"])
    frames = frames_of(tmp_path, "hq.h5", "cdit.hdf5", sampling=Sampling(n=2), of_hdf5=stated, modality=["", "multi"])
    of = {(row.modality, row.frame): row for row in frames.rows.itertuples()}
    assert sorted({kind for kind, _ in of}) == [
        "basler_bgr",
        "basler_left_nir_850nm",
        "depth",
        "gray",
        "nir",
        "thermal",
    ]
    assert picture(tmp_path, of["basler_bgr", 1.0].path)[0, 0].tolist() == pytest.approx([200, 20, 10], abs=3)
    level = picture(tmp_path, of["basler_left_nir_850nm", 4.0].path)
    np.testing.assert_array_equal(level, np.rint(nir[4, 0].astype(float) * 255 / 1023))
    for channel, kind in enumerate(("gray", "depth", "nir", "thermal")):
        assert (picture(tmp_path, of[kind, 12.0].path) == 12 + channel).all()
    assert frames.left.empty
    assert of["nir", 7.0].presentation_id == "cdit.hdf5"


def test_one_stream_alone_and_another_range_are_made_anew(tmp_path: Path) -> None:
    write_3dmad(tmp_path / "a.h5")
    whole = frames_of(tmp_path, "a.h5")
    assert len(whole.rows) == 6
    one = frames_of(tmp_path, "a.h5", of_hdf5=Streams.of("Depth", ["depth=700..1000"]))
    assert set(one.rows["modality"]) == {"depth"}
    pixels = picture(tmp_path, one.rows["path"].iloc[0])
    np.testing.assert_array_equal(pixels, np.rint(np.clip((depth(7)[0].astype(float) - 700) / 300, 0, 1) * 255))
    assert "1 video: depth: in some frames more than 1% of the pixels lie above 1000." in one.notes
    for wrong in ("depth", "depth=5..5", "depth=a..b"):
        with pytest.raises(BadInputError, match="write MODALITY=BLACK..WHITE"):
            Streams.of("", [wrong])


def test_bad_files_are_rows_in_left_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_3dmad(tmp_path / "good.hdf5")
    whole = write_3dmad(tmp_path / "cut.hdf5").read_bytes()
    (tmp_path / "cut.hdf5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "empty.h5").write_bytes(b"")
    damaged = bytearray(write_3dmad(tmp_path / "damaged.hdf5").read_bytes())
    with h5py.File(tmp_path / "damaged.hdf5") as file:
        chunk = file["Depth_Data"].id.get_chunk_info(22)
    damaged[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    (tmp_path / "damaged.hdf5").write_bytes(damaged)
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["latents"] = np.zeros((4, 128))
    with h5py.File(tmp_path / "fractions.h5", "w") as file:
        file["thermal"] = np.zeros((4, 16, 16))
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file.create_dataset("color", (4, 16, 16), "u1", external=[(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)])
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["Color_Data"] = np.zeros((0, 3, 16, 16), np.uint8)
    names = ["good.hdf5", "cut.hdf5", "text.h5", "empty.h5", "damaged.hdf5", "table.h5", "fractions.h5", "linked.h5"]
    frames = frames_of(tmp_path, *names, "none.h5", "absent.h5", sampling=Sampling(n=9))
    reasons = dict(zip(frames.left["path"], frames.left["reason"], strict=True))
    assert set(reasons) == {*names, "none.h5", "absent.h5"} - {"good.hdf5"}
    for name, words in {
        "cut.hdf5": "not a readable HDF5 file: it is cut off",
        "text.h5": "not a readable HDF5 file: ",
        "empty.h5": "not a readable HDF5 file: ",
        "damaged.hdf5": "damaged: depth after 22 frames",
        "table.h5": "no images: it holds latents",
        "fractions.h5": "nothing says what is black and white: --range thermal=0..1",
        "linked.h5": "the numbers of 'color' lie in another file, which is not followed",
        "none.h5": "no frames: rgb is empty",
        "absent.h5": "no such file",
    }.items():
        assert words in reasons[name]
    of_damaged = frames.rows[frames.rows["video_id"] == "damaged.hdf5"]
    assert of_damaged["modality"].value_counts().to_dict() == {"rgb": 9, "depth": 4}
    assert frames.left.set_index("path")["frames"]["damaged.hdf5"] == 13
    assert frames.rows["video_id"].nunique() == 2


def test_the_command_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "done", lambda work, items, _: ((item, work(item)) for item in items))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["infrared"] = np.zeros((4, 16, 16), np.uint8)
    pd.DataFrame({"path": ["a.h5"], "label": "live"}).to_csv(tmp_path / "m.csv", index=False)
    call = ["data", "frames", str(tmp_path / "m.csv"), "--out", str(tmp_path / "out")]
    assert "take them by --n" in str(CliRunner().invoke(app, call).exception)
    wrong = CliRunner().invoke(app, [*call, "--n", "2", "--modality", "depth"])
    assert "no stream of modality depth: it holds nir" in str(wrong.exception)
    assert CliRunner().invoke(app, [*call, "--n", "2", "--modality", "ir"]).exit_code == 0
    assert manifest.read(tmp_path / "out" / "manifest.csv").rows["modality"].tolist() == ["nir", "nir"]
