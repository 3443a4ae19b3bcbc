"""Models of other packages: found by entry point, named by checkpoints, refused in one message where they are bad."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fas_core import derive, models, scores
from fas_core.data import manifest
from fas_core.errors import BadInputError
from fas_core.inference import infer, onnx_engine, predict
from fas_core.models.base import Model
from fas_core.models.input import Input
from fas_core.runs import store
from fas_core.training import checkpoint
from tests.conftest import PROJECT, Result, message

Install = Callable[..., None]

HEAD = """
import torch
from torch import nn
from fas_core.models.base import Input, Model, Outputs

class Acme(Model):
    input = Input(32, 3, "unit")
    def __init__(self, config):
        super().__init__(config)
        self.net = nn.Linear(3, 4)
    def encode(self, x):
        return self.net(x.mean((2, 3)))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Writes a module and the metadata of its distribution as pip leaves them, and forgets what was imported before."""
    site, before = tmp_path / "site", set(sys.modules)
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def forget() -> None:
        models._kind.cache_clear()
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(site)):
                del sys.modules[name]

    def installed(
        source: str, entries: dict[str, str] | None = None, *, name: str = "acme-fas", version: str = "1.0"
    ) -> None:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        metadata = site / f"{module}.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        listed = {"acme": f"{module}:Acme"} if entries is None else entries
        lines = [f"{entry} = {value}" for entry, value in listed.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{models.GROUP}]", *lines]))
        monkeypatch.syspath_prepend(site)  # which makes importlib look again
        forget()

    yield installed
    forget()


def checkpoint_of(folder: Path, name: str = "acme") -> Path:
    torch.manual_seed(0)
    save_file(models.built(name, {}).state_dict(), folder / "w.safetensors")
    path = folder / f"{name}.safetensors"
    path.unlink(missing_ok=True)
    checkpoint.adopt(folder / "w.safetensors", name, {}, path)
    return path


# ----------------------------------------------------------------------------------------------------- the whole way


def test_the_template_of_the_readme_works_as_it_stands(
    install: Install,
    tiny_faces: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    fas: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(derive, "compute", lambda run, **_: None)  # UMAP, mixtures: of any Run
    readme = (PROJECT / "README.md").read_text()
    section = readme[readme.index("## A model of your own") :]
    source, project = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)[1] for kind in ("python", "toml"))
    assert len([line for line in source.splitlines() if line.strip()]) <= 30
    about = tomllib.loads(project)["project"]
    install(source, about["entry-points"][models.GROUP], name=about["name"], version=about["version"])
    [listed] = [m for m in json.loads(fas("models", "--json").out) if m["name"] == "acme"]
    assert (listed["distribution"], listed["version"], listed["entry"]) == ("acme-fas", "1.0", "acme_fas:Acme")
    assert listed["problem"] is None
    assert listed["input"] == {"size": 96, "channels": 3, "scaling": "signed"}

    save_file(models.built("acme", {"latent_dim": 8}).state_dict(), tmp_path / "weights.safetensors")
    out, cache = tmp_path / "acme.safetensors", ["--cache", tmp_path / "c"]
    adopted = fas("adopt", tmp_path / "weights.safetensors", "--model", "acme", "--set", "latent_dim=8", "--out", out)
    assert adopted.code == 0, adopted.err
    for path in (out, tiny_checkpoint):
        assert fas("cache", path, "--data", tiny_faces, *cache, "--precision", "fp32").code == 0
    assert fas("verify", *cache).code == 0
    assert fas("compare", "acme", "tiny", "--score", "pixel_l2", *cache).code == 0

    run = store.open_run(tmp_path / "c", "acme")
    assert run.images("inputs", [0]).shape == run.images("reconstructions", [0]).shape == (1, 96, 96, 3)
    assert run.info.scores == ["spread", "pixel_l1", "pixel_l2", "ssim"]
    assert run.info.declared == {"spread": "attack"}
    assert run.latent_dim == 8


def test_the_models_of_this_package_are_declared_as_any_other() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"][models.GROUP]
    assert declared == {name: f"fas_core.models.{name}:Model" for name in models.built_in()}
    assert set(models.built_in()) <= set(models.names())
    assert models.kind("dcvae").origin.distribution == "fas-explorer"


def test_a_run_of_this_package_s_models_keeps_the_id_that_it_had(tiny_checkpoint: Path, tiny_faces: Path) -> None:
    """Caches from before ids held where a model comes from are complete, not missing."""
    data = manifest.read(tiny_faces)
    info = infer.run_info(infer.loaded(tiny_checkpoint), data, "fp32")
    sizes = "1: first frame; luma 601 over black; full range; centre square, lanczos; (x-mean)/std*0.25+0.5, 1e-4"
    assert info.run == store.run_id(checkpoint.sha256(tiny_checkpoint), data.sha256, sizes, "fp32")


# ------------------------------------------------------------------------------------------------ what a Run is made of


def test_a_model_that_only_encodes_makes_a_run_without_reconstructions(
    install: Install, tiny_faces: Path, tmp_path: Path
) -> None:
    install(HEAD)
    path = checkpoint_of(tmp_path)
    (run,) = infer.write_runs([path], manifest.read(tiny_faces), tmp_path / "c", device="cpu", precision="fp32")
    assert run.is_complete
    assert (run.has("latents", "inputs"), run.has("reconstructions")) == (True, False)
    assert run.images("inputs", [0]).shape == (1, 32, 32, 3)
    assert scores.offered(run) == ["gmm_nll", "flow", "frequency", "knn", "mahalanobis"]
    network = infer.loaded(path)
    x = torch.from_numpy(run.images("inputs", np.arange(len(run)))).movedim(-1, 1) / 255
    with torch.inference_mode():  # unit scaling: what is stored is what the model saw, up to 8 bits
        np.testing.assert_allclose(run.latents(), network.model.encode(x).numpy(), atol=2e-3)
    with pytest.raises(BadInputError, match="no decoder"):
        predict.decoded(run.latents(), predict.ready(run, "cpu"))


def test_the_id_changes_with_code_version_and_nothing_else(install: Install, tiny_faces: Path, tmp_path: Path) -> None:
    data = manifest.read(tiny_faces)

    def run_id() -> str:
        return infer.run_info(infer.loaded(tmp_path / "acme.safetensors"), data, "fp32").run

    install(HEAD)
    checkpoint_of(tmp_path)
    first = run_id()
    install(HEAD)
    assert run_id() == first
    install(HEAD, version="1.1")
    assert run_id() != first
    install(HEAD + "# another\n")
    assert run_id() != first


def test_a_helper_module_of_the_package_is_part_of_the_digest(install: Install, tmp_path: Path) -> None:
    package = tmp_path / "site" / "acme_pack"
    (package / "nets").mkdir(parents=True)
    for path in (package / "__init__.py", package / "nets" / "__init__.py"):
        path.write_text("")
    (package / "nets" / "acme.py").write_text(HEAD)
    (package / "layers.py").write_text("WIDTH = 4\n")
    install("", {"acme": "acme_pack.nets.acme:Acme"})
    first = models.kind("acme").origin.digest
    (package / "layers.py").write_text("WIDTH = 5\n")
    install("", {"acme": "acme_pack.nets.acme:Acme"})
    assert models.kind("acme").origin.digest != first


def test_what_was_made_by_other_code_is_not_asked(install: Install, tiny_faces: Path, tmp_path: Path) -> None:
    install(HEAD)
    path = checkpoint_of(tmp_path)
    (run,) = infer.write_runs([path], manifest.read(tiny_faces), tmp_path / "c", device="cpu", precision="fp32")
    predict.ready(run, "cpu")
    graph = onnx_engine._graph_file(infer.loaded(path), tmp_path / "c")
    install(HEAD.replace("x.mean((2, 3))", "x.amax((2, 3))"))
    with pytest.raises(BadInputError, match=r"made by model acme of acme-fas 1\.0 .*installed is acme-fas 1\.0"):
        predict.ready(run, "cpu")
    other = infer.loaded(path)  # and no graph or image of the code before is taken for that of this one
    assert onnx_engine._graph_file(other, tmp_path / "c") != graph
    (again,) = infer.write_runs([path], manifest.read(tiny_faces), tmp_path / "c", device="cpu", precision="fp32")
    assert again.info.checkpoint_sha256 == run.info.checkpoint_sha256
    assert again.info.model_identity != run.info.model_identity


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("source", "entry", "problem"),
    [
        ("print('noise')\nraise RuntimeError('no licence')", "acme_fas:Acme", "RuntimeError: no licence"),
        ("import sys; sys.exit(3)", "acme_fas:Acme", "SystemExit: 3"),
        ("def broken(:", "acme_fas:Acme", "SyntaxError"),
        ("Acme = 3", "acme_fas:Acme", "is no model"),
        ("Acme = lambda config: None", "acme_fas:Acme", "is no model"),
        ("", "acme_fas:Acme", "AttributeError"),
        ("", "acme_elsewhere:Acme", "No module named 'acme_elsewhere'"),
        (
            "from fas_core.models.base import Model\nclass Acme(Model): pass",
            "acme_fas:Acme",
            "does not say encode, input",
        ),
        (HEAD.replace("32, 3", "32, 4"), "acme_fas:Acme", "input channels 4 must be 1"),
        (HEAD + "    settings = 3", "acme_fas:Acme", "no dataclass"),
    ],
)
def test_a_broken_package_is_named_and_in_nobody_s_way(
    source: str, entry: str, problem: str, install: Install, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    install(source, {"acme": entry})
    (tmp_path / "w.safetensors").write_bytes(b"")
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    refused = fas("adopt", tmp_path / "w.safetensors", "--model", "acme", "--out", tmp_path / "m.safetensors")
    assert problem in message(refused)
    assert not (tmp_path / "m.safetensors").exists()
    listed = {m["name"]: m for m in json.loads(fas("models", "--json").out)}  # nothing but JSON on standard output
    assert problem in listed["acme"]["problem"]
    assert listed["dcvae"]["problem"] is None


def test_a_name_means_one_model(install: Install) -> None:
    install(HEAD, {"dcvae": "acme_fas:Acme", "twice": "acme_fas:Acme"})
    install(HEAD, {"twice": "other_fas:Acme"}, name="other-fas")
    assert models.kind("dcvae").origin.distribution == "fas-explorer"
    with pytest.raises(BadInputError, match=r"Two models are called 'dcvae': fas-explorer .* and acme-fas"):
        models.kind("dcvae of acme-fas")
    with pytest.raises(BadInputError, match="Two models are called 'twice'"):
        models.kind("twice")
    with pytest.raises(BadInputError, match=r"Unknown model 'nix'\. Models: .*dcvae.* fas_explorer\.models: nix ="):
        models.kind("nix")


FORWARD = "    def forward(self, x):\n        return "


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("    def encode(self, x): return x", r"encode returned float32 \(5, 3, 32, 32\) for 5 images"),
        ("    def encode(self, x): return x.mean((0, 2, 3))", r"encode returned float32 \(3,\)"),
        ("    def encode(self, x): return x.mean((2, 3)).long()", r"encode returned int64 \(5, 3\)"),
        ("    def encode(self, x): return x.mean((2, 3)).numpy()", "encode returned a ndarray"),
        ("    def encode(self, x): return self.net(x)", r"failed on 5 images: RuntimeError at \w+\.py:\d+: mat1"),
        (
            "    def decode(self, z): return z",
            r"decode returned float32 \(5, 4\); expected floats as x, \(5, 3, 32, 32\)",
        ),
        ("    def losses(self, x, z, y): return {'a': z}", r"loss 'a' is float32 \(5, 4\); expected floats \(5,\)"),
        ("    def losses(self, x, z, y): return {'a': z.mean()}", r"loss 'a' is float32 \(\)"),
        ("    def losses(self, x, z, y): return {'a b': z.mean(1)}", "'a b' cannot be the name of a loss"),
        ("    def losses(self, x, z, y): return {'ssim': z.mean(1)}", "'ssim' cannot be the name of a loss"),
        ("    scores = {'a': 'attack'}", "'a': 'attack'. It names losses that the model returns"),
        ("    def losses(self, x, z, y): import sys; sys.exit(3)", "SystemExit at .*: 3"),
        (FORWARD + "self.encode(x)", "returned float32.*expected Outputs"),
    ],
)
def test_outputs_of_the_wrong_kind_are_refused_before_anything_is_written(
    body: str, problem: str, install: Install, tiny_faces: Path, tmp_path: Path
) -> None:
    install(HEAD + body)
    path = checkpoint_of(tmp_path)
    with pytest.raises(BadInputError, match=problem):
        infer.write_runs([path], manifest.read(tiny_faces), tmp_path / "c", device="cpu", precision="fp32")
    assert not list((tmp_path / "c").glob("runs/*"))


def test_nan_everywhere_leaves_no_run(install: Install, tiny_faces: Path, tmp_path: Path) -> None:
    install(HEAD + "    def encode(self, x): return x.mean((2, 3)) * float('nan')")
    path = checkpoint_of(tmp_path)
    with pytest.raises(BadInputError, match="gives NaN for every image"):
        infer.write_runs([path], manifest.read(tiny_faces), tmp_path / "c", device="cpu", precision="fp32")
    assert not list((tmp_path / "c").glob("runs/*/run.json"))


def test_outputs_that_change_their_form_are_refused(install: Install, tiny_faces: Path, tmp_path: Path) -> None:
    install(HEAD + "    def losses(self, x, z, y): return {'a': z.mean(1)} if len(x) == 5 else {}")
    path = checkpoint_of(tmp_path)
    with pytest.raises(BadInputError, match="other things of some images than of others"):
        infer.write_runs([path], manifest.read(tiny_faces), tmp_path / "c", device="cpu", precision="fp32")


def test_weights_of_another_model_are_told_by_their_first_keys(install: Install, tmp_path: Path) -> None:
    install(HEAD)
    wanted = models.built("acme", {}).state_dict()
    for tensors, words in (
        (
            {"x.a": torch.zeros(1), "net.bias": wanted["net.bias"]},
            "1 missing, the first net.weight; 1 unexpected, the first x.a",
        ),
        (wanted | {"net.bias": torch.zeros(7)}, r"net.bias is \(7,\), not \(4,\)"),
    ):
        save_file(tensors, tmp_path / "w.safetensors")
        with pytest.raises(BadInputError, match=words):
            checkpoint.adopt(tmp_path / "w.safetensors", "acme", {}, tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()
    save_file(wanted, tmp_path / "w.safetensors")
    with pytest.raises(BadInputError, match=r"w.safetensors carries no .* fas adopt .*w.safetensors --model NAME"):
        checkpoint.loaded(tmp_path / "w.safetensors")
    with pytest.raises(BadInputError, match="has no setting 'depth'. Settings: none"):
        checkpoint.adopt(tmp_path / "w.safetensors", "acme", {"depth": 3}, tmp_path / "m.safetensors")
    checkpoint.adopt(tmp_path / "w.safetensors", "acme", {}, tmp_path / "m.safetensors")
    with pytest.raises(BadInputError, match="it is a checkpoint"):
        checkpoint.adopt(tmp_path / "m.safetensors", "acme", {}, tmp_path / "again.safetensors")


def test_tied_weights_need_to_be_there_once_and_settings_without_a_usual_value_to_be_told(
    install: Install, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    settings = "@dataclass(frozen=True)\nclass Settings:\n    d: int\n\nclass Acme"
    source = "from dataclasses import dataclass\n" + HEAD.replace("class Acme", settings)
    source = source.replace("nn.Linear(3, 4)", "nn.Linear(3, config.d, bias=False); self.tied = self.net")
    install(source + "    settings = Settings")
    [listed] = [m for m in json.loads(fas("models", "--json").out) if m["name"] == "acme"]
    assert (listed["problem"], listed["parameters"], listed["config"]) == (None, None, {"d": None})
    save_file({"net.weight": torch.ones(7, 3)}, tmp_path / "w.safetensors")
    with pytest.raises(BadInputError, match="must be told its setting 'd'"):
        checkpoint.adopt(tmp_path / "w.safetensors", "acme", {}, tmp_path / "m.safetensors")
    checkpoint.adopt(tmp_path / "w.safetensors", "acme", {"d": 7}, tmp_path / "m.safetensors")
    model, _ = checkpoint.loaded(tmp_path / "m.safetensors")
    assert model.encode(torch.ones(1, 3, 32, 32)).tolist() == [[3.0] * 7]


# -------------------------------------------------------------------------------------------------------- what is given


class Plain(Model):
    """Says what it was given."""

    input = Input(16, 3, ((0.1, 0.2, 0.3), (0.5, 1.0, 2.0)))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z.unflatten(1, (3, 16, 16))


def test_pixel_errors_are_of_images_as_they_were_before_they_were_scaled() -> None:
    raw = torch.rand(2, 3, 16, 16)
    scaled = (raw - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1)
    model = Plain(None)
    out = model.outputs(scaled)
    torch.testing.assert_close(out.reconstructions, raw)
    assert out.losses["pixel_l1"].max() < 1e-6
    assert model.form().losses == ("pixel_l1", "pixel_l2", "ssim")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((8,), "input size 8"),
        ((True,), "input size True"),
        ((32, 2), "input channels 2"),
        ((32, 1, "imagenet"), "input scaling 'imagenet'"),
        ((32, 3, ((0.5,), (0.5,))), "with 3 numbers each"),
        ((32, 1, ((0.5,), (0.0,))), "std above 0"),
        ((32, 1, (0.5, 0.5)), "with 1 number each"),
    ],
)
def test_an_input_that_cannot_be_is_refused(arguments: tuple[object, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Input(*arguments)  # type: ignore[arg-type]


def test_an_input_is_read_as_it_was_written() -> None:
    for given in (Input(), Input(96, 3, "signed"), Input(32, 1, ((0.5,), (0.25,)))):
        assert Input.of(json.loads(json.dumps(given.as_json()))) == given
