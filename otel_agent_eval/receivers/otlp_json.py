"""OTLP's JSON encoding: protobuf's JSON mapping, except that trace and span ids are hex.

Written here because `google.protobuf.json_format` knows no hex ids and takes four times as long. Each message type has
a table from JSON key to what reads its value; the message itself is built, and its types checked, by protobuf.
Beyond the specification, original field names and enum names are understood too, as other receivers do.
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from otel_agent_eval.receivers.errors import Undecodable
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Signal

_MAX_DEPTH = 100  # of messages within messages: where protobuf's own parsers stop
_ID_FIELDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_LONGEST_INTEGER = 20  # digits of 2**64 with a sign

_Read = Callable[[Any, int], Any]
"""Turns a JSON value into what protobuf's constructor takes, at a depth of nesting."""


def decode_json(signal: Signal, body: bytes) -> ExportRequest:
    """Decode the JSON encoding of an export request; unknown fields are ignored.

    Raises `Undecodable` for whatever is not JSON, not an object, of wrong types or nested too deeply.
    """
    message_type = REQUEST_TYPES[signal]
    try:
        document = json.loads(body)
        try:
            return message_type(**_read_message(message_type.DESCRIPTOR, document, 0))
        except UnicodeEncodeError:
            return message_type(**_read_message(message_type.DESCRIPTOR, _with_whole_characters(document), 0))
    except Undecodable:
        raise
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, TypeError, OverflowError) as error:
        raise Undecodable(f"not an {message_type.DESCRIPTOR.name} in JSON: {str(error)[:200]}") from None


def _with_whole_characters(document: object) -> object:
    """Put U+FFFD where a text holds half of a surrogate pair: JavaScript cuts emoji so, and protobuf refuses them."""
    text = json.dumps(document, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _read_message(descriptor: Descriptor, value: object, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Undecodable(f"{descriptor.name} must be a JSON object")
    if depth > _MAX_DEPTH:
        raise _too_deep()
    fields = _fields(descriptor)
    message: dict[str, Any] = {}
    for key, item in value.items():
        if item is not None and key in fields:
            name, read = fields[key]
            message[name] = read(item, depth) if read else item
    return message


@cache
def _fields(descriptor: Descriptor) -> dict[str, tuple[str, _Read | None]]:
    fields: dict[str, tuple[str, _Read | None]] = {}
    for field in descriptor.fields:
        read = _reader(field)
        if _is_repeated(field):
            read = _list_reader(field.name, read)
        fields[field.json_name] = fields[field.name] = (field.name, read)
    return fields


def _is_repeated(field: FieldDescriptor) -> bool:
    if hasattr(field, "is_repeated"):
        return field.is_repeated
    return bool(field.label == field.LABEL_REPEATED)  # type: ignore[attr-defined]  # protobuf 5


def _reader(field: FieldDescriptor) -> _Read | None:
    """Return what reads one value of a field; None where protobuf takes the JSON value as it is."""
    if (nested := field.message_type) is not None:
        return lambda value, depth: _read_message(nested, value, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _read_id if field.name in _ID_FIELDS else _read_bytes
    return _SCALARS.get(field.cpp_type, _read_integer)


def _list_reader(name: str, read: _Read | None) -> _Read:
    def read_list(value: object, depth: int) -> list[Any]:
        if not isinstance(value, list):
            raise Undecodable(f"{name} must be a JSON array")
        return [read(item, depth) for item in value] if read else value

    return read_list


def _read_id(value: object, _depth: int) -> bytes:
    if not isinstance(value, str):
        raise Undecodable("trace and span ids must be hex strings")
    try:
        return binascii.unhexlify(value)
    except ValueError:
        raise Undecodable("trace and span ids must be hex strings") from None


def _read_bytes(value: object, _depth: int) -> bytes:
    if not isinstance(value, str):
        raise Undecodable("bytes must be base64 strings")
    standard = value.replace("-", "+").replace("_", "/")  # the mapping allows both alphabets, padded or not
    return b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def _read_bool(value: object, _depth: int) -> bool:
    if not isinstance(value, bool):
        raise Undecodable("booleans must be true or false")
    return value


def _read_float(value: Any, _depth: int) -> float:  # noqa: ANN401 (whatever JSON holds)
    if isinstance(value, bool):
        raise Undecodable("numbers must not be true or false")
    return float(value)  # also "NaN", "Infinity" and numbers in strings


def _read_enum(value: object, _depth: int) -> object:
    if isinstance(value, bool):
        raise Undecodable("enum values must be integers")
    return value


def _read_integer(value: object, _depth: int) -> object:
    if isinstance(value, bool):
        raise Undecodable("numbers must not be true or false")
    if isinstance(value, str):
        if len(value) > _LONGEST_INTEGER:
            raise Undecodable("an integer is out of range")
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


_SCALARS: Mapping[int, _Read | None] = {
    FieldDescriptor.CPPTYPE_STRING: None,
    FieldDescriptor.CPPTYPE_BOOL: _read_bool,
    FieldDescriptor.CPPTYPE_DOUBLE: _read_float,
    FieldDescriptor.CPPTYPE_FLOAT: _read_float,
    FieldDescriptor.CPPTYPE_ENUM: _read_enum,
}


def _too_deep() -> Undecodable:
    return Undecodable("nested too deeply")
