"""What both transports do with a request: decompress, decode, hand to the sink, and say how it went."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import ParamSpec, TypeVar

from otel_agent_eval.receivers.bulk import SAMPLED_FROM, BulkLimits, check_items, check_json, check_objects
from otel_agent_eval.receivers.decode import count_items, decode_repaired, parse
from otel_agent_eval.receivers.errors import Cause, Rejection, TooLarge, Unavailable, Undecodable
from otel_agent_eval.receivers.gunzip import gunzip
from otel_agent_eval.receivers.large_json import LARGE_JSON_BYTES, LargeJson
from otel_agent_eval.receivers.otlp_json import decode_json
from otel_agent_eval.signals import ExportRequest, Payload, Refused, ShortOfMemory, Signal, Sink

DEFAULT_MAX_REQUEST_BYTES = 64 << 20

_OFF_LOOP_BYTES = 1 << 16  # from here on gzip and JSON cost milliseconds, which other requests should not wait for

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Transport(StrEnum):
    """How a request came."""

    GRPC = "grpc"
    HTTP = "http"


Observe = Callable[[Signal, Transport, int, Cause | None], None]
"""Told of every request: its items (0 where it could not be decoded), and why it was not taken, or None."""


def _observe_nothing(_signal: Signal, _transport: Transport, _items: int, _cause: Cause | None) -> None:
    pass


class Intake:
    """Takes requests of one gateway, from any transport, into its sink.

    `max_bytes` limits a request before and after decompression, `bulk` what it may hold. `metadata_keys` (any case)
    lists the headers that travel on with the payload; all others end here.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        max_bytes: int = DEFAULT_MAX_REQUEST_BYTES,
        bulk: BulkLimits | None = None,
        metadata_keys: Collection[str] = (),
        observe: Observe = _observe_nothing,
    ) -> None:
        self.max_bytes = max_bytes
        self._bulk = bulk or BulkLimits()
        self._sink = sink
        self._metadata_keys = frozenset(key.lower() for key in metadata_keys)
        self.observe = observe
        self._stopping = False
        self._seen_errors: set[str] = set()
        self._large_json = LargeJson()

    def stop(self) -> None:
        """Refuse what comes from now on; the sender tries again elsewhere or later."""
        self._stopping = True

    async def take(
        self,
        signal: Signal,
        transport: Transport,
        body: bytes,
        headers: Iterable[tuple[str, str | bytes]],
        *,
        gzip: bool = False,
        json: bool = False,
    ) -> int:
        """Return the bytes of the request in protobuf when it is accepted.

        Raises `Rejection` when it is not, with the answer to give.
        """
        items = 0
        try:
            self._check_open()
            metadata = self._metadata(headers)
            body, request = await self._read(signal, body, gzip=gzip, json=json)
            items = count_items(request)
            check_items(items, self._bulk.items)
            if body:  # an empty request is a success that leaves nothing to do
                await self._sink(Payload(signal, body, items, metadata), request)
        except Exception as error:  # noqa: BLE001 (whatever broke, the sender must keep the data)
            rejection = self._rejection(error)
            self.observe(signal, transport, items, rejection.cause)
            raise rejection from None
        self.observe(signal, transport, items, None)
        return len(body)

    async def _read(self, signal: Signal, body: bytes, *, gzip: bool, json: bool) -> tuple[bytes, ExportRequest]:
        """Decompress and decode, in a thread where it takes long, in a process where it would hold up all threads."""
        if len(body) > self.max_bytes:
            raise TooLarge(self.max_bytes)
        if gzip:
            body = await _run(len(body) > _OFF_LOOP_BYTES, gunzip, body, self.max_bytes, self._bulk.ratio)
        if json and len(body) > LARGE_JSON_BYTES:
            await asyncio.to_thread(check_json, body, self._bulk.objects)
            body, json = await self._large_json.to_protobuf(signal, body), False
        off_loop = len(body) > (_OFF_LOOP_BYTES if json else SAMPLED_FROM)
        body, request = await _run(off_loop, self._decode, signal, body, json)
        if request is None:
            return await asyncio.to_thread(decode_repaired, signal, body)
        return body, request

    def _check_open(self) -> None:
        if self._stopping:
            raise Unavailable(Cause.STOPPING, "shutting down")

    def _decode(self, signal: Signal, body: bytes, json: bool) -> tuple[bytes, ExportRequest | None]:
        """Return the body in protobuf and its message, None where protobuf refuses it."""
        if not json:
            check_objects(signal, body, self._bulk.objects)
            return body, parse(signal, body)
        check_json(body, self._bulk.objects)
        request = decode_json(signal, body)
        return request.SerializeToString(), request

    def _metadata(self, headers: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
        if not self._metadata_keys:
            return {}
        metadata: dict[str, str] = {}
        for name, value in headers:
            key = name.lower()
            if key not in self._metadata_keys:
                continue
            if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
                raise Undecodable(f"header {key} is not printable ASCII")
            metadata[key] = f"{metadata[key]}, {value}" if key in metadata else value
        return metadata

    def _rejection(self, error: Exception) -> Rejection:
        """Return the answer to give; of a fault of our own it says nothing."""
        if isinstance(error, Rejection):
            return error
        if isinstance(error, Refused):
            cause = Cause.MEMORY if isinstance(error, ShortOfMemory) else Cause.FULL
            return Unavailable(cause, str(error), error.retry_after)
        self._report(error)
        return Unavailable(Cause.INTERNAL, "the request could not be taken")

    def _report(self, error: Exception) -> None:
        """Log an unforeseen error once per type and place, without its message: that could hold content."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
        kind = f"{type(error).__name__} at {place}"
        if kind not in self._seen_errors:
            self._seen_errors.add(kind)
            _log.error("a request could not be taken", extra={"error": type(error).__name__, "place": place})


async def _run(in_thread: bool, work: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Do work, where it takes long in a thread."""
    return await asyncio.to_thread(work, *arguments, **named) if in_thread else work(*arguments, **named)
