"""Decompression that never holds more than the limit, whatever the compressed data promises."""

import zlib

from otel_agent_eval.receivers.errors import Cause, Rejection, TooLarge, Undecodable

GZIP_MAGIC = b"\x1f\x8b"
"""How gzip data begins. No protobuf message does: its first byte would be a tag of a wire type that does not exist."""

MAX_RATIO = 1032
"""No gzip data is compressed further."""

_GZIP = 16 + zlib.MAX_WBITS
_SLICE = 1 << 13  # little is handed over at a time: what follows a member is copied when it ends, and bombs end early
_UNSUSPICIOUS_BYTES = 1 << 20  # up to here no ratio is too high
_MAX_MEMBERS = 4096  # a block compressor makes some thousand of 64 MiB; more cost time and carry nothing


def gunzip(data: bytes, limit: int, ratio: int = MAX_RATIO) -> bytes:
    """Decompress gzip data of one or several members.

    Raises `TooLarge` when it would be more than `limit` bytes, `Rejection` when it would be more than a megabyte and
    more than `ratio` times the data, `Undecodable` when it is broken, cut off, or not gzip.
    """
    parts: list[bytes] = []
    room = limit
    members = 1
    stream = zlib.decompressobj(_GZIP)
    for start in range(0, len(data), _SLICE):
        rest = data[start : start + _SLICE]
        while rest:
            if stream.eof:
                if not rest.strip(b"\0"):  # padding is allowed at the end
                    break
                members += 1
                if members > _MAX_MEMBERS:
                    raise Undecodable("gzip data in too many members")
                stream = zlib.decompressobj(_GZIP)
            try:
                part = stream.decompress(rest, room + 1)
            except zlib.error:
                raise Undecodable("broken gzip data") from None
            room -= len(part)
            if room < 0:
                raise TooLarge(limit)
            size = limit - room
            if size > _UNSUSPICIOUS_BYTES and size > ratio * min(start + _SLICE, len(data)):
                raise Rejection(Cause.TOO_LARGE, f"request is too large: it is compressed by more than {ratio} to 1")
            parts.append(part)
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
    if not stream.eof:
        raise Undecodable("gzip data is cut off")
    return b"".join(parts)
