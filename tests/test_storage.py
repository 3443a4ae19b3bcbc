"""Images and Runs in object storage, on a server of this process (moto)."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fas_core import files, storage
from fas_core.data import hashes, images, manifest
from fas_core.errors import BadInputError
from fas_core.runs import store, upkeep
from fas_core.storage import ranges
from fas_core.storage.client import client_of, home
from tests.conftest import tiny_samples, write_image_run


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def client(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client, as everything here uses it, and an empty bucket."""
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    client_of.cache_clear()
    client = client_of(os.getpid())
    client.call_s3("create_bucket", Bucket="faces")
    yield client
    client.rm("faces", recursive=True)
    client_of.cache_clear()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calling it makes this machine another one: nothing of storage is here."""
    n = iter(range(9))
    return lambda: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"other-{next(n)}"))


@pytest.fixture
def sent(client: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What is asked for and how many bytes come, as they come."""
    answers: list[tuple[str, int]] = []
    fetch = client.cat_file

    def counted(key: str, **span: int) -> bytes:
        content: bytes = fetch(key, **span)
        answers.append((key.rpartition("/")[2], len(content)))
        return content

    monkeypatch.setattr(client, "cat_file", counted)
    return answers


def test_a_path_stands_for_a_url_and_no_secret_is_shown(tmp_path: Path) -> None:
    cache = storage.place("s3://faces/a/cache/")
    assert storage.url_of(cache / "runs" / "x") == "s3://faces/a/cache/runs/x"
    assert storage.place(cache) == cache == storage.place(Path("s3://faces/a/cache"))
    assert storage.url_of(tmp_path / "s3://faces/x.png") == "s3://faces/x.png"  # as a manifest's row is joined
    assert storage.url_of(cache / ".." / ".." / "b.csv") == "s3://faces/b.csv"
    assert storage.place(tmp_path) == tmp_path
    assert storage.url_of(tmp_path) is None
    for url in ("s3://user:hush@faces/a", "s3://", "s3://faces/../x", "gs://faces/x"):
        with pytest.raises(BadInputError, match="s3://BUCKET/PREFIX") as refused:
            storage.place(url)
        assert "hush" not in str(refused.value)
    with pytest.raises(BadInputError, match="names no bucket") as refused:
        images.load(tmp_path / "s3://user:hush@faces/a.png")
    assert "hush" not in str(refused.value)


def test_what_is_said_names_urls(tmp_path: Path) -> None:
    twin = storage.place("s3://faces/set/m.csv")
    said = f"{twin}, row 1: see fas data check s3:/faces/m.csv, or '{tmp_path}/s3:x' and s3://faces/a, this:/that"
    assert storage.with_urls(said) == (
        f"s3://faces/set/m.csv, row 1: see fas data check s3://faces/m.csv, or '{tmp_path}/s3:x' and s3://faces/a, "
        "this:/that"
    )


def test_a_run_in_storage_is_the_same_run(tmp_path: Path, elsewhere: Any, client: Any) -> None:
    samples = tiny_samples()
    local = write_image_run(tmp_path / "local", "a", samples)
    write_image_run(storage.place("s3://faces/cache"), "a", samples)
    for _ in range(2):  # on the machine that has written it, and on another one
        cache = storage.place("s3://faces/cache")
        run = store.open_run(cache, "a")
        assert run.digest == local.digest
        assert run.is_complete
        assert run.samples().equals(local.samples())
        rows = np.array([20, 3, 3, 11])
        assert np.array_equal(run.images("inputs", rows), local.images("inputs", rows))
        assert np.array_equal(run.latents(), local.latents())
        assert upkeep.verified(run.folder).damage == []
        assert not list(cache.rglob("*.npy"))  # only documents stay here
        elsewhere()
    damaged = next(key for key in client.find("faces/cache") if key.endswith("-latents.npy"))
    client.pipe_file(damaged, client.cat_file(damaged)[:-1] + b"?")
    run = store.open_run(storage.place("s3://faces/cache"), "a")
    (damage,) = upkeep.verified(run.folder).damage
    assert "latents.npy does not match its checksum" in damage.problem
    upkeep.discard(run, [damage])
    elsewhere()
    again = store.open_run(storage.place("s3://faces/cache"), "a")
    assert len(again.missing) == 1
    upkeep.remove(again)
    assert client.find("faces/cache") == []
    assert store.run_folders(storage.place("s3://faces/cache")) == []


