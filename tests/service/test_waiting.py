"""How long spans wait, for what, and what becomes of what comes late or twice."""

import asyncio
import logging
import time

import pytest
from live_gateway import arrived, running
from service_samples import OPENAI_SCOPE, answer, attributes_of, content_log, own, span, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal


async def test_content_that_came_in_a_log_record_before_its_span_is_judged_at_once(otlp_sink: OtlpSink) -> None:
    silent = answer()
    async with running(otlp_sink, context_wait="30s") as live:
        await live.send(content_log(silent, "You are rude"))
        await live.send(traces(silent, scope=OPENAI_SCOPE))
        await arrived(otlp_sink, Signal.TRACES, 1, 5)
        await arrived(otlp_sink, Signal.LOGS, 2, 5)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"


async def test_span_waits_for_its_log_record(otlp_sink: OtlpSink) -> None:
    silent = answer()
    async with running(otlp_sink, context_wait="30s") as live:
        await live.send(traces(silent, scope=OPENAI_SCOPE))
        await asyncio.sleep(0.3)
        assert not otlp_sink.spans()
        assert await live.metric("agent_eval_gateway_held", agent_eval_lack="content") == 1
        await live.send(content_log(silent, "You are rude"))
        await arrived(otlp_sink, Signal.TRACES, 1, 5)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"


async def test_log_record_that_comes_after_its_span_left_gives_an_event_and_a_metric(otlp_sink: OtlpSink) -> None:
    silent = answer()
    async with running(otlp_sink, context_wait="200ms") as live:
        await live.send(traces(silent, scope=OPENAI_SCOPE, service="billing"))
        await arrived(otlp_sink, Signal.TRACES, 1)
        await live.send(content_log(silent, "You are rude"))
        await arrived(otlp_sink, Signal.LOGS, 2)
        scores = await live.metric("agent_eval_score_count", service_name="billing")
    assert own(otlp_sink.spans()[0])["agent_eval.rudeness.reason"] == "content_not_captured"
    assert len(otlp_sink.spans()) == 1
    (event,) = (record for record in otlp_sink.logs() if record.event_name == "gen_ai.evaluation.result")
    assert (event.span_id, attributes_of(event)["gen_ai.evaluation.score.label"]) == (silent.span_id, "fail")
    assert scores == 1


async def test_span_whose_root_does_not_come_waits_no_longer_than_context_wait(otlp_sink: OtlpSink) -> None:
    orphan = answer("Paris.", parent_span_id=b"elsewher")
    async with running(otlp_sink, context_wait="600ms") as live:
        began = time.monotonic()
        await live.send(traces(orphan))
        await arrived(otlp_sink, Signal.TRACES, 1)
    assert 0.5 < time.monotonic() - began < 3
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "pass"


async def test_span_leaves_at_the_deadline_and_its_late_score_follows_as_event_and_metric(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink, score_deadline="300ms") as live:
        await live.send(traces(answer("sleep 1 rude")))
        await arrived(otlp_sink, Signal.TRACES, 1)
        assert own(otlp_sink.spans()[0]) == {
            "agent_eval.rudeness.outcome": "skipped",
            "agent_eval.rudeness.reason": "deadline",
            "agent_eval.rudeness.evaluator": "test/rudeness@1",
        }
        await arrived(otlp_sink, Signal.LOGS, 1)
        counted = "agent_eval_evaluations_raw_total"
        late = await live.metric(counted, agent_eval_reason="deadline")
        scored = await live.metric(counted, agent_eval_outcome="scored")
        scores = await live.metric("agent_eval_score_count")
        last_failure = await live.metric("agent_eval_last_failure_timestamp_seconds", service_name="shop")
    assert attributes_of(otlp_sink.logs()[0])["gen_ai.evaluation.score.value"] == 0.9
    assert (late, scored, scores) == (1, 0, 1), "counted once, as it ended when the span left"
    assert last_failure > time.time() - 60
    assert len(otlp_sink.spans()) == 1


async def test_one_warning_says_that_scores_do_not_come_in_time(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(otlp_sink, score_deadline="100ms") as live:
        await live.send(traces(answer("sleep 1"), answer("sleep 1, too")))
        await arrived(otlp_sink, Signal.TRACES, 2)
    assert len([record for record in caplog.records if "faster than they can be scored" in record.message]) == 1


async def test_one_warning_per_service_names_the_switch(otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture) -> None:
    async with running(otlp_sink, context_wait="100ms") as live:
        with caplog.at_level(logging.WARNING):
            for service in ("billing", "billing", "shop"):
                await live.send(traces(answer(), answer(), scope=OPENAI_SCOPE, service=service))
            await arrived(otlp_sink, Signal.TRACES, 6)
    told = [record for record in caplog.records if hasattr(record, "to_capture")]
    assert sorted(record.service for record in told) == ["billing", "shop"]
    assert all("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in record.to_capture for record in told)


async def test_span_sent_again_while_it_is_held_shares_the_verdict_and_counts_once(otlp_sink: OtlpSink) -> None:
    sent = answer("sleep 0.5 rude")
    async with running(otlp_sink) as live:
        await live.send(traces(sent, span()))
        await live.send(traces(sent))
        await arrived(otlp_sink, Signal.TRACES, 3)
        counted = await live.metric("agent_eval_evaluations_raw_total", gen_ai_evaluation_score_label="fail")
    copies = [item for item in otlp_sink.spans() if item.span_id == sent.span_id]
    assert [own(copy)["agent_eval.label"] for copy in copies] == ["fail", "fail"]
    assert counted == 1
    assert len(otlp_sink.logs()) == 1


async def test_span_sent_again_after_it_left_carries_the_same_scores_at_once(otlp_sink: OtlpSink) -> None:
    sent = answer("You are rude")
    async with running(otlp_sink, events={"span_events": True}) as live:
        await live.send(traces(sent))
        await arrived(otlp_sink, Signal.TRACES, 1)
        await live.send(traces(span(), sent))
        await arrived(otlp_sink, Signal.TRACES, 3)
        counted = await live.metric("agent_eval_evaluations_raw_total", gen_ai_evaluation_score_label="fail")
    first, second = (item for item in otlp_sink.spans() if item.span_id == sent.span_id)
    assert first == second
    assert counted == 1


async def test_another_span_with_the_ids_of_one_does_not_get_its_scores(otlp_sink: OtlpSink) -> None:
    sent = answer("You are rude")
    other = answer("Good morning", trace_id=sent.trace_id, span_id=sent.span_id)
    async with running(otlp_sink) as live:
        await live.send(traces(sent, other))
        await arrived(otlp_sink, Signal.TRACES, 2)
        await live.send(traces(other))
        await arrived(otlp_sink, Signal.TRACES, 3)
    labels = [own(item).get("agent_eval.label") for item in otlp_sink.spans() if "rude" in str(item)]
    assert labels == ["fail"]
    assert all(item == other for item in otlp_sink.spans() if "rude" not in str(item))
