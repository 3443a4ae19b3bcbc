"""Pixels and codes at rest: read with the key, from where they were written, and nothing stays in the clear."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core import memo, scores
from fas_core.access import keys, secret
from fas_core.errors import BadInputError
from fas_core.runs import encrypting, signatures, store
from fas_core.runs.upkeep import damage
from tests.conftest import Result, message, tiny_samples, write_image_run

ARRAYS = ("inputs", "reconstructions", "latents")


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return write_image_run(tmp_path / "cache", "a", tiny_samples(), seed=1)


def content(run: store.Run) -> list[np.ndarray]:
    """All arrays of a Run, by every way in which they are read."""
    rows = np.arange(len(run))[::-1]
    of_shards = [np.concatenate([shard.array(name) for shard in run.shards]) for name in ARRAYS]
    some = [run.images("inputs", rows), run.images("reconstructions", [5, 5, 0])]
    codes = np.concatenate([*run.latent_blocks(np.array([1, 6, 23]))])
    return [
        *of_shards,
        *some,
        run.latents(),
        codes,
        *(shard.items("latents", np.array([1, 0])) for shard in run.shards),
    ]


def files(run: store.Run) -> list[Path]:
    return sorted(path for path in run.folder.rglob("*") if path.is_file())


def test_an_encrypted_run_is_the_same_to_whoever_has_the_key(
    run: store.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys.new("Ada")
    signatures.sign(run)
    before, digest, made_at = content(run), run.digest, run.made_at
    pixels = run.shards[0].array("inputs")[1].tobytes()
    memo.arrays(run.cache, "centres", {}, lambda: {"codes": run.latents()})
    with pytest.raises(BadInputError, match="no key to encrypt with. Make one, and keep a copy: fas keys new --data"):
        encrypting.encrypt(run)
    assert [path for path in files(run) if path.suffix == ".aes" or path.name == ".encrypted"] == []
    assert secret.new().stat().st_mode & 0o777 == 0o600
    locked = encrypting.encrypt(run)
    for a, b in zip(before, content(locked), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (locked.digest, locked.made_at, locked.locked) == (digest, made_at, "")
    assert signatures.standing(locked).is_known
    assert damage(locked) == []
    assert not memo.folder(run.cache).exists()
    for path in run.cache.rglob("*"):
        assert not path.is_file() or pixels[:64] not in path.read_bytes(), path
        assert path.suffix != ".npy"
    # A shard that is made anew is encrypted too, whoever makes it.
    shard, samples = locked.shards[0], locked.shards[0].table("samples", None).to_pandas()
    arrays = {name: shard.array(name) for name in ARRAYS}
    failures = samples.iloc[:0].assign(reason="")
    salt = shard.meta.encrypted["inputs.npy"].salt
    store.delete(shard.folder)
    store.write_shard(shard.folder, samples, failures, **arrays)
    again = store.opened(run.folder)
    assert again.shards[0].meta.encrypted["inputs.npy"].salt != salt  # and no nonce is used twice
    assert again.shards[0].meta.files["inputs.npy"] == shard.meta.files["inputs.npy"]
    assert list(shard.folder.glob("*.npy")) == []
    np.testing.assert_array_equal(content(again)[0], before[0])


def test_without_the_key_only_what_needs_no_pixels_is_left(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    encrypting.encrypt(run)
    wanted = secret.key_id(bytes(32))
    monkeypatch.setenv(secret.DATA_KEY, "1" * 64)
    other = store.opened(run.folder)
    assert other.without("inputs") == "is encrypted, and cannot be opened here"
    assert other.locked == (
        f"FAS_DATA_KEY is another key ({secret.key_id(bytes.fromhex('1' * 64))}) than its own "
        f"({wanted}): name the file of that in FAS_DATA_KEY"
    )
    with pytest.raises(BadInputError, match="is encrypted, and FAS_DATA_KEY is another key"):
        other.shards[0].array("inputs")
    monkeypatch.delenv(secret.DATA_KEY)
    locked = store.opened(run.folder)
    assert (locked.has("inputs"), locked.has("latents"), locked.has("losses"), locked.pictures) == (
        False,
        False,
        True,
        (),
    )
    for read in (locked.latents, lambda: locked.images("inputs", [0]), lambda: locked.latent_dim):
        with pytest.raises(
            BadInputError, match=rf"Run a is encrypted, and its key \({wanted}\) is not here: put it into"
        ):
            read()
    assert damage(locked) == []
    assert np.isfinite(scores.values(locked, "rec")).all()
    with pytest.raises(BadInputError, match="no key to encrypt with"):  # nor does anything come beside it in the clear
        store.write_shard(run.folder / "live" / "shard-00009", tiny_samples(), inputs=np.zeros((24, 2, 2), np.uint8))
    monkeypatch.setenv(secret.DATA_KEY, str(run.cache / "key"))
    with pytest.raises(BadInputError, match="is encrypted, and FAS_DATA_KEY names .*, which is not there"):
        store.opened(run.folder).latents()
    secret.new(run.cache / "key")
    with pytest.raises(BadInputError, match="is in the cache folder that it is to lock"):
        encrypting.encrypt(locked)


def test_what_was_changed_or_moved_does_not_open(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    locked = encrypting.encrypt(run)
    first, second = (shard for shard in locked.shards if shard.subset == "train")
    path = first.folder / "inputs.npy.aes"
    good, chunk = path.read_bytes(), 32 * 32 + secret.TAG
    swapped = good[chunk : 2 * chunk] + good[:chunk] + good[2 * chunk :]
    flipped = bytes([good[0] ^ 1]) + good[1:]
    for content_now in (swapped, flipped, (second.folder / "inputs.npy.aes").read_bytes()):
        path.write_bytes(content_now)
        with pytest.raises(BadInputError, match=r"train/shard-00000 of Run .* is damaged \(inputs.npy.aes\)"):
            first.array("inputs")
        with pytest.raises(BadInputError, match="is damaged"):
            locked.images("inputs", [0])
        assert [entry.problem for entry in damage(locked)] == ["inputs.npy.aes does not match its checksum"]
    path.write_bytes(good[:-1])
    with pytest.raises(BadInputError, match="is damaged"):
        locked.images("inputs", [0])
    path.write_bytes(good)
    about = {"inputs.npy": first.meta.encrypted["reconstructions.npy"]}  # with all that meta.json says of it
    shutil.copy(first.folder / "reconstructions.npy.aes", path)
    moved = replace(first, meta=replace(first.meta, encrypted=dict(first.meta.encrypted) | about))
    with pytest.raises(BadInputError, match="is damaged"):
        moved.array("inputs")


def test_what_is_killed_in_the_middle_goes_on(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    before = content(run)
    rewrite, unlink, at = store.rewrite_meta, Path.unlink, ["nowhere"]

    class KilledError(Exception):
        pass

    def of_meta(shard: Path, meta: store.ShardMeta) -> None:
        if shard.parent.name == at[-1]:
            raise KilledError
        rewrite(shard, meta)

    def of_plain(path: Path, missing_ok: bool = False) -> None:
        if path.name == "latents.npy" and path.parts[-3] == at[-1]:
            raise KilledError
        unlink(path, missing_ok=missing_ok)

    for subset in ("train", "seen_paper"):
        at.append(subset)
        for place, name, killing in ((store, "rewrite_meta", of_meta), (Path, "unlink", of_plain)):
            with monkeypatch.context() as patched:
                patched.setattr(place, name, killing)
                with pytest.raises(KilledError):
                    encrypting.encrypt(store.opened(run.folder))
            for a, b in zip(before, content(store.opened(run.folder)), strict=True):
                np.testing.assert_array_equal(a, b)
    done = encrypting.encrypt(store.opened(run.folder))
    assert damage(done) == []
    assert [path.name for path in files(done) if path.suffix in (".npy", ".tmp")] == []
    damaged = write_image_run(run.cache, "b", tiny_samples(), seed=2)
    path = damaged.shards[1].folder / "inputs.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(BadInputError, match="is damaged, so it stays as it is"):
        encrypting.encrypt(damaged)
    assert path.exists()


def test_a_person_is_forgotten_with_the_key_alone(
    run: store.Run, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    kept = np.flatnonzero(run.samples(["subject_id"])["subject_id"] != "u1")
    inputs = run.images("inputs", kept)
    encrypting.encrypt(run)
    monkeypatch.delenv(secret.DATA_KEY)
    said = message(fas("forget", "u1", "--yes"))
    assert "is encrypted, and its key" in said
    assert said.endswith("Then run the command again.")
    assert len(store.opened(run.folder)) == 24
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    assert fas("forget", "u1", "--yes").code == 0
    now = store.opened(run.folder)
    np.testing.assert_array_equal(now.images("inputs", np.arange(len(now))), inputs)
    assert [path.name for path in files(now) if path.suffix == ".npy"] == []
    assert damage(now) == []


def test_derived_results_are_encrypted_where_there_is_a_key(
    run: store.Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def kept(kind: str) -> memo.Arrays | None:
        return memo.found(run.cache, kind, {})

    codes = np.arange(4000.0)
    memo.arrays(run.cache, "plain", {}, lambda: {"codes": codes})
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    memo.arrays(run.cache, "own", {}, lambda: {"codes": codes + 1e6})
    stored = b"".join(path.read_bytes() for path in memo.folder(run.cache).rglob("*") if path.is_file())
    assert codes[100:110].tobytes() in stored
    assert (codes + 1e6)[100:110].tobytes() not in stored
    for kind in ("plain", "own"):
        assert kept(kind) is not None
    monkeypatch.delenv(secret.DATA_KEY)
    assert kept("plain") is not None
    assert kept("own") is None
    assert "its key is not here" in caplog.text
    monkeypatch.setenv(secret.DATA_KEY, str(run.cache / "gone"))
    again = memo.arrays(run.cache, "third", {}, lambda: {"codes": codes})
    np.testing.assert_array_equal(again["codes"], codes)
    monkeypatch.delenv(secret.DATA_KEY)
    assert kept("third") is None  # never in the clear because its key is gone


def test_what_meta_says_of_encrypted_arrays_is_checked(run: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret.DATA_KEY, "0" * 64)
    meta = encrypting.encrypt(run).shards[0].meta
    about = meta.encrypted["inputs.npy"]
    for wrong in (
        replace(about, rows=0),
        replace(about, salt="zz"),
        replace(about, bytes=about.bytes - 1),
        replace(about, rows=1),
    ):
        said = json.loads(json.dumps(meta.as_json())) | {"encrypted": {"inputs.npy": asdict(wrong)}}
        with pytest.raises(BadInputError, match="says what no encrypted array 'inputs.npy' is"):
            store.ShardMeta.of(said, "meta.json")
    with pytest.raises(BadInputError, match="no encrypted array 'samples.parquet'"):
        store.ShardMeta.of(said | {"encrypted": {"samples.parquet": asdict(about)}}, "meta.json")


def test_commands(run: store.Run, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Make one, and keep a copy: fas keys new --data" in message(fas("runs", "encrypt", "a"))
    path = Path(fas("keys", "new", "--data").out.strip())
    assert path == secret.key_file()
    assert "is there already. What it has encrypted needs it" in message(fas("keys", "new", "--data"))
    assert fas("runs", "encrypt", "a").out == f"{run.id}\n"
    assert json.loads(fas("runs", "--json").out)[0]["encrypted"] is True
    wanted = secret.key_id(secret.key() or b"")
    [entry] = json.loads(fas("verify", "--json").out)
    assert entry["keys"] == json.loads(fas("runs", "--json").out)[0]["keys"] == [wanted]
    secret._of_file.cache_clear()
    path.rename(path.with_name("elsewhere"))
    verified = fas("verify")
    assert (verified.code, f", encrypted by key {wanted}" in verified.out) == (0, True)
    assert f"Note: a is encrypted, by key {wanted}." in fas("runs").err
    told = (
        f"Note: Run a is encrypted, and its key ({wanted}) is not here: put it into {path}, or name its file in "
        "FAS_DATA_KEY. Left out: its latent codes, reconstructions, original images, and "
    )
    for command in (("evaluate", "a"), ("export", "a", "--to", "parquet", "--out", run.cache / "out")):
        done = fas(*command)
        assert (done.code, told in done.err) == (0, True), done.err
        assert re.search(r"and \d scores? computed of them: .*mahalanobis.*\.", done.err), done.err
    assert not {"latents", "input"} & set(pd.read_parquet(run.cache / "out" / "samples.parquet").columns)
