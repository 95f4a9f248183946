"""Whatever senders send: the gateway answers by the specification, goes on, and all other telemetry arrives."""

import asyncio
import contextlib
import gzip
import json
import secrets
import time
from typing import Any

import grpc
import httpx
import pytest
from live_gateway import Live, arrived, running
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from service_samples import answer, messages, own, span, traces, without_own
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal

MAX_TIME = 2**64 - 1
ODD_SPANS = {
    "no ids": {"trace_id": b"", "span_id": b""},
    "zero ids": {"trace_id": bytes(16), "span_id": bytes(8)},
    "short ids": {"trace_id": b"1", "span_id": b"2"},
    "long ids": {"trace_id": b"1" * 64, "span_id": b"2" * 64},
    "its own parent": {"span_id": b"12345678", "parent_span_id": b"12345678"},
    "no times": {"start_time_unix_nano": 0, "end_time_unix_nano": 0},
    "the last time": {"start_time_unix_nano": MAX_TIME, "end_time_unix_nano": MAX_TIME},
    "end before start": {"start_time_unix_nano": MAX_TIME, "end_time_unix_nano": 0},
    "kind and status unknown": {"kind": 99, "status": {"code": 77}},
    "forged sampling": {"trace_state": "ot=th:" + "f" * 200 + "," + "x=" * 500},
    "many dropped": {"dropped_attributes_count": 2**32 - 1, "flags": 2**32 - 1},
}
ODD_TEXTS = {
    "nothing": "",
    "white space": " \n\t\u200b\u00a0",
    "NUL": "Paris\0is\0it",
    "emoji": "\U0001f1eb\U0001f1f7\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
    "right to left": "\u202eباريس هي عاصمة فرنسا\u202c",  # noqa: RUF001 (Arabic)
    "combining": "Z\u0338\u0321a\u0336l\u0337g\u0336o\u0336" * 100,
    "Chinese": "巴黎是法国的首都。" * 20,
    "private use and not characters": "\ue000\uffff\U0010ffff",
    "JSON in JSON in JSON": json.dumps(json.dumps(json.dumps({"role": "assistant", "content": "x"}))),
    "brackets": "[" * 5_000,
    "one long word": "a" * 20_000,
    "regular expressions' worst": "((a+)+)+" + "a" * 2_000 + "!",
    "control": "".join(map(chr, range(32))),
}


async def alive(live: Live, sink: OtlpSink) -> None:
    """Check that an ordinary answer is still judged."""
    item = answer("Paris.")
    assert (await live.send(traces(item))).status_code == 200
    await asyncio.to_thread(
        sink.wait_until, lambda: any(s.span_id == item.span_id and own(s) for s in sink.spans()), 15, lambda: "nothing"
    )


@pytest.mark.parametrize("protocol", ["as one request", "each by itself"])
async def test_odd_spans_arrive_as_they_were(otlp_sink: OtlpSink, protocol: str) -> None:
    sent = [answer(f"Paris, {name}.", **fields) for name, fields in ODD_SPANS.items()]
    async with running(otlp_sink, context_wait="300ms") as live:
        for request in [traces(*sent)] if protocol == "as one request" else map(traces, sent):
            assert (await live.send(request)).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, len(sent))
        await alive(live, otlp_sink)
    got = otlp_sink.spans()[: len(sent)]
    assert sorted(without_own(item).SerializeToString(deterministic=True) for item in got) == sorted(
        item.SerializeToString(deterministic=True) for item in sent
    )


async def test_odd_texts_are_judged_or_say_why_not(otlp_sink: OtlpSink) -> None:
    names = ("toxicity", "input_toxicity", "faithfulness", "relevance")
    sent = [answer(text, question=text) for text in ODD_TEXTS.values()]
    async with running(otlp_sink, evaluators={name: {} for name in names}, score_deadline="20s") as live:
        for item in sent:
            assert (await live.send(traces(item))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, len(sent), 60)
    written = {item.span_id: own(item) for item in otlp_sink.spans()}
    for name, item in zip(ODD_TEXTS, sent, strict=True):
        for evaluator in names:
            outcome = written[item.span_id][f"agent_eval.{evaluator}.outcome"]
            assert outcome in {"scored", "skipped"}, (name, evaluator, written[item.span_id])


async def test_odd_attributes_are_forwarded_as_they_were(otlp_sink: OtlpSink) -> None:
    deep: Any = "bottom"
    for level in range(24):
        deep = {"content": deep} if level % 2 else [deep]
    values: list[Any] = [deep, [], {}, [None], True, -1, float("nan"), 2**62, [{"role": 7, "parts": {"type": []}}]]
    keys = ("gen_ai.input.messages", "gen_ai.output.messages", "llm.output_messages.0.message.content", "output.value")
    sent = [answer("Paris.", attributes={key: value}) for key in keys for value in values]
    sent.append(Span(trace_id=b"1" * 16, span_id=b"2" * 8, attributes=[KeyValue(key=keys[0])] * 3))
    empty_key = answer("Paris.")
    empty_key.attributes.add(key="").value.string_value = "?"
    sent.append(empty_key)
    async with running(otlp_sink, context_wait="300ms") as live:
        assert (await live.send(traces(*sent))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, len(sent))
        await alive(live, otlp_sink)
    got = {item.span_id: item for item in otlp_sink.spans()}
    for item in sent:
        before, after = item.SerializeToString(deterministic=True), without_own(got[item.span_id])
        assert after.SerializeToString(deterministic=True) == before


