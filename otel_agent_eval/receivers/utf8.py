"""Repairs texts that are not UTF-8, which protobuf refuses together with all that came with them.

Agents write such texts when they cut one in the middle of a character. Other collectors let them pass, and a backend
then refuses the whole batch; here the broken bytes become `?` and the rest is kept.
"""

from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types
_MAX_VARINT = 10


def with_valid_texts(descriptor: Descriptor, body: bytes) -> bytes:
    """Return a serialised message in which every text is UTF-8, all else unchanged.

    Raises `ValueError` where it is no message of this type.
    """
    data = bytearray(body)
    rest = [(descriptor, 0, len(data))]
    while rest:
        message, at, end = rest.pop()
        texts, messages = _fields(message)
        while at < end:
            tag, at = _varint(data, at)
            field, wire_type = tag >> 3, tag & 7
            if wire_type == _VARINT:
                _, at = _varint(data, at)
            elif wire_type in (_FIXED64, _FIXED32):
                at += 8 if wire_type == _FIXED64 else 4
            elif wire_type == _BYTES:
                size, start = _varint(data, at)
                at = start + size
                if at > end:
                    raise ValueError("a field is longer than its message")
                if field in texts:
                    text = data[start:at].decode("utf-8", "surrogateescape")
                    data[start:at] = text.encode("utf-8", "replace")  # a `?` for each broken byte
                elif (inner := messages.get(field)) is not None:
                    rest.append((inner, start, at))
            else:
                raise ValueError("a field of no known kind")
    return bytes(data)


@cache
def _fields(descriptor: Descriptor) -> tuple[frozenset[int], dict[int, Descriptor]]:
    """Return the numbers of a message's texts, and of the messages within."""
    texts = frozenset(field.number for field in descriptor.fields if field.type == FieldDescriptor.TYPE_STRING)
    return texts, {field.number: field.message_type for field in descriptor.fields if field.message_type is not None}


def _varint(data: bytearray, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_MAX_VARINT):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:  # noqa: PLR2004 (the last byte of a number)
            return value, at
    raise ValueError("a number does not end")
