"""Arrays of another framework become a Run: joined by id, whatever wrote them; what cannot be meant is refused."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from fas_core import scores
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import arrays, imported
from fas_core.runs import store
from tests.conftest import Result, message

Array = NDArray[np.float32]
D = 5


@pytest.fixture(scope="module")
def data(tiny_faces: Path) -> Manifest:
    return manifest.read(tiny_faces)


@pytest.fixture(scope="module")
def codes(data: Manifest) -> Array:
    return np.random.default_rng(0).normal(size=(len(data), D)).astype(np.float32)


@pytest.fixture(scope="module")
def rebuilt(data: Manifest) -> Array:
    """(n, 16, 16) in [0, 1]."""
    return np.random.default_rng(1).random((len(data), 16, 16)).astype(np.float32)


@pytest.fixture
def order(data: Manifest) -> NDArray[np.int64]:
    return np.random.default_rng(2).permutation(len(data))


def _ids(data: Manifest, order: NDArray[np.int64]) -> list[str]:
    return data.rows["sample_id"].iloc[order].tolist()


def _npy(folder: Path, z: Array, ids: list[str]) -> None:
    np.save(folder / "latents.npy", z.astype(np.float64))
    (folder / "ids.txt").write_text("\n".join(ids))


def _npz(folder: Path, z: Array, ids: list[str]) -> None:
    np.savez(folder / "outputs.npz", latents=z, sample_id=np.array(ids))


def _parquet(folder: Path, z: Array, ids: list[str]) -> None:
    table = pd.DataFrame(z, index=pd.Index(ids, name="sample_id"), columns=[f"z{i}" for i in range(D)])
    table.assign(label="attack").to_parquet(folder / "latents.parquet")


def _lists(folder: Path, z: Array, ids: list[str]) -> None:
    pd.DataFrame({"sample_id": ids, "embedding": list(z), "frame": 1}).to_parquet(folder / "latents.parquet")


def _safetensors(folder: Path, z: Array, ids: list[str]) -> None:
    save_file({"embedding": z}, folder / "latents.safetensors", metadata={"sample_id": json.dumps(ids)})


def _h5(folder: Path, z: Array, ids: list[str]) -> None:
    with h5py.File(folder / "latents.h5", "w") as file:
        file.create_dataset("z", data=z, chunks=(8, D), compression="gzip")
        file["sample_id"] = np.array(ids, object)


@pytest.mark.parametrize("write", [_npy, _npz, _parquet, _lists, _safetensors, _h5])
def test_every_format_is_joined_by_id_and_holds_what_was_written(
    write: Callable[..., None], data: Manifest, codes: Array, order: NDArray[np.int64], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", codes[order], _ids(data, order))
    run = imported.write_run(tmp_path / "in", data, tmp_path / "cache", "acme").run
    expected = pd.DataFrame(codes, index=data.rows["sample_id"]).loc[run.samples(["sample_id"])["sample_id"]]
    np.testing.assert_array_equal(run.latents(), expected.to_numpy())
    assert (run.has("latents", "inputs"), run.has("reconstructions"), run.n_failures) == (True, False, 0)
    with pytest.raises(BadInputError, match="no score 'pixel_l2': it holds no reconstructions"):
        scores.values(run, "pixel_l2")
    assert run.images("inputs", [0]).shape == (1, 128, 128)
    assert "mahalanobis" in scores.offered(run)
    assert run.is_complete


def test_features_of_places_are_taken_and_judged(
    data: Manifest, codes: Array, order: NDArray[np.int64], tmp_path: Path
) -> None:
    """In float16, whatever they are given in; what is no map of places is refused."""
    (tmp_path / "in").mkdir()
    _npy(tmp_path / "in", codes[order], _ids(data, order))
    maps = codes[:, :D].repeat(4, axis=1).reshape(len(codes), D, 2, 2).transpose(0, 2, 3, 1)
    maps = maps + np.array([0.0, 1e6])[:, np.newaxis, np.newaxis]
    np.save(tmp_path / "in" / "features.npy", maps[order])
    run = imported.write_run(tmp_path / "in", data, tmp_path / "cache", "acme").run
    held = np.concatenate(list(run.feature_blocks(np.arange(len(run)))))
    place = pd.Index(data.rows["sample_id"]).get_indexer(run.samples(["sample_id"])["sample_id"])
    np.testing.assert_array_equal(held, np.clip(maps[place], -65504, 65504).astype(np.float16))
    assert np.isfinite(scores.values(run, "patches")).all()
    np.save(tmp_path / "in" / "features.npy", codes[order])
    with pytest.raises(BadInputError, match=r"features.npy has the shape .* Features are \(n, h, w, c\)"):
        imported.write_run(tmp_path / "in", data, tmp_path / "cache", "flat")


def _image_files(folder: Path, colour: Array, data: Manifest) -> None:
    for sample_id, image in zip(data.rows["sample_id"], colour, strict=True):
        path = folder / "reconstructions" / Path(sample_id).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.pixels(image)).save(path)


@pytest.mark.parametrize("how", ["channels first, -1..1", "files, named by sample"])
def test_colour_reconstructions_are_shown_and_measured_against_the_images(
    how: str, data: Manifest, rebuilt: Array, order: NDArray[np.int64], tmp_path: Path
) -> None:
    colour = np.stack([rebuilt, 0.5 * rebuilt, 1 - rebuilt], -1)
    (folder := tmp_path / "in").mkdir()
    if how.startswith("files"):
        _image_files(folder, colour, data)
    else:
        np.save(folder / "reconstructions.npy", 2 * np.moveaxis(colour, -1, 1)[order] - 1)
        pd.DataFrame({"sample_id": _ids(data, order)}).to_csv(folder / "ids.csv", index=False)
    made_of = imported.write_run(folder, data, tmp_path / "cache", "acme")
    run = made_of.run
    assert run.pictures == ("inputs", "reconstructions")
    assert any("-1 is black and 1 white" in note for note in made_of.notes) != how.startswith("files")
    place = pd.Index(data.rows["sample_id"]).get_indexer(run.samples(["sample_id"])["sample_id"])
    kept = run.images("reconstructions", np.arange(len(run)))
    np.testing.assert_allclose(kept, 255 * colour[place], atol=0.6)
    x = np.stack([images.load(path, 16, 3) for path in np.array(data.image_paths())[place]])
    apart = np.abs(np.moveaxis(x, 1, -1) - colour[place]).mean((1, 2, 3))
    np.testing.assert_allclose(scores.values(run, "pixel_l1"), apart, atol=0.004)


def test_structural_similarity_is_that_of_the_models(data: Manifest, rebuilt: Array, tmp_path: Path) -> None:
    import torch

    from fas_core.models import losses

    (folder := tmp_path / "in").mkdir()
    np.save(folder / "reconstructions.npy", rebuilt)
    run = imported.write_run(folder, data, tmp_path / "cache", "acme", in_order=True).run
    place = pd.Index(data.rows["sample_id"]).get_indexer(run.samples(["sample_id"])["sample_id"])
    x = torch.from_numpy(np.stack([images.load(path, 16) for path in np.array(data.image_paths())[place]]))
    y = torch.from_numpy(rebuilt[place][:, None])
    for name, expected in (("ssim", -losses.ssim(x, y)), ("pixel_l2", losses.pixel_l2(x, y))):
        difference = scores.values(run, name) - expected.numpy().astype(np.float64)
        np.testing.assert_allclose(difference - difference.mean(), 0, atol=1e-5)  # ssim's score is 1 - ssim


def test_the_id_follows_every_byte(data: Manifest, codes: Array, tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()

    def made(z: Array, **how: object) -> str:
        np.save(folder / "latents.npy", z)
        return imported.write_run(folder, data, tmp_path / "cache", "acme", in_order=True, **how).run.id  # type: ignore[arg-type]

    first = made(codes)
    assert made(codes) == first
    changed = codes.copy()
    changed[-1, -1] += 1
    assert made(changed) != first
    pd.DataFrame({"sample_id": data.rows["sample_id"], "own": np.arange(len(data))}).to_csv(folder / "scores.csv")
    assert len({first, made(codes), made(codes, higher_is=["attack"]), made(codes, higher_is=["bona_fide"])}) == 4


def test_what_is_missing_is_counted_and_named(data: Manifest, codes: Array, tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    z, ids = codes.copy(), data.rows["sample_id"].tolist()
    subset = data.rows["subset"].to_numpy(str)
    in_train = np.flatnonzero(subset == "train")
    z[in_train[1]] = np.nan
    keep = np.flatnonzero(subset == "train")[1:]  # the first has none; other subsets are not in it at all
    _npy(folder, np.concatenate([z[keep], z[:1]]), [*(ids[i] for i in keep), "nobody"])
    made_of = imported.write_run(folder, data, tmp_path / "cache", "acme")
    run, said = made_of.run, " ".join(made_of.notes)
    assert (run.subsets, len(run), run.n_failures) == (["train"], len(in_train) - 2, 2)
    reasons = run.failures().set_index("sample_id")["reason"]
    assert reasons[ids[in_train[0]]] == "no latent codes in latents.npy"
    assert reasons[ids[in_train[1]]] == "its latent codes hold NaN or infinity"
    assert f"1 of its {len(keep) + 1} samples are not in" in said
    assert "first 'nobody'" in said
    assert f"{len(data) - len(in_train)} samples of subsets without any output are left out" in said
    assert f"2 of {len(in_train)} samples have no output and count as non-responses, first {ids[in_train[0]]}" in said


def test_columns_are_scores_where_their_direction_is_stated(data: Manifest, codes: Array, tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    np.save(folder / "latents.npy", codes)
    values = np.arange(len(data)) / 7
    table = pd.DataFrame({"sample_id": data.rows["sample_id"], "liveness": values, "own": -values, "other": values})
    table.iloc[1:].sample(frac=1, random_state=0).assign(note="x").to_csv(folder / "scores.csv", index=False)
    told = ["liveness=bona_fide", "own=attack"]
    made_of = imported.write_run(folder, data, tmp_path / "cache", "acme", in_order=True, higher_is=told)
    run, said = made_of.run, " ".join(made_of.notes)
    ids = pd.Index(data.rows["sample_id"])
    expected = np.where(np.arange(len(data)) > 0, -values, np.nan)[
        ids.get_indexer(run.samples(["sample_id"])["sample_id"])
    ]
    for name in ("liveness", "own"):
        np.testing.assert_allclose(scores.values(run, name), expected)
    assert {"liveness", "own"} < set(scores.offered(run))
    assert scores.undeclared(run) == ["other"]
    with pytest.raises(BadInputError, match="'other' of Run acme is no score.*--score other --higher-is attack"):
        scores.values(run, "other")
    assert "no scores, as nobody says which class their higher values speak for: other." in said
    assert "no numbers are left out: note." in said
    assert f"1 samples of {data.source} are not in it, first '{ids[0]}'" in said


def _save(name: str, values: object) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, values, allow_pickle=True)


def _external_link(folder: Path) -> None:
    with h5py.File(folder.parent / "other.h5", "w") as file:
        file["latents"] = np.zeros((76, 2))
    with h5py.File(folder / "latents.h5", "w") as file:
        file["latents"] = h5py.ExternalLink("../other.h5", "latents")


def _virtual(folder: Path) -> None:
    _external_link(folder)
    layout = h5py.VirtualLayout((76, 2), "f8")
    layout[:] = h5py.VirtualSource(str(folder.parent / "other.h5"), "latents", (76, 2))
    with h5py.File(folder / "latents.h5", "w") as file:
        file.create_virtual_dataset("latents", layout)


def _outside(folder: Path) -> None:
    with h5py.File(folder / "latents.h5", "w") as file:
        file.create_dataset("latents", (76, 2), "f8", external=[(str(folder.parent / "raw"), 0, h5py.h5f.UNLIMITED)])


def _other_ids(folder: Path) -> None:
    _npy(folder, np.zeros((2, D), np.float32), ["p", "q"])


def _twice(folder: Path) -> None:
    _npy(folder, np.zeros((2, D), np.float32), ["p", "p"])


def _of_two_sizes(folder: Path) -> None:
    np.save(folder / "reconstructions.npy", np.zeros((76, 16, 16), np.uint8))
    np.save(folder / "inputs.npy", np.zeros((76, 16, 16, 3), np.uint8))


def _with_scores(**columns: object) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        np.save(folder / "latents.npy", np.zeros((76, 2)))
        pd.DataFrame({"sample_id": ["a", "b"], **columns}).to_csv(folder / "scores.csv", index=False)

    return write


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (_save("latents.npy", np.array([{"a": 1}] * 76, object)), "Python objects"),
        (lambda folder: (folder / "latents.npy").write_bytes(pickle.dumps([1])), "Python objects"),
        (lambda folder: np.savez(folder / "latents.npz", a=np.array([{}], object)), "Python objects"),
        (_save("latents.npy", np.zeros((76, 2), complex)), "complex128, not numbers"),
        (_save("latents.npy", np.full((76, 2), np.nan)), "every row holds NaN"),
        (_save("latents.npy", np.zeros((76, 2, 2))), r"Latents are \(n, d\)"),
        (_save("latents.npy", np.zeros((70, 2))), "70 rows, .*76"),
        (_save("reconstructions.npy", np.zeros((76, 16, 16, 4))), "Images are"),
        (_save("reconstructions.npy", np.linspace(-3, 4, 76 * 256).reshape(76, 16, 16)), "--range 0..1"),
        (_of_two_sizes, "in gray, .* in colour"),
        (_external_link, "a link to another file"),
        (_virtual, "lie in another file"),
        (_outside, "lie in another file"),
        (_other_ids, "none of its 2 sample ids .*there 'p'"),
        (_twice, "'p' is there twice"),
        (_with_scores(own=[1.0, 2.0]), "none of its 2 sample ids"),
        (_save("codes.npy", np.zeros((76, 2))), "neither latents nor reconstructions"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_message_and_nothing_is_written(
    write: Callable[[Path], None], problem: str, data: Manifest, tmp_path: Path
) -> None:
    (folder := tmp_path / "in").mkdir()
    write(folder)
    with pytest.raises(BadInputError, match=problem):
        imported.write_run(folder, data, tmp_path / "cache", "acme", in_order=True)
    assert list(store.runs_folder(tmp_path / "cache").glob("*")) == []


def test_the_command_says_what_it_took_for_granted_and_the_run_stands_every_test(
    tiny_faces: Path,
    data: Manifest,
    codes: Array,
    rebuilt: Array,
    tmp_path: Path,
    fas: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fas_core.derive.compute", lambda run, **_: None)  # UMAP takes a minute
    (folder := tmp_path / "in").mkdir()
    np.save(folder / "latents.npy", codes)
    np.save(folder / "reconstructions.npy", rebuilt)
    at = ("--cache", tmp_path / "cache")
    wanted = ("runs", "import", folder, "--data", tiny_faces, "--name", "acme", *at)
    assert "--in-order" in message(fas(*wanted))
    result = fas(*wanted, "--in-order")
    assert (result.code, "0 is black and 1 white" in result.err) == (0, True)
    run = result.out.strip()
    assert fas("verify", run, *at).code == 0
    assert [entry["model"] for entry in json.loads(fas("runs", "--json", *at).out)] == [None]
    assert fas("report", run, "--score", "pixel_l2", "--out", tmp_path / "r.html", *at).code == 0
    shard = next((tmp_path / "cache").glob("runs/*/*/*/latents.npy"))
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "fas runs import" in message(fas("verify", run, "--repair", *at))
    assert fas("prune", run, "--yes", *at).code == 0


def test_a_folder_with_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    for name in ("latents.npy", "outputs.npz", "scores.csv", "ids.txt"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(BadInputError, match=f"{tmp_path / name} is no regular file"):
            arrays.read(tmp_path, [])
        (tmp_path / name).unlink()
