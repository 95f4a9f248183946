"""What all sections of a configuration have in common."""

from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator


class Settings(BaseModel):
    """A section: immutable, without unknown keys. A subsection that is named but empty has its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_sections(cls, data: Any) -> Any:  # noqa: ANN401 (pydantic's contract)
        """`grpc:` with nothing after it switches gRPC on, as in the Collector."""
        if not isinstance(data, dict):
            return data
        return {key: _filled(data[key], field_annotation(cls, key)) for key in data}


def field_annotation(section: type[Settings], key: object) -> Any:  # noqa: ANN401 (any annotation)
    """Return the type of the key of a section (X where it is `X | None`), or None where there is no such key."""
    field = section.model_fields.get(key) if isinstance(key, str) else None
    arguments = get_args(field.annotation) if field else ()
    if field is None or NoneType not in arguments:
        return field and field.annotation
    return next(argument for argument in arguments if argument is not NoneType)


def section_of(annotation: Any) -> type[Settings] | None:  # noqa: ANN401 (any annotation)
    """Return the annotation where it is a section, else None."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def _filled(value: Any, annotation: Any) -> Any:  # noqa: ANN401 (whatever the file holds)
    """Return `{}` for an empty section, and for each that is empty in a mapping of sections."""
    if section_of(annotation):
        return {} if value is None else value
    arguments = get_args(annotation)
    if isinstance(value, dict) and arguments and section_of(arguments[-1]):
        return {key: {} if item is None else item for key, item in value.items()}
    return value
