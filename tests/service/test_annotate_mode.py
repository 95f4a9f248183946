"""Annotate mode, end to end: what is written on spans, sent as events, and counted."""

from live_gateway import arrived, running
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from service_samples import answer, attributes_of, own, plain, span, traces, without_own
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal


async def test_scores_of_the_built_in_evaluators_are_on_the_span_and_nothing_else_of_it_changes(
    otlp_sink: OtlpSink,
) -> None:
    sent = answer("The capital of France is Paris.")
    names = ("toxicity", "input_toxicity", "faithfulness", "relevance")
    async with running(otlp_sink, evaluators={name: {} for name in names}) as live:
        await live.send(traces(sent))
        await arrived(otlp_sink, Signal.TRACES, 1)
    (span,) = otlp_sink.spans()
    written = own(span)
    assert without_own(span) == sent
    assert written["agent_eval.label"] == "pass"
    for name in ("toxicity", "input_toxicity", "relevance"):
        assert written[f"agent_eval.{name}.outcome"] == "scored"
        assert 0 <= written[f"agent_eval.{name}.score"] <= 1
        assert 0 < written[f"agent_eval.{name}.threshold"] < 1
        assert written[f"agent_eval.{name}.label"] == "pass"
        assert written[f"agent_eval.{name}.evaluator"].startswith("builtin/")
    assert written["agent_eval.faithfulness.outcome"] == "skipped"
    assert written["agent_eval.faithfulness.reason"] == "no_context"
    assert "agent_eval.faithfulness.score" not in written


async def test_failed_answer_is_labelled_and_its_evidence_written(otlp_sink: OtlpSink) -> None:
    sent = answer("You are rude")
    async with running(otlp_sink) as live:
        await live.send(traces(sent))
        await arrived(otlp_sink, Signal.TRACES, 1)
    (span,) = otlp_sink.spans()
    assert own(span) == {
        "agent_eval.label": "fail",
        "agent_eval.rudeness.outcome": "scored",
        "agent_eval.rudeness.score": 0.9,
        "agent_eval.rudeness.label": "fail",
        "agent_eval.rudeness.threshold": 0.5,
        "agent_eval.rudeness.evaluator": "test/rudeness@1",
        "agent_eval.rudeness.words": ["rude"],
    }


async def test_each_score_is_an_event_that_belongs_to_the_span(otlp_sink: OtlpSink) -> None:
    sent = answer("You are rude", flags=0x101)
    async with running(otlp_sink) as live:
        await live.send(traces(sent, service="billing"))
        await arrived(otlp_sink, Signal.LOGS, 1)
    (request,) = otlp_sink.accepted(Signal.LOGS)
    (resource,) = request.message.resource_logs
    (record,) = resource.scope_logs[0].log_records
    assert [(pair.key, plain(pair.value)) for pair in resource.resource.attributes] == [("service.name", "billing")]
    assert (record.trace_id, record.span_id, record.flags) == (sent.trace_id, sent.span_id, 1)
    assert record.time_unix_nano == sent.end_time_unix_nano < record.observed_time_unix_nano
    assert record.event_name == "gen_ai.evaluation.result"
    assert attributes_of(record) == {
        "gen_ai.evaluation.name": "rudeness",
        "gen_ai.evaluation.score.value": 0.9,
        "gen_ai.evaluation.score.label": "fail",
        "gen_ai.response.id": "resp-1",
        "agent_eval.evaluator": "test/rudeness@1",
        "agent_eval.threshold": 0.5,
        "agent_eval.direction": "higher_is_worse",
        "agent_eval.choice": 0,
    }


async def test_explanations_and_other_forms_are_written_where_the_configuration_asks(otlp_sink: OtlpSink) -> None:
    events = {"explanation": True, "span_events": True}
    async with running(otlp_sink, events=events, openinference=True) as live:
        await live.send(traces(answer("You are rude")))
        await arrived(otlp_sink, Signal.LOGS, 1)
        await arrived(otlp_sink, Signal.TRACES, 1)
    (span,), (record,) = otlp_sink.spans(), otlp_sink.logs()
    assert attributes_of(record)["gen_ai.evaluation.explanation"] == "3 words"
    assert attributes_of(span)["evaluations.0.evaluation.name"] == "rudeness"
    assert [event.name for event in span.events] == ["gen_ai.evaluation.result"]


