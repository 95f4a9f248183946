"""Real instrumentations around small agents: each answer is scored once, each retrieval answer with its documents."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from backends.environments import python
from support.gateway import configuration, gateway
from support.model_server import ANSWERS, model_server
from support.otlp_sink import OtlpSink
from support.processes import wait_until

from otel_agent_eval.conventions.span import decode_attributes
from otel_agent_eval.signals import Signal

pytestmark = [pytest.mark.backends, pytest.mark.timeout(180)]

PARIS, TOWER = ANSWERS["capital of France"], ANSWERS["Eiffel Tower"]
ON_SPAN = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}
ONLY_IN_LOGS = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY",
    "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT": "true",
}


class Case(NamedTuple):
    """An agent, the answers it got in order of time, and whether they rest on documents."""

    environment: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    answers: tuple[str, ...]
    retrieval: bool


THREE = (PARIS, TOWER, PARIS)
CASES = {
    "openai-otel": Case("agents", ("openai_agent.py", "otel"), ON_SPAN, THREE, retrieval=False),
    "openai-otel-content-in-logs": Case("agents", ("openai_agent.py", "otel"), ONLY_IN_LOGS, THREE, retrieval=False),
    "openai-openinference": Case("agents", ("openai_agent.py", "openinference"), {}, THREE, retrieval=False),
    "openai-openllmetry": Case("agents", ("openai_agent.py", "openllmetry"), {}, THREE, retrieval=False),
    "langchain-otel": Case("agents", ("langchain_rag.py", "otel"), ON_SPAN, (TOWER,), retrieval=True),
    "langchain-openinference": Case("agents", ("langchain_rag.py", "openinference"), {}, (TOWER,), retrieval=True),
    "langchain-openllmetry": Case("agents", ("langchain_rag.py", "openllmetry"), {}, (TOWER,), retrieval=True),
    "llama-index-openinference": Case("llama-index", ("llama_index_rag.py",), {}, (TOWER,), retrieval=True),
    "pydantic-ai": Case("agents", ("pydantic_ai_agent.py",), {}, (TOWER,), retrieval=True),
}


def scored_spans(sink: OtlpSink) -> list[dict[str, Any]]:
    """Return the attributes of the spans that carry a verdict on an answer."""
    spans = [
        decode_attributes(span.attributes)
        for received in sink.requests(Signal.TRACES)
        for resource in received.message.resource_spans
        for scope in resource.scope_spans
        for span in sorted(scope.spans, key=lambda span: span.start_time_unix_nano)
    ]
    return [attributes for attributes in spans if "agent_eval.label" in attributes]


def events(sink: OtlpSink, name: str) -> list[dict[str, Any]]:
    """Return the attributes of the evaluation events of one evaluator."""
    records = [
        decode_attributes(record.attributes)
        for received in sink.requests(Signal.LOGS)
        for resource in received.message.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
        if record.event_name == "gen_ai.evaluation.result"
    ]
    return [attributes for attributes in records if attributes["gen_ai.evaluation.name"] == name]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_answer_of_a_real_instrumentation_is_scored_once(case: Case, tmp_path: Path) -> None:
    agents = Path(__file__).parent / "agents"
    with OtlpSink() as sink, model_server() as model:
        config = configuration({"otlphttp/sink": {"endpoint": sink.http_endpoint}})
        with gateway(config, tmp_path) as running:
            env = {
                **os.environ,
                **case.env,
                "OPENAI_BASE_URL": model,
                "OPENAI_API_BASE": model,
                "OPENAI_API_KEY": "none-needed",
                "OTEL_EXPORTER_OTLP_ENDPOINT": running.http_endpoint,
                "PYTHONPATH": str(agents),
            }
            command = [python(case.environment), agents / case.command[0], *case.command[1:]]
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
            expected = len(case.answers)
            wait_until(lambda: len(scored_spans(sink)) >= expected, 30, f"arrival of {expected} scored spans")
        scored = scored_spans(sink)
    assert len(scored) == expected
    assert all(0.0 <= attributes["agent_eval.toxicity.score"] <= 1.0 for attributes in scored)
    assert all(attributes["agent_eval.relevance.outcome"] == "scored" for attributes in scored)
    faithfulness = {attributes["agent_eval.faithfulness.outcome"] for attributes in scored}
    assert faithfulness == {"scored" if case.retrieval else "skipped"}
    if case.retrieval:  # what was retrieved came to the answer: it supports it
        assert all(attributes["agent_eval.faithfulness.documents"] for attributes in scored)
    assert len(events(sink, "toxicity")) == expected
    assert len(events(sink, "faithfulness")) == (expected if case.retrieval else 0)
