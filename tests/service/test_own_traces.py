"""Spans of the gateway's own work: there when they are wanted, without content, and never round in circles."""

from typing import Any

import pytest
import yaml
from live_gateway import arrived, running
from service_samples import answer, attributes_of, span, traces
from support.otlp_sink import UNAVAILABLE, OtlpSink

from otel_agent_eval.config import ConfigError
from otel_agent_eval.config.load import loads
from otel_agent_eval.signals import Signal


def to(endpoint: str, protocol: str, ratio: float = 1.0) -> dict[str, Any]:
    exporter = {"otlp": {"endpoint": endpoint, "protocol": protocol}}
    return {"processors": [{"batch": {"exporter": exporter}}], "sampler": {"trace_id_ratio_based": {"ratio": ratio}}}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_receiving_judging_and_sending_each_make_a_span(protocol: str, otlp_sink: OtlpSink) -> None:
    with OtlpSink() as own:
        endpoint = f"http://{own.grpc_endpoint}" if protocol == "grpc" else own.http_endpoint

        def observed(config: dict[str, Any]) -> None:
            config["service"]["telemetry"]["traces"] = to(endpoint, protocol)

        judged = answer("You are rude")
        async with running(otlp_sink, change=observed) as live:
            await live.send(traces(judged, span()))
            await arrived(otlp_sink, Signal.TRACES, 2)
        made = {item.name: item for item in own.spans()}
        assert set(made) == {"receive", "judge", "send"}
        assert attributes_of(made["receive"]) == {"agent_eval.signal": "traces", "agent_eval.items": 2}
        assert attributes_of(made["send"])["agent_eval.destination"] == "otlphttp/0"
        assert [(link.trace_id, link.span_id) for link in made["judge"].links] == [(judged.trace_id, judged.span_id)]
        assert all(item.start_time_unix_nano < item.end_time_unix_nano for item in own.spans())
        assert "rude" not in str(own.spans())
        assert {item.span_id for item in otlp_sink.spans()}.isdisjoint(item.span_id for item in own.spans())


async def test_none_are_made_of_a_ratio_of_0_and_a_dead_backend_holds_up_nothing(otlp_sink: OtlpSink) -> None:
    with OtlpSink() as own, OtlpSink() as dead:
        dead.answer(UNAVAILABLE)
        for endpoint, ratio in ((own.http_endpoint, 0.0), (dead.http_endpoint, 1.0)):

            def observed(config: dict[str, Any], endpoint: str = endpoint, ratio: float = ratio) -> None:
                config["service"]["telemetry"]["traces"] = to(endpoint, "http/protobuf", ratio)

            async with running(otlp_sink, change=observed) as live:
                assert (await live.send(traces(span()))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 2)
        assert own.spans() == []


async def test_a_gateway_that_would_trace_into_itself_is_refused(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        live.config["service"]["telemetry"]["traces"] = to(live.http, "http/protobuf")
        with pytest.raises(ConfigError, match="is this gateway itself"):
            loads(yaml.safe_dump(live.config), "test", {})