async def test_nesting_beyond_protobufs_limit_is_malformed(otlp_sink: OtlpSink) -> None:
    value = AnyValue(string_value="bottom").SerializeToString()
    for _ in range(200):  # by hand: the library does not serialise so deep
        inner = b"\x0a" + _varint(len(value)) + value
        value = b"\x2a" + _varint(len(inner)) + inner
    pair = b"\x0a\x01k\x12" + _varint(len(value)) + value
    span_ = b"\x4a" + _varint(len(pair)) + pair
    scope = b"\x12" + _varint(len(span_)) + span_
    resource = b"\x12" + _varint(len(scope)) + scope
    async with running(otlp_sink) as live:
        response = await live.post(b"\x0a" + _varint(len(resource)) + resource)
        assert response.status_code == 400
        await alive(live, otlp_sink)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


async def test_gzip_bomb_is_refused_and_costs_little(otlp_sink: OtlpSink) -> None:
    bomb = gzip.compress(bytes(512 << 20), 1)
    async with running(otlp_sink) as live:
        began = time.monotonic()
        response = await live.post(bomb, headers={"content-encoding": "gzip"})
        assert response.status_code == 413
        assert time.monotonic() - began < 5
        await alive(live, otlp_sink)


async def test_flood_of_empty_spans_is_refused_before_it_takes_memory(otlp_sink: OtlpSink) -> None:
    spans = b"\x12\x00" * (6 << 20)
    scope = b"\x12" + _varint(len(spans)) + spans
    flood = b"\x0a" + _varint(len(scope)) + scope
    async with running(otlp_sink) as live, grpc.aio.insecure_channel(live.grpc) as channel:
        response = await live.post(flood)
        assert response.status_code == 413
        assert b"more than 2000000 spans" in response.content
        call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(gzip.compress(flood))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        refused = await live.metric("agent_eval_gateway_refused_total", agent_eval_refusal="too_large")
        await alive(live, otlp_sink)
    assert refused == 2


async def test_silent_connections_do_not_hold_up_others(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live, contextlib.AsyncExitStack() as stack:
        for endpoint in [live.http.removeprefix("http://"), live.grpc] * 200:
            host, _, port = endpoint.rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
        await alive(live, otlp_sink)


async def test_who_sends_too_much_comes_back_later_and_others_do_not_wait(otlp_sink: OtlpSink) -> None:
    def limited(config: dict[str, Any]) -> None:
        config["receivers"]["otlp"]["limits"] = {"requests_per_second": 1}

    sent = [span() for _ in range(15)]
    async with running(otlp_sink, change=limited) as live:
        answers = [(await live.send(traces(item))).status_code for item in sent]
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=transport) as other:
            body = traces(span("of another")).SerializeToString()
            headers = {"content-type": "application/x-protobuf"}
            assert (await other.post(f"{live.http}/v1/traces", content=body, headers=headers)).status_code == 200
        assert set(answers) == {200, 429}
        await arrived(otlp_sink, Signal.TRACES, answers.count(200) + 1)
        refused = await live.metric("agent_eval_gateway_refused_total", agent_eval_refusal="throttled")
    assert refused == answers.count(429)


async def test_parents_in_a_circle_do_not_matter(otlp_sink: OtlpSink) -> None:
    trace = secrets.token_bytes(16)
    ids = [secrets.token_bytes(8) for _ in range(5)]
    circle = [
        answer(f"Paris, {n}.", trace_id=trace, span_id=own_id, parent_span_id=ids[n - 1])
        for n, own_id in enumerate(ids)
    ]
    async with running(otlp_sink, context_wait="500ms") as live:
        assert (await live.send(traces(*circle))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 5)
        await alive(live, otlp_sink)
    assert all(own(item) for item in otlp_sink.spans())


async def test_wide_trace_arrives_whole(otlp_sink: OtlpSink) -> None:
    trace = secrets.token_bytes(16)
    root = span("agent", {"gen_ai.operation.name": "invoke_agent"}, trace_id=trace)
    calls = [answer(f"Answer {n} rude", trace_id=trace, parent_span_id=root.span_id) for n in range(2_000)]
    async with running(otlp_sink) as live:
        assert (await live.send(traces(*calls, root))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 2_001, 60)
    got = {item.span_id: own(item) for item in otlp_sink.spans()}
    assert len(got) == len(otlp_sink.spans())
    assert all("agent_eval.rudeness.outcome" in got[call.span_id] for call in calls)


