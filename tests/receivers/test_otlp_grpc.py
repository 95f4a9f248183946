"""Each rule of OTLP over gRPC, by raw calls against a real server."""

import asyncio
import gzip
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from receivers.conftest import LIMIT, Kept
from receivers.test_otlp_http import BODY, UNKNOWN_FIELD

from otel_agent_eval.receivers import Cause, Intake, OtlpGrpcReceiver, Transport
from otel_agent_eval.receivers.otlp_grpc import SERVICES
from otel_agent_eval.signals import Refused, Signal


def method(signal: Signal) -> str:
    return f"/{SERVICES[signal]}/Export"


def details(error: grpc.aio.AioRpcError) -> Status:
    pairs: Iterable[Any] = error.trailing_metadata() or ()
    return Status.FromString(next(value for key, value in pairs if key == "grpc-status-details-bin"))


@pytest.fixture
async def channel(grpc_receiver: OtlpGrpcReceiver) -> AsyncIterator[grpc.aio.Channel]:
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(grpc_receiver.endpoint, options=options) as channel:
        yield channel


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_request_is_kept_byte_for_byte(
    channel: grpc.aio.Channel, kept: Kept, compression: grpc.Compression
) -> None:
    body = BODY + UNKNOWN_FIELD
    answer = await channel.unary_unary(method(Signal.TRACES))(body, compression=compression)
    assert answer == b""
    assert (kept.payloads[0].signal, kept.payloads[0].body, kept.payloads[0].items) == (Signal.TRACES, body, 2)
    assert kept.observed == [(Signal.TRACES, Transport.GRPC, 2, None)]


@pytest.mark.parametrize("signal", list(Signal))
async def test_empty_request_succeeds_for_every_signal(channel: grpc.aio.Channel, kept: Kept, signal: Signal) -> None:
    assert await channel.unary_unary(method(signal))(b"") == b""
    assert kept.payloads == []


@pytest.mark.parametrize("body", [b"\xff\xff\xff", gzip.compress(BODY)[:-3]], ids=["protobuf", "gzip"])
async def test_undecodable_request_is_invalid_argument_with_bad_request(channel: grpc.aio.Channel, body: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method(Signal.TRACES))(body)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    violations = BadRequest()
    assert details(raised.value).details[0].Unpack(violations)
    assert violations.field_violations[0].description == raised.value.details()


async def test_too_large_request_is_resource_exhausted_and_not_to_be_retried(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method(Signal.TRACES))(b"\n" * (LIMIT + 1))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(raised.value.trailing_metadata() or ())


async def test_too_large_after_decompression_is_resource_exhausted(channel: grpc.aio.Channel, kept: Kept) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method(Signal.TRACES))(b"\0" * (LIMIT + 1), compression=grpc.Compression.Gzip)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not details(raised.value).details  # no RetryInfo
    assert kept.observed == [(Signal.TRACES, Transport.GRPC, 0, Cause.TOO_LARGE)]


BOMB_SERVER = """
import asyncio, resource
from otel_agent_eval.receivers import Intake, OtlpGrpcReceiver

async def keep(payload, request):
    pass

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

async def main():
    receiver = OtlpGrpcReceiver(Intake(keep, max_bytes=16 << 20), "127.0.0.1:0")
    await receiver.start()
    before = peak()
    print(receiver.endpoint, flush=True)
    await asyncio.to_thread(input)
    print(peak() - before, flush=True)
    await receiver.stop(0)

asyncio.run(main())
"""


