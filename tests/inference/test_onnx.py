"""Checkpoints leave as ONNX files and say the same there; ONNX files of others become Runs, or are refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from fas_core import models
from fas_core.data import images, manifest
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.inference import infer, onnx_engine, onnx_export, predict
from fas_core.inference.repair import repair
from fas_core.models import onnx_model
from fas_core.models.base import Outputs
from fas_core.models.input import Input
from fas_core.models.onnx_model import OnnxModel, Told
from fas_core.runs import store, upkeep
from fas_core.training import checkpoint
from fas_core.training.devices import ONNX
from tests.conftest import Result, message

SIDE, DIM = 16, 4
SMALL = {"width": 0.0625, "latent_dim": 16, "image_size": 32}


@pytest.fixture
def data(tiny_faces: Path) -> Manifest:
    return manifest.read(tiny_faces)


@pytest.fixture(scope="module")
def exported(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_export.export(tiny_checkpoint, tmp_path_factory.mktemp("onnx") / "tiny.onnx").path


def faces(data: Manifest, n: int) -> torch.Tensor:
    return torch.from_numpy(images.standard_scaled(np.stack([images.load(p, 32) for p in data.image_paths()[:n]])))


# ---------------------------------------------------------------------------------------- going out


@pytest.mark.parametrize("name", models.built_in())
@torch.inference_mode()
def test_what_leaves_says_what_the_checkpoint_says(name: str, data: Manifest, tmp_path: Path) -> None:
    """By ONNX Runtime alone, as others will run it, for any number of images."""
    torch.manual_seed(0)
    model = models.built(name, SMALL).eval()
    checkpoint.save(tmp_path / "m.safetensors", model, name, {"epoch": 3})
    done = onnx_export.export(tmp_path / "m.safetensors")
    assert done.path == tmp_path / "m.onnx"
    assert done.decodes
    session = onnxruntime.InferenceSession(done.path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == ["latents", "reconstructions", *model.form().losses]
    for n in (1, 7):
        x = faces(data, n)
        arrays = dict(zip(names, session.run(None, {"images": x.numpy()}), strict=True))
        out = model.outputs(x)
        expected = {"latents": out.latents, "reconstructions": out.reconstructions, **out.losses}
        for output, array in arrays.items():
            np.testing.assert_allclose(array, expected[output].numpy(), rtol=1e-5, atol=1e-5, err_msg=output)
    about = json.loads(session.get_modelmeta().custom_metadata_map["fas"])
    assert (about["model"], about["config"]["latent_dim"], about["epoch"]) == (name, 16, 3)
    assert about["input"] == {"size": 32, "channels": 1, "scaling": "standard"}
    assert about["exported_from"]["sha256"] == checkpoint.sha256(tmp_path / "m.safetensors")


def test_a_file_that_says_no_number_is_not_written(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last output alone, after those that are compared well."""
    says = OnnxModel.outputs

    def spoilt(model: OnnxModel, x: torch.Tensor) -> Outputs:
        out = says(model, x)
        *_, last = out.losses
        return replace(out, losses=out.losses | {last: out.losses[last] * torch.nan})

    monkeypatch.setattr(OnnxModel, "outputs", spoilt)
    with pytest.raises(BadInputError, match="differs from the model by nan"):
        onnx_export.export(tiny_checkpoint, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_file_names_no_place_of_this_machine_and_overwrites_none(exported: Path, tiny_checkpoint: Path) -> None:
    content = exported.read_bytes()
    assert str(Path(torch.__file__).parents[1]).encode() not in content
    assert str(Path(models.__file__).parents[2]).encode() not in content
    with pytest.raises(BadInputError, match="is there already"):
        onnx_export.export(tiny_checkpoint, exported)
    assert exported.read_bytes() == content


def test_a_run_of_the_file_is_that_of_the_checkpoint(
    exported: Path, tiny_checkpoint: Path, data: Manifest, tmp_path: Path
) -> None:
    (mine,) = infer.write_runs([tiny_checkpoint], data, tmp_path, device="cpu", precision="fp32")
    (run,) = infer.write_runs([exported], data, tmp_path)
    assert run.id != mine.id
    assert (run.info.model, run.info.scores, run.info.declared) == (mine.info.model, mine.info.scores, {})
    theirs, samples = mine.samples(), run.samples()
    assert samples["sample_id"].tolist() == theirs["sample_id"].tolist()
    assert samples["training_use"].tolist() == theirs["training_use"].tolist()  # it is known what the model has seen
    np.testing.assert_allclose(run.latents(), mine.latents(), rtol=1e-5, atol=1e-5)
    for name in run.info.scores:
        np.testing.assert_allclose(samples[name], theirs[name], rtol=1e-5, atol=1e-5, err_msg=name)
    for name in ("inputs", "reconstructions"):
        ours, of_checkpoint = (np.asarray(each.images(name, [0, 5])).astype(int) for each in (run, mine))
        assert np.abs(ours - of_checkpoint).max() <= 1
    raw = np.stack([images.load(path, 32) for path in data.image_paths()[:3]])
    again, before = (predict.outputs_of(each, raw, "cpu") for each in (run, mine))
    np.testing.assert_allclose(again.table, before.table, rtol=1e-5, atol=1e-5)
    decoded = [predict.decoded(run.latents()[:3], predict.ready(each, "cpu")).astype(int) for each in (run, mine)]
    assert np.abs(decoded[0] - decoded[1]).max() <= 1


def test_damage_is_repaired_with_what_the_file_was_said_to_be_given(data: Manifest, tmp_path: Path) -> None:
    path = foreign(tmp_path / "m.onnx")
    told = [Told(scaling="signed"), Told(scaling="unit")]
    (run, other) = (infer.write_runs([path], data, tmp_path, told=each)[0] for each in told)
    assert run.id != other.id  # of the same file and the same images
    shard = run.shards[0].folder / "latents.npy"
    before = shard.read_bytes()
    shard.write_bytes(before[:-4] + b"abcd")
    done = repair(run.folder, upkeep.damage(run))
    assert (len(done.repaired), done.damage) == (1, [])
    assert shard.read_bytes() == before


# ---------------------------------------------------------------------------------------- coming in


def foreign(
    path: Path,
    nodes: Sequence[Any] = (),
    outputs: Sequence[str] = ("latents", "reconstructions", "surprise"),
    *,
    shape: Sequence[object] = ("n", 3, SIDE, SIDE),
    opset: int = 17,
    about: object = None,
    more: Sequence[Any] = (),
    domain: str = "",
) -> Path:
    """A linear autoencoder written by hand: `nodes` come last; those that nobody asks for do not matter."""
    rng = np.random.default_rng(0)
    length = 3 * SIDE * SIDE
    numbers = {
        "w": rng.normal(0, 0.1, (length, DIM)).astype(np.float32),
        "v": rng.normal(0, 0.1, (DIM, length)).astype(np.float32),
        "sides": np.array([-1, *shape[1:]] if shape[1:] and None not in shape else [-1, 3, SIDE, SIDE]),
    }
    body = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["code"]),
        helper.make_node("Identity", ["code"], ["latents"]),
        helper.make_node("MatMul", ["code", "v"], ["painted"]),
        helper.make_node("Reshape", ["painted", "sides"], ["reconstructions"]),
        helper.make_node("ReduceL2", ["code"], ["surprise"], axes=[1], keepdims=0),
        *nodes,
    ]
    graph = helper.make_graph(
        body,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [*(numpy_helper.from_array(value, name) for name, value in numbers.items()), *more],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    if about is not None:
        helper.set_model_props(model, {"fas": about if isinstance(about, str) else json.dumps(about)})
    path.write_bytes(model.SerializeToString())
    return path


def test_a_foreign_file_becomes_a_run_in_colour_with_its_scores(data: Manifest, tmp_path: Path) -> None:
    about = {"input": {"scaling": [[0.5, 0.4, 0.3], [0.2, 0.2, 0.1]]}, "scores": {"calm": "bona_fide"}}
    calm = helper.make_node("Neg", ["surprise"], ["calm"])
    path = foreign(tmp_path / "m.onnx", [calm], ("surprise", "latents", "reconstructions", "calm"), about=about)
    (run,) = infer.write_runs([path], data, tmp_path)
    assert run.is_complete
    assert (run.info.name, run.info.model, run.info.precision) == ("m", "onnx", "fp32")
    assert run.info.declared == {"surprise": "attack", "calm": "bona_fide"}
    raw = np.stack([images.load(path, SIDE, 3) for path in data.image_paths()])
    mean, std = (np.array(part, np.float32).reshape(3, 1, 1) for part in about["input"]["scaling"])
    model = onnx.load(path)
    weights = numpy_helper.to_array(next(t for t in model.graph.initializer if t.name == "w"))
    expected = ((raw - mean) / std).reshape(len(raw), -1) @ weights
    rows = run.samples(["sample_id"]).reset_index().set_index("sample_id")["index"][data.rows["sample_id"]]
    np.testing.assert_allclose(run.latents()[rows], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.samples(["calm"])["calm"], -run.samples(["surprise"])["surprise"])
    assert run.images("reconstructions", [0]).shape == (1, SIDE, SIDE, 3)


@pytest.mark.parametrize(
    "shape", [(1, 3, SIDE, SIDE), (3, 3, SIDE, SIDE), ("n", SIDE, SIDE, 3), ("n", None, None, None)], ids=str
)
def test_batches_that_a_file_fixes_and_channels_that_come_last(shape: tuple[Any, ...], tmp_path: Path) -> None:
    """Each says of an image what the file that takes any number of them, channels first, says of it."""
    whole = onnx_model.read(foreign(tmp_path / "whole.onnx"), Told(scaling="unit"))
    is_last = shape[3] == 3
    model = onnx_model.read(foreign(tmp_path / "m.onnx", shape=shape), Told(SIDE, 3, "unit"))
    assert (model.input, model.decodes) == (Input(SIDE, 3, "unit"), True)
    x = torch.rand(5, 3, SIDE, SIDE)
    seen = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x.numpy(), 1, -1))).reshape(x.shape) if is_last else x
    out, expected = model.outputs(x), whole.outputs(seen)
    torch.testing.assert_close(out.latents, expected.latents)
    torch.testing.assert_close(model.decode(out.latents), out.reconstructions)
    assert out.reconstructions is not None
    assert out.reconstructions.shape == x.shape


