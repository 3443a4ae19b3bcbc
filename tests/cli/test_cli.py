"""The contract of the command line: what it prints, and one readable message with status 2 for bad input."""

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fas_core import derive
from fas_core.cli import evaluation, main
from fas_core.cli.comparing import MOST_TOO_FEW
from fas_core.deciding.card import read
from fas_core.evaluation import separation
from fas_core.runs import store
from tests.conftest import TINY_MODEL, Result, learned_samples, message, tiny_samples, write_image_run
from tests.video_runs import video_samples, write_video_run


def commands() -> list[list[str]]:
    own = [c.name or c.callback.__name__ for c in main.app.registered_commands if c.callback]
    grouped = [
        [g.name or "", c.name or c.callback.__name__]
        for g in main.app.registered_groups
        for c in (g.typer_instance.registered_commands if g.typer_instance else [])
        if c.callback
    ]
    return [[name] for name in own] + grouped


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str], fas: Callable[..., Result]) -> None:
    result = fas(*command, "--help")
    assert result.code == 0
    assert f"fas {' '.join(command)}" in " ".join(result.out.split())


def test_from_images_to_metrics(
    tiny_faces: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[store.Run] = []
    monkeypatch.setattr(derive, "compute_slow", left.append)  # UMAP has its own test; its first compile takes a minute
    settings = [part for setting in TINY_MODEL for part in ("--set", setting)]
    checkpoint, cache = tmp_path / "m.safetensors", tmp_path / "cache"
    assert fas("train", "small_dcvae", "--data", tiny_faces, "--out", checkpoint, *settings).code == 0
    asked = ("cache", checkpoint, "--data", tiny_faces, "--cache", cache, "--subset", "train", "--subset", "live")
    assert "--derive some: choose none, quick or all" in message(fas(*asked, "--derive", "some"))
    assert not store.runs_folder(cache).exists()  # said before hours of work, not after
    first = fas(*asked, "--derive", "none")
    assert first.code == 0
    run = first.out.strip()
    assert "Nothing was derived" in first.err
    assert not (cache / "memo").exists()
    assert fas(*asked, "--derive", "quick").out.strip() == run
    assert separation.known(store.open_run(cache, run)) is not None
    assert left == []
    assert fas(*asked).out.strip() == run
    assert [kept.id for kept in left] == [run]
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
    again = ("cache", checkpoint, "--data", tiny_faces, "--cache", cache, "--encrypt")
    assert "There is no key to encrypt with" in message(fas(*again))
    monkeypatch.setenv("FAS_DATA_KEY", "0" * 64)
    assert fas(*again).out.strip() == run
    whole = store.open_run(cache, run)
    assert whole.is_complete
    assert all(set(shard.meta.encrypted) == {f"{name}.npy" for name in store.ARRAYS} for shard in whole.shards)
    assert fas("verify", run, "--cache", cache).code == 0
    assert fas("prune", run, "--cache", cache, "--yes").code == 0
    assert json.loads(fas("runs", "--cache", cache, "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("metrics --foo 1", "No such option: --foo"),
        ("metrics s.csv --threshold abc", "'--threshold'"),
        ("metrics", "Missing argument"),
        ("metrc s.csv", "No such command 'metrc'. Did you mean 'metrics'?"),
    ],
)
def test_what_there_is_not_is_one_line_that_names_the_help(
    arguments: str, words: str, fas: Callable[..., Result]
) -> None:
    result = fas(*arguments.split())
    assert words in message(result)
    assert len(result.err.splitlines()) == 1
    assert result.err.strip().endswith("--help")


def test_a_command_that_is_given_nothing_shows_its_help(fas: Callable[..., Result]) -> None:
    result = fas("data")
    assert result.code == 2
    assert "scan" in result.out + result.err
    assert "fas: " not in result.err


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
    closed = json.loads(fas("metrics", path, "--fail-closed", "--threshold", "100", "--json").out)
    assert closed["n_non_response"] == {"bona_fide": 0, "attack": 0}
    [at] = closed["at_threshold"]
    assert at["counts"]["tp"] == 1  # what gave no score is called an attack by every threshold


def test_imported_scores_become_a_run(shared: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    cache = tmp_path / "cache"
    file = shared / "data" / "pad_scores" / "auxiliary_grandtest.csv"
    assert fas("scores", "import", file, "--name", "auxiliary", "--cache", cache).code == 0
    cells = json.loads(fas("evaluate", "auxiliary", "--subset", "test", "--json", "--cache", cache).out)["scores"][
        "score"
    ]
    assert (cells["test"]["n_bona_fide"], cells["test"]["n_attack"]) == (2287, 10246)
    assert cells["test"]["roc_auc"] == pytest.approx(0.975, abs=0.001)
    assert message(fas("scores", "import", file, "--name", "x", "--cache", file)).endswith("choose another folder.")


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
    assert (document["n_images"], document["n_files"]) == (4, 2)
    rows = [f"{good},live,{number}" for number in range(9)] + [f"gone{n}.png,live,g{n}" for n in range(8)]
    path.write_text("path,label,sample_id\n" + "\n".join([*rows, "bad.png,live,b"]) + "\n")
    result = fas("data", "check", path)
    assert message(result) == (
        f"fas: {path}: 9 problems; all of them: fas data check {path} --json. "
        f"Without 9 rows of bad files: fas data check {path} --out OUT.csv"
    )
    lines = [line for line in result.out.splitlines() if line.startswith(("row", "...", "same"))]
    assert lines[:5] == [f"row {10 + n}, gone{n}.png: no such file" for n in range(5)]
    assert lines[5:7] == [
        f"... 3 more like these: fas data check {path} --json",
        "row 18, bad.png: the file is empty",
    ]
    assert lines[7].startswith(
        f"same image content: 9 rows of 1 picture, 8 more than needed. Take them out: fas data dedupe {path}"
    )
    assert lines[8:] == []
    path.write_text("path,label,sample_id\n" + "\n".join(rows[:9]) + "\n")
    assert f"{path}: 9 rows, 1 file, all can be read" in fas("data", "check", path).err


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("label\nlive\n", ["data", "subsets", "M", "--out", "o.csv"], "column 'path' is missing"),
        ("path,label\na,alive\n", ["data", "subsets", "M", "--out", "o.csv"], "unknown label 'alive'"),
        ("path,label,sample_id\na,live,x\nb,live,x\n", ["data", "subsets", "M", "--out", "o.csv"], "used before"),
        ("path,label\na,live\n", ["data", "filter", "M", "--out", "M"], "is the manifest itself, which stays"),
        ("path,label\na,live\n", ["data", "dedupe", "M", "--out", "M"], "is the manifest itself, which stays"),
        ("path,label\na,live\n", ["train", "small_dcvae", "--data", "M", "--out", "o.pt"], "ends in .safetensors"),
        ("path,label\na,live\n", ["train", "nothing", "--data", "M", "--out", "o.safetensors"], "Unknown experiment"),
        (
            "path,label\na,live\n",
            ["train", "small_dcvae", "--data", "M", "--out", "o.safetensors", "--keep-epochs", "1,x"],
            "as in 1,2,4,8",
        ),
        (
            "path,label\na,live\n",
            ["train", "small_dcvae", "--data", "M", "--out", "o.safetensors", "--keep-epochs", "99"],
            "no epoch 99",
        ),
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


GROUPS = "file,is_spoof,liveness,kind,device\n" + "".join(
    [f"{d}{i},0,{1 if i >= errors else 0},,{d}\n" for d, errors in (("x", 2), ("y", 20)) for i in range(40)]
    + [f"p{d}{i},1,{0 if i >= 8 else 1},print,{d}\n" for d in "xy" for i in range(40)]
)
MAPPING = ["--column", "sample_id=file", "--column", "label=is_spoof", "--column", "score=liveness"]
MAPPING += ["--column", "pai_species=kind", "--attack-label", "1", "--higher-is", "bona_fide"]


def test_any_system_is_broken_down_by_any_column(tmp_path: Path, fas: Callable[..., Result]) -> None:
    path = tmp_path / "s.csv"
    path.write_text(GROUPS)
    asked = ["--threshold", "0", "--max-apcer", "0.2", "--by", "device"]
    document = json.loads(fas("metrics", path, *MAPPING, *asked, "--json").out)
    assert document["roc_auc"] == pytest.approx(0.7625)
    assert [(breakdown["column"], breakdown["threshold"]) for breakdown in document["groups"]] == [
        ("device", 0),
        ("device", 0),
    ]
    assert document["groups"][1]["at"] == "threshold 0.0, where APCER ≤ 20.0 % on these same samples"
    for breakdown in document["groups"]:
        x, y = breakdown["groups"]
        assert (x["group"], x["bpcer"]["value"], y["bpcer"]["value"]) == ("x", 0.05, 0.5)
        assert [group["apcer_per_species"]["print"]["errors"] for group in (x, y)] == [8, 8]
        gap = breakdown["largest_gap"]
        assert (gap["species"], gap["group"], gap["other_group"], gap["is_beyond_chance"]) == (None, "y", "x", True)
    shown = fas("metrics", path, *MAPPING, "--threshold", "0", "--by", "device").out
    assert "50.0 % (33.8–66.2)" in shown
    assert "BPCER is 50.0 % for y and 5.0 % for x, 45.0 points apart" in shown
    by_default = json.loads(fas("metrics", path, *MAPPING, "--by", "device", "--json").out)["groups"]
    assert ["BPCER ≤ 5.0 %" in breakdown["at"] for breakdown in by_default] == [True]
    assert "no breakdown by 'lens'" in message(fas("metrics", path, *MAPPING, "--by", "lens")).lower()


def test_several_systems_become_one_run(tmp_path: Path, fas: Callable[..., Result]) -> None:
    cache, first, second = tmp_path / "cache", tmp_path / "ours.csv", tmp_path / "theirs.csv"
    first.write_text(SCORES)
    second.write_text("sample_id,label,score\nb,live,9\nc,spoof,2\nd,spoof,1\n")
    arguments = [first, f"vendor={second}", "--name", "both", "--cache", cache, "--higher-is", "vendor=bona_fide"]
    result = fas("scores", "import", *arguments)
    assert result.code == 0
    assert "vendor: every score is negated" in result.err
    assert "theirs.csv: 1 of 4 samples are in other files only (e.g. 'a'): non-responses of vendor." in result.err
    run = store.open_run(cache, "both")
    assert run.id == result.out.strip()
    assert run.info.scores == ["ours", "vendor"]
    assert run.info.source == "ours=ours.csv vendor=theirs.csv --higher-is vendor=bona_fide"
    assert run.samples(["ours"])["ours"].tolist() == [0.1, 0.4, 0.4, 0.9]
    assert run.samples(["vendor"])["vendor"].tolist()[1:] == [-9, -2, -1]
    again = tmp_path / "again"  # the command that a person is told to import anew with
    monkey = [*run.info.source.replace("ours.csv", str(first)).replace("theirs.csv", str(second)).split()]
    assert fas("scores", "import", *monkey, "--name", "both", "--cache", again).out.strip() == run.id
    assert "cannot name a score" in message(fas("scores", "import", f"label={first}", "--name", "x", "--cache", cache))


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (SCORES, ["--threshold", "7"], "The threshold 7.0 is above every score"),
        (SCORES.replace("print", "").replace("mask", ""), [], "2 of 2 attacks name no pai_species"),
        ("sample_id,label,score\na,live,2\nb,spoof,1\n", [], "the AUC is 0.000, so bona fide samples score higher"),
    ],
)
def test_what_may_mislead_is_said(
    text: str, arguments: list[str], said: str, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    result = fas("metrics", path, *arguments, "--json")
    assert (result.code, said in result.err) == (0, True)
    assert json.loads(result.out)["n_attack"] >= 1


@pytest.mark.parametrize("share", ["0", "1", "-0.5", "nan"])
def test_an_impossible_prevalence_is_refused(share: str, tmp_path: Path, fas: Callable[..., Result]) -> None:
    path = tmp_path / "s.csv"
    path.write_text(SCORES)
    assert "strictly between 0 and 1" in message(fas("metrics", path, "--prior", share))


def test_cards_are_kept_approved_superseded_and_withdrawn(
    tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result]
) -> None:
    def run(*words: object) -> Result:
        return fas(*words, "--cache", tiny_cache)

    out, better, new = tmp_path / "op.json", tmp_path / "better.json", tmp_path / "new.csv"
    chosen = ("threshold", "a", "--score", "rec", "--choose-on", "live", "--report-on", "seen_paper")
    assert run(*chosen, "--out", out).code == 0
    assert run(*chosen, "--rule", "bpcer<=0.4", "--out", better).code == 0
    new.write_text("sample_id,rec\na,1\n")
    by_card = ("predict", "--operating-point", out, "--scores", new)
    applied = run(*by_card)
    assert applied.code == 0
    assert f"Card {read(out).sha256[:12]} (op.json), draft: a (" in applied.err
    assert "op.json is draft: nobody has approved it yet." in applied.err
    assert "Warning: These scores cannot be those of rec" in applied.err  # 1, where those are near 100
    document = json.loads(run(*by_card, "--json").out)
    assert (document["card"]["state"], document["card"]["run_name"]) == ("draft", "a")
    assert len(document["warnings"]) == 1
    assert "No cards in" in run("cards").out
    assert json.loads(run("cards", "--json").out) == []
    name = run("cards", "keep", out).out.strip()
    assert "kept already" in message(run("cards", "keep", out))
    approve = ("cards", "approve", name, "--by", "Ada", "--why", "pilot")
    assert "--although-missed" in message(run(*approve))
    assert "--beside yes: write supersede or keep" in message(run(*approve, "--beside", "yes"))
    assert f"{name}: approved by Ada on " in run(*approve, "--although-missed").out
    [entry] = json.loads(run("cards", "--json").out)
    assert (entry["card"], entry["state"]) == (name, "approved")
    assert entry["events"][0]["why"] == f"although its limit is missed ({read(out).missed}): pilot"
    other = run("cards", "keep", better).out.strip()
    second = ("cards", "approve", other, "--by", "Eve", "--why", "looser", "--although-missed")
    assert f"{name}, of the same Run and score, is approved by Ada" in message(run(*second))
    assert "although its limit" in run(*second, "--beside", "keep").out
    assert "approved by Ada" in run("cards").out
    page, document = tmp_path / "op.html", tmp_path / "op.pdf"
    assert run("cards", "print", name, "--out", str(page)).out.strip() == str(page)
    assert "State: approved by Ada on " in page.read_text()
    assert run("cards", "print", name, "--out", str(document)).code == 0
    assert document.read_bytes().startswith(b"%PDF-")
    assert "neither .pdf nor .html" in message(run("cards", "print", name, "--out", "op.txt"))
    assert "superseded by" in run("cards", "supersede", out, "--with", better, "--why", "retrained").out
    warned = run(*by_card)
    assert (warned.code, "is superseded by" in warned.err) == (0, True)
    assert run("cards", "withdraw", out, "--why", "a leak").code == 0
    assert "is withdrawn by" in message(run(*by_card))
    assert "op.json is withdrawn by" in run(*by_card, "--although-withdrawn").err
    [state] = [entry["state"] for entry in json.loads(run("cards", "--json").out) if entry["card"] == name]
    assert state == "withdrawn"  # of the file, which is kept as that
    assert run("threshold", "--check", out).code == 0
    apart = tmp_path / "apart.json"  # which is kept nowhere: the decision is beside it
    assert run(*chosen, "--rule", "bpcer<=0.3", "--out", apart).code == 0
    assert run("cards", "withdraw", apart, "--why", "a leak").code == 0
    assert "choose another --out" in message(run(*chosen, "--out", apart))


