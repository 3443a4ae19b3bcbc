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
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fas_core import documents, metrics, scores
from fas_core.access import keys
from fas_core.access.keys import Signature, Standing
from fas_core.data.names import fresh_subsets
from fas_core.documents import Json
from fas_core.errors import BadInputError
from fas_core.evaluation import run_metrics
from fas_core.evaluation.presentations import FRAME, Grouping, Presentations, presentations
from fas_core.evaluation.run_metrics import ReportedRates, SubjectErrors
from fas_core.evaluation.words import threshold_text
from fas_core.files import atomic_file, make_folder
from fas_core.metrics import EqualErrorRate, ScoreSet, UndefinedMetricError, json_safe
from fas_core.metrics import operating_point as op
from fas_core.metrics.cost import Costs
from fas_core.metrics.limits import Target, target_words, told
from fas_core.metrics.operating_point import Rule
from fas_core.metrics.rates import RatesAtTarget
from fas_core.runs import health, store
from fas_core.runs.health import OPTIMISTIC as OPTIMISTIC
from fas_core.runs.health import SUBJECT_OVERLAP, Caution
from fas_core.runs.store import Run

VERSION = 1
DIRECTION = "higher = more attack-like; a score at or above the threshold is an attack"
_DECIDED = ("run_digest", "score", "level", "fail_closed", "rule", "costs", "threshold", "chosen_on", "reported_on")
_LAXER = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # limits to be offered
_SAID = ("created", "by", "note", "sha256", "signature")  # by people, and the seal: nothing to be computed again
KIND = "card"  # of what is signed


