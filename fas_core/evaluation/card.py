"""Operating-point cards: a frozen threshold with everything needed to compute it again, as one JSON document.

A card says what was decided (score, level, rule, threshold), on which data, what errors it made there, and who decided
when. `differences` computes it anew from the Run and names whatever has changed.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fas_core import metrics, scores
from fas_core.errors import BadInputError
from fas_core.evaluation import run_metrics
from fas_core.evaluation.presentations import FRAME, Presentations, presentations
from fas_core.files import atomic_file, make_folder
from fas_core.metrics import ScoreSet, UndefinedMetricError, json_safe
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs, Share
from fas_core.metrics.operating_point import Rule
from fas_core.runs import health, store
from fas_core.runs.health import Caution
from fas_core.runs.store import Run

VERSION = 1
DIRECTION = "higher = more attack-like; a score at or above the threshold is an attack"
OPTIMISTIC = Caution(
    "optimistic",
    "The threshold was set by hand or chosen on samples that it is reported on. On new data the errors will be larger.",
)
_SAID = ("created", "by", "note", "sha256")  # what people say, and the seal: nothing that can be computed again
_NEEDED = ("version", "run", "score", "level", "rule", "threshold", "chosen_on", "reported_on", "fail_closed", "sha256")


def card(
    run: Run,
    score: str,
    rule: Rule,
    chosen_on: Sequence[str],
    reported_on: Sequence[str],
    *,
    level: str = FRAME,
    costs: Costs | None = None,
    fail_closed: bool = False,
    by: str = "",
    note: str = "",
) -> dict[str, Any]:
    """The card of a rule: its threshold chosen on some subsets, and the errors it makes there and on others.

    Raises BadInputError for unknown names, without a subset to choose or report on, and where the rule allows no finite
    threshold on these samples.
    """
    if rule.kind != op.BY_HAND or chosen_on:
        _require_subsets(run, "choose", chosen_on)
    _require_subsets(run, "report", reported_on)
    decided = presentations(run, scores.values(run, score), level, fail_closed=fail_closed)
    try:
        threshold = op.threshold_by(rule, decided.score_set(chosen_on), costs)
    except UndefinedMetricError as error:
        raise BadInputError(
            f"Rule {rule} cannot be applied to {_listed(chosen_on)}: {error}. "
            + _where_instead(rule, decided, run.subsets, costs)
        ) from error
    content = json_safe(
        {
            "version": VERSION,
            **_sources(run),
            "score": score,
            "direction": DIRECTION,
            "level": level,
            "fail_closed": fail_closed,
            "rule": str(rule),
            "costs": None if costs is None or rule.kind != op.COST else _as_json(costs),
            "threshold": threshold,
            "chosen_on": list(chosen_on),
            "reported_on": list(reported_on),
            "optimistic": _is_optimistic(rule, chosen_on, reported_on),
            "warnings": [one.as_json() for one in cautions(run, rule, chosen_on, reported_on)],
            "chosen": run_metrics.rates_at(decided, chosen_on, threshold).as_json() if chosen_on else None,
            "reported": {name: run_metrics.rates_at(decided, [name], threshold).as_json() for name in reported_on},
            "reported_together": run_metrics.rates_at(decided, reported_on, threshold).as_json(),
            "trade_offs": _trade_offs(decided.score_set(reported_on)),
            "worst_subjects": run_metrics.worst_subjects(decided, reported_on, threshold),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": by or _login(),
            "note": note,
        }
    )
    return content | {"sha256": _seal(content)}


def cautions(run: Run, rule: Rule, chosen_on: Sequence[str], reported_on: Sequence[str]) -> list[Caution]:
    """What to know before a threshold and its errors are believed: `health.cautions`, and of kind optimistic."""
    about_data = health.cautions(run, list(dict.fromkeys([*chosen_on, *reported_on])))
    return [*about_data, OPTIMISTIC] if _is_optimistic(rule, chosen_on, reported_on) else about_data


def _is_optimistic(rule: Rule, chosen_on: Sequence[str], reported_on: Sequence[str]) -> bool:
    return rule.kind == op.BY_HAND or bool(set(chosen_on) & set(reported_on))


def _where_instead(rule: Rule, decided: Presentations, subsets: Sequence[str], costs: Costs | None) -> str:
    """A remedy that works: subsets by themselves, or else all of them together, that allow the rule a threshold."""

    def is_allowed_by(chosen_on: Sequence[str], one: Rule = rule) -> bool:
        try:
            op.threshold_by(one, decided.score_set(chosen_on), costs)
        except UndefinedMetricError:
            return False
        return True

    if single := [name for name in subsets if is_allowed_by([name])]:
        return f"Choose on other samples: --choose-on {' or '.join(single)}."
    if is_allowed_by(subsets):
        return f"Choose on several subsets: {' '.join(f'--choose-on {name}' for name in subsets)}."
    others = f"another rule, such as {op.DEFAULT} or " if is_allowed_by(subsets, op.DEFAULT) else "the rule "
    return f"No subset of this Run allows it: take {others}threshold=T."


def _require_subsets(run: Run, purpose: str, names: Sequence[str]) -> None:
    """Raises BadInputError where a Run lacks one of the subsets, or none is named."""
    if not names:
        raise BadInputError(
            f"There is no subset to {purpose} on. Name one with --{purpose}-on; subsets of Run {run.info.name}: "
            f"{_listed(run.subsets)}."
        )
    for name in names:
        if name not in run.subsets:
            raise BadInputError(f"Run {run.info.name} has no subset '{name}'. Subsets: {_listed(run.subsets)}.")


def _sources(run: Run) -> dict[str, Any]:
    """The Run of a card, and what that was made from."""
    return {
        "run": run.id,
        "run_name": run.info.name,
        "run_digest": run.digest,
        "model": run.info.model or None,
        "checkpoint": run.info.checkpoint or None,
        "checkpoint_sha256": run.info.checkpoint_sha256 or None,
        "manifest": run.info.manifest or run.info.source or None,
        "manifest_sha256": run.info.manifest_sha256 or None,
        "preprocessing": run.info.preprocessing or None,
        "precision": run.info.precision or None,
        "format_version": run.info.format,
    }


def differences(content: Mapping[str, Any], run: Run) -> list[str]:
    """What of a card its Run does not give any more, each as one line of words; empty where all of it does.

    Rates and thresholds count as equal to nine digits: other processors sum in another order.
    """
    found = [] if content["sha256"] == _seal(content) else ["sha256: the card was changed after it was written"]
    rule, costs = op.rule(content["rule"]), _costs(content.get("costs"))
    anew = card(
        run,
        content["score"],
        rule,
        content["chosen_on"],
        content["reported_on"],
        level=content["level"],
        costs=costs,
        fail_closed=content["fail_closed"],
    )
    if "warnings" not in content:  # a card of before there were any
        del anew["warnings"]
    return found + _differing(_computed(content), _computed(anew))


def _computed(content: Mapping[str, Any]) -> dict[str, Any]:
    """What of a card can be computed again: not what people say, nor the sentences of its warnings."""
    warnings = content.get("warnings", [])
    without_words = [{k: v for k, v in one.items() if k != "message"} for one in warnings]
    return {k: v for k, v in content.items() if k not in _SAID} | {"warnings": without_words}


def _trade_offs(reported: ScoreSet) -> dict[str, Any]:
    """What other thresholds would give on the reported samples, for the reader; nothing is chosen by it."""
    if not reported.n_bona_fide + reported.n_attack:
        return {}
    document = metrics.document(reported)
    return {name: document[name] for name in ("roc_auc", "eer", "apcer_at_bpcer", "bpcer_at_apcer")}


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # a user id without a name, as in some containers
        return ""


def _differing(before: Any, now: Any, where: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            line
            for key in dict.fromkeys([*before, *now])
            for line in _differing(before.get(key), now.get(key), f"{where}.{key}" if where else str(key))
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            line for i, (a, b) in enumerate(zip(before, now, strict=True)) for line in _differing(a, b, f"{where}[{i}]")
        ]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, now))
    same = math.isclose(before, now, rel_tol=1e-9) if numbers else before == now
    return [] if same else [f"{where}: {_shown(before)} on the card, {_shown(now)} now"]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


# ---------------------------------------------------------------------------------------------------------- as files


def folder(cache: Path) -> Path:
    """Where the app keeps the cards of a cache folder."""
    return cache / "operating_points"


def kept(content: Mapping[str, Any], cache: Path) -> Path:
    """Writes a card among those of a cache folder, under a name of its own."""
    stamp = content["created"].replace(":", "").replace("+0000", "")
    path = folder(cache) / f"{stamp}-{content['run']}-{content['sha256'][:6]}.json"
    make_folder(path.parent)
    return write(content, path)


def write(content: Mapping[str, Any], path: Path) -> Path:
    with atomic_file(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    return path


def cards(cache: Path) -> tuple[list[tuple[Path, dict[str, Any]]], list[str]]:
    """The cards of a cache folder with their files, newest first, and what is wrong with other files."""
    found, problems = [], []
    for path in sorted(folder(cache).glob("*.json"), reverse=True):
        try:
            content = read(path)
            require_untouched(content, str(path))
            found.append((path, content))
        except BadInputError as error:
            problems.append(str(error))
    return found, problems


def read(path: Path) -> dict[str, Any]:
    """A card from its file. Raises BadInputError where it is missing, is no card, or is of another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(
            f"{path}: {error.strerror or error}. Give the file that 'fas threshold --out' wrote."
        ) from error
    except ValueError as error:
        raise BadInputError(f"{path} is no operating-point card: it is not JSON ({error}).") from error
    return checked(content, str(path))


