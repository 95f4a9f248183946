"""Decompression that never holds more than the limit, whatever the compressed data promises."""

import zlib

from otel_agent_eval.receivers.errors import TooLarge, Undecodable

GZIP_MAGIC = b"\x1f\x8b"
"""How gzip data begins. No protobuf message does: its first byte would be a tag of a wire type that does not exist."""

_GZIP = 16 + zlib.MAX_WBITS
_SLICE = 1 << 16  # what follows a member is copied when it ends, so little is handed over at a time
_MAX_MEMBERS = 4096  # a block compressor makes some thousand of 64 MiB; more cost time and carry nothing


def gunzip(data: bytes, limit: int) -> bytes:
    """Decompress gzip data of one or several members.

    Raises `TooLarge` when it would be more than `limit` bytes, `Undecodable` when it is broken, cut off, or not gzip.
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
            parts.append(part)
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
    if not stream.eof:
        raise Undecodable("gzip data is cut off")
    return b"".join(parts)
