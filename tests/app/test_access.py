"""What each role is sent: every page is opened, all that leaves the server is gathered, and no clear pixel is in it.

The images of the tiny Runs, trainings and manifests are replaced by fine stripes, which pixelating must destroy.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest

from app.components import gallery as gallery_component
from app.deciding import card_states as deciding
from app.gate import who
from app.gate.sessions import Sessions
from app.parts import selection
from app.session import faces, identity
from app.session.cache import clear
from fas_core.access.audit import Log
from fas_core.access.login import Login
from fas_core.access.policy import Policy
from fas_core.access.roles import ClearFaces, NotAllowedError, Right, Roles
from fas_core.deciding import card_states
from fas_core.evaluation import traversal
from fas_core.reports.pictures import pictures_of
from fas_core.reports.report import AS_THEY_ARE, NO_IMAGES, PIXELATED
from fas_core.runs import marks, selections, store, traininglog

from .conftest import MAIN, page, texts
from .test_training import train

VIEWS = sorted(path.stem for path in (MAIN.parent / "views").glob("*.py"))
TABLE = {
    "viewer": {"people": ["viewer"]},
    "analyst": {"people": ["analyst", "lead", "ada"]},
    "face_reader": [{"people": ["reader", "lead"]}, {"people": ["ada"], "runs": ["b"]}],
    "decider": {"people": ["decider", "lead"]},
    "admin": {"people": ["admin"]},
    "second_person": True,
}
PERIODS = (4, 8, 12, 16, 20)  # pixels: of the stripes, enlarged


# ------------------------------------------------------------------------------------------------------- the stripes


def stripes(n: int, size: int, offset: int = 0) -> NDArray[np.uint8]:
    """(n, size, size): two pixels bright, two dark; images differ in brightness."""
    wave = np.where((np.arange(size) + offset) % 4 < 2, 80, -80)
    return (120 + wave[None, None, :] + np.arange(n)[:, None, None] % 40 + np.zeros((1, size, 1))).astype(np.uint8)


def is_striped(image: NDArray[np.uint8]) -> bool:
    """Whether any part of an image (H, W) or (H, W, 3) swings in one of `PERIODS`."""
    gray = (image if image.ndim == 2 else image.mean(-1)).astype(np.float64)
    for period in PERIODS:
        width = period * math.ceil(32 / period)
        tiles = np.lib.stride_tricks.sliding_window_view(gray, min(width, gray.shape[1]), axis=1)[::4, :: period // 2]
        tiles = tiles - tiles.mean(-1, keepdims=True)
        wave = np.exp(2j * np.pi * np.arange(tiles.shape[-1]) / period)
        spread = tiles.std(-1)
        strength = np.abs((tiles * wave).mean(-1)) / np.maximum(spread, 1e-9)
        if ((strength > 0.5) & (spread > 15)).any():
            return True
    return False


def test_pixelating_destroys_stripes_and_enlarging_does_not() -> None:
    clear = stripes(3, 32)
    assert all(is_striped(image) for image in clear)
    for factor in (2, 3, 4, 5):
        assert is_striped(clear[0].repeat(factor, 0).repeat(factor, 1))
    assert not any(is_striped(image) for image in faces.hidden(clear))
    assert not any(is_striped(image) for image in faces.hidden(stripes(2, 160)))


# ----------------------------------------------------------------------------------------------------- what is sent


@dataclass
class Sent:
    """All that has left the server: messages, files, and what buttons would hand over."""

    messages: list[Any] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)
    deferred: list[Callable[[], Any]] = field(default_factory=list)

    def images(self) -> Iterator[NDArray[np.uint8]]:
        for message in self.messages:
            yield from _of_component(message)
            yield from _within(message.SerializeToString())
        for content in self.files + [self._bytes(make()) for make in self.deferred]:
            yield from _of_file(content)

    @staticmethod
    def _bytes(content: Any) -> bytes:
        return content.encode() if isinstance(content, str) else bytes(content)

    def n_clear(self) -> int:
        return sum(is_striped(image) for image in self.images())

    def forget(self) -> None:
        for kept in (self.messages, self.files, self.deferred):
            kept.clear()


def _of_component(message: Any) -> Iterator[NDArray[np.uint8]]:
    if not message.delta.new_element.HasField("bidi_component"):
        return
    mixed = message.delta.new_element.bidi_component.mixed
    if not mixed.arrow_blobs:
        return
    sizes = set(_sizes(json.loads(mixed.json)))
    for blob in mixed.arrow_blobs.values():
        for column in pa.ipc.open_stream(blob.data).read_all().columns:
            for value in column.to_pylist():
                for height, width, depth in sizes:
                    if isinstance(value, bytes) and value and len(value) % (height * width * depth) == 0:
                        shape = (-1, height, width, depth) if depth > 1 else (-1, height, width)
                        yield from np.frombuffer(value, np.uint8).reshape(shape)


def _sizes(content: Any) -> Iterator[tuple[int, int, int]]:
    if isinstance(content, dict):
        if content.get("height") and content.get("width"):
            for depth in (1, 3):
                yield int(content["height"]), int(content["width"]), depth
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from _sizes(each)


def _of_file(content: bytes) -> Iterator[NDArray[np.uint8]]:
    try:
        yield np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    except OSError:
        yield from _within(content)


def _within(content: bytes) -> Iterator[NDArray[np.uint8]]:
    for text in re.findall(rb"data:image/\w+;base64,([A-Za-z0-9+/=]+)", content):
        yield np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    gathered = Sent()
    enqueue, load, defer = (
        ScriptRunContext.enqueue,
        MemoryMediaFileStorage.load_and_get_id,
        MediaFileManager.add_deferred,
    )

    def enqueued(self: Any, message: Any) -> None:
        gathered.messages.append(message)
        enqueue(self, message)

    def loaded(self: Any, content: Any, *rest: Any, **named: Any) -> Any:
        gathered.files.append(Path(content).read_bytes() if isinstance(content, str) else bytes(content))
        return load(self, content, *rest, **named)

    def deferred(self: Any, content: Callable[[], Any], *rest: Any, **named: Any) -> Any:
        gathered.deferred.append(content)
        return defer(self, content, *rest, **named)

    monkeypatch.setattr(ScriptRunContext, "enqueue", enqueued)
    monkeypatch.setattr(MemoryMediaFileStorage, "load_and_get_id", loaded)
    monkeypatch.setattr(MediaFileManager, "add_deferred", deferred)
    return gathered


# --------------------------------------------------------------------------------------------------------- the house


@pytest.fixture(scope="module")
def _striped(_tiny_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny cache with stripes in the place of all images, a training and a manifest of such images."""
    root = tmp_path_factory.mktemp("striped")
    cache = root / "cache"
    table = None
    for run in store.all_runs(_tiny_cache):
        store.create(cache, replace(run.info, manifest_path=str(root / "faces.csv")))
        for shard in run.shards:
            samples = shard.table("samples", None).to_pandas()
            arrays = {name: np.asarray(shard.array(name)) for name in shard.meta.arrays}
            if "inputs" in arrays:
                arrays |= {"inputs": stripes(shard.n, 32), "reconstructions": stripes(shard.n, 32, 1)}
            store.write_shard(cache / "runs" / run.id / shard.subset / shard.folder.name, samples, **arrays)
        table = run.samples() if run.has("inputs") else table
    assert table is not None
    (root / "images").mkdir()
    for name in table["path"]:
        Image.fromarray(stripes(1, 160)[0]).save(root / name)
    table[["path", "sample_id", "label", "pai_species", "subset"]].to_csv(root / "faces.csv", index=False)
    out = train(cache, "m")
    traininglog.write_samples(out, stripes(3, 32), {0: stripes(3, 32, 1), 4: stripes(3, 32, 2)}, ["a", "b", "c"])
    return root


