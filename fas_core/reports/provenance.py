"""What identifies the Runs, data and software that numbers come from, as rows of a report's table."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from fas_core import scores
from fas_core.documents import Json
from fas_core.evaluation.join import System
from fas_core.models import Origin
from fas_core.runs import tombstones
from fas_core.runs.store import Run


def of_system(system: System) -> dict[str, str]:
    """A row for whatever the Run has: one of scores has no checkpoint."""
    run, info = system.run, system.run.info
    model = {"Model": "scores only" if run.is_of_scores else f"imported arrays, {info.source}"}
    if info.checkpoint_sha256:
        model = {
            "Model": " of ".join(filter(None, [info.model, Origin(**info.origin).words if info.origin else ""])) or "–",
            "Checkpoint": f"{info.checkpoint or '–'} sha256 {info.checkpoint_sha256}",
            **_taught(info.checkpoint_header),
            "Preprocessing, precision": f"{info.preprocessing or '–'}, {info.precision or '–'}",
        }
    return {
        "Run": f"{run.id} ({info.name}), judged by {system.score}; made {run.summary().created}, format {info.format}",
        "Content of the Run": run.digest,
        **model,
        **_joined(run, system.score),
        "Data": data_words(info.manifest or info.source, info.manifest_sha256),
        "Samples": ", ".join(f"{name} {n:,}" for name, n in info.subsets.items()),
        **({"Removed": removed} if (removed := tombstones.words_of(run.cache, run.id)) else {}),
    }


def _taught(header: Json) -> dict[str, str]:
    """Whose student a model is, and what it was exported from: where it is any."""
    rows = {}
    if isinstance(teacher := header.get("teacher"), Mapping):
        rows["Student of"] = f"{teacher.get('checkpoint')} sha256 {teacher.get('sha256')}"
    if isinstance(source := header.get("exported_from"), Mapping):
        rows["Exported from"] = f"{source.get('checkpoint')} sha256 {source.get('sha256')}"
    return rows


def _joined(run: Run, score: str) -> dict[str, str]:
    """Where a score is from that was joined to the Run."""
    joined = run.joined.get(scores.base_of(score))
    return {} if joined is None else {"Joined score": f"{joined.source} sha256 {joined.sha256}"}


def data_words(name: str | None, sha256: str | None) -> str:
    """What identifies the data. The Run of a file of scores holds all of its rows, and the digest is of those."""
    if sha256:
        return f"{name or '–'} sha256 {sha256}"
    return f"{name or 'a file without a name'}; identified by the digest of the Run, which holds every row and score"


def software() -> dict[str, str]:
    """Versions of Python and of the packages that compute, as one fact."""
    packages = ("fas-explorer", "numpy", "scipy", "pandas", "pillow")
    return {"Software": ", ".join([f"Python {platform.python_version()}", *filter(None, map(version, packages))])}


def version(package: str) -> str:
    """Its name and version; "" where it is not installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:  # run from a checkout
        return ""
