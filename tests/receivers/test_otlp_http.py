"""Each rule of OTLP over HTTP, by requests made by hand against a real server."""

import asyncio
import base64
import contextlib
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator

import httpx
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from receivers.conftest import LIMIT, Kept

from otel_agent_eval.receivers import Cause, Intake, OtlpHttpReceiver, Transport
from otel_agent_eval.signals import Refused, Signal

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
UNKNOWN_FIELD = bytes.fromhex("a20603616263")  # field 100, length-delimited, "abc"


def traces(name: str = "s", spans: int = 2) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for _ in range(spans):
        scope.spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    return request


BODY = traces().SerializeToString()


@pytest.fixture
async def client(http_receiver: OtlpHttpReceiver) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{http_receiver.endpoint}", trust_env=False) as client:
        yield client


async def test_protobuf_is_kept_byte_for_byte_with_fields_nobody_knows(client: httpx.AsyncClient, kept: Kept) -> None:
    body = BODY + UNKNOWN_FIELD
    answer = await client.post("/v1/traces", content=body, headers=PROTOBUF)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert (kept.payloads[0].signal, kept.payloads[0].body, kept.payloads[0].items) == (Signal.TRACES, body, 2)
    assert kept.messages[0].SerializeToString() == body
    assert kept.observed == [(Signal.TRACES, Transport.HTTP, 2, None)]