async def test_the_worst_of_several_choices_is_on_the_span_and_each_has_an_event(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        await live.send(traces(answer("Paris, of course.", "You are rude")))
        await arrived(otlp_sink, Signal.TRACES, 1)
        await arrived(otlp_sink, Signal.LOGS, 2)
    assert own(otlp_sink.spans()[0])["agent_eval.rudeness.score"] == 0.9
    results = [attributes_of(record) for record in otlp_sink.logs()]
    assert {(r["agent_eval.choice"], r["gen_ai.evaluation.score.value"]) for r in results} == {(0, 0.2), (1, 0.9)}


async def test_repeated_answer_carries_no_label_and_counts_once(otlp_sink: OtlpSink) -> None:
    agent = answer("Paris is the capital.", attributes={"gen_ai.operation.name": "invoke_agent"})
    call = answer("Paris is the capital.", trace_id=agent.trace_id, parent_span_id=agent.span_id)
    async with running(otlp_sink) as live:
        await live.send(traces(call, agent))
        await arrived(otlp_sink, Signal.TRACES, 2)
        counted = await live.metric("agent_eval_evaluations_raw_total", agent_eval_outcome="scored")
    written = {span.span_id: own(span) for span in otlp_sink.spans()}
    assert written[call.span_id]["agent_eval.label"] == "pass"
    assert written[agent.span_id] == {
        "agent_eval.duplicate_of": call.span_id.hex(),
        "agent_eval.rudeness.outcome": "skipped",
        "agent_eval.rudeness.reason": "duplicate",
        "agent_eval.rudeness.evaluator": "test/rudeness@1",
    }
    assert counted == 1
    assert len(otlp_sink.logs()) == 1


async def test_documents_of_a_trace_reach_its_answer_also_from_another_request(otlp_sink: OtlpSink) -> None:
    chain = span("rag", {"openinference.span.kind": "CHAIN", "input.value": "capital?", "output.value": "Paris is it."})
    found = {"retrieval.documents.0.document.content": "Paris is the capital of France, says the text that was found."}
    retriever = span(
        "retrieve",
        {"openinference.span.kind": "RETRIEVER", **found},
        trace_id=chain.trace_id,
        parent_span_id=chain.span_id,
        start_time_unix_nano=chain.start_time_unix_nano + 1,
        end_time_unix_nano=chain.start_time_unix_nano + 2,
    )
    call = answer(
        "Paris is it.",
        trace_id=chain.trace_id,
        parent_span_id=chain.span_id,
        start_time_unix_nano=chain.start_time_unix_nano + 3,
    )
    async with running(otlp_sink, evaluators={"documents": {}}) as live:
        await live.send(traces(call))
        await live.send(traces(retriever))
        await live.send(traces(chain))
        await arrived(otlp_sink, Signal.TRACES, 3)
    written = {span.span_id: own(span) for span in otlp_sink.spans()}
    assert written[call.span_id]["agent_eval.documents.score"] == 0.1


async def test_forged_scores_are_replaced(otlp_sink: OtlpSink) -> None:
    forged = {"agent_eval.label": "pass", "agent_eval.toxicity.score": 0.0, "agent_eval.rudeness.label": "pass"}
    async with running(otlp_sink) as live:
        await live.send(traces(answer("You are rude", attributes=forged)))
        await arrived(otlp_sink, Signal.TRACES, 1)
    written = own(otlp_sink.spans()[0])
    assert written["agent_eval.label"] == written["agent_eval.rudeness.label"] == "fail"
    assert "agent_eval.toxicity.score" not in written


async def test_all_series_of_the_closed_lists_are_there_before_anything_came(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        page = (await live.client.get(f"{live.admin}/metrics")).text
    zero = [line for line in page.splitlines() if line.startswith("agent_eval_evaluations_raw_total{")]
    reasons = {part.split('"')[0] for line in zero for part in line.split('agent_eval_reason="')[1:]}
    assert {"no_answer", "overloaded", "deadline", "duplicate", "content_not_captured"} <= reasons
    assert all(line.rpartition("}")[2].split()[0] in {"0", "0.0"} for line in zero)
    assert "agent_eval_last_failure" in page
    assert "agent_eval_gateway_refused_total{" in page


async def test_metrics_are_served_with_exemplars_and_pushed(otlp_sink: OtlpSink) -> None:
    sent = answer("You are rude", attributes={"user.segment": "gold"})
    async with running(otlp_sink, segments=["user.segment"]) as live:
        await live.send(traces(sent, service="billing"))
        await arrived(otlp_sink, Signal.LOGS, 1)
        accept = {"accept": "application/openmetrics-text; version=1.0.0"}
        page = (await live.client.get(f"{live.admin}/metrics", headers=accept)).text
    families = {family.name: family for family in text_string_to_metric_families(page)}
    scored = [s for s in families["agent_eval_evaluations"].samples if s.value and s.name.endswith("_total")]
    (sample,) = scored
    assert (
        sample.labels
        | {
            "service_name": "billing",
            "user_segment": "gold",
            "gen_ai_request_model": "gpt-4o-mini",
        }
        == sample.labels
    )
    assert sample.exemplar is not None
    assert sample.exemplar.labels["trace_id"] == sent.trace_id.hex()
    pushed = {metric.name: metric for metric in otlp_sink.metrics()}  # the last push, at the stop, says it all
    total = sum(point.as_double or point.as_int for point in pushed["agent_eval.evaluations.raw"].sum.data_points)
    assert total == 1