@dataclass(frozen=True)
class TradeOffs:
    """What other thresholds would give on the reported samples, for the reader; nothing is chosen by it."""

    roc_auc: float | None
    eer: EqualErrorRate | None
    apcer_at_bpcer: tuple[RatesAtTarget, ...]
    bpcer_at_apcer: tuple[RatesAtTarget, ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A decision and everything it rests on, field by field as its document has them.

    A field with a default is not on every card: where it is None the document does not have it, so that the seal of a
    card from before there was such a field still holds.
    """

    version: int
    run: str  # the id
    run_name: str
    run_digest: str
    model: str | None
    checkpoint: str | None
    checkpoint_sha256: str | None
    manifest: str | None
    manifest_sha256: str | None
    preprocessing: str | None
    precision: str | None
    format_version: int
    score: str
    direction: str
    level: str
    fail_closed: bool
    rule: Rule
    asked: Rule | None = None  # the limit to be kept by a threshold that was set by hand
    feared: tuple[str, ...] | None = None  # species that somebody named: they lead what the card says
    costs: Costs | None
    threshold: float
    chosen_on: tuple[str, ...]
    reported_on: tuple[str, ...]
    optimistic: bool
    warnings: tuple[Caution, ...] | None = None
    chosen: ReportedRates | None
    reported: Mapping[str, ReportedRates]  # by subset
    targets: Mapping[str, Target] | None = None  # by subset: whether the limit holds; {} where there is none
    reported_together: ReportedRates
    trade_offs: TradeOffs | None  # None without a sample that has a score
    worst_subjects: tuple[SubjectErrors, ...]
    created: str  # ISO 8601
    by: str
    note: str
    sha256: str = ""  # the seal: of all the rest but the signature, which is over the seal
    signature: Signature | None = None

    def as_json(self) -> Json:
        """The document, from whose fields the seal is computed."""
        document = {field.name: getattr(self, field.name) for field in fields(self)} | {
            "trade_offs": {} if self.trade_offs is None else self.trade_offs,
        }
        optional = {field.name for field in fields(self) if field.default is None}
        written: Json = json_safe(
            {name: value for name, value in document.items() if value is not None or name not in optional}
        )
        if self.targets is None:  # of before limits were checked: its intervals have no upper bounds either
            for cell in _cells(written):
                for interval in (cell["bpcer_interval"], *cell["apcer_interval_per_species"].values()):
                    if interval is not None:
                        interval.pop("upper", None)
        return written

    @classmethod
    def from_json(cls, content: object, where: str) -> Card:
        """The card of a document. Raises BadInputError, beginning with `where`, for what is missing or wrong in it."""
        if not isinstance(content, dict) or "threshold" not in content:
            raise BadInputError(
                f"{where} is no operating-point card. Make one with 'fas threshold RUN ... --out {where}'."
            )
        if content.get("version") != VERSION:
            raise BadInputError(f"{where} has card version {content.get('version')}; this version reads {VERSION}.")
        if "sha256" not in content:
            raise BadInputError(f"{where} has no 'sha256'.")
        frozen = documents.read_as(cls, content | {"trade_offs": content.get("trade_offs") or None}, where)
        documents.require_date(frozen.created, where, "created")
        _require_finite(frozen, where)
        return frozen

    @property
    def limit(self) -> Rule | None:
        """What the rates are held against: the rule, or what was asked of a threshold set by hand."""
        return self.rule if self.rule.has_limit else self.asked

    @property
    def held(self) -> dict[str, Target]:
        """`targets`, with what their bounds take for different people; {} where there are none."""
        limit, targets = self.limit, self.targets or {}
        if limit is None:
            return {}
        return {
            name: told(checked, limit, self.reported[name]) if name in self.reported else checked
            for name, checked in targets.items()
        }

    @property
    def missed(self) -> str:
        """Where its limit, or the upper bound that was asked for, does not hold, in a sentence; "" where it does."""
        limit = self.limit
        if limit is None:
            return ""
        broken = {
            name: held
            for name, held in self.held.items()
            if held.met is False or (limit.at_95 and held.met_at_95 is False)
        }
        return "; ".join(f"on {name} {target_words(limit, held)}" for name, held in broken.items())

    @property
    def seal(self) -> str:
        """The SHA-256 of the document without its seal and signature."""
        plain = {name: value for name, value in self.as_json().items() if name not in ("sha256", "signature")}
        return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def is_untouched(self) -> bool:
        """Whether it is as it was written."""
        return self.sha256 == self.seal

    def sealed(self) -> Card:
        """The same with the hash of its content, and no signature."""
        return replace(self, sha256=self.seal, signature=None)

    @property
    def standing(self) -> Standing:
        """Whether it is signed, by whom, and whether it is accepted here."""
        return keys.standing(KIND, self.seal, self.signature)


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
    asked: Rule | None = None,
    feared: Sequence[str] = (),
    by: str = "",
    note: str = "",
) -> Card:
    """The card of a rule: its threshold chosen on some subsets, and the errors it makes there and on others.

    `asked`: the limit that a threshold set by hand is to keep. `feared`: species that lead what the card says.
    Raises BadInputError for unknown names, without a subset to choose or report on, and where the rule allows no finite
    threshold on these samples.
    """
    _require_subsets(run, [*chosen_on, *reported_on])
    decided = presentations(run, scores.values(run, score), level, fail_closed=fail_closed)
    threshold = _threshold(rule, decided, chosen_on, run.subsets, costs)
    _require_reported(run, reported_on)
    _require_species(run, decided.of, feared)
    asked = asked if rule.kind == op.BY_HAND else None
    reported = {name: run_metrics.rates_at(decided, [name], threshold) for name in reported_on}
    held = {name: rates.target(asked or rule) for name, rates in reported.items()}
    return Card(
        **_origin(run, score),
        version=VERSION,
        score=score,
        direction=DIRECTION,
        level=level,
        fail_closed=fail_closed,
        rule=rule,
        asked=asked,
        feared=tuple(feared) or None,
        costs=costs if rule.kind == op.COST else None,
        threshold=threshold,
        chosen_on=tuple(chosen_on),
        reported_on=tuple(reported_on),
        optimistic=_is_optimistic(rule, chosen_on, reported_on),
        warnings=(
            *cautions(run, rule, chosen_on, reported_on),
            *cost_cautions(rule, costs),
            *decided.short_cautions([*chosen_on, *reported_on]),
        ),
        chosen=run_metrics.rates_at(decided, chosen_on, threshold) if chosen_on else None,
        reported=reported,
        targets={name: target for name, target in held.items() if target is not None},
        reported_together=run_metrics.rates_at(decided, reported_on, threshold),
        trade_offs=_trade_offs(decided.score_set(reported_on)),
        worst_subjects=tuple(run_metrics.worst_subjects(decided, reported_on, threshold)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by or _login(),
        note=note,
    ).sealed()


def _origin(run: Run, score: str) -> Json:
    """The fields that say which Run a card is of and what that was made from; None where a Run of scores has none."""
    info = run.info
    return {
        "run": run.id,
        "run_name": info.name,
        "run_digest": run.digest_of(score),
        "model": info.model or None,
        "checkpoint": info.checkpoint or None,
        "checkpoint_sha256": info.checkpoint_sha256 or None,
        "manifest": info.manifest or info.source or None,
        "manifest_sha256": info.manifest_sha256 or None,
        "preprocessing": info.preprocessing or None,
        "precision": info.precision or None,
        "format_version": info.format,
    }


def _threshold(
    rule: Rule, decided: Presentations, chosen_on: Sequence[str], subsets: Sequence[str], costs: Costs | None
) -> float:
    """`op.threshold_by`; raises BadInputError, with a remedy among the Run's subsets, where there is none."""
    if rule.kind != op.BY_HAND and not chosen_on:
        raise BadInputError(f"There is no subset to choose on. {_instead(rule, decided, subsets, costs, ())}")
    try:
        return decided.threshold_by(rule, chosen_on, costs)
    except UndefinedMetricError as error:
        raise BadInputError(
            f"Rule {rule} cannot be applied to {_listed(chosen_on)}: {error}. "
            + _instead(rule, decided, subsets, costs, chosen_on)
        ) from error


def cautions(run: Run, rule: Rule, chosen_on: Sequence[str], reported_on: Sequence[str]) -> list[Caution]:
    """`health.threshold_cautions` of a rule, and how many people are on both sides."""
    of_threshold = health.threshold_cautions(run, chosen_on, reported_on, is_by_hand=rule.kind == op.BY_HAND)
    shared = None if rule.kind == op.BY_HAND else health.subject_overlap(run, chosen_on, reported_on)
    return of_threshold if shared is None else [*of_threshold, shared]


def cost_cautions(rule: Rule, costs: Costs | None) -> list[Caution]:
    """Of kind example_costs: which figures of a threshold chosen by cost are nobody's."""
    if rule.kind != op.COST or costs is None or not costs.examples:
        return []
    figures = ", ".join(costs.examples)
    return [Caution("example_costs", f"The threshold rests on example figures, which are nobody's: {figures}.")]


def _is_optimistic(rule: Rule, chosen_on: Sequence[str], reported_on: Sequence[str]) -> bool:
    return rule.kind == op.BY_HAND or bool(set(chosen_on) & set(reported_on))


def _instead(
    rule: Rule, decided: Presentations, subsets: Sequence[str], costs: Costs | None, chosen_on: Sequence[str]
) -> str:
    """A remedy that works as it stands: where the rule can choose, or else a rule that can, or else a threshold.

    Never to choose on what is then reported, while there is anything else.
    """
    if rule.at_95 and (laxer := _laxer(rule, decided, chosen_on)):
        return f"Name more people there, or take a laxer limit: {laxer}."
    if single := _choices(rule, decided, subsets, costs):
        return f"Choose on samples that allow {rule}: {' or '.join(single)}."
    for last in reversed(subsets if len(subsets) > 1 else []):
        others = [name for name in subsets if name != last]
        if _is_allowed(rule, decided, others, costs):
            return (
                f"Choose on several subsets: {' '.join(f'--choose-on {name}' for name in others)} --report-on {last}."
            )
    finite = decided.values[np.isfinite(decided.values)]
    by_hand = f'--rule "{op.BY_HAND}={threshold_text(np.median(finite)) if finite.size else 0.5}"'
    unproven = [replace(rule, at_95=False)] if rule.at_95 else []
    for other in (*unproven, op.DEFAULT, Rule(op.APCER, op.DEFAULT.value)):
        if other != rule and (single := _choices(other, decided, subsets, costs)):
            return f'No subset of this Run allows {rule}: take another rule: --rule "{other}" {single[0]} or {by_hand}.'
    return f"No subset of this Run allows {rule}: take a threshold: {by_hand}, or another number."


def _laxer(rule: Rule, decided: Presentations, chosen_on: Sequence[str]) -> str:
    """The options of the lowest limit of `_LAXER` that can be proven there, and of the limit without its bound.

    "" where there is neither.
    """
    unproven = replace(rule, at_95=False)
    rules = [replace(rule, value=value) for value in _LAXER if value > rule.value]
    provable = next((other for other in rules if _is_allowed(other, decided, chosen_on, None)), None)
    offered = [other for other in (provable, unproven) if other and _is_allowed(other, decided, chosen_on, None)]
    return " or, without its bound, ".join(f'--rule "{other}"' for other in offered)


def _choices(rule: Rule, decided: Presentations, subsets: Sequence[str], costs: Costs | None) -> list[str]:
    """Per subset that allows the rule a threshold, the options to choose there; those that leave others to report on,
    or else those that name what is reported."""
    allowing = [name for name in subsets if _is_allowed(rule, decided, [name], costs)]
    leaving = [name for name in allowing if fresh_subsets(subsets, [name])]
    return [f"--choose-on {name}" for name in leaving] or [
        f"--choose-on {name} --report-on {name}" for name in allowing
    ]


def _is_allowed(rule: Rule, decided: Presentations, chosen_on: Sequence[str], costs: Costs | None) -> bool:
    try:
        decided.threshold_by(rule, chosen_on, costs)
    except UndefinedMetricError:
        return False
    return True


def _require_reported(run: Run, reported_on: Sequence[str]) -> None:
    """Raises BadInputError where nothing is reported on."""
    if not reported_on:
        others = " or ".join(f"--report-on {name}" for name in run.subsets)
        raise BadInputError(f"There is no subset to report on beside those already used. All the same: {others}.")


def _require_subsets(run: Run, names: Sequence[str]) -> None:
    """Raises BadInputError where a Run lacks one of the subsets."""
    for name in names:
        if name not in run.subsets:
            raise BadInputError(f"Run {run.info.name} has no subset '{name}'. Subsets: {_listed(run.subsets)}.")


def _require_species(run: Run, all_of_it: Grouping, names: Sequence[str]) -> None:
    """Raises BadInputError where a Run has no attack of one of the species."""
    codes, species = all_of_it.kinds
    known = sorted(species[code - 1] for code in np.unique(codes) if code)
    for name in names:
        if name not in known:
            raise BadInputError(f"Run {run.info.name} has no species '{name}'. Species: {_listed(known)}.")


def differences(before: Card, run: Run) -> list[str]:
    """What of a card its Run does not give any more, each as one line of words; empty where all of it does.

    Rates and thresholds count as equal to nine digits: other processors sum in another order.
    """
    seal = [] if before.is_untouched else ["sha256: the card was changed after it was written"]
    if before.standing.kind == keys.CHANGED:
        seal.append("signature: the card was changed after it was signed")
    now = card(
        run,
        before.score,
        before.rule,
        before.chosen_on,
        before.reported_on,
        level=before.level,
        costs=before.costs,
        fail_closed=before.fail_closed,
        asked=before.asked,
        feared=before.feared or (),
    )
    if before.warnings is None:  # a card of before there were any
        now = replace(now, warnings=None)
    elif now.warnings is not None:  # and of before there were some kinds of them
        new = {SUBJECT_OVERLAP, health.SIMULATED} - {caution.kind for caution in before.warnings}
        now = replace(now, warnings=tuple(said for said in now.warnings if said.kind not in new))
    if before.targets is not None:
        return seal + _differing(_computed(before), _computed(now))
    # A card of before limits were checked, when intervals followed another rule.
    documents_of = _computed(before), _computed(replace(now, targets=None))
    for cell in (cell for document in documents_of for cell in _cells(document)):
        del cell["bpcer_interval"], cell["apcer_interval_per_species"]
    return seal + _differing(*documents_of)


def _cells(document: Mapping[str, Any]) -> list[Json]:
    """The rates in a card's document."""
    cells = [document["chosen"], document["reported_together"], *document["reported"].values()]
    return [cell for cell in cells if cell is not None]


def _computed(of: Card) -> Json:
    """What of a card can be computed again from its Run: not what people say, nor the sentences of its warnings, nor
    what left before the Run, which the trail beside the manifest alone tells."""
    document = of.as_json()
    warnings = [caution for caution in document.get("warnings", []) if caution["kind"] != health.LEFT_BEFORE]
    without_words = [{k: v for k, v in caution.items() if k != "message"} for caution in warnings]
    return {k: v for k, v in document.items() if k not in _SAID} | {"warnings": without_words}


def _trade_offs(reported: ScoreSet) -> TradeOffs | None:
    if not reported.n_bona_fide + reported.n_attack:
        return None
    of_all = metrics.summary(reported)
    return TradeOffs(of_all.roc_auc, of_all.eer, of_all.apcer_at_bpcer, of_all.bpcer_at_apcer)


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


def are_alike(a: Card, b: Card) -> bool:
    """Whether two cards are of the same decision on the same data, whoever made them, when and why."""
    of_a, of_b = a.as_json(), b.as_json()
    return not any(_differing(of_a[name], of_b[name]) for name in _DECIDED)


# ---------------------------------------------------------------------------------------------------------- as files


FOLDER = "operating_points"


def folder(cache: Path) -> Path:
    """Where the app keeps the cards of a cache folder."""
    return cache / FOLDER


def cache_of(path: Path) -> Path | None:
    """The cache folder in which a file of cards lies, below which no symbolic link is followed; None elsewhere."""
    return path.parent.parent if path.parent.name == FOLDER else None


def kept(frozen: Card, cache: Path) -> Path:
    """Writes a card among those of a cache folder, under a name of its own."""
    stamp = frozen.created.replace(":", "").replace("+0000", "")
    path = folder(cache) / f"{stamp}-{frozen.run}-{frozen.sha256[:6]}.json"
    make_folder(path.parent)
    return write(frozen, path)


def write(frozen: Card, path: Path) -> Path:
    """A card as JSON, complete or not there; its path."""
    with atomic_file(path, cache_of(path)) as temporary:
        text = json.dumps(frozen.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def cards(cache: Path) -> tuple[list[tuple[Path, Card]], list[str]]:
    """The cards of a cache folder with their files, newest first, and what is wrong with other files.

    Also those that are not accepted here, as `Card.standing` says.
    """
    by_file, problems = [], []
    for path in sorted(folder(cache).glob("*.json"), reverse=True):
        try:
            frozen = read(path)
            require_untouched(frozen, str(path))
            by_file.append((path, frozen))
        except BadInputError as error:
            problems.append(str(error))
    return by_file, problems


def read(path: Path) -> Card:
    """A card from its file. Raises BadInputError where it is missing, is no card, or is of another version."""
    try:
        content = documents.read(path, cache_of(path))
    except OSError as error:
        raise BadInputError(
            f"{path}: {error.strerror or error}. Give the file that 'fas threshold --out' wrote."
        ) from error
    except ValueError as error:
        raise BadInputError(f"{path} is no operating-point card: it is not JSON ({error}).") from error
    return Card.from_json(content, str(path))


def read_accepted(path: Path) -> Card:
    """A card from its file. Raises BadInputError where it is none, and as `require_accepted`."""
    frozen = read(path)
    require_accepted(frozen, str(path))
    return frozen


def require_accepted(frozen: Card, where: str) -> None:
    """Raises BadInputError for a card on which no decision may rest here: it was changed, its threshold is no number,
    or trusted keys are set and none of them has signed it."""
    require_untouched(frozen, where)
    if refusal := frozen.standing.refusal(where, "fas keys sign CARD"):
        raise BadInputError(refusal)


def require_untouched(frozen: Card, where: str) -> None:
    """Raises BadInputError for a card that was changed after it was written or signed, whoever may be trusted."""
    _require_finite(frozen, where)
    if not frozen.is_untouched:
        raise BadInputError(f"{where} was changed after it was written. Make it anew with 'fas threshold'.")
    if frozen.standing.kind == keys.CHANGED:
        raise BadInputError(frozen.standing.refusal(where, ""))


def _require_finite(frozen: Card, where: str) -> None:
    """Raises BadInputError for a threshold that every score, or none, is at or above."""
    if not math.isfinite(frozen.threshold):
        raise BadInputError(
            f"{where}: its threshold {frozen.threshold} is no finite number: nothing can be decided by it. Make it "
            "anew with 'fas threshold'."
        )


def signed(frozen: Card) -> Card:
    """It with the signature of the user's key; as it is where there is no key. See `keys.signed` for errors."""
    signature = keys.signed(KIND, frozen.seal)
    return frozen if signature is None else replace(frozen, signature=signature)


def run_of(frozen: Card, cache: Path) -> Run:
    """The Run that a card was made of. Raises BadInputError where it is gone."""
    try:
        return store.open_run(cache, frozen.run)
    except BadInputError as error:
        raise BadInputError(
            f"The Run {frozen.run} ({frozen.run_name}) of this card is not in {cache}. Make it again with 'fas cache', "
            "or name the folder that has it with --cache."
        ) from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
