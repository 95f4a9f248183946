"""Reads a configuration: from a file, or the one inside the package with the standard environment variables."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import ValidationError

from otel_agent_eval.config import checks
from otel_agent_eval.config.alerts import Alerts
from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.checks import Finding
from otel_agent_eval.config.messages import problems_of, unknown_type
from otel_agent_eval.config.otlp_environment import apply_otlp_environment
from otel_agent_eval.config.problems import ConfigError, Path, Problem, path_text
from otel_agent_eval.config.schema import COMPONENTS, Config, Parts, component_types
from otel_agent_eval.config.service import Service
from otel_agent_eval.config.tree import Tree, parse
from otel_agent_eval.config.values import shown

_MAX_BYTES = 1 << 20
_S = TypeVar("_S", bound=Settings)
DEFAULTS = "embedded defaults"
"""The name of the configuration inside the package, in messages."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, where it came from, and what is hardly meant in it.

    `digest` is the SHA-256 of the text, in hex: it tells one version of a file from another. `lines` are those of its
    keys.
    """

    config: Config
    source: str
    warnings: tuple[Problem, ...] = ()
    digest: str = ""
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """Return the line of a key (`service.queue.path`), or of the nearest section around it, 0 without a file."""
        lines = {path_text(path): line for path, line in self.lines.items()}
        around = [text for text in lines if text == key or key.startswith(f"{text}.") or not text]
        return lines[max(around, key=len)] if around else 0


def load(path: str | os.PathLike[str] | None = None, environment: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration in a file; without one the embedded defaults and `OTEL_EXPORTER_OTLP_*`.

    Raises ConfigError, which names every problem by line and key; nothing else for any file.
    """
    environment = os.environ if environment is None else environment
    if path is not None:
        source = os.fspath(path)
        return loads(_read(source), source, environment)
    tree = parse(files(__package__).joinpath("default.yaml").read_text("utf-8"), {})
    tree.lines = {}  # they would be taken for lines of a file of the user's
    try:
        names_destinations = apply_otlp_environment(tree.value, environment)
    except ValueError as error:
        raise ConfigError("environment", [Problem(str(error))]) from None
    return _validate(tree, f"{DEFAULTS} with OTEL_EXPORTER_OTLP_*" if names_destinations else DEFAULTS)


def loads(text: str, source: str, environment: Mapping[str, str]) -> Loaded:
    """Read the configuration in a text; `source` names it in messages. Raises ConfigError."""
    return _validate(parse(text, environment), source, hashlib.sha256(text.encode()).hexdigest())


def _read(source: str) -> str:
    """Return a file's text, or raise ConfigError."""
    try:
        with FilePath(source).open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except IsADirectoryError:
        raise ConfigError(source, [Problem("this is a directory; expected a YAML file")]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "not a file name"
        raise ConfigError(ascii(source)[1:-1], [Problem(f"cannot be read: {reason}")]) from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(source, [Problem("larger than 1 MiB; expected a YAML file")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(source, [Problem("not a text file in UTF-8", line=line)]) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigError(source, [Problem("a binary file; expected YAML", line=line)])
    return text


def _validate(tree: Tree, source: str, digest: str = "") -> Loaded:
    """Make the models and check them; everything that is wrong is found in one go."""
    if tree.problems:
        raise ConfigError(source, tree.problems)
    if not isinstance(tree.value, dict):
        got = "the file is empty" if tree.value is None else f"this is {shown(tree.value)}"
        message = f"expected a mapping with receivers, exporters and service; {got}"
        raise ConfigError(source, [Problem(message, line=tree.line(()))])
    config, found = _build(tree.value)
    if config is None:
        raise ConfigError(source, [Problem(message, path, tree.line(path)) for path, message in found])
    warnings = [Problem(message, path, tree.line(path)) for path, message in checks.warnings(config)]
    return Loaded(config, source, tuple(sorted(warnings, key=lambda warning: warning.line)), digest, tree.lines)


def _build(value: Mapping[str, Any]) -> tuple[Config | None, list[Finding]]:
    """Make the models: components by the type in their name, the service, then the whole."""
    found: list[Finding] = []
    given = {key: part for key, part in value.items() if part is not None}
    named = {section: given[section] if isinstance(given.get(section), dict) else {} for section in COMPONENTS}
    right = {section: _components(section, entries, found) for section, entries in named.items()}
    service = _model(Service, given["service"], ("service",), found) if isinstance(given.get("service"), dict) else None
    alerts = _model(Alerts, given["alerts"], ("alerts",), found) if isinstance(given.get("alerts"), dict) else None
    found += checks.errors(Parts(**right, service=service, alerts=alerts), named)
    given |= {section: right[section] for section, entries in named.items() if entries}
    given |= {key: part for key, part in (("service", service), ("alerts", alerts)) if part}
    whole = _model(Config, given, (), found)
    return (None if found else whole), list(dict.fromkeys(found))


def _components(section: str, entries: Mapping[str, Any], found: list[Finding]) -> dict[str, Any]:
    """Return the components of a section that are right; note what is wrong with the others."""
    kinds = component_types(section)
    right = {}
    for name, value in entries.items():
        kind = name.split("/", 1)[0].strip()
        if kind not in kinds:
            found.append(((section, name), unknown_type(kind, kinds)))
            continue
        model = _model(kinds[kind], {} if value is None else value, (section, name), found)
        if model is not None:
            right[name] = model
    return right


def _model(kind: type[_S], value: Any, path: Path, found: list[Finding]) -> _S | None:  # noqa: ANN401 (any section)
    """Make one model, or note what is wrong with its values."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        found += [((*path, *inner), message) for inner, message in problems_of(error, kind)]
        return None
