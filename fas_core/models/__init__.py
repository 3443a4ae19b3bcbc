"""Models by name: one module each in this folder, and those of other installed packages; all by entry point.

An entry point of the group `fas_explorer.models` names a class that derives from `base.Model`: `acme = "acme_fas:A"`.
A checkpoint names a model and nothing else: what is not installed is never imported, neither from a path nor from a
file. The names of this package's own models are taken; an installation from before they had entry points has them too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import pkgutil
import sys
from contextlib import redirect_stdout
from functools import lru_cache
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fas_core.documents import Json
from fas_core.errors import BadInputError

if TYPE_CHECKING:
    from fas_core.models.base import Autoencoder, Model

GROUP = "fas_explorer.models"
OWN = "fas-explorer"  # the distribution that this package is part of
# What models are made of.
NO_MODELS = ("base", "building", "conditions", "draws", "input", "losses", "onnx_graph", "onnx_model", "patches")


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a model's code comes from; `digest` stands for every source file of the package that it is in."""

    distribution: str
    version: str
    entry: str  # module:class
    digest: str

    @property
    def is_foreign(self) -> bool:
        return self.distribution != OWN

    @property
    def words(self) -> str:
        """acme-fas 1.2 (acme_fas:Acme, 0123456789ab)."""
        return f"{self.distribution} {self.version} ({self.entry}, {self.digest[:12]})"

    def as_json(self) -> Json:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A model that can be made: its class, and where that came from when it was imported."""

    made_by: type[Model]
    origin: Origin


def built_in() -> list[str]:
    """Names of the models of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in NO_MODELS)


def names() -> list[str]:
    """Of every model that is installed, also of those that cannot be imported."""
    return sorted(_entries())


def kind(name: str) -> Kind:
    """The model of a name. Raises BadInputError where none is installed under it, or what is cannot be used."""
    entries = _entries()
    if name not in entries:
        raise BadInputError(
            f"Unknown model '{name}'. Models: {', '.join(sorted(entries))}. One of your own is installed as a package "
            f'with an entry point of the group {GROUP}: {name} = "its_module:ItsClass".'
        )
    if len(entries[name]) > 1:
        sources = " and ".join(f"{_distribution(entry)} ({entry.value})" for entry in entries[name])
        raise BadInputError(
            f"Two models are called '{entries[name][0].name}': {sources}. Rename one, or uninstall its package."
        )
    return _kind(entries[name][0])


def origin_of_files() -> Origin:
    """Of the code that makes a model of an ONNX file."""
    return _kind(EntryPoint("onnx", f"{__name__}.onnx_model:OnnxModel", GROUP)).origin


def settings(name: str) -> list[str]:
    """The names of what `built` can be told about a model, in order."""
    return sorted(field.name for field in dataclasses.fields(kind(name).made_by.settings))


def built(name: str, config: Json) -> Model:
    """A freshly initialised model; raises BadInputError for a setting it does not have or cannot take."""
    made_by = kind(name).made_by
    known = settings(name)
    unknown = sorted(set(config) - set(known))
    if unknown:
        raise BadInputError(f"Model {name} has no setting '{unknown[0]}'. Settings: {', '.join(known) or 'none'}.")
    for field in dataclasses.fields(made_by.settings):
        _require_setting(name, field, config)
    try:
        with redirect_stdout(sys.stderr):
            model = made_by(made_by.settings(**config))
            _ = model.input.size
    except (ValueError, TypeError) as error:
        raise BadInputError(f"Model {name}: {error}") from error
    except (Exception, SystemExit) as error:
        raise BadInputError(f"Model {name} cannot be made: {_said(error)}") from error
    return model


def trainable(name: str, config: Json) -> Autoencoder:
    """As `built`, of a model that says how it is trained."""
    from fas_core.models.base import Autoencoder

    model = built(name, config)
    if not isinstance(model, Autoencoder):
        raise BadInputError(f"Model {name} says not how it is trained: it derives from Model, not from Autoencoder.")
    return model


