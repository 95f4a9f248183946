"""Spans for the tests of the readers, and the keys by which senders name their content."""

from collections.abc import Mapping, Sequence
from typing import Any

from otel_agent_eval.conventions.span import EventView, SpanView

CONTENT_KEYS = (
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt"),
    *("gen_ai.completion", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.completion.0.content"),
    *("gen_ai.input.messages.0.message.content", "gen_ai.retrieval.documents", "gen_ai.retrieval.query.text"),
    *(
        "gen_ai.tool.call.result",
        "gen_ai.memory.records",
        "gen_ai.input.messages_ref",
        "gen_ai.prompt.variable.context",
    ),
    *("llm.input_messages", "llm.output_messages", "llm.input_messages.0.message.content", "input.value"),
    *("llm.output_messages.0.message.contents.0.message_content.text", "llm.prompt_template.variables", "llm.prompts"),
    *("output.value", "retrieval.documents", "retrieval.documents.0.document.content", "reranker.output_documents"),
    *("traceloop.entity.input", "traceloop.entity.output", "ai.prompt", "ai.prompt.messages", "ai.response.text"),
    *("ai.response.object", "ai.response.toolCalls", "ai.toolCall.result", "ai.operationId", "events", "final_result"),
    *("pydantic_ai.all_messages", "all_messages_events", "tool_response", "request_data", "response_data"),
    *("gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"),
    *("langfuse.observation.input", "langfuse.observation.output", "mlflow.spanInputs", "mlflow.spanOutputs"),
    *("haystack.component.input", "haystack.component.output", "haystack.component.type", "lk.chat_ctx"),
    *("ai.observability.record_root.input", "ai.observability.retrieval.retrieved_contexts", "lk.response.text"),
    *("llm.openai.messages", "llm.openai.choices", "mcp.tool.result", "gen_ai.workflow.output", "logfire.msg"),
)
KIND_KEYS = (
    *("gen_ai.operation.name", "openinference.span.kind", "traceloop.span.kind", "langfuse.observation.type"),
    *("langsmith.span.kind", "mlflow.spanType", "ai.observability.span_type", "span.type", "llm.request.type"),
)
EVENT_NAMES = (
    *("gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message"),
    *("gen_ai.choice", "gen_ai.content.prompt", "gen_ai.content.completion", "db.query.result", "db.search.result"),
    *("gen_ai.client.inference.operation.details", "data.input", "data.output", "metadata", ""),
)


def make_span(
    attributes: Mapping[str, Any],
    events: Sequence[EventView] = (),
    *,
    name: str = "span",
    scope: str = "",
    dropped: int = 0,
) -> SpanView:
    """A span of which only what the readers look at is set."""
    return SpanView(
        trace_id="0" * 32,
        span_id="0" * 16,
        parent_id="",
        name=name,
        kind=1,
        start_time=0,
        end_time=0,
        failed=False,
        scope=scope,
        scope_version="",
        attributes=attributes,
        resource={},
        events=tuple(events),
        dropped_attributes=dropped,
    )
