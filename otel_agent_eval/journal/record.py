"""The format of a record on disk: written, read back, and found again behind bytes that cannot be read.

A record is a header, a head in JSON and the request's body in protobuf. The header is little-endian: a marker of four
bytes, the CRC-32 of all that follows it (4), the record's sequence number (8), the length of the head (4) and of the
body (4).
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, BinaryIO

from otel_agent_eval.signals import Payload, Signal

FORMAT_VERSION = 1

_MARKER = b"\xf5OAE"  # begins with a byte that occurs in no text
_HEADER = Struct("<4sIQII")
_UNCHECKED = 8  # bytes of the header before those that the checksum covers
_LONGEST_HEAD = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A request, for whom it is, and the Unix time in seconds at which it was kept; `reason` says why it was parked."""

    sequence: int
    payload: Payload
    readers: tuple[str, ...]
    time: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A record that was read; it ends where the next begins."""

    record: Record
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no record. `tail`: nothing that can be read comes behind them."""

    start: int
    end: int
    tail: bool = field(default=False)


def encode(record: Record) -> tuple[bytes, bytes]:
    """Return what stands before the body, and the body."""
    payload = record.payload
    fields: dict[str, Any] = {
        "signal": payload.signal.value,
        "items": payload.items,
        "time": record.time,
        "for": record.readers,
    }
    if payload.metadata:
        fields["metadata"] = dict(payload.metadata)
    if record.reason:
        fields["reason"] = record.reason
    head = json.dumps(fields, separators=(",", ":")).encode()
    header = _HEADER.pack(_MARKER, 0, record.sequence, len(head), len(payload.body))
    crc = zlib.crc32(payload.body, zlib.crc32(head, zlib.crc32(header[_UNCHECKED:])))
    return _HEADER.pack(_MARKER, crc, record.sequence, len(head), len(payload.body)) + head, payload.body


def read(file: BinaryIO, start: int, end: int) -> Iterator[Stored | Damage]:
    """Yield the records between two positions of a file, and what lies between them that is none.

    Raises `OSError` where the file cannot be read.
    """
    position = start
    while position < end:
        stored = _read_one(file, position, end)
        if stored is None:
            found = _next_readable(file, position + 1, end)
            yield Damage(position, end if found is None else found, tail=found is None)
            position = end if found is None else found
        else:
            yield stored
            position = stored.end


def _read_one(file: BinaryIO, position: int, end: int) -> Stored | None:
    file.seek(position)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    marker, crc, sequence, head_size, body_size = _HEADER.unpack(header)
    after = position + _HEADER.size + head_size + body_size
    if marker != _MARKER or head_size > _LONGEST_HEAD or after > end:
        return None
    head, body = file.read(head_size), file.read(body_size)
    if zlib.crc32(body, zlib.crc32(head, zlib.crc32(header[_UNCHECKED:]))) != crc:
        return None
    try:
        return Stored(_record(sequence, json.loads(head), body), after)
    except (ValueError, KeyError, TypeError):  # whole, but not by us
        return None


def _record(sequence: int, head: Mapping[str, Any], body: bytes) -> Record:
    payload = Payload(Signal(head["signal"]), body, head["items"], head.get("metadata", {}))
    return Record(
        sequence=sequence,
        payload=payload,
        readers=tuple(head["for"]),
        time=head["time"],
        reason=head.get("reason", ""),
    )


def _next_readable(file: BinaryIO, start: int, end: int) -> int | None:
    """Return where the next record begins; what looks like one and is none is passed over."""
    file.seek(start)
    rest = file.read(end - start)
    found = rest.find(_MARKER)
    while found >= 0:
        if _read_one(file, start + found, end) is not None:
            return start + found
        found = rest.find(_MARKER, found + 1)
    return None
