"""In side mode an answer of which no score came in time is judged all the same, whatever happens to the process."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from durable import kill, on_disk
from live_gateway import Live, arrived, running
from service_samples import answer, span, traces
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink

from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Label, Reason, Scored, Skipped
from otel_agent_eval.service.late import missing
from otel_agent_eval.signals import Signal

HASTY = {"mode": "side", "score_deadline": "100ms"}


def kept_for_scores(live: Live) -> int:
    """Count the requests that are kept for their scores."""
    segments = live.gateway._journal._kept._segments.values()
    return sum(segment.waiting["agent_eval"].requests for segment in segments if "agent_eval" in segment.waiting)


async def past_the_deadline(live: Live) -> None:
    async with asyncio.timeout(30):
        while not await live.metric("agent_eval_evaluations_total", agent_eval_reason="deadline"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def freed(live: Live) -> None:
    async with asyncio.timeout(10):
        while kept_for_scores(live):  # noqa: ASYNC110 (what is waited for is seen from outside)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_score_past_the_deadline_comes_after_the_restart(otlp_sink: OtlpSink, tmp_path: Path, end: str) -> None:
    judged, slow = answer("Paris."), answer("sleep 3 rude")
    async with running(otlp_sink, **HASTY, change=on_disk(tmp_path)) as live:
        await live.send(traces(judged))
        await arrived(otlp_sink, Signal.LOGS, 1)
        await live.send(traces(slow, span()))
        await past_the_deadline(live)
        assert kept_for_scores(live) == 1
        if end == "kill":
            await kill(live, "otlphttp/0")
    assert [event.span_id for event in otlp_sink.logs()] == [judged.span_id]
    async with running(otlp_sink, mode="side", change=on_disk(tmp_path)) as live:
        await arrived(otlp_sink, Signal.LOGS, 2)
        await freed(live)
    assert [event.span_id for event in otlp_sink.logs()] == [judged.span_id, slow.span_id]
    assert set(Counter(item.span_id for item in otlp_sink.spans()).values()) == {1}


async def test_what_the_models_have_at_a_stop_is_judged_after_the_restart(
    otlp_sink: OtlpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agent_eval.service.gateway._JUDGE_SECONDS", 0.1)
    slow = answer("sleep 3 rude")
    async with running(otlp_sink, mode="side", change=on_disk(tmp_path)) as live:
        await live.send(traces(slow))
        await arrived(otlp_sink, Signal.TRACES, 1)
    assert not otlp_sink.logs()
    async with running(otlp_sink, mode="side", change=on_disk(tmp_path)) as live:
        await arrived(otlp_sink, Signal.LOGS, 1)
        await freed(live)
    assert [event.span_id for event in otlp_sink.logs()] == [slow.span_id]
    assert len(otlp_sink.spans()) == 1


SCORED = Scored(score=0.2, label=Label.PASS, threshold=0.5)
LATE, LEFT_OUT, NOTHING_TO_SAY = (Skipped(r) for r in (Reason.DEADLINE, Reason.OVERLOADED, Reason.NO_CONTEXT))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([{"a": LATE, "b": LEFT_OUT, "c": NOTHING_TO_SAY}, {"a": LATE}], {(0, "a"), (0, "b"), (1, "a")}),
        ([{"a": LATE, "b": SCORED}], set()),  # its event has left, and would leave again
        ([{"a": LATE}, {"a": Failed("WorkerStuck")}], set()),
        ([{"a": LEFT_OUT}], set()),  # of these there is no end
        ([], set()),
    ],
)
def test_only_answers_of_which_nothing_came_in_time_are_kept(
    said: list[dict[str, Evaluation]], expected: set[tuple[int, str]]
) -> None:
    assert missing(said) == expected


async def test_requests_are_kept_for_late_scores_for_a_while_only(
    otlp_sink: OtlpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agent_eval.service.late._SECONDS", 0.5)
    async with running(otlp_sink, **HASTY, change=on_disk(tmp_path)) as live:
        await live.send(traces(answer("sleep 4 rude")))
        await past_the_deadline(live)
        await freed(live)
        assert not otlp_sink.logs()


async def test_requests_kept_for_late_scores_are_given_up_before_senders_are_refused_for_long(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    big = span(attributes={"payload": "x" * 200_000})
    async with running(otlp_sink, **HASTY, change=on_disk(tmp_path, size="1MiB")) as live:
        await live.send(traces(answer("sleep 4 rude")))
        await past_the_deadline(live)
        assert kept_for_scores(live) == 1
        otlp_sink.answer(UNAVAILABLE)
        while (await live.send(traces(big))).status_code == 200:
            pass
        assert not otlp_sink.logs()
        assert kept_for_scores(live) == 0
        otlp_sink.answer(Answer())


async def test_in_annotate_mode_a_span_that_left_is_not_judged_again(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**HASTY, "mode": "annotate"}
    async with running(otlp_sink, **settings, change=on_disk(tmp_path)) as live:
        await live.send(traces(answer("sleep 3 rude")))
        await arrived(otlp_sink, Signal.TRACES, 1)
        await freed(live)
        assert not otlp_sink.logs()
