"""What the console shows, and what it must never print."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from rich.console import Console

from otel_agent_eval.exporters import ConsoleExporter, Permanent
from otel_agent_eval.exporters.console import PipeSafeConsole, plain_line, table
from otel_agent_eval.exporters.console_rows import printable, rows
from otel_agent_eval.signals import Payload, Signal

TOXIC = {
    "agent_eval.label": "fail",
    "agent_eval.toxicity.outcome": "scored",
    "agent_eval.toxicity.score": 0.934,
    "agent_eval.toxicity.label": "fail",
    "agent_eval.toxicity.categories": ["insult", "threat"],
    "agent_eval.faithfulness.outcome": "skipped",
    "agent_eval.faithfulness.reason": "no_context",
    "agent_eval.relevance.outcome": "failed",
    "agent_eval.relevance.reason": "TimeoutError",
}
CONTENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.agent.name": "clerk",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Where is my order?"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Go away \\u001b[31m."}]}]',
}


def value(item: object) -> AnyValue:
    if isinstance(item, float):
        return AnyValue(double_value=item)
    if isinstance(item, list):
        return AnyValue(array_value=ArrayValue(values=[value(each) for each in item]))
    return AnyValue(string_value=str(item))


def request(*spans: dict[str, object], end: int = 1_700_000_000_000_000_000) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.append(KeyValue(key="service.name", value=value("shop")))
    scope = group.scope_spans.add()
    for attributes in spans:
        span = scope.spans.add(name="chat", end_time_unix_nano=end)
        span.attributes.extend(KeyValue(key=key, value=value(item)) for key, item in attributes.items())
    return made


def test_row_holds_texts_and_verdicts() -> None:
    (row,) = rows(request(CONTENT | TOXIC))
    assert (row.service, row.agent, row.question, row.answer) == (
        "shop",
        "clerk",
        "Where is my order?",
        "Go away [31m.",
    )
    assert row.label == "fail"
    assert row.verdicts["toxicity"].score == pytest.approx(0.934)
    assert row.verdicts["faithfulness"].reason == "no_context"


def test_texts_that_were_scored_in_log_records_are_said_to_be_there() -> None:
    (row,) = rows(request(TOXIC))
    assert plain_line(row).endswith("Q: (in log records)  A: (in log records)")


def test_texts_that_nobody_captured_are_not_said_to_be_in_log_records() -> None:
    silent = {"agent_eval.toxicity.outcome": "skipped", "agent_eval.toxicity.reason": "content_not_captured"}
    (row,) = rows(request(silent))
    assert "log records" not in plain_line(row)


@pytest.mark.parametrize(
    "attributes",
    [
        CONTENT,
        TOXIC | {"agent_eval.duplicate_of": "00" * 8},
        {"agent_eval.toxicity.outcome": "skipped", "agent_eval.toxicity.reason": "no_answer"},
        {"agent_eval.toxicity.outcome": "skipped", "agent_eval.toxicity.reason": "not_user_facing"},
    ],
    ids=["not judged", "repeat", "no answer", "not user facing"],
)
def test_spans_without_an_answer_of_their_own_have_no_row(attributes: dict[str, object]) -> None:
    assert rows(request(attributes)) == []


def test_content_not_captured_is_shown_so_that_somebody_switches_it_on() -> None:
    reason = {"agent_eval.toxicity.outcome": "skipped", "agent_eval.toxicity.reason": "content_not_captured"}
    (row,) = rows(request(reason))
    assert "skipped: content not captured" in plain_line(row)


def test_plain_line_names_scores_skips_and_failures() -> None:
    line = plain_line(rows(request(CONTENT | TOXIC))[0])
    assert "toxicity: 0.93 fail (insult, threat)" in line
    assert "faithfulness: skipped: no context" in line
    assert "relevance: failed: TimeoutError" in line
    assert "shop/clerk" in line


def test_other_evaluators_are_named_when_they_fail() -> None:
    hostile = {
        "agent_eval.input_toxicity.outcome": "scored",
        "agent_eval.input_toxicity.score": 0.99,
        "agent_eval.input_toxicity.label": "fail",
    }
    (row,) = rows(request(CONTENT | TOXIC | hostile))
    assert "input_toxicity: 0.99 fail" in plain_line(row)
    output = io.StringIO()
    Console(file=output, width=160).print(table([row], 160, header=True))
    assert "input_toxicity: 0.99 fail" in output.getvalue()


async def test_terminal_gets_a_table_with_one_header_and_colours() -> None:
    output = io.StringIO()
    exporter = ConsoleExporter(console=Console(file=output, force_terminal=True, width=160, color_system="standard"))
    payload = Payload(Signal.TRACES, request(CONTENT | TOXIC).SerializeToString(), 1)
    await exporter.export(payload)
    await exporter.export(payload)
    shown = output.getvalue()
    assert shown.count("faithfulness") == 1
    assert shown.count("0.93 fail") == 2
    assert "\x1b[1;31m0.93 fail" in shown


@pytest.mark.parametrize("width", [60, 80, 109, 110, 200])
def test_table_fits_the_terminal(width: int) -> None:
    output = io.StringIO()
    found = rows(request(CONTENT | TOXIC))
    Console(file=output, width=width).print(table(found, width, header=True))
    lines = output.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) == 3
    assert "question" in lines[0] or width < 110
    assert "0.93 fail" in lines[1] or width < 80
    assert "insult" in lines[2] or width < 109


async def test_pipe_gets_one_plain_line_for_each_answer() -> None:
    output = io.StringIO()
    exporter = ConsoleExporter(console=Console(file=output, width=40))
    await exporter.export(Payload(Signal.TRACES, request(CONTENT | TOXIC, CONTENT | TOXIC, {}).SerializeToString(), 3))
    assert len(output.getvalue().splitlines()) == 2
    assert "\x1b" not in output.getvalue()


async def test_markup_in_content_is_shown_not_obeyed() -> None:
    output = io.StringIO()
    exporter = ConsoleExporter(console=Console(file=output, width=40))
    content = CONTENT | {"gen_ai.agent.name": "[bold]x[/nothing]"}
    await exporter.export(Payload(Signal.TRACES, request(content | TOXIC).SerializeToString(), 1))
    assert "[bold]x[/nothing]" in output.getvalue()


async def test_closed_pipe_is_permanent() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    exporter = ConsoleExporter(console=PipeSafeConsole(file=Closed()))
    with pytest.raises(Permanent, match="BrokenPipeError"):
        await exporter.export(Payload(Signal.TRACES, request(CONTENT | TOXIC).SerializeToString(), 1))


@pytest.mark.parametrize("end", [0, 2**64 - 1])
def test_any_time_is_shown(end: int) -> None:
    assert plain_line(rows(request(TOXIC, end=end))[0])


@given(st.text())
def test_printable_keeps_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert all(c.isprintable() for c in shown if c != " ")
    assert "\n" not in shown


@given(
    st.dictionaries(
        st.sampled_from([*TOXIC, "agent_eval..outcome", "agent_eval.outcome"]),
        st.one_of(st.text(), st.floats(), st.lists(st.text())),
    )
)
def test_whatever_stands_in_our_attributes_is_shown_or_left_out(attributes: dict[str, object]) -> None:
    for row in rows(request(attributes)):
        assert plain_line(row).isprintable()
        Console(file=io.StringIO(), width=120).print(table([row], 120, header=True))


async def test_what_is_no_request_is_permanent_and_long_texts_are_cut() -> None:
    output = io.StringIO()
    exporter = ConsoleExporter(console=Console(file=output))
    with pytest.raises(Permanent, match="DecodeError"):
        await exporter.export(Payload(Signal.TRACES, b"\xff", 0))
    long = CONTENT | {
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"%s"}]}]' % ("a" * 900)
    }
    await exporter.export(Payload(Signal.TRACES, request(long | TOXIC).SerializeToString(), 1))
    assert "aaa…" in output.getvalue()
    assert len(output.getvalue()) < 500
