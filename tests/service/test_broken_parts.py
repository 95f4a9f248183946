"""Whatever breaks inside, telemetry arrives, and what could not be judged does not look judged."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from live_gateway import arrived, running
from service_samples import answer, attributes_of, content_log, own, span, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.annotation.answer_metrics import AnswerMetrics
from otel_agent_eval.assembly.assembler import Assembler
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.service import judging, scoring
from otel_agent_eval.signals import Signal

SECRET = "Xanadu"


async def judged_and_unjudged(sink: OtlpSink, **processor: Any) -> Mapping[bytes, Mapping[str, Any]]:
    """Send an answer whose content a failing part sees, and others; return what arrived of all of them."""
    sent = [answer(f"{SECRET} Paris."), span(), answer("Rome."), span(attributes={"gen_ai.operation.name": SECRET})]
    async with running(sink, **processor) as live:
        response = await live.send(traces(*sent))
        assert response.status_code == 200
        await arrived(sink, Signal.TRACES, len(sent), 20)
        assert (await live.send(content_log(sent[0], SECRET))).status_code == 200
    got = {item.span_id: own(item) for item in sink.spans()}
    assert len(got) == len(sink.spans()) == len(sent)
    return {item.span_id: got[item.span_id] for item in sent}


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what was logged as an error, and check that it holds no content."""
    found = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not any(SECRET in str(vars(record)) for record in caplog.records)
    return found


async def test_evaluator_that_raises_has_failed_and_gives_no_label(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        await live.send(traces(answer("raise me"), answer("Paris.")))
        await arrived(otlp_sink, Signal.TRACES, 2)
        await arrived(otlp_sink, Signal.LOGS, 2)
        errors = await live.metric("agent_eval_evaluation_errors_total", error_type="KeyError")
    failed, fine = sorted((own(item) for item in otlp_sink.spans()), key=lambda written: "agent_eval.label" in written)
    assert failed == {
        "agent_eval.rudeness.outcome": "failed",
        "agent_eval.rudeness.reason": "KeyError",
        "agent_eval.rudeness.evaluator": "test/rudeness@1",
    }
    assert fine["agent_eval.label"] == "pass"
    (event,) = (attributes_of(record) for record in otlp_sink.logs() if "error.type" in attributes_of(record))
    assert event["error.type"] == "KeyError"
    assert "gen_ai.evaluation.score.value" not in event
    assert errors == 1


async def test_span_that_a_plug_in_reader_breaks_on_is_sent_on_unjudged(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(view: SpanView) -> Extract | None:
        if SECRET in str(view):
            raise ValueError(SECRET)
        return None

    original = scoring.read
    monkeypatch.setattr(scoring, "read", lambda view, readers: original(view, (broken, *readers)))
    first, plain, second, _ = (await judged_and_unjudged(otlp_sink)).values()
    assert not first
    assert not plain
    assert second["agent_eval.label"] == "pass"
    assert [vars(record)["error_type"] for record in errors(caplog)] == ["ValueError"]


@pytest.mark.parametrize("method", ["add_span", "ready", "next_due", "add_log", "add_link"])
async def test_exception_from_assembly_loses_nothing(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(judging, "_PATIENCE", 0.2)
    monkeypatch.setattr(Assembler, method, broken)
    got = await judged_and_unjudged(otlp_sink, context_wait="200ms", score_deadline="200ms")
    if method in {"add_span", "ready"}:
        assert not any(got.values())
    assert errors(caplog)


@pytest.mark.parametrize(("part", "name"), [(judging, "annotate"), (AnswerMetrics, "record")])
async def test_verdict_that_cannot_be_written_or_counted_lets_the_span_go(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: Any, name: str
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(part, name, broken)
    await judged_and_unjudged(otlp_sink)
    assert "RuntimeError" in {vars(record).get("error_type") for record in errors(caplog)}


async def test_engine_that_raises_fails_the_evaluation(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Engine, "evaluate", broken)
    first, *_ = (await judged_and_unjudged(otlp_sink)).values()
    assert first["agent_eval.rudeness.reason"] == "RuntimeError"
    assert "agent_eval.label" not in first
    assert len(errors(caplog)) == 1


@pytest.mark.parametrize("forgets", ["candidates", "verdicts"])
async def test_span_that_is_held_and_forgotten_leaves_and_is_counted_as_failed(
    otlp_sink: OtlpSink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, forgets: str
) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(3600)

    def nothing(*_: object) -> list[Candidate]:
        return []

    monkeypatch.setattr(judging, "_PATIENCE", 0.2)
    if forgets == "candidates":
        monkeypatch.setattr(Assembler, "ready", nothing)
    else:
        monkeypatch.setattr(Engine, "evaluate", never)
    async with running(otlp_sink, context_wait="200ms", score_deadline="100ms") as live:
        for _ in range(2):
            await live.send(traces(answer(SECRET)))
        await arrived(otlp_sink, Signal.TRACES, 2, 5)
        failed = await live.metric("agent_eval_evaluation_errors_total", error_type="NoVerdict")
        assert await live.metric("agent_eval_gateway_held", agent_eval_lack="content") == 0
    assert [own(item) for item in otlp_sink.spans()] == [{}, {}]
    assert failed == 2
    assert len(errors(caplog)) == 1


async def test_more_than_may_be_held_leaves_as_overloaded_the_oldest_first(otlp_sink: OtlpSink) -> None:
    payload = {"payload": "x" * 400_000}
    sent = [answer("Paris.", parent_span_id=b"elsewher", attributes=payload) for _ in range(5)]
    async with running(otlp_sink, context_wait="60s", limits={"bytes": "1MiB"}) as live:
        for item in sent:
            await live.send(traces(item))
        await arrived(otlp_sink, Signal.TRACES, 3)
        left = [item.span_id for item in otlp_sink.spans()]
        reasons = {own(item)["agent_eval.rudeness.reason"] for item in otlp_sink.spans()}
        counted = await live.metric("agent_eval_evaluations_raw_total", agent_eval_reason="overloaded")
    assert set(left) == {item.span_id for item in sent[:3]}
    assert reasons == {"overloaded"}
    assert counted == 3
    assert len(otlp_sink.spans()) == 5
