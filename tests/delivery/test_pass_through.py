"""From a receiver through delivery to a backend: what comes out is what went in, byte for byte."""

import asyncio

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from queued import Queued
from support.otlp_sink import OtlpSink

from otel_agent_eval.exporters import Exporter, OtlpGrpcExporter, OtlpHttpExporter, signal_urls
from otel_agent_eval.receivers import Intake, OtlpHttpReceiver
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Payload, Signal


def field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field with a number below 16."""
    return bytes([number << 3 | 2, len(content)]) + content


UNKNOWN = st.binary(max_size=5).map(lambda content: b"\xa2\x06" + bytes([len(content)]) + content)  # field 100
SPAN = st.builds(
    lambda name, value, unknown: (
        field(5, name) + field(9, field(1, b"k") + field(2, AnyValue(**value).SerializeToString())) + unknown
    ),
    st.text("abc", max_size=5).map(str.encode),
    st.sampled_from([{"string_value": "x"}, {"bytes_value": b"\xff"}, {"double_value": 0.5}, {"int_value": -1}]),
    UNKNOWN,
)
BODIES = st.lists(SPAN, max_size=3).flatmap(
    lambda spans: UNKNOWN.map(lambda tail: field(1, field(2, b"".join(field(2, span) for span in spans))) + tail)
)


@pytest.mark.parametrize("transport", ["grpc", "http"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODIES, min_size=20, max_size=30))
def test_bytes_with_fields_nobody_knows_reach_the_backend_as_they_came(transport: str, bodies: list[bytes]) -> None:
    for body in bodies:
        assert REQUEST_TYPES[Signal.TRACES].FromString(body).SerializeToString() != b""

    async def main(sink: OtlpSink) -> None:
        exporter: Exporter = (
            OtlpGrpcExporter("g", sink.grpc_endpoint, insecure=True)
            if transport == "grpc"
            else OtlpHttpExporter("h", signal_urls(sink.http_endpoint))
        )
        queued = Queued(exporter)
        await queued.start()

        async def pass_on(payload: Payload, _request: ExportRequest) -> None:
            await queued.put(payload)

        receiver = OtlpHttpReceiver(Intake(pass_on), "127.0.0.1:0")
        await receiver.start()
        async with httpx.AsyncClient(base_url=f"http://{receiver.endpoint}", trust_env=False) as client:
            for body in bodies:
                answer = await client.post(
                    "/v1/traces", content=body, headers={"content-type": "application/x-protobuf"}
                )
                assert answer.status_code == 200
        await receiver.stop(1)
        await queued.stop(5)

    with OtlpSink() as sink:
        asyncio.run(main(sink))
        assert sorted(received.body for received in sink.accepted(Signal.TRACES)) == sorted(bodies)