async def test_many_plain_spans_in_one_trace(otlp_sink: OtlpSink) -> None:
    trace = secrets.token_bytes(16)
    parent = b""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(20_000):  # each the child of the one before
        own_id = number.to_bytes(8, "big") if number else b"\xff" * 8
        scope.spans.add(trace_id=trace, span_id=own_id, parent_span_id=parent, name="step")
        parent = own_id
    leaf = answer("Paris.", trace_id=trace, parent_span_id=parent)
    async with running(otlp_sink, context_wait="1s") as live:
        assert (await live.send(request)).status_code == 200
        assert (await live.send(traces(leaf))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 20_001, 20)
    assert own(otlp_sink.spans()[-1])["agent_eval.label"] == "pass"


async def test_a_thousand_requests_at_once(otlp_sink: OtlpSink) -> None:
    sent = [answer(f"Paris {n}.") if n % 10 == 0 else span() for n in range(1_000)]
    async with running(otlp_sink) as live, grpc.aio.insecure_channel(live.grpc) as channel:
        export = TraceServiceStub(channel).Export
        await asyncio.gather(*(export(traces(item)) for item in sent))
        await arrived(otlp_sink, Signal.TRACES, 1_000, 30)
    got = [item.span_id for item in otlp_sink.spans()]
    assert sorted(got) == sorted(item.span_id for item in sent)


async def test_slow_sender_does_not_hold_up_others(otlp_sink: OtlpSink) -> None:
    body = traces(span()).SerializeToString()
    async with running(otlp_sink) as live:
        host, _, port = live.http.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        headers = ("Host: x", "Content-Type: application/x-protobuf", f"Content-Length: {len(body)}")
        writer.write("\r\n".join(("POST /v1/traces HTTP/1.1", *headers, "", "")).encode() + body[:10])
        await alive(live, otlp_sink)
        writer.write(body[10:])
        assert b"200" in await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        await arrived(otlp_sink, Signal.TRACES, 2)


async def test_sender_that_goes_away_while_it_is_read_loses_nothing(otlp_sink: OtlpSink) -> None:
    sent = [answer(f"Paris {n}.") for n in range(300)]
    async with running(otlp_sink) as live:
        with pytest.raises(httpx.ReadTimeout):
            await live.client.post(
                f"{live.http}/v1/traces",
                content=traces(*sent).SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
                timeout=httpx.Timeout(30, read=0.001),
            )
        assert (await live.send(traces(*sent))).status_code == 200  # as exporters do
        await arrived(otlp_sink, Signal.TRACES, 300, 20)
        await asyncio.sleep(1)
        counted = await live.metric("agent_eval_evaluations_raw_total")
    assert {item.span_id for item in otlp_sink.spans()} == {item.span_id for item in sent}
    assert all(own(item).get("agent_eval.rudeness.outcome") for item in otlp_sink.spans())
    assert counted == 300


async def test_services_without_number_are_counted_as_others(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink, limits={"dimension_values": 10}, context_wait="100ms") as live:
        for first in range(0, 500, 50):
            request = ExportTraceServiceRequest()
            for number in range(first, first + 50):
                request.MergeFrom(traces(answer("Paris."), service=f"svc-{number}-{secrets.token_hex(50)}"))
            await live.send(request)
        await arrived(otlp_sink, Signal.TRACES, 500, 20)
        page = (await live.client.get(f"{live.admin}/metrics")).text
        total = await live.metric("agent_eval_evaluations_raw_total", agent_eval_outcome="scored")
    assert total == 500
    services = {part.split('"')[0] for part in page.split('service_name="')[1:]}
    assert len(services) <= 12
    assert "__other__" in services


async def test_answer_of_megabytes_is_forwarded_whole(otlp_sink: OtlpSink) -> None:
    sent = answer("Paris is the capital of France. " * 100_000)
    async with running(otlp_sink) as live:
        assert (await live.send(traces(sent))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 1, 20)
    assert without_own(otlp_sink.spans()[0]) == sent


async def test_json_with_lone_surrogates_does_not_break_it(otlp_sink: OtlpSink) -> None:
    item = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "chat",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.output.messages", "value": {"stringValue": messages("assistant", "Paris \ud800.")}},
        ],
    }
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [item]}]}]})
    async with running(otlp_sink) as live:
        response = await live.post(body.encode(), headers={"content-type": "application/json"})
        assert response.status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 1)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "pass"


async def test_text_that_is_not_utf8_costs_only_its_broken_bytes(otlp_sink: OtlpSink) -> None:
    sent = traces(answer("Paris XX."), span("plain")).SerializeToString().replace(b"XX", b"\xff\xc3")
    async with running(otlp_sink) as live:
        assert (await live.post(sent)).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 2)
    judged = next(item for item in otlp_sink.spans() if own(item))
    assert own(judged)["agent_eval.label"] == "pass"
    assert "Paris ??." in str(judged)