async def test_gzip_bomb_takes_no_more_memory_than_the_limit() -> None:
    with subprocess.Popen(  # noqa: ASYNC220 (what blocks is the test only)
        [sys.executable, "-c", BOMB_SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        endpoint = server.stdout.readline().strip()
        bomb = gzip.compress(b"\0" * (256 << 20), 1)
        async with grpc.aio.insecure_channel(endpoint) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary(method(Signal.TRACES))(bomb)
        server.stdin.write("\n")
        server.stdin.flush()
        grown_mib = int(server.stdout.readline())
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert grown_mib < 64  # of 256 MiB in the bomb; the limit is 16


async def test_refusal_is_unavailable_with_retry_info(channel: grpc.aio.Channel, kept: Kept) -> None:
    kept.error = Refused("queue is full", retry_after=2.5)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method(Signal.LOGS))(b"\n\0")
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNAVAILABLE, "queue is full")
    info = RetryInfo()
    assert details(raised.value).details[0].Unpack(info)
    assert info.retry_delay.ToMilliseconds() == 2500
    assert kept.observed == [(Signal.LOGS, Transport.GRPC, 0, Cause.FULL)]


async def test_unforeseen_error_is_unavailable_and_leaks_nothing(channel: grpc.aio.Channel, kept: Kept) -> None:
    kept.error = RuntimeError("a secret answer")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method(Signal.TRACES))(BODY)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "path", ["/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", "/x.Y/Z"]
)
async def test_other_services_are_unimplemented(channel: grpc.aio.Channel, path: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(path)(b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_signal_without_a_pipeline_is_unimplemented(kept: Kept) -> None:
    receiver = OtlpGrpcReceiver(Intake(kept), "127.0.0.1:0", signals={Signal.TRACES})
    await receiver.start()
    async with grpc.aio.insecure_channel(receiver.endpoint) as channel:
        await channel.unary_unary(method(Signal.TRACES))(BODY)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(method(Signal.LOGS))(b"")
    await receiver.stop(0)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert len(kept.payloads) == 1


async def test_only_listed_metadata_travels_on_and_repeats_are_joined(channel: grpc.aio.Channel, kept: Kept) -> None:
    metadata = (("x-scope-orgid", "a"), ("x-scope-orgid", "b"), ("authorization", "secret"))
    await channel.unary_unary(method(Signal.TRACES))(BODY, metadata=metadata)
    assert kept.payloads[0].metadata == {"x-scope-orgid": "a, b"}


async def test_stop_lets_a_request_in_flight_finish_and_refuses_new_ones() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        entered.set()
        await release.wait()

    receiver = OtlpGrpcReceiver(Intake(slow), "127.0.0.1:0")
    await receiver.start()
    async with grpc.aio.insecure_channel(receiver.endpoint) as channel:
        call = channel.unary_unary(method(Signal.TRACES))
        request = asyncio.ensure_future(call(BODY))
        await entered.wait()
        stop = asyncio.create_task(receiver.stop(5))
        await asyncio.sleep(0.1)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(BODY)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        release.set()
        assert await request == b""
        await stop


async def test_request_that_outlasts_the_grace_gets_a_retryable_answer() -> None:
    entered = asyncio.Event()

    async def stuck(*_: object) -> None:
        entered.set()
        await asyncio.sleep(60)

    receiver = OtlpGrpcReceiver(Intake(stuck), "127.0.0.1:0")
    await receiver.start()
    async with grpc.aio.insecure_channel(receiver.endpoint) as channel:
        request = asyncio.ensure_future(channel.unary_unary(method(Signal.TRACES))(BODY))
        await entered.wait()
        await asyncio.wait_for(receiver.stop(0.1), 5)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await request
        assert raised.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_hundreds_of_broken_requests_are_each_rejected_for_good_and_the_server_lives_on(
    channel: grpc.aio.Channel, kept: Kept
) -> None:
    dice = random.Random(7)  # noqa: S311 (repeatable, not secret)
    for _ in range(300):
        body = bytearray(BODY)
        for _ in range(dice.randint(1, 4)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        del body[dice.randrange(len(body)) :]
        try:
            await channel.unary_unary(method(dice.choice(list(Signal))))(bytes(body))
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 (most are accepted or rejected)
    before = len(kept.payloads)
    await channel.unary_unary(method(Signal.TRACES))(BODY)
    assert len(kept.payloads) == before + 1
