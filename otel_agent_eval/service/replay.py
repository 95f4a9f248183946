"""Judges after a restart what an earlier process had received and not judged, and recalls what that rests on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.journal import Journal, Recalled, Receipt
from otel_agent_eval.service.faults import Faults
from otel_agent_eval.service.held import keep_only
from otel_agent_eval.service.scoring import Scoring, Way
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Payload

_MOST_HELD = 32 << 20
"""Bytes that are held at most while more is replayed: new telemetry needs room, too."""
_PAUSE = 0.05

_log = logging.getLogger(__name__)


Forward = Callable[[Payload], Awaitable[bool]]
"""Keeps a request for its destinations; False where that was not possible any more."""


async def replay(journal: Journal, scoring: Scoring | None, forward: Forward, reader: str) -> None:
    """Give everything in the journal for `reader` to scoring again, the oldest first; return when all is read.

    What was to leave with its scores, and cannot be judged any more, leaves as it came.
    """
    replayed, faults = 0, Faults()
    async for recalled in journal.recall(reader):
        while scoring is not None and scoring.bytes > _MOST_HELD:  # noqa: ASYNC110 (it falls for many reasons)
            await asyncio.sleep(_PAUSE)
        payload, mark = recalled.entry.payload, recalled.entry.mark
        receipt = Receipt(_nothing) if recalled.done else journal.receipt(mark, reader)
        request = _decoded(payload)
        if scoring is not None and request is not None:
            try:
                await _judge(scoring, recalled, request, receipt)
            except Exception as error:  # noqa: BLE001 (it stays in the queue, and must not keep the others there)
                faults.report("a request could not be judged again", error)
                continue
        elif not recalled.done and recalled.readers == (reader,) and not await forward(_left(recalled, request)):
            return
        receipt.release()
        replayed += not recalled.done
    if replayed:
        _log.info("requests of before the restart are judged", extra={"requests": replayed})


async def _judge(scoring: Scoring, recalled: Recalled, request: ExportRequest, receipt: Receipt) -> None:
    """Judge a request, as the configuration says now; it leaves if it had not been forwarded as it came."""
    if isinstance(request, ExportLogsServiceRequest):
        await scoring.logs(request)
    elif isinstance(request, ExportTraceServiceRequest):
        if recalled.done:
            await scoring.recall(request)
        else:
            way = Way(forwarded=len(recalled.readers) > 1, read=True, left=recalled.left)
            await scoring.traces(recalled.entry.payload, request, way, receipt)


def _left(recalled: Recalled, request: ExportRequest | None) -> Payload:
    """Return what has not been forwarded yet of a request."""
    payload = recalled.entry.payload
    if recalled.left is None or not isinstance(request, ExportTraceServiceRequest):
        return payload
    items = keep_only(request, recalled.left)
    return Payload(payload.signal, request.SerializeToString(), items, payload.metadata)


def _decoded(payload: Payload) -> ExportRequest | None:
    try:
        return REQUEST_TYPES[payload.signal].FromString(payload.body)
    except DecodeError:  # though it was decoded before it was kept
        _log.error("a request in the queue cannot be decoded", extra={"signal": payload.signal.value})
        return None


def _nothing() -> None:
    """Free nothing: it was free."""
