"""What every request passes: the journal, then scoring where it may hold answers, then its destinations."""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agent_eval.delivery import Delivery
from otel_agent_eval.journal import Entry, Journal, Receipt
from otel_agent_eval.service.build import AGENT_EVAL
from otel_agent_eval.service.scoring import Scoring, Way
from otel_agent_eval.signals import ExportRequest, Payload, Refused, ShortOfMemory, Signal


class Passage:
    """Takes what receivers have decoded, and what leaves scoring, and keeps it for those that want it.

    `scoring` judges the requests of the signals in `reads`; those in `limited` are refused while memory is `short`. All
    may be replaced while requests pass.
    """

    def __init__(self, journal: Journal, delivery: Delivery) -> None:
        self.scoring: Scoring | None = None
        self.reads: Collection[Signal] = ()
        self.limited: Collection[Signal] = ()
        self.short = False
        self._journal = journal
        self._delivery = delivery
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(self, payload: Payload, request: ExportRequest) -> None:
        """Take a request from a receiver; once it is being kept that is finished, even if the sender goes away.

        Raises `Refused` while it cannot be kept.
        """
        if self.short and payload.signal in self.limited:
            raise ShortOfMemory("memory is short")
        scoring = self.scoring
        if scoring is None or payload.signal is Signal.METRICS or payload.signal not in self.reads:
            await self._keep_received(payload, Way(forwarded=True, read=False), 0)
            return
        way = scoring.way(payload)
        work = self._take(payload, request, scoring, way)
        await (asyncio.shield(self._spawn(work)) if way.read else work)  # what is not read the journal finishes itself

    def leave(self, payload: Payload, receipts: Sequence[Receipt]) -> None:
        """Have something kept for its destinations."""
        self._spawn(self.keep(payload, receipts))

    async def keep(self, payload: Payload, receipts: Sequence[Receipt] = ()) -> None:
        """Keep something for its destinations, past all limits, and release the receipts when it is kept."""
        if await self._delivery.push(payload):
            for receipt in receipts:
                receipt.release()

    async def finish(self, seconds: float) -> None:
        """Wait for what is under way: there is no end to it while the disk is full."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    async def _take(self, payload: Payload, request: ExportRequest, scoring: Scoring, way: Way) -> None:
        entry = await self._keep_received(payload, way, scoring.bytes if payload.signal is Signal.TRACES else 0)
        receipt = self._receipt(entry) if way.read else Receipt(_nothing)
        try:
            if isinstance(request, ExportTraceServiceRequest):
                await scoring.traces(payload, request, way, receipt)
            elif isinstance(request, ExportLogsServiceRequest) and way.read:
                await scoring.logs(request)
        finally:
            receipt.release()

    async def _keep_received(self, payload: Payload, way: Way, more: int) -> Entry | None:
        """Keep a request for all who want it; without room, nothing is kept any more for scores that come late."""
        try:
            return await self._keep_in_room(payload, way, more)
        except Refused:
            if self.scoring is not None:
                self.scoring.yield_room()
            raise

    async def _keep_in_room(self, payload: Payload, way: Way, more: int) -> Entry | None:
        """Keep a request if there is room; `more` bytes are held and will want room, too."""
        if not self._delivery.room(payload.signal, len(payload.body) + more):
            raise Refused("the queue is full")
        if payload.signal is Signal.TRACES and way.read and not self._delivery.room(Signal.LOGS, 0):
            raise Refused("the queue is full")  # there is no end to the events of answers
        others = [AGENT_EVAL] if way.read and self._journal.durable else []
        return await self._delivery.accept(payload, others, forward=way.forwarded)

    def _receipt(self, entry: Entry | None) -> Receipt:
        if entry is None or not self._journal.durable:
            return Receipt(_nothing)
        return self._journal.receipt(entry.mark, AGENT_EVAL)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


def _nothing() -> None:
    """Free nothing: the request is not kept for its answers."""
