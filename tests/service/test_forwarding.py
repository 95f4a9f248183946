"""What is not judged arrives as it came, everything arrives, and destinations do not hinder each other."""

from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from live_gateway import arrived, running
from service_samples import answer, content_log, gauge, own, span, traces, without_own
from support.otlp_sink import UNAVAILABLE, OtlpSink

from otel_agent_eval.signals import Signal

UNKNOWN = b"\x9a\x3f\x05later"  # field 1011, a string of a later version of the protocol


def with_unknown(message: Message) -> None:
    """Add a field that the gateway's version of the protocol does not know."""
    message.MergeFromString(UNKNOWN)
    assert len(UnknownFieldSet(message)) == 1


@pytest.mark.parametrize("mode", ["annotate", "side"])
async def test_what_holds_no_answer_arrives_byte_for_byte(otlp_sink: OtlpSink, mode: str) -> None:
    requests = {Signal.TRACES: traces(span()), Signal.LOGS: content_log(span(), "Paris."), Signal.METRICS: gauge()}
    async with running(otlp_sink, mode=mode) as live:
        for signal, request in requests.items():
            with_unknown(request)
            body = request.SerializeToString() + b"\x0a\x00"  # an empty resource after the unknown field
            assert (await live.post(body, signal)).status_code == 200
            await arrived(otlp_sink, signal, 1)
            assert otlp_sink.accepted(signal)[0].body == body


async def test_side_mode_forwards_at_once_and_untouched(otlp_sink: OtlpSink) -> None:
    request = traces(answer("sleep 0.5 rude"), span())
    async with running(otlp_sink, mode="side") as live:
        await live.send(request)
        await arrived(otlp_sink, Signal.TRACES, 2, 0.4)
        assert not otlp_sink.logs()
        await arrived(otlp_sink, Signal.LOGS, 1)
        failed = await live.metric("agent_eval_evaluations_raw_total", gen_ai_evaluation_score_label="fail")
    assert [received.body for received in otlp_sink.accepted(Signal.TRACES)] == [request.SerializeToString()]
    assert failed == 1


async def test_mixed_requests_are_split_and_nothing_is_lost_doubled_or_changed(otlp_sink: OtlpSink) -> None:
    sent = []
    async with running(otlp_sink) as live:
        for number in range(20):
            spans = [answer(f"Paris, {number}.{i}.") if i % 3 == 0 else span(f"GET /{number}/{i}") for i in range(10)]
            sent += spans
            await live.send(traces(*spans, service=f"shop-{number % 3}"))
        await arrived(otlp_sink, Signal.TRACES, 200)
    got = {item.span_id: item for item in otlp_sink.spans()}
    assert len(otlp_sink.spans()) == len(got) == 200
    assert all(without_own(got[item.span_id]) == item for item in sent)
    assert sum(bool(own(item)) for item in got.values()) == 80


async def test_unknown_fields_at_every_level_survive_holding(otlp_sink: OtlpSink) -> None:
    held, passed = answer("Paris."), span()
    held.events.add(name="event")
    held.links.add(trace_id=b"1" * 16, span_id=b"2" * 8)
    request = traces(held, passed)
    resource = request.resource_spans[0]
    scope = resource.scope_spans[0]
    inside = scope.spans[0]
    with_unknown(request)
    for message in (resource, resource.resource, scope, scope.scope, scope.spans[1]):
        with_unknown(message)
    for message in (inside, inside.attributes[0], inside.attributes[0].value, inside.events[0], inside.links[0]):
        with_unknown(message)
    resource.scope_spans.add(schema_url="an empty scope")
    async with running(otlp_sink) as live:
        await live.send(request)
        await arrived(otlp_sink, Signal.TRACES, 2)
    rest, judged = (r.message for r in otlp_sink.accepted(Signal.TRACES))
    assert len(UnknownFieldSet(rest)) == 1
    assert [s.schema_url for s in rest.resource_spans[0].scope_spans] == [scope.schema_url, "an empty scope"]
    for message in (rest, judged):
        (arrived_resource,) = message.resource_spans
        arrived_scope = arrived_resource.scope_spans[0]
        for level in (arrived_resource, arrived_resource.resource, arrived_scope, arrived_scope.scope):
            assert len(UnknownFieldSet(level)) == 1
        assert arrived_resource.schema_url == resource.schema_url
    arrived_span = judged.resource_spans[0].scope_spans[0].spans[0]
    assert own(arrived_span)
    assert without_own(arrived_span).SerializeToString(deterministic=True) == inside.SerializeToString(
        deterministic=True
    )


