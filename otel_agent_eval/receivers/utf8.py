"""Repairs texts that are not UTF-8, which protobuf refuses together with all that came with them.

Agents write such texts when they cut one in the middle of a character. Other collectors let them pass, and a backend
then refuses the whole batch; here the broken bytes become `?` and the rest is kept.
"""

from google.protobuf.descriptor import Descriptor

from otel_agent_eval.receivers.wire import BYTES, FIXED32, FIXED64, VARINT, fields, varint


def with_valid_texts(descriptor: Descriptor, body: bytes) -> bytes:
    """Return a serialised message in which every text is UTF-8, all else unchanged.

    Raises `ValueError` where it is no message of this type.
    """
    data = bytearray(body)
    rest = [(descriptor, 0, len(data))]
    while rest:
        message, at, end = rest.pop()
        texts, messages = fields(message)
        while at < end:
            tag, at = varint(data, at)
            field, wire_type = tag >> 3, tag & 7
            if wire_type == VARINT:
                _, at = varint(data, at)
            elif wire_type in (FIXED64, FIXED32):
                at += 8 if wire_type == FIXED64 else 4
            elif wire_type == BYTES:
                size, start = varint(data, at)
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
