"""One gateway as the example configures it: a backend gets everything, the other the same scores and no text."""

import asyncio
import copy
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.gateway import gateway
from support.otlp_sink import OtlpSink
from support.processes import free_port
from test_golden import key_values
from typer.testing import CliRunner

from otel_agent_eval.cli import app
from otel_agent_eval.conventions.span import decode_attributes
from otel_agent_eval.signals import ExportRequest, Signal

EXAMPLE = Path(__file__).parents[2] / "examples" / "redaction" / "gateway.yaml"
QUESTION = "How tall is the Eiffel Tower, please?"
ANSWER = "The Eiffel Tower is 330 metres tall, you wretched fool."
DOCUMENT = "The Eiffel Tower in Paris is 330 metres tall and was built in 1889."
PERSON = "gustave@example.com"
TRACE = bytes(range(1, 17))


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDACTION_KEY", "a key of tests, 32 characters!!!")
    monkeypatch.setenv("VENDOR_TOKEN", "a-token")


def example(house: OtlpSink, vendor: OtlpSink, folder: Path) -> dict[str, Any]:
    """The example, with these backends, free ports and a folder of its own."""
    config: dict[str, Any] = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text()))
    for protocol in config["receivers"]["otlp"]["protocols"].values():
        protocol["endpoint"] = f"127.0.0.1:{free_port()}"
    config["exporters"]["otlp/house"]["endpoint"] = house.grpc_endpoint
    config["exporters"]["otlphttp/vendor"]["endpoint"] = vendor.http_endpoint
    config["service"]["queue"] = {"path": str(folder / "queue")}
    config["service"]["telemetry"] = {
        "metrics": {"address": f"127.0.0.1:{free_port()}", "last_failure_file": None, "interval": "1s"}
    }
    return config


def span(number: int, name: str, values: dict[str, Any]) -> Span:
    return Span(
        trace_id=TRACE,
        span_id=bytes([number] * 8),
        parent_span_id=b"" if number == 1 else bytes([1] * 8),
        name=name,
        start_time_unix_nano=number * 10**9,
        end_time_unix_nano=(20 if number == 1 else number) * 10**9 + 10**8,
        attributes=key_values(values),
    )


def conversation() -> ExportTraceServiceRequest:
    """A request for an answer: a retrieval, a model call, and the web request around them, which failed in the end."""
    web = span(
        1,
        "POST /ask",
        {"url.full": f"/ask?user={PERSON}", "user.id": "u-17", "user.email": PERSON, "url.query": QUESTION},
    )
    web.attributes.extend(key_values({"openinference.span.kind": "CHAIN", "input.value": QUESTION}))
    error = {"exception.type": "ValueError", "exception.message": f"cannot render {ANSWER!r}"}
    web.events.add(name="exception", attributes=key_values(error))
    web.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=f"cannot render {ANSWER!r}"))
    retrieval = {"openinference.span.kind": "RETRIEVER", "input.value": QUESTION}
    document = {"retrieval.documents.0.document.content": DOCUMENT, "retrieval.documents.0.document.id": "d1"}
    model = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o-mini",
        "llm.token_count.total": 41,
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": QUESTION,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": ANSWER,
        "output.value": ANSWER,
    }
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.extend([span(2, "retrieve", retrieval | document), span(3, "chat", model), web])
    return request


def records() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add().scope_logs.add().log_records
    prompt = logs.add(event_name="gen_ai.user.message", trace_id=TRACE, span_id=bytes([3] * 8))
    prompt.body.kvlist_value.values.extend(key_values({"content": QUESTION}))
    logs.add().body.string_value = f"{PERSON} signed in"
    return request


def numbers(found: Span) -> dict[str, Any]:
    return {key: value for key, value in decode_attributes(found.attributes).items() if key.startswith("agent_eval.")}


async def send(url: str, request: ExportRequest, signal: Signal) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        headers = {"content-type": "application/x-protobuf"}
        answer = await client.post(f"{url}/v1/{signal}", content=request.SerializeToString(), headers=headers)
    assert answer.status_code == 200


def test_one_backend_gets_everything_and_the_other_the_same_scores_without_a_word(tmp_path: Path) -> None:
    with OtlpSink() as house, OtlpSink() as vendor:
        with gateway(example(house, vendor, tmp_path), tmp_path) as running:
            asyncio.run(send(running.http_endpoint, conversation(), Signal.TRACES))
            asyncio.run(send(running.http_endpoint, records(), Signal.LOGS))
            for sink in (house, vendor):
                sink.wait(Signal.TRACES, 3, 60)
                sink.wait(Signal.LOGS, 2 + 1, 60)
                sink.wait(Signal.METRICS, 1, 60)
            log = running.log.read_text()
        everything, without = (b"".join(received.body for received in sink.requests()) for sink in (house, vendor))
        texts = (QUESTION, ANSWER, DOCUMENT, PERSON)
        assert all(text.encode() in everything for text in texts)
        assert not [text for text in texts if text.encode() in without]
        assert not re.search(rb"Eiffel|wretched|gustave", without)
        assert not [text for text in texts if text in log]

        full, bare = ({item.name: item for item in sink.spans()} for sink in (house, vendor))
        assert full.keys() == bare.keys() == {"POST /ask", "retrieve", "chat"}
        scores = numbers(bare["chat"])
        assert scores["agent_eval.toxicity.label"] == "fail"
        assert scores.items() <= numbers(full["chat"]).items()
        assert set(numbers(full["chat"])) - set(scores) <= {"agent_eval.faithfulness.unsupported"}
        kept = decode_attributes(bare["chat"].attributes)
        assert (kept["llm.model_name"], kept["llm.token_count.total"]) == ("gpt-4o-mini", 41)
        web = decode_attributes(bare["POST /ask"].attributes)
        assert web["url.full"] == "/ask?user=[REDACTED]"
        assert re.fullmatch(r"hmac-sha256:[0-9a-f]{64}", web["user.id"])
        assert {key for key in web if key.startswith("user")} == {"user.id"}

        events = [record for record in vendor.logs() if record.event_name == "gen_ai.evaluation.result"]
        assert "toxicity" in {decode_attributes(event.attributes)["gen_ai.evaluation.name"] for event in events}
        assert [record.body.string_value for record in vendor.logs() if "signed" in record.body.string_value] == [
            "[REDACTED] signed in"
        ]
        assert {received.headers["authorization"] for received in vendor.requests()} == {"Bearer a-token"}


def test_validate_says_for_each_destination_what_becomes_of_content() -> None:
    result = CliRunner().invoke(app, ["validate", "--config", str(EXAMPLE)])
    assert result.exit_code == 0
    lines = result.output.splitlines()[1:4]
    assert all("otlp/house (tempo:4317), " in line for line in lines)
    assert all(
        "otlphttp/vendor (https://otlp.vendor.example:443, redaction/content_free: content remove)" in x for x in lines
    )
