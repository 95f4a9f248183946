"""While memory is short, senders keep what they have and answers are not scored; when it is not, all goes on."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from live_gateway import Live, arrived, running
from service_samples import answer, content_log, gauge, own, span, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.service.memory import MIB, memory_in_use
from otel_agent_eval.signals import Signal

ROOM = 200
"""MiB that the tests' own process may take beyond what it has; nothing else here takes nearly as much."""


def limit(config: dict[str, Any]) -> None:
    """Put a memory limiter before traces and logs."""
    limits = {"check_interval": "100ms", "limit_mib": memory_in_use() // MIB + 2 * ROOM, "spike_limit_mib": ROOM}
    config["processors"] = {"memory_limiter": limits, **config["processors"]}
    for signal in ("traces", "logs"):
        config["service"]["pipelines"][signal]["processors"].insert(0, "memory_limiter")


async def becomes(live: Live, status: int) -> None:
    """Wait until requests are answered so."""
    while (await live.send(traces(span()))).status_code != status:  # noqa: ASYNC110 (nothing tells)
        await asyncio.sleep(0.05)


async def test_requests_are_refused_and_answers_not_scored_until_memory_is_enough_again(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    silent = answer()
    async with running(otlp_sink, change=limit, context_wait="60s") as live:
        before = await live.metric("agent_eval_gateway_memory_bytes")
        await live.send(traces(silent, scope="opentelemetry.instrumentation.openai_v2"))  # waits for its content
        hog = b"x" * (int(1.5 * ROOM) * MIB)
        await becomes(live, 503)
        refused = await live.send(traces(answer("Paris.")))
        assert refused.headers["retry-after"] == "1"
        assert (await live.send(content_log(silent, "Paris."))).status_code == 503
        assert (await live.send(gauge())).status_code == 200  # its pipeline does not name the limiter
        assert await live.metric("agent_eval_gateway_memory_bytes") - before > ROOM * MIB
        assert await live.metric("agent_eval_gateway_refused_total", agent_eval_refusal="memory") >= 3
        del hog
        await becomes(live, 200)
        judged = answer("Paris.")
        await live.send(traces(judged))
        await live.send(content_log(silent, "Paris."))
        while not {judged.span_id, silent.span_id} <= {item.span_id for item in otlp_sink.spans()}:  # noqa: ASYNC110 (the sink does not tell)
            await asyncio.sleep(0.05)
    labels = {item.span_id: own(item).get("agent_eval.label") for item in otlp_sink.spans()}
    assert labels[judged.span_id] == labels[silent.span_id] == "pass"
    messages = [record.message for record in caplog.records if record.name.endswith("service.memory")]
    assert [message.split(":")[0] for message in messages] == ["memory is short", "memory is enough again"]


async def test_what_is_ready_to_be_scored_while_memory_is_short_leaves_as_overloaded(otlp_sink: OtlpSink) -> None:
    orphan = answer("Paris.", parent_span_id=b"elsewher")
    async with running(otlp_sink, change=limit, context_wait="3s") as live:
        await live.send(traces(orphan))
        hog = b"x" * (int(1.5 * ROOM) * MIB)
        await becomes(live, 503)
        await arrived(otlp_sink, Signal.TRACES, 1, 30)
        del hog
        counted = await live.metric("agent_eval_evaluations_raw_total", agent_eval_reason="overloaded")
    (left,) = (item for item in otlp_sink.spans() if item.span_id == orphan.span_id)
    assert own(left)["agent_eval.rudeness.reason"] == "overloaded"
    assert counted == 1


async def test_what_was_kept_long_enough_is_forgotten_though_no_request_is_taken(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink, change=limit, context_wait="100ms", score_deadline="100ms") as live:
        await live.send(traces(answer("Paris.")))
        await arrived(otlp_sink, Signal.TRACES, 1)
        hog = b"x" * (int(1.5 * ROOM) * MIB)
        await becomes(live, 503)
        line = live.gateway._judges._line
        assert line is not None
        while line.scoring._judging._timer is not None:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.05)
        assert line.assembler.traces == 1
        line.assembler._limits = replace(line.assembler._limits, idle=0.0)  # as if two minutes had passed
        async with asyncio.timeout(20):
            while line.assembler.traces:  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.05)
        del hog


async def test_when_memory_is_exhausted_the_content_kept_for_spans_to_come_is_forgotten_bit_by_bit(
    otlp_sink: OtlpSink,
) -> None:
    async with running(otlp_sink, change=limit, context_wait="60s") as live:
        for _ in range(8):
            await live.send(content_log(answer(), "Paris."))
        hog = b"x" * (int(2.5 * ROOM) * MIB)
        while await live.metric("agent_eval_gateway_evictions_total", agent_eval_bound="logs") < 7:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.05)
        del hog
        await becomes(live, 200)


async def test_a_limit_below_what_is_loaded_is_an_error_at_start(otlp_sink: OtlpSink) -> None:
    def too_low(config: dict[str, Any]) -> None:
        limit(config)
        config["processors"]["memory_limiter"] = {"limit_mib": 1}

    with pytest.raises(ValueError, match=r"processors.memory_limiter: \d+ MiB are taken before anything has come in"):
        async with running(otlp_sink, change=too_low):
            pass
