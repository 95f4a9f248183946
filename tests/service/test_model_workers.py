"""Telemetry flows on, and says what it lacks, when models crash, hang, are killed, or have too much to do."""

import asyncio
import logging
import multiprocessing
import os
import signal
from collections import Counter

import pytest
from live_gateway import Live, arrived, running
from service_samples import answer, own, span, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal


def outcome(sink: OtlpSink, span_id: bytes) -> tuple[str, str]:
    """Return how the evaluation of an answer ended, and its reason or label."""
    (written,) = (own(item) for item in sink.spans() if item.span_id == span_id)
    found = written["agent_eval.rudeness.outcome"]
    return found, written["agent_eval.label" if found == "scored" else "agent_eval.rudeness.reason"]


async def up(live: Live, workers: int) -> None:
    """Wait until so many workers can judge."""
    while await live.metric("agent_eval_gateway_workers") != workers:  # noqa: ASYNC110 (nothing tells)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("order", "reason", "patience"), [("die", "WorkerCrashed", "30s"), ("hang", "WorkerStuck", "2s")]
)
async def test_an_answer_that_breaks_the_models_has_failed_and_the_next_is_scored(
    otlp_sink: OtlpSink, order: str, reason: str, patience: str
) -> None:
    broken, after = answer(f"{order} now"), answer("You are rude")
    async with running(otlp_sink, worker="process", worker_timeout=patience, score_deadline="60s") as live:
        assert await live.metric("agent_eval_gateway_workers") == 1
        await live.send(traces(broken, span()))
        await arrived(otlp_sink, Signal.TRACES, 2, 60)
        assert (await live.client.get(f"{live.admin}/readyz")).status_code == 200
        await live.send(traces(after))
        await arrived(otlp_sink, Signal.TRACES, 3, 60)
        await up(live, 1)
        assert await live.metric("agent_eval_gateway_worker_endings_total", error_type=reason) == 1
        assert await live.metric("agent_eval_evaluation_errors_total", error_type=reason) == 1
    assert outcome(otlp_sink, broken.span_id) == ("failed", reason)
    assert outcome(otlp_sink, after.span_id) == ("scored", "fail")


async def test_models_that_the_system_kills_while_they_wait_cost_no_score(otlp_sink: OtlpSink) -> None:
    sent = [answer("You are kind") for _ in range(2)]
    async with running(otlp_sink, worker="process", workers=2, score_deadline="60s") as live:
        for number, item in enumerate(sent):
            await live.send(traces(item))
            await arrived(otlp_sink, Signal.TRACES, number + 1, 60)
            for child in multiprocessing.active_children():
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)
            while await live.metric("agent_eval_gateway_worker_endings_total") < 2 * (number + 1):  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.05)
            await up(live, 2)
        assert await live.metric("agent_eval_gateway_worker_endings_total", error_type="WorkerKilled") == 4
        assert await live.metric("agent_eval_evaluation_errors_total") == 0
    assert [outcome(otlp_sink, item.span_id) for item in sent] == [("scored", "pass")] * 2


async def test_a_hang_in_a_thread_fails_what_comes_after_and_the_rest_flows(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, after, plain = answer("sleep 8"), answer("Paris."), span()
    async with running(otlp_sink, worker="thread", worker_timeout="1s", score_deadline="2s") as live:
        await live.send(traces(stuck))
        await up(live, 0)
        await live.send(traces(after, plain))
        await arrived(otlp_sink, Signal.TRACES, 3, 30)
    assert outcome(otlp_sink, stuck.span_id) == outcome(otlp_sink, after.span_id) == ("failed", "WorkerStuck")
    assert [record.levelno for record in caplog.records if "thread cannot be killed" in record.message] == [
        logging.ERROR
    ]


async def test_with_too_much_to_do_the_least_important_is_left_out_and_the_log_says_so(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    evaluators = {"slowness": {"priority": 10}, "rudeness": {"priority": 20}}
    async with running(otlp_sink, evaluators=evaluators, score_deadline="6s") as live:
        await live.send(traces(*(answer(f"Answer {number}.") for number in range(60))))
        await arrived(otlp_sink, Signal.TRACES, 60, 60)
        counted = await live.metric(
            "agent_eval_evaluations_raw_total", agent_eval_reason="overloaded", gen_ai_evaluation_name="slowness"
        )
    written = [own(item) for item in otlp_sink.spans()]
    assert {item["agent_eval.rudeness.outcome"] for item in written} == {"scored"}
    slow = Counter(item.get("agent_eval.slowness.reason", "scored") for item in written)
    assert slow["overloaded"] == counted > 20
    assert slow["scored"] > 0
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert warning.message.startswith("answers come faster than they can be scored")
    assert vars(warning)["left_out"] == ["slowness"]
