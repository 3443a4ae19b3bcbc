"""The contract of the command line: what it prints, and one readable message with status 2 for bad input."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fas_core import cli, store
from tests.conftest import TINY_MODEL


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def fas(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs `fas ...` in this process."""

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["fas", *map(str, arguments)])
        capfd.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as stopped:
            code = stopped.code or 0
        return Result(int(str(code)), *capfd.readouterr())

    return run


def commands() -> list[list[str]]:
    own = [c.name or c.callback.__name__ for c in cli.app.registered_commands if c.callback]
    grouped = [
        [g.name or "", c.name or c.callback.__name__]
        for g in cli.app.registered_groups
        for c in (g.typer_instance.registered_commands if g.typer_instance else [])
        if c.callback
    ]
    return [[name] for name in own] + grouped


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str], fas: Callable[..., Result]) -> None:
    result = fas(*command, "--help")
    assert result.code == 0
    assert f"fas {' '.join(command)}" in " ".join(result.out.split())


def message(result: Result) -> str:
    """The one message of a refused command: a single line, no traceback, nothing on standard output."""
    assert result.code == 2, result
    assert "Traceback" not in result.err
    lines = [line for line in result.err.splitlines() if line.startswith("fas: ")]
    assert len(lines) == 1, result.err
    return lines[0]


