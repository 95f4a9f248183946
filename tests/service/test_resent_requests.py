"""A batch that is sent again gets the same scores, and is neither counted nor published again."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from durable import kill, on_disk
from live_gateway import Live, arrived, running
from service_samples import OPENAI_SCOPE, answer, content_log, own, span, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal

SCORED = {"agent_eval_outcome": "scored"}


async def counted(live: Live) -> float:
    return await live.metric("agent_eval_evaluations_raw_total", **SCORED)


def events(sink: OtlpSink) -> Counter[bytes]:
    return Counter(record.span_id for record in sink.logs() if record.event_name == "gen_ai.evaluation.result")


async def test_sender_that_times_out_while_its_batch_is_judged_and_sends_it_again(otlp_sink: OtlpSink) -> None:
    batch = traces(answer("sleep 1 rude"), answer("Paris."), span())
    async with running(otlp_sink) as live:
        with pytest.raises(httpx.TimeoutException):  # the answer comes, but too late for this sender
            await live.client.post(
                f"{live.http}/v1/traces",
                content=batch.SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
                timeout=httpx.Timeout(5, read=0.0001),
            )
        assert (await live.send(batch)).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 6)
        await arrived(otlp_sink, Signal.LOGS, 2)
        assert await counted(live) == 2
    assert_same_scores(otlp_sink, copies=2)
    assert set(events(otlp_sink).values()) == {1}


async def test_batch_sent_again_and_again_after_it_was_judged(otlp_sink: OtlpSink) -> None:
    batch = traces(answer("You are rude"), answer("Paris."), span())
    async with running(otlp_sink) as live:
        for copies in (1, 2, 3):
            assert (await live.send(batch)).status_code == 200
            await arrived(otlp_sink, Signal.TRACES, 3 * copies)
        assert await counted(live) == 2
    assert_same_scores(otlp_sink, copies=3)
    assert set(events(otlp_sink).values()) == {1}


@pytest.mark.parametrize("mode", ["annotate", "side"])
async def test_batch_sent_again_after_a_restart_has_its_scores_and_is_not_counted_again(
    otlp_sink: OtlpSink, tmp_path: Path, mode: str
) -> None:
    judged, waits = answer("You are rude"), answer("Paris.", parent_span_id=b"2" * 8)  # for its parent
    batch = traces(judged, waits, span())
    async with running(otlp_sink, mode=mode, context_wait="60s", change=on_disk(tmp_path)) as live:
        await live.send(batch)
        await arrived(otlp_sink, Signal.LOGS, 1)
        await kill(live, "otlphttp/0")
        assert await counted(live) == 1
    with OtlpSink() as next_sink:
        async with running(next_sink, mode=mode, context_wait="1s", change=on_disk(tmp_path)) as live:
            await arrived(next_sink, Signal.LOGS, 1)  # of what was not judged before
            assert (await live.send(batch)).status_code == 200
            await arrived(next_sink, Signal.TRACES, 4 if mode == "annotate" else 3)
            await asyncio.sleep(0.2)  # for an event or a count that should not come
            assert await counted(live) == 1
        assert events(next_sink) == {waits.span_id: 1}
        if mode == "annotate":
            scores = {item.span_id: own(item).get("agent_eval.rudeness.score") for item in next_sink.spans()}
            assert (scores[judged.span_id], scores[waits.span_id]) == (0.9, 0.2)


async def test_answer_whose_content_came_in_a_log_record_is_not_counted_again_after_a_restart(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    item = answer()
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(content_log(item, "You are rude"))
        await live.send(traces(item, scope=OPENAI_SCOPE))
        await arrived(otlp_sink, Signal.TRACES, 1)
        await arrived(otlp_sink, Signal.LOGS, 2)
        await kill(live, "otlphttp/0")
    with OtlpSink() as next_sink:
        async with running(next_sink, change=on_disk(tmp_path)) as live:
            await asyncio.sleep(0.3)  # until it is recalled
            await live.send(traces(item, scope=OPENAI_SCOPE))
            await arrived(next_sink, Signal.TRACES, 1)
            assert await counted(live) == 0
        assert own(next_sink.spans()[0])["agent_eval.label"] == "fail"
        assert not events(next_sink)


async def test_another_answer_under_the_ids_of_one_judged_before_a_restart_is_counted(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    first = answer("You are rude")
    other = answer("Paris.", trace_id=first.trace_id, span_id=first.span_id)
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(traces(first))
        await arrived(otlp_sink, Signal.LOGS, 1)
        await kill(live, "otlphttp/0")
    with OtlpSink() as next_sink:
        async with running(next_sink, change=on_disk(tmp_path)) as live:
            await asyncio.sleep(0.3)  # until it is recalled
            await live.send(traces(other))
            await arrived(next_sink, Signal.LOGS, 1)
            assert await counted(live) == 1


def assert_same_scores(sink: OtlpSink, *, copies: int) -> None:
    """Every span came so often, each time with the same attributes."""
    seen: dict[bytes, list[dict[str, Any]]] = {}
    for item in sink.spans():
        seen.setdefault(item.span_id, []).append(own(item))
    for written in seen.values():
        assert written == [written[0]] * copies
    labels = [copy[0].get("agent_eval.label", "") for copy in seen.values()]
    assert sorted(labels) == ["", "fail", "pass"]
