"""Judges after a restart what an earlier process had received and not judged, and recalls what that rests on."""

import asyncio
import logging
from functools import partial

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.journal import Entry, Journal, Receipt
from otel_agent_eval.service.scoring import Scoring
from otel_agent_eval.signals import REQUEST_TYPES

_MOST_HELD = 32 << 20
"""Bytes that are held at most while more is replayed: new telemetry needs room, too."""
_PAUSE = 0.05

_log = logging.getLogger(__name__)


async def replay(journal: Journal, scoring: Scoring, reader: str) -> None:
    """Give everything in the journal for `reader` to scoring again, the oldest first; return when all is read."""
    replayed = 0
    async for entry, done in journal.recall(reader):
        while scoring.bytes > _MOST_HELD:  # noqa: ASYNC110 (it falls for many reasons)
            await asyncio.sleep(_PAUSE)
        await _take(journal, scoring, reader, entry, done=done)
        replayed += not done
    if replayed:
        _log.info("requests of before the restart are judged", extra={"requests": replayed})


async def _take(journal: Journal, scoring: Scoring, reader: str, entry: Entry, *, done: bool) -> None:
    payload = entry.payload
    try:
        request = REQUEST_TYPES[payload.signal].FromString(payload.body)
    except DecodeError:  # it was decoded before it was kept
        _log.error("a request in the queue cannot be decoded", extra={"signal": payload.signal.value})
        return
    receipt = Receipt(partial(journal.settle, entry.mark, reader) if not done else _nothing)
    try:
        if isinstance(request, ExportLogsServiceRequest):
            await scoring.logs(request)
        elif isinstance(request, ExportTraceServiceRequest):
            if done:
                await scoring.recall(request)
            else:
                await scoring.traces(payload, request, scoring.way(payload), receipt)
    finally:
        receipt.release()


def _nothing() -> None:
    """Free nothing: it was free."""