def test_from_images_to_metrics(tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    settings = [part for setting in TINY_MODEL for part in ("--set", setting)]
    checkpoint, cache = tmp_path / "m.safetensors", tmp_path / "cache"
    assert fas("train", "small_dcvae", "--data", tiny_faces, "--out", checkpoint, *settings).code == 0
    first = fas("cache", checkpoint, "--data", tiny_faces, "--cache", cache, "--subset", "train", "--subset", "live")
    assert first.code == 0
    run = first.out.strip()
    listed = json.loads(fas("runs", "--cache", cache, "--json").out)
    assert [(r["run"], r["complete"], r["model"]) for r in listed] == [(run, False, "dcvae")]
    assert fas("verify", run, "--cache", cache).code == 0  # subsets that nobody asked for are no damage
    meta = store.runs_folder(cache) / run / "live" / "shard-00000" / "meta.json"
    good = meta.read_text()
    for bad in (good.replace('"n_failures": 0', '"n_failures": 9'), "{}", "{broken"):
        meta.write_text(bad)
        assert fas("verify", run, "--cache", cache).code == 2
    meta.write_text(good)
    info = store.runs_folder(cache) / run / "run.json"
    good = info.read_text()
    info.write_text(good.replace("fp32", "bf16"))
    assert "run.json is missing or damaged" in fas("verify", "--cache", cache).out
    info.write_text(good)
    assert "is there already" in message(fas("train", "small_dcvae", "--data", tiny_faces, "--out", checkpoint))
    assert "holds only bona fide" in message(
        fas("evaluate", "m", "--subset", "live", "--score", "rec", "--cache", cache)
    )
    assert fas("prune", run, "--cache", cache, "--yes").code == 0
    assert json.loads(fas("runs", "--cache", cache, "--json").out) == []


def test_lists_are_json(fas: Callable[..., Result]) -> None:
    models = json.loads(fas("models", "--json").out)
    assert {"name": "dcvae", "parameters": 36_728_065} in [{k: m[k] for k in ("name", "parameters")} for m in models]
    assert "dcvae_baseline" in [e["name"] for e in json.loads(fas("experiments", "--json").out)]
    assert "folder" in fas("data", "layouts").out


SCORES = "sample_id,label,pai_species,score\na,live,,0.1\nb,live,,0.4\nc,spoof,print,0.4\nd,spoof,mask,0.9\n"


def test_metrics_document(tmp_path: Path, fas: Callable[..., Result]) -> None:
    path = tmp_path / "s.csv"
    path.write_text(SCORES)
    document = json.loads(
        fas("metrics", path, "--threshold", "0.4", "--max-bpcer", "0.5", "--prior", "0.1", "--json").out
    )
    assert document["n_per_species"] == {"mask": 1, "print": 1}
    assert document["roc_auc"] == 0.875
    (at,) = document["at_threshold"]
    assert (at["bpcer"], at["apcer_max"]) == (0.5, 0.0)  # a tie with the threshold is an attack
    assert [entry["target"] for entry in document["apcer_at_bpcer"]] == [0.5]
    assert list(document["prior_adjusted_average_precision"]) == ["0.1"]


def test_missing_scores_are_counted_and_said(tmp_path: Path, fas: Callable[..., Result]) -> None:
    path = tmp_path / "s.csv"
    path.write_text(SCORES + "e,spoof,mask,\n")
    result = fas("metrics", path, "--json")
    assert result.code == 0
    assert json.loads(result.out)["n_non_response"] == {"bona_fide": 0, "attack": 1}
    assert "1 samples have no score (first: row 5)" in result.err


def test_imported_scores_become_a_run(shared: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    cache = tmp_path / "cache"
    file = shared / "data" / "pad_scores" / "auxiliary_grandtest.csv"
    assert fas("scores", "import", file, "--name", "auxiliary", "--cache", cache).code == 0
    cells = json.loads(fas("evaluate", "auxiliary", "--json", "--cache", cache).out)["scores"]["score"]
    assert (cells["test"]["n_bona_fide"], cells["test"]["n_attack"]) == (2287, 10246)
    assert cells["test"]["roc_auc"] == pytest.approx(0.975, abs=0.001)
    assert message(fas("scores", "import", file, "--name", "x", "--cache", file)).endswith("change its permissions.")


def test_live_faces_become_an_attacked_data_set(tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    out = tmp_path / "attacked"
    assert fas("data", "attacks", tiny_faces, "--out", out, "--species", "replay,mask").code == 0
    assert fas("data", "subsets", out / "manifest.csv", "--out", tmp_path / "six.csv").code == 0
    checked = json.loads(fas("data", "check", tmp_path / "six.csv", "--json").out)
    assert checked["problems"] == []
    assert {"train", "live", "seen_replay", "unseen_mask"} <= set(checked["subsets"])
    assert checked["n_subjects"] == 10
    assert "there are paper, replay, mask" in message(
        fas("data", "attacks", tiny_faces, "--out", out, "--species", "wax")
    )


def test_check_lists_every_problem(tmp_path: Path, tiny_faces: Path, fas: Callable[..., Result]) -> None:
    folder = tiny_faces.parent / "images"
    good = sorted(folder.iterdir())[0]
    (tmp_path / "bad.png").write_bytes(b"")
    rows = [f"{good},live", f"{good},alive", "bad.png,live", "gone.png,spoof"]
    path = tmp_path / "m.csv"
    path.write_text("path,label\n" + "\n".join(rows) + "\n")
    result = fas("data", "check", path, "--json")
    assert "4 problems" in message(result)
    document = json.loads(result.out)
    assert [p["row"] for p in document["problems"]] == [2, 2, 3, 4]  # row 2: unknown label, and a repeated id
    assert document["duplicates"] == [[str(good), str(good)]]


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("label\nlive\n", ["data", "subsets", "M", "--out", "o.csv"], "column 'path' is missing"),
        ("path,label\na,alive\n", ["data", "subsets", "M", "--out", "o.csv"], "unknown label 'alive'"),
        ("path,label,sample_id\na,live,x\nb,live,x\n", ["data", "subsets", "M", "--out", "o.csv"], "used before"),
        ("path,label\na,live\n", ["train", "small_dcvae", "--data", "M", "--out", "o.pt"], "ends in .safetensors"),
        ("path,label\na,live\n", ["train", "nothing", "--data", "M", "--out", "o.safetensors"], "Unknown experiment"),
        ("path,label\na,live\n", ["cache", "no.safetensors", "--data", "M"], "no.safetensors does not exist"),
        ("path,label\na,live\n", ["cache", "no.safetensors", "--data", "M", "--precision", "int8"], "choose auto"),
        ("path,label\na,live\n", ["cache", "no.safetensors", "--data", "M", "--device", "tpu"], "auto, cpu or cuda"),
        ("sample_id,label\na,live\n", ["metrics", "M"], "column 'score' is missing"),
        ("sample_id,label,score\na,live,0.1\n", ["metrics", "M"], "holds only bona fide samples (1)"),
        ("sample_id,label,score\na,live,nan\nb,spoof,nan\n", ["metrics", "M"], "empty or NaN"),
        ("", ["metrics", "gone.csv"], "gone.csv does not exist"),
        ("", ["evaluate", "gone"], "No Runs in"),
        ("", ["data", "scan", "gone", "--layout", "folder", "--out", "o.csv"], "gone does not exist"),
    ],
)
def test_bad_input_is_one_message(
    text: str, arguments: list[str], expected: str, tmp_path: Path, fas: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.csv").write_text(text)
    assert expected in message(fas(*["m.csv" if a == "M" else a for a in arguments]))


def test_a_taken_port_is_named(fas: Callable[..., Result], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port + 1}" in message(fas("app", "--port", port, "--cache", tmp_path / "c"))
        assert f"127.0.0.1:{port}" in message(fas("demo", "--port", port, "--root", tmp_path / "d"))


def test_an_unwritable_cache_folder_is_named(fas: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scores = tmp_path / "s.csv"
    scores.write_text(SCORES)
    said = message(fas("scores", "import", scores, "--name", "x", "--cache", tmp_path / "file" / "cache"))
    assert str(tmp_path / "file") in said


def test_a_disk_that_fills_up_is_one_message(
    tiny_checkpoint: Path, tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "shard")

    monkeypatch.setattr(store, "write_shard", full)
    said = message(fas("cache", tiny_checkpoint, "--data", tiny_faces, "--cache", tmp_path / "c"))
    assert "No space left on device" in said
    assert "run the command again" in said