@pytest.fixture
def house(_striped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache; people sign in there, and pages are opened as whoever `as_whom` has named."""
    cache = Path(shutil.copytree(_striped / "cache", tmp_path / "cache"))
    monkeypatch.setenv("FAS_CACHE", str(cache))
    monkeypatch.setenv("FAS_DATA", str(_striped / "faces.csv"))
    policy = Policy(True, Roles.of(TABLE, "fas.toml"), ClearFaces(), Log(tmp_path / "log"))
    monkeypatch.setattr(identity, "access", lambda: policy)
    monkeypatch.setattr(traversal, "known_images", lambda run, codes: stripes(len(codes), 32))
    clear()
    return cache


@pytest.fixture
def as_whom(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def sign_in(subject: str) -> None:
        monkeypatch.setattr(who, "login", lambda: Login(subject, "", (), math.inf))

    return sign_in


# ---------------------------------------------------------------------------------------------------------- the walk

LARGE = ("images", "compare_images", "data_sheet")  # galleries whose cards open a picture of its own


@pytest.fixture
def _opens_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first card of every gallery that leads to a dialog is pressed, once."""
    mount, pressed = gallery_component._mount, set()

    def mounted(**given: Any) -> Any:
        result = mount(**given)
        if given["key"] in LARGE and given["key"] not in pressed and given["data"]["cards"]:
            pressed.add(given["key"])
            return {"chosen": given["data"]["cards"][0]["id"]}
        return result

    monkeypatch.setattr(gallery_component, "_mount", mounted)


def asked_of(at: AppTest, hover: str) -> None:
    """The pointer is on points, and zoomed to where they are drawn as images."""
    protos = [e.proto for e in at.get("bidi_component") if e.proto.component_name == "fas_scatter"]
    told = [json.loads(text) for proto in protos if (text := proto.mixed.json or proto.json)]
    run = next(content["run"] for content in told if "run" in content)
    at.session_state[hover] = {"asked": {"run": run, "serial": 1, "rows": [9, 15], "sheet": [9, 15]}}
    at.run()


def walk(sent: Sent, house: Path, state: dict[str, Any]) -> dict[str, int]:
    """Opens every page in one session; how many clear images each of them has sent."""
    at = AppTest.from_file(MAIN, default_timeout=120)
    at.query_params["run"] = f"a ({store.open_run(house, 'a').id[:6]})"
    for name, value in {"_faces_told": set(), "duplicate_pairs": True, **state}.items():
        at.session_state[name] = value
    at.run()
    sent.forget()
    clear = {}
    for view in VIEWS:
        for part in ("Which samples change?", "Report", "Approve or refuse") if view == "compare" else ("",):
            if part:
                at.session_state["part"] = part
            at.switch_page(f"views/{view}.py").run()
            if any(e.proto.component_name == "fas_scatter" for e in at.get("bidi_component")):
                asked_of(at, f"{view}_hover")
            assert not at.exception, (view, at.exception)
        clear[view] = sent.n_clear()
        sent.forget()
    return clear


SHOWING = ("compare", "data", "frames", "gallery", "image", "latent", "overview", "training", "traversal")


@pytest.mark.usefixtures("_opens_a_card")
def test_a_face_reader_who_says_why_sees_clear_images_on_every_page_and_the_log_says_which(
    sent: Sent, house: Path, as_whom: Callable[[str], None]
) -> None:
    as_whom("lead")
    clear = walk(sent, house, {"_faces_clear": ("lead", time.time() + 900, "an audit of masks")})
    assert {view for view, n in clear.items() if n} == set(SHOWING)
    log = identity.access().log
    assert log is not None
    told = [entry for entry in log.entries() if entry.kind == "faces"]
    assert {entry.who for entry in told} == {"lead"}
    assert {entry.about["reason"] for entry in told} == {"an audit of masks"}
    samples = {name for entry in told for name in entry.about["samples"]}  # type: ignore[attr-defined]
    run = store.open_run(house, "a")
    assert set(run.samples()["sample_id"]) <= samples
    assert "m, a" in samples


@pytest.mark.parametrize("whom", ["analyst", "reader", "viewer", "decider", "admin"])
@pytest.mark.usefixtures("_opens_a_card")
def test_no_clear_pixel_leaves_the_server_for_anybody_else(
    whom: str, sent: Sent, house: Path, as_whom: Callable[[str], None]
) -> None:
    as_whom(whom)
    state = {"_faces_clear": ("lead", time.time() + 900, "another's reason")}  # of who was at this browser before
    assert not any(walk(sent, house, state).values())


# ------------------------------------------------------------------------------------------------------ one at a time


def opened(view: str, house: Path, run: str = "a", **query: str) -> AppTest:
    at = page(view, cache=house, run=run, **query)
    assert not at.exception, at.exception
    return at


def test_a_viewer_sees_numbers_and_no_image_and_nobody_else_sees_more_than_that(
    house: Path, as_whom: Callable[[str], None]
) -> None:
    as_whom("viewer")
    assert "is for the role analyst" in texts(opened("gallery", house))
    at = opened("image", house)
    assert texts(at).count("Images are for the role analyst") == 2  # in the sidebar, and in place of them
    assert not [popover for popover in at.get("popover") if popover.proto.popover.label == "Display"]
    assert "Decode around it" not in [link.proto.label for link in at.get("page_link")]
    at = opened("training", house)
    assert "The reconstructions of trainings are for the role analyst" in texts(at)
    assert not at.select_slider
    assert "look like?" not in texts(at)
    links = {link.proto.label: link.proto.disabled for link in opened("overview", house).get("page_link")}
    assert (links["See the reconstructions"], links["Choose a threshold"]) == (True, False)
    (panel,) = [e for e in opened("threshold", house).get("bidi_component") if e.key == "threshold_panel"]
    assert json.loads(panel.proto.mixed.json)["freezes"] is False
    as_whom("decider")
    said = texts(opened("gallery", house))
    assert "The gallery is for the role analyst, which you have not been granted. Roles are granted by who" in said
    as_whom("nobody")
    at = opened("threshold", house)
    assert "There is no Run here that you may see" in "\n".join(element.value for element in at.markdown)
    assert "vendor" not in str(at.main) + str(at.sidebar)


def test_a_run_that_one_may_not_see_is_as_one_that_is_not_there(house: Path, as_whom: Callable[[str], None]) -> None:
    as_whom("ada")  # analyst of all, face reader of b alone
    policy = identity.access()
    only_b = Roles.of({"analyst": [{"people": ["ada"], "runs": ["b"]}]}, "x")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(identity, "access", lambda: replace(policy, roles=only_b))
        at = opened("gallery", house, "a")
        assert [run.split(" ")[0] for run in at.selectbox(key="run").options] == ["b"]
        assert "There is no Run a" in texts(at)
        assert "is for the role viewer" in texts(opened("training", house, "b"))
        assert "is for the role viewer" in texts(opened("data", house, "b"))
    at = opened("gallery", house, "a")
    assert not [button for button in at.button if button.key == "faces_clear"]
    assert [button for button in opened("gallery", house, "b").button if button.key == "faces_clear"]


def test_faces_are_clear_for_a_reason_and_a_time(
    house: Path, sent: Sent, as_whom: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_whom("reader")
    at = opened("traversal", house)
    assert not sent.n_clear()
    at.button(key="faces_clear").click().run()
    (asking,) = [popover for popover in at.get("popover") if popover.proto.popover.label == "Faces are pixelated"]
    assert ["State a reason" in warning.value for warning in asking.get("warning")] == [True]  # where it is asked for
    assert not sent.n_clear()
    at.text_input(key="faces_reason").set_value("who is the third mask?")
    sent.forget()
    at.button(key="faces_clear").click().run()
    assert sent.n_clear()
    later = time.time() + 15 * 60 + 1
    download = [*sent.deferred]
    assert any(is_striped(image) for make in download for image in _of_file(Sent._bytes(make())))
    monkeypatch.setattr(time, "time", lambda: later)
    assert not any(is_striped(image) for make in download for image in _of_file(Sent._bytes(make())))
    sent.forget()
    at.run()
    assert not sent.n_clear()
    kinds = [entry.kind for entry in identity.access().log.entries()]  # type: ignore[union-attr]
    assert {"faces", "export"} <= set(kinds)


def test_faces_stay_clear_in_the_next_tab_of_the_login_and_no_longer_than_it(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(states: bool) -> None:
        import streamlit as st

        from app.session import faces, readers

        run = next(run for run in readers.runs()[0] if run.info.name == "a")
        if states:
            st.session_state["faces_reason"] = "the third mask"
            faces.see_clear(run)
        faces.images(run, "inputs", [3, 5])
        st.write(faces.sight(run).is_clear)

    def is_clear(*, states: bool = False) -> bool:
        at = AppTest.from_function(look, args=(states,)).run()
        assert not at.exception
        return at.markdown[0].value == "`True`"

    sessions = Sessions(900, 900)
    signed_in = [sessions.begin(Login("reader", "", (), math.inf))[1]]
    monkeypatch.setattr(sessions, "of_page", lambda page: signed_in[-1])
    monkeypatch.setattr(who, "_IN_USE", [sessions])
    assert [is_clear(), is_clear(states=True), is_clear()] == [False, True, True]
    (told,) = [entry for entry in identity.access().log.entries() if "samples" in entry.about]  # type: ignore[union-attr]
    assert (told.about["reason"], len(told.about["samples"])) == ("the third mask", 2)  # type: ignore[arg-type]
    sessions.end(signed_in[-1], "signed out")
    signed_in.append(sessions.begin(Login("reader", "", (), math.inf))[1])
    assert not is_clear()


def test_what_cannot_be_told_of_is_not_shown(
    house: Path, sent: Sent, as_whom: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    policy = replace(identity.access(), log=Log(tmp_path / "file" / "log"))
    monkeypatch.setattr(identity, "access", lambda: policy)
    as_whom("reader")
    at = page("gallery", cache=house, run="a")
    at.session_state["_faces_clear"] = ("reader", time.time() + 900, "x")
    sent.forget()
    at.run()
    assert not sent.n_clear()
    assert "Cannot write to" in texts(at)


def test_a_report_with_clear_images_is_told_of_by_its_samples(house: Path, tmp_path: Path) -> None:
    run, log, asked = store.open_run(house, "a"), Log(tmp_path / "report"), []
    sight = faces.Sight("ada", run.id, True, time.time() + 60, "why", log, set())

    def made_page(images: str) -> str:
        asked.append(images)
        shown = pictures_of(run, np.array([3, 5]), hides_faces=images == PIXELATED) if images != NO_IMAGES else []
        return str(sum(is_striped(each["original"]) for each in shown))

    assert sight.of_report(AS_THEY_ARE, made_page) == "2"
    (entry,) = log.entries()
    assert entry.about["samples"] == run.samples()["sample_id"].iloc[[3, 5]].tolist()
    assert replace(sight, clear_until=time.time()).of_report(AS_THEY_ARE, made_page) == "0"
    assert replace(sight, sees=False).of_report(AS_THEY_ARE, made_page) == "0"
    assert asked == [AS_THEY_ARE, PIXELATED, NO_IMAGES]
    assert len(list(log.entries())) == 1


def test_marks_are_the_logins_and_those_of_others_stay(house: Path, as_whom: Callable[[str], None]) -> None:
    run = store.open_run(house, "a")
    marks.make(run, "live_0", by="lead", is_marked=True)

    def press(what: str, value: object) -> None:
        from app.components.pressed import Press
        from app.parts import marking
        from app.session import readers

        run = next(run for run in readers.runs()[0] if run.info.name == "a")
        marking.hear(run, Press("name", "", "lead"))  # as another browser once could
        marking.hear(run, Press(what, "live_0", value))  # type: ignore[arg-type]

    as_whom("analyst")
    at = AppTest.from_function(press, args=("mark", False)).run()
    assert not at.exception
    as_whom("viewer")
    AppTest.from_function(press, args=("note", "mine")).run()
    current = marks.history(run)
    assert [(mark.by, mark.is_marked, mark.note) for mark in current] == [("lead", True, ""), ("analyst", False, "")]
    log = identity.access().log
    assert log is not None
    assert [entry.about["asked"] for entry in log.entries() if entry.who == "viewer"] == ["mark"]


def test_selections_are_for_analysts(house: Path, as_whom: Callable[[str], None]) -> None:
    as_whom("decider")
    run = store.open_run(house, "a")
    points = selection.Points("latent", run.digest, run, None, tuple(run.subsets))
    with pytest.raises(NotAllowedError, match="role analyst"):
        selection._save_as(points, "mine")
    with pytest.raises(NotAllowedError, match="role analyst"):
        selection._delete(points, "mine")
    assert selections.names(run) == []
    assert Right.MARK not in identity.rights(run)


def test_a_card_is_signed_by_the_login_and_approved_by_somebody_else(
    house: Path, as_whom: Callable[[str], None]
) -> None:
    as_whom("analyst")
    assert "Save as a card" not in [button.label for button in opened("cards", house).button]
    as_whom("lead")
    at = opened("cards", house)
    assert not [field for field in at.text_input if field.label == "Decided by"]
    next(button for button in at.button if button.label == "Save as a card").click().run()
    (kept,) = card_states.kept(house)[0]
    assert kept.card.by == "lead"

    as_whom("lead")
    at = opened("cards", house)
    assert "a second person is asked for" in texts(at)
    assert "Approve" not in [button.label for button in at.button]
    with pytest.raises(NotAllowedError, match="a second person"):  # as a form that is still open would
        deciding.require_decider(kept, card_states.APPROVED, "lead")

    def approve(whom: str) -> AppTest:
        as_whom(whom)
        at = opened("cards", house)
        at.text_area(key=f"approved_why_{kept.path.stem}").set_value("pilot")
        for box in at.checkbox:
            box.check()
        return next(button for button in at.button if button.label == "Approve").click().run()

    assert not card_states.kept(house)[0][0].history.events
    approve("decider")
    (event,) = card_states.kept(house)[0][0].history.events
    assert (event.state, event.by) == ("approved", "decider")
    log = identity.access().log
    assert log is not None
    said = [(entry.kind, entry.who) for entry in log.entries() if entry.kind in ("decision", "refused")]
    assert said == [("decision", "lead"), ("refused", "lead"), ("decision", "decider")]
    assert not log.verified().problems


def test_a_login_that_has_ended_may_do_nothing(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(who, "login", lambda: None)
    assert identity.rights(store.open_run(house, "a")) == frozenset()
    assert not identity.is_laptop()


def test_on_a_laptop_everything_is_as_before_and_the_name_is_remembered(
    house: Path, sent: Sent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = replace(identity.access(), needs_login=False, log=None)
    monkeypatch.setattr(identity, "access", lambda: policy)
    opened("gallery", house)
    assert sent.n_clear()
    at = opened("cards", house)
    next(field for field in at.text_input if field.label == "Decided by").set_value("Ada")
    next(button for button in at.button if button.label == "Save as a card").click().run()
    name = tmp_path / "config" / "fas-explorer" / "name"
    assert (name.read_text(), name.stat().st_mode & 0o777) == ("Ada", 0o600)
    at = opened("cards", house)
    assert next(field for field in at.text_input if field.label == "Decided by").value == "Ada"
    assert not (tmp_path / "log").exists()


# ------------------------------------------------------------------------------------------------- one way to pixels

ALLOWED = {
    "session/faces.py": {"images", "read"},  # the one way
    "data/sheet.py": {"picture"},  # pictures of a manifest, pixelated as they are drawn
    "looking/subject.py": {"of_bytes"},  # an upload, which the model is asked about
}


def test_no_other_module_reads_pixels() -> None:
    calls: dict[str, set[str]] = {}
    for path in sorted(MAIN.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of, name = ast.unparse(node.func.value), node.func.attr
            is_of_run = name == "images" and not re.fullmatch(r"faces|sight|subject|self", of)
            is_of_shard = name in ("array", "items") and "shard" in of and "latents" not in ast.unparse(node)
            is_of_file = (name in ("picture", "of_bytes") and of == "images") or of.startswith("Originals")
            if is_of_run or is_of_shard or is_of_file:
                calls.setdefault(str(path.relative_to(MAIN.parent)), set()).add(name)
    assert calls == ALLOWED
