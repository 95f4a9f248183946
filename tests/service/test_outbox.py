"""What leaves is kept before the request that brought it is let go."""

from collections.abc import Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans
from service_samples import answer

from otel_agent_eval.annotation.result import Forms
from otel_agent_eval.journal import Receipt
from otel_agent_eval.service.held import Envelope, hold
from otel_agent_eval.service.outbox import Outbox
from otel_agent_eval.signals import Payload


async def test_a_request_is_freed_only_when_what_is_made_of_its_spans_is_kept() -> None:
    items: list[int] = []
    unkept: list[Receipt] = []

    def send(payload: Payload, receipts: Sequence[Receipt]) -> None:
        items.append(payload.items)
        unkept.extend(receipts)

    outbox = Outbox(send, Forms(), events=False)
    freed: list[bool] = []
    with Receipt(lambda: freed.append(True)) as receipt:
        held = [hold(answer("Paris."), Envelope(ResourceSpans(), ScopeSpans(), {}), receipt) for _ in range(2)]
    outbox.release(held)
    outbox.flush()
    assert (items, freed) == ([2], [])
    unkept[0].release()
    assert freed == []
    unkept[1].release()
    assert freed == [True]