def test_a_decoder_is_cut_out_where_reconstructions_follow_from_the_code(tmp_path: Path) -> None:
    by_shape = [
        helper.make_node("Shape", ["x"], ["shape_of_x"]),
        helper.make_node("Reshape", ["painted", "shape_of_x"], ["shaped"]),
    ]
    skipping = [*by_shape, helper.make_node("Add", ["shaped", "x"], ["skipped"])]
    for nodes, name, decodes in ((by_shape, "shaped", True), (skipping, "skipped", False)):
        content = onnx.load(foreign(tmp_path / "m.onnx", nodes))
        content.graph.node[4].output[0], content.graph.node[-1].output[0] = "unused", "reconstructions"
        for node in content.graph.node:
            node.input[:] = ["reconstructions" if each == name else each for each in node.input]
        (tmp_path / f"{name}.onnx").write_bytes(content.SerializeToString())
        model = onnx_model.read(tmp_path / f"{name}.onnx", Told(scaling="unit"))
        assert model.decodes is decodes, name
    with pytest.raises(BadInputError, match="cannot decode"):
        model.painted(torch.zeros(1, DIM))


def elsewhere() -> Any:
    """A tensor whose numbers are in another file."""
    tensor = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret.bin")
    return tensor


def outside(node: str, **more: Any) -> dict[str, Any]:
    return {"nodes": [helper.make_node(node, ["surprise"], ["s"], **more)], "outputs": ("latents", "s")}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "external": ({"more": [elsewhere()]}, "keeps its weights in another file .*secret.bin.*which is refused"),
    "external in a node": (
        {"nodes": [helper.make_node("Constant", [], ["k"], value=elsewhere())]},
        "keeps its weights in another file",
    ),
    "custom": (outside("Foo", domain="acme") | {"domain": "acme"}, "operator acme.Foo, which is not ONNX's own"),
    "of a vendor": (outside("Gelu", domain="com.microsoft") | {"domain": "com.microsoft"}, "com.microsoft.Gelu"),
    "unknown": (outside("Foo"), "the operator Foo, which opset 17 does not have"),
    "opset": ({"opset": 99}, "operators of opset 99; known are 1 to"),
    "no latents": ({"outputs": ("code", "surprise")}, "no output 'latents'. Its outputs: code, surprise"),
    "scaling": ({"about": None}, "does not say how the pixels .* --scaling unit"),
    "size": ({"shape": ("n", 3, None, None)}, "how large its images are. Say it: --input 96x96x3"),
    "not square": ({"shape": ("n", 3, 16, 18)}, r"is \(n, 3, 16, 18\); expected square images"),
    "features": ({"outputs": ("latents", "flat")}, r"'flat' is \(2, 768\) for 2 images; expected \(2,\), a score"),
    "codes as maps": (
        {"nodes": [helper.make_node("Identity", ["x"], ["m"])], "outputs": ("latents", "m")},
        r"'m' is \(2, 3, 16, 16\) for 2 images",
    ),
    "one number": (
        {"nodes": [helper.make_node("ReduceMean", ["x"], ["all"], keepdims=0)], "outputs": ("latents", "all")},
        "one number for all images",
    ),
    "random": (outside("RandomNormalLike"), "another one each time the same images are given"),
    "of the batch": (
        {
            "nodes": [
                helper.make_node("ReduceMean", ["surprise"], ["m"], keepdims=1),
                helper.make_node("Sub", ["surprise", "m"], ["centred"]),
            ],
            "outputs": ("latents", "centred"),
        },
        "depends on the images that share its batch",
    ),
    "name": (
        {"nodes": [helper.make_node("Neg", ["surprise"], ["my/score"])], "outputs": ("latents", "my/score")},
        "'my/score' cannot be the name of a score",
    ),
    "a score of ours": (
        {"nodes": [helper.make_node("Neg", ["surprise"], ["mahalanobis"])], "outputs": ("latents", "mahalanobis")},
        "'mahalanobis' has the name of a score that is computed here",
    ),
    "a loss of ours": (
        {"nodes": [helper.make_node("Neg", ["surprise"], ["ssim"])], "outputs": ("latents", "ssim")},
        "'ssim' has the name of what is computed here",
    ),
    "memory": (
        {
            "nodes": [
                helper.make_node("ConstantOfShape", ["large"], ["zeros"]),
                helper.make_node("ReduceSum", ["zeros"], ["zero"], keepdims=0),
                helper.make_node("Add", ["surprise", "zero"], ["s"]),
            ],
            "outputs": ("latents", "s"),
            "more": [numpy_helper.from_array(np.array([1 << 22, 1 << 22]), "large")],
        },
        "failed on 2 images: .*allocate",
    ),
    "JSON": ({"about": "{no"}, "its metadata 'fas' is no JSON object"),
    "scores": ({"about": {"input": {"scaling": "unit"}, "scores": {"x": "attack"}}}, "'scores' in its metadata"),
    "scores of lists": ({"about": {"input": {"scaling": "unit"}, "scores": {"surprise": []}}}, "'scores' in its"),
    "another size": ({"about": {"input": {"scaling": "unit", "size": 32}}}, "takes images of 16x16x3, not of 32x32x3"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_model_is_refused_in_one_message(case: str, data: Manifest, tmp_path: Path) -> None:
    content, words = REFUSED[case]
    path = foreign(tmp_path / "m.onnx", **{"about": {"input": {"scaling": "unit"}}, **content})
    with pytest.raises(BadInputError, match=words) as refused:
        infer.write_runs([path], data, tmp_path / "cache")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "cache").exists()


