"""Bounds how many things a request may hold: empty ones take two bytes to send and up to two hundred to hold.

The protobuf library makes all of them before anybody can count, so large requests are looked at before. Walking through
one takes as long as ten parses. So a sample of it is searched for what could be a tiny field, which takes less than a
millisecond; only where there are suspiciously many the fields are really counted, and only as far as the limit.
"""

import random
import re
from dataclasses import dataclass

from otel_agent_eval.receivers.errors import TooMany
from otel_agent_eval.receivers.wire import BYTES, FIXED32, FIXED64, VARINT, fields, varint
from otel_agent_eval.signals import REQUEST_TYPES, Signal

SAMPLED_FROM = 1 << 20
"""Bytes; smaller requests take a hundred megabytes at the worst."""
_BLOCKS, _BLOCK_BYTES = 32, 2048
_TAGS = bytes(tag for tag in range(256) if tag & 7 == BYTES)
_TINY_FIELD = re.compile(b"[" + re.escape(_TAGS) + b"][\\x00-\\x0b]")
"""The tag of a text or message, and a length below 12."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkLimits:
    """How much one request may hold, and how far it may be compressed.

    `items` counts spans, log records or data points; `objects` all that is made of a request: these, their attributes,
    values, events and links. `ratio` is that of the bytes after and before decompression.
    """

    items: int = 250_000
    objects: int = 2_000_000
    ratio: int = 500


def check_items(items: int, limit: int) -> None:
    """Raise `TooMany` for more than `limit` spans, log records or data points."""
    if items > limit:
        raise TooMany("spans, log records or data points", limit)


def check_objects(signal: Signal, body: bytes, limit: int) -> None:
    """Raise `TooMany` for a request in protobuf that holds more than `limit` objects, as far as a sample shows it."""
    if len(body) >= SAMPLED_FROM and _tiny_fields(body) > limit // 2 and _count(signal, body, limit) > limit:
        raise TooMany("spans, attributes, values and other objects", limit)


def check_json(body: bytes, limit: int) -> None:
    """Raise `TooMany` for a request in JSON with more than `limit` brackets that open, those in texts included."""
    if len(body) > limit and body.count(b"{") + body.count(b"[") > limit:
        raise TooMany("spans, attributes, values and other objects", limit)


def _tiny_fields(body: bytes) -> int:
    """Estimate how many tiny fields there are; what text and numbers look like by chance is counted too."""
    last = len(body) - _BLOCK_BYTES
    starts = [random.randint(0, last) for _ in range(_BLOCKS)]  # noqa: S311 (whoever guesses wins a few megabytes)
    found = sum(len(_TINY_FIELD.findall(body, start, start + _BLOCK_BYTES)) for start in starts)
    return found * len(body) // (_BLOCKS * _BLOCK_BYTES)


def _count(signal: Signal, body: bytes, limit: int) -> int:
    """Count the messages within a request, up to a little more than `limit`; what is broken ends the count."""
    count = 0
    rest = [(REQUEST_TYPES[signal].DESCRIPTOR, 0, len(body))]
    try:
        while rest and count <= limit:
            message, at, end = rest.pop()
            _, messages = fields(message)
            while at < end and count <= limit:
                tag, at = varint(body, at)
                wire_type = tag & 7
                if wire_type == BYTES:
                    size, at = varint(body, at)
                    inner = messages.get(tag >> 3)
                    if inner is not None:
                        count += 1
                        if size:
                            rest.append((inner, at, min(at + size, end)))
                    at += size
                elif wire_type == VARINT:
                    _, at = varint(body, at)
                elif wire_type in (FIXED64, FIXED32):
                    at += 8 if wire_type == FIXED64 else 4
                else:
                    break
    except ValueError:
        pass  # protobuf's own parser says what is wrong
    return count
