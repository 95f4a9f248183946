"""Writes the reference of all keys into docs/configuration.md: `python -m otel_agent_eval.config.docs [--check]`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from otel_agent_eval.config.alerts import Alerts
from otel_agent_eval.config.base import Settings, field_annotation, section_of
from otel_agent_eval.config.schema import COMPONENTS
from otel_agent_eval.config.service import Service
from otel_agent_eval.config.values import Address, Endpoint, Unit, format_duration, format_size

BEGIN = "<!-- reference: written by python -m otel_agent_eval.config.docs -->\n"
END = "<!-- end of reference -->\n"
_NAMES = {
    str: "text",
    SecretStr: "text, secret",
    bool: "true, false",
    int: "whole number",
    float: "number",
    Path: "file",
    Address: "host:port",
    Endpoint: "URL",
}


def reference() -> str:
    """Return the reference as Markdown: a table for each type of component, and one for the service."""
    parts = []
    for section, kinds in COMPONENTS.items():
        models: dict[type[Settings], list[str]] = {}
        for kind, model in kinds.items():
            models.setdefault(model, []).append(kind)
        parts += [_table(f"{section}: {', '.join(names)}", model) for model, names in models.items()]
    return "\n".join([*parts, _table("service", Service), _table("alerts", Alerts)])


def replaced(page: str) -> str:
    """Return the page with the reference between its two marks. Raises ValueError where they are missing."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the two lines {BEGIN.strip()} and {END.strip()}")
    return f"{head}{BEGIN}\n{reference()}\n{END}{tail}"


def main() -> None:
    """Rewrite the page, or with `--check` say whether it would change (exit code 1)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("page", nargs="?", type=Path, default=Path("docs/configuration.md"))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    page = arguments.page.read_text("utf-8")
    if arguments.check and replaced(page) != page:
        sys.exit(f"{arguments.page} is not up to date: run python -m otel_agent_eval.config.docs")
    if not arguments.check:
        arguments.page.write_text(replaced(page), "utf-8")


def _table(title: str, model: type[Settings]) -> str:
    rows = list(_rows(model, ""))
    table = ["| key | type | default | meaning |", "|---|---|---|---|", *rows] if rows else []
    return "\n".join([f"### {title}", "", _cell(model.__doc__ or ""), "", *table, ""])


def _rows(model: type[Settings], prefix: str) -> Iterator[str]:
    """Yield a row for each key, followed by those of the section that it holds."""
    for name, field in model.model_fields.items():
        key, inner = f"{prefix}{name}", _inner_section(model, name)
        yield f"| `{key}` | {_type(model, name, field)} | {_default(field)} | {_cell(field.description or '')} |"
        if inner is not None:
            suffix, section = inner
            yield from _rows(section, f"{key}{suffix}.")
    extra = model.__annotations__.get("__pydantic_extra__")
    if extra is not None:
        section = get_args(extra)[-1]
        yield from _rows(section, f"{prefix}<evaluator>.")


def _inner_section(model: type[Settings], name: str) -> tuple[str, type[Settings]] | None:
    annotation = field_annotation(model, name)
    if section := section_of(annotation):
        return "", section
    arguments = get_args(annotation)
    if arguments and get_origin(annotation) is tuple and (section := section_of(arguments[0])):
        return "[]", section
    if arguments and (section := section_of(arguments[-1])):
        return ".<name>", section
    return None


def _type(model: type[Settings], name: str, field: FieldInfo) -> str:
    annotation, metadata = field_annotation(model, name), field.metadata
    if get_origin(annotation) is Annotated:  # of a field that may be null
        annotation, *metadata = get_args(annotation)
    metadata = [inner for item in metadata for inner in (item.metadata if isinstance(item, FieldInfo) else [item])]
    unit = next((item.name for item in [*metadata, *field.metadata] if isinstance(item, Unit)), "")
    words = [unit or _type_name(annotation)]
    for bound, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        limit = next((getattr(item, bound) for item in metadata if hasattr(item, bound)), None)
        words += [] if limit is None else [f"{sign} {_number(limit, unit)}"]
    return ", ".join(words)


def _type_name(annotation: Any) -> str:  # noqa: ANN401 (any annotation)
    if section_of(annotation):
        return "section"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return "list of sections" if section_of(arguments[0]) else "list"
    return _NAMES.get(annotation, "mapping")


def _unit(field: FieldInfo) -> str:
    return next((item.name for item in field.metadata if isinstance(item, Unit)), "")


def _number(value: float, unit: str) -> str:
    if unit == "duration":
        return format_duration(value)
    return format_size(int(value)) if unit == "size" else f"{value:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, dict) and value:
        return ", ".join(f"`{key}`" for key in value)
    if value is None or isinstance(value, Settings | SecretStr) or value in ((), {}, ""):
        return ""
    if isinstance(value, tuple):  # of durations: the only list that is not empty at first
        return f"`[{', '.join(format_duration(item) for item in value)}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{_number(value, _unit(field)) if isinstance(value, int | float) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
