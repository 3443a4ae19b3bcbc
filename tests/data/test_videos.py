"""Frames of tiny generated videos: frame i says i by the gray of its left half, and a white corner says where up is."""

import itertools
import os
import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from fas_core.cli.main import app
from fas_core.data import boxes, manifest, processes, videos
from fas_core.data.decoding import Display
from fas_core.data.faces import cutting
from fas_core.data.faces.face import Face
from fas_core.data.videos import Sampling
from fas_core.errors import BadInputError

WIDTH, HEIGHT, STEP = 64, 48, 6
TIMES = np.cumsum([0.0, *np.random.default_rng(0).choice([0.02, 0.04, 0.3], 29)])  # a phone's variable rate


def picture(i: int) -> np.ndarray:
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[:, : WIDTH // 2] = STEP * (i % 40)
    frame[16:, WIDTH // 2 :] = np.random.default_rng(i).integers(
        0, 200, (HEIGHT - 16, WIDTH // 2, 1)
    )  # bytes to damage
    frame[:16, WIDTH - 16 :] = 255  # top right
    return frame


def write(
    path: Path, times: np.ndarray = TIMES, codec: str = "libx264", ratio: int = 1, faststart: bool = False
) -> Path:
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = Fraction(ratio)
        for i, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(i), "rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turned(path: Path, source: Path, matrix: tuple[int, int, int, int]) -> Path:
    """A copy of an mp4 or mov with another display matrix: x' = ax + cy, y' = bx + dy."""
    a, b, c, d = (65536 * x for x in matrix)
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def silent(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", layout="mono")
        sound.sample_rate, sound.pts = 8000, 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


def data_of(folder: Path, *paths: Path, **columns: list[str]) -> manifest.Manifest:
    rows = pd.DataFrame({"path": [os.path.relpath(path, folder) for path in paths], "label": "live"} | columns)
    rows.to_csv(folder / "videos.csv", index=False)
    return manifest.read(folder / "videos.csv")


def frames_of(folder: Path, path: Path, sampling: Sampling) -> videos.Frames:
    return videos.write_frames(data_of(folder, path), folder / "out", sampling, 0)


def gray(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def shown_number(path: Path) -> float:
    return float(gray(path)[:, 4 : WIDTH // 2 - 4].mean()) / STEP


@pytest.mark.parametrize(("name", "codec"), [("a b/Ünï.MP4", "libx264"), ("x.AVI", "mpeg4"), ("v.webm", "libvpx")])
def test_frames_are_those_of_their_times_and_numbers(tmp_path, name, codec):
    path = write(tmp_path / name, codec=codec)
    frames = frames_of(tmp_path, path, Sampling.of("500ms", None)).rows
    expected = [int(np.flatnonzero(due - 1e-9 <= TIMES)[0]) for due in np.arange(0, TIMES[-1], 0.5)]
    expected = list(dict.fromkeys(i for i in expected))  # one frame may be the first of two halves of a second
    assert frames["frame"].tolist() == expected
    assert frames["time"].to_numpy() == pytest.approx(TIMES[expected], abs=1.5e-3)
    for row in frames.itertuples():
        assert shown_number(tmp_path / "out" / row.path) == pytest.approx(row.frame, abs=0.5)
    assert set(frames["video_id"]) == {name}
    assert frames["sample_id"].tolist() == [f"{name}#{i}" for i in expected]


def test_n_frames_are_spread_evenly_and_few_are_all(tmp_path):
    path = write(tmp_path / "a.mkv")
    assert frames_of(tmp_path, path, Sampling.of(None, 3)).rows["frame"].tolist() == [5, 15, 25]
    every = frames_of(tmp_path, path, Sampling.of(None, 99))
    assert every.rows["frame"].tolist() == list(range(30))
    assert "1 video has fewer than 99 frames: all are taken." in every.notes


@pytest.mark.parametrize(
    ("matrix", "size", "corner"),  # where the white corner, top right as it is stored, is shown
    [
        ((1, 0, 0, 1), (WIDTH, HEIGHT), "top right"),
        ((0, 1, -1, 0), (HEIGHT, WIDTH), "bottom right"),  # a quarter clockwise
        ((-1, 0, 0, -1), (WIDTH, HEIGHT), "bottom left"),
        ((0, -1, 1, 0), (HEIGHT, WIDTH), "top left"),
        ((-1, 0, 0, 1), (WIDTH, HEIGHT), "top left"),  # a selfie's mirror
        ((0, 1, 1, 0), (HEIGHT, WIDTH), "bottom left"),
    ],
)
def test_a_phones_rotation_is_honoured(tmp_path, matrix, size, corner):
    path = turned(tmp_path / "turned.MOV", write(tmp_path / "a.mov", TIMES[:3]), matrix)
    (path_of_frame,) = frames_of(tmp_path, path, Sampling(n=1)).rows["path"]
    shown = gray(tmp_path / "out" / path_of_frame)
    assert shown.shape == size[::-1]
    corners = {
        f"{vertical} {horizontal}": shown[y : y + 8, x : x + 8].mean()
        for vertical, y in (("top", 0), ("bottom", size[1] - 8))
        for horizontal, x in (("left", 0), ("right", size[0] - 8))
    }
    assert max(corners, key=corners.__getitem__) == corner


def test_what_the_set_says_is_upside_down_is_flipped_unless_the_file_says_how_it_lies(tmp_path):
    plain = write(tmp_path / "a.mov", TIMES[:3])
    lying = turned(tmp_path / "b.mov", plain, (0, 1, -1, 0))
    data = data_of(tmp_path, plain, plain, lying, sample_id=["said", "not", "lying"], should_flip=["yes", "no", "yes"])
    frames = videos.write_frames(data, tmp_path / "out", Sampling(n=1), 0)
    said, not_said, by_file = (gray(tmp_path / "out" / path).astype(int) for path in frames.rows["path"])
    assert np.abs(said - not_said[::-1]).max() < 12  # JPEG
    assert np.abs(by_file - np.rot90(not_said, -1)).max() < 12
    assert "1 video: flipped, stored upside down as the data set says." in frames.notes


QUARTER = (0, 1, -1, 0)  # clockwise


@pytest.mark.parametrize(
    ("matrix", "ratio", "text", "stated", "box", "says"),
    [
        (QUARTER, 1, "0 50 4 8 10", "", (34, 50, 10, 8), "1 turned videos are in pixels of the stored picture"),
        (QUARTER, 1, "0 10 46 8 10", "", (10, 46, 8, 10), ""),  # below the stored picture's edge: as shown
        (QUARTER, 1, "0 10 20 8 10", "", (10, 20, 8, 10), "--boxes stored says otherwise"),
        (QUARTER, 1, "0 10 20 8 10", "stored", (18, 10, 10, 8), "1 turned videos are in pixels of the stored picture"),
        (QUARTER, 1, "0 10 20 8 10", "shown", (10, 20, 8, 10), ""),
        (QUARTER, 1, "0, 10, 20, 18, 30, 12, 28, 12, 22", "", (18, 10, 10, 8), "1 turned videos"),  # eyes upon another
        (QUARTER, 1, "0, 10, 20, 18, 30, 12, 22, 16, 22", "", (10, 20, 8, 10), ""),
        ((-1, 0, 0, -1), 1, "0 10 20 8 10", "stored", (46, 18, 8, 10), "1 turned videos"),
        ((1, 0, 0, 1), 2, "0 10 20 8 10", "stored", (20, 20, 16, 10), "1 turned videos"),
        ((1, 0, 0, 1), 1, "0 10 20 8 10", "", (10, 20, 8, 10), ""),
    ],
)
def test_boxes_of_a_turned_video_are_those_of_its_picture_as_shown(
    tmp_path, monkeypatch, matrix, ratio, text, stated, box, says
):
    monkeypatch.setattr(cutting, "detectors", list)
    path = turned(tmp_path / "turned.mov", write(tmp_path / "a.mov", TIMES[:2], ratio=ratio), matrix)
    (tmp_path / "a.face").write_text(text)
    data = data_of(tmp_path, path, boxes=["a.face"])
    for _ in ("at first", "from before"):
        frames = videos.write_frames(data, tmp_path / "out", Sampling(n=2), 0, stated)
        assert frames.rows.loc[0, list(boxes.BOX)].tolist() == list(box)
        told = [note for note in frames.notes if "boxes" in note and "no face" not in note]
        assert [says in note for note in told] == ([True] if says else [])


@pytest.mark.parametrize(
    ("seen", "box", "says"),
    [
        ((2, 18, 20, 20), (10, 20, 8, 10), ""),  # near the box as shown
        ((16, 8, 16, 16), (18, 10, 10, 8), "1 turned videos are in pixels of the stored picture"),
        ((14, 16, 16, 16), (10, 20, 8, 10), "--boxes stored says otherwise"),  # as near to either
        ((0, 44, 16, 16), (10, 20, 8, 10), "--boxes stored says otherwise"),  # somebody else
    ],
)
def test_where_boxes_would_fit_either_a_detector_tells(tmp_path, monkeypatch, seen, box, says):
    face = Face(np.array(seen, np.float64), 0.9, "test")
    detector = SimpleNamespace(NAME="test", faces=lambda _: [face])
    monkeypatch.setattr(cutting, "detectors", lambda: [detector])
    path = turned(tmp_path / "turned.mov", write(tmp_path / "a.mov", TIMES[:2]), QUARTER)
    (tmp_path / "a.face").write_text("0 10 20 8 10\n1 10 20 8 10\n")
    frames = videos.write_frames(data_of(tmp_path, path, boxes=["a.face"]), tmp_path / "out", Sampling(n=2), 0)
    assert frames.rows.loc[0, list(boxes.BOX)].tolist() == list(box)
    assert [says in note for note in frames.notes if "boxes" in note] == ([True] if says else [])


def test_a_point_of_the_stored_picture_is_where_it_is_shown():
    marked = np.zeros((4, 6), np.uint8)
    marked[1, 4] = 1  # x 4.5, y 1.5
    for is_transposed, is_mirrored, is_upside_down in itertools.product((False, True), repeat=3):
        shown = marked.T if is_transposed else marked
        shown = shown[:, ::-1] if is_mirrored else shown
        shown = shown[::-1] if is_upside_down else shown
        display = Display(6, 4, 1.0, is_transposed, is_mirrored, is_upside_down)
        assert display.size == shown.shape[::-1]
        ((x, y),) = display.points(np.array([[4.5, 1.5]]))
        assert shown[int(y), int(x)] == 1


def test_what_boxes_cannot_be_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(BadInputError, match="--boxes raw: pixels are those of the picture as shown, or as stored"):
        videos.write_frames(
            data_of(tmp_path, write(tmp_path / "a.mov", TIMES[:2])), tmp_path / "o", Sampling(n=1), 0, "raw"
        )
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("record", ["[]", '{"made_from": {}}', "[" * 9999, '{"taken": 1, "made_from": 2}'])
def test_a_record_that_is_none_is_made_anew(tmp_path, record):
    path = write(tmp_path / "a.mov", TIMES[:2])
    first = frames_of(tmp_path, path, Sampling(n=2))
    (about,) = (tmp_path / "out" / "frames").glob("*/frames.json")
    about.write_text(record)
    pd.testing.assert_frame_equal(frames_of(tmp_path, path, Sampling(n=2)).rows, first.rows)
    assert about.read_text() != record


def test_pixels_are_made_square(tmp_path):
    frames = frames_of(tmp_path, write(tmp_path / "dv.mp4", TIMES[:3], ratio=2), Sampling(n=1))
    assert gray(tmp_path / "out" / frames.rows["path"][0]).shape == (HEIGHT, 2 * WIDTH)


def test_what_is_damaged_is_kept_up_to_there_and_each_other_video_says_why_it_has_none(tmp_path):
    noise = np.random.default_rng(0)
    whole = write(tmp_path / "whole.mp4", np.arange(120) / 25, faststart=True).read_bytes()
    tail, middle = tmp_path / "tail.mp4", tmp_path / "middle.mp4"
    tail.write_bytes(whole[: len(whole) * 2 // 3])
    middle.write_bytes(whole[: len(whole) // 2] + noise.bytes(400) + whole[len(whole) // 2 + 400 :])
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(write(tmp_path / "slow.mp4").read_bytes()[:1500])
    (tmp_path / "empty.avi").touch()
    (tmp_path / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\nwhole.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "data.mkv").write_bytes(b"\x89HDF\r\n\x1a\n")
    paths = [tail, middle, headless, silent(tmp_path / "sound.mp4")]
    paths += [tmp_path / name for name in ("empty.avi", "playlist.mp4", "data.mkv", "absent.mov")]
    Image.new("L", (9, 9)).save(tmp_path / "still.png")
    data = data_of(tmp_path, *paths, tmp_path / "still.png", phone=list("abcdefghi"))
    frames = videos.write_frames(data, tmp_path / "out", Sampling(every=0.04), 0)
    reason = frames.left.set_index("path")["reason"]
    kept = frames.left.set_index("path")["frames"]
    assert set(reason.index) == {path.name for path in paths}
    for name, share in (("tail.mp4", 2 / 3), ("middle.mp4", 1 / 2)):
        assert reason[name].startswith("damaged: after ")
        numbers = frames.rows.loc[frames.rows["video_id"] == name, "frame"].tolist()
        assert numbers == list(range(int(kept[name])))  # no gap
        assert 0 < len(numbers) < 120 * (share + 0.2)
        pictures = [tmp_path / "out" / path for path in frames.rows.loc[frames.rows["video_id"] == name, "path"]]
        assert [shown_number(path) for path in pictures[:40]] == pytest.approx(range(min(40, len(pictures))), abs=1)
    assert (kept[2:] == 0).all()
    for name, why in {
        "headless.mp4": "cut off or damaged: its index",
        "sound.mp4": "audio only",
        "empty.avi": "not a readable video: the file is empty",
        "playlist.mp4": "not a readable video",  # it would name other files
        "data.mkv": "HDF5",
        "absent.mov": "no such file",
    }.items():
        assert reason[name].startswith(why)
    assert frames.as_json()["left"]["damaged"]["videos"] == 2
    assert frames.as_json()["n_videos_with_frames"] == 2 < frames.n_videos
    image = frames.rows[frames.rows["path"].str.endswith("still.png")]
    assert (image["phone"].item(), image["video_id"].item()) == ("i", "")
    assert set(frames.rows.loc[frames.rows["video_id"] == "tail.mp4", "phone"]) == {"a"}
    with pytest.raises(BadInputError, match=r"none of its 1 videos has a frame .*: audio only: it has no video stream"):
        frames_of(tmp_path, tmp_path / "sound.mp4", Sampling(n=1))


def test_a_killed_command_goes_on_and_what_has_changed_is_done_anew(tmp_path, monkeypatch):
    paths = [write(tmp_path / name, TIMES[:6]) for name in ("a.mp4", "b.mp4")]
    data, out = data_of(tmp_path, *paths), tmp_path / "out"
    read: list[str] = []
    taken = videos._taken

    def counted(path: Path, *how: object, **more: object) -> videos.Taken:
        read.append(path.name)
        if path.name == "b.mp4" and len(read) == 2:
            taken(path, *how, **more)
            raise KeyboardInterrupt
        return taken(path, *how, **more)

    monkeypatch.setattr(videos, "_taken", counted)
    with pytest.raises(KeyboardInterrupt):
        videos.write_frames(data, out, Sampling(n=2), 0)
    assert [path.name.partition("-")[0] for path in (out / "frames").iterdir()] == ["a.mp4"]
    first = videos.write_frames(data, out, Sampling(n=2), 0)
    again = videos.write_frames(data, out, Sampling(n=2), 0)
    assert read == ["a.mp4", "b.mp4", "b.mp4"]
    pd.testing.assert_frame_equal(first.rows, again.rows)
    write(paths[0], TIMES[:9])
    assert len(videos.write_frames(data, out, Sampling(n=9), 0).rows) == 9 + 6
    assert read[3:] == ["a.mp4", "b.mp4"]
    assert len(list((out / "frames").glob("a.mp4-*/*.jpg"))) == 9  # none of before


@pytest.mark.parametrize(
    ("every", "n", "says"),
    [("1s", 3, "Give one of them"), ("0s", None, "a time above 0"), ("1m", None, "1s, 500ms"), (None, 0, "--n 0")],
)
def test_options_that_say_nothing(every, n, says):
    with pytest.raises(BadInputError, match=says):
        Sampling.of(every, n)


def test_many_names_are_told_as_each_by_itself_is():
    names = [
        "a/b.mp4",
        "x.MP4",
        "a.Ts",
        "..h5",
        "ü.Avi",
        "a/.mp4",
        ".mp4",
        "a.mp4x",
        "amp4",
        "b.ts\n",
        "a.mp4/b",
        "",
        "İ.aVİ",
    ]
    expected = [videos.is_video(Path(name)) for name in names]
    assert videos.are_videos(pd.Series(names, dtype="str")).tolist() == expected == [True] * 5 + [False] * 8
    assert videos.are_videos(pd.Series([], dtype=object)).tolist() == []


def test_images_alone_are_no_videos(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "still.png")
    with pytest.raises(BadInputError, match="none of its 1 rows is a video"):
        frames_of(tmp_path, tmp_path / "still.png", Sampling(n=1))


@pytest.mark.process
def test_the_command_works_in_processes_and_a_crash_costs_one_item(tmp_path):
    write(tmp_path / "a.mp4", TIMES[:6])
    data_of(tmp_path, tmp_path / "a.mp4")
    result = CliRunner().invoke(
        app, ["data", "frames", str(tmp_path / "videos.csv"), "--out", str(tmp_path / "out"), "--n", "2"]
    )
    assert result.exit_code == 0, result.output
    assert "2 frames of 1 video\n" in result.output
    assert manifest.read(tmp_path / "out" / "manifest.csv").rows["frame"].tolist() == [1, 4]
    crash = "__import__('os')._exit(11)"
    assert dict(processes.done(eval, ["1", "2", crash, "4", "5"], 2)) == {"1": 1, "2": 2, crash: None, "4": 4, "5": 5}
