"""`fas ...`: parses and calls, nothing else. Results go to standard output, progress and messages to standard error."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import shlex
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
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help="OUR_NAME=NAME_IN_THE_FILE, e.g. score=anomaly; may be repeated."),
]
HigherIsOption = Annotated[
    list[str] | None,
    typer.Option("--higher-is", help="What a higher score means: attack, or bona_fide (then all are negated)."),
]
LevelOption = Annotated[
    str,
    typer.Option("--level", help="What is decided on: frame, or video or session with mean, median or max of frames."),
]
FailClosedOption = Annotated[
    bool, typer.Option("--fail-closed", help="A missing score or unreadable image counts as an attack.")
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
    # Large arrays go back to the system when they are done with: glibc keeps most of them otherwise.
    frugal = {"MALLOC_MMAP_THRESHOLD_": "1000000", "MALLOC_ARENA_MAX": "2"}
    return subprocess.Popen(command, env=frugal | os.environ | {"FAS_CACHE": str(cache.resolve())})


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
    keep_epochs: Annotated[
        str | None, typer.Option(help="Keep the weights after these epochs too, beside OUT: 1,2,4,8.")
    ] = None,
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
    try:
        kept = [int(epoch) for epoch in keep_epochs.split(",")] if keep_epochs is not None else []
    except ValueError as error:
        raise BadInputError(f"--keep-epochs {keep_epochs}: write numbers of epochs, as in 1,2,4,8.") from error
    training.trained(
        wanted,
        manifest.read(data),
        out,
        cache=cache,
        keep_epochs=kept,
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
    engine: Annotated[str, typer.Option(help="local, or ray: a cluster, at RAY_ADDRESS or of this machine.")] = "local",
) -> None:
    """Images -> Run; goes on where it was, prints the run id. Example: `fas cache m.safetensors --data m.csv`"""
    from fas_core import cluster, derive, infer, manifest

    if engine not in ("local", "ray"):
        raise BadInputError(f"--engine {engine}: choose local or ray.")
    runs = (cluster if engine == "ray" else infer).cached(
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


@app.command("marks")
def export_marks(
    cache: CacheOption, run: Annotated[str, typer.Argument(metavar="RUN")], as_json: JsonOption = False
) -> None:
    """What people have marked and noted in the app, as CSV. Example: `fas marks small_dcvae > marks.csv`"""
    from fas_core import csvfile, marks, store

    opened = store.open_run(cache, run)
    table = marks.table(opened, marks.current(marks.history(opened)))
    if as_json:
        return _print_json(table.astype(object).where(table.notna(), None).to_dict("records"))
    print(csvfile.csv(table).decode(), end="")


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
    level: LevelOption = "frame",
    fail_closed: FailClosedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Metrics per score and subset. Example: `fas evaluate small_dcvae --score rec --level 'video mean'`"""
    from fas_core import evaluation, store

    document = evaluation.evaluated(store.open_run(cache, run), score, subset, level, fail_closed=fail_closed)
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