async def test_each_signal_goes_to_its_own_destinations(otlp_sink: OtlpSink) -> None:
    def split(config: dict[str, Any]) -> None:
        pipelines = config["service"]["pipelines"]
        pipelines["traces"]["exporters"] = ["otlphttp/0"]
        pipelines["logs"]["exporters"] = ["otlphttp/1"]
        pipelines["metrics"]["exporters"] = ["otlphttp/0", "otlphttp/1"]

    with OtlpSink() as other:
        async with running(otlp_sink, other, change=split) as live:
            await live.send(traces(answer("Paris.")))
            await live.send(gauge())
            await arrived(otlp_sink, Signal.TRACES, 1)
            await arrived(other, Signal.LOGS, 1)
            await arrived(otlp_sink, Signal.METRICS, 1)
            await arrived(other, Signal.METRICS, 1)
        assert not otlp_sink.logs()
        assert not other.spans()


async def test_dead_destination_does_not_hold_up_another(otlp_sink: OtlpSink) -> None:
    with OtlpSink() as dead:
        dead.answer(UNAVAILABLE)
        async with running(otlp_sink, dead) as live:
            for number in range(20):
                await live.send(traces(answer("Paris."), span(f"GET /{number}")))
            await arrived(otlp_sink, Signal.TRACES, 40, 5)
            dead.answer(UNAVAILABLE, times=1)
            dead.answer(type(UNAVAILABLE)())
            await arrived(dead, Signal.TRACES, 40)
    assert {item.span_id for item in dead.spans()} == {item.span_id for item in otlp_sink.spans()}


async def test_full_queue_is_answered_retryably_and_nothing_is_lost_after_recovery(otlp_sink: OtlpSink) -> None:
    def small(config: dict[str, Any]) -> None:
        config["exporters"]["otlphttp/0"]["sending_queue"] = {"queue_size": 1 << 20}

    big = "x" * 200_000
    otlp_sink.answer(UNAVAILABLE)
    taken, refused = [], 0
    async with running(otlp_sink, change=small) as live:
        for number in range(12):
            items = [span(attributes={"payload": big}), answer(f"Paris, {number}.")]
            response = await live.send(traces(*items))
            if response.status_code == 200:
                taken += items
            else:
                assert (response.status_code, response.headers["retry-after"]) == (503, "1")
                refused += 1
        assert refused
        otlp_sink.answer(type(UNAVAILABLE)())
        await arrived(otlp_sink, Signal.TRACES, len(taken))
        assert (await live.send(traces(span()))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, len(taken) + 1)
        assert await live.metric("agent_eval_gateway_refused_total", agent_eval_refusal="journal_full") == refused
    got = [item.span_id for item in otlp_sink.spans()]
    assert len(got) == len(set(got)) == len(taken) + 1
    assert {item.span_id for item in taken} <= set(got)


async def test_tenants_travel_with_held_spans_and_events_and_are_never_mixed(otlp_sink: OtlpSink) -> None:
    def keys(config: dict[str, Any]) -> None:
        config["receivers"]["otlp"]["metadata_keys"] = ["X-Scope-OrgID"]

    async with running(otlp_sink, change=keys) as live:
        for number in range(12):
            tenant = f"team-{number % 3}"
            items = answer(f"Paris, {number}."), span()
            await live.send(traces(*items, service=tenant), {"X-Scope-OrgID": tenant, "x-other": "no"})
        await arrived(otlp_sink, Signal.TRACES, 24)
        await arrived(otlp_sink, Signal.LOGS, 12)
    received = [*otlp_sink.accepted(Signal.TRACES), *otlp_sink.accepted(Signal.LOGS)]
    for request in received:
        groups = getattr(request.message, "resource_spans", None) or request.message.resource_logs
        services = {pair.value.string_value for group in groups for pair in group.resource.attributes}
        assert services == {request.headers["x-scope-orgid"]}
        assert "x-other" not in request.headers


async def test_judged_spans_leave_in_requests_that_backends_take(otlp_sink: OtlpSink) -> None:
    long = "Paris is the capital. " * 10_000  # 220 kB
    async with running(otlp_sink) as live:
        for _ in range(4):
            await live.send(traces(*(answer(f"{n} {long}") for n in range(10))))
        await arrived(otlp_sink, Signal.TRACES, 40, 30)
    assert max(len(request.body) for request in otlp_sink.accepted(Signal.TRACES)) < 2 << 20


async def test_signal_without_a_pipeline_is_refused_not_dropped(otlp_sink: OtlpSink) -> None:
    def only_traces(config: dict[str, Any]) -> None:
        for signal in ("logs", "metrics"):
            del config["service"]["pipelines"][signal]

    async with running(otlp_sink, change=only_traces) as live:
        assert (await live.send(gauge())).status_code == 404
        assert (await live.send(content_log(span(), "Paris."))).status_code == 404
        assert (await live.send(traces(answer("Paris.")))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 1)
