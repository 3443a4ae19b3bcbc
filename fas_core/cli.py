"""`fas ...`: parses and calls, nothing else. Results go to standard output, progress and messages to standard error."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fas_core.errors import BadInputError

app = typer.Typer(
    name="fas",
    help="Evaluate and explore unsupervised face anti-spoofing models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data_app = typer.Typer(help="Manifests: scan, check, subsets, simulated attacks.", no_args_is_help=True)
scores_app = typer.Typer(help="Score files of other systems.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(scores_app, name="scores")

PROJECT = Path(__file__).resolve().parents[1]


def default_cache() -> Path:
    """FAS_CACHE, or `cache/` of the checkout the package runs from, or `cache/` of the working folder."""
    if named := os.environ.get("FAS_CACHE"):
        return Path(named)
    return (PROJECT if (PROJECT / "pyproject.toml").is_file() else Path.cwd()) / "cache"


CacheOption = Annotated[Path, typer.Option("--cache", help="Folder of Runs.", default_factory=default_cache)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DataOption = Annotated[Path, typer.Option("--data", help="Manifest (CSV or Parquet).")]
OutOption = Annotated[Path, typer.Option("--out", help="File to write.")]
AttackLabelOption = Annotated[
    str | None,
    typer.Option("--attack-label", help="The label value that means attack, e.g. 1; every other is bona fide."),
]


def main() -> None:
    """Entry point: bad input ends with one message and status 2, never with a traceback."""
    logging.basicConfig(format="fas: note: %(message)s", level=logging.WARNING)
    try:
        app()
    except SystemExit as ended:
        if ended.code == 130:  # typer turns Ctrl+C into this
            _say("Interrupted. What is complete is kept: the same command goes on from it (fas train: with --resume).")
        raise
    except BadInputError as error:
        _stop(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT):
            raise
        where = f" ({error.filename})" if error.filename else ""
        remedy = "Free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Check its permissions"
        _stop(f"Cannot write{where}: {error.strerror}. {remedy} or choose another folder, then run the command again.")


def _stop(message: str) -> None:
    print(f"fas: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))


def _print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False).print(table)


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


# ------------------------------------------------------------------------------------------------------ demo and app


@app.command()
def demo(
    root: Annotated[Path | None, typer.Option(help="Folder for data, checkpoints and cache/.")] = None,
    app_wanted: Annotated[bool, typer.Option("--app/--no-app", help="Serve the web app.")] = True,
    port: Annotated[int, typer.Option(help="Port of the web app.")] = 8501,
) -> None:
    """Rendered faces, a trained model, its Run, then the app. What is there is reused. Example: `fas demo`"""
    from fas_core import demo as demo_parts

    where = demo_parts.places(root, default_cache())
    _end_on_sigterm()
    server = _server(where.cache, port, "127.0.0.1") if app_wanted else None
    try:
        demo_parts.made(where, _say)
        if server is None:
            _say(f"The demo is ready in {where.cache}. Open it: fas app --cache {where.cache}")
            return
        _say(f"The demo is ready: http://127.0.0.1:{port} (Ctrl+C ends it)")
        sys.exit(server.wait())
    finally:
        if server is not None:
            _ended(server)


@app.command("app")
def serve(
    cache: CacheOption,
    port: Annotated[int, typer.Option(help="Port.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to bind; 127.0.0.1 is this machine only.")] = "127.0.0.1",
) -> None:
    """The web app on the Runs of a cache folder. Example: `fas app --port 8600`"""
    _end_on_sigterm()
    server = _server(cache, port, host)
    try:
        sys.exit(server.wait())
    finally:
        _ended(server)


def _end_on_sigterm() -> None:
    """SIGTERM ends this process as an exception would, so that the server it started ends too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _ended(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        server.wait(timeout=10)


def _server(cache: Path, port: int, host: str) -> subprocess.Popen[bytes]:
    """Starts Streamlit as a child process; raises BadInputError when the address cannot be bound."""
    from fas_core.manifest import make_folder

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            remedy = (
                f"Choose another: --port {port + 1}" if is_taken else "Use a port from 1 to 65535 and a host of here."
            )
            raise BadInputError(f"Cannot serve on {host}:{port} ({error}). {remedy}") from error
    make_folder(cache)
    script = PROJECT / "app" / "main.py"
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += [f"--server.address={host}", f"--server.port={port}", "--server.headless=true"]
    if host not in ("127.0.0.1", "localhost", "::1"):
        command += ["--server.allowedHosts=[]"]
    _say(f"Serving on http://{host}:{port}")
    return subprocess.Popen(command, env=os.environ | {"FAS_CACHE": str(cache.resolve())})


# -------------------------------------------------------------------------------------------------------------- data


@data_app.command("layouts")
def data_layouts() -> None:
    """The data-set layouts that `fas data scan` reads. Example: `fas data layouts`"""
    from fas_core import layouts

    for name in layouts.names():
        print(f"{name}\n  " + layouts.description(name).replace("\n", "\n  ") + "\n")


@data_app.command("scan")
def data_scan(
    root: Annotated[Path, typer.Argument(help="Root folder of the data set.")],
    layout: Annotated[str, typer.Option(help="Name of the layout.")],
    out: OutOption,
    attack_label: AttackLabelOption = None,
) -> None:
    """Folder -> manifest. Example: `fas data scan faces/ --layout folder --out faces.csv`"""
    from fas_core import layouts, manifest

    rows = layouts.scanned(root, layout, attack_label)
    rows["path"] = [Path(os.path.relpath(Path(p).resolve(), out.parent.resolve())).as_posix() for p in rows["path"]]
    checked, problems = manifest.normalised(rows)
    if problems:
        raise BadInputError(manifest.problems_message(root, problems))
    manifest.write(checked, out)
    n_attack = int((checked["label"] == manifest.ATTACK).sum())
    _say(f"{out}: {len(checked)} images, {len(checked) - n_attack} bona fide, {n_attack} attacks")


@data_app.command("check")
def data_check(manifest_path: Annotated[Path, typer.Argument(metavar="M")], as_json: JsonOption = False) -> None:
    """Validates a manifest and every image; status 2 when there is a problem. Example: `fas data check faces.csv`"""
    from fas_core import datacheck

    document = datacheck.checked(manifest_path)
    if as_json:
        _print_json(document)
    else:
        rows = [[k, *(str(v[c]) for c in ("bona_fide", "attack", "subjects"))] for k, v in document["subsets"].items()]
        _print_table(str(manifest_path), ["subset", "bona fide", "attacks", "subjects"], rows)
        for problem in document["problems"]:
            print(f"row {problem['row']}, {problem['path']}: {problem['problem']}")
        for group in document["duplicates"]:
            print(f"same image content: {', '.join(group)}")
        for pair, subjects in document["shared_subjects"].items():
            print(f"subjects in both {pair}: {len(subjects)}")
    if document["problems"]:
        raise BadInputError(
            f"{manifest_path}: {len(document['problems'])} problems; the rows are listed in the report."
        )


@data_app.command("subsets")
def data_subsets(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: OutOption,
    seed: Annotated[int, typer.Option(help="Which subjects and sessions go where.")] = 0,
) -> None:
    """The thesis' six subsets (section 3.1.1). Example: `fas data subsets faces.csv --out subsets.csv`"""
    from fas_core import manifest, subsets

    source = manifest.read(manifest_path)
    source.rows["path"] = manifest.relocated(source, out)["path"]
    protocol = subsets.protocol(source, seed)
    manifest.write(protocol.rows, out)
    counts = subsets.counts(protocol.rows, manifest.in_protocol_order(protocol.rows["subset"].unique()))
    rows = [[name, *(str(n) for n in count.values())] for name, count in counts.items()]
    _print_table(str(out), ["subset", "bona fide", "attacks", "subjects"], rows)
    for note in protocol.notes:
        _say(f"Note: {note}")


@data_app.command("filter")
def data_filter(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: OutOption,
    max_angle: Annotated[float, typer.Option(help="Degrees that a head may be turned, about each axis.")] = 10.0,
    iqr: Annotated[float, typer.Option(help="Interquartile ranges beyond a session's quartiles that stay.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Head-pose and session-outlier filters on `train`. Example: `fas data filter subsets.csv --out filtered.csv`"""
    from fas_core import filters, manifest, subsets

    source = manifest.read(manifest_path)
    manifest.require_writable(out.parent)
    made = filters.filtered(source, max_angle, iqr)
    stays = manifest.relocated(manifest.Manifest(made.rows, source.source), out)
    manifest.write(stays, out)
    manifest.write_table(made.left, filters.left_file(out))
    _say(f"{filters.left_file(out)}: the {len(made.left)} images that left, each with its reason")
    for note in made.notes:
        _say(f"Note: {note}")
    document = made.as_json()
    if as_json:
        return _print_json(document)
    before = document["train_before"]
    rows = [[kind.replace("_", " "), str(n), _rate(n / before)] for kind, n in document["left"].items()]
    rows.append(["stays", str(document["train_after"]), _rate(document["train_after"] / before)])
    _print_table("Training images that left", ["reason", "images", "share"], rows)
    counts = subsets.counts(stays, manifest.in_protocol_order(stays["subset"].unique()))
    rows = [[name, *(str(n) for n in count.values())] for name, count in counts.items()]
    _print_table(str(out), ["subset", "bona fide", "attacks", "subjects"], rows)


@data_app.command("attacks")
def data_attacks(
    manifest_path: Annotated[Path, typer.Argument(metavar="M")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the attack images and manifest.csv.")],
    species: Annotated[str, typer.Option(help="Comma-separated: paper, replay, mask.")] = "paper,replay,mask",
    seed: Annotated[int, typer.Option(help="Which images are attacked, and how.")] = 0,
) -> None:
    """Simulated attacks on real live images. Example: `fas data attacks faces.csv --out attacked/`"""
    from fas_core import attacks, manifest

    written = attacks.attacked_data_set(
        manifest.read(manifest_path), out, [s.strip() for s in species.split(",") if s.strip()], seed
    )
    _say(f"{written}: live images of {manifest_path} and simulated attacks on them")


# ------------------------------------------------------------------------------------------------ models and training


@app.command("models")
def list_models(as_json: JsonOption = False) -> None:
    """Models with parameter counts at the thesis' size. Example: `fas models --json`"""
    import torch

    from fas_core import models
    from fas_core.models.base import parameter_count

    listed = []
    for name in models.names():
        with torch.device("meta"):  # counted, not allocated
            model = models.built(name, {})
        parts = {part: parameter_count(module) for part, module in model.parts().items()}
        config = vars(model.config)
        listed.append({"name": name, "parameters": parameter_count(model), "parts": parts, "config": config})
    if as_json:
        return _print_json(listed)
    rows = [[m["name"], f"{m['parameters']:,}", ", ".join(f"{k} {v:,}" for k, v in m["parts"].items())] for m in listed]
    _print_table("Models", ["model", "parameters", "parts"], rows)


@app.command("experiments")
def list_experiments(as_json: JsonOption = False) -> None:
    """Trainings by name, with every hyperparameter. Example: `fas experiments`"""
    from fas_core import experiments

    listed = [experiments.preset(name).as_json() for name in experiments.names()]
    if as_json:
        return _print_json(listed)
    rows = [
        [str(e[k]) for k in ("name", "model", "batches_per_epoch", "epochs", "batch_size", "learning_rate", "schedule")]
        for e in listed
    ]
    _print_table(
        "Experiments", ["name", "model", "batches/epoch", "epochs", "batch", "learning rate", "schedule"], rows
    )


@app.command()
def train(
    experiment: Annotated[str, typer.Argument(help="Name, as in `fas experiments`.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write (.safetensors).")],
    cache: CacheOption,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
) -> None:
    """Trains on live images of subset `train`. Example: `fas train small_dcvae --data m.csv --out m.safetensors`"""
    from fas_core import experiments, manifest, traininglog
    from fas_core import train as training

    if out.suffix != ".safetensors":
        raise BadInputError(f"--out {out}: a checkpoint's name ends in .safetensors.")
    wanted = experiments.preset(experiment).with_settings(settings or [])
    training.trained(
        wanted,
        manifest.read(data),
        out,
        cache=cache,
        resume=resume,
        device=device,
        precision=precision,
    )
    if os.environ.get("RANK", "0") == "0":  # of processes that share the training, one speaks
        _say(f"{out} (metrics log: {traininglog.metrics_log(out)})")


@app.command("cache")
def cache_runs(
    checkpoints: Annotated[list[Path], typer.Argument(metavar="CKPT...")],
    data: DataOption,
    cache: CacheOption,
    subset: Annotated[list[str] | None, typer.Option("--subset", help="Only this subset; may be repeated.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
) -> None:
    """Images -> Run; goes on where it was, prints the run id. Example: `fas cache m.safetensors --data m.csv`"""
    from fas_core import derive, infer, manifest

    runs = infer.cached(
        checkpoints,
        manifest.read(data),
        cache,
        subsets=subset or [],
        device=device,
        precision=precision,
    )
    for run in runs:
        print(run.id, flush=True)
        if run.n_failures:
            first = run.failures().iloc[0]
            _say(
                f"{run.info.name}: {run.n_failures} images gave no output, e.g. {first['sample_id']}: "
                f"{first['reason']}. The app's Overview lists them all."
            )
    for run in runs:
        derive.made(run)


# --------------------------------------------------------------------------------------------------------------- runs


@app.command("runs")
def list_runs(cache: CacheOption, as_json: JsonOption = False) -> None:
    """The Runs of a cache folder. Example: `fas runs --json`"""
    from fas_core import store

    listed = []
    for folder in store.run_folders(cache):
        try:
            listed.append(store.opened(folder).summary())
        except BadInputError as error:
            _say(str(error))
    if as_json:
        return _print_json(listed)
    rows = [
        [
            run["run"],
            run["name"],
            run["model"] or "scores only",
            f"{sum(run['subsets'].values()):,}",
            str(run["n_failures"]),
            "yes" if run["complete"] else "no",
            f"{run['bytes'] / 1e6:,.1f} MB",
            _age(run["created"]),
        ]
        for run in listed
    ]
    _print_table(f"Runs in {cache}", ["run", "name", "model", "samples", "failures", "complete", "size", "age"], rows)


def _age(created: str) -> str:
    """Time since an ISO date in its largest unit: "3 days"."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            n = int(seconds // length)
            return f"{n} {unit}{'s' if n > 1 else ''}"
    return "seconds"


@app.command()
def verify(
    cache: CacheOption,
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN...]")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Compute damaged shards anew.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Reads every byte of Runs against its checksum; status 2 on damage. Example: `fas verify small_dcvae --repair`"""
    from fas_core import progress, store

    folders = [store.folder_of(cache, run) for run in runs] if runs else store.folders_to_verify(cache)
    reasons: list[str] = []
    with progress.task("Verifying shards", sum(len(store.shard_folders(f)) for f in folders)) as shown:
        found = [store.verified(folder, shown.advance) for folder in folders]
    for i, folder in enumerate(folders):
        if repair and found[i]["damage"]:
            try:
                found[i] = _repaired(folder, found[i]["damage"])
            except BadInputError as error:
                reasons.append(str(error))
    if as_json:
        _print_json(found)
    else:
        for entry in found:
            _print_verified(entry)
    if any(entry["damage"] for entry in found):
        remedy = "Damage remains: see the list." if repair else "Compute damaged shards anew: fas verify --repair"
        raise BadInputError(" ".join(reasons) or remedy)


def _repaired(folder: Path, damage: list[dict[str, str]]) -> dict[str, Any]:
    """As `store.verified`, after the damaged shards were computed anew; raises BadInputError where they cannot be."""
    from fas_core import images, store

    run = store.opened(folder)
    checkpoint, data = store.sources(run)
    if run.info.preprocessing != images.PREPROCESSING:
        raise BadInputError(f"Run {run.info.name} was made by another version, which prepared images differently.")
    discarded = store.discard(run, damage)
    if discarded:
        from fas_core import infer

        subsets = sorted({one["subset"] for one in discarded})
        infer.cached([checkpoint], data, run.cache, subsets=subsets, precision=run.info.precision)
    return store.verified(folder) | {"repaired": discarded}


def _print_verified(entry: dict[str, Any]) -> None:
    state = f"{len(entry['damage'])} damaged" if entry["damage"] else "intact"
    if entry["repaired"]:
        state += f", {len(entry['repaired'])} repaired"
    if entry["missing"]:
        state += f", {len(entry['missing'])} shards not made yet"
    print(f"{entry['run']} {entry['name'] or ''}".rstrip() + f": {state}")
    for kind, prefix in (("damage", ""), ("repaired", "repaired: ")):
        for one in entry[kind]:
            place = "/".join(filter(None, (one["subset"], one["shard"])))
            print(f"  {prefix}{place} {one['problem']}".rstrip())


@app.command()
def prune(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Removes a Run from the cache, after asking. Example: `fas prune small_dcvae`"""
    from fas_core import store

    chosen = store.open_run(cache, run)
    about = chosen.summary()
    size = f"{about['bytes'] / 1e6:,.1f} MB, {_age(about['created'])} old"
    if not yes and not typer.confirm(f"Remove Run {chosen.id} ({chosen.info.name}, {size})?"):
        raise BadInputError("Nothing was removed. Answer y, or pass --yes.")
    store.remove(chosen)
    _say(f"Removed {chosen.id} ({chosen.info.name}).")


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="Only this score.")] = None,
    subset: Annotated[str | None, typer.Option(help="Only this subset.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Metrics per score and subset. Example: `fas evaluate small_dcvae --score rec`"""
    from fas_core import evaluation, store

    document = evaluation.evaluated(store.open_run(cache, run), score, subset)
    if as_json:
        return _print_json(document)
    for name, cells in document["scores"].items():
        _print_metrics(f"{run}: {name}", cells)
    errors = [
        [name, str(e["n"]), f"{e['mse']:.4f}", _number(e["mean_image_mse"]), _rate(e["below_mean_image"])]
        for name, e in document.get("reconstruction", {}).items()
    ]
    if errors:
        heads = ["subset", "live images", "pixel MSE", "of the mean training image", "below it by"]
        _print_table(f"{run}: reconstructions of live images", heads, errors)


def _print_metrics(title: str, cells: dict[str, dict[str, Any]]) -> None:
    rows = []
    for subset, cell in cells.items():
        at = next((e for e in cell["apcer_at_bpcer"] if e["target"] == 0.05), None)
        rows.append(
            [
                subset,
                str(cell["n_bona_fide"]),
                str(cell["n_attack"]),
                str(sum(cell["n_non_response"].values())),
                _number(cell["roc_auc"]),
                _number(cell["average_precision"]),
                _rate(cell["eer"]["value"] if cell["eer"] else None),
                _rate(at["apcer_max"] if at else None),
            ]
        )
    heads = ["subset", "bona fide", "attacks", "no response", "AUC", "AP", "EER", "worst APCER at BPCER ≤ 5 %"]
    _print_table(title, heads, rows)


# -------------------------------------------------------------------------------------------------------------- scores


@app.command("metrics")
def score_metrics(
    scores: Annotated[Path, typer.Argument(metavar="SCORES.csv")],
    threshold: Annotated[list[float] | None, typer.Option(help="Rates at this threshold; may be repeated.")] = None,
    max_bpcer: Annotated[list[float] | None, typer.Option(help="APCER where BPCER is at most this.")] = None,
    max_apcer: Annotated[list[float] | None, typer.Option(help="BPCER where APCER is at most this.")] = None,
    prior: Annotated[list[float] | None, typer.Option(help="Share of attacks to assume.")] = None,
    subset: Annotated[str | None, typer.Option(help="Only this subset (or split).")] = None,
    attack_label: AttackLabelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Metrics of any score file. Example: `fas metrics scores.csv --max-bpcer 0.05 --json`"""
    from fas_core import evaluation, scorefile
    from fas_core import metrics as m

    file = scorefile.read(scores, attack_label)
    if subset is not None:
        file = file.only(subset)
    rows = file.rows
    one = m.score_set(rows["score"].to_numpy(float), rows["label"].to_numpy() == "attack", list(rows["pai_species"]))
    evaluation.require_both_classes(one, str(scores) if subset is None else f"Subset '{subset}' of {scores}")
    document = m.document(
        one,
        thresholds=threshold or (),
        max_bpcer=max_bpcer or m.TARGETS,
        max_apcer=max_apcer or m.TARGETS,
        priors=prior or m.PRIORS,
    )
    missing = document["n_non_response"]
    if sum(missing.values()):
        first = int(rows["score"].isna().to_numpy().argmax()) + 1
        _say(
            f"{scores}: {sum(missing.values())} samples have no score (first: row {first}); they count as "
            "non-responses beside the rates, never as live. Fill them in if the system did answer."
        )
    if as_json:
        return _print_json(document)
    _print_metrics(str(scores), {subset or "all": document})
    for entry in document["apcer_at_bpcer"]:
        print(
            f"BPCER ≤ {_rate(entry['target'])}: worst APCER {_rate(entry['apcer_max'])}, threshold {entry['threshold']}"
        )
    for entry in document["bpcer_at_apcer"]:
        print(f"APCER ≤ {_rate(entry['target'])}: BPCER {_rate(entry['bpcer'])}, threshold {entry['threshold']}")
    for share, precision in document["prior_adjusted_average_precision"].items():
        print(f"With {100 * float(share):g} % attacks: average precision {_number(precision)}")
    for entry in document["at_threshold"]:
        species = ", ".join(f"{k} {_rate(v)}" for k, v in entry["apcer_per_species"].items())
        print(f"At {entry['threshold']}: BPCER {_rate(entry['bpcer'])}; APCER {species}")


@scores_app.command("import")
def scores_import(
    scores: Annotated[Path, typer.Argument(metavar="SCORES.csv")],
    name: Annotated[str, typer.Option(help="Name of the Run.")],
    cache: CacheOption,
    attack_label: AttackLabelOption = None,
) -> None:
    """A scores-only Run from a score file; prints its id. Example: `fas scores import dev.csv --name vendor`"""
    from fas_core import scorefile, store

    file = scorefile.read(scores, attack_label)
    run = store.scores_only_run(cache, name, file.rows, [scorefile.SCORE], scores.name)
    print(run.id)


# --------------------------------------------------------------------------------------------------------------- bench


@app.command("bench")
def measurements(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this measurement.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The project's own measurements, as ratios taken in one run. Example: `fas bench metrics`"""
    from fas_core import bench

    results = []
    for wanted in [name] if name else bench.names():
        _say(f"Measuring {wanted} ...")
        results.append(bench.result(wanted))
    if as_json:
        return _print_json(results[0] if name else results)
    for result in results:
        targets = result["targets"]
        rows = [[figure, f"{value:.4g}", *_target(targets.get(figure))] for figure, value in result["figures"].items()]
        _print_table(f"{result['name']} ({result['machine']})", ["figure", "value", "target", ""], rows)


def _target(target: dict[str, Any] | None) -> tuple[str, str]:
    if target is None:
        return "", ""
    bound = f"≤ {target['at_most']:g}" if "at_most" in target else f"≥ {target['at_least']:g}"
    return bound, "met" if target["met"] else "missed"


if __name__ == "__main__":
    main()
