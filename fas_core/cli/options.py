"""Options that several commands share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fas_core import default_cache, storage
from fas_core.cli.printing import say_notes
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.data.manifest import Manifest
    from fas_core.documents import Json
    from fas_core.metrics.cost import Costs
    from fas_core.metrics.operating_point import Rule
    from fas_core.runs.store import Run

CacheOption = Annotated[
    Path,
    typer.Option(
        "--cache",
        help="Folder of Runs, or s3://BUCKET/PREFIX.",
        parser=storage.place,
        metavar="PATH",
        default_factory=default_cache,
        show_default="FAS_CACHE, or cache/ beside the project",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DataOption = Annotated[
    Path,
    typer.Option(
        "--data", help="Manifest (CSV or Parquet), also s3://BUCKET/M.csv.", parser=storage.place, metavar="PATH"
    ),
]
RehashOption = Annotated[
    bool, typer.Option("--rehash", help="Read every image file again, whether it looks unchanged or not.")
]
WorkersOption = Annotated[
    str,
    typer.Option(metavar="N|auto", help="Processes that read images; auto: one per core where threads cannot keep up."),
]
ModalityOption = Annotated[
    str, typer.Option("--modality", help="Only images of this modality, where there are several: rgb, nir, depth.")
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="local, or ray: a cluster, at RAY_ADDRESS or of this machine.")
]
OutOption = Annotated[Path, typer.Option("--out", help="File to write.")]
AttackLabelOption = Annotated[
    str | None,
    typer.Option(
        "--attack-label",
        help="The label values that mean attack, e.g. 1 or 1,2. One value may be left, which is bona fide; if there "
        "are more, --bona-fide-label names it and every other is refused.",
    ),
]
BonaFideLabelOption = Annotated[
    str | None,
    typer.Option("--bona-fide-label", help="The label values that mean bona fide, e.g. 0, beside --attack-label."),
]
SpeciesLabelOption = Annotated[
    str | None,
    typer.Option("--species-label", help="Label values that are species of attacks: 1=print,2=replay."),
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
    typer.Option(
        "--level",
        help="What is decided on: frame, or video (session) with a rule: mean, median, max of its frames; 3 of 10 (an "
        "attack where 3 of the first 10 frames are; also of 1s, of all); ema 0.5s (mean in which a frame half a second "
        "earlier counts half; ema 5: five frames). Behind mean, median, max, ema: first 1s, first 10. Example: "
        "'video mean first 1s'. Frames are in order of column time, else frame.",
    ),
]
SessionsOption = Annotated[float | None, typer.Option(help="Rule cost: sessions a month.")]
AttackShareOption = Annotated[
    list[str] | None,
    typer.Option(help="Rule cost: SPECIES=SHARE of all sessions, or SPECIES=SHARE:LOW-HIGH; may be repeated."),
]
LossOption = Annotated[float | None, typer.Option(help="Rule cost: loss per accepted attack.")]
RejectionCostOption = Annotated[float | None, typer.Option(help="Rule cost: cost per rejected bona fide.")]
CurrencyOption = Annotated[str | None, typer.Option(help="Rule cost: of the amounts, as EUR or €.")]
DeriveOption = Annotated[
    str, typer.Option("--derive", help="Ready for pages: none, quick (what is seen at once), all (UMAP too).")
]
FailClosedOption = Annotated[
    bool, typer.Option("--fail-closed", help="A missing score or unreadable image counts as an attack.")
]


def require_engine(engine: str) -> bool:
    """Whether it is Ray; raises BadInputError for one that there is not."""
    if engine not in ("local", "ray"):
        raise BadInputError(f"--engine {engine}: choose local or ray.")
    return engine == "ray"


def intervals_by(engine: str) -> AbstractContextManager[None]:
    """While the block runs, intervals are computed by an engine."""
    if not require_engine(engine):
        return nullcontext()
    from fas_core.inference import cluster

    return cluster.intervals()


def read_manifest(path: Path, *, rehash: bool = False) -> Manifest:
    """As `manifest.read`; `rehash`: what is kept of its files' hashes is dropped."""
    from fas_core.data import hashes, manifest

    if rehash:
        hashes.drop(path.parent)
    return manifest.read(path)


def opened_run(cache: Path, reference: str) -> Run:
    """As `store.open_run`; says what is left out where the Run's key is not here."""
    from fas_core import scores
    from fas_core.runs import store

    run = store.open_run(cache, reference)
    say_notes(filter(None, [scores.left_out(run)]))
    return run


def only_score(run: Run, called: str, by: str = "--score") -> str:
    """The score that is meant where none is named. Raises BadInputError where a Run has several, or none; `by`: how one
    is named."""
    from fas_core import scores

    offered = scores.offered(run)
    if len(offered) != 1:
        raise BadInputError(f"Choose a score of Run {called} with {by}: {', '.join(offered) or 'it has none'}.")
    return offered[0]


def subsets_of(
    run: Run, called: str, choose_on: list[str] | None, report_on: list[str] | None
) -> tuple[list[str], list[str]]:
    """Where a threshold is chosen and where it is reported: as named, else dev and what nothing was chosen on.

    Raises BadInputError for a subset that the Run does not have.
    """
    from fas_core.data.names import dev_subsets, fresh_subsets

    on = choose_on or dev_subsets(run.subsets)
    reported_on = report_on or fresh_subsets(run.subsets, on) or list(run.subsets)
    for name in (*on, *reported_on):
        if name not in run.subsets:
            raise BadInputError(f"Run {called} has no subset '{name}'. Subsets: {', '.join(run.subsets)}.")
    return on, reported_on


def costs_of(
    rule: Rule,
    sessions: float | None,
    shares: list[str] | None,
    loss: float | None,
    rejection: float | None,
    currency: str | None,
) -> Costs | None:
    """What the rule cost weighs, by the options of these names; None for any other rule. Raises BadInputError where one
    is left out."""
    from fas_core.metrics import cost
    from fas_core.metrics import operating_point as op

    if rule.kind != op.COST:
        return None
    if sessions is None or loss is None or rejection is None or not shares:
        raise BadInputError(
            "The rule cost needs --sessions, --loss, --rejection-cost and an --attack-share per species."
        )
    return cost.Costs(sessions, cost.shares(shares), loss, rejection, currency, examples=())


def costs_as_json(costs: Costs | None) -> Json:
    """The key "costs" of a document, where there are some."""
    return {} if costs is None else {"costs": costs.as_json()}