def is_needed(field: dataclasses.Field[Any]) -> bool:
    """Whether a setting has no usual value."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _require_setting(name: str, field: dataclasses.Field[Any], config: Json) -> None:
    """Raises BadInputError where a setting is not given and must be, or is of another type than its default."""
    if is_needed(field) and field.name not in config:
        raise BadInputError(f"Model {name} must be told its setting '{field.name}'.")
    if field.default is dataclasses.MISSING:
        return
    value = config.get(field.name, field.default)
    wanted = (int, float) if isinstance(field.default, float) else type(field.default)
    if isinstance(value, bool) != isinstance(field.default, bool) or not isinstance(value, wanted):
        raise BadInputError(f"Model {name}: {field.name}={value!r}: expected {type(field.default).__name__}.")


def _entries() -> dict[str, list[EntryPoint]]:
    """By name what is installed under it: one entry point, or several that exclude each other."""
    own = {name: EntryPoint(name, f"{__name__}.{name}:Model", GROUP) for name in built_in()}
    entries = {name: [entry] for name, entry in own.items()}
    for entry in metadata.entry_points(group=GROUP):
        if _distribution(entry) == OWN:
            continue  # the same as above, whatever version of them is written where this was installed
        if entry.name in own:
            entries[f"{entry.name} of {_distribution(entry)}"] = [own[entry.name], entry]
        else:
            entries.setdefault(entry.name, []).append(entry)
    return entries


def _distribution(entry: EntryPoint) -> str:
    return OWN if entry.dist is None else entry.dist.name


@lru_cache(maxsize=64)
def _kind(entry: EntryPoint) -> Kind:
    """What an entry point names, imported; its files are read before, as they may change while this process runs."""
    from fas_core.models.base import Model

    called = f"Model {entry.name} ({_distribution(entry)}, {entry.value})"
    try:
        with redirect_stdout(sys.stderr):  # results go to standard output
            digest = _digest(entry.module)
            made_by = entry.load()
    except (Exception, SystemExit) as error:
        raise BadInputError(
            f"{called} cannot be imported: {_said(error)}. Mend its package, or uninstall it."
        ) from error
    if not isinstance(made_by, type) or not issubclass(made_by, Model):
        raise BadInputError(f"{called} is no model: expected a class that derives from fas_core.models.base.Model.")
    if inspect.isabstract(made_by):
        lacking = ", ".join(sorted(made_by.__abstractmethods__))
        raise BadInputError(f"{called} is not whole: it does not say {lacking}.")
    if not dataclasses.is_dataclass(made_by.settings):
        raise BadInputError(f"{called}: its `settings` is no dataclass.")
    return Kind(made_by, Origin(_distribution(entry), _version(entry), entry.value, digest))


def _version(entry: EntryPoint) -> str:
    if entry.dist is not None:
        return entry.dist.version
    try:
        return metadata.version(OWN)
    except metadata.PackageNotFoundError:  # run from a checkout
        return ""


def _said(error: BaseException) -> str:
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}{': ' if words else ''}{words}"


def _digest(module: str) -> str:
    """SHA-256 of the names and bytes of every source file, extensions included, of the package that a module is in.

    That is the outermost one, so that no helper which the model imports from it can change unseen; of this package's
    own models it is the folder of models. A module in no package is its own file alone.
    """
    root = _root(module)
    suffixes = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.name.endswith(suffixes))
    if not files:
        raise FileNotFoundError(f"no source files in {root}")
    digest = hashlib.sha256()
    for path in files:
        name = path.name if path == root else path.relative_to(root).as_posix()
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _root(module: str) -> Path:
    """The folder of the outermost regular package that a module is in, or its file."""
    if module.startswith(f"{__name__}."):
        return Path(__path__[0])
    parts = module.split(".")
    for i in range(1, len(parts) + 1):
        spec = find_spec(".".join(parts[:i]))
        if spec is None:
            break
        if spec.origin is not None and spec.has_location:
            path = Path(spec.origin)
            return path.parent if spec.submodule_search_locations else path
    raise ModuleNotFoundError(f"No module named '{module}'")
