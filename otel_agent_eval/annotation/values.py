"""Putting Python values into OTLP attributes: always valid UTF-8, and no longer than declared."""

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from otel_agent_eval.annotation.catalogue import MAX_EVIDENCE_ITEMS, MAX_TEXT

Value = str | bool | int | float | tuple[str, ...]

_CUT = "…"


def attribute(key: str, value: Value) -> KeyValue:
    """Make an attribute; strings of a tuple become an array."""
    return KeyValue(key=key, value=_any_value(value))


def clean(text: str) -> str:
    """Return the text with what UTF-8 cannot hold (lone surrogates from JSON) replaced by `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return at most `limit` characters; a shortened text ends with `…`."""
    return text if len(text) <= limit else text[: limit - 1] + _CUT


def cut_list(texts: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return the first entries of evidence, each cut, and whether anything was left out."""
    kept = tuple(cut(text) for text in texts[:MAX_EVIDENCE_ITEMS])
    return kept, kept != texts


def _any_value(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=clean(value))
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=clean(text)) for text in value]))