def checked(content: Any, where: str) -> dict[str, Any]:
    """`content` if it has the shape of a card; raises BadInputError naming what is missing or wrong."""
    if not isinstance(content, dict) or "threshold" not in content:
        raise BadInputError(f"{where} is no operating-point card. Make one with 'fas threshold RUN ... --out {where}'.")
    if content.get("version") != VERSION:
        raise BadInputError(f"{where} has card version {content.get('version')}; this version reads {VERSION}.")
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise BadInputError(f"{where}: the card has no '{missing[0]}'.")
    texts = all(isinstance(content[name], str) for name in ("run", "score", "level", "rule", "sha256"))
    lists = all(
        isinstance(content[name], list) and all(isinstance(one, str) for one in content[name])
        for name in ("chosen_on", "reported_on")
    )
    number = isinstance(content["threshold"], int | float) and not isinstance(content["threshold"], bool)
    if not (texts and lists and number and isinstance(content["fail_closed"], bool)):
        raise BadInputError(f"{where}: the card has a field of another type than cards have.")
    op.rule(content["rule"])
    return content


def require_untouched(content: Mapping[str, Any], where: str) -> None:
    """Raises BadInputError for a card that was changed after it was written: no decision may rest on it."""
    if content["sha256"] != _seal(content):
        raise BadInputError(f"{where} was changed after it was written. Make it anew with 'fas threshold'.")


def run_of(content: Mapping[str, Any], cache: Path) -> Run:
    """The Run that a card was made of. Raises BadInputError where it is gone."""
    try:
        return store.open_run(cache, content["run"])
    except BadInputError as error:
        name = content.get("run_name", "")
        raise BadInputError(
            f"The Run {content['run']} ({name}) of this card is not in {cache}. Make it again with 'fas cache', or "
            "name the folder that has it with --cache."
        ) from error


def _seal(content: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _as_json(costs: Costs) -> dict[str, Any]:
    return asdict(costs) | {"shares": {name: share._asdict() for name, share in costs.shares.items()}}


def _costs(content: Any) -> Costs | None:
    if content is None:
        return None
    try:
        shares = {str(name): Share(**share) for name, share in content["shares"].items()}
        return Costs(content["sessions"], shares, content["per_attack"], content["per_rejection"])
    except (TypeError, KeyError, AttributeError) as error:
        raise BadInputError(f"The costs of the card cannot be read: {error}.") from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