def test_what_a_file_says_itself_is_not_told_otherwise(tmp_path: Path) -> None:
    same = {"input": {"scaling": [[0.5], [0.25]], "size": 16}}
    told = Told(16, None, ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)))
    assert onnx_model.read(foreign(tmp_path / "m.onnx", about=same), told).input.size == 16
    for other in (Told(scaling="unit"), Told(size=32), Told(scaling=((0.5,), (0.5,)))):
        with pytest.raises(BadInputError, match="says itself that its (scaling|size) is .*Leave that out"):
            onnx_model.read(tmp_path / "m.onnx", other)


def test_what_is_no_file_of_the_format_is_refused(exported: Path, tmp_path: Path) -> None:
    for content in (b"", b"no model at all", exported.read_bytes()[:20_000]):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(BadInputError, match="is not a complete ONNX file"):
            onnx_model.read(tmp_path / "m.onnx", Told())


def test_without_the_extra_its_name_is_said(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(BadInputError, match=r"pip install .*\[onnx\]"):
        onnx_export.export(tiny_checkpoint, tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BadInputError, match=r"pip install .*\[onnx\]"):
        onnx_model.read(foreign(tmp_path / "m.onnx"), Told(scaling="unit"))


def test_nan_for_every_image_leaves_nothing(data: Manifest, tmp_path: Path) -> None:
    nan = [helper.make_node("Log", ["below"], ["nan"]), helper.make_node("Add", ["surprise", "nan"], ["s"])]
    below = [numpy_helper.from_array(np.float32(-1), "below")]
    path = foreign(tmp_path / "m.onnx", nan, ("latents", "s"), more=below)
    with pytest.raises(BadInputError, match=r"m.onnx gives NaN for every image"):
        infer.write_runs([path], data, tmp_path / "cache", told=Told(scaling="unit"))
    assert not list((tmp_path / "cache").rglob("*.npy"))
    assert not list((tmp_path / "cache").rglob("run.json"))


def test_what_a_user_writes_of_an_input() -> None:
    assert onnx_model.told(None, None) is None
    assert onnx_model.told("96x96x3", "-1..1") == Told(96, 3, "signed")
    assert onnx_model.told(None, "0.4,0.5,0.6/0.1,0.2,0.3") == Told(scaling=((0.4, 0.5, 0.6), (0.1, 0.2, 0.3)))
    assert onnx_model.told(None, "0..255") == Told(scaling=((0.0,), (1 / 255,)))
    for of_images, scaling in (("96", None), ("96x48x3", None), ("96x96x2", None), (None, "loud"), (None, "1,2/")):
        with pytest.raises(BadInputError, match="expected"):
            onnx_model.told(of_images, scaling)


def test_the_commands(exported: Path, tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    """What is wrong is one message; a Run is there after the right words."""
    path = foreign(tmp_path / "m.onnx")
    cached = ("cache", path, "--data", tiny_faces, "--subset", "live", "--cache", tmp_path / "cache")
    assert "--scaling unit" in message(fas(*cached))
    assert "runs on the CPU" in message(fas(*cached, "--scaling", "unit", "--precision", "bf16"))
    assert not (tmp_path / "cache").exists()
    done = fas(*cached, "--scaling", "-1..1")
    assert done.code == 0, done.err
    run = store.open_run(tmp_path / "cache", done.out.strip())
    assert run.info.input == {"size": SIDE, "channels": 3, "scaling": "signed"}
    assert "is an ONNX file already" in message(
        fas("export", exported, "--to", "onnx", "--out", tmp_path / "again.onnx")
    )
    assert "Leave the other options out" in message(fas("export", exported, "--to", "onnx", "--pixelate"))
    assert "--out FOLDER" in message(fas("export", run.id, "--to", "parquet", "--cache", tmp_path / "cache"))


# --------------------------------------------------------------------------------------- which one is faster


def test_the_faster_one_computes_a_run_and_goes_on_with_it(
    exported: Path, tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"OnnxModel": 1.0, "Model": 2.0}
    measured: list[str] = []

    def pretended(model: torch.nn.Module) -> float:
        measured.append(type(model).__name__)
        return seconds[type(model).__name__]

    monkeypatch.setattr(onnx_engine, "_seconds_per_image", pretended)
    monkeypatch.setattr(onnx_export, "graph_of", lambda loaded: exported.read_bytes())
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path, device="cpu")
    assert (run.info.precision, measured) == (ONNX, ["Model", "OnnxModel"])
    (kept,) = (tmp_path / "graphs").glob("*.json")
    assert json.loads(kept.read_text())["seconds_of_a_core_per_image"] == {"fp32": 2.0, ONNX: 1.0}
    (by_torch,) = infer.write_runs([tiny_checkpoint], data, tmp_path, device="cpu", precision="fp32")
    assert by_torch.id != run.id
    np.testing.assert_allclose(run.latents(), by_torch.latents(), rtol=1e-5, atol=1e-5)
    seconds["OnnxModel"] = 9.0
    first = run.shards[0].folder / "latents.npy"
    before = first.read_bytes()
    first.write_bytes(before[:-4] + b"abcd")
    repair(run.folder, upkeep.damage(run))
    assert first.read_bytes() == before
    assert infer.write_runs([tiny_checkpoint], data, tmp_path, subsets=["train"], device="cpu")[0].id == by_torch.id
    assert len(measured) == 2


def test_little_work_is_not_worth_a_measurement(
    tiny_checkpoint: Path, data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "graph_of", pytest.fail)
    (run,) = infer.write_runs([tiny_checkpoint], data, tmp_path, device="cpu")
    assert run.info.precision == "fp32"
    assert not (tmp_path / "graphs").exists()
    assert isinstance(run, store.Run)
