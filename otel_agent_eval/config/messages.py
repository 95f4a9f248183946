"""What pydantic finds, in words: which key, what was expected, what was meant perhaps."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from otel_agent_eval.config.base import Settings, field_annotation, section_of
from otel_agent_eval.config.problems import Path
from otel_agent_eval.config.values import Unit, format_duration, format_size, shown

_EXPECTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "string_type": "text (a number in quotes is text)",
    "path_type": "a file name",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "tuple_type": "a list, for example [a, b]",
}
_PLAIN = {"missing": "the key is missing", "too_short": "expected at least one entry"}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_ELSEWHERE = {
    "include_metadata": "name the headers that travel on in metadata_keys, beside protocols",
    "connectors": "there are none: keep them in a Collector",
    "insecure_skip_verify": "certificates are always verified: name the one to trust in ca_file",
    "include_system_ca_certs_pool": "put all certificates to trust into ca_file, or give none to trust the system's",
    "evaluator": "it is called evaluators",
    "allow_all_keys": "without allowed_keys all stay",
    "ignored_keys": "name them under attributes, with action: keep",
    "blocked_key_patterns": "name them under attributes, with * for any text and action: mask",
    "hash_function": "hashes are HMAC-SHA256: ask for them by content, action or pattern_action: hash",
    "summary": "nothing is added to telemetry",
}
"""Keys that a user of the Collector may expect, and what to write here."""
_TYPES_ELSEWHERE = {
    "health_check": "/healthz and /readyz are served at service.telemetry.metrics.address",
}
"""Types of components that a user of the Collector may expect, and what there is instead."""
_SECRETS = frozenset({"headers", "token", "tokens", "inline", "password", "username"})


def problems_of(error: ValidationError, model: type[Settings]) -> Iterable[tuple[Path, str]]:
    """Yield the path (from `model` on) and the message of everything that is wrong."""
    for detail in error.errors(include_url=False):
        path: Path = detail["loc"]
        if detail["type"] == "extra_forbidden":
            yield path, unknown_key(str(path[-1]), keys_of(model, path[:-1]))
        else:
            got = "" if _SECRETS.intersection(map(str, path)) else f"; got {shown(detail['input'])}"
            yield path, _message(detail["type"], detail.get("ctx", {}), _unit(model, path), detail["msg"], got)


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Say that a key is unknown and which ones there are."""
    if key in _ELSEWHERE:
        return f"unknown key; {_ELSEWHERE[key]}"
    return f"unknown key; {suggestion(key, known)}"


def unknown_type(kind: str, known: Iterable[str]) -> str:
    """Say that there is no such type of component and which ones there are."""
    return f"unknown type {kind!a}; {_TYPES_ELSEWHERE.get(kind) or suggestion(kind, known)}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was meant perhaps, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"expected one of: {', '.join(names)}" if names else "nothing is expected here"


def keys_of(model: type[Settings], path: Path) -> list[str]:
    """Return the keys of the section at a path of `model`; none where there is no section."""
    found = _model_at(model, path)
    return list(found.model_fields) if found else []


def _message(kind: str, context: dict[str, Any], unit: str, message: str, got: str) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}{got}"
    if kind == "literal_error":
        return f"expected {context['expected'].replace(chr(39), '')}{got}"
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        form = {"duration": format_duration, "size": format_size}.get(unit, "{:g}".format)
        return f"expected {words} {form(context[bound])}{got}"
    return f"{message[:1].lower()}{message[1:]}{got}"


def _unit(model: type[Settings], path: Path) -> str:
    """Return the unit of the number at a path, or `""`."""
    owner = _model_at(model, path[:-1])
    field = owner.model_fields.get(str(path[-1])) if owner and path else None
    return next((item.name for item in _metadata(field) if isinstance(item, Unit)), "") if field else ""


def _metadata(field: FieldInfo) -> list[Any]:
    """Return what is noted of a field's type, `... | None` included."""
    inner = (part for part in get_args(field.annotation) if get_origin(part) is Annotated)
    return [*field.metadata, *(note for part in inner for note in get_args(part)[1:])]


def _model_at(model: type[Settings], path: Path) -> type[Settings] | None:
    """Follow a path through sections, mappings and lists to the section that it names."""
    annotation: Any = model
    for part in path:
        section = section_of(annotation)
        arguments = get_args(annotation)
        if section is not None:
            annotation = field_annotation(section, part)
        else:  # tuple[X, ...] or Mapping[str, X]
            annotation = (arguments[0] if isinstance(part, int) else arguments[-1]) if arguments else None
    return section_of(annotation)
