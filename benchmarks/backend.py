"""The backend that benchmarks send to: a process that does nothing but count."""

import asyncio
import ctypes
import multiprocessing
import queue
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NamedTuple

import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.receivers import Intake, OtlpGrpcReceiver, OtlpHttpReceiver
from otel_agent_eval.signals import ExportRequest, Payload, Signal

if TYPE_CHECKING:
    from multiprocessing.queues import Queue  # generic only for type checkers

_SIGNALS = tuple(Signal)

Counts = ctypes.Array[ctypes.c_longlong]
"""Shared with the process; the only writer is there."""


class Arrival(NamedTuple):
    """A span that arrived: when (monotonic seconds), and the outcome or the reason of each of its evaluations."""

    span_id: bytes
    time: float
    outcomes: Mapping[str, str]


class Backend:
    """Where the backend listens and what it has got. Made by `backend`."""

    def __init__(self, endpoints: Mapping[str, str], counts: Counts, arrivals: "Queue[Arrival]") -> None:
        self.grpc_endpoint = endpoints["grpc"]
        self.http_endpoint = f"http://{endpoints['http']}"
        self._counts = counts
        self._arrivals = arrivals

    def count(self, signal: Signal) -> int:
        """Return how many spans, log records or data points have arrived."""
        return int(self._counts[_SIGNALS.index(signal)])

    def arrivals(self) -> Iterator[Arrival]:
        """Yield what has arrived since the last call; only a backend that watches knows."""
        while True:
            try:
                yield self._arrivals.get_nowait()
            except queue.Empty:
                return


@contextmanager
def backend(*, watch: bool = False) -> Iterator[Backend]:
    """Run a backend until the block ends; one that watches reports every span."""
    context = multiprocessing.get_context("spawn")
    counts = context.Array("q", len(_SIGNALS), lock=False)
    arrivals: Queue[Arrival] = context.Queue()
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, counts, arrivals, watch), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Backend(ours.recv(), counts, arrivals)
    finally:
        ours.close()  # the process ends at the end of its input
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def _run(parent: Connection, counts: Counts, arrivals: "Queue[Arrival]", watch: bool) -> None:
    uvloop.run(_serve(parent, counts, arrivals if watch else None))
    arrivals.cancel_join_thread()  # what nobody has read, nobody will


async def _serve(parent: Connection, counts: Counts, arrivals: "Queue[Arrival] | None") -> None:
    async def sink(payload: Payload, request: ExportRequest) -> None:
        counts[_SIGNALS.index(payload.signal)] += payload.items
        if arrivals is not None and isinstance(request, ExportTraceServiceRequest):
            now = time.monotonic()
            for span in _spans(request):
                arrivals.put(Arrival(span.span_id, now, _outcomes(span)))

    grpc, http = OtlpGrpcReceiver(Intake(sink), "127.0.0.1:0"), OtlpHttpReceiver(Intake(sink), "127.0.0.1:0")
    await grpc.start()
    await http.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(parent.fileno(), ended.set)
    parent.send({"grpc": grpc.endpoint, "http": http.endpoint})
    await ended.wait()
    await asyncio.gather(grpc.stop(0), http.stop(0))


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _outcomes(span: Span) -> dict[str, str]:
    """Return, by evaluator, "scored" or the reason why not."""
    found = {pair.key: pair.value.string_value for pair in span.attributes if pair.key.startswith("agent_eval.")}
    names = [key.split(".")[1] for key in found if key.endswith(".outcome")]
    return {name: found.get(f"agent_eval.{name}.reason") or found[f"agent_eval.{name}.outcome"] for name in names}
