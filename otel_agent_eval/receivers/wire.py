"""Reads protobuf's wire format where the library offers no way: before a message is made."""

from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""The wire types, in the last three bits of a tag."""

_MAX_VARINT = 10


def varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it. Raises `ValueError` where there is none."""
    value = shift = 0
    for byte in data[at : at + _MAX_VARINT]:
        at += 1
        if byte < 0x80:  # noqa: PLR2004 (the last byte of a number)
            return value | byte << shift, at
        value |= (byte & 0x7F) << shift
        shift += 7
    raise ValueError("a number does not end")


@cache
def fields(descriptor: Descriptor) -> tuple[frozenset[int], dict[int, Descriptor]]:
    """Return the numbers of a message's texts, and of the messages within."""
    texts = frozenset(field.number for field in descriptor.fields if field.type == FieldDescriptor.TYPE_STRING)
    return texts, {field.number: field.message_type for field in descriptor.fields if field.message_type is not None}