def test_rows_are_read_by_range_and_not_twice(elsewhere: Any, sent: list[tuple[str, int]], client: Any) -> None:
    n, size = 1024, 96
    pixels = np.random.default_rng(0).integers(0, 256, (n, size, size), np.uint8)
    cache = storage.place("s3://faces/cache")
    info = store.RunInfo("0" * 12, "wide", "images", {"live": n}, [])
    shard = store.create(cache, info) / "live" / "shard-00000"
    rows = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)]})
    store.write_shard(shard, rows, inputs=pixels)
    elsewhere()
    run = store.open_run(storage.place("s3://faces/cache"), "wide")
    sent.clear()
    assert np.array_equal(run.images("inputs", [5, 700, 6]), pixels[[5, 700, 6]])
    n_bytes = sum(size for _, size in sent)
    assert 3 * size * size <= n_bytes <= 4 * ranges.BLOCK < pixels.nbytes / 8
    sent.clear()
    assert np.array_equal(run.images("inputs", [5, 700, 6]), pixels[[5, 700, 6]])
    assert sent == []
    kept = ranges._blocks_here(home() / "blocks", os.getpid())
    for key in list(kept):
        kept.set(key, bytes(kept.get(key)[:-1]) + b"?")  # a block that is damaged here is read there
    assert np.array_equal(run.images("inputs", [5]), pixels[[5]])
    assert len(sent) == 1
    kept.reset("size_limit", 2 * ranges.BLOCK)
    run.images("inputs", np.arange(0, n, 8))
    assert kept.volume() <= 4 * ranges.BLOCK  # the database itself beside


def test_killed_in_the_middle_of_a_put_a_shard_is_absent(
    tmp_path: Path, elsewhere: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tiny_samples()
    put, n_puts = client.put_file, iter(range(99))

    def dies(*arguments: str) -> None:
        if next(n_puts) == 6:  # in the second shard
            raise KeyboardInterrupt
        put(*arguments)

    with monkeypatch.context() as during:
        during.setattr(client, "put_file", dies)
        with pytest.raises(KeyboardInterrupt):
            write_image_run(storage.place("s3://faces/cache"), "a", samples)
    for _ in range(2):
        run = store.open_run(storage.place("s3://faces/cache"), "a")
        assert len(run.shards) == 1
        assert upkeep.verified(run.folder).damage == []
        assert len(run.samples()) == len(run) == run.shards[0].n
        elsewhere()
    again = write_image_run(storage.place("s3://faces/cache"), "a", samples)
    assert again.digest == write_image_run(tmp_path / "local", "a", samples).digest


def test_of_two_writers_of_a_shard_one_has_made_it(elsewhere: Any, client: Any) -> None:
    """Their bytes differ, as those of two kinds of processors may: never is one's array beside the other's."""
    info = store.RunInfo("0" * 12, "a", "images", {"live": 2}, [])
    rows = pd.DataFrame({"sample_id": ["x", "y"]})
    first, second = np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32)
    shards = []
    for codes in (first, second):  # neither machine has seen the other's
        elsewhere()
        folder = store.create(storage.place("s3://faces/cache"), info)
        shards.append(folder / "live" / "shard-00000")
        store.write_shard(shards[-1], rows, latents=codes, inputs=np.full((2, 4, 4), int(codes[0, 0]), np.uint8))
    for _ in range(2):
        run = store.open_run(storage.place("s3://faces/cache"), "a")
        assert np.array_equal(run.latents(), first)
        assert run.images("inputs", [0, 1]).max() == 0
        elsewhere()