def test_a_threshold_is_frozen_checked_and_used(
    tiny_faces: Path, tiny_checkpoint: Path, tmp_path: Path, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derive, "compute", lambda run, **_: None)
    assert fas("cache", tiny_checkpoint, "--data", tiny_faces).code == 0
    out = tmp_path / "op.json"
    chosen = ("threshold", "tiny", "--score", "rec", "--rule", "bpcer<=0.2", "--choose-on", "live")
    answer = fas(*chosen, "--report-on", "seen_paper", "--out", out, "--by", "Ada", "--json")
    card = json.loads(answer.out)
    assert answer.code == 0
    assert json.loads(out.read_text()) == card
    assert (card["chosen_on"], card["reported_on"], card["by"]) == (["live"], ["seen_paper"], "Ada")
    assert list(card["reported"]) == ["seen_paper"]
    target = card["targets"]["seen_paper"]
    assert (target["rate"], target["limit"]) == (card["reported"]["seen_paper"]["bpcer"], 0.2)
    assert target["met"] == (target["rate"] <= 0.2)
    shown = fas(*chosen, "--report-on", "seen_paper").out
    assert f"seen_paper: live rejected {100 * target['rate']:.1f} %, " in shown
    assert f"{'within' if target['met'] else 'above'} 20 %" in shown
    evaluated = json.loads(fas("evaluate", "tiny", "--score", "rec", "--json").out)
    at_dev = evaluated["scores"]["rec"]["seen_paper"]["at_dev_threshold"]
    assert evaluated["targets"]["rec"]["seen_paper"] == at_dev["target"]
    assert (at_dev["target"]["rate"], at_dev["target"]["limit"]) == (at_dev["bpcer"], 0.05)
    assert "within 5 %" in fas("evaluate", "tiny", "--score", "rec").out
    checked = fas("threshold", "--check", out, "--json")
    assert (checked.code, json.loads(checked.out)["differences"]) == (0, [])
    out.write_text(json.dumps(card | {"threshold": card["threshold"] + 1}))
    differing = fas("threshold", "--check", out)
    assert differing.code == 1
    assert "threshold:" in differing.out
    assert "was changed" in message(fas("predict", "--operating-point", out, tmp_path / "x.png"))
    out.write_text(json.dumps(card))
    [verdict] = json.loads(fas("predict", "--operating-point", out, tmp_path / "x.png", "--json").out)
    assert (verdict["verdict"], verdict["score"]) == ("attack", None)
    assert "has no subset 'nowhere'" in message(fas(*chosen, "--report-on", "nowhere"))
    new = tmp_path / "new.csv"
    new.write_text(f"sample_id,rec\na,{card['threshold']!r}\nb,{card['threshold'] - 1!r}\nc,\n")
    by_card = ("predict", "--operating-point", out, "--scores", new)
    document = json.loads(fas(*by_card, "--json").out)
    assert document["counts"] == {"n": 3, "attack": 2, "bona_fide": 1, "no_score": 1}
    assert [verdict["verdict"] for verdict in document["verdicts"]] == ["attack", "bona_fide", "attack"]
    assert "3 samples: 2 attack, 1 of them without a score; 1 bona fide." in fas(*by_card).out
    assert "not both" in message(fas(*by_card, tmp_path / "x.png"))
    assert "Name images" in message(fas("predict", "--operating-point", out))
    assert "no column 'rec'" in message(fas(*by_card[:-1], new, "--column", "score=rec"))
    assert "--score" in message(fas("threshold", "tiny"))
    assert "Name a Run" in message(fas("threshold"))


