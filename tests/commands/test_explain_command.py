"""`explain`: what is read in recordings, and what is said of files that are none."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel_agent_eval.commands.explain import explain

RECORDINGS = Path(__file__).parents[1] / "recordings"
LANGCHAIN = RECORDINGS / "openinference-instrumentation-langchain-0.1.80" / "default"
GENAI = RECORDINGS / "opentelemetry-instrumentation-genai-openai-1.3b0"
RULES = """\
receivers: {otlp: {protocols: {grpc: }}}
processors:
  agent_eval:
    evaluators: {toxicity: , relevance: }
    rules: [{match: {span.name: "ask *"}, relevance: {enabled: false}}]
    selectors: [{match: {service.name: internal}, user_facing: false}]
exporters: {console: }
service: {pipelines: {traces: {receivers: [otlp], processors: [agent_eval], exporters: [console]}}}
"""


def explained(capsys: pytest.CaptureFixture[str], *files: Path, config: Path | None = None) -> list[dict[str, Any]]:
    explain(files, config, as_json=True)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def shown(capsys: pytest.CaptureFixture[str], *files: Path) -> str:
    explain(files, None, as_json=False)
    return capsys.readouterr().out


def attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def an_answer(answer: str = "The sky is blue.", name: str = "chat", service: str = "bot") -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(attribute("service.name", service))
    messages = [
        attribute("openinference.span.kind", "LLM"),
        attribute("llm.input_messages.0.message.role", "user"),
        attribute("llm.input_messages.0.message.content", "What is blue?"),
        attribute("llm.output_messages.0.message.role", "assistant"),
        attribute("llm.output_messages.0.message.content", answer),
    ]
    resource_spans.scope_spans.add().spans.add(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        name=name,
        start_time_unix_nano=1,
        end_time_unix_nano=2,
        attributes=messages,
    )
    return request


def saved(path: Path, request: ExportTraceServiceRequest | ExportLogsServiceRequest) -> Path:
    path.write_bytes(request.SerializeToString())
    return path


def test_a_recording_is_explained_span_by_span(capsys: pytest.CaptureFixture[str]) -> None:
    explanations = explained(capsys, *sorted(LANGCHAIN.glob("*.bin")))

    counted = next(e for e in explanations if e["counted"] and e["documents"])
    assert list(counted) == [
        *("trace_id", "span_id", "convention", "keys", "question"),
        *("answer", "answers", "documents", "counted", "evaluations"),
    ]
    assert counted["convention"] == "openinference"
    assert counted["question"] == "How tall is the Eiffel Tower?"
    assert counted["answers"] == [counted["answer"]]
    assert list(counted["documents"][0]) == ["id", "text", "score", "span_id"]
    assert counted["documents"][0]["text"].startswith("The Eiffel Tower is 330 metres tall")
    names = ("toxicity", "input_toxicity", "faithfulness", "relevance")
    assert counted["evaluations"] == {name: {"outcome": "scored", "reason": None} for name in names}

    repeated = next(e for e in explanations if not e["counted"] and e["trace_id"] == counted["trace_id"])
    assert repeated["answer"] == counted["answer"]
    assert repeated["evaluations"]["toxicity"] == {"outcome": "skipped", "reason": "duplicate"}


def test_content_in_log_records_is_read_with_the_traces(capsys: pytest.CaptureFixture[str]) -> None:
    folder = GENAI / "capture_EVENT_ONLY"
    with_logs = explained(capsys, *folder.glob("*.bin"))
    without = explained(capsys, *folder.glob("traces-*.bin"))

    assert any(e["evaluations"]["toxicity"]["outcome"] == "scored" for e in with_logs)
    reasons = {e["evaluations"]["toxicity"]["reason"] for e in without}
    assert reasons <= {"content_not_captured", "no_answer"}
    assert "content_not_captured" in reasons
    assert {e["span_id"] for e in without} == {e["span_id"] for e in with_logs}


def test_json_requests_json_lines_and_protobuf_are_read_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recorded,) = (RECORDINGS / "js-openinference-instrumentation-openai-4.2.7" / "json").glob("*.json")
    request = json.loads(recorded.read_text())
    pretty, array, lines = (tmp_path / name for name in ("pretty.json", "array.json", "lines.jsonl"))
    pretty.write_text(json.dumps(request, indent=2), "utf-8-sig")
    array.write_text(json.dumps([request, {"resourceLogs": []}]))
    lines.write_text(f'{{"resourceMetrics": []}}\n{json.dumps(request)}\n\n{{"resourceLogs": []}}\n')

    expected = explained(capsys, recorded)
    assert expected
    assert explained(capsys, pretty) == explained(capsys, array) == explained(capsys, lines) == expected


def test_people_see_what_was_read_and_why_something_is_not_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(capsys, saved(tmp_path / "traces.bin", an_answer()))

    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == f"chat trace {'74' * 16} span {'73' * 8}"
    assert "question What is blue?" in lines
    assert "answer The sky is blue." in lines
    assert "toxicity would be scored" in lines
    assert "faithfulness skipped: no_context" in lines


def test_what_was_recorded_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(
        capsys, saved(tmp_path / "traces.bin", an_answer("a\x1b[2Jb\u202ec [red]d[/] :smile:", name="x\x07[bold]"))
    )

    assert "a\\x1b[2Jb\\u202ec [red]d[/] :smile:" in text
    assert "x\\x07[bold]  trace" in text


def test_several_choices_are_all_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = an_answer("one")
    request.resource_spans[0].scope_spans[0].spans[0].attributes.append(
        attribute("llm.choices.1.completion.text", "two")
    )
    (explanation,) = explained(capsys, saved(tmp_path / "traces.bin", request))

    assert explanation["answer"] == explanation["answers"][0] == "one"


def test_rules_and_selectors_hold_as_in_the_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(RULES)
    asked = saved(tmp_path / "asked.bin", an_answer(name="ask billing"))
    internal = saved(tmp_path / "internal.bin", an_answer(service="internal"))

    (explanation,) = explained(capsys, asked, config=config)
    assert explanation["evaluations"] == {
        "toxicity": {"outcome": "scored", "reason": None},
        "relevance": {"outcome": "skipped", "reason": "filtered"},
    }
    (explanation,) = explained(capsys, internal, config=config)
    assert explanation["evaluations"]["toxicity"] == {"outcome": "skipped", "reason": "not_user_facing"}
    assert not explanation["counted"]


def test_files_without_answers_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traces = tmp_path / "traces.json"
    traces.write_text('{"resourceSpans": []}')

    assert shown(capsys, traces) == "No span here holds, or could have held, an answer.\n"


def test_a_bad_file_is_named_and_the_others_are_explained(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.bin", an_answer())
    bad = tmp_path / "bad.json"
    bad.write_text('{"resourceSpans": [\n  {]}')

    done = subprocess.run(
        [sys.executable, "-m", "otel_agent_eval", "explain", "--json", "bad.json", good],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert json.loads(done.stdout)["answer"] == "The sky is blue."
    assert done.stderr == ("bad.json: line 2 column 4: not JSON: Expecting property name enclosed in double quotes\n")
