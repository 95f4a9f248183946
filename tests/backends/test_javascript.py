"""The OpenTelemetry SDK of JavaScript and Vercel's AI SDK, on Node.js, in front of the gateway."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from backends.environments import node_modules, python
from support.gateway import configuration, gateway
from support.otlp_sink import OtlpSink

from otel_agent_eval.conventions.span import decode_attributes, decode_value

pytestmark = [pytest.mark.backends, pytest.mark.timeout(180)]

PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "http/json", "http/protobuf"])
STEPS = 5_000
VALUES = {
    "text": "grüße 🙂 👨\u200d👩",
    "text.empty": "",
    "text.lone.surrogate": "cut \ufffd",  # the SDK, or the gateway for JSON, puts the replacement character there
    "text.nul": "a\0b",
    "integer": 42,
    "integer.large": 2**53 - 1,
    "integer.negative": -7,
    "double": 0.1,
    "yes": True,
    "no": False,
    "texts": ["a", "b"],
    "numbers": [1, 2.5],
    "flags": [True, False],
    "none": [],
}


def run(script: str, folder: Path, sink: OtlpSink, *arguments: str) -> str:
    """Run a script in front of a gateway until both have ended, and return what it printed."""
    protocol, compression = arguments
    with gateway(
        configuration({"otlp/sink": {"endpoint": sink.grpc_endpoint, "tls": {"insecure": True}}}), folder
    ) as at:
        endpoint = f"http://{at.grpc_endpoint}" if protocol == "grpc" else at.http_endpoint
        modules = node_modules("javascript")
        command = [python("javascript").parent / "node", Path(__file__).parent / "javascript" / script]
        done = subprocess.run(
            [*command, protocol, endpoint, compression],
            env={**os.environ, "NODE_PATH": str(modules)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert not done.stderr
        return done.stdout


@PROTOCOLS
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_values_of_all_kinds_arrive_in_all_signals(tmp_path: Path, protocol: str, compression: str) -> None:
    with OtlpSink() as sink:
        sent = json.loads(run("all_values.cjs", tmp_path, sink, protocol, compression))
        spans = {span.span_id.hex(): span for span in sink.spans()}
        logs = [log for log in sink.logs() if log.event_name != "gen_ai.evaluation.result"]
        metrics = {metric.name: metric for metric in sink.metrics()}
    assert spans.keys() == {sent["root"], *sent["steps"]}
    assert len(sent["steps"]) == STEPS
    root = spans[sent["root"]]
    assert root.trace_id.hex() == sent["trace"]
    assert decode_attributes(root.attributes) == VALUES
    assert (root.kind, root.status.code, root.status.message) == (2, 2, "broken")
    assert decode_attributes(root.events[0].attributes) == {"text": "🙂"}
    assert root.links[0].span_id == root.span_id
    numbers = {decode_attributes(spans[step].attributes)["number"] for step in sent["steps"]}
    assert numbers == set(range(STEPS))
    structured, plain = sorted(logs, key=lambda log: log.event_name)
    body: dict[str, Any] = decode_value(structured.body)
    assert body["nested"] == {"list": [1, "two", {"three": 3}], "none": None}
    assert body["bytes"] == b"\x00\xff"
    assert decode_attributes(structured.attributes) == VALUES
    assert (decode_value(plain.body), plain.span_id.hex()) == ("plain 🙂", sent["root"])
    assert metrics["counted"].sum.data_points[0].as_double + metrics["counted"].sum.data_points[0].as_int == 3
    assert metrics["measured"].histogram.data_points[0].sum == 0.25


@PROTOCOLS
def test_answer_of_vercels_ai_sdk_is_scored_once(tmp_path: Path, protocol: str) -> None:
    with OtlpSink() as sink:
        assert run("vercel_ai.cjs", tmp_path, sink, protocol, "gzip").strip() == "The capital of France is Paris."
        spans = [decode_attributes(span.attributes) for span in sink.spans()]
        events = [log for log in sink.logs() if log.event_name == "gen_ai.evaluation.result"]
    scored = [span for span in spans if "agent_eval.label" in span]
    assert [span["ai.operationId"] for span in scored] == ["ai.generateText.doGenerate"]
    assert scored[0]["agent_eval.relevance.outcome"] == "scored"
    assert 0.0 <= scored[0]["agent_eval.toxicity.score"] <= 1.0
    names = [decode_attributes(event.attributes)["gen_ai.evaluation.name"] for event in events]
    assert sorted(names) == ["input_toxicity", "relevance", "toxicity"]  # and not the wrapper's again