async def test_json_arrives_as_protobuf_and_is_answered_in_json(client: httpx.AsyncClient, kept: Kept) -> None:
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "AB" * 16, "spanId": "cd" * 8, "kind": 2}]}]}]}
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = await client.post("/v1/traces", content=json.dumps(document), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"
    span = ExportTraceServiceRequest.FromString(kept.payloads[0].body).resource_spans[0].scope_spans[0].spans[0]
    assert (span.trace_id.hex(), span.span_id.hex(), span.kind) == ("ab" * 16, "cd" * 8, 2)


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("headers", [PROTOBUF, JSON])
async def test_empty_request_succeeds_for_every_signal(
    client: httpx.AsyncClient, kept: Kept, signal: Signal, headers: dict[str, str]
) -> None:
    content = b"{}" if headers is JSON else b""
    answer = await client.post(f"/v1/{signal}", content=content, headers=headers)
    assert (answer.status_code, answer.content) == (200, content)
    assert kept.payloads == []


@pytest.mark.parametrize("members", [1, 3])
async def test_gzip_of_one_or_several_members_is_inflated(client: httpx.AsyncClient, kept: Kept, members: int) -> None:
    size = -(-len(BODY) // members)
    body = b"".join(gzip.compress(BODY[i : i + size]) for i in range(0, len(BODY), size))
    answer = await client.post("/v1/traces", content=body, headers=PROTOBUF | {"content-encoding": "gzip"})
    assert answer.status_code == 200
    assert kept.payloads[0].body == BODY


@pytest.mark.parametrize(
    "body",
    [gzip.compress(BODY)[:-3], b"not gzip", b"", gzip.compress(BODY) + b"junk", gzip.compress(b"") * 5000],
    ids=["truncated", "other", "nothing", "trailing junk", "thousands of members"],
)
async def test_broken_gzip_is_a_bad_request(client: httpx.AsyncClient, kept: Kept, body: bytes) -> None:
    answer = await client.post("/v1/traces", content=body, headers=PROTOBUF | {"content-encoding": "gzip"})
    assert answer.status_code == 400
    assert kept.payloads == []


async def test_undecodable_protobuf_gets_a_status_with_bad_request_in_protobuf(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/traces", content=b"\xff\xff\xff", headers=PROTOBUF)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/x-protobuf"
    status = Status.FromString(answer.content)
    detail = BadRequest()
    assert status.details[0].Unpack(detail)
    assert status.code == 3
    assert detail.field_violations[0].description == status.message


async def test_undecodable_json_gets_a_status_with_bad_request_in_json(client: httpx.AsyncClient, kept: Kept) -> None:
    answer = await client.post("/v1/logs", content=b"[1", headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["code"] == 3
    assert answer.json()["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert kept.observed == [(Signal.LOGS, Transport.HTTP, 0, Cause.MALFORMED)]


@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
async def test_too_large_before_decompression_is_413(client: httpx.AsyncClient, kept: Kept, declared: bool) -> None:
    body = b"\n" * (LIMIT + 1)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]

    answer = await client.post("/v1/traces", content=body if declared else chunks(), headers=PROTOBUF)
    assert answer.status_code == 413
    assert Status.FromString(answer.content).code == 8
    assert "retry-after" not in answer.headers
    assert kept.observed == [(Signal.TRACES, Transport.HTTP, 0, Cause.TOO_LARGE)]


async def test_far_too_large_request_is_answered_without_reading_it_all(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(4000):
            sent += 1 << 16
            yield b"\n" * (1 << 16)

    with contextlib.suppress(httpx.TransportError):  # whether the answer is read before the reset is a race
        answer = await client.post("/v1/traces", content=endless(), headers=PROTOBUF)
        assert answer.status_code == 413
    assert sent < 100 * LIMIT


async def test_request_that_declares_far_too_much_is_answered_at_once(http_receiver: OtlpHttpReceiver) -> None:
    host, port = http_receiver.endpoint.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/logs HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {10 * LIMIT}\r\n\r\n"
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 0.9)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_exactly_the_limit_is_accepted(client: httpx.AsyncClient, kept: Kept) -> None:
    overhead = traces("x" * LIMIT, 1).ByteSize() - LIMIT
    request = traces("x" * (LIMIT - overhead), 1)
    assert request.ByteSize() == LIMIT
    answer = await client.post("/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)
    assert answer.status_code == 200
    assert kept.payloads[0].items == 1


async def test_gzip_bomb_is_413_and_never_inflated(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b"\0" * (100 * LIMIT), 1)
    assert len(bomb) < LIMIT
    tracemalloc.start()
    answer = await client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 10 * LIMIT


async def test_refusal_is_503_with_retry_after_and_retry_info(client: httpx.AsyncClient, kept: Kept) -> None:
    kept.error = Refused("queue is full", retry_after=2.5)
    answer = await client.post("/v1/traces", content=BODY, headers=PROTOBUF)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    status = Status.FromString(answer.content)
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message, info.retry_delay.ToMilliseconds()) == (14, "queue is full", 2500)
    assert kept.observed == [(Signal.TRACES, Transport.HTTP, 2, Cause.FULL)]


async def test_unforeseen_error_is_retryable_leaks_nothing_and_is_logged_once(
    client: httpx.AsyncClient, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    kept.error = KeyError("a secret answer")
    for _ in range(3):
        answer = await client.post("/v1/traces", content=BODY, headers=PROTOBUF)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert b"secret" not in answer.content
    records = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [vars(record)["error"] for record in records] == ["KeyError"]
    assert "secret" not in caplog.text


async def test_fault_of_our_own_while_decoding_is_retryable_too(
    client: httpx.AsyncClient, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agent_eval.receivers.intake.parse", None)
    answer = await client.post("/v1/traces", content=BODY, headers=PROTOBUF)
    assert answer.status_code == 503
    assert kept.observed == [(Signal.TRACES, Transport.HTTP, 0, Cause.INTERNAL)]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_unknown_content_type_is_415(client: httpx.AsyncClient, kept: Kept, content_type: str) -> None:
    answer = await client.post("/v1/traces", content=BODY, headers={"content-type": content_type})
    assert answer.status_code == 415
    assert "application/x-protobuf" in answer.json()["message"]
    assert kept.observed == [(Signal.TRACES, Transport.HTTP, 0, Cause.UNSUPPORTED_MEDIA_TYPE)]


async def test_unknown_content_encoding_is_415_and_names_what_is_understood(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/traces", content=BODY, headers=PROTOBUF | {"content-encoding": "br"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip, identity")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_405_with_allow(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/v1/traces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/profiles", "/v1/traces/", "/v1/TRACES"])
async def test_other_paths_are_404_with_a_status(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, content=BODY, headers=PROTOBUF)
    assert answer.status_code == 404
    assert Status.FromString(answer.content).code == 12


async def test_signal_without_a_pipeline_is_404(kept: Kept) -> None:
    receiver = OtlpHttpReceiver(Intake(kept), "127.0.0.1:0", signals={Signal.TRACES})
    await receiver.start()
    async with httpx.AsyncClient(base_url=f"http://{receiver.endpoint}", trust_env=False) as client:
        assert (await client.post("/v1/traces", content=BODY, headers=PROTOBUF)).status_code == 200
        assert (await client.post("/v1/logs", content=b"", headers=PROTOBUF)).status_code == 404
    await receiver.stop(0)


@pytest.mark.parametrize("form", ["json", "gzip"])
async def test_large_request_is_decoded_while_others_are_answered(
    client: httpx.AsyncClient, kept: Kept, form: str
) -> None:
    request = traces("x" * 100, 4000)
    body, headers = gzip.compress(request.SerializeToString(), 0), PROTOBUF | {"content-encoding": "gzip"}
    if form == "json":
        body, headers = json_format.MessageToJson(request).encode(), JSON
        body = body.replace(base64.b64encode(b"t" * 16), b"ab" * 16).replace(base64.b64encode(b"s" * 8), b"cd" * 8)
    large = asyncio.create_task(client.post("/v1/traces", content=body, headers=headers))
    while not large.done():
        assert (await client.post("/v1/logs", content=b"", headers=PROTOBUF)).status_code == 200
    assert (await large).status_code == 200
    assert kept.payloads[0].items == 4000


async def test_only_listed_headers_travel_on(client: httpx.AsyncClient, kept: Kept) -> None:
    headers = PROTOBUF | {"X-SCOPE-orgid": "team-a", "authorization": "Bearer secret"}
    await client.post("/v1/traces", content=BODY, headers=headers)
    assert kept.payloads[0].metadata == {"x-scope-orgid": "team-a"}


async def test_listed_header_that_cannot_travel_is_a_bad_request(client: httpx.AsyncClient, kept: Kept) -> None:
    answer = await client.post("/v1/traces", content=BODY, headers={**PROTOBUF, "x-scope-orgid": "t\xe9am".encode()})
    assert answer.status_code == 400
    assert kept.payloads == []


async def test_slow_body_is_asked_to_try_again(http_receiver: OtlpHttpReceiver) -> None:
    host, port = http_receiver.endpoint.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n"
    )
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer.lower()


async def test_sender_that_hangs_up_harms_nobody(
    http_receiver: OtlpHttpReceiver, client: httpx.AsyncClient, kept: Kept
) -> None:
    host, port = http_receiver.endpoint.split(":")
    for request in (
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n",
        b"\x16\x03\x01nonsense\r\n\r\n",
        b"",
    ):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        await writer.drain()
        writer.close()
    assert (await client.post("/v1/traces", content=BODY, headers=PROTOBUF)).status_code == 200
    assert len(kept.payloads) == 1


async def test_connection_is_kept_alive(client: httpx.AsyncClient) -> None:
    ports = set()
    for _ in range(3):
        answer = await client.post("/v1/traces", content=BODY, headers=PROTOBUF)
        ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1


async def test_stop_lets_a_request_in_flight_finish_and_closes_the_port() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        entered.set()
        await release.wait()

    receiver = OtlpHttpReceiver(Intake(slow), "127.0.0.1:0")
    await receiver.start()
    async with httpx.AsyncClient(base_url=f"http://{receiver.endpoint}", trust_env=False) as client:
        request = asyncio.create_task(client.post("/v1/traces", content=BODY, headers=PROTOBUF))
        await entered.wait()
        stop = asyncio.create_task(receiver.stop(5))
        await asyncio.sleep(0.3)
        release.set()
        assert (await request).status_code == 200
        await stop
        with pytest.raises(httpx.ConnectError):
            await client.post("/v1/traces", content=BODY, headers=PROTOBUF)


async def test_request_that_outlasts_the_grace_gets_a_retryable_answer() -> None:
    entered = asyncio.Event()

    async def stuck(*_: object) -> None:
        entered.set()
        await asyncio.sleep(60)

    receiver = OtlpHttpReceiver(Intake(stuck), "127.0.0.1:0")
    await receiver.start()
    async with httpx.AsyncClient(base_url=f"http://{receiver.endpoint}", trust_env=False) as client:
        request = asyncio.create_task(client.post("/v1/traces", content=BODY, headers=PROTOBUF))
        await entered.wait()
        await asyncio.wait_for(receiver.stop(0.1), 5)
        assert (await request).status_code == 503


async def test_request_on_an_open_connection_while_stopping_is_retryable(
    intake: Intake, client: httpx.AsyncClient
) -> None:
    intake.stop()
    answer = await client.post("/v1/traces", content=BODY, headers=PROTOBUF)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