@app.command("threshold")
def operating_point(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Not needed with --check.")] = None,
    *,
    cache: CacheOption,
    score: Annotated[str | None, typer.Option(help="The score to decide by.")] = None,
    rule: Annotated[
        str, typer.Option(help="bpcer<=X, apcer<=X (worst species), apcer[SPECIES]<=X, eer, cost or threshold=T.")
    ] = "bpcer<=0.05",
    choose_on: Annotated[list[str] | None, typer.Option(help="Subset the rule looks at; may be repeated.")] = None,
    report_on: Annotated[list[str] | None, typer.Option(help="Subset reported on; may be repeated.")] = None,
    level: LevelOption = "frame",
    fail_closed: FailClosedOption = False,
    sessions: Annotated[float | None, typer.Option(help="Rule cost: sessions a month.")] = None,
    attack_share: Annotated[
        list[str] | None,
        typer.Option(help="Rule cost: SPECIES=SHARE of all sessions, or SPECIES=SHARE:LOW-HIGH; may be repeated."),
    ] = None,
    loss: Annotated[float | None, typer.Option(help="Rule cost: loss per accepted attack.")] = None,
    rejection_cost: Annotated[float | None, typer.Option(help="Rule cost: cost per rejected bona fide.")] = None,
    by: Annotated[str, typer.Option(help="Who decides; by default the login name.")] = "",
    note: Annotated[str, typer.Option(help="Why, in words.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="File of the card; by default printed only.")] = None,
    check: Annotated[Path | None, typer.Option(help="Compute this card anew; status 1 where anything differs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Chooses a threshold, freezes it as a card, reports it elsewhere; or checks a card.

    Example: `fas threshold small_dcvae --score rec --choose-on live --report-on unseen_paper --out op.json`
    """
    from fas_core import card as cards
    from fas_core import operating_point as op
    from fas_core import scores, store

    if check is not None:
        return _check_card(check, cache, as_json)
    if run is None:
        raise BadInputError("Name a Run, for example: fas threshold small_dcvae --score rec --report-on unseen_paper")
    chosen = store.open_run(cache, run)
    offered = scores.offered(chosen)
    if score is None and len(offered) != 1:
        raise BadInputError(f"Choose a score of Run {run} with --score: {', '.join(offered) or 'it has none'}.")
    made = cards.card(
        chosen,
        score or offered[0],
        op.rule(rule),
        choose_on or ([] if rule.startswith(op.BY_HAND) else op.dev_subsets(chosen.subsets)),
        report_on
        or [name for name in chosen.subsets if name not in (*(choose_on or op.dev_subsets(chosen.subsets)), "train")],
        level=level,
        costs=_costs(sessions, attack_share, loss, rejection_cost) if rule.strip() == op.COST else None,
        fail_closed=fail_closed,
        by=by,
        note=note,
    )
    if out is not None:
        cards.written(made, out)
    if made["optimistic"]:
        _say("Optimistic: the threshold was chosen on samples that it is reported on, or by hand.")
    if as_json:
        return _print_json(made)
    _print_card(made)


def _costs(sessions: float | None, shares: list[str] | None, loss: float | None, rejection: float | None) -> Any:
    """`cost.Costs` from the options of `fas threshold`."""
    from fas_core.cost import Costs, Share

    if sessions is None or loss is None or rejection is None or not shares:
        raise BadInputError(
            "The rule cost needs --sessions, --loss, --rejection-cost and an --attack-share per species."
        )
    found = {}
    for text in shares:
        species, _, numbers = text.partition("=")
        likely, _, ends = numbers.partition(":")
        low, _, high = (ends or f"{likely}-{likely}").rpartition("-")
        try:
            found[species] = Share(float(likely), float(low), float(high))
        except ValueError as error:
            raise BadInputError(
                f"--attack-share {text}: write for example mask=0.001 or mask=0.001:0.0002-0.005"
            ) from error
    return Costs(sessions, found, loss, rejection)


def _check_card(path: Path, cache: Path, as_json: bool) -> None:
    from fas_core import card as cards

    read = cards.read(path)
    found = cards.differences(read, cards.run_of(read, cache))
    if as_json:
        _print_json({"card": str(path), "differences": found})
    else:
        print(
            "\n".join(found) or f"{path}: everything is as it was: threshold {read['threshold']}, rule {read['rule']}."
        )
    if found:
        sys.exit(1)


def _print_card(made: dict[str, Any]) -> None:
    chosen_on = ", ".join(made["chosen_on"]) or "nothing: set by hand"
    print(f"{made['run_name']}, {made['score']} per {made['level']}: threshold {made['threshold']}")
    print(f"Rule {made['rule']}, chosen on {chosen_on}. At or above the threshold is an attack.")
    cells = {f"chosen: {', '.join(made['chosen_on'])}": made["chosen"]} if made["chosen"] else {}
    cells |= made["reported"] | ({"all reported": made["reported_together"]} if len(made["reported"]) > 1 else {})
    rows = []
    for name, cell in cells.items():
        worst = cell["apcer_worst"]
        rows.append(
            [
                name,
                str(cell["n_bona_fide"]),
                _rate_in(cell["bpcer"], cell["bpcer_interval"]),
                str(sum(cell["n_per_species"].values())),
                worst or "–",
                _rate_in(cell["apcer_max"], cell["apcer_interval_per_species"].get(worst)),
                str(sum(cell["n_non_response"].values())),
            ]
        )
    heads = ["subset", "bona fide", "BPCER", "attacks", "worst species", "its APCER", "no response"]
    _print_table("Errors, with 95 % intervals", heads, rows)


def _rate_in(value: float | None, interval: dict[str, Any] | None) -> str:
    """A rate with its interval: 5.7 % (4.8–6.7, 95 subjects)."""
    if interval is None:
        return _rate(value)
    unit = interval["unit"] + ("" if interval["n_units"] == 1 else "s")
    return f"{_rate(value)} ({100 * interval['low']:.1f}–{100 * interval['high']:.1f}, {interval['n_units']} {unit})"


@app.command()
def predict(
    image: Annotated[list[Path], typer.Argument(metavar="IMAGE...")],
    operating_point: Annotated[Path, typer.Option(help="The card, as 'fas threshold --out' writes it.")],
    cache: CacheOption,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Verdicts for new images; unreadable ones are attacks. Example: `fas predict --operating-point op.json a.png`"""
    from fas_core import card as cards
    from fas_core import predict as core

    found = core.verdicts(cards.read(operating_point), cache, image, device)
    if as_json:
        return _print_json(found)
    for entry in found:
        score = "no score" if entry["score"] is None else f"score {float(entry['score']):.6g}"
        why = f" ({entry['reason']})" if entry["reason"] else ""
        print(f"{entry.get('image') or ', '.join(entry['images'])}: {entry['verdict']}, {score}{why}")


@app.command()
def compare(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B")],
    cache: CacheOption,
    score: Annotated[str, typer.Option(help="A score that both have, or that of A.")],
    score_b: Annotated[str | None, typer.Option(help="The score of B, where it is another one.")] = None,
    rule: Annotated[str, typer.Option(help="Thresholds are matched by bpcer<=X or apcer<=X (worst species).")] = (
        "bpcer<=0.05"
    ),
    level: LevelOption = "frame",
    as_json: JsonOption = False,
) -> None:
    """Two Runs on the same samples, B minus A. Example: `fas compare small_dcvae small_resvae --score rec`"""
    from fas_core import compare as core
    from fas_core import operating_point as op
    from fas_core import store

    a, b = core.System(store.open_run(cache, run_a), score), core.System(store.open_run(cache, run_b), score_b or score)
    found = core.document(a, b, op.rule(rule), level)
    if as_json:
        return _print_json(found)
    print(f"A: {a.run.info.name}, {a.score}. B: {b.run.info.name}, {b.score}.")
    print(
        f"{found['n_common']:,} samples compared, {found['n_only_a']:,} only in A, {found['n_only_b']:,} only in B, "
        f"{found['n_no_response']:,} without a score in one of them. Training images are left out."
    )
    print("\n".join(found["in_words"]))
    rows = [
        [
            name,
            _number(one["a"]),
            _number(one["b"]),
            "–" if one["difference"] is None else f"{one['difference']:+.3f}",
            "–" if one["ci95"] is None else f"{one['ci95'][0]:+.3f} to {one['ci95'][1]:+.3f}",
            "–" if one["p"] is None else f"{one['p']:.3g}",
            one["method"] or "–",
        ]
        for name, one in found["metrics"].items()
    ]
    unit = f"by {found['unit']}, n = {found['n_units']:,}"
    _print_table(f"B - A, 95 % {unit}", ["metric", "A", "B", "B - A", "95 %", "p", "p by"], rows)


@app.command("report")
def report_on(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    cache: CacheOption,
    out: OutOption,
    score: Annotated[
        str | None, typer.Option(help="The score to judge by; by default the card's, or the only one.")
    ] = (None),
    operating_point: Annotated[Path | None, typer.Option(help="A card of this Run, to be included.")] = None,
    compare_with: Annotated[
        list[str] | None,
        typer.Option("--compare", help="Another Run on the same samples, or RUN:SCORE; may be repeated."),
    ] = None,
    images: Annotated[bool, typer.Option("--images/--no-images", help="A few reconstructions per subset.")] = True,
    pixelate: Annotated[bool, typer.Option("--pixelate", help="Faces on them are not to be recognised.")] = False,
) -> None:
    """One HTML page that needs no network: figures, card, comparison, images, hashes.

    Example: `fas report small_dcvae --score rec --operating-point op.json --compare small_resvae --out report.html`
    """
    from fas_core import card as cards
    from fas_core import report as core
    from fas_core import scores, store
    from fas_core.compare import System
    from fas_core.manifest import atomic_file

    chosen = store.open_run(cache, run)
    card = None if operating_point is None else cards.read(operating_point)
    if card is not None:
        cards.require_untouched(card, str(operating_point))
    offered = scores.offered(chosen)
    judged_by = score or (card["score"] if card is not None else offered[0] if len(offered) == 1 else None)
    if judged_by is None:
        raise BadInputError(f"Choose a score of Run {run} with --score: {', '.join(offered) or 'it has none'}.")
    others = []
    for text in compare_with or []:
        name, _, other_score = text.partition(":")
        others.append(System(store.open_run(cache, name), other_score or judged_by))
    html = core.page(System(chosen, judged_by), card=card, others=others, with_images=images, pixelated=pixelate)
    with atomic_file(out) as temporary:
        temporary.write_text(html)
    _say(f"Wrote {out} ({len(html) / 1e6:.1f} MB). It loads nothing; a browser prints it as PDF.")


# -------------------------------------------------------------------------------------------------------------- scores


@app.command("metrics")
def score_metrics(
    scores: Annotated[Path, typer.Argument(metavar="SCORES.csv")],
    threshold: Annotated[list[float] | None, typer.Option(help="Rates at this threshold; may be repeated.")] = None,
    max_bpcer: Annotated[list[float] | None, typer.Option(help="APCER where BPCER is at most this.")] = None,
    max_apcer: Annotated[list[float] | None, typer.Option(help="BPCER where APCER is at most this.")] = None,
    prior: Annotated[list[float] | None, typer.Option(help="Share of attacks to assume.")] = None,
    subset: Annotated[str | None, typer.Option(help="Only this subset (or split).")] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Rates per group of this column; may repeat.")] = None,
    column: ColumnOption = None,
    attack_label: AttackLabelOption = None,
    higher_is: HigherIsOption = None,
    fail_closed: FailClosedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Metrics of any score file. Example: `fas metrics scores.csv --max-bpcer 0.05 --by device --json`

    With --by, every group of a column at each threshold asked for, or else at the one of BPCER ≤ 5 %.
    """
    from fas_core import evaluation, scorefile
    from fas_core import metrics as m

    is_negated = bool(scorefile.negated(higher_is or [], [scorefile.SCORE]))
    file = scorefile.read(scores, attack_label, scorefile.column_names(column or []), is_negated)
    if subset is not None:
        file = file.only(subset)
    rows = file.rows
    if fail_closed:
        rows = rows.assign(score=rows["score"].fillna(math.inf))
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
    for note in scorefile.oddities(rows, is_negated=is_negated):
        _say(f"Note: {note}")
    for value in threshold or ():
        if warning := scorefile.outside(rows["score"], value):
            _say(f"Note: {warning}")
    if by:
        document["groups"] = _groups(document, rows, by, threshold or [], max_bpcer or [], max_apcer or [])
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
    for found in document.get("groups", []):
        _print_groups(found)


def _groups(
    document: dict[str, Any],
    rows: Any,
    columns: list[str],
    thresholds: list[float],
    max_bpcer: list[float],
    max_apcer: list[float],
) -> list[dict[str, Any]]:
    """A breakdown per column and threshold that was asked for; without any, at the one of BPCER ≤ 5 %."""
    from fas_core import breakdown

    is_asked = bool(thresholds or max_bpcer or max_apcer)
    at = [(f"threshold {entry['threshold']}", entry) for entry in document["at_threshold"]]
    for name, targets, key in (
        ("BPCER", max_bpcer if is_asked else [0.05], "apcer_at_bpcer"),
        ("APCER", max_apcer, "bpcer_at_apcer"),
    ):
        for entry in document[key]:
            if entry["target"] in targets and entry["threshold"] is not None:
                text = f"threshold {entry['threshold']}, where {name} ≤ {_rate(entry['target'])} on these same samples"
                at.append((text, entry))
    return [
        breakdown.by_column(rows, rows["score"], float(entry["threshold"]), column).as_json() | {"at": text}
        for column in columns
        for text, entry in at
    ]


def _print_groups(found: dict[str, Any]) -> None:
    def shown(rate: dict[str, Any] | None) -> str:
        if rate is None:
            return "–"
        ends = rate["interval"] and f" ({100 * rate['interval']['low']:.1f}–{100 * rate['interval']['high']:.1f})"
        return f"{_rate(rate['value'])}{ends or ''}{' *' if rate['is_small'] else ''}"

    rows = []
    for one in found["groups"]:
        worst = one["apcer_worst"]
        worst_rate = shown(one["apcer_per_species"][worst] if worst else None)
        missing = str(sum(one["n_non_response"].values()))
        counts = [str(one["n_bona_fide"]), shown(one["bpcer"]), str(one["n_attack"]), worst_rate, worst or "–"]
        rows.append([one["group"], *counts, missing])
    heads = ["group", "bona fide", "BPCER", "attacks", "worst APCER", "species", "no response"]
    _print_table(f"By {found['column']}, at {found['at']}; intervals 95 % by {found['unit']}", heads, rows)
    if any("*" in text for row in rows for text in (row[2], row[4])):
        units = "" if found["unit"] == "image" else f" or {found['min_units']} {found['unit']}s"
        print(f"* fewer than {found['min_samples']} samples{units}: too few to judge")
    print(found["in_words"])


@scores_app.command("import")
def scores_import(
    scores: Annotated[list[str], typer.Argument(metavar="[NAME=]SCORES.csv...")],
    name: Annotated[str, typer.Option(help="Name of the Run.")],
    cache: CacheOption,
    column: ColumnOption = None,
    attack_label: AttackLabelOption = None,
    higher_is: HigherIsOption = None,
) -> None:
    """A Run from score files, one per system, joined on sample_id. Example: `fas scores import dev.csv --name vendor`

    Several: `fas scores import a.csv b=other.csv --name both --column score=anomaly --higher-is b=bona_fide`
    """
    from fas_core import scorefile, store

    files = scorefile.systems(scores)
    negated = scorefile.negated(higher_is or [], list(files))
    made = scorefile.read_joined(files, attack_label, scorefile.column_names(column or []), negated)
    for note in made.notes:
        _say(f"Note: {note}")
    options = [("--column", text) for text in column or []] + [("--higher-is", text) for text in higher_is or []]
    options += [("--attack-label", attack_label)] if attack_label is not None else []
    named = [path.name if system == scorefile.SCORE else f"{system}={path.name}" for system, path in files.items()]
    source = shlex.join([*named, *(part for option in options for part in option)])
    run = store.scores_only_run(cache, name, made.rows, made.scores, source)
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