def test_the_cheapest_threshold_keeps_its_costs(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    by_cost = ("threshold", "a", "--score", "rec", "--rule", "cost", "--choose-on", "seen_paper", "--cache", tiny_cache)
    priced = ("--sessions", "1000", "--loss", "500", "--rejection-cost", "1", "--report-on", "unseen_mask")
    share = ("--attack-share", "paper=0.01:0.001-0.1")
    costs = json.loads(fas(*by_cost, *priced, *share, "--json").out)["costs"]
    assert costs["shares"] == {"paper": {"likely": 0.01, "low": 0.001, "high": 0.1}}
    assert costs["examples"] == []  # all are somebody's
    assert "currency" not in costs
    assert "500 EUR per accepted attack" in fas(*by_cost, *priced, *share, "--currency", "EUR").out
    assert "a code of three letters or a symbol" in message(fas(*by_cost, *priced, *share, "--currency", "Euros"))
    assert "--attack-share x" in message(fas(*by_cost, *priced, "--attack-share", "x"))
    assert "needs --sessions" in message(fas(*by_cost))


def test_two_runs_are_compared(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    asked = ("compare", "a", "b", "--score", "rec", "--cache", tiny_cache, "--json")
    assert json.loads(fas(*asked).out)["thresholds"]["chosen_on"] == ["live"]  # as on the screen
    document = json.loads(fas(*asked, "--matched").out)
    assert document["n_common"] == 16  # without training
    auc = document["metrics"]["roc_auc"]
    assert auc["difference"] == auc["b"] - auc["a"]
    assert "no score 'beauty'" in message(fas("compare", "a", "b", "--score", "beauty", "--cache", tiny_cache))


def test_what_cannot_be_compared_is_said_the_runs_first(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    at = ("--cache", tiny_cache)
    assert "No Run is called 'nobody'" in message(fas("compare", "nobody", "b", *at))
    assert "No Run is called 'nobody'" in message(fas("compare", "a", "nobody", *at))
    assert "Choose a score of Run a with --score: elbo, " in message(fas("compare", "a", "b", *at))
    assert fas("compare", "vendor", "b", "--score-b", "rec", *at).out.startswith("A: vendor, score. B: b, rec.")
    alike = message(fas("compare", "a", "a", "--score", "rec", *at))
    assert alike.endswith("A and B are the same Run with the same score (a, rec). Choose another Run or score for B.")
    assert fas("compare", "a", "a", "--score", "rec", "--score-b", "kl", *at).code == 0


def test_a_comparison_judges_elsewhere_than_it_chooses_and_says_what_got_worse(
    tiny_cache: Path, fas: Callable[..., Result]
) -> None:
    asked = ("compare", "a", "b", "--score", "rec", "--choose-on", "live", "--cache", tiny_cache)
    document = json.loads(fas(*asked, "--json").out)
    assert (document["n_common"], document["thresholds"]["chosen_on"]) == (12, ["live"])
    assert document["thresholds"]["judged_on"] == ["seen_paper", "unseen_mask"]
    assert set(document["thresholds"]["targets"]) == {"a", "b"}
    worse = document["worse"]
    assert (worse["rows"], worse["n_compared"]) == ([], 0)  # every group of 12 samples is too small
    assert {("glasses", "yes"), ("subset", "seen_paper")} <= {
        (cell["column"], cell["group"]) for cell in worse["too_few"]
    }
    printed = fas(*asked).out
    assert "What got worse cannot be said: every species and group has too few samples" in printed
    (too_few,) = (line for line in printed.splitlines() if line.startswith("Too few to judge: "))
    assert too_few.startswith("Too few to judge: live faces 50 → 50 % (n = 6, subjects = 6); ")
    assert too_few.count("n = ") == MOST_TOO_FEW
    assert re.search(r"; \d+ more, all in --json\.$", too_few)
    assert "no subset dev to choose on; it has train, live" in message(fas(*asked, "--choose-on", "dev"))


def test_a_comparison_names_its_unit_and_rule(tiny_cache: Path, fas: Callable[..., Result]) -> None:
    asked = ("compare", "a", "vendor", "--score", "rec", "--score-b", "score", "--matched", "--cache", tiny_cache)
    document = json.loads(fas(*asked, "--rule", "apcer<=0.1", "--json").out)
    assert (document["score"], document["score_b"], document["unit"], document["flips"]["at"]) == (
        "rec",
        "score",
        "subject",
        "apcer<=0.1",
    )
    assert set(document["metrics"]["roc_auc"]) == {"a", "b", "difference", "ci95", "p", "method", "p_is_bound"}
    printed = fas(*asked).out
    assert "A: a, rec. B: vendor, score." in printed
    assert "16 samples compared" in printed
    assert "take bpcer<=X or apcer<=X (the worst species), eer, or" in message(fas(*asked, "--rule", "cost"))
    assert json.loads(fas(*asked, "--rule", "eer", "--json").out)["thresholds"]["optimistic"]


def test_a_report_is_one_file(tiny_cache: Path, tmp_path: Path, fas: Callable[..., Result]) -> None:
    op, out = tmp_path / "op.json", tmp_path / "r" / "report.html"
    fas("threshold", "a", "--score", "rec", "--out", op, "--cache", tiny_cache)
    asked = ("report", "a", "--cache", tiny_cache, "--operating-point", op, "--compare", "vendor:score")
    answer = fas(*asked, "--out", out)
    assert (answer.out, answer.code) == ("", 0)
    html = out.read_text()
    assert "Is B as good as A?" in html
    assert "Distribution of each loss" not in html
    fas(*asked, "--appendix", "--out", out, "--no-images")
    assert "Distribution of each loss" in out.read_text()
    assert "data:image/png" not in out.read_text()
    fas(*asked, "--pdf", "--out", out)
    assert out.read_bytes().startswith(b"%PDF-")
    op.write_text(op.read_text().replace('"rec"', '"kl"'))
    assert "was changed after it was written" in message(fas(*asked, "--out", out))
    assert "--score" in message(fas("report", "a", "--cache", tiny_cache, "--out", out))


def test_scan_says_how_it_read_before_it_writes(fas: Callable[..., Result], tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a/real/1.png", "a/replay/1.png", "b/real/1.png"):
        (tmp_path / "faces" / name).parent.mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / "faces" / name)
    (tmp_path / "faces" / "notes.txt").touch()
    result = fas("data", "scan", tmp_path / "faces", "--layout", "folder", "--out", tmp_path / "m.csv")
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == [
        "<subject>/real -> bona_fide: 2 images, 2 subjects",
        "<subject>/replay -> attack of species replay: 1 image, 1 subject",
        "Note: 1 file skipped: 1 .txt (e.g. notes.txt).",
        f"{tmp_path / 'm.csv'}: 3 images, 2 bona fide, 1 attacks",
    ]


def test_released_sets_are_scanned_merged_and_left_out_in_turn(fas: Callable[..., Result], tmp_path: Path) -> None:
    casia, oulu = tmp_path / "casia", tmp_path / "oulu"
    for name in ("train_release/1/1.avi", "train_release/1/3.avi", "test_release/1/HR_4.avi", "test_release/1/x.avi"):
        (casia / name).parent.mkdir(parents=True, exist_ok=True)
        (casia / name).touch()
    for name in ("Train_files/1_1_01_1.avi", "Dev_files/1_1_21_2.avi", "Test_files/1_3_36_1.avi"):
        (oulu / name).parent.mkdir(parents=True, exist_ok=True)
        (oulu / name).touch()
    manifests = [tmp_path / "casia.csv", tmp_path / "oulu.csv"]
    said = fas("data", "scan", casia, "--out", manifests[0]).err.splitlines()
    assert said[0] == "read as CASIA-FASD: --layout casia-fasd"
    assert said[-3:] == [
        "left out: 1, no place or name of CASIA-FASD",
        f"{tmp_path / 'casia.left.csv'}: 1 file left out, and why",
        f"{manifests[0]}: 3 videos, 1 bona fide, 2 attacks",
    ]
    assert pd.read_csv(tmp_path / "casia.left.csv")["path"].tolist() == ["test_release/1/x.avi"]
    assert fas("data", "scan", oulu, "--layout", "oulu-npu", "--protocol", "1", "--out", manifests[1]).code == 0
    merged = tmp_path / "both.csv"
    table = fas("data", "merge", *manifests, "--out", merged).out
    assert all(name in table for name in ("casia", "oulu"))
    fas("data", "subsets", merged, "--protocol", "leave-one-source-out", "--out", tmp_path / "loo.csv")
    counts = pd.read_csv(tmp_path / "loo-oulu.csv")["subset"].value_counts().to_dict()
    assert counts == {"unseen_oulu": 3, "train": 2, "seen_casia": 1}
    refused = fas("data", "subsets", merged, "--protocol", "loo", "--out", tmp_path / "loo.csv")
    assert "--protocol loo: choose thesis, leave-one-species-out or" in refused.err
    of_layout = {layout["name"]: layout for layout in json.loads(fas("data", "layouts", "--json").out)}
    assert of_layout["hifimask"]["protocols"]["2.1"]["lists_are_needed"]


def test_a_manifest_whose_labels_are_numbers_is_made_by_the_command_that_check_names(
    fas: Callable[..., Result], tmp_path: Path, tiny_faces: Path
) -> None:
    first, second, third = sorted((tiny_faces.parent / "images").glob("s*.png"))[:3]
    table = tmp_path / "table.csv"
    table.write_text(f"path,label\n{first},4\n{second},9\n{third},9\n")
    said = fas("data", "check", table)
    message(said)
    assert "Labels here: '9' (2 rows), '4' (1 row)" in said.out
    named = re.search(r"'fas (data scan TABLE --layout csv --out M.csv)'.* (--attack-label \d)", said.out)
    assert named
    words = " ".join(named.groups()).replace("TABLE", str(table)).replace("M.csv", str(tmp_path / "m.csv")).split()
    assert fas(*words).code == 0
    assert fas("data", "check", tmp_path / "m.csv").code == 0


def test_an_error_above_that_of_the_mean_image_is_a_plus() -> None:
    assert evaluation._against(0.2) == "−20.0 %"
    assert evaluation._against(-0.966) == "+96.6 %"
    assert evaluation._against(None) == "–"


def test_labels_are_mapped_on_the_command_line(fas: Callable[..., Result], tmp_path: Path) -> None:
    scores = tmp_path / "s.csv"
    scores.write_text("sample_id,label,score\na,0,0.1\nb,1,0.8\nc,2,0.9\nd,0,0.2\n")
    refused = fas("metrics", scores, "--attack-label", "1")
    assert "--bona-fide-label VALUE" in message(refused)
    assert "--attack-label 1" in message(fas("metrics", scores))
    mapped = fas("metrics", scores, "--bona-fide-label", "0", "--species-label", "1=print,2=replay", "--json")
    assert sorted(json.loads(mapped.out)["roc_auc_per_species"]) == ["print", "replay"]
    assert fas("scores", "import", scores, "--name", "x", "--attack-label", "1,2").code == 0


def test_what_was_made_of_a_manifest_s_texts_is_said_before_work_begins(
    tmp_path: Path, fas: Callable[..., Result]
) -> None:
    data, checkpoint = tmp_path / "m.csv", tmp_path / "none.safetensors"
    data.write_text("path,label,subject_id\na.png,live,unknown\nb.png,live,s\n")
    note = "Note: subject_id: 'unknown' counts as not stated (1 rows)."
    assert note in fas("cache", checkpoint, "--data", data).err.splitlines()
    existing = tmp_path / "m.safetensors"
    existing.touch()
    assert note in fas("train", "small_dcvae", "--data", data, "--out", existing).err.splitlines()


def test_what_flatters_is_said_by_every_command_that_judges(tmp_path: Path, fas: Callable[..., Result]) -> None:
    cache, out = tmp_path / "cache", tmp_path / "op.json"
    run = write_image_run(cache, "a", learned_samples())
    write_image_run(cache, "b", tiny_samples(), seed=1)
    chosen = ("--score", "rec", "--cache", cache)
    compared = fas("compare", "a", "b", *chosen, "--json")
    assert "Warning: a: 3 of 16 test images, of 3 subjects and 2 sessions, are known to the model" in compared.err
    assert "Warning: b: 3 of 6 subjects are also in live, where thresholds are chosen" in compared.err
    warnings = json.loads(compared.out)["warnings"]
    [warning] = [warning for warning in warnings if warning["kind"] == "training_overlap"]
    assert (warning["run"], warning["n_learned"]) == (run.id, 2)
    on_itself = ("--choose-on", "seen_paper", "--report-on", "seen_paper")
    frozen = fas("threshold", "a", *chosen, *on_itself, "--out", out)
    assert [line.split(":")[0] for line in frozen.err.splitlines()] == ["Warning", "Optimistic"]
    assert [warning["kind"] for warning in json.loads(out.read_text())["warnings"]] == [
        "training_overlap",
        "optimistic",
    ]
    assert fas("threshold", "--check", out, "--cache", cache).code == 0


def test_what_a_score_follows_is_said_and_counted(tmp_path: Path, fas: Callable[..., Result]) -> None:
    write_image_run(tmp_path, "a", tiny_samples())
    answer = fas("causes", "a", "--score", "rec", "--cache", tmp_path, "--json")
    document = json.loads(answer.out)
    assert (document["score"], document["warning"]) == ("rec", None)
    live = document["sides"]["bona_fide"]
    assert (live["n_all"], live["explained"]["n_units"]) == (10, 6)
    assert live["in_words"].startswith("What rec follows cannot be said of 10 live samples: fewer than 20 samples")
    assert "cannot be said of 6 attacks" in fas("causes", "a", "--score", "rec", "--cache", tmp_path).out
    assert "no score 'rec~brightness'" in message(fas("causes", "a", "--score", "rec~brightness", "--cache", tmp_path))
    assert "no subset 'nope'" in message(fas("causes", "a", "--score", "rec", "--subset", "nope", "--cache", tmp_path))


def test_levels_of_videos_go_all_the_way(tmp_path: Path, fas: Callable[..., Result]) -> None:
    samples = video_samples()
    write_video_run(tmp_path / "cache", samples)
    cache, level = ("--cache", tmp_path / "cache"), ("--level", "video 2 of 4")
    evaluated = json.loads(fas("evaluate", "videos", *level, *cache, "--json").out)
    assert evaluated["level"] == "video 2 of 4"
    assert evaluated["scores"]["score"]["test"]["n_attack"] == 8
    (short,) = [warning for warning in evaluated["warnings"] if warning["kind"] == "short_presentations"]
    assert 0 < short["n_short"] < short["n"] == 32
    card = tmp_path / "op.json"
    frozen = fas("threshold", "videos", *level, *cache, "--out", card)
    assert "less than 'video 2 of 4' asks for (4 frames)" in frozen.err
    assert fas("threshold", "--check", card, *cache).code == 0
    samples.to_csv(tmp_path / "new.csv", index=False)
    told = json.loads(fas("predict", "--operating-point", card, "--scores", tmp_path / "new.csv", *cache, "--json").out)
    assert (told["counts"]["n"], told["level"]) == (32, "video 2 of 4")
    assert told["counts"]["short"] == sum(verdict.get("is_short", False) for verdict in told["verdicts"]) > 0
    page = fas("report", "videos", "--score", "score", *level, *cache, "--out", tmp_path / "r.html")
    assert page.code == 0
    html = (tmp_path / "r.html").read_text()
    assert "by video 2 of 4" in html
    assert "have less than" in html
    assert re.search(r"How soon\?.*At the first frame BPCER", html, re.DOTALL)
    over_time = json.loads(fas("over-time", "videos", *cache, "--at", "0.5s", "--at", "0.2s", "--json").out)
    assert [told["after"] for told in over_time["times"]] == [0.2, 0.5]
    assert (over_time["unit"], over_time["level"], over_time["n"]) == ("s", "video mean", 16)
    by_cost = ("over-time", "videos", *cache, "--at", "0.2s", "--at", "9s", "--rule", "cost")
    priced = ("--sessions", 1000, "--loss", 5, "--rejection-cost", 1)
    priced += ("--attack-share", "print=0.1", "--attack-share", "replay=0.1")
    by_end = ("threshold", "videos", *cache, "--level", "video mean", "--rule", "cost", *priced, "--json")
    of_costs, at_end = json.loads(fas(*by_cost, *priced, "--json").out), json.loads(fas(*by_end).out)
    assert of_costs["times"][-1]["threshold"] == at_end["threshold"] != over_time["times"][-1]["threshold"]
    assert of_costs["costs"] == at_end["costs"]
    assert "5 per accepted attack" in fas(*by_cost, *priced).out
    assert "needs --sessions" in message(fas(*by_cost))
    in_words = fas("over-time", "videos", *cache).out
    assert "At the first frame BPCER" in in_words
    assert "Ended" in in_words
    assert "Take a level of videos" in message(fas("over-time", "videos", *cache, "--level", "frame"))
    assert "'soon' is no number" in message(fas("over-time", "videos", *cache, "--at", "soon"))
    assert "video mean first 1s" in message(fas("evaluate", "videos", "--level", "video mean 1s", *cache))
    bare = samples.drop(columns=["time", "frame"])
    write_video_run(tmp_path / "cache", bare, "bare")
    assert "its frames have no order" in message(fas("threshold", "bare", *level, *cache))


def test_a_plan_is_held_against_scores(tmp_path: Path, fas: Callable[..., Result]) -> None:
    rows = ["sample_id,label,pai_species,delivery,subset,score"]
    rows += [f"l{i},live,,,{'dev' if i % 2 else 'test'},{i / 100}" for i in range(100)]
    rows += [f"p{i},attack,paper,,test,{0 if i == 0 else 9}" for i in range(150)]
    rows += [f"d{i},attack,deepfake,injection,test,9" for i in range(5)]
    scores = tmp_path / "s.csv"
    scores.write_text("\n".join(rows))
    done = fas("certify", scores, "--plan", "ibeta-level-1", "--json")
    document = json.loads(done.out)
    assert (document["chosen_on"], document["reported_on"], document["warnings"]) == (["dev"], ["test"], [])
    [sheet] = document["sheets"]
    assert sheet["sentence"] == (
        "Would not meet iBeta level 1: 5 of 6 species missing; above the limit: paper (1 of 150 pass)."
    )
    assert [(line["species"], line["n"], line["verdict"]) for line in sheet["attacks"]] == [
        ("paper", 150, "above"),
        (None, 0, "missing"),
    ]
    assert (sheet["bona_fide"]["n"], sheet["bona_fide"]["errors"], sheet["bona_fide"]["verdict"]) == (50, 2, "within")
    assert [(line["species"], line["n"], line["errors"]) for line in sheet["injections"]] == [
        ("injection: deepfake", 5, 0)
    ]
    told = fas("certify", scores, "--plan", "ibeta-level-2", "--threshold", "0.5", "--report-on", "test")
    assert told.err.startswith("Optimistic")
    assert "5 of 5 species missing" in told.out
    assert "certified" not in (done.out + told.out + fas("certify", "--list").out).casefold()
    assert [plan["name"] for plan in json.loads(fas("certify", "--list", "--json").out)][-1] == "ibeta-level-3"
    assert "Name a Run or a score file" in message(fas("certify", scores))
    both = ("--threshold", "1", "--rule", "eer")
    assert "Give one of" in message(fas("certify", scores, "--plan", "ibeta-level-1", *both))
    assert "There is no plan 'x'" in message(fas("certify", scores, "--plan", "x"))


def test_a_card_is_held_against_a_plan_of_one_s_own(tmp_path: Path, fas: Callable[..., Result]) -> None:
    cache, out, own = tmp_path / "cache", tmp_path / "op.json", tmp_path / "cache" / "plans" / "own.toml"
    write_image_run(cache, "a", learned_samples())
    write_image_run(cache, "b", tiny_samples(), seed=1)
    assert (
        fas("threshold", "a", "--score", "rec", "--report-on", "seen_paper", "--cache", cache, "--out", out).code == 0
    )
    own.parent.mkdir()
    own.write_text(
        'title = "Ours"\nsource = "us"\nversion = "1"\n'
        '[[attacks]]\nname = "prints"\nspecies = 1\nwords = ["paper"]\npresentations = 2\n'
    )
    chosen = ("--plan", own, "--operating-point", out, "--cache", cache, "--json")
    done = fas("certify", "a", *chosen)
    document = json.loads(done.out)
    assert document["threshold"] == json.loads(out.read_text())["threshold"]
    assert [one["kind"] for one in document["warnings"]] == ["training_overlap"]
    assert document["sheets"][0]["is_met"] is True
    assert "The card is of Run" in message(fas("certify", "b", *chosen))
    assert "Ours" not in fas("certify", "--list").out
    assert "own: 1 species of prints" in fas("certify", "--list", "--cache", cache).out


def test_lists_of_bob_come_in_by_subset_and_go_out_again(fas: Callable[..., Result], tmp_path: Path) -> None:
    frames = "claimed_id,test_label,is_bonafide,attack_type,sample_n,score\n"
    for subset, first in (("dev", 0.5), ("eval", 2.5)):
        lines = [
            f"{i},r{i},True,,{frame},{first + i}\n{i},a{i},False,print,{frame},{-i}\n"
            for i in (1, 2)
            for frame in (0, 1)
        ]
        (tmp_path / f"scores-{subset}.csv").write_text(frames + "".join(lines))
    parts = [f"@{subset}={tmp_path / f'scores-{subset}.csv'}" for subset in ("dev", "eval")]
    made = fas("scores", "import", *parts, "--name", "pad", "--format", "sniff", "--cache", tmp_path / "c")
    assert "read as --format bob-csv" in made.err
    (run,) = store.all_runs(tmp_path / "c")
    assert run.info.source == "@dev=scores-dev.csv @eval=scores-eval.csv --higher-is bona_fide --format bob-csv"
    assert run.info.subsets == {"dev": 8, "eval": 8}
    assert run.samples()["score"].max() == 2
    assert run.samples()["score"].min() == -4.5
    to = ("--out", tmp_path / "lists", "--cache", tmp_path / "c")
    written = fas("scores", "export", "pad", "--score", "score", "--format", "bob5", *to).out.split()
    assert written == [str(tmp_path / "lists" / f"scores-{subset}.txt") for subset in ("dev", "eval")]
    assert Path(written[1]).read_text().splitlines()[0] == "1 1 1 r1#0 3.5"
    assert "no subset 'test': dev, eval" in message(
        fas("scores", "export", "pad", "--score", "score", "--subset", "test", *to)
    )
    lines = tmp_path / "l.txt"
    lines.write_text("a 1 live\nb 2 spoof\n")
    assert "Say so: --higher-is attack" in message(fas("scores", "import", lines, "--name", "x", "--format", "lines"))
