"""Exports hold what the Run holds, in the form that each tool documents; complete or not at all."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fas_core import exports, metrics, scores
from fas_core.deciding import card as cards
from fas_core.evaluation.presentations import presentations
from fas_core.exports import content
from fas_core.latent import projection
from fas_core.metrics import operating_point as op
from fas_core.runs import store
from tests.conftest import Result, learned_samples, message, tiny_samples, write_image_run


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    """24 samples in 8 shards; columns that are called like those of an export, and one that a database refuses."""
    samples = learned_samples().assign(x="metadata", gmm_nll="theirs", **{"a.b": 1})
    return write_image_run(tmp_path / "cache", "m", samples)


def table_of(folder: Path) -> tuple[pd.DataFrame, dict[str, object]]:
    path = folder / "samples.parquet"
    return pd.read_parquet(path), json.loads(pq.read_schema(path).metadata[b"fas_explorer"])


def test_a_table_holds_the_run(run: store.Run, tmp_path: Path) -> None:
    exports.write(run, "parquet", tmp_path / "out")
    table, about = table_of(tmp_path / "out")
    samples = run.samples()
    for name in ("sample_id", "label", "pai_species", "subset", "subject_id", "training_use", "glasses", "frame"):
        assert table[name].tolist() == samples[name].tolist()
    for name in scores.offered(run):
        np.testing.assert_array_equal(table[f"score_{name}"], scores.values(run, name))
    np.testing.assert_array_equal(np.stack(table["latent"]), run.latents())
    np.testing.assert_allclose(np.stack(table["pca"]), projection.coordinates(run, projection.pca_of(run)), rtol=1e-6)
    np.testing.assert_array_equal(table[["x", "y"]], np.stack(table["pca"])[:, :2])  # no UMAP has been made
    assert table["x_1"].tolist() == ["metadata"] * 24
    assert table["gmm_nll"].tolist() == ["theirs"] * 24  # no score of that name came with the samples
    assert "rec" not in table  # it is score_rec
    assert pq.ParquetFile(tmp_path / "out" / "samples.parquet").num_row_groups == len(run.shards)
    assert set(about["columns"]) == set(table.columns)
    assert (about["run"], about["digest"], about["samples"]) == (run.id, run.digest, 24)
    assert about["columns"]["x_1"] == "column 'x' of the Run's samples"


def test_neighbours_are_the_nearest_others(run: store.Run, tmp_path: Path) -> None:
    exports.write(run, "parquet", tmp_path / "out")
    table, _ = table_of(tmp_path / "out")
    codes = run.latents().astype(np.float64)
    apart = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    for row, near in enumerate(table["neighbors"]):
        expected = np.argsort(apart[row], kind="stable")[: content.NEIGHBOURS]
        assert near["ids"].tolist() == expected.tolist()
        np.testing.assert_allclose(near["distances"], apart[row][expected], rtol=1e-5)


def test_images_are_those_that_the_model_saw(run: store.Run, tmp_path: Path) -> None:
    exports.write(run, "embedding-atlas", tmp_path / "out")
    table, _ = table_of(tmp_path / "out")
    inputs = run.images("inputs", np.arange(24))
    for image, expected in zip(table["image"], inputs, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image["bytes"]))), expected)
    exports.write(run, "embedding-atlas", tmp_path / "hidden", hides_faces=True)
    hidden, _ = table_of(tmp_path / "hidden")
    shown = np.asarray(Image.open(io.BytesIO(hidden["image"][0]["bytes"])))
    assert len(np.unique(shown.reshape(8, 4, 8, 4).transpose(0, 2, 1, 3).reshape(64, 16), axis=1)[0]) == 1
    np.testing.assert_array_equal(shown[:4, :4], np.rint(inputs[0, :4, :4].mean()))


def test_where_faces_are_hidden_nobody_is_named(tmp_path: Path) -> None:
    samples = learned_samples()
    samples["subject_id"] = samples["subject_id"].map(
        {name: i for i, name in enumerate(samples["subject_id"].unique())}
    )
    run = write_image_run(tmp_path / "cache", "m", samples.assign(presenter_id=samples["subject_id"].astype(str)))
    exports.write(run, "parquet", tmp_path / "out", hides_faces=True)
    table, about = table_of(tmp_path / "out")
    for column in ("sample_id", "subject_id", "session_id", "path"):
        before, after = run.samples([column])[column].astype(str), table[column]
        assert not set(before) & set(after)
        assert len(pd.DataFrame({"before": before, "after": after}).drop_duplicates()) == before.nunique()
        assert after.nunique() == before.nunique()
        assert "other names" in about["columns"][column]
    assert table["presenter_id"].tolist() == table["subject_id"].tolist()  # one person, one name
    assert table["subset"].tolist() == run.samples(["subset"])["subset"].tolist()
    exports.write(run, "fiftyone", tmp_path / "fo", hides_faces=True)
    first = json.loads((tmp_path / "fo" / "samples.json").read_text())["samples"][0]
    assert first["sample_id"].startswith("sample ")
    assert first["sample_id"] != table["sample_id"][0]  # another export has another key


def test_the_atlas_gets_the_columns_that_it_documents(run: store.Run, tmp_path: Path) -> None:
    *_, words = exports.write(run, "embedding-atlas", tmp_path / "out")
    assert words.endswith("samples.parquet --x x --y y --neighbors neighbors --image image")
    schema = pq.read_schema(tmp_path / "out" / "samples.parquet")
    assert [str(schema.field(axis).type) for axis in ("x", "y")] == ["float", "float"]
    assert str(schema.field("neighbors").type) == "struct<ids: list<element: int64>, distances: list<element: float>>"
    assert str(schema.field("image").type) == "struct<bytes: binary, path: string>"
    assert not {"latent", "pca"} & set(schema.names)  # a browser loads it


def test_the_atlas_opens_it(run: store.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = pytest.importorskip("embedding_atlas.cli", reason="Embedding Atlas is not installed")
    runner = pytest.importorskip("click.testing").CliRunner()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-of-the-tool"))
    exports.write(run, "embedding-atlas", tmp_path / "out")
    options = ["--x", "x", "--y", "y", "--neighbors", "neighbors", "--image", "image", "--pagerank", "score_rec"]
    table, site = str(tmp_path / "out" / "samples.parquet"), tmp_path / "site"
    shown = runner.invoke(cli.main, [table, *options, "--export-application", str(site)])
    assert shown.exit_code == 0, shown.output
    data = json.loads((site / "data" / "metadata.json").read_text())["props"]["data"]
    assert (data["projection"], data["neighbors"], data["image"]) == ({"x": "x", "y": "y"}, "neighbors", "image")
    assert len(pd.read_parquet(site / "data" / "dataset.parquet")) == 24


def test_verdicts_are_by_a_rule_on_the_dev_subset(run: store.Run, tmp_path: Path) -> None:
    exports.write(run, "parquet", tmp_path / "out", rule=op.rule("bpcer<=0.3"))
    table, about = table_of(tmp_path / "out")
    values = scores.values(run, "rec")
    threshold = presentations(run, values).threshold_by(op.rule("bpcer<=0.3"), ["live"])
    assert about["thresholds"]["rec"] == {"threshold": threshold, "level": "frame", "chosen": "bpcer<=0.3 on live"}
    called, attack = metrics.is_attack(values, threshold), (table["label"] == "attack").to_numpy()
    assert (table["verdict_rec"] == "right").tolist() == (called == attack).tolist()
    assert (table["verdict_rec"] == "missed").tolist() == (attack & ~called).tolist()
    assert {f"verdict_{name}" for name in scores.offered(run)} <= set(table)


def test_verdicts_are_by_a_card_of_sessions(run: store.Run, tmp_path: Path) -> None:
    card = cards.card(run, "rec", op.DEFAULT, ["live"], ["unseen_mask"], level="session mean")
    exports.write(run, "parquet", tmp_path / "out", card=card)
    table, about = table_of(tmp_path / "out")
    assert [name for name in table if name.startswith("verdict_")] == ["verdict_rec"]
    assert about["thresholds"]["rec"]["threshold"] == card.threshold
    decided = presentations(run, scores.values(run, "rec"), "session mean")
    called = metrics.is_attack(decided.values[decided.of_frame], card.threshold)
    assert (table["verdict_rec"] == "right").tolist() == (called == (table["label"] == "attack")).tolist()


def test_fiftyone_gets_the_documents_that_it_imports(run: store.Run, tmp_path: Path) -> None:
    """As FiftyOne 1.x itself exports them: every field declared, ids and vectors in extended JSON."""
    exports.write(run, "fiftyone", tmp_path / "out")
    declared = json.loads((tmp_path / "out" / "metadata.json").read_text())
    samples = json.loads((tmp_path / "out" / "samples.json").read_text())["samples"]
    fields = {field["db_field"]: field["ftype"].rsplit(".")[-1] for field in declared["sample_fields"]}
    assert len(samples) == 24
    assert {name for sample in samples for name in sample} <= set(fields)
    assert (fields["score_rec"], fields["latent"], fields["frame"]) == ("FloatField", "VectorField", "FloatField")
    assert fields["a_b"] == "IntField"
    first = samples[0]
    assert first["filepath"] == "data/train/0000000.png"
    pixels = np.asarray(Image.open(tmp_path / "out" / first["filepath"]))
    np.testing.assert_array_equal(pixels, run.images("inputs", [0])[0])
    assert first["metadata"]["size_bytes"] == (tmp_path / "out" / first["filepath"]).stat().st_size
    packed = zlib.decompress(base64.b64decode(first["latent"]["$binary"]["base64"]))
    np.testing.assert_array_equal(np.load(io.BytesIO(packed), allow_pickle=False), run.latents()[0])
    assert [s["ground_truth"]["label"] for s in samples] == run.samples()["label"].tolist()
    ids = [sample["_id"]["$oid"] for sample in samples]
    assert len({*ids}) == 24
    assert all(len(name) == 24 for name in ids)
    assert set(first["neighbors"]) <= set(ids) - {ids[0]}
    assert len(list((tmp_path / "out" / "data").rglob("*.png"))) == 24


def test_an_export_is_the_same_however_often(run: store.Run, tmp_path: Path) -> None:
    for tool in exports.TOOLS:
        for name in ("a", "b"):
            exports.write(run, tool, tmp_path / tool / name)
        files = sorted(p.relative_to(tmp_path / tool / "a") for p in (tmp_path / tool / "a").rglob("*") if p.is_file())
        for file in files:
            assert (tmp_path / tool / "a" / file).read_bytes() == (tmp_path / tool / "b" / file).read_bytes()


def test_scores_alone_are_a_table(tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    answer = fas("export", "vendor", "--to", "parquet", "--out", tmp_path / "out")
    assert answer.code == 0, answer
    assert answer.out.strip() == str(tmp_path / "out")
    table, _ = table_of(tmp_path / "out")
    run = store.open_run(tiny_cache, "vendor")
    np.testing.assert_array_equal(table["score_score"], scores.values(run, "score"))
    assert set(table["verdict_score"]) <= {"right", "missed", "rejected"}
    assert not {"x", "latent", "image", "neighbors", "score"} & set(table)
    refused = message(fas("export", "vendor", "--to", "fiftyone", "--out", tmp_path / "no"))
    assert "--to parquet" in refused
    assert not (tmp_path / "no").exists()


def test_paths_lead_to_the_files(
    trained_run: tuple[store.Run, Path], tmp_path: Path, fas: Callable[..., Result]
) -> None:
    run, root = trained_run
    fas_out = ("--cache", run.cache, "--images", "paths", "--out")
    assert fas("export", run.id, "--to", "parquet", *fas_out, tmp_path / "p").code == 0
    table, _ = table_of(tmp_path / "p")
    assert all(Path(image["path"]).is_file() and image["bytes"] is None for image in table["image"])
    assert fas("export", run.id, "--to", "fiftyone", *fas_out, tmp_path / "f").code == 0
    samples = json.loads((tmp_path / "f" / "samples.json").read_text())["samples"]
    assert {Path(sample["filepath"]) for sample in samples} == {(root / p).resolve() for p in run.samples()["path"]}
    assert not list((tmp_path / "f" / "data").iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to", "excel"], "--to excel: choose parquet"),
        (["--to", "parquet", "--images", "all"], "--images all: choose bytes"),
        (["--to", "embedding-atlas", "--images", "paths"], "a browser opens no files"),
        (["--to", "fiftyone", "--images", "none"], "--to parquet"),
        (["--to", "parquet", "--images", "paths", "--pixelate"], "show faces as they are"),
        (["--to", "parquet", "--rule", "eer", "--operating-point", "op.json"], "Give one of"),
        (["--to", "parquet", "--rule", "best"], "is no rule"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_message(
    options: list[str], words: str, tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    assert words in message(fas("export", "a", *options, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_card_of_another_system_is_refused(tmp_path: Path, fas: Callable[..., Result], tiny_cache: Path) -> None:
    vendor = store.open_run(tiny_cache, "vendor")
    cards.write(cards.card(vendor, "score", op.DEFAULT, ["dev"], ["test"]), tmp_path / "op.json")
    options = ("--to", "parquet", "--out", tmp_path / "out", "--operating-point", tmp_path / "op.json")
    assert "another system" in message(fas("export", "a", *options))


def test_what_is_there_stays(tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "is not empty" in message(fas("export", "a", "--to", "parquet", "--out", tmp_path / "out"))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert fas("export", "a", "--to", "parquet", "--out", tmp_path / "empty").code == 0


@pytest.mark.parametrize("tool", exports.TOOLS)
def test_a_damaged_shard_leaves_nothing(tool: str, run: store.Run, tmp_path: Path, fas: Callable[..., Result]) -> None:
    """One bit of a picture, which no reader of arrays would notice; in the last shard, so that all else was written."""
    path = run.shards[-1].folder / "inputs.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refused = message(fas("export", "m", "--to", tool, "--out", tmp_path / "exported" / "out"))
    assert "unseen_mask" in refused
    assert f"fas verify {run.id} --repair" in refused
    assert list((tmp_path / "exported").iterdir()) == []


def test_copies_of_a_code_are_no_neighbours_of_themselves() -> None:
    from fas_core.latent import neighbours

    codes = np.concatenate([np.zeros((5, 3)), np.ones((2, 3))]).astype(np.float32)
    distances, rows = neighbours.of_each(codes, 3)
    assert all(row not in near for row, near in enumerate(rows.tolist()))
    assert distances[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(distances[6], [0, 3**0.5, 3**0.5], rtol=1e-6)


def test_rules_that_cannot_be_applied_are_said(tmp_path: Path, fas: Callable[..., Result]) -> None:
    samples = tiny_samples()
    write_image_run(tmp_path / "cache", "attacks", samples[samples["label"] == "attack"].reset_index(drop=True))
    answer = fas("export", "attacks", "--to", "parquet", "--out", tmp_path / "out")
    assert answer.code == 0, answer
    assert "No verdicts by rec" in answer.err
    assert not [name for name in table_of(tmp_path / "out")[0] if name.startswith("verdict_")]
