"""A request that is too large arrives in parts, wrapped as it was, and costs nothing but what no part can carry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from queued import Queued

from otel_agent_eval.delivery import Fate
from otel_agent_eval.delivery.split import halves
from otel_agent_eval.exporters import Oversized
from otel_agent_eval.signals import REQUEST_TYPES, Payload, Signal

LEVELS = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
}
UNKNOWN = b"\x9a\x3f\x05later"  # field 1011, a string of a later version of the protocol


def request(signal: Signal, shape: list[list[int]]) -> Payload:
    """Make a request: resources with scopes with so many items, each with a schema URL of its own."""
    message: Any = REQUEST_TYPES[signal]()
    outer, inner, leaf = LEVELS[signal]
    number = 0
    for r, scopes in enumerate(shape):
        resource = getattr(message, outer).add(schema_url=f"r{r}")
        for s, count in enumerate(scopes):
            scope = getattr(resource, inner).add(schema_url=f"r{r}s{s}")
            for _ in range(count):
                item = getattr(scope, leaf).add()
                item.MergeFromString(UNKNOWN)
                if signal is Signal.TRACES:
                    item.name = str(number)
                elif signal is Signal.LOGS:
                    item.body.string_value = str(number)
                else:
                    item.name = str(number)
                    item.gauge.data_points.add()
                number += 1
    return Payload(signal, message.SerializeToString(), number, {"x-scope-orgid": "team-a"})


def items(payload: Payload) -> list[tuple[str, str, bytes]]:
    """Return the items of a request with what they are wrapped in."""
    message = REQUEST_TYPES[payload.signal].FromString(payload.body)
    outer, inner, leaf = LEVELS[payload.signal]
    return [
        (resource.schema_url, scope.schema_url, item.SerializeToString())
        for resource in getattr(message, outer)
        for scope in getattr(resource, inner)
        for item in getattr(scope, leaf)
    ]


@given(signal=st.sampled_from(Signal), shape=st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=4))
def test_halves_hold_all_items_in_order_each_wrapped_as_it_was(signal: Signal, shape: list[list[int]]) -> None:
    whole = request(signal, shape)
    parts = halves(whole)
    if whole.items < 2:
        assert parts is None
        return
    assert parts is not None
    assert [item for part in parts for item in items(part)] == items(whole)
    assert [part.items for part in parts] == [whole.items // 2, whole.items - whole.items // 2]
    assert all(part.metadata == whole.metadata for part in parts)


class Narrow:
    """A destination that takes no more than so many bytes."""

    name = "narrow"
    signals = frozenset(Signal)

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.sent: list[Payload] = []

    async def export(self, payload: Payload) -> int:
        if len(payload.body) > self.limit:
            raise Oversized("HTTP 413")
        self.sent.append(payload)
        return 0

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("signal", list(Signal))
async def test_only_what_no_part_can_carry_is_rejected(signal: Signal) -> None:
    whole = request(signal, [[3, 4], [5]])
    large: Any = REQUEST_TYPES[signal].FromString(whole.body)
    scope = getattr(getattr(large, LEVELS[signal][0])[0], LEVELS[signal][1])[1]
    getattr(scope, LEVELS[signal][2])[2].MergeFromString(b"\x9a\x3f\xff\x7f" + b"x" * 16383)
    narrow = Narrow(200)
    queued = Queued(narrow)
    await queued.start()
    await queued.put(Payload(signal, large.SerializeToString(), whole.items, whole.metadata))
    await queued.stop(5)
    assert sum(len(items(part)) for part in narrow.sent) == 11
    assert queued.stats().items == {(signal, Fate.SENT): 11, (signal, Fate.REJECTED): 1}
    assert all(REQUEST_TYPES[signal].FromString(part.body) for part in narrow.sent)


def test_request_without_items_has_no_halves() -> None:
    assert halves(Payload(Signal.TRACES, ExportTraceServiceRequest().SerializeToString())) is None
