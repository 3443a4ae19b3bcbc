"""The page of a single image, without a browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest

from app.looking import trail
from app.parts import network
from app.session import uploads
from app.words import number
from fas_core import scores
from fas_core.data import images
from fas_core.deciding import card
from fas_core.errors import BadInputError
from fas_core.inference import predict
from fas_core.latent import neighbours, projection
from fas_core.metrics import operating_point
from fas_core.runs import marks, store
from tests.app.conftest import page, texts
from tests.conftest import Result, tiny_samples, write_image_run
from tests.video_runs import write_video_image_run


@pytest.fixture
def cache(tiny_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAS_CACHE", str(tiny_cache))
    return tiny_cache


def opened(cache: Path, run: str = "a", **query: str | list[str]) -> AppTest:
    at = page("image", cache=cache, run=run, **query)
    assert not at.exception
    return at


def test_a_link_to_who_was_forgotten_says_so_and_shows_nobody_else_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fas: Callable[..., Result]
) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    samples = tiny_samples()
    samples["sample_id"] = samples["sample_id"].replace({"live_0": "ada", "live_1": "ada_2", "live_2": "bob"})
    samples["subject_id"] = samples["subject_id"].mask(samples["sample_id"].isin(["ada", "bob"]), "gone")
    write_image_run(tmp_path, "a", samples)
    assert "**ada**" in answer(opened(tmp_path, image="ada"))
    assert fas("forget", "gone", "--cache", tmp_path, "--yes").code == 0
    at = opened(tmp_path, image="bob")
    assert "No sample of this Run has bob in its id." in texts(at)
    assert "removed since" in texts(at)
    assert not at.dataframe
    at = opened(tmp_path, image="ada")  # of somebody else's id it is a part
    assert "No sample of this Run is called ada; this is the only one whose id contains it." in texts(at)
    assert "No sample of this Run has bob in its id." in texts(page("gallery", cache=tmp_path, run="a", find="bob"))


def answer(at: AppTest) -> str:
    return str(at.markdown[0].value).replace("\\", "")


def table(at: AppTest, column: str) -> pd.DataFrame:
    return next(frame.value for frame in at.dataframe if column in frame.value)


def drawn(at: AppTest) -> list[dict[str, Any]]:
    protos = [component.proto for component in at.get("bidi_component")]
    return [dict(json.loads(text)) for proto in protos if (text := proto.mixed.json or proto.json)]


def panes(at: AppTest) -> dict[str, Any]:
    return next(content for content in drawn(at) if "id" in content)


def bar(at: AppTest) -> dict[str, Any]:
    """Where the image stands in a list, and what is said of it."""
    return next(content for content in drawn(at) if "words" in content)


def samples_of(cache: Path) -> pd.DataFrame:
    return store.open_run(cache, "a").samples()


def test_it_begins_with_the_highest_score(cache: Path) -> None:
    at = opened(cache)
    samples = samples_of(cache)
    highest = samples.loc[samples["rec"].idxmax()]
    assert panes(at)["id"] == highest["sample_id"]
    assert [panel["name"] for panel in panes(at)["panels"]] == ["original", "reconstruction", "error"]
    live = samples[samples["subset"] == "live"]["rec"].to_numpy(np.float64)
    assert answer(at).startswith(f"**{highest['sample_id']}**")
    assert "called **attack**, which is right" in answer(at)
    assert f"At the threshold {number(live.max())} " in answer(at)
    at.pills(key="subsets").set_value(["live"]).run()
    assert panes(at)["id"] == samples[samples["subset"] == "live"].set_index("sample_id")["rec"].idxmax()


def test_an_id_in_the_address_or_a_part_of_one(cache: Path) -> None:
    assert panes(opened(cache, image="live_2"))["id"] == "live_2"
    at = opened(cache, image="PAPER_")
    assert panes(at)["id"] == "seen_paper_0"
    assert "the first of 6 whose ids contain it" in texts(at)
    samples = samples_of(cache)
    assert bar(at)["place"]["total"] == len(samples)
    assert bar(at)["place"]["first"] == samples["sample_id"].to_list().index("seen_paper_0")
    assert bar(at)["words"] == "images of the Run"
    at.text_input(key="image").set_value("<i>nobody</i>").run()
    assert "No sample of this Run has" in at.info[0].value
    assert "<i>" not in at.info[0].value
    assert not at.exception


def test_scores_stand_among_training_live_images_and_every_species(cache: Path) -> None:
    shown = table(opened(cache, image="unseen_mask_4"), "live training images").set_index("Score")
    samples = samples_of(cache)
    assert list(shown.index) == scores.offered(store.open_run(cache, "a"))
    is_live = samples["label"] == "bona_fide"
    is_training = is_live & (samples["subset"] == "train")
    classes = {"live training images": is_training, "other live": is_live & ~is_training}
    classes |= {name: samples["pai_species"] == name for name in ("mask", "paper")}
    for score in ("rec", "kl"):
        value = samples.set_index("sample_id")[score]["unseen_mask_4"]
        for name, rows in classes.items():
            others = samples[rows][score]
            below = ((others < value).sum() + (others <= value).sum()) / (2 * len(others))
            assert shown.loc[score, name] == np.floor(100 * below), (score, name)


def test_verdicts_are_those_of_the_cards_at_their_levels(cache: Path) -> None:
    run = store.open_run(cache, "a")
    for score, rule, level in (("rec", "bpcer<=0.05", "frame"), ("kl", "eer", "session mean")):
        content = card.card(
            run, score, operating_point.rule(rule), ["live", "seen_paper"], ["unseen_mask"], level=level
        )
        card.kept(content, cache)
    other = card.card(store.open_run(cache, "b"), "rec", operating_point.rule("bpcer<=0.05"), ["live"], ["seen_paper"])
    card.kept(other, cache)
    shown = table(opened(cache, image="seen_paper_4"), "Operating point")
    assert len(shown) == 3  # the sidebar's, and those of this Run
    samples = samples_of(cache).astype({"rec": float, "kl": float})
    row = samples.set_index("sample_id").loc["seen_paper_4"]
    same = samples[(samples["session_id"] == row["session_id"]) & (samples["label"] == "attack")]
    same = same[same["subject_id"] == row["subject_id"]]
    for frozen in (content for _, content in card.cards(cache)[0] if content.run == run.id):
        value = row["rec"] if frozen.score == "rec" else same["kl"].mean()
        line = shown[(shown["Score"] == frozen.score) & shown["Operating point"].str.startswith("card")].iloc[0]
        assert line["Verdict"] == ("attack" if value >= frozen.threshold else "bona fide")
        assert line["Value"] == f"{value:.4g}"
    assert shown["Operating point"].str.contains("per session mean").sum() == 1


def test_nearest_images_of_all_subsets_by_codes_and_by_pixels(cache: Path) -> None:
    at = opened(cache, image="seen_paper_4")
    run = store.open_run(cache, "a")
    ids = samples_of(cache)["sample_id"]
    row = ids.index[ids == "seen_paper_4"].to_numpy()
    training, others = (content["cards"] for content in drawn(at) if "cards" in content)
    code = run.latents()[row[0]]
    near = neighbours.nearest(run, code, {"training": 6, "others": 12}, own=int(row[0]))
    assert [card["id"] for card in training] == ids.iloc[near["training"][1]].to_list()
    assert [card["id"] for card in others] == ids.iloc[near["others"][1]].to_list()
    assert {card["group"] for card in training} == {"live, training"}
    for shown in others:
        subset = shown["id"].rpartition("_")[0]
        is_attack = int(shown["id"][-1]) > 2 and subset != "live"
        words = subset.replace("_", " ")
        assert shown["group"] == (words if is_attack or subset == "live" else f"{words}, live"), shown["id"]
    at.segmented_control(key="nearest_by").set_value("pixels").run()
    training, others = (content["cards"] for content in drawn(at) if "cards" in content)
    picture = run.images("inputs", row)[0]
    for cards, among in ((training, "training"), (others, "others")):
        nearest = neighbours.nearest_pictures(run, picture, len(cards), among, own=int(row[0]))[1]
        assert [card["id"] for card in cards] == ids.iloc[nearest].to_list()
    assert "at difference" in texts(at)
    assert not at.exception


def test_the_sample_in_every_run_of_the_same_data(cache: Path) -> None:
    assert "In every Run" not in texts(opened(cache, image="unseen_mask_1"))  # "b" has other pixels under the same ids
    moved = tiny_samples().replace({"subset": {"unseen_mask": "test"}})
    again = write_image_run(cache, "again", moved, seed=1, model="ganomaly")  # the same pixels, in another subset
    at = opened(cache, image="unseen_mask_1")
    strip = next(content for content in drawn(at) if "cards" in content)
    first = store.open_run(cache, "a")
    assert [shown["id"] for shown in strip["cards"]] == [first.id, again.id]
    assert [panel["name"] for panel in strip["panels"]] == ["original", "reconstruction", "error"]
    for shown, run in zip(strip["cards"], (first, again), strict=True):
        samples = run.samples(["sample_id", "subset", "rec"]).set_index("sample_id")
        value, live = samples["rec"]["unseen_mask_1"], samples[samples["subset"] == "live"]
        called = "attack" if value > live["rec"].max() else "bona fide"  # at most 5 % of four are none
        assert shown["lines"][1] == f"rec {value:.4g}"
        assert shown["lines"][2].startswith(f"{called} (from ")
    assert "all 2 Runs call it" in texts(at)
    slider = [content for content in drawn(at) if "id" in content][1]
    names = [panel["name"] for panel in slider["panels"]]
    assert names == ["original", "reconstruction", "error", f"reconstruction, again ({again.id[:6]})"]
    for elsewhere in ({"rule": "By hand"}, {"chosen_on": ["unseen_mask"]}):
        at = opened(cache, image="unseen_mask_1", **elsewhere)
        strip = next(content for content in drawn(at) if "cards" in content)
        assert strip["cards"][0]["lines"][2] != "no threshold"
        assert strip["cards"][1]["lines"][2] == "no threshold"
    assert not at.exception


def test_the_frames_of_its_video_stand_beside_it(cache: Path) -> None:
    frames = tiny_samples()
    frames["video_id"] = np.where(frames["subset"] == "live", "v<b>1", "")
    frames.loc[frames["subset"] == "live", "session_id"] = "s"
    frames.loc[frames["subset"] == "live", "subject_id"] = "u"
    frames.loc[frames["subset"] == "live", "frame"] = [30.0, 10.0, 20.0, 40.0]
    run = write_image_run(cache, "video", frames, seed=5)
    at = opened(cache, "video", image="live_2")
    strip = next(content for content in drawn(at) if "captions" in content)
    rec = run.samples(["sample_id", "rec"]).set_index("sample_id")["rec"]
    assert [caption[0] for caption in strip["captions"]] == [f"frame {n}" for n in (10, 20, 30, 40)]
    assert strip["line"]["values"] == pytest.approx(rec[["live_1", "live_2", "live_0", "live_3"]].to_list())
    assert (strip["chosen"], strip["at"]) == (1, [0, 1, 2, 3])
    assert strip["line"]["levels"][0]["threshold"]
    assert "this is image 2 of 4; none of 4 are called attack" in texts(at)
    training, others = [content["cards"] for content in drawn(at) if "cards" in content]
    assert not {card["id"] for card in others} & {"live_0", "live_1", "live_2", "live_3"}  # its own video says nothing
    assert len(training) == 6
    at = opened(cache, "video", image="seen_paper_1")
    assert not any("captions" in content for content in drawn(at))
    assert not at.exception


def test_the_place_among_the_codes(cache: Path) -> None:
    at = opened(cache, image="seen_paper_4")
    (chart,) = (json.loads(chart.proto.spec) for chart in at.get("echarts_chart"))
    *groups, cross = chart["series"]
    assert cross["name"] == "this image"
    assert cross["symbol"].startswith("path://M")
    run = store.open_run(cache, "a")
    row = run.samples(["sample_id"])["sample_id"].to_list().index("seen_paper_4")
    xy = projection.first_plane(run, projection.pca_of(run))
    assert cross["data"][0] == pytest.approx(xy[row].tolist(), abs=1e-4)
    assert len(groups) == 6  # training, live, live and attacks of two kinds
    drawn_at = np.concatenate([group["data"] for group in groups])
    assert sorted(drawn_at[:, 0]) == pytest.approx(sorted(xy[:, 0].tolist()), abs=1e-4)
    assert len({(str(group["symbol"]), str(group["itemStyle"])) for group in groups}) == 6  # no two look the same


def test_the_list_that_one_came_from_is_followed(cache: Path) -> None:
    run = store.open_run(cache, "a")
    marks.make(run, "live_2", by="anna", is_marked=True, note="glare", own_label="3")
    at = opened(cache, image="live_2")
    ids = run.samples(["sample_id"])["sample_id"].to_list()
    rows = np.array([ids.index(name) for name in ("seen_paper_3", "live_2", "live_1")])
    at.session_state["_trail"] = trail.Trail(run.digest, rows, "rejected live")
    at.text_input(key="person").set_value("anna").run()
    assert bar(at)["card"] == {"id": "live_2", "marked": True, "label": "3", "own": "glare"}
    assert (bar(at)["place"]["first"], bar(at)["place"]["total"], bar(at)["words"]) == (1, 3, "rejected live")
    at.text_input(key="image").set_value("live_0").run()  # of no such list
    assert bar(at)["words"] == "images of the Run"


def test_a_scores_only_run_says_why(cache: Path) -> None:
    assert "needs images" in opened(cache, "vendor").info[0].value


def files_of(run: store.Run) -> set[Path]:
    """All files of the cache but results derived from the Run."""
    return {path for path in run.cache.rglob("*") if path.is_file() and path.parent.name != "memo"}


def test_an_uploaded_image_gets_the_scores_of_the_same_image_in_the_run(
    trained_run: tuple[store.Run, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, root = trained_run
    monkeypatch.setenv("FAS_CACHE", str(run.cache))
    samples = run.samples(["path", "sample_id", "subset"])
    at = opened(run.cache, run.info.name, image_source="Upload")
    assert "Upload an image" in answer(at)
    before = files_of(run)
    calls = []
    ask = predict.outputs_of
    monkeypatch.setattr(predict, "outputs_of", lambda *given, **named: calls.append(1) or ask(*given, **named))
    at.file_uploader[0].upload("<b>me</b>.png", (root / samples["path"].iloc[3]).read_bytes(), "image/png").run()
    assert not at.exception
    assert answer(at).startswith("**<b>me</b>.png** has")
    values = table(at, "live training images").set_index("Score")["Value"]
    for name in scores.offered(run):
        expected, shown = scores.values(run, name)[3], float(values[name].replace(",", ""))
        if samples["subset"].iloc[3] == "train" and name in ("knn", "mean_rank"):  # nobody knows that it is its own
            assert shown <= expected * 1.002, name
        else:
            assert shown == pytest.approx(expected, rel=2e-3), name
    nearest = next(content for content in drawn(at) if "cards" in content)["cards"]
    if samples["subset"].iloc[3] == "train":
        assert nearest[0]["id"] == samples["sample_id"].iloc[3]
    at.toggle(key="ssim_map").set_value(True).run()
    assert len(calls) == 1  # the model is asked once per image
    assert files_of(run) == before
    at.file_uploader[0].upload("broken.png", b"\x89PNG", "image/png").run()
    assert "broken" in at.error[0].value
    assert not at.exception


def test_a_checkpoint_that_is_gone_is_said(
    trained_run: tuple[store.Run, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, root = trained_run
    monkeypatch.setenv("FAS_CACHE", str(run.cache))

    def gone(*given: object, **named: object) -> None:
        raise BadInputError("The checkpoint is not at *m* any more.")

    monkeypatch.setattr(predict, "outputs_of", gone)
    at = opened(run.cache, run.info.name, image_source="Upload")
    data = (root / run.samples(["path"])["path"].iloc[5]).read_bytes()
    at.file_uploader[0].upload("me.png", data, "image/png").run()
    assert not at.exception
    assert "The checkpoint is not at" in at.error[0].value


def test_no_upload_is_spooled_to_a_file() -> None:
    assert MultiPartParser.spool_max_size > images.MAX_FILE_BYTES


def test_a_video_is_shown_over_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path))
    run = write_video_image_run(tmp_path)
    sample = str(run.samples()["sample_id"].iloc[0])
    at = page("image", cache=tmp_path, run="clips", score="rec", level="video mean first 0.6s", image=sample)
    assert not at.exception
    said = texts(at).replace("\\", "")
    assert re.search(
        r"By video mean first 0.6s, of \d of \d frames: .*, (settled at frame \d+, 0.\d\d s|from the first frame)\.",
        said,
    )


def test_an_upload_leaves_the_memory_when_it_is_judged_and_with_the_page(
    trained_run: tuple[store.Run, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, root = trained_run
    monkeypatch.setenv("FAS_CACHE", str(run.cache))
    managers: list[MemoryUploadedFileManager] = []
    add = MemoryUploadedFileManager.add_file
    monkeypatch.setattr(
        MemoryUploadedFileManager, "add_file", lambda self, *given: managers.append(self) or add(self, *given)
    )
    at = opened(run.cache, run.info.name, image_source="Upload")
    data = (root / run.samples(["path"])["path"].iloc[3]).read_bytes()
    at.file_uploader[0].upload("me.png", data, "image/png").run()
    assert answer(at).startswith("**me.png** has")
    assert managers
    assert not any(files for manager in managers for files in manager.file_storage.values())
    kept = at.session_state[uploads.KEPT]
    assert kept.square.nbytes < 20_000  # what the model sees, and not the file
    at.switch_page("views/overview.py").run()
    assert uploads.KEPT not in at.session_state


def test_an_upload_that_arrives_while_the_one_before_it_is_cleared_stays(
    trained_run: tuple[store.Run, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that replaces a file says first that there is none, and sends the next one meanwhile."""
    run, root = trained_run
    monkeypatch.setenv("FAS_CACHE", str(run.cache))
    at = opened(run.cache, run.info.name, image_source="Upload")
    data = (root / run.samples(["path"])["path"].iloc[3]).read_bytes()
    at.file_uploader[0].upload("first.png", data, "image/png").run()
    managers: list[MemoryUploadedFileManager] = []

    def arrive() -> None:
        context = get_script_run_ctx()
        assert context is not None
        managers.append(context.uploaded_file_mgr)
        context.uploaded_file_mgr.add_file(context.session_id, UploadedFileRec("2", "second.png", "image/png", data))

    monkeypatch.setattr(network, "warm", arrive)
    at.file_uploader[0].clear().run()
    assert uploads.KEPT not in at.session_state
    assert [list(files) for manager in managers for files in manager.file_storage.values()] == [["2"]]


def test_a_server_holds_a_bounded_number_of_uploads_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_OF_ALL", 250)
    monkeypatch.setattr(uploads, "LONGEST", 0.3)
    manager = MemoryUploadedFileManager("/upload")
    for i in range(8):  # of one session the latest alone
        manager.add_file("session", UploadedFileRec(str(i), "x.png", "image/png", bytes(100)))
    assert list(manager.file_storage["session"]) == ["7"]
    for session in ("b", "c"):  # of all sessions together what there is room for, the latest first
        manager.add_file(session, UploadedFileRec("0", "x.png", "image/png", bytes(100)))
    assert list(manager.file_storage) == ["b", "c"]
    deadline = time.monotonic() + 5
    while any(manager.file_storage.values()) and time.monotonic() < deadline:
        time.sleep(0.05)  # nobody asks for it, nor ends a session
    assert not any(manager.file_storage.values())