def test_images_and_their_manifest_are_read_where_they_lie(tmp_path: Path, client: Any, png: bytes) -> None:
    client.pipe_file("faces/set/img/a.png", png)
    rows = "path,label\nimg/a.png,live\ns3://faces/set/img/a.png,live\nimg/none.png,live\n"
    client.pipe_file("faces/set/m.csv", rows.encode())
    data = manifest.read(storage.place("s3://faces/set/m.csv"))
    (tmp_path / "m.csv").write_text("path,label,sample_id\ns3://faces/set/img/a.png,live,img/a.png\n")
    local = manifest.read(tmp_path / "m.csv")
    first, same, missing = data.image_paths()
    assert images.load(first).shape == (1, 128, 128)
    for path in (same, *local.image_paths()):
        assert np.array_equal(images.load(path), images.load(first))
    assert data.contents[0].any()
    assert np.array_equal(data.contents[0], local.contents[0])
    assert not data.contents[2].any()
    with pytest.raises(images.UnreadableImageError, match="No such"):
        images.load(missing)


def test_a_place_in_a_pack_is_refused_before_anything_is_made_of_it(client: Any, png: bytes) -> None:
    client.pipe_file("faces/packed/0123456789abcdef.pack", png)
    client.pipe_file("faces/packed/m.csv", b"path,label\n0123456789abcdef.pack/0+9.png,live\n")
    data = manifest.read(storage.place("s3://faces/packed/m.csv"))
    with pytest.raises(BadInputError, match="s3://faces/packed/0123456789abcdef.pack is a pack, and packs"):
        _ = data.sha256


def test_hashes_are_kept_by_etag(
    client: Any, png: bytes, sent: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "LEAST", 2)
    monkeypatch.setattr(hashes, "SETTLED", -3600.0)
    client.pipe_file("faces/set/img/a.png", png)
    client.pipe_file("faces/b.png", png + b" ")
    names = pd.Series(["img/a.png", "s3://faces/b.png", "img/none.png", "none/a.png"], dtype="str")
    folder = storage.place("s3://faces/set")
    first = [*hashes.contents(names, folder).digits()]
    assert first[:2] == [hashlib.sha256(content).hexdigest() for content in (png, png + b" ")]
    assert first[2:] == [files.MISSING] * 2
    sent.clear()
    assert [*hashes.contents(names, folder).digits()] == first
    assert sent == []
    client.pipe_file("faces/b.png", png + b"x")  # as long, in the same second
    again = [*hashes.contents(names, folder).digits()]
    assert [name for name, _ in sent] == ["b.png"]
    assert again == [first[0], hashlib.sha256(png + b"x").hexdigest(), *first[2:]]


def test_what_goes_wrong_is_said_and_is_no_missing_image(
    tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="no bucket s3://nobody"):
        store.open_run(storage.place("s3://nobody/cache"), "a")
    with pytest.raises(BadInputError, match="no bucket s3://nobody"):
        images.load(storage.place("s3://nobody/a.png"))

    def refuses(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Forbidden")

    with monkeypatch.context() as during:
        during.setattr(client, "find", refuses)
        with pytest.raises(BadInputError, match=r"s3://faces/cache/runs is refused .*Forbidden"):
            store.open_run(storage.place("s3://faces/cache"), "a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hush@127.0.0.1:1")  # where nobody listens
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client_of.cache_clear()
    for ask in (
        lambda: images.load(storage.place("s3://faces/a.png")),
        lambda: manifest.read(storage.place("s3://faces/m.csv")),
        lambda: store.run_folders(storage.place("s3://faces/other")),
    ):
        with pytest.raises(BadInputError, match="s3://faces does not answer") as refused:
            ask()
        assert "hush" not in str(refused.value)


@pytest.fixture
def png() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (140, 140), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
